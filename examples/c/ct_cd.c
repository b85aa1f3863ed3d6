/* Continuous training and deployment in one program: a model is trained, decided about, deployed, asked,
   replaced by a better one under the same UUID, stopped, started and deleted.

       cc ct_cd.c -o ct_cd $(pkg-config --cflags --libs libctcd)
       ct_cd PYTHON MODEL BETTER        (a Python that has MLflow, and two folders of saved models)

   Exit status: 0 done, 1 something failed, 2 wrong arguments. The home is $CTCD_HOME, or as for the command. */
#include <ctcd/ctcd.h>
#include <stdio.h>

/* The "training": any program that writes its outputs as JSON. Here it knows the answer beforehand. */
static const char PIPELINE[] = "pipeline: ct_cd\n"
                               "params: {accuracy: 0}\n"
                               "steps:\n"
                               "  train:\n"
                               "    command: [sh, -c, 'echo \"{\\\"accuracy\\\": $1}\" "
                               ">\"$CTCD_OUTPUTS\"', sh, '${params.accuracy}']\n"
                               "    outputs: [accuracy]\n";

static const char RULE[] =
    "{\"metric\": \"accuracy\", \"threshold\": 0.8, \"min_absolute_change\": 0.01}";

/* Says what went wrong and what to do next; 1 = it failed. */
static int failed(int rc, ctcd_error **err) {
    if (rc >= 0)
        return 0;
    fprintf(stderr, "ct_cd: %s\n", ctcd_error_message(*err));
    if (ctcd_error_details(*err))
        fprintf(stderr, "  last lines: %s\n", ctcd_error_details(*err));
    if (ctcd_error_hint(*err))
        fprintf(stderr, "  next: %s\n", ctcd_error_hint(*err));
    *err = ctcd_error_unref(*err);
    return 1;
}

/* A model deployer is a component: type, flavor, name, options. */
static int make_deployer(ctcd_context *ctx, const char *python, ctcd_component **ret,
                         ctcd_error **err) {
    int rc = ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "mlflow", "ct_cd", ret, err);
    if (!rc)
        rc = ctcd_component_set_option(*ret, "python", python, err);
    return rc ? rc : ctcd_component_register(*ret, err);
}

/* CT: the pipeline runs once; what its step wrote is the candidate. */
static int train(ctcd_context *ctx, const char *accuracy, ctcd_run **ret, ctcd_error **err) {
    ctcd_pipeline *pipeline = NULL;
    int rc = ctcd_pipeline_parse(ctx, PIPELINE, NULL, &pipeline, err);
    if (!rc)
        rc = ctcd_pipeline_set_param(pipeline, "accuracy", accuracy, err);
    if (!rc)
        rc = ctcd_pipeline_run(pipeline, 60000, ret, err);
    ctcd_pipeline_unref(pipeline);
    return rc;
}

/* CD: the service of this name gets a server with the new model; the old one answers until then. */
static int deploy(ctcd_context *ctx, const ctcd_run *run, const char *model, ctcd_service **ret,
                  ctcd_error **err) {
    ctcd_model_deployer *deployer = NULL;
    ctcd_deployment *want = NULL;
    int rc = ctcd_model_deployer_get(ctx, "ct_cd", &deployer, err);
    if (!rc)
        rc = ctcd_deployment_new(ctx, &want, err);
    if (!rc)
        rc = ctcd_deployment_set_model_name(want, "example", err);
    if (!rc)
        rc = ctcd_deployment_set_model_uri(want, model, err);
    if (!rc)
        rc = ctcd_deployment_set_metrics(want, ctcd_run_step_outputs(run, 0), err);
    if (!rc)
        rc = ctcd_model_deployer_deploy(deployer, want, 300000, ret, err);
    ctcd_deployment_unref(want);
    ctcd_model_deployer_unref(deployer);
    return rc;
}

static int predict(ctcd_service *service, ctcd_error **err) {
    char *answer = NULL;
    int rc = ctcd_service_predict(service, "[[1, 2], [3, 4]]", 10000, &answer, err);
    if (!rc)
        printf("%s revision %d: %s\n", ctcd_service_uuid(service),
               (int)ctcd_service_revision(service), answer);
    ctcd_free(answer);
    return rc;
}

/* One round: train, decide against what serves, deploy, ask. *service is the one that serves. */
static int cycle(ctcd_context *ctx, const char *accuracy, const char *model, ctcd_service **service,
                 ctcd_error **err) {
    ctcd_run *run = NULL;
    ctcd_decision *decision = NULL;
    ctcd_service *newer = NULL;
    int rc = train(ctx, accuracy, &run, err);
    if (!rc)
        rc = ctcd_decide(RULE, ctcd_run_step_outputs(run, 0),
                         *service ? ctcd_service_metrics(*service) : NULL, &decision, err);
    if (!rc)
        printf("%s: %s (%s)\n", ctcd_run_name(run), ctcd_decision_verdict_name(decision),
               ctcd_decision_reasons(decision));
    if (!rc && ctcd_decision_verdict(decision) == CTCD_VERDICT_PROMOTE)
        rc = deploy(ctx, run, model, &newer, err);
    if (!rc && newer) {
        ctcd_service_unref(*service);
        *service = newer;
        rc = predict(*service, err);
    }
    ctcd_decision_unref(decision);
    ctcd_run_unref(run);
    return rc;
}

static int look(ctcd_service *service, ctcd_error **err) {
    ctcd_status *status = NULL;
    int rc = ctcd_service_observe(service, -1, &status, err);
    if (!rc)
        printf("%s: %s\n", ctcd_state_name(ctcd_status_state(status)), ctcd_status_message(status));
    ctcd_status_unref(status);
    return rc;
}

int main(int argc, char **argv) {
    ctcd_context *ctx = NULL;
    ctcd_component *deployer = NULL;
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: ct_cd PYTHON MODEL BETTER\n");
        return 2;
    }
    int bad =
        failed(ctcd_context_new(0, &ctx, &err), &err) ||
        failed(make_deployer(ctx, argv[1], &deployer, &err), &err) ||
        failed(cycle(ctx, "0.90", argv[2], &service, &err), &err) || /* the first one */
        failed(cycle(ctx, "0.85", argv[2], &service, &err), &err) || /* worse: rejected */
        failed(cycle(ctx, "0.95", argv[3], &service, &err), &err) || /* better: replaces */
        failed(look(service, &err), &err) || failed(ctcd_service_stop(service, -1, &err), &err) ||
        failed(look(service, &err), &err) || failed(ctcd_service_start(service, -1, &err), &err) ||
        failed(predict(service, &err), &err);
    if (service) /* whatever happened: no server stays behind */
        bad |= failed(ctcd_service_delete(service, 0, -1, &err), &err);
    if (!bad)
        bad = failed(ctcd_component_delete(deployer, &err), &err);
    ctcd_service_unref(service);
    ctcd_component_unref(deployer);
    ctcd_context_unref(ctx);
    return bad;
}
