/* served-models (also: model-deployer models): list, describe, get-url, start, stop, delete, logs. */
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define LIST_MOST 100000

const char *model_option(const struct request *req) {
    return option(req, "model-name") ? option(req, "model-name") : option(req, "model");
}

int find_services(struct request *req, ctcd_list **ret_list, ctcd_error **err) {
    return ctcd_service_find(req->ctx, option(req, "deployer"), option(req, "pipeline"),
                             option(req, "step"), model_option(req), ret_list, err);
}

/* Looks at all of them at once. */
static int observe(struct request *req, ctcd_list *services, ctcd_list **ret_statuses,
                   ctcd_error **err) {
    _drop_(op) ctcd_op *op = NULL;
    int64_t timeout_ms = -1;
    int rc = option_duration(req, "timeout", &timeout_ms);
    if (rc)
        return rc;
    catch_signals();
    rc = ctcd_list_observe_begin(services, timeout_ms, &op, err);
    if (!rc)
        rc = wait_for(req, op, PROGRESS_TERMINAL, err);
    return rc ? rc : ctcd_op_take_list(op, ret_statuses, err);
}

/* ---- list ------------------------------------------------------------------------------------ */

/* Names on standard error each deployer with services that could not be asked. */
static int report_unknown(const ctcd_list *statuses) {
    int status = 0;
    for (size_t i = 0; i < ctcd_list_count(statuses); i++) {
        const ctcd_status *look = ctcd_list_status(statuses, i);
        const char *deployer = ctcd_service_deployer(ctcd_status_service(look));
        size_t unknown = 0;
        int named = 0;
        for (size_t j = 0; j < ctcd_list_count(statuses); j++) {
            const ctcd_status *other = ctcd_list_status(statuses, j);
            if (ctcd_status_state(other) != CTCD_STATE_UNKNOWN ||
                strcmp(ctcd_service_deployer(ctcd_status_service(other)), deployer) != 0)
                continue;
            named |= j < i;
            unknown++;
        }
        if (ctcd_status_state(look) == CTCD_STATE_UNKNOWN && !named)
            status =
                complain(EXIT_UNREACHABLE, NULL, "%zu served model%s of %s could not be asked: %s",
                         unknown, unknown == 1 ? "" : "s", deployer, ctcd_status_message(look));
    }
    return status;
}

static void print_services(const ctcd_list *statuses) {
    struct table *table =
        table_new(NULL, (const char *const[]){"STATUS", "UUID", "PIPELINE_NAME",
                                              "PIPELINE_STEP_NAME", "MODEL_NAME", NULL});
    table_centre_first(table);
    for (size_t i = 0; i < ctcd_list_count(statuses); i++) {
        const ctcd_status *status = ctcd_list_status(statuses, i);
        const ctcd_service *service = ctcd_status_service(status);
        table_row(table,
                  (const char *const[]){state_cell(ctcd_status_state(status)),
                                        ctcd_service_uuid(service), ctcd_service_pipeline(service),
                                        ctcd_service_step(service), ctcd_service_model(service)});
    }
    if (!table_rows(table) && on_terminal()) {
        table_free(table);
        puts("No served models found.");
        return;
    }
    table_print(table);
}

static int print_list(const ctcd_list *list, const char *format, ctcd_error **err) {
    char *text = NULL;
    int rc = ctcd_list_format(list, format, &text, err);
    return print_text(rc, text);
}

/* Which are asked for: the identity, or for the list of them more. */
typedef int find_fn(struct request *req, ctcd_list **ret_list, ctcd_error **err);

/* What is there, and how it is. Whatever is deleted between the two questions makes us ask anew. */
static int look_at(struct request *req, find_fn *find, ctcd_list **ret_statuses, ctcd_error **err) {
    for (int attempt = 1;; attempt++) {
        _drop_(list) ctcd_list *services = NULL;
        _drop_(error) ctcd_error *why = NULL;
        int rc = find(req, &services, err);
        if (rc)
            return rc;
        rc = observe(req, services, ret_statuses, &why);
        if (rc == CTCD_E_NOT_FOUND && attempt < 10)
            continue;
        if (rc < 0)
            *err = ctcd_error_ref(why);
        return rc;
    }
}

int look_at_services(struct request *req, ctcd_list **ret_statuses, ctcd_error **err) {
    return look_at(req, find_services, ret_statuses, err);
}

/* --state, several of them, and --running; 0 = any. */
static int wanted_states(const struct request *req, uint32_t *ret) {
    const char *word;
    size_t cursor = 0;
    uint32_t states = 0;
    if (option(req, "running") && option(req, "state"))
        return usage_error("--running is --state active --state degraded",
                           "--running and --state: only one can say which");
    if (option(req, "running"))
        states = 1u << CTCD_STATE_ACTIVE | 1u << CTCD_STATE_DEGRADED;
    while ((word = option_next(req, "state", &cursor))) {
        int state = CTCD_STATE_INACTIVE;
        while (state < CTCD_STATE_UNKNOWN && !same_word(word, ctcd_state_name(state)))
            state++;
        states |= 1u << state; /* "unknown" is the last; others the parser has refused */
    }
    *ret = states;
    return 0;
}

/* Of a page one more than it shows, so that it knows whether it is the last. Where states are asked for, all:
   only a look tells who belongs to the page. */
static int find_listed(struct request *req, ctcd_list **ret_list, ctcd_error **err) {
    int64_t limit = LIST_MOST - 1;
    uint32_t states = 0;
    int rc = wanted_states(req, &states);
    if (!rc && !states)
        rc = option_count(req, "limit", &limit);
    if (rc)
        return rc;
    return ctcd_service_find_page(req->ctx, option(req, "uuid"), option(req, "deployer"),
                                  option(req, "pipeline"), option(req, "step"), model_option(req),
                                  option(req, "after"), limit < LIST_MOST ? limit + 1 : limit,
                                  ret_list, err);
}

/* As a word of a shell's command line. */
static void print_word(FILE *out, const char *text) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
    if (*text && strspn(text, plain) == strlen(text)) {
        fputs(text, out);
        return;
    }
    putc('\'', out);
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else
            putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
    }
    putc('\'', out);
}

/* The command that goes on: this one, after the last that was shown. */
static void tell_next(const struct request *req, const ctcd_list *page) {
    char *words = command_words(req->command);
    fflush(stdout);
    fprintf(stderr, "  next: %s", words);
    free(words);
    for (size_t i = 0; i < req->given_count; i++) {
        const struct given *given = &req->given[i];
        if (given->option && strcmp(given->option->name, "after") != 0) {
            fprintf(stderr, " --%s", given->option->name);
            if (given->option->value)
                putc(' ', stderr);
            if (given->option->value)
                print_word(stderr, given->value);
        }
    }
    fprintf(stderr, " --after %s\n", ctcd_list_next(page));
}

int cmd_served_list(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL, *page = NULL;
    const char *format = output_format(req);
    int64_t limit = 0;
    uint32_t states = 0;
    int rc = option_count(req, "limit", &limit);
    if (!rc)
        rc = wanted_states(req, &states);
    if (rc)
        return rc;
    /* For names no server need be asked. */
    int only_names = format && strcmp(format, "name") == 0 && !states;
    rc = only_names ? find_listed(req, &list, err) : look_at(req, find_listed, &list, err);
    if (!rc)
        rc = ctcd_list_select(list, states, limit, &page, err);
    if (rc)
        return rc;
    if (format)
        rc = print_list(page, format, err);
    else
        print_services(page);
    if (!rc && *ctcd_list_next(page) && (!format || strcmp(format, "name") == 0))
        tell_next(req, page);
    return rc || only_names ? rc : report_unknown(states ? list : page);
}

/* ---- describe, get-url ----------------------------------------------------------------------- */

static void add_record(struct table *table, const ctcd_service *service) {
    table_property(table, "DEPLOYER", ctcd_service_deployer(service));
    table_property(table, "MODEL_NAME", ctcd_service_model(service));
    table_property(table, "MODEL_URI", ctcd_service_model_uri(service));
    table_property(table, "PIPELINE_NAME", ctcd_service_pipeline(service));
    table_property(table, "PIPELINE_RUN_ID", ctcd_service_run(service));
    table_property(table, "PIPELINE_STEP_NAME", ctcd_service_step(service));
    table_property(table, "PREDICTION_URL", ctcd_service_url(service));
    table_property(table, "RESTART", ctcd_service_restart(service));
    char *revision = text_of("%lld", (long long)ctcd_service_revision(service));
    char *restarts = text_of("%lld", (long long)ctcd_service_restarts(service));
    char *next = time_text(ctcd_service_restart_next(service));
    if (strcmp(ctcd_service_restart(service), "never") != 0)
        table_property(table, "RESTARTS", restarts);
    if (*next)
        table_property(table, "RESTART_NEXT", next);
    free(restarts);
    free(next);
    table_property(table, "REVISION", revision);
    table_property(table, "UUID", ctcd_service_uuid(service));
    if (strcmp(ctcd_service_metrics(service), "{}") != 0)
        table_property(table, "METRICS", ctcd_service_metrics(service));
    free(revision);
}

static void print_service(const ctcd_status *status) {
    const ctcd_service *service = ctcd_status_service(status);
    char *title = text_of("Properties of Served Model %s", ctcd_service_uuid(service));
    struct table *table =
        table_new(title, (const char *const[]){"MODEL SERVICE PROPERTY", "VALUE", NULL});
    table_headless(table);
    add_record(table, service);
    table_property(table, "STATUS", state_cell(ctcd_status_state(status)));
    table_property(table, "STATUS_MESSAGE", ctcd_status_message(status));
    if (*ctcd_status_last_error(status))
        table_property(table, "LAST_ERROR", ctcd_status_last_error(status));
    for (size_t i = 0; i < ctcd_status_property_count(status); i++)
        table_property(table, ctcd_status_property_name(status, i),
                       ctcd_status_property_value(status, i));
    table_print(table);
    free(title);
    if (on_terminal() && *ctcd_status_log_tail(status)) {
        puts("  last lines:");
        print_clean(stdout, ctcd_status_log_tail(status), "    ");
    }
    if (*ctcd_status_next(status)) {
        fflush(stdout);
        fprintf(stderr, "  next: %s\n", ctcd_status_next(status));
    }
}

int cmd_served_describe(struct request *req, ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    int rc = ctcd_service_get(req->ctx, argument(req, 0), &service, err);
    if (rc)
        return rc;
    _drop_(status) ctcd_status *status = NULL;
    int64_t timeout_ms = -1;
    rc = option_duration(req, "timeout", &timeout_ms);
    if (!rc)
        rc = ctcd_service_observe(service, timeout_ms, &status, err);
    if (rc)
        return rc;
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_status_format(status, output_format(req), &text, err);
        return print_text(rc, text);
    }
    print_service(status);
    return 0;
}

int cmd_served_get_url(struct request *req, ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    int rc = ctcd_service_get(req->ctx, argument(req, 0), &service, err);
    if (rc || output_format(req))
        return rc ? rc : print_service_record(req, service, err);
    const char *url = ctcd_service_url(service);
    if (!*url)
        return complain(EXIT_FAILED, "`ctcd served-models describe` says how it is",
                        "served model %s has no prediction URL: no revision of it became ready",
                        ctcd_service_uuid(service));
    if (on_terminal())
        printf("  Prediction URL of Served Model %s is:\n  ", ctcd_service_uuid(service));
    puts(url);
    return 0;
}

/* ---- start, stop, delete, logs --------------------------------------------------------------- */

int print_service_record(struct request *req, const ctcd_service *service, ctcd_error **err) {
    char *text = NULL;
    int rc = ctcd_service_format(service, output_format(req), &text, err);
    return print_text(rc, text);
}

int wait_time(const struct request *req, int64_t *ret_ms) {
    if (option(req, "no-wait"))
        *ret_ms = 0;
    return option_duration(req, "timeout", ret_ms);
}

/* What the three have in common: the service, the time, the waiting, the words. */
typedef int begin_fn(ctcd_service *service, const struct request *req, int64_t timeout_ms,
                     ctcd_op **ret_op, ctcd_error **err);

static int begin_start(ctcd_service *service, const struct request *req, int64_t timeout_ms,
                       ctcd_op **ret_op, ctcd_error **err) {
    (void)req;
    return ctcd_service_start_begin(service, timeout_ms, ret_op, err);
}

static int begin_stop(ctcd_service *service, const struct request *req, int64_t timeout_ms,
                      ctcd_op **ret_op, ctcd_error **err) {
    (void)req;
    return ctcd_service_stop_begin(service, timeout_ms, ret_op, err);
}

static int begin_delete(ctcd_service *service, const struct request *req, int64_t timeout_ms,
                        ctcd_op **ret_op, ctcd_error **err) {
    uint32_t flags = option(req, "force") ? CTCD_DELETE_FORCE : 0;
    return ctcd_service_delete_begin(service, flags, timeout_ms, ret_op, err);
}

/* The record as it is after the change. */
static int print_changed(struct request *req, const ctcd_service *before, const char *done,
                         ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    int rc = ctcd_service_get(req->ctx, ctcd_service_uuid(before), &service, err);
    if (rc || output_format(req))
        return rc ? rc : print_service_record(req, service, err);
    printf("%s served model %s.\n", done, ctcd_service_uuid(service));
    return 0;
}

/* done NULL = nothing is said at the end, as the seed's delete says nothing. */
static int change(struct request *req, begin_fn *begin, const char *doing, const char *done,
                  ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    _drop_(op) ctcd_op *op = NULL;
    int64_t timeout_ms = -1;
    int rc = wait_time(req, &timeout_ms);
    if (!rc)
        rc = ctcd_service_get(req->ctx, argument(req, 0), &service, err);
    if (rc)
        return rc;
    catch_signals();
    rc = begin(service, req, timeout_ms, &op, err);
    if (!rc && timeout_ms == 0) {
        printf("%s served model %s in the background.\n", doing, ctcd_service_uuid(service));
        background_leave(0);
    }
    if (!rc)
        rc = wait_for(req, op, PROGRESS_TERMINAL, err);
    return rc || !done ? rc : print_changed(req, service, done, err);
}

int cmd_served_start(struct request *req, ctcd_error **err) {
    return change(req, begin_start, "Starting", "Started", err);
}

int cmd_served_stop(struct request *req, ctcd_error **err) {
    return change(req, begin_stop, "Stopping", "Stopped", err);
}

int cmd_served_delete(struct request *req, ctcd_error **err) {
    return change(req, begin_delete, "Deleting", NULL, err);
}

int line_count(const struct request *req, int64_t *ret) {
    *ret = 100;
    int status = option_count(req, "tail", ret);
    return status ? status : option_count(req, "lines", ret);
}

int cmd_served_logs(struct request *req, ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    int64_t lines;
    char *text = NULL;
    int rc = line_count(req, &lines);
    if (!rc)
        rc = ctcd_service_get(req->ctx, argument(req, 0), &service, err);
    if (!rc && option(req, "follow"))
        return follow_service(service, lines, err);
    if (!rc)
        rc = ctcd_service_logs(service, lines, &text, err);
    return print_text(rc, text);
}
