/* Deploy, with replace and rollback (deploy.h, DESIGN "Deploy"). The old revision serves until the switch,
   and the switch is one transaction; what fails before it takes the new revision down again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/identity.h"
#include "engine/deploy.h"
#include "io/random.h"

enum phase { VALIDATE, LOCK, RECOVER, EXISTING, UP, SWITCH, DOWN_OLD, UNDO, FINISH };

struct deploy {
    ctcd_op op;
    ctcd_model_deployer *deployer;
    ctcd_deployment *want;
    struct backend *backend;
    bool only_validate;

    enum phase phase;
    char uuid[37];
    struct mutation mutation;
    struct ctcd_revision draft; /* for validate: not yet in the store */
    ctcd_call *call;
    ctcd_op *child;
    int64_t old_number, new_number;
    bool served; /* an earlier revision is there to go on serving */
    int failed;  /* why we undo */
    ctcd_error *why;
};

static ctcd_context *ctx_of(struct deploy *d) {
    return d->op.ctx;
}

/* ---- before anything starts ---- */

static int find_service(struct deploy *d) {
    struct store_service found = {0};
    int rc =
        store_service_find_identity(ctx_of(d)->store, d->deployer->name, d->want->pipeline,
                                    d->want->step, d->want->model_name, &found, OP_ERR(&d->op));
    if (rc)
        return rc;
    snprintf(d->uuid, sizeof(d->uuid), "%s", found.uuid);
    d->old_number = found.revision;
    d->served = found.revision > 0 && found.desired == CTCD_STATE_ACTIVE;
    store_service_done(&found);
    return 0;
}

static int draft(struct deploy *d) {
    ctcd_error **err = OP_ERR(&d->op);
    struct ctcd_revision *r = &d->draft;
    int rc = options_new(flavor_options(ctx_of(d), CTCD_COMPONENT_MODEL_DEPLOYER,
                                        d->backend->flavor->name, CTCD_SCOPE_DEPLOYMENT),
                         &r->options, err);
    for (struct json_iter i = json_members(d->want->options); !rc && json_next(&i);)
        rc = options_set(r->options, d->backend->flavor->name, i.key, json_text(i.value), err);
    if (!rc)
        rc = options_check_required(r->options, d->backend->flavor->name, err);
    if (rc)
        return rc;
    r->model_uri = mem_copy_text(d->want->model_uri);
    r->model_name = mem_copy_text(d->want->model_name);
    r->service_uuid = mem_copy_text(d->uuid);
    return r->model_uri && r->model_name && r->service_uuid ? 0 : error_nomem(err);
}

static int begin(struct deploy *d) {
    ctcd_error **err = OP_ERR(&d->op);
    const ctcd_deployment *w = d->want;
    if (!w->model_name || !w->model_uri)
        return error_set(err, CTCD_E_INVALID, NULL, "the deployment needs a %s",
                         w->model_name ? "model URI" : "model name");
    struct identity identity = {d->deployer->name, w->pipeline, w->step, w->model_name};
    int rc = identity_check(&identity, err);
    if (!rc)
        rc = backend_get(ctx_of(d), d->deployer->name, &d->backend, err);
    if (!rc && w->smoke)
        rc = call_supported(d->backend, CALL_PREDICT, err);
    if (!rc && (rc = find_service(d)) == CTCD_NONE)
        rc = random_uuid(d->uuid, err);
    return rc ? rc : draft(d);
}

static int step_validate(struct deploy *d) {
    if (!d->call) {
        int rc = begin(d);
        if (rc)
            return rc;
        op_progress(&d->op, "checking %s", d->want->model_uri);
        struct call_args args = {.revision = &d->draft};
        rc = call_start(&d->op, d->backend, CALL_VALIDATE, &args,
                        context_mono(ctx_of(d)) + op_left(&d->op), &d->call);
        if (rc)
            return rc;
    }
    if (!call_ended(d->call)) {
        op_wait_child(&d->op);
        return CTCD_AGAIN;
    }
    int rc = call_result(d->call, OP_ERR(&d->op));
    call_drop(&d->call);
    d->phase = d->only_validate ? FINISH : LOCK;
    return rc;
}

/* ---- lock, and what a dead operation left ---- */

static int make_service(struct deploy *d) {
    ctcd_context *ctx = ctx_of(d);
    int rc = find_service(d);
    if (rc != CTCD_NONE)
        return rc;
    struct store_service record = {
        .uuid = d->uuid,
        .deployer = d->deployer->name,
        .pipeline = d->want->pipeline,
        .step = d->want->step,
        .model = d->want->model_name,
        .run = d->want->run,
        .desired = CTCD_STATE_ACTIVE,
        .created_ms = context_wall(ctx),
    };
    rc = store_service_add(ctx->store, &record, OP_ERR(&d->op));
    if (rc == CTCD_E_EXISTS) { /* another process was faster: it is the same service */
        error_done(OP_ERR(&d->op));
        return find_service(d);
    }
    return rc;
}

static int step_lock(struct deploy *d) {
    int rc = make_service(d);
    if (!rc)
        rc = mutation_enter(&d->mutation, &d->op, d->uuid);
    if (rc == 0)
        d->phase = EXISTING;
    if (rc != CTCD_NONE)
        return rc;
    rc = recover_start(&d->op, &d->mutation, d->backend, d->want->model_name, false, &d->child);
    d->phase = RECOVER;
    return rc == CTCD_NONE ? 0 : rc;
}

/* Ended with CTCD_AGAIN named, or its result. */
static int child_result(struct deploy *d) {
    if (!d->child)
        return 0;
    if (!d->child->ended) {
        op_wait_child(&d->op);
        return CTCD_AGAIN;
    }
    int rc = op_outcome(d->child, OP_ERR(&d->op));
    op_drop(&d->child);
    return rc;
}

static int step_recover(struct deploy *d) {
    int rc = child_result(d);
    if (!rc)
        rc = mutation_resolved(&d->mutation, "interrupted; resolved by a deploy", OP_ERR(&d->op));
    if (!rc)
        d->phase = EXISTING;
    return rc;
}

/* The revision, and the intent to start it, in one transaction. */
static int record_intent(struct deploy *d) {
    ctcd_context *ctx = ctx_of(d);
    ctcd_error **err = OP_ERR(&d->op);
    _cleanup_(mem_free_ptr) char *options = options_to_json(d->draft.options);
    _cleanup_(json_done) struct json *asked = DEPLOYMENT_KIND.to_json(d->want);
    _cleanup_(mem_free_ptr) char *deployment = json_to_text(asked);
    if (!options || !deployment)
        return error_nomem(err);
    struct store_revision record = {
        .service = d->uuid,
        .model_uri = d->want->model_uri,
        .pinned_uri = d->draft.pinned_uri,
        .options = options,
        .deployment = deployment,
        .metrics = d->want->metrics,
        .run = d->want->run,
        .created_ms = context_wall(ctx),
    };
    int rc = store_begin(ctx->store, err);
    if (rc)
        return rc;
    rc = store_revision_add(ctx->store, &record, &d->new_number, err);
    if (!rc)
        rc = mutation_begin(&d->mutation, STORE_OPERATION_DEPLOY, PHASE_STARTING, d->old_number,
                            d->new_number, op_left(&d->op), err);
    if (!rc)
        return store_commit(ctx->store, err);
    store_rollback(ctx->store);
    return rc;
}

static int step_existing(struct deploy *d) {
    int rc = find_service(d); /* it may have changed while we waited for the lock */
    if (rc)
        return rc == CTCD_NONE ? error_set(OP_ERR(&d->op), CTCD_E_CONFLICT, "try again",
                                           "the service was deleted while the deploy waited for it")
                               : rc;
    if (!d->want->replace && d->served) {
        op_progress(&d->op, "%s is served already; not replaced", d->want->model_name);
        d->phase = FINISH;
        return 0;
    }
    rc = record_intent(d);
    if (rc)
        return rc;
    struct bring_up_args args = {
        d->backend,    d->uuid, d->want->model_name, d->new_number, d->want->min_ready_ms,
        d->want->smoke};
    d->phase = UP;
    return bring_up_start(&d->op, &args, &d->child);
}

/* ---- the switch, and after ---- */

static int step_switch(struct deploy *d) {
    ctcd_context *ctx = ctx_of(d);
    int rc = store_service_switch(ctx->store, d->uuid, d->new_number, NULL, d->mutation.operation,
                                  PHASE_SWITCHED, context_wall(ctx), OP_ERR(&d->op));
    if (rc)
        return rc;
    op_progress(&d->op, "revision %lld of %s serves", (long long)d->new_number,
                d->want->model_name);
    d->phase = DOWN_OLD;
    if (!d->old_number)
        return 0;
    return take_down_start(&d->op, d->backend, d->uuid, d->want->model_name, d->old_number, 0,
                           &d->child);
}

/* From here on the deploy has succeeded; an old server that will not go is reported, not a failure. */
static int step_down_old(struct deploy *d) {
    int rc = child_result(d);
    if (rc == CTCD_AGAIN)
        return rc;
    ctcd_context *ctx = ctx_of(d);
    if (rc < 0) {
        context_log(ctx, CTCD_LOG_WARNING, "the old revision %lld of %s: %s",
                    (long long)d->old_number, d->want->model_name, error_message(d->op.err));
        error_done(OP_ERR(&d->op));
    }
    if (d->old_number && rc == 0)
        store_revision_set_state(ctx->store, d->uuid, d->old_number, STORE_REVISION_STOPPED,
                                 context_wall(ctx), NULL);
    rc = mutation_end(&d->mutation, "", OP_ERR(&d->op));
    d->phase = FINISH;
    return rc;
}

/* ---- undoing ---- */

static int begin_undo(struct deploy *d, int why) {
    d->failed = why;
    d->why = error_ref(d->op.err);
    d->phase = UNDO;
    call_drop(&d->call);
    op_drop(&d->child);
    if (d->want->leave_failed && why == CTCD_E_FAILED)
        return 0;
    op_progress(&d->op, "taking the new revision down again");
    int rc = take_down_start(&d->op, d->backend, d->uuid, d->want->model_name, d->new_number,
                             CTCD_REMOVE_FORCE, &d->child);
    return rc;
}

/* The message ends with what goes on serving. */
static void say_who_serves(struct deploy *d) {
    struct store_service now = {0};
    struct store_revision old = {0};
    if (d->served && d->why && !store_service_get(ctx_of(d)->store, d->uuid, &now, NULL) &&
        !store_revision_get(ctx_of(d)->store, d->uuid, now.revision, &old, NULL)) {
        ctcd_error *said = NULL;
        error_set(&said, error_code(d->why), error_hint_text(d->why),
                  "%s; revision %" PRId64 " (%s) still serves at %s", error_message(d->why),
                  now.revision, old.model_uri, now.url);
        if (error_details(d->why))
            error_set_details(&said, error_details(d->why));
        error_done(&d->why);
        d->why = said;
    }
    store_service_done(&now);
    store_revision_done(&old);
}

static int step_undo(struct deploy *d) {
    int rc = child_result(d);
    if (rc == CTCD_AGAIN)
        return rc;
    ctcd_context *ctx = ctx_of(d);
    if (rc < 0)
        context_log(ctx, CTCD_LOG_ERROR, "undo of the deploy of %s: %s", d->want->model_name,
                    error_message(d->op.err));
    const char *message = d->why ? error_message(d->why) : "cancelled";
    int64_t now = context_wall(ctx);
    store_revision_set_state(ctx->store, d->uuid, d->new_number, STORE_REVISION_FAILED, now, NULL);
    store_service_set_error(ctx->store, d->uuid, message, d->why ? error_details(d->why) : NULL,
                            now, NULL);
    if (rc == 0) /* else the row stays open: the next mutation goes on with it */
        mutation_end(&d->mutation, message, NULL);
    say_who_serves(d);
    error_done(OP_ERR(&d->op));
    d->op.err = d->why;
    d->why = NULL;
    return d->failed;
}

/* ---- the op ---- */

static int step_finish(struct deploy *d) {
    mutation_done(&d->mutation);
    if (d->only_validate)
        return 0;
    ctcd_service *service = NULL;
    int rc = service_load(ctx_of(d), d->uuid, &service, OP_ERR(&d->op));
    if (!rc)
        op_set_result(&d->op, OP_SERVICE, service);
    return rc;
}

static int enter_phase(struct deploy *d) {
    switch (d->phase) {
    case VALIDATE:
        return step_validate(d);
    case LOCK:
        return step_lock(d);
    case RECOVER:
        return step_recover(d);
    case EXISTING:
        return step_existing(d);
    case UP: {
        int rc = child_result(d);
        if (!rc)
            d->phase = SWITCH;
        return rc;
    }
    case SWITCH:
        return step_switch(d);
    case DOWN_OLD:
        return step_down_old(d);
    case UNDO:
        return step_undo(d);
    case FINISH:
        break;
    }
    return step_finish(d);
}

/* A stop: before the new revision was begun there is nothing to undo; after the switch nothing is undone,
   the old one only goes faster. */
static int stopped(struct deploy *d, bool *ret_go_on) {
    *ret_go_on = true;
    if (d->phase == UP || d->phase == SWITCH) {
        if (d->child && d->child->ended)
            op_outcome(d->child, OP_ERR(&d->op));
        else if (d->child && !d->child->stop) {
            op_stop(d->child, d->op.stop); /* it knows best what it was waiting for */
            op_wait_child(&d->op);
            *ret_go_on = false;
            return CTCD_AGAIN;
        } else if (d->child) {
            op_wait_child(&d->op);
            *ret_go_on = false;
            return CTCD_AGAIN;
        }
        op_fail_stopped(&d->op);
        return begin_undo(d, d->op.stop);
    }
    if (d->phase == DOWN_OLD && d->child && !d->child->ended)
        op_stop(d->child, d->op.stop);
    if (d->phase == DOWN_OLD || d->phase == UNDO || d->phase == FINISH)
        return 0;
    *ret_go_on = false;
    if (d->phase == LOCK && d->op.stop == CTCD_E_TIMEOUT)
        return error_set(OP_ERR(&d->op), CTCD_E_CONFLICT, "try again when it is over",
                         "another operation on the service of %s did not end in time",
                         d->want->model_name);
    return op_fail_stopped(&d->op);
}

static int deploy_step(ctcd_op *op) {
    struct deploy *d = (struct deploy *)op;
    if (op->stop) {
        bool go_on = false;
        int rc = stopped(d, &go_on);
        if (!go_on || rc)
            return rc;
    }
    for (;;) {
        enum phase before = d->phase;
        int rc = enter_phase(d);
        if (rc == CTCD_AGAIN)
            return rc;
        if (rc < 0 && (before == UP || before == SWITCH ||
                       (before == EXISTING && d->new_number && d->mutation.operation)))
            rc = begin_undo(d, rc);
        if (rc || (before == FINISH))
            return rc;
    }
}

static void deploy_done(ctcd_op *op) {
    struct deploy *d = (struct deploy *)op;
    call_drop(&d->call);
    op_drop(&d->child);
    mutation_done(&d->mutation);
    revision_done(&d->draft);
    error_done(&d->why);
    object_done(&d->deployer);
    object_done(&d->want);
}

static const struct op_kind DEPLOY = {"deploy", deploy_step, deploy_done};
static const struct op_kind CHECK = {"validate", deploy_step, deploy_done};

static int make(ctcd_context *ctx, const struct op_kind *kind, ctcd_model_deployer *deployer,
                ctcd_deployment *want, int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    struct store *store = NULL;
    ctcd_op *op = NULL;
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = op_new(ctx, kind, sizeof(struct deploy), timeout_ms, &op, err);
    if (rc)
        return rc;
    struct deploy *d = (struct deploy *)op;
    d->deployer = deployer_copy(deployer);
    d->want = deployment_copy(want);
    d->only_validate = kind == &CHECK;
    if (!d->deployer || !d->want) {
        op_unref(op);
        return error_nomem(err);
    }
    *ret = op;
    return 0;
}

int deploy_new(ctcd_context *ctx, ctcd_model_deployer *deployer, ctcd_deployment *want,
               int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    return make(ctx, &DEPLOY, deployer, want, timeout_ms, ret, err);
}

int validate_new(ctcd_context *ctx, ctcd_model_deployer *deployer, ctcd_deployment *want,
                 int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    return make(ctx, &CHECK, deployer, want, timeout_ms, ret, err);
}

ctcd_service *deploy_service(ctcd_op *op) {
    struct deploy *d = (struct deploy *)op;
    ctcd_service *service = NULL;
    if (op->kind != &DEPLOY || d->phase < UP || service_load(op->ctx, d->uuid, &service, NULL))
        return NULL;
    return service;
}
