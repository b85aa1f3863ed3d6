/* Stop and delete (deploy.h): the service's revisions go down; delete then forgets the service. */
#include <stdio.h>
#include <string.h>

#include "engine/deploy.h"
#include "io/tree.h"

enum phase { LOCK, RECOVER, BEGIN, DOWN, FINISH };

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
    return rc ? rc : backend_get(ctx, s->service.deployer, &s->backend, err);
}

static int step_lock(struct stop *s) {
    int rc = load(s);
    if (!rc)
        rc = mutation_enter(&s->mutation, &s->op, s->uuid);
    if (rc == 0)
        s->phase = BEGIN;
    if (rc != CTCD_NONE)
        return rc;
    s->phase = RECOVER;
    rc = recover_start(&s->op, &s->mutation, s->backend, s->service.model, false, &s->child);
    return rc == CTCD_NONE ? 0 : rc;
}

static int step_recover(struct stop *s) {
    int rc = child_result(s);
    if (!rc)
        rc = mutation_resolved(&s->mutation,
                               s->deletes ? "interrupted; resolved by a delete"
                                          : "interrupted; resolved by a stop",
                               OP_ERR(&s->op));
    if (!rc)
        s->phase = BEGIN;
    return rc;
}

static int step_begin(struct stop *s) {
    ctcd_context *ctx = s->op.ctx;
    ctcd_error **err = OP_ERR(&s->op);
    int rc = load(s); /* it may have changed, or gone, while we waited for the lock */
    if (!rc)
        rc =
            mutation_begin(&s->mutation, s->deletes ? STORE_OPERATION_DELETE : STORE_OPERATION_STOP,
                           "stopping", s->service.revision, 0, op_left(&s->op), err);
    if (!rc)
        rc = store_service_set_desired(ctx->store, s->uuid, CTCD_STATE_INACTIVE, err);
    if (!rc)
        rc = store_revision_list(ctx->store, s->uuid, &s->revisions, err);
    s->phase = DOWN;
    return rc;
}

/* Has this revision something that could run? A stop asks the one that serves, a delete all. */
static bool concerns(const struct stop *s, const struct store_revision *revision) {
    return s->deletes || revision->number == s->service.revision ||
           revision->state == STORE_REVISION_STARTING || revision->state == STORE_REVISION_DRAINING;
}

static int step_down(struct stop *s) {
    ctcd_context *ctx = s->op.ctx;
    int rc = child_result(s);
    if (rc == CTCD_AGAIN)
        return rc;
    if (rc && (s->flags & CTCD_DELETE_FORCE)) {
        context_log(ctx, CTCD_LOG_WARNING, "forgetting the service of %s all the same: %s",
                    s->service.model, error_message(s->op.err));
        error_done(OP_ERR(&s->op));
        rc = 0;
    }
    if (rc)
        return rc;
    if (s->at) {
        const struct store_revision *last = &s->revisions.items[s->at - 1];
        if (concerns(s, last))
            store_revision_set_state(ctx->store, s->uuid, last->number, STORE_REVISION_STOPPED,
                                     context_wall(ctx), NULL);
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

static int forget(struct stop *s) {
    ctcd_context *ctx = s->op.ctx;
    ctcd_error **err = OP_ERR(&s->op);
    _cleanup_(mem_free_ptr) char *folder = service_folder(ctx, s->uuid);
    if (!folder)
        return error_nomem(err);
    int rc = store_begin(ctx->store, err);
    if (rc)
        return rc;
    rc = store_service_remove(ctx->store, s->uuid, err);
    if (!rc)
        rc = mutation_end(&s->mutation, "", err);
    if (rc) {
        store_rollback(ctx->store);
        return rc;
    }
    rc = store_commit(ctx->store, err);
    return rc ? rc : tree_remove(folder, err);
}

static int step_finish(struct stop *s) {
    int rc = 0;
    if (s->deletes) {
        rc = forget(s);
    } else {
        rc = store_service_set_error(s->op.ctx->store, s->uuid, NULL, NULL, context_wall(s->op.ctx),
                                     OP_ERR(&s->op));
        if (!rc)
            rc = mutation_end(&s->mutation, "", OP_ERR(&s->op));
    }
    ctcd_service *service = NULL;
    if (!rc && !s->deletes)
        rc = service_load(s->op.ctx, s->uuid, &service, OP_ERR(&s->op));
    if (service)
        op_set_result(&s->op, OP_SERVICE, service);
    mutation_done(&s->mutation);
    return rc;
}

static int give_up(struct stop *s, int rc) {
    if (s->mutation.operation)
        mutation_end(&s->mutation, s->op.err ? error_message(s->op.err) : "cancelled", NULL);
    return rc;
}

static int stop_step(ctcd_op *op) {
    struct stop *s = (struct stop *)op;
    if (op->stop && s->phase < DOWN) {
        op_drop(&s->child);
        if (s->phase == LOCK && op->stop == CTCD_E_TIMEOUT)
            return error_set(OP_ERR(op), CTCD_E_CONFLICT, "try again when it is over",
                             "another operation on the service did not end in time");
        return op_fail_stopped(op);
    }
    if (op->stop && s->child && !s->child->ended)
        op_stop(s->child, op->stop); /* it kills, then ends */
    for (;;) {
        int rc = 0;
        switch (s->phase) {
        case LOCK:
            rc = step_lock(s);
            break;
        case RECOVER:
            rc = step_recover(s);
            break;
        case BEGIN:
            rc = step_begin(s);
            break;
        case DOWN:
            rc = step_down(s);
            break;
        case FINISH:
            return step_finish(s);
        }
        if (rc)
            return rc == CTCD_AGAIN ? rc : give_up(s, rc);
    }
}

static void stop_done(ctcd_op *op) {
    struct stop *s = (struct stop *)op;
    op_drop(&s->child);
    mutation_done(&s->mutation);
    store_service_done(&s->service);
    store_revisions_done(&s->revisions);
}

static const struct op_kind STOP = {"stop", stop_step, stop_done};
static const struct op_kind DELETE = {"delete", stop_step, stop_done};

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
