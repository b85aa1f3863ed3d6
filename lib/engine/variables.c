/* Option type "variables": names and values for a child's environment. A person gives A=1,B=2 or a JSON object;
   kept is the JSON object. What is called like a secret is only taken as a reference, because options are
   stored, listed and backed up. Called by options.c. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "engine/flavor.h"
#include "io/json.h"
#include "io/secret.h"

#define VARIABLES_MAX 65536
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

/* "HF_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY"; not "TOKENIZERS_PARALLELISM", "AWS_ACCESS_KEY_ID". */
static bool is_secret(const char *name) {
    static const char *const words[] = {"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN"};
    size_t size = 0;
    bool secret = false;
    for (const char *at = name; *at; at += size + (at[size] == '_')) {
        size = strcspn(at, "_");
        bool last = !at[size];
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            secret = secret || (strlen(words[i]) == size && strncasecmp(at, words[i], size) == 0);
        secret = secret || (last && at > name && size == 3 && strncasecmp(at, "KEY", 3) == 0) ||
                 (last && size == 6 && strncasecmp(at, "APIKEY", 6) == 0);
        if (last && (strcasecmp(at, "FILE") == 0 || strcasecmp(at, "PATH") == 0))
            return false;
    }
    return secret;
}

static int check(const char *option, const char *name, const char *value, ctcd_error **err) {
    if (!name[0] || strspn(name, LETTERS "0123456789") != strlen(name) || !strchr(LETTERS, name[0]))
        return error_set(err, CTCD_E_INVALID, "letters, digits and _, no digit first",
                         "option %s: \"%.100s\" is no name of a variable", option, name);
    if (text_starts(name, "CTCD_") || text_starts(name, "__"))
        return error_set(err, CTCD_E_INVALID, "choose another name",
                         "option %s: %.100s is not for you to set", option, name);
    bool reference = secret_is_reference(value);
    bool relative = reference && text_starts(value, "file:") && value[5] != '/';
    if (relative)
        return error_set(err, CTCD_E_INVALID, "give file:/PATH",
                         "option %s: %s: a secret's file is named by its absolute path", option,
                         name);
    if (is_secret(name) && !reference)
        return error_set(err, CTCD_E_INVALID, "give env:NAME or file:PATH",
                         "option %s: %s takes a reference to a secret, never the secret itself",
                         option, name);
    if (options_holds_password(value))
        return error_set(err, CTCD_E_INVALID, "give the whole value as env:NAME or file:PATH",
                         "option %s: %s: an address never holds a password", option, name);
    return 0;
}

/* A=1,B=2; a value ends at a comma. */
static int from_pairs(const char *option, const char *text, struct json *object, ctcd_error **err) {
    while (*text) {
        size_t size = strcspn(text, ",");
        const char *equals = memchr(text, '=', size);
        if (!equals)
            return error_set(err, CTCD_E_INVALID, "NAME=VALUE,... or {\"NAME\": \"VALUE\"}",
                             "option %s: \"%.*s\" is no NAME=VALUE", option,
                             size < 100 ? (int)size : 100, text);
        _cleanup_(mem_free_ptr) char *name = mem_copy_bytes(text, (size_t)(equals - text));
        _cleanup_(mem_free_ptr) char *value =
            mem_copy_bytes(equals + 1, size - (size_t)(equals + 1 - text));
        if (!name || !value)
            return error_nomem(err);
        if (json_get(object, name))
            return error_set(err, CTCD_E_INVALID, "say it once; a value with a comma: as JSON",
                             "option %s: %.100s is there twice", option, name);
        if (!json_set_text(object, name, value))
            return error_nomem(err);
        text += size + (text[size] == ',');
    }
    return 0;
}

/* {"A": "x", "B": 2}: single values, kept as texts. */
static int from_json(const char *option, const char *text, struct json *object, ctcd_error **err) {
    _cleanup_(json_done) struct json *given = NULL;
    int rc = json_parse(text, strlen(text), VARIABLES_MAX, JSON_UNIQUE_KEYS | JSON_USER_INPUT,
                        option, &given, err);
    for (struct json_iter i = json_members(given); !rc && json_next(&i);) {
        enum json_kind kind = json_kind(i.value);
        if (kind == JSON_KIND_OBJECT || kind == JSON_KIND_ARRAY || kind == JSON_KIND_NULL)
            return error_set(err, CTCD_E_INVALID, NULL,
                             "option %s: %.100s is %s, not a single value", option, i.key,
                             json_kind_name(kind));
        _cleanup_(mem_free_ptr) char *other = json_text(i.value) ? NULL : json_to_text(i.value);
        const char *value = json_text(i.value) ? json_text(i.value) : other;
        if (!value || !json_set_text(object, i.key, value))
            rc = error_nomem(err);
    }
    return rc;
}

int variables_read(const char *option, const char *text, char **ret, ctcd_error **err) {
    _cleanup_(json_done) struct json *object = json_new_object();
    if (!object)
        return error_nomem(err);
    bool json = text[strspn(text, " \t\r\n")] == '{';
    int rc = (json ? from_json : from_pairs)(option, text, object, err);
    for (struct json_iter i = json_members(object); !rc && json_next(&i);)
        rc = check(option, i.key, json_text(i.value), err);
    if (rc)
        return rc;
    return (*ret = json_to_text(object)) ? 0 : error_nomem(err);
}
