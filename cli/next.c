/* `ctcd schedule next`: when a schedule would fire; one, or many read from standard input (--batch). Needs
   no home. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

#define FIRST_INSTANT (-62135596800000LL) /* of the year 1: a schedule that has always been there */

struct next {
    int64_t start_ms, end_ms, after_ms, count; /* count 0 = no bound */
};

static int64_t now_ms(void) {
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    return (int64_t)clock.tv_sec * 1000 + clock.tv_nsec / 1000000;
}

static int time_option(const struct request *req, const char *name, int64_t base_ms,
                       int64_t *ret_ms, ctcd_error **err) {
    const char *text = option(req, name);
    return text ? ctcd_time_parse(text, base_ms, ret_ms, err) : 0;
}

static int is_utc(const char *zone) {
    return !zone || strcmp(zone, "UTC") == 0 || strcmp(zone, "Z") == 0;
}

static const char *zone_name(const char *zone) {
    return is_utc(zone) ? NULL : zone;
}

static uint32_t cron_flags(const struct request *req) {
    return (option(req, "seconds") ? CTCD_CRON_SECONDS : 0) |
           (option(req, "year") ? CTCD_CRON_YEAR : 0);
}

/* Without a start an interval counts from --after, else from now; a cron schedule from nowhere. */
static int read_next(const struct request *req, struct next *next, ctcd_error **err) {
    int64_t now = now_ms();
    *next = (struct next){
        .start_ms = CTCD_TIME_NONE, .end_ms = CTCD_TIME_NONE, .after_ms = CTCD_TIME_NONE};
    int rc = time_option(req, "start", now, &next->start_ms, err);
    if (!rc)
        rc = time_option(req, "after", now, &next->after_ms, err);
    int64_t begin_ms = next->start_ms;
    if (!rc && next->start_ms == CTCD_TIME_NONE) {
        next->after_ms = next->after_ms == CTCD_TIME_NONE ? now : next->after_ms;
        begin_ms = next->after_ms;
        next->start_ms = option(req, "cron") ? FIRST_INSTANT : begin_ms;
    }
    if (!rc)
        rc = time_option(req, "end", begin_ms, &next->end_ms, err);
    next->count = next->end_ms == CTCD_TIME_NONE ? 10 : 0;
    return rc ? rc : option_count(req, "count", &next->count);
}

/* What belongs together, before anything is made of it. */
static int check_options(const struct request *req) {
    static const char *const of_cron[] = {"dialect", "seconds", "year", NULL};
    static const char *const of_one[] = {"cron",  "interval", "timezone", "start", "end",
                                         "after", "count",    "dialect",  NULL};
    int batch = option(req, "batch") != NULL, cron = option(req, "cron") != NULL;
    for (size_t i = 0; batch && of_one[i]; i++)
        if (option(req, of_one[i]))
            return usage_error("ctcd schedule next --batch <lines", "--batch reads what --%s says",
                               of_one[i]);
    if (!batch && cron == (option(req, "interval") != NULL))
        return usage_error("ctcd schedule next --interval 60s, or --cron '0 2 * * *'",
                           cron ? "--cron and --interval exclude each other"
                                : "--cron or --interval is missing");
    for (size_t i = 0; !batch && !cron && of_cron[i]; i++)
        if (option(req, of_cron[i]))
            return usage_error(NULL, "--%s goes with --cron only", of_cron[i]);
    if (!batch && !cron && !is_utc(option(req, "timezone")))
        return usage_error("intervals are the same in every zone: leave it out",
                           "--timezone: only UTC is known, not \"%s\"", option(req, "timezone"));
    return 0;
}

static int make(struct request *req, ctcd_schedule **ret, ctcd_error **err) {
    int64_t every_ms = 0;
    if (option(req, "cron"))
        return ctcd_schedule_new_cron(req->ctx, option(req, "cron"),
                                      zone_name(option(req, "timezone")), option(req, "dialect"),
                                      cron_flags(req), ret, err);
    int rc = option_duration(req, "interval", &every_ms);
    return rc ? rc : ctcd_schedule_new_interval(req->ctx, every_ms, ret, err);
}

/* 0 also where there are fewer than were asked for. */
static int print_next(const ctcd_schedule *schedule, const struct next *next, ctcd_error **err) {
    int64_t when_ms = next->after_ms;
    for (int64_t i = 0; !next->count || i < next->count; i++) {
        char text[32];
        int rc = ctcd_schedule_next(schedule, when_ms, &when_ms, err);
        if (!rc)
            rc = ctcd_schedule_time(schedule, when_ms, text, sizeof text, err);
        if (rc)
            return rc == CTCD_NONE ? 0 : rc;
        if (puts(text) == EOF)
            return 0; /* main() says so */
    }
    return 0;
}

/* ---- many ------------------------------------------------------------------------------------ */

enum column { EXPRESSION, ZONE, AFTER, COUNT, DIALECT, COLUMNS };

#define COUNT_MOST 1000000

/* Splits at TABs, in place; what is missing at the end is empty. 0 = there are too many. */
static int split_line(char *line, char *ret[COLUMNS]) {
    static char empty[] = "";
    for (int i = 0; i < COLUMNS; i++)
        ret[i] = line ? strsep(&line, "\t") : empty;
    return line == NULL;
}

static int read_count(const char *text, int64_t *ret) {
    char *end = NULL;
    *ret = 1;
    if (!*text)
        return 1;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *ret = number;
    return !errno && !*end && text[0] >= '0' && text[0] <= '9' && number > 0 &&
           number <= COUNT_MOST;
}

/* NULL = an expression that never fires. */
static int bad_line(const char *why) {
    if (why) {
        fputs("error: ", stdout);
        print_clean(stdout, why, "");
    } else {
        puts("never");
    }
    return 0;
}

static int print_line(const ctcd_schedule *schedule, int64_t after_ms, int64_t count,
                      ctcd_error **err) {
    int64_t when_ms = after_ms, i = 0;
    for (; i < count; i++) {
        char text[32];
        int rc = ctcd_schedule_next(schedule, when_ms, &when_ms, err);
        if (rc == CTCD_NONE)
            break;
        if (!rc)
            rc = ctcd_schedule_time(schedule, when_ms, text, sizeof text, err);
        if (rc)
            return rc;
        if (i)
            putchar(' ');
        fputs(text, stdout);
    }
    puts(i ? "" : "never");
    return 0;
}

static int answer(struct request *req, char *line, int64_t now, ctcd_error **err) {
    _drop_(schedule) ctcd_schedule *schedule = NULL;
    char *column[COLUMNS];
    int64_t after_ms = now, count = 1;
    if (!split_line(line, column))
        return bad_line("there are more than five columns");
    if (!read_count(column[COUNT], &count))
        return bad_line("the count is a number from 1 to 1000000");
    int rc = *column[AFTER] ? ctcd_time_parse(column[AFTER], now, &after_ms, err) : 0;
    if (!rc)
        rc = ctcd_schedule_new_cron(
            req->ctx, column[EXPRESSION], *column[ZONE] ? zone_name(column[ZONE]) : NULL,
            *column[DIALECT] ? column[DIALECT] : NULL, cron_flags(req), &schedule, err);
    if (!rc)
        rc = ctcd_schedule_set_window(schedule, FIRST_INSTANT, CTCD_TIME_NONE, 0, err);
    return rc ? rc : print_line(schedule, after_ms, count, err);
}

/* One line in, one line out; only what is no fault of the line ends the whole. */
static int answer_all(struct request *req, ctcd_error **err) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int rc = 0;
    int64_t now = now_ms();
    while (rc >= 0 && !ferror(stdout) && (length = getline(&line, &room, stdin)) >= 0) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = 0;
        if (strlen(line) != (size_t)length) {
            rc = bad_line("there is a NUL character in it");
            continue;
        }
        rc = answer(req, line, now, err);
        if (rc == CTCD_E_NEVER) {
            rc = bad_line(NULL);
        } else if (rc < 0 && rc != CTCD_E_NOMEM) {
            rc = bad_line(ctcd_error_message(*err));
        }
        if (!rc && *err)
            *err = ctcd_error_unref(*err);
    }
    free(line);
    if (rc >= 0 && ferror(stdin))
        rc = complain(EXIT_FAILED, NULL, "standard input: %s", strerror(errno));
    return rc;
}

int cmd_schedule_next(struct request *req, ctcd_error **err) {
    _drop_(schedule) ctcd_schedule *schedule = NULL;
    struct next next;
    int rc = check_options(req);
    if (rc || option(req, "batch"))
        return rc ? rc : answer_all(req, err);
    rc = read_next(req, &next, err);
    if (!rc)
        rc = make(req, &schedule, err);
    if (!rc)
        rc = ctcd_schedule_set_window(schedule, next.start_ms, next.end_ms, 0, err);
    return rc ? rc : print_next(schedule, &next, err);
}
