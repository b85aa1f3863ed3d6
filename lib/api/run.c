/* ctcd_run_*: see <ctcd/run.h>. */
#include "engine/run.h"

#include "api/gate.h"

#define LIST_MOST 100000
#define LOG_LINES_MOST 10000

static ctcd_context *ctx_of(const void *object) {
    return object ? ((const struct object *)object)->ctx : NULL;
}

CTCD_API int ctcd_run_get(ctcd_context *ctx, const char *name, ctcd_run **ret_run,
                          ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "name", name, "ret_run", ret_run, NULL);
    return gate_leave(&gate, rc ? rc : run_load(ctx, name, ret_run, err));
}

CTCD_API int ctcd_run_list(ctcd_context *ctx, const char *pipeline, const char *schedule,
                           int64_t limit, int64_t offset, ctcd_list **ret_list, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    if (!ret_list)
        rc = gate_missing(&gate, "ret_list");
    else if (limit < 1 || limit > LIST_MOST || offset < 0)
        rc = gate_invalid(&gate, "the limit must be 1 to %d, the offset 0 or more", LIST_MOST);
    else
        rc = run_list(ctx, pipeline, schedule, limit, offset, ret_list, err);
    return gate_leave(&gate, rc);
}

CTCD_API ctcd_run *ctcd_run_ref(ctcd_run *run) {
    return object_ref(run);
}

CTCD_API ctcd_run *ctcd_run_unref(ctcd_run *run) {
    return object_unref(run);
}

/* ---- the record ---- */

CTCD_API const char *ctcd_run_uuid(const ctcd_run *run) {
    return run ? run->record.uuid : "";
}

CTCD_API const char *ctcd_run_name(const ctcd_run *run) {
    return run ? run->record.name : "";
}

CTCD_API const char *ctcd_run_pipeline(const ctcd_run *run) {
    return run ? run->record.pipeline : "";
}

CTCD_API const char *ctcd_run_schedule(const ctcd_run *run) {
    return run ? run->record.schedule : "";
}

CTCD_API const char *ctcd_run_status(const ctcd_run *run) {
    return run ? run_status(run) : "";
}

CTCD_API const char *ctcd_run_next(const ctcd_run *run) {
    return run ? run->next : "";
}

CTCD_API const char *ctcd_run_error(const ctcd_run *run) {
    return run ? run->record.error : "";
}

CTCD_API int64_t ctcd_run_nominal(const ctcd_run *run) {
    return run ? run->record.nominal_ms : CTCD_TIME_NONE;
}

CTCD_API int64_t ctcd_run_started(const ctcd_run *run) {
    return run ? run->record.started_ms : CTCD_TIME_NONE;
}

CTCD_API int64_t ctcd_run_ended(const ctcd_run *run) {
    return run ? run->record.ended_ms : CTCD_TIME_NONE;
}

/* ---- its steps ---- */

static const struct run_step *step_at(const ctcd_run *run, size_t index) {
    return run && index < run->step_count ? &run->steps[index] : NULL;
}

/* Its last attempt, or NULL before the first. */
static const struct store_step *attempt_at(const ctcd_run *run, size_t index) {
    const struct run_step *step = step_at(run, index);
    return step && step->last.name ? &step->last : NULL;
}

CTCD_API size_t ctcd_run_step_count(const ctcd_run *run) {
    return run ? run->step_count : 0;
}

CTCD_API const char *ctcd_run_step_name(const ctcd_run *run, size_t index) {
    const struct run_step *step = step_at(run, index);
    return step ? step->name : NULL;
}

CTCD_API const char *ctcd_run_step_status(const ctcd_run *run, size_t index) {
    const struct store_step *attempt = attempt_at(run, index);
    return attempt               ? store_step_status_name(attempt->status)
           : step_at(run, index) ? "pending"
                                 : NULL;
}

CTCD_API const char *ctcd_run_step_error(const ctcd_run *run, size_t index) {
    const struct store_step *attempt = attempt_at(run, index);
    return attempt ? attempt->error : step_at(run, index) ? "" : NULL;
}

CTCD_API int64_t ctcd_run_step_attempts(const ctcd_run *run, size_t index) {
    const struct store_step *attempt = attempt_at(run, index);
    return attempt ? attempt->attempt : 0;
}

CTCD_API const char *ctcd_run_step_outputs(const ctcd_run *run, size_t index) {
    const struct run_step *step = step_at(run, index);
    return step ? step->outputs : NULL;
}

CTCD_API int ctcd_run_step_number(const ctcd_run *run, size_t index, size_t number,
                                  const char **ret_name, double *ret_value) {
    const struct run_step *step = step_at(run, index);
    if (!step || number >= step->number_count)
        return CTCD_NONE;
    if (ret_name)
        *ret_name = step->numbers[number].name;
    if (ret_value)
        *ret_value = step->numbers[number].value;
    return 0;
}

CTCD_API int64_t ctcd_run_step_started(const ctcd_run *run, size_t index) {
    const struct store_step *attempt = attempt_at(run, index);
    return attempt ? attempt->started_ms : CTCD_TIME_NONE;
}

CTCD_API int64_t ctcd_run_step_ended(const ctcd_run *run, size_t index) {
    const struct store_step *attempt = attempt_at(run, index);
    return attempt ? attempt->ended_ms : CTCD_TIME_NONE;
}

CTCD_API ctcd_decision *ctcd_run_step_decision(const ctcd_run *run, size_t index) {
    const struct run_step *step = step_at(run, index);
    return step ? step->decision : NULL;
}

CTCD_API int ctcd_run_format(const ctcd_run *run, const char *format, char **ret_text,
                             ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(run), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", format, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : object_format(run, format, ret_text, err));
}

CTCD_API int ctcd_run_logs(ctcd_run *run, const char *step, int64_t lines, char **ret_text,
                           ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(run), err);
    if (rc)
        return rc;
    if (!ret_text)
        rc = gate_missing(&gate, "ret_text");
    else if (lines < 1 || lines > LOG_LINES_MOST)
        rc = gate_invalid(&gate, "the number of lines must be 1 to %d", LOG_LINES_MOST);
    else
        rc = run_logs(run, step, lines, ret_text, err);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_run_logs_since(ctcd_run *run, const char *step, const char *cursor, int64_t lines,
                                 char **ret_text, char **ret_cursor, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(run), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "ret_text", ret_text, "ret_cursor", ret_cursor, NULL);
    if (!rc)
        rc = gate_optional_text(&gate, "cursor", cursor);
    if (!rc && !cursor && (lines < 0 || lines > LOG_LINES_MOST))
        rc = gate_invalid(&gate, "the number of lines must be 0 to %d", LOG_LINES_MOST);
    if (!rc)
        rc = run_logs_since(run, step, cursor, lines, ret_text, ret_cursor, err);
    return gate_leave(&gate, rc);
}

/* ---- changing it ---- */

#define CANCEL_TIMEOUT_MS 60000

static int begin_cancel(struct gate *gate, ctcd_run *run, int64_t timeout_ms, ctcd_op **ret) {
    int rc = gate_timeout(gate, &timeout_ms, CANCEL_TIMEOUT_MS, true);
    if (!rc)
        rc = run_cancel_new(run, timeout_ms ? timeout_ms : CANCEL_TIMEOUT_MS, ret, gate->err);
    if (!rc)
        op_start(*ret, NULL);
    return rc;
}

CTCD_API int ctcd_run_cancel(ctcd_run *run, int64_t timeout_ms, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(run), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = timeout_ms == 0 ? 0 : gate_wait_for_run(&gate);
    if (!rc)
        rc = begin_cancel(&gate, run, timeout_ms, &op);
    if (!rc && timeout_ms != 0)
        rc = op_wait(op, -1, err);
    op_unref(op);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_run_cancel_begin(ctcd_run *run, int64_t timeout_ms, ctcd_op **ret_op,
                                   ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(run), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = ret_op ? begin_cancel(&gate, run, timeout_ms, &op) : gate_missing(&gate, "ret_op");
    if (!rc)
        *ret_op = op_publish(op);
    return gate_leave(&gate, rc);
}

static int begin_retry(struct gate *gate, ctcd_run *run, int64_t timeout_ms, ctcd_op **ret) {
    int rc = gate_timeout(gate, &timeout_ms, RUN_TIMEOUT_MS, false);
    if (!rc)
        rc = run_retry_new(run, timeout_ms, ret, gate->err);
    if (!rc)
        op_start(*ret, NULL);
    return rc;
}

CTCD_API int ctcd_run_retry(ctcd_run *run, int64_t timeout_ms, ctcd_run **ret_run,
                            ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(run), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = gate_wait_for_run(&gate);
    if (!rc)
        rc = begin_retry(&gate, run, timeout_ms, &op);
    if (!rc)
        rc = op_wait(op, -1, err);
    ctcd_run *ended = op ? op_hand_out(op, OP_RUN) : NULL;
    if (ret_run && ended)
        *ret_run = ended; /* also with an error, as ctcd_pipeline_run() */
    else
        object_unref(ended);
    op_unref(op);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_run_retry_begin(ctcd_run *run, int64_t timeout_ms, ctcd_op **ret_op,
                                  ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(run), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = ret_op ? begin_retry(&gate, run, timeout_ms, &op) : gate_missing(&gate, "ret_op");
    if (!rc)
        *ret_op = op_publish(op);
    return gate_leave(&gate, rc);
}
