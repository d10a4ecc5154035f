#!/usr/bin/env python3
"""linux-image.py INITRD DISK: what an unmodified Linux is started with in the test bed: Debian's busybox and modules
for a PC's disks and network as an initial file system, and busybox in a file system of its own on a disk."""

import shutil
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

from image import FOLDER, GUEST_MODULES, HERE, SCRATCH, Parts, busybox, call, find, kernel  # noqa: E402
from image import make_initramfs, module_files  # noqa: E402

MODULES = GUEST_MODULES + "ata_piix sd_mod sr_mod isofs button evdev".split()
BLOCKS = 8192  # of 1 KiB


def make_root(path):
    """A disk with a file system from which a shell can run."""
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=SCRATCH) as work:
        root = Path(work, "root")
        for folder in ("bin", "proc", "sys", "dev", "tmp"):
            root.joinpath(folder).mkdir(parents=True)
        shutil.copy(busybox(), root / "bin/busybox")
        root.joinpath("numbers").write_text("".join(f"{n}\n" for n in range(100000)))
        call([find("mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext4", "-b", "1024", "-E", "root_owner=0:0", "-d",
              str(root), str(path), str(BLOCKS)])


def main():
    initrd, disk = sys.argv[1:]
    Parts()
    _, modules = kernel()
    make_initramfs(Path(initrd), HERE / "init-guest", module_files(modules, MODULES), busybox())
    make_root(disk)


main()
