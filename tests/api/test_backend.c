/* A back end as a whole: one opening for many calls, a descriptor that its calls share, any number of calls in flight,
   and the order in which everything ends. */
#include "fake.h"

#include <dirent.h>
#include <sys/socket.h>

static struct hand hand;
static ctcd_service *service;

static void begin(void) {
    fake_begin();
    hand_give(&hand, ctx);
    service = fake_deploy("digits", "here");
    fake.trace[0] = '\0';
}

static void end(void) {
    service = ctcd_service_unref(service);
    fake_end();
}

static ctcd_op *predict_begin(ctcd_service *of, int64_t timeout_ms) {
    ctcd_op *op = NULL;
    ok(ctcd_service_predict_begin(of, "[[1]]", timeout_ms, &op, &err));
    return op;
}

static int for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

/* ---- many calls ---- */

#define SERVICES 20
#define LISTS 50
#define CALLS (SERVICES * LISTS)

static ctcd_call *calls[CALLS];
static int call_count;

static int joins_the_crowd(struct fake_in *in) {
    if (in->entry > 1)
        return FAKE_GO_ON;
    ck_assert_int_lt(call_count, CALLS);
    calls[call_count++] = ctcd_call_ref(in->call);
    return fake_for_ever(in);
}

static void crowd_begin(ctcd_op *ops[LISTS]) {
    char name[32];
    for (int i = 1; i < SERVICES; i++) {
        (void)snprintf(name, sizeof name, "model-%d", i);
        ctcd_service_unref(fake_deploy(name, "here"));
    }
    call_count = 0;
    fake.traces = false;
    fake.hook[FAKE_OBSERVE] = joins_the_crowd;
    for (int i = 0; i < LISTS; i++)
        ops[i] = fake_observe_begin(60000);
    settle(ctx);
    ck_assert_int_eq(call_count, CALLS);
}

static void crowd_end(void) {
    for (int i = 0; i < call_count; i++)
        ctcd_call_unref(calls[i]);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
}

START_TEST(a_thousand_calls_are_in_flight) {
    ctcd_op *ops[LISTS];
    int fd = ctcd_context_fd(ctx), dispatches = 0;
    crowd_begin(ops);
    for (int i = 0; i < CALLS; i++)
        ck_assert_int_eq(ctcd_call_wake(calls[i]), 0);
    int before = fake.entries[FAKE_OBSERVE];
    for (; readable(fd); dispatches++) {
        fake.entries_now = 0;
        ok(ctcd_context_dispatch(ctx, &err));
        ck_assert_int_le(fake.entries_now, 64);
    }
    ck_assert_int_eq(fake.entries[FAKE_OBSERVE] - before, CALLS);
    ck_assert_int_ge(dispatches, CALLS / 64);
    for (int i = 0; i < LISTS; i++) {
        ctcd_list *seen = NULL;
        ok(ctcd_op_result(ops[i], &err));
        ok(ctcd_op_take_list(ops[i], &seen, &err));
        ctcd_op_unref(ops[i]);
        ck_assert_uint_eq(ctcd_list_count(seen), SERVICES);
        for (size_t j = 0; j < SERVICES; j++)
            ck_assert_int_eq(ctcd_status_state(ctcd_list_status(seen, j)), CTCD_STATE_ACTIVE);
        ctcd_list_unref(seen);
    }
    crowd_end();
}
END_TEST

START_TEST(a_thousand_calls_have_one_deadline) {
    ctcd_op *ops[LISTS];
    crowd_begin(ops);
    int64_t deadline = ctcd_context_deadline(ctx);
    ck_assert_int_eq(deadline, HAND_MONO + 60000);
    hand_move(&hand, 60000);
    ok(ctcd_context_dispatch(ctx, &err));
    settle(ctx);
    for (int i = 0; i < LISTS; i++) {
        ctcd_list *seen = NULL;
        ok(ctcd_op_result(ops[i], &err));
        ok(ctcd_op_take_list(ops[i], &seen, &err));
        ctcd_op_unref(ops[i]);
        ck_assert_int_eq(ctcd_status_state(ctcd_list_status(seen, 0)), CTCD_STATE_UNKNOWN);
        ctcd_list_unref(seen);
    }
    ck_assert_int_eq(ctcd_context_deadline(ctx), INT64_MAX);
    crowd_end();
}
END_TEST

START_TEST(a_thousand_calls_end_with_their_context) {
    ctcd_op *ops[LISTS];
    crowd_begin(ops);
    for (int i = 0; i < LISTS; i++)
        ctcd_op_unref(ops[i]); /* detached */
    settle(ctx);
    ck_assert_int_eq(fake.scratches - fake.scratches_destroyed, CALLS);
    service = ctcd_service_unref(service);
    fake_end_context();
    crowd_end();
}
END_TEST

/* ---- one descriptor for the whole back end ---- */

static struct pool {
    int ends[2];
    ctcd_watch *watch;
    ctcd_call
        *waits[8]; /* by the letter that wakes it, 'a' = 0; borrowed from the calls themselves */
    int readies;
    bool lazy; /* reads one letter at a time */
} pool;

static void pool_ready(void *impl, int fd, uint32_t events) {
    char letters[64];
    ctcd_list *list = NULL;
    ck_assert_ptr_eq(impl, &pool);
    ck_assert_int_eq(fd, pool.ends[0]);
    ck_assert(events & CTCD_EVENT_IN);
    pool.readies++;
    fails(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err), CTCD_E_REENTRANT);
    ssize_t n = read(fd, letters, pool.lazy ? 1 : sizeof letters);
    for (ssize_t i = 0; i < n; i++)
        if (pool.waits[letters[i] - 'a'])
            ck_assert_int_eq(ctcd_call_wake(pool.waits[letters[i] - 'a']), 0);
}

static int open_pool(struct fake_in *in) {
    ctcd_watch *none = NULL;
    memset(&pool, 0, sizeof pool);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pool.ends),
                     0);
    ck_assert_int_eq(ctcd_call_watch(in->call, pool.ends[0], CTCD_EVENT_IN, NULL, &pool, &none),
                     CTCD_E_INVALID);
    ck_assert_int_eq(
        ctcd_call_watch(in->call, pool.ends[0], CTCD_EVENT_IN, pool_ready, &pool, NULL),
        CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_watch(in->call, -1, CTCD_EVENT_IN, pool_ready, &pool, &none),
                     CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_watch(NULL, pool.ends[0], CTCD_EVENT_IN, pool_ready, &pool, &none),
                     CTCD_E_INVALID);
    ck_assert_ptr_null(none);
    int rc = ctcd_call_watch(in->call, pool.ends[0], CTCD_EVENT_IN, pool_ready, &pool, &pool.watch);
    return rc ? rc : FAKE_GO_ON;
}

static int waits_in_pool(struct fake_in *in) {
    if (in->entry > 1)
        return FAKE_GO_ON;
    for (int i = 0; i < 8; i++)
        if (!pool.waits[i]) {
            pool.waits[i] = in->call;
            return fake_for_ever(in);
        }
    return CTCD_E_FAILED;
}

/* Another deployer of the same flavor, whose opening makes the pool. */
static ctcd_service *pooled_service(void) {
    fake_component("pooled");
    ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "pooled", &deployer, &err));
    fake.hook[FAKE_OPEN] = open_pool;
    ctcd_service *made = fake_deploy("letters", "there");
    fake.hook[FAKE_PREDICT] = waits_in_pool;
    return made;
}

static void pool_close(void) {
    (void)close(pool.ends[0]);
    (void)close(pool.ends[1]);
}

START_TEST(calls_share_a_descriptor) {
    ctcd_op *ops[8];
    ctcd_service *pooled = pooled_service();
    for (int i = 0; i < 8; i++)
        ops[i] = predict_begin(pooled, 60000);
    settle(ctx);
    ck_assert_int_eq(fake.entries[FAKE_PREDICT], 8);
    ck_assert_int_eq(write(pool.ends[1], "ca", 2), 2);
    ck_assert(readable(ctcd_context_fd(ctx)));
    settle(ctx);
    ck_assert_int_eq(pool.readies, 1);
    ck_assert_int_eq(fake.entries[FAKE_PREDICT], 10); /* those two and no other */
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(ctcd_op_poll(ops[i]), i == 0 || i == 2 ? 0 : CTCD_AGAIN);
    /* It is level-triggered: what was not read is reported again. */
    pool.lazy = true;
    ck_assert_int_eq(write(pool.ends[1], "bdefgh", 6), 6);
    settle(ctx);
    ck_assert_int_eq(pool.readies, 7);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(ctcd_op_poll(ops[i]), 0);
        ctcd_op_unref(ops[i]);
    }
    ctcd_watch_end(pool.watch);
    ctcd_watch_end(NULL);
    ck_assert_int_eq(write(pool.ends[1], "h", 1), 1);
    settle(ctx);
    ck_assert_int_eq(pool.readies, 7);
    pool_close();
    ctcd_service_unref(pooled);
}
END_TEST

START_TEST(an_answer_by_the_pool_wins_over_its_deadline) {
    ctcd_service *pooled = pooled_service();
    ctcd_op *op = predict_begin(pooled, 1000);
    settle(ctx);
    ck_assert_int_eq(write(pool.ends[1], "a", 1), 1);
    hand_move(&hand, 3600000);
    ok(play(ctx, &hand, op));
    ctcd_op_unref(op);
    ctcd_service_unref(pooled);
    /* A watch that close() does not end is ended behind it. */
    service = ctcd_service_unref(service);
    fake_end_context();
    pool_close();
}
END_TEST

static int open_pool_and_fail(struct fake_in *in) {
    int rc = open_pool(in);
    return rc == FAKE_GO_ON ? CTCD_E_FAILED : rc;
}

START_TEST(a_failed_opening_leaves_no_watch) {
    fake_component("pooled");
    ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "pooled", &deployer, &err));
    fake.hook[FAKE_OPEN] = open_pool_and_fail;
    ctcd_op *op = fake_deploy_begin("letters", "there", 60000);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_FAILED);
    ctcd_op_unref(op);
    ck_assert_int_eq(write(pool.ends[1], "a", 1), 1);
    settle(ctx);
    ck_assert_int_eq(pool.readies, 0);
    pool_close();
}
END_TEST

/* ---- opening ---- */

static int open_slowly(struct fake_in *in) {
    in->fake->data = in->call;
    return in->entry == 1 ? fake_for_ever(in) : FAKE_GO_ON;
}

static ctcd_service *services[3];

/* Three services of a deployer that this context has not opened yet. */
static void unopened(void) {
    char uuids[3][37];
    fake_component("slow");
    ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "slow", &deployer, &err));
    for (int i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "letters-%d", i);
        ctcd_service *made = fake_deploy(name, "there");
        (void)snprintf(uuids[i], sizeof uuids[i], "%s", ctcd_service_uuid(made));
        ctcd_service_unref(made);
    }
    service = ctcd_service_unref(service);
    fake_end_context();
    struct fake_server kept[3];
    memcpy(kept, &fake.servers[1], sizeof kept);
    fake_reset();
    memcpy(fake.servers, kept, sizeof kept);
    fake.server_count = 3;
    ctx = api_context(CTCD_CONTEXT_EXISTING);
    fake_register(ctx);
    hand_give(&hand, ctx);
    for (int i = 0; i < 3; i++)
        ok(ctcd_service_get(ctx, uuids[i], &services[i], &err));
    fake.hook[FAKE_OPEN] = open_slowly;
}

static void unopened_end(void) {
    for (int i = 0; i < 3; i++)
        ctcd_service_unref(services[i]);
}

START_TEST(calls_wait_while_one_of_them_opens) {
    ctcd_op *ops[3];
    unopened();
    for (int i = 0; i < 3; i++)
        ops[i] = predict_begin(services[i], 60000);
    settle(ctx);
    ck_assert_str_eq(fake.trace, "open");
    ck_assert_int_eq(ctcd_call_wake(fake.data), 0);
    settle(ctx);
    ck_assert_int_eq(fake.calls[FAKE_OPEN], 1);
    ck_assert_int_eq(fake.opened, 1);
    for (int i = 0; i < 3; i++) {
        ok(ctcd_op_result(ops[i], &err));
        ctcd_op_unref(ops[i]);
    }
    unopened_end();
}
END_TEST

START_TEST(when_the_opener_goes_another_opens) {
    ctcd_op *ops[3];
    unopened();
    for (int i = 0; i < 3; i++)
        ops[i] = predict_begin(services[i], i == 1 ? 1000 : 60000);
    settle(ctx);
    /* The first is cancelled, the second times out while it opens, the third gets there. */
    ck_assert_int_eq(ctcd_op_cancel(ops[0]), 0);
    settle(ctx);
    fails(ctcd_op_result(ops[0], &err), CTCD_E_CANCELED);
    ck_assert_int_eq(fake.calls[FAKE_OPEN], 2);
    ck_assert_int_eq(play(ctx, &hand, ops[1]), CTCD_E_TIMEOUT);
    settle(ctx);
    ck_assert_int_eq(fake.calls[FAKE_OPEN], 3);
    ck_assert_int_eq(fake.opened, 0);
    ck_assert_int_eq(fake.scratches - fake.scratches_destroyed, 1);
    ck_assert_int_eq(ctcd_call_wake(fake.data), 0);
    ok(play(ctx, &hand, ops[2]));
    ck_assert_int_eq(fake.opened, 1);
    for (int i = 0; i < 3; i++)
        ctcd_op_unref(ops[i]);
    unopened_end();
}
END_TEST

START_TEST(a_context_may_end_while_a_back_end_is_being_opened) {
    unopened();
    for (int i = 0; i < 3; i++)
        ctcd_op_unref(predict_begin(services[i], 60000));
    settle(ctx);
    unopened_end();
    fake_end_context();
    ck_assert_int_eq(fake.opened, 0); /* and so none is closed */
    ck_assert_int_eq(fake.scratches, 1);
}
END_TEST

/* ---- the order of the end ---- */

START_TEST(calls_then_close_then_the_loop) {
    fake.tells_scratch = true;
    fake.hook[FAKE_PREDICT] = for_ever;
    for (int i = 0; i < 3; i++)
        ctcd_op_unref(predict_begin(service, 60000));
    settle(ctx);
    service = ctcd_service_unref(service);
    fake_end_context();
    ck_assert_str_eq(fake.trace,
                     "predict:1 predict:1 predict:1 scratch scratch scratch close destroy");
}
END_TEST

static int deploys_for_ever(struct fake_in *in) {
    fake_say(in->fake, "waits");
    return fake_for_ever(in);
}

/* A deploy under way when its context ends has no time to undo: it is interrupted, as if the program had died. */
START_TEST(a_deploy_that_its_context_leaves_is_interrupted) {
    fake.tells_scratch = true;
    fake.hook[FAKE_APPLY] = deploys_for_ever;
    ctcd_op_unref(fake_deploy_begin("letters", "there", 60000));
    settle(ctx);
    service = ctcd_service_unref(service);
    fake_end_context();
    ck_assert_str_eq(fake.trace, "validate:0 scratch apply:1 waits scratch close destroy");
    fake_reset();
    ctx = api_context(CTCD_CONTEXT_EXISTING);
    fake_register(ctx);
    ctcd_list *list = NULL, *seen = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, "letters", &list, &err));
    ok(ctcd_list_observe(list, LONG_MS, &seen, &err));
    ck_assert_uint_eq(ctcd_list_count(seen), 1);
    ck_assert_has(ctcd_status_message(ctcd_list_status(seen, 0)), "interrupted");
    ck_assert_has(ctcd_status_next(ctcd_list_status(seen, 0)), "start");
    ctcd_list_unref(list);
    ctcd_list_unref(seen);
}
END_TEST

static int open_descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        count++;
    (void)closedir(folder);
    return count;
}

START_TEST(a_context_leaves_no_descriptor_behind) {
    service = ctcd_service_unref(service);
    fake_end_context();
    fake_reset();
    int before = open_descriptors();
    ctx = api_context(CTCD_CONTEXT_EXISTING);
    fake_register(ctx);
    hand_give(&hand, ctx);
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    fake.hook[FAKE_APPLY] = for_ever;
    ctcd_op_unref(fake_deploy_begin("letters", "there", 60000)); /* holds a lock */
    ctcd_op_unref(fake_observe_begin(60000));
    settle(ctx);
    ck_assert_int_gt(open_descriptors(), before);
    fake_end_context();
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* ---- configured anew ---- */

static void sized_component(const char *size) {
    ctcd_component *component = NULL;
    ok(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "sized", "sized", &component, &err));
    ok(ctcd_component_set_option(component, "size", size, &err));
    ok(ctcd_component_register(component, &err));
    ctcd_component_unref(component);
    deployer = ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "sized", &deployer, &err));
}

static void sized_gone(ctcd_service *of) {
    ctcd_component *component = NULL;
    ok(ctcd_component_get(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "sized", &component, &err));
    fails(ctcd_component_delete(component, &err), CTCD_E_CONFLICT);
    ok(ctcd_service_delete(of, 0, LONG_MS, &err));
    ok(ctcd_component_delete(component, &err));
    ctcd_component_unref(component);
    ctcd_service_unref(of);
}

static int open_sized(struct fake_in *in) {
    fake_say(in->fake, "(%lld)", (long long)ctcd_options_number(in->options, "size"));
    return FAKE_GO_ON;
}

START_TEST(a_component_registered_anew_is_opened_anew) {
    static const ctcd_option_entry options[] = {{"size", "integer", NULL, "How", 0, 0}, {0}};
    ctcd_model_deployer_vtable table = fake_table();
    table.flavor = "sized";
    table.component_options = options;
    ok(ctcd_context_register_deployer(ctx, &table, &fake, NULL, &err));
    fake.hook[FAKE_OPEN] = open_sized;
    sized_component("1");
    sized_gone(fake_deploy("letters", "here"));
    ck_assert_int_eq(fake.opened, 2);
    sized_component("1"); /* the same options: what is open serves on */
    sized_gone(fake_deploy("letters", "here"));
    ck_assert_int_eq(fake.opened, 2);
    fake.trace[0] = '\0';
    sized_component("2");
    sized_gone(fake_deploy("letters", "here"));
    ck_assert_int_eq(fake.opened, 3);
    ck_assert_has(fake.trace, "(2)");
}
END_TEST

SUITE_MAIN_WITH("backend", begin, end, a_thousand_calls_are_in_flight,
                a_thousand_calls_have_one_deadline, a_thousand_calls_end_with_their_context,
                calls_share_a_descriptor, an_answer_by_the_pool_wins_over_its_deadline,
                a_failed_opening_leaves_no_watch, calls_wait_while_one_of_them_opens,
                when_the_opener_goes_another_opens,
                a_context_may_end_while_a_back_end_is_being_opened, calls_then_close_then_the_loop,
                a_deploy_that_its_context_leaves_is_interrupted,
                a_context_leaves_no_descriptor_behind, a_component_registered_anew_is_opened_anew)
