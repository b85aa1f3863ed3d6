/* Ops: the engine's state machines. A kind of op embeds `ctcd_op` as its first member, is allocated with
   op_new(), and has one `step` that is entered whenever something it waits for has happened.

   step() returns 0 or a positive result (ended well), CTCD_E_* (ended badly; op->err says why), or
   CTCD_AGAIN after naming at least one wait. Waits are cleared before each entry. When the op is cancelled
   or its deadline comes, op->stop becomes CTCD_E_CANCELED, _TIMEOUT or _INTERRUPTED and step is entered
   once more: it then undoes its work (which may take further entries, under op->undo_deadline) and returns
   op->stop. A step that ignores op->stop is ended by force at undo_deadline. */
#ifndef CTCD_ENGINE_OP_H
#define CTCD_ENGINE_OP_H

#include <ctcd/op.h>

#include "engine/context.h"

#define OP_UNDO_MS 20000 /* what undoing may take after a cancel or a time-out */

struct op_kind {
    const char *name; /* "deploy", for messages */
    int (*step)(ctcd_op *op);
    void (*done)(ctcd_op *op); /* releases what the kind owns, once; may be NULL */
    bool outer; /* calls the program's functions, or begins what does: not from a nested wait */
};

enum op_result { OP_NOTHING, OP_SERVICE, OP_RUN, OP_LIST, OP_TEXT };

struct ctcd_op {
    atomic_uint refs; /* ours: the creator's or its users' one, and one while it runs */
    atomic_uint
        users; /* the API's references; all of them together hold one of refs, and the context */
    ctcd_context *ctx;
    const struct op_kind *kind;
    struct list node; /* in ctx->ops as long as it lives */
    ctcd_op *parent;  /* woken when this one ends; not owned */

    int64_t deadline;              /* monotonic; INT64_MAX = none */
    int64_t undo_deadline;         /* set with stop */
    int stop;                      /* 0, or why it has to end */
    atomic_int asked;              /* stop that another thread asked for */
    bool started, stepping, again; /* again: woken while it was stepping */
    bool late; /* the deadline is over, and it was entered because of an instant before it */
    atomic_bool ended;
    bool waited; /* a ctcd_op_wait for it is on the stack */
    int rc;
    ctcd_error *err; /* step fills it through OP_ERR(op) */

    enum op_result result_kind; /* both under ctx->results once it is published */
    void *result;               /* a reference, or a text; op_set_result */
    unsigned announcing;        /* done callbacks queued or running; likewise */
    unsigned let_go;            /* how many of refs the task `release` has to drop; likewise */

    char doing[256], detail[256]; /* detail: what a back end's method says that it does for this */
    struct loop_task task;        /* enters step */
    struct loop_timer timer;      /* the earlier of deadline and wait_until */
    struct loop_watch watch;      /* op_wait_fd */
    struct loop_task announce;    /* outer: calls done */
    struct loop_task release;     /* the last user let go, on whatever thread */
    bool named;                   /* a wait was named in this entry */
    int64_t wait_until;

    ctcd_op_done_fn done_fn;
    void *done_data;
    ctcd_destroy_fn done_destroy;
    ctcd_op_progress_fn progress_fn;
    void *progress_data;
    ctcd_destroy_fn progress_destroy;
};

#define OP_ERR(op_) (&(op_)->err)

/* size: of the kind's struct, whose first member is ctcd_op; zeroed. budget_ms <= 0: no deadline. The new
   op has one reference (the caller's) and has not run: op_start posts its first entry. */
int op_new(ctcd_context *ctx, const struct op_kind *kind, size_t size, int64_t budget_ms,
           ctcd_op **ret, ctcd_error **err);
void op_start(ctcd_op *op,
              ctcd_op *parent); /* parent NULL = the user's; runs on while unreferenced */
ctcd_op *op_ref(ctcd_op *op);
ctcd_op *op_unref(ctcd_op *op);
/* Lets go of a child: it is not our child any more, and stopped if it runs. Clears the pointer. */
void op_drop(ctcd_op **child);
/* Turns the caller's reference into a user's (who holds the context, too). */
ctcd_op *op_publish(ctcd_op *op);
/* Any thread; also in a callback of an op that has no user any more. */
void op_user_ref(ctcd_op *op);
/* Any thread. outside: the caller is inside the context, and nothing of it is on the stack. */
void op_user_unref(ctcd_op *op, bool outside);
/* Another reference to the result of an ended op, or a copy of its text, for a user; NULL in *ret = it has no
   such result. CTCD_E_NOMEM. */
int op_share_result(ctcd_op *op, enum op_result kind, void **ret, ctcd_error **err);
/* It has ended, and its done callback is to be called from the loop. */
void op_announce_end(ctcd_op *op);
void ops_free(ctcd_context *ctx); /* ends all, when the context ends */

/* Inside step: what it waits for. A child op or a call that was started with this op as parent wakes it by
   itself, but still has to be named (op_wait_child), so that AGAIN with nothing named is found out. */
void op_wait_until(ctcd_op *op, int64_t mono_ms);
int op_wait_fd(ctcd_op *op, int fd, uint32_t events);
void op_wait_child(ctcd_op *op);
void op_wake(ctcd_op *op);          /* enters step in the next dispatch */
void op_stop(ctcd_op *op, int why); /* CTCD_E_CANCELED ...; harmless when repeated or ended */
void op_end(ctcd_op *op, int rc);   /* by force; step is not entered again */

/* One line for people: kept as ctcd_op_doing, handed to progress callbacks of this op and its parents. */
void op_progress(ctcd_op *op, const char *fmt, ...) _printf_(2, 3);
/* What is being done, closer: quoted when time is up, forgotten with the next line. */
void op_detail(ctcd_op *op, const char *detail);
/* Owns value (a reference, or a text from mem). */
void op_set_result(ctcd_op *op, enum op_result kind, void *value);
/* Takes the result out of an ended op; NULL where it has another. */
void *op_steal_result(ctcd_op *op, enum op_result kind);
/* The same for a user, whose object then holds the context. */
void *op_hand_out(ctcd_op *op, enum op_result kind);
/* Has an op of this context not ended? */
bool ops_running(const ctcd_context *ctx);

int64_t op_left(const ctcd_op *op); /* ms to the deadline (or undo_deadline once stopped), >= 0 */
/* Puts an error of its own for op->stop, unless there is one: a time-out quotes what was being done.
   Returns op->stop. */
int op_fail_stopped(ctcd_op *op);

/* The blocking half of every call: drives the loop until the op has ended. As ctcd_op_wait(). */
int op_wait(ctcd_op *op, int64_t timeout_ms, ctcd_error **err);
int op_outcome(const ctcd_op *op, ctcd_error **err); /* CTCD_AGAIN while it runs */

#endif
