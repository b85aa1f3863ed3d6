/* io/clock: the system's, and the one that tests hold. */
#include "suite.h"

#include <poll.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include "io/clock.h"

static char folder[4096];
static char path[4200];

static void setup(void) {
    suite_folder(folder);
    (void)snprintf(path, sizeof path, "%s/held clock", folder);
    unsetenv("CTCD_TEST_CLOCK");
}

static void teardown(void) {
    unsetenv("CTCD_TEST_CLOCK");
    suite_folder_remove(folder);
}

START_TEST(the_system_clock_runs) {
    struct clock clock;
    ck_assert_int_eq(clock_open(&clock, NULL), 0);
    ck_assert(!clock.held);
    ck_assert_int_eq(clock.moved_fd, -1);
    int64_t mono = clock_mono(&clock);
    ck_assert_int_le(mono, clock_mono(&clock));
    struct timespec now;
    ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &now), 0);
    int64_t apart = clock_wall(&clock) - (int64_t)now.tv_sec * 1000;
    ck_assert(apart > -3600000 && apart < 3600000);
    clock_seen(&clock);
    clock_close(&clock);
    clock_close(&clock);
}
END_TEST

static bool moved(const struct clock *clock) {
    struct pollfd p = {clock->moved_fd, POLLIN, 0};
    return poll(&p, 1, 0) == 1;
}

START_TEST(a_held_clock_moves_when_told) {
    struct clock a, b;
    ck_assert(clock_test_set(path, 1767225600000, 5000));
    setenv("CTCD_TEST_CLOCK", path, 1);
    ck_assert_int_eq(clock_open(&a, NULL), 0);
    ck_assert_int_eq(clock_open(&b, NULL), 0);
    ck_assert(a.held && !moved(&a));
    ck_assert_int_eq(clock_wall(&a), 1767225600000);
    ck_assert_int_eq(clock_mono(&a), 5000);
    ck_assert(clock_test_advance(path, 60000));
    ck_assert_int_eq(clock_wall(&a), 1767225660000);
    ck_assert_int_eq(clock_mono(&b), 65000);
    ck_assert(moved(&a) && moved(&b));
    clock_seen(&a);
    ck_assert(!moved(&a) && moved(&b));
    ck_assert(clock_test_set(path, -1, 70000)); /* the wall clock may be set back */
    ck_assert_int_eq(clock_wall(&b), -1);
    ck_assert(moved(&a));
    clock_close(&a);
    clock_close(&b);
    ck_assert_int_eq(a.moved_fd, -1);
}
END_TEST

START_TEST(processes_share_a_held_clock) {
    struct clock clock;
    int status = 0;
    ck_assert(clock_test_set(path, 1000, 1000));
    setenv("CTCD_TEST_CLOCK", path, 1);
    ck_assert_int_eq(clock_open(&clock, NULL), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(clock_test_advance(path, 10) ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert(moved(&clock));
    ck_assert_int_eq(clock_mono(&clock), 1010);
    clock_close(&clock);
}
END_TEST

START_TEST(a_clock_that_is_not_there) {
    struct clock clock = {0};
    ctcd_error *err = NULL;
    setenv("CTCD_TEST_CLOCK", path, 1);
    ck_assert_int_eq(clock_open(&clock, &err), CTCD_E_NOT_FOUND);
    ck_assert(!clock.wall_ms);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_ne(clock_open(&clock, &err), 0); /* too short to be read */
    ck_assert(!clock_test_advance(path, 1));
    error_done(&err);
    setenv("CTCD_TEST_CLOCK", "", 1);
    ck_assert_int_eq(clock_open(&clock, &err), 0);
    ck_assert(!clock.held);
    clock_close(&clock);
}
END_TEST

SUITE_MAIN_WITH("clock", setup, teardown, the_system_clock_runs, a_held_clock_moves_when_told,
                processes_share_a_held_clock, a_clock_that_is_not_there)
