/* The tree of a pipeline: building, copying, and everything that is refused before a run. */
#include "suite.h"

#include "base/mem.h"
#include "core/spec.h"

static void set_text(char **where, const char *text) {
    mem_free(*where);
    *where = mem_copy_text(text);
}

static void set_ref(struct output_ref *ref, const char *text) {
    output_ref_done(ref);
    if (text)
        ck_assert_int_eq(output_ref_parse(text, ref, NULL), 0);
}

static void add_text(char ***list, const char *text) {
    ck_assert(strv_add(list, text));
}

static struct step_spec *add_step(struct pipeline_spec *spec, enum step_kind kind,
                                  const char *name) {
    struct step_spec *step = pipeline_spec_add_step(spec, kind, name);
    ck_assert_ptr_nonnull(step);
    return step;
}

static void add_input(struct step_spec *step, const char *name, const char *from) {
    struct input_spec *input = step_spec_add_input(step, name);
    ck_assert_ptr_nonnull(input);
    set_ref(&input->from, from);
}

/* The pipeline of the documentation: train, decide, deploy, check. */
static struct pipeline_spec digits(void) {
    struct pipeline_spec spec = {0};
    set_text(&spec.name, "digits");
    set_text(&spec.folder, "/srv/digits");
    ck_assert(pipeline_spec_set_param(&spec, "target", PARAM_REAL, "0.90", "0.90"));
    ck_assert(pipeline_spec_set_param(&spec, "seed", PARAM_INT, "1", "1"));
    struct step_spec *step = add_step(&spec, STEP_COMMAND, "train");
    add_text(&step->argv, "python3");
    add_text(&step->argv, "train.py");
    add_text(&step->argv, "${params.seed}");
    add_text(&step->code, "data.py");
    add_text(&step->outputs, "model");
    add_text(&step->outputs, "accuracy");
    step->timeout_ms = 600000;
    step->retries_max = 2;
    step->retry_delay_ms = 5000;
    step = add_step(&spec, STEP_DECIDE, "decide");
    set_ref(&step->decide.metric, "train.accuracy");
    ck_assert(settings_set(&step->decide.rule, "threshold", "${params.target}"));
    ck_assert(settings_set(&step->decide.rule, "min_absolute_change", "0.002"));
    set_text(&step->decide.deploys, "deploy");
    step = add_step(&spec, STEP_DEPLOY, "deploy");
    set_text(&step->when, "decide");
    set_text(&step->deploy.model_name, "digits");
    set_ref(&step->deploy.model_from, "train.model");
    ck_assert(settings_set(&step->deploy.options, "workers", "1"));
    step->deploy.timeout_ms = 300000;
    step = add_step(&spec, STEP_COMMAND, "check");
    add_text(&step->argv, "check.sh");
    add_input(step, "service", "deploy.service");
    add_text(&step->after, "train");
    spec.schedule = (struct schedule_wording){.present = true,
                                              .every_ms = 60000,
                                              .start = {MOMENT_AFTER, 0},
                                              .end = {MOMENT_AFTER, 600000}};
    add_text(&spec.on_failure, "notify.sh");
    return spec;
}

START_TEST(a_whole_pipeline) {
    struct pipeline_spec spec = digits();
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_msg(pipeline_spec_check(&spec, &err) == 0, "%s", error_message(err));
    _cleanup_(graph_done) struct graph *graph = NULL;
    ck_assert_int_eq(pipeline_spec_graph(&spec, &graph, NULL), 0);
    ck_assert(graph_needs(graph, 1, 0) && graph_needs(graph, 2, 1) && graph_needs(graph, 2, 0));
    ck_assert(graph_needs(graph, 3, 2) && graph_needs(graph, 3, 0));
    ck_assert(!graph_needs(graph, 1, 2)); /* what a rule deploys comes after it */
    size_t order[4];
    ck_assert_int_eq(graph_order(graph, order, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(order[i], i);

    struct decision_rule rule = {0};
    ck_assert_int_eq(decide_rule(&spec, &spec.steps[1], &rule, NULL), 0);
    ck_assert_str_eq(rule.metric, "accuracy");
    ck_assert(rule.threshold.set && rule.threshold.value == 0.90);
    ck_assert(rule.min_absolute_change.set && !rule.min_relative_change.set);
    decision_rule_done(&rule);
    ck_assert(pipeline_spec_set_param(&spec, "target", PARAM_REAL, "0.5", "0.5"));
    ck_assert_uint_eq(spec.param_count, 2);
    ck_assert_int_eq(decide_rule(&spec, &spec.steps[1], &rule, NULL), 0);
    ck_assert(rule.threshold.value == 0.5);
    decision_rule_done(&rule);
    pipeline_spec_done(&spec);
    pipeline_spec_done(&spec);
}
END_TEST

START_TEST(asking) {
    struct pipeline_spec spec = digits();
    ck_assert_ptr_eq(pipeline_spec_step(&spec, "deploy"), &spec.steps[2]);
    ck_assert_ptr_null(pipeline_spec_step(&spec, "nothing"));
    ck_assert_ptr_null(pipeline_spec_step(&spec, NULL));
    ck_assert_str_eq(pipeline_spec_param(&spec, "seed")->text, "1");
    ck_assert_ptr_null(pipeline_spec_param(&spec, "sed"));
    ck_assert(step_has_output(&spec.steps[0], "model") && !step_has_output(&spec.steps[0], "x"));
    ck_assert(step_has_output(&spec.steps[1], "decision"));
    ck_assert(step_has_output(&spec.steps[2], "service"));
    ck_assert(!step_has_output(&spec.steps[2], "decision"));
    ck_assert(!step_has_output(&spec.steps[3], "service"));
    ck_assert_str_eq(settings_get(&spec.steps[2].deploy.options, "workers"), "1");
    ck_assert_ptr_null(settings_get(&spec.steps[2].deploy.options, "worker"));
    ck_assert_str_eq(step_kind_name(STEP_DECIDE), "decide");
    ck_assert_str_eq(step_kind_name((enum step_kind)0), "unknown");
    pipeline_spec_done(&spec);
}
END_TEST

START_TEST(whom_a_rule_decides_about) {
    struct pipeline_spec spec = digits();
    ck_assert_ptr_eq(decide_target(&spec, &spec.steps[1]), &spec.steps[2]);
    mem_free(spec.steps[1].decide.deploys);
    spec.steps[1].decide.deploys = NULL;
    ck_assert_ptr_eq(decide_target(&spec, &spec.steps[1]), &spec.steps[2]); /* by its `when` */
    struct step_spec *second = add_step(&spec, STEP_DEPLOY, "deploy2");
    ck_assert_ptr_eq(decide_target(&spec, &spec.steps[1]), &spec.steps[2]);
    set_text(&second->when, "decide");
    ck_assert_ptr_null(decide_target(&spec, &spec.steps[1])); /* two */
    set_text(&spec.steps[1].decide.deploys, "deploy2");
    ck_assert_ptr_eq(decide_target(&spec, &spec.steps[1]), &spec.steps[4]);
    set_text(&spec.steps[1].decide.deploys, "train");
    ck_assert_ptr_null(decide_target(&spec, &spec.steps[1]));
    pipeline_spec_done(&spec);
}
END_TEST

/* ---- what is refused ---- */

static void refused(struct pipeline_spec *spec, const char *message, const char *hint) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_int_eq(pipeline_spec_check(spec, &err), CTCD_E_INVALID);
    ck_assert_int_eq(pipeline_spec_check(spec, NULL), CTCD_E_INVALID);
    ck_assert_msg(strstr(error_message(err), message), "\"%s\" instead of \"%s\"",
                  error_message(err), message);
    if (hint)
        ck_assert_msg(error_hint_text(err) && strstr(error_hint_text(err), hint), "%s: %s",
                      error_message(err), error_hint_text(err));
    pipeline_spec_done(spec);
}

START_TEST(wrong_names) {
    struct pipeline_spec spec = {0};
    refused(&spec, "at least one step", NULL);
    spec = digits();
    set_text(&spec.name, "a b");
    refused(&spec, "\"a b\" cannot be a name of the pipeline", NULL);
    spec = digits();
    mem_free(spec.name);
    spec.name = NULL;
    refused(&spec, "name of the pipeline is empty", NULL);
    spec = digits();
    set_text(&spec.steps[0].name, "tr.ain");
    refused(&spec, "cannot be a name of a step", NULL);
    spec = digits();
    set_text(&spec.steps[3].name, "train");
    refused(&spec, "there are two steps \"train\"", NULL);
    spec = digits();
    set_text(&spec.params[1].name, "se ed");
    refused(&spec, "name of a parameter", NULL);
    spec = digits();
    add_text(&spec.steps[0].outputs, "model");
    refused(&spec, "step \"train\": outputs: \"model\" is there twice", NULL);
    spec = digits();
    add_text(&spec.steps[0].outputs, "a.b");
    refused(&spec, "step \"train\": \"a.b\" cannot be a name of an output", NULL);
    spec = digits();
    add_input(&spec.steps[3], "service", "train.model");
    refused(&spec, "step \"check\": inputs: \"service\" is there twice", NULL);
    spec = digits();
    add_input(&spec.steps[3], "s v", "train.model");
    refused(&spec, "name of an input", NULL);
}
END_TEST

START_TEST(wrong_references) {
    struct pipeline_spec spec = digits();
    add_input(&spec.steps[3], "m", "trian.model");
    refused(&spec, "step \"check\": m: there is no step \"trian\"", "\"train\"");
    spec = digits();
    add_input(&spec.steps[3], "m", "train.modl");
    refused(&spec, "m: step \"train\" has no output \"modl\"", "train.model?");
    spec = digits();
    add_input(&spec.steps[3], "m", "deploy.url");
    refused(&spec, "has no output \"url\"", "deploy.service?");
    spec = digits();
    add_input(&spec.steps[3], "m", NULL);
    refused(&spec, "m: the output of a step is needed", "train.accuracy");
    spec = digits();
    set_text(&spec.steps[2].when, "decid");
    refused(&spec, "step \"deploy\": when: there is no step \"decid\"", "\"decide\"");
    spec = digits();
    set_text(&spec.steps[2].when, "train");
    refused(&spec, "when: \"train\" is no decide step", NULL);
    spec = digits();
    add_text(&spec.steps[0].after, "chek");
    refused(&spec, "after: there is no step \"chek\"", "\"check\"");
    spec = digits();
    set_ref(&spec.steps[1].decide.metric, "train.acuracy");
    refused(&spec, "step \"decide\": metric: step \"train\" has no output \"acuracy\"",
            "train.accuracy?");
    spec = digits();
    set_ref(&spec.steps[1].decide.metric, NULL);
    refused(&spec, "metric: the output of a step is needed", NULL);
    spec = digits();
    set_text(&spec.steps[1].decide.deploys, "deploi");
    refused(&spec, "deploys: there is no step \"deploi\"", "\"deploy\"");
    spec = digits();
    set_text(&spec.steps[1].decide.deploys, "train");
    refused(&spec, "deploys: \"train\" is no deploy step", NULL);
    spec = digits();
    set_ref(&spec.steps[2].deploy.model_from, "check.model");
    refused(&spec, "model_uri: step \"check\" has no output", NULL);
}
END_TEST

START_TEST(wrong_values) {
    struct pipeline_spec spec = digits();
    set_text(&spec.steps[0].argv[2], "${params.sed}");
    refused(&spec, "step \"train\": command: there is no parameter \"sed\"", "${params.seed}");
    spec = digits();
    set_text(&spec.steps[0].argv[0], "");
    refused(&spec, "command: the program to run is needed", NULL);
    spec = digits();
    strv_free(spec.steps[0].argv);
    spec.steps[0].argv = NULL;
    refused(&spec, "command: the program to run is needed", NULL);
    spec = digits();
    ck_assert(settings_set(&spec.steps[1].decide.rule, "treshold", "0.9"));
    refused(&spec, "no setting \"treshold\"", "threshold");
    spec = digits();
    ck_assert(pipeline_spec_set_param(&spec, "target", PARAM_TEXT, "high", "\"high\""));
    refused(&spec, "step \"decide\": threshold: \"high\" is not a finite number", NULL);
    spec = digits();
    ck_assert(settings_set(&spec.steps[1].decide.rule, "threshold", "${params.tagret}"));
    refused(&spec, "threshold: there is no parameter \"tagret\"", "target");
    spec = digits();
    set_text(&spec.steps[2].deploy.model_name, "");
    refused(&spec, "model_name is empty", NULL);
    spec = digits();
    set_text(&spec.steps[2].deploy.model_name, "${params.x}");
    refused(&spec, "model_name: there is no parameter", NULL);
    spec = digits();
    set_ref(&spec.steps[2].deploy.model_from, NULL);
    refused(&spec, "model_uri: what to deploy is needed", "train.model");
    spec = digits();
    set_text(&spec.steps[2].deploy.on_failure, "rolback");
    refused(&spec, "on_failure: \"rolback\"", "rollback");
    spec = digits();
    set_text(&spec.steps[2].deploy.without_model, "keeps");
    refused(&spec, "without_model: \"keeps\"", "keep");
    spec = digits();
    set_text(&spec.steps[2].deploy.restart, "on-failur");
    refused(&spec, "restart: \"on-failur\"", "on-failure");
    spec = digits();
    spec.steps[2].deploy.timeout_ms = -1;
    refused(&spec, "step \"deploy\": timeout", NULL);
    spec = digits();
    ck_assert(settings_set(&spec.steps[2].deploy.options, "workers", "${params.w}"));
    refused(&spec, "step \"deploy\": workers: there is no parameter \"w\"", NULL);
    spec = digits();
    spec.steps[0].timeout_ms = INT64_MIN;
    refused(&spec, "step \"train\": timeout", NULL);
    spec = digits();
    spec.steps[0].retries_max = INT64_MAX;
    refused(&spec, "retries", NULL);
    spec = digits();
    spec.steps[0].retry_delay_ms = -1;
    refused(&spec, "delay", NULL);
    spec = digits();
    spec.steps[0].kind = (enum step_kind)0;
    refused(&spec, "command, function, decide, deploy", NULL);
    spec = digits();
    add_text(&spec.on_failure, "${HOME}");
    refused(&spec, "on_failure: \"${HOME}\" is no reference", NULL);
}
END_TEST

START_TEST(wrong_schedules_and_circles) {
    struct pipeline_spec spec = digits();
    spec.schedule.every_ms = 10;
    refused(&spec, "schedule: an interval is 1 s to 366 days", NULL);
    spec = digits();
    spec.schedule.end.ms = 0;
    refused(&spec, "schedule: the end", NULL);
    /* an end of its own is measured at creation, not now */
    spec = digits();
    spec.schedule.end = (struct moment){MOMENT_AT, 1};
    ck_assert_int_eq(pipeline_spec_check(&spec, NULL), 0);
    spec.schedule.start = (struct moment){MOMENT_AFTER, 1000};
    ck_assert_int_eq(pipeline_spec_check(&spec, NULL), 0);
    spec.schedule.end.ms = INT64_MIN;
    refused(&spec, "schedule: ", NULL);
    spec = digits();
    add_text(&spec.steps[0].after, "check");
    refused(&spec, "in a circle: train → check → deploy → decide → train", NULL);
    spec = digits();
    add_text(&spec.steps[3].after, "check");
    refused(&spec, "in a circle: check → check", NULL);
}
END_TEST

START_TEST(too_many) {
    struct pipeline_spec spec = {0};
    set_text(&spec.name, "big");
    for (unsigned i = 0; i <= SPEC_MAX_STEPS; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        add_text(&add_step(&spec, STEP_COMMAND, name)->argv, "true");
        if (i + 1 == SPEC_MAX_STEPS)
            ck_assert_int_eq(pipeline_spec_check(&spec, NULL), 0);
    }
    ck_assert_int_eq(pipeline_spec_check(&spec, NULL), CTCD_E_TOO_LARGE);
    pipeline_spec_done(&spec);
}
END_TEST

START_TEST(wiring_of_an_unchecked_tree) {
    struct pipeline_spec spec = digits();
    add_text(&spec.steps[0].after, "nowhere");
    _cleanup_(error_done) ctcd_error *err = NULL;
    struct graph *graph = NULL;
    ck_assert_int_eq(pipeline_spec_graph(&spec, &graph, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(graph);
    pipeline_spec_done(&spec);
}
END_TEST

/* ---- copies and memory ---- */

static void same_text(const char *a, const char *b) {
    ck_assert((!a && !b) || (a && b && a != b && strcmp(a, b) == 0));
}

static void same_list(char *const *a, char *const *b) {
    ck_assert_uint_eq(strv_count(a), strv_count(b));
    for (size_t i = 0; i < strv_count(a); i++)
        same_text(a[i], b[i]);
}

START_TEST(copies_are_whole) {
    struct pipeline_spec spec = digits();
    struct pipeline_spec copy;
    set_text(&spec.steps[2].deploy.smoke, "[[1]]");
    set_text(&spec.steps[2].deploy.on_failure, "leave");
    set_text(&spec.steps[2].deploy.without_model, "keep");
    set_text(&spec.steps[2].deploy.restart, "always");
    set_text(&spec.steps[2].deploy.model_deployer, "ml");
    set_text(&spec.steps[2].deploy.model_uri, "file:m");
    spec.steps[2].deploy.replace = 0;
    spec.steps[2].deploy.min_ready_ms = 0;
    spec.steps[0].cache = 1;
    ck_assert_int_eq(pipeline_spec_copy(&spec, &copy), 0);
    same_text(copy.name, spec.name);
    same_text(copy.folder, spec.folder);
    same_list(copy.on_failure, spec.on_failure);
    ck_assert_int_eq(memcmp(&copy.schedule, &spec.schedule, sizeof copy.schedule), 0);
    ck_assert_uint_eq(copy.param_count, spec.param_count);
    same_text(copy.params[0].json, spec.params[0].json);
    ck_assert_int_eq(copy.params[0].kind, PARAM_REAL);
    ck_assert_uint_eq(copy.step_count, spec.step_count);
    for (size_t i = 0; i < spec.step_count; i++) {
        const struct step_spec *a = &spec.steps[i];
        const struct step_spec *b = &copy.steps[i];
        same_text(a->name, b->name);
        ck_assert_int_eq(a->kind, b->kind);
        same_list(a->argv, b->argv);
        same_list(a->code, b->code);
        same_list(a->outputs, b->outputs);
        same_list(a->after, b->after);
        same_text(a->when, b->when);
        ck_assert(a->timeout_ms == b->timeout_ms && a->retries_max == b->retries_max &&
                  a->retry_delay_ms == b->retry_delay_ms && a->cache == b->cache);
        ck_assert_uint_eq(a->input_count, b->input_count);
        same_text(a->decide.metric.output, b->decide.metric.output);
        same_text(a->decide.deploys, b->decide.deploys);
        ck_assert_uint_eq(a->decide.rule.count, b->decide.rule.count);
        same_text(a->deploy.model_name, b->deploy.model_name);
        same_text(a->deploy.model_uri, b->deploy.model_uri);
        same_text(a->deploy.model_from.step, b->deploy.model_from.step);
        same_text(a->deploy.model_deployer, b->deploy.model_deployer);
        same_text(a->deploy.on_failure, b->deploy.on_failure);
        same_text(a->deploy.without_model, b->deploy.without_model);
        same_text(a->deploy.restart, b->deploy.restart);
        same_text(a->deploy.smoke, b->deploy.smoke);
        ck_assert_uint_eq(a->deploy.options.count, b->deploy.options.count);
        ck_assert(a->deploy.timeout_ms == b->deploy.timeout_ms &&
                  a->deploy.replace == b->deploy.replace &&
                  a->deploy.min_ready_ms == b->deploy.min_ready_ms);
    }
    same_text(copy.steps[3].inputs[0].from.step, "deploy");
    pipeline_spec_done(&spec);
    ck_assert_int_eq(pipeline_spec_check(&copy, NULL), 0);
    pipeline_spec_done(&copy);
}
END_TEST

START_TEST(settings_replace) {
    struct pipeline_spec spec = {0};
    struct settings *options = &add_step(&spec, STEP_DEPLOY, "d")->deploy.options;
    ck_assert(settings_set(options, "a", "1") && settings_set(options, "b", "2"));
    ck_assert(settings_set(options, "a", "3"));
    ck_assert_uint_eq(options->count, 2);
    ck_assert_str_eq(settings_get(options, "a"), "3");
    ck_assert_str_eq(options->items[0].name, "a");
    ck_assert_int_eq(spec.steps[0].cache, -1);
    ck_assert_int_eq(spec.steps[0].deploy.replace, -1);
    pipeline_spec_done(&spec);
}
END_TEST

START_TEST(no_memory) {
    struct pipeline_spec spec = digits();
    for (uint64_t nth = 1; nth < 2000; nth++) {
        struct pipeline_spec copy = {.step_count = 77};
        struct graph *graph = NULL;
        struct decision_rule rule = {0};
        _cleanup_(error_done) ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        int copied = pipeline_spec_copy(&spec, &copy);
        int checked = pipeline_spec_check(&spec, &err);
        int wired = pipeline_spec_graph(&spec, &graph, &err);
        int ruled = decide_rule(&spec, &spec.steps[1], &rule, &err);
        bool all = mem_test_count() < nth;
        mem_test_fail_at(0);
        ck_assert(copied == 0 || (copied == CTCD_E_NOMEM && copy.step_count == 77));
        ck_assert(checked == 0 || (checked == CTCD_E_NOMEM && err));
        ck_assert((wired == 0 && graph) || (wired == CTCD_E_NOMEM && !graph));
        ck_assert(ruled == 0 || (ruled == CTCD_E_NOMEM && !rule.metric));
        if (!copied)
            pipeline_spec_done(&copy);
        graph_free(graph);
        decision_rule_done(&rule);
        if (all) {
            pipeline_spec_done(&spec);
            return;
        }
    }
    ck_abort_msg("no end");
}
END_TEST

/* Building piece by piece: what could not be added is not there, and the rest is still whole. */
START_TEST(no_memory_while_building) {
    for (uint64_t nth = 1; nth < 100; nth++) {
        struct pipeline_spec spec = {0};
        mem_test_fail_at(nth);
        struct step_spec *step = pipeline_spec_add_step(&spec, STEP_COMMAND, "a");
        bool input = step && step_spec_add_input(step, "i");
        bool set = step && settings_set(&step->deploy.options, "k", "v");
        bool again = set && settings_set(&step->deploy.options, "k", "w");
        bool param = pipeline_spec_set_param(&spec, "p", PARAM_INT, "1", "1");
        bool changed = param && pipeline_spec_set_param(&spec, "p", PARAM_INT, "2", "2");
        bool all = mem_test_count() < nth;
        mem_test_fail_at(0);
        ck_assert_uint_eq(spec.step_count, step != NULL);
        if (step) {
            ck_assert_uint_eq(step->input_count, input);
            const char *value = settings_get(&step->deploy.options, "k");
            ck_assert(!value == !set);
            ck_assert(!set || strcmp(value, again ? "w" : "v") == 0);
        }
        ck_assert(!param || strcmp(spec.params[0].text, changed ? "2" : "1") == 0);
        pipeline_spec_done(&spec);
        if (all)
            return;
    }
    ck_abort_msg("no end");
}
END_TEST

START_TEST(pauses_grow_up_to_a_bound) {
    static const struct {
        int64_t delay, max_delay, failures, expected;
        double backoff;
    } rows[] = {
        {5000, 0, 1, 5000, 0},
        {5000, 0, 100, 5000, 0},
        {5000, 60000, 1, 5000, 2},
        {5000, 60000, 2, 10000, 2},
        {5000, 60000, 4, 40000, 2},
        {5000, 60000, 5, 60000, 2},
        {5000, 60000, INT64_MAX, 60000, 2},
        {1000, 0, 3, 2250, 1.5},
        {1, 0, INT64_MAX, SPEC_RETRY_MAX_DELAY_MS, SPEC_MAX_BACKOFF},
        {0, 0, INT64_MAX, 0, 2},
        {INT64_MAX, 0, 100, INT64_MAX, SPEC_MAX_BACKOFF},
        {INT64_MAX, 0, 100, INT64_MAX, 1},
        {5000, INT64_MAX, 100, INT64_MAX, SPEC_MAX_BACKOFF},
        {5000, 5000, 3, 5000, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct step_spec step = {.retry_delay_ms = rows[i].delay,
                                       .retry_max_delay_ms = rows[i].max_delay,
                                       .retry_backoff = rows[i].backoff};
        int64_t pause = step_retry_delay(&step, rows[i].failures);
        ck_assert_msg(pause == rows[i].expected, "row %zu: %lld", i, (long long)pause);
    }
}
END_TEST

SUITE_MAIN("spec", pauses_grow_up_to_a_bound, a_whole_pipeline, asking, whom_a_rule_decides_about,
           wrong_names, wrong_references, wrong_values, wrong_schedules_and_circles, too_many,
           wiring_of_an_unchecked_tree, copies_are_whole, settings_replace, no_memory,
           no_memory_while_building)
