/* What happened, in order. Called by the engine. */
#include "store/events.h"

#include "store/record.h"

static const struct field fields[] = {
    FIELD(store_event, id, FIELD_INT),
    FIELD(store_event, at_ms, FIELD_TIME),
    FIELD(store_event, subject_kind, FIELD_TEXT),
    FIELD(store_event, subject, FIELD_TEXT),
    FIELD(store_event, kind, FIELD_TEXT),
    FIELD(store_event, message, FIELD_TEXT),
    FIELD(store_event, data, FIELD_TEXT),
};
static const struct record record = RECORD(store_event, fields);

void store_event_done(struct store_event *event) {
    record_done(&record, event);
}

void store_events_done(struct store_events *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_events){0};
}

int store_event_add(struct store *store, const struct store_event *event, ctcd_error **err) {
    return record_run(store,
                      "INSERT INTO events (at_ms, subject_kind, subject, kind, message, data)"
                      " VALUES (:at_ms, :subject_kind, :subject, :kind, :message, :data)",
                      &record, event, err);
}

#define COLUMNS "id, at_ms, subject_kind, subject, kind, message, data"
/* A service's events name the run that asked for the revision. */
#define MATCHING                                                                                   \
    " WHERE id > ?1 AND (?2 = '' OR (subject_kind = 'service' AND subject = ?2))"                  \
    " AND (?3 = '' OR (subject_kind = 'run' AND subject = ?3) OR (subject_kind = 'service'"        \
    " AND json_extract(data, '$.run') = (SELECT name FROM runs WHERE uuid = ?3))) "

int store_event_query(struct store *store, const struct store_event_query *query,
                      struct store_events *ret, ctcd_error **err) {
    const struct db_value values[] = {DB_INT(query->after_id),
                                      DB_TEXT(query->service),
                                      DB_TEXT(query->run),
                                      DB_INT(query->limit > 0 ? query->limit : -1),
                                      {0}};
    struct record_list list;
    int rc =
        query->newest
            ? record_list(store,
                          "SELECT * FROM (SELECT " COLUMNS " FROM events" MATCHING
                          "ORDER BY id DESC LIMIT ?4) ORDER BY id",
                          values, &record, &list, err)
            : record_list(store, "SELECT " COLUMNS " FROM events" MATCHING "ORDER BY id LIMIT ?4",
                          values, &record, &list, err);
    if (!rc)
        *ret = (struct store_events){list.items, list.count};
    return rc;
}

int store_event_service(struct store *store, const char *name, char ret_uuid[37],
                        ctcd_error **err) {
    static const struct record_key key = {
        .noun = "service",
        .list_command = "ctcd served-models list",
        .by_prefix = "SELECT DISTINCT subject FROM events WHERE subject_kind = 'service'"
                     " AND subject >= ?1 AND subject < ?2 ORDER BY subject LIMIT 5",
    };
    return record_find_uuid(store, &key, name, ret_uuid, err);
}

int store_event_list(struct store *store, int64_t after_id, const char *subject_kind,
                     const char *subject, int64_t limit, struct store_events *ret,
                     ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store,
                         "SELECT id, at_ms, subject_kind, subject, kind, message, data FROM events"
                         " WHERE id > ?1 AND (?2 = '' OR subject_kind = ?2)"
                         " AND (?3 = '' OR subject = ?3) ORDER BY id LIMIT ?4",
                         DB_VALUES(DB_INT(after_id), DB_TEXT(subject_kind), DB_TEXT(subject),
                                   DB_INT(limit > 0 ? limit : -1)),
                         &record, &list, err);
    if (!rc)
        *ret = (struct store_events){list.items, list.count};
    return rc;
}
