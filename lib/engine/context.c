/* See context.h. Making and ending a context, opening its home, its log. */
#include "engine/context.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fork.h"
#include "base/text.h"
#include "engine/flavor.h"
#include "engine/function.h"
#include "engine/op.h"
#include "engine/zones.h"
#include "io/file.h"
#include "store/store.h"

#define LOG_LINE_BYTES 2048

int context_new(uint32_t flags, ctcd_context **ret, ctcd_error **err) {
    ctcd_context *ctx = mem_alloc(sizeof(*ctx));
    if (!ctx)
        return error_nomem(err);
    atomic_init(&ctx->refs, 1);
    atomic_init(&ctx->owner, 0);
    ctx->fork_generation = fork_generation();
    ctx->flags = flags;
    list_init(&ctx->flavors);
    list_init(&ctx->functions);
    list_init(&ctx->backends);
    list_init(&ctx->ops);
    atomic_init(&ctx->last, 0);
    int failed = pthread_mutex_init(&ctx->results, NULL);
    if (failed) {
        mem_free(ctx);
        return error_system(err, failed, "making a context");
    }
    int rc = clock_open(&ctx->clock, err);
    if (!rc)
        rc = loop_new(&ctx->clock, &ctx->loop, err);
    if (rc) {
        clock_close(&ctx->clock);
        (void)pthread_mutex_destroy(&ctx->results);
        mem_free(ctx);
        return rc;
    }
    *ret = ctx;
    return 0;
}

ctcd_context *context_ref(ctcd_context *ctx) {
    if (ctx)
        atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    return ctx;
}

ctcd_context *context_unref(ctcd_context *ctx) {
    if (!ctx || ctx->fork_generation != fork_generation())
        return NULL;
    if (atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) == 1)
        context_free(ctx);
    return NULL;
}

/* Ops first (they hold calls), then back ends (they close), then what both stand on. */
void context_free(ctcd_context *ctx) {
    ctx->closing = true;
    ctx->shut++; /* what is given back now must not come in again */
    ops_free(ctx);
    backends_free(ctx);
    flavors_free(ctx);
    functions_free(ctx);
    zones_free(ctx);
    store_close(ctx->store);
    loop_free(ctx->loop);
    clock_close(&ctx->clock);
    context_give_back(ctx, ctx->clock_destroy, ctx->clock_data);
    context_give_back(ctx, ctx->log_destroy, ctx->log_data);
    mem_free(ctx->home);
    mem_free(ctx->wanted_home);
    mem_free(ctx->shim);
    (void)pthread_mutex_destroy(&ctx->results);
    mem_free(ctx);
}

int context_store(ctcd_context *ctx, struct store **ret, ctcd_error **err) {
    return context_store_as(ctx, ctx->flags & CTCD_CONTEXT_EXISTING ? STORE_MUST_EXIST : 0, ret,
                            err);
}

int context_store_as(ctcd_context *ctx, uint32_t flags, struct store **ret, ctcd_error **err) {
    if (!ctx->store) {
        struct store *store = NULL;
        int rc = store_open(ctx->wanted_home, flags, context_wall(ctx), &store, err);
        if (rc)
            return rc;
        char *home = mem_copy_text(store_home(store));
        if (!home) {
            store_close(store);
            return error_nomem(err);
        }
        ctx->home = home;
        ctx->store = store;
    }
    *ret = ctx->store;
    return 0;
}

char *context_path(const ctcd_context *ctx, ...) {
    struct buf path = {0};
    buf_add(&path, ctx->home);
    va_list parts;
    va_start(parts, ctx);
    for (const char *part; (part = va_arg(parts, const char *));)
        buf_addf(&path, "/%s", part);
    va_end(parts);
    return buf_steal(&path);
}

/* Beside the object that this code is in: the build tree needs no installation. CTCD_NONE: not there. */
static int shim_beside(char **ret, ctcd_error **err) {
    Dl_info info = {0};
    _cleanup_(mem_free_ptr) char *real = NULL;
    if (!dladdr((void *)(uintptr_t)&context_shim, &info) || !info.dli_fname)
        return CTCD_NONE;
    int rc = file_real_path(info.dli_fname, &real, NULL);
    if (rc)
        return rc == CTCD_E_NOMEM ? error_nomem(err) : CTCD_NONE;
    _cleanup_(mem_free_ptr) char *folder = path_folder(real);
    _cleanup_(mem_free_ptr) char *shim = folder ? path_join(folder, "ctcd-shim") : NULL;
    if (!shim)
        return error_nomem(err);
    if (access(shim, X_OK))
        return CTCD_NONE;
    *ret = mem_steal(&shim);
    return 0;
}

int context_shim(ctcd_context *ctx, const char **ret, ctcd_error **err) {
    static const char installed[] = CTCD_LIBEXECDIR "/ctcd-shim";
    int rc = ctx->shim ? 0 : shim_beside(&ctx->shim, err);
    if (rc == CTCD_NONE && access(installed, X_OK))
        return error_set(err, CTCD_E_NOT_FOUND, "install libctcd completely (make install)",
                         "the program ctcd-shim, which starts servers and steps, is missing");
    if (rc == CTCD_NONE)
        rc = (ctx->shim = mem_copy_text(installed)) ? 0 : error_nomem(err);
    if (!rc)
        *ret = ctx->shim;
    return rc;
}

int64_t context_wall(const ctcd_context *ctx) {
    return clock_wall(&ctx->clock);
}

int64_t context_mono(const ctcd_context *ctx) {
    return clock_mono(&ctx->clock);
}

void context_give_back(ctcd_context *ctx, ctcd_destroy_fn destroy, void *data) {
    if (!destroy)
        return;
    ctx->callbacks++;
    destroy(data);
    ctx->callbacks--;
}

void context_log(ctcd_context *ctx, int level, const char *fmt, ...) {
    if (!ctx->log_fn || level > ctx->log_level || ctx->logging || ctx->closing)
        return;
    char line[LOG_LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    text_make_line(line);
    ctx->logging = true;
    ctx->shut++;
    ctx->log_fn(ctx->log_data, level, line);
    ctx->shut--;
    ctx->logging = false;
}
