/* predict: one request to the revision's URL. Rows without names get the model's columns, because a model
   that names its columns refuses them otherwise. */
#include <string.h>

#include "base/text.h"
#include "deployers/mlflow/exchange.h"
#include "deployers/mlflow/model.h"
#include "protocols/mlflow.h"

struct prediction {
    struct exchange post;
    bool begun;
};

static void prediction_done(void *memory) {
    exchange_drop(&((struct prediction *)memory)->post);
}

/* CTCD_NONE: the model names no columns, the rows go as they are. */
static int name_columns(ctcd_call *call, const ctcd_revision *revision,
                        enum mlflow_protocol protocol, const char *rows, char **ret,
                        ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *columns = NULL;
    _cleanup_(mem_free_ptr) char *model = mlflow_model_folder(call, revision);
    if (!model)
        return error_nomem(err);
    int rc = model_columns(model, &columns, err);
    if (rc) { /* the server has its model; that the folder is gone by now does not matter */
        error_done(err);
        return rc == CTCD_E_NOMEM ? error_nomem(err) : CTCD_NONE;
    }
    _cleanup_(mem_free_ptr) char *split =
        mem_text("{\"columns\": %s, \"data\": %s}", columns, rows);
    return split ? mlflow_encode_for(protocol, split, strlen(split), MLFLOW_SPLIT, ret, err)
                 : error_nomem(err);
}

static int encode(ctcd_call *call, const ctcd_revision *revision, const char *input, char **ret,
                  ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *body = NULL;
    enum mlflow_protocol protocol = MLFLOW_PROTOCOL_2;
    if (mlflow_protocol(revision, &protocol))
        return error_nomem(err);
    int rc = mlflow_encode_for(protocol, input, strlen(input), MLFLOW_AUTO, &body, err);
    if (rc)
        return rc;
    bool plain_rows = input[strspn(input, " \t\r\n")] == '[' && text_starts(body, "{\"instances\"");
    rc = plain_rows ? name_columns(call, revision, protocol, input, ret, err) : CTCD_NONE;
    if (rc == CTCD_NONE) {
        *ret = mem_steal(&body);
        rc = 0;
    }
    return rc;
}

static int send_it(const struct mlflow *backend, struct prediction *p, ctcd_call *call,
                   const ctcd_revision *revision, const char *input, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *body = NULL;
    const char *url = ctcd_revision_url(revision), *type = ctcd_call_content_type(call);
    bool csv = strcmp(type, MLFLOW_CSV) == 0;
    if (!url[0])
        return error_set(err, CTCD_E_UNREACHABLE, NULL, "it was never started");
    int rc = csv ? mlflow_check_csv(input, err) : encode(call, revision, input, &body, err);
    if (rc)
        return rc;
    const char *sent = csv ? input : body;
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .body = sent,
                                   .body_size = strlen(sent),
                                   .content_type = csv ? MLFLOW_CSV : MLFLOW_CONTENT_TYPE,
                                   .timeout_ms = exchange_time(call)};
    return exchange_start(&p->post, backend, call, &request, err);
}

/* The server's own JSON, once it is known to be some, and made strict. */
static int take(const struct http_answer *answer, const ctcd_revision *revision, ctcd_text *out,
                ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *predictions = NULL;
    _cleanup_(mem_free_ptr) char *strict = NULL;
    if (answer->code) {
        error_done(err);
        *err = error_ref(answer->err);
        error_prefix(err, "no prediction from %s", ctcd_revision_url(revision));
        return answer->code;
    }
    int rc = mlflow_decode(answer->status, answer->body, answer->body_size, &predictions, err);
    if (rc)
        return rc;
    size_t size = answer->body_size;
    while (size && strchr(" \t\r\n", answer->body[size - 1]))
        size--;
    if (!(strict = mlflow_strict(answer->body, size)))
        return error_nomem(err);
    return ctcd_text_add(out, strict, strlen(strict));
}

int mlflow_predict(void *impl, ctcd_call *call, const ctcd_revision *revision, const char *body,
                   ctcd_text *out) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    struct prediction *p = NULL;
    int rc = ctcd_call_scratch(call, sizeof *p, prediction_done, (void **)&p);
    if (!rc && p->post.answered)
        rc = take(&p->post.answer, revision, out, &err);
    else if (!rc) {
        if (!p->begun) {
            p->begun = true;
            ctcd_call_progress(call, "waiting for the prediction");
            rc = send_it(impl, p, call, revision, body, &err);
        }
        if (!rc)
            rc = ctcd_call_wait_wake(call);
        rc = rc ? rc : CTCD_AGAIN;
    }
    return rc < 0 ? mlflow_fail(call, rc, &err) : rc;
}
