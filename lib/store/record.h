/* Records as tables of their fields: from one description come reading a row, binding values by name, and
   releasing. For the files of this folder, one per table, which hold the SQL and nothing else. */
#ifndef CTCD_STORE_RECORD_H
#define CTCD_STORE_RECORD_H

#include <stddef.h>

#include "store/db.h"
#include "store/store.h"

struct store {
    struct db *db;
    char *home;
    uint32_t fork; /* fork_generation() at opening */
    bool counted;
};

enum field_kind {
    FIELD_TEXT, /* char *, owned */
    FIELD_INT,  /* int64_t */
    FIELD_TIME, /* int64_t, NULL in the table is CTCD_TIME_NONE */
    FIELD_BOOL, /* bool */
    FIELD_NAME, /* an enum or int, in the table the word of names[] */
};

struct field {
    const char *name; /* ":uuid", for binding */
    enum field_kind kind;
    size_t offset;
    const char *const *names; /* of FIELD_NAME; NULL and "" in it are no values */
    size_t name_count;
};

struct record {
    const struct field *fields; /* as many as the SELECT has columns, in their order */
    size_t count;
    size_t size; /* of the struct */
};

#define FIELD(type, member, kind_)                                                                 \
    { .name = ":" #member, .kind = (kind_), .offset = offsetof(struct type, member) }
#define FIELD_WORD(type, member, names_)                                                           \
    {                                                                                              \
        .name = ":" #member, .kind = FIELD_NAME, .offset = offsetof(struct type, member),          \
        .names = (names_), .name_count = sizeof(names_) / sizeof *(names_)                         \
    }
#define RECORD(type, fields_)                                                                      \
    {                                                                                              \
        .fields = (fields_), .count = sizeof(fields_) / sizeof *(fields_),                         \
        .size = sizeof(struct type)                                                                \
    }

struct record_list {
    void *items;
    size_t count;
};

/* Releases the texts and zeroes the record; harmless on a zeroed one. */
void record_done(const struct record *record, void *item);
void record_list_done(const struct record *record, void *items, size_t count);

/* A statement without rows; the item's fields are bound by name. */
int record_run(struct store *store, const char *sql, const struct record *record, const void *item,
               ctcd_error **err);
/* The first row: 0, CTCD_NONE. *item is overwritten. */
int record_get(struct store *store, const char *sql, const struct db_value *values,
               const struct record *record, void *item, ctcd_error **err);
/* All rows; items NULL where there is none. */
int record_list(struct store *store, const char *sql, const struct db_value *values,
                const struct record *record, struct record_list *ret, ctcd_error **err);

/* The UUID of what is called `name`: an object of exactly that name or UUID, else the only one whose UUID
   begins like this. by_name, by_prefix: SELECT uuid ... (?1 the name; ?1 and ?2 the bounds, ordered,
   LIMIT 5); by_name may be NULL. noun and list_command are for the error. */
struct record_key {
    const char *noun;         /* "run" */
    const char *list_command; /* "ctcd run list" */
    const char *by_name;
    const char *by_prefix;
};
int record_find_uuid(struct store *store, const struct record_key *key, const char *name,
                     char ret_uuid[37], ctcd_error **err);
int record_not_found(const struct record_key *key, const char *name, ctcd_error **err);

/* SQL, of a pipeline p: does it need a function that is not in a JSON array of names? Of a run: is its
   pipeline such a one? */
#define STORE_MISSES(have)                                                                         \
    "EXISTS (SELECT 1 FROM json_each(CASE p.functions WHEN '' THEN '[]' ELSE p.functions END)"     \
    " WHERE value NOT IN (SELECT value FROM json_each(" have ")))"

#define STORE_RUN_MISSES(have)                                                                     \
    "EXISTS (SELECT 1 FROM pipelines p WHERE p.name = runs.pipeline AND p.digest = runs.digest"    \
    " AND " STORE_MISSES(have) ")"

/* Ends what db_begin began: commits where rc is 0, else rolls back. Returns rc or why it was not
   committed. A positive rc rolls back, too. */
int record_finish(struct store *store, int rc, ctcd_error **err);

#endif
