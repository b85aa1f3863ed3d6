/* What the steps of a run leave: attempts, artifacts, decisions. Called by the engine. */
#include "store/note.h"
#include "store/record.h"
#include "store/runs.h"

static const char *const words[] = {
    [STORE_STEP_PENDING] = "pending",     [STORE_STEP_RUNNING] = "running",
    [STORE_STEP_COMPLETED] = "completed", [STORE_STEP_FAILED] = "failed",
    [STORE_STEP_SKIPPED] = "skipped",     [STORE_STEP_CACHED] = "cached",
    [STORE_STEP_CANCELED] = "canceled",   [STORE_STEP_INTERRUPTED] = "interrupted",
};
static const struct field step_fields[] = {
    FIELD(store_step, run, FIELD_TEXT),      FIELD(store_step, name, FIELD_TEXT),
    FIELD(store_step, attempt, FIELD_INT),   FIELD(store_step, position, FIELD_INT),
    FIELD_WORD(store_step, status, words),   FIELD(store_step, started_ms, FIELD_TIME),
    FIELD(store_step, ended_ms, FIELD_TIME), FIELD(store_step, error, FIELD_TEXT),
    FIELD(store_step, folder, FIELD_TEXT),   FIELD(store_step, generation, FIELD_INT),
    FIELD(store_step, log, FIELD_TEXT),      FIELD(store_step, cache_key, FIELD_TEXT),
    FIELD(store_step, retried, FIELD_BOOL),
};
static const struct record step_record = RECORD(store_step, step_fields);
#define STEP_COLUMNS(of)                                                                           \
    of "run, " of "name, " of "attempt, " of "position, " of "status, " of "started_ms, " of       \
       "ended_ms, " of "error, " of "folder, " of "generation, " of "log, " of "cache_key, " of    \
       "retried"

static const char *const kinds[] = {
    [STORE_ARTIFACT_VALUE] = "value",
    [STORE_ARTIFACT_URI] = "uri",
    [STORE_ARTIFACT_SERVICE] = "service",
};
static const struct field artifact_fields[] = {
    FIELD(store_artifact, run, FIELD_TEXT),   FIELD(store_artifact, step, FIELD_TEXT),
    FIELD(store_artifact, name, FIELD_TEXT),  FIELD_WORD(store_artifact, kind, kinds),
    FIELD(store_artifact, value, FIELD_TEXT), FIELD(store_artifact, sha256, FIELD_TEXT),
};
static const struct record artifact_record = RECORD(store_artifact, artifact_fields);

static const struct field decision_fields[] = {
    FIELD(store_decision, run, FIELD_TEXT),       FIELD(store_decision, step, FIELD_TEXT),
    FIELD(store_decision, verdict, FIELD_TEXT),   FIELD(store_decision, rule, FIELD_TEXT),
    FIELD(store_decision, candidate, FIELD_TEXT), FIELD(store_decision, baseline, FIELD_TEXT),
    FIELD(store_decision, reasons, FIELD_TEXT),   FIELD(store_decision, at_ms, FIELD_TIME),
};
static const struct record decision_record = RECORD(store_decision, decision_fields);
#define DECISION_COLUMNS "run, step, verdict, rule, candidate, baseline, reasons, at_ms"

const char *store_step_status_name(enum store_step_status status) {
    return (size_t)status < sizeof words / sizeof *words ? words[status] : "unknown";
}

void store_step_done(struct store_step *step) {
    record_done(&step_record, step);
}

void store_steps_done(struct store_steps *list) {
    record_list_done(&step_record, list->items, list->count);
    *list = (struct store_steps){0};
}

void store_artifact_done(struct store_artifact *artifact) {
    record_done(&artifact_record, artifact);
}

void store_artifacts_done(struct store_artifacts *list) {
    record_list_done(&artifact_record, list->items, list->count);
    *list = (struct store_artifacts){0};
}

void store_decision_done(struct store_decision *decision) {
    record_done(&decision_record, decision);
}

void store_decisions_done(struct store_decisions *list) {
    record_list_done(&decision_record, list->items, list->count);
    *list = (struct store_decisions){0};
}

/* ---- attempts --------------------------------------------------------------------------------- */

int store_step_add(struct store *store, const struct store_step *step, ctcd_error **err) {
    int rc = record_run(
        store,
        "INSERT INTO step_runs (" STEP_COLUMNS(
            "") ")"
                " VALUES (:run, :name, :attempt, :position, :status, :started_ms, :ended_ms,"
                " :error, :folder, :generation, :log, :cache_key, :retried)",
        &step_record, step, err);
    if (rc == CTCD_E_EXISTS)
        return error_set(err, rc, NULL, "attempt %lld of step \"%s\" was begun before",
                         (long long)step->attempt, step->name);
    if (rc == CTCD_E_NOT_FOUND)
        return error_set(err, rc, "see: ctcd run list", "there is no run \"%s\"",
                         step->run ? step->run : "");
    return rc;
}

int store_step_list(struct store *store, const char *run, struct store_steps *ret,
                    ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store,
                         "SELECT " STEP_COLUMNS("") " FROM step_runs WHERE run = ?1"
                                                    " ORDER BY position, attempt",
                         DB_VALUES(DB_TEXT(run)), &step_record, &list, err);
    if (!rc)
        *ret = (struct store_steps){list.items, list.count};
    return rc;
}

int store_step_find_cached(struct store *store, const char *pipeline, const char *step,
                           const char *cache_key, struct store_step *ret, ctcd_error **err) {
    return record_get(
        store,
        "SELECT " STEP_COLUMNS(
            "s.") " FROM step_runs s JOIN runs r ON r.uuid = s.run"
                  " WHERE s.cache_key = ?3 AND s.cache_key <> '' AND s.name = ?2"
                  " AND r.pipeline = ?1 AND s.status = 'completed' ORDER BY s.id DESC LIMIT 1",
        DB_VALUES(DB_TEXT(pipeline), DB_TEXT(step), DB_TEXT(cache_key)), &step_record, ret, err);
}

/* ---- their end -------------------------------------------------------------------------------- */

static int end_attempt(struct store *store, const struct store_step_end *end, ctcd_error **err) {
    int rc =
        db_run(store->db,
               "UPDATE step_runs SET status = ?4, error = ?5, ended_ms = ?6 WHERE run = ?1"
               " AND name = ?2 AND attempt = ?3 AND status IN ('pending', 'running')",
               DB_VALUES(DB_TEXT(end->run), DB_TEXT(end->step), DB_INT(end->attempt),
                         DB_TEXT(words[end->status]), DB_TEXT(end->error), DB_TIME(end->now_ms)),
               err);
    if (rc || db_changes(store->db))
        return rc;
    return error_set(err, CTCD_E_CONFLICT, NULL,
                     "attempt %lld of step \"%s\" has ended already, or was never begun",
                     (long long)end->attempt, end->step);
}

static int add_artifact(struct store *store, const struct store_step_end *end,
                        const struct store_artifact *artifact, ctcd_error **err) {
    struct store_artifact row = *artifact;
    _cleanup_(mem_free_ptr) char *run = mem_copy_text(end->run);
    _cleanup_(mem_free_ptr) char *step = mem_copy_text(end->step);
    if (!run || !step)
        return error_nomem(err);
    row.run = run;
    row.step = step;
    int rc = record_run(store,
                        "INSERT INTO artifacts (run, step, name, kind, value, sha256)"
                        " VALUES (:run, :step, :name, :kind, :value, :sha256)",
                        &artifact_record, &row, err);
    if (rc == CTCD_E_EXISTS)
        return error_set(err, rc, NULL, "step \"%s\" has an output \"%s\" already", end->step,
                         artifact->name);
    return rc;
}

static int add_decision(struct store *store, const struct store_step_end *end, ctcd_error **err) {
    struct store_decision row = *end->decision;
    _cleanup_(mem_free_ptr) char *run = mem_copy_text(end->run);
    _cleanup_(mem_free_ptr) char *step = mem_copy_text(end->step);
    if (!run || !step)
        return error_nomem(err);
    row.run = run;
    row.step = step;
    int rc = record_run(
        store,
        "INSERT INTO decisions (" DECISION_COLUMNS ")"
        " VALUES (:run, :step, :verdict, :rule, :candidate, :baseline, :reasons, :at_ms)",
        &decision_record, &row, err);
    if (rc == CTCD_E_EXISTS)
        return error_set(err, rc, NULL, "step \"%s\" has decided already", end->step);
    return rc;
}

/* A step that completes is news only where it decided. */
static int note_end(struct store *store, const struct store_step_end *end, ctcd_error **err) {
    if (end->decision)
        return note_decision(store, end->run, end->step, end->decision->verdict,
                             end->decision->reasons, end->now_ms, err);
    if (end->status != STORE_STEP_FAILED && end->status != STORE_STEP_INTERRUPTED)
        return 0;
    _cleanup_(mem_free_ptr) char *message =
        mem_text("step %s, attempt %lld: %s", end->step, (long long)end->attempt,
                 end->error ? end->error : "");
    if (!message)
        return error_nomem(err);
    return note_run(store, end->run, end->step,
                    end->status == STORE_STEP_FAILED ? "step_failed" : "step_interrupted", message,
                    end->now_ms, err);
}

int store_step_end(struct store *store, const struct store_step_end *end, ctcd_error **err) {
    if (end->status <= STORE_STEP_RUNNING || end->status > STORE_STEP_INTERRUPTED)
        return error_set(err, CTCD_E_INVALID, NULL, "a step does not end %s",
                         store_step_status_name(end->status));
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = end_attempt(store, end, err);
    for (size_t i = 0; !rc && i < end->artifact_count; i++)
        rc = add_artifact(store, end, &end->artifacts[i], err);
    if (!rc && end->decision)
        rc = add_decision(store, end, err);
    if (!rc)
        rc = note_end(store, end, err);
    return record_finish(store, rc, err);
}

int store_artifact_list(struct store *store, const char *run, const char *step,
                        struct store_artifacts *ret, ctcd_error **err) {
    struct record_list list;
    int rc =
        record_list(store,
                    "SELECT run, step, name, kind, value, sha256 FROM artifacts a WHERE run = ?1"
                    " AND (?2 = '' OR step = ?2) ORDER BY (SELECT min(b.id) FROM artifacts b"
                    " WHERE b.run = a.run AND b.step = a.step), name",
                    DB_VALUES(DB_TEXT(run), DB_TEXT(step)), &artifact_record, &list, err);
    if (!rc)
        *ret = (struct store_artifacts){list.items, list.count};
    return rc;
}

int store_decision_list(struct store *store, const char *run, struct store_decisions *ret,
                        ctcd_error **err) {
    struct record_list list;
    int rc =
        record_list(store, "SELECT " DECISION_COLUMNS " FROM decisions WHERE run = ?1 ORDER BY id",
                    DB_VALUES(DB_TEXT(run)), &decision_record, &list, err);
    if (!rc)
        *ret = (struct store_decisions){list.items, list.count};
    return rc;
}
