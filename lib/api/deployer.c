/* ctcd_model_deployer_*, ctcd_deployment_*: see <ctcd/deployer.h>. */
#include <string.h>

#include "api/gate.h"
#include "engine/deploy.h"

#define VALIDATE_TIMEOUT_MS 60000
#define MIN_READY_MOST_MS 3600000

static ctcd_context *ctx_of(const void *object) {
    return object ? ((const struct object *)object)->ctx : NULL;
}

CTCD_API int ctcd_model_deployer_get(ctcd_context *ctx, const char *name,
                                     ctcd_model_deployer **ret_deployer, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = ret_deployer ? deployer_get(ctx, name, ret_deployer, err)
                      : gate_missing(&gate, "ret_deployer");
    return gate_leave(&gate, rc);
}

CTCD_API ctcd_model_deployer *ctcd_model_deployer_ref(ctcd_model_deployer *deployer) {
    return object_ref(deployer);
}

CTCD_API ctcd_model_deployer *ctcd_model_deployer_unref(ctcd_model_deployer *deployer) {
    return object_unref(deployer);
}

CTCD_API const char *ctcd_model_deployer_name(const ctcd_model_deployer *deployer) {
    return deployer ? deployer->name : "";
}

CTCD_API const char *ctcd_model_deployer_flavor(const ctcd_model_deployer *deployer) {
    return deployer ? deployer->flavor : "";
}

/* ---- what to deploy ---- */

CTCD_API int ctcd_deployment_new(ctcd_context *ctx, ctcd_deployment **ret_deployment,
                                 ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = ret_deployment ? deployment_new(ctx, ret_deployment, err)
                        : gate_missing(&gate, "ret_deployment");
    return gate_leave(&gate, rc);
}

CTCD_API ctcd_deployment *ctcd_deployment_ref(ctcd_deployment *deployment) {
    return object_ref(deployment);
}

CTCD_API ctcd_deployment *ctcd_deployment_unref(ctcd_deployment *deployment) {
    return object_unref(deployment);
}

static int replace_text(struct gate *gate, char **place, const char *text) {
    char *copy = text ? mem_copy_text(text) : NULL;
    if (text && !copy)
        return error_nomem(gate->err);
    mem_free(*place);
    *place = copy;
    return 0;
}

/* A required text of the deployment. */
static int set_text(ctcd_deployment *deployment, size_t offset, const char *name, const char *text,
                    ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployment), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, name, text);
    if (!rc && !text[0])
        rc = gate_invalid(&gate, "the %s must not be empty", name);
    if (!rc)
        rc = replace_text(&gate, (char **)(void *)((char *)deployment + offset), text);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_deployment_set_model_name(ctcd_deployment *deployment, const char *name,
                                            ctcd_error **err) {
    return set_text(deployment, offsetof(ctcd_deployment, model_name), "model name", name, err);
}

CTCD_API int ctcd_deployment_set_model_uri(ctcd_deployment *deployment, const char *uri,
                                           ctcd_error **err) {
    return set_text(deployment, offsetof(ctcd_deployment, model_uri), "model URI", uri, err);
}

CTCD_API int ctcd_deployment_set_origin(ctcd_deployment *deployment, const char *pipeline,
                                        const char *step, const char *run, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployment), err);
    if (rc)
        return rc;
    rc = gate_optional_text(&gate, "pipeline", pipeline);
    if (!rc)
        rc = gate_optional_text(&gate, "step", step);
    if (!rc)
        rc = gate_optional_text(&gate, "run", run);
    if (!rc)
        rc = replace_text(&gate, &deployment->pipeline, pipeline);
    if (!rc)
        rc = replace_text(&gate, &deployment->step, step);
    if (!rc)
        rc = replace_text(&gate, &deployment->run, run);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_deployment_set_option(ctcd_deployment *deployment, const char *key,
                                        const char *value, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployment), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "key", key);
    if (!rc)
        rc = gate_text(&gate, "value", value);
    if (!rc && !json_set_text(deployment->options, key, value))
        rc = error_nomem(err);
    return gate_leave(&gate, rc);
}

/* Decisions compare numbers; what is none would only be noticed by the next one. */
static int check_numbers(struct gate *gate, const char *name, const struct json *value) {
    if (json_kind(value) != JSON_KIND_OBJECT)
        return gate_invalid(gate, "%s must be a JSON object, it is %s", name,
                            json_kind_name(json_kind(value)));
    double number;
    for (struct json_iter i = json_members(value); json_next(&i);)
        if (!json_to_real(i.value, &number))
            return gate_invalid(gate, "%s: \"%s\" must be a number, it is %s", name, i.key,
                                json_kind_name(json_kind(i.value)));
    return 0;
}

/* A JSON text of the deployment; numbers: it has to be an object of them. */
static int set_json(ctcd_deployment *deployment, size_t offset, const char *name, const char *text,
                    bool numbers, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployment), err);
    if (rc)
        return rc;
    _cleanup_(json_done) struct json *value = NULL;
    rc = gate_text(&gate, name, text);
    if (!rc)
        rc = json_parse(text, strlen(text), 1 << 24, JSON_USER_INPUT | JSON_PYTHON, name, &value,
                        err);
    if (!rc && numbers)
        rc = check_numbers(&gate, name, value);
    if (!rc)
        rc = replace_text(&gate, (char **)(void *)((char *)deployment + offset), text);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_deployment_set_metrics(ctcd_deployment *deployment, const char *metrics_json,
                                         ctcd_error **err) {
    return set_json(deployment, offsetof(ctcd_deployment, metrics), "metrics", metrics_json, true,
                    err);
}

CTCD_API int ctcd_deployment_set_smoke(ctcd_deployment *deployment, const char *input_json,
                                       ctcd_error **err) {
    return set_json(deployment, offsetof(ctcd_deployment, smoke), "smoke request", input_json,
                    false, err);
}

CTCD_API int ctcd_deployment_set_min_ready(ctcd_deployment *deployment, int64_t ms,
                                           ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployment), err);
    if (rc)
        return rc;
    if (ms < 0 || ms > MIN_READY_MOST_MS)
        rc = gate_invalid(&gate, "the ready time must be 0 to 1 hour");
    else
        deployment->min_ready_ms = ms;
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_deployment_set_replace(ctcd_deployment *deployment, int replace,
                                         ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployment), err);
    if (rc)
        return rc;
    if (replace != 0 && replace != 1)
        rc = gate_invalid(&gate, "replace must be 0 or 1");
    else
        deployment->replace = replace;
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_deployment_set_restart(ctcd_deployment *deployment, const char *policy,
                                         ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployment), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "policy", policy);
    if (!rc && !restart_policy_from_name(policy, &deployment->restart))
        rc = error_set(err, CTCD_E_INVALID, "it is one of: " RESTART_POLICIES,
                       "there is no restart policy \"%s\"", policy);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_deployment_set_on_failure(ctcd_deployment *deployment, const char *policy,
                                            ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployment), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "policy", policy);
    if (!rc && strcmp(policy, "rollback") != 0 && strcmp(policy, "leave") != 0)
        rc = error_set(err, CTCD_E_INVALID, "it is one of: rollback, leave",
                       "there is no on-failure policy \"%s\"", policy);
    if (!rc)
        deployment->leave_failed = strcmp(policy, "leave") == 0;
    return gate_leave(&gate, rc);
}

/* ---- deploying ---- */

static int begin(struct gate *gate, ctcd_model_deployer *deployer, ctcd_deployment *deployment,
                 int64_t timeout_ms, ctcd_op **ret) {
    int rc = gate_need(gate, "deployment", deployment, NULL);
    if (!rc && deployment->object.ctx != gate->ctx)
        rc = gate_invalid(gate, "deployer and deployment belong to different contexts");
    if (!rc)
        rc = gate_timeout(gate, &timeout_ms, DEPLOY_TIMEOUT_MS, true);
    if (!rc)
        rc = deploy_new(gate->ctx, deployer, deployment,
                        timeout_ms ? timeout_ms : DEPLOY_TIMEOUT_MS, ret, gate->err);
    if (!rc)
        op_start(*ret, NULL);
    return rc;
}

/* "Start and return": until the service has its record, or the deploy was refused. */
static int until_begun(struct gate *gate, ctcd_op *op, ctcd_service **ret) {
    while (!op->ended) {
        if (!op->stop && (*ret = deploy_service(op)))
            return 0;
        int rc = loop_wait(gate->ctx->loop, INT64_MAX);
        if (rc == CTCD_E_INTERRUPTED)
            op_stop(op, CTCD_E_INTERRUPTED);
        else if (rc < 0)
            return error_set(gate->err, rc, NULL, "the event loop failed");
    }
    int rc = op_outcome(op, gate->err);
    if (!rc)
        *ret = op_hand_out(op, OP_SERVICE);
    return rc;
}

CTCD_API int ctcd_model_deployer_incumbent(ctcd_model_deployer *deployer,
                                           ctcd_deployment *deployment, ctcd_service **ret_service,
                                           ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployer), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "deployment", deployment, NULL);
    if (!rc && deployment->object.ctx != gate.ctx)
        rc = gate_invalid(&gate, "deployer and deployment belong to different contexts");
    if (!rc && !ret_service)
        rc = gate_missing(&gate, "ret_service");
    if (rc)
        return gate_leave(&gate, rc);
    struct identity identity = {deployer->name, deployment->pipeline, deployment->step,
                                deployment->model_name};
    rc = identity_check(&identity, err);
    if (!rc)
        rc = service_incumbent(gate.ctx, &identity, ret_service, err);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_model_deployer_deploy(ctcd_model_deployer *deployer, ctcd_deployment *deployment,
                                        int64_t timeout_ms, ctcd_service **ret_service,
                                        ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployer), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    ctcd_service *service = NULL;
    rc = gate_wait(&gate);
    if (!rc)
        rc = begin(&gate, deployer, deployment, timeout_ms, &op);
    if (!rc && timeout_ms == 0) {
        rc = until_begun(&gate, op, &service);
    } else if (!rc) {
        rc = op_wait(op, -1, err);
        if (!rc)
            service = op_hand_out(op, OP_SERVICE);
    }
    op_unref(op);
    if (!rc && ret_service)
        *ret_service = service;
    else
        object_unref(service);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_model_deployer_deploy_begin(ctcd_model_deployer *deployer,
                                              ctcd_deployment *deployment, int64_t timeout_ms,
                                              ctcd_op **ret_op, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployer), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = ret_op ? begin(&gate, deployer, deployment, timeout_ms, &op)
                : gate_missing(&gate, "ret_op");
    if (!rc)
        *ret_op = op_publish(op);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_model_deployer_validate(ctcd_model_deployer *deployer,
                                          ctcd_deployment *deployment, int64_t timeout_ms,
                                          ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(deployer), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = gate_need(&gate, "deployment", deployment, NULL);
    if (!rc && deployment->object.ctx != gate.ctx)
        rc = gate_invalid(&gate, "deployer and deployment belong to different contexts");
    if (!rc)
        rc = gate_timeout(&gate, &timeout_ms, VALIDATE_TIMEOUT_MS, false);
    if (!rc)
        rc = gate_wait(&gate);
    if (!rc)
        rc = validate_new(gate.ctx, deployer, deployment, timeout_ms, &op, err);
    if (!rc) {
        op_start(op, NULL);
        rc = op_wait(op, -1, err);
    }
    op_unref(op);
    return gate_leave(&gate, rc);
}
