/**
 * @file context.h
 * The context: one opened home directory (store, log sink, clock, event loop). Everything hangs off it.
 *
 * A context and its objects serve one thread at a time; a second thread that enters meanwhile gets
 * CTCD_E_BUSY. For more threads open one context each on the same home; objects cross by UUID. In a
 * forked child every call returns CTCD_E_FORKED and unref frees nothing.
 *
 * Embedding in an event loop: poll ctcd_context_fd() for input, then call ctcd_context_dispatch().
 */
#ifndef CTCD_CONTEXT_H
#define CTCD_CONTEXT_H

#include <ctcd/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctcd_context ctcd_context;

/** The home must be there already: nothing is created by looking. */
#define CTCD_CONTEXT_EXISTING 0x1u

/** @name Levels of log lines. @{ */
#define CTCD_LOG_ERROR 1
#define CTCD_LOG_WARNING 2
#define CTCD_LOG_INFO 3
#define CTCD_LOG_DEBUG 4
/** @} */

/** Gets one finished line, without its newline; called on the thread that is inside the context, which it must not enter (CTCD_E_REENTRANT). */
typedef void (*ctcd_log_fn)(void *user_data, int level, const char *line);
/** Gives the time: wall-clock and monotonic milliseconds. Must never go back in *ret_mono_ms, and not enter the context (CTCD_E_REENTRANT). */
typedef void (*ctcd_clock_fn)(void *user_data, int64_t *ret_wall_ms, int64_t *ret_mono_ms);

/**
 * A new context. The home is opened (and made, unless CTCD_CONTEXT_EXISTING) by the first call that
 * needs it.
 *
 * @param flags    CTCD_CONTEXT_* or 0; unknown bits are refused.
 * @param ret_ctx  A new reference.
 * @param err      On failure a new error; may be NULL.
 * @retval CTCD_E_INVALID  Unknown flags, or ret_ctx is NULL.
 * @threads Any. @since 0.1
 */
CTCD_API int ctcd_context_new(uint32_t flags, ctcd_context **ret_ctx, ctcd_error **err);
/** Takes a reference. @return @p ctx. @threads Any. @since 0.1 */
CTCD_API ctcd_context *ctcd_context_ref(ctcd_context *ctx);
/**
 * Drops a reference; accepts NULL. The last one cancels what runs, closes back ends and the store.
 * Objects of the context hold it: any order of release is right.
 * @return NULL. @threads Any; the last one on another thread than the user's must not overlap a call. @since 0.1
 */
CTCD_API ctcd_context *ctcd_context_unref(ctcd_context *ctx);

/**
 * Chooses the home directory: `path`, or NULL for $CTCD_HOME, else $XDG_STATE_HOME/ctcd, else
 * ~/.local/state/ctcd. Only before the home was opened.
 * @retval CTCD_E_CONFLICT  It is open already.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_context_set_home(ctcd_context *ctx, const char *path, ctcd_error **err);
/**
 * Opens the home now, so that its errors come here and not with the first real call.
 * @retval CTCD_E_NOT_FOUND  There is none, and CTCD_CONTEXT_EXISTING was given.
 * @retval CTCD_E_NEWER      A newer libctcd wrote it.
 * @retval CTCD_E_CORRUPT    The store is damaged.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_context_open(ctcd_context *ctx, ctcd_error **err);
/** The home's absolute path, or NULL before it was opened; borrowed. @threads One thread per context. @since 0.1 */
CTCD_API const char *ctcd_context_home(const ctcd_context *ctx);
/**
 * Where log lines go; without one they are dropped. The library itself never prints.
 * @param max_level  CTCD_LOG_*: lines above it are not made.
 * @param fn         NULL = none.
 * @param destroy    Called with @p user_data when it is replaced or the context ends; may be NULL.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_context_set_log(ctcd_context *ctx, int max_level, ctcd_log_fn fn, void *user_data,
                                  ctcd_destroy_fn destroy, ctcd_error **err);
/**
 * Takes the time from @p fn instead of the system's clocks (tests, simulations). Then the context's fd
 * does not become readable by time alone: ask ctcd_context_deadline() and dispatch when it has come.
 * @param fn  NULL = the system's clocks.
 * @retval CTCD_E_CONFLICT  Ops are running.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_context_set_clock(ctcd_context *ctx, ctcd_clock_fn fn, void *user_data,
                                    ctcd_destroy_fn destroy, ctcd_error **err);

/** The one descriptor to poll for input; it knows deadlines too. Owned by the context. @return fd or CTCD_E_*. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_context_fd(ctcd_context *ctx);
/** Next deadline in monotonic milliseconds (CLOCK_MONOTONIC or the injected one), INT64_MAX = none. @threads One thread per context. @since 0.1 */
CTCD_API int64_t ctcd_context_deadline(ctcd_context *ctx);
/**
 * Does what is ready, never waits; bounded (64 events). It may fsync and start processes.
 * @retval CTCD_E_REENTRANT  Called from a callback.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_context_dispatch(ctcd_context *ctx, ctcd_error **err);
/**
 * Waits for something to do, up to @p max_ms (< 0: for ever is refused; give a bound), and dispatches it.
 * @retval CTCD_E_INTERRUPTED  A signal came.
 * @retval CTCD_AGAIN          The time is over.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_context_wait(ctcd_context *ctx, int64_t max_ms, ctcd_error **err);
/** Makes the fd readable, so that a wait in another thread ends. @threads Any; also from a signal handler. @since 0.1 */
CTCD_API int ctcd_context_wakeup(ctcd_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
