/* HTTP for back ends: one pool per opened back end = one descriptor to watch (ctcd_call_watch), any
   number of transfers in flight. The only user of libcurl.

       http_pool_new(&pool, err)   ctcd_call_watch(call, http_pool_fd(pool), CTCD_EVENT_IN, ready, ...)
       ready: http_pool_run(pool)  http_start(pool, &request, done, data, &transfer, err)
       done:  http_answer_move(&mine, answer), ctcd_call_wake(call)

   Time here is the system's monotonic clock, never an injected one. Redirects are never followed: a 3xx
   is an answer. Only http and https, HTTP/1.1; no cookies, no netrc, no credentials in the URL; proxies
   from the environment, but none for loopback. Secrets are in no message. One thread at a time. */
#ifndef CTCD_IO_HTTP_H
#define CTCD_IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define HTTP_MAX_ANSWER ((size_t)64 << 20) /* where a request says 0 */

struct http_pool;
struct http_transfer;

/* Zero it, set what is wanted. Everything is copied by http_start. */
struct http_request {
    const char *method; /* NULL = GET, or POST with a body */
    const char *url;
    char *const *headers; /* "Name: value", ended by NULL; or NULL */
    const void *body;     /* NULL = none */
    size_t body_size;
    const char *content_type; /* of the body; NULL = application/json */
    int64_t timeout_ms;       /* > 0: for all of it, from http_start on; INT64_MAX = none */
    size_t max_answer;        /* bytes of body that are still taken; 0 = HTTP_MAX_ANSWER */
    bool fresh;    /* a connection of its own: for probes, a kept one may reach an old process */
    bool insecure; /* does not verify the server's certificate */
    const char *ca_file, *cert_file,
        *key_file;               /* PEM; NULL = the system's CAs, no client certificate */
    const char *user, *password; /* Basic; NULL = none */
    const char *bearer;          /* a token; NULL = none */
    /* Takes the body of a 2xx answer piece by piece instead of the answer, for what is too large for
       memory; not 0 = stop, which is CTCD_E_IO unless the transfer is cancelled. Not called after the
       end; may not call the pool. NULL = the answer holds the body. */
    int (*take)(void *take_data, const char *bytes, size_t size);
    void *take_data;
};

/* How it ended: an HTTP answer of any status (code 0), or a failure:
   CTCD_E_UNREACHABLE  name not resolved, refused, reset, closed without an answer, TLS refused
   CTCD_E_TIMEOUT      timeout_ms came first; the message says what it was waiting for
   CTCD_E_TOO_LARGE    more than max_answer bytes, or 256 KiB of headers
   CTCD_E_PROTOCOL     not HTTP, or the answer ended early
   CTCD_E_INVALID      a CA, certificate or key file cannot be used
   CTCD_E_NOMEM, CTCD_E_IO */
struct http_answer {
    int code;               /* 0 or CTCD_E_* */
    ctcd_error *err;        /* where code is not 0 */
    int status;             /* 200, ... */
    char *content_type;     /* NULL = none was sent */
    int64_t retry_after_ms; /* -1 = none was sent */
    char *body;             /* never NULL where code is 0; one NUL follows */
    size_t body_size;
};

void http_answer_move(struct http_answer *to, struct http_answer *from); /* `to` is overwritten */
void http_answer_done(struct http_answer *answer); /* for _cleanup_; harmless twice */

/* Called once from http_pool_run, never from http_start. The transfer is over: forget the pointer. What
   is not moved out of `answer` is freed on return. May start and cancel others, not run or free the pool. */
typedef void (*http_done_fn)(void *data, struct http_answer *answer);

int http_pool_new(struct http_pool **ret, ctcd_error **err);
/* Transfers in flight are dropped, without their callbacks. Never blocks. In a forked child it leaves the
   parent's connections and registrations alone. Accepts NULL; returns NULL. */
struct http_pool *http_pool_free(struct http_pool *pool);
/* Readable when http_pool_run has something to do; knows the deadlines. Owned by the pool. */
int http_pool_fd(const struct http_pool *pool);
/* Does what is ready, never waits; bounded (then the fd stays readable). What has arrived is taken in
   before deadlines expire. */
void http_pool_run(struct http_pool *pool);
size_t http_pool_count(const struct http_pool *pool); /* transfers in flight */

/* At most 256 are connected at a time; more wait in line, and their time runs.
   CTCD_E_INVALID: URL, method, header; CTCD_E_NOMEM; CTCD_E_FORKED. ret may be NULL. */
int http_start(struct http_pool *pool, const struct http_request *request, http_done_fn done,
               void *data, struct http_transfer **ret, ctcd_error **err);
/* Forgets it: no callback comes. Never blocks, also not in name resolution. Accepts NULL; returns NULL. */
struct http_transfer *http_cancel(struct http_transfer *transfer);

#ifdef CTCD_TEST
/* Added to the pool's clock, so that a test can be late without waiting; then run the pool by hand. */
extern _Atomic int64_t http_test_skew_ms;
#endif

#endif
