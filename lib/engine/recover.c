/* What dead operations left of a service is taken down, one revision after the other (deploy.h). The store
   says which: a revision is STARTING from before its server is begun, and STOPPED or FAILED only when nothing
   of it can run any more. */
#include "engine/deploy.h"

struct recover {
    ctcd_op op;
    struct backend *backend;
    char *service, *model;
    int64_t keep;
    struct store_revisions revisions;
    size_t at; /* the next one to look at */
    ctcd_op *child;
};

/* CTCD_AGAIN: it is still going down. */
static int finish_one(struct recover *r) {
    ctcd_op *op = &r->op;
    if (!r->child->ended) {
        if (op->stop)
            op_stop(r->child, op->stop);
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    int rc = op_outcome(r->child, OP_ERR(op));
    op_drop(&r->child);
    if (rc)
        return rc;
    const struct store_revision *gone = &r->revisions.items[r->at - 1];
    enum store_revision_state state =
        gone->state == STORE_REVISION_STARTING ? STORE_REVISION_FAILED : STORE_REVISION_STOPPED;
    return store_revision_set_state(op->ctx->store, r->service, gone->number, state,
                                    context_wall(op->ctx), OP_ERR(op));
}

/* One that served may have open requests. */
static int begin_one(struct recover *r, const struct store_revision *revision) {
    uint32_t flags = revision->state == STORE_REVISION_STARTING ? CTCD_REMOVE_FORCE : 0;
    return take_down_start(&r->op, r->backend, r->service, r->model, revision->number, flags,
                           &r->child);
}

static int recover_step(ctcd_op *op) {
    struct recover *r = (struct recover *)op;
    if (op->stop && !op->parent)
        return op_fail_stopped(op); /* nobody waits any more, and the lock may be another's */
    for (;;) {
        int rc = r->child ? finish_one(r) : 0;
        if (rc)
            return rc;
        while (r->at < r->revisions.count && r->revisions.items[r->at].number == r->keep)
            r->at++;
        if (r->at == r->revisions.count)
            return 0;
        if (op->stop)
            return op_fail_stopped(op);
        rc = begin_one(r, &r->revisions.items[r->at++]);
        if (rc)
            return rc;
    }
}

static void recover_done(ctcd_op *op) {
    struct recover *r = (struct recover *)op;
    op_drop(&r->child);
    store_revisions_done(&r->revisions);
    mem_free(r->service);
    mem_free(r->model);
    r->service = r->model = NULL;
}

static const struct op_kind RECOVER = {
    .name = "clearing up", .step = recover_step, .done = recover_done};

static bool anything(const struct store_revisions *revisions, int64_t keep) {
    for (size_t i = 0; i < revisions->count; i++)
        if (revisions->items[i].number != keep)
            return true;
    return false;
}

int recover_start(ctcd_op *parent, struct backend *backend, const char *service, const char *model,
                  int64_t keep, ctcd_op **ret) {
    _cleanup_(store_revisions_done) struct store_revisions revisions = {0};
    int rc = store_revision_list_unended(parent->ctx->store, service, &revisions, OP_ERR(parent));
    if (rc)
        return rc;
    if (!anything(&revisions, keep))
        return CTCD_NONE;
    ctcd_op *op = NULL;
    rc =
        op_new(parent->ctx, &RECOVER, sizeof(struct recover), op_left(parent), &op, OP_ERR(parent));
    if (rc)
        return rc;
    struct recover *r = (struct recover *)op;
    r->backend = backend;
    r->keep = keep;
    r->revisions = revisions;
    revisions = (struct store_revisions){0};
    r->service = mem_copy_text(service);
    r->model = mem_copy_text(model);
    if (!r->service || !r->model) {
        op_unref(op);
        return error_nomem(OP_ERR(parent));
    }
    op_progress(parent, "clearing up after an interrupted operation");
    op_start(op, parent);
    *ret = op;
    return 0;
}
