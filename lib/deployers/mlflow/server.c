/* apply: starts the server of a revision under a shim of its own, once for each generation. The port is
   ours before the server is: it gets the listening socket as descriptor 3, so nothing else can answer
   there, and requests wait in its backlog while the model is loaded. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/strv.h"
#include "base/text.h"
#include "base/time.h"
#include "deployers/mlflow/backend.h"
#include "deployers/mlflow/environment.h"
#include "deployers/mlflow/model.h"
#include "deployers/mlflow/verdict.h"
#include "io/file.h"
#include "io/process.h"

#define UVICORN_APP "mlflow.pyfunc.scoring_server.app:app"
#define GUNICORN_APP "mlflow.pyfunc.scoring_server.wsgi:app"

struct apply {
    bool listens;
    int fd, port;
};

static void apply_done(void *memory) {
    struct apply *a = memory;
    if (a->listens)
        (void)close(a->fd);
    a->listens = false;
}

/* Where clients on this machine reach it; owned. */
static char *url_at(const char *host, int port) {
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (strcmp(host, "::") == 0)
        host = "::1";
    bool six = strchr(host, ':') != NULL;
    return mem_text("http://%s%s%s:%d" MLFLOW_INVOCATIONS, six ? "[" : "", host, six ? "]" : "",
                    port);
}

/* CTCD_AGAIN: port, URL and the server's version (which chooses the form of requests) are to be committed
   before anything runs; without change they are already. */
static int publish(const struct mlflow *backend, ctcd_call *call, ctcd_revision *want, int port,
                   const char *version) {
    _cleanup_(mem_free_ptr) char *url = url_at(backend->host, port);
    _cleanup_(mem_free_ptr) char *number = mem_text("%d", port);
    _cleanup_(mem_free_ptr) char *before = mlflow_memo(want, MEMO_MLFLOW);
    if (!url || !number)
        return CTCD_E_NOMEM;
    if (text_same(url, ctcd_revision_url(want)) && port == mlflow_port(want) &&
        text_same(version, before))
        return 0;
    int rc = ctcd_revision_set_url(want, url);
    if (!rc)
        rc = mlflow_set_memo(want, "port", number);
    if (!rc)
        rc = mlflow_set_memo(want, MEMO_MLFLOW, version);
    if (!rc)
        rc = ctcd_call_wait_until(call, ctcd_call_now(call));
    return rc ? rc : CTCD_AGAIN;
}

/* The log goes on from start to start; what belongs to which is told by a line between. */
static int begin_log(const ctcd_revision *want, const char *path, ctcd_error **err) {
    char now[TIME_TEXT_SIZE];
    time_to_text((int64_t)time(NULL) * 1000, now);
    _cleanup_(mem_free_ptr) char *line =
        mem_text(LOG_START "revision %lld, start %lld, %s\n", (long long)ctcd_revision_number(want),
                 (long long)ctcd_revision_generation(want), now);
    if (!line)
        return error_nomem(err);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot open the log %s", path);
    size_t size = strlen(line);
    ssize_t n = write(fd, line, size);
    int failed = n < 0 ? errno : (size_t)n < size ? ENOSPC : 0;
    (void)close(fd);
    return failed ? error_system(err, failed, "cannot write to the log %s", path) : 0;
}

/* Whole ones, as both servers take them. */
static int64_t request_seconds(const ctcd_options *options) {
    int64_t ms = ctcd_options_number(options, "request_timeout");
    return ms > 1000 ? (ms + 999) / 1000 : 1;
}

static bool add_number(char ***list, const char *name, int64_t value) {
    return strv_add(list, name) && strv_take(list, mem_text("%lld", (long long)value));
}

static bool add_uvicorn(const ctcd_options *options, char ***ret) {
    return strv_add(ret, "uvicorn") && add_number(ret, "--fd", CHILD_LISTEN_FD) &&
           add_number(ret, "--workers", ctcd_options_number(options, "workers")) &&
           (ctcd_options_number(options, "access_log") || strv_add(ret, "--no-access-log")) &&
           strv_add(ret, UVICORN_APP);
}

static bool add_gunicorn(const ctcd_options *options, char ***ret) {
    bool logs = ctcd_options_number(options, "access_log") != 0;
    return strv_add(ret, "gunicorn") && strv_add(ret, "--bind") &&
           strv_take(ret, mem_text("fd://%d", CHILD_LISTEN_FD)) &&
           add_number(ret, "--workers", ctcd_options_number(options, "workers")) &&
           add_number(ret, "--timeout", request_seconds(options)) &&
           (!logs || (strv_add(ret, "--access-logfile") && strv_add(ret, "-"))) &&
           strv_add(ret, "--") && strv_add(ret, GUNICORN_APP);
}

/* What `activate` of a virtual environment sets. */
static bool activate(const char *folder, char ***ret) {
    const char *path = getenv("PATH");
    return strv_take(ret, mem_text("VIRTUAL_ENV=%s", folder)) &&
           strv_take(ret, mem_text("PATH=%s/bin%s%s", folder, path ? ":" : "", path ? path : ""));
}

/* Of two entries of one name the later one counts: what must be so comes last. */
static int make_environment(const struct environment *environment, const ctcd_options *options,
                            const char *model, char ***ret, ctcd_error **err) {
    bool ok = (!environment->folder || activate(environment->folder, ret)) &&
              strv_take(ret, mem_text("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT=%lld",
                                      (long long)request_seconds(options))) &&
              strv_add(ret, "PYTHONUNBUFFERED=1");
    int rc = ok ? environment_variables(options, ret, err) : error_nomem(err);
    if (!rc && !strv_take(ret, mem_text("__pyfunc_model_path__=%s", model)))
        rc = error_nomem(err);
    return rc;
}

static int start(const struct mlflow *backend, const struct environment *environment,
                 const ctcd_revision *want, const char *model, int fd, ctcd_error **err) {
    const ctcd_options *options = ctcd_revision_options(want);
    _cleanup_(mem_free_ptr) char *log = mlflow_file(want, "log");
    _cleanup_(mem_free_ptr) char *marker = mlflow_marker(want, ctcd_revision_generation(want));
    _cleanup_(strv_done) char **argv = NULL;
    _cleanup_(strv_done) char **env = NULL;
    if (!log || !marker)
        return error_nomem(err);
    if (!strv_add(&argv, environment->python) || !strv_add(&argv, "-m") ||
        !(environment->gunicorn ? add_gunicorn : add_uvicorn)(options, &argv))
        return error_nomem(err);
    int rc = make_environment(environment, options, model, &env, err);
    if (!rc)
        rc = begin_log(want, log, err);
    if (rc)
        return rc;
    mlflow_forget_notes(want);
    struct child_spec spec = {
        .dir = ctcd_revision_folder(want),
        .generation = ctcd_revision_generation(want),
        .argv = argv,
        .env = env,
        .cwd = ctcd_revision_folder(want), /* `python -m` looks for modules here first */
        .log = log,
        .log_limit = backend->log_limit,
        .listen_fd = fd,
        .marker = marker,
        .grace_ms = -1,
        .shim_path = ctcd_revision_shim(want),
    };
    return child_start(&spec, err);
}

int mlflow_apply(void *impl, ctcd_call *call, ctcd_revision *want) {
    const struct mlflow *backend = impl;
    _cleanup_(error_done) ctcd_error *err = NULL;
    struct child_status child;
    _cleanup_(mem_free_ptr) char *model = NULL;
    _cleanup_(environment_done) struct environment environment = {0};
    struct apply *a = NULL;
    int rc = ctcd_call_scratch(call, sizeof *a, apply_done, (void **)&a);
    if (rc)
        return rc;
    rc = child_look(ctcd_revision_folder(want), ctcd_revision_generation(want), &child, &err);
    if (!rc && child.state != CHILD_NOT_STARTED)
        return 0; /* this generation has had its start; observe tells what became of it */
    if (!rc && !(model = mlflow_model_folder(call, want)))
        rc = CTCD_E_NOMEM;
    if (!rc)
        rc = environment_find(backend, ctcd_revision_options(want), &environment, &err);
    if (!rc && !a->listens) {
        ctcd_call_progress(call, "starting its server");
        rc = model_check(model, &err);
        if (!rc)
            rc = mlflow_listen(backend, want, &a->fd, &a->port, &err);
        if (!rc) {
            a->listens = true;
            rc = publish(backend, call, want, a->port, environment.version);
        }
        if (rc == CTCD_AGAIN)
            return rc;
    }
    if (!rc)
        rc = start(backend, &environment, want, model, a->fd, &err);
    return rc ? mlflow_fail(call, rc, &err) : 0;
}
