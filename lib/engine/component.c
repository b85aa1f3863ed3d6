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
    mem_free(c->stored);
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

/* value NULL = as if it had never been set. */
int component_set_option(ctcd_component *c, const char *key, const char *value, ctcd_error **err) {
    _cleanup_(options_done) struct ctcd_options *options = NULL;
    int rc = options_of(c, &options, err);
    if (!rc)
        rc = value ? options_set_here(options, c->flavor, key, value, NULL, err)
                   : options_unset(options, c->flavor, key, err);
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
    _cleanup_(mem_free_ptr) char *copy = mem_copy_text(uuid);
    if (!text || !copy)
        return error_nomem(err);
    struct store_component record = {c->type, c->name, c->flavor,
                                     uuid,    text,    context_wall(c->object.ctx)};
    rc = store_component_add(store, &record, err);
    if (rc)
        return rc;
    mem_free(c->uuid);
    c->uuid = mem_steal(&copy);
    c->stored = mem_steal(&text);
    return 0;
}

int component_update(ctcd_component *c, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(options_done) struct ctcd_options *options = NULL;
    if (!c->uuid[0])
        return error_set(err, CTCD_E_INVALID, "register it first",
                         "the component %s is not registered", c->name);
    int rc = options_of(c, &options, err);
    if (!rc)
        rc = options_check_required(options, c->flavor, err);
    if (!rc)
        rc = context_store(c->object.ctx, &store, err);
    if (rc)
        return rc;
    char *text = options_to_json(options);
    if (!text)
        return error_nomem(err);
    rc = store_component_update(store, c->uuid, c->stored, text, err);
    if (rc) {
        mem_free(text);
        return rc;
    }
    mem_free(c->stored);
    c->stored = text;
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
    if (!rc && !(c->stored = mem_copy_text(record->options))) {
        json_unref(options);
        rc = error_nomem(err);
    }
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
