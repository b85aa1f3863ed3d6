/* The promotion rule: tests/table/decision.tsv, the words of its reasons, settings and their errors. */
#include "suite.h"

#include <math.h>

#include "base/text.h"
#include "core/decision.h"

struct row {
    char *rule, *candidate, *baseline, *verdict, *codes;
};

/* Splits a line at TABs in place; false = not five columns. */
static bool split_row(char *line, struct row *row) {
    char **columns[] = {&row->rule, &row->candidate, &row->baseline, &row->verdict, &row->codes};
    for (size_t i = 0; i < 5; i++) {
        *columns[i] = strsep(&line, "\t");
        if (!*columns[i])
            return false;
    }
    return !line;
}

/* "accuracy=0.9" as the metric of a rule. */
static struct metric metric_of(const char *text, const char *metric) {
    struct metric made = {.kind = METRIC_MISSING};
    size_t length = strlen(metric);
    if (strncmp(text, metric, length) != 0 || text[length] != '=')
        return made;
    bool number = text_to_double(text + length + 1, &made.number);
    made.kind = number ? METRIC_NUMBER : METRIC_OTHER;
    return made;
}

static void rule_of(const char *text, const char *candidate, struct decision_rule *rule) {
    char copy[256];
    char *rest = copy;
    snprintf(copy, sizeof copy, "%s", strcmp(text, "-") != 0 ? text : "");
    char metric[64];
    snprintf(metric, sizeof metric, "%.*s", (int)strcspn(candidate, "="), candidate);
    ck_assert_int_eq(decision_rule_set(rule, "metric", metric, NULL), 0);
    for (char *setting; (setting = strsep(&rest, " ")) != NULL;) {
        if (!*setting)
            continue;
        char *value = strchr(setting, '=');
        ck_assert_msg(value, "no value: %s", setting);
        *value++ = 0;
        _cleanup_(error_done) ctcd_error *err = NULL;
        int rc = decision_rule_set(rule, setting, value, &err);
        ck_assert_msg(rc == 0, "%s=%s: %s", setting, value, error_message(err));
    }
}

static void check_row(struct row row, int line) {
    struct decision_rule rule = {0};
    rule_of(row.rule, row.candidate, &rule);
    struct metric candidate = metric_of(row.candidate, rule.metric);
    struct metric baseline = metric_of(row.baseline, rule.metric);
    bool incumbent = strcmp(row.baseline, "-") != 0;
    struct decision decision = {0};
    ck_assert_int_eq(decision_make(&rule, &candidate, incumbent ? &baseline : NULL, &decision), 0);
    _cleanup_(mem_free_ptr) char *codes = decision_codes(&decision);
    _cleanup_(mem_free_ptr) char *words = decision_reasons_text(&decision);
    ck_assert_msg(strcmp(verdict_name(decision.verdict), row.verdict) == 0,
                  "line %d: %s instead of %s (%s)", line, verdict_name(decision.verdict),
                  row.verdict, words);
    ck_assert_msg(strcmp(codes, row.codes) == 0, "line %d: %s instead of %s (%s)", line, codes,
                  row.codes, words);
    ck_assert_uint_gt(decision.reason_count, 0); /* whatever is decided says why */
    ck_assert_ptr_nonnull(strchr(words, ' '));
    decision_done(&decision);
    decision_rule_done(&rule);
}

START_TEST(table) {
    char path[4096];
    suite_source(path, "tests/table/decision.tsv");
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "cannot open %s", path);
    char text[1024];
    int line = 0;
    int rows = 0;
    while (fgets(text, sizeof text, file)) {
        line++;
        text[strcspn(text, "\n")] = 0;
        if (!*text || *text == '#')
            continue;
        struct row row;
        ck_assert_msg(split_row(text, &row), "line %d has not five columns", line);
        check_row(row, line);
        rows++;
    }
    fclose(file);
    ck_assert_int_ge(rows, 60);
}
END_TEST

/* candidate NAN = missing; baseline NAN = no incumbent. */
static void says(const char *rule_text, double candidate, double baseline, const char *want) {
    struct decision_rule rule = {0};
    rule_of(rule_text, "accuracy=", &rule);
    struct metric c = {isnan(candidate) ? METRIC_MISSING : METRIC_NUMBER, candidate};
    struct metric b = {METRIC_NUMBER, baseline};
    struct decision decision = {0};
    ck_assert_int_eq(decision_make(&rule, &c, isnan(baseline) ? NULL : &b, &decision), 0);
    _cleanup_(mem_free_ptr) char *words = decision_reasons_text(&decision);
    ck_assert_str_eq(words, want);
    decision_done(&decision);
    decision_rule_done(&rule);
}

START_TEST(reasons_in_words) {
    says("threshold=0.9", 0.944, NAN, "accuracy 0.944 >= 0.9, no incumbent");
    says("threshold=0.9 comparison=gt", 0.9, NAN, "accuracy 0.9 is not > 0.9, no incumbent");
    says("threshold=0.5 greater_is_better=false", 0.25, NAN, "accuracy 0.25 <= 0.5, no incumbent");
    says("threshold=0.9 min_absolute_change=0.002", 0.966, 0.944,
         "accuracy 0.966 >= 0.9, +0.022 over the incumbent's 0.944 (at least +0.002 wanted)");
    says("min_absolute_change=0.002", 0.934, 0.944,
         "0.01 below the incumbent's 0.944 (at least +0.002 wanted)");
    says("min_absolute_change=0.05 greater_is_better=false", 0.2, 0.3,
         "0.1 below the incumbent's 0.3 (at most -0.05 wanted)");
    says("min_absolute_change=0 comparison=gt", 0.9, 0.9,
         "0 over the incumbent's 0.9 (more than 0 wanted)");
    says("min_relative_change=0.01", 0.55, 0.5,
         "+10 % over the incumbent's 0.5 (at least +1 % wanted)");
    says("min_relative_change=0.01", 1, 0, "+1 over the incumbent's 0 (at least +1e-10 wanted)");
    says("no_incumbent=always threshold=0.9", 0.1, NAN,
         "accuracy 0.1, and no incumbent: any model is better than none");
    says("no_incumbent=hold", 0.1, NAN, "no incumbent, and the rule holds without one");
    says("threshold=0.9", NAN, NAN, "the candidate has no accuracy");
    says("-", 0.1, 0.2, "accuracy 0.1, and the rule asks for no more");
    says("threshold=0", -0.0, NAN, "accuracy 0 >= 0, no incumbent");
}
END_TEST

static void refuses(const char *key, const char *value, const char *message, const char *hint) {
    struct decision_rule rule = {.threshold = {true, 0.5}, .strict = true};
    struct decision_rule before = rule;
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_int_eq(decision_rule_set(&rule, key, value, &err), CTCD_E_INVALID);
    ck_assert_int_eq(decision_rule_set(&rule, key, value, NULL), CTCD_E_INVALID);
    ck_assert_msg(strstr(error_message(err), message), "%s", error_message(err));
    if (hint)
        ck_assert_msg(error_hint_text(err) && strstr(error_hint_text(err), hint), "%s", hint);
    ck_assert_int_eq(memcmp(&rule, &before, sizeof rule), 0);
}

START_TEST(settings_are_checked) {
    refuses("treshold", "0.9", "no setting \"treshold\"", "\"threshold\"");
    refuses("min_abs_change", "0.9", "min_abs_change", "min_absolute_change");
    refuses("", "0.9", "no setting", NULL);
    refuses("threshold", "nan", "threshold: \"nan\" is not a finite number", NULL);
    refuses("threshold", "inf", "finite", NULL);
    refuses("threshold", "-infinity", "finite", NULL);
    refuses("threshold", "1e999", "finite", NULL);
    refuses("threshold", "", "finite", NULL);
    refuses("threshold", "0,9", "finite", NULL);
    refuses("threshold", "0.9 ", "finite", NULL);
    refuses("min_relative_change", "10%", "finite", NULL);
    refuses("comparison", "gte", "is none of: ge, gt", "ge");
    refuses("comparison", "", "none of", NULL);
    refuses("greater_is_better", "True", "none of: true, false", "true");
    refuses("no_incumbent", "alway", "none of: threshold_only, always, hold", "always");
    refuses("metric", "", "metric", NULL);
    refuses("metric", "\xff", "metric", NULL);
}
END_TEST

START_TEST(settings_read_back) {
    struct decision_rule rule = {0};
    char text[64] = "untouched";
    ck_assert(!decision_rule_get(&rule, "threshold", text));
    ck_assert(!decision_rule_get(&rule, "metric", text));
    ck_assert(!decision_rule_get(&rule, "nothing", text));
    ck_assert_str_eq(text, "untouched");
    static const char *const settings[][2] = {
        {"threshold", "0.9"},
        {"min_absolute_change", "0.002"},
        {"min_relative_change", "0.01"},
        {"greater_is_better", "false"},
        {"comparison", "gt"},
        {"no_incumbent", "hold"},
    };
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(decision_rule_set(&rule, settings[i][0], settings[i][1], NULL), 0);
        ck_assert(decision_rule_get(&rule, settings[i][0], text));
        ck_assert_str_eq(text, settings[i][1]);
    }
    size_t keys = 0;
    while (decision_rule_keys()[keys])
        keys++;
    ck_assert_uint_eq(keys, 7);
    decision_rule_done(&rule);
    decision_rule_done(&rule);
}
END_TEST

START_TEST(no_memory) {
    for (uint64_t nth = 1;; nth++) {
        struct decision_rule rule = {.threshold = {true, 0.9},
                                     .min_absolute_change = {true, 0.1},
                                     .min_relative_change = {true, 0.1}};
        struct metric candidate = {METRIC_NUMBER, 0.8};
        struct metric baseline = {METRIC_NUMBER, 0.7};
        struct decision decision = {.verdict = 77};
        _cleanup_(error_done) ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        int rc = decision_rule_set(&rule, "metric", "accuracy", &err);
        int made = decision_make(&rule, &candidate, &baseline, &decision);
        char *words = made ? NULL : decision_reasons_text(&decision);
        char *codes = made ? NULL : decision_codes(&decision);
        int refused = decision_rule_set(&rule, "comparison", "gtt", &err);
        bool all = mem_test_count() < nth;
        mem_test_fail_at(0);
        ck_assert(rc == 0 || rc == CTCD_E_NOMEM);
        ck_assert(made == 0 || (made == CTCD_E_NOMEM && decision.verdict == 77));
        ck_assert(refused == CTCD_E_INVALID || refused == CTCD_E_NOMEM);
        mem_free(words);
        mem_free(codes);
        if (!made)
            decision_done(&decision);
        decision_rule_done(&rule);
        if (all)
            break;
    }
}
END_TEST

START_TEST(names) {
    ck_assert_str_eq(verdict_name(CTCD_VERDICT_PROMOTE), "promote");
    ck_assert_ptr_null(verdict_name(0));
    ck_assert_ptr_null(verdict_name(99));
    ck_assert_str_eq(reason_weight_name(REASON_FAILED), "failed");
    ck_assert_ptr_null(reason_weight_name((enum reason_weight)99));
}
END_TEST

SUITE_MAIN("decision", table, reasons_in_words, settings_are_checked, settings_read_back, no_memory,
           names)
