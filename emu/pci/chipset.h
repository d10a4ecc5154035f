/*
 * chipset.h: the 440FX host bridge and the functions of the PIIX3 and PIIX4, as the machine sees them.
 *
 * All are made with device_new; those on the PCI bus need `bus` and `devfn` of their PciDevice, and what stands here,
 * before they are realized.
 */
#ifndef EMU_PCI_CHIPSET_H
#define EMU_PCI_CHIPSET_H

#include "emu/core/isa.h"
#include "emu/pci/pci-bus.h"

/* i440fx.c: the host bridge, function 0 of slot 0. Outputs: "smram". */
extern const DeviceType i440fx_type;

/* The guest's memory, borrowed. What is beyond the option below_4g lies at 4 GiB. */
void i440fx_set_ram(Device *dev, RamArea *ram);

/*
 * piix3.c: the bridge to the ISA bus. Inputs: "pirq" 0 to 3 (of the PCI bus), "isa" 0 to 15. Outputs: "irq" 0 to 15,
 * which lead to the interrupt controllers, and "reset".
 */
extern const DeviceType piix3_type;

/* The bus that it owns, whose lines lead to "isa". */
IsaBus *piix3_isa(Device *dev);

#endif
