/* JSON values over jansson. Called by whatever exchanges or stores JSON; json_write.c writes them.

   NaN and infinities, which jansson cannot hold, are kept as texts that begin with NUL: no text that
   is parsed or made here can do so. */
#include "io/json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "io/file.h"

/* Macros of jansson whose names are functions here. */
#undef json_is_true
#undef json_is_null

static const char nan_mark[] = "\0NaN";
static const char plus_mark[] = "\0Infinity";
static const char minus_mark[] = "\0-Infinity";

static json_t *in(const struct json *value) {
    return (json_t *)(uintptr_t)value;
}

static struct json *out(json_t *value) {
    return (struct json *)value;
}

static bool is_mark(const json_t *value) {
    return json_is_string(value) && json_string_length(value) && !json_string_value(value)[0];
}

/* ---- reading ---- */

struct source {
    const char *text;
    size_t len, at;
    unsigned line, depth;
    size_t line_start;
    uint32_t flags;
    const char *name;
    struct buf changed; /* the text with marks, as soon as one was needed */
    size_t copied;      /* how much of text is in `changed` */
    ctcd_error **err;
};

static int refuse(struct source *s, int code, const char *what) {
    if (code == CTCD_E_PROTOCOL && s->flags & JSON_USER_INPUT)
        code = CTCD_E_INVALID;
    return error_set(s->err, code, NULL, "%s:%u:%zu: %s", s->name, s->line,
                     s->at - s->line_start + 1, what);
}

/* Replaces `len` bytes at the place by another text. */
static void change(struct source *s, size_t len, const char *with) {
    buf_add_bytes(&s->changed, s->text + s->copied, s->at - s->copied);
    buf_add(&s->changed, with);
    s->at += len;
    s->copied = s->at;
}

static bool stands_here(const struct source *s, const char *word) {
    size_t len = strlen(word);
    return s->len - s->at >= len && memcmp(s->text + s->at, word, len) == 0;
}

/* Bare NaN, Infinity, -Infinity, and integers that are too long for 64 bits. */
static void scan_number(struct source *s) {
    if (stands_here(s, "NaN")) {
        change(s, 3, "\"\\u0000NaN\"");
        return;
    }
    if (stands_here(s, "Infinity")) {
        change(s, 8, "\"\\u0000Infinity\"");
        return;
    }
    if (stands_here(s, "-Infinity")) {
        change(s, 9, "\"\\u0000-Infinity\"");
        return;
    }
    size_t end = s->at + (s->text[s->at] == '-');
    while (end < s->len && s->text[end] >= '0' && s->text[end] <= '9')
        end++;
    char number[24];
    int64_t value;
    size_t len = end - s->at;
    bool fits = len < sizeof number;
    if (fits) {
        memcpy(number, s->text + s->at, len);
        number[len] = '\0';
        fits = len < 18 || text_to_int64(number, &value);
    }
    s->at = len ? end : s->at + 1;
    bool whole = end == s->len || !strchr(".eE", s->text[end]) || !s->text[end];
    if (!fits && whole)
        change(s, 0, ".0");
    else if (!whole) /* the rest of a real */
        while (s->at < s->len && s->text[s->at] && strchr("0123456789+-.eE", s->text[s->at]))
            s->at++;
}

/* From one quote to behind the other. A mark cannot come in from outside. */
static int scan_text(struct source *s) {
    for (s->at++; s->at < s->len && s->text[s->at] != '"'; s->at++) {
        if (s->text[s->at] == '\\') {
            if (stands_here(s, "\\u0000"))
                return refuse(s, CTCD_E_PROTOCOL, "a text holds the character NUL");
            s->at++;
        }
        if (s->at < s->len && s->text[s->at] == '\n')
            return refuse(s, CTCD_E_PROTOCOL, "a text is not closed on its line");
        if (s->at < s->len && !s->text[s->at])
            return refuse(s, CTCD_E_PROTOCOL, "the character NUL");
    }
    s->at++;
    return 0;
}

/* What jansson does not check as we want it: depth, NUL, and the numbers that Python writes. */
static int scan(struct source *s) {
    int rc = 0;
    while (s->at < s->len && !rc) {
        char c = s->text[s->at];
        if (c == '"') {
            rc = scan_text(s);
            continue;
        }
        if (s->flags & JSON_PYTHON && c && strchr("NI-0123456789", c)) {
            scan_number(s);
            continue;
        }
        if (!c) /* jansson overlooks it behind a number */
            return refuse(s, CTCD_E_PROTOCOL, "the character NUL");
        if ((c == '[' || c == '{') && ++s->depth > JSON_MAX_DEPTH)
            return refuse(s, CTCD_E_TOO_LARGE, "nested too deeply");
        if ((c == ']' || c == '}') && s->depth)
            s->depth--;
        s->at++;
        if (c == '\n') {
            s->line++;
            s->line_start = s->at;
        }
    }
    return rc;
}

/* jansson's words without its quote of the text, which may be a secret. */
static int refuse_as_jansson(struct source *s, json_error_t *error) {
    if (json_error_code(error) == json_error_out_of_memory || !error->text[0])
        return error_nomem(s->err);
    char *near = strstr(error->text, " near ");
    bool at_end = near && strcmp(near, " near end of file") == 0;
    if (near)
        *near = '\0';
    int code = s->flags & JSON_USER_INPUT ? CTCD_E_INVALID : CTCD_E_PROTOCOL;
    return error_set(s->err, code, NULL, "%s:%d:%d: %s%s", s->name,
                     error->line > 0 ? error->line : 1, error->column > 0 ? error->column : 1,
                     error->text, at_end ? " (the text ends here)" : "");
}

static int load(struct source *s, struct json **ret) {
    size_t flags = JSON_DECODE_ANY;
    const char *text = s->text;
    size_t len = s->len;
    if (s->copied) {
        buf_add_bytes(&s->changed, s->text + s->copied, s->len - s->copied);
        if (s->changed.failed)
            return error_nomem(s->err);
        text = s->changed.text;
        len = s->changed.len;
        flags |= JSON_ALLOW_NUL;
    }
    if (s->flags & JSON_UNIQUE_KEYS)
        flags |= JSON_REJECT_DUPLICATES;
    json_error_t error;
    json_t *value = json_loadb(text, len, flags, &error);
    /* jansson calls some allocations that failed an "invalid token", and what is stored or received
       must not be called wrong for that: a text that is wrong is wrong twice. */
    if (!value)
        value = json_loadb(text, len, flags, &error);
    if (!value)
        return refuse_as_jansson(s, &error);
    *ret = out(value);
    return 0;
}

int json_parse(const char *text, size_t len, size_t max_bytes, uint32_t flags, const char *name,
               struct json **ret, ctcd_error **err) {
    struct source s = {.text = text, .len = len, .line = 1, .flags = flags, .err = err};
    s.name = name ? name : "JSON";
    if (len > max_bytes)
        return error_set(err, CTCD_E_TOO_LARGE, NULL, "%s: more than %zu bytes", s.name, max_bytes);
    size_t blank = 0;
    while (blank < len && memchr(" \t\r\n", text[blank], 4))
        blank++;
    if (blank == len)
        return refuse(&s, CTCD_E_PROTOCOL, "there is nothing");
    int rc = scan(&s);
    if (!rc)
        rc = load(&s, ret);
    buf_done(&s.changed);
    return rc;
}

int json_parse_file(const char *path, size_t max_bytes, uint32_t flags, struct json **ret,
                    ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *text = NULL;
    size_t len = 0;
    int rc = file_read(path, max_bytes, 0, &text, &len, err);
    return rc ? rc : json_parse(text, len, max_bytes, flags, path, ret, err);
}

/* ---- making and changing ---- */

struct json *json_ref(struct json *value) {
    return out(json_incref(in(value)));
}

struct json *json_unref(struct json *value) {
    json_decref(in(value));
    return NULL;
}

void json_done(struct json **value) {
    *value = json_unref(*value);
}

struct json *json_new_object(void) {
    return out(json_object());
}

struct json *json_new_array(void) {
    return out(json_array());
}

struct json *json_new_text(const char *text) {
    return out(text ? json_string(text) : json_null());
}

struct json *json_new_text_len(const char *text, size_t len) {
    return memchr(text, '\0', len) ? NULL : out(json_stringn(text, len));
}

struct json *json_new_int(int64_t value) {
    return out(json_integer(value));
}

struct json *json_new_real(double value) {
    if (isnan(value))
        return out(json_stringn_nocheck(nan_mark, sizeof nan_mark - 1));
    if (isinf(value))
        return out(value > 0 ? json_stringn_nocheck(plus_mark, sizeof plus_mark - 1)
                             : json_stringn_nocheck(minus_mark, sizeof minus_mark - 1));
    return out(json_real(value));
}

struct json *json_new_bool(bool value) {
    return out(json_boolean(value));
}

struct json *json_new_null(void) {
    return out(json_null());
}

bool json_set(struct json *object, const char *key, struct json *value) {
    return json_object_set(in(object), key, in(value)) == 0;
}

bool json_set_new(struct json *object, const char *key, struct json *value) {
    return json_object_set_new(in(object), key, in(value)) == 0;
}

bool json_set_text(struct json *object, const char *key, const char *text) {
    return json_set_new(object, key, json_new_text(text));
}

bool json_set_int(struct json *object, const char *key, int64_t value) {
    return json_set_new(object, key, json_new_int(value));
}

bool json_set_real(struct json *object, const char *key, double value) {
    return json_set_new(object, key, json_new_real(value));
}

bool json_set_bool(struct json *object, const char *key, bool value) {
    return json_set_new(object, key, json_new_bool(value));
}

bool json_set_null(struct json *object, const char *key) {
    return json_set_new(object, key, json_new_null());
}

void json_remove(struct json *object, const char *key) {
    (void)json_object_del(in(object), key);
}

bool json_append(struct json *array, struct json *value) {
    return json_array_append(in(array), in(value)) == 0;
}

bool json_append_new(struct json *array, struct json *value) {
    return json_array_append_new(in(array), in(value)) == 0;
}

bool json_append_text(struct json *array, const char *text) {
    return json_append_new(array, json_new_text(text));
}

struct json *json_clone(const struct json *value) {
    return out(json_deep_copy(in(value)));
}

/* ---- asking ---- */

enum json_kind json_kind(const struct json *value) {
    if (!value)
        return JSON_KIND_NONE;
    switch (json_typeof(in(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return is_mark(in(value)) ? JSON_KIND_REAL : JSON_KIND_TEXT;
    case JSON_INTEGER:
        return JSON_KIND_INT;
    case JSON_REAL:
        return JSON_KIND_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    default:
        return JSON_KIND_NULL;
    }
}

const char *json_kind_name(enum json_kind kind) {
    static const char *const names[] = {"nothing",  "null",   "true or false", "a whole number",
                                        "a number", "a text", "an array",      "an object"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : names[0];
}

size_t json_size(const struct json *value) {
    return json_kind(value) == JSON_KIND_ARRAY ? json_array_size(in(value))
                                               : json_object_size(in(value));
}

struct json *json_get(const struct json *object, const char *key) {
    return out(json_object_get(in(object), key));
}

struct json *json_at(const struct json *array, size_t index) {
    return out(json_array_get(in(array), index));
}

struct json *json_find(const struct json *value, const char *path) {
    struct json *at = out(in(value));
    char part[256];
    for (const char *from = path; at; from++) {
        size_t len = strcspn(from, ".");
        if (len >= sizeof part)
            return NULL;
        memcpy(part, from, len);
        part[len] = '\0';
        int64_t index;
        if (json_kind(at) == JSON_KIND_ARRAY)
            at = text_to_int64(part, &index) && index >= 0 ? json_at(at, (size_t)index) : NULL;
        else
            at = json_get(at, part);
        from += len;
        if (!*from)
            break;
    }
    return at;
}

const char *json_text(const struct json *value) {
    return json_kind(value) == JSON_KIND_TEXT ? json_string_value(in(value)) : NULL;
}

bool json_is_true(const struct json *value) {
    return value && json_typeof(in(value)) == JSON_TRUE;
}

bool json_is_null(const struct json *value) {
    return !value || json_typeof(in(value)) == JSON_NULL;
}

bool json_to_int(const struct json *value, int64_t *ret) {
    if (value && json_is_integer(in(value))) {
        *ret = json_integer_value(in(value));
        return true;
    }
    if (!value || !json_is_real(in(value)))
        return false;
    double real = json_real_value(in(value));
    if (real != floor(real) || real < -0x1p63 || real >= 0x1p63)
        return false;
    *ret = (int64_t)real;
    return true;
}

bool json_to_real(const struct json *value, double *ret) {
    if (value && is_mark(in(value))) {
        const char *mark = json_string_value(in(value)) + 1;
        *ret = mark[0] == 'N' ? (double)NAN : mark[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (!value || !json_is_number(in(value)))
        return false;
    *ret = json_number_value(in(value));
    return true;
}

const char *json_get_text(const struct json *object, const char *key) {
    return json_text(json_get(object, key));
}

int64_t json_get_int(const struct json *object, const char *key, int64_t fallback) {
    (void)json_to_int(json_get(object, key), &fallback);
    return fallback;
}

double json_get_real(const struct json *object, const char *key, double fallback) {
    (void)json_to_real(json_get(object, key), &fallback);
    return fallback;
}

bool json_get_bool(const struct json *object, const char *key, bool fallback) {
    const struct json *value = json_get(object, key);
    return json_kind(value) == JSON_KIND_BOOL ? json_is_true(value) : fallback;
}

struct json_iter json_members(const struct json *object) {
    return (struct json_iter){.object = out(in(object))};
}

bool json_next(struct json_iter *iter) {
    iter->place = iter->key ? json_object_iter_next(in(iter->object), iter->place)
                            : json_object_iter(in(iter->object));
    iter->key = iter->place ? json_object_iter_key(iter->place) : NULL;
    iter->value = iter->place ? out(json_object_iter_value(iter->place)) : NULL;
    return iter->place != NULL;
}

bool json_same(const struct json *a, const struct json *b) {
    return json_equal(in(a), in(b)) == 1;
}
