/* See flavor.h. Registered tables, and the opened back ends made from them. */
#include "engine/flavor.h"

#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "core/identity.h"
#include "engine/call.h"
#include "engine/component.h"

#define TABLE_MAX_BYTES 4096u
#define TABLE_MIN_BYTES offsetof(ctcd_model_deployer_vtable, announce) /* of ABI 1 */
#define METHOD_BYTES sizeof(void (*)(void))

static const ctcd_option_entry NO_OPTIONS[] = {{0}};

/* The flavors of the other component types: all there are in this version, without options. */
static const char *local_flavor(int type) {
    switch (type) {
    case CTCD_COMPONENT_ORCHESTRATOR:
    case CTCD_COMPONENT_ARTIFACT_STORE:
        return "local";
    case CTCD_COMPONENT_METADATA_STORE:
        return "sqlite";
    default:
        return NULL;
    }
}

/* ---- registering ---- */

static int bad_option(const char *flavor, const char *name, const char *what, ctcd_error **err) {
    return error_set(err, CTCD_E_INVALID, NULL, "the back end %s: option %s %s", flavor, name,
                     what);
}

static int check_options(const char *flavor, const ctcd_option_entry *table, ctcd_error **err) {
    static const char *const types[] = {"text",     "path",    "integer",
                                        "duration", "boolean", "variables"};
    for (const ctcd_option_entry *o = table; o && o->name; o++) {
        bool known = o->type && text_starts(o->type, "choice:") && o->type[7];
        for (size_t i = 0; o->type && i < sizeof types / sizeof *types; i++)
            known = known || strcmp(o->type, types[i]) == 0;
        if (!o->name[0] ||
            strspn(o->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(o->name))
            return bad_option(flavor, o->name, "has no proper name", err);
        for (const ctcd_option_entry *before = table; before != o; before++)
            if (strcmp(before->name, o->name) == 0)
                return bad_option(flavor, o->name, "is there twice", err);
        if (!known)
            return bad_option(flavor, o->name, "has an unknown type", err);
        if ((o->help && !text_is_utf8(o->help)) || !text_is_utf8(o->type))
            return bad_option(flavor, o->name, "has a text that is not UTF-8", err);
        if (o->reserved || (o->flags & ~(CTCD_OPTION_REQUIRED | CTCD_OPTION_SECRET)))
            return bad_option(flavor, o->name, "has unknown flags", err);
        if (o->default_value && options_check_value(o, o->default_value, NULL))
            return bad_option(flavor, o->name, "has an impossible default", err);
    }
    return 0;
}

static int check_table(const ctcd_model_deployer_vtable *t, ctcd_error **err) {
    if (t->size < TABLE_MIN_BYTES || t->size > TABLE_MAX_BYTES ||
        (t->size < sizeof(*t) && (t->size - TABLE_MIN_BYTES) % METHOD_BYTES))
        return error_set(err, CTCD_E_INVALID, "set size to sizeof(ctcd_model_deployer_vtable)",
                         "the back end's table has an impossible size of %zu bytes", t->size);
    if (t->abi > CTCD_PLUGIN_ABI)
        return error_set(err, CTCD_E_NEWER, "use a newer libctcd",
                         "the back end needs plug-in interface %u; this library has %u", t->abi,
                         CTCD_PLUGIN_ABI);
    bool unknown = (t->flags & ~CTCD_DEPLOYER_CSV) != 0;
    if (unknown || !t->flavor)
        return error_set(err, CTCD_E_INVALID, NULL, "the back end's table has %s",
                         unknown ? "unknown flags" : "no flavor name");
    int rc = name_check_plain("flavor", t->flavor, err);
    if (rc)
        return rc;
    if (!t->open || !t->close || !t->validate || !t->apply || !t->observe || !t->remove)
        return error_set(err, CTCD_E_INVALID, NULL, "the back end %s lacks a required method",
                         t->flavor);
    rc = check_options(t->flavor, t->component_options, err);
    return rc ? rc : check_options(t->flavor, t->deployment_options, err);
}

static void flavor_free(struct flavor *flavor) {
    mem_free(flavor->component_options);
    mem_free(flavor->deployment_options);
    mem_free(flavor->name);
    mem_free(flavor);
}

/* What this version knows of the table, with texts of its own; NULL = out of memory. */
static struct flavor *flavor_copy(const ctcd_model_deployer_vtable *vtable) {
    struct flavor *flavor = mem_alloc(sizeof(*flavor));
    if (!flavor)
        return NULL;
    ctcd_model_deployer_vtable *table = &flavor->table;
    memcpy(table, vtable, vtable->size < sizeof(*table) ? vtable->size : sizeof(*table));
    flavor->name = mem_copy_text(vtable->flavor);
    flavor->component_options = option_table_copy(vtable->component_options);
    flavor->deployment_options = option_table_copy(vtable->deployment_options);
    if (!flavor->name || !flavor->component_options || !flavor->deployment_options) {
        flavor_free(flavor);
        return NULL;
    }
    table->flavor = flavor->name;
    table->component_options = flavor->component_options;
    table->deployment_options = flavor->deployment_options;
    return flavor;
}

int flavor_register(ctcd_context *ctx, const ctcd_model_deployer_vtable *vtable, void *user_data,
                    ctcd_destroy_fn destroy, ctcd_error **err) {
    int rc = check_table(vtable, err);
    if (rc)
        return rc;
    if (flavor_find(ctx, vtable->flavor))
        return error_set(err, CTCD_E_EXISTS, NULL, "there is a flavor \"%s\" already",
                         vtable->flavor);
    struct flavor *flavor = flavor_copy(vtable);
    if (!flavor)
        return error_nomem(err);
    flavor->user_data = user_data;
    flavor->destroy = destroy;
    list_append(&ctx->flavors, &flavor->node);
    return 0;
}

struct flavor *flavor_find(const ctcd_context *ctx, const char *name) {
    for (struct list *n = ctx->flavors.next; n != &ctx->flavors; n = n->next) {
        struct flavor *flavor = list_of(n, struct flavor, node);
        if (strcmp(flavor->name, name) == 0)
            return flavor;
    }
    return NULL;
}

void flavors_free(ctcd_context *ctx) {
    struct list *n;
    while ((n = list_pop(&ctx->flavors))) {
        struct flavor *flavor = list_of(n, struct flavor, node);
        context_give_back(ctx, flavor->destroy, flavor->user_data);
        flavor_free(flavor);
    }
}

/* ---- asking ---- */

size_t flavor_count(ctcd_context *ctx, int type) {
    return type == CTCD_COMPONENT_MODEL_DEPLOYER ? list_count(&ctx->flavors)
           : local_flavor(type)                  ? 1
                                                 : 0;
}

const char *flavor_name(ctcd_context *ctx, int type, size_t index) {
    if (type != CTCD_COMPONENT_MODEL_DEPLOYER)
        return index == 0 ? local_flavor(type) : NULL;
    for (struct list *n = ctx->flavors.next; n != &ctx->flavors; n = n->next)
        if (index-- == 0)
            return list_of(n, struct flavor, node)->name;
    return NULL;
}

const ctcd_option_entry *flavor_options(ctcd_context *ctx, int type, const char *flavor,
                                        int scope) {
    if (type != CTCD_COMPONENT_MODEL_DEPLOYER) {
        const char *known = local_flavor(type);
        return known && strcmp(known, flavor) == 0 ? NO_OPTIONS : NULL;
    }
    struct flavor *f = flavor_find(ctx, flavor);
    if (!f)
        return NULL;
    return scope == CTCD_SCOPE_DEPLOYMENT ? f->deployment_options : f->component_options;
}

int flavor_check(ctcd_context *ctx, int type, const char *flavor, ctcd_error **err) {
    if (flavor_options(ctx, type, flavor, CTCD_SCOPE_COMPONENT))
        return 0;
    _cleanup_(buf_done) struct buf known = {0};
    for (size_t i = 0; i < flavor_count(ctx, type); i++)
        buf_addf(&known, "%s%s", i ? ", " : "it is one of: ", flavor_name(ctx, type, i));
    return error_set(err, CTCD_E_INVALID, known.text, "there is no flavor \"%s\" of %s", flavor,
                     component_type_name(type));
}

/* ---- opened back ends ---- */

static void backend_free(struct backend *backend) {
    while (!list_empty(&backend->calls)) {
        ctcd_call *call = call_of_node(backend->calls.next);
        call_drop(&call);
    }
    if (backend->opened) {
        backend->ctx->shut++;
        backend->flavor->table.close(backend->impl);
        backend->ctx->shut--;
    }
    while (!list_empty(&backend->watches))
        ctcd_watch_end(watch_of_node(backend->watches.next));
    list_remove(&backend->node);
    options_free(backend->options);
    mem_free(backend->component);
    mem_free(backend->config);
    mem_free(backend->folder);
    mem_free(backend);
}

static int backend_new(ctcd_context *ctx, const struct store_component *record,
                       struct backend **ret, ctcd_error **err) {
    struct flavor *flavor = flavor_find(ctx, record->flavor);
    if (!flavor)
        return error_set(err, CTCD_E_NOT_FOUND, "register the flavor in this program first",
                         "the model deployer %s is of the flavor \"%s\", which is not known here",
                         record->name, record->flavor);
    struct backend *backend = mem_alloc(sizeof(*backend));
    if (!backend)
        return error_nomem(err);
    backend->ctx = ctx;
    backend->flavor = flavor;
    list_init(&backend->node);
    list_init(&backend->watches);
    list_init(&backend->calls);
    backend->component = mem_copy_text(record->name);
    backend->config = mem_copy_text(record->options);
    int rc = backend->component && backend->config ? 0 : error_nomem(err);
    if (!rc)
        rc = options_new(
            flavor_options(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, flavor->name, CTCD_SCOPE_COMPONENT),
            &backend->options, err);
    if (!rc)
        rc = options_from_json(backend->options, flavor->name, record->options, err);
    if (rc) {
        backend_free(backend);
        return rc;
    }
    list_append(&ctx->backends, &backend->node);
    *ret = backend;
    return 0;
}

int backend_get(ctcd_context *ctx, const char *component, struct backend **ret, ctcd_error **err) {
    struct store *store = NULL;
    int rc = context_store(ctx, &store, err);
    if (rc)
        return rc;
    _cleanup_(store_component_done) struct store_component record = {0};
    rc = store_component_get(store, CTCD_COMPONENT_MODEL_DEPLOYER, component, &record, err);
    if (rc)
        return rc;
    for (struct list *n = ctx->backends.next; n != &ctx->backends; n = n->next) {
        struct backend *backend = list_of(n, struct backend, node);
        if (strcmp(backend->component, record.name) == 0 &&
            strcmp(backend->config, record.options) == 0 &&
            strcmp(backend->flavor->name, record.flavor) == 0) {
            *ret = backend;
            return 0;
        }
    }
    return backend_new(ctx, &record, ret, err);
}

void backends_free(ctcd_context *ctx) {
    while (!list_empty(&ctx->backends))
        backend_free(list_of(ctx->backends.next, struct backend, node));
}
