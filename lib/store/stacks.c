/* Stacks of components, one of which is active. Called by the engine. */
#include "base/text.h"
#include "store/components.h"
#include "store/record.h"
#include "store/words.h"

static const struct field fields[] = {
    FIELD(store_stack, name, FIELD_TEXT),
    FIELD(store_stack, uuid, FIELD_TEXT),
    FIELD(store_stack, components[CTCD_COMPONENT_ORCHESTRATOR], FIELD_TEXT),
    FIELD(store_stack, components[CTCD_COMPONENT_ARTIFACT_STORE], FIELD_TEXT),
    FIELD(store_stack, components[CTCD_COMPONENT_METADATA_STORE], FIELD_TEXT),
    FIELD(store_stack, components[CTCD_COMPONENT_MODEL_DEPLOYER], FIELD_TEXT),
    FIELD(store_stack, created_ms, FIELD_TIME),
    FIELD(store_stack, active, FIELD_BOOL),
};
static const struct record record = RECORD(store_stack, fields);

#define PART(type)                                                                                 \
    "(SELECT p.name FROM stack_components p WHERE p.stack_id = stacks.id AND p.type = '" type "')"
#define ACTIVE "(SELECT value FROM settings WHERE key = 'active_stack')"
#define SELECT_STACKS                                                                              \
    "SELECT name, uuid, " PART("orchestrator") ", " PART("artifact-store") ", " PART(              \
        "metadata-store") ", " PART("model-deployer") ", created_ms, name = " ACTIVE               \
                                                      " AS active FROM stacks "

void store_stack_done(struct store_stack *stack) {
    record_done(&record, stack);
}

void store_stacks_done(struct store_stacks *list) {
    record_list_done(&record, list->items, list->count);
    *list = (struct store_stacks){0};
}

static int none(const char *name, ctcd_error **err) {
    return error_set(err, CTCD_E_NOT_FOUND, "see: ctcd stack list", "there is no stack \"%s\"",
                     name);
}

static int add_parts(struct store *store, const struct store_stack *stack, ctcd_error **err) {
    int rc = 0;
    for (int type = 1; !rc && type < STORE_COMPONENT_TYPES; type++) {
        const char *part = stack->components[type];
        if (!part || !*part)
            continue;
        const char *word = word_component_types[type];
        rc = db_run(store->db,
                    "INSERT INTO stack_components (stack_id, type, name)"
                    " SELECT id, ?2, ?3 FROM stacks WHERE name = ?1",
                    DB_VALUES(DB_TEXT(stack->name), DB_TEXT(word), DB_TEXT(part)), err);
        if (rc != CTCD_E_NOT_FOUND)
            continue;
        error_set(err, rc, NULL, "there is no %s \"%s\"", word, part);
        if (err)
            error_hint(err, "see: ctcd %s list", word);
    }
    return rc;
}

int store_stack_add(struct store *store, const struct store_stack *stack, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    rc = record_run(
        store, "INSERT INTO stacks (name, uuid, created_ms) VALUES (:name, :uuid, :created_ms)",
        &record, stack, err);
    if (rc == CTCD_E_EXISTS)
        rc = error_set(err, rc, "choose another name, or change that one: ctcd stack update",
                       "there is a stack \"%s\" already", stack->name);
    if (!rc)
        rc = add_parts(store, stack, err);
    return record_finish(store, rc, err);
}

int store_stack_update(struct store *store, const struct store_stack *stack, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    int64_t id = 0;
    rc = db_number(store->db, "SELECT id FROM stacks WHERE name = ?1",
                   DB_VALUES(DB_TEXT(stack->name)), &id, err);
    if (rc == CTCD_NONE)
        rc = none(stack->name, err);
    if (!rc)
        rc = db_run(store->db, "DELETE FROM stack_components WHERE stack_id = ?1",
                    DB_VALUES(DB_INT(id)), err);
    if (!rc)
        rc = add_parts(store, stack, err);
    return record_finish(store, rc, err);
}

int store_stack_get(struct store *store, const char *name, struct store_stack *ret,
                    ctcd_error **err) {
    int rc = name ? record_get(store, SELECT_STACKS "WHERE name = ?1", DB_VALUES(DB_TEXT(name)),
                               &record, ret, err)
                  : record_get(store, SELECT_STACKS "WHERE name = " ACTIVE, DB_NO_VALUES, &record,
                               ret, err);
    if (rc != CTCD_NONE)
        return rc;
    return name ? none(name, err)
                : error_set(err, CTCD_E_NOT_FOUND, "choose one: ctcd stack set NAME",
                            "no stack is active");
}

int store_stack_list(struct store *store, struct store_stacks *ret, ctcd_error **err) {
    struct record_list list;
    int rc = record_list(store, SELECT_STACKS "ORDER BY name", DB_NO_VALUES, &record, &list, err);
    if (!rc)
        *ret = (struct store_stacks){list.items, list.count};
    return rc;
}

int store_stack_activate(struct store *store, const char *name, ctcd_error **err) {
    int rc = db_run(store->db,
                    "INSERT OR REPLACE INTO settings (key, value)"
                    " SELECT 'active_stack', name FROM stacks WHERE name = ?1",
                    DB_VALUES(DB_TEXT(name)), err);
    return rc || db_changes(store->db) ? rc : none(name, err);
}

int store_stack_delete(struct store *store, const char *name, ctcd_error **err) {
    int rc = db_begin(store->db, err);
    if (rc)
        return rc;
    int64_t active = 0;
    rc = db_number(store->db, "SELECT name = " ACTIVE " FROM stacks WHERE name = ?1",
                   DB_VALUES(DB_TEXT(name)), &active, err);
    if (rc == CTCD_NONE)
        rc = none(name, err);
    else if (!rc && active)
        rc = error_set(err, CTCD_E_CONFLICT, "make another one active first: ctcd stack set NAME",
                       "the stack \"%s\" is the active one", name);
    if (!rc)
        rc = db_run(store->db, "DELETE FROM stacks WHERE name = ?1", DB_VALUES(DB_TEXT(name)), err);
    return record_finish(store, rc, err);
}
