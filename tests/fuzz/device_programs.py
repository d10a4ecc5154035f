"""Seeds for fuzz-device: what a sensible guest does with each chip, as text that is made into the fuzzer's instructions.

    oPORT=VALUE   writes a port of the chip's; as many octets as VALUE has (all numbers but counts are hexadecimal)
    iPORT/SIZE    reads one
    mADDR=VALUE   writes the chip's memory; rADDR/SIZE reads it
    cSLOT,REG=V   writes configuration space of PCI; dSLOT,REG/SIZE reads it
    tB,S          time passes, B << S ns, from expiry to expiry; jB,S at once; hB,S of the host's clock only
    eN,X,Y        event N from outside
    sF,N          saves and loads chip N in format F (0 QEMUFile, 1 BER, 2 BER by name, 3: the machine, elsewhere)
    xN,AT=V       loads chip N with a changed octet
    R             reset
    kN            the last access again N times
    pADDR=OCTETS  puts octets to memory
    bCMD,EBX      a command of VMware's port
"""
import re, struct

# As in fuzz-device.c.
FOCUSES = {
    "pic": ((0x20, 0x21), (0xA0, 0xA1), (0x4D0, 0x4D1)),
    "ioapic": ((0x20, 0x21),),
    "dma": ((0x00, 0x0F), (0x80, 0x8F), (0xC0, 0xDF)),
    "pit": ((0x40, 0x43), (0x61, 0x61)),
    "hpet": ((0x40, 0x43),),
    "rtc": ((0x70, 0x71),),
    "fw_cfg": ((0x510, 0x51B),),
    "serial": ((0x3F8, 0x3FF),),
    "fdc": ((0x3F0, 0x3F7),),
    "ps2": ((0x60, 0x60), (0x64, 0x64)),
    "vmmouse": ((0x5658, 0x565B), (0x60, 0x60), (0x64, 0x64)),
    "port92": ((0x92, 0x92),),
    "pci": ((0xCF8, 0xCFF), (0xC000, 0xC03F)),
    "i440fx": ((0xCF8, 0xCFF),),
    "ide": ((0x1F0, 0x1F7), (0x170, 0x177), (0x3F6, 0x3F6), (0xC100, 0xC10F)),
    "lapic": ((0x20, 0x21), (0x43, 0x43)),
    "pm": ((0xC200, 0xC23F), (0xB2, 0xB3), (0xAFE0, 0xAFE3), (0xAE00, 0xAE13)),
    "hotplug": ((0xAE00, 0xAE13), (0xAF00, 0xAF0B), (0xAFE0, 0xAFE3)),
    "smbus": ((0xC240, 0xC24F),),
}
NAMES = list(FOCUSES)

# Which sections of a recording are which of a focus' chips.
SECTIONS = {
    b"i8259": ("pic", 0), b"ioapic": ("ioapic", 0), b"dma": ("dma", 0), b"i8254": ("pit", 0), b"pcspk": ("pit", 1),
    b"hpet": ("hpet", 0), b"mc146818rtc": ("rtc", 0), b"fw_cfg": ("fw_cfg", 0), b"acpi_build": ("fw_cfg", 1),
    b"serial": ("serial", 0), b"fdc": ("fdc", 0), b"ps2kbd": ("ps2", 0), b"ps2mouse": ("ps2", 1), b"pckbd": ("ps2", 2),
    b"vmmouse": ("vmmouse", 0), b"port92": ("port92", 0), b"globalstate": ("port92", 1), b"PCIBUS": ("pci", 1),
    b"PCIHost": ("pci", 2), b"0000:00:01.0/PIIX3": ("pci", 3), b"0000:00:00.0/I440FX": ("i440fx", 0),
    b"0000:00:01.1/ide": ("ide", 0), b"apic": ("lapic", 0), b"0000:00:01.3/piix4_pm": ("pm", 0),
    b"i2c_bus": ("smbus", 0), b"smbus-eeprom": ("smbus", 1),
}  # fmt: skip

def packet(octets):
    """A packet command to the CD drive: by DMA or the data register as 0x171 says."""
    data = bytes.fromhex(octets).ljust(12, b"\0")
    return "o177=a0 " + " ".join(f"o170={data[i + 1]:02x}{data[i]:02x}" for i in range(0, 12, 2))


IDE = "c3,20=0000c101 c3,04=0005 m1000=00002000 m1004=80000400 oc104=00001000 oc10c=00001000"
INIT_PIC = "o20=11 o21=08 o21=04 o21=01 oa0=11 oa1=70 oa1=02 oa1=01 o21=b8 oa1=8f"
FDC_DMA = "o0c=00 o04=00 o04=10 o05=ff o05=01 o0b=46 o81=00 o0a=02"
PROGRAMS = {
    "pic": [
        f"{INIT_PIC} e8,0,1 e8,8,1 e6,0,0 oa0=20 o20=20 e8,0,0 e6,0,0 o20=0b i20/1 o20=0a i20/1 s0,0 s2,1",
        f"{INIT_PIC} o4d0=20 o4d1=0e e8,5,1 e8,9,1 e6,0,0 o20=60 oa0=61 o20=62 o20=c7 e6,0,0 o20=a0 o20=68 o20=0c i20/1 R",
        "o20=13 o21=20 o21=03 o20=80 e8,3,1 e6,0,0 e8,7,1 e6,0,0 s3,0 x0,3=ff x1,9=2",
    ],
    "ioapic": [
        "m0000=00000010 m0010=00008930 m0000=00000011 m0010=01000000 e9,0,1 e7,30,0 e9,0,0 r0010/4 s0,0 s3,0",
        "m0000=00000014 m0010=00000031 e9,2,1 e9,2,0 m0000=00000000 m0010=0f000000 r0010/4 m0000=00000001 r0010/4 m0040=00000031",
    ],
    "dma": [
        f"{FDC_DMA} e5,82,f1 s0,0 i08/1 o0c=00 i04/1 i04/1 i05/1 i05/1",
        "od8=00 oc4=00 oc4=20 oc6=ff oc6=00 od6=59 o8b=01 od4=01 e5,85,ff e5,5,9 s3,0 od0=04 od2=05 oda=00 R",
        "o0b=9a o0b=56 o06=00 o06=ff o07=0f o07=00 o82=0f o0f=00 e5,8b,ff o09=07 k8 i0d/1 x0,5=7f x1,20=ff e5,83,fd",
    ],
    "pit": [
        "o43=34 o40=9c o40=2e t7f,11 o43=00 i40/1 i40/1 s0,0 j1,30 o43=e2 i40/1 i40/1 i40/1",
        "o61=00 o43=b0 o42=ff o42=10 o61=01 t40,10 i61/1 k20 o43=b6 o42=33 o42=05 o61=03 i61/1 s3,0 s2,1 x0,8=5",
        "o43=18 o40=01 tff,20 o43=5a o41=99 o43=3b o40=99 o40=99 o43=0e s1,0 tff,10 o43=f0 x0,10=1 j7,27",
    ],
    "hpet": [
        "m0010=00000001 m0100=0000044c m0108=0000000000001000 m0108=0000000000002000 tff,16 r00f0/8 r0020/8 m0020=00000001 s0,0",
        "m00f0=00000000fffffff0 m0120=00000504 m0128=00000010 m0010=00000003 tff,10 o43=34 o40=01 o40=00 tff,18 s3,0 jff,27",
        "m0140=0000c004 m0150=fee0000000000031 m0148=0000000000000400 m0010=00000001 tff,16 x0,8=ff x0,30=80 tff,16 R",
        "m0010=00000001 m0100=0000004c m0108=0000000000000001 m0108=0000000000000001 jff,27 tff,16 m0020=ffffffff s2,0",
    ],
    "rtc": [
        "o70=0b o71=72 o70=0a o71=26 o70=0c i71/1 tff,18 i71/1 s0,0 o70=0a o71=2f tff,24 s3,0",
        "o70=0b o71=82 o70=00 o71=59 o70=02 o71=59 o70=04 o71=23 o70=07 o71=31 o70=08 o71=12 o70=09 o71=99 o70=32 o71=19 o70=0b o71=02 jff,24 o70=07 i71/1",
        "o70=01 o71=c0 o70=03 o71=c0 o70=05 o71=c0 o70=0b o71=26 j1f,27 o70=0c i71/1 hff,30 o70=00 i71/1 x0,3=ff x0,e0=7f",
    ],
    "fw_cfg": [
        "o510=0019 i511/1 k40 o510=0021 i511/1 k80 s0,0 s3,0 s0,1 R o510=0022 o510=0021 x0,10=30",
        "p00001000=0020000a000000100000000000002000 o514=00000000 o518=00100000 p00001000=00230018000000080000000000002000 o518=00100000 s2,0",
        "p00001000=0022000a7fffffff0000000000002000 o514=0000000000100000 i514/4 x0,4=ff x0,18=7f o510=8003 i511/1",
    ],
    "serial": [
        "o3fb=83 o3f8=01 o3f9=00 o3fb=03 o3fa=c7 o3fc=0b o3f9=0f e3,3c,0 i3fa/1 i3f8/1 k20 t80,12 i3fd/1 s0,0 s3,0",
        "o3fa=07 o3f9=02 o3f8=41 k40 e3,ff,0 e3,1,0 i3fa/1 o3fc=1f i3fe/1 o3f8=55 i3f8/1 e3,2,0 o3fb=43 s2,0 x0,d=ff",
    ],
    "fdc": [
        "o3f2=00 o3f2=1c o3f5=08 i3f5/1 i3f5/1 k6 o3f5=03 o3f5=df o3f5=02 o3f5=07 o3f5=00 o3f5=08 i3f5/1 i3f5/1 i3f4/1 s0,0",
        "o3f2=1c o3f5=4a o3f5=00 s3,0 t80,20 i3f5/1 k7 o3f5=0f o3f5=00 o3f5=20 o3f5=04 o3f5=00 i3f5/1 o3f5=10 i3f5/1 o3f4=80",
        "o3f5=e6 o3f5=00 o3f5=00 o3f5=00 o3f5=01 o3f5=02 o3f5=12 o3f5=1b o3f5=ff i3f5/1 k7 o3f5=13 o3f5=00 o3f5=57 o3f5=00 o3f5=0e i3f5/1 k10 x0,20=ff x0,10=9",
        "o3f5=8e o3f5=01 o3f5=02 o3f5=03 o3f5=04 o3f5=05 i3f5/1 k10 o3f5=cd o3f5=00 o3f5=01 o3f5=02 o3f5=03 o3f5=04 o3f5=05 i3f5/1 i3f7/1",
        "o3f5=18 i3f5/1 o3f5=33 o3f5=00 o3f5=17 o3f5=01 i3f5/1 o3f5=cf o3f5=00 o3f5=05 o3f5=8f o3f5=00 o3f5=03 o3f5=2e s0,0 i3f5/1 kf",
        "o3f5=4e o3f5=00 o3f5=00 k10 o3f5=94 i3f5/1 o3f5=14 i3f5/1 s3,0 o3f5=4d o3f5=00 o3f5=02 o3f5=09 o3f5=1b o3f5=f6 k9 i3f5/1 k7",
        "o3f5=12 o3f5=9c o3f5=13 o3f5=00 o3f5=57 o3f5=00 o3f5=45 k8 i3f5/1 k7 o3f2=00 s1,0 o3f2=0c o3f5=04 o3f5=00 i3f5/1",
    ],
    "ps2": [
        "o64=aa i60/1 o64=60 o60=47 o60=ff i60/1 i60/1 o60=f4 e0,4,1 e0,4,0 i60/1 t1,20 i60/1 k6 s0,0 s0,2",
        "o64=a8 o64=d4 o60=f4 i60/1 e1,3,9 i60/1 k4 o64=d4 o60=f3 o64=d4 o60=c8 o64=d4 o60=f3 o64=d4 o60=64 o64=d4 o60=f3 o64=d4 o60=50 o64=d4 o60=f2 i60/1 k8 s3,0",
        "o60=f0 o60=03 o60=f0 o60=00 o60=ed o60=07 o60=f2 e0,46,1 e0,48,1 e0,48,0 kff o64=d1 o60=df o64=dd x1,a=ff x0,5=80 x2,2=33 o64=fe R",
    ],
    "vmmouse": [
        "b0a,0 b29,45414552 b28,0 b27,1 b29,53424152 e2,10,20 b28,0 b27,4 s0,0 b29,4c455252 e2,3,3 b27,4 s3,0 x0,6=7f b29,f5",
    ],
    "port92": ["i92/1 o92=02 i92/1 o92=00 s0,0 o92=03 x0,0=ff s3,0 s2,1"],
    "pci": [
        "d2,00/4 c2,10=ffffffff d2,10/4 c2,10=0000c001 c2,14=e0000000 c2,18=e0004000 c2,1c=00000000 c2,30=e0010001 c2,04=0007 oc000=11223344 ic004/4 m4000=55 r4000/8 e10,4,0 s0,0",
        "c2,04=0006 c2,14=e0000000 c2,9a=8000 m0000=fee00000 m0008=00000031 m000c=00000000 e10,2,0 m000c=00000001 e10,2,0 m000c=00000000 s3,0 x0,20=ff",
        "c2,04=0406 c2,54=fee00000 c2,5c=4041 c2,60=0000000f c2,52=0081 e10,5,0 c2,60=00000000 c1,60=0a c1,63=0b e10,4,0 e10,0,0 s2,0 s0,1 s0,3 ocf9=02 ocf9=06",
    ],
    "i440fx": [
        "c0,59=30 c0,5a=33 c0,5b=12 c0,72=4a m8000=11 r8000/8 mc000=1122 rc000/4 c0,72=1a s0,0 c0,5b=21 m8000=3344 mc000=55 s3,0 x0,50=ff x0,80=4a d0,58/4 R",
    ],
    "ide": [
        "o1f7=ec i1f0/2 kff i1f7/1 o1f1=03 o1f2=45 o1f7=ef o1f2=04 o1f7=c6 o1f1=82 o1f7=ef j1,0 o1f2=20 o1f6=a7 o1f7=91 s0,0 o1f7=90 o1f7=f8",
        "o1f6=e0 o1f2=02 o1f3=05 o1f7=20 j1,0 i1f7/1 i1f0/2 k80 s3,0 i1f0/2 k7f j1,0 i1f0/4 k7f i1f7/1 o1f2=03 o1f7=c4 e11,0,0 i1f0/4 s1,0",
        "o1f6=e0 o1f2=02 o1f3=07 o1f7=30 o1f0=1234 kff s0,0 j1,0 o1f0=5678 k80 s3,0 o1f0=9abc k7f j1,0 i1f7/1 o1f2=01 o1f7=20 j1,0 i1f0/2 o3f6=04 o3f6=00",
        f"{IDE} o1f6=e0 o1f2=02 o1f3=05 o1f7=c8 s3,0 oc100=09 j1,0 ic102/1 r2000/8 i1f7/1 oc100=00 oc102=06 o1f2=01 o1f7=ca oc100=01 o3f6=04 o3f6=00 o1f7=ca s2,0",
        f"{IDE} oc100=09 o1f2=00 o1f2=01 o1f3=00 o1f3=10 o1f7=25 j1,0 oc100=00 p00002000=6400000000000800 o1f1=01 o1f7=06 oc100=01 s0,0 o1f7=ea e11,4,0 j1,0 x0,115=78",
        f"o174=00 o175=0c o171=00 {packet('280000000003000002')} s0,0 i170/2 kff s3,0 i170/4 kff i170/4 kff j1,0 i170/4 kff i177/1",
        f"{IDE} o171=01 {packet('be000000000100000010f8')} s3,0 oc108=09 j1,0 ic10a/1 i177/1 oc108=00 m1004=80000008 {packet('25')} s3,0 oc108=09 r2000/8",
        f"o174=0a o175=00 o171=00 {packet('1200000024')} i170/2 k04 s3,0 i170/2 k0e {packet('12018300ff')} i170/4 k40 {packet('5a002a0000000000ff')} i170/2",
        f"o174=fe o175=ff o171=00 {packet('1e00000001')} e11,3,0 {packet('4a0100001000000008')} i170/2 k04 s0,0 {packet('1e')} {packet('1b00000002')} s3,0 {packet('00')} {packet('1b00000003')} {packet('00')} {packet('0300000012')} i170/2 k09",
        f"o174=fe o175=ff o171=00 e11,1,0 {packet('00')} e11,2,0 {packet('28')} s3,0 {packet('28')} {packet('0300000012')} i170/2 k09 {packet('4302000000000000ff')} i170/2 k0a {packet('4600000000000000ff')} i170/4 k20 o177=08 o177=a1 i170/2 kff",
    ],
}  # fmt: skip


def octets(digits):
    """A number as text, lowest octet first."""
    return bytes.fromhex(digits)[::-1]


def log2(size):
    return {1: 0, 2: 1, 4: 2, 8: 3}[size]


def port_index(focus, port):
    at = 0
    for first, last in FOCUSES[focus]:
        if first <= port <= last:
            return at + port - first
        at += last - first + 1
    raise ValueError(f"{focus} has no port {port:#x}")


def instruction(focus, word):
    kind, (a, b, c) = word[0], (re.split("[,=/]", word[1:]) + ["0"] * 3)[:3]
    if kind == "o":
        return bytes([0 | log2(len(b) // 2) << 4, port_index(focus, int(a, 16))]) + octets(b)
    if kind == "i":
        return bytes([1 | log2(int(b)) << 4, port_index(focus, int(a, 16))])
    if kind == "m":
        return bytes([2 | log2(len(b) // 2) << 4]) + octets(a) + octets(b)
    if kind == "r":
        return bytes([3 | log2(int(b)) << 4]) + octets(a)
    if kind in "tjh":
        return bytes([4 | {"j": 0, "t": 1, "h": 2}[kind] << 4, int(a, 16), int(b)])
    if kind == "e":
        return bytes([5 | int(a) << 4, int(b, 16), int(c, 16)])
    if kind == "s":
        return bytes([6 | int(a) << 4, int(b)])
    if kind == "x":
        return bytes([7, int(a), 1]) + struct.pack("<HB", int(b, 16), int(c, 16))
    if kind == "R":
        return bytes([9])
    if kind == "c":
        return bytes([12 | (4 + log2(len(c) // 2)) << 4, int(a), int(b, 16)]) + octets(c)
    if kind == "d":
        return bytes([12 | log2(int(c)) << 4, int(a), int(b, 16)])
    if kind == "k":
        return bytes([13, int(a, 16)])
    if kind == "p":
        return bytes([14]) + octets(a) + bytes([len(b) // 2]) + bytes.fromhex(b)
    if kind == "b":
        return bytes([15 | 2 << 4, int(a, 16)]) + struct.pack("<I", int(b, 16))
    raise ValueError(word)


def programs():
    """All of them: (name, octets)."""
    for focus, texts in PROGRAMS.items():
        for n, text in enumerate(texts):
            code = b"".join(instruction(focus, word) for word in text.split())
            yield f"{focus}-{n}", bytes([NAMES.index(focus)]) + code


def load_state(section, version, state):
    """(name, octets) of a program that loads a state of a recording, or None."""
    focus, chip = SECTIONS.get(section, (None, 0))
    if not focus or version > 255 or len(state) > 1500:
        return None
    code = bytes([8, chip, version]) + struct.pack("<H", len(state)) + state
    return focus, bytes([NAMES.index(focus)]) + code
