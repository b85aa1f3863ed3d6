/* The nominal times of an interval: start + k * every, inside its window. All by arithmetic on k, in
   unsigned 64 bits, so that no instant overflows and no number of missed fires costs a loop. Those of a cron
   expression are in schedule_cron.c. */
#include "core/schedule_spec.h"

#include <ctcd/base.h>

struct grid {
    uint64_t anchor; /* k = 0, as two's complement */
    uint64_t every;
    uint64_t first, last; /* smallest and largest k that is a fire; first > last: none is */
};

static int64_t anchor_of(const struct schedule_spec *spec) {
    return spec->start_ms != CTCD_TIME_NONE ? spec->start_ms : spec->created_ms;
}

static struct grid grid_of(const struct schedule_spec *spec) {
    struct grid none = {.every = 1, .first = 1};
    int64_t anchor = anchor_of(spec);
    int64_t limit = INT64_MAX;
    if (spec->every_ms <= 0 || anchor == CTCD_TIME_NONE)
        return none;
    if (spec->end_ms != CTCD_TIME_NONE)
        limit = spec->end_inclusive ? spec->end_ms : spec->end_ms - 1;
    if (limit < anchor)
        return none;
    return (struct grid){
        .anchor = (uint64_t)anchor,
        .every = (uint64_t)spec->every_ms,
        .first = spec->start_ms != CTCD_TIME_NONE ? 0 : 1,
        .last = ((uint64_t)limit - (uint64_t)anchor) / (uint64_t)spec->every_ms,
    };
}

/* Number of fires at or before t. */
static uint64_t fires_until(const struct grid *g, int64_t t) {
    if (g->first > g->last || t < (int64_t)g->anchor)
        return 0;
    uint64_t k = ((uint64_t)t - g->anchor) / g->every;
    if (k > g->last)
        k = g->last;
    return k < g->first ? 0 : k - g->first + 1;
}

/* The nth fire, from 1; it must exist. */
static int64_t nth_fire(const struct grid *g, uint64_t nth) {
    return (int64_t)(g->anchor + (g->first + nth - 1) * g->every);
}

bool schedule_next(const struct schedule_spec *spec, int64_t after_ms, int64_t *ret_ms) {
    if (spec->kind == SCHEDULE_CRON)
        return spec_cron_next(spec, after_ms, ret_ms);
    struct grid g = grid_of(spec);
    uint64_t before = fires_until(&g, after_ms);
    if (before == fires_until(&g, INT64_MAX))
        return false;
    *ret_ms = nth_fire(&g, before + 1);
    return true;
}

bool spec_back(const struct schedule_spec *spec, int64_t until_ms, int64_t nth, int64_t *ret_ms) {
    if (spec->kind == SCHEDULE_CRON)
        return spec_cron_back(spec, until_ms, nth, ret_ms);
    struct grid g = grid_of(spec);
    uint64_t fires = fires_until(&g, until_ms);
    if (nth <= 0 || (uint64_t)nth > fires)
        return false;
    *ret_ms = nth_fire(&g, fires - (uint64_t)nth + 1);
    return true;
}

bool schedule_prev(const struct schedule_spec *spec, int64_t before_ms, int64_t *ret_ms) {
    return before_ms != CTCD_TIME_NONE && spec_back(spec, before_ms - 1, 1, ret_ms);
}

int64_t schedule_count(const struct schedule_spec *spec, int64_t after_ms, int64_t until_ms) {
    if (spec->kind == SCHEDULE_CRON)
        return spec_cron_count(spec, after_ms, until_ms);
    struct grid g = grid_of(spec);
    if (until_ms <= after_ms)
        return 0;
    uint64_t count = fires_until(&g, until_ms) - fires_until(&g, after_ms);
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

int64_t schedule_first_last_processed(const struct schedule_spec *spec) {
    return spec->start_ms == CTCD_TIME_NONE ? spec->created_ms : spec->start_ms - 1;
}
