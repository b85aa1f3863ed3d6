/* ctcd_decide(), ctcd_decision_*: see <ctcd/decision.h>. Pure, so without a context and its gate. */
#include "api/gate.h"
#include "core/decision.h"
#include "engine/run.h"

CTCD_API int ctcd_decide(const char *rule_json, const char *candidate_json,
                         const char *incumbent_json, ctcd_decision **ret_decision,
                         ctcd_error **err) {
    if (!rule_json)
        return plain_missing(err, "rule_json");
    if (!candidate_json)
        return plain_missing(err, "candidate_json");
    if (!ret_decision)
        return plain_missing(err, "ret_decision");
    return decision_decide(rule_json, candidate_json, incumbent_json, ret_decision, err);
}

CTCD_API ctcd_decision *ctcd_decision_ref(ctcd_decision *decision) {
    return object_ref(decision);
}

CTCD_API ctcd_decision *ctcd_decision_unref(ctcd_decision *decision) {
    return object_unref(decision);
}

CTCD_API int ctcd_decision_verdict(const ctcd_decision *decision) {
    return decision ? decision->verdict : 0;
}

CTCD_API const char *ctcd_decision_verdict_name(const ctcd_decision *decision) {
    return decision ? verdict_name(decision->verdict) : "";
}

CTCD_API const char *ctcd_decision_reasons(const ctcd_decision *decision) {
    return decision ? decision->reasons_line : "";
}

CTCD_API const char *ctcd_decision_metric(const ctcd_decision *decision) {
    const char *metric = decision ? json_get_text(decision->rule, "metric") : NULL;
    return metric ? metric : "";
}

CTCD_API int ctcd_decision_number(const ctcd_decision *decision, const char *what,
                                  double *ret_value) {
    double value = 0;
    if (!decision || !what || !decision_number(decision, what, &value))
        return CTCD_NONE;
    if (ret_value)
        *ret_value = value;
    return 0;
}

CTCD_API int ctcd_decision_format(const ctcd_decision *decision, const char *format,
                                  char **ret_text, ctcd_error **err) {
    if (!decision)
        return plain_missing(err, "decision");
    if (!format)
        return plain_missing(err, "format");
    if (!ret_text)
        return plain_missing(err, "ret_text");
    return object_format(decision, format, ret_text, err);
}
