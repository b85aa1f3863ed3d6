/* Looks at many services side by side under one deadline (service.h). Nothing is repaired here. */
#include <stdio.h>
#include <string.h>

#include "core/service.h"
#include "engine/deploy.h"

struct look {
    char uuid[37];
    ctcd_service *service; /* as the store has it now; NULL = deleted meanwhile */
    struct backend *backend;
    struct ctcd_revision revision;
    struct ctcd_observation seen;
    ctcd_call *call;
    ctcd_error *err; /* why it could not be asked */
    struct service_facts facts;
    enum store_operation_kind operation;
    ctcd_status *status;
};

struct observe {
    ctcd_op op;
    struct look *looks;
    size_t count;
    bool begun;
};

/* ---- one look begins ---- */

static int operation_facts(struct look *look, ctcd_context *ctx, ctcd_error **err) {
    struct store_operation open = {0};
    int rc = store_operation_get_open(ctx->store, look->service->record.uuid, &open, err);
    if (rc)
        return rc == CTCD_NONE ? 0 : rc;
    look->operation = open.kind;
    bool up = open.kind == STORE_OPERATION_DEPLOY || open.kind == STORE_OPERATION_START;
    look->facts.operation = up ? OPERATION_STARTING : OPERATION_STOPPING;
    store_operation_done(&open);
    return mutation_live(ctx, look->service->record.uuid, &look->facts.operation_live, err);
}

static int begin_look(struct observe *o, struct look *look) {
    ctcd_context *ctx = o->op.ctx;
    ctcd_error **err = OP_ERR(&o->op);
    ctcd_service *fresh = NULL;
    int rc = service_load(ctx, look->uuid, &fresh, err);
    if (rc)
        return rc;
    look->service = fresh;
    const struct store_service *r = &fresh->record;
    look->facts.desired = r->desired;
    look->facts.has_revision = r->revision > 0;
    look->facts.observed = CTCD_STATE_UNKNOWN;
    look->facts.failed = r->last_error[0] != '\0';
    rc = operation_facts(look, ctx, err);
    if (rc || !r->revision)
        return rc;
    _cleanup_(store_revision_done) struct store_revision record = {0};
    rc = store_revision_get(ctx->store, r->uuid, r->revision, &record, err);
    if (rc)
        return rc;
    if (backend_get(ctx, r->deployer, &look->backend, &look->err))
        return look->err ? 0 : error_nomem(err);
    rc = revision_load(ctx, look->backend, &record, r->model, &look->revision, err);
    if (rc)
        return rc;
    look->revision.wanted = r->desired == CTCD_STATE_ACTIVE;
    struct call_args args = {.revision = &look->revision, .observation = &look->seen};
    return call_start(&o->op, look->backend, CALL_OBSERVE, &args, o->op.deadline, &look->call);
}

static int begin(struct observe *o) {
    o->begun = true;
    for (size_t i = 0; i < o->count; i++) {
        int rc = begin_look(o, &o->looks[i]);
        if (rc == CTCD_E_NOT_FOUND && o->count > 1) { /* deleted meanwhile: no longer in the list */
            error_done(OP_ERR(&o->op));
        } else if (rc) {
            return rc;
        }
    }
    return 0;
}

/* ---- and ends ---- */

static char *copy_or_empty(const char *text) {
    return mem_copy_text(text ? text : "");
}

static const char *next_command(const struct look *look) {
    if (!look->facts.operation || look->facts.operation_live)
        return NULL;
    switch (look->operation) {
    case STORE_OPERATION_DEPLOY:
    case STORE_OPERATION_START:
        return "start";
    case STORE_OPERATION_STOP:
        return "stop";
    case STORE_OPERATION_DELETE:
        return "delete";
    }
    return NULL;
}

static char *message_of(const struct look *look, int state) {
    const char *next = next_command(look);
    if (next)
        return mem_text("operation interrupted (%s)%s%s",
                        store_operation_kind_name(look->operation), look->seen.message ? "; " : "",
                        look->seen.message ? look->seen.message : "");
    if (look->err)
        return mem_text("cannot be asked: %s", error_message(look->err));
    if (look->seen.message)
        return mem_copy_text(look->seen.message);
    return mem_text("%s",
                    state == CTCD_STATE_ERROR ? "did not come up" : service_state_name(state));
}

static ctcd_status *make_status(struct observe *o, struct look *look) {
    ctcd_status *status = object_new(o->op.ctx, &STATUS_KIND, sizeof(*status));
    if (!status)
        return NULL;
    const char *next = next_command(look);
    const char *stored = look->service->record.last_error;
    status->service = look->service;
    look->service = NULL;
    status->state = service_state(&look->facts);
    status->time_ms = context_wall(o->op.ctx);
    status->message = message_of(look, status->state);
    bool own = look->seen.cause != NULL;
    status->last_error = copy_or_empty(own ? look->seen.cause : stored);
    status->log_tail =
        copy_or_empty(own ? look->seen.log_tail : status->service->record.last_error_details);
    status->next = next ? mem_text("ctcd served-models %s %s", next, status->service->record.uuid)
                        : mem_copy_text("");
    status->names = look->seen.names;
    status->values = look->seen.values;
    status->count = look->seen.count;
    look->seen.names = look->seen.values = NULL;
    look->seen.count = 0;
    if (!status->message || !status->last_error || !status->log_tail || !status->next)
        return object_unref(status);
    return status;
}

/* Has the call ended? Then the facts are whole. */
static bool look_over(struct look *look) {
    if (!look->call)
        return true;
    if (!call_ended(look->call))
        return false;
    if (call_result(look->call, &look->err) == 0)
        look->facts.observed = look->seen.state ? look->seen.state : CTCD_STATE_UNKNOWN;
    call_drop(&look->call);
    return true;
}

static int finish(struct observe *o) {
    _cleanup_(object_done) ctcd_list *list = object_list_new(o->op.ctx, &STATUS_KIND);
    if (!list)
        return error_nomem(OP_ERR(&o->op));
    for (size_t i = 0; i < o->count; i++)
        if (o->looks[i].service && !object_list_take(list, make_status(o, &o->looks[i])))
            return error_nomem(OP_ERR(&o->op));
    op_set_result(&o->op, OP_LIST, mem_steal(&list));
    return 0;
}

static int observe_step(ctcd_op *op) {
    struct observe *o = (struct observe *)op;
    if (op->stop && op->stop != CTCD_E_TIMEOUT)
        return op_fail_stopped(op);
    if (!o->begun) {
        int rc = begin(o);
        if (rc)
            return rc;
    }
    bool all = true;
    for (size_t i = 0; i < o->count; i++) {
        if (op->stop) /* time is over: who has not answered is unknown */
            call_drop(&o->looks[i].call);
        all = look_over(&o->looks[i]) && all;
    }
    if (!all) {
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    return finish(o);
}

static void observe_done(ctcd_op *op) {
    struct observe *o = (struct observe *)op;
    for (size_t i = 0; i < o->count; i++) {
        struct look *look = &o->looks[i];
        call_drop(&look->call);
        object_unref(look->service);
        revision_done(&look->revision);
        observation_done(&look->seen);
        error_done(&look->err);
    }
    mem_free(o->looks);
    o->looks = NULL;
    o->count = 0;
}

static const struct op_kind OBSERVE = {"look at services", observe_step, observe_done};

int observe_new(ctcd_context *ctx, ctcd_list *services, int64_t timeout_ms, ctcd_op **ret,
                ctcd_error **err) {
    struct store *store = NULL;
    ctcd_op *op = NULL;
    size_t count = object_list_count(services);
    if (count && !object_list_at(services, &SERVICE_KIND, 0))
        return error_set(err, CTCD_E_INVALID, NULL, "the list does not hold services");
    int rc = context_store(ctx, &store, err);
    struct look *looks = mem_array(count + 1, sizeof(*looks));
    if (!rc && !looks)
        rc = error_nomem(err);
    if (!rc)
        rc = op_new(ctx, &OBSERVE, sizeof(struct observe), timeout_ms, &op, err);
    if (rc) {
        mem_free(looks);
        return rc;
    }
    struct observe *o = (struct observe *)op;
    o->looks = looks;
    o->count = count;
    for (size_t i = 0; i < count; i++) {
        const ctcd_service *service = object_list_at(services, &SERVICE_KIND, i);
        snprintf(looks[i].uuid, sizeof(looks[i].uuid), "%s", service->record.uuid);
    }
    *ret = op;
    return 0;
}
