/* Cron schedules through the API: all rows of tests/table/cron_cases.tsv in each dialect for which they hold,
   what is refused, zones that change on disk, and stored ones fired by the scheduler under a clock moved by hand. */
#include "firing.h"

#include <sys/stat.h>

#define SECOND 1000
#define DIALECTS 3

static const char *const dialects[DIALECTS] = {"vixie", "robfig", "cronos"};

static ctcd_schedule *cron(const char *expression, const char *zone, const char *dialect) {
    ctcd_schedule *schedule = NULL;
    ok(ctcd_schedule_new_cron(ctx, expression, zone, dialect, 0, &schedule, &err));
    return schedule;
}

static int64_t instant(const char *text) {
    int64_t ms = 0;
    ok(ctcd_time_parse(text, 0, &ms, &err));
    return ms;
}

/* ---- the table ---- */

enum column {
    ID,
    KIND,
    SOURCE,
    POLICY,
    DIALECT,
    EXPR,
    TZ,
    START,
    INCLUSIVE,
    EXPECTED,
    NOTE,
    COLUMNS
};

/* Is the word among those that commas separate? */
static bool among(const char *list, const char *word) {
    size_t len = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, word, len) == 0 && (at[len] == ',' || !at[len]))
            return true;
    return false;
}

static void check_refused(char *const row[COLUMNS], const char *dialect) {
    ctcd_schedule *schedule = NULL;
    int code = strcmp(row[KIND], "never") == 0 ? CTCD_E_NEVER : CTCD_E_INVALID;
    err = ctcd_error_unref(err);
    int rc = ctcd_schedule_new_cron(ctx, row[EXPR], "UTC", dialect, 0, &schedule, &err);
    ck_assert_msg(rc == code && !schedule, "%s (%s) \"%s\" gave %s", row[ID], dialect, row[EXPR],
                  ctcd_code_name(rc));
}

/* Forward to each expected one, then back again. */
static void check_fires(char *const row[COLUMNS], const char *dialect) {
    ctcd_schedule *schedule = cron(row[EXPR], row[TZ], dialect);
    ok(ctcd_schedule_set_window(schedule, instant("1900-01-01T00:00:00Z"), CTCD_TIME_NONE, 0,
                                &err));
    int64_t start = instant(row[START]), at = start - (row[INCLUSIVE][0] == '1' ? SECOND : 0);
    char expected[4096], shown[32], *rest = expected;
    (void)snprintf(expected, sizeof expected, "%s", row[EXPECTED]);
    int64_t before = at;
    for (const char *want; (want = strsep(&rest, " ")) != NULL; before = at) {
        ok(ctcd_schedule_next(schedule, at, &at, &err));
        ok(ctcd_schedule_time(schedule, at, shown, sizeof shown, &err));
        ck_assert_msg(at == instant(want), "%s (%s) %s in %s: %s, not %s", row[ID], dialect,
                      row[EXPR], row[TZ], shown, want);
        if (strcmp(want + strlen(want) - 6, "+00:00") != 0)
            ck_assert_str_eq(shown, want);
        int64_t back = 0;
        if (ctcd_schedule_previous(schedule, at, &back, &err) == 0)
            ck_assert_msg(back <= before, "%s (%s): a fire lies between", row[ID], dialect);
        ok(ctcd_schedule_previous(schedule, at + 1, &back, &err));
        ck_assert_int_eq(back, at);
    }
    ctcd_schedule_unref(schedule);
}

START_TEST(all_rows_of_the_table) {
    char path[4096], line[8192];
    suite_source(path, "tests/table/cron_cases.tsv");
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "cannot open %s", path);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file)); /* the names of the columns */
    int rows = 0, asked[DIALECTS] = {0}, left = 0;
    for (; fgets(line, sizeof line, file); rows++) {
        char *row[COLUMNS], *rest = line;
        if (suite_is_slow() && rows % 5)
            continue;
        line[strcspn(line, "\n")] = 0;
        for (int i = 0; i < COLUMNS; i++)
            ck_assert_ptr_nonnull(row[i] = strsep(&rest, "\t"));
        for (int i = 0; i < DIALECTS; i++) {
            if (strcmp(row[POLICY], "any") != 0 && !among(row[POLICY], dialects[i])) {
                left++; /* another answer is right there; test_cron.py lists them */
                continue;
            }
            asked[i]++;
            (strcmp(row[KIND], "next") == 0 ? check_fires : check_refused)(row, dialects[i]);
        }
    }
    fclose(file);
    printf("measured: %d rows of cron_cases.tsv through the API: vixie %d, robfig %d, cronos %d, "
           "not for a dialect %d\n",
           rows, asked[0], asked[1], asked[2], left);
    ck_assert_int_ge(rows, 800);
    ck_assert_int_ge(asked[0] + asked[1] + asked[2], suite_is_slow() ? 300 : 2000);
}
END_TEST

/* ---- making and changing ---- */

START_TEST(what_it_says_of_itself) {
    ctcd_schedule *schedule = cron("30 2 * * mon-fri", NULL, NULL);
    ck_assert_str_eq(ctcd_schedule_cron(schedule), "30 2 * * mon-fri");
    ck_assert_str_eq(ctcd_schedule_timezone(schedule), "UTC");
    ck_assert_str_eq(ctcd_schedule_dialect(schedule), "vixie");
    ck_assert_int_eq(ctcd_schedule_every(schedule), 0);
    ok(ctcd_schedule_set_timezone(schedule, "America/New_York", &err));
    ok(ctcd_schedule_set_dialect(schedule, "robfig", &err));
    ck_assert_str_eq(ctcd_schedule_timezone(schedule), "America/New_York");
    ck_assert_str_eq(ctcd_schedule_dialect(schedule), "robfig");
    ck_assert_str_eq(ctcd_schedule_cron(schedule), "30 2 * * mon-fri");
    char text[32] = "";
    ok(ctcd_schedule_time(schedule, 0, text, sizeof text, &err));
    ck_assert_str_eq(text, "1969-12-31T19:00:00-05:00");
    fails(ctcd_schedule_time(schedule, 0, text, 31, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_time(schedule, 0, NULL, 32, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_timezone(schedule, "Europe/Nowhere", &err), CTCD_E_NOT_FOUND);
    fails(ctcd_schedule_set_timezone(schedule, "../UTC", &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_timezone(schedule, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_dialect(schedule, "quartz", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "vixie, robfig, cronos");
    fails(ctcd_schedule_set_dialect(schedule, "vixi", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "vixie");
    ck_assert_str_eq(ctcd_schedule_timezone(schedule), "America/New_York"); /* as it was */
    ctcd_schedule_unref(schedule);
    ok(ctcd_schedule_new_interval(ctx, 60000, &schedule, &err));
    ck_assert_str_eq(ctcd_schedule_cron(schedule), "");
    ck_assert_str_eq(ctcd_schedule_timezone(schedule), "UTC");
    ck_assert_str_eq(ctcd_schedule_dialect(schedule), "");
    fails(ctcd_schedule_set_timezone(schedule, "UTC", &err), CTCD_E_INVALID);
    fails(ctcd_schedule_set_dialect(schedule, "vixie", &err), CTCD_E_INVALID);
    ctcd_schedule_unref(schedule);
    ck_assert_str_eq(ctcd_schedule_cron(NULL), "");
    ck_assert_str_eq(ctcd_schedule_timezone(NULL), "UTC");
    ck_assert_str_eq(ctcd_schedule_dialect(NULL), "");
    ck_assert_int_eq(ctcd_has_feature("cron"), 1);
}
END_TEST

START_TEST(what_is_refused) {
    ctcd_schedule *none = NULL;
    fails(ctcd_schedule_new_cron(ctx, NULL, NULL, NULL, 0, &none, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_new_cron(ctx, "@daily", NULL, NULL, 0, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_new_cron(ctx, "@daily", NULL, NULL, 4, &none, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_new_cron(ctx, "\xff", NULL, NULL, 0, &none, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_new_cron(ctx, "@daily", "", NULL, 0, &none, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_new_cron(ctx, "@daily", NULL, "", 0, &none, &err), CTCD_E_INVALID);
    fails(ctcd_schedule_new_cron(ctx, "0 25 * * *", NULL, NULL, 0, &none, &err), CTCD_E_INVALID);
    ck_assert_str_eq(ctcd_error_message(err),
                     "the hour field, at character 3 of \"0 25 * * *\": \"25\" is out of range");
    ck_assert_has(ctcd_error_hint(err), "0-23");
    fails(ctcd_schedule_new_cron(ctx, "0 0 31 4,6,9,11 1", NULL, "cronos", 0, &none, &err),
          CTCD_E_NEVER);
    fails(
        ctcd_schedule_new_cron(ctx, "30 2 * 3 sun#2", "America/New_York", "robfig", 0, &none, &err),
        CTCD_E_NEVER);
    ck_assert_has(ctcd_error_message(err), "America/New_York, robfig");
    fails(ctcd_schedule_new_cron(ctx, "0 0 1 1 * 2025", NULL, NULL, CTCD_CRON_YEAR, &none, &err),
          CTCD_E_NEVER);
    ck_assert_ptr_null(none);
    ok(ctcd_schedule_new_cron(ctx, "*/20 0 0 1 1 * 2027", NULL, NULL,
                              CTCD_CRON_YEAR | CTCD_CRON_SECONDS, &none, &err));
    int64_t at = CTCD_TIME_NONE;
    for (int i = 0; i < 3; i++)
        ok(ctcd_schedule_next(none, at, &at, &err));
    ck_assert_int_eq(at, instant("2027-01-01T00:00:40Z"));
    ck_assert_int_eq(ctcd_schedule_next(none, at, &at, &err), CTCD_NONE);
    ck_assert_int_eq(ctcd_schedule_previous(none, instant("2027-01-01T00:00:00Z"), &at, &err),
                     CTCD_NONE);
    fails(ctcd_schedule_previous(none, 0, NULL, &err), CTCD_E_INVALID);
    ctcd_schedule_unref(none);
    ctcd_pipeline *idle = NULL; /* only its zone tells that it can never fire */
    ok(ctcd_pipeline_parse(
        ctx,
        "pipeline: idle\nsteps: {s: {command: [\"true\"]}}\nschedule: {cron: \"30 2 "
        "* 3 sun#2\", timezone: America/New_York, dialect: robfig}\n",
        NULL, &idle, &err));
    none = NULL;
    fails(ctcd_pipeline_schedule(idle, &none, &err), CTCD_E_NEVER);
    ck_assert_ptr_null(none);
    ctcd_pipeline_unref(idle);
    ctcd_schedule *moved = cron("0 0 31 4,6,9,11 1", NULL, NULL); /* either day */
    fails(ctcd_schedule_set_dialect(moved, "cronos", &err), CTCD_E_NEVER);
    ck_assert_str_eq(ctcd_schedule_dialect(moved), "vixie");
    ctcd_schedule_unref(moved);
}
END_TEST

/* ---- zones on disk ---- */

static void copy_zone(const char *zone, const char *to) {
    static unsigned char bytes[100000];
    char from[4096];
    (void)snprintf(from, sizeof from, "/usr/share/zoneinfo/%s", zone);
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    ck_assert(in && out);
    size_t len = fread(bytes, 1, sizeof bytes, in);
    ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
    ck_assert_int_eq(fclose(out), 0);
    fclose(in);
}

static const char *midnight(ctcd_schedule *schedule) {
    static char text[32];
    int64_t at = 0;
    ok(ctcd_schedule_next(schedule, instant("2026-06-01T12:00:00Z"), &at, &err));
    ok(ctcd_schedule_time(schedule, at, text, sizeof text, &err));
    return text;
}

START_TEST(a_zone_that_changes_is_read_again) {
    char path[4300], fresh[4300];
    (void)snprintf(path, sizeof path, "%s/Here", api_folder);
    (void)snprintf(fresh, sizeof fresh, "%s/fresh", api_folder);
    ck_assert_int_eq(setenv("TZDIR", api_folder, 1), 0);
    copy_zone("Europe/Paris", path);
    ctcd_schedule *schedule = cron("@daily", "Here", NULL);
    ck_assert_str_eq(midnight(schedule), "2026-06-02T00:00:00+02:00");
    copy_zone("Asia/Tokyo", fresh);
    ck_assert_int_eq(rename(fresh, path), 0); /* as packages do */
    hand_move(&hand, 999);
    ck_assert_str_eq(midnight(schedule), "2026-06-02T00:00:00+02:00"); /* not looked at yet */
    hand_move(&hand, 1);
    ck_assert_str_eq(midnight(schedule), "2026-06-02T00:00:00+09:00");
    ck_assert_int_eq(unlink(path), 0); /* gone: it goes on as it was, here */
    hand_move(&hand, 1000);
    ck_assert_str_eq(midnight(schedule), "2026-06-02T00:00:00+09:00");
    FILE *half = fopen(path, "we");
    ck_assert(half && fputs("TZif2", half) >= 0 && fclose(half) == 0);
    hand_move(&hand, 1000);
    ck_assert_str_eq(midnight(schedule), "2026-06-02T00:00:00+09:00");
    copy_zone("America/New_York", path);
    hand_move(&hand, 1000);
    ck_assert_str_eq(midnight(schedule), "2026-06-02T00:00:00-04:00");
    ctcd_schedule_unref(schedule);
    ctcd_context *other = api_context(0);
    ck_assert_int_eq(unlink(path), 0);
    ctcd_schedule *none = NULL;
    fails(ctcd_schedule_new_cron(other, "@daily", "Here", NULL, 0, &none, &err), CTCD_E_NOT_FOUND);
    ctcd_context_unref(other);
    unsetenv("TZDIR");
}
END_TEST

/* ---- stored ---- */

START_TEST(stored_found_and_printed) {
    ctcd_schedule *made = cron("30 2 * * *", "America/New_York", "cronos"), *found = NULL;
    ok(ctcd_schedule_set_catchup(made, "all", &err));
    ok(ctcd_schedule_create(made, pipeline, "nightly", &err));
    fails(ctcd_schedule_set_timezone(made, "UTC", &err), CTCD_E_CONFLICT);
    fails(ctcd_schedule_set_dialect(made, "vixie", &err), CTCD_E_CONFLICT);
    ok(ctcd_schedule_get(ctx, "nightly", &found, &err));
    ck_assert_str_eq(ctcd_schedule_cron(found), "30 2 * * *");
    ck_assert_str_eq(ctcd_schedule_timezone(found), "America/New_York");
    ck_assert_str_eq(ctcd_schedule_dialect(found), "cronos");
    int64_t one = 0, two = 0;
    ok(ctcd_schedule_next(made, CTCD_TIME_NONE, &one, &err));
    ok(ctcd_schedule_next(found, CTCD_TIME_NONE, &two, &err));
    ck_assert_int_eq(one, two);
    char *text = NULL;
    ok(ctcd_schedule_format(found, "json", &text, &err));
    ck_assert_has(text, "\"cron\": \"30 2 * * *\"");
    ck_assert_has(text, "\"timezone\": \"America/New_York\"");
    ck_assert_has(text, "\"dialect\": \"cronos\"");
    ck_assert_ptr_null(strstr(text, "every_ms"));
    ctcd_free(text);
    ctcd_schedule_unref(found);
    ctcd_schedule_unref(made);
}
END_TEST

/* A machine that does not know the zone: it says so, and the schedule can still be seen and deleted. */
START_TEST(stored_in_a_zone_that_is_not_here) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/Here", api_folder);
    ck_assert_int_eq(setenv("TZDIR", api_folder, 1), 0);
    copy_zone("Europe/Paris", path);
    ctcd_schedule *schedule = cron("@daily", "Here", NULL);
    ok(ctcd_schedule_create(schedule, pipeline, "here", &err));
    ctcd_schedule_unref(schedule);
    schedule = NULL;
    ck_assert_int_eq(unlink(path), 0);
    ctcd_context *other = api_context(0);
    ok(ctcd_schedule_get(other, "here", &schedule, &err));
    ck_assert_str_eq(ctcd_schedule_timezone(schedule), "Here");
    int64_t at = 42;
    fails(ctcd_schedule_next(schedule, 0, &at, &err), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(at, 42);
    ctcd_op *op = NULL;
    ok(ctcd_scheduler_start(other, CTCD_SCHEDULER_UNTIL_IDLE, &op, &err));
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), "schedule here: there is no time zone \"Here\"");
    ctcd_op_unref(op);
    ok(ctcd_schedule_delete(schedule, &err));
    ctcd_schedule_unref(schedule);
    ctcd_context_unref(other);
    unsetenv("TZDIR");
}
END_TEST

/* In the night of a change of the clock, at the instants that the dialect says. */
static void fire_night(const char *name, const char *expression, const char *begins,
                       const char *ends, const char *dialect, const char *const nights[2]) {
    ctcd_schedule *schedule = cron(expression, "America/New_York", dialect);
    hand_move(&hand, instant(begins) - atomic_load(&hand.wall));
    ok(ctcd_schedule_set_window(schedule, instant(begins), instant(ends), 0, &err));
    ok(ctcd_schedule_create(schedule, pipeline, name, &err));
    ctcd_op *op = NULL;
    ok(ctcd_scheduler_start(ctx, CTCD_SCHEDULER_UNTIL_IDLE, &op, &err));
    ck_assert_int_eq(play(ctx, &hand, op), 0);
    ctcd_op_unref(op);
    ctcd_list *list = NULL;
    size_t count = !nights[0] ? 0 : !nights[1] ? 1 : 2;
    ok(ctcd_run_list(ctx, NULL, name, 1000, 0, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), count);
    for (size_t i = 0; i < count; i++) {
        const ctcd_run *run = ctcd_list_run(list, count - 1 - i);
        ck_assert_str_eq(ctcd_run_status(run), "completed");
        ck_assert_int_eq(ctcd_run_nominal(run), instant(nights[i]));
        ck_assert_int_lt(ctcd_run_started(run), ctcd_run_nominal(run) + 2 * SECOND);
    }
    ctcd_list_unref(list);
    ctcd_schedule_unref(schedule);
}

START_TEST(fired_across_a_change_of_the_clock) {
    static const char *const spring[] = {"2026-03-08T01:50:00-05:00", "2026-03-08T03:40:00-04:00"};
    static const char *const autumn[] = {"2026-11-01T01:20:00-04:00", "2026-11-01T01:40:00-05:00"};
    static const char *const moved[2] = {"2026-03-08T03:00:00-04:00"}, *const none[2] = {NULL};
    static const char *const both[2] = {"2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"};
    static const char *const first[2] = {"2026-11-01T01:30:00-04:00"};
    fire_night("a", "30 2 * * *", spring[0], spring[1], "vixie", moved);
    fire_night("b", "30 2 * * *", spring[0], spring[1], "robfig", none);
    fire_night("c", "30 1 * * *", autumn[0], autumn[1], "robfig", both);
    fire_night("d", "30 1 * * *", autumn[0], autumn[1], "cronos", first);
}
END_TEST

/* Five nights nobody looked. */
START_TEST(missed_nights) {
    static const struct {
        const char *policy;
        size_t runs;
        int64_t drops;
    } rows[] = {{"skip", 0, 5}, {"latest", 1, 4}, {"all", 5, 0}};
    for (size_t i = 0; i < 3; i++) {
        ctcd_schedule *schedule = cron("@daily", "Australia/Lord_Howe", NULL), *found = NULL;
        int64_t now = atomic_load(&hand.wall);
        ok(ctcd_schedule_set_window(schedule, now, now + 5 * 86400000LL, 0, &err));
        ok(ctcd_schedule_set_catchup(schedule, rows[i].policy, &err));
        ok(ctcd_schedule_create(schedule, pipeline, rows[i].policy, &err));
        hand_move(&hand, 6 * 86400000LL);
        ctcd_op *op = NULL;
        ok(ctcd_scheduler_start(ctx, CTCD_SCHEDULER_UNTIL_IDLE, &op, &err));
        ck_assert_int_eq(play(ctx, &hand, op), 0);
        ctcd_op_unref(op);
        ok(ctcd_schedule_get(ctx, rows[i].policy, &found, &err));
        ck_assert_uint_eq((size_t)ctcd_schedule_counter(found, "runs"), rows[i].runs);
        ck_assert_int_eq(ctcd_schedule_counter(found, "drops"), rows[i].drops);
        ctcd_schedule_unref(found);
        ctcd_schedule_unref(schedule);
    }
}
END_TEST

SUITE_MAIN_WITH("schedule_cron", begin, end, all_rows_of_the_table, what_it_says_of_itself,
                what_is_refused, a_zone_that_changes_is_read_again, stored_found_and_printed,
                stored_in_a_zone_that_is_not_here, fired_across_a_change_of_the_clock,
                missed_nights)
