/* HTTP over libcurl's multi interface, behind one descriptor; see http.h for its promises. Layout: the
   pool's descriptor, curl's callbacks, answers and failures, requests, one run, life and death.

   Deadlines are kept here and not in curl: curl looks at its own before it looks at the socket, so that
   a late host would lose answers that have arrived. */
#include "io/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fork.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/text.h"

#define BATCH 64      /* sockets, and ends, that one run looks at */
#define ADMIT 16      /* transfers that one run starts: connecting costs time */
#define CONNECTED 256 /* transfers that curl has at a time */
#define KEPT 64       /* idle connections */
#define MAX_HEADERS ((size_t)256 << 10)
#define GRACE 8    /* runs that an answer may go on to come in after its deadline */
#define CUT_OFF 16 /* runs in a row that expiry waits for sockets not yet looked at */
#define UNARMED INT64_MIN

struct http_pool {
    CURLM *multi;
    int epoll, timer;
    uint32_t generation; /* of forks */
    struct list waiting; /* not yet with curl */
    struct list active;
    struct list over; /* ended; their callbacks are to come */
    struct heap deadlines;
    size_t count, connected;
    uint64_t next_order;
    uint64_t run; /* number of this run */
    int cut_runs;
    bool more;        /* the run left something undone */
    bool doomed;      /* a socket could not be watched */
    bool broken;      /* curl lost a transfer for want of memory */
    int64_t curl_due; /* when curl wants to be called; INT64_MAX = no need */
    int64_t armed_for;
    struct http_transfer *delivering;
};

struct http_transfer {
    struct http_pool *pool;
    struct list node;
    struct heap_node deadline;
    http_done_fn done;
    void *data;
    CURL *easy;
    struct curl_slist *headers;
    void *request_body;
    char *where; /* "host:port", for messages */
    struct buf body;
    int (*take)(void *data, const char *bytes, size_t size);
    void *take_data;
    size_t taken, max_answer, header_bytes;
    uint64_t progress_run; /* the last run in which bytes came */
    int64_t timeout_ms;
    CURLcode result;
    int os_errno; /* a system call of ours failed */
    int grace;
    bool with_curl, expired, too_large, whole_headers, stopped;
    char text[CURL_ERROR_SIZE];
};

#ifdef CTCD_TEST
_Atomic int64_t http_test_skew_ms;
#define SKEW_MS http_test_skew_ms
#else
#define SKEW_MS 0
#endif

static int64_t mono_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + SKEW_MS;
}

static bool pool_forked(const struct http_pool *pool) {
    return pool->generation != fork_generation();
}

/* ---- The pool's descriptor ---- */

/* Sets the timerfd to when http_pool_run is wanted next. */
static void arm(struct http_pool *pool) {
    int64_t due = pool->curl_due;
    const struct heap_node *first = heap_first(&pool->deadlines);
    if (first && first->when < due)
        due = first->when;
    if (pool->more || !list_empty(&pool->over) ||
        (!list_empty(&pool->waiting) && pool->connected < CONNECTED))
        due = 0;
    if (due == pool->armed_for)
        return;
    struct itimerspec spec = {0};
    int64_t at = due == INT64_MAX ? 0 : due - SKEW_MS;
    if (at > 0)
        spec.it_value = (struct timespec){.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
    else if (due != INT64_MAX)
        spec.it_value.tv_nsec = 1; /* 0 would disarm */
    int rc = timerfd_settime(pool->timer, TFD_TIMER_ABSTIME, &spec, NULL);
    pool->armed_for = rc == 0 ? due : UNARMED;
}

/* While curl works: threads that it starts must not take the host's signals, and a SIGPIPE from a TLS
   library must not reach the host. */
struct quiet {
    sigset_t before;
    bool pipe_was_pending;
};

static void quiet_start(struct quiet *quiet) {
    sigset_t all, pending;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &quiet->before);
    quiet->pipe_was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void quiet_end(const struct quiet *quiet) {
    if (!quiet->pipe_was_pending) {
        sigset_t pipe_only;
        (void)sigemptyset(&pipe_only);
        (void)sigaddset(&pipe_only, SIGPIPE);
        while (sigtimedwait(&pipe_only, NULL, &(struct timespec){0}) == -1 && errno == EINTR) {
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

/* ---- curl's callbacks ---- */

static int on_timer(CURLM *multi, long timeout_ms, void *data) {
    (void)multi;
    struct http_pool *pool = data;
    pool->curl_due = timeout_ms < 0 ? INT64_MAX : mono_ms() + timeout_ms;
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known) {
    struct http_pool *pool = data;
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(pool->epoll, EPOLL_CTL_DEL, fd, &event);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                   (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    int rc = epoll_ctl(pool->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (rc < 0 && errno == ENOENT)
        rc = epoll_ctl(pool->epoll, EPOLL_CTL_ADD, fd, &event);
    else if (rc < 0 && errno == EEXIST)
        rc = epoll_ctl(pool->epoll, EPOLL_CTL_MOD, fd, &event);
    int os_errno = errno;
    if (rc == 0) {
        (void)curl_multi_assign(pool->multi, fd, pool);
        return 0;
    }
    /* To fail here would end every transfer of the pool; so only the one is ended, in this run. */
    struct http_transfer *t = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t) == CURLE_OK && t) {
        t->os_errno = os_errno;
        pool->doomed = true;
    }
    return 0;
}

static curl_socket_t on_open(void *data, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    struct http_transfer *t = data;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0 && errno != EAFNOSUPPORT)
        t->os_errno = errno;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* Hands bytes of a good answer on; 0 = stop. */
static size_t hand_on(struct http_transfer *t, const char *bytes, size_t len) {
    if (len > t->max_answer - t->taken) {
        t->too_large = true;
        return 0;
    }
    t->taken += len;
    t->stopped = t->take(t->take_data, bytes, len) != 0;
    return t->stopped ? 0 : len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
    struct http_transfer *t = data;
    size_t len = size * count; /* size is 1 */
    long status = 0;
    t->progress_run = t->pool->run;
    if (t->take && curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
        status >= 200 && status < 300)
        return hand_on(t, bytes, len);
    if (len > t->max_answer - t->body.len) {
        t->too_large = true;
        return 0;
    }
    buf_add_bytes(&t->body, bytes, len);
    return t->body.failed ? 0 : len;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *data) {
    (void)bytes;
    struct http_transfer *t = data;
    size_t len = size * count;
    t->progress_run = t->pool->run;
    t->header_bytes += len;
    if (t->header_bytes > MAX_HEADERS) {
        t->too_large = t->whole_headers = true;
        return 0;
    }
    return len;
}

/* ---- How it ended ---- */

void http_answer_done(struct http_answer *answer) {
    answer->err = error_unref(answer->err);
    mem_free(answer->content_type);
    mem_free(answer->body);
    *answer = (struct http_answer){.retry_after_ms = -1};
}

void http_answer_move(struct http_answer *to, struct http_answer *from) {
    *to = *from;
    *from = (struct http_answer){.retry_after_ms = -1};
}

static bool reached(struct http_transfer *t, CURLINFO stage) {
    curl_off_t when = 0;
    return curl_easy_getinfo(t->easy, stage, &when) == CURLE_OK && when > 0;
}

/* What a transfer was waiting for when its time was over. */
static const char *waited_for(struct http_transfer *t) {
    if (!t->with_curl)
        return "other requests came first";
    if (reached(t, CURLINFO_STARTTRANSFER_TIME_T))
        return "its answer was still coming";
    if (reached(t, CURLINFO_PRETRANSFER_TIME_T)) /* a kept connection has no earlier stages */
        return "it accepted the connection, and sent no answer";
    if (reached(t, CURLINFO_CONNECT_TIME_T))
        return "the TLS handshake was not over";
    if (reached(t, CURLINFO_NAMELOOKUP_TIME_T))
        return "the connection was not accepted";
    return "its name was still being resolved";
}

static int fail_timeout(struct http_transfer *t, ctcd_error **err) {
    double seconds = (double)t->timeout_ms / 1000.0;
    int code = error_set(err, CTCD_E_TIMEOUT, NULL, "%s did not answer within %.1f s: %s", t->where,
                         seconds, waited_for(t));
    if (err && *err)
        error_set_retryable(*err);
    return code;
}

static int fail_large(struct http_transfer *t, ctcd_error **err) {
    if (t->whole_headers)
        return error_set(err, CTCD_E_TOO_LARGE, NULL, "the headers of %s are larger than %zu KiB",
                         t->where, MAX_HEADERS >> 10);
    return error_set(err, CTCD_E_TOO_LARGE, NULL, "the answer of %s is larger than %zu bytes",
                     t->where, t->max_answer);
}

/* What curl's results mean here. `words` go behind "host:port"; `detail`: and curl's text behind them. */
static const struct cause {
    CURLcode result;
    int code;
    bool detail;
    const char *words, *hint;
} causes[] = {
    {CURLE_COULDNT_RESOLVE_HOST, CTCD_E_UNREACHABLE, false, "cannot be found by its name", NULL},
    {CURLE_COULDNT_RESOLVE_PROXY, CTCD_E_UNREACHABLE, true, "is behind a proxy not found", NULL},
    {CURLE_COULDNT_CONNECT, CTCD_E_UNREACHABLE, true, "takes no connection", NULL},
    {CURLE_PROXY, CTCD_E_UNREACHABLE, true, "is behind a proxy that refused", NULL},
    {CURLE_GOT_NOTHING, CTCD_E_UNREACHABLE, false, "closed the connection without an answer", NULL},
    {CURLE_SEND_ERROR, CTCD_E_UNREACHABLE, true, "broke the connection off", NULL},
    {CURLE_RECV_ERROR, CTCD_E_UNREACHABLE, true, "broke the connection off", NULL},
    {CURLE_SSL_CONNECT_ERROR, CTCD_E_UNREACHABLE, true, "does not agree on TLS", NULL},
    {CURLE_PEER_FAILED_VERIFICATION, CTCD_E_UNREACHABLE, true,
     "has a certificate that cannot be verified", "name the CA that signed it"},
    {CURLE_PARTIAL_FILE, CTCD_E_PROTOCOL, true, "sent an answer that ended early", NULL},
    {CURLE_UNSUPPORTED_PROTOCOL, CTCD_E_PROTOCOL, true, "sent what is not HTTP", NULL},
    {CURLE_WEIRD_SERVER_REPLY, CTCD_E_PROTOCOL, true, "sent what is not HTTP", NULL},
    {CURLE_HTTP2, CTCD_E_PROTOCOL, true, "sent what is not HTTP", NULL},
    {CURLE_BAD_CONTENT_ENCODING, CTCD_E_PROTOCOL, true, "sent what is not HTTP", NULL},
    {CURLE_SSL_CERTPROBLEM, CTCD_E_INVALID, true, "cannot be shown this certificate", NULL},
    {CURLE_SSL_CACERT_BADFILE, CTCD_E_INVALID, true, "cannot be verified by this CA file", NULL},
};

static int fail_cause(struct http_transfer *t, ctcd_error **err) {
    static const struct cause other = {CURLE_OK, CTCD_E_IO, true, "could not be asked", NULL};
    const struct cause *cause = &other;
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (causes[i].result == t->result)
            cause = &causes[i];
    long os_errno = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    const char *text = t->text[0] ? t->text : curl_easy_strerror(t->result);
    if (t->result == CURLE_COULDNT_CONNECT && os_errno)
        text = strerror((int)os_errno);
    int code = error_set(err, cause->code, cause->hint, "%s %s%s%s", t->where, cause->words,
                         cause->detail ? ": " : "", cause->detail ? text : "");
    if (cause->code == CTCD_E_UNREACHABLE && err && *err)
        error_set_retryable(*err);
    return code;
}

static int failure(struct http_transfer *t, ctcd_error **err) {
    if (t->expired || t->result == CURLE_OPERATION_TIMEDOUT)
        return fail_timeout(t, err);
    if (t->too_large || t->result == CURLE_FILESIZE_EXCEEDED)
        return fail_large(t, err);
    if (t->body.failed || t->result == CURLE_OUT_OF_MEMORY)
        return error_nomem(err);
    if (t->stopped)
        return error_set(err, CTCD_E_IO, NULL, "the answer of %s was not taken to its end",
                         t->where);
    if (t->os_errno)
        return error_system(err, t->os_errno, "a connection to %s", t->where);
    return fail_cause(t, err);
}

static int answer_take(struct http_transfer *t, struct http_answer *answer, ctcd_error **err) {
    long status = 0;
    const char *type = NULL;
    curl_off_t retry = 0;
    if (curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
        curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type) != CURLE_OK ||
        curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry) != CURLE_OK)
        return error_set(err, CTCD_E_IO, NULL, "request to %s: its result is not known", t->where);
    if (type && !(answer->content_type = mem_copy_text(type)))
        return error_nomem(err);
    answer->body_size = t->body.len;
    answer->body = buf_steal(&t->body);
    if (!answer->body)
        return error_nomem(err);
    answer->status = (int)status;
    if (retry > 0 && retry < INT64_MAX / 1000)
        answer->retry_after_ms = (int64_t)retry * 1000;
    return 0;
}

static void answer_make(struct http_transfer *t, struct http_answer *answer) {
    *answer = (struct http_answer){.retry_after_ms = -1};
    bool failed =
        t->expired || t->too_large || t->os_errno || t->body.failed || t->result != CURLE_OK;
    ctcd_error *err = NULL;
    int code = failed ? failure(t, &err) : answer_take(t, answer, &err);
    if (code == 0)
        return;
    http_answer_done(answer);
    answer->code = code;
    answer->err = err;
}

/* ---- Requests ---- */

static void transfer_free(struct http_transfer *t) {
    if (!t)
        return;
    if (t->easy)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    mem_free(t->request_body);
    mem_free(t->where);
    buf_done(&t->body);
    mem_free(t);
}

/* Out of every list, out of curl. Signals are blocked. */
static void transfer_detach(struct http_transfer *t) {
    struct http_pool *pool = t->pool;
    heap_remove(&pool->deadlines, &t->deadline);
    list_remove(&t->node);
    if (t->with_curl) {
        (void)curl_multi_remove_handle(pool->multi, t->easy);
        pool->connected--;
    }
    t->with_curl = false;
}

static bool is_loopback(const char *host) {
    struct in_addr v4;
    return text_same(host, "localhost") || text_ends(host, ".localhost") ||
           text_same(host, "[::1]") ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static int bad_url(CURLUcode code, ctcd_error **err) {
    if (code == CURLUE_OUT_OF_MEMORY)
        return error_nomem(err);
    if (code == CURLUE_USER_NOT_ALLOWED)
        return error_set(err, CTCD_E_INVALID, "use the options for user and password",
                         "a URL with credentials in it is not accepted");
    return error_set(err, CTCD_E_INVALID, NULL, "not a URL: %s", curl_url_strerror(code));
}

/* Reads the URL: sets t->where, says whether it is loopback. */
static int read_url(struct http_transfer *t, const char *text, bool *ret_loopback,
                    ctcd_error **err) {
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *url = curl_url();
    if (!url)
        return error_nomem(err);
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    int rc = 0;
    if (code == CURLUE_OK && !text_same(scheme, "http") && !text_same(scheme, "https"))
        rc = error_set(err, CTCD_E_INVALID, NULL, "a URL of %s: only http and https are known",
                       scheme);
    if (rc == 0 && code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (rc == 0 && code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (rc == 0 && code != CURLUE_OK)
        rc = bad_url(code, err);
    if (rc == 0) {
        *ret_loopback = is_loopback(host);
        t->where = mem_text("%s:%s", host, port);
        if (!t->where)
            rc = error_nomem(err);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return rc;
}

static bool is_method(const char *text) {
    return *text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")] == '\0';
}

static bool add_header(struct http_transfer *t, const char *line) {
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more)
        t->headers = more;
    return more != NULL;
}

static int make_headers(struct http_transfer *t, const struct http_request *request, bool with_body,
                        ctcd_error **err) {
    for (size_t i = 0; request->headers && request->headers[i]; i++) {
        const char *line = request->headers[i];
        const char *colon = strchr(line, ':');
        if (!colon || colon == line || strpbrk(line, "\r\n"))
            return error_set(err, CTCD_E_INVALID, NULL, "header %zu is not \"Name: value\"", i + 1);
        if (!add_header(t, line))
            return error_nomem(err);
    }
    if (!add_header(t, "Expect:")) /* no pause before large bodies */
        return error_nomem(err);
    if (!with_body)
        return 0;
    const char *type = request->content_type ? request->content_type : "application/json";
    if (strpbrk(type, "\r\n"))
        return error_set(err, CTCD_E_INVALID, NULL, "the content type is not one line");
    char *line = mem_text("Content-Type: %s", type);
    bool added = line && add_header(t, line);
    mem_free(line);
    return added ? 0 : error_nomem(err);
}

/* Sets an option unless an earlier one failed. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = curl_easy_setopt(t->easy, (option), (value));                                     \
    } while (0)

static CURLcode set_basics(struct http_transfer *t, const struct http_request *request,
                           bool loopback) {
    CURLcode rc = CURLE_OK;
    long connect_ms = request->timeout_ms > INT_MAX ? INT_MAX : (long)request->timeout_ms;
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a cancel must not wait for the resolver */
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_ERRORBUFFER, t->text);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, t);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->max_answer);
    SET(CURLOPT_HTTPHEADER, t->headers);
    if (loopback)
        SET(CURLOPT_PROXY, "");
    if (request->fresh) {
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
    }
    return rc;
}

static CURLcode set_method(struct http_transfer *t, const struct http_request *request) {
    CURLcode rc = CURLE_OK;
    const char *method = request->method ? request->method : request->body ? "POST" : "GET";
    bool sends =
        text_same(method, "POST") || text_same(method, "PUT") || text_same(method, "PATCH");
    if (text_same(method, "HEAD")) {
        SET(CURLOPT_NOBODY, 1L);
        return rc;
    }
    if (request->body || sends) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        SET(CURLOPT_POSTFIELDS, t->request_body ? t->request_body : "");
    }
    SET(CURLOPT_CUSTOMREQUEST, method);
    return rc;
}

static CURLcode set_trust(struct http_transfer *t, const struct http_request *request) {
    CURLcode rc = CURLE_OK;
    if (request->insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (request->ca_file)
        SET(CURLOPT_CAINFO, request->ca_file);
    if (request->cert_file)
        SET(CURLOPT_SSLCERT, request->cert_file);
    if (request->key_file)
        SET(CURLOPT_SSLKEY, request->key_file);
    if (request->bearer) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(CURLOPT_XOAUTH2_BEARER, request->bearer);
    } else if (request->user) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, request->user);
        SET(CURLOPT_PASSWORD, request->password ? request->password : "");
    }
    return rc;
}

static int transfer_prepare(struct http_transfer *t, const struct http_request *request,
                            ctcd_error **err) {
    bool loopback = false;
    int rc = read_url(t, request->url, &loopback, err);
    if (rc == 0)
        rc = make_headers(t, request, request->body != NULL, err);
    if (rc)
        return rc;
    if (request->body && !(t->request_body = mem_copy_bytes(request->body, request->body_size)))
        return error_nomem(err);
    t->easy = curl_easy_init();
    if (!t->easy)
        return error_nomem(err);
    CURLcode code = set_basics(t, request, loopback);
    if (code == CURLE_OK)
        code = set_method(t, request);
    if (code == CURLE_OK)
        code = set_trust(t, request);
    if (code == CURLE_OUT_OF_MEMORY)
        return error_nomem(err);
    if (code != CURLE_OK)
        return error_set(err, CTCD_E_INVALID, NULL, "request to %s: %s", t->where,
                         curl_easy_strerror(code));
    return 0;
}

static int check_request(const struct http_request *request, ctcd_error **err) {
    if (!request->url)
        return error_set(err, CTCD_E_INVALID, NULL, "a request without a URL");
    if (request->method && !is_method(request->method))
        return error_set(err, CTCD_E_INVALID, NULL, "not an HTTP method: \"%s\"", request->method);
    if (request->timeout_ms <= 0)
        return error_set(err, CTCD_E_INVALID, NULL, "a request needs a time-out above 0");
    if (request->body_size > INT64_MAX / 2 || request->max_answer > INT64_MAX / 2)
        return error_set(err, CTCD_E_INVALID, NULL, "a size of the request is out of range");
    return 0;
}

int http_start(struct http_pool *pool, const struct http_request *request, http_done_fn done,
               void *data, struct http_transfer **ret, ctcd_error **err) {
    if (pool_forked(pool))
        return error_set(err, CTCD_E_FORKED, NULL, "the connections belong to the parent process");
    int rc = check_request(request, err);
    if (rc)
        return rc;
    if (!heap_reserve(&pool->deadlines, pool->count + 1))
        return error_nomem(err);
    struct http_transfer *t = mem_alloc(sizeof *t);
    if (!t)
        return error_nomem(err);
    t->pool = pool;
    t->done = done;
    t->data = data;
    t->max_answer = request->max_answer ? request->max_answer : HTTP_MAX_ANSWER;
    t->timeout_ms = request->timeout_ms;
    t->take = request->take;
    t->take_data = request->take_data;
    t->grace = GRACE;
    list_init(&t->node);
    rc = transfer_prepare(t, request, err);
    if (rc) {
        transfer_free(t);
        return rc;
    }
    int64_t now = mono_ms();
    if (t->timeout_ms < INT64_MAX - now) {
        t->deadline = (struct heap_node){.when = now + t->timeout_ms, .order = pool->next_order++};
        (void)heap_insert(&pool->deadlines, &t->deadline); /* room was reserved */
    }
    list_append(&pool->waiting, &t->node);
    pool->count++;
    arm(pool);
    if (ret)
        *ret = t;
    return 0;
}

struct http_transfer *http_cancel(struct http_transfer *t) {
    if (!t || t->pool->delivering == t || pool_forked(t->pool))
        return NULL;
    struct http_pool *pool = t->pool;
    struct quiet quiet;
    quiet_start(&quiet);
    transfer_detach(t);
    transfer_free(t);
    pool->count--;
    quiet_end(&quiet);
    arm(pool);
    return NULL;
}

/* ---- One run ---- */

/* It is over; the callback comes at the end of the run. curl forgets it then, since asking what it waited
   for needs the handle as it is. */
static void end_transfer(struct http_transfer *t, CURLcode result) {
    t->result = result;
    heap_remove(&t->pool->deadlines, &t->deadline);
    list_remove(&t->node);
    list_append(&t->pool->over, &t->node);
}

/* Hands the transfers that wait in line to curl. */
static void admit(struct http_pool *pool) {
    for (int i = 0; i < ADMIT && pool->connected < CONNECTED; i++) {
        struct list *node = list_pop(&pool->waiting);
        if (!node)
            return;
        struct http_transfer *t = list_of(node, struct http_transfer, node);
        list_append(&pool->active, &t->node);
        if (curl_multi_add_handle(pool->multi, t->easy) != CURLM_OK) {
            end_transfer(t, CURLE_OUT_OF_MEMORY);
            continue;
        }
        t->with_curl = true;
        pool->connected++;
    }
}

/* Takes the ends that curl reports. */
static void gather(struct http_pool *pool) {
    int left = 0, taken = 0;
    CURLMsg *message;
    while (taken < BATCH && (message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        struct http_transfer *t = NULL;
        taken++;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK && t)
            end_transfer(t, message->data.result);
    }
    if (taken == BATCH)
        pool->more = true;
}

/* Ends the transfers whose sockets could not be watched; all of them where curl ran out of memory, since it
   lost one of them then and does not say which. */
static void doom(struct http_pool *pool) {
    struct list *next;
    for (struct list *at = pool->active.next; at != &pool->active; at = next) {
        struct http_transfer *t = list_of(at, struct http_transfer, node);
        next = at->next;
        if (pool->broken || t->os_errno)
            end_transfer(t, pool->broken ? CURLE_OUT_OF_MEMORY : CURLE_COULDNT_CONNECT);
    }
    pool->broken = pool->doomed = false;
}

/* Ends what was due at `now`, the time before sockets were looked at. */
static void expire(struct http_pool *pool, int64_t now) {
    struct heap_node *first;
    for (int i = 0; i < BATCH; i++) {
        first = heap_first(&pool->deadlines);
        if (!first || first->when > now)
            return;
        struct http_transfer *t = list_of(first, struct http_transfer, deadline);
        if (t->progress_run == pool->run && t->grace-- > 0) {
            /* Bytes came just now, and more may lie there: look once more before giving up. */
            heap_remove(&pool->deadlines, first);
            first->when = now + 1;
            (void)heap_insert(&pool->deadlines, first);
            continue;
        }
        t->expired = true;
        end_transfer(t, CURLE_OPERATION_TIMEDOUT);
    }
}

static void deliver(struct http_pool *pool) {
    struct quiet quiet;
    for (int i = 0; i < 2 * BATCH; i++) {
        struct list *node = list_pop(&pool->over);
        if (!node)
            return;
        struct http_transfer *t = list_of(node, struct http_transfer, node);
        struct http_answer answer;
        answer_make(t, &answer);
        quiet_start(&quiet);
        transfer_detach(t);
        quiet_end(&quiet);
        pool->count--;
        pool->delivering = t;
        t->done(t->data, &answer);
        pool->delivering = NULL;
        http_answer_done(&answer);
        transfer_free(t);
    }
}

static void act(struct http_pool *pool, curl_socket_t fd, int mask) {
    int running = 0;
    CURLMcode code = curl_multi_socket_action(pool->multi, fd, mask, &running);
    if (code == CURLM_OUT_OF_MEMORY || code == CURLM_INTERNAL_ERROR)
        pool->broken = true;
}

/* Gives curl the sockets that are ready. Returns whether there may be more. */
static bool serve_sockets(struct http_pool *pool) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(pool->epoll, events, BATCH, 0);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == pool->timer) {
            pool->armed_for = UNARMED;
            continue;
        }
        int mask = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        act(pool, events[i].data.fd, mask);
    }
    return count == BATCH;
}

void http_pool_run(struct http_pool *pool) {
    if (pool_forked(pool) || pool->delivering)
        return;
    struct quiet quiet;
    int64_t now = mono_ms();
    pool->run++;
    pool->more = false;
    quiet_start(&quiet);
    bool cut = serve_sockets(pool);
    admit(pool);
    if (pool->curl_due <= mono_ms()) {
        pool->curl_due = INT64_MAX;
        act(pool, CURL_SOCKET_TIMEOUT, 0);
    }
    gather(pool);
    if (pool->doomed || pool->broken)
        doom(pool);
    pool->cut_runs = cut || pool->more ? pool->cut_runs + 1 : 0;
    if (pool->cut_runs == 0 || pool->cut_runs > CUT_OFF) {
        pool->cut_runs = 0;
        expire(pool, now);
    }
    quiet_end(&quiet);
    deliver(pool);
    arm(pool);
}

/* ---- Life and death ---- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

static void start_curl(void) {
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool set_up(struct http_pool *pool) {
    return curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) == CURLM_OK &&
           curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
           curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool) == CURLM_OK &&
           curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)KEPT) == CURLM_OK &&
           curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
}

int http_pool_new(struct http_pool **ret, ctcd_error **err) {
    (void)pthread_once(&curl_once, start_curl);
    if (curl_started != CURLE_OK)
        return error_set(err, CTCD_E_FAILED, NULL, "libcurl does not start: %s",
                         curl_easy_strerror(curl_started));
    struct http_pool *pool = mem_alloc(sizeof *pool);
    if (!pool)
        return error_nomem(err);
    pool->generation = fork_generation();
    pool->curl_due = pool->armed_for = INT64_MAX;
    list_init(&pool->waiting);
    list_init(&pool->active);
    list_init(&pool->over);
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    pool->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = pool->timer};
    int rc = 0;
    if (pool->epoll < 0 || pool->timer < 0 ||
        epoll_ctl(pool->epoll, EPOLL_CTL_ADD, pool->timer, &event) < 0)
        rc = error_system(err, errno, "making a pool of connections");
    else if (!(pool->multi = curl_multi_init()) || !set_up(pool))
        rc = error_nomem(err);
    if (rc) {
        (void)http_pool_free(pool);
        return rc;
    }
    *ret = pool;
    return 0;
}

static void drop_all(struct list *transfers) {
    for (struct list *node; (node = list_pop(transfers)) != NULL;) {
        struct http_transfer *t = list_of(node, struct http_transfer, node);
        transfer_detach(t);
        transfer_free(t);
    }
}

struct http_pool *http_pool_free(struct http_pool *pool) {
    if (!pool)
        return NULL;
    bool forked = pool_forked(pool);
    if (!forked) {
        struct quiet quiet;
        quiet_start(&quiet);
        drop_all(&pool->waiting);
        drop_all(&pool->active);
        drop_all(&pool->over);
        if (pool->multi)
            (void)curl_multi_cleanup(pool->multi);
        quiet_end(&quiet);
    }
    if (pool->timer >= 0)
        (void)close(pool->timer);
    if (pool->epoll >= 0)
        (void)close(pool->epoll);
    if (forked) /* curl would end TLS sessions and registrations that the parent still uses: leave it */
        return NULL;
    heap_done(&pool->deadlines);
    mem_free(pool);
    return NULL;
}

int http_pool_fd(const struct http_pool *pool) {
    return pool->epoll;
}

size_t http_pool_count(const struct http_pool *pool) {
    return pool->count;
}
