/* See pipeline.h: pipelines as objects, their parameters, and the store. The store keeps the file's own text,
   {"source": ..., "folder": ...}: a value that went through JSON would not be the one in the file any more
   (007 is an argument of three characters). */
#include "engine/pipeline.h"

#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "engine/function.h"
#include "io/file.h"

static void pipeline_free(void *object) {
    ctcd_pipeline *p = object;
    pipeline_spec_done(&p->spec);
    mem_free(p->source);
    json_unref(p->file);
    mem_free(p->order);
    mem_free(p->problem);
}

static struct json *params_json(const struct pipeline_spec *spec) {
    struct json *json = json_new_object();
    for (size_t i = 0; json && i < spec->param_count; i++) {
        struct json *value = NULL;
        const char *text = spec->params[i].json;
        if (json_parse(text, strlen(text), 1 << 20, JSON_PYTHON, NULL, &value, NULL) ||
            !json_set_new(json, spec->params[i].name, value))
            json = json_unref(json);
    }
    return json;
}

static struct json *pipeline_to_json(const void *object) {
    const ctcd_pipeline *p = object;
    struct json *json = p->problem ? json_new_object() : json_clone(p->file);
    if (p->problem && !(json_set_text(json, "pipeline", p->spec.name) &&
                        json_set_text(json, "problem", p->problem)))
        return json_unref(json);
    if (json && p->spec.param_count && !json_set_new(json, "params", params_json(&p->spec)))
        return json_unref(json);
    return json;
}

static const char *pipeline_label(const void *object) {
    return ((const ctcd_pipeline *)object)->spec.name;
}

const struct object_kind PIPELINE_KIND = {"pipeline", pipeline_free, pipeline_to_json,
                                          pipeline_label};

/* ---- reading ---- */

/* Takes over the source, also on failure. name: of the file, for messages. */
static int make(ctcd_context *ctx, char *source, const char *name, const char *folder,
                ctcd_pipeline **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *owned = source;
    _cleanup_(yaml_done) struct yaml_node *root = NULL;
    _cleanup_(graph_done) struct graph *graph = NULL;
    _cleanup_(object_done) ctcd_pipeline *p = object_new(ctx, &PIPELINE_KIND, sizeof(*p));
    if (!p)
        return error_nomem(err);
    p->source = mem_steal(&owned);
    int rc = yaml_parse(p->source, strlen(p->source), name, &root, err);
    if (!rc)
        rc = pipeline_file_parse(root, folder, &p->spec, err);
    if (!rc)
        rc = yaml_to_json(root, &p->file, err);
    if (!rc)
        rc = pipeline_spec_graph(&p->spec, &graph, err);
    if (!rc && !(p->order = mem_array(p->spec.step_count + 1, sizeof(*p->order))))
        rc = error_nomem(err);
    if (!rc)
        rc = graph_order(graph, p->order, err);
    if (rc)
        return rc;
    *ret = mem_steal(&p);
    return 0;
}

int pipeline_load(ctcd_context *ctx, const char *path, ctcd_pipeline **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *text = NULL;
    _cleanup_(mem_free_ptr) char *real = NULL;
    size_t len = 0;
    int rc = file_read(path, YAML_MAX_BYTES, 0, &text, &len, err);
    if (!rc)
        rc = file_real_path(path, &real, err);
    if (rc) {
        if (rc != CTCD_E_NOMEM)
            error_hint(err, "give the path of a pipeline file");
        return rc;
    }
    if (strlen(text) != len) { /* which is refused, with the place of the NUL */
        _cleanup_(yaml_done) struct yaml_node *root = NULL;
        return yaml_parse(text, len, path, &root, err);
    }
    _cleanup_(mem_free_ptr) char *folder = path_folder(real);
    return folder ? make(ctx, mem_steal(&text), path, folder, ret, err) : error_nomem(err);
}

int pipeline_parse(ctcd_context *ctx, const char *text, const char *name, const char *folder,
                   ctcd_pipeline **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *real = NULL;
    int rc = file_real_path(folder ? folder : ".", &real, err);
    if (rc)
        return rc;
    char *copy = mem_copy_text(text);
    return copy ? make(ctx, copy, name, real, ret, err) : error_nomem(err);
}

/* ---- parameters ---- */

int pipeline_put_param(struct pipeline_spec *spec, const char *name, const struct json *value,
                       ctcd_error **err) {
    static const enum param_kind kinds[] = {
        [JSON_KIND_NONE] = PARAM_OTHER,  [JSON_KIND_NULL] = PARAM_OTHER,
        [JSON_KIND_BOOL] = PARAM_BOOL,   [JSON_KIND_INT] = PARAM_INT,
        [JSON_KIND_REAL] = PARAM_REAL,   [JSON_KIND_TEXT] = PARAM_TEXT,
        [JSON_KIND_ARRAY] = PARAM_OTHER, [JSON_KIND_OBJECT] = PARAM_OTHER,
    };
    _cleanup_(mem_free_ptr) char *json = json_to_text(value);
    const char *text = json_text(value) ? json_text(value) : json;
    if (!json || !pipeline_spec_set_param(spec, name, kinds[json_kind(value)], text, json))
        return error_nomem(err);
    return 0;
}

int pipeline_apply_params(struct pipeline_spec *spec, const char *params, ctcd_error **err) {
    _cleanup_(json_done) struct json *all = NULL;
    int rc = json_parse(params, strlen(params), 1 << 24, JSON_PYTHON, "parameters", &all, err);
    for (struct json_iter i = json_members(all); !rc && json_next(&i);)
        rc = pipeline_put_param(spec, i.key, i.value, err);
    return rc;
}

char *pipeline_params(const struct pipeline_spec *spec) {
    _cleanup_(json_done) struct json *all = params_json(spec);
    return json_to_text(all);
}

static int no_such_param(const ctcd_pipeline *p, const char *name, ctcd_error **err) {
    const char **names = mem_array(p->spec.param_count + 1, sizeof(*names));
    if (!names)
        return error_nomem(err);
    for (size_t i = 0; i < p->spec.param_count; i++)
        names[i] = p->spec.params[i].name;
    const char *near = text_nearest(name, names, p->spec.param_count);
    _cleanup_(mem_free_ptr) char *hint =
        near ? mem_text("did you mean %s?", near)
             : mem_copy_text("parameters are declared under params: in the file");
    mem_free(names);
    return error_set(err, CTCD_E_INVALID, hint, "the pipeline %s has no parameter \"%s\"",
                     p->spec.name, name);
}

/* What is no YAML by itself (a text with ": " in it, an empty one) is a text. */
static int param_value(const char *name, const char *value, struct json **ret, ctcd_error **err) {
    _cleanup_(yaml_done) struct yaml_node *node = NULL;
    int rc = yaml_parse(value, strlen(value), name, &node, NULL);
    if (!rc && node->kind == YAML_SCALAR)
        rc = yaml_to_json(node, ret, NULL);
    else if (rc != CTCD_E_NOMEM)
        rc = (*ret = json_new_text(value)) ? 0 : CTCD_E_NOMEM;
    return rc ? error_nomem(err) : 0;
}

int pipeline_set_param(ctcd_pipeline *p, const char *name, const char *value, ctcd_error **err) {
    if (!pipeline_spec_param(&p->spec, name))
        return no_such_param(p, name, err);
    _cleanup_(json_done) struct json *json = NULL;
    struct pipeline_spec changed = {0};
    int rc = param_value(name, value, &json, err);
    if (!rc && pipeline_spec_copy(&p->spec, &changed))
        rc = error_nomem(err);
    if (!rc)
        rc = pipeline_put_param(&changed, name, json, err);
    if (!rc && (rc = pipeline_spec_check(&changed, err)))
        error_prefix(err, "with the parameter %s=%.100s", name, value);
    struct pipeline_spec *old = rc ? &changed : &p->spec;
    pipeline_spec_done(old);
    if (!rc)
        p->spec = changed;
    return rc;
}

/* ---- the store ---- */

int pipeline_usable(const ctcd_pipeline *p, ctcd_error **err) {
    if (!p->problem)
        return 0;
    return error_set(err, CTCD_E_INVALID, "load its file, mended",
                     "the stored pipeline %s cannot be read: %s", p->spec.name, p->problem);
}

int pipeline_put(ctcd_pipeline *p, char ret_digest[65], ctcd_error **err) {
    struct store *store = NULL;
    int rc = pipeline_usable(p, err);
    if (!rc)
        rc = context_store(p->object.ctx, &store, err);
    if (rc)
        return rc;
    _cleanup_(json_done) struct json *kept = json_new_object();
    if (!json_set_text(kept, "source", p->source) || !json_set_text(kept, "folder", p->spec.folder))
        return error_nomem(err);
    _cleanup_(mem_free_ptr) char *text = json_to_text(kept);
    if (!text)
        return error_nomem(err);
    struct sha256 sum;
    sha256_start(&sum);
    sha256_add(&sum, text, strlen(text));
    sha256_end(&sum, ret_digest);
    _cleanup_(mem_free_ptr) char *functions = pipeline_functions(&p->spec);
    if (!functions)
        return error_nomem(err);
    struct store_pipeline record = {p->spec.name, ret_digest, text, functions,
                                    context_wall(p->object.ctx)};
    return store_pipeline_put(store, &record, err);
}

static int from_record(ctcd_context *ctx, const struct store_pipeline *record, ctcd_pipeline **ret,
                       ctcd_error **err) {
    _cleanup_(json_done) struct json *kept = NULL;
    int rc =
        json_parse(record->spec, strlen(record->spec), STORE_MAX_TEXT, 0, record->name, &kept, err);
    if (rc)
        return rc;
    const char *source = json_get_text(kept, "source"), *folder = json_get_text(kept, "folder");
    if (!source || !folder)
        return error_set(err, CTCD_E_CORRUPT, NULL, "the stored pipeline %s is incomplete",
                         record->name);
    char *copy = mem_copy_text(source);
    return copy ? make(ctx, copy, record->name, folder, ret, err) : error_nomem(err);
}

int pipeline_from_store(ctcd_context *ctx, const char *name, const char *digest,
                        ctcd_pipeline **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_pipeline_done) struct store_pipeline record = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_pipeline_get(store, name, digest, &record, err);
    return rc ? rc : from_record(ctx, &record, ret, err);
}

/* It stays listed: another version of the library wrote it, or a file of old says what is not said any more. */
static int unreadable(ctcd_context *ctx, const char *name, const ctcd_error *why,
                      ctcd_pipeline **ret, ctcd_error **err) {
    _cleanup_(object_done) ctcd_pipeline *p = object_new(ctx, &PIPELINE_KIND, sizeof(*p));
    if (!p || !(p->spec.name = mem_copy_text(name)) ||
        !(p->problem = mem_copy_text(error_message(why))))
        return error_nomem(err);
    *ret = mem_steal(&p);
    return 0;
}

static int listed(ctcd_context *ctx, const struct store_pipeline *record, ctcd_pipeline **ret,
                  ctcd_error **err) {
    _cleanup_(error_done) ctcd_error *why = NULL;
    int rc = from_record(ctx, record, ret, &why);
    if (!rc)
        return 0;
    return rc == CTCD_E_NOMEM ? error_nomem(err) : unreadable(ctx, record->name, why, ret, err);
}

int pipeline_list(ctcd_context *ctx, ctcd_list **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_pipelines_done) struct store_pipelines all = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_pipeline_list(store, &all, err);
    if (rc)
        return rc;
    _cleanup_(object_done) ctcd_list *list = object_list_new(ctx, &PIPELINE_KIND);
    if (!list)
        return error_nomem(err);
    for (size_t i = 0; i < all.count; i++) {
        ctcd_pipeline *p = NULL;
        rc = listed(ctx, &all.items[i], &p, err);
        if (rc)
            return rc;
        if (!object_list_take(list, p))
            return error_nomem(err);
    }
    *ret = mem_steal(&list);
    return 0;
}
