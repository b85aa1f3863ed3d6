/* lib/store/services.c, revisions.c, operations.c: what is served, its servers, and the journal. */
#include "store_home.h"

static void setup(void) {
    home_setup_open();
    OK(add_deployer(store));
    OK(add_service(store, 1));
}

static struct store_service get_service(int number) {
    struct store_service service = {0};
    OK(store_service_get(store, uuid_of(number), &service, &err));
    return service;
}

static void expect_state(int64_t number, enum store_revision_state state) {
    struct store_revision revision = {0};
    OK(store_revision_get(store, uuid_of(1), number, &revision, &err));
    ck_assert_str_eq(store_revision_state_name(revision.state), store_revision_state_name(state));
    store_revision_done(&revision);
}

START_TEST(a_service_comes_back) {
    struct store_service service = get_service(1);
    ck_assert_str_eq(service.uuid, uuid_of(1));
    ck_assert_str_eq(service.deployer, "ml");
    ck_assert_str_eq(service.pipeline, "digits");
    ck_assert_str_eq(service.step, "deploy");
    ck_assert_str_eq(service.model, "model1");
    ck_assert_str_eq(service.run, "");
    ck_assert_int_eq(service.desired, CTCD_STATE_ACTIVE);
    ck_assert_int_eq(service.created_ms, 301);
    ck_assert_int_eq(service.revision, 0);
    ck_assert_str_eq(service.url, "");
    ck_assert_str_eq(service.last_error, "");
    ck_assert_str_eq(service.last_error_details, "");
    ck_assert_int_eq(service.last_error_ms, NONE);
    store_service_done(&service);
    OK(store_service_get(store, "00000001", &service, &err));
    store_service_done(&service);
}
END_TEST

START_TEST(one_service_has_an_identity) {
    struct store_service other = a_service(1);
    other.uuid = uuid_of(2);
    FAILS(store_service_add(store, &other, &err), CTCD_E_EXISTS, uuid_of(1));
    other.pipeline = NULL; /* "": another identity */
    OK(store_service_add(store, &other, &err));
    struct store_service got = {0};
    OK(store_service_find_identity(store, "ml", "", "deploy", "model1", &got, &err));
    ck_assert_str_eq(got.uuid, uuid_of(2));
    ck_assert_str_eq(got.pipeline, "");
    store_service_done(&got);
    OK(store_service_find_identity(store, "ml", "digits", "deploy", "model1", &got, &err));
    ck_assert_str_eq(got.uuid, uuid_of(1));
    store_service_done(&got);
    ck_assert_int_eq(store_service_find_identity(store, "ml", NULL, NULL, "model1", &got, &err),
                     CTCD_NONE);
    other = a_service(3);
    other.uuid = uuid_of(1);
    FAILS(store_service_add(store, &other, &err), CTCD_E_EXISTS, uuid_of(1));
    other = a_service(4);
    other.deployer = "none";
    FAILS(store_service_add(store, &other, &err), CTCD_E_NOT_FOUND, "model-deployer \"none\"");
    other = a_service(4);
    other.desired = CTCD_STATE_ERROR;
    FAILS(store_service_add(store, &other, &err), CTCD_E_INVALID, "no desired");
}
END_TEST

static void expect_services(const char *deployer, const char *pipeline, const char *step,
                            const char *model, size_t count) {
    struct store_services list = {0};
    OK(store_service_list(store, deployer, pipeline, step, model, &list, &err));
    ck_assert_uint_eq(list.count, count);
    for (size_t i = 1; i < list.count; i++)
        ck_assert_int_gt(list.items[i - 1].created_ms, list.items[i].created_ms);
    store_services_done(&list);
}

START_TEST(empty_is_any_in_queries) {
    OK(add_service(store, 2));
    OK(add_service(store, 3));
    expect_services(NULL, NULL, NULL, NULL, 3);
    expect_services("ml", "", "deploy", NULL, 3);
    expect_services("ml", "digits", "deploy", "model2", 1);
    expect_services("other", NULL, NULL, NULL, 0);
    expect_services(NULL, NULL, NULL, "model%", 0);
}
END_TEST

static void expect_page(struct store_service_query query, const char *models) {
    struct store_services list = {0};
    char seen[200] = "";
    OK(store_service_query(store, &query, &list, &err));
    for (size_t i = 0; i < list.count; i++)
        (void)snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", list.items[i].model);
    ck_assert_str_eq(seen, models);
    store_services_done(&list);
}

START_TEST(services_come_in_pages) {
    for (int i = 2; i <= 4; i++)
        OK(add_service(store, i));
    char first[37], part[9];
    (void)snprintf(first, sizeof first, "%s", uuid_of(3));
    (void)snprintf(part, sizeof part, "%.8s", first);
    expect_page((struct store_service_query){0}, "model4 model3 model2 model1 ");
    expect_page((struct store_service_query){.limit = 2}, "model4 model3 ");
    expect_page((struct store_service_query){.limit = 9, .after = first}, "model2 model1 ");
    expect_page((struct store_service_query){.limit = 1, .after = first, .deployer = "ml"},
                "model2 ");
    expect_page((struct store_service_query){.after = "gone"}, "");
    expect_page((struct store_service_query){.uuid = first}, "model3 ");
    expect_page((struct store_service_query){.uuid = first, .model = "model2"}, "");
    expect_page((struct store_service_query){.uuid = "%"}, "");
}
END_TEST

START_TEST(services_change) {
    OK(store_service_set_desired(store, uuid_of(1), CTCD_STATE_INACTIVE, &err));
    OK(store_service_set_error(store, uuid_of(1), "it fell", "line 1\nline 2", 77, &err));
    OK(store_service_set_url(store, uuid_of(1), "http://x", &err));
    struct store_service service = get_service(1);
    ck_assert_int_eq(service.desired, CTCD_STATE_INACTIVE);
    ck_assert_str_eq(service.last_error, "it fell");
    ck_assert_str_eq(service.last_error_details, "line 1\nline 2");
    ck_assert_int_eq(service.last_error_ms, 77);
    ck_assert_str_eq(service.url, "http://x");
    store_service_done(&service);
    OK(store_service_set_error(store, uuid_of(1), NULL, "not this", 78, &err));
    service = get_service(1);
    ck_assert_str_eq(service.last_error, "");
    ck_assert_str_eq(service.last_error_details, "");
    ck_assert_int_eq(service.last_error_ms, NONE);
    store_service_done(&service);
    FAILS(store_service_set_desired(store, uuid_of(1), CTCD_STATE_ERROR, &err), CTCD_E_INVALID,
          "6");
}
END_TEST

START_TEST(what_is_not_there) {
    struct store_service service = {0};
    struct store_revision revision = {0};
    int64_t number = -7;
    FAILS(store_service_get(store, uuid_of(9), &service, &err), CTCD_E_NOT_FOUND, "service");
    FAILS(store_service_get(store, "model1", &service, &err), CTCD_E_NOT_FOUND, "model1");
    FAILS(store_service_set_desired(store, uuid_of(9), CTCD_STATE_ACTIVE, &err), CTCD_E_NOT_FOUND,
          "service");
    FAILS(store_service_set_error(store, uuid_of(9), "x", NULL, 1, &err), CTCD_E_NOT_FOUND,
          "service");
    FAILS(store_service_set_url(store, uuid_of(9), "x", &err), CTCD_E_NOT_FOUND, "service");
    FAILS(store_service_remove(store, uuid_of(9), 9, &err), CTCD_E_NOT_FOUND, "service");
    FAILS(add_revision(store, 9, &number), CTCD_E_NOT_FOUND, "service");
    FAILS(store_revision_get(store, uuid_of(1), 1, &revision, &err), CTCD_E_NOT_FOUND,
          "revision 1");
    FAILS(store_revision_next_generation(store, uuid_of(1), 1, &number, &err), CTCD_E_NOT_FOUND,
          "revision 1");
    FAILS(store_revision_set_state(store, uuid_of(1), 1, STORE_REVISION_SERVING, 1, &err),
          CTCD_E_NOT_FOUND, "revision 1");
    FAILS(store_revision_set(store, uuid_of(1), 1, NULL, "m", NULL, &err), CTCD_E_NOT_FOUND,
          "revision 1");
    ck_assert_int_eq(number, -7);
}
END_TEST

/* ---- revisions -------------------------------------------------------------------------------- */

START_TEST(a_revision_comes_back) {
    int64_t number = 0;
    OK(add_revision(store, 1, &number));
    ck_assert_int_eq(number, 1);
    struct store_revision got = {0};
    OK(store_revision_get(store, uuid_of(1), 1, &got, &err));
    ck_assert_str_eq(got.service, uuid_of(1));
    ck_assert_int_eq(got.number, 1);
    ck_assert_str_eq(got.model_uri, "models/one");
    ck_assert_str_eq(got.pinned_uri, "/models/one");
    ck_assert_str_eq(got.options, "{}");
    ck_assert_str_eq(got.deployment, "{}");
    ck_assert_str_eq(got.metrics, "{\"accuracy\":0.9}");
    ck_assert_str_eq(got.run, "run1");
    ck_assert_int_eq(got.generation, 0);
    ck_assert_int_eq(got.state, STORE_REVISION_STARTING);
    ck_assert_str_eq(got.memo, "");
    ck_assert_str_eq(got.url, "http://127.0.0.1:5000/invocations");
    ck_assert_int_eq(got.created_ms, 400);
    ck_assert_int_eq(got.ready_ms, NONE);
    ck_assert_int_eq(got.ended_ms, NONE);
    store_revision_done(&got);
}
END_TEST

START_TEST(numbers_are_never_used_again) {
    int64_t number = 0;
    OK(add_revision(store, 1, &number));
    OK(add_revision(store, 1, &number));
    ck_assert_int_eq(number, 2);
    raw("DELETE FROM revisions");
    OK(add_revision(store, 1, &number));
    ck_assert_int_eq(number, 3);
    struct store_revisions list = {0};
    OK(store_revision_list(store, uuid_of(1), &list, &err));
    ck_assert_uint_eq(list.count, 1);
    store_revisions_done(&list);
}
END_TEST

START_TEST(the_newest_and_those_that_may_run) {
    int64_t number = 0;
    struct store_revision newest = {0};
    struct store_revisions list = {0};
    ck_assert_int_eq(store_revision_newest(store, uuid_of(1), &newest, &err), CTCD_NONE);
    for (int i = 0; i < 5; i++)
        OK(add_revision(store, 1, &number));
    OK(store_revision_set_state(store, uuid_of(1), 1, STORE_REVISION_STOPPED, 5, &err));
    OK(store_revision_set_state(store, uuid_of(1), 2, STORE_REVISION_SERVING, 5, &err));
    OK(store_revision_set_state(store, uuid_of(1), 3, STORE_REVISION_FAILED, 5, &err));
    OK(store_revision_set_state(store, uuid_of(1), 4, STORE_REVISION_DRAINING, 5, &err));
    OK(store_revision_newest(store, uuid_of(1), &newest, &err));
    ck_assert_int_eq(newest.number, 5);
    store_revision_done(&newest);
    OK(store_revision_list_unended(store, uuid_of(1), &list, &err));
    ck_assert_uint_eq(list.count, 3);
    ck_assert_int_eq(list.items[0].number, 2);
    ck_assert_int_eq(list.items[1].number, 4);
    ck_assert_int_eq(list.items[2].number, 5);
    store_revisions_done(&list);
}
END_TEST

/* What is read in one is of one instant, whatever others write meanwhile; nobody waits. */
START_TEST(a_reading_sees_one_instant) {
    struct store *other = NULL;
    struct store_service got = {0};
    int64_t number = 0;
    OK(store_open(home_path, 0, 1, &other, &err));
    OK(store_begin_read(store, &err));
    OK(store_service_get(store, uuid_of(1), &got, &err));
    ck_assert_int_eq(got.desired, CTCD_STATE_ACTIVE);
    store_service_done(&got);
    OK(store_service_set_desired(other, uuid_of(1), CTCD_STATE_INACTIVE, &err));
    OK(add_revision(other, 1, &number));
    OK(store_service_get(store, uuid_of(1), &got, &err));
    ck_assert_int_eq(got.desired, CTCD_STATE_ACTIVE);
    store_service_done(&got);
    struct store_revision newest = {0};
    ck_assert_int_eq(store_revision_newest(store, uuid_of(1), &newest, &err), CTCD_NONE);
    store_rollback(store);
    OK(store_service_get(store, uuid_of(1), &got, &err));
    ck_assert_int_eq(got.desired, CTCD_STATE_INACTIVE);
    store_service_done(&got);
    store_close(other);
}
END_TEST

START_TEST(every_start_is_a_generation) {
    int64_t number = 0, generation = 0;
    OK(add_revision(store, 1, &number));
    OK(store_revision_next_generation(store, uuid_of(1), 1, &generation, &err));
    ck_assert_int_eq(generation, 1);
    OK(store_revision_set_state(store, uuid_of(1), 1, STORE_REVISION_SERVING, 50, &err));
    OK(store_revision_set_state(store, uuid_of(1), 1, STORE_REVISION_STOPPED, 60, &err));
    struct store_revision got = {0};
    OK(store_revision_get(store, uuid_of(1), 1, &got, &err));
    ck_assert_int_eq(got.ready_ms, 50);
    ck_assert_int_eq(got.ended_ms, 60);
    store_revision_done(&got);
    OK(store_revision_next_generation(store, uuid_of(1), 1, &generation, &err));
    ck_assert_int_eq(generation, 2);
    OK(store_revision_get(store, uuid_of(1), 1, &got, &err));
    ck_assert_int_eq(got.state, STORE_REVISION_STARTING);
    ck_assert_int_eq(got.ready_ms, NONE);
    ck_assert_int_eq(got.ended_ms, NONE);
    store_revision_done(&got);
    FAILS(store_revision_set_state(store, uuid_of(1), 1, (enum store_revision_state)9, 1, &err),
          CTCD_E_INVALID, "9");
    ck_assert_str_eq(store_revision_state_name((enum store_revision_state)9), "unknown");
}
END_TEST

START_TEST(a_back_end_says_what_it_knows) {
    int64_t number = 0;
    OK(add_revision(store, 1, &number));
    OK(store_revision_set(store, uuid_of(1), 1, NULL, "{\"port\":5001}", NULL, &err));
    OK(store_revision_set(store, uuid_of(1), 1, "/pinned", NULL, "", &err));
    struct store_revision got = {0};
    OK(store_revision_get(store, uuid_of(1), 1, &got, &err));
    ck_assert_str_eq(got.memo, "{\"port\":5001}");
    ck_assert_str_eq(got.pinned_uri, "/pinned");
    ck_assert_str_eq(got.url, "");
    store_revision_done(&got);
}
END_TEST

/* ---- the journal ------------------------------------------------------------------------------ */

START_TEST(an_operation_comes_back) {
    struct store_operation got = {0};
    ck_assert_int_eq(store_operation_get_open(store, uuid_of(1), &got, &err), CTCD_NONE);
    OK(begin_operation(store, 50, 1));
    OK(store_operation_get_open(store, uuid_of(1), &got, &err));
    ck_assert_str_eq(got.uuid, uuid_of(50));
    ck_assert_str_eq(got.service, uuid_of(1));
    ck_assert_int_eq(got.kind, STORE_OPERATION_DEPLOY);
    ck_assert_str_eq(got.phase, "start");
    ck_assert_int_eq(got.from_revision, 0);
    ck_assert_int_eq(got.to_revision, 1);
    ck_assert_int_eq(got.deadline_ms, 9000);
    ck_assert_str_eq(got.owner, "1@here");
    ck_assert_int_eq(got.begun_ms, 500);
    ck_assert_int_eq(got.ended_ms, NONE);
    ck_assert_str_eq(got.result, "");
    store_operation_done(&got);
    ck_assert_str_eq(store_operation_kind_name(STORE_OPERATION_STOP), "stop");
    ck_assert_str_eq(store_operation_kind_name((enum store_operation_kind)9), "unknown");
}
END_TEST

START_TEST(a_service_has_one_open_operation) {
    OK(add_service(store, 2));
    OK(begin_operation(store, 50, 1));
    FAILS(begin_operation(store, 51, 1), CTCD_E_CONFLICT, "unfinished deploy (start, by 1@here)");
    OK(begin_operation(store, 52, 2));
    FAILS(begin_operation(store, 50, 3), CTCD_E_EXISTS, uuid_of(50));
    OK(store_operation_set_phase(store, uuid_of(50), "drain", &err));
    OK(store_operation_set_owner(store, uuid_of(50), "2@here", 9999, &err));
    OK(store_operation_set_revision(store, uuid_of(50), 4, &err));
    struct store_operation got = {0};
    OK(store_operation_get_open(store, uuid_of(1), &got, &err));
    ck_assert_str_eq(got.phase, "drain");
    ck_assert_str_eq(got.owner, "2@here");
    ck_assert_int_eq(got.deadline_ms, 9999);
    ck_assert_int_eq(got.to_revision, 4);
    store_operation_done(&got);
    OK(store_operation_end(store, uuid_of(50), "undone", 800, &err));
    FAILS(store_operation_end(store, uuid_of(50), "", 900, &err), CTCD_E_CONFLICT, "has ended");
    FAILS(store_operation_set_phase(store, uuid_of(50), "x", &err), CTCD_E_CONFLICT, "has ended");
    FAILS(store_operation_set_owner(store, uuid_of(50), "x", 1, &err), CTCD_E_CONFLICT,
          "has ended");
    FAILS(store_operation_set_revision(store, uuid_of(50), 1, &err), CTCD_E_CONFLICT, "has ended");
    OK(begin_operation(store, 51, 1));
    struct store_operations list = {0};
    OK(store_operation_list(store, NULL, false, &list, &err));
    ck_assert_uint_eq(list.count, 3);
    ck_assert_int_eq(list.items[0].ended_ms, 800);
    ck_assert_str_eq(list.items[0].result, "undone");
    store_operations_done(&list);
    OK(store_operation_list(store, NULL, true, &list, &err));
    ck_assert_uint_eq(list.count, 2);
    store_operations_done(&list);
    OK(store_operation_list(store, uuid_of(1), false, &list, &err));
    ck_assert_uint_eq(list.count, 2);
    store_operations_done(&list);
}
END_TEST

START_TEST(the_switch_is_one_step) {
    int64_t number = 0;
    OK(add_revision(store, 1, &number));
    OK(begin_operation(store, 50, 1));
    OK(store_service_switch(store, uuid_of(1), 1, NULL, uuid_of(50), "switched", 600, &err));
    OK(store_operation_end(store, uuid_of(50), "", 601, &err));
    OK(store_service_set_error(store, uuid_of(1), "crashed", "tail", 602, &err));
    OK(store_service_set_desired(store, uuid_of(1), CTCD_STATE_INACTIVE, &err));
    OK(add_revision(store, 1, &number));
    OK(begin_operation(store, 51, 1));
    OK(store_service_switch(store, uuid_of(1), 2, "http://gateway", uuid_of(51), "drain", 700,
                            &err));
    struct store_service service = get_service(1);
    ck_assert_int_eq(service.revision, 2);
    ck_assert_str_eq(service.url, "http://gateway");
    ck_assert_str_eq(service.run, "run1");
    ck_assert_int_eq(service.desired, CTCD_STATE_ACTIVE);
    ck_assert_str_eq(service.last_error, "");
    ck_assert_int_eq(service.last_error_ms, NONE);
    store_service_done(&service);
    expect_state(1, STORE_REVISION_DRAINING);
    expect_state(2, STORE_REVISION_SERVING);
    struct store_operation operation = {0};
    OK(store_operation_get_open(store, uuid_of(1), &operation, &err));
    ck_assert_str_eq(operation.phase, "drain");
    store_operation_done(&operation);
}
END_TEST

static void begin_restart(int number) {
    const struct store_operation operation = {.uuid = uuid_of(number),
                                              .service = uuid_of(1),
                                              .kind = STORE_OPERATION_RESTART,
                                              .phase = "start",
                                              .to_revision = 1,
                                              .owner = "1@here",
                                              .begun_ms = 500};
    OK(store_operation_begin(store, &operation, &err));
}

static void expect_restarts(const char *policy, int64_t restarts, int64_t tries, int64_t next) {
    struct store_service service = get_service(1);
    ck_assert_str_eq(service.restart, policy);
    ck_assert_int_eq(service.restarts, restarts);
    ck_assert_int_eq(service.restart_tries, tries);
    ck_assert_int_eq(service.restart_next_ms, next);
    store_service_done(&service);
}

static void expect_kept(size_t count) {
    struct store_services kept = {0};
    OK(store_service_list_kept(store, &kept, &err));
    ck_assert_uint_eq(kept.count, count);
    store_services_done(&kept);
}

START_TEST(restarts_are_planned_counted_and_settled) {
    const struct store_revision revision = {.service = uuid_of(1),
                                            .model_uri = "models/one",
                                            .deployment = "{\"restart\": \"always\"}"};
    int64_t number = 0;
    expect_restarts("never", 0, 0, NONE);
    OK(store_revision_add(store, &revision, &number, &err));
    OK(begin_operation(store, 50, 1));
    expect_kept(0);
    OK(store_service_switch(store, uuid_of(1), 1, NULL, uuid_of(50), "switched", 600, &err));
    OK(store_operation_end(store, uuid_of(50), "", 601, &err));
    expect_restarts("always", 0, 0, NONE);
    expect_kept(1);
    OK(store_service_plan_restart(store, uuid_of(1), 3, 900, "it fell", 700, &err));
    expect_restarts("always", 0, 3, 900);
    OK(store_service_count_restart(store, uuid_of(1), 1900, &err));
    expect_restarts("always", 1, 4, 1900);
    begin_restart(51);
    OK(store_service_switch(store, uuid_of(1), 1, NULL, uuid_of(51), "switched", 800, &err));
    OK(store_operation_end(store, uuid_of(51), "", 801, &err));
    expect_restarts("always", 1, 4, NONE);
    OK(store_service_plan_restart(store, uuid_of(1), 4, 950, "again", 802, &err));
    OK(store_service_set_desired(store, uuid_of(1), CTCD_STATE_INACTIVE, &err));
    expect_restarts("always", 1, 4, NONE);
    expect_kept(0);
    FAILS(store_service_plan_restart(store, uuid_of(1), 4, 950, "again", 803, &err),
          CTCD_E_NOT_FOUND, uuid_of(1)); /* it was stopped */
    expect_restarts("always", 1, 4, NONE);
    OK(add_revision(store, 1, &number));
    OK(begin_operation(store, 52, 1));
    OK(store_service_switch(store, uuid_of(1), 2, NULL, uuid_of(52), "switched", 900, &err));
    expect_restarts("never", 0, 0, NONE);
    FAILS(store_service_count_restart(store, uuid_of(9), 1, &err), CTCD_E_NOT_FOUND, "service");
}
END_TEST

START_TEST(a_switch_that_may_not_be_changes_nothing) {
    int64_t number = 0;
    OK(add_revision(store, 1, &number));
    OK(begin_operation(store, 50, 1));
    FAILS(store_service_switch(store, uuid_of(1), 2, NULL, uuid_of(50), "switched", 600, &err),
          CTCD_E_NOT_FOUND, "revision 2");
    struct store_operation operation = {0};
    OK(store_operation_get_open(store, uuid_of(1), &operation, &err));
    ck_assert_str_eq(operation.phase, "start");
    store_operation_done(&operation);
    OK(store_operation_end(store, uuid_of(50), "undone by another process", 601, &err));
    FAILS(store_service_switch(store, uuid_of(1), 1, NULL, uuid_of(50), "switched", 600, &err),
          CTCD_E_CONFLICT, "has ended");
    expect_state(1, STORE_REVISION_STARTING);
    struct store_service service = get_service(1);
    ck_assert_int_eq(service.revision, 0);
    ck_assert_str_eq(service.url, "");
    store_service_done(&service);
}
END_TEST

START_TEST(removing_keeps_the_journal) {
    int64_t number = 0;
    OK(add_revision(store, 1, &number));
    OK(begin_operation(store, 50, 1));
    OK(store_begin(store, &err));
    OK(store_service_remove(store, uuid_of(1), 9, &err));
    OK(store_operation_end(store, uuid_of(50), "", 1, &err));
    OK(store_commit(store, &err));
    struct store_revisions revisions = {0};
    OK(store_revision_list(store, uuid_of(1), &revisions, &err));
    ck_assert_uint_eq(revisions.count, 0);
    store_revisions_done(&revisions);
    struct store_operations operations = {0};
    OK(store_operation_list(store, uuid_of(1), false, &operations, &err));
    ck_assert_uint_eq(operations.count, 1);
    store_operations_done(&operations);
    OK(store_check(store, &err));
}
END_TEST

SUITE_MAIN_WITH("store_services", setup, home_teardown, a_service_comes_back,
                one_service_has_an_identity, empty_is_any_in_queries, services_come_in_pages,
                services_change, what_is_not_there, a_revision_comes_back,
                numbers_are_never_used_again, the_newest_and_those_that_may_run,
                a_reading_sees_one_instant, every_start_is_a_generation,
                a_back_end_says_what_it_knows, an_operation_comes_back,
                a_service_has_one_open_operation, the_switch_is_one_step,
                a_service_has_one_open_operation, restarts_are_planned_counted_and_settled,
                a_switch_that_may_not_be_changes_nothing, removing_keeps_the_journal)
