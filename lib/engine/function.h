/* Functions that a program registered for steps (<ctcd/step.h>), and one attempt of such a step as its
   function sees it. step_function.c carries them out. */
#ifndef CTCD_ENGINE_FUNCTION_H
#define CTCD_ENGINE_FUNCTION_H

#include <ctcd/step.h>
#include <pthread.h>

#include "engine/run.h"

struct function {
    struct list node; /* in ctx->functions */
    char *name;
    ctcd_step_fn run;
    void *user_data;
    ctcd_destroy_fn destroy;
};

int function_register(ctcd_context *ctx, const char *name, ctcd_step_fn run, void *user_data,
                      ctcd_destroy_fn destroy, ctcd_error **err);
const struct function *function_find(const ctcd_context *ctx, const char *name); /* or NULL */
/* A JSON array of their names, "[]" without; owned; NULL = out of memory. */
char *functions_json(const ctcd_context *ctx);
void functions_free(ctcd_context *ctx);
/* The functions of a pipeline as the store keeps them: a JSON array, "" without; owned. */
char *pipeline_functions(const struct pipeline_spec *spec);
/* Does the context have them all? CTCD_E_INVALID names the first one that it has not. */
int pipeline_check_functions(const ctcd_context *ctx, const struct pipeline_spec *spec,
                             ctcd_error **err);

/* One attempt. Its texts never change; what threads share is under the lock. */
struct ctcd_step {
    atomic_uint refs;
    uint32_t fork_generation;
    ctcd_context *ctx; /* not held: alive while op is not NULL */
    char *name, *pipeline, *run, *run_uuid, *stack, *artifacts;
    int64_t attempt, nominal_ms, previous_ms;
    char **declared;                   /* outputs */
    char **input_names, **input_texts; /* as many, in the same order; JSON */

    pthread_mutex_t lock;
    ctcd_op *op; /* NULL = it has ended: nothing of it counts any more */
    bool finished;
    int result;
    ctcd_error *err;
    struct json *outputs;  /* object: values */
    struct json *services; /* object: UUIDs of outputs that are services */
    atomic_bool canceled;
};

/* A new one with one reference, and the artifacts folder. */
int step_object_new(ctcd_op *op, const struct step_args *args, int64_t attempt, ctcd_step **ret,
                    ctcd_error **err);
/* From now on threads that still hold it change nothing. Accepts NULL. */
void step_object_close(ctcd_step *step);
ctcd_step *step_object_unref(ctcd_step *step); /* accepts NULL, returns NULL */

#endif
