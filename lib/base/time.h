/* Instants as text, RFC 3339, without locale or time zone files. Pure; clocks are in io/clock.h. */
#ifndef CTCD_BASE_TIME_H
#define CTCD_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define TIME_MIN_MS (-62135596800000LL) /* 0001-01-01T00:00:00Z */
#define TIME_MAX_MS 253402300799999LL   /* 9999-12-31T23:59:59.999Z */
#define TIME_TEXT_SIZE 32

/* "2026-01-01T00:00:00Z", with ".250" before the Z where there are milliseconds. An instant outside the
   bounds (CTCD_TIME_NONE, too) gives "-". */
void time_to_text(int64_t ms, char out[TIME_TEXT_SIZE]);
/* The same instant as seen at an offset east of UTC: "2026-01-01T01:00:00+01:00"; 0 gives Z. */
void time_to_text_at(int64_t ms, int32_t offset_seconds, char out[TIME_TEXT_SIZE]);
/* Date, T (or t, or one space), time, then Z (z) or +hh:mm. Fractions are cut to milliseconds, towards
   the past. A leap second (:60) is the next minute's first. The zone is needed. */
bool time_from_text(const char *text, int64_t *ret_ms);

/* Proleptic Gregorian calendar. Month and day from 1. */
int64_t time_days_from_date(int64_t year, int month, int day); /* since 1970-01-01 */
void time_date_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
int time_days_in_month(int64_t year, int month);
int time_weekday(int64_t days);               /* 0 = Sunday */
int64_t time_floor_div(int64_t a, int64_t b); /* towards the past; b > 0 */

#endif
