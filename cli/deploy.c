/* deploy: serves a model, in place of what the same identity serves. */
#include <stdlib.h>

#include "output.h"

static int set_options(struct request *req, ctcd_deployment *deployment, ctcd_error **err) {
    size_t cursor = 0;
    int rc = 0;
    for (const char *pair; !rc && (pair = option_next(req, "option", &cursor));) {
        char *key = NULL;
        const char *value;
        rc = split_pair("option", pair, &key, &value);
        if (!rc)
            rc = ctcd_deployment_set_option(deployment, key, value, err);
        free(key);
    }
    return rc;
}

static int set_smoke(struct request *req, ctcd_deployment *deployment, ctcd_error **err) {
    const char *path = option(req, "smoke");
    if (!path)
        return 0;
    int rc = 0;
    char *text = read_input(path, &rc);
    if (!rc)
        rc = ctcd_deployment_set_smoke(deployment, text, err);
    free(text);
    return rc;
}

static int set_policies(struct request *req, ctcd_deployment *deployment, ctcd_error **err) {
    int64_t min_ready_ms = -1;
    int rc = option_duration(req, "min-ready", &min_ready_ms);
    if (!rc && min_ready_ms >= 0)
        rc = ctcd_deployment_set_min_ready(deployment, min_ready_ms, err);
    char *metrics = rc ? NULL : json_option(req, "metrics", &rc);
    if (metrics)
        rc = ctcd_deployment_set_metrics(deployment, metrics, err);
    free(metrics);
    if (!rc && option(req, "on-failure"))
        rc = ctcd_deployment_set_on_failure(deployment, option(req, "on-failure"), err);
    if (!rc && option(req, "restart"))
        rc = ctcd_deployment_set_restart(deployment, option(req, "restart"), err);
    if (!rc && option(req, "no-replace"))
        rc = ctcd_deployment_set_replace(deployment, 0, err);
    return rc;
}

/* What the command line wants served. */
static int deployment_of(struct request *req, ctcd_deployment **ret, ctcd_error **err) {
    const char *model = model_option(req);
    if (!model)
        return usage_error("add --model-name=NAME: the same name later replaces this one",
                           "how is the model called?");
    _drop_(deployment) ctcd_deployment *deployment = NULL;
    int rc = ctcd_deployment_new(req->ctx, &deployment, err);
    if (!rc)
        rc = ctcd_deployment_set_model_name(deployment, model, err);
    if (!rc)
        rc = ctcd_deployment_set_model_uri(deployment, argument(req, 0), err);
    if (!rc)
        rc = ctcd_deployment_set_origin(deployment, option(req, "pipeline"), option(req, "step"),
                                        NULL, err);
    if (!rc)
        rc = set_options(req, deployment, err);
    if (!rc)
        rc = set_policies(req, deployment, err);
    if (!rc)
        rc = set_smoke(req, deployment, err);
    if (!rc)
        *ret = ctcd_deployment_ref(deployment);
    return rc;
}

static int print_deployed(struct request *req, const ctcd_service *service, ctcd_error **err) {
    if (output_format(req))
        return print_service_record(req, service, err);
    printf("Served model %s (%s, revision %lld) takes predictions at:\n  %s\n",
           ctcd_service_uuid(service), ctcd_service_model(service),
           (long long)ctcd_service_revision(service), ctcd_service_url(service));
    return 0;
}

static int deploy_and_wait(struct request *req, ctcd_model_deployer *deployer,
                           ctcd_deployment *deployment, int64_t timeout_ms, ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    _drop_(op) ctcd_op *op = NULL;
    int rc = ctcd_model_deployer_deploy_begin(deployer, deployment, timeout_ms, &op, err);
    if (!rc)
        rc = wait_for(req, op, PROGRESS_TERMINAL, err);
    if (!rc)
        rc = ctcd_op_take_service(op, &service, err);
    return rc ? rc : print_deployed(req, service, err);
}

/* Says which service it will be, and goes on alone. */
static int deploy_alone(struct request *req, ctcd_model_deployer *deployer,
                        ctcd_deployment *deployment, ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    int rc = ctcd_model_deployer_deploy(deployer, deployment, 0, &service, err);
    if (!rc && output_format(req))
        rc = print_service_record(req, service, err);
    else if (!rc)
        printf("Served model %s (%s) is being deployed in the background.\n",
               ctcd_service_uuid(service), ctcd_service_model(service));
    if (rc)
        return rc;
    background_leave(0);
    background_drain(req->ctx);
    return 0;
}

int cmd_deploy(struct request *req, ctcd_error **err) {
    _drop_(model_deployer) ctcd_model_deployer *deployer = NULL;
    _drop_(deployment) ctcd_deployment *deployment = NULL;
    int64_t timeout_ms = -1;
    int rc = wait_time(req, &timeout_ms);
    if (!rc)
        rc = deployment_of(req, &deployment, err);
    if (!rc)
        rc = ctcd_model_deployer_get(req->ctx, option(req, "deployer"), &deployer, err);
    if (rc)
        return rc;
    if (option(req, "dry-run")) {
        rc = ctcd_model_deployer_validate(deployer, deployment, timeout_ms ? timeout_ms : -1, err);
        if (!rc)
            puts("Nothing speaks against deploying it.");
        return rc;
    }
    catch_signals();
    return timeout_ms == 0 ? deploy_alone(req, deployer, deployment, err)
                           : deploy_and_wait(req, deployer, deployment, timeout_ms, err);
}
