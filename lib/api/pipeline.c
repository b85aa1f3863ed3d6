/* ctcd_pipeline_*: see <ctcd/pipeline.h> and, for running one, <ctcd/run.h>. */
#include "engine/pipeline.h"

#include "api/gate.h"
#include "engine/run.h"
#include "engine/schedule.h"
#include "engine/zones.h"

static ctcd_context *ctx_of(const void *object) {
    return object ? ((const struct object *)object)->ctx : NULL;
}

CTCD_API int ctcd_pipeline_load(ctcd_context *ctx, const char *path, ctcd_pipeline **ret_pipeline,
                                ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "path", path, "ret_pipeline", ret_pipeline, NULL);
    return gate_leave(&gate, rc ? rc : pipeline_load(ctx, path, ret_pipeline, err));
}

CTCD_API int ctcd_pipeline_parse(ctcd_context *ctx, const char *text, const char *folder,
                                 ctcd_pipeline **ret_pipeline, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "text", text, "ret_pipeline", ret_pipeline, NULL);
    return gate_leave(&gate,
                      rc ? rc : pipeline_parse(ctx, text, "pipeline", folder, ret_pipeline, err));
}

CTCD_API ctcd_pipeline *ctcd_pipeline_ref(ctcd_pipeline *pipeline) {
    return object_ref(pipeline);
}

CTCD_API ctcd_pipeline *ctcd_pipeline_unref(ctcd_pipeline *pipeline) {
    return object_unref(pipeline);
}

CTCD_API int ctcd_pipeline_set_jobs(ctcd_pipeline *pipeline, int64_t jobs, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(pipeline), err);
    if (rc)
        return rc;
    if (jobs < 1 || jobs > SPEC_MAX_JOBS)
        rc = gate_invalid(&gate, "jobs must be a number from 1 to %d", SPEC_MAX_JOBS);
    else
        pipeline->spec.jobs = jobs;
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_pipeline_set_param(ctcd_pipeline *pipeline, const char *name, const char *value,
                                     ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(pipeline), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "name", name);
    if (!rc)
        rc = gate_text(&gate, "value", value);
    return gate_leave(&gate, rc ? rc : pipeline_set_param(pipeline, name, value, err));
}

CTCD_API const char *ctcd_pipeline_name(const ctcd_pipeline *pipeline) {
    return pipeline ? pipeline->spec.name : "";
}

CTCD_API const char *ctcd_pipeline_problem(const ctcd_pipeline *pipeline) {
    return pipeline ? pipeline->problem : NULL;
}

CTCD_API size_t ctcd_pipeline_step_count(const ctcd_pipeline *pipeline) {
    return pipeline ? pipeline->spec.step_count : 0;
}

static const struct step_spec *step_at(const ctcd_pipeline *pipeline, size_t index) {
    return pipeline && index < pipeline->spec.step_count
               ? &pipeline->spec.steps[pipeline->order[index]]
               : NULL;
}

CTCD_API const char *ctcd_pipeline_step_name(const ctcd_pipeline *pipeline, size_t index) {
    const struct step_spec *step = step_at(pipeline, index);
    return step ? step->name : NULL;
}

CTCD_API const char *ctcd_pipeline_step_kind(const ctcd_pipeline *pipeline, size_t index) {
    const struct step_spec *step = step_at(pipeline, index);
    return step ? step_kind_name(step->kind) : NULL;
}

static int schedule_of(struct gate *gate, ctcd_pipeline *pipeline, ctcd_schedule **ret) {
    struct schedule spec;
    if (!pipeline->spec.schedule.present)
        return CTCD_NONE;
    int rc =
        schedule_from_wording(&pipeline->spec.schedule, context_wall(gate->ctx), &spec, gate->err);
    if (!rc)
        rc = zones_check(gate->ctx, &spec, gate->err);
    return rc ? rc : schedule_new(gate->ctx, &spec, ret, gate->err);
}

CTCD_API int ctcd_pipeline_schedule(ctcd_pipeline *pipeline, ctcd_schedule **ret_schedule,
                                    ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(pipeline), err);
    if (rc)
        return rc;
    rc = ret_schedule ? schedule_of(&gate, pipeline, ret_schedule)
                      : gate_missing(&gate, "ret_schedule");
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_pipeline_list(ctcd_context *ctx, ctcd_list **ret_list, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    return gate_leave(&gate, ret_list ? pipeline_list(ctx, ret_list, err)
                                      : gate_missing(&gate, "ret_list"));
}

CTCD_API int ctcd_pipeline_format(const ctcd_pipeline *pipeline, const char *format,
                                  char **ret_text, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(pipeline), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", format, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : object_format(pipeline, format, ret_text, err));
}

/* ---- running ---- */

static int begin(struct gate *gate, ctcd_pipeline *pipeline, int64_t timeout_ms, ctcd_op **ret) {
    int rc = gate_timeout(gate, &timeout_ms, RUN_TIMEOUT_MS, false);
    if (!rc)
        rc = run_new_by_hand(pipeline, timeout_ms, ret, gate->err);
    if (!rc)
        op_start(*ret, NULL);
    return rc;
}

CTCD_API int ctcd_pipeline_run(ctcd_pipeline *pipeline, int64_t timeout_ms, ctcd_run **ret_run,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(pipeline), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = gate_wait_for_run(&gate);
    if (!rc)
        rc = begin(&gate, pipeline, timeout_ms, &op);
    if (!rc)
        rc = op_wait(op, -1, err);
    ctcd_run *run = op ? op_hand_out(op, OP_RUN) : NULL;
    if (ret_run && run)
        *ret_run = run; /* also with an error: which step failed is in it */
    else
        object_unref(run);
    op_unref(op);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_pipeline_run_begin(ctcd_pipeline *pipeline, int64_t timeout_ms, ctcd_op **ret_op,
                                     ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(pipeline), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = ret_op ? begin(&gate, pipeline, timeout_ms, &op) : gate_missing(&gate, "ret_op");
    if (!rc)
        *ret_op = op_publish(op);
    return gate_leave(&gate, rc);
}
