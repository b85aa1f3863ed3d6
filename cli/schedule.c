/* Schedules: create, list, describe, delete; next is in next.c. */
#include <stdlib.h>
#include <string.h>

#include "output.h"

static char *every_text(int64_t ms) {
    int64_t s = ms / 1000;
    return s % 3600 == 0 ? text_of("%lldh", (long long)s / 3600)
           : s % 60 == 0 ? text_of("%lldm", (long long)s / 60)
                         : text_of("%llds", (long long)s);
}

/* "0 2 * * *", with its zone where it is not UTC; an interval's length. */
static char *when_text(const ctcd_schedule *schedule) {
    const char *cron = ctcd_schedule_cron(schedule);
    const char *zone = ctcd_schedule_timezone(schedule);
    if (!*cron)
        return every_text(ctcd_schedule_every(schedule));
    return strcmp(zone, "UTC") == 0 ? text_of("%s", cron) : text_of("%s %s", cron, zone);
}

static void print_schedule(const ctcd_schedule *schedule) {
    char *title = text_of("Properties of Schedule %s", ctcd_schedule_name(schedule));
    struct table *table =
        table_new(title, (const char *const[]){"SCHEDULE PROPERTY", "VALUE", NULL});
    char *every = every_text(ctcd_schedule_every(schedule));
    char *start = time_text(ctcd_schedule_start(schedule));
    char *end = time_text(ctcd_schedule_end(schedule));
    char *last = time_text(ctcd_schedule_last(schedule));
    char *runs = text_of("%lld", (long long)ctcd_schedule_counter(schedule, "runs"));
    char *drops = text_of("%lld", (long long)ctcd_schedule_counter(schedule, "drops"));
    table_headless(table);
    table_property(table, "CATCHUP", ctcd_schedule_catchup(schedule));
    table_property(table, "DROPS", drops);
    table_property(table, "END", end);
    if (*ctcd_schedule_cron(schedule)) {
        table_property(table, "CRON", ctcd_schedule_cron(schedule));
        table_property(table, "DIALECT", ctcd_schedule_dialect(schedule));
        table_property(table, "TIMEZONE", ctcd_schedule_timezone(schedule));
    } else {
        table_property(table, "EVERY", every);
    }
    table_property(table, "LAST", last);
    table_property(table, "NAME", ctcd_schedule_name(schedule));
    table_property(table, "OVERLAP", ctcd_schedule_overlap(schedule));
    table_property(table, "PIPELINE", ctcd_schedule_pipeline(schedule));
    table_property(table, "RUNS", runs);
    table_property(table, "START", start);
    table_property(table, "UUID", ctcd_schedule_uuid(schedule));
    table_print(table);
    free(every);
    free(start);
    free(end);
    free(last);
    free(runs);
    free(drops);
    free(title);
}

static int print_one(struct request *req, const ctcd_schedule *schedule, ctcd_error **err) {
    char *text = NULL;
    int rc = ctcd_schedule_format(schedule, output_format(req), &text, err);
    return print_text(rc, text);
}

#define DROPS_PRINTED 20

static void print_drops(const ctcd_schedule *schedule) {
    size_t count = ctcd_schedule_drop_count(schedule);
    if (!count)
        return;
    if (!on_terminal())
        putchar('\n');
    char *title = text_of("Dropped Fires of Schedule %s", ctcd_schedule_name(schedule));
    struct table *table = table_new(title, (const char *const[]){"DROPPED", "REASON", NULL});
    for (size_t i = 0; i < count && i < DROPS_PRINTED; i++) {
        int64_t first_ms = ctcd_schedule_drop_first(schedule, i);
        int64_t last_ms = ctcd_schedule_drop_last(schedule, i);
        char *first = time_text(first_ms);
        char *last = time_text(last_ms);
        char *when = last_ms == first_ms ? text_of("%s", first) : text_of("%s to %s", first, last);
        table_row(table, (const char *const[]){when, ctcd_schedule_drop_reason(schedule, i)});
        free(when);
        free(last);
        free(first);
    }
    table_print(table);
    free(title);
    if (count > DROPS_PRINTED)
        printf("... and older ones; more: ctcd schedule describe %s -o json\n",
               ctcd_schedule_name(schedule));
}

int cmd_schedule_create(struct request *req, ctcd_error **err) {
    _drop_(pipeline) ctcd_pipeline *pipeline = NULL;
    _drop_(schedule) ctcd_schedule *schedule = NULL;
    int rc = load_pipeline(req, &pipeline, err);
    if (rc)
        return rc;
    rc = ctcd_pipeline_schedule(pipeline, &schedule, err);
    if (rc == CTCD_NONE)
        return usage_error("add schedule: {interval: 60s}, or {cron: \"0 2 * * *\"}",
                           "%s says nothing of a schedule", argument(req, 0));
    if (!rc)
        rc = ctcd_schedule_create(schedule, pipeline, option(req, "name"), err);
    if (rc || output_format(req))
        return rc ? rc : print_one(req, schedule, err);
    char *when = when_text(schedule);
    printf("Created the schedule %s: %s %s. A running `ctcd daemon` fires it.\n",
           ctcd_schedule_name(schedule), *ctcd_schedule_cron(schedule) ? "at" : "every", when);
    free(when);
    return 0;
}

int cmd_schedule_list(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int rc = ctcd_schedule_list(req->ctx, &list, err);
    if (rc)
        return rc;
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_list_format(list, output_format(req), &text, err);
        return print_text(rc, text);
    }
    struct table *table =
        table_new(NULL, (const char *const[]){"NAME", "PIPELINE", "EVERY", "START", "END",
                                              "CATCHUP", "OVERLAP", "RUNS", "DROPS", NULL});
    static const char *const less[] = {"OVERLAP", "CATCHUP", "PIPELINE", NULL};
    table_optional(table, less);
    for (size_t i = 0; i < ctcd_list_count(list); i++) {
        const ctcd_schedule *s = ctcd_list_schedule(list, i);
        char *when = when_text(s);
        char *start = time_text(ctcd_schedule_start(s));
        char *end = time_text(ctcd_schedule_end(s));
        char *runs = text_of("%lld", (long long)ctcd_schedule_counter(s, "runs"));
        char *drops = text_of("%lld", (long long)ctcd_schedule_counter(s, "drops"));
        table_row(table, (const char *const[]){ctcd_schedule_name(s), ctcd_schedule_pipeline(s),
                                               when, start, end, ctcd_schedule_catchup(s),
                                               ctcd_schedule_overlap(s), runs, drops});
        free(when);
        free(start);
        free(end);
        free(runs);
        free(drops);
    }
    table_print(table);
    return 0;
}

int cmd_schedule_describe(struct request *req, ctcd_error **err) {
    _drop_(schedule) ctcd_schedule *schedule = NULL;
    int rc = ctcd_schedule_get(req->ctx, argument(req, 0), &schedule, err);
    if (rc || output_format(req))
        return rc ? rc : print_one(req, schedule, err);
    print_schedule(schedule);
    print_drops(schedule);
    return 0;
}

int cmd_schedule_delete(struct request *req, ctcd_error **err) {
    _drop_(schedule) ctcd_schedule *schedule = NULL;
    int rc = ctcd_schedule_get(req->ctx, argument(req, 0), &schedule, err);
    return rc ? rc : ctcd_schedule_delete(schedule, err);
}
