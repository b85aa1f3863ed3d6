/* What to deploy, and the deployer that does it, as objects (deploy.h). */
#include <string.h>

#include "engine/deploy.h"
#include "store/components.h"

static void deployment_free(void *object) {
    ctcd_deployment *d = object;
    mem_free(d->model_name);
    mem_free(d->model_uri);
    mem_free(d->pipeline);
    mem_free(d->step);
    mem_free(d->run);
    mem_free(d->metrics);
    mem_free(d->smoke);
    mem_free(d->folder);
    json_unref(d->options);
}

static struct json *deployment_to_json(const void *object) {
    const ctcd_deployment *d = object;
    struct json *json = json_new_object();
    if (json_set_text(json, "model_name", d->model_name) &&
        json_set_text(json, "model_uri", d->model_uri) &&
        json_set_text(json, "pipeline", d->pipeline) && json_set_text(json, "step", d->step) &&
        json_set_text(json, "run", d->run) && json_set(json, "options", d->options) &&
        json_set_int(json, "min_ready_ms", d->min_ready_ms) &&
        json_set_bool(json, "replace", d->replace) && json_set_text(json, "smoke", d->smoke) &&
        json_set_text(json, "on_failure", d->leave_failed ? "leave" : "rollback") &&
        json_set_text(json, "restart", restart_policy_name(d->restart)))
        return json;
    return json_unref(json);
}

const struct object_kind DEPLOYMENT_KIND = {"deployment", deployment_free, deployment_to_json,
                                            NULL};

int deployment_new(ctcd_context *ctx, ctcd_deployment **ret, ctcd_error **err) {
    _cleanup_(object_done) ctcd_deployment *d = object_new(ctx, &DEPLOYMENT_KIND, sizeof(*d));
    if (!d || !(d->options = json_new_object()))
        return error_nomem(err);
    d->replace = true;
    d->min_ready_ms = MIN_READY_MS;
    *ret = mem_steal(&d);
    return 0;
}

static bool copied(char **place, const char *text) {
    return !text || (*place = mem_copy_text(text));
}

ctcd_deployment *deployment_copy(const ctcd_deployment *from) {
    ctcd_deployment *d = object_new(NULL, &DEPLOYMENT_KIND, sizeof(*d));
    if (!d)
        return NULL;
    d->min_ready_ms = from->min_ready_ms;
    d->replace = from->replace;
    d->leave_failed = from->leave_failed;
    d->restart = from->restart;
    if ((d->options = json_clone(from->options)) && copied(&d->model_name, from->model_name) &&
        copied(&d->model_uri, from->model_uri) && copied(&d->pipeline, from->pipeline) &&
        copied(&d->step, from->step) && copied(&d->run, from->run) &&
        copied(&d->metrics, from->metrics) && copied(&d->smoke, from->smoke) &&
        copied(&d->folder, from->folder))
        return d;
    return object_unref(d);
}

static void deployer_free(void *object) {
    ctcd_model_deployer *d = object;
    mem_free(d->name);
    mem_free(d->flavor);
}

static struct json *deployer_to_json(const void *object) {
    const ctcd_model_deployer *d = object;
    struct json *json = json_new_object();
    if (json_set_text(json, "name", d->name) && json_set_text(json, "flavor", d->flavor))
        return json;
    return json_unref(json);
}

const struct object_kind MODEL_DEPLOYER_KIND = {"model deployer", deployer_free, deployer_to_json,
                                                NULL};

ctcd_model_deployer *deployer_copy(const ctcd_model_deployer *from) {
    ctcd_model_deployer *d = object_new(NULL, &MODEL_DEPLOYER_KIND, sizeof(*d));
    if (d && copied(&d->name, from->name) && copied(&d->flavor, from->flavor))
        return d;
    return object_unref(d);
}

/* Name of the active stack's model deployer. */
static int active_deployer(struct store *store, char **ret, ctcd_error **err) {
    _cleanup_(store_stack_done) struct store_stack stack = {0};
    int rc = store_stack_get(store, NULL, &stack, err);
    if (rc)
        return rc;
    if (!stack.components[CTCD_COMPONENT_MODEL_DEPLOYER][0])
        return error_set(
            err, CTCD_E_NOT_FOUND,
            "name one (--deployer), or make a stack with one active: ctcd stack set NAME",
            "the active stack %s has no model deployer", stack.name);
    *ret = mem_steal(&stack.components[CTCD_COMPONENT_MODEL_DEPLOYER]);
    return 0;
}

int deployer_get(ctcd_context *ctx, const char *name, ctcd_model_deployer **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(mem_free_ptr) char *active = NULL;
    _cleanup_(store_component_done) struct store_component record = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc && !name)
        rc = active_deployer(store, &active, err);
    if (!rc)
        rc = store_component_get(store, CTCD_COMPONENT_MODEL_DEPLOYER, name ? name : active,
                                 &record, err);
    if (rc)
        return rc;
    ctcd_model_deployer *d = object_new(ctx, &MODEL_DEPLOYER_KIND, sizeof(*d));
    if (!d)
        return error_nomem(err);
    d->name = mem_steal(&record.name);
    d->flavor = mem_steal(&record.flavor);
    *ret = d;
    return 0;
}
