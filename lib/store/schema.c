/* The tables, as steps from version to version. Called when a home is made or opened. */
#include "store/schema.h"

#include <stdio.h>

/* In the file's header, so that another program's database is never taken for a store: "ctcd". */
#define APPLICATION_ID 0x63746364

/* Instants are milliseconds, NULL = none; texts are never NULL, '' = none; JSON is text. */
static const char *const version_1[] = {
    "CREATE TABLE settings (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;",

    "CREATE TABLE components (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " type TEXT NOT NULL, name TEXT NOT NULL CHECK (name <> ''), flavor TEXT NOT NULL,"
    " options TEXT NOT NULL, uuid TEXT NOT NULL UNIQUE, created_ms INTEGER, UNIQUE (type, name));"
    "CREATE TABLE stacks (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE CHECK (name <> ''), uuid TEXT NOT NULL UNIQUE, created_ms INTEGER);"
    "CREATE TABLE stack_components (stack_id INTEGER NOT NULL REFERENCES stacks ON DELETE CASCADE,"
    " type TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (stack_id, type),"
    " FOREIGN KEY (type, name) REFERENCES components (type, name)) WITHOUT ROWID;"
    "CREATE INDEX stack_components_used ON stack_components (type, name);",

    "CREATE TABLE pipelines (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL CHECK (name <> ''), digest TEXT NOT NULL, spec TEXT NOT NULL,"
    " functions TEXT NOT NULL, used_ms INTEGER, use INTEGER NOT NULL, UNIQUE (name, digest));"
    "CREATE INDEX pipelines_newest ON pipelines (name, use);",

    "CREATE TABLE schedules (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE CHECK (name <> ''),"
    " pipeline TEXT NOT NULL, digest TEXT NOT NULL, spec TEXT NOT NULL, params TEXT NOT NULL,"
    " created_ms INTEGER, last_processed_ms INTEGER, paused INTEGER NOT NULL,"
    " pause_note TEXT NOT NULL, ended INTEGER NOT NULL,"
    " FOREIGN KEY (pipeline, digest) REFERENCES pipelines (name, digest));"
    "CREATE TABLE drops (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " schedule_id INTEGER NOT NULL REFERENCES schedules ON DELETE CASCADE,"
    " nominal_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL,"
    " reason TEXT NOT NULL, at_ms INTEGER, UNIQUE (schedule_id, nominal_ms));",

    "CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE CHECK (name <> ''),"
    " pipeline TEXT NOT NULL, digest TEXT NOT NULL,"
    " schedule_id INTEGER REFERENCES schedules ON DELETE SET NULL, schedule TEXT NOT NULL,"
    " nominal_ms INTEGER, params TEXT NOT NULL, status TEXT NOT NULL, created_ms INTEGER,"
    " started_ms INTEGER, ended_ms INTEGER, error TEXT NOT NULL, owner TEXT NOT NULL,"
    " UNIQUE (schedule_id, nominal_ms), CHECK (schedule_id IS NULL OR nominal_ms IS NOT NULL),"
    " FOREIGN KEY (pipeline, digest) REFERENCES pipelines (name, digest));"
    "CREATE INDEX runs_status ON runs (status);"
    "CREATE INDEX runs_pipeline ON runs (pipeline, digest);"
    "CREATE TABLE step_runs (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " run TEXT NOT NULL REFERENCES runs (uuid) ON DELETE CASCADE, name TEXT NOT NULL,"
    " attempt INTEGER NOT NULL, position INTEGER NOT NULL, status TEXT NOT NULL,"
    " started_ms INTEGER, ended_ms INTEGER, error TEXT NOT NULL, folder TEXT NOT NULL,"
    " generation INTEGER NOT NULL, log TEXT NOT NULL, cache_key TEXT NOT NULL,"
    " UNIQUE (run, name, attempt));"
    "CREATE INDEX step_runs_cache ON step_runs (cache_key) WHERE cache_key <> '';"
    "CREATE TABLE artifacts (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " run TEXT NOT NULL REFERENCES runs (uuid) ON DELETE CASCADE, step TEXT NOT NULL,"
    " name TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, sha256 TEXT NOT NULL,"
    " UNIQUE (run, step, name));"
    "CREATE TABLE decisions (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " run TEXT NOT NULL REFERENCES runs (uuid) ON DELETE CASCADE, step TEXT NOT NULL,"
    " verdict TEXT NOT NULL, rule TEXT NOT NULL, candidate TEXT NOT NULL, baseline TEXT NOT NULL,"
    " reasons TEXT NOT NULL, at_ms INTEGER, UNIQUE (run, step));",

    "CREATE TABLE services (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " uuid TEXT NOT NULL UNIQUE, deployer TEXT NOT NULL, pipeline TEXT NOT NULL,"
    " step TEXT NOT NULL, model TEXT NOT NULL, run TEXT NOT NULL, desired TEXT NOT NULL,"
    " created_ms INTEGER, revision INTEGER NOT NULL, last_revision INTEGER NOT NULL,"
    " url TEXT NOT NULL, last_error TEXT NOT NULL, last_error_details TEXT NOT NULL,"
    " last_error_ms INTEGER, UNIQUE (deployer, pipeline, step, model));"
    "CREATE TABLE revisions (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " service TEXT NOT NULL REFERENCES services (uuid) ON DELETE CASCADE, number INTEGER NOT NULL,"
    " model_uri TEXT NOT NULL, pinned_uri TEXT NOT NULL, options TEXT NOT NULL,"
    " deployment TEXT NOT NULL, metrics TEXT NOT NULL, run TEXT NOT NULL,"
    " generation INTEGER NOT NULL, state TEXT NOT NULL, memo TEXT NOT NULL, url TEXT NOT NULL,"
    " created_ms INTEGER, ready_ms INTEGER, ended_ms INTEGER, UNIQUE (service, number));"
    "CREATE TABLE operations (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " uuid TEXT NOT NULL UNIQUE, service TEXT NOT NULL, kind TEXT NOT NULL, phase TEXT NOT NULL,"
    " from_revision INTEGER NOT NULL, to_revision INTEGER NOT NULL, deadline_ms INTEGER,"
    " owner TEXT NOT NULL, begun_ms INTEGER, ended_ms INTEGER, open INTEGER NOT NULL,"
    " result TEXT NOT NULL);"
    "CREATE UNIQUE INDEX operations_open ON operations (service) WHERE open = 1;"
    "CREATE INDEX operations_service ON operations (service);",

    "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at_ms INTEGER, subject_kind TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL,"
    " message TEXT NOT NULL, data TEXT NOT NULL);"
    "CREATE INDEX events_subject ON events (subject_kind, subject);",
    NULL,
};

/* A run that is asked to end (cancel_ms), and attempts that a retry of their run has put behind it. */
static const char *const version_2[] = {
    "ALTER TABLE runs ADD COLUMN cancel_ms INTEGER;",
    "ALTER TABLE step_runs ADD COLUMN retried INTEGER NOT NULL DEFAULT 0;",
    NULL,
};

/* Restarting what crashed: the policy, how often since the deploy, tries that did not last, when the next is due. */
static const char *const version_3[] = {
    "ALTER TABLE services ADD COLUMN restart TEXT NOT NULL DEFAULT 'never';"
    "ALTER TABLE services ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE services ADD COLUMN restart_tries INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE services ADD COLUMN restart_next_ms INTEGER;",
    NULL,
};

static const char *const *const steps[] = {version_1, version_2, version_3};

const struct schema schema_ctcd = {steps, sizeof steps / sizeof *steps};

static int set_pragma(struct db *db, const char *name, int64_t value, ctcd_error **err) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA %s = %lld", name, (long long)value);
    return db_exec(db, sql, err);
}

int schema_mark(struct db *db, ctcd_error **err) {
    return set_pragma(db, "application_id", APPLICATION_ID, err);
}

static int ask_version(struct db *db, const struct schema *schema, const char *path, int64_t *ret,
                       ctcd_error **err) {
    int64_t id = 0, version = 0;
    int rc = db_number(db, "PRAGMA application_id", DB_NO_VALUES, &id, err);
    if (!rc)
        rc = db_number(db, "PRAGMA user_version", DB_NO_VALUES, &version, err);
    if (rc)
        return rc;
    if (id != APPLICATION_ID || version < 0)
        return error_set(err, CTCD_E_CORRUPT, "choose another folder with CTCD_HOME",
                         "%s is a database of another program", path);
    if (version > schema->version)
        return error_set(err, CTCD_E_NEWER, "install the libctcd that wrote it, or a newer one",
                         "the store %s has schema version %lld; this libctcd knows up to %lld",
                         path, (long long)version, (long long)schema->version);
    *ret = version;
    return 0;
}

int schema_ask(struct db *db, const struct schema *schema, const char *path, ctcd_error **err) {
    int64_t version = 0;
    int rc = ask_version(db, schema, path, &version, err);
    return rc ? rc : version < schema->version ? CTCD_AGAIN : 0;
}

int schema_upgrade(struct db *db, const struct schema *schema, const char *path, ctcd_error **err) {
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    int64_t version = 0;
    rc = ask_version(db, schema, path, &version, err); /* again: somebody may have been faster */
    for (; !rc && version < schema->version; version++)
        for (const char *const *sql = schema->steps[version]; !rc && *sql; sql++)
            rc = db_exec(db, *sql, err);
    if (!rc)
        rc = set_pragma(db, "user_version", schema->version, err);
    if (!rc)
        return db_commit(db, err);
    db_rollback(db);
    return rc;
}
