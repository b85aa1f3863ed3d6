/* lib/store/pipelines.c, schedules.c, and the claim of a fire in runs.c. */
#include "store_home.h"

static int64_t id;

static void setup(void) {
    home_setup_open();
    OK(add_pipeline(store));
    OK(add_schedule(store, 1, &id));
}

static char functions[] = "[\"a\"]";

static int put(char *name, char *digest, char *spec, int64_t used_ms) {
    const struct store_pipeline pipeline = {
        .name = name, .digest = digest, .spec = spec, .used_ms = used_ms, .functions = functions};
    return store_pipeline_put(store, &pipeline, &err);
}

static void expect_newest(const char *name, const char *digest) {
    struct store_pipeline got = {0};
    OK(store_pipeline_get(store, name, NULL, &got, &err));
    ck_assert_str_eq(got.digest, digest);
    store_pipeline_done(&got);
}

START_TEST(every_content_of_a_pipeline_stays) {
    OK(put("a", "1", "one", 50));
    OK(put("a", "2", "bound", 50)); /* a clock that stands still, or goes back, changes nothing */
    expect_newest("a", "2");
    OK(put("a", "1", "one", 40));
    expect_newest("a", "1");
    struct store_pipeline got = {0};
    OK(store_pipeline_get(store, "a", "2", &got, &err));
    ck_assert_str_eq(got.spec, "bound");
    ck_assert_str_eq(got.functions, functions);
    bool fits = true;
    OK(store_pipeline_fits(store, "a", "2", "[]", &fits, &err));
    ck_assert(!fits);
    OK(store_pipeline_fits(store, "a", "2", "[\"b\", \"a\"]", &fits, &err));
    ck_assert(fits);
    ck_assert_int_eq(got.used_ms, 50);
    store_pipeline_done(&got);
    FAILS(store_pipeline_get(store, "a", "3", &got, &err), CTCD_E_NOT_FOUND, "digest 3");
    FAILS(store_pipeline_get(store, "b", NULL, &got, &err), CTCD_E_NOT_FOUND, "pipeline \"b\"");
    struct store_pipelines list = {0};
    OK(store_pipeline_list(store, &list, &err));
    ck_assert_uint_eq(list.count, 2);
    ck_assert_str_eq(list.items[0].name, "a");
    ck_assert_str_eq(list.items[0].digest, "1");
    ck_assert_str_eq(list.items[1].name, "digits");
    store_pipelines_done(&list);
}
END_TEST

START_TEST(a_schedule_comes_back) {
    struct store_schedule got = {0};
    OK(store_schedule_get(store, "schedule1", &got, &err));
    ck_assert_int_eq(got.id, id);
    ck_assert_str_eq(got.uuid, uuid_of(1));
    ck_assert_str_eq(got.pipeline, "digits");
    ck_assert_str_eq(got.digest, "d1");
    ck_assert_str_eq(got.spec, "{\"every\":60}");
    ck_assert_str_eq(got.params, "{}");
    ck_assert_int_eq(got.created_ms, 5);
    ck_assert_int_eq(got.last_processed_ms, 0);
    ck_assert(!got.paused && !got.ended);
    ck_assert_str_eq(got.pause_note, "");
    store_schedule_done(&got);
    OK(store_schedule_get(store, "00000001", &got, &err));
    store_schedule_done(&got);
    OK(store_schedule_get_id(store, id, &got, &err));
    ck_assert_str_eq(got.name, "schedule1");
    store_schedule_done(&got);
}
END_TEST

START_TEST(what_a_schedule_must_be) {
    int64_t other = -7;
    FAILS(add_schedule(store, 1, &other), CTCD_E_EXISTS, "a schedule \"schedule1\"");
    raw("PRAGMA foreign_keys = OFF; DELETE FROM pipelines");
    FAILS(add_schedule(store, 2, &other), CTCD_E_NOT_FOUND, "pipeline \"digits\"");
    ck_assert_int_eq(other, -7);
    struct store_schedule got = {0};
    FAILS(store_schedule_get(store, "none", &got, &err), CTCD_E_NOT_FOUND, "schedule \"none\"");
    FAILS(store_schedule_get_id(store, 99, &got, &err), CTCD_E_NOT_FOUND, "99");
    FAILS(store_schedule_pause(store, 99, true, NULL, &err), CTCD_E_NOT_FOUND, "99");
    FAILS(store_schedule_end(store, 99, &err), CTCD_E_NOT_FOUND, "99");
    FAILS(store_schedule_delete(store, 99, 1, &err), CTCD_E_NOT_FOUND, "99");
}
END_TEST

START_TEST(schedules_pause_and_end) {
    OK(store_schedule_pause(store, id, true, "holidays", &err));
    OK(store_schedule_end(store, id, &err));
    struct store_schedules list = {0};
    OK(store_schedule_list(store, &list, &err));
    ck_assert_uint_eq(list.count, 1);
    ck_assert(list.items[0].paused && list.items[0].ended);
    ck_assert_str_eq(list.items[0].pause_note, "holidays");
    store_schedules_done(&list);
    OK(store_schedule_pause(store, id, false, NULL, &err));
    struct store_schedule got = {0};
    OK(store_schedule_get_id(store, id, &got, &err));
    ck_assert(!got.paused && got.ended);
    ck_assert_str_eq(got.pause_note, "");
    store_schedule_done(&got);
}
END_TEST

/* ---- fires ------------------------------------------------------------------------------------ */

/* Runs at from + 1 and from + 2, a drop at from + 3; their numbers are the nominal times. */
static int claim(int64_t from) {
    struct store_run runs[] = {a_run((int)from + 1), a_run((int)from + 2)};
    runs[0].nominal_ms = from + 1;
    runs[1].nominal_ms = from + 2;
    const struct store_drop drop = {
        .nominal_ms = from + 3, .last_ms = from + 3, .count = 1, .at_ms = 77, .reason = "overlap"};
    const struct store_fire fire = {id, from, from + 3, runs, 2, &drop, 1};
    return store_fire_claim(store, &fire, &err);
}

static void expect_counts(int64_t runs, int64_t drops, int64_t mark) {
    int64_t got_runs = -1, got_drops = -1;
    OK(store_schedule_count(store, id, &got_runs, &got_drops, &err));
    ck_assert_int_eq(got_runs, runs);
    ck_assert_int_eq(got_drops, drops);
    struct store_schedule got = {0};
    OK(store_schedule_get_id(store, id, &got, &err));
    ck_assert_int_eq(got.last_processed_ms, mark);
    store_schedule_done(&got);
}

START_TEST(a_fire_is_claimed_once) {
    OK(claim(0));
    expect_counts(2, 1, 3);
    ck_assert_int_eq(claim(0), CTCD_NONE); /* as another scheduler, late */
    ck_assert_ptr_null(err);
    expect_counts(2, 1, 3);
    OK(claim(3));
    expect_counts(4, 2, 6);
    struct store_run run = {0};
    OK(store_run_get(store, "run5", &run, &err));
    ck_assert_int_eq(run.schedule_id, id);
    ck_assert_str_eq(run.schedule, "schedule1");
    ck_assert_int_eq(run.nominal_ms, 5);
    ck_assert_int_eq(run.status, STORE_RUN_PENDING);
    ck_assert_str_eq(run.owner, "");
    ck_assert_int_eq(run.started_ms, NONE);
    store_run_done(&run);
    struct store_drops drops = {0};
    OK(store_drop_list(store, id, 0, 0, &drops, &err));
    ck_assert_uint_eq(drops.count, 2);
    ck_assert_int_eq(drops.items[0].nominal_ms, 6); /* newest first */
    ck_assert_int_eq(drops.items[0].at_ms, 77);
    ck_assert_str_eq(drops.items[0].reason, "overlap");
    store_drops_done(&drops);
    OK(store_drop_list(store, id, 1, 1, &drops, &err));
    ck_assert_uint_eq(drops.count, 1);
    ck_assert_int_eq(drops.items[0].nominal_ms, 3);
    store_drops_done(&drops);
}
END_TEST

START_TEST(a_row_of_drops_counts_as_many) {
    OK(claim(0));
    const struct store_drop row = {
        .nominal_ms = 4, .last_ms = 20003, .count = 20000, .at_ms = 77, .reason = "missed"};
    const struct store_fire fire = {id, 3, 20003, NULL, 0, &row, 1};
    OK(store_fire_claim(store, &fire, &err));
    expect_counts(2, 20001, 20003);
    struct store_drops drops = {0};
    OK(store_drop_list(store, id, 1, 0, &drops, &err));
    ck_assert_int_eq(drops.items[0].nominal_ms, 4);
    ck_assert_int_eq(drops.items[0].last_ms, 20003);
    ck_assert_int_eq(drops.items[0].count, 20000);
    store_drops_done(&drops);
}
END_TEST

START_TEST(a_fire_that_is_there_changes_nothing) {
    OK(claim(0));
    raw("UPDATE schedules SET last_processed_ms = 1");
    FAILS(claim(1), CTCD_E_EXISTS, "run2");
    expect_counts(2, 1, 1);
    const struct store_drop drop = {.nominal_ms = 3, .count = 1, .reason = "again"};
    const struct store_fire fire = {id, 1, 9, NULL, 0, &drop, 1};
    ck_assert_int_eq(store_fire_claim(store, &fire, &err), CTCD_E_EXISTS);
    expect_counts(2, 1, 1);
}
END_TEST

START_TEST(the_mark_may_begin_at_nothing) {
    raw("UPDATE schedules SET last_processed_ms = NULL");
    const struct store_fire fire = {.schedule_id = id, .expected_last_ms = NONE, .new_last_ms = 40};
    OK(store_fire_claim(store, &fire, &err));
    expect_counts(0, 0, 40);
    ck_assert_int_eq(store_fire_claim(store, &fire, &err), CTCD_NONE);
}
END_TEST

START_TEST(deleting_a_schedule_keeps_its_runs) {
    OK(claim(0));
    struct store_run run = {0};
    OK(store_run_claim_next_buffered(store, id, "[]", "me", 9, &run, &err));
    store_run_done(&run);
    OK(store_schedule_delete(store, id, 50, &err));
    ck_assert_int_eq(claim(3), CTCD_NONE);
    struct store_runs list = {0};
    const struct store_run_query query = {.schedule = "schedule1", .oldest_first = true};
    OK(store_run_list(store, &query, &list, &err));
    ck_assert_uint_eq(list.count, 2);
    ck_assert_int_eq(list.items[0].status, STORE_RUN_RUNNING);
    ck_assert_int_eq(list.items[0].schedule_id, 0);
    ck_assert_int_eq(list.items[1].status, STORE_RUN_CANCELED);
    ck_assert_int_eq(list.items[1].ended_ms, 50);
    ck_assert_str_eq(list.items[1].error, "its schedule was deleted");
    store_runs_done(&list);
    int64_t again = 0;
    OK(add_schedule(store, 1, &again));
    ck_assert_int_gt(again, id); /* an id is never used twice */
    int64_t count = -1;          /* of the runs of the one before, which had the same name */
    OK(store_run_count(store, &(struct store_run_query){.schedule_id = again}, &count, &err));
    ck_assert_int_eq(count, 0);
    OK(store_check(store, &err));
}
END_TEST

static int claim_all(void) {
    struct store *own = NULL;
    if (store_open(home_path, STORE_MUST_EXIST, 1, &own, &err))
        return 1;
    store_set_wait(own, 60000);
    store = own;
    for (int64_t from = 0; from < 90;) {
        struct store_schedule now = {0};
        if (store_schedule_get_id(own, id, &now, &err))
            return 2;
        from = now.last_processed_ms;
        store_schedule_done(&now);
        if (from < 90 && claim(from) < 0)
            return 3;
    }
    store_close(own);
    store = NULL;
    return 0;
}

START_TEST(schedulers_side_by_side_decide_each_instant_once) {
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        children[i] = in_child(claim_all);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(child_end(children[i]), 0);
    open_home();
    expect_counts(60, 30, 90);
}
END_TEST

SUITE_MAIN_WITH("store_schedules", setup, home_teardown, every_content_of_a_pipeline_stays,
                a_schedule_comes_back, what_a_schedule_must_be, schedules_pause_and_end,
                a_fire_is_claimed_once, a_row_of_drops_counts_as_many,
                a_fire_that_is_there_changes_nothing, the_mark_may_begin_at_nothing,
                deleting_a_schedule_keeps_its_runs,
                schedulers_side_by_side_decide_each_instant_once)
