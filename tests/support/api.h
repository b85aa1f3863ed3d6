/* What the suites of the shared library share: a home with a context in it, the error of the last call, a
   clock that the test moves by hand, and driving the loop. Public headers only. Header only; each suite is
   one program, so that these variables are its own.

       SUITE_MAIN_WITH("op", api_open, api_close, ...)

   Nothing sleeps: a wait is for an event, under LONG_MS. */
#ifndef CTCD_TESTS_API_H
#define CTCD_TESTS_API_H

#include "suite.h"

#include <ctcd/ctcd.h>
#include <ctcd/plugin.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

#define LONG_MS 40000 /* a net, for machines that do something else */

static char api_folder[4096]; /* of this test */
static char api_home[4200];   /* the context's home, in it; made by the first call that needs it */
static ctcd_context *ctx;
static ctcd_error *err; /* of the last call in fails() */

/* The call is done. It may write to &err. */
#define ok(call)                                                                                   \
    do {                                                                                           \
        int ok_rc = (call);                                                                        \
        ck_assert_msg(ok_rc == 0, "%s gave %s: %s", #call, ctcd_code_name(ok_rc),                  \
                      ctcd_error_message(err));                                                    \
    } while (0)

/* The call, which writes to &err, fails with this code, and its error object says the same. */
#define fails(call, code)                                                                          \
    do {                                                                                           \
        err = ctcd_error_unref(err);                                                               \
        int fails_rc = (call);                                                                     \
        ck_assert_msg(fails_rc == (code), "%s gave %s: %s", #call, ctcd_code_name(fails_rc),       \
                      ctcd_error_message(err));                                                    \
        ck_assert_ptr_nonnull(err);                                                                \
        ck_assert_int_eq(ctcd_error_code(err), (code));                                            \
        ck_assert_str_ne(ctcd_error_message(err), "");                                             \
    } while (0)

#define ck_assert_has(text, part)                                                                  \
    do {                                                                                           \
        const char *has_text = (text);                                                             \
        ck_assert_msg(has_text &&strstr(has_text, (part)), "\"%s\" is not in \"%s\"", (part),      \
                      has_text ? has_text : "(null)");                                             \
    } while (0)

static inline ctcd_context *api_context(uint32_t flags) {
    ctcd_context *made = NULL;
    ok(ctcd_context_new(flags, &made, &err));
    ok(ctcd_context_set_home(made, api_home, &err));
    return made;
}

static inline void api_open(void) {
    suite_folder(api_folder);
    (void)snprintf(api_home, sizeof api_home, "%s/home", api_folder);
    ctx = api_context(0);
}

static inline void api_close(void) {
    ctx = ctcd_context_unref(ctx);
    err = ctcd_error_unref(err);
    suite_folder_remove(api_folder);
}

/* ---- time ---- */

static inline int64_t real_mono(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* CPU time of this thread, microseconds. */
static inline int64_t thread_cpu_us(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A clock that stands still until the test moves it. */
struct hand {
    _Atomic int64_t wall, mono;
    _Atomic int destroyed;
};

#define HAND_WALL 1764000000000 /* 2025-11-24T16:00:00Z */
#define HAND_MONO 5000000

static inline void hand_read(void *data, int64_t *ret_wall, int64_t *ret_mono) {
    struct hand *hand = data;
    *ret_wall = atomic_load(&hand->wall);
    *ret_mono = atomic_load(&hand->mono);
}

static inline void hand_destroy(void *data) {
    struct hand *hand = data;
    atomic_fetch_add(&hand->destroyed, 1);
}

static inline void hand_move(struct hand *hand, int64_t ms) {
    atomic_fetch_add(&hand->wall, ms);
    atomic_fetch_add(&hand->mono, ms);
}

static inline void hand_give(struct hand *hand, ctcd_context *to) {
    atomic_store(&hand->wall, HAND_WALL);
    atomic_store(&hand->mono, HAND_MONO);
    atomic_store(&hand->destroyed, 0);
    ok(ctcd_context_set_clock(to, hand_read, hand, hand_destroy, &err));
}

/* ---- the loop ---- */

static inline bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* Is there an answer within LONG_MS? */
static inline bool becomes_readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t end = real_mono() + LONG_MS;
    int got;
    do {
        int64_t left = end - real_mono();
        got = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

/* Dispatches until the fd is quiet. */
static inline void settle(ctcd_context *context) {
    int fd = ctcd_context_fd(context);
    for (int i = 0; readable(fd); i++) {
        ck_assert_msg(i < 100000, "the loop never becomes quiet");
        ok(ctcd_context_dispatch(context, &err));
    }
}

/* One turn of a host with a clock by hand: what is ready, else the next instant. */
static inline void turn(ctcd_context *context, struct hand *hand) {
    int64_t next = ctcd_context_deadline(context);
    if (!readable(ctcd_context_fd(context)) && next > atomic_load(&hand->mono)) {
        ck_assert_msg(next < INT64_MAX, "nothing would ever happen");
        hand_move(hand, next - atomic_load(&hand->mono));
    }
    ok(ctcd_context_dispatch(context, &err));
}

/* Lets time pass, by hand, until the op has ended; its result. */
static inline int play(ctcd_context *context, struct hand *hand, ctcd_op *op) {
    for (int i = 0; ctcd_op_poll(op) == CTCD_AGAIN; i++) {
        ck_assert_msg(i < 100000, "the op does not end: %s", ctcd_op_doing(op));
        turn(context, hand);
    }
    err = ctcd_error_unref(err);
    return ctcd_op_result(op, &err);
}

/* What happens until so much time has passed, by hand. */
static inline void play_for(ctcd_context *context, struct hand *hand, int64_t ms) {
    int64_t end = atomic_load(&hand->mono) + ms;
    settle(context);
    for (int64_t next; (next = ctcd_context_deadline(context)) <= end;) {
        if (next > atomic_load(&hand->mono))
            hand_move(hand, next - atomic_load(&hand->mono));
        ok(ctcd_context_dispatch(context, &err));
        settle(context);
    }
    hand_move(hand, end - atomic_load(&hand->mono));
}

/* ---- counting what is given back ---- */

/* A ctcd_destroy_fn for an atomic_int. */
static inline void count_destroy(void *data) {
    atomic_fetch_add((atomic_int *)data, 1);
}

#endif
