/* What the suites of HTTP share: a server, a pool, ways to run it, and the resolver, which lands here
   instead of in libc. For test_http.c and test_http_end.c; header only. */
#ifndef CTCD_TESTS_HTTP_POOL_H
#define CTCD_TESTS_HTTP_POOL_H

#include "suite.h"

#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <semaphore.h>
#include <signal.h>
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

static inline void setup(void) {
    /* What the environment says about proxies must not matter for loopback. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    atomic_store(&http_test_skew_ms, 0);
    sem_init(&let_resolve, 0, 0);
    server = server_start();
    pool = NULL;
    ck_assert_int_eq(http_pool_new(&pool, NULL), 0);
}

static inline void teardown(void) {
    pool = http_pool_free(pool);
    server_end(server);
    sem_destroy(&let_resolve);
}

struct reply {
    struct http_answer answer;
    int calls;
};

static inline void on_done(void *data, struct http_answer *answer) {
    struct reply *reply = data;
    reply->calls++;
    http_answer_move(&reply->answer, answer);
}

static inline const char *url_of(const char *path) {
    static char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server->port, path);
    return url;
}

static inline struct http_transfer *start(struct http_request *request, struct reply *reply) {
    struct http_transfer *transfer = NULL;
    ctcd_error *err = NULL;
    if (!request->timeout_ms)
        request->timeout_ms = LONG_MS;
    *reply = (struct reply){0};
    int rc = http_start(pool, request, on_done, reply, &transfer, &err);
    ck_assert_msg(rc == 0, "%s", error_message(err));
    return transfer;
}

static inline bool readable(void) {
    struct pollfd pfd = {.fd = http_pool_fd(pool), .events = POLLIN};
    return poll(&pfd, 1, 0) == 1;
}

/* One wait for the pool's descriptor, and nothing else, and one run. */
static inline void run_once(void) {
    struct pollfd pfd = {.fd = http_pool_fd(pool), .events = POLLIN};
    ck_assert_int_eq(poll(&pfd, 1, NET_MS), 1);
    http_pool_run(pool);
}

static inline void run_until_over(struct reply *reply) {
    while (reply->calls == 0)
        run_once();
    ck_assert_int_eq(reply->calls, 1);
}

/* Runs the pool as it asks for it, until a counter of another thread has the value. */
static inline void run_until_counted(_Atomic int *counter, int value) {
    while (atomic_load(counter) < value) {
        struct pollfd pfd = {.fd = http_pool_fd(pool), .events = POLLIN};
        if (poll(&pfd, 1, 1) == 1)
            http_pool_run(pool);
    }
}

static inline void ask(const char *path, struct reply *reply) {
    struct http_request request = {.url = url_of(path)};
    start(&request, reply);
    run_until_over(reply);
}

static inline int open_descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    closedir(dir);
    return count;
}

#endif
