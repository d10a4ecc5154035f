/*
 * dev.h: the types of the chips. What each needs (options, lines) is said at the head of its file.
 */
#ifndef EMU_DEV_DEV_H
#define EMU_DEV_DEV_H

#include "emu/core/device.h"

extern const DeviceType acpi_build_type;   /* acpi_build.c */
extern const DeviceType fdc_type;          /* fdc.c */
extern const DeviceType fw_cfg_type;       /* fw_cfg.c */
extern const DeviceType globalstate_type;  /* globalstate.c */
extern const DeviceType hpet_type;         /* hpet.c */
extern const DeviceType i8254_type;        /* i8254.c */
extern const DeviceType i8257_type;        /* i8257.c */
extern const DeviceType i8259_type;        /* i8259.c */
extern const DeviceType ioapic_type;       /* ioapic.c */
extern const DeviceType isa_serial_type;   /* serial.c; made by serial_new */
extern const DeviceType kvmvapic_type;     /* kvmvapic.c */
extern const DeviceType lapic_type;        /* lapic.c; made by lapic_new */
extern const DeviceType mc146818rtc_type;  /* mc146818rtc.c */
extern const DeviceType pckbd_type;        /* pckbd.c */
extern const DeviceType pcspk_type;        /* pcspk.c */
extern const DeviceType piix3_ide_type;    /* piix3-ide.c; ide.h */
extern const DeviceType port92_type;       /* port92.c */
extern const DeviceType ps2_keyboard_type; /* ps2kbd.c */
extern const DeviceType ps2_mouse_type;    /* ps2mouse.c */
extern const DeviceType vmmouse_type;      /* vmmouse.c */
extern const DeviceType vmport_type;       /* vmport.c */

#endif
