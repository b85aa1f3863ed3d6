/* The MLflow back end: models served by MLflow's scoring server as local processes. */
#ifndef CTCD_DEPLOYERS_MLFLOW_H
#define CTCD_DEPLOYERS_MLFLOW_H

#include <ctcd/plugin.h>

extern const ctcd_model_deployer_vtable MLFLOW_DEPLOYER;

#endif
