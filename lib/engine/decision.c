/* Decisions as objects: ctcd_decide() and the decide step share this way to core/decision.h. */
#include <string.h>

#include "base/buf.h"
#include "core/decision.h"
#include "base/text.h"
#include "engine/run.h"

#define JSON_LIMIT (1 << 20)

static void decision_free(void *object) {
    ctcd_decision *d = object;
    mem_free(d->reasons_line);
    json_unref(d->rule);
    json_unref(d->candidate);
    json_unref(d->baseline);
    json_unref(d->reasons);
}

static struct json *decision_to_json(const void *object) {
    const ctcd_decision *d = object;
    struct json *json = json_new_object();
    if (json_set_text(json, "verdict", verdict_name(d->verdict)) &&
        json_set(json, "rule", d->rule) && json_set(json, "candidate", d->candidate) &&
        (d->baseline ? json_set(json, "baseline", d->baseline) : json_set_null(json, "baseline")) &&
        json_set(json, "reasons", d->reasons))
        return json;
    return json_unref(json);
}

const struct object_kind DECISION_KIND = {"decision", decision_free, decision_to_json, NULL};

static int parse_object(const char *text, const char *what, struct json **ret, ctcd_error **err) {
    _cleanup_(json_done) struct json *value = NULL;
    int rc = json_parse(text, strlen(text), JSON_LIMIT,
                        JSON_USER_INPUT | JSON_PYTHON | JSON_UNIQUE_KEYS, what, &value, err);
    if (rc)
        return rc;
    if (json_kind(value) != JSON_KIND_OBJECT)
        return error_set(err, CTCD_E_INVALID, NULL, "the %s must be a JSON object, it is %s", what,
                         json_kind_name(json_kind(value)));
    *ret = mem_steal(&value);
    return 0;
}

static int read_rule(const struct json *json, struct decision_rule *rule, ctcd_error **err) {
    for (struct json_iter i = json_members(json); json_next(&i);) {
        _cleanup_(mem_free_ptr) char *other = json_text(i.value) ? NULL : json_to_text(i.value);
        const char *value = json_text(i.value) ? json_text(i.value) : other;
        if (!value)
            return error_nomem(err);
        int rc = decision_rule_set(rule, i.key, value, err);
        if (rc)
            return rc;
    }
    if (!rule->metric)
        return error_set(err, CTCD_E_INVALID,
                         "name the metric that decides: {\"metric\": \"accuracy\"}",
                         "the rule has no \"metric\"");
    return 0;
}

static struct metric metric_of(const struct json *metrics, const char *name) {
    const struct json *value = json_get(metrics, name);
    struct metric metric = {METRIC_MISSING, 0};
    if (value)
        metric.kind = json_to_real(value, &metric.number) ? METRIC_NUMBER : METRIC_OTHER;
    return metric;
}

static struct json *reasons_json(const struct decision *made) {
    struct json *array = json_new_array();
    for (size_t i = 0; array && i < made->reason_count; i++) {
        struct json *reason = json_new_object();
        if (!json_set_text(reason, "code", made->reasons[i].code) ||
            !json_set_text(reason, "weight", reason_weight_name(made->reasons[i].weight)) ||
            !json_set_text(reason, "text", made->reasons[i].text)) {
            json_unref(reason);
            reason = NULL;
        }
        if (!json_append_new(array, reason))
            array = json_unref(array);
    }
    return array;
}

static int fill(ctcd_decision *d, const struct decision_rule *rule, ctcd_error **err) {
    struct metric candidate = metric_of(d->candidate, rule->metric);
    struct metric baseline = metric_of(d->baseline, rule->metric);
    struct decision made = {0};
    if (decision_make(rule, &candidate, d->baseline ? &baseline : NULL, &made))
        return error_nomem(err);
    d->verdict = made.verdict;
    d->reasons_line = decision_reasons_text(&made);
    d->reasons = reasons_json(&made);
    decision_done(&made);
    return d->reasons_line && d->reasons ? 0 : error_nomem(err);
}

int decision_decide(const char *rule, const char *candidate, const char *incumbent,
                    ctcd_decision **ret, ctcd_error **err) {
    _cleanup_(object_done) ctcd_decision *d = object_new(NULL, &DECISION_KIND, sizeof(*d));
    if (!d)
        return error_nomem(err);
    struct decision_rule read = {0};
    int rc = parse_object(rule, "rule", &d->rule, err);
    if (!rc)
        rc = parse_object(candidate, "candidate", &d->candidate, err);
    if (!rc && incumbent)
        rc = parse_object(incumbent, "incumbent", &d->baseline, err);
    if (!rc)
        rc = read_rule(d->rule, &read, err);
    if (!rc)
        rc = fill(d, &read, err);
    decision_rule_done(&read);
    if (rc)
        return rc;
    *ret = mem_steal(&d);
    return 0;
}

/* A rule's values may be texts, as parameters put them in. */
static bool number_of(const struct json *value, double *ret) {
    return json_to_real(value, ret) || (json_text(value) && text_to_double(json_text(value), ret));
}

bool decision_number(const ctcd_decision *d, const char *what, double *ret) {
    const char *metric = json_get_text(d->rule, "metric");
    if (strcmp(what, "threshold") == 0)
        return number_of(json_get(d->rule, "threshold"), ret);
    if (!metric)
        return false;
    if (strcmp(what, "candidate") == 0)
        return json_to_real(json_get(d->candidate, metric), ret);
    return strcmp(what, "incumbent") == 0 && d->baseline &&
           json_to_real(json_get(d->baseline, metric), ret);
}

static int verdict_from_name(const char *name) {
    for (int v = CTCD_VERDICT_PROMOTE; v <= CTCD_VERDICT_INCONCLUSIVE; v++)
        if (strcmp(verdict_name(v), name) == 0)
            return v;
    return 0;
}

static char *line_of(const struct json *reasons) {
    struct buf line = {0};
    for (size_t i = 0; i < json_size(reasons); i++) {
        const char *text = json_get_text(json_at(reasons, i), "text");
        buf_addf(&line, "%s%s", i ? ", " : "", text ? text : "");
    }
    return buf_steal(&line);
}

int decision_from_texts(const char *verdict, const char *rule, const char *candidate,
                        const char *baseline, const char *reasons, ctcd_decision **ret,
                        ctcd_error **err) {
    _cleanup_(object_done) ctcd_decision *d = object_new(NULL, &DECISION_KIND, sizeof(*d));
    if (!d)
        return error_nomem(err);
    d->verdict = verdict_from_name(verdict);
    if (!d->verdict)
        return error_set(err, CTCD_E_CORRUPT, NULL, "a stored verdict is \"%s\"", verdict);
    int rc = parse_object(rule, "rule", &d->rule, err);
    if (!rc)
        rc = parse_object(candidate, "candidate", &d->candidate, err);
    if (!rc && baseline && baseline[0])
        rc = parse_object(baseline, "baseline", &d->baseline, err);
    if (!rc)
        rc = json_parse(reasons, strlen(reasons), JSON_LIMIT, 0, "reasons", &d->reasons, err);
    if (!rc && !(d->reasons_line = line_of(d->reasons)))
        rc = error_nomem(err);
    if (rc)
        return rc;
    *ret = mem_steal(&d);
    return 0;
}
