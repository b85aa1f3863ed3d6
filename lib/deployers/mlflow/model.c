/* See model.h. */
#include "deployers/mlflow/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "io/file.h"
#include "io/json.h"
#include "io/yaml.h"

#define MODEL_FILE "MLmodel"
#define MODEL_HINT "a model's folder has a file MLmodel, as mlflow's save_model() writes it"

/* ---- where it is ---------------------------------------------------------------------------------- */

/* Length of the scheme of "s3://bucket", "models:/digits/3"; 0 = it is a path. */
static size_t scheme_length(const char *uri) {
    size_t n = strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return n > 1 && uri[n] == ':' && uri[n + 1] == '/' ? n : 0;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int bad_uri(const char *uri, ctcd_error **err) {
    return error_set(err, CTCD_E_INVALID, "give a path, or file:///path", "\"%s\" is no file: URI",
                     uri);
}

/* "file:///a%20b" -> "/a b"; owned. */
static int path_of_uri(const char *uri, char **ret, ctcd_error **err) {
    const char *path = uri + strlen("file:");
    if (text_starts(path, "//")) { /* the host may be empty, or this one */
        path += 2;
        if (text_starts(path, "localhost/"))
            path += strlen("localhost");
    }
    if (path[0] != '/')
        return bad_uri(uri, err);
    _cleanup_(buf_done) struct buf plain = {0};
    for (; *path; path++) {
        int high = *path == '%' ? hex_digit(path[1]) : 0;
        int low = *path == '%' && high >= 0 ? hex_digit(path[2]) : 0;
        if (high < 0 || low < 0 || (*path == '%' && high == 0 && low == 0))
            return bad_uri(uri, err);
        buf_add_char(&plain, *path == '%' ? (char)(high * 16 + low) : *path);
        path += *path == '%' ? 2 : 0;
    }
    return (*ret = buf_steal(&plain)) ? 0 : error_nomem(err);
}

int model_resolve(const char *uri, char **ret_path, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = NULL;
    _cleanup_(mem_free_ptr) char *real = NULL;
    size_t scheme = scheme_length(uri);
    int rc = 0;
    if (!uri[0])
        return error_set(err, CTCD_E_INVALID, "give the path of a model's folder",
                         "the model's URI is empty");
    if (scheme && (scheme != 4 || strncasecmp(uri, "file", 4) != 0))
        return error_set(err, CTCD_E_NOT_SUPPORTED,
                         "fetch it first: mlflow artifacts download -u URI -d FOLDER",
                         "%s: only models in local folders and from a tracking server "
                         "(models:/, runs:/) can be served",
                         uri);
    rc = scheme ? path_of_uri(uri, &path, err) : 0;
    if (rc)
        return rc;
    rc = file_real_path(path ? path : uri, &real, err);
    if (rc == CTCD_E_NOT_FOUND)
        return error_set(err, rc, "check the path", "there is no model at %s", path ? path : uri);
    if (rc && rc != CTCD_E_NOMEM)
        error_hint(err, "check the path");
    if (!rc)
        rc = model_check(real, err);
    if (!rc)
        *ret_path = mem_steal(&real);
    return rc;
}

/* ---- what it is ----------------------------------------------------------------------------------- */

static int read_model(const char *folder, struct yaml_node **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = path_join(folder, MODEL_FILE);
    if (!path)
        return error_nomem(err);
    /* MLflow's writer may use anchors. */
    int rc = yaml_parse_foreign_file(path, ret, err);
    if (rc && rc != CTCD_E_NOT_FOUND && rc != CTCD_E_NOMEM && err && !error_hint_text(*err))
        error_hint(err, MODEL_HINT);
    return rc;
}

static int no_model(const char *folder, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *below = path_join(folder, "model/" MODEL_FILE);
    if (!below)
        return error_nomem(err);
    int rc = error_set(err, CTCD_E_INVALID, MODEL_HINT, "%s is no MLflow model: it has no %s",
                       folder, MODEL_FILE);
    if (file_exists(below))
        error_hint(err, "did you mean %s/model?", folder);
    return rc;
}

/* What an alias stands for its server will see. */
static int check_python(const struct yaml_node *python, ctcd_error **err) {
    const struct yaml_node *loader = yaml_get(python, "loader_module");
    if (python->alias || (loader && loader->alias) || yaml_get(python, "<<"))
        return 0;
    if (python->kind != YAML_MAPPING)
        return yaml_error(err, CTCD_E_INVALID, python, MODEL_HINT,
                          "the flavor python_function must be a mapping with a loader_module");
    const char *name = yaml_text(loader);
    if (!name || !name[0])
        return yaml_error(err, CTCD_E_INVALID, loader ? loader : python, MODEL_HINT,
                          "the flavor python_function needs a loader_module, the name of a module");
    return 0;
}

/* Inputs, outputs and params are lists as JSON in a text. */
static int check_signature(const struct yaml_node *signature, ctcd_error **err) {
    static const char *const parts[] = {"inputs", "outputs", "params"};
    if (!yaml_is_null(signature) && signature->kind != YAML_MAPPING)
        return yaml_error(err, CTCD_E_INVALID, signature, MODEL_HINT,
                          "the signature must be a mapping");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct yaml_node *part = yaml_get(signature, parts[i]);
        const char *text = yaml_text(part);
        _cleanup_(json_done) struct json *list = NULL;
        if (yaml_is_null(part))
            continue;
        int rc = text ? json_parse(text, strlen(text), YAML_MAX_BYTES, JSON_PYTHON, "signature",
                                   &list, NULL)
                      : CTCD_E_INVALID;
        if (rc == CTCD_E_NOMEM)
            return error_nomem(err);
        if (rc || json_kind(list) != JSON_KIND_ARRAY)
            return yaml_error(err, CTCD_E_INVALID, part, MODEL_HINT,
                              "the %s of the signature must be a list as JSON in a text", parts[i]);
    }
    return 0;
}

int model_check(const char *folder, ctcd_error **err) {
    _cleanup_(yaml_done) struct yaml_node *model = NULL;
    if (!file_is_folder(folder))
        return file_exists(folder)
                   ? error_set(err, CTCD_E_INVALID, MODEL_HINT, "%s is no folder", folder)
                   : error_set(err, CTCD_E_NOT_FOUND, "check the path", "there is no model at %s",
                               folder);
    int rc = read_model(folder, &model, err);
    if (rc == CTCD_E_NOT_FOUND)
        return no_model(folder, err);
    if (rc)
        return rc;
    const struct yaml_node *flavors = yaml_get(model, "flavors");
    const struct yaml_node *python = yaml_get(flavors, "python_function");
    if (python) {
        rc = check_python(python, err);
        return rc ? rc : check_signature(yaml_get(model, "signature"), err);
    }
    if (flavors && flavors->alias)
        return 0;
    bool any = flavors && flavors->kind == YAML_MAPPING && flavors->count;
    return error_set(err, CTCD_E_INVALID, "save it with one of MLflow's Python flavors",
                     "%s cannot be served: the model has no flavor python_function%s%s", folder,
                     any ? ", only " : "", any ? flavors->children[0]->key : "");
}

/* A signature is JSON in a YAML text: [{"type": "double", "name": "area"}, ...]. */
static int names_of(const struct json *inputs, char **ret, ctcd_error **err) {
    _cleanup_(json_done) struct json *names = json_new_array();
    if (!names)
        return error_nomem(err);
    for (size_t i = 0; i < json_size(inputs); i++) {
        const struct json *input = json_at(inputs, i);
        const char *name = json_get_text(input, "name");
        if (!name || text_same(json_get_text(input, "type"), "tensor"))
            return CTCD_NONE;
        if (!json_append_text(names, name))
            return error_nomem(err);
    }
    if (!json_size(names))
        return CTCD_NONE;
    return (*ret = json_to_text(names)) ? 0 : error_nomem(err);
}

int model_columns(const char *folder, char **ret, ctcd_error **err) {
    _cleanup_(yaml_done) struct yaml_node *model = NULL;
    _cleanup_(json_done) struct json *inputs = NULL;
    int rc = read_model(folder, &model, err);
    if (rc)
        return rc;
    const char *text = yaml_text(yaml_get(yaml_get(model, "signature"), "inputs"));
    if (!text)
        return CTCD_NONE;
    rc = json_parse(text, strlen(text), YAML_MAX_BYTES, JSON_PYTHON, "signature", &inputs, NULL);
    if (rc)
        return rc == CTCD_E_NOMEM ? error_nomem(err) : CTCD_NONE;
    return names_of(inputs, ret, err);
}

#define EXAMPLE_MAX (1 << 20)

/* CTCD_NONE: not there, too large to be tried at each deploy, or no JSON object. */
static int read_example(const char *folder, const char *name, char **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = path_join(folder, name);
    _cleanup_(mem_free_ptr) char *text = NULL;
    _cleanup_(json_done) struct json *json = NULL;
    size_t size = 0;
    if (!path)
        return error_nomem(err);
    int rc = file_read(path, EXAMPLE_MAX, 0, &text, &size, NULL);
    if (!rc)
        rc = json_parse(text, size, EXAMPLE_MAX, JSON_PYTHON, name, &json, NULL);
    if (rc == CTCD_E_NOMEM)
        return error_nomem(err);
    if (rc || json_kind(json) != JSON_KIND_OBJECT)
        return CTCD_NONE;
    *ret = mem_steal(&text);
    return 0;
}

/* MLflow 2.16 and later write the request itself; before, only the rows that go into it. */
int model_example(const char *folder, char **ret, ctcd_error **err) {
    _cleanup_(yaml_done) struct yaml_node *model = NULL;
    _cleanup_(mem_free_ptr) char *rows = NULL;
    int rc = read_example(folder, "serving_input_example.json", ret, err);
    if (rc != CTCD_NONE)
        return rc;
    rc = read_model(folder, &model, NULL);
    if (rc)
        return rc == CTCD_E_NOMEM ? error_nomem(err) : CTCD_NONE;
    const struct yaml_node *info = yaml_get(model, "saved_input_example_info");
    if (!text_same(yaml_text(yaml_get(info, "artifact_path")), "input_example.json") ||
        !text_same(yaml_text(yaml_get(info, "type")), "dataframe") ||
        !text_same(yaml_text(yaml_get(info, "pandas_orient")), "split"))
        return CTCD_NONE;
    rc = read_example(folder, "input_example.json", &rows, err);
    if (rc)
        return rc;
    return (*ret = mem_text("{\"dataframe_split\": %s}", rows)) ? 0 : error_nomem(err);
}

/* ---- the Python that serves it -------------------------------------------------------------------- */

static bool is_program(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int find_in_path(const char *name, char **ret, ctcd_error **err) {
    const char *at = getenv("PATH");
    while (at && *at) {
        size_t size = strcspn(at, ":");
        _cleanup_(mem_free_ptr) char *path = mem_text("%.*s/%s", (int)size, at, name);
        if (!path)
            return error_nomem(err);
        if (at[0] == '/' && is_program(path)) {
            *ret = mem_steal(&path);
            return 0;
        }
        at += size + (at[size] == ':');
    }
    return CTCD_NONE;
}

int python_find(const char *name, char **ret, ctcd_error **err) {
    static const char hint[] =
        "set the model deployer's option python to the Python that has MLflow";
    int rc = CTCD_NONE;
    if (name[0] == '/' && is_program(name))
        return (*ret = mem_copy_text(name)) ? 0 : error_nomem(err);
    if (!strchr(name, '/'))
        rc = find_in_path(name, ret, err);
    if (rc != CTCD_NONE)
        return rc;
    if (name[0] != '/' && strchr(name, '/'))
        return error_set(err, CTCD_E_INVALID, hint, "python: %s is not an absolute path", name);
    if (name[0] == '/' && file_exists(name))
        return error_set(err, CTCD_E_INVALID, hint, "python: %s is not a program", name);
    return error_set(err, CTCD_E_INVALID, hint, "python: there is no %s%s", name,
                     name[0] == '/' ? "" : " in PATH");
}
