"""smm-guest.py COMMAND ARGUMENT...: system management mode on emulators, inside the test bed. An emulator is ferry, or
qemu-system-x86_64 with the same options; behind a colon is where interrupt controllers are: "ferry:split".

    compare PEER EMULATOR PROCESSORS   smm-probe.S says the same on both
    without EMULATOR                   with smm=off the APM control port leads nowhere
    move FROM TO [SMM]                 smm-probe.S goes from one to the other while it is in the handler
    firmware PEER EMULATOR             SeaBIOS leaves the same processor and chips on both
"""

import os
import re
import socket
import subprocess
import sys
import time

WAIT = 120
PROBE = ["-bios", "/srv/smm-probe.bin"]
KNOWN = r"Userspace local APIC is deprecated|Do not use kernel-irqchip|exceeds the recommended|terminating on signal"
FIELDS = (r"^(cpu(\[1\])?\.env\.smbase|cpu(\[1\])?\.cpu/msr_smi_count.*|cpu_common(\[1\])?\.interrupt_request|"
          r".*/I440FX\.PCIDevice\.config\(256\)\(1\)\.\[114\]|.*/piix4_pm\.PCIDevice\.config\(256\)\(1\)\.\[91\]|"
          r".*/piix4_pm\.ar\.pm1\.cnt\.cnt|.*/piix4_pm\.apm\..*) = ")


class Machine:
    """An emulator; what the guest says is in a file."""

    count = 0

    def __init__(self, emulator, *options, smm="on", smp=1, said=("-serial", "file:{}")):
        Machine.count += 1
        self.emulator, self.name = emulator, f"/srv/machine{Machine.count}"
        program, _, irqchip = emulator.partition(":")
        command = [program, "-nodefaults", "-M", f"pc-i440fx-7.2,smm={smm},kernel-irqchip={irqchip or 'on'}",
                   "-accel", "kvm", "-cpu", "qemu64", "-m", "32", "-smp", str(smp), "-display", "none",
                   "-monitor", f"unix:{self.name}.monitor,server=on,wait=off",
                   *(option.format(f"{self.name}.text") for option in said), *options]
        with open(f"{self.name}.said", "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.monitor = socket.socket(socket.AF_UNIX)
        self.until(self.connects, "a monitor")
        self.monitor.settimeout(WAIT)
        self.answer()

    def connects(self):
        try:
            self.monitor.connect(f"{self.name}.monitor")
            return True
        except OSError:
            return False

    def read(self, what):
        try:
            with open(f"{self.name}.{what}", encoding="latin-1") as file:
                return file.read().replace("\r", "")
        except FileNotFoundError:
            return ""

    def until(self, condition, what):
        end = time.monotonic() + WAIT
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.emulator}: no {what}; status {self.process.poll()}\n"
                                   f"{self.read('text')}{self.read('said')}")
            time.sleep(0.05)

    def expect(self, text):
        self.until(lambda: text in self.read("text"), text)

    def answer(self):
        got = b""
        while not re.search(rb"\((qemu|ferry)\) $", got):
            more = self.monitor.recv(65536)
            if not more:
                raise RuntimeError(f"{self.emulator}: the monitor has gone: {self.read('said')}")
            got += more
        return got.decode(errors="replace")

    def command(self, line):
        self.monitor.sendall(f"{line}\n".encode())
        got = ""
        while line not in got:
            got += self.answer()
        return got

    def save(self, path):
        self.command("stop")
        self.command(f'migrate "exec:cat >{path}"')
        self.until(lambda: "completed" in self.command("info migrate"), "end of the save")

    def load(self):
        self.until(lambda: "inmigrate" not in self.command("info status"), "end of the load")
        self.command("cont")

    def end(self):
        """It must not have said a word."""
        self.process.kill()
        self.process.wait()
        said = [line for line in self.read("said").splitlines() if not re.search(KNOWN, line)]
        if said:
            raise RuntimeError(f"{self.emulator} says: {said}")
        return self.read("text")


def probe(emulator, **options):
    machine = Machine(emulator, *PROBE, **options)
    machine.expect("DONE\n")
    return machine.end()


def same(one, other):
    if one != other:
        raise RuntimeError(f"not the same:\n{one}\n---\n{other}")


def do_compare(peer, emulator, processors):
    same(probe(peer, smp=processors), probe(emulator, smp=processors))


def do_without(emulator):
    text = probe(emulator, smm="off")
    for line in ("BEGIN smram 02 apmc_en 02 apmc 00 apms 00 pm1 0001", "as found: count 0000 high 0000",
                 "acpi off: smram 02 apmc_en 02 apmc f0 apms 00 pm1 0001", "no INIT\nINIT: "):
        if line not in text:
            raise RuntimeError(f"no '{line}' in:\n{text}")


def do_move(source, target, smm="on"):
    first = Machine(source, *PROBE)
    first.expect("WAIT\n")
    first.save("/srv/state")
    first.end()
    second = Machine(target, *PROBE, "-incoming", "exec:cat /srv/state", smm=smm)
    second.load()
    second.expect("DONE\n")
    text = second.end()
    # QEMU 7.2 does not take over an INIT that KVM's LAPIC has latched, nor save one of its own LAPIC's: then the SMI
    # that waits is served first, and is the second
    lost = "qemu" in target and ":off" not in target or "qemu" in source and ":off" in source
    kept = "END smram 0a apmc_en 02 apmc 22 apms 77 pm1 0000  revision 00020064 base 00030000 seen 99 kept 5a"
    if kept not in text or ("no INIT" in text) != lost:
        raise RuntimeError(f"it goes on like this:\n{text}")


def do_firmware(peer, emulator):
    left = []
    for program in (peer, emulator):
        port = ",iobase=0x402" if "qemu" in program else ""  # where ferry's is anyway
        machine = Machine(program, smp=2, said=("-chardev", "file,id=log,path={}",
                                                "-device", f"isa-debugcon,chardev=log{port}"))
        machine.expect("No bootable device")
        machine.save("/srv/state")
        machine.end()
        dump = subprocess.run(["build/bin/vmstate-dump", "/srv/state"], check=True, capture_output=True, text=True)
        left.append("\n".join(line for line in dump.stdout.splitlines() if re.search(FIELDS, line)))
    if "cpu.env.smbase = (uint32) 0xa0000" not in left[0]:
        raise RuntimeError(f"SeaBIOS does not use it:\n{left[0]}")
    same(*left)


def main():
    os.chdir(os.environ.get("PWD", "."))
    globals()[f"do_{sys.argv[1]}"](*sys.argv[2:])


if __name__ == "__main__":
    main()
