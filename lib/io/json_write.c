/* JSON values as text: compact, canonical (for digests) or pretty. Uses no jansson: reals are written
   as the shortest text that reads back, and NaN can be written at all. Declared in io/json.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "io/json.h"

struct writer {
    struct buf text;
    bool sorted;
    bool pretty;
    bool strict; /* nothing that JSON does not have: NaN and infinities become texts */
    int depth;
};

static void write_value(struct writer *w, const struct json *value);

static void write_text(struct writer *w, const char *text) {
    static const char digits[] = "0123456789abcdef";
    buf_add_char(&w->text, '"');
    for (const char *at = text; *at; at++) {
        size_t plain = 0;
        while ((unsigned char)at[plain] >= 0x20 && at[plain] != '"' && at[plain] != '\\')
            plain++;
        buf_add_bytes(&w->text, at, plain);
        at += plain;
        if (!*at)
            break;
        const char *found = strchr("\"\"\\\\\bb\ff\nn\rr\tt", *at);
        buf_add_char(&w->text, '\\');
        if (found) {
            buf_add_char(&w->text, found[1]);
        } else {
            buf_add(&w->text, "u00");
            buf_add_char(&w->text, digits[(unsigned char)*at >> 4]);
            buf_add_char(&w->text, digits[*at & 15]);
        }
    }
    buf_add_char(&w->text, '"');
}

static void write_real(struct writer *w, double value) {
    char number[32];
    text_from_double(value, number);
    const char *quote = w->strict ? "\"" : "";
    if (isnan(value))
        buf_addf(&w->text, "%sNaN%s", quote, quote);
    else if (isinf(value))
        buf_addf(&w->text, "%s%sInfinity%s", quote, value > 0 ? "" : "-", quote);
    else
        buf_addf(&w->text, "%s%s", number, strpbrk(number, ".e") ? "" : ".0");
}

static void new_line(struct writer *w) {
    if (!w->pretty)
        return;
    buf_add_char(&w->text, '\n');
    for (int i = 0; i < w->depth; i++)
        buf_add(&w->text, "  ");
}

static void write_array(struct writer *w, const struct json *array) {
    size_t count = json_size(array);
    buf_add_char(&w->text, '[');
    w->depth++;
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(&w->text, ',');
        new_line(w);
        write_value(w, json_at(array, i));
    }
    w->depth--;
    if (count)
        new_line(w);
    buf_add_char(&w->text, ']');
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct json_iter *)a)->key, ((const struct json_iter *)b)->key);
}

static void write_object(struct writer *w, const struct json *object) {
    size_t count = json_size(object);
    _cleanup_(mem_free_ptr) struct json_iter *members = NULL;
    size_t n = 0;
    members = mem_array(count, sizeof *members);
    if (!members) {
        w->text.failed = true;
        return;
    }
    for (struct json_iter i = json_members(object); n < count && json_next(&i); n++)
        members[n] = i;
    if (w->sorted && n)
        qsort(members, n, sizeof *members, by_key);
    buf_add_char(&w->text, '{');
    w->depth++;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(&w->text, ',');
        new_line(w);
        write_text(w, members[i].key);
        buf_add(&w->text, w->pretty ? ": " : ":");
        write_value(w, members[i].value);
    }
    w->depth--;
    if (n)
        new_line(w);
    buf_add_char(&w->text, '}');
}

static void write_value(struct writer *w, const struct json *value) {
    int64_t whole = 0;
    double real = 0;
    if (w->text.failed)
        return;
    switch (json_kind(value)) {
    case JSON_KIND_OBJECT:
    case JSON_KIND_ARRAY:
        if (w->depth >= JSON_MAX_DEPTH)
            w->text.failed = true;
        else if (json_kind(value) == JSON_KIND_OBJECT)
            write_object(w, value);
        else
            write_array(w, value);
        break;
    case JSON_KIND_TEXT:
        write_text(w, json_text(value));
        break;
    case JSON_KIND_INT:
        (void)json_to_int(value, &whole);
        buf_addf(&w->text, "%lld", (long long)whole);
        break;
    case JSON_KIND_REAL:
        (void)json_to_real(value, &real);
        write_real(w, real);
        break;
    case JSON_KIND_BOOL:
        buf_add(&w->text, json_is_true(value) ? "true" : "false");
        break;
    case JSON_KIND_NULL:
        buf_add(&w->text, "null");
        break;
    default: /* there is no value */
        w->text.failed = true;
    }
}

static char *write_as(const struct json *value, bool sorted, bool pretty) {
    struct writer w = {.sorted = sorted, .pretty = pretty};
    write_value(&w, value);
    return buf_steal(&w.text);
}

char *json_to_text(const struct json *value) {
    return write_as(value, false, false);
}

char *json_to_canonical(const struct json *value) {
    return write_as(value, true, false);
}

char *json_to_strict(const struct json *value, bool pretty) {
    struct writer w = {.pretty = pretty, .strict = true};
    write_value(&w, value);
    return buf_steal(&w.text);
}

char *json_to_pretty(const struct json *value) {
    return write_as(value, false, true);
}

static bool has_nan(const struct json *value, int depth) {
    double real;
    if (depth > JSON_MAX_DEPTH)
        return false;
    switch (json_kind(value)) {
    case JSON_KIND_REAL:
        return json_to_real(value, &real) && !isfinite(real);
    case JSON_KIND_ARRAY:
        for (size_t i = 0; i < json_size(value); i++)
            if (has_nan(json_at(value, i), depth + 1))
                return true;
        return false;
    case JSON_KIND_OBJECT:
        for (struct json_iter i = json_members(value); json_next(&i);)
            if (has_nan(i.value, depth + 1))
                return true;
        return false;
    default:
        return false;
    }
}

bool json_has_nan(const struct json *value) {
    return has_nan(value, 0);
}
