/* io/lockfile: one holder at a time, across openings, processes and forks. */
#include "suite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "io/lockfile.h"

static char folder[4096];
static char path[4200];

static void setup(void) {
    suite_folder(folder);
    (void)snprintf(path, sizeof path, "%s/lock of x", folder);
}

static void teardown(void) {
    suite_folder_remove(folder);
}

static bool held(void) {
    bool is = false;
    ck_assert_int_eq(lockfile_held(path, &is, NULL), 0);
    return is;
}

START_TEST(one_holder_at_a_time) {
    struct lockfile *lock = NULL;
    struct lockfile *other = NULL;
    ctcd_error *err = NULL;
    ck_assert(!held()); /* no such file = no */
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(lockfile_try(path, &lock, &err), 0);
    ck_assert(held());
    ck_assert_int_eq(lockfile_try(path, &other, &err), CTCD_AGAIN); /* also in one process */
    ck_assert_ptr_null(other);
    ck_assert_ptr_null(err);
    ck_assert(held()); /* closing the other descriptors did not drop it */
    lockfile_done(&lock);
    ck_assert_ptr_null(lock);
    ck_assert(!held());
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0); /* the file stays */
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(lockfile_try(path, &lock, &err), 0);
    lockfile_release(lock);
    lockfile_release(NULL);
}
END_TEST

/* Somebody removes the lock with what it guards, in the instant between our open and our lock: what we
   then hold is no lock. Many rounds, as only the kernel knows that instant. */
START_TEST(a_removed_file_is_no_lock) {
    int wanted = suite_is_slow() ? 20 : 1000, locked = 0;
    time_t end = time(NULL) + 30;
    pid_t other = fork();
    if (other == 0) {
        for (;;) {
            struct lockfile *lock = NULL;
            if (lockfile_try(path, &lock, NULL) == 0) {
                (void)unlink(path);
                lockfile_release(lock);
            }
        }
    }
    while (locked < wanted && time(NULL) < end) {
        struct lockfile *lock = NULL;
        int rc = lockfile_try(path, &lock, NULL);
        ck_assert(rc == 0 || rc == CTCD_AGAIN);
        if (rc)
            continue;
        struct lockfile *second = NULL;
        ck_assert_int_eq(lockfile_try(path, &second, NULL), CTCD_AGAIN);
        ck_assert(held());
        lockfile_release(lock);
        locked++;
    }
    ck_assert_int_eq(kill(other, SIGKILL), 0);
    ck_assert_int_eq(waitpid(other, NULL, 0), other);
    ck_assert_int_gt(locked, 0);
}
END_TEST

START_TEST(what_cannot_be_locked) {
    struct lockfile *lock = NULL;
    bool is = true;
    ctcd_error *err = NULL;
    char elsewhere[4300];
    (void)snprintf(elsewhere, sizeof elsewhere, "%s/gone/lock", folder);
    ck_assert_int_eq(lockfile_try(elsewhere, &lock, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error_message(err), "gone/lock"));
    ck_assert_int_ne(lockfile_try(folder, &lock, &err), 0);
    ck_assert_int_eq(symlink("anything", path), 0);
    ck_assert_int_ne(lockfile_try(path, &lock, &err), 0);
    ck_assert_int_ne(lockfile_held(path, &is, &err), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_ne(lockfile_try(path, &lock, &err), 0); /* and does not hang */
    ck_assert_int_ne(lockfile_held(path, &is, &err), 0);
    ck_assert_ptr_null(lock);
    ck_assert(is);
    error_done(&err);
    ck_assert_int_eq(unlink(path), 0);
    mem_test_fail_at(1);
    ck_assert_int_eq(lockfile_try(path, &lock, &err), CTCD_E_NOMEM);
    mem_test_fail_at(0);
    ck_assert(!held());
    error_done(&err);
}
END_TEST

/* The child ends when the write end of the pipe is closed, at the latest with its parent. */
static pid_t fork_that_waits(int pipe_fds[2], int ready_fds[2]) {
    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(pipe(ready_fds), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char byte;
        (void)close(pipe_fds[1]);
        (void)close(ready_fds[0]);
        (void)!write(ready_fds[1], "r", 1);
        (void)!read(pipe_fds[0], &byte, 1);
        _exit(0);
    }
    (void)close(pipe_fds[0]);
    (void)close(ready_fds[1]);
    char byte = 0;
    ck_assert_int_eq(read(ready_fds[0], &byte, 1), 1);
    (void)close(ready_fds[0]);
    return child;
}

START_TEST(a_forked_child_does_not_keep_the_lock) {
    struct lockfile *lock = NULL;
    int pipe_fds[2], ready_fds[2], status = 0;
    ck_assert_int_eq(lockfile_try(path, &lock, NULL), 0);
    pid_t child = fork_that_waits(pipe_fds, ready_fds);
    ck_assert(held());
    lockfile_done(&lock);
    ck_assert(!held()); /* although the child is alive */
    ck_assert_int_eq(lockfile_try(path, &lock, NULL), 0);
    (void)close(pipe_fds[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert(held());
    lockfile_done(&lock);
}
END_TEST

START_TEST(a_forked_child_cannot_drop_the_lock) {
    struct lockfile *lock = NULL;
    int status = 0;
    ck_assert_int_eq(lockfile_try(path, &lock, NULL), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct lockfile *mine = NULL;
        int other = open("/dev/null", O_RDONLY | O_CLOEXEC); /* may get the number of the lock's */
        lockfile_release(lock);
        bool still_open = fcntl(other, F_GETFD) >= 0;
        bool refused = lockfile_try(path, &mine, NULL) == CTCD_AGAIN;
        _exit(still_open && refused ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert(held());
    lockfile_done(&lock);
}
END_TEST

START_TEST(the_end_of_the_process_frees_the_lock) {
    int ready[2], status = 0;
    char byte = 0;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct lockfile *lock = NULL;
        (void)close(ready[0]);
        if (lockfile_try(path, &lock, NULL) == 0)
            (void)!write(ready[1], "r", 1);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    ck_assert(held());
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(!held());
}
END_TEST

SUITE_MAIN_WITH("lockfile", setup, teardown, one_holder_at_a_time, a_removed_file_is_no_lock,
                what_cannot_be_locked, a_forked_child_does_not_keep_the_lock,
                a_forked_child_cannot_drop_the_lock, the_end_of_the_process_frees_the_lock)
