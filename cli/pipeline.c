/* Pipeline files: run, validate, describe, list. */
#include <stdlib.h>

#include "output.h"

int load_pipeline(struct request *req, ctcd_pipeline **ret_pipeline, ctcd_error **err) {
    _drop_(pipeline) ctcd_pipeline *pipeline = NULL;
    int rc = ctcd_pipeline_load(req->ctx, argument(req, 0), &pipeline, err);
    size_t cursor = 0;
    for (const char *pair; !rc && (pair = option_next(req, "param", &cursor));) {
        char *name = NULL;
        const char *value;
        rc = split_pair("param", pair, &name, &value);
        if (!rc)
            rc = ctcd_pipeline_set_param(pipeline, name, value, err);
        free(name);
    }
    if (!rc)
        *ret_pipeline = ctcd_pipeline_ref(pipeline);
    return rc;
}

int cmd_pipeline_run(struct request *req, ctcd_error **err) {
    _drop_(pipeline) ctcd_pipeline *pipeline = NULL;
    _drop_(run) ctcd_run *run = NULL;
    _drop_(op) ctcd_op *op = NULL;
    int64_t timeout_ms = -1, jobs = 0;
    int rc = option_duration(req, "timeout", &timeout_ms);
    if (!rc)
        rc = option_count(req, "jobs", &jobs);
    if (!rc)
        rc = load_pipeline(req, &pipeline, err);
    if (!rc && option(req, "jobs"))
        rc = ctcd_pipeline_set_jobs(pipeline, jobs, err);
    if (rc)
        return rc;
    catch_signals();
    rc = ctcd_pipeline_run_begin(pipeline, timeout_ms, &op, err);
    if (rc)
        return rc;
    rc = wait_for(req, op, PROGRESS_LINES, err);
    if (ctcd_op_take_run(op, &run, NULL) != 0)
        return rc;
    int printed = print_run(req, run, rc ? NULL : err);
    return rc ? rc : printed;
}

/* Does this machine know the schedule's time zone? (That its end may lie in the past is no fault of a file.) */
static int check_schedule(ctcd_pipeline *pipeline, ctcd_error **err) {
    _drop_(schedule) ctcd_schedule *schedule = NULL;
    int rc = ctcd_pipeline_schedule(pipeline, &schedule, err);
    if (rc == CTCD_NONE || rc == CTCD_E_INVALID) {
        *err = ctcd_error_unref(*err);
        rc = 0;
    }
    return rc;
}

int cmd_pipeline_validate(struct request *req, ctcd_error **err) {
    _drop_(pipeline) ctcd_pipeline *pipeline = NULL;
    int rc = load_pipeline(req, &pipeline, err);
    if (!rc)
        rc = check_schedule(pipeline, err);
    if (rc)
        return rc;
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_pipeline_format(pipeline, output_format(req), &text, err);
        return print_text(rc, text);
    }
    size_t steps = ctcd_pipeline_step_count(pipeline);
    printf("The pipeline %s with %zu step%s is right.\n", ctcd_pipeline_name(pipeline), steps,
           steps == 1 ? "" : "s");
    return 0;
}

int cmd_pipeline_describe(struct request *req, ctcd_error **err) {
    _drop_(pipeline) ctcd_pipeline *pipeline = NULL;
    int rc = load_pipeline(req, &pipeline, err);
    if (rc)
        return rc;
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_pipeline_format(pipeline, output_format(req), &text, err);
        return print_text(rc, text);
    }
    char *title = text_of("Steps of the pipeline %s", ctcd_pipeline_name(pipeline));
    struct table *table = table_new(title, (const char *const[]){"STEP", "KIND", NULL});
    for (size_t i = 0; i < ctcd_pipeline_step_count(pipeline); i++)
        table_row(table, (const char *const[]){ctcd_pipeline_step_name(pipeline, i),
                                               ctcd_pipeline_step_kind(pipeline, i)});
    table_print(table);
    free(title);
    return 0;
}

int cmd_pipeline_list(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int rc = ctcd_pipeline_list(req->ctx, &list, err);
    if (rc)
        return rc;
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_list_format(list, output_format(req), &text, err);
        return print_text(rc, text);
    }
    int problems = 0;
    for (size_t i = 0; i < ctcd_list_count(list); i++)
        problems += ctcd_pipeline_problem(ctcd_list_pipeline(list, i)) != NULL;
    const char *columns[] = {"NAME", "STEPS", problems ? "PROBLEM" : NULL, NULL};
    struct table *table = table_new(NULL, columns);
    for (size_t i = 0; i < ctcd_list_count(list); i++) {
        const ctcd_pipeline *pipeline = ctcd_list_pipeline(list, i);
        const char *problem = ctcd_pipeline_problem(pipeline);
        char *steps = problem ? text_of("-") : text_of("%zu", ctcd_pipeline_step_count(pipeline));
        table_row(table, (const char *const[]){ctcd_pipeline_name(pipeline), steps, problem});
        free(steps);
    }
    table_print(table);
    return 0;
}
