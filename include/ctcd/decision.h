/**
 * @file decision.h
 * The decision: does a candidate replace the incumbent? Pure: no store, no clock.
 */
#ifndef CTCD_DECISION_H
#define CTCD_DECISION_H

#include <ctcd/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctcd_decision ctcd_decision;

#define CTCD_VERDICT_PROMOTE 1
#define CTCD_VERDICT_REJECT 2
#define CTCD_VERDICT_INCONCLUSIVE 3

/**
 * Decides.
 *
 * @param rule_json       {"metric": "accuracy", "threshold": 0.9, "min_absolute_change": 0.002,
 *                        "min_relative_change": 0.01, "greater_is_better": true, "comparison": "ge"|"gt",
 *                        "no_incumbent": "threshold_only"|"always"|"hold"}; only "metric" is required.
 * @param candidate_json  {"accuracy": 0.93, ...}: a number; null, text or absence is rejected.
 * @param incumbent_json  Metrics recorded with what serves now, or NULL = nothing serves.
 * @retval CTCD_E_INVALID  A text is no JSON object, or the rule has an unknown key or a bad value.
 * @threads Any. @since 0.1
 */
CTCD_API int ctcd_decide(const char *rule_json, const char *candidate_json,
                         const char *incumbent_json, ctcd_decision **ret_decision,
                         ctcd_error **err);
/** Takes a reference. @return @p decision. @threads Any. @since 0.1 */
CTCD_API ctcd_decision *ctcd_decision_ref(ctcd_decision *decision);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_decision *ctcd_decision_unref(ctcd_decision *decision);
/** CTCD_VERDICT_*. @threads Any. @since 0.1 */
CTCD_API int ctcd_decision_verdict(const ctcd_decision *decision);
/** "promote", "reject", "inconclusive"; static. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_decision_verdict_name(const ctcd_decision *decision);
/** All reasons in one line, "accuracy 0.944 >= 0.9, no incumbent"; borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_decision_reasons(const ctcd_decision *decision);
/** Name of the metric that decided; borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_decision_metric(const ctcd_decision *decision);
/**
 * A number of the decision.
 *
 * @param what  "candidate" or "incumbent": their values of the metric; "threshold": of the rule.
 * @retval CTCD_NONE  There is none (no incumbent, no threshold, no number); ret_value is untouched.
 * @threads Any. @since 0.1
 */
CTCD_API int ctcd_decision_number(const ctcd_decision *decision, const char *what,
                                  double *ret_value);
/** "json" or "yaml": verdict, rule, candidate, baseline, reasons; owned. @threads Any. @since 0.1 */
CTCD_API int ctcd_decision_format(const ctcd_decision *decision, const char *format,
                                  char **ret_text, ctcd_error **err);

#ifdef __cplusplus
}
#endif
#endif
