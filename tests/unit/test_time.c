/* base/time: RFC 3339 and the calendar. */
#include "suite.h"

#include <stdint.h>
#include <time.h>

#include "base/time.h"

START_TEST(known_instants) {
    static const struct {
        const char *text;
        int64_t ms;
        const char *back;
    } table[] = {
        {"1970-01-01T00:00:00Z", 0, NULL},
        {"2026-01-01T00:00:00Z", 1767225600000, NULL},
        {"2026-01-01T00:00:00.250Z", 1767225600250, NULL},
        {"2026-01-01t00:00:00z", 1767225600000, "2026-01-01T00:00:00Z"},
        {"2026-01-01 00:00:00Z", 1767225600000, "2026-01-01T00:00:00Z"},
        {"2026-01-01T01:00:00+01:00", 1767225600000, "2026-01-01T00:00:00Z"},
        {"2025-12-31T18:30:00-05:30", 1767225600000, "2026-01-01T00:00:00Z"},
        {"2026-01-01T00:00:00.5Z", 1767225600500, "2026-01-01T00:00:00.500Z"},
        {"2026-01-01T00:00:00.000999Z", 1767225600000, "2026-01-01T00:00:00Z"},
        {"2026-01-01T00:00:00.12345678901234567890Z", 1767225600123, "2026-01-01T00:00:00.123Z"},
        {"2016-12-31T23:59:60Z", 1483228800000, "2017-01-01T00:00:00Z"},
        {"2016-12-31T23:59:60.9Z", 1483228800000, "2017-01-01T00:00:00Z"},
        {"2024-02-29T12:00:00Z", 1709208000000, NULL},
        {"1969-12-31T23:59:59.999Z", -1, NULL},
        {"0001-01-01T00:00:00Z", TIME_MIN_MS, NULL},
        {"9999-12-31T23:59:59.999Z", TIME_MAX_MS, NULL},
        {"2026-01-01T00:00:00-00:00", 1767225600000, "2026-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t ms = 42;
        char text[TIME_TEXT_SIZE];
        ck_assert_msg(time_from_text(table[i].text, &ms), "%s", table[i].text);
        ck_assert_msg(ms == table[i].ms, "%s: %lld", table[i].text, (long long)ms);
        time_to_text(ms, text);
        ck_assert_str_eq(text, table[i].back ? table[i].back : table[i].text);
    }
}
END_TEST

START_TEST(what_is_no_instant) {
    static const char *const bad[] = {"",
                                      "now",
                                      "2026-01-01",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01T00:00Z",
                                      "2026-1-01T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-01-32T00:00:00Z",
                                      "2026-01-00T00:00:00Z",
                                      "2026-02-29T00:00:00Z",
                                      "2100-02-29T00:00:00Z",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01T00:60:00Z",
                                      "2026-01-01T00:00:61Z",
                                      "2026-01-01T00:00:00.Z",
                                      "2026-01-01T00:00:00,5Z",
                                      "2026-01-01T00:00:00Zx",
                                      "2026-01-01T00:00:00+24:00",
                                      "2026-01-01T00:00:00+01:60",
                                      "2026-01-01T00:00:00+0100",
                                      "2026-01-01T00:00:00+01",
                                      "2026-01-01  00:00:00Z",
                                      " 2026-01-01T00:00:00Z",
                                      "0000-01-01T00:00:00Z",
                                      "0001-01-01T00:00:00+00:01",
                                      "9999-12-31T23:59:59-00:01",
                                      "9999-12-31T23:59:60Z",
                                      "20260-01-01T00:00:00Z",
                                      "-026-01-01T00:00:00Z",
                                      "2026-01-01T00:00:00.5",
                                      "2026-01-01T00:00:00 Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 42;
        ck_assert_msg(!time_from_text(bad[i], &ms), "%s", bad[i]);
        ck_assert_int_eq(ms, 42);
    }
    char text[TIME_TEXT_SIZE];
    time_to_text(INT64_MIN, text);
    ck_assert_str_eq(text, "-");
    time_to_text(INT64_MAX, text);
    ck_assert_str_eq(text, "-");
}
END_TEST

START_TEST(offsets) {
    char text[TIME_TEXT_SIZE];
    time_to_text_at(1767225600000, 3600, text);
    ck_assert_str_eq(text, "2026-01-01T01:00:00+01:00");
    time_to_text_at(1767225600001, -12600, text);
    ck_assert_str_eq(text, "2025-12-31T20:30:00.001-03:30");
    time_to_text_at(1767225600000, 0, text);
    ck_assert_str_eq(text, "2026-01-01T00:00:00Z");
    time_to_text_at(0, 86400, text);
    ck_assert_str_eq(text, "-");
    time_to_text_at(TIME_MAX_MS, 60, text);
    ck_assert_str_eq(text, "-");
}
END_TEST

START_TEST(the_calendar_agrees_with_libc) {
    int64_t last = time_days_from_date(9999, 12, 31);
    int64_t step = suite_is_slow() ? 997 : 13;
    for (int64_t day = time_days_from_date(1, 1, 1); day <= last; day += step) {
        int64_t year;
        int month, mday;
        struct tm tm;
        time_t t = (time_t)(day * 86400);
        time_date_from_days(day, &year, &month, &mday);
        ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
        ck_assert_int_eq(year, tm.tm_year + 1900);
        ck_assert_int_eq(month, tm.tm_mon + 1);
        ck_assert_int_eq(mday, tm.tm_mday);
        ck_assert_int_eq(time_days_from_date(year, month, mday), day);
    }
    ck_assert_int_eq(time_days_in_month(2000, 2), 29);
    ck_assert_int_eq(time_days_in_month(1900, 2), 28);
    ck_assert_int_eq(time_days_in_month(2026, 12), 31);
}
END_TEST

SUITE_MAIN("time", known_instants, what_is_no_instant, offsets, the_calendar_agrees_with_libc)
