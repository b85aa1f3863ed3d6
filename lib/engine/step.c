/* What the steps of a run have in common (run.h): their rows, and the outputs of earlier ones. */
#include <stdio.h>
#include <string.h>

#include "engine/deploy.h"
#include "engine/run.h"

const struct store_step *step_left(const struct step_args *args) {
    return args->last && args->last->status == STORE_STEP_RUNNING ? args->last : NULL;
}

int64_t step_next_attempt(const struct step_args *args) {
    return args->last ? args->last->attempt + 1 : 1;
}

int step_begin(const struct step_args *args, int64_t attempt, const char *folder, const char *log,
               ctcd_error **err) {
    struct store_step row = {
        .run = args->run->record.uuid,
        .name = args->step->name,
        .attempt = attempt,
        .position = args->position,
        .status = STORE_STEP_RUNNING,
        .started_ms = context_wall(args->run->ctx),
        .ended_ms = CTCD_TIME_NONE,
        .folder = (char *)(uintptr_t)folder,
        .generation = 1,
        .log = (char *)(uintptr_t)log,
        .cache_key = (char *)(uintptr_t)args->cache_key,
    };
    return store_step_add(args->run->ctx->store, &row, err);
}

int step_end(const struct step_args *args, int64_t attempt, enum store_step_status status,
             const char *error, const struct store_artifact *artifacts, size_t count,
             const struct store_decision *decision, ctcd_error **err) {
    struct store_step_end end = {
        .run = args->run->record.uuid,
        .step = args->step->name,
        .attempt = attempt,
        .status = status,
        .error = error,
        .now_ms = context_wall(args->run->ctx),
        .artifacts = artifacts,
        .artifact_count = count,
        .decision = decision,
    };
    return store_step_end(args->run->ctx->store, &end, err);
}

/* A decision costs nothing and changes nothing: it is made anew whatever the pipeline says. */
int step_end_left(const struct step_args *args, const struct store_step *left, int stop,
                  ctcd_error **err) {
    static const char why[] = "it was interrupted";
    bool fails = args->step->kind != STEP_DECIDE && args->run->pipeline->spec.crash_fails;
    enum store_step_status status = stop    ? STORE_STEP_CANCELED
                                    : fails ? STORE_STEP_FAILED
                                            : STORE_STEP_INTERRUPTED;
    int rc = step_end(args, left->attempt, status, why, NULL, 0, NULL, err);
    return rc || !fails ? rc : error_set(err, CTCD_E_FAILED, NULL, "%s", why);
}

static int artifact_json(const struct store_artifact *artifact, struct json **ret,
                         ctcd_error **err) {
    if (artifact->kind != STORE_ARTIFACT_VALUE)
        return (*ret = json_new_text(artifact->value)) ? 0 : error_nomem(err);
    return json_parse(artifact->value, strlen(artifact->value), 1 << 24, JSON_PYTHON,
                      artifact->name, ret, err);
}

/* A service goes from step to step by its UUID; whoever gets it sees it as it is now. */
static int fresh_service(ctcd_context *ctx, const char *uuid, struct json **ret, ctcd_error **err) {
    _cleanup_(object_done) ctcd_service *service = NULL;
    int rc = service_load(ctx, uuid, &service, err);
    if (rc)
        return rc;
    return (*ret = SERVICE_KIND.to_json(service)) ? 0 : error_nomem(err);
}

int run_output(const struct run_view *run, const struct output_ref *ref, struct json **ret,
               ctcd_error **err) {
    _cleanup_(store_artifacts_done) struct store_artifacts all = {0};
    int rc = store_artifact_list(run->ctx->store, run->record.uuid, ref->step, &all, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < all.count; i++) {
        if (strcmp(all.items[i].name, ref->output) != 0)
            continue;
        if (all.items[i].kind == STORE_ARTIFACT_SERVICE)
            return fresh_service(run->ctx, all.items[i].value, ret, err);
        return artifact_json(&all.items[i], ret, err);
    }
    return error_set(err, CTCD_E_NOT_FOUND, NULL, "the step %s left no output \"%s\"", ref->step,
                     ref->output);
}

int run_numbers(const struct run_view *run, const char *step, struct json **ret, ctcd_error **err) {
    _cleanup_(store_artifacts_done) struct store_artifacts all = {0};
    _cleanup_(json_done) struct json *numbers = json_new_object();
    if (!numbers)
        return error_nomem(err);
    int rc = store_artifact_list(run->ctx->store, run->record.uuid, step, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++) {
        _cleanup_(json_done) struct json *value = NULL;
        double number = 0;
        rc = artifact_json(&all.items[i], &value, err);
        if (!rc && json_to_real(value, &number) && !json_set(numbers, all.items[i].name, value))
            rc = error_nomem(err);
    }
    if (rc)
        return rc;
    *ret = mem_steal(&numbers);
    return 0;
}

/* The deployer's name: the step's own, or the active stack's. */
static int deployer_name(const struct run_view *run, const struct step_spec *deploy, char **ret,
                         ctcd_error **err) {
    _cleanup_(object_done) ctcd_model_deployer *deployer = NULL;
    int rc = deployer_get(run->ctx, deploy->deploy.model_deployer, &deployer, err);
    if (rc)
        return rc;
    return (*ret = mem_copy_text(deployer->name)) ? 0 : error_nomem(err);
}

int step_incumbent(const struct run_view *run, const struct step_spec *deploy, ctcd_service **ret,
                   ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *name = NULL;
    _cleanup_(mem_free_ptr) char *model = NULL;
    int rc = deployer_name(run, deploy, &name, err);
    if (!rc)
        rc = pipeline_spec_substitute(&run->pipeline->spec, deploy->deploy.model_name, &model, err);
    if (rc)
        return rc;
    struct identity identity = {name, run->record.pipeline, deploy->name, model};
    return service_incumbent(run->ctx, &identity, ret, err);
}
