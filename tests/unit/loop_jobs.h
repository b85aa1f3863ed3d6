/* What the suites of the loop share: a clock that they move, and jobs that leave a letter in a trace when
   they run. For test_loop.c and test_loop_watch.c; header only. */
#ifndef CTCD_TESTS_LOOP_JOBS_H
#define CTCD_TESTS_LOOP_JOBS_H

#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "io/loop.h"

static int64_t held_now;

static inline int64_t held_mono(void *data) {
    (void)data;
    return held_now;
}

static struct clock held = {held_mono, held_mono, NULL, true, -1};
static struct loop *loop;

static inline void setup(void) {
    held_now = 1000;
    loop = NULL;
    ck_assert_int_eq(loop_new(&held, &loop, NULL), 0);
}

static inline void teardown(void) {
    loop = loop_free(loop);
}

static inline bool readable(int fd) {
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    return poll(&pfd, 1, 0) == 1;
}

static inline void dispatch(void) {
    ck_assert_int_eq(loop_dispatch(loop), 0);
}

/* ---- what the tests put into the loop ---- */

static char trace[4096]; /* one letter for each thing that ran */

static inline void mark(char letter) {
    size_t len = strlen(trace);
    ck_assert_uint_lt(len, sizeof trace - 1);
    trace[len] = letter;
    trace[len + 1] = '\0';
}

struct job {
    struct loop_task task;
    struct loop_timer timer;
    struct loop_watch watch;
    char letter;
    int runs;
    uint32_t events;
    struct job *then;          /* posted when this one has run */
    struct loop_timer *disarm; /* set to never when this one has run */
    void (*more)(struct job *job);
};

static inline void job_ran(struct job *job) {
    job->runs++;
    mark(job->letter);
    if (job->then)
        loop_post(loop, &job->then->task);
    if (job->disarm)
        loop_timer_set(job->disarm, INT64_MAX);
    if (job->more)
        job->more(job);
}

static inline void on_task(struct loop_task *task) {
    job_ran(list_of(task, struct job, task));
}

static inline void on_timer(struct loop_timer *timer) {
    job_ran(list_of(timer, struct job, timer));
}

static inline void on_watch(struct loop_watch *watch, uint32_t events) {
    struct job *job = list_of(watch, struct job, watch);
    job->events = events;
    job_ran(job);
}

static inline struct job job_of(char letter) {
    return (struct job){
        .task.run = on_task, .timer.expired = on_timer, .watch.ready = on_watch, .letter = letter};
}

static inline void with_pipe(int ends[2]) {
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

static inline void fill(int fd) {
    ck_assert_int_eq(write(fd, "x", 1), 1);
}

static inline void drain(int fd) {
    char bytes[64];
    while (read(fd, bytes, sizeof bytes) > 0) {
    }
}

static inline void close_pipe(int ends[2]) {
    close(ends[0]);
    close(ends[1]);
}

#endif
