/*
 * mc146818rtc-impl.h: the clock's registers, and what their octets say. For mc146818rtc.c.
 */
#ifndef EMU_DEV_MC146818RTC_IMPL_H
#define EMU_DEV_MC146818RTC_IMPL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RTC_SECONDS = 0,
    RTC_SECONDS_ALARM = 1,
    RTC_MINUTES = 2,
    RTC_MINUTES_ALARM = 3,
    RTC_HOURS = 4,
    RTC_HOURS_ALARM = 5,
    RTC_DAY_OF_WEEK = 6, /* 1: Sunday */
    RTC_DAY = 7,
    RTC_MONTH = 8,
    RTC_YEAR = 9,
    RTC_CENTURY_PS2 = 0x37, /* another index of the century */

    RTC_A = 10,
    RTC_A_UIP = 1 << 7,
    RTC_A_DIVIDER = 7 << 4,
    RTC_A_32768_HZ = 2 << 4, /* above: test modes and reset */
    RTC_A_RATE = 0xf,

    RTC_B = 11,
    RTC_B_SET = 1 << 7,
    RTC_B_PIE = 1 << 6,
    RTC_B_AIE = 1 << 5,
    RTC_B_UIE = 1 << 4,
    RTC_B_SQWE = 1 << 3,
    RTC_B_BINARY = 1 << 2,
    RTC_B_24_HOURS = 1 << 1,

    RTC_C = 12,
    RTC_C_IRQF = 1 << 7,
    RTC_C_PF = 1 << 6, /* the bits of B that let them through are at the same places */
    RTC_C_AF = 1 << 5,
    RTC_C_UF = 1 << 4,

    RTC_D = 13,
    RTC_D_VALID = 1 << 7,

    RTC_PM = 1 << 7,  /* of an hour of 12 */
    RTC_ANY = 3 << 6, /* an alarm octet with both bits fits always */
};

/* The time registers get that time, seconds since 1970, in the form that register B wants. */
void rtc_registers_set(uint8_t *cmos, int32_t base_year, int64_t seconds);

/* The time that they have. */
int64_t rtc_registers_get(const uint8_t *cmos, int32_t base_year);

/* In how many seconds from then, 1 to a day, the alarm will be; 0: never. */
int rtc_registers_alarm(const uint8_t *cmos, int64_t seconds);

#endif
