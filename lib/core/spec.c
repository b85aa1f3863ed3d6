/* The tree of a pipeline: building, copying, releasing, asking. Whether it makes sense is decided in
   spec_check.c. */
#include "core/spec.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* ---- building ---- */

/* Room for one more element of an array; NULL = out of memory, the array is as it was. */
static void *grown(void *items, size_t count, size_t size) {
    char *bigger = mem_resize(items, count + 1, size);
    if (bigger)
        memset(bigger + count * size, 0, size);
    return bigger;
}

struct step_spec *pipeline_spec_add_step(struct pipeline_spec *spec, enum step_kind kind,
                                         const char *name) {
    char *copy = mem_copy_text(name);
    struct step_spec *steps = copy ? grown(spec->steps, spec->step_count, sizeof *steps) : NULL;
    if (!steps) {
        mem_free(copy);
        return NULL;
    }
    spec->steps = steps;
    struct step_spec *step = &steps[spec->step_count++];
    step->name = copy;
    step->kind = kind;
    step->cache = -1;
    step->deploy.replace = -1;
    step->deploy.min_ready_ms = -1;
    return step;
}

struct input_spec *step_spec_add_input(struct step_spec *step, const char *name) {
    char *copy = mem_copy_text(name);
    struct input_spec *inputs =
        copy ? grown(step->inputs, step->input_count, sizeof *inputs) : NULL;
    if (!inputs) {
        mem_free(copy);
        return NULL;
    }
    step->inputs = inputs;
    struct input_spec *input = &inputs[step->input_count++];
    input->name = copy;
    return input;
}

static void param_done(struct param_spec *param) {
    mem_free(param->name);
    mem_free(param->text);
    mem_free(param->json);
}

bool pipeline_spec_set_param(struct pipeline_spec *spec, const char *name, enum param_kind kind,
                             const char *text, const char *json) {
    struct param_spec made = {
        .name = mem_copy_text(name),
        .kind = kind,
        .text = mem_copy_text(text),
        .json = mem_copy_text(json),
    };
    if (!made.name || !made.text || !made.json) {
        param_done(&made);
        return false;
    }
    for (size_t i = 0; i < spec->param_count; i++) {
        if (strcmp(spec->params[i].name, name) == 0) {
            param_done(&spec->params[i]);
            spec->params[i] = made;
            return true;
        }
    }
    struct param_spec *params = grown(spec->params, spec->param_count, sizeof *params);
    if (!params) {
        param_done(&made);
        return false;
    }
    spec->params = params;
    params[spec->param_count++] = made;
    return true;
}

bool settings_set(struct settings *settings, const char *name, const char *value) {
    char *copy = mem_copy_text(value);
    if (!copy)
        return false;
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].name, name) == 0) {
            mem_free(settings->items[i].value);
            settings->items[i].value = copy;
            return true;
        }
    }
    char *name_copy = mem_copy_text(name);
    struct setting *items =
        name_copy ? grown(settings->items, settings->count, sizeof *items) : NULL;
    if (!items) {
        mem_free(copy);
        mem_free(name_copy);
        return false;
    }
    settings->items = items;
    items[settings->count++] = (struct setting){.name = name_copy, .value = copy};
    return true;
}

const char *settings_get(const struct settings *settings, const char *name) {
    for (size_t i = 0; i < settings->count; i++)
        if (strcmp(settings->items[i].name, name) == 0)
            return settings->items[i].value;
    return NULL;
}

/* ---- releasing ---- */

static void settings_done(struct settings *settings) {
    for (size_t i = 0; i < settings->count; i++) {
        mem_free(settings->items[i].name);
        mem_free(settings->items[i].value);
    }
    mem_free(settings->items);
}

static void step_done(struct step_spec *step) {
    mem_free(step->name);
    strv_free(step->argv);
    strv_free(step->code);
    mem_free(step->function);
    strv_free(step->outputs);
    for (size_t i = 0; i < step->input_count; i++) {
        mem_free(step->inputs[i].name);
        output_ref_done(&step->inputs[i].from);
    }
    mem_free(step->inputs);
    mem_free(step->when);
    strv_free(step->after);
    output_ref_done(&step->decide.metric);
    settings_done(&step->decide.rule);
    mem_free(step->decide.deploys);
    mem_free(step->deploy.model_name);
    mem_free(step->deploy.model_uri);
    output_ref_done(&step->deploy.model_from);
    mem_free(step->deploy.model_deployer);
    settings_done(&step->deploy.options);
    mem_free(step->deploy.on_failure);
    mem_free(step->deploy.without_model);
    mem_free(step->deploy.restart);
    mem_free(step->deploy.smoke);
}

void pipeline_spec_done(struct pipeline_spec *spec) {
    mem_free(spec->name);
    mem_free(spec->folder);
    for (size_t i = 0; i < spec->param_count; i++)
        param_done(&spec->params[i]);
    mem_free(spec->params);
    for (size_t i = 0; i < spec->step_count; i++)
        step_done(&spec->steps[i]);
    mem_free(spec->steps);
    strv_free(spec->on_failure);
    *spec = (struct pipeline_spec){0};
}

/* ---- copying ---- */

static bool copy_text(char **ret, const char *text) {
    *ret = mem_copy_text(text);
    return *ret || !text;
}

static bool copy_list(char ***ret, char *const *list) {
    *ret = list ? strv_copy(list) : NULL;
    return *ret || !list;
}

static bool copy_settings(struct settings *ret, const struct settings *settings) {
    for (size_t i = 0; i < settings->count; i++)
        if (!settings_set(ret, settings->items[i].name, settings->items[i].value))
            return false;
    return true;
}

static bool copy_inputs(struct step_spec *ret, const struct step_spec *step) {
    for (size_t i = 0; i < step->input_count; i++) {
        struct input_spec *input = step_spec_add_input(ret, step->inputs[i].name);
        if (!input || output_ref_copy(&step->inputs[i].from, &input->from))
            return false;
    }
    return true;
}

/* A partial copy is released by the caller, with the tree that it stands in. */
static bool copy_step(struct step_spec *ret, const struct step_spec *step) {
    const struct decide_spec *decide = &step->decide;
    const struct deploy_spec *deploy = &step->deploy;
    ret->timeout_ms = step->timeout_ms;
    ret->retries_max = step->retries_max;
    ret->retry_delay_ms = step->retry_delay_ms;
    ret->retry_backoff = step->retry_backoff;
    ret->retry_max_delay_ms = step->retry_max_delay_ms;
    ret->cache = step->cache;
    ret->deploy.timeout_ms = deploy->timeout_ms;
    ret->deploy.min_ready_ms = deploy->min_ready_ms;
    ret->deploy.replace = deploy->replace;
    return copy_list(&ret->argv, step->argv) && copy_list(&ret->code, step->code) &&
           copy_text(&ret->function, step->function) && copy_list(&ret->outputs, step->outputs) &&
           copy_inputs(ret, step) && copy_text(&ret->when, step->when) &&
           copy_list(&ret->after, step->after) &&
           !output_ref_copy(&decide->metric, &ret->decide.metric) &&
           copy_settings(&ret->decide.rule, &decide->rule) &&
           copy_text(&ret->decide.deploys, decide->deploys) &&
           copy_text(&ret->deploy.model_name, deploy->model_name) &&
           copy_text(&ret->deploy.model_uri, deploy->model_uri) &&
           !output_ref_copy(&deploy->model_from, &ret->deploy.model_from) &&
           copy_text(&ret->deploy.model_deployer, deploy->model_deployer) &&
           copy_settings(&ret->deploy.options, &deploy->options) &&
           copy_text(&ret->deploy.on_failure, deploy->on_failure) &&
           copy_text(&ret->deploy.without_model, deploy->without_model) &&
           copy_text(&ret->deploy.restart, deploy->restart) &&
           copy_text(&ret->deploy.smoke, deploy->smoke);
}

static bool copy_spec(struct pipeline_spec *ret, const struct pipeline_spec *spec) {
    ret->schedule = spec->schedule;
    ret->crash_fails = spec->crash_fails;
    ret->jobs = spec->jobs;
    if (!copy_text(&ret->name, spec->name) || !copy_text(&ret->folder, spec->folder) ||
        !copy_list(&ret->on_failure, spec->on_failure))
        return false;
    for (size_t i = 0; i < spec->param_count; i++) {
        const struct param_spec *p = &spec->params[i];
        if (!pipeline_spec_set_param(ret, p->name, p->kind, p->text, p->json))
            return false;
    }
    for (size_t i = 0; i < spec->step_count; i++) {
        const struct step_spec *step = &spec->steps[i];
        struct step_spec *copy = pipeline_spec_add_step(ret, step->kind, step->name);
        if (!copy || !copy_step(copy, step))
            return false;
    }
    return true;
}

int pipeline_spec_copy(const struct pipeline_spec *spec, struct pipeline_spec *ret) {
    struct pipeline_spec copy = {0};
    if (!copy_spec(&copy, spec)) {
        pipeline_spec_done(&copy);
        return CTCD_E_NOMEM;
    }
    *ret = copy;
    return 0;
}

/* ---- asking ---- */

const struct step_spec *pipeline_spec_step(const struct pipeline_spec *spec, const char *name) {
    for (size_t i = 0; name && i < spec->step_count; i++)
        if (strcmp(spec->steps[i].name, name) == 0)
            return &spec->steps[i];
    return NULL;
}

const struct param_spec *pipeline_spec_param(const struct pipeline_spec *spec, const char *name) {
    for (size_t i = 0; name && i < spec->param_count; i++)
        if (strcmp(spec->params[i].name, name) == 0)
            return &spec->params[i];
    return NULL;
}

bool step_has_output(const struct step_spec *step, const char *output) {
    switch (step->kind) {
    case STEP_COMMAND:
    case STEP_FUNCTION:
        return strv_has(step->outputs, output);
    case STEP_DECIDE:
        return strcmp(output, "decision") == 0;
    case STEP_DEPLOY:
        return strcmp(output, "service") == 0;
    default:
        return false;
    }
}

const struct step_spec *decide_target(const struct pipeline_spec *spec,
                                      const struct step_spec *decide) {
    const struct step_spec *found = NULL;
    if (decide->decide.deploys) {
        found = pipeline_spec_step(spec, decide->decide.deploys);
        return found && found->kind == STEP_DEPLOY ? found : NULL;
    }
    for (size_t i = 0; i < spec->step_count; i++) {
        const struct step_spec *step = &spec->steps[i];
        if (step->kind != STEP_DEPLOY || !step->when || strcmp(step->when, decide->name) != 0)
            continue;
        if (found)
            return NULL; /* two: the rule must say which */
        found = step;
    }
    return found;
}

const char *step_kind_name(enum step_kind kind) {
    static const char *const names[] = {[STEP_COMMAND] = "command",
                                        [STEP_DECIDE] = "decide",
                                        [STEP_DEPLOY] = "deploy",
                                        [STEP_FUNCTION] = "function"};
    return kind >= STEP_COMMAND && kind <= STEP_FUNCTION ? names[kind] : "unknown";
}

int pipeline_spec_substitute(const struct pipeline_spec *spec, const char *text, char **ret,
                             ctcd_error **err) {
    size_t count = spec->param_count;
    _cleanup_(mem_free_ptr) struct param_view *views =
        mem_array(count ? count : 1, sizeof(struct param_view));
    if (!views)
        return error_nomem(err);
    for (size_t i = 0; i < count; i++)
        views[i] = (struct param_view){spec->params[i].name, spec->params[i].text};
    return params_substitute(text, views, count, ret, err);
}

/* One setting of a rule, with parameters put in. */
static int set_rule(const struct pipeline_spec *spec, const struct setting *setting,
                    struct decision_rule *rule, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *value = NULL;
    int rc = pipeline_spec_substitute(spec, setting->value, &value, err);
    if (rc) {
        error_prefix(err, "%s", setting->name);
        return rc;
    }
    return decision_rule_set(rule, setting->name, value, err);
}

int decide_rule(const struct pipeline_spec *spec, const struct step_spec *decide,
                struct decision_rule *ret, ctcd_error **err) {
    struct decision_rule rule = {0};
    const char *metric = decide->decide.metric.output;
    int rc = decision_rule_set(&rule, "metric", metric ? metric : "", err);
    for (size_t i = 0; i < decide->decide.rule.count && !rc; i++)
        rc = set_rule(spec, &decide->decide.rule.items[i], &rule, err);
    if (rc) {
        decision_rule_done(&rule);
        return rc;
    }
    *ret = rule;
    return 0;
}

/* Ends early at the bound, which the product of two bounded numbers cannot pass by more than a double holds. */
int64_t step_retry_delay(const struct step_spec *step, int64_t failures) {
    bool grows = step->retry_backoff > 1;
    int64_t most = step->retry_max_delay_ms ? step->retry_max_delay_ms
                   : grows                  ? SPEC_RETRY_MAX_DELAY_MS
                                            : INT64_MAX;
    if (step->retry_delay_ms >= most)
        return step->retry_max_delay_ms ? most : step->retry_delay_ms;
    double delay = (double)step->retry_delay_ms;
    for (int64_t i = 1; grows && delay > 0 && i < failures && delay < (double)most; i++)
        delay *= step->retry_backoff;
    if (!grows)
        return step->retry_delay_ms;
    return delay < (double)most ? (int64_t)delay : most;
}
