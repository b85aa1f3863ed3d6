/* See registry.h. */
#include "deployers/mlflow/registry.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "io/file.h"
#include "io/log.h"
#include "io/secret.h"

#define REQUEST_MS 30000 /* for one answer; a file may take what is left of the call */
#define SAID_BYTES 400   /* of what the server says, in an error */

#define BAD_ANSWER_HINT "is %s the address of an MLflow tracking server? then look at its log"

#define URI_HINT                                                                                   \
    "set the model deployer's option tracking_uri to the address of an MLflow tracking "           \
    "server, such as http://127.0.0.1:5000"

/* ---- beginning and end ---------------------------------------------------------------------------- */

void registry_done(struct registry *r) {
    exchange_drop(&r->exchange);
    secret_done(&r->token);
    secret_done(&r->user);
    secret_done(&r->password);
}

static int read_secrets(struct registry *r, const struct mlflow *backend, ctcd_error **err) {
    const struct tracking *t = &backend->tracking;
    int rc = 0;
    if (t->token && (t->username || t->password))
        return error_set(err, CTCD_E_INVALID, "set either the token, or user name and password",
                         "both tracking_token and tracking_username are set");
    if (!t->username != !t->password)
        return error_set(err, CTCD_E_INVALID, NULL, "%s is set without %s",
                         t->username ? "tracking_username" : "tracking_password",
                         t->username ? "tracking_password" : "tracking_username");
    if (t->token)
        rc = secret_read("tracking_token", t->token, &r->token, err);
    if (!rc && t->username)
        rc = secret_read("tracking_username", t->username, &r->user, err);
    if (!rc && t->password)
        rc = secret_read("tracking_password", t->password, &r->password, err);
    return rc;
}

int registry_begin(struct registry *r, const struct mlflow *backend, ctcd_call *call,
                   ctcd_error **err) {
    const char *uri = backend->tracking.uri;
    if (!uri)
        return error_set(err, CTCD_E_INVALID, URI_HINT,
                         "this model is known to a tracking server, and none is configured");
    if (!text_starts(uri, "http://") && !text_starts(uri, "https://"))
        return error_set(err, CTCD_E_INVALID, URI_HINT, "tracking_uri: %s is no http address", uri);
    r->backend = backend;
    r->call = call;
    return read_secrets(r, backend, err);
}

/* ---- asking --------------------------------------------------------------------------------------- */

static void encode(struct buf *to, const char *text, bool keep_slashes) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    for (; *text; text++)
        if (strchr(plain, *text) || (keep_slashes && *text == '/'))
            buf_add_char(to, *text);
        else
            buf_addf(to, "%%%02X", (unsigned)(unsigned char)*text);
}

char *registry_encode(const char *text, bool keep_slashes) {
    struct buf to = {0};
    encode(&to, text, keep_slashes);
    return buf_steal(&to);
}

static char *url_of(const struct registry *r, const struct question *q) {
    struct buf url = {0};
    const char *base = r->backend->tracking.uri;
    size_t size = strlen(base);
    while (size && base[size - 1] == '/')
        size--;
    buf_addf(&url, "%.*s%s", (int)size, base, q->path);
    for (size_t i = 0; q->query && q->query[i]; i += 2) {
        buf_addf(&url, "%s%s=", i ? "&" : "?", q->query[i]);
        encode(&url, q->query[i + 1], false);
    }
    return buf_steal(&url);
}

static int start(struct registry *r, const struct question *q, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *url = url_of(r, q);
    _cleanup_(mem_free_ptr) char *body = q->body ? json_to_text(q->body) : NULL;
    if (!url || (q->body && !body))
        return error_nomem(err);
    int64_t left = exchange_time(r->call);
    if (!q->take && left > REQUEST_MS)
        left = REQUEST_MS;
    struct http_request request = {
        .method = q->method,
        .url = url,
        .body = body,
        .body_size = body ? strlen(body) : 0,
        .timeout_ms = left,
        .max_answer = q->max_answer ? q->max_answer : REGISTRY_MAX_ANSWER,
        .take = q->take,
        .take_data = q->take_data,
        .ca_file = r->backend->tracking.ca_file,
        .user = r->user,
        .password = r->password,
        .bearer = r->token,
    };
    return exchange_start(&r->exchange, r->backend, r->call, &request, err);
}

/* ---- judging -------------------------------------------------------------------------------------- */

/* What the server says, for one line of an error; "" where it is HTML or nothing. Owned. */
static char *said(const struct http_answer *a, const struct json *json) {
    const char *text = json_get_text(json, "message");
    _cleanup_(mem_free_ptr) char *whole = NULL;
    if (!text && !json && a->body[0] != '<')
        text = a->body;
    if (!text || !text[0])
        return mem_copy_text("");
    size_t size = strlen(text) < SAID_BYTES ? strlen(text) : SAID_BYTES;
    whole = text_for_people(text, size, 1);
    return whole ? mem_text(": %s", whole) : NULL;
}

static bool is_code(const struct json *json, const char *code) {
    return text_same(json_get_text(json, "error_code"), code);
}

/* The registry says INVALID_PARAMETER_VALUE where an alias is not there. */
static bool is_missing(int status, const struct json *json) {
    const char *message = json_get_text(json, "message");
    return is_code(json, "RESOURCE_DOES_NOT_EXIST") || is_code(json, "NOT_FOUND") ||
           (status == 404 && json) ||
           (status == 400 && is_code(json, "INVALID_PARAMETER_VALUE") && message &&
            strstr(message, " not found"));
}

static int not_allowed(const struct registry *r, int status, const char *words, ctcd_error **err) {
    const char *uri = r->backend->tracking.uri;
    if (status == 403 && strstr(words, "Host header"))
        return error_set(err, CTCD_E_NOT_ALLOWED,
                         "start it with --allowed-hosts, or set tracking_uri to a name that it "
                         "allows",
                         "the tracking server %s refuses its own name%s", uri, words);
    if (status == 403)
        return error_set(err, CTCD_E_NOT_ALLOWED, "ask its administrator for the permission",
                         "the tracking server %s does not allow it (403)%s", uri, words);
    bool known = r->token || r->user;
    return error_set(err, CTCD_E_NOT_ALLOWED,
                     known ? "check what tracking_token, or tracking_username and "
                             "tracking_password, refer to"
                           : "set the model deployer's options tracking_username and "
                             "tracking_password, or tracking_token",
                     "the tracking server %s %s (401)", uri,
                     known ? "does not accept who we say we are" : "wants to know who asks");
}

static int not_mlflow(const struct registry *r, const struct question *q,
                      const struct http_answer *a, ctcd_error **err) {
    return error_set(
        err, CTCD_E_PROTOCOL, "is tracking_uri the address of an MLflow tracking server?",
        "%s answered %d with %s where JSON was expected, asked for %s", r->backend->tracking.uri,
        a->status, a->content_type ? a->content_type : "something", q->what);
}

/* Any answer but a good one. */
static int judge_bad(const struct registry *r, const struct question *q,
                     const struct http_answer *a, const struct json *json, ctcd_error **err) {
    const char *uri = r->backend->tracking.uri;
    _cleanup_(mem_free_ptr) char *words = said(a, json);
    int rc = CTCD_E_FAILED;
    if (!words)
        return error_nomem(err);
    if (a->status == 401 || a->status == 403)
        rc = not_allowed(r, a->status, words, err);
    else if (is_missing(a->status, json) || (a->status == 404 && q->take))
        rc = error_set(err, CTCD_E_NOT_FOUND, "look for it at the tracking server",
                       "%s: not at the tracking server %s%s", q->what, uri, words);
    else if (a->status == 404)
        rc = error_set(err, CTCD_E_NOT_SUPPORTED,
                       "is tracking_uri the address of an MLflow tracking server, and is it new "
                       "enough? (aliases: 2.3 or later)",
                       "the tracking server %s cannot be asked for %s", uri, q->what);
    else if (a->status >= 300 && a->status < 400)
        rc = error_set(err, CTCD_E_PROTOCOL, "set tracking_uri to where it leads",
                       "the tracking server %s answered with a redirect (%d)", uri, a->status);
    else if (a->status == 429 || (a->status >= 502 && a->status <= 504))
        rc = error_set(err, CTCD_E_UNREACHABLE, "try again later",
                       "the tracking server %s is too busy (%d)%s", uri, a->status, words);
    else if (a->status >= 400 && a->status < 500)
        rc = error_set(err, CTCD_E_INVALID, "look at its log",
                       "%s: the tracking server %s does not take the question (%d)%s", q->what, uri,
                       a->status, words);
    else
        rc = error_set(err, CTCD_E_FAILED, "look at its log",
                       "%s: the tracking server %s failed (%d)%s", q->what, uri, a->status, words);
    if (err && *err)
        error_set_http(*err, a->status);
    return rc;
}

/* Nothing that could be called an answer came. */
static int judge_failure(const struct registry *r, const struct question *q,
                         const struct http_answer *a, ctcd_error **err) {
    error_done(err);
    *err = error_ref(a->err);
    error_prefix(err, "%s: the tracking server", q->what);
    if (a->code == CTCD_E_UNREACHABLE && !error_hint_text(*err))
        error_hint(err, "does it run at %s, the model deployer's tracking_uri?",
                   r->backend->tracking.uri);
    else if (a->code == CTCD_E_TIMEOUT && !error_hint_text(*err))
        error_hint(err, "try again, with more time");
    else if (a->code != CTCD_E_NOMEM && !error_hint_text(*err))
        error_hint(err, BAD_ANSWER_HINT, r->backend->tracking.uri);
    return a->code;
}

int registry_judge(const struct registry *r, const struct question *q, const struct http_answer *a,
                   struct json **ret, ctcd_error **err) {
    _cleanup_(json_done) struct json *json = NULL;
    if (a->code)
        return judge_failure(r, q, a, err);
    bool good = a->status >= 200 && a->status < 300;
    if (good && q->take)
        return 0;
    _cleanup_(mem_free_ptr) char *whose = mem_text("answer of %s", r->backend->tracking.uri);
    if (!whose)
        return error_nomem(err);
    int rc = json_parse(a->body, a->body_size, REGISTRY_MAX_ANSWER, JSON_PYTHON, whose, &json,
                        good ? err : NULL);
    if (rc == CTCD_E_NOMEM)
        return error_nomem(err);
    if (!good)
        return judge_bad(r, q, a, json_kind(json) == JSON_KIND_OBJECT ? json : NULL, err);
    if (rc && a->body[strspn(a->body, " \t\r\n")] == '{') { /* cut off, or broken */
        error_hint(err, BAD_ANSWER_HINT, r->backend->tracking.uri);
        return error_prefix(err, "%s", q->what), rc;
    }
    if (rc || json_kind(json) != JSON_KIND_OBJECT)
        return not_mlflow(r, q, a, err);
    if (ret)
        *ret = mem_steal(&json);
    return 0;
}

int registry_ask(struct registry *r, const struct question *q, struct json **ret,
                 ctcd_error **err) {
    int rc = 0;
    if (!r->asked) {
        rc = start(r, q, err);
        r->asked = rc == 0;
    }
    if (!rc && !r->exchange.answered) {
        rc = ctcd_call_wait_wake(r->call);
        return rc ? rc : CTCD_AGAIN;
    }
    if (!rc)
        rc = registry_judge(r, q, &r->exchange.answer, ret, err);
    exchange_drop(&r->exchange);
    r->asked = false;
    return rc;
}

int registry_lacks(const struct registry *r, const char *what, const char *field,
                   ctcd_error **err) {
    return error_set(
        err, CTCD_E_PROTOCOL, "is tracking_uri the address of an MLflow tracking server?",
        "the answer of %s about %s has no proper %s", r->backend->tracking.uri, what, field);
}
