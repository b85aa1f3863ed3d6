/* Reading, binding and releasing records by the description of their fields. Called by the files of this
   folder that hold the SQL. */
#include "store/record.h"

#include <string.h>

/* What makes a UUID unique is never shorter than this on a command line. */
#define PREFIX_MIN 4
#define PREFIX_SHOWN 5

static void *field_at(const struct field *field, const void *item) {
    return (char *)item + field->offset;
}

void record_done(const struct record *record, void *item) {
    for (size_t i = 0; i < record->count; i++) {
        const struct field *field = &record->fields[i];
        if (field->kind == FIELD_TEXT)
            mem_free_ptr(field_at(field, item));
    }
    memset(item, 0, record->size);
}

void record_list_done(const struct record *record, void *items, size_t count) {
    for (size_t i = 0; i < count; i++)
        record_done(record, (char *)items + i * record->size);
    mem_free(items);
}

/* ---- a row -> a record ------------------------------------------------------------------------ */

static int word_number(const struct field *field, const char *word) {
    for (size_t i = 0; word && *word && i < field->name_count; i++)
        if (field->names[i] && strcmp(field->names[i], word) == 0)
            return (int)i;
    return -1;
}

static void read_field(struct db_rows *rows, int column, const struct field *field, void *item) {
    void *at = field_at(field, item);
    int64_t number;
    int word;
    switch (field->kind) {
    case FIELD_TEXT:
        *(char **)at = db_take_text(rows, column);
        return;
    case FIELD_INT:
        *(int64_t *)at = db_take_int(rows, column);
        return;
    case FIELD_TIME:
        *(int64_t *)at = db_take_time(rows, column);
        return;
    case FIELD_BOOL:
        number = db_take_int(rows, column);
        if (number != 0 && number != 1)
            db_row_wrong(rows, column);
        *(bool *)at = number != 0;
        return;
    case FIELD_NAME:
        word = word_number(field, db_text(rows, column));
        if (word < 0)
            db_row_wrong(rows, column);
        memcpy(at, &word, sizeof word);
        return;
    }
}

/* The item is zeroed before; after a failure what it holds is to be released. */
static int read_row(struct db_rows *rows, const struct record *record, void *item,
                    ctcd_error **err) {
    if ((size_t)db_columns(rows) != record->count)
        return error_set(err, CTCD_E_PLUGIN, NULL,
                         "a record of %zu fields was read from %d columns", record->count,
                         db_columns(rows));
    for (size_t i = 0; i < record->count; i++)
        read_field(rows, (int)i, &record->fields[i], item);
    return db_row_check(rows, err);
}

int record_get(struct store *store, const char *sql, const struct db_value *values,
               const struct record *record, void *item, ctcd_error **err) {
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    int rc = db_query(store->db, sql, values, &rows, err);
    if (!rc)
        rc = db_next(rows, err);
    if (rc)
        return rc;
    void *found = mem_alloc(record->size);
    if (!found)
        return error_nomem(err);
    rc = read_row(rows, record, found, err);
    if (rc)
        record_done(record, found);
    else
        memcpy(item, found, record->size);
    mem_free(found);
    return rc;
}

int record_list(struct store *store, const char *sql, const struct db_value *values,
                const struct record *record, struct record_list *ret, ctcd_error **err) {
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    char *items = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(store->db, sql, values, &rows, err);
    while (!rc && !(rc = db_next(rows, err))) {
        if (count == room) {
            size_t more = room ? 2 * room : 8;
            char *bigger = mem_resize(items, more, record->size);
            if (!bigger) {
                rc = error_nomem(err);
                break;
            }
            items = bigger;
            room = more;
        }
        void *item = items + count++ * record->size;
        memset(item, 0, record->size);
        rc = read_row(rows, record, item, err);
    }
    if (rc != CTCD_NONE) {
        record_list_done(record, items, count);
        return rc;
    }
    *ret = (struct record_list){items, count};
    return 0;
}

/* ---- a record -> values ----------------------------------------------------------------------- */

static int bind_field(struct db_rows *rows, const struct field *field, const void *item,
                      ctcd_error **err) {
    const void *at = field_at(field, item);
    struct db_value value = {.kind = 'i'};
    int word;
    switch (field->kind) {
    case FIELD_TEXT:
        value = (struct db_value)DB_TEXT(*(char *const *)at);
        break;
    case FIELD_INT:
        value.number = *(const int64_t *)at;
        break;
    case FIELD_TIME:
        value = (struct db_value)DB_TIME(*(const int64_t *)at);
        break;
    case FIELD_BOOL:
        value.number = *(const bool *)at;
        break;
    case FIELD_NAME:
        memcpy(&word, at, sizeof word);
        if (word < 0 || (size_t)word >= field->name_count || !field->names[word] ||
            !*field->names[word])
            return error_set(err, CTCD_E_INVALID, NULL, "%d is no %s", word, field->name + 1);
        value = (struct db_value)DB_TEXT(field->names[word]);
        break;
    }
    return db_bind(rows, field->name, &value, err);
}

int record_run(struct store *store, const char *sql, const struct record *record, const void *item,
               ctcd_error **err) {
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    int rc = db_prepare(store->db, sql, &rows, err);
    for (size_t i = 0; !rc && i < record->count; i++)
        rc = bind_field(rows, &record->fields[i], item, err);
    if (!rc)
        rc = db_next(rows, err);
    return rc == CTCD_NONE ? 0 : rc;
}

/* ---- names and UUIDs -------------------------------------------------------------------------- */

/* Lower case; false = it cannot be the beginning of a UUID. */
static bool uuid_prefix(const char *text, char ret[37]) {
    size_t size = strlen(text);
    if (size < PREFIX_MIN || size > 36)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        ret[i] = c;
    }
    ret[size] = '\0';
    return true;
}

static int copy_uuid(struct db_rows *rows, char ret[37], ctcd_error **err) {
    const char *uuid = db_text(rows, 0);
    if (uuid && strlen(uuid) != 36)
        db_row_wrong(rows, 0);
    int rc = db_row_check(rows, err);
    if (!rc)
        memcpy(ret, uuid, 37);
    return rc;
}

int record_not_found(const struct record_key *key, const char *name, ctcd_error **err) {
    error_set(err, CTCD_E_NOT_FOUND, NULL, "there is no %s \"%s\"", key->noun, name);
    size_t size = strlen(name);
    if (err && size && size < PREFIX_MIN && strspn(name, "0123456789abcdefABCDEF") == size)
        return error_hint(err, "a UUID is named by %d digits or more; see: %s", PREFIX_MIN,
                          key->list_command);
    return err ? error_hint(err, "see: %s", key->list_command) : CTCD_E_NOT_FOUND;
}

static int ambiguous(const struct record_key *key, const char *prefix, char found[][37],
                     size_t count, ctcd_error **err) {
    char list[PREFIX_SHOWN * 38 + 8] = "";
    size_t shown = count < PREFIX_SHOWN ? count : PREFIX_SHOWN - 1;
    for (size_t i = 0; i < shown; i++) {
        strcat(list, i ? ", " : "");
        strcat(list, found[i]);
    }
    return error_set(err, CTCD_E_CONFLICT, "give more digits of the one that is meant",
                     "several %ss begin with \"%s\": %s%s", key->noun, prefix, list,
                     shown < count ? ", ..." : "");
}

static int find_by_prefix(struct store *store, const struct record_key *key, const char *prefix,
                          char ret_uuid[37], ctcd_error **err) {
    char after[38];
    strcpy(after, prefix);
    strcat(after, "g"); /* greater than every digit */
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    int rc =
        db_query(store->db, key->by_prefix, DB_VALUES(DB_TEXT(prefix), DB_TEXT(after)), &rows, err);
    char found[PREFIX_SHOWN][37];
    size_t count = 0;
    while (!rc && !(rc = db_next(rows, err)) && count < PREFIX_SHOWN)
        rc = copy_uuid(rows, found[count++], err);
    if (rc < 0)
        return rc;
    if (!count)
        return CTCD_NONE;
    if (count > 1)
        return ambiguous(key, prefix, found, count, err);
    memcpy(ret_uuid, found[0], 37);
    return 0;
}

int record_find_uuid(struct store *store, const struct record_key *key, const char *name,
                     char ret_uuid[37], ctcd_error **err) {
    int rc = CTCD_NONE;
    if (key->by_name) {
        _cleanup_(db_rows_done) struct db_rows *rows = NULL;
        rc = db_query(store->db, key->by_name, DB_VALUES(DB_TEXT(name)), &rows, err);
        if (!rc)
            rc = db_next(rows, err);
        if (!rc)
            rc = copy_uuid(rows, ret_uuid, err);
    }
    char prefix[37];
    if (rc == CTCD_NONE && uuid_prefix(name, prefix))
        rc = find_by_prefix(store, key, prefix, ret_uuid, err);
    return rc == CTCD_NONE ? record_not_found(key, name, err) : rc;
}

int record_finish(struct store *store, int rc, ctcd_error **err) {
    if (!rc)
        return db_commit(store->db, err);
    db_rollback(store->db);
    return rc;
}
