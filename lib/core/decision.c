/* The promotion rule; see decision.h. Every check adds one reason, the verdict follows from them. */
#include "core/decision.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

static const char *const rule_keys[] = {
    "metric",
    "threshold",
    "min_absolute_change",
    "min_relative_change",
    "greater_is_better",
    "comparison",
    "no_incumbent",
    NULL,
};
static const char *const no_incumbent_names[] = {"threshold_only", "always", "hold"};
static const char *const comparison_names[] = {"ge", "gt"};
static const char *const boolean_names[] = {"true", "false"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void decision_rule_done(struct decision_rule *rule) {
    mem_free(rule->metric);
    *rule = (struct decision_rule){0};
}

const char *const *decision_rule_keys(void) {
    return rule_keys;
}

/* Index of value among names; an error that lists them, and the near miss, otherwise. */
static int choose(const char *key, const char *value, const char *const *names, size_t count,
                  size_t *ret, ctcd_error **err) {
    for (size_t i = 0; i < count; i++) {
        if (text_same(value, names[i])) {
            *ret = i;
            return 0;
        }
    }
    _cleanup_(buf_done) struct buf known = {0};
    for (size_t i = 0; i < count; i++)
        buf_addf(&known, "%s%s", i ? ", " : "", names[i]);
    if (known.failed)
        return error_nomem(err);
    const char *near = text_nearest(value, names, count);
    error_set(err, CTCD_E_INVALID, NULL, "%s: \"%.100s\" is none of: %s", key, value, known.text);
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    return CTCD_E_INVALID;
}

static int set_number(struct wanted *wanted, const char *key, const char *value, ctcd_error **err) {
    double number = 0;
    if (!text_to_double(value, &number) || !isfinite(number))
        return error_set(err, CTCD_E_INVALID, NULL, "%s: \"%.100s\" is not a finite number", key,
                         value);
    *wanted = (struct wanted){.set = true, .value = number};
    return 0;
}

static int set_metric(struct decision_rule *rule, const char *value, ctcd_error **err) {
    if (!*value || !text_is_utf8(value))
        return error_set(err, CTCD_E_INVALID, NULL, "metric: the name of a metric is needed");
    char *copy = mem_copy_text(value);
    if (!copy)
        return error_nomem(err);
    mem_free(rule->metric);
    rule->metric = copy;
    return 0;
}

static int unknown_key(const char *key, ctcd_error **err) {
    error_set(err, CTCD_E_INVALID, NULL, "a decision has no setting \"%.100s\"", key);
    const char *near = text_nearest(key, rule_keys, COUNT(rule_keys) - 1);
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    return CTCD_E_INVALID;
}

int decision_rule_set(struct decision_rule *rule, const char *key, const char *value,
                      ctcd_error **err) {
    size_t chosen = 0;
    int rc = 0;
    if (text_same(key, "metric"))
        return set_metric(rule, value, err);
    if (text_same(key, "threshold"))
        return set_number(&rule->threshold, key, value, err);
    if (text_same(key, "min_absolute_change"))
        return set_number(&rule->min_absolute_change, key, value, err);
    if (text_same(key, "min_relative_change"))
        return set_number(&rule->min_relative_change, key, value, err);
    if (text_same(key, "greater_is_better")) {
        rc = choose(key, value, boolean_names, COUNT(boolean_names), &chosen, err);
        if (!rc)
            rule->lower_is_better = chosen == 1;
        return rc;
    }
    if (text_same(key, "comparison")) {
        rc = choose(key, value, comparison_names, COUNT(comparison_names), &chosen, err);
        if (!rc)
            rule->strict = chosen == 1;
        return rc;
    }
    if (text_same(key, "no_incumbent")) {
        rc = choose(key, value, no_incumbent_names, COUNT(no_incumbent_names), &chosen, err);
        if (!rc)
            rule->no_incumbent = (enum no_incumbent)chosen;
        return rc;
    }
    return unknown_key(key, err);
}

static bool get_number(const struct wanted *wanted, char out[64]) {
    if (wanted->set)
        text_from_double(wanted->value, out);
    return wanted->set;
}

bool decision_rule_get(const struct decision_rule *rule, const char *key, char out[64]) {
    if (text_same(key, "threshold"))
        return get_number(&rule->threshold, out);
    if (text_same(key, "min_absolute_change"))
        return get_number(&rule->min_absolute_change, out);
    if (text_same(key, "min_relative_change"))
        return get_number(&rule->min_relative_change, out);
    const char *text = NULL;
    if (text_same(key, "greater_is_better"))
        text = boolean_names[rule->lower_is_better];
    else if (text_same(key, "comparison"))
        text = comparison_names[rule->strict];
    else if (text_same(key, "no_incumbent"))
        text = no_incumbent_names[rule->no_incumbent];
    if (text)
        snprintf(out, 64, "%s", text);
    return text != NULL;
}

/* ---- numbers in words ---- */

/* Six digits are enough for a difference (0.966 - 0.944 is 0.02200000000000002). printf's point is the
   host's locale's, whatever it is: between digits we put ours. */
static void short_number(double value, char out[32]) {
    char raw[48];
    snprintf(raw, sizeof raw, "%.6g", value + 0.0); /* -0 becomes 0 */
    size_t n = 0;
    bool point = false;
    for (const char *c = raw; *c && n < 31; c++) {
        if (strchr("0123456789+-einfa", *c)) {
            out[n++] = *c;
        } else if (!point) {
            out[n++] = '.';
            point = true;
        }
    }
    out[n] = 0;
}

static void exact_number(double value, char out[32]) {
    text_from_double(value + 0.0, out);
}

/* ---- checks ---- */

struct check {
    const struct decision_rule *rule;
    const char *metric;
    double candidate, baseline;
    struct decision *into;
    bool failed; /* out of memory */
};

static void add_reason(struct check *check, const char *code, enum reason_weight weight,
                       char *text) {
    struct decision *d = check->into;
    if (!text || d->reason_count == DECISION_MAX_REASONS) {
        mem_free(text);
        check->failed = true;
        return;
    }
    d->reasons[d->reason_count++] =
        (struct decision_reason){.code = code, .weight = weight, .text = text};
}

/* Is `value` where the rule wants it, seen from `wanted`? Larger is better here. */
static bool reaches(const struct decision_rule *rule, double value, double wanted) {
    return rule->strict ? value > wanted : value >= wanted;
}

static void check_threshold(struct check *check) {
    const struct decision_rule *rule = check->rule;
    if (!rule->threshold.set)
        return;
    double limit = rule->threshold.value;
    bool lower = rule->lower_is_better;
    bool ok =
        lower ? reaches(rule, -check->candidate, -limit) : reaches(rule, check->candidate, limit);
    const char *sign = lower ? (rule->strict ? "<" : "<=") : (rule->strict ? ">" : ">=");
    char value[32];
    char wanted[32];
    exact_number(check->candidate, value);
    exact_number(limit, wanted);
    add_reason(check, "threshold", ok ? REASON_PASSED : REASON_FAILED,
               ok ? mem_text("%s %s %s %s", check->metric, value, sign, wanted)
                  : mem_text("%s %s is not %s %s", check->metric, value, sign, wanted));
}

/* How much better than the baseline, in the direction that the rule likes. Infinite values of one sign
   are equal. */
static double improvement(const struct check *check) {
    double better = check->rule->lower_is_better ? check->baseline : check->candidate;
    double worse = check->rule->lower_is_better ? check->candidate : check->baseline;
    return better == worse ? 0 : better - worse;
}

/* Compares a difference of candidate and baseline, forgiving what the subtraction itself rounds. */
static bool change_reaches(const struct check *check, double change, double wanted) {
    double largest = fmax(fmax(fabs(check->candidate), fabs(check->baseline)), fabs(wanted));
    double slack = fmin(4 * DBL_EPSILON * largest, 1e-9 * fabs(wanted));
    if (isfinite(slack) && isfinite(change) && fabs(change - wanted) <= slack)
        return !check->rule->strict;
    return reaches(check->rule, change, wanted);
}

/* "+0.022 over the incumbent's 0.944", "0.01 below ...", in the metric's own direction. */
static char *change_words(const struct check *check, double change, const char *unit,
                          double wanted) {
    const struct decision_rule *rule = check->rule;
    double raw = rule->lower_is_better ? -change : change;
    double raw_wanted = rule->lower_is_better ? -wanted : wanted;
    char moved[32];
    char base[32];
    char limit[32];
    short_number(fabs(raw), moved);
    exact_number(check->baseline, base);
    short_number(raw_wanted, limit);
    const char *bound = rule->strict ? (rule->lower_is_better ? "less than" : "more than")
                                     : (rule->lower_is_better ? "at most" : "at least");
    return mem_text("%s%s%s %s the incumbent's %s (%s %s%s%s wanted)", raw > 0 ? "+" : "", moved,
                    unit, raw < 0 ? "below" : "over", base, bound, raw_wanted > 0 ? "+" : "", limit,
                    unit);
}

static void check_absolute(struct check *check) {
    const struct wanted *wanted = &check->rule->min_absolute_change;
    if (!wanted->set)
        return;
    double change = improvement(check);
    bool ok = change_reaches(check, change, wanted->value);
    add_reason(check, "min_absolute_change", ok ? REASON_PASSED : REASON_FAILED,
               change_words(check, change, "", wanted->value));
}

/* Relative to |baseline|; nothing can be relative to 0: there, better by 1e-10 is enough. */
static void check_relative(struct check *check) {
    const struct wanted *wanted = &check->rule->min_relative_change;
    if (!wanted->set)
        return;
    double change = improvement(check);
    double size = fabs(check->baseline);
    bool ok;
    char *text;
    if (check->baseline == 0) {
        ok = change_reaches(check, change, 1e-10);
        text = change_words(check, change, "", 1e-10);
    } else {
        /* Dividing first would round once more: compare the change with the share of the baseline. */
        double share = isinf(change) || wanted->value == 0 ? 0 : wanted->value * size;
        double percent = isinf(change) || change == 0 ? change : change / size * 100;
        bool vanished = share == 0 && wanted->value != 0 && isfinite(change); /* a tiny baseline */
        ok = vanished ? reaches(check->rule, change / size, wanted->value)
                      : change_reaches(check, change, share);
        text = change_words(check, percent, " %", wanted->value * 100);
    }
    add_reason(check, "min_relative_change", ok ? REASON_PASSED : REASON_FAILED, text);
}

static bool has_change_rule(const struct decision_rule *rule) {
    return rule->min_absolute_change.set || rule->min_relative_change.set;
}

static void check_changes(struct check *check, const struct metric *baseline) {
    if (!has_change_rule(check->rule))
        return;
    if (baseline->kind == METRIC_MISSING) {
        add_reason(check, "baseline_missing", REASON_UNDECIDED,
                   mem_text("the incumbent has no %s to compare with", check->metric));
        return;
    }
    if (baseline->kind != METRIC_NUMBER || isnan(baseline->number)) {
        add_reason(check, "baseline_not_a_number", REASON_UNDECIDED,
                   mem_text("the incumbent's %s is not a number", check->metric));
        return;
    }
    check->baseline = baseline->number;
    check_absolute(check);
    check_relative(check);
}

static void check_without_incumbent(struct check *check) {
    check_threshold(check);
    if (check->rule->no_incumbent == NO_INCUMBENT_HOLD)
        add_reason(check, "no_incumbent", REASON_UNDECIDED,
                   mem_text("no incumbent, and the rule holds without one"));
    else
        add_reason(check, "no_incumbent", REASON_PASSED, mem_text("no incumbent"));
}

static void check_always(struct check *check) {
    char value[32];
    exact_number(check->candidate, value);
    add_reason(
        check, "no_incumbent", REASON_PASSED,
        mem_text("%s %s, and no incumbent: any model is better than none", check->metric, value));
}

static void check_all(struct check *check, const struct metric *candidate,
                      const struct metric *baseline) {
    if (candidate->kind == METRIC_MISSING) {
        add_reason(check, "missing", REASON_FAILED,
                   mem_text("the candidate has no %s", check->metric));
        return;
    }
    if (candidate->kind != METRIC_NUMBER || isnan(candidate->number)) {
        add_reason(check, "not_a_number", REASON_FAILED,
                   mem_text("the candidate's %s is not a number", check->metric));
        return;
    }
    check->candidate = candidate->number;
    if (baseline) {
        check_threshold(check);
        check_changes(check, baseline);
    } else if (check->rule->no_incumbent == NO_INCUMBENT_ALWAYS) {
        check_always(check);
    } else {
        check_without_incumbent(check);
    }
    if (!check->into->reason_count && !check->failed) {
        char value[32];
        exact_number(check->candidate, value);
        add_reason(check, "no_rule", REASON_PASSED,
                   mem_text("%s %s, and the rule asks for no more", check->metric, value));
    }
}

int decision_make(const struct decision_rule *rule, const struct metric *candidate,
                  const struct metric *baseline, struct decision *ret) {
    struct decision made = {.verdict = CTCD_VERDICT_PROMOTE};
    struct check check = {
        .rule = rule,
        .metric = rule->metric ? rule->metric : "metric",
        .into = &made,
    };
    check_all(&check, candidate, baseline);
    if (check.failed) {
        decision_done(&made);
        return CTCD_E_NOMEM;
    }
    for (size_t i = 0; i < made.reason_count; i++) {
        if (made.reasons[i].weight == REASON_FAILED)
            made.verdict = CTCD_VERDICT_REJECT;
        else if (made.reasons[i].weight == REASON_UNDECIDED && made.verdict == CTCD_VERDICT_PROMOTE)
            made.verdict = CTCD_VERDICT_INCONCLUSIVE;
    }
    *ret = made;
    return 0;
}

void decision_done(struct decision *decision) {
    for (size_t i = 0; i < decision->reason_count; i++)
        mem_free(decision->reasons[i].text);
    *decision = (struct decision){0};
}

char *decision_reasons_text(const struct decision *decision) {
    _cleanup_(buf_done) struct buf text = {0};
    for (size_t i = 0; i < decision->reason_count; i++)
        buf_addf(&text, "%s%s", i ? ", " : "", decision->reasons[i].text);
    return buf_steal(&text);
}

char *decision_codes(const struct decision *decision) {
    _cleanup_(buf_done) struct buf text = {0};
    for (size_t i = 0; i < decision->reason_count; i++)
        if (decision->reasons[i].weight != REASON_PASSED)
            buf_addf(&text, "%s%s", text.len ? "," : "", decision->reasons[i].code);
    if (!text.len && !text.failed)
        buf_add_char(&text, '-');
    return buf_steal(&text);
}

const char *verdict_name(int verdict) {
    switch (verdict) {
    case CTCD_VERDICT_PROMOTE:
        return "promote";
    case CTCD_VERDICT_REJECT:
        return "reject";
    case CTCD_VERDICT_INCONCLUSIVE:
        return "inconclusive";
    default:
        return NULL;
    }
}

const char *reason_weight_name(enum reason_weight weight) {
    static const char *const names[] = {"passed", "failed", "undecided"};
    return (unsigned)weight < COUNT(names) ? names[weight] : NULL;
}
