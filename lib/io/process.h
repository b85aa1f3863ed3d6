/* Children: model servers, gateways and command steps, each under a shim of its own (ctcd-shim), which
   outlives whoever started it. Called by back ends, the step runner and reconcile.

   DIR, one per child, holds what is known about it, and nothing else is: `alive` (lock and start record
   in one), `exit.json` (how it ended) and, by custom, `log` with `log.1` (io/rotate.h). Whoever can open DIR can ask; nothing is
   remembered in the asking process, which needs no SIGCHLD and never has a zombie.

   GENERATION (> 0) grows with every start in one DIR. Only mutations call child_start, child_fence,
   child_signal and child_kill_marked, and only one of them at a time (the caller's lock file).
   process_start.c starts, process_look.c asks and signals, process_find.c finds, process_listen.c listens. */
#ifndef CTCD_IO_PROCESS_H
#define CTCD_IO_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/mem.h"

#define CHILD_START_MS 10000 /* how long child_start waits for the shim at most */
#define CHILD_GRACE_MS 5000  /* between TERM and KILL of what the main process leaves behind */
#define CHILD_MARKER "CTCD_MARKER"
#define CHILD_LISTEN_FD 3

struct child_spec {
    const char *dir; /* absolute, there already */
    int64_t generation;
    char *const *argv; /* argv[0] without a slash is looked for in the PATH of the child */
    /* KEY=VALUE: what is set beyond the inherited environment, from which every CTCD_* was removed.
       NULL = nothing. A later entry wins over an earlier one and over the inherited one. */
    char *const *env;
    const char *cwd; /* NULL = the caller's */
    const char *log; /* stdout and stderr: appended to, created 0600. NULL = /dev/null */
    /* Where log is DIR/log it is rotated at so many bytes. 0: ROTATE_LIMIT; < 0: never. */
    int64_t log_limit;
    int listen_fd; /* the child gets it as descriptor 3; stays open here. -1 = none */
    const char
        *marker;      /* value of CTCD_MARKER, unique to this start (a UUID): what belongs to it */
    int64_t grace_ms; /* < 0: CHILD_GRACE_MS; 0: KILL at once */
    const char *shim_path; /* absolute */
};

/* 0: the shim holds the lock, the start record is written, and the main process runs, or how it could
   not be run is about to stand in exit.json. Any other result: nothing of this generation was started
   or will be.
     CTCD_E_CONFLICT another child lives in DIR
     CTCD_E_EXISTS   DIR has seen this generation, or a newer one
     CTCD_E_TIMEOUT  the shim did not come up within CHILD_START_MS, and was fenced off
   Whoever looks after the caller was killed, and finds NOT_STARTED, may rely on it: a shim that is still
   on its way then leaves. Blocks for about a millisecond. All of the caller's descriptors but listen_fd
   stay behind, with or without O_CLOEXEC. Stdin is /dev/null. */
int child_start(const struct child_spec *spec, ctcd_error **err);

#ifdef CTCD_TEST
extern int64_t child_test_start_ms; /* instead of CHILD_START_MS */
#endif

enum child_state {
    CHILD_STARTING,    /* the shim holds the lock, its record is not yet there */
    CHILD_RUNNING,     /* the main process runs; whether it works is for a probe to say */
    CHILD_ENDING,      /* the main process ended (as told below), what it left is being killed */
    CHILD_ENDED,       /* all gone; how is told below */
    CHILD_NOT_STARTED, /* never was, or a newer generation took its place (newest tells); while the one
                          who starts it lives a late shim may still come: child_fence first */
    CHILD_MONITOR_LOST, /* the shim was killed; what it watched may live: child_kill_marked */
    CHILD_REBOOTED,     /* the machine went down under it */
};

struct child_status {
    enum child_state state;
    pid_t shim;         /* STARTING, RUNNING, ENDING: for showing only, use child_signal; else 0 */
    pid_t pid;          /* the main process, for showing only; 0 = not known */
    int64_t newest;     /* newest generation that DIR has seen started, 0 = none */
    int64_t held_by;    /* generation of the shim that holds the lock, this or another; 0 = free */
    int64_t started_at; /* ms since 1970; CTCD_TIME_NONE = not known */
    /* ENDING and ENDED: */
    int64_t ended_at; /* ms since 1970 */
    int exit_status;  /* 0..255; -1 = ended by a signal, or could not be run */
    int signal;       /* that ended it; 0 = none */
    bool core;        /* dumped */
    int asked;    /* last signal that child_signal asked for before it ended; 0 = ended by itself */
    int os_errno; /* it could not be run: why; 0 = it was run */
    char error[128]; /* the same as text, "" = it was run */
};

/* One look, a few system calls, takes no lock. Fails only when DIR cannot be read (a missing DIR is
   NOT_STARTED). */
int child_look(const char *dir, int64_t generation, struct child_status *ret, ctcd_error **err);
const char *child_state_name(enum child_state state); /* "running", "monitor_lost" */
/* How it ended, in words: "ended with exit status 1", "was killed by signal 9 (Killed)", "could not be
   run: No such file or directory". */
void child_describe_end(const struct child_status *status, char *ret, size_t size);

/* A descriptor (O_CLOEXEC, the caller closes it) that becomes readable when the shim ends, so when
   child_look says ENDED or MONITOR_LOST. CTCD_NONE: no shim of this generation holds the lock. */
int child_pidfd(const char *dir, int64_t generation, int *ret_fd, ctcd_error **err);

/* Asks the shim to send SIGTERM, SIGINT or SIGKILL to every process of the child. It does so at once; how
   they take it, child_look tells later. SIGKILL is repeated until none is left. Other signals are
   CTCD_E_INVALID. CTCD_NONE: no shim of this generation. */
int child_signal(const char *dir, int64_t generation, int sig, ctcd_error **err);

/* From now on no shim of a generation older than this one starts in DIR, also not one that is on its
   way. CTCD_AGAIN: a shim (of whichever generation) holds the lock; look again. */
int child_fence(const char *dir, int64_t generation, ctcd_error **err);

/* For MONITOR_LOST: SIGKILL to every process whose environment has exactly CTCD_MARKER=marker, by pidfd.
   ret_count (may be NULL): how many were found; call again until it is 0. Never the caller itself.
   Blocks for some milliseconds, rarely for 200. */
int child_kill_marked(const char *marker, size_t *ret_count, ctcd_error **err);

/* Processes that carry a marker and belong to a home: they work in it, were told of it, or are shims of
   a DIR in it (so the same UUIDs in a copy of the home are not taken for these). By /proc, of this user. */
struct child_process {
    pid_t pid; /* for showing only */
    char *marker;
    bool shim;
    char *dir; /* of a shim; NULL = not told */
    int64_t generation;
};
struct child_processes {
    struct child_process *items;
    size_t count;
};
void child_processes_done(struct child_processes *all); /* for _cleanup_ */
/* home: absolute, without links. Never the caller itself. */
int child_find(const char *home, struct child_processes *ret, ctcd_error **err);
/* Only those with this marker. */
int child_find_marked(const char *home, const char *marker, struct child_processes *ret,
                      ctcd_error **err);

/* A listening TCP socket (O_CLOEXEC) to hand over as listen_fd. host: an address, or "localhost"; names
   are resolved, which may block. port 0: the system chooses. CTCD_E_EXISTS: the port is taken. */
int process_listen(const char *host, int port, int *ret_fd, int *ret_port, ctcd_error **err);

#endif
