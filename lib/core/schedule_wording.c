/* Schedules in words: names of policies and of reasons, moments like "+10m", and what a schedule may
   be at all. For the pipeline file, the command and the store. */
#include "core/schedule.h"

#include <ctcd/base.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/time.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const catchup_names[] = {
    [CATCHUP_LATEST] = "latest", [CATCHUP_SKIP] = "skip", [CATCHUP_ALL] = "all"};
static const char *const overlap_names[] = {
    [OVERLAP_SKIP] = "skip",
    [OVERLAP_BUFFER_ONE] = "buffer_one",
    [OVERLAP_BUFFER_LATEST] = "buffer_latest",
    [OVERLAP_BUFFER_ALL] = "buffer_all",
    [OVERLAP_CANCEL_OTHER] = "cancel_other",
    [OVERLAP_TERMINATE_OTHER] = "terminate_other",
    [OVERLAP_ALLOW_ALL] = "allow_all",
};
static const char *const drop_names[] = {
    [DROP_NONE] = "",
    [DROP_MISSED] = "missed",
    [DROP_COALESCED] = "coalesced",
    [DROP_MISSED_WINDOW] = "missed_window",
    [DROP_CATCHUP_MAX] = "catchup_max",
    [DROP_OVERLAP_SKIPPED] = "overlap_skipped",
    [DROP_BUFFER_FULL] = "buffer_full",
    [DROP_SUPERSEDED] = "superseded",
    [DROP_PAUSED] = "paused",
};

const char *drop_reason_name(enum drop_reason reason) {
    return (unsigned)reason < COUNT(drop_names) ? drop_names[reason] : "";
}

bool drop_reason_from_name(const char *name, enum drop_reason *ret) {
    for (size_t i = 0; name && i < COUNT(drop_names); i++) {
        if (strcmp(name, drop_names[i]) == 0) {
            *ret = (enum drop_reason)i;
            return true;
        }
    }
    return false;
}

const char *schedule_catchup_name(enum schedule_catchup policy) {
    return (unsigned)policy < COUNT(catchup_names) ? catchup_names[policy] : NULL;
}

const char *schedule_overlap_name(enum schedule_overlap policy) {
    return (unsigned)policy < COUNT(overlap_names) ? overlap_names[policy] : NULL;
}

/* Hyphens count as underscores. */
static bool same_name(const char *typed, const char *name) {
    size_t i = 0;
    for (; typed[i] && name[i]; i++)
        if (typed[i] != name[i] && !(typed[i] == '-' && name[i] == '_'))
            return false;
    return typed[i] == name[i];
}

static int parse_name(const char *what, const char *name, const char *const *names, size_t count,
                      size_t *ret, ctcd_error **err) {
    for (size_t i = 0; name && i < count; i++) {
        if (same_name(name, names[i])) {
            *ret = i;
            return 0;
        }
    }
    _cleanup_(buf_done) struct buf known = {0};
    for (size_t i = 0; i < count; i++)
        buf_addf(&known, "%s%s", i ? ", " : "", names[i]);
    if (known.failed)
        return error_nomem(err);
    const char *near = name ? text_nearest(name, names, count) : NULL;
    error_set(err, CTCD_E_INVALID, NULL, "\"%.100s\" is no %s policy; there are: %s",
              name ? name : "", what, known.text);
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    return CTCD_E_INVALID;
}

int schedule_catchup_parse(const char *name, enum schedule_catchup *ret, ctcd_error **err) {
    size_t index = 0;
    int rc = parse_name("catch-up", name, catchup_names, COUNT(catchup_names), &index, err);
    if (!rc)
        *ret = (enum schedule_catchup)index;
    return rc;
}

int schedule_overlap_parse(const char *name, enum schedule_overlap *ret, ctcd_error **err) {
    size_t index = 0;
    int rc = parse_name("overlap", name, overlap_names, COUNT(overlap_names), &index, err);
    if (!rc)
        *ret = (enum schedule_overlap)index;
    return rc;
}

static bool instant_ok(int64_t ms) {
    return ms >= TIME_MIN_MS && ms <= TIME_MAX_MS;
}

static int check_every(const struct schedule_spec *spec, ctcd_error **err) {
    if (spec->every_ms >= SCHEDULE_EVERY_MIN_MS && spec->every_ms <= SCHEDULE_EVERY_MAX_MS &&
        spec->every_ms % 1000 == 0)
        return 0;
    return error_set(err, CTCD_E_INVALID, NULL,
                     "an interval is 1 s to 366 days in whole seconds, not %lld ms",
                     (long long)spec->every_ms);
}

/* Nothing ever, where that is sure: the only time of an expression may lie in a gap of its zone each year, or
   its years have gone. */
static int check_fires(const struct schedule_spec *spec, int64_t begin, ctcd_error **err) {
    int64_t ms;
    if (spec->kind != SCHEDULE_CRON || !spec->cron.zone || spec->end_ms != CTCD_TIME_NONE ||
        schedule_next(spec, begin - 1, &ms))
        return 0;
    char text[TIME_TEXT_SIZE];
    time_to_text(begin, text);
    return error_set(
        err, CTCD_E_NEVER,
        "its years have gone, or its time is one that the zone's changes always leave out",
        "\"%s\" (%s, %s) never fires after %s", spec->cron.text, spec->cron.zone_name,
        cron_dialect_name(spec->cron.dialect), text);
}

int schedule_check(const struct schedule *schedule, ctcd_error **err) {
    const struct schedule_spec *spec = &schedule->spec;
    if (spec->kind != SCHEDULE_INTERVAL && (spec->kind != SCHEDULE_CRON || !spec->cron.text[0]))
        return error_set(err, CTCD_E_INVALID, NULL,
                         "a schedule needs an interval or a cron expression");
    int rc = spec->kind == SCHEDULE_INTERVAL ? check_every(spec, err) : 0;
    if (rc)
        return rc;
    bool has_start = spec->start_ms != CTCD_TIME_NONE;
    bool has_end = spec->end_ms != CTCD_TIME_NONE;
    if (!instant_ok(spec->created_ms) || (has_start && !instant_ok(spec->start_ms)) ||
        (has_end && !instant_ok(spec->end_ms)))
        return error_set(err, CTCD_E_INVALID, NULL,
                         "start and end of a schedule lie in the years 1 to 9999");
    int64_t begin = has_start ? spec->start_ms : spec->created_ms;
    if (has_end && spec->end_ms <= begin) {
        char start_text[TIME_TEXT_SIZE];
        char end_text[TIME_TEXT_SIZE];
        time_to_text(begin, start_text);
        time_to_text(spec->end_ms, end_text);
        return error_set(err, CTCD_E_INVALID, NULL, "the end %s is not after the start %s",
                         end_text, start_text);
    }
    if (schedule->catchup_window_ms < 0)
        return error_set(err, CTCD_E_INVALID, NULL, "a catch-up window cannot be negative");
    if (schedule->catchup_max < 0 || schedule->catchup_max > SCHEDULE_CATCHUP_MAX)
        return error_set(err, CTCD_E_INVALID, NULL,
                         "the greatest number of caught-up runs is 1 to %lld, not %lld",
                         SCHEDULE_CATCHUP_MAX, (long long)schedule->catchup_max);
    if (!schedule_catchup_name(schedule->catchup) || !schedule_overlap_name(schedule->overlap))
        return error_set(err, CTCD_E_INVALID, NULL, "no such catch-up or overlap policy");
    return check_fires(spec, begin, err);
}

int moment_parse(const char *text, struct moment *ret, ctcd_error **err) {
    int64_t ms = 0;
    if (text && strcmp(text, "now") == 0)
        *ret = (struct moment){.kind = MOMENT_AFTER};
    else if (text && text[0] == '+' && text_to_duration(text + 1, &ms) && ms >= 0)
        *ret = (struct moment){.kind = MOMENT_AFTER, .ms = ms};
    else if (text && time_from_text(text, &ms))
        *ret = (struct moment){.kind = MOMENT_AT, .ms = ms};
    else
        return error_set(err, CTCD_E_INVALID,
                         "write now, +10m, or an instant with its zone like 2026-01-31T06:00:00Z",
                         "\"%.100s\" is not an instant", text ? text : "");
    return 0;
}

static int settle(const struct moment *moment, int64_t base_ms, const char *what, int64_t *ret,
                  ctcd_error **err) {
    int64_t at = moment->ms;
    if (moment->kind == MOMENT_NONE)
        at = CTCD_TIME_NONE;
    else if ((moment->kind == MOMENT_AFTER && __builtin_add_overflow(base_ms, moment->ms, &at)) ||
             !instant_ok(at))
        return error_set(err, CTCD_E_INVALID, NULL,
                         "the %s of the schedule lies outside the years 1 to 9999", what);
    *ret = at;
    return 0;
}

int schedule_from_wording(const struct schedule_wording *wording, int64_t now_ms,
                          struct schedule *ret, ctcd_error **err) {
    bool cron = wording->cron.text[0] != 0;
    struct schedule made = {
        .spec = {.kind = cron ? SCHEDULE_CRON : SCHEDULE_INTERVAL,
                 .every_ms = wording->every_ms,
                 .cron = wording->cron,
                 .created_ms = now_ms,
                 .end_inclusive = wording->end_inclusive},
        .catchup = wording->catchup,
        .overlap = wording->overlap,
        .catchup_window_ms = wording->catchup_window_ms,
        .catchup_max = wording->catchup_max,
    };
    struct schedule_spec *spec = &made.spec;
    if (cron && wording->every_ms)
        return error_set(err, CTCD_E_INVALID, NULL,
                         "a schedule has either an interval or a cron expression");
    int rc = cron ? schedule_cron_compile(&spec->cron, err) : 0;
    if (!rc)
        rc = settle(&wording->start, now_ms, "start", &spec->start_ms, err);
    if (rc)
        return rc;
    int64_t begin = spec->start_ms != CTCD_TIME_NONE ? spec->start_ms : now_ms;
    rc = settle(&wording->end, begin, "end", &spec->end_ms, err);
    if (!rc)
        rc = schedule_check(&made, err);
    if (!rc)
        *ret = made;
    return rc;
}
