/* base/text: numbers, durations, UTF-8, near misses; base/sha256. */
#include "suite.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "base/text.h"

START_TEST(beginnings_ends_and_equality) {
    ck_assert(text_same(NULL, ""));
    ck_assert(text_same("a", "a"));
    ck_assert(!text_same("a", NULL));
    ck_assert(text_starts("models:/x", "models:/"));
    ck_assert(!text_starts("mod", "models:/"));
    ck_assert(text_ends("a.yaml", ".yaml"));
    ck_assert(!text_ends("yaml", ".yaml"));
    ck_assert(text_ends("x", ""));
}
END_TEST

START_TEST(utf8) {
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "gr\xc3\xbc\xc3\x9f"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x21",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "ok\xfe",
                                      "\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(text_is_utf8(good[i]), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!text_is_utf8(bad[i]), "bad %zu", i);
    ck_assert_uint_eq(text_utf8_length("a", 0), 0);
    ck_assert_uint_eq(text_utf8_length("\xc3\xbc", 1), 0); /* cut */
    ck_assert_uint_eq(text_utf8_length("\xc3\xbc", 2), 2);
}
END_TEST

START_TEST(whole_numbers) {
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"007", 7},
                {"-5", -5},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    int64_t value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert(text_to_int64(good[i].text, &value));
        ck_assert_int_eq(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        value = 42;
        ck_assert_msg(!text_to_int64(bad[i], &value), "%s", bad[i]);
        ck_assert_int_eq(value, 42);
    }
}
END_TEST

START_TEST(reals_are_read_whatever_the_locale) {
    static const char *const bad[] = {"",     ".",    "-",     "e5",  "1e",     "1e+",
                                      "0x10", " 1",   "1 ",    "1,5", "nan(1)", "infinit",
                                      "na",   "nano", "1.2.3", "--1"};
    /* Where there is such a locale at all, its decimal comma must not matter. */
    (void)(setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "de_DE"));
    double value = 0;
    char text[32];
    ck_assert(text_to_double("1.5", &value) && value == 1.5);
    ck_assert(text_to_double("-.5e1", &value) && value == -5);
    ck_assert(text_to_double("+5.", &value) && value == 5);
    ck_assert(text_to_double("1e-400", &value) && value == 0);
    ck_assert(text_to_double("1e400", &value) && isinf(value));
    ck_assert(text_to_double("NaN", &value) && isnan(value));
    ck_assert(text_to_double("-Infinity", &value) && isinf(value) && value < 0);
    ck_assert(text_to_double("inf", &value) && isinf(value) && value > 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!text_to_double(bad[i], &value), "%s", bad[i]);
    text_from_double(1234.5, text);
    ck_assert_str_eq(text, "1234.5");
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(reals_are_written_as_people_do) {
    static const struct {
        double value;
        const char *text;
    } table[] = {{0, "0"},
                 {-0.0, "-0"},
                 {0.9, "0.9"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1, "1"},
                 {-12.25, "-12.25"},
                 {100, "100"},
                 {1e15, "1000000000000000"},
                 {1e16, "1e+16"},
                 {123456789012345680.0, "1.2345678901234568e+17"},
                 {0.0001, "0.0001"},
                 {0.00012345, "0.00012345"},
                 {0.00001, "1e-05"},
                 {1e300, "1e+300"},
                 {5e-324, "5e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {(double)NAN, "nan"},
                 {(double)INFINITY, "inf"},
                 {-(double)INFINITY, "-inf"}};
    char text[32];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        text_from_double(table[i].value, text);
        ck_assert_str_eq(text, table[i].text);
    }
    /* Whatever the bits, the text reads back as the same number. */
    uint64_t bits = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < (suite_is_slow() ? 500 : 20000); i++) {
        double value, again;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &bits, sizeof value);
        text_from_double(value, text);
        ck_assert(text_to_double(text, &again));
        ck_assert_msg(memcmp(&value, &again, sizeof value) == 0 || isnan(value), "%s", text);
    }
}
END_TEST

START_TEST(durations) {
    static const struct {
        const char *text;
        int64_t ms;
        const char *back;
    } good[] = {{"0", 0, "0s"},          {"90", 90000, "1m30s"},       {"90s", 90000, "1m30s"},
                {"10m", 600000, "10m"},  {"1h30m", 5400000, "1h30m"},  {"2d", 172800000, "2d"},
                {"250ms", 250, "250ms"}, {"1s250ms", 1250, "1s250ms"}, {"1w", 604800000, "7d"}};
    static const char *const bad[] = {"",
                                      "-1",
                                      "m",
                                      "1 m",
                                      "1.5h",
                                      "1h30",
                                      "30m1h",
                                      "1m1m",
                                      "1x",
                                      "1hm",
                                      " 1",
                                      "1h ",
                                      "+1",
                                      "1H",
                                      "9223372036854775807",
                                      "9999999999999999999999s",
                                      "106751991168d"};
    char text[32];
    int64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(text_to_duration(good[i].text, &ms), "%s", good[i].text);
        ck_assert_int_eq(ms, good[i].ms);
        text_from_duration(ms, text);
        ck_assert_str_eq(text, good[i].back);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!text_to_duration(bad[i], &ms), "%s", bad[i]);
    text_from_duration(INT64_MAX, text);
    ck_assert_str_eq(text, "106751991167d7h12m55s807ms");
    text_from_duration(INT64_MIN, text);
    ck_assert_str_eq(text, "-106751991167d7h12m55s808ms");
}
END_TEST

START_TEST(near_misses) {
    static const char *const names[] = {"model_name", "model-uri", "workers", "timeout",
                                        "replicas"};
    static const struct {
        const char *word, *nearest;
    } table[] = {{"worker", "workers"},
                 {"wrokers", "workers"},
                 {"model-name", "model_name"},
                 {"modelname", "model_name"},
                 {"TIMEOUT", "timeout"},
                 {"time", "timeout"},
                 {"xyz", NULL},
                 {"", NULL},
                 {"w", NULL},
                 {"banana", NULL},
                 {"repicas", "replicas"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *found = text_nearest(table[i].word, names, 5);
        ck_assert_msg(text_same(found, table[i].nearest), "%s: %s", table[i].word,
                      found ? found : "nothing");
    }
    ck_assert_ptr_null(text_nearest("x", NULL, 0));
    char *word = mem_alloc(5001); /* far longer than any table */
    memset(word, 'a', 5000);
    ck_assert_ptr_null(text_nearest(word, names, 5));
    mem_free(word);
}
END_TEST

static void hash_of(const char *text, size_t len, size_t step, char hex[65]) {
    struct sha256 sum;
    sha256_start(&sum);
    for (size_t i = 0; i < len; i += step)
        sha256_add(&sum, text + i, len - i < step ? len - i : step);
    sha256_end(&sum, hex);
}

START_TEST(sha256_of_known_texts) {
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    char hex[65], other[65];
    hash_of("", 0, 1, hex);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_of("abc", 3, 3, hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_of(two_blocks, 56, 56, hex);
    ck_assert_str_eq(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = mem_alloc(1000000);
    memset(million, 'a', 1000000);
    hash_of(million, 1000000, 997, hex);
    ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    for (size_t len = 0; len < 200; len++) { /* every way to fill a block */
        hash_of(million, len, 200, hex);
        hash_of(million, len, 7, other);
        ck_assert_str_eq(hex, other);
    }
    mem_free(million);
}
END_TEST

SUITE_MAIN("text", beginnings_ends_and_equality, utf8, whole_numbers,
           reals_are_read_whatever_the_locale, reals_are_written_as_people_do, durations,
           near_misses, sha256_of_known_texts)
