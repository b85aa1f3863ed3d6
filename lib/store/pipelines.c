/* Pipelines as they were run or scheduled. Called by the engine. */
#include "store/pipelines.h"

#include "store/record.h"

static const struct field fields[] = {
    FIELD(store_pipeline, name, FIELD_TEXT),    FIELD(store_pipeline, digest, FIELD_TEXT),
    FIELD(store_pipeline, spec, FIELD_TEXT),    FIELD(store_pipeline, functions, FIELD_TEXT),
    FIELD(store_pipeline, used_ms, FIELD_TIME),
};
static const struct record record = RECORD(store_pipeline, fields);
#define COLUMNS "name, digest, spec, functions, used_ms"
/* The order of use is counted: a clock may stand still, or go back. */
#define NEXT_USE "(SELECT ifnull(max(use), 0) + 1 FROM pipelines)"
#define NEWEST "(SELECT max(p.use) FROM pipelines p WHERE p.name = pipelines.name)"

void store_pipeline_done(struct store_pipeline *pipeline) {
    record_done(&record, pipeline);
}

void store_pipelines_done(struct store_pipelines *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_pipelines){0};
}

int store_pipeline_put(struct store *store, const struct store_pipeline *pipeline,
                       ctcd_error **err) {
    return record_run(
        store,
        "INSERT INTO pipelines (" COLUMNS ", use)"
        " VALUES (:name, :digest, :spec, :functions, :used_ms, " NEXT_USE ")"
        " ON CONFLICT (name, digest) DO UPDATE SET spec = excluded.spec,"
        " functions = excluded.functions, used_ms = excluded.used_ms, use = excluded.use",
        &record, pipeline, err);
}

int store_pipeline_get(struct store *store, const char *name, const char *digest,
                       struct store_pipeline *ret, ctcd_error **err) {
    int rc =
        record_get(store,
                   "SELECT " COLUMNS " FROM pipelines WHERE name = ?1 AND (?2 = '' OR digest = ?2)"
                   " ORDER BY use DESC LIMIT 1",
                   DB_VALUES(DB_TEXT(name), DB_TEXT(digest)), &record, ret, err);
    if (rc != CTCD_NONE)
        return rc;
    return error_set(err, CTCD_E_NOT_FOUND, "see: ctcd pipeline list",
                     "there is no pipeline \"%s\"%s%s", name, digest ? " with digest " : "",
                     digest ? digest : "");
}

int store_pipeline_fits(struct store *store, const char *name, const char *digest,
                        const char *functions, bool *ret, ctcd_error **err) {
    int64_t missing = 0;
    int rc =
        db_number(store->db,
                  "SELECT count(*) FROM pipelines p WHERE name = ?1 AND digest = ?2"
                  " AND " STORE_MISSES("?3"),
                  DB_VALUES(DB_TEXT(name), DB_TEXT(digest), DB_TEXT(functions)), &missing, err);
    if (!rc)
        *ret = missing == 0;
    return rc;
}

int store_pipeline_list(struct store *store, struct store_pipelines *ret, ctcd_error **err) {
    struct record_list list;
    int rc =
        record_list(store, "SELECT " COLUMNS " FROM pipelines WHERE use = " NEWEST " ORDER BY name",
                    DB_NO_VALUES, &record, &list, err);
    if (!rc)
        *ret = (struct store_pipelines){list.items, list.count};
    return rc;
}
