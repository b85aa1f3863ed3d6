/* decide: the promotion rule by itself, for a candidate and what serves now. */
#include <stdlib.h>

#include "output.h"

/* The service that `ctcd deploy` with the same options would replace; NULL = none. */
static int find_incumbent(struct request *req, ctcd_service **ret, ctcd_error **err) {
    _drop_(model_deployer) ctcd_model_deployer *deployer = NULL;
    _drop_(deployment) ctcd_deployment *deployment = NULL;
    int rc = ctcd_model_deployer_get(req->ctx, option(req, "deployer"), &deployer, err);
    if (!rc)
        rc = ctcd_deployment_new(req->ctx, &deployment, err);
    if (!rc)
        rc = ctcd_deployment_set_model_name(deployment, model_option(req), err);
    if (!rc)
        rc = ctcd_deployment_set_origin(deployment, option(req, "pipeline"), option(req, "step"),
                                        NULL, err);
    if (!rc)
        rc = ctcd_model_deployer_incumbent(deployer, deployment, ret, err);
    return rc == CTCD_NONE ? 0 : rc;
}

/* Metrics of what serves now. Owned; NULL = nothing does. */
static int incumbent(struct request *req, char **ret, ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    int rc = 0;
    if (!model_option(req)) {
        *ret = json_option(req, "incumbent", &rc);
        return rc;
    }
    if (option(req, "incumbent"))
        return usage_error(NULL, "--incumbent and --model-name: only one can be the incumbent");
    rc = find_incumbent(req, &service, err);
    if (!rc && service)
        *ret = text_of("%s", ctcd_service_metrics(service));
    return rc;
}

static int print_decision(struct request *req, const ctcd_decision *decision, ctcd_error **err) {
    const char *format = output_format(req), *name = ctcd_decision_verdict_name(decision);
    if (!format) {
        printf("%s: %s\n", name, ctcd_decision_reasons(decision));
    } else if (*format == 'n') {
        puts(name);
    } else {
        char *text = NULL;
        int rc = ctcd_decision_format(decision, format, &text, err);
        return print_text(rc, text);
    }
    return 0;
}

int cmd_decide(struct request *req, ctcd_error **err) {
    _drop_(decision) ctcd_decision *decision = NULL;
    int rc = 0;
    if (!option(req, "rule") || !option(req, "candidate"))
        return usage_error("ctcd decide --rule JSON --candidate JSON [--model-name NAME]",
                           "--%s is missing", option(req, "rule") ? "candidate" : "rule");
    char *rule = json_option(req, "rule", &rc), *baseline = NULL;
    char *candidate = rc ? NULL : json_option(req, "candidate", &rc);
    if (!rc)
        rc = incumbent(req, &baseline, err);
    if (!rc)
        rc = ctcd_decide(rule, candidate, baseline, &decision, err);
    free(rule);
    free(candidate);
    free(baseline);
    if (!rc)
        rc = print_decision(req, decision, err);
    if (rc)
        return rc == EXIT_FAILED ? EXIT_USAGE : rc; /* a file that cannot be read is no verdict */
    return ctcd_decision_verdict(decision) == CTCD_VERDICT_PROMOTE ? EXIT_DONE : EXIT_FAILED;
}
