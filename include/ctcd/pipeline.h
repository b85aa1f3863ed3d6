/**
 * @file pipeline.h
 * Pipelines: a named graph of steps, read from a pipeline file. Running one is in run.h, firing it by a
 * schedule in schedule.h.
 */
#ifndef CTCD_PIPELINE_H
#define CTCD_PIPELINE_H

#include <ctcd/list.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads a pipeline file. Errors name file, line and column and what is allowed there.
 * Relative paths in it (commands, code) start at the file's folder.
 * @retval CTCD_E_INVALID    The file is not a pipeline.
 * @retval CTCD_E_NOT_FOUND  There is no such file.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_pipeline_load(ctcd_context *ctx, const char *path, ctcd_pipeline **ret_pipeline,
                                ctcd_error **err);
/** The same from a text. @param folder Where relative paths start; NULL = the current one. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_pipeline_parse(ctcd_context *ctx, const char *text, const char *folder,
                                 ctcd_pipeline **ret_pipeline, ctcd_error **err);
/** Takes a reference. @return @p pipeline. @threads Any. @since 0.1 */
CTCD_API ctcd_pipeline *ctcd_pipeline_ref(ctcd_pipeline *pipeline);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_pipeline *ctcd_pipeline_unref(ctcd_pipeline *pipeline);
/** Sets a parameter that the file declares; text is read as a YAML scalar. @retval CTCD_E_INVALID No such parameter; the near miss is named. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_pipeline_set_param(ctcd_pipeline *pipeline, const char *name, const char *value,
                                     ctcd_error **err);
/** How many independent steps run side by side at most (`jobs:` of the file, else 1), for runs that this object begins; function steps never do. @param jobs 1 to 64. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_pipeline_set_jobs(ctcd_pipeline *pipeline, int64_t jobs, ctcd_error **err);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_pipeline_name(const ctcd_pipeline *pipeline);
/** @threads Any. @since 0.1 */
CTCD_API size_t ctcd_pipeline_step_count(const ctcd_pipeline *pipeline);
/** In the order in which they run; NULL out of range. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_pipeline_step_name(const ctcd_pipeline *pipeline, size_t index);
/** "command", "decide" or "deploy"; NULL out of range. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_pipeline_step_kind(const ctcd_pipeline *pipeline, size_t index);
/**
 * The schedule that the file asks for, not yet created; `start: now` is the clock's now.
 * @retval CTCD_NONE         The file has no `schedule:`.
 * @retval CTCD_E_NOT_FOUND  This machine does not know its time zone.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_pipeline_schedule(ctcd_pipeline *pipeline, ctcd_schedule **ret_schedule,
                                    ctcd_error **err);
/** What is wrong with a stored pipeline that cannot be read (any more); NULL where nothing is. Such a one has a name and no steps, and does not run. Borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_pipeline_problem(const ctcd_pipeline *pipeline);
/** All pipelines that have been run or scheduled in this home, by name; also those that cannot be read, see ctcd_pipeline_problem(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_pipeline_list(ctcd_context *ctx, ctcd_list **ret_list, ctcd_error **err);
/** As ctcd_list_format(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_pipeline_format(const ctcd_pipeline *pipeline, const char *format,
                                  char **ret_text, ctcd_error **err);

#ifdef __cplusplus
}
#endif
#endif
