/* The promotion rule: does a candidate replace the incumbent? Pure. Used by the engine's decide step
   and by ctcd_decide(). Verdicts are CTCD_VERDICT_*.

   Order of the checks: a candidate without a number is rejected and nothing else is looked at; the
   threshold; without an incumbent `no_incumbent`, with one the change rules. One failed check makes the
   verdict reject, else one undecidable check makes it inconclusive, else it is promote.

   `comparison` holds for every check of the rule: with gt, min_absolute_change 0 means "strictly
   better". Thresholds compare exactly. Differences are rounded by their own subtraction (0.3 - 0.2 is
   less than 0.1), so a change within four units in the last place of its operands, but at most a
   billionth of the wanted change, counts as equal to the wanted one. */
#ifndef CTCD_CORE_DECISION_H
#define CTCD_CORE_DECISION_H

#include <ctcd/decision.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"

enum no_incumbent {
    NO_INCUMBENT_THRESHOLD_ONLY, /* default: only the threshold counts */
    NO_INCUMBENT_ALWAYS,         /* any number is better than nothing, below the threshold, too */
    NO_INCUMBENT_HOLD,           /* inconclusive */
};

/* A rule that wants a number or does not. */
struct wanted {
    bool set;
    double value;
};

struct decision_rule {
    char *metric; /* owned; only for the texts of reasons, the caller picks the values */
    struct wanted threshold, min_absolute_change, min_relative_change;
    bool lower_is_better; /* greater_is_better: false */
    bool strict;          /* comparison: gt */
    enum no_incumbent no_incumbent;
};

/* A zeroed rule is the default one. */
void decision_rule_done(struct decision_rule *rule);
/* One setting by its name in files, from text: "threshold" "0.9", "comparison" "gt". Unknown names get
   the near miss, values must be finite. CTCD_E_INVALID, CTCD_E_NOMEM. */
int decision_rule_set(struct decision_rule *rule, const char *key, const char *value,
                      ctcd_error **err);
/* NULL-terminated list of the names that decision_rule_set knows. */
const char *const *decision_rule_keys(void);
/* The setting as decision_rule_set would take it; false = not set (and not a default worth saying). */
bool decision_rule_get(const struct decision_rule *rule, const char *key, char out[64]);

/* A metric as it was found. */
enum metric_kind { METRIC_MISSING, METRIC_NUMBER, METRIC_OTHER /* a text, null, a list, ... */ };
struct metric {
    enum metric_kind kind;
    double number; /* NaN and infinities allowed; used for METRIC_NUMBER only */
};

enum reason_weight { REASON_PASSED, REASON_FAILED, REASON_UNDECIDED };
struct decision_reason {
    const char
        *code; /* static: "threshold", "min_absolute_change", "min_relative_change", "missing",
                         "not_a_number", "baseline_missing", "baseline_not_a_number", "no_incumbent",
                         "no_rule" */
    enum reason_weight weight;
    char *text; /* owned, in words with numbers: "accuracy 0.966 >= 0.9" */
};

#define DECISION_MAX_REASONS 4
struct decision {
    int verdict; /* CTCD_VERDICT_* */
    size_t reason_count;
    struct decision_reason reasons[DECISION_MAX_REASONS];
};

/* baseline NULL = there is no incumbent; METRIC_MISSING = there is one, without this metric.
   0 or CTCD_E_NOMEM; *ret untouched then. */
int decision_make(const struct decision_rule *rule, const struct metric *candidate,
                  const struct metric *baseline, struct decision *ret);
void decision_done(struct decision *decision);
/* All reasons in one line, "accuracy 0.944 >= 0.9, no incumbent". Owned; NULL = out of memory. */
char *decision_reasons_text(const struct decision *decision);
/* Codes of the reasons that did not pass, "threshold,min_absolute_change", "-" for none. Owned. */
char *decision_codes(const struct decision *decision);
/* "promote", "reject", "inconclusive"; NULL for others. */
const char *verdict_name(int verdict);
const char *reason_weight_name(enum reason_weight weight); /* "passed", "failed", "undecided" */

#endif
