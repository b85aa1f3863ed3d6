/* Stored schedules and dropped fires. Called by the engine. */
#include "store/schedules.h"

#include "store/note.h"
#include "store/record.h"

static const struct field fields[] = {
    FIELD(store_schedule, id, FIELD_INT),
    FIELD(store_schedule, uuid, FIELD_TEXT),
    FIELD(store_schedule, name, FIELD_TEXT),
    FIELD(store_schedule, pipeline, FIELD_TEXT),
    FIELD(store_schedule, digest, FIELD_TEXT),
    FIELD(store_schedule, spec, FIELD_TEXT),
    FIELD(store_schedule, params, FIELD_TEXT),
    FIELD(store_schedule, created_ms, FIELD_TIME),
    FIELD(store_schedule, last_processed_ms, FIELD_TIME),
    FIELD(store_schedule, paused, FIELD_BOOL),
    FIELD(store_schedule, pause_note, FIELD_TEXT),
    FIELD(store_schedule, ended, FIELD_BOOL),
};
static const struct record record = RECORD(store_schedule, fields);
#define COLUMNS                                                                                    \
    "uuid, name, pipeline, digest, spec, params, created_ms, last_processed_ms, paused,"           \
    " pause_note, ended"

static const struct record_key key = {
    .noun = "schedule",
    .list_command = "ctcd schedule list",
    .by_name = "SELECT uuid FROM schedules WHERE name = ?1",
    .by_prefix = "SELECT uuid FROM schedules WHERE uuid >= ?1 AND uuid < ?2 ORDER BY uuid LIMIT 5",
};

static const struct field drop_fields[] = {
    FIELD(store_drop, nominal_ms, FIELD_TIME), FIELD(store_drop, last_ms, FIELD_TIME),
    FIELD(store_drop, count, FIELD_INT),       FIELD(store_drop, at_ms, FIELD_TIME),
    FIELD(store_drop, reason, FIELD_TEXT),
};
static const struct record drop_record = RECORD(store_drop, drop_fields);

void store_schedule_done(struct store_schedule *schedule) {
    record_done(&record, schedule);
}

void store_schedules_done(struct store_schedules *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_schedules){0};
}

void store_drops_done(struct store_drops *list) {
    record_list_done(&drop_record, list->items, list->count);
    *list = (struct store_drops){0};
}

static int insert(struct store *store, const struct store_schedule *schedule, ctcd_error **err) {
    int rc = record_run(store,
                        "INSERT INTO schedules (" COLUMNS ")"
                        " VALUES (:uuid, :name, :pipeline, :digest, :spec, :params, :created_ms,"
                        " :last_processed_ms, :paused, :pause_note, :ended)",
                        &record, schedule, err);
    if (rc == CTCD_E_EXISTS)
        return error_set(err, rc, "delete that one first, or choose another name",
                         "there is a schedule \"%s\" already", schedule->name);
    if (rc == CTCD_E_NOT_FOUND)
        return error_set(err, rc, NULL, "the pipeline \"%s\" of the schedule was not stored",
                         schedule->pipeline);
    return rc;
}

int store_schedule_add(struct store *store, const struct store_schedule *schedule, int64_t *ret_id,
                       ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = insert(store, schedule, err);
    int64_t id = rc ? 0 : db_last_id(store->db);
    if (!rc)
        rc = note_schedule(store, id, "schedule_created", schedule->created_ms, err);
    rc = record_finish(store, rc, err);
    if (!rc)
        *ret_id = id;
    return rc;
}

int store_schedule_get(struct store *store, const char *name, struct store_schedule *ret,
                       ctcd_error **err) {
    char uuid[37];
    int rc = record_find_uuid(store, &key, name, uuid, err);
    if (!rc)
        rc = record_get(store, "SELECT id, " COLUMNS " FROM schedules WHERE uuid = ?1",
                        DB_VALUES(DB_TEXT(uuid)), &record, ret, err);
    return rc == CTCD_NONE ? record_not_found(&key, name, err) : rc;
}

static int none(int64_t id, ctcd_error **err) {
    return error_set(err, CTCD_E_NOT_FOUND, "see: ctcd schedule list",
                     "the schedule with id %lld is gone", (long long)id);
}

int store_schedule_get_id(struct store *store, int64_t id, struct store_schedule *ret,
                          ctcd_error **err) {
    int rc = record_get(store, "SELECT id, " COLUMNS " FROM schedules WHERE id = ?1",
                        DB_VALUES(DB_INT(id)), &record, ret, err);
    return rc == CTCD_NONE ? none(id, err) : rc;
}

int store_schedule_list(struct store *store, struct store_schedules *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store, "SELECT id, " COLUMNS " FROM schedules ORDER BY name", DB_NO_VALUES,
                         &record, &list, err);
    if (!rc)
        *ret = (struct store_schedules){list.items, list.count};
    return rc;
}

int store_schedule_pause(struct store *store, int64_t id, bool paused, const char *note,
                         ctcd_error **err) {
    int rc = db_run(store->db, "UPDATE schedules SET paused = ?2, pause_note = ?3 WHERE id = ?1",
                    DB_VALUES(DB_INT(id), DB_INT(paused), DB_TEXT(note)), err);
    return rc || db_changes(store->db) ? rc : none(id, err);
}

int store_schedule_end(struct store *store, int64_t id, ctcd_error **err) {
    int rc = db_run(store->db, "UPDATE schedules SET ended = 1 WHERE id = ?1",
                    DB_VALUES(DB_INT(id)), err);
    return rc || db_changes(store->db) ? rc : none(id, err);
}

#define GONE "its schedule was deleted"

int store_schedule_delete(struct store *store, int64_t id, int64_t now_ms, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = note_schedule_runs(store, id, "run_canceled", GONE, now_ms, err);
    if (!rc)
        rc = note_schedule(store, id, "schedule_deleted", now_ms, err);
    if (!rc)
        rc = db_run(store->db,
                    "UPDATE runs SET status = 'canceled', ended_ms = ?2, error = '" GONE "'"
                    " WHERE schedule_id = ?1 AND status = 'pending' AND owner = ''",
                    DB_VALUES(DB_INT(id), DB_TIME(now_ms)), err);
    if (!rc)
        rc = db_run(store->db, "DELETE FROM schedules WHERE id = ?1", DB_VALUES(DB_INT(id)), err);
    if (!rc && db_changes(store->db) == 0)
        rc = none(id, err);
    return record_finish(store, rc, err);
}

int store_drop_list(struct store *store, int64_t schedule_id, int64_t limit, int64_t offset,
                    struct store_drops *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(
        store,
        "SELECT nominal_ms, last_ms, count, at_ms, reason FROM drops WHERE schedule_id = ?1"
        " ORDER BY nominal_ms DESC LIMIT ?2 OFFSET ?3",
        DB_VALUES(DB_INT(schedule_id), DB_INT(limit > 0 ? limit : -1), DB_INT(offset)),
        &drop_record, &list, err);
    if (!rc)
        *ret = (struct store_drops){list.items, list.count};
    return rc;
}

int store_schedule_count(struct store *store, int64_t id, int64_t *ret_runs, int64_t *ret_drops,
                         ctcd_error **err) {
    int64_t runs = 0, drops = 0;
    int rc = db_number(store->db, "SELECT count(*) FROM runs WHERE schedule_id = ?1",
                       DB_VALUES(DB_INT(id)), &runs, err);
    if (!rc)
        rc = db_number(store->db, "SELECT ifnull(sum(count), 0) FROM drops WHERE schedule_id = ?1",
                       DB_VALUES(DB_INT(id)), &drops, err);
    if (rc)
        return rc;
    *ret_runs = runs;
    *ret_drops = drops;
    return 0;
}
