/* Keeping house: doctor, backup, restore. */
#include <stdlib.h>

#include "output.h"

static void print_finding(const ctcd_finding *finding) {
    char *line =
        text_of("%s: %s: %s%s", ctcd_finding_severity(finding), ctcd_finding_where(finding),
                ctcd_finding_message(finding), ctcd_finding_fixed(finding) ? " (mended)" : "");
    print_clean(stdout, line, "");
    free(line);
    if (*ctcd_finding_next(finding)) {
        fputs("  next: ", stdout);
        print_clean(stdout, ctcd_finding_next(finding), "");
    }
}

static int print_findings(struct request *req, const ctcd_list *list, ctcd_error **err) {
    if (output_format(req)) {
        char *text = NULL;
        int rc = ctcd_list_format(list, output_format(req), &text, err);
        return print_text(rc, text);
    }
    for (size_t i = 0; i < ctcd_list_count(list); i++)
        print_finding(ctcd_list_finding(list, i));
    if (ctcd_list_count(list) == 0)
        puts("The home is healthy.");
    return 0;
}

int cmd_doctor(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int64_t timeout_ms = -1;
    int rc = option_duration(req, "timeout", &timeout_ms);
    if (!rc)
        rc = ctcd_doctor_examine(req->ctx, option(req, "fix") ? CTCD_DOCTOR_FIX : 0, timeout_ms,
                                 &list, err);
    if (!rc)
        rc = print_findings(req, list, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < ctcd_list_count(list); i++)
        if (!ctcd_finding_fixed(ctcd_list_finding(list, i)))
            return EXIT_FAILED;
    return 0;
}

int cmd_backup(struct request *req, ctcd_error **err) {
    return ctcd_home_backup(req->ctx, argument(req, 0), err);
}

int cmd_restore(struct request *req, ctcd_error **err) {
    int rc = ctcd_home_restore(req->ctx, argument(req, 0),
                               option(req, "force") ? CTCD_RESTORE_FORCE : 0, err);
    if (!rc)
        rc = ctcd_context_open(req->ctx, err);
    if (!rc)
        printf("Restored %s.\n", ctcd_context_home(req->ctx));
    return rc;
}
