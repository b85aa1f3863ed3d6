/* Schedules as objects (schedule.h): their JSON in the store, creating, finding, deleting. */
#include <string.h>

#include "core/identity.h"
#include "engine/pipeline.h"
#include "engine/schedule.h"
#include "engine/zones.h"
#include "io/random.h"

#define DROPS_SHOWN 1000 /* of one schedule; all of them are counted */

static void schedule_free(void *object) {
    ctcd_schedule *s = object;
    store_schedule_done(&s->record);
    store_drops_done(&s->dropped);
}

static struct json *time_json(int64_t ms) {
    return ms == CTCD_TIME_NONE ? json_new_null() : json_new_int(ms);
}

static bool set_cron(struct json *json, const struct schedule_cron *cron) {
    return json_set_text(json, "cron", cron->text) &&
           json_set_text(json, "timezone", cron->zone_name) &&
           json_set_text(json, "dialect", cron_dialect_name(cron->dialect)) &&
           json_set_bool(json, "seconds", cron->fields & CRON_SECONDS) &&
           json_set_bool(json, "year", cron->fields & CRON_YEAR);
}

static struct json *spec_json(const struct schedule *s) {
    struct json *json = json_new_object();
    bool cron = s->spec.kind == SCHEDULE_CRON;
    if ((cron ? set_cron(json, &s->spec.cron) : json_set_int(json, "every_ms", s->spec.every_ms)) &&
        json_set_new(json, "start_ms", time_json(s->spec.start_ms)) &&
        json_set_new(json, "end_ms", time_json(s->spec.end_ms)) &&
        json_set_bool(json, "end_inclusive", s->spec.end_inclusive) &&
        json_set_int(json, "created_ms", s->spec.created_ms) &&
        json_set_text(json, "catchup", schedule_catchup_name(s->catchup)) &&
        json_set_text(json, "overlap", schedule_overlap_name(s->overlap)) &&
        json_set_int(json, "catchup_window_ms", s->catchup_window_ms) &&
        json_set_int(json, "catchup_max", s->catchup_max))
        return json;
    return json_unref(json);
}

char *schedule_to_json(const struct schedule *schedule) {
    _cleanup_(json_done) struct json *json = spec_json(schedule);
    return json_to_text(json);
}

static int64_t time_of(const struct json *json, const char *key) {
    return json_get_int(json, key, CTCD_TIME_NONE);
}

static bool copy_text(char *to, size_t size, const char *text) {
    size_t len = text ? strlen(text) : 0;
    if (len >= size)
        return false;
    memcpy(to, text ? text : "", len + 1);
    return true;
}

int schedule_cron_set(struct schedule_spec *spec, const char *text, const char *zone,
                      const char *dialect, uint32_t fields, ctcd_error **err) {
    struct schedule_cron cron = {.fields = fields};
    if (!copy_text(cron.text, sizeof cron.text, text))
        return error_set(err, CTCD_E_TOO_LARGE, NULL, "a cron expression has at most %d characters",
                         CRON_TEXT_SIZE - 1);
    int rc = dialect ? cron_dialect_parse(dialect, &cron.dialect, err) : 0;
    if (!rc && zone)
        rc = zone_check_name(zone, err);
    if (rc)
        return rc;
    (void)copy_text(cron.zone_name, sizeof cron.zone_name, zone); /* its length was checked */
    rc = schedule_cron_compile(&cron, err);
    if (rc)
        return rc;
    spec->kind = SCHEDULE_CRON;
    spec->every_ms = 0;
    spec->cron = cron;
    return 0;
}

static int read_cron(const struct json *json, struct schedule_spec *spec, ctcd_error **err) {
    uint32_t fields = (json_get_bool(json, "seconds", false) ? CRON_SECONDS : 0) |
                      (json_get_bool(json, "year", false) ? CRON_YEAR : 0);
    const char *text = json_get_text(json, "cron");
    return text ? schedule_cron_set(spec, text, json_get_text(json, "timezone"),
                                    json_get_text(json, "dialect"), fields, err)
                : 0;
}

int schedule_from_json(const char *text, struct schedule *ret, ctcd_error **err) {
    _cleanup_(json_done) struct json *json = NULL;
    int rc = json_parse(text, strlen(text), 1 << 16, 0, "schedule", &json, err);
    if (rc)
        return rc;
    struct schedule s = {
        .spec =
            {
                .kind = SCHEDULE_INTERVAL,
                .every_ms = json_get_int(json, "every_ms", 0),
                .start_ms = time_of(json, "start_ms"),
                .end_ms = time_of(json, "end_ms"),
                .created_ms = time_of(json, "created_ms"),
                .end_inclusive = json_get_bool(json, "end_inclusive", false),
            },
        .catchup_window_ms = json_get_int(json, "catchup_window_ms", 0),
        .catchup_max = json_get_int(json, "catchup_max", 0),
    };
    const char *catchup = json_get_text(json, "catchup"), *overlap = json_get_text(json, "overlap");
    rc = schedule_catchup_parse(catchup ? catchup : "", &s.catchup, err);
    if (!rc)
        rc = schedule_overlap_parse(overlap ? overlap : "", &s.overlap, err);
    if (!rc)
        rc = read_cron(json, &s.spec, err);
    if (!rc)
        rc = schedule_check(&s, err);
    if (!rc)
        *ret = s;
    return rc;
}

static struct json *drop_json(const struct store_drop *drop) {
    struct json *json = json_new_object();
    if (json_set_int(json, "nominal_ms", drop->nominal_ms) &&
        json_set_int(json, "last_ms", drop->last_ms) && json_set_int(json, "count", drop->count) &&
        json_set_text(json, "reason", drop->reason) &&
        json_set_new(json, "at_ms", time_json(drop->at_ms)))
        return json;
    return json_unref(json);
}

static struct json *drops_json(const ctcd_schedule *s) {
    struct json *array = json_new_array();
    for (size_t i = 0; array && i < s->dropped.count; i++)
        if (!json_append_new(array, drop_json(&s->dropped.items[i])))
            array = json_unref(array);
    return array;
}

static struct json *schedule_to_json_object(const void *object) {
    const ctcd_schedule *s = object;
    struct json *json = json_new_object();
    struct json *spec = spec_json(&s->spec);
    bool ok = spec && json_set_text(json, "name", s->record.name ? s->record.name : "") &&
              json_set_text(json, "uuid", s->record.uuid ? s->record.uuid : "") &&
              json_set_text(json, "pipeline", s->record.pipeline ? s->record.pipeline : "");
    for (struct json_iter i = json_members(spec); ok && json_next(&i);)
        ok = json_set(json, i.key, i.value);
    json_unref(spec);
    if (ok && json_set_new(json, "last_processed_ms", time_json(s->record.last_processed_ms)) &&
        json_set_int(json, "runs", s->runs) && json_set_int(json, "drops", s->drops) &&
        (!s->detailed || json_set_new(json, "dropped", drops_json(s))))
        return json;
    return json_unref(json);
}

static const char *schedule_label(const void *object) {
    const ctcd_schedule *s = object;
    return s->record.name ? s->record.name : "";
}

const struct object_kind SCHEDULE_KIND = {"schedule", schedule_free, schedule_to_json_object,
                                          schedule_label};

int schedule_new(ctcd_context *ctx, const struct schedule *spec, ctcd_schedule **ret,
                 ctcd_error **err) {
    ctcd_schedule *s = object_new(ctx, &SCHEDULE_KIND, sizeof(*s));
    if (!s)
        return error_nomem(err);
    s->spec = *spec;
    s->record.last_processed_ms = CTCD_TIME_NONE;
    *ret = s;
    return 0;
}

static int from_record(ctcd_context *ctx, struct store_schedule *record, ctcd_schedule **ret,
                       ctcd_error **err) {
    struct schedule spec;
    int rc = schedule_from_json(record->spec, &spec, err);
    _cleanup_(object_done) ctcd_schedule *s = NULL;
    if (!rc)
        rc = schedule_new(ctx, &spec, &s, err);
    if (rc)
        return rc;
    s->record = *record;
    memset(record, 0, sizeof(*record));
    rc = store_schedule_count(ctx->store, s->record.id, &s->runs, &s->drops, err);
    if (rc)
        return rc;
    *ret = mem_steal(&s);
    return 0;
}

/* A schedule without a start counts from its creation. */
static int record_it(ctcd_schedule *s, ctcd_pipeline *pipeline, const char *name,
                     ctcd_error **err) {
    ctcd_context *ctx = s->object.ctx;
    char digest[65], uuid[37];
    int64_t id = 0;
    struct schedule spec = s->spec;
    spec.spec.created_ms = context_wall(ctx);
    int rc = zones_check(ctx, &spec, err);
    if (!rc)
        rc = pipeline_put(pipeline, digest, err);
    if (!rc)
        rc = random_uuid(uuid, err);
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *text = schedule_to_json(&spec);
    _cleanup_(mem_free_ptr) char *params = pipeline_params(&pipeline->spec);
    if (!text || !params)
        return error_nomem(err);
    struct store_schedule record = {
        .uuid = uuid,
        .name = (char *)(uintptr_t)name,
        .pipeline = pipeline->spec.name,
        .digest = digest,
        .spec = text,
        .params = params,
        .created_ms = spec.spec.created_ms,
        .last_processed_ms = schedule_first_last_processed(&spec.spec),
    };
    rc = store_schedule_add(ctx->store, &record, &id, err);
    struct store_schedule stored = {0};
    if (!rc)
        rc = store_schedule_get_id(ctx->store, id, &stored, err);
    if (rc)
        return rc;
    store_schedule_done(&s->record);
    s->record = stored;
    s->spec = spec;
    return 0;
}

int schedule_create(ctcd_schedule *s, ctcd_pipeline *pipeline, const char *name, ctcd_error **err) {
    struct store *store = NULL;
    if (s->record.uuid)
        return error_set(err, CTCD_E_EXISTS, NULL, "the schedule %s is stored already",
                         s->record.name);
    int rc = context_store(s->object.ctx, &store, err);
    if (!rc && !name)
        name = pipeline->spec.name;
    if (!rc)
        rc = name_check_plain("schedule", name, err);
    if (!rc)
        rc = store_begin(store, err);
    if (rc)
        return rc;
    rc = record_it(s, pipeline, name, err);
    if (!rc)
        return store_commit(store, err);
    store_rollback(store);
    return rc;
}

int schedule_get(ctcd_context *ctx, const char *name, ctcd_schedule **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_schedule_done) struct store_schedule record = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_schedule_get(store, name, &record, err);
    _cleanup_(object_done) ctcd_schedule *s = NULL;
    if (!rc)
        rc = from_record(ctx, &record, &s, err);
    if (!rc)
        rc = store_drop_list(store, s->record.id, DROPS_SHOWN, 0, &s->dropped, err);
    if (rc)
        return rc;
    s->detailed = true;
    *ret = mem_steal(&s);
    return 0;
}

int schedule_list(ctcd_context *ctx, ctcd_list **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_schedules_done) struct store_schedules all = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_schedule_list(store, &all, err);
    if (rc)
        return rc;
    _cleanup_(object_done) ctcd_list *list = object_list_new(ctx, &SCHEDULE_KIND);
    if (!list)
        return error_nomem(err);
    for (size_t i = 0; i < all.count; i++) {
        ctcd_schedule *s = NULL;
        rc = from_record(ctx, &all.items[i], &s, err);
        if (rc)
            return rc;
        if (!object_list_take(list, s))
            return error_nomem(err);
    }
    *ret = mem_steal(&list);
    return 0;
}

int schedule_delete(ctcd_schedule *s, ctcd_error **err) {
    if (!s->record.uuid)
        return error_set(err, CTCD_E_NOT_FOUND, NULL, "the schedule is not stored");
    ctcd_context *ctx = s->object.ctx;
    struct store *store = NULL;
    int rc = context_store(ctx, &store, err);
    return rc ? rc : store_schedule_delete(store, s->record.id, context_wall(ctx), err);
}

int schedule_previous(ctcd_context *ctx, int64_t id, int64_t nominal_ms, int64_t *ret,
                      ctcd_error **err) {
    _cleanup_(store_schedule_done) struct store_schedule record = {0};
    struct schedule spec;
    int rc = store_schedule_get_id(ctx->store, id, &record, err);
    if (!rc)
        rc = schedule_from_json(record.spec, &spec, err);
    if (!rc)
        rc = zones_bind(ctx, &spec.spec, err);
    if (!rc)
        schedule_prev(&spec.spec, nominal_ms, ret);
    if (rc != CTCD_E_NOT_FOUND) /* it was deleted, or its zone was: nobody knows any more */
        return rc;
    if (err)
        error_done(err);
    return 0;
}
