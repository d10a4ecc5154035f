/*
 * mc146818rtc-registers.c: time, calendar and alarm as octets (MC146818A data sheet, "Time, calendar, and alarm
 * locations").
 */
#include <glib.h>
#include <time.h>

#include "emu/dev/mc146818rtc-impl.h"
#include "emu/dev/mc146818rtc.h"

enum { DAY_SECONDS = 86400, TM_YEAR = 1900 /* that struct tm has as 0 */, FITS_ALL = -1 };

/* The registers have four digits of the year, and in 10000 years the calendar comes round, weekdays included. */
#define ROUND_SECONDS (INT64_C(25) * 146097 * DAY_SECONDS)

static int64_t remainder_up(int64_t a, int64_t b)
{
    return (a % b + b) % b;
}

static uint8_t encode(const uint8_t *cmos, int value)
{
    return (uint8_t)(cmos[RTC_B] & RTC_B_BINARY ? value : value / 10 << 4 | value % 10);
}

static int decode(const uint8_t *cmos, uint8_t octet)
{
    return cmos[RTC_B] & RTC_B_BINARY ? octet : (octet >> 4) * 10 + (octet & 0xf);
}

static uint8_t encode_hour(const uint8_t *cmos, int hour)
{
    if (cmos[RTC_B] & RTC_B_24_HOURS)
        return encode(cmos, hour);
    return (uint8_t)(encode(cmos, (hour + 11) % 12 + 1) | (hour >= 12 ? RTC_PM : 0));
}

static int decode_hour(const uint8_t *cmos, uint8_t octet)
{
    if (cmos[RTC_B] & RTC_B_24_HOURS)
        return decode(cmos, octet);
    return decode(cmos, octet & ~RTC_PM) % 12 + (octet & RTC_PM ? 12 : 0);
}

void rtc_registers_set(uint8_t *cmos, int32_t base_year, int64_t seconds)
{
    time_t time = (time_t)remainder_up(seconds, ROUND_SECONDS);
    struct tm tm;

    gmtime_r(&time, &tm);
    cmos[RTC_SECONDS] = encode(cmos, tm.tm_sec);
    cmos[RTC_MINUTES] = encode(cmos, tm.tm_min);
    cmos[RTC_HOURS] = encode_hour(cmos, tm.tm_hour);
    cmos[RTC_DAY_OF_WEEK] = encode(cmos, tm.tm_wday + 1);
    cmos[RTC_DAY] = encode(cmos, tm.tm_mday);
    cmos[RTC_MONTH] = encode(cmos, tm.tm_mon + 1);
    cmos[RTC_YEAR] = encode(cmos, (int)remainder_up((int64_t)tm.tm_year + TM_YEAR - base_year, 100));
    cmos[CMOS_CENTURY] = encode(cmos, (tm.tm_year + TM_YEAR) / 100 % 100);
}

/* Values that are none flow over into the next register: the data sheet says nothing of them. */
int64_t rtc_registers_get(const uint8_t *cmos, int32_t base_year)
{
    int year = (int)remainder_up((int64_t)decode(cmos, cmos[RTC_YEAR]) + base_year, 100);
    struct tm tm = {
        .tm_sec = decode(cmos, cmos[RTC_SECONDS]),
        .tm_min = decode(cmos, cmos[RTC_MINUTES]),
        .tm_hour = decode_hour(cmos, cmos[RTC_HOURS]),
        .tm_mday = decode(cmos, cmos[RTC_DAY]),
        .tm_mon = decode(cmos, cmos[RTC_MONTH]) - 1,
        .tm_year = decode(cmos, cmos[CMOS_CENTURY]) * 100 + year - TM_YEAR,
    };

    return timegm(&tm);
}

/* --- alarm ------------------------------------------------------------------------------------------------------ */

/* Of the values 0 to `limit` - 1 the one that the alarm's octet fits; FITS_ALL, or `limit` for none. */
static int alarm_value(const uint8_t *cmos, unsigned index, int limit)
{
    int value = 0;

    if ((cmos[index] & RTC_ANY) == RTC_ANY)
        return FITS_ALL;
    while (value < limit && cmos[index] != (index == RTC_HOURS_ALARM ? encode_hour(cmos, value) : encode(cmos, value)))
        value++;
    return value;
}

static bool fits(int alarm, int value)
{
    return alarm == FITS_ALL || alarm == value;
}

/* Goes from minute to minute, for a day. */
int rtc_registers_alarm(const uint8_t *cmos, int64_t seconds)
{
    int hour = alarm_value(cmos, RTC_HOURS_ALARM, 24), minute = alarm_value(cmos, RTC_MINUTES_ALARM, 60);
    int second = alarm_value(cmos, RTC_SECONDS_ALARM, 60);
    int start = (int)remainder_up(seconds, DAY_SECONDS);

    if (second == 60)
        return 0;
    for (int at = start + 1; at <= start + DAY_SECONDS; at += 60 - at % 60) {
        int wait = second == FITS_ALL ? 0 : second - at % 60;
        if (fits(hour, at / 3600 % 24) && fits(minute, at / 60 % 60) && wait >= 0)
            return at + wait - start;
    }
    return 0;
}
