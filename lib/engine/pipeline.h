/* Pipelines as objects, their file, and how they are kept in the store. */
#ifndef CTCD_ENGINE_PIPELINE_H
#define CTCD_ENGINE_PIPELINE_H

#include <ctcd/pipeline.h>

#include "core/spec.h"
#include "engine/object.h"
#include "io/yaml.h"
#include "store/pipelines.h"

struct ctcd_pipeline {
    struct object object;
    struct pipeline_spec spec; /* with parameters as they are now */
    char *source;              /* the text of the file: what the store keeps */
    struct json *file;         /* the document, for showing */
    size_t *order;             /* of spec.steps, as they run */
    char *problem; /* of a stored one that cannot be read: why; then it has no more than its name */
};
extern const struct object_kind PIPELINE_KIND;

/* The document becomes a checked tree. Errors name file, line and column. folder: absolute. */
int pipeline_file_parse(const struct yaml_node *root, const char *folder, struct pipeline_spec *ret,
                        ctcd_error **err);

int pipeline_load(ctcd_context *ctx, const char *path, ctcd_pipeline **ret, ctcd_error **err);
int pipeline_parse(ctcd_context *ctx, const char *text, const char *name, const char *folder,
                   ctcd_pipeline **ret, ctcd_error **err);
int pipeline_set_param(ctcd_pipeline *pipeline, const char *name, const char *value,
                       ctcd_error **err);
/* All parameters as a JSON object; NULL = out of memory. */
char *pipeline_params(const struct pipeline_spec *spec);
int pipeline_put_param(struct pipeline_spec *spec, const char *name, const struct json *value,
                       ctcd_error **err);
int pipeline_apply_params(struct pipeline_spec *spec, const char *params, ctcd_error **err);

/* INVALID: it is one that is only listed. */
int pipeline_usable(const ctcd_pipeline *pipeline, ctcd_error **err);
/* Keeps its content in the store; gives the digest. */
int pipeline_put(ctcd_pipeline *pipeline, char ret_digest[65], ctcd_error **err);
int pipeline_from_store(ctcd_context *ctx, const char *name, const char *digest,
                        ctcd_pipeline **ret, ctcd_error **err);
int pipeline_list(ctcd_context *ctx, ctcd_list **ret, ctcd_error **err);

#endif
