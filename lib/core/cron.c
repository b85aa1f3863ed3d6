/* When an expression fits, on a clock that shows no zone: days of a month as one mask of bits (month
   lengths, weekdays, L, W and # together), then the next bit. Zones are in cron_zone.c. */
#include "core/cron.h"

#include "base/time.h"

#define DAY 86400
#define YEARS_AHEAD 400 /* the calendar repeats; within that a fit is found, or there is none */

/* ---- the days of a month ---- */

struct month {
    int64_t year, first; /* of its first day: days since 1970 */
    int month, length;
};

static struct month month_of(int64_t year, int month) {
    return (struct month){year, time_days_from_date(year, month, 1), month,
                          time_days_in_month(year, month)};
}

/* All days (bit 1 = the first) that are one of these weekdays. */
static uint64_t weekday_days(uint8_t weekdays, int first_weekday) {
    uint64_t turned =
        ((uint64_t)weekdays >> first_weekday | (uint64_t)weekdays << (7 - first_weekday)) & 0x7f;
    return turned * 0x10204081u << 1;
}

/* The working day of the same month that is nearest to one of its days. */
static uint64_t nearest_workday(const struct month *m, int day) {
    int weekday = time_weekday(m->first + day - 1);
    if (weekday == 6)
        day += day > 1 ? -1 : 2;
    else if (weekday == 0)
        day += day < m->length ? 1 : -2;
    return 1ull << day;
}

static uint64_t days_by_date(const struct cron *c, const struct month *m) {
    uint64_t days = c->days;
    for (uint32_t bits = c->last_days; bits; bits &= bits - 1) {
        int back = __builtin_ctz(bits);
        if (back < m->length)
            days |= 1ull << (m->length - back);
    }
    for (uint32_t bits = c->near_days; bits; bits &= bits - 1) {
        int day = __builtin_ctz(bits);
        if (day <= m->length)
            days |= nearest_workday(m, day);
    }
    if (c->near_last)
        days |= nearest_workday(m, m->length);
    return days;
}

static uint64_t days_by_weekday(const struct cron *c, const struct month *m) {
    int first = time_weekday(m->first);
    uint64_t days = weekday_days(c->weekdays, first);
    for (int i = 0; i < 5; i++)
        if (c->nth_weekdays[i])
            days |= weekday_days(c->nth_weekdays[i], first) & (0xfeull << (7 * i));
    if (c->last_weekdays)
        days |= weekday_days(c->last_weekdays, first) & (0xfeull << (m->length - 7));
    return days;
}

static uint64_t month_days(const struct cron *c, const struct month *m) {
    uint64_t by_date = days_by_date(c, m);
    uint64_t by_weekday = days_by_weekday(c, m);
    uint64_t all = (2ull << m->length) - 2;
    return (c->either ? by_date | by_weekday : by_date & by_weekday) & all;
}

/* ---- years and months ---- */

static bool year_fits(const struct cron *c, int64_t year) {
    if (!c->has_years)
        return true;
    int64_t bit = year - CRON_YEAR_MIN;
    return bit >= 0 && bit < 256 && (c->years[bit / 64] >> (bit % 64) & 1);
}

/* Moves on to the first month at or after this one that is among those wanted; day 1 where it moved. */
static bool month_ceil(const struct cron *c, int64_t last_year, int64_t *year, int *month) {
    if (c->has_years && *year < CRON_YEAR_MIN) {
        *year = CRON_YEAR_MIN;
        *month = 1;
    }
    for (; *year <= last_year; (*year)++, *month = 1) {
        if (c->has_years && *year > CRON_YEAR_MAX)
            return false;
        unsigned left = (unsigned)c->months >> *month;
        if (left && year_fits(c, *year)) {
            *month += __builtin_ctz(left);
            return true;
        }
    }
    return false;
}

static bool month_floor(const struct cron *c, int64_t first_year, int64_t *year, int *month) {
    if (c->has_years && *year > CRON_YEAR_MAX) {
        *year = CRON_YEAR_MAX;
        *month = 12;
    }
    for (; *year >= first_year; (*year)--, *month = 12) {
        if (c->has_years && *year < CRON_YEAR_MIN)
            return false;
        unsigned left = c->months & ((2u << *month) - 1);
        if (left && year_fits(c, *year)) {
            *month = 31 - __builtin_clz(left);
            return true;
        }
    }
    return false;
}

/* ---- the time of a day ---- */

static int first_bit(uint64_t bits) {
    return __builtin_ctzll(bits);
}

static int last_bit(uint64_t bits) {
    return 63 - __builtin_clzll(bits);
}

static int time_of(int hour, int minute, int second) {
    return (hour * 60 + minute) * 60 + second;
}

/* -1 = none on this day any more. */
static int time_ceil(const struct cron *c, int time) {
    int hour = time / 3600, minute = time / 60 % 60, second = time % 60;
    if (c->hours >> hour & 1) {
        if (c->minutes >> minute & 1 && c->seconds >> second)
            return time_of(hour, minute, second + first_bit(c->seconds >> second));
        uint64_t later = minute < 59 ? c->minutes >> (minute + 1) : 0;
        if (later)
            return time_of(hour, minute + 1 + first_bit(later), first_bit(c->seconds));
    }
    uint64_t later = (uint64_t)c->hours >> (hour + 1);
    if (!later)
        return -1;
    return time_of(hour + 1 + first_bit(later), first_bit(c->minutes), first_bit(c->seconds));
}

static uint64_t below(int bit) { /* all bits below it */
    return (1ull << bit) - 1;
}

static int time_floor(const struct cron *c, int time) {
    int hour = time / 3600, minute = time / 60 % 60, second = time % 60;
    if (c->hours >> hour & 1) {
        uint64_t seconds = c->seconds & below(second + 1);
        if (c->minutes >> minute & 1 && seconds)
            return time_of(hour, minute, last_bit(seconds));
        uint64_t minutes = c->minutes & below(minute);
        if (minutes)
            return time_of(hour, last_bit(minutes), last_bit(c->seconds));
    }
    uint64_t hours = c->hours & below(hour);
    if (!hours)
        return -1;
    return time_of(last_bit(hours), last_bit(c->minutes), last_bit(c->seconds));
}

/* How many times of the day are before this one? */
static int64_t times_before(const struct cron *c, int time) {
    int hour = time / 3600, minute = time / 60 % 60, second = time % 60;
    int64_t in_minute = __builtin_popcountll(c->seconds);
    int64_t in_hour = __builtin_popcountll(c->minutes) * in_minute;
    int64_t count = __builtin_popcountll(c->hours & below(hour)) * in_hour;
    if (hour < 24 && c->hours >> hour & 1) {
        count += __builtin_popcountll(c->minutes & below(minute)) * in_minute;
        if (c->minutes >> minute & 1)
            count += __builtin_popcountll(c->seconds & below(second));
    }
    return count;
}

/* ---- walls ---- */

/* The month that holds a wall: its days that fit. */
static uint64_t days_around(const struct cron *c, int64_t days, int64_t year, int month, int day) {
    struct month m = {year, days - day + 1, month, time_days_in_month(year, month)};
    return c->months >> month & 1 && year_fits(c, year) ? month_days(c, &m) : 0;
}

bool cron_wall_ceil(const struct cron *c, int64_t wall, int64_t *ret) {
    int64_t days = time_floor_div(wall, DAY), year;
    int month, day;
    time_date_from_days(days, &year, &month, &day);
    int first_time = time_of(first_bit(c->hours), first_bit(c->minutes), first_bit(c->seconds));
    int time = time_ceil(c, (int)(wall - days * DAY));
    uint64_t fits = days_around(c, days, year, month, day) & ~below(day);
    if (time >= 0 && fits >> day & 1) {
        *ret = days * DAY + time;
        return true;
    }
    fits &= ~(1ull << day);
    if (fits) {
        *ret = (days + first_bit(fits) - day) * DAY + first_time;
        return true;
    }
    int64_t last_year = c->has_years ? CRON_YEAR_MAX : year + YEARS_AHEAD;
    for (month++; month_ceil(c, last_year, &year, &month); month++) { /* 13: no bit is there */
        struct month m = month_of(year, month);
        fits = month_days(c, &m);
        if (fits) {
            *ret = (m.first + first_bit(fits) - 1) * DAY + first_time;
            return true;
        }
    }
    return false;
}

bool cron_wall_floor(const struct cron *c, int64_t wall, int64_t *ret) {
    int64_t days = time_floor_div(wall, DAY), year;
    int month, day;
    time_date_from_days(days, &year, &month, &day);
    int last_time = time_of(last_bit(c->hours), last_bit(c->minutes), last_bit(c->seconds));
    int time = time_floor(c, (int)(wall - days * DAY));
    uint64_t fits = days_around(c, days, year, month, day) & below(day + 1);
    if (time >= 0 && fits >> day & 1) {
        *ret = days * DAY + time;
        return true;
    }
    fits &= below(day);
    if (fits) {
        *ret = (days + last_bit(fits) - day) * DAY + last_time;
        return true;
    }
    int64_t first_year = c->has_years ? CRON_YEAR_MIN : year - YEARS_AHEAD;
    for (month--; month_floor(c, first_year, &year, &month); month--) { /* 0: no bit is there */
        struct month m = month_of(year, month);
        fits = month_days(c, &m);
        if (fits) {
            *ret = (m.first + last_bit(fits) - 1) * DAY + last_time;
            return true;
        }
    }
    return false;
}

int64_t cron_wall_count(const struct cron *c, int64_t first, int64_t end) {
    if (first >= end)
        return 0;
    int64_t first_day = time_floor_div(first, DAY), end_day = time_floor_div(end, DAY), year,
            last_year;
    int month, last_month, day;
    time_date_from_days(first_day, &year, &month, &day);
    time_date_from_days(end_day, &last_year, &last_month, &day);
    int64_t in_day = times_before(c, DAY), count = 0;
    while (month_ceil(c, last_year, &year, &month) && (year < last_year || month <= last_month)) {
        struct month m = month_of(year, month);
        uint64_t fits = month_days(c, &m);
        /* Whole days of [first_day, end_day), then the parts of the first and of the last one. */
        int64_t from = first_day - m.first + 1, to = end_day - m.first + 1;
        uint64_t whole = fits & (to < 33 ? to > 0 ? below((int)to) : 0 : UINT64_MAX);
        if (from > 0)
            whole = from < 33 ? whole & ~below((int)from) : 0;
        count += __builtin_popcountll(whole) * in_day;
        if (from > 0 && from < 33 && fits >> from & 1)
            count -= times_before(c, (int)(first - first_day * DAY));
        if (to > 0 && to < 33 && fits >> to & 1)
            count += times_before(c, (int)(end - end_day * DAY));
        month++;
    }
    return count;
}
