/* The report's runs: each with its verdict and the reasons, or why it failed. */
#include <stdlib.h>
#include <string.h>

#include "report.h"

const ctcd_decision *run_decision(const ctcd_run *run) {
    for (size_t i = 0; i < ctcd_run_step_count(run); i++)
        if (ctcd_run_step_decision(run, i))
            return ctcd_run_step_decision(run, i);
    return NULL;
}

const char *run_mood(const char *status) {
    if (strcmp(status, "completed") == 0)
        return "ok";
    if (strcmp(status, "pending") == 0 || strcmp(status, "running") == 0)
        return "wait";
    return strcmp(status, "canceled") == 0 ? "off" : "bad";
}

const char *verdict_mood(int verdict) {
    return verdict == CTCD_VERDICT_PROMOTE ? "ok" : verdict == CTCD_VERDICT_REJECT ? "bad" : "wait";
}

static void write_decision(FILE *out, const ctcd_run *run) {
    const ctcd_decision *decision = run_decision(run);
    if (decision) {
        html_cell_open(out, "Decision");
        html_badge(out, verdict_mood(ctcd_decision_verdict(decision)),
                   ctcd_decision_verdict_name(decision));
        html_cell_close(out);
    } else {
        html_cell(out, "Decision", "");
    }
    const char *reasons = decision ? ctcd_decision_reasons(decision) : "";
    const char *error = ctcd_run_error(run);
    char *why = text_of("%s%s%s", reasons, *reasons && *error ? "; " : "", error);
    html_cell(out, "Reasons", why);
    free(why);
}

static void write_run(FILE *out, const ctcd_run *run) {
    fputs("<tr>", out);
    html_cell_open(out, "Status");
    html_badge(out, run_mood(ctcd_run_status(run)), ctcd_run_status(run));
    html_cell_close(out);
    html_cell(out, "Run", ctcd_run_name(run));
    html_cell(out, "Schedule", ctcd_run_schedule(run));
    html_cell_open(out, "Started");
    html_time(out, ctcd_run_started(run));
    html_cell_close(out);
    char *span = span_text(ctcd_run_started(run), ctcd_run_ended(run));
    html_cell(out, "Duration", span);
    free(span);
    write_decision(out, run);
    fputs("</tr>\n", out);
}

void report_runs(const struct report *r) {
    size_t count = ctcd_list_count(r->runs);
    html_section(r->out, "runs", "Runs");
    if (!count)
        fputs("<p>Nothing has run yet.</p>\n", r->out);
    if (count) {
        html_table(r->out, "Newest first",
                   (const char *const[]){"Status", "Run", "Schedule", "Started", "Duration",
                                         "Decision", "Reasons", NULL});
        for (size_t i = 0; i < count; i++)
            write_run(r->out, ctcd_list_run(r->runs, i));
        html_table_close(r->out);
    }
    html_section_close(r->out);
}
