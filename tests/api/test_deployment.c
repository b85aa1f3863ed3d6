/* Deploying as programs do it, with the MLflow back end on stand-in servers: what is refused before anything
   starts, the first deploy, replace under the same UUID, and failures that leave the old model serving. */
#include "stand_in.h"

static size_t service_count(void) {
    ctcd_list *all = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &all, &err));
    size_t count = ctcd_list_count(all);
    ctcd_list_unref(all);
    return count;
}

static int deploy_wanted(ctcd_deployment *wanted, int64_t timeout_ms, ctcd_service **ret) {
    return ctcd_model_deployer_deploy(ml, wanted, timeout_ms, ret, &err);
}

/* ---- handles ---------------------------------------------------------------------------------- */

START_TEST(a_deployer_is_found_by_name) {
    ctcd_model_deployer *found = NULL;
    ck_assert_str_eq(ctcd_model_deployer_name(ml), "ml");
    ck_assert_str_eq(ctcd_model_deployer_flavor(ml), "mlflow");
    ok(ctcd_model_deployer_get(ctx, "ml", &found, &err));
    ck_assert_str_eq(ctcd_model_deployer_name(found), "ml");
    ck_assert_ptr_eq(ctcd_model_deployer_ref(found), found);
    ctcd_model_deployer_unref(found);
    ck_assert_ptr_null(ctcd_model_deployer_unref(found));
    found = NULL;
    fails(ctcd_model_deployer_get(ctx, "nosuch", &found, &err), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), "nosuch");
    fails(ctcd_model_deployer_get(ctx, "ml", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_model_deployer_get(NULL, "ml", &found, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(found);
    ck_assert_str_eq(ctcd_model_deployer_name(NULL), "");
    ck_assert_str_eq(ctcd_model_deployer_flavor(NULL), "");
    ck_assert_ptr_null(ctcd_model_deployer_ref(NULL));
}
END_TEST

START_TEST(what_cannot_be_deployed_is_refused_when_it_is_said) {
    ctcd_deployment *d = want("digits", "/m");
    fails(ctcd_deployment_set_model_name(d, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_model_uri(d, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_model_uri(d, "", &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_model_name(d, "", &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_model_uri(d, "\xff", &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_metrics(d, "[1]", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "object");
    fails(ctcd_deployment_set_metrics(d, "{\"accuracy\": }", &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_metrics(d, "{\"accuracy\": 0.9, \"name\": \"a\"}", &err),
          CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "\"name\" must be a number");
    fails(ctcd_deployment_set_metrics(d, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_smoke(d, "rows", &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_min_ready(d, -1, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_min_ready(d, 3600001, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_replace(d, 2, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_on_failure(d, "retry", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "rollback");
    fails(ctcd_deployment_set_on_failure(d, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_restart(d, "sometimes", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "never, on-failure, always");
    fails(ctcd_deployment_set_restart(d, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_restart(NULL, "always", &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_option(d, NULL, "1", &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_option(d, "workers", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_origin(d, "\xff", NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_deployment_set_model_name(NULL, "x", &err), CTCD_E_INVALID);
    ok(ctcd_deployment_set_min_ready(d, 3600000, &err));
    ok(ctcd_deployment_set_replace(d, 0, &err));
    ok(ctcd_deployment_set_restart(d, "on-failure", &err));
    ok(ctcd_deployment_set_on_failure(d, "leave", &err));
    ck_assert_ptr_eq(ctcd_deployment_ref(d), d);
    ctcd_deployment_unref(d);
    ck_assert_ptr_null(ctcd_deployment_unref(d));
    ck_assert_ptr_null(ctcd_deployment_ref(NULL));
    fails(ctcd_deployment_new(ctx, NULL, &err), CTCD_E_INVALID);
}
END_TEST

/* ---- before anything starts ------------------------------------------------------------------- */

static void refused(ctcd_deployment *wanted, int code, const char *part) {
    ctcd_service *service = NULL;
    fails(ctcd_model_deployer_validate(ml, wanted, LONG_MS, &err), code);
    ck_assert_has(ctcd_error_message(err), part);
    fails(deploy_wanted(wanted, LONG_MS, &service), code);
    ck_assert_has(ctcd_error_message(err), part);
    ck_assert_ptr_null(service);
    ck_assert_uint_eq(service_count(), 0);
    ctcd_deployment_unref(wanted);
}

START_TEST(what_cannot_work_starts_nothing) {
    ctcd_deployment *d = want("digits", "/nowhere/at/all");
    refused(d, CTCD_E_NOT_FOUND, "/nowhere/at/all");
    d = want("digits", write_file("plain", "no model"));
    refused(d, CTCD_E_INVALID, "plain");
    refused(want("digits", "s3://bucket/model"), CTCD_E_NOT_SUPPORTED, "s3://bucket/model");
    refused(want("a\nb", a_model("1", "")), CTCD_E_INVALID, "model name");
    d = want("digits", a_model("1", ""));
    ok(ctcd_deployment_set_option(d, "worker", "2", &err));
    refused(d, CTCD_E_INVALID, "worker");
    ck_assert_has(ctcd_error_hint(err), "did you mean workers?");
    d = want("digits", a_model("1", ""));
    ok(ctcd_deployment_set_option(d, "workers", "0", &err));
    refused(d, CTCD_E_INVALID, "workers");
    d = want("digits", a_model("1", ""));
    ok(ctcd_deployment_set_option(d, "workers", "two", &err));
    refused(d, CTCD_E_INVALID, "workers");
    ok(ctcd_deployment_new(ctx, &d, &err));
    refused(d, CTCD_E_INVALID, "model name");
    ok(ctcd_deployment_new(ctx, &d, &err));
    ok(ctcd_deployment_set_model_name(d, "digits", &err));
    refused(d, CTCD_E_INVALID, "model URI");
}
END_TEST

START_TEST(validating_starts_nothing) {
    ctcd_deployment *d = want("digits", a_model("1", ""));
    ok(ctcd_model_deployer_validate(ml, d, -1, &err));
    ck_assert_uint_eq(service_count(), 0);
    fails(ctcd_model_deployer_validate(ml, d, 0, &err), CTCD_E_INVALID);
    fails(ctcd_model_deployer_validate(ml, NULL, -1, &err), CTCD_E_INVALID);
    fails(ctcd_model_deployer_validate(NULL, d, -1, &err), CTCD_E_INVALID);
    ctcd_service *service = NULL;
    ctcd_op *op = NULL;
    fails(ctcd_model_deployer_deploy(ml, NULL, -1, &service, &err), CTCD_E_INVALID);
    fails(ctcd_model_deployer_deploy(NULL, d, -1, &service, &err), CTCD_E_INVALID);
    fails(ctcd_model_deployer_deploy_begin(ml, d, -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_model_deployer_deploy_begin(ml, NULL, -1, &op, &err), CTCD_E_INVALID);
    ctcd_context *other = api_context(0);
    ctcd_deployment *foreign = NULL;
    ok(ctcd_deployment_new(other, &foreign, &err));
    fails(ctcd_model_deployer_deploy(ml, foreign, -1, &service, &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "context");
    ctcd_deployment_unref(foreign);
    ctcd_context_unref(other);
    ctcd_deployment_unref(d);
    ck_assert_ptr_null(service);
    ck_assert_ptr_null(op);
    ck_assert_uint_eq(service_count(), 0);
}
END_TEST

/* ---- the first one ---------------------------------------------------------------------------- */

START_TEST(a_model_is_served) {
    ctcd_service *service = NULL;
    const char *model = a_model("1", "");
    ctcd_deployment *d = want("digits", model);
    ok(ctcd_deployment_set_origin(d, "train", "deploy", "train-1", &err));
    ok(ctcd_deployment_set_metrics(d, "{\"accuracy\": 0.9375, \"loss\": NaN}", &err));
    ok(ctcd_deployment_set_smoke(d, "[[1, 2]]", &err));
    ok(ctcd_deployment_set_option(d, "access-log", "yes", &err));
    ok(deploy_wanted(d, -1, &service));
    ctcd_deployment_unref(d);
    ck_assert_uint_eq(strlen(ctcd_service_uuid(service)), 36);
    ck_assert_str_eq(ctcd_service_deployer(service), "ml");
    ck_assert_str_eq(ctcd_service_pipeline(service), "train");
    ck_assert_str_eq(ctcd_service_step(service), "deploy");
    ck_assert_str_eq(ctcd_service_model(service), "digits");
    ck_assert_str_eq(ctcd_service_model_uri(service), model);
    ck_assert_str_eq(ctcd_service_run(service), "train-1");
    ck_assert_str_eq(ctcd_service_restart(service), "never");
    ck_assert_int_eq(ctcd_service_restarts(service), 0);
    ck_assert_int_eq(ctcd_service_restart_next(service), CTCD_TIME_NONE);
    ck_assert_int_eq(ctcd_service_revision(service), 1);
    ck_assert_has(ctcd_service_metrics(service), "0.9375");
    ck_assert_has(ctcd_service_metrics(service), "NaN");
    ck_assert_int_eq(strncmp(ctcd_service_url(service), "http://127.0.0.1:", 17), 0);
    answers(service, ONES);
    ck_assert_int_eq(state_of(service), CTCD_STATE_ACTIVE);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(a_file_uri_is_a_path) {
    char uri[4400];
    (void)snprintf(uri, sizeof uri, "file://%s", a_model("1", ""));
    ctcd_service *service = deploy("digits", uri);
    ck_assert_str_eq(ctcd_service_model_uri(service), uri); /* as asked for */
    answers(service, ONES);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(a_server_is_waited_for) {
    ctcd_service *service = deploy("digits", a_model("1", "ready-after 400\n"));
    answers(service, ONES);
    ctcd_service_unref(service);
}
END_TEST

/* ---- replace ---------------------------------------------------------------------------------- */

START_TEST(a_replace_keeps_the_uuid) {
    ctcd_service *first = deploy("digits", a_model("1", ""));
    pid_t old = pid_of(first);
    ck_assert_int_gt(old, 0);
    ctcd_service *second = deploy("digits", a_model("2", ""));
    ck_assert_str_eq(ctcd_service_uuid(second), ctcd_service_uuid(first));
    ck_assert_int_eq(ctcd_service_revision(second), 2);
    ck_assert_int_eq(ctcd_service_revision(first), 1); /* a record is as it was when it was got */
    answers(second, TWOS);
    answers(first, TWOS); /* but it is the same service */
    ck_assert(has_ended(old));
    ck_assert_int_eq(processes_of(first, 1), 0);
    ck_assert_uint_eq(service_count(), 1);
    ctcd_service_unref(first);
    ctcd_service_unref(second);
}
END_TEST

START_TEST(not_replacing_leaves_a_running_one_alone) {
    ctcd_service *first = deploy("digits", a_model("1", "")), *second = NULL;
    pid_t pid = pid_of(first);
    ctcd_deployment *d = want("digits", a_model("2", ""));
    ok(ctcd_deployment_set_replace(d, 0, &err));
    ok(deploy_wanted(d, -1, &second));
    ck_assert_str_eq(ctcd_service_uuid(second), ctcd_service_uuid(first));
    ck_assert_int_eq(ctcd_service_revision(second), 1);
    ck_assert_int_eq(pid_of(second), pid);
    answers(second, ONES);
    ctcd_service_unref(second);
    ok(ctcd_service_stop(first, -1, &err)); /* a stopped one is no running one */
    ok(deploy_wanted(d, -1, &second));
    ck_assert_int_eq(ctcd_service_revision(second), 2);
    answers(second, TWOS);
    ctcd_service_unref(first);
    ctcd_service_unref(second);
    ctcd_deployment_unref(d);
}
END_TEST

START_TEST(identities_are_compared_exactly) {
    const char *model = a_model("1", "");
    ctcd_service *plain = deploy("digits", model), *other = NULL;
    ctcd_deployment *d = want("digits", model);
    ok(ctcd_deployment_set_origin(d, "train", NULL, NULL, &err));
    ok(deploy_wanted(d, -1, &other));
    ck_assert_str_ne(ctcd_service_uuid(other), ctcd_service_uuid(plain));
    ctcd_service_unref(other);
    ok(ctcd_deployment_set_origin(d, "", "", "some-run",
                                  &err)); /* empty equals none; a run is no part */
    ok(deploy_wanted(d, -1, &other));
    ck_assert_str_eq(ctcd_service_uuid(other), ctcd_service_uuid(plain));
    ck_assert_int_eq(ctcd_service_revision(other), 2);
    ck_assert_uint_eq(service_count(), 2);
    ctcd_service_unref(other);
    ctcd_service_unref(plain);
    ctcd_deployment_unref(d);
}
END_TEST

START_TEST(the_incumbent_is_who_would_be_replaced) {
    const char *broken = a_model("1", "exit 1\n");
    ctcd_service *service = NULL, *found = NULL;
    ctcd_deployment *d = want("digits", broken);
    ok(ctcd_deployment_set_metrics(d, "{\"accuracy\": 0.5}", &err));
    ck_assert_int_eq(ctcd_model_deployer_incumbent(ml, d, &found, &err), CTCD_NONE);
    fails(deploy_wanted(d, LONG_MS, &service), CTCD_E_FAILED);
    /* it is listed, and has never served */
    ck_assert_uint_eq(service_count(), 1);
    ck_assert_int_eq(ctcd_model_deployer_incumbent(ml, d, &found, &err), CTCD_NONE);
    ck_assert_ptr_null(found);
    ok(ctcd_deployment_set_model_uri(d, a_model("2", ""), &err));
    ok(deploy_wanted(d, -1, &service));
    ctcd_deployment *next = NULL;
    ok(ctcd_deployment_new(ctx, &next, &err)); /* a URI is no part of it */
    fails(ctcd_model_deployer_incumbent(ml, next, &found, &err), CTCD_E_INVALID);
    ok(ctcd_deployment_set_model_name(next, "digits", &err));
    ok(ctcd_service_stop(service, LONG_MS, &err)); /* what is stopped would be replaced, too */
    ok(ctcd_model_deployer_incumbent(ml, next, &found, &err));
    ck_assert_str_eq(ctcd_service_uuid(found), ctcd_service_uuid(service));
    ck_assert_str_eq(ctcd_service_metrics(found), "{\"accuracy\": 0.5}");
    ctcd_service_unref(found);
    found = NULL;
    ok(ctcd_deployment_set_origin(next, "train", NULL, NULL, &err));
    ck_assert_int_eq(ctcd_model_deployer_incumbent(ml, next, &found, &err), CTCD_NONE);
    fails(ctcd_model_deployer_incumbent(ml, next, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_model_deployer_incumbent(ml, NULL, &found, &err), CTCD_E_INVALID);
    fails(ctcd_model_deployer_incumbent(NULL, next, &found, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(found);
    ctcd_service_unref(service);
    ctcd_deployment_unref(next);
    ctcd_deployment_unref(d);
}
END_TEST

/* ---- failures --------------------------------------------------------------------------------- */

/* After a second deploy that failed: the first revision serves as before, nothing of the second one runs, and
   the service says what happened. */
static void still_serves(ctcd_service *service, pid_t pid, const char *cause) {
    ck_assert_int_gt(processes_of(service, 1), 0);
    ck_assert_int_eq(processes_of(service, 2), 0);
    answers(service, ONES);
    ctcd_status *status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
    ck_assert_has(ctcd_status_last_error(status), cause);
    ck_assert_int_eq(ctcd_service_revision(ctcd_status_service(status)), 1);
    ctcd_status_unref(status);
    ck_assert_int_eq(pid_of(service), pid);
}

START_TEST(a_model_that_does_not_load_leaves_the_old_one_serving) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *none = NULL;
    pid_t pid = pid_of(service);
    ctcd_deployment *d =
        want("digits", a_model("2", "exit 1\n"
                                    "stderr ModuleNotFoundError: No module named 'skops'\n"));
    fails(deploy_wanted(d, LONG_MS, &none), CTCD_E_FAILED);
    ck_assert_ptr_null(none);
    ck_assert_has(ctcd_error_message(err), "revision 2 of digits did not become ready");
    ck_assert_has(ctcd_error_message(err), "exit status 1");
    ck_assert_has(ctcd_error_message(err), "; revision 1 (");
    ck_assert_has(ctcd_error_message(err), ctcd_service_url(service));
    ck_assert_has(ctcd_error_details(err), "ModuleNotFoundError");
    ck_assert_ptr_nonnull(ctcd_error_hint(err));
    still_serves(service, pid, "exit status 1");
    ctcd_deployment_unref(d);
    ctcd_service *better = deploy("digits", a_model("2", "")); /* success clears the error */
    ck_assert_int_eq(ctcd_service_revision(better), 3);
    ctcd_status *status = look(better);
    ck_assert_str_eq(ctcd_status_last_error(status), "");
    ck_assert_str_eq(ctcd_status_log_tail(status), "");
    ctcd_status_unref(status);
    answers(better, TWOS);
    ctcd_service_unref(better);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(a_server_that_is_killed_while_it_loads_says_so) {
    ctcd_service *none = NULL;
    ctcd_deployment *d = want("digits", a_model("1", "ready-after 100\nsignal 9\n"));
    fails(deploy_wanted(d, LONG_MS, &none), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "SIGKILL");
    ctcd_deployment_unref(d);
    ck_assert_uint_eq(service_count(), 1); /* it stays listed */
    ctcd_list *all = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &all, &err));
    ctcd_service *failed = ctcd_list_service(all, 0);
    ck_assert_int_eq(ctcd_service_revision(failed), 0);
    ck_assert_str_eq(ctcd_service_url(failed), "");
    ctcd_status *status = look(failed);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ERROR);
    ck_assert_has(ctcd_status_last_error(status), "SIGKILL");
    ctcd_status_unref(status);
    char *answer = NULL;
    fails(ctcd_service_predict(failed, "[[1]]", LONG_MS, &answer, &err), CTCD_E_UNREACHABLE);
    ck_assert_ptr_null(answer);
    ctcd_service *service =
        deploy("digits", a_model("2", "")); /* the next one is the same service */
    ck_assert_str_eq(ctcd_service_uuid(service), ctcd_service_uuid(failed));
    answers(service, TWOS);
    ctcd_service_unref(service);
    ctcd_list_unref(all);
}
END_TEST

START_TEST(a_smoke_request_that_fails_stops_the_deploy) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *none = NULL;
    pid_t pid = pid_of(service);
    ctcd_deployment *d = want("digits", a_model("2", "status 500\n"));
    ok(ctcd_deployment_set_smoke(d, "[[1, 2]]", &err));
    fails(deploy_wanted(d, LONG_MS, &none), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "smoke request");
    ck_assert_has(ctcd_error_message(err), "revision 1");
    still_serves(service, pid, "smoke request");
    ctcd_deployment_unref(d);
    d = want("digits", a_model("2", "status 500\n"));
    ok(deploy_wanted(d, LONG_MS, &none)); /* nobody asked it */
    ctcd_service_unref(none);
    ctcd_deployment_unref(d);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(time_that_is_up_is_a_failure) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *none = NULL;
    pid_t pid = pid_of(service);
    ctcd_deployment *d = want("digits", a_model("2", "deaf\n"));
    fails(deploy_wanted(d, a_while(), &none), CTCD_E_TIMEOUT);
    ck_assert_has(ctcd_error_message(err), "revision 2 of digits was not ready in time");
    ck_assert_ptr_nonnull(ctcd_error_hint(err));
    ck_assert_ptr_null(none);
    still_serves(service, pid, "not ready in time");
    ctcd_deployment_unref(d);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(what_failed_can_be_left_to_look_at) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *none = NULL;
    pid_t pid = pid_of(service);
    ctcd_deployment *d = want("digits", a_model("2", "status 500\n"));
    ok(ctcd_deployment_set_smoke(d, "[[1, 2]]", &err));
    ok(ctcd_deployment_set_on_failure(d, "leave", &err));
    fails(deploy_wanted(d, LONG_MS, &none), CTCD_E_FAILED);
    ck_assert_int_eq(pid_of(service), pid);
    answers(service, ONES);
    ck_assert_int_gt(processes_of(service, 2), 0);
    ctcd_status *status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_DEGRADED);
    ck_assert_has(ctcd_status_message(status), "revision 2, which failed, was left");
    ctcd_status_unref(status);
    ok(ctcd_deployment_set_model_uri(d, a_model("3", ""), &err));
    ok(deploy_wanted(d, LONG_MS, &none)); /* takes that one along */
    ctcd_service_unref(none);
    ck_assert_int_eq(processes_of(service, 2), 0);
    status = look(service);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
    ctcd_status_unref(status);
    none = NULL;
    ok(ctcd_deployment_set_model_uri(d, a_model("4", "status 500\n"), &err));
    fails(deploy_wanted(d, LONG_MS, &none), CTCD_E_FAILED);
    ck_assert_int_gt(processes_of(service, 4), 0);
    ok(ctcd_service_delete(service, 0, LONG_MS, &err)); /* and so does this */
    for (int number = 1; number <= 4; number++)
        ck_assert_int_eq(processes_of(service, number), 0);
    ctcd_deployment_unref(d);
    ctcd_service_unref(service);
}
END_TEST

/* ---- as an op --------------------------------------------------------------------------------- */

static void note_line(void *data, ctcd_op *op, const char *line) {
    char *all = data;
    ck_assert_ptr_nonnull(op);
    ck_assert_uint_lt(strlen(all) + strlen(line) + 2, 4096);
    strcat(strcat(all, line), "\n");
}

START_TEST(a_deploy_tells_how_it_goes) {
    char lines[4096] = "";
    ctcd_op *op = NULL;
    ctcd_service *service = NULL;
    ctcd_deployment *d = want("digits", a_model("1", ""));
    ok(ctcd_model_deployer_deploy_begin(ml, d, -1, &op, &err));
    ok(ctcd_op_set_progress(op, note_line, lines, NULL, &err));
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    fails(ctcd_op_take_service(op, &service, &err), CTCD_E_INVALID);
    ok(ctcd_op_wait(op, LONG_MS, &err));
    ok(ctcd_op_take_service(op, &service, &err));
    ck_assert_has(lines, "checking ");
    ck_assert_has(lines, "starting revision 1 of digits");
    ck_assert_has(lines, "waiting for revision 1 of digits to become ready");
    ck_assert_has(lines, "revision 1 of digits serves");
    answers(service, ONES);
    ctcd_service_unref(service);
    ctcd_op_unref(op);
    ctcd_deployment_unref(d);
}
END_TEST

START_TEST(changing_a_deployment_does_not_change_the_deploy_that_runs) {
    ctcd_op *op = NULL;
    ctcd_service *service = NULL;
    ctcd_deployment *d = want("digits", a_model("1", ""));
    ok(ctcd_model_deployer_deploy_begin(ml, d, -1, &op, &err));
    ok(ctcd_deployment_set_model_uri(d, a_model("2", ""), &err));
    ok(ctcd_deployment_set_model_name(d, "letters", &err));
    ctcd_deployment_unref(d);
    ok(ctcd_op_wait(op, LONG_MS, &err));
    ok(ctcd_op_take_service(op, &service, &err));
    ck_assert_str_eq(ctcd_service_model(service), "digits");
    answers(service, ONES);
    ctcd_service_unref(service);
    ctcd_op_unref(op);
}
END_TEST

START_TEST(no_time_means_start_and_return) {
    ctcd_service *service = NULL;
    ctcd_deployment *d = want("digits", a_model("1", "ready-after 200\n"));
    ok(deploy_wanted(d, 0, &service));
    ctcd_deployment_unref(d);
    ck_assert_str_eq(ctcd_service_model(service), "digits");
    int64_t end = real_mono() + LONG_MS; /* it goes on while the context is dispatched */
    int state = CTCD_STATE_UNKNOWN;
    while (state != CTCD_STATE_ACTIVE && real_mono() < end) {
        int rc = ctcd_context_wait(ctx, 100, &err);
        ck_assert(rc == 0 || rc == CTCD_AGAIN);
        state = state_of(service);
    }
    ck_assert_int_eq(state, CTCD_STATE_ACTIVE);
    answers(service, ONES);
    ctcd_service_unref(service);
    service = NULL;
    d = want("digits", "/nowhere");
    fails(deploy_wanted(d, 0, &service), CTCD_E_NOT_FOUND);
    ck_assert_ptr_null(service);
    ctcd_deployment_unref(d);
}
END_TEST

START_TEST(a_cancelled_deploy_is_undone) {
    ctcd_service *service = deploy("digits", a_model("1", ""));
    pid_t pid = pid_of(service);
    ctcd_op *op = NULL;
    ctcd_deployment *d = want("digits", a_model("2", "deaf\n"));
    ok(ctcd_model_deployer_deploy_begin(ml, d, -1, &op, &err));
    ctcd_deployment_unref(d);
    int64_t end = real_mono() + LONG_MS;
    while (!strstr(ctcd_op_doing(op), "waiting for revision 2") && real_mono() < end) {
        int rc = ctcd_context_wait(ctx, 1000, &err);
        ck_assert(rc == 0 || rc == CTCD_AGAIN);
    }
    ck_assert_has(ctcd_op_doing(op), "waiting for revision 2");
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_CANCELED);
    ctcd_op_unref(op);
    still_serves(service, pid, "");
    ctcd_service_unref(service);
}
END_TEST

START_TEST(the_whole_budget_is_one) {
    ctcd_service *service = deploy("digits", a_model("1", "")), *other = NULL;
    ctcd_context *second = api_context(CTCD_CONTEXT_EXISTING);
    ctcd_model_deployer *theirs = NULL;
    ctcd_deployment *d = want("digits", a_model("2", "deaf\n")), *mine = NULL;
    ctcd_op *op = NULL;
    ok(ctcd_model_deployer_deploy_begin(ml, d, -1, &op, &err));
    ctcd_deployment_unref(d);
    int64_t end = real_mono() + LONG_MS;
    while (!strstr(ctcd_op_doing(op), "waiting for revision 2") && real_mono() < end)
        ck_assert_int_ge(ctcd_context_wait(ctx, 1000, &err), 0);
    /* Another program wants the same service meanwhile: it waits for the lock, as long as it may. */
    ok(ctcd_model_deployer_get(second, "ml", &theirs, &err));
    ok(ctcd_deployment_new(second, &mine, &err));
    ok(ctcd_deployment_set_model_name(mine, "digits", &err));
    ok(ctcd_deployment_set_model_uri(mine, a_model("3", ""), &err));
    fails(ctcd_model_deployer_deploy(theirs, mine, a_while(), &other, &err), CTCD_E_CONFLICT);
    ck_assert_has(ctcd_error_message(err), "digits");
    ck_assert_ptr_null(other);
    ctcd_deployment_unref(mine);
    ctcd_model_deployer_unref(theirs);
    ctcd_context_unref(second);
    (void)ctcd_op_cancel(op);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_CANCELED);
    ctcd_op_unref(op);
    answers(service, ONES);
    ctcd_service_unref(service);
}
END_TEST

SUITE_MAIN_WITH("deployment", stand_in_begin, stand_in_end, a_deployer_is_found_by_name,
                what_cannot_be_deployed_is_refused_when_it_is_said, what_cannot_work_starts_nothing,
                validating_starts_nothing, a_model_is_served, a_file_uri_is_a_path,
                a_server_is_waited_for, a_replace_keeps_the_uuid,
                not_replacing_leaves_a_running_one_alone, identities_are_compared_exactly,
                the_incumbent_is_who_would_be_replaced,
                a_model_that_does_not_load_leaves_the_old_one_serving,
                a_server_that_is_killed_while_it_loads_says_so,
                a_smoke_request_that_fails_stops_the_deploy, time_that_is_up_is_a_failure,
                what_failed_can_be_left_to_look_at, a_deploy_tells_how_it_goes,
                changing_a_deployment_does_not_change_the_deploy_that_runs,
                no_time_means_start_and_return, a_cancelled_deploy_is_undone,
                the_whole_budget_is_one)
