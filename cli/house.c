/* Keeping house: doctor, backup, restore, gc. */
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

/* ---- gc -------------------------------------------------------------------------------------- */

static char *bytes_text(int64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1024;
    return unit ? text_of("%.1f %s", value, units[unit]) : text_of("%lld B", (long long)bytes);
}

static void print_removals(const ctcd_list *list, int dry) {
    struct table *table = table_new(NULL, (const char *const[]){"KIND", "NAME", "SIZE", NULL});
    int64_t sum = 0;
    for (size_t i = 0; i < ctcd_list_count(list); i++) {
        const ctcd_removal *removal = ctcd_list_removal(list, i);
        const char *kind = ctcd_removal_kind(removal);
        int events = *ctcd_removal_name(removal) == '\0';
        char *size = bytes_text(ctcd_removal_bytes(removal));
        char *count = text_of("%lld", (long long)ctcd_removal_count(removal));
        table_row(table, (const char *const[]){kind, events ? count : ctcd_removal_name(removal),
                                               events ? "" : size});
        sum += ctcd_removal_bytes(removal);
        free(size);
        free(count);
    }
    if (ctcd_list_count(list))
        table_print(table);
    else
        table_free(table);
    char *all = bytes_text(sum);
    printf("%s %s.\n", dry ? "Would free" : "Freed", all);
    free(all);
}

int cmd_gc(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int64_t keep = -1, older = -1, events = -1;
    int dry = option(req, "dry-run") != NULL;
    if (option(req, "keep-runs") && option(req, "older-than"))
        return usage_error("give one of them", "--keep-runs and --older-than exclude each other");
    int rc = option_count(req, "keep-runs", &keep);
    if (!rc)
        rc = option_duration(req, "older-than", &older);
    if (!rc)
        rc = option_duration(req, "keep-events", &events);
    if (!rc)
        rc = ctcd_home_collect(req->ctx, dry ? CTCD_COLLECT_DRY_RUN : 0, keep, older, events, &list,
                               err);
    if (rc)
        return rc;
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_list_format(list, output_format(req), &text, err);
        return print_text(rc, text);
    }
    print_removals(list, dry);
    return 0;
}
