/* Which of the due fires run; see schedule.h. Walking through nominal times is in schedule_spec.c,
   words and names are in schedule_wording.c. */
#include "core/schedule.h"

#include <ctcd/base.h>

#include "core/schedule_spec.h"

struct due {
    const struct schedule_spec *spec;
    const struct fire_sink *sink;
};

/* All fires in (after, until] are dropped for one reason. */
static int drop_all(const struct due *due, int64_t after, int64_t until, enum drop_reason reason) {
    int64_t first = 0;
    int64_t last = 0;
    int64_t count = schedule_count(due->spec, after, until);
    if (count == 0 || !schedule_next(due->spec, after, &first) ||
        !spec_back(due->spec, until, 1, &last))
        return 0;
    return due->sink->drop(due->sink->user, first, last, count, reason);
}

/* The newest `max` fires in (after, until] run, older ones are dropped. */
static int fire_newest(const struct due *due, int64_t after, int64_t until, int64_t max,
                       enum drop_reason reason, bool caught_up) {
    int64_t count = schedule_count(due->spec, after, until);
    int64_t t = 0;
    int rc = 0;
    if (count == 0)
        return 0;
    if (count > max) {
        count = max;
        if (!spec_back(due->spec, until, max, &t))
            return 0;
        rc = drop_all(due, after, t - 1, reason);
    } else if (!schedule_next(due->spec, after, &t)) {
        return 0;
    }
    for (int64_t i = 0; i < count && !rc; i++) {
        rc = due->sink->fire(due->sink->user, t, caught_up);
        if (!schedule_next(due->spec, t, &t))
            break;
    }
    return rc;
}

static int64_t window_start(const struct schedule *s, int64_t now) {
    int64_t window = s->catchup_window_ms > 0 ? s->catchup_window_ms : SCHEDULE_CATCHUP_WINDOW_MS;
    int64_t start = 0;
    return __builtin_sub_overflow(now, window, &start) ? INT64_MIN : start;
}

static int64_t catchup_max(const struct schedule *s) {
    bool given = s->catchup_max > 0 && s->catchup_max < SCHEDULE_CATCHUP_MAX;
    return given ? s->catchup_max : SCHEDULE_CATCHUP_MAX;
}

/* Fires in (after, until], which nobody saw when they were due. */
static int take_missed(const struct due *due, const struct schedule *s, int64_t after,
                       int64_t until, int64_t now) {
    int64_t window = window_start(s, now);
    if (window > INT64_MIN && window - 1 > after) {
        int64_t too_old = window - 1 < until ? window - 1 : until;
        int rc = drop_all(due, after, too_old, DROP_MISSED_WINDOW);
        if (rc || too_old == until)
            return rc;
        after = too_old;
    }
    switch (s->catchup) {
    case CATCHUP_ALL:
        return fire_newest(due, after, until, catchup_max(s), DROP_CATCHUP_MAX, true);
    case CATCHUP_LATEST:
        if (schedule_count(due->spec, until, now) > 0)
            return drop_all(due, after, until, DROP_COALESCED);
        return fire_newest(due, after, until, 1, DROP_COALESCED, true);
    case CATCHUP_SKIP:
    default:
        return drop_all(due, after, until, DROP_MISSED);
    }
}

int schedule_due(const struct schedule *schedule, int64_t last_processed_ms, int64_t live_since_ms,
                 int64_t now_ms, const struct fire_sink *sink) {
    struct due due = {.spec = &schedule->spec, .sink = sink};
    int64_t after = last_processed_ms;
    if (now_ms <= after)
        return 0;
    if (live_since_ms != CTCD_TIME_NONE && live_since_ms - 1 > after) {
        int64_t unseen = live_since_ms - 1 < now_ms ? live_since_ms - 1 : now_ms;
        int rc = take_missed(&due, schedule, after, unseen, now_ms);
        if (rc || unseen == now_ms)
            return rc;
        after = unseen;
    }
    return fire_newest(&due, after, now_ms, SCHEDULE_CATCHUP_MAX, DROP_CATCHUP_MAX, false);
}

static struct fire_verdict drop(enum drop_reason reason) {
    return (struct fire_verdict){.action = FIRE_DROP, .reason = reason};
}

static struct fire_verdict act(enum fire_action action) {
    return (struct fire_verdict){.action = action};
}

struct fire_verdict overlap_decide(enum schedule_overlap policy, size_t running, size_t waiting) {
    if (running == 0 && waiting == 0)
        return act(FIRE_LAUNCH);
    switch (policy) {
    case OVERLAP_BUFFER_ONE:
        return waiting == 0 ? act(FIRE_WAIT) : drop(DROP_BUFFER_FULL);
    case OVERLAP_BUFFER_LATEST:
        return act(waiting == 0 ? FIRE_WAIT : FIRE_WAIT_INSTEAD);
    case OVERLAP_BUFFER_ALL:
        return waiting < SCHEDULE_BUFFER_MAX ? act(FIRE_WAIT) : drop(DROP_BUFFER_FULL);
    case OVERLAP_CANCEL_OTHER:
        return act(FIRE_AFTER_CANCEL);
    case OVERLAP_TERMINATE_OTHER:
        return act(FIRE_AFTER_TERMINATE);
    case OVERLAP_ALLOW_ALL:
        return act(FIRE_LAUNCH);
    case OVERLAP_SKIP:
    default:
        return drop(DROP_OVERLAP_SKIPPED);
    }
}
