/* Schedules: create, list, describe, delete, and next, which needs no home. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

static char *every_text(int64_t ms) {
    int64_t s = ms / 1000;
    return s % 3600 == 0 ? text_of("%lldh", (long long)s / 3600)
           : s % 60 == 0 ? text_of("%lldm", (long long)s / 60)
                         : text_of("%llds", (long long)s);
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
    table_property(table, "EVERY", every);
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
        return usage_error("add schedule: {interval: 60s}", "%s says nothing of a schedule",
                           argument(req, 0));
    if (!rc)
        rc = ctcd_schedule_create(schedule, pipeline, option(req, "name"), err);
    if (rc || output_format(req))
        return rc ? rc : print_one(req, schedule, err);
    char *every = every_text(ctcd_schedule_every(schedule));
    printf("Created the schedule %s: every %s. A running `ctcd daemon` fires it.\n",
           ctcd_schedule_name(schedule), every);
    free(every);
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
        char *every = every_text(ctcd_schedule_every(s));
        char *start = time_text(ctcd_schedule_start(s));
        char *end = time_text(ctcd_schedule_end(s));
        char *runs = text_of("%lld", (long long)ctcd_schedule_counter(s, "runs"));
        char *drops = text_of("%lld", (long long)ctcd_schedule_counter(s, "drops"));
        table_row(table, (const char *const[]){ctcd_schedule_name(s), ctcd_schedule_pipeline(s),
                                               every, start, end, ctcd_schedule_catchup(s),
                                               ctcd_schedule_overlap(s), runs, drops});
        free(every);
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

/* ---- next ------------------------------------------------------------------------------------ */

struct next {
    int64_t every_ms, start_ms, end_ms, after_ms, count; /* count 0 = no bound */
};

static int time_option(const struct request *req, const char *name, int64_t base_ms,
                       int64_t *ret_ms, ctcd_error **err) {
    const char *text = option(req, name);
    return text ? ctcd_time_parse(text, base_ms, ret_ms, err) : 0;
}

static int is_utc(const char *zone) {
    return !zone || strcmp(zone, "UTC") == 0 || strcmp(zone, "Z") == 0;
}

/* Where a schedule without a start counts from: --after, else now. */
static int read_next(const struct request *req, struct next *next, ctcd_error **err) {
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    int64_t now = (int64_t)clock.tv_sec * 1000 + clock.tv_nsec / 1000000;
    *next = (struct next){
        .start_ms = CTCD_TIME_NONE, .end_ms = CTCD_TIME_NONE, .after_ms = CTCD_TIME_NONE};
    if (!option(req, "interval"))
        return usage_error("ctcd schedule next --interval 60s", "--interval is missing");
    if (!is_utc(option(req, "timezone")))
        return usage_error("intervals are the same in every zone: leave it out",
                           "--timezone: only UTC is known, not \"%s\"", option(req, "timezone"));
    int rc = option_duration(req, "interval", &next->every_ms);
    if (!rc)
        rc = time_option(req, "start", now, &next->start_ms, err);
    if (!rc)
        rc = time_option(req, "after", now, &next->after_ms, err);
    if (!rc && next->start_ms == CTCD_TIME_NONE) {
        next->after_ms = next->after_ms == CTCD_TIME_NONE ? now : next->after_ms;
        next->start_ms = next->after_ms;
    }
    if (!rc)
        rc = time_option(req, "end", next->start_ms, &next->end_ms, err);
    next->count = next->end_ms == CTCD_TIME_NONE ? 10 : 0;
    return rc ? rc : option_count(req, "count", &next->count);
}

/* 0 also where there are fewer than were asked for. */
static int print_next(const ctcd_schedule *schedule, const struct next *next, ctcd_error **err) {
    int64_t when_ms = next->after_ms;
    for (int64_t i = 0; !next->count || i < next->count; i++) {
        char text[32];
        int rc = ctcd_schedule_next(schedule, when_ms, &when_ms, err);
        if (!rc)
            rc = ctcd_time_format(when_ms, text, sizeof text);
        if (rc)
            return rc == CTCD_NONE ? 0 : rc;
        if (puts(text) == EOF)
            return 0; /* main() says so */
    }
    return 0;
}

int cmd_schedule_next(struct request *req, ctcd_error **err) {
    _drop_(schedule) ctcd_schedule *schedule = NULL;
    struct next next;
    int rc = read_next(req, &next, err);
    if (!rc)
        rc = ctcd_schedule_new_interval(req->ctx, next.every_ms, &schedule, err);
    if (!rc)
        rc = ctcd_schedule_set_window(schedule, next.start_ms, next.end_ms, 0, err);
    return rc ? rc : print_next(schedule, &next, err);
}
