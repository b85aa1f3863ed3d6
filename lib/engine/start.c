/* Start (deploy.h): the service's revision goes up again, after a stop, a crash, or an operation that died.
   Where no revision ever served, the newest one is tried: that is how an interrupted first deploy is resumed.
   One that runs is left alone, unless it was a start of it that died half way. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "core/service.h"
#include "engine/deploy.h"

enum phase { LOCK, RECOVER, LOOK, CLEAR, UP, SWITCH, UNDO, FINISH };

struct start {
    ctcd_op op;
    char uuid[37];
    enum phase phase;
    struct store_service service;
    struct backend *backend;
    struct mutation mutation;
    int64_t number;
    struct ctcd_revision revision;
    struct ctcd_observation seen;
    ctcd_call *call;
    ctcd_op *child;
    bool restart;  /* nobody asked for it but the restart policy */
    bool half_way; /* a start of the service's revision died before it was ready */
    int failed;    /* why we undo */
    int undo_rc;   /* of the attempt to begin with it */
    ctcd_error *why;
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
    ctcd_error **err = OP_ERR(&s->op);
    _cleanup_(store_revision_done) struct store_revision found = {0};
    int rc = service_revision(s->op.ctx->store, &s->service, &found, err);
    if (rc == CTCD_NONE)
        return error_set(err, CTCD_E_CONFLICT, "deploy a model to it, or delete it",
                         "the service of %s has no revision that could be started",
                         s->service.model);
    if (rc)
        return rc;
    s->number = found.number;
    revision_done(&s->revision);
    return revision_load(s->op.ctx, s->backend, &found, s->service.model, &s->revision, err);
}

/* It may have been stopped, started or replaced since the keeper looked. */
static bool still_planned(const struct start *s) {
    return s->service.desired == CTCD_STATE_ACTIVE && s->service.restart_next_ms != CTCD_TIME_NONE;
}

static int step_lock(struct start *s) {
    int rc = load(s);
    if (!rc)
        rc = mutation_enter(&s->mutation, &s->op, s->uuid);
    if (rc == CTCD_AGAIN && s->restart)
        return error_set(OP_ERR(&s->op), CTCD_E_CONFLICT, NULL,
                         "another operation on the service is under way");
    if (rc)
        return rc;
    rc = load(s); /* as it is now that it is ours */
    if (!rc && s->restart && !still_planned(s))
        return CTCD_NONE;
    if (rc == CTCD_E_NOT_FOUND)
        mutation_forget(&s->mutation);
    if (!rc)
        rc = choose(s);
    if (rc)
        return rc;
    const struct store_operation *left = &s->mutation.left;
    s->half_way = left->uuid &&
                  (left->kind == STORE_OPERATION_START || left->kind == STORE_OPERATION_RESTART) &&
                  strcmp(left->phase, PHASE_SWITCHED) != 0;
    rc = recover_start(&s->op, s->backend, s->uuid, s->service.model, s->number, &s->child);
    s->phase = RECOVER;
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

/* CTCD_AGAIN while it looks; what cannot be asked is started anew. */
static int look(struct start *s) {
    if (!s->call) {
        s->revision.wanted = s->service.desired == CTCD_STATE_ACTIVE;
        struct call_args args = {.revision = &s->revision, .observation = &s->seen};
        int64_t left = op_left(&s->op);
        int rc = call_start(&s->op, s->backend, CALL_OBSERVE, &args,
                            context_mono(s->op.ctx) + (left < 5000 ? left : 5000), &s->call);
        if (rc)
            return rc;
    }
    if (!call_ended(s->call)) {
        op_wait_child(&s->op);
        return CTCD_AGAIN;
    }
    int rc = call_result(s->call, NULL);
    call_drop(&s->call);
    if (rc ==
        CTCD_E_NOMEM) /* that is our trouble: a server that may well run is not ended for it */
        return error_nomem(OP_ERR(&s->op));
    if (rc)
        s->seen.state = CTCD_STATE_UNKNOWN;
    return 0;
}

/* When to try again, should this try fail now. */
static int64_t next_try(const struct start *s) {
    return context_wall(s->op.ctx) + restart_delay_ms(s->service.restart_tries + 1);
}

static int record_intent(struct start *s) {
    struct store *store = s->op.ctx->store;
    ctcd_error **err = OP_ERR(&s->op);
    int rc = store_begin(store, err);
    if (rc)
        return rc;
    rc = mutation_begin(&s->mutation, s->restart ? STORE_OPERATION_RESTART : STORE_OPERATION_START,
                        PHASE_STARTING, s->service.revision, s->number, op_left(&s->op), err);
    if (!rc && s->restart)
        rc = store_service_count_restart(store, s->uuid, next_try(s), err);
    if (!rc)
        rc = store_service_set_desired(store, s->uuid, CTCD_STATE_ACTIVE, err);
    return mutation_commit(&s->mutation, rc, err);
}

static int step_look(struct start *s) {
    int rc = look(s);
    if (rc)
        return rc;
    bool serves = s->service.revision == s->number && s->service.desired == CTCD_STATE_ACTIVE;
    if (serves && service_state_running(s->seen.state) && !s->half_way) {
        s->phase = FINISH; /* also by itself, before its restart was due */
        return s->restart
                   ? store_service_plan_restart(s->op.ctx->store, s->uuid, s->service.restart_tries,
                                                CTCD_TIME_NONE, NULL, context_wall(s->op.ctx),
                                                OP_ERR(&s->op))
                   : 0;
    }
    rc = record_intent(s);
    if (rc)
        return rc;
    s->phase = CLEAR;
    return take_down_start(&s->op, s->backend, s->uuid, s->service.model, s->number,
                           CTCD_REMOVE_FORCE, &s->child);
}

static int step_clear(struct start *s) {
    int rc = child_result(s);
    if (rc)
        return rc;
    struct bring_up_args args = {
        .backend = s->backend, .service = s->uuid, .model = s->service.model, .number = s->number};
    s->phase = UP;
    return bring_up_start(&s->op, &args, &s->child);
}

static int step_switch(struct start *s) {
    ctcd_context *ctx = s->op.ctx;
    ctcd_error **err = OP_ERR(&s->op);
    int rc = store_begin(ctx->store, err);
    if (rc)
        return rc;
    rc = store_service_switch(ctx->store, s->uuid, s->number, NULL, s->mutation.operation,
                              PHASE_SWITCHED, context_wall(ctx), err);
    if (!rc)
        rc = store_operation_end(ctx->store, s->mutation.operation, "", context_wall(ctx), err);
    if (rc)
        store_rollback(ctx->store);
    else
        rc = store_commit(ctx->store, err);
    if (!rc)
        s->phase = FINISH;
    return rc;
}

/* What did not come up goes down, and the record says why. */
static void begin_undo(struct start *s, int why) {
    s->failed = why;
    s->why = error_ref(s->op.err);
    s->phase = UNDO;
    call_drop(&s->call);
    op_drop(&s->child);
    s->undo_rc = take_down_start(&s->op, s->backend, s->uuid, s->service.model, s->number,
                                 CTCD_REMOVE_FORCE, &s->child);
}

/* With the plan for the next try, where the restart policy is to have one: the wait begins now. */
static void record_failure(struct start *s, bool over) {
    ctcd_context *ctx = s->op.ctx;
    ctcd_error *err = NULL;
    int rc = s->restart ? store_begin(ctx->store, &err) : CTCD_NONE;
    mutation_fail(&s->mutation, over, s->number, s->why);
    if (rc == 0) {
        int64_t next = next_try(s);
        char why[TIME_TEXT_SIZE + 32], when[TIME_TEXT_SIZE];
        time_to_text(next, when);
        snprintf(why, sizeof why, "next try at %s", when);
        rc = store_service_plan_restart(ctx->store, s->uuid, s->service.restart_tries + 1, next,
                                        why, context_wall(ctx), &err);
        if (!rc)
            rc = store_commit(ctx->store, &err);
        else
            store_rollback(ctx->store);
    }
    if (rc < 0)
        context_log(ctx, CTCD_LOG_ERROR, "the next restart of %s is not recorded: %s",
                    s->service.model, error_message(err));
    error_done(&err);
}

static int step_undo(struct start *s) {
    int rc = s->undo_rc ? s->undo_rc : child_result(s);
    if (rc == CTCD_AGAIN)
        return rc;
    if (rc)
        context_log(s->op.ctx, CTCD_LOG_ERROR, "undo of the start of %s: %s", s->service.model,
                    error_message(s->op.err));
    record_failure(s, rc == 0);
    error_done(OP_ERR(&s->op));
    s->op.err = s->why;
    s->why = NULL;
    return s->failed;
}

static int step_finish(struct start *s) {
    mutation_done(&s->mutation);
    ctcd_service *service = NULL;
    int rc = service_load(s->op.ctx, s->uuid, &service, OP_ERR(&s->op));
    if (!rc)
        op_set_result(&s->op, OP_SERVICE, service);
    return rc;
}

static int enter_phase(struct start *s) {
    int rc = 0;
    switch (s->phase) {
    case LOCK:
        return step_lock(s);
    case RECOVER:
        return step_recover(s);
    case LOOK:
        return step_look(s);
    case CLEAR:
        return step_clear(s);
    case UP:
        rc = child_result(s);
        if (!rc)
            s->phase = SWITCH;
        return rc;
    case SWITCH:
        return step_switch(s);
    case UNDO:
        return step_undo(s);
    case FINISH:
        break;
    }
    return step_finish(s);
}

/* A stop: what goes down goes down faster, what comes up is told, and says what it was waiting for. Nothing
   of it is let go: the lock is ours as long as it works. 0: it goes on. */
static int stopped(struct start *s) {
    if (s->phase == UNDO || s->phase == FINISH)
        return 0;
    if (s->phase == LOCK && s->op.stop == CTCD_E_TIMEOUT)
        return error_set(OP_ERR(&s->op), CTCD_E_CONFLICT, "try again when it is over",
                         "another operation on the service did not end in time");
    if (s->child && !s->child->ended) {
        op_stop(s->child, s->op.stop);
        op_wait_child(&s->op);
        return CTCD_AGAIN;
    }
    if (s->child)
        op_outcome(s->child, OP_ERR(&s->op));
    return op_fail_stopped(&s->op);
}

static int start_step(ctcd_op *op) {
    struct start *s = (struct start *)op;
    for (;;) {
        int rc = op->stop ? stopped(s) : 0;
        enum phase before = s->phase;
        if (!rc)
            rc = enter_phase(s);
        if (rc < 0 && before != UNDO && before != FINISH && s->mutation.operation) {
            begin_undo(s, rc);
            continue;
        }
        if (rc || before == FINISH)
            return rc;
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
    error_done(&s->why);
}

static const struct op_kind START = {.name = "start", .step = start_step, .done = start_done};

int restart_new(ctcd_context *ctx, const char *uuid, ctcd_op **ret, ctcd_error **err) {
    int rc = start_new(ctx, uuid, DEPLOY_TIMEOUT_MS, ret, err);
    if (!rc)
        ((struct start *)*ret)->restart = true;
    return rc;
}

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
