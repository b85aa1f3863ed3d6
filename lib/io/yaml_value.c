/* What YAML nodes mean by the core schema of YAML 1.2, and errors about them. Declared in io/yaml.h. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "io/yaml.h"

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key) {
    if (!mapping || mapping->kind != YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < mapping->count; i++)
        if (strcmp(mapping->children[i]->key, key) == 0)
            return mapping->children[i];
    return NULL;
}

/* One of the words, separated by blanks: a plain scalar or nothing. */
static bool is_one_of(const struct yaml_node *node, const char *words) {
    if (!node || node->kind != YAML_SCALAR || !node->plain || !node->text[0])
        return false;
    size_t len = strlen(node->text);
    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == len && memcmp(at, node->text, len) == 0)
            return true;
        at += word;
    }
    return false;
}

bool yaml_is_null(const struct yaml_node *node) {
    if (!node)
        return true;
    return node->kind == YAML_SCALAR && node->plain &&
           (!node->text[0] || is_one_of(node, "~ null Null NULL"));
}

const char *yaml_text(const struct yaml_node *node) {
    return node && node->kind == YAML_SCALAR && !yaml_is_null(node) ? node->text : NULL;
}

bool yaml_to_bool(const struct yaml_node *node, bool *ret) {
    bool yes = is_one_of(node, "true True TRUE");
    if (!yes && !is_one_of(node, "false False FALSE"))
        return false;
    *ret = yes;
    return true;
}

static bool digits_to_int(const char *digits, int base, int64_t *ret) {
    int64_t value = 0;
    if (!*digits)
        return false;
    for (; *digits; digits++) {
        static const char all[] = "0123456789abcdef";
        char c = *digits >= 'A' && *digits <= 'F' ? (char)(*digits | 0x20) : *digits;
        const char *found = strchr(all, c);
        if (!found || found - all >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, found - all, &value))
            return false;
    }
    *ret = value;
    return true;
}

bool yaml_to_int(const struct yaml_node *node, int64_t *ret) {
    if (!node || node->kind != YAML_SCALAR || !node->plain)
        return false;
    const char *text = node->text;
    if (text_starts(text, "0o"))
        return digits_to_int(text + 2, 8, ret);
    if (text_starts(text, "0x"))
        return digits_to_int(text + 2, 16, ret);
    if (*text == '+')
        return text[1] != '-' && text_to_int64(text + 1, ret);
    return text_to_int64(text, ret);
}

bool yaml_to_real(const struct yaml_node *node, double *ret) {
    int64_t whole;
    if (yaml_to_int(node, &whole)) {
        *ret = (double)whole;
        return true;
    }
    if (is_one_of(node, ".nan .NaN .NAN")) {
        *ret = (double)NAN;
        return true;
    }
    if (is_one_of(node, ".inf .Inf .INF +.inf +.Inf +.INF -.inf -.Inf -.INF")) {
        *ret = node->text[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    /* nan and inf without a dot are texts */
    return node && node->kind == YAML_SCALAR && node->plain && node->text[0] &&
           strspn(node->text, "0123456789+-.eE") == strlen(node->text) &&
           text_to_double(node->text, ret);
}

int yaml_error(ctcd_error **err, int code, const struct yaml_node *at, const char *hint,
               const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    _cleanup_(mem_free_ptr) char *what = mem_vtext(fmt, args);
    va_end(args);
    if (!what)
        return error_unsaid(err, code);
    return error_set(err, code, hint, "%s:%u:%u: %s", at->name, at->line, at->column, what);
}

static struct json *scalar_to_json(const struct yaml_node *node) {
    bool yes;
    int64_t whole;
    double real;
    if (yaml_is_null(node))
        return json_new_null();
    if (yaml_to_bool(node, &yes))
        return json_new_bool(yes);
    if (yaml_to_int(node, &whole))
        return json_new_int(whole);
    if (yaml_to_real(node, &real))
        return json_new_real(real);
    return json_new_text(node->text);
}

/* NULL = out of memory: everything else was refused by yaml_parse. */
static struct json *to_json(const struct yaml_node *node) {
    if (node->kind == YAML_SCALAR)
        return scalar_to_json(node);
    bool mapping = node->kind == YAML_MAPPING;
    struct json *all = mapping ? json_new_object() : json_new_array();
    bool done = all != NULL;
    for (size_t i = 0; i < node->count && done; i++) {
        struct json *value = to_json(node->children[i]);
        done = mapping ? json_set_new(all, node->children[i]->key, value)
                       : json_append_new(all, value);
    }
    return done ? all : json_unref(all);
}

int yaml_to_json(const struct yaml_node *node, struct json **ret, ctcd_error **err) {
    struct json *value = node ? to_json(node) : json_new_null();
    if (!value)
        return error_nomem(err);
    *ret = value;
    return 0;
}
