"""run.py BIN BUILD: the suite, against Ferry and the QEMU that is installed, and against both started by libvirt.

Speaks TAP. SUITE_KEEP=FOLDER keeps there what was said.
"""
import os
import shutil
import subprocess
import sys
import tempfile

import judge
import through_libvirt

FERRY, SUITE = os.path.abspath(os.path.join(sys.argv[1], "ferry")), os.path.abspath(os.path.join(sys.argv[2], "tests/libqmp/suite/suite"))
QEMU = shutil.which("qemu-system-x86_64")
PATIENCE = 120  # seconds for all that a machine is asked
# What both are started with: a card, a disk, a CD drive, random numbers, and a serial port.
DEVICES = """-object rng-random,id=rng0,filename=/dev/urandom -device virtio-rng-pci,id=noise,rng=rng0
    -chardev ringbuf,id=ring -device isa-serial,id=port,chardev=ring
    -netdev user,id=net -device virtio-net-pci,id=card,netdev=net,romfile=
    -drive if=none,id=sheet,file=@/disk,format=raw -device virtio-blk-pci,id=disk,drive=sheet
    -drive if=none,id=tray,media=cdrom -device ide-cd,id=cd,drive=tray,bus=ide.1"""
SCENES = {
    "machine": f"""-name suite -uuid 6ad1f5a4-3c5b-4a3e-9a3b-9b9d1c5d0001 -machine pc-i440fx-7.2,accel=kvm -cpu qemu64 -smp 2
        -m 32 -nodefaults -display none -S {DEVICES}""",
    "incoming": "-machine pc-i440fx-7.2,accel=kvm -m 16 -nodefaults -display none -incoming defer"}


def prepare(folder):
    os.mkdir(folder)
    with open(folder + "/disk", "wb") as disk:
        disk.truncate(1 << 20)


def record(name, scene, folder, words):
    """Runs what asks, and gives what was said."""
    with open(folder + "/stderr", "w+", encoding="utf-8") as errors:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, timeout=PATIENCE, check=False)
        errors.seek(0)
        text, why = done.stdout.decode(), errors.read().strip()
    if os.environ.get("SUITE_KEEP"):
        with open(os.path.join(os.environ["SUITE_KEEP"], f"{scene}-{name}"), "w", encoding="utf-8") as file:
            file.write(text)
    assert done.returncode == 0, f"{scene}, {name}: status {done.returncode}: {why or text[-400:]}"
    return judge.Record(name, text, folder)


def ask(name, program, scene, folder):
    """Starts the machine, asks it all, and waits until it has ended."""
    prepare(folder)
    socket = folder + "/qmp"
    words = [word.replace("@", folder) for word in SCENES[scene].split()]
    with open(folder + "/log", "w", encoding="utf-8") as log:
        machine = subprocess.Popen([program, *words, "-qmp", f"unix:{socket},server=on,wait=off"], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
    try:
        through_libvirt.await_listener(socket, machine)
        said = record(name, scene, folder, [SUITE, "unix:" + socket, folder, scene])
        assert machine.wait(PATIENCE) == 0, f"{name} ends with status {machine.returncode}"
        return said
    finally:
        machine.kill()
        machine.wait()


def ask_through_libvirt(name, emulator, folder):
    prepare(folder)
    words = [word.replace("@", folder) for word in DEVICES.split()]
    return record(f"libvirt's {name}", "machine", folder,
                  [*through_libvirt.user(), sys.executable, os.path.join(judge.HERE, "through_libvirt.py"), folder, emulator, SUITE, *words])


def why_no_libvirt():
    with open(SUITE, "rb") as file:
        if b"virDomainQemuMonitorCommand" not in file.read():
            return "libqmp was built without libvirt"
    return through_libvirt.why_not()


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def case(self, sentence, complaints):
        self.count += 1
        self.failed += bool(complaints)
        print(f"{'not ok' if complaints else 'ok'} {self.count} - {sentence}")
        for line in complaints:
            print("#", line[:300])
        sys.stdout.flush()

    def skip(self, sentence, why):
        self.count += 1
        print(f"ok {self.count} - {sentence} # SKIP {why}")


def compare(tap, what, judgements, differences):
    """Each step on both sides, and nothing without a reason."""
    counts = {key: sum(j.counts[key] for j in judgements) for key in judgements[0].counts}
    left, stale = judge.explain([line for j in judgements for line in j.found], judge.Allowed(os.path.join(judge.HERE, differences)))
    tap.case(f"{what}: {counts['steps']} commands, {counts['return']} done and {counts['error']} refused by both, "
             "and what differs has a reason", left)
    tap.case(f"{what}: each reason is for a difference", stale)


def main():
    tap, without = Tap(), None if QEMU else "qemu-system-x86_64 is not installed"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        without = "there is no KVM"
    if without:
        tap.skip("Ferry and QEMU answer alike", without)
        print("1..1")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        def both(scene):
            return [ask(name, program, scene, f"{folder}/{scene}-{name}") for name, program in (("Ferry", FERRY), ("QEMU", QEMU))]
        direct = {scene: both(scene) for scene in SCENES}
        judgements = [judge.Judgement(*pair) for pair in direct.values()]
        for judgement in judgements:
            judgement.run()
        judgements[0].add(judgements[1:])
        judgements[0].uncovered()
        left, stale = judge.explain(judge.compare_schemas(judgements[0]),
                                    judge.Allowed(os.path.join(judge.HERE, "../../qmp/schema-differences.txt")))
        tap.case("Ferry's schema differs from QEMU's only where there is a reason", left + stale)
        compare(tap, "Ferry and QEMU", judgements, "differences.txt")
        why = why_no_libvirt()
        if why:
            tap.skip("Ferry and QEMU answer through libvirt as they do without", why)
        else:
            for name, program, without in (("Ferry", FERRY, direct["machine"][0]), ("QEMU", QEMU, direct["machine"][1])):
                judgement = judge.Judgement(ask_through_libvirt(name, program, f"{folder}/libvirt-{name}"), without)
                judgement.leave_out({"dump-guest-memory", "quit"})
                judgement.run()
                compare(tap, f"{name} through libvirt and without", [judgement], f"differences-libvirt-{name}.txt")
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
