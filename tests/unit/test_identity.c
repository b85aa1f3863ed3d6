/* Identities and names. */
#include "suite.h"

#include "base/mem.h"
#include "core/identity.h"

START_TEST(equality_is_exact) {
    struct identity a = {"ml", "digits", "deploy", "digits"};
    struct identity b = a;
    ck_assert(identity_same(&a, &b));
    const char **parts[] = {&b.deployer, &b.pipeline, &b.step, &b.model};
    for (size_t i = 0; i < 4; i++) {
        b = a;
        *parts[i] = "Digits";
        ck_assert(!identity_same(&a, &b));
        *parts[i] = "";
        ck_assert(!identity_same(&a, &b) && !identity_same(&b, &a));
        *parts[i] = NULL;
        ck_assert(!identity_same(&a, &b) && !identity_same(&b, &a));
    }
    struct identity empty = {"ml", "", NULL, "m"};
    struct identity other = {"ml", NULL, "", "m"};
    ck_assert(identity_same(&empty, &other));
}
END_TEST

START_TEST(empty_in_a_query_fits_everything) {
    struct identity full = {"ml", "digits", "deploy", "digits"};
    struct identity adhoc = {"ml", "", "", "digits"};
    struct identity any = {NULL, "", NULL, ""};
    ck_assert(identity_fits(&full, &any) && identity_fits(&adhoc, &any));
    struct identity by_model = {.model = "digits"};
    ck_assert(identity_fits(&full, &by_model) && identity_fits(&adhoc, &by_model));
    struct identity by_step = {.step = "deploy"};
    ck_assert(identity_fits(&full, &by_step) && !identity_fits(&adhoc, &by_step));
    struct identity wrong = {"ml", "digits", "deploy", "digit"};
    ck_assert(!identity_fits(&full, &wrong) && identity_fits(&full, &full));
    /* not the other way round: an ad hoc service is not every pipeline's */
    ck_assert(!identity_fits(&adhoc, &full));
}
END_TEST

typedef int (*name_check)(const char *, const char *, ctcd_error **);

static bool allowed(name_check check, const char *name) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    int rc = check("thing", name, &err);
    ck_assert(rc == 0 ? !err : rc == CTCD_E_INVALID && strstr(error_message(err), "thing"));
    ck_assert_int_eq(check("thing", name, NULL), rc);
    return rc == 0;
}

START_TEST(names) {
    static char long_name[300];
    memset(long_name, 'a', sizeof long_name);
    long_name[NAME_MAX_BYTES] = 0;
    static const struct {
        const char *name;
        bool text, plain, step;
    } rows[] = {
        {"digits", true, true, true},
        {"a", true, true, true},
        {"7", true, true, true},
        {"_x-1", true, true, true},
        {"v1.2", true, true, false},
        {"a.b.c", true, true, false},
        {".hidden", true, false, false},
        {"..", true, false, false},
        {"-d", true, false, false},
        {"--name", true, false, false},
        {"a b", true, false, false},
        {"a/b:c", true, false, false},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         true, false, false},
        {"\xf0\x9f\x98\x80", true, false, false},
        {"", false, false, false},
        {NULL, false, false, false},
        {"a\nb", false, false, false},
        {"a\tb", false, false, false},
        {"\x1b[31m", false, false, false},
        {"a\x7f", false, false, false},
        {"\xc2\x85", false, false, false}, /* NEL, a C1 control */
        {"\xc2\xa0", true, false, false},
        {"\xff", false, false, false},
        {"\xc3", false, false, false},
        {"\xed\xa0\x80", false, false, false},
        {long_name, true, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(allowed(name_check_text, rows[i].name) == rows[i].text, "row %zu", i);
        ck_assert_msg(allowed(name_check_plain, rows[i].name) == rows[i].plain, "row %zu", i);
        ck_assert_msg(allowed(name_check_step, rows[i].name) == rows[i].step, "row %zu", i);
    }
    long_name[NAME_PLAIN_MAX_BYTES] = 0;
    ck_assert(allowed(name_check_plain, long_name) && allowed(name_check_step, long_name));
    memset(long_name, 'a', NAME_MAX_BYTES + 1);
    long_name[NAME_MAX_BYTES + 1] = 0;
    ck_assert(!allowed(name_check_text, long_name));
}
END_TEST

START_TEST(whole_identities) {
    struct identity ok = {"ml", NULL, "", "a/b:c"};
    ck_assert_int_eq(identity_check(&ok, NULL), 0);
    struct identity bad = {"ml", "p\n", "", "m"};
    ck_assert_int_eq(identity_check(&bad, NULL), CTCD_E_INVALID);
    struct identity no_model = {"ml", "p", "s", ""};
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_int_eq(identity_check(&no_model, &err), CTCD_E_INVALID);
    ck_assert_str_eq(error_message(err), "the model name is empty");
    struct identity no_deployer = {NULL, "p", "s", "m"};
    ck_assert_int_eq(identity_check(&no_deployer, NULL), CTCD_E_INVALID);
}
END_TEST

START_TEST(in_words) {
    static const struct {
        struct identity identity;
        const char *text;
    } rows[] = {
        {{"ml", "digits", "deploy", "m"}, "model m of digits/deploy"},
        {{"ml", "digits", "", "m"}, "model m of digits"},
        {{"ml", NULL, "deploy", "m"}, "model m of deploy"},
        {{"ml", NULL, "", "m"}, "model m"},
        {{0}, "model "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        _cleanup_(mem_free_ptr) char *text = identity_text(&rows[i].identity);
        ck_assert_str_eq(text, rows[i].text);
        mem_test_fail_at(1);
        ck_assert_ptr_null(identity_text(&rows[i].identity));
        mem_test_fail_at(0);
    }
}
END_TEST

SUITE_MAIN("identity", equality_is_exact, empty_in_a_query_fits_everything, names, whole_identities,
           in_words)
