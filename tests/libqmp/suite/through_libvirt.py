"""through_libvirt.py FOLDER EMULATOR SUITE OPTION...: starts a libvirt daemon and a domain of its own, and runs the
suite through them.

The daemon is one of a user's session: its sockets, its configuration and all that it remembers are in FOLDER, and
nothing of the host's is touched. It runs with a user's rights: who is root runs this in a user namespace. OPTION... is
what the domain's machine has besides what libvirt gives it. What the suite has said goes to standard output, what
libvirt has done to FOLDER/libvirtd.log.
"""
import os
import socket
import subprocess
import sys
import time
from xml.sax.saxutils import quoteattr

PATIENCE = 120
LIBVIRTD, VIRSH = "/usr/sbin/libvirtd", "/usr/bin/virsh"
DOMAIN = """<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>suite</name>
  <uuid>6ad1f5a4-3c5b-4a3e-9a3b-9b9d1c5d0001</uuid>
  <memory unit='MiB'>32</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <features><acpi/><apic/></features>
  <cpu mode='custom' match='exact' check='none'><model>qemu64</model></cpu>
  <devices>
    <emulator>%s</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
  <qemu:commandline>%s</qemu:commandline>
</domain>
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def environment(folder, emulator):
    """Where a session's daemon and its clients look for everything. The only emulator that is found is this one."""
    names = {"HOME": "home", "XDG_RUNTIME_DIR": "run", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache",
             "XDG_DATA_HOME": "share", "PATH": "bin"}
    words = {name: os.path.join(folder, place) for name, place in names.items()}
    for place in words.values():
        os.makedirs(place)
    os.symlink(emulator, words["PATH"] + "/qemu-system-x86_64")
    write(words["XDG_CONFIG_HOME"] + "/libvirt/qemu.conf",
          'stdio_handler = "file"\nsecurity_driver = "none"\nseccomp_sandbox = 0\n')
    write(folder + "/libvirtd.conf", f'log_outputs = "1:file:{folder}/libvirtd.log"\n'
          'log_filters = "1:qemu.qemu_monitor 1:util.command"\n')
    return {"LIBVIRT_DEFAULT_URI": "qemu:///session", "LC_ALL": "C.UTF-8", **words,
            **{name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if name in os.environ}}


def virsh(env, *words):
    done = subprocess.run([VIRSH, "-q", *words], env=env, timeout=PATIENCE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"virsh {' '.join(words)}: {done.stdout.decode().strip()}")
    return done.stdout.decode()


def await_listener(path, process):
    """Until somebody listens there, as the program is to do."""
    end = time.time() + PATIENCE
    while process.poll() is None and time.time() < end:
        with socket.socket(socket.AF_UNIX) as line:
            try:
                return line.connect(path)
            except OSError:
                time.sleep(0.01)
    raise AssertionError(f"nobody listens at {path}")


class Daemon:
    """libvirtd, as long as it is wanted."""

    def __init__(self, folder, env):
        self.log = folder + "/libvirtd.log"
        self.process = subprocess.Popen([LIBVIRTD, "-f", folder + "/libvirtd.conf", "-p", folder + "/libvirtd.pid"],
                                        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        await_listener(env["XDG_RUNTIME_DIR"] + "/libvirt/libvirt-sock", self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)


def user():
    """What goes in front of a command that is not to be root's."""
    return ["unshare", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


def why_not():
    """Why libvirt cannot be used; None: it can."""
    for program in (LIBVIRTD, VIRSH):
        if not os.path.exists(program):
            return f"{program} is not installed"
    if user() and subprocess.run([*user(), "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        return "no user namespace can be made, and root's libvirt daemon is the host's"
    return None


def probe(folder, emulator):
    """What libvirt makes of an emulator: its capabilities as XML, and what was said to find them."""
    os.makedirs(folder)
    done = subprocess.run([*user(), sys.executable, __file__, str(folder), emulator], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout.decode()
    with open(f"{folder}/libvirtd.log", encoding="utf-8") as log:
        return done.stdout.decode(), log.read()


def main(folder, emulator, suite=None, *options):
    env = environment(folder, emulator)
    if not suite:
        with Daemon(folder, env):
            print(virsh(env, "domcapabilities", "--emulatorbin", emulator, "--virttype", "kvm", "--machine", "pc"))
        return 0
    write(folder + "/domain.xml",
          DOMAIN % (emulator, "".join(f"<qemu:arg value={quoteattr(word)}/>" for word in options)))
    with Daemon(folder, env):
        try:
            virsh(env, "define", folder + "/domain.xml")
            virsh(env, "start", "--paused", "suite")
            return subprocess.run([suite, "libvirt:suite", folder, "libvirt"], env=env, timeout=PATIENCE, check=False).returncode
        finally:
            subprocess.run([VIRSH, "-q", "destroy", "suite"], env=env, check=False, timeout=PATIENCE,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
