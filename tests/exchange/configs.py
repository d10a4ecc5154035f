"""The configurations: what both programs are given, in QEMU's words. {disk} is a raw image of the run's own."""

from dataclasses import dataclass

COMMON = "-nodefaults -machine pc-i440fx-7.2 -accel kvm -cpu qemu64,-sse3 -m 64 -vga none"
IDE = {True: "-drive file={disk},format=raw,if=ide,index=0", False: "{node} -device ide-hd,drive=d,bus=ide.0"}
BLK = {True: "-drive file={disk},format=raw,if=none,id=d -device virtio-blk-pci,drive=d",
       False: "{node} -device virtio-blk-pci,drive=d"}
NODE = "-blockdev driver=raw,node-name=d,file.driver=file,file.filename={disk},file.locking=off"
RNG = "-device virtio-rng-pci"
NET = "-netdev user,id=n -device virtio-net-pci,netdev=n,mac=52:54:00:12:34:56,romfile="
DISK_SIZE = 4 << 20


@dataclass(frozen=True)
class Config:
    name: str
    disk: dict  # with QEMU's locks on the image, and without
    args: str
    append: str = ""
    counters: tuple = ()  # that must grow from one line to a later one

    def arguments(self, disk, guest, locks):
        disk_args = self.disk[locks].format(disk=disk, node=NODE.format(disk=disk))
        return [*COMMON.split(), *disk_args.split(), *self.args.split(), "-kernel", str(guest), "-append",
                f"every=10 {self.append}".strip()]


TIMERS = ("pit", "pit_ioapic", "rtc", "hpet", "hpet_shot", "lapic", "kbd", "cmos")
ON_IDE = (*TIMERS, "disk", "pio", "dma")
ON_BLK = (*TIMERS, "blk", "blk_irq", "rng", "rng_irq")
ON_NET = (*ON_BLK, "net", "net_irq")
SECOND = ("ipi", "second", "lapic1")

CONFIGS = [
    Config("ide", IDE, "-smp 1", counters=ON_IDE),
    Config("ide-smp2", IDE, "-smp 2", counters=ON_IDE + SECOND),
    Config("ide-window", IDE, "-smp 1", "window=100", counters=ON_IDE),
    Config("blk", BLK, f"-smp 1 {RNG}", counters=ON_BLK),
    Config("virtio", BLK, f"-smp 1 {RNG} {NET}", counters=ON_NET),
    Config("virtio-smp2", BLK, f"-smp 2 {RNG} {NET}", counters=ON_NET + SECOND),
    Config("ide-off", IDE, "-smp 1 -machine kernel-irqchip=off", "pit_once=1", counters=ON_IDE),
    Config("virtio-split", BLK, f"-smp 2 -machine kernel-irqchip=split {RNG} {NET}", "pit_once=1",
           counters=ON_NET + SECOND),
    Config("virtio-off", BLK, f"-smp 1 -machine kernel-irqchip=off {RNG} {NET}", "pit_once=1", counters=ON_NET),
    Config("virtio-legacy", BLK, f"-smp 1 {RNG} {NET}", "legacy=1 msix=0", counters=ON_NET),
]
