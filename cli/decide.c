/* decide: the promotion rule by itself. */
#include "output.h"

int cmd_decide(struct request *req, ctcd_error **err) {
    _drop_(decision) ctcd_decision *decision = NULL;
    if (!option(req, "rule") || !option(req, "candidate"))
        return usage_error("ctcd decide --rule JSON --candidate JSON [--incumbent JSON]",
                           "--%s is missing", option(req, "rule") ? "candidate" : "rule");
    int rc = ctcd_decide(option(req, "rule"), option(req, "candidate"), option(req, "incumbent"),
                         &decision, err);
    if (rc)
        return rc;
    const char *format = output_format(req), *name = ctcd_decision_verdict_name(decision);
    if (format && *format != 'n') {
        char *text = NULL;
        rc = ctcd_decision_format(decision, format, &text, err);
        rc = print_text(rc, text);
    } else if (format) {
        puts(name);
    } else {
        printf("%s: %s\n", name, ctcd_decision_reasons(decision));
    }
    if (rc)
        return rc;
    return ctcd_decision_verdict(decision) == CTCD_VERDICT_PROMOTE ? EXIT_DONE : EXIT_FAILED;
}
