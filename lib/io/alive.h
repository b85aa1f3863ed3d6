/* DIR/alive: the lock that says whether a shim lives, and the record of what was started last. The shim
   and process_*.c share this; it uses nothing but libc, and errnos (0 = done), because the shim does.

   The shim locks with a classic POSIX lock, which no fork can inherit. The lock is GENERATION + 1 bytes
   long, so that the kernel's answer to "who has it" also says which generation: there is no moment at
   which a new shim could be taken for the one whose record is still in the file.

   The file:   GENERATION BOOT_ID [PID STARTED_MS]     the start, written by the shim that started it
               fence GENERATION                        nothing older may start any more */
#ifndef CTCD_IO_ALIVE_H
#define CTCD_IO_ALIVE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ALIVE_NAME "alive"
#define EXIT_NAME "exit.json"
#define ALIVE_BOOT_SIZE 37
#define ALIVE_GENERATION_MAX (INT64_C(1) << 61)

struct alive {
    int64_t generation;         /* started last, 0 = none */
    char boot[ALIVE_BOOT_SIZE]; /* under which boot of the machine */
    int64_t pid;                /* of the main process, 0 = not (yet) known */
    int64_t started_ms;
    int64_t fence; /* 0 = none */
};

struct alive_holder {
    bool held;          /* by a shim; somebody who fences does not count */
    bool fencing;       /* held for a moment by somebody who fences */
    pid_t pid;          /* of the shim; 0 = not visible from here (another pid namespace) */
    int64_t generation; /* 0 = not known (a lock that was taken by hand) */
};

int alive_boot(char ret[ALIVE_BOOT_SIZE]);
/* What cannot be understood counts as nothing: a torn line means that the machine went down. */
int alive_read(int fd, struct alive *ret);
int alive_write(int fd, const struct alive *alive);
int alive_ask(int fd, struct alive_holder *ret);

/* Requests to the shim. SIGINT and SIGHUP it ignores: whole groups get those. */
#define SHIM_ASK_TERM SIGTERM
#define SHIM_ASK_INT SIGUSR1
#define SHIM_ASK_KILL SIGUSR2

/* What comes through the report pipe, once, while child_start waits. */
enum shim_word {
    SHIM_STARTED = 1,
    SHIM_HELD,   /* another shim lives in DIR: generation */
    SHIM_OLDER,  /* DIR has seen this or a newer generation: generation */
    SHIM_FAILED, /* errnum and text */
};

struct shim_report {
    int32_t word;
    int32_t errnum;
    int64_t generation;
    char doing[48]; /* "cannot DOING" */
};

#endif
