/* ctcd_event_*: see <ctcd/event.h>. */
#include "engine/event.h"

#include "api/gate.h"

#define LIST_MOST 100000

CTCD_API int ctcd_event_list(ctcd_context *ctx, const char *service, const char *run,
                             int64_t after_id, int64_t limit, ctcd_list **ret_list,
                             ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    if (!ret_list)
        rc = gate_missing(&gate, "ret_list");
    else if (limit < 1 || limit > LIST_MOST)
        rc = gate_invalid(&gate, "the limit must be 1 to %d", LIST_MOST);
    else if (after_id < CTCD_EVENT_NEWEST)
        rc = gate_invalid(&gate, "after_id must be 0 or more, or CTCD_EVENT_NEWEST");
    else
        rc = event_list(ctx, service, run, after_id, limit, ret_list, err);
    return gate_leave(&gate, rc);
}

CTCD_API ctcd_event *ctcd_event_ref(ctcd_event *event) {
    return object_ref(event);
}

CTCD_API ctcd_event *ctcd_event_unref(ctcd_event *event) {
    return object_unref(event);
}

CTCD_API int64_t ctcd_event_id(const ctcd_event *event) {
    return event ? event->record.id : 0;
}

CTCD_API int64_t ctcd_event_time(const ctcd_event *event) {
    return event ? event->record.at_ms : CTCD_TIME_NONE;
}

CTCD_API const char *ctcd_event_kind(const ctcd_event *event) {
    return event ? event->record.kind : "";
}

CTCD_API const char *ctcd_event_subject_kind(const ctcd_event *event) {
    return event ? event->record.subject_kind : "";
}

CTCD_API const char *ctcd_event_subject(const ctcd_event *event) {
    return event ? event->record.subject : "";
}

CTCD_API const char *ctcd_event_name(const ctcd_event *event) {
    const char *name = event ? json_get_text(event->data, "name") : NULL;
    return name ? name : "";
}

CTCD_API const char *ctcd_event_message(const ctcd_event *event) {
    return event ? event->record.message : "";
}

CTCD_API const char *ctcd_event_data(const ctcd_event *event) {
    return event ? event->record.data : "";
}

CTCD_API int ctcd_event_format(const ctcd_event *event, const char *format, char **ret_text,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, event ? event->object.ctx : NULL, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", format, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : event_format(event, format, ret_text, err));
}
