/* One revision goes up (deploy.h): apply, observe until ready, try the smoke request, stay ready. What
   fails here leaves the server as it is: whoever asked takes it down. */
#include <stdio.h>
#include <string.h>

#include "engine/deploy.h"
#include "io/file.h"

#define LOOK_FIRST_MS 20 /* between looks while it comes up: grows by half up to ... */
#define LOOK_MOST_MS 250
#define LOOK_DEADLINE_MS 5000 /* one look */

enum phase { APPLY, LOOK, PAUSE, SMOKE, READY_PAUSE };

struct bring_up {
    ctcd_op op;
    struct backend *backend;
    char *service, *model, *smoke, *smoke_hint;
    int64_t number, min_ready_ms;

    enum phase phase;
    struct ctcd_revision revision;
    struct ctcd_observation seen;
    struct ctcd_text answer;
    ctcd_call *call;
    int64_t begun, next, pause, ready_since; /* monotonic; ready_since 0 = not ready */
    bool smoked;
};

static int64_t sooner(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int call(struct bring_up *b, enum call_method method, int64_t most_ms) {
    int64_t now = context_mono(b->op.ctx), left = op_left(&b->op);
    struct call_args args = {
        .revision = &b->revision, .observation = &b->seen, .text = &b->answer, .body = b->smoke};
    observation_done(&b->seen);
    return call_start(&b->op, b->backend, method, &args, now + sooner(left, most_ms), &b->call);
}

/* The call's end; CTCD_AGAIN while it runs. */
static int finish(struct bring_up *b) {
    if (!call_ended(b->call)) {
        op_wait_child(&b->op);
        return CTCD_AGAIN;
    }
    int rc = call_result(b->call, OP_ERR(&b->op));
    call_drop(&b->call);
    return rc;
}

static int load(struct bring_up *b) {
    ctcd_context *ctx = b->op.ctx;
    ctcd_error **err = OP_ERR(&b->op);
    _cleanup_(store_revision_done) struct store_revision record = {0};
    int64_t generation = 0;
    int rc = store_revision_next_generation(ctx->store, b->service, b->number, &generation, err);
    if (!rc)
        rc = store_revision_get(ctx->store, b->service, b->number, &record, err);
    if (!rc)
        rc = revision_load(ctx, b->backend, &record, b->model, &b->revision, err);
    if (!rc)
        rc = file_make_folders(b->revision.folder, err);
    b->revision.wanted = true;
    return rc;
}

/* "the new revision of digits did not become ready: its server ended with exit status 1 after 2.4 s" */
static int not_ready(struct bring_up *b) {
    ctcd_error **err = OP_ERR(&b->op);
    double seconds = (double)(context_mono(b->op.ctx) - b->begun) / 1000.0;
    const char *cause = b->seen.cause     ? b->seen.cause
                        : b->seen.message ? b->seen.message
                                          : "its back end says that it failed";
    int rc = error_set(err, CTCD_E_FAILED, b->seen.hint,
                       "revision %lld of %s did not become ready after %.1f s: %s",
                       (long long)b->number, b->model, seconds, cause);
    if (b->seen.log_tail && b->seen.log_tail[0])
        error_set_details(err, b->seen.log_tail);
    return rc;
}

static int timed_out(struct bring_up *b) {
    if (b->op.stop != CTCD_E_TIMEOUT || b->op.err)
        return op_fail_stopped(&b->op);
    ctcd_error **err = OP_ERR(&b->op);
    const char *seen = b->seen.message, *detail = b->op.detail[0] ? b->op.detail : NULL;
    error_set(err, CTCD_E_TIMEOUT, "give it more time (--timeout), or look at its log",
              "revision %lld of %s was not ready in time: %s%s%s%s", (long long)b->number, b->model,
              seen     ? seen
              : detail ? detail
                       : "no answer yet",
              seen && detail ? " (" : "", seen && detail ? detail : "", seen && detail ? ")" : "");
    if (b->seen.log_tail && b->seen.log_tail[0])
        error_set_details(err, b->seen.log_tail);
    return CTCD_E_TIMEOUT;
}

static void look_again_later(struct bring_up *b, enum phase phase) {
    b->phase = phase;
    b->pause = b->pause ? b->pause + b->pause / 2 : LOOK_FIRST_MS;
    if (b->pause > LOOK_MOST_MS)
        b->pause = LOOK_MOST_MS;
    b->next = context_mono(b->op.ctx) + b->pause;
}

/* What the look says: 0 = ready for long enough; CTCD_AGAIN = another phase was chosen. */
static int judge(struct bring_up *b) {
    int64_t now = context_mono(b->op.ctx);
    if (b->seen.final || b->seen.state == CTCD_STATE_ERROR || b->seen.state == CTCD_STATE_INACTIVE)
        return not_ready(b);
    if (b->seen.state != CTCD_STATE_ACTIVE) {
        b->ready_since = 0;
        look_again_later(b, PAUSE);
        return CTCD_AGAIN;
    }
    if (!b->ready_since) {
        b->ready_since = now;
        op_progress(&b->op, "revision %lld is ready after %.1f s", (long long)b->number,
                    (double)(now - b->begun) / 1000.0);
    }
    if (b->smoke && !b->smoked) {
        b->phase = SMOKE;
        return CTCD_AGAIN;
    }
    if (now - b->ready_since >= b->min_ready_ms)
        return 0;
    b->pause = LOOK_MOST_MS / 2;
    look_again_later(b, READY_PAUSE);
    b->next = sooner(b->next, b->ready_since + b->min_ready_ms);
    return CTCD_AGAIN;
}

static int step_apply(struct bring_up *b) {
    if (!b->call) {
        b->begun = context_mono(b->op.ctx);
        op_progress(&b->op, "starting revision %lld of %s", (long long)b->number, b->model);
        int rc = load(b);
        if (!rc)
            rc = call(b, CALL_APPLY, INT64_MAX / 4);
        if (rc)
            return rc;
    }
    int rc = finish(b);
    if (rc)
        return rc;
    op_progress(&b->op, "waiting for revision %lld of %s to become ready", (long long)b->number,
                b->model);
    b->phase = LOOK;
    return 0;
}

static int step_look(struct bring_up *b) {
    int rc = b->call ? 0 : call(b, CALL_OBSERVE, LOOK_DEADLINE_MS);
    if (!rc)
        rc = finish(b);
    if (rc == CTCD_E_TIMEOUT ||
        rc == CTCD_E_UNREACHABLE) { /* one look that saw nothing decides nothing */
        error_done(OP_ERR(&b->op));
        b->ready_since = 0; /* nor was it ready all the while */
        look_again_later(b, PAUSE);
        return 0;
    }
    return rc;
}

static int step_smoke(struct bring_up *b) {
    int rc = b->call ? 0 : call(b, CALL_PREDICT, LOOK_DEADLINE_MS * 6);
    if (!rc)
        rc = finish(b);
    if (rc == CTCD_AGAIN)
        return rc;
    if (rc == CTCD_E_NOMEM)
        return rc;
    if (rc) {
        error_prefix(OP_ERR(&b->op), "revision %lld of %s failed the smoke request",
                     (long long)b->number, b->model);
        char *message = mem_copy_text(error_message(b->op.err));
        const char *hint = error_hint_text(b->op.err);
        rc = message ? error_set(OP_ERR(&b->op), CTCD_E_FAILED, hint ? hint : b->smoke_hint, "%s",
                                 message)
                     : error_nomem(OP_ERR(&b->op));
        mem_free(message);
        return rc;
    }
    b->smoked = true;
    b->phase = LOOK;
    return 0;
}

static int bring_up_step(ctcd_op *op) {
    struct bring_up *b = (struct bring_up *)op;
    if (op->stop) {
        call_drop(&b->call);
        return timed_out(b);
    }
    for (;;) {
        int rc = 0;
        switch (b->phase) {
        case APPLY:
            rc = step_apply(b);
            break;
        case LOOK:
            rc = step_look(b);
            if (!rc && b->phase == LOOK) {
                rc = judge(b);
                if (!rc)
                    return 0;
                rc = rc == CTCD_AGAIN ? 0 : rc;
            }
            break;
        case SMOKE:
            rc = step_smoke(b);
            break;
        case PAUSE:
        case READY_PAUSE:
            if (context_mono(op->ctx) < b->next) {
                op_wait_until(op, b->next);
                return CTCD_AGAIN;
            }
            b->phase = LOOK;
            break;
        }
        if (rc)
            return rc;
    }
}

static void bring_up_done(ctcd_op *op) {
    struct bring_up *b = (struct bring_up *)op;
    call_drop(&b->call);
    revision_done(&b->revision);
    observation_done(&b->seen);
    buf_done(&b->answer.buf);
    mem_free(b->service);
    mem_free(b->model);
    mem_free(b->smoke);
    mem_free(b->smoke_hint);
    b->service = b->model = b->smoke = b->smoke_hint = NULL;
}

static const struct op_kind BRING_UP = {
    .name = "start of a revision", .step = bring_up_step, .done = bring_up_done};

int bring_up_start(ctcd_op *parent, const struct bring_up_args *args, ctcd_op **ret) {
    ctcd_op *op = NULL;
    int rc = op_new(parent->ctx, &BRING_UP, sizeof(struct bring_up), op_left(parent), &op,
                    OP_ERR(parent));
    if (rc)
        return rc;
    struct bring_up *b = (struct bring_up *)op;
    b->backend = args->backend;
    b->number = args->number;
    b->min_ready_ms = args->min_ready_ms;
    b->service = mem_copy_text(args->service);
    b->model = mem_copy_text(args->model);
    b->smoke = args->smoke ? mem_copy_text(args->smoke) : NULL;
    b->smoke_hint = args->smoke_hint ? mem_copy_text(args->smoke_hint) : NULL;
    if (!b->service || !b->model || (args->smoke && !b->smoke) ||
        (args->smoke_hint && !b->smoke_hint)) {
        op_unref(op);
        return error_nomem(OP_ERR(parent));
    }
    op_start(op, parent);
    *ret = op;
    return 0;
}
