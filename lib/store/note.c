/* The INSERTs of note.h. What an event says of its subject besides is read from the subject's own row, so
   that it can be told when that is long gone. json_patch() leaves out what is NULL. */
#include "store/note.h"

#include <string.h>

#include "base/time.h"
#include "store/record.h"
#include "store/schedules.h"

#define INSERT "INSERT INTO events (at_ms, subject_kind, subject, kind, message, data) "

int note_run(struct store *store, const char *run, const char *step, const char *kind,
             const char *message, int64_t at_ms, ctcd_error **err) {
    return db_run(
        store->db,
        INSERT "SELECT ?2, 'run', uuid, ?3, ?4, json_patch('{}', json_object("
               "'name', name, 'pipeline', pipeline, 'schedule', nullif(schedule, ''),"
               " 'nominal_ms', nominal_ms, 'step', nullif(?5, '')))"
               " FROM runs WHERE uuid = ?1",
        DB_VALUES(DB_TEXT(run), DB_TIME(at_ms), DB_TEXT(kind), DB_TEXT(message), DB_TEXT(step)),
        err);
}

int note_schedule_runs(struct store *store, int64_t schedule, const char *kind, const char *message,
                       int64_t at_ms, ctcd_error **err) {
    return db_run(store->db,
                  INSERT "SELECT ?2, 'run', uuid, ?3, ?4, json_patch('{}', json_object("
                         "'name', name, 'pipeline', pipeline, 'schedule', nullif(schedule, ''),"
                         " 'nominal_ms', nominal_ms)) FROM runs"
                         " WHERE schedule_id = ?1 AND status = 'pending' AND owner = ''",
                  DB_VALUES(DB_INT(schedule), DB_TIME(at_ms), DB_TEXT(kind), DB_TEXT(message)),
                  err);
}

int note_decision(struct store *store, const char *run, const char *step, const char *verdict,
                  const char *reasons, int64_t at_ms, ctcd_error **err) {
    return db_run(
        store->db,
        INSERT "SELECT ?2, 'run', uuid, 'decision', ?3 || ifnull((SELECT ': ' ||"
               " group_concat(json_extract(value, '$.text'), ', ') FROM json_each("
               "CASE WHEN json_valid(?4) THEN ?4 ELSE '[]' END)), ''),"
               " json_patch('{}', json_object('name', name, 'pipeline', pipeline,"
               " 'schedule', nullif(schedule, ''), 'nominal_ms', nominal_ms,"
               " 'step', ?5, 'verdict', ?3)) FROM runs WHERE uuid = ?1",
        DB_VALUES(DB_TEXT(run), DB_TIME(at_ms), DB_TEXT(verdict), DB_TEXT(reasons), DB_TEXT(step)),
        err);
}

int note_service(struct store *store, const char *service, int64_t revision, const char *kind,
                 const char *message, int64_t at_ms, ctcd_error **err) {
    return db_run(store->db,
                  INSERT "SELECT ?2, 'service', uuid, ?3, ?4, json_patch('{}', json_object("
                         "'name', model, 'deployer', deployer, 'pipeline', nullif(pipeline, ''),"
                         " 'step', nullif(step, ''), 'revision', nullif(?5, 0),"
                         " 'run', (SELECT nullif(r.run, '') FROM revisions r"
                         " WHERE r.service = uuid AND r.number = ?5)))"
                         " FROM services WHERE uuid = ?1",
                  DB_VALUES(DB_TEXT(service), DB_TIME(at_ms), DB_TEXT(kind), DB_TEXT(message),
                            DB_INT(revision)),
                  err);
}

int note_schedule(struct store *store, int64_t schedule, const char *kind, int64_t at_ms,
                  ctcd_error **err) {
    return db_run(store->db,
                  INSERT "SELECT ?2, 'schedule', uuid, ?3, '',"
                         " json_object('name', name, 'pipeline', pipeline)"
                         " FROM schedules WHERE id = ?1",
                  DB_VALUES(DB_INT(schedule), DB_TIME(at_ms), DB_TEXT(kind)), err);
}

/* ---- dropped fires ---------------------------------------------------------------------------- */

static char *drop_message(const struct store_drop *first, const struct store_drop *last,
                          int64_t count) {
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    time_to_text(first->nominal_ms, from);
    time_to_text(last->last_ms, to);
    if (count == 1)
        return mem_text("%s: %s", from, first->reason);
    return mem_text("%lld fires from %s to %s: %s", (long long)count, from, to, first->reason);
}

static int note_drop_row(struct store *store, int64_t schedule, const struct store_drop *first,
                         const struct store_drop *last, int64_t count, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *message = drop_message(first, last, count);
    if (!message)
        return error_nomem(err);
    return db_run(store->db,
                  INSERT "SELECT ?2, 'schedule', uuid, 'fire_dropped', ?3, json_object("
                         "'name', name, 'pipeline', pipeline, 'reason', ?4, 'nominal_ms', ?5,"
                         " 'last_ms', ?6, 'count', ?7) FROM schedules WHERE id = ?1",
                  DB_VALUES(DB_INT(schedule), DB_TIME(first->at_ms), DB_TEXT(message),
                            DB_TEXT(first->reason), DB_TIME(first->nominal_ms),
                            DB_TIME(last->last_ms), DB_INT(count)),
                  err);
}

/* Thousands that were missed together are one event: the records of each are in the schedule. */
int note_drops(struct store *store, int64_t schedule, const struct store_drop *drops, size_t count,
               ctcd_error **err) {
    int rc = 0;
    for (size_t i = 0, next; !rc && i < count; i = next) {
        int64_t fires = 0;
        for (next = i; next < count && strcmp(drops[next].reason, drops[i].reason) == 0; next++)
            fires += drops[next].count;
        rc = note_drop_row(store, schedule, &drops[i], &drops[next - 1], fires, err);
    }
    return rc;
}
