/**
 * @file step.h
 * Function steps: steps of a pipeline that a C program carries out itself.
 *
 * A pipeline file names them, `train: {function: train_model, outputs: [model, accuracy]}`, and the program
 * registers what they are. Such a pipeline is bound: only a context that has all its functions runs it or
 * claims fires of its schedules; a `ctcd daemon` leaves it alone.
 *
 * A function gets its inputs as JSON texts and gives its outputs as JSON texts, through ctcd_step, which
 * stands for one attempt of one step of one run.
 */
#ifndef CTCD_STEP_H
#define CTCD_STEP_H

#include <ctcd/run.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctcd_step ctcd_step;

/**
 * Carries a step out. Runs on the thread that dispatches, one function at a time, and may call anything of
 * the context, also what blocks: a nested wait drives deploys, looks and other ops, but begins no step, fires
 * no schedule and delivers no other callback. Running a pipeline and waiting for its own run are
 * CTCD_E_REENTRANT.
 *
 * @param step  Borrowed; ctcd_step_ref() it to keep it.
 * @retval 0           Done; each declared output was set.
 * @retval CTCD_AGAIN  Not done: any thread will call ctcd_step_finish().
 * @retval CTCD_E_*    Failed; ctcd_step_fail() says why in words.
 */
typedef int (*ctcd_step_fn)(void *user_data, ctcd_step *step);

/**
 * Registers what the function steps of this name do, for as long as the context lives.
 *
 * @param function  As pipeline files call it: letters, digits, `_` and `-`, at most 63.
 * @param destroy   Called with @p user_data when the context ends; may be NULL.
 * @retval CTCD_E_INVALID  Not a possible name, or run is NULL.
 * @retval CTCD_E_EXISTS   There is one of that name.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_context_register_step(ctcd_context *ctx, const char *function, ctcd_step_fn run,
                                        void *user_data, ctcd_destroy_fn destroy, ctcd_error **err);

/** Takes a reference. @return @p step. @threads Any. @since 0.1 */
CTCD_API ctcd_step *ctcd_step_ref(ctcd_step *step);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_step *ctcd_step_unref(ctcd_step *step);

/** @name Where it is. Texts are borrowed from the step. @{ */
/** The step's own name. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_step_name(const ctcd_step *step);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_step_pipeline(const ctcd_step *step);
/** Name of the run. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_step_run(const ctcd_step *step);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_step_run_uuid(const ctcd_step *step);
/** Name of the active stack when the step began. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_step_stack(const ctcd_step *step);
/** A folder for files, absolute: an output that names something in it is kept with its hash. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_step_artifacts(const ctcd_step *step);
/** 1, 2, ... @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_step_attempt(const ctcd_step *step);
/** The instant that the run stands for; of a manual run, when it was made. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_step_nominal(const ctcd_step *step);
/** The one before it of the same schedule, or CTCD_TIME_NONE: [previous, nominal) is the data interval. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_step_previous_nominal(const ctcd_step *step);
/** The context, borrowed: only for the function itself, not for other threads. @threads Any. @since 0.1 */
CTCD_API ctcd_context *ctcd_step_context(const ctcd_step *step);
/** @} */

/** An input as JSON text, borrowed; NULL where the step has none of that name. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_step_input(const ctcd_step *step, const char *name);
/**
 * The service that an input holds, as it is recorded now.
 * @retval CTCD_E_NOT_FOUND  No such input, or the service is gone.
 * @retval CTCD_E_INVALID    The input is no service.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_step_input_service(const ctcd_step *step, const char *name,
                                     ctcd_service **ret_service, ctcd_error **err);
/**
 * Sets an output; again replaces it. Kept when the step ends well.
 * @param json  A JSON value: `0.97`, `"a text"`, ...
 * @retval CTCD_E_INVALID   Not declared (the near miss is named), or not JSON.
 * @retval CTCD_E_CONFLICT  The step has ended.
 * @threads Any. @since 0.1
 */
CTCD_API int ctcd_step_set_output(ctcd_step *step, const char *name, const char *json,
                                  ctcd_error **err);
/** Sets an output to a service, which later steps get as it is then. Errors as ctcd_step_set_output(). @threads Any. @since 0.1 */
CTCD_API int ctcd_step_set_output_service(ctcd_step *step, const char *name, ctcd_service *service,
                                          ctcd_error **err);
/** Why it fails, in words for people. @param hint What to do next, or NULL. @return @p code, for `return`. @threads Any. @since 0.1 */
CTCD_API int ctcd_step_fail(ctcd_step *step, int code, const char *message, const char *hint);
/** Should it end early? 1 after a cancel, at the step's time-out, and when the context ends. @threads Any. @since 0.1 */
CTCD_API int ctcd_step_canceled(const ctcd_step *step);
/**
 * Ends a step whose function returned CTCD_AGAIN. Too late, or twice: does nothing.
 * @param result  0 done, or CTCD_E_* (ctcd_step_fail() says why).
 * @retval CTCD_E_INVALID  result is positive.
 * @threads Any. @since 0.1
 */
CTCD_API int ctcd_step_finish(ctcd_step *step, int result);

#ifdef __cplusplus
}
#endif
#endif
