/* Work that somebody began and died over: operations on services, runs (doctor.h). */
#include <string.h>

#include "engine/deploy.h"
#include "engine/doctor.h"
#include "engine/run.h"

/* ---- operations ------------------------------------------------------------------------------- */

/* A first deploy is resumed. Where there is an incumbent, the new revision goes: by a start, which leaves an
   incumbent alone that serves, or by a stop, where it was stopped. */
static int resolving_op(struct doctor *d, const struct store_operation *left,
                        const struct store_service *service, ctcd_op **ret, ctcd_error **err) {
    switch (left->kind) {
    case STORE_OPERATION_DELETE:
        return delete_new(d->ctx, left->service, 0, d->timeout_ms, ret, err);
    case STORE_OPERATION_STOP:
        return stop_new(d->ctx, left->service, d->timeout_ms, ret, err);
    case STORE_OPERATION_DEPLOY:
        if (service->revision && service->desired != CTCD_STATE_ACTIVE)
            return stop_new(d->ctx, left->service, d->timeout_ms, ret, err);
        break;
    case STORE_OPERATION_START:
    case STORE_OPERATION_RESTART:
        break;
    }
    return start_new(d->ctx, left->service, d->timeout_ms, ret, err);
}

static int resolve(struct doctor *d, const struct store_operation *left, ctcd_error **err) {
    _cleanup_(store_service_done) struct store_service service = {0};
    ctcd_op *op = NULL;
    int rc = store_service_get(d->store, left->service, &service, err);
    if (!rc)
        rc = resolving_op(d, left, &service, &op, err);
    if (rc)
        return rc;
    op_start(op, NULL);
    rc = op_wait(op, -1, err);
    op_unref(op);
    return rc > 0 ? 0 : rc;
}

/* A deploy that is resumed and fails has ended all the same: what it left is cleared up, and its service
   listed with the error. Is the row that was found closed? */
static int resolved(struct doctor *d, const struct store_operation *left, int rc, bool *ret,
                    ctcd_error **err) {
    _cleanup_(store_operation_done) struct store_operation open = {0};
    int got = store_operation_get_open(d->store, left->service, &open, err);
    if (got < 0)
        return got;
    *ret = got == CTCD_NONE || (rc == 0 && strcmp(open.uuid, left->uuid) != 0);
    return 0;
}

static int tell_operation(struct doctor *d, const struct store_operation *left, ctcd_error **err) {
    ctcd_finding *finding = NULL;
    ctcd_error *why = NULL;
    const char *kind = store_operation_kind_name(left->kind);
    int rc = doctor_add(
        d, "operation", DOCTOR_ERROR, mem_copy_text(left->service),
        mem_text("a %s of the service (%s, by %s) was interrupted", kind, left->phase, left->owner),
        mem_copy_text("ctcd doctor --fix resumes or undoes it, and so does the "
                      "next operation on the service"),
        &finding);
    if (rc)
        return error_nomem(err);
    finding->fixable = true;
    if (!d->fixes)
        return 0;
    bool over = false;
    rc = resolve(d, left, &why);
    int looked = resolved(d, left, rc, &over, err);
    if (looked) {
        error_done(&why);
        return looked;
    }
    if (rc == CTCD_E_FAILED && over) {
        error_done(&why);
        rc = 0;
    }
    return doctor_mended(finding, rc, why, err);
}

int doctor_operations(struct doctor *d, ctcd_error **err) {
    _cleanup_(store_operations_done) struct store_operations all = {0};
    int rc = store_operation_list(d->store, NULL, true, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++) {
        _cleanup_(store_operation_done) struct store_operation now = {0};
        bool live = false;
        rc = mutation_live(d->ctx, all.items[i].service, &live, err);
        if (rc || live)
            continue;
        /* It may have ended, and let the lock go, between the two looks. */
        rc = store_operation_get_open(d->store, all.items[i].service, &now, err);
        if (!rc && strcmp(now.uuid, all.items[i].uuid) == 0)
            rc = tell_operation(d, &now, err);
        rc = rc == CTCD_NONE ? 0 : rc;
    }
    return rc;
}

/* ---- runs ------------------------------------------------------------------------------------- */

int doctor_runs(struct doctor *d, ctcd_error **err) {
    _cleanup_(store_runs_done) struct store_runs all = {0};
    struct store_run_query query = {.statuses = STORE_STATUS(STORE_RUN_RUNNING)};
    int rc = store_run_list(d->store, &query, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++) {
        bool lost = false;
        rc = run_interrupted(d->ctx, &all.items[i], &lost, err);
        if (rc || !lost)
            continue;
        rc = doctor_add(d, "run", DOCTOR_WARNING, mem_copy_text(all.items[i].name),
                        mem_copy_text("it is under way, but nobody carries it out: who did has "
                                      "died"),
                        mem_copy_text("ctcd daemon takes it up where it stands (--until-idle: and "
                                      "ends then); a run with function steps: its own program"),
                        NULL);
        rc = rc ? error_nomem(err) : 0;
    }
    return rc;
}
