/* HTTP as one pool: every way in which an answer can come or fail, late hosts, bounds. Against a small server
   in a thread. How transfers and pools end early: test_http_end.c. */
#include "http_pool.h"

#include <sys/resource.h>

#include "io/loop.h"

/* ---- answers ---- */

START_TEST(an_answer_comes_whole) {
    struct reply reply;
    ask("/ok", &reply);
    ck_assert_int_eq(reply.answer.code, 0);
    ck_assert_int_eq(reply.answer.status, 200);
    ck_assert_str_eq(reply.answer.body, "hello");
    ck_assert_uint_eq(reply.answer.body_size, 5);
    ck_assert_str_eq(reply.answer.content_type, "text/plain");
    ck_assert_int_eq(reply.answer.retry_after_ms, -1);
    ck_assert_uint_eq(http_pool_count(pool), 0);
    http_answer_done(&reply.answer);
    ask("/chunked", &reply);
    ck_assert_str_eq(reply.answer.body, "hello");
    ck_assert_ptr_null(reply.answer.content_type);
    http_answer_done(&reply.answer);
    ask("/empty", &reply);
    ck_assert_int_eq(reply.answer.status, 204);
    ck_assert_str_eq(reply.answer.body, "");
    http_answer_done(&reply.answer);
    ask("/busy", &reply);
    ck_assert_int_eq(reply.answer.code, 0);
    ck_assert_int_eq(reply.answer.status, 503);
    ck_assert_int_eq(reply.answer.retry_after_ms, 7000);
    http_answer_done(&reply.answer);
    ask("/redirect", &reply);
    ck_assert_int_eq(reply.answer.status, 302);
    ck_assert_int_eq(atomic_load(&server->requests), 5);
    http_answer_done(&reply.answer);
}
END_TEST

static void ck_echo(struct http_request request, const char *first, const char *has,
                    const char *has_not) {
    struct reply reply;
    request.url = url_of("/echo");
    start(&request, &reply);
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, 0);
    const char *text = reply.answer.body;
    ck_assert_msg(strncmp(text, first, strlen(first)) == 0, "%s", text);
    if (has)
        ck_assert_msg(strstr(text, has) != NULL, "%s", text);
    if (has_not)
        ck_assert_msg(strcasestr(text, has_not) == NULL, "%s", text);
    http_answer_done(&reply.answer);
}

START_TEST(a_request_says_what_was_asked) {
    char *headers[] = {(char[]){"X-One: 1"}, (char[]){"Accept: application/json"}, NULL};
    ck_echo((struct http_request){0}, "GET /echo HTTP/1.1\r\n", NULL, "Authorization");
    ck_echo((struct http_request){.headers = headers}, "GET ", "X-One: 1\r\n", "Content-Type");
    ck_echo((struct http_request){.headers = headers}, "GET ", "Accept: application/json\r\n",
            "Accept: */*");
    ck_echo((struct http_request){.body = "{}", .body_size = 2}, "POST /echo ",
            "Content-Type: application/json\r\n", "Expect");
    ck_echo((struct http_request){.body = "{}", .body_size = 2}, "POST ", "\r\n\r\n{}", NULL);
    ck_echo((struct http_request){.body = "a=1", .body_size = 3, .content_type = "text/x-test"},
            "POST ", "Content-Type: text/x-test\r\n", "application/");
    ck_echo((struct http_request){.method = "PATCH", .body = "x", .body_size = 1}, "PATCH ",
            "Content-Length: 1\r\n", NULL);
    ck_echo((struct http_request){.method = "POST"}, "POST ", "Content-Length: 0\r\n", NULL);
    ck_echo((struct http_request){.method = "DELETE"}, "DELETE ", NULL, "Content-Length");
    ck_echo((struct http_request){.user = "ann", .password = "secret"}, "GET ",
            "Authorization: Basic YW5uOnNlY3JldA==\r\n", NULL);
    ck_echo((struct http_request){.bearer = "t0ken"}, "GET ", "Authorization: Bearer t0ken\r\n",
            NULL);
}
END_TEST

START_TEST(a_head_request_waits_for_no_body) {
    struct http_request request = {.url = url_of("/head"), .method = "HEAD"};
    struct reply reply;
    start(&request, &reply);
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, 0);
    ck_assert_uint_eq(reply.answer.body_size, 0);
    http_answer_done(&reply.answer);
}
END_TEST

START_TEST(a_large_body_goes_out) {
    enum { SIZE = 60000 };
    static char body[SIZE];
    memset(body, 'b', SIZE);
    struct http_request request = {.url = url_of("/echo"), .body = body, .body_size = SIZE};
    struct reply reply;
    start(&request, &reply);
    memset(body, 'c', SIZE); /* it was copied */
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, 0);
    ck_assert_uint_gt(reply.answer.body_size, SIZE);
    ck_assert_int_eq(reply.answer.body[reply.answer.body_size - 1], 'b');
    http_answer_done(&reply.answer);
}
END_TEST

START_TEST(connections_are_kept_unless_fresh) {
    struct reply reply;
    for (int i = 0; i < 3; i++) {
        ask("/ok", &reply);
        http_answer_done(&reply.answer);
    }
    ck_assert_int_eq(atomic_load(&server->accepted), 1);
    for (int i = 0; i < 2; i++) {
        struct http_request request = {.url = url_of("/ok"), .fresh = true};
        start(&request, &reply);
        run_until_over(&reply);
        ck_assert_int_eq(reply.answer.code, 0);
        http_answer_done(&reply.answer);
    }
    ck_assert_int_eq(atomic_load(&server->accepted), 3);
}
END_TEST

/* ---- failures ---- */

static void ck_fails(const char *path, int code, const char *words) {
    struct reply reply;
    ask(path, &reply);
    const char *message = error_message(reply.answer.err);
    ck_assert_msg(reply.answer.code == code, "%s: %d, %s", path, reply.answer.code, message);
    ck_assert_int_eq(error_code(reply.answer.err), code);
    ck_assert_msg(strstr(message, words) != NULL, "%s: %s", path, message);
    ck_assert_msg(strstr(message, "127.0.0.1:") != NULL, "%s: %s", path, message);
    ck_assert_ptr_null(reply.answer.body);
    http_answer_done(&reply.answer);
    http_answer_done(&reply.answer);
}

START_TEST(failures_are_told_apart) {
    ck_fails("/short", CTCD_E_PROTOCOL, "ended early");
    ck_fails("/chunked-short", CTCD_E_PROTOCOL, "ended early");
    ck_fails("/garbage", CTCD_E_PROTOCOL, "not HTTP");
    ck_fails("/reset", CTCD_E_UNREACHABLE, "broke the connection off");
    ck_fails("/close", CTCD_E_UNREACHABLE, "without an answer");
    ck_fails("/headers", CTCD_E_TOO_LARGE, "headers");
}
END_TEST

START_TEST(an_answer_may_be_too_large) {
    struct reply reply;
    const char *paths[] = {"/huge", "/length"};
    for (int i = 0; i < 2; i++) {
        struct http_request request = {.url = url_of(paths[i]), .max_answer = 100000};
        start(&request, &reply);
        run_until_over(&reply);
        ck_assert_int_eq(reply.answer.code, CTCD_E_TOO_LARGE);
        ck_assert_ptr_nonnull(strstr(error_message(reply.answer.err), "100000 bytes"));
        http_answer_done(&reply.answer);
    }
    struct http_request request = {.url = url_of("/ok"), .max_answer = 5};
    start(&request, &reply);
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, 0);
    http_answer_done(&reply.answer);
    request.max_answer = 4;
    start(&request, &reply);
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, CTCD_E_TOO_LARGE);
    http_answer_done(&reply.answer);
}
END_TEST

START_TEST(who_refuses_is_unreachable) {
    int port = 0;
    char url[64];
    struct reply reply;
    int listener = server_listen(&port);
    close(listener); /* a port that nobody listens on */
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    struct http_request request = {.url = url, .user = "ann", .password = "Pa55word"};
    start(&request, &reply);
    run_until_over(&reply);
    const char *message = error_message(reply.answer.err);
    ck_assert_int_eq(reply.answer.code, CTCD_E_UNREACHABLE);
    ck_assert_msg(strstr(message, "Connection refused") != NULL, "%s", message);
    ck_assert_ptr_null(strstr(message, "Pa55word"));
    ck_assert(error_retryable(reply.answer.err));
    http_answer_done(&reply.answer);
}
END_TEST

START_TEST(tls_to_a_plain_server_is_unreachable) {
    char url[64];
    struct reply reply;
    snprintf(url, sizeof url, "https://127.0.0.1:%d/ok", server->port);
    struct http_request request = {.url = url};
    start(&request, &reply);
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, CTCD_E_UNREACHABLE);
    http_answer_done(&reply.answer);
}
END_TEST

START_TEST(bad_requests_are_refused_at_once) {
    char *two_lines[] = {(char[]){"X: 1\r\nY: 2"}, NULL};
    char *no_colon[] = {(char[]){"X"}, NULL};
    const struct http_request bad[] = {
        {.timeout_ms = 1},
        {.url = "http://localhost/"},
        {.url = "http://localhost/", .timeout_ms = -1},
        {.url = "file:///etc/passwd", .timeout_ms = 1},
        {.url = "localhost/x", .timeout_ms = 1},
        {.url = "http://", .timeout_ms = 1},
        {.url = "", .timeout_ms = 1},
        {.url = "http://ann:Pa55word@localhost/", .timeout_ms = 1},
        {.url = "http://localhost/", .timeout_ms = 1, .method = "GET /"},
        {.url = "http://localhost/", .timeout_ms = 1, .method = ""},
        {.url = "http://localhost/", .timeout_ms = 1, .headers = two_lines},
        {.url = "http://localhost/", .timeout_ms = 1, .headers = no_colon},
        {.url = "http://localhost/",
         .timeout_ms = 1,
         .body = "x",
         .body_size = 1,
         .content_type = "a\nb"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ctcd_error *err = NULL;
        struct http_transfer *transfer = NULL;
        int rc = http_start(pool, &bad[i], on_done, NULL, &transfer, &err);
        ck_assert_msg(rc == CTCD_E_INVALID, "%zu: %d", i, rc);
        ck_assert_ptr_null(transfer);
        ck_assert_ptr_null(strstr(error_message(err), "Pa55word"));
        error_done(&err);
    }
    ck_assert_uint_eq(http_pool_count(pool), 0);
}
END_TEST

START_TEST(no_descriptor_left_is_an_error_of_one_transfer) {
    int spare[4096], count = 0;
    struct rlimit before, tight;
    struct reply reply;
    if (!suite_forks())
        return;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)open_descriptors() + 8;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    while (count < 4096 && (spare[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    ask("/ok", &reply);
    ck_assert_int_eq(reply.answer.code, CTCD_E_IO);
    ck_assert_int_eq(error_errno(reply.answer.err), EMFILE);
    http_answer_done(&reply.answer);
    while (count > 0)
        close(spare[--count]);
    ask("/ok", &reply);
    ck_assert_int_eq(reply.answer.code, 0);
    http_answer_done(&reply.answer);
    setrlimit(RLIMIT_NOFILE, &before);
}
END_TEST

/* ---- time ---- */

START_TEST(the_fd_knows_the_deadline) {
    struct http_request request = {.url = url_of("/silent"), .timeout_ms = 60};
    struct reply reply;
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    start(&request, &reply);
    run_until_over(&reply);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_eq(reply.answer.code, CTCD_E_TIMEOUT);
    ck_assert_int_ge(
        (ended.tv_sec - began.tv_sec) * 1000 + (ended.tv_nsec - began.tv_nsec) / 1000000, 59);
    ck_assert(!readable());
    http_answer_done(&reply.answer);
}
END_TEST

START_TEST(a_silent_server_is_named) {
    struct http_request request = {.url = url_of("/silent")};
    struct reply reply;
    start(&request, &reply);
    run_until_counted(&server->requests, 1);
    ck_assert_int_eq(reply.calls, 0);
    atomic_store(&http_test_skew_ms, LONG_MS + 1000);
    http_pool_run(pool);
    ck_assert_int_eq(reply.calls, 1);
    ck_assert_int_eq(reply.answer.code, CTCD_E_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(error_message(reply.answer.err), "600.0 s"));
    ck_assert_ptr_nonnull(strstr(error_message(reply.answer.err), "sent no answer"));
    http_answer_done(&reply.answer);
}
END_TEST

/* The host was away while the answer arrived, and comes back after the deadline. */
START_TEST(an_answer_that_arrived_wins_over_its_deadline) {
    struct http_request request = {.url = url_of("/ok")};
    struct reply reply;
    start(&request, &reply);
    run_until_counted(&server->requests, 1);
    while (atomic_load(&server->answered) < 1)
        poll(NULL, 0, 1);
    atomic_store(&http_test_skew_ms, 2 * LONG_MS);
    for (int i = 0; i < 40 && reply.calls == 0; i++)
        http_pool_run(pool);
    ck_assert_int_eq(reply.calls, 1);
    ck_assert_int_eq(reply.answer.code, 0);
    http_answer_done(&reply.answer);
}
END_TEST

/* The same, with more answers than one run looks at. */
START_TEST(answers_beyond_the_batch_win_too) {
    enum { COUNT = 150 };
    static struct reply replies[COUNT];
    for (int i = 0; i < COUNT; i++) {
        struct http_request request = {.url = url_of("/ok")};
        start(&request, &replies[i]);
    }
    /* Only as far as the requests are out: answers are taken in as they come. */
    run_until_counted(&server->requests, COUNT);
    while (atomic_load(&server->answered) < COUNT)
        poll(NULL, 0, 1);
    atomic_store(&http_test_skew_ms, 2 * LONG_MS);
    for (int i = 0; i < 100 && http_pool_count(pool) > 0; i++)
        http_pool_run(pool);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(replies[i].calls, 1);
        ck_assert_int_eq(replies[i].answer.code, 0);
        http_answer_done(&replies[i].answer);
    }
}
END_TEST

/* The whole way that a back end's request takes: the pool is a watch of the loop, its end wakes a call, and
   the call has a deadline. The host comes back late; the answer lies in the socket. */
struct late_call {
    struct loop *loop;
    struct loop_watch watch;
    struct loop_task step;
    struct loop_timer deadline;
    struct reply reply;
    int ended; /* 1 = by its answer, 2 = by its deadline */
};

static int64_t late_now;

static int64_t late_clock(void *data) {
    (void)data;
    return late_now;
}

static void late_ready(struct loop_watch *watch, uint32_t events) {
    (void)watch;
    (void)events;
    http_pool_run(pool);
}

static void late_done(void *data, struct http_answer *answer) {
    struct late_call *call = data;
    on_done(&call->reply, answer);
    loop_post(call->loop, &call->step);
}

static void late_step(struct loop_task *task) {
    struct late_call *call = list_of(task, struct late_call, step);
    call->ended = 1;
    loop_timer_set(&call->deadline, INT64_MAX);
}

static void late_expired(struct loop_timer *timer) {
    list_of(timer, struct late_call, deadline)->ended = 2;
}

START_TEST(a_pool_in_a_loop_is_never_late) {
    struct clock clock = {late_clock, late_clock, NULL, true, -1};
    struct http_request request = {.url = url_of("/ok"), .timeout_ms = LONG_MS};
    struct late_call call = {
        .watch.ready = late_ready, .step.run = late_step, .deadline.expired = late_expired};
    late_now = 0;
    ck_assert_int_eq(loop_new(&clock, &call.loop, NULL), 0);
    ck_assert_int_eq(
        loop_watch_add(call.loop, &call.watch, http_pool_fd(pool), POLLIN, LOOP_PERSISTENT, NULL),
        0);
    ck_assert_int_eq(loop_timer_add(call.loop, &call.deadline, NULL), 0);
    loop_timer_set(&call.deadline, 200);
    ck_assert_int_eq(http_start(pool, &request, late_done, &call, NULL, NULL), 0);
    while (atomic_load(&server->requests) < 1) {
        struct pollfd pfd = {.fd = loop_fd(call.loop), .events = POLLIN};
        if (poll(&pfd, 1, 1) == 1)
            ck_assert_int_eq(loop_dispatch(call.loop), 0);
    }
    while (atomic_load(&server->answered) < 1)
        poll(NULL, 0, 1);
    late_now = 500;
    while (call.ended == 0)
        ck_assert_int_eq(loop_wait(call.loop, INT64_MAX), 0);
    ck_assert_int_eq(call.ended, 1);
    ck_assert_int_eq(call.reply.answer.status, 200);
    http_answer_done(&call.reply.answer);
    loop_watch_remove(&call.watch);
    loop_timer_remove(&call.deadline);
    loop_free(call.loop);
}
END_TEST

/* ---- many ---- */

START_TEST(a_thousand_transfers) {
    enum { COUNT = 1000 };
    static struct reply replies[COUNT];
    struct reply first;
    int count = suite_is_slow() ? 150 : COUNT;
    ask("/ok", &first);
    http_answer_done(&first.answer);
    for (int i = 0; i < count; i++) {
        struct http_request request = {.url = url_of("/ok")};
        start(&request, &replies[i]);
    }
    ck_assert_uint_eq(http_pool_count(pool), (size_t)count);
    while (http_pool_count(pool) > 0)
        run_once();
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(replies[i].calls, 1);
        ck_assert_int_eq(replies[i].answer.status, 200);
        http_answer_done(&replies[i].answer);
    }
    ck_assert(!readable());
}
END_TEST

/* ---- bodies that are taken piece by piece ---- */

struct taker {
    size_t bytes, most;
    char text[64];
};

static int take(void *data, const char *bytes, size_t size) {
    struct taker *taker = data;
    if (taker->bytes + size > taker->most)
        return -1;
    if (taker->bytes + size < sizeof taker->text)
        memcpy(taker->text + taker->bytes, bytes, size);
    taker->bytes += size;
    return 0;
}

static void ask_taking(const char *path, struct taker *taker, size_t max, struct reply *reply) {
    struct http_request request = {
        .url = url_of(path), .take = take, .take_data = taker, .max_answer = max};
    start(&request, reply);
    run_until_over(reply);
}

START_TEST(a_body_is_taken_piece_by_piece) {
    struct reply reply;
    struct taker taker = {.most = 1000};
    ask_taking("/ok", &taker, 0, &reply);
    ck_assert_int_eq(reply.answer.code, 0);
    ck_assert_int_eq(reply.answer.status, 200);
    ck_assert_str_eq(taker.text, "hello");
    ck_assert_uint_eq(reply.answer.body_size, 0);
    ck_assert_str_eq(reply.answer.body, "");
    http_answer_done(&reply.answer);
    taker = (struct taker){.most = 1000};
    ask_taking("/chunked", &taker, 0, &reply);
    ck_assert_str_eq(taker.text, "hello");
    http_answer_done(&reply.answer);
    /* What is no good answer is told by the answer, as ever. */
    taker = (struct taker){.most = 1000};
    ask_taking("/busy", &taker, 0, &reply);
    ck_assert_int_eq(reply.answer.status, 503);
    ck_assert_str_eq(reply.answer.body, "busy");
    ck_assert_uint_eq(taker.bytes, 0);
    http_answer_done(&reply.answer);
    ask_taking("/short", &taker, 0, &reply);
    ck_assert_int_eq(reply.answer.code, CTCD_E_PROTOCOL);
    ck_assert_uint_eq(taker.bytes, 10);
    http_answer_done(&reply.answer);
}
END_TEST

START_TEST(a_body_that_is_too_large_to_take) {
    struct reply reply;
    struct taker taker = {.most = SIZE_MAX};
    ask_taking("/huge", &taker, 100000, &reply);
    ck_assert_int_eq(reply.answer.code, CTCD_E_TOO_LARGE);
    ck_assert_uint_le(taker.bytes, 100000);
    http_answer_done(&reply.answer);
    taker = (struct taker){.most = 200}; /* the disk is full, say */
    ask_taking("/huge", &taker, 0, &reply);
    ck_assert_int_eq(reply.answer.code, CTCD_E_IO);
    ck_assert_uint_le(taker.bytes, 200);
    http_answer_done(&reply.answer);
}
END_TEST

/* A time-out on a kept connection, which has no connecting to wait for. */
START_TEST(a_kept_connection_that_falls_silent) {
    struct reply reply;
    ask("/ok", &reply);
    http_answer_done(&reply.answer);
    struct http_request request = {.url = url_of("/silent"), .timeout_ms = 50};
    start(&request, &reply);
    run_until_over(&reply);
    ck_assert_int_eq(reply.answer.code, CTCD_E_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(error_message(reply.answer.err), "sent no answer"));
    http_answer_done(&reply.answer);
}
END_TEST

START_TEST(nothing_is_gained_by_use) {
    struct reply reply;
    ask("/ok", &reply);
    http_answer_done(&reply.answer);
    int before = open_descriptors();
    for (int i = 0; i < 50; i++) {
        ask(i % 2 ? "/ok" : "/echo", &reply);
        http_answer_done(&reply.answer);
    }
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* Silent ones must not keep the others from being answered. */
START_TEST(silent_servers_hold_up_nobody) {
    enum { COUNT = 40 };
    static struct reply silent[COUNT], fine[COUNT];
    for (int i = 0; i < COUNT; i++) {
        struct http_request request = {.url = url_of("/silent")};
        start(&request, &silent[i]);
        request = (struct http_request){.url = url_of("/ok")};
        start(&request, &fine[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        run_until_over(&fine[i]);
        ck_assert_int_eq(fine[i].answer.status, 200);
        http_answer_done(&fine[i].answer);
        ck_assert_int_eq(silent[i].calls, 0);
    }
    ck_assert_uint_eq(http_pool_count(pool), COUNT);
}
END_TEST

SUITE_MAIN_WITH("http", setup, teardown, an_answer_comes_whole, a_request_says_what_was_asked,
                a_head_request_waits_for_no_body, a_large_body_goes_out,
                connections_are_kept_unless_fresh, failures_are_told_apart,
                an_answer_may_be_too_large, who_refuses_is_unreachable,
                tls_to_a_plain_server_is_unreachable, bad_requests_are_refused_at_once,
                no_descriptor_left_is_an_error_of_one_transfer, the_fd_knows_the_deadline,
                a_silent_server_is_named, an_answer_that_arrived_wins_over_its_deadline,
                answers_beyond_the_batch_win_too, a_pool_in_a_loop_is_never_late,
                a_thousand_transfers, nothing_is_gained_by_use, silent_servers_hold_up_nobody,
                a_body_is_taken_piece_by_piece, a_body_that_is_too_large_to_take,
                a_kept_connection_that_falls_silent)
