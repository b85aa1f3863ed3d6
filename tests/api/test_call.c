/* Calls of a back end's methods: what they wait for, who wakes them, what they may do meanwhile. How they end is in
   test_call_end.c. The method is predict most of the time: one call, and its text is the op's result. */
#include "fake.h"

#include <fcntl.h>
#include <sys/socket.h>

static struct hand hand;
static ctcd_service *service;
static int ends[2]; /* a pair of sockets */

static void begin(void) {
    fake_begin();
    hand_give(&hand, ctx);
    service = fake_deploy("digits", "here");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
}

static void end(void) {
    service = ctcd_service_unref(service);
    fake_end();
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static ctcd_op *predict_begin(int64_t timeout_ms) {
    ctcd_op *op = NULL;
    ok(ctcd_service_predict_begin(service, "[[1]]", timeout_ms, &op, &err));
    return op;
}

static int entries(void) {
    return fake.entries[FAKE_PREDICT];
}

/* The op ended well, and nothing of it is left. */
static void ended_well(ctcd_op *op) {
    char *text = NULL;
    ok(play(ctx, &hand, op));
    ok(ctcd_op_take_text(op, &text, &err));
    ck_assert_str_eq(text, "[[1]]");
    ctcd_free(text);
    ctcd_op_unref(op);
}

/* ---- until an instant ---- */

static int twice_until(struct fake_in *in) {
    if (in->entry == 1)
        return fake_until(in, 100);
    if (in->entry == 2) {
        /* The earliest counts. */
        ck_assert_int_eq(ctcd_call_wait_until(in->call, ctcd_call_now(in->call) + 500), 0);
        ck_assert_int_eq(ctcd_call_wait_until(in->call, ctcd_call_now(in->call) + 50), 0);
        return fake_until(in, 200);
    }
    return FAKE_GO_ON;
}

START_TEST(a_call_waits_until_an_instant) {
    int64_t start = atomic_load(&hand.mono);
    fake.hook[FAKE_PREDICT] = twice_until;
    ctcd_op *op = predict_begin(10000);
    ck_assert(readable(ctcd_context_fd(ctx)));
    settle(ctx);
    ck_assert_int_eq(entries(), 1);
    ck_assert_int_eq(ctcd_context_deadline(ctx), start + 100);
    hand_move(&hand, 99);
    ok(ctcd_context_dispatch(ctx, &err));
    settle(ctx);
    ck_assert_int_eq(entries(), 1);
    hand_move(&hand, 1);
    ok(ctcd_context_dispatch(ctx, &err));
    settle(ctx);
    ck_assert_int_eq(entries(), 2);
    ck_assert_int_eq(ctcd_context_deadline(ctx), start + 150);
    ended_well(op);
    ck_assert_int_eq(entries(), 3);
    ck_assert_int_eq(atomic_load(&hand.mono), start + 150);
}
END_TEST

static int until_the_past(struct fake_in *in) {
    return in->entry < 5 ? fake_until(in, -1000) : FAKE_GO_ON;
}

START_TEST(an_instant_that_is_over_comes_at_once) {
    fake.hook[FAKE_PREDICT] = until_the_past;
    int64_t start = atomic_load(&hand.mono);
    ended_well(predict_begin(10000));
    ck_assert_int_eq(entries(), 5);
    ck_assert_int_eq(atomic_load(&hand.mono), start);
}
END_TEST

/* ---- for a descriptor ---- */

static int for_input(struct fake_in *in) {
    char byte;
    if (read(ends[0], &byte, 1) == 1)
        return FAKE_GO_ON;
    ck_assert_int_eq(errno, EAGAIN);
    int rc = ctcd_call_wait_fd(in->call, ends[0], CTCD_EVENT_IN);
    return rc ? rc : CTCD_AGAIN;
}

START_TEST(a_call_waits_for_input) {
    fake.hook[FAKE_PREDICT] = for_input;
    ctcd_op *op = predict_begin(10000);
    settle(ctx);
    ck_assert_int_eq(entries(), 1);
    ck_assert(!readable(ctcd_context_fd(ctx)));
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert(readable(ctcd_context_fd(ctx)));
    settle(ctx);
    ck_assert_int_eq(ctcd_op_poll(op), 0);
    ended_well(op);
    ck_assert_int_eq(entries(), 2);
}
END_TEST

static int for_room(struct fake_in *in) {
    static const char much[65536];
    if (in->entry == 2)
        return FAKE_GO_ON;
    while (write(ends[0], much, sizeof much) > 0)
        ;
    int rc = ctcd_call_wait_fd(in->call, ends[0], CTCD_EVENT_OUT);
    return rc ? rc : CTCD_AGAIN;
}

START_TEST(a_call_waits_for_room) {
    char room[65536];
    fake.hook[FAKE_PREDICT] = for_room;
    ctcd_op *op = predict_begin(10000);
    settle(ctx);
    ck_assert_int_eq(entries(), 1);
    while (read(ends[1], room, sizeof room) > 0)
        ;
    ck_assert(readable(ctcd_context_fd(ctx)));
    ended_well(op);
    ck_assert_int_eq(entries(), 2);
}
END_TEST

/* A call of another service waits for the same descriptor: both hear of it. */
START_TEST(several_calls_wait_for_one_descriptor) {
    ctcd_op *ops[10];
    fake.hook[FAKE_PREDICT] = for_input;
    for (int i = 0; i < 10; i++)
        ops[i] = predict_begin(10000);
    settle(ctx);
    ck_assert_int_eq(entries(), 10);
    ck_assert_int_eq(write(ends[1], "0123456789", 10), 10);
    for (int i = 0; i < 10; i++)
        ended_well(ops[i]);
}
END_TEST

static int for_wrong_descriptors(struct fake_in *in) {
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(ctcd_call_wait_fd(in->call, -1, CTCD_EVENT_IN), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_wait_fd(in->call, 1000000, CTCD_EVENT_IN), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_wait_fd(in->call, file, CTCD_EVENT_IN), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_wait_fd(in->call, ends[0], 0x40000000u), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_wait_fd(NULL, ends[0], CTCD_EVENT_IN), CTCD_E_INVALID);
    (void)close(file);
    return CTCD_AGAIN; /* none of these counts as a wait */
}

START_TEST(a_descriptor_that_cannot_be_waited_for_is_refused) {
    fake.hook[FAKE_PREDICT] = for_wrong_descriptors;
    ctcd_op *op = predict_begin(10000);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_PLUGIN);
    ck_assert_has(ctcd_error_message(err), "nothing");
    ctcd_op_unref(op);
}
END_TEST

static int for_many(struct fake_in *in) {
    if (in->entry == 2)
        return FAKE_GO_ON;
    int pairs[8][2], rc = 0, taken = 0;
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(pipe(pairs[i]), 0);
        rc = ctcd_call_wait_fd(in->call, pairs[i][0], CTCD_EVENT_IN);
        taken += rc == 0;
    }
    ck_assert_int_eq(rc, CTCD_E_INVALID); /* at most four, as its comment says */
    ck_assert_int_eq(taken, 4);
    ck_assert_int_eq(write(pairs[3][1], "x", 1), 1);
    in->fake->data = (void *)(intptr_t)pairs[0][0];
    for (int i = 0; i < 8; i++) { /* what is closed while it is waited for is quiet */
        if (i == 3)
            continue;
        (void)close(pairs[i][0]);
        (void)close(pairs[i][1]);
    }
    fake.data = (void *)(intptr_t)pairs[3][0];
    (void)close(pairs[3][1]);
    return CTCD_AGAIN;
}

START_TEST(four_descriptors_can_be_waited_for) {
    fake.hook[FAKE_PREDICT] = for_many;
    ended_well(predict_begin(10000));
    (void)close((int)(intptr_t)fake.data);
}
END_TEST

/* ---- waits are cleared ---- */

static int first_fd_then_wake(struct fake_in *in) {
    if (in->entry == 1) {
        ck_assert_int_eq(ctcd_call_wait_until(in->call, ctcd_call_now(in->call) + 300), 0);
        ck_assert_int_eq(ctcd_call_wait_until(in->call, ctcd_call_now(in->call) + 100), 0);
        int rc = ctcd_call_wait_fd(in->call, ends[0], CTCD_EVENT_IN);
        return rc ? rc : CTCD_AGAIN;
    }
    in->fake->data = in->call;
    return in->entry == 2 ? fake_for_ever(in) : FAKE_GO_ON;
}

START_TEST(waits_are_cleared_on_entry) {
    int64_t start = atomic_load(&hand.mono);
    fake.hook[FAKE_PREDICT] = first_fd_then_wake;
    ctcd_op *op = predict_begin(10000);
    settle(ctx);
    play_for(ctx, &hand, 100);
    ck_assert_int_eq(entries(), 2); /* by the instant */
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert(!readable(ctcd_context_fd(ctx)));
    play_for(ctx, &hand, 5000);
    ck_assert_int_eq(entries(),
                     2); /* neither the descriptor nor the later instant counts any more */
    ck_assert_int_eq(ctcd_context_deadline(ctx), start + 10000);
    ck_assert_int_eq(ctcd_call_wake(fake.data), 0);
    ended_well(op);
}
END_TEST

/* ---- wakes ---- */

static int wakes_itself(struct fake_in *in) {
    if (in->entry == 3)
        return FAKE_GO_ON;
    ck_assert_int_eq(ctcd_call_wake(in->call), 0);
    ck_assert_int_eq(ctcd_call_wake(in->call), 0);
    return in->entry == 1 ? fake_for_ever(in) : CTCD_AGAIN; /* the wake names it */
}

START_TEST(a_wake_is_sticky) {
    fake.hook[FAKE_PREDICT] = wakes_itself;
    ended_well(predict_begin(10000));
    ck_assert_int_eq(entries(), 3); /* two wakes in one entry are one */
}
END_TEST

static int keeps_its_call(struct fake_in *in) {
    if (in->entry > 1)
        return FAKE_GO_ON;
    in->fake->data = ctcd_call_ref(in->call);
    return fake_for_ever(in);
}

static void *wake_it(void *call) {
    return (void *)(intptr_t)ctcd_call_wake(call);
}

START_TEST(another_thread_wakes_a_call) {
    pthread_t thread;
    void *rc;
    fake.hook[FAKE_PREDICT] = keeps_its_call;
    ctcd_op *op = predict_begin(10000);
    settle(ctx);
    ck_assert_int_eq(entries(), 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_it, fake.data), 0);
    ck_assert(becomes_readable(ctcd_context_fd(ctx)));
    ck_assert_int_eq(pthread_join(thread, &rc), 0);
    ck_assert_int_eq((int)(intptr_t)rc, 0);
    ck_assert_int_eq(entries(), 1); /* it is entered here, not there */
    ended_well(op);
    ck_assert_int_eq(entries(), 2);
    ctcd_call_unref(fake.data);
}
END_TEST

#define WAKERS 4

static atomic_int wakers_end;
static ctcd_call *_Atomic woken;

static void *wake_on_and_on(void *nothing) {
    (void)nothing;
    for (ctcd_call *call; !atomic_load(&wakers_end);) {
        while (!(call = atomic_load(&woken)) && !atomic_load(&wakers_end))
            sched_yield();
        if (call)
            ck_assert_int_eq(ctcd_call_wake(call), 0);
    }
    return NULL;
}

static int counts_to(struct fake_in *in) {
    if (in->entry == 1)
        atomic_store(&woken, ctcd_call_ref(in->call));
    return in->entry < (suite_is_slow() ? 20 : 300) ? fake_for_ever(in) : FAKE_GO_ON;
}

/* Threads that wake without an end, beyond the end of the call and of its context. */
START_TEST(a_storm_of_wakes_outlives_the_call) {
    pthread_t threads[WAKERS];
    fake.hook[FAKE_PREDICT] = counts_to;
    atomic_store(&wakers_end, 0);
    atomic_store(&woken, NULL);
    for (int i = 0; i < WAKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wake_on_and_on, NULL), 0);
    ctcd_op *op = predict_begin(10000);
    ok(ctcd_op_wait(op, LONG_MS, &err));
    ctcd_op_unref(op);
    service = ctcd_service_unref(service);
    fake_end_context();
    atomic_store(&wakers_end, 1);
    for (int i = 0; i < WAKERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_ptr_null(ctcd_call_unref(atomic_load(&woken)));
}
END_TEST

START_TEST(a_wake_after_the_end_does_nothing) {
    fake.hook[FAKE_PREDICT] = keeps_its_call;
    ctcd_op *op = predict_begin(10000);
    settle(ctx);
    ck_assert_int_eq(ctcd_call_wake(fake.data), 0);
    ended_well(op);
    settle(ctx);
    ck_assert_int_eq(ctcd_call_wake(fake.data), 0);
    ck_assert(!readable(ctcd_context_fd(ctx)));
    settle(ctx);
    ck_assert_int_eq(entries(), 2);
    service = ctcd_service_unref(service);
    fake_end_context();
    ck_assert_int_eq(ctcd_call_wake(fake.data), 0); /* not even when the context is gone */
    ck_assert_ptr_null(ctcd_call_unref(fake.data));
    ck_assert_int_eq(ctcd_call_wake(NULL), CTCD_E_INVALID);
    ck_assert_ptr_null(ctcd_call_ref(NULL));
    ck_assert_ptr_null(ctcd_call_unref(NULL));
}
END_TEST

/* ---- scratch ---- */

static int destroyed_in_order;

static void scratch_gone(void *memory) {
    ck_assert_str_eq(memory, "kept");
    destroyed_in_order++;
}

/* The first call to ask makes it: so this one does not go through fake_enter(). */
static int raw_predict(void *impl, ctcd_call *call, const ctcd_revision *revision, const char *body,
                       ctcd_text *out) {
    char *memory = NULL, *again = NULL;
    (void)impl;
    (void)revision;
    ck_assert_int_eq(ctcd_call_scratch(call, 0, NULL, (void **)&memory), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_scratch(NULL, 8, NULL, (void **)&memory), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_scratch(call, 8, NULL, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_scratch(call, 64, scratch_gone, (void **)&memory), 0);
    ck_assert_int_eq(ctcd_call_scratch(call, 64, scratch_gone, (void **)&again), 0);
    ck_assert_ptr_eq(memory, again);
    ck_assert_int_eq(destroyed_in_order, 0);
    if (memory[0]) {
        ck_assert_str_eq(memory, "kept");
        return ctcd_text_add(out, body, strlen(body));
    }
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(memory[i], 0);
    (void)snprintf(memory, 64, "kept");
    int rc = ctcd_call_wait_until(call, ctcd_call_now(call) + 10);
    return rc ? rc : CTCD_AGAIN;
}

START_TEST(scratch_is_zeroed_kept_and_destroyed_once) {
    ctcd_component *made = NULL;
    ctcd_model_deployer_vtable table = fake_table();
    table.flavor = "raw";
    table.predict = raw_predict;
    ok(ctcd_context_register_deployer(ctx, &table, &fake, NULL, &err));
    ok(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "raw", "raw", &made, &err));
    ok(ctcd_component_register(made, &err));
    ctcd_component_unref(made);
    ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "raw", &deployer, &err));
    ctcd_service_unref(service);
    service = fake_deploy("digits", "here");
    destroyed_in_order = 0;
    ctcd_op *op = predict_begin(10000);
    ok(play(ctx, &hand, op));
    ck_assert_int_eq(destroyed_in_order, 1);
    ctcd_op_unref(op);
}
END_TEST

/* ---- inside and outside ---- */

static int enters_the_api(struct fake_in *in) {
    ctcd_status *status = NULL;
    ctcd_list *list = NULL;
    ctcd_op *op = in->fake->data;
    char *text = NULL;
    fails(ctcd_service_observe(service, 1000, &status, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_stop(service, 1000, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_predict(service, "[[1]]", 1000, &text, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_logs(service, 10, &text, &err), CTCD_E_REENTRANT);
    fails(ctcd_context_dispatch(ctx, &err), CTCD_E_REENTRANT);
    fails(ctcd_context_wait(ctx, 10, &err), CTCD_E_REENTRANT);
    fails(ctcd_context_set_clock(ctx, NULL, NULL, NULL, &err), CTCD_E_REENTRANT);
    fails(ctcd_op_wait(op, 10, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err), CTCD_E_REENTRANT);
    fails(ctcd_op_result(op, &err), CTCD_E_REENTRANT);
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_E_REENTRANT);
    ck_assert_ptr_null(status);
    ck_assert_ptr_null(list);
    ck_assert_ptr_null(text);
    return FAKE_GO_ON;
}

START_TEST(a_method_must_not_enter_the_library) {
    fake.hook[FAKE_PREDICT] = enters_the_api;
    ctcd_op *op = predict_begin(10000);
    fake.data = op;
    ended_well(op);
    ck_assert_int_eq(entries(), 1);
}
END_TEST

static int looks_around(struct fake_in *in) {
    const char *shared = NULL, *again = NULL;
    ck_assert_int_eq(ctcd_call_now(in->call), atomic_load(&hand.mono));
    ck_assert_int_eq(ctcd_call_deadline(in->call), HAND_MONO + 7000);
    ck_assert_str_eq(ctcd_revision_service_uuid(in->revision), ctcd_service_uuid(service));
    ck_assert_int_eq(ctcd_revision_number(in->revision), 1);
    ck_assert_int_eq(ctcd_revision_generation(in->revision), 1);
    ck_assert_str_eq(ctcd_revision_model_name(in->revision), "digits");
    ck_assert_str_eq(ctcd_revision_model_uri(in->revision), "here");
    ck_assert_str_eq(ctcd_revision_pinned_uri(in->revision), "pinned:here");
    ck_assert_str_eq(ctcd_revision_memo(in->revision), "generation 1");
    ck_assert_str_eq(ctcd_revision_url(in->revision), "fake://127.0.0.1/1");
    ck_assert_int_eq(access(ctcd_revision_folder(in->revision), W_OK), 0);
    ck_assert_int_eq(ctcd_revision_folder(in->revision)[0], '/');
    ck_assert_int_eq(access(ctcd_revision_shim(in->revision), X_OK), 0);
    ck_assert_ptr_nonnull(ctcd_revision_options(in->revision));
    ck_assert_str_eq(ctcd_revision_run_name(in->revision), "");
    ck_assert_str_eq(ctcd_call_content_type(in->call), "application/json");
    ck_assert_str_eq(ctcd_call_content_type(NULL), "application/json");
    ck_assert_int_eq(ctcd_call_folder(in->call, &shared), 0);
    ck_assert_int_eq(access(shared, W_OK), 0);
    ck_assert_has(shared, "/deployers/fake");
    ck_assert_int_eq(ctcd_call_folder(in->call, &again), 0);
    ck_assert_ptr_eq(shared, again);
    ck_assert_int_eq(ctcd_call_folder(in->call, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_folder(NULL, &again), CTCD_E_INVALID);
    return FAKE_GO_ON;
}

START_TEST(a_method_sees_its_call_and_its_revision) {
    fake.hook[FAKE_PREDICT] = looks_around;
    ended_well(predict_begin(7000));
    ck_assert_int_eq(entries(), 1);
    ck_assert_str_eq(ctcd_revision_service_uuid(NULL), "");
    ck_assert_int_eq(ctcd_revision_number(NULL), 0);
    ck_assert_int_eq(ctcd_revision_generation(NULL), 0);
    ck_assert_str_eq(ctcd_revision_model_name(NULL), "");
    ck_assert_str_eq(ctcd_revision_model_uri(NULL), "");
    ck_assert_str_eq(ctcd_revision_run_name(NULL), "");
    ck_assert_str_eq(ctcd_revision_pinned_uri(NULL), "");
    ck_assert_str_eq(ctcd_revision_memo(NULL), "");
    ck_assert_str_eq(ctcd_revision_url(NULL), "");
    ck_assert_str_eq(ctcd_revision_folder(NULL), "");
    ck_assert_str_eq(ctcd_revision_shim(NULL), "");
    ck_assert_ptr_null(ctcd_revision_options(NULL));
    ck_assert_int_eq(ctcd_revision_wanted(NULL), 0);
    ck_assert_int_eq(ctcd_revision_set_memo(NULL, ""), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_revision_set_url(NULL, ""), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_revision_set_pinned_uri(NULL, ""), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_deadline(NULL), INT64_MAX);
    ck_assert_int_eq(ctcd_call_now(NULL), 0);
}
END_TEST

START_TEST(outside_of_its_method_a_call_can_only_be_woken) {
    const char *folder = NULL;
    void *memory = NULL;
    ctcd_watch *watch = NULL;
    fake.hook[FAKE_PREDICT] = keeps_its_call;
    ctcd_op *op = predict_begin(10000);
    settle(ctx);
    ctcd_call *call = fake.data;
    ck_assert_int_eq(ctcd_call_wait_until(call, 0), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_wait_wake(call), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_wait_fd(call, ends[0], CTCD_EVENT_OUT), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_scratch(call, 8, NULL, &memory), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_folder(call, &folder), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_watch(call, ends[0], CTCD_EVENT_IN, NULL, NULL, &watch),
                     CTCD_E_INVALID);
    ck_assert_ptr_null(memory);
    ck_assert_ptr_null(watch);
    ck_assert(!readable(ctcd_context_fd(ctx)));
    ck_assert_int_eq(ctcd_call_wake(call), 0);
    ended_well(op);
    ctcd_call_unref(call);
}
END_TEST

SUITE_MAIN_WITH("call", begin, end, a_call_waits_until_an_instant,
                an_instant_that_is_over_comes_at_once, a_call_waits_for_input,
                a_call_waits_for_room, several_calls_wait_for_one_descriptor,
                a_descriptor_that_cannot_be_waited_for_is_refused,
                four_descriptors_can_be_waited_for, waits_are_cleared_on_entry, a_wake_is_sticky,
                another_thread_wakes_a_call, a_storm_of_wakes_outlives_the_call,
                a_wake_after_the_end_does_nothing, scratch_is_zeroed_kept_and_destroyed_once,
                a_method_must_not_enter_the_library, a_method_sees_its_call_and_its_revision,
                outside_of_its_method_a_call_can_only_be_woken)
