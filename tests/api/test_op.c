/* Ops: begin, poll, cancel, detach, results, callbacks. Time is a clock by hand; waiting for an op is in
   test_op_wait.c. */
#include "fake.h"

#include <inttypes.h>

static struct hand hand;
static ctcd_service *service;

static void begin(void) {
    fake_begin();
    hand_give(&hand, ctx);
    service = fake_deploy("digits", "here");
    fake.trace[0] = '\0';
    settle(ctx);
}

static void end(void) {
    service = ctcd_service_unref(service);
    fake_end();
}

static ctcd_op *predict_begin(void) {
    ctcd_op *op = NULL;
    ok(ctcd_service_predict_begin(service, "[[1]]", 60000, &op, &err));
    return op;
}

static int for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

static ctcd_op *deploy_begin(void) {
    return fake_deploy_begin("letters", "there", 60000);
}

/* A deploy that hangs in apply. */
static ctcd_op *hanging_deploy(void) {
    fake.hook[FAKE_APPLY] = for_ever;
    ctcd_op *op = deploy_begin();
    settle(ctx);
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    return op;
}

/* ---- the fd, poll and results ---- */

START_TEST(begin_cancel_and_wake_make_the_fd_readable) {
    int fd = ctcd_context_fd(ctx);
    fake.hook[FAKE_PREDICT] = for_ever;
    ck_assert(!readable(fd));
    ctcd_op *op = predict_begin();
    ck_assert(readable(fd));
    ck_assert_int_le(ctcd_context_deadline(ctx), atomic_load(&hand.mono));
    settle(ctx);
    ck_assert_int_eq(ctcd_context_deadline(ctx), HAND_MONO + 60000);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    ck_assert(readable(fd));
    settle(ctx);
    ck_assert_int_eq(ctcd_context_wakeup(ctx), 0);
    ck_assert(readable(fd));
    settle(ctx);
    ctcd_op_unref(op);
    ck_assert(!readable(fd));
}
END_TEST

START_TEST(nothing_happens_before_a_dispatch) {
    ctcd_op *op = predict_begin();
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    ck_assert_int_eq(fake.entries[FAKE_PREDICT], 0);
    ck_assert_str_eq(ctcd_op_doing(op), "");
    err = ctcd_error_unref(err);
    ck_assert_int_eq(ctcd_op_result(op, &err), CTCD_AGAIN);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(ctcd_op_result(op, NULL), CTCD_AGAIN);
    settle(ctx);
    ck_assert_int_eq(ctcd_op_poll(op), 0);
    ctcd_op_unref(op);
}
END_TEST

START_TEST(results_are_taken_by_kind_and_any_number_of_times) {
    char *text = NULL, *again = NULL;
    ctcd_list *list = NULL;
    ctcd_run *run = NULL;
    ctcd_service *deployed = NULL, *same = NULL;
    ctcd_op *op = predict_begin();
    fails(ctcd_op_take_text(op, &text, &err), CTCD_E_INVALID); /* not yet */
    ok(play(ctx, &hand, op));
    fails(ctcd_op_take_list(op, &list, &err), CTCD_E_INVALID);
    fails(ctcd_op_take_service(op, &deployed, &err), CTCD_E_INVALID);
    fails(ctcd_op_take_run(op, &run, &err), CTCD_E_INVALID);
    fails(ctcd_op_take_text(op, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_op_take_text(NULL, &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    ok(ctcd_op_take_text(op, &text, &err));
    ok(ctcd_op_take_text(op, &again, &err));
    ck_assert_str_eq(text, "[[1]]");
    ck_assert_str_eq(again, text);
    ctcd_free(text);
    ctcd_free(again);
    ctcd_op_unref(op);
    op = deploy_begin();
    ok(play(ctx, &hand, op));
    ok(ctcd_op_take_service(op, &deployed, &err));
    ok(ctcd_op_take_service(op, &same, &err));
    ck_assert_str_eq(ctcd_service_uuid(deployed), ctcd_service_uuid(same));
    ctcd_op_unref(op);
    ck_assert_str_eq(ctcd_service_model(deployed), "letters");
    ctcd_service_unref(deployed);
    ctcd_service_unref(same);
}
END_TEST

/* Objects that an op gave out hold what they need: any order of release is right. */
START_TEST(a_result_outlives_its_op_and_its_context) {
    ctcd_list *list = NULL;
    ctcd_op *op = fake_observe_begin(1000);
    ok(play(ctx, &hand, op));
    ok(ctcd_op_take_list(op, &list, &err));
    ctcd_status *status = ctcd_status_ref(ctcd_list_status(list, 0));
    ctcd_service *of = ctcd_service_ref(ctcd_status_service(status));
    service = ctcd_service_unref(service);
    deployer = ctcd_model_deployer_unref(deployer);
    ctx = ctcd_context_unref(ctx);
    ck_assert_int_eq(fake.destroyed, 0);
    ck_assert_ptr_null(ctcd_op_unref(op));
    ck_assert_ptr_null(ctcd_list_unref(list));
    ck_assert_int_eq(fake.destroyed, 0);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
    ck_assert_ptr_null(ctcd_status_unref(status));
    ck_assert_str_eq(ctcd_service_model(of), "digits");
    ck_assert_int_eq(fake.destroyed, 0);
    ck_assert_ptr_null(ctcd_service_unref(of));
    ck_assert_int_eq(fake.destroyed, 1); /* the last one took the context along */
    ck_assert_int_eq(fake.closed, 1);
}
END_TEST

START_TEST(an_op_that_failed_keeps_its_error) {
    fake.hook[FAKE_APPLY] = for_ever;
    ctcd_service *none = NULL;
    ctcd_op *op = deploy_begin();
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_TIMEOUT);
    char message[512];
    (void)snprintf(message, sizeof message, "%s", ctcd_error_message(err));
    fails(ctcd_op_result(op, &err), CTCD_E_TIMEOUT);
    ck_assert_str_eq(ctcd_error_message(err), message);
    ck_assert_int_eq(ctcd_op_result(op, NULL), CTCD_E_TIMEOUT);
    fails(ctcd_op_take_service(op, &none, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(none);
    ctcd_error *kept = NULL;
    (void)ctcd_op_result(op, &kept);
    ctcd_op_unref(op);
    ck_assert_str_eq(ctcd_error_message(kept), message); /* it outlives the op */
    ctcd_error_unref(kept);
}
END_TEST

START_TEST(no_op_is_nothing) {
    ck_assert_ptr_null(ctcd_op_ref(NULL));
    ck_assert_ptr_null(ctcd_op_unref(NULL));
    ck_assert_int_eq(ctcd_op_poll(NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_op_cancel(NULL), CTCD_E_INVALID);
    ck_assert_str_eq(ctcd_op_doing(NULL), "");
    fails(ctcd_op_wait(NULL, 10, &err), CTCD_E_INVALID);
    fails(ctcd_op_result(NULL, &err), CTCD_E_INVALID);
    fails(ctcd_op_set_done(NULL, NULL, NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_op_set_progress(NULL, NULL, NULL, NULL, &err), CTCD_E_INVALID);
}
END_TEST

/* ---- cancel ---- */

START_TEST(a_cancelled_deploy_is_undone) {
    ctcd_op *op = hanging_deploy();
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    ck_assert_int_eq(ctcd_op_cancel(op), 0); /* harmless when repeated */
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_CANCELED);
    ck_assert_has(ctcd_error_message(err), "cancelled");
    ck_assert_str_eq(fake.trace, "validate:0 apply:1 remove:1!");
    ck_assert_int_eq(ctcd_op_cancel(op), 0); /* and when it is too late */
    settle(ctx);
    ck_assert_int_eq(ctcd_op_result(op, NULL), CTCD_E_CANCELED);
    ctcd_op_unref(op);
    ck_assert_int_eq(fake_running(&fake), 1);
}
END_TEST

START_TEST(an_op_that_is_cancelled_before_it_began_does_nothing) {
    ctcd_op *op = deploy_begin();
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_CANCELED);
    ck_assert_str_eq(fake.trace, "");
    ctcd_op_unref(op);
    ctcd_list *list = fake_services();
    ck_assert_uint_eq(ctcd_list_count(list), 1);
    ctcd_list_unref(list);
}
END_TEST

START_TEST(an_op_that_ended_is_not_cancelled_any_more) {
    ctcd_op *op = predict_begin();
    settle(ctx);
    ck_assert_int_eq(ctcd_op_poll(op), 0);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    settle(ctx);
    ok(ctcd_op_result(op, &err));
    ctcd_op_unref(op);
}
END_TEST

static void *cancel_it(void *op) {
    return (void *)(intptr_t)ctcd_op_cancel(op);
}

START_TEST(another_thread_cancels) {
    pthread_t thread;
    void *rc;
    ctcd_op *op = hanging_deploy();
    ck_assert(!readable(ctcd_context_fd(ctx)));
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_it, op), 0);
    ck_assert(becomes_readable(ctcd_context_fd(ctx)));
    ck_assert_int_eq(pthread_join(thread, &rc), 0);
    ck_assert_int_eq((int)(intptr_t)rc, 0);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_CANCELED);
    ck_assert_has(fake.trace, "remove:1!");
    ctcd_op_unref(op);
}
END_TEST

static int never_goes(struct fake_in *in) {
    (void)ctcd_call_progress(in->call, "knocking");
    return fake_for_ever(in);
}

/* Undoing has its own time; after it the op ends by force, and the record says that it was interrupted. */
START_TEST(undoing_is_bounded) {
    fake.hook[FAKE_REMOVE] = never_goes;
    ctcd_op *op = hanging_deploy();
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    int64_t start = atomic_load(&hand.mono);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_CANCELED);
    ck_assert_int_le(atomic_load(&hand.mono) - start, 60000);
    ctcd_op_unref(op);
    fake.hook[FAKE_REMOVE] = NULL;
    fake.hook[FAKE_APPLY] = NULL;
    ctcd_list *list = NULL, *seen = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, "letters", &list, &err));
    ok(ctcd_list_observe(list, 1000, &seen, &err));
    ck_assert_has(ctcd_status_message(ctcd_list_status(seen, 0)), "interrupted");
    ctcd_list_unref(list);
    ctcd_list_unref(seen);
    /* The next mutation takes up what was left. */
    fake.trace[0] = '\0';
    ctcd_service_unref(fake_deploy("letters", "there"));
    ck_assert_has(fake.trace, "remove:1!");
}
END_TEST

/* ---- detaching ---- */

START_TEST(an_op_without_users_goes_on) {
    ctcd_op *op = deploy_begin();
    ck_assert_ptr_null(ctcd_op_unref(op));
    settle(ctx);
    ck_assert_str_eq(fake.trace, "validate:0 apply:1 observe:1");
    ck_assert_int_eq(fake_running(&fake), 2);
    ck_assert_int_eq(ctcd_context_deadline(ctx), INT64_MAX);
}
END_TEST

START_TEST(a_detached_op_meets_its_deadline_and_undoes) {
    ctcd_op_unref(hanging_deploy());
    play_for(ctx, &hand, 60000);
    ck_assert_str_eq(fake.trace, "validate:0 apply:1 remove:1!");
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
}
END_TEST

/* ---- the done callback ---- */

struct witness {
    int calls;
    atomic_int destroyed;
    ctcd_op *op;
    char model[64];
    int rc;
};

static void seen_done(void *user_data, ctcd_op *op) {
    struct witness *w = user_data;
    w->calls++;
    w->op = op;
    w->rc = ctcd_op_result(op, NULL);
    ck_assert_int_eq(atomic_load(&w->destroyed), 0);
    ck_assert_int_eq(ctcd_op_poll(op), 0);
}

static void witness_destroy(void *user_data) {
    struct witness *w = user_data;
    atomic_fetch_add(&w->destroyed, 1);
}

START_TEST(done_is_called_once_from_a_dispatch) {
    struct witness w = {.rc = 99};
    ctcd_op *op = predict_begin();
    fails(ctcd_op_set_done(op, NULL, &w, NULL, &err), CTCD_E_INVALID);
    ok(ctcd_op_set_done(op, seen_done, &w, witness_destroy, &err));
    fails(ctcd_op_set_done(op, seen_done, &w, witness_destroy, &err), CTCD_E_CONFLICT);
    ck_assert_int_eq(atomic_load(&w.destroyed), 0);
    ck_assert_int_eq(w.calls, 0);
    settle(ctx);
    ck_assert_int_eq(w.calls, 1);
    ck_assert_int_eq(w.rc, 0);
    ck_assert_ptr_eq(w.op, op);
    ck_assert_int_eq(atomic_load(&w.destroyed), 1);
    settle(ctx);
    ck_assert_int_eq(w.calls, 1);
    /* Set after the end, it is called all the same, and from a dispatch. */
    struct witness late = {.rc = 99};
    ok(ctcd_op_set_done(op, seen_done, &late, witness_destroy, &err));
    ck_assert_int_eq(late.calls, 0);
    ck_assert(readable(ctcd_context_fd(ctx)));
    ctcd_op_unref(op);
    settle(ctx);
    ck_assert_int_eq(late.calls, 1);
    ck_assert_int_eq(atomic_load(&late.destroyed), 1);
}
END_TEST

START_TEST(done_hears_of_failures_too) {
    struct witness w = {.rc = 99};
    ctcd_op *op = hanging_deploy();
    ok(ctcd_op_set_done(op, seen_done, &w, witness_destroy, &err));
    ctcd_op_unref(op);
    play_for(ctx, &hand, 70000);
    ck_assert_int_eq(w.calls, 1);
    ck_assert_int_eq(w.rc, CTCD_E_TIMEOUT);
    ck_assert_int_eq(atomic_load(&w.destroyed), 1);
}
END_TEST

START_TEST(without_its_end_done_is_only_destroyed) {
    struct witness w = {.rc = 99}, line = {.rc = 99};
    ctcd_op *op = hanging_deploy();
    ok(ctcd_op_set_done(op, seen_done, &w, witness_destroy, &err));
    ok(ctcd_op_set_progress(op, NULL, &line, witness_destroy, &err));
    ctcd_op_unref(op);
    service = ctcd_service_unref(service);
    fake_end_context();
    ck_assert_int_eq(w.calls, 0);
    ck_assert_int_eq(atomic_load(&w.destroyed), 1);
    ck_assert_int_eq(atomic_load(&line.destroyed), 1);
}
END_TEST

static void takes_all(void *user_data, ctcd_op *op) {
    struct witness *w = user_data;
    ctcd_service *deployed = NULL;
    ok(ctcd_op_take_service(op, &deployed, &err));
    (void)snprintf(w->model, sizeof w->model, "%s", ctcd_service_model(deployed));
    ctcd_service_unref(deployed);
    w->op = w->calls++ ? NULL : ctcd_op_ref(op);
}

START_TEST(done_of_a_detached_op_gets_the_result) {
    struct witness w = {0};
    ctcd_op *op = deploy_begin();
    ok(ctcd_op_set_done(op, takes_all, &w, witness_destroy, &err));
    ctcd_op_unref(op);
    settle(ctx);
    ck_assert_int_eq(w.calls, 1);
    ck_assert_str_eq(w.model, "letters");
    /* A reference that the callback took makes it a user again. */
    ctcd_service *deployed = NULL;
    ok(ctcd_op_take_service(w.op, &deployed, &err));
    ctcd_service_unref(deployed);
    ck_assert_ptr_null(ctcd_op_unref(w.op));
    ck_assert_ptr_nonnull(ctcd_context_home(ctx));
}
END_TEST

/* Ended, and let go before the callback could run: the result waits for it. */
START_TEST(done_gets_the_result_whenever_the_user_lets_go) {
    struct witness w = {0};
    ctcd_op *op = deploy_begin();
    ok(ctcd_op_set_done(op, takes_all, &w, witness_destroy, &err));
    for (int i = 0; ctcd_op_poll(op) == CTCD_AGAIN; i++) {
        ck_assert_int_lt(i, 1000);
        ok(ctcd_context_dispatch(ctx, &err));
    }
    ck_assert_int_eq(w.calls, 0);
    ctcd_op_unref(op);
    settle(ctx);
    ck_assert_int_eq(w.calls, 1);
    ck_assert_str_eq(w.model, "letters");
    ctcd_op_unref(w.op);
}
END_TEST

/* The user has the result, the callback has not run yet, and nobody dispatches any more. */
START_TEST(a_taken_result_does_not_keep_the_context) {
    struct witness w = {0};
    ctcd_service *deployed = NULL;
    ctcd_op *op = deploy_begin();
    ok(ctcd_op_set_done(op, takes_all, &w, witness_destroy, &err));
    while (ctcd_op_poll(op) == CTCD_AGAIN)
        ok(ctcd_context_dispatch(ctx, &err));
    ok(ctcd_op_take_service(op, &deployed, &err));
    ctcd_op_unref(op);
    ctcd_service_unref(deployed);
    service = ctcd_service_unref(service);
    fake_end_context(); /* it is gone, and says so */
    ck_assert_int_eq(w.calls, 0);
    ck_assert_int_eq(atomic_load(&w.destroyed), 1);
}
END_TEST

/* ---- what callbacks may do ---- */

static ctcd_op *chained;

static void enters(ctcd_op *op) {
    ctcd_status *status = NULL;
    ctcd_list *list = NULL;
    char *text = NULL;
    fails(ctcd_op_wait(op, 10, &err), CTCD_E_REENTRANT);
    fails(ctcd_op_wait(chained, -1, &err), CTCD_E_REENTRANT);
    fails(ctcd_context_dispatch(ctx, &err), CTCD_E_REENTRANT);
    fails(ctcd_context_wait(ctx, 1, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_observe(service, 10, &status, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_predict(service, "[[1]]", 10, &text, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_logs(service, 10, &text, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_start(service, 10, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_stop(service, 10, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_delete(service, 0, 10, &err), CTCD_E_REENTRANT);
    ctcd_deployment *want = fake_want("letters", "x");
    fails(ctcd_model_deployer_deploy(deployer, want, 10, NULL, &err), CTCD_E_REENTRANT);
    fails(ctcd_model_deployer_deploy(deployer, want, 0, NULL, &err), CTCD_E_REENTRANT);
    fails(ctcd_model_deployer_validate(deployer, want, 10, &err), CTCD_E_REENTRANT);
    ctcd_deployment_unref(want);
    fails(ctcd_context_set_clock(ctx, NULL, NULL, NULL, &err), CTCD_E_CONFLICT);
    /* What does not wait is fine. */
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err));
    ctcd_list_unref(list);
    ck_assert_int_ge(ctcd_context_fd(ctx), 0);
    ck_assert_ptr_null(status);
    ck_assert_ptr_null(text);
}

static void done_enters(void *user_data, ctcd_op *op) {
    struct witness *w = user_data;
    w->calls++;
    chained = predict_begin(); /* an op may follow another */
    enters(op);
}

START_TEST(a_done_callback_may_begin_but_not_wait) {
    struct witness w = {0};
    ctcd_op *op = predict_begin();
    ok(ctcd_op_set_done(op, done_enters, &w, NULL, &err));
    settle(ctx);
    ck_assert_int_eq(w.calls, 1);
    ck_assert_int_eq(ctcd_op_poll(chained), 0);
    ok(ctcd_op_result(chained, &err));
    ctcd_op_unref(chained);
    ctcd_op_unref(op);
    /* None of what was refused has begun. */
    ck_assert_str_eq(fake.trace, "predict:1 predict:1");
    ck_assert_int_eq(fake_running(&fake), 1);
}
END_TEST

struct diary {
    char lines[2048];
    int count;
    atomic_int destroyed;
};

static void writes_down(void *user_data, ctcd_op *op, const char *line) {
    struct diary *d = user_data;
    size_t at = strlen(d->lines);
    ck_assert_str_eq(ctcd_op_doing(op), line);
    (void)snprintf(d->lines + at, sizeof d->lines - at, "%s\n", line);
    d->count++;
}

static void diary_destroy(void *user_data) {
    struct diary *d = user_data;
    atomic_fetch_add(&d->destroyed, 1);
}

START_TEST(progress_tells_what_is_going_on) {
    struct diary first = {0}, second = {0};
    ctcd_op *op = hanging_deploy();
    ok(ctcd_op_set_progress(op, writes_down, &first, diary_destroy, &err));
    ok(ctcd_op_set_progress(op, writes_down, &second, diary_destroy, &err));
    ck_assert_int_eq(atomic_load(&first.destroyed), 1);
    ck_assert_has(ctcd_op_doing(op), "starting revision 1 of letters");
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    settle(ctx);
    ck_assert_int_eq(first.count, 0);
    ck_assert_int_gt(second.count, 0);
    ck_assert_has(second.lines, "taking the new revision down again\n");
    ok(ctcd_op_set_progress(op, NULL, NULL, NULL, &err));
    ck_assert_int_eq(atomic_load(&second.destroyed), 1);
    ctcd_op_unref(op);
    struct diary whole = {0};
    fake.hook[FAKE_APPLY] = NULL;
    op = deploy_begin();
    ok(ctcd_op_set_progress(op, writes_down, &whole, diary_destroy, &err));
    ok(play(ctx, &hand, op));
    ck_assert_has(whole.lines, "checking there\n");
    ck_assert_has(whole.lines, "starting revision 2 of letters\n");
    ck_assert_has(whole.lines, "is ready after");
    ck_assert_has(whole.lines, "revision 2 of letters serves\n");
    ctcd_op_unref(op);
    ck_assert_int_eq(atomic_load(&whole.destroyed), 1);
}
END_TEST

static void progress_enters(void *user_data, ctcd_op *op, const char *line) {
    struct diary *d = user_data;
    (void)line;
    if (d->count++ == 0) {
        chained = op;
        enters(op);
        ck_assert_int_eq(ctcd_op_cancel(op), 0);
        ck_assert_ptr_null(ctcd_op_unref(op)); /* the user's only one */
    }
}

START_TEST(a_progress_callback_may_cancel_and_let_go) {
    struct diary d = {0};
    fake.hook[FAKE_APPLY] = for_ever;
    ctcd_op *op = deploy_begin();
    ok(ctcd_op_set_progress(op, progress_enters, &d, diary_destroy, &err));
    settle(ctx);
    ck_assert_int_ge(d.count, 1);
    ck_assert_int_eq(atomic_load(&d.destroyed), 1);
    ck_assert_int_eq(fake_running(&fake), 1);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
}
END_TEST

static void destroy_enters(void *user_data) {
    ctcd_list *list = NULL;
    ctcd_status *status = NULL;
    atomic_fetch_add((atomic_int *)user_data, 1);
    if (!ctx)
        return;
    fails(ctcd_service_observe(service, 10, &status, &err), CTCD_E_REENTRANT);
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err));
    ctcd_list_unref(list);
}

START_TEST(user_data_is_given_back_where_nobody_waits) {
    struct witness w = {0};
    atomic_int destroyed;
    atomic_init(&destroyed, 0);
    ctcd_op *op = predict_begin();
    (void)w;
    ok(ctcd_op_set_done(op, seen_done, &w, NULL, &err));
    ok(ctcd_op_set_progress(op, NULL, &destroyed, destroy_enters, &err));
    ok(ctcd_op_set_progress(op, NULL, &destroyed, destroy_enters, &err));
    ck_assert_int_eq(atomic_load(&destroyed), 1);
    settle(ctx);
    ctcd_op_unref(op);
    ck_assert_int_eq(atomic_load(&destroyed), 2);
}
END_TEST

/* ---- times ---- */

static int64_t left(ctcd_op *op) {
    settle(ctx);
    int64_t ms = ctcd_context_deadline(ctx) - atomic_load(&hand.mono);
    (void)ctcd_op_cancel(op);
    settle(ctx);
    ck_assert_int_eq(ctcd_op_poll(op), 0);
    ctcd_op_unref(op);
    return ms;
}

START_TEST(defaults_are_those_of_the_comments) {
    ctcd_op *op = NULL;
    const int64_t negative[] = {-1, INT64_MIN};
    for (size_t i = 0; i < 2; i++) {
        fake.hook[FAKE_PREDICT] = fake.hook[FAKE_OBSERVE] = fake.hook[FAKE_REMOVE] =
            fake.hook[FAKE_VALIDATE] = for_ever;
        ck_assert_int_eq(left(fake_deploy_begin("letters", "there", negative[i])), 300000);
        ck_assert_int_eq(left(fake_observe_begin(negative[i])), 5000);
        ok(ctcd_service_predict_begin(service, "[[1]]", negative[i], &op, &err));
        ck_assert_int_eq(left(op), 60000);
        /* These go on after a cancel: they kill. */
        ok(ctcd_service_stop_begin(service, negative[i], &op, &err));
        settle(ctx);
        ck_assert_int_eq(ctcd_context_deadline(ctx) - atomic_load(&hand.mono), 60000);
        fake.hook[FAKE_REMOVE] = NULL;
        (void)ctcd_op_cancel(op);
        ok(play(ctx, &hand, op));
        ctcd_op_unref(op);
        fake.hook[FAKE_OBSERVE] = NULL;
        fake.hook[FAKE_APPLY] = for_ever;
        ok(ctcd_service_start_begin(service, negative[i], &op, &err));
        ck_assert_int_eq(left(op), 300000);
        fake.hook[FAKE_APPLY] = NULL;
        ok(ctcd_service_start(service, -1, &err));
    }
}
END_TEST

START_TEST(zero_is_no_time_where_something_is_waited_for) {
    ctcd_status *status = NULL;
    ctcd_list *list = fake_services(), *seen = NULL;
    ctcd_op *op = NULL;
    char *text = NULL;
    fails(ctcd_service_observe(service, 0, &status, &err), CTCD_E_INVALID);
    fails(ctcd_list_observe(list, 0, &seen, &err), CTCD_E_INVALID);
    fails(ctcd_list_observe_begin(list, 0, &op, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict(service, "[[1]]", 0, &text, &err), CTCD_E_INVALID);
    fails(ctcd_service_predict_begin(service, "[[1]]", 0, &op, &err), CTCD_E_INVALID);
    ctcd_deployment *want = fake_want("letters", "there");
    fails(ctcd_model_deployer_validate(deployer, want, 0, &err), CTCD_E_INVALID);
    ctcd_deployment_unref(want);
    ck_assert_ptr_null(op);
    op = predict_begin();
    fails(ctcd_op_wait(op, 0, &err), CTCD_E_INVALID);
    ctcd_op_unref(op);
    ctcd_list_unref(list);
    ck_assert_str_eq(fake.trace, "");
    settle(ctx);
}
END_TEST

START_TEST(a_very_long_time_is_no_overflow) {
    ctcd_op *op = NULL;
    fake.hook[FAKE_PREDICT] = for_ever;
    ok(ctcd_service_predict_begin(service, "[[1]]", INT64_MAX, &op, &err));
    int64_t ms = left(op);
    ck_assert_int_gt(ms, (int64_t)365 * 24 * 3600 * 1000);
    ck_assert_int_lt(ms, INT64_MAX / 4);
}
END_TEST

SUITE_MAIN_WITH("op", begin, end, begin_cancel_and_wake_make_the_fd_readable,
                nothing_happens_before_a_dispatch,
                results_are_taken_by_kind_and_any_number_of_times,
                a_result_outlives_its_op_and_its_context, an_op_that_failed_keeps_its_error,
                no_op_is_nothing, a_cancelled_deploy_is_undone,
                an_op_that_is_cancelled_before_it_began_does_nothing,
                an_op_that_ended_is_not_cancelled_any_more, another_thread_cancels,
                undoing_is_bounded, an_op_without_users_goes_on,
                a_detached_op_meets_its_deadline_and_undoes, done_is_called_once_from_a_dispatch,
                done_hears_of_failures_too, without_its_end_done_is_only_destroyed,
                done_of_a_detached_op_gets_the_result,
                done_gets_the_result_whenever_the_user_lets_go,
                a_taken_result_does_not_keep_the_context, a_done_callback_may_begin_but_not_wait,
                progress_tells_what_is_going_on, a_progress_callback_may_cancel_and_let_go,
                user_data_is_given_back_where_nobody_waits, defaults_are_those_of_the_comments,
                zero_is_no_time_where_something_is_waited_for, a_very_long_time_is_no_overflow)
