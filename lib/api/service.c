/* ctcd_service_*, ctcd_status_*: see <ctcd/service.h>. */
#include "engine/service.h"

#include <string.h>

#include "api/gate.h"
#include "core/service.h"
#include "engine/deploy.h"

#define OBSERVE_TIMEOUT_MS 5000
#define PREDICT_TIMEOUT_MS 60000
#define LOGS_TIMEOUT_MS 30000
#define LOGS_MAX_LINES 10000
#define FIND_MOST 100000

static ctcd_context *ctx_of(const void *object) {
    return object ? ((const struct object *)object)->ctx : NULL;
}

CTCD_API const char *ctcd_state_name(int state) {
    return service_state_name(state);
}

CTCD_API ctcd_service *ctcd_service_ref(ctcd_service *service) {
    return object_ref(service);
}

CTCD_API ctcd_service *ctcd_service_unref(ctcd_service *service) {
    return object_unref(service);
}

CTCD_API int ctcd_service_get(ctcd_context *ctx, const char *uuid, ctcd_service **ret_service,
                              ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "uuid", uuid, "ret_service", ret_service, NULL);
    return gate_leave(&gate, rc ? rc : service_load(ctx, uuid, ret_service, err));
}

CTCD_API int ctcd_service_find(ctcd_context *ctx, const char *deployer, const char *pipeline,
                               const char *step, const char *model, ctcd_list **ret_list,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = ret_list ? service_find(ctx, deployer, pipeline, step, model, ret_list, err)
                  : gate_missing(&gate, "ret_list");
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_service_find_page(ctcd_context *ctx, const char *uuid, const char *deployer,
                                    const char *pipeline, const char *step, const char *model,
                                    const char *after, int64_t limit, ctcd_list **ret_list,
                                    ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    struct store_service_query query = {.uuid = uuid,
                                        .deployer = deployer,
                                        .pipeline = pipeline,
                                        .step = step,
                                        .model = model,
                                        .after = after,
                                        .limit = limit};
    if (!ret_list)
        rc = gate_missing(&gate, "ret_list");
    else if (limit < 1 || limit > FIND_MOST)
        rc = gate_invalid(&gate, "the limit must be 1 to %d", FIND_MOST);
    else
        rc = service_find_page(ctx, query, ret_list, err);
    return gate_leave(&gate, rc);
}

/* ---- the record ---- */

CTCD_API const char *ctcd_service_uuid(const ctcd_service *service) {
    return service ? service->record.uuid : "";
}

CTCD_API const char *ctcd_service_deployer(const ctcd_service *service) {
    return service ? service->record.deployer : "";
}

CTCD_API const char *ctcd_service_pipeline(const ctcd_service *service) {
    return service ? service->record.pipeline : "";
}

CTCD_API const char *ctcd_service_step(const ctcd_service *service) {
    return service ? service->record.step : "";
}

CTCD_API const char *ctcd_service_model(const ctcd_service *service) {
    return service ? service->record.model : "";
}

CTCD_API const char *ctcd_service_model_uri(const ctcd_service *service) {
    return service ? service->model_uri : "";
}

CTCD_API const char *ctcd_service_url(const ctcd_service *service) {
    return service ? service->record.url : "";
}

CTCD_API const char *ctcd_service_run(const ctcd_service *service) {
    return service ? service->record.run : "";
}

CTCD_API int64_t ctcd_service_revision(const ctcd_service *service) {
    return service ? service->record.revision : 0;
}

CTCD_API const char *ctcd_service_metrics(const ctcd_service *service) {
    return service ? service->metrics : "{}";
}

CTCD_API const char *ctcd_service_restart(const ctcd_service *service) {
    return service ? service->record.restart : "";
}

CTCD_API int64_t ctcd_service_restarts(const ctcd_service *service) {
    return service ? service->record.restarts : 0;
}

CTCD_API int64_t ctcd_service_restart_next(const ctcd_service *service) {
    return service ? service->record.restart_next_ms : CTCD_TIME_NONE;
}

static int format(const void *object, const char *name, char **ret_text, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(object), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", name, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : object_format(object, name, ret_text, err));
}

CTCD_API int ctcd_service_format(const ctcd_service *service, const char *format_name,
                                 char **ret_text, ctcd_error **err) {
    return format(service, format_name, ret_text, err);
}

/* ---- looking ---- */

CTCD_API int ctcd_list_observe_begin(ctcd_list *services, int64_t timeout_ms, ctcd_op **ret_op,
                                     ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(services), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = gate_need(&gate, "ret_op", ret_op, NULL);
    if (!rc)
        rc = gate_timeout(&gate, &timeout_ms, OBSERVE_TIMEOUT_MS, false);
    if (!rc)
        rc = observe_new(gate.ctx, services, timeout_ms, &op, err);
    if (!rc) {
        op_start(op, NULL);
        *ret_op = op_publish(op);
    }
    return gate_leave(&gate, rc);
}

/* Observes, and gives the list; inside the gate. */
static int observe(struct gate *gate, ctcd_list *services, int64_t timeout_ms, ctcd_list **ret) {
    ctcd_op *op = NULL;
    int rc = gate_timeout(gate, &timeout_ms, OBSERVE_TIMEOUT_MS, false);
    if (!rc)
        rc = gate_wait(gate);
    if (!rc)
        rc = observe_new(gate->ctx, services, timeout_ms, &op, gate->err);
    if (rc)
        return rc;
    op_start(op, NULL);
    rc = op_wait(op, -1, gate->err);
    if (!rc)
        *ret = op_hand_out(op, OP_LIST);
    op_unref(op);
    return rc;
}

CTCD_API int ctcd_list_observe(ctcd_list *services, int64_t timeout_ms, ctcd_list **ret_statuses,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(services), err);
    if (rc)
        return rc;
    rc = ret_statuses ? observe(&gate, services, timeout_ms, ret_statuses)
                      : gate_missing(&gate, "ret_statuses");
    return gate_leave(&gate, rc);
}

static int observe_one(struct gate *gate, ctcd_service *service, int64_t timeout_ms,
                       ctcd_status **ret) {
    _cleanup_(object_done) ctcd_list *one = object_list_new(gate->ctx, &SERVICE_KIND);
    _cleanup_(object_done) ctcd_list *seen = NULL;
    if (!one || !object_list_take(one, object_ref(service)))
        return error_nomem(gate->err);
    int rc = observe(gate, one, timeout_ms, &seen);
    if (!rc)
        *ret = object_ref(object_list_at(seen, &STATUS_KIND, 0));
    return rc;
}

CTCD_API int ctcd_service_observe(ctcd_service *service, int64_t timeout_ms,
                                  ctcd_status **ret_status, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(service), err);
    if (rc)
        return rc;
    rc = ret_status ? observe_one(&gate, service, timeout_ms, ret_status)
                    : gate_missing(&gate, "ret_status");
    return gate_leave(&gate, rc);
}

CTCD_API ctcd_status *ctcd_status_ref(ctcd_status *status) {
    return object_ref(status);
}

CTCD_API ctcd_status *ctcd_status_unref(ctcd_status *status) {
    return object_unref(status);
}

CTCD_API ctcd_service *ctcd_status_service(const ctcd_status *status) {
    return status ? status->service : NULL;
}

CTCD_API int ctcd_status_state(const ctcd_status *status) {
    return status ? status->state : CTCD_STATE_UNKNOWN;
}

CTCD_API int ctcd_status_desired(const ctcd_status *status) {
    return status ? status->service->record.desired : CTCD_STATE_UNKNOWN;
}

CTCD_API const char *ctcd_status_message(const ctcd_status *status) {
    return status ? status->message : "";
}

CTCD_API const char *ctcd_status_last_error(const ctcd_status *status) {
    return status ? status->last_error : "";
}

CTCD_API const char *ctcd_status_log_tail(const ctcd_status *status) {
    return status ? status->log_tail : "";
}

CTCD_API int64_t ctcd_status_time(const ctcd_status *status) {
    return status ? status->time_ms : CTCD_TIME_NONE;
}

CTCD_API const char *ctcd_status_next(const ctcd_status *status) {
    return status ? status->next : "";
}

CTCD_API size_t ctcd_status_property_count(const ctcd_status *status) {
    return status ? status->count : 0;
}

CTCD_API const char *ctcd_status_property_name(const ctcd_status *status, size_t index) {
    return status && index < status->count ? status->names[index] : NULL;
}

CTCD_API const char *ctcd_status_property_value(const ctcd_status *status, size_t index) {
    return status && index < status->count ? status->values[index] : NULL;
}

CTCD_API int ctcd_status_format(const ctcd_status *status, const char *format_name, char **ret_text,
                                ctcd_error **err) {
    return format(status, format_name, ret_text, err);
}

/* ---- changing: each is its op, begun and, for the blocking twin, waited for ---- */

enum change { START, STOP, DELETE };

static int begin_change(struct gate *gate, ctcd_service *service, enum change change,
                        uint32_t flags, int64_t timeout_ms, ctcd_op **ret) {
    const int64_t defaults[] = {DEPLOY_TIMEOUT_MS, STOP_TIMEOUT_MS, STOP_TIMEOUT_MS};
    const char *uuid = service->record.uuid;
    if (flags & ~CTCD_DELETE_FORCE)
        return gate_invalid(gate, "unknown flags 0x%x", flags & ~CTCD_DELETE_FORCE);
    int rc = gate_timeout(gate, &timeout_ms, defaults[change], true);
    if (rc)
        return rc;
    if (timeout_ms == 0)
        timeout_ms = defaults[change];
    ctcd_op *op = NULL;
    if (change == START)
        rc = start_new(gate->ctx, uuid, timeout_ms, &op, gate->err);
    else if (change == STOP)
        rc = stop_new(gate->ctx, uuid, timeout_ms, &op, gate->err);
    else
        rc = delete_new(gate->ctx, uuid, flags, timeout_ms, &op, gate->err);
    if (rc)
        return rc;
    op_start(op, NULL);
    *ret = op;
    return 0;
}

static int change_and_wait(ctcd_service *service, enum change change, uint32_t flags,
                           int64_t timeout_ms, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(service), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = timeout_ms == 0 ? 0 : gate_wait(&gate);
    if (!rc)
        rc = begin_change(&gate, service, change, flags, timeout_ms, &op);
    if (!rc && timeout_ms != 0)
        rc = op_wait(op, -1, err);
    op_unref(op);
    return gate_leave(&gate, rc);
}

static int change_begin(ctcd_service *service, enum change change, uint32_t flags,
                        int64_t timeout_ms, ctcd_op **ret_op, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(service), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = ret_op ? begin_change(&gate, service, change, flags, timeout_ms, &op)
                : gate_missing(&gate, "ret_op");
    if (!rc)
        *ret_op = op_publish(op);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_service_start(ctcd_service *service, int64_t timeout_ms, ctcd_error **err) {
    return change_and_wait(service, START, 0, timeout_ms, err);
}

CTCD_API int ctcd_service_start_begin(ctcd_service *service, int64_t timeout_ms, ctcd_op **ret_op,
                                      ctcd_error **err) {
    return change_begin(service, START, 0, timeout_ms, ret_op, err);
}

CTCD_API int ctcd_service_stop(ctcd_service *service, int64_t timeout_ms, ctcd_error **err) {
    return change_and_wait(service, STOP, 0, timeout_ms, err);
}

CTCD_API int ctcd_service_stop_begin(ctcd_service *service, int64_t timeout_ms, ctcd_op **ret_op,
                                     ctcd_error **err) {
    return change_begin(service, STOP, 0, timeout_ms, ret_op, err);
}

CTCD_API int ctcd_service_delete(ctcd_service *service, uint32_t flags, int64_t timeout_ms,
                                 ctcd_error **err) {
    return change_and_wait(service, DELETE, flags, timeout_ms, err);
}

CTCD_API int ctcd_service_delete_begin(ctcd_service *service, uint32_t flags, int64_t timeout_ms,
                                       ctcd_op **ret_op, ctcd_error **err) {
    return change_begin(service, DELETE, flags, timeout_ms, ret_op, err);
}

/* ---- asking for texts ---- */

static int begin_predict(struct gate *gate, ctcd_service *service, const char *input, bool csv,
                         int64_t timeout_ms, ctcd_op **ret) {
    int rc = gate_text(gate, csv ? "input_csv" : "input_json", input);
    if (!rc)
        rc = gate_timeout(gate, &timeout_ms, PREDICT_TIMEOUT_MS, false);
    if (!rc)
        rc = predict_new(gate->ctx, service->record.uuid, input, csv, timeout_ms, ret, gate->err);
    if (!rc)
        op_start(*ret, NULL);
    return rc;
}

static int text_of(struct gate *gate, ctcd_op *op, char **ret_text) {
    int rc = op_wait(op, -1, gate->err);
    if (!rc)
        *ret_text = op_hand_out(op, OP_TEXT);
    op_unref(op);
    return rc;
}

static int predict_and_wait(ctcd_service *service, const char *input, bool csv, int64_t timeout_ms,
                            char **ret_output, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(service), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = ret_output ? gate_wait(&gate) : gate_missing(&gate, "ret_output");
    if (!rc)
        rc = begin_predict(&gate, service, input, csv, timeout_ms, &op);
    return gate_leave(&gate, rc ? rc : text_of(&gate, op, ret_output));
}

static int predict_begin(ctcd_service *service, const char *input, bool csv, int64_t timeout_ms,
                         ctcd_op **ret_op, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(service), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    rc = ret_op ? begin_predict(&gate, service, input, csv, timeout_ms, &op)
                : gate_missing(&gate, "ret_op");
    if (!rc)
        *ret_op = op_publish(op);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_service_predict(ctcd_service *service, const char *input_json, int64_t timeout_ms,
                                  char **ret_output, ctcd_error **err) {
    return predict_and_wait(service, input_json, false, timeout_ms, ret_output, err);
}

CTCD_API int ctcd_service_predict_begin(ctcd_service *service, const char *input_json,
                                        int64_t timeout_ms, ctcd_op **ret_op, ctcd_error **err) {
    return predict_begin(service, input_json, false, timeout_ms, ret_op, err);
}

CTCD_API int ctcd_service_predict_csv(ctcd_service *service, const char *input_csv,
                                      int64_t timeout_ms, char **ret_output, ctcd_error **err) {
    return predict_and_wait(service, input_csv, true, timeout_ms, ret_output, err);
}

CTCD_API int ctcd_service_predict_csv_begin(ctcd_service *service, const char *input_csv,
                                            int64_t timeout_ms, ctcd_op **ret_op,
                                            ctcd_error **err) {
    return predict_begin(service, input_csv, true, timeout_ms, ret_op, err);
}

CTCD_API int ctcd_service_logs(ctcd_service *service, int64_t lines, char **ret_text,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(service), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    if (!ret_text)
        rc = gate_missing(&gate, "ret_text");
    else if (lines < 1 || lines > LOGS_MAX_LINES)
        rc = gate_invalid(&gate, "the number of lines must be 1 to %d", LOGS_MAX_LINES);
    else if ((rc = gate_wait(&gate)) == 0)
        rc = logs_new(gate.ctx, service->record.uuid, lines, LOGS_TIMEOUT_MS, &op, err);
    if (rc)
        return gate_leave(&gate, rc);
    op_start(op, NULL);
    return gate_leave(&gate, text_of(&gate, op, ret_text));
}

/* The op's text is the cursor, a newline, and the text; the caller's are set once both are there. */
static int split_cursor(struct gate *gate, char *both, char **ret_text, char **ret_cursor) {
    char *end = strchr(both, '\n'), *text = end ? mem_copy_text(end + 1) : NULL;
    if (!text) {
        mem_free(both);
        return error_nomem(gate->err);
    }
    *end = '\0';
    *ret_text = text;
    *ret_cursor = both;
    return 0;
}

CTCD_API int ctcd_service_logs_since(ctcd_service *service, const char *cursor, int64_t lines,
                                     char **ret_text, char **ret_cursor, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(service), err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    char *both = NULL;
    rc = gate_need(&gate, "ret_text", ret_text, "ret_cursor", ret_cursor, NULL);
    if (!rc)
        rc = gate_optional_text(&gate, "cursor", cursor);
    if (!rc && !cursor && (lines < 0 || lines > LOGS_MAX_LINES))
        rc = gate_invalid(&gate, "the number of lines must be 0 to %d", LOGS_MAX_LINES);
    if (!rc)
        rc = gate_wait(&gate);
    if (!rc)
        rc = logs_since_new(gate.ctx, service->record.uuid, cursor, lines, LOGS_TIMEOUT_MS, &op,
                            err);
    if (rc)
        return gate_leave(&gate, rc);
    op_start(op, NULL);
    rc = text_of(&gate, op, &both);
    return gate_leave(&gate, rc ? rc : split_cursor(&gate, both, ret_text, ret_cursor));
}
