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
    Block *block;       /* borrowed; of a CD drive: the medium, or NULL */
    const char *serial; /* copied, at most 20 characters; NULL: "QM00001" and on */
    const char *model;  /* copied, at most 40; NULL: "QEMU HARDDISK", "QEMU DVD-ROM" */
} IdeUnit;

/* What is at that place; before it is realized. `type` of dev is piix3_ide_type (dev.h). */
void piix3_ide_attach(Device *dev, unsigned bus, unsigned unit, const IdeUnit *what);

/*
 * Another medium in a CD drive, NULL: none; the guest is told. The old one is no longer used afterwards, but what was
 * read of it must be drained before it is freed. With the machine's lock.
 */
void piix3_ide_change_medium(Device *dev, unsigned bus, unsigned unit, Block *medium);

/* The guest is asked to let the medium go, as with the drive's button; false if it has locked the tray: then it is
 * told. */
bool piix3_ide_press_eject(Device *dev, unsigned bus, unsigned unit);

#endif
