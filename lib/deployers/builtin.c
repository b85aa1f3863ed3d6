/* See builtin.h. */
#include "deployers/builtin.h"

#include "deployers/mlflow/mlflow.h"

const ctcd_model_deployer_vtable *const BUILTIN_DEPLOYERS[] = {&MLFLOW_DEPLOYER, NULL};
