/* JSON values as block YAML, for `-o yaml` and for manifests that people read. Written by hand, so that
   YAML 1.1 readers (PyYAML) and 1.2 readers agree on every value. Declared in io/yaml.h. */
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "io/yaml.h"

#define MAX_SIMPLE_KEY 120 /* bytes as written; libyaml reads keys of up to 1,024 without a "?" */

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char hex_digits[] = "0123456789abcdef";

/* Words which some YAML version reads as something else, in any case. */
static bool is_special_word(const char *text) {
    static const char *const words[] = {"y",   "n",    "yes",   "no",  "on",
                                        "off", "true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = 0;
        while (words[i][n] && (text[n] | 0x20) == words[i][n])
            n++;
        if (!words[i][n] && !text[n])
            return true;
    }
    return false;
}

static bool is_uuid(const char *text) {
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (strlen(text) != sizeof shape - 1)
        return false;
    for (size_t i = 0; text[i]; i++)
        if (shape[i] == '-' ? text[i] != '-' : !strchr(hex_digits, text[i]))
            return false;
    return true;
}

/* Can it stand without quotes? A narrow rule: quotes do no harm. */
static bool is_plain(const char *text) {
    size_t len = strlen(text);
    if (is_uuid(text))
        return true;
    if (!len || (!strchr(letters, text[0]) && text[0] != '_' && text[0] != '/'))
        return false;
    if (text[len - 1] == ' ' || text[len - 1] == ':' || is_special_word(text))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ':' && text[i + 1] == ' ')
            return false;
        if (!strchr(letters, text[i]) && !strchr("0123456789 _./@+-:=()", text[i]))
            return false;
    }
    return true;
}

static void add_escape(struct buf *b, unsigned code) {
    buf_add(b, "\\u");
    for (int shift = 12; shift >= 0; shift -= 4)
        buf_add_char(b, hex_digits[code >> shift & 15]);
}

/* One character within double quotes; returns its bytes. What YAML does not call printable, and what
   1.1 takes for a line break, is escaped. */
static size_t add_quoted(struct buf *b, const char *at) {
    unsigned char c = (unsigned char)at[0];
    size_t len = text_utf8_length(at, strnlen(at, 4));
    static const char escaped[] = "\"\\\t\n\r";
    static const char names[] = "\"\\tnr";
    const char *found = len == 1 ? strchr(escaped, c) : NULL;
    if (found) {
        buf_add_char(b, '\\');
        buf_add_char(b, names[found - escaped]);
    } else if (len == 1 && (c < 0x20 || c == 0x7f)) {
        add_escape(b, c);
    } else if (len == 2 && c == 0xc2 && (unsigned char)at[1] < 0xa0) {
        add_escape(b, (unsigned char)at[1]);
    } else if (len == 3 &&
               (memcmp(at, "\xe2\x80\xa8", 3) == 0 || memcmp(at, "\xe2\x80\xa9", 3) == 0 ||
                memcmp(at, "\xef\xbb\xbf", 3) == 0 || memcmp(at, "\xef\xbf\xbe", 3) == 0 ||
                memcmp(at, "\xef\xbf\xbf", 3) == 0)) {
        add_escape(b,
                   (unsigned)(c & 15) << 12 | (unsigned)(at[1] & 63) << 6 | (unsigned)(at[2] & 63));
    } else {
        buf_add_bytes(b, at, len ? len : 1);
    }
    return len ? len : 1;
}

static void add_text(struct buf *b, const char *text) {
    if (is_plain(text)) {
        buf_add(b, text);
        return;
    }
    buf_add_char(b, '"');
    for (const char *at = text; *at;)
        at += add_quoted(b, at);
    buf_add_char(b, '"');
}

static void add_real(struct buf *b, double value) {
    char number[32];
    if (!isfinite(value)) {
        buf_add(b, isnan(value) ? ".nan" : value > 0 ? ".inf" : "-.inf");
        return;
    }
    text_from_double(value, number);
    /* 1.1 takes a number without a point for a text as soon as it has an exponent. */
    size_t mantissa = strcspn(number, "e");
    bool point = memchr(number, '.', mantissa) != NULL;
    buf_addf(b, "%.*s%s%s", (int)mantissa, number, point ? "" : ".0", number + mantissa);
}

static void add_scalar(struct buf *b, const struct json *value) {
    int64_t whole = 0;
    double real = 0;
    switch (json_kind(value)) {
    case JSON_KIND_TEXT:
        add_text(b, json_text(value));
        break;
    case JSON_KIND_INT:
        (void)json_to_int(value, &whole);
        buf_addf(b, "%lld", (long long)whole);
        break;
    case JSON_KIND_REAL:
        (void)json_to_real(value, &real);
        add_real(b, real);
        break;
    case JSON_KIND_BOOL:
        buf_add(b, json_is_true(value) ? "true" : "false");
        break;
    case JSON_KIND_NULL:
        buf_add(b, "null");
        break;
    case JSON_KIND_ARRAY:
        buf_add(b, "[]");
        break;
    case JSON_KIND_OBJECT:
        buf_add(b, "{}");
        break;
    default:
        b->failed = true;
    }
}

static void indent(struct buf *b, int depth) {
    for (int i = 0; i < depth; i++)
        buf_add(b, "  ");
}

static void add_block(struct buf *b, const struct json *value, int depth, bool begun);

/* After "key:". */
static void add_value(struct buf *b, const struct json *value, int depth) {
    if (json_size(value)) {
        buf_add_char(b, '\n');
        add_block(b, value, depth + 1, false);
    } else {
        buf_add_char(b, ' ');
        add_scalar(b, value);
        buf_add_char(b, '\n');
    }
}

static void add_member(struct buf *b, const char *key, const struct json *value, int depth) {
    struct buf written = {0};
    add_text(&written, key);
    b->failed |= written.failed;
    if (!b->failed && written.len > MAX_SIMPLE_KEY) {
        buf_addf(b, "? %s\n", written.text);
        indent(b, depth);
    } else if (!b->failed) {
        buf_add(b, written.text);
    }
    buf_done(&written);
    buf_add_char(b, ':');
    add_value(b, value, depth);
}

/* An array or object with something in it, at an indentation; begun: its first line already is. */
static void add_block(struct buf *b, const struct json *value, int depth, bool begun) {
    if (depth > JSON_MAX_DEPTH || b->failed) {
        b->failed = true;
        return;
    }
    for (struct json_iter i = json_members(value); json_next(&i); begun = false) {
        if (!begun)
            indent(b, depth);
        add_member(b, i.key, i.value, depth);
    }
    size_t items = json_kind(value) == JSON_KIND_ARRAY ? json_size(value) : 0;
    for (size_t i = 0; i < items; i++, begun = false) {
        const struct json *item = json_at(value, i);
        if (!begun)
            indent(b, depth);
        buf_add(b, "- ");
        if (json_size(item)) {
            add_block(b, item, depth + 1, true);
        } else {
            add_scalar(b, item);
            buf_add_char(b, '\n');
        }
    }
}

char *json_to_yaml_text(const struct json *value) {
    struct buf b = {0};
    if (json_size(value)) {
        add_block(&b, value, 0, false);
    } else {
        add_scalar(&b, value);
        buf_add_char(&b, '\n');
    }
    return buf_steal(&b);
}
