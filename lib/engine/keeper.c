/* See keeper.h. */
#include "engine/keeper.h"

#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "core/restart.h"
#include "core/service.h"
#include "engine/deploy.h"

#define LOOK_MS 5000    /* between looks: a crash is known after that at the latest */
#define OBSERVE_MS 5000 /* what has not answered by then is unknown, and left alone */

/* ---- restarts under way ---- */

static struct kept *restart_of(struct keeper *k, const char *uuid) {
    for (size_t i = 0; i < KEEPER_MOST; i++)
        if (k->restarts[i].op && strcmp(k->restarts[i].uuid, uuid) == 0)
            return &k->restarts[i];
    return NULL;
}

static struct kept *free_place(struct keeper *k) {
    for (size_t i = 0; i < KEEPER_MOST; i++)
        if (!k->restarts[i].op)
            return &k->restarts[i];
    return NULL;
}

/* How it failed stands with the service. Somebody else's work on it, or its deletion, is no failure. */
static void let_go(struct keeper *k, ctcd_op *op) {
    for (size_t i = 0; i < KEEPER_MOST; i++) {
        struct kept *kept = &k->restarts[i];
        if (!kept->op || !kept->op->ended)
            continue;
        int rc = kept->op->rc;
        if (rc == 0)
            op_progress(op, "service %.8s: restarted", kept->uuid);
        else if (rc < 0 && rc != CTCD_E_CONFLICT && rc != CTCD_E_NOT_FOUND)
            op_progress(op, "service %.8s: the restart failed: %s", kept->uuid,
                        kept->op->err ? error_message(kept->op->err) : "");
        op_drop(&kept->op);
        if (rc != CTCD_E_CONFLICT)
            k->look_at = INT64_MIN; /* what comes next is planned by now */
    }
}

static int begin_restart(struct keeper *k, ctcd_op *op, const struct store_service *service) {
    struct kept *place = free_place(k);
    if (!place)
        return 0; /* one that ends makes room */
    int rc = restart_new(op->ctx, service->uuid, &place->op, OP_ERR(op));
    if (rc)
        return rc;
    snprintf(place->uuid, sizeof place->uuid, "%s", service->uuid);
    op_progress(op, "service %.8s (%s): restarting it", service->uuid, service->model);
    op_start(place->op, op);
    return 0;
}

/* ---- what a look found ---- */

static bool needed(const ctcd_status *status) {
    const struct store_service *service = &status->service->record;
    struct restart_facts facts = {
        .wanted = service->desired == CTCD_STATE_ACTIVE && service->revision > 0,
        .state = status->state,
        .final = status->final,
        .ended_well = status->ended_well,
        .planned = service->restart_next_ms != CTCD_TIME_NONE,
        .interrupted = status->next[0] != '\0',
    };
    return restart_policy_from_name(service->restart, &facts.policy) && restart_needed(&facts);
}

static int plan(ctcd_op *op, const ctcd_status *status, int64_t now, int64_t *ret_next) {
    const struct store_service *service = &status->service->record;
    bool lasted = status->ready_ms != CTCD_TIME_NONE && now - status->ready_ms >= RESTART_RESET_MS;
    int64_t tries = lasted ? 0 : service->restart_tries;
    char when[TIME_TEXT_SIZE];
    *ret_next = now + restart_delay_ms(tries);
    time_to_text(*ret_next, when);
    _cleanup_(mem_free_ptr) char *why = mem_text("%s; restart at %s", status->message, when);
    if (!why)
        return error_nomem(OP_ERR(op));
    int rc = store_service_plan_restart(op->ctx->store, service->uuid, tries, *ret_next, why, now,
                                        OP_ERR(op));
    if (!rc)
        op_progress(op, "service %.8s (%s): %s", service->uuid, service->model, why);
    return rc;
}

static int take_status(struct keeper *k, ctcd_op *op, const ctcd_status *status, int64_t now) {
    const struct store_service *service = &status->service->record;
    int64_t next = service->restart_next_ms;
    if (restart_of(k, service->uuid))
        return 0;
    int rc = 0;
    if (!needed(status)) {
        if (next == CTCD_TIME_NONE || !service_state_running(status->state))
            return 0;
        rc = store_service_plan_restart(op->ctx->store, service->uuid, service->restart_tries,
                                        CTCD_TIME_NONE, NULL, now, OP_ERR(op));
        next = INT64_MAX;
    } else if (next == CTCD_TIME_NONE) {
        rc = plan(op, status, now, &next);
    }
    if (rc == CTCD_E_NOT_FOUND) { /* deleted or stopped meanwhile */
        error_done(OP_ERR(op));
        return 0;
    }
    if (rc)
        return rc;
    if (next > now) {
        if (next < k->next_ms)
            k->next_ms = next;
        return 0;
    }
    k->due |= !free_place(k);
    return begin_restart(k, op, service);
}

/* ---- looking ---- */

static int begin_look(struct keeper *k, ctcd_op *op) {
    ctcd_context *ctx = op->ctx;
    _cleanup_(store_services_done) struct store_services kept = {0};
    _cleanup_(object_done) ctcd_list *list = object_list_new(ctx, &SERVICE_KIND);
    int rc =
        list ? store_service_list_kept(ctx->store, &kept, OP_ERR(op)) : error_nomem(OP_ERR(op));
    for (size_t i = 0; !rc && i < kept.count; i++) {
        ctcd_service *service = NULL;
        rc = service_with(ctx, &kept.items[i], NULL, &service, OP_ERR(op));
        if (!rc && !object_list_take(list, service))
            rc = error_nomem(OP_ERR(op));
    }
    k->look_at = context_mono(ctx) + LOOK_MS;
    k->next_ms = INT64_MAX;
    k->due = false;
    if (rc)
        return rc;
    if (!kept.count) {
        k->looked = true;
        return 0;
    }
    rc = observe_new(ctx, list, OBSERVE_MS, &k->look, OP_ERR(op));
    if (!rc)
        op_start(k->look, op);
    return rc;
}

static int end_look(struct keeper *k, ctcd_op *op) {
    int64_t now = context_wall(op->ctx);
    int rc = k->look->rc;
    _cleanup_(object_done) ctcd_list *seen = op_steal_result(k->look, OP_LIST);
    if (rc == CTCD_E_NOT_FOUND) /* the only one was deleted meanwhile */
        rc = 0;
    else if (rc)
        rc = op_outcome(k->look, OP_ERR(op));
    op_drop(&k->look);
    k->looked = true;
    for (size_t i = 0; !rc && i < object_list_count(seen); i++)
        rc = take_status(k, op, object_list_at(seen, &STATUS_KIND, i), now);
    return rc;
}

void keeper_step(struct keeper *k, ctcd_op *op) {
    int rc = 0;
    let_go(k, op);
    if (k->look && k->look->ended)
        rc = end_look(k, op);
    else if (!k->look &&
             (context_mono(op->ctx) >= k->look_at || context_wall(op->ctx) >= k->next_ms))
        rc = begin_look(k, op);
    if (!rc)
        return;
    op_progress(op, "services cannot be kept now: %s", error_message(op->err));
    error_done(OP_ERR(op));
    k->look_at = context_mono(op->ctx) + LOOK_MS;
    k->next_ms = INT64_MAX; /* not at once again, by the other clock */
}

bool keeper_idle(const struct keeper *k) {
    bool busy = k->look || !k->looked || k->due;
    for (size_t i = 0; i < KEEPER_MOST; i++)
        busy |= k->restarts[i].op != NULL;
    return !busy;
}

bool keeper_stop(struct keeper *k, ctcd_op *op) {
    bool all = true;
    op_drop(&k->look);
    for (size_t i = 0; i < KEEPER_MOST; i++) {
        ctcd_op *restart = k->restarts[i].op;
        if (!restart || restart->ended)
            continue;
        op_stop(restart, op->stop);
        all = false;
    }
    return all;
}

void keeper_done(struct keeper *k) {
    op_drop(&k->look);
    for (size_t i = 0; i < KEEPER_MOST; i++)
        op_drop(&k->restarts[i].op);
}
