/* Lock and journal of one service (deploy.h). A free lock beside an open row is a dead operation. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/deploy.h"
#include "io/file.h"
#include "io/random.h"

#define LOCK_LOOK_MS 25 /* how often a busy lock is tried again */

static char *lock_path(const ctcd_context *ctx, const char *service) {
    return context_path(ctx, "services", service, "lock", NULL);
}

static int make_lock_folder(const ctcd_context *ctx, const char *service, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = service_folder(ctx, service);
    return folder ? file_make_folders(folder, err) : error_nomem(err);
}

int mutation_enter(struct mutation *m, ctcd_op *op, const char *service) {
    ctcd_context *ctx = op->ctx;
    m->ctx = ctx;
    if (!m->service && !(m->service = mem_copy_text(service)))
        return error_nomem(OP_ERR(op));
    int rc = make_lock_folder(ctx, service, OP_ERR(op));
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *path = lock_path(ctx, service);
    if (!path)
        return error_nomem(OP_ERR(op));
    rc = lockfile_try(path, &m->lock, OP_ERR(op));
    if (rc == CTCD_AGAIN) {
        op_progress(op, "waiting for another operation on the service");
        op_wait_until(op, context_mono(ctx) + LOCK_LOOK_MS);
        return rc;
    }
    if (rc)
        return rc;
    rc = store_operation_get_open(ctx->store, service, &m->left, OP_ERR(op));
    if (rc == CTCD_NONE)
        return 0;
    return rc ? rc : CTCD_NONE;
}

int mutation_resolved(struct mutation *m, const char *result, ctcd_error **err) {
    int rc = store_operation_end(m->ctx->store, m->left.uuid, result, context_wall(m->ctx), err);
    if (!rc)
        store_operation_done(&m->left);
    return rc;
}

int mutation_begin(struct mutation *m, enum store_operation_kind kind, const char *phase,
                   int64_t from, int64_t to, int64_t budget_ms, ctcd_error **err) {
    char uuid[37], owner[300], host[200] = "";
    if (gethostname(host, sizeof(host) - 1))
        host[0] = '\0';
    snprintf(owner, sizeof(owner), "%ld@%s", (long)getpid(), host);
    int rc = random_uuid(uuid, err);
    if (rc)
        return rc;
    char *copy = mem_copy_text(uuid);
    if (!copy)
        return error_nomem(err);
    int64_t now = context_wall(m->ctx);
    struct store_operation row = {
        .uuid = uuid,
        .service = m->service,
        .kind = kind,
        .phase = (char *)(uintptr_t)phase,
        .from_revision = from,
        .to_revision = to,
        .deadline_ms = budget_ms < INT64_MAX / 2 ? now + budget_ms : CTCD_TIME_NONE,
        .owner = owner,
        .begun_ms = now,
        .ended_ms = CTCD_TIME_NONE,
    };
    rc = store_operation_begin(m->ctx->store, &row, err);
    if (rc) {
        mem_free(copy);
        return rc;
    }
    mem_free(m->operation);
    m->operation = copy;
    return 0;
}

int mutation_phase(struct mutation *m, const char *phase, ctcd_error **err) {
    return store_operation_set_phase(m->ctx->store, m->operation, phase, err);
}

int mutation_end(struct mutation *m, const char *result, ctcd_error **err) {
    int rc = store_operation_end(m->ctx->store, m->operation, result, context_wall(m->ctx), err);
    if (rc)
        return rc;
    mem_free(m->operation);
    m->operation = NULL;
    return 0;
}

void mutation_done(struct mutation *m) {
    lockfile_release(m->lock);
    mem_free(m->service);
    mem_free(m->operation);
    store_operation_done(&m->left);
    memset(m, 0, sizeof(*m));
}

int mutation_live(ctcd_context *ctx, const char *service, bool *ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = lock_path(ctx, service);
    return path ? lockfile_held(path, ret, err) : error_nomem(err);
}
