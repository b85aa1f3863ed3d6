/* See retention.h. */
#include "store/retention.h"

#include "store/record.h"

static const struct field run_fields[] = {
    FIELD(store_old_run, uuid, FIELD_TEXT),
    FIELD(store_old_run, name, FIELD_TEXT),
};
static const struct record run_record = RECORD(store_old_run, run_fields);

static const struct field use_fields[] = {
    FIELD(store_use, run, FIELD_TEXT),
    FIELD(store_use, text, FIELD_TEXT),
};
static const struct record use_record = RECORD(store_use, use_fields);

#define ENDED "('completed', 'failed', 'canceled', 'abandoned')"
#define LIVE_REVISIONS                                                                             \
    "revisions v JOIN services s ON s.uuid = v.service WHERE"                                      \
    " v.state NOT IN ('stopped', 'failed') OR v.number = s.revision OR (s.revision = 0"            \
    " AND v.number = (SELECT max(number) FROM revisions WHERE service = s.uuid))"

void store_old_runs_done(struct store_old_runs *list) {
    record_list_done(&run_record, list->items, list->count);
    *list = (struct store_old_runs){0};
}

void store_uses_done(struct store_uses *list) {
    record_list_done(&use_record, list->items, list->count);
    *list = (struct store_uses){0};
}

int store_retention_runs(struct store *store, int64_t keep, int64_t before_ms,
                         struct store_old_runs *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(
        store,
        "SELECT uuid, name FROM (SELECT *, row_number() OVER (PARTITION BY pipeline"
        " ORDER BY id DESC) AS newer FROM runs WHERE status IN " ENDED ") AS r"
        " WHERE (?1 < 0 OR newer > ?1) AND ifnull(ended_ms, created_ms) < ?2"
        " AND name NOT IN (SELECT run FROM services)"
        " AND name NOT IN (SELECT v.run FROM " LIVE_REVISIONS ")"
        " AND NOT (EXISTS (SELECT 1 FROM step_runs WHERE run = r.uuid AND cache_key <> '')"
        " AND EXISTS (SELECT 1 FROM runs o WHERE o.pipeline = r.pipeline AND o.status = 'running'))"
        " ORDER BY uuid",
        DB_VALUES(DB_INT(keep), DB_INT(before_ms)), &run_record, &list, err);
    if (!rc)
        *ret = (struct store_old_runs){list.items, list.count};
    return rc;
}

int store_retention_artifacts(struct store *store, struct store_uses *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store, "SELECT run, value FROM artifacts WHERE instr(value, '/runs/')",
                         DB_NO_VALUES, &use_record, &list, err);
    if (!rc)
        *ret = (struct store_uses){list.items, list.count};
    return rc;
}

int store_retention_revisions(struct store *store, struct store_uses *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store,
                         "SELECT '', v.model_uri || ' ' || v.pinned_uri || ' ' || v.memo"
                         " FROM " LIVE_REVISIONS,
                         DB_NO_VALUES, &use_record, &list, err);
    if (!rc)
        *ret = (struct store_uses){list.items, list.count};
    return rc;
}

int store_run_remove(struct store *store, const char *uuid, ctcd_error **err) {
    int rc = db_run(store->db, "DELETE FROM runs WHERE uuid = ?1 AND status IN " ENDED,
                    DB_VALUES(DB_TEXT(uuid)), err);
    return rc ? rc : db_changes(store->db) ? 0 : CTCD_NONE;
}

int store_has_run(struct store *store, const char *uuid, bool *ret, ctcd_error **err) {
    int64_t count = 0;
    int rc = db_number(store->db, "SELECT count(*) FROM runs WHERE uuid = ?1",
                       DB_VALUES(DB_TEXT(uuid)), &count, err);
    if (!rc)
        *ret = count > 0;
    return rc;
}

int store_retention_events(struct store *store, int64_t before_ms, bool dry, int64_t *ret_count,
                           ctcd_error **err) {
    if (dry)
        return db_number(store->db, "SELECT count(*) FROM events WHERE at_ms < ?1",
                         DB_VALUES(DB_INT(before_ms)), ret_count, err);
    int rc =
        db_run(store->db, "DELETE FROM events WHERE at_ms < ?1", DB_VALUES(DB_INT(before_ms)), err);
    if (!rc)
        *ret_count = db_changes(store->db);
    return rc;
}
