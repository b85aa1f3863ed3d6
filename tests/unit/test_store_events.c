/* lib/store/events.c and note.c: what is written beside each change, and how it is asked for. */
#include "store_home.h"

static void add_event(char *kind, char *subject, int64_t at_ms) {
    const struct store_event event = {
        .at_ms = at_ms, .subject_kind = kind, .subject = subject, .kind = "k", .message = "m"};
    OK(store_event_add(store, &event, &err));
}

static void expect_events(int64_t after, const char *kind, const char *subject, int64_t limit,
                          size_t count) {
    struct store_events list = {0};
    OK(store_event_list(store, after, kind, subject, limit, &list, &err));
    ck_assert_uint_eq(list.count, count);
    for (size_t i = 1; i < list.count; i++)
        ck_assert_int_gt(list.items[i].id, list.items[i - 1].id);
    store_events_done(&list);
}

START_TEST(events_come_in_order) {
    add_event("run", "a", 9);
    add_event("run", "b", 8);
    add_event("service", "a", 7);
    expect_events(0, NULL, NULL, 0, 3);
    expect_events(1, NULL, NULL, 0, 2);
    expect_events(0, NULL, NULL, 2, 2);
    expect_events(0, "run", NULL, 0, 2);
    expect_events(0, "run", "a", 0, 1);
    expect_events(3, NULL, NULL, 0, 0);
    struct store_events list = {0};
    OK(store_event_list(store, 2, NULL, NULL, 0, &list, &err));
    ck_assert_int_eq(list.items[0].at_ms, 7);
    ck_assert_str_eq(list.items[0].subject_kind, "service");
    ck_assert_str_eq(list.items[0].subject, "a");
    ck_assert_str_eq(list.items[0].kind, "k");
    ck_assert_str_eq(list.items[0].message, "m");
    ck_assert_str_eq(list.items[0].data, "");
    store_event_done(&list.items[0]);
    store_events_done(&list);
}
END_TEST

/* ---- what is noted ---------------------------------------------------------------------------- */

static char *noted; /* "kind: message" of all events, one a line */

static const char *read_noted(const struct store_event_query *query) {
    struct store_events list = {0};
    struct store_event_query all = {0};
    OK(store_event_query(store, query ? query : &all, &list, &err));
    free(noted);
    size_t size = 1;
    for (size_t i = 0; i < list.count; i++)
        size += strlen(list.items[i].kind) + strlen(list.items[i].message) + 3;
    noted = calloc(1, size);
    for (size_t i = 0; i < list.count; i++) {
        strcat(noted, list.items[i].kind);
        if (*list.items[i].message)
            strcat(strcat(noted, ": "), list.items[i].message);
        strcat(noted, "\n");
    }
    store_events_done(&list);
    return noted;
}

static struct store_event last_event(void) {
    struct store_event_query query = {.newest = true, .limit = 1};
    struct store_events list = {0};
    OK(store_event_query(store, &query, &list, &err));
    ck_assert_uint_eq(list.count, 1);
    struct store_event event = list.items[0];
    mem_free(list.items);
    return event;
}

static void teardown(void) {
    free(noted);
    noted = NULL;
    home_teardown();
}

START_TEST(the_life_of_a_schedule_is_noted) {
    int64_t id = 0;
    OK(add_pipeline(store));
    OK(add_schedule(store, 1, &id));
    struct store_run runs[] = {a_run(1), a_run(2)};
    runs[0].nominal_ms = 60000;
    runs[1].nominal_ms = 120000;
    const struct store_drop drops[] = {
        {.nominal_ms = 1000, .last_ms = 1000, .count = 1, .at_ms = 7, .reason = "missed"},
        {.nominal_ms = 2000, .last_ms = 9000, .count = 8, .at_ms = 7, .reason = "missed"},
        {.nominal_ms = 180000, .last_ms = 180000, .count = 1, .at_ms = 7, .reason = "overlap"}};
    const struct store_fire fire = {id, 0, 180000, runs, 2, drops, 3};
    OK(store_fire_claim(store, &fire, &err));
    ck_assert_int_eq(store_fire_claim(store, &fire, &err), CTCD_NONE);
    struct store_run first = {0};
    OK(store_run_claim_next_buffered(store, id, "", "me", 300, &first, &err));
    store_run_done(&first);
    OK(store_schedule_delete(store, id, 400, &err));
    ck_assert_str_eq(
        read_noted(NULL),
        "schedule_created\n"
        "run_claimed: for 1970-01-01T00:01:00Z\n"
        "run_claimed: for 1970-01-01T00:02:00Z\n"
        "fire_dropped: 9 fires from 1970-01-01T00:00:01Z to 1970-01-01T00:00:09Z: missed\n"
        "fire_dropped: 1970-01-01T00:03:00Z: overlap\n"
        "run_started\n"
        "run_canceled: its schedule was deleted\n"
        "schedule_deleted\n");
    struct store_event last = last_event();
    ck_assert_int_eq(last.at_ms, 400);
    ck_assert_str_eq(last.subject_kind, "schedule");
    ck_assert_str_eq(last.subject, uuid_of(1));
    ck_assert_str_eq(last.data, "{\"name\":\"schedule1\",\"pipeline\":\"digits\"}");
    store_event_done(&last);
}
END_TEST

static void end_step(enum store_step_status status, int64_t attempt, const char *error,
                     const struct store_decision *decision) {
    const struct store_step begun = {
        .run = uuid_of(1), .name = "s", .attempt = attempt, .status = STORE_STEP_RUNNING};
    const struct store_step_end end = {.run = uuid_of(1),
                                       .step = "s",
                                       .attempt = attempt,
                                       .status = status,
                                       .error = error,
                                       .now_ms = 250,
                                       .decision = decision};
    OK(store_step_add(store, &begun, &err));
    OK(store_step_end(store, &end, &err));
}

START_TEST(the_life_of_a_run_is_noted) {
    OK(add_pipeline(store));
    OK(add_running(store, 1, "a"));
    end_step(STORE_STEP_FAILED, 1, "exit status 3", NULL);
    end_step(STORE_STEP_INTERRUPTED, 2, "gone", NULL);
    end_step(STORE_STEP_COMPLETED, 3, NULL, NULL); /* no news */
    const struct store_decision decision = {
        .verdict = "reject",
        .rule = "{}",
        .candidate = "{}",
        .reasons = "[{\"text\": \"0.8 < 0.9\"}, {\"text\": \"no \\\"better\\\"\"}]"};
    end_step(STORE_STEP_COMPLETED, 4, NULL, &decision);
    OK(store_run_take_over(store, uuid_of(1), "a", "b", 260, &err));
    ck_assert_int_eq(store_run_take_over(store, uuid_of(1), "a", "c", 261, &err), CTCD_NONE);
    FAILS(store_run_end(store, uuid_of(1), "a", STORE_RUN_FAILED, "no", 262, &err), CTCD_E_CONFLICT,
          "another process");
    OK(store_run_end(store, uuid_of(1), "b", STORE_RUN_FAILED, "step s failed", 270, &err));
    ck_assert_str_eq(read_noted(NULL), "run_started\n"
                                       "step_failed: step s, attempt 1: exit status 3\n"
                                       "step_interrupted: step s, attempt 2: gone\n"
                                       "decision: reject: 0.8 < 0.9, no \"better\"\n"
                                       "run_resumed: whoever carried it out is gone\n"
                                       "run_failed: step s failed\n");
    struct store_event last = last_event();
    ck_assert_int_eq(last.at_ms, 270);
    ck_assert_str_eq(last.subject_kind, "run");
    ck_assert_str_eq(last.subject, uuid_of(1));
    store_event_done(&last);
    ck_assert_int_eq(raw_number("SELECT count(*) FROM events WHERE kind = 'decision' AND"
                                " json_extract(data, '$.verdict') = 'reject' AND"
                                " json_extract(data, '$.step') = 's'"),
                     1);
}
END_TEST

static void begin_one(int number, enum store_operation_kind kind, int64_t revision) {
    const struct store_operation operation = {.uuid = uuid_of(number),
                                              .service = uuid_of(1),
                                              .kind = kind,
                                              .phase = "begun",
                                              .owner = "me",
                                              .to_revision = revision,
                                              .begun_ms = 500 + number};
    OK(store_operation_begin(store, &operation, &err));
}

static void deploy_one(int number, bool works) {
    const struct store_revision revision = {.service = uuid_of(1),
                                            .model_uri = "./m",
                                            .options = "{}",
                                            .deployment = "{}",
                                            .metrics = "{}",
                                            .run = "run1",
                                            .url = "http://x"};
    int64_t made = 0;
    OK(store_revision_add(store, &revision, &made, &err));
    begin_one(number, STORE_OPERATION_DEPLOY, made);
    if (works) {
        OK(store_service_switch(store, uuid_of(1), made, NULL, uuid_of(number), "s", 600, &err));
        OK(store_operation_end(store, uuid_of(number), "", 610, &err));
    } else {
        OK(store_service_set_error(store, uuid_of(1), "no module", "log", 600, &err));
        OK(store_operation_end(store, uuid_of(number), "no module", 610, &err));
    }
}

START_TEST(the_life_of_a_service_is_noted) {
    OK(add_deployer(store));
    OK(add_service(store, 1));
    deploy_one(20, true);
    deploy_one(21, false);
    OK(store_service_set_error(store, uuid_of(1), "no module", NULL, 620,
                               &err)); /* known already */
    OK(store_service_set_error(store, uuid_of(1), "killed by SIGKILL", NULL, 630, &err));
    OK(store_service_set_error(store, uuid_of(1), NULL, NULL, 640, &err));
    begin_one(22, STORE_OPERATION_STOP, 0);
    OK(store_operation_end(store, uuid_of(22), "", 650, &err));
    begin_one(23, STORE_OPERATION_START, 1);
    OK(store_service_switch(store, uuid_of(1), 1, "http://y", uuid_of(23), "s", 660, &err));
    OK(store_operation_end(store, uuid_of(23), "", 670, &err));
    begin_one(24, STORE_OPERATION_DELETE, 0);
    struct store_operation left = {0};
    OK(store_operation_get_open(store, uuid_of(1), &left, &err));
    OK(store_operation_resolve(store, &left, "interrupted; resolved by a test", 680, &err));
    store_operation_done(&left);
    OK(store_service_remove(store, uuid_of(1), 690, &err));
    FAILS(store_service_remove(store, uuid_of(1), 691, &err), CTCD_E_NOT_FOUND, "service");
    ck_assert_str_eq(read_noted(NULL), "deploy_begun: revision 1\n"
                                       "deploy_switched: revision 1 (./m) serves at http://x\n"
                                       "deploy_begun: revision 2\n"
                                       "deploy_failed: no module\n"
                                       "service_error: killed by SIGKILL\n"
                                       "service_stopped\n"
                                       "service_started: revision 1 (./m) serves at http://y\n"
                                       "interrupted: delete interrupted; resolved by a test\n"
                                       "service_deleted\n");
}
END_TEST

START_TEST(what_is_undone_leaves_no_event) {
    OK(add_pipeline(store));
    OK(store_begin(store, &err));
    OK(add_running(store, 1, "a"));
    store_rollback(store);
    ck_assert_str_eq(read_noted(NULL), "");
    OK(add_running(store, 1, "a"));
    ck_assert_int_eq(add_running(store, 1, "a"), CTCD_E_EXISTS);
    err = error_unref(err);
    ck_assert_str_eq(read_noted(NULL), "run_started\n");
}
END_TEST

START_TEST(events_are_found_by_service_and_run) {
    OK(add_pipeline(store));
    OK(add_deployer(store));
    OK(add_service(store, 1));
    OK(add_running(store, 1, "a")); /* named run1 */
    OK(add_running(store, 2, "a"));
    deploy_one(20, true);
    const struct store_event_query of_run = {.run = uuid_of(1)};
    ck_assert_str_eq(read_noted(&of_run), "run_started\ndeploy_begun: revision 1\n"
                                          "deploy_switched: revision 1 (./m) serves at http://x\n");
    const struct store_event_query of_service = {.service = uuid_of(1), .newest = true, .limit = 1};
    ck_assert_str_eq(read_noted(&of_service),
                     "deploy_switched: revision 1 (./m) serves at http://x\n");
    const struct store_event_query newest = {.newest = true, .limit = 2};
    ck_assert_str_eq(read_noted(&newest), "deploy_begun: revision 1\n"
                                          "deploy_switched: revision 1 (./m) serves at http://x\n");
    const struct store_event_query later = {.after_id = 1, .limit = 2};
    ck_assert_str_eq(read_noted(&later), "run_started\ndeploy_begun: revision 1\n");
    OK(store_service_remove(store, uuid_of(1), 690, &err));
    char uuid[37];
    OK(store_event_service(store, "00000001", uuid, &err));
    ck_assert_str_eq(uuid, uuid_of(1));
    FAILS(store_event_service(store, "0000000f", uuid, &err), CTCD_E_NOT_FOUND, "service");
}
END_TEST

SUITE_MAIN_WITH("store_events", home_setup_open, teardown, events_come_in_order,
                the_life_of_a_schedule_is_noted, the_life_of_a_run_is_noted,
                the_life_of_a_service_is_noted, what_is_undone_leaves_no_event,
                events_are_found_by_service_and_run)
