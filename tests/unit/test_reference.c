/* ${params.x} in texts and step.output as a value. */
#include "suite.h"

#include "base/mem.h"
#include "core/reference.h"

static const struct param_view params[] = {{"target", "0.90"},
                                           {"seed", "1"},
                                           {"empty", ""},
                                           {"nasty", "${params.seed} $$"},
                                           {"a-b_c", "x"}};
#define COUNT (sizeof params / sizeof params[0])

START_TEST(put_in) {
    static const char *const rows[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"${params.target}", "0.90"},
        {"--seed=${params.seed}", "--seed=1"},
        {"${params.seed}${params.seed}", "11"},
        {"a ${params.empty} b", "a  b"},
        {"${params.a-b_c}", "x"},
        /* what is put in is not looked at again */
        {"${params.nasty}", "${params.seed} $$"},
        /* dollars */
        {"$", "$"},
        {"$$", "$"},
        {"$$$", "$$"},
        {"$$$$", "$$"},
        {"$HOME $1 $(date)", "$HOME $1 $(date)"},
        {"$${HOME}", "${HOME}"},
        {"$${params.seed}", "${params.seed}"},
        {"$$${params.seed}", "$1"},
        {"$$$${params.seed}", "$${params.seed}"},
        {"costs 5$", "costs 5$"},
        {"}{", "}{"},
        {"gr\xc3\xbc\xc3\x9f"
         "e ${params.seed} \xe2\x82\xac",
         "gr\xc3\xbc\xc3\x9f"
         "e 1 \xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        _cleanup_(mem_free_ptr) char *text = NULL;
        ck_assert_int_eq(params_substitute(rows[i][0], params, COUNT, &text, NULL), 0);
        ck_assert_str_eq(text, rows[i][1]);
        bool changed = strcmp(rows[i][0], rows[i][1]) != 0;
        ck_assert(!changed || params_used(rows[i][0]));
    }
    ck_assert(!params_used("plain $HOME") && !params_used("") && !params_used(NULL));
}
END_TEST

START_TEST(refused) {
    static const char *const rows[][3] = {
        {"${params.targt}", "no parameter \"targt\"", "${params.target}"},
        {"${params.TARGET}", "no parameter \"TARGET\"", NULL},
        {"${params.xyz}", "no parameter \"xyz\"", NULL},
        {"${params.}", "only ${params.NAME}", "$${params.}"},
        {"${}", "only ${params.NAME}", NULL},
        {"${HOME}", "\"${HOME}\" is no reference", "$${HOME}"},
        {"${train.accuracy}", "no reference", NULL},
        {"${param.seed}", "no reference", NULL},
        {"${ params.seed }", "no reference", NULL},
        {"${params.seed", "no closing brace", "$${"},
        {"${", "no closing brace", NULL},
        {"a ${params.seed} ${params.seed", "no closing brace", NULL},
        {"${params.${params.seed}}", "no parameter \"${params.seed\"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        _cleanup_(error_done) ctcd_error *err = NULL;
        char *text = NULL;
        ck_assert_int_eq(params_substitute(rows[i][0], params, COUNT, &text, &err), CTCD_E_INVALID);
        ck_assert_int_eq(params_substitute(rows[i][0], params, COUNT, &text, NULL), CTCD_E_INVALID);
        ck_assert_ptr_null(text);
        ck_assert_msg(strstr(error_message(err), rows[i][1]), "%s", error_message(err));
        if (rows[i][2])
            ck_assert_msg(error_hint_text(err) && strstr(error_hint_text(err), rows[i][2]),
                          "row %zu: %s", i, error_hint_text(err));
    }
    char *text = NULL;
    ck_assert_int_eq(params_substitute("${params.seed}", NULL, 0, &text, NULL), CTCD_E_INVALID);
}
END_TEST

START_TEST(no_bomb) {
    enum { SIZE = 64 * 1024 };
    char *big = mem_alloc(SIZE + 1);
    memset(big, 'x', SIZE);
    const struct param_view one = {"p", big};
    char text[12 * 20 + 1] = "";
    for (size_t i = 0; i < 20; i++)
        memcpy(text + i * 11, "${params.p}", 12);
    char *made = NULL;
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_int_eq(params_substitute(text, &one, 1, &made, &err), CTCD_E_TOO_LARGE);
    text[16 * 11] = 0;
    ck_assert_int_eq(params_substitute(text, &one, 1, &made, NULL), 0);
    ck_assert_uint_eq(strlen(made), 16 * SIZE);
    mem_free(made);
    mem_free(big);
}
END_TEST

START_TEST(outputs) {
    static const char *const good[] = {"train.accuracy", "a.b", "step-1.out_2", "_.9"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct output_ref ref = {0};
        struct output_ref copy = {0};
        ck_assert_int_eq(output_ref_parse(good[i], &ref, NULL), 0);
        ck_assert_int_eq(output_ref_copy(&ref, &copy), 0);
        _cleanup_(mem_free_ptr) char *joined = mem_text("%s.%s", copy.step, copy.output);
        ck_assert_str_eq(joined, good[i]);
        output_ref_done(&ref);
        output_ref_done(&copy);
        output_ref_done(&copy);
    }
    static const char *const bad[] = {"",       ".",     "a",        "a.",          ".b",
                                      "a.b.c",  "a..b",  "a b.c",    "models:/x/1", "./model.pkl",
                                      "-a.b",   "a.-b",  "../m.pkl", "a.b\n",       "\xc3\xa4.b",
                                      "/a/b.c", "${a.b}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct output_ref ref = {0};
        _cleanup_(error_done) ctcd_error *err = NULL;
        ck_assert_msg(!output_ref_valid(bad[i]), "%s", bad[i]);
        ck_assert_int_eq(output_ref_parse(bad[i], &ref, &err), CTCD_E_INVALID);
        ck_assert_ptr_null(ref.step);
    }
    ck_assert(!output_ref_valid(NULL));
    struct output_ref ref = {0};
    ck_assert_int_eq(output_ref_parse(NULL, &ref, NULL), CTCD_E_INVALID);
    char name[300];
    memset(name, 'a', sizeof name);
    memcpy(name + 250, ".b", 3);
    ck_assert(!output_ref_valid(name));
    struct output_ref none = {0};
    struct output_ref copy = {.step = (char *)1};
    ck_assert_int_eq(output_ref_copy(&none, &copy), 0);
    ck_assert(!copy.step && !copy.output);
}
END_TEST

START_TEST(no_memory) {
    for (uint64_t nth = 1; nth < 100; nth++) {
        _cleanup_(error_done) ctcd_error *err = NULL;
        struct output_ref ref = {0};
        struct output_ref copy = {0};
        char *text = NULL;
        mem_test_fail_at(nth);
        int put = params_substitute("${params.seed} $$", params, COUNT, &text, &err);
        char *nothing = NULL;
        int unknown = params_substitute("${params.sed}", params, COUNT, &nothing, &err);
        int parsed = output_ref_parse("a.b", &ref, &err);
        int copied = parsed ? CTCD_E_NOMEM : output_ref_copy(&ref, &copy);
        bool all = mem_test_count() < nth;
        mem_test_fail_at(0);
        ck_assert((put == 0 && text) || (put == CTCD_E_NOMEM && !text));
        ck_assert((unknown == CTCD_E_INVALID || unknown == CTCD_E_NOMEM) && !nothing);
        ck_assert((parsed == 0 && ref.output) || (parsed == CTCD_E_NOMEM && !ref.step));
        ck_assert((copied == 0 && copy.output) || (copied == CTCD_E_NOMEM && !copy.step));
        mem_free(text);
        output_ref_done(&ref);
        output_ref_done(&copy);
        if (all)
            return;
    }
    ck_abort_msg("no end");
}
END_TEST

SUITE_MAIN("reference", put_in, refused, no_bomb, outputs, no_memory)
