/* Lock and journal of one service (deploy.h). A free lock beside an open row is a dead operation. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/deploy.h"
#include "io/file.h"
#include "io/random.h"
#include "io/tree.h"

#define LOCK_LOOK_MS 25 /* how often a busy lock is tried again */

static char *lock_path(const ctcd_context *ctx, const char *service) {
    return context_path(ctx, "services", service, "lock", NULL);
}

static int make_lock_folder(const ctcd_context *ctx, const char *service, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = service_folder(ctx, service);
    return folder ? file_make_folders(folder, err) : error_nomem(err);
}

/* Of which service: another one than at the last try where that was deleted meanwhile. */
static int name_service(struct mutation *m, const char *service, ctcd_error **err) {
    if (m->service && strcmp(m->service, service) == 0)
        return 0;
    char *copy = mem_copy_text(service);
    if (!copy)
        return error_nomem(err);
    mem_free(m->service);
    m->service = copy;
    return 0;
}

int mutation_enter(struct mutation *m, ctcd_op *op, const char *service) {
    ctcd_context *ctx = op->ctx;
    m->ctx = ctx;
    int rc = name_service(m, service, OP_ERR(op));
    if (!rc)
        rc = make_lock_folder(ctx, service, OP_ERR(op));
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *path = lock_path(ctx, service);
    if (!path)
        return error_nomem(OP_ERR(op));
    rc = lockfile_try(path, &m->lock, OP_ERR(op));
    if (rc == CTCD_E_NOT_FOUND) { /* who deletes the service has just removed the folder */
        error_done(OP_ERR(op));
        rc = CTCD_AGAIN;
    }
    if (rc == CTCD_AGAIN) {
        op_progress(op, "waiting for another operation on the service");
        op_wait_until(op, context_mono(ctx) + LOCK_LOOK_MS);
        return rc;
    }
    if (!rc)
        rc = store_operation_get_open(ctx->store, service, &m->left, OP_ERR(op));
    return rc == CTCD_NONE ? 0 : rc;
}

int mutation_resolved(struct mutation *m, const char *result, ctcd_error **err) {
    if (!m->left.uuid)
        return 0;
    int rc = store_operation_resolve(m->ctx->store, &m->left, result, context_wall(m->ctx), err);
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

static void unname_operation(struct mutation *m) {
    mem_free(m->operation);
    m->operation = NULL;
}

int mutation_commit(struct mutation *m, int rc, ctcd_error **err) {
    if (rc)
        store_rollback(m->ctx->store);
    else
        rc = store_commit(m->ctx->store, err);
    if (rc)
        unname_operation(m);
    return rc;
}

int mutation_end(struct mutation *m, ctcd_error **err) {
    int rc = store_operation_end(m->ctx->store, m->operation, "", context_wall(m->ctx), err);
    if (!rc)
        unname_operation(m);
    return rc;
}

/* All of it or nothing. */
static int record_failure(struct mutation *m, bool over, int64_t revision, const char *message,
                          const char *details, ctcd_error **err) {
    struct store *store = m->ctx->store;
    int64_t now = context_wall(m->ctx);
    int rc = store_begin(store, err);
    if (rc)
        return rc;
    rc = store_service_set_error(store, m->service, message, details, now, err);
    if (!rc && over && revision)
        rc = store_revision_set_state(store, m->service, revision, STORE_REVISION_FAILED, now, err);
    if (!rc && over)
        rc = store_operation_end(store, m->operation, message, now, err);
    if (!rc)
        return store_commit(store, err);
    store_rollback(store);
    return rc;
}

void mutation_fail(struct mutation *m, bool over, int64_t revision, const ctcd_error *why) {
    if (!m->operation)
        return;
    ctcd_error *err = NULL;
    int rc = record_failure(m, over, revision, why ? error_message(why) : "cancelled",
                            error_details(why), &err);
    if (rc)
        context_log(m->ctx, CTCD_LOG_ERROR, "the end of an operation on %s is not recorded: %s",
                    m->service, error_message(err));
    else if (over)
        unname_operation(m);
    error_done(&err);
}

void mutation_forget(struct mutation *m) {
    if (!m->lock)
        return;
    ctcd_error *err = NULL;
    char *folder = service_folder(m->ctx, m->service);
    if (folder && tree_remove(folder, &err))
        context_log(m->ctx, CTCD_LOG_WARNING, "%s", error_message(err));
    mem_free(folder);
    error_done(&err);
    mutation_done(m);
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
