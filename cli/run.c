/* Runs: list, describe, logs, cancel, retry; and the table of a run's steps, which `pipeline run` ends with. */
#include <stdlib.h>
#include <string.h>

#include "output.h"

/* The decision that the run made, or NULL. */
static const ctcd_decision *decision_of(const ctcd_run *run) {
    for (size_t i = 0; i < ctcd_run_step_count(run); i++)
        if (ctcd_run_step_decision(run, i))
            return ctcd_run_step_decision(run, i);
    return NULL;
}

static const char *verdict_of(const ctcd_decision *decision) {
    return decision ? ctcd_decision_verdict_name(decision) : "";
}

static void print_steps(const ctcd_run *run) {
    char *title = text_of("Steps of %s", ctcd_run_name(run));
    struct table *table = table_new(
        title, (const char *const[]){"STEP", "STATUS", "DURATION", "DECISION", "REASONS", NULL});
    for (size_t i = 0; i < ctcd_run_step_count(run); i++) {
        const ctcd_decision *decision = ctcd_run_step_decision(run, i);
        char *duration = span_text(ctcd_run_step_started(run, i), ctcd_run_step_ended(run, i));
        const char *why = decision ? ctcd_decision_reasons(decision) : ctcd_run_step_error(run, i);
        table_row(table,
                  (const char *const[]){ctcd_run_step_name(run, i), ctcd_run_step_status(run, i),
                                        duration, verdict_of(decision), why});
        free(duration);
    }
    table_print(table);
    free(title);
}

int print_run(struct request *req, const ctcd_run *run, ctcd_error **err) {
    if (output_format(req)) {
        char *text = NULL;
        int rc = ctcd_run_format(run, output_format(req), &text, err);
        return print_text(rc, text);
    }
    print_steps(run);
    return 0;
}

int cmd_run_list(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int64_t limit = 50;
    int rc = option_count(req, "limit", &limit);
    if (!rc)
        rc = ctcd_run_list(req->ctx, option(req, "pipeline"), option(req, "schedule"), limit, 0,
                           &list, err);
    if (rc)
        return rc;
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_list_format(list, output_format(req), &text, err);
        return print_text(rc, text);
    }
    /* The name says the pipeline and the start; with both besides, no window would be wide enough. */
    struct table *table =
        table_new(NULL, (const char *const[]){"STATUS", "NAME", "SCHEDULE", "NOMINAL", "DURATION",
                                              "DECISION", NULL});
    static const char *const less[] = {"SCHEDULE", "NOMINAL", "DURATION", NULL};
    table_optional(table, less);
    for (size_t i = 0; i < ctcd_list_count(list); i++) {
        const ctcd_run *run = ctcd_list_run(list, i);
        char *nominal = time_text(ctcd_run_nominal(run));
        char *duration = span_text(ctcd_run_started(run), ctcd_run_ended(run));
        table_row(table, (const char *const[]){ctcd_run_status(run), ctcd_run_name(run),
                                               ctcd_run_schedule(run), nominal, duration,
                                               verdict_of(decision_of(run))});
        free(nominal);
        free(duration);
    }
    table_print(table);
    return 0;
}

static void print_record(const ctcd_run *run) {
    char *title = text_of("Properties of Run %s", ctcd_run_name(run));
    struct table *table = table_new(title, (const char *const[]){"RUN PROPERTY", "VALUE", NULL});
    char *nominal = time_text(ctcd_run_nominal(run));
    char *started = time_text(ctcd_run_started(run));
    char *ended = time_text(ctcd_run_ended(run));
    table_headless(table);
    if (*ctcd_run_error(run))
        table_property(table, "ERROR", ctcd_run_error(run));
    table_property(table, "ENDED", ended);
    table_property(table, "NAME", ctcd_run_name(run));
    if (*ctcd_run_next(run))
        table_property(table, "NEXT", ctcd_run_next(run));
    table_property(table, "NOMINAL", nominal);
    table_property(table, "PIPELINE", ctcd_run_pipeline(run));
    table_property(table, "SCHEDULE", ctcd_run_schedule(run));
    table_property(table, "STARTED", started);
    table_property(table, "STATUS", ctcd_run_status(run));
    table_property(table, "UUID", ctcd_run_uuid(run));
    table_print(table);
    free(nominal);
    free(started);
    free(ended);
    free(title);
}

int cmd_run_describe(struct request *req, ctcd_error **err) {
    _drop_(run) ctcd_run *run = NULL;
    int rc = ctcd_run_get(req->ctx, argument(req, 0), &run, err);
    if (rc || output_format(req))
        return rc ? rc : print_run(req, run, err);
    print_record(run);
    if (!on_terminal())
        putchar('\n');
    print_steps(run);
    return 0;
}

int cmd_run_logs(struct request *req, ctcd_error **err) {
    _drop_(run) ctcd_run *run = NULL;
    int64_t lines;
    char *text = NULL;
    int rc = line_count(req, &lines);
    if (!rc)
        rc = ctcd_run_get(req->ctx, argument(req, 0), &run, err);
    if (!rc && option(req, "follow"))
        return follow_run(req, run, lines, err);
    if (!rc)
        rc = ctcd_run_logs(run, option(req, "step"), lines, &text, err);
    return print_text(rc, text);
}

int cmd_run_cancel(struct request *req, ctcd_error **err) {
    _drop_(run) ctcd_run *run = NULL;
    _drop_(op) ctcd_op *op = NULL;
    int64_t timeout_ms = -1;
    int rc = wait_time(req, &timeout_ms);
    if (!rc)
        rc = ctcd_run_get(req->ctx, argument(req, 0), &run, err);
    if (rc)
        return rc;
    catch_signals();
    rc = ctcd_run_cancel_begin(run, timeout_ms, &op, err);
    if (!rc && timeout_ms == 0) {
        printf("Asked the run %s to end.\n", ctcd_run_name(run));
        background_leave(0);
    }
    if (!rc)
        rc = wait_for(req, op, PROGRESS_TERMINAL, err);
    if (rc || timeout_ms == 0)
        return rc;
    _drop_(run) ctcd_run *after = NULL;
    rc = ctcd_run_get(req->ctx, ctcd_run_uuid(run), &after, err);
    if (rc || output_format(req))
        return rc ? rc : print_run(req, after, err);
    printf("Cancelled the run %s.\n", ctcd_run_name(run));
    return 0;
}

int cmd_run_retry(struct request *req, ctcd_error **err) {
    _drop_(run) ctcd_run *run = NULL, *after = NULL;
    _drop_(op) ctcd_op *op = NULL;
    int64_t timeout_ms = -1;
    int rc = option_duration(req, "timeout", &timeout_ms);
    if (!rc)
        rc = ctcd_run_get(req->ctx, argument(req, 0), &run, err);
    if (rc)
        return rc;
    catch_signals();
    rc = ctcd_run_retry_begin(run, timeout_ms, &op, err);
    if (rc)
        return rc;
    rc = wait_for(req, op, PROGRESS_LINES, err);
    if (ctcd_op_take_run(op, &after, NULL) != 0)
        return rc;
    int printed = print_run(req, after, rc ? NULL : err);
    return rc ? rc : printed;
}
