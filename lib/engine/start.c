/* Start (deploy.h): the service's revision goes up again, after a stop, a crash, or an operation that died.
   Where no revision ever served, the newest one is tried: that is how an interrupted first deploy is resumed. */
#include <stdio.h>
#include <string.h>

#include "core/service.h"
#include "engine/deploy.h"

enum phase { LOCK, RECOVER, LOOK, CLEAR, UP, FINISH };

struct start {
    ctcd_op op;
    char uuid[37];
    enum phase phase;
    struct store_service service;
    struct backend *backend;
    struct mutation mutation;
    int64_t number, min_ready_ms;
    struct ctcd_revision revision;
    struct ctcd_observation seen;
    ctcd_call *call;
    ctcd_op *child;
    bool interrupted;
};

static int child_result(struct start *s) {
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

static int load(struct start *s) {
    ctcd_context *ctx = s->op.ctx;
    ctcd_error **err = OP_ERR(&s->op);
    store_service_done(&s->service);
    int rc = store_service_get(ctx->store, s->uuid, &s->service, err);
    return rc ? rc : backend_get(ctx, s->service.deployer, &s->backend, err);
}

/* Which revision? The one that serves, or the newest. */
static int choose(struct start *s) {
    _cleanup_(store_revisions_done) struct store_revisions all = {0};
    int rc = store_revision_list(s->op.ctx->store, s->uuid, &all, OP_ERR(&s->op));
    if (rc)
        return rc;
    const struct store_revision *found = NULL;
    for (size_t i = 0; i < all.count; i++)
        if (!s->service.revision || all.items[i].number == s->service.revision)
            found = &all.items[i];
    if (!found)
        return error_set(OP_ERR(&s->op), CTCD_E_CONFLICT, "deploy a model to it, or delete it",
                         "the service of %s has no revision that could be started",
                         s->service.model);
    s->number = found->number;
    return revision_load(s->op.ctx, s->backend, found, s->service.model, &s->revision,
                         OP_ERR(&s->op));
}

static int step_lock(struct start *s) {
    int rc = load(s);
    if (!rc)
        rc = mutation_enter(&s->mutation, &s->op, s->uuid);
    if (rc == 0)
        s->phase = LOOK;
    if (rc != CTCD_NONE)
        return rc;
    s->interrupted = true;
    s->phase = RECOVER;
    rc = load(s); /* as it is now that it is ours */
    if (!rc) {
        bool keep_new = s->service.revision == 0;
        rc = recover_start(&s->op, &s->mutation, s->backend, s->service.model, keep_new, &s->child);
    }
    return rc == CTCD_NONE ? 0 : rc;
}

static int step_recover(struct start *s) {
    int rc = child_result(s);
    if (!rc)
        rc = mutation_resolved(&s->mutation, "interrupted; resolved by a start", OP_ERR(&s->op));
    if (!rc)
        s->phase = LOOK;
    return rc;
}

static int step_look(struct start *s) {
    if (!s->call) {
        int rc = load(s);
        if (!rc)
            rc = choose(s);
        if (rc)
            return rc;
        s->revision.wanted = s->service.desired == CTCD_STATE_ACTIVE;
        struct call_args args = {.revision = &s->revision, .observation = &s->seen};
        int64_t left = op_left(&s->op);
        rc = call_start(&s->op, s->backend, CALL_OBSERVE, &args,
                        context_mono(s->op.ctx) + (left < 5000 ? left : 5000), &s->call);
        if (rc)
            return rc;
    }
    if (!call_ended(s->call)) {
        op_wait_child(&s->op);
        return CTCD_AGAIN;
    }
    int rc = call_result(s->call, OP_ERR(&s->op));
    call_drop(&s->call);
    bool runs = rc == 0 && service_state_running(s->seen.state) && s->service.revision == s->number;
    error_done(OP_ERR(&s->op)); /* what cannot be asked is started anew */
    if (runs && s->service.desired == CTCD_STATE_ACTIVE && !s->interrupted) {
        s->phase = FINISH;
        return 0;
    }
    rc = mutation_begin(&s->mutation, STORE_OPERATION_START, PHASE_STARTING, s->service.revision,
                        s->number, op_left(&s->op), OP_ERR(&s->op));
    if (!rc)
        rc =
            store_service_set_desired(s->op.ctx->store, s->uuid, CTCD_STATE_ACTIVE, OP_ERR(&s->op));
    if (!rc)
        rc = take_down_start(&s->op, s->backend, s->uuid, s->service.model, s->number,
                             CTCD_REMOVE_FORCE, &s->child);
    s->phase = CLEAR;
    return rc;
}

static int step_clear(struct start *s) {
    int rc = child_result(s);
    if (rc)
        return rc;
    struct bring_up_args args = {s->backend, s->uuid, s->service.model, s->number, 0, NULL};
    s->phase = UP;
    return bring_up_start(&s->op, &args, &s->child);
}

static int step_up(struct start *s) {
    int rc = child_result(s);
    if (rc)
        return rc;
    ctcd_context *ctx = s->op.ctx;
    rc = store_service_switch(ctx->store, s->uuid, s->number, NULL, s->mutation.operation,
                              PHASE_SWITCHED, context_wall(ctx), OP_ERR(&s->op));
    if (!rc)
        rc = mutation_end(&s->mutation, "", OP_ERR(&s->op));
    s->phase = FINISH;
    return rc;
}

static int step_finish(struct start *s) {
    mutation_done(&s->mutation);
    ctcd_service *service = NULL;
    int rc = service_load(s->op.ctx, s->uuid, &service, OP_ERR(&s->op));
    if (!rc)
        op_set_result(&s->op, OP_SERVICE, service);
    return rc;
}

/* What did not come up stays down, and the record says why. */
static int give_up(struct start *s, int rc) {
    if (!s->mutation.operation)
        return rc;
    ctcd_context *ctx = s->op.ctx;
    const char *message = s->op.err ? error_message(s->op.err) : "cancelled";
    int64_t now = context_wall(ctx);
    store_revision_set_state(ctx->store, s->uuid, s->number, STORE_REVISION_FAILED, now, NULL);
    store_service_set_error(ctx->store, s->uuid, message,
                            s->op.err ? error_details(s->op.err) : NULL, now, NULL);
    mutation_end(&s->mutation, message, NULL);
    return rc;
}

/* A server that is coming up when the time is over is not left half up. */
static int stopped(struct start *s) {
    op_drop(&s->child);
    call_drop(&s->call);
    if (s->phase == LOCK && s->op.stop == CTCD_E_TIMEOUT)
        return error_set(OP_ERR(&s->op), CTCD_E_CONFLICT, "try again when it is over",
                         "another operation on the service did not end in time");
    op_fail_stopped(&s->op);
    if (s->phase != UP)
        return give_up(s, s->op.stop);
    ctcd_error *why = mem_steal(&s->op.err);
    s->phase = FINISH;
    int rc = take_down_start(&s->op, s->backend, s->uuid, s->service.model, s->number,
                             CTCD_REMOVE_FORCE, &s->child);
    error_done(&s->op.err);
    s->op.err = why;
    if (rc)
        return give_up(s, s->op.stop);
    op_wait_child(&s->op);
    return CTCD_AGAIN;
}

static int start_step(ctcd_op *op) {
    struct start *s = (struct start *)op;
    if (op->stop) {
        if (s->phase != FINISH)
            return stopped(s);
        if (s->child && !s->child->ended) {
            op_wait_child(op);
            return CTCD_AGAIN;
        }
        return give_up(s, op->stop);
    }
    for (;;) {
        int rc = 0;
        switch (s->phase) {
        case LOCK:
            rc = step_lock(s);
            break;
        case RECOVER:
            rc = step_recover(s);
            break;
        case LOOK:
            rc = step_look(s);
            break;
        case CLEAR:
            rc = step_clear(s);
            break;
        case UP:
            rc = step_up(s);
            break;
        case FINISH:
            return step_finish(s);
        }
        if (rc)
            return rc == CTCD_AGAIN ? rc : give_up(s, rc);
    }
}

static void start_done(ctcd_op *op) {
    struct start *s = (struct start *)op;
    call_drop(&s->call);
    op_drop(&s->child);
    mutation_done(&s->mutation);
    store_service_done(&s->service);
    revision_done(&s->revision);
    observation_done(&s->seen);
}

static const struct op_kind START = {"start", start_step, start_done};

int start_new(ctcd_context *ctx, const char *uuid, int64_t timeout_ms, ctcd_op **ret,
              ctcd_error **err) {
    struct store *store = NULL;
    ctcd_op *op = NULL;
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = op_new(ctx, &START, sizeof(struct start), timeout_ms, &op, err);
    if (rc)
        return rc;
    snprintf(((struct start *)op)->uuid, 37, "%s", uuid);
    *ret = op;
    return 0;
}
