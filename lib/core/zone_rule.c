/* The footer of a time zone file: what holds after its last transition, as a POSIX TZ string with the
   extensions of RFC 8536 ("CET-1CEST,M3.5.0,M10.5.0/3", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"). */
#include <stdbool.h>
#include <string.h>

#include "base/time.h"
#include "core/zone.h"

#define DAY 86400

/* Up to three digits. */
static bool take_number(const char **at, int most, int *ret) {
    int value = 0, digits = 0;
    for (; **at >= '0' && **at <= '9' && digits < 3; (*at)++, digits++)
        value = value * 10 + (**at - '0');
    *ret = value;
    return digits > 0 && value <= most;
}

static bool take_name(const char **at) {
    const char *first = *at;
    if (**at == '<') {
        const char *close = strchr(*at, '>');
        *at = close ? close + 1 : *at;
        return close != NULL;
    }
    while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z'))
        (*at)++;
    return *at - first >= 3;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool take_clock(const char **at, int most_hours, int32_t *ret) {
    int hours, minutes = 0, seconds = 0;
    bool minus = **at == '-';
    if (**at == '-' || **at == '+')
        (*at)++;
    if (!take_number(at, most_hours, &hours))
        return false;
    if (**at == ':') {
        (*at)++;
        if (!take_number(at, 59, &minutes))
            return false;
        if (**at == ':') {
            (*at)++;
            if (!take_number(at, 59, &seconds))
                return false;
        }
    }
    *ret = (hours * 3600 + minutes * 60 + seconds) * (minus ? -1 : 1);
    return true;
}

static bool take_day(const char **at, struct zone_rule_day *ret) {
    *ret = (struct zone_rule_day){.kind = 'N', .time = 7200};
    if (*(*at)++ != ',')
        return false;
    if (**at == 'M') {
        ret->kind = 'M';
        (*at)++;
        if (!take_number(at, 12, &ret->month) || *(*at)++ != '.' ||
            !take_number(at, 5, &ret->week) || *(*at)++ != '.' || !take_number(at, 6, &ret->day) ||
            !ret->month || !ret->week)
            return false;
    } else {
        if (**at == 'J') {
            ret->kind = 'J';
            (*at)++;
        }
        if (!take_number(at, 365, &ret->day) || (ret->kind == 'J' && !ret->day))
            return false;
    }
    if (**at != '/')
        return true;
    (*at)++;
    return take_clock(at, 167, &ret->time);
}

int zone_rule_parse(const char *text, struct zone_rule *ret) {
    struct zone_rule rule = {0};
    const char *at = text;
    if (!take_name(&at) || !take_clock(&at, 24, &rule.standard))
        return -1;
    rule.standard = -rule.standard; /* POSIX counts to the west */
    if (*at) {
        rule.daylight_too = 1;
        rule.daylight = rule.standard + 3600;
        if (!take_name(&at))
            return -1;
        if (*at && *at != ',') {
            if (!take_clock(&at, 24, &rule.daylight))
                return -1;
            rule.daylight = -rule.daylight;
        }
        if (!take_day(&at, &rule.begin) || !take_day(&at, &rule.end) || *at)
            return -1;
    }
    *ret = rule;
    return 0;
}

static int64_t day_of_rule(const struct zone_rule_day *rule, int64_t year) {
    int64_t first = time_days_from_date(year, 1, 1);
    if (rule->kind == 'N')
        return first + rule->day;
    if (rule->kind == 'J') /* the 29th of February is never counted */
        return first + rule->day - 1 + (rule->day >= 60 && time_days_in_month(year, 2) == 29);
    first = time_days_from_date(year, rule->month, 1);
    int64_t day = 1 + (rule->day - time_weekday(first) + 7) % 7 + (rule->week - 1) * 7;
    if (day > time_days_in_month(year, rule->month))
        day -= 7;
    return first + day - 1;
}

void zone_rule_year(const struct zone_rule *rule, int64_t year, int64_t ret_at[2],
                    int32_t ret_offset[2]) {
    int64_t begin = day_of_rule(&rule->begin, year) * DAY + rule->begin.time - rule->standard;
    int64_t end = day_of_rule(&rule->end, year) * DAY + rule->end.time - rule->daylight;
    bool south = end < begin;
    ret_at[0] = south ? end : begin;
    ret_at[1] = south ? begin : end;
    ret_offset[0] = south ? rule->standard : rule->daylight;
    ret_offset[1] = south ? rule->daylight : rule->standard;
}
