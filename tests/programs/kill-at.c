/* Runs a command and kills it at one durable edge, a system call after which the disk or another process
   differs: the tests of what a dead process leaves (tests/cli/test_kills.py, test_edges.py) go through them
   one by one.

       kill-at [-w] [-r SCRIPT] K FOLDER COMMAND ARG...

   The command dies by SIGKILL before its Kth edge; K = 0 only counts them; KIND:N (as signal:1) is the Nth of that
   kind, process:N the first call beside the Nth new process. With -r it does not die: it is held there while the shell runs SCRIPT, at most for 300 ms
   (the script may wait for a lock of the command's), and both go on to their ends. Edges are whatever makes, writes,
   cuts, renames, links, locks or removes something under FOLDER, syncs, takes a port, sends a request, begins a
   process (and the first call after it: the child runs by then), signals one, and writes to standard output,
   where things are acknowledged. Between two of them nothing changes that outlives the command, so each state
   that it can leave is that before one of them, or its end.

   No edges are: its own event and timer descriptors; standard error; SQLite's locks, which go with the process;
   and its index of the log, which is mapped: two copies with a checksum, made anew from the log where they
   differ. Writes to one file that follow each other are one edge; with -w each is one: to the log and the pages of
   the store SQLite writes in pieces that count only together.

   Its children are not followed. Says at the end, in the last line on standard error, what it killed before,
   or how many edges of which kind there were. Exit status: 0 = killed; 99 = it ended before that, by itself,
   and well; 98 = and badly; 97 = nobody may trace here, or the command line is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED = 0, ENDED_WELL = 99, ENDED_BADLY = 98, NOT_HERE = 97 };

struct call {
    long number;
    uint64_t args[6];
};

/* What the stopped process is about to do; false on its way out of a call. */
static bool call_of(pid_t pid, struct call *ret) {
    struct __ptrace_syscall_info info = {0};
    long got = ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info);
    if (got <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return false;
    ret->number = (long)info.entry.nr;
    for (size_t i = 0; i < 6; i++)
        ret->args[i] = info.entry.args[i];
    return true;
}

/* A text in its memory, or "". */
static void text_at(pid_t pid, uint64_t address, char *ret, size_t size) {
    struct iovec here = {ret, size - 1}, there = {(void *)(uintptr_t)address, size - 1};
    ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
    for (size_t less = 256; n < 0 && less > 8;
         less /= 2) { /* it lies at the end of what is mapped */
        here.iov_len = there.iov_len = less;
        n = process_vm_readv(pid, &here, 1, &there, 1, 0);
    }
    ret[n > 0 ? n : 0] = '\0';
}

static bool begins(const char *path, const char *folder) {
    return strncmp(path, folder, strlen(folder)) == 0;
}

static void fd_path(pid_t pid, uint64_t fd, char *ret, size_t size) {
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, (int)fd);
    ssize_t n = readlink(link, ret, size - 1);
    ret[n > 0 ? n : 0] = '\0';
}

static bool fd_within(pid_t pid, uint64_t fd, const char *folder) {
    char path[4096];
    fd_path(pid, fd, path, sizeof path);
    return begins(path, folder);
}

/* A path, absolute or relative to the folder that is open as that descriptor. */
static bool at_within(pid_t pid, uint64_t fd, uint64_t address, const char *folder) {
    char path[4096];
    text_at(pid, address, path, sizeof path);
    if (path[0] == '/')
        return begins(path, folder);
    if ((int)fd != AT_FDCWD)
        return fd_within(pid, fd, folder);
    char link[64], cwd[4096];
    (void)snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t n = readlink(link, cwd, sizeof cwd - 1);
    cwd[n > 0 ? n : 0] = '\0';
    return begins(cwd, folder);
}

#define HERE ((uint64_t)(int64_t)AT_FDCWD)

enum kind { NONE, SYNC, PROCESS, SIGNAL, NAME, FILE_MADE, CUT, WRITTEN, LOCK, NET, WORD, KINDS };
static const char *const kinds[KINDS] = {"",     "sync",     "new process",  "signal",
                                         "name", "new file", "size or mode", "write",
                                         "lock", "request",  "word"};

static enum kind if_path(pid_t pid, uint64_t fd, uint64_t address, const char *folder,
                         enum kind kind) {
    return at_within(pid, fd, address, folder) ? kind : NONE;
}

static enum kind if_fd(pid_t pid, uint64_t fd, const char *folder, enum kind kind) {
    return fd_within(pid, fd, folder) ? kind : NONE;
}

/* What concerns a path without a descriptor. */
static enum kind path_edge(pid_t pid, const struct call *c, const char *folder) {
    switch (c->number) {
#ifdef SYS_mkdir
    case SYS_mkdir:
    case SYS_unlink:
    case SYS_rmdir:
    case SYS_rename:
        return if_path(pid, HERE, c->args[0], folder, NAME);
    case SYS_link:
    case SYS_symlink:
        return if_path(pid, HERE, c->args[1], folder, NAME);
    case SYS_chmod:
        return if_path(pid, HERE, c->args[0], folder, CUT);
    case SYS_creat:
        return if_path(pid, HERE, c->args[0], folder, FILE_MADE);
    case SYS_open:
        return c->args[1] & (O_CREAT | O_TRUNC) ? if_path(pid, HERE, c->args[0], folder, FILE_MADE)
                                                : NONE;
#endif
    case SYS_truncate:
        return if_path(pid, HERE, c->args[0], folder, CUT);
    default:
        return NONE;
    }
}

/* What concerns a path beside a descriptor. */
static enum kind path_at_edge(pid_t pid, const struct call *c, const char *folder) {
    switch (c->number) {
    case SYS_mkdirat:
    case SYS_unlinkat:
    case SYS_renameat:
    case SYS_renameat2:
        return if_path(pid, c->args[0], c->args[1], folder, NAME);
    case SYS_linkat:
        return if_path(pid, c->args[2], c->args[3], folder, NAME);
    case SYS_symlinkat:
        return if_path(pid, c->args[1], c->args[2], folder, NAME);
    case SYS_fchmodat:
    case SYS_utimensat:
        return if_path(pid, c->args[0], c->args[1], folder, CUT);
    case SYS_openat:
        return c->args[2] & (O_CREAT | O_TRUNC)
                   ? if_path(pid, c->args[0], c->args[1], folder, FILE_MADE)
                   : NONE;
    default:
        return NONE;
    }
}

static enum kind fd_edge(pid_t pid, const struct call *c, const char *folder) {
    switch (c->number) {
    case SYS_write:
    case SYS_writev:
        if (c->args[0] == STDOUT_FILENO)
            return WORD;
        return if_fd(pid, c->args[0], folder, WRITTEN);
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_sendfile:
        return if_fd(pid, c->args[0], folder, WRITTEN);
    case SYS_copy_file_range:
    case SYS_splice:
        return if_fd(pid, c->args[2], folder, WRITTEN);
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_fchmod:
        return if_fd(pid, c->args[0], folder, CUT);
    case SYS_flock:
        return if_fd(pid, c->args[0], folder, LOCK);
    case SYS_fcntl:
        return c->args[1] == F_OFD_SETLK || c->args[1] == F_OFD_SETLKW
                   ? if_fd(pid, c->args[0], folder, LOCK)
                   : NONE;
    default:
        return NONE;
    }
}

static enum kind edge(pid_t pid, const struct call *c, const char *folder) {
    switch (c->number) {
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_msync:
    case SYS_sync_file_range:
        return SYNC;
    case SYS_clone:
#ifdef SYS_clone3
    case SYS_clone3:
#endif
#ifdef SYS_vfork
    case SYS_vfork:
    case SYS_fork:
#endif
        return PROCESS;
    case SYS_pidfd_send_signal:
    case SYS_kill:
        return SIGNAL;
    case SYS_bind:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
        return NET;
    default:
        break;
    }
    enum kind kind = path_edge(pid, c, folder);
    kind = kind ? kind : path_at_edge(pid, c, folder);
    return kind ? kind : fd_edge(pid, c, folder);
}

/* ---- the command, from call to call ----------------------------------------------------------- */

struct watch {
    pid_t pid;
    long wanted, seen;
    const char *folder;
    bool each_write;
    int wanted_kind; /* which of that kind, where it is not 0 */
    const char *script;
    pid_t shell;
    long counts[KINDS + 1]; /* the last: the first call after a new process */
    enum kind before;       /* the edge before this call, where there is none in between */
    char written[4096];     /* ... and the file, where it was a write */
};

/* A write to the file that the edge before wrote to is a part of that. */
static bool goes_on(struct watch *w, const struct call *c, enum kind is) {
    char path[4096] = "";
    if (is == WRITTEN)
        fd_path(w->pid, c->args[0], path, sizeof path);
    bool same = is == WRITTEN && !w->each_write && strcmp(path, w->written) == 0;
    if (is)
        memcpy(w->written, path, sizeof path);
    return same;
}

/* Is this the call to die before? */
static bool at_call(struct watch *w, const struct call *call) {
    enum kind is = edge(w->pid, call, w->folder), before = w->before;
    w->before = is;
    if (is ? goes_on(w, call, is) : before != PROCESS)
        return false;
    w->counts[is ? (int)is : KINDS]++;
    w->seen++;
    int kind = is ? (int)is : KINDS;
    long at = !w->wanted_kind ? w->seen : kind == w->wanted_kind ? w->counts[kind] : 0;
    if (!w->wanted || at != w->wanted)
        return false;
    (void)fprintf(stderr, "before a %s (system call %ld)\n",
                  is ? kinds[is] : "first call beside a new process", call->number);
    return true;
}

static int ended(const struct watch *w, int status) {
    (void)fprintf(stderr, "\n%ld edges, exit status %d:", w->seen,
                  WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    for (int i = 1; i <= KINDS; i++)
        if (w->counts[i])
            (void)fprintf(stderr, " %s %ld", i == KINDS ? "beside a process" : kinds[i],
                          w->counts[i]);
    (void)fprintf(stderr, "\n");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ENDED_WELL : ENDED_BADLY;
}

static bool run_script(struct watch *w) {
    w->shell = fork();
    if (w->shell == 0) {
        (void)execl("/bin/sh", "sh", "-c", w->script, (char *)NULL);
        _exit(NOT_HERE);
    }
    for (int i = 0; w->shell > 0 && i < 300; i++) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)w->shell, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
            break;
        (void)poll(NULL, 0, 1);
    }
    return w->shell > 0;
}

static bool begin(pid_t pid) {
    return ptrace(PTRACE_SETOPTIONS, pid, NULL,
                  (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)) == 0;
}

/* Signals of its own are handed on; the stop of the exec is ours. */
static int trace(struct watch *w) {
    int status, deliver = 0;
    for (bool first = true;; first = false) {
        if (waitpid(w->pid, &status, 0) != w->pid)
            return NOT_HERE;
        if (!WIFSTOPPED(status))
            return ended(w, status);
        if (first && !begin(w->pid))
            return NOT_HERE;
        deliver = WSTOPSIG(status);
        struct call call;
        if (deliver == (SIGTRAP | 0x80) && call_of(w->pid, &call) && at_call(w, &call)) {
            if (!w->script) {
                (void)kill(w->pid, SIGKILL);
                (void)waitpid(w->pid, &status, 0);
                return KILLED;
            }
            if (!run_script(w))
                return NOT_HERE;
        }
        if (first || deliver == SIGTRAP || deliver == (SIGTRAP | 0x80))
            deliver = 0;
        (void)ptrace(PTRACE_SYSCALL, w->pid, NULL, (void *)(uintptr_t)deliver);
    }
}

static void read_which(struct watch *w, const char *text) {
    const char *colon = strchr(text, ':');
    w->wanted = strtol(colon ? colon + 1 : text, NULL, 10);
    for (int i = 1; colon && i < KINDS; i++)
        if (strncmp(kinds[i], text, (size_t)(colon - text)) == 0)
            w->wanted_kind = i;
    if (colon && strncmp(text, "process:", 8) == 0)
        w->wanted_kind = KINDS;
    if (colon && !w->wanted_kind)
        w->wanted = -1;
}

int main(int argc, char **argv) {
    struct watch w = {.wanted = -1};
    for (int opt; (opt = getopt(argc, argv, "+wr:")) != -1;) {
        w.each_write = w.each_write || opt == 'w';
        w.script = opt == 'r' ? optarg : w.script;
    }
    argv += optind;
    argc -= optind;
    if (argc > 2)
        read_which(&w, argv[0]);
    if (w.wanted < 0) {
        (void)fprintf(stderr, "usage: kill-at [-w] [-r SCRIPT] K FOLDER COMMAND ARG...\n");
        return NOT_HERE;
    }
    w.folder = argv[1];
    w.pid = fork();
    if (w.pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
            (void)execv(argv[2], argv + 2);
        _exit(NOT_HERE);
    }
    int rc = w.pid < 0 ? NOT_HERE : trace(&w);
    if (w.shell > 0)
        (void)waitpid(w.shell, NULL, 0);
    return rc;
}
