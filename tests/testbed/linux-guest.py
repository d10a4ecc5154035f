"""linux-guest.py: Debian's Linux on an emulator, run inside the test bed; what it does is told line by line.

Each function whose name begins with `do_` is a command: linux-guest.py COMMAND EMULATOR [ARGUMENT...]. The emulator is
ferry, or qemu-system-x86_64 with the same options; behind a colon is where interrupt controllers are: "ferry:split". A
failed check is an exception."""

import base64
import collections
import difflib
import hashlib
import json
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time

WAIT = 300  # seconds for anything: the bed is slow, and this machine may be loaded
NUMBERS = hashlib.md5("".join(f"{n}\n" for n in range(100000)).encode()).hexdigest()
PROMPT = "\nguest# "
SHELL = "console=ttyS0 panic=-1 run=\"PS1='guest# ' exec setsid cttyhack sh\""
NETWORK = ["-netdev", "user,id=net,tftp=/srv/tftp", "-device", "virtio-net-pci,netdev=net,addr=5,romfile="]


class Guest:
    """An emulator with a Linux, its serial port and its monitor."""

    count = 0

    def __init__(self, emulator, *options, smp=1, append=SHELL, disk=True, memory=256, cpu="host"):
        Guest.count += 1
        self.emulator, self.name = emulator, f"/srv/guest{Guest.count}"
        program, _, irqchip = emulator.partition(":")
        command = [program, "-nodefaults", "-M", "pc-i440fx-7.2,kernel-irqchip=" + (irqchip or "on"),
                   "-accel", "kvm", "-cpu", cpu, "-m", str(memory),
                   "-smp", str(smp), "-display", "none", "-serial", f"unix:{self.name}.serial,server=on,wait=on",
                   "-monitor", f"unix:{self.name}.monitor,server=on,wait=off"]
        if isinstance(disk, list):
            command += disk
        elif disk:
            for name, device in (("v", "virtio-blk-pci,addr=4"), ("i", "ide-hd,bus=ide.0,unit=0")):
                command += ["-drive", f"file=/srv/{name}.img,format=raw,if=none,id={name}",
                            "-device", f"{device},drive={name}"]
            command += NETWORK
        command += ["-kernel", "/boot/vmlinuz", "-initrd", "/srv/initrd", "-append", append]
        self.begin = time.monotonic()
        with open(f"{self.name}.said", "wb") as said:
            self.process = subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        self.serial, self.monitor = self.connect("serial"), None
        self.text, self.pieces, self.deaf, self.more = "", collections.deque(), False, threading.Condition()
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def connect(self, what):
        link = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + WAIT
        while True:
            try:
                link.connect(f"{self.name}.{what}")
                return link
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"no {what}: {error}; status {self.process.poll()}; {self.said()}") from error
                time.sleep(0.05)

    def listen(self):
        """Takes what the serial port sends as it comes: in a move, QEMU's sends twice what nobody has taken."""
        try:
            while data := self.serial.recv(65536):
                with self.more:
                    self.pieces.append([len(data), time.monotonic()])
                    self.text += data.decode("latin-1")
                    self.more.notify()
        except OSError:
            pass
        with self.more:
            self.deaf = True
            self.more.notify()

    def take(self, length):
        """So many letters of the text."""
        taken, self.text = self.text[:length], self.text[length:]
        while length:
            length -= (some := min(length, self.pieces[0][0]))
            self.pieces[0][0] -= some
            if not self.pieces[0][0]:
                self.pieces.popleft()
        return taken.replace("\r", "")

    def read(self, pattern):
        """Reads on until the pattern has come: what came before it, and when its first letter came."""
        end = time.monotonic() + WAIT
        with self.more:
            while not (found := re.search(pattern, self.text)):
                if self.deaf or not self.more.wait(end - time.monotonic()) and time.monotonic() > end:
                    raise RuntimeError(f"'{pattern}' did not come on {self.emulator}, whose status is "
                                       f"{self.process.poll()}; the guest's last words:\n{self.text[-3000:]}{self.said()}")
            came = self.pieces[0][1]
            before = self.take(found.start())
            self.take(found.end() - found.start())
            return before, came

    def expect(self, pattern):
        """Reads on until the pattern has come: what came before it."""
        return self.read(pattern)[0]

    def start(self):
        """Waits for the shell. From then on the kernel is silent on the serial port."""
        self.expect(PROMPT)
        self.run("dmesg -n 1")

    def run(self, line, fails=False):
        """A line of the guest's shell: its output. It must succeed."""
        self.serial.sendall(f'echo "<""<"; {line}; echo "=""$?="\n'.encode())
        self.expect("<<\r\n")
        said = self.expect("=(?=[0-9]+=)")
        status = self.expect("=")
        if status != "0" and not fails:
            raise RuntimeError(f"'{line}' ended with status {status}:\n{said}")
        return said

    def said(self):
        """What the emulator itself has said, but for QEMU's words on serial ports without another end, and on hosts
        that have less processors than the guest."""
        known = "info: QEMU waiting for|exceeds the recommended"
        with open(f"{self.name}.said", encoding="utf-8", errors="replace") as file:
            return "".join(line for line in file if not re.search(known, line))

    def command(self, line):
        """A line of the monitor: its answer."""
        if not self.monitor:
            self.monitor = self.connect("monitor")
            self.monitor.settimeout(WAIT)
            self.answer(rb"\((qemu|ferry)\) $")
        self.monitor.sendall(f"{line}\n".encode())
        said = self.answer(rb"\n(|.*\n)\((qemu|ferry)\) $").decode(errors="replace").replace("\r", "")
        if "Error" in said:
            raise RuntimeError(f"'{line}' is answered: {said}")
        return said

    def answer(self, pattern):
        got = b""
        while not re.search(pattern, got, re.DOTALL):
            more = self.monitor.recv(65536)
            if not more:
                raise RuntimeError(f"the monitor has gone: {self.said()}")
            got += more
        return got

    def quit(self):
        """Ends it. What its serial port has still sent is in text."""
        self.command("info status")
        self.monitor.sendall(b"quit\n")
        status = self.end()
        self.listener.join(WAIT)
        return status

    def end(self):
        """Waits for the emulator's end, and returns its status. It must have said nothing."""
        status = self.process.wait(WAIT)
        if self.said():
            raise RuntimeError(f"{self.emulator} says: {self.said()}")
        return status


def check(condition, text, quiet=False):
    if not condition:
        raise RuntimeError(f"not so: {text}")
    if not quiet:
        print(f"ok: {text}", flush=True)


# --- what is looked at in a guest -------------------------------------------------------------------------------------

def check_devices(guest, smp):
    check(guest.run("nproc").strip() == str(smp), f"{smp} processors")
    clock = guest.run("cat /sys/devices/system/clocksource/clocksource0/current_clocksource").strip()
    check(clock == "kvm-clock", f"its clock is {clock}")
    pci = guest.run("for d in /sys/bus/pci/devices/*; do echo ${d##*/} $(cat $d/vendor $d/device $d/irq); done")
    for place, device in (("00:00.0", "0x8086 0x1237"), ("00:01.0", "0x8086 0x7000"), ("00:01.1", "0x8086 0x7010"),
                          ("00:01.3", "0x8086 0x7113"), ("00:04.0", "0x1af4 0x1001"), ("00:05.0", "0x1af4 0x1000")):
        check(f"0000:{place} {device} " in pci, f"PCI {place} is {device}")
    late = time.time() - int(guest.run("cat /sys/class/rtc/rtc0/since_epoch"))
    check(-2 <= late <= 10, "the real-time clock shows the host's time")


def check_disk(guest, disk):
    """One of the two, with a file system of 100000 numbers and a busybox. A shell that runs from it is no less than one
    that starts from it."""
    guest.run(f"mkdir -p /mnt && mount -t ext4 {disk} /mnt")
    said = guest.run("chroot /mnt /bin/busybox sh -c '/bin/busybox tail -n 1 /numbers; /bin/busybox md5sum /numbers'")
    check(said.split()[:2] == ["99999", NUMBERS], f"a program runs from {disk}, and reads what is there")
    guest.run("dd if=/dev/urandom of=/mnt/new bs=64k count=40 2>/dev/null; sync; md5sum </mnt/new >/mnt/sum; sync")
    guest.run("umount /mnt; echo 3 >/proc/sys/vm/drop_caches; mount -t ext4 -o ro " + disk + " /mnt")
    check(guest.run("md5sum </mnt/new | cmp - /mnt/sum && echo same") == "same\n", f"{disk} keeps what is written")
    guest.run("umount /mnt")


def check_network(guest):
    guest.run("echo '#!/bin/sh' >/lease")
    guest.run("echo '[ \"$1\" != bound ] || ip addr add $ip/$mask dev $interface' >>/lease; chmod +x /lease")
    guest.run("ip link set eth0 up; udhcpc -i eth0 -n -q -s /lease 2>&1")
    check("inet 10.0.2.15/" in guest.run("ip addr show eth0"), "DHCP gives an address")
    check(" 0% packet loss" in guest.run("ping -c 3 10.0.2.2"), "the gateway answers")
    guest.run("tftp -g -r numbers -l /fetched 10.0.2.2")
    check(guest.run("md5sum </fetched").split()[0] == NUMBERS, "TFTP fetches a file")


def keep(guest, folder):
    """What is compared later: the kernel's messages, interrupts, and the ACPI tables."""
    os.makedirs(folder, exist_ok=True)
    for name, line in (("dmesg", "dmesg -r"), ("interrupts", "cat /proc/interrupts"), ("cpuinfo", "cat /proc/cpuinfo"),
                       ("ioports", "cat /proc/ioports"), ("iomem", "cat /proc/iomem")):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(guest.run(line))
    for name in guest.run("cd /sys/firmware/acpi/tables; for t in *; do [ -d $t ] || echo $t; done; cd /").split():
        with open(f"{folder}/{name}.dat", "wb") as file:
            file.write(base64.b64decode(guest.run(f"base64 /sys/firmware/acpi/tables/{name}")))


def interrupts(guest):
    """The rows of /proc/interrupts: what stands behind the counts, by its last word or the row's name; and the sums."""
    rows, counts = {}, {}
    for line in guest.run("cat /proc/interrupts").splitlines()[1:]:
        found = re.fullmatch(r" *(\w+):((?: +\d+)+) *(.*)", line)
        name = found[3].split()[-1] if found[1].isdigit() and found[3] else found[1]
        rows.setdefault(name, " ".join([found[1], *found[3].split()]))
        counts[name] = counts.get(name, 0) + sum(map(int, found[2].split()))
    return rows, counts


def check_interrupts(guest):
    """Each on its line when its device is used."""
    before = interrupts(guest)[1]
    guest.run("echo +2 >/sys/class/rtc/rtc0/wakealarm; echo 3 >/proc/sys/vm/drop_caches")
    for disk in ("vda", "sda"):
        guest.run(f"dd if=/dev/{disk} of=/dev/null bs=1k skip=1000 count=64 2>/dev/null")
    guest.run("sleep 4")
    rows, counts = interrupts(guest)
    for name, row in (("ttyS0", "4 IO-APIC 4-edge ttyS0"), ("rtc0", "8 IO-APIC 8-edge rtc0"),
                      ("ata_piix", "14 IO-APIC 14-edge ata_piix"), ("acpi", "9 IO-APIC 9-fasteoi acpi"),
                      ("virtio0-req.0", None), ("LOC", "LOC Local timer interrupts")):
        check(row is None or rows.get(name) == row, f"its interrupt is {row or rows[name]}", quiet=True)
        check(name == "acpi" or counts[name] > before[name], f"{rows[name]}: it comes when it is wanted")


REGISTERS = r"\] (Hardware name|Code|RIP|RSP|R[A-Z0-9]{2}|FS|CS|CR[0-9]|CPUID\[.*\]):"
TIMES = "clocksource|tsc|TSC|hrtimer|watchdog|took|Lost .* RTC interrupts|sched|rcu"  # the bed's, where time is uneven


def warnings(folder):
    """The kernel's messages of level warning and above, without their figures."""
    left_out = f"{REGISTERS}|{TIMES}"
    with open(f"{folder}/dmesg", encoding="utf-8") as file:
        lines = [line for line in file if re.match("<(0|1|2|3|4|8|12)>", line) and not re.search(left_out, line)]
    return [re.sub("[0-9a-f]{16}|0x[0-9a-f]+|[0-9]+", "N", re.sub(r"<\d+>\[ *[0-9.]+\] ", "", line)) for line in lines]


# --- commands ---------------------------------------------------------------------------------------------------------

def do_checks(emulator, smp, folder):
    """All that is looked at, then off."""
    smp = int(smp)
    guest = Guest(emulator, smp=smp)
    guest.expect(PROMPT)
    print(f"shell prompt after {time.monotonic() - guest.begin:.1f} s", flush=True)
    guest.run("dmesg -n 1")
    check_devices(guest, smp)
    check_disk(guest, "/dev/vda")
    check_disk(guest, "/dev/sda")
    check_network(guest)
    keep(guest, folder)
    guest.serial.sendall(b"poweroff -f\n")
    check(guest.end() == 0, "the guest switches the machine off, and that is status 0")


def do_compare(emulator, smp, folder):
    """The same on QEMU, and what the kernel complains about here but not there."""
    do_checks(emulator, smp, folder)
    do_checks("qemu-system-x86_64", smp, f"{folder}/qemu")
    there = warnings(f"{folder}/qemu")
    more = [line for line in warnings(folder) if line not in there]
    for line in more:
        print(f"only here: {line}", end="", flush=True)
    check(not more, "the kernel complains of nothing that it has not on QEMU, too")


FACTS = {"lspci -nn": "lspci -nn", "lspci -vv": "lspci -vv",
         "power": "lspci -x -s 1.3 | grep ^30:",
         "acpi": "cd /tmp && acpidump >all && acpixtract -a all && cd /",
         "pnp": "for d in /sys/bus/pnp/devices/*; do echo $(cat $d/id $d/resources); done | sort"}


def debian(emulator, root, folder):
    """Debian with this disk as its root: what it tells of the machine, by what was asked."""
    guest = Guest(emulator, append=f"{SHELL} quiet root={root}")
    guest.start()
    check(re.search(f"^{root} / ext4 ", guest.run("cat /proc/mounts"), re.M), f"{root} is the root on {emulator}")
    facts = {name: guest.run(line) for name, line in FACTS.items()}
    facts["lines"] = "".join(f"{row}\n" for row in interrupts(guest)[0].values() if row.split()[0].isdigit())
    check_interrupts(guest)
    keep(guest, folder)
    for name, told in facts.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(told)
    guest.run("echo here >/is; sync")
    guest.serial.sendall(b"reboot -f\n")
    guest.expect("a shell, on Linux")
    guest.start()
    check(guest.run("cat /is; rm /is; sync") == "here\n", "it starts again, and its root has what was written")
    guest.serial.sendall(b"poweroff -f\n")
    check(guest.end() == 0, "it switches the machine off")
    return facts


# What is told otherwise than on QEMU, and why.
OTHERWISE = (
    r"Region \d+: (I/O ports|Memory) at ",  # a kernel without firmware: by the devices' order, where SeaBIOS goes by size
    r"Physical Slot: ",  # QEMU's DSDT has a slot for each place on the bus, as devices can be plugged in there
    r" DSDT - ",  # its length
    r"PNP0c02 state = active io 0x600-",  # ports of power management, which QEMU's DSDT does not tell
)


def do_debian(emulator, folder):
    """From either disk on this emulator, and from one on QEMU; they must tell the same."""
    here = debian(emulator, "/dev/vda", f"{folder}/vda")
    there = debian("qemu-system-x86_64", "/dev/vda", f"{folder}/vda-qemu")
    for name, told in here.items():
        lines = [line for line in difflib.unified_diff(there[name].splitlines(), told.splitlines(), lineterm="", n=0)
                 if re.match("[-+](?![-+]{2} )", line)]
        more = [line for line in lines if not any(re.search(reason, line) for reason in OTHERWISE)]
        for line in more:
            print(f"{name}: {line}", flush=True)
        check(told and not more, f"{name}: the {len(told.splitlines())} lines that it tells on QEMU")
    debian(emulator, "/dev/sda", f"{folder}/sda")


def do_reboot(emulator):
    """By the keyboard controller, ACPI and a triple fault; each time the same kernel starts again. Then the power
    button, of which the guest's driver tells."""
    guest = Guest(emulator, append=SHELL + " reboot=k")
    guest.start()
    for how in ("", "echo a >/sys/kernel/reboot/type; ", "echo t >/sys/kernel/reboot/type; "):
        how += "reboot -f"
        guest.serial.sendall(f"{how}\n".encode())
        guest.expect("Linux version ")
        guest.start()
        check(True, f"it starts again after {how}")
    guest.command("system_reset")
    guest.expect("Linux version ")
    guest.start()
    check(True, "it starts again after a reset from outside")
    button = guest.run("cd /sys/class/input; for e in event*; do grep -q Power $e/device/name && echo $e; done; "
                       "cd /").split()
    guest.serial.sendall(f"(head -c 24 /dev/input/{button[-1]} >/event && poweroff -f) & echo wai\"\"ting\n".encode())
    guest.expect("waiting")
    time.sleep(1)
    guest.command("system_powerdown")
    check(guest.end() == 0, "the power button is seen")


COUNT = "i=0; while sleep 0.05; do i=$((i+1)); echo tick $i $(cut -d. -f1 /proc/uptime); done &"


def ticks(guest, last, count):
    """So many more numbers of the guest, none missing or twice."""
    for _ in range(count):
        guest.expect("tick (?=[0-9]+ )")
        number = int(guest.expect(" "))
        if number != last + 1:
            raise RuntimeError(f"tick {number} came after {last}")
        last = number
    return last


def go(guest, emulator, **machine):
    """Moves a running guest into another emulator, over a socket: the guest there."""
    path = f"/srv/move{Guest.count}"
    there = Guest(emulator, "-incoming", f"unix:{path}", **machine)
    end = time.monotonic() + WAIT
    while not os.path.exists(path):
        time.sleep(0.05)
    guest.command(f"migrate {'-d ' if 'qemu' in guest.emulator else ''}unix:{path}")
    while "completed" not in (said := guest.command("info migrate")):
        if "failed" in said or time.monotonic() > end:
            raise RuntimeError(f"the guest does not go: {said}{guest.said()}{there.said()}")
        time.sleep(0.05)
    check(guest.quit() == 0, f"it has left {guest.emulator}", quiet=True)
    with there.more:  # a line that was cut in two goes on there
        there.text = guest.text + there.text
        there.pieces.extendleft(reversed(guest.pieces))
    return there


def do_move(*emulators):
    """A guest that counts goes from one to the next while its disks and its network are in use."""
    guest = Guest(emulators[0], smp=2)
    guest.start()
    guest.run("mkdir -p /mnt; mount -t ext4 /dev/vda /mnt")
    guest.run("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0")
    guest.run(COUNT + " true")
    last = ticks(guest, 0, 5)
    for emulator in emulators[1:]:
        guest = go(guest, emulator, smp=2)
        last = ticks(guest, last, 10)
        check(True, f"it counts on {emulator}")
    guest.serial.sendall(b"kill %1\n")
    check(guest.run("md5sum </mnt/numbers").split()[0] == NUMBERS, "its disk is there")
    check(" 0% packet loss" in guest.run("ping -c 2 10.0.2.2"), "its network is there")
    print(guest.run("dmesg | tail -n 5"))
    guest.serial.sendall(b"umount /mnt; poweroff -f\n")
    check(guest.end() == 0, "the guest switches the machine off")


# --- many trips -------------------------------------------------------------------------------------------------------

PORT = 7007  # where this answers UDP
VIRTIO = ["-drive", "file=/srv/trips.img,format=raw,if=none,id=d", "-device", "virtio-blk-pci,drive=d,addr=4",
          *NETWORK, "-device", "virtio-rng-pci,addr=6"]
IDE = ["-drive", "file=/srv/trips.img,format=raw,if=none,id=d", "-device", "ide-hd,bus=ide.0,unit=0,drive=d"]
ON_IDE, ON_VIRTIO = "naps disk ttyS0 LOC ata_piix", "naps disk ttyS0 LOC ping udp tftp rng"
# What the kernel takes for a lockup is measured for hardware; the bed is 20 to 50 times slower.
# On a bed of one processor the guest's second one may stand for minutes, between two QEMUs, too: that it counts on is
# asked for line by line.
PATIENT = {1: "rcupdate.rcu_cpu_stall_timeout=200 watchdog_thresh=60", 2: "rcupdate.rcu_cpu_stall_suppress=1 nosoftlockup"}
# processors, devices, the load's arguments, and counters that must be there
CONFIGURATIONS = {
    "ide": (1, IDE, "disk=/dev/sda", f"{ON_IDE} cpu0"),
    "ide-smp2": (2, IDE, "disk=/dev/sda", f"{ON_IDE} cpu0 cpu1 RES"),
    "virtio": (1, VIRTIO, f"disk=/dev/vda net={PORT} rng", f"{ON_VIRTIO} cpu0"),
    "virtio-smp2": (2, VIRTIO, f"disk=/dev/vda net={PORT} rng", f"{ON_VIRTIO} cpu0 cpu1 RES"),
}
MOVES = r"cpu\d+|naps|disk|ping|udp|tftp|rng|ttyS0|ata_piix|virtio.*|LOC|RES"
SLACK = 2000  # ms between what the guest says and its arrival here, in a bed that is slow


class Load:
    """What the load (load.c) says, on one emulator after the other."""

    def __init__(self, guest):
        self.guest, self.number, self.counters, self.kernel, self.longest = guest, 0, {}, [], 0
        self.milliseconds = 0
        self.ahead, self.stays = -math.inf, [math.inf]  # by how much its clock is ahead of ours, at each

    def next(self):
        """Its next line, checked. Returns the counters, of which some rows of interrupts may have the same name."""
        while True:
            line, came = self.guest.read("\n")
            if line.startswith("load "):
                return self.line(line, came)
            if line.startswith("kernel: "):
                self.kernel.append(line)
                if not re.search(TIMES, line) or re.search("lockup|stall|BUG", line):
                    raise RuntimeError(line)
            elif self.number:
                raise RuntimeError(f"after line {self.number} the load says: {line}")

    def line(self, line, came):
        found = re.fullmatch(r"load (\d+) ms=(\d+) ((?:\S+=\d+ )+)end", line)
        if not found or int(found[1]) != self.number + 1:
            raise RuntimeError(f"after line {self.number}: {line}")
        counters = {}
        for name, value in (pair.rsplit("=", 1) for pair in found[3].split()):
            counters[name] = counters.get(name, 0) + int(value)
        if counters["wrongs"]:
            raise RuntimeError(f"the load has found mistakes: {line}")
        back = [name for name, value in counters.items()
                if re.fullmatch(MOVES, name) and value < self.counters.get(name, 0)]
        if back:
            raise RuntimeError(f"these went back: {back}: {line}")
        self.clock(int(found[2]), came)
        self.longest = max(self.longest, counters["longest_ms"])
        self.number, self.counters = int(found[1]), counters
        return counters

    def clock(self, milliseconds, came):
        """The guest's time never goes faster than ours: it may stand in a move. What comes late seems to be behind, and
        tells nothing; so the best of a stay is what the next is held against."""
        ahead = milliseconds - came * 1000
        if milliseconds < self.milliseconds or ahead > self.stays[-1] + SLACK:
            raise RuntimeError(f"on {self.guest.emulator} the guest's clock went from {self.milliseconds} to "
                               f"{milliseconds} ms, and is {ahead - self.stays[-1]:.0f} ms ahead of what it was")
        self.milliseconds, self.ahead = milliseconds, max(self.ahead, ahead)

    def moved(self, guest):
        self.guest = guest
        self.stays.append(self.ahead)
        self.ahead = -math.inf

    def all_move(self, wanted):
        """Until each of these counters has grown."""
        before, first, end = self.counters, self.number, time.monotonic() + WAIT
        while (standing := [name for name in wanted if self.counters.get(name, 0) <= before.get(name, 0)]) or \
                self.number < first + 2:
            self.next()
            if time.monotonic() > end:
                raise RuntimeError(f"these stand still on {self.guest.emulator}: {standing}")


def answer_datagrams():
    """A guest's gateway is this host: what it sends to the port comes back."""
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", PORT))
    while True:
        data, sender = link.recvfrom(65536)
        link.sendto(data, sender)


def prepare_trips():
    with open("/srv/trips.img", "wb") as disk:
        disk.truncate(8 << 20)
    os.makedirs("/srv/tftp", exist_ok=True)
    with open("/srv/tftp/small", "wb") as file:
        file.write(bytes(n * 7 & 0xff for n in range(20000)))
    threading.Thread(target=answer_datagrams, daemon=True).start()


def do_trips(*arguments):
    """EMULATOR OTHER TRIPS CONFIGURATION...: a guest that works goes from one to the other and back, so many times."""
    emulators, trips = arguments[:2], int(arguments[2])
    prepare_trips()
    for name in arguments[3:] or CONFIGURATIONS:
        tell_trips(name, emulators, trips)


def start_load(name, emulator):
    smp, devices, load, _ = CONFIGURATIONS[name]
    machine = {"smp": smp, "disk": devices, "memory": 96, "append": f"{SHELL} quiet {PATIENT[smp]}"}
    guest = Guest(emulator, **machine)
    guest.start()
    if "net=" in load:
        guest.run("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0")
    guest.serial.sendall(f"exec load {load}\n".encode())
    return Load(guest), machine


def tell_trips(name, emulators, trips):
    load, machine = start_load(name, emulators[0])
    first = load.next()
    while load.number < 8:
        load.next()
    wanted = {n for n, value in load.counters.items() if re.fullmatch(MOVES, n) and value > first.get(n, 0) + 2}
    wanted.update(CONFIGURATIONS[name][3].split())
    load.all_move(wanted)
    begin, taken = time.monotonic(), []
    for trip in range(trips):
        for emulator in (emulators[1], emulators[0]):
            start = time.monotonic()
            load.moved(go(load.guest, emulator, **machine))
            print(f"  on {os.path.basename(emulator)} at line {load.number}", flush=True)
            load.next()
            taken.append(time.monotonic() - start)
            load.all_move(wanted)
        print(f"{name}: trip {trip + 1} done after {time.monotonic() - begin:.0f} s, line {load.number}, "
              f"{load.counters['lost']} packets lost", flush=True)
    load.guest.quit()
    names = " and ".join(os.path.basename(emulator) for emulator in emulators)
    print(f"{name}: {trips} trips of {names}: {statistics.median(taken or [0]):.1f} s (median) to the first line there, "
          f"at most {max(taken or [0]):.1f} s; the longest sleep of 10 ms took {load.longest} ms; these moved: "
          f"{' '.join(sorted(wanted))}; the kernel said {len(load.kernel)} lines", *load.kernel, sep="\n  ", flush=True)


class Qmp:
    """A client of the machine's QMP."""

    def __init__(self, path):
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(WAIT)
        self.line.connect(path)
        self.file, self.events = self.line.makefile("rb"), []
        self.file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.line.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while "event" in (got := json.loads(self.file.readline())):
            self.events.append(got)
        if "error" in got:
            raise RuntimeError(f"{command} {arguments}: {got['error']['desc']}")
        return got["return"]

    def await_deleted(self, device):
        """The event that tells that it is gone."""
        def is_it(event):
            return event["event"] == "DEVICE_DELETED" and event["data"].get("device") == device
        while not any(map(is_it, self.events)):
            got = json.loads(self.file.readline())
            if "event" in got:
                self.events.append(got)
        self.events = [event for event in self.events if not is_it(event)]


def md5_of(path):
    with open(path, "rb") as file:
        return hashlib.md5(file.read()).hexdigest()


UNTIL = "n=0; until {0} || [ $((n += 1)) -gt 600 ]; do sleep 0.1; done; {0}"


def do_hotplug(emulator):
    """A disk, a network card and a source of random numbers come and go while Linux runs."""
    with open("/srv/more.img", "wb") as disk:
        disk.write(b"".join(b"%511d\n" % n for n in range(8192)))
    guest = Guest(emulator, "-qmp", "unix:/srv/qmp,server=on,wait=off")
    guest.start()
    qmp = Qmp("/srv/qmp")
    for round_ in (1, 2):
        qmp.ask("blockdev-add", driver="file", node_name="more", filename="/srv/more.img")
        qmp.ask("device_add", driver="virtio-blk-pci", id="more", drive="more")
        guest.run(UNTIL.format("[ -b /dev/vdb ]"))
        check(guest.run("md5sum </dev/vdb").split()[0] == md5_of("/srv/more.img"), f"round {round_}: it sees the disk, and reads it")
        guest.run("echo written | dd of=/dev/vdb conv=notrunc,fsync")
        qmp.ask("netdev_add", type="user", id="net2", net="10.0.3.0/24")
        qmp.ask("device_add", driver="virtio-net-pci", id="card", netdev="net2", romfile="")
        guest.run(UNTIL.format("[ -d /sys/class/net/eth1 ]"))
        guest.run("ip link set eth1 up; ip addr add 10.0.3.15/24 dev eth1")
        check(" 0% packet loss" in guest.run("ping -c 2 10.0.3.2"), f"round {round_}: it sees the card, and uses it")
        qmp.ask("device_add", driver="virtio-rng-pci", id="noise", addr="1f")
        guest.run(UNTIL.format("[ -d /sys/bus/pci/devices/0000:00:1f.0 ]"))
        qmp.ask("device_del", id="more")
        qmp.await_deleted("more")
        guest.run(UNTIL.format("[ ! -b /dev/vdb ]"))
        qmp.ask("blockdev-del", node_name="more")
        with open("/srv/more.img", "rb") as disk:
            check(disk.read(8) == b"written\n", f"round {round_}: it lets the disk go, which has what it wrote")
        qmp.ask("device_del", id="card")
        qmp.await_deleted("card")
        guest.run(UNTIL.format("[ ! -d /sys/class/net/eth1 ]"))
        qmp.ask("netdev_del", id="net2")
        check(True, f"round {round_}: it lets the card go")
        guest.run("cd /sys/bus/pci/slots; for s in *; do [ $(cat $s/address) != 0000:00:1f ] || echo 0 >$s/power; done; cd /")
        qmp.await_deleted("noise")
        check(True, f"round {round_}: it lets go by itself what nobody has asked for")
    guest.run("mkdir -p /mnt; mount -t ext4 /dev/vda /mnt")
    check(guest.run("md5sum </mnt/numbers").split()[0] == NUMBERS, "what was there all the time is as it was")
    guest.serial.sendall(b"poweroff -f\n")
    check(guest.end() == 0, "and it switches the machine off")


def do_time(rounds, *emulators):
    """Seconds from an emulator's start to the shell's prompt, in turns; the ratio is the first's to the second's."""
    taken = {emulator: [] for emulator in emulators}
    for _ in range(int(rounds)):
        for emulator in emulators:
            guest = Guest(emulator, append=SHELL + " quiet", disk=False)
            guest.expect(PROMPT)
            taken[emulator].append(time.monotonic() - guest.begin)
            guest.process.kill()
            guest.process.wait()
    medians = [statistics.median(times) for times in taken.values()]
    for (emulator, times), median in zip(taken.items(), medians):
        print(f"{os.path.basename(emulator)}: median {median:.2f} s of", " ".join(f"{t:.2f}" for t in times))
    print(f"ratio {medians[0] / medians[-1]:.2f}")


def main():
    globals()[f"do_{sys.argv[1]}"](*sys.argv[2:])


main()
