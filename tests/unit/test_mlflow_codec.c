/* Requests and answers of MLflow's scoring server: tests/table/mlflow_answers.jsonl holds what real
   servers answered. */
#include "suite.h"

#include "base/buf.h"
#include "base/text.h"
#include "io/json.h"
#include "protocols/mlflow.h"

/* ---- requests ---- */

START_TEST(forms_are_recognised) {
    static const struct {
        enum mlflow_form form;
        const char *text, *body;
    } rows[] = {
        /* by their shape */
        {MLFLOW_AUTO, "[[1, 2], [3, 4]]", "{\"instances\": [[1, 2], [3, 4]]}"},
        {MLFLOW_AUTO, "[1, 2]", "{\"instances\": [1, 2]}"},
        {MLFLOW_AUTO, "[\"a\"]", "{\"instances\": [\"a\"]}"},
        {MLFLOW_AUTO, "[[[0.5]]]", "{\"instances\": [[[0.5]]]}"},
        {MLFLOW_AUTO, "[{\"a\": 1}]", "{\"dataframe_records\": [{\"a\": 1}]}"},
        {MLFLOW_AUTO, "{\"a\": 1, \"b\": null}",
         "{\"dataframe_records\": [{\"a\": 1, \"b\": null}]}"},
        {MLFLOW_AUTO, "{\"a\": [1, 2], \"b\": [3, 4]}",
         "{\"inputs\": {\"a\": [1, 2], \"b\": [3, 4]}}"},
        {MLFLOW_AUTO, "{\"data\": [[1, 2]]}", "{\"dataframe_split\": {\"data\": [[1, 2]]}}"},
        {MLFLOW_AUTO, "{\"columns\": [\"a\"], \"data\": [[1]]}",
         "{\"dataframe_split\": {\"columns\": [\"a\"], \"data\": [[1]]}}"},
        {MLFLOW_AUTO, "{\"columns\": [\"a\"], \"index\": [7], \"data\": [[1]]}",
         "{\"dataframe_split\": {\"columns\": [\"a\"], \"index\": [7], \"data\": [[1]]}}"},
        {MLFLOW_AUTO, "{\"data\": [1, 2], \"label\": [3, 4]}",
         "{\"inputs\": {\"data\": [1, 2], \"label\": [3, 4]}}"},
        /* wrapped already */
        {MLFLOW_AUTO, "{\"instances\": [[1]]}", "{\"instances\": [[1]]}"},
        {MLFLOW_AUTO, "{\"inputs\": {\"a\": [1]}, \"params\": {\"t\": 1}}",
         "{\"inputs\": {\"a\": [1]}, \"params\": {\"t\": 1}}"},
        {MLFLOW_INSTANCES, "{\"instances\": [[1]]}", "{\"instances\": [[1]]}"},
        {MLFLOW_AUTO, "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}",
         "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}"},
        /* named */
        {MLFLOW_INPUTS, "[[1, 2]]", "{\"inputs\": [[1, 2]]}"},
        {MLFLOW_INPUTS, "{\"a\": 1}", "{\"inputs\": {\"a\": 1}}"},
        {MLFLOW_INSTANCES, "[{\"a\": 1}]", "{\"instances\": [{\"a\": 1}]}"},
        {MLFLOW_RECORDS, "{\"a\": [1]}", "{\"dataframe_records\": [{\"a\": [1]}]}"},
        {MLFLOW_RECORDS, "[]", "{\"dataframe_records\": []}"},
        {MLFLOW_SPLIT, "{\"data\": []}", "{\"dataframe_split\": {\"data\": []}}"},
        /* numbers keep their digits, blanks their places; NaN is what this server reads */
        {MLFLOW_AUTO, " [ 1.10 , 123456789012345678901234567890 ] ",
         "{\"instances\":  [ 1.10 , 123456789012345678901234567890 ] }"},
        {MLFLOW_AUTO, "[[NaN, -Infinity, 1e300]]", "{\"instances\": [[NaN, -Infinity, 1e300]]}"},
        {MLFLOW_AUTO, "[[-0.0]]", "{\"instances\": [[-0.0]]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        _cleanup_(mem_free_ptr) char *body = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        int rc = mlflow_encode(rows[i].text, strlen(rows[i].text), rows[i].form, &body, &err);
        ck_assert_msg(rc == 0, "row %zu: %s", i, error_message(err));
        ck_assert_str_eq(body, rows[i].body);
    }
}
END_TEST

START_TEST(what_cannot_be_right) {
    static const struct {
        enum mlflow_form form;
        const char *text, *message, *hint;
    } rows[] = {
        {MLFLOW_AUTO, "", "request:1", NULL},
        {MLFLOW_AUTO, "[[1,", "request:1", NULL},
        {MLFLOW_AUTO, "[1] [2]", "request:1", NULL},
        {MLFLOW_AUTO, "\xff", "request:1", NULL},
        {MLFLOW_AUTO, "{\"a\": [1], \"a\": [2]}", "request:1", NULL},
        {MLFLOW_AUTO, "[1e400]", "request:1", NULL},
        {MLFLOW_AUTO, "3", "a request is no", "records"},
        {MLFLOW_AUTO, "null", "a request is no", NULL},
        {MLFLOW_AUTO, "[]", "no rows", NULL},
        {MLFLOW_AUTO, "{}", "none of the keys", NULL},
        {MLFLOW_AUTO, "[{\"a\": 1}, 2]", "record 2 is", NULL},
        {MLFLOW_AUTO, "{\"dataframe_spilt\": {\"data\": []}}", "none of the keys",
         "\"dataframe_split\""},
        {MLFLOW_AUTO, "{\"a\": [1], \"b\": 2}", "none of the keys", NULL},
        {MLFLOW_AUTO, "{\"a\": [1, 2], \"b\": [3]}", "column \"b\" has 1 values, and \"a\" has 2",
         NULL},
        {MLFLOW_AUTO, "{\"instances\": [1], \"inputs\": [2]}", "instances and inputs, not both",
         NULL},
        {MLFLOW_AUTO, "{\"columns\": [\"a\", \"b\"], \"data\": [[1, 2], [3]]}",
         "row 2 has 1 values, and there are 2 columns", NULL},
        {MLFLOW_AUTO, "{\"dataframe_split\": {\"columns\": [\"a\"], \"data\": [[1, 2]]}}",
         "row 1 has 2 values, and there are 1 columns", NULL},
        {MLFLOW_AUTO, "{\"columns\": \"a\", \"data\": [[1]]}", "\"columns\" is a list", NULL},
        {MLFLOW_AUTO, "{\"columns\": [\"a\"], \"data\": {\"a\": 1}}", "a list of rows", NULL},
        {MLFLOW_AUTO, "{\"data\": [1]}", "row 1 of \"data\" is", NULL},
        {MLFLOW_AUTO, "{\"dataframe_split\": [[1]]}", "a table needs \"data\"", NULL},
        {MLFLOW_SPLIT, "[[1]]", "split needs an object", NULL},
        {MLFLOW_RECORDS, "7", "records needs a list", NULL},
        {MLFLOW_RECORDS, "[[1]]", "record 1 is", NULL},
        {MLFLOW_INSTANCES, "{\"a\": 1}", "instances needs a list", NULL},
        {MLFLOW_INPUTS, "7", "inputs needs a list", NULL},
        {MLFLOW_SPLIT, "{\"instances\": [1]}", "is instances already, not dataframe_split", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *body = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        size_t len = strlen(rows[i].text);
        ck_assert_int_eq(mlflow_encode(rows[i].text, len, rows[i].form, &body, &err),
                         CTCD_E_INVALID);
        ck_assert_int_eq(mlflow_encode(rows[i].text, len, rows[i].form, &body, NULL),
                         CTCD_E_INVALID);
        ck_assert_ptr_null(body);
        ck_assert_msg(strstr(error_message(err), rows[i].message), "row %zu: %s", i,
                      error_message(err));
        if (rows[i].hint)
            ck_assert_msg(error_hint_text(err) && strstr(error_hint_text(err), rows[i].hint),
                          "row %zu", i);
    }
}
END_TEST

START_TEST(deep_and_large_requests_end) {
    _cleanup_(buf_done) struct buf deep = {0};
    for (int i = 0; i < 100000; i++)
        buf_add_char(&deep, '[');
    char *body = NULL;
    ck_assert_int_eq(mlflow_encode(deep.text, deep.len, MLFLOW_AUTO, &body, NULL),
                     CTCD_E_TOO_LARGE);
    ck_assert_int_eq(
        mlflow_encode("[1]", (size_t)MLFLOW_MAX_BODY_BYTES + 1, MLFLOW_AUTO, &body, NULL),
        CTCD_E_TOO_LARGE); /* refused by its size alone */
    ck_assert_int_eq(mlflow_encode("[1]\0[2]", 7, MLFLOW_AUTO, &body, NULL), CTCD_E_INVALID);
    ck_assert_ptr_null(body);
}
END_TEST

START_TEST(names_of_forms) {
    static const struct {
        const char *name;
        enum mlflow_form form;
    } rows[] = {
        {"auto", MLFLOW_AUTO},
        {"split", MLFLOW_SPLIT},
        {"records", MLFLOW_RECORDS},
        {"instances", MLFLOW_INSTANCES},
        {"inputs", MLFLOW_INPUTS},
        {"dataframe_split", MLFLOW_SPLIT},
        {"dataframe_records", MLFLOW_RECORDS},
    };
    enum mlflow_form form;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(mlflow_form_parse(rows[i].name, &form, NULL), 0);
        ck_assert_int_eq(form, rows[i].form);
    }
    form = MLFLOW_RECORDS;
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_int_eq(mlflow_form_parse("instance", &form, &err), CTCD_E_INVALID);
    ck_assert_str_eq(error_hint_text(err), "did you mean \"instances\"?");
    ck_assert_int_eq(mlflow_form_parse("", &form, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(mlflow_form_parse(NULL, &form, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(form, MLFLOW_RECORDS);
    ck_assert_str_eq(mlflow_form_name(MLFLOW_SPLIT), "dataframe_split");
    ck_assert_str_eq(mlflow_form_name(MLFLOW_INPUTS), "inputs");
    ck_assert_ptr_null(mlflow_form_name(MLFLOW_AUTO));
    ck_assert_ptr_null(mlflow_form_name((enum mlflow_form)99));
}
END_TEST

/* ---- answers ---- */

/* What a real server took is handed on unchanged; to one of 1.x, also what was meant for 2.0 (asked). */
static void check_request(const struct json *row, const char *request) {
    const char *name = json_get_text(row, "case"), *asked = json_get_text(row, "asked");
    bool first = json_get_int(row, "protocol", 2) == 1;
    enum mlflow_protocol protocol = first ? MLFLOW_PROTOCOL_1 : MLFLOW_PROTOCOL_2;
    const char *given[] = {request, asked};
    if (text_same(json_get_text(row, "content_type"), MLFLOW_CSV)) {
        ck_assert_int_eq(mlflow_check_csv(request, NULL), 0);
        return;
    }
    for (size_t i = 0; i < 2 && given[i]; i++) {
        _cleanup_(mem_free_ptr) char *body = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        int rc = mlflow_encode_for(protocol, given[i], strlen(given[i]), MLFLOW_AUTO, &body, &err);
        ck_assert_msg(rc == 0, "%s: %s", name, error_message(err));
        _cleanup_(json_done) struct json *made = NULL, *took = NULL;
        ck_assert_int_eq(json_parse(body, strlen(body), 1 << 20, JSON_PYTHON, NULL, &made, NULL),
                         0);
        ck_assert_int_eq(
            json_parse(request, strlen(request), 1 << 20, JSON_PYTHON, NULL, &took, NULL), 0);
        ck_assert_msg(json_same(made, took), "%s: %s", name, body);
        ck_assert(i > 0 || strcmp(body, request) == 0);
    }
}

static void check_recorded(const struct json *row) {
    const char *text = json_get_text(row, "text");
    const char *result = json_get_text(row, "result");
    const char *name = json_get_text(row, "case");
    const char *request = json_get_text(row, "request");
    int status = (int)json_get_int(row, "status", 0);
    _cleanup_(mem_free_ptr) char *predictions = NULL;
    _cleanup_(error_done) ctcd_error *err = NULL;
    int rc = mlflow_decode(status, text, strlen(text), &predictions, &err);
    const char *got = rc ? error_code_name(rc) : "ok";
    ck_assert_msg(strcmp(got, result) == 0, "%s: %s %s", name, got, error_message(err));
    if (rc) {
        const char *want = json_get_text(row, "message");
        ck_assert_msg(strstr(error_message(err), want), "%s: %s", name, error_message(err));
        ck_assert_msg(!strpbrk(error_message(err), "\n\r\t"), "%s: more than a line", name);
        ck_assert_uint_le(strlen(error_message(err)), 1500);
        ck_assert_ptr_null(strstr(error_message(err), "IMPORTANT"));
        ck_assert_int_eq(error_http_status(err), status);
        ck_assert(!error_retryable(err));
        const char *hint = json_get_text(row, "hint");
        ck_assert(!hint || strstr(error_hint_text(err), hint));
        ck_assert_int_eq(strstr(text, "stack_trace") != NULL, error_details(err) != NULL);
        ck_assert_ptr_null(predictions);
    } else if (json_get_text(row, "predictions")) {
        ck_assert_str_eq(predictions, json_get_text(row, "predictions"));
    }
    if (request && !rc)
        check_request(row, request);
}

START_TEST(recorded_answers) {
    char path[4096];
    static char line[16384];
    suite_source(path, "tests/table/mlflow_answers.jsonl");
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "cannot open %s", path);
    int rows = 0;
    while (fgets(line, sizeof line, file)) {
        _cleanup_(json_done) struct json *row = NULL;
        ck_assert_int_eq(json_parse(line, strlen(line), sizeof line, 0, path, &row, NULL), 0);
        check_recorded(row);
        rows++;
    }
    fclose(file);
    ck_assert_int_ge(rows, 20);
}
END_TEST

START_TEST(bodies_for_the_first_protocol) {
    static const struct {
        enum mlflow_form form;
        const char *text, *body; /* NULL = refused */
    } rows[] = {
        {MLFLOW_AUTO, "{\"columns\": [\"a\"], \"data\": [[1]]}",
         "{\"columns\": [\"a\"], \"data\": [[1]]}"},
        {MLFLOW_AUTO, "{\"dataframe_split\": {\"columns\": [\"a\"], \"data\": [[1.5]]}}",
         "{\"columns\":[\"a\"],\"data\":[[1.5]]}"},
        {MLFLOW_AUTO, "{\"dataframe_records\": [{\"a\": NaN}]}", "[{\"a\":NaN}]"},
        {MLFLOW_AUTO, "[{\"a\": 1.10}]", "[{\"a\": 1.10}]"},
        {MLFLOW_AUTO, "{\"a\": 1}", "[{\"a\": 1}]"},
        {MLFLOW_RECORDS, "{\"a\": 1}", "[{\"a\": 1}]"},
        {MLFLOW_AUTO, "[[1, 2]]", "{\"instances\": [[1, 2]]}"},
        {MLFLOW_AUTO, "{\"a\": [1, 2]}", "{\"inputs\": {\"a\": [1, 2]}}"},
        {MLFLOW_AUTO, "{\"instances\": [[1]]}", "{\"instances\": [[1]]}"},
        {MLFLOW_AUTO, "{\"inputs\": [[1]]}", "{\"inputs\": [[1]]}"},
        {MLFLOW_AUTO, "{\"inputs\": [[1]], \"params\": {\"t\": 1}}", NULL},
        {MLFLOW_AUTO, "{\"messages\": []}", NULL},
        {MLFLOW_AUTO, "{\"dataframe_split\": {\"columns\": [\"a\"], \"data\": [[1, 2]]}}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        _cleanup_(mem_free_ptr) char *body = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        int rc = mlflow_encode_for(MLFLOW_PROTOCOL_1, rows[i].text, strlen(rows[i].text),
                                   rows[i].form, &body, &err);
        ck_assert_msg(rc == (rows[i].body ? 0 : CTCD_E_INVALID), "row %zu: %d %s", i, rc,
                      error_message(err));
        ck_assert_msg(text_same(body, rows[i].body), "row %zu: %s", i, body);
    }
    ck_assert_int_eq(mlflow_protocol_of("1.30.1"), MLFLOW_PROTOCOL_1);
    ck_assert_int_eq(mlflow_protocol_of("2.0.1"), MLFLOW_PROTOCOL_2);
    ck_assert_int_eq(mlflow_protocol_of("10.0"), MLFLOW_PROTOCOL_2);
    ck_assert_int_eq(mlflow_protocol_of(""), MLFLOW_PROTOCOL_2);
    ck_assert_int_eq(mlflow_protocol_of(NULL), MLFLOW_PROTOCOL_2);
}
END_TEST

START_TEST(requests_as_csv) {
    ck_assert_int_eq(mlflow_check_csv("a,b\n1,2\n", NULL), 0);
    ck_assert_int_eq(mlflow_check_csv("a\r\n1", NULL), 0);
    static const char *const wrong[] = {"", "a,b", "a,b\n", "\n\n", "a\n \r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        _cleanup_(error_done) ctcd_error *err = NULL;
        ck_assert_int_eq(mlflow_check_csv(wrong[i], &err), CTCD_E_INVALID);
        ck_assert(error_hint_text(err));
    }
}
END_TEST

START_TEST(strict_answers) {
    static const struct {
        const char *text, *strict;
    } rows[] = {
        {"{\"predictions\": [NaN, Infinity, -Infinity, 1.50]}",
         "{\"predictions\": [\"NaN\", \"Infinity\", \"-Infinity\", 1.50]}"},
        {"NaN", "\"NaN\""},
        {"[NaN,NaN]", "[\"NaN\",\"NaN\"]"},
        {"[-1.5e3, true, false, null]", "[-1.5e3, true, false, null]"},
        {"{\"NaN\": \"Infinity\", \"a\\\"NaN\": \"\\\\\"}",
         "{\"NaN\": \"Infinity\", \"a\\\"NaN\": \"\\\\\"}"},
        {"\"\\\\\"", "\"\\\\\""},
        {"", ""},
        {"\"\\", "\"\\"}, /* no JSON: nothing is read beyond its end */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        _cleanup_(mem_free_ptr) char *strict = mlflow_strict(rows[i].text, strlen(rows[i].text));
        ck_assert_str_eq(strict, rows[i].strict);
    }
}
END_TEST

START_TEST(codes_of_statuses) {
    static const struct {
        int status;
        const char *text;
        int code;
        bool retryable;
    } rows[] = {
        {400, "", CTCD_E_INVALID, false},
        {401, "<html><title>Unauthorized</title>", CTCD_E_NOT_ALLOWED, false},
        {403, "Permission denied", CTCD_E_NOT_ALLOWED, false},
        {404, "{\"error_code\": \"RESOURCE_DOES_NOT_EXIST\"}", CTCD_E_NOT_FOUND, false},
        {400, "{\"error_code\": \"RESOURCE_DOES_NOT_EXIST\"}", CTCD_E_NOT_FOUND, false},
        {404, "<!doctype html>", CTCD_E_NOT_FOUND, false},
        {408, "", CTCD_E_UNREACHABLE, true},
        {422, "{\"detail\": [1]}", CTCD_E_INVALID, false},
        {429, "", CTCD_E_UNREACHABLE, true},
        {500, "", CTCD_E_FAILED, false},
        {500, "{\"error_code\": \"BAD_REQUEST\", \"message\": null}", CTCD_E_INVALID, false},
        {500, "{\"error_code\": \"INTERNAL_ERROR\"}", CTCD_E_FAILED, false},
        {502, "", CTCD_E_UNREACHABLE, true},
        {503, "No server is available", CTCD_E_UNREACHABLE, true},
        {504, "", CTCD_E_UNREACHABLE, true},
        {204, "", CTCD_E_PROTOCOL, false},
        {302, "", CTCD_E_PROTOCOL, false},
        {0, "", CTCD_E_PROTOCOL, false},
        {-1, "", CTCD_E_PROTOCOL, false},
        {200, "", CTCD_E_PROTOCOL, false},
        {200, "\n", CTCD_E_PROTOCOL, false},
        {200, "Hello", CTCD_E_PROTOCOL, false},
        {200, "{\"predictions\": [1", CTCD_E_PROTOCOL, false},
        {200, "{\"predictions\": [\"\xff\"]}", CTCD_E_PROTOCOL, false},
        /* hostile: wrong types, bytes, sizes */
        {400, "[]", CTCD_E_INVALID, false},
        {400, "{\"error_code\": 5, \"message\": {}, \"stack_trace\": []}", CTCD_E_INVALID, false},
        {400, "{\"message\": \"\", \"stack_trace\": \"\"}", CTCD_E_INVALID, false},
        {400, "{\"message\": \" \\n\\n \", \"stack_trace\": \"\\n \\n\"}", CTCD_E_INVALID, false},
        {500, "\xff\xfe\x80", CTCD_E_FAILED, false},
        {500, "<title>", CTCD_E_FAILED, false},
        {500, "<title></title>", CTCD_E_FAILED, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *predictions = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        size_t len = strlen(rows[i].text);
        int rc = mlflow_decode(rows[i].status, rows[i].text, len, &predictions, &err);
        ck_assert_msg(rc == rows[i].code, "row %zu: %s", i, error_code_name(rc));
        ck_assert_int_eq(mlflow_decode(rows[i].status, rows[i].text, len, &predictions, NULL), rc);
        ck_assert_ptr_null(predictions);
        ck_assert_int_eq(error_code(err), rc);
        ck_assert_int_eq(error_retryable(err), rows[i].retryable);
        ck_assert(text_is_utf8(error_message(err)) && error_message(err)[0]);
    }
}
END_TEST

START_TEST(messages_are_one_line) {
    static const char answer[] =
        "{\"error_code\": \"BAD_REQUEST\", \"message\": \"a\\n\\n  b\\u0007c.\\n IMPORTANT: x\","
        " \"stack_trace\": \"Traceback:\\n  File\\nKeyError: 'x'\\n\\n\"}";
    _cleanup_(error_done) ctcd_error *err = NULL;
    char *predictions = NULL;
    ck_assert_int_eq(mlflow_decode(400, answer, sizeof answer - 1, &predictions, &err),
                     CTCD_E_INVALID);
    ck_assert_str_eq(error_message(err),
                     "the model server answered 400 BAD_REQUEST: a b c (KeyError: 'x')");
    ck_assert_ptr_nonnull(strstr(error_details(err), "Traceback:\n  File"));

    _cleanup_(buf_done) struct buf big = {0};
    buf_add(&big, "{\"message\": \"");
    for (int i = 0; i < 100000; i++)
        buf_add(&big, "\xe2\x82\xac"); /* cut between characters, not in one */
    buf_add(&big, "\"}");
    ck_assert_int_eq(mlflow_decode(400, big.text, big.len, &predictions, &err), CTCD_E_INVALID);
    ck_assert_uint_lt(strlen(error_message(err)), 700);
    ck_assert_ptr_null(strchr(error_message(err), '?'));
    ck_assert(text_ends(error_message(err), " ..."));
}
END_TEST

START_TEST(answers_without_the_key) {
    _cleanup_(mem_free_ptr) char *whole = NULL;
    static const char chat[] = "{\"choices\": [{\"text\": \"hi\"}]}";
    ck_assert_int_eq(mlflow_decode(200, chat, sizeof chat - 1, &whole, NULL), 0);
    ck_assert_str_eq(whole, "{\"choices\":[{\"text\":\"hi\"}]}");
    mem_free(whole);
    whole = NULL;
    ck_assert_int_eq(mlflow_decode(200, "{\"predictions\": null}", 21, &whole, NULL), 0);
    ck_assert_str_eq(whole, "null");
}
END_TEST

START_TEST(no_memory) {
    static const char rows[] = "{\"a\": 1}";
    static const char trace[] = "{\"error_code\": \"BAD_REQUEST\", \"message\": \"m\", "
                                "\"stack_trace\": \"T\\nE: x\\n\"}";
    static const char good[] = "{\"predictions\": [1, NaN]}";
    static const char page[] = "<title>x</title>";
    for (uint64_t nth = 1; nth < 1000; nth++) {
        char *body = NULL;
        char *out = NULL;
        char *none = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        int encoded = mlflow_encode(rows, sizeof rows - 1, MLFLOW_AUTO, &body, &err);
        int decoded = mlflow_decode(200, good, sizeof good - 1, &out, &err);
        int failed = mlflow_decode(400, trace, sizeof trace - 1, &none, &err);
        int html = mlflow_decode(500, page, sizeof page - 1, &none, &err);
        int refused = mlflow_encode("{}", 2, MLFLOW_AUTO, &none, &err);
        bool all = mem_test_count() < nth;
        mem_test_fail_at(0);
        ck_assert((encoded == 0 && body) || (encoded == CTCD_E_NOMEM && !body));
        ck_assert((decoded == 0 && out) || (decoded == CTCD_E_NOMEM && !out));
        ck_assert(failed == CTCD_E_INVALID || failed == CTCD_E_NOMEM);
        ck_assert(html == CTCD_E_FAILED || html == CTCD_E_NOMEM);
        ck_assert(refused == CTCD_E_INVALID || refused == CTCD_E_NOMEM);
        ck_assert(!none && err);
        mem_free(body);
        mem_free(out);
        if (all)
            return;
    }
    ck_abort_msg("no end");
}
END_TEST

SUITE_MAIN("mlflow_codec", forms_are_recognised, what_cannot_be_right, deep_and_large_requests_end,
           names_of_forms, recorded_answers, bodies_for_the_first_protocol, requests_as_csv,
           strict_answers, codes_of_statuses, messages_are_one_line, answers_without_the_key,
           no_memory)
