/* Pipelines as programs load them: errors with their place in the file, parameters, what a pipeline says about
   itself, and the schedule that its file asks for. */
#include "api.h"

static const char whole[] =
    "pipeline: digits\n"
    "params: {target: 0.90, seed: 1, note: a b}\n"
    "steps:\n"
    "  check:\n"
    "    command: [python3, check.py]\n"
    "    inputs: {service: deploy.service}\n"
    "  train:\n"
    "    command: [python3, train.py, --seed, \"${params.seed}\"]\n"
    "    outputs: [model, accuracy]\n"
    "    timeout: 10m\n"
    "    retries: {max: 2, delay: 5s}\n"
    "  deploy:\n"
    "    when: decide\n"
    "    deploy: {model_name: digits, model_uri: train.model}\n"
    "  decide:\n"
    "    decide: {metric: train.accuracy, threshold: \"${params.target}\"}\n"
    "schedule: {interval: 60s, start: now, end: +10m, overlap: skip}\n";

static char file_path[4600];

static const char *write_file(const char *text) {
    (void)snprintf(file_path, sizeof file_path, "%s/digits.yaml", api_folder);
    FILE *f = fopen(file_path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    return file_path;
}

static ctcd_pipeline *parse(const char *text) {
    ctcd_pipeline *pipeline = NULL;
    ok(ctcd_pipeline_parse(ctx, text, NULL, &pipeline, &err));
    return pipeline;
}

/* ---- what a pipeline is ----------------------------------------------------------------------- */

START_TEST(a_file_becomes_a_pipeline) {
    static const char *const order[][2] = {
        {"train", "command"}, {"decide", "decide"}, {"deploy", "deploy"}, {"check", "command"}};
    ctcd_pipeline *loaded = NULL, *parsed = parse(whole);
    ok(ctcd_pipeline_load(ctx, write_file(whole), &loaded, &err));
    ctcd_pipeline *both[] = {loaded, parsed};
    for (size_t k = 0; k < 2; k++) {
        ck_assert_str_eq(ctcd_pipeline_name(both[k]), "digits");
        ck_assert_uint_eq(ctcd_pipeline_step_count(both[k]), 4);
        for (size_t i = 0; i < 4; i++) {
            ck_assert_str_eq(ctcd_pipeline_step_name(both[k], i), order[i][0]);
            ck_assert_str_eq(ctcd_pipeline_step_kind(both[k], i), order[i][1]);
        }
        ck_assert_ptr_null(ctcd_pipeline_step_name(both[k], 4));
        ck_assert_ptr_null(ctcd_pipeline_step_kind(both[k], 4));
        ck_assert_ptr_null(ctcd_pipeline_problem(both[k]));
    }
    ck_assert_int_ne(access(api_home, F_OK), 0); /* reading a file makes no home */
    ck_assert_ptr_eq(ctcd_pipeline_ref(loaded), loaded);
    ctcd_pipeline_unref(loaded);
    ck_assert_ptr_null(ctcd_pipeline_unref(loaded));
    ctcd_pipeline_unref(parsed);
}
END_TEST

START_TEST(a_pipeline_prints_itself) {
    ctcd_pipeline *pipeline = parse(whole);
    char *text = NULL;
    ok(ctcd_pipeline_set_param(pipeline, "seed", "7", &err));
    ok(ctcd_pipeline_format(pipeline, "json", &text, &err));
    ck_assert_has(text, "\"pipeline\": \"digits\"");
    ck_assert_has(text, "\"seed\": 7");
    ck_assert_has(text, "\"note\": \"a b\"");
    ctcd_free(text);
    ok(ctcd_pipeline_format(pipeline, "yaml", &text, &err));
    ck_assert_has(text, "pipeline: digits\n");
    ctcd_pipeline *again = parse(text); /* what it prints is a pipeline file */
    ck_assert_uint_eq(ctcd_pipeline_step_count(again), 4);
    ctcd_pipeline_unref(again);
    ctcd_free(text);
    ok(ctcd_pipeline_format(pipeline, "name", &text, &err));
    ck_assert_str_eq(text, "digits");
    ctcd_free(text);
    text = NULL;
    fails(ctcd_pipeline_format(pipeline, "toml", &text, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    ctcd_pipeline_unref(pipeline);
}
END_TEST

START_TEST(nothing_is_asked_of_nobody) {
    ctcd_pipeline *none = NULL;
    ck_assert_str_eq(ctcd_pipeline_name(NULL), "");
    ck_assert_uint_eq(ctcd_pipeline_step_count(NULL), 0);
    ck_assert_ptr_null(ctcd_pipeline_step_name(NULL, 0));
    ck_assert_ptr_null(ctcd_pipeline_step_kind(NULL, 0));
    ck_assert_ptr_null(ctcd_pipeline_problem(NULL));
    ck_assert_ptr_null(ctcd_pipeline_ref(NULL));
    ck_assert_ptr_null(ctcd_pipeline_unref(NULL));
    fails(ctcd_pipeline_load(ctx, NULL, &none, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_load(ctx, "x", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_load(NULL, "x", &none, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_parse(ctx, NULL, NULL, &none, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_parse(ctx, whole, NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_parse(ctx, whole, "/no/such/folder", &none, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_pipeline_set_param(NULL, "a", "b", &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_run(NULL, -1, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(none);
}
END_TEST

/* ---- errors and their place ------------------------------------------------------------------- */

#define STEP "pipeline: p\nsteps:\n  train: {command: [\"true\"], outputs: [accuracy]}\n"

static const struct wrong {
    const char *text, *place, *part, *hint; /* hint NULL = any or none */
} wrongs[] = {
    {"pipeline: [x\n", "2:1", "", NULL},
    {"pipeline: p\n  steps: x: y\n", "2:8", "", NULL},
    {"\tpipeline: p\n", "1:1", "", NULL},
    {"", "1:1", "", NULL},
    {"just text\n", "1:1", "mapping", NULL},
    {"pipeline: p\npipeline: q\n", "2:1", "pipeline", NULL},
    {"pipeline: &a p\n", "1:11", "anchor", NULL},
    {"pipeline: p\n", "1:1", "steps", NULL},
    {"steps: {a: {command: [x]}}\n", "1:1", "pipeline", NULL},
    {"pipeline: p\nstep: {}\n", "2:1", "\"step\"", "steps"},
    {"pipeline: p\nsteps: []\n", "2:8", "steps", NULL},
    {"pipeline: p\nsteps: {}\n", "2:8", "steps", NULL},
    {"pipeline: p\nsteps:\n  a: {}\n", "3:6", "command, function, decide, deploy", NULL},
    {"pipeline: p\nsteps:\n  a: {command: [x], deploy: {model_name: m, model_uri: ./m}}\n", "3:6",
     "exactly one", NULL},
    {"pipeline: p\nsteps:\n  a: {command: x}\n", "3:16", "list", NULL},
    {"pipeline: p\nsteps:\n  a: {command: []}\n", "3:16", "empty", NULL},
    {"pipeline: p\nsteps:\n  a: {command: [x], ouputs: [y]}\n", "3:21", "ouputs", "outputs"},
    {"pipeline: p\nsteps:\n  a: {command: [x], timeout: soon}\n", "3:30", "duration", NULL},
    {"pipeline: p\nsteps:\n  a: {command: [x], retries: {max: 1000}}\n", "3:36", "0 to 100", NULL},
    {"pipeline: p\nsteps:\n  a: {command: [x], retries: {backoff: 0.5}}\n", "3:40", "1 to 100",
     NULL},
    {"pipeline: p\nsteps:\n  a: {command: [x], retries: {backoff: .nan}}\n", "3:40", "1 to 100",
     NULL},
    {"pipeline: p\nsteps:\n  a: {command: [x], retries: {delay: 5s, max_delay: 1s}}\n", "3:30",
     "less than delay", NULL},
    {"pipeline: p\nsteps:\n  a: {command: [x], retries: {most: 1}}\n", "3:31", "most", "max"},
    {STEP "  b: {decide: {metric: train.acuracy}}\n", "4:24", "acuracy", "train.accuracy"},
    {STEP "  b: {decide: {metric: trian.accuracy}}\n", "4:24", "trian", "train"},
    {STEP "  b: {decide: {metric: accuracy}}\n", "4:24", "like train.accuracy", NULL},
    {STEP "  b: {decide: {metric: train.accuracy, threshold: high}}\n", "4:51", "threshold", NULL},
    {STEP "  b: {decide: {metric: train.accuracy, treshold: 1}}\n", "4:40", "treshold",
     "threshold"},
    {STEP "  b: {command: [x], inputs: {m: train.modle}}\n", "4:33", "modle", NULL},
    {STEP "  b: {command: [x], after: [trian]}\n", "4:28", "trian", "train"},
    {STEP "  b: {command: [\"${params.seed}\"]}\n", "4:16", "seed", NULL},
    {STEP "  b: {when: train, deploy: {model_name: m, model_uri: ./m}}\n", "4:13", "train", NULL},
    {STEP "  b: {deploy: {model_name: m}}\n", "4:15", "model_uri", NULL},
    {STEP "  b: {deploy: {model_name: m, model_uri: model}}\n", "4:42", "model_uri", NULL},
    {STEP "schedule: {interval: 60}\nx: 1\n", "5:1", "\"x\"", NULL},
    {STEP "schedule: {}\n", "4:11", "interval", NULL},
    {STEP "schedule: {interval: 60s, catchup: some}\n", "4:36", "latest", NULL},
    {STEP "schedule: {interval: 60s, overlap: cancel_other}\n", "4:36", "cancel_other", "skip"},
    {STEP "schedule: {cron: '60 * * * *'}\n", "4:18", "minute field, at character 1", "0-59"},
    {STEP "schedule: {cron: '@daily', interval: 60s}\n", "4:18", "either", NULL},
    {STEP "schedule: {interval: 60s, timezone: UTC}\n", "4:37", "goes with \"cron\"", NULL},
    {STEP "schedule: {cron: '@daily', timezone: ../UTC}\n", "4:38", "../UTC", "Europe/Paris"},
    {STEP "schedule: {cron: '@daily', dialect: quartz}\n", "4:37", "quartz", NULL},
};

START_TEST(errors_name_file_line_and_column) {
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const struct wrong *w = &wrongs[i];
        char place[4700];
        ctcd_pipeline *none = NULL;
        err = ctcd_error_unref(err);
        int rc = ctcd_pipeline_load(ctx, write_file(w->text), &none, &err);
        ck_assert_msg(rc == CTCD_E_INVALID || rc == CTCD_E_NOT_SUPPORTED, "case %zu gave %s", i,
                      ctcd_code_name(rc));
        (void)snprintf(place, sizeof place, "%s:%s: ", file_path, w->place);
        ck_assert_msg(strncmp(ctcd_error_message(err), place, strlen(place)) == 0,
                      "case %zu: \"%s\" does not begin with %s", i, ctcd_error_message(err),
                      w->place);
        ck_assert_has(ctcd_error_message(err) + strlen(place), w->part);
        if (w->hint)
            ck_assert_has(ctcd_error_hint(err), w->hint);
        (void)snprintf(place, sizeof place, "pipeline:%s: ", w->place);
        fails(ctcd_pipeline_parse(ctx, w->text, NULL, &none, &err), rc);
        ck_assert_int_eq(strncmp(ctcd_error_message(err), place, strlen(place)), 0);
        ck_assert_ptr_null(none);
    }
}
END_TEST

START_TEST(a_circle_is_found) {
    ctcd_pipeline *none = NULL;
    fails(ctcd_pipeline_parse(ctx,
                              "pipeline: p\nsteps:\n"
                              "  a: {command: [x], after: [c]}\n"
                              "  b: {command: [x], after: [a]}\n"
                              "  c: {command: [x], after: [b]}\n",
                              NULL, &none, &err),
          CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "a");
    ck_assert_has(ctcd_error_message(err), "b");
    ck_assert_has(ctcd_error_message(err), "c");
    fails(ctcd_pipeline_parse(ctx, "pipeline: p\nsteps:\n  a: {command: [x], after: [a]}\n", NULL,
                              &none, &err),
          CTCD_E_INVALID);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named) {
    ctcd_pipeline *none = NULL;
    char path[4600];
    (void)snprintf(path, sizeof path, "%s/nowhere.yaml", api_folder);
    fails(ctcd_pipeline_load(ctx, path, &none, &err), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), "nowhere.yaml");
    err = ctcd_error_unref(err);
    ck_assert_int_lt(ctcd_pipeline_load(ctx, api_folder, &none, &err), 0); /* a folder */
    ck_assert_has(ctcd_error_message(err), api_folder);
    fails(ctcd_pipeline_load(ctx, "", &none, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_null(none);
}
END_TEST

/* ---- parameters ------------------------------------------------------------------------------- */

static bool shows(ctcd_pipeline *pipeline, const char *part) {
    char *text = NULL;
    ok(ctcd_pipeline_format(pipeline, "json", &text, &err));
    bool found = strstr(text, part) != NULL;
    ctcd_free(text);
    return found;
}

START_TEST(a_parameter_is_a_yaml_scalar) {
    static const char *const cases[][2] = {
        {"7", "\"seed\": 7"},
        {"0.25", "\"seed\": 0.25"},
        {"true", "\"seed\": true"},
        {"null", "\"seed\": null"},
        {"", "\"seed\": \"\""},
        {"'7'", "\"seed\": \"7\""},
        {"a: b", "\"seed\": \"a: b\""},
        {"[x", "\"seed\": \"[x\""},
        {"text", "\"seed\": \"text\""},
        {".nan", "\"seed\": \"NaN\""},
        {"-.inf", "\"seed\": \"-Infinity\""},
    };
    ctcd_pipeline *pipeline = parse(whole);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ok(ctcd_pipeline_set_param(pipeline, "seed", cases[i][0], &err));
        ck_assert_msg(shows(pipeline, cases[i][1]), "%s is not %s", cases[i][0], cases[i][1]);
    }
    ctcd_pipeline_unref(pipeline);
}
END_TEST

START_TEST(only_what_the_file_declares_is_a_parameter) {
    ctcd_pipeline *pipeline = parse(whole);
    fails(ctcd_pipeline_set_param(pipeline, "sed", "1", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "\"sed\"");
    ck_assert_has(ctcd_error_hint(err), "did you mean seed?");
    fails(ctcd_pipeline_set_param(pipeline, "learning_rate", "1", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "params:");
    fails(ctcd_pipeline_set_param(pipeline, NULL, "1", &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_set_param(pipeline, "seed", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_set_param(pipeline, "seed", "\xff", &err), CTCD_E_INVALID);
    ctcd_pipeline_unref(pipeline);
}
END_TEST

START_TEST(a_parameter_that_makes_no_sense_changes_nothing) {
    ctcd_pipeline *pipeline = parse(whole);
    fails(ctcd_pipeline_set_param(pipeline, "target", "high", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "target=high");
    ck_assert_has(ctcd_error_message(err), "threshold");
    ck_assert(shows(pipeline, "\"target\": 0.9"));
    ok(ctcd_pipeline_set_param(pipeline, "target", "0.5", &err));
    ck_assert(shows(pipeline, "\"target\": 0.5"));
    ctcd_pipeline_unref(pipeline);
}
END_TEST

/* ---- its schedule ----------------------------------------------------------------------------- */

START_TEST(a_file_may_ask_for_a_schedule) {
    struct hand hand;
    ctcd_schedule *schedule = NULL;
    hand_give(&hand, ctx);
    ctcd_pipeline *pipeline = parse(whole);
    ok(ctcd_pipeline_schedule(pipeline, &schedule, &err));
    ck_assert_int_eq(ctcd_schedule_every(schedule), 60000);
    ck_assert_int_eq(ctcd_schedule_start(schedule), HAND_WALL);
    ck_assert_int_eq(ctcd_schedule_end(schedule), HAND_WALL + 600000);
    ck_assert_str_eq(ctcd_schedule_catchup(schedule), "latest");
    ck_assert_str_eq(ctcd_schedule_overlap(schedule), "skip");
    ck_assert_str_eq(ctcd_schedule_uuid(schedule), ""); /* not yet created */
    ctcd_schedule_unref(schedule);
    ctcd_pipeline_unref(pipeline);
    schedule = NULL;
    pipeline = parse("pipeline: p\nsteps: {a: {command: [x]}}\n");
    ck_assert_int_eq(ctcd_pipeline_schedule(pipeline, &schedule, &err), CTCD_NONE);
    ck_assert_ptr_null(schedule);
    fails(ctcd_pipeline_schedule(pipeline, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_schedule(NULL, &schedule, &err), CTCD_E_INVALID);
    ctcd_pipeline_unref(pipeline);
}
END_TEST

SUITE_MAIN_WITH("pipeline", api_open, api_close, a_file_becomes_a_pipeline,
                a_pipeline_prints_itself, nothing_is_asked_of_nobody,
                errors_name_file_line_and_column, a_circle_is_found,
                a_file_that_cannot_be_read_is_named, a_parameter_is_a_yaml_scalar,
                only_what_the_file_declares_is_a_parameter,
                a_parameter_that_makes_no_sense_changes_nothing, a_file_may_ask_for_a_schedule)
