/* What an earlier run has done already: when a step's result is used again, and when not. */
#include "fake.h"

#include <sys/stat.h>

static ctcd_pipeline *pipeline;
static ctcd_run *run;

static void end(void) {
    run = ctcd_run_unref(run);
    pipeline = ctcd_pipeline_unref(pipeline);
    fake_end();
}

static void put(const char *name, const char *text) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/%s", api_folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* Every start of a step leaves a letter here. */
static const char *trace(void) {
    static char text[256];
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/trace", api_folder);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        ck_assert_int_eq(fclose(file), 0);
    text[n] = '\0';
    return text;
}

static void parse(const char *steps) {
    char text[4096];
    (void)snprintf(text, sizeof text, "pipeline: p\nparams: {seed: 1}\nsteps:\n%s", steps);
    pipeline = ctcd_pipeline_unref(pipeline);
    ok(ctcd_pipeline_parse(ctx, text, api_folder, &pipeline, &err));
}

static void runs(void) {
    run = ctcd_run_unref(run);
    ok(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err));
}

static const char *status(const char *name) {
    for (size_t i = 0; i < ctcd_run_step_count(run); i++)
        if (strcmp(ctcd_run_step_name(run, i), name) == 0)
            return ctcd_run_step_status(run, i);
    return "not there";
}

#define TRAIN "  train:\n    command: [sh, train.sh, \"${params.seed}\"]\n    outputs: [model, n]\n"
#define USE                                                                                        \
    "  use:\n    command: [sh, use.sh]\n    code: [lib]\n    inputs: {model: train.model}\n"       \
    "    outputs: [size]\n"

static void begin(void) {
    fake_begin();
    put("train.sh",
        "printf t >>trace; echo model >$CTCD_ARTIFACTS/model\n"
        "echo \"{\\\"model\\\": \\\"$CTCD_ARTIFACTS/model\\\", \\\"n\\\": $1}\" >$CTCD_OUTPUTS\n");
    put("use.sh", "printf u >>trace; echo '{\"size\": 6}' >$CTCD_OUTPUTS\n");
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/lib", api_folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    put("lib/a", "one\n");
}

START_TEST(training_trains_and_what_is_unchanged_below_is_a_hit) {
    parse(TRAIN USE);
    runs();
    ck_assert_str_eq(status("use"), "completed");
    for (int i = 0; i < 3; i++) {
        runs();
        ck_assert_str_eq(status("train"), "completed");
        ck_assert_str_eq(status("use"), "cached");
        ck_assert_str_eq(ctcd_run_step_outputs(run, 1), "{\"size\":6}");
    }
    ck_assert_str_eq(trace(), "tuttt");
}
END_TEST

START_TEST(what_belongs_to_it_makes_it_run_again) {
    parse(TRAIN USE);
    runs();
    put("lib/a", "two\n"); /* a file below code: */
    runs();
    ck_assert_str_eq(trace(), "tutu");
    put("use.sh", "printf U >>trace; echo '{\"size\": 7}' >$CTCD_OUTPUTS\n"); /* a file in argv */
    runs();
    ck_assert_str_eq(trace(), "tututU");
    put("train.sh",
        "printf t >>trace; echo other >$CTCD_ARTIFACTS/model\n"
        "echo \"{\\\"model\\\": \\\"$CTCD_ARTIFACTS/model\\\", \\\"n\\\": $1}\" >$CTCD_OUTPUTS\n");
    runs(); /* another input */
    ck_assert_str_eq(trace(), "tututUtU");
    runs();
    ck_assert_str_eq(status("use"), "cached");
    parse(TRAIN "  use:\n    command: [sh, use.sh, more]\n    code: [lib]\n"
                "    inputs: {model: train.model}\n    outputs: [size]\n");
    runs(); /* another argument */
    ck_assert_str_eq(trace(), "tututUtUttU");
}
END_TEST

START_TEST(it_is_asked_for_and_refused) {
    parse(TRAIN "    cache: true\n" USE "    cache: false\n");
    runs();
    runs();
    ck_assert_str_eq(status("train"), "cached");
    ck_assert_str_eq(status("use"), "completed");
    ck_assert_str_eq(trace(), "tuu");
    ok(ctcd_pipeline_set_param(pipeline, "seed", "2", &err)); /* it stands in argv */
    runs();
    ck_assert_str_eq(trace(), "tuutu");
}
END_TEST

START_TEST(files_that_were_touched_are_not_used_again) {
    parse(TRAIN "    cache: true\n");
    runs();
    char path[4300], json[64];
    const char *at = strstr(ctcd_run_step_outputs(run, 0), api_folder);
    ck_assert_ptr_nonnull(at);
    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(at, "\""), at);
    (void)snprintf(json, sizeof json, "%s", "spoilt\n");
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(json, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    runs();
    ck_assert_str_eq(status("train"), "completed");
    runs();
    ck_assert_str_eq(status("train"), "cached"); /* of the second run */
    ck_assert_str_eq(trace(), "tt");
}
END_TEST

START_TEST(failures_are_no_results) {
    put("use.sh", "printf u >>trace; test -e good && echo '{\"size\": 6}' >$CTCD_OUTPUTS\n");
    parse(TRAIN USE);
    fails(ctcd_pipeline_run(pipeline, LONG_MS, NULL, &err), CTCD_E_FAILED);
    put("good", "");
    runs();
    ck_assert_str_eq(status("use"), "completed");
}
END_TEST

#define DEPLOY                                                                                     \
    "  deploy:\n    cache: true\n    deploy: {model_name: m, model_uri: train.model,"              \
    " model_deployer: ml, min_ready: 0s}\n"                                                        \
    "  check:\n    command: [sh, -c, 'printf c >>trace']\n    inputs: {service: deploy.service}\n"

START_TEST(a_deploy_is_a_hit_while_its_server_lives) {
    parse(TRAIN DEPLOY);
    runs();
    ck_assert_str_eq(status("deploy"), "completed");
    runs();
    ck_assert_str_eq(status("deploy"), "cached");
    ck_assert_str_eq(status("check"), "cached");
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 1);
    for (size_t i = 0; i < fake.server_count; i++)
        fake.servers[i].runs = false; /* it dies */
    runs();
    ck_assert_str_eq(status("deploy"), "completed");
    ck_assert_str_eq(status("check"), "completed"); /* another revision is another input */
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 2);
    ck_assert_int_eq(fake_running(&fake), 1);
    runs();
    ck_assert_str_eq(status("deploy"), "cached");
}
END_TEST

START_TEST(a_deploy_is_no_hit_when_something_else_serves) {
    parse(TRAIN DEPLOY);
    runs();
    put("train.sh",
        "echo other >$CTCD_ARTIFACTS/model\n"
        "echo \"{\\\"model\\\": \\\"$CTCD_ARTIFACTS/model\\\", \\\"n\\\": $1}\" >$CTCD_OUTPUTS\n");
    runs();
    put("train.sh",
        "echo model >$CTCD_ARTIFACTS/model\n"
        "echo \"{\\\"model\\\": \\\"$CTCD_ARTIFACTS/model\\\", \\\"n\\\": $1}\" >$CTCD_OUTPUTS\n");
    runs(); /* the first one's work, but the second one's model serves */
    ck_assert_str_eq(status("deploy"), "completed");
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 3);
}
END_TEST

SUITE_MAIN_WITH("cache", begin, end, training_trains_and_what_is_unchanged_below_is_a_hit,
                what_belongs_to_it_makes_it_run_again, it_is_asked_for_and_refused,
                files_that_were_touched_are_not_used_again, failures_are_no_results,
                a_deploy_is_a_hit_while_its_server_lives,
                a_deploy_is_no_hit_when_something_else_serves)
