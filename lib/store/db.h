/* The one door to SQLite, for the files of this folder: open, statements, transactions, errors.

       struct db_rows *rows = NULL;
       int rc = db_query(db, "SELECT name FROM runs WHERE uuid = ?1", DB_VALUES(DB_TEXT(uuid)), &rows, err);
       while (!rc && !(rc = db_next(rows, err)))
           name = db_take_text(rows, 0);      ... rc is CTCD_NONE after the last row, or an error
       db_end(rows);

   SQL is always a literal: statements are kept prepared, found again by the address of their text. */
#ifndef CTCD_STORE_DB_H
#define CTCD_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

struct db;
struct db_rows;

struct db_value {
    char kind; /* 0 ends a list */
    const char *text;
    int64_t number;
};
#define DB_TEXT(value)                                                                             \
    { .kind = 't', .text = (value) } /* NULL is "" */
#define DB_INT(value)                                                                              \
    { .kind = 'i', .number = (value) }
#define DB_TIME(value)                                                                             \
    { .kind = 'w', .number = (value) } /* CTCD_TIME_NONE is NULL */
#define DB_VALUES(...) ((const struct db_value[]){__VA_ARGS__, {0}})
#define DB_NO_VALUES NULL

/* The file must exist. Nothing is written by opening. */
int db_open(const char *path, struct db **ret, ctcd_error **err);
/* Accepts NULL. Rolls back what is open. */
void db_close(struct db *db);
void db_done(struct db **db); /* for _cleanup_ */
void db_set_wait(struct db *db, int64_t ms);

/* Any number of statements without values or rows. */
int db_exec(struct db *db, const char *sql, ctcd_error **err);
/* One statement without rows: EXISTS (unique), NOT_FOUND (foreign key), INVALID (check, not null). */
int db_run(struct db *db, const char *sql, const struct db_value *values, ctcd_error **err);
int64_t db_changes(const struct db *db); /* rows that the last db_run changed */
int64_t db_last_id(const struct db *db); /* of the row that the last db_run inserted */
/* The first column of the first row; CTCD_NONE: there is no row. */
int db_number(struct db *db, const char *sql, const struct db_value *values, int64_t *ret,
              ctcd_error **err);

int db_query(struct db *db, const char *sql, const struct db_value *values, struct db_rows **ret,
             ctcd_error **err);
/* 0 = a row, CTCD_NONE = there is no more. */
int db_next(struct db_rows *rows, ctcd_error **err);
void db_end(struct db_rows *rows);        /* accepts NULL */
void db_rows_done(struct db_rows **rows); /* for _cleanup_ */

/* For statements with named values (":uuid"): prepares, binds one by one, then db_next(). What the
   statement does not name is passed over. */
int db_prepare(struct db *db, const char *sql, struct db_rows **ret, ctcd_error **err);
int db_bind(struct db_rows *rows, const char *name, const struct db_value *value, ctcd_error **err);

/* Columns of the current row. Failure is sticky, asked once by db_row_check(): NOMEM, or CORRUPT where a
   column holds another type than it must. */
int db_columns(struct db_rows *rows);
const char *db_text(struct db_rows *rows, int column); /* borrowed until db_next; NULL = failed */
char *db_take_text(struct db_rows *rows, int column);  /* owned, "" for NULL; NULL = failed */
int64_t db_take_int(struct db_rows *rows, int column);
int64_t db_take_time(struct db_rows *rows, int column); /* CTCD_TIME_NONE for NULL */
void db_row_wrong(struct db_rows *rows, int column);    /* what it holds cannot be */
int db_row_check(struct db_rows *rows, ctcd_error **err);

/* Transactions that write; they nest. After an error that made SQLite give up the whole transaction,
   every call up to the outermost commit or rollback fails with its code: nothing slips through. */
int db_begin(struct db *db, ctcd_error **err);
/* One that only reads: all that is read in it is of one instant. Waits for nobody, keeps nobody waiting. */
int db_begin_read(struct db *db, ctcd_error **err);
int db_commit(struct db *db, ctcd_error **err);
void db_rollback(struct db *db);

/* All of `from`, as it is at one instant, becomes the contents of `to`, which has no transaction open. Waits for
   nobody, keeps nobody waiting, where `from` has write-ahead logging. */
int db_copy(struct db *from, struct db *to, ctcd_error **err);
/* Back to a journal that lives only as long as a transaction. CONFLICT: somebody else has it open. */
int db_leave_wal(struct db *db, ctcd_error **err);
/* Write-ahead logging; stays in the file. */
int db_use_wal(struct db *db, ctcd_error **err);

#endif
