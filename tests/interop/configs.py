"""The table: which machines are recorded, and how.

In arguments {raw} {raw2} {qcow2} {floppy} {cdrom} {flash} {dir} {new} stand for a file (a directory, a name) of the
configuration's own.
"""

from dataclasses import dataclass, field

PC, Q35 = "pc-i440fx-7.2", "pc-q35-7.2"


@dataclass(frozen=True)
class Config:
    name: str
    args: str = ""
    machine: str = PC
    run: str = ""  # "": the guest never runs; "stop": it runs and is stopped; "live": it runs while it is migrated
    seconds: float = 0.4  # that it runs before
    memory: str = "32"
    defaults: bool = False  # with the devices that a machine has by default
    accel: str = "tcg"
    setup: tuple = ()  # QMP commands, with arguments, before the guest runs
    how: str = "file"  # "rounds", "relay", "postcopy" or "recover": see record.py
    capabilities: tuple = ()
    parameters: dict = field(default_factory=dict)  # of the source
    channel_parameters: dict = field(default_factory=dict)  # of both sides
    migrate: dict = field(default_factory=dict)  # arguments of that command
    ram: bool = False  # compare guest memory with what QEMU saves
    ram_blocks: str = ""  # which they are, if there are several
    special: bool = False  # not the usual framing

    @property
    def described(self):
        """Does QEMU describe its state at the end of the stream? Not up to 2.2 (but for one who asks), nor in postcopy."""
        old = self.machine.endswith(("-1.4", "-1.5", "-1.6", "-1.7", "-2.0", "-2.1", "-2.2"))
        return not old and self.how not in ("postcopy", "recover")


# --- every machine type, with many devices so that what old types leave out shows ------------------------------------

I440FX = "1.4 1.5 1.6 1.7 2.0 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9 2.10 2.11 2.12 3.0 3.1 4.0 4.1 4.2 5.0 5.1 5.2 6.0 " \
         "6.1 6.2 7.0 7.1 7.2"
Q35S = "2.4 2.5 2.6 2.7 2.8 2.9 2.10 2.11 2.12 3.0 3.1 4.0 4.0.1 4.1 4.2 5.0 5.1 5.2 6.0 6.1 6.2 7.0 7.1 7.2"
ON_PCI = "-nic user,model=virtio-net-pci -drive file={raw},format=raw,if=none,id=d -device virtio-blk-pci,drive=d " \
         "-device virtio-serial-pci -device virtio-rng-pci -device virtio-balloon-pci -device usb-ehci -device usb-tablet"
ON_PCIE = "-nic user,model=e1000e -nic user,model=virtio-net-pci -device qemu-xhci -device usb-kbd -device VGA,id=v2 " \
          "-drive file={raw},format=raw,if=none,id=d -device ide-hd,drive=d -device virtio-scsi-pci -device pcie-root-port"
RUNS = ("", "live", "", "stop")


def _machines():
    for i, version in enumerate(I440FX.split()):
        yield Config(f"pc-i440fx-{version}", f"-smp {1 << i % 3} {ON_PCI}", f"pc-i440fx-{version}", run=RUNS[i % 4],
                     defaults=True)
    for i, version in enumerate(Q35S.split()):
        yield Config(f"pc-q35-{version}", f"-smp {1 << i % 3} {ON_PCIE}", f"pc-q35-{version}", run=RUNS[i % 4],
                     defaults=True)
    for version in ("1.4", "1.7", "2.0", "2.1", "2.2"):  # as above, but described
        yield Config(f"pc-i440fx-{version}, described", ON_PCI, f"pc-i440fx-{version},suppress-vmdesc=off", run="stop",
                     defaults=True)


# --- devices: name, machine, guest runs, arguments --------------------------------------------------------------------

DRIVE = "-drive file={raw},format=raw,if=none,id=d "
SECOND = "-drive file={raw2},format=raw,if=none,id=e "
CDROM = "-drive file={cdrom},format=raw,if=none,id=c,media=cdrom "
NET = "-netdev user,id=n "
SOUND = "-audiodev none,id=a "
DISKS = DRIVE + CDROM + "-device scsi-hd,drive=d -device scsi-cd,drive=c"

DEVICES = [
    # disks
    ("ide, qcow2 disk and cd-rom", PC, "live", "-drive file={qcow2},if=ide -drive file={cdrom},format=raw,media=cdrom"),
    ("ide, second controller", PC, "", DRIVE + "-device piix4-ide,id=x -device ide-hd,drive=d,bus=x.0"),
    ("ahci, disk and cd-rom", Q35, "live", DRIVE + CDROM + "-device ide-hd,drive=d,bus=ide.0 -device ide-cd,drive=c,bus=ide.1"),
    ("ahci, as a device", PC, "stop", DRIVE + "-device ahci,id=x -device ide-hd,drive=d,bus=x.3"),
    ("floppy", PC, "live", "-drive file={floppy},format=raw,if=floppy"),
    ("floppy, two drives", PC, "", "-drive file={floppy},format=raw,if=floppy -device floppy,unit=1"),
    ("nvme", Q35, "", DRIVE + "-device nvme,drive=d,serial=s"),
    ("sd card", Q35, "live", DRIVE + "-device sdhci-pci -device sd-card,drive=d"),
    ("lsi53c895a", PC, "live", "-device lsi53c895a " + DISKS),
    ("lsi53c810", PC, "", "-device lsi53c810 " + DISKS),
    ("megasas", PC, "live", "-device megasas " + DISKS),
    ("megasas-gen2", Q35, "", "-device megasas-gen2 " + DISKS),
    ("mptsas1068", PC, "live", "-device mptsas1068 " + DISKS),
    ("pvscsi", PC, "live", "-device pvscsi " + DISKS),
    ("am53c974", PC, "live", "-device am53c974 " + DISKS),
    ("dc390", PC, "", "-device dc390 " + DISKS),
    ("flash", PC, "", "-drive file={flash},format=raw,if=pflash"),
    # USB
    ("usb-uhci", PC, "live", "-device piix3-usb-uhci,id=u -device usb-mouse,bus=u.0,port=1 -device usb-hub,bus=u.0,port=2 -device usb-tablet,bus=u.0,port=2.1 -device usb-kbd,bus=u.0,port=2.2"),
    ("usb-ehci with companions", PC, "live", DRIVE + "-device ich9-usb-ehci1,id=u -device ich9-usb-uhci1,masterbus=u.0,firstport=0,multifunction=on -device ich9-usb-uhci2,masterbus=u.0,firstport=2 -device usb-storage,bus=u.0,drive=d -device usb-kbd,bus=u.0"),
    ("usb-ehci2", Q35, "", "-device ich9-usb-ehci2 -device usb-tablet"),
    ("usb-ohci", PC, "live", "-device pci-ohci -device usb-kbd -device usb-mouse"),
    ("qemu-xhci", Q35, "live", DRIVE + "-device qemu-xhci,id=u -device usb-kbd -device usb-tablet -device usb-storage,drive=d -device usb-hub"),
    ("nec-usb-xhci", PC, "stop", "-device nec-usb-xhci,p2=8,p3=8 -device usb-mouse -device usb-kbd -device usb-tablet"),
    ("usb-bot", Q35, "live", DRIVE + "-device qemu-xhci -device usb-bot,id=b -device scsi-hd,bus=b.0,drive=d"),
    ("usb-uas", Q35, "", DRIVE + "-device qemu-xhci -device usb-uas,id=s -device scsi-hd,bus=s.0,drive=d"),
    ("usb-net", PC, "", NET + "-device piix3-usb-uhci -device usb-net,netdev=n"),
    ("usb-wacom-tablet", PC, "", "-device qemu-xhci -device usb-wacom-tablet"),
    ("usb-ccid", PC, "", "-device piix3-usb-uhci -device usb-ccid -chardev null,id=x -device ccid-card-passthru,chardev=x"),
    ("usb-audio", PC, "", SOUND + "-device piix3-usb-uhci -device usb-audio,audiodev=a"),
    ("usb-serial", PC, "", "-device piix3-usb-uhci -chardev null,id=x -device usb-serial,chardev=x"),
    ("usb-mtp", PC, "", "-device qemu-xhci -device usb-mtp,rootdir={dir}"),
    ("usb, switched on", PC, "stop", "-usb -device usb-tablet"),
    # network
    ("e1000", PC, "live", NET + "-device e1000,netdev=n"),
    ("e1000, other models", PC, "", "-nic user,model=e1000-82544gc -nic user,model=e1000-82545em"),
    ("e1000e", Q35, "live", NET + "-device e1000e,netdev=n"),
    ("igb", Q35, "", NET + "-device igb,netdev=n"),
    ("vmxnet3", Q35, "live", NET + "-device vmxnet3,netdev=n"),
    ("rtl8139", PC, "live", NET + "-device rtl8139,netdev=n"),
    ("pcnet", PC, "live", NET + "-device pcnet,netdev=n"),
    ("ne2k_pci", PC, "live", NET + "-device ne2k_pci,netdev=n"),
    ("eepro100", PC, "live", NET + "-device i82559er,netdev=n"),
    ("eepro100, other models", PC, "", "-nic user,model=i82550 -nic user,model=i82551 -nic user,model=i82557b -nic user,model=i82559a -nic user,model=i82801"),
    ("tulip", PC, "", NET + "-device tulip,netdev=n"),
    ("rocker", PC, "", "-device rocker,name=r,len-ports=0"),
    ("several network cards", PC, "live", "-nic user,model=rtl8139 -nic user,model=e1000 -nic user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:0-:80 -nic hubport,hubid=0,model=pcnet"),
    # virtio
    ("virtio-net, transitional", PC, "live", NET + "-device virtio-net-pci-transitional,netdev=n"),
    ("virtio-net, modern", Q35, "live", NET + "-device pcie-root-port,id=p -device virtio-net-pci-non-transitional,bus=p,netdev=n,mq=on,vectors=8"),
    ("virtio-net, features", PC, "", NET + "-device virtio-net-pci,netdev=n,rss=on,hash=on,host_mtu=1400,packed=on,ctrl_guest_offloads=on"),
    ("virtio-blk, multiqueue", PC, "live", DRIVE + SECOND + "-object iothread,id=i -device virtio-blk-pci,drive=d,num-queues=4,iothread=i -device virtio-blk-pci,drive=e,disable-modern=on"),
    ("virtio-blk, modern and packed", Q35, "live", DRIVE + "-device pcie-root-port,id=p -device virtio-blk-pci-non-transitional,bus=p,drive=d,packed=on"),
    ("virtio-scsi", PC, "live", "-device virtio-scsi-pci,num_queues=3 " + DISKS),
    ("virtio-serial", PC, "live", "-device virtio-serial-pci,max_ports=8 -chardev null,id=x -device virtserialport,chardev=x,name=one -chardev null,id=y -device virtconsole,chardev=y"),
    ("virtio-rng, balloon and input", Q35, "live", "-device virtio-rng-pci -device virtio-balloon-pci -device virtio-keyboard-pci -device virtio-mouse-pci -device virtio-tablet-pci"),
    ("virtio-balloon, hints", PC, "", "-object iothread,id=i -device virtio-balloon-pci,free-page-hint=on,free-page-reporting=on,deflate-on-oom=on,iothread=i,page-poison=on"),
    ("virtio-gpu", PC, "", "-device virtio-gpu-pci"),
    ("virtio-vga", Q35, "live", "-device virtio-vga,max_outputs=2"),
    ("virtio-crypto", PC, "", "-object cryptodev-backend-builtin,id=x -device virtio-crypto-pci,cryptodev=x"),
    ("virtio-iommu", Q35, "live", "-device virtio-iommu-pci " + DRIVE + "-device virtio-blk-pci,drive=d,disable-legacy=on,iommu_platform=on"),
    ("virtio-mem", PC, "", "-m 64,slots=2,maxmem=1G -object memory-backend-ram,id=x,size=64M -device virtio-mem-pci,memdev=x,requested-size=16M"),
    ("virtio-pmem", Q35, "", "-m 64,slots=2,maxmem=1G -object memory-backend-file,id=x,size=2M,share=on,mem-path={new} -device virtio-pmem-pci,memdev=x"),
    ("virtio-9p", PC, "", "-fsdev local,id=x,path={dir},security_model=none -device virtio-9p-pci,fsdev=x,mount_tag=t"),
    ("virtio on microvm", "microvm", "stop", DRIVE + NET + "-device virtio-blk-device,drive=d -device virtio-net-device,netdev=n -device virtio-rng-device -device virtio-serial-device -device virtio-scsi-device -device virtio-balloon-device -serial null"),
    # displays
    ("std vga", PC, "live", "-device VGA,vgamem_mb=8"),
    ("vga, second", PC, "live", "-device VGA -device secondary-vga"),
    ("cirrus-vga", PC, "live", "-device cirrus-vga"),
    ("cirrus and qxl", Q35, "live", "-vga qxl -device qxl"),
    ("bochs-display", Q35, "", "-device bochs-display"),
    ("ati-vga", PC, "live", "-device ati-vga"),
    ("vmware-svga", PC, "live", "-device vmware-svga"),
    ("ramfb", Q35, "", "-device ramfb"),
    # sound
    ("intel-hda", PC, "", SOUND + "-device intel-hda -device hda-duplex,audiodev=a -device hda-output,audiodev=a"),
    ("ich9-intel-hda", Q35, "live", SOUND + "-device ich9-intel-hda -device hda-micro,audiodev=a"),
    ("AC97 and ES1370", PC, "live", SOUND + "-device AC97,audiodev=a -device ES1370,audiodev=a"),
    ("sb16 and adlib", PC, "", SOUND + "-device sb16,audiodev=a -device adlib,audiodev=a"),
    ("gus and cs4231a", PC, "live", SOUND + "-device gus,audiodev=a -device cs4231a,audiodev=a,irq=10,dma=1"),
    ("pc speaker", PC + ",pcspk-audiodev=a", "live", SOUND),
    # bridges
    ("pci-bridge", PC, "live", "-device pci-bridge,id=b,chassis_nr=1 -device e1000,bus=b,addr=3 -device pci-bridge,id=c,bus=b,chassis_nr=2,addr=4"),
    ("pcie-root-port with a device behind", Q35, "live", "-device pcie-root-port,id=p,chassis=1 -device virtio-rng-pci,bus=p -device pcie-root-port,id=q,chassis=2,slot=7"),
    ("switch of PCI Express", Q35, "live", "-device ioh3420,id=r,chassis=1 -device x3130-upstream,id=u,bus=r -device xio3130-downstream,id=w,bus=u,chassis=9 -device virtio-balloon-pci,bus=w"),
    ("pxb", PC, "stop", "-device pxb,id=b,bus_nr=100 -device e1000,bus=b,addr=1"),
    ("pxb-pcie", Q35, "stop", "-device pxb-pcie,id=b,bus_nr=100 -device pcie-root-port,id=p,bus=b,chassis=3 -device virtio-rng-pci,bus=p"),
    ("pcie-pci-bridge", Q35, "", "-device pcie-pci-bridge,id=b -device rtl8139,bus=b,addr=1 -device i82801b11-bridge"),
    ("intel-iommu", Q35 + ",kernel-irqchip=off", "live", "-device intel-iommu,intremap=on,device-iotlb=on -nic user,model=e1000e"),
    ("amd-iommu", Q35, "live", "-device amd-iommu -nic user,model=e1000e"),
    # serial, parallel and the like
    ("serial and parallel ports", PC, "live", "-serial null -serial null -serial null -serial null -parallel null"),
    ("pci-serial", PC, "live", "-chardev null,id=x -device pci-serial,chardev=x"),
    ("pci-serial-2x", PC, "", "-chardev null,id=x -chardev null,id=y -device pci-serial-2x,chardev1=x,chardev2=y"),
    ("isa-debugcon and isa-debug-exit", PC, "live", "-chardev null,id=x -device isa-debugcon,chardev=x,iobase=0x402 -device isa-debug-exit"),
    ("IndustryPack", PC, "", "-device tpci200,id=x -device ipoctal232"),
    ("CAN", PC, "", "-object can-bus,id=x -object can-bus,id=y -device kvaser_pci,canbus=x -device ctucan_pci,canbus0=x,canbus1=y -device pcm3680_pci,canbus0=x,canbus1=y -device mioe3680_pci,canbus0=x,canbus1=y"),
    # watchdogs, management, things of QEMU's own
    ("i6300esb", PC, "stop", "-device i6300esb"),
    ("ib700", PC, "", "-device ib700"),
    ("ipmi, kcs", PC, "live", "-device ipmi-bmc-sim,id=x -device isa-ipmi-kcs,bmc=x"),
    ("ipmi, bt", Q35, "", "-device ipmi-bmc-sim,id=x -device isa-ipmi-bt,bmc=x"),
    ("ipmi, pci", Q35, "", "-device ipmi-bmc-sim,id=x -device pci-ipmi-kcs,bmc=x -device ipmi-bmc-sim,id=y -device pci-ipmi-bt,bmc=y"),
    ("ipmi, smbus", Q35, "", "-device ipmi-bmc-sim,id=x -device smbus-ipmi,bmc=x"),
    ("pvpanic", PC, "stop", "-device pvpanic -device pvpanic-pci"),
    ("vmcoreinfo and vmgenid", PC, "live", "-device vmcoreinfo -device vmgenid,guid=auto"),
    ("acpi-erst", Q35, "", "-object memory-backend-file,id=x,size=64K,share=on,mem-path={new} -device acpi-erst,memdev=x"),
    ("ivshmem", PC, "", "-object memory-backend-file,id=x,size=1M,share=on,mem-path={new} -device ivshmem-plain,memdev=x,master=on"),
    ("isa-applesmc", PC, "", "-device isa-applesmc"),
    ("vmbus-bridge", PC, "", "-device vmbus-bridge"),
    ("edu and pci-testdev", PC, "", "-device edu -device pci-testdev"),
    # processors, clocks, memory
    ("cpu max, two threads", Q35, "live", "-cpu max -smp 4,sockets=1,cores=2,threads=2"),
    ("cpu EPYC with svm", PC, "stop", "-cpu EPYC,+svm"),
    ("cpu Nehalem", PC, "live", "-cpu Nehalem -smp 2"),
    ("16 processors", Q35, "", "-smp 16,sockets=4,cores=4,threads=2,maxcpus=32"),
    ("cpu 486", PC, "", "-cpu 486"),
    ("hotplug slots", PC, "stop", "-smp 1,maxcpus=4 -m 64,slots=4,maxmem=1G"),
    ("hotplug, used", Q35, "stop", "-smp 1,sockets=4,cores=1,threads=1,maxcpus=4 -m 64,slots=4,maxmem=1G -object memory-backend-ram,id=m,size=128M -device pc-dimm,memdev=m -device qemu64-x86_64-cpu,socket-id=2,core-id=0,thread-id=0"),
    ("nvdimm", PC + ",nvdimm=on", "", "-m 64,slots=2,maxmem=1G -object memory-backend-file,id=x,size=2M,share=on,mem-path={new} -device nvdimm,memdev=x,label-size=128K"),
    ("two numa nodes", Q35, "live", "-smp 2 -m 64 -object memory-backend-ram,id=x,size=32M -object memory-backend-ram,id=y,size=32M -numa node,memdev=x,cpus=0 -numa node,memdev=y,cpus=1"),
    ("icount", PC, "live", "-icount shift=3"),
    ("icount, auto and no sleep", Q35, "stop", "-icount shift=auto,sleep=on"),
    ("rtc of local time", PC, "live", "-rtc base=localtime,driftfix=slew"),
    ("rtc of the guest's clock", Q35, "live", "-rtc base=2001-02-03T04:05:06,clock=vm"),
    ("no hpet, no smm, no vmport", PC + ",hpet=off,smm=off,vmport=off", "live", ""),
    ("no acpi", PC + ",acpi=off", "live", ""),
    ("little of q35", Q35 + ",sata=off,smbus=off,pit=off,i8042=off", "live", ""),
    ("fw_cfg and more memory loaded", PC, "live", "-fw_cfg name=opt/x,string=abc -device loader,data=0x1234,data-len=4,addr=0x100000 -boot menu=on"),
    # other machines
    ("no machine", "none", "", ""),
    ("microvm", "microvm", "", ""),
    ("microvm, with everything", "microvm,pic=on,pit=on,rtc=on,pcie=on,usb=on", "stop", "-device usb-tablet -serial null"),
    ("isapc", "isapc", "", ""),
    ("isapc, cards", "isapc", "live", SOUND + DRIVE + "-device isa-ide,iobase=0x168,iobase2=0x36e,irq=11,id=x -device ide-hd,drive=d,bus=x.0 -device isa-cirrus-vga -device sb16,audiodev=a -nic user,model=ne2k_isa -serial null"),
]


def _devices():
    for name, machine, run, args in DEVICES:
        yield Config(name, args, machine, run=run)


# --- streams with another framing, guest memory, and KVM if it is there -----------------------------------------------

SLOW = {"max-bandwidth": 3_000_000, "downtime-limit": 1}
CRAWL = {"max-bandwidth": 400_000, "downtime-limit": 1, "max-postcopy-bandwidth": 100_000}
DISK = "-drive file={raw},format=raw,if=ide "
NODE = "-blockdev driver=qcow2,node-name=disk,file.driver=file,file.filename={qcow2} -device virtio-blk-pci,drive=disk "


def _bitmap(name, **more):
    return ("block-dirty-bitmap-add", {"node": "disk", "name": name, **more})


def _write(where):
    return ("human-monitor-command", {"command-line": f'qemu-io disk "write {where}"'})


BITMAPS = (_bitmap("one"), _bitmap("two", persistent=True), _write("1M 200K"),
           _bitmap("three", granularity=4096, disabled=True, persistent=True), _write("4M 64K"))


def _special(name, args=DISK, run="live", **more):
    return Config(name, args, run=run, special=True, **more)


def _specials():
    yield _special("xbzrle", capabilities=("xbzrle",), how="rounds", parameters=SLOW)
    yield _special("compress", capabilities=("compress",), parameters={"compress-threads": 2})
    yield _special("compress, several rounds", capabilities=("compress",), how="rounds", parameters=SLOW)
    yield _special("auto-converge and events", capabilities=("auto-converge", "events"), how="rounds", parameters=SLOW)
    yield Config("x-ignore-shared", "-object memory-backend-file,id=m,size=32M,share=on,mem-path={new}",
                 PC + ",memory-backend=m", capabilities=("x-ignore-shared",), special=True)
    yield Config("memory-backend-file", "-object memory-backend-file,id=m,size=32M,share=on,mem-path={new} " + DISK,
                 PC + ",memory-backend=m", run="stop", ram=True, special=True)
    yield _special("validate-uuid", "-uuid 00112233-4455-6677-8899-aabbccddeeff", "", capabilities=("validate-uuid",))
    yield _special("validate-uuid and x-ignore-shared", "-uuid 00112233-4455-6677-8899-aabbccddeeff", "",
                   capabilities=("validate-uuid", "x-ignore-shared"))
    yield _special("background-snapshot", capabilities=("background-snapshot",))
    yield _special("dirty-bitmaps", NODE, "", capabilities=("dirty-bitmaps",), setup=BITMAPS)
    yield _special("dirty-bitmaps and postcopy-ram", NODE, "live", capabilities=("dirty-bitmaps", "postcopy-ram"),
                   setup=BITMAPS, how="relay")
    yield _special("block migration", DRIVE + "-device virtio-blk-pci,drive=d", migrate={"blk": True})
    yield _special("block migration, zero blocks", DRIVE + SECOND + "-device ide-hd,drive=d -device ide-hd,drive=e",
                   capabilities=("zero-blocks",), migrate={"blk": True})
    yield _special("return-path", capabilities=("return-path",), how="relay")
    yield _special("postcopy-ram, not used", capabilities=("postcopy-ram",), how="relay")
    yield _special("postcopy-ram", capabilities=("postcopy-ram",), how="postcopy", parameters=CRAWL)
    yield _special("postcopy-ram, guest stopped", run="", capabilities=("postcopy-ram",), how="postcopy",
                   parameters=CRAWL)
    yield _special("postcopy-preempt", capabilities=("postcopy-ram", "postcopy-preempt"), how="postcopy",
                   parameters=CRAWL)
    yield _special("postcopy, recovered", capabilities=("postcopy-ram",), how="recover", parameters=CRAWL)
    for method, channels in (("none", 3), ("zlib", 2), ("zstd", 2)):
        yield _special(f"multifd, {method}", capabilities=("multifd",), how="relay", ram=True,
                       channel_parameters={"multifd-channels": channels, "multifd-compression": method})
    yield _special("multifd, stopped", run="stop", capabilities=("multifd",), how="relay", ram=True, memory="64",
                   channel_parameters={"multifd-channels": 2})
    yield _special("multifd over several rounds", capabilities=("multifd", "return-path"), how="relay", ram=True,
                   channel_parameters={"multifd-channels": 4, "multifd-compression": "zstd"})
    yield Config("memory of an i440fx", DISK, run="stop", ram=True)
    yield Config("memory of a q35", DRIVE + "-device ide-hd,drive=d", Q35, run="stop", memory="100", ram=True)
    yield Config("memory of an isapc", DISK, "isapc", run="stop", ram=True)
    yield Config("memory of a guest that runs", DISK, run="live", ram=True)
    yield Config("memory in two numa nodes", DISK + "-smp 2 -object memory-backend-ram,id=x,size=32M -object "
                 "memory-backend-ram,id=y,size=32M -numa node,memdev=x,cpus=0 -numa node,memdev=y,cpus=1", run="stop",
                 memory="64", ram=True, ram_blocks="x,y")
    yield Config("memory at the start", memory="8", ram=True)
    for machine in (PC, Q35, "pc-i440fx-1.7", "microvm"):
        yield Config(f"5 GiB of memory, {machine}", machine=machine, memory="5G", ram=True)
    yield Config("plugged in later", NET + "-device virtio-scsi-pci,id=s", setup=(
        ("device_add", {"driver": "virtio-net-pci", "netdev": "n", "id": "p"}),
        ("device_add", {"driver": "usb-ehci", "id": "u"}), ("device_add", {"driver": "usb-tablet", "bus": "u.0"}),
        ("device_del", {"id": "s"})), run="live")
    yield Config("kvm", "-cpu qemu64 -smp 2", accel="kvm")
    yield Config("kvm, split irqchip", "-cpu qemu64 -nic user,model=e1000e", Q35 + ",kernel-irqchip=split", accel="kvm")
    yield Config("kvm, running", "-cpu kvm64 " + DISK, accel="kvm", run="live", seconds=3.5)


CONFIGS = [*_machines(), *_devices(), *_specials()]
