/* See step_outputs.h. */
#include "engine/step_outputs.h"

#include <string.h>

#include "base/text.h"
#include "io/file.h"
#include "io/tree.h"

void step_artifacts_done(struct step_artifacts *all) {
    for (size_t i = 0; i < all->count; i++) {
        mem_free(all->items[i].name);
        mem_free(all->items[i].value);
        mem_free(all->items[i].sha256);
    }
    mem_free(all->items);
    *all = (struct step_artifacts){0};
}

/* Does a text name something in the artifacts folder, wherever links lead? What should be there and is not
   is an error: it would be missed only later. */
static int in_folder(const char *artifacts, const char *name, const char *text, bool *ret,
                     ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = NULL;
    _cleanup_(mem_free_ptr) char *real = NULL;
    *ret = false;
    if (!text || text[0] != '/')
        return 0;
    int rc = file_real_path(artifacts, &folder, NULL);
    if (!rc)
        rc = file_real_path(text, &real, NULL);
    if (rc == CTCD_E_NOMEM)
        return error_nomem(err);
    if (rc && text_starts(text, artifacts))
        return error_set(err, CTCD_E_FAILED, NULL,
                         "its output \"%s\" names %.200s, which is not there", name, text);
    if (rc || !text_starts(real, folder))
        return 0;
    *ret = real[strlen(folder)] == '/' || !real[strlen(folder)];
    return 0;
}

static int add_value(struct step_artifacts *all, const char *folder, const char *name,
                     const struct json *value, ctcd_error **err) {
    struct store_artifact *a = &all->items[all->count++];
    const char *text = json_text(value);
    char hash[65] = "";
    bool inside = false;
    int rc = in_folder(folder, name, text, &inside, err);
    if (!rc && inside && (rc = tree_hash(text, hash, err)))
        error_prefix(err, "output \"%s\"", name);
    if (rc)
        return rc;
    a->name = mem_copy_text(name);
    a->kind = inside ? STORE_ARTIFACT_URI : STORE_ARTIFACT_VALUE;
    a->value = inside ? mem_copy_text(text) : json_to_text(value);
    a->sha256 = mem_copy_text(hash);
    return a->name && a->value && a->sha256 ? 0 : error_nomem(err);
}

static int add_service(struct step_artifacts *all, const char *name, const char *uuid,
                       ctcd_error **err) {
    struct store_artifact *a = &all->items[all->count++];
    a->name = mem_copy_text(name);
    a->kind = STORE_ARTIFACT_SERVICE;
    a->value = mem_copy_text(uuid);
    a->sha256 = mem_copy_text("");
    return a->name && a->value && a->sha256 ? 0 : error_nomem(err);
}

int step_check_output(char *const *declared, const char *name, int code, ctcd_error **err) {
    if (strv_has(declared, name))
        return 0;
    const char *near = text_nearest(name, (const char *const *)declared, strv_count(declared));
    _cleanup_(mem_free_ptr) char *hint =
        near ? mem_text("did you mean \"%s\"?", near)
             : mem_copy_text("declare it under outputs: of the step");
    return error_set(err, code, hint, "it wrote an output \"%s\", which the step does not declare",
                     name);
}

/* A misspelt one is named before the one that is missing because of it. */
static int compare_names(const struct step_spec *step, const struct json *values,
                         const struct json *services, ctcd_error **err) {
    for (struct json_iter i = json_members(values); json_next(&i);)
        if (step_check_output(step->outputs, i.key, CTCD_E_FAILED, err))
            return CTCD_E_FAILED;
    for (char **name = step->outputs; name && *name; name++)
        if (!json_get(values, *name) && !json_get(services, *name))
            return error_set(err, CTCD_E_FAILED,
                             step->kind == STEP_COMMAND
                                 ? "write it to the file named by CTCD_OUTPUTS"
                                 : "set it with ctcd_step_set_output()",
                             "it did not write its output \"%s\"", *name);
    return 0;
}

int step_collect(const struct step_spec *step, const char *folder, const struct json *values,
                 const struct json *services, struct step_artifacts *ret, ctcd_error **err) {
    int rc = compare_names(step, values, services, err);
    if (!rc &&
        !(ret->items = mem_array(json_size(values) + json_size(services) + 1, sizeof(*ret->items))))
        rc = error_nomem(err);
    for (struct json_iter i = json_members(values); !rc && json_next(&i);)
        rc = add_value(ret, folder, i.key, i.value, err);
    for (struct json_iter i = json_members(services); !rc && json_next(&i);)
        rc = add_service(ret, i.key, json_text(i.value), err);
    return rc;
}
