/* Runs a command and kills it at one durable edge, a system call after which the disk or another process
   differs: the tests of what a dead process leaves (tests/cli/test_kills.py) go through them one by one.

       kill-at K FOLDER COMMAND ARG...

   The command dies by SIGKILL before its Kth edge. Edges are: a sync (what was written to the store before
   it does not count yet) and the first call after it (now it does); a new process and the first call after
   it; a signal by pidfd; a folder, file, lock or write under FOLDER. Its children are not followed. Says on
   standard error what it killed before. Exit status: 0 = killed; 99 = it ended before that, by itself, and
   well; 98 = and badly; 97 = nobody may trace here, or the command line is wrong. */
#include <errno.h>
#include <fcntl.h>
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

static bool path_within(pid_t pid, uint64_t address, const char *folder) {
    char path[4096];
    text_at(pid, address, path, sizeof path);
    return strncmp(path, folder, strlen(folder)) == 0;
}

static bool fd_within(pid_t pid, uint64_t fd, const char *folder) {
    char link[64], path[4096];
    (void)snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, (int)fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return strncmp(path, folder, strlen(folder)) == 0;
}

/* Its name, or NULL. */
static const char *edge(pid_t pid, const struct call *c, const char *folder) {
    switch (c->number) {
    case SYS_fsync:
    case SYS_fdatasync:
        return "sync";
    case SYS_clone:
#ifdef SYS_clone3
    case SYS_clone3:
#endif
#ifdef SYS_vfork
    case SYS_vfork:
    case SYS_fork:
#endif
        return "new process";
    case SYS_pidfd_send_signal:
        return "signal";
    case SYS_mkdirat:
    case SYS_renameat2:
    case SYS_renameat:
        return path_within(pid, c->args[1], folder) || fd_within(pid, c->args[0], folder)
                   ? "folder or name"
                   : NULL;
    case SYS_unlinkat: /* most are relative to a folder that is open */
        return path_within(pid, c->args[1], folder) || fd_within(pid, c->args[0], folder)
                   ? "removal"
                   : NULL;
#ifdef SYS_mkdir
    case SYS_mkdir:
    case SYS_rename:
    case SYS_unlink:
    case SYS_rmdir:
        return path_within(pid, c->args[0], folder) ? "folder or name" : NULL;
#endif
    case SYS_openat:
        return (c->args[2] & O_CREAT) &&
                       (path_within(pid, c->args[1], folder) || fd_within(pid, c->args[0], folder))
                   ? "new file"
                   : NULL;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_ftruncate:
    case SYS_fallocate:
        return fd_within(pid, c->args[0], folder) ? "write" : NULL;
    case SYS_fcntl:
        return c->args[1] == F_OFD_SETLK && fd_within(pid, c->args[0], folder) ? "lock" : NULL;
    default:
        return NULL;
    }
}

static int ended(int status) {
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ENDED_WELL : ENDED_BADLY;
}

/* Signals of its own are handed on; the stop of the exec is ours. */
static int trace(pid_t pid, long wanted, const char *folder) {
    long seen = 0;
    int status, deliver = 0;
    const char *before = NULL; /* the edge before, where what comes after it is one, too */
    for (bool first = true;; first = false) {
        if (waitpid(pid, &status, 0) != pid)
            return NOT_HERE;
        if (!WIFSTOPPED(status))
            return ended(status);
        deliver = WSTOPSIG(status);
        if (first) {
            if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
                       (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)))
                return NOT_HERE;
            deliver = 0;
        }
        struct call call;
        if (deliver == (SIGTRAP | 0x80)) {
            deliver = 0;
            if (call_of(pid, &call)) {
                const char *is = edge(pid, &call, folder);
                if ((is || before) && ++seen == wanted) {
                    (void)fprintf(stderr, "%s%s, system call %ld\n", is ? "before a " : "after a ",
                                  is ? is : before, call.number);
                    (void)kill(pid, SIGKILL);
                    (void)waitpid(pid, &status, 0);
                    return KILLED;
                }
                bool counts = is && (strcmp(is, "sync") == 0 || strcmp(is, "new process") == 0);
                before = counts ? is : NULL;
            }
        } else if (deliver == SIGTRAP) {
            deliver = 0;
        }
        (void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(uintptr_t)deliver);
    }
}

int main(int argc, char **argv) {
    long wanted = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
    if (wanted < 1) {
        (void)fprintf(stderr, "usage: kill-at K FOLDER COMMAND ARG...\n");
        return NOT_HERE;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
            (void)execv(argv[3], argv + 3);
        _exit(NOT_HERE);
    }
    return pid < 0 ? NOT_HERE : trace(pid, wanted, argv[2]);
}
