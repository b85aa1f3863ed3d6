/* The nominal times of a cron schedule: those of its expression in its zone, inside its window. Whole
   seconds, while windows are in milliseconds. */
#include <ctcd/base.h>
#include <string.h>

#include "base/time.h"
#include "core/schedule_spec.h"

/* Instants (ms) that may be fires: first to last, both included; first > last: none. */
struct bounds {
    int64_t first, last;
};

static struct bounds bounds_of(const struct schedule_spec *spec) {
    struct bounds b = {.first = spec->start_ms, .last = INT64_MAX};
    if (spec->start_ms == CTCD_TIME_NONE)
        b.first = spec->created_ms < INT64_MAX ? spec->created_ms + 1 : INT64_MAX;
    if (spec->end_ms != CTCD_TIME_NONE)
        b.last = spec->end_inclusive ? spec->end_ms : spec->end_ms - 1;
    return b;
}

static int64_t second_ceil(int64_t ms) {
    return ms / 1000 + (ms % 1000 > 0);
}

/* The first instant that may be one after this one. */
static bool begin_after(const struct bounds *b, int64_t after_ms, int64_t *ret) {
    int64_t from = after_ms < INT64_MAX ? after_ms + 1 : INT64_MAX;
    *ret = from > b->first ? from : b->first;
    return after_ms < INT64_MAX;
}

bool spec_cron_next(const struct schedule_spec *spec, int64_t after_ms, int64_t *ret_ms) {
    struct bounds b = bounds_of(spec);
    int64_t from = 0, second = 0;
    if (!spec->cron.zone || !begin_after(&b, after_ms, &from) ||
        !cron_ceil(&spec->cron.compiled, spec->cron.zone, second_ceil(from), &second) ||
        second * 1000 > b.last)
        return false;
    *ret_ms = second * 1000;
    return true;
}

bool spec_cron_back(const struct schedule_spec *spec, int64_t until_ms, int64_t nth,
                    int64_t *ret_ms) {
    struct bounds b = bounds_of(spec);
    int64_t second = time_floor_div(until_ms < b.last ? until_ms : b.last, 1000) + 1;
    if (!spec->cron.zone || nth <= 0)
        return false;
    for (; nth > 0; nth--)
        if (!cron_floor(&spec->cron.compiled, spec->cron.zone, second - 1, &second) ||
            second * 1000 < b.first)
            return false;
    *ret_ms = second * 1000;
    return true;
}

int64_t spec_cron_count(const struct schedule_spec *spec, int64_t after_ms, int64_t until_ms) {
    struct bounds b = bounds_of(spec);
    int64_t from = 0, until = until_ms < b.last ? until_ms : b.last;
    if (!spec->cron.zone || !begin_after(&b, after_ms, &from) || from > until)
        return 0;
    return cron_count(&spec->cron.compiled, spec->cron.zone, second_ceil(from),
                      time_floor_div(until, 1000) + 1);
}

int schedule_cron_compile(struct schedule_cron *cron, ctcd_error **err) {
    int rc = cron_parse(cron->text, cron->fields, cron->dialect, &cron->compiled, err);
    if (!rc && cron->zone_name[0] == 0)
        strcpy(cron->zone_name, ZONE_UTC.name);
    if (!rc && strcmp(cron->zone_name, ZONE_UTC.name) == 0)
        cron->zone = &ZONE_UTC;
    return rc;
}
