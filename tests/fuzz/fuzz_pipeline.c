/* The pipeline file, as the public functions read and check it; below them YAML, which must come back the
   same from our writer. Folder, home and store are not touched. */
#include "fuzz.h"

#include <ctcd/ctcd.h>

#include "io/json.h"
#include "io/yaml.h"

const char fuzz_name[] = "pipeline";

/* NAME:LINE:COLUMN: is what people look for. */
static void names_its_place(const char *message, const char *name) {
    unsigned line = 0, column = 0;
    size_t size = strlen(name);
    must(strncmp(message, name, size) == 0 && message[size] == ':');
    must(sscanf(message + size, ":%u:%u: ", &line, &column) == 2 && line && column);
}

/* What was read as a value is the same value after it was written and read again. */
static void round_trip(const struct json *value) {
    _cleanup_(mem_free_ptr) char *text = json_to_yaml_text(value);
    _cleanup_(yaml_done) struct yaml_node *root = NULL;
    _cleanup_(json_done) struct json *again = NULL;
    must(text && text_is_utf8(text));
    must(yaml_parse(text, strlen(text), "again", &root, NULL) == 0);
    must(yaml_to_json(root, &again, NULL) == 0);
    must(json_same(value, again));
}

static void read_yaml(const char *text, size_t size) {
    _cleanup_(yaml_done) struct yaml_node *root = NULL;
    _cleanup_(json_done) struct json *value = NULL;
    ctcd_error *err = NULL;
    int rc = yaml_parse(text, size, "file", &root, &err);
    if (rc) {
        must(rc == CTCD_E_INVALID || rc == CTCD_E_TOO_LARGE);
        names_its_place(error_message(err), "file");
        fuzz_refused(rc, err);
        return;
    }
    must(!err && root);
    must(yaml_to_json(root, &value, NULL) == 0);
    round_trip(value);
}

static void look_at(ctcd_pipeline *p) {
    static const char *const formats[] = {"json", "yaml"};
    ctcd_schedule *schedule = NULL;
    ctcd_error *err = NULL;
    must(ctcd_pipeline_name(p)[0]);
    for (size_t i = 0; i < ctcd_pipeline_step_count(p); i++)
        must(ctcd_pipeline_step_name(p, i)[0] && ctcd_pipeline_step_kind(p, i)[0]);
    must(!ctcd_pipeline_step_name(p, ctcd_pipeline_step_count(p)));
    for (size_t i = 0; i < 2; i++) {
        char *text = NULL;
        must(ctcd_pipeline_format(p, formats[i], &text, NULL) == 0);
        must(text_is_utf8(text));
        fuzz_plant(text);
        ctcd_free(text);
    }
    int rc = ctcd_pipeline_schedule(p, &schedule, &err);
    if (rc < 0)
        fuzz_refused(rc, err);
    else
        must(rc ? rc == CTCD_NONE && !schedule : ctcd_schedule_every(schedule) > 0);
    ctcd_schedule_unref(schedule);
    err = NULL;
    rc = ctcd_pipeline_set_param(p, "seed", "7", &err);
    if (rc)
        fuzz_refused(rc, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ctcd_context *ctx;
    ctcd_pipeline *pipeline = NULL;
    ctcd_error *err = NULL;
    _cleanup_(mem_free_ptr) char *text = mem_copy_bytes(size ? (const char *)data : "", size);
    must(text);
    must(ctx || ctcd_context_new(0, &ctx, NULL) == 0);
    read_yaml(text, size);
    int rc = ctcd_pipeline_parse(ctx, text, "/", &pipeline, &err);
    must(!rc == (pipeline != NULL));
    if (rc) {
        must(rc == CTCD_E_INVALID || rc == CTCD_E_TOO_LARGE || rc == CTCD_E_NOT_SUPPORTED);
        fuzz_refused(rc, err);
        return 0;
    }
    look_at(pipeline);
    ctcd_pipeline_unref(pipeline);
    return 0;
}
