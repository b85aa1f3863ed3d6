/* Threads: a context serves one at a time, tells the others so, and takes from any thread what is said to come from any.
   Threads and ops: test_op_wait.c; threads and calls: test_call.c. */
#include "doors.h"

static struct things things;

static void begin(void) {
    fake_begin();
    things_make(&things);
}

static void end(void) {
    things_drop(&things);
    fake_end();
}

/* ---- one at a time ---- */

static int knocks, wrong;

static void *knocks_at_all(void *nothing) {
    (void)nothing;
    wrong = doors(&things, CTCD_E_BUSY, &knocks) + no_doors(&things);
    return NULL;
}

/* The context's thread is inside, in a method, until the other one has tried everything. */
static int waits_for_the_other(struct fake_in *in) {
    pthread_t thread;
    (void)in;
    ck_assert_int_eq(pthread_create(&thread, NULL, knocks_at_all, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    return FAKE_GO_ON;
}

START_TEST(a_second_thread_finds_the_context_busy) {
    ctcd_status *status = NULL;
    fake.hook[FAKE_OBSERVE] = waits_for_the_other;
    ok(ctcd_service_observe(things.service, LONG_MS, &status, &err));
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
    ctcd_status_unref(status);
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(knocks, DOORS);
    ck_assert_int_eq(ctcd_op_poll(things.running), CTCD_AGAIN);
}
END_TEST

static int knocks_from_inside(struct fake_in *in) {
    (void)in;
    wrong = doors(&things, CTCD_E_REENTRANT, &knocks) + no_doors(&things);
    return FAKE_GO_ON;
}

START_TEST(a_back_end_finds_every_door_shut) {
    ctcd_status *status = NULL;
    fake.hook[FAKE_OBSERVE] = knocks_from_inside;
    ok(ctcd_service_observe(things.service, LONG_MS, &status, &err));
    ctcd_status_unref(status);
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(knocks, DOORS);
}
END_TEST

static void *looks(void *of) {
    ctcd_status *status = NULL;
    ctcd_error *why = NULL;
    int rc = ctcd_service_observe(of, LONG_MS, &status, &why);
    ctcd_status_unref(status);
    ctcd_error_unref(why);
    return (void *)(intptr_t)rc;
}

/* One after the other is fine: a context is not tied to the thread that made it. */
START_TEST(threads_may_take_turns) {
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        void *rc;
        ck_assert_int_eq(pthread_create(&thread, NULL, looks, things.service), 0);
        ck_assert_int_eq(pthread_join(thread, &rc), 0);
        ck_assert_int_eq((int)(intptr_t)rc, 0);
        ck_assert_ptr_null(looks(things.service));
    }
}
END_TEST

#define ROUNDS 300

static atomic_int looked, busy, strange;

static void *looks_on_and_on(void *of) {
    for (int i = 0; i < ROUNDS; i++) {
        ctcd_error *why = NULL;
        ctcd_list *list = NULL;
        int rc = ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &why);
        atomic_fetch_add(rc == 0 ? &looked : rc == CTCD_E_BUSY ? &busy : &strange, 1);
        if ((rc == 0) != (list != NULL) || (rc == 0) != (why == NULL))
            atomic_fetch_add(&strange, 1);
        ctcd_list_unref(list);
        ctcd_error_unref(why);
    }
    (void)of;
    return NULL;
}

/* Against all rules, but harmless: each call is done, or busy, and nothing else. */
START_TEST(a_crowd_gets_done_or_busy) {
    pthread_t threads[3];
    atomic_store(&looked, 0);
    atomic_store(&busy, 0);
    atomic_store(&strange, 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, looks_on_and_on, NULL), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(atomic_load(&strange), 0);
    ck_assert_int_gt(atomic_load(&looked), 0);
    ck_assert_int_eq(atomic_load(&looked) + atomic_load(&busy), 3 * ROUNDS);
    ck_assert_int_eq(ctcd_op_poll(things.running), CTCD_AGAIN); /* the door is open again */
}
END_TEST

/* ---- references ---- */

static atomic_int stop;

/* What any thread may do with objects, while the context's thread is at work. */
static void *refs_and_reads(void *nothing) {
    (void)nothing;
    while (!atomic_load(&stop)) {
        ctcd_service *s = ctcd_service_ref(things.service);
        ctcd_status *status = ctcd_status_ref(things.status);
        ctcd_list *list = ctcd_list_ref(things.services);
        ctcd_op *op = ctcd_op_ref(things.running);
        ctcd_component *component = ctcd_component_ref(things.component);
        ctcd_stack *stack = ctcd_stack_ref(things.stack);
        ctcd_model_deployer *d = ctcd_model_deployer_ref(things.deployer);
        ctcd_deployment *deployment = ctcd_deployment_ref(things.deployment);
        ctcd_pipeline *pipeline = ctcd_pipeline_ref(things.pipeline);
        ctcd_schedule *schedule = ctcd_schedule_ref(things.schedule);
        ctcd_run *run = ctcd_run_ref(things.run);
        ctcd_context *context = ctcd_context_ref(ctx);
        if (no_doors(&things) || ctcd_context_wakeup(ctx))
            atomic_fetch_add(&strange, 1);
        ctcd_context_unref(context);
        ctcd_run_unref(run);
        ctcd_schedule_unref(schedule);
        ctcd_pipeline_unref(pipeline);
        ctcd_deployment_unref(deployment);
        ctcd_model_deployer_unref(d);
        ctcd_stack_unref(stack);
        ctcd_component_unref(component);
        ctcd_op_unref(op);
        ctcd_list_unref(list);
        ctcd_status_unref(status);
        ctcd_service_unref(s);
    }
    return NULL;
}

START_TEST(any_thread_may_hold_and_read) {
    pthread_t threads[2];
    atomic_store(&stop, 0);
    atomic_store(&strange, 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, refs_and_reads, NULL), 0);
    for (int i = 0; i < 100; i++) {
        ctcd_status *status = NULL;
        ok(ctcd_service_observe(things.service, LONG_MS, &status, &err));
        ctcd_status_unref(status);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(atomic_load(&strange), 0);
}
END_TEST

static void *lets_go(void *nothing) {
    (void)nothing;
    things_drop(&things);
    ctcd_model_deployer_unref(deployer);
    ctcd_context_unref(ctx);
    return NULL;
}

/* Another thread has the last reference of everything, with an op still running. */
START_TEST(another_thread_may_end_the_context) {
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, lets_go, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    memset(&things, 0, sizeof things);
    deployer = NULL;
    ctx = NULL;
    ck_assert_int_eq(fake.closed, 1);
    ck_assert_int_eq(fake.destroyed, 1);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
}
END_TEST

/* ---- a context each ---- */

struct worker {
    pthread_t thread;
    int number, rc;
    char message[256];
};

static int works(struct worker *w) {
    ctcd_context *mine = NULL;
    ctcd_error *why = NULL;
    ctcd_pipeline *pipeline = NULL;
    ctcd_list *list = NULL;
    char text[200];
    (void)snprintf(text, sizeof text, "pipeline: p%d\nsteps:\n  a: {command: [\"true\"]}\n",
                   w->number);
    int rc = ctcd_context_new(0, &mine, &why);
    if (!rc)
        rc = ctcd_context_set_home(mine, api_home, &why);
    for (int i = 0; !rc && i < 5; i++) {
        rc = ctcd_pipeline_parse(mine, text, NULL, &pipeline, &why);
        if (!rc)
            rc = ctcd_pipeline_run(pipeline, LONG_MS, NULL, &why);
        if (!rc)
            rc = ctcd_run_list(mine, ctcd_pipeline_name(pipeline), NULL, 100, 0, &list, &why);
        if (!rc && ctcd_list_count(list) != (size_t)i + 1)
            rc = -1000;
        list = ctcd_list_unref(list);
        pipeline = ctcd_pipeline_unref(pipeline);
    }
    (void)snprintf(w->message, sizeof w->message, "%s", ctcd_error_message(why));
    ctcd_error_unref(why);
    ctcd_context_unref(mine);
    return rc;
}

static void *worker_run(void *data) {
    struct worker *w = data;
    w->rc = works(w);
    return NULL;
}

START_TEST(threads_with_contexts_of_their_own_work_side_by_side) {
    struct worker workers[4];
    for (int i = 0; i < 4; i++) {
        workers[i].number = i;
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        ck_assert_msg(workers[i].rc == 0, "%d %s", workers[i].rc, workers[i].message);
    }
}
END_TEST

SUITE_MAIN_WITH("threads", begin, end, a_second_thread_finds_the_context_busy,
                a_back_end_finds_every_door_shut, threads_may_take_turns, a_crowd_gets_done_or_busy,
                any_thread_may_hold_and_read, another_thread_may_end_the_context,
                threads_with_contexts_of_their_own_work_side_by_side)
