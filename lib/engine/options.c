/* Values of an option table (flavor.h): checked by type when they are set, defaults filled in when read. */
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "engine/flavor.h"
#include "io/file.h"
#include "io/json.h"

size_t option_table_count(const ctcd_option_entry *table) {
    size_t n = 0;
    while (table && table[n].name)
        n++;
    return n;
}

/* Copies a text to *room and moves on behind it; NULL stays NULL. */
static const char *put_text(char **room, const char *text) {
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *here = memcpy(*room, text, size);
    *room += size;
    return here;
}

static size_t text_size(const char *text) {
    return text ? strlen(text) + 1 : 0;
}

ctcd_option_entry *option_table_copy(const ctcd_option_entry *table) {
    size_t count = option_table_count(table), size = (count + 1) * sizeof(*table);
    for (size_t i = 0; i < count; i++)
        size += text_size(table[i].name) + text_size(table[i].type) +
                text_size(table[i].default_value) + text_size(table[i].help);
    ctcd_option_entry *copy = mem_alloc(size);
    if (!copy)
        return NULL;
    char *room = (char *)&copy[count + 1];
    for (size_t i = 0; i < count; i++) {
        const ctcd_option_entry *from = &table[i];
        copy[i] = (ctcd_option_entry){.flags = from->flags};
        copy[i].name = put_text(&room, from->name);
        copy[i].type = put_text(&room, from->type);
        copy[i].default_value = put_text(&room, from->default_value);
        copy[i].help = put_text(&room, from->help);
    }
    return copy;
}

int options_new(const ctcd_option_entry *table, struct ctcd_options **ret, ctcd_error **err) {
    struct ctcd_options *options = mem_alloc(sizeof(*options));
    char **values = mem_array(option_table_count(table) + 1, sizeof(*values));
    if (!options || !values) {
        mem_free(options);
        mem_free(values);
        return error_nomem(err);
    }
    options->table = table;
    options->values = values;
    *ret = options;
    return 0;
}

void options_free(struct ctcd_options *options) {
    if (!options)
        return;
    for (size_t i = 0; i < option_table_count(options->table); i++)
        mem_free(options->values[i]);
    mem_free(options->values);
    mem_free(options);
}

void options_done(struct ctcd_options **options) {
    options_free(*options);
    *options = NULL;
}

static bool same_key(const char *name, const char *key) {
    for (; *name && *key; name++, key++)
        if (*name != (*key == '-' ? '_' : *key))
            return false;
    return *name == *key;
}

static int find_option(const ctcd_option_entry *table, const char *owner, const char *key,
                       size_t *ret, ctcd_error **err) {
    size_t count = option_table_count(table);
    for (size_t i = 0; i < count; i++)
        if (same_key(table[i].name, key)) {
            *ret = i;
            return 0;
        }
    const char **names = mem_array(count + 1, sizeof(*names));
    if (!names)
        return error_nomem(err);
    _cleanup_(buf_done) struct buf hint = {0};
    for (size_t i = 0; i < count; i++)
        names[i] = table[i].name;
    const char *near = text_nearest(key, names, count);
    if (near)
        buf_addf(&hint, "did you mean %s?", near);
    for (size_t i = 0; !near && i < count; i++)
        buf_addf(&hint, "%s%s", i ? ", " : "it has: ", names[i]);
    mem_free(names);
    return error_set(err, CTCD_E_INVALID, hint.len ? hint.text : "it has no options",
                     "%s has no option %s", owner, key);
}

static bool is_choice(const char *list, const char *value) {
    size_t len = strlen(value);
    for (const char *at = list; len && at;) {
        const char *bar = strchr(at, '|');
        size_t n = bar ? (size_t)(bar - at) : strlen(at);
        if (n == len && strncmp(at, value, n) == 0)
            return true;
        at = bar ? bar + 1 : NULL;
    }
    return false;
}

static int bad_value(const char *name, const char *value, const char *wanted, ctcd_error **err) {
    return error_set(err, CTCD_E_INVALID, NULL, "option %s: \"%s\" is not %s", name, value, wanted);
}

/* scheme://user:secret@host: no place for a secret, it would be stored, listed and shown in messages. */
bool options_holds_password(const char *value) {
    const char *at = strstr(value, "://");
    if (!at)
        return false;
    at += 3;
    size_t authority = strcspn(at, "/?#");
    const char *end = memrchr(at, '@', authority);
    return end && memchr(at, ':', (size_t)(end - at));
}

int options_check_value(const ctcd_option_entry *entry, const char *value, ctcd_error **err) {
    int64_t number = 0;
    const char *type = entry->type;
    if (!text_is_utf8(value))
        return error_set(err, CTCD_E_INVALID, NULL, "option %s: the value is not UTF-8",
                         entry->name);
    if ((entry->flags & CTCD_OPTION_SECRET) && !text_starts(value, "env:") &&
        !text_starts(value, "file:"))
        return error_set(err, CTCD_E_INVALID, "give env:NAME or file:PATH",
                         "option %s takes a reference to a secret, never the secret itself",
                         entry->name);
    if (strcmp(type, "variables") == 0) {
        _cleanup_(mem_free_ptr) char *read = NULL;
        return variables_read(entry->name, value, &read, err);
    }
    if (options_holds_password(value))
        return error_set(
            err, CTCD_E_INVALID,
            "take user and password out of it; options that take env:NAME or file:PATH "
            "are for them",
            "option %s: an address never holds a password", entry->name);
    if (strcmp(type, "integer") == 0 && !text_to_int64(value, &number))
        return bad_value(entry->name, value, "a whole number", err);
    if (strcmp(type, "duration") == 0) {
        if (!text_to_duration(value, &number))
            return bad_value(entry->name, value, "a duration (90s, 10m, 1h30m)", err);
    }
    if (strcmp(type, "boolean") == 0 && !is_choice("true|false|yes|no|1|0", value))
        return bad_value(entry->name, value, "true or false", err);
    if (text_starts(type, "choice:") && !is_choice(type + 7, value)) {
        _cleanup_(buf_done) struct buf wanted = {0};
        buf_addf(&wanted, "one of %s", type + 7);
        return bad_value(entry->name, value, wanted.text ? wanted.text : "allowed", err);
    }
    if (strcmp(type, "path") == 0 && !value[0])
        return bad_value(entry->name, value, "a path", err);
    return 0;
}

int options_set(struct ctcd_options *options, const char *owner, const char *key, const char *value,
                ctcd_error **err) {
    size_t i = 0;
    int rc = find_option(options->table, owner, key, &i, err);
    if (rc)
        return rc;
    const ctcd_option_entry *entry = &options->table[i];
    rc = options_check_value(entry, value, err);
    if (rc)
        return rc;
    if (strcmp(entry->type, "boolean") == 0)
        value = is_choice("true|yes|1", value) ? "true" : "false";
    char *kept = NULL;
    if (strcmp(entry->type, "variables") == 0)
        rc = variables_read(entry->name, value, &kept, err);
    else if (!(kept = mem_copy_text(value)))
        rc = error_nomem(err);
    if (rc)
        return rc;
    mem_free(options->values[i]);
    options->values[i] = kept;
    return 0;
}

int options_unset(struct ctcd_options *options, const char *owner, const char *key,
                  ctcd_error **err) {
    size_t i = 0;
    int rc = find_option(options->table, owner, key, &i, err);
    if (rc)
        return rc;
    mem_free(options->values[i]);
    options->values[i] = NULL;
    return 0;
}

/* *ret stays NULL where the value is good as it is; so is a name without a slash, which may be one in PATH. */
static int rooted_value(const ctcd_option_entry *entry, const char *value, const char *folder,
                        char **ret, ctcd_error **err) {
    bool secret = (entry->flags & CTCD_OPTION_SECRET) && text_starts(value, "file:");
    const char *path = secret ? value + strlen("file:") : value;
    bool relative = secret ? *path != '\0' : text_same(entry->type, "path") && strchr(path, '/');
    if (!relative || *path == '/')
        return 0;
    _cleanup_(mem_free_ptr) char *rooted = NULL;
    int rc = folder ? 0 : path_absolute(path, &rooted, err);
    if (rc)
        return rc;
    if (folder && !(rooted = path_join(folder, path)))
        return error_nomem(err);
    *ret = mem_text("%s%s", secret ? "file:" : "", rooted);
    return *ret ? 0 : error_nomem(err);
}

int options_set_here(struct ctcd_options *options, const char *owner, const char *key,
                     const char *value, const char *folder, ctcd_error **err) {
    size_t i = 0;
    _cleanup_(mem_free_ptr) char *rooted = NULL;
    int rc = find_option(options->table, owner, key, &i, err);
    if (!rc)
        rc = options_check_value(&options->table[i], value, err);
    if (!rc)
        rc = rooted_value(&options->table[i], value, folder, &rooted, err);
    return rc ? rc : options_set(options, owner, key, rooted ? rooted : value, err);
}

int options_check_required(const struct ctcd_options *options, const char *owner,
                           ctcd_error **err) {
    for (size_t i = 0; i < option_table_count(options->table); i++) {
        const ctcd_option_entry *entry = &options->table[i];
        if ((entry->flags & CTCD_OPTION_REQUIRED) && !options->values[i] && !entry->default_value)
            return error_set(err, CTCD_E_INVALID, entry->help, "%s needs the option %s", owner,
                             entry->name);
    }
    return 0;
}

int options_from_json(struct ctcd_options *options, const char *owner, const char *json,
                      ctcd_error **err) {
    _cleanup_(json_done) struct json *object = NULL;
    int rc = json_parse(json, strlen(json), 1 << 20, 0, "options", &object, err);
    for (struct json_iter i = json_members(object); !rc && json_next(&i);) {
        _cleanup_(mem_free_ptr) char *other = json_text(i.value) ? NULL : json_to_text(i.value);
        const char *value = json_text(i.value) ? json_text(i.value) : other;
        rc = value ? options_set(options, owner, i.key, value, err) : error_nomem(err);
    }
    return rc;
}

char *options_to_json(const struct ctcd_options *options) {
    _cleanup_(json_done) struct json *object = json_new_object();
    bool ok = object != NULL;
    for (size_t i = 0; ok && i < option_table_count(options->table); i++)
        if (options->values[i])
            ok = json_set_text(object, options->table[i].name, options->values[i]);
    return ok ? json_to_text(object) : NULL;
}

const char *options_text(const struct ctcd_options *options, const char *name) {
    for (size_t i = 0; options && i < option_table_count(options->table); i++)
        if (same_key(options->table[i].name, name))
            return options->values[i] ? options->values[i] : options->table[i].default_value;
    return NULL;
}

int64_t options_number(const struct ctcd_options *options, const char *name) {
    const char *text = options_text(options, name);
    int64_t number = 0;
    if (!text)
        return 0;
    for (size_t i = 0; i < option_table_count(options->table); i++) {
        const ctcd_option_entry *entry = &options->table[i];
        if (!same_key(entry->name, name))
            continue;
        if (strcmp(entry->type, "boolean") == 0)
            return is_choice("true|yes|1", text);
        if (strcmp(entry->type, "duration") == 0)
            return text_to_duration(text, &number) ? number : 0;
    }
    return text_to_int64(text, &number) ? number : 0;
}
