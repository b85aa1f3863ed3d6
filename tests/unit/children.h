/* What the tests of children share: a folder with a child in it, events to wait for, and looking around in
   /proc. Header only. Nothing here sleeps for a state: descriptors are polled, and what has none (a state
   in DIR, a process that ends elsewhere) is looked at again and again until LONG is over. */
#ifndef CTCD_TESTS_CHILDREN_H
#define CTCD_TESTS_CHILDREN_H

#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "io/alive.h"
#include "io/marked.h"
#include "io/process.h"
#include "io/random.h"

#define LONG 30000 /* ms: a net, for machines that do something else */
#define NESTS_MAX 64

struct nest {
    char dir[4096], log[4200], marker[37], shim[4096];
    int told; /* a FIFO DIR/told: children write a line there */
    struct child_spec spec;
};

static struct nest nests[NESTS_MAX];
static size_t nest_count;

static inline int64_t test_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Between two looks at what has no descriptor. */
static inline void test_breathe(void) {
    struct timespec t = {.tv_nsec = 2000000};
    (void)nanosleep(&t, NULL);
}

#define ck_until(what)                                                                             \
    do {                                                                                           \
        int64_t ck_until_end = test_now() + LONG;                                                  \
        while (!(what)) {                                                                          \
            ck_assert_msg(test_now() < ck_until_end, "waited in vain: " #what);                    \
            test_breathe();                                                                        \
        }                                                                                          \
    } while (0)

static inline struct nest *nest_new(void) {
    ck_assert_uint_lt(nest_count, NESTS_MAX);
    struct nest *n = &nests[nest_count++];
    char fifo[4200];
    memset(n, 0, sizeof *n);
    char dir[4096];
    suite_folder(dir);
    memcpy(n->dir, dir, sizeof dir);
    (void)snprintf(n->log, sizeof n->log, "%s/log", dir);
    (void)snprintf(fifo, sizeof fifo, "%s/told", dir);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    n->told = open(fifo, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    ck_assert_int_ge(n->told, 0);
    ck_assert_int_eq(random_uuid(n->marker, NULL), 0);
    char built[4096], *absolute;
    suite_built(built, "ctcd-shim");
    absolute = realpath(built, NULL);
    ck_assert_msg(absolute != NULL, "no %s", built);
    (void)snprintf(n->shim, sizeof n->shim, "%s", absolute);
    free(absolute);
    n->spec = (struct child_spec){.dir = n->dir,
                                  .generation = 1,
                                  .cwd = n->dir,
                                  .log = n->log,
                                  .listen_fd = -1,
                                  .marker = n->marker,
                                  .grace_ms = -1,
                                  .shim_path = n->shim};
    return n;
}

static inline int nest_start(struct nest *n, char *const *argv, ctcd_error **err) {
    n->spec.argv = argv;
    return child_start(&n->spec, err);
}

/* `sh -c script`, in DIR. It must start. */
static inline void nest_run(struct nest *n, const char *script) {
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
    ctcd_error *err = NULL;
    int rc = nest_start(n, argv, &err);
    ck_assert_msg(rc == 0, "%d %s", rc, err ? ctcd_error_message(err) : "");
}

static inline struct child_status nest_look(const struct nest *n) {
    struct child_status s;
    memset(&s, 0, sizeof s);
    ck_assert_int_eq(child_look(n->dir, n->spec.generation, &s, NULL), 0);
    return s;
}

#define ck_assert_state(n, wanted)                                                                 \
    ck_assert_str_eq(child_state_name(nest_look(n).state), child_state_name(wanted))

/* Until the shim of this generation is gone. */
static inline struct child_status nest_wait(const struct nest *n) {
    struct child_status s = nest_look(n);
    int fd = -1, rc = child_pidfd(n->dir, n->spec.generation, &fd, NULL);
    ck_assert_int_ge(rc, 0);
    if (rc == 0) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int got;
        while ((got = poll(&wait, 1, LONG)) < 0 && errno == EINTR)
            ;
        ck_assert_msg(got == 1, "the shim did not end");
        (void)close(fd);
    }
    /* The kernel says that it ended a moment after it let go of the lock, or before: both are fine. */
    ck_until((s = nest_look(n)).held_by != n->spec.generation);
    return s;
}

/* The next line that the child wrote to DIR/told, without its newline. */
static inline void nest_hear(const struct nest *n, char *line, size_t size) {
    size_t at = 0;
    for (;;) {
        struct pollfd wait = {.fd = n->told, .events = POLLIN};
        char c;
        int got = poll(&wait, 1, LONG);
        ck_assert_msg(got > 0 || (got < 0 && errno == EINTR), "the child said nothing");
        if (got < 0 || read(n->told, &c, 1) != 1)
            continue;
        if (c == '\n')
            break;
        ck_assert_uint_lt(at + 1, size);
        line[at++] = c;
    }
    line[at] = '\0';
}

static inline pid_t nest_hear_pid(const struct nest *n) {
    char line[64];
    nest_hear(n, line, sizeof line);
    ck_assert_msg(atoi(line) > 1, "no pid: %s", line);
    return (pid_t)atoi(line);
}

static inline size_t count_marked(const char *marker) {
    size_t count = 0;
    ck_assert_int_eq(marked_signal(marker, 0, 0, &count), 0);
    return count;
}

static inline void kill_marked(const char *marker) {
    size_t count = 0;
    ck_until(child_kill_marked(marker, &count, NULL) == 0 && count == 0);
}

/* A file of DIR as text. */
static inline void nest_read(const struct nest *n, const char *name, char *text, size_t size) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/%s", n->dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);
    text[got > 0 ? got : 0] = '\0';
    if (fd >= 0)
        (void)close(fd);
}

static inline void nest_write(const struct nest *n, const char *name, const char *text) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/%s", n->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static inline bool nest_has(const struct nest *n, const char *name) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/%s", n->dir, name);
    return access(path, F_OK) == 0;
}

/* A number of /proc/PID/stat after the name: 0 = state (as a character), 1 = parent, 2 = group, 3 =
   session. -1 = no such process. */
static inline int proc_stat(pid_t pid, int field) {
    char path[64], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *rest = strrchr(text, ')');
    char state;
    int numbers[3];
    if (!rest || sscanf(rest + 1, " %c %d %d %d", &state, numbers, numbers + 1, numbers + 2) != 4)
        return -1;
    return field == 0 ? state : numbers[field - 1];
}

static inline bool proc_lives(pid_t pid) {
    int state = proc_stat(pid, 0);
    return state != -1 && state != 'Z' && state != 'X';
}

/* Ends what the test started, also what it wanted to live; leaves no folder. */
static inline void nests_done(void) {
    for (size_t i = 0; i < nest_count; i++) {
        struct nest *n = &nests[i];
        kill_marked(n->marker);
        (void)close(n->told);
        suite_folder_remove(n->dir);
    }
    nest_count = 0;
}

#endif
