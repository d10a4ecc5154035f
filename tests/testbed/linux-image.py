#!/usr/bin/env python3
"""linux-image.py INITRD DISK: what an unmodified Linux is started with in the test bed: Debian's busybox and modules
for a PC's disks and network as an initial file system, and a disk with a small Debian that it can have as its root."""

import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

from image import FOLDER, GUEST_MODULES, HERE, SCRATCH, BedError, Parts, Tree, busybox, call  # noqa: E402
from image import compile_static, find, kernel, make_initramfs, module_files  # noqa: E402

MODULES = GUEST_MODULES + "ata_piix sd_mod sr_mod isofs button evdev".split()
PROGRAMS = {"lspci": "pciutils", "acpidump": "acpica-tools", "acpixtract": "acpica-tools"}
BLOCKS = 32768  # of 1 KiB
INIT = """#!/bin/busybox sh
# The first program of a root file system that has nothing but a shell: the same line `run` as in the initial one.
export PATH=/bin:/sbin
/bin/busybox --install -s /bin
mount -t tmpfs tmpfs /tmp
[ -z "$run" ] || sh -c "$run"
poweroff -f
"""


def root_tree():
    """busybox, and Debian's programs that tell of a PC."""
    tree = Tree()
    for folder in ("bin", "sbin", "lib", "lib64"):
        tree.entries[f"/{folder}"] = ("link", f"usr/{folder}")
    tree.folders.update(("/proc", "/sys", "/dev", "/tmp", "/mnt", "/usr/bin", "/usr/sbin"))
    for program, package in PROGRAMS.items():
        tree.program(find(program, package))
    tree.put(busybox(), "/usr/bin/busybox")
    tree.entries["/usr/sbin/init"] = INIT.encode()
    tree.entries["/numbers"] = "".join(f"{n}\n" for n in range(100000)).encode()
    return tree


def make_root(path):
    """A disk with a file system that Linux can start from, and any program of it be run from."""
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=SCRATCH) as work:
        root_tree().stage(f"{work}/root")
        Path(work, "root/usr/sbin/init").chmod(0o755)
        call([find("mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext4", "-b", "1024", "-E", "root_owner=0:0", "-d",
              f"{work}/root", str(path), str(BLOCKS)])


def main():
    initrd, disk = sys.argv[1:]
    Parts()
    _, modules = kernel()
    compile_static(HERE / "load.c", FOLDER / "load")
    make_initramfs(Path(initrd), HERE / "init-guest", module_files(modules, MODULES), busybox(), [FOLDER / "load"])
    make_root(disk)


try:
    main()
except BedError as error:
    sys.exit(f"linux-image: {error}")
