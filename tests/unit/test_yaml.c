/* io/yaml: the tree with its lines, what is refused, what scalars mean, writing. */
#include "suite.h"

#include <math.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/yaml.h"

static struct yaml_node *parsed(const char *text) {
    struct yaml_node *root = NULL;
    ctcd_error *err = NULL;
    int rc = yaml_parse(text, strlen(text), "f.yaml", &root, &err);
    ck_assert_msg(rc == 0, "%s: %s", text, error_message(err));
    return root;
}

static void assert_refused(const char *text, size_t len, int code, const char *message) {
    struct yaml_node *root = NULL;
    ctcd_error *err = NULL;
    int rc = yaml_parse(text, len, "f.yaml", &root, &err);
    ck_assert_msg(rc == code, "%.40s: %d", text, rc);
    ck_assert_ptr_null(root);
    ck_assert_msg(strncmp(error_message(err), message, strlen(message)) == 0, "%.40s: %s", text,
                  error_message(err));
    error_done(&err);
}

START_TEST(nodes_know_their_place) {
    _cleanup_(yaml_done) struct yaml_node *root = parsed("# comment\n"
                                                         "pipeline: digits\n"
                                                         "params: {target: 0.90, \"seed\": '1'}\n"
                                                         "steps:\n"
                                                         "  - one\n"
                                                         "  - command: [a, \"b\"]\n"
                                                         "text: |\n"
                                                         "  two\n"
                                                         "  lines\n");
    ck_assert_int_eq(root->kind, YAML_MAPPING);
    ck_assert_uint_eq(root->count, 4);
    ck_assert_str_eq(root->name, "f.yaml");
    const struct yaml_node *node = yaml_get(root, "pipeline");
    ck_assert_str_eq(node->key, "pipeline");
    ck_assert_str_eq(yaml_text(node), "digits");
    ck_assert(node->plain);
    ck_assert_uint_eq(node->line, 2);
    ck_assert_uint_eq(node->column, 11);
    ck_assert_uint_eq(node->key_line, 2);
    ck_assert_uint_eq(node->key_column, 1);
    node = yaml_get(yaml_get(root, "params"), "seed");
    ck_assert(!node->plain);
    ck_assert_uint_eq(node->line, 3);
    ck_assert_uint_eq(node->column, 32);
    node = yaml_get(root, "steps");
    ck_assert_int_eq(node->kind, YAML_SEQUENCE);
    ck_assert_uint_eq(node->count, 2);
    node = yaml_get(node->children[1], "command");
    ck_assert_uint_eq(node->line, 6);
    ck_assert_str_eq(yaml_text(node->children[1]), "b");
    ck_assert_str_eq(yaml_text(yaml_get(root, "text")), "two\nlines\n");
    ck_assert_ptr_null(yaml_get(root, "gone"));
    ck_assert_ptr_null(yaml_get(NULL, "x"));
    ck_assert_ptr_null(yaml_get(node, "x"));
    ck_assert_ptr_null(yaml_text(root));
    ck_assert_ptr_null(yaml_text(NULL));
    ctcd_error *err = NULL;
    int rc = yaml_error(&err, CTCD_E_INVALID, yaml_get(root, "steps"), "hint", "no %s", "way");
    ck_assert_int_eq(rc, CTCD_E_INVALID);
    ck_assert_str_eq(error_message(err), "f.yaml:5:3: no way");
    ck_assert_str_eq(error_hint_text(err), "hint");
    error_done(&err);
}
END_TEST

START_TEST(what_is_refused) {
    static const struct {
        const char *text, *message;
    } table[] = {
        {"", "f.yaml:1:1: there is nothing"},
        {"# only a comment\n", "f.yaml:"},
        {"a: &x 1\nb: 2", "f.yaml:1:4: anchors"},
        {"a: 1\nb: *x", "f.yaml:2:4: aliases"},
        {"a: &x [1]", "f.yaml:1:4: anchors"},
        {"a: &x {b: 1}", "f.yaml:1:4: anchors"},
        {"&x a: 1", "f.yaml:1:1: anchors"},
        {"a: !!python/object:os.system x", "f.yaml:1:4: tags"},
        {"a: !mine x", "f.yaml:1:4: tags"},
        {"a: !!int 3", "f.yaml:1:4: tags"},
        {"a: !mine [x]", "f.yaml:1:4: tags"},
        {"a: !!omap {x: 1}", "f.yaml:1:4: tags"},
        {"a: 1\nb: 2\na: 3", "f.yaml:3:1: the key \"a\" is in line 1 already"},
        {"{a: 1, 'a': 3}", "f.yaml:1:8: the key \"a\" is in line 1 already"},
        {"[a]: 1", "f.yaml:1:1: a key must be a text"},
        {"? {a: b}\n: 1", "f.yaml:1:3: a key must be a text"},
        {"*x : 1", "f.yaml:1:1: a key must be a text"},
        {"?\n: 1", "f.yaml:1:2: a key is missing"},
        {"a:\n  <<: {b: 1}", "f.yaml:2:3: merge keys"},
        {"a: 1\n---\nb: 2", "f.yaml:2:1: a second document"},
        {"a: [1, 2", "f.yaml:"},
        {"a: 'x", "f.yaml:"},
        {"a: b: c", "f.yaml:1:5: mapping values are not allowed"},
        {"a:\n\tb: 1", "f.yaml:2:1: found character that cannot start any token"},
        {"a: 1\n b: 2", "f.yaml:2:"},
        {"a: \"\\0\"", "f.yaml:1:4: a text holds the character NUL"},
        {"\"\\0\": 1", "f.yaml:1:1: a text holds the character NUL"},
        {"a: \"\\ud800\"", "f.yaml:1:"},
        {"a: 1\nb: \xff", "f.yaml:2:4: no valid UTF-8"},
        {"a: \x01", "f.yaml:"},
        {"%YAML 9.0\n---\na", "f.yaml:1:1: found incompatible YAML document"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_refused(table[i].text, strlen(table[i].text), CTCD_E_INVALID, table[i].message);
    assert_refused("a: \0", 4, CTCD_E_INVALID, "f.yaml:1:4: the character NUL");
    assert_refused("\xff\xfe"
                   "a\0",
                   4, CTCD_E_INVALID, "f.yaml:1:1: no valid UTF-8");
    /* A tag that only says "a text" is fine. */
    _cleanup_(yaml_done) struct yaml_node *root = parsed("a: !!str 12\n");
    ck_assert(!yaml_get(root, "a")->plain);
    struct yaml_node *one = parsed("---\na: 1\n...\n");
    yaml_tree_free(one);
    yaml_tree_free(NULL);
}
END_TEST

START_TEST(limits) {
    struct buf b = {0};
    for (int i = 0; i < YAML_MAX_DEPTH; i++)
        buf_add_char(&b, '[');
    for (int i = 0; i < YAML_MAX_DEPTH; i++)
        buf_add_char(&b, ']');
    yaml_tree_free(parsed(b.text));
    buf_clear(&b);
    for (int i = 0; i <= YAML_MAX_DEPTH; i++)
        buf_add_char(&b, '[');
    assert_refused(b.text, b.len, CTCD_E_TOO_LARGE, "f.yaml:1:33: nested too deeply");
    buf_clear(&b);
    for (int i = 0; i < 200000; i++)
        buf_add_char(&b, '['); /* ends at the limit, not at the end */
    assert_refused(b.text, b.len, CTCD_E_TOO_LARGE, "f.yaml:1:33: nested too deeply");
    buf_clear(&b);
    for (int i = 1; i < YAML_MAX_NODES; i++)
        buf_add(&b, "- 1\n");
    yaml_tree_free(parsed(b.text));
    buf_add(&b, "- 1\n");
    assert_refused(b.text, b.len, CTCD_E_TOO_LARGE,
                   "f.yaml:10000:3: too many values: at most 10000 are read");
    buf_clear(&b);
    buf_add(&b, "a: ");
    for (int i = 0; i < YAML_MAX_BYTES; i++)
        buf_add_char(&b, 'x');
    assert_refused(b.text, b.len, CTCD_E_TOO_LARGE, "f.yaml: more than 1048576 bytes");
    yaml_tree_free(parsed(b.text + 3));
    buf_done(&b);
}
END_TEST

/* Some editors put one before a file; it is no part of it, and only there. */
START_TEST(a_byte_order_mark_is_passed_over) {
    struct yaml_node *root = parsed("\xef\xbb\xbfpipeline: digits\n");
    ck_assert_str_eq(yaml_text(yaml_get(root, "pipeline")), "digits");
    ck_assert_int_eq(yaml_get(root, "pipeline")->line, 1);
    yaml_tree_free(root);
    assert_refused("\xef\xbb\xbf", 3, CTCD_E_INVALID, "f.yaml:1:1: there is nothing");
    /* libyaml's reader knows only the offset of what it refuses. */
    assert_refused("a: 1\nb: \xc3\xa9\x07\n", 11, CTCD_E_INVALID,
                   "f.yaml:2:5: control characters are not allowed");
}
END_TEST

/* A file of somebody else's writer: what stands for something else is passed over, and nothing is expanded. */
START_TEST(what_others_write) {
    static const struct {
        const char *text, *message; /* NULL: it is read */
    } rows[] = {
        {"a: &x [1]\nb: *x\nc: {<<: *x}\nd: !!binary aGk=\ne: !!set {f}\n", NULL},
        {"a: &x [*x]\n", NULL},
        {"a: *x\n", ":1:4: an alias (*) of no anchor"},
        {"a: !!python/object:os.system x\n", ":1:4: tags of Python (!!python/...) and of others"},
        {"a: !own x\n", ":1:4: tags of Python"},
        {"a: &x 1\na: *x\n", ":2:1: the key \"a\" is in line 1 already"},
    };
    char folder[4096], path[4200];
    suite_folder(folder);
    (void)snprintf(path, sizeof path, "%s/f.yaml", folder);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct yaml_node *root = NULL;
        ctcd_error *err = NULL;
        FILE *file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(rows[i].text, file), 0);
        ck_assert_int_eq(fclose(file), 0);
        int rc = yaml_parse_foreign_file(path, &root, &err);
        ck_assert_msg(rc == (rows[i].message ? CTCD_E_INVALID : 0), "%s: %d %s", rows[i].text, rc,
                      error_message(err));
        ck_assert_msg(!rows[i].message || strstr(error_message(err), rows[i].message), "%s: %s",
                      rows[i].text, error_message(err));
        error_done(&err);
        if (i == 0) {
            ck_assert(yaml_get(root, "b")->alias && yaml_is_null(yaml_get(root, "b")));
            ck_assert(!yaml_get(root, "a")->alias);
            ck_assert_str_eq(yaml_text(yaml_get(root, "d")), "aGk=");
        }
        yaml_tree_free(root);
    }
    suite_folder_remove(folder);
}
END_TEST

START_TEST(scalars_by_the_core_schema) {
    static const struct {
        const char *yaml, *json;
    } table[] = {
        {"~", "null"},
        {"null", "null"},
        {"NULL", "null"},
        {"nUll", "\"nUll\""},
        {"\"\"", "\"\""},
        {"\"null\"", "\"null\""},
        {"true", "true"},
        {"False", "false"},
        {"yes", "\"yes\""},
        {"off", "\"off\""},
        {"'true'", "\"true\""},
        {"12", "12"},
        {"-3", "-3"},
        {"+3", "3"},
        {"+-3", "\"+-3\""},
        {"0o17", "15"},
        {"0o8", "\"0o8\""},
        {"0xff", "255"},
        {"0xFF", "255"},
        {"0x", "\"0x\""},
        {"017", "17"},
        {"0.90", "0.9"},
        {".5", "0.5"},
        {"-1.5e3", "-1500.0"},
        {"1e3", "1000.0"},
        {"1.", "1.0"},
        {"1.2.3", "\"1.2.3\""},
        {".nan", "NaN"},
        {".NaN", "NaN"},
        {"-.inf", "-Infinity"},
        {"+.Inf", "Infinity"},
        {"nan", "\"nan\""},
        {"inf", "\"inf\""},
        {"12:30", "\"12:30\""},
        {"1_000", "\"1_000\""},
        {"-", "[null]"},
        {"'12'", "\"12\""},
        {"2026-01-01", "\"2026-01-01\""},
        {"10m", "\"10m\""},
        {"99999999999999999999", "1e+20"},
        {"0xffffffffffffffffff", "\"0xffffffffffffffffff\""},
        {"[1, a, ]", "[1,\"a\"]"},
        {"{a: , b: 1}", "{\"a\":null,\"b\":1}"},
        {"e5", "\"e5\""},
        {"a: |\n  x\n  y", "{\"a\":\"x\\ny\"}"},
        {"a: >-\n  x\n  y", "{\"a\":\"x y\"}"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        _cleanup_(yaml_done) struct yaml_node *root = parsed(table[i].yaml);
        _cleanup_(json_done) struct json *value = NULL;
        ck_assert_int_eq(yaml_to_json(root, &value, NULL), 0);
        _cleanup_(mem_free_ptr) char *text = json_to_text(value);
        ck_assert_msg(strcmp(text, table[i].json) == 0, "%s: %s", table[i].yaml, text);
    }
    _cleanup_(yaml_done) struct yaml_node *root = parsed("{a: true, b: 'true', n: , i: 5}");
    bool yes = false;
    int64_t whole;
    double real;
    ck_assert(yaml_to_bool(yaml_get(root, "a"), &yes) && yes);
    ck_assert(!yaml_to_bool(yaml_get(root, "b"), &yes));
    ck_assert(yaml_is_null(yaml_get(root, "n")) && yaml_is_null(NULL) && !yaml_is_null(root));
    ck_assert_ptr_null(yaml_text(yaml_get(root, "n")));
    ck_assert(yaml_to_real(yaml_get(root, "i"), &real) && real == 5);
    ck_assert(!yaml_to_int(root, &whole) && !yaml_to_real(NULL, &real));
    struct json *null = NULL;
    ck_assert_int_eq(yaml_to_json(NULL, &null, NULL), 0);
    ck_assert(json_is_null(null));
    json_done(&null);
}
END_TEST

/* Written, read again, the same. */
static void assert_round_trip(const char *json, const char *yaml) {
    struct json *value = NULL;
    ck_assert_int_eq(json_parse(json, strlen(json), 1 << 20, JSON_PYTHON, NULL, &value, NULL), 0);
    _cleanup_(mem_free_ptr) char *text = json_to_yaml_text(value);
    ck_assert_ptr_nonnull(text);
    if (yaml)
        ck_assert_str_eq(text, yaml);
    _cleanup_(yaml_done) struct yaml_node *root = parsed(text);
    _cleanup_(json_done) struct json *again = NULL;
    ck_assert_int_eq(yaml_to_json(root, &again, NULL), 0);
    ck_assert_msg(json_same(value, again), "%s became %s", json, text);
    json_done(&value);
}

START_TEST(values_are_written_as_yaml) {
    assert_round_trip("null", "null\n");
    assert_round_trip("[]", "[]\n");
    assert_round_trip("{}", "{}\n");
    assert_round_trip("\"a b\"", "a b\n");
    assert_round_trip(
        "{\"name\":\"digits\",\"url\":\"http://127.0.0.1:8000/"
        "x\",\"count\":1,\"x\":0.9,\"none\":null,"
        "\"list\":[\"a\",{\"k\":true,\"l\":[1,2]},[],[[3],{}]],\"empty\":{},\"in\":{\"a\":{\"b\":1}"
        "}}",
        "name: digits\n"
        "url: http://127.0.0.1:8000/x\n"
        "count: 1\n"
        "x: 0.9\n"
        "none: null\n"
        "list:\n"
        "  - a\n"
        "  - k: true\n"
        "    l:\n"
        "      - 1\n"
        "      - 2\n"
        "  - []\n"
        "  - - - 3\n"
        "    - {}\n"
        "empty: {}\n"
        "in:\n"
        "  a:\n"
        "    b: 1\n");
    assert_round_trip("\"12345678-9abc-4def-8123-456789abcdef\"",
                      "12345678-9abc-4def-8123-456789abcdef\n");
    assert_round_trip("[NaN,Infinity,-Infinity,1e300,1.0,-0.0]",
                      "- .nan\n- .inf\n- -.inf\n- 1.0e+300\n- 1.0\n- -0.0\n");
    static const char *const looks[] = {
        "\"\"",
        "\"yes\"",
        "\"No\"",
        "\"null\"",
        "\"~\"",
        "\"1\"",
        "\"1.5\"",
        "\"0x1f\"",
        "\"-\"",
        "\"- a\"",
        "\"a: b\"",
        "\"a:\"",
        "\"a #b\"",
        "\" a\"",
        "\"a \"",
        "\"*a\"",
        "\"&a\"",
        "\"!a\"",
        "\"|\"",
        "\">\"",
        "\"%a\"",
        "\"@a\"",
        "\"`a\"",
        "\"{a\"",
        "\"[a\"",
        "\"a]\"",
        "\"a, b\"",
        "\"'a'\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"a\\nb\"",
        "\"a\\tb\"",
        "\"\\r\"",
        "\"\\u0001\"",
        "\"\\u007f\"",
        "\"\\u0085\"",
        "\"\\u2028\"",
        "\"\\ufeff\"",
        "\"\\uffff\"",
        "\"gr\xc3\xbc\xc3\x9f\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"12:30:45\"",
        "\"2026-01-01\"",
        "\"1e3\"",
        "\"<<\"",
        "\"=\"",
        "\"---\"",
        "\"...\"",
        "\"? a\"",
        "\".nan\"",
        "\"y\"",
        "\"1_000\"",
        "\"true\"",
    };
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        _cleanup_(mem_free_ptr) char *in_all =
            mem_text("{%s:[%s,{%s:%s}]}", looks[i], looks[i], looks[i], looks[i]);
        assert_round_trip(looks[i], NULL);
        assert_round_trip(in_all, NULL);
    }
}
END_TEST

START_TEST(long_keys_and_deep_values) {
    struct buf b = {0};
    buf_add(&b, "[{\"");
    for (int i = 0; i < 2000; i++)
        buf_add_char(&b, 'k');
    buf_add(&b, "\":{\"a\":[1]},\"b\":2}]");
    assert_round_trip(b.text, NULL);
    buf_done(&b);
    ck_assert_ptr_null(json_to_yaml_text(NULL));
    struct json *value = json_new_int(1);
    for (int i = 0; i < JSON_MAX_DEPTH + 2; i++) {
        struct json *outer = json_new_array();
        ck_assert(json_append_new(outer, value));
        value = outer;
    }
    ck_assert_ptr_null(json_to_yaml_text(value));
    json_done(&value);
}
END_TEST

START_TEST(memory_may_run_out) {
    static const char text[] = "a: [1, two, {b: c, \"d\": ~}, [], 5, 6]\nlong: 1\nx: {y: z}\n";
    for (uint64_t nth = 1;; nth++) {
        struct yaml_node *root = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        int rc = yaml_parse(text, sizeof text - 1, "f", &root, &err);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(rc, reached ? CTCD_E_NOMEM : 0);
        ck_assert_int_eq(root == NULL, reached);
        yaml_done(&root);
        if (!reached)
            break;
    }
    _cleanup_(yaml_done) struct yaml_node *root = parsed(text);
    _cleanup_(json_done) struct json *value = NULL;
    ck_assert_int_eq(yaml_to_json(root, &value, NULL), 0);
    for (uint64_t nth = 1;; nth++) {
        mem_test_fail_at(nth);
        char *yaml = json_to_yaml_text(value);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(yaml == NULL, reached);
        mem_free(yaml);
        if (!reached)
            break;
    }
    mem_test_fail_at(1);
    ctcd_error *err = NULL;
    ck_assert_int_eq(yaml_error(&err, CTCD_E_INVALID, root, NULL, "x"), CTCD_E_INVALID);
    mem_test_fail_at(0);
    ck_assert_int_eq(error_code(err), CTCD_E_INVALID);
    ck_assert_ptr_nonnull(strstr(error_message(err), "out of memory"));
    error_done(&err);
}
END_TEST

START_TEST(files_are_parsed) {
    char folder[4096];
    suite_folder(folder);
    _cleanup_(mem_free_ptr) char *path = mem_text("%s/a b.yaml", folder);
    struct yaml_node *root = NULL;
    ctcd_error *err = NULL;
    ck_assert_int_eq(yaml_parse_file(path, &root, &err), CTCD_E_NOT_FOUND);
    error_done(&err);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fputs("a: 1\n", f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(yaml_parse_file(path, &root, NULL), 0);
    ck_assert_str_eq(yaml_get(root, "a")->name, path);
    yaml_done(&root);
    ck_assert_int_eq(yaml_parse_file(folder, &root, &err), CTCD_E_INVALID);
    error_done(&err);
    suite_folder_remove(folder);
}
END_TEST

SUITE_MAIN("yaml", nodes_know_their_place, what_is_refused, limits,
           a_byte_order_mark_is_passed_over, what_others_write, scalars_by_the_core_schema,
           values_are_written_as_yaml, long_keys_and_deep_values, memory_may_run_out,
           files_are_parsed)
