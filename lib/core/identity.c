/* Identities of services and what names may look like; see identity.h. */
#include "core/identity.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

bool identity_same(const struct identity *a, const struct identity *b) {
    return text_same(a->deployer, b->deployer) && text_same(a->pipeline, b->pipeline) &&
           text_same(a->step, b->step) && text_same(a->model, b->model);
}

static bool is_empty(const char *text) {
    return !text || !*text;
}

static bool part_fits(const char *part, const char *wanted) {
    return is_empty(wanted) || text_same(part, wanted);
}

bool identity_fits(const struct identity *identity, const struct identity *query) {
    return part_fits(identity->deployer, query->deployer) &&
           part_fits(identity->pipeline, query->pipeline) &&
           part_fits(identity->step, query->step) && part_fits(identity->model, query->model);
}

int name_check_text(const char *what, const char *name, ctcd_error **err) {
    if (is_empty(name))
        return error_set(err, CTCD_E_INVALID, NULL, "the %s is empty", what);
    if (strlen(name) > NAME_MAX_BYTES)
        return error_set(err, CTCD_E_INVALID, NULL, "the %s is longer than %d bytes", what,
                         NAME_MAX_BYTES);
    if (!text_is_utf8(name))
        return error_set(err, CTCD_E_INVALID, NULL, "the %s is not UTF-8", what);
    /* C0, DEL, and C1 (which UTF-8 writes as C2 80 to C2 9F). */
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
            return error_set(err, CTCD_E_INVALID, NULL, "the %s contains a control character",
                             what);
    return 0;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static int check_typed(const char *what, const char *name, const char *marks, const char *allowed,
                       ctcd_error **err) {
    int rc = name_check_text(what, name, err);
    if (rc)
        return rc;
    if (strlen(name) > NAME_PLAIN_MAX_BYTES)
        return error_set(err, CTCD_E_INVALID, NULL, "the %s is longer than %d characters", what,
                         NAME_PLAIN_MAX_BYTES);
    bool ok = is_word(name[0]);
    for (const char *c = name; *c && ok; c++)
        ok = is_word(*c) || strchr(marks, *c);
    if (!ok)
        return error_set(err, CTCD_E_INVALID, NULL,
                         "\"%s\" cannot be a %s: it begins with a letter, a digit or '_' and "
                         "consists of letters, digits, %s",
                         name, what, allowed);
    return 0;
}

int name_check_plain(const char *what, const char *name, ctcd_error **err) {
    return check_typed(what, name, "-.", "'_', '-' and '.'", err);
}

int name_check_step(const char *what, const char *name, ctcd_error **err) {
    return check_typed(what, name, "-", "'_' and '-'", err);
}

int identity_check(const struct identity *identity, ctcd_error **err) {
    const struct {
        const char *what, *text;
        bool required;
    } parts[] = {
        {"name of the model deployer", identity->deployer, true},
        {"name of the pipeline", identity->pipeline, false},
        {"name of the step", identity->step, false},
        {"model name", identity->model, true},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!parts[i].required && is_empty(parts[i].text))
            continue;
        int rc = name_check_text(parts[i].what, parts[i].text, err);
        if (rc)
            return rc;
    }
    return 0;
}

char *identity_text(const struct identity *identity) {
    const char *model = identity->model ? identity->model : "";
    bool pipeline = !is_empty(identity->pipeline);
    bool step = !is_empty(identity->step);
    if (!pipeline && !step)
        return mem_text("model %s", model);
    return mem_text("model %s of %s%s%s", model, pipeline ? identity->pipeline : "",
                    pipeline && step ? "/" : "", step ? identity->step : "");
}
