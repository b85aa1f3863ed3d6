/* One revision goes down (deploy.h). */
#include "engine/deploy.h"
#include "io/file.h"

#define FORCE_LEAST_MS 15000 /* without draining it gets so much, within the parent's OP_UNDO_MS */

struct take_down {
    ctcd_op op;
    struct backend *backend;
    struct ctcd_revision revision;
    uint32_t flags;
    ctcd_call *call;
    int64_t number;
};

/* Under a stop it goes on, with force: a revision that is half down helps nobody. */
static int take_down_step(ctcd_op *op) {
    struct take_down *t = (struct take_down *)op;
    if (op->stop && !op->parent) { /* nobody waits any more, and the lock may be another's */
        call_drop(&t->call);
        return op_fail_stopped(op);
    }
    if (op->stop && !(t->flags & CTCD_REMOVE_FORCE)) {
        call_drop(&t->call);
        t->flags |= CTCD_REMOVE_FORCE;
    }
    if (!t->call) {
        struct call_args args = {.revision = &t->revision, .flags = t->flags};
        int64_t left = op_left(op);
        int rc = call_start(
            op, t->backend, CALL_REMOVE, &args,
            context_mono(op->ctx) + (left < STOP_TIMEOUT_MS ? left : STOP_TIMEOUT_MS), &t->call);
        if (rc)
            return rc;
    }
    if (!call_ended(t->call)) {
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    int rc = call_result(t->call, OP_ERR(op));
    call_drop(&t->call);
    if (rc == CTCD_E_TIMEOUT && !(t->flags & CTCD_REMOVE_FORCE)) {
        error_done(OP_ERR(op));
        t->flags |= CTCD_REMOVE_FORCE;
        op->deadline = INT64_MAX; /* the drain had its time; killing gets a little more */
        op_wake(op);
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    return rc;
}

static void take_down_done(ctcd_op *op) {
    struct take_down *t = (struct take_down *)op;
    call_drop(&t->call);
    revision_done(&t->revision);
}

static const struct op_kind TAKE_DOWN = {
    .name = "stop of a revision", .step = take_down_step, .done = take_down_done};

int take_down_start(ctcd_op *parent, struct backend *backend, const char *service,
                    const char *model, int64_t number, uint32_t flags, ctcd_op **ret) {
    ctcd_context *ctx = parent->ctx;
    ctcd_error **err = OP_ERR(parent);
    _cleanup_(store_revision_done) struct store_revision record = {0};
    int rc = store_revision_get(ctx->store, service, number, &record, err);
    ctcd_op *op = NULL;
    int64_t left = op_left(parent);
    if ((flags & CTCD_REMOVE_FORCE) && left < FORCE_LEAST_MS)
        left = FORCE_LEAST_MS; /* an undo must not fail because what it undoes took all the time */
    if (!rc)
        rc = op_new(ctx, &TAKE_DOWN, sizeof(struct take_down), left, &op, err);
    if (rc)
        return rc;
    struct take_down *t = (struct take_down *)op;
    t->backend = backend;
    t->flags = flags;
    t->number = number;
    rc = revision_load(ctx, backend, &record, model, &t->revision, err);
    if (!rc) /* an interrupted delete may have removed it */
        rc = file_make_folders(t->revision.folder, err);
    if (rc) {
        op_unref(op);
        return rc;
    }
    op_start(op, parent);
    op_progress(op, "stopping revision %lld of %s", (long long)number, model);
    *ret = op;
    return 0;
}
