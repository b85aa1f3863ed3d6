/* announce: the registry hears which version serves. Its tags say where, then the alias of the option
   registry_alias moves to it; so whoever goes by the alias finds the tags there already. */
#include <stdio.h>
#include <string.h>

#include "deployers/mlflow/registry.h"

enum phase { SERVICE_TAG, REVISION_TAG, ALIAS, TOLD };

struct announce {
    bool begun;
    enum phase phase;
    struct registry registry;
    char *name, *version;
};

static void announce_done(void *memory) {
    struct announce *a = memory;
    registry_done(&a->registry);
    mem_free(a->name);
    mem_free(a->version);
}

static int tell(struct announce *a, const char *path, const char *key, const char *key_value,
                const char *value, ctcd_error **err) {
    _cleanup_(json_done) struct json *body = json_new_object();
    _cleanup_(mem_free_ptr) char *what =
        mem_text("version %s of the model %s", a->version, a->name);
    if (!what || !json_set_text(body, "name", a->name) ||
        !json_set_text(body, "version", a->version) || !json_set_text(body, key, key_value) ||
        (value && !json_set_text(body, "value", value)))
        return error_nomem(err);
    struct question q = {.path = path, .body = body, .what = what};
    return registry_ask(&a->registry, &q, NULL, err);
}

static int step(struct announce *a, const ctcd_revision *revision, const char *alias,
                ctcd_error **err) {
    static const char set_tag[] = REGISTRY_API "model-versions/set-tag";
    char number[32];
    int rc = 0;
    (void)snprintf(number, sizeof number, "%lld", (long long)ctcd_revision_number(revision));
    while (!rc && a->phase != TOLD) {
        if (a->phase == SERVICE_TAG)
            rc = tell(a, set_tag, "key", "ctcd.service", ctcd_revision_service_uuid(revision), err);
        else if (a->phase == REVISION_TAG)
            rc = tell(a, set_tag, "key", "ctcd.revision", number, err);
        else
            rc = tell(a, REGISTRY_API "registered-models/alias", "alias", alias, NULL, err);
        if (!rc)
            a->phase++;
    }
    return rc;
}

static int begin(struct announce *a, const struct mlflow *backend, ctcd_call *call,
                 const ctcd_revision *revision, ctcd_error **err) {
    a->name = mlflow_memo(revision, "name");
    a->version = mlflow_memo(revision, "version");
    if (!a->name || !a->version)
        return error_set(err, CTCD_E_FAILED, NULL, "it is not known of which version it is");
    ctcd_call_progress(call, "telling the registry what serves");
    return registry_begin(&a->registry, backend, call, err);
}

int mlflow_announce(void *impl, ctcd_call *call, const ctcd_revision *revision) {
    const char *alias = ctcd_options_text(ctcd_revision_options(revision), "registry_alias");
    _cleanup_(error_done) ctcd_error *err = NULL;
    struct announce *a = NULL;
    if (!alias)
        return 0;
    int rc = ctcd_call_scratch(call, sizeof *a, announce_done, (void **)&a);
    if (rc)
        return rc;
    if (!a->begun) {
        a->begun = true;
        rc = begin(a, impl, call, revision, &err);
    }
    if (!rc)
        rc = step(a, revision, alias, &err);
    if (rc < 0 && rc != CTCD_E_NOMEM)
        error_prefix(&err, "the registry's alias %s was not moved", alias);
    return rc < 0 ? mlflow_fail(call, rc, &err) : rc;
}
