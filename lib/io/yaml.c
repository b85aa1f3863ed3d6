/* YAML text into a tree with line numbers, by libyaml's events. Called for pipeline files and
   kubeconfigs. What nodes mean is in yaml_value.c, writing in yaml_write.c. */
#include "io/yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/strv.h"
#include "base/text.h"
#include "io/file.h"

struct reader {
    yaml_parser_t parser;
    const char *name; /* the tree's own copy */
    const char *text;
    size_t nodes;
    bool foreign;   /* anchors, aliases, YAML's own tags and merge keys pass */
    char **anchors; /* that were seen */
    ctcd_error **err;
};

static int refuse(struct reader *r, int code, const yaml_mark_t *at, const char *what,
                  const char *hint) {
    return error_set(r->err, code, hint, "%s:%zu:%zu: %s", r->name, at->line + 1, at->column + 1,
                     what);
}

static void free_node(struct yaml_node *node) {
    if (!node)
        return;
    for (size_t i = 0; i < node->count; i++)
        free_node(node->children[i]);
    mem_free(node->children);
    mem_free(node->text);
    mem_free(node->key);
    mem_free(node);
}

void yaml_tree_free(struct yaml_node *root) {
    char *name = root ? (char *)(uintptr_t)root->name : NULL;
    free_node(root);
    mem_free(name);
}

void yaml_done(struct yaml_node **root) {
    yaml_tree_free(*root);
    *root = NULL;
}

/* Columns are characters, not bytes. */
static void pass(yaml_mark_t *at, char c) {
    at->column += ((unsigned char)c & 0xc0) != 0x80;
    if (c == '\n') {
        at->line++;
        at->column = 0;
    }
}

/* libyaml says "did not find expected ..." and where; its context adds little for people. */
static int refuse_as_libyaml(struct reader *r) {
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return error_nomem(r->err);
    const char *what = p->problem ? p->problem : "no YAML";
    const char *hint = "look for brackets, quotes and colons here and in the lines before";
    yaml_mark_t at = p->problem_mark;
    if (p->error == YAML_READER_ERROR) { /* which knows only an offset */
        at = (yaml_mark_t){0};
        for (size_t i = 0; i < p->problem_offset; i++)
            pass(&at, r->text[i]);
        hint = "in double quotes it can be written as \\x07";
    } else if (strstr(what, "cannot start any token")) {
        hint = "indent with blanks, not with tabs; quote a text that begins with @, `, % or |";
    }
    return refuse(r, CTCD_E_INVALID, &at, what, hint);
}

static int next_event(struct reader *r, yaml_event_t *event) {
    return yaml_parser_parse(&r->parser, event) ? 0 : refuse_as_libyaml(r);
}

/* Anchors, and tags that would change what a value is. !!str only says "a text". */
static int check_properties(struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
                            const yaml_char_t *tag) {
    static const char own[] = "tag:yaml.org,2002:";
    const char *name = tag ? (const char *)tag : YAML_STR_TAG;
    if (anchor && !r->foreign)
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "anchors (&) are not read",
                      "write the value out wherever it is needed");
    if (anchor && !strv_has(r->anchors, (const char *)anchor) &&
        !strv_add(&r->anchors, (const char *)anchor))
        return error_nomem(r->err);
    if (strcmp(name, YAML_STR_TAG) == 0 ||
        (r->foreign && text_starts(name, own) && !strchr(name + strlen(own), '/')))
        return 0;
    return refuse(r, CTCD_E_INVALID, &event->start_mark,
                  r->foreign ? "tags of Python (!!python/...) and of others are not read"
                             : "tags (!) are not read",
                  "leave it out; quotes make a text of anything");
}

static int new_node(struct reader *r, const yaml_event_t *event, enum yaml_kind kind, int depth,
                    struct yaml_node **ret) {
    if (++r->nodes > YAML_MAX_NODES) {
        char what[64];
        snprintf(what, sizeof what, "too many values: at most %d are read", YAML_MAX_NODES);
        return refuse(r, CTCD_E_TOO_LARGE, &event->start_mark, what, NULL);
    }
    if (kind != YAML_SCALAR && depth >= YAML_MAX_DEPTH) {
        char what[64];
        snprintf(what, sizeof what, "nested too deeply: at most %d levels are read",
                 YAML_MAX_DEPTH);
        return refuse(r, CTCD_E_TOO_LARGE, &event->start_mark, what, NULL);
    }
    struct yaml_node *node = mem_alloc(sizeof *node);
    if (!node)
        return error_nomem(r->err);
    node->kind = kind;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    node->name = r->name;
    *ret = node;
    return 0;
}

/* The text of a scalar event, checked and copied. */
static int take_text(struct reader *r, const yaml_event_t *event, char **ret) {
    const char *value = (const char *)event->data.scalar.value;
    if (memchr(value, '\0', event->data.scalar.length))
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "a text holds the character NUL",
                      "leave it out");
    int rc = check_properties(r, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (rc)
        return rc;
    char *text = mem_copy_bytes(value, event->data.scalar.length);
    if (!text)
        return error_nomem(r->err);
    *ret = text;
    return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *event, int depth,
                       struct yaml_node **ret) {
    struct yaml_node *node = NULL;
    int rc = new_node(r, event, YAML_SCALAR, depth, &node);
    if (!rc)
        rc = take_text(r, event, &node->text);
    if (rc) {
        free_node(node);
        return rc;
    }
    node->plain =
        event->data.scalar.plain_implicit && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    *ret = node;
    return 0;
}

/* Owns the child, also on failure. The vector doubles at 4, 8, 16, ... */
static int add_child(struct reader *r, struct yaml_node *parent, struct yaml_node *child) {
    size_t n = parent->count;
    if (n == 0 || (n >= 4 && (n & (n - 1)) == 0)) {
        struct yaml_node **bigger =
            mem_resize(parent->children, n ? n * 2 : 4, sizeof(struct yaml_node *));
        if (!bigger) {
            free_node(child);
            return error_nomem(r->err);
        }
        parent->children = bigger;
    }
    parent->children[parent->count++] = child;
    return 0;
}

static int read_node(struct reader *r, const yaml_event_t *event, int depth,
                     struct yaml_node **ret);

static int check_key(struct reader *r, const struct yaml_node *mapping, const yaml_event_t *event) {
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "a key must be a text", NULL);
    const char *key = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && !key[0])
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "a key is missing",
                      "write a name in front of the colon");
    if (plain && strcmp(key, "<<") == 0 && !r->foreign)
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "merge keys (<<) are not read",
                      "write the keys out");
    const struct yaml_node *other = yaml_get(mapping, key);
    if (!other)
        return 0;
    return error_set(r->err, CTCD_E_INVALID, "rename one of the two, or take it out",
                     "%s:%zu:%zu: the key \"%s\" is in line %u already", r->name,
                     event->start_mark.line + 1, event->start_mark.column + 1, key,
                     other->key_line);
}

/* One key and its value; *ret_end: the mapping ends here instead. */
static int read_member(struct reader *r, struct yaml_node *mapping, int depth, bool *ret_end) {
    yaml_event_t event;
    _cleanup_(mem_free_ptr) char *key = NULL;
    struct yaml_node *child = NULL;
    int rc = next_event(r, &event);
    if (rc)
        return rc;
    yaml_mark_t at = event.start_mark;
    *ret_end = event.type == YAML_MAPPING_END_EVENT;
    if (!*ret_end) {
        rc = check_key(r, mapping, &event);
        if (!rc)
            rc = take_text(r, &event, &key);
    }
    yaml_event_delete(&event);
    if (rc || *ret_end)
        return rc;
    rc = next_event(r, &event);
    if (rc)
        return rc;
    rc = read_node(r, &event, depth, &child);
    yaml_event_delete(&event);
    if (rc)
        return rc;
    child->key = mem_steal(&key);
    child->key_line = (unsigned)at.line + 1;
    child->key_column = (unsigned)at.column + 1;
    return add_child(r, mapping, child);
}

static int read_item(struct reader *r, struct yaml_node *sequence, int depth, bool *ret_end) {
    yaml_event_t event;
    struct yaml_node *child = NULL;
    int rc = next_event(r, &event);
    if (rc)
        return rc;
    *ret_end = event.type == YAML_SEQUENCE_END_EVENT;
    if (!*ret_end)
        rc = read_node(r, &event, depth, &child);
    yaml_event_delete(&event);
    return rc || *ret_end ? rc : add_child(r, sequence, child);
}

/* What it stands for is not looked up: whoever asks is told that there is an alias. */
static int read_alias(struct reader *r, const yaml_event_t *event, int depth,
                      struct yaml_node **ret) {
    struct yaml_node *node = NULL;
    if (!r->foreign)
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "aliases (*) are not read",
                      "write the value out wherever it is needed");
    if (!strv_has(r->anchors, (const char *)event->data.alias.anchor))
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "an alias (*) of no anchor",
                      "write the value out, or mark it with & before");
    int rc = new_node(r, event, YAML_SCALAR, depth, &node);
    if (!rc && !(node->text = mem_copy_text("")))
        rc = error_nomem(r->err);
    if (rc) {
        free_node(node);
        return rc;
    }
    node->plain = node->alias = true;
    *ret = node;
    return 0;
}

static int read_collection(struct reader *r, const yaml_event_t *event, enum yaml_kind kind,
                           int depth, struct yaml_node **ret) {
    bool mapping = kind == YAML_MAPPING;
    struct yaml_node *node = NULL;
    int rc = mapping ? check_properties(r, event, event->data.mapping_start.anchor,
                                        event->data.mapping_start.tag)
                     : check_properties(r, event, event->data.sequence_start.anchor,
                                        event->data.sequence_start.tag);
    if (!rc)
        rc = new_node(r, event, kind, depth, &node);
    for (bool end = false; !rc && !end;)
        rc = mapping ? read_member(r, node, depth + 1, &end) : read_item(r, node, depth + 1, &end);
    if (rc) {
        free_node(node);
        return rc;
    }
    *ret = node;
    return 0;
}

static int read_node(struct reader *r, const yaml_event_t *event, int depth,
                     struct yaml_node **ret) {
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event, depth, ret);
    case YAML_SEQUENCE_START_EVENT:
        return read_collection(r, event, YAML_SEQUENCE, depth, ret);
    case YAML_MAPPING_START_EVENT:
        return read_collection(r, event, YAML_MAPPING, depth, ret);
    case YAML_ALIAS_EVENT:
        return read_alias(r, event, depth, ret);
    case YAML_STREAM_END_EVENT:
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "there is nothing",
                      "is it the right file, and was it saved?");
    default:
        return refuse(r, CTCD_E_INVALID, &event->start_mark, "a value is missing",
                      "write one behind the colon or dash");
    }
}

/* The next event that is not one of the stream's own: the start of a document's value. */
static int skip_to_value(struct reader *r, yaml_event_t *event) {
    for (;;) {
        int rc = next_event(r, event);
        if (rc)
            return rc;
        if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_START_EVENT)
            return 0;
        yaml_event_delete(event);
    }
}

static int read_document(struct reader *r, struct yaml_node **ret) {
    yaml_event_t event;
    struct yaml_node *root = NULL;
    int rc = skip_to_value(r, &event);
    if (rc)
        return rc;
    rc = read_node(r, &event, 0, &root);
    yaml_event_delete(&event);
    for (bool end = false; !rc && !end;) {
        rc = next_event(r, &event);
        if (rc)
            break;
        if (event.type == YAML_DOCUMENT_START_EVENT)
            rc = refuse(r, CTCD_E_INVALID, &event.start_mark, "a second document begins here",
                        "leave out the line with ---, or make two files");
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    if (rc)
        free_node(root);
    else
        *ret = root;
    return rc;
}

/* Before libyaml, which would guess UTF-16, and says of bad bytes only their offset. */
static int check_bytes(struct reader *r, const char *text, size_t len) {
    yaml_mark_t at = {0};
    if (len > YAML_MAX_BYTES)
        return error_set(r->err, CTCD_E_TOO_LARGE, NULL, "%s: more than %d bytes", r->name,
                         YAML_MAX_BYTES);
    for (size_t i = 0; i < len;) {
        size_t width = text_utf8_length(text + i, len - i);
        if (!width || !text[i])
            return refuse(r, CTCD_E_INVALID, &at, width ? "the character NUL" : "no valid UTF-8",
                          "save it as a text in UTF-8");
        pass(&at, text[i]);
        i += width;
    }
    return 0;
}

static int parse(const char *text, size_t len, const char *name, bool foreign,
                 struct yaml_node **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *own_name = mem_copy_text(name ? name : "YAML");
    struct reader r = {.name = own_name, .foreign = foreign, .err = err};
    if (!own_name)
        return error_nomem(err);
    if (len >= 3 &&
        memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark, as some editors put it */
        text += 3;
        len -= 3;
    }
    r.text = text;
    int rc = check_bytes(&r, text, len);
    if (rc)
        return rc;
    if (!yaml_parser_initialize(&r.parser))
        return error_nomem(err);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    rc = read_document(&r, ret);
    yaml_parser_delete(&r.parser);
    strv_free(r.anchors);
    if (!rc)
        (void)mem_steal(&own_name); /* the root's */
    return rc;
}

int yaml_parse(const char *text, size_t len, const char *name, struct yaml_node **ret,
               ctcd_error **err) {
    return parse(text, len, name, false, ret, err);
}

static int parse_file(const char *path, bool foreign, struct yaml_node **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *text = NULL;
    size_t len = 0;
    int rc = file_read(path, YAML_MAX_BYTES, 0, &text, &len, err);
    return rc ? rc : parse(text, len, path, foreign, ret, err);
}

int yaml_parse_file(const char *path, struct yaml_node **ret, ctcd_error **err) {
    return parse_file(path, false, ret, err);
}

int yaml_parse_foreign_file(const char *path, struct yaml_node **ret, ctcd_error **err) {
    return parse_file(path, true, ret, err);
}
