/* Does a pipeline make sense? Everything that can be known before a run is said before a run: names,
   references, rules, circles. Called by the engine when a file was read or a parameter set. */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "core/identity.h"
#include "core/restart.h"
#include "core/spec.h"

/* The names of all steps but one that match a kind (0 = any), for near misses. */
static const char *near_step(const struct pipeline_spec *spec, const char *name, int kind) {
    const char **names = mem_array(spec->step_count + 1, sizeof *names);
    size_t count = 0;
    if (!names)
        return NULL;
    for (size_t i = 0; i < spec->step_count; i++)
        if (!kind || (int)spec->steps[i].kind == kind)
            names[count++] = spec->steps[i].name;
    const char *near = text_nearest(name, names, count);
    mem_free(names);
    return near;
}

static int no_such_step(const struct pipeline_spec *spec, const char *key, const char *name,
                        int kind, ctcd_error **err) {
    error_set(err, CTCD_E_INVALID,
              "name one of the steps under steps:", "%s: there is no step \"%.100s\"", key, name);
    const char *near = near_step(spec, name, kind);
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    return CTCD_E_INVALID;
}

static int check_output_ref(const struct pipeline_spec *spec, const char *key,
                            const struct output_ref *ref, ctcd_error **err) {
    if (!ref->step || !ref->output)
        return error_set(err, CTCD_E_INVALID, "write it like train.accuracy",
                         "%s: the output of a step is needed", key);
    const struct step_spec *from = pipeline_spec_step(spec, ref->step);
    if (!from)
        return no_such_step(spec, key, ref->step, 0, err);
    if (step_has_output(from, ref->output))
        return 0;
    error_set(err, CTCD_E_INVALID, NULL, "%s: step \"%s\" has no output \"%s\"", key, ref->step,
              ref->output);
    const char *near = NULL;
    if (from->kind == STEP_COMMAND || from->kind == STEP_FUNCTION)
        near = text_nearest(ref->output, (const char *const *)from->outputs,
                            strv_count(from->outputs));
    else
        near = from->kind == STEP_DECIDE ? "decision" : "service";
    if (near)
        error_hint(err, "did you mean %s.%s?", ref->step, near);
    return CTCD_E_INVALID;
}

/* Can the parameters be put into a text? key is for the message. */
static int check_text(const struct pipeline_spec *spec, const char *key, const char *text,
                      ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *made = NULL;
    if (!params_used(text))
        return 0;
    int rc = pipeline_spec_substitute(spec, text, &made, err);
    if (rc)
        error_prefix(err, "%s", key);
    return rc;
}

static int check_texts(const struct pipeline_spec *spec, const char *key, char *const *list,
                       ctcd_error **err) {
    int rc = 0;
    for (size_t i = 0; list && list[i] && !rc; i++)
        rc = check_text(spec, key, list[i], err);
    return rc;
}

static int check_outputs(const struct step_spec *step, ctcd_error **err) {
    int rc = 0;
    for (size_t i = 0; step->outputs && step->outputs[i] && !rc; i++) {
        rc = name_check_step("name of an output", step->outputs[i], err);
        for (size_t k = 0; k < i && !rc; k++)
            if (strcmp(step->outputs[i], step->outputs[k]) == 0)
                rc = error_set(err, CTCD_E_INVALID, NULL, "outputs: \"%s\" is there twice",
                               step->outputs[i]);
    }
    return rc;
}

static int check_command(const struct pipeline_spec *spec, const struct step_spec *step,
                         ctcd_error **err) {
    if (!step->argv || !step->argv[0] || !step->argv[0][0])
        return error_set(err, CTCD_E_INVALID, NULL, "command: the program to run is needed");
    int rc = check_texts(spec, "command", step->argv, err);
    if (!rc)
        rc = check_texts(spec, "code", step->code, err);
    return rc ? rc : check_outputs(step, err);
}

static int check_function(const struct step_spec *step, ctcd_error **err) {
    int rc = name_check_step("function", step->function, err);
    return rc ? rc : check_outputs(step, err);
}

static int check_decide(const struct pipeline_spec *spec, const struct step_spec *step,
                        ctcd_error **err) {
    struct decision_rule rule = {0};
    int rc = check_output_ref(spec, "metric", &step->decide.metric, err);
    if (!rc)
        rc = decide_rule(spec, step, &rule, err);
    decision_rule_done(&rule);
    const char *deploys = step->decide.deploys;
    if (rc || !deploys)
        return rc;
    const struct step_spec *target = pipeline_spec_step(spec, deploys);
    if (!target)
        return no_such_step(spec, "deploys", deploys, STEP_DEPLOY, err);
    if (target->kind != STEP_DEPLOY)
        return error_set(err, CTCD_E_INVALID, NULL, "deploys: \"%s\" is no deploy step", deploys);
    return 0;
}

/* value: NULL, or one of the words, which end with NULL; all is them for the message. */
static int check_choice(const char *key, const char *value, const char *const *names,
                        const char *all, ctcd_error **err) {
    size_t count = 0;
    for (; names[count]; count++)
        if (!value || text_same(value, names[count]))
            return 0;
    error_set(err, CTCD_E_INVALID, NULL, "%s: \"%.100s\" is none of: %s", key, value, all);
    const char *near = text_nearest(value, names, count);
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    return CTCD_E_INVALID;
}

/* A name whose parameters can be put in already must be a possible one. */
static int check_model_name(const struct pipeline_spec *spec, const char *text, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *name = NULL;
    int rc = pipeline_spec_substitute(spec, text ? text : "", &name, err);
    if (rc) {
        error_prefix(err, "model_name");
        return rc;
    }
    return name_check_text("model_name", name, err);
}

static int check_deploy(const struct pipeline_spec *spec, const struct step_spec *step,
                        ctcd_error **err) {
    static const char *const on_failure[] = {"rollback", "leave", NULL};
    static const char *const without_model[] = {"fail", "keep", NULL};
    static const char *const restart[] = {"never", "on-failure", "always", NULL};
    const struct deploy_spec *deploy = &step->deploy;
    int rc = check_model_name(spec, deploy->model_name, err);
    if (!rc && deploy->model_from.step)
        rc = check_output_ref(spec, "model_uri", &deploy->model_from, err);
    else if (!rc && (!deploy->model_uri || !*deploy->model_uri))
        rc = error_set(err, CTCD_E_INVALID, "write a path, a URI or an output like train.model",
                       "model_uri: what to deploy is needed");
    else if (!rc)
        rc = check_text(spec, "model_uri", deploy->model_uri, err);
    if (!rc)
        rc = check_text(spec, "model_deployer", deploy->model_deployer, err);
    for (size_t i = 0; i < deploy->options.count && !rc; i++)
        rc = check_text(spec, deploy->options.items[i].name, deploy->options.items[i].value, err);
    if (!rc && deploy->timeout_ms < 0)
        rc = error_set(err, CTCD_E_INVALID, NULL, "timeout: it cannot be negative");
    if (!rc)
        rc = check_choice("on_failure", deploy->on_failure, on_failure, "rollback, leave", err);
    if (!rc)
        rc = check_choice("without_model", deploy->without_model, without_model, "fail, keep", err);
    return rc ? rc : check_choice("restart", deploy->restart, restart, RESTART_POLICIES, err);
}

static int check_inputs(const struct pipeline_spec *spec, const struct step_spec *step,
                        ctcd_error **err) {
    for (size_t i = 0; i < step->input_count; i++) {
        const struct input_spec *input = &step->inputs[i];
        int rc = name_check_step("name of an input", input->name, err);
        if (!rc)
            rc = check_output_ref(spec, input->name, &input->from, err);
        if (rc)
            return rc;
        for (size_t k = 0; k < i; k++)
            if (strcmp(input->name, step->inputs[k].name) == 0)
                return error_set(err, CTCD_E_INVALID, NULL, "inputs: \"%s\" is there twice",
                                 input->name);
    }
    return 0;
}

static int check_order(const struct pipeline_spec *spec, const struct step_spec *step,
                       ctcd_error **err) {
    if (step->when) {
        const struct step_spec *when = pipeline_spec_step(spec, step->when);
        if (!when)
            return no_such_step(spec, "when", step->when, STEP_DECIDE, err);
        if (when->kind != STEP_DECIDE)
            return error_set(err, CTCD_E_INVALID, NULL, "when: \"%s\" is no decide step",
                             step->when);
    }
    for (size_t i = 0; step->after && step->after[i]; i++)
        if (!pipeline_spec_step(spec, step->after[i]))
            return no_such_step(spec, "after", step->after[i], 0, err);
    return 0;
}

#define RETRIES_MAX 1000

static int check_step(const struct pipeline_spec *spec, const struct step_spec *step,
                      ctcd_error **err) {
    int rc = check_inputs(spec, step, err);
    if (!rc)
        rc = check_order(spec, step, err);
    if (!rc && step->timeout_ms < 0)
        rc = error_set(err, CTCD_E_INVALID, NULL, "timeout: it cannot be negative");
    if (!rc && (step->retries_max < 0 || step->retries_max > RETRIES_MAX))
        rc = error_set(err, CTCD_E_INVALID, NULL, "retries: max is 0 to %d", RETRIES_MAX);
    if (!rc && step->retry_delay_ms < 0)
        rc = error_set(err, CTCD_E_INVALID, NULL, "retries: the delay cannot be negative");
    if (!rc && step->retry_max_delay_ms && step->retry_max_delay_ms < step->retry_delay_ms)
        rc = error_set(err, CTCD_E_INVALID, NULL, "retries: max_delay is less than delay");
    if (rc)
        return rc;
    switch (step->kind) {
    case STEP_COMMAND:
        return check_command(spec, step, err);
    case STEP_DECIDE:
        return check_decide(spec, step, err);
    case STEP_DEPLOY:
        return check_deploy(spec, step, err);
    case STEP_FUNCTION:
        return check_function(step, err);
    default:
        return error_set(err, CTCD_E_INVALID, NULL,
                         "it needs one of: command, function, decide, deploy");
    }
}

static int check_names(const struct pipeline_spec *spec, ctcd_error **err) {
    int rc = name_check_plain("name of the pipeline", spec->name, err);
    for (size_t i = 0; i < spec->param_count && !rc; i++)
        rc = name_check_step("name of a parameter", spec->params[i].name, err);
    for (size_t i = 0; i < spec->step_count && !rc; i++) {
        rc = name_check_step("name of a step", spec->steps[i].name, err);
        if (!rc && pipeline_spec_step(spec, spec->steps[i].name) != &spec->steps[i])
            rc = error_set(err, CTCD_E_INVALID, NULL, "there are two steps \"%s\"",
                           spec->steps[i].name);
        if (!rc && strcmp(spec->steps[i].name, ON_FAILURE) == 0)
            rc = error_set(err, CTCD_E_INVALID, "choose another name",
                           "the step name " ON_FAILURE " belongs to the command of on_failure");
    }
    return rc;
}

/* Only what holds whenever it is created: an end in the past is refused then. */
static int check_schedule(const struct schedule_wording *wording, ctcd_error **err) {
    struct schedule settled;
    int64_t now = 0;
    if (!wording->present)
        return 0;
    if (wording->start.kind != MOMENT_AT && wording->end.kind == MOMENT_AT) {
        int64_t delay = wording->start.kind == MOMENT_AFTER ? wording->start.ms : 0;
        if (__builtin_sub_overflow(wording->end.ms, delay, &now) ||
            __builtin_sub_overflow(now, 1, &now))
            now = 0;
    }
    int rc = schedule_from_wording(wording, now, &settled, err);
    if (rc)
        error_prefix(err, "schedule");
    return rc;
}

int pipeline_spec_check(const struct pipeline_spec *spec, ctcd_error **err) {
    if (spec->step_count == 0)
        return error_set(err, CTCD_E_INVALID, NULL, "a pipeline needs at least one step");
    if (spec->jobs < 0 || spec->jobs > SPEC_MAX_JOBS)
        return error_set(err, CTCD_E_INVALID, NULL, "jobs: a number from 1 to %d", SPEC_MAX_JOBS);
    if (spec->step_count > SPEC_MAX_STEPS || spec->param_count > SPEC_MAX_PARAMS)
        return error_set(err, CTCD_E_TOO_LARGE, NULL,
                         "a pipeline has at most %u steps and %u parameters", SPEC_MAX_STEPS,
                         SPEC_MAX_PARAMS);
    int rc = check_names(spec, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < spec->step_count; i++) {
        rc = check_step(spec, &spec->steps[i], err);
        if (rc) {
            error_prefix(err, "step \"%s\"", spec->steps[i].name);
            return rc;
        }
    }
    rc = check_texts(spec, "on_failure", spec->on_failure, err);
    if (!rc)
        rc = check_schedule(&spec->schedule, err);
    if (rc)
        return rc;
    struct graph *graph = NULL;
    size_t *order = mem_array(spec->step_count, sizeof *order);
    rc = order ? pipeline_spec_graph(spec, &graph, err) : error_nomem(err);
    if (!rc)
        rc = graph_order(graph, order, err);
    graph_free(graph);
    mem_free(order);
    return rc;
}

/* ---- its graph ---- */

struct wiring {
    const struct pipeline_spec *spec;
    struct graph *graph;
    ctcd_error **err;
};

static int need(struct wiring *w, size_t node, const char *name) {
    if (!name)
        return 0;
    const struct step_spec *needed = pipeline_spec_step(w->spec, name);
    if (!needed)
        return no_such_step(w->spec, w->spec->steps[node].name, name, 0, w->err);
    int rc = graph_need(w->graph, node, (size_t)(needed - w->spec->steps));
    return rc == CTCD_E_NOMEM ? error_nomem(w->err) : rc;
}

static int wire(struct wiring *w, size_t node) {
    const struct step_spec *step = &w->spec->steps[node];
    int rc = need(w, node, step->when);
    for (size_t i = 0; i < step->input_count && !rc; i++)
        rc = need(w, node, step->inputs[i].from.step);
    for (size_t i = 0; step->after && step->after[i] && !rc; i++)
        rc = need(w, node, step->after[i]);
    if (!rc && step->kind == STEP_DECIDE)
        rc = need(w, node, step->decide.metric.step);
    if (!rc && step->kind == STEP_DEPLOY)
        rc = need(w, node, step->deploy.model_from.step);
    return rc;
}

int pipeline_spec_graph(const struct pipeline_spec *spec, struct graph **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) const char **names = mem_array(spec->step_count + 1, sizeof *names);
    if (!names)
        return error_nomem(err);
    for (size_t i = 0; i < spec->step_count; i++)
        names[i] = spec->steps[i].name;
    _cleanup_(graph_done) struct graph *graph = graph_new(names, spec->step_count);
    if (!graph)
        return error_nomem(err);
    struct wiring wiring = {.spec = spec, .graph = graph, .err = err};
    for (size_t i = 0; i < spec->step_count; i++) {
        int rc = wire(&wiring, i);
        if (rc)
            return rc;
    }
    *ret = mem_steal(&graph);
    return 0;
}
