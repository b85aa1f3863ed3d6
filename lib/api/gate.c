/* See gate.h. */
#include "api/gate.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/fork.h"
#include "base/text.h"

#define GATE_TIMEOUT_MOST_MS (10LL * 366 * 24 * 3600 * 1000) /* so that deadlines can be added up */

static uintptr_t this_thread(void) {
    return (uintptr_t)pthread_self();
}

int gate_enter(struct gate *gate, const ctcd_context *ctx, ctcd_error **err) {
    gate->ctx =
        (ctcd_context *)(uintptr_t)ctx; /* being inside is not part of what const promises */
    gate->err = err;
    if (!ctx)
        return error_set(err, CTCD_E_INVALID, NULL, "the object must not be NULL");
    if (ctx->fork_generation != fork_generation())
        return error_set(
            err, CTCD_E_FORKED,
            "use the library after exec, or in a child that was forked before a home was "
            "opened",
            "this context belongs to the parent process");
    uintptr_t me = this_thread(), nobody = 0;
    if (atomic_load(&gate->ctx->owner) != me &&
        !atomic_compare_exchange_strong(&gate->ctx->owner, &nobody, me))
        return error_set(err, CTCD_E_BUSY, "open one context for each thread",
                         "another thread is inside this context");
    if (gate->ctx->shut)
        return error_set(
            err, CTCD_E_REENTRANT, NULL,
            "the methods of a back end, the clock and the log callback must not call the "
            "library");
    context_ref(gate->ctx);
    if (gate->ctx->depth++ == 0)
        atomic_store(&gate->ctx->last, me);
    gate->stepping = gate->ctx->stepping;
    gate->ctx->stepping = false;
    return 0;
}

int gate_leave(struct gate *gate, int rc) {
    ctcd_context *ctx = gate->ctx;
    ctx->stepping = gate->stepping;
    if (--ctx->depth == 0)
        atomic_store(&ctx->owner, 0);
    context_unref(ctx);
    if (rc >= CTCD_E_NEVER)
        return rc;
    return error_set(gate->err, CTCD_E_PLUGIN, NULL, "an undocumented result: %d", rc);
}

bool gate_is_home(const ctcd_context *ctx) {
    return atomic_load(&ctx->owner) == 0 && atomic_load(&ctx->last) == this_thread();
}

int plain_missing(ctcd_error **err, const char *name) {
    return error_set(err, CTCD_E_INVALID, NULL, "%s must not be NULL", name);
}

int gate_missing(struct gate *gate, const char *name) {
    return plain_missing(gate->err, name);
}

int gate_invalid(struct gate *gate, const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return error_set(gate->err, CTCD_E_INVALID, NULL, "%s", text);
}

int gate_need(struct gate *gate, ...) {
    int rc = 0;
    va_list args;
    va_start(args, gate);
    for (const char *name; !rc && (name = va_arg(args, const char *));)
        if (!va_arg(args, const void *))
            rc = gate_missing(gate, name);
    va_end(args);
    return rc;
}

int gate_optional_text(struct gate *gate, const char *name, const char *text) {
    if (text && !text_is_utf8(text))
        return gate_invalid(gate, "%s is not UTF-8", name);
    return 0;
}

int gate_text(struct gate *gate, const char *name, const char *text) {
    return text ? gate_optional_text(gate, name, text) : gate_missing(gate, name);
}

int gate_timeout(struct gate *gate, int64_t *timeout_ms, int64_t default_ms, bool zero_allowed) {
    if (*timeout_ms == 0 && !zero_allowed)
        return gate_invalid(
            gate,
            "a time-out of 0 is not possible here; give more, or less than 0 for the default");
    if (*timeout_ms < 0)
        *timeout_ms = default_ms;
    if (*timeout_ms > GATE_TIMEOUT_MOST_MS)
        *timeout_ms = GATE_TIMEOUT_MOST_MS;
    return 0;
}

int gate_wait(const struct gate *gate) {
    if (!gate->ctx->callbacks)
        return 0;
    return error_set(gate->err, CTCD_E_REENTRANT, "begin it here, and wait outside of the callback",
                     "a callback must not wait");
}

int gate_wait_for_run(const struct gate *gate) {
    int rc = gate_wait(gate);
    if (rc || loop_depth(gate->ctx->loop) == 0)
        return rc;
    return error_set(gate->err, CTCD_E_REENTRANT, "begin it here, and wait outside of the step",
                     "a function step must not wait for a run: no step begins meanwhile");
}
