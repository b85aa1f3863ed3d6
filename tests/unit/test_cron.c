/* Cron from inside: walls against a plain loop, previous and count against next in real zones, zone files that
   are broken or strange, the time that one question takes. Cases: tests/cli/test_cron.py and tests/api. */
#include "suite.h"

#include <ctcd/base.h>
#include <time.h>

#include "base/time.h"
#include "core/schedule.h"
#include "io/zonefile.h"

#define DAY 86400LL
#define YEAR (366 * DAY)

static uint64_t seed = 88172645463325252u;

static int64_t pick(int64_t low, int64_t high) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return low + (int64_t)(seed % (uint64_t)(high - low + 1));
}

static struct cron parsed(const char *text, uint32_t fields, enum cron_dialect dialect) {
    struct cron c;
    ctcd_error *err = NULL;
    int rc = cron_parse(text, fields, dialect, &c, &err);
    ck_assert_msg(rc == 0, "%s: %s", text, error_message(err));
    return c;
}

static struct zone zone_named(const char *name) {
    struct zone zone;
    struct zonefile_stamp stamp;
    char *bytes = NULL;
    size_t len = 0;
    ck_assert_int_eq(zonefile_read(name, &bytes, &len, &stamp, NULL), 0);
    ck_assert_int_eq(zone_parse(name, bytes, len, &zone, NULL), 0);
    mem_free(bytes);
    return zone;
}

static const char *const expressions[] = {
    "* * * * *",   "*/7 * * * *",      "0,30 2 * * *",        "30 2 * * *",   "*/30 1-3 * * *",
    "0 0 1 * *",   "15 3 L * *",       "0 9 15W * *",         "5 4 LW * *",   "59 23 * * fri#2",
    "0 12 * * 0L", "0 0 1-7,*/32 * 2", "0 0 29 2 *",          "0 0 31 * 1-5", "1 1 L-3 1,6 *",
    "0 0 */2 * 1", "12 13 14 mar sun", "45 0-23/3 * 1-12/2 6"};
static const char *const zones[] = {"UTC",           "America/New_York",    "Australia/Lord_Howe",
                                    "Pacific/Apia",  "America/St_Johns",    "Antarctica/Troll",
                                    "Europe/Dublin", "Africa/Casablanca",   "Pacific/Kwajalein",
                                    "Asia/Gaza",     "America/Scoresbysund"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- walls ---- */

/* Does this day fit, by the definition? */
static bool day_fits(const struct cron *c, int64_t days) {
    int64_t year;
    int month, day;
    time_date_from_days(days, &year, &month, &day);
    int weekday = (int)(((days + 4) % 7 + 7) % 7), length = time_days_in_month(year, month);
    bool date = c->days >> day & 1 || c->last_days >> (length - day) & 1;
    for (int wanted = 1; wanted <= length; wanted++) {
        bool near = c->near_days >> wanted & 1 || (c->near_last && wanted == length);
        int64_t first = days - day + 1;
        int on = (int)(((first + wanted - 1 + 4) % 7 + 7) % 7);
        int moved = on == 6   ? wanted > 1 ? wanted - 1 : 3
                    : on == 0 ? wanted < length ? wanted + 1 : length - 2
                              : wanted;
        date |= near && moved == day;
    }
    bool by_weekday = c->weekdays >> weekday & 1 || c->nth_weekdays[(day - 1) / 7] >> weekday & 1 ||
                      (c->last_weekdays >> weekday & 1 && day > length - 7);
    bool year_fits = !c->has_years || (year >= 1970 && year <= 2199 &&
                                       c->years[(year - 1970) / 64] >> ((year - 1970) % 64) & 1);
    return year_fits && c->months >> month & 1 &&
           (c->either ? date || by_weekday : date && by_weekday);
}

static bool wall_fits(const struct cron *c, int64_t wall) {
    int64_t days = wall / DAY - (wall % DAY < 0);
    int time = (int)(wall - days * DAY);
    return c->hours >> (time / 3600) & 1 && c->minutes >> (time / 60 % 60) & 1 &&
           c->seconds >> (time % 60) & 1 && day_fits(c, days);
}

static void check_walls(const struct cron *c, const char *text) {
    int64_t begin = pick(-200 * YEAR, 300 * YEAR), end = begin + (suite_is_slow() ? 10 : 70) * DAY,
            count = 0, found = 0;
    begin -= begin % 60;
    for (int64_t wall = begin; wall < end; wall += 60) {
        if (!wall_fits(c, wall))
            continue;
        count++;
        int64_t at = pick(0, 3) ? wall : wall - pick(0, 59);
        ck_assert_msg(cron_wall_ceil(c, at, &found) && found == wall, "%s: %lld, not %lld", text,
                      (long long)found, (long long)wall);
        ck_assert_msg(cron_wall_floor(c, wall + pick(0, 59), &found) && found == wall, "%s", text);
        if (count > (suite_is_slow() ? 50 : 2000)) {
            end = wall + 60;
            break;
        }
    }
    ck_assert_msg(cron_wall_count(c, begin, end) == count, "%s: %lld, not %lld", text,
                  (long long)cron_wall_count(c, begin, end), (long long)count);
    if (cron_wall_ceil(c, begin, &found) && found < end) /* nothing was passed over */
        ck_assert_int_gt(count, 0);
}

START_TEST(walls_are_what_the_definition_says) {
    for (size_t i = 0; i < COUNT(expressions); i++)
        for (int round = 0; round < (suite_is_slow() ? 1 : 30); round++) {
            struct cron c = parsed(expressions[i], 0, (enum cron_dialect)(round % 3));
            check_walls(&c, expressions[i]);
        }
    struct cron c = parsed("* * 1 */3 * 1999-2030/3", CRON_YEAR, CRON_VIXIE);
    for (int round = 0; round < (suite_is_slow() ? 2 : 50); round++)
        check_walls(&c, "years");
}
END_TEST

START_TEST(years_end) {
    struct cron c = parsed("0 0 1 1 * 1970,2199", CRON_YEAR, CRON_VIXIE);
    int64_t wall = -1;
    ck_assert(cron_wall_ceil(&c, -1000 * YEAR, &wall));
    ck_assert_int_eq(wall, 0);
    ck_assert(cron_wall_ceil(&c, 1, &wall));
    ck_assert_int_eq(wall, time_days_from_date(2199, 1, 1) * DAY);
    ck_assert(!cron_wall_ceil(&c, wall + 1, &wall));
    ck_assert(cron_wall_floor(&c, 5000 * YEAR, &wall));
    ck_assert_int_eq(wall, time_days_from_date(2199, 1, 1) * DAY);
    ck_assert(!cron_wall_floor(&c, -1, &wall));
    ck_assert_int_eq(cron_wall_count(&c, -1000 * YEAR, 5000 * YEAR), 2);
}
END_TEST

/* ---- instants ---- */

/* Forward, backward and by count: the same instants; each one asked for from any moment before it. */
static int64_t check_instants(const struct cron *c, const struct zone *zone, int64_t begin,
                              const char *text) {
    int64_t fires[300], count = 0, at = begin, found = 0;
    while (count < 300 && cron_ceil(c, zone, at, &found)) {
        ck_assert_msg(found >= at, "%s in %s went back", text, zone->name);
        fires[count++] = found;
        at = found + 1;
    }
    for (int64_t i = count - 1, until = at - 1; i >= 0; i--) {
        ck_assert_msg(cron_floor(c, zone, until, &found) && found == fires[i],
                      "%s in %s: %lld is before %lld, not %lld", text, zone->name, (long long)found,
                      (long long)until, (long long)fires[i]);
        until = fires[i] - 1;
    }
    for (int round = 0; count > 1 && round < 20; round++) {
        int64_t i = pick(0, count - 2), j = pick(i, count - 1);
        int64_t between = pick(fires[i] + 1, fires[i + 1]);
        ck_assert(cron_ceil(c, zone, between, &found));
        ck_assert_int_eq(found, fires[i + 1]);
        ck_assert_msg(cron_count(c, zone, fires[i], fires[j] + 1) == j - i + 1,
                      "%s in %s: %lld, not %lld", text, zone->name,
                      (long long)cron_count(c, zone, fires[i], fires[j] + 1),
                      (long long)(j - i + 1));
        ck_assert_int_eq(cron_count(c, zone, fires[i] + 1, fires[j]), j > i ? j - i - 1 : 0);
    }
    return count;
}

START_TEST(forward_backward_and_by_count) {
    int64_t total = 0;
    for (size_t z = 0; z < COUNT(zones); z += suite_is_slow() ? 3 : 1) {
        struct zone read = {0};
        if (strcmp(zones[z], "UTC") != 0)
            read = zone_named(zones[z]);
        const struct zone *zone = read.count ? &read : &ZONE_UTC;
        for (size_t e = 0; e < COUNT(expressions); e += suite_is_slow() ? 4 : 1)
            for (int d = 0; d < 3; d += suite_is_slow() ? 2 : 1) {
                struct cron c = parsed(expressions[e], 0, (enum cron_dialect)d);
                total += check_instants(&c, zone, pick(-20 * YEAR, 500 * YEAR), expressions[e]);
                size_t change = (size_t)pick(0, (int64_t)read.count);
                if (change < read.count)
                    total += check_instants(&c, zone, read.at[change] - pick(0, 2 * DAY),
                                            expressions[e]);
            }
        zone_done(&read);
    }
    ck_assert_int_gt(total, suite_is_slow() ? 2000 : 100000);
}
END_TEST

/* Rules repeat every 400 years: the same walls, however far away. */
START_TEST(far_away_is_as_near) {
    struct zone zone = zone_named("Europe/Paris");
    struct cron c = parsed("30 2 * * sun", 0, CRON_VIXIE);
    for (int turn = 1; turn < 18; turn++) {
        int64_t at = time_days_from_date(2100, 1, 1) * DAY + pick(0, 300 * YEAR), near = 0, far = 0;
        ck_assert(cron_ceil(&c, &zone, at, &near));
        ck_assert(cron_ceil(&c, &zone, at + turn * ZONE_FOLD_SECONDS, &far));
        ck_assert_int_eq(far - near, turn * ZONE_FOLD_SECONDS);
        ck_assert(cron_floor(&c, &zone, at, &near));
        ck_assert(cron_floor(&c, &zone, at + turn * ZONE_FOLD_SECONDS, &far));
        ck_assert_int_eq(far - near, turn * ZONE_FOLD_SECONDS);
        ck_assert_int_eq(zone_offset(&zone, at), zone_offset(&zone, at + turn * ZONE_FOLD_SECONDS));
    }
    int64_t begin = time_days_from_date(2000, 1, 1) * DAY,
            end = time_days_from_date(9000, 1, 1) * DAY;
    int64_t count = cron_count(&c, &zone, begin, end), parts = 0;
    for (int64_t at = begin; at < end;) {
        int64_t next = at + pick(1, 500 * YEAR);
        next = next < end ? next : end;
        parts += cron_count(&c, &zone, at, next);
        at = next;
    }
    ck_assert_int_eq(parts, count);
    ck_assert_int_eq(count, (end - begin) / (7 * DAY) + 1); /* once a week, moved or not */
    zone_done(&zone);
}
END_TEST

static int64_t nanoseconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Each question under 1 ms, the sparsest, too. The least of some tries: other programs interrupt. */
START_TEST(no_question_takes_long) {
    static const char *const sparse[] = {"0 0 29 2 1", "30 2 29 2 sun#5", "30 2 * 3 sun#2",
                                         "0 0 29 2 5L", "0 0 31W 12 sat"};
    struct zone zone = zone_named("America/New_York");
    int64_t worst = 0, least_parse = INT64_MAX;
    for (size_t i = 0; i < COUNT(sparse); i++)
        for (int d = 0; d < 3; d++)
            for (int round = 0; round < (suite_is_slow() ? 5 : 50); round++) {
                struct cron c;
                int64_t least = INT64_MAX, found, at = pick(-100 * YEAR, 700 * YEAR);
                if (cron_parse(sparse[i], 0, (enum cron_dialect)d, &c, NULL))
                    continue;
                for (int try = 0; try < 5; try++) {
                    int64_t begun = nanoseconds();
                    (void)cron_ceil(&c, &zone, at, &found);
                    (void)cron_floor(&c, &zone, at, &found);
                    int64_t took = (nanoseconds() - begun) / 2;
                    least = took < least ? took : least;
                }
                worst = least > worst ? least : worst;
            }
    for (int round = 0; round < 20; round++) { /* what never fires is known soon, too */
        struct cron c;
        int64_t begun = nanoseconds();
        ck_assert_int_eq(cron_parse("0 0 30 2 *", 0, CRON_VIXIE, &c, NULL), CTCD_E_NEVER);
        int64_t took = nanoseconds() - begun;
        least_parse = took < least_parse ? took : least_parse;
    }
    printf("measured: the slowest question took %.1f us, refusing what never fires %.1f us\n",
           (double)worst / 1000, (double)least_parse / 1000);
    ck_assert_int_lt(worst, suite_is_slow() ? 1000000000 : 1000000);
    ck_assert_int_lt(least_parse, suite_is_slow() ? 1000000000 : 1000000);
    zone_done(&zone);
}
END_TEST

/* ---- whatever is typed ---- */

static void scramble(char text[CRON_TEXT_SIZE + 8]) {
    static const char letters[] = "0123456789*/-,LW#? \tabcdefjmnosuwy@=?lw\x7f\xc3";
    size_t len = strlen(text);
    for (int64_t i = pick(1, 4); i > 0 && len; i--) {
        size_t at = (size_t)pick(0, (int64_t)len - 1);
        if (pick(0, 2) == 0) {
            memmove(text + at, text + at + 1, len - at);
            len--;
        } else if (pick(0, 1) && len < CRON_TEXT_SIZE) {
            memmove(text + at + 1, text + at, len - at + 1);
            text[at] = letters[pick(0, (int64_t)sizeof letters - 2)];
            len++;
        } else {
            text[at] = letters[pick(0, (int64_t)sizeof letters - 2)];
        }
    }
}

START_TEST(anything_is_answered) {
    int64_t taken = 0, rounds = suite_is_slow() ? 2000 : 100000;
    for (int64_t round = 0; round < rounds; round++) {
        char text[CRON_TEXT_SIZE + 8];
        struct cron c;
        ctcd_error *err = NULL;
        int64_t wall = 0;
        strcpy(text, pick(0, 20) ? expressions[pick(0, COUNT(expressions) - 1)] : "@monthly");
        scramble(text);
        int rc = cron_parse(text, (uint32_t)pick(0, 3) & (uint32_t)pick(0, 3),
                            (enum cron_dialect)pick(0, 2), &c, &err);
        if (rc == 0) {
            ck_assert(cron_wall_ceil(&c, 0, &wall) && wall_fits(&c, wall));
            taken++;
        } else {
            ck_assert(rc == CTCD_E_INVALID || rc == CTCD_E_NEVER);
            ck_assert_int_eq(error_code(err), rc);
        }
        error_done(&err);
    }
    printf("measured: %lld of %lld scrambled expressions were some\n", (long long)taken,
           (long long)rounds);
    ck_assert_int_gt(taken, rounds / 100);
    ck_assert_int_lt(taken, rounds / 2);
}
END_TEST

/* ---- schedules ---- */

static struct schedule_spec cron_spec(const char *text, const struct zone *zone) {
    struct schedule_spec spec = {
        .kind = SCHEDULE_CRON, .start_ms = CTCD_TIME_NONE, .end_ms = CTCD_TIME_NONE};
    strcpy(spec.cron.text, text);
    ck_assert_int_eq(schedule_cron_compile(&spec.cron, NULL), 0);
    spec.cron.zone = zone;
    return spec;
}

START_TEST(windows_are_in_milliseconds) {
    struct schedule_spec spec = cron_spec("* * * * *", &ZONE_UTC);
    int64_t ms = 0;
    spec.created_ms = 60000;
    ck_assert(schedule_next(&spec, CTCD_TIME_NONE, &ms) &&
              ms == 120000); /* not the moment itself */
    spec.start_ms = 60000;
    ck_assert(schedule_next(&spec, CTCD_TIME_NONE, &ms) && ms == 60000);
    spec.start_ms = 60001;
    ck_assert(schedule_next(&spec, CTCD_TIME_NONE, &ms) && ms == 120000);
    ck_assert(schedule_next(&spec, 119999, &ms) && ms == 120000);
    ck_assert(schedule_next(&spec, 120000, &ms) && ms == 180000);
    spec.end_ms = 180000;
    ck_assert(!schedule_next(&spec, 120000, &ms));
    ck_assert_int_eq(schedule_count(&spec, INT64_MIN, INT64_MAX), 1);
    spec.end_inclusive = true;
    ck_assert(schedule_next(&spec, 120000, &ms) && ms == 180000);
    ck_assert(schedule_prev(&spec, INT64_MAX, &ms) && ms == 180000);
    ck_assert(schedule_prev(&spec, 180000, &ms) && ms == 120000);
    ck_assert(!schedule_prev(&spec, 120000, &ms) && !schedule_prev(&spec, INT64_MIN, &ms));
    ck_assert(!schedule_next(&spec, INT64_MAX, &ms));
    ck_assert_int_eq(schedule_count(&spec, INT64_MIN, INT64_MAX), 2);
    ck_assert_int_eq(schedule_count(&spec, 120000, 179999), 0);
    spec.start_ms = spec.end_ms = CTCD_TIME_NONE;
    spec.created_ms = INT64_MAX;
    ck_assert(!schedule_next(&spec, CTCD_TIME_NONE, &ms));
    spec.created_ms = 0;
    spec.cron.zone = NULL; /* not looked up: nothing, and not UTC */
    ck_assert(!schedule_next(&spec, 0, &ms) && !schedule_prev(&spec, INT64_MAX, &ms));
    ck_assert_int_eq(schedule_count(&spec, INT64_MIN, INT64_MAX), 0);
}
END_TEST

struct ledger {
    int64_t fired, dropped, rows;
};

static int count_fire(void *user, int64_t t, bool caught_up) {
    (void)t, (void)caught_up;
    ((struct ledger *)user)->fired++;
    return 0;
}

static int count_drop(void *user, int64_t first, int64_t last, int64_t count,
                      enum drop_reason why) {
    struct ledger *l = user;
    ck_assert(first <= last && why != DROP_NONE);
    l->dropped += count;
    l->rows++;
    return 0;
}

/* Years of missed seconds are some rows, in no time. */
START_TEST(missed_fires_are_counted) {
    struct zone zone = zone_named("Europe/Berlin");
    struct schedule s = {.spec = cron_spec("*/5 * * * *", &zone)};
    int64_t now = time_days_from_date(2026, 1, 1) * DAY * 1000, begun = nanoseconds();
    for (int policy = CATCHUP_LATEST; policy <= CATCHUP_ALL; policy++) {
        struct ledger l = {0};
        struct fire_sink sink = {count_fire, count_drop, &l};
        s.catchup = (enum schedule_catchup)policy;
        ck_assert_int_eq(schedule_due(&s, 0, now, now, &sink), 0);
        ck_assert_int_eq(l.fired + l.dropped, schedule_count(&s.spec, 0, now));
        ck_assert_int_eq(l.fired + l.dropped, now / 300000); /* real time */
        ck_assert_int_eq(l.fired,
                         policy == CATCHUP_ALL ? SCHEDULE_CATCHUP_MAX + 1 : 1); /* and now */
        ck_assert_int_le(l.rows, 2);
    }
    ck_assert_int_lt(nanoseconds() - begun, (suite_is_slow() ? 60000LL : 5000LL) * 1000000);
    zone_done(&zone);
}
END_TEST

/* ---- zones ---- */

static const char header[] = "TZif2";

/* A file of version 2 with so many transitions an hour up and down, and a footer. */
static size_t make_file(unsigned char out[4096], unsigned transitions, const char *footer) {
    size_t len = 0;
    for (int block = 0; block < 2; block++) {
        unsigned times = block ? transitions : 0, types = block ? 2 : 1, chars = 4;
        memset(out + len, 0, 44);
        memcpy(out + len, header, 5);
        out[len + 35] = (unsigned char)times;
        out[len + 39] = (unsigned char)types;
        out[len + 43] = (unsigned char)chars;
        len += 44;
        for (unsigned i = 0; i < times; i++, len += 8) {
            uint64_t at = (uint64_t)(i + 1) * 1000000;
            for (int b = 0; b < 8; b++)
                out[len + (size_t)b] = (unsigned char)(at >> (56 - 8 * b));
        }
        for (unsigned i = 0; i < times; i++)
            out[len++] = (unsigned char)((i + 1) % 2);
        for (unsigned i = 0; i < types; i++, len += 6) {
            memset(out + len, 0, 6);
            out[len + 2] = i ? 0x0e : 0; /* 3600 = 0x0e10 */
            out[len + 3] = i ? 0x10 : 0;
        }
        memcpy(out + len, "LMT", 4);
        len += 4;
    }
    return len + (size_t)sprintf((char *)out + len, "\n%s\n", footer);
}

START_TEST(zone_files) {
    unsigned char file[4096];
    struct zone zone;
    size_t len = make_file(file, 3, "AAA-1");
    ck_assert_int_eq(zone_parse("X/Y", (char *)file, len, &zone, NULL), 0);
    ck_assert_uint_eq(zone.count, 3);
    ck_assert_int_eq(zone_offset(&zone, 999999), 0);
    ck_assert_int_eq(zone_offset(&zone, 1000000), 3600);
    ck_assert_int_eq(zone_offset(&zone, 1LL << 50), 3600);
    ck_assert_str_eq(zone.name, "X/Y");
    zone_done(&zone);
    for (size_t cut = 0; cut < len;
         cut++) { /* half a file is none, and nothing behind it is read */
        char *copy = mem_copy_bytes(file, cut);
        ck_assert_int_eq(zone_parse("X", copy, cut, &zone, NULL), CTCD_E_CORRUPT);
        mem_free(copy);
    }
    for (int round = 0; round < (suite_is_slow() ? 500 : 20000);
         round++) { /* nor where the bytes are others */
        unsigned char wrong[4096];
        memcpy(wrong, file, len);
        for (int64_t i = pick(1, 5); i > 0; i--)
            wrong[pick(0, (int64_t)len - 1)] = (unsigned char)pick(0, 255);
        char *copy = mem_copy_bytes(wrong, len);
        if (zone_parse("X", copy, len, &zone, NULL) == 0) {
            for (size_t i = 1; i < zone.count; i++)
                ck_assert_int_lt(zone.at[i - 1], zone.at[i]);
            zone_done(&zone);
        }
        mem_free(copy);
    }
    file[44 + 6 + 4 + 31] = 1; /* a leap second in the second block */
    ck_assert_int_ne(zone_parse("X", (char *)file, len, &zone, NULL), 0);
}
END_TEST

/* Transitions of 2030. What Python's zoneinfo says of them, too, but for the last: it begins to count those days
   with 1. */
START_TEST(footers) {
    static const struct {
        const char *text;
        int64_t first, second;
    } rows[] = {
        {"EST5EDT,M3.2.0,M11.1.0", 1899356400, 1919916000},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1901149200, 1919293200},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1901718000, 1917444600},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1901149200, 1919293200},
        {"IST-2IDT,M3.4.4/26,M10.5.0", 1900972800, 1919286000},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", 1901059200, 1919199600},
        {"AAA3BBB,J60,J300", 1898571600, 1919304000},
        {"AAA3BBB,59/0,299/0:30:15", 1898564400, 1919298615},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct zone_rule rule;
        int64_t at[2];
        int32_t offset[2];
        ck_assert_msg(zone_rule_parse(rows[i].text, &rule) == 0, "%s", rows[i].text);
        zone_rule_year(&rule, 2030, at, offset);
        ck_assert_msg(at[0] == rows[i].first && at[1] == rows[i].second, "%s: %lld %lld",
                      rows[i].text, (long long)at[0], (long long)at[1]);
    }
    static const char *const wrong[] = {"",
                                        "A5",
                                        "EST",
                                        "EST5EDT",
                                        "EST5EDT,M3.2.0",
                                        "EST5EDT,M13.2.0,M11.1.0",
                                        "EST5EDT,M3.6.0,M11.1.0",
                                        "EST5EDT,M3.2.7,M11.1.0",
                                        "<EST5",
                                        "EST5EDT,J0,J1",
                                        "EST5EDT,366,1",
                                        "EST25",
                                        "EST5:60",
                                        "EST5EDT,M3.2.0/168,M11.1.0",
                                        "EST5 ",
                                        "EST5EDT,M3.2.0,M11.1.0x",
                                        "EST5EDT,"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct zone_rule rule;
        ck_assert_msg(zone_rule_parse(wrong[i], &rule) == -1, "%s", wrong[i]);
    }
}
END_TEST

/* What an expression with years says once is said once, however far away one asks. */
START_TEST(years_do_not_repeat) {
    static const char *const names[] = {"Europe/Paris", "America/New_York", "Asia/Kolkata"};
    int64_t far = time_days_from_date(9999, 6, 1) * DAY, at = -1;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct zone zone = zone_named(names[i]);
        struct cron c = parsed("0 0 1 1 * 2026", CRON_YEAR, CRON_VIXIE);
        ck_assert(cron_floor(&c, &zone, far, &at));
        int64_t wall = at + zone_offset(&zone, at);
        ck_assert_int_eq(wall, time_days_from_date(2026, 1, 1) * DAY);
        ck_assert(cron_floor(&c, &zone, INT64_MAX, &at));
        ck_assert_int_eq(at + zone_offset(&zone, at), wall);
        ck_assert_int_eq(cron_count(&c, &zone, 0, INT64_MAX), 1);
        ck_assert(!cron_ceil(&c, &zone, time_days_from_date(2415, 1, 1) * DAY, &at));
        c = parsed("59 23 31 12 * 2199", CRON_YEAR, CRON_VIXIE);
        ck_assert(cron_ceil(&c, &zone, 0, &at));
        ck_assert(cron_floor(&c, &zone, far, &wall));
        ck_assert_int_eq(at, wall);
        ck_assert_int_eq(cron_count(&c, &zone, at, at + 1), 1);
        zone_done(&zone);
    }
}
END_TEST

/* A transition so far away that its year cannot be counted. */
START_TEST(a_transition_beyond_all_years) {
    unsigned char file[4096];
    struct zone zone;
    size_t len = make_file(file, 1, "XXX3EDT4,0/0,J365/23"), at = 44 + 6 + 4 + 44;
    ck_assert_int_eq(zone_parse("X", (char *)file, len, &zone, NULL), 0);
    zone_done(&zone);
    memset(file + at, 0xff, 8);
    file[at] = 0x7f; /* the largest number there is */
    ck_assert_int_eq(zone_parse("X", (char *)file, len, &zone, NULL), CTCD_E_CORRUPT);
}
END_TEST

START_TEST(summer_time_all_year) {
    unsigned char file[4096];
    struct zone zone;
    size_t len = make_file(file, 1, "XXX3EDT4,0/0,J365/23");
    ck_assert_int_eq(zone_parse("X", (char *)file, len, &zone, NULL), 0);
    for (int64_t year = 1972; year < 3000; year += 7)
        ck_assert_int_eq(
            zone_offset(&zone, time_days_from_date(year, 1 + (int)(year % 12), 1) * DAY),
            -4 * 3600);
    ck_assert_uint_le(zone.count, 4);
    zone_done(&zone);
}
END_TEST

START_TEST(no_memory) {
    for (uint64_t nth = 1; nth < 200; nth++) {
        ctcd_error *err = NULL;
        struct zone zone;
        struct cron c;
        struct zonefile_stamp stamp;
        char *bytes = NULL;
        size_t len = 0;
        int64_t live = mem_test_live();
        mem_test_fail_at(nth);
        int rc = zonefile_read("Europe/Paris", &bytes, &len, &stamp, &err);
        if (!rc)
            rc = zone_parse("Europe/Paris", bytes, len, &zone, &err);
        if (!rc)
            zone_done(&zone);
        int wrong = cron_parse("99 * * * *", 0, CRON_VIXIE, &c, rc ? NULL : &err);
        bool all = mem_test_count() < nth;
        mem_test_fail_at(0);
        mem_free(bytes);
        error_done(&err);
        ck_assert(rc == 0 || rc == CTCD_E_NOMEM);
        ck_assert(wrong == CTCD_E_INVALID);
        ck_assert_int_eq(mem_test_live(), live);
        if (all)
            return;
    }
    ck_abort_msg("no end");
}
END_TEST

SUITE_MAIN("cron", walls_are_what_the_definition_says, years_end, forward_backward_and_by_count,
           far_away_is_as_near, no_question_takes_long, anything_is_answered,
           windows_are_in_milliseconds, missed_fires_are_counted, zone_files, footers,
           summer_time_all_year, years_do_not_repeat, a_transition_beyond_all_years, no_memory)
