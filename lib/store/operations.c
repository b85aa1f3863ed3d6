/* The journal: what is being done to services, written before it is done. Called by the engine. */
#include "store/note.h"
#include "store/record.h"
#include "store/services.h"

static const char *const kinds[] = {
    [STORE_OPERATION_DEPLOY] = "deploy",   [STORE_OPERATION_START] = "start",
    [STORE_OPERATION_STOP] = "stop",       [STORE_OPERATION_DELETE] = "delete",
    [STORE_OPERATION_RESTART] = "restart",
};
static const struct field fields[] = {
    FIELD(store_operation, uuid, FIELD_TEXT),
    FIELD(store_operation, service, FIELD_TEXT),
    FIELD_WORD(store_operation, kind, kinds),
    FIELD(store_operation, phase, FIELD_TEXT),
    FIELD(store_operation, from_revision, FIELD_INT),
    FIELD(store_operation, to_revision, FIELD_INT),
    FIELD(store_operation, deadline_ms, FIELD_TIME),
    FIELD(store_operation, owner, FIELD_TEXT),
    FIELD(store_operation, begun_ms, FIELD_TIME),
    FIELD(store_operation, ended_ms, FIELD_TIME),
    FIELD(store_operation, result, FIELD_TEXT),
};
static const struct record record = RECORD(store_operation, fields);
#define COLUMNS                                                                                    \
    "uuid, service, kind, phase, from_revision, to_revision, deadline_ms, owner, begun_ms,"        \
    " ended_ms, result"

const char *store_operation_kind_name(enum store_operation_kind kind) {
    return (size_t)kind < sizeof kinds / sizeof *kinds ? kinds[kind] : "unknown";
}

void store_operation_done(struct store_operation *operation) {
    record_done(&record, operation);
}

void store_operations_done(struct store_operations *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_operations){0};
}

static int refuse_second(struct store *store, const struct store_operation *operation,
                         ctcd_error **err) {
    _cleanup_(store_operation_done) struct store_operation open = {0};
    int rc = store_operation_get_open(store, operation->service, &open, err);
    if (rc < 0)
        return rc;
    if (rc)
        return error_set(err, CTCD_E_EXISTS, NULL, "the operation %s is there already",
                         operation->uuid);
    return error_set(err, CTCD_E_CONFLICT, "wait for its end, or resume it: ctcd doctor --fix",
                     "the service %s has an unfinished %s (%s, by %s)", operation->service,
                     store_operation_kind_name(open.kind), open.phase, open.owner);
}

static int insert(struct store *store, const struct store_operation *operation, ctcd_error **err) {
    int rc =
        record_run(store,
                   "INSERT INTO operations (uuid, service, kind, phase, from_revision, to_revision,"
                   " deadline_ms, owner, begun_ms, open, result)"
                   " VALUES (:uuid, :service, :kind, :phase, :from_revision, :to_revision,"
                   " :deadline_ms, :owner, :begun_ms, 1, '')",
                   &record, operation, err);
    return rc == CTCD_E_EXISTS ? refuse_second(store, operation, err) : rc;
}

/* Starting and stopping take seconds, and their ends are told; a deploy may take minutes. */
static int note_begin(struct store *store, const struct store_operation *operation,
                      ctcd_error **err) {
    if (operation->kind != STORE_OPERATION_DEPLOY)
        return 0;
    _cleanup_(mem_free_ptr) char *message =
        mem_text("revision %lld", (long long)operation->to_revision);
    return message ? note_service(store, operation->service, operation->to_revision, "deploy_begun",
                                  message, operation->begun_ms, err)
                   : error_nomem(err);
}

int store_operation_begin(struct store *store, const struct store_operation *operation,
                          ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = insert(store, operation, err);
    if (!rc)
        rc = note_begin(store, operation, err);
    return record_finish(store, rc, err);
}

static int ended(const char *uuid, ctcd_error **err) {
    return error_set(err, CTCD_E_CONFLICT, NULL,
                     "the operation %s has ended: another process resumed or undid it", uuid);
}

int store_operation_set_phase(struct store *store, const char *uuid, const char *phase,
                              ctcd_error **err) {
    int rc = db_run(store->db, "UPDATE operations SET phase = ?2 WHERE uuid = ?1 AND open",
                    DB_VALUES(DB_TEXT(uuid), DB_TEXT(phase)), err);
    return rc || db_changes(store->db) ? rc : ended(uuid, err);
}

int store_operation_set_owner(struct store *store, const char *uuid, const char *owner,
                              int64_t deadline_ms, ctcd_error **err) {
    int rc = db_run(store->db,
                    "UPDATE operations SET owner = ?2, deadline_ms = ?3 WHERE uuid = ?1 AND open",
                    DB_VALUES(DB_TEXT(uuid), DB_TEXT(owner), DB_TIME(deadline_ms)), err);
    return rc || db_changes(store->db) ? rc : ended(uuid, err);
}

int store_operation_set_revision(struct store *store, const char *uuid, int64_t to_revision,
                                 ctcd_error **err) {
    int rc = db_run(store->db, "UPDATE operations SET to_revision = ?2 WHERE uuid = ?1 AND open",
                    DB_VALUES(DB_TEXT(uuid), DB_INT(to_revision)), err);
    return rc || db_changes(store->db) ? rc : ended(uuid, err);
}

/* How a deploy, a start and a delete end well is told where it happens: in the switch, in the removal; what
   fails is told with the service's error. */
static int note_end(struct store *store, const char *uuid, int64_t now_ms, ctcd_error **err) {
    _cleanup_(store_operation_done) struct store_operation operation = {0};
    int rc = record_get(store, "SELECT " COLUMNS " FROM operations WHERE uuid = ?1",
                        DB_VALUES(DB_TEXT(uuid)), &record, &operation, err);
    if (rc || operation.kind != STORE_OPERATION_STOP)
        return rc;
    return note_service(store, operation.service, operation.from_revision, "service_stopped", "",
                        now_ms, err);
}

int store_operation_end(struct store *store, const char *uuid, const char *result, int64_t now_ms,
                        ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = db_run(
        store->db,
        "UPDATE operations SET open = 0, result = ?2, ended_ms = ?3 WHERE uuid = ?1 AND open",
        DB_VALUES(DB_TEXT(uuid), DB_TEXT(result), DB_TIME(now_ms)), err);
    if (!rc && db_changes(store->db) == 0)
        rc = ended(uuid, err);
    if (!rc && (!result || !*result))
        rc = note_end(store, uuid, now_ms, err);
    return record_finish(store, rc, err);
}

int store_operation_resolve(struct store *store, const struct store_operation *operation,
                            const char *result, int64_t now_ms, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *message =
        mem_text("%s %s", store_operation_kind_name(operation->kind), result);
    if (!message)
        return error_nomem(err);
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = store_operation_end(store, operation->uuid, result, now_ms, err);
    if (!rc)
        rc = note_service(store, operation->service, operation->to_revision, "interrupted", message,
                          now_ms, err);
    return record_finish(store, rc, err);
}

int store_operation_get_open(struct store *store, const char *service, struct store_operation *ret,
                             ctcd_error **err) {
    return record_get(store, "SELECT " COLUMNS " FROM operations WHERE service = ?1 AND open = 1",
                      DB_VALUES(DB_TEXT(service)), &record, ret, err);
}

int store_operation_list(struct store *store, const char *service, bool open_only,
                         struct store_operations *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store,
                         "SELECT " COLUMNS " FROM operations WHERE (?1 = '' OR service = ?1)"
                         " AND (?2 = 0 OR open = 1) ORDER BY id",
                         DB_VALUES(DB_TEXT(service), DB_INT(open_only)), &record, &list, err);
    if (!rc)
        *ret = (struct store_operations){list.items, list.count};
    return rc;
}
