/*
 * ide.h: the IDE controller of the PIIX3, and what hangs on its two cables.
 */
#ifndef EMU_DEV_IDE_H
#define EMU_DEV_IDE_H

#include "emu/block/block.h"
#include "emu/pci/pci.h"

enum { IDE_BUSES = 2, IDE_UNITS = 2 };

typedef enum IdeKind { IDE_NONE, IDE_DISK, IDE_CD } IdeKind;

typedef struct IdeUnit {
    IdeKind kind;
    Block *block;       /* borrowed, outlives the device; a CD drive's medium, or NULL: it is empty */
    const char *serial; /* copied, at most 20 characters; NULL: "QM00001" to "QM00004", by place */
    const char *model;  /* copied, at most 40 characters; NULL: "QEMU HARDDISK", "QEMU DVD-ROM" */
} IdeUnit;

/*
 * What is at that place; before the device, which is of piix3_ide_type (dev.h), is realized. Bus 0 is the primary
 * cable, unit 0 its master. A PC by default has an empty CD drive as secondary master (bus 1, unit 0).
 */
void piix3_ide_attach(Device *dev, unsigned bus, unsigned unit, const IdeUnit *what);

/*
 * Another medium in a CD drive, NULL: none; the tray is closed then, and the guest is told. What is in flight on the
 * old medium ends first; afterwards that is no longer used. With the machine's lock, on the thread of the old one's
 * context.
 */
void piix3_ide_change_medium(Device *dev, unsigned bus, unsigned unit, Block *medium);

/*
 * The drive's button: opens the tray and returns true, or false if the guest has locked it: then the guest is asked to
 * let the medium go. With the machine's lock.
 */
bool piix3_ide_press_eject(Device *dev, unsigned bus, unsigned unit);

/* As the drive is now. */
bool piix3_ide_tray_is_open(const Device *dev, unsigned bus, unsigned unit);
bool piix3_ide_tray_is_locked(const Device *dev, unsigned bus, unsigned unit);

#endif
