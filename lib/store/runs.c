/* Runs, and the claim of a fire. Called by the engine. What their steps leave is in steps.c. */
#include "store/runs.h"

#include "base/time.h"
#include "store/note.h"
#include "store/record.h"

static const char *const words[] = {
    [STORE_RUN_PENDING] = "pending",     [STORE_RUN_RUNNING] = "running",
    [STORE_RUN_COMPLETED] = "completed", [STORE_RUN_FAILED] = "failed",
    [STORE_RUN_CANCELED] = "canceled",   [STORE_RUN_ABANDONED] = "abandoned",
};
static const struct field fields[] = {
    FIELD(store_run, uuid, FIELD_TEXT),       FIELD(store_run, name, FIELD_TEXT),
    FIELD(store_run, pipeline, FIELD_TEXT),   FIELD(store_run, digest, FIELD_TEXT),
    FIELD(store_run, schedule_id, FIELD_INT), FIELD(store_run, schedule, FIELD_TEXT),
    FIELD(store_run, nominal_ms, FIELD_TIME), FIELD(store_run, params, FIELD_TEXT),
    FIELD_WORD(store_run, status, words),     FIELD(store_run, created_ms, FIELD_TIME),
    FIELD(store_run, started_ms, FIELD_TIME), FIELD(store_run, ended_ms, FIELD_TIME),
    FIELD(store_run, error, FIELD_TEXT),      FIELD(store_run, owner, FIELD_TEXT),
    FIELD(store_run, cancel_ms, FIELD_TIME),
};
static const struct record record = RECORD(store_run, fields);
#define SELECT_RUNS                                                                                \
    "SELECT uuid, name, pipeline, digest, ifnull(schedule_id, 0), schedule, nominal_ms, params,"   \
    " status, created_ms, started_ms, ended_ms, error, owner, cancel_ms FROM runs "

static const struct record_key key = {
    .noun = "run",
    .list_command = "ctcd run list",
    .by_name = "SELECT uuid FROM runs WHERE name = ?1",
    .by_prefix = "SELECT uuid FROM runs WHERE uuid >= ?1 AND uuid < ?2 ORDER BY uuid LIMIT 5",
};

const char *store_run_status_name(enum store_run_status status) {
    return (size_t)status < sizeof words / sizeof *words ? words[status] : "unknown";
}

void store_run_done(struct store_run *run) {
    record_done(&record, run);
}

void store_runs_done(struct store_runs *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_runs){0};
}

/* ---- beginning -------------------------------------------------------------------------------- */

static int insert(struct store *store, const struct store_run *run, ctcd_error **err) {
    int rc =
        record_run(store,
                   "INSERT INTO runs (uuid, name, pipeline, digest, schedule_id, schedule,"
                   " nominal_ms, params, status, created_ms, started_ms, ended_ms, error, owner)"
                   " VALUES (:uuid, :name, :pipeline, :digest, nullif(:schedule_id, 0), :schedule,"
                   " :nominal_ms, :params, :status, :created_ms, :started_ms, NULL, '', :owner)",
                   &record, run, err);
    if (rc == CTCD_E_EXISTS)
        return error_set(err, rc, NULL,
                         "the run \"%s\", or one of the same instant, is there already", run->name);
    if (rc == CTCD_E_NOT_FOUND)
        return error_set(err, rc, NULL, "the pipeline \"%s\" of the run was not stored",
                         run->pipeline);
    return rc;
}

static int insert_noted(struct store *store, const struct store_run *run, const char *kind,
                        const char *message, int64_t at_ms, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = insert(store, run, err);
    if (!rc)
        rc = note_run(store, run->uuid, NULL, kind, message, at_ms, err);
    return record_finish(store, rc, err);
}

/* Who finds it pending is told for which instant; what is begun by hand begins at once. */
static int insert_pending(struct store *store, const struct store_run *run, ctcd_error **err) {
    char nominal[TIME_TEXT_SIZE];
    time_to_text(run->nominal_ms, nominal);
    _cleanup_(mem_free_ptr) char *message = mem_text("for %s", nominal);
    if (!message)
        return error_nomem(err);
    return insert_noted(store, run, "run_claimed", run->nominal_ms == CTCD_TIME_NONE ? "" : message,
                        run->created_ms, err);
}

int store_run_add(struct store *store, const struct store_run *run, ctcd_error **err) {
    struct store_run row = *run;
    if (run->status == STORE_RUN_PENDING) {
        row.owner = NULL;
        row.started_ms = CTCD_TIME_NONE;
        return insert_pending(store, &row, err);
    }
    if (run->status != STORE_RUN_RUNNING || !run->owner || !*run->owner)
        return error_set(err, CTCD_E_INVALID, NULL,
                         "a run begins pending, or running with an owner");
    return insert_noted(store, &row, "run_started", "", run->started_ms, err);
}

static int add_fires(struct store *store, const struct store_fire *fire, char *schedule,
                     ctcd_error **err) {
    int rc = 0;
    for (size_t i = 0; !rc && i < fire->run_count; i++) {
        struct store_run row = fire->runs[i];
        row.schedule_id = fire->schedule_id;
        row.schedule = schedule;
        row.status = STORE_RUN_PENDING;
        rc = store_run_add(store, &row, err);
    }
    for (size_t i = 0; !rc && i < fire->drop_count; i++) {
        const struct store_drop *drop = &fire->drops[i];
        rc = db_run(store->db,
                    "INSERT INTO drops (schedule_id, nominal_ms, last_ms, count, at_ms, reason)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    DB_VALUES(DB_INT(fire->schedule_id), DB_TIME(drop->nominal_ms),
                              DB_TIME(drop->last_ms), DB_INT(drop->count), DB_TIME(drop->at_ms),
                              DB_TEXT(drop->reason)),
                    err);
    }
    return rc ? rc : note_drops(store, fire->schedule_id, fire->drops, fire->drop_count, err);
}

int store_fire_claim(struct store *store, const struct store_fire *fire, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    _cleanup_(store_schedule_done) struct store_schedule schedule = {0};
    rc = db_run(
        store->db,
        "UPDATE schedules SET last_processed_ms = ?3 WHERE id = ?1 AND last_processed_ms IS ?2",
        DB_VALUES(DB_INT(fire->schedule_id), DB_TIME(fire->expected_last_ms),
                  DB_TIME(fire->new_last_ms)),
        err);
    if (!rc && db_changes(store->db) == 0)
        rc = CTCD_NONE;
    if (!rc)
        rc = store_schedule_get_id(store, fire->schedule_id, &schedule, err);
    if (!rc)
        rc = add_fires(store, fire, schedule.name, err);
    return record_finish(store, rc, err);
}

int store_run_claim_next_buffered(struct store *store, int64_t schedule_id, const char *functions,
                                  const char *owner, int64_t now_ms, struct store_run *ret,
                                  ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    _cleanup_(store_run_done) struct store_run run = {0};
    rc = record_get(store,
                    SELECT_RUNS "WHERE status = 'pending' AND owner = ''"
                                " AND (?1 = 0 OR schedule_id = ?1) AND NOT " STORE_RUN_MISSES(
                                    "?2") " ORDER BY ifnull(nominal_ms, created_ms), id LIMIT 1",
                    DB_VALUES(DB_INT(schedule_id), DB_TEXT(functions)), &record, &run, err);
    if (!rc)
        rc = db_run(
            store->db,
            "UPDATE runs SET status = 'running', owner = ?2, started_ms = ?3 WHERE uuid = ?1",
            DB_VALUES(DB_TEXT(run.uuid), DB_TEXT(owner), DB_TIME(now_ms)), err);
    if (!rc)
        rc = note_run(store, run.uuid, NULL, "run_started", "", now_ms, err);
    char *named = rc ? NULL : mem_copy_text(owner);
    if (!rc && !named)
        rc = error_nomem(err);
    rc = record_finish(store, rc, err);
    if (rc) {
        mem_free(named);
        return rc;
    }
    mem_free(run.owner);
    run.owner = named;
    run.status = STORE_RUN_RUNNING;
    run.started_ms = now_ms;
    *ret = run;
    run = (struct store_run){0};
    return 0;
}

int store_run_take_over(struct store *store, const char *uuid, const char *old_owner,
                        const char *new_owner, int64_t now_ms, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = db_run(store->db,
                "UPDATE runs SET owner = ?3 WHERE uuid = ?1 AND owner = ?2 AND status = 'running'",
                DB_VALUES(DB_TEXT(uuid), DB_TEXT(old_owner), DB_TEXT(new_owner)), err);
    if (!rc && db_changes(store->db) == 0)
        rc = CTCD_NONE;
    if (!rc)
        rc = note_run(store, uuid, NULL, "run_resumed", "whoever carried it out is gone", now_ms,
                      err);
    return record_finish(store, rc, err);
}

/* ---- ending ----------------------------------------------------------------------------------- */

/* Nothing was changed: because it is gone, ended, or somebody else's? */
static int refuse_end(struct store *store, const char *uuid, ctcd_error **err) {
    _cleanup_(store_run_done) struct store_run run = {0};
    int rc = record_get(store, SELECT_RUNS "WHERE uuid = ?1", DB_VALUES(DB_TEXT(uuid)), &record,
                        &run, err);
    if (rc == CTCD_NONE)
        return record_not_found(&key, uuid, err);
    if (rc)
        return rc;
    if (run.status > STORE_RUN_RUNNING)
        return error_set(err, CTCD_E_CONFLICT, NULL, "the run %s has ended already: %s", run.name,
                         store_run_status_name(run.status));
    return error_set(err, CTCD_E_CONFLICT, NULL,
                     "the run %s is carried out by another process (%s)", run.name,
                     *run.owner ? run.owner : "none yet");
}

static const char *const end_kinds[] = {
    [STORE_RUN_COMPLETED] = "run_completed",
    [STORE_RUN_FAILED] = "run_failed",
    [STORE_RUN_CANCELED] = "run_canceled",
    [STORE_RUN_ABANDONED] = "run_abandoned",
};

int store_run_end(struct store *store, const char *uuid, const char *owner,
                  enum store_run_status status, const char *error, int64_t now_ms,
                  ctcd_error **err) {
    if (status <= STORE_RUN_RUNNING || status > STORE_RUN_ABANDONED)
        return error_set(err, CTCD_E_INVALID, NULL, "a run does not end %s",
                         store_run_status_name(status));
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = db_run(store->db,
                "UPDATE runs SET status = ?3, error = ?4, ended_ms = ?5"
                " WHERE uuid = ?1 AND owner = ?2 AND status IN ('pending', 'running')",
                DB_VALUES(DB_TEXT(uuid), DB_TEXT(owner), DB_TEXT(words[status]), DB_TEXT(error),
                          DB_TIME(now_ms)),
                err);
    if (!rc && db_changes(store->db) == 0)
        rc = refuse_end(store, uuid, err);
    if (!rc)
        rc = note_run(store, uuid, NULL, end_kinds[status], error, now_ms, err);
    return record_finish(store, rc, err);
}

/* ---- what is asked of it from outside ---------------------------------------------------------- */

int store_run_ask_cancel(struct store *store, const char *uuid, int64_t now_ms, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = db_run(store->db,
                "UPDATE runs SET cancel_ms = ?2"
                " WHERE uuid = ?1 AND status = 'running' AND cancel_ms IS NULL",
                DB_VALUES(DB_TEXT(uuid), DB_TIME(now_ms)), err);
    int64_t changed = rc ? 0 : db_changes(store->db);
    _cleanup_(store_run_done) struct store_run run = {0};
    if (!rc)
        rc = record_get(store, SELECT_RUNS "WHERE uuid = ?1", DB_VALUES(DB_TEXT(uuid)), &record,
                        &run, err);
    if (rc == CTCD_NONE)
        rc = record_not_found(&key, uuid, err);
    else if (!rc && run.status == STORE_RUN_PENDING)
        rc = CTCD_NONE;
    else if (!rc && run.status != STORE_RUN_RUNNING)
        rc = refuse_end(store, uuid, err);
    if (!rc && changed)
        rc = note_run(store, uuid, NULL, "run_cancel_asked", "", now_ms, err);
    return record_finish(store, rc, err);
}

int store_run_cancel_asked(struct store *store, const char *uuid, bool *ret, ctcd_error **err) {
    int64_t count = 0;
    int rc =
        db_number(store->db, "SELECT count(*) FROM runs WHERE uuid = ?1 AND cancel_ms IS NOT NULL",
                  DB_VALUES(DB_TEXT(uuid)), &count, err);
    if (!rc)
        *ret = count > 0;
    return rc;
}

/* What a retry does anew leaves its place: rows that were never an attempt, and what there was of outputs. */
static int put_behind(struct store *store, const char *uuid, ctcd_error **err) {
#define UNDONE "status IN ('failed', 'canceled', 'skipped', 'interrupted')"
    static const char *const sql[] = {
        "DELETE FROM artifacts WHERE run = ?1 AND step IN"
        " (SELECT name FROM step_runs WHERE run = ?1 AND retried = 0 AND " UNDONE ")"
        " AND step NOT IN (SELECT name FROM step_runs WHERE run = ?1 AND retried = 0"
        " AND status IN ('completed', 'cached'))",
        "DELETE FROM decisions WHERE run = ?1 AND step NOT IN"
        " (SELECT name FROM step_runs WHERE run = ?1 AND retried = 0"
        " AND status IN ('completed', 'cached'))",
        "DELETE FROM step_runs WHERE run = ?1 AND attempt = 0 AND " UNDONE,
        "UPDATE step_runs SET retried = 1 WHERE run = ?1 AND (" UNDONE " OR name = 'on_failure')"
        " AND status NOT IN ('running', 'pending')",
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof sql / sizeof *sql; i++)
        rc = db_run(store->db, sql[i], DB_VALUES(DB_TEXT(uuid)), err);
    return rc;
}

int store_run_retry(struct store *store, const char *uuid, const char *owner, int64_t now_ms,
                    ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = db_run(store->db,
                "UPDATE runs SET status = 'running', owner = ?2, error = '', ended_ms = NULL,"
                " cancel_ms = NULL, started_ms = ifnull(started_ms, ?3)"
                " WHERE uuid = ?1 AND status IN ('failed', 'canceled', 'abandoned')",
                DB_VALUES(DB_TEXT(uuid), DB_TEXT(owner), DB_TIME(now_ms)), err);
    if (!rc && db_changes(store->db) == 0)
        rc = CTCD_NONE;
    if (!rc)
        rc = put_behind(store, uuid, err);
    if (!rc)
        rc = note_run(store, uuid, NULL, "run_retried", "", now_ms, err);
    return record_finish(store, rc, err);
}

/* ---- asking ----------------------------------------------------------------------------------- */

int store_run_get(struct store *store, const char *name, struct store_run *ret, ctcd_error **err) {
    char uuid[37];
    int rc = record_find_uuid(store, &key, name, uuid, err);
    if (!rc)
        rc = record_get(store, SELECT_RUNS "WHERE uuid = ?1", DB_VALUES(DB_TEXT(uuid)), &record,
                        ret, err);
    return rc == CTCD_NONE ? record_not_found(&key, name, err) : rc;
}

#define MATCHING                                                                                   \
    "WHERE (?1 = '' OR pipeline = ?1) AND (?2 = '' OR schedule = ?2) AND (?3 = '' OR owner = ?3)"  \
    " AND (?5 = 0 OR schedule_id = ?5)"                                                            \
    " AND (?6 = '' OR NOT " STORE_RUN_MISSES(                                                      \
        "?6") ")"                                                                                  \
              " AND (?4 = 0 OR 1 & (?4 >> CASE status WHEN 'pending' THEN 0 WHEN 'running' THEN 1" \
              " WHEN 'completed' THEN 2 WHEN 'failed' THEN 3 WHEN 'canceled' THEN 4 ELSE 5 END)) "
#define QUERY_VALUES(query)                                                                        \
    DB_TEXT((query)->pipeline), DB_TEXT((query)->schedule), DB_TEXT((query)->owner),               \
        DB_INT((query)->statuses), DB_INT((query)->schedule_id), DB_TEXT((query)->functions)

int store_run_list(struct store *store, const struct store_run_query *query, struct store_runs *ret,
                   ctcd_error **err) {
    const struct db_value values[] = {QUERY_VALUES(query),
                                      DB_INT(query->limit > 0 ? query->limit : -1),
                                      DB_INT(query->offset),
                                      {0}};
    struct record_list list;
    int rc = query->oldest_first
                 ? record_list(store, SELECT_RUNS MATCHING "ORDER BY id LIMIT ?7 OFFSET ?8", values,
                               &record, &list, err)
                 : record_list(store, SELECT_RUNS MATCHING "ORDER BY id DESC LIMIT ?7 OFFSET ?8",
                               values, &record, &list, err);
    if (!rc)
        *ret = (struct store_runs){list.items, list.count};
    return rc;
}

int store_run_count(struct store *store, const struct store_run_query *query, int64_t *ret,
                    ctcd_error **err) {
    return db_number(store->db, "SELECT count(*) FROM runs " MATCHING,
                     DB_VALUES(QUERY_VALUES(query)), ret, err);
}
