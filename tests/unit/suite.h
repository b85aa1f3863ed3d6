/* What every C test file needs: a main() around check(1), and folders of its own. Header only.

       #include "suite.h"
       #include "base/buf.h"

       START_TEST(append_grows)
       {
           ck_assert_int_eq(...);
       }
       END_TEST

       SUITE_MAIN("buf", append_grows, append_refuses_overflow)

   A file is one program: tests/unit (linked with libctcd-test.a), tests/api (with libctcd.so), tests/fault.
   `make build/test/test_buf && build/test/test_buf` runs it by hand; CK_RUN_CASE, CK_FORK=no and
   CK_VERBOSITY=verbose are check's own switches. With CK_FORK=no (as under valgrind) all tests share
   one process: what needs one of its own asks suite_forks() first. */
#ifndef CTCD_TESTS_SUITE_H
#define CTCD_TESTS_SUITE_H

#include <check.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds that one test may take; a net for tests that hang, generous because machines are busy. */
#define SUITE_TIMEOUT "60"

/* The fixtures may be NULL; they run in the test's own process, before and after each test. */
static inline int suite_run(const char *name, const TTest *const *tests, size_t count,
                            void (*setup)(void), void (*teardown)(void)) {
    setenv("CK_DEFAULT_TIMEOUT", SUITE_TIMEOUT, 0);
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < count; i++) {
        /* A case for each test, so that CK_RUN_CASE can choose one. */
        TCase *test = tcase_create(tests[i]->name);
        tcase_add_checked_fixture(test, setup, teardown);
        tcase_add_test(test, tests[i]);
        suite_add_tcase(suite, test);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define SUITE_MAIN_WITH(name, setup, teardown, ...)                                                \
    int main(void) {                                                                               \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return suite_run(name, tests, sizeof tests / sizeof *tests, setup, teardown);              \
    }
#define SUITE_MAIN(name, ...) SUITE_MAIN_WITH(name, NULL, NULL, __VA_ARGS__)

/* Does each test run in a process of its own? */
static inline bool suite_forks(void) {
    const char *fork = getenv("CK_FORK");
    return !fork || strcmp(fork, "no") != 0;
}

/* Under valgrind everything takes ten times longer: fewer rounds will do. */
static inline bool suite_is_slow(void) {
    return getenv("TEST_VALGRIND") != NULL;
}

/* A new empty folder; its absolute path is written to ret. */
static inline void suite_folder(char ret[4096]) {
    const char *base = getenv("TMPDIR");
    char here[4096] = "";
    if (base && base[0] != '/')
        ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    int n = snprintf(ret, 4096, "%s%s%s/ctcd-test.XXXXXX", here, here[0] ? "/" : "",
                     base && base[0] ? base : "/tmp");
    ck_assert_int_lt(n, 4096);
    ck_assert_ptr_nonnull(mkdtemp(ret));
}

static inline int suite_remove_entry(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Removes such a folder with all that is in it. */
static inline void suite_folder_remove(const char *path) {
    nftw(path, suite_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path below the build folder ("ctcd-shim", "test/stand_in"), absolute unless run by hand from the
   checkout; ret has room for 4096. */
static inline void suite_built(char ret[4096], const char *name) {
    const char *build = getenv("TEST_BUILD");
    int n = snprintf(ret, 4096, "%s/%s", build ? build : "build", name);
    ck_assert_int_lt(n, 4096);
}

/* A path below the checkout, for tables and fixtures. */
static inline void suite_source(char ret[4096], const char *name) {
    const char *source = getenv("TEST_SOURCE");
    int n = snprintf(ret, 4096, "%s/%s", source ? source : ".", name);
    ck_assert_int_lt(n, 4096);
}

#endif
