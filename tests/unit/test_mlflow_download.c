/* A tracking server that lies about a model's files: nothing is written outside of the folder that they
   come in by, no limit is passed, no half of a model is ever taken for a whole one. */
#include "registry_server.h"

#define LISTING "GET /api/2.0/mlflow-artifacts/artifacts?path="
#define FILES "GET /api/2.0/mlflow-artifacts/artifacts/"
#define ADDRESS "GET /api/2.0/mlflow/model-versions/get-download-uri"
#define MLMODEL "flavors:\n  python_function:\n    loader_module: x\n"

/* Everything below the back end's folder, and the folder itself: nothing else may have appeared. */
static void is_clean(void) {
    ck_assert_uint_eq(entries("incoming"), 0);
    ck_assert_uint_eq(entries("models"), 0);
    ck_assert_uint_le(entries(""), 2);
}

START_TEST(paths_that_lead_out) {
    static const char *const paths[] = {"..",
                                        ".",
                                        "",
                                        "/",
                                        "/etc/cron.d/x",
                                        "../x",
                                        "../../../../x",
                                        "data/../../x",
                                        "data/x",
                                        "..\\\\x",
                                        "a\\u0001b",
                                        "a\\nb",
                                        "a\\u0000b"};
    char text[512];
    open_home(tracking_uri, NULL);
    for (size_t i = 0; i < 2 * sizeof paths / sizeof *paths; i++) {
        ctcd_error *err = NULL;
        own_count = 0;
        (void)snprintf(text, sizeof text,
                       "{\"files\": [{\"path\": \"MLmodel\"}, {\"path\": \"%s\", \"is_dir\": %s}]}",
                       paths[i / 2], i % 2 ? "true" : "false");
        answers_json(LISTING, text);
        ck_assert_msg(validates("models:/iris/1", LONG, &err) == CTCD_E_PROTOCOL, "%s: %s",
                      paths[i / 2], ctcd_error_message(err));
        ctcd_error_unref(err);
        is_clean();
    }
}
END_TEST

/* The same name once as a folder and once as a file, or twice: the second one is never written. */
START_TEST(names_that_come_twice) {
    static const char *const listings[] = {
        "{\"files\": [{\"path\": \"a\", \"is_dir\": true}, {\"path\": \"a\"}]}",
        "{\"files\": [{\"path\": \"a\"}, {\"path\": \"a\", \"is_dir\": true}]}",
        "{\"files\": [{\"path\": \"a\"}, {\"path\": \"a\"}]}",
    };
    open_home(tracking_uri, NULL);
    for (size_t i = 0; i < sizeof listings / sizeof *listings; i++) {
        own_count = 0;
        answers_json(LISTING "1/models/m-68ad2d569d8c4d389ff89fddf5780aa4/artifacts/a", "{}");
        answers_json(LISTING, listings[i]);
        answers(FILES, 200, "text/plain", "x");
        refuses("models:/iris/1", CTCD_E_PROTOCOL, "had listed it before", NULL);
        is_clean();
    }
}
END_TEST

START_TEST(listings_of_the_wrong_kind) {
    static const struct {
        const char *text;
        int code;
        const char *message;
    } rows[] = {
        {"{}", CTCD_E_NOT_FOUND, "has no files"},
        {"{\"files\": []}", CTCD_E_NOT_FOUND, "has no files"},
        {"{\"files\": {}}", CTCD_E_PROTOCOL, "no proper list"},
        {"{\"files\": \"MLmodel\"}", CTCD_E_PROTOCOL, "no proper list"},
        {"{\"files\": [1]}", CTCD_E_PROTOCOL, "no proper path"},
        {"{\"files\": [{\"path\": 1}]}", CTCD_E_PROTOCOL, "no proper path"},
        {"{\"files\": [{\"path\": null}]}", CTCD_E_PROTOCOL, "no proper path"},
        {"{\"files\": [{\"path\": \"a\", \"is_dir\": \"yes\"}]}", CTCD_E_PROTOCOL, "is_dir"},
        {"{\"files\": [{\"path\": \"a\", \"file_size\": -1}]}", CTCD_E_PROTOCOL, "file_size"},
        {"{\"files\": [{\"path\": \"a\", \"file_size\": 1.5}]}", CTCD_E_PROTOCOL, "file_size"},
        {"{\"files\": [{\"path\": \"a\", \"file_size\": \"x\"}]}", CTCD_E_PROTOCOL, "file_size"},
        {"{\"files\": [{\"path\": \"a\", \"file_size\": NaN}]}", CTCD_E_PROTOCOL, "file_size"},
        {"{\"files\": [{\"path\": \"a\", \"file_size\": 2000000}]}", CTCD_E_TOO_LARGE,
         "larger than 1 MiB"},
        {"{\"files\": [{\"path\": \"a\", \"file_size\": 9223372036854775807}]}", CTCD_E_TOO_LARGE,
         "larger than 1 MiB"},
        {"{\"files\": [{\"path\": \"a\"}], \"next_page_token\": \"x\"}", CTCD_E_NOT_SUPPORTED,
         "in pages"},
        {"{\"files\": [{\"path\": \"README\", \"file_size\": \"1\"}]}", CTCD_E_INVALID,
         "no MLflow model"},
    };
    static const char *const options[] = {"max_model_mib", "1", NULL};
    open_home(tracking_uri, options);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        own_count = 0;
        answers_json(LISTING, rows[i].text);
        answers(FILES, 200, "text/plain", "x");
        refuses("models:/iris/1", rows[i].code, rows[i].message, NULL);
        is_clean();
    }
}
END_TEST

/* A folder in a folder in a folder, and so on: it ends at the depth that a path may have. */
START_TEST(a_listing_without_end) {
    open_home(tracking_uri, NULL);
    answers_json(LISTING, "{\"files\": [{\"path\": \"d\", \"is_dir\": true}]}");
    refuses("models:/iris/1", CTCD_E_PROTOCOL, "could lie outside", NULL);
    ck_assert_int_le(atomic_load(&questions), 40);
    is_clean();
}
END_TEST

START_TEST(a_listing_with_too_many) {
    size_t size = 0, room = 1 << 20;
    char *text = malloc(room);
    size += (size_t)snprintf(text, room, "{\"files\": [");
    for (int i = 0; i <= 10000; i++)
        size +=
            (size_t)snprintf(text + size, room - size, "%s{\"path\": \"f%d\"}", i ? "," : "", i);
    (void)snprintf(text + size, room - size, "]}");
    open_home(tracking_uri, NULL);
    answers_json(LISTING, text);
    refuses("models:/iris/1", CTCD_E_TOO_LARGE, "more than 10000 files", NULL);
    is_clean();
    free(text);
}
END_TEST

START_TEST(files_that_are_not_as_announced) {
    static const struct {
        const char *listing;
        int status;
        const char *text;
        bool close;
        int code;
        const char *message;
    } rows[] = {
        {"{\"files\": [{\"path\": \"MLmodel\", \"file_size\": 51}]}", 200, MLMODEL, false,
         CTCD_E_PROTOCOL, "instead of the 51"},
        {"{\"files\": [{\"path\": \"MLmodel\", \"file_size\": 3}]}", 200, MLMODEL, false,
         CTCD_E_TOO_LARGE, "larger than 4 bytes"},
        {"{\"files\": [{\"path\": \"MLmodel\"}]}", 200, MLMODEL, true, CTCD_E_PROTOCOL,
         "ended early"},
        {"{\"files\": [{\"path\": \"MLmodel\"}]}", 404, "gone", false, CTCD_E_NOT_FOUND, "MLmodel"},
        {"{\"files\": [{\"path\": \"MLmodel\"}]}", 500, "oops", false, CTCD_E_FAILED, "oops"},
        {"{\"files\": [{\"path\": \"MLmodel\"}]}", 200, "<html>", false, CTCD_E_INVALID,
         "the model cannot be served: the model has no flavor"},
        {"{\"files\": [{\"path\": \"MLmodel\"}]}", 200, "flavors: {crate: {}}\n", false,
         CTCD_E_INVALID, "no flavor python_function, only crate"},
    };
    open_home(tracking_uri, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        own_count = 0;
        answers_json(LISTING, rows[i].listing);
        answers(FILES, rows[i].status, "text/plain", rows[i].text);
        own[1].close = rows[i].close;
        refuses("models:/iris/1", rows[i].code, rows[i].message, NULL);
        is_clean();
    }
}
END_TEST

/* More than the limit, from a server that never says how much there is. */
START_TEST(a_file_without_end) {
    static const char *const options[] = {"max_model_mib", "1", NULL};
    size_t size = (size_t)3 << 20;
    char *large = malloc(size + 1);
    memset(large, 'x', size);
    large[size] = '\0';
    open_home(tracking_uri, options);
    answers_json(LISTING, "{\"files\": [{\"path\": \"MLmodel\"}]}");
    answers(FILES, 200, "text/plain", large);
    refuses("models:/iris/1", CTCD_E_TOO_LARGE, "larger than 1048576 bytes", NULL);
    is_clean();
    free(large);
}
END_TEST

START_TEST(places_of_files) {
    static const struct {
        const char *place;
        int code;
        const char *message;
    } rows[] = {
        {"s3://bucket/model", CTCD_E_NOT_SUPPORTED, "does not hand out"},
        {"file:///etc", CTCD_E_NOT_SUPPORTED, "does not hand out"},
        {"/etc", CTCD_E_NOT_SUPPORTED, "does not hand out"},
        {"mlflow-artifacts:/../../etc", CTCD_E_PROTOCOL, "as the place"},
        {"mlflow-artifacts:/", CTCD_E_PROTOCOL, "as the place"},
        {"mlflow-artifacts:", CTCD_E_PROTOCOL, "as the place"},
        {"mlflow-artifacts:/a/./b", CTCD_E_PROTOCOL, "as the place"},
        {"mlflow-artifacts://elsewhere.test/a", CTCD_E_NOT_SUPPORTED, "another server, elsewhere"},
        {"", CTCD_E_PROTOCOL, "no proper artifact_uri"},
    };
    char text[256];
    open_home(tracking_uri, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        own_count = 0;
        (void)snprintf(text, sizeof text, "{\"artifact_uri\": \"%s\"}", rows[i].place);
        answers_json(ADDRESS, text);
        refuses("models:/iris/1", rows[i].code, rows[i].message, NULL);
        is_clean();
    }
}
END_TEST

/* What goes well: folders in folders, odd names, a server that names itself, an empty file. */
START_TEST(a_model_in_folders) {
    char text[256], path[9000], got[256] = "";
    ctcd_error *err = NULL;
    _cleanup_(store_revision_done) struct store_revision revision = {0};
    _cleanup_(json_done) struct json *memo = NULL;
    open_home(tracking_uri, NULL);
    (void)snprintf(text, sizeof text,
                   "{\"artifact_uri\": \"mlflow-artifacts://127.0.0.1:%d/a b/artifacts/\"}",
                   server->port);
    answers_json(ADDRESS, text);
    answers_json(LISTING "a b/artifacts/code",
                 "{\"files\": [{\"path\": \"deep & d\\u00fcnn\", \"is_dir\": true}]}");
    answers_json(LISTING "a b/artifacts/code/deep & d\xc3\xbcnn",
                 "{\"files\": [{\"path\": \"100%.py\", \"file_size\": \"5\"}]}");
    struct own_answer swap = own[1]; /* the longer one first */
    own[1] = own[2];
    own[2] = swap;
    answers_json(LISTING "a b/artifacts",
                 "{\"files\": [{\"path\": \"code\", \"is_dir\": true, \"file_size\": null}, "
                 "{\"path\": \"MLmodel\"}, {\"path\": \"empty\", \"file_size\": 0}]}");
    answers(FILES "a b/artifacts/MLmodel", 200, "text/plain", MLMODEL);
    answers(FILES "a b/artifacts/code/deep & d\xc3\xbcnn/100%.py", 200, "text/plain", "hello");
    answers(FILES "a b/artifacts/empty", 200, "text/plain", "");
    ctcd_service *service = deploys(wants("models:/iris/1", NULL));
    newest(service, &revision);
    ck_assert_int_eq(
        json_parse(revision.memo, strlen(revision.memo), 65536, 0, "memo", &memo, NULL), 0);
    (void)snprintf(path, sizeof path,
                   "%s/home/deployers/mlflow/models/%s/code/deep & d\xc3\xbcnn/100%%.py", folder,
                   json_get_text(memo, "digest"));
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "no %s", path);
    ck_assert_ptr_nonnull(fgets(got, sizeof got, file));
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_str_eq(got, "hello");
    ck_assert_uint_eq(entries("incoming"), 0);
    ok(ctcd_service_stop(service, LONG, &err), err);
    ctcd_service_unref(service);
}
END_TEST

/* The time is over in the middle of a file: what came so far goes. */
START_TEST(a_file_that_stops_coming) {
    ctcd_error *err = NULL;
    open_home(tracking_uri, NULL);
    answers_json(LISTING, "{\"files\": [{\"path\": \"MLmodel\"}]}");
    answers(FILES, 200, NULL, NULL); /* in small_server's way: an unknown path is silence */
    ck_assert_int_eq(validates("models:/iris/1", 1000, &err), CTCD_E_TIMEOUT);
    says(ctcd_error_message(err), "MLmodel: the tracking server");
    says(ctcd_error_message(err), "it accepted the connection, and sent no answer");
    ctcd_error_unref(err);
    is_clean();
}
END_TEST

SUITE_MAIN_WITH("mlflow_download", registry_setup, registry_teardown, paths_that_lead_out,
                names_that_come_twice, listings_of_the_wrong_kind, a_listing_without_end,
                a_listing_with_too_many, files_that_are_not_as_announced, a_file_without_end,
                places_of_files, a_model_in_folders, a_file_that_stops_coming)
