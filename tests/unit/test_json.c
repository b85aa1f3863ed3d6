/* io/json: parsing with limits, NaN, building, asking, writing. */
#include "suite.h"

#include <math.h>
#include <stdint.h>

#include "io/json.h"

static struct json *parsed(const char *text, uint32_t flags) {
    struct json *value = NULL;
    ctcd_error *err = NULL;
    int rc = json_parse(text, strlen(text), 1 << 20, flags, NULL, &value, &err);
    ck_assert_msg(rc == 0, "%s: %s", text, error_message(err));
    ck_assert_ptr_null(err);
    return value;
}

static void assert_text(const char *given, uint32_t flags, const char *expected) {
    _cleanup_(json_done) struct json *value = parsed(given, flags);
    _cleanup_(mem_free_ptr) char *text = json_to_text(value);
    ck_assert_str_eq(text, expected);
}

/* The message must begin with where. */
static void assert_refused(const char *text, size_t len, uint32_t flags, int code,
                           const char *where) {
    struct json *value = NULL;
    ctcd_error *err = NULL;
    int rc = json_parse(text, len, 1 << 20, flags, "answer", &value, &err);
    ck_assert_msg(rc == code, "%s: %d", text, rc);
    ck_assert_ptr_null(value);
    ck_assert_msg(strncmp(error_message(err), where, strlen(where)) == 0, "%s: %s", text,
                  error_message(err));
    error_done(&err);
    ck_assert_int_eq(json_parse(text, len, 1 << 20, flags, NULL, &value, NULL), code);
}

START_TEST(values_survive_reading_and_writing) {
    static const char *const same[] = {
        "null",
        "true",
        "false",
        "0",
        "-7",
        "9223372036854775807",
        "-9223372036854775808",
        "0.9",
        "1.0",
        "1e+300",
        "-0.0",
        "\"\"",
        "\"a\"",
        "[]",
        "{}",
        "[1,[2,{\"a\":[]}],\"b\"]",
        "{\"z\":1,\"a\":{\"y\":null,\"b\":true}}",
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_text(same[i], 0, same[i]);
        assert_text(same[i], JSON_PYTHON | JSON_UNIQUE_KEYS, same[i]);
    }
    assert_text(" [ 1 , 2.50 ]\n", 0, "[1,2.5]");
    assert_text("\"\\u00fc\\ud83d\\ude00\\/\"", 0, "\"\xc3\xbc\xf0\x9f\x98\x80/\"");
    assert_text("{\"a\":1,\"b\":2,\"a\":3}", 0, "{\"a\":3,\"b\":2}"); /* the last one counts */
}
END_TEST

START_TEST(bad_texts_are_refused_with_their_place) {
    static const struct {
        const char *text, *where;
    } table[] = {
        {"", "answer:1:1: there is nothing"},
        {" \n ", "answer:1:1: there is nothing"},
        {"[1,\n 2,,]", "answer:2:"},
        {"{\"a\" 1}", "answer:1:"},
        {"[1", "answer:1:"},
        {"[1] 2", "answer:1:"},
        {"nul", "answer:1:"},
        {"NaN", "answer:1:"},
        {"[Infinity]", "answer:1:"},
        {"01", "answer:1:"},
        {"1.", "answer:1:"},
        {"+1", "answer:1:"},
        {"'a'", "answer:1:"},
        {"\"a\nb\"", "answer:1:3: a text is not closed on its line"},
        {"\"a\tb\"", "answer:1:"},
        {"\"a", "answer:1:"},
        {"\"\\", "answer:1:"},
        {"\"\\x\"", "answer:1:"},
        {"\"\\ud800\"", "answer:1:"},
        {"\"a\\u0000b\"", "answer:1:3: a text holds the character NUL"},
        {"[\n\"\\u0000NaN\"]", "answer:2:2: a text holds the character NUL"},
        {"{\"\\u0000\":1}", "answer:1:3: a text holds the character NUL"},
        {"\"\xff\"", "answer:1:"},
        {"\"\xc0\x80\"", "answer:1:"},
        {"\"\xed\xa0\x80\"", "answer:1:"},
        {"\xef\xbb\xbf{}", "answer:1:"},
        {"9223372036854775808", "answer:1:"},
        {"1e400", "answer:1:"},
        {"[1]//", "answer:1:"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t len = strlen(table[i].text);
        assert_refused(table[i].text, len, 0, CTCD_E_PROTOCOL, table[i].where);
        assert_refused(table[i].text, len, JSON_USER_INPUT, CTCD_E_INVALID, table[i].where);
    }
    assert_refused("[1]\0", 4, 0, CTCD_E_PROTOCOL, "answer:1:");
    assert_refused("\"a\0b\"", 5, 0, CTCD_E_PROTOCOL, "answer:1:");
    assert_refused("\0", 1, JSON_PYTHON, CTCD_E_PROTOCOL, "answer:1:");
    assert_refused("[12\0]", 5, JSON_PYTHON, CTCD_E_PROTOCOL, "answer:1:");
    assert_refused("{\"a\":1,\"a\":1}", 13, JSON_UNIQUE_KEYS, CTCD_E_PROTOCOL, "answer:1:");
}
END_TEST

START_TEST(messages_do_not_quote_the_text) {
    ctcd_error *err = NULL;
    struct json *value = NULL;
    static const char text[] = "{\"token\": s3cret}";
    ck_assert_int_ne(json_parse(text, sizeof text - 1, 100, 0, NULL, &value, &err), 0);
    ck_assert_ptr_null(strstr(error_message(err), "s3cret"));
    error_done(&err);
    static const char other[] = "{\"token\": \"s3cret\" \"more\"}";
    ck_assert_int_ne(json_parse(other, sizeof other - 1, 100, 0, NULL, &value, &err), 0);
    ck_assert_ptr_null(strstr(error_message(err), "s3cret"));
    ck_assert_ptr_null(strstr(error_message(err), "more"));
    error_done(&err);
}
END_TEST

START_TEST(size_and_depth_are_limited) {
    char nested[2 * JSON_MAX_DEPTH + 3];
    memset(nested, '[', JSON_MAX_DEPTH);
    memset(nested + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    nested[2 * JSON_MAX_DEPTH] = '\0';
    assert_text(nested, 0, nested);
    memset(nested, '[', JSON_MAX_DEPTH + 1);
    memset(nested + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    assert_refused(nested, sizeof nested - 1, 0, CTCD_E_TOO_LARGE,
                   "answer:1:65: nested too deeply");
    /* Brackets in texts are only text, and side by side is not within each other. */
    assert_text("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"", 0,
                "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"");
    struct json *value = NULL;
    ctcd_error *err = NULL;
    ck_assert_int_eq(json_parse("[1,2]", 5, 4, 0, "a.json", &value, &err), CTCD_E_TOO_LARGE);
    ck_assert_str_eq(error_message(err), "a.json: more than 4 bytes");
    error_done(&err);
    ck_assert_int_eq(json_parse("[1,2]garbage", 5, 5, 0, NULL, &value, NULL), 0);
    json_done(&value);
    size_t huge = 100000;
    char *brackets = mem_alloc(huge);
    memset(brackets, '[', huge);
    assert_refused(brackets, huge, JSON_PYTHON, CTCD_E_TOO_LARGE, "answer:1:65");
    mem_free(brackets);
}
END_TEST

START_TEST(python_writes_nan) {
    double real;
    _cleanup_(json_done) struct json *value =
        parsed("{\"a\": NaN, \"b\": [Infinity, -Infinity,-1,-1.5e-3,2], \"NaN\": \"NaN Infinity\","
               "\"big\": 18446744073709551616, \"small\": -99999999999999999999, \"fits\": "
               "-9223372036854775808, \"e\": 12345678901234567890e2}",
               JSON_PYTHON);
    ck_assert(json_to_real(json_get(value, "a"), &real) && isnan(real));
    ck_assert_int_eq(json_kind(json_get(value, "a")), JSON_KIND_REAL);
    ck_assert_ptr_null(json_get_text(value, "a"));
    ck_assert(json_to_real(json_find(value, "b.0"), &real) && isinf(real) && real > 0);
    ck_assert(json_to_real(json_find(value, "b.1"), &real) && isinf(real) && real < 0);
    int64_t whole;
    ck_assert(!json_to_int(json_find(value, "b.1"), &whole));
    ck_assert_str_eq(json_get_text(value, "NaN"), "NaN Infinity");
    ck_assert(json_get_real(value, "big", 0) == 18446744073709551616.0);
    ck_assert(json_get_real(value, "small", 0) == -1e20);
    ck_assert_int_eq(json_get_int(value, "fits", 0), INT64_MIN);
    ck_assert(json_has_nan(value));
    _cleanup_(mem_free_ptr) char *text = json_to_text(value);
    ck_assert_str_eq(text, "{\"a\":NaN,\"b\":[Infinity,-Infinity,-1,-0.0015,2],"
                           "\"NaN\":\"NaN Infinity\",\"big\":1.8446744073709552e+19,"
                           "\"small\":-1e+20,\"fits\":-9223372036854775808,"
                           "\"e\":1.2345678901234568e+21}");
    _cleanup_(json_done) struct json *again = parsed(text, JSON_PYTHON);
    ck_assert(json_same(value, again));
    assert_text("NaN", JSON_PYTHON, "NaN");
    assert_refused("NaNo", 4, JSON_PYTHON, CTCD_E_PROTOCOL, "answer:1:");
    assert_refused("-Inf", 4, JSON_PYTHON, CTCD_E_PROTOCOL, "answer:1:");
    assert_refused("{NaN:1}", 7, JSON_PYTHON, CTCD_E_PROTOCOL, "answer:1:");
    assert_refused("[NaN,\"\\u0000NaN\"]", 17, JSON_PYTHON, CTCD_E_PROTOCOL, "answer:1:");
}
END_TEST

START_TEST(nan_can_be_made) {
    _cleanup_(json_done) struct json *object = json_new_object();
    ck_assert(json_set_real(object, "nan", (double)NAN) &&
              json_set_real(object, "inf", (double)INFINITY) &&
              json_set_real(object, "minus", -(double)INFINITY));
    _cleanup_(json_done) struct json *copy = json_clone(object);
    ck_assert(json_same(object, copy));
    _cleanup_(mem_free_ptr) char *text = json_to_canonical(copy);
    ck_assert_str_eq(text, "{\"inf\":Infinity,\"minus\":-Infinity,\"nan\":NaN}");
    ck_assert(isnan(json_get_real(copy, "nan", 0)));
    ck_assert(json_has_nan(copy));
    ck_assert(!json_has_nan(NULL));
}
END_TEST

START_TEST(building) {
    _cleanup_(json_done) struct json *object = json_new_object();
    struct json *list = json_new_array();
    ck_assert(json_append_text(list, "a") && json_append_new(list, json_new_int(2)) &&
              json_append_text(list, NULL));
    ck_assert(json_set_text(object, "text", "t") && json_set_text(object, "none", NULL) &&
              json_set_int(object, "int", -1) && json_set_real(object, "real", 0.5) &&
              json_set_bool(object, "bool", true) && json_set_null(object, "null") &&
              json_set(object, "list", list) && json_set_new(object, "list2", list));
    _cleanup_(mem_free_ptr) char *text = json_to_text(object);
    ck_assert_str_eq(text, "{\"text\":\"t\",\"none\":null,\"int\":-1,\"real\":0.5,\"bool\":true,"
                           "\"null\":null,\"list\":[\"a\",2,null],\"list2\":[\"a\",2,null]}");
    /* An older value is replaced in its place. */
    ck_assert(json_set_int(object, "none", 1));
    json_remove(object, "list");
    json_remove(object, "list2");
    json_remove(object, "not there");
    _cleanup_(mem_free_ptr) char *pretty = json_to_pretty(object);
    ck_assert_str_eq(pretty, "{\n  \"text\": \"t\",\n  \"none\": 1,\n  \"int\": -1,\n"
                             "  \"real\": 0.5,\n  \"bool\": true,\n  \"null\": null\n}");
}
END_TEST

START_TEST(what_cannot_be_built_is_refused) {
    _cleanup_(json_done) struct json *object = json_new_object();
    ck_assert_ptr_null(json_new_text("\xff"));
    ck_assert_ptr_null(json_new_text_len("a\0b", 3));
    ck_assert(!json_set_text(object, "a", "\xc3"));
    ck_assert(!json_set_new(object, "a", NULL));
    ck_assert(!json_set(object, "a", NULL));
    ck_assert(!json_set_int(object, "\xff", 1));
    ck_assert(!json_set_int(NULL, "a", 1));
    ck_assert(!json_append_new(object, json_new_int(1))); /* no array */
    ck_assert(!json_append(NULL, object));
    ck_assert(!json_set(object, "self", object));
    ck_assert_uint_eq(json_size(object), 0);
    _cleanup_(json_done) struct json *text = json_new_text_len("abc", 2);
    ck_assert_str_eq(json_text(text), "ab");
    _cleanup_(json_done) struct json *null = json_new_text(NULL);
    ck_assert(json_is_null(null));
}
END_TEST

START_TEST(asking_accepts_everything) {
    _cleanup_(json_done) struct json *value = parsed(
        "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"ok\":true}]},\"n\":3.0,\"x\":3.5,"
        "\"big\":1e300,\"f\":false,\"one\":1}",
        0);
    int64_t whole = 42;
    double real;
    ck_assert_str_eq(json_text(json_find(value, "status.conditions.0.type")), "Ready");
    ck_assert(json_is_true(json_find(value, "status.conditions.0.ok")));
    ck_assert_ptr_null(json_find(value, "status.conditions.1.type"));
    ck_assert_ptr_null(json_find(value, "status.conditions.-1"));
    ck_assert_ptr_null(json_find(value, "status.conditions.x"));
    ck_assert_ptr_null(json_find(value, "status..x"));
    ck_assert_ptr_null(json_find(value, ""));
    ck_assert_ptr_null(json_find(value, "n.x"));
    ck_assert_ptr_null(json_find(NULL, "a"));
    char path[400];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_ptr_null(json_find(value, path));
    ck_assert(json_to_int(json_get(value, "n"), &whole) && whole == 3);
    ck_assert(!json_to_int(json_get(value, "x"), &whole));
    ck_assert(!json_to_int(json_get(value, "big"), &whole));
    ck_assert(!json_to_int(json_get(value, "status"), &whole) && whole == 3);
    ck_assert(json_to_real(json_get(value, "one"), &real) && real == 1);
    ck_assert(!json_to_real(json_get(value, "f"), &real));
    ck_assert_int_eq(json_get_int(value, "gone", 7), 7);
    ck_assert(json_get_real(value, "f", 7) == 7);
    ck_assert(!json_get_bool(value, "f", true));
    ck_assert(json_get_bool(value, "one", true));
    ck_assert(!json_is_true(NULL) && json_is_null(NULL) && !json_text(NULL));
    ck_assert_ptr_null(json_get(NULL, "a"));
    ck_assert_ptr_null(json_at(value, 0));
    ck_assert_ptr_null(json_get(json_find(value, "status.conditions"), "a"));
    ck_assert_uint_eq(json_size(NULL), 0);
    ck_assert_uint_eq(json_size(json_get(value, "n")), 0);
    ck_assert_int_eq(json_kind(NULL), JSON_KIND_NONE);
    ck_assert_str_eq(json_kind_name(json_kind(value)), "an object");
    ck_assert_str_eq(json_kind_name(json_kind(json_get(value, "one"))), "a whole number");
    ck_assert_ptr_null(json_unref(NULL));
    ck_assert_ptr_null(json_ref(NULL));
    ck_assert(!json_same(NULL, value));
}
END_TEST

START_TEST(members_come_in_their_order) {
    _cleanup_(json_done) struct json *value = parsed("{\"z\":1,\"y\":2,\"x\":3}", 0);
    char keys[8] = "";
    int64_t sum = 0, n;
    for (struct json_iter i = json_members(value); json_next(&i);) {
        strcat(keys, i.key);
        ck_assert(json_to_int(i.value, &n));
        sum += n;
    }
    ck_assert_str_eq(keys, "zyx");
    ck_assert_int_eq(sum, 6);
    struct json_iter none = json_members(NULL);
    ck_assert(!json_next(&none));
    struct json_iter scalar = json_members(json_get(value, "z"));
    ck_assert(!json_next(&scalar));
}
END_TEST

START_TEST(canonical_text_is_sorted) {
    _cleanup_(json_done) struct json *a = parsed("{\"b\":[1, {\"z\":1,\"a\":2}],\"a\":null}", 0);
    _cleanup_(json_done) struct json *b = parsed("{\"a\":null,\"b\":[1,{\"a\":2,\"z\":1}]}", 0);
    _cleanup_(mem_free_ptr) char *text_a = json_to_canonical(a);
    _cleanup_(mem_free_ptr) char *text_b = json_to_canonical(b);
    ck_assert_str_eq(text_a, "{\"a\":null,\"b\":[1,{\"a\":2,\"z\":1}]}");
    ck_assert_str_eq(text_a, text_b);
    ck_assert(json_same(a, b));
    _cleanup_(json_done) struct json *copy = json_clone(a);
    ck_assert(json_set_int(json_find(copy, "b.1"), "z", 9));
    ck_assert(!json_same(a, copy));
    ck_assert(json_same(a, b));
    _cleanup_(json_done) struct json *one = json_new_int(1);
    _cleanup_(json_done) struct json *real = json_new_real(1);
    ck_assert(!json_same(one, real));
    _cleanup_(mem_free_ptr) char *pretty = json_to_pretty(json_get(a, "b"));
    ck_assert_str_eq(pretty, "[\n  1,\n  {\n    \"z\": 1,\n    \"a\": 2\n  }\n]");
    ck_assert_ptr_null(json_to_text(NULL));
    ck_assert_ptr_null(json_clone(NULL));
}
END_TEST

START_TEST(what_is_too_deep_is_not_written) {
    struct json *value = json_new_array();
    for (int i = 1; i < JSON_MAX_DEPTH; i++) {
        struct json *outer = json_new_array();
        ck_assert(json_append_new(outer, value));
        value = outer;
    }
    char *text = json_to_text(value);
    ck_assert_ptr_nonnull(text);
    mem_free(text);
    struct json *outer = json_new_array();
    ck_assert(json_append_new(outer, value));
    ck_assert_ptr_null(json_to_text(outer));
    ck_assert(!json_has_nan(outer));
    json_unref(outer);
}
END_TEST

START_TEST(memory_may_run_out) {
    static const char text[] = "{\"a\":[NaN,1,\"x\"],\"b\":{\"c\":18446744073709551616}}";
    for (uint64_t nth = 1;; nth++) {
        struct json *value = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        int rc = json_parse(text, sizeof text - 1, 1000, JSON_PYTHON, NULL, &value, &err);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(rc, reached ? CTCD_E_NOMEM : 0);
        ck_assert_int_eq(value == NULL, reached);
        ck_assert_int_eq(error_code(err), rc);
        json_done(&value);
        if (!reached)
            break;
    }
    _cleanup_(json_done) struct json *value = parsed(text, JSON_PYTHON);
    for (uint64_t nth = 1;; nth++) {
        mem_test_fail_at(nth);
        char *a = json_to_canonical(value);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(a == NULL, reached);
        mem_free(a);
        if (!reached)
            break;
    }
}
END_TEST

START_TEST(files_are_parsed) {
    char folder[4096];
    suite_folder(folder);
    _cleanup_(mem_free_ptr) char *path = mem_text("%s/a b.json", folder);
    struct json *value = NULL;
    ctcd_error *err = NULL;
    ck_assert_int_eq(json_parse_file(path, 100, 0, &value, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error_message(err), path));
    error_done(&err);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fputs("{\"a\": 1,\n \"b\"}", f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(json_parse_file(path, 100, JSON_USER_INPUT, &value, &err), CTCD_E_INVALID);
    _cleanup_(mem_free_ptr) char *where = mem_text("%s:2:", path);
    ck_assert_msg(strncmp(error_message(err), where, strlen(where)) == 0, "%s", error_message(err));
    error_done(&err);
    ck_assert_int_eq(json_parse_file(path, 3, 0, &value, NULL), CTCD_E_TOO_LARGE);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fputs("{\"a\": 1}\n", f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(json_parse_file(path, 100, 0, &value, NULL), 0);
    ck_assert_int_eq(json_get_int(value, "a", 0), 1);
    json_done(&value);
    suite_folder_remove(folder);
}
END_TEST

SUITE_MAIN("json", values_survive_reading_and_writing, bad_texts_are_refused_with_their_place,
           messages_do_not_quote_the_text, size_and_depth_are_limited, python_writes_nan,
           nan_can_be_made, building, what_cannot_be_built_is_refused, asking_accepts_everything,
           members_come_in_their_order, canonical_text_is_sorted, what_is_too_deep_is_not_written,
           memory_may_run_out, files_are_parsed)
