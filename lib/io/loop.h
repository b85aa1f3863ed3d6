/* The event loop of one context: one pollable descriptor, a queue of tasks, watches, timers. Used by
   the engine, which drives everything else from it; back ends see it only through <ctcd/plugin.h>.

   One dispatch: note the time, collect I/O (which only queues), run the tasks that were ready when it
   began, at most LOOP_BATCH of them, one at a time, and only then expire timers whose time had come.
   While what had arrived is not worked off (tasks are left, or the collection was cut off), expiry is
   put off to the next dispatch, which is due at once, but not for ever: so an answer that arrived in
   time wins over its deadline however late the host is and however many hops it takes through the
   queue, and a busy queue cannot hold up the deadlines. Instants that were missed are caught up with in
   order: what one of them queues runs before the next one expires, within the same bounds.

   Objects are intrusive: zero them, set what is theirs, keep them alive and in place while they are
   in the loop. Nothing is allocated while dispatching. One thread at a time, except where it says any.
   In a forked child every function is a no-op or CTCD_E_FORKED; loop_free closes, and no more. */
#ifndef CTCD_IO_LOOP_H
#define CTCD_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"
#include "io/clock.h"

#define LOOP_BATCH 64

struct loop;

/* clock: borrowed, must outlive the loop. A held clock moves by itself never: then the timerfd is not
   used, and the host polls fd (which knows clock->moved_fd) and loop_deadline. */
int loop_new(struct clock *clock, struct loop **ret, ctcd_error **err);
/* Tasks, watches and timers that are still in it are let go; they must be alive until then, and may only
   be zeroed afterwards. Accepts NULL; returns NULL. Not from a dispatch. */
struct loop *loop_free(struct loop *loop);
/* Another clock from now on; the deadlines keep their numbers. Not from a dispatch. */
int loop_set_clock(struct loop *loop, struct clock *clock, ctcd_error **err);

int loop_fd(const struct loop *loop);      /* poll it for input; owned by the loop */
int64_t loop_now(const struct loop *loop); /* monotonic ms of its clock */
/* What loop_wait would wait for: the earliest timer; now where tasks are queued; INT64_MAX = nothing. */
int64_t loop_deadline(struct loop *loop);
bool loop_forked(const struct loop *loop); /* we are a forked child: it is the parent's */
/* How many dispatches are on this stack: 0 = outside, 2 and more = a wait inside a task. */
unsigned loop_depth(const struct loop *loop);

/* Does what is ready; never waits. May be called from a task (a nested wait): that one leaves `outer`
   tasks in the queue. Returns 0, or CTCD_E_FORKED. */
int loop_dispatch(struct loop *loop);
/* Waits for something to do or for `until` (monotonic ms of the loop's clock; INT64_MAX = no end), then
   dispatches. 0 = dispatched; CTCD_AGAIN = `until` came, with nothing to do; CTCD_E_INTERRUPTED = a
   signal handler ran, nothing was dispatched; CTCD_E_FORKED; CTCD_E_IO. It may return 0 with nothing
   done: call it in a loop that looks at what it waits for. A held clock is looked at every 5 ms. */
int loop_wait(struct loop *loop, int64_t until);
/* Makes the fd readable once. Any thread; also from a signal handler. */
void loop_wakeup(struct loop *loop);

/* ---- Tasks: what wants to run ---- */

struct loop_task {
    void (*run)(struct loop_task *task); /* set by the owner */
    bool outer;  /* set by the owner: calls the user, so never from a nested dispatch */
    bool queued; /* the loop's, as all below */
    uint64_t turn;
    struct list node;
};

/* Queues it behind the others, for the next dispatch; when it is queued already, nothing. It is out of
   the queue when it runs, so it may post or free itself. Any thread: op cancel, call wake, last unref.
   The thread must hold what keeps task and loop alive. Never fails. */
void loop_post(struct loop *loop, struct loop_task *task);
/* Takes it out of the queue; harmless when it is not in. */
void loop_unpost(struct loop *loop, struct loop_task *task);
bool loop_posted(struct loop *loop, const struct loop_task *task);

/* ---- Watches: a descriptor is ready ---- */

#define LOOP_PERSISTENT 0x1u /* level-triggered until removed; otherwise it is over when it fired */
#define LOOP_OUTER 0x2u      /* as loop_task.outer */

struct loop_watch {
    /* Runs as a task. events: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP as they were when collected. A watch
       that cannot go on (its descriptor turns out to be closed) gets EPOLLERR | EPOLLHUP, and is over. */
    void (*ready)(struct loop_watch *watch, uint32_t events);
    /* The loop's, as all below. */
    struct loop *loop; /* not NULL = watching, or fired and not yet run */
    int fd;
    uint32_t events, flags, seen;
    bool armed;
    struct loop_task task;
    struct list node;
};

/* Any number of watches may share one fd. Set watch->ready before. To watch again for another event,
   remove and add; adding a watch again after it fired allocates nothing.
   CTCD_E_INVALID: not a descriptor, or one that cannot be waited for (a file); CTCD_E_NOMEM;
   CTCD_E_NO_SPACE: the kernel's limit of watches; CTCD_E_FORKED. */
int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
                   uint32_t flags, ctcd_error **err);
/* Before the descriptor is closed. Also when it fired and has not run; harmless on a zeroed one and on
   one that is over. Any watch, also the one that runs and ones that would run next. */
void loop_watch_remove(struct loop_watch *watch);

/* ---- Timers: an instant has come ---- */

struct loop_timer {
    /* Runs in the expiry part of a dispatch, nested ones too: no user code here, post a task for that. */
    void (*expired)(struct loop_timer *timer);
    /* The loop's, as all below. */
    struct loop *loop; /* not NULL = added */
    struct heap_node node;
};

/* Reserves room, so that loop_timer_set cannot fail. Set timer->expired before. CTCD_E_NOMEM, _FORKED. */
int loop_timer_add(struct loop *loop, struct loop_timer *timer, ctcd_error **err);
/* Fires once, when the loop's clock reaches mono_ms (past ones: in the next dispatch); INT64_MAX = never.
   Replaces an earlier instant. Equal instants fire in the order in which they were set. */
void loop_timer_set(struct loop_timer *timer, int64_t mono_ms);
bool loop_timer_is_set(const struct loop_timer *timer);
void loop_timer_remove(struct loop_timer *timer); /* harmless on a zeroed or removed one */

#endif
