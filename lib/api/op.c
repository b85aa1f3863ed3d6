/* ctcd_op_*: see <ctcd/op.h>. */
#include "engine/op.h"

#include "api/gate.h"
#include "base/fork.h"

CTCD_API ctcd_op *ctcd_op_ref(ctcd_op *op) {
    if (op)
        op_user_ref(op);
    return op;
}

/* At once where that is possible; from other threads the last one is queued. */
CTCD_API ctcd_op *ctcd_op_unref(ctcd_op *op) {
    if (!op || op->ctx->fork_generation != fork_generation())
        return NULL;
    struct gate gate;
    bool inside = gate_is_home(op->ctx) && gate_enter(&gate, op->ctx, NULL) == 0;
    op_user_unref(op, inside);
    if (inside)
        gate_leave(&gate, 0);
    return NULL;
}

CTCD_API int ctcd_op_poll(ctcd_op *op) {
    struct gate gate;
    int rc = gate_enter(&gate, op ? op->ctx : NULL, NULL);
    if (rc)
        return rc;
    return gate_leave(&gate, op->ended ? 0 : CTCD_AGAIN);
}

CTCD_API int ctcd_op_wait(ctcd_op *op, int64_t timeout_ms, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, op ? op->ctx : NULL, err);
    if (rc)
        return rc;
    rc = timeout_ms == 0 ? gate_invalid(&gate, "a wait of 0 ms is a poll: use ctcd_op_poll()")
                         : op_wait(op, timeout_ms, err);
    return gate_leave(&gate, rc);
}

/* From any thread: the op looks at it when it is entered next. */
CTCD_API int ctcd_op_cancel(ctcd_op *op) {
    if (!op)
        return CTCD_E_INVALID;
    if (op->ctx->fork_generation != fork_generation())
        return CTCD_E_FORKED;
    atomic_store(&op->asked, CTCD_E_CANCELED);
    loop_post(op->ctx->loop, &op->task);
    return 0;
}

CTCD_API int ctcd_op_result(ctcd_op *op, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, op ? op->ctx : NULL, err);
    if (rc)
        return rc;
    return gate_leave(&gate, op_outcome(op, err));
}

CTCD_API int ctcd_op_set_done(ctcd_op *op, ctcd_op_done_fn done, void *user_data,
                              ctcd_destroy_fn destroy, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, op ? op->ctx : NULL, err);
    if (rc)
        return rc;
    if (!done || op->done_fn) {
        rc = done ? error_set(err, CTCD_E_CONFLICT, NULL, "the op has a done callback already")
                  : gate_missing(&gate, "done");
        return gate_leave(&gate, rc);
    }
    op->done_fn = done;
    op->done_data = user_data;
    op->done_destroy = destroy;
    if (op->ended)
        op_announce_end(op);
    return gate_leave(&gate, 0);
}

CTCD_API int ctcd_op_set_progress(ctcd_op *op, ctcd_op_progress_fn progress, void *user_data,
                                  ctcd_destroy_fn destroy, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, op ? op->ctx : NULL, err);
    if (rc)
        return rc;
    ctcd_destroy_fn old_destroy = op->progress_destroy;
    void *old_data = op->progress_data;
    op->progress_fn = progress;
    op->progress_data = user_data;
    op->progress_destroy = destroy;
    context_give_back(op->ctx, old_destroy, old_data);
    return gate_leave(&gate, 0);
}

CTCD_API const char *ctcd_op_doing(const ctcd_op *op) {
    return op ? op->doing : "";
}

/* An output parameter's name and the kind of result that fills it. */
static int take(ctcd_op *op, enum op_result kind, const char *name, void *ret, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, op ? op->ctx : NULL, err);
    if (rc)
        return rc;
    void *value = NULL;
    if (!ret)
        rc = gate_missing(&gate, name);
    else
        rc = op_share_result(op, kind, &value, err);
    if (!rc && !value)
        rc = gate_invalid(&gate, "the op %s has no such result", op->kind->name);
    if (!rc)
        *(void **)ret = value;
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_op_take_service(ctcd_op *op, ctcd_service **ret_service, ctcd_error **err) {
    return take(op, OP_SERVICE, "ret_service", ret_service, err);
}

CTCD_API int ctcd_op_take_run(ctcd_op *op, ctcd_run **ret_run, ctcd_error **err) {
    return take(op, OP_RUN, "ret_run", ret_run, err);
}

CTCD_API int ctcd_op_take_list(ctcd_op *op, ctcd_list **ret_list, ctcd_error **err) {
    return take(op, OP_LIST, "ret_list", ret_list, err);
}

CTCD_API int ctcd_op_take_text(ctcd_op *op, char **ret_text, ctcd_error **err) {
    return take(op, OP_TEXT, "ret_text", ret_text, err);
}
