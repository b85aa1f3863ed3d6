/**
 * @file run.h
 * Runs: one firing of a pipeline. ctcd_run is a snapshot of the record; get it again for a newer one.
 */
#ifndef CTCD_RUN_H
#define CTCD_RUN_H

#include <ctcd/decision.h>
#include <ctcd/pipeline.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Runs a pipeline once, now.
 *
 * @param timeout_ms  > 0; < 0 = 24 h. At the deadline the run is cancelled.
 * @param ret_run     The ended run, also when it failed (the one output that is set together with an
 *                    error); may be NULL.
 * @retval CTCD_E_FAILED  A step failed; message and details say which and why.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_pipeline_run(ctcd_pipeline *pipeline, int64_t timeout_ms, ctcd_run **ret_run,
                               ctcd_error **err);
/** Begins it; ctcd_op_take_run() has the run. Progress lines say which step begins and how it ended. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_pipeline_run_begin(ctcd_pipeline *pipeline, int64_t timeout_ms, ctcd_op **ret_op,
                                     ctcd_error **err);

/**
 * Ends a run before its end, whoever carries it out: a request in the store, which the process that
 * carries it out sees within half a second. The processes of its steps are asked to end, and killed where
 * they do not; the run ends "canceled". A run that nobody carries out any more (its process died) is ended
 * here, with whatever of it still runs; one that nobody has begun is ended at once. A function step that
 * does not return (and does not ask ctcd_step_canceled()) is waited for.
 *
 * @param timeout_ms  < 0 = 60 s; 0 = when the request is recorded, without waiting for the end: the run
 *                    ends by its own process, or, where there is none, while this context is dispatched.
 * @retval CTCD_E_CONFLICT  It has ended already, or ended by itself just now; the message says how.
 * @retval CTCD_E_TIMEOUT   It has not ended yet; the request stays.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_run_cancel(ctcd_run *run, int64_t timeout_ms, ctcd_error **err);
/** Begins it; the request is recorded when this returns. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_run_cancel_begin(ctcd_run *run, int64_t timeout_ms, ctcd_op **ret_op,
                                   ctcd_error **err);
/**
 * Goes on with a run that failed, was canceled or was abandoned: the same record. What has completed is not
 * done again; each other step begins anew as its next attempt, with all of its retries, and the command of
 * on_failure is run again where the run fails again.
 *
 * @param timeout_ms  As ctcd_pipeline_run().
 * @param ret_run     As ctcd_pipeline_run().
 * @retval CTCD_E_CONFLICT   It has completed, or has not ended.
 * @retval CTCD_E_NOT_FOUND  It was removed meanwhile.
 * @retval CTCD_E_FAILED     A step failed again.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_run_retry(ctcd_run *run, int64_t timeout_ms, ctcd_run **ret_run,
                            ctcd_error **err);
/** Begins it; as ctcd_pipeline_run_begin(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_run_retry_begin(ctcd_run *run, int64_t timeout_ms, ctcd_op **ret_op,
                                  ctcd_error **err);

/** Finds a run by name or UUID (prefix). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_run_get(ctcd_context *ctx, const char *name, ctcd_run **ret_run,
                          ctcd_error **err);
/** Runs, newest first. @param pipeline, schedule Names, NULL = any. @param limit 1 to 100,000. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_run_list(ctcd_context *ctx, const char *pipeline, const char *schedule,
                           int64_t limit, int64_t offset, ctcd_list **ret_list, ctcd_error **err);
/** Takes a reference. @return @p run. @threads Any. @since 0.1 */
CTCD_API ctcd_run *ctcd_run_ref(ctcd_run *run);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_run *ctcd_run_unref(ctcd_run *run);

/** @name The record. Texts are borrowed; "" where there is nothing. @{ */
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_uuid(const ctcd_run *run);
/** "digits-25_Nov_26-04_00_00_000000". @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_name(const ctcd_run *run);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_pipeline(const ctcd_run *run);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_schedule(const ctcd_run *run);
/**
 * "pending", "running", "completed", "failed", "canceled" or "abandoned"; or "interrupted": it is under way, but who
 * carried it out has died, and no daemon is there to take it up. Looking repairs nothing; see ctcd_run_next().
 * @threads Any. @since 0.1
 */
CTCD_API const char *ctcd_run_status(const ctcd_run *run);
/** The command that goes on with an interrupted run, or ends it; "" where none is needed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_next(const ctcd_run *run);
/** Why it did not complete. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_error(const ctcd_run *run);
/** The instant that it stands for, or CTCD_TIME_NONE for a manual run. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_run_nominal(const ctcd_run *run);
/** CTCD_TIME_NONE = not yet. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_run_started(const ctcd_run *run);
/** CTCD_TIME_NONE = not yet. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_run_ended(const ctcd_run *run);
/** @} */
/** @name Its steps, in the order in which they run; last attempt. NULL out of range. @{ */
/** @threads Any. @since 0.1 */
CTCD_API size_t ctcd_run_step_count(const ctcd_run *run);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_step_name(const ctcd_run *run, size_t index);
/** "pending", "running", "completed", "failed", "skipped", "canceled" or "interrupted" (a new attempt follows). @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_step_status(const ctcd_run *run, size_t index);
/** Why it failed or was skipped. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_step_error(const ctcd_run *run, size_t index);
/** Number of attempts, 0 = not started. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_run_step_attempts(const ctcd_run *run, size_t index);
/** Its outputs as a JSON object, "{}" without; borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_run_step_outputs(const ctcd_run *run, size_t index);
/**
 * One of the outputs that are numbers (metrics, mostly), by name.
 *
 * @param number     0 for the first one.
 * @param ret_name   Its name, borrowed; may be NULL.
 * @param ret_value  May be not a number, as what was put out; may be NULL.
 * @retval CTCD_NONE  There are no more, or no such step; outputs are untouched.
 * @threads Any. @since 0.1
 */
CTCD_API int ctcd_run_step_number(const ctcd_run *run, size_t index, size_t number,
                                  const char **ret_name, double *ret_value);
/** CTCD_TIME_NONE = not yet. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_run_step_started(const ctcd_run *run, size_t index);
/** CTCD_TIME_NONE = not yet. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_run_step_ended(const ctcd_run *run, size_t index);
/** The decision that the step made, or NULL; borrowed. @threads Any. @since 0.1 */
CTCD_API ctcd_decision *ctcd_run_step_decision(const ctcd_run *run, size_t index);
/** @} */
/** As ctcd_list_format(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_run_format(const ctcd_run *run, const char *format, char **ret_text,
                             ctcd_error **err);
/** The last @p lines (1 to 10,000) that a step printed, without the last newline; owned. @param step NULL = the last step that printed anything. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_run_logs(ctcd_run *run, const char *step, int64_t lines, char **ret_text,
                           ctcd_error **err);
/**
 * What the run's steps have printed since an earlier call, as ctcd_service_logs_since(). One attempt after the
 * other, in the order in which they began, each to its end: of steps that run side by side, the one that
 * began later comes later.
 *
 * @param step    Only this one's attempts; NULL = all. Beginning in the middle of a run, the first that has
 *                not ended, or where there is none the last that printed anything.
 * @param cursor  NULL = the last @p lines (0 to 10,000) that this attempt has printed.
 * @retval CTCD_NONE          Nothing more will come: the run has ended, and all was read. Outputs are untouched.
 * @retval CTCD_E_NOT_FOUND   It has no such step, or was removed meanwhile.
 * @retval CTCD_E_INVALID     The cursor is none of this run.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_run_logs_since(ctcd_run *run, const char *step, const char *cursor, int64_t lines,
                                 char **ret_text, char **ret_cursor, ctcd_error **err);

#ifdef __cplusplus
}
#endif
#endif
