/* Reading YAML files into a tree that remembers lines, and writing values as YAML: the only door to
   libyaml. Used for pipeline files, kubeconfigs and `-o yaml`. */
#ifndef CTCD_IO_YAML_H
#define CTCD_IO_YAML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/json.h"

#define YAML_MAX_BYTES (1024 * 1024)
#define YAML_MAX_DEPTH 32
#define YAML_MAX_NODES 10000

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    bool alias;            /* of a foreign file: an alias, whose value is not known here; null */
    bool plain;            /* a scalar without quotes: true, 1, ~ are then more than text */
    unsigned line, column; /* where it begins, from 1 */
    char *text;            /* of a scalar, never NULL there: UTF-8 without NUL */
    char *key;             /* within a mapping: its key, else NULL */
    unsigned key_line, key_column;
    size_t count; /* of a sequence or mapping */
    struct yaml_node **children;
    const char *name; /* of the file, for messages; every node of a tree has it */
};

/* One document, and an empty one is refused. Refused too: anchors, aliases, merge keys (<<), own tags,
   two documents, one key twice, keys that are no scalars, invalid UTF-8, the limits above. Errors are
   CTCD_E_INVALID or CTCD_E_TOO_LARGE and read `NAME:LINE:COLUMN: what`. *ret is freed by yaml_tree_free. */
int yaml_parse(const char *text, size_t len, const char *name, struct yaml_node **ret,
               ctcd_error **err);
int yaml_parse_file(const char *path, struct yaml_node **ret, ctcd_error **err);
/* For files that others write: anchors, aliases (see `alias`), YAML's own tags and merge keys pass. */
int yaml_parse_foreign_file(const char *path, struct yaml_node **ret, ctcd_error **err);
void yaml_tree_free(struct yaml_node *root);
void yaml_done(struct yaml_node **root); /* for _cleanup_ */

/* All accept NULL and a node of another kind. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key); /* borrowed */
const char *yaml_text(const struct yaml_node *node); /* of a scalar that is not null; else NULL */
bool yaml_is_null(const struct yaml_node *node);     /* NULL, or plain ~, null, or nothing */
bool yaml_to_bool(const struct yaml_node *node, bool *ret);   /* plain true, false (any of 1.2's) */
bool yaml_to_int(const struct yaml_node *node, int64_t *ret); /* plain 12, -3, 0o17, 0xff */
bool yaml_to_real(const struct yaml_node *node, double *ret); /* plain number, .nan, .inf too */

/* `NAME:LINE:COLUMN: what`, about this node; returns code. For everything that is wrong with the
   meaning of a file. */
int yaml_error(ctcd_error **err, int code, const struct yaml_node *at, const char *hint,
               const char *fmt, ...) _printf_(5, 6);

/* By the core schema of YAML 1.2 (yes and no are texts); a new reference. */
int yaml_to_json(const struct yaml_node *node, struct json **ret, ctcd_error **err);

/* Block YAML, ending with a newline, that reads back as the same value by YAML 1.1 and 1.2 readers
   alike (texts which look like something else are quoted); keys in insertion order. Owned; NULL = out
   of memory or too deep. */
char *json_to_yaml_text(const struct json *value);

#endif
