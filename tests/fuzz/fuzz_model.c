/* A model's folder: its MLmodel file, and behind it, each after a line %%, the examples that were saved with
   it: serving_input_example.json and input_example.json. The folder is there, its files are in memory. */
#include "fuzz.h"

#include "deployers/mlflow/model.h"
#include "io/file.h"
#include "io/json.h"
#include "protocols/mlflow.h"

const char fuzz_name[] = "model";

static const char *const file_names[] = {"MLmodel", "serving_input_example.json",
                                         "input_example.json"};
#define FILES (sizeof file_names / sizeof *file_names)
static struct fuzz_part files[FILES];

int __wrap_file_read(const char *path, size_t limit, uint32_t flags, char **ret_text,
                     size_t *ret_len, ctcd_error **err);

int __wrap_file_read(const char *path, size_t limit, uint32_t flags, char **ret_text,
                     size_t *ret_len, ctcd_error **err) {
    must(limit <= 1 << 20 && !flags);
    for (size_t i = 0; i < FILES; i++) {
        if (strcmp(path_name(path), file_names[i]) != 0 || (i && !files[i].size))
            continue;
        must((*ret_text = mem_copy_bytes(files[i].size ? files[i].text : "", files[i].size)));
        if (ret_len)
            *ret_len = files[i].size;
        return 0;
    }
    return error_set(err, CTCD_E_NOT_FOUND, NULL, "%s is not there", path);
}

static void is_json(const char *text, enum json_kind kind) {
    _cleanup_(json_done) struct json *value = NULL;
    must(text_is_utf8(text));
    must(json_parse(text, strlen(text), (size_t)4 << 20, JSON_PYTHON, NULL, &value, NULL) == 0);
    must(json_kind(value) == kind);
}

static void ask_columns(const char *folder, bool is_model) {
    _cleanup_(mem_free_ptr) char *columns = NULL;
    ctcd_error *err = NULL;
    int rc = model_columns(folder, &columns, &err);
    must(!rc == (columns != NULL));
    if (rc < 0) {
        must(!is_model);
        fuzz_refused(rc, err);
    } else if (rc) {
        must(rc == CTCD_NONE && !err);
    } else {
        is_json(columns, JSON_KIND_ARRAY);
        fuzz_plant(columns);
    }
}

static void ask_example(const char *folder) {
    _cleanup_(mem_free_ptr) char *example = NULL;
    _cleanup_(mem_free_ptr) char *body = NULL;
    ctcd_error *err = NULL;
    int rc = model_example(folder, &example, &err);
    must(rc == 0 || rc == CTCD_NONE);
    must(!err && !rc == (example != NULL));
    if (rc)
        return;
    is_json(example, JSON_KIND_OBJECT);
    fuzz_plant(example);
    rc = mlflow_encode(example, strlen(example), MLFLOW_AUTO, &body, &err);
    if (rc)
        fuzz_refused(rc, err);
    else
        is_json(body, JSON_KIND_OBJECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_part rest = {(const char *)data, size};
    const char *folder = fuzz_folder();
    for (size_t i = 0; i < FILES; i++)
        files[i] = fuzz_next(&rest);
    _cleanup_(mem_free_ptr) char *real = NULL;
    ctcd_error *err = NULL;
    int rc = model_resolve(folder, &real, &err);
    must(!rc == (real != NULL));
    if (rc) {
        must(rc == CTCD_E_INVALID || rc == CTCD_E_TOO_LARGE);
        must(strstr(error_message(err), folder));
        fuzz_refused(rc, err);
    }
    ask_columns(folder, rc == 0);
    ask_example(folder);
    return 0;
}
