/* See event.h. Called by api/event.c. */
#include "engine/event.h"

#include <inttypes.h>
#include <string.h>

#include "store/runs.h"
#include "store/services.h"

#define DATA_LIMIT (1 << 20)

static void event_free(void *object) {
    ctcd_event *event = object;
    store_event_done(&event->record);
    json_unref(event->data);
    mem_free(event->id);
}

static struct json *event_to_json(const void *object) {
    const ctcd_event *event = object;
    const struct store_event *r = &event->record;
    struct json *json = json_new_object();
    if (json_set_int(json, "id", r->id) && json_set_int(json, "time_ms", r->at_ms) &&
        json_set_text(json, "kind", r->kind) &&
        json_set_text(json, "subject_kind", r->subject_kind) &&
        json_set_text(json, "subject", r->subject) && json_set_text(json, "message", r->message) &&
        json_set(json, "data", event->data))
        return json;
    return json_unref(json);
}

static const char *event_label(const void *object) {
    return ((const ctcd_event *)object)->id;
}

const struct object_kind EVENT_KIND = {"event", event_free, event_to_json, event_label};

/* What is no object (a version that wrote something else) is an empty one: the event itself stays told. */
static struct json *read_data(const char *text) {
    struct json *data = NULL;
    int rc = json_parse(text, strlen(text), DATA_LIMIT, 0, NULL, &data, NULL);
    if (rc == CTCD_E_NOMEM)
        return NULL;
    if (!rc && json_kind(data) == JSON_KIND_OBJECT)
        return data;
    json_unref(data);
    return json_new_object();
}

static int add_event(ctcd_list *list, ctcd_context *ctx, struct store_event *record) {
    _cleanup_(object_done) ctcd_event *event = object_new(ctx, &EVENT_KIND, sizeof(*event));
    if (!event)
        return CTCD_E_NOMEM;
    event->record = *record;
    memset(record, 0, sizeof(*record));
    event->data = read_data(event->record.data);
    event->id = mem_text("%" PRId64, event->record.id);
    if (!event->data || !event->id)
        return CTCD_E_NOMEM;
    return object_list_take(list, mem_steal(&event)) ? 0 : CTCD_E_NOMEM;
}

/* The living come first: a UUID's first digits need not be told apart from those of what is gone. */
static int find_service(struct store *store, const char *name, char ret_uuid[37],
                        ctcd_error **err) {
    _cleanup_(store_service_done) struct store_service service = {0};
    ctcd_error *why = NULL;
    int rc = store_service_get(store, name, &service, &why);
    if (rc != CTCD_E_NOT_FOUND) {
        if (!rc)
            memcpy(ret_uuid, service.uuid, 37);
        else if (err)
            *err = mem_steal(&why);
        error_done(&why);
        return rc;
    }
    error_done(&why);
    return store_event_service(store, name, ret_uuid, err);
}

int event_list(ctcd_context *ctx, const char *service, const char *run, int64_t after_id,
               int64_t limit, ctcd_list **ret, ctcd_error **err) {
    struct store *store = NULL;
    char service_uuid[37] = "";
    _cleanup_(store_run_done) struct store_run record = {0};
    _cleanup_(store_events_done) struct store_events all = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc && service)
        rc = find_service(store, service, service_uuid, err);
    if (!rc && run)
        rc = store_run_get(store, run, &record, err);
    struct store_event_query query = {.newest = after_id == CTCD_EVENT_NEWEST,
                                      .after_id = after_id,
                                      .service = service_uuid,
                                      .run = record.uuid,
                                      .limit = limit};
    if (!rc)
        rc = store_event_query(store, &query, &all, err);
    if (rc)
        return rc;
    _cleanup_(object_done) ctcd_list *list = object_list_new(ctx, &EVENT_KIND);
    if (!list)
        return error_nomem(err);
    for (size_t i = 0; i < all.count; i++)
        if (add_event(list, ctx, &all.items[i]))
            return error_nomem(err);
    *ret = mem_steal(&list);
    return 0;
}

int event_format(const ctcd_event *event, const char *format, char **ret, ctcd_error **err) {
    if (strcmp(format, "jsonl") != 0)
        return object_format(event, format, ret, err);
    _cleanup_(json_done) struct json *json = event_to_json(event);
    char *text = json ? json_to_strict(json, false) : NULL;
    if (!text)
        return error_nomem(err);
    *ret = text;
    return 0;
}
