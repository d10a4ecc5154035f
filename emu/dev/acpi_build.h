/*
 * acpi_build.h: whether the guest has read the ACPI tables since the last reset.
 *
 * The tables depend on what the firmware has set up (where the PCI devices are), and so are made again when the
 * firmware reads them for the first time. From then on they are the guest's, and stay as they are, also where the guest
 * goes.
 */
#ifndef EMU_DEV_ACPI_BUILD_H
#define EMU_DEV_ACPI_BUILD_H

#include "emu/core/device.h"

/*
 * To be called when the guest selects one of the files: true the first time after a reset, when the tables are to be
 * made again.
 */
bool acpi_build_first_read(Device *acpi_build);

bool acpi_build_is_patched(const Device *acpi_build);

#endif
