/* Deploy, with replace and rollback (deploy.h, DESIGN "Deploy"). The old revision serves until the switch,
   and the switch is one transaction; what fails before it takes the new revision down again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/identity.h"
#include "core/service.h"
#include "engine/deploy.h"
#include "io/random.h"

#define ANNOUNCE_MS 15000
#define TELL_MS 1000 /* for a look at what goes on serving */

enum phase {
    VALIDATE,
    LOCK,
    RECOVER,
    BEGIN,
    KEEP,
    UP,
    SWITCH,
    DOWN_OLD,
    ANNOUNCE,
    UNDO,
    TELL,
    FINISH
};

struct deploy {
    ctcd_op op;
    ctcd_model_deployer *deployer;
    ctcd_deployment *want;
    struct backend *backend;
    bool only_validate;

    enum phase phase;
    char uuid[37];
    bool fresh; /* no service of this UUID is in the store yet */
    struct mutation mutation;
    struct ctcd_revision draft;   /* for validate: not yet in the store */
    struct ctcd_revision serving; /* for announce */
    ctcd_call *call;
    ctcd_op *child;
    int64_t old_number, new_number;
    bool served;          /* an earlier revision is there to go on serving */
    int failed;           /* why we undo */
    int undo_rc, down_rc; /* of the attempt to begin with it, or with ending the old one */
    bool left;            /* the new revision stays as it is, as was asked for */
    ctcd_error *why;
};

static ctcd_context *ctx_of(struct deploy *d) {
    return d->op.ctx;
}

/* ---- before anything starts ---- */

/* The service of this identity as it is now, or the UUID of one to be made. */
static int find_service(struct deploy *d) {
    struct store_service found = {0};
    int rc =
        store_service_find_identity(ctx_of(d)->store, d->deployer->name, d->want->pipeline,
                                    d->want->step, d->want->model_name, &found, OP_ERR(&d->op));
    if (rc < 0 || (rc == CTCD_NONE && d->fresh))
        return rc < 0 ? rc : 0;
    d->fresh = rc == CTCD_NONE;
    d->old_number = d->fresh ? 0 : found.revision;
    d->served = d->old_number > 0 && found.desired == CTCD_STATE_ACTIVE;
    if (d->fresh) /* also where one was deleted meanwhile: a UUID never comes back */
        return random_uuid(d->uuid, OP_ERR(&d->op));
    snprintf(d->uuid, sizeof(d->uuid), "%s", found.uuid);
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
        rc = options_set_here(r->options, d->backend->flavor->name, i.key, json_text(i.value),
                              d->want->folder, err);
    if (!rc)
        rc = options_check_required(r->options, d->backend->flavor->name, err);
    if (rc)
        return rc;
    r->model_uri = mem_copy_text(d->want->model_uri);
    r->model_name = mem_copy_text(d->want->model_name);
    r->run = mem_copy_text(d->want->run);
    r->service_uuid = mem_copy_text(d->uuid);
    return r->model_uri && r->model_name && r->service_uuid && (r->run || !d->want->run)
               ? 0
               : error_nomem(err);
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
    if (!rc)
        rc = find_service(d);
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

/* Ours is the lock of the UUID that was found before: is it still the service's? While we waited it may
   have been deleted, or another process may have made the first of this identity. */
static int lock_service(struct deploy *d, bool *ret_ours) {
    char locked[37];
    memcpy(locked, d->uuid, sizeof(locked));
    int rc = mutation_enter(&d->mutation, &d->op, d->uuid);
    if (!rc)
        rc = find_service(d);
    if (rc)
        return rc;
    *ret_ours = strcmp(locked, d->uuid) == 0;
    if (!*ret_ours)
        mutation_forget(&d->mutation);
    return 0;
}

static int step_lock(struct deploy *d) {
    int rc = find_service(d);
    for (bool ours = false; !rc && !ours;)
        rc = lock_service(d, &ours);
    if (rc)
        return rc;
    rc = recover_start(&d->op, d->backend, d->uuid, d->want->model_name, d->old_number, &d->child);
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
        d->phase = BEGIN;
    return rc;
}

static int add_service(struct deploy *d) {
    struct store_service record = {
        .uuid = d->uuid,
        .deployer = d->deployer->name,
        .pipeline = d->want->pipeline,
        .step = d->want->step,
        .model = d->want->model_name,
        .desired = CTCD_STATE_ACTIVE,
        .created_ms = context_wall(ctx_of(d)),
    };
    return store_service_add(ctx_of(d)->store, &record, OP_ERR(&d->op));
}

/* The revision, the intent to start it, and the service where it is the first: one transaction, so whatever
   of it is ever seen can be started. EXISTS: another process was faster, and made the service. */
static int record_intent(struct deploy *d) {
    ctcd_context *ctx = ctx_of(d);
    ctcd_error **err = OP_ERR(&d->op);
    int64_t number = 0;
    _cleanup_(mem_free_ptr) char *options = options_to_json(d->draft.options);
    _cleanup_(json_done) struct json *asked = DEPLOYMENT_KIND.to_json(d->want);
    _cleanup_(mem_free_ptr) char *deployment = json_to_text(asked);
    if (!options || !deployment)
        return error_nomem(err);
    struct store_revision record = {
        .service = d->uuid,
        .model_uri = d->want->model_uri,
        .pinned_uri = d->draft.pinned_uri,
        .memo = d->draft.memo,
        .options = options,
        .deployment = deployment,
        .metrics = d->want->metrics,
        .run = d->want->run,
        .created_ms = context_wall(ctx),
    };
    int rc = store_begin(ctx->store, err);
    if (rc)
        return rc;
    rc = d->fresh ? add_service(d) : 0;
    bool faster = rc == CTCD_E_EXISTS;
    if (!rc)
        rc = store_revision_add(ctx->store, &record, &number, err);
    if (!rc)
        rc = mutation_begin(&d->mutation, STORE_OPERATION_DEPLOY, PHASE_STARTING, d->old_number,
                            number, op_left(&d->op), err);
    rc = mutation_commit(&d->mutation, rc, err);
    if (rc)
        return faster ? CTCD_NONE : rc;
    d->fresh = false;
    d->new_number = number;
    return 0;
}

/* Not replaced: the one that is there has to run, that is all. */
static int keep_existing(struct deploy *d) {
    op_progress(&d->op, "%s is served already; not replaced", d->want->model_name);
    mutation_done(&d->mutation);
    d->phase = KEEP;
    int rc = start_new(ctx_of(d), d->uuid, op_left(&d->op), &d->child, OP_ERR(&d->op));
    if (!rc)
        op_start(d->child, &d->op);
    return rc;
}

static int step_begin(struct deploy *d) {
    if (!d->want->replace && d->served)
        return keep_existing(d);
    int rc = record_intent(d);
    if (rc == CTCD_NONE) {
        error_done(OP_ERR(&d->op));
        mutation_forget(&d->mutation);
        d->phase = LOCK;
        return 0;
    }
    if (rc)
        return rc;
    struct bring_up_args args = {
        .backend = d->backend,
        .service = d->uuid,
        .model = d->want->model_name,
        .number = d->new_number,
        .min_ready_ms = d->want->min_ready_ms,
        .smoke = d->want->smoke,
    };
    if (!args.smoke && !call_supported(d->backend, CALL_PREDICT, NULL)) {
        args.smoke = d->draft.smoke;
        args.smoke_hint = d->draft.smoke_hint;
    }
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
    if (d->old_number) /* what fails of it is told there: this is no more to be undone */
        d->down_rc = take_down_start(&d->op, d->backend, d->uuid, d->want->model_name,
                                     d->old_number, 0, &d->child);
    return 0;
}

/* From here on the deploy has succeeded; an old server that will not go is reported, not a failure. It stays
   DRAINING, and the next mutation tries again. */
static int step_down_old(struct deploy *d) {
    int rc = d->down_rc ? d->down_rc : child_result(d);
    if (rc == CTCD_AGAIN)
        return rc;
    ctcd_context *ctx = ctx_of(d);
    ctcd_error **err = OP_ERR(&d->op);
    bool down = d->old_number && rc == 0;
    if (rc < 0) {
        context_log(ctx, CTCD_LOG_WARNING, "the old revision %lld of %s: %s",
                    (long long)d->old_number, d->want->model_name, error_message(d->op.err));
        error_done(err);
    }
    d->phase = ANNOUNCE;
    rc = store_begin(ctx->store, err);
    if (rc)
        return rc;
    if (down)
        rc = store_revision_set_state(ctx->store, d->uuid, d->old_number, STORE_REVISION_STOPPED,
                                      context_wall(ctx), err);
    if (!rc)
        rc = mutation_end(&d->mutation, err);
    if (!rc)
        return store_commit(ctx->store, err);
    store_rollback(ctx->store);
    return rc;
}

/* ---- telling others ---- */

static int begin_announce(struct deploy *d) {
    ctcd_context *ctx = ctx_of(d);
    ctcd_error **err = OP_ERR(&d->op);
    _cleanup_(store_revision_done) struct store_revision record = {0};
    int rc = store_revision_get(ctx->store, d->uuid, d->new_number, &record, err);
    if (!rc)
        rc = revision_load(ctx, d->backend, &record, d->want->model_name, &d->serving, err);
    if (rc)
        return rc;
    d->serving.wanted = true;
    struct call_args args = {.revision = &d->serving};
    return call_start(&d->op, d->backend, CALL_ANNOUNCE, &args, context_mono(ctx) + ANNOUNCE_MS,
                      &d->call);
}

/* The lock is still ours, so that two deploys are announced in their order. It has time of its own, since
   the deploy has succeeded whatever becomes of it; only a cancel ends it. */
static int step_announce(struct deploy *d) {
    int rc = 0;
    if (!d->call && call_supported(d->backend, CALL_ANNOUNCE, NULL) == 0)
        rc = begin_announce(d);
    if (!rc && d->call && d->op.stop == CTCD_E_CANCELED)
        call_drop(&d->call);
    if (!rc && d->call && !call_ended(d->call)) {
        op_wait_child(&d->op);
        return CTCD_AGAIN;
    }
    if (!rc && d->call)
        rc = call_result(d->call, OP_ERR(&d->op));
    call_drop(&d->call);
    if (rc < 0) {
        context_log(ctx_of(d), CTCD_LOG_WARNING, "revision %lld of %s serves, but %s%s%s",
                    (long long)d->new_number, d->want->model_name, error_message(d->op.err),
                    error_hint_text(d->op.err) ? "; next: " : "",
                    error_hint_text(d->op.err) ? error_hint_text(d->op.err) : "");
        error_done(OP_ERR(&d->op));
    }
    d->phase = FINISH;
    return 0;
}

/* ---- undoing ---- */

/* Always goes on to UNDO: where the new revision cannot be taken down, that is recorded there. */
static void begin_undo(struct deploy *d, int why) {
    d->failed = why;
    d->why = error_ref(d->op.err);
    d->phase = UNDO;
    call_drop(&d->call);
    op_drop(&d->child);
    d->left = d->want->leave_failed && why == CTCD_E_FAILED;
    if (d->left)
        return;
    op_progress(&d->op, "taking the new revision down again");
    d->undo_rc = take_down_start(&d->op, d->backend, d->uuid, d->want->model_name, d->new_number,
                                 CTCD_REMOVE_FORCE, &d->child);
}

/* Without it the message is shorter, that is all. */
static void look_who_serves(struct deploy *d) {
    ctcd_context *ctx = ctx_of(d);
    _cleanup_(object_done) ctcd_list *services = object_list_new(ctx, &SERVICE_KIND);
    ctcd_service *service = NULL;
    if (services && service_load(ctx, d->uuid, &service, NULL) == 0 &&
        object_list_take(services, service) &&
        observe_new(ctx, services, TELL_MS, &d->child, NULL) == 0)
        op_start(d->child, &d->op);
}

static int step_undo(struct deploy *d) {
    int rc = d->undo_rc ? d->undo_rc : child_result(d);
    if (rc == CTCD_AGAIN)
        return rc;
    if (rc < 0)
        context_log(ctx_of(d), CTCD_LOG_ERROR, "undo of the deploy of %s: %s", d->want->model_name,
                    error_message(d->op.err));
    mutation_fail(&d->mutation, rc == 0, d->left ? 0 : d->new_number, d->why);
    mutation_done(&d->mutation);
    d->phase = TELL;
    if (d->served && d->why)
        look_who_serves(d);
    return 0;
}

/* The message ends with what goes on serving. */
static void say_who_serves(struct deploy *d, const ctcd_status *status) {
    const ctcd_service *service = status->service;
    bool serves = service_state_running(status->state);
    const char *how = serves ? "still serves at"
                      : status->state == CTCD_STATE_UNKNOWN
                          ? "was not touched, but whether it serves is not known:"
                          : "does not serve either:";
    ctcd_error *said = NULL;
    error_set(&said, error_code(d->why), error_hint_text(d->why),
              "%s; revision %" PRId64 " (%s) %s %s", error_message(d->why),
              service->record.revision, service->model_uri, how,
              serves ? service->record.url : status->message);
    if (error_details(d->why))
        error_set_details(&said, error_details(d->why));
    error_done(&d->why);
    d->why = said;
}

static int step_tell(struct deploy *d) {
    if (d->child && !d->child->ended) {
        op_wait_child(&d->op);
        return CTCD_AGAIN;
    }
    _cleanup_(object_done) ctcd_list *seen = d->child ? op_steal_result(d->child, OP_LIST) : NULL;
    const ctcd_status *status = object_list_at(seen, &STATUS_KIND, 0);
    if (status)
        say_who_serves(d, status);
    op_drop(&d->child);
    error_done(OP_ERR(&d->op));
    d->op.err = d->why;
    d->why = NULL;
    return d->failed;
}

/* ---- the op ---- */

/* What was kept instead, as its start left it. */
static int step_keep(struct deploy *d) {
    if (!d->child->ended) {
        if (d->op.stop)
            op_stop(d->child, d->op.stop);
        op_wait_child(&d->op);
        return CTCD_AGAIN;
    }
    int rc = child_result(d);
    if (!rc)
        d->phase = FINISH;
    return rc;
}

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
    case BEGIN:
        return step_begin(d);
    case KEEP:
        return step_keep(d);
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
    case ANNOUNCE:
        return step_announce(d);
    case UNDO:
        return step_undo(d);
    case TELL:
        return step_tell(d);
    case FINISH:
        break;
    }
    return step_finish(d);
}

/* A stop while the new revision comes up: it knows best what it was waiting for. */
static int stopped_up(struct deploy *d) {
    if (d->child && !d->child->ended) {
        op_stop(d->child, d->op.stop);
        op_wait_child(&d->op);
        return CTCD_AGAIN;
    }
    if (d->child)
        op_outcome(d->child, OP_ERR(&d->op));
    op_fail_stopped(&d->op);
    begin_undo(d, d->op.stop);
    return 0;
}

/* A stop: before the new revision was begun there is nothing to undo (what is being cleared up only goes
   faster); after the switch nothing is undone, the old one only goes faster. 0: it goes on. */
static int stopped(struct deploy *d) {
    switch (d->phase) {
    case UP:
    case SWITCH:
        return stopped_up(d);
    case RECOVER:
    case DOWN_OLD:
        if (d->child && !d->child->ended)
            op_stop(d->child, d->op.stop);
        return 0;
    case KEEP:
    case ANNOUNCE:
    case UNDO:
    case TELL:
    case FINISH:
        return 0;
    case LOCK:
        if (d->op.stop == CTCD_E_TIMEOUT)
            return error_set(OP_ERR(&d->op), CTCD_E_CONFLICT, "try again when it is over",
                             "another operation on the service of %s did not end in time",
                             d->want->model_name);
        break;
    case VALIDATE:
    case BEGIN:
        break;
    }
    return op_fail_stopped(&d->op);
}

static int deploy_step(ctcd_op *op) {
    struct deploy *d = (struct deploy *)op;
    for (;;) {
        int rc = op->stop ? stopped(d) : 0;
        if (rc)
            return rc;
        enum phase before = d->phase;
        rc = enter_phase(d);
        if (rc < 0 && before != UNDO && d->mutation.operation && before != DOWN_OLD) {
            begin_undo(d, rc);
            rc = 0;
        }
        if (rc || before == FINISH)
            return rc;
    }
}

static void deploy_done(ctcd_op *op) {
    struct deploy *d = (struct deploy *)op;
    call_drop(&d->call);
    op_drop(&d->child);
    if (d->fresh)
        mutation_forget(&d->mutation);
    mutation_done(&d->mutation);
    revision_done(&d->draft);
    revision_done(&d->serving);
    error_done(&d->why);
    object_done(&d->deployer);
    object_done(&d->want);
}

static const struct op_kind DEPLOY = {.name = "deploy", .step = deploy_step, .done = deploy_done};
static const struct op_kind CHECK = {.name = "validate", .step = deploy_step, .done = deploy_done};

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
    if (op->kind != &DEPLOY || d->phase < KEEP || service_load(op->ctx, d->uuid, &service, NULL))
        return NULL;
    return service;
}
