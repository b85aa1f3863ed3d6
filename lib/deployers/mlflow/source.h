/* Where a model comes from: MLflow's model URIs as parts. Pure; registry and tracking server are asked in
   resolve.c. */
#ifndef CTCD_DEPLOYERS_MLFLOW_SOURCE_H
#define CTCD_DEPLOYERS_MLFLOW_SOURCE_H

#include <stdbool.h>

#include "base/error.h"

enum source_kind {
    SOURCE_FOLDER,  /* a path, a file: URI, or what model_resolve refuses */
    SOURCE_VERSION, /* models:/NAME/12 */
    SOURCE_ALIAS,   /* models:/NAME@ALIAS */
    SOURCE_STAGE,   /* models:/NAME/Production */
    SOURCE_LATEST,  /* models:/NAME/latest */
    SOURCE_NAME,    /* models:/NAME: the one that this run has logged, else the latest */
    SOURCE_LOGGED,  /* models:/m-0123...: a logged model of MLflow 3 */
    SOURCE_RUN,     /* runs:/RUN_ID/PATH */
};

struct source {
    enum source_kind kind;
    char *name; /* of the registered model; the run's or the logged model's id; NULL for a folder */
    char *part; /* version, alias, stage or path; NULL where the kind has none */
};

/* CTCD_E_INVALID says what is allowed. A stage is written as the registry writes it. */
int source_parse(const char *uri, struct source *ret, ctcd_error **err);
void source_done(struct source *source); /* for _cleanup_ */

/* A relative path that stays where it is meant to be: plain components, none of them "." or "..", no
   backslash, no control character, UTF-8, at most SOURCE_PATH_BYTES and SOURCE_PATH_DEPTH. */
#define SOURCE_PATH_BYTES 1024
#define SOURCE_PATH_DEPTH 32
bool source_path_is_safe(const char *path);

#endif
