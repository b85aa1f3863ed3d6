/* Services as their users see them, and the switch from one revision to the next. Called by the engine. */
#include "store/services.h"

#include "store/note.h"
#include "store/record.h"

static const char *const desires[] = {
    [CTCD_STATE_INACTIVE] = "inactive",
    [CTCD_STATE_ACTIVE] = "active",
};
static const struct field fields[] = {
    FIELD(store_service, uuid, FIELD_TEXT),
    FIELD(store_service, deployer, FIELD_TEXT),
    FIELD(store_service, pipeline, FIELD_TEXT),
    FIELD(store_service, step, FIELD_TEXT),
    FIELD(store_service, model, FIELD_TEXT),
    FIELD(store_service, run, FIELD_TEXT),
    FIELD_WORD(store_service, desired, desires),
    FIELD(store_service, created_ms, FIELD_TIME),
    FIELD(store_service, revision, FIELD_INT),
    FIELD(store_service, url, FIELD_TEXT),
    FIELD(store_service, last_error, FIELD_TEXT),
    FIELD(store_service, last_error_details, FIELD_TEXT),
    FIELD(store_service, last_error_ms, FIELD_TIME),
    FIELD(store_service, restart, FIELD_TEXT),
    FIELD(store_service, restarts, FIELD_INT),
    FIELD(store_service, restart_tries, FIELD_INT),
    FIELD(store_service, restart_next_ms, FIELD_TIME),
};
static const struct record record = RECORD(store_service, fields);
#define SELECT_SERVICES                                                                            \
    "SELECT uuid, deployer, pipeline, step, model, run, desired, created_ms, revision, url,"       \
    " last_error, last_error_details, last_error_ms, restart, restarts, restart_tries,"            \
    " restart_next_ms FROM services "
#define IDENTITY "WHERE deployer = ?1 AND pipeline = ?2 AND step = ?3 AND model = ?4"

static const struct record_key key = {
    .noun = "service",
    .list_command = "ctcd served-models list",
    .by_prefix = "SELECT uuid FROM services WHERE uuid >= ?1 AND uuid < ?2 ORDER BY uuid LIMIT 5",
};

void store_service_done(struct store_service *service) {
    record_done(&record, service);
}

void store_services_done(struct store_services *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_services){0};
}

/* ---- adding, asking, removing ----------------------------------------------------------------- */

static int taken(struct store *store, const struct store_service *service, ctcd_error **err) {
    _cleanup_(store_service_done) struct store_service other = {0};
    int rc = store_service_find_identity(store, service->deployer, service->pipeline, service->step,
                                         service->model, &other, err);
    if (rc < 0)
        return rc;
    return error_set(err, CTCD_E_EXISTS, NULL, "the service %s is the one of model \"%s\" already",
                     rc ? service->uuid : other.uuid, service->model);
}

int store_service_add(struct store *store, const struct store_service *service, ctcd_error **err) {
    int rc =
        record_run(store,
                   "INSERT INTO services (uuid, deployer, pipeline, step, model, run, desired,"
                   " created_ms, revision, last_revision, url, last_error, last_error_details)"
                   " SELECT :uuid, :deployer, :pipeline, :step, :model, '', :desired, :created_ms,"
                   " 0, 0, '', '', '' WHERE EXISTS (SELECT 1 FROM components"
                   " WHERE type = 'model-deployer' AND name = :deployer)",
                   &record, service, err);
    if (rc == CTCD_E_EXISTS)
        return taken(store, service, err);
    if (rc || db_changes(store->db))
        return rc;
    return error_set(err, CTCD_E_NOT_FOUND, "see: ctcd model-deployer list",
                     "there is no model-deployer \"%s\"",
                     service->deployer ? service->deployer : "");
}

int store_service_get(struct store *store, const char *uuid, struct store_service *ret,
                      ctcd_error **err) {
    static const char by_uuid[] = SELECT_SERVICES "WHERE uuid = ?1";
    char whole[37];
    int rc = record_get(store, by_uuid, DB_VALUES(DB_TEXT(uuid)), &record, ret, err);
    if (rc != CTCD_NONE)
        return rc;
    rc = record_find_uuid(store, &key, uuid, whole, err);
    if (!rc)
        rc = record_get(store, by_uuid, DB_VALUES(DB_TEXT(whole)), &record, ret, err);
    return rc == CTCD_NONE ? record_not_found(&key, uuid, err) : rc;
}

int store_service_find_identity(struct store *store, const char *deployer, const char *pipeline,
                                const char *step, const char *model, struct store_service *ret,
                                ctcd_error **err) {
    return record_get(
        store, SELECT_SERVICES IDENTITY,
        DB_VALUES(DB_TEXT(deployer), DB_TEXT(pipeline), DB_TEXT(step), DB_TEXT(model)), &record,
        ret, err);
}

int store_service_list(struct store *store, const char *deployer, const char *pipeline,
                       const char *step, const char *model, struct store_services *ret,
                       ctcd_error **err) {
    struct store_service_query query = {
        .deployer = deployer, .pipeline = pipeline, .step = step, .model = model};
    return store_service_query(store, &query, ret, err);
}

int store_service_query(struct store *store, const struct store_service_query *query,
                        struct store_services *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(
        store,
        SELECT_SERVICES "WHERE (?1 = '' OR deployer = ?1) AND (?2 = '' OR pipeline = ?2)"
                        " AND (?3 = '' OR step = ?3) AND (?4 = '' OR model = ?4)"
                        " AND substr(uuid, 1, length(?5)) = lower(?5)"
                        " AND (?6 = '' OR id < (SELECT id FROM services WHERE uuid = ?6))"
                        " ORDER BY id DESC LIMIT ?7",
        DB_VALUES(DB_TEXT(query->deployer), DB_TEXT(query->pipeline), DB_TEXT(query->step),
                  DB_TEXT(query->model), DB_TEXT(query->uuid), DB_TEXT(query->after),
                  DB_INT(query->limit > 0 ? query->limit : -1)),
        &record, &list, err);
    if (!rc)
        *ret = (struct store_services){list.items, list.count};
    return rc;
}

int store_service_remove(struct store *store, const char *uuid, int64_t now_ms, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = note_service(store, uuid, 0, "service_deleted", "", now_ms, err);
    if (!rc)
        rc = db_run(store->db, "DELETE FROM services WHERE uuid = ?1", DB_VALUES(DB_TEXT(uuid)),
                    err);
    if (!rc && db_changes(store->db) == 0)
        rc = record_not_found(&key, uuid, err);
    return record_finish(store, rc, err);
}

/* ---- changing --------------------------------------------------------------------------------- */

int store_service_set_desired(struct store *store, const char *uuid, int desired,
                              ctcd_error **err) {
    if (desired != CTCD_STATE_ACTIVE && desired != CTCD_STATE_INACTIVE)
        return error_set(err, CTCD_E_INVALID, NULL, "nobody can desire the state %d", desired);
    int rc = db_run(store->db,
                    "UPDATE services SET desired = ?2, restart_next_ms ="
                    " CASE ?2 WHEN 'inactive' THEN NULL ELSE restart_next_ms END WHERE uuid = ?1",
                    DB_VALUES(DB_TEXT(uuid), DB_TEXT(desires[desired])), err);
    return rc || db_changes(store->db) ? rc : record_not_found(&key, uuid, err);
}

static int update_error(struct store *store, const char *uuid, const char *message,
                        const char *details, int64_t now_ms, ctcd_error **err) {
    bool cleared = !message || !*message;
    int rc =
        db_run(store->db,
               "UPDATE services SET last_error = ?2, last_error_details = ?3, last_error_ms = ?4"
               " WHERE uuid = ?1",
               DB_VALUES(DB_TEXT(uuid), DB_TEXT(message), DB_TEXT(cleared ? NULL : details),
                         DB_TIME(cleared ? CTCD_TIME_NONE : now_ms)),
               err);
    return rc || db_changes(store->db) ? rc : record_not_found(&key, uuid, err);
}

static const char *const failure_kinds[] = {
    [STORE_OPERATION_DEPLOY] = "deploy_failed",   [STORE_OPERATION_START] = "start_failed",
    [STORE_OPERATION_STOP] = "stop_failed",       [STORE_OPERATION_DELETE] = "delete_failed",
    [STORE_OPERATION_RESTART] = "restart_failed",
};

/* What is being done to it has failed; or, where nothing is, it is in another plight than before. */
static int note_error(struct store *store, const char *uuid, const char *message, int64_t now_ms,
                      ctcd_error **err) {
    _cleanup_(store_operation_done) struct store_operation open = {0};
    int64_t same = 0;
    int rc = store_operation_get_open(store, uuid, &open, err);
    if (!rc)
        return note_service(store, uuid, open.to_revision, failure_kinds[open.kind], message,
                            now_ms, err);
    if (rc == CTCD_NONE)
        rc = db_number(store->db,
                       "SELECT count(*) FROM services WHERE uuid = ?1 AND last_error = ?2",
                       DB_VALUES(DB_TEXT(uuid), DB_TEXT(message)), &same, err);
    return rc || same ? rc : note_service(store, uuid, 0, "service_error", message, now_ms, err);
}

int store_service_set_error(struct store *store, const char *uuid, const char *message,
                            const char *details, int64_t now_ms, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    if (message && *message)
        rc = note_error(store, uuid, message, now_ms, err);
    if (!rc)
        rc = update_error(store, uuid, message, details, now_ms, err);
    return record_finish(store, rc, err);
}

int store_service_set_url(struct store *store, const char *uuid, const char *url,
                          ctcd_error **err) {
    int rc = db_run(store->db, "UPDATE services SET url = ?2 WHERE uuid = ?1",
                    DB_VALUES(DB_TEXT(uuid), DB_TEXT(url)), err);
    return rc || db_changes(store->db) ? rc : record_not_found(&key, uuid, err);
}

/* ---- restarts --------------------------------------------------------------------------------- */

int store_service_list_kept(struct store *store, struct store_services *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store,
                         SELECT_SERVICES "WHERE restart <> 'never' AND desired = 'active'"
                                         " AND revision > 0 ORDER BY id DESC",
                         DB_NO_VALUES, &record, &list, err);
    if (!rc)
        *ret = (struct store_services){list.items, list.count};
    return rc;
}

int store_service_plan_restart(struct store *store, const char *uuid, int64_t tries,
                               int64_t next_ms, const char *why, int64_t now_ms, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = db_run(store->db,
                "UPDATE services SET restart_tries = ?2, restart_next_ms = ?3 WHERE uuid = ?1"
                " AND (?3 IS NULL OR desired = 'active')",
                DB_VALUES(DB_TEXT(uuid), DB_INT(tries), DB_TIME(next_ms)), err);
    if (!rc && db_changes(store->db) == 0)
        rc = record_not_found(&key, uuid, err);
    if (!rc && next_ms != CTCD_TIME_NONE)
        rc = note_service(store, uuid, 0, "restart_planned", why, now_ms, err);
    return record_finish(store, rc, err);
}

int store_service_count_restart(struct store *store, const char *uuid, int64_t next_ms,
                                ctcd_error **err) {
    int rc =
        db_run(store->db,
               "UPDATE services SET restarts = restarts + 1, restart_tries = restart_tries + 1,"
               " restart_next_ms = ?2 WHERE uuid = ?1",
               DB_VALUES(DB_TEXT(uuid), DB_TIME(next_ms)), err);
    return rc || db_changes(store->db) ? rc : record_not_found(&key, uuid, err);
}

/* ---- the switch ------------------------------------------------------------------------------- */

static int drain_incumbent(struct store *store, const char *service, int64_t number,
                           ctcd_error **err) {
    return db_run(store->db,
                  "UPDATE revisions SET state = 'draining' WHERE service = ?1 AND state = 'serving'"
                  " AND number <> ?2",
                  DB_VALUES(DB_TEXT(service), DB_INT(number)), err);
}

static int point_to(struct store *store, const char *service, const struct store_revision *revision,
                    const char *url, ctcd_error **err) {
    int rc =
        db_run(store->db,
               "UPDATE services SET revision = ?2, url = ?3, run = ?4, desired = 'active',"
               " last_error = '', last_error_details = '', last_error_ms = NULL WHERE uuid = ?1",
               DB_VALUES(DB_TEXT(service), DB_INT(revision->number),
                         DB_TEXT(url ? url : revision->url), DB_TEXT(revision->run)),
               err);
    return rc || db_changes(store->db) ? rc : record_not_found(&key, service, err);
}

/* Which kind of operation switches? */
static int switch_kind(struct store *store, const char *operation, enum store_operation_kind *ret,
                       ctcd_error **err) {
    int64_t starts = 0, restarts = 0;
    int rc =
        db_number(store->db, "SELECT count(*) FROM operations WHERE uuid = ?1 AND kind = 'start'",
                  DB_VALUES(DB_TEXT(operation)), &starts, err);
    if (!rc)
        rc = db_number(store->db,
                       "SELECT count(*) FROM operations WHERE uuid = ?1 AND kind = 'restart'",
                       DB_VALUES(DB_TEXT(operation)), &restarts, err);
    *ret = restarts ? STORE_OPERATION_RESTART
           : starts ? STORE_OPERATION_START
                    : STORE_OPERATION_DEPLOY;
    return rc;
}

static int note_switch(struct store *store, const struct store_revision *revision, const char *url,
                       enum store_operation_kind kind, int64_t now_ms, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *message =
        mem_text("revision %lld (%s) serves at %s", (long long)revision->number,
                 *revision->pinned_uri ? revision->pinned_uri : revision->model_uri,
                 url ? url : revision->url);
    if (!message)
        return error_nomem(err);
    return note_service(store, revision->service, revision->number,
                        kind == STORE_OPERATION_RESTART ? "service_restarted"
                        : kind == STORE_OPERATION_START ? "service_started"
                                                        : "deploy_switched",
                        message, now_ms, err);
}

/* It serves, so none is planned; whoever deployed or started it by hand begins anew. */
static int settle_restarts(struct store *store, const struct store_revision *revision,
                           enum store_operation_kind kind, ctcd_error **err) {
    return db_run(store->db,
                  "UPDATE services SET restart_next_ms = NULL,"
                  " restart = ifnull(CASE WHEN json_valid(?2)"
                  "  THEN json_extract(?2, '$.restart') END, 'never'),"
                  " restart_tries = CASE ?3 WHEN 'restart' THEN restart_tries ELSE 0 END,"
                  " restarts = CASE ?3 WHEN 'deploy' THEN 0 ELSE restarts END WHERE uuid = ?1",
                  DB_VALUES(DB_TEXT(revision->service), DB_TEXT(revision->deployment),
                            DB_TEXT(store_operation_kind_name(kind))),
                  err);
}

int store_service_switch(struct store *store, const char *service, int64_t number, const char *url,
                         const char *operation, const char *phase, int64_t now_ms,
                         ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    _cleanup_(store_revision_done) struct store_revision revision = {0};
    enum store_operation_kind kind = STORE_OPERATION_DEPLOY;
    rc = store_operation_set_phase(store, operation, phase, err);
    if (!rc)
        rc = store_revision_get(store, service, number, &revision, err);
    if (!rc)
        rc = drain_incumbent(store, service, number, err);
    if (!rc)
        rc = store_revision_set_state(store, service, number, STORE_REVISION_SERVING, now_ms, err);
    if (!rc)
        rc = point_to(store, service, &revision, url, err);
    if (!rc)
        rc = switch_kind(store, operation, &kind, err);
    if (!rc)
        rc = settle_restarts(store, &revision, kind, err);
    if (!rc)
        rc = note_switch(store, &revision, url, kind, now_ms, err);
    return record_finish(store, rc, err);
}
