/* See object.h. */
#include "engine/object.h"

#include <string.h>

#include "base/buf.h"
#include "base/fork.h"
#include "io/yaml.h"

void *object_new(ctcd_context *ctx, const struct object_kind *kind, size_t size) {
    struct object *o = mem_alloc(size);
    if (!o)
        return NULL;
    atomic_init(&o->refs, 1);
    o->kind = kind;
    o->ctx = ctx;
    o->weak = ctx && ctx->stepping;
    if (!o->weak)
        context_ref(ctx);
    return o;
}

void object_adopt(void *object) {
    struct object *o = object;
    if (!o || !o->weak)
        return;
    o->weak = false;
    context_ref(o->ctx);
}

void *object_ref(void *object) {
    struct object *o = object;
    if (o)
        atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return object;
}

void *object_unref(void *object) {
    struct object *o = object;
    if (!o || (o->ctx && o->ctx->fork_generation != fork_generation()))
        return NULL;
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    ctcd_context *ctx = o->weak ? NULL : o->ctx;
    if (o->kind->done)
        o->kind->done(o);
    mem_free(o);
    context_unref(ctx);
    return NULL;
}

void object_done(void *pointer_to_object) {
    void **p = pointer_to_object;
    *p = object_unref(*p);
}

int json_format(const struct json *value, const char *format, char **ret_text, ctcd_error **err) {
    if (!value)
        return error_nomem(err);
    char *text = NULL;
    if (strcmp(format, "json") == 0) {
        text = json_to_strict(value, true);
    } else if (strcmp(format, "yaml") == 0) {
        text = json_to_yaml_text(value);
    } else {
        return error_set(err, CTCD_E_INVALID, "it is one of: json, yaml, name",
                         "there is no format \"%s\"", format);
    }
    if (!text)
        return error_nomem(err);
    *ret_text = text;
    return 0;
}

int object_format(const void *object, const char *format, char **ret_text, ctcd_error **err) {
    const struct object *o = object;
    if (strcmp(format, "name") == 0 && o->kind->label) {
        char *text = mem_copy_text(o->kind->label(o));
        if (!text)
            return error_nomem(err);
        *ret_text = text;
        return 0;
    }
    _cleanup_(json_done) struct json *json = o->kind->to_json(o);
    return json_format(json, format, ret_text, err);
}

/* ---- lists ---- */

struct ctcd_list {
    struct object object;
    const struct object_kind *items_kind;
    void **items;
    size_t count, room;
    char *next; /* of a page; NULL = it is none */
};

static void list_free(void *object) {
    ctcd_list *list = object;
    for (size_t i = 0; i < list->count; i++)
        object_unref(list->items[i]);
    mem_free(list->items);
    mem_free(list->next);
}

static struct json *list_to_json(const void *object) {
    const ctcd_list *list = object;
    struct json *array = json_new_array();
    for (size_t i = 0; array && i < list->count; i++)
        if (!json_append_new(array, list->items_kind->to_json(list->items[i])))
            array = json_unref(array);
    if (!list->next)
        return array;
    struct json *page = json_new_object();
    if (json_set_new(page, "items", array) &&
        (list->next[0] ? json_set_text(page, "next", list->next) : json_set_null(page, "next")))
        return page;
    return json_unref(page);
}

const struct object_kind LIST_KIND = {"list", list_free, list_to_json, NULL};

ctcd_list *object_list_new(ctcd_context *ctx, const struct object_kind *items) {
    ctcd_list *list = object_new(ctx, &LIST_KIND, sizeof(*list));
    if (list)
        list->items_kind = items;
    return list;
}

bool object_list_take(ctcd_list *list, void *object) {
    if (!object)
        return false;
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        void **items = mem_resize(list->items, room, sizeof(*items));
        if (!items) {
            object_unref(object);
            return false;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = object;
    return true;
}

size_t object_list_count(const ctcd_list *list) {
    return list ? list->count : 0;
}

void *object_list_at(const ctcd_list *list, const struct object_kind *kind, size_t index) {
    if (!list || index >= list->count || (kind && list->items_kind != kind))
        return NULL;
    return list->items[index];
}

const struct object_kind *object_list_kind(const ctcd_list *list) {
    return list->items_kind;
}

bool object_list_make_page(ctcd_list *list, const char *next) {
    list->next = mem_copy_text(next);
    return list->next != NULL;
}

const char *object_list_next(const ctcd_list *list) {
    return list && list->next ? list->next : "";
}

static int list_names(const ctcd_list *list, char **ret_text, ctcd_error **err) {
    _cleanup_(buf_done) struct buf names = {0};
    for (size_t i = 0; i < list->count; i++)
        buf_addf(&names, "%s%s", i ? "\n" : "", list->items_kind->label(list->items[i]));
    char *text = buf_steal(&names);
    if (!text)
        return error_nomem(err);
    *ret_text = text;
    return 0;
}

int object_list_format(const ctcd_list *list, const char *format, char **ret_text,
                       ctcd_error **err) {
    if (strcmp(format, "name") == 0 && list->items_kind->label)
        return list_names(list, ret_text, err);
    return object_format(list, format, ret_text, err);
}
