/* Stacks as objects (component.h): registered, changed, made active. As files: stack_file.c. */
#include <string.h>

#include "core/identity.h"
#include "engine/component.h"
#include "io/random.h"

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

static int stack_check_complete(const ctcd_stack *stack, ctcd_error **err) {
    for (int type = 1; type < CTCD_COMPONENT_MODEL_DEPLOYER; type++)
        if (!stack->record.components[type] || !stack->record.components[type][0])
            return error_set(
                err, CTCD_E_INVALID,
                "a stack needs an orchestrator, an artifact store and a metadata store",
                "the stack %s has no %s", stack->record.name, component_type_name(type));
    return 0;
}

int stack_register(ctcd_stack *stack, ctcd_error **err) {
    struct store *store = NULL;
    int rc = stack_check_complete(stack, err);
    if (!rc)
        rc = context_store(stack->object.ctx, &store, err);
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

int stack_update(ctcd_stack *stack, ctcd_error **err) {
    struct store *store = NULL;
    int rc = stack_check_complete(stack, err);
    if (!rc)
        rc = context_store(stack->object.ctx, &store, err);
    return rc ? rc : store_stack_update(store, &stack->record, err);
}

int stack_delete(ctcd_stack *stack, ctcd_error **err) {
    struct store *store = NULL;
    int rc = context_store(stack->object.ctx, &store, err);
    return rc ? rc : store_stack_delete(store, stack->record.name, err);
}
