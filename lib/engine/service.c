/* See service.h: services and looks as objects. */
#include "engine/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/service.h"
#include "io/file.h"

static void service_free(void *object) {
    ctcd_service *service = object;
    store_service_done(&service->record);
    mem_free(service->model_uri);
    mem_free(service->metrics);
}

static struct json *parse_or_empty(const char *text) {
    struct json *value = NULL;
    if (!text || json_parse(text, strlen(text), 1 << 24, JSON_PYTHON, NULL, &value, NULL))
        return json_new_object();
    return value;
}

static bool set_time(struct json *json, const char *key, int64_t ms) {
    return ms == CTCD_TIME_NONE ? json_set_null(json, key) : json_set_int(json, key, ms);
}

static struct json *service_to_json(const void *object) {
    const ctcd_service *service = object;
    const struct store_service *r = &service->record;
    struct json *json = json_new_object();
    if (json_set_text(json, "uuid", r->uuid) && json_set_text(json, "deployer", r->deployer) &&
        json_set_text(json, "pipeline_name", r->pipeline) &&
        json_set_text(json, "pipeline_step_name", r->step) &&
        json_set_text(json, "model_name", r->model) &&
        json_set_text(json, "model_uri", service->model_uri) &&
        json_set_text(json, "pipeline_run_id", r->run) &&
        json_set_text(json, "prediction_url", r->url) &&
        json_set_int(json, "revision", r->revision) &&
        json_set_text(json, "desired_state", service_state_name(r->desired)) &&
        json_set_text(json, "restart", r->restart) && json_set_int(json, "restarts", r->restarts) &&
        set_time(json, "restart_next_ms", r->restart_next_ms) &&
        json_set_new(json, "metrics", parse_or_empty(service->metrics)))
        return json;
    return json_unref(json);
}

static const char *service_label(const void *object) {
    return ((const ctcd_service *)object)->record.uuid;
}

const struct object_kind SERVICE_KIND = {"service", service_free, service_to_json, service_label};

static void status_free(void *object) {
    ctcd_status *status = object;
    object_unref(status->service);
    mem_free(status->message);
    mem_free(status->last_error);
    mem_free(status->log_tail);
    mem_free(status->next);
    for (size_t i = 0; i < status->count; i++) {
        mem_free(status->names[i]);
        mem_free(status->values[i]);
    }
    mem_free(status->names);
    mem_free(status->values);
}

static struct json *properties_json(const ctcd_status *status) {
    struct json *json = json_new_object();
    for (size_t i = 0; json && i < status->count; i++)
        if (!json_set_text(json, status->names[i], status->values[i]))
            json = json_unref(json);
    return json;
}

static struct json *status_to_json(const void *object) {
    const ctcd_status *status = object;
    struct json *json = service_to_json(status->service);
    if (json_set_text(json, "state", service_state_name(status->state)) &&
        json_set_text(json, "status_message", status->message ? status->message : "") &&
        json_set_text(json, "last_error", status->last_error ? status->last_error : "") &&
        json_set_text(json, "log_tail", status->log_tail ? status->log_tail : "") &&
        json_set_text(json, "next", status->next ? status->next : "") &&
        json_set_int(json, "observed_ms", status->time_ms) &&
        json_set_new(json, "properties", properties_json(status)))
        return json;
    return json_unref(json);
}

static const char *status_label(const void *object) {
    return service_label(((const ctcd_status *)object)->service);
}

const struct object_kind STATUS_KIND = {"status", status_free, status_to_json, status_label};

/* ---- loading ---- */

int service_revision(struct store *store, const struct store_service *service,
                     struct store_revision *ret, ctcd_error **err) {
    return service->revision ? store_revision_get(store, service->uuid, service->revision, ret, err)
                             : store_revision_newest(store, service->uuid, ret, err);
}

int service_with(ctcd_context *ctx, struct store_service *record,
                 const struct store_revision *revision, ctcd_service **ret, ctcd_error **err) {
    _cleanup_(object_done) ctcd_service *service = object_new(ctx, &SERVICE_KIND, sizeof(*service));
    if (!service) {
        store_service_done(record);
        return error_nomem(err);
    }
    service->record = *record;
    memset(record, 0, sizeof(*record));
    bool metrics = revision && revision->metrics && revision->metrics[0];
    service->model_uri = mem_copy_text(revision ? revision->model_uri : "");
    service->metrics = mem_copy_text(metrics ? revision->metrics : "{}");
    if (!service->model_uri || !service->metrics)
        return error_nomem(err);
    *ret = mem_steal(&service);
    return 0;
}

int service_new(ctcd_context *ctx, struct store_service *record, ctcd_service **ret,
                ctcd_error **err) {
    _cleanup_(store_revision_done) struct store_revision revision = {0};
    int rc = service_revision(ctx->store, record, &revision, err);
    if (rc < 0) {
        store_service_done(record);
        return rc;
    }
    return service_with(ctx, record, rc == CTCD_NONE ? NULL : &revision, ret, err);
}

int service_load(ctcd_context *ctx, const char *uuid, ctcd_service **ret, ctcd_error **err) {
    struct store *store = NULL;
    int rc = context_store(ctx, &store, err);
    if (rc)
        return rc;
    struct store_service record = {0};
    rc = store_service_get(store, uuid, &record, err);
    return rc ? rc : service_new(ctx, &record, ret, err);
}

int service_incumbent(ctcd_context *ctx, const struct identity *identity, ctcd_service **ret,
                      ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_service_done) struct store_service record = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_begin_read(store, err);
    if (rc)
        return rc;
    rc = store_service_find_identity(store, identity->deployer, identity->pipeline, identity->step,
                                     identity->model, &record, err);
    if (!rc)
        rc = record.revision ? service_new(ctx, &record, ret, err) : CTCD_NONE;
    store_rollback(store);
    return rc;
}

/* Inside a reading transaction. */
static int read_page(ctcd_context *ctx, struct store_service_query query, ctcd_list *list,
                     ctcd_error **err) {
    _cleanup_(store_service_done) struct store_service after = {0};
    _cleanup_(store_services_done) struct store_services found = {0};
    int rc = 0;
    if (query.after && *query.after) {
        rc = store_service_get(ctx->store, query.after, &after, err);
        query.after = after.uuid;
    }
    if (!rc)
        rc = store_service_query(ctx->store, &query, &found, err);
    for (size_t i = 0; !rc && i < found.count; i++) {
        ctcd_service *service = NULL;
        rc = service_new(ctx, &found.items[i], &service, err);
        if (!rc && !object_list_take(list, service))
            rc = error_nomem(err);
    }
    return rc;
}

int service_find_page(ctcd_context *ctx, struct store_service_query query, ctcd_list **ret,
                      ctcd_error **err) {
    struct store *store = NULL;
    int rc = context_store(ctx, &store, err);
    if (rc)
        return rc;
    _cleanup_(object_done) ctcd_list *list = object_list_new(ctx, &SERVICE_KIND);
    if (!list)
        return error_nomem(err);
    rc = store_begin_read(store, err);
    if (rc)
        return rc;
    rc = read_page(ctx, query, list, err);
    store_rollback(store);
    if (!rc)
        *ret = mem_steal(&list);
    return rc;
}

int service_find(ctcd_context *ctx, const char *deployer, const char *pipeline, const char *step,
                 const char *model, ctcd_list **ret, ctcd_error **err) {
    struct store_service_query query = {
        .deployer = deployer, .pipeline = pipeline, .step = step, .model = model};
    return service_find_page(ctx, query, ret, err);
}

/* ---- revisions as back ends see them ---- */

char *service_folder(const ctcd_context *ctx, const char *service) {
    return context_path(ctx, "services", service, NULL);
}

char *revision_folder(const ctcd_context *ctx, const char *service, int64_t number) {
    char name[32];
    snprintf(name, sizeof(name), "r%" PRId64, number);
    return context_path(ctx, "services", service, name, NULL);
}

static int revision_commit(struct ctcd_revision *revision, void *data, ctcd_error **err) {
    ctcd_context *ctx = data;
    return store_revision_set(ctx->store, revision->service_uuid, revision->number,
                              revision->pinned_uri, revision->memo, revision->url, err);
}

static bool keep(char **place, char *made) {
    return (*place = made) != NULL;
}

static int revision_texts(ctcd_context *ctx, const struct store_revision *record, const char *model,
                          struct ctcd_revision *r, ctcd_error **err) {
    const char *shim = NULL;
    int rc = context_shim(ctx, &shim, err);
    if (rc)
        return rc;
    bool kept =
        keep(&r->service_uuid, mem_copy_text(record->service)) &&
        keep(&r->model_uri, mem_copy_text(record->model_uri)) &&
        keep(&r->pinned_uri, mem_copy_text(record->pinned_uri)) &&
        keep(&r->model_name, mem_copy_text(model)) && keep(&r->run, mem_copy_text(record->run)) &&
        keep(&r->folder, revision_folder(ctx, record->service, record->number)) &&
        keep(&r->shim, mem_copy_text(shim)) && keep(&r->memo, mem_copy_text(record->memo)) &&
        keep(&r->url, mem_copy_text(record->url));
    return kept ? 0 : error_nomem(err);
}

int revision_load(ctcd_context *ctx, struct backend *backend, const struct store_revision *record,
                  const char *model, struct ctcd_revision *ret, ctcd_error **err) {
    _cleanup_(revision_done) struct ctcd_revision r = {0};
    int rc = revision_texts(ctx, record, model, &r, err);
    if (!rc)
        rc = options_new(flavor_options(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, backend->flavor->name,
                                        CTCD_SCOPE_DEPLOYMENT),
                         &r.options, err);
    if (!rc)
        rc = options_from_json(r.options, backend->flavor->name, record->options, err);
    if (rc)
        return rc;
    r.number = record->number;
    r.generation = record->generation;
    r.commit = revision_commit;
    r.commit_data = ctx;
    *ret = r;
    memset(&r, 0, sizeof(r));
    return 0;
}

/* ---- pages ---- */

int service_select(const ctcd_list *list, uint32_t states, int64_t limit, ctcd_list **ret,
                   ctcd_error **err) {
    const struct object_kind *kind = object_list_kind(list);
    bool looks = kind == &STATUS_KIND, pages = looks || kind == &SERVICE_KIND;
    if (states && !looks)
        return error_set(err, CTCD_E_INVALID, NULL, "only looks at services have a state");
    _cleanup_(object_done) ctcd_list *page =
        object_list_new(((const struct object *)(const void *)list)->ctx, kind);
    if (!page)
        return error_nomem(err);
    size_t most = limit ? (size_t)limit : SIZE_MAX, kept = 0;
    const char *last = "";
    bool more = false;
    for (size_t i = 0; !more && i < object_list_count(list); i++) {
        void *object = object_list_at(list, kind, i);
        if (states && !(states & 1u << ((const ctcd_status *)object)->state))
            continue;
        if (kept++ == most)
            more = true;
        else if (!object_list_take(page, object_ref(object)))
            return error_nomem(err);
        else if (pages)
            last = looks ? ((const ctcd_status *)object)->service->record.uuid
                         : ((const ctcd_service *)object)->record.uuid;
    }
    if (limit && pages && !object_list_make_page(page, more ? last : ""))
        return error_nomem(err);
    *ret = mem_steal(&page);
    return 0;
}
