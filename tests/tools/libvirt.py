#!/usr/bin/env python3
"""libvirt.py STREAM OUT [magic=Save|Part] [packed=N] [version=N] [xml=TEXT] [xml-length=N] [order=<|>] [running=N]

Makes a save file of libvirt: 92 octets of header, the domain's XML, and the stream as it is in STREAM.
"""
import struct
import sys

wish = dict(word.split("=", 1) for word in sys.argv[3:])
xml = wish.get("xml", "<domain type='kvm'><name>guest</name></domain>\0").encode()
header = b"LibvirtQemud" + wish.get("magic", "Save").encode() + struct.pack(
    wish.get("order", "<") + "5I56x", int(wish.get("version", 2)), int(wish.get("xml-length", len(xml))),
    int(wish.get("running", 1)), int(wish.get("packed", 0)), 0)
assert len(header) == 92
with open(sys.argv[1], "rb") as stream, open(sys.argv[2], "wb") as out:
    out.write(header + xml + stream.read())
