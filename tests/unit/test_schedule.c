/* Interval schedules: tests/table/schedule.tsv, the arithmetic against a plain loop and at the ends of
   int64_t, overlap, names, wordings. */
#include "suite.h"

#include <ctcd/base.h>

#include "base/buf.h"
#include "base/text.h"
#include "core/schedule.h"

/* ---- the table ---- */

static int64_t time_of(const char *text) {
    int64_t ms = CTCD_TIME_NONE;
    ck_assert_msg(strcmp(text, "-") == 0 || text_to_int64(text, &ms), "no time: %s", text);
    return ms;
}

static void set_schedule(struct schedule *s, const char *key, const char *value) {
    struct schedule_spec *spec = &s->spec;
    if (strcmp(key, "every") == 0)
        spec->every_ms = time_of(value);
    else if (strcmp(key, "start") == 0)
        spec->start_ms = time_of(value);
    else if (strcmp(key, "end") == 0)
        spec->end_ms = time_of(value);
    else if (strcmp(key, "created") == 0)
        spec->created_ms = time_of(value);
    else if (strcmp(key, "end_inclusive") == 0)
        spec->end_inclusive = true;
    else if (strcmp(key, "window") == 0)
        s->catchup_window_ms = time_of(value);
    else if (strcmp(key, "max") == 0)
        s->catchup_max = time_of(value);
    else if (strcmp(key, "catchup") == 0)
        ck_assert_int_eq(schedule_catchup_parse(value, &s->catchup, NULL), 0);
    else
        ck_abort_msg("unknown setting %s", key);
}

static struct schedule interval(int64_t every, int64_t start, int64_t end) {
    return (struct schedule){
        .spec = {.kind = SCHEDULE_INTERVAL, .every_ms = every, .start_ms = start, .end_ms = end}};
}

static struct schedule schedule_of(char *text) {
    struct schedule s = interval(0, CTCD_TIME_NONE, CTCD_TIME_NONE);
    for (char *setting; (setting = strsep(&text, " ")) != NULL;) {
        char *value = strchr(setting, '=');
        ck_assert_ptr_nonnull(value);
        *value++ = 0;
        set_schedule(&s, setting, value);
    }
    return s;
}

static int note_fire(void *user, int64_t t, bool caught_up) {
    buf_addf(user, " %s%lld", caught_up ? "+" : "", (long long)t);
    return 0;
}

static int note_drop(void *user, int64_t first, int64_t last, int64_t count, enum drop_reason why) {
    buf_addf(user, " %s:%lld-%lld*%lld", drop_reason_name(why), (long long)first, (long long)last,
             (long long)count);
    return 0;
}

static void check_row(char *text, int line) {
    char *columns[5];
    for (size_t i = 0; i < 5; i++) {
        columns[i] = strsep(&text, "\t");
        ck_assert_msg(columns[i], "line %d has not five columns", line);
    }
    struct schedule s = schedule_of(columns[0]);
    bool fresh = strcmp(columns[1], "first") == 0;
    int64_t last = fresh ? schedule_first_last_processed(&s.spec) : time_of(columns[1]);
    _cleanup_(buf_done) struct buf seen = {0};
    struct fire_sink sink = {note_fire, note_drop, &seen};
    ck_assert_int_eq(schedule_due(&s, last, time_of(columns[2]), time_of(columns[3]), &sink), 0);
    const char *result = seen.len ? seen.text + 1 : "-";
    ck_assert_msg(strcmp(result, columns[4]) == 0, "line %d: %s\n instead of %s", line, result,
                  columns[4]);
}

START_TEST(table) {
    char path[4096];
    suite_source(path, "tests/table/schedule.tsv");
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "cannot open %s", path);
    char text[1024];
    int rows = 0;
    for (int line = 1; fgets(text, sizeof text, file); line++) {
        text[strcspn(text, "\n")] = 0;
        if (!*text || *text == '#')
            continue;
        check_row(text, line);
        rows++;
    }
    fclose(file);
    ck_assert_int_ge(rows, 50);
}
END_TEST

/* ---- against a plain loop ---- */

static uint64_t seed = 88172645463325252u;

static int64_t pick(int64_t low, int64_t high) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return low + (int64_t)(seed % (uint64_t)(high - low + 1));
}

/* Is t a fire, by the definition? */
static bool is_fire(const struct schedule_spec *s, int64_t t) {
    int64_t anchor = s->start_ms != CTCD_TIME_NONE ? s->start_ms : s->created_ms;
    bool late = s->end_ms != CTCD_TIME_NONE && (s->end_inclusive ? t > s->end_ms : t >= s->end_ms);
    bool early = s->start_ms != CTCD_TIME_NONE ? t < anchor : t <= anchor;
    return !late && !early && (t - anchor) % s->every_ms == 0;
}

static struct schedule random_schedule(void) {
    struct schedule s = interval(pick(1, 9), pick(0, 3) ? pick(-30, 30) : CTCD_TIME_NONE,
                                 pick(0, 3) ? pick(-40, 60) : CTCD_TIME_NONE);
    s.spec.created_ms = pick(-30, 30);
    s.spec.end_inclusive = pick(0, 1);
    s.catchup = (enum schedule_catchup)pick(0, 2);
    s.catchup_window_ms = pick(0, 1) ? 0 : pick(1, 40);
    s.catchup_max = pick(0, 1) ? 0 : pick(1, 5);
    return s;
}

START_TEST(walking_is_what_the_definition_says) {
    for (int round = 0; round < 2000; round++) {
        struct schedule s = random_schedule();
        int64_t t = pick(-60, 60);
        int64_t found = 1000;
        int64_t next = t + 1;
        while (next < 200 && !is_fire(&s.spec, next))
            next++;
        ck_assert_int_eq(schedule_next(&s.spec, t, &found), next < 200);
        ck_assert_int_eq(found, next < 200 ? next : 1000);
        found = 1000;
        int64_t prev = t - 1;
        while (prev > -200 && !is_fire(&s.spec, prev))
            prev--;
        ck_assert_int_eq(schedule_prev(&s.spec, t, &found), prev > -200);
        ck_assert_int_eq(found, prev > -200 ? prev : 1000);
        int64_t until = pick(-60, 60);
        int64_t count = 0;
        for (int64_t i = t + 1; i <= until; i++)
            count += is_fire(&s.spec, i);
        ck_assert_int_eq(schedule_count(&s.spec, t, until), count);
    }
}
END_TEST

/* Every due fire is told exactly once, in order, and nothing else is. */
struct ledger {
    const struct schedule_spec *spec;
    int64_t at, told, fired;
    int64_t newest_fired;
};

static void tell(struct ledger *l, int64_t first, int64_t last, int64_t count) {
    int64_t next = 0;
    ck_assert(schedule_next(l->spec, l->at, &next));
    ck_assert_int_eq(next, first);
    ck_assert_int_ge(last, first);
    ck_assert_int_eq(schedule_count(l->spec, first - 1, last), count);
    ck_assert(is_fire(l->spec, last));
    l->at = last;
    l->told += count;
}

static int ledger_fire(void *user, int64_t t, bool caught_up) {
    (void)caught_up;
    struct ledger *l = user;
    tell(l, t, t, 1);
    l->fired++;
    l->newest_fired = t;
    return 0;
}

static int ledger_drop(void *user, int64_t first, int64_t last, int64_t count,
                       enum drop_reason why) {
    ck_assert_int_ne(why, DROP_NONE);
    tell(user, first, last, count);
    return 0;
}

START_TEST(each_due_fire_is_told_once) {
    for (int round = 0; round < 5000; round++) {
        struct schedule s = random_schedule();
        int64_t last = pick(-60, 60);
        int64_t now = pick(-60, 90);
        int64_t live = pick(0, 2) ? pick(-60, 90) : CTCD_TIME_NONE;
        struct ledger l = {.spec = &s.spec, .at = last};
        struct fire_sink sink = {ledger_fire, ledger_drop, &l};
        ck_assert_int_eq(schedule_due(&s, last, live, now, &sink), 0);
        int64_t due = schedule_count(&s.spec, last, now);
        ck_assert_int_eq(l.told, due);
        int64_t on_time = schedule_count(
            &s.spec,
            live - (live != CTCD_TIME_NONE) > last ? live - (live != CTCD_TIME_NONE) : last, now);
        ck_assert_int_ge(l.fired, on_time);
        if (s.catchup == CATCHUP_SKIP)
            ck_assert_int_eq(l.fired, on_time);
        if (s.catchup == CATCHUP_LATEST)
            ck_assert_int_le(l.fired, on_time > 0 ? on_time : 1);
        if (s.catchup == CATCHUP_ALL && !s.catchup_window_ms && !s.catchup_max)
            ck_assert_int_eq(l.fired, due);
        if (l.fired && s.catchup != CATCHUP_SKIP)
            ck_assert_int_eq(l.newest_fired, l.at); /* never an older one instead */
    }
}
END_TEST

/* ---- the ends of the number line ---- */

START_TEST(nothing_overflows) {
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    static const int64_t steps[] = {INT64_MIN, -1, 0, 1, 2, 1000, INT64_MAX - 1, INT64_MAX};
    const size_t n = sizeof ends / sizeof ends[0];
    const size_t m = sizeof steps / sizeof steps[0];
    for (size_t i = 0; i < n * n * n * n * m; i++) {
        struct schedule s = interval(steps[i / n / n / n / n % m], ends[i % n], ends[i / n % n]);
        s.spec.created_ms = ends[i / n / n % n];
        s.spec.end_inclusive = i & 1;
        s.catchup = (enum schedule_catchup)(i % 3);
        s.catchup_max = 3;
        int64_t t = ends[i / n / n / n % n];
        int64_t next = 0;
        int64_t prev = 0;
        bool has_next = schedule_next(&s.spec, t, &next);
        bool has_prev = schedule_prev(&s.spec, t, &prev);
        ck_assert(!has_next || next > t);
        ck_assert(!has_prev || prev < t);
        if (has_next && has_prev) {
            int64_t between = 0;
            ck_assert(schedule_prev(&s.spec, next, &between) && between <= t);
            ck_assert(schedule_next(&s.spec, prev, &between) && between >= t);
        }
        ck_assert_int_ge(schedule_count(&s.spec, INT64_MIN, t), 0);
        (void)schedule_first_last_processed(&s.spec);
    }
}
END_TEST

START_TEST(due_at_the_ends) {
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    const size_t n = sizeof ends / sizeof ends[0];
    for (size_t i = 0; i < n * n * n * 3; i++) {
        struct schedule s = interval(INT64_MAX / 4, INT64_MIN + 1, CTCD_TIME_NONE);
        s.catchup = (enum schedule_catchup)(i % 3);
        s.catchup_window_ms = i & 1 ? INT64_MAX : 1;
        int64_t last = ends[i / 3 % n];
        int64_t now = ends[i / 3 / n / n % n];
        _cleanup_(buf_done) struct buf seen = {0};
        struct fire_sink sink = {note_fire, note_drop, &seen};
        ck_assert_int_eq(schedule_due(&s, last, ends[i / 3 / n % n], now, &sink), 0);
        ck_assert(now > last || !seen.len);
    }
    /* A nanosecond clock in place of ms, every 1 ms since 1970, is a matter of at most 20,000 calls. */
    struct schedule s = interval(1, 0, CTCD_TIME_NONE);
    _cleanup_(buf_done) struct buf seen = {0};
    struct fire_sink sink = {note_fire, note_drop, &seen};
    s.catchup = CATCHUP_ALL;
    ck_assert_int_eq(schedule_due(&s, -1, CTCD_TIME_NONE, INT64_MAX, &sink), 0);
    ck_assert(text_starts(seen.text, " catchup_max:0-"));
    buf_clear(&seen);
    ck_assert_int_eq(schedule_due(&s, -1, INT64_MAX, INT64_MAX, &sink), 0);
    ck_assert(text_starts(seen.text, " missed_window:0-"));
    ck_assert_int_eq(schedule_count(&s.spec, INT64_MIN, INT64_MAX), INT64_MAX); /* saturated */
}
END_TEST

static int stop_at_120(void *user, int64_t t, bool caught_up) {
    (void)caught_up;
    ++*(int *)user;
    return t == 120000 ? -77 : 0;
}

static int stop_at_once(void *user, int64_t first, int64_t last, int64_t count,
                        enum drop_reason why) {
    (void)first, (void)last, (void)count, (void)why;
    ++*(int *)user;
    return -78;
}

START_TEST(the_sink_can_stop_the_walk) {
    struct schedule s = interval(60000, 0, CTCD_TIME_NONE);
    int calls = 0;
    struct fire_sink sink = {stop_at_120, stop_at_once, &calls};
    ck_assert_int_eq(schedule_due(&s, 0, CTCD_TIME_NONE, 600000, &sink), -77);
    ck_assert_int_eq(calls, 2);
    calls = 0;
    ck_assert_int_eq(schedule_due(&s, 0, 600000, 600000, &sink), -78);
    ck_assert_int_eq(calls, 1);
}
END_TEST

/* ---- overlap ---- */

START_TEST(overlap_policies) {
    static const struct {
        enum schedule_overlap policy;
        size_t running, waiting;
        enum fire_action action;
        enum drop_reason reason;
    } rows[] = {
        {OVERLAP_SKIP, 0, 0, FIRE_LAUNCH, DROP_NONE},
        {OVERLAP_SKIP, 1, 0, FIRE_DROP, DROP_OVERLAP_SKIPPED},
        {OVERLAP_SKIP, 0, 1, FIRE_DROP, DROP_OVERLAP_SKIPPED},
        {OVERLAP_BUFFER_ONE, 0, 0, FIRE_LAUNCH, DROP_NONE},
        {OVERLAP_BUFFER_ONE, 1, 0, FIRE_WAIT, DROP_NONE},
        {OVERLAP_BUFFER_ONE, 1, 1, FIRE_DROP, DROP_BUFFER_FULL},
        {OVERLAP_BUFFER_LATEST, 0, 0, FIRE_LAUNCH, DROP_NONE},
        {OVERLAP_BUFFER_LATEST, 1, 0, FIRE_WAIT, DROP_NONE},
        {OVERLAP_BUFFER_LATEST, 1, 1, FIRE_WAIT_INSTEAD, DROP_NONE},
        {OVERLAP_BUFFER_ALL, 0, 0, FIRE_LAUNCH, DROP_NONE},
        {OVERLAP_BUFFER_ALL, 1, 0, FIRE_WAIT, DROP_NONE},
        {OVERLAP_BUFFER_ALL, 0, 1, FIRE_WAIT, DROP_NONE},
        {OVERLAP_BUFFER_ALL, 1, SCHEDULE_BUFFER_MAX - 1, FIRE_WAIT, DROP_NONE},
        {OVERLAP_BUFFER_ALL, 1, SCHEDULE_BUFFER_MAX, FIRE_DROP, DROP_BUFFER_FULL},
        {OVERLAP_BUFFER_ALL, SIZE_MAX, SIZE_MAX, FIRE_DROP, DROP_BUFFER_FULL},
        {OVERLAP_CANCEL_OTHER, 0, 0, FIRE_LAUNCH, DROP_NONE},
        {OVERLAP_CANCEL_OTHER, 1, 0, FIRE_AFTER_CANCEL, DROP_NONE},
        {OVERLAP_TERMINATE_OTHER, 1, 0, FIRE_AFTER_TERMINATE, DROP_NONE},
        {OVERLAP_ALLOW_ALL, 5, 0, FIRE_LAUNCH, DROP_NONE},
        {(enum schedule_overlap)99, 1, 0, FIRE_DROP, DROP_OVERLAP_SKIPPED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fire_verdict v = overlap_decide(rows[i].policy, rows[i].running, rows[i].waiting);
        ck_assert_msg(v.action == rows[i].action && v.reason == rows[i].reason, "row %zu", i);
    }
}
END_TEST

/* Ten fires, each run takes 2.5 intervals: which nominal times run? One run at a time. */
static void simulate(enum schedule_overlap policy, const char *want) {
    _cleanup_(buf_done) struct buf runs = {0};
    int64_t waiting[10];
    size_t count = 0;
    double busy_until = -1;
    for (int64_t t = 0; t < 10; t++) {
        while (count && busy_until <= (double)t) {
            buf_addf(&runs, " %lld", (long long)waiting[0]);
            memmove(waiting, waiting + 1, --count * sizeof waiting[0]);
            busy_until = (busy_until < 0 ? (double)t : busy_until) + 2.5;
        }
        switch (overlap_decide(policy, busy_until > (double)t, count).action) {
        case FIRE_LAUNCH:
            buf_addf(&runs, " %lld", (long long)t);
            busy_until = (double)t + 2.5;
            break;
        case FIRE_WAIT:
            waiting[count++] = t;
            break;
        case FIRE_WAIT_INSTEAD:
            waiting[0] = t;
            break;
        default:
            break;
        }
    }
    for (size_t i = 0; i < count; i++)
        buf_addf(&runs, " %lld", (long long)waiting[i]);
    ck_assert_str_eq(runs.text + 1, want);
}

START_TEST(a_slow_run) {
    simulate(OVERLAP_SKIP, "0 3 6 9");
    simulate(OVERLAP_BUFFER_ONE, "0 1 3 5 8");
    simulate(OVERLAP_BUFFER_LATEST, "0 2 4 7 9");
    simulate(OVERLAP_BUFFER_ALL, "0 1 2 3 4 5 6 7 8 9");
}
END_TEST

/* ---- words ---- */

START_TEST(names) {
    for (int i = CATCHUP_LATEST; i <= CATCHUP_ALL; i++) {
        enum schedule_catchup policy = CATCHUP_LATEST;
        const char *name = schedule_catchup_name((enum schedule_catchup)i);
        ck_assert_int_eq(schedule_catchup_parse(name, &policy, NULL), 0);
        ck_assert_int_eq(policy, i);
    }
    for (int i = OVERLAP_SKIP; i <= OVERLAP_ALLOW_ALL; i++) {
        enum schedule_overlap policy = OVERLAP_SKIP;
        const char *name = schedule_overlap_name((enum schedule_overlap)i);
        ck_assert_int_eq(schedule_overlap_parse(name, &policy, NULL), 0);
        ck_assert_int_eq(policy, i);
    }
    for (int i = DROP_NONE; i <= DROP_PAUSED; i++) {
        enum drop_reason reason = DROP_NONE;
        ck_assert(drop_reason_from_name(drop_reason_name((enum drop_reason)i), &reason));
        ck_assert_int_eq(reason, i);
    }
    enum drop_reason reason = DROP_PAUSED;
    ck_assert(!drop_reason_from_name("lost", &reason) && !drop_reason_from_name(NULL, &reason));
    ck_assert_int_eq(reason, DROP_PAUSED);
    ck_assert_str_eq(drop_reason_name((enum drop_reason)99), "");
    ck_assert_ptr_null(schedule_catchup_name((enum schedule_catchup)99));
    ck_assert_ptr_null(schedule_overlap_name((enum schedule_overlap) - 1));

    enum schedule_overlap overlap = OVERLAP_SKIP;
    ck_assert_int_eq(schedule_overlap_parse("buffer-all", &overlap, NULL), 0);
    ck_assert_int_eq(overlap, OVERLAP_BUFFER_ALL);
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_int_eq(schedule_overlap_parse("bufer_all", &overlap, &err), CTCD_E_INVALID);
    ck_assert_str_eq(error_hint_text(err), "did you mean \"buffer_all\"?");
    enum schedule_catchup catchup = CATCHUP_ALL;
    ck_assert_int_eq(schedule_catchup_parse("latests", &catchup, &err), CTCD_E_INVALID);
    ck_assert(strstr(error_message(err), "there are: latest, skip, all"));
    ck_assert_int_eq(schedule_catchup_parse(NULL, &catchup, &err), CTCD_E_INVALID);
    ck_assert_int_eq(schedule_catchup_parse("", &catchup, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(catchup, CATCHUP_ALL);
}
END_TEST

START_TEST(moments) {
    struct moment m = {MOMENT_NONE, 5};
    ck_assert_int_eq(moment_parse("now", &m, NULL), 0);
    ck_assert(m.kind == MOMENT_AFTER && m.ms == 0);
    ck_assert_int_eq(moment_parse("+10m", &m, NULL), 0);
    ck_assert(m.kind == MOMENT_AFTER && m.ms == 600000);
    ck_assert_int_eq(moment_parse("1970-01-01T01:00:00+01:00", &m, NULL), 0);
    ck_assert(m.kind == MOMENT_AT && m.ms == 0);
    static const char *const bad[] = {"",    "+",   "10m",        "-10m",
                                      "+-1", "Now", "2026-01-01", "2026-01-01T00:00:00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        _cleanup_(error_done) ctcd_error *err = NULL;
        ck_assert_msg(moment_parse(bad[i], &m, &err) == CTCD_E_INVALID, "%s", bad[i]);
        ck_assert(strstr(error_hint_text(err), "+10m"));
    }
    ck_assert_int_eq(moment_parse(NULL, &m, NULL), CTCD_E_INVALID);
    ck_assert(m.kind == MOMENT_AT && m.ms == 0);
}
END_TEST

START_TEST(wordings_are_settled) {
    struct schedule_wording w = {.present = true,
                                 .every_ms = 60000,
                                 .overlap = OVERLAP_BUFFER_ALL,
                                 .start = {MOMENT_AFTER, 0},
                                 .end = {MOMENT_AFTER, 600000}};
    struct schedule s = {0};
    ck_assert_int_eq(schedule_from_wording(&w, 1000, &s, NULL), 0);
    ck_assert_int_eq(s.spec.start_ms, 1000);
    ck_assert_int_eq(s.spec.end_ms, 601000);
    ck_assert_int_eq(schedule_count(&s.spec, CTCD_TIME_NONE, INT64_MAX), 10);
    ck_assert(s.overlap == OVERLAP_BUFFER_ALL && s.catchup == CATCHUP_LATEST);
    w.start.kind = MOMENT_NONE;
    ck_assert_int_eq(schedule_from_wording(&w, 1000, &s, NULL), 0);
    ck_assert_int_eq(s.spec.start_ms, CTCD_TIME_NONE);
    ck_assert_int_eq(s.spec.end_ms, 601000);
    ck_assert_int_eq(schedule_count(&s.spec, CTCD_TIME_NONE, INT64_MAX), 9);
    w.start = (struct moment){MOMENT_AT, 5000};
    w.end.kind = MOMENT_NONE;
    ck_assert_int_eq(schedule_from_wording(&w, 1000, &s, NULL), 0);
    ck_assert_int_eq(s.spec.start_ms, 5000);
    ck_assert_int_eq(s.spec.end_ms, CTCD_TIME_NONE);
}
END_TEST

static void refused(struct schedule_wording w, int64_t now, const char *message) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    struct schedule s = {.catchup_max = 77};
    w.present = true;
    ck_assert_int_eq(schedule_from_wording(&w, now, &s, &err), CTCD_E_INVALID);
    ck_assert_msg(strstr(error_message(err), message), "%s", error_message(err));
    ck_assert_int_eq(s.catchup_max, 77);
}

START_TEST(impossible_wordings) {
    struct schedule_wording w = {.every_ms = 999};
    refused(w, 0, "1 s to 366 days");
    w.every_ms = 1500;
    refused(w, 0, "whole seconds");
    w.every_ms = 0;
    refused(w, 0, "0 ms");
    w.every_ms = INT64_MIN;
    refused(w, 0, "1 s to 366 days");
    w.every_ms = SCHEDULE_EVERY_MAX_MS + 1000;
    refused(w, 0, "366 days");
    w.every_ms = SCHEDULE_EVERY_MAX_MS;
    w.end = (struct moment){MOMENT_AFTER, 0};
    refused(w, 0, "the end 1970-01-01T00:00:00Z is not after the start 1970-01-01T00:00:00Z");
    w.end = (struct moment){MOMENT_AFTER, INT64_MAX};
    refused(w, 1, "years 1 to 9999");
    w.end.kind = MOMENT_NONE;
    w.start = (struct moment){MOMENT_AT, INT64_MAX};
    refused(w, 0, "years 1 to 9999");
    w.start = (struct moment){MOMENT_AFTER, INT64_MAX};
    refused(w, INT64_MAX, "years 1 to 9999");
    w.start.kind = MOMENT_NONE;
    refused(w, CTCD_TIME_NONE, "years 1 to 9999");
    w.catchup_window_ms = -1;
    refused(w, 0, "negative");
    w.catchup_window_ms = 0;
    w.catchup_max = SCHEDULE_CATCHUP_MAX + 1;
    refused(w, 0, "greatest number");
    w.catchup_max = 0;
    w.overlap = (enum schedule_overlap)99;
    refused(w, 0, "policy");
}
END_TEST

START_TEST(no_memory) {
    for (uint64_t nth = 1; nth < 100; nth++) {
        enum schedule_overlap overlap = OVERLAP_SKIP;
        struct moment m = {0};
        _cleanup_(error_done) ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        int rc = schedule_overlap_parse("skipp", &overlap, &err);
        int moment = moment_parse("later", &m, &err);
        bool all = mem_test_count() < nth;
        mem_test_fail_at(0);
        ck_assert(rc == CTCD_E_INVALID || rc == CTCD_E_NOMEM);
        ck_assert(moment == CTCD_E_INVALID || moment == CTCD_E_NOMEM);
        if (all)
            return;
    }
    ck_abort_msg("no end");
}
END_TEST

SUITE_MAIN("schedule", table, walking_is_what_the_definition_says, each_due_fire_is_told_once,
           nothing_overflows, due_at_the_ends, the_sink_can_stop_the_walk, overlap_policies,
           a_slow_run, names, moments, wordings_are_settled, impossible_wordings, no_memory)
