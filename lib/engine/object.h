/* What all immutable handles have in common: a reference count, their context, and printing themselves.
   A handle's struct has `struct object` as its first member. */
#ifndef CTCD_ENGINE_OBJECT_H
#define CTCD_ENGINE_OBJECT_H

#include <ctcd/list.h>
#include <stdatomic.h>

#include "engine/context.h"
#include "io/json.h"

struct object;
struct object_kind {
    const char *name;                            /* "service" */
    void (*done)(void *object);                  /* releases what the struct owns */
    struct json *(*to_json)(const void *object); /* new; NULL = out of memory */
    const char *(*label)(const void *object);    /* what format "name" prints; NULL = cannot */
};
struct object {
    atomic_uint refs;
    const struct object_kind *kind;
    ctcd_context *ctx; /* a reference, unless weak; NULL where it needs none */
    bool weak; /* made by a running op, for itself: else an op would keep its context alive */
};

/* Zeroed struct of size bytes with one reference; NULL = out of memory. */
void *object_new(ctcd_context *ctx, const struct object_kind *kind, size_t size);
/* A user gets it: from now on it holds its context. */
void object_adopt(void *object);
void *object_ref(void *object);   /* accepts NULL */
void *object_unref(void *object); /* accepts NULL, returns NULL; frees nothing in a forked child */
void object_done(void *pointer_to_object); /* for _cleanup_ */
/* "json" (pretty), "yaml", "name". CTCD_E_INVALID names the formats. */
int object_format(const void *object, const char *format, char **ret_text, ctcd_error **err);
/* The same for a value that no object holds. */
int json_format(const struct json *value, const char *format, char **ret_text, ctcd_error **err);

/* A list of objects of one kind. list_add owns the reference that it is given, also on failure. */
extern const struct object_kind LIST_KIND;
ctcd_list *object_list_new(ctcd_context *ctx, const struct object_kind *items);
bool object_list_take(ctcd_list *list, void *object); /* false = out of memory, or object is NULL */
size_t object_list_count(const ctcd_list *list);
/* As object_format; "name" prints one label a line. */
int object_list_format(const ctcd_list *list, const char *format, char **ret_text,
                       ctcd_error **err);
const struct object_kind *object_list_kind(const ctcd_list *list);
/* A page: it prints itself with what comes next, "" = nothing. false = out of memory. */
bool object_list_make_page(ctcd_list *list, const char *next);
const char *object_list_next(const ctcd_list *list); /* "" also where it is no page */
/* NULL when out of range, or when it is a list of another kind. kind NULL = any. */
void *object_list_at(const ctcd_list *list, const struct object_kind *kind, size_t index);

#endif
