/* Cron in a time zone: the wall clock of each stretch of time with one offset, and what a dialect says of
   the changes between them.

   A change forward leaves walls out (a gap), one backward shows walls again (an overlap). By the real time
   each instant whose wall fits is a fire; besides
     move   where a wall that fits lies in a gap, the end of the gap is a fire (one, however many do);
     once   what the clock has shown before in this change is no fire.
   For the dialect vixie a change of more than three hours is somebody setting the clock: neither holds. */
#include "core/cron.h"

#include <stddef.h>

#include "base/time.h"

#define CHANGE_MOST 10800                          /* of vixie */
#define LOOK_BACK (2 * 86400)                      /* how long a change backward can matter */
#define FARTHEST (26 * 3600)                       /* no offset is greater */
#define SECOND_MIN (TIME_MIN_MS / 1000 + FARTHEST) /* the wall has four digits for its year, too */
#define SECOND_MAX (TIME_MAX_MS / 1000 - FARTHEST)

/* An expression with years does not repeat, as a zone's rules do behind its file: it ends before they do. */
static int64_t last_second(const struct cron *c) {
    return c->has_years ? time_days_from_date(CRON_YEAR_MAX + 1, 1, 1) * 86400 + FARTHEST
                        : SECOND_MAX;
}

/* One segment, as the walls that count there. */
struct stretch {
    int64_t begin, last; /* instants */
    int64_t offset;
    int64_t fresh;        /* walls before it have been there already; INT64_MIN = none */
    int64_t gap, gap_end; /* walls that were left out in front of it and are moved; equal = none */
};

static bool counts(const struct cron *c, int64_t change) {
    return !c->corrects || (change >= -CHANGE_MOST && change <= CHANGE_MOST);
}

static int64_t change_before(const struct zone *zone, size_t segment) {
    return (int64_t)zone->offset[segment] - zone->offset[segment - 1];
}

/* The latest wall that the clock has shown in front of this segment, where it was set back since. */
static int64_t latest_wall(const struct cron *c, const struct zone *zone, size_t segment) {
    int64_t latest = INT64_MIN, begin = zone_segment_begin(zone, segment);
    for (size_t i = segment; i > 0 && zone->at[i - 1] > begin - LOOK_BACK; i--) {
        int64_t change = change_before(zone, i);
        if (change < 0 && !counts(c, change))
            break;
        int64_t wall = zone->at[i - 1] + zone->offset[i - 1];
        if (wall > latest)
            latest = wall;
    }
    return latest;
}

static struct stretch stretch_of(const struct cron *c, const struct zone *zone, size_t segment) {
    struct stretch s = {.begin = zone_segment_begin(zone, segment),
                        .last = zone_segment_last(zone, segment),
                        .offset = zone->offset[segment],
                        .fresh = INT64_MIN};
    if (segment == 0)
        return s;
    if (c->once)
        s.fresh = latest_wall(c, zone, segment);
    int64_t change = change_before(zone, segment);
    if (c->move && change > 0 && counts(c, change)) {
        s.gap_end = s.begin + s.offset;
        s.gap = s.gap_end - change;
        if (s.fresh > s.gap)
            s.gap = s.fresh < s.gap_end ? s.fresh : s.gap_end;
    }
    return s;
}

static bool gap_fires(const struct cron *c, const struct stretch *s) {
    int64_t wall;
    return s->gap < s->gap_end && cron_wall_ceil(c, s->gap, &wall) && wall < s->gap_end;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Behind the rules that were written out nothing is known; see zone_fold. */
static bool unknown(const struct zone *zone, size_t segment) {
    return zone->fold_after != INT64_MAX && segment == zone->count;
}

/* The segment to look at next where the first wall that fits is this one: those that end long before it need
   no look. But near `from` the clock may be set back to walls in front of it. */
static size_t skip_to(const struct zone *zone, size_t segment, int64_t from, int64_t wall) {
    if (zone->at[segment] < from + LOOK_BACK)
        return segment + 1;
    size_t far = zone_segment(zone, wall - FARTHEST);
    return far > segment ? far : segment + 1;
}

bool cron_ceil(const struct cron *c, const struct zone *zone, int64_t second, int64_t *ret) {
    if (second > last_second(c))
        return false;
    second = later(second, SECOND_MIN);
    int64_t fold = zone_fold(zone, second), from = second - fold, wall = 0;
    size_t segment = zone_segment(zone, from);
    while (!unknown(zone, segment)) {
        struct stretch s = stretch_of(c, zone, segment);
        int64_t found = 0;
        bool fits = from <= s.begin && gap_fires(c, &s);
        if (fits) {
            found = s.begin;
        } else {
            if (!cron_wall_ceil(c, later(later(from, s.begin) + s.offset, s.fresh), &wall))
                return false;
            found = wall - s.offset;
            fits = found <= s.last;
        }
        if (fits) {
            if (found + fold > SECOND_MAX)
                return false;
            *ret = found + fold;
            return true;
        }
        if (s.last + fold >= SECOND_MAX)
            return false;
        segment = skip_to(zone, segment, from, wall);
    }
    return false;
}

/* The same backwards. */
static size_t skip_back(const struct zone *zone, size_t segment, int64_t from, int64_t wall) {
    if (zone->at[segment - 1] > from - LOOK_BACK)
        return segment - 1;
    size_t near = zone_segment(zone, wall + FARTHEST);
    return near < segment ? near : segment - 1;
}

bool cron_floor(const struct cron *c, const struct zone *zone, int64_t second, int64_t *ret) {
    if (second > last_second(c))
        second = last_second(c);
    if (second < SECOND_MIN)
        return false;
    int64_t fold = zone_fold(zone, second), from = second - fold, wall = 0;
    size_t segment = zone_segment(zone, from);
    for (;;) {
        struct stretch s = stretch_of(c, zone, segment);
        int64_t until = from < s.last ? from : s.last;
        int64_t least = s.begin == INT64_MIN ? SECOND_MIN : later(s.begin + s.offset, s.fresh);
        bool known = !unknown(zone, segment) && until + s.offset >= least;
        bool any = cron_wall_floor(c, until + s.offset, &wall);
        if (known && any && wall >= least) {
            *ret = wall - s.offset + fold;
            return *ret >= SECOND_MIN;
        }
        if (from >= s.begin && gap_fires(c, &s)) {
            *ret = s.begin + fold;
            return *ret >= SECOND_MIN;
        }
        if (segment == 0)
            return false;
        segment = any ? skip_back(zone, segment, until, wall) : segment - 1;
    }
}

/* Between two instants that were folded alike. */
static int64_t count_folded(const struct cron *c, const struct zone *zone, int64_t first,
                            int64_t end) {
    int64_t count = 0;
    for (size_t i = zone_segment(zone, first); first < end; i++) {
        struct stretch s = stretch_of(c, zone, i);
        int64_t from = later(first, s.begin);
        int64_t to = s.last < end - 1 ? s.last + 1 : end;
        int64_t low = later(from + s.offset, s.fresh), high = to + s.offset;
        int64_t wall;
        count += cron_wall_count(c, low, high);
        /* The end of a gap is one fire, also where it fits by itself. */
        if (first <= s.begin && gap_fires(c, &s) &&
            !(cron_wall_ceil(c, low, &wall) && wall == s.begin + s.offset))
            count++;
        first = to;
    }
    return count;
}

int64_t cron_count(const struct cron *c, const struct zone *zone, int64_t first, int64_t end) {
    int64_t count = 0;
    first = later(first, SECOND_MIN);
    if (end > last_second(c) + 1)
        end = last_second(c) + 1;
    while (first < end) {
        int64_t fold = zone_fold(zone, first);
        int64_t to = zone->fold_after == INT64_MAX ? end : zone->fold_after + fold;
        if (to > end)
            to = end;
        count += count_folded(c, zone, first - fold, to - fold);
        first = to;
    }
    return count;
}
