/* HTTP as one pool, and what ends transfers early: cancelling, also within name resolution, the end of the
   pool, signals, forks, no memory. */
#include "http_pool.h"

#include <curl/curl.h>
#include <sys/wait.h>

/* curl's own allocations: as when the whole program runs out. */
static _Atomic int64_t curl_left; /* allocations until one fails; < 0 = none will */

static bool curl_may(void) {
    int64_t left = atomic_load(&curl_left);
    if (left < 0)
        return true;
    atomic_store(&curl_left, left - 1);
    return left != 0;
}

static void *curl_malloc(size_t size) {
    return curl_may() ? malloc(size) : NULL;
}

static void *curl_calloc(size_t count, size_t size) {
    return curl_may() ? calloc(count, size) : NULL;
}

static void *curl_realloc(void *old, size_t size) {
    return curl_may() ? realloc(old, size) : NULL;
}

static char *curl_strdup(const char *text) {
    return curl_may() ? strdup(text) : NULL;
}

static void setup_counted(void) {
    atomic_store(&curl_left, -1);
    if (suite_forks())
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, free, curl_realloc, curl_strdup,
                             curl_calloc);
    setup();
}

/* ---- cancelling ---- */

START_TEST(a_cancelled_transfer_never_calls) {
    struct http_request request = {.url = url_of("/silent")};
    struct reply waiting, running;
    struct http_transfer *transfer = start(&request, &running);
    run_until_counted(&server->requests, 1);
    ck_assert_ptr_null(http_cancel(transfer));
    transfer = start(&request, &waiting);
    http_cancel(transfer);
    ck_assert_ptr_null(http_cancel(NULL));
    ck_assert_uint_eq(http_pool_count(pool), 0);
    struct reply reply;
    ask("/ok", &reply);
    ck_assert_int_eq(reply.answer.code, 0);
    http_answer_done(&reply.answer);
    ck_assert_int_eq(waiting.calls + running.calls, 0);
}
END_TEST

static struct http_transfer *both[2];
static int both_calls;

/* The first that comes cancels the other and itself, and starts one more. */
static void on_both(void *data, struct http_answer *answer) {
    ck_assert_int_eq(answer->code, 0);
    both_calls++;
    http_cancel(both[0]);
    http_cancel(both[1]);
    http_pool_run(pool); /* not from here: ignored */
    struct http_request request = {.url = url_of("/ok"), .timeout_ms = LONG_MS};
    ck_assert_int_eq(http_start(pool, &request, on_done, data, NULL, NULL), 0);
}

START_TEST(a_callback_may_start_and_cancel) {
    struct http_request request = {.url = url_of("/ok"), .timeout_ms = LONG_MS};
    struct reply after = {0};
    both_calls = 0;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(http_start(pool, &request, on_both, &after, &both[i], NULL), 0);
    /* Both have answers before the pool looks again, so that both are over in one run. */
    run_until_counted(&server->requests, 2);
    run_until_over(&after);
    ck_assert_int_ge(both_calls, 1);
    ck_assert_int_eq(after.answer.code, 0);
    ck_assert_uint_eq(http_pool_count(pool), 0);
    http_answer_done(&after.answer);
}
END_TEST

START_TEST(a_pool_may_end_with_transfers_in_flight) {
    struct reply replies[3];
    struct http_request request = {.url = url_of("/silent")};
    start(&request, &replies[0]);
    run_until_counted(&server->requests, 1);
    request.url = url_of("/ok");
    start(&request, &replies[1]);
    start(&request, &replies[2]);
    http_pool_run(pool);
    pool = http_pool_free(pool);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(replies[i].calls, 0);
    ck_assert_ptr_null(http_pool_free(NULL));
}
END_TEST

static void begin_to_resolve(struct reply *reply, struct http_transfer **ret) {
    char url[64];
    int before = atomic_load(&resolving);
    snprintf(url, sizeof url, "http://slow.test:%d/ok", server->port);
    unsetenv("http_proxy"); /* the name is not loopback's */
    unsetenv("all_proxy");
    struct http_request request = {.url = url};
    *ret = start(&request, reply);
    run_until_counted(&resolving, before + 1);
}

/* Lets the resolver's thread go, and waits until it has looked. */
static void end_resolving(int expected) {
    sem_post(&let_resolve);
    while (atomic_load(&resolved) < expected)
        poll(NULL, 0, 1);
}

START_TEST(cancelling_does_not_wait_for_the_resolver) {
    struct reply reply;
    struct http_transfer *transfer;
    int before = atomic_load(&resolved);
    if (!suite_forks()) /* the abandoned thread may still run at the end */
        return;
    begin_to_resolve(&reply, &transfer);
    ck_assert(atomic_load(&resolver_masked));
    http_cancel(transfer);
    ck_assert_int_eq(atomic_load(&resolved), before); /* it would have waited for ever */
    begin_to_resolve(&reply, &transfer);
    pool = http_pool_free(pool);
    ck_assert_int_eq(atomic_load(&resolved), before);
    end_resolving(before + 1);
    end_resolving(before + 2);
    ck_assert_int_eq(reply.calls, 0);
}
END_TEST

START_TEST(a_time_out_does_not_wait_for_the_resolver) {
    struct reply reply;
    struct http_transfer *transfer;
    int before = atomic_load(&resolved);
    if (!suite_forks())
        return;
    begin_to_resolve(&reply, &transfer);
    atomic_store(&http_test_skew_ms, 2 * LONG_MS);
    http_pool_run(pool);
    ck_assert_int_eq(reply.calls, 1);
    ck_assert_int_eq(reply.answer.code, CTCD_E_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(error_message(reply.answer.err), "being resolved"));
    ck_assert_int_eq(atomic_load(&resolved), before);
    http_answer_done(&reply.answer);
    end_resolving(before + 1);
}
END_TEST

START_TEST(names_are_resolved) {
    struct reply reply;
    struct http_transfer *transfer;
    int before = atomic_load(&resolved);
    begin_to_resolve(&reply, &transfer);
    end_resolving(before + 1);
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, 0);
    http_answer_done(&reply.answer);
    struct http_request request = {.url = "http://nowhere.test/"};
    start(&request, &reply);
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, CTCD_E_UNREACHABLE);
    ck_assert_str_eq(error_message(reply.answer.err),
                     "nowhere.test:80 cannot be found by its name");
    http_answer_done(&reply.answer);
}
END_TEST

/* ---- signals, forks, memory ---- */

START_TEST(the_signal_mask_is_left_alone) {
    sigset_t before, after, mine;
    struct reply reply;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR2);
    sigaddset(&mine, SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &mine, &before);
    raise(SIGPIPE); /* pending before: stays */
    ask("/ok", &reply);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < 32; i++)
        ck_assert_int_eq(sigismember(&after, i), sigismember(&mine, i));
    sigpending(&after);
    ck_assert(sigismember(&after, SIGPIPE));
    sigemptyset(&mine);
    sigaddset(&mine, SIGPIPE);
    ck_assert_int_eq(sigtimedwait(&mine, NULL, &(struct timespec){0}), SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    http_answer_done(&reply.answer);
}
END_TEST

static int in_child(struct http_transfer *transfer) {
    struct http_request request = {.url = "http://127.0.0.1/", .timeout_ms = LONG_MS};
    int bad = http_start(pool, &request, on_done, NULL, NULL, NULL) != CTCD_E_FORKED;
    http_cancel(transfer);
    http_pool_run(pool);
    pool = http_pool_free(pool);
    return bad;
}

START_TEST(a_forked_child_leaves_the_parents_pool_alone) {
    struct http_request request = {.url = url_of("/ok")};
    struct reply reply, kept;
    int status = 0;
    if (!suite_forks())
        return;
    ask("/ok", &kept); /* a connection that is kept, too */
    http_answer_done(&kept.answer);
    struct http_transfer *transfer = start(&request, &reply);
    run_until_counted(&server->requests, 2);
    if (reply.calls == 0) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(in_child(transfer));
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        run_until_over(&reply);
    }
    ck_assert_int_eq(reply.answer.code, 0);
    ck_assert_int_eq(atomic_load(&server->accepted), 1);
    http_answer_done(&reply.answer);
}
END_TEST

static int try_with_failure(uint64_t nth) {
    char *headers[] = {(char[]){"X-One: 1"}, NULL};
    struct http_request request = {.url = url_of("/echo"),
                                   .body = "{}",
                                   .body_size = 2,
                                   .headers = headers,
                                   .timeout_ms = LONG_MS};
    struct http_pool *before = pool;
    struct reply reply = {0};
    ctcd_error *err = NULL;
    pool = NULL;
    mem_test_fail_at(nth);
    int rc = http_pool_new(&pool, &err);
    if (rc == 0)
        rc = http_start(pool, &request, on_done, &reply, NULL, &err);
    if (rc == 0) {
        run_until_over(&reply);
        rc = reply.answer.code;
    }
    mem_test_fail_at(0);
    http_answer_done(&reply.answer);
    error_done(&err);
    http_pool_free(pool);
    pool = before;
    return rc;
}

START_TEST(every_allocation_may_fail) {
    uint64_t nth = 1;
    for (int rc; (rc = try_with_failure(nth)) != 0; nth++) {
        ck_assert_int_eq(rc, CTCD_E_NOMEM);
        ck_assert_uint_lt(nth, 200);
    }
    ck_assert_uint_gt(nth, 5);
}
END_TEST

START_TEST(every_allocation_of_curl_may_fail) {
    int rc = -1;
    if (!suite_forks()) /* it must be the first to start curl */
        return;
    for (int64_t nth = 0; rc != 0; nth++) {
        atomic_store(&curl_left, nth);
        rc = try_with_failure(0);
        bool failed = atomic_load(&curl_left) < 0;
        atomic_store(&curl_left, -1);
        ck_assert_int_lt(nth, 1000);
        ck_assert_int_ne(rc, CTCD_E_TIMEOUT);
        if (rc == 0 && failed) /* curl could do without this one */
            rc = -1;
    }
    struct reply reply;
    ask("/ok", &reply);
    ck_assert_int_eq(reply.answer.code, 0);
    http_answer_done(&reply.answer);
}
END_TEST

SUITE_MAIN_WITH("http_end", setup_counted, teardown, a_cancelled_transfer_never_calls,
                a_callback_may_start_and_cancel, a_pool_may_end_with_transfers_in_flight,
                cancelling_does_not_wait_for_the_resolver,
                a_time_out_does_not_wait_for_the_resolver, names_are_resolved,
                the_signal_mask_is_left_alone, a_forked_child_leaves_the_parents_pool_alone,
                every_allocation_may_fail, every_allocation_of_curl_may_fail)
