/* One service through all of its states, and what its last error says in each: set by what goes wrong, gone with
   the next success. The tables of states by themselves: tests/unit/test_service.c, tests/table/server_state.tsv. */
#include "fake.h"
#include "stand_in.h"

static ctcd_service *service;

/* It is so; error: part of its last error, "" = it has none. */
static bool is(int state, const char *error) {
    ctcd_status *status = NULL;
    ok(ctcd_service_observe(service, 2000, &status, &err));
    bool so = ctcd_status_state(status) == state &&
              (*error ? strstr(ctcd_status_last_error(status), error) != NULL
                      : !*ctcd_status_last_error(status));
    ctcd_status_unref(status);
    return so;
}

/* Becomes so; what was begun goes on meanwhile. */
static void becomes(int state, const char *error) {
    int64_t end = real_mono() + LONG_MS;
    while (!is(state, error)) {
        if (real_mono() >= end) {
            ctcd_status *status = look(service);
            ck_abort_msg("%s (%s), not %s (%s)", ctcd_state_name(ctcd_status_state(status)),
                         ctcd_status_last_error(status), ctcd_state_name(state), error);
        }
        ck_assert_int_ge(ctcd_context_wait(ctx, 10, &err), 0);
    }
}

static void ends_well(ctcd_op *op) {
    ok(ctcd_op_wait(op, -1, &err));
    ck_assert_ptr_null(ctcd_op_unref(op));
}

/* The first deploy: there is a service as soon as it is begun. */
static ctcd_op *begin_deploy(const char *model) {
    ctcd_op *op = NULL;
    ctcd_list *list = NULL;
    ctcd_deployment *wanted = want("digits", model);
    ok(ctcd_model_deployer_deploy_begin(ml, wanted, LONG_MS, &op, &err));
    ctcd_deployment_unref(wanted);
    for (int64_t end = real_mono() + LONG_MS; !service && real_mono() < end;) {
        ck_assert_int_ge(ctcd_context_wait(ctx, 10, &err), 0);
        ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err));
        service = ctcd_service_ref(ctcd_list_service(list, 0));
        ctcd_list_unref(list);
    }
    ck_assert_ptr_nonnull(service);
    return op;
}

/* A prediction that takes its time, and that the server has begun with. */
static ctcd_op *begin_prediction(void) {
    ctcd_op *question = NULL;
    bool taken = false;
    ok(ctcd_service_predict_begin(service, "[[1]]", LONG_MS, &question, &err));
    for (int64_t end = real_mono() + LONG_MS; !taken && real_mono() < end;) {
        char *log = NULL;
        ck_assert_int_ge(ctcd_context_wait(ctx, 10, &err), 0);
        ok(ctcd_service_logs(service, 5, &log, &err));
        taken = strstr(log, "Request taken") != NULL;
        ctcd_free(log);
    }
    ck_assert(taken);
    return question;
}

START_TEST(one_service_through_all_states) {
    const char *model = a_model("1", "unready\n");
    ctcd_op *op = begin_deploy(model), *question = NULL;
    becomes(CTCD_STATE_PENDING_STARTUP, "");
    behave(model, "");
    ends_well(op);
    ck_assert(is(CTCD_STATE_ACTIVE, ""));

    behave(model, "unready\n");
    becomes(CTCD_STATE_DEGRADED, "503");
    behave(model, "");
    becomes(CTCD_STATE_ACTIVE, ""); /* by itself: nothing was done to it */

    behave(model, "silent\n");
    becomes(CTCD_STATE_UNKNOWN, "");
    behave(model, "");
    becomes(CTCD_STATE_ACTIVE, "");

    ck_assert_int_eq(kill(pid_of(service), SIGKILL), 0);
    becomes(CTCD_STATE_ERROR, "SIGKILL");
    ok(ctcd_service_start_begin(service, LONG_MS, &op, &err));
    ends_well(op);
    ck_assert(is(CTCD_STATE_ACTIVE, ""));

    behave(model, "slow 1500\n");
    question = begin_prediction();
    ok(ctcd_service_stop_begin(service, LONG_MS, &op, &err));
    becomes(CTCD_STATE_PENDING_SHUTDOWN, "");
    ends_well(op);
    ends_well(question);
    ck_assert(is(CTCD_STATE_INACTIVE, ""));

    behave(model, "exit 7\n");
    fails(ctcd_service_start(service, LONG_MS, &err), CTCD_E_FAILED);
    ck_assert(is(CTCD_STATE_ERROR, "exit status 7"));
    ok(ctcd_service_stop(service, LONG_MS, &err)); /* what is not wanted to run is no error */
    ck_assert(is(CTCD_STATE_INACTIVE, ""));
    behave(model, "");
    ok(ctcd_service_start(service, LONG_MS, &err));
    ck_assert(is(CTCD_STATE_ACTIVE, ""));

    ok(ctcd_service_delete(service, 0, LONG_MS, &err));
    ctcd_status *status = NULL;
    fails(ctcd_service_observe(service, LONG_MS, &status, &err), CTCD_E_NOT_FOUND);
    service = ctcd_service_unref(service);
}
END_TEST

/* A replace that fails is told, and does not change what serves; the next that succeeds clears it. */
START_TEST(a_failed_replace_is_the_last_error_until_one_succeeds) {
    service = deploy("digits", a_model("1", ""));
    ctcd_service *none = NULL;
    ctcd_deployment *bad = want("digits", a_model("2", "exit 3\n"));
    fails(ctcd_model_deployer_deploy(ml, bad, LONG_MS, &none, &err), CTCD_E_FAILED);
    ctcd_deployment_unref(bad);
    ck_assert(is(CTCD_STATE_ACTIVE, "exit status 3"));
    ok(ctcd_service_stop(service, LONG_MS, &err));
    ok(ctcd_service_start(service, LONG_MS, &err));
    ck_assert(is(CTCD_STATE_ACTIVE, ""));
    answers(service, ONES);
    ctcd_service *again = deploy("digits", a_model("2", ""));
    ck_assert(is(CTCD_STATE_ACTIVE, ""));
    answers(again, TWOS);
    ctcd_service_unref(again);
    service = ctcd_service_unref(service);
}
END_TEST

SUITE_MAIN_WITH("states", stand_in_begin, stand_in_end, one_service_through_all_states,
                a_failed_replace_is_the_last_error_until_one_succeeds)
