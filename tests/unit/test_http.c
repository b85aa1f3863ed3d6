/* HTTP as one pool: every way in which an answer can come or fail, late hosts, cancelling (also within name
   resolution), bounds, forks, out of memory. Against a small server in a thread; names are resolved here. */
#include "suite.h"

#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "io/http.h"
#include "small_server.h"

#define NET_MS 30000 /* a safety net, never a measure */
#define LONG_MS 600000

static struct server *server;
static struct http_pool *pool;

/* ---- names: libcurl's calls land here ---- */

static _Atomic int resolving, resolved, resolver_masked;
static sem_t let_resolve;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret) {
    static int (*system_call)(const char *, const char *, const struct addrinfo *,
                              struct addrinfo **);
    if (!system_call)
        *(void **)&system_call = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && strcmp(node, "nowhere.test") == 0)
        return EAI_NONAME;
    if (node && strcmp(node, "slow.test") == 0) {
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        atomic_store(&resolver_masked, sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT));
        atomic_fetch_add(&resolving, 1);
        while (sem_wait(&let_resolve) != 0) {
        }
        atomic_fetch_add(&resolved, 1);
        node = "127.0.0.1";
    }
    return system_call(node, service, hints, ret);
}

/* ---- what the tests use ---- */

static void setup(void) {
    /* What the environment says about proxies must not matter for loopback. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    atomic_store(&http_test_skew_ms, 0);
    sem_init(&let_resolve, 0, 0);
    server = server_start();
    pool = NULL;
    ck_assert_int_eq(http_pool_new(&pool, NULL), 0);
}

static void teardown(void) {
    pool = http_pool_free(pool);
    server_end(server);
    sem_destroy(&let_resolve);
}

struct reply {
    struct http_answer answer;
    int calls;
};

static void on_done(void *data, struct http_answer *answer) {
    struct reply *reply = data;
    reply->calls++;
    http_answer_move(&reply->answer, answer);
}

static const char *url_of(const char *path) {
    static char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server->port, path);
    return url;
}

static struct http_transfer *start(struct http_request *request, struct reply *reply) {
    struct http_transfer *transfer = NULL;
    ctcd_error *err = NULL;
    if (!request->timeout_ms)
        request->timeout_ms = LONG_MS;
    *reply = (struct reply){0};
    int rc = http_start(pool, request, on_done, reply, &transfer, &err);
    ck_assert_msg(rc == 0, "%s", error_message(err));
    return transfer;
}

static bool readable(void) {
    struct pollfd pfd = {.fd = http_pool_fd(pool), .events = POLLIN};
    return poll(&pfd, 1, 0) == 1;
}

/* One wait for the pool's descriptor, and nothing else, and one run. */
static void run_once(void) {
    struct pollfd pfd = {.fd = http_pool_fd(pool), .events = POLLIN};
    ck_assert_int_eq(poll(&pfd, 1, NET_MS), 1);
    http_pool_run(pool);
}

static void run_until_over(struct reply *reply) {
    while (reply->calls == 0)
        run_once();
    ck_assert_int_eq(reply->calls, 1);
}

/* Runs the pool as it asks for it, until a counter of another thread has the value. */
static void run_until_counted(_Atomic int *counter, int value) {
    while (atomic_load(counter) < value) {
        struct pollfd pfd = {.fd = http_pool_fd(pool), .events = POLLIN};
        if (poll(&pfd, 1, 1) == 1)
            http_pool_run(pool);
    }
}

static void ask(const char *path, struct reply *reply) {
    struct http_request request = {.url = url_of(path)};
    start(&request, reply);
    run_until_over(reply);
}

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

static int open_descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    closedir(dir);
    return count;
}

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
    ck_assert_int_le(atomic_load(&server->accepted), 257);
    ck_assert(!readable());
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
                     "the name of nowhere.test:80 cannot be resolved");
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

SUITE_MAIN_WITH("http", setup, teardown, an_answer_comes_whole, a_request_says_what_was_asked,
                a_head_request_waits_for_no_body, a_large_body_goes_out,
                connections_are_kept_unless_fresh, failures_are_told_apart,
                an_answer_may_be_too_large, who_refuses_is_unreachable,
                tls_to_a_plain_server_is_unreachable, bad_requests_are_refused_at_once,
                no_descriptor_left_is_an_error_of_one_transfer, the_fd_knows_the_deadline,
                a_silent_server_is_named, an_answer_that_arrived_wins_over_its_deadline,
                answers_beyond_the_batch_win_too, a_thousand_transfers, nothing_is_gained_by_use,
                silent_servers_hold_up_nobody, a_cancelled_transfer_never_calls,
                a_callback_may_start_and_cancel, a_pool_may_end_with_transfers_in_flight,
                cancelling_does_not_wait_for_the_resolver,
                a_time_out_does_not_wait_for_the_resolver, names_are_resolved,
                the_signal_mask_is_left_alone, a_forked_child_leaves_the_parents_pool_alone,
                every_allocation_may_fail)
