/* Pipelines as they were run or scheduled. Every content has its own row, (name, digest), so a schedule
   and an interrupted run keep theirs when the file changes. */
#ifndef CTCD_STORE_PIPELINES_H
#define CTCD_STORE_PIPELINES_H

#include "store/store.h"

struct store_pipeline {
    char *name, *digest;
    char *spec;      /* canonical JSON */
    char *functions; /* JSON array of names: only who has them all may run it; "" = everybody */
    int64_t used_ms; /* last put */
};
struct store_pipelines {
    struct store_pipeline *items;
    size_t count;
};

void store_pipeline_done(struct store_pipeline *pipeline);
void store_pipelines_done(struct store_pipelines *list);

/* Adds it, or, where name and digest are known, makes it the newest of its name. */
int store_pipeline_put(struct store *store, const struct store_pipeline *pipeline,
                       ctcd_error **err);
/* digest NULL = the newest of that name. */
int store_pipeline_get(struct store *store, const char *name, const char *digest,
                       struct store_pipeline *ret, ctcd_error **err);
/* Can somebody run it who has these functions (a JSON array of names)? */
int store_pipeline_fits(struct store *store, const char *name, const char *digest,
                        const char *functions, bool *ret, ctcd_error **err);
/* The newest of each name, by name. */
int store_pipeline_list(struct store *store, struct store_pipelines *ret, ctcd_error **err);

#endif
