/* ctcd-shim [--grace MS] [--listen] [--log-limit BYTES] [--report FD] DIR GENERATION -- ARGV...

   Stands between libctcd and one child: starts it, waits for it and keeps its log short meanwhile, writes
   how it ended to DIR/exit.json, ends what it left behind, and goes. Started by child_start (lib/io/process_start.c); can be started by
   hand. Whoever started it may die at any moment, so everything that matters is in DIR.

   Standard output and error are the log, descriptor 3 with --listen a socket for the child. What belongs
   to the child is told by CTCD_MARKER in the environment. SIGTERM: sends SIGTERM to the child; SIGUSR1:
   SIGINT; SIGUSR2: SIGKILL, until nothing is left. Every other signal is ignored. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/alive.h"
#include "io/marked.h"
#include "io/rotate.h"

#define LISTEN_FD 3
#define EXIT_NEW EXIT_NAME ".new"
#define GRACE_MS 5000
#define FENCE_WAIT_MS                                                                              \
    2000              /* for somebody who fences: he needs microseconds, unless he is stopped */
#define LOOK_MIN_MS 5 /* between two looks at what is left */
#define LOOK_MAX_MS 250

struct shim {
    const char *dir_name, *marker;
    char **argv;
    int dir, alive, report;
    bool listen;
    int64_t grace_ms, log_limit;
    struct alive record;
    struct rotate log;

    /* of the main process */
    pid_t pid;
    bool ended;
    int status; /* of wait */
    int errnum; /* could not be run */
    int asked;  /* last request before it ended */
    int64_t ended_ms;

    bool killing; /* SIGKILL was asked for */
};

static int64_t now_ms(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int monotonic_wait(int64_t ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return nanosleep(&t, NULL);
}

/* The answer to child_start, once; nobody may be listening any more (SIGPIPE is blocked). Where nothing
   runs the lock is let go before: who hears that a start failed may try the next one at once. */
static void report(struct shim *s, enum shim_word word, int64_t generation, const char *doing,
                   int errnum) {
    if (!s->pid && s->alive >= 0) {
        (void)close(s->alive);
        s->alive = -1;
    }
    if (s->report < 0) {
        if (word != SHIM_STARTED)
            (void)fprintf(stderr, "ctcd-shim: %s %s: %s\n", doing, s->dir_name,
                          errnum ? strerror(errnum) : "not this generation");
        return;
    }
    struct shim_report text = {.word = (int32_t)word, .errnum = errnum, .generation = generation};
    (void)snprintf(text.doing, sizeof text.doing, "%s", doing);
    if (write(s->report, &text, sizeof text) < 0)
        errno = 0; /* the one who waited is gone */
    (void)close(s->report);
    s->report = -1;
}

/* ---- becoming the shim ------------------------------------------------------------------------- */

static bool read_number(const char *text, int64_t min, int64_t max, int64_t *ret) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return false;
    *ret = value;
    return true;
}

static bool read_arguments(struct shim *s, int argc, char **argv) {
    int i = 1;
    int64_t number;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--listen") == 0) {
            s->listen = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--grace") == 0) {
            if (!read_number(argv[++i], 0, INT_MAX, &s->grace_ms))
                return false;
        } else if (i + 1 < argc && strcmp(argv[i], "--log-limit") == 0) {
            if (!read_number(argv[++i], 0, INT64_MAX / 4, &s->log_limit))
                return false;
        } else if (i + 1 < argc && strcmp(argv[i], "--report") == 0) {
            if (!read_number(argv[++i], 3, INT_MAX, &number))
                return false;
            s->report = (int)number;
        } else {
            return false;
        }
    }
    if (argc - i < 4 || strcmp(argv[i + 2], "--") != 0)
        return false;
    s->dir_name = argv[i];
    s->argv = argv + i + 3;
    s->marker = getenv("CTCD_MARKER");
    return read_number(argv[i + 1], 1, ALIVE_GENERATION_MAX, &s->record.generation) && s->marker &&
           s->marker[0];
}

/* Everything is blocked for good: what is waited for is taken by sigtimedwait. A request that came before
   (to the group that we were born into) was not meant for us, and is dropped by ignoring it for a
   moment. SIGCHLD may have been inherited as ignored, which would lose exit statuses. */
static void signals_begin(void) {
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    const int ours[] = {SHIM_ASK_TERM, SHIM_ASK_INT, SHIM_ASK_KILL, SIGCHLD, ROTATE_SIGNAL};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        (void)signal(ours[i], SIG_IGN);
        (void)signal(ours[i], SIG_DFL);
    }
}

/* What the caller had open without O_CLOEXEC must reach neither us nor the child. */
static void close_others(const struct shim *s) {
    unsigned first = s->listen ? LISTEN_FD + 1 : LISTEN_FD;
    unsigned kept = s->report < 0 ? 0 : (unsigned)s->report;
    if (kept > first)
        (void)close_range(first, kept - 1, 0);
    first = kept >= first ? kept + 1 : first;
    if (close_range(first, ~0u, 0) == 0)
        return;
    for (long fd = (long)first, end = sysconf(_SC_OPEN_MAX); fd < end; fd++)
        (void)close((int)fd);
}

static int lock(const struct shim *s, struct alive_holder *holder) {
    struct flock want = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = s->record.generation + 1};
    for (int64_t waited = 0;; waited++) {
        if (fcntl(s->alive, F_SETLK, &want) == 0)
            return 0;
        if (errno != EAGAIN && errno != EACCES)
            return errno;
        int failed = alive_ask(s->alive, holder);
        if (failed)
            return failed;
        if (holder->held || waited >= FENCE_WAIT_MS)
            return EAGAIN;
        (void)monotonic_wait(1);
    }
}

/* Does the one who started us still listen? Asked with the lock held: who looks after the starter's death and
   finds the lock free may then rely on it that nothing will run. */
static bool awaited(const struct shim *s) {
    struct pollfd listener = {.fd = s->report};
    return s->report < 0 || poll(&listener, 1, 0) <= 0 || !(listener.revents & POLLERR);
}

/* Holds the lock and has written the record, or has said why not. */
static bool take(struct shim *s) {
    struct alive_holder holder = {0};
    struct alive before;
    const char *doing = "open the folder";
    int failed = 0;
    s->dir = open(s->dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir >= 0) {
        doing = "open alive in";
        s->alive =
            openat(s->dir, ALIVE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    }
    if (s->dir < 0 || s->alive < 0)
        failed = errno;
    if (!failed) {
        doing = "lock";
        failed = lock(s, &holder);
        if (failed == EAGAIN) {
            report(s, SHIM_HELD, holder.generation, doing, failed);
            return false;
        }
    }
    if (!failed && !awaited(s)) {
        report(s, SHIM_FAILED, 0, "be of use in", ECANCELED);
        return false;
    }
    if (!failed) {
        doing = "read alive in";
        failed = alive_read(s->alive, &before);
    }
    if (!failed &&
        (before.generation >= s->record.generation || before.fence > s->record.generation)) {
        report(s, SHIM_OLDER, before.fence > before.generation ? before.fence : before.generation,
               "start in", 0);
        return false;
    }
    if (!failed) {
        doing = "write alive in";
        failed = alive_boot(s->record.boot);
    }
    /* Durable, or a start would look like none after the machine went down. */
    if (!failed)
        failed = alive_write(s->alive, &s->record);
    if (!failed && fsync(s->alive) != 0)
        failed = errno;
    if (failed)
        report(s, SHIM_FAILED, 0, doing, failed);
    return !failed;
}

/* ---- the main process -------------------------------------------------------------------------- */

/* In the new process, all signals still blocked. A group of its own: what it sends to its group must not
   reach us. */
static void become_child(const struct shim *s, int told) {
    sigset_t none;
    (void)setpgid(0, 0);
    for (int sig = 1; sig <= SIGRTMAX; sig++)
        (void)signal(sig, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvp(s->argv[0], s->argv);
    int errnum = errno;
    (void)dprintf(STDERR_FILENO, "ctcd-shim: cannot run %s: %s\n", s->argv[0], strerror(errnum));
    if (write(told, &errnum, sizeof errnum) < 0)
        _exit(126);
    _exit(127);
}

/* Returns when it runs or could not be run (s->errnum). */
static void start_child(struct shim *s) {
    int told[2];
    if (pipe2(told, O_CLOEXEC) != 0) {
        s->errnum = errno;
        return;
    }
    s->record.started_ms = now_ms(CLOCK_REALTIME);
    pid_t pid = fork();
    if (pid == 0)
        become_child(s, told[1]);
    if (pid < 0)
        s->errnum = errno;
    (void)close(told[1]);
    if (pid > 0) {
        ssize_t n = read(told[0], &s->errnum, sizeof s->errnum);
        if (n > 0)
            (void)waitpid(pid, NULL, 0);
        else
            s->pid = pid;
    }
    (void)close(told[0]);
}

/* The socket would stay open without its server, and the log could not be taken away. */
static void let_go(const struct shim *s) {
    if (s->listen)
        (void)close(LISTEN_FD);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++)
        (void)dup2(null, fd);
    if (null > 2)
        (void)close(null);
    if (chdir("/") != 0)
        return; /* a folder stays in use, no more */
}

static void ended(struct shim *s, int status) {
    s->ended = true;
    s->status = status;
    s->ended_ms = now_ms(CLOCK_REALTIME);
}

/* Also what was re-parented to us. */
static bool reap(struct shim *s) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->pid && !s->ended)
            ended(s, status);
    }
    return pid == 0; /* children are left */
}

/* ---- how it ended ------------------------------------------------------------------------------ */

static int exit_text(const struct shim *s, char *text, size_t size) {
    int n = snprintf(text, size,
                     "{\"generation\": %lld, \"pid\": %lld, \"started_at\": %lld, "
                     "\"ended_at\": %lld, \"asked\": %d, ",
                     (long long)s->record.generation, (long long)s->pid,
                     (long long)s->record.started_ms, (long long)s->ended_ms, s->asked);
    char *rest = text + n;
    size -= (size_t)n;
    if (s->errnum)
        n += snprintf(rest, size, "\"errno\": %d, \"error\": \"%s\"}\n", s->errnum,
                      strerror(s->errnum));
    else if (WIFSIGNALED(s->status))
        n += snprintf(rest, size, "\"signal\": %d, \"core\": %s}\n", WTERMSIG(s->status),
                      WCOREDUMP(s->status) ? "true" : "false");
    else
        n += snprintf(rest, size, "\"exit_status\": %d}\n", WEXITSTATUS(s->status));
    return n;
}

/* By rename, and durable before anybody can see that we are gone. */
static int write_exit(const struct shim *s) {
    char text[512];
    int n = exit_text(s, text, sizeof text);
    int fd = openat(s->dir, EXIT_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    int failed = 0;
    ssize_t written = write(fd, text, (size_t)n);
    if (written != n)
        failed = written < 0 ? errno : ENOSPC;
    else if (fsync(fd) != 0)
        failed = errno;
    (void)close(fd);
    if (!failed && renameat(s->dir, EXIT_NEW, s->dir, EXIT_NAME) != 0)
        failed = errno;
    if (failed)
        (void)unlinkat(s->dir, EXIT_NEW, 0);
    else
        (void)fsync(s->dir); /* lost with the power: then it reads as "rebooted", which is true */
    return failed;
}

/* A full disk may pass; without the record the end would be "monitor lost". */
static void record_exit(const struct shim *s) {
    for (int tries = 0; tries < 50; tries++) {
        int failed = write_exit(s);
        if (failed != ENOSPC && failed != EDQUOT && failed != EIO && failed != EMFILE)
            return;
        (void)monotonic_wait(100);
    }
}

/* ---- requests, and what is left ---------------------------------------------------------------- */

/* Without /proc only the group of the main process can be reached, and only while it lives. */
static size_t signal_all(const struct shim *s, int sig) {
    size_t count = 0;
    int failed = marked_signal(s->marker, getpid(), sig, &count);
    if (failed && !s->ended && sig)
        (void)kill(-s->pid, sig);
    return count;
}

static void take_request(struct shim *s, int sig) {
    int wanted = sig == SHIM_ASK_TERM ? SIGTERM : sig == SHIM_ASK_INT ? SIGINT : SIGKILL;
    if (!s->ended && s->asked != SIGKILL)
        s->asked = wanted;
    s->killing = s->killing || wanted == SIGKILL;
    (void)signal_all(s, wanted);
}

/* One signal, or -1 when the time is over; < 0 ms: however long. */
static int next_signal(int64_t ms) {
    sigset_t set;
    (void)sigemptyset(&set);
    const int ours[] = {SHIM_ASK_TERM, SHIM_ASK_INT, SHIM_ASK_KILL, SIGCHLD, ROTATE_SIGNAL};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        (void)sigaddset(&set, ours[i]);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &t);
}

/* How long to sleep until the log wants to be looked at; < 0 = until a signal comes. */
static int64_t log_pause(int64_t look_at) {
    int64_t left = look_at < 0 ? -1 : look_at - now_ms(CLOCK_MONOTONIC);
    return left < 0 && look_at >= 0 ? 0 : left;
}

static int64_t look_at_log(struct shim *s) {
    int64_t pause = rotate_look(&s->log);
    return pause < 0 ? -1 : now_ms(CLOCK_MONOTONIC) + pause;
}

static void wait_for_child(struct shim *s) {
    int64_t pause = LOOK_MIN_MS, look_at = look_at_log(s);
    while ((void)reap(s), !s->ended) {
        int sig = next_signal(s->killing ? pause : log_pause(look_at));
        if (sig == ROTATE_SIGNAL)
            look_at = now_ms(CLOCK_MONOTONIC) + ROTATE_LOOK_MS;
        else if (sig > 0 && sig != SIGCHLD)
            take_request(s, sig);
        else if (!s->killing && sig < 0)
            look_at = look_at_log(s);
        else if (s->killing && sig < 0) {
            (void)signal_all(s, SIGKILL); /* one that was born while we looked */
            pause = pause * 2 < LOOK_MAX_MS ? pause * 2 : LOOK_MAX_MS;
        }
    }
}

/* Until none of its own is left. Without any child of ours one look is proof, as we are the subreaper;
   otherwise (a server that a step deployed may be among our children by now) it takes two: one could
   have been born behind our back while we read /proc. */
static void end_the_rest(struct shim *s) {
    int64_t deadline = now_ms(CLOCK_MONOTONIC) + s->grace_ms, pause = LOOK_MIN_MS;
    int sig = s->killing || s->grace_ms == 0 ? SIGKILL : SIGTERM;
    for (int clean = 0; clean < 2;) {
        bool children = reap(s);
        bool late = s->killing || now_ms(CLOCK_MONOTONIC) >= deadline;
        size_t left = signal_all(s, late ? SIGKILL : sig);
        sig = 0; /* TERM once */
        clean = left ? 0 : children ? clean + 1 : 2;
        if (clean == 2)
            return;
        int request = next_signal(pause);
        if (request > 0 && request != SIGCHLD && request != ROTATE_SIGNAL)
            take_request(s, request);
        pause = pause * 2 < LOOK_MAX_MS ? pause * 2 : LOOK_MAX_MS;
    }
}

int main(int argc, char **argv) {
    struct shim s = {
        .dir = -1, .alive = -1, .report = -1, .grace_ms = GRACE_MS, .log_limit = ROTATE_LIMIT};
    signals_begin();
    if (!read_arguments(&s, argc, argv)) {
        (void)fprintf(
            stderr, "usage: CTCD_MARKER=... ctcd-shim [--grace MS] [--listen] [--log-limit BYTES] "
                    "[--report FD] DIR GENERATION -- ARGV...\n");
        return 2;
    }
    if (s.report >= 0)
        (void)fcntl(s.report, F_SETFD, FD_CLOEXEC);
    close_others(&s);
    if (getsid(0) != getpid() && setsid() < 0) {
        report(&s, SHIM_FAILED, 0, "become a session leader for", errno);
        return 1;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (!take(&s))
        return 1;
    start_child(&s);
    if (s.errnum) {
        s.ended = true;
        s.ended_ms = now_ms(CLOCK_REALTIME);
        record_exit(&s);
        report(&s, SHIM_STARTED, s.record.generation, "", 0);
        return 0;
    }
    rotate_begin(&s.log, s.dir, STDOUT_FILENO, s.log_limit);
    let_go(&s);
    s.record.pid = s.pid;
    (void)alive_write(s.alive, &s.record); /* for showing only */
    report(&s, SHIM_STARTED, s.record.generation, "", 0);
    wait_for_child(&s);
    record_exit(&s);
    end_the_rest(&s);
    return 0;
}
