/* The files of a model, from the tracking server's artifact proxy into a staging folder (staging.h). */
#ifndef CTCD_DEPLOYERS_MLFLOW_DOWNLOAD_H
#define CTCD_DEPLOYERS_MLFLOW_DOWNLOAD_H

#include "deployers/mlflow/registry.h"
#include "deployers/mlflow/staging.h"

struct download {
    struct registry *registry;
    char *root; /* where the files lie, below the proxy */
    struct staging staging;
    bool listed; /* the folder whose turn it is */
    size_t next; /* of staging.files: listed, made or fetched before it */
    char digest[65];
    char *folder; /* where the model is, at the end */
};

/* artifacts: "mlflow-artifacts:/1/models/...". NOT_SUPPORTED: files that are not behind the proxy. */
int download_begin(struct download *d, struct registry *registry, const char *artifacts,
                   ctcd_error **err);
/* CTCD_AGAIN, or d->folder is there: a complete model with an MLmodel file that can be served. */
int download_step(struct download *d, ctcd_error **err);
void download_done(struct download *d);

#endif
