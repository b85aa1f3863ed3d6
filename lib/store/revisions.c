/* Revisions of a service: one server process, or one generation of a resource. Called by the engine. */
#include "store/record.h"
#include "store/services.h"

static const char *const states[] = {
    [STORE_REVISION_STARTING] = "starting", [STORE_REVISION_SERVING] = "serving",
    [STORE_REVISION_DRAINING] = "draining", [STORE_REVISION_STOPPED] = "stopped",
    [STORE_REVISION_FAILED] = "failed",
};
static const struct field fields[] = {
    FIELD(store_revision, service, FIELD_TEXT),    FIELD(store_revision, number, FIELD_INT),
    FIELD(store_revision, model_uri, FIELD_TEXT),  FIELD(store_revision, pinned_uri, FIELD_TEXT),
    FIELD(store_revision, options, FIELD_TEXT),    FIELD(store_revision, deployment, FIELD_TEXT),
    FIELD(store_revision, metrics, FIELD_TEXT),    FIELD(store_revision, run, FIELD_TEXT),
    FIELD(store_revision, generation, FIELD_INT),  FIELD_WORD(store_revision, state, states),
    FIELD(store_revision, memo, FIELD_TEXT),       FIELD(store_revision, url, FIELD_TEXT),
    FIELD(store_revision, created_ms, FIELD_TIME), FIELD(store_revision, ready_ms, FIELD_TIME),
    FIELD(store_revision, ended_ms, FIELD_TIME),
};
static const struct record record = RECORD(store_revision, fields);
#define COLUMNS                                                                                    \
    "service, number, model_uri, pinned_uri, options, deployment, metrics, run, generation, "      \
    "state,"                                                                                       \
    " memo, url, created_ms, ready_ms, ended_ms"

const char *store_revision_state_name(enum store_revision_state state) {
    return (size_t)state < sizeof states / sizeof *states ? states[state] : "unknown";
}

void store_revision_done(struct store_revision *revision) {
    record_done(&record, revision);
}

void store_revisions_done(struct store_revisions *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_revisions){0};
}

static int none(const char *service, int64_t number, ctcd_error **err) {
    return error_set(err, CTCD_E_NOT_FOUND, "see: ctcd served-models list",
                     "there is no revision %lld of a service \"%s\"", (long long)number, service);
}

int store_revision_add(struct store *store, const struct store_revision *revision,
                       int64_t *ret_number, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    struct store_revision row = *revision;
    row.state = STORE_REVISION_STARTING;
    rc = db_run(store->db, "UPDATE services SET last_revision = last_revision + 1 WHERE uuid = ?1",
                DB_VALUES(DB_TEXT(row.service)), err);
    if (!rc)
        rc = db_number(store->db, "SELECT last_revision FROM services WHERE uuid = ?1",
                       DB_VALUES(DB_TEXT(row.service)), &row.number, err);
    if (rc == CTCD_NONE)
        rc = error_set(err, CTCD_E_NOT_FOUND, "see: ctcd served-models list",
                       "there is no service \"%s\"", row.service ? row.service : "");
    if (!rc)
        rc = record_run(
            store,
            "INSERT INTO revisions (" COLUMNS ")"
            " VALUES (:service, :number, :model_uri, :pinned_uri, :options, :deployment,"
            " :metrics, :run, :generation, :state, :memo, :url, :created_ms, NULL, NULL)",
            &record, &row, err);
    rc = record_finish(store, rc, err);
    if (!rc)
        *ret_number = row.number;
    return rc;
}

int store_revision_get(struct store *store, const char *service, int64_t number,
                       struct store_revision *ret, ctcd_error **err) {
    int rc =
        record_get(store, "SELECT " COLUMNS " FROM revisions WHERE service = ?1 AND number = ?2",
                   DB_VALUES(DB_TEXT(service), DB_INT(number)), &record, ret, err);
    return rc == CTCD_NONE ? none(service, number, err) : rc;
}

int store_revision_newest(struct store *store, const char *service, struct store_revision *ret,
                          ctcd_error **err) {
    return record_get(
        store, "SELECT " COLUMNS " FROM revisions WHERE service = ?1 ORDER BY number DESC LIMIT 1",
        DB_VALUES(DB_TEXT(service)), &record, ret, err);
}

static int list_by(struct store *store, const char *sql, const char *service,
                   struct store_revisions *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store, sql, DB_VALUES(DB_TEXT(service)), &record, &list, err);
    if (!rc)
        *ret = (struct store_revisions){list.items, list.count};
    return rc;
}

int store_revision_list(struct store *store, const char *service, struct store_revisions *ret,
                        ctcd_error **err) {
    return list_by(store, "SELECT " COLUMNS " FROM revisions WHERE service = ?1 ORDER BY number",
                   service, ret, err);
}

int store_revision_list_unended(struct store *store, const char *service,
                                struct store_revisions *ret, ctcd_error **err) {
    return list_by(store,
                   "SELECT " COLUMNS " FROM revisions WHERE service = ?1"
                   " AND state NOT IN ('stopped', 'failed') ORDER BY number",
                   service, ret, err);
}

int store_revision_next_generation(struct store *store, const char *service, int64_t number,
                                   int64_t *ret, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    int64_t generation = 0;
    rc = db_run(
        store->db,
        "UPDATE revisions SET generation = generation + 1, state = 'starting', ready_ms = NULL,"
        " ended_ms = NULL WHERE service = ?1 AND number = ?2",
        DB_VALUES(DB_TEXT(service), DB_INT(number)), err);
    if (!rc)
        rc = db_number(store->db,
                       "SELECT generation FROM revisions WHERE service = ?1 AND number = ?2",
                       DB_VALUES(DB_TEXT(service), DB_INT(number)), &generation, err);
    if (rc == CTCD_NONE)
        rc = none(service, number, err);
    rc = record_finish(store, rc, err);
    if (!rc)
        *ret = generation;
    return rc;
}

int store_revision_set_state(struct store *store, const char *service, int64_t number,
                             enum store_revision_state state, int64_t now_ms, ctcd_error **err) {
    if ((size_t)state >= sizeof states / sizeof *states)
        return error_set(err, CTCD_E_INVALID, NULL, "%d is no state of a revision", (int)state);
    bool ends = state == STORE_REVISION_STOPPED || state == STORE_REVISION_FAILED;
    int rc = db_run(store->db,
                    "UPDATE revisions SET state = ?3, ready_ms = ifnull(?4, ready_ms),"
                    " ended_ms = CASE WHEN ?5 IS NULL OR state = ?3 THEN ended_ms ELSE ?5 END"
                    " WHERE service = ?1 AND number = ?2",
                    DB_VALUES(DB_TEXT(service), DB_INT(number), DB_TEXT(states[state]),
                              DB_TIME(state == STORE_REVISION_SERVING ? now_ms : CTCD_TIME_NONE),
                              DB_TIME(ends ? now_ms : CTCD_TIME_NONE)),
                    err);
    return rc || db_changes(store->db) ? rc : none(service, number, err);
}

int store_revision_set(struct store *store, const char *service, int64_t number,
                       const char *pinned_uri, const char *memo, const char *url,
                       ctcd_error **err) {
    int rc = db_run(store->db,
                    "UPDATE revisions SET pinned_uri = CASE ?3 WHEN 1 THEN ?4 ELSE pinned_uri END,"
                    " memo = CASE ?5 WHEN 1 THEN ?6 ELSE memo END,"
                    " url = CASE ?7 WHEN 1 THEN ?8 ELSE url END WHERE service = ?1 AND number = ?2",
                    DB_VALUES(DB_TEXT(service), DB_INT(number), DB_INT(pinned_uri != NULL),
                              DB_TEXT(pinned_uri), DB_INT(memo != NULL), DB_TEXT(memo),
                              DB_INT(url != NULL), DB_TEXT(url)),
                    err);
    return rc || db_changes(store->db) ? rc : none(service, number, err);
}
