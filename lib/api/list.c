/* ctcd_list_*: see <ctcd/list.h>. */
#include "api/gate.h"
#include "engine/collect.h"
#include "engine/component.h"
#include "engine/doctor.h"
#include "engine/event.h"
#include "engine/run.h"
#include "engine/schedule.h"
#include "engine/service.h"

#define LIST_MOST 100000
#define ALL_STATES ((2u << CTCD_STATE_UNKNOWN) - (1u << CTCD_STATE_INACTIVE))

CTCD_API ctcd_list *ctcd_list_ref(ctcd_list *list) {
    return object_ref(list);
}

CTCD_API ctcd_list *ctcd_list_unref(ctcd_list *list) {
    return object_unref(list);
}

CTCD_API size_t ctcd_list_count(const ctcd_list *list) {
    return object_list_count(list);
}

CTCD_API ctcd_component *ctcd_list_component(const ctcd_list *list, size_t index) {
    return object_list_at(list, &COMPONENT_KIND, index);
}

CTCD_API ctcd_stack *ctcd_list_stack(const ctcd_list *list, size_t index) {
    return object_list_at(list, &STACK_KIND, index);
}

CTCD_API ctcd_service *ctcd_list_service(const ctcd_list *list, size_t index) {
    return object_list_at(list, &SERVICE_KIND, index);
}

CTCD_API ctcd_status *ctcd_list_status(const ctcd_list *list, size_t index) {
    return object_list_at(list, &STATUS_KIND, index);
}

CTCD_API ctcd_schedule *ctcd_list_schedule(const ctcd_list *list, size_t index) {
    return object_list_at(list, &SCHEDULE_KIND, index);
}

CTCD_API ctcd_run *ctcd_list_run(const ctcd_list *list, size_t index) {
    return object_list_at(list, &RUN_KIND, index);
}

CTCD_API ctcd_pipeline *ctcd_list_pipeline(const ctcd_list *list, size_t index) {
    return object_list_at(list, &PIPELINE_KIND, index);
}

CTCD_API ctcd_event *ctcd_list_event(const ctcd_list *list, size_t index) {
    return object_list_at(list, &EVENT_KIND, index);
}

CTCD_API ctcd_finding *ctcd_list_finding(const ctcd_list *list, size_t index) {
    return object_list_at(list, &FINDING_KIND, index);
}

CTCD_API ctcd_removal *ctcd_list_removal(const ctcd_list *list, size_t index) {
    return object_list_at(list, &REMOVAL_KIND, index);
}

CTCD_API const char *ctcd_list_next(const ctcd_list *list) {
    return object_list_next(list);
}

CTCD_API int ctcd_list_select(const ctcd_list *list, uint32_t states, int64_t limit,
                              ctcd_list **ret_list, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, list ? ((const struct object *)(const void *)list)->ctx : NULL, err);
    if (rc)
        return rc;
    if (!ret_list)
        rc = gate_missing(&gate, "ret_list");
    else if (states & ~ALL_STATES)
        rc = gate_invalid(&gate, "unknown states 0x%x", states & ~ALL_STATES);
    else if (limit < 0 || limit > LIST_MOST)
        rc = gate_invalid(&gate, "the limit must be 1 to %d, or 0 = none", LIST_MOST);
    else
        rc = service_select(list, states, limit, ret_list, err);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_list_format(const ctcd_list *list, const char *format, char **ret_text,
                              ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, list ? ((const struct object *)(const void *)list)->ctx : NULL, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", format, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : object_list_format(list, format, ret_text, err));
}
