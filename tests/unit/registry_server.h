/* A tracking server for the suites of the MLflow back end: answers as real ones did (the lines of
   tests/table/mlflow_registry.jsonl), or as a test says. And a home whose deployer asks it. Header only. */
#ifndef CTCD_TESTS_REGISTRY_SERVER_H
#define CTCD_TESTS_REGISTRY_SERVER_H

#include "suite.h"

#include <ctcd/ctcd.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "engine/context.h"
#include "engine/deploy.h"
#include "io/file.h"
#include "io/json.h"
#include "small_server.h"
#include "store/services.h"

#define LONG 60000 /* ms: a net, for machines that do something else */
#define OWN_MAX 8

/* ---- the server ----------------------------------------------------------------------------------- */

/* What a test says: where `ask` ("GET /path?query", decoded) begins with it. The first one counts. */
struct own_answer {
    const char *ask, *type, *text;
    int status;
    size_t size; /* 0 = strlen(text) */
    bool close;  /* says so many bytes, and closes half-way */
};

/* The lines of the table, with what they answer as text: the server's thread makes no memory of the
   library's, whose allocations the tests let fail. */
static struct recorded {
    const char *of, *name, *ask, *type; /* in the line */
    char *text;
    int status;
    struct json *line;
} recorded[64];
static size_t recorded_count;
static const char *of; /* the version that answers */
static struct own_answer own[OWN_MAX];
static size_t own_count;
static struct server *server;
static char authorization[512],
    bodies[8192]; /* of the last question; of all, one behind the other */
static _Atomic int questions;

static inline void answers(const char *ask, int status, const char *type, const char *text) {
    ck_assert_uint_lt(own_count, OWN_MAX);
    own[own_count++] =
        (struct own_answer){.ask = ask, .status = status, .type = type, .text = text};
}

static inline void answers_json(const char *ask, const char *text) {
    answers(ask, 200, "application/json", text);
}

static inline int hex_value(char c) {
    return c >= 'a' ? c - 'a' + 10 : c >= 'A' ? c - 'A' + 10 : c - '0';
}

/* "GET /a%20b HTTP/1.1" -> "GET /a b" */
static inline void decode_ask(const char *in, char *out, size_t room) {
    int blanks = 0;
    while (*in && room > 1 && !(*in == ' ' && ++blanks == 2)) {
        bool coded = in[0] == '%' && in[1] && in[2];
        *out++ = coded ? (char)(hex_value(in[1]) * 16 + hex_value(in[2])) : *in;
        in += coded ? 3 : 1;
        room--;
    }
    *out = '\0';
}

static inline void say(struct server_connection *c, int status, const char *type, const char *text,
                       size_t size, size_t claimed) {
    char head[512];
    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
                   type ? type : "text/plain", claimed);
    server_say(c, head, text, size);
    c->close_after = claimed != size;
}

/* A file that the recorded listing announces: so many bytes. */
static inline bool say_file(struct server_connection *c, const char *ask) {
    const char *name = strrchr(ask, '/') + 1;
    char wanted[300];
    (void)snprintf(wanted, sizeof wanted, "\"path\":\"%s\"", name);
    for (size_t i = 0; i < recorded_count; i++) {
        const struct recorded *r = &recorded[i];
        if (strcmp(r->of, of) != 0 || strcmp(r->name, "mlflow-artifacts_list") != 0)
            continue;
        const char *at = strstr(r->text, wanted); /* {"file_size":N,"is_dir":false,"path":"..."} */
        while (at && at > r->text && *at != '{')
            at--;
        at = at ? strstr(at, "\"file_size\":") : NULL;
        if (!at)
            continue;
        size_t size = strtoul(at + strlen("\"file_size\":"), NULL, 10);
        char *bytes = malloc(size + 1);
        memset(bytes, 'x', size);
        say(c, 200, "application/octet-stream", bytes, size, size);
        free(bytes);
        return true;
    }
    return false;
}

static inline void note(const struct server_connection *c, size_t size) {
    const char *at = strcasestr(c->in, "\r\nAuthorization: ");
    size_t at_end = strlen(bodies);
    authorization[0] = '\0';
    if (at)
        (void)snprintf(authorization, sizeof authorization, "%.*s", (int)strcspn(at + 17, "\r"),
                       at + 17);
    const char *body = strstr(c->in, "\r\n\r\n") + 4;
    (void)snprintf(bodies + at_end, sizeof bodies - at_end, "%.*s", (int)(c->in + size - body),
                   body);
    atomic_fetch_add(&questions, 1);
}

static inline bool registry_answers(struct server_connection *c, size_t size) {
    static char ask[8192];
    decode_ask(c->in, ask, sizeof ask);
    note(c, size);
    for (size_t i = 0; i < own_count; i++) {
        const struct own_answer *o = &own[i];
        size_t len = o->size ? o->size : o->text ? strlen(o->text) : 0;
        if (strncmp(ask, o->ask, strlen(o->ask)) != 0)
            continue;
        if (!o->text)
            return false; /* one of small_server's ways, or silence */
        say(c, o->status, o->type, o->text, len, o->close ? len + 100 : len);
        return true;
    }
    for (size_t i = 0; i < recorded_count; i++) {
        const struct recorded *r = &recorded[i];
        if (strcmp(r->of, of) == 0 && strcmp(r->ask, ask) == 0) {
            say(c, r->status, r->type, r->text, strlen(r->text), strlen(r->text));
            return true;
        }
    }
    if (text_starts(ask, "GET /api/2.0/mlflow-artifacts/artifacts/") && say_file(c, ask))
        return true;
    say(c, 404, "text/html", "<html>not here</html>", 21, 21);
    return true;
}

/* A recorded answer by its name. */
static inline const char *recorded_text(const char *version, const char *name) {
    for (size_t i = 0; i < recorded_count; i++)
        if (strcmp(recorded[i].of, version) == 0 && strcmp(recorded[i].name, name) == 0)
            return recorded[i].text;
    ck_abort_msg("nothing recorded of %s %s", version, name);
    return NULL;
}

static inline void load_recorded(void) {
    char path[4096];
    static char line[65536];
    suite_source(path, "tests/table/mlflow_registry.jsonl");
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "cannot open %s", path);
    recorded_count = 0;
    while (fgets(line, sizeof line, file)) {
        struct json *row = NULL;
        ck_assert_uint_lt(recorded_count, sizeof recorded / sizeof *recorded);
        ck_assert_int_eq(json_parse(line, strlen(line), sizeof line, 0, path, &row, NULL), 0);
        struct json *json = json_get(row, "json");
        recorded[recorded_count++] = (struct recorded){
            .of = json_get_text(row, "of"),
            .name = json_get_text(row, "name"),
            .ask = json_get_text(row, "ask"),
            .type = json_get_text(row, "type"),
            .text = json ? json_to_text(json) : mem_copy_text(json_get_text(row, "text")),
            .status = (int)json_get_int(row, "status", 0),
            .line = row,
        };
    }
    fclose(file);
    ck_assert_uint_gt(recorded_count, 30);
}

static inline void free_recorded(void) {
    for (size_t i = 0; i < recorded_count; i++) {
        mem_free(recorded[i].text);
        json_done(&recorded[i].line);
    }
}

/* ---- the home ------------------------------------------------------------------------------------- */

static char folder[4096], tracking_uri[64];
static ctcd_context *ctx;
static ctcd_model_deployer *deployer;

static inline void ok(int rc, ctcd_error *err) {
    ck_assert_msg(rc == 0, "%d %s\n%s", rc, ctcd_error_message(err),
                  ctcd_error_details(err) ? ctcd_error_details(err) : "");
}

/* Options as name, value, ..., NULL, besides python and tracking_uri. */
static inline void open_home(const char *uri, const char *const *options) {
    ctcd_component *component = NULL;
    ctcd_error *err = NULL;
    char path[4200], built[4096], python[PATH_MAX];
    suite_built(built, "test/stand-in");
    ck_assert_msg(realpath(built, python) != NULL, "no %s", built);
    ok(ctcd_context_new(0, &ctx, &err), err);
    (void)snprintf(path, sizeof path, "%s/home", folder);
    ok(ctcd_context_set_home(ctx, path, &err), err);
    ok(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "mlflow", "ml", &component, &err),
       err);
    ok(ctcd_component_set_option(component, "python", python, &err), err);
    if (uri)
        ok(ctcd_component_set_option(component, "tracking_uri", uri, &err), err);
    for (; options && *options; options += 2)
        ok(ctcd_component_set_option(component, options[0], options[1], &err), err);
    ok(ctcd_component_register(component, &err), err);
    ctcd_component_unref(component);
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err), err);
}

static inline void registry_setup(void) {
    char made[4096];
    suite_folder(made);
    ck_assert_ptr_nonnull(realpath(made, folder));
    load_recorded();
    of = "3.17.2";
    own_count = 0;
    bodies[0] = authorization[0] = '\0';
    atomic_store(&questions, 0);
    server_own = registry_answers;
    server = server_start();
    (void)snprintf(tracking_uri, sizeof tracking_uri, "http://127.0.0.1:%d", server->port);
}

static inline void registry_teardown(void) {
    ctcd_list *list = NULL;
    ctcd_error *err = NULL;
    if (ctx) {
        ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err), err);
        for (size_t i = 0; i < ctcd_list_count(list); i++)
            ok(ctcd_service_delete(ctcd_list_service(list, i), CTCD_DELETE_FORCE, LONG, &err), err);
    }
    ctcd_list_unref(list);
    ctcd_model_deployer_unref(deployer);
    ctcd_context_unref(ctx);
    deployer = NULL;
    ctx = NULL;
    server_end(server);
    free_recorded();
    suite_folder_remove(folder);
}

static inline ctcd_deployment *wants(const char *uri, const char *run) {
    ctcd_deployment *want = NULL;
    ctcd_error *err = NULL;
    ok(ctcd_deployment_new(ctx, &want, &err), err);
    ok(ctcd_deployment_set_model_name(want, "iris", &err), err);
    ok(ctcd_deployment_set_model_uri(want, uri, &err), err);
    ok(ctcd_deployment_set_min_ready(want, 0, &err), err);
    if (run)
        ok(ctcd_deployment_set_origin(want, "train", "deploy", run, &err), err);
    return want;
}

static inline int validates(const char *uri, int64_t timeout_ms, ctcd_error **err) {
    ctcd_deployment *want = wants(uri, NULL);
    int rc = ctcd_model_deployer_validate(deployer, want, timeout_ms, err);
    ctcd_deployment_unref(want);
    return rc;
}

static inline ctcd_service *deploys(ctcd_deployment *want) {
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    ok(ctcd_model_deployer_deploy(deployer, want, LONG, &service, &err), err);
    ctcd_deployment_unref(want);
    return service;
}

/* The newest revision, as it is in the store. */
static inline void newest(const ctcd_service *service, struct store_revision *ret) {
    ctcd_error *err = NULL;
    ok(store_revision_newest(ctx->store, ctcd_service_uuid(service), ret, &err), err);
}

/* Entries of a folder below the back end's; 0 where it is not there. */
static inline size_t entries(const char *name) {
    char command[8400], line[64] = "";
    (void)snprintf(command, sizeof command, "ls '%s/home/deployers/mlflow/%s' 2>/dev/null | wc -l",
                   folder, name);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, pipe));
    (void)pclose(pipe);
    return strtoul(line, NULL, 10);
}

static inline void says(const char *text, const char *what) {
    ck_assert_msg(text && strstr(text, what), "\"%s\" is not in: %s", what, text ? text : "-");
}

/* It is refused with this code and these words, and nothing is left coming in. */
static inline void refuses(const char *uri, int code, const char *message, const char *hint) {
    ctcd_error *err = NULL;
    int rc = validates(uri, LONG, &err);
    ck_assert_msg(rc == code, "%s: %d instead of %d: %s", uri, rc, code, ctcd_error_message(err));
    says(ctcd_error_message(err), message);
    if (hint)
        says(ctcd_error_hint(err), hint);
    ctcd_error_unref(err);
    ck_assert_uint_eq(entries("incoming"), 0);
}

#endif
