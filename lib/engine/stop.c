/* Stop and delete (deploy.h): what may run of the service goes down; delete then forgets the service. What a
   dead operation left goes down with it, so that needs no step of its own. */
#include <stdio.h>
#include <string.h>

#include "engine/deploy.h"
#include "io/tree.h"

enum phase { LOCK, DOWN, FINISH };

struct stop {
    ctcd_op op;
    char uuid[37];
    bool deletes;
    uint32_t flags; /* CTCD_DELETE_* */
    enum phase phase;
    struct store_service service;
    struct store_revisions revisions;
    size_t at; /* the next one of revisions to take down */
    struct backend *backend;
    struct mutation mutation;
    ctcd_op *child;
};

static int child_result(struct stop *s) {
    if (!s->child)
        return 0;
    if (!s->child->ended) {
        op_wait_child(&s->op);
        return CTCD_AGAIN;
    }
    int rc = op_outcome(s->child, OP_ERR(&s->op));
    op_drop(&s->child);
    return rc;
}

static int load(struct stop *s) {
    ctcd_context *ctx = s->op.ctx;
    ctcd_error **err = OP_ERR(&s->op);
    store_service_done(&s->service);
    int rc = store_service_get(ctx->store, s->uuid, &s->service, err);
    if (rc)
        return rc;
    rc = backend_get(ctx, s->service.deployer, &s->backend, err);
    if (rc && rc != CTCD_E_NOMEM && (s->flags & CTCD_DELETE_FORCE)) {
        s->backend = NULL; /* nobody here can reach what it made */
        error_done(err);
        rc = 0;
    }
    return rc;
}

/* The end of what was left, and the intent, in one transaction. */
static int record_intent(struct stop *s) {
    struct store *store = s->op.ctx->store;
    ctcd_error **err = OP_ERR(&s->op);
    int rc = store_begin(store, err);
    if (rc)
        return rc;
    rc = mutation_resolved(
        &s->mutation,
        s->deletes ? "interrupted; resolved by a delete" : "interrupted; resolved by a stop", err);
    if (!rc)
        rc =
            mutation_begin(&s->mutation, s->deletes ? STORE_OPERATION_DELETE : STORE_OPERATION_STOP,
                           "stopping", s->service.revision, 0, op_left(&s->op), err);
    if (!rc)
        rc = store_service_set_desired(store, s->uuid, CTCD_STATE_INACTIVE, err);
    return mutation_commit(&s->mutation, rc, err);
}

static int step_lock(struct stop *s) {
    int rc = load(s);
    if (!rc)
        rc = mutation_enter(&s->mutation, &s->op, s->uuid);
    if (rc)
        return rc;
    rc = load(s); /* it may have changed, or gone, while we waited for the lock */
    if (rc == CTCD_E_NOT_FOUND)
        mutation_forget(&s->mutation);
    if (!rc)
        rc = store_revision_list(s->op.ctx->store, s->uuid, &s->revisions, OP_ERR(&s->op));
    if (!rc)
        rc = record_intent(s);
    s->phase = rc ? LOCK : DOWN;
    return rc;
}

/* Has this revision something that could run? A stop asks the one that serves, a delete all. */
static bool concerns(const struct stop *s, const struct store_revision *revision) {
    return s->deletes || revision->number == s->service.revision ||
           revision->state == STORE_REVISION_STARTING || revision->state == STORE_REVISION_DRAINING;
}

static int took_down(struct stop *s) {
    const struct store_revision *last = &s->revisions.items[s->at - 1];
    if (last->state == STORE_REVISION_STOPPED || last->state == STORE_REVISION_FAILED)
        return 0; /* and when it ended is known */
    return store_revision_set_state(s->op.ctx->store, s->uuid, last->number, STORE_REVISION_STOPPED,
                                    context_wall(s->op.ctx), OP_ERR(&s->op));
}

static int step_down(struct stop *s) {
    bool had_one = s->child != NULL;
    int rc = child_result(s);
    if (rc == CTCD_AGAIN)
        return rc;
    /* That our own memory ran out says nothing about the server: it would run on, and nobody would know. */
    if (rc && rc != CTCD_E_NOMEM && (s->flags & CTCD_DELETE_FORCE)) {
        context_log(s->op.ctx, CTCD_LOG_WARNING, "forgetting the service of %s all the same: %s",
                    s->service.model, error_message(s->op.err));
        error_done(OP_ERR(&s->op));
        rc = 0;
    } else if (!rc && had_one) {
        rc = took_down(s);
    }
    if (rc)
        return rc;
    if (!s->backend) {
        context_log(
            s->op.ctx, CTCD_LOG_WARNING,
            "forgetting the service of %s: its model deployer %s is not known here, and what "
            "runs of it is not ended",
            s->service.model, s->service.deployer);
        s->at = s->revisions.count;
    }
    while (s->at < s->revisions.count) {
        const struct store_revision *revision = &s->revisions.items[s->at++];
        if (concerns(s, revision))
            return take_down_start(&s->op, s->backend, s->uuid, s->service.model, revision->number,
                                   s->flags & CTCD_DELETE_FORCE ? CTCD_REMOVE_FORCE : 0, &s->child);
    }
    s->phase = FINISH;
    return 0;
}

/* Their folders before the record of them, so that whatever is left is still listed, and the next delete
   finds it. The folder with the lock comes last. */
static int remove_folders(struct stop *s) {
    for (size_t i = 0; i < s->revisions.count; i++) {
        _cleanup_(mem_free_ptr) char *folder =
            revision_folder(s->op.ctx, s->uuid, s->revisions.items[i].number);
        int rc = folder ? tree_remove(folder, OP_ERR(&s->op)) : error_nomem(OP_ERR(&s->op));
        if (rc)
            return rc;
    }
    return 0;
}

static int forget(struct stop *s) {
    ctcd_context *ctx = s->op.ctx;
    ctcd_error **err = OP_ERR(&s->op);
    int rc = remove_folders(s);
    if (!rc)
        rc = store_begin(ctx->store, err);
    if (rc)
        return rc;
    rc = store_service_remove(ctx->store, s->uuid, context_wall(ctx), err);
    if (!rc)
        rc = store_operation_end(ctx->store, s->mutation.operation, "", context_wall(ctx), err);
    if (rc)
        store_rollback(ctx->store);
    else
        rc = store_commit(ctx->store, err);
    if (!rc)
        mutation_forget(&s->mutation);
    return rc;
}

static int end_well(struct stop *s) {
    ctcd_context *ctx = s->op.ctx;
    ctcd_error **err = OP_ERR(&s->op);
    ctcd_service *service = NULL;
    int rc = store_begin(ctx->store, err);
    if (rc)
        return rc;
    rc = store_service_set_error(ctx->store, s->uuid, NULL, NULL, context_wall(ctx), err);
    if (!rc)
        rc = mutation_end(&s->mutation, err);
    if (rc)
        store_rollback(ctx->store);
    else
        rc = store_commit(ctx->store, err);
    if (!rc)
        rc = service_load(ctx, s->uuid, &service, err);
    if (!rc)
        op_set_result(&s->op, OP_SERVICE, service);
    return rc;
}

/* Before the intent there is nothing to go on with. After it the row stays open: what is half down is to be
   taken down by the next one. */
static int give_up(struct stop *s, int rc) {
    mutation_fail(&s->mutation, false, 0, s->op.err);
    return rc;
}

static int stop_step(ctcd_op *op) {
    struct stop *s = (struct stop *)op;
    if (op->stop && s->phase == LOCK && op->stop == CTCD_E_TIMEOUT)
        return error_set(OP_ERR(op), CTCD_E_CONFLICT, "try again when it is over",
                         "another operation on the service did not end in time");
    if (op->stop && s->phase == LOCK)
        return op_fail_stopped(op);
    if (op->stop && s->child && !s->child->ended)
        op_stop(s->child, op->stop); /* it kills, then ends */
    while (s->phase != FINISH) {
        int rc = s->phase == LOCK ? step_lock(s) : step_down(s);
        if (rc)
            return rc == CTCD_AGAIN ? rc : give_up(s, rc);
    }
    int rc = s->deletes ? forget(s) : end_well(s);
    return rc ? give_up(s, rc) : 0;
}

static void stop_done(ctcd_op *op) {
    struct stop *s = (struct stop *)op;
    op_drop(&s->child);
    mutation_done(&s->mutation);
    store_service_done(&s->service);
    store_revisions_done(&s->revisions);
}

static const struct op_kind STOP = {.name = "stop", .step = stop_step, .done = stop_done};
static const struct op_kind DELETE = {.name = "delete", .step = stop_step, .done = stop_done};

static int make(ctcd_context *ctx, const struct op_kind *kind, const char *uuid, uint32_t flags,
                int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    struct store *store = NULL;
    ctcd_op *op = NULL;
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = op_new(ctx, kind, sizeof(struct stop), timeout_ms, &op, err);
    if (rc)
        return rc;
    struct stop *s = (struct stop *)op;
    snprintf(s->uuid, sizeof(s->uuid), "%s", uuid);
    s->flags = flags;
    s->deletes = kind == &DELETE;
    *ret = op;
    return 0;
}

int stop_new(ctcd_context *ctx, const char *uuid, int64_t timeout_ms, ctcd_op **ret,
             ctcd_error **err) {
    return make(ctx, &STOP, uuid, 0, timeout_ms, ret, err);
}

int delete_new(ctcd_context *ctx, const char *uuid, uint32_t flags, int64_t timeout_ms,
               ctcd_op **ret, ctcd_error **err) {
    return make(ctx, &DELETE, uuid, flags, timeout_ms, ret, err);
}
