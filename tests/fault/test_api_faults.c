/* The API when memory runs out at any one allocation. Each scenario is a piece of a program's life; it runs on a
   new context with the k-th allocation failing, for k = 1, 2, ... until it runs through. Then: the result is
   CTCD_E_NOMEM (or everything worked all the same, and is right), outputs are untouched, the same scenario on the
   same context succeeds, and when the context has ended not one block is left.

   A scenario begins in a home that was prepared once and is copied for each k; the back end lives in the test. */
#include "api_rounds.h"

/* ---- context, components, stacks, decisions --------------------------------------------------- */

static int open_home(void) {
    int rc;
    if (done(ctcd_context_open(ctx, &err)))
        ck_assert_str_eq(ctcd_context_home(ctx), api_home);
    return rc;
}

START_TEST(opening_a_home) {
    PREPARE(open_home);
    every_allocation("open a new home", open_home, false);
    every_allocation("open", open_home, true);
}
END_TEST

/* It is there, by this call or an earlier one. */
static bool is_there(int rc) {
    if (rc != CTCD_E_EXISTS)
        return rc == 0;
    err = ctcd_error_unref(err);
    return true;
}

static int register_it(void) {
    int rc;
    ctcd_component *component = NULL;
    if (made(component, ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", "ml",
                                           &component, &err)))
        rc = is_there(rc = ctcd_component_register(component, &err)) ? 0 : rc;
    ctcd_component_unref(component);
    return rc;
}

#define SHOWS(format, object, name, part)                                                          \
    (made(text, format(object, name, &text, &err)) &&                                              \
     (expect(strstr(text, (part)) != NULL), ctcd_free(text), text = NULL, true))

static int components(void) {
    int rc;
    char *text = NULL;
    ctcd_component *component = NULL, *found = NULL;
    ctcd_list *list = NULL;
    if (made(component, ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "mlflow", "m2",
                                           &component, &err)) &&
        done(ctcd_component_set_option(component, "python", "/usr/bin/python3", &err)) &&
        done(ctcd_component_set_option(component, "host", "localhost", &err)) &&
        is_there(rc = ctcd_component_register(component, &err)) &&
        made(found, ctcd_component_get(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "m2", &found, &err)) &&
        made(list, ctcd_component_list(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, &list, &err)) &&
        SHOWS(ctcd_component_format, found, "json", "\"host\": \"localhost\"") &&
        SHOWS(ctcd_component_format, found, "yaml", "python: /usr/bin/python3") &&
        SHOWS(ctcd_list_format, list, "json", "\"m2\"") &&
        SHOWS(ctcd_list_format, list, "name", "m2")) {
        expect(ctcd_component_option_count(found) == 2);
        expect(ctcd_list_count(list) == 1);
        (void)done(ctcd_component_delete(found, &err));
    }
    ctcd_list_unref(list);
    ctcd_component_unref(found);
    ctcd_component_unref(component);
    return rc;
}

static int stacks(void) {
    int rc;
    char *text = NULL;
    ctcd_stack *stack = NULL, *found = NULL;
    ctcd_list *list = NULL;
    if (made(stack, ctcd_stack_new(ctx, "prod", &stack, &err)) &&
        done(ctcd_stack_set_component(stack, CTCD_COMPONENT_ORCHESTRATOR, "default", &err)) &&
        done(ctcd_stack_set_component(stack, CTCD_COMPONENT_ARTIFACT_STORE, "default", &err)) &&
        done(ctcd_stack_set_component(stack, CTCD_COMPONENT_METADATA_STORE, "default", &err)) &&
        done(ctcd_stack_set_component(stack, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &err)) &&
        is_there(rc = ctcd_stack_register(stack, &err)) && done(ctcd_stack_activate(stack, &err)) &&
        made(found, ctcd_stack_get(ctx, NULL, &found, &err)) &&
        made(list, ctcd_stack_list(ctx, &list, &err)) &&
        SHOWS(ctcd_stack_format, found, "yaml", "model-deployer: ml") &&
        SHOWS(ctcd_list_format, list, "json", "\"active\": true")) {
        expect(strcmp(ctcd_stack_name(found), "prod") == 0);
        expect(ctcd_list_count(list) == 2);
    }
    ctcd_list_unref(list);
    ctcd_stack_unref(found);
    ctcd_stack_unref(stack);
    return rc;
}

START_TEST(components_and_stacks) {
    PREPARE(open_home);
    every_allocation("components", components, true);
    PREPARE(register_it);
    every_allocation("stacks", stacks, true);
}
END_TEST

static int decide(void) {
    int rc;
    char *text = NULL;
    ctcd_decision *decision = NULL;
    if (made(decision,
             ctcd_decide("{\"metric\": \"m\", \"threshold\": 0.5, \"min_absolute_change\": 0.1}",
                         "{\"m\": 0.9, \"n\": NaN}", "{\"m\": 0.7}", &decision, &err)) &&
        SHOWS(ctcd_decision_format, decision, "json", "\"weight\": \"passed\"") &&
        SHOWS(ctcd_decision_format, decision, "yaml", "verdict: promote")) {
        expect(ctcd_decision_verdict(decision) == CTCD_VERDICT_PROMOTE);
        expect(strstr(ctcd_decision_reasons(decision), "m 0.9 >= 0.5") != NULL);
    }
    ctcd_decision_unref(decision);
    return rc;
}

START_TEST(decisions) {
    every_allocation("decide", decide, false);
}
END_TEST

/* A call that fails by itself: with its own code and words, or out of memory. */
static bool refused(int rc, int code, const char *part) {
    if (rc == CTCD_E_NOMEM)
        return false;
    expect(rc == code && ctcd_error_code(err) == code);
    expect(strstr(ctcd_error_message(err), part) ||
           strstr(ctcd_error_message(err), "out of memory"));
    err = ctcd_error_unref(err);
    return true;
}

static int refusals(void) {
    int rc;
    ctcd_component *component = NULL;
    ctcd_service *service = NULL;
    ctcd_pipeline *pipeline = NULL;
    if (made(component, ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "mlflow", "x",
                                           &component, &err)) &&
        refused(rc = ctcd_component_set_option(component, "pyton", "x", &err), CTCD_E_INVALID,
                "pyton") &&
        refused(rc = ctcd_service_get(ctx, "12345678", &service, &err), CTCD_E_NOT_FOUND,
                "12345678") &&
        refused(rc = ctcd_pipeline_parse(ctx, "pipeline: p\nstep: {}\n", NULL, &pipeline, &err),
                CTCD_E_INVALID, "pipeline:2:1") &&
        refused(rc = ctcd_pipeline_load(ctx, "/no/where", &pipeline, &err), CTCD_E_NOT_FOUND,
                "/no/where"))
        rc = 0;
    expect(!service && !pipeline);
    ctcd_component_unref(component);
    return rc;
}

START_TEST(what_is_refused) {
    PREPARE(open_home);
    every_allocation("refusals", refusals, true);
}
END_TEST

/* ---- deploying, with the back end in the test ------------------------------------------------- */

static int deploy_model(const char *uri) {
    int rc;
    ctcd_model_deployer *to = NULL;
    ctcd_deployment *wanted = NULL;
    ctcd_service *service = NULL;
    if (made(to, ctcd_model_deployer_get(ctx, "ml", &to, &err)) &&
        made(wanted, ctcd_deployment_new(ctx, &wanted, &err)) &&
        done(ctcd_deployment_set_model_name(wanted, "digits", &err)) &&
        done(ctcd_deployment_set_model_uri(wanted, uri, &err)) &&
        done(ctcd_deployment_set_origin(wanted, "train", "deploy", "train-1", &err)) &&
        done(ctcd_deployment_set_min_ready(wanted, 0, &err)) &&
        done(ctcd_deployment_set_metrics(wanted, "{\"accuracy\": 0.9}", &err)) &&
        done(ctcd_deployment_set_smoke(wanted, "[[1]]", &err)) &&
        made(service, ctcd_model_deployer_deploy(to, wanted, LONG_MS, &service, &err))) {
        expect(strcmp(ctcd_service_model(service), "digits") == 0);
        expect(strcmp(ctcd_service_model_uri(service), uri) == 0);
        expect(strcmp(ctcd_service_metrics(service), "{\"accuracy\": 0.9}") == 0);
        expect(strncmp(ctcd_service_url(service), "fake://", 7) == 0);
        /* An old server that will not go is no failure: the next change takes it along. */
        expect(fake_running(&fake) == 1 || (faulty && fake_running(&fake) == 2));
    }
    ctcd_service_unref(service);
    ctcd_deployment_unref(wanted);
    ctcd_model_deployer_unref(to);
    return rc;
}

static int deploy_one(void) {
    return deploy_model("/models/1");
}

static int deploy_two(void) {
    return deploy_model("/models/2");
}

static int broken(struct fake_in *in) {
    return ctcd_call_fail(in->call, CTCD_E_FAILED, "out of order", NULL);
}

/* A replace that cannot succeed: the first one goes on serving. */
static int deploy_broken(void) {
    fake.hook[FAKE_APPLY] = broken;
    int rc = deploy_model("/models/3");
    fake.hook[FAKE_APPLY] = NULL;
    expect(fake_running(&fake) == 1);
    if (rc != CTCD_E_FAILED) /* it cannot have succeeded */
        return rc ? rc : CTCD_E_PLUGIN;
    expect(strstr(ctcd_error_message(err), "out of order") ||
           strstr(ctcd_error_message(err), "out of memory"));
    err = ctcd_error_unref(err);
    return 0;
}

START_TEST(deploying) {
    PREPARE(register_it);
    every_allocation("deploy", deploy_one, true);
    PREPARE(register_it, deploy_one);
    every_allocation("replace", deploy_two, true);
    every_allocation("deploy in vain", deploy_broken, true);
}
END_TEST

/* The only service; NULL = there is none. */
static int the_service(ctcd_service **ret) {
    int rc;
    ctcd_list *list = NULL;
    if (made(list, ctcd_service_find(ctx, "ml", NULL, NULL, "digits", &list, &err)))
        *ret = ctcd_service_ref(ctcd_list_service(list, 0));
    ctcd_list_unref(list);
    return rc;
}

static int look_at_a_page(const ctcd_list *seen, const char *prefix) {
    int rc;
    char *text = NULL;
    ctcd_list *some = NULL, *page = NULL;
    if (made(some,
             ctcd_service_find_page(ctx, prefix, NULL, NULL, NULL, NULL, NULL, 2, &some, &err)) &&
        made(page, ctcd_list_select(seen, 1u << CTCD_STATE_ACTIVE, 1, &page, &err)) &&
        SHOWS(ctcd_list_format, page, "json", "\"next\": null"))
        expect(ctcd_list_count(some) == 1);
    ctcd_list_unref(page);
    ctcd_list_unref(some);
    return rc;
}

static int ask_it(void) {
    char *text = NULL, prefix[9];
    ctcd_service *service = NULL, *found = NULL;
    ctcd_status *status = NULL;
    ctcd_list *all = NULL, *seen = NULL;
    int rc = the_service(&service);
    (void)snprintf(prefix, sizeof prefix, "%.8s", ctcd_service_uuid(service));
    if (!rc && made(found, ctcd_service_get(ctx, prefix, &found, &err)) &&
        made(status, ctcd_service_observe(found, LONG_MS, &status, &err)) &&
        made(all, ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &all, &err)) &&
        made(seen, ctcd_list_observe(all, LONG_MS, &seen, &err)) &&
        made(text, ctcd_service_predict(found, "[[1, 2]]", LONG_MS, &text, &err))) {
        expect(strcmp(text, "[[1, 2]]") == 0);
        ctcd_free(text);
        expect(ctcd_status_state(status) == CTCD_STATE_ACTIVE);
        expect(strcmp(ctcd_status_message(status), "the fake looked") == 0);
        expect(ctcd_status_state(ctcd_list_status(seen, 0)) == CTCD_STATE_ACTIVE);
        if (made(text, ctcd_service_logs(found, 10, &text, &err))) {
            expect(strcmp(text, "a line\n") == 0);
            ctcd_free(text);
            if (SHOWS(ctcd_service_format, found, "json", "\"accuracy\": 0.9") &&
                SHOWS(ctcd_service_format, found, "name", prefix) &&
                SHOWS(ctcd_status_format, status, "yaml", "state: active") &&
                SHOWS(ctcd_list_format, seen, "json", "\"state\": \"active\""))
                rc = look_at_a_page(seen, prefix);
        }
    }
    ctcd_list_unref(seen);
    ctcd_list_unref(all);
    ctcd_status_unref(status);
    ctcd_service_unref(found);
    ctcd_service_unref(service);
    return rc;
}

static int stop_and_start(void) {
    ctcd_service *service = NULL;
    int rc = the_service(&service);
    if (!rc && done(ctcd_service_stop(service, LONG_MS, &err))) {
        expect(fake_running(&fake) == 0);
        if (done(ctcd_service_start(service, LONG_MS, &err)))
            expect(fake_running(&fake) == 1);
    }
    ctcd_service_unref(service);
    return rc;
}

static int delete_it(void) {
    ctcd_service *service = NULL;
    int rc = the_service(&service);
    if (!rc && service && done(ctcd_service_delete(service, 0, LONG_MS, &err)))
        expect(fake_running(&fake) == 0);
    ctcd_service_unref(service);
    return rc;
}

START_TEST(living_with_a_service) {
    PREPARE(register_it, deploy_one);
    every_allocation("find, observe, predict", ask_it, true);
    every_allocation("stop and start", stop_and_start, true);
    every_allocation("delete", delete_it, true);
}
END_TEST

static void note(void *data, ctcd_op *op, const char *line) {
    (void)op;
    *(size_t *)data += strlen(line);
}

static void note_end(void *data, ctcd_op *op) {
    (void)op;
    ++*(int *)data;
}

static int as_an_op(void) {
    int rc, ends = 0;
    size_t said = 0;
    ctcd_model_deployer *to = NULL;
    ctcd_deployment *wanted = NULL;
    ctcd_service *service = NULL;
    ctcd_op *op = NULL;
    if (made(to, ctcd_model_deployer_get(ctx, "ml", &to, &err)) &&
        made(wanted, ctcd_deployment_new(ctx, &wanted, &err)) &&
        done(ctcd_deployment_set_model_name(wanted, "letters", &err)) &&
        done(ctcd_deployment_set_model_uri(wanted, "/models/4", &err)) &&
        done(ctcd_deployment_set_min_ready(wanted, 0, &err)) &&
        done(ctcd_model_deployer_validate(to, wanted, LONG_MS, &err)) &&
        made(op, ctcd_model_deployer_deploy_begin(to, wanted, LONG_MS, &op, &err)) &&
        done(ctcd_op_set_progress(op, note, &said, NULL, &err)) &&
        done(ctcd_op_set_done(op, note_end, &ends, NULL, &err)) &&
        done(ctcd_op_wait(op, LONG_MS, &err)) &&
        made(service, ctcd_op_take_service(op, &service, &err))) {
        expect(strcmp(ctcd_service_model(service), "letters") == 0);
        expect(said > 0);
        ctcd_service *incumbent = NULL;
        if (made(incumbent, ctcd_model_deployer_incumbent(to, wanted, &incumbent, &err)))
            expect(strcmp(ctcd_service_uuid(incumbent), ctcd_service_uuid(service)) == 0);
        ctcd_service_unref(incumbent);
    }
    if (op) {
        while (ctcd_op_poll(op) == CTCD_AGAIN || !ends) /* what was begun ends, and says so once */
            expect(ctcd_context_wait(ctx, 1000, NULL) == 0);
        expect(ends == 1);
    }
    ctcd_service_unref(service);
    ctcd_op_unref(op);
    ctcd_deployment_unref(wanted);
    ctcd_model_deployer_unref(to);
    return rc;
}

START_TEST(ops) {
    PREPARE(register_it);
    every_allocation("a deploy as an op", as_an_op, true);
}
END_TEST

/* ---- pipelines, runs, schedules --------------------------------------------------------------- */

static const char PIPELINE[] = "pipeline: digits\n"
                               "params: {n: 1, name: digits}\n"
                               "steps:\n"
                               "  deploy:\n"
                               "    deploy: {model_deployer: ml, model_name: \"${params.name}\", "
                               "model_uri: ./m, min_ready: 0s,"
                               " options: {}, smoke: [[1]]}\n"
                               "schedule: {interval: 60s, start: now, end: +1m, catchup: all}\n";

static const char DECIDES[] =
    "pipeline: decides\n"
    "params: {target: 0.9}\n"
    "steps:\n"
    "  train:\n"
    "    command: [sh, -c, 'echo trained; echo \"{\\\"accuracy\\\": 0.95, \\\"model\\\": "
    "\\\"./m\\\"}\""
    " >\"$CTCD_OUTPUTS\"']\n"
    "    outputs: [accuracy, model]\n"
    "  decide:\n"
    "    decide: {metric: train.accuracy, threshold: \"${params.target}\", deploys: deploy}\n"
    "  deploy:\n"
    "    when: decide\n"
    "    deploy: {model_deployer: ml, model_name: digits, model_uri: train.model, min_ready: 0s}\n"
    "  check:\n"
    "    command: [cat]\n"
    "    inputs: {service: deploy.service}\n";

static int read_it(void) {
    int rc;
    char *text = NULL;
    ctcd_pipeline *pipeline = NULL;
    ctcd_schedule *schedule = NULL;
    if (made(pipeline, ctcd_pipeline_parse(ctx, DECIDES, NULL, &pipeline, &err)) &&
        done(ctcd_pipeline_set_param(pipeline, "target", "0.5", &err)) &&
        SHOWS(ctcd_pipeline_format, pipeline, "json", "\"target\": 0.5") &&
        SHOWS(ctcd_pipeline_format, pipeline, "yaml", "target: 0.5")) {
        expect(ctcd_pipeline_step_count(pipeline) == 4);
        pipeline = ctcd_pipeline_unref(pipeline);
        if (made(pipeline, ctcd_pipeline_parse(ctx, PIPELINE, NULL, &pipeline, &err)) &&
            made(schedule, ctcd_pipeline_schedule(pipeline, &schedule, &err)))
            expect(ctcd_schedule_every(schedule) == 60000);
    }
    ctcd_schedule_unref(schedule);
    ctcd_pipeline_unref(pipeline);
    return rc;
}

START_TEST(pipeline_files) {
    every_allocation("a pipeline's file", read_it, false);
}
END_TEST

static bool tells_of_memory(const char *text) {
    return strstr(text, "out of memory") || strstr(text, "Cannot allocate memory");
}

/* A step for which there was no memory fails its run, and that is recorded like any other failure. */
static int failed_for_memory(int rc, const ctcd_run *run) {
    if (rc != CTCD_E_FAILED)
        return rc;
    expect(tells_of_memory(ctcd_error_message(err)));
    expect(run && strcmp(ctcd_run_status(run), "failed") == 0);
    expect(tells_of_memory(ctcd_run_error(run)));
    return CTCD_E_NOMEM;
}

static int run_text(const char *source, size_t steps) {
    int rc;
    ctcd_pipeline *pipeline = NULL;
    ctcd_run *run = NULL;
    if (made(pipeline, ctcd_pipeline_parse(ctx, source, NULL, &pipeline, &err)) &&
        done(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err))) {
        expect(strcmp(ctcd_run_status(run), "completed") == 0);
        expect(ctcd_run_step_count(run) == steps);
        for (size_t i = 0; i < steps; i++)
            expect(strcmp(ctcd_run_step_status(run, i), "completed") == 0);
        expect(fake_running(&fake) == 1);
    }
    rc = failed_for_memory(rc, run);
    ctcd_run_unref(run);
    ctcd_pipeline_unref(pipeline);
    return rc;
}

static int run_it(void) {
    return run_text(PIPELINE, 1);
}

static int run_and_decide(void) {
    return run_text(DECIDES, 4);
}

static int look_at_runs(void) {
    int rc;
    char *text = NULL, *cursor = NULL;
    ctcd_run *run = NULL;
    ctcd_list *list = NULL, *pipelines = NULL;
    if (made(list, ctcd_run_list(ctx, "decides", NULL, 10, 0, &list, &err)) &&
        made(run, ctcd_run_get(ctx, ctcd_run_name(ctcd_list_run(list, 0)), &run, &err)) &&
        made(pipelines, ctcd_pipeline_list(ctx, &pipelines, &err)) &&
        made(text, ctcd_run_logs(run, "train", 10, &text, &err))) {
        expect(strcmp(text, "trained") == 0);
        ctcd_free(text);
        expect(ctcd_list_count(list) == 1 && ctcd_list_count(pipelines) == 1);
        expect(strstr(ctcd_run_step_outputs(run, 0), "0.95") != NULL);
        expect(strstr(ctcd_run_step_outputs(run, 1), "promote") != NULL);
        expect(ctcd_decision_verdict(ctcd_run_step_decision(run, 1)) == CTCD_VERDICT_PROMOTE);
        if (SHOWS(ctcd_run_format, run, "json", "\"accuracy\": 0.95") &&
            SHOWS(ctcd_run_format, run, "yaml", "verdict: promote") &&
            SHOWS(ctcd_list_format, list, "json", "\"decides\"") &&
            SHOWS(ctcd_list_format, pipelines, "yaml", "pipeline: decides") &&
            made(cursor, ctcd_run_logs_since(run, "train", NULL, 10, &text, &cursor, &err))) {
            expect(strcmp(text, "trained\n") == 0);
            ctcd_free(text);
            ctcd_free(cursor);
        }
    }
    ctcd_list_unref(pipelines);
    ctcd_list_unref(list);
    ctcd_run_unref(run);
    return rc;
}

START_TEST(runs) {
    PREPARE(register_it);
    every_allocation("run", run_it, true);
    known_places(run_it);
    every_place("run and decide", run_and_decide);
    PREPARE(register_it, run_and_decide);
    every_allocation("look at runs", look_at_runs, true);
}
END_TEST

static int create_schedule(void) {
    int rc;
    ctcd_pipeline *pipeline = NULL;
    ctcd_schedule *schedule = NULL;
    if (made(pipeline, ctcd_pipeline_parse(ctx, PIPELINE, NULL, &pipeline, &err)) &&
        made(schedule, ctcd_pipeline_schedule(pipeline, &schedule, &err)))
        rc = is_there(rc = ctcd_schedule_create(schedule, pipeline, NULL, &err)) ? 0 : rc;
    ctcd_schedule_unref(schedule);
    ctcd_pipeline_unref(pipeline);
    return rc;
}

static int schedule_life(void) {
    char *text = NULL;
    ctcd_schedule *found = NULL;
    ctcd_list *list = NULL;
    int64_t at = 0;
    int rc = create_schedule();
    if (!rc && made(found, ctcd_schedule_get(ctx, "digits", &found, &err)) &&
        made(list, ctcd_schedule_list(ctx, &list, &err)) &&
        done(ctcd_schedule_next(found, CTCD_TIME_NONE, &at, &err)) &&
        SHOWS(ctcd_schedule_format, found, "json", "\"every_ms\": 60000") &&
        SHOWS(ctcd_list_format, list, "yaml", "catchup: all")) {
        expect(at == HAND_WALL);
        (void)done(ctcd_schedule_delete(found, &err));
    }
    ctcd_list_unref(list);
    ctcd_schedule_unref(found);
    return rc;
}

static int create_it(ctcd_schedule *schedule, ctcd_pipeline *pipeline) {
    int rc = ctcd_schedule_create(schedule, pipeline, NULL, &err);
    return is_there(rc) ? 0 : rc;
}

/* Its zone is read from the disk, and so is the second one. */
static int cron_life(void) {
    int rc;
    char *text = NULL, when[32];
    ctcd_schedule *schedule = NULL, *found = NULL;
    ctcd_pipeline *pipeline = NULL;
    int64_t at = 0;
    if (made(schedule, ctcd_schedule_new_cron(ctx, "30 2 * * *", "Europe/Paris", "cronos", 0,
                                              &schedule, &err)) &&
        done(ctcd_schedule_set_timezone(schedule, "Asia/Tokyo", &err)) &&
        done(ctcd_schedule_set_dialect(schedule, "robfig", &err)) &&
        made(pipeline, ctcd_pipeline_parse(ctx, PIPELINE, NULL, &pipeline, &err)) &&
        done(create_it(schedule, pipeline)) &&
        made(found, ctcd_schedule_get(ctx, "digits", &found, &err)) &&
        done(ctcd_schedule_next(found, HAND_WALL, &at, &err)) &&
        done(ctcd_schedule_time(found, at, when, sizeof when, &err)) &&
        SHOWS(ctcd_schedule_format, found, "json", "Asia/Tokyo")) {
        expect(strcmp(when, "2025-11-25T02:30:00+09:00") == 0);
        (void)done(ctcd_schedule_delete(found, &err));
    }
    ctcd_pipeline_unref(pipeline);
    ctcd_schedule_unref(found);
    ctcd_schedule_unref(schedule);
    return rc;
}

/* The only fire, until nothing is left. */
static int fire(void) {
    int rc;
    ctcd_op *op = NULL;
    ctcd_list *list = NULL;
    if (made(op, ctcd_scheduler_start(ctx, CTCD_SCHEDULER_UNTIL_IDLE, &op, &err))) {
        while (ctcd_op_poll(op) == CTCD_AGAIN) {
            int64_t next = ctcd_context_deadline(ctx);
            if (!readable(ctcd_context_fd(ctx)) && next > atomic_load(&hand.mono))
                hand_move(&hand, next - atomic_load(&hand.mono));
            expect(ctcd_context_dispatch(ctx, NULL) == 0);
        }
        rc = ctcd_op_result(op, &err);
    }
    ctcd_op_unref(op);
    if (!rc && made(list, ctcd_run_list(ctx, NULL, "digits", 10, 0, &list, &err))) {
        expect(ctcd_list_count(list) == 1);
        const ctcd_run *run = ctcd_list_run(list, 0);
        expect(ctcd_run_nominal(run) == HAND_WALL);
        bool good = strcmp(ctcd_run_status(run), "completed") == 0;
        /* A run's own failure is none of the scheduler. */
        expect(good || tells_of_memory(ctcd_run_error(run)));
        excused = !good;
    }
    ctcd_list_unref(list);
    return rc;
}

START_TEST(schedules) {
    by_hand = true;
    hand.wall = HAND_WALL;
    hand.mono = HAND_MONO;
    PREPARE(register_it);
    every_allocation("a schedule's life", schedule_life, true);
    every_allocation("one by cron", cron_life, true);
    PREPARE(register_it, create_schedule);
    every_allocation("scheduler", fire, true);
    by_hand = false;
}
END_TEST

/* ---- the MLflow back end, on a stand-in server ------------------------------------------------ */

static const char *stand_in_model;

static int register_stand_in(void) {
    int rc;
    char python[4096];
    ctcd_component *component = NULL;
    stand_in_path(python);
    if (made(component, ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "mlflow", "ml",
                                           &component, &err)) &&
        done(ctcd_component_set_option(component, "python", python, &err)))
        (void)done(ctcd_component_register(component, &err));
    ctcd_component_unref(component);
    return rc;
}

static int deploy_stand_in(void) {
    int rc;
    ctcd_model_deployer *to = NULL;
    ctcd_deployment *wanted = NULL;
    ctcd_service *service = NULL;
    if (made(to, ctcd_model_deployer_get(ctx, "ml", &to, &err)) &&
        made(wanted, ctcd_deployment_new(ctx, &wanted, &err)) &&
        done(ctcd_deployment_set_model_name(wanted, "digits", &err)) &&
        done(ctcd_deployment_set_model_uri(wanted, stand_in_model, &err)) &&
        done(ctcd_deployment_set_min_ready(wanted, 0, &err)) &&
        done(ctcd_deployment_set_option(wanted, "workers", "1", &err)) &&
        done(ctcd_deployment_set_option(wanted, "environment", "A=1,B=env:PATH", &err)) &&
        made(service, ctcd_model_deployer_deploy(to, wanted, LONG_MS, &service, &err)))
        expect(strncmp(ctcd_service_url(service), "http://127.0.0.1:", 17) == 0);
    ctcd_service_unref(service);
    ctcd_deployment_unref(wanted);
    ctcd_model_deployer_unref(to);
    return rc;
}

/* It serves, and is asked everything; then it ends. */
static int serve(void) {
    char *text = NULL;
    ctcd_service *service = NULL;
    ctcd_status *status = NULL;
    int rc = deploy_stand_in();
    if (!rc)
        rc = the_service(&service);
    if (!rc && made(status, ctcd_service_observe(service, LONG_MS, &status, &err)) &&
        made(text, ctcd_service_predict(service, "[[1, 2], [3, 4]]", LONG_MS, &text, &err))) {
        expect(strcmp(text, ONES) == 0);
        ctcd_free(text);
        if (made(text,
                 ctcd_service_predict_csv(service, "a,b\n1,2\n3,4\n", LONG_MS, &text, &err))) {
            expect(strcmp(text, ONES) == 0);
            ctcd_free(text);
        }
        if (rc)
            goto end;
        expect(ctcd_status_state(status) == CTCD_STATE_ACTIVE);
        expect(property(status, "PORT") &&
               strstr(ctcd_service_url(service), property(status, "PORT")));
        if (made(text, ctcd_service_logs(service, 100, &text, &err))) {
            expect(strstr(text, "Application startup complete") != NULL);
            ctcd_free(text);
            char *cursor = NULL, *next = NULL;
            if (made(cursor, ctcd_service_logs_since(service, NULL, 1, &text, &cursor, &err))) {
                expect(strstr(text, "Application startup complete") != NULL);
                ctcd_free(text);
                if (made(next, ctcd_service_logs_since(service, cursor, 1, &text, &next, &err))) {
                    expect(!*text);
                    ctcd_free(text);
                    ctcd_free(next);
                    (void)done(ctcd_service_delete(service, 0, LONG_MS, &err));
                }
                ctcd_free(cursor);
            }
        }
    }
end:
    ctcd_status_unref(status);
    ctcd_service_unref(service);
    return rc;
}

static int pause_it(void) {
    ctcd_service *service = NULL;
    int rc = deploy_stand_in();
    if (!rc)
        rc = the_service(&service);
    if (!rc && done(ctcd_service_stop(service, LONG_MS, &err)) &&
        done(ctcd_service_start(service, LONG_MS, &err)))
        (void)done(ctcd_service_delete(service, CTCD_DELETE_FORCE, LONG_MS, &err));
    ctcd_service_unref(service);
    return rc;
}

START_TEST(a_real_server) {
    PREPARE(register_it);
    known_places(deploy_one);
    PREPARE(register_it, deploy_one);
    known_places(ask_it);
    known_places(stop_and_start);
    known_places(delete_it);
    PREPARE(register_stand_in);
    stand_in_model = a_model("1", "");
    every_place("serve", serve);
    every_place("stop and start it", pause_it);
}
END_TEST

SUITE_MAIN_WITH("api_faults", setup, teardown, opening_a_home, components_and_stacks, decisions,
                what_is_refused, deploying, living_with_a_service, ops, pipeline_files, runs,
                schedules, a_real_server)
