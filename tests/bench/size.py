"""How long the devices of a recording are in each format."""

import json
import lzma
import subprocess

SCHEMA, SECTION = 0x62, 0x66
STREAM = 0x60


def ber_head(data, at):
    """Identifier octet, where the content starts, and its length (None: indefinite) of the element at `at`."""
    identifier, at = data[at], at + 1
    if identifier & 0x1f == 0x1f:
        while data[at] & 0x80:
            at += 1
        at += 1
    first, at = data[at], at + 1
    if first < 0x80:
        return identifier, at, first
    if first == 0x80:
        return identifier, at, None
    octets = first & 0x7f
    return identifier, at + octets, int.from_bytes(data[at:at + octets], "big")


def ber_end(data, at):
    """Where the element at `at` ends."""
    _, content, length = ber_head(data, at)
    if length is not None:
        return content + length
    while data[content:content + 2] != b"\0\0":
        content = ber_end(data, content)
    return content + 2


def ber_records(data):
    """(identifier octet, octets in all) of each record of a BER stream."""
    identifier, at, length = ber_head(data, 0)
    assert identifier == STREAM, f"octet 0x{identifier:02x} starts no BER stream"
    end = len(data) if length is None else at + length
    while at < end and data[at:at + 2] != b"\0\0":
        behind = ber_end(data, at)
        yield data[at], behind - at
        at = behind


def trailer_length(stream):
    """Octets of QEMU's JSON description, its mark and length included; 0 if there is none."""
    at = stream.rfind(b'{"page_size"')
    if at < 5 or stream[at - 5] != 6 or at + int.from_bytes(stream[at - 4:at], "big") > len(stream):
        return 0
    return len(stream) - at + 5


class Sizes:
    """Of one recording: `legacy` octets in the bodies of its device sections, those of the JSON description, those of
    the schema and of the sections in BER."""

    def __init__(self, bin_folder, recording, scratch):
        stream = scratch / "recording"
        stream.write_bytes(lzma.decompress(recording.read_bytes()))
        dump = subprocess.run([bin_folder / "vmstate-dump", "--format=json", stream], capture_output=True, check=True)
        self.legacy = sum(e["size"] for e in json.loads(dump.stdout)["elements"] if "section" in e)
        self.trailer = trailer_length(stream.read_bytes())
        subprocess.run([bin_folder / "vmstate-convert", "--to=ber", stream, scratch / "ber"], check=True)
        records = list(ber_records((scratch / "ber").read_bytes()))
        self.schema = sum(octets for identifier, octets in records if identifier == SCHEMA)
        self.sections = sum(octets for identifier, octets in records if identifier == SECTION)

    def ber_ratio(self):
        return (self.schema + self.sections) / self.legacy

    def qemu_ratio(self):
        return (self.legacy + self.trailer) / self.legacy
