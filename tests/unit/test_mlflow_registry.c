/* Models that a tracking server knows: which version is meant, as real servers of three generations tell
   it, how it is recorded, who asks, and what each refusal says. */
#include "registry_server.h"

#define VERSION_1 "GET /api/2.0/mlflow/model-versions/get?name=iris&version=1"
#define CHAMPION "GET /api/2.0/mlflow/registered-models/alias?name=iris&alias=champion"
#define ADDRESS "GET /api/2.0/mlflow/model-versions/get-download-uri"
#define MODEL_3 "m-68ad2d569d8c4d389ff89fddf5780aa4"
#define RUN_3 "fa5dad6ce67a4f5782ca28cdeef7856e"

/* ---- which one is meant --------------------------------------------------------------------------- */

START_TEST(sources_are_pinned) {
    static const struct {
        const char *of, *uri, *pinned, *version, *run_id;
    } rows[] = {
        {"3.17.2", "models:/iris/1", "models:/iris/1", "1", RUN_3},
        {"3.17.2", "models:/iris@champion", "models:/iris/1", "1", RUN_3},
        {"3.17.2", "models:/iris/production", "models:/iris/1", "1", RUN_3},
        {"3.17.2", "models:/iris/latest", "models:/iris/2", "2",
         "2c59f2e306294ded872f84d9ebfc923f"},
        {"3.17.2", "models:/iris", "models:/iris/2", "2", "2c59f2e306294ded872f84d9ebfc923f"},
        {"3.17.2", "models:/" MODEL_3, "models:/" MODEL_3, NULL, RUN_3},
        {"3.17.2", "runs:/" RUN_3 "/model", "models:/" MODEL_3, NULL, RUN_3},
        {"2.22.5", "models:/iris/1", "models:/iris/1", "1", "0668f6f58b524b2092b9ad396d7da842"},
        {"2.22.5", "models:/iris@champion", "models:/iris/1", "1",
         "0668f6f58b524b2092b9ad396d7da842"},
        {"2.22.5", "models:/iris/latest", "models:/iris/2", "2",
         "8cd6638105064293b285be28176fcabb"},
        {"2.22.5", "runs:/0668f6f58b524b2092b9ad396d7da842/model",
         "runs:/0668f6f58b524b2092b9ad396d7da842/model", NULL, "0668f6f58b524b2092b9ad396d7da842"},
        {"1.30.1", "models:/iris/1", "models:/iris/1", "1", "5ef62575bce54750a226da9ce53f5624"},
        {"1.30.1", "models:/iris/Production", "models:/iris/1", "1",
         "5ef62575bce54750a226da9ce53f5624"},
        {"1.30.1", "models:/iris/latest", "models:/iris/2", "2",
         "4aaf571263364f51810ca178ea93bd50"},
        {"1.30.1", "runs:/5ef62575bce54750a226da9ce53f5624/model",
         "runs:/5ef62575bce54750a226da9ce53f5624/model", NULL, "5ef62575bce54750a226da9ce53f5624"},
    };
    open_home(tracking_uri, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _cleanup_(store_revision_done) struct store_revision revision = {0};
        _cleanup_(json_done) struct json *memo = NULL;
        of = rows[i].of;
        own_count = 0;
        const char *address = recorded_text(of, "model-versions_get-download-uri_1");
        answers_json(ADDRESS "?name=iris&version=2", address);
        ctcd_service *service = deploys(wants(rows[i].uri, NULL));
        newest(service, &revision);
        ck_assert_str_eq(revision.model_uri, rows[i].uri);
        ck_assert_msg(strcmp(revision.pinned_uri, rows[i].pinned) == 0, "%s %s: %s", of,
                      rows[i].uri, revision.pinned_uri);
        ck_assert_int_eq(
            json_parse(revision.memo, strlen(revision.memo), 65536, 0, "memo", &memo, NULL), 0);
        ck_assert_msg(text_same(json_get_text(memo, "version"), rows[i].version), "%s",
                      revision.memo);
        ck_assert_msg(text_same(json_get_text(memo, "run_id"), rows[i].run_id), "%s",
                      revision.memo);
        ck_assert_int_eq((int)strlen(json_get_text(memo, "digest")), 64);
        ck_assert_int_gt(json_get_int(memo, "port", 0), 0);
        ctcd_service_unref(service);
    }
    /* What was fetched again and again is there once for each generation of servers. */
    ck_assert_uint_eq(entries("models"), 3);
    ck_assert_uint_eq(entries("incoming"), 0);
}
END_TEST

/* It goes on from what it has, whatever becomes of the registry. */
START_TEST(a_start_needs_no_registry) {
    ctcd_error *err = NULL;
    char *text = NULL;
    open_home(tracking_uri, NULL);
    ctcd_service *service = deploys(wants("models:/iris@champion", NULL));
    answers("GET /", 500, "text/plain", "gone");
    ok(ctcd_service_stop(service, LONG, &err), err);
    int asked = atomic_load(&questions);
    ok(ctcd_service_start(service, LONG, &err), err);
    ck_assert_int_eq(atomic_load(&questions), asked);
    /* The rows get the names of the columns that the fetched model has. */
    ok(ctcd_service_predict(service, "[[1, 2, 3, 4]]", LONG, &text, &err), err);
    ck_assert_str_eq(text, "{\"predictions\": [0]}");
    ctcd_free(text);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(the_newest_of_a_list) {
    _cleanup_(store_revision_done) struct store_revision revision = {0};
    open_home(tracking_uri, NULL);
    answers_json("GET /api/2.0/mlflow/model-versions/search",
                 "{\"model_versions\": [{\"name\": \"iris\", \"version\": 9}, "
                 "{\"name\": \"iris2\", \"version\": \"11\"}, "
                 "{\"name\": \"iris\", \"version\": \"10\"}]}");
    const char *address = recorded_text(of, "model-versions_get-download-uri_1");
    answers_json(ADDRESS "?name=iris&version=10", address);
    ctcd_service *service = deploys(wants("models:/iris/latest", NULL));
    newest(service, &revision);
    ck_assert_str_eq(revision.pinned_uri, "models:/iris/10");
    ctcd_service_unref(service);
}
END_TEST

/* models:/NAME in a pipeline's run: what the MLflow run of that name has logged or registered. */
START_TEST(the_model_of_this_run) {
    const char *run = recorded_text(of, "runs_get"),
               *address = recorded_text(of, "model-versions_get-download-uri_1");
    char runs[8192];
    _cleanup_(store_revision_done) struct store_revision revision = {0};
    open_home(tracking_uri, NULL);
    (void)snprintf(runs, sizeof runs, "{\"runs\": [%.*s]}", (int)strlen(run) - 8, run + 7);
    answers_json("POST /api/2.0/mlflow/experiments/search",
                 "{\"experiments\": [{\"experiment_id\": \"0\"}, {\"experiment_id\": \"1\"}]}");
    answers_json("POST /api/2.0/mlflow/runs/search", runs);
    ctcd_deployment *want = wants("models:/model", "train-1"); /* the name it was logged by */
    ctcd_service *service = deploys(want);
    newest(service, &revision);
    ck_assert_str_eq(revision.pinned_uri, "models:/" MODEL_3);
    ctcd_service_unref(service);
    store_revision_done(&revision);
    /* Not logged by that name, but registered from that run. */
    answers_json("GET /api/2.0/mlflow/artifacts/list", "{}");
    answers_json("GET /api/2.0/mlflow/model-versions/search?filter=name='iris' and run_id='" RUN_3
                 "'",
                 "{\"model_versions\": [{\"name\": \"iris\", \"version\": \"7\"}]}");
    answers_json(ADDRESS "?name=iris&version=7", address);
    service = deploys(wants("models:/iris", "train-1"));
    newest(service, &revision);
    ck_assert_str_eq(revision.pinned_uri, "models:/iris/7");
    ctcd_service_unref(service);
    store_revision_done(&revision);
    /* No such run: the newest in the registry. */
    own_count = 1;
    answers_json("POST /api/2.0/mlflow/runs/search", "{}");
    answers_json(ADDRESS "?name=iris&version=2", address);
    service = deploys(wants("models:/iris", "train-2"));
    newest(service, &revision);
    ck_assert_str_eq(revision.pinned_uri, "models:/iris/2");
    ctcd_service_unref(service);
}
END_TEST

/* ---- the registry hears what serves ---------------------------------------------------------------- */

#define SET_TAG "POST /api/2.0/mlflow/model-versions/set-tag"
#define SET_ALIAS "POST /api/2.0/mlflow/registered-models/alias"

static char logged[4096];

static void keeps_warnings(void *data, int level, const char *line) {
    (void)data;
    if (level == CTCD_LOG_WARNING)
        (void)snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n", line);
}

static ctcd_deployment *wants_with(const char *uri, const char *alias) {
    ctcd_deployment *want = wants(uri, NULL);
    ctcd_error *err = NULL;
    ok(ctcd_deployment_set_option(want, "registry_alias", alias, &err), err);
    return want;
}

START_TEST(an_alias_is_moved_after_the_switch) {
    char wanted[1024];
    open_home(tracking_uri, NULL);
    answers_json(SET_TAG, "{}");
    answers_json(SET_ALIAS, "{}");
    ctcd_service *service = deploys(wants_with("models:/iris@champion", "live"));
    (void)snprintf(wanted, sizeof wanted,
                   "{\"name\":\"iris\",\"version\":\"1\",\"key\":\"ctcd.service\",\"value\":\"%s\"}"
                   "{\"name\":\"iris\",\"version\":\"1\",\"key\":\"ctcd.revision\",\"value\":\"1\"}"
                   "{\"name\":\"iris\",\"version\":\"1\",\"alias\":\"live\"}",
                   ctcd_service_uuid(service));
    ck_assert_str_eq(bodies, wanted);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(a_registry_that_does_not_listen_is_a_warning) {
    static const struct {
        const char *ask, *type, *text, *message;
        int status;
    } rows[] = {
        {SET_ALIAS, "application/json", "{\"message\": \"down\"}", "failed (500): down", 500},
        {SET_TAG, "text/html", "<html>", "cannot be asked", 404},
        {SET_TAG, "text/plain", "Permission denied", "does not allow it (403): Permission denied",
         403},
        {SET_ALIAS, "text/html", "<html>fine</html>", "where JSON was expected", 200},
    };
    ctcd_error *err = NULL;
    open_home(tracking_uri, NULL);
    ok(ctcd_context_set_log(ctx, CTCD_LOG_WARNING, keeps_warnings, NULL, NULL, &err), err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        own_count = 0;
        logged[0] = '\0';
        answers(rows[i].ask, rows[i].status, rows[i].type, rows[i].text);
        answers_json(SET_TAG, "{}");
        ctcd_service *service = deploys(wants_with("models:/iris/1", "champion"));
        ck_assert_int_eq(ctcd_service_revision(service), (int64_t)i + 1);
        says(logged, "serves, but the registry's alias champion was not moved");
        says(logged, rows[i].message);
        ctcd_service_unref(service);
    }
}
END_TEST

START_TEST(aliases_that_cannot_be) {
    static const char *const aliases[] = {"",    "latest", "Latest", "v1",
                                          "V27", "a b",    "a/b",    "\xc3\xbc"};
    ctcd_error *err = NULL;
    open_home(tracking_uri, NULL);
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        ctcd_deployment *want = wants_with("models:/iris/1", aliases[i]);
        ck_assert_int_eq(ctcd_model_deployer_validate(deployer, want, LONG, &err), CTCD_E_INVALID);
        says(ctcd_error_message(err), "is no alias that a registry would take");
        err = ctcd_error_unref(err);
        ctcd_deployment_unref(want);
    }
    ck_assert_int_eq(atomic_load(&questions), 0);
    ctcd_deployment *want = wants_with("models:/" MODEL_3, "v1a");
    ck_assert_int_eq(ctcd_model_deployer_validate(deployer, want, LONG, &err), CTCD_E_INVALID);
    says(ctcd_error_message(err), "is no version of a registered model");
    err = ctcd_error_unref(err);
    ctcd_deployment_unref(want);
}
END_TEST

/* ---- refusals that real servers gave -------------------------------------------------------------- */

START_TEST(recorded_refusals) {
    open_home(tracking_uri, NULL);
    refuses("models:/iris@nope", CTCD_E_NOT_FOUND, "alias nope not found", NULL);
    refuses("models:/nope@champion", CTCD_E_NOT_FOUND, "name=nope not found", NULL);
    refuses("models:/iris/99", CTCD_E_NOT_FOUND, "version=99) not found", NULL);
    refuses("models:/m-00000000000000000000000000000000", CTCD_E_NOT_FOUND, "not found", NULL);
    refuses("runs:/00000000000000000000000000000000/model", CTCD_E_NOT_FOUND, "not found", NULL);
    answers_json("GET /api/2.0/mlflow/artifacts/list", "{}");
    refuses("runs:/" RUN_3 "/other", CTCD_E_NOT_FOUND, "has no model at other", NULL);
    answers_json("POST /api/2.0/mlflow/registered-models/get-latest-versions", "{}");
    refuses("models:/iris/Archived", CTCD_E_NOT_FOUND, "in stage Archived", "register");
    of = "2.22.5";
    refuses("models:/nope@champion", CTCD_E_NOT_FOUND, "alias champion not found", NULL);
    of = "1.30.1";
    refuses("models:/iris@champion", CTCD_E_NOT_SUPPORTED, "cannot be asked", "2.3 or later");
}
END_TEST

static void refuses_recorded(const char *version, const char *name, int status, int code,
                             const char *message, const char *hint) {
    const char *text = recorded_text(version, name);
    own_count = 0;
    answers(VERSION_1, status, "text/html; charset=utf-8", text);
    refuses("models:/iris/1", code, message, hint);
}

START_TEST(who_may_not_ask) {
    static const char *const options[] = {"tracking_token", "env:TEST_TRACKING_TOKEN", NULL};
    open_home(tracking_uri, NULL);
    refuses_recorded("3.17.2-auth", "get_noauth", 401, CTCD_E_NOT_ALLOWED, "who asks",
                     "tracking_username");
    refuses_recorded("3.17.2-auth", "alias_bob_forbidden", 403, CTCD_E_NOT_ALLOWED,
                     "Permission denied", "administrator");
    refuses_recorded("3.17.2", "host_header_evil", 403, CTCD_E_NOT_ALLOWED, "Invalid Host header",
                     "--allowed-hosts");
    ck_assert_str_eq(authorization, "");
    ctcd_model_deployer_unref(deployer);
    ctcd_context_unref(ctx);
    suite_folder_remove(folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    setenv("TEST_TRACKING_TOKEN", "s3cret-token", 1);
    open_home(tracking_uri, options);
    refuses_recorded("3.17.2-auth", "get_noauth", 401, CTCD_E_NOT_ALLOWED, "does not accept",
                     "what tracking_token");
    ck_assert_str_eq(authorization, "Bearer s3cret-token");
    unsetenv("TEST_TRACKING_TOKEN");
    refuses("models:/iris/1", CTCD_E_NOT_FOUND, "there is no env:TEST_TRACKING_TOKEN",
            "environment");
    setenv("TEST_TRACKING_TOKEN", "two\nlines: of", 1);
    refuses("models:/iris/1", CTCD_E_INVALID, "not one line", NULL);
    setenv("TEST_TRACKING_TOKEN", "", 1);
    refuses("models:/iris/1", CTCD_E_INVALID, "is empty", NULL);
    unsetenv("TEST_TRACKING_TOKEN");
}
END_TEST

START_TEST(user_and_password) {
    char path[4200], reference[4300];
    ctcd_error *err = NULL;
    (void)snprintf(path, sizeof path, "%s/password", folder);
    (void)snprintf(reference, sizeof reference, "file:%s", path);
    const char *const options[] = {"tracking_username", "env:TEST_TRACKING_USER",
                                   "tracking_password", reference, NULL};
    FILE *file = fopen(path, "we");
    ck_assert_int_ge(fputs("open sesame\n", file), 0);
    ck_assert_int_eq(fclose(file), 0);
    setenv("TEST_TRACKING_USER", "ali", 1);
    open_home(tracking_uri, options);
    ok(validates("models:/iris/1", LONG, &err), err);
    ck_assert_str_eq(authorization, "Basic YWxpOm9wZW4gc2VzYW1l"); /* ali:open sesame */
    ck_assert_int_eq(remove(path), 0);
    refuses("models:/iris/1", CTCD_E_NOT_FOUND, "tracking_password", NULL);
}
END_TEST

START_TEST(options_that_do_not_fit) {
    ctcd_component *component = NULL;
    ctcd_error *err = NULL;
    open_home(NULL, NULL);
    refuses("models:/iris/1", CTCD_E_INVALID, "none is configured", "tracking_uri");
    refuses("models:/iris/", CTCD_E_INVALID, "no version behind", "models:/NAME/VERSION");
    refuses("s3://bucket/model", CTCD_E_NOT_SUPPORTED, "s3://bucket/model", NULL);
    ok(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "mlflow", "other", &component, &err),
       err);
    ck_assert_int_eq(ctcd_component_set_option(component, "tracking_token", "s3cret", &err),
                     CTCD_E_INVALID);
    says(ctcd_error_message(err), "never the secret itself");
    ck_assert_ptr_null(strstr(ctcd_error_message(err), "s3cret"));
    ctcd_error_unref(err);
    ctcd_component_unref(component);
}
END_TEST

START_TEST(token_or_password) {
    static const char *const options[] = {"tracking_username", "env:HOME", "tracking_token",
                                          "env:HOME", NULL};
    open_home("ftp://127.0.0.1", options);
    refuses("models:/iris/1", CTCD_E_INVALID, "is no http address", NULL);
    ctcd_model_deployer_unref(deployer);
    ctcd_context_unref(ctx);
    suite_folder_remove(folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    open_home(tracking_uri, options);
    refuses("models:/iris/1", CTCD_E_INVALID, "both tracking_token and", NULL);
    ck_assert_int_eq(atomic_load(&questions), 0);
}
END_TEST

/* ---- answers that no MLflow server gives ---------------------------------------------------------- */

#define GOOD "{\"model_version\": {\"name\": \"iris\", \"version\": \"1\", \"status\": \"READY\"}}"

START_TEST(answers_that_cannot_be_right) {
    static const struct {
        int status;
        const char *type, *text;
        int code;
        const char *message;
    } rows[] = {
        {200, "text/html", "<html>Welcome</html>", CTCD_E_PROTOCOL, "JSON was expected"},
        {200, "application/json", "", CTCD_E_PROTOCOL, "JSON was expected"},
        {200, "application/json", "[]", CTCD_E_PROTOCOL, "JSON was expected"},
        {200, "application/json", "\"x\"", CTCD_E_PROTOCOL, "JSON was expected"},
        {200, "application/json", "{", CTCD_E_PROTOCOL, "version 1 of the model iris"},
        {200, "application/json", "{} {}", CTCD_E_PROTOCOL, "version 1 of the model iris"},
        {200, "application/json", "{}", CTCD_E_PROTOCOL, "no proper version"},
        {200, "application/json", "{\"model_version\": 1}", CTCD_E_PROTOCOL, "no proper version"},
        {200, "application/json", "{\"model_version\": {\"name\": 1, \"version\": \"1\"}}",
         CTCD_E_PROTOCOL, "no proper name"},
        {200, "application/json", "{\"model_version\": {\"name\": \"iris\", \"version\": \"2\"}}",
         CTCD_E_PROTOCOL, "no proper version"},
        {200, "application/json", "{\"model_version\": {\"name\": \"iris\", \"version\": \"x\"}}",
         CTCD_E_PROTOCOL, "no proper version"},
        {200, "application/json", "{\"model_version\": {\"name\": \"iris\", \"version\": NaN}}",
         CTCD_E_PROTOCOL, "no proper version"},
        {200, "application/json", "{\"model_version\": {\"name\": \"iris\", \"version\": -1}}",
         CTCD_E_PROTOCOL, "no proper version"},
        {200, "application/json",
         "{\"model_version\": {\"name\": \"iris\", \"version\": 1, \"status\": "
         "\"PENDING_REGISTRATION\"}}",
         CTCD_E_CONFLICT, "is not ready (PENDING_REGISTRATION)"},
        {302, "text/html", "", CTCD_E_PROTOCOL, "redirect"},
        {400, "application/json", "{\"error_code\": \"BAD_REQUEST\", \"message\": \"no\"}",
         CTCD_E_INVALID, "(400): no"},
        {404, "text/html", "<html>", CTCD_E_NOT_SUPPORTED, "cannot be asked"},
        {404, "application/json", "{}", CTCD_E_NOT_FOUND, "not at the tracking server"},
        {429, "text/plain", "slower", CTCD_E_UNREACHABLE, "too busy (429): slower"},
        {500, "application/json", "{\"message\": \"b\\u0007oom\"}", CTCD_E_FAILED, "(500)"},
        {502, "text/html", "<html>Bad Gateway</html>", CTCD_E_UNREACHABLE, "too busy (502)"},
        {503, "text/plain", "", CTCD_E_UNREACHABLE, "too busy (503)"},
    };
    open_home(tracking_uri, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        own_count = 0;
        answers(VERSION_1, rows[i].status, rows[i].type, rows[i].text);
        refuses("models:/iris/1", rows[i].code, rows[i].message, NULL);
    }
}
END_TEST

START_TEST(answers_that_do_not_end) {
    ctcd_error *err = NULL;
    char deep[3000], claim[128];
    (void)snprintf(claim, sizeof claim, "%s/silent", tracking_uri);
    open_home(claim, NULL); /* asks below /silent, where nothing comes back */
    answers("GET /silent", 200, NULL, NULL);
    ck_assert_int_eq(validates("models:/iris/1", 200, &err), CTCD_E_TIMEOUT);
    err = ctcd_error_unref(err);
    own_count = 0;
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    deep[sizeof deep - 1] = '\0';
    answers_json("GET /silent", deep);
    refuses("models:/iris/1", CTCD_E_TOO_LARGE, "version 1", NULL);
    own_count = 0;
    size_t size = (size_t)5 << 20;
    char *large = malloc(size + 1);
    memset(large, ' ', size);
    large[size] = '\0';
    answers_json("GET /silent", large);
    refuses("models:/iris/1", CTCD_E_TOO_LARGE, "larger than", NULL);
    own[0].size = 10;
    own[0].close = true;
    refuses("models:/iris/1", CTCD_E_PROTOCOL, "ended early", NULL);
    free(large);
}
END_TEST

START_TEST(nobody_is_there) {
    int port = 0;
    char uri[64];
    int fd = server_listen(&port); /* and closed again: nobody listens there now */
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    (void)snprintf(uri, sizeof uri, "http://127.0.0.1:%d", port);
    open_home(uri, NULL);
    refuses("models:/iris@champion", CTCD_E_UNREACHABLE, "takes no connection", uri);
}
END_TEST

/* Each answer on the way, cut off after each of its bytes: never taken for a whole one. */
START_TEST(answers_cut_off_at_each_byte) {
    static const struct {
        const char *ask, *name;
        size_t step;
    } rows[] = {
        {CHAMPION, "alias_get_champion", 1},
        {ADDRESS, "model-versions_get-download-uri_1", 1},
        {"GET /api/2.0/mlflow-artifacts/artifacts?", "mlflow-artifacts_list", 3},
        {"GET /api/2.0/mlflow-artifacts/artifacts/1/models/" MODEL_3 "/artifacts/MLmodel",
         "mlflow-artifacts_get_MLmodel", 97},
    };
    open_home(tracking_uri, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = recorded_text(of, rows[i].name);
        size_t step = suite_is_slow() ? 101 : rows[i].step;
        for (size_t size = 1; size < strlen(text); size += step) {
            ctcd_error *err = NULL;
            own_count = 0;
            answers_json(rows[i].ask, text);
            own[0].size = size;
            int rc = validates("models:/iris@champion", LONG, &err);
            ck_assert_msg(rc == CTCD_E_PROTOCOL, "%s: %zu bytes: %d %s", rows[i].name, size, rc,
                          ctcd_error_message(err));
            err = ctcd_error_unref(err);
            own[0].close = true; /* and where its length says that there is more */
            rc = i == 0 && size % 3 == 1 ? validates("models:/iris@champion", LONG, &err)
                                         : CTCD_E_PROTOCOL;
            ck_assert_msg(rc == CTCD_E_PROTOCOL, "%s: %zu bytes, more claimed: %d %s", rows[i].name,
                          size, rc, ctcd_error_message(err));
            ctcd_error_unref(err);
        }
    }
    ck_assert_uint_eq(entries("incoming"), 0);
    ck_assert_uint_eq(entries("models"), 0);
}
END_TEST

START_TEST(every_allocation_fails_once) {
    ctcd_error *err = NULL;
    open_home(tracking_uri, NULL);
    ok(validates("models:/iris@champion", LONG, &err), err);
    uint64_t step = suite_is_slow() ? 29 : 1;
    bool reached = true;
    size_t left = 0; /* what cannot be removed for want of memory is removed a day later */
    for (uint64_t n = 1; reached; n += step) {
        ctcd_deployment *want = wants("runs:/" RUN_3 "/model", NULL);
        mem_test_fail_at(n);
        int rc = ctcd_model_deployer_validate(deployer, want, LONG, &err);
        reached = mem_test_count() >= n;
        mem_test_fail_at(0);
        ck_assert_msg(rc == 0 || (reached && rc == CTCD_E_NOMEM), "allocation %d: %d %s", (int)n,
                      rc, ctcd_error_message(err));
        ck_assert(reached || n > 300); /* it is a long way */
        err = ctcd_error_unref(err);
        ctcd_deployment_unref(want);
        if (rc)
            ck_assert_uint_eq(entries("incoming"), left);
        left = entries("incoming");
    }
    ck_assert_uint_le(left, 20);
    ck_assert_uint_eq(entries("models"), 1);
}
END_TEST

SUITE_MAIN_WITH("mlflow_registry", registry_setup, registry_teardown, sources_are_pinned,
                a_start_needs_no_registry, an_alias_is_moved_after_the_switch,
                a_registry_that_does_not_listen_is_a_warning, aliases_that_cannot_be,
                the_newest_of_a_list, the_model_of_this_run, recorded_refusals, who_may_not_ask,
                user_and_password, options_that_do_not_fit, token_or_password,
                answers_that_cannot_be_right, answers_that_do_not_end, nobody_is_there,
                answers_cut_off_at_each_byte, every_allocation_fails_once)
