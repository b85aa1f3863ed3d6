/* Parameters inside texts and outputs of steps by name; see reference.h. */
#include "core/reference.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/identity.h"

bool params_used(const char *text) {
    return text && (strstr(text, "${") || strstr(text, "$$"));
}

static int unknown_param(const char *name, const struct param_view *params, size_t count,
                         ctcd_error **err) {
    _cleanup_(mem_free_ptr) const char **names = mem_array(count ? count : 1, sizeof *names);
    if (!names)
        return error_nomem(err);
    for (size_t i = 0; i < count; i++)
        names[i] = params[i].name;
    error_set(err, CTCD_E_INVALID, "declare it under params:", "there is no parameter \"%s\"",
              name);
    const char *near = text_nearest(name, names, count);
    if (near)
        error_hint(err, "did you mean ${params.%s}?", near);
    return CTCD_E_INVALID;
}

/* text stands at "${". Adds the value, and moves *ret_end behind the closing brace. */
static int put_param(struct buf *out, const char *text, const struct param_view *params,
                     size_t count, const char **ret_end, ctcd_error **err) {
    const char *end = strchr(text, '}');
    if (!end)
        return error_set(err, CTCD_E_INVALID, "a dollar and a brace as such are written $${",
                         "\"%.60s\" has no closing brace", text);
    size_t size = (size_t)(end + 1 - text);
    const size_t prefix = strlen("${params.");
    if (!text_starts(text, "${params.") || size == prefix + 1) {
        int shown = size > 100 ? 100 : (int)size;
        error_set(err, CTCD_E_INVALID, NULL, "\"%.*s\" is no reference: only ${params.NAME} is",
                  shown, text);
        error_hint(err, "to pass it on as it is, write $%.*s", shown, text);
        return CTCD_E_INVALID;
    }
    _cleanup_(mem_free_ptr) char *name = mem_copy_bytes(text + prefix, size - prefix - 1);
    if (!name)
        return error_nomem(err);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(params[i].name, name) == 0) {
            buf_add(out, params[i].text);
            *ret_end = end + 1;
            return 0;
        }
    }
    return unknown_param(name, params, count, err);
}

int params_substitute(const char *text, const struct param_view *params, size_t count, char **ret,
                      ctcd_error **err) {
    _cleanup_(buf_done) struct buf out = {0};
    for (const char *at = text; *at;) {
        if (at[0] == '$' && at[1] == '{') {
            int rc = put_param(&out, at, params, count, &at, err);
            if (rc)
                return rc;
        } else {
            size_t plain = at[0] == '$' ? 1 : strcspn(at, "$");
            buf_add_bytes(&out, at, plain);
            at += plain + (at[0] == '$' && at[1] == '$');
        }
        if (out.len > SUBSTITUTE_MAX_BYTES)
            return error_set(err, CTCD_E_TOO_LARGE, NULL,
                             "a text with its parameters put in is longer than %u bytes",
                             SUBSTITUTE_MAX_BYTES);
    }
    char *made = buf_steal(&out);
    if (!made)
        return error_nomem(err);
    *ret = made;
    return 0;
}

/* The dot, if there is exactly one, with something on both sides. */
static const char *single_dot(const char *text) {
    const char *dot = text ? strchr(text, '.') : NULL;
    return dot && dot != text && dot[1] && !strchr(dot + 1, '.') ? dot : NULL;
}

static bool only_name_characters(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || (c == '-' && i > 0);
        if (!word)
            return false;
    }
    return size > 0 && size <= NAME_PLAIN_MAX_BYTES;
}

bool output_ref_valid(const char *text) {
    const char *dot = single_dot(text);
    return dot && only_name_characters(text, (size_t)(dot - text)) &&
           only_name_characters(dot + 1, strlen(dot + 1));
}

int output_ref_parse(const char *text, struct output_ref *ret, ctcd_error **err) {
    if (!output_ref_valid(text))
        return error_set(err, CTCD_E_INVALID, "write it like train.accuracy",
                         "\"%.100s\" is not the output of a step", text ? text : "");
    const char *dot = strchr(text, '.');
    struct output_ref made = {
        .step = mem_copy_bytes(text, (size_t)(dot - text)),
        .output = mem_copy_text(dot + 1),
    };
    if (!made.step || !made.output) {
        output_ref_done(&made);
        return error_nomem(err);
    }
    *ret = made;
    return 0;
}

int output_ref_copy(const struct output_ref *ref, struct output_ref *ret) {
    struct output_ref made = {0};
    if (ref->step)
        made.step = mem_copy_text(ref->step);
    if (ref->output)
        made.output = mem_copy_text(ref->output);
    if ((ref->step && !made.step) || (ref->output && !made.output)) {
        output_ref_done(&made);
        return CTCD_E_NOMEM;
    }
    *ret = made;
    return 0;
}

void output_ref_done(struct output_ref *ref) {
    mem_free(ref->step);
    mem_free(ref->output);
    *ref = (struct output_ref){0};
}
