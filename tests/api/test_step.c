/* Function steps: what a program does in a step, at once, waiting, or in a thread of its own; what it may and
   may not do there; and who runs such pipelines. */
#include "fake.h"

static ctcd_pipeline *pipeline;
static ctcd_run *run;
static atomic_int called, given_back;
static ctcd_step *kept; /* a reference that a function took */
static pthread_t thread;

static void begin(void) {
    called = given_back = 0;
    kept = NULL;
    fake_begin();
}

static void end(void) {
    run = ctcd_run_unref(run);
    pipeline = ctcd_pipeline_unref(pipeline);
    kept = ctcd_step_unref(kept);
    fake_end();
}

static void parse(const char *steps) {
    char text[4096];
    (void)snprintf(text, sizeof text, "pipeline: p\nparams: {a: 1}\nsteps:\n%s", steps);
    ok(ctcd_pipeline_parse(ctx, text, api_folder, &pipeline, &err));
}

static void give_back(void *data) {
    ck_assert_ptr_eq(data, &called);
    atomic_fetch_add(&given_back, 1);
}

static void has(const char *function, ctcd_step_fn fn) {
    ok(ctcd_context_register_step(ctx, function, fn, &called, give_back, &err));
}

static void expect_step(size_t index, const char *name, const char *status, const char *outputs) {
    ck_assert_str_eq(ctcd_run_step_name(run, index), name);
    ck_assert_msg(strcmp(ctcd_run_step_status(run, index), status) == 0, "%s is %s: %s", name,
                  ctcd_run_step_status(run, index), ctcd_run_step_error(run, index));
    if (outputs)
        ck_assert_str_eq(ctcd_run_step_outputs(run, index), outputs);
}

static void runs(int code) {
    if (code)
        fails(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err), code);
    else
        ok(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err));
}

/* ---- the life of a model, in functions --------------------------------------------------------- */

/* The document that started the project: a step that deploys, waiting 300 s for it, and gives the service on. */
static int deploy_step(void *data, ctcd_step *step) {
    ctcd_context *mine = ctcd_step_context(step);
    ctcd_deployment *want = NULL;
    ctcd_service *service = NULL;
    (void)data;
    ck_assert_str_eq(ctcd_step_input(step, "accuracy"), "0.97");
    ck_assert_ptr_null(ctcd_step_input(step, "nothing"));
    ok(ctcd_deployment_new(mine, &want, &err));
    ok(ctcd_deployment_set_model_name(want, "digits", &err));
    ok(ctcd_deployment_set_model_uri(want, "a model", &err));
    ok(ctcd_deployment_set_origin(want, ctcd_step_pipeline(step), ctcd_step_name(step),
                                  ctcd_step_run(step), &err));
    ok(ctcd_deployment_set_min_ready(want, 0, &err));
    ok(ctcd_deployment_set_replace(want, 1, &err));
    ok(ctcd_model_deployer_deploy(deployer, want, 300000, &service, &err));
    int rc = ctcd_step_set_output_service(step, "service", service, &err);
    ctcd_service_unref(service);
    ctcd_deployment_unref(want);
    return rc;
}

static int use_step(void *data, ctcd_step *step) {
    ctcd_service *service = NULL;
    char *answer = NULL;
    (void)data;
    fails(ctcd_step_input_service(step, "nothing", &service, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_step_input_service(step, "accuracy", &service, &err), CTCD_E_INVALID);
    ok(ctcd_step_input_service(step, "service", &service, &err));
    ck_assert_str_eq(ctcd_service_model(service), "digits");
    ok(ctcd_service_stop(service, LONG_MS, &err));
    ck_assert_int_eq(fake_running(&fake), 0);
    ok(ctcd_service_start(service, LONG_MS, &err));
    ck_assert_int_eq(fake_running(&fake), 1);
    ok(ctcd_service_predict(service, "{\"inputs\": [1]}", LONG_MS, &answer, &err));
    int rc = ctcd_step_set_output(step, "answer", answer, &err);
    ctcd_free(answer);
    ctcd_service_unref(service);
    return rc;
}

START_TEST(a_function_deploys_and_the_next_one_uses_the_service) {
    has("deployer", deploy_step);
    has("user", use_step);
    parse("  train: {command: [sh, -c, 'echo \"{\\\"accuracy\\\": 0.97}\" >$CTCD_OUTPUTS'],"
          " outputs: [accuracy]}\n"
          "  deploy: {function: deployer, inputs: {accuracy: train.accuracy}, outputs: [service]}\n"
          "  use: {function: user, outputs: [answer],"
          " inputs: {service: deploy.service, accuracy: train.accuracy}}\n"
          "  check: {command: [sh, -c, 'grep -q prediction_url $CTCD_INPUTS'],"
          " inputs: {service: deploy.service}, after: [use]}\n");
    ck_assert_str_eq(ctcd_pipeline_step_kind(pipeline, 1), "function");
    runs(0);
    expect_step(1, "deploy", "completed", NULL);
    ck_assert_uint_eq(strlen(ctcd_run_step_outputs(run, 1)), strlen("{\"service\":\"\"}") + 36);
    expect_step(2, "use", "completed", "{\"answer\":{\"inputs\":[1]}}");
    expect_step(3, "check", "completed", "{}");
    run = ctcd_run_unref(run);
    runs(0); /* the second one replaces the first */
    ck_assert_int_eq(fake_running(&fake), 1);
}
END_TEST

/* ---- what it sees and says --------------------------------------------------------------------- */

static int look_step(void *data, ctcd_step *step) {
    char path[4300], json[4400];
    atomic_fetch_add((atomic_int *)data, 1);
    ck_assert_str_eq(ctcd_step_name(step), "look");
    ck_assert_str_eq(ctcd_step_pipeline(step), "p");
    ck_assert_str_eq(ctcd_step_stack(step), "default");
    ck_assert_uint_eq(strlen(ctcd_step_run_uuid(step)), 36);
    ck_assert_ptr_nonnull(strstr(ctcd_step_run(step), "p-"));
    ck_assert_int_eq(ctcd_step_attempt(step), 1);
    ck_assert(ctcd_step_nominal(step) != CTCD_TIME_NONE);
    ck_assert(ctcd_step_previous_nominal(step) == CTCD_TIME_NONE);
    ck_assert_int_eq(ctcd_step_canceled(step), 0);
    (void)snprintf(path, sizeof path, "%s/model", ctcd_step_artifacts(step));
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
    (void)snprintf(json, sizeof json, "\"%s\"", path);
    ok(ctcd_step_set_output(step, "model", json, &err));
    ok(ctcd_step_set_output(step, "size", "1", &err));
    ok(ctcd_step_set_output(step, "size", "2", &err)); /* the last one counts */
    fails(ctcd_step_set_output(step, "sise", "3", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "size");
    fails(ctcd_step_set_output(step, "size", "{", &err), CTCD_E_INVALID);
    fails(ctcd_step_set_output(step, "size", NULL, &err), CTCD_E_INVALID);
    return 0;
}

START_TEST(it_sees_where_it_is_and_leaves_outputs) {
    has("look", look_step);
    fails(ctcd_context_register_step(ctx, "look", look_step, NULL, NULL, &err), CTCD_E_EXISTS);
    fails(ctcd_context_register_step(ctx, "a b", look_step, NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_context_register_step(ctx, "none", NULL, NULL, NULL, &err), CTCD_E_INVALID);
    parse("  look: {function: look, outputs: [model, size]}\n"
          "  check: {command: [sh, -c, 'test -e \"$(sed -n \"s/.*model.: .\\(.*\\)..*/\\1/p\" "
          "$CTCD_INPUTS)\"'],"
          " inputs: {model: look.model}}\n");
    runs(0);
    ck_assert_int_eq(called, 1);
    ck_assert_has(ctcd_run_step_outputs(run, 0), "\"size\":2");
    expect_step(1, "check", "completed", NULL);
}
END_TEST

static int fail_step(void *data, ctcd_step *step) {
    int n = atomic_fetch_add((atomic_int *)data, 1) + 1;
    ck_assert_int_eq(ctcd_step_attempt(step), n);
    if (n == 1)
        return ctcd_step_fail(step, CTCD_E_UNREACHABLE, "the well is dry", "wait for rain");
    return n == 2 ? CTCD_E_TIMEOUT : n == 3 ? 77 : 0;
}

START_TEST(failures_are_told_and_tried_again) {
    has("f", fail_step);
    parse("  f: {function: f}\n  after: {command: [\"true\"], after: [f]}\n");
    runs(CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "step f failed: the well is dry");
    ck_assert_str_eq(ctcd_error_hint(err), "wait for rain");
    expect_step(1, "after", "skipped", NULL);
    run = ctcd_run_unref(run);
    pipeline = ctcd_pipeline_unref(pipeline);
    called = 0;
    parse("  f: {function: f, retries: {max: 2, delay: 1ms}}\n");
    runs(CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "returned 77");
    ck_assert_int_eq(ctcd_run_step_attempts(run, 0), 3);
    run = ctcd_run_unref(run);
    pipeline = ctcd_pipeline_unref(pipeline);
    called = 0;
    parse("  f: {function: f, retries: {max: 3, delay: 1ms}}\n");
    runs(0);
    ck_assert_int_eq(ctcd_run_step_attempts(run, 0), 4);
}
END_TEST

static int nothing_step(void *data, ctcd_step *step) {
    (void)step;
    atomic_fetch_add((atomic_int *)data, 1);
    return 0;
}

START_TEST(an_output_that_is_missing_fails_it) {
    has("f", nothing_step);
    parse("  f: {function: f, outputs: [x]}\n");
    runs(CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "did not write its output \"x\"");
    ck_assert_has(ctcd_error_hint(err), "ctcd_step_set_output");
}
END_TEST

/* ---- threads ------------------------------------------------------------------------------------ */

static void *work(void *data) {
    ctcd_step *step = data;
    ctcd_error *why = NULL;
    ck_assert_int_eq(ctcd_step_set_output(step, "x", "[1, 2]", &why), 0);
    ck_assert_int_eq(ctcd_step_finish(step, 1), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_step_finish(step, 0), 0);
    ck_assert_int_eq(ctcd_step_finish(step, CTCD_E_FAILED), 0); /* too late */
    ck_assert_int_eq(ctcd_step_set_output(step, "x", "3", &why), CTCD_E_CONFLICT);
    ctcd_error_unref(why);
    ctcd_step_unref(step);
    return NULL;
}

static int thread_step(void *data, ctcd_step *step) {
    atomic_fetch_add((atomic_int *)data, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, work, ctcd_step_ref(step)), 0);
    return CTCD_AGAIN;
}

START_TEST(another_thread_finishes_it) {
    has("f", thread_step);
    parse("  f: {function: f, outputs: [x]}\n");
    runs(0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    expect_step(0, "f", "completed", "{\"x\":[1,2]}");
}
END_TEST

static int keep_step(void *data, ctcd_step *step) {
    atomic_fetch_add((atomic_int *)data, 1);
    ctcd_step_unref(kept);
    kept = ctcd_step_ref(step);
    return CTCD_AGAIN;
}

static void expect_over(void) {
    ck_assert_int_eq(ctcd_step_canceled(kept), 1);
    ck_assert_int_eq(ctcd_step_finish(kept, 0), 0);
    fails(ctcd_step_set_output(kept, "x", "1", &err), CTCD_E_CONFLICT);
    ck_assert_int_eq(ctcd_step_fail(kept, CTCD_E_FAILED, "late", NULL), CTCD_E_FAILED);
    ck_assert_str_eq(ctcd_step_name(kept), "f");
}

START_TEST(it_ends_at_its_time_out) {
    struct hand hand;
    ctcd_op *op = NULL;
    hand_give(&hand, ctx);
    has("f", keep_step);
    parse("  f: {function: f, outputs: [x], timeout: 10s}\n");
    ok(ctcd_pipeline_run_begin(pipeline, LONG_MS, &op, &err));
    play_for(ctx, &hand, 9000);
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    ck_assert_int_eq(ctcd_step_canceled(kept), 0);
    play_for(ctx, &hand, 1500);
    fails(ctcd_op_result(op, &err), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "time-out of 10 s");
    expect_over();
    ctcd_op_unref(op);
}
END_TEST

START_TEST(it_is_cancelled) {
    ctcd_op *op = NULL;
    has("f", keep_step);
    parse("  f: {function: f, outputs: [x]}\n");
    ok(ctcd_pipeline_run_begin(pipeline, LONG_MS, &op, &err));
    settle(ctx);
    ck_assert_int_eq(called, 1);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    settle(ctx);
    fails(ctcd_op_result(op, &err), CTCD_E_CANCELED);
    ok(ctcd_op_take_run(op, &run, &err));
    expect_step(0, "f", "canceled", NULL);
    expect_over();
    ctcd_op_unref(op);
}
END_TEST

START_TEST(it_outlives_the_context) {
    ctcd_op *op = NULL;
    has("f", keep_step);
    parse("  f: {function: f, outputs: [x]}\n");
    ok(ctcd_pipeline_run_begin(pipeline, LONG_MS, &op, &err));
    settle(ctx);
    pipeline = ctcd_pipeline_unref(pipeline);
    ctcd_op_unref(op);
    fake_end_context();
    ck_assert_int_eq(called, 1);
    ck_assert_int_eq(given_back, 1);
    expect_over();
}
END_TEST

/* ---- from inside -------------------------------------------------------------------------------- */

static bool announced;
static void announce(void *data, ctcd_op *op) {
    (void)data;
    (void)op;
    announced = true;
}

static int nest_step(void *data, ctcd_step *step) {
    ctcd_context *mine = ctcd_step_context(step);
    ctcd_pipeline *other = NULL;
    ctcd_op *op = NULL, *look = NULL;
    ctcd_list *none = NULL;
    int n = atomic_fetch_add((atomic_int *)data, 1);
    ck_assert_int_eq(n, 0); /* not again, whatever happens within */
    ok(ctcd_pipeline_parse(mine, "pipeline: q\nsteps:\n  n: {function: nest}\n", NULL, &other,
                           &err));
    fails(ctcd_pipeline_run(other, LONG_MS, NULL, &err), CTCD_E_REENTRANT);
    ok(ctcd_pipeline_run_begin(other, LONG_MS, &op, &err)); /* it waits for its turn */
    ok(ctcd_service_find(mine, NULL, NULL, NULL, NULL, &none, &err));
    ok(ctcd_list_observe_begin(none, LONG_MS, &look, &err));
    ok(ctcd_op_set_done(look, announce, NULL, NULL, &err));
    ok(ctcd_op_wait(look, LONG_MS, &err));
    ck_assert(!announced);
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_REENTRANT);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    ctcd_op_unref(op);
    ctcd_op_unref(look);
    ctcd_list_unref(none);
    ctcd_pipeline_unref(other);
    return 0;
}

START_TEST(a_wait_inside_begins_no_step_and_calls_nobody) {
    has("nest", nest_step);
    parse("  n: {function: nest}\n");
    announced = false;
    runs(0);
    settle(ctx);
    ck_assert(announced);
    ck_assert_int_eq(called, 1);
}
END_TEST

/* ---- whose pipelines ---------------------------------------------------------------------------- */

static ctcd_context *scheduler_of(ctcd_context *at, struct hand *hand, ctcd_op **ret) {
    hand_give(hand, at);
    ok(ctcd_scheduler_start(at, CTCD_SCHEDULER_UNTIL_IDLE, ret, &err));
    return at;
}

START_TEST(only_who_has_the_function_claims_its_fires) {
    struct hand hand, other_hand;
    ctcd_schedule *schedule = NULL;
    ctcd_op *op = NULL;
    ctcd_list *list = NULL;
    hand_give(&hand, ctx);
    parse("  f: {function: f}\nschedule: {interval: 60s, start: now, end: +3m, catchup: all,"
          " overlap: buffer_all}\n");
    ok(ctcd_pipeline_schedule(pipeline, &schedule, &err));
    ok(ctcd_schedule_create(schedule, pipeline, NULL, &err));
    fails(ctcd_pipeline_run(pipeline, LONG_MS, NULL, &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "function f is not registered");
    ctcd_context *other = api_context(0);
    scheduler_of(other, &other_hand, &op);
    hand_move(&other_hand, 600000);
    ck_assert_int_eq(play(other, &other_hand, op), 0); /* nothing here is its business */
    ctcd_op_unref(op);
    ctcd_context_unref(other);
    ok(ctcd_run_list(ctx, NULL, NULL, 10, 0, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 0);
    ctcd_list_unref(list);
    has("f", nothing_step);
    ok(ctcd_scheduler_start(ctx, CTCD_SCHEDULER_UNTIL_IDLE, &op, &err));
    hand_move(&hand, 600000);
    ck_assert_int_eq(play(ctx, &hand, op), 0);
    ck_assert_int_eq(called, 3);
    ctcd_op_unref(op);
    ctcd_schedule_unref(schedule);
}
END_TEST

SUITE_MAIN_WITH("step", begin, end, a_function_deploys_and_the_next_one_uses_the_service,
                it_sees_where_it_is_and_leaves_outputs, failures_are_told_and_tried_again,
                an_output_that_is_missing_fails_it, another_thread_finishes_it,
                it_ends_at_its_time_out, it_is_cancelled, it_outlives_the_context,
                a_wait_inside_begins_no_step_and_calls_nobody,
                only_who_has_the_function_claims_its_fires)
