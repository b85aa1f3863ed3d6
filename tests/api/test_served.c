/* Living with a service, with the MLflow back end on stand-in servers: finding it, looking at it, asking it,
   stopping, starting and deleting it, and what is said when its server misbehaves. */
#include "fake.h"
#include "stand_in.h"

static ctcd_service *get(const char *uuid) {
    ctcd_service *service = NULL;
    ok(ctcd_service_get(ctx, uuid, &service, &err));
    return service;
}

static void drop(ctcd_service *service) {
    ck_assert_ptr_null(ctcd_service_unref(service));
}

/* ---- finding ---------------------------------------------------------------------------------- */

START_TEST(a_service_is_found_by_a_prefix_of_its_uuid) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *found = NULL;
    char prefix[40];
    for (int size = 4; size <= 36; size++) {
        (void)snprintf(prefix, sizeof prefix, "%.*s", size, ctcd_service_uuid(service));
        found = get(prefix);
        ck_assert_str_eq(ctcd_service_uuid(found), ctcd_service_uuid(service));
        drop(found);
    }
    found = NULL;
    (void)snprintf(prefix, sizeof prefix, "%.3s", ctcd_service_uuid(service));
    fails(ctcd_service_get(ctx, prefix, &found, &err), CTCD_E_NOT_FOUND); /* too short */
    ck_assert_has(ctcd_error_message(err), prefix);
    fails(ctcd_service_get(ctx, "", &found, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_get(ctx, "00000000-0000-4000-8000-000000000000", &found, &err),
          CTCD_E_NOT_FOUND);
    ck_assert_ptr_nonnull(ctcd_error_hint(err));
    fails(ctcd_service_get(ctx, "digits", &found, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_get(ctx, NULL, &found, &err), CTCD_E_INVALID);
    fails(ctcd_service_get(ctx, prefix, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(found);
    ck_assert_ptr_eq(ctcd_service_ref(service), service);
    drop(service);
    drop(service);
}
END_TEST

/* How many services fit, and that the first one is of this model. */
static void finds(const char *by, const char *pipeline, const char *step, const char *model,
                  size_t count) {
    ctcd_list *list = NULL;
    ok(ctcd_service_find(ctx, by, pipeline, step, model, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), count);
    for (size_t i = 0; model && *model && i < count; i++)
        ck_assert_str_eq(ctcd_service_model(ctcd_list_service(list, i)), model);
    ctcd_list_unref(list);
}

START_TEST(services_are_found_by_what_they_are) {
    static const struct {
        const char *pipeline, *step, *model;
    } made[] = {
        {NULL, NULL, "digits"}, {"train", "deploy", "digits"}, {"train", "other", "letters"}};
    ctcd_service *service = NULL;
    const char *model = a_model("1", "");
    for (size_t i = 0; i < 3; i++) {
        ctcd_deployment *d = want(made[i].model, model);
        ok(ctcd_deployment_set_origin(d, made[i].pipeline, made[i].step, NULL, &err));
        ok(ctcd_model_deployer_deploy(ml, d, -1, &service, &err));
        ctcd_deployment_unref(d);
        drop(service);
    }
    finds(NULL, NULL, NULL, NULL, 3);
    finds("", "", "", "", 3);
    finds("ml", NULL, NULL, NULL, 3);
    finds("other", NULL, NULL, NULL, 0);
    finds(NULL, "train", NULL, NULL, 2);
    finds(NULL, "train", "deploy", NULL, 1);
    finds(NULL, NULL, NULL, "digits", 2);
    finds(NULL, "train", NULL, "letters", 1);
    finds(NULL, "train", "deploy", "letters", 0);
    ctcd_list *list = NULL;
    char *text = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err));
    ck_assert_str_eq(ctcd_service_model(ctcd_list_service(list, 0)), "letters"); /* newest first */
    ck_assert_str_eq(ctcd_service_pipeline(ctcd_list_service(list, 2)), "");
    ck_assert_ptr_null(ctcd_list_service(list, 3));
    ck_assert_ptr_null(ctcd_list_status(list, 0));
    ok(ctcd_list_format(list, "name", &text, &err));
    ck_assert_uint_eq(strlen(text), 3 * 36 + 2); /* three UUIDs, a line each */
    ctcd_free(text);
    ok(ctcd_list_format(list, "json", &text, &err));
    ck_assert_has(text, "\"model_name\": \"letters\"");
    ctcd_free(text);
    ctcd_list_unref(list);
    fails(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_service_find(NULL, NULL, NULL, NULL, NULL, &list, &err), CTCD_E_INVALID);
}
END_TEST

/* ---- looking ---------------------------------------------------------------------------------- */

START_TEST(states_have_names) {
    static const char *const names[] = {"inactive",         "pending_startup", "active", "degraded",
                                        "pending_shutdown", "error",           "unknown"};
    for (int state = CTCD_STATE_INACTIVE; state <= CTCD_STATE_UNKNOWN; state++)
        ck_assert_str_eq(ctcd_state_name(state), names[state - 1]);
    ck_assert_str_eq(ctcd_state_name(0), "unknown");
    ck_assert_str_eq(ctcd_state_name(99), "unknown");
}
END_TEST

START_TEST(a_look_shows_what_is_there) {
    ctcd_service *service = deploy("digits", a_model("1", ""));
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    ctcd_status *status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
    ck_assert_int_eq(ctcd_status_desired(status), CTCD_STATE_ACTIVE);
    ck_assert_str_eq(ctcd_status_message(status), "its server answers");
    ck_assert_str_eq(ctcd_status_last_error(status), "");
    ck_assert_str_eq(ctcd_status_log_tail(status), "");
    ck_assert_str_eq(ctcd_status_next(status), "");
    ck_assert_int_ge(ctcd_status_time(status) / 1000, now.tv_sec - 1);
    ck_assert_int_le(ctcd_status_time(status) / 1000, now.tv_sec + 60);
    ck_assert_str_eq(ctcd_service_uuid(ctcd_status_service(status)), ctcd_service_uuid(service));
    ck_assert_str_eq(property(status, "WORKERS"), "1");
    ck_assert_ptr_nonnull(property(status, "DAEMON_PID"));
    ck_assert_has(ctcd_service_url(service), property(status, "PORT"));
    ck_assert_has(property(status, "SERVICE_PATH"), ctcd_service_uuid(service));
    ck_assert_ptr_nonnull(property(status, "STARTED"));
    size_t count = ctcd_status_property_count(status);
    ck_assert_ptr_null(ctcd_status_property_name(status, count));
    ck_assert_ptr_null(ctcd_status_property_value(status, count));
    ck_assert_ptr_eq(ctcd_status_ref(status), status);
    ctcd_status_unref(status);
    ck_assert_ptr_null(ctcd_status_unref(status));
    fails(ctcd_service_observe(service, 0, &status, &err), CTCD_E_INVALID);
    fails(ctcd_service_observe(service, -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_service_observe(NULL, -1, &status, &err), CTCD_E_INVALID);
    drop(service);
}
END_TEST

START_TEST(services_and_looks_print_themselves) {
    char *text = NULL;
    ctcd_service *service = NULL;
    ctcd_deployment *d = want("dig: its", a_model("1", ""));
    ok(ctcd_deployment_set_metrics(d, "{\"accuracy\": 0.5}", &err));
    ok(ctcd_model_deployer_deploy(ml, d, -1, &service, &err));
    ctcd_deployment_unref(d);
    ok(ctcd_service_format(service, "json", &text, &err));
    ck_assert_has(text, "\"model_name\": \"dig: its\"");
    ck_assert_has(text, "\"accuracy\": 0.5");
    ck_assert_has(text, "\"revision\": 1");
    ctcd_free(text);
    ok(ctcd_service_format(service, "yaml", &text, &err));
    ck_assert_has(text, "model_name: \"dig: its\"\n");
    ck_assert_has(text, "metrics:\n");
    ctcd_free(text);
    ok(ctcd_service_format(service, "name", &text, &err));
    ck_assert_str_eq(text, ctcd_service_uuid(service));
    ctcd_free(text);
    ctcd_status *status = look(service);
    ok(ctcd_status_format(status, "json", &text, &err));
    ck_assert_has(text, "\"state\": \"active\"");
    ck_assert_has(text, "\"DAEMON_PID\"");
    ctcd_free(text);
    ok(ctcd_status_format(status, "yaml", &text, &err));
    ck_assert_has(text, "state: active\n");
    ctcd_free(text);
    ok(ctcd_status_format(status, "name", &text, &err));
    ck_assert_str_eq(text, ctcd_service_uuid(service));
    ctcd_free(text);
    text = NULL;
    fails(ctcd_status_format(status, "text", &text, &err), CTCD_E_INVALID);
    fails(ctcd_service_format(service, "text", &text, &err), CTCD_E_INVALID);
    fails(ctcd_service_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    fails(ctcd_status_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    ctcd_status_unref(status);
    drop(service);
}
END_TEST

START_TEST(many_are_looked_at_side_by_side) {
    const char *silent = a_model("1", "");
    ctcd_service *answering = deploy("answering", a_model("1", "")), *deaf = deploy("deaf", silent),
                 *dead = deploy("dead", a_model("1", "")), *off = deploy("off", a_model("1", ""));
    ctcd_list *all = NULL, *seen = NULL;
    ctcd_op *op = NULL;
    behave(silent, "silent\n");
    ck_assert_int_eq(kill(pid_of(dead), SIGKILL), 0);
    ok(ctcd_service_stop(off, -1, &err));
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &all, &err)); /* off, dead, deaf, answering */
    int64_t begun = real_mono();
    ok(ctcd_list_observe(all, a_while(), &seen, &err));
    ck_assert_int_lt(real_mono() - begun, a_while() + LONG_MS);
    ck_assert_uint_eq(ctcd_list_count(seen), 4);
    static const int states[] = {CTCD_STATE_INACTIVE, CTCD_STATE_ERROR, CTCD_STATE_UNKNOWN,
                                 CTCD_STATE_ACTIVE};
    for (size_t i = 0; i < 4; i++) {
        ctcd_status *status = ctcd_list_status(seen, i);
        ck_assert_int_eq(ctcd_status_state(status), states[i]);
        ck_assert_str_eq(ctcd_service_uuid(ctcd_status_service(status)),
                         ctcd_service_uuid(ctcd_list_service(all, i)));
    }
    ck_assert_has(ctcd_status_last_error(ctcd_list_status(seen, 1)), "SIGKILL");
    ctcd_list_unref(seen);
    seen = NULL;
    ok(ctcd_list_observe_begin(all, a_while(), &op, &err));
    ok(ctcd_op_wait(op, -1, &err));
    char *text = NULL;
    fails(ctcd_op_take_text(op, &text, &err), CTCD_E_INVALID);
    ok(ctcd_op_take_list(op, &seen, &err));
    ck_assert_uint_eq(ctcd_list_count(seen), 4);
    ctcd_op_unref(op);
    fails(ctcd_list_observe(seen, -1, &all, &err), CTCD_E_INVALID); /* no list of services */
    fails(ctcd_list_observe(all, 0, &seen, &err), CTCD_E_INVALID);
    fails(ctcd_list_observe(all, -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_list_observe(NULL, -1, &seen, &err), CTCD_E_INVALID);
    fails(ctcd_list_observe_begin(all, -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_list_observe_begin(all, 0, &op, &err), CTCD_E_INVALID);
    ctcd_list_unref(seen);
    ctcd_list_unref(all);
    behave(silent, "");
    drop(answering);
    drop(deaf);
    drop(dead);
    drop(off);
}
END_TEST

START_TEST(a_server_that_is_not_well_is_degraded) {
    const char *model = a_model("1", "");
    ctcd_service *service = deploy("digits", model);
    behave(model, "unready\n");
    ctcd_status *status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_DEGRADED);
    ck_assert_has(ctcd_status_message(status), "503");
    ctcd_status_unref(status);
    answers(service, ONES);
    behave(model, "");
    ck_assert_int_eq(state_of(service), CTCD_STATE_ACTIVE);
    drop(service);
}
END_TEST

/* ---- stop and start --------------------------------------------------------------------------- */

START_TEST(a_stop_ends_the_server_and_a_start_brings_it_back) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *fresh;
    char url[200];
    (void)snprintf(url, sizeof url, "%s", ctcd_service_url(service));
    ok(ctcd_service_stop(service, -1, &err));
    ck_assert_int_eq(processes_of(service, 1), 0);
    ctcd_status *status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_INACTIVE);
    ck_assert_int_eq(ctcd_status_desired(status), CTCD_STATE_INACTIVE);
    ck_assert_str_eq(ctcd_status_last_error(status), "");
    ctcd_status_unref(status);
    ok(ctcd_service_stop(service, -1, &err)); /* stopped already is done */
    ok(ctcd_service_start(service, -1, &err));
    ck_assert_int_eq(state_of(service), CTCD_STATE_ACTIVE);
    answers(service, ONES);
    fresh = get(ctcd_service_uuid(service));
    ck_assert_str_eq(ctcd_service_url(fresh), url); /* the port was free, so it is the same */
    ck_assert_int_eq(ctcd_service_revision(fresh), 1);
    pid_t pid = pid_of(service);
    ok(ctcd_service_start(service, -1, &err)); /* one that runs is left alone */
    ck_assert_int_eq(pid_of(service), pid);
    fails(ctcd_service_start(NULL, -1, &err), CTCD_E_INVALID);
    fails(ctcd_service_stop(NULL, -1, &err), CTCD_E_INVALID);
    drop(fresh);
    drop(service);
}
END_TEST

START_TEST(open_requests_are_answered_before_the_end) {
    const char *model = a_model("1", "");
    ctcd_service *service = deploy("digits", model);
    ctcd_op *question = NULL, *stop = NULL;
    char *answer = NULL;
    behave(model, "slow 300\n");
    ok(ctcd_service_predict_begin(service, "[[1, 2], [3, 4]]", LONG_MS, &question, &err));
    bool taken = false;
    for (int64_t end = real_mono() + LONG_MS; !taken && real_mono() < end;) {
        char *log = NULL;
        ck_assert_int_ge(ctcd_context_wait(ctx, 10, &err), 0);
        ok(ctcd_service_logs(service, 10, &log, &err));
        taken = strstr(log, "Request taken") != NULL;
        ctcd_free(log);
    }
    ck_assert(taken);
    ok(ctcd_service_stop_begin(service, LONG_MS, &stop, &err));
    ok(ctcd_op_wait(stop, -1, &err));
    ok(ctcd_op_wait(question, -1, &err));
    ok(ctcd_op_take_text(question, &answer, &err));
    ck_assert_str_eq(answer, ONES);
    ctcd_free(answer);
    ctcd_op_unref(question);
    ctcd_op_unref(stop);
    drop(service);
}
END_TEST

START_TEST(a_server_that_will_not_go_is_killed) {
    ctcd_service *service = deploy("digits", a_model("1", "ignore-term\n"));
    ok(ctcd_service_stop(service, 3000, &err));
    ck_assert_int_eq(processes_of(service, 1), 0);
    ck_assert_int_eq(state_of(service), CTCD_STATE_INACTIVE);
    drop(service);
}
END_TEST

START_TEST(a_crashed_server_is_an_error_and_starts_again) {
    ctcd_service *service = deploy("digits", a_model("1", ""));
    ck_assert_int_eq(kill(pid_of(service), SIGABRT), 0);
    int64_t end = real_mono() + LONG_MS;
    while (processes_of(service, 1) && real_mono() < end)
        ck_assert_int_ge(ctcd_context_wait(ctx, 20, &err), 0);
    ctcd_status *status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ERROR);
    ck_assert_int_eq(ctcd_status_desired(status), CTCD_STATE_ACTIVE);
    ck_assert_has(ctcd_status_last_error(status), "SIGABRT");
    ck_assert_has(ctcd_status_log_tail(status), "Application startup complete");
    ctcd_status_unref(status);
    char *answer = NULL;
    fails(ctcd_service_predict(service, "[[1]]", LONG_MS, &answer, &err), CTCD_E_UNREACHABLE);
    ck_assert_has(ctcd_error_hint(err), "describe");
    ck_assert_ptr_null(answer);
    ok(ctcd_service_start(service, -1, &err));
    answers(service, ONES);
    status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
    ck_assert_str_eq(ctcd_status_last_error(status), "");
    ctcd_status_unref(status);
    drop(service);
}
END_TEST

START_TEST(a_start_that_fails_says_why) {
    const char *model = a_model("1", "");
    ctcd_service *service = deploy("digits", model);
    ok(ctcd_service_stop(service, -1, &err));
    behave(model, "exit 7\nstderr the disk is gone\n");
    fails(ctcd_service_start(service, -1, &err), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "exit status 7");
    ck_assert_has(ctcd_error_details(err), "the disk is gone");
    ctcd_status *status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ERROR);
    ck_assert_has(ctcd_status_last_error(status), "exit status 7");
    ctcd_status_unref(status);
    behave(model, "");
    ok(ctcd_service_start(service, -1, &err));
    answers(service, ONES);
    drop(service);
}
END_TEST

START_TEST(the_ops_of_change) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *other = NULL;
    ctcd_op *op = NULL;
    ok(ctcd_service_stop_begin(service, -1, &op, &err));
    ok(ctcd_op_wait(op, LONG_MS, &err));
    ok(ctcd_op_take_service(op, &other, &err));
    ck_assert_str_eq(ctcd_service_uuid(other), ctcd_service_uuid(service));
    drop(other);
    ctcd_op_unref(op);
    ok(ctcd_service_start_begin(service, -1, &op, &err));
    ok(ctcd_op_wait(op, LONG_MS, &err));
    ok(ctcd_op_take_service(op, &other, &err));
    answers(other, ONES);
    drop(other);
    ctcd_op_unref(op);
    ok(ctcd_service_delete_begin(service, 0, -1, &op, &err));
    ok(ctcd_op_wait(op, LONG_MS, &err));
    other = NULL;
    fails(ctcd_op_take_service(op, &other, &err), CTCD_E_INVALID); /* there is none any more */
    ck_assert_ptr_null(other);
    ctcd_op_unref(op);
    op = NULL;
    fails(ctcd_service_start_begin(service, -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_service_stop_begin(NULL, -1, &op, &err), CTCD_E_INVALID);
    fails(ctcd_service_delete_begin(service, 0x80u, -1, &op, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(op);
    drop(service);
}
END_TEST

START_TEST(no_time_means_begin_and_return) {
    ctcd_service *service = deploy("digits", a_model("1", ""));
    ok(ctcd_service_stop(service, 0, &err));
    int64_t end = real_mono() + LONG_MS;
    while (state_of(service) != CTCD_STATE_INACTIVE && real_mono() < end)
        ck_assert_int_ge(ctcd_context_wait(ctx, 20, &err), 0);
    ck_assert_int_eq(state_of(service), CTCD_STATE_INACTIVE);
    ok(ctcd_service_start(service, 0, &err));
    while (state_of(service) != CTCD_STATE_ACTIVE && real_mono() < end)
        ck_assert_int_ge(ctcd_context_wait(ctx, 20, &err), 0);
    answers(service, ONES);
    drop(service);
}
END_TEST

/* ---- delete ----------------------------------------------------------------------------------- */

START_TEST(a_deleted_service_is_gone) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *found = NULL;
    ctcd_status *status = NULL;
    char folder[4600], *text = NULL;
    (void)snprintf(folder, sizeof folder, "%s/services/%s", api_home, ctcd_service_uuid(service));
    ck_assert_int_eq(access(folder, F_OK), 0);
    fails(ctcd_service_delete(service, 0x2u, -1, &err), CTCD_E_INVALID);
    fails(ctcd_service_delete(NULL, 0, -1, &err), CTCD_E_INVALID);
    answers(service, ONES);
    ok(ctcd_service_delete(service, 0, -1, &err));
    ck_assert_int_eq(processes_of(service, 1), 0);
    ck_assert_int_ne(access(folder, F_OK), 0);
    fails(ctcd_service_get(ctx, ctcd_service_uuid(service), &found, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_observe(service, -1, &status, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_start(service, -1, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_stop(service, -1, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_predict(service, "[[1]]", -1, &text, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_logs(service, 10, &text, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_delete(service, CTCD_DELETE_FORCE, -1, &err), CTCD_E_NOT_FOUND);
    ck_assert_str_eq(ctcd_service_model(service), "digits"); /* the record is as it was */
    ck_assert_ptr_null(found);
    ck_assert_ptr_null(status);
    ck_assert_ptr_null(text);
    drop(service);
}
END_TEST

START_TEST(force_kills_at_once) {
    ctcd_service *service = deploy("digits", a_model("1", "ignore-term\nfork-child\n"));
    int64_t begun = real_mono();
    ok(ctcd_service_delete(service, CTCD_DELETE_FORCE, LONG_MS, &err));
    ck_assert_int_lt(real_mono() - begun, LONG_MS); /* and not the 30 s that a drain may take */
    ck_assert_int_eq(processes_of(service, 1), 0);
    drop(service);
}
END_TEST

START_TEST(what_is_gone_at_the_server_can_be_deleted) {
    ctcd_service *service = deploy("digits", a_model("1", ""));
    ck_assert_int_eq(kill(pid_of(service), SIGKILL), 0);
    ok(ctcd_service_delete(service, 0, -1, &err));
    drop(service);
}
END_TEST

/* ---- predict ---------------------------------------------------------------------------------- */

START_TEST(rows_come_in_many_shapes) {
    static const char *const shapes[] = {
        "[[1, 2], [3, 4]]",
        "{\"instances\": [[1, 2], [3, 4]]}",
        "{\"inputs\": [[1, 2], [3, 4]]}",
        "{\"dataframe_split\": {\"columns\": [\"a\", \"b\"], \"data\": [[1, 2], [3, 4]]}}",
        "{\"dataframe_records\": [{\"a\": 1, \"b\": 2}, {\"a\": 3, \"b\": 4}]}",
        "{\"columns\": [\"a\", \"b\"], \"data\": [[1, 2], [3, 4]]}",
        "[{\"a\": 1, \"b\": 2}, {\"a\": 3, \"b\": 4}]",
        "{\"a\": [1, 3], \"b\": [2, 4]}",
    };
    ctcd_service *service = deploy("digits", a_model("1", ""));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char *answer = NULL;
        ok(ctcd_service_predict(service, shapes[i], -1, &answer, &err));
        ck_assert_str_eq(answer, ONES);
        ctcd_free(answer);
    }
    drop(service);
}
END_TEST

START_TEST(wrong_input_is_the_callers_fault) {
    ctcd_service *service = deploy("digits", a_model("1", ""));
    char *answer = NULL;
    ctcd_op *op = NULL;
    fails(ctcd_service_predict(service, "[[1, 2", -1, &answer, &err), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_error_http_status(err), 0); /* it never left the house */
    fails(ctcd_service_predict(service, "7", -1, &answer, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict(service, NULL, -1, &answer, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict(service, "[[1]]", 0, &answer, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict(service, "[[1]]", -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict(service, "\xff", -1, &answer, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict(NULL, "[[1]]", -1, &answer, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict_begin(service, "[[1]]", -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict_begin(service, NULL, -1, &op, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(answer);
    ck_assert_ptr_null(op);
    answers(service, ONES);
    drop(service);
}
END_TEST

START_TEST(what_a_server_does_wrong_has_its_code) {
    static const struct {
        const char *behaviour;
        int code, status, retryable;
    } cases[] = {
        {"status 400\n", CTCD_E_INVALID, 400, 0},
        {"status 500\n", CTCD_E_FAILED, 500, 0},
        {"status 503\n", CTCD_E_UNREACHABLE, 503, 1},
        {"garbage\n", CTCD_E_PROTOCOL, 0, 0},
        {"hang-up\n", CTCD_E_UNREACHABLE, 0, 0},
        {"die-on-predict\n", CTCD_E_UNREACHABLE, 0, 0},
    };
    const char *model = a_model("1", "");
    ctcd_service *service = deploy("digits", model);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *answer = NULL;
        behave(model, cases[i].behaviour);
        fails(ctcd_service_predict(service, "[[1]]", LONG_MS, &answer, &err), cases[i].code);
        if (cases[i].status) {
            ck_assert_int_eq(ctcd_error_http_status(err), cases[i].status);
            ck_assert_int_eq(ctcd_error_retryable(err), cases[i].retryable);
        }
        ck_assert_ptr_null(answer);
    }
    behave(model, "");
    ok(ctcd_service_start(service, -1, &err)); /* the last one took it down */
    answers(service, ONES);
    drop(service);
}
END_TEST

static int too_many(struct fake_in *in) {
    int rc = ctcd_call_fail(in->call, CTCD_E_UNREACHABLE, "too many requests", "wait a little");
    ck_assert_int_eq(ctcd_call_fail_http(in->call, 429, 2), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_fail_http(in->call, -1, 0), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_fail_http(NULL, 429, 1), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_fail_http(in->call, 429, 1), 0);
    return in->lines ? rc
                     : CTCD_E_FAILED; /* for predict another one than was said: that one counts */
}

START_TEST(a_back_end_says_what_is_behind_an_error) {
    char *text = NULL;
    fake_reset();
    fake_register(ctx);
    fake_component("fake");
    ok(ctcd_model_deployer_get(ctx, "fake", &deployer, &err));
    ctcd_service *service = fake_deploy("digits", "/m");
    fake.hook[FAKE_LOGS] = fake.hook[FAKE_PREDICT] = too_many;
    fails(ctcd_service_logs(service, 5, &text, &err), CTCD_E_UNREACHABLE);
    ck_assert_int_eq(ctcd_error_http_status(err), 429);
    ck_assert_int_eq(ctcd_error_retryable(err), 1);
    fails(ctcd_service_predict(service, "[[1]]", -1, &text, &err), CTCD_E_FAILED);
    ck_assert_str_eq(ctcd_error_message(err), "too many requests");
    ck_assert_int_eq(ctcd_error_http_status(err), 429);
    ck_assert_int_eq(ctcd_error_retryable(err), 1);
    deployer = ctcd_model_deployer_unref(deployer);
    drop(service);
}
END_TEST

START_TEST(a_slow_answer_ends_with_the_time) {
    const char *model = a_model("1", "");
    ctcd_service *service = deploy("digits", model);
    char *answer = NULL;
    behave(model, "slow 60000\n");
    int64_t begun = real_mono();
    fails(ctcd_service_predict(service, "[[1]]", 300, &answer, &err), CTCD_E_TIMEOUT);
    ck_assert_int_lt(real_mono() - begun, LONG_MS);
    ck_assert_ptr_null(answer);
    behave(model, "");
    answers(service, ONES);
    drop(service);
}
END_TEST

START_TEST(large_answers_come_whole) {
    const char *model = a_model("1", "");
    ctcd_service *service = deploy("digits", model);
    char *answer = NULL;
    behave(model, "big 3000000\n");
    ok(ctcd_service_predict(service, "[[1]]", LONG_MS, &answer, &err));
    size_t size = strlen(answer);
    ck_assert_uint_gt(size, 2900000);
    ck_assert_str_eq(answer + size - 2, "]}");
    ctcd_free(answer);
    drop(service);
}
END_TEST

/* ---- pages ------------------------------------------------------------------------------------ */

START_TEST(services_are_found_page_by_page) {
    const char *const names[] = {"a", "b", "c", "d", "e"};
    const char *model = a_model("1", "");
    ctcd_list *list = NULL, *page = NULL, *looks = NULL;
    for (size_t i = 0; i < 5; i++) {
        ctcd_service *service = deploy(names[i], model);
        if (i == 1)
            ok(ctcd_service_stop(service, LONG_MS, &err));
        drop(service);
    }
    char after[37] = "";
    for (size_t seen = 0; seen < 5; seen += 2) {
        ok(ctcd_service_find_page(ctx, NULL, "ml", NULL, NULL, "", after, 3, &list, &err));
        ok(ctcd_list_select(list, 0, 2, &page, &err));
        ck_assert_uint_eq(ctcd_list_count(page), seen < 4 ? 2 : 1);
        for (size_t i = 0; i < ctcd_list_count(page); i++)
            ck_assert_str_eq(ctcd_service_model(ctcd_list_service(page, i)), names[4 - seen - i]);
        (void)snprintf(after, sizeof after, "%s", ctcd_list_next(page));
        ck_assert_int_eq(!*after, seen == 4);
        ctcd_list_unref(list);
        ctcd_list_unref(page);
    }
    ok(ctcd_service_find_page(ctx, NULL, NULL, NULL, NULL, NULL, NULL, 100000, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 5);
    ck_assert_str_eq(ctcd_list_next(list), "");
    const char *uuid = ctcd_service_uuid(ctcd_list_service(list, 2));
    ok(ctcd_service_find_page(ctx, uuid, NULL, NULL, NULL, NULL, NULL, 9, &page, &err));
    ck_assert_uint_eq(ctcd_list_count(page), 1);
    ck_assert_str_eq(ctcd_service_model(ctcd_list_service(page, 0)), "c");
    ctcd_list_unref(page);
    ok(ctcd_list_observe(list, LONG_MS, &looks, &err));
    ok(ctcd_list_select(looks, 1u << CTCD_STATE_INACTIVE | 1u << CTCD_STATE_ERROR, 1, &page, &err));
    ck_assert_uint_eq(ctcd_list_count(page), 1);
    ck_assert_str_eq(ctcd_service_model(ctcd_status_service(ctcd_list_status(page, 0))), "b");
    ck_assert_str_eq(ctcd_list_next(page), "");
    char *text = NULL;
    ok(ctcd_list_format(page, "json", &text, &err));
    ck_assert_has(text, "\"next\": null");
    ctcd_free(text);
    ctcd_list_unref(page);
    ok(ctcd_list_select(looks, 1u << CTCD_STATE_ACTIVE, 0, &page, &err));
    ck_assert_uint_eq(ctcd_list_count(page), 4);
    ctcd_list_unref(page);
    page = NULL;
    fails(ctcd_list_select(list, 1u << CTCD_STATE_ACTIVE, 0, &page, &err), CTCD_E_INVALID);
    fails(ctcd_list_select(looks, 1, 0, &page, &err), CTCD_E_INVALID);
    fails(ctcd_list_select(looks, 1u << 8, 0, &page, &err), CTCD_E_INVALID);
    fails(ctcd_list_select(looks, 0, -1, &page, &err), CTCD_E_INVALID);
    fails(ctcd_list_select(looks, 0, 100001, &page, &err), CTCD_E_INVALID);
    fails(ctcd_list_select(looks, 0, 1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_list_select(NULL, 0, 1, &page, &err), CTCD_E_INVALID);
    fails(ctcd_service_find_page(ctx, NULL, NULL, NULL, NULL, NULL, NULL, 0, &page, &err),
          CTCD_E_INVALID);
    fails(ctcd_service_find_page(ctx, NULL, NULL, NULL, NULL, NULL, "ffffffff", 1, &page, &err),
          CTCD_E_NOT_FOUND);
    fails(ctcd_service_find_page(ctx, NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL, &err),
          CTCD_E_INVALID);
    ck_assert_ptr_null(page);
    ck_assert_str_eq(ctcd_list_next(NULL), "");
    ctcd_list_unref(looks);
    ctcd_list_unref(list);
}
END_TEST

/* ---- logs ------------------------------------------------------------------------------------- */

START_TEST(logs_are_the_last_lines) {
    ctcd_service *service = deploy("digits", a_model("1", "chatty 30\n"));
    char *text = NULL;
    ok(ctcd_service_logs(service, 10000, &text, &err));
    ck_assert_has(text, "loading part 1 of the model\n");
    ck_assert_has(text, "loading part 30 of the model\n");
    ck_assert_has(text, "Application startup complete");
    ctcd_free(text);
    ok(ctcd_service_logs(service, 1, &text, &err));
    ck_assert_has(text, "Application startup complete");
    ck_assert_ptr_null(strstr(text, "loading part"));
    ctcd_free(text);
    text = NULL;
    fails(ctcd_service_logs(service, 0, &text, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs(service, 10001, &text, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs(service, -1, &text, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs(service, 5, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs(NULL, 5, &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    drop(service);
}
END_TEST

/* What comes after the cursor, until there is nothing more just now. Owned; the cursor is replaced. */
static char *log_since(ctcd_service *service, char **cursor) {
    char *all = strdup("");
    for (bool more = true; more;) {
        char *text = NULL, *next = NULL, *longer = NULL;
        ok(ctcd_service_logs_since(service, *cursor, 0, &text, &next, &err));
        more = *text != '\0';
        ck_assert_int_ge(asprintf(&longer, "%s%s", all, text), 0);
        free(all);
        all = longer;
        ctcd_free(text);
        ctcd_free(*cursor);
        *cursor = next;
    }
    return all;
}

START_TEST(logs_are_followed) {
    ctcd_service *service = deploy("digits", a_model("1", "chatty 3\n"));
    char *text = NULL, *cursor = NULL;
    ok(ctcd_service_logs_since(service, NULL, 1, &text, &cursor, &err));
    ck_assert_str_eq(text, "INFO:     Application startup complete.\n");
    ctcd_free(text);
    text = log_since(service, &cursor);
    ck_assert_str_eq(text, "");
    free(text);
    /* A replace: the rest of the old one's log, then the new one's from its beginning. */
    ctcd_service *after = deploy("digits", a_model("2", "chatty 3\n"));
    ck_assert_str_eq(ctcd_service_uuid(after), ctcd_service_uuid(service));
    drop(after);
    text = log_since(service, &cursor);
    char *new_one = log_since(service, &cursor); /* the first one ends with the old log's end */
    ck_assert_ptr_null(strstr(text, "revision 2"));
    ck_assert_int_eq(strncmp(new_one, "---- ctcd: revision 2, start 1, ", 32), 0);
    ck_assert_has(new_one, "loading part 1 of the model\n");
    ck_assert_ptr_null(strstr(new_one, "revision 1"));
    free(text);
    free(new_one);
    /* A start of the same revision goes on in the same log. */
    ok(ctcd_service_stop(service, LONG_MS, &err));
    ok(ctcd_service_start(service, LONG_MS, &err));
    text = log_since(service, &cursor);
    ck_assert_has(text, "Finished server process");
    ck_assert_has(text, "---- ctcd: revision 2, start 2, ");
    free(text);
    /* The cursor is all that is needed: of another handle, context, process. */
    ctcd_service *again = get(ctcd_service_uuid(service));
    text = log_since(again, &cursor);
    ck_assert_str_eq(text, "");
    free(text);
    drop(again);
    /* Deleted: for who has read it there is no more, for others no such service. */
    char *none = NULL, *next = NULL;
    ok(ctcd_service_delete(service, 0, LONG_MS, &err));
    ck_assert_int_eq(ctcd_service_logs_since(service, cursor, 0, &none, &next, &err), CTCD_NONE);
    ck_assert_ptr_null(err);
    fails(ctcd_service_logs_since(service, NULL, 1, &none, &next, &err), CTCD_E_NOT_FOUND);
    ck_assert(!none && !next);
    drop(service);
    ctcd_free(cursor);
}
END_TEST

START_TEST(wrong_cursors_are_refused) {
    ctcd_service *service = deploy("digits", a_model("1", ""));
    char *text = NULL, *next = NULL;
    static const char *const bad[] = {"", "x", "1", ":", "0:", "-1:", "1:x", "1:1.2", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fails(ctcd_service_logs_since(service, bad[i], 0, &text, &next, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs_since(service, NULL, -1, &text, &next, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs_since(service, NULL, 10001, &text, &next, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs_since(service, NULL, 1, NULL, &next, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs_since(service, NULL, 1, &text, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_service_logs_since(NULL, NULL, 1, &text, &next, &err), CTCD_E_INVALID);
    ck_assert(!text && !next);
    /* A revision that is not there any more: from the beginning of the one that serves. */
    ok(ctcd_service_logs_since(service, "77:", 0, &text, &next, &err));
    ck_assert_int_eq(strncmp(text, "---- ctcd: revision 1, ", 23), 0);
    ctcd_free(text);
    ctcd_free(next);
    drop(service);
}
END_TEST

START_TEST(nothing_is_asked_of_nobody) {
    ck_assert_str_eq(ctcd_service_uuid(NULL), "");
    ck_assert_str_eq(ctcd_service_deployer(NULL), "");
    ck_assert_str_eq(ctcd_service_pipeline(NULL), "");
    ck_assert_str_eq(ctcd_service_step(NULL), "");
    ck_assert_str_eq(ctcd_service_model(NULL), "");
    ck_assert_str_eq(ctcd_service_model_uri(NULL), "");
    ck_assert_str_eq(ctcd_service_url(NULL), "");
    ck_assert_str_eq(ctcd_service_run(NULL), "");
    ck_assert_str_eq(ctcd_service_restart(NULL), "");
    ck_assert_int_eq(ctcd_service_restarts(NULL), 0);
    ck_assert_int_eq(ctcd_service_restart_next(NULL), CTCD_TIME_NONE);
    ck_assert_int_eq(ctcd_service_revision(NULL), 0);
    ck_assert_str_eq(ctcd_service_metrics(NULL), "{}");
    ck_assert_ptr_null(ctcd_service_ref(NULL));
    ck_assert_ptr_null(ctcd_status_ref(NULL));
    ck_assert_ptr_null(ctcd_status_unref(NULL));
    ck_assert_ptr_null(ctcd_status_service(NULL));
    ck_assert_int_eq(ctcd_status_state(NULL), CTCD_STATE_UNKNOWN);
    ck_assert_int_eq(ctcd_status_desired(NULL), CTCD_STATE_UNKNOWN);
    ck_assert_str_eq(ctcd_status_message(NULL), "");
    ck_assert_str_eq(ctcd_status_last_error(NULL), "");
    ck_assert_str_eq(ctcd_status_log_tail(NULL), "");
    ck_assert_str_eq(ctcd_status_next(NULL), "");
    ck_assert(ctcd_status_time(NULL) == CTCD_TIME_NONE);
    ck_assert_uint_eq(ctcd_status_property_count(NULL), 0);
    ck_assert_ptr_null(ctcd_status_property_name(NULL, 0));
    ck_assert_ptr_null(ctcd_status_property_value(NULL, 0));
}
END_TEST

SUITE_MAIN_WITH("served", stand_in_begin, stand_in_end, a_service_is_found_by_a_prefix_of_its_uuid,
                services_are_found_by_what_they_are, states_have_names, a_look_shows_what_is_there,
                services_and_looks_print_themselves, many_are_looked_at_side_by_side,
                a_server_that_is_not_well_is_degraded,
                a_stop_ends_the_server_and_a_start_brings_it_back,
                open_requests_are_answered_before_the_end, a_server_that_will_not_go_is_killed,
                a_crashed_server_is_an_error_and_starts_again, a_start_that_fails_says_why,
                the_ops_of_change, no_time_means_begin_and_return, a_deleted_service_is_gone,
                force_kills_at_once, what_is_gone_at_the_server_can_be_deleted,
                rows_come_in_many_shapes, wrong_input_is_the_callers_fault,
                what_a_server_does_wrong_has_its_code, a_back_end_says_what_is_behind_an_error,
                a_slow_answer_ends_with_the_time, large_answers_come_whole,
                services_are_found_page_by_page, logs_are_the_last_lines, logs_are_followed,
                wrong_cursors_are_refused, nothing_is_asked_of_nobody)
