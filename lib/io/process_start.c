/* Starting a child: the shim is born by two clones that share our memory (a host of gigabytes pays
   nothing), so that it is nobody's child; then we wait until it tells that it holds the lock.
   Called through io/process.h by back ends and the step runner. */
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/strv.h"
#include "base/text.h"
#include "io/alive.h"

#define STACK_SIZE (64u * 1024u)
#define REPORT_FD 4 /* in the shim */
#define FIRST_SPARE_FD 16

extern char **environ;

/* All that the new process needs, prepared before: it shares our memory and may allocate nothing. */
struct birth {
    const char *path, *cwd;
    char **argv, **env;
    int null, log, listen, report;
    int hears;   /* our end of the report, which nobody else may keep open */
    char *stack; /* of the shim-to-be */
};

/* ---- what is prepared --------------------------------------------------------------------------- */

static bool same_key(const char *a, const char *b) {
    while (*a && *a != '=' && *a == *b)
        a++, b++;
    return (*a == '=' || !*a) && (*b == '=' || !*b);
}

static bool overridden(const char *entry, char *const *later) {
    for (; later && *later; later++) {
        if (same_key(entry, *later))
            return true;
    }
    return false;
}

/* The marker first, where a scan finds it soonest. A CTCD_* that we inherited describes us (our step,
   our marker), not the child. */
static char **make_environment(const struct child_spec *spec) {
    char **env = NULL;
    if (!strv_take(&env, mem_text("%s=%s", CHILD_MARKER, spec->marker)))
        return NULL;
    bool fine = true;
    for (char **entry = environ; fine && entry && *entry; entry++) {
        if (!text_starts(*entry, "CTCD_") && !overridden(*entry, spec->env))
            fine = strv_add(&env, *entry);
    }
    for (char *const *entry = spec->env; fine && entry && *entry; entry++) {
        if (!same_key(*entry, CHILD_MARKER) && !overridden(*entry, entry + 1))
            fine = strv_add(&env, *entry);
    }
    if (!fine) {
        strv_free(env);
        return NULL;
    }
    return env;
}

static char **make_arguments(const struct child_spec *spec) {
    char **argv = NULL;
    int64_t grace = spec->grace_ms < 0 ? CHILD_GRACE_MS : spec->grace_ms;
    bool fine =
        strv_add(&argv, spec->shim_path) && strv_add(&argv, "--report") &&
        strv_take(&argv, mem_text("%d", REPORT_FD)) && strv_add(&argv, "--grace") &&
        strv_take(&argv, mem_text("%lld", (long long)(grace < INT32_MAX ? grace : INT32_MAX)));
    if (fine && spec->listen_fd >= 0)
        fine = strv_add(&argv, "--listen");
    if (fine && spec->log_limit)
        fine = strv_add(&argv, "--log-limit") &&
               strv_take(&argv,
                         mem_text("%lld", (long long)(spec->log_limit > 0 ? spec->log_limit : 0)));
    fine = fine && strv_add(&argv, spec->dir) &&
           strv_take(&argv, mem_text("%lld", (long long)spec->generation)) && strv_add(&argv, "--");
    for (char *const *arg = spec->argv; fine && *arg; arg++)
        fine = strv_add(&argv, *arg);
    if (!fine) {
        strv_free(argv);
        return NULL;
    }
    return argv;
}

static int open_log(const char *path, int *ret_fd, ctcd_error **err) {
    struct stat st;
    int fd = open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot open the log %s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return error_set(err, CTCD_E_INVALID, NULL, "the log %s is not a file", path);
    }
    /* What the child writes to must block as files do, whatever it turns out to be after a rename. */
    (void)fcntl(fd, F_SETFL, O_APPEND);
    *ret_fd = fd;
    return 0;
}

/* ---- in the new process: only what is safe with shared memory and after a fork ------------------ */

/* These frames are never left: what a sanitizer notes of them would stay for whatever is mapped there next,
   and it knows nothing of these stacks. */
#define _never_left_ __attribute__((no_sanitize_address))

_never_left_ static void say(int fd, const char *doing, int errnum) {
    struct shim_report report = {.word = SHIM_FAILED, .errnum = errnum};
    for (size_t i = 0; doing[i] && i + 1 < sizeof report.doing; i++)
        report.doing[i] = doing[i];
    if (write(fd, &report, sizeof report) < 0)
        _exit(1);
}

_never_left_ static int become_shim(void *arg) {
    const struct birth *b = arg;
    int fds[REPORT_FD + 1] = {b->null, b->log, b->log, b->listen, b->report};
    (void)setsid();
    /* The handlers of the host must not run here; ignored signals would stay ignored in the shim. */
    for (int sig = 1; sig <= SIGRTMAX; sig++)
        (void)signal(sig, SIG_DFL);
    int report = fcntl(b->report, F_DUPFD_CLOEXEC, FIRST_SPARE_FD);
    if (report < 0)
        return 1;
    for (int i = 0; i <= REPORT_FD; i++) {
        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_SPARE_FD); /* out of the way of its target */
        if (fds[i] < 0) {
            say(report, "hand over descriptors to", errno);
            return 1;
        }
    }
    for (int i = 0; i <= REPORT_FD; i++) {
        if (dup2(fds[i], i) < 0) {
            say(report, "hand over descriptors to", errno);
            return 1;
        }
    }
    if (b->cwd && chdir(b->cwd) != 0)
        say(report, "enter the working folder of", errno);
    else {
        (void)execve(b->path, b->argv, b->env);
        say(report, "run", errno);
    }
    return 1;
}

/* Its end makes the shim an orphan. It sends no signal when it ends (no SIGCHLD in the flags), so the
   host's handlers, and its wait for any child, never hear of it. */
_never_left_ static int become_parent(void *arg) {
    struct birth *b = arg;
    (void)close(b->hears); /* the shim looks whether it still is awaited */
    if (clone(become_shim, b->stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, b) < 0)
        say(b->report, "fork for", errno);
    _exit(0);
}

/* ---- giving birth ------------------------------------------------------------------------------- */

/* Signals are blocked from before the first clone until the exec of the child by the shim. */
static int give_birth(struct birth *b) {
    sigset_t all, before;
    int cancel, failed = 0;
    char *stacks = mmap(NULL, 2 * STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stacks == MAP_FAILED)
        return errno;
    b->stack = stacks;
    (void)sigfillset(&all);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t pid = clone(become_parent, stacks + 2 * STACK_SIZE, CLONE_VM | CLONE_VFORK, b);
    if (pid < 0)
        failed = errno;
    while (pid > 0 && waitpid(pid, NULL, (int)__WCLONE) < 0 && errno == EINTR)
        ;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_setcancelstate(cancel, NULL);
    (void)munmap(stacks, 2 * STACK_SIZE);
    return failed;
}

/* ---- waiting for its word ------------------------------------------------------------------------ */

static int64_t monotonic_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#ifdef CTCD_TEST
int64_t child_test_start_ms = CHILD_START_MS;
#else
static const int64_t child_test_start_ms = CHILD_START_MS;
#endif

/* False = it ended, or the time was over, before it said anything. */
static bool hear(int fd, struct shim_report *ret) {
    int64_t deadline = monotonic_ms() + child_test_start_ms;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = deadline - monotonic_ms();
        int n = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (n > 0)
            break;
        if (n == 0 || errno != EINTR)
            return false;
    }
    ret->doing[0] = '\0';
    bool whole = read(fd, ret, sizeof *ret) == (ssize_t)sizeof *ret;
    ret->doing[sizeof ret->doing - 1] = '\0';
    return whole;
}

static int judge(const struct child_spec *spec, const struct shim_report *report, ctcd_error **err);

/* Nothing was heard. It must not start after we have said that it failed; where it is too late for that, it
   has the lock, and is about to tell; or it had it, and died: what it may have started lives on without it,
   as a look will say. */
static int give_up(const struct child_spec *spec, int hears, ctcd_error **err) {
    struct shim_report report;
    int rc = child_fence(spec->dir, spec->generation + 1, NULL);
    struct child_status status;
    if (child_look(spec->dir, spec->generation, &status, NULL) == 0 &&
        status.state != CHILD_NOT_STARTED)
        return rc == CTCD_AGAIN && hear(hears, &report) ? judge(spec, &report, err) : 0;
    return error_set(err, CTCD_E_TIMEOUT, "the machine may be overloaded: try again",
                     "the shim %s said nothing within %d s", spec->shim_path,
                     CHILD_START_MS / 1000);
}

static int judge(const struct child_spec *spec, const struct shim_report *report,
                 ctcd_error **err) {
    switch (report->word) {
    case SHIM_STARTED:
        return 0;
    case SHIM_HELD:
        return error_set(err, CTCD_E_CONFLICT, "wait until it has ended, or end it",
                         "another process (generation %lld) lives in %s",
                         (long long)report->generation, spec->dir);
    case SHIM_OLDER:
        return error_set(err, CTCD_E_EXISTS, NULL,
                         "%s has seen generation %lld, so %lld is too late", spec->dir,
                         (long long)report->generation, (long long)spec->generation);
    default:
        return error_system(err, report->errnum, "the shim cannot %s %s", report->doing,
                            strcmp(report->doing, "run") == 0                      ? spec->shim_path
                            : spec->cwd && strstr(report->doing, "working folder") ? spec->cwd
                                                                                   : spec->dir);
    }
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        (void)close(*fd);
}

static int start(const struct child_spec *spec, struct birth *b, ctcd_error **err) {
    _cleanup_(close_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    _cleanup_(close_fd) int log = -1;
    _cleanup_(close_fd) int hears = -1;
    int both[2];
    if (null < 0)
        return error_system(err, errno, "cannot open /dev/null");
    int rc = spec->log ? open_log(spec->log, &log, err) : 0;
    if (rc)
        return rc;
    if (pipe2(both, O_CLOEXEC) != 0)
        return error_system(err, errno, "cannot start %s", spec->argv[0]);
    hears = both[0];
    b->null = null;
    b->log = log >= 0 ? log : null;
    b->listen = spec->listen_fd >= 0 ? spec->listen_fd : null;
    b->report = both[1];
    b->hears = hears;
    int failed = give_birth(b);
    (void)close(both[1]);
    if (failed)
        return error_system(err, failed, "cannot start %s", spec->argv[0]);
    struct shim_report report;
    return hear(hears, &report) ? judge(spec, &report, err) : give_up(spec, hears, err);
}

int child_start(const struct child_spec *spec, ctcd_error **err) {
    if (!spec->argv || !spec->argv[0] || !spec->marker || !spec->marker[0] ||
        spec->generation <= 0 || spec->generation >= ALIVE_GENERATION_MAX || spec->dir[0] != '/' ||
        spec->shim_path[0] != '/')
        return error_set(err, CTCD_E_INVALID, NULL,
                         "a child needs a program, a marker, a generation "
                         "and absolute paths");
    struct birth b = {.path = spec->shim_path, .cwd = spec->cwd};
    _cleanup_(strv_done) char **argv = make_arguments(spec);
    _cleanup_(strv_done) char **env = make_environment(spec);
    if (!argv || !env)
        return error_nomem(err);
    b.argv = argv;
    b.env = env;
    return start(spec, &b, err);
}
