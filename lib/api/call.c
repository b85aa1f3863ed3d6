/* What a back end's method sees of its call (<ctcd/plugin.h>). It is inside the gate already. */
#include <stdio.h>

#include "base/fork.h"
#include "base/text.h"
#include "engine/call_state.h"
#include "io/file.h"

static struct loop *loop_of(const ctcd_call *call) {
    return call->backend->ctx->loop;
}

CTCD_API int64_t ctcd_call_deadline(const ctcd_call *call) {
    return call ? call->deadline : INT64_MAX;
}

CTCD_API const char *ctcd_call_content_type(const ctcd_call *call) {
    return call && call->args.csv ? "text/csv" : "application/json";
}

CTCD_API int64_t ctcd_call_now(const ctcd_call *call) {
    return call ? loop_now(loop_of(call)) : 0;
}

static void fd_ready(struct loop_watch *watch, uint32_t events) {
    (void)events;
    ctcd_call *call = list_of(watch, struct call_fd, watch)->call;
    loop_post(loop_of(call), &call->task);
}

CTCD_API int ctcd_call_wait_fd(ctcd_call *call, int fd, uint32_t events) {
    if (!call || !call->inside || (events & ~(CTCD_EVENT_IN | CTCD_EVENT_OUT)) ||
        call->fd_count == CALL_MAX_FDS)
        return CTCD_E_INVALID;
    struct call_fd *wait = &call->fds[call->fd_count];
    wait->watch.ready = fd_ready;
    wait->call = call;
    int rc = loop_watch_add(loop_of(call), &wait->watch, fd, events, 0, NULL);
    if (rc)
        return rc;
    call->fd_count++;
    call->named = true;
    return 0;
}

CTCD_API int ctcd_call_wait_until(ctcd_call *call, int64_t monotonic_ms) {
    if (!call || !call->inside)
        return CTCD_E_INVALID;
    if (monotonic_ms < call->until)
        call->until = monotonic_ms;
    call->named = true;
    return 0;
}

CTCD_API int ctcd_call_wait_wake(ctcd_call *call) {
    if (!call || !call->inside)
        return CTCD_E_INVALID;
    call->named = true;
    return 0;
}

CTCD_API int ctcd_call_wake(ctcd_call *call) {
    if (!call)
        return CTCD_E_INVALID;
    if (atomic_load(&call->ended) || call->fork_generation != fork_generation())
        return 0;
    (void)pthread_mutex_lock(&call->lock);
    if (!atomic_load(&call->ended)) /* while it runs, its back end and the loop are there */
        loop_post(loop_of(call), &call->task);
    (void)pthread_mutex_unlock(&call->lock);
    return 0;
}

CTCD_API ctcd_call *ctcd_call_ref(ctcd_call *call) {
    if (call)
        atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    return call;
}

CTCD_API ctcd_call *ctcd_call_unref(ctcd_call *call) {
    if (!call || call->fork_generation != fork_generation() ||
        atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    (void)pthread_mutex_destroy(&call->lock);
    error_unref(call->err);
    mem_free(call->body);
    mem_free(call);
    return NULL;
}

CTCD_API int ctcd_call_progress(ctcd_call *call, const char *doing) {
    if (!call || !doing)
        return CTCD_E_INVALID;
    snprintf(call->doing, sizeof(call->doing), "%s", doing);
    text_make_line(call->doing);
    if (call->parent)
        op_detail(call->parent, call->doing);
    return 0;
}

CTCD_API int ctcd_call_scratch(ctcd_call *call, size_t size, ctcd_destroy_fn destroy,
                               void **ret_memory) {
    if (!call || !call->inside || !size || !ret_memory)
        return CTCD_E_INVALID;
    if (!call->scratch) {
        if (!(call->scratch = mem_alloc(size)))
            return CTCD_E_NOMEM;
        call->scratch_destroy = destroy;
    }
    *ret_memory = call->scratch;
    return 0;
}

CTCD_API int ctcd_call_folder(ctcd_call *call, const char **ret_folder) {
    if (!call || !call->inside || !ret_folder)
        return CTCD_E_INVALID;
    struct backend *backend = call->backend;
    if (!backend->folder) {
        _cleanup_(mem_free_ptr) char *folder =
            context_path(backend->ctx, "deployers", backend->flavor->name, NULL);
        if (!folder)
            return CTCD_E_NOMEM;
        int rc = file_make_folders(folder, &call->err);
        if (rc)
            return rc;
        backend->folder = mem_steal(&folder);
    }
    *ret_folder = backend->folder;
    return 0;
}

CTCD_API int ctcd_call_fail(ctcd_call *call, int code, const char *message, const char *hint) {
    if (!call || code >= 0 || !message)
        return CTCD_E_PLUGIN;
    return error_set(&call->err, code, hint, "%s", message);
}

CTCD_API int ctcd_call_fail_details(ctcd_call *call, const char *details) {
    return call && call->err && details ? error_set_details(&call->err, details) : CTCD_E_INVALID;
}

CTCD_API int ctcd_call_fail_http(ctcd_call *call, int http_status, int retryable) {
    if (!call || !call->err || http_status < 0 || (retryable != 0 && retryable != 1))
        return CTCD_E_INVALID;
    error_set_http(call->err, http_status);
    if (retryable)
        error_set_retryable(call->err);
    return 0;
}

/* ---- descriptors of a whole back end ---- */

static void watch_ready(struct loop_watch *loop_watch, uint32_t events) {
    struct ctcd_watch *watch = list_of(loop_watch, struct ctcd_watch, watch);
    ctcd_context *ctx = watch->ctx;
    ctx->shut++;
    watch->ready(watch->impl, watch->fd, events);
    ctx->shut--;
}

CTCD_API int ctcd_call_watch(ctcd_call *call, int fd, uint32_t events, ctcd_ready_fn ready,
                             void *impl, ctcd_watch **ret_watch) {
    if (!call || !call->inside || !ready || !ret_watch)
        return CTCD_E_INVALID;
    struct ctcd_watch *watch = mem_alloc(sizeof(*watch));
    if (!watch)
        return CTCD_E_NOMEM;
    watch->ready = ready;
    watch->impl = impl;
    watch->fd = fd;
    watch->ctx = call->backend->ctx;
    watch->watch.ready = watch_ready;
    int rc = loop_watch_add(loop_of(call), &watch->watch, fd, events, LOOP_PERSISTENT, &call->err);
    if (rc) {
        mem_free(watch);
        return rc;
    }
    list_append(&call->backend->watches, &watch->node);
    *ret_watch = watch;
    return 0;
}

CTCD_API void ctcd_watch_end(ctcd_watch *watch) {
    if (!watch)
        return;
    loop_watch_remove(&watch->watch);
    list_remove(&watch->node);
    mem_free(watch);
}
