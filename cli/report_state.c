/* The report's sections on how things are: in short, services, schedules; and what has happened. */
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const char *state_mood(int state) {
    switch (state) {
    case CTCD_STATE_ACTIVE:
        return "ok";
    case CTCD_STATE_ERROR:
        return "bad";
    case CTCD_STATE_INACTIVE:
        return "off";
    default:
        return "wait";
    }
}

/* ---- in short -------------------------------------------------------------------------------- */

static void fact(FILE *out, const char *name, const char *text) {
    fprintf(out, "<div><dt>%s</dt><dd>", name);
    html_text(out, text);
    fputs("</dd></div>\n", out);
}

static void fact_time(FILE *out, const char *name, int64_t ms) {
    fprintf(out, "<div><dt>%s</dt><dd>", name);
    html_time(out, ms);
    fputs("</dd></div>\n", out);
}

static size_t count_state(const struct report *r, int state) {
    size_t count = 0;
    for (size_t i = 0; i < ctcd_list_count(r->statuses); i++)
        count += ctcd_status_state(ctcd_list_status(r->statuses, i)) == state;
    return count;
}

static void write_services_fact(const struct report *r) {
    size_t all = ctcd_list_count(r->statuses), bad = count_state(r, CTCD_STATE_ERROR);
    char *text =
        text_of("%zu of %zu active, %zu in error", count_state(r, CTCD_STATE_ACTIVE), all, bad);
    fact(r->out, "Services", text);
    free(text);
}

static void write_run_facts(const struct report *r) {
    int64_t success = CTCD_TIME_NONE, promotion = CTCD_TIME_NONE;
    size_t failed = 0, count = ctcd_list_count(r->runs);
    for (size_t i = 0; i < count; i++) {
        const ctcd_run *run = ctcd_list_run(r->runs, i);
        const ctcd_decision *decision = run_decision(run);
        failed += strcmp(run_mood(ctcd_run_status(run)), "bad") == 0;
        if (success == CTCD_TIME_NONE && strcmp(ctcd_run_status(run), "completed") == 0)
            success = ctcd_run_ended(run);
        if (promotion == CTCD_TIME_NONE && decision &&
            ctcd_decision_verdict(decision) == CTCD_VERDICT_PROMOTE)
            promotion = ctcd_run_ended(run);
    }
    char *text = text_of("%zu, %zu failed", count, failed);
    fact(r->out, "Runs shown", text);
    free(text);
    fact_time(r->out, "Last completed run", success);
    fact_time(r->out, "Last promotion", promotion);
}

void report_summary(const struct report *r) {
    fputs("<header>\n<h1>Continuous training and deployment</h1>\n<p class=\"soft\"><code>",
          r->out);
    html_text(r->out, r->home);
    fputs("</code>, ", r->out);
    html_time(r->out, r->now_ms);
    fputs(" UTC</p>\n<nav aria-label=\"Sections\"><ul>"
          "<li><a href=\"#services\">Services</a></li><li><a href=\"#metrics\">Metrics</a></li>"
          "<li><a href=\"#runs\">Runs</a></li><li><a href=\"#schedules\">Schedules</a></li>"
          "<li><a href=\"#events\">Events</a></li></ul></nav>\n</header>\n<main>\n",
          r->out);
    html_section(r->out, "summary", "In short");
    fputs("<dl class=\"facts\">\n", r->out);
    write_services_fact(r);
    write_run_facts(r);
    fputs("</dl>\n", r->out);
    html_section_close(r->out);
}

/* ---- services -------------------------------------------------------------------------------- */

static void write_service(FILE *out, const ctcd_status *status) {
    const ctcd_service *service = ctcd_status_service(status);
    const char *why = ctcd_status_last_error(status);
    fputs("<tr>", out);
    html_cell_open(out, "State");
    html_badge(out, state_mood(ctcd_status_state(status)),
               ctcd_state_name(ctcd_status_state(status)));
    html_cell_close(out);
    html_cell(out, "Model", ctcd_service_model(service));
    char *revision = text_of("%lld", (long long)ctcd_service_revision(service));
    html_cell(out, "Revision", ctcd_service_revision(service) ? revision : "");
    free(revision);
    html_cell(out, "Model URI", ctcd_service_model_uri(service));
    html_cell(out, "Pipeline", ctcd_service_pipeline(service));
    html_cell(out, "Takes predictions at", ctcd_service_url(service));
    html_cell(out, "Remarks", *why ? why : ctcd_status_message(status));
    fputs("</tr>\n", out);
}

void report_services(const struct report *r) {
    size_t count = ctcd_list_count(r->statuses);
    html_section(r->out, "services", "Services");
    if (!count)
        fputs("<p>Nothing is served.</p>\n", r->out);
    if (count) {
        html_table(r->out, "As they were found when this was written",
                   (const char *const[]){"State", "Model", "Revision", "Model URI", "Pipeline",
                                         "Takes predictions at", "Remarks", NULL});
        for (size_t i = 0; i < count; i++)
            write_service(r->out, ctcd_list_status(r->statuses, i));
        html_table_close(r->out);
    }
    html_section_close(r->out);
}

/* ---- schedules ------------------------------------------------------------------------------- */

#define FIRES_SHOWN 3

static void write_fires(const struct report *r, const ctcd_schedule *schedule) {
    int64_t when = r->now_ms;
    html_cell_open(r->out, "Next fires");
    for (int i = 0; i < FIRES_SHOWN; i++) {
        if (ctcd_schedule_next(schedule, when, &when, NULL) != 0) {
            fputs(i ? "" : "no more", r->out);
            break;
        }
        fputs(i ? ", " : "", r->out);
        html_time(r->out, when);
    }
    html_cell_close(r->out);
}

static void write_schedule(const struct report *r, const ctcd_schedule *s) {
    char *runs = text_of("%lld", (long long)ctcd_schedule_counter(s, "runs"));
    char *drops = text_of("%lld", (long long)ctcd_schedule_counter(s, "drops"));
    char *policy =
        text_of("catchup %s, overlap %s", ctcd_schedule_catchup(s), ctcd_schedule_overlap(s));
    fputs("<tr>", r->out);
    html_cell(r->out, "Schedule", ctcd_schedule_name(s));
    html_cell(r->out, "Pipeline", ctcd_schedule_pipeline(s));
    write_fires(r, s);
    html_cell(r->out, "Runs", runs);
    html_cell(r->out, "Dropped", drops);
    html_cell(r->out, "Policies", policy);
    fputs("</tr>\n", r->out);
    free(policy);
    free(drops);
    free(runs);
}

void report_schedules(const struct report *r) {
    size_t count = ctcd_list_count(r->schedules);
    html_section(r->out, "schedules", "Schedules");
    if (!count)
        fputs("<p>There are none.</p>\n", r->out);
    if (count) {
        html_table(r->out, "Fires come while a daemon runs",
                   (const char *const[]){"Schedule", "Pipeline", "Next fires", "Runs", "Dropped",
                                         "Policies", NULL});
        for (size_t i = 0; i < count; i++)
            write_schedule(r, ctcd_list_schedule(r->schedules, i));
        html_table_close(r->out);
    }
    html_section_close(r->out);
}

/* ---- events ---------------------------------------------------------------------------------- */

static int ends_in(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static const char *event_mood(const char *kind) {
    if (ends_in(kind, "_failed") || ends_in(kind, "_error") || ends_in(kind, "_abandoned"))
        return "bad";
    if (ends_in(kind, "_completed") || ends_in(kind, "_switched") ||
        ends_in(kind, "service_started"))
        return "ok";
    return ends_in(kind, "dropped") || ends_in(kind, "interrupted") ? "wait" : "off";
}

static void write_event(FILE *out, const ctcd_event *event) {
    char *kind = text_of("%s", ctcd_event_kind(event));
    for (char *c = kind; *c; c++)
        *c = *c == '_' ? ' ' : *c;
    fputs("<tr>", out);
    html_cell_open(out, "When");
    html_time(out, ctcd_event_time(event));
    html_cell_close(out);
    html_cell_open(out, "Event");
    html_badge(out, event_mood(ctcd_event_kind(event)), kind);
    html_cell_close(out);
    html_cell(out, "Of", ctcd_event_name(event));
    html_cell(out, "What", ctcd_event_message(event));
    fputs("</tr>\n", out);
    free(kind);
}

void report_events(const struct report *r) {
    size_t count = ctcd_list_count(r->events);
    html_section(r->out, "events", "Recent events");
    if (!count)
        fputs("<p>Nothing has happened yet.</p>\n", r->out);
    if (count) {
        html_table(r->out, "Newest first",
                   (const char *const[]){"When", "Event", "Of", "What", NULL});
        while (count--)
            write_event(r->out, ctcd_list_event(r->events, count));
        html_table_close(r->out);
    }
    html_section_close(r->out);
}
