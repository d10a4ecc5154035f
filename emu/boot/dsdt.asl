/*
 * dsdt.asl: what is in the PC and cannot be found out otherwise. Goes through the C preprocessor, and iasl.
 *
 * Sources: ACPI Specification 6.3, chapters 5, 6, 7 and 19; Intel 82371SB (PIIX3) data sheet, 2.2.10 (PIRQRC); Intel
 * 82371AB (PIIX4) data sheet, 7.2 (SLP_TYP); the specification of fw_cfg ("ACPI Interface").
 * What begins with 0xb0 is there to be replaced by dsdt.c: the windows of PCI, the base of the ports of power management,
 * and the bits of PRES. Processors are added at the end.
 * Hot plug of PCI devices: ACPI Specification 6.3, 5.6.4 (GPE), 5.6.6 (notifications 1 and 3), 6.1.11 (_SUN), 6.3.3
 * (_EJ0); for the ports QEMU's docs/specs/acpi_pci_hotplug.
 * Not offered: hot plug of processors and memory; a battery, a lid, thermal zones.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 1, "BOCHS ", "BXPC    ", 1)
{
    Name (PRES, 0xb0075001) /* what there is, in the bits below */
    Name (PICM, 0)          /* 1: interrupts go by the I/O APIC */

    Method (_PIC, 1, NotSerialized)
    {
        Store (Arg0, PICM)
    }

    /* The values of SLP_TYP. _S3 and _S4 have another name where they are not offered. */
    Name (_S5, Package (4) { 0, 0, 0, 0 })
    Name (_S4, Package (4) { 2, 2, 0, 0 })
    Name (_S3, Package (4) { 1, 1, 0, 0 })

    Scope (\_GPE)
    {
        Name (_HID, "ACPI0006")

        Method (_E01, 0, NotSerialized)
        {
            \_SB.PCI0.HPEV ()
        }
    }

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_BBN, 0)

            Name (CRES, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0xff, 0, 0x100)
                IO (Decode16, 0x0cf8, 0x0cf8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0, 0x0cf7, 0, 0x0cf8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0d00, 0xffff, 0, 0xf300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0, 0x000a0000, 0x000bffff, 0, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0, 0xb0070000, 0xb0070fff, 0, 0x00001000)
            })
            Name (CR64, ResourceTemplate ()
            {
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0, 0xb007500200000000, 0xb007500200000fff, 0, 0x0000000000001000)
            })

            Method (_CRS, 0, NotSerialized)
            {
                If (And (PRES, 0x20)) {
                    Return (ConcatenateResTemplate (CRES, CR64))
                }
                Return (CRES)
            }

/* The links of pins A to D of a slot: one further with each slot. */
#define ADDRESS(slot) ((slot << 16) | 0xffff)
#define PINS(slot, a, b, c, d) \
    Package () { ADDRESS (slot), 0, a, 0 }, Package () { ADDRESS (slot), 1, b, 0 }, \
    Package () { ADDRESS (slot), 2, c, 0 }, Package () { ADDRESS (slot), 3, d, 0 }
#define FOUR(slot) \
    PINS (slot, LNKD, LNKA, LNKB, LNKC), PINS (slot + 1, LNKA, LNKB, LNKC, LNKD), \
    PINS (slot + 2, LNKB, LNKC, LNKD, LNKA), PINS (slot + 3, LNKC, LNKD, LNKA, LNKB)
            Name (_PRT, Package ()
            {
                PINS (0, LNKD, LNKA, LNKB, LNKC),
                PINS (1, LNKS, LNKB, LNKC, LNKD), /* pin A of slot 1 is power management's: always IRQ 9 */
                PINS (2, LNKB, LNKC, LNKD, LNKA),
                PINS (3, LNKC, LNKD, LNKA, LNKB),
                FOUR (4), FOUR (8), FOUR (12), FOUR (16), FOUR (20), FOUR (24), FOUR (28)
            })

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                OperationRegion (PIRQ, PCI_Config, 0x60, 4)
                Field (PIRQ, ByteAcc, NoLock, Preserve)
                {
                    PRQA, 8,
                    PRQB, 8,
                    PRQC, 8,
                    PRQD, 8,
                }

                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Name (_STA, 0x0f)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x60, 0x60, 1, 1)
                        IO (Decode16, 0x64, 0x64, 1, 1)
                        IRQNoFlags () { 1 }
                    })
                }

                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Name (_STA, 0x0f)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IRQNoFlags () { 12 }
                    })
                }

                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x70, 0x70, 1, 8)
                        IRQNoFlags () { 8 }
                    })
                }

                Device (COM1)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 1)
                    Method (_STA, 0, NotSerialized)
                    {
                        If (And (PRES, 0x01)) {
                            Return (0x0f)
                        }
                        Return (0)
                    }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x3f8, 0x3f8, 1, 8)
                        IRQNoFlags () { 4 }
                    })
                }

                Device (COM2)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 2)
                    Method (_STA, 0, NotSerialized)
                    {
                        If (And (PRES, 0x02)) {
                            Return (0x0f)
                        }
                        Return (0)
                    }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x2f8, 0x2f8, 1, 8)
                        IRQNoFlags () { 3 }
                    })
                }

                Device (FDC0)
                {
                    Name (_HID, EisaId ("PNP0700"))
                    Method (_STA, 0, NotSerialized)
                    {
                        If (And (PRES, 0x04)) {
                            Return (0x0f)
                        }
                        Return (0)
                    }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x3f2, 0x3f2, 0, 4)
                        IO (Decode16, 0x3f7, 0x3f7, 0, 1)
                        IRQNoFlags () { 6 }
                        DMA (Compatibility, NotBusMaster, Transfer8) { 2 }
                    })
                }

                /* Ports that no device of the bus tells: power management, SMBus, GPE. */
                Device (PMIO)
                {
                    Name (_HID, EisaId ("PNP0C02"))
                    Name (_UID, 1)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0xb017, 0xb018, 1, 0x40)
                        IO (Decode16, 0x0700, 0x0700, 1, 0x40)
                        IO (Decode16, 0x00b2, 0x00b2, 1, 2)
                        IO (Decode16, 0xafe0, 0xafe0, 1, 4)
                        IO (Decode16, 0xae00, 0xae00, 1, 0x18)
                    })
                }
            }

            /* Cards that come and go: a bit for each slot. */
            OperationRegion (HPPT, SystemIO, 0xae00, 0x14)
            Field (HPPT, DWordAcc, NoLock, WriteAsZeros)
            {
                HPUP, 32, /* came; is read once */
                HPDN, 32, /* shall go */
                HPEJ, 32, /* written: goes */
                , 32,
                HPBS, 32, /* of which bus */
            }
            Mutex (HPLK, 0)

            Method (HPGO, 1, NotSerialized)
            {
                Acquire (HPLK, 0xffff)
                Store (0, HPBS)
                Store (ShiftLeft (1, Arg0), HPEJ)
                Release (HPLK)
            }

#define SLOT(name, slot) \
            Device (name) \
            { \
                Name (_ADR, slot << 16) \
                Name (_SUN, slot) \
                Method (_EJ0, 1, NotSerialized) \
                { \
                    HPGO (_SUN) \
                } \
            }
#define TELL(name, slot) \
                If (And (Arg0, 1 << slot)) { \
                    Notify (name, Arg1) \
                }
/* All but those of the board's own: the host bridge and the PIIX. */
#define SLOTS(X) \
            X (S02, 0x02) X (S03, 0x03) X (S04, 0x04) X (S05, 0x05) X (S06, 0x06) X (S07, 0x07) \
            X (S08, 0x08) X (S09, 0x09) X (S0A, 0x0a) X (S0B, 0x0b) X (S0C, 0x0c) X (S0D, 0x0d) \
            X (S0E, 0x0e) X (S0F, 0x0f) X (S10, 0x10) X (S11, 0x11) X (S12, 0x12) X (S13, 0x13) \
            X (S14, 0x14) X (S15, 0x15) X (S16, 0x16) X (S17, 0x17) X (S18, 0x18) X (S19, 0x19) \
            X (S1A, 0x1a) X (S1B, 0x1b) X (S1C, 0x1c) X (S1D, 0x1d) X (S1E, 0x1e) X (S1F, 0x1f)
            SLOTS (SLOT)

            /* Slots, and what their devices are told: 1: look; 3: you shall go. */
            Method (HPNT, 2, NotSerialized)
            {
                SLOTS (TELL)
            }

            Method (HPEV, 0, NotSerialized)
            {
                Acquire (HPLK, 0xffff)
                Store (0, HPBS)
                HPNT (HPUP, 1)
                HPNT (HPDN, 3)
                Release (HPLK)
            }
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_UID, 0)
            Method (_STA, 0, NotSerialized)
            {
                If (And (PRES, 0x08)) {
                    Return (0x0f)
                }
                Return (0)
            }
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadOnly, 0xfed00000, 0x400)
            })
        }

        Device (FWCF)
        {
            Name (_HID, "QEMU0002")
            Name (_STA, 0x0b)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x510, 0x510, 1, 12)
            })
        }

/* A PIRQ, routed by an octet of the PIIX3: bit 7 is set where it leads nowhere, below is the interrupt. */
#define LINK(name, number, register) \
        Device (name) \
        { \
            Name (_HID, EisaId ("PNP0C0F")) \
            Name (_UID, number) \
            Name (_PRS, ResourceTemplate () \
            { \
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } \
            }) \
            Name (CURR, ResourceTemplate () \
            { \
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, , , INTR) { 0 } \
            }) \
            CreateDWordField (CURR, INTR._INT, IRQW) \
            Method (_STA, 0, NotSerialized) \
            { \
                If (And (register, 0x80)) { \
                    Return (0x09) \
                } \
                Return (0x0b) \
            } \
            Method (_DIS, 0, NotSerialized) \
            { \
                Store (Or (register, 0x80), register) \
            } \
            Method (_CRS, 0, Serialized) \
            { \
                Store (Zero, IRQW) \
                If (LNot (And (register, 0x80))) { \
                    Store (And (register, 0x0f), IRQW) \
                } \
                Return (CURR) \
            } \
            Method (_SRS, 1, NotSerialized) \
            { \
                CreateDWordField (Arg0, 5, WANT) \
                Store (And (WANT, 0x0f), register) \
            } \
        }
        LINK (LNKA, 0, \_SB.PCI0.ISA.PRQA)
        LINK (LNKB, 1, \_SB.PCI0.ISA.PRQB)
        LINK (LNKC, 2, \_SB.PCI0.ISA.PRQC)
        LINK (LNKD, 3, \_SB.PCI0.ISA.PRQD)

        /* The system control interrupt does not go by the PIIX3's registers. */
        Device (LNKS)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 4)
            Name (_STA, 0x0b)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 9 }
            })
            Method (_DIS, 0, NotSerialized)
            {
            }
            Method (_CRS, 0, NotSerialized)
            {
                Return (_PRS)
            }
            Method (_SRS, 1, NotSerialized)
            {
            }
        }
    }
}
