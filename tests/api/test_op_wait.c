/* Waiting for ops in real time: bounds, signals that interrupt, other threads that cancel and let go. */
#include "fake.h"

#include <signal.h>
#include <sys/time.h>

static ctcd_service *service;

static void begin(void) {
    fake_begin();
    service = fake_deploy("digits", "here");
    fake.trace[0] = '\0';
}

static void end(void) {
    service = ctcd_service_unref(service);
    fake_end();
}

static int for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

static ctcd_op *predict_begin(int64_t timeout_ms) {
    ctcd_op *op = NULL;
    ok(ctcd_service_predict_begin(service, "[[1]]", timeout_ms, &op, &err));
    return op;
}

/* ---- bounds ---- */

START_TEST(a_wait_may_give_up_and_the_op_goes_on) {
    fake.hook[FAKE_PREDICT] = for_ever;
    ctcd_op *op = predict_begin(LONG_MS);
    int64_t start = real_mono();
    fails(ctcd_op_wait(op, 30, &err), CTCD_E_TIMEOUT);
    ck_assert_int_ge(real_mono() - start, 30);
    ck_assert_has(ctcd_error_message(err), "predict");
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    ck_assert_int_eq(fake.scratches - fake.scratches_destroyed, 1);
    fails(ctcd_op_wait(op, 1, &err), CTCD_E_TIMEOUT); /* any number of times */
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_CANCELED);
    fails(ctcd_op_wait(op, -1, &err), CTCD_E_CANCELED); /* it has ended: at once */
    ctcd_op_unref(op);
}
END_TEST

START_TEST(a_wait_without_a_bound_ends_with_the_op) {
    fake.hook[FAKE_PREDICT] = for_ever;
    ctcd_op *op = predict_begin(50);
    int64_t start = real_mono();
    fails(ctcd_op_wait(op, -1, &err), CTCD_E_TIMEOUT);
    ck_assert_int_ge(real_mono() - start, 49);
    ck_assert_int_eq(ctcd_op_poll(op), 0);
    ctcd_op_unref(op);
    op = predict_begin(50);
    fails(ctcd_op_wait(op, INT64_MAX, &err), CTCD_E_TIMEOUT);
    ctcd_op_unref(op);
    op = predict_begin(50);
    fails(ctcd_op_wait(op, INT64_MIN, &err), CTCD_E_TIMEOUT);
    ctcd_op_unref(op);
}
END_TEST

/* Waiting for one op drives all. */
START_TEST(a_wait_drives_everything) {
    fake.hook[FAKE_PREDICT] = for_ever;
    ctcd_op *other = fake_deploy_begin("letters", "there", LONG_MS), *timed = predict_begin(20);
    ctcd_op *op = predict_begin(100);
    fails(ctcd_op_wait(op, -1, &err), CTCD_E_TIMEOUT);
    ck_assert_int_eq(ctcd_op_poll(other), 0);
    ck_assert_int_eq(ctcd_op_poll(timed), 0);
    ok(ctcd_op_result(other, &err));
    ck_assert_int_eq(ctcd_op_result(timed, NULL), CTCD_E_TIMEOUT);
    ctcd_op_unref(op);
    ctcd_op_unref(timed);
    ctcd_op_unref(other);
}
END_TEST

START_TEST(blocking_calls_have_their_bound) {
    ctcd_status *status = NULL;
    char *text = NULL;
    int64_t start = real_mono();
    fake.hook[FAKE_OBSERVE] = fake.hook[FAKE_PREDICT] = fake.hook[FAKE_VALIDATE] = for_ever;
    ok(ctcd_service_observe(service, 40, &status, &err));
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_UNKNOWN);
    ctcd_status_unref(status);
    fails(ctcd_service_predict(service, "[[1]]", 40, &text, &err), CTCD_E_TIMEOUT);
    ctcd_deployment *want = fake_want("letters", "there");
    fails(ctcd_model_deployer_validate(deployer, want, 40, &err), CTCD_E_TIMEOUT);
    fails(ctcd_model_deployer_deploy(deployer, want, 40, NULL, &err), CTCD_E_TIMEOUT);
    ctcd_deployment_unref(want);
    ck_assert_ptr_null(text);
    ck_assert_int_lt(real_mono() - start, LONG_MS);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
}
END_TEST

/* ---- zero: start and return ---- */

static int says_no(struct fake_in *in) {
    return ctcd_call_fail(in->call, CTCD_E_INVALID, "not this one", NULL);
}

START_TEST(a_deploy_with_zero_returns_once_it_has_begun) {
    ctcd_service *begun = NULL;
    ctcd_deployment *want = fake_want("letters", "there");
    fake.hook[FAKE_APPLY] = for_ever;
    ok(ctcd_model_deployer_deploy(deployer, want, 0, &begun, &err));
    ck_assert_ptr_nonnull(begun);
    ck_assert_str_eq(ctcd_service_model(begun), "letters");
    ck_assert_int_eq(ctcd_service_revision(begun), 0);
    ctcd_deployment_unref(want);
    /* It goes on while the context is dispatched. */
    settle(ctx);
    ck_assert_has(fake.trace, "apply:1");
    ck_assert_int_lt(ctcd_context_deadline(ctx), INT64_MAX);
    ctcd_status *status = NULL;
    ok(ctcd_service_observe(begun, LONG_MS, &status, &err));
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_PENDING_STARTUP);
    ctcd_status_unref(status);
    ctcd_service_unref(begun);
}
END_TEST

START_TEST(a_deploy_with_zero_that_is_refused_says_so_at_once) {
    ctcd_service *none = NULL;
    ctcd_deployment *want = fake_want("letters", "there");
    fake.hook[FAKE_VALIDATE] = says_no;
    fails(ctcd_model_deployer_deploy(deployer, want, 0, &none, &err), CTCD_E_INVALID);
    ck_assert_str_eq(ctcd_error_message(err), "not this one");
    ck_assert_ptr_null(none);
    ctcd_deployment_unref(want);
}
END_TEST

START_TEST(start_stop_and_delete_with_zero_return_at_once) {
    ok(ctcd_service_stop(service, 0, &err));
    ck_assert_str_eq(fake.trace, "");
    settle(ctx);
    ck_assert_str_eq(fake.trace, "remove:1");
    ok(ctcd_service_start(service, 0, &err));
    settle(ctx);
    ck_assert_int_eq(fake_running(&fake), 1);
    ok(ctcd_service_delete(service, 0, 0, &err));
    settle(ctx);
    ck_assert_int_eq(fake_running(&fake), 0);
    ctcd_list *list = fake_services();
    ck_assert_uint_eq(ctcd_list_count(list), 0);
    ctcd_list_unref(list);
}
END_TEST

/* ---- signals ---- */

static volatile sig_atomic_t alarms;

static void on_alarm(int number) {
    (void)number;
    alarms++;
}

/* An alarm every few milliseconds, so that one comes while the wait sleeps; restart: SA_RESTART. */
static void alarms_begin(int restart) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0};
    struct itimerval often = {{0, 10000}, {0, 10000}};
    alarms = 0;
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void alarms_end(void) {
    struct itimerval never = {{0, 0}, {0, 0}};
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_gt(alarms, 0);
    (void)signal(SIGALRM, SIG_DFL);
}

START_TEST(a_signal_interrupts_and_the_deploy_is_undone) {
    for (int restart = 0; restart < 2; restart++) {
        ctcd_service *none = NULL;
        ctcd_deployment *want = fake_want("letters", "there");
        fake.hook[FAKE_APPLY] = for_ever;
        fake.trace[0] = '\0';
        alarms_begin(restart);
        fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &none, &err), CTCD_E_INTERRUPTED);
        alarms_end();
        ck_assert_ptr_null(none);
        ck_assert_has(ctcd_error_message(err), "interrupted");
        ck_assert_has(fake.trace, "remove:");
        ck_assert_int_eq(fake_running(&fake), 1);
        ctcd_deployment_unref(want);
    }
}
END_TEST

static int slow_to_go(struct fake_in *in) {
    return in->entry == 1 && in->flags ? fake_until(in, 60) : FAKE_GO_ON;
}

/* The signals go on while it undoes: that is not cut short. */
START_TEST(undoing_is_not_interrupted) {
    ctcd_deployment *want = fake_want("letters", "there");
    fake.hook[FAKE_APPLY] = for_ever;
    fake.hook[FAKE_REMOVE] = slow_to_go;
    alarms_begin(0);
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, NULL, &err), CTCD_E_INTERRUPTED);
    alarms_end();
    ck_assert_int_eq(fake.entries[FAKE_REMOVE], 2);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    ctcd_deployment_unref(want);
}
END_TEST

START_TEST(every_blocking_call_can_be_interrupted) {
    ctcd_status *status = NULL;
    char *text = NULL;
    fake.hook[FAKE_OBSERVE] = fake.hook[FAKE_PREDICT] = fake.hook[FAKE_VALIDATE] =
        fake.hook[FAKE_LOGS] = for_ever;
    ctcd_deployment *want = fake_want("letters", "there");
    alarms_begin(0);
    fails(ctcd_service_observe(service, LONG_MS, &status, &err), CTCD_E_INTERRUPTED);
    fails(ctcd_service_predict(service, "[[1]]", LONG_MS, &text, &err), CTCD_E_INTERRUPTED);
    fails(ctcd_service_logs(service, 5, &text, &err), CTCD_E_INTERRUPTED);
    fails(ctcd_model_deployer_validate(deployer, want, LONG_MS, &err), CTCD_E_INTERRUPTED);
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, NULL, &err), CTCD_E_INTERRUPTED);
    fails(ctcd_model_deployer_deploy(deployer, want, 0, NULL, &err), CTCD_E_INTERRUPTED);
    settle(ctx);
    fails(ctcd_context_wait(ctx, LONG_MS, &err), CTCD_E_INTERRUPTED);
    ctcd_op *op = predict_begin(LONG_MS);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_INTERRUPTED);
    ck_assert_int_eq(ctcd_op_poll(op), 0); /* the op was cancelled, not only the wait */
    ctcd_op_unref(op);
    alarms_end();
    ck_assert_ptr_null(status);
    ck_assert_ptr_null(text);
    ctcd_deployment_unref(want);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
}
END_TEST

START_TEST(an_interrupted_start_leaves_nothing_half_up) {
    ok(ctcd_service_stop(service, LONG_MS, &err));
    fake.trace[0] = '\0';
    fake.hook[FAKE_APPLY] = for_ever;
    alarms_begin(0);
    fails(ctcd_service_start(service, LONG_MS, &err), CTCD_E_INTERRUPTED);
    alarms_end();
    ck_assert_has(fake.trace, "apply:1 remove:1!");
    ck_assert_int_eq(fake_running(&fake), 0);
}
END_TEST

static int drains_for_ever(struct fake_in *in) {
    return in->flags ? FAKE_GO_ON : fake_for_ever(in);
}

/* A stop has nothing that could be undone: it goes faster, and is done. */
START_TEST(an_interrupted_stop_kills) {
    fake.hook[FAKE_REMOVE] = drains_for_ever;
    alarms_begin(0);
    ok(ctcd_service_stop(service, LONG_MS, &err));
    alarms_end();
    ck_assert_str_eq(fake.trace, "remove:1 remove:1!");
    ck_assert_int_eq(fake_running(&fake), 0);
    ctcd_status *status = NULL;
    ok(ctcd_service_observe(service, LONG_MS, &status, &err));
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_INACTIVE);
    ctcd_status_unref(status);
}
END_TEST

/* ---- threads ---- */

static int keeps_op(struct fake_in *in) {
    fake_say(in->fake, "hangs");
    return fake_for_ever(in);
}

static void *cancel_soon(void *op) {
    /* Only when the method hangs is there something to be woken. */
    return (void *)(intptr_t)ctcd_op_cancel(op);
}

START_TEST(a_cancel_from_another_thread_ends_a_wait) {
    pthread_t thread;
    for (int i = 0; i < 20; i++) {
        fake.hook[FAKE_PREDICT] = keeps_op;
        ctcd_op *op = predict_begin(LONG_MS);
        ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, op), 0);
        fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_CANCELED);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ctcd_op_unref(op);
    }
}
END_TEST

#define THREADS 3
#define OPS 100

static ctcd_op *shared[OPS];
static atomic_int next_op, go;

/* Refs, cancels and lets go of ops that the context's thread works on. */
static void *plays_with_ops(void *nothing) {
    (void)nothing;
    while (!atomic_load(&go))
        sched_yield();
    for (int i; (i = atomic_fetch_add(&next_op, 1)) < OPS * 10;) {
        ctcd_op *op = shared[i % OPS];
        ck_assert_ptr_eq(ctcd_op_ref(op), op);
        if (i % 3 == 0)
            ck_assert_int_eq(ctcd_op_cancel(op), 0);
        ctcd_op_unref(op);
    }
    return NULL;
}

static void *lets_go_of_all(void *nothing) {
    (void)nothing;
    for (int i; (i = atomic_fetch_add(&next_op, 1)) < OPS;)
        ck_assert_ptr_null(ctcd_op_unref(shared[i]));
    return NULL;
}

static int waits_a_little(struct fake_in *in) {
    return in->entry == 1 ? fake_until(in, 1) : FAKE_GO_ON;
}

static void threads_of(void *(*work)(void *), pthread_t threads[THREADS]) {
    atomic_store(&next_op, 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
}

static void done_counts(void *user_data, ctcd_op *op) {
    char *text = NULL;
    int rc = ctcd_op_take_text(op, &text, NULL); /* its users may be gone: then there may be none */
    ck_assert(rc == 0 || rc == CTCD_E_INVALID);
    ctcd_free(text);
    (*(int *)user_data)++;
}

/* The context's thread is never told that it is busy, whatever the others let go of. */
START_TEST(other_threads_cancel_and_let_go) {
    pthread_t threads[THREADS];
    int done = 0;
    fake.traces = false;
    fake.hook[FAKE_PREDICT] = waits_a_little;
    atomic_store(&go, 0);
    for (int i = 0; i < OPS; i++) {
        shared[i] = predict_begin(LONG_MS);
        ok(ctcd_op_set_done(shared[i], done_counts, &done, NULL, &err));
    }
    threads_of(plays_with_ops, threads);
    atomic_store(&go, 1);
    for (int i = 0; i < OPS; i++) {
        int rc = ctcd_op_wait(shared[i], LONG_MS, NULL);
        ck_assert_msg(rc == 0 || rc == CTCD_E_CANCELED, "%s", ctcd_code_name(rc));
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    settle(ctx);
    ck_assert_int_eq(done, OPS);
    /* And the last ones, while the context is at work. */
    done = 0;
    ctcd_op *mine[OPS];
    for (int i = 0; i < OPS; i++) {
        ctcd_op_unref(shared[i]);
        shared[i] = predict_begin(LONG_MS);
        ok(ctcd_op_set_done(shared[i], done_counts, &done, NULL, &err));
        mine[i] = predict_begin(LONG_MS);
    }
    threads_of(lets_go_of_all, threads);
    for (int i = 0; i < OPS; i++) {
        ok(ctcd_op_wait(mine[i], LONG_MS, &err));
        ctcd_op_unref(mine[i]);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    int64_t until = real_mono() + LONG_MS;
    while (done < OPS && real_mono() < until) {
        int rc = ctcd_context_wait(ctx, 100, &err);
        ck_assert(rc == 0 || rc == CTCD_AGAIN);
    }
    ck_assert_int_eq(done, OPS);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
}
END_TEST

/* The thread that used the context is done with it; another one has the last reference of everything. */
static void *ends_everything(void *op) {
    char *text = NULL;
    ck_assert_int_eq(ctcd_op_take_text(op, &text, NULL),
                     0); /* nobody else is inside: that is allowed */
    ctcd_free(text);
    ctcd_op_unref(op);
    return NULL;
}

START_TEST(the_last_one_may_be_another_thread) {
    pthread_t thread;
    ctcd_op *op = predict_begin(LONG_MS);
    ok(ctcd_op_wait(op, LONG_MS, &err));
    service = ctcd_service_unref(service);
    deployer = ctcd_model_deployer_unref(deployer);
    ctx = ctcd_context_unref(ctx);
    ck_assert_int_eq(fake.destroyed, 0); /* the op holds it */
    ck_assert_int_eq(pthread_create(&thread, NULL, ends_everything, op), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(fake.closed, 1);
    ck_assert_int_eq(fake.destroyed, 1);
}
END_TEST

static void *takes_and_lets_go(void *op) {
    ctcd_op_unref(op);
    return NULL;
}

/* As above, but the other thread never came in before, and the result that was taken holds the context. */
START_TEST(a_taken_result_is_given_up_by_any_thread) {
    pthread_t thread;
    ctcd_list *list = NULL;
    ctcd_op *op = fake_observe_begin(LONG_MS);
    ok(ctcd_op_wait(op, LONG_MS, &err));
    ok(ctcd_op_take_list(op, &list, &err));
    ctcd_list_unref(list);
    service = ctcd_service_unref(service);
    deployer = ctcd_model_deployer_unref(deployer);
    ctx = ctcd_context_unref(ctx);
    ck_assert_int_eq(pthread_create(&thread, NULL, takes_and_lets_go, op), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(fake.closed, 1);
    ck_assert_int_eq(fake.destroyed, 1);
}
END_TEST

SUITE_MAIN_WITH("op wait", begin, end, a_wait_may_give_up_and_the_op_goes_on,
                a_wait_without_a_bound_ends_with_the_op, a_wait_drives_everything,
                blocking_calls_have_their_bound, a_deploy_with_zero_returns_once_it_has_begun,
                a_deploy_with_zero_that_is_refused_says_so_at_once,
                start_stop_and_delete_with_zero_return_at_once,
                a_signal_interrupts_and_the_deploy_is_undone, undoing_is_not_interrupted,
                every_blocking_call_can_be_interrupted, an_interrupted_start_leaves_nothing_half_up,
                an_interrupted_stop_kills, a_cancel_from_another_thread_ends_a_wait,
                other_threads_cancel_and_let_go, the_last_one_may_be_another_thread,
                a_taken_result_is_given_up_by_any_thread)
