/* The op that carries out one recorded run (run.h): its steps, each a child op, as many side by side as it
   may. What a dead process left of it is taken up where it stands. */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

#include "core/runname.h"
#include "engine/function.h"
#include "engine/schedule.h"
#include "io/file.h"
#include "io/random.h"

/* One step of the run, by file order. */
struct slot {
    ctcd_op *child; /* while it runs */
    bool over, bad; /* bad: it did not complete */
    char cache_key[65];
};

#define HOOK_TIMEOUT_MS 300000
#define LOOK_MS 300 /* how often a request to cancel it is looked for */

struct run_op {
    ctcd_op op;
    char *uuid, *owner;
    bool begun;
    int64_t look_at; /* monotonic: the next look for a request to cancel */
    struct run_view view;
    struct lockfile *lock;
    struct graph *graph;
    struct slot *slots;
    int64_t running;       /* of them */
    int64_t jobs;          /* at most */
    struct step_spec hook; /* on_failure, as a step; it borrows all */
    ctcd_op *hook_child;
    bool hook_over;
    int broken;              /* why it cannot be carried out: what runs is stopped first */
    struct store_steps left; /* what the store knew when we began */
    bool failed;
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

int run_lock(ctcd_context *ctx, const char *uuid, struct lockfile **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = run_folder(ctx, uuid);
    _cleanup_(mem_free_ptr) char *path = lock_path(ctx, uuid);
    if (!folder || !path)
        return error_nomem(err);
    int rc = file_make_folders(folder, err);
    if (!rc)
        rc = lockfile_try(path, ret, err);
    if (rc == CTCD_AGAIN)
        return error_set(err, CTCD_E_CONFLICT, "ctcd run cancel ends it",
                         "another process carries out the run %s", uuid);
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
    if (!rc && !(r->slots = mem_array(view->pipeline->spec.step_count + 1, sizeof(*r->slots))))
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
    int rc = r->lock ? 0 : run_lock(ctx, r->uuid, &r->lock, OP_ERR(&r->op));
    if (!rc)
        rc = make_ours(r);
    if (!rc)
        rc = read_plan(r);
    if (!rc && view->record.schedule_id)
        rc = schedule_previous(ctx, view->record.schedule_id, view->record.nominal_ms,
                               &view->previous_ms, OP_ERR(&r->op));
    if (rc)
        return rc;
    if (!r->jobs)
        r->jobs = view->pipeline->spec.jobs ? view->pipeline->spec.jobs : 1;
    op_progress(&r->op, "run %s", view->record.name);
    r->begun = true;
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
        args->failures += row->status == STORE_STEP_FAILED && !row->retried;
        if (!args->last || row->attempt >= args->last->attempt)
            args->last = row;
    }
}

/* Has the step ended, before the process that carried it out died? After a failure with retries left, and
   after an interruption, another attempt would have begun. */
static bool settled(const struct step_args *args) {
    if (!args->last || args->last->retried)
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

static void take_over_end(struct run_op *r, const struct step_args *args, struct slot *slot) {
    const struct store_step *last = args->last;
    slot->over = true;
    slot->bad = last->status != STORE_STEP_COMPLETED && last->status != STORE_STEP_CACHED;
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
        if (r->slots[i].bad && graph_needs(r->graph, index, i))
            return mem_text("step %s did not complete", spec->steps[i].name);
    return r->failed ? mem_copy_text("an earlier step failed") : NULL;
}

static int start_step(struct run_op *r, const struct step_args *args, struct slot *slot) {
    int rc = CTCD_E_PLUGIN;
    op_progress(&r->op, "step %s: started", args->step->name);
    switch (args->step->kind) {
    case STEP_COMMAND:
        rc = step_command_start(&r->op, args, &slot->child);
        break;
    case STEP_DECIDE:
        rc = step_decide_start(&r->op, args, &slot->child);
        break;
    case STEP_DEPLOY:
        rc = step_deploy_start(&r->op, args, &slot->child);
        break;
    case STEP_FUNCTION:
        rc = step_function_start(&r->op, args, &slot->child);
        break;
    }
    r->running += rc == 0;
    return rc;
}

/* Deploy steps look for themselves: they also have to ask the server. CTCD_NONE: it has to be done. */
static int reuse(struct run_op *r, struct step_args *args, struct slot *slot) {
    int rc = step_cache_key(args, slot->cache_key, OP_ERR(&r->op));
    if (!rc)
        rc = args->step->kind == STEP_DEPLOY ? CTCD_NONE : step_reuse(args, OP_ERR(&r->op));
    if (!rc)
        op_progress(&r->op, "step %s: cached", args->step->name);
    return rc;
}

/* It is this step's turn. 0: it runs, or is over already; CTCD_AGAIN: too many others run. */
static int take_turn(struct run_op *r, size_t position) {
    const ctcd_pipeline *pipeline = r->view.pipeline;
    size_t index = pipeline->order[position];
    struct slot *slot = &r->slots[index];
    struct step_args args = {.run = &r->view,
                             .step = &pipeline->spec.steps[index],
                             .position = (int64_t)position,
                             .cache_key = slot->cache_key};
    look_back(r, &args);
    if (settled(&args)) {
        take_over_end(r, &args, slot);
        return 0;
    }
    if (step_left(&args)) /* what still runs is looked after in any case */
        return start_step(r, &args, slot);
    _cleanup_(mem_free_ptr) char *why = obstacle(r, index);
    if (why) {
        slot->over = slot->bad = true;
        return skip(r, &args, why);
    }
    if (r->running >= r->jobs)
        return CTCD_AGAIN;
    int rc = args.last ? CTCD_NONE : reuse(r, &args, slot);
    if (rc == CTCD_NONE)
        return start_step(r, &args, slot);
    slot->over = rc == 0;
    return rc;
}

static void step_ended(struct run_op *r, size_t index) {
    struct slot *slot = &r->slots[index];
    const char *name = r->view.pipeline->spec.steps[index].name;
    const ctcd_error *said = slot->child->err;
    int rc = slot->child->rc;
    if (rc < 0 && r->op.stop)
        r->cut = r->op.stop;
    else if (rc < 0)
        note_failure(r, name, error_message(said), error_hint_text(said), error_details(said));
    if (rc < 0)
        op_progress(&r->op, "step %s: %s (%s)", name, r->op.stop ? "cancelled" : "failed",
                    error_message(said));
    else if (rc)
        op_progress(&r->op, "step %s: skipped", name);
    slot->over = true;
    slot->bad = rc != 0;
    op_drop(&slot->child);
    r->running--;
}

static bool is_ready(const struct run_op *r, size_t index) {
    for (size_t i = 0; i < r->view.pipeline->spec.step_count; i++)
        if (!r->slots[i].over && i != index && graph_needs(r->graph, index, i))
            return false;
    return true;
}

/* One look at a step. *moved: something of it has changed, so that others may have their turn. */
static int look_at_step(struct run_op *r, size_t position, bool *moved) {
    size_t index = r->view.pipeline->order[position];
    struct slot *slot = &r->slots[index];
    if (slot->over)
        return 0;
    if (slot->child && slot->child->ended) {
        step_ended(r, index);
        *moved = true;
        return 0;
    }
    if (slot->child) {
        if (r->op.stop)
            op_stop(slot->child, r->op.stop);
        return 0;
    }
    if (!is_ready(r, index))
        return 0;
    int rc = take_turn(r, position);
    *moved = *moved || rc == 0;
    return rc == CTCD_AGAIN ? 0 : rc;
}

/* 0: all are over. */
static int run_steps(struct run_op *r) {
    size_t count = r->view.pipeline->spec.step_count;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < count; i++) {
            int rc = look_at_step(r, i, &moved);
            if (rc)
                return rc;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (!r->slots[i].over) {
            op_wait_child(&r->op);
            return CTCD_AGAIN;
        }
    return 0;
}

/* ---- the end ---- */

/* The command of on_failure: is recorded and looked after like a step, but what becomes of it changes nothing.
   0: it is over. */
static int run_hook(struct run_op *r) {
    struct pipeline_spec *spec = &r->view.pipeline->spec;
    if (!r->failed || r->cut || !spec->on_failure || r->hook_over)
        return 0;
    if (!r->hook_child) {
        r->hook = (struct step_spec){.name = (char *)(uintptr_t)ON_FAILURE,
                                     .kind = STEP_COMMAND,
                                     .argv = spec->on_failure,
                                     .timeout_ms = HOOK_TIMEOUT_MS};
        struct step_args args = {.run = &r->view,
                                 .step = &r->hook,
                                 .position = (int64_t)spec->step_count,
                                 .cache_key = "",
                                 .run_error = error_message(r->why)};
        look_back(r, &args);
        if (args.last && !args.last->retried && !step_left(&args)) {
            r->hook_over = true;
            return 0;
        }
        int rc = step_command_start(&r->op, &args, &r->hook_child);
        if (rc)
            return rc;
    }
    if (!r->hook_child->ended) {
        if (r->op.stop)
            op_stop(r->hook_child, r->op.stop);
        op_wait_child(&r->op);
        return CTCD_AGAIN;
    }
    if (r->hook_child->rc < 0)
        context_log(r->op.ctx, CTCD_LOG_WARNING, "the on_failure command of run %s: %s",
                    r->view.record.name, error_message(r->hook_child->err));
    op_drop(&r->hook_child);
    r->hook_over = true;
    return 0;
}

/* 0: nothing of it runs any more. */
static int stop_steps(struct run_op *r) {
    int rc = 0;
    for (size_t i = 0; r->slots && i < r->view.pipeline->spec.step_count; i++) {
        ctcd_op *child = r->slots[i].child;
        if (!child || child->ended)
            continue;
        op_stop(child, CTCD_E_CANCELED);
        op_wait_child(&r->op);
        rc = CTCD_AGAIN;
    }
    return rc;
}

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

/* Has somebody asked for its end (run_cancel_new)? What cannot be asked now is asked at the next look. */
static void look_for_cancel(struct run_op *r) {
    ctcd_context *ctx = r->op.ctx;
    int64_t now = context_mono(ctx);
    bool asked = false;
    if (r->op.stop || now < r->look_at)
        return;
    r->look_at = now + LOOK_MS;
    if (!store_run_cancel_asked(ctx->store, r->uuid, &asked, NULL) && asked)
        op_stop(&r->op, CTCD_E_CANCELED);
}

static int run_step_op(ctcd_op *op) {
    struct run_op *r = (struct run_op *)op;
    int rc = r->broken;
    if (!rc && !r->begun)
        rc = begin(r);
    if (!rc)
        look_for_cancel(r);
    if (!rc)
        rc = run_steps(r);
    if (!rc)
        rc = run_hook(r);
    if (!rc)
        rc = end_run(r);
    if (rc == CTCD_AGAIN && !op->stop)
        op_wait_until(op, r->look_at);
    if (rc == CTCD_AGAIN || r->op.result)
        return rc;
    r->broken = rc;
    return stop_steps(r) == CTCD_AGAIN ? CTCD_AGAIN : give_up(r, rc);
}

static void run_done(ctcd_op *op) {
    struct run_op *r = (struct run_op *)op;
    for (size_t i = 0; r->slots && i < r->view.pipeline->spec.step_count; i++)
        op_drop(&r->slots[i].child);
    op_drop(&r->hook_child);
    mem_free(r->slots);
    r->slots = NULL;
    lockfile_done(&r->lock);
    graph_done(&r->graph);
    store_steps_done(&r->left);
    store_run_done(&r->view.record);
    object_done(&r->view.pipeline);
    error_done(&r->why);
    mem_free(r->uuid);
    mem_free(r->owner);
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

int run_new_locked(ctcd_context *ctx, const char *uuid, const char *owner, struct lockfile **lock,
                   int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    int rc = run_new(ctx, uuid, owner, timeout_ms, ret, err);
    if (!rc)
        ((struct run_op *)*ret)->lock = mem_steal(lock);
    return rc;
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
    r->jobs = pipeline->spec.jobs;
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
    rc = run_lock(ctx, uuid, &r->lock, err);
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
