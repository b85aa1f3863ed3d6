/* What the library says about itself, error objects, and the free of owned texts. */
#include "suite.h"

#include <ctcd/ctcd.h>

START_TEST(the_version_is_the_headers) {
    char expected[40];
    (void)snprintf(expected, sizeof expected, "%d.%d.%d", CTCD_VERSION_MAJOR, CTCD_VERSION_MINOR,
                   CTCD_VERSION_PATCH);
    ck_assert_str_eq(ctcd_version(), expected);
}
END_TEST

START_TEST(features_are_there_or_absent) {
    ck_assert_int_eq(ctcd_has_feature("mlflow"), 1);
    ck_assert_int_eq(ctcd_has_feature("interval"), 1);
    ck_assert_int_eq(ctcd_has_feature("time travel"), 0);
    ck_assert_int_eq(ctcd_has_feature(""), 0);
    ck_assert_int_eq(ctcd_has_feature(NULL), 0);
}
END_TEST

START_TEST(codes_have_names) {
    ck_assert_str_eq(ctcd_code_name(CTCD_OK), "CTCD_OK");
    ck_assert_str_eq(ctcd_code_name(CTCD_AGAIN), "CTCD_AGAIN");
    ck_assert_str_eq(ctcd_code_name(CTCD_E_TIMEOUT), "CTCD_E_TIMEOUT");
    ck_assert_str_eq(ctcd_code_name(CTCD_E_PROTOCOL), "CTCD_E_PROTOCOL");
    ck_assert_str_eq(ctcd_code_name(CTCD_E_NEVER), "CTCD_E_NEVER");
    ck_assert_str_eq(ctcd_code_name(12345), "unknown");
    ck_assert_str_eq(ctcd_code_name(-12345), "unknown");
}
END_TEST

START_TEST(nothing_is_accepted) {
    ctcd_free(NULL);
    ck_assert_ptr_null(ctcd_error_ref(NULL));
    ck_assert_ptr_null(ctcd_error_unref(NULL));
    ck_assert_int_eq(ctcd_error_code(NULL), 0);
    ck_assert_str_eq(ctcd_error_message(NULL), "");
    ck_assert_ptr_null(ctcd_error_hint(NULL));
    ck_assert_ptr_null(ctcd_error_details(NULL));
    ck_assert_int_eq(ctcd_error_http_status(NULL), 0);
    ck_assert_int_eq(ctcd_error_errno(NULL), 0);
    ck_assert_int_eq(ctcd_error_retryable(NULL), 0);
}
END_TEST

START_TEST(a_real_error_can_be_read_and_shared) {
    char folder[4096], path[4200];
    ctcd_context *context = NULL;
    ctcd_error *err = NULL;
    suite_folder(folder);
    /* A home below a file cannot be. */
    (void)snprintf(path, sizeof path, "%s/file", folder);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    (void)snprintf(path, sizeof path, "%s/file/home", folder);
    ck_assert_int_eq(ctcd_context_new(0, &context, NULL), 0);
    ck_assert_int_eq(ctcd_context_set_home(context, path, NULL), 0);
    int rc = ctcd_context_open(context, &err);
    ctcd_context_unref(context);
    suite_folder_remove(folder);
    ck_assert_int_lt(rc, 0);
    ck_assert_ptr_nonnull(err);
    ck_assert_int_eq(ctcd_error_code(err), rc);
    ck_assert_str_ne(ctcd_error_message(err), "");
    ck_assert_ptr_null(strchr(ctcd_error_message(err), '\n'));
    ck_assert_int_eq(ctcd_error_http_status(err), 0);
    ck_assert_int_eq(ctcd_error_retryable(err), 0);
    ctcd_error *other = ctcd_error_ref(err);
    ck_assert_ptr_eq(other, err);
    ck_assert_ptr_null(ctcd_error_unref(err));
    ck_assert_int_eq(ctcd_error_code(other), rc);
    ctcd_error_unref(other);
}
END_TEST

START_TEST(an_earlier_error_is_released) {
    ctcd_context *context = NULL;
    ctcd_error *err = NULL;
    ck_assert_int_eq(ctcd_context_new(0x10u, &context, &err), CTCD_E_INVALID);
    ctcd_error *first = ctcd_error_ref(err);
    ck_assert_int_eq(ctcd_context_new(0x20u, &context, &err), CTCD_E_INVALID);
    ck_assert_ptr_ne(err, first);
    ck_assert_str_ne(ctcd_error_message(err), ctcd_error_message(first));
    /* Success leaves it alone. */
    ctcd_error *second = err;
    ck_assert_int_eq(ctcd_context_new(0, &context, &err), 0);
    ck_assert_ptr_eq(err, second);
    ctcd_context_unref(context);
    ctcd_error_unref(first);
    ctcd_error_unref(err);
}
END_TEST

SUITE_MAIN("base", the_version_is_the_headers, features_are_there_or_absent, codes_have_names,
           nothing_is_accepted, a_real_error_can_be_read_and_shared, an_earlier_error_is_released)
