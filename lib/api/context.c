/* ctcd_context_*: see <ctcd/context.h>. The only place that knows which back ends are built in. */
#include <string.h>

#include "api/gate.h"
#include "base/fork.h"
#include "deployers/builtin.h"
#include "engine/flavor.h"
#include "engine/op.h"

CTCD_API int ctcd_context_new(uint32_t flags, ctcd_context **ret_ctx, ctcd_error **err) {
    if (!ret_ctx)
        return plain_missing(err, "ret_ctx");
    if (flags & ~CTCD_CONTEXT_EXISTING)
        return error_set(err, CTCD_E_INVALID, NULL, "unknown flags 0x%x",
                         flags & ~CTCD_CONTEXT_EXISTING);
    ctcd_context *ctx = NULL;
    int rc = context_new(flags, &ctx, err);
    for (size_t i = 0; !rc && BUILTIN_DEPLOYERS[i]; i++)
        rc = ctcd_context_register_deployer(ctx, BUILTIN_DEPLOYERS[i], NULL, NULL, err);
    if (rc) {
        context_unref(ctx);
        return rc;
    }
    *ret_ctx = ctx;
    return 0;
}

CTCD_API ctcd_context *ctcd_context_ref(ctcd_context *ctx) {
    return context_ref(ctx);
}

CTCD_API ctcd_context *ctcd_context_unref(ctcd_context *ctx) {
    return context_unref(ctx);
}

CTCD_API int ctcd_context_set_home(ctcd_context *ctx, const char *path, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    char *copy = NULL;
    rc = gate_optional_text(&gate, "path", path);
    if (!rc && path && !path[0])
        rc = gate_invalid(&gate, "the home must not be empty");
    if (!rc && ctx->store)
        rc = error_set(err, CTCD_E_CONFLICT, NULL, "the home is open already: %s", ctx->home);
    if (!rc && path && !(copy = mem_copy_text(path)))
        rc = error_nomem(err);
    if (!rc) {
        mem_free(ctx->wanted_home);
        ctx->wanted_home = copy;
    }
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_context_open(ctcd_context *ctx, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    struct store *store = NULL;
    return gate_leave(&gate, context_store(ctx, &store, err));
}

CTCD_API const char *ctcd_context_home(const ctcd_context *ctx) {
    return ctx ? ctx->home : NULL;
}

CTCD_API int ctcd_context_set_log(ctcd_context *ctx, int max_level, ctcd_log_fn fn, void *user_data,
                                  ctcd_destroy_fn destroy, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    if (fn && (max_level < CTCD_LOG_ERROR || max_level > CTCD_LOG_DEBUG))
        return gate_leave(&gate, gate_invalid(&gate, "there is no log level %d", max_level));
    ctcd_destroy_fn old_destroy = ctx->log_destroy;
    void *old_data = ctx->log_data;
    ctx->log_level = max_level;
    ctx->log_fn = fn;
    ctx->log_data = user_data;
    ctx->log_destroy = destroy;
    context_give_back(ctx, old_destroy, old_data);
    return gate_leave(&gate, 0);
}

static void ask_clock(ctcd_context *ctx, int64_t *ret_wall, int64_t *ret_mono) {
    ctx->shut++;
    ctx->clock_fn(ctx->clock_data, ret_wall, ret_mono);
    ctx->shut--;
}

static int64_t injected_wall(void *data) {
    int64_t wall = 0, mono = 0;
    ask_clock(data, &wall, &mono);
    return wall;
}

static int64_t injected_mono(void *data) {
    int64_t wall = 0, mono = 0;
    ask_clock(data, &wall, &mono);
    return mono;
}

static int set_clock(ctcd_context *ctx, ctcd_clock_fn fn, void *user_data, ctcd_destroy_fn destroy,
                     ctcd_error **err) {
    struct clock clock = {0};
    int rc = 0;
    if (fn)
        clock = (struct clock){injected_wall, injected_mono, ctx, true, -1};
    else
        rc = clock_open(&clock, err);
    ctcd_clock_fn old_fn = ctx->clock_fn;
    void *old_data = ctx->clock_data;
    struct clock old = ctx->clock;
    ctx->clock_fn = fn;
    ctx->clock_data = user_data;
    if (!rc) {
        ctx->clock = clock; /* the loop reads it through the context's place */
        rc = loop_set_clock(ctx->loop, &ctx->clock, err);
    }
    if (rc) {
        ctx->clock = old;
        ctx->clock_fn = old_fn;
        ctx->clock_data = old_data;
        return rc;
    }
    clock_close(&old);
    ctcd_destroy_fn old_destroy = ctx->clock_destroy;
    ctx->clock_destroy = destroy;
    context_give_back(ctx, old_destroy, old_data);
    return 0;
}

CTCD_API int ctcd_context_set_clock(ctcd_context *ctx, ctcd_clock_fn fn, void *user_data,
                                    ctcd_destroy_fn destroy, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    if (ops_running(ctx) || loop_depth(ctx->loop))
        rc = error_set(err, CTCD_E_CONFLICT, NULL, "the clock cannot change while ops run");
    else
        rc = set_clock(ctx, fn, user_data, destroy, err);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_context_fd(ctcd_context *ctx) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, NULL);
    if (rc)
        return rc;
    return gate_leave(&gate, loop_fd(ctx->loop));
}

CTCD_API int64_t ctcd_context_deadline(ctcd_context *ctx) {
    struct gate gate;
    if (gate_enter(&gate, ctx, NULL))
        return INT64_MAX;
    int64_t deadline = loop_deadline(ctx->loop);
    gate_leave(&gate, 0);
    return deadline;
}

static int refuse_callback(const struct gate *gate) {
    if (!gate->ctx->callbacks && loop_depth(gate->ctx->loop) == 0)
        return 0;
    return error_set(gate->err, CTCD_E_REENTRANT, NULL, "a callback must not dispatch the context");
}

CTCD_API int ctcd_context_dispatch(ctcd_context *ctx, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = refuse_callback(&gate);
    if (!rc && (rc = loop_dispatch(ctx->loop)) < 0)
        error_set(err, rc, NULL, "the event loop failed");
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_context_wait(ctcd_context *ctx, int64_t max_ms, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    if (max_ms < 0)
        rc = gate_invalid(&gate, "the wait needs a bound of 0 ms or more");
    else
        rc = refuse_callback(&gate);
    int64_t until = INT64_MAX;
    if (!rc && __builtin_add_overflow(loop_now(ctx->loop), max_ms, &until))
        until = INT64_MAX;
    if (!rc && (rc = loop_wait(ctx->loop, until)) < 0)
        error_set(err, rc, NULL,
                  rc == CTCD_E_INTERRUPTED ? "a signal ended the wait" : "the event loop failed");
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_context_wakeup(ctcd_context *ctx) {
    if (!ctx)
        return CTCD_E_INVALID;
    if (ctx->fork_generation != fork_generation())
        return CTCD_E_FORKED;
    loop_wakeup(ctx->loop); /* any thread: not through the gate */
    return 0;
}

CTCD_API int ctcd_context_register_deployer(ctcd_context *ctx,
                                            const ctcd_model_deployer_vtable *vtable,
                                            void *user_data, ctcd_destroy_fn destroy,
                                            ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = vtable ? flavor_register(ctx, vtable, user_data, destroy, err)
                : gate_missing(&gate, "vtable");
    return gate_leave(&gate, rc);
}
