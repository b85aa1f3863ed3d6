/* The event loop of one context; see loop.h for its promises. Layout: the queue, the timers, one dispatch,
   waiting, life and death. The watches are in loop_watch.c. */
#include "io/loop_inside.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fork.h"

#define HOPS 16           /* dispatches that expiry waits for a queue that does not run dry */
#define HELD_LOOK_MS 5    /* how often a wait looks at a clock that says nothing by itself */
#define UNARMED INT64_MIN /* the timerfd's state is not known: set it anew */

/* Data of our own registrations, below LOOP_OWN_EVENTS. */
enum { EVENT_WAKE, EVENT_TIMER, EVENT_CLOCK };

bool loop_forked(const struct loop *loop) {
    return loop->generation != fork_generation();
}

int loop_fd(const struct loop *loop) {
    return loop->epoll;
}

int64_t loop_now(const struct loop *loop) {
    return clock_mono(loop->clock);
}

unsigned loop_depth(const struct loop *loop) {
    return loop->depth;
}

/* ---- The queue ---- */

void loop_wakeup(struct loop *loop) {
    int saved = errno; /* may run in a signal handler */
    uint64_t one = 1;
    if (!loop_forked(loop) && write(loop->wake, &one, sizeof one) < 0) {
        /* EAGAIN: the counter is full, so it is readable, which is all that is wanted. */
    }
    errno = saved;
}

/* With the lock held. */
static void signal_queue(struct loop *loop) {
    if (loop->signalled || loop->busy)
        return;
    loop->signalled = true;
    loop_wakeup(loop);
}

void loop_post(struct loop *loop, struct loop_task *task) {
    if (loop_forked(loop)) /* another thread may have held the lock when we were forked */
        return;
    (void)pthread_mutex_lock(&loop->lock);
    if (!task->queued) {
        task->queued = true;
        task->turn = loop->next_turn++;
        list_init(&task->node);
        list_append(task->outer ? &loop->outer : &loop->inner, &task->node);
        *(task->outer ? &loop->outer_count : &loop->inner_count) += 1;
        signal_queue(loop);
    }
    (void)pthread_mutex_unlock(&loop->lock);
}

/* With the lock held, unless we are alone in a forked child. */
static void unqueue(struct loop *loop, struct loop_task *task) {
    task->queued = false;
    list_remove(&task->node);
    *(task->outer ? &loop->outer_count : &loop->inner_count) -= 1;
}

void loop_unpost(struct loop *loop, struct loop_task *task) {
    if (loop_forked(loop))
        return;
    (void)pthread_mutex_lock(&loop->lock);
    if (task->queued)
        unqueue(loop, task);
    (void)pthread_mutex_unlock(&loop->lock);
}

bool loop_posted(struct loop *loop, const struct loop_task *task) {
    if (loop_forked(loop))
        return false;
    (void)pthread_mutex_lock(&loop->lock);
    bool queued = task->queued;
    (void)pthread_mutex_unlock(&loop->lock);
    return queued;
}

/* Tasks that a dispatch at this depth may run. */
static size_t runnable(struct loop *loop, bool nested) {
    (void)pthread_mutex_lock(&loop->lock);
    size_t count = loop->inner_count + (nested ? 0 : loop->outer_count);
    (void)pthread_mutex_unlock(&loop->lock);
    return count;
}

/* The next task in turn that was queued before `end`, taken out of the queue; NULL = none. */
static struct loop_task *take(struct loop *loop, uint64_t end, bool nested) {
    struct loop_task *inner = NULL, *outer = NULL;
    (void)pthread_mutex_lock(&loop->lock);
    if (!list_empty(&loop->inner))
        inner = list_of(loop->inner.next, struct loop_task, node);
    if (!nested && !list_empty(&loop->outer))
        outer = list_of(loop->outer.next, struct loop_task, node);
    struct loop_task *task = inner;
    if (!inner || (outer && outer->turn < inner->turn))
        task = outer;
    if (task && task->turn >= end)
        task = NULL;
    if (task)
        unqueue(loop, task);
    (void)pthread_mutex_unlock(&loop->lock);
    return task;
}

/* Returns what it was. */
static bool set_busy(struct loop *loop, bool busy) {
    (void)pthread_mutex_lock(&loop->lock);
    bool before = loop->busy;
    loop->busy = busy;
    (void)pthread_mutex_unlock(&loop->lock);
    return before;
}

/* ---- The timers ---- */

static int64_t first_timer(const struct loop *loop) {
    const struct heap_node *first = heap_first(&loop->timers);
    return first ? first->when : INT64_MAX;
}

/* Sets the timerfd to the earliest timer. Within a dispatch this is left to its end. */
static void arm_timer(struct loop *loop) {
    int64_t when = loop->clock->held ? INT64_MAX : first_timer(loop);
    if (when == loop->armed_for)
        return;
    struct itimerspec spec = {0};
    if (when <= 0)
        spec.it_value.tv_nsec = 1; /* 0 would disarm */
    else if (when != INT64_MAX)
        spec.it_value = (struct timespec){.tv_sec = when / 1000, .tv_nsec = when % 1000 * 1000000};
    int rc = timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &spec, NULL);
    loop->armed_for = rc == 0 ? when : UNARMED;
}

int loop_timer_add(struct loop *loop, struct loop_timer *timer, ctcd_error **err) {
    if (loop_forked(loop))
        return error_set(err, CTCD_E_FORKED, NULL, "the loop belongs to the parent process");
    if (!heap_reserve(&loop->timers, loop->timer_count + 1))
        return error_nomem(err);
    timer->loop = loop;
    timer->node = (struct heap_node){0};
    loop->timer_count++;
    return 0;
}

void loop_timer_set(struct loop_timer *timer, int64_t mono_ms) {
    struct loop *loop = timer->loop;
    if (!loop || loop_forked(loop))
        return;
    heap_remove(&loop->timers, &timer->node);
    if (mono_ms != INT64_MAX) {
        /* One that always sets itself to the past must not stay ahead of the others. */
        timer->node.when = mono_ms < loop->floor ? loop->floor : mono_ms;
        timer->node.order = loop->next_order++;
        (void)heap_insert(&loop->timers, &timer->node); /* room was reserved */
    }
    if (loop->depth == 0)
        arm_timer(loop);
}

bool loop_timer_is_set(const struct loop_timer *timer) {
    return timer->loop && timer->node.slot != 0;
}

void loop_timer_remove(struct loop_timer *timer) {
    struct loop *loop = timer->loop;
    if (!loop)
        return;
    loop_timer_set(timer, INT64_MAX);
    timer->loop = NULL;
    loop->timer_count--;
}

/* ---- One dispatch ---- */

/* Queues what the kernel has. Returns whether there may be more than was looked at. */
static bool collect(struct loop *loop) {
    struct epoll_event events[LOOP_BATCH];
    int count = epoll_wait(loop->epoll, events, LOOP_BATCH, 0);
    for (int i = 0; i < count; i++) {
        uint64_t what = events[i].data.u64;
        if (what > LOOP_OWN_EVENTS) {
            loop_watches_ready(loop, what, events[i].events);
        } else if (what == EVENT_WAKE) {
            uint64_t drained;
            (void)pthread_mutex_lock(&loop->lock);
            if (read(loop->wake, &drained, sizeof drained) < 0) {
                /* EAGAIN: nothing in it, which is what is wanted. */
            }
            loop->signalled = false;
            (void)pthread_mutex_unlock(&loop->lock);
        } else if (what == EVENT_TIMER) {
            loop->armed_for = UNARMED;
        } else {
            clock_seen(loop->clock);
        }
    }
    return count == LOOP_BATCH;
}

static void run_ready(struct loop *loop, bool nested) {
    (void)pthread_mutex_lock(&loop->lock);
    uint64_t end = loop->next_turn;
    (void)pthread_mutex_unlock(&loop->lock);
    for (int i = 0; i < LOOP_BATCH && !loop_forked(loop); i++) {
        struct loop_task *task = take(loop, end, nested);
        if (!task)
            return;
        task->run(task);
    }
}

/* Must expiry wait, because something that arrived before the deadlines may not be worked off yet? */
static bool put_off(struct loop *loop, bool cut, bool nested) {
    size_t left = runnable(loop, nested);
    if (!cut && left == 0) {
        loop->putting_off = false;
        return false;
    }
    if (!loop->putting_off) {
        loop->putting_off = true;
        loop->patience = HOPS + HOPS * (loop->watch_count + left) / LOOP_BATCH;
    }
    if (loop->patience > 0) {
        loop->patience--;
        return true;
    }
    loop->putting_off = false;
    return false;
}

/* Must a later instant wait, because what an earlier one queued comes first? To a late host both are over. */
static bool instant_waits(struct loop *loop, bool nested) {
    if (loop->instants == 0 || runnable(loop, nested) == 0)
        return false;
    loop->instants--;
    return true;
}

/* Expires what was due at `now`, the time before I/O was collected. */
static void expire(struct loop *loop, int64_t now, bool nested) {
    int64_t outer_floor = loop->floor, instant = INT64_MIN;
    loop->floor = now;
    uint64_t end = loop->next_order;
    for (int i = 0; i < LOOP_BATCH; i++) {
        struct heap_node *first = heap_first(&loop->timers);
        if (!first || first->when > now || first->order >= end)
            break;
        if (i > 0 && first->when > instant && instant_waits(loop, nested))
            break;
        instant = first->when;
        heap_remove(&loop->timers, first);
        struct loop_timer *timer = list_of(first, struct loop_timer, node);
        timer->expired(timer);
    }
    loop->floor = outer_floor;
    if (first_timer(loop) > now)
        loop->instants = HOPS;
}

int loop_dispatch(struct loop *loop) {
    if (loop_forked(loop))
        return CTCD_E_FORKED;
    struct frame frame = {.up = loop->top};
    bool nested = loop->depth > 0;
    loop->top = &frame;
    loop->depth++;
    bool busy = set_busy(loop, true);

    int64_t now = loop_now(loop);
    bool cut = collect(loop);
    run_ready(loop, nested);
    if (loop_forked(
            loop)) /* a task forked, and this is the child: the lock may be taken for ever */
        goto out;
    if (first_timer(loop) > now)
        loop->putting_off = false;
    else if (!put_off(loop, cut, nested))
        expire(loop, now, nested);
out:
    loop->depth--;
    loop->top = frame.up;
    if (loop_forked(loop))
        return CTCD_E_FORKED;
    (void)pthread_mutex_lock(&loop->lock);
    loop->busy = busy;
    if (loop->inner_count + (nested ? 0 : loop->outer_count) > 0 || first_timer(loop) <= now)
        signal_queue(loop);
    (void)pthread_mutex_unlock(&loop->lock);
    arm_timer(loop);
    return 0;
}

/* ---- Waiting ---- */

/* Not loop_deadline(loop) <= now: that one may look at a later clock, and be a moment ahead of `now`. */
static bool due(struct loop *loop, int64_t now) {
    return runnable(loop, loop->depth > 0) > 0 || first_timer(loop) <= now;
}

int64_t loop_deadline(struct loop *loop) {
    if (loop_forked(loop))
        return INT64_MAX;
    if (runnable(loop, loop->depth > 0) > 0)
        return loop_now(loop);
    return first_timer(loop);
}

/* How long ppoll may sleep; NULL = for ever. */
static struct timespec *nap(const struct loop *loop, int64_t now, int64_t until,
                            struct timespec *room) {
    int64_t ms = until == INT64_MAX ? INT64_MAX : until - now;
    if (loop->clock->held && ms > HELD_LOOK_MS)
        ms = HELD_LOOK_MS;
    if (ms == INT64_MAX)
        return NULL;
    if (ms < 0)
        ms = 0;
    *room = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return room;
}

/* 1 = there is something to do, 0 = `until` came, or CTCD_E_*. */
static int sleep_until(struct loop *loop, int64_t until) {
    for (;;) {
        int64_t now = loop_now(loop);
        if (due(loop, now))
            return 1;
        struct timespec room;
        struct pollfd pfd = {.fd = loop->epoll, .events = POLLIN};
        int ready = ppoll(&pfd, 1, nap(loop, now, until, &room), NULL);
        if (ready < 0)
            return errno == EINTR ? CTCD_E_INTERRUPTED : CTCD_E_IO;
        if (ready > 0)
            return 1;
        if (loop_now(loop) >= until)
            return due(loop, until);
    }
}

int loop_wait(struct loop *loop, int64_t until) {
    if (loop_forked(loop))
        return CTCD_E_FORKED;
    arm_timer(loop);
    bool busy = set_busy(loop, false); /* while we sleep within a dispatch, posts must wake us */
    int rc = sleep_until(loop, until);
    if (rc > 0)
        rc = loop_dispatch(loop);
    else if (rc == 0)
        rc = CTCD_AGAIN;
    if (!loop_forked(loop))
        (void)set_busy(loop, busy);
    return rc;
}

/* ---- Life and death ---- */

static int register_own(struct loop *loop, int fd, uint64_t what) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

int loop_new(struct clock *clock, struct loop **ret, ctcd_error **err) {
    struct loop *loop = mem_alloc(sizeof *loop);
    if (!loop)
        return error_nomem(err);
    loop->clock = clock;
    loop->generation = fork_generation();
    loop->armed_for = INT64_MAX;
    loop->floor = INT64_MIN;
    loop->instants = HOPS;
    list_init(&loop->inner);
    list_init(&loop->outer);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int os_errno = pthread_mutex_init(&loop->lock, NULL);
    if (os_errno == 0 &&
        (loop->epoll < 0 || loop->wake < 0 || loop->timer < 0 ||
         register_own(loop, loop->wake, EVENT_WAKE) < 0 ||
         register_own(loop, loop->timer, EVENT_TIMER) < 0 ||
         (clock->moved_fd >= 0 && register_own(loop, clock->moved_fd, EVENT_CLOCK) < 0)))
        os_errno = errno;
    if (os_errno == 0) {
        *ret = loop;
        return 0;
    }
    (void)loop_free(loop);
    return error_system(err, os_errno, "making the event loop");
}

int loop_set_clock(struct loop *loop, struct clock *clock, ctcd_error **err) {
    if (loop_forked(loop))
        return error_set(err, CTCD_E_FORKED, NULL, "the loop belongs to the parent process");
    int old = loop->clock->moved_fd;
    if (clock->moved_fd != old) {
        if (clock->moved_fd >= 0 && register_own(loop, clock->moved_fd, EVENT_CLOCK) < 0)
            return error_system(err, errno, "watching the clock");
        if (old >= 0)
            (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, old, &(struct epoll_event){0});
    }
    loop->clock = clock;
    arm_timer(loop);
    if (due(loop, loop_now(loop)))
        loop_wakeup(loop);
    return 0;
}

/* Lets go of everything that is still in the loop, so that a late remove finds nothing to do. */
static void let_go(struct loop *loop) {
    while (!list_empty(&loop->inner) || !list_empty(&loop->outer)) {
        struct list *queue = list_empty(&loop->inner) ? &loop->outer : &loop->inner;
        struct loop_task *task = list_of(queue->next, struct loop_task, node);
        unqueue(loop, task);
        loop_watches_drop(task);
    }
    loop_watches_done(loop);
    for (struct heap_node *first; (first = heap_first(&loop->timers)) != NULL;) {
        heap_remove(&loop->timers, first);
        list_of(first, struct loop_timer, node)->loop = NULL;
    }
}

struct loop *loop_free(struct loop *loop) {
    if (!loop)
        return NULL;
    bool forked = loop_forked(loop);
    let_go(loop);
    heap_done(&loop->timers);
    if (!forked) /* in a child a thread that is not there any more may hold it */
        (void)pthread_mutex_destroy(&loop->lock);
    if (loop->timer >= 0)
        (void)close(loop->timer);
    if (loop->wake >= 0)
        (void)close(loop->wake);
    if (loop->epoll >= 0)
        (void)close(loop->epoll);
    mem_free(loop);
    return NULL;
}
