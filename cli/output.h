/* How the command speaks: tables and texts on standard output, messages on standard error, exit codes. */
#ifndef CTCD_CLI_OUTPUT_H
#define CTCD_CLI_OUTPUT_H

#include <stdio.h>

#include "command.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_NOT_ALLOWED = 4,
    EXIT_TIMEOUT = 5,
    EXIT_CONFLICT = 6,
    EXIT_UNREACHABLE = 7,
    EXIT_SIGNAL = 128, /* and the signal's number */
};

/* exit.c */
int exit_code(int code);
/* "ctcd: message", the cause's last lines, "  next: hint"; -> exit code. */
int report(const ctcd_error *err, int code);
/* The same for what the command itself finds wrong; hint may be NULL. -> EXIT_USAGE. */
int usage_error(const char *hint, const char *format, ...) __attribute__((format(printf, 2, 3)));
int complain(int status, const char *hint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Flushes standard output; -> EXIT_FAILED where that fails, else status. A reader that left is no news. */
int finish_output(void);
/* Writing to a reader that left, or more than a file may hold (ulimit -f), fails instead of ending the
   command. By handlers: SIG_IGN, unlike them, would be handed on to children. */
void signals_become_errors(void);

/* output.c */
/* "json", "yaml", "name", or NULL = a table. */
const char *output_format(const struct request *req);
/* Prints and frees the text that a ctcd_*_format() gave, unless rc says that it failed; -> rc. */
int print_text(int rc, char *text);
/* Prints without control characters, which a stranger's text could talk to the terminal with. */
void print_clean(FILE *out, const char *text, const char *indent);
int on_terminal(void);    /* is standard output one? */
void *need(void *memory); /* ends the command where memory is NULL */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "2026-01-01T00:00:00Z", "" for CTCD_TIME_NONE; owned. */
char *time_text(int64_t ms);
/* "0.4 s", "3 min 20 s"; "" where one end is missing; owned. */
char *span_text(int64_t from_ms, int64_t to_ms);
const char *state_cell(int state); /* icon on a terminal, else the state's name */
const char *yes_cell(int yes);     /* marker on a terminal, else yes or no */

/* table.c: as the seed's on a terminal, aligned columns elsewhere. */
struct table;
/* columns: NULL-terminated names. A title is centred above, on a terminal only. */
struct table *table_new(const char *title, const char *const *columns);
void table_centre_first(struct table *table);
/* In the given order; NULL cells are empty. */
void table_row(struct table *table, const char *const *cells);
/* A row of two cells, put in the place that its name has in the alphabet. */
void table_property(struct table *table, const char *name, const char *value);
/* What a window is too narrow for is left out: of these columns (NULL-terminated names) the first one first.
   Only on a terminal; who reads a pipe counts on all. names outlives the table. */
void table_optional(struct table *table, const char *const *names);
size_t table_rows(const struct table *table);
/* Elsewhere than on a terminal the names of the columns are left out (where rows name themselves). */
void table_headless(struct table *table);
/* Prints and frees. */
void table_print(struct table *table);
void table_free(struct table *table);
/* Columns that a UTF-8 text takes on a terminal. */
size_t display_width(const char *text);

/* wait.c */
/* A ctcd_log_fn: the line on standard error. */
void print_log(void *user_data, int level, const char *line);
/* From here on SIGINT, SIGTERM and SIGHUP are noticed by wait_for() and end nothing by themselves. */
void catch_signals(void);
/* The signal that came, 0 = none. */
int caught_signal(void);
/* After catch_signals(): 1 = a signal came, or nobody reads standard output any more; 0 = so long passed. */
int sleep_unless_signalled(int ms);
/* Dispatches until the op has ended; -> its result. A signal cancels it, and its undoing is waited for; a
   second one ends the command at once. show: what becomes of its progress lines. */
enum progress { PROGRESS_TERMINAL, PROGRESS_LINES, PROGRESS_LOG };
int wait_for(struct request *req, ctcd_op *op, enum progress show, ctcd_error **err);

/* background.c */
/* --no-wait or --timeout 0, where the command has them. */
int wants_background(const struct request *req);
/* The caller goes on in a child; the parent waits for background_leave() or the child's end, and ends.
   0, or an exit code after a message. Before a context is opened: it would not survive the fork. */
int background_split(const struct request *req);
/* In that child: all has been said, the parent may end with this status. */
void background_leave(int status);
/* Dispatches until nothing goes on any more. */
void background_drain(ctcd_context *ctx);

#define DROP(type)                                                                                 \
    static inline void drop_##type(ctcd_##type **object) {                                         \
        ctcd_##type##_unref(*object);                                                              \
    }
DROP(component)
DROP(stack)
DROP(list)
DROP(service)
DROP(status)
DROP(model_deployer)
DROP(deployment)
DROP(pipeline)
DROP(run)
DROP(schedule)
DROP(decision)
DROP(op)
DROP(error)
#undef DROP
static inline void drop_text(char **text) {
    ctcd_free(*text);
}
/* Released where its name goes out of scope. */
#define _drop_(type) __attribute__((cleanup(drop_##type)))

#endif
