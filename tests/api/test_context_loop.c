/* The context in a host's event loop: the one fd, deadlines, dispatch, wait and wake-up, in real time. What calls and ops
   make of it, under a clock by hand, is in the suites of calls and ops. */
#include "fake.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>

static ctcd_service *service;

static void begin(void) {
    fake_begin();
    service = fake_deploy("digits", "here");
    fake.trace[0] = '\0';
    settle(ctx);
}

static void end(void) {
    service = ctcd_service_unref(service);
    fake_end();
}

static ctcd_op *predict_begin(int64_t timeout_ms) {
    ctcd_op *op = NULL;
    ok(ctcd_service_predict_begin(service, "[[1]]", timeout_ms, &op, &err));
    return op;
}

static int for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

START_TEST(the_fd_is_one_and_closed_on_exec) {
    int fd = ctcd_context_fd(ctx);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ctcd_op *op = predict_begin(1000);
    settle(ctx);
    ck_assert_int_eq(ctcd_context_fd(ctx), fd);
    ctcd_op_unref(op);
    ctcd_context *other = api_context(0);
    ck_assert_int_ne(ctcd_context_fd(other), fd);
    ctcd_context_unref(other);
}
END_TEST

/* A host that polls the fd without any time-out sees every deadline. */
START_TEST(the_fd_knows_deadlines) {
    fake.hook[FAKE_PREDICT] = for_ever;
    int64_t begun = real_mono();
    ctcd_op *late = predict_begin(LONG_MS), *op = predict_begin(60);
    while (ctcd_op_poll(op) == CTCD_AGAIN) {
        ck_assert(becomes_readable(ctcd_context_fd(ctx)));
        ok(ctcd_context_dispatch(ctx, &err));
    }
    ck_assert_int_ge(real_mono() - begun, 60);
    ck_assert_int_lt(real_mono() - begun, LONG_MS / 2);
    ck_assert_int_eq(ctcd_op_result(op, NULL), CTCD_E_TIMEOUT);
    ck_assert_int_eq(ctcd_op_poll(late), CTCD_AGAIN);
    ctcd_op_unref(op);
    ctcd_op_unref(late);
}
END_TEST

/* The fd inside the host's own epoll, edge-triggered or not. */
START_TEST(the_fd_nests_in_another_epoll) {
    struct epoll_event event = {.events = EPOLLIN}, got;
    int outer = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_ge(outer, 0);
    ck_assert_int_eq(epoll_ctl(outer, EPOLL_CTL_ADD, ctcd_context_fd(ctx), &event), 0);
    ck_assert_int_eq(epoll_wait(outer, &got, 1, 0), 0);
    fake.hook[FAKE_PREDICT] = for_ever;
    ctcd_op *op = predict_begin(30);
    while (ctcd_op_poll(op) == CTCD_AGAIN) {
        ck_assert_int_eq(epoll_wait(outer, &got, 1, LONG_MS), 1);
        ok(ctcd_context_dispatch(ctx, &err));
    }
    ctcd_op_unref(op);
    (void)close(outer);
}
END_TEST

START_TEST(a_deadline_is_the_earliest) {
    ck_assert_int_eq(ctcd_context_deadline(ctx), INT64_MAX);
    fake.hook[FAKE_PREDICT] = for_ever;
    int64_t before = real_mono();
    ctcd_op *late = predict_begin(LONG_MS * 2), *op = predict_begin(LONG_MS);
    ck_assert_int_le(ctcd_context_deadline(ctx), real_mono()); /* there is work */
    settle(ctx);
    int64_t deadline = ctcd_context_deadline(ctx);
    ck_assert_int_ge(deadline, before + LONG_MS);
    ck_assert_int_le(deadline, real_mono() + LONG_MS);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    settle(ctx);
    ck_assert_int_ge(ctcd_context_deadline(ctx), before + LONG_MS * 2);
    ck_assert_int_eq(ctcd_op_cancel(late), 0);
    settle(ctx);
    ck_assert_int_eq(ctcd_context_deadline(ctx), INT64_MAX);
    ctcd_op_unref(op);
    ctcd_op_unref(late);
}
END_TEST

START_TEST(a_dispatch_never_waits) {
    fake.hook[FAKE_PREDICT] = for_ever;
    ctcd_op *op = predict_begin(LONG_MS);
    settle(ctx);
    int64_t cpu = thread_cpu_us(), begun = real_mono();
    for (int i = 0; i < 1000; i++)
        ok(ctcd_context_dispatch(ctx, &err)); /* also when there is nothing to do */
    ck_assert_int_lt(real_mono() - begun, LONG_MS);
    ck_assert_int_lt(thread_cpu_us() - cpu, LONG_MS * 1000);
    ck_assert_int_eq(fake.entries[FAKE_PREDICT], 1);
    ctcd_op_unref(op);
}
END_TEST

/* 64 events a dispatch: counted in entries of methods, of which each is one. */
START_TEST(a_dispatch_is_bounded) {
    enum { OPS = 500 };
    ctcd_op *ops[OPS];
    int most = 0;
    fake.traces = false;
    for (int i = 0; i < OPS; i++)
        ops[i] = predict_begin(LONG_MS);
    while (readable(ctcd_context_fd(ctx))) {
        fake.entries_now = 0;
        ok(ctcd_context_dispatch(ctx, &err));
        most = fake.entries_now > most ? fake.entries_now : most;
    }
    ck_assert_int_le(most, 64);
    ck_assert_int_ge(most, 16); /* not one by one, either */
    for (int i = 0; i < OPS; i++) {
        ok(ctcd_op_result(ops[i], &err));
        ctcd_op_unref(ops[i]);
    }
}
END_TEST

START_TEST(a_wait_needs_a_bound_and_keeps_it) {
    fails(ctcd_context_wait(ctx, -1, &err), CTCD_E_INVALID);
    fails(ctcd_context_wait(ctx, INT64_MIN, &err), CTCD_E_INVALID);
    err = ctcd_error_unref(err);
    ck_assert_int_eq(ctcd_context_wait(ctx, 0, &err), CTCD_AGAIN);
    int64_t begun = real_mono();
    ck_assert_int_eq(ctcd_context_wait(ctx, 30, &err), CTCD_AGAIN);
    ck_assert_int_ge(real_mono() - begun, 30);
    ck_assert_ptr_null(err);
    /* With something to do it ends early, and has done it. */
    ctcd_op *op = predict_begin(LONG_MS);
    for (int i = 0; ctcd_op_poll(op) == CTCD_AGAIN; i++) {
        ck_assert_int_lt(i, 100);
        ok(ctcd_context_wait(ctx, LONG_MS, &err));
    }
    ctcd_op_unref(op);
    settle(ctx);
    ok(ctcd_context_wakeup(ctx));
    ok(ctcd_context_wait(ctx, INT64_MAX, &err));
    ck_assert_int_lt(real_mono() - begun, LONG_MS);
}
END_TEST

static void *wakes(void *context) {
    return (void *)(intptr_t)ctcd_context_wakeup(context);
}

START_TEST(another_thread_ends_a_wait) {
    pthread_t thread;
    void *rc;
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(pthread_create(&thread, NULL, wakes, ctx), 0);
        ok(ctcd_context_wait(ctx, LONG_MS, &err));
        ck_assert_int_eq(pthread_join(thread, &rc), 0);
        ck_assert_int_eq((int)(intptr_t)rc, 0);
    }
    for (int i = 0; i < 100; i++) /* many are one */
        ok(ctcd_context_wakeup(ctx));
    ok(ctcd_context_dispatch(ctx, &err));
    ck_assert(!readable(ctcd_context_fd(ctx)));
}
END_TEST

static void on_alarm(int number) {
    (void)number;
    (void)ctcd_context_wakeup(ctx);
}

/* A handler may wake the loop up, so that no signal between two polls is overlooked. */
START_TEST(a_signal_handler_may_wake_the_loop) {
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval soon = {{0, 0}, {0, 20000}};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    ck_assert(becomes_readable(ctcd_context_fd(ctx)));
    (void)signal(SIGALRM, SIG_DFL);
    settle(ctx);
}
END_TEST

SUITE_MAIN_WITH("context loop", begin, end, the_fd_is_one_and_closed_on_exec,
                the_fd_knows_deadlines, the_fd_nests_in_another_epoll, a_deadline_is_the_earliest,
                a_dispatch_never_waits, a_dispatch_is_bounded, a_wait_needs_a_bound_and_keeps_it,
                another_thread_ends_a_wait, a_signal_handler_may_wake_the_loop)
