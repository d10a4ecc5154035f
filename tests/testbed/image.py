"""What a host of the test bed is made of: Debian's kernel, initial file systems, and two disks in ext4.

The kernel and busybox come from their Debian packages, which need not be installed: a kernel for the test bed is none
that the machine itself should start with. All that is made is kept in the folder of the bed, and made again when what
it was made of has changed."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "build/testbed"
SCRATCH = "run-"  # so begin the names of temporary folders; those of a run that was killed stay for a day
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Drivers of the host and of the kernel that it can start as a guest; modules that these need come by themselves.
HOST_MODULES = "virtio_pci virtio_blk virtio_console virtio_net virtio-rng overlay tun bridge kvm kvm-amd".split()
GUEST_MODULES = "virtio_pci virtio_blk virtio_console virtio_net virtio-rng virtio_balloon".split()

# What the host has, as far as this machine has it. busybox does the rest.
PROGRAMS = """sh bash cat ls cp mv rm ln mkdir rmdir chmod touch date sleep timeout env tee head tail wc cut tr
sort uniq seq dd stat od cmp diff test true false printf echo kill id uname mktemp md5sum sha256sum
grep sed mawk find xargs ps xz gzip zstd tar python3 qemu-system-x86_64 qemu-img qemu-io qemu-nbd
gdb strace socat""".split()
DATA = ["/usr/share/qemu", "/usr/share/seabios", "/usr/lib/ipxe/qemu", "/usr/lib/x86_64-linux-gnu/qemu",
        "/usr/lib/locale/C.utf8", "/lib/x86_64-linux-gnu/libgcc_s.so.1"]
ETC = {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\nkvm:x:106:\n", "os-release": "ID=testbed\n",
       "hosts": "127.0.0.1 localhost\n192.168.77.1 bed1\n192.168.77.2 bed2\n", "resolv.conf": "", "mtab": ""}
BUSYBOX = "/usr/lib/testbed/busybox"
EMPTY = ("proc", "sys", "dev", "run", "tmp", "root", "mnt")

DAY = 24 * 60 * 60


class BedError(Exception):
    """The bed has failed; the text is one line that says why."""


class Lacking(BedError):
    """The bed cannot be made: something is not on this machine, and cannot be fetched."""


def call(command, **options):
    """Runs a tool. Returns its standard output; if it fails, that is a BedError with its last words."""
    try:
        done = subprocess.run(command, stdin=options.pop("stdin", subprocess.DEVNULL), capture_output=True, check=False,
                              **options)
    except OSError as error:
        raise BedError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).decode(errors="replace").splitlines() if line.strip()]
        raise BedError(f"{Path(command[0]).name} failed: {said[-1] if said else f'exit status {done.returncode}'}")
    return done.stdout


def find(program, package):
    """A program of this machine, or a BedError that names its package."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{STANDARD_PATH}")
    if not found:
        raise Lacking(f"no {program} here: it is in Debian's package {package}")
    return found


# --- packages ---------------------------------------------------------------------------------------------------------

def unpacked(name, package, wanted):
    """The folder with the contents of a package, of which `name` is the short name and `wanted` a file that it has."""
    folder = FOLDER / "packages" / name
    if not list(folder.glob(wanted)):
        FOLDER.joinpath("packages").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=SCRATCH) as work:
            package = package() if callable(package) else package
            try:
                call([find("apt-get", "apt"), "download", "-q", package], cwd=work)
            except BedError as error:
                raise Lacking(f"cannot get Debian's package {package}: {error}") from error
            archive = next(Path(work).glob("*.deb"))
            call([find("dpkg", "dpkg"), "-x", str(archive), f"{work}/root"])
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(f"{work}/root", folder)
        if not list(folder.glob(wanted)):
            raise BedError(f"Debian's package {package} has no {wanted}")
    return folder


def kernel_package():
    """linux-image-cloud-amd64 has no more than the name of the newest kernel's package."""
    said = call([find("apt-cache", "apt"), "depends", "linux-image-cloud-amd64"]).decode()
    names = re.findall(r"Depends: (linux-image-\S+-cloud-amd64)", said)
    if not names:
        raise Lacking("no kernel package: apt-cache does not know linux-image-cloud-amd64")
    return names[0]


def kernel():
    """The path of a kernel and the folder of its modules: those installed, or else unpacked ones."""
    for image in sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"), reverse=True):
        modules = Path("/lib/modules") / image.name.removeprefix("vmlinuz-")
        if modules.is_dir() and os.access(image, os.R_OK):
            return image, modules
    folder = unpacked("kernel", kernel_package, "boot/vmlinuz-*")
    image = next(folder.glob("boot/vmlinuz-*"))
    for modules in (folder / "lib/modules", folder / "usr/lib/modules"):
        if (modules / image.name.removeprefix("vmlinuz-")).is_dir():
            return image, modules / image.name.removeprefix("vmlinuz-")
    raise BedError(f"the kernel package {folder} has no modules")


def busybox():
    """A busybox that needs no library."""
    folder = unpacked("busybox", "busybox-static", "**/bin/busybox")
    return next(folder.glob("**/bin/busybox"))


# --- what a program needs ---------------------------------------------------------------------------------------------

def libraries(files):
    """The libraries and the loader of all these files that are ELF."""
    elf = []
    for file in files:
        with open(file, "rb") as opened:
            if opened.read(4) == b"\177ELF":
                elf.append(str(file))
    if not elf:
        return []
    said = subprocess.run([find("ldd", "libc-bin"), *elf], capture_output=True, check=False).stdout.decode()
    return sorted(set(re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", said, re.MULTILINE)))


class Tree:
    """Files by the path that they have in the host: Path of a file here, text, or ("link", target)."""

    def __init__(self):
        self.entries, self.folders = {}, set()

    @staticmethod
    def place(path):
        """Where a path is when the links of the folders above it are followed (/bin is /usr/bin)."""
        path = os.path.normpath(path)
        return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))

    def put(self, source, path=None):
        """Adds a file, or a folder with all that is in it; its own links as links if it keeps its path."""
        source, place = Path(source), self.place(path or source)
        if path is None and source.is_symlink():
            target = os.readlink(source)
            if place not in self.entries:
                self.entries[place] = ("link", target)
                self.put(os.path.join(os.path.dirname(place), target))
        elif source.is_dir():
            self.folders.add(place)
            for entry in sorted(source.iterdir()):
                if entry.exists() and (path is not None or self.place(entry) not in self.entries):
                    self.put(entry, path and os.path.join(path, entry.name))
        elif source.is_file():
            self.entries[place] = source.absolute()
        else:
            raise BedError(f"{source}: no such file, or no regular one")

    def program(self, path):
        """Adds a program with what it needs to run: its libraries, and a script's interpreter."""
        self.put(path)
        source = Path(os.path.realpath(path))
        if source.is_dir():
            files = [f for f in source.rglob("*") if f.is_file() and os.access(f, os.R_OK)]
        else:
            files = [source]
            with open(source, "rb") as opened:
                line = opened.readline(200)
            interpreter = re.match(rb"#!\s*(/\S+)", line)
            if interpreter and os.path.exists(interpreter[1]):
                self.program(os.fsdecode(interpreter[1]))
        for library in libraries(files):
            self.put(library)

    def stage(self, folder):
        """Makes the files below the folder. Returns the number of files and of octets."""
        octets = 0
        for place in self.folders:
            os.makedirs(folder + place, exist_ok=True)
        for place, what in self.entries.items():
            os.makedirs(os.path.dirname(folder + place), exist_ok=True)
            if isinstance(what, tuple):
                os.symlink(what[1], folder + place)
            elif isinstance(what, Path):
                link_or_copy(os.path.realpath(what), folder + place)
                octets += what.stat().st_size
            else:
                Path(folder + place).write_bytes(what)
                octets += len(what)
        return len(self.entries) + len(self.folders), octets


def link_or_copy(source, place):
    """A link costs nothing, but another file system, or somebody else's file, may not have it."""
    try:
        os.link(source, place)
    except OSError:
        shutil.copy(source, place)


def make_disk(tree, path):
    """Makes an ext4 image of the tree."""
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=SCRATCH) as work:
        files, octets = tree.stage(f"{work}/root")
        files = max(files * 2, 128)  # and the folders above them
        blocks = octets // 4096 + 3 * files + 2048
        with open(f"{work}/image", "wb") as image:
            image.truncate(blocks * 4096)
        call([find("mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext4", "-O", "^has_journal,^resize_inode", "-b", "4096",
              "-m", "0", "-N", str(files), "-E", "root_owner=0:0", "-d", f"{work}/root", f"{work}/image"])
        os.rename(f"{work}/image", path)


# --- the parts of a bed -----------------------------------------------------------------------------------------------

def stamp(paths):
    """Changes when one of the files does, as far as its time and size tell."""
    state = []
    for path in paths:
        with contextlib.suppress(OSError):
            info = os.stat(path)
            state.append(f"{path} {info.st_size} {info.st_mtime_ns}")
    return hashlib.sha256("\n".join(state).encode()).hexdigest()


def current(target, sources):
    """Is the target there, and made of these?"""
    key = FOLDER / f"{target.name}.stamp"
    return target.exists() and key.exists() and key.read_text() == stamp(sources)


def finished(target, sources):
    (FOLDER / f"{target.name}.stamp").write_text(stamp(sources))


def module_files(folder, names):
    """The files of modules and of those that they need, in the order in which they are loaded."""
    files = {re.sub(r"\.ko.*", "", f.name).replace("-", "_"): f for f in folder.rglob("*.ko*")}
    order = []

    def visit(name):
        file = files.get(name.replace("-", "_"))
        if not file or file in order:
            return  # the kernel has it built in
        said = unpack_module(file)
        for needed in re.findall(rb"\0depends=([^\0]*)\0", said):
            for other in needed.decode().split(","):
                if other:
                    visit(other)
        order.append(file)

    for name in names:
        visit(name)
    return order


def unpack_module(file):
    """Later Debians have them packed."""
    return call([find("xz", "xz-utils"), "-dc", str(file)]) if file.suffix == ".xz" else file.read_bytes()


def make_initramfs(target, init, modules, tool, programs=()):
    """busybox, more programs that need no library, modules, and what is to be done with them."""
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=SCRATCH) as work:
        root = Path(work, "root")
        root.joinpath("bin").mkdir(parents=True)
        root.joinpath("modules").mkdir()
        shutil.copy(tool, root / "bin/busybox")
        for program in programs:
            shutil.copy(program, root / "bin")
        shutil.copy(init, root / "init")
        root.joinpath("init").chmod(0o755)
        names = []
        for module in modules:
            names.append(re.sub(r"\.ko.*", ".ko", module.name))
            root.joinpath("modules", names[-1]).write_bytes(unpack_module(module))
        root.joinpath("modules/order").write_text("".join(f"{name}\n" for name in names))
        paths = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
        Path(work, "list").write_text("".join(f"{path}\n" for path in paths))
        with open(f"{work}/list", "rb") as listed:
            archive = call([str(tool), "cpio", "-o", "-H", "newc"], cwd=root, stdin=listed)
        Path(work, "cpio").write_bytes(archive)
        os.rename(f"{work}/cpio", target)


def compile_static(source, target):
    """Makes a program that needs no library of its one file, unless it is there."""
    if not current(target, [source]):
        call([find("gcc", "gcc"), "-std=gnu11", "-O2", "-Wall", "-D_GNU_SOURCE", "-static", "-o", str(target),
              str(source)])
        finished(target, [source])


def system_tree(image, guest_initramfs, agent, tool):
    """A small Debian of what this machine has."""
    tree = Tree()
    for folder in ("/bin", "/sbin", "/lib", "/lib64"):
        if os.path.islink(folder):
            tree.entries[folder] = ("link", os.readlink(folder))
    for program in PROGRAMS:
        found = shutil.which(program, path=STANDARD_PATH)
        if found:
            tree.program(found)
    for path in [*Path("/usr/lib").glob("python3.*"), *DATA]:
        if os.path.exists(path):
            tree.program(path)
    for name, text in ETC.items():
        tree.entries[f"/etc/{name}"] = text.encode()
    for folder in EMPTY:
        tree.folders.add(f"/{folder}")
    tree.put(image, "/boot/vmlinuz")
    tree.put(guest_initramfs, "/boot/initrd")
    tree.put(agent, "/usr/lib/testbed/agent")
    tree.put(tool, BUSYBOX)
    for applet in call([str(tool), "--list-full"]).decode().split():
        place = Tree.place(f"/{applet}")
        if place not in tree.entries:
            tree.entries[place] = ("link", BUSYBOX)
    return tree


class Parts:
    """The kernel, the initramfs and the disk of the system; made when this is made, unless they are there."""

    def __init__(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        with open(FOLDER / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for folder in FOLDER.glob(f"{SCRATCH}*"):
                with contextlib.suppress(OSError):
                    if time.time() - folder.stat().st_mtime > DAY:
                        shutil.rmtree(folder)
            find("qemu-system-x86_64", "qemu-system-x86")
            self._make()

    def _make(self):
        (self.kernel, modules), tool, me = kernel(), busybox(), HERE / "image.py"
        self.initramfs, self.system = FOLDER / "host.cpio", FOLDER / "system.img"
        guest, agent = FOLDER / "guest.cpio", FOLDER / "agent"
        for target, init, names in ((self.initramfs, HERE / "init-host", HOST_MODULES),
                                    (guest, HERE / "init-guest", GUEST_MODULES)):
            sources = [self.kernel, tool, init, me]
            if not current(target, sources):
                make_initramfs(target, init, module_files(modules, names), tool)
                finished(target, sources)
        compile_static(HERE / "agent.c", agent)
        # dpkg's status changes with any package, and with that perhaps a program or a library
        sources = [self.kernel, tool, guest, agent, me, Path("/var/lib/dpkg/status")]
        if not current(self.system, sources):
            make_disk(system_tree(self.kernel, guest, agent, tool), self.system)
            finished(self.system, sources)
