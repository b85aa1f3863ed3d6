/* See component.h. */
#include "engine/component.h"

#include <string.h>

#include "core/identity.h"
#include "io/random.h"

static const char *const TYPE_NAMES[] = {
    [CTCD_COMPONENT_ORCHESTRATOR] = "orchestrator",
    [CTCD_COMPONENT_ARTIFACT_STORE] = "artifact-store",
    [CTCD_COMPONENT_METADATA_STORE] = "metadata-store",
    [CTCD_COMPONENT_MODEL_DEPLOYER] = "model-deployer",
};

const char *component_type_name(int type) {
    return type > 0 && type < STORE_COMPONENT_TYPES ? TYPE_NAMES[type] : NULL;
}

int component_check_type(int type, ctcd_error **err) {
    return component_type_name(type)
               ? 0
               : error_set(err, CTCD_E_INVALID, NULL, "there is no component type %d", type);
}

static void component_free(void *object) {
    ctcd_component *c = object;
    mem_free(c->name);
    mem_free(c->flavor);
    mem_free(c->uuid);
    json_unref(c->options);
}

static struct json *component_to_json(const void *object) {
    const ctcd_component *c = object;
    struct json *json = json_new_object();
    if (json_set_text(json, "name", c->name) &&
        json_set_text(json, "type", component_type_name(c->type)) &&
        json_set_text(json, "flavor", c->flavor) && json_set_text(json, "uuid", c->uuid) &&
        json_set(json, "options", c->options))
        return json;
    return json_unref(json);
}

static const char *component_label(const void *object) {
    return ((const ctcd_component *)object)->name;
}

const struct object_kind COMPONENT_KIND = {"component", component_free, component_to_json,
                                           component_label};

static int make(ctcd_context *ctx, int type, const char *name, const char *flavor, const char *uuid,
                ctcd_component **ret, ctcd_error **err) {
    _cleanup_(object_done) ctcd_component *c = object_new(ctx, &COMPONENT_KIND, sizeof(*c));
    if (!c)
        return error_nomem(err);
    c->type = type;
    c->name = mem_copy_text(name);
    c->flavor = mem_copy_text(flavor);
    c->uuid = mem_copy_text(uuid);
    c->options = json_new_object();
    if (!c->name || !c->flavor || !c->uuid || !c->options)
        return error_nomem(err);
    *ret = mem_steal(&c);
    return 0;
}

int component_new(ctcd_context *ctx, int type, const char *flavor, const char *name,
                  ctcd_component **ret, ctcd_error **err) {
    int rc = component_check_type(type, err);
    if (!rc)
        rc = flavor_check(ctx, type, flavor, err);
    if (!rc)
        rc = name_check_plain(component_type_name(type), name, err);
    return rc ? rc : make(ctx, type, name, flavor, "", ret, err);
}

/* The option values of a component by its flavor's table. */
static int options_of(const ctcd_component *c, struct ctcd_options **ret, ctcd_error **err) {
    const ctcd_option_entry *table =
        flavor_options(c->object.ctx, c->type, c->flavor, CTCD_SCOPE_COMPONENT);
    _cleanup_(options_done) struct ctcd_options *options = NULL;
    int rc = options_new(table, &options, err);
    for (struct json_iter i = json_members(c->options); !rc && json_next(&i);)
        rc = options_set(options, c->flavor, i.key, json_text(i.value), err);
    if (rc)
        return rc;
    *ret = mem_steal(&options);
    return 0;
}

int component_set_option(ctcd_component *c, const char *key, const char *value, ctcd_error **err) {
    if (c->uuid[0])
        return error_set(err, CTCD_E_CONFLICT, "delete it and register it anew",
                         "the component %s is registered already", c->name);
    _cleanup_(options_done) struct ctcd_options *options = NULL;
    int rc = options_of(c, &options, err);
    if (!rc)
        rc = options_set(options, c->flavor, key, value, err);
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *text = options_to_json(options);
    struct json *all = NULL;
    if (!text || json_parse(text, strlen(text), 1 << 20, 0, NULL, &all, NULL))
        return error_nomem(err);
    json_unref(c->options);
    c->options = all;
    return 0;
}

int component_register(ctcd_component *c, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(options_done) struct ctcd_options *options = NULL;
    char uuid[37];
    if (c->uuid[0])
        return error_set(err, CTCD_E_EXISTS, NULL, "the component %s is registered already",
                         c->name);
    int rc = options_of(c, &options, err);
    if (!rc)
        rc = options_check_required(options, c->flavor, err);
    if (!rc)
        rc = context_store(c->object.ctx, &store, err);
    if (!rc)
        rc = random_uuid(uuid, err);
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *text = options_to_json(options);
    char *copy = mem_copy_text(uuid);
    if (!text || !copy) {
        mem_free(copy);
        return error_nomem(err);
    }
    struct store_component record = {c->type, c->name, c->flavor,
                                     uuid,    text,    context_wall(c->object.ctx)};
    rc = store_component_add(store, &record, err);
    if (rc) {
        mem_free(copy);
        return rc;
    }
    mem_free(c->uuid);
    c->uuid = copy;
    return 0;
}

static int from_record(ctcd_context *ctx, const struct store_component *record,
                       ctcd_component **ret, ctcd_error **err) {
    ctcd_component *c = NULL;
    int rc = make(ctx, record->type, record->name, record->flavor, record->uuid, &c, err);
    if (rc)
        return rc;
    struct json *options = NULL;
    rc = json_parse(record->options, strlen(record->options), 1 << 20, 0, "options", &options, err);
    if (rc) {
        object_unref(c);
        return rc;
    }
    json_unref(c->options);
    c->options = options;
    *ret = c;
    return 0;
}

int component_get(ctcd_context *ctx, int type, const char *name, ctcd_component **ret,
                  ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_component_done) struct store_component record = {0};
    int rc = component_check_type(type, err);
    if (!rc)
        rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_component_get(store, type, name, &record, err);
    return rc ? rc : from_record(ctx, &record, ret, err);
}

int component_list(ctcd_context *ctx, int type, ctcd_list **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_components_done) struct store_components all = {0};
    int rc = component_check_type(type, err);
    if (!rc)
        rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_component_list(store, type, &all, err);
    if (rc)
        return rc;
    _cleanup_(object_done) ctcd_list *list = object_list_new(ctx, &COMPONENT_KIND);
    if (!list)
        return error_nomem(err);
    for (size_t i = 0; i < all.count; i++) {
        ctcd_component *c = NULL;
        rc = from_record(ctx, &all.items[i], &c, err);
        if (rc)
            return rc;
        if (!object_list_take(list, c))
            return error_nomem(err);
    }
    *ret = mem_steal(&list);
    return 0;
}

int component_delete(ctcd_component *c, ctcd_error **err) {
    struct store *store = NULL;
    int rc = context_store(c->object.ctx, &store, err);
    return rc ? rc : store_component_delete(store, c->type, c->name, err);
}

/* ---- stacks ---- */

static void stack_free(void *object) {
    store_stack_done(&((ctcd_stack *)object)->record);
}

static struct json *stack_to_json(const void *object) {
    const ctcd_stack *stack = object;
    struct json *json = json_new_object();
    bool ok = json_set_text(json, "name", stack->record.name) &&
              json_set_text(json, "uuid", stack->record.uuid) &&
              json_set_bool(json, "active", stack->record.active);
    for (int type = 1; ok && type < STORE_COMPONENT_TYPES; type++) {
        const char *name = stack->record.components[type];
        ok = json_set_text(json, component_type_name(type), name && name[0] ? name : NULL);
    }
    return ok ? json : json_unref(json);
}

static const char *stack_label(const void *object) {
    return ((const ctcd_stack *)object)->record.name;
}

const struct object_kind STACK_KIND = {"stack", stack_free, stack_to_json, stack_label};

int stack_new(ctcd_context *ctx, const char *name, ctcd_stack **ret, ctcd_error **err) {
    int rc = name_check_plain("stack", name, err);
    if (rc)
        return rc;
    _cleanup_(object_done) ctcd_stack *stack = object_new(ctx, &STACK_KIND, sizeof(*stack));
    if (!stack || !(stack->record.name = mem_copy_text(name)) ||
        !(stack->record.uuid = mem_copy_text("")))
        return error_nomem(err);
    *ret = mem_steal(&stack);
    return 0;
}

int stack_register(ctcd_stack *stack, ctcd_error **err) {
    struct store *store = NULL;
    for (int type = 1; type < CTCD_COMPONENT_MODEL_DEPLOYER; type++)
        if (!stack->record.components[type] || !stack->record.components[type][0])
            return error_set(
                err, CTCD_E_INVALID,
                "a stack needs an orchestrator, an artifact store and a metadata store",
                "the stack %s has no %s", stack->record.name, component_type_name(type));
    int rc = context_store(stack->object.ctx, &store, err);
    char uuid[37];
    if (!rc)
        rc = random_uuid(uuid, err);
    if (rc)
        return rc;
    char *copy = mem_copy_text(uuid);
    if (!copy)
        return error_nomem(err);
    char *old = stack->record.uuid;
    stack->record.uuid = copy;
    stack->record.created_ms = context_wall(stack->object.ctx);
    rc = store_stack_add(store, &stack->record, err);
    stack->record.uuid = rc ? old : copy;
    mem_free(rc ? copy : old);
    return rc;
}

static int stack_from(ctcd_context *ctx, struct store_stack *record, ctcd_stack **ret,
                      ctcd_error **err) {
    ctcd_stack *stack = object_new(ctx, &STACK_KIND, sizeof(*stack));
    if (!stack)
        return error_nomem(err);
    stack->record = *record;
    memset(record, 0, sizeof(*record));
    *ret = stack;
    return 0;
}

int stack_get(ctcd_context *ctx, const char *name, ctcd_stack **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_stack_done) struct store_stack record = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_stack_get(store, name, &record, err);
    return rc ? rc : stack_from(ctx, &record, ret, err);
}

int stack_list(ctcd_context *ctx, ctcd_list **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_stacks_done) struct store_stacks all = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_stack_list(store, &all, err);
    if (rc)
        return rc;
    _cleanup_(object_done) ctcd_list *list = object_list_new(ctx, &STACK_KIND);
    if (!list)
        return error_nomem(err);
    for (size_t i = 0; i < all.count; i++) {
        ctcd_stack *stack = NULL;
        rc = stack_from(ctx, &all.items[i], &stack, err);
        if (rc)
            return rc;
        if (!object_list_take(list, stack))
            return error_nomem(err);
    }
    *ret = mem_steal(&list);
    return 0;
}

int stack_activate(ctcd_stack *stack, ctcd_error **err) {
    struct store *store = NULL;
    int rc = context_store(stack->object.ctx, &store, err);
    if (!rc)
        rc = store_stack_activate(store, stack->record.name, err);
    if (!rc)
        stack->record.active = true;
    return rc;
}
