/* The pipeline file (DESIGN section 7): from YAML nodes to a checked tree. Each mapping of the file has a
   table of its keys; what is in no table is an error with its near miss. Called by pipeline.c. */
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "core/identity.h"
#include "engine/pipeline.h"

#define RETRIES_MOST 100
#define DAYS_MOST 36500 /* of a duration: instants are sums of them, and must not overflow */

struct reader {
    struct pipeline_spec *spec;
    ctcd_error **err;
};

typedef int (*take_fn)(struct reader *r, void *place, const struct yaml_node *node);
struct key {
    const char *name;
    take_fn take;
    size_t offset; /* of the place, in what the mapping fills */
};

#define wrong(r, node, ...) yaml_error((r)->err, CTCD_E_INVALID, node, NULL, __VA_ARGS__)

/* ---- single values ---- */

static int take_text(struct reader *r, void *place, const struct yaml_node *node) {
    const char *text = yaml_text(node);
    if (!text)
        return wrong(r, node, "\"%s\" must be a text", node->key ? node->key : "this");
    mem_free(*(char **)place);
    return (*(char **)place = mem_copy_text(text)) ? 0 : error_nomem(r->err);
}

static int take_list(struct reader *r, void *place, const struct yaml_node *node) {
    if (node->kind != YAML_SEQUENCE)
        return wrong(r, node, "\"%s\" must be a list of texts, like [a, b]", node->key);
    if (node->count == 0)
        return wrong(r, node, "\"%s\" must not be empty", node->key);
    for (size_t i = 0; i < node->count; i++) {
        const char *text = yaml_text(node->children[i]);
        if (!text)
            return wrong(r, node->children[i], "an element of \"%s\" must be a text", node->key);
        if (!strv_add(place, text))
            return error_nomem(r->err);
    }
    return 0;
}

static int put_duration(struct reader *r, int64_t *place, int64_t ms,
                        const struct yaml_node *node) {
    if (ms > DAYS_MOST * 86400000LL)
        return wrong(r, node, "\"%s\" must be at most %dd", node->key, DAYS_MOST);
    *place = ms;
    return 0;
}

static int take_duration(struct reader *r, void *place, const struct yaml_node *node) {
    const char *text = yaml_text(node);
    int64_t ms = 0;
    if (!text || !text_to_duration(text, &ms) || ms <= 0)
        return wrong(r, node, "\"%s\" must be a duration, like 90s, 10m or 1h30m", node->key);
    return put_duration(r, place, ms, node);
}

static int take_duration_or_zero(struct reader *r, void *place, const struct yaml_node *node) {
    const char *text = yaml_text(node);
    int64_t ms = 0;
    if (!text || !text_to_duration(text, &ms) || ms < 0)
        return wrong(r, node, "\"%s\" must be a duration, like 0s, 90s or 10m", node->key);
    return put_duration(r, place, ms, node);
}

static int take_count(struct reader *r, void *place, const struct yaml_node *node) {
    int64_t number = 0;
    if (!yaml_to_int(node, &number) || number < 0 || number > RETRIES_MOST)
        return wrong(r, node, "\"%s\" must be a whole number from 0 to %d", node->key,
                     RETRIES_MOST);
    *(int64_t *)place = number;
    return 0;
}

static int take_bool(struct reader *r, void *place, const struct yaml_node *node) {
    bool truth = false;
    if (!yaml_to_bool(node, &truth))
        return wrong(r, node, "\"%s\" must be true or false", node->key);
    *(int *)place = truth;
    return 0;
}

static int take_ref(struct reader *r, void *place, const struct yaml_node *node) {
    const char *text = yaml_text(node);
    if (!text || !output_ref_valid(text))
        return wrong(r, node, "\"%s\" must name an output of a step, like train.accuracy",
                     node->key);
    return output_ref_parse(text, place, r->err);
}

/* What an inner function said, with the place in the file in front. */
static int at_node(struct reader *r, const struct yaml_node *node, ctcd_error *said, int rc) {
    int result = yaml_error(r->err, rc, node, error_hint_text(said), "%s", error_message(said));
    error_unref(said);
    return result;
}

/* A name is checked where it stands; what the rules of names are, name_check_*() knows. */
static int check_name(struct reader *r, const struct yaml_node *at, int rc, ctcd_error *said) {
    if (rc == CTCD_E_NOMEM) {
        error_unref(said);
        return error_nomem(r->err);
    }
    return rc ? at_node(r, at, said, rc) : 0;
}

static int check_key_name(struct reader *r, const struct yaml_node *node, const char *what) {
    const struct yaml_node key = {
        .name = node->name, .line = node->key_line, .column = node->key_column};
    ctcd_error *said = NULL;
    int rc = name_check_step(what, node->key, &said);
    return check_name(r, &key, rc, said);
}

static int take_name(struct reader *r, void *place, const struct yaml_node *node) {
    ctcd_error *said = NULL;
    int rc = take_text(r, place, node);
    if (rc)
        return rc;
    rc = name_check_plain("name of the pipeline", yaml_text(node), &said);
    return check_name(r, node, rc, said);
}

/* ---- mappings ---- */

static int unknown_key(struct reader *r, const struct yaml_node *node, const char *what,
                       const struct key *keys, size_t count) {
    const char *names[32] = {0};
    _cleanup_(buf_done) struct buf hint = {0};
    for (size_t i = 0; i < count; i++)
        names[i] = keys[i].name;
    const char *near = text_nearest(node->key, names, count);
    if (near)
        buf_addf(&hint, "did you mean \"%s\"?", near);
    for (size_t i = 0; !near && i < count; i++)
        buf_addf(&hint, "%s%s", i ? ", " : "it may have: ", names[i]);
    const struct yaml_node key = {
        .name = node->name, .line = node->key_line, .column = node->key_column};
    return yaml_error(r->err, CTCD_E_INVALID, &key, hint.text, "%s has no \"%s\"", what, node->key);
}

static int take_keys(struct reader *r, const struct yaml_node *mapping, const char *what,
                     const struct key *keys, size_t count, void *into) {
    if (mapping->kind != YAML_MAPPING)
        return wrong(r, mapping, "%s must be a mapping of keys to values", what);
    for (size_t i = 0; i < mapping->count; i++) {
        const struct yaml_node *node = mapping->children[i];
        size_t k = 0;
        while (k < count && strcmp(keys[k].name, node->key) != 0)
            k++;
        if (k == count)
            return unknown_key(r, node, what, keys, count);
        int rc = keys[k].take ? keys[k].take(r, (char *)into + keys[k].offset, node) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int need(struct reader *r, const struct yaml_node *mapping, const char *what,
                const char *key) {
    return yaml_get(mapping, key) ? 0 : wrong(r, mapping, "%s needs \"%s\"", what, key);
}

/* ---- steps ---- */

static int take_backoff(struct reader *r, void *place, const struct yaml_node *node) {
    double number = 0;
    if (!yaml_to_real(node, &number) || !(number >= 1 && number <= SPEC_MAX_BACKOFF))
        return wrong(r, node, "\"%s\" must be a number from 1 to %d", node->key, SPEC_MAX_BACKOFF);
    *(double *)place = number;
    return 0;
}

static int take_retries(struct reader *r, void *place, const struct yaml_node *node) {
    static const struct key keys[] = {
        {"max", take_count, offsetof(struct step_spec, retries_max)},
        {"delay", take_duration_or_zero, offsetof(struct step_spec, retry_delay_ms)},
        {"backoff", take_backoff, offsetof(struct step_spec, retry_backoff)},
        {"max_delay", take_duration, offsetof(struct step_spec, retry_max_delay_ms)},
    };
    return take_keys(r, node, "\"retries\"", keys, COUNT(keys), place);
}

static int take_inputs(struct reader *r, void *place, const struct yaml_node *node) {
    struct step_spec *step = place;
    if (node->kind != YAML_MAPPING)
        return wrong(r, node, "\"inputs\" must be a mapping, like {model: train.model}");
    for (size_t i = 0; i < node->count; i++) {
        struct input_spec *input = step_spec_add_input(step, node->children[i]->key);
        if (!input)
            return error_nomem(r->err);
        int rc = take_ref(r, &input->from, node->children[i]);
        if (rc)
            return rc;
    }
    return 0;
}

/* The promotion rule's settings are kept as texts: they may hold ${params.x}. */
static int take_decide(struct reader *r, void *place, const struct yaml_node *node) {
    struct decide_spec *decide = place;
    struct key keys[32] = {
        {"metric", take_ref, offsetof(struct decide_spec, metric)},
        {"deploys", take_text, offsetof(struct decide_spec, deploys)},
    };
    size_t count = 2;
    const char *const *settings = decision_rule_keys();
    for (size_t i = 0; settings[i] && count < COUNT(keys); i++)
        if (strcmp(settings[i], "metric") != 0)
            keys[count++].name = settings[i];
    int rc = take_keys(r, node, "\"decide\"", keys, count, decide);
    if (!rc)
        rc = need(r, node, "\"decide\"", "metric");
    for (size_t i = 0; !rc && i < node->count; i++) {
        const struct yaml_node *value = node->children[i];
        if (strcmp(value->key, "metric") == 0 || strcmp(value->key, "deploys") == 0)
            continue;
        if (!yaml_text(value))
            rc = wrong(r, value, "\"%s\" must be a single value", value->key);
        else if (!settings_set(&decide->rule, value->key, yaml_text(value)))
            rc = error_nomem(r->err);
    }
    return rc;
}

static int take_options(struct reader *r, void *place, const struct yaml_node *node) {
    if (node->kind != YAML_MAPPING)
        return wrong(r, node, "\"options\" must be a mapping, like {workers: 1}");
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *child = node->children[i];
        _cleanup_(mem_free_ptr) char *object = NULL;
        const char *text = yaml_text(child);
        if (!text && child->kind == YAML_MAPPING) { /* variables */
            _cleanup_(json_done) struct json *value = NULL;
            int rc = yaml_to_json(child, &value, r->err);
            if (rc)
                return rc;
            if (!(object = json_to_text(value)))
                return error_nomem(r->err);
            text = object;
        }
        if (!text)
            return wrong(r, child, "the option \"%s\" must be a single value", child->key);
        if (!settings_set(place, node->children[i]->key, text))
            return error_nomem(r->err);
    }
    return 0;
}

/* A path or URI has a slash, a colon or a parameter in it; anything else is an output of a step. */
static int take_model_uri(struct reader *r, void *place, const struct yaml_node *node) {
    struct deploy_spec *deploy = place;
    const char *text = yaml_text(node);
    if (text && (strpbrk(text, "/:") || strstr(text, "${")))
        return take_text(r, &deploy->model_uri, node);
    if (!text || !output_ref_valid(text))
        return wrong(
            r, node,
            "\"model_uri\" must be a path (./model), or an output of a step (train.model)");
    return output_ref_parse(text, &deploy->model_from, r->err);
}

static int take_smoke(struct reader *r, void *place, const struct yaml_node *node) {
    _cleanup_(json_done) struct json *value = NULL;
    int rc = yaml_to_json(node, &value, r->err);
    if (rc)
        return rc;
    mem_free(*(char **)place);
    return (*(char **)place = json_to_text(value)) ? 0 : error_nomem(r->err);
}

static int take_deploy(struct reader *r, void *place, const struct yaml_node *node) {
    static const struct key keys[] = {
        {"model_name", take_text, offsetof(struct deploy_spec, model_name)},
        {"model_uri", take_model_uri, 0},
        {"model_deployer", take_text, offsetof(struct deploy_spec, model_deployer)},
        {"options", take_options, offsetof(struct deploy_spec, options)},
        {"timeout", take_duration, offsetof(struct deploy_spec, timeout_ms)},
        {"min_ready", take_duration_or_zero, offsetof(struct deploy_spec, min_ready_ms)},
        {"replace", take_bool, offsetof(struct deploy_spec, replace)},
        {"on_failure", take_text, offsetof(struct deploy_spec, on_failure)},
        {"without_model", take_text, offsetof(struct deploy_spec, without_model)},
        {"restart", take_text, offsetof(struct deploy_spec, restart)},
        {"smoke", take_smoke, offsetof(struct deploy_spec, smoke)},
    };
    int rc = take_keys(r, node, "\"deploy\"", keys, COUNT(keys), place);
    if (!rc)
        rc = need(r, node, "\"deploy\"", "model_name");
    return rc ? rc : need(r, node, "\"deploy\"", "model_uri");
}

static const struct key COMMAND_KEYS[] = {
    {"command", take_list, offsetof(struct step_spec, argv)},
    {"code", take_list, offsetof(struct step_spec, code)},
    {"outputs", take_list, offsetof(struct step_spec, outputs)},
    {"inputs", take_inputs, 0},
    {"timeout", take_duration, offsetof(struct step_spec, timeout_ms)},
    {"retries", take_retries, 0},
    {"cache", take_bool, offsetof(struct step_spec, cache)},
    {"when", take_text, offsetof(struct step_spec, when)},
    {"after", take_list, offsetof(struct step_spec, after)},
};
static const struct key FUNCTION_KEYS[] = {
    {"function", take_text, offsetof(struct step_spec, function)},
    {"outputs", take_list, offsetof(struct step_spec, outputs)},
    {"inputs", take_inputs, 0},
    {"timeout", take_duration, offsetof(struct step_spec, timeout_ms)},
    {"retries", take_retries, 0},
    {"when", take_text, offsetof(struct step_spec, when)},
    {"after", take_list, offsetof(struct step_spec, after)},
};
static const struct key DECIDE_KEYS[] = {
    {"decide", take_decide, offsetof(struct step_spec, decide)},
    {"after", take_list, offsetof(struct step_spec, after)},
};
static const struct key DEPLOY_KEYS[] = {
    {"deploy", take_deploy, offsetof(struct step_spec, deploy)},
    {"cache", take_bool, offsetof(struct step_spec, cache)},
    {"when", take_text, offsetof(struct step_spec, when)},
    {"after", take_list, offsetof(struct step_spec, after)},
};

static int take_step(struct reader *r, const struct yaml_node *node, enum step_kind kind) {
    struct step_spec *step = pipeline_spec_add_step(r->spec, kind, node->key);
    if (!step)
        return error_nomem(r->err);
    switch (kind) {
    case STEP_DECIDE:
        return take_keys(r, node, "a decide step", DECIDE_KEYS, COUNT(DECIDE_KEYS), step);
    case STEP_DEPLOY:
        return take_keys(r, node, "a deploy step", DEPLOY_KEYS, COUNT(DEPLOY_KEYS), step);
    case STEP_FUNCTION:
        return take_keys(r, node, "a function step", FUNCTION_KEYS, COUNT(FUNCTION_KEYS), step);
    case STEP_COMMAND:
    default:
        return take_keys(r, node, "a command step", COMMAND_KEYS, COUNT(COMMAND_KEYS), step);
    }
}

static int step_kind_of(struct reader *r, const struct yaml_node *node, enum step_kind *ret) {
    static const struct {
        const char *key;
        enum step_kind kind;
    } kinds[] = {{"command", STEP_COMMAND},
                 {"function", STEP_FUNCTION},
                 {"decide", STEP_DECIDE},
                 {"deploy", STEP_DEPLOY}};
    size_t found = 0;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (yaml_get(node, kinds[i].key)) {
            *ret = kinds[i].kind;
            found++;
        }
    if (found == 1)
        return 0;
    return wrong(r, node,
                 "the step \"%s\" must have exactly one of: command, function, decide, deploy",
                 node->key);
}

static int take_steps(struct reader *r, void *place, const struct yaml_node *node) {
    (void)place;
    if (node->kind != YAML_MAPPING || node->count == 0)
        return wrong(r, node, "\"steps\" must be a mapping of step names to steps");
    if (node->count > SPEC_MAX_STEPS)
        return wrong(r, node, "there are more than %u steps", SPEC_MAX_STEPS);
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *child = node->children[i];
        enum step_kind kind = STEP_COMMAND;
        if (child->kind != YAML_MAPPING)
            return wrong(r, child, "the step \"%s\" must be a mapping", child->key);
        int rc = check_key_name(r, child, "name of a step");
        if (!rc)
            rc = step_kind_of(r, child, &kind);
        if (!rc)
            rc = take_step(r, child, kind);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- the top ---- */

static int take_params(struct reader *r, void *place, const struct yaml_node *node) {
    (void)place;
    if (node->kind != YAML_MAPPING)
        return wrong(r, node, "\"params\" must be a mapping, like {target: 0.9}");
    if (node->count > SPEC_MAX_PARAMS)
        return wrong(r, node, "there are more than %u parameters", SPEC_MAX_PARAMS);
    for (size_t i = 0; i < node->count; i++) {
        _cleanup_(json_done) struct json *value = NULL;
        int rc = check_key_name(r, node->children[i], "name of a parameter");
        if (!rc)
            rc = yaml_to_json(node->children[i], &value, r->err);
        if (!rc)
            rc = pipeline_put_param(r->spec, node->children[i]->key, value, r->err);
        if (rc)
            return rc;
    }
    return 0;
}

static int take_moment(struct reader *r, void *place, const struct yaml_node *node) {
    ctcd_error *said = NULL;
    const char *text = yaml_text(node);
    if (!text)
        return wrong(r, node, "\"%s\" must be an instant, now, or +10m", node->key);
    int rc = moment_parse(text, place, &said);
    return rc ? at_node(r, node, said, rc) : 0;
}

static int take_catchup(struct reader *r, void *place, const struct yaml_node *node) {
    ctcd_error *said = NULL;
    int rc = schedule_catchup_parse(yaml_text(node) ? yaml_text(node) : "", place, &said);
    return rc ? at_node(r, node, said, rc) : 0;
}

static int take_overlap(struct reader *r, void *place, const struct yaml_node *node) {
    ctcd_error *said = NULL;
    enum schedule_overlap policy = OVERLAP_SKIP;
    int rc = schedule_overlap_parse(yaml_text(node) ? yaml_text(node) : "", &policy, &said);
    if (rc)
        return at_node(r, node, said, rc);
    if (policy != OVERLAP_SKIP && policy != OVERLAP_BUFFER_ALL)
        return yaml_error(r->err, CTCD_E_NOT_SUPPORTED, node, "it is one of: skip, buffer_all",
                          "this version does not have the overlap policy \"%s\"", yaml_text(node));
    *(enum schedule_overlap *)place = policy;
    return 0;
}

static int take_inclusive(struct reader *r, void *place, const struct yaml_node *node) {
    int truth = 0;
    int rc = take_bool(r, &truth, node);
    *(bool *)place = truth;
    return rc;
}

static int take_cron(struct reader *r, void *place, const struct yaml_node *node) {
    const char *text = yaml_text(node);
    size_t len = text ? strlen(text) : 0;
    if (!len || len >= CRON_TEXT_SIZE)
        return wrong(r, node, "\"cron\" must be an expression, like \"30 2 * * mon-fri\"");
    memcpy(place, text, len + 1);
    return 0;
}

static int take_timezone(struct reader *r, void *place, const struct yaml_node *node) {
    ctcd_error *said = NULL;
    const char *text = yaml_text(node);
    int rc = zone_check_name(text ? text : "", &said);
    if (rc)
        return at_node(r, node, said, rc);
    memcpy(place, text, strlen(text) + 1); /* no longer than ZONE_NAME_SIZE: checked */
    return 0;
}

static int take_dialect(struct reader *r, void *place, const struct yaml_node *node) {
    ctcd_error *said = NULL;
    int rc = cron_dialect_parse(yaml_text(node) ? yaml_text(node) : "", place, &said);
    return rc ? at_node(r, node, said, rc) : 0;
}

static int take_field(struct reader *r, uint32_t *fields, uint32_t flag,
                      const struct yaml_node *node) {
    int truth = 0;
    int rc = take_bool(r, &truth, node);
    *fields |= truth ? flag : 0;
    return rc;
}

static int take_seconds(struct reader *r, void *place, const struct yaml_node *node) {
    return take_field(r, place, CRON_SECONDS, node);
}

static int take_year(struct reader *r, void *place, const struct yaml_node *node) {
    return take_field(r, place, CRON_YEAR, node);
}

/* An interval, or an expression and what belongs to it. */
static int check_when(struct reader *r, const struct yaml_node *node,
                      const struct schedule_wording *wording) {
    static const char *const of_cron[] = {"timezone", "dialect", "seconds", "year"};
    const struct yaml_node *cron = yaml_get(node, "cron");
    ctcd_error *said = NULL;
    if (cron && yaml_get(node, "interval"))
        return wrong(r, cron, "\"schedule\" has either \"interval\" or \"cron\"");
    if (cron) {
        struct schedule_cron compiled = wording->cron;
        int rc = schedule_cron_compile(&compiled, &said);
        return rc ? at_node(r, cron, said, rc) : 0;
    }
    for (size_t i = 0; i < COUNT(of_cron); i++)
        if (yaml_get(node, of_cron[i]))
            return wrong(r, yaml_get(node, of_cron[i]), "\"%s\" goes with \"cron\" only",
                         of_cron[i]);
    return yaml_get(node, "interval")
               ? 0
               : wrong(r, node, "\"schedule\" needs \"interval\" or \"cron\"");
}

static int take_schedule(struct reader *r, void *place, const struct yaml_node *node) {
    static const struct key keys[] = {
        {"interval", take_duration, offsetof(struct schedule_wording, every_ms)},
        {"cron", take_cron, offsetof(struct schedule_wording, cron.text)},
        {"timezone", take_timezone, offsetof(struct schedule_wording, cron.zone_name)},
        {"dialect", take_dialect, offsetof(struct schedule_wording, cron.dialect)},
        {"seconds", take_seconds, offsetof(struct schedule_wording, cron.fields)},
        {"year", take_year, offsetof(struct schedule_wording, cron.fields)},
        {"start", take_moment, offsetof(struct schedule_wording, start)},
        {"end", take_moment, offsetof(struct schedule_wording, end)},
        {"end_inclusive", take_inclusive, offsetof(struct schedule_wording, end_inclusive)},
        {"catchup", take_catchup, offsetof(struct schedule_wording, catchup)},
        {"overlap", take_overlap, offsetof(struct schedule_wording, overlap)},
    };
    struct schedule_wording *wording = place;
    wording->present = true;
    int rc = take_keys(r, node, "\"schedule\"", keys, COUNT(keys), wording);
    return rc ? rc : check_when(r, node, wording);
}

static int take_on_crash(struct reader *r, void *place, const struct yaml_node *node) {
    static const char *const names[] = {"resume", "fail"};
    const char *text = yaml_text(node);
    for (size_t i = 0; text && i < COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *(bool *)place = i == 1;
            return 0;
        }
    }
    const char *near = text ? text_nearest(text, names, COUNT(names)) : NULL;
    _cleanup_(mem_free_ptr) char *hint = near ? mem_text("did you mean \"%s\"?", near) : NULL;
    return yaml_error(r->err, CTCD_E_INVALID, node, hint,
                      "\"%s\" must be resume (an interrupted step begins anew) or fail", node->key);
}

static int take_jobs(struct reader *r, void *place, const struct yaml_node *node) {
    int64_t number = 0;
    if (!yaml_to_int(node, &number) || number < 1 || number > SPEC_MAX_JOBS)
        return wrong(r, node, "\"jobs\" must be a whole number from 1 to %d", SPEC_MAX_JOBS);
    *(int64_t *)place = number;
    return 0;
}

/* ---- where is what the check of the whole found? ---- */

/* The place that `key: ...` tells of, in a step or in the mapping that makes it a decide or deploy step. */
static const struct yaml_node *place_in_step(const struct yaml_node *step, const char *what) {
    const struct yaml_node *inner = yaml_get(step, "decide");
    const char *end = strchr(what, ':');
    char key[64];
    if (!end || (size_t)(end - what) >= sizeof(key))
        return step;
    memcpy(key, what, (size_t)(end - what));
    key[end - what] = '\0';
    if (!inner)
        inner = yaml_get(step, "deploy");
    const struct yaml_node *found = yaml_get(inner, key);
    if (!found)
        found = yaml_get(yaml_get(inner, "options"), key);
    if (!found)
        found = yaml_get(yaml_get(step, "inputs"), key);
    if (!found)
        found = yaml_get(step, key);
    return found ? found : step;
}

/* pipeline_spec_check() knows no lines, but begins with what it speaks of: `step "deploy": when: ...`. */
static const struct yaml_node *place_of(const struct yaml_node *root, const char *message) {
    const struct yaml_node *steps = yaml_get(root, "steps");
    for (size_t i = 0; steps && i < steps->count; i++) {
        const char *name = steps->children[i]->key;
        size_t len = strlen(name);
        if (strncmp(message, "step \"", 6) == 0 && strncmp(message + 6, name, len) == 0 &&
            strncmp(message + 6 + len, "\": ", 3) == 0)
            return place_in_step(steps->children[i], message + 6 + len + 3);
    }
    if (strncmp(message, "schedule: ", 10) == 0)
        return yaml_get(root, "schedule");
    for (size_t i = 0; steps && i < steps->count; i++) { /* ... in a circle: a → b → a */
        const char *circle = strstr(message, "circle: "), *name = steps->children[i]->key;
        size_t len = strlen(name);
        if (circle && strncmp(circle + 8, name, len) == 0 && circle[8 + len] == ' ')
            return steps->children[i];
    }
    return root;
}

static int check(struct reader *r, const struct yaml_node *root) {
    ctcd_error *said = NULL;
    int rc = pipeline_spec_check(r->spec, &said);
    if (rc == CTCD_E_NOMEM) {
        error_unref(said);
        return error_nomem(r->err);
    }
    return rc ? at_node(r, place_of(root, error_message(said)), said, rc) : 0;
}

int pipeline_file_parse(const struct yaml_node *root, const char *folder, struct pipeline_spec *ret,
                        ctcd_error **err) {
    static const struct key keys[] = {
        {"pipeline", take_name, offsetof(struct pipeline_spec, name)},
        {"params", take_params, 0},
        {"steps", take_steps, 0},
        {"schedule", take_schedule, offsetof(struct pipeline_spec, schedule)},
        {"on_failure", take_list, offsetof(struct pipeline_spec, on_failure)},
        {"jobs", take_jobs, offsetof(struct pipeline_spec, jobs)},
        {"on_crash", take_on_crash, offsetof(struct pipeline_spec, crash_fails)},
    };
    struct pipeline_spec spec = {0};
    struct reader r = {&spec, err};
    int rc = take_keys(&r, root, "a pipeline file", keys, COUNT(keys), &spec);
    if (!rc)
        rc = need(&r, root, "a pipeline file", "pipeline");
    if (!rc)
        rc = need(&r, root, "a pipeline file", "steps");
    if (!rc && !(spec.folder = mem_copy_text(folder)))
        rc = error_nomem(err);
    if (!rc)
        rc = check(&r, root);
    if (rc) {
        pipeline_spec_done(&spec);
        return rc;
    }
    *ret = spec;
    return 0;
}
