/* The MLflow back end: its table and options, opening and closing, logs. Each other method has a file of
   its own (backend.h). The engine calls it through <ctcd/plugin.h> only. */
#include "deployers/mlflow/mlflow.h"

#include <string.h>

#include "base/text.h"
#include "deployers/mlflow/backend.h"
#include "io/file.h"
#include "io/json.h"

static const ctcd_option_entry component_options[] = {
    {"python", "path", "python3", "The Python that has MLflow: a path, or a name in PATH.", 0, 0},
    {"host", "text", "127.0.0.1", "The address at which the servers listen.", 0, 0},
    {0},
};

static const ctcd_option_entry deployment_options[] = {
    {"workers", "integer", "1", "Processes that serve the model, 1 to 64.", 0, 0},
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
    mem_free(backend);
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
    int rc = backend->python && backend->host ? http_pool_new(&backend->pool, &err) : CTCD_E_NOMEM;
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

static char *note_path(const ctcd_revision *revision, const char *note, int64_t generation) {
    return mem_text("%s/%s.%lld", ctcd_revision_folder(revision), note, (long long)generation);
}

bool mlflow_noted(const ctcd_revision *revision, const char *note) {
    _cleanup_(mem_free_ptr) char *path =
        note_path(revision, note, ctcd_revision_generation(revision));
    return path && file_exists(path);
}

void mlflow_note(const ctcd_revision *revision, const char *note) {
    _cleanup_(mem_free_ptr) char *path =
        note_path(revision, note, ctcd_revision_generation(revision));
    if (path)
        (void)file_write(path, "", 0, 0600, NULL);
}

void mlflow_forget_notes(const ctcd_revision *revision) {
    static const char *const notes[] = {NOTE_READY, NOTE_CLEARED};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        _cleanup_(mem_free_ptr) char *path =
            note_path(revision, notes[i], ctcd_revision_generation(revision) - 1);
        if (path)
            (void)file_remove(path, NULL);
    }
}

int mlflow_port(const ctcd_revision *revision) {
    _cleanup_(json_done) struct json *memo = NULL;
    const char *text = ctcd_revision_memo(revision);
    if (!text[0] || json_parse(text, strlen(text), 4096, 0, "memo", &memo, NULL))
        return 0;
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
    int rc = file_last_lines(path, lines > 0 ? (size_t)lines : 0, &text, &err);
    if (rc == CTCD_E_NOT_FOUND) /* it was never started */
        return 0;
    if (rc)
        return mlflow_fail(call, rc, &err);
    return ctcd_text_add(out, text, strlen(text));
}

const ctcd_model_deployer_vtable MLFLOW_DEPLOYER = {
    .size = sizeof(ctcd_model_deployer_vtable),
    .abi = CTCD_PLUGIN_ABI,
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
    .predict = mlflow_predict,
};
