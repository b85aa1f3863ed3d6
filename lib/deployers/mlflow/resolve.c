/* See resolve.h. Each phase asks one question and goes on to the next one from its answer; it is entered
   again until the answer has come. */
#include "deployers/mlflow/resolve.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define OUTPUTS_MAX 200 /* logged models of one run that are looked at */
#define EXPERIMENTS_MAX 1000

enum phase {
    VERSION,     /* of which version is it? by number, alias, stage, or the newest */
    ADDRESS,     /* where are the version's files? */
    LOGGED,      /* the logged model of this id */
    RUN,         /* the run of this id */
    RUN_FILES,   /* does it keep a model at the path? */
    RUN_LOGGED,  /* has it logged a model of this name? */
    EXPERIMENTS, /* by name: in which experiments may the run be? */
    RUN_BY_NAME, /* which run has the name of ours? */
    RUN_VERSION, /* has it registered a version of this name? */
    RESOLVED,
};

void resolve_begin(struct resolve *r, struct registry *registry, struct source *source,
                   const char *run) {
    static const enum phase first[] = {
        [SOURCE_VERSION] = VERSION, [SOURCE_ALIAS] = VERSION, [SOURCE_STAGE] = VERSION,
        [SOURCE_LATEST] = VERSION,  [SOURCE_NAME] = VERSION,  [SOURCE_LOGGED] = LOGGED,
        [SOURCE_RUN] = RUN,
    };
    r->registry = registry;
    r->run = run;
    r->source = *source;
    *source = (struct source){0};
    r->phase = (int)first[r->source.kind];
    if (r->source.kind == SOURCE_NAME && run[0])
        r->phase = EXPERIMENTS;
}

void resolve_done(struct resolve *r) {
    source_done(&r->source);
    json_done(&r->outputs);
    mem_free(r->experiments_text);
    mem_free(r->root);
    mem_free(r->pin.uri);
    mem_free(r->pin.artifacts);
    mem_free(r->pin.name);
    mem_free(r->pin.version);
    mem_free(r->pin.run_id);
    mem_free(r->pin.model_id);
    r->experiments_text = r->root = NULL;
    r->pin = (struct pin){0};
}

/* Keeps a copy; an older one goes. */
static int keep(char **place, const char *text, ctcd_error **err) {
    char *copy = mem_copy_text(text ? text : "");
    if (!copy)
        return error_nomem(err);
    mem_free(*place);
    *place = copy;
    return 0;
}

/* A text as the registry's filters want it: there is no escaping, only two kinds of quotes. Owned. */
static int quoted(const char *text, char **ret, ctcd_error **err) {
    if (strchr(text, '\'') && strchr(text, '"'))
        return error_set(err, CTCD_E_INVALID, "name the version: models:/NAME/VERSION",
                         "%s cannot be searched for: it has both kinds of quotes", text);
    char quote = strchr(text, '\'') ? '"' : '\'';
    return (*ret = mem_text("%c%s%c", quote, text, quote)) ? 0 : error_nomem(err);
}

/* ---- versions ------------------------------------------------------------------------------------- */

static int ask_number(struct resolve *r, const char *what, struct json **ret, ctcd_error **err) {
    const char *query[] = {"name", r->source.name, "version", r->source.part, NULL};
    struct question q = {.path = REGISTRY_API "model-versions/get", .query = query, .what = what};
    return registry_ask(r->registry, &q, ret, err);
}

static int ask_alias(struct resolve *r, const char *what, struct json **ret, ctcd_error **err) {
    const char *query[] = {"name", r->source.name, "alias", r->source.part, NULL};
    struct question q = {
        .path = REGISTRY_API "registered-models/alias", .query = query, .what = what};
    return registry_ask(r->registry, &q, ret, err);
}

static int ask_stage(struct resolve *r, const char *what, struct json **ret, ctcd_error **err) {
    _cleanup_(json_done) struct json *body = json_new_object();
    struct json *stages = json_new_array();
    bool made = json_append_text(stages, r->source.part);
    if (!json_set_new(body, "stages", stages) || !made ||
        !json_set_text(body, "name", r->source.name))
        return error_nomem(err);
    struct question q = {
        .path = REGISTRY_API "registered-models/get-latest-versions", .body = body, .what = what};
    return registry_ask(r->registry, &q, ret, err);
}

/* The newest one; of a run where there is one. */
static int ask_newest(struct resolve *r, const char *run_id, const char *what, struct json **ret,
                      ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *name = NULL;
    int rc = quoted(r->source.name, &name, err);
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *filter =
        run_id ? mem_text("name=%s and run_id='%s'", name, run_id) : mem_text("name=%s", name);
    if (!filter)
        return error_nomem(err);
    const char *query[] = {"filter",      filter, "order_by", "version_number DESC",
                           "max_results", "1",    NULL};
    struct question q = {
        .path = REGISTRY_API "model-versions/search", .query = query, .what = what};
    return registry_ask(r->registry, &q, ret, err);
}

/* A number, or digits in a text; 0 = neither. */
static int64_t version_number(const struct json *version) {
    const struct json *value = json_get((struct json *)(uintptr_t)version, "version");
    const char *text = json_text(value);
    int64_t number = 0;
    if (text ? !text_to_int64(text, &number) : !json_to_int(value, &number))
        return 0;
    return number > 0 ? number : 0;
}

/* The newest of a list that is of this model. Old servers ignore order and limit. Borrowed. */
static const struct json *newest_of(const struct resolve *r, const struct json *list) {
    const struct json *found = NULL;
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *version = json_at(list, i);
        if (text_same(json_get_text(version, "name"), r->source.name) &&
            version_number(version) > (found ? version_number(found) : 0))
            found = version;
    }
    return found;
}

static int take_version(struct resolve *r, const struct json *version, const char *what,
                        ctcd_error **err) {
    const char *status = json_get_text(version, "status");
    int64_t number = version_number(version);
    if (!number || !text_same(json_get_text(version, "name"), r->source.name))
        return registry_lacks(r->registry, what, number ? "name" : "version", err);
    if (r->source.kind == SOURCE_VERSION) {
        int64_t asked = 0;
        (void)text_to_int64(r->source.part, &asked);
        if (asked != number)
            return registry_lacks(r->registry, what, "version", err);
    }
    if (status && strcmp(status, "READY") != 0)
        return error_set(err, CTCD_E_CONFLICT, "wait until it is registered, or register it again",
                         "version %lld of %s is not ready (%s)", (long long)number, r->source.name,
                         status);
    _cleanup_(mem_free_ptr) char *text = mem_text("%lld", (long long)number);
    int rc = text ? keep(&r->pin.version, text, err) : error_nomem(err);
    if (!rc)
        rc = keep(&r->pin.name, r->source.name, err);
    if (!rc)
        rc = keep(&r->pin.run_id, json_get_text(version, "run_id"), err);
    if (!rc)
        r->phase = ADDRESS;
    return rc;
}

/* "version 3 of digits", "digits@champion", "the newest version of digits". Owned. */
static char *in_words(const struct resolve *r) {
    const char *name = r->source.name, *part = r->source.part;
    switch (r->source.kind) {
    case SOURCE_VERSION:
        return mem_text("version %s of the model %s", part, name);
    case SOURCE_ALIAS:
        return mem_text("the version %s@%s", name, part);
    case SOURCE_STAGE:
        return mem_text("a version of the model %s in stage %s", name, part);
    case SOURCE_LOGGED:
        return mem_text("the logged model %s", name);
    case SOURCE_RUN:
        return mem_text("the run %s", name);
    default:
        return mem_text("the newest version of the model %s", name);
    }
}

static int nothing(const struct resolve *r, const char *what, ctcd_error **err) {
    return error_set(err, CTCD_E_NOT_FOUND, "register one first, or check the name",
                     "%s: not at the tracking server %s", what, r->registry->backend->tracking.uri);
}

static int step_version(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    bool single = r->source.kind == SOURCE_VERSION || r->source.kind == SOURCE_ALIAS;
    int rc = r->source.kind == SOURCE_VERSION ? ask_number(r, what, &answer, err)
             : r->source.kind == SOURCE_ALIAS ? ask_alias(r, what, &answer, err)
             : r->source.kind == SOURCE_STAGE ? ask_stage(r, what, &answer, err)
                                              : ask_newest(r, NULL, what, &answer, err);
    if (rc)
        return rc;
    if (single)
        return take_version(r, json_get(answer, "model_version"), what, err);
    const struct json *list = json_get(answer, "model_versions");
    if (list && json_kind(list) != JSON_KIND_ARRAY)
        return registry_lacks(r->registry, what, "list of versions", err);
    const struct json *found = newest_of(r, list);
    if (!found)
        return json_size(list) ? registry_lacks(r->registry, what, "version", err)
                               : nothing(r, what, err);
    return take_version(r, found, what, err);
}

static int finish(struct resolve *r, char *uri, const char *artifacts, const char *what,
                  ctcd_error **err) {
    r->pin.uri = uri;
    if (!uri)
        return error_nomem(err);
    if (!artifacts || !artifacts[0])
        return registry_lacks(r->registry, what, "artifact_uri", err);
    r->phase = RESOLVED;
    return keep(&r->pin.artifacts, artifacts, err);
}

static int step_address(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    const char *query[] = {"name", r->pin.name, "version", r->pin.version, NULL};
    struct question q = {
        .path = REGISTRY_API "model-versions/get-download-uri", .query = query, .what = what};
    int rc = registry_ask(r->registry, &q, &answer, err);
    if (rc)
        return rc;
    return finish(r, mem_text("models:/%s/%s", r->pin.name, r->pin.version),
                  json_get_text(answer, "artifact_uri"), what, err);
}

/* ---- logged models and runs ----------------------------------------------------------------------- */

static int ask_logged(struct resolve *r, const char *id, const char *what, struct json **ret,
                      ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *encoded = registry_encode(id, false);
    _cleanup_(mem_free_ptr) char *path =
        encoded ? mem_text(REGISTRY_API "logged-models/%s", encoded) : NULL;
    if (!path)
        return error_nomem(err);
    struct question q = {.path = path, .what = what};
    return registry_ask(r->registry, &q, ret, err);
}

static int take_logged(struct resolve *r, const struct json *info, const char *id, const char *what,
                       ctcd_error **err) {
    const char *status = json_get_text(info, "status");
    if (status && strcmp(status, "LOGGED_MODEL_READY") != 0)
        return error_set(err, CTCD_E_CONFLICT, "wait until it is uploaded, or log it again",
                         "the logged model %s is not ready (%s)", id, status);
    int rc = keep(&r->pin.model_id, id, err);
    if (!rc)
        rc = keep(&r->pin.run_id, json_get_text(info, "source_run_id"), err);
    return rc ? rc
              : finish(r, mem_text("models:/%s", id), json_get_text(info, "artifact_uri"), what,
                       err);
}

static int step_logged(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    int rc = ask_logged(r, r->source.name, what, &answer, err);
    return rc ? rc : take_logged(r, json_find(answer, "model.info"), r->source.name, what, err);
}

/* The run itself: from runs/get, or found by its name. */
static int take_run(struct resolve *r, const struct json *run, const char *what, ctcd_error **err) {
    const struct json *info = json_get(run, "info");
    const char *id = json_get_text(info, "run_id"), *root = json_get_text(info, "artifact_uri");
    if (!id || !root || !source_path_is_safe(id))
        return registry_lacks(r->registry, what, id ? "artifact_uri" : "run_id", err);
    if (text_same(json_get_text(info, "lifecycle_stage"), "deleted"))
        return error_set(err, CTCD_E_NOT_FOUND, "restore it: mlflow runs restore --run-id ID",
                         "the run %s is deleted", id);
    json_done(&r->outputs);
    r->outputs = json_ref(json_find(run, "outputs.model_outputs"));
    r->next = 0;
    r->phase = RUN_FILES;
    int rc = keep(&r->pin.run_id, id, err);
    return rc ? rc : keep(&r->root, root, err);
}

static int step_run(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    const char *query[] = {"run_id", r->source.name, NULL};
    struct question q = {.path = REGISTRY_API "runs/get", .query = query, .what = what};
    int rc = registry_ask(r->registry, &q, &answer, err);
    return rc ? rc : take_run(r, json_get(answer, "run"), what, err);
}

/* Where in the run the model is: the path of runs:/, or the name alone. */
static const char *place(const struct resolve *r) {
    return r->source.kind == SOURCE_RUN ? r->source.part : r->source.name;
}

static int step_run_files(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    const char *query[] = {"run_id", r->pin.run_id, "path", place(r), NULL};
    struct question q = {.path = REGISTRY_API "artifacts/list", .query = query, .what = what};
    r->phase = RUN_LOGGED;
    if (!source_path_is_safe(place(r)))
        return 0;
    r->phase = RUN_FILES;
    int rc = registry_ask(r->registry, &q, &answer, err);
    if (rc)
        return rc;
    if (!json_size(json_get(answer, "files"))) {
        r->phase = RUN_LOGGED;
        return 0;
    }
    size_t size = strlen(r->root);
    _cleanup_(mem_free_ptr) char *at =
        mem_text("%s%s%s", r->root, size && r->root[size - 1] == '/' ? "" : "/", place(r));
    if (!at)
        return error_nomem(err);
    return finish(r, mem_text("runs:/%s/%s", r->pin.run_id, place(r)), at, what, err);
}

/* Where MLflow 3 keeps it: not in the run's folder, but named by the run. The newest of the name counts. */
static int step_run_logged(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    const char *id = NULL;
    while (!id && r->next < json_size(r->outputs) && r->next < OUTPUTS_MAX) {
        id = json_get_text(json_at(r->outputs, r->next), "model_id");
        r->next += id == NULL;
    }
    if (!id && r->pin.artifacts) {
        r->phase = RESOLVED;
        return 0;
    }
    if (!id && r->source.kind == SOURCE_NAME) {
        r->phase = RUN_VERSION;
        return 0;
    }
    if (!id)
        return error_set(err, CTCD_E_NOT_FOUND, "see the run's artifacts and models for the name",
                         "the run %s has no model at %s", r->pin.run_id, place(r));
    int rc = ask_logged(r, id, what, &answer, err);
    if (rc)
        return rc;
    const struct json *info = json_find(answer, "model.info");
    int64_t made = json_get_int(info, "creation_timestamp_ms", 0);
    r->next++;
    if (!text_same(json_get_text(info, "name"), place(r)) || made < r->newest)
        return 0;
    r->newest = made;
    mem_free(r->pin.uri);
    r->pin.uri = NULL;
    _cleanup_(mem_free_ptr) char *copy = mem_copy_text(id);
    rc = copy ? take_logged(r, info, copy, what, err) : error_nomem(err);
    if (!rc)
        r->phase = RUN_LOGGED; /* there may be a newer one */
    return rc;
}

/* ---- the model that this run has logged ----------------------------------------------------------- */

static int step_experiments(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    _cleanup_(json_done) struct json *ids = json_new_array();
    _cleanup_(json_done) struct json *body = json_new_object();
    if (!ids || !json_set_int(body, "max_results", EXPERIMENTS_MAX))
        return error_nomem(err);
    struct question q = {.path = REGISTRY_API "experiments/search", .body = body, .what = what};
    int rc = registry_ask(r->registry, &q, &answer, err);
    if (rc)
        return rc;
    const struct json *list = json_get(answer, "experiments");
    for (size_t i = 0; i < json_size(list); i++) {
        const char *id = json_get_text(json_at(list, i), "experiment_id");
        if (id && !json_append_text(ids, id))
            return error_nomem(err);
    }
    r->phase = json_size(ids) ? RUN_BY_NAME : VERSION;
    return (r->experiments_text = json_to_text(ids)) ? 0 : error_nomem(err);
}

static int step_run_by_name(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    _cleanup_(json_done) struct json *body = json_new_object();
    _cleanup_(mem_free_ptr) char *name = NULL;
    struct json *ids = NULL, *order = json_new_array();
    int rc = quoted(r->run, &name, err);
    _cleanup_(mem_free_ptr) char *filter = name ? mem_text("tags.mlflow.runName = %s", name) : NULL;
    if (!rc)
        rc = json_parse(r->experiments_text, strlen(r->experiments_text), REGISTRY_MAX_ANSWER, 0,
                        "experiments", &ids, err);
    bool made = json_append_text(order, "attributes.start_time DESC");
    made = json_set_new(body, "experiment_ids", ids) && made;
    made = json_set_new(body, "order_by", order) && made;
    if (!rc && (!made || !filter || !json_set_text(body, "filter", filter) ||
                !json_set_int(body, "max_results", 1)))
        rc = error_nomem(err);
    if (rc)
        return rc;
    struct question q = {.path = REGISTRY_API "runs/search", .body = body, .what = what};
    rc = registry_ask(r->registry, &q, &answer, err);
    if (rc)
        return rc;
    const struct json *run = json_at(json_get(answer, "runs"), 0);
    if (run)
        return take_run(r, run, what, err);
    r->phase = VERSION;
    return 0;
}

static int step_run_version(struct resolve *r, const char *what, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    int rc = ask_newest(r, r->pin.run_id, what, &answer, err);
    if (rc)
        return rc;
    const struct json *found = newest_of(r, json_get(answer, "model_versions"));
    r->phase = VERSION;
    return found ? take_version(r, found, what, err) : 0;
}

int resolve_step(struct resolve *r, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *what = in_words(r);
    if (!what)
        return error_nomem(err);
    int rc = 0;
    while (!rc && r->phase != RESOLVED) {
        switch ((enum phase)r->phase) {
        case VERSION:
            rc = step_version(r, what, err);
            break;
        case ADDRESS:
            rc = step_address(r, what, err);
            break;
        case LOGGED:
            rc = step_logged(r, what, err);
            break;
        case RUN:
            rc = step_run(r, what, err);
            break;
        case RUN_FILES:
            rc = step_run_files(r, what, err);
            break;
        case RUN_LOGGED:
            rc = step_run_logged(r, what, err);
            break;
        case EXPERIMENTS:
            rc = step_experiments(r, what, err);
            break;
        case RUN_BY_NAME:
            rc = step_run_by_name(r, what, err);
            break;
        case RUN_VERSION:
            rc = step_run_version(r, what, err);
            break;
        case RESOLVED:
            break;
        }
    }
    return rc;
}
