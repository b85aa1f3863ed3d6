/* ctcd_step_*: see <ctcd/step.h>. Most of it may be called by any thread, so only what needs the context goes
   through its gate. */
#include <stdio.h>
#include <string.h>

#include "api/gate.h"
#include "base/fork.h"
#include "base/text.h"
#include "engine/function.h"
#include "engine/service.h"
#include "engine/step_outputs.h"

#define OUTPUT_MOST_BYTES (1 << 20)

CTCD_API int ctcd_context_register_step(ctcd_context *ctx, const char *function, ctcd_step_fn run,
                                        void *user_data, ctcd_destroy_fn destroy,
                                        ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "function", function);
    if (!rc && !run)
        rc = gate_missing(&gate, "run");
    if (!rc)
        rc = function_register(ctx, function, run, user_data, destroy, err);
    return gate_leave(&gate, rc);
}

CTCD_API ctcd_step *ctcd_step_ref(ctcd_step *step) {
    if (step)
        atomic_fetch_add_explicit(&step->refs, 1, memory_order_relaxed);
    return step;
}

CTCD_API ctcd_step *ctcd_step_unref(ctcd_step *step) {
    return step && step->fork_generation == fork_generation() ? step_object_unref(step) : NULL;
}

/* ---- where it is ---- */

CTCD_API const char *ctcd_step_name(const ctcd_step *step) {
    return step ? step->name : "";
}

CTCD_API const char *ctcd_step_pipeline(const ctcd_step *step) {
    return step ? step->pipeline : "";
}

CTCD_API const char *ctcd_step_run(const ctcd_step *step) {
    return step ? step->run : "";
}

CTCD_API const char *ctcd_step_run_uuid(const ctcd_step *step) {
    return step ? step->run_uuid : "";
}

CTCD_API const char *ctcd_step_stack(const ctcd_step *step) {
    return step ? step->stack : "";
}

CTCD_API const char *ctcd_step_artifacts(const ctcd_step *step) {
    return step ? step->artifacts : "";
}

CTCD_API int64_t ctcd_step_attempt(const ctcd_step *step) {
    return step ? step->attempt : 0;
}

CTCD_API int64_t ctcd_step_nominal(const ctcd_step *step) {
    return step ? step->nominal_ms : CTCD_TIME_NONE;
}

CTCD_API int64_t ctcd_step_previous_nominal(const ctcd_step *step) {
    return step ? step->previous_ms : CTCD_TIME_NONE;
}

CTCD_API ctcd_context *ctcd_step_context(const ctcd_step *step) {
    return step ? step->ctx : NULL;
}

/* ---- inputs ---- */

CTCD_API const char *ctcd_step_input(const ctcd_step *step, const char *name) {
    for (size_t i = 0; step && name && step->input_names && step->input_names[i]; i++)
        if (strcmp(step->input_names[i], name) == 0)
            return step->input_texts[i];
    return NULL;
}

static int input_service(const ctcd_step *step, const char *name, ctcd_service **ret,
                         ctcd_error **err) {
    const char *text = ctcd_step_input(step, name);
    _cleanup_(json_done) struct json *value = NULL;
    if (!text)
        return error_set(err, CTCD_E_NOT_FOUND, "declare it under inputs: of the step",
                         "the step %s has no input \"%s\"", step->name, name);
    int rc = json_parse(text, strlen(text), OUTPUT_MOST_BYTES, JSON_PYTHON, name, &value, err);
    const char *uuid = json_get_text(value, "uuid");
    if (!rc && !uuid)
        rc = error_set(err, CTCD_E_INVALID, NULL, "the input \"%s\" is %s, not a service", name,
                       json_kind_name(json_kind(value)));
    return rc ? rc : service_load(step->ctx, uuid, ret, err);
}

CTCD_API int ctcd_step_input_service(const ctcd_step *step, const char *name,
                                     ctcd_service **ret_service, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, step && step->op ? step->ctx : NULL, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "name", name, "ret_service", ret_service, NULL);
    return gate_leave(&gate, rc ? rc : input_service(step, name, ret_service, err));
}

/* ---- outputs ---- */

static int open_step(ctcd_step *step, ctcd_error **err) {
    if (step->fork_generation != fork_generation())
        return error_set(err, CTCD_E_FORKED, NULL, "the step belongs to the parent process");
    (void)pthread_mutex_lock(&step->lock);
    if (step->op && !step->finished)
        return 0;
    (void)pthread_mutex_unlock(&step->lock);
    return error_set(err, CTCD_E_CONFLICT, NULL, "the step %s has ended", step->name);
}

/* Owns value. An output is a value or a service, whatever was said last. */
static int put(ctcd_step *step, bool service, const char *name, struct json *value,
               ctcd_error **err) {
    _cleanup_(json_done) struct json *owned = value;
    int rc = open_step(step, err);
    if (rc)
        return rc;
    if (json_set(service ? step->services : step->outputs, name, owned))
        json_remove(service ? step->outputs : step->services, name);
    else
        rc = error_nomem(err);
    (void)pthread_mutex_unlock(&step->lock);
    return rc;
}

static int check_output(const ctcd_step *step, const char *name, const void *value,
                        const char *value_name, ctcd_error **err) {
    if (!step || !name || !value)
        return plain_missing(err, !step ? "step" : !name ? "name" : value_name);
    return step_check_output(step->declared, name, CTCD_E_INVALID, err);
}

CTCD_API int ctcd_step_set_output(ctcd_step *step, const char *name, const char *json,
                                  ctcd_error **err) {
    struct json *value = NULL;
    int rc = check_output(step, name, json, "json", err);
    if (!rc)
        rc = json_parse(json, strlen(json), OUTPUT_MOST_BYTES, JSON_PYTHON | JSON_USER_INPUT, name,
                        &value, err);
    return rc ? rc : put(step, false, name, value, err);
}

CTCD_API int ctcd_step_set_output_service(ctcd_step *step, const char *name, ctcd_service *service,
                                          ctcd_error **err) {
    int rc = check_output(step, name, service, "service", err);
    if (rc)
        return rc;
    struct json *uuid = json_new_text(service->record.uuid);
    return uuid ? put(step, true, name, uuid, err) : error_nomem(err);
}

/* ---- the end ---- */

CTCD_API int ctcd_step_fail(ctcd_step *step, int code, const char *message, const char *hint) {
    if (!step || code >= 0 || !message)
        return CTCD_E_PLUGIN;
    if (open_step(step, NULL))
        return code;
    error_set(&step->err, code, hint, "%s", message);
    (void)pthread_mutex_unlock(&step->lock);
    return code;
}

/* On the context's own thread the ops above are asked, too: inside a function nobody else tells the step. */
static bool asked(const ctcd_step *step) {
    if (atomic_load(&step->ctx->owner) != (uintptr_t)pthread_self())
        return false;
    for (const ctcd_op *op = step->op; op; op = op->parent)
        if (op->stop || atomic_load(&op->asked))
            return true;
    return false;
}

CTCD_API int ctcd_step_canceled(const ctcd_step *step) {
    if (!step)
        return 0;
    if (atomic_load(&step->canceled))
        return 1;
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&step->lock;
    (void)pthread_mutex_lock(lock);
    bool yes = !step->op || asked(step);
    (void)pthread_mutex_unlock(lock);
    return yes;
}

CTCD_API int ctcd_step_finish(ctcd_step *step, int result) {
    if (!step || result > 0)
        return CTCD_E_INVALID;
    if (step->fork_generation != fork_generation())
        return CTCD_E_FORKED;
    (void)pthread_mutex_lock(&step->lock);
    if (step->op && !step->finished) {
        step->finished = true;
        step->result = result;
        loop_post(step->ctx->loop, &step->op->task);
    }
    (void)pthread_mutex_unlock(&step->lock);
    return 0;
}
