/* Cancel and retry of runs through the API: from another context, with and without waiting, and what they refuse. */
#include "api.h"

static ctcd_context *other; /* the same home, as another process would have it */

static void setup(void) {
    api_open();
    other = api_context(0);
}

static void teardown(void) {
    other = ctcd_context_unref(other);
    api_close();
}

/* Begun; the run as the other context sees it. */
static ctcd_op *begin(const char *text, ctcd_run **ret_seen) {
    ctcd_pipeline *pipeline = NULL;
    ctcd_op *op = NULL;
    ctcd_list *list = NULL;
    ok(ctcd_pipeline_parse(ctx, text, api_folder, &pipeline, &err));
    ok(ctcd_pipeline_run_begin(pipeline, LONG_MS, &op, &err));
    ctcd_pipeline_unref(pipeline);
    ok(ctcd_run_list(other, NULL, NULL, 1, 0, &list, &err));
    ok(ctcd_run_get(other, ctcd_run_uuid(ctcd_list_run(list, 0)), ret_seen, &err));
    ctcd_list_unref(list);
    return op;
}

static const char *status_now(const ctcd_run *run) {
    static char status[32];
    ctcd_run *now = NULL;
    ok(ctcd_run_get(ctx, ctcd_run_uuid(run), &now, &err));
    (void)snprintf(status, sizeof status, "%s", ctcd_run_status(now));
    ctcd_run_unref(now);
    return status;
}

#define SLEEPS                                                                                     \
    "pipeline: p\nsteps: {a: {command: [sleep, '300']}, b: {command: ['true'], after: [a]}}\n"
#define FAILS_ONCE                                                                                 \
    "pipeline: p\nsteps:\n  a: {command: [sh, -c, 'exit $((CTCD_ATTEMPT < 2))']}\n"                \
    "  b: {command: ['true'], after: [a]}\n"

START_TEST(a_request_reaches_who_carries_it_out) {
    ctcd_run *seen = NULL;
    ctcd_op *op = begin(SLEEPS, &seen), *cancel = NULL;
    ok(ctcd_run_cancel(seen, 0, &err));
    ok(ctcd_run_cancel_begin(seen, LONG_MS, &cancel, &err)); /* once more is no other request */
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_CANCELED);
    ok(ctcd_op_wait(cancel, LONG_MS, &err));
    ck_assert_str_eq(status_now(seen), "canceled");
    fails(ctcd_run_cancel(seen, -1, &err), CTCD_E_CONFLICT);
    ck_assert_has(ctcd_error_message(err), "canceled");
    ctcd_op_unref(op);
    ctcd_op_unref(cancel);
    ctcd_run_unref(seen);
}
END_TEST

START_TEST(one_that_nobody_carries_out_is_ended_here) {
    ctcd_run *seen = NULL;
    ctcd_op *op = begin(SLEEPS, &seen);
    for (int i = 0; i < 3; i++) /* its first step has begun */
        ck_assert_int_ge(ctcd_context_wait(ctx, 1000, &err), 0);
    ctcd_op_unref(op);
    ctx = ctcd_context_unref(ctx); /* its run does not end with it */
    ctx = api_context(0);
    ck_assert_str_eq(status_now(seen), "interrupted");
    ok(ctcd_run_cancel(seen, LONG_MS, &err));
    ck_assert_str_eq(status_now(seen), "canceled");
    ctcd_run_unref(seen);
}
END_TEST

START_TEST(a_failed_run_goes_on) {
    ctcd_run *seen = NULL, *made = NULL;
    ctcd_op *op = begin(FAILS_ONCE, &seen);
    fails(ctcd_run_retry(seen, LONG_MS, &made, &err), CTCD_E_CONFLICT);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_FAILED);
    ctcd_op_unref(op);
    fails(ctcd_run_retry(seen, 0, &made, &err), CTCD_E_INVALID);
    fails(ctcd_run_retry_begin(seen, LONG_MS, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(made);
    ok(ctcd_run_retry(seen, LONG_MS, &made, &err));
    ck_assert_str_eq(ctcd_run_uuid(made), ctcd_run_uuid(seen));
    ck_assert_str_eq(ctcd_run_status(made), "completed");
    ck_assert_int_eq(ctcd_run_step_attempts(made, 0), 2);
    ck_assert_int_eq(ctcd_run_step_attempts(made, 1), 1);
    fails(ctcd_run_retry(made, LONG_MS, NULL, &err), CTCD_E_CONFLICT);
    ctcd_run_unref(made);
    ctcd_run_unref(seen);
}
END_TEST

START_TEST(arguments) {
    ctcd_op *op = NULL;
    fails(ctcd_run_cancel(NULL, -1, &err), CTCD_E_INVALID);
    fails(ctcd_run_cancel_begin(NULL, -1, &op, &err), CTCD_E_INVALID);
    fails(ctcd_run_retry(NULL, -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_run_retry_begin(NULL, -1, &op, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(op);
}
END_TEST

SUITE_MAIN_WITH("run_change", setup, teardown, a_request_reaches_who_carries_it_out,
                one_that_nobody_carries_out_is_ended_here, a_failed_run_goes_on, arguments)
