/* The MLflow back end's table. */
#include "deployers/mlflow/mlflow.h"

static const ctcd_option_entry no_options[] = {{0}};

static int open_backend(ctcd_call *call, const ctcd_options *options, void *user_data,
                        void **ret_impl) {
    (void)options, (void)user_data, (void)ret_impl;
    return ctcd_call_fail(call, CTCD_E_NOT_SUPPORTED, "the MLflow back end is not there yet", NULL);
}

static void close_backend(void *impl) {
    (void)impl;
}

static int refuse(void *impl, ctcd_call *call, ctcd_revision *want) {
    (void)impl, (void)call, (void)want;
    return CTCD_E_NOT_SUPPORTED;
}

static int observe(void *impl, ctcd_call *call, const ctcd_revision *revision,
                   ctcd_observation *out) {
    (void)impl, (void)call, (void)revision, (void)out;
    return CTCD_E_NOT_SUPPORTED;
}

static int take_away(void *impl, ctcd_call *call, const ctcd_revision *revision, uint32_t flags) {
    (void)impl, (void)call, (void)revision, (void)flags;
    return CTCD_E_NOT_SUPPORTED;
}

const ctcd_model_deployer_vtable MLFLOW_DEPLOYER = {
    .size = sizeof(ctcd_model_deployer_vtable),
    .abi = CTCD_PLUGIN_ABI,
    .flavor = "mlflow",
    .component_options = no_options,
    .deployment_options = no_options,
    .open = open_backend,
    .close = close_backend,
    .validate = refuse,
    .apply = refuse,
    .observe = observe,
    .remove = take_away,
};
