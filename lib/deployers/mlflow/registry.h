/* Conversations with an MLflow tracking server: one question at a time, each answer bounded and judged.
   Used by resolve.c (which model?), download.c (its files) and announce.c.

       rc = registry_ask(r, &question, &json, err);   CTCD_AGAIN: return it; called again, it goes on
*/
#ifndef CTCD_DEPLOYERS_MLFLOW_REGISTRY_H
#define CTCD_DEPLOYERS_MLFLOW_REGISTRY_H

#include "deployers/mlflow/exchange.h"
#include "io/json.h"

#define REGISTRY_API "/api/2.0/mlflow/"

/* Part of a call's scratch: zero it, registry_begin, registry_done at the end. */
struct registry {
    const struct mlflow *backend;
    ctcd_call *call;
    struct exchange exchange;
    bool asked;
    char *token, *user, *password; /* resolved for this call */
};

struct question {
    const char *method;       /* NULL = GET, or POST with a body */
    const char *path;         /* from the server's root on, encoded where it needs to be */
    const char *const *query; /* name, value, name, value, NULL; encoded here */
    const struct json *body;  /* NULL = none */
    const char *what;         /* what is asked for, quoted in errors: "version 3 of digits" */
    /* Where the bytes go, where the answer is a file; see http.h. */
    int (*take)(void *data, const char *bytes, size_t size);
    void *take_data;
    size_t max_answer; /* 0 = REGISTRY_MAX_ANSWER */
};
#define REGISTRY_MAX_ANSWER ((size_t)4 << 20)

/* Is a tracking server configured, and can it be one? Then reads the secrets. */
int registry_begin(struct registry *r, const struct mlflow *backend, ctcd_call *call,
                   ctcd_error **err);
void registry_done(struct registry *r);

/* CTCD_AGAIN: a wait was named. 0: *ret is an object (NULL ret for a file, whose bytes were taken).
   NOT_FOUND: no such model, version, alias, run; NOT_ALLOWED: 401, 403; UNREACHABLE; NOT_SUPPORTED: an
   endpoint that this server does not have; PROTOCOL: not an MLflow server's answer; INVALID; FAILED. */
int registry_ask(struct registry *r, const struct question *question, struct json **ret,
                 ctcd_error **err);

/* What an answer says, as registry_ask returns it. Pure. */
int registry_judge(const struct registry *r, const struct question *question,
                   const struct http_answer *answer, struct json **ret, ctcd_error **err);

/* "a b/c" -> "a%20b/c"; slashes stay where keep_slashes. Owned; NULL = out of memory. */
char *registry_encode(const char *text, bool keep_slashes);
/* PROTOCOL: "the tracking server's answer about WHAT lacks FIELD". */
int registry_lacks(const struct registry *r, const char *what, const char *field, ctcd_error **err);

#endif
