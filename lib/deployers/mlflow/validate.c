/* validate: all that can be refused before a server starts. A model that a tracking server knows is pinned
   and fetched here, so that what is started later is complete, and the same whatever the registry says by
   then. Nothing of the service is touched or locked meanwhile. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/strv.h"
#include "base/text.h"
#include "deployers/mlflow/backend.h"
#include "deployers/mlflow/download.h"
#include "deployers/mlflow/environment.h"
#include "deployers/mlflow/model.h"
#include "deployers/mlflow/resolve.h"
#include "deployers/mlflow/source.h"

#define WORKERS_MAX 64
#define REQUEST_TIMEOUT_MAX_MS (INT64_C(86400) * 1000) /* a day */

struct validate {
    bool begun, resolved;
    struct registry registry;
    struct resolve resolve;
    struct download download;
};

static void validate_done(void *memory) {
    struct validate *v = memory;
    registry_done(&v->registry); /* first: it may be writing to the staging folder */
    resolve_done(&v->resolve);
    download_done(&v->download);
}

static int check_host(const char *host, ctcd_error **err) {
    struct in6_addr address;
    if (strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &address) == 1 ||
        inet_pton(AF_INET6, host, &address) == 1)
        return 0;
    return error_set(err, CTCD_E_INVALID, "use an address of this machine, such as 127.0.0.1",
                     "host: \"%s\" is no address", host);
}

/* As the registry has it: "latest" and "v1" would be taken for versions. */
static int check_alias(const char *alias, ctcd_error **err) {
    size_t plain =
        strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    bool version = (alias[0] == 'v' || alias[0] == 'V') && alias[1] &&
                   alias[1 + strspn(alias + 1, "0123456789")] == '\0';
    if (alias[0] && !alias[plain] && !version && strcasecmp(alias, "latest") != 0)
        return 0;
    return error_set(err, CTCD_E_INVALID,
                     "letters, digits, _ and -; neither latest nor v1, v2, ...",
                     "registry_alias: \"%s\" is no alias that a registry would take", alias);
}

/* Can what it refers to be read? */
static int check_variables(const ctcd_revision *want, ctcd_error **err) {
    _cleanup_(strv_done) char **ignored = NULL;
    return environment_variables(ctcd_revision_options(want), &ignored, err);
}

static int check_options(const struct mlflow *backend, const ctcd_revision *want,
                         ctcd_error **err) {
    _cleanup_(environment_done) struct environment environment = {0};
    int64_t workers = ctcd_options_number(ctcd_revision_options(want), "workers");
    if (workers < 1 || workers > WORKERS_MAX)
        return error_set(err, CTCD_E_INVALID, NULL, "workers: %lld is not within 1 and %d",
                         (long long)workers, WORKERS_MAX);
    int64_t patience = ctcd_options_number(ctcd_revision_options(want), "request_timeout");
    if (patience < 1000 || patience > REQUEST_TIMEOUT_MAX_MS)
        return error_set(err, CTCD_E_INVALID, "servers count whole seconds: 60s, 10m",
                         "request_timeout is 1s to 24h");
    const char *alias = ctcd_options_text(ctcd_revision_options(want), "registry_alias");
    int rc = check_host(backend->host, err);
    if (!rc)
        rc = mlflow_check_ports(backend, want, err);
    if (!rc)
        rc = check_variables(want, err);
    if (!rc && alias)
        rc = check_alias(alias, err);
    return rc ? rc : environment_find(backend, ctcd_revision_options(want), &environment, err);
}

static int check_registered(const ctcd_revision *want, const struct pin *pin, ctcd_error **err) {
    const char *alias = ctcd_options_text(ctcd_revision_options(want), "registry_alias");
    if (!alias || (pin && pin->version))
        return 0;
    return error_set(
        err, CTCD_E_INVALID, "deploy a registered version, or leave registry_alias out",
        "registry_alias: %s is no version of a registered model", ctcd_revision_model_uri(want));
}

/* The model's own example is the smoke request. */
static int take_example(ctcd_revision *want, const char *folder, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *example = NULL;
    if (!ctcd_options_number(ctcd_revision_options(want), "input_example"))
        return 0;
    int rc = model_example(folder, &example, err);
    if (rc)
        return rc == CTCD_NONE ? 0 : rc;
    return ctcd_revision_set_smoke(want, example,
                                   "it is the input example that was saved with the model: save it "
                                   "with one that it answers, or set the option input_example to "
                                   "false");
}

/* ---- a model in a folder -------------------------------------------------------------------------- */

static int take_folder(ctcd_revision *want, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = NULL;
    int rc = check_registered(want, NULL, err);
    if (!rc)
        rc = model_resolve(ctcd_revision_model_uri(want), &path, err);
    if (!rc)
        rc = take_example(want, path, err);
    return rc ? rc : ctcd_revision_set_pinned_uri(want, path);
}

/* ---- a model of a tracking server ----------------------------------------------------------------- */

static int record(const struct validate *v, ctcd_revision *want) {
    const struct pin *pin = &v->resolve.pin;
    const struct {
        const char *key, *value;
    } notes[] = {
        {"digest", v->download.digest}, {"name", pin->name},         {"version", pin->version},
        {"run_id", pin->run_id},        {"model_id", pin->model_id},
    };
    int rc = ctcd_revision_set_pinned_uri(want, pin->uri);
    for (size_t i = 0; !rc && i < sizeof notes / sizeof *notes; i++)
        if (notes[i].value && notes[i].value[0])
            rc = mlflow_set_memo(want, notes[i].key, notes[i].value);
    return rc;
}

/* The pin says what the message is about, where it says more than the URI. */
static int fetch(struct validate *v, ctcd_revision *want, ctcd_error **err) {
    const char *uri = ctcd_revision_model_uri(want), *pinned = v->resolve.pin.uri;
    int rc = 0;
    if (!v->download.registry)
        rc = download_begin(&v->download, &v->registry, v->resolve.pin.artifacts, err);
    if (!rc)
        rc = download_step(&v->download, err);
    if (rc < 0)
        error_prefix(err, "%s%s%s", uri, text_same(uri, pinned) ? "" : " is ",
                     text_same(uri, pinned) ? "" : pinned);
    if (!rc)
        rc = take_example(want, v->download.folder, err);
    return rc ? rc : record(v, want);
}

static int take_remote(struct validate *v, ctcd_revision *want, ctcd_error **err) {
    int rc = 0;
    if (!v->resolved)
        rc = resolve_step(&v->resolve, err);
    if (!rc && !v->resolved)
        rc = check_registered(want, &v->resolve.pin, err);
    if (!rc)
        v->resolved = true;
    return rc ? rc : fetch(v, want, err);
}

static int begin(struct validate *v, const struct mlflow *backend, ctcd_call *call,
                 const ctcd_revision *want, struct source *source, ctcd_error **err) {
    int rc = registry_begin(&v->registry, backend, call, err);
    if (rc) {
        error_prefix(err, "%s", ctcd_revision_model_uri(want));
        return rc;
    }
    ctcd_call_progress(call, "asking the tracking server for the model");
    resolve_begin(&v->resolve, &v->registry, source, ctcd_revision_run_name(want));
    return 0;
}

int mlflow_validate(void *impl, ctcd_call *call, ctcd_revision *want) {
    const struct mlflow *backend = impl;
    _cleanup_(error_done) ctcd_error *err = NULL;
    struct validate *v = NULL;
    int rc = ctcd_call_scratch(call, sizeof *v, validate_done, (void **)&v);
    if (rc)
        return rc;
    if (!v->begun) {
        _cleanup_(source_done) struct source source = {0};
        v->begun = true;
        rc = check_options(backend, want, &err);
        if (!rc)
            rc = source_parse(ctcd_revision_model_uri(want), &source, &err);
        if (!rc && source.kind == SOURCE_FOLDER) {
            rc = take_folder(want, &err);
            return rc ? mlflow_fail(call, rc, &err) : 0;
        }
        if (!rc)
            rc = begin(v, backend, call, want, &source, &err);
    }
    if (!rc)
        rc = take_remote(v, want, &err);
    return rc < 0 ? mlflow_fail(call, rc, &err) : rc;
}
