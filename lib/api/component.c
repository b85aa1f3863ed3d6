/* ctcd_component_*, ctcd_flavor_*, ctcd_stack_*: see <ctcd/component.h>. */
#include "engine/component.h"

#include <string.h>

#include "api/gate.h"

static ctcd_context *ctx_of(const void *object) {
    return object ? ((const struct object *)object)->ctx : NULL;
}

CTCD_API const char *ctcd_component_type_name(int type) {
    return component_type_name(type);
}

/* ---- flavors ---- */

CTCD_API size_t ctcd_flavor_count(ctcd_context *ctx, int type) {
    struct gate gate;
    if (gate_enter(&gate, ctx, NULL))
        return 0;
    size_t count = flavor_count(ctx, type);
    gate_leave(&gate, 0);
    return count;
}

CTCD_API const char *ctcd_flavor_name(ctcd_context *ctx, int type, size_t index) {
    struct gate gate;
    if (gate_enter(&gate, ctx, NULL))
        return NULL;
    const char *name = flavor_name(ctx, type, index);
    gate_leave(&gate, 0);
    return name;
}

static const ctcd_option_entry *table_of(ctcd_context *ctx, int type, const char *flavor,
                                         int scope) {
    struct gate gate;
    if (!flavor || gate_enter(&gate, ctx, NULL))
        return NULL;
    const ctcd_option_entry *table = flavor_options(ctx, type, flavor, scope);
    gate_leave(&gate, 0);
    return table;
}

CTCD_API size_t ctcd_flavor_option_count(ctcd_context *ctx, int type, const char *flavor,
                                         int scope) {
    return option_table_count(table_of(ctx, type, flavor, scope));
}

CTCD_API const char *ctcd_flavor_option(ctcd_context *ctx, int type, const char *flavor, int scope,
                                        size_t index, const char *what) {
    const ctcd_option_entry *table = table_of(ctx, type, flavor, scope);
    if (!what || index >= option_table_count(table))
        return NULL;
    const ctcd_option_entry *entry = &table[index];
    if (strcmp(what, "name") == 0)
        return entry->name;
    if (strcmp(what, "type") == 0)
        return entry->type;
    if (strcmp(what, "default") == 0)
        return entry->default_value;
    if (strcmp(what, "help") == 0)
        return entry->help;
    if (strcmp(what, "required") == 0)
        return entry->flags & CTCD_OPTION_REQUIRED ? "yes" : "no";
    if (strcmp(what, "secret") == 0)
        return entry->flags & CTCD_OPTION_SECRET ? "yes" : "no";
    return NULL;
}

/* ---- components ---- */

CTCD_API int ctcd_component_new(ctcd_context *ctx, int type, const char *flavor, const char *name,
                                ctcd_component **ret_component, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "ret_component", ret_component, NULL);
    if (!rc)
        rc = gate_text(&gate, "flavor", flavor);
    if (!rc)
        rc = gate_text(&gate, "name", name);
    if (!rc)
        rc = component_new(ctx, type, flavor, name, ret_component, err);
    return gate_leave(&gate, rc);
}

CTCD_API ctcd_component *ctcd_component_ref(ctcd_component *component) {
    return object_ref(component);
}

CTCD_API ctcd_component *ctcd_component_unref(ctcd_component *component) {
    return object_unref(component);
}

CTCD_API int ctcd_component_set_option(ctcd_component *component, const char *key,
                                       const char *value, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(component), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "key", key);
    if (!rc)
        rc = gate_text(&gate, "value", value);
    if (!rc)
        rc = component_set_option(component, key, value, err);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_component_unset_option(ctcd_component *component, const char *key,
                                         ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(component), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "key", key);
    return gate_leave(&gate, rc ? rc : component_set_option(component, key, NULL, err));
}

CTCD_API int ctcd_component_update(ctcd_component *component, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(component), err);
    return rc ? rc : gate_leave(&gate, component_update(component, err));
}

CTCD_API int ctcd_component_register(ctcd_component *component, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(component), err);
    return rc ? rc : gate_leave(&gate, component_register(component, err));
}

CTCD_API int ctcd_component_get(ctcd_context *ctx, int type, const char *name,
                                ctcd_component **ret_component, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "ret_component", ret_component, NULL);
    if (!rc)
        rc = gate_text(&gate, "name", name);
    if (!rc)
        rc = component_get(ctx, type, name, ret_component, err);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_component_list(ctcd_context *ctx, int type, ctcd_list **ret_list,
                                 ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = ret_list ? component_list(ctx, type, ret_list, err) : gate_missing(&gate, "ret_list");
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_component_delete(ctcd_component *component, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(component), err);
    return rc ? rc : gate_leave(&gate, component_delete(component, err));
}

CTCD_API int ctcd_component_type(const ctcd_component *component) {
    return component ? component->type : 0;
}

CTCD_API const char *ctcd_component_name(const ctcd_component *component) {
    return component ? component->name : "";
}

CTCD_API const char *ctcd_component_flavor(const ctcd_component *component) {
    return component ? component->flavor : "";
}

CTCD_API const char *ctcd_component_uuid(const ctcd_component *component) {
    return component ? component->uuid : "";
}

CTCD_API size_t ctcd_component_option_count(const ctcd_component *component) {
    return component ? json_size(component->options) : 0;
}

static bool option_at(const ctcd_component *component, size_t index, struct json_iter *ret) {
    if (!component)
        return false;
    for (*ret = json_members(component->options); json_next(ret);)
        if (index-- == 0)
            return true;
    return false;
}

CTCD_API const char *ctcd_component_option_key(const ctcd_component *component, size_t index) {
    struct json_iter i;
    return option_at(component, index, &i) ? i.key : NULL;
}

CTCD_API const char *ctcd_component_option_value(const ctcd_component *component, size_t index) {
    struct json_iter i;
    return option_at(component, index, &i) ? json_text(i.value) : NULL;
}

CTCD_API int ctcd_component_format(const ctcd_component *component, const char *format,
                                   char **ret_text, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(component), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", format, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : object_format(component, format, ret_text, err));
}

/* ---- stacks ---- */

CTCD_API int ctcd_stack_new(ctcd_context *ctx, const char *name, ctcd_stack **ret_stack,
                            ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "name", name, "ret_stack", ret_stack, NULL);
    return gate_leave(&gate, rc ? rc : stack_new(ctx, name, ret_stack, err));
}

CTCD_API ctcd_stack *ctcd_stack_ref(ctcd_stack *stack) {
    return object_ref(stack);
}

CTCD_API ctcd_stack *ctcd_stack_unref(ctcd_stack *stack) {
    return object_unref(stack);
}

CTCD_API int ctcd_stack_set_component(ctcd_stack *stack, int type, const char *name,
                                      ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(stack), err);
    if (rc)
        return rc;
    char *copy = NULL;
    rc = gate_text(&gate, "name", name);
    if (!rc)
        rc = component_check_type(type, err);
    if (!rc && !(copy = mem_copy_text(name)))
        rc = error_nomem(err);
    if (!rc) {
        mem_free(stack->record.components[type]);
        stack->record.components[type] = copy;
    }
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_stack_register(ctcd_stack *stack, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(stack), err);
    return rc ? rc : gate_leave(&gate, stack_register(stack, err));
}

CTCD_API int ctcd_stack_update(ctcd_stack *stack, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(stack), err);
    return rc ? rc : gate_leave(&gate, stack_update(stack, err));
}

CTCD_API int ctcd_stack_delete(ctcd_stack *stack, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(stack), err);
    return rc ? rc : gate_leave(&gate, stack_delete(stack, err));
}

CTCD_API int ctcd_stack_export(ctcd_stack *stack, char **ret_text, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(stack), err);
    if (rc)
        return rc;
    rc = ret_text ? stack_export(stack, ret_text, err) : gate_missing(&gate, "ret_text");
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_stack_import(ctcd_context *ctx, const char *text, const char *file,
                               const char *name, ctcd_stack **ret_stack, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "text", text, "ret_stack", ret_stack, NULL);
    if (!rc)
        rc = gate_optional_text(&gate, "file", file);
    if (!rc)
        rc = gate_optional_text(&gate, "name", name);
    if (!rc)
        rc = stack_import(ctx, text, file ? file : "stack", name, ret_stack, err);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_stack_get(ctcd_context *ctx, const char *name, ctcd_stack **ret_stack,
                            ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = ret_stack ? gate_optional_text(&gate, "name", name) : gate_missing(&gate, "ret_stack");
    return gate_leave(&gate, rc ? rc : stack_get(ctx, name, ret_stack, err));
}

CTCD_API int ctcd_stack_list(ctcd_context *ctx, ctcd_list **ret_list, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    return gate_leave(&gate,
                      ret_list ? stack_list(ctx, ret_list, err) : gate_missing(&gate, "ret_list"));
}

CTCD_API int ctcd_stack_activate(ctcd_stack *stack, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(stack), err);
    return rc ? rc : gate_leave(&gate, stack_activate(stack, err));
}

CTCD_API const char *ctcd_stack_name(const ctcd_stack *stack) {
    return stack ? stack->record.name : "";
}

CTCD_API const char *ctcd_stack_component(const ctcd_stack *stack, int type) {
    const char *name = stack && component_type_name(type) ? stack->record.components[type] : NULL;
    return name ? name : "";
}

CTCD_API int ctcd_stack_active(const ctcd_stack *stack) {
    return stack && stack->record.active;
}

CTCD_API int ctcd_stack_format(const ctcd_stack *stack, const char *format, char **ret_text,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(stack), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", format, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : object_format(stack, format, ret_text, err));
}
