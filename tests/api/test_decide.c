/* Decisions as programs ask for them: the table of tests/table/decision.tsv as JSON, what is refused, and how a
   decision prints itself. No context: it is pure. */
#include "api.h"

struct row {
    char *rule, *candidate, *baseline, *verdict, *codes;
};

/* Splits a line at TABs in place; false = not five columns. */
static bool split_row(char *line, struct row *row) {
    char **columns[] = {&row->rule, &row->candidate, &row->baseline, &row->verdict, &row->codes};
    for (size_t i = 0; i < 5; i++)
        if (!(*columns[i] = strsep(&line, "\t")))
            return false;
    return !line;
}

/* Adds `"name": value`; numbers as JSON and Python write them, everything else is a text. */
static void add_member(char *json, size_t size, const char *name, const char *value) {
    static const struct {
        const char *table, *json;
    } words[] = {{"nan", "NaN"},
                 {"inf", "Infinity"},
                 {"-inf", "-Infinity"},
                 {"true", "true"},
                 {"false", "false"}};
    char *end, quoted[100];
    (void)strtod(value, &end);
    const char *shown = value;
    if (!*value || *end) {
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", value);
        shown = quoted;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(value, words[i].table) == 0)
            shown = words[i].json;
    size_t at = strlen(json);
    int n = snprintf(json + at, size - at, "%s\"%s\": %s", json[1] ? ", " : "", name, shown);
    ck_assert(n > 0 && (size_t)n < size - at);
}

/* Settings separated by blanks, "-" for none, as the members of an object. */
static void object_of(const char *settings, const char *metric, char json[1000]) {
    char copy[500], *rest = copy;
    strcpy(json, "{");
    (void)snprintf(copy, sizeof copy, "%s", strcmp(settings, "-") != 0 ? settings : "");
    if (metric && !strstr(settings, "metric="))
        add_member(json, 1000, "metric", metric);
    for (char *setting; (setting = strsep(&rest, " "));) {
        char *value = strchr(setting, '=');
        if (!*setting)
            continue;
        ck_assert_ptr_nonnull(value);
        *value++ = '\0';
        add_member(json, 1000, setting, value);
    }
    strcat(json, "}");
}

/* The codes of the reasons that did not pass, in the decision's JSON: "threshold,no_incumbent", "-" for none. */
static void codes_of(const ctcd_decision *decision, char codes[300]) {
    char *text = NULL;
    ok(ctcd_decision_format(decision, "json", &text, &err));
    codes[0] = '\0';
    for (const char *at = text; (at = strstr(at, "\"code\": \""));) {
        const char *code = at + strlen("\"code\": \""), *end = strchr(code, '"');
        const char *weight = strstr(end, "\"weight\": \"");
        ck_assert_ptr_nonnull(weight);
        if (strncmp(weight + strlen("\"weight\": \""), "passed\"", 7) != 0) {
            size_t used = strlen(codes);
            (void)snprintf(codes + used, 300 - used, "%s%.*s", used ? "," : "", (int)(end - code),
                           code);
        }
        at = weight;
    }
    if (!codes[0])
        strcpy(codes, "-");
    ctcd_free(text);
}

static void check_row(const struct row *row, int line) {
    static const char *const names[] = {"", "promote", "reject", "inconclusive"};
    char rule[1000], candidate[1000], baseline[1000], metric[64], codes[300];
    ctcd_decision *decision = NULL;
    (void)snprintf(metric, sizeof metric, "%.*s", (int)strcspn(row->candidate, "="),
                   row->candidate);
    object_of(row->rule, metric, rule);
    object_of(row->candidate, NULL, candidate);
    object_of(row->baseline, NULL, baseline);
    bool incumbent = strcmp(row->baseline, "-") != 0;
    int rc = ctcd_decide(rule, candidate, incumbent ? baseline : NULL, &decision, &err);
    ck_assert_msg(rc == 0, "line %d: %s", line, ctcd_error_message(err));
    ck_assert_msg(strcmp(ctcd_decision_verdict_name(decision), row->verdict) == 0,
                  "line %d: %s instead of %s", line, ctcd_decision_verdict_name(decision),
                  row->verdict);
    ck_assert_str_eq(names[ctcd_decision_verdict(decision)], row->verdict);
    codes_of(decision, codes);
    ck_assert_msg(strcmp(codes, row->codes) == 0, "line %d: %s instead of %s", line, codes,
                  row->codes);
    ck_assert_str_ne(ctcd_decision_reasons(decision), "");
    ck_assert_ptr_null(ctcd_decision_unref(decision));
}

START_TEST(the_table_holds_through_the_api) {
    char path[4096], text[1024];
    suite_source(path, "tests/table/decision.tsv");
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    int line = 0, rows = 0;
    while (fgets(text, sizeof text, file)) {
        struct row row;
        line++;
        text[strcspn(text, "\n")] = '\0';
        if (!*text || *text == '#')
            continue;
        ck_assert_msg(split_row(text, &row), "line %d has not five columns", line);
        check_row(&row, line);
        rows++;
    }
    (void)fclose(file);
    ck_assert_int_ge(rows, 60);
}
END_TEST

START_TEST(a_decision_says_why) {
    ctcd_decision *decision = NULL;
    char *text = NULL;
    ok(ctcd_decide("{\"metric\": \"accuracy\", \"threshold\": 0.9, \"min_absolute_change\": 0.002}",
                   "{\"accuracy\": 0.944, \"loss\": 0.1}", "{\"accuracy\": 0.93}", &decision,
                   &err));
    ck_assert_int_eq(ctcd_decision_verdict(decision), CTCD_VERDICT_PROMOTE);
    ck_assert_has(ctcd_decision_reasons(decision), "accuracy 0.944 >= 0.9");
    ck_assert_has(ctcd_decision_reasons(decision), "+0.014");
    double number = 0;
    ck_assert_str_eq(ctcd_decision_metric(decision), "accuracy");
    ck_assert_int_eq(ctcd_decision_number(decision, "candidate", &number), 0);
    ck_assert(number == 0.944);
    ck_assert_int_eq(ctcd_decision_number(decision, "incumbent", &number), 0);
    ck_assert(number == 0.93);
    ck_assert_int_eq(ctcd_decision_number(decision, "threshold", &number), 0);
    ck_assert(number == 0.9);
    ck_assert_int_eq(ctcd_decision_number(decision, "threshold", NULL), 0);
    ck_assert_int_eq(ctcd_decision_number(decision, "loss", &number), CTCD_NONE);
    ck_assert_int_eq(ctcd_decision_number(NULL, "threshold", &number), CTCD_NONE);
    ck_assert(number == 0.9);
    ck_assert_str_eq(ctcd_decision_metric(NULL), "");
    ok(ctcd_decision_format(decision, "json", &text, &err));
    ck_assert_has(text, "\"verdict\": \"promote\"");
    ck_assert_has(text, "\"rule\": {");
    ck_assert_has(text, "\"loss\": 0.1");
    ck_assert_has(text, "\"baseline\": {");
    ctcd_free(text);
    ok(ctcd_decision_format(decision, "yaml", &text, &err));
    ck_assert_has(text, "verdict: promote\n");
    ck_assert_has(text, "reasons:\n");
    ctcd_free(text);
    text = NULL;
    fails(ctcd_decision_format(decision, "name", &text, &err), CTCD_E_INVALID); /* it has none */
    fails(ctcd_decision_format(decision, NULL, &text, &err), CTCD_E_INVALID);
    fails(ctcd_decision_format(decision, "json", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_decision_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    ck_assert_ptr_eq(ctcd_decision_ref(decision), decision);
    ctcd_decision_unref(decision);
    ctcd_decision_unref(decision);
    ok(ctcd_decide("{\"metric\": \"accuracy\"}", "{\"accuracy\": 0.5}", NULL, &decision, &err));
    ok(ctcd_decision_format(decision, "json", &text, &err));
    ck_assert_has(text, "\"baseline\": null");
    ctcd_free(text);
    ctcd_decision_unref(decision);
}
END_TEST

START_TEST(texts_and_numbers_are_the_same_in_a_rule) {
    static const char *const rules[] = {
        "{\"metric\": \"m\", \"threshold\": 0.9, \"greater_is_better\": false}",
        "{\"metric\": \"m\", \"threshold\": \"0.9\", \"greater_is_better\": \"false\"}",
    };
    for (size_t i = 0; i < 2; i++) {
        ctcd_decision *decision = NULL;
        ok(ctcd_decide(rules[i], "{\"m\": 0.5}", NULL, &decision, &err));
        ck_assert_int_eq(ctcd_decision_verdict(decision), CTCD_VERDICT_PROMOTE);
        ctcd_decision_unref(decision);
    }
}
END_TEST

START_TEST(what_cannot_be_decided_is_refused) {
    static const struct {
        const char *rule, *candidate, *incumbent, *part, *hint;
    } cases[] = {
        {"", "{}", NULL, "rule", NULL},
        {"[]", "{}", NULL, "rule", NULL},
        {"{}", "{}", NULL, "metric", "metric"},
        {"{\"metric\": 7", "{}", NULL, "rule", NULL},
        {"{\"metric\": \"m\", \"metric\": \"n\"}", "{}", NULL, "rule", NULL},
        {"{\"metric\": \"m\", \"treshold\": 1}", "{}", NULL, "treshold", "threshold"},
        {"{\"metric\": \"m\", \"threshold\": \"high\"}", "{}", NULL, "threshold", NULL},
        {"{\"metric\": \"m\", \"threshold\": NaN}", "{}", NULL, "threshold", NULL},
        {"{\"metric\": \"m\", \"threshold\": [1]}", "{}", NULL, "threshold", NULL},
        {"{\"metric\": \"m\", \"comparison\": \"lt\"}", "{}", NULL, "comparison", NULL},
        {"{\"metric\": \"m\", \"no_incumbent\": \"never\"}", "{}", NULL, "no_incumbent", NULL},
        {"{\"metric\": \"m\", \"greater_is_better\": \"very\"}", "{}", NULL, "greater_is_better",
         NULL},
        {"{\"metric\": \"\"}", "{}", NULL, "metric", NULL},
        {"{\"metric\": \"m\"}", "0.9", NULL, "candidate", NULL},
        {"{\"metric\": \"m\"}", "{\"m\": }", NULL, "candidate", NULL},
        {"{\"metric\": \"m\"}", "{}", "null", "incumbent", NULL},
        {"{\"metric\": \"m\"}", "{}", "", "incumbent", NULL},
    };
    ctcd_decision *decision = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fails(ctcd_decide(cases[i].rule, cases[i].candidate, cases[i].incumbent, &decision, &err),
              CTCD_E_INVALID);
        ck_assert_has(ctcd_error_message(err), cases[i].part);
        if (cases[i].hint)
            ck_assert_has(ctcd_error_hint(err), cases[i].hint);
        ck_assert_ptr_null(decision);
    }
    fails(ctcd_decide(NULL, "{}", NULL, &decision, &err), CTCD_E_INVALID);
    fails(ctcd_decide("{}", NULL, NULL, &decision, &err), CTCD_E_INVALID);
    fails(ctcd_decide("{}", "{}", NULL, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(decision);
    ck_assert_int_eq(ctcd_decision_verdict(NULL), 0);
    ck_assert_str_eq(ctcd_decision_verdict_name(NULL), "");
    ck_assert_str_eq(ctcd_decision_reasons(NULL), "");
    ck_assert_ptr_null(ctcd_decision_ref(NULL));
    ck_assert_ptr_null(ctcd_decision_unref(NULL));
}
END_TEST

SUITE_MAIN_WITH("decide", api_open, api_close, the_table_holds_through_the_api, a_decision_says_why,
                texts_and_numbers_are_the_same_in_a_rule, what_cannot_be_decided_is_refused)
