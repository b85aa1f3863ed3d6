/* base/error: making, changing, sharing, and running out of memory meanwhile. */
#include "suite.h"

#include <errno.h>
#include <pthread.h>

#include "base/error.h"

START_TEST(an_error_says_what_it_was_given) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    int rc = error_set(&err, CTCD_E_NOT_FOUND, "see: ctcd stack list", "no stack \"%s\"", "aws");
    ck_assert_int_eq(rc, CTCD_E_NOT_FOUND);
    ck_assert_int_eq(error_code(err), CTCD_E_NOT_FOUND);
    ck_assert_str_eq(error_message(err), "no stack \"aws\"");
    ck_assert_str_eq(error_hint_text(err), "see: ctcd stack list");
    ck_assert_ptr_null(error_details(err));
    ck_assert_int_eq(error_http_status(err), 0);
    ck_assert(!error_retryable(err));
    error_set_http(err, 503);
    error_set_retryable(err);
    ck_assert_int_eq(error_set_details(&err, "line 1\nline 2"), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(error_prefix(&err, "stack %d", 2), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(error_hint(&err, "try %s", "again"), CTCD_E_NOT_FOUND);
    ck_assert_str_eq(error_message(err), "stack 2: no stack \"aws\"");
    ck_assert_str_eq(error_hint_text(err), "try again");
    ck_assert_str_eq(error_details(err), "line 1\nline 2");
    ck_assert_int_eq(error_http_status(err), 503);
    ck_assert(error_retryable(err));
    error_set_details(&err, NULL);
    ck_assert_ptr_null(error_details(err));
    /* A new one may be made from the old. */
    error_set(&err, CTCD_E_FAILED, error_hint_text(err), "again: %s", error_message(err));
    ck_assert_str_eq(error_message(err), "again: stack 2: no stack \"aws\"");
    ck_assert_str_eq(error_hint_text(err), "try again");
}
END_TEST

/* What came from a file or a server cannot move the cursor, or look like a line of ours. */
START_TEST(a_terminal_obeys_none_of_it) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    error_set(&err, CTCD_E_INVALID, "not \x1b[2J\xff\nctcd: done", "a\nb\x1b[0m\x7f");
    ck_assert_str_eq(error_message(err), "a b [0m");
    ck_assert_str_eq(error_hint_text(err), "not  [2J? ctcd: done");
    error_hint(&err, "did you mean \"%s\"?", "\x1b[2J\r\n");
    ck_assert_str_eq(error_hint_text(err), "did you mean \" [2J  \"?");
    error_set_details(&err, "one\n\ttwo\x1b]0;x\x07\n");
    ck_assert_str_eq(error_details(err), "one\n\ttwo ]0;x \n");
}
END_TEST

START_TEST(nobody_has_to_want_an_error) {
    ck_assert_int_eq(error_set(NULL, CTCD_E_IO, NULL, "x"), CTCD_E_IO);
    ck_assert_int_eq(error_system(NULL, ENOSPC, "x"), CTCD_E_NO_SPACE);
    ck_assert_int_eq(error_nomem(NULL), CTCD_E_NOMEM);
    ck_assert_int_eq(error_prefix(NULL, "x"), CTCD_E_FAILED);
    ctcd_error *none = NULL;
    ck_assert_int_eq(error_hint(&none, "x"), CTCD_E_FAILED);
    ck_assert_int_eq(error_set_details(&none, "x"), CTCD_E_FAILED);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(error_code(NULL), 0);
    ck_assert_str_eq(error_message(NULL), "");
    ck_assert_ptr_null(error_hint_text(NULL));
    ck_assert_ptr_null(error_ref(NULL));
    ck_assert_ptr_null(error_unref(NULL));
    error_set_http(NULL, 1);
    error_set_retryable(NULL);
}
END_TEST

START_TEST(errno_gives_code_and_words) {
    static const struct {
        int os_errno, code;
    } table[] = {
        {ENOENT, CTCD_E_NOT_FOUND},   {ENOTDIR, CTCD_E_NOT_FOUND},
        {EACCES, CTCD_E_NOT_ALLOWED}, {EPERM, CTCD_E_NOT_ALLOWED},
        {EROFS, CTCD_E_NOT_ALLOWED},  {ENOMEM, CTCD_E_NOMEM},
        {ENOSPC, CTCD_E_NO_SPACE},    {EDQUOT, CTCD_E_NO_SPACE},
        {EEXIST, CTCD_E_EXISTS},      {EIO, CTCD_E_IO},
        {12345, CTCD_E_IO},
    };
    _cleanup_(error_done) ctcd_error *err = NULL;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_int_eq(error_system(&err, table[i].os_errno, "cannot read %s", "a"),
                         table[i].code);
        ck_assert_int_eq(error_code(err), table[i].code);
        ck_assert_int_eq(error_errno(err), table[i].os_errno);
        ck_assert_ptr_nonnull(strstr(error_message(err), "cannot read a: "));
    }
    error_system(&err, EACCES, "x");
    ck_assert_str_eq(error_message(err), "x: Permission denied");
}
END_TEST

START_TEST(a_shared_error_does_not_change) {
    ctcd_error *mine = NULL;
    error_system(&mine, EIO, "disk");
    error_set_http(mine, 500);
    ctcd_error *yours = error_ref(mine);
    error_prefix(&mine, "home");
    error_hint(&mine, "buy another");
    ck_assert_ptr_ne(mine, yours);
    ck_assert_str_eq(error_message(yours), "disk: Input/output error");
    ck_assert_ptr_null(error_hint_text(yours));
    ck_assert_str_eq(error_message(mine), "home: disk: Input/output error");
    ck_assert_int_eq(error_errno(mine), EIO);
    ck_assert_int_eq(error_http_status(mine), 500);
    error_unref(mine);
    error_unref(yours);
}
END_TEST

START_TEST(every_failed_allocation_leaves_an_error) {
    for (uint64_t nth = 1;; nth++) {
        _cleanup_(error_done) ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        int rc = error_set(&err, CTCD_E_TIMEOUT, "hint", "message %d", 1);
        error_set_details(&err, "details");
        error_prefix(&err, "prefix");
        error_hint(&err, "hint %d", 2);
        ctcd_error *other = error_ref(err);
        error_prefix(&err, "second");
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(rc, CTCD_E_TIMEOUT); /* the caller's code is not lost */
        ck_assert_ptr_nonnull(err);
        ck_assert_int_eq(error_code(err), CTCD_E_TIMEOUT); /* nor in the object */
        ck_assert_ptr_nonnull(error_message(err));
        error_unref(other);
        if (!reached)
            break;
    }
    for (uint64_t nth = 1; nth <= 3; nth++) {
        ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        ck_assert_int_eq(error_system(&err, EIO, "x"), CTCD_E_IO);
        mem_test_fail_at(0);
        ck_assert_int_eq(error_code(err), CTCD_E_IO);
        ck_assert_str_eq(error_message(err), "what went wrong cannot be said: out of memory");
        error_set_http(err, 1);
        error_set_retryable(err);
        ck_assert_int_eq(error_http_status(err), 0); /* shared by everybody */
        ck_assert_int_eq(error_prefix(&err, "x"), CTCD_E_IO);
        ck_assert_ptr_eq(error_ref(err), err);
        error_done(&err);
        ck_assert_ptr_null(err);
    }
}
END_TEST

static void *take_and_drop(void *err) {
    for (int i = 0; i < 10000; i++)
        error_unref(error_ref(err));
    return NULL;
}

START_TEST(without_memory_the_code_is_kept) {
    for (int code = CTCD_E_NEVER - 1; code <= 1; code++) {
        ctcd_error *err = NULL;
        mem_test_fail_from(1);
        ck_assert_int_eq(error_set(&err, code, "hint", "message"), code);
        mem_test_fail_at(0);
        bool known = code < 0 && code >= CTCD_E_NEVER;
        ck_assert_int_eq(error_code(err), known ? code : CTCD_E_NOMEM);
        ck_assert_ptr_nonnull(strstr(error_message(err), "out of memory"));
        ck_assert_ptr_null(error_hint_text(err));
        error_done(&err);
    }
}
END_TEST

START_TEST(references_are_counted_across_threads) {
    ctcd_error *err = NULL;
    pthread_t threads[4];
    error_set(&err, CTCD_E_IO, NULL, "x");
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_drop, err), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_str_eq(error_message(err), "x");
    error_done(&err);
}
END_TEST

START_TEST(codes_have_names) {
    ck_assert_str_eq(error_code_name(0), "CTCD_OK");
    ck_assert_str_eq(error_code_name(CTCD_NONE), "CTCD_NONE");
    ck_assert_str_eq(error_code_name(99), "unknown");
    for (int code = CTCD_E_NEVER; code <= CTCD_E_INVALID; code++)
        ck_assert_int_eq(strncmp(error_code_name(code), "CTCD_E_", 7), 0);
    ck_assert_str_eq(error_code_name(CTCD_E_NEVER - 1), "unknown");
}
END_TEST

SUITE_MAIN("error", an_error_says_what_it_was_given, a_terminal_obeys_none_of_it,
           nobody_has_to_want_an_error, errno_gives_code_and_words, a_shared_error_does_not_change,
           every_failed_allocation_leaves_an_error, without_memory_the_code_is_kept,
           references_are_counted_across_threads, codes_have_names)
