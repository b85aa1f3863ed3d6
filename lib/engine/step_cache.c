/* When an earlier run has done the same already (run.h, DESIGN "Run"): the key of a step's work, and what of an
   earlier result is still good. Called by run.c and by deploy steps. */
#include <stdio.h>
#include <string.h>

#include "core/cachekey.h"
#include "engine/run.h"
#include "engine/service.h"
#include "io/file.h"
#include "io/tree.h"

/* A step without inputs would never run again, and scheduled training never train: only on request. */
static bool may_reuse(const struct step_spec *step) {
    switch (step->kind) {
    case STEP_COMMAND:
        return step->cache > 0 || (step->cache < 0 && step->input_count > 0);
    case STEP_DEPLOY:
        return step->cache > 0;
    default:
        return false;
    }
}

/* ---- the key ---- */

struct keying {
    struct cache_key key;
    const struct step_args *args;
    ctcd_error **err;
};

/* What a file or folder of the pipeline holds; one that is not there is no part of the key. */
static int add_file(struct keying *k, const char *name) {
    char hash[65];
    _cleanup_(mem_free_ptr) char *path =
        name[0] == '/' ? mem_copy_text(name) : path_join(k->args->run->pipeline->spec.folder, name);
    if (!path)
        return error_nomem(k->err);
    if (!file_exists(path))
        return 0;
    int rc = tree_hash(path, hash, k->err);
    if (!rc)
        cache_key_add_text(&k->key, name, hash);
    return rc;
}

static int add_text(struct keying *k, const char *label, const char *text, bool names_file) {
    _cleanup_(mem_free_ptr) char *made = NULL;
    if (!text)
        return 0;
    int rc = pipeline_spec_substitute(&k->args->run->pipeline->spec, text, &made, k->err);
    if (rc)
        return rc;
    cache_key_add_text(&k->key, label, made);
    return names_file ? add_file(k, made) : 0;
}

static int add_texts(struct keying *k, const char *label, char *const *list) {
    int rc = 0;
    for (; list && *list && !rc; list++)
        rc = add_text(k, label, *list, true);
    return rc;
}

/* A service counts by what it serves: a new revision is another input. */
static int add_service(struct keying *k, const char *label, const char *uuid) {
    char revision[24];
    _cleanup_(store_service_done) struct store_service service = {0};
    int rc = store_service_get(k->args->run->ctx->store, uuid, &service, k->err);
    if (rc)
        return rc;
    (void)snprintf(revision, sizeof(revision), "%lld", (long long)service.revision);
    cache_key_add_text(&k->key, label, uuid);
    cache_key_add_text(&k->key, "revision", revision);
    return 0;
}

static int add_output(struct keying *k, const char *label, const struct output_ref *ref) {
    _cleanup_(store_artifacts_done) struct store_artifacts all = {0};
    const struct run_view *run = k->args->run;
    int rc = store_artifact_list(run->ctx->store, run->record.uuid, ref->step, &all, k->err);
    for (size_t i = 0; i < all.count && !rc; i++) {
        const struct store_artifact *a = &all.items[i];
        if (strcmp(a->name, ref->output) != 0)
            continue;
        if (a->kind == STORE_ARTIFACT_SERVICE)
            rc = add_service(k, label, a->value);
        else
            cache_key_add_text(&k->key, label, a->sha256[0] ? a->sha256 : a->value);
    }
    return rc;
}

static int add_command(struct keying *k) {
    const struct step_spec *step = k->args->step;
    int rc = add_texts(k, "argv", step->argv);
    if (!rc)
        rc = add_texts(k, "code", step->code);
    cache_key_add_list(&k->key, "outputs", step->outputs);
    for (size_t i = 0; i < step->input_count && !rc; i++) {
        cache_key_add_text(&k->key, "input", step->inputs[i].name);
        rc = add_output(k, "from", &step->inputs[i].from);
    }
    return rc;
}

static int add_deploy(struct keying *k) {
    const struct deploy_spec *deploy = &k->args->step->deploy;
    int rc = add_text(k, "model name", deploy->model_name, false);
    if (!rc)
        rc = add_text(k, "deployer", deploy->model_deployer, false);
    if (!rc && deploy->model_from.step)
        rc = add_output(k, "model", &deploy->model_from);
    else if (!rc)
        rc = add_text(k, "model", deploy->model_uri, true);
    for (size_t i = 0; i < deploy->options.count && !rc; i++)
        rc = add_text(k, deploy->options.items[i].name, deploy->options.items[i].value, false);
    return rc;
}

int step_cache_key(const struct step_args *args, char ret[65], ctcd_error **err) {
    struct keying k = {.args = args, .err = err};
    ret[0] = '\0';
    if (!may_reuse(args->step))
        return 0;
    cache_key_start(&k.key);
    cache_key_add_text(&k.key, "step", args->step->name);
    int rc = args->step->kind == STEP_COMMAND ? add_command(&k) : add_deploy(&k);
    if (!rc)
        cache_key_end(&k.key, ret);
    return rc;
}

/* ---- what is still good ---- */

/* Files must be what they were: somebody may have touched them. */
static bool is_good(const struct store_artifact *artifact) {
    char hash[65];
    return artifact->kind != STORE_ARTIFACT_URI || !artifact->sha256[0] ||
           (tree_hash(artifact->value, hash, NULL) == 0 && strcmp(hash, artifact->sha256) == 0);
}

int step_find_cached(const struct step_args *args, struct store_step *ret,
                     struct store_artifacts *ret_artifacts, ctcd_error **err) {
    struct store *store = args->run->ctx->store;
    if (!args->cache_key[0])
        return CTCD_NONE;
    _cleanup_(store_step_done) struct store_step found = {0};
    int rc = store_step_find_cached(store, args->run->record.pipeline, args->step->name,
                                    args->cache_key, &found, err);
    if (rc)
        return rc;
    _cleanup_(store_artifacts_done) struct store_artifacts all = {0};
    rc = store_artifact_list(store, found.run, args->step->name, &all, err);
    for (size_t i = 0; i < all.count && !rc; i++)
        rc = is_good(&all.items[i]) ? 0 : CTCD_NONE;
    if (rc)
        return rc;
    *ret = found;
    *ret_artifacts = all;
    found = (struct store_step){0};
    all = (struct store_artifacts){0};
    return 0;
}

int step_reuse(const struct step_args *args, ctcd_error **err) {
    _cleanup_(store_step_done) struct store_step found = {0};
    _cleanup_(store_artifacts_done) struct store_artifacts all = {0};
    int rc = step_find_cached(args, &found, &all, err);
    int64_t attempt = step_next_attempt(args);
    if (!rc)
        rc = step_begin(args, attempt, found.folder, found.log, err);
    if (!rc)
        rc = step_end(args, attempt, STORE_STEP_CACHED, NULL, all.items, all.count, NULL, err);
    return rc;
}
