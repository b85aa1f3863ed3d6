/* The Python environment that serves a model: its Python, the MLflow in it, and so how its server starts.
   Looked at on disk, because asking Python takes seconds. Used by validate.c, server.c and examine.c. */
#ifndef CTCD_DEPLOYERS_MLFLOW_ENVIRONMENT_H
#define CTCD_DEPLOYERS_MLFLOW_ENVIRONMENT_H

#include "deployers/mlflow/backend.h"

struct environment {
    char *python; /* absolute */
    char *
        folder; /* of the virtual environment that a deployment names; NULL = the deployer's Python */
    char version[32]; /* of its MLflow; "" = cannot be told */
    bool gunicorn;    /* its MLflow serves with gunicorn (before 2.21), else with uvicorn */
};

/* options: of a deployment (env_manager, virtualenv); NULL = the deployer's own Python. What certainly
   cannot serve is an error that says what to install; what cannot be told (a system's Python, conda, a
   wrapper) is taken to be a recent MLflow. */
int environment_find(const struct mlflow *backend, const ctcd_options *options,
                     struct environment *ret, ctcd_error **err);
/* The option `environment`: adds NAME=VALUE, references read now. */
int environment_variables(const ctcd_options *options, char ***ret, ctcd_error **err);
void environment_done(struct environment *environment);

#endif
