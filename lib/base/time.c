/* Instants as RFC 3339 text and back, with a calendar of its own: no locale, no time zone, no time_t.
   Called by everything that prints, stores or reads a time. */
#include "base/time.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000LL

int64_t time_days_from_date(int64_t year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year; /* years begin in March: the leap day comes last */
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void time_date_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day) {
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    *ret_month = (int)(m < 10 ? m + 3 : m - 9);
    *ret_year = year_of_era + era * 400 + (m >= 10);
}

int time_days_in_month(int64_t year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

int64_t time_floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

int time_weekday(int64_t days) {
    int weekday = (int)((days + 4) % 7);
    return weekday < 0 ? weekday + 7 : weekday;
}

void time_to_text_at(int64_t ms, int32_t offset_seconds, char out[TIME_TEXT_SIZE]) {
    int64_t local = 0;
    if (ms < TIME_MIN_MS || ms > TIME_MAX_MS || offset_seconds <= -86400 ||
        offset_seconds >= 86400 || (local = ms + offset_seconds * 1000LL) < TIME_MIN_MS ||
        local > TIME_MAX_MS) {
        memcpy(out, "-", 2);
        return;
    }
    int64_t days = time_floor_div(local, DAY_MS);
    int in_day = (int)(local - days * DAY_MS);
    int64_t year;
    int month, day;
    time_date_from_days(days, &year, &month, &day);
    int used = snprintf(out, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day,
                        in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60);
    if (in_day % 1000)
        used += snprintf(out + used, (size_t)(TIME_TEXT_SIZE - used), ".%03d", in_day % 1000);
    int minutes = (offset_seconds < 0 ? -offset_seconds : offset_seconds) / 60;
    if (offset_seconds == 0)
        memcpy(out + used, "Z", 2);
    else
        (void)snprintf(out + used, (size_t)(TIME_TEXT_SIZE - used), "%c%02d:%02d",
                       offset_seconds < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

void time_to_text(int64_t ms, char out[TIME_TEXT_SIZE]) {
    time_to_text_at(ms, 0, out);
}

/* Exactly n digits. */
static bool take_number(const char **at, int n, int *ret) {
    int value = 0;
    for (int i = 0; i < n; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += n;
    *ret = value;
    return true;
}

static bool take_char(const char **at, const char *allowed) {
    if (!**at || !strchr(allowed, **at))
        return false;
    (*at)++;
    return true;
}

static bool take_date(const char **at, int64_t *ret_days) {
    int year, month, day;
    if (!take_number(at, 4, &year) || !take_char(at, "-") || !take_number(at, 2, &month) ||
        !take_char(at, "-") || !take_number(at, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > time_days_in_month(year, month))
        return false;
    *ret_days = time_days_from_date(year, month, day);
    return true;
}

static bool take_time_of_day(const char **at, int *ret_ms) {
    int hour, minute, second, ms = 0;
    if (!take_number(at, 2, &hour) || !take_char(at, ":") || !take_number(at, 2, &minute) ||
        !take_char(at, ":") || !take_number(at, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (take_char(at, ".")) {
        int weight = 100;
        const char *first = *at;
        for (; **at >= '0' && **at <= '9'; (*at)++, weight /= 10)
            ms += (**at - '0') * weight;
        if (*at == first)
            return false;
    }
    if (second == 60)
        ms = 0; /* a leap second: the first instant after it */
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

static bool take_zone(const char **at, int *ret_ms) {
    *ret_ms = 0;
    if (take_char(at, "Zz"))
        return true;
    bool west = **at == '-';
    int hour, minute;
    if (!take_char(at, "+-") || !take_number(at, 2, &hour) || !take_char(at, ":") ||
        !take_number(at, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *ret_ms = (hour * 60 + minute) * 60000 * (west ? -1 : 1);
    return true;
}

bool time_from_text(const char *text, int64_t *ret_ms) {
    const char *at = text;
    int64_t days;
    int in_day, offset;
    if (!take_date(&at, &days) || !take_char(&at, "Tt ") || !take_time_of_day(&at, &in_day) ||
        !take_zone(&at, &offset) || *at)
        return false;
    int64_t ms = days * DAY_MS + in_day - offset;
    if (ms < TIME_MIN_MS || ms > TIME_MAX_MS)
        return false;
    *ret_ms = ms;
    return true;
}
