/* What the facts about a server mean: its state, and why it ended, in words. Pure. Used by look.c. */
#ifndef CTCD_DEPLOYERS_MLFLOW_VERDICT_H
#define CTCD_DEPLOYERS_MLFLOW_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "io/process.h"

#define MLFLOW_INVOCATIONS "/invocations"
#define LOG_START "---- ctcd: " /* begins the line that server.c writes to the log before a start */

enum server_probe {
    SERVER_NOT_ASKED,
    SERVER_READY,
    SERVER_NOT_READY, /* answers, but not 200 */
    SERVER_REFUSES,   /* nobody listens, or the connection is cut */
    SERVER_SILENT,    /* no answer in time */
};

struct server_facts {
    enum child_state child;
    int asked; /* the signal that we sent before it ended, 0 = it ended by itself */
    enum server_probe probe;
    bool wanted;     /* it is to run */
    bool was_ready;  /* this generation has been ready before */
    bool cleared;    /* what a lost monitor left was killed */
    bool crash_loop; /* its workers die one after the other before one was ready */
};

int server_state(const struct server_facts *facts); /* CTCD_STATE_* */
/* It will not become ready by waiting. */
bool server_is_final(const struct server_facts *facts);

/* The part of a log that belongs to its last start; borrowed from it. */
const char *log_of_start(const char *log);
/* How many times a worker process died, as the parent's and the workers' own lines tell. */
size_t log_deaths(const char *log);
/* The exception that ended it ("ModuleNotFoundError: No module named 'x'"), or the last error line. Owned;
   CTCD_NONE: there is none. at_end: only where nothing follows it, because a server that has served has
   survived the exceptions before. */
int log_exception(const char *log, bool at_end, char **ret);
/* What to do about it; python: the server's. Owned; CTCD_NONE: nothing is known about such a cause. */
int cause_hint(const char *cause, const char *python, char **ret);

/* "its server was killed by signal 9 (SIGKILL)", "its server ended with exit status 1". Owned. */
char *end_in_words(const struct child_status *child);

#endif
