/* The op that carries out one recorded run (run.h): its steps one after the other, each a child op. What a
   dead process left of it is taken up where it stands. */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

#include "core/runname.h"
#include "engine/schedule.h"
#include "io/file.h"
#include "io/random.h"

enum phase { BEGIN, NEXT, STEP, END };

struct run_op {
    ctcd_op op;
    char *uuid;
    enum phase phase;
    struct run_view view;
    struct lockfile *lock;
    struct graph *graph;
    bool *bad; /* by file order: failed or skipped */
    size_t at; /* in pipeline->order */
    ctcd_op *child;
    struct store_steps left; /* what the store knew when we began */
    bool failed;
    ctcd_error *why;
};

char *run_folder(ctcd_context *ctx, const char *run) {
    return context_path(ctx, "runs", run, NULL);
}

static char *lock_path(ctcd_context *ctx, const char *run) {
    return context_path(ctx, "runs", run, "lock", NULL);
}

int run_live(ctcd_context *ctx, const char *uuid, bool *ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = lock_path(ctx, uuid);
    return path ? lockfile_held(path, ret, err) : error_nomem(err);
}

int run_record(ctcd_pipeline *pipeline, char **ret_uuid, ctcd_error **err) {
    ctcd_context *ctx = pipeline->object.ctx;
    struct store *store = NULL;
    char digest[65], uuid[37];
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = pipeline_put(pipeline, digest, err);
    if (!rc)
        rc = random_uuid(uuid, err);
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *params = pipeline_params(&pipeline->spec);
    _cleanup_(mem_free_ptr) char *copy = mem_copy_text(uuid);
    if (!params || !copy)
        return error_nomem(err);
    int64_t now = context_wall(ctx);
    rc = CTCD_E_EXISTS;
    for (int i = 0; rc == CTCD_E_EXISTS && i < 1000; i++) {
        _cleanup_(mem_free_ptr) char *name = run_name(pipeline->spec.name, now, i);
        if (!name)
            return error_nomem(err);
        struct store_run record = {
            .uuid = uuid,
            .name = name,
            .pipeline = pipeline->spec.name,
            .digest = digest,
            .nominal_ms = CTCD_TIME_NONE,
            .params = params,
            .status = STORE_RUN_RUNNING, /* so that no scheduler takes it for its own */
            .created_ms = now,
            .started_ms = now,
            .ended_ms = CTCD_TIME_NONE,
            .owner = copy,
        };
        rc = store_run_add(store, &record, err);
    }
    if (rc)
        return rc;
    *ret_uuid = mem_steal(&copy);
    return 0;
}

/* ---- beginning ---- */

static int take_lock(struct run_op *r) {
    ctcd_context *ctx = r->op.ctx;
    _cleanup_(mem_free_ptr) char *folder = run_folder(ctx, r->uuid);
    _cleanup_(mem_free_ptr) char *path = lock_path(ctx, r->uuid);
    if (!folder || !path)
        return error_nomem(OP_ERR(&r->op));
    int rc = file_make_folders(folder, OP_ERR(&r->op));
    if (!rc)
        rc = lockfile_try(path, &r->lock, OP_ERR(&r->op));
    if (rc == CTCD_AGAIN)
        return error_set(OP_ERR(&r->op), CTCD_E_CONFLICT, NULL,
                         "another process carries out this run");
    return rc;
}

static int begin(struct run_op *r) {
    ctcd_context *ctx = r->op.ctx;
    ctcd_error **err = OP_ERR(&r->op);
    struct run_view *view = &r->view;
    view->ctx = ctx;
    view->previous_ms = CTCD_TIME_NONE;
    int rc = take_lock(r);
    if (!rc)
        rc = store_run_get(ctx->store, r->uuid, &view->record, err);
    if (!rc && view->record.status != STORE_RUN_RUNNING)
        rc = error_set(err, CTCD_E_CONFLICT, NULL, "the run %s is %s", view->record.name,
                       store_run_status_name(view->record.status));
    if (!rc)
        rc = pipeline_from_store(ctx, view->record.pipeline, view->record.digest, &view->pipeline,
                                 err);
    if (!rc)
        rc = pipeline_apply_params(&view->pipeline->spec, view->record.params, err);
    if (!rc)
        rc = pipeline_spec_graph(&view->pipeline->spec, &r->graph, err);
    if (!rc && !(r->bad = mem_array(view->pipeline->spec.step_count + 1, sizeof(*r->bad))))
        rc = error_nomem(err);
    if (!rc)
        rc = store_step_list(ctx->store, r->uuid, &r->left, err);
    if (!rc && view->record.schedule_id)
        schedule_previous(ctx, view->record.schedule_id, view->record.nominal_ms,
                          &view->previous_ms);
    if (!rc)
        op_progress(&r->op, "run %s", view->record.name);
    return rc;
}

/* ---- the steps ---- */

static const struct store_step *last_attempt(const struct run_op *r, const char *step) {
    const struct store_step *found = NULL;
    for (size_t i = 0; i < r->left.count; i++)
        if (strcmp(r->left.items[i].name, step) == 0 &&
            (!found || r->left.items[i].attempt >= found->attempt))
            found = &r->left.items[i];
    return found;
}

static int skip(struct run_op *r, const struct step_args *args, const char *why) {
    struct store_step row = {
        .run = r->uuid,
        .name = args->step->name,
        .position = args->position,
        .status = STORE_STEP_SKIPPED,
        .started_ms = CTCD_TIME_NONE,
        .ended_ms = context_wall(r->op.ctx),
        .error = (char *)(uintptr_t)why,
    };
    op_progress(&r->op, "step %s: skipped (%s)", args->step->name, why);
    return store_step_add(r->op.ctx->store, &row, OP_ERR(&r->op));
}

/* Why this step cannot run: owned text, or NULL where it can. */
static char *obstacle(const struct run_op *r, size_t index) {
    const struct pipeline_spec *spec = &r->view.pipeline->spec;
    for (size_t i = 0; i < spec->step_count; i++)
        if (r->bad[i] && graph_needs(r->graph, index, i))
            return mem_text("step %s did not complete", spec->steps[i].name);
    return r->failed ? mem_copy_text("an earlier step failed") : NULL;
}

static int start_step(struct run_op *r, const struct step_args *args) {
    op_progress(&r->op, "step %s: started", args->step->name);
    switch (args->step->kind) {
    case STEP_COMMAND:
        return step_command_start(&r->op, args, &r->child);
    case STEP_DECIDE:
        return step_decide_start(&r->op, args, &r->child);
    case STEP_DEPLOY:
        return step_deploy_start(&r->op, args, &r->child);
    }
    return CTCD_E_PLUGIN;
}

static int step_next(struct run_op *r) {
    const ctcd_pipeline *pipeline = r->view.pipeline;
    if (r->at == pipeline->spec.step_count) {
        r->phase = END;
        return 0;
    }
    size_t index = pipeline->order[r->at];
    const struct step_spec *step = &pipeline->spec.steps[index];
    const struct store_step *left = last_attempt(r, step->name);
    struct step_args args = {&r->view, step, (int64_t)r->at, NULL, left ? left->attempt + 1 : 1};
    if (left && left->status != STORE_STEP_RUNNING && left->status != STORE_STEP_PENDING) {
        bool good = left->status == STORE_STEP_COMPLETED || left->status == STORE_STEP_CACHED;
        r->bad[index] = !good;
        r->failed =
            r->failed || left->status == STORE_STEP_FAILED || left->status == STORE_STEP_CANCELED;
        r->at++;
        return 0;
    }
    args.left = left;
    _cleanup_(mem_free_ptr) char *why = obstacle(r, index);
    if (why) {
        r->bad[index] = true;
        r->at++;
        return skip(r, &args, why);
    }
    r->phase = STEP;
    return start_step(r, &args);
}

/* A failed step fails the run; the first failure is the one to tell. */
static void note_failure(struct run_op *r, const struct step_spec *step) {
    r->failed = true;
    if (r->why)
        return;
    error_set(&r->why, CTCD_E_FAILED, error_hint_text(r->child->err), "step %s failed: %s",
              step->name, error_message(r->child->err));
    if (error_details(r->child->err))
        error_set_details(&r->why, error_details(r->child->err));
}

static int step_step(struct run_op *r) {
    if (!r->child->ended) {
        op_wait_child(&r->op);
        return CTCD_AGAIN;
    }
    size_t index = r->view.pipeline->order[r->at];
    const struct step_spec *step = &r->view.pipeline->spec.steps[index];
    int rc = r->child->rc;
    if (rc < 0) {
        note_failure(r, step);
        op_progress(&r->op, "step %s: failed (%s)", step->name, error_message(r->child->err));
    } else {
        op_progress(&r->op, "step %s: %s", step->name,
                    rc == CTCD_NONE      ? "skipped"
                    : r->child->doing[0] ? r->child->doing
                                         : "completed");
    }
    r->bad[index] = rc != 0;
    op_drop(&r->child);
    r->at++;
    r->phase = NEXT;
    return 0;
}

/* ---- the end ---- */

static int step_end_run(struct run_op *r) {
    ctcd_context *ctx = r->op.ctx;
    enum store_run_status status = r->failed ? STORE_RUN_FAILED : STORE_RUN_COMPLETED;
    if (r->op.stop == CTCD_E_CANCELED || r->op.stop == CTCD_E_INTERRUPTED)
        status = STORE_RUN_CANCELED;
    const char *message = r->why ? error_message(r->why) : "";
    int rc = store_run_end(ctx->store, r->uuid, r->view.record.owner, status, message,
                           context_wall(ctx), OP_ERR(&r->op));
    lockfile_release(r->lock);
    r->lock = NULL;
    ctcd_run *run = NULL;
    if (!rc)
        rc = run_load(ctx, r->uuid, &run, OP_ERR(&r->op));
    if (rc)
        return rc;
    op_set_result(&r->op, OP_RUN, run);
    op_progress(&r->op, "run %s: %s", r->view.record.name, store_run_status_name(status));
    if (r->op.stop)
        return op_fail_stopped(&r->op);
    if (!r->failed)
        return 0;
    error_done(OP_ERR(&r->op));
    r->op.err = r->why;
    r->why = NULL;
    return CTCD_E_FAILED;
}

/* The step of the moment is stopped and waited for; what would come after it is not begun. */
static int stopped(struct run_op *r) {
    if (r->phase == STEP && !r->child->ended) {
        op_stop(r->child, r->op.stop);
        op_wait_child(&r->op);
        return CTCD_AGAIN;
    }
    if (r->phase == STEP)
        step_step(r);
    if (r->phase == BEGIN && !r->view.pipeline)
        return op_fail_stopped(&r->op);
    r->failed = true;
    if (!r->why || error_code(r->why) == CTCD_E_FAILED) {
        bool late = r->op.stop == CTCD_E_TIMEOUT;
        error_set(&r->why, r->op.stop, NULL,
                  late ? "the run's time was up" : "the run was cancelled");
    }
    return step_end_run(r);
}

static int run_step_op(ctcd_op *op) {
    struct run_op *r = (struct run_op *)op;
    if (op->stop)
        return stopped(r);
    for (;;) {
        int rc = 0;
        switch (r->phase) {
        case BEGIN:
            rc = begin(r);
            r->phase = NEXT;
            break;
        case NEXT:
            rc = step_next(r);
            break;
        case STEP:
            rc = step_step(r);
            break;
        case END:
            return step_end_run(r);
        }
        if (rc)
            return rc;
    }
}

static void run_done(ctcd_op *op) {
    struct run_op *r = (struct run_op *)op;
    op_drop(&r->child);
    lockfile_done(&r->lock);
    graph_done(&r->graph);
    store_steps_done(&r->left);
    store_run_done(&r->view.record);
    object_done(&r->view.pipeline);
    error_done(&r->why);
    mem_free(r->bad);
    mem_free(r->uuid);
    r->bad = NULL;
    r->uuid = NULL;
}

static const struct op_kind RUN = {"run", run_step_op, run_done};

int run_new(ctcd_context *ctx, const char *uuid, int64_t timeout_ms, ctcd_op **ret,
            ctcd_error **err) {
    struct store *store = NULL;
    ctcd_op *op = NULL;
    char *copy = mem_copy_text(uuid);
    int rc = copy ? context_store(ctx, &store, err) : error_nomem(err);
    if (!rc)
        rc = op_new(ctx, &RUN, sizeof(struct run_op), timeout_ms, &op, err);
    if (rc) {
        mem_free(copy);
        return rc;
    }
    ((struct run_op *)op)->uuid = copy;
    *ret = op;
    return 0;
}
