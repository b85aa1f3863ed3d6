/**
 * @file service.h
 * Services: one served model as its users see it. A service keeps its UUID and its identity (deployer,
 * pipeline, step, model) through every replace.
 *
 * ctcd_service is a handle by UUID with the record as it was when it was got; ctcd_status is one look
 * at the running thing. A status never changes: look again for a newer one.
 */
#ifndef CTCD_SERVICE_H
#define CTCD_SERVICE_H

#include <ctcd/list.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name States. Running = active or degraded. @{ */
#define CTCD_STATE_INACTIVE 1         /**< Stopped, or never started. */
#define CTCD_STATE_PENDING_STARTUP 2  /**< Coming up. */
#define CTCD_STATE_ACTIVE 3           /**< Answers. */
#define CTCD_STATE_DEGRADED 4         /**< Answers, but not as it should. */
#define CTCD_STATE_PENDING_SHUTDOWN 5 /**< Going down as asked. */
#define CTCD_STATE_ERROR 6            /**< Should run and does not; see the last error. */
#define CTCD_STATE_UNKNOWN 7          /**< Could not be asked. */
/** @} */
/** "active", ...; "unknown" for others; static. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_state_name(int state);

/** Takes a reference. @return @p service. @threads Any. @since 0.1 */
CTCD_API ctcd_service *ctcd_service_ref(ctcd_service *service);
/** Drops a reference; accepts NULL; the server is not touched. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_service *ctcd_service_unref(ctcd_service *service);

/**
 * Finds a service by its UUID or a prefix of at least 4 digits that only it has.
 * @retval CTCD_E_NOT_FOUND  There is none.
 * @retval CTCD_E_CONFLICT   Several begin like this; the message names them.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_service_get(ctcd_context *ctx, const char *uuid, ctcd_service **ret_service,
                              ctcd_error **err);
/**
 * Services by identity; NULL or "" = any. No server is asked. Newest first.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_service_find(ctcd_context *ctx, const char *deployer, const char *pipeline,
                               const char *step, const char *model, ctcd_list **ret_list,
                               ctcd_error **err);

/**
 * A page of them, in the same order, newest first. A later page begins after the last one seen, so what is
 * deployed meanwhile moves nothing.
 *
 * @param uuid   Its first digits, however many; NULL or "" = any.
 * @param after  Only what comes after this one (UUID, or 4 or more first digits); NULL or "" = from the first.
 * @param limit  1 to 100,000. Whether there are more, one more than is wanted tells: ctcd_list_select().
 * @retval CTCD_E_NOT_FOUND  @p after is not there, or not any more.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_service_find_page(ctcd_context *ctx, const char *uuid, const char *deployer,
                                    const char *pipeline, const char *step, const char *model,
                                    const char *after, int64_t limit, ctcd_list **ret_list,
                                    ctcd_error **err);

/** @name The record. Texts are borrowed; "" where there is nothing. @{ */
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_uuid(const ctcd_service *service);
/** Name of the model deployer component. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_deployer(const ctcd_service *service);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_pipeline(const ctcd_service *service);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_step(const ctcd_service *service);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_model(const ctcd_service *service);
/** As asked for. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_model_uri(const ctcd_service *service);
/** Where predictions go now. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_url(const ctcd_service *service);
/** Name of the run that deployed the current revision. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_run(const ctcd_service *service);
/** Number of the revision that serves, 0 = none yet. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_service_revision(const ctcd_service *service);
/** Metrics recorded with it as a JSON object, "{}" without; borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_metrics(const ctcd_service *service);
/** Its restart policy, see ctcd_deployment_set_restart(). @threads Any. @since 0.1 */
CTCD_API const char *ctcd_service_restart(const ctcd_service *service);
/** How often the policy has had it started again since the last deploy; tries that failed count. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_service_restarts(const ctcd_service *service);
/** When the next restart is due, wall-clock ms; CTCD_TIME_NONE: none is planned. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_service_restart_next(const ctcd_service *service);
/** As ctcd_list_format(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_format(const ctcd_service *service, const char *format, char **ret_text,
                                 ctcd_error **err);
/** @} */

/**
 * Ask the model server how it is, now.
 *
 * One look, never a wait for change: the answer comes within @p timeout_ms even if the server hangs,
 * then with state CTCD_STATE_UNKNOWN. Nothing is repaired; see ctcd_service_start().
 *
 * @param timeout_ms  > 0, or < 0 for the default, 5 s.
 * @param ret_status  A new reference.
 * @retval CTCD_E_NOT_FOUND  The service was deleted meanwhile.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_service_observe(ctcd_service *service, int64_t timeout_ms,
                                  ctcd_status **ret_status, ctcd_error **err);
/** The same for every service of a list, side by side, under one deadline: a list of ctcd_status in the same order. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_list_observe(ctcd_list *services, int64_t timeout_ms, ctcd_list **ret_statuses,
                               ctcd_error **err);
/** Begins it; ctcd_op_take_list() has the result. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_list_observe_begin(ctcd_list *services, int64_t timeout_ms, ctcd_op **ret_op,
                                     ctcd_error **err);

/** @name A look. Texts are borrowed; "" where there is nothing. @{ */
/** Takes a reference. @return @p status. @threads Any. @since 0.1 */
CTCD_API ctcd_status *ctcd_status_ref(ctcd_status *status);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_status *ctcd_status_unref(ctcd_status *status);
/** The service as it was at that moment; borrowed. @threads Any. @since 0.1 */
CTCD_API ctcd_service *ctcd_status_service(const ctcd_status *status);
/** CTCD_STATE_*: what was observed. @threads Any. @since 0.1 */
CTCD_API int ctcd_status_state(const ctcd_status *status);
/** CTCD_STATE_ACTIVE or _INACTIVE: what is wanted. @threads Any. @since 0.1 */
CTCD_API int ctcd_status_desired(const ctcd_status *status);
/** One line for a person. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_status_message(const ctcd_status *status);
/** Why it is in error, or how the last change failed; cleared by success. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_status_last_error(const ctcd_status *status);
/** The server's last lines with it. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_status_log_tail(const ctcd_status *status);
/** When it was looked at, wall-clock ms. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_status_time(const ctcd_status *status);
/** Command that resolves an interrupted operation, "" without one. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_status_next(const ctcd_status *status);
/** Number of further properties that the back end showed (daemon pid, port, ...). @threads Any. @since 0.1 */
CTCD_API size_t ctcd_status_property_count(const ctcd_status *status);
/** Name of one, upper case as in the seed's tables; NULL out of range. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_status_property_name(const ctcd_status *status, size_t index);
/** Its value. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_status_property_value(const ctcd_status *status, size_t index);
/** As ctcd_list_format(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_status_format(const ctcd_status *status, const char *format, char **ret_text,
                                ctcd_error **err);
/** @} */

/**
 * Starts the service's current revision, also after a crash; first resolves an interrupted operation.
 * One that runs already is left alone.
 *
 * @param timeout_ms  Until ready; > 0, < 0 = 300 s, 0 = start and return.
 * @retval CTCD_E_FAILED    It did not come up; details hold its last log lines.
 * @retval CTCD_E_CONFLICT  Another operation held the service until the deadline.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_service_start(ctcd_service *service, int64_t timeout_ms, ctcd_error **err);
/** Begins it. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_start_begin(ctcd_service *service, int64_t timeout_ms, ctcd_op **ret_op,
                                      ctcd_error **err);
/** Stops it: open requests may finish, then TERM, then KILL. Stopped already = done. @param timeout_ms As above; < 0 = 60 s. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_stop(ctcd_service *service, int64_t timeout_ms, ctcd_error **err);
/** Begins it. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_stop_begin(ctcd_service *service, int64_t timeout_ms, ctcd_op **ret_op,
                                     ctcd_error **err);
/** Kill at once instead of draining; forget the record even where the server cannot be reached. */
#define CTCD_DELETE_FORCE 0x1u
/** Stops and forgets it. Gone already at the server = done. @retval CTCD_E_NOT_FOUND No such service. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_delete(ctcd_service *service, uint32_t flags, int64_t timeout_ms,
                                 ctcd_error **err);
/** Begins it. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_delete_begin(ctcd_service *service, uint32_t flags, int64_t timeout_ms,
                                       ctcd_op **ret_op, ctcd_error **err);
/**
 * Sends one prediction request to the service's URL.
 *
 * @param input_json   A complete body (dataframe_split, dataframe_records, instances, inputs), or rows:
 *                     [[...], ...] are sent as instances or, where the model names its columns, as a split;
 *                     [{...}, ...] as records; {"columns": [...], "data": [...]} as a split; an object of
 *                     lists as columns by name (inputs), one of single values as one record.
 * @param timeout_ms   > 0, < 0 = 60 s.
 * @param ret_output   The server's JSON answer, owned. What Python writes as bare NaN, Infinity or -Infinity is
 *                     the text "NaN", "Infinity", "-Infinity" in it.
 * @retval CTCD_E_INVALID      Not JSON, or the server refused the input (message and status are the server's).
 * @retval CTCD_E_UNREACHABLE  It does not answer; the hint says how the service is.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_service_predict(ctcd_service *service, const char *input_json, int64_t timeout_ms,
                                  char **ret_output, ctcd_error **err);
/** Begins it; ctcd_op_take_text() has the result. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_predict_begin(ctcd_service *service, const char *input_json,
                                        int64_t timeout_ms, ctcd_op **ret_op, ctcd_error **err);
/**
 * Sends one prediction request as CSV: a line with the names of the columns, then a line for each row. The server
 * gives the columns the types of the model's signature. All else is as with ctcd_service_predict().
 *
 * @retval CTCD_E_NOT_SUPPORTED  The service's back end takes JSON only.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_service_predict_csv(ctcd_service *service, const char *input_csv,
                                      int64_t timeout_ms, char **ret_output, ctcd_error **err);
/** Begins it; ctcd_op_take_text() has the result. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_predict_csv_begin(ctcd_service *service, const char *input_csv,
                                            int64_t timeout_ms, ctcd_op **ret_op, ctcd_error **err);
/** The last @p lines of the server's log (1 to 10,000), without the last newline; owned. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_service_logs(ctcd_service *service, int64_t lines, char **ret_text,
                               ctcd_error **err);
/**
 * What the server has written since an earlier call, in whole lines. Following a log needs no memory but the
 * cursor: ask with NULL for the last lines, then with the cursor that came back; at once where there was
 * something, else after a while (half a second). It goes on where the log is rotated and the server started
 * anew, and, once another revision serves, with that one's log from its beginning, after the rest of the
 * old one's. Never waits for something to be written.
 *
 * @param cursor      NULL = the last @p lines ones (0 to 10,000); else what an earlier call gave, of any
 *                    context and process; @p lines is then not looked at.
 * @param ret_text    Lines with their newlines, about 256 KiB at most; "" = nothing new. Owned.
 * @param ret_cursor  For the next call; owned.
 * @retval CTCD_NONE             Nothing more will come: the service was deleted. Outputs are untouched.
 * @retval CTCD_E_NOT_FOUND      The same, without a cursor.
 * @retval CTCD_E_NOT_SUPPORTED  The back end cannot.
 * @retval CTCD_E_INVALID        The cursor is none of this service.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_service_logs_since(ctcd_service *service, const char *cursor, int64_t lines,
                                     char **ret_text, char **ret_cursor, ctcd_error **err);

#ifdef __cplusplus
}
#endif
#endif
