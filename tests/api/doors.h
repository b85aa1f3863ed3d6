/* Every way into a context, so that a suite can try all of them where none may open: from another thread, in a forked
   child, inside a back end. Called by test_threads.c and test_fork.c. Header only.

   It runs where check's own assertions cannot be used: what is wrong is written to stderr and counted. */
#ifndef CTCD_TESTS_DOORS_H
#define CTCD_TESTS_DOORS_H

#include "fake.h"

/* One object of each kind, of one context. */
struct things {
    ctcd_context *context;
    ctcd_component *component;
    ctcd_stack *stack;
    ctcd_model_deployer *deployer;
    ctcd_deployment *deployment;
    ctcd_service *service;
    ctcd_list *services;
    ctcd_status *status;
    ctcd_op *running, *ended;
    ctcd_pipeline *pipeline;
    ctcd_schedule *schedule;
    ctcd_run *run;
};

static inline int things_for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

/* Of the context of fake.h. The op `running` waits in predict; `ended` looked at services. */
static inline void things_make(struct things *t) {
    memset(t, 0, sizeof *t);
    t->context = ctx;
    t->deployer = deployer;
    t->service = fake_deploy("digits", "here");
    ok(ctcd_component_get(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &t->component, &err));
    ok(ctcd_stack_get(ctx, NULL, &t->stack, &err));
    t->deployment = fake_want("letters", "there");
    t->services = fake_services();
    ok(ctcd_service_observe(t->service, LONG_MS, &t->status, &err));
    ok(ctcd_pipeline_parse(ctx, "pipeline: p\nsteps:\n  a: {command: [\"true\"]}\n", NULL,
                           &t->pipeline, &err));
    ok(ctcd_schedule_new_interval(ctx, 60000, &t->schedule, &err));
    ok(ctcd_pipeline_run(t->pipeline, LONG_MS, &t->run, &err));
    t->ended = fake_observe_begin(LONG_MS);
    ok(ctcd_op_wait(t->ended, LONG_MS, &err));
    fake_hook before = fake.hook[FAKE_PREDICT];
    fake.hook[FAKE_PREDICT] = things_for_ever;
    ok(ctcd_service_predict_begin(t->service, "[[1]]", LONG_MS, &t->running, &err));
    settle(ctx);
    fake.hook[FAKE_PREDICT] = before;
}

/* All but context and deployer, which are the fixture's. */
static inline void things_drop(struct things *t) {
    ctcd_op_unref(t->running);
    ctcd_op_unref(t->ended);
    ctcd_run_unref(t->run);
    ctcd_schedule_unref(t->schedule);
    ctcd_pipeline_unref(t->pipeline);
    ctcd_status_unref(t->status);
    ctcd_list_unref(t->services);
    ctcd_service_unref(t->service);
    ctcd_deployment_unref(t->deployment);
    ctcd_stack_unref(t->stack);
    ctcd_component_unref(t->component);
}

/* One knock: the code that comes back, and the error's. 1 = wrong. */
static inline int door(const char *call, int rc, int expected, ctcd_error *why, bool has_error) {
    bool right = rc == expected;
    if (has_error)
        right = right && why && ctcd_error_code(why) == expected && ctcd_error_message(why)[0];
    if (!right)
        (void)fprintf(stderr, "%s gave %s (%s), not %s\n", call, ctcd_code_name(rc),
                      ctcd_error_message(why), ctcd_code_name(expected));
    ctcd_error_unref(why);
    return !right;
}

#define KNOCK(call)                                                                                \
    do {                                                                                           \
        ctcd_error *e = NULL;                                                                      \
        int knock_rc = (call);                                                                     \
        wrong += door(#call, knock_rc, expected, e, true);                                         \
        knocks++;                                                                                  \
    } while (0)
#define KNOCK_PLAIN(call)                                                                          \
    do {                                                                                           \
        wrong += door(#call, (call), expected, NULL, false);                                       \
        knocks++;                                                                                  \
    } while (0)

static inline int doors_of_context(const struct things *t, int expected, int *ret_knocks) {
    int wrong = 0, knocks = 0;
    ctcd_context *c = t->context;
    ctcd_list *list = NULL;
    ctcd_op *op = NULL;
    ctcd_model_deployer_vtable table = fake_table();
    table.flavor = "another";
    KNOCK(ctcd_context_set_home(c, "/nowhere", &e));
    KNOCK(ctcd_context_open(c, &e));
    KNOCK(ctcd_context_set_log(c, CTCD_LOG_INFO, NULL, NULL, NULL, &e));
    KNOCK(ctcd_context_set_clock(c, NULL, NULL, NULL, &e));
    KNOCK(ctcd_context_dispatch(c, &e));
    KNOCK(ctcd_context_wait(c, 1, &e));
    KNOCK(ctcd_context_register_deployer(c, &table, NULL, NULL, &e));
    KNOCK_PLAIN(ctcd_context_fd(c));
    KNOCK(ctcd_op_wait(t->running, 1, &e));
    KNOCK(ctcd_op_result(t->ended, &e));
    KNOCK(ctcd_op_set_done(t->running, NULL, NULL, NULL, &e));
    KNOCK(ctcd_op_set_progress(t->running, NULL, NULL, NULL, &e));
    KNOCK(ctcd_op_take_list(t->ended, &list, &e));
    KNOCK_PLAIN(ctcd_op_poll(t->running));
    KNOCK(ctcd_scheduler_start(c, 0, &op, &e));
    wrong += ctcd_context_deadline(c) != INT64_MAX;
    wrong += list || op;
    *ret_knocks += knocks;
    return wrong;
}

static inline int doors_of_components(const struct things *t, int expected, int *ret_knocks) {
    int wrong = 0, knocks = 0;
    ctcd_context *c = t->context;
    ctcd_component *component = NULL;
    ctcd_stack *stack = NULL;
    ctcd_list *list = NULL;
    char *text = NULL;
    KNOCK(ctcd_component_new(c, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", "x", &component, &e));
    KNOCK(ctcd_component_set_option(t->component, "a", "b", &e));
    KNOCK(ctcd_component_register(t->component, &e));
    KNOCK(ctcd_component_get(c, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &component, &e));
    KNOCK(ctcd_component_list(c, CTCD_COMPONENT_MODEL_DEPLOYER, &list, &e));
    KNOCK(ctcd_component_delete(t->component, &e));
    KNOCK(ctcd_component_format(t->component, "json", &text, &e));
    KNOCK(ctcd_stack_new(c, "x", &stack, &e));
    KNOCK(ctcd_stack_set_component(t->stack, CTCD_COMPONENT_ORCHESTRATOR, "default", &e));
    KNOCK(ctcd_stack_register(t->stack, &e));
    KNOCK(ctcd_stack_get(c, NULL, &stack, &e));
    KNOCK(ctcd_stack_list(c, &list, &e));
    KNOCK(ctcd_stack_activate(t->stack, &e));
    KNOCK(ctcd_stack_format(t->stack, "json", &text, &e));
    KNOCK(ctcd_list_format(t->services, "json", &text, &e));
    wrong += component || stack || list || text;
    *ret_knocks += knocks;
    return wrong;
}

static inline int doors_of_deploying(const struct things *t, int expected, int *ret_knocks) {
    int wrong = 0, knocks = 0;
    ctcd_model_deployer *found = NULL;
    ctcd_deployment *made = NULL, *d = t->deployment;
    ctcd_service *service = NULL;
    ctcd_op *op = NULL;
    KNOCK(ctcd_model_deployer_get(t->context, "ml", &found, &e));
    KNOCK(ctcd_deployment_new(t->context, &made, &e));
    KNOCK(ctcd_deployment_set_model_name(d, "x", &e));
    KNOCK(ctcd_deployment_set_model_uri(d, "x", &e));
    KNOCK(ctcd_deployment_set_origin(d, "x", "y", "z", &e));
    KNOCK(ctcd_deployment_set_option(d, "x", "y", &e));
    KNOCK(ctcd_deployment_set_metrics(d, "{}", &e));
    KNOCK(ctcd_deployment_set_smoke(d, "[[1]]", &e));
    KNOCK(ctcd_deployment_set_min_ready(d, 1, &e));
    KNOCK(ctcd_deployment_set_replace(d, 0, &e));
    KNOCK(ctcd_deployment_set_on_failure(d, "leave", &e));
    KNOCK(ctcd_deployment_set_restart(d, "always", &e));
    KNOCK(ctcd_model_deployer_deploy(t->deployer, d, 10, &service, &e));
    KNOCK(ctcd_model_deployer_deploy_begin(t->deployer, d, 10, &op, &e));
    KNOCK(ctcd_model_deployer_validate(t->deployer, d, 10, &e));
    KNOCK(ctcd_model_deployer_incumbent(t->deployer, d, &service, &e));
    wrong += found || made || service || op;
    *ret_knocks += knocks;
    return wrong;
}

static inline int doors_of_services(const struct things *t, int expected, int *ret_knocks) {
    int wrong = 0, knocks = 0;
    ctcd_service *s = t->service, *found = NULL;
    ctcd_status *status = NULL;
    ctcd_list *list = NULL;
    ctcd_op *op = NULL;
    char *text = NULL, *cursor = NULL;
    KNOCK(ctcd_service_get(t->context, ctcd_service_uuid(s), &found, &e));
    KNOCK(ctcd_service_find(t->context, NULL, NULL, NULL, NULL, &list, &e));
    KNOCK(ctcd_service_format(s, "json", &text, &e));
    KNOCK(ctcd_service_find_page(t->context, NULL, NULL, NULL, NULL, NULL, NULL, 1, &list, &e));
    KNOCK(ctcd_list_select(t->services, 0, 1, &list, &e));
    KNOCK(ctcd_service_observe(s, 10, &status, &e));
    KNOCK(ctcd_list_observe(t->services, 10, &list, &e));
    KNOCK(ctcd_list_observe_begin(t->services, 10, &op, &e));
    KNOCK(ctcd_status_format(t->status, "json", &text, &e));
    KNOCK(ctcd_service_start(s, 10, &e));
    KNOCK(ctcd_service_start_begin(s, 10, &op, &e));
    KNOCK(ctcd_service_stop(s, 10, &e));
    KNOCK(ctcd_service_stop_begin(s, 10, &op, &e));
    KNOCK(ctcd_service_delete(s, 0, 10, &e));
    KNOCK(ctcd_service_delete_begin(s, 0, 10, &op, &e));
    KNOCK(ctcd_service_predict(s, "[[1]]", 10, &text, &e));
    KNOCK(ctcd_service_predict_begin(s, "[[1]]", 10, &op, &e));
    KNOCK(ctcd_service_predict_csv(s, "a\n1\n", 10, &text, &e));
    KNOCK(ctcd_service_predict_csv_begin(s, "a\n1\n", 10, &op, &e));
    KNOCK(ctcd_service_logs(s, 10, &text, &e));
    KNOCK(ctcd_service_logs_since(s, NULL, 10, &text, &cursor, &e));
    wrong += found || list || op || status || text || cursor;
    *ret_knocks += knocks;
    return wrong;
}

static inline int doors_of_pipelines(const struct things *t, int expected, int *ret_knocks) {
    int wrong = 0, knocks = 0;
    ctcd_context *c = t->context;
    ctcd_pipeline *pipeline = NULL;
    ctcd_schedule *schedule = NULL;
    ctcd_run *run = NULL;
    ctcd_list *list = NULL;
    ctcd_op *op = NULL;
    char *text = NULL, *cursor = NULL, zoned[32] = "";
    int64_t when = 0;
    KNOCK(ctcd_pipeline_load(c, "/nowhere", &pipeline, &e));
    KNOCK(ctcd_pipeline_parse(c, "pipeline: p", NULL, &pipeline, &e));
    KNOCK(ctcd_pipeline_set_param(t->pipeline, "a", "b", &e));
    KNOCK(ctcd_pipeline_schedule(t->pipeline, &schedule, &e));
    KNOCK(ctcd_pipeline_list(c, &list, &e));
    KNOCK(ctcd_pipeline_format(t->pipeline, "json", &text, &e));
    KNOCK(ctcd_pipeline_run(t->pipeline, 10, &run, &e));
    KNOCK(ctcd_pipeline_run_begin(t->pipeline, 10, &op, &e));
    KNOCK(ctcd_run_get(c, "x", &run, &e));
    KNOCK(ctcd_run_list(c, NULL, NULL, 10, 0, &list, &e));
    KNOCK(ctcd_run_format(t->run, "json", &text, &e));
    KNOCK(ctcd_run_logs(t->run, NULL, 10, &text, &e));
    KNOCK(ctcd_run_logs_since(t->run, NULL, NULL, 10, &text, &cursor, &e));
    KNOCK(ctcd_schedule_new_interval(c, 1000, &schedule, &e));
    KNOCK(ctcd_schedule_new_cron(c, "@daily", NULL, NULL, 0, &schedule, &e));
    KNOCK(ctcd_schedule_set_timezone(t->schedule, "UTC", &e));
    KNOCK(ctcd_schedule_set_dialect(t->schedule, "vixie", &e));
    KNOCK(ctcd_schedule_set_window(t->schedule, 0, 1000, 0, &e));
    KNOCK(ctcd_schedule_set_catchup(t->schedule, "all", &e));
    KNOCK(ctcd_schedule_set_overlap(t->schedule, "skip", &e));
    KNOCK(ctcd_schedule_next(t->schedule, 0, &when, &e));
    KNOCK(ctcd_schedule_previous(t->schedule, 0, &when, &e));
    KNOCK(ctcd_schedule_time(t->schedule, 0, zoned, sizeof zoned, &e));
    KNOCK(ctcd_schedule_create(t->schedule, t->pipeline, NULL, &e));
    KNOCK(ctcd_schedule_get(c, "x", &schedule, &e));
    KNOCK(ctcd_schedule_list(c, &list, &e));
    KNOCK(ctcd_schedule_delete(t->schedule, &e));
    KNOCK(ctcd_schedule_format(t->schedule, "json", &text, &e));
    wrong += pipeline || schedule || run || list || op || text || cursor || when || zoned[0];
    *ret_knocks += knocks;
    return wrong;
}

/* What needs no door, and is open always. */
static inline int no_doors(const struct things *t) {
    int wrong = 0;
    wrong += strcmp(ctcd_service_model(t->service), "digits") != 0;
    wrong += strcmp(ctcd_status_message(t->status), "the fake looked") != 0;
    wrong += ctcd_list_count(t->services) != 1;
    wrong += strcmp(ctcd_run_status(t->run), "completed") != 0;
    wrong += strcmp(ctcd_pipeline_name(t->pipeline), "p") != 0;
    wrong += ctcd_schedule_every(t->schedule) != 60000;
    wrong += strcmp(ctcd_component_name(t->component), "ml") != 0;
    wrong += strcmp(ctcd_model_deployer_name(t->deployer), "ml") != 0;
    return wrong;
}

/* How many of them do not give this code, or give anything out? 0 = all is well. */
static inline int doors(const struct things *t, int expected, int *ret_knocks) {
    *ret_knocks = 0;
    return doors_of_context(t, expected, ret_knocks) +
           doors_of_components(t, expected, ret_knocks) +
           doors_of_deploying(t, expected, ret_knocks) +
           doors_of_services(t, expected, ret_knocks) + doors_of_pipelines(t, expected, ret_knocks);
}

#define DOORS 95

#endif
