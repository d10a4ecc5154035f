"""linux-guest.py: Debian's Linux on an emulator, run inside the test bed; what it does is told line by line.

Each function whose name begins with `do_` is a command: linux-guest.py COMMAND EMULATOR [ARGUMENT...]. The emulator is
ferry, or qemu-system-x86_64 with the same options. A failed check is an exception."""

import os
import re
import socket
import subprocess
import sys
import time

WAIT = 240  # seconds for anything: the bed is slow, and this machine may be loaded
PROMPT = "guest# "
SHELL = "console=ttyS0 panic=-1 run=\"PS1='guest# ' exec setsid cttyhack sh\""
NETWORK = ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,addr=5,romfile="]


class Guest:
    """An emulator with a Linux, its serial port and its monitor."""

    count = 0

    def __init__(self, emulator, *options, smp=1, append=SHELL, disk=True, boot=True, cpu="host"):
        Guest.count += 1
        self.name = f"/tmp/guest{Guest.count}"
        command = [emulator, "-nodefaults", "-M", "pc-i440fx-7.2", "-accel", "kvm", "-cpu", cpu, "-m", "256",
                   "-smp", str(smp), "-display", "none", "-serial", f"unix:{self.name}.serial,server=on,wait=on",
                   "-monitor", f"unix:{self.name}.monitor,server=on,wait=off"]
        if disk:
            for name, device in (("v", "virtio-blk-pci,addr=4"), ("i", "ide-hd,bus=ide.0,unit=0")):
                command += ["-drive", f"file=/srv/{name}.img,format=raw,if=none,id={name}",
                            "-device", f"{device},drive={name}"]
            command += NETWORK
        if boot:
            command += ["-kernel", "/boot/vmlinuz", "-initrd", "/srv/initrd", "-append", append]
        self.begin = time.monotonic()
        self.process = subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL)
        self.serial, self.monitor = self.connect("serial"), None
        self.text = ""

    def connect(self, what):
        link = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + WAIT
        while True:
            try:
                link.connect(f"{self.name}.{what}")
                return link
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"no {what}: {error}; status {self.process.poll()}") from error
                time.sleep(0.05)

    def expect(self, pattern):
        """Reads on until the pattern has come; what came before it is returned, and gone."""
        end = time.monotonic() + WAIT
        while not (found := re.search(pattern, self.text)):
            self.serial.settimeout(max(end - time.monotonic(), 0.01))
            try:
                data = self.serial.recv(65536)
            except TimeoutError:
                data = b""
            if not data:
                raise RuntimeError(f"'{pattern}' did not come; the guest's last words:\n{self.text[-3000:]}")
            self.text += data.decode(errors="replace").replace("\r", "")
        before, self.text = self.text[:found.start()], self.text[found.end():]
        return before

    def run(self, line):
        """A line of the guest's shell: its output. It must succeed."""
        self.serial.sendall(f"{line}\n".encode())
        self.expect(re.escape(line[-20:]) + "\n")
        self.serial.sendall(b"echo status=$?\n")
        said = self.expect(r"echo status=\$\?\n")
        self.expect(r"status=(\d+)\n" + PROMPT) if False else None
        return said.removesuffix(PROMPT)

    def command(self, line):
        """A line of the monitor."""
        self.monitor = self.monitor or self.connect("monitor")
        self.monitor.sendall(f"{line}\n".encode())

    def end(self):
        """Waits for the emulator's end, and returns its status."""
        return self.process.wait(WAIT)
