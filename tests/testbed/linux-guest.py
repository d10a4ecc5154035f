"""linux-guest.py: Debian's Linux on an emulator, run inside the test bed; what it does is told line by line.

Each function whose name begins with `do_` is a command: linux-guest.py COMMAND EMULATOR [ARGUMENT...]. The emulator is
ferry, or qemu-system-x86_64 with the same options. A failed check is an exception."""

import base64
import hashlib
import os
import re
import socket
import statistics
import subprocess
import sys
import time

WAIT = 120  # seconds for anything: the bed is slow, and this machine may be loaded
NUMBERS = hashlib.md5("".join(f"{n}\n" for n in range(100000)).encode()).hexdigest()
PROMPT = "\nguest# "
SHELL = "console=ttyS0 panic=-1 run=\"PS1='guest# ' exec setsid cttyhack sh\""
NETWORK = ["-netdev", "user,id=net,tftp=/srv/tftp", "-device", "virtio-net-pci,netdev=net,addr=5,romfile="]


class Guest:
    """An emulator with a Linux, its serial port and its monitor."""

    count = 0

    def __init__(self, emulator, *options, smp=1, append=SHELL, disk=True, boot=True, cpu="host"):
        Guest.count += 1
        self.name = f"/srv/guest{Guest.count}"
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

    def start(self):
        """Waits for the shell. From then on the kernel is silent on the serial port."""
        self.expect(PROMPT)
        self.run("dmesg -n 1")

    def run(self, line, fails=False):
        """A line of the guest's shell: its output. It must succeed."""
        self.serial.sendall(f'echo "<""<"; {line}; echo "=""$?="\n'.encode())
        self.expect("<<\n")
        said = self.expect("=(?=[0-9]+=)")
        status = self.expect("=")
        if status != "0" and not fails:
            raise RuntimeError(f"'{line}' ended with status {status}:\n{said}")
        return said

    def command(self, line):
        """A line of the monitor."""
        self.monitor = self.monitor or self.connect("monitor")
        self.monitor.sendall(f"{line}\n".encode())

    def end(self):
        """Waits for the emulator's end, and returns its status."""
        return self.process.wait(WAIT)


def check(condition, text):
    if not condition:
        raise RuntimeError(f"not so: {text}")
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


def do_move(*emulators):
    """A guest that counts goes from one to the next while its disks and its network are in use."""
    guest = Guest(emulators[0], smp=2)
    guest.start()
    guest.run("mkdir -p /mnt; mount -t ext4 /dev/vda /mnt")
    guest.run("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0")
    guest.run(COUNT + " true")
    last = ticks(guest, 0, 5)
    for emulator in emulators[1:]:
        there = Guest(emulator, "-incoming", f"unix:/srv/move{Guest.count}", smp=2)
        while not os.path.exists(f"/srv/move{Guest.count - 1}"):
            time.sleep(0.1)
        guest.command(f"migrate unix:/srv/move{Guest.count - 1}")
        # what the source's port still had to send comes before anything from there
        guest.serial.settimeout(2)
        last = drain(guest, there, last)
        guest.command("quit")
        guest.end()
        guest = there
        last = ticks(guest, last, 10)
        check(True, f"it counts on {emulator}")
    guest.serial.sendall(b"kill %1\n")
    check(guest.run("md5sum </mnt/numbers").split()[0] == NUMBERS, "its disk is there")
    check(" 0% packet loss" in guest.run("ping -c 2 10.0.2.2"), "its network is there")
    print(guest.run("dmesg | tail -n 5"))
    guest.serial.sendall(b"umount /mnt; poweroff -f\n")
    check(guest.end() == 0, "the guest switches the machine off")


def drain(guest, there, last):
    """The numbers that the source still tells, until it is silent because the guest has gone."""
    end = time.monotonic() + WAIT
    quiet = 0
    while quiet < 2:
        try:
            data = guest.serial.recv(65536)
        except TimeoutError:
            quiet += 1
            continue
        quiet = 0
        guest.text += data.decode(errors="replace").replace("\r", "")
        if time.monotonic() > end:
            raise RuntimeError("the guest does not go")
    numbers = [int(n) for n in re.findall("tick ([0-9]+) [0-9]+\n", guest.text)]
    # a line that was cut in two goes on there
    there.text = guest.text[guest.text.rfind("\n") + 1:]
    for number in numbers:
        if number != last + 1:
            raise RuntimeError(f"tick {number} came after {last}")
        last = number
    return last


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
