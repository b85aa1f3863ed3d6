/* The op that carries out one recorded run (run.h): its steps one after the other, each a child op. What a
   dead process left of it is taken up where it stands. */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

#include "core/runname.h"
#include "engine/function.h"
#include "engine/schedule.h"
#include "io/file.h"
#include "io/random.h"

enum phase { BEGIN, NEXT, STEP, END };

struct run_op {
    ctcd_op op;
    char *uuid, *owner;
    enum phase phase;
    struct run_view view;
    struct lockfile *lock;
    struct graph *graph;
    bool *bad; /* by file order: failed or skipped */
    size_t at; /* in pipeline->order */
    ctcd_op *child;
    struct store_steps left; /* what the store knew when we began */
    bool failed;
    char cache_key[65]; /* of the step of the moment */
    int cut; /* why it ended before its end: CTCD_E_CANCELED, _INTERRUPTED, _TIMEOUT; or 0 */
    ctcd_error *why; /* of the first step that failed */
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

static int take_lock(ctcd_context *ctx, const char *uuid, struct lockfile **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = run_folder(ctx, uuid);
    _cleanup_(mem_free_ptr) char *path = lock_path(ctx, uuid);
    if (!folder || !path)
        return error_nomem(err);
    int rc = file_make_folders(folder, err);
    if (!rc)
        rc = lockfile_try(path, ret, err);
    if (rc == CTCD_AGAIN)
        return error_set(err, CTCD_E_CONFLICT, NULL, "another process carries out the run %s",
                         uuid);
    return rc;
}

/* ---- beginning ---- */

/* Ours from now on, in the store, too: its lock says that whoever had it before is dead. */
static int make_ours(struct run_op *r) {
    struct store *store = r->op.ctx->store;
    struct store_run *record = &r->view.record;
    ctcd_error **err = OP_ERR(&r->op);
    int rc = store_run_get(store, r->uuid, record, err);
    if (!rc && record->status != STORE_RUN_RUNNING)
        return error_set(err, CTCD_E_CONFLICT, NULL, "the run %s is %s", record->name,
                         store_run_status_name(record->status));
    if (rc || strcmp(record->owner, r->owner) == 0)
        return rc;
    rc = store_run_take_over(store, r->uuid, record->owner, r->owner, context_wall(r->op.ctx), err);
    if (rc == CTCD_NONE)
        return error_set(err, CTCD_E_CONFLICT, NULL, "another process took up the run %s",
                         record->name);
    return rc;
}

static int read_plan(struct run_op *r) {
    ctcd_context *ctx = r->op.ctx;
    ctcd_error **err = OP_ERR(&r->op);
    struct run_view *view = &r->view;
    int rc =
        pipeline_from_store(ctx, view->record.pipeline, view->record.digest, &view->pipeline, err);
    if (!rc)
        rc = pipeline_apply_params(&view->pipeline->spec, view->record.params, err);
    if (!rc)
        rc = pipeline_spec_graph(&view->pipeline->spec, &r->graph, err);
    if (!rc && !(r->bad = mem_array(view->pipeline->spec.step_count + 1, sizeof(*r->bad))))
        rc = error_nomem(err);
    if (!rc)
        rc = store_step_list(ctx->store, r->uuid, &r->left, err);
    return rc;
}

static int begin(struct run_op *r) {
    ctcd_context *ctx = r->op.ctx;
    struct run_view *view = &r->view;
    view->ctx = ctx;
    view->previous_ms = CTCD_TIME_NONE;
    int rc = r->lock ? 0 : take_lock(ctx, r->uuid, &r->lock, OP_ERR(&r->op));
    if (!rc)
        rc = make_ours(r);
    if (!rc)
        rc = read_plan(r);
    if (rc)
        return rc;
    if (view->record.schedule_id)
        schedule_previous(ctx, view->record.schedule_id, view->record.nominal_ms,
                          &view->previous_ms);
    op_progress(&r->op, "run %s", view->record.name);
    r->phase = NEXT;
    return 0;
}

/* Something broke that no step is to blame for. A run that is ours ends with it, lest it be taken up for
   ever; where not even that can be written it stays as it is. */
static int give_up(struct run_op *r, int rc) {
    ctcd_context *ctx = r->op.ctx;
    _cleanup_(store_run_done) struct store_run now = {0};
    const char *message = error_message(r->op.err);
    if ((rc == CTCD_E_CONFLICT && !r->lock) || store_run_get(ctx->store, r->uuid, &now, NULL))
        return rc;
    bool ours = r->lock || strcmp(now.owner, r->owner) == 0;
    if (ours && !store_run_end(ctx->store, r->uuid, now.owner, STORE_RUN_ABANDONED, message,
                               context_wall(ctx), NULL))
        op_progress(&r->op, "run %s: abandoned (%s)", now.name, message);
    return rc;
}

/* ---- the steps ---- */

static void look_back(const struct run_op *r, struct step_args *args) {
    for (size_t i = 0; i < r->left.count; i++) {
        const struct store_step *row = &r->left.items[i];
        if (strcmp(row->name, args->step->name) != 0)
            continue;
        args->failures += row->status == STORE_STEP_FAILED;
        if (!args->last || row->attempt >= args->last->attempt)
            args->last = row;
    }
}

/* Has the step ended, before the process that carried it out died? After a failure with retries left, and
   after an interruption, another attempt would have begun. */
static bool settled(const struct step_args *args) {
    if (!args->last)
        return false;
    switch (args->last->status) {
    case STORE_STEP_PENDING:
    case STORE_STEP_RUNNING:
    case STORE_STEP_INTERRUPTED:
        return false;
    case STORE_STEP_FAILED:
        return args->failures > args->step->retries_max;
    default:
        return true;
    }
}

/* A failed step fails the run; the first failure is the one to tell. */
static void note_failure(struct run_op *r, const char *step, const char *message, const char *hint,
                         const char *details) {
    r->failed = true;
    if (r->why)
        return;
    error_set(&r->why, CTCD_E_FAILED, hint, "step %s failed: %s", step, message);
    if (details)
        error_set_details(&r->why, details);
}

static void take_over_end(struct run_op *r, const struct step_args *args, size_t index) {
    const struct store_step *last = args->last;
    r->bad[index] = last->status != STORE_STEP_COMPLETED && last->status != STORE_STEP_CACHED;
    if (last->status == STORE_STEP_FAILED)
        note_failure(r, last->name, last->error, NULL, NULL);
    if (last->status == STORE_STEP_CANCELED)
        r->cut = CTCD_E_CANCELED;
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

static const char *cut_text(int why) {
    return why == CTCD_E_TIMEOUT ? "the run's time was up" : "the run was cancelled";
}

/* Why this step cannot run: owned text, or NULL where it can. */
static char *obstacle(struct run_op *r, size_t index) {
    const struct pipeline_spec *spec = &r->view.pipeline->spec;
    if (r->op.stop && !r->failed)
        r->cut = r->op.stop;
    if (r->cut)
        return mem_copy_text(cut_text(r->cut));
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
    case STEP_FUNCTION:
        return step_function_start(&r->op, args, &r->child);
    }
    return CTCD_E_PLUGIN;
}

/* Deploy steps look for themselves: they also have to ask the server. CTCD_NONE: it has to be done. */
static int reuse(struct run_op *r, struct step_args *args) {
    int rc = step_cache_key(args, r->cache_key, OP_ERR(&r->op));
    if (!rc)
        rc = args->step->kind == STEP_DEPLOY ? CTCD_NONE : step_reuse(args, OP_ERR(&r->op));
    if (!rc)
        op_progress(&r->op, "step %s: cached", args->step->name);
    return rc;
}

static int step_next(struct run_op *r) {
    const ctcd_pipeline *pipeline = r->view.pipeline;
    if (r->at == pipeline->spec.step_count) {
        r->phase = END;
        return 0;
    }
    size_t index = pipeline->order[r->at];
    struct step_args args = {.run = &r->view,
                             .step = &pipeline->spec.steps[index],
                             .position = (int64_t)r->at,
                             .cache_key = r->cache_key};
    r->cache_key[0] = '\0';
    look_back(r, &args);
    if (settled(&args)) {
        take_over_end(r, &args, index);
        r->at++;
        return 0;
    }
    /* What still runs is looked after in any case. */
    _cleanup_(mem_free_ptr) char *why = step_left(&args) ? NULL : obstacle(r, index);
    if (why) {
        r->bad[index] = true;
        r->at++;
        return skip(r, &args, why);
    }
    int rc = args.last ? CTCD_NONE : reuse(r, &args);
    if (rc != CTCD_NONE) {
        r->at++;
        return rc;
    }
    r->phase = STEP;
    return start_step(r, &args);
}

static int step_step(struct run_op *r) {
    if (!r->child->ended) {
        if (r->op.stop)
            op_stop(r->child, r->op.stop);
        op_wait_child(&r->op);
        return CTCD_AGAIN;
    }
    size_t index = r->view.pipeline->order[r->at];
    const struct step_spec *step = &r->view.pipeline->spec.steps[index];
    const ctcd_error *said = r->child->err;
    int rc = r->child->rc;
    if (rc < 0 && r->op.stop)
        r->cut = r->op.stop;
    else if (rc < 0)
        note_failure(r, step->name, error_message(said), error_hint_text(said),
                     error_details(said));
    if (rc < 0)
        op_progress(&r->op, "step %s: %s (%s)", step->name, r->op.stop ? "cancelled" : "failed",
                    error_message(said));
    else if (rc)
        op_progress(&r->op, "step %s: skipped", step->name);
    r->bad[index] = rc != 0;
    op_drop(&r->child);
    r->at++;
    r->phase = NEXT;
    return 0;
}

/* ---- the end ---- */

static int end_run(struct run_op *r) {
    ctcd_context *ctx = r->op.ctx;
    ctcd_error **err = OP_ERR(&r->op);
    enum store_run_status status = r->cut == CTCD_E_TIMEOUT ? STORE_RUN_FAILED
                                   : r->cut                 ? STORE_RUN_CANCELED
                                   : r->failed              ? STORE_RUN_FAILED
                                                            : STORE_RUN_COMPLETED;
    const char *message = r->cut ? cut_text(r->cut) : r->why ? error_message(r->why) : "";
    int rc = store_run_end(ctx->store, r->uuid, r->owner, status, message, context_wall(ctx), err);
    if (rc)
        return rc;
    lockfile_done(&r->lock);
    ctcd_run *run = NULL;
    rc = run_load(ctx, r->uuid, &run, err);
    if (rc)
        return rc;
    op_set_result(&r->op, OP_RUN, run);
    op_progress(&r->op, "run %s: %s", r->view.record.name, store_run_status_name(status));
    if (r->cut)
        return error_set(err, r->cut, NULL, "%s", message);
    if (!r->failed)
        return 0;
    error_done(err);
    *err = mem_steal(&r->why);
    return CTCD_E_FAILED;
}

static int run_step_op(ctcd_op *op) {
    struct run_op *r = (struct run_op *)op;
    for (;;) {
        int rc = 0;
        switch (r->phase) {
        case BEGIN:
            rc = begin(r);
            break;
        case NEXT:
            rc = step_next(r);
            break;
        case STEP:
            rc = step_step(r);
            break;
        case END:
            return end_run(r);
        }
        if (rc)
            return rc == CTCD_AGAIN ? rc : give_up(r, rc);
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
    mem_free(r->owner);
    r->bad = NULL;
    r->uuid = r->owner = NULL;
}

static const struct op_kind RUN = {
    .name = "run", .step = run_step_op, .done = run_done, .outer = true};

/* ---- making ---- */

static int make(ctcd_context *ctx, int64_t timeout_ms, struct run_op **ret, ctcd_error **err) {
    struct store *store = NULL;
    ctcd_op *op = NULL;
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = op_new(ctx, &RUN, sizeof(struct run_op), timeout_ms, &op, err);
    if (!rc)
        *ret = (struct run_op *)op;
    return rc;
}

int run_new(ctcd_context *ctx, const char *uuid, const char *owner, int64_t timeout_ms,
            ctcd_op **ret, ctcd_error **err) {
    struct run_op *r = NULL;
    int rc = make(ctx, timeout_ms, &r, err);
    if (rc)
        return rc;
    r->uuid = mem_copy_text(uuid);
    r->owner = mem_copy_text(owner);
    if (!r->uuid || !r->owner) {
        op_unref(&r->op);
        return error_nomem(err);
    }
    *ret = &r->op;
    return 0;
}

/* Names are made of the time: runs of the same millisecond get different microseconds. */
static int add_named(struct store *store, struct store_run *record, ctcd_error **err) {
    int rc = CTCD_E_EXISTS;
    for (int i = 0; rc == CTCD_E_EXISTS && i < 1000; i++) {
        _cleanup_(mem_free_ptr) char *name = run_name(record->pipeline, record->created_ms, i);
        if (!name)
            return error_nomem(err);
        record->name = name;
        rc = store_run_add(store, record, err);
        record->name = NULL;
    }
    if (!rc && err)
        error_done(err); /* of the names that were taken */
    return rc;
}

/* Locked before it is RUNNING in the store: a scheduler would take it for a dead process's. */
static int record_by_hand(struct run_op *r, ctcd_pipeline *pipeline, ctcd_error **err) {
    ctcd_context *ctx = r->op.ctx;
    char digest[65], uuid[37];
    int rc = pipeline_put(pipeline, digest, err);
    if (!rc)
        rc = random_uuid(uuid, err);
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *params = pipeline_params(&pipeline->spec);
    r->uuid = mem_copy_text(uuid);
    r->owner = mem_copy_text(uuid);
    if (!params || !r->uuid || !r->owner)
        return error_nomem(err);
    int64_t now = context_wall(ctx);
    struct store_run record = {
        .uuid = uuid,
        .pipeline = pipeline->spec.name,
        .digest = digest,
        .nominal_ms = CTCD_TIME_NONE,
        .params = params,
        .status = STORE_RUN_RUNNING,
        .created_ms = now,
        .started_ms = now,
        .ended_ms = CTCD_TIME_NONE,
        .owner = r->owner,
    };
    rc = take_lock(ctx, uuid, &r->lock, err);
    return rc ? rc : add_named(ctx->store, &record, err);
}

int run_new_by_hand(ctcd_pipeline *pipeline, int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    struct run_op *r = NULL;
    int rc = make(pipeline->object.ctx, timeout_ms, &r, err);
    if (rc)
        return rc;
    rc = pipeline_check_functions(r->op.ctx, &pipeline->spec, err);
    if (!rc)
        rc = record_by_hand(r, pipeline, err);
    if (rc)
        op_unref(&r->op);
    else
        *ret = &r->op;
    return rc;
}
