/* What is asked of a run that exists (run.h): to end before its end, or to go on after it has failed. The
   request to end is a mark in its record, which whoever carries the run out looks for. */
#include <string.h>

#include "engine/function.h"
#include "engine/run.h"
#include "io/random.h"

#define LOOK_MS 100 /* between looks at a run that is to end */

/* ---- cancel ---- */

struct cancel {
    ctcd_op op;
    char uuid[37];
    ctcd_op *child; /* carries out the end of a run that nobody else carries out any more */
};

/* Nobody has begun it: it ends here. CTCD_NONE: meanwhile somebody has. */
static int end_pending(ctcd_context *ctx, const char *uuid, ctcd_error **err) {
    ctcd_error *why = NULL;
    int rc = store_run_end(ctx->store, uuid, "", STORE_RUN_CANCELED, "the run was cancelled",
                           context_wall(ctx), &why);
    if (rc == CTCD_E_CONFLICT)
        rc = CTCD_NONE;
    else if (rc && err)
        *err = mem_steal(&why);
    error_unref(why);
    return rc;
}

/* PENDING to RUNNING goes one way: the second round finds it begun, or ended. */
static int ask(ctcd_context *ctx, const char *uuid, ctcd_error **err) {
    int rc = CTCD_NONE;
    for (int i = 0; rc == CTCD_NONE && i < 2; i++) {
        rc = store_run_ask_cancel(ctx->store, uuid, context_wall(ctx), err);
        if (rc == CTCD_NONE)
            rc = end_pending(ctx, uuid, err);
    }
    return rc == CTCD_NONE
               ? error_set(err, CTCD_E_CONFLICT, "try again", "the run %s is changing", uuid)
               : rc;
}

/* Canceled as asked, or something else that came first? */
static int verdict(struct cancel *c, const struct store_run *run) {
    if (run->status == STORE_RUN_CANCELED)
        return 0;
    return error_set(OP_ERR(&c->op), CTCD_E_CONFLICT, NULL,
                     "the run %s ended before it could be cancelled: %s", run->name,
                     store_run_status_name(run->status));
}

/* Its processes go down with it, also those that outlived whoever started them. */
static int end_dead(struct cancel *c) {
    char owner[37];
    int rc = random_uuid(owner, OP_ERR(&c->op));
    if (!rc)
        rc = run_new(c->op.ctx, c->uuid, owner, op_left(&c->op), &c->child, OP_ERR(&c->op));
    if (!rc)
        op_start(c->child, &c->op);
    return rc;
}

/* That somebody else took it up at the same time is as good: the request holds for them, too. */
static int child_ended(struct cancel *c) {
    int rc = c->child->rc;
    if (rc == CTCD_E_CANCELED || rc == CTCD_E_CONFLICT || rc >= 0)
        rc = 0;
    else
        rc = op_outcome(c->child, OP_ERR(&c->op));
    op_drop(&c->child);
    return rc;
}

static int cancel_step(ctcd_op *op) {
    struct cancel *c = (struct cancel *)op;
    _cleanup_(store_run_done) struct store_run run = {0};
    bool live = false;
    if (c->child && !c->child->ended) {
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    int rc = c->child ? child_ended(c) : 0;
    if (!rc)
        rc = store_run_get(op->ctx->store, c->uuid, &run, OP_ERR(op));
    if (rc || run.status != STORE_RUN_RUNNING)
        return rc ? rc : verdict(c, &run);
    if (op->stop)
        return error_set(OP_ERR(op), op->stop, "ctcd run describe says when it has ended",
                         "the run %s has been asked to end, and has not yet", run.name);
    op_progress(op, "run %s: cancelling", run.name);
    rc = run_live(op->ctx, c->uuid, &live, OP_ERR(op));
    if (!rc && !live)
        rc = end_dead(c);
    if (rc)
        return rc;
    if (c->child)
        op_wait_child(op);
    else
        op_wait_until(op, context_mono(op->ctx) + LOOK_MS);
    return CTCD_AGAIN;
}

static void cancel_done(ctcd_op *op) {
    op_drop(&((struct cancel *)op)->child);
}

static const struct op_kind CANCEL = {
    .name = "cancel", .step = cancel_step, .done = cancel_done, .outer = true};

int run_cancel_new(ctcd_run *run, int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    ctcd_context *ctx = run->object.ctx;
    struct store *store = NULL;
    ctcd_op *op = NULL;
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = op_new(ctx, &CANCEL, sizeof(struct cancel), timeout_ms, &op, err);
    if (rc)
        return rc;
    memcpy(((struct cancel *)op)->uuid, run->record.uuid, sizeof(((struct cancel *)op)->uuid));
    rc = ask(ctx, run->record.uuid, err);
    if (rc)
        op_unref(op);
    else
        *ret = op;
    return rc;
}

/* ---- retry ---- */

static int refuse_retry(const struct store_run *now, ctcd_error **err) {
    const char *hint = now->status == STORE_RUN_COMPLETED ? "ctcd pipeline run begins a new one"
                                                          : "ctcd run cancel ends it first";
    return error_set(err, CTCD_E_CONFLICT, hint,
                     "the run %s is %s: only one that failed or was cancelled can be retried",
                     now->name, store_run_status_name(now->status));
}

static int check_retry(ctcd_context *ctx, const char *uuid, ctcd_error **err) {
    _cleanup_(store_run_done) struct store_run now = {0};
    _cleanup_(object_done) ctcd_pipeline *pipeline = NULL;
    int rc = store_run_get(ctx->store, uuid, &now, err);
    if (rc)
        return rc;
    if (now.status <= STORE_RUN_COMPLETED)
        return refuse_retry(&now, err);
    rc = pipeline_from_store(ctx, now.pipeline, now.digest, &pipeline, err);
    return rc ? rc : pipeline_check_functions(ctx, &pipeline->spec, err);
}

/* A gc may have removed it since it was looked at, with its folder: then that is the reason, whatever failed. */
static int refuse_begun(ctcd_context *ctx, const char *uuid, int rc, ctcd_error **err) {
    _cleanup_(store_run_done) struct store_run now = {0};
    _cleanup_(error_done) ctcd_error *why = NULL;
    if (store_run_get(ctx->store, uuid, &now, &why) != CTCD_E_NOT_FOUND)
        return rc;
    if (err) {
        error_done(err);
        *err = mem_steal(&why);
    }
    return CTCD_E_NOT_FOUND;
}

/* Locked before it is RUNNING, as one by hand; who dies after that leaves a run to be taken up. */
int run_retry_new(ctcd_run *run, int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    ctcd_context *ctx = run->object.ctx;
    const char *uuid = run->record.uuid;
    _cleanup_(lockfile_done) struct lockfile *lock = NULL;
    struct store *store = NULL;
    ctcd_op *op = NULL;
    char owner[37];
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = check_retry(ctx, uuid, err);
    if (!rc)
        rc = random_uuid(owner, err);
    if (rc)
        return rc;
    rc = run_lock(ctx, uuid, &lock, err);
    if (!rc)
        rc = run_new_locked(ctx, uuid, owner, &lock, timeout_ms, &op, err);
    if (rc)
        return refuse_begun(ctx, uuid, rc, err);
    rc = store_run_retry(store, uuid, owner, context_wall(ctx), err);
    if (rc == CTCD_NONE)
        rc = error_set(err, CTCD_E_CONFLICT, "see: ctcd run describe",
                       "the run %s was retried by somebody else just now", run->record.name);
    if (rc) {
        op_unref(op);
        return refuse_begun(ctx, uuid, rc, err);
    }
    *ret = op;
    return 0;
}
