/**
 * @file op.h
 * Ops: anything that can take time. Every blocking call is its `_begin` twin plus ctcd_op_wait().
 *
 * An op goes on while its context is dispatched. Dropping the last reference of a running op detaches
 * it: it goes on, its result is not kept.
 */
#ifndef CTCD_OP_H
#define CTCD_OP_H

#include <ctcd/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctcd_op ctcd_op;
typedef struct ctcd_list ctcd_list;
typedef struct ctcd_service ctcd_service;
typedef struct ctcd_run ctcd_run;

/** The op has ended; read it with ctcd_op_result(). Called once, from dispatch. May enter the API except for waits and dispatch (CTCD_E_REENTRANT). */
typedef void (*ctcd_op_done_fn)(void *user_data, ctcd_op *op);
/** One line on what the op does now ("waiting for the server to become ready"). */
typedef void (*ctcd_op_progress_fn)(void *user_data, ctcd_op *op, const char *line);

/** Takes a reference. @return @p op. @threads Any. @since 0.1 */
CTCD_API ctcd_op *ctcd_op_ref(ctcd_op *op);
/** Drops a reference; accepts NULL; a running op is detached, not ended. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_op *ctcd_op_unref(ctcd_op *op);
/** @retval CTCD_AGAIN running. @retval 0 ended (well or badly: see ctcd_op_result()). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_op_poll(ctcd_op *op);
/**
 * Dispatches the context until the op has ended, then gives its result like ctcd_op_result().
 *
 * @param timeout_ms  > 0: at most so long, then CTCD_E_TIMEOUT and the op goes on (it has its own
 *                    deadline besides). < 0: until the op's own end, which its deadline bounds.
 * @retval CTCD_E_INTERRUPTED  A signal came while it slept; the op was cancelled and has undone its work.
 *                             (One that comes in the middle of a dispatch only runs its handler.)
 * @retval CTCD_E_REENTRANT    The op is waited for further up the stack.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_op_wait(ctcd_op *op, int64_t timeout_ms, ctcd_error **err);
/** Asks the op to end with CTCD_E_CANCELED after undoing its work; harmless when repeated or too late. @threads Any. @since 0.1 */
CTCD_API int ctcd_op_cancel(ctcd_op *op);
/** The end: 0 or a positive result, or the error. @retval CTCD_AGAIN still running. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_op_result(ctcd_op *op, ctcd_error **err);
/** Calls @p done at the end, from dispatch (also when it has ended already). @param destroy Called after it, once. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_op_set_done(ctcd_op *op, ctcd_op_done_fn done, void *user_data,
                              ctcd_destroy_fn destroy, ctcd_error **err);
/** Calls @p progress for each line from now on. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_op_set_progress(ctcd_op *op, ctcd_op_progress_fn progress, void *user_data,
                                  ctcd_destroy_fn destroy, ctcd_error **err);
/** The last progress line, "" before the first; borrowed until the next dispatch. @threads One thread per context. @since 0.1 */
CTCD_API const char *ctcd_op_doing(const ctcd_op *op);

/** @name What an op that ended well brought; a new reference or owned text.
 *  @retval CTCD_E_INVALID  This kind of op has no such result, or has not ended well. @{ */
/** Of deploy, start, stop. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_op_take_service(ctcd_op *op, ctcd_service **ret_service, ctcd_error **err);
/** Of run; also of a run that failed. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_op_take_run(ctcd_op *op, ctcd_run **ret_run, ctcd_error **err);
/** Of observing: a list of ctcd_status. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_op_take_list(ctcd_op *op, ctcd_list **ret_list, ctcd_error **err);
/** Of predict and logs: an owned text, free with ctcd_free(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_op_take_text(ctcd_op *op, char **ret_text, ctcd_error **err);
/** @} */

#ifdef __cplusplus
}
#endif
#endif
