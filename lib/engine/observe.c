/* Looks at many services side by side under one deadline (service.h). Nothing is repaired here. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/service.h"
#include "engine/deploy.h"

#define SETTLE_TRIES 20 /* readings of a service whose operations begin and end while we look */
#define LOOK_ROUNDS 5   /* looks at one that changes while it is looked at */

struct look {
    char uuid[37];
    ctcd_service *service; /* as the store has it now; NULL = deleted meanwhile */
    struct backend *backend;
    bool has_revision; /* the one that serves, or the newest */
    int64_t ready_ms;  /* since when it has served */
    struct ctcd_revision revision;
    struct ctcd_observation seen;
    ctcd_call *call;
    ctcd_error *err; /* why it could not be asked */
    struct service_facts facts;
    enum store_operation_kind operation;
    char operation_uuid[37]; /* "" = none is open */
    int64_t left; /* number of the revision that failed and was left to be looked at; 0 = none */
    int rounds;
};

struct observe {
    ctcd_op op;
    struct look *looks;
    size_t count;
    bool begun;
};

static void look_done(struct look *look) {
    call_drop(&look->call);
    look->service = object_unref(look->service);
    revision_done(&look->revision);
    observation_done(&look->seen);
    error_done(&look->err);
}

/* ---- the facts ---- */

static int read_operation(struct look *look, ctcd_context *ctx, ctcd_error **err) {
    struct store_operation open = {0};
    int rc = store_operation_get_open(ctx->store, look->uuid, &open, err);
    if (rc)
        return rc == CTCD_NONE ? 0 : rc;
    look->operation = open.kind;
    bool up = open.kind == STORE_OPERATION_DEPLOY || open.kind == STORE_OPERATION_START ||
              open.kind == STORE_OPERATION_RESTART;
    look->facts.operation = up ? OPERATION_STARTING : OPERATION_STOPPING;
    snprintf(look->operation_uuid, sizeof(look->operation_uuid), "%s", open.uuid);
    store_operation_done(&open);
    return 0;
}

/* A deploy that fails with on_failure "leave" is over, and its revision is not. */
static int read_left(struct look *look, ctcd_context *ctx, ctcd_error **err) {
    _cleanup_(store_revisions_done) struct store_revisions unended = {0};
    int rc = store_revision_list_unended(ctx->store, look->uuid, &unended, err);
    for (size_t i = 0; !rc && i < unended.count; i++)
        if (unended.items[i].state == STORE_REVISION_STARTING &&
            unended.items[i].number != look->service->record.revision)
            look->left = unended.items[i].number;
    look->facts.left = look->left != 0;
    return rc;
}

/* The one before most often has the same back end, which then need not be looked up again. */
static int find_backend(struct look *look, const struct look *before, ctcd_context *ctx,
                        ctcd_error **err) {
    const char *deployer = look->service->record.deployer;
    if (before && before->backend && before->service &&
        strcmp(before->service->record.deployer, deployer) == 0) {
        look->backend = before->backend;
        return 0;
    }
    int rc = backend_get(ctx, deployer, &look->backend, &look->err);
    if (rc)
        look->backend = NULL;
    return rc == CTCD_E_NOMEM ? error_nomem(err) : 0;
}

/* In a reading of one instant. NOT_FOUND: it was deleted. */
static int read_facts(struct look *look, const struct look *before, ctcd_context *ctx,
                      ctcd_error **err) {
    struct store_service record = {0};
    _cleanup_(store_revision_done) struct store_revision revision = {0};
    int rc = store_service_get(ctx->store, look->uuid, &record, err);
    if (rc)
        return rc;
    look->facts.desired = record.desired;
    look->facts.has_revision = record.revision > 0;
    look->facts.observed = CTCD_STATE_UNKNOWN;
    look->facts.failed = record.last_error[0] != '\0';
    rc = service_revision(ctx->store, &record, &revision, err);
    if (rc < 0) {
        store_service_done(&record);
        return rc;
    }
    look->has_revision = rc == 0;
    look->ready_ms = rc == 0 ? revision.ready_ms : CTCD_TIME_NONE;
    rc = service_with(ctx, &record, look->has_revision ? &revision : NULL, &look->service, err);
    if (!rc)
        rc = read_operation(look, ctx, err);
    if (!rc && look->facts.operation == OPERATION_NONE && look->facts.has_revision)
        rc = read_left(look, ctx, err);
    if (!rc && look->has_revision)
        rc = find_backend(look, before, ctx, err);
    if (!rc && look->backend)
        rc = revision_load(ctx, look->backend, &revision, look->service->record.model,
                           &look->revision, err);
    look->revision.wanted = look->facts.desired == CTCD_STATE_ACTIVE;
    return rc;
}

static int reread(struct look *look, ctcd_context *ctx, ctcd_error **err) {
    struct look fresh = {.rounds = look->rounds};
    memcpy(fresh.uuid, look->uuid, sizeof(fresh.uuid));
    int rc = store_begin_read(ctx->store, err);
    if (rc)
        return rc;
    rc = read_facts(&fresh, NULL, ctx, err);
    store_rollback(ctx->store);
    look_done(look);
    *look = fresh;
    return rc;
}

/* Does the operation that is open live? Only that it still is open after its lock was seen free proves
   that it died: one that ends well ends its row first. */
static int settle(struct look *look, ctcd_context *ctx, ctcd_error **err) {
    for (int tries = 0; look->operation_uuid[0] && tries < SETTLE_TRIES; tries++) {
        struct store_operation open = {0};
        int rc = mutation_live(ctx, look->uuid, &look->facts.operation_live, err);
        if (rc || look->facts.operation_live)
            return rc;
        rc = store_operation_get_open(ctx->store, look->uuid, &open, err);
        if (rc < 0)
            return rc;
        bool dead = rc == 0 && strcmp(open.uuid, look->operation_uuid) == 0;
        store_operation_done(&open);
        if (dead)
            return 0;
        rc = reread(look, ctx, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- one look begins ---- */

/* A revision that never served is only looked at where a dead operation left it: what runs of it? */
static int begin_look(struct observe *o, struct look *look) {
    bool left = look->facts.operation && !look->facts.operation_live;
    if (!look->backend || (!look->facts.has_revision && !left))
        return 0;
    struct call_args args = {.revision = &look->revision, .observation = &look->seen};
    return call_start(&o->op, look->backend, CALL_OBSERVE, &args, o->op.deadline, &look->call);
}

/* Deleted meanwhile: no longer in the list. Who asked for it alone is told. */
static int gone(struct observe *o, struct look *look, int rc) {
    if (rc != CTCD_E_NOT_FOUND || o->count == 1)
        return rc;
    error_done(OP_ERR(&o->op));
    look_done(look);
    return 0;
}

static int read_all(struct observe *o) {
    ctcd_context *ctx = o->op.ctx;
    int rc = store_begin_read(ctx->store, OP_ERR(&o->op));
    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < o->count; i++) {
        struct look *look = &o->looks[i];
        rc = read_facts(look, i ? look - 1 : NULL, ctx, OP_ERR(&o->op));
        rc = gone(o, look, rc);
    }
    store_rollback(ctx->store);
    return rc;
}

static int begin(struct observe *o) {
    o->begun = true;
    int rc = read_all(o);
    for (size_t i = 0; !rc && i < o->count; i++) {
        struct look *look = &o->looks[i];
        rc = gone(o, look, settle(look, o->op.ctx, OP_ERR(&o->op)));
        if (!rc && look->service)
            rc = begin_look(o, look);
    }
    return rc;
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
    case STORE_OPERATION_RESTART:
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
    if (state == CTCD_STATE_ERROR && look->seen.state != CTCD_STATE_ERROR)
        return mem_copy_text("did not come up"); /* and was taken down: the last error says why */
    if (state == CTCD_STATE_DEGRADED && look->left)
        return mem_text("serves; revision %" PRId64 ", which failed, was left beside it to be "
                        "looked at, until the next change",
                        look->left);
    return mem_copy_text(look->seen.message ? look->seen.message : service_state_name(state));
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
    status->final = look->seen.final;
    status->ended_well = look->seen.ended_well;
    status->ready_ms = look->ready_ms;
    status->names = look->seen.names;
    status->values = look->seen.values;
    status->count = look->seen.count;
    look->seen.names = look->seen.values = NULL;
    look->seen.count = 0;
    if (!status->message || !status->last_error || !status->log_tail || !status->next)
        return object_unref(status);
    return status;
}

/* Was something done to the service while it was looked at? Then what was seen may be of a server that is no
   more, and it is looked at anew. One that runs, runs, whatever was done. */
static int look_again(struct observe *o, struct look *look) {
    ctcd_context *ctx = o->op.ctx;
    if (o->op.stop || service_state_running(look->facts.observed) || look->rounds++ == LOOK_ROUNDS)
        return 0;
    struct look now = {.rounds = look->rounds};
    memcpy(now.uuid, look->uuid, sizeof(now.uuid));
    int rc = reread(&now, ctx, OP_ERR(&o->op));
    if (rc) {
        look_done(&now);
        return gone(o, look, rc);
    }
    if (now.service->record.revision == look->service->record.revision &&
        now.facts.desired == look->facts.desired &&
        now.revision.generation == look->revision.generation &&
        strcmp(now.operation_uuid, look->operation_uuid) == 0) {
        look_done(&now);
        return 0;
    }
    look_done(look);
    *look = now;
    rc = gone(o, look, settle(look, ctx, OP_ERR(&o->op)));
    return rc || !look->service ? rc : begin_look(o, look);
}

/* What was said before the deadline counts, too. */
static void take_state(struct look *look) {
    look->facts.observed = look->seen.state ? look->seen.state : CTCD_STATE_UNKNOWN;
}

/* CTCD_AGAIN while it is looked at; else the facts are whole. */
static int look_over(struct observe *o, struct look *look) {
    if (o->op.stop && look->call) { /* time is over: who has said nothing is unknown */
        take_state(look);
        call_drop(&look->call);
    }
    if (!look->call)
        return 0;
    if (!call_ended(look->call))
        return CTCD_AGAIN;
    int rc = call_result(look->call, &look->err);
    if (rc == 0 || rc == CTCD_E_TIMEOUT)
        take_state(look);
    call_drop(&look->call);
    if (rc == CTCD_E_NOMEM) /* that is our trouble, and says nothing about the server */
        return error_nomem(OP_ERR(&o->op));
    rc = look_again(o, look);
    return rc || !look->call ? rc : CTCD_AGAIN;
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
        int rc = look_over(o, &o->looks[i]);
        if (rc < 0)
            return rc;
        all = all && rc == 0;
    }
    if (!all) {
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    return finish(o);
}

static void observe_done(ctcd_op *op) {
    struct observe *o = (struct observe *)op;
    for (size_t i = 0; i < o->count; i++)
        look_done(&o->looks[i]);
    mem_free(o->looks);
    o->looks = NULL;
    o->count = 0;
}

static const struct op_kind OBSERVE = {
    .name = "look at services", .step = observe_step, .done = observe_done};

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
