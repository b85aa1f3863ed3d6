/* Forked children: every call says so, nothing is freed, closed or written, and the parent does not notice. */
#include "doors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct things things;
static int ends[2];

static void begin(void) {
    fake_begin();
    things_make(&things);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
}

static void end(void) {
    things_drop(&things);
    fake_end();
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* The child's end. By exec: valgrind would count what the parent holds as leaks of the child. */
static void leave(bool well) {
    (void)execl("/bin/sh", "sh", "-c", well ? "exit 0" : "exit 1", (char *)NULL);
    _exit(2);
}

/* In the child, instead of check's assertions. */
#define is(what)                                                                                   \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            (void)fprintf(stderr, "in the child, line %d: not %s\n", __LINE__, #what);             \
            leave(false);                                                                          \
        }                                                                                          \
    } while (0)

/* The child did not complain. */
static void child_ends(pid_t child) {
    int status;
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

#define in_child(...)                                                                              \
    do {                                                                                           \
        (void)fflush(NULL);                                                                        \
        pid_t in_child_pid = fork();                                                               \
        if (in_child_pid == 0) {                                                                   \
            __VA_ARGS__;                                                                           \
            leave(true);                                                                           \
        }                                                                                          \
        child_ends(in_child_pid);                                                                  \
    } while (0)

static void knock_everywhere(void) {
    int knocks = 0;
    is(doors(&things, CTCD_E_FORKED, &knocks) == 0);
    is(knocks == DOORS);
    is(no_doors(&things) == 0);
    is(ctcd_op_cancel(things.running) == CTCD_E_FORKED);
    is(ctcd_context_wakeup(ctx) == CTCD_E_FORKED);
    is(strcmp(ctcd_op_doing(things.running), "") == 0);
    is(ctcd_context_home(ctx) && access(ctcd_context_home(ctx), F_OK) == 0);
}

START_TEST(every_call_says_that_it_was_forked) {
    in_child(knock_everywhere());
    ck_assert_int_eq(ctcd_op_poll(things.running), CTCD_AGAIN);
}
END_TEST

static void *knocks_from_a_thread(void *nothing) {
    (void)nothing;
    in_child(knock_everywhere());
    return NULL;
}

START_TEST(a_child_of_another_thread_is_told_too) {
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, knocks_from_a_thread, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static ctcd_call *kept;

static int keeps_its_call(struct fake_in *in) {
    if (in->entry > 1)
        return FAKE_GO_ON;
    kept = ctcd_call_ref(in->call);
    return fake_for_ever(in);
}

/* More often than there are references: in the child all of them are still there. */
static void let_go_of_everything(void) {
    for (int i = 0; i < 5; i++) {
        things_drop(&things);
        is(ctcd_model_deployer_unref(deployer) == NULL);
        is(ctcd_call_unref(kept) == NULL);
        is(!kept || ctcd_call_wake(kept) == 0);
        is(ctcd_context_unref(ctx) == NULL);
    }
    is(no_doors(&things) == 0);
    is(ctcd_context_fd(ctx) == CTCD_E_FORKED);
    is(fake.closed == 0 && fake.destroyed == 0 && fake.scratches_destroyed < fake.scratches);
}

START_TEST(unref_frees_nothing_in_a_child) {
    ctcd_op *op = NULL;
    fake.hook[FAKE_PREDICT] = keeps_its_call;
    ok(ctcd_service_predict_begin(things.service, "[[1]]", LONG_MS, &op, &err));
    settle(ctx);
    in_child(let_go_of_everything());
    ck_assert_int_eq(ctcd_call_wake(kept), 0);
    ok(ctcd_op_wait(op, LONG_MS, &err));
    ctcd_op_unref(op);
    kept = ctcd_call_unref(kept);
}
END_TEST

static int for_input(struct fake_in *in) {
    char byte;
    if (read(ends[0], &byte, 1) == 1)
        return FAKE_GO_ON;
    int rc = ctcd_call_wait_fd(in->call, ends[0], CTCD_EVENT_IN);
    return rc ? rc : CTCD_AGAIN;
}

/* Whatever a child does, the parent's descriptors stay registered, and its deadlines set. */
START_TEST(the_parents_loop_does_not_notice) {
    ctcd_op *op = NULL, *timed = NULL;
    fake.hook[FAKE_PREDICT] = for_input;
    ok(ctcd_service_predict_begin(things.service, "[[1]]", LONG_MS, &op, &err));
    settle(ctx);
    fake.hook[FAKE_PREDICT] = things_for_ever;
    ok(ctcd_service_predict_begin(things.service, "[[1]]", 100, &timed, &err));
    settle(ctx);
    in_child(let_go_of_everything(); knock_everywhere());
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    fake.hook[FAKE_PREDICT] = for_input;
    ck_assert(becomes_readable(ctcd_context_fd(ctx)));
    ok(ctcd_op_wait(op, LONG_MS, &err));
    fails(ctcd_op_wait(timed, LONG_MS, &err), CTCD_E_TIMEOUT);
    ctcd_op_unref(op);
    ctcd_op_unref(timed);
}
END_TEST

static int apply_for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

/* A child that lives on does not hold the lock of a mutation that was under way when it was forked. */
START_TEST(a_living_child_holds_no_lock) {
    int gate[2];
    char byte;
    ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
    fake.hook[FAKE_APPLY] = apply_for_ever;
    ctcd_op *op = fake_deploy_begin("letters", "there", LONG_MS);
    settle(ctx);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(gate[1]);
        leave(read(gate[0], &byte, 1) == 0);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_CANCELED);
    ctcd_op_unref(op);
    fake.hook[FAKE_APPLY] = NULL;
    ctcd_service_unref(fake_deploy("letters", "there"));
    (void)close(gate[1]);
    child_ends(child);
    (void)close(gate[0]);
}
END_TEST

/* ---- a callback that forks, and the child comes back ---- */

static pid_t forked = -1;
static bool is_child;

static void fork_here(void) {
    (void)fflush(NULL);
    forked = fork();
    is_child = forked == 0;
}

static void done_forks(void *user_data, ctcd_op *op) {
    (void)user_data;
    fork_here();
    if (is_child)
        is(ctcd_op_poll(op) == CTCD_E_FORKED);
}

START_TEST(a_done_callback_may_fork) {
    ctcd_op *op = fake_observe_begin(LONG_MS);
    ok(ctcd_op_set_done(op, done_forks, NULL, NULL, &err));
    int rc = 0;
    for (int i = 0; forked < 0 && i < 1000; i++)
        rc = ctcd_context_dispatch(ctx, NULL);
    if (is_child)
        leave(rc == CTCD_E_FORKED);
    ok(rc);
    child_ends(forked);
    forked = -1;
    ok(ctcd_op_result(op, &err));
    ctcd_op_unref(op);
}
END_TEST

static int method_forks(struct fake_in *in) {
    if (forked < 0)
        fork_here();
    (void)in;
    return FAKE_GO_ON;
}

static void progress_forks(void *user_data, ctcd_op *op, const char *line) {
    (void)user_data;
    (void)op;
    if (forked < 0 && strstr(line, "starting"))
        fork_here();
}

/* The child comes back into a deploy: it is told, and writes nothing. */
START_TEST(a_child_that_comes_back_into_a_deploy_writes_nothing) {
    for (int way = 0; way < 3; way++) {
        fake.hook[FAKE_APPLY] = way == 0 ? method_forks : NULL;
        fake.hook[FAKE_VALIDATE] = way == 1 ? method_forks : NULL;
        ctcd_op *op = fake_deploy_begin("letters", "there", LONG_MS);
        if (way == 2)
            ok(ctcd_op_set_progress(op, progress_forks, NULL, NULL, &err));
        int rc = ctcd_op_wait(op, LONG_MS, NULL);
        if (is_child)
            leave(rc == CTCD_E_FORKED);
        ok(rc);
        child_ends(forked);
        forked = -1;
        ctcd_op_unref(op);
        ctcd_list *list = NULL;
        ok(ctcd_service_find(ctx, NULL, NULL, NULL, "letters", &list, &err));
        ck_assert_uint_eq(ctcd_list_count(list), 1);
        ck_assert_int_eq(ctcd_service_revision(ctcd_list_service(list, 0)), way + 1);
        ctcd_list_unref(list);
        ck_assert_int_eq(fake_running(&fake), 2);
    }
}
END_TEST

/* ---- a library of its own ---- */

static void begin_anew(void) {
    ctcd_context *mine = NULL;
    ctcd_error *why = NULL;
    is(ctcd_context_new(0, &mine, &why) == 0);
    is(ctcd_context_set_home(mine, api_home, &why) == 0);
    is(ctcd_context_dispatch(mine, &why) == 0);
    /* SQLite's locks do not survive a fork: not while the parent had a home open. */
    is(ctcd_context_open(mine, &why) == CTCD_E_FORKED);
    is(ctcd_error_hint(why) != NULL);
    ctcd_error_unref(why);
    ctcd_context_unref(mine);
}

static void open_and_look(void) {
    ctcd_context *mine = NULL;
    ctcd_error *why = NULL;
    ctcd_list *list = NULL;
    is(ctcd_context_new(CTCD_CONTEXT_EXISTING, &mine, &why) == 0);
    is(ctcd_context_set_home(mine, api_home, &why) == 0);
    is(ctcd_service_find(mine, NULL, NULL, NULL, NULL, &list, &why) == 0);
    is(ctcd_list_count(list) == 1);
    ctcd_list_unref(list);
    ctcd_context_unref(mine);
}

START_TEST(a_child_can_only_begin_anew_where_no_home_was_open) {
    in_child(begin_anew());
    things_drop(&things);
    fake_end_context();
    in_child(open_and_look());
    memset(&things, 0, sizeof things);
}
END_TEST

SUITE_MAIN_WITH("fork", begin, end, every_call_says_that_it_was_forked,
                a_child_of_another_thread_is_told_too, unref_frees_nothing_in_a_child,
                the_parents_loop_does_not_notice, a_living_child_holds_no_lock,
                a_done_callback_may_fork, a_child_that_comes_back_into_a_deploy_writes_nothing,
                a_child_can_only_begin_anew_where_no_home_was_open)
