/* See source.h. */
#include "deployers/mlflow/source.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

#define GRAMMAR                                                                                    \
    "models:/NAME/VERSION, models:/NAME@ALIAS, models:/NAME/latest, models:/NAME/STAGE, "          \
    "models:/NAME, or runs:/RUN_ID/PATH"
#define HEX "0123456789abcdef"
#define DIGITS "0123456789"
#define LOGGED_DIGITS 32
#define COMPONENT_BYTES 255

static const char *const stages[] = {"None", "Staging", "Production", "Archived"};
#define STAGES (sizeof stages / sizeof *stages)

bool source_path_is_safe(const char *path) {
    size_t depth = 0;
    if (strlen(path) > SOURCE_PATH_BYTES || !text_is_utf8(path))
        return false;
    for (const char *at = path;; at++) {
        size_t n = strcspn(at, "/");
        if (n == 0 || n > COMPONENT_BYTES || ++depth > SOURCE_PATH_DEPTH ||
            (at[0] == '.' && (n == 1 || (n == 2 && at[1] == '.'))))
            return false;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)at[i] < ' ' || at[i] == '\\' || at[i] == 0x7f)
                return false;
        at += n;
        if (!*at)
            return true;
    }
}

void source_done(struct source *source) {
    mem_free(source->name);
    mem_free(source->part);
    *source = (struct source){0};
}

static int refuse(const char *uri, const char *what, ctcd_error **err) {
    return error_set(err, CTCD_E_INVALID, "it is one of: " GRAMMAR, "%s: %s", uri, what);
}

static int take(struct source *source, enum source_kind kind, const char *name, size_t name_size,
                const char *part, ctcd_error **err) {
    source->kind = kind;
    source->name = mem_text("%.*s", (int)name_size, name);
    source->part = part ? mem_copy_text(part) : NULL;
    return source->name && (source->part || !part) ? 0 : error_nomem(err);
}

static bool is_plain(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* "12", "latest", "production" behind models:/NAME/ */
static int parse_version(const char *uri, const char *name, size_t size, const char *part,
                         struct source *ret, ctcd_error **err) {
    int64_t number = 0;
    if (!part[0])
        return refuse(uri, "there is no version behind the name", err);
    if (part[strspn(part, DIGITS)] == '\0') {
        if (!text_to_int64(part, &number) || number < 1 || part[0] == '0')
            return refuse(uri, "the version is no number from 1 on", err);
        return take(ret, SOURCE_VERSION, name, size, part, err);
    }
    if (strcasecmp(part, "latest") == 0)
        return take(ret, SOURCE_LATEST, name, size, NULL, err);
    for (size_t i = 0; i < STAGES; i++)
        if (strcasecmp(part, stages[i]) == 0)
            return take(ret, SOURCE_STAGE, name, size, stages[i], err);
    const char *near = text_nearest(part, stages, STAGES);
    if (near)
        return error_set(err, CTCD_E_INVALID, NULL, "%s: there is no stage %s; did you mean %s?",
                         uri, part, near);
    return error_set(err, CTCD_E_INVALID,
                     "an alias is written with @: models:/NAME@ALIAS; the stages are None, "
                     "Staging, Production, Archived",
                     "%s: %s is no version, no stage, and not latest", uri, part);
}

static int parse_model(const char *uri, const char *rest, struct source *ret, ctcd_error **err) {
    const char *slash = strchr(rest, '/'), *at = strrchr(rest, '@');
    if (!rest[0] || rest == slash || (!slash && rest == at))
        return refuse(uri, "there is no name of a model in it", err);
    if (slash && strchr(slash + 1, '/'))
        return refuse(uri, "it has more than a name and a version", err);
    if (slash)
        return parse_version(uri, rest, (size_t)(slash - rest), slash + 1, ret, err);
    if (at && !at[1])
        return refuse(uri, "there is no alias behind the @", err);
    if (at)
        return take(ret, SOURCE_ALIAS, rest, (size_t)(at - rest), at + 1, err);
    size_t size = strlen(rest);
    bool logged = text_starts(rest, "m-") && size == 2 + LOGGED_DIGITS &&
                  strspn(rest + 2, HEX) == LOGGED_DIGITS;
    return take(ret, logged ? SOURCE_LOGGED : SOURCE_NAME, rest, size, NULL, err);
}

static int parse_run(const char *uri, const char *rest, struct source *ret, ctcd_error **err) {
    size_t size = strcspn(rest, "/");
    if (!size || size > COMPONENT_BYTES ||
        strspn(rest, DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") < size)
        return refuse(uri, "there is no id of a run in it", err);
    if (!rest[size] || !rest[size + 1])
        return refuse(uri, "there is no path of a model behind the run's id", err);
    int rc = take(ret, SOURCE_RUN, rest, size, rest + size + 1, err);
    if (rc)
        return rc;
    size = strlen(ret->part);
    if (ret->part[size - 1] == '/')
        ret->part[size - 1] = '\0';
    return source_path_is_safe(ret->part)
               ? 0
               : refuse(uri, "the path must be a plain one, without \"..\"", err);
}

int source_parse(const char *uri, struct source *ret, ctcd_error **err) {
    _cleanup_(source_done) struct source source = {0};
    bool models = strncasecmp(uri, "models:", 7) == 0, runs = strncasecmp(uri, "runs:", 5) == 0;
    int rc = 0;
    if (models || runs) {
        const char *rest = uri + (models ? 7 : 5);
        if (!text_is_utf8(uri) || !is_plain(uri))
            return error_set(err, CTCD_E_INVALID, "it is one of: " GRAMMAR,
                             "the model's URI holds what is no text");
        if (rest[0] != '/' || rest[1] == '/')
            return refuse(uri, "one slash belongs behind the colon", err);
        rc = (models ? parse_model : parse_run)(uri, rest + 1, &source, err);
    }
    if (rc)
        return rc;
    *ret = source;
    source = (struct source){0};
    return 0;
}
