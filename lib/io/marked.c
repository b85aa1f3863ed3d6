/* Scanning /proc for the processes that carry one marker. Called by the shim and process_look.c. */
#include "io/marked.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NEEDLE "CTCD_MARKER="
#define ENVIRON_MAX                                                                                \
    (8 * 1024 * 1024) /* the kernel's limit is lower unless the stack limit was raised */

#define KERNEL_THREAD 0x00200000u /* in the flags of /proc/PID/stat */
#define ENV_END_FIELD 51          /* there, too, counted from 1 */
#define EXEC_WAIT_MS 200          /* in all of one scan */

struct search {
    const char *marker;
    pid_t session;
    int sig;
};

enum carries { CARRIES_NONE, CARRIES_OURS, CARRIES_OTHER, CARRIES_NOTHING_YET };

/* Goes through the entries of an environment as its bytes come. */
struct entries {
    const char *marker;
    size_t at;    /* how much of NEEDLE + marker the entry has matched so far */
    bool differs; /* before the end of NEEDLE: an entry of another name */
    enum carries found;
};

static void entries_add(struct entries *e, char c) {
    const size_t name = sizeof NEEDLE - 1;
    if (c == '\0') {
        if (!e->differs && e->at >= name && e->found == CARRIES_NONE)
            e->found = e->at - name == strlen(e->marker) ? CARRIES_OURS : CARRIES_OTHER;
        e->at = 0;
        e->differs = false;
        return;
    }
    if (e->differs)
        return;
    char wanted = e->at < name ? NEEDLE[e->at] : e->marker[e->at - name];
    if (c == wanted)
        e->at++;
    else if (e->at < name)
        e->differs = true;
    else if (e->found == CARRIES_NONE) {
        e->found = CARRIES_OTHER;
        e->differs = true;
    }
}

static enum carries marker_of(int proc, pid_t pid, const char *marker) {
    char path[32], bytes[4096];
    (void)snprintf(path, sizeof path, "%d/environ", (int)pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return CARRIES_NONE;
    struct entries e = {.marker = marker};
    ssize_t n;
    size_t total = 0;
    while (e.found == CARRIES_NONE && total < ENVIRON_MAX &&
           (n = read(fd, bytes, sizeof bytes)) > 0) {
        total += (size_t)n;
        for (ssize_t i = 0; i < n; i++)
            entries_add(&e, bytes[i]);
    }
    (void)close(fd);
    return e.found == CARRIES_NONE && total == 0 ? CARRIES_NOTHING_YET : e.found;
}

/* What /proc/PID/stat says. */
struct stat_line {
    bool lives, kernel;
    pid_t session;
    unsigned long long env_end; /* 0 in the middle of an exec */
};

static bool read_stat(int proc, pid_t pid, struct stat_line *ret) {
    char path[32], text[2048];
    (void)snprintf(path, sizeof path, "%d/stat", (int)pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *rest = strrchr(text, ')'); /* the name before may hold anything, also brackets */
    char state;
    unsigned flags;
    int session;
    if (!rest || sscanf(rest + 1, " %c %*d %*d %d %*d %*d %u", &state, &session, &flags) != 3)
        return false;
    *ret = (struct stat_line){.lives = state != 'Z' && state != 'X',
                              .kernel = (flags & KERNEL_THREAD) != 0,
                              .session = session};
    for (int field = 3; rest && field < ENV_END_FIELD; field++)
        rest = strchr(rest + 2, ' ') ? strchr(rest + 2, ' ') - 1 : NULL;
    if (rest)
        ret->env_end = strtoull(rest + 2, NULL, 10);
    return true;
}

/* A process in the middle of an exec shows no environment, for less than a millisecond of its own time;
   it would be overlooked, and live. budget: milliseconds left for waiting, in all. */
static enum carries settled_marker_of(int proc, pid_t pid, const char *marker, int *budget) {
    const struct timespec pause = {.tv_nsec = 1000000};
    struct stat_line stat;
    for (;; (*budget)--) {
        enum carries carries = marker_of(proc, pid, marker);
        if (carries != CARRIES_NOTHING_YET)
            return carries;
        if (!read_stat(proc, pid, &stat) || !stat.lives || stat.kernel || stat.env_end)
            return CARRIES_NONE;
        if (*budget <= 0)
            return CARRIES_NOTHING_YET;
        (void)nanosleep(&pause, NULL);
    }
}

/* The pidfd comes first: should the pid be given to another process while we look at it, the signal goes
   to the one that is gone. */
static bool signal_one(int proc, pid_t pid, const struct search *search, int *budget) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return false;
    struct stat_line stat;
    enum carries carries = settled_marker_of(proc, pid, search->marker, budget);
    bool ours = carries == CARRIES_OURS;
    if (carries == CARRIES_NONE && search->session)
        ours = read_stat(proc, pid, &stat) && stat.lives && stat.session == search->session;
    /* Gone meanwhile: not one of ours any more. Not allowed (set-uid): it counts, so it is reported. */
    if (ours && syscall(SYS_pidfd_send_signal, fd, search->sig, NULL, 0) != 0 && errno == ESRCH)
        ours = false;
    (void)close(fd);
    return ours || carries == CARRIES_NOTHING_YET;
}

int marked_signal(const char *marker, pid_t session, int sig, size_t *ret_count) {
    DIR *folder = opendir("/proc");
    if (!folder)
        return errno;
    const struct search search = {.marker = marker, .session = session, .sig = sig};
    int budget = EXEC_WAIT_MS;
    size_t count = 0;
    struct dirent *entry;
    while ((errno = 0, entry = readdir(folder))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && pid != getpid() && signal_one(dirfd(folder), pid, &search, &budget))
            count++;
    }
    int failed = errno;
    (void)closedir(folder);
    if (!failed && ret_count)
        *ret_count = count;
    return failed;
}
