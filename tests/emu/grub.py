"""grub.py FOLDER: GRUB as Debian's packages have it, on a disk (FOLDER/disk.img) and on a CD (FOLDER/cd.iso), with a
menu on the serial port. grub.py --missing: what this machine lacks for that, with status 1."""
import os
import shutil
import struct
import subprocess
import sys

MODULES = "/usr/lib/grub/i386-pc"
NEEDS = {"grub-mkimage": "grub-common", "grub-mkrescue": "grub-common", "xorriso": "xorriso", "mformat": "mtools",
         "mcopy": "mtools", "mmd": "mtools"}
SECTOR, PARTITION, SECTORS = 512, 2048, 16384
TYPE_FAT16 = 0x06
PREFIX = "/boot/grub"
# Each tells that it was chosen; the first switches the machine off by ACPI, the second starts it again.
MENU = """
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=-1
menuentry 'the first entry' { echo THE-FIRST on $root; halt }
menuentry 'the second entry' { echo THE-SECOND on $root; reboot }
"""


def missing():
    """What this machine lacks, or nothing."""
    for program, package in NEEDS.items():
        if not shutil.which(program):
            return "no %s: it is in the package %s" % (program, package)
    return None if os.path.isdir(MODULES) else "no %s: it is in the package grub-pc-bin" % MODULES


def call(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, env=dict(os.environ, MTOOLS_SKIP_CHECK="1"))
    if done.returncode:
        raise RuntimeError("%s failed: %s" % (command[0], done.stdout))


def make_disk(folder):
    """A master boot record, GRUB's core in the gap behind it, and a partition with a file system, where its menu is."""
    path, menu, core = (os.path.join(folder, name) for name in ("disk.img", "grub.cfg", "core.img"))
    with open(menu, "w") as file:
        file.write(MENU)
    call("grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd0,msdos1)" + PREFIX, "biosdisk", "part_msdos", "fat",
         "serial", "terminal", "normal", "echo", "halt", "reboot")
    with open(os.path.join(MODULES, "boot.img"), "rb") as file:
        record = bytearray(file.read(SECTOR))
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", TYPE_FAT16, b"\xfe\xff\xff", PARTITION, SECTORS - PARTITION)
    record[446:512] = entry.ljust(64, b"\0") + b"\x55\xaa"  # where the file has code for floppy disks
    with open(core, "rb") as file:
        code = file.read()
    assert SECTOR + len(code) <= PARTITION * SECTOR, "GRUB's core does not fit in the gap"
    with open(path, "wb") as disk:
        disk.write(record + code)
        disk.truncate(SECTORS * SECTOR)
    place = "%s@@%d" % (path, PARTITION * SECTOR)
    call("mformat", "-i", place, "-T", str(SECTORS - PARTITION), "-h", "16", "-s", "63", "::")
    call("mmd", "-i", place, "::/boot", "::" + PREFIX)
    call("mcopy", "-i", place, menu, "::" + PREFIX)


def make_cd(folder):
    """What grub-mkrescue makes, with few modules: an El Torito image without emulation."""
    root = os.path.join(folder, "root")
    os.makedirs(root + PREFIX)
    with open(root + PREFIX + "/grub.cfg", "w") as file:
        file.write(MENU)
    call("grub-mkrescue", "-d", MODULES, "-o", os.path.join(folder, "cd.iso"), "--locales=", "--fonts=", "--themes=",
         "--install-modules=serial terminal normal echo halt reboot iso9660 part_msdos biosdisk", root)


def main():
    reason = missing()
    if sys.argv[1] == "--missing":
        print(reason or "nothing")
        return reason is not None
    if reason:
        sys.exit(reason)
    make_disk(sys.argv[1])
    make_cd(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
