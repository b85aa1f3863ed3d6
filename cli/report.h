/* The report: one HTML page. Its sections are written by the report_*.c, in the order in which they are
   declared here. Included by those only. */
#ifndef CTCD_CLI_REPORT_H
#define CTCD_CLI_REPORT_H

#include "output.h"

/* All that the page tells of, asked before its first line is written. */
struct report {
    FILE *out;
    int64_t now_ms;
    const char *home;
    ctcd_list *runs;     /* newest first */
    ctcd_list *statuses; /* of services */
    ctcd_list *schedules;
    ctcd_list *events; /* oldest first */
};

/* ---- report_html.c: texts of others, safe inside elements and attributes ---- */

/* Escapes what HTML would read as its own; what is no UTF-8, or a control character, is shown as such. */
void html_text(FILE *out, const char *text);
/* <time>, "2026-01-01 00:00:00 UTC" in it; an en dash where there is none. */
void html_time(FILE *out, int64_t ms);
/* A word with a shape and a colour of its own for what it says of a state: "ok", "bad", "wait", "off". */
void html_badge(FILE *out, const char *mood, const char *text);
/* A cell that names its column, for windows too narrow for columns. */
void html_cell(FILE *out, const char *column, const char *text);
void html_cell_open(FILE *out, const char *column);
void html_cell_close(FILE *out);
/* <section> with its heading; a table with these columns (NULL-terminated). */
void html_section(FILE *out, const char *id, const char *heading);
void html_section_close(FILE *out);
void html_table(FILE *out, const char *caption, const char *const *columns);
void html_table_close(FILE *out);
void html_head(FILE *out, const char *home);
void html_foot(FILE *out);

/* ---- what a run comes to, for several sections ---- */

/* The run's decision, or NULL. */
const ctcd_decision *run_decision(const ctcd_run *run);
/* "ok", ... of a run's status, of a verdict. */
const char *run_mood(const char *status);
const char *verdict_mood(int verdict);

/* ---- sections ---- */
void report_summary(const struct report *r);
void report_services(const struct report *r);
void report_metrics(const struct report *r);
void report_runs(const struct report *r);
void report_schedules(const struct report *r);
void report_events(const struct report *r);

#endif
