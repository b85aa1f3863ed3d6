/* Rotation of a child's log, by itself (io/rotate.h): what is kept, what is left alone, and what becomes of
   lines that come meanwhile. With a shim, and killed at each step: tests/cli/test_logs.py. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "io/rotate.h"

#define LINE "line %08d\n" /* 14 bytes */
#define LINE_BYTES 14
#define LIMIT (64 * 1024)

static char folder[4096];
static int dir = -1, log_fd = -1; /* the child's: it appends */
static int written;

static void setup(void) {
    sigset_t told;
    (void)sigemptyset(&told);
    (void)sigaddset(&told, ROTATE_SIGNAL);
    (void)sigprocmask(SIG_BLOCK, &told, NULL); /* as in the shim */
    suite_folder(folder);
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(dir, 0);
    log_fd = openat(dir, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(log_fd, 0);
    written = 0;
}

static void teardown(void) {
    (void)close(log_fd);
    (void)close(dir);
    suite_folder_remove(folder);
}

static void write_lines(int count) {
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(dprintf(log_fd, LINE, written++), LINE_BYTES);
}

/* A file of the folder, or "" where there is none; freed by the caller. */
static char *contents(const char *name) {
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    struct stat st = {0};
    if (fd >= 0)
        ck_assert_int_eq(fstat(fd, &st), 0);
    char *text = malloc((size_t)st.st_size + 1);
    ck_assert_ptr_nonnull(text);
    ssize_t n = fd < 0 ? 0 : read(fd, text, (size_t)st.st_size);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    if (fd >= 0)
        (void)close(fd);
    return text;
}

static bool is_there(const char *name) {
    return faccessat(dir, name, F_OK, 0) == 0;
}

/* Of two texts one after the other: that they are the lines from `first` to the last one written. */
static void assert_lines(const char *a, const char *b, int first) {
    size_t size = strlen(a) + strlen(b);
    char *text = malloc(size + 1), line[32];
    ck_assert_ptr_nonnull(text);
    (void)snprintf(text, size + 1, "%s%s", a, b);
    ck_assert_uint_eq(size, (size_t)(written - first) * LINE_BYTES);
    for (int i = first; i < written; i++) {
        (void)snprintf(line, sizeof line, LINE, i);
        ck_assert_msg(memcmp(text + (size_t)(i - first) * LINE_BYTES, line, LINE_BYTES) == 0,
                      "line %d", i);
    }
    free(text);
}

static void assert_kept(int first) {
    char *old = contents("log.1"), *now = contents("log");
    assert_lines(old, now, first);
    free(old);
    free(now);
    ck_assert(!is_there("log.1.new"));
}

/* Can this file system take bytes out at the front? */
static bool collapses(void) {
    int fd = openat(dir, "try", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, 4 * 4096), 0);
    bool can = fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == 0;
    (void)close(fd);
    (void)unlinkat(dir, "try", 0);
    return can;
}

START_TEST(at_its_limit) {
    struct rotate r;
    rotate_begin(&r, dir, log_fd, LIMIT);
    write_lines(LIMIT / LINE_BYTES);
    ck_assert_int_eq(rotate_look(&r), ROTATE_LOOK_MS);
    ck_assert(!is_there("log.1"));
    write_lines(1);
    ck_assert_int_eq(rotate_look(&r), ROTATE_LOOK_MS);
    assert_kept(0);
    struct stat st;
    ck_assert_int_eq(fstatat(dir, "log.1", &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(fstat(log_fd, &st), 0);
    ck_assert_int_le(st.st_size, 4096); /* what is left of the last block */
}
END_TEST

START_TEST(one_old_copy_is_kept) {
    struct rotate r;
    rotate_begin(&r, dir, log_fd, LIMIT);
    for (int i = 0; i < 5; i++) {
        write_lines(LIMIT / LINE_BYTES + 1);
        ck_assert_int_eq(rotate_look(&r), ROTATE_LOOK_MS);
    }
    char *old = contents("log.1"), *now = contents("log");
    size_t kept = strlen(old) + strlen(now);
    ck_assert_uint_le(kept, 2 * LIMIT + 4096);
    ck_assert_uint_ge(kept, LIMIT / 2);
    /* The newest lines, whole once both are read one after the other, but perhaps for the first one. */
    char *text = malloc(kept + 1);
    ck_assert_ptr_nonnull(text);
    (void)snprintf(text, kept + 1, "%s%s", old, now);
    const char *at = strchr(text, '\n');
    ck_assert_ptr_nonnull(at);
    int first = atoi(at + 1 + strlen("line "));
    ck_assert_int_gt(first, 0);
    assert_lines(at + 1, "", first);
    free(text);
    free(old);
    free(now);
}
END_TEST

START_TEST(a_log_that_grew_too_fast) {
    struct rotate r;
    rotate_begin(&r, dir, log_fd, LIMIT);
    write_lines(5 * LIMIT / LINE_BYTES);
    (void)rotate_look(&r);
    char *old = contents("log.1"), *now = contents("log");
    long long dropped = 0;
    ck_assert_int_eq(sscanf(old, ROTATE_DROPPED, &dropped), 1);
    ck_assert_int_gt(dropped, 0);
    ck_assert_int_eq(dropped % LINE_BYTES, 0);
    ck_assert_uint_le(strlen(old), LIMIT + 128);
    assert_lines(strchr(old, '\n') + 1, now, (int)(dropped / LINE_BYTES));
    free(old);
    free(now);
}
END_TEST

START_TEST(what_is_not_ours_is_left_alone) {
    struct rotate r;
    write_lines(2 * LIMIT / LINE_BYTES);
    rotate_begin(&r, dir, log_fd, 0); /* no limit */
    ck_assert_int_eq(rotate_look(&r), -1);
    int other = openat(dir, "other", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    rotate_begin(&r, dir, other, LIMIT); /* it writes elsewhere */
    ck_assert_int_eq(rotate_look(&r), -1);
    (void)close(other);
    rotate_begin(&r, dir, log_fd, LIMIT); /* somebody took it away, and put another one there */
    ck_assert_int_eq(renameat(dir, "log", dir, "mine"), 0);
    ck_assert_int_eq(rotate_look(&r), -1);
    ck_assert_int_eq(linkat(dir, "other", dir, "log", 0), 0);
    ck_assert_int_eq(rotate_look(&r), -1);
    ck_assert_int_eq(unlinkat(dir, "log", 0), 0);
    ck_assert_int_eq(symlinkat("mine", dir, "log"), 0);
    ck_assert_int_eq(rotate_look(&r), -1);
    ck_assert(!is_there("log.1"));
}
END_TEST

/* As on a full disk: nothing can be written. What there was stays. */
START_TEST(no_room_for_a_copy) {
    if (!suite_forks())
        return; /* the limit is one of the process */
    struct rotate r;
    int before = openat(dir, "log.1", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(dprintf(before, "older\n"), 6);
    (void)close(before);
    write_lines(LIMIT / LINE_BYTES + 1);
    rotate_begin(&r, dir, log_fd, LIMIT);
    struct rlimit none = {.rlim_cur = 10000, .rlim_max = RLIM_INFINITY}, all;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &all), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    none.rlim_max = all.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_int_eq(rotate_look(&r), ROTATE_RETRY_MS);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    char *old = contents("log.1"), *now = contents("log");
    ck_assert_str_eq(old, "older\n");
    assert_lines(now, "", 0);
    free(old);
    free(now);
    ck_assert(!is_there("log.1.new"));
    ck_assert_int_eq(rotate_look(&r), ROTATE_LOOK_MS); /* there is room again */
    assert_kept(0);
}
END_TEST

START_TEST(the_copy_cannot_take_its_place) {
    struct rotate r;
    write_lines(LIMIT / LINE_BYTES + 1);
    ck_assert_int_eq(mkdirat(dir, "log.1", 0700), 0);
    rotate_begin(&r, dir, log_fd, LIMIT);
    ck_assert_int_eq(rotate_look(&r), ROTATE_RETRY_MS);
    char *now = contents("log");
    assert_lines(now, "", 0);
    free(now);
    ck_assert(!is_there("log.1.new"));
    ck_assert_int_eq(unlinkat(dir, "log.1", AT_REMOVEDIR), 0);
}
END_TEST

/* A log that nobody writes to wakes nobody; the first byte does. */
START_TEST(a_quiet_log) {
    struct rotate r;
    sigset_t told;
    struct timespec moment = {.tv_nsec = 50000000}, longer = {.tv_sec = 30};
    (void)sigemptyset(&told);
    (void)sigaddset(&told, ROTATE_SIGNAL);
    write_lines(10);
    rotate_begin(&r, dir, log_fd, LIMIT);
    ck_assert_int_eq(rotate_look(&r), ROTATE_LOOK_MS); /* the first look cannot know */
    int64_t pause = rotate_look(&r);
    if (pause == -1) {
        ck_assert_int_eq(sigtimedwait(&told, NULL, &moment), -1);
        write_lines(1);
        ck_assert_int_eq(sigtimedwait(&told, NULL, &longer), ROTATE_SIGNAL);
        write_lines(1); /* once is enough */
        ck_assert_int_eq(sigtimedwait(&told, NULL, &moment), -1);
    } else {
        ck_assert_int_eq(pause, ROTATE_SLOW_MS); /* the kernel does not tell */
        write_lines(1);
    }
    ck_assert_int_eq(rotate_look(&r), ROTATE_LOOK_MS);
}
END_TEST

/* What is left of a rotation that was killed takes no room for ever. */
START_TEST(a_half_copy_is_removed) {
    struct rotate r;
    int half = openat(dir, "log.1.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(dprintf(half, "half"), 4);
    (void)close(half);
    rotate_begin(&r, dir, log_fd, LIMIT);
    ck_assert(!is_there("log.1.new"));
}
END_TEST

/* One that does not append leaves a hole where the log was cut: that must not look like a log that is full. */
START_TEST(a_hole_is_not_a_log) {
    struct rotate r;
    rotate_begin(&r, dir, log_fd, LIMIT);
    ck_assert_int_eq(ftruncate(log_fd, 100 * LIMIT), 0);
    write_lines(1);
    ck_assert_int_eq(rotate_look(&r), ROTATE_LOOK_MS);
    ck_assert(!is_there("log.1"));
}
END_TEST

/* So many lines at a time, each time it is told to: no more than a rotation can follow on a busy machine. */
#define TURN 2000
static void write_in_turns(int go, int done, int count) {
    char token;
    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < count; i++) {
        if (i % TURN == 0 && read(go, &token, 1) != 1)
            _exit(2);
        if (dprintf(log_fd, LINE, i) != LINE_BYTES)
            _exit(1);
        if (i % TURN == TURN - 1 && write(done, "", 1) != 1)
            _exit(3);
    }
    _exit(0);
}

/* Lines come all the time, from another process. Where the file system can, none is lost; where it cannot,
   only those of the moment between the last look and the truncation. */
START_TEST(under_load) {
    struct rotate r;
    const int count = suite_is_slow() ? 40000 : 200000;
    (void)signal(SIGPIPE, SIG_IGN);
    rotate_begin(&r, dir, log_fd, LIMIT);
    bool lossless = collapses();
    int go[2], done[2];
    ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(done, O_CLOEXEC | O_NONBLOCK), 0);
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0)
        write_in_turns(go[0], done[1], count);
    (void)close(done[1]);
    (void)close(go[0]);
    char token = 0;
    ck_assert_int_eq(write(go[1], &token, 1), 1);
    int all = openat(dir, "all", O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
    int rotations = 0, status = -1;
    for (bool running = true; running;) {
        running = waitpid(writer, &status, WNOHANG) == 0;
        struct stat before = {0}, after = {0};
        (void)fstatat(dir, "log.1", &before, 0);
        if (running && read(done[0], &token, 1) == 1 && write(go[1], &token, 1) != 1)
            ck_assert_int_eq(errno, EPIPE); /* it has just ended */
        ck_assert_int_ne(rotate_look(&r), ROTATE_RETRY_MS);
        (void)fstatat(dir, "log.1", &after, 0);
        if (before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec)
            continue;
        char *old = contents("log.1");
        ck_assert_msg(strncmp(old, "----", 4) != 0, "more than twice the limit in one look");
        ck_assert_int_eq(dprintf(all, "%s", old), (int)strlen(old));
        free(old);
        rotations++;
    }
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(rotations, 3);
    char *now = contents("log");
    ck_assert_int_eq(dprintf(all, "%s", now), (int)strlen(now));
    free(now);
    (void)close(all);
    (void)close(go[1]);
    (void)close(done[0]);
    char *text = contents("all");
    int next = 0, lost = 0, torn = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        if (end - line + 1 != LINE_BYTES || memcmp(line, "line ", 5) != 0) {
            torn++;
            continue;
        }
        int number = atoi(line + 5);
        lost += number - next;
        next = number + 1;
    }
    printf("%d rotations, %d lines lost, %d torn (%s)\n", rotations, lost, torn,
           lossless ? "taken out at the front" : "truncated");
    if (lossless) {
        ck_assert_int_eq(lost, 0);
        ck_assert_int_eq(torn, 0);
        ck_assert_int_eq(next, count);
    } else {
        ck_assert_int_le(lost, count / 100);
        ck_assert_int_le(torn, rotations);
    }
    free(text);
}
END_TEST

SUITE_MAIN_WITH("rotate", setup, teardown, at_its_limit, one_old_copy_is_kept,
                a_log_that_grew_too_fast, what_is_not_ours_is_left_alone, no_room_for_a_copy,
                the_copy_cannot_take_its_place, a_quiet_log, a_half_copy_is_removed,
                a_hole_is_not_a_log, under_load)
