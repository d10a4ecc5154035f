"""What is run: recordings with the machine that each is of, guests, and what may differ in a second save."""

from dataclasses import dataclass, field

BASE = "-nodefaults -vga none -machine pc-i440fx-7.2"
CPU = " -cpu qemu64,-sse3,+tsc-deadline"
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
                                             "broken", "masked", "late"))


@dataclass(frozen=True)
class Guest:
    """
    `append`: for the payload; None: the firmware alone. It is saved at each of `stops`, a text that it says, but for the
    first ones, of which as many are `passed`. `live` is
    for the machine that it runs on alone, `more` for those that load it; `instead`: words of FULL, and what is there.
    `whole` as in Recording.
    """
    name: str
    kind: str  # who runs it: qemu or ferry
    append: str
    stops: tuple
    accel: tuple = KVM
    events: dict = field(default_factory=dict)  # stop -> what comes from outside before it is saved: (command, arguments)
    standing: dict = field(default_factory=dict)  # the same, when it stands already
    live: str = ""
    more: str = ""
    instead: tuple = ("", "")
    passed: int = 0
    whole: bool = True
    sample: bool = False


def moved(axis, value):
    return {"type": "rel", "data": {"axis": axis, "value": value}}


def key(code, down=True):
    return {"type": "key", "data": {"key": {"type": "qcode", "data": code}, "down": down}}


# Keys are pressed that nobody asks for, the mouse is moved while it waits to be asked, the CD drive is asked for its disk
# and gets another, the network's cable is pulled, and the guest is asked to let a card go.
EVENTS = {
    0: [("input-send-event", {"events": [key("a"), key("a", False), key("right")]})],
    1: [("input-send-event", {"events": [moved("x", 7), moved("y", -5), {"type": "btn", "data": {
        "button": "left", "down": True}}]}),
        ("input-send-event", {"events": [{"type": "btn", "data": {"button": "wheel-down", "down": True}}]})],
    2: [("eject", {"device": "ide1-cd0"}), ("blockdev-change-medium", {
        "device": "ide1-cd0", "filename": "cd", "format": "raw", "force": True})],
    3: [("set_link", {"name": "n", "up": False}), ("device_del", {"id": "r"})],
}
ROUNDS = ("round=30 ", "round=60 ")
# Of a QEMU whose RTC counts the interrupts that nobody has taken, and whose keyboard controller takes its time.
SLOW = (TCG[0] + " -rtc base=utc,driftfix=slew -global i8042.kbd-throttle=on", TCG[1])
FLOPPY = " -drive file={fd},format=raw,if=floppy"
# There is room for a processor; a card has a number, and the other one's frames wait for two seconds.
PLUG = (" -smp 1,maxcpus=2 -global virtio-blk-pci.num-queues=2 -set device.r.acpi-index=7 -global virtio-net-pci.tx=timer "
        "-global virtio-net-pci.x-txtimer=2000000000")
PLUGGED = [("device_add", {"driver": "virtio-rng-pci", "id": "another", "addr": "9"}),
           ("device_add", {"driver": "qemu64-x86_64-cpu", "id": "second", "socket-id": 0, "core-id": 1, "thread-id": 0}),
           ("device_del", {"id": "second"})]
GUESTS = [
    Guest("firmware", "qemu", None, ("",)),
    Guest("firmware", "ferry", None, ("",)),
    Guest("firmware-tcg", "qemu", None, ("",), TCG),
    Guest("witness", "qemu", "every=10", ROUNDS),
    Guest("witness", "ferry", "every=10", ROUNDS, sample=True),
    Guest("witness-legacy", "qemu", "every=10 legacy=1 msix=0", ROUNDS),
    Guest("witness-legacy", "ferry", "every=10 legacy=1 msix=0", ROUNDS),
    Guest("tour", "qemu", "every=10 smp=1 a20=1 tour=20 processor=223", STOPS, events=EVENTS),
    Guest("tour", "ferry", "every=10 smp=1 tour=20 processor=223", STOPS, standing={4: [("nmi", {})]}),
    Guest("tour-tcg", "qemu", "every=10 priority=1 echoes=60 tour=5", STOPS, SLOW, EVENTS),
    Guest("nested", "qemu", "every=10 tour=5 stops=nested", ("tour=nested ok",), TCG, whole=False),
    Guest("floppy", "qemu", "every=10 smp=1 tour=20 stops=controllers,halves,others", STOPS[:3], live=FLOPPY, whole=False),
    Guest("tap", "qemu", "every=10 smp=1 tour=20 stops=virtio", STOPS[3:4],
          instead=("user,", "tap,script=no,downscript=no,")),
    Guest("plug", "qemu", "every=10 smp=1 tour=20 stops=controllers,virtio", (STOPS[0], STOPS[3]), events={1: PLUGGED},
          passed=1, live=PLUG, more=" -device virtio-rng-pci,addr=9"),
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
    Exemption("mc146818rtc", r"\.(periodic_timer|next_periodic_time|update_timer|next_alarm_time|last_update|base_rtc|"
              r"irq_coalesced)", RTC),
    Exemption("mc146818rtc", r"\.mc146818rtc/irq_reinject_on_ack_count\..*", RTC),
    Exemption("hpet", r"\.hpet/rtc_irq_level\.rtc_irq_level", f"{RTC}; this is its line"),
    Exemption("i8259", r"\.(irr|last_irr)", f"{RTC}; its line is the first of the second 8259", "(?!.*tour).*"),
    Exemption("i8259|ioapic", r"\.(irr|last_irr)", LINES, ".*tour.*"),
    Exemption("ioapic", r"\.irr", f"{RTC}; its line is pin 8", "(?!.*tour).*"),
    Exemption("hpet", r"\.timer\[\d\]\.qemu_timer", "Ferry arms the timers anew, from the counter: to a tick, or a part of one"),
    Exemption("hpet", r"\.timer\[\d\]\.wrap_flag", "QEMU's timer goes off when the counter wraps, too, Ferry's when it matches"),
    Exemption("cpu_common", r"\.interrupt_request", "that A20 has changed is told to QEMU's translator", "qemu-tour-10"),
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


@dataclass(frozen=True)
class Unmoved:
    """Fields, by a regular expression of all of a name as in the report, that no state moves, and why."""
    fields: str
    reason: str


# No guest of any machine moves these. What the report says of the fields that can move is without them, and it is an
# error if one of them has moved.
FIXED = [
    Unmoved(r".*\.PCIDevice\.version_id", "the version of PCI's own description"),
    Unmoved(r"(I440FX|PIIX3|ide|piix4_pm)\.PCIDevice\.irq_state", "the function has no pin, or nothing that drives it"),
    Unmoved(r"PCIBUS\.nirq", "how many lines the bus has"),
    Unmoved(r"cpu\.env\.fpregs_format_vmstate", "0 is the one format that there is"),
    Unmoved(r"cpu\.env\.[gi]dt\.(selector|flags)", "the register has a base and a limit, and nothing else"),
    Unmoved(r"cpu\.env\.mcg_cap", "what the processor can, which cannot be written"),
    Unmoved(r"cpu\.env\.(soft_interrupt|sipi_vector)", "KVM takes it, and always gives 0 (KVM_GET_VCPU_EVENTS)"),
    Unmoved(r"dma\.dshift", "which of the two 8237 it is"),
    Unmoved(r"dma\.regs\.(dack|eop)", "QEMU never sets them, and Ferry no eop where nothing is transferred: no device uses DMA"),
    Unmoved(r"dma\.regs\.pageh", "the PC has no ports for it"),
    Unmoved(r"fdc\.fdc\.num_floppies", "how many drives the controller has room for"),
    Unmoved(r"fw_cfg\.fw_cfg/acpi_mr\.(table|linker|rsdp)_mr_size", "how long files are that are made with the machine"),
    Unmoved(r"hpet\.(num_timers|timer\.tn)", "how many timers it has, and their numbers"),
    Unmoved(r"kvmclock\.kvmclock/clock_is_reliable\.clock_is_reliable", "what the host's KVM can"),
    Unmoved(r"piix4_pm\.smb\.i2c_enable", "a bit that later chips have"),
    Unmoved(r"piix4_pm\.piix4_pm/memhp\.memory hotplug state\.selector", "the port takes nothing without slots for memory"),
    Unmoved(r"ps2kbd\.ps2kbd/need_high_bit\.need_high_bit", "between two octets of a key, which are always put at once"),
    Unmoved(r"serial\.serial\.serial/poll\..*", "of a line that is the host's own, which Ferry has not; -1: it is not"),
    Unmoved(r"smbus-eeprom\.smbus-device\.I2CSlave\.address", "where it is on the bus"),
    Unmoved(r"virtio-.*\.virtio\.(config_len|queue_count)", "how much of it the device has"),
    Unmoved(r"virtio-.*\.virtio\.virtio/ringsize\.ring_sizes", "how large rings are before the guest makes them smaller"),
    Unmoved(r"virtio-.*\.registers\.unused", "octets of the wire without a meaning, which have a name"),
    Unmoved(r"virtio-net\.virtio\.has_(ufo|vnet_hdr)", "what its back end has, from the beginning"),
    Unmoved(r"virtio-rng\.virtio\.config", "the device has no configuration"),
    Unmoved(r"vmmouse\.queue_size", "how long its queue can be"),
]

# In some runs, by chance.
CHANCE = [
    Unmoved(r"cpu\.env\.(exception_nr|interrupt_injected|nmi_injected)", "what KVM was just about to deliver"),
    Unmoved(r"pckbd\.pckbd\.pckbd/extended_state\.migration_flags", "a timer of a millisecond"),
]

# Guests of other machines would move these. They count as fields that can move.
OUT_OF_REACH = [
    Unmoved(r"cpu\.cpu/(msr_architectural_pmu|msr_ia32_feature_control|mcg_ext_ctl|umwait|msr_xfd)\..*",
            "Intel's processors, given to a guest by a KVM on one"),
    Unmoved(r"cpu\.cpu/(amd_tsc_scale_msr|virt_ssbd|spec_ctrl|xss)\..*", "KVM must give it to guests, and QEMU's TCG has none"),
    Unmoved(r"cpu\.cpu/avx512\..*", "KVM must give AVX-512 to guests, and QEMU's TCG has none"),
    Unmoved(r"cpu\.cpu/pdptrs\..*", "a guest with 32 bits and PAE under KVM; one that is software has no such paging"),
    Unmoved(r"cpu\.cpu/triple_fault\..*", "KVM must be stopped between a guest's third fault and its end"),
    Unmoved(r"fdc\.fdc\.(status[12]|fdc/phase\.phase)", "a QEMU with a floppy disk does not move them in what was tried: "
            "its FIFO has the status, and the main status the phase"),
    Unmoved(r"cpu\.env\.v_tpr", "a guest within a guest in TCG with a priority of its own, whose subsection Ferry has not"),
    Unmoved(r"slirp\.sockets", "connections of guestfwd, which Ferry refuses"),
    Unmoved(r"virtio-blk\.virtio\.requests", "requests that a disk has failed in and that wait, which Ferry refuses"),
]
