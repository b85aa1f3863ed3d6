/* lib/store/runs.c, steps.c: who carries a run out, how it ends, and what its steps leave. */
#include "store_home.h"

static int64_t id;

static void setup(void) {
    home_setup_open();
    OK(add_pipeline(store));
    OK(add_schedule(store, 1, &id));
}

static void expect_run(int number, enum store_run_status status, const char *owner) {
    struct store_run run = {0};
    OK(store_run_get(store, uuid_of(number), &run, &err));
    ck_assert_str_eq(store_run_status_name(run.status), store_run_status_name(status));
    ck_assert_str_eq(run.owner, owner);
    store_run_done(&run);
}

/* Three pending runs of the schedule at 10, 20, 30. */
static void add_buffered(void) {
    struct store_run runs[] = {a_run(12), a_run(11), a_run(13)};
    runs[0].nominal_ms = 20;
    runs[1].nominal_ms = 10;
    runs[2].nominal_ms = 30;
    const struct store_fire fire = {id, 0, 30, runs, 3, NULL, 0};
    OK(store_fire_claim(store, &fire, &err));
}

START_TEST(a_run_comes_back) {
    OK(add_running(store, 1, "me"));
    struct store_run run = {0};
    OK(store_run_get(store, "run1", &run, &err));
    ck_assert_str_eq(run.uuid, uuid_of(1));
    ck_assert_str_eq(run.name, "run1");
    ck_assert_str_eq(run.pipeline, "digits");
    ck_assert_str_eq(run.digest, "d1");
    ck_assert_int_eq(run.schedule_id, 0);
    ck_assert_str_eq(run.schedule, "");
    ck_assert_int_eq(run.nominal_ms, NONE);
    ck_assert_str_eq(run.params, "{}");
    ck_assert_int_eq(run.status, STORE_RUN_RUNNING);
    ck_assert_int_eq(run.created_ms, 101);
    ck_assert_int_eq(run.started_ms, 200);
    ck_assert_int_eq(run.ended_ms, NONE);
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(run.owner, "me");
    store_run_done(&run);
}
END_TEST

START_TEST(what_a_run_must_be) {
    OK(add_running(store, 1, "me"));
    FAILS(add_running(store, 1, "me"), CTCD_E_EXISTS, "run1");
    FAILS(add_running(store, 2, ""), CTCD_E_INVALID, "owner");
    FAILS(add_running(store, 2, NULL), CTCD_E_INVALID, "owner");
    struct store_run run = a_run(3);
    run.status = STORE_RUN_FAILED;
    FAILS(store_run_add(store, &run, &err), CTCD_E_INVALID, "pending");
    run.status = STORE_RUN_PENDING;
    run.digest = "other";
    FAILS(store_run_add(store, &run, &err), CTCD_E_NOT_FOUND, "was not stored");
    run.digest = "d1";
    run.owner = "looked over";
    run.started_ms = 5;
    OK(store_run_add(store, &run, &err));
    expect_run(3, STORE_RUN_PENDING, "");
    ck_assert_str_eq(store_run_status_name(STORE_RUN_ABANDONED), "abandoned");
    ck_assert_str_eq(store_run_status_name((enum store_run_status)77), "unknown");
}
END_TEST

START_TEST(uuids_may_be_cut_short) {
    OK(add_running(store, 0x1234aa, "me"));
    OK(add_running(store, 0x1234bb, "me"));
    struct store_run run = {0};
    OK(store_run_get(store, "001234AA", &run, &err));
    ck_assert_str_eq(run.uuid, uuid_of(0x1234aa));
    store_run_done(&run);
    OK(store_run_get(store, "001234bb-0000-4", &run, &err));
    store_run_done(&run);
    FAILS(store_run_get(store, "0012", &run, &err), CTCD_E_CONFLICT, "001234aa-");
    FAILS(store_run_get(store, "001", &run, &err), CTCD_E_NOT_FOUND, "\"001\"");
    FAILS(store_run_get(store, "001234cc", &run, &err), CTCD_E_NOT_FOUND, "run \"001234cc\"");
    FAILS(store_run_get(store, "00%", &run, &err), CTCD_E_NOT_FOUND, "00%");
    FAILS(store_run_get(store, "001234aa-0000-4000-8000-0000001234aa1", &run, &err),
          CTCD_E_NOT_FOUND, "001234aa");
    FAILS(store_run_get(store, "", &run, &err), CTCD_E_NOT_FOUND, "run \"\"");
    ck_assert_ptr_null(run.uuid);
    for (int i = 0; i < 8; i++)
        OK(add_running(store, 0x123400 + i, "me"));
    FAILS(store_run_get(store, "001234", &run, &err), CTCD_E_CONFLICT, ", ...");
    /* A name comes before digits. */
    struct store_run named = a_run(5);
    named.name = "0012";
    OK(store_run_add(store, &named, &err));
    OK(store_run_get(store, "0012", &run, &err));
    ck_assert_str_eq(run.uuid, uuid_of(5));
    store_run_done(&run);
}
END_TEST

START_TEST(buffered_runs_are_claimed_in_order) {
    add_buffered();
    OK(add_running(store, 1, "else")); /* is somebody's */
    struct store_run run = {0};
    for (int number = 11; number <= 13; number++) {
        OK(store_run_claim_next_buffered(store, number == 12 ? 0 : id, "[]", "me", 55, &run, &err));
        ck_assert_str_eq(run.uuid, uuid_of(number));
        ck_assert_str_eq(run.owner, "me");
        ck_assert_int_eq(run.status, STORE_RUN_RUNNING);
        ck_assert_int_eq(run.started_ms, 55);
        store_run_done(&run);
        expect_run(number, STORE_RUN_RUNNING, "me");
    }
    ck_assert_int_eq(store_run_claim_next_buffered(store, 0, "[]", "me", 55, &run, &err),
                     CTCD_NONE);
    ck_assert_ptr_null(run.uuid);
}
END_TEST

START_TEST(bound_pipelines_are_left_to_who_has_their_functions) {
    add_buffered();
    raw("UPDATE pipelines SET functions = '[\"b\", \"a\"]'");
    struct store_run run = {0};
    ck_assert_int_eq(store_run_claim_next_buffered(store, 0, "[]", "me", 55, &run, &err),
                     CTCD_NONE);
    const char *some = "[\"c\", \"a\"]", *all = "[\"a\", \"b\", \"c\"]";
    ck_assert_int_eq(store_run_claim_next_buffered(store, 0, some, "me", 55, &run, &err),
                     CTCD_NONE);
    OK(store_run_claim_next_buffered(store, 0, all, "me", 55, &run, &err));
    store_run_done(&run);
    raw("UPDATE pipelines SET functions = ''");
    ck_assert_int_eq(store_run_claim_next_buffered(store, id + 1, "[]", "me", 55, &run, &err),
                     CTCD_NONE);
    OK(store_run_claim_next_buffered(store, id, "[]", "me", 55, &run, &err));
    store_run_done(&run);
}
END_TEST

START_TEST(only_the_owner_ends_a_run) {
    OK(add_running(store, 1, "a"));
    FAILS(store_run_end(store, uuid_of(1), "b", STORE_RUN_COMPLETED, "", 9, &err), CTCD_E_CONFLICT,
          "another process (a)");
    ck_assert_int_eq(store_run_take_over(store, uuid_of(1), "b", "c", 9, &err), CTCD_NONE);
    OK(store_run_take_over(store, uuid_of(1), "a", "b", 9, &err));
    expect_run(1, STORE_RUN_RUNNING, "b");
    FAILS(store_run_end(store, uuid_of(1), "a", STORE_RUN_COMPLETED, "", 9, &err), CTCD_E_CONFLICT,
          "(b)");
    FAILS(store_run_end(store, uuid_of(1), "b", STORE_RUN_RUNNING, "", 9, &err), CTCD_E_INVALID,
          "does not end running");
    OK(store_run_end(store, uuid_of(1), "b", STORE_RUN_FAILED, "no luck", 9, &err));
    struct store_run run = {0};
    OK(store_run_get(store, "run1", &run, &err));
    ck_assert_int_eq(run.ended_ms, 9);
    ck_assert_str_eq(run.error, "no luck");
    ck_assert_int_eq(run.status, STORE_RUN_FAILED);
    store_run_done(&run);
    FAILS(store_run_end(store, uuid_of(1), "b", STORE_RUN_COMPLETED, "", 9, &err), CTCD_E_CONFLICT,
          "ended already: failed");
    ck_assert_int_eq(store_run_take_over(store, uuid_of(1), "b", "c", 9, &err), CTCD_NONE);
    FAILS(store_run_end(store, uuid_of(2), "b", STORE_RUN_COMPLETED, "", 9, &err), CTCD_E_NOT_FOUND,
          "no run");
}
END_TEST

START_TEST(a_pending_run_is_ended_by_anybody) {
    add_buffered();
    FAILS(store_run_end(store, uuid_of(11), "me", STORE_RUN_CANCELED, "", 9, &err), CTCD_E_CONFLICT,
          "none yet");
    OK(store_run_end(store, uuid_of(11), NULL, STORE_RUN_CANCELED, NULL, 9, &err));
    expect_run(11, STORE_RUN_CANCELED, "");
}
END_TEST

static void expect_runs(struct store_run_query query, const char *names) {
    struct store_runs list = {0};
    OK(store_run_list(store, &query, &list, &err));
    char all[256] = "";
    for (size_t i = 0; i < list.count; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "",
                 list.items[i].name);
    ck_assert_str_eq(all, names);
    store_runs_done(&list);
    if (query.limit || query.offset)
        return;
    int64_t count = -1;
    OK(store_run_count(store, &query, &count, &err));
    size_t blanks = 0;
    for (const char *at = names; *at; at++)
        blanks += *at == ' ';
    ck_assert_int_eq(count, *names ? (int64_t)blanks + 1 : 0);
}

START_TEST(runs_are_found_by_what_they_are) {
    OK(add_running(store, 1, "a"));
    OK(add_running(store, 2, "b"));
    add_buffered();
    OK(store_run_end(store, uuid_of(2), "b", STORE_RUN_COMPLETED, "", 9, &err));
    expect_runs((struct store_run_query){0}, "run13 run11 run12 run2 run1");
    expect_runs((struct store_run_query){.oldest_first = true}, "run1 run2 run12 run11 run13");
    expect_runs((struct store_run_query){.limit = 2, .offset = 1}, "run11 run12");
    expect_runs((struct store_run_query){.schedule = "schedule1", .limit = 1}, "run13");
    expect_runs((struct store_run_query){.pipeline = "digits", .owner = "a"}, "run1");
    expect_runs((struct store_run_query){.pipeline = "none"}, "");
    expect_runs((struct store_run_query){.statuses = STORE_STATUS(STORE_RUN_RUNNING)}, "run1");
    expect_runs((struct store_run_query){.statuses = STORE_STATUS(STORE_RUN_RUNNING) |
                                                     STORE_STATUS(STORE_RUN_COMPLETED)},
                "run2 run1");
    expect_runs((struct store_run_query){.statuses = STORE_STATUS(STORE_RUN_ABANDONED)}, "");
}
END_TEST

/* ---- steps ------------------------------------------------------------------------------------ */

static int begin_step(char *name, int64_t attempt, int64_t position) {
    const struct store_step step = {.run = uuid_of(1),
                                    .name = name,
                                    .attempt = attempt,
                                    .position = position,
                                    .status = STORE_STEP_RUNNING,
                                    .started_ms = 10,
                                    .ended_ms = NONE,
                                    .folder = "runs/1/train",
                                    .generation = 3,
                                    .log = "runs/1/train/log",
                                    .cache_key = "key"};
    return store_step_add(store, &step, &err);
}

static int end_step(const char *name, int64_t attempt, size_t artifacts, bool decides) {
    const struct store_artifact outputs[] = {
        {.name = "model", .kind = STORE_ARTIFACT_URI, .value = "file:///m", .sha256 = "ab"},
        {.name = "accuracy", .kind = STORE_ARTIFACT_VALUE, .value = "0.9"},
        {.name = "model", .kind = STORE_ARTIFACT_VALUE, .value = "twice"},
    };
    const struct store_decision decision = {.verdict = "promote",
                                            .rule = "{\"metric\":\"accuracy\"}",
                                            .candidate = "{\"accuracy\":0.9}",
                                            .reasons = "[]",
                                            .at_ms = 30};
    const struct store_step_end end = {.run = uuid_of(1),
                                       .step = name,
                                       .attempt = attempt,
                                       .status = STORE_STEP_COMPLETED,
                                       .now_ms = 30,
                                       .artifacts = outputs,
                                       .artifact_count = artifacts,
                                       .decision = decides ? &decision : NULL};
    return store_step_end(store, &end, &err);
}

static void with_run(void) {
    OK(add_running(store, 1, "me"));
}

START_TEST(an_attempt_begins_once) {
    with_run();
    OK(begin_step("train", 1, 0));
    FAILS(begin_step("train", 1, 0), CTCD_E_EXISTS, "attempt 1 of step \"train\"");
    OK(begin_step("train", 2, 0));
    OK(begin_step("decide", 1, 1));
    struct store_steps list = {0};
    OK(store_step_list(store, uuid_of(1), &list, &err));
    ck_assert_uint_eq(list.count, 3);
    ck_assert_int_eq(list.items[1].attempt, 2);
    ck_assert_str_eq(list.items[2].name, "decide");
    struct store_step *step = &list.items[0];
    ck_assert_str_eq(step->run, uuid_of(1));
    ck_assert_str_eq(step->name, "train");
    ck_assert_int_eq(step->position, 0);
    ck_assert_int_eq(step->status, STORE_STEP_RUNNING);
    ck_assert_int_eq(step->started_ms, 10);
    ck_assert_int_eq(step->ended_ms, NONE);
    ck_assert_str_eq(step->error, "");
    ck_assert_str_eq(step->folder, "runs/1/train");
    ck_assert_int_eq(step->generation, 3);
    ck_assert_str_eq(step->log, "runs/1/train/log");
    ck_assert_str_eq(step->cache_key, "key");
    store_step_done(step);
    store_steps_done(&list);
    raw("DELETE FROM runs"); /* its steps go with it, by the foreign key */
    ck_assert_str_eq(store_step_status_name(STORE_STEP_CACHED), "cached");
    ck_assert_str_eq(store_step_status_name(STORE_STEP_INTERRUPTED), "interrupted");
    ck_assert_str_eq(store_step_status_name((enum store_step_status)77), "unknown");
    FAILS(begin_step("train", 1, 0), CTCD_E_NOT_FOUND, "no run");
}
END_TEST

START_TEST(a_step_ends_with_all_that_it_leaves) {
    with_run();
    OK(begin_step("train", 1, 0));
    OK(end_step("train", 1, 2, true));
    struct store_steps steps = {0};
    OK(store_step_list(store, uuid_of(1), &steps, &err));
    ck_assert_int_eq(steps.items[0].status, STORE_STEP_COMPLETED);
    ck_assert_int_eq(steps.items[0].ended_ms, 30);
    store_steps_done(&steps);
    struct store_artifacts artifacts = {0};
    OK(store_artifact_list(store, uuid_of(1), "train", &artifacts, &err));
    ck_assert_uint_eq(artifacts.count, 2);
    ck_assert_str_eq(artifacts.items[0].name, "accuracy");
    ck_assert_int_eq(artifacts.items[0].kind, STORE_ARTIFACT_VALUE);
    ck_assert_str_eq(artifacts.items[0].value, "0.9");
    ck_assert_str_eq(artifacts.items[1].run, uuid_of(1));
    ck_assert_str_eq(artifacts.items[1].step, "train");
    ck_assert_int_eq(artifacts.items[1].kind, STORE_ARTIFACT_URI);
    ck_assert_str_eq(artifacts.items[1].sha256, "ab");
    store_artifact_done(&artifacts.items[1]);
    store_artifacts_done(&artifacts);
    struct store_decisions decisions = {0};
    OK(store_decision_list(store, uuid_of(1), &decisions, &err));
    ck_assert_uint_eq(decisions.count, 1);
    ck_assert_str_eq(decisions.items[0].step, "train");
    ck_assert_str_eq(decisions.items[0].verdict, "promote");
    ck_assert_str_eq(decisions.items[0].rule, "{\"metric\":\"accuracy\"}");
    ck_assert_str_eq(decisions.items[0].candidate, "{\"accuracy\":0.9}");
    ck_assert_str_eq(decisions.items[0].baseline, "");
    ck_assert_str_eq(decisions.items[0].reasons, "[]");
    ck_assert_int_eq(decisions.items[0].at_ms, 30);
    store_decision_done(&decisions.items[0]);
    store_decisions_done(&decisions);
    OK(store_artifact_list(store, uuid_of(1), "decide", &artifacts, &err));
    ck_assert_uint_eq(artifacts.count, 0);
    store_artifacts_done(&artifacts);
}
END_TEST

START_TEST(a_step_ends_whole_or_not_at_all) {
    with_run();
    OK(begin_step("train", 1, 0));
    FAILS(end_step("train", 1, 3, true), CTCD_E_EXISTS, "output \"model\" already");
    ck_assert_int_eq(raw_number("SELECT count(*) FROM artifacts"), 0);
    ck_assert_int_eq(raw_number("SELECT count(*) FROM step_runs WHERE status = 'running'"), 1);
    FAILS(end_step("train", 2, 0, false), CTCD_E_CONFLICT, "never begun");
    OK(end_step("train", 1, 0, true));
    FAILS(end_step("train", 1, 0, false), CTCD_E_CONFLICT, "ended already");
    OK(begin_step("train", 2, 0));
    FAILS(end_step("train", 2, 1, true), CTCD_E_EXISTS, "decided already");
    ck_assert_int_eq(raw_number("SELECT count(*) FROM artifacts"), 0);
    struct store_step_end end = {.run = uuid_of(1), .step = "train", .attempt = 2};
    FAILS(store_step_end(store, &end, &err), CTCD_E_INVALID, "does not end pending");
    end.status = STORE_STEP_FAILED;
    end.error = "exit status 1";
    OK(store_step_end(store, &end, &err));
    struct store_steps steps = {0};
    OK(store_step_list(store, uuid_of(1), &steps, &err));
    ck_assert_str_eq(steps.items[1].error, "exit status 1");
    store_steps_done(&steps);
}
END_TEST

START_TEST(what_is_known_already_is_found) {
    with_run();
    struct store_step step = {0};
    OK(begin_step("train", 1, 0));
    ck_assert_int_eq(store_step_find_cached(store, "digits", "train", "key", &step, &err),
                     CTCD_NONE);
    OK(end_step("train", 1, 1, false));
    OK(store_step_find_cached(store, "digits", "train", "key", &step, &err));
    ck_assert_str_eq(step.run, uuid_of(1));
    store_step_done(&step);
    ck_assert_int_eq(store_step_find_cached(store, "digits", "train", "other", &step, &err),
                     CTCD_NONE);
    ck_assert_int_eq(store_step_find_cached(store, "digits", "decide", "key", &step, &err),
                     CTCD_NONE);
    ck_assert_int_eq(store_step_find_cached(store, "else", "train", "key", &step, &err), CTCD_NONE);
    raw("UPDATE step_runs SET cache_key = ''");
    ck_assert_int_eq(store_step_find_cached(store, "digits", "train", "", &step, &err), CTCD_NONE);
}
END_TEST

SUITE_MAIN_WITH("store_runs", setup, home_teardown, a_run_comes_back, what_a_run_must_be,
                uuids_may_be_cut_short, buffered_runs_are_claimed_in_order,
                bound_pipelines_are_left_to_who_has_their_functions, only_the_owner_ends_a_run,
                a_pending_run_is_ended_by_anybody, runs_are_found_by_what_they_are,
                an_attempt_begins_once, a_step_ends_with_all_that_it_leaves,
                a_step_ends_whole_or_not_at_all, what_is_known_already_is_found)
