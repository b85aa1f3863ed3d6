/* The one door to SQLite: what it returns becomes our errors, its statements are kept, its transactions
   nest. Called by the other files of this folder only. */
#include "store/db.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/fork.h"
#include "base/list.h"
#include "store/store.h"

struct db_rows {
    struct list link;
    struct db *db;
    sqlite3_stmt *stmt;
    const char *sql; /* NULL: not kept, ended by db_end */
    bool busy;
    int failed; /* code of the first column that could not be read */
    int failed_column;
};

struct db {
    sqlite3 *sqlite;
    char *path;
    struct list kept; /* struct db_rows */
    uint32_t fork;    /* fork_generation() of the process that opened it */
    int depth;        /* transactions that are open */
    int lost;         /* code of the error that made SQLite roll all of them back */
};

/* ---- errors ----------------------------------------------------------------------------------- */

static int constraint_code(int extended) {
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return CTCD_E_EXISTS;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return CTCD_E_NOT_FOUND;
    default:
        return CTCD_E_INVALID;
    }
}

/* SQLITE_CANTOPEN and SQLITE_IOERR: the system knows better. */
static int system_code(int extended, int os_errno) {
    if (extended == SQLITE_IOERR_NOMEM)
        return CTCD_E_NOMEM;
    if ((extended & 0xff) == SQLITE_CANTOPEN && os_errno == ENOENT)
        return CTCD_E_NOT_FOUND;
    switch (os_errno) {
    case ENOMEM:
        return CTCD_E_NOMEM;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return CTCD_E_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return CTCD_E_NOT_ALLOWED;
    default:
        return CTCD_E_IO;
    }
}

static int code_of(int extended, int os_errno) {
    switch (extended & 0xff) {
    case SQLITE_NOMEM:
        return CTCD_E_NOMEM;
    case SQLITE_FULL:
        return CTCD_E_NO_SPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* it gave up waiting for a lock of the log */
        return CTCD_E_CONFLICT;
    case SQLITE_READONLY:
        return extended == SQLITE_READONLY_DBMOVED ? CTCD_E_IO : CTCD_E_NOT_ALLOWED;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return CTCD_E_NOT_ALLOWED;
    case SQLITE_TOOBIG:
        return CTCD_E_TOO_LARGE;
    case SQLITE_CONSTRAINT:
        return constraint_code(extended);
    case SQLITE_INTERRUPT:
        return CTCD_E_INTERRUPTED;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return system_code(extended, os_errno);
    default: /* CORRUPT, NOTADB; ERROR, SCHEMA: the tables are not those that its version says */
        return CTCD_E_CORRUPT;
    }
}

static bool forked(const struct db *db) {
    return db->fork != fork_generation();
}

/* 0, or why nothing may be asked of it. After a lost transaction a statement would commit by itself; in a
   forked child, into which a callback may come back, it would write without the parent's locks. */
static int usable(const struct db *db, ctcd_error **err) {
    if (forked(db))
        return error_set(err, CTCD_E_FORKED, NULL, "the store %s belongs to the parent process",
                         db->path);
    if (db->lost)
        return error_set(err, db->lost, NULL, "the store %s gave up the transaction after an error",
                         db->path);
    return 0;
}

static int report(struct db *db, int code, int os_errno, const char *what, ctcd_error **err) {
    switch (code) {
    case CTCD_E_NOMEM:
        return error_nomem(err);
    case CTCD_E_NO_SPACE:
        return error_set(err, code, "free some space there; what was to be written was not",
                         "no space is left to write the store %s", db->path);
    case CTCD_E_CONFLICT:
        code = error_set(err, code, "try again; `fuser` on that file names who has it open",
                         "another process is writing to the store %s all the time", db->path);
        if (err && *err)
            error_set_retryable(*err);
        return code;
    case CTCD_E_NOT_ALLOWED:
        return error_set(err, code,
                         "the folder, its ctcd.db* files and its disk must be writable by you",
                         "the store %s cannot be written: %s", db->path, what);
    case CTCD_E_CORRUPT:
        return error_set(
            err, code,
            "restore its folder from a backup, or move it away to begin with an empty one",
            "the store %s is damaged: %s", db->path, what);
    default:
        return error_set(err, code, NULL, "the store %s: %s%s%s", db->path, what,
                         os_errno ? ": " : "", os_errno ? strerror(os_errno) : "");
    }
}

/* Of the last failed call on one of the files. SQLite's own answer for the whole connection is what errno
   happened to be when it was done with cleaning up. */
static int file_errno(sqlite3_file *file) {
    int os_errno = 0;
    if (file && file->pMethods)
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &os_errno);
    return os_errno;
}

static int last_errno(struct db *db, int extended) {
    sqlite3_file *file = NULL, *log = NULL;
    sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    struct statvfs disk;
    int os_errno = file_errno(log);
    if (!os_errno)
        os_errno = file_errno(file);
    if (!os_errno)
        os_errno = sqlite3_system_errno(db->sqlite);
    bool writing = extended == SQLITE_IOERR_WRITE || extended == SQLITE_IOERR_SHMSIZE;
    if (writing && statvfs(db->path, &disk) == 0 && disk.f_bavail == 0)
        os_errno = ENOSPC;
    return os_errno;
}

static int fail(struct db *db, int rc, ctcd_error **err) {
    int extended = sqlite3_extended_errcode(db->sqlite);
    if (!db->sqlite || (extended & 0xff) != (rc & 0xff))
        extended = rc;
    int os_errno = 0;
    if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR)
        os_errno = last_errno(db, extended);
    int code = code_of(extended, os_errno);
    if (db->depth && !db->lost && sqlite3_get_autocommit(db->sqlite))
        db->lost = code;
    const char *what = sqlite3_errstr(extended);
    if (extended == SQLITE_READONLY_DBMOVED)
        what = "it was moved or removed while it was open";
    else if ((extended & 0xff) == SQLITE_CONSTRAINT || (extended & 0xff) == SQLITE_ERROR)
        what = sqlite3_errmsg(db->sqlite);
    return report(db, code, os_errno, what, err);
}

/* ---- opening ---------------------------------------------------------------------------------- */

int db_open(const char *path, struct db **ret, ctcd_error **err) {
    if (!sqlite3_threadsafe())
        return error_set(err, CTCD_E_NOT_SUPPORTED, "install an SQLite that was built with threads",
                         "this SQLite %s cannot be used beside threads", sqlite3_libversion());
    _cleanup_(db_done) struct db *db = mem_alloc(sizeof *db);
    if (!db)
        return error_nomem(err);
    list_init(&db->kept);
    db->fork = fork_generation();
    db->path = mem_copy_text(path);
    if (!db->path)
        return error_nomem(err);
    int rc = sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!db->sqlite)
        return error_nomem(err);
    sqlite3_extended_result_codes(db->sqlite, 1);
    if (rc)
        return fail(db, rc, err);
    db_set_wait(db, STORE_WAIT_MS);
    sqlite3_limit(db->sqlite, SQLITE_LIMIT_LENGTH, 4 * STORE_MAX_TEXT);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    rc = db_exec(
        db, "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;",
        err);
    if (!rc)
        *ret = mem_steal(&db);
    return rc;
}

static void row_free(struct db_rows *rows) {
    list_remove(&rows->link);
    sqlite3_finalize(rows->stmt);
    mem_free(rows);
}

void db_close(struct db *db) {
    if (!db)
        return;
    struct list *link;
    while ((link = list_pop(&db->kept)))
        row_free(list_of(link, struct db_rows, link));
    if (db->sqlite)
        sqlite3_close_v2(db->sqlite); /* an open transaction is rolled back */
    mem_free(db->path);
    mem_free(db);
}

void db_done(struct db **db) {
    db_close(*db);
}

void db_set_wait(struct db *db, int64_t ms) {
    sqlite3_busy_timeout(db->sqlite, ms < 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms);
}

int db_copy(struct db *from, struct db *to, ctcd_error **err) {
    int rc = usable(from, err);
    if (!rc)
        rc = usable(to, err);
    if (rc)
        return rc;
    sqlite3_backup *copy = sqlite3_backup_init(to->sqlite, "main", from->sqlite, "main");
    if (!copy)
        return fail(to, sqlite3_errcode(to->sqlite), err);
    int stepped = sqlite3_backup_step(copy, -1);
    int ended = sqlite3_backup_finish(copy);
    if (stepped == SQLITE_DONE && ended == SQLITE_OK)
        return 0;
    int why = ended != SQLITE_OK ? ended : stepped;
    return fail(sqlite3_errcode(to->sqlite) == SQLITE_OK ? from : to, why, err);
}

int db_leave_wal(struct db *db, ctcd_error **err) {
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    int rc = db_query(db, "PRAGMA journal_mode = DELETE", DB_NO_VALUES, &rows, err);
    return rc ? rc : db_next(rows, err);
}

int db_use_wal(struct db *db, ctcd_error **err) {
    struct db_rows *rows = NULL;
    int rc = db_query(db, "PRAGMA journal_mode = WAL", DB_NO_VALUES, &rows, err);
    if (!rc)
        rc = db_next(rows, err);
    const char *mode = rc ? NULL : db_text(rows, 0);
    if (!rc && (!mode || strcmp(mode, "wal") != 0))
        rc = error_set(err, CTCD_E_NOT_SUPPORTED, "choose a folder on a local disk with CTCD_HOME",
                       "the file system of %s has no shared memory for the store's log", db->path);
    db_end(rows);
    return rc;
}

/* ---- statements ------------------------------------------------------------------------------- */

static struct db_rows *kept_statement(struct db *db, const char *sql) {
    for (struct list *at = db->kept.next; at != &db->kept; at = at->next) {
        struct db_rows *rows = list_of(at, struct db_rows, link);
        if (rows->sql == sql && !rows->busy)
            return rows;
    }
    return NULL;
}

static int new_statement(struct db *db, const char *sql, struct db_rows **ret, ctcd_error **err) {
    struct db_rows *rows = mem_alloc(sizeof *rows);
    if (!rows)
        return error_nomem(err);
    list_init(&rows->link);
    rows->db = db;
    rows->sql = sql;
    int rc = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &rows->stmt, NULL);
    if (rc) {
        rc = fail(db, rc, err);
        mem_free(rows);
        return rc;
    }
    list_append(&db->kept, &rows->link);
    *ret = rows;
    return 0;
}

int db_prepare(struct db *db, const char *sql, struct db_rows **ret, ctcd_error **err) {
    int rc = usable(db, err);
    if (rc)
        return rc;
    struct db_rows *rows = kept_statement(db, sql);
    if (!rows) {
        rc = new_statement(db, sql, &rows, err);
        if (rc)
            return rc;
    }
    rows->busy = true;
    rows->failed = 0;
    *ret = rows;
    return 0;
}

static int bind_at(struct db_rows *rows, int index, const struct db_value *value,
                   ctcd_error **err) {
    int rc;
    if (value->kind == 't') {
        const char *text = value->text ? value->text : "";
        size_t size = strlen(text);
        if (size > STORE_MAX_TEXT)
            return error_set(err, CTCD_E_TOO_LARGE, NULL,
                             "a text of %zu bytes is too large for the store (limit %d)", size,
                             STORE_MAX_TEXT);
        rc = sqlite3_bind_text(rows->stmt, index, text, (int)size, SQLITE_TRANSIENT);
    } else if (value->kind == 'w' && value->number == CTCD_TIME_NONE) {
        rc = sqlite3_bind_null(rows->stmt, index);
    } else {
        rc = sqlite3_bind_int64(rows->stmt, index, value->number);
    }
    return rc ? fail(rows->db, rc, err) : 0;
}

int db_bind(struct db_rows *rows, const char *name, const struct db_value *value,
            ctcd_error **err) {
    int index = sqlite3_bind_parameter_index(rows->stmt, name);
    return index ? bind_at(rows, index, value, err) : 0;
}

int db_query(struct db *db, const char *sql, const struct db_value *values, struct db_rows **ret,
             ctcd_error **err) {
    struct db_rows *rows = NULL;
    int rc = db_prepare(db, sql, &rows, err);
    for (int i = 0; !rc && values && values[i].kind; i++)
        rc = bind_at(rows, i + 1, &values[i], err);
    if (rc)
        db_end(rows);
    else
        *ret = rows;
    return rc;
}

int db_next(struct db_rows *rows, ctcd_error **err) {
    int rc = sqlite3_step(rows->stmt);
    if (rc == SQLITE_ROW)
        return 0;
    if (rc == SQLITE_DONE)
        return CTCD_NONE;
    return fail(rows->db, rc, err);
}

void db_end(struct db_rows *rows) {
    if (!rows)
        return;
    sqlite3_reset(rows->stmt);
    sqlite3_clear_bindings(rows->stmt);
    rows->busy = false;
}

void db_rows_done(struct db_rows **rows) {
    db_end(*rows);
}

int db_run(struct db *db, const char *sql, const struct db_value *values, ctcd_error **err) {
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    int rc = db_query(db, sql, values, &rows, err);
    if (!rc)
        rc = db_next(rows, err);
    return rc == CTCD_NONE ? 0 : rc;
}

int64_t db_changes(const struct db *db) {
    return sqlite3_changes(db->sqlite);
}

int64_t db_last_id(const struct db *db) {
    return sqlite3_last_insert_rowid(db->sqlite);
}

int db_number(struct db *db, const char *sql, const struct db_value *values, int64_t *ret,
              ctcd_error **err) {
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    int rc = db_query(db, sql, values, &rows, err);
    if (!rc)
        rc = db_next(rows, err);
    if (rc)
        return rc;
    int64_t number = db_take_int(rows, 0);
    rc = db_row_check(rows, err);
    if (!rc)
        *ret = number;
    return rc;
}

int db_exec(struct db *db, const char *sql, ctcd_error **err) {
    int rc = usable(db, err);
    if (rc)
        return rc;
    rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
    return rc ? fail(db, rc, err) : 0;
}

/* ---- columns ---------------------------------------------------------------------------------- */

static void row_failed(struct db_rows *rows, int code, int column) {
    if (rows->failed)
        return;
    rows->failed = code;
    rows->failed_column = column;
}

void db_row_wrong(struct db_rows *rows, int column) {
    row_failed(rows, CTCD_E_CORRUPT, column);
}

int db_columns(struct db_rows *rows) {
    return sqlite3_column_count(rows->stmt);
}

const char *db_text(struct db_rows *rows, int column) {
    int type = sqlite3_column_type(rows->stmt, column);
    if (type == SQLITE_NULL)
        return "";
    if (type != SQLITE_TEXT) {
        db_row_wrong(rows, column);
        return NULL;
    }
    const char *text = (const char *)sqlite3_column_text(rows->stmt, column);
    if (!text) {
        row_failed(rows, CTCD_E_NOMEM, column);
        return NULL;
    }
    if (strlen(text) != (size_t)sqlite3_column_bytes(rows->stmt, column)) {
        db_row_wrong(rows, column);
        return NULL;
    }
    return text;
}

char *db_take_text(struct db_rows *rows, int column) {
    const char *text = db_text(rows, column);
    char *copy = mem_copy_text(text);
    if (text && !copy)
        row_failed(rows, CTCD_E_NOMEM, column);
    return copy;
}

int64_t db_take_int(struct db_rows *rows, int column) {
    if (sqlite3_column_type(rows->stmt, column) == SQLITE_INTEGER)
        return sqlite3_column_int64(rows->stmt, column);
    db_row_wrong(rows, column);
    return 0;
}

int64_t db_take_time(struct db_rows *rows, int column) {
    if (sqlite3_column_type(rows->stmt, column) == SQLITE_NULL)
        return CTCD_TIME_NONE;
    return db_take_int(rows, column);
}

int db_row_check(struct db_rows *rows, ctcd_error **err) {
    if (!rows->failed)
        return 0;
    if (rows->failed == CTCD_E_NOMEM)
        return error_nomem(err);
    const char *name = sqlite3_column_name(rows->stmt, rows->failed_column);
    const char *table = sqlite3_sql(rows->stmt);
    const char *from = table ? strstr(table, "FROM ") : NULL;
    int length = from ? (int)strcspn(from + 5, " ,;)") : 0;
    return error_set(err, rows->failed,
                     "restore its folder from a backup, or move it away to begin with an empty one",
                     "the store %s is damaged: the column %s of %.*s holds what it cannot hold",
                     rows->db->path, name ? name : "?", length, from ? from + 5 : "");
}

/* ---- transactions ----------------------------------------------------------------------------- */

static int begin(struct db *db, const char *outermost, ctcd_error **err) {
    /* All levels have the same name: the innermost one is meant. */
    int rc = db_run(db, db->depth ? "SAVEPOINT inner" : outermost, DB_NO_VALUES, err);
    if (!rc)
        db->depth++;
    return rc;
}

int db_begin(struct db *db, ctcd_error **err) {
    return begin(db, "BEGIN IMMEDIATE", err);
}

int db_begin_read(struct db *db, ctcd_error **err) {
    return begin(db, "BEGIN", err);
}

void db_rollback(struct db *db) {
    if (!db->depth || forked(db))
        return;
    if (!db->lost && db->depth > 1) {
        if (db_run(db, "ROLLBACK TO inner", DB_NO_VALUES, NULL) ||
            db_run(db, "RELEASE inner", DB_NO_VALUES, NULL))
            db->lost = db->lost ? db->lost : CTCD_E_IO; /* what is inside cannot be told apart */
    } else if (!sqlite3_get_autocommit(db->sqlite)) {
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    }
    if (--db->depth == 0)
        db->lost = 0;
}

int db_commit(struct db *db, ctcd_error **err) {
    if (!db->depth)
        return error_set(err, CTCD_E_CONFLICT, NULL, "no transaction is open");
    int rc = db_run(db, db->depth > 1 ? "RELEASE inner" : "COMMIT", DB_NO_VALUES, err);
    if (rc)
        db_rollback(db);
    else
        db->depth--;
    return rc;
}
