/* JSON values, parsing and writing: the only door to jansson. Used by protocols, store, engine, kube
   and the back ends for all that is exchanged or stored as JSON.

   A value is reference counted (atomically; the contents are not to be changed by two threads). Trees
   only: a value must not be put into itself. Names here differ from jansson's on purpose, and where
   jansson cannot hold NaN and infinities, these values can: json_new_real(NAN) is a real. All text is
   valid UTF-8 without NUL; anything else is refused (constructors return NULL). */
#ifndef CTCD_IO_JSON_H
#define CTCD_IO_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

struct json;

enum json_kind {
    JSON_KIND_NONE, /* of NULL: there is no value */
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,
    JSON_KIND_REAL,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

#define JSON_MAX_DEPTH 64 /* nested arrays and objects, in what is parsed and in what is written */

/* Flags of json_parse. */
#define JSON_UNIQUE_KEYS                                                                           \
    1u /* refuse an object that says one key twice (else the last one counts) */
#define JSON_PYTHON                                                                                \
    2u                     /* what Python's json writes: bare NaN, Infinity, -Infinity become reals,
                               integers beyond 64 bits become the nearest real */
#define JSON_USER_INPUT 4u /* what is wrong is CTCD_E_INVALID instead of CTCD_E_PROTOCOL */

/* One value and nothing after it. name: whose text it is ("answer of 127.0.0.1:5000", a file), NULL =
   "JSON"; messages read `NAME:LINE:COLUMN: what`. More than max_bytes or JSON_MAX_DEPTH is
   CTCD_E_TOO_LARGE. *ret: a new reference. */
int json_parse(const char *text, size_t len, size_t max_bytes, uint32_t flags, const char *name,
               struct json **ret, ctcd_error **err);
/* Reads a whole file of at most max_bytes and parses it; the name in messages is the path. */
int json_parse_file(const char *path, size_t max_bytes, uint32_t flags, struct json **ret,
                    ctcd_error **err);

struct json *json_ref(struct json *value);
struct json *json_unref(struct json *value); /* accepts NULL, returns NULL */
void json_done(struct json **value);         /* for _cleanup_ */

/* New references; NULL = out of memory, or text that is not UTF-8. json_new_text(NULL) is null. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_text(const char *text);
struct json *json_new_text_len(const char *text, size_t len);
struct json *json_new_int(int64_t value);
struct json *json_new_real(double value); /* also NAN and INFINITY */
struct json *json_new_bool(bool value);
struct json *json_new_null(void);

/* Changing. All return false when memory is out or a given value is NULL, and then change nothing; so a
   chain of && builds an object and asks once. *_new own the value, also on failure. An older value of
   the key is replaced in its place. */
bool json_set(struct json *object, const char *key, struct json *value);
bool json_set_new(struct json *object, const char *key, struct json *value);
bool json_set_text(struct json *object, const char *key, const char *text); /* NULL becomes null */
bool json_set_int(struct json *object, const char *key, int64_t value);
bool json_set_real(struct json *object, const char *key, double value);
bool json_set_bool(struct json *object, const char *key, bool value);
bool json_set_null(struct json *object, const char *key);
void json_remove(struct json *object, const char *key);
bool json_append(struct json *array, struct json *value);
bool json_append_new(struct json *array, struct json *value);
bool json_append_text(struct json *array, const char *text);

/* Asking. What is borrowed lives as long as its container. Every function accepts NULL and a value of
   another kind, and then answers NULL, false, 0 or the fallback: chains need no checks between. */
enum json_kind json_kind(const struct json *value);
const char *json_kind_name(enum json_kind kind); /* "an object", "a number", for messages */
size_t json_size(const struct json *value);      /* members of an object or an array */
struct json *json_get(const struct json *object, const char *key); /* borrowed */
struct json *json_at(const struct json *array, size_t index);      /* borrowed */
/* json_get along keys and array indexes: "status.conditions.0.type". Keys with dots: use json_get. */
struct json *json_find(const struct json *value, const char *path);
const char *json_text(const struct json *value); /* NULL unless it is a text; borrowed */
bool json_is_true(const struct json *value);     /* the value true, nothing else */
bool json_is_null(const struct json *value);     /* NULL or the value null */
/* A whole number: an int, or a real without fraction that fits. */
bool json_to_int(const struct json *value, int64_t *ret);
bool json_to_real(const struct json *value, double *ret); /* an int or a real, NaN too */
const char *json_get_text(const struct json *object, const char *key);
int64_t json_get_int(const struct json *object, const char *key, int64_t fallback);
double json_get_real(const struct json *object, const char *key, double fallback);
bool json_get_bool(const struct json *object, const char *key, bool fallback);

/* for (struct json_iter i = json_members(object); json_next(&i);) use(i.key, i.value);
   in insertion order; both borrowed. The object must not change meanwhile, but json_set of an existing
   key is allowed. */
struct json_iter {
    struct json *object;
    void *place;
    const char *key;
    struct json *value;
};
struct json_iter json_members(const struct json *object);
bool json_next(struct json_iter *iter);

struct json *json_clone(const struct json *value); /* deep; NULL = out of memory (or of NULL) */
/* Deep; order of keys does not matter; 1 and 1.0 differ; NaN is the same as NaN. */
bool json_same(const struct json *a, const struct json *b);

/* Owned texts; NULL = out of memory, value NULL, or deeper than JSON_MAX_DEPTH. Numbers are the
   shortest that read back as the same; reals always show it (1.0, 1e+300). NaN and infinities are
   written as Python writes them (NaN, Infinity, -Infinity): check with json_has_nan where the reader
   is strict. Text is not escaped to ASCII. */
char *json_to_text(const struct json *value);      /* compact, insertion order */
char *json_to_canonical(const struct json *value); /* compact, keys sorted by bytes: for digests */
char *json_to_pretty(const struct json *value); /* two spaces, insertion order, no final newline */
/* For readers that are not ours: NaN and infinities are the texts "NaN", "Infinity", "-Infinity". */
char *json_to_strict(const struct json *value, bool pretty);
bool json_has_nan(const struct json *value); /* a NaN or an infinity somewhere in it */

#endif
