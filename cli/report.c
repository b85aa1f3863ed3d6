/* report: one HTML page on how things are and how they went, for people without a terminal. It needs nothing
   but itself: no script, no request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report.h"
#include "whole_file.h"

#define EVENTS_SHOWN 100

static int ask(struct request *req, struct report *r, ctcd_error **err) {
    int64_t limit = 200;
    int rc = option_count(req, "limit", &limit);
    if (!rc)
        rc = look_at_services(req, &r->statuses, err);
    if (!rc)
        rc = ctcd_run_list(req->ctx, option(req, "pipeline"), NULL, limit, 0, &r->runs, err);
    if (!rc)
        rc = ctcd_schedule_list(req->ctx, &r->schedules, err);
    if (!rc)
        rc =
            ctcd_event_list(req->ctx, NULL, NULL, CTCD_EVENT_NEWEST, EVENTS_SHOWN, &r->events, err);
    return rc;
}

static void write_page(const struct report *r) {
    html_head(r->out, r->home);
    report_summary(r);
    report_services(r);
    report_metrics(r);
    report_runs(r);
    report_schedules(r);
    report_events(r);
    fputs("</main>\n", r->out);
    html_foot(r->out);
}

static int write_report(struct report *r, const char *path) {
    if (!path || strcmp(path, "-") == 0) {
        r->out = stdout;
        write_page(r);
        return 0;
    }
    struct whole_file file;
    int status = whole_file_open(&file, path, 0600);
    if (status)
        return status;
    r->out = file.out;
    write_page(r);
    return whole_file_commit(&file);
}

int cmd_report(struct request *req, ctcd_error **err) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct report r = {.now_ms = (int64_t)now.tv_sec * 1000, .home = ctcd_context_home(req->ctx)};
    int rc = ask(req, &r, err);
    if (!rc)
        rc = write_report(&r, option(req, "output"));
    ctcd_list_unref(r.events);
    ctcd_list_unref(r.schedules);
    ctcd_list_unref(r.runs);
    ctcd_list_unref(r.statuses);
    return rc;
}
