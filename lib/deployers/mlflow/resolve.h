/* From a source that can change (an alias, a stage, the latest) to one that cannot: asks the tracking
   server until it is known which version, run or logged model is meant, and where its files lie. */
#ifndef CTCD_DEPLOYERS_MLFLOW_RESOLVE_H
#define CTCD_DEPLOYERS_MLFLOW_RESOLVE_H

#include "deployers/mlflow/registry.h"
#include "deployers/mlflow/source.h"

/* What a source was pinned to. */
struct pin {
    char *uri;            /* models:/digits/3, models:/m-..., runs:/ID/path */
    char *artifacts;      /* mlflow-artifacts:/1/.../artifacts */
    char *name, *version; /* of the registered model; NULL where it is none */
    char *run_id, *model_id;
};

struct resolve {
    struct registry *registry;
    struct source source;
    const char *run; /* name of the pipeline's run, "" = none; borrowed */
    int phase;
    size_t next;            /* of the logged models that the run names */
    struct json *outputs;   /* that list */
    int64_t newest;         /* when the best of them was made */
    char *experiments_text; /* ids, JSON */
    char *root;             /* where the run keeps its artifacts */
    struct pin pin;
};

/* Takes the source's parts. */
void resolve_begin(struct resolve *r, struct registry *registry, struct source *source,
                   const char *run);
/* CTCD_AGAIN, or r->pin is there. */
int resolve_step(struct resolve *r, ctcd_error **err);
void resolve_done(struct resolve *r);

#endif
