/* The MLflow back end: its table and options, opening and closing, logs. Each other method has a file of
   its own (backend.h). The engine calls it through <ctcd/plugin.h> only. */
#include "deployers/mlflow/mlflow.h"

#include <stdlib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "deployers/mlflow/backend.h"
#include "io/file.h"
#include "io/json.h"
#include "io/log.h"

#define MODEL_MIB_MAX (1 << 20)
#define LOG_MIB_MAX 1024 /* a request to end waits while the shim copies */
#define MEMO_MAX 16384

static const ctcd_option_entry component_options[] = {
    {"python", "path", "python3", "The Python that has MLflow: a path, or a name in PATH.", 0, 0},
    {"host", "text", "127.0.0.1", "The address at which the servers listen.", 0, 0},
    {"port_range", "text", NULL,
     "FIRST-LAST: the lowest free port of these; default: any of the system's.", 0, 0},
    {"tracking_uri", "text", NULL,
     "The tracking server that knows models:/ and runs:/, as http://HOST:PORT.", 0, 0},
    {"tracking_username", "text", NULL, "Who asks it: env:NAME or file:PATH.", CTCD_OPTION_SECRET,
     0},
    {"tracking_password", "text", NULL, "With tracking_username: env:NAME or file:PATH.",
     CTCD_OPTION_SECRET, 0},
    {"tracking_token", "text", NULL, "Instead of user name and password: env:NAME or file:PATH.",
     CTCD_OPTION_SECRET, 0},
    {"tracking_ca_file", "path", NULL,
     "The CAs that the tracking server's certificate is checked by (PEM).", 0, 0},
    {"max_model_mib", "integer", "16384", "Largest model that is fetched from it, in MiB.", 0, 0},
    {"max_log_mib", "integer", "10",
     "A server's log is rotated at this size, with one old copy; 0 = never.", 0, 0},
    {0},
};

static const ctcd_option_entry deployment_options[] = {
    {"workers", "integer", "1", "Processes that serve the model, 1 to 64.", 0, 0},
    {"port", "integer", "0", "Where it listens, if that port is free; 0 = wherever.", 0, 0},
    {"allocate_port", "boolean", "true", "Whether another port will do where `port` is taken.", 0,
     0},
    {"environment", "variables", NULL,
     "Its variables: NAME=VALUE,... or JSON; secrets as env:NAME or file:PATH.", 0, 0},
    {"env_manager", "choice:local|virtualenv", NULL,
     "Whose Python serves: the deployer's, or virtualenv's.", 0, 0},
    {"virtualenv", "path", NULL, "The model's own environment, as python3 -m venv makes it.", 0, 0},
    {"request_timeout", "duration", "60s", "How long the server lets a prediction take.", 0, 0},
    {"input_example", "boolean", "true", "First ask the new server the model's own input example.",
     0, 0},
    {"registry_alias", "text", NULL, "An alias that moves to the model's version once it serves.",
     0, 0},
    {"access_log", "boolean", "false", "Whether the server logs each request.", 0, 0},
    {0},
};

int mlflow_fail(ctcd_call *call, int rc, ctcd_error **err) {
    if (*err) {
        ctcd_call_fail(call, rc, error_message(*err), error_hint_text(*err));
        if (error_details(*err))
            ctcd_call_fail_details(call, error_details(*err));
        if (error_http_status(*err) || error_retryable(*err))
            ctcd_call_fail_http(call, error_http_status(*err), error_retryable(*err));
    }
    error_done(err);
    return rc;
}

/* ---- opening and closing -------------------------------------------------------------------------- */

static void pool_ready(void *impl, int fd, uint32_t events) {
    (void)fd, (void)events;
    http_pool_run(((struct mlflow *)impl)->pool);
}

static void close_backend(void *impl) {
    struct mlflow *backend = impl;
    if (!backend)
        return;
    ctcd_watch_end(backend->watch);
    http_pool_free(backend->pool);
    mem_free(backend->python);
    mem_free(backend->host);
    mem_free(backend->port_range);
    mem_free(backend->tracking.uri);
    mem_free(backend->tracking.token);
    mem_free(backend->tracking.username);
    mem_free(backend->tracking.password);
    mem_free(backend->tracking.ca_file);
    mem_free(backend);
}

static bool keep_tracking(struct tracking *t, const ctcd_options *options) {
    const struct {
        const char *name;
        char **place;
    } texts[] = {
        {"tracking_uri", &t->uri},           {"tracking_username", &t->username},
        {"tracking_password", &t->password}, {"tracking_token", &t->token},
        {"tracking_ca_file", &t->ca_file},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value = ctcd_options_text(options, texts[i].name);
        if (value && value[0] && !(*texts[i].place = mem_copy_text(value)))
            return false;
    }
    int64_t mib = ctcd_options_number(options, "max_model_mib");
    t->max_model_bytes = (mib < 1 ? 1 : mib > MODEL_MIB_MAX ? MODEL_MIB_MAX : mib) << 20;
    return true;
}

/* Bytes as of child_spec. */
static int64_t log_limit(const ctcd_options *options) {
    int64_t mib = ctcd_options_number(options, "max_log_mib");
    return mib < 1 ? -1 : (mib < LOG_MIB_MAX ? mib : LOG_MIB_MAX) << 20;
}

static int open_backend(ctcd_call *call, const ctcd_options *options, void *user_data,
                        void **ret_impl) {
    (void)user_data;
    struct mlflow *backend = mem_alloc(sizeof *backend);
    if (!backend)
        return CTCD_E_NOMEM;
    ctcd_error *err = NULL;
    backend->python = mem_copy_text(ctcd_options_text(options, "python"));
    backend->host = mem_copy_text(ctcd_options_text(options, "host"));
    backend->log_limit = log_limit(options);
    const char *range = ctcd_options_text(options, "port_range");
    bool kept = keep_tracking(&backend->tracking, options) &&
                (!range || (backend->port_range = mem_copy_text(range)));
    int rc = kept && backend->python && backend->host ? http_pool_new(&backend->pool, &err)
                                                      : CTCD_E_NOMEM;
    if (!rc)
        rc = ctcd_call_watch(call, http_pool_fd(backend->pool), CTCD_EVENT_IN, pool_ready, backend,
                             &backend->watch);
    if (rc) {
        close_backend(backend);
        return mlflow_fail(call, rc, &err);
    }
    *ret_impl = backend;
    return 0;
}

/* ---- a revision's folder -------------------------------------------------------------------------- */

char *mlflow_file(const ctcd_revision *revision, const char *name) {
    return path_join(ctcd_revision_folder(revision), name);
}

char *mlflow_marker(const ctcd_revision *revision, int64_t generation) {
    return mem_text("%s-r%lld-g%lld", ctcd_revision_service_uuid(revision),
                    (long long)ctcd_revision_number(revision), (long long)generation);
}

/* Without memory that may run out: a look must not forget what was seen before. */
static bool note_path(const ctcd_revision *revision, const char *note, int64_t generation,
                      char ret[PATH_MAX]) {
    int n = snprintf(ret, PATH_MAX, "%s/%s.%lld", ctcd_revision_folder(revision), note,
                     (long long)generation);
    return n > 0 && n < PATH_MAX;
}

bool mlflow_noted(const ctcd_revision *revision, const char *note) {
    char path[PATH_MAX];
    return note_path(revision, note, ctcd_revision_generation(revision), path) && file_exists(path);
}

void mlflow_note(const ctcd_revision *revision, const char *note) {
    char path[PATH_MAX];
    if (note_path(revision, note, ctcd_revision_generation(revision), path))
        (void)file_write(path, "", 0, 0600, NULL);
}

void mlflow_forget_notes(const ctcd_revision *revision) {
    static const char *const notes[] = {NOTE_READY, NOTE_CLEARED};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (note_path(revision, notes[i], ctcd_revision_generation(revision) - 1, path))
            (void)file_remove(path, NULL);
}

/* A new reference, empty where there is none or where it cannot be read; NULL = out of memory. */
static struct json *memo_of(const ctcd_revision *revision) {
    struct json *memo = NULL;
    const char *text = ctcd_revision_memo(revision);
    int rc = text[0] ? json_parse(text, strlen(text), MEMO_MAX, 0, "memo", &memo, NULL) : 0;
    return rc == CTCD_E_NOMEM || memo ? memo : json_new_object();
}

char *mlflow_memo(const ctcd_revision *revision, const char *key) {
    _cleanup_(json_done) struct json *memo = memo_of(revision);
    return mem_copy_text(json_get_text(memo, key));
}

int mlflow_set_memo(ctcd_revision *revision, const char *key, const char *value) {
    if (!value)
        return 0;
    _cleanup_(json_done) struct json *memo = memo_of(revision);
    _cleanup_(mem_free_ptr) char *text = NULL;
    bool set = text_same(key, "port") ? json_set_int(memo, key, atoi(value))
                                      : json_set_text(memo, key, value);
    if (!set || !(text = json_to_text(memo)))
        return CTCD_E_NOMEM;
    return ctcd_revision_set_memo(revision, text);
}

char *mlflow_model_folder(ctcd_call *call, const ctcd_revision *revision) {
    _cleanup_(json_done) struct json *memo = memo_of(revision);
    const char *digest = json_get_text(memo, "digest"), *folder = NULL;
    if (!memo)
        return NULL;
    if (!digest)
        return mem_copy_text(ctcd_revision_pinned_uri(revision));
    return ctcd_call_folder(call, &folder) ? NULL : mem_text("%s/models/%s", folder, digest);
}

int mlflow_protocol(const ctcd_revision *revision, enum mlflow_protocol *ret) {
    _cleanup_(json_done) struct json *memo = memo_of(revision);
    if (!memo)
        return CTCD_E_NOMEM;
    *ret = mlflow_protocol_of(json_get_text(memo, MEMO_MLFLOW));
    return 0;
}

int mlflow_port(const ctcd_revision *revision) {
    _cleanup_(json_done) struct json *memo = memo_of(revision);
    int64_t port = json_get_int(memo, "port", 0);
    return port > 0 && port <= 65535 ? (int)port : 0;
}

static int logs(void *impl, ctcd_call *call, const ctcd_revision *revision, int64_t lines,
                ctcd_text *out) {
    (void)impl;
    _cleanup_(mem_free_ptr) char *path = mlflow_file(revision, "log");
    _cleanup_(mem_free_ptr) char *text = NULL;
    _cleanup_(error_done) ctcd_error *err = NULL;
    if (!path)
        return CTCD_E_NOMEM;
    int rc = log_last_lines(path, lines > 0 ? (size_t)lines : 0, LOG_MOST_BYTES, &text, &err);
    if (rc == CTCD_E_NOT_FOUND) /* it was never started */
        return 0;
    if (rc)
        return mlflow_fail(call, rc, &err);
    return ctcd_text_add(out, text, strlen(text));
}

static int logs_since(void *impl, ctcd_call *call, const ctcd_revision *revision,
                      const char *cursor, int64_t lines, uint32_t flags, ctcd_text *out,
                      ctcd_text *out_cursor) {
    (void)impl;
    _cleanup_(mem_free_ptr) char *path = mlflow_file(revision, "log");
    _cleanup_(mem_free_ptr) char *text = NULL;
    _cleanup_(error_done) ctcd_error *err = NULL;
    bool ended = flags & CTCD_LOGS_ENDED;
    struct log_place place;
    char told[LOG_PLACE_SIZE];
    if (!path)
        return CTCD_E_NOMEM;
    if (cursor && !log_place_from_text(cursor, &place))
        return ctcd_call_fail(call, CTCD_E_INVALID, "this is no place in a log", NULL);
    int rc = cursor ? log_go_on(path, ended, &place, &text, &err)
                    : log_begin(path, (size_t)lines, ended, &place, &text, &err);
    if (rc)
        return mlflow_fail(call, rc, &err);
    log_place_to_text(&place, told);
    rc = ctcd_text_add(out, text, strlen(text));
    return rc ? rc : ctcd_text_add(out_cursor, told, strlen(told));
}

const ctcd_model_deployer_vtable MLFLOW_DEPLOYER = {
    .size = sizeof(ctcd_model_deployer_vtable),
    .abi = CTCD_PLUGIN_ABI,
    .flags = CTCD_DEPLOYER_CSV,
    .flavor = "mlflow",
    .component_options = component_options,
    .deployment_options = deployment_options,
    .open = open_backend,
    .close = close_backend,
    .validate = mlflow_validate,
    .apply = mlflow_apply,
    .observe = mlflow_observe,
    .remove = mlflow_remove,
    .logs = logs,
    .logs_since = logs_since,
    .predict = mlflow_predict,
    .announce = mlflow_announce,
    .examine = mlflow_examine,
};
