/**
 * @file event.h
 * Events: what has happened in a home, one record each, in order. They are written in the transaction of
 * the change that they tell of, so none is missing and none is of something that did not happen.
 */
#ifndef CTCD_EVENT_H
#define CTCD_EVENT_H

#include <ctcd/list.h>

#ifdef __cplusplus
extern "C" {
#endif

/** As @p after_id of ctcd_event_list(): not from a place on, but the newest ones. */
#define CTCD_EVENT_NEWEST (-1)

/**
 * Events, oldest first. Following them needs no memory but the id of the last one seen:
 * ask for the newest, then again and again for those after the last.
 *
 * @param service   UUID, or 4 or more first digits: only its events; also where it was deleted. NULL = any.
 * @param run       Name or UUID (prefix): only its events, and what its deploy steps did to services. NULL = any.
 * @param after_id  >= 0: only events with a greater id, the first @p limit of them;
 *                  CTCD_EVENT_NEWEST: the last @p limit ones.
 * @param limit     1 to 100,000.
 * @param ret_list  A new list, owned by the caller; may be empty. Untouched on failure.
 * @retval CTCD_E_NOT_FOUND  There is no such run, and never was such a service.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_event_list(ctcd_context *ctx, const char *service, const char *run,
                             int64_t after_id, int64_t limit, ctcd_list **ret_list,
                             ctcd_error **err);
/** Takes a reference. @return @p event. @threads Any. @since 0.1 */
CTCD_API ctcd_event *ctcd_event_ref(ctcd_event *event);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_event *ctcd_event_unref(ctcd_event *event);

/** @name The record. Texts are borrowed; "" where there is nothing, and for NULL. @{ */
/** Greater than that of every earlier event of the home; 0 for NULL. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_event_id(const ctcd_event *event);
/** When it happened, wall-clock ms. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_event_time(const ctcd_event *event);
/**
 * What happened. More kinds may be added.
 *
 * Of runs: "run_claimed", "run_started", "run_resumed" (after a crash), "run_cancel_asked", "run_retried",
 * "run_completed", "run_failed", "run_canceled", "run_abandoned", "step_failed", "step_interrupted", "decision". Of services:
 * "deploy_begun", "deploy_switched", "deploy_failed", "service_started", "start_failed",
 * "restart_planned" (it has crashed, and its restart policy wants it), "service_restarted", "restart_failed",
 * "service_stopped", "stop_failed", "service_deleted", "delete_failed", "service_error", "interrupted".
 * Of schedules: "schedule_created", "schedule_deleted", "fire_dropped".
 * @threads Any. @since 0.1
 */
CTCD_API const char *ctcd_event_kind(const ctcd_event *event);
/** To what: "run", "service" or "schedule". @threads Any. @since 0.1 */
CTCD_API const char *ctcd_event_subject_kind(const ctcd_event *event);
/** Its UUID; it may be gone meanwhile. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_event_subject(const ctcd_event *event);
/** The name of the run or schedule, or of the service's model, as it was then. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_event_name(const ctcd_event *event);
/** One line for a person, without the name: "step train, attempt 1: it ended with exit status 3". @threads Any. @since 0.1 */
CTCD_API const char *ctcd_event_message(const ctcd_event *event);
/** The particulars as a JSON object: name, pipeline, schedule, step, run, revision, verdict, ... @threads Any. @since 0.1 */
CTCD_API const char *ctcd_event_data(const ctcd_event *event);
/** @} */
/** As ctcd_list_format(); "jsonl" is JSON in one line, "name" the id. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_event_format(const ctcd_event *event, const char *format, char **ret_text,
                               ctcd_error **err);

#ifdef __cplusplus
}
#endif
#endif
