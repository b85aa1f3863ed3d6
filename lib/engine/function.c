/* See function.h: the registered functions of a context, and what a function sees of its step. */
#include "engine/function.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fork.h"
#include "base/text.h"
#include "core/identity.h"
#include "io/file.h"
#include "store/components.h"

/* ---- registering ---- */

const struct function *function_find(const ctcd_context *ctx, const char *name) {
    for (const struct list *n = ctx->functions.next; n != &ctx->functions; n = n->next)
        if (strcmp(list_of(n, struct function, node)->name, name) == 0)
            return list_of(n, struct function, node);
    return NULL;
}

int function_register(ctcd_context *ctx, const char *name, ctcd_step_fn run, void *user_data,
                      ctcd_destroy_fn destroy, ctcd_error **err) {
    int rc = name_check_step("name of a function", name, err);
    if (rc)
        return rc;
    if (function_find(ctx, name))
        return error_set(err, CTCD_E_EXISTS, NULL, "the function %s is registered already", name);
    struct function *f = mem_alloc(sizeof(*f));
    if (!f || !(f->name = mem_copy_text(name))) {
        mem_free(f);
        return error_nomem(err);
    }
    f->run = run;
    f->user_data = user_data;
    f->destroy = destroy;
    list_append(&ctx->functions, &f->node);
    return 0;
}

void functions_free(ctcd_context *ctx) {
    while (!list_empty(&ctx->functions)) {
        struct function *f = list_of(ctx->functions.next, struct function, node);
        list_remove(&f->node);
        context_give_back(ctx, f->destroy, f->user_data);
        mem_free(f->name);
        mem_free(f);
    }
}

char *functions_json(const ctcd_context *ctx) {
    _cleanup_(json_done) struct json *names = json_new_array();
    for (const struct list *n = ctx->functions.next; n != &ctx->functions; n = n->next)
        if (!json_append_text(names, list_of(n, struct function, node)->name))
            return NULL;
    return json_to_text(names);
}

char *pipeline_functions(const struct pipeline_spec *spec) {
    _cleanup_(json_done) struct json *names = json_new_array();
    for (size_t i = 0; i < spec->step_count; i++)
        if (spec->steps[i].kind == STEP_FUNCTION &&
            !json_append_text(names, spec->steps[i].function))
            return NULL;
    return json_size(names) || !names ? json_to_text(names) : mem_copy_text("");
}

int pipeline_check_functions(const ctcd_context *ctx, const struct pipeline_spec *spec,
                             ctcd_error **err) {
    for (size_t i = 0; i < spec->step_count; i++) {
        const struct step_spec *step = &spec->steps[i];
        if (step->kind == STEP_FUNCTION && !function_find(ctx, step->function))
            return error_set(err, CTCD_E_INVALID,
                             "run it from the program that has it (ctcd_context_register_step)",
                             "step \"%s\": the function %s is not registered here", step->name,
                             step->function);
    }
    return 0;
}

/* ---- a step as its function sees it ---- */

static int read_inputs(ctcd_step *s, const struct step_args *args, ctcd_error **err) {
    for (size_t i = 0; i < args->step->input_count; i++) {
        _cleanup_(json_done) struct json *value = NULL;
        int rc = run_output(args->run, &args->step->inputs[i].from, &value, err);
        if (rc)
            return rc;
        char *text = json_to_text(value);
        if (!text || !strv_take(&s->input_texts, text) ||
            !strv_add(&s->input_names, args->step->inputs[i].name))
            return error_nomem(err);
    }
    return 0;
}

int step_stack_name(ctcd_context *ctx, char **ret, ctcd_error **err) {
    _cleanup_(store_stack_done) struct store_stack stack = {0};
    int rc = store_stack_get(ctx->store, NULL, &stack, err);
    if (rc)
        return rc;
    return (*ret = mem_copy_text(stack.name)) ? 0 : error_nomem(err);
}

static int fill(ctcd_step *s, const struct step_args *args, ctcd_error **err) {
    const struct store_run *run = &args->run->record;
    char attempt[24];
    snprintf(attempt, sizeof(attempt), "%" PRId64, s->attempt);
    s->name = mem_copy_text(args->step->name);
    s->pipeline = mem_copy_text(run->pipeline);
    s->run = mem_copy_text(run->name);
    s->run_uuid = mem_copy_text(run->uuid);
    s->artifacts =
        context_path(s->ctx, "runs", run->uuid, args->step->name, attempt, "artifacts", NULL);
    s->declared = args->step->outputs ? strv_copy(args->step->outputs) : NULL;
    s->outputs = json_new_object();
    s->services = json_new_object();
    if (!s->name || !s->pipeline || !s->run || !s->run_uuid || !s->artifacts || !s->outputs ||
        !s->services || (args->step->outputs && !s->declared))
        return error_nomem(err);
    s->nominal_ms = run->nominal_ms != CTCD_TIME_NONE ? run->nominal_ms : run->created_ms;
    s->previous_ms = args->run->previous_ms;
    int rc = step_stack_name(s->ctx, &s->stack, err);
    if (!rc)
        rc = file_make_folders(s->artifacts, err);
    return rc ? rc : read_inputs(s, args, err);
}

int step_object_new(ctcd_op *op, const struct step_args *args, int64_t attempt, ctcd_step **ret,
                    ctcd_error **err) {
    ctcd_step *s = mem_alloc(sizeof(*s));
    if (!s)
        return error_nomem(err);
    if (pthread_mutex_init(&s->lock, NULL)) {
        mem_free(s);
        return error_nomem(err);
    }
    atomic_init(&s->refs, 1);
    atomic_init(&s->canceled, false);
    s->fork_generation = fork_generation();
    s->ctx = op->ctx;
    s->op = op;
    s->attempt = attempt;
    int rc = fill(s, args, err);
    if (rc) {
        step_object_unref(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void step_object_close(ctcd_step *step) {
    if (!step)
        return;
    (void)pthread_mutex_lock(&step->lock);
    step->op = NULL;
    atomic_store(&step->canceled, true);
    (void)pthread_mutex_unlock(&step->lock);
}

ctcd_step *step_object_unref(ctcd_step *s) {
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    (void)pthread_mutex_destroy(&s->lock);
    mem_free(s->name);
    mem_free(s->pipeline);
    mem_free(s->run);
    mem_free(s->run_uuid);
    mem_free(s->stack);
    mem_free(s->artifacts);
    strv_free(s->declared);
    strv_free(s->input_names);
    strv_free(s->input_texts);
    error_unref(s->err);
    json_unref(s->outputs);
    json_unref(s->services);
    mem_free(s);
    return NULL;
}
