"""The configurations: what both programs are given, in QEMU's words. {disk} is a raw image of the run's own."""

from dataclasses import dataclass

COMMON = "-nodefaults -machine pc-i440fx-7.2 -accel kvm -cpu qemu64,-sse3 -m 64 -vga none"
IDE = "-drive file={disk},format=raw,if=ide,index=0"
VIRTIO = ("-drive file={disk},format=raw,if=none,id=d -device virtio-blk-pci,drive=d "
          "-netdev user,id=n -device virtio-net-pci,netdev=n,mac=52:54:00:12:34:56,romfile= "
          "-object rng-random,id=r,filename=/dev/urandom -device virtio-rng-pci,rng=r")
DISK_SIZE = 4 << 20


@dataclass(frozen=True)
class Config:
    name: str
    args: str
    append: str = ""
    counters: tuple = ()  # that must grow from one line to a later one

    def arguments(self, disk, guest):
        return [*self.args.format(disk=disk).split(), "-kernel", str(guest), "-append", f"every=10 {self.append}".strip()]


TIMERS = ("pit", "pit_ioapic", "rtc", "hpet", "hpet_shot", "lapic", "kbd", "cmos")
ON_VIRTIO = (*TIMERS, "blk", "blk_irq", "net", "net_irq", "rng", "rng_irq")
ON_IDE = (*TIMERS, "disk", "pio", "dma")
SECOND = ("ipi", "second", "lapic1")

CONFIGS = [
    Config("ide", f"{COMMON} -smp 1 {IDE}", counters=ON_IDE),
    Config("ide-smp2", f"{COMMON} -smp 2 {IDE}", counters=ON_IDE + SECOND),
    Config("virtio", f"{COMMON} -smp 1 {VIRTIO}", counters=ON_VIRTIO),
    Config("virtio-smp2", f"{COMMON} -smp 2 {VIRTIO}", counters=ON_VIRTIO + SECOND),
    Config("virtio-legacy", f"{COMMON} -smp 1 {VIRTIO}", "legacy=1 msix=0", counters=ON_VIRTIO),
]
