/* Schedules and the scheduler through the API, under a clock that the test moves: next fires, ten runs in ten
   minutes, what was missed, what overlaps, what a dead scheduler leaves. The runs' only step deploys to a back
   end inside the test, so no time passes but by hand. */
#include "firing.h"

#define MINUTE 60000

static ctcd_schedule *every(int64_t ms) {
    ctcd_schedule *schedule = NULL;
    ok(ctcd_schedule_new_interval(ctx, ms, &schedule, &err));
    return schedule;
}

/* Stored, from now on for so many minutes. */
static ctcd_schedule *created(const char *name, int minutes, const char *catchup,
                              const char *overlap) {
    ctcd_schedule *schedule = every(MINUTE);
    int64_t now = atomic_load(&hand.wall);
    ok(ctcd_schedule_set_window(schedule, now, now + minutes * MINUTE, 0, &err));
    ok(ctcd_schedule_set_catchup(schedule, catchup, &err));
    ok(ctcd_schedule_set_overlap(schedule, overlap, &err));
    ok(ctcd_schedule_create(schedule, pipeline, name, &err));
    return schedule;
}

static ctcd_schedule *get(const char *name) {
    ctcd_schedule *schedule = NULL;
    ok(ctcd_schedule_get(ctx, name, &schedule, &err));
    return schedule;
}

static ctcd_op *scheduler(uint32_t flags) {
    ctcd_op *op = NULL;
    ok(ctcd_scheduler_start(ctx, flags, &op, &err));
    return op;
}

/* Lets time pass until nothing is left to do. */
static void run_until_idle(void) {
    ctcd_op *op = scheduler(CTCD_SCHEDULER_UNTIL_IDLE);
    int rc = play(ctx, &hand, op);
    ck_assert_msg(rc == 0, "%s", ctcd_error_message(err));
    ctcd_op_unref(op);
}

/* Runs of a schedule, oldest first: each one ended with this status, and their nominal times. */
static size_t nominals(const char *name, const char *status, int64_t times[64]) {
    ctcd_list *list = NULL;
    ok(ctcd_run_list(ctx, NULL, name, 1000, 0, &list, &err));
    size_t count = ctcd_list_count(list);
    ck_assert_uint_le(count, 64);
    for (size_t i = 0; i < count; i++) {
        ctcd_run *run = ctcd_list_run(list, count - 1 - i);
        ck_assert_str_eq(ctcd_run_status(run), status);
        ck_assert_str_eq(ctcd_run_schedule(run), name);
        times[i] = ctcd_run_nominal(run);
        ck_assert_int_ge(ctcd_run_started(run), times[i]);
    }
    ctcd_list_unref(list);
    return count;
}

/* The nominal times are start, start + 1 min, ...: all of them, none twice. */
static void ck_all_minutes(const char *name, int64_t start, size_t count) {
    int64_t times[64];
    ck_assert_uint_eq(nominals(name, "completed", times), count);
    for (size_t i = 0; i < count; i++) {
        size_t found = 0;
        for (size_t k = 0; k < count; k++)
            found += times[k] == start + (int64_t)i * MINUTE;
        ck_assert_uint_eq(found, 1);
    }
}

/* ---- when ------------------------------------------------------------------------------------- */

START_TEST(ten_fires_in_ten_minutes) {
    ctcd_schedule *schedule = every(MINUTE);
    int64_t at = CTCD_TIME_NONE, start = HAND_WALL;
    ok(ctcd_schedule_set_window(schedule, start, start + 10 * MINUTE, 0, &err));
    for (int64_t k = 0; k < 10; k++) {
        ok(ctcd_schedule_next(schedule, at, &at, &err));
        ck_assert_int_eq(at, start + k * MINUTE);
    }
    ck_assert_int_eq(ctcd_schedule_next(schedule, at, &at, &err), CTCD_NONE); /* the end is none */
    ck_assert_int_eq(at, start + 9 * MINUTE);
    ok(ctcd_schedule_next(schedule, start + 1, &at, &err));
    ck_assert_int_eq(at, start + MINUTE);
    ok(ctcd_schedule_set_window(schedule, start, start + 10 * MINUTE, 1, &err));
    ok(ctcd_schedule_next(schedule, start + 9 * MINUTE, &at, &err));
    ck_assert_int_eq(at, start + 10 * MINUTE);
    ok(ctcd_schedule_set_window(schedule, CTCD_TIME_NONE, CTCD_TIME_NONE, 0, &err));
    ok(ctcd_schedule_next(schedule, CTCD_TIME_NONE, &at, &err)); /* counted from when it was made */
    ck_assert_int_eq(at, HAND_WALL + MINUTE);
    fails(ctcd_schedule_next(schedule, at, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_next(NULL, at, &at, &err), CTCD_E_INVALID);
    ctcd_schedule_unref(schedule);
}
END_TEST

START_TEST(what_cannot_be_a_schedule_is_refused) {
    static const int64_t bad[] = {0,         -1000,    999, 1500, 366LL * 86400000 + 1000,
                                  INT64_MAX, INT64_MIN};
    ctcd_schedule *schedule = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fails(ctcd_schedule_new_interval(ctx, bad[i], &schedule, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(schedule);
    fails(ctcd_schedule_new_interval(ctx, MINUTE, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_new_interval(NULL, MINUTE, &schedule, &err), CTCD_E_INVALID);
    schedule = every(1000);
    ctcd_schedule_unref(schedule);
    schedule = every(366LL * 86400000);
    fails(ctcd_schedule_set_window(schedule, 1000, 1000, 0, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_window(schedule, 1000, 999, 1, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_window(schedule, 1000, 2000, 2, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_window(schedule, INT64_MAX, CTCD_TIME_NONE, 0, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_catchup(schedule, "lates", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "latest");
    fails(ctcd_schedule_set_catchup(schedule, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_overlap(schedule, "cancel_other", &err), CTCD_E_NOT_SUPPORTED);
    ck_assert_has(ctcd_error_hint(err), "buffer_all");
    fails(ctcd_schedule_set_overlap(schedule, "never", &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_overlap(schedule, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_window(NULL, 0, 1, 0, &err), CTCD_E_INVALID);
    ck_assert(ctcd_schedule_start(schedule) == CTCD_TIME_NONE); /* nothing of it was kept */
    ck_assert_str_eq(ctcd_schedule_catchup(schedule), "latest");
    ck_assert_str_eq(ctcd_schedule_overlap(schedule), "skip");
    ctcd_schedule_unref(schedule);
}
END_TEST

START_TEST(instants_and_durations_are_texts) {
    static const struct {
        const char *text;
        int64_t ms; /* INT64_MIN = refused */
    } durations[] = {{"60", 60000},      {"90s", 90000},
                     {"10m", 600000},    {"1h30m", 5400000},
                     {"250ms", 250},     {"2d", 172800000},
                     {"", INT64_MIN},    {"soon", INT64_MIN},
                     {"10x", INT64_MIN}, {"99999999999999999999s", INT64_MIN}},
      instants[] = {{"1970-01-01T00:00:00Z", 0},
                    {"2026-01-01T00:00:00Z", 1767225600000},
                    {"2026-01-01T01:00:00.250+01:00", 1767225600250},
                    {"now", 5000},
                    {"+10m", 605000},
                    {"yesterday", INT64_MIN},
                    {"2026-02-30T00:00:00Z", INT64_MIN},
                    {"", INT64_MIN}};
    int64_t got = 77;
    char text[40];
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        got = 77;
        int rc = ctcd_duration_parse(durations[i].text, &got, NULL);
        bool bad = durations[i].ms == INT64_MIN;
        ck_assert_msg(rc == (bad ? CTCD_E_INVALID : 0), "%s", durations[i].text);
        ck_assert_int_eq(got, bad ? 77 : durations[i].ms);
    }
    for (size_t i = 0; i < sizeof instants / sizeof *instants; i++) {
        got = 77;
        int rc = ctcd_time_parse(instants[i].text, 5000, &got, NULL);
        bool bad = instants[i].ms == INT64_MIN;
        ck_assert_msg(rc == (bad ? CTCD_E_INVALID : 0), "%s", instants[i].text);
        ck_assert_int_eq(got, bad ? 77 : instants[i].ms);
    }
    fails(ctcd_duration_parse("soon", &got, &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "soon");
    ck_assert_has(ctcd_error_hint(err), "10m");
    fails(ctcd_duration_parse(NULL, &got, &err), CTCD_E_INVALID);
    fails(ctcd_duration_parse("1s", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_time_parse(NULL, 0, &got, &err), CTCD_E_INVALID);
    fails(ctcd_time_parse("now", 0, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_time_parse("+10m", INT64_MAX, &got, &err), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_time_format(1767225600000, text, sizeof text), 0);
    ck_assert_str_eq(text, "2026-01-01T00:00:00Z");
    ck_assert_int_eq(ctcd_time_format(1767225600250, text, 32), 0);
    ck_assert_str_eq(text, "2026-01-01T00:00:00.250Z");
    ck_assert_int_eq(ctcd_time_format(0, text, 31), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_time_format(0, NULL, 32), CTCD_E_INVALID);
}
END_TEST

/* ---- stored ones ------------------------------------------------------------------------------ */

START_TEST(a_schedule_is_created_found_listed_and_deleted) {
    ctcd_list *list = NULL;
    ctcd_schedule *made = every(MINUTE), *found = NULL, *twice = every(MINUTE);
    ck_assert_str_eq(ctcd_schedule_name(made), "");
    ck_assert_str_eq(ctcd_schedule_uuid(made), "");
    ok(ctcd_pipeline_set_param(pipeline, "n", "2", &err));
    ok(ctcd_schedule_create(made, pipeline, NULL, &err)); /* under the pipeline's name */
    ck_assert_str_eq(ctcd_schedule_name(made), "digits");
    ck_assert_uint_eq(strlen(ctcd_schedule_uuid(made)), 36);
    ck_assert_str_eq(ctcd_schedule_pipeline(made), "digits");
    ck_assert_int_eq(ctcd_schedule_counter(made, "runs"), 0);
    fails(ctcd_schedule_create(twice, pipeline, NULL, &err), CTCD_E_EXISTS);
    ck_assert_has(ctcd_error_message(err), "digits");
    ck_assert_str_eq(ctcd_schedule_uuid(twice), "");
    ok(ctcd_schedule_create(twice, pipeline, "a-second", &err));
    fails(ctcd_schedule_create(twice, pipeline, "third", &err), CTCD_E_EXISTS); /* stored already */
    fails(ctcd_schedule_set_overlap(made, "skip", &err), CTCD_E_CONFLICT);
    fails(ctcd_schedule_set_window(made, 0, 1000, 0, &err), CTCD_E_CONFLICT);
    found = get("digits");
    ck_assert_str_eq(ctcd_schedule_uuid(found), ctcd_schedule_uuid(made));
    ck_assert_int_eq(ctcd_schedule_every(found), MINUTE);
    ck_assert(ctcd_schedule_start(found) == CTCD_TIME_NONE);
    ck_assert(ctcd_schedule_end(found) == CTCD_TIME_NONE);
    ctcd_schedule_unref(found);
    char prefix[9];
    (void)snprintf(prefix, sizeof prefix, "%.8s", ctcd_schedule_uuid(twice));
    found = get(prefix);
    ck_assert_str_eq(ctcd_schedule_name(found), "a-second");
    ck_assert_ptr_eq(ctcd_schedule_ref(found), found);
    ctcd_schedule_unref(found);
    ck_assert_ptr_null(ctcd_schedule_unref(found));
    ok(ctcd_schedule_list(ctx, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 2);
    ck_assert_str_eq(ctcd_schedule_name(ctcd_list_schedule(list, 0)), "a-second");
    ck_assert_str_eq(ctcd_schedule_name(ctcd_list_schedule(list, 1)), "digits");
    ck_assert_ptr_null(ctcd_list_schedule(list, 2));
    ck_assert_ptr_null(ctcd_list_run(list, 0));
    ctcd_list_unref(list);
    ok(ctcd_schedule_delete(made, &err));
    fails(ctcd_schedule_delete(made, &err), CTCD_E_NOT_FOUND);
    found = NULL;
    fails(ctcd_schedule_get(ctx, "digits", &found, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_schedule_get(ctx, NULL, &found, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_get(ctx, "digits", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_list(ctx, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_delete(NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(found);
    ctcd_schedule_unref(made);
    ctcd_schedule_unref(twice);
    made = every(MINUTE);
    fails(ctcd_schedule_delete(made, &err), CTCD_E_NOT_FOUND); /* never stored */
    fails(ctcd_schedule_create(made, pipeline, "a b", &err), CTCD_E_INVALID);
    fails(ctcd_schedule_create(made, NULL, "x", &err), CTCD_E_INVALID);
    fails(ctcd_schedule_create(NULL, pipeline, "x", &err), CTCD_E_INVALID);
    ctcd_context *other = api_context(0);
    ctcd_schedule *foreign = NULL;
    ok(ctcd_schedule_new_interval(other, MINUTE, &foreign, &err));
    fails(ctcd_schedule_create(foreign, pipeline, "x", &err), CTCD_E_INVALID);
    ctcd_schedule_unref(foreign);
    ctcd_context_unref(other);
    ctcd_schedule_unref(made);
}
END_TEST

START_TEST(a_schedule_prints_itself) {
    char *text = NULL;
    ctcd_schedule *made = created("hourly", 10, "all", "buffer_all");
    ok(ctcd_schedule_format(made, "json", &text, &err));
    ck_assert_has(text, "\"name\": \"hourly\"");
    ck_assert_has(text, "\"every_ms\": 60000");
    ck_assert_has(text, "\"catchup\": \"all\"");
    ck_assert_has(text, "\"runs\": 0");
    ctcd_free(text);
    ok(ctcd_schedule_format(made, "yaml", &text, &err));
    ck_assert_has(text, "overlap: buffer_all\n");
    ctcd_free(text);
    ok(ctcd_schedule_format(made, "name", &text, &err));
    ck_assert_str_eq(text, "hourly");
    ctcd_free(text);
    text = NULL;
    fails(ctcd_schedule_format(made, "cron", &text, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    ctcd_schedule_unref(made);
    ck_assert_str_eq(ctcd_schedule_name(NULL), "");
    ck_assert_str_eq(ctcd_schedule_pipeline(NULL), "");
    ck_assert_int_eq(ctcd_schedule_every(NULL), 0);
    ck_assert(ctcd_schedule_start(NULL) == CTCD_TIME_NONE);
    ck_assert(ctcd_schedule_end(NULL) == CTCD_TIME_NONE);
    ck_assert_str_eq(ctcd_schedule_catchup(NULL), "");
    ck_assert_str_eq(ctcd_schedule_overlap(NULL), "");
    ck_assert(ctcd_schedule_last(NULL) == CTCD_TIME_NONE);
    ck_assert_int_eq(ctcd_schedule_counter(NULL, "runs"), 0);
    ck_assert_uint_eq(ctcd_schedule_drop_count(NULL), 0);
    ck_assert(ctcd_schedule_drop_first(NULL, 0) == CTCD_TIME_NONE);
    ck_assert(ctcd_schedule_drop_last(NULL, 0) == CTCD_TIME_NONE);
    ck_assert_ptr_null(ctcd_schedule_drop_reason(NULL, 0));
    ck_assert_ptr_null(ctcd_schedule_ref(NULL));
    ck_assert_ptr_null(ctcd_list_schedule(NULL, 0));
}
END_TEST

/* ---- the scheduler ---------------------------------------------------------------------------- */

START_TEST(ten_runs_in_ten_minutes) {
    ctcd_schedule_unref(created("s", 10, "latest", "skip"));
    run_until_idle();
    ck_all_minutes("s", HAND_WALL, 10);
    ctcd_schedule *after = get("s");
    ck_assert_int_eq(ctcd_schedule_counter(after, "runs"), 10);
    ck_assert_int_eq(ctcd_schedule_counter(after, "drops"), 0);
    ck_assert_int_eq(ctcd_schedule_counter(after, "laps"), 0);
    ck_assert_int_ge(ctcd_schedule_last(after), HAND_WALL + 9 * MINUTE);
    ck_assert_uint_eq(ctcd_schedule_drop_count(after), 0);
    ctcd_schedule_unref(after);
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 10);
    ck_assert_int_lt(atomic_load(&hand.wall),
                     HAND_WALL + 11 * MINUTE); /* and not a minute longer */
}
END_TEST

START_TEST(opening_a_context_fires_nothing) {
    ctcd_schedule_unref(created("s", 10, "all", "skip"));
    play_for(ctx, &hand, 20 * MINUTE);
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 0);
    ck_assert_int_eq(ctcd_context_deadline(ctx), INT64_MAX);
}
END_TEST

START_TEST(a_schedule_without_an_end_goes_on_until_it_is_cancelled) {
    ctcd_schedule *made = every(MINUTE);
    ok(ctcd_schedule_create(made, pipeline, "s", &err));
    ctcd_op *op = scheduler(0);
    play_for(ctx, &hand, 5 * MINUTE + 1000);
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    ck_all_minutes("s", HAND_WALL + MINUTE,
                   5); /* the first one is an interval after its creation */
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_CANCELED);
    ctcd_op_unref(op);
    ctcd_schedule_unref(made);
}
END_TEST

/* What was missed for five and a half minutes before a scheduler came: six nominal times. */
static ctcd_schedule *missed(const char *catchup) {
    ctcd_schedule_unref(created("s", 6, catchup, "skip"));
    hand_move(&hand, 5 * MINUTE + MINUTE / 2);
    run_until_idle();
    return get("s");
}

START_TEST(of_what_was_missed_the_latest_runs) {
    int64_t times[64];
    ctcd_schedule *after = missed("latest");
    ck_assert_uint_eq(nominals("s", "completed", times), 1);
    ck_assert_int_eq(times[0], HAND_WALL + 5 * MINUTE);
    ck_assert_int_eq(ctcd_schedule_counter(after, "drops"), 5);
    ck_assert_uint_eq(ctcd_schedule_drop_count(after), 5);
    for (size_t i = 0; i < 5; i++) { /* newest first */
        ck_assert_int_eq(ctcd_schedule_drop_first(after, i), HAND_WALL + (4 - (int64_t)i) * MINUTE);
        ck_assert_int_eq(ctcd_schedule_drop_last(after, i), ctcd_schedule_drop_first(after, i));
        ck_assert_str_eq(ctcd_schedule_drop_reason(after, i), "coalesced");
    }
    ck_assert(ctcd_schedule_drop_first(after, 5) == CTCD_TIME_NONE);
    ck_assert(ctcd_schedule_drop_last(after, 5) == CTCD_TIME_NONE);
    ck_assert_ptr_null(ctcd_schedule_drop_reason(after, 5));
    ctcd_schedule_unref(after);
}
END_TEST

START_TEST(of_what_was_missed_nothing_runs) {
    int64_t times[64];
    ctcd_schedule *after = missed("skip");
    ck_assert_uint_eq(nominals("s", "completed", times), 0);
    ck_assert_int_eq(ctcd_schedule_counter(after, "drops"), 6);
    ck_assert_str_eq(ctcd_schedule_drop_reason(after, 0), "missed");
    ctcd_schedule_unref(after);
}
END_TEST

START_TEST(of_what_was_missed_all_runs) {
    ctcd_schedule *after = missed("all");
    ck_all_minutes("s", HAND_WALL, 6);
    ck_assert_int_eq(ctcd_schedule_counter(after, "drops"), 0);
    ctcd_schedule_unref(after);
}
END_TEST

/* Each deploy takes two and a half minutes, by hand. */
static int slow(struct fake_in *in) {
    return in->entry == 1 ? fake_until(in, 2 * MINUTE + MINUTE / 2) : FAKE_GO_ON;
}

START_TEST(a_fire_beside_a_running_run_is_dropped) {
    int64_t times[64];
    fake.hook[FAKE_APPLY] = slow;
    ctcd_schedule_unref(created("s", 7, "latest", "skip"));
    run_until_idle();
    ctcd_schedule *after = get("s");
    ck_assert_uint_eq(nominals("s", "completed", times), 3); /* 0; 1 and 2 dropped; 3; 4 and 5; 6 */
    ck_assert_int_eq(times[1], HAND_WALL + 3 * MINUTE);
    ck_assert_int_eq(times[2], HAND_WALL + 6 * MINUTE);
    ck_assert_int_eq(ctcd_schedule_counter(after, "drops"), 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(ctcd_schedule_drop_reason(after, i), "overlap_skipped");
    ctcd_schedule_unref(after);
}
END_TEST

START_TEST(a_fire_beside_a_running_run_waits) {
    fake.hook[FAKE_APPLY] = slow;
    ctcd_schedule_unref(created("s", 4, "latest", "buffer_all"));
    run_until_idle();
    ctcd_schedule *after = get("s");
    ck_all_minutes("s", HAND_WALL, 4);
    ck_assert_int_eq(ctcd_schedule_counter(after, "drops"), 0);
    ck_assert_int_ge(atomic_load(&hand.wall),
                     HAND_WALL + 4 * (2 * MINUTE + MINUTE / 2)); /* one by one */
    ctcd_schedule_unref(after);
}
END_TEST

static int broken(struct fake_in *in) {
    return ctcd_call_fail(in->call, CTCD_E_FAILED, "out of order", NULL);
}

START_TEST(a_run_that_fails_is_no_failure_of_the_scheduler) {
    int64_t times[64];
    fake.hook[FAKE_APPLY] = broken;
    ctcd_schedule_unref(created("s", 3, "latest", "skip"));
    run_until_idle();
    ck_assert_uint_eq(nominals("s", "failed", times), 3);
    ctcd_list *list = NULL;
    ok(ctcd_run_list(ctx, NULL, "s", 1, 0, &list, &err));
    ck_assert_has(ctcd_run_error(ctcd_list_run(list, 0)), "out of order");
    ctcd_list_unref(list);
}
END_TEST

START_TEST(parameters_are_those_of_the_creation) {
    char *text = NULL;
    ctcd_list *list = NULL;
    ok(ctcd_pipeline_set_param(pipeline, "n", "42", &err));
    ctcd_schedule_unref(created("s", 1, "latest", "skip"));
    ok(ctcd_pipeline_set_param(pipeline, "n", "43", &err));
    run_until_idle();
    ok(ctcd_run_list(ctx, NULL, "s", 10, 0, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 1);
    ok(ctcd_run_format(ctcd_list_run(list, 0), "json", &text, &err));
    ck_assert_has(text, "\"n\": 42");
    ctcd_free(text);
    ctcd_list_unref(list);
}
END_TEST

START_TEST(a_step_knows_the_instant_that_its_run_stands_for) {
    ctcd_pipeline *says = NULL;
    ctcd_list *list = NULL;
    ok(ctcd_pipeline_parse(ctx,
                           "pipeline: says\nsteps:\n  say: {command: [sh, -c, "
                           "'echo \"$CTCD_NOMINAL_TIME after $CTCD_PREVIOUS_NOMINAL_TIME\"']}\n",
                           NULL, &says, &err));
    ctcd_schedule *made = every(MINUTE);
    ok(ctcd_schedule_set_window(made, HAND_WALL, HAND_WALL + 2 * MINUTE, 0, &err));
    ok(ctcd_schedule_set_catchup(made, "all", &err));
    ok(ctcd_schedule_create(made, says, NULL, &err));
    ctcd_schedule_unref(made);
    ctcd_pipeline_unref(says);
    hand_move(&hand, 2 * MINUTE);
    ctcd_op *op = scheduler(CTCD_SCHEDULER_UNTIL_IDLE);
    for (int64_t stop = real_mono() + LONG_MS; ctcd_op_poll(op) && real_mono() < stop;)
        ck_assert_int_ge(ctcd_context_wait(ctx, 100, &err),
                         0); /* the clock stands, the steps run */
    ok(ctcd_op_result(op, &err));
    ctcd_op_unref(op);
    ok(ctcd_run_list(ctx, NULL, "says", 10, 0, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 2);
    static const char *const said[] = {"2025-11-24T16:01:00Z after 2025-11-24T16:00:00Z",
                                       "2025-11-24T16:00:00Z after "};
    for (size_t i = 0; i < 2; i++) {
        char *text = NULL;
        ok(ctcd_run_logs(ctcd_list_run(list, i), "say", 10, &text, &err));
        ck_assert_str_eq(text, said[i]);
        ctcd_free(text);
    }
    ctcd_list_unref(list);
}
END_TEST

START_TEST(the_runs_of_a_deleted_schedule_stay) {
    ctcd_list *list = NULL;
    ctcd_schedule_unref(created("s", 3, "latest", "skip"));
    ctcd_op *op = scheduler(CTCD_SCHEDULER_UNTIL_IDLE);
    play_for(ctx, &hand, MINUTE + 1000);
    ctcd_schedule *made = get("s");
    ok(ctcd_schedule_delete(made, &err));
    ck_assert_int_eq(play(ctx, &hand, op), 0); /* nothing is left to come */
    ok(ctcd_run_list(ctx, "digits", NULL, 10, 0, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 2);
    ctcd_list_unref(list);
    ctcd_op_unref(op);
    ctcd_schedule_unref(made);
}
END_TEST

START_TEST(one_scheduler_for_each_home) {
    ctcd_op *op = scheduler(0), *second = NULL;
    settle(ctx);
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    ctcd_context *other = api_context(CTCD_CONTEXT_EXISTING);
    ok(ctcd_scheduler_start(other, 0, &second, &err));
    fails(ctcd_op_wait(second, LONG_MS, &err), CTCD_E_CONFLICT);
    ck_assert_has(ctcd_error_message(err), "scheduler");
    ctcd_op_unref(second);
    second = NULL;
    (void)ctcd_op_cancel(op);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_CANCELED);
    ctcd_op_unref(op);
    ok(ctcd_scheduler_start(other, CTCD_SCHEDULER_UNTIL_IDLE, &second, &err)); /* now it may */
    ok(ctcd_op_wait(second, LONG_MS, &err));
    ctcd_op_unref(second);
    ctcd_context_unref(other);
    second = NULL;
    fails(ctcd_scheduler_start(ctx, 0x80u, &second, &err), CTCD_E_INVALID);
    fails(ctcd_scheduler_start(ctx, 0, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_scheduler_start(NULL, 0, &second, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(second);
}
END_TEST

START_TEST(a_cancelled_scheduler_cancels_its_run) {
    int64_t times[64];
    fake.hook[FAKE_APPLY] = slow;
    ctcd_schedule_unref(created("s", 1, "latest", "skip"));
    ctcd_op *op = scheduler(0);
    play_for(ctx, &hand, 1000);
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 1);
    (void)ctcd_op_cancel(op);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_CANCELED);
    ck_assert_uint_eq(nominals("s", "canceled", times), 1);
    ck_assert_int_eq(fake_running(&fake), 0); /* what had begun was undone */
    ctcd_op_unref(op);
}
END_TEST

/* The context ends in the middle of a run, as if its process had died; another one goes on. */
START_TEST(what_a_dead_scheduler_left_is_taken_up) {
    fake.hook[FAKE_APPLY] = slow;
    ctcd_schedule_unref(created("s", 10, "all", "buffer_all"));
    ctcd_op *op = scheduler(0);
    play_for(ctx, &hand, 4 * MINUTE);
    ck_assert_int_ge(fake.calls[FAKE_APPLY], 2);
    ctcd_op_unref(op);
    pipeline = ctcd_pipeline_unref(pipeline);
    fake_end_context();
    hand_move(&hand, 3 * MINUTE); /* nobody looks */

    fake.destroyed = 0;
    ctx = api_context(CTCD_CONTEXT_EXISTING);
    fake_register(ctx);
    ok(ctcd_context_set_clock(ctx, hand_read, &hand, NULL, &err));
    fake.hook[FAKE_APPLY] = NULL;
    run_until_idle();
    ck_all_minutes("s", HAND_WALL, 10); /* each once, and each ended */
}
END_TEST

SUITE_MAIN_WITH("scheduler", begin, end, ten_fires_in_ten_minutes,
                what_cannot_be_a_schedule_is_refused, instants_and_durations_are_texts,
                a_schedule_is_created_found_listed_and_deleted, a_schedule_prints_itself,
                ten_runs_in_ten_minutes, opening_a_context_fires_nothing,
                a_schedule_without_an_end_goes_on_until_it_is_cancelled,
                of_what_was_missed_the_latest_runs, of_what_was_missed_nothing_runs,
                of_what_was_missed_all_runs, a_fire_beside_a_running_run_is_dropped,
                a_fire_beside_a_running_run_waits, a_run_that_fails_is_no_failure_of_the_scheduler,
                parameters_are_those_of_the_creation,
                a_step_knows_the_instant_that_its_run_stands_for,
                the_runs_of_a_deleted_schedule_stay, one_scheduler_for_each_home,
                a_cancelled_scheduler_cancels_its_run, what_a_dead_scheduler_left_is_taken_up)
