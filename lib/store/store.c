/* Opening and closing a home's store, and groups of writes. Called by the engine. */
#include "store/store.h"

#include <stdatomic.h>

#include "base/fork.h"
#include "base/text.h"
#include "io/file.h"
#include "store/home.h"
#include "store/record.h"

/* SQLite keeps what it knows of locks by file and process, and a forked child inherits it: its connections
   would believe in locks that only the parent holds, and the parent's close would take the log away under
   them. So stores are counted, and a child of a process that had one open cannot open another. */
static _Atomic int stores_open;
static _Atomic uint32_t stores_fork; /* fork_generation() of the process that opened them */

static int count_store(struct store *store, ctcd_error **err) {
    uint32_t generation = fork_generation();
    if (atomic_load(&stores_open) > 0 && atomic_load(&stores_fork) != generation)
        return error_set(
            err, CTCD_E_FORKED,
            "open it after exec, or in a process that was forked before the first open",
            "this process was forked from one that has a home open");
    atomic_store(&stores_fork, generation);
    atomic_fetch_add(&stores_open, 1);
    store->fork = generation;
    store->counted = true;
    return 0;
}

/* Ours, of a version we know, brought up to date. */
static int open_checked(struct store *store, const char *path, uint32_t flags, ctcd_error **err) {
    int rc = db_open(path, &store->db, err);
    if (!rc)
        rc = schema_ask(store->db, &schema_ctcd, path, err);
    if (rc == CTCD_AGAIN && (flags & STORE_AS_IT_IS))
        return error_set(err, CTCD_E_NOT_SUPPORTED,
                         "any command that opens it brings it up to date",
                         "the store %s has the schema of an older libctcd", path);
    if (rc == CTCD_AGAIN)
        rc = schema_upgrade(store->db, &schema_ctcd, path, err);
    return rc ? rc : db_use_wal(store->db, err);
}

static int find_or_make(const char *folder, const char *path, uint32_t flags, int64_t now_ms,
                        ctcd_error **err) {
    int rc = home_look(folder, path, flags, err);
    if (rc != CTCD_NONE)
        return rc;
    if (flags & STORE_MUST_EXIST)
        return error_set(err, CTCD_E_NOT_FOUND,
                         "it is made by the first command that changes something",
                         "there is no store in %s", folder);
    return home_make_store(folder, path, now_ms, err);
}

int store_open(const char *home, uint32_t flags, int64_t now_ms, struct store **ret,
               ctcd_error **err) {
    _cleanup_(store_done) struct store *store = mem_alloc(sizeof *store);
    if (!store)
        return error_nomem(err);
    _cleanup_(mem_free_ptr) char *wanted = NULL;
    int rc = count_store(store, err);
    if (!rc)
        rc = store_home_path(home, &wanted, err);
    if (!rc)
        rc = home_folder(wanted, flags, &store->home, err);
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *path = path_join(store->home, HOME_STORE);
    if (!path)
        return error_nomem(err);
    rc = find_or_make(store->home, path, flags, now_ms, err);
    if (!rc)
        rc = open_checked(store, path, flags, err);
    if (!rc)
        *ret = mem_steal(&store);
    return rc;
}

void store_close(struct store *store) {
    /* A child's close would take the log away under its parent, and drop nothing that is the child's. */
    if (!store || (store->counted && store->fork != fork_generation()))
        return;
    db_close(store->db);
    if (store->counted)
        atomic_fetch_sub(&stores_open, 1);
    mem_free(store->home);
    mem_free(store);
}

void store_done(struct store **store) {
    store_close(*store);
}

const char *store_home(const struct store *store) {
    return store->home;
}

void store_set_wait(struct store *store, int64_t ms) {
    db_set_wait(store->db, ms);
}

int store_begin(struct store *store, ctcd_error **err) {
    return db_begin(store->db, err);
}

int store_begin_read(struct store *store, ctcd_error **err) {
    return db_begin_read(store->db, err);
}

int store_commit(struct store *store, ctcd_error **err) {
    return db_commit(store->db, err);
}

void store_rollback(struct store *store) {
    db_rollback(store->db);
}

int store_data_version(struct store *store, int64_t *ret, ctcd_error **err) {
    return db_number(store->db, "PRAGMA data_version", DB_NO_VALUES, ret, err);
}

/* The first thing that a check complains of; integrity_check says "ok" in a row, others say nothing. */
static int check(struct store *store, const char *sql, ctcd_error **err) {
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    int rc = db_query(store->db, sql, DB_NO_VALUES, &rows, err);
    if (!rc)
        rc = db_next(rows, err);
    if (rc)
        return rc == CTCD_NONE ? 0 : rc;
    const char *what = db_text(rows, 0);
    rc = db_row_check(rows, err);
    if (rc || text_same(what, "ok"))
        return rc;
    return error_set(err, CTCD_E_CORRUPT,
                     "restore its folder from a backup, or move it away to begin with an empty one",
                     "the store %s/%s is damaged: %s", store->home, HOME_STORE, what);
}

int store_check(struct store *store, ctcd_error **err) {
    int rc = check(store, "PRAGMA integrity_check(1)", err);
    if (!rc)
        rc = check(
            store,
            "SELECT 'a row of ' || \"table\" || ' refers to nothing' FROM pragma_foreign_key_check",
            err);
    return rc;
}
