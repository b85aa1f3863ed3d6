/* Ops that ask the revision that serves for a text: predictions and logs (service.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/deploy.h"

struct ask {
    ctcd_op op;
    char uuid[37];
    char *body;
    bool csv;
    int64_t lines;
    enum call_method method;
    ctcd_service *service;
    struct backend *backend;
    struct ctcd_revision revision;
    struct ctcd_text answer;
    ctcd_call *call;

    /* of a log that is followed: "REVISION:" and what the back end gave for it */
    char *cursor; /* NULL = the last lines */
    struct ctcd_text place;
    int64_t asked, serving; /* numbers of revisions: the log's, and the one whose turn is next */
};

/* For logs the newest will do: a first deploy that failed has a log, too. */
static int load_revision(struct ask *a, struct store_revision *ret) {
    const struct store_service *service = &a->service->record;
    int rc = a->method == CALL_PREDICT && !service->revision
                 ? CTCD_NONE
                 : service_revision(a->op.ctx->store, service, ret, OP_ERR(&a->op));
    if (rc != CTCD_NONE)
        return rc;
    return error_set(OP_ERR(&a->op), CTCD_E_UNREACHABLE, "see: ctcd served-models describe UUID",
                     "the service of %s has no revision that ever served", service->model);
}

/* The rest of the log that was read until now comes before that of the revision that serves. */
static int choose_revision(struct ask *a, struct store_revision *record, const char **ret_cursor,
                           uint32_t *ret_flags) {
    int end = 0;
    a->serving = a->asked = record->number;
    if (!a->cursor)
        return 0;
    if (sscanf(a->cursor, "%18" SCNd64 ":%n", &a->asked, &end) != 1 || !end || a->asked < 1)
        return error_set(OP_ERR(&a->op), CTCD_E_INVALID, NULL, "this is no cursor of a log: %s",
                         a->cursor);
    *ret_cursor = a->cursor + end;
    if (a->asked == a->serving)
        return 0;
    struct store_revision before = {0};
    int rc = store_revision_get(a->op.ctx->store, a->uuid, a->asked, &before, OP_ERR(&a->op));
    if (rc == CTCD_E_NOT_FOUND) {
        error_done(OP_ERR(&a->op));
        a->asked = a->serving;
        *ret_cursor = "";
        return 0;
    }
    if (rc)
        return rc;
    store_revision_done(record);
    *record = before;
    *ret_flags = CTCD_LOGS_ENDED;
    return 0;
}

static int begin(struct ask *a) {
    ctcd_context *ctx = a->op.ctx;
    ctcd_error **err = OP_ERR(&a->op);
    _cleanup_(store_revision_done) struct store_revision record = {0};
    const char *cursor = NULL;
    uint32_t flags = 0;
    int rc = service_load(ctx, a->uuid, &a->service, err);
    if (rc == CTCD_E_NOT_FOUND && a->cursor) {
        error_done(err);
        return CTCD_NONE;
    }
    if (!rc)
        rc = load_revision(a, &record);
    if (!rc && a->method == CALL_LOGS_SINCE)
        rc = choose_revision(a, &record, &cursor, &flags);
    if (!rc)
        rc = backend_get(ctx, a->service->record.deployer, &a->backend, err);
    if (!rc && a->csv && !(a->backend->flavor->table.flags & CTCD_DEPLOYER_CSV))
        rc = error_set(err, CTCD_E_NOT_SUPPORTED, "send it as JSON", "the back end %s takes no CSV",
                       a->backend->flavor->name);
    if (!rc)
        rc = revision_load(ctx, a->backend, &record, a->service->record.model, &a->revision, err);
    if (rc)
        return rc;
    struct call_args args = {.revision = &a->revision,
                             .text = &a->answer,
                             .place = &a->place,
                             .body = a->body,
                             .csv = a->csv,
                             .cursor = cursor,
                             .lines = a->lines,
                             .flags = flags};
    return call_start(&a->op, a->backend, a->method, &args, a->op.deadline, &a->call);
}

/* What a server sent may be anything; a text is UTF-8, and has one end. */
static void text_of_bytes(struct buf *bytes) {
    for (char *nul; bytes->text && (nul = memchr(bytes->text, 0, bytes->len));)
        *nul = '?';
    if (bytes->text)
        text_make_utf8(bytes->text);
}

/* The next cursor, a newline, and the text. */
static char *with_cursor(struct ask *a, const char *text) {
    bool over = !*text && a->asked != a->serving; /* all of the old log was read */
    text_of_bytes(&a->place.buf);
    const char *place = over || !a->place.buf.text ? "" : a->place.buf.text;
    return mem_text("%" PRId64 ":%s\n%s", over ? a->serving : a->asked, place, text);
}

static int ask_step(ctcd_op *op) {
    struct ask *a = (struct ask *)op;
    if (op->stop)
        return op_fail_stopped(op);
    if (!a->call) {
        int rc = begin(a);
        if (rc)
            return rc;
    }
    if (!call_ended(a->call)) {
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    int rc = call_result(a->call, OP_ERR(op));
    if (rc == CTCD_E_UNREACHABLE)
        error_hint(OP_ERR(op), "see how the service is: ctcd served-models describe %.8s", a->uuid);
    if (!rc && a->answer.too_large) /* the method went on all the same */
        rc = error_set(OP_ERR(op), CTCD_E_TOO_LARGE, NULL, "the answer is larger than %zu MiB",
                       TEXT_MAX_BYTES >> 20);
    if (rc)
        return rc;
    text_of_bytes(&a->answer.buf);
    char *text = buf_steal(&a->answer.buf);
    if (text && a->method == CALL_LOGS_SINCE) {
        char *both = with_cursor(a, text);
        mem_free(text);
        text = both;
    }
    if (!text)
        return error_nomem(OP_ERR(op));
    op_set_result(op, OP_TEXT, text);
    return 0;
}

static void ask_done(ctcd_op *op) {
    struct ask *a = (struct ask *)op;
    call_drop(&a->call);
    object_done(&a->service);
    revision_done(&a->revision);
    buf_done(&a->answer.buf);
    buf_done(&a->place.buf);
    mem_free(a->body);
    mem_free(a->cursor);
    a->body = a->cursor = NULL;
}

static const struct op_kind PREDICT = {.name = "predict", .step = ask_step, .done = ask_done};
static const struct op_kind LOGS = {.name = "logs", .step = ask_step, .done = ask_done};

static int make(ctcd_context *ctx, const struct op_kind *kind, enum call_method method,
                const char *uuid, int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    struct store *store = NULL;
    ctcd_op *op = NULL;
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = op_new(ctx, kind, sizeof(struct ask), timeout_ms, &op, err);
    if (rc)
        return rc;
    struct ask *a = (struct ask *)op;
    snprintf(a->uuid, sizeof(a->uuid), "%s", uuid);
    a->method = method;
    *ret = op;
    return 0;
}

int predict_new(ctcd_context *ctx, const char *uuid, const char *input, bool csv,
                int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    char *body = mem_copy_text(input);
    if (!body)
        return error_nomem(err);
    int rc = make(ctx, &PREDICT, CALL_PREDICT, uuid, timeout_ms, ret, err);
    if (rc) {
        mem_free(body);
        return rc;
    }
    struct ask *a = (struct ask *)*ret;
    a->body = body;
    a->csv = csv;
    return 0;
}

int logs_new(ctcd_context *ctx, const char *uuid, int64_t lines, int64_t timeout_ms, ctcd_op **ret,
             ctcd_error **err) {
    int rc = make(ctx, &LOGS, CALL_LOGS, uuid, timeout_ms, ret, err);
    if (!rc)
        ((struct ask *)*ret)->lines = lines;
    return rc;
}

int logs_since_new(ctcd_context *ctx, const char *uuid, const char *cursor, int64_t lines,
                   int64_t timeout_ms, ctcd_op **ret, ctcd_error **err) {
    char *copy = mem_copy_text(cursor); /* NULL stays NULL */
    if (cursor && !copy)
        return error_nomem(err);
    int rc = make(ctx, &LOGS, CALL_LOGS_SINCE, uuid, timeout_ms, ret, err);
    if (rc) {
        mem_free(copy);
        return rc;
    }
    ((struct ask *)*ret)->cursor = copy;
    ((struct ask *)*ret)->lines = lines;
    return 0;
}
