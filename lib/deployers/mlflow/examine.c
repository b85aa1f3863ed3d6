/* examine: is there a Python, and does its virtual environment have an MLflow that can serve? */
#include "deployers/mlflow/environment.h"

int mlflow_examine(void *impl, ctcd_call *call) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    _cleanup_(environment_done) struct environment environment = {0};
    int rc = environment_find(impl, NULL, &environment, &err);
    return rc ? mlflow_fail(call, rc, &err) : 0;
}
