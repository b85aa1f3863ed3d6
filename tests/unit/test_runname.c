/* Names of runs, whatever locale and time zone the host has. */
#include "suite.h"

#include <ctcd/base.h>
#include <locale.h>
#include <time.h>

#include "base/mem.h"
#include "base/time.h"
#include "core/runname.h"

static void named(const char *pipeline, int64_t ms, int us, const char *want) {
    _cleanup_(mem_free_ptr) char *name = run_name(pipeline, ms, us);
    ck_assert_ptr_nonnull(name);
    ck_assert_str_eq(name, want);
}

static void all_named(void) {
    named("digits", 0, 0, "digits-01_Jan_70-00_00_00_000000");
    named("continuous_deployment_pipeline", 1649669967648, 527,
          "continuous_deployment_pipeline-11_Apr_22-09_39_27_648527");
    named("p", 951868799999, 999, "p-29_Feb_00-23_59_59_999999");
    named("p", 1798761599000, 1, "p-31_Dec_26-23_59_59_000001");
    named("p", -1, 0, "p-31_Dec_69-23_59_59_999000");
    named("p", -86400000, 0, "p-31_Dec_69-00_00_00_000000");
    named("p", TIME_MIN_MS, 0, "p-01_Jan_01-00_00_00_000000");
    named("p", TIME_MAX_MS, 999, "p-31_Dec_99-23_59_59_999999");
    named("p", 5, 1000, "p-01_Jan_70-00_00_00_005000");
    named("p", 5, -1, "p-01_Jan_70-00_00_00_005999");
    named("p", 5, INT32_MIN, "p-01_Jan_70-00_00_00_005352");
    named("", 0, 0, "-01_Jan_70-00_00_00_000000");
}

START_TEST(as_zenml_words_them) {
    all_named();
}
END_TEST

START_TEST(in_other_places) {
    setenv("TZ", "America/New_York", 1);
    tzset();
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        setlocale(LC_ALL, ""); /* whatever this machine has */
    all_named();
    setlocale(LC_ALL, "C");
    unsetenv("TZ");
    tzset();
}
END_TEST

START_TEST(every_month) {
    static const char words[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (int month = 1; month <= 12; month++) {
        char want[96];
        snprintf(want, sizeof want, "p-15_%s_24-00_00_00_000000", words[month - 1]);
        named("p", time_days_from_date(2024, month, 15) * 86400000, 0, want);
    }
}
END_TEST

START_TEST(not_at_all) {
    ck_assert_ptr_null(run_name("p", CTCD_TIME_NONE, 0));
    ck_assert_ptr_null(run_name("p", INT64_MAX, 0));
    ck_assert_ptr_null(run_name("p", TIME_MIN_MS - 1, 0));
    ck_assert_ptr_null(run_name("p", TIME_MAX_MS + 1, 0));
    mem_test_fail_at(1);
    ck_assert_ptr_null(run_name("p", 0, 0));
    mem_test_fail_at(0);
}
END_TEST

SUITE_MAIN("runname", as_zenml_words_them, in_other_places, every_month, not_at_all)
