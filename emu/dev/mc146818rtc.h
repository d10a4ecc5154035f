/*
 * mc146818rtc.h: what the machine's builder puts into the CMOS memory for the firmware.
 */
#ifndef EMU_DEV_MC146818RTC_H
#define EMU_DEV_MC146818RTC_H

#include "emu/core/device.h"

enum {
    CMOS_SIZE = 128,
    CMOS_FIRST = 0x0e, /* below are the clock's registers */
    CMOS_CENTURY = 0x32,
};

/*
 * Any octet from CMOS_FIRST on but the century, which is the clock's; `index` outside of that changes nothing. The rtc
 * is realized. What is set stays when the machine is reset.
 */
void mc146818rtc_set_cmos(Device *rtc, unsigned index, uint8_t value);

/* 0 for an index that is not there. */
uint8_t mc146818rtc_get_cmos(const Device *rtc, unsigned index);

/* It goes on from what it showed so many ns ago: the guest, which stands, does not see that they have passed. */
void mc146818rtc_set_back(Device *rtc, int64_t ns);

#endif
