/* A stack with its components as a file that another home can take in (component.h). Secrets are options by
   reference only, so a file holds none.

       stack: serving
       components:
         model-deployer: {name: ml, flavor: mlflow, options: {python: /usr/bin/python3}} */
#include <string.h>

#include "engine/component.h"
#include "io/yaml.h"

/* ---- out ---- */

static int add_component(const ctcd_stack *stack, int type, struct json *all, ctcd_error **err) {
    _cleanup_(object_done) ctcd_component *c = NULL;
    const char *name = stack->record.components[type];
    if (!name || !*name)
        return 0;
    int rc = component_get(stack->object.ctx, type, name, &c, err);
    if (rc)
        return rc;
    _cleanup_(json_done) struct json *one = json_new_object();
    if (!json_set_text(one, "name", c->name) || !json_set_text(one, "flavor", c->flavor) ||
        (json_size(c->options) && !json_set(one, "options", c->options)) ||
        !json_set(all, component_type_name(type), one))
        return error_nomem(err);
    return 0;
}

int stack_export(const ctcd_stack *stack, char **ret_text, ctcd_error **err) {
    _cleanup_(json_done) struct json *file = json_new_object();
    _cleanup_(json_done) struct json *components = json_new_object();
    struct store *store = NULL;
    if (!json_set_text(file, "stack", stack->record.name) || !components)
        return error_nomem(err);
    int rc = context_store(stack->object.ctx, &store, err);
    if (!rc)
        rc = store_begin_read(store, err);
    if (rc)
        return rc;
    for (int type = 1; !rc && type < STORE_COMPONENT_TYPES; type++)
        rc = add_component(stack, type, components, err);
    store_rollback(store);
    if (rc)
        return rc;
    char *text = json_set(file, "components", components) ? json_to_yaml_text(file) : NULL;
    return text ? (*ret_text = text, 0) : error_nomem(err);
}

/* ---- in ---- */

/* CTCD_E_INVALID names a key that is none of these. */
static int check_keys(const struct yaml_node *node, const char *what, const char *const *keys,
                      const char *hint, ctcd_error **err) {
    if (!node || node->kind != YAML_MAPPING)
        return yaml_error(err, CTCD_E_INVALID, node, hint, "%s must be a mapping", what);
    for (size_t i = 0; i < node->count; i++) {
        size_t k = 0;
        while (keys[k] && strcmp(keys[k], node->children[i]->key) != 0)
            k++;
        if (keys[k])
            continue;
        const struct yaml_node *child = node->children[i];
        const struct yaml_node key = {
            .name = child->name, .line = child->key_line, .column = child->key_column};
        return yaml_error(err, CTCD_E_INVALID, &key, hint, "%s has no \"%s\"", what, child->key);
    }
    return 0;
}

static int need_text(const struct yaml_node *mapping, const char *key, const char **ret,
                     ctcd_error **err) {
    const char *text = yaml_text(yaml_get(mapping, key));
    if (!text)
        return yaml_error(err, CTCD_E_INVALID, mapping, NULL, "\"%s\" is missing, or no text", key);
    *ret = text;
    return 0;
}

/* What is wrong with a value is said with the place where it stands. */
static int at(const struct yaml_node *node, int rc, ctcd_error *said, ctcd_error **err) {
    if (rc)
        yaml_error(err, rc, node, error_hint_text(said), "%s", error_message(said));
    error_unref(said);
    return rc;
}

static int set_options(ctcd_component *c, const struct yaml_node *options, ctcd_error **err) {
    if (options && options->kind != YAML_MAPPING)
        return yaml_error(err, CTCD_E_INVALID, options, NULL, "\"options\" must be a mapping");
    int rc = 0;
    for (size_t i = 0; options && !rc && i < options->count; i++) {
        const struct yaml_node *node = options->children[i];
        ctcd_error *said = NULL;
        if (!yaml_text(node))
            return yaml_error(err, CTCD_E_INVALID, node, NULL, "the option \"%s\" must be a text",
                              node->key);
        rc = component_set_option(c, node->key, yaml_text(node), &said);
        rc = at(node, rc, said, err);
    }
    return rc;
}

/* One of that name is used if it is just the same; it is never changed. */
static int same_or_conflict(const ctcd_component *wanted, const struct yaml_node *node,
                            const ctcd_component *there, ctcd_error **err) {
    const char *type = component_type_name(wanted->type);
    const char *hint = "give the component in the file another name, or make the two equal";
    if (strcmp(there->flavor, wanted->flavor) != 0)
        return yaml_error(err, CTCD_E_CONFLICT, node, hint,
                          "there is a %s \"%s\" already, of the flavor %s, not %s", type,
                          wanted->name, there->flavor, wanted->flavor);
    /* Both in the order of the flavor's table. */
    _cleanup_(mem_free_ptr) char *one = json_to_text(there->options);
    _cleanup_(mem_free_ptr) char *other = json_to_text(wanted->options);
    if (!one || !other)
        return error_nomem(err);
    if (strcmp(one, other) == 0)
        return 0;
    return yaml_error(err, CTCD_E_CONFLICT, node, hint,
                      "there is a %s \"%s\" already, with other options", type, wanted->name);
}

static int take_component(ctcd_stack *stack, int type, const struct yaml_node *node,
                          ctcd_error **err) {
    static const char *const keys[] = {"name", "flavor", "options", NULL};
    ctcd_context *ctx = stack->object.ctx;
    const char *name = NULL, *flavor = NULL;
    _cleanup_(object_done) ctcd_component *wanted = NULL;
    _cleanup_(object_done) ctcd_component *there = NULL;
    ctcd_error *said = NULL;
    int rc = check_keys(node, "a component", keys, "it has name, flavor, options", err);
    if (!rc)
        rc = need_text(node, "name", &name, err);
    if (!rc)
        rc = need_text(node, "flavor", &flavor, err);
    if (!rc) {
        rc = component_new(ctx, type, flavor, name, &wanted, &said);
        rc = at(node, rc, said, err);
    }
    if (!rc)
        rc = set_options(wanted, yaml_get(node, "options"), err);
    if (rc)
        return rc;
    rc = component_get(ctx, type, name, &there, err);
    if (rc == CTCD_E_NOT_FOUND) {
        error_done(err);
        rc = component_register(wanted, err);
    } else if (!rc) {
        rc = same_or_conflict(wanted, node, there, err);
    }
    if (rc)
        return rc;
    char *copy = mem_copy_text(name);
    if (!copy)
        return error_nomem(err);
    mem_free(stack->record.components[type]);
    stack->record.components[type] = copy;
    return 0;
}

static int take_all(ctcd_stack *stack, const struct yaml_node *components, ctcd_error **err) {
    const char *keys[STORE_COMPONENT_TYPES] = {0};
    for (int type = 1; type < STORE_COMPONENT_TYPES; type++)
        keys[type - 1] = component_type_name(type);
    int rc = check_keys(components, "\"components\"", keys,
                        "it has orchestrator, artifact-store, metadata-store, model-deployer", err);
    for (int type = 1; !rc && type < STORE_COMPONENT_TYPES; type++) {
        const struct yaml_node *node = yaml_get(components, component_type_name(type));
        if (node)
            rc = take_component(stack, type, node, err);
    }
    return rc ? rc : stack_register(stack, err);
}

int stack_import(ctcd_context *ctx, const char *text, const char *name, const char *as,
                 ctcd_stack **ret, ctcd_error **err) {
    static const char *const keys[] = {"stack", "components", NULL};
    _cleanup_(yaml_done) struct yaml_node *root = NULL;
    _cleanup_(object_done) ctcd_stack *stack = NULL;
    struct store *store = NULL;
    const char *called = NULL;
    int rc = yaml_parse(text, strlen(text), name, &root, err);
    if (!rc)
        rc = check_keys(root, "the file of a stack", keys, "it has stack and components", err);
    if (!rc)
        rc = need_text(root, "stack", &called, err);
    if (!rc && !yaml_get(root, "components"))
        rc = yaml_error(err, CTCD_E_INVALID, root, NULL, "\"components\" is missing");
    if (!rc)
        rc = stack_new(ctx, as ? as : called, &stack, err);
    if (!rc)
        rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_begin(store, err);
    if (rc)
        return rc;
    rc = take_all(stack, yaml_get(root, "components"), err);
    if (!rc)
        rc = store_commit(store, err);
    else
        store_rollback(store);
    if (rc)
        return rc;
    *ret = mem_steal(&stack);
    return 0;
}
