/* What loop.c and loop_watch.c share, and nobody else sees. */
#ifndef CTCD_IO_LOOP_INSIDE_H
#define CTCD_IO_LOOP_INSIDE_H

#include <pthread.h>

#include "io/loop.h"

/* epoll's data of watches is larger: a generation, never 0, in the upper half, the descriptor below. */
#define LOOP_OWN_EVENTS UINT32_MAX

struct station;

/* One dispatch on the stack, and the watch whose callback it is in. */
struct frame {
    struct frame *up;
    struct loop_watch *running;
};

struct loop {
    struct clock *clock;
    int epoll, wake, timer;
    uint32_t generation; /* of forks */
    uint32_t last_registration;
    struct frame *top;
    unsigned depth;

    pthread_mutex_t lock; /* over the queue; any thread may post */
    struct list inner, outer;
    size_t inner_count, outer_count;
    uint64_t next_turn;
    bool signalled; /* the eventfd was written and not yet read */
    bool busy;      /* dispatching: posts need not write it, the end of the dispatch will */

    struct station **stations; /* by descriptor */
    size_t station_room;
    size_t watch_count;

    struct heap timers;
    size_t timer_count; /* added, set or not */
    uint64_t next_order;
    int64_t armed_for; /* what the timerfd is set to; INT64_MAX = nothing */
    int64_t floor;     /* while expiring: no timer may be set before this instant */
    size_t patience;   /* dispatches that expiry may still be put off, while putting_off */
    bool putting_off;
    size_t instants; /* how often a later instant may still wait for the tasks of an earlier one */
};

/* An event of a watch's registration: queues the watches that it concerns. */
void loop_watches_ready(struct loop *loop, uint64_t what, uint32_t events);
/* The task is let go: if it is a watch's, the watch forgets the loop. */
void loop_watches_drop(struct loop_task *task);
void loop_watches_done(struct loop *loop); /* frees the stations; their watches forget the loop */

#endif
