"""What is run: recordings with the machine that each is of, guests, and what may differ in a second save."""

from dataclasses import dataclass, field

BASE = "-nodefaults -vga none -machine pc-i440fx-7.2"
CPU = " -cpu qemu64,-sse3"
BLK = " -drive file={a},format=raw,if=none,id=h -device virtio-blk-pci,drive=h"
NETWORK = " -netdev user,id=n -device virtio-net-pci,netdev=n,mac=52:54:00:12:34:57,romfile="


@dataclass(frozen=True)
class Recording:
    """`whole`: all its devices are Ferry's, so that it loads; of the others the sections that Ferry has are read."""
    name: str
    kvm: bool
    args: str
    whole: bool = True
    sample: bool = False


RECORDINGS = [
    Recording("a-kvm-min", True, "-m 32 -cpu qemu64,-sse3 -serial null"),
    Recording("a2-kvm-min-ownbios", True, "-m 32 -cpu qemu64,-sse3 -serial null -bios {bios}"),
    Recording("d-kvm-smp2", True, "-m 32 -cpu qemu64,-sse3 -smp 2 -serial null"),
    Recording("e-tcg-min", False, "-m 32 -cpu qemu64,-sse3 -serial null"),
    Recording("i1-savevm", True, "-m 16 -cpu qemu64,-sse3 -serial null -bios {bios}" + BLK, sample=True),
    Recording("l1-ide-pio", False, "-m 8 -cpu qemu64,-sse3 -serial null -bios {bios} -drive file={a},format=raw,if=none,id=h "
              "-device ide-hd,drive=h,bus=ide.0,unit=0 -device ide-cd,bus=ide.1,unit=0"),
    Recording("l2-ide-dma", False, "-m 8 -cpu qemu64,-sse3 -serial null -bios {bios} -drive file={a},format=raw,if=none,id=h "
              "-device ide-hd,drive=h,bus=ide.0,unit=0 -drive file={b},format=raw,if=none,id=i "
              "-device ide-hd,drive=i,bus=ide.0,unit=1 -device ide-cd,bus=ide.1,unit=0"),
    Recording("l3-ide-failed", False, "-m 8 -cpu qemu64,-sse3 -serial null -bios {bios} -drive file={a},format=raw,if=none,id=h "
              "-device ide-hd,drive=h,bus=ide.0,unit=0 -drive file={b},format=raw,if=none,id=i "
              "-device ide-hd,drive=i,bus=ide.1,unit=1"),
    Recording("m1-virtio-blk-queues", False, "-m 8 -cpu qemu64,-sse3 -smp 2 -serial null -bios {bios}" + BLK, sample=True),
    Recording("m2-virtio-blk-queues8", False, "-m 8 -cpu qemu64,-sse3 -smp 8 -serial null -bios {bios}" + BLK),
    Recording("b3-kvm-pc-alldefaults", True, "-m 32 -cpu qemu64,-sse3 -serial null -drive file={a},format=raw "
              "-device ide-cd,bus=ide.1,unit=0", whole=False),
    Recording("c1-kvm-virtio", True, "-m 32 -cpu qemu64,-sse3 -serial null" + BLK + NETWORK + " -device virtio-rng-pci,addr=5",
              whole=False),
    Recording("f2-kvm-virtio-10s", True, "-m 16 -cpu qemu64,-sse3 -serial null" + BLK + NETWORK +
              " -device virtio-rng-pci,addr=5", whole=False),
    Recording("f3-kvm-pc-10s", True, "-m 16 -cpu qemu64,-sse3 -serial null -drive file={a},format=raw,if=none,id=h "
              "-device ide-hd,drive=h,bus=ide.0,unit=0", whole=False),
    Recording("j1-tcg-linux-virtio", False, "-m 128 -cpu qemu64,-sse3 -serial null" + BLK + NETWORK +
              " -device virtio-rng-pci,addr=5", whole=False, sample=True),
    Recording("j2-kvm-linux-virtio", True, "-m 128 -cpu qemu64,-sse3 -serial null" + BLK + NETWORK +
              " -device virtio-rng-pci,addr=5", whole=False),
    Recording("k1-chipset", False, "-m 8 -cpu qemu64,-sse3 -smp 3 -serial null -bios {bios}", whole=False, sample=True),
]

# All that Ferry has; behind the guest's serial line come three more, of which nobody reads the second.
FULL = ("-m 64 -smp 2 -drive file={a},format=raw,if=ide,index=0 -drive file={b},format=raw,if=ide,index=1 "
        "-drive file={cd},format=raw,if=ide,index=2,media=cdrom -drive file={v},format=raw,if=none,id=h "
        "-device virtio-blk-pci,drive=h" + NETWORK + " -device virtio-rng-pci,id=r ")
KVM = ("-accel kvm" + CPU, "-accel kvm" + CPU)
TCG = ("-accel tcg -cpu max", "-accel none")  # QEMU's words, Ferry's
STOPS = tuple(f"tour={stop} ok" for stop in ("controllers", "halves", "others", "virtio", "processor", "floppy", "lines",
                                             "broken"))


@dataclass(frozen=True)
class Guest:
    """`append`: for the payload; None: the firmware alone. It is saved at each of `stops`, a text that it says."""
    name: str
    kind: str  # who runs it: qemu or ferry
    append: str
    stops: tuple
    accel: tuple = KVM
    events: dict = field(default_factory=dict)  # stop -> what comes from outside before it is saved, as QMP's commands
    sample: bool = False


def moved(axis, value):
    return {"type": "rel", "data": {"axis": axis, "value": value}}


# The mouse is moved while it waits to be asked, the CD drive is asked for its disk and gets another, the network's cable
# is pulled, and the guest is asked to let a card go.
EVENTS = {
    1: [("input-send-event", {"events": [moved("x", 7), moved("y", -5), {"type": "btn", "data": {
        "button": "left", "down": True}}]}),
        ("input-send-event", {"events": [{"type": "btn", "data": {"button": "wheel-down", "down": True}}]})],
    2: [("eject", {"device": "ide1-cd0"}), ("blockdev-change-medium", {
        "device": "ide1-cd0", "filename": "cd", "format": "raw", "force": True})],
    3: [("set_link", {"name": "n", "up": False}), ("device_del", {"id": "r"})],
}
ROUNDS = ("round=30 ", "round=60 ")
GUESTS = [
    Guest("firmware", "qemu", None, ("",)),
    Guest("firmware", "ferry", None, ("",)),
    Guest("firmware-tcg", "qemu", None, ("",), TCG),
    Guest("witness", "qemu", "every=10", ROUNDS),
    Guest("witness", "ferry", "every=10", ROUNDS, sample=True),
    Guest("witness-legacy", "qemu", "every=10 legacy=1 msix=0", ROUNDS),
    Guest("witness-legacy", "ferry", "every=10 legacy=1 msix=0", ROUNDS),
    Guest("tour", "qemu", "every=10 smp=1 tour=20 processor=223", STOPS, events=EVENTS),
    Guest("tour", "ferry", "every=10 smp=1 tour=20 processor=223", STOPS),
    Guest("tour-tcg", "qemu", "every=10 tour=5", (*STOPS, "tour=nested ok"), TCG, EVENTS),
]


@dataclass(frozen=True)
class Exemption:
    """Regular expressions, of all of a section's name and of a path; of states, if not of all."""
    section: str
    path: str
    reason: str
    states: str = ".*"


RTC = "the RTC goes by the host's clock, which does not stand"
LINES = "devices that share a line each drive it again when they are loaded"

# What may be another value when the machine is saved again without having run.
MAY_DIFFER = [
    Exemption("mc146818rtc", r"\.cmos_data\[(0|2|4|6|7|8|9|10|12|50)\]", RTC),
    Exemption("mc146818rtc", r"\.(periodic_timer|next_periodic_time|update_timer|next_alarm_time|last_update|base_rtc)", RTC),
    Exemption("mc146818rtc", r"\.mc146818rtc/irq_reinject_on_ack_count\..*", RTC),
    Exemption("hpet", r"\.hpet/rtc_irq_level\.rtc_irq_level", f"{RTC}; this is its line"),
    Exemption("i8259", r"\.(irr|last_irr)", f"{RTC}; its line is the first of the second 8259", "(?!.*tour).*"),
    Exemption("i8259|ioapic", r"\.(irr|last_irr)", LINES, ".*tour.*"),
    Exemption("ioapic", r"\.irr", f"{RTC}; its line is pin 8", "(?!.*tour).*"),
    Exemption("hpet", r"\.timer\[\d\]\.qemu_timer", "Ferry arms the timers anew, from the counter: to a tick, or a part of one"),
    Exemption("globalstate", r"\.(runstate\[\d+\]|size)", "it ran, and stands as QEMU was started with -S", "i1-savevm"),
    Exemption("apic", r"\.irr\[1\]", f"{RTC}; its pin's vector"),
    Exemption("cpu", r"\.env\.tsc", "the TSC does not stand with this KVM"),
    Exemption("cpu", r"\.cpu/tsc_khz\.env\.tsc_khz", "QEMU finds it out when it first loads or runs"),
    Exemption("apic", r"\.timer_expiry", "the kernel has this timer, and goes by the initial count; Ferry does not make it up"),
    Exemption("apic", r"\.next_time", "the kernel's timer goes on while the machine stands, and Ferry says what is left of it"),
    Exemption("kvmclock", r"\.clock", "QEMU 7.2's begins anew in a second save without having run, its own, too"),
    Exemption(".*/ide", r"\.bmdma\[\d\]\.migration_retry_(unit|nsector|sector_num)",
              "of the last transfer; where none is to be tried again QEMU forgets it in a load, its own, too"),
    Exemption(".*/virtio-net", r"\.virtio\.vlans\[\d+\]", "QEMU 7.2 forgets it in a load, its own, too"),
]
