/* What has happened: the newest events, and with --follow those to come, until a signal. */
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define LOOK_MS 500 /* between two looks at the store, while following */
#define BATCH 1000

/* "run completed" for "run_completed"; owned. */
static char *kind_text(const ctcd_event *event) {
    char *text = text_of("%s", ctcd_event_kind(event));
    for (char *c = text; *c; c++)
        if (*c == '_')
            *c = ' ';
    return text;
}

/* Whole seconds, so that all are of one width. */
static char *when_text(const ctcd_event *event) {
    int64_t ms = ctcd_event_time(event);
    return time_text(ms == CTCD_TIME_NONE || ms < 0 ? ms : ms - ms % 1000);
}

static char *what_text(const ctcd_event *event) {
    const char *name = ctcd_event_name(event), *message = ctcd_event_message(event);
    return text_of("%s%s%s", name, *name && *message ? ": " : "", message);
}

static void print_table(const ctcd_list *list) {
    struct table *table = table_new(NULL, (const char *const[]){"WHEN", "EVENT", "WHAT", NULL});
    for (size_t i = 0; i < ctcd_list_count(list); i++) {
        const ctcd_event *event = ctcd_list_event(list, i);
        char *when = when_text(event), *kind = kind_text(event), *what = what_text(event);
        table_row(table, (const char *const[]){when, kind, what});
        free(when);
        free(kind);
        free(what);
    }
    table_print(table);
}

/* ---- following ------------------------------------------------------------------------------- */

static void print_line(const ctcd_event *event) {
    char *when = when_text(event), *kind = kind_text(event), *what = what_text(event);
    char *line = text_of("%s  %-17s  %s", when, kind, what);
    for (char *c = line; *c; c++)
        if (*c == '\n')
            *c = ' ';
    print_clean(stdout, line, "");
    free(line);
    free(when);
    free(kind);
    free(what);
}

/* Each by itself: a JSON object a line, a YAML document, or a line of text. */
static int print_event(const ctcd_event *event, const char *format, ctcd_error **err) {
    char *text = NULL;
    if (!format) {
        print_line(event);
        return 0;
    }
    if (strcmp(format, "yaml") == 0)
        puts("---");
    int rc = ctcd_event_format(event, strcmp(format, "json") == 0 ? "jsonl" : format, &text, err);
    return print_text(rc, text);
}

static int print_events(const ctcd_list *list, const char *format, int64_t *last,
                        ctcd_error **err) {
    int rc = 0;
    for (size_t i = 0; !rc && i < ctcd_list_count(list); i++) {
        const ctcd_event *event = ctcd_list_event(list, i);
        rc = print_event(event, format, err);
        if (ctcd_event_id(event) > *last)
            *last = ctcd_event_id(event);
    }
    fflush(stdout);
    return rc;
}

/* The id of the newest event of all: what --service or --run leave out is not to be looked at again. */
static int newest(ctcd_context *ctx, int64_t *ret, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int rc = ctcd_event_list(ctx, NULL, NULL, CTCD_EVENT_NEWEST, 1, &list, err);
    if (!rc)
        *ret = ctcd_event_id(ctcd_list_event(list, 0));
    return rc;
}

static int follow(struct request *req, const ctcd_list *first, int64_t last, ctcd_error **err) {
    const char *service = option(req, "service"), *run = option(req, "run");
    int rc = print_events(first, output_format(req), &last, err);
    while (!rc && !ferror(stdout) && !sleep_unless_signalled(LOOK_MS)) {
        _drop_(list) ctcd_list *list = NULL;
        rc = ctcd_event_list(req->ctx, service, run, last, BATCH, &list, err);
        if (!rc)
            rc = print_events(list, output_format(req), &last, err);
    }
    return rc;
}

int cmd_events(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int follows = option(req, "follow") != NULL;
    int64_t limit = follows ? 10 : 50, last = 0;
    int rc = option_count(req, "limit", &limit);
    if (!rc && follows) {
        catch_signals();
        rc = newest(req->ctx, &last, err);
    }
    if (!rc)
        rc = ctcd_event_list(req->ctx, option(req, "service"), option(req, "run"),
                             CTCD_EVENT_NEWEST, limit, &list, err);
    if (rc)
        return rc;
    if (follows)
        return follow(req, list, last, err);
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_list_format(list, output_format(req), &text, err);
        return print_text(rc, text);
    }
    print_table(list);
    return 0;
}
