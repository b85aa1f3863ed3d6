/* Registered components. Called by the engine. */
#include "store/components.h"

#include "base/buf.h"
#include "store/record.h"
#include "store/words.h"

static const struct field fields[] = {
    FIELD_WORD(store_component, type, word_component_types),
    FIELD(store_component, name, FIELD_TEXT),
    FIELD(store_component, flavor, FIELD_TEXT),
    FIELD(store_component, uuid, FIELD_TEXT),
    FIELD(store_component, options, FIELD_TEXT),
    FIELD(store_component, created_ms, FIELD_TIME),
};
static const struct record record = RECORD(store_component, fields);
#define COLUMNS "type, name, flavor, uuid, options, created_ms"

void store_component_done(struct store_component *component) {
    record_done(&record, component);
}

void store_components_done(struct store_components *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_components){0};
}

static const char *type_word(int type) {
    return type > 0 && type < STORE_COMPONENT_TYPES ? word_component_types[type] : "component";
}

int store_component_add(struct store *store, const struct store_component *component,
                        ctcd_error **err) {
    int rc = record_run(store,
                        "INSERT INTO components (" COLUMNS ")"
                        " VALUES (:type, :name, :flavor, :uuid, :options, :created_ms)",
                        &record, component, err);
    if (rc != CTCD_E_EXISTS)
        return rc;
    const char *word = type_word(component->type);
    error_set(err, rc, NULL, "there is a %s \"%s\" already", word, component->name);
    return err ? error_hint(err, "`ctcd %s update` changes it; else choose another name", word)
               : rc;
}

static int none(int type, const char *name, ctcd_error **err) {
    error_set(err, CTCD_E_NOT_FOUND, NULL, "there is no %s \"%s\"", type_word(type), name);
    return err ? error_hint(err, "see: ctcd %s list", type_word(type)) : CTCD_E_NOT_FOUND;
}

int store_component_get(struct store *store, int type, const char *name,
                        struct store_component *ret, ctcd_error **err) {
    int rc = record_get(store, "SELECT " COLUMNS " FROM components WHERE type = ?1 AND name = ?2",
                        DB_VALUES(DB_TEXT(type_word(type)), DB_TEXT(name)), &record, ret, err);
    return rc == CTCD_NONE ? none(type, name, err) : rc;
}

int store_component_list(struct store *store, int type, struct store_components *ret,
                         ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store,
                         "SELECT " COLUMNS " FROM components WHERE ?1 = '' OR type = ?1"
                         " ORDER BY type, name",
                         DB_VALUES(DB_TEXT(type ? type_word(type) : "")), &record, &list, err);
    if (!rc)
        *ret = (struct store_components){list.items, list.count};
    return rc;
}

int store_component_update(struct store *store, const char *uuid, const char *seen,
                           const char *options, ctcd_error **err) {
    int64_t there = 0;
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = db_run(store->db, "UPDATE components SET options = ?3 WHERE uuid = ?1 AND options = ?2",
                DB_VALUES(DB_TEXT(uuid), DB_TEXT(seen), DB_TEXT(options)), err);
    if (!rc && db_changes(store->db) == 0) {
        rc = db_number(store->db, "SELECT 1 FROM components WHERE uuid = ?1",
                       DB_VALUES(DB_TEXT(uuid)), &there, err);
        if (rc == CTCD_NONE)
            rc = error_set(err, CTCD_E_NOT_FOUND, NULL, "the component %s is gone", uuid);
        else if (!rc)
            rc = error_set(err, CTCD_E_CONFLICT, "get it anew and change that",
                           "somebody else has changed its options meanwhile");
    }
    return record_finish(store, rc, err);
}

/* Adds the first column of all rows to a list for a person. */
static int add_users(struct store *store, const char *sql, const char *type, const char *name,
                     struct buf *users, ctcd_error **err) {
    _cleanup_(db_rows_done) struct db_rows *rows = NULL;
    int rc = db_query(store->db, sql, DB_VALUES(DB_TEXT(name), DB_TEXT(type)), &rows, err);
    while (!rc && !(rc = db_next(rows, err))) {
        const char *user = db_text(rows, 0);
        rc = db_row_check(rows, err);
        if (!rc)
            buf_addf(users, "%s%s", users->len ? ", " : "", user);
    }
    return rc == CTCD_NONE ? 0 : rc;
}

static int refuse_used(struct store *store, int type, const char *name, ctcd_error **err) {
    _cleanup_(buf_done) struct buf users = {0};
    const char *word = type_word(type);
    int rc = add_users(store,
                       "SELECT 'stack ' || stacks.name FROM stack_components"
                       " JOIN stacks ON stacks.id = stack_id"
                       " WHERE stack_components.name = ?1 AND type = ?2 ORDER BY stacks.name",
                       word, name, &users, err);
    if (!rc && type == CTCD_COMPONENT_MODEL_DEPLOYER)
        rc = add_users(store,
                       "SELECT 'service ' || uuid || ' (' || model || ')' FROM services"
                       " WHERE deployer = ?1 AND ?2 <> '' ORDER BY id",
                       word, name, &users, err);
    if (rc || (!users.len && !users.failed))
        return rc;
    if (users.failed)
        return error_nomem(err);
    return error_set(err, CTCD_E_CONFLICT, "change or delete what uses it first",
                     "the %s \"%s\" is in use: %s", word, name, users.text);
}

int store_component_delete(struct store *store, int type, const char *name, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = refuse_used(store, type, name, err);
    if (!rc)
        rc = db_run(store->db, "DELETE FROM components WHERE type = ?1 AND name = ?2",
                    DB_VALUES(DB_TEXT(type_word(type)), DB_TEXT(name)), err);
    if (!rc && db_changes(store->db) == 0)
        rc = none(type, name, err);
    return record_finish(store, rc, err);
}
