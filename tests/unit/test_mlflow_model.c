/* Where a model's URI leads, what its MLmodel file must say, and which Python will serve it. */
#include "suite.h"

#include "base/text.h"
#include "deployers/mlflow/model.h"

static char folder[4096];

static void setup(void) {
    char made[4096];
    suite_folder(made);
    ck_assert_ptr_nonnull(realpath(made, folder));
}

static void teardown(void) {
    suite_folder_remove(folder);
}

/* A path below the folder; a few are alive at a time. */
static const char *at(const char *name) {
    static char paths[8][8200];
    static size_t next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text, mode_t mode) {
    FILE *file = fopen(at(name), "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(at(name), mode), 0);
}

static void make_model(const char *name, const char *text) {
    char file[256];
    ck_assert_int_eq(mkdir(at(name), 0700), 0);
    (void)snprintf(file, sizeof file, "%s/MLmodel", name);
    if (text)
        put(file, text, 0600);
}

#define PYFUNC "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"

static void resolves(const char *uri, const char *path) {
    _cleanup_(mem_free_ptr) char *got = NULL;
    _cleanup_(error_done) ctcd_error *err = NULL;
    int rc = model_resolve(uri, &got, &err);
    ck_assert_msg(rc == 0, "%s: %s", uri, error_message(err));
    ck_assert_str_eq(got, path);
}

static void refuses(const char *uri, int code, const char *message, const char *hint) {
    char *got = NULL;
    _cleanup_(error_done) ctcd_error *err = NULL;
    int rc = model_resolve(uri, &got, &err);
    ck_assert_msg(rc == code, "%s: %d %s", uri, rc, error_message(err));
    ck_assert_msg(strstr(error_message(err), message), "%s: %s", uri, error_message(err));
    const char *said = error_hint_text(err);
    ck_assert_msg(!hint || (said && strstr(said, hint)), "%s: hint %s", uri, said ? said : "-");
    ck_assert_ptr_null(got);
}

START_TEST(paths_and_file_uris) {
    char uri[8300];
    make_model("a model", PYFUNC);
    ck_assert_int_eq(symlink("a model", at("link")), 0);
    resolves(at("a model"), at("a model"));
    resolves(at("link"), at("a model"));
    resolves(at("./a model/../link/"), at("a model"));
    (void)snprintf(uri, sizeof uri, "file://%s/a%%20model", folder);
    resolves(uri, at("a model"));
    (void)snprintf(uri, sizeof uri, "file:%s/a model", folder);
    resolves(uri, at("a model"));
    (void)snprintf(uri, sizeof uri, "FILE://localhost%s/%%61 model", folder);
    resolves(uri, at("a model"));
    ck_assert_int_eq(chdir(folder), 0);
    resolves("a model", at("a model"));
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(what_is_no_path) {
    refuses("", CTCD_E_INVALID, "empty", "path");
    refuses("models:/digits/3", CTCD_E_NOT_SUPPORTED, "models:/digits/3", "artifacts download");
    refuses("runs:/0a1b/model", CTCD_E_NOT_SUPPORTED, "local folders", NULL);
    refuses("s3://bucket/model", CTCD_E_NOT_SUPPORTED, "s3://bucket/model", NULL);
    refuses("file://elsewhere/model", CTCD_E_INVALID, "file: URI", "file:///path");
    refuses("file:///a%2", CTCD_E_INVALID, "file: URI", NULL);
    refuses("file:///a%zz", CTCD_E_INVALID, "file: URI", NULL);
    refuses("file:///a%00b", CTCD_E_INVALID, "file: URI", NULL);
    refuses("file:///", CTCD_E_INVALID, "MLmodel", NULL);
    refuses("c:model", CTCD_E_NOT_FOUND, "c:model", NULL); /* no scheme: a name with a colon */
}
END_TEST

START_TEST(what_is_no_model) {
    refuses(at("nowhere"), CTCD_E_NOT_FOUND, "nowhere", "check the path");
    make_model("empty", NULL);
    refuses(at("empty"), CTCD_E_INVALID, "has no MLmodel", "save_model()");
    put("empty/file", "x", 0600);
    refuses(at("empty/file"), CTCD_E_INVALID, "is no folder", NULL);
    make_model("outer", NULL);
    make_model("outer/model", PYFUNC);
    refuses(at("outer"), CTCD_E_INVALID, "has no MLmodel", "outer/model?");
    make_model("garbage", "flavors: [\n");
    refuses(at("garbage"), CTCD_E_INVALID, "MLmodel:", NULL);
    make_model("java", "flavors:\n  mleap:\n    x: 1\n");
    refuses(at("java"), CTCD_E_INVALID, "no flavor python_function, only mleap", "flavors");
    make_model("none", "artifact_path: model\n");
    refuses(at("none"), CTCD_E_INVALID, "no flavor python_function", NULL);
    make_model("scalar", "just text\n");
    refuses(at("scalar"), CTCD_E_INVALID, "no flavor python_function", NULL);
}
END_TEST

START_TEST(anchors_are_left_to_python) {
    make_model("anchors", "metadata:\n  a: &id001 [1]\n  b: *id001\n" PYFUNC);
    resolves(at("anchors"), at("anchors"));
    char *columns = NULL;
    ck_assert_int_eq(model_columns(at("anchors"), &columns, NULL), CTCD_NONE);
    make_model("anchors2", "flavors:\n  mleap:\n    a: &id001 [1]\n    b: *id001\n");
    refuses(at("anchors2"), CTCD_E_INVALID, "no flavor python_function, only mleap", NULL);
    make_model("alias", "a: &a {loader_module: x}\nflavors: {python_function: *a}\n");
    resolves(at("alias"), at("alias"));
    make_model("merged", "a: &a {loader_module: x}\nflavors: {python_function: {<<: *a}}\n");
    resolves(at("merged"), at("merged"));
    make_model("dangling", PYFUNC "    x: *nowhere\n");
    refuses(at("dangling"), CTCD_E_INVALID, "MLmodel:4:8: an alias (*) of no anchor", NULL);
    make_model("broken", PYFUNC "    x: &a [1]\n    y: [*a\n");
    refuses(at("broken"), CTCD_E_INVALID, "MLmodel:6:1: did not find expected", NULL);
}
END_TEST

/* MLflow imports what loader_module names: without one no server of it can start. */
START_TEST(a_flavor_that_cannot_be_loaded) {
    static const struct {
        const char *flavor, *message;
    } rows[] = {
        {" 3", "MLmodel:2:20: the flavor python_function must be a mapping"},
        {"", "MLmodel:2:19: the flavor python_function must be a mapping"},
        {" [a]", "must be a mapping"},
        {" {}", "MLmodel:2:20: the flavor python_function needs a loader_module"},
        {" {loader_module: ~}", "MLmodel:2:36: the flavor python_function needs a loader_module"},
        {" {loader_module: [x]}", "needs a loader_module"},
        {" {loader_module: \"\"}", "needs a loader_module"},
    };
    make_model("m", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "flavors:\n  python_function:%s\n", rows[i].flavor);
        put("m/MLmodel", text, 0600);
        refuses(at("m"), CTCD_E_INVALID, rows[i].message, "save_model()");
    }
}
END_TEST

START_TEST(a_signature_that_cannot_be_read) {
    static const struct {
        const char *signature, *message;
    } rows[] = {
        {"3", "MLmodel:4:12: the signature must be a mapping"},
        {"[inputs]", "the signature must be a mapping"},
        {"{inputs: 3}", "MLmodel:4:21: the inputs of the signature must be a list"},
        {"{inputs: [a]}", "the inputs of the signature must be a list"},
        {"{inputs: '[', outputs: '[]'}", "the inputs of the signature must be a list"},
        {"{inputs: '[]', outputs: '{}'}", "the outputs of the signature must be a list"},
        {"{inputs: '[]', params: 'x'}", "the params of the signature must be a list"},
    };
    make_model("m", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, PYFUNC "signature: %s\n", rows[i].signature);
        put("m/MLmodel", text, 0600);
        refuses(at("m"), CTCD_E_INVALID, rows[i].message, "save_model()");
    }
    put("m/MLmodel", PYFUNC "signature: {inputs: '[]', outputs: ~}\n", 0600);
    resolves(at("m"), at("m"));
}
END_TEST

static const struct {
    const char *signature, *columns; /* columns: NULL = none */
} signatures[] = {
    {"", NULL},
    {"signature: null\n", NULL},
    {"signature:\n  inputs: null\n", NULL},
    {"signature:\n  inputs: '[]'\n", NULL},
    {"signature:\n  inputs: 'not JSON'\n", NULL},
    {"signature:\n  inputs: '[{\"type\": \"double\", \"name\": \"area\", \"required\": true}, "
     "{\"type\":\n    \"long\", \"name\": \"rooms\"}]'\n  outputs: '[]'\n",
     "[\"area\",\"rooms\"]"},
    {"signature:\n  inputs: '[{\"type\": \"double\"}, {\"type\": \"double\"}]'\n", NULL},
    {"signature:\n  inputs: '[{\"type\": \"tensor\", \"tensor-spec\": {\"dtype\": \"float64\", "
     "\"shape\": [-1, 2]}}]'\n",
     NULL},
    {"signature:\n  inputs: '[{\"type\": \"tensor\", \"name\": \"x\", \"tensor-spec\": {}}]'\n",
     NULL},
    {"signature:\n  inputs: '[{\"type\": \"string\", \"name\": \"a \\\"b\\\" \xc3\xa9\"}]'\n",
     "[\"a \\\"b\\\" \xc3\xa9\"]"},
};

START_TEST(columns_of_a_signature) {
    make_model("m", NULL);
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        _cleanup_(mem_free_ptr) char *columns = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        char text[2048];
        (void)snprintf(text, sizeof text, PYFUNC "%s", signatures[i].signature);
        put("m/MLmodel", text, 0600);
        int rc = model_columns(at("m"), &columns, &err);
        ck_assert_msg(rc == (signatures[i].columns ? 0 : CTCD_NONE), "row %zu: %d %s", i, rc,
                      error_message(err));
        ck_assert_msg(text_same(columns, signatures[i].columns), "row %zu: %s", i,
                      columns ? columns : "");
    }
    char *columns = NULL;
    ck_assert_int_eq(model_columns(at("nowhere"), &columns, NULL), CTCD_E_NOT_FOUND);
}
END_TEST

static int python(const char *name, char **ret, const char *message) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    *ret = NULL;
    int rc = python_find(name, ret, &err);
    ck_assert_msg(!message || strstr(error_message(err), message), "%s: %s", name,
                  error_message(err));
    ck_assert(!message || error_hint_text(err));
    return rc;
}

START_TEST(which_python) {
    char *found = NULL;
    char path[4300];
    ck_assert_int_eq(mkdir(at("bin"), 0700), 0);
    ck_assert_int_eq(mkdir(at("bin/python-folder"), 0700), 0);
    put("bin/python-of-test", "#!/bin/sh\n", 0700);
    put("bin/plain", "text", 0600);
    ck_assert_int_eq(symlink("python-of-test", at("bin/linked")), 0);
    (void)snprintf(path, sizeof path, "relative::/nonexistent:%s/bin", folder);
    ck_assert_int_eq(setenv("PATH", path, 1), 0);

    ck_assert_int_eq(python("python-of-test", &found, NULL), 0);
    ck_assert_str_eq(found, at("bin/python-of-test"));
    mem_free(found);
    ck_assert_int_eq(python(at("bin/linked"), &found, NULL), 0);
    ck_assert_str_eq(found,
                     at("bin/linked")); /* the link is what makes it a virtual environment's */
    mem_free(found);
    ck_assert_int_eq(python("nosuch", &found, "there is no nosuch in PATH"), CTCD_E_INVALID);
    ck_assert_int_eq(python("plain", &found, "there is no plain"), CTCD_E_INVALID);
    ck_assert_int_eq(python("python-folder", &found, "there is no"), CTCD_E_INVALID);
    ck_assert_int_eq(python(at("bin/nosuch"), &found, "there is no /"), CTCD_E_INVALID);
    ck_assert_int_eq(python(at("bin/plain"), &found, "not a program"), CTCD_E_INVALID);
    ck_assert_int_eq(python("bin/python", &found, "not an absolute path"), CTCD_E_INVALID);
    ck_assert_int_eq(unsetenv("PATH"), 0);
    ck_assert_int_eq(python("python-of-test", &found, "there is no"), CTCD_E_INVALID);
}
END_TEST

/* ---- the example that was saved with it ----------------------------------------------------------- */

#define EXAMPLE_INFO                                                                               \
    PYFUNC "saved_input_example_info:\n  artifact_path: input_example.json\n  pandas_orient: "     \
           "split\n  type: dataframe\n"

static void example_is(const char *model, const char *wanted) {
    char *got = NULL;
    int rc = model_example(at(model), &got, NULL);
    ck_assert_msg(rc == (wanted ? 0 : CTCD_NONE), "%s: %d", model, rc);
    ck_assert_msg(text_same(got, wanted), "%s: %s", model, got);
    mem_free(got);
}

START_TEST(examples) {
    make_model("none", PYFUNC);
    example_is("none", NULL);
    put("none/input_example.json", "{\"data\": [[1]]}", 0600); /* nothing says what it is */
    example_is("none", NULL);
    make_model("new", EXAMPLE_INFO);
    put("new/input_example.json", "{\"data\": [[1]]}", 0600);
    put("new/serving_input_example.json", "{\"inputs\": [NaN]}", 0600);
    example_is("new", "{\"inputs\": [NaN]}");
    make_model("old", EXAMPLE_INFO);
    put("old/input_example.json", "{\"columns\": [\"a\"], \"data\": [[1]]}", 0600);
    example_is("old", "{\"dataframe_split\": {\"columns\": [\"a\"], \"data\": [[1]]}}");
    put("old/serving_input_example.json", "[1, 2", 0600); /* cut off: the older one is whole */
    example_is("old", "{\"dataframe_split\": {\"columns\": [\"a\"], \"data\": [[1]]}}");
    put("old/input_example.json", "[1]", 0600);
    example_is("old", NULL);
    char *large = malloc((1 << 20) + 100);
    (void)snprintf(large, 100, "{\"inputs\": [");
    memset(large + 12, '1', 1 << 20);
    (void)snprintf(large + 12 + (1 << 20), 80, "]}");
    put("new/serving_input_example.json", large, 0600);
    put("new/input_example.json", "x", 0600);
    example_is("new", NULL);
    free(large);
}
END_TEST

START_TEST(every_allocation_fails_once) {
    make_model("m",
               PYFUNC "signature:\n  inputs: '[{\"type\": \"double\", \"name\": \"area\"}]'\n");
    const char *model = at("m");
    for (uint64_t n = 1;; n++) {
        char *path = NULL, *columns = NULL;
        _cleanup_(error_done) ctcd_error *err = NULL;
        mem_test_fail_at(n);
        int rc = model_resolve(model, &path, &err);
        if (!rc)
            rc = model_columns(model, &columns, &err);
        uint64_t count = mem_test_count();
        mem_test_fail_at(0);
        if (rc) {
            ck_assert_int_eq(rc, CTCD_E_NOMEM);
            ck_assert_ptr_null(columns);
        }
        mem_free(path);
        mem_free(columns);
        if (count < n)
            break;
    }
}
END_TEST

SUITE_MAIN_WITH("mlflow_model", setup, teardown, paths_and_file_uris, what_is_no_path,
                what_is_no_model, anchors_are_left_to_python, a_flavor_that_cannot_be_loaded,
                a_signature_that_cannot_be_read, columns_of_a_signature, which_python, examples,
                every_allocation_fails_once)
