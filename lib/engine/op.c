/* See op.h. Entering a step, waits, the end; what users and parents see of it. */
#include "engine/op.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/object.h"
#include "engine/service.h"

static void op_enter(struct loop_task *task);
static void op_timer(struct loop_timer *timer);
static void op_ready(struct loop_watch *watch, uint32_t events);
static void op_announce(struct loop_task *task);
static void op_release(struct loop_task *task);

int op_new(ctcd_context *ctx, const struct op_kind *kind, size_t size, int64_t budget_ms,
           ctcd_op **ret, ctcd_error **err) {
    ctcd_op *op = mem_alloc(size);
    if (!op)
        return error_nomem(err);
    atomic_init(&op->refs, 1);
    atomic_init(&op->users, 0);
    atomic_init(&op->asked, 0);
    atomic_init(&op->ended, false);
    op->ctx = ctx;
    op->kind = kind;
    op->wait_until = INT64_MAX;
    op->undo_deadline = INT64_MAX;
    op->deadline = INT64_MAX;
    if (budget_ms > 0 && budget_ms < INT64_MAX / 2)
        op->deadline = context_mono(ctx) + budget_ms;
    op->task.run = op_enter;
    op->task.outer = kind->outer;
    op->timer.expired = op_timer;
    op->watch.ready = op_ready;
    op->announce.run = op_announce;
    op->announce.outer = true;
    op->release.run = op_release;
    list_init(&op->node);
    int rc = loop_timer_add(ctx->loop, &op->timer, err);
    if (rc) {
        mem_free(op);
        return rc;
    }
    list_append(&ctx->ops, &op->node);
    *ret = op;
    return 0;
}

void op_start(ctcd_op *op, ctcd_op *parent) {
    op->parent = parent;
    op->started = true;
    op_ref(op);
    loop_timer_set(&op->timer, op->deadline);
    op_wake(op);
}

ctcd_op *op_ref(ctcd_op *op) {
    atomic_fetch_add_explicit(&op->refs, 1, memory_order_relaxed);
    return op;
}

static void value_free(enum op_result kind, void *value) {
    if (kind == OP_TEXT)
        mem_free(value);
    else if (value)
        object_unref(value);
}

static void result_free(ctcd_op *op) {
    value_free(op->result_kind, op->result);
    op->result = NULL;
    op->result_kind = OP_NOTHING;
}

/* Only on the context's thread: it takes the op out of the loop and out of the context's list. */
ctcd_op *op_unref(ctcd_op *op) {
    if (!op || atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    if (!op->ended && op->kind->done)
        op->kind->done(op); /* made, and never started */
    struct loop *loop = op->ctx->loop;
    loop_unpost(loop, &op->task);
    loop_unpost(loop, &op->announce);
    loop_unpost(loop, &op->release);
    loop_timer_remove(&op->timer);
    loop_watch_remove(&op->watch);
    list_remove(&op->node);
    context_give_back(op->ctx, op->done_destroy, op->done_data);
    context_give_back(op->ctx, op->progress_destroy, op->progress_data);
    result_free(op);
    error_unref(op->err);
    mem_free(op);
    return NULL;
}

void op_drop(ctcd_op **child) {
    ctcd_op *op = *child;
    *child = NULL;
    if (!op)
        return;
    op->parent = NULL;
    if (op->started)
        op_stop(op, CTCD_E_CANCELED);
    op_unref(op);
}

/* ---- users ---- */

ctcd_op *op_publish(ctcd_op *op) {
    context_ref(op->ctx);
    atomic_store(&op->users, 1);
    return op;
}

void op_user_ref(ctcd_op *op) {
    if (atomic_fetch_add_explicit(&op->users, 1, memory_order_relaxed) != 0)
        return;
    op_ref(op);
    context_ref(op->ctx);
}

static void drop_let_go(ctcd_op *op) {
    (void)pthread_mutex_lock(&op->ctx->results);
    unsigned count = op->let_go;
    op->let_go = 0;
    (void)pthread_mutex_unlock(&op->ctx->results);
    while (count-- > 0)
        op_unref(op);
}

static void op_release(struct loop_task *task) {
    drop_let_go(list_of(task, ctcd_op, release));
}

/* Under the lock: once it is counted, the op may be gone. */
static void let_go_later(ctcd_op *op) {
    (void)pthread_mutex_lock(&op->ctx->results);
    op->let_go++;
    loop_post(op->ctx->loop, &op->release);
    (void)pthread_mutex_unlock(&op->ctx->results);
}

/* What nobody will take any more is given out. A result that a user has got holds the context, which nobody
   need ever dispatch again; one that nobody has got stays for the done callback. */
static void *unwanted_result(ctcd_op *op, enum op_result *ret_kind) {
    void *value = NULL;
    (void)pthread_mutex_lock(&op->ctx->results);
    bool text = op->result_kind == OP_TEXT;
    if (op->ended && op->result &&
        (!op->announcing || (!text && !((struct object *)op->result)->weak))) {
        value = op->result;
        *ret_kind = op->result_kind;
        op->result = NULL;
        op->result_kind = OP_NOTHING;
    }
    (void)pthread_mutex_unlock(&op->ctx->results);
    return value;
}

/* The op may be on its way through the loop on the context's thread, so the last user only asks there. */
void op_user_unref(ctcd_op *op, bool outside) {
    ctcd_context *ctx = op->ctx;
    enum op_result kind = OP_NOTHING;
    if (atomic_fetch_sub_explicit(&op->users, 1, memory_order_acq_rel) != 1)
        return;
    void *value = unwanted_result(op, &kind);
    if (outside)
        op_unref(op);
    else
        let_go_later(op);
    value_free(kind, value);
    context_unref(ctx);
}

void ops_free(ctcd_context *ctx) {
    while (!list_empty(&ctx->ops)) {
        ctcd_op *op = list_of(ctx->ops.next, ctcd_op, node);
        op_ref(op);
        op->parent = NULL;
        op_end(op, CTCD_E_CANCELED);
        loop_unpost(ctx->loop, &op->release);
        drop_let_go(op);
        if (loop_posted(ctx->loop, &op->announce)) {
            loop_unpost(ctx->loop, &op->announce);
            op_unref(op);
        }
        list_remove(&op->node);
        op_unref(op);
    }
}

/* ---- the step ---- */

static void clear_waits(ctcd_op *op) {
    loop_watch_remove(&op->watch);
    op->named = false;
    op->wait_until = INT64_MAX;
}

static void arm(ctcd_op *op) {
    int64_t end = op->stop ? op->undo_deadline : op->deadline;
    loop_timer_set(&op->timer, op->wait_until < end && !op->late ? op->wait_until : end);
}

/* A host that comes late finds an instant and the deadline behind it both over: what was due first is seen
   to first, once. */
static bool looks_once_more(ctcd_op *op, int64_t end) {
    if (op->late || op->wait_until >= end)
        return false;
    op->late = true;
    loop_timer_set(&op->timer, end);
    op_wake(op);
    return true;
}

static void op_enter(struct loop_task *task) {
    ctcd_op *op = list_of(task, ctcd_op, task);
    if (op->ended)
        return;
    if (op->stepping) { /* a nested wait inside the step drives the loop, too */
        op->again = true;
        return;
    }
    int asked = atomic_exchange(&op->asked, 0);
    if (asked)
        op_stop(op, asked);
    op_ref(op);
    clear_waits(op);
    op->stepping = true;
    bool outer = op->ctx->stepping;
    op->ctx->stepping = true;
    int rc = op->kind->step(op);
    op->ctx->stepping = outer;
    op->stepping = false;
    if (op->ended) {
        op_unref(op);
        return;
    }
    if (rc != CTCD_AGAIN) {
        op_end(op, rc);
    } else if (op->again) {
        op->again = false;
        op_wake(op);
        arm(op);
    } else if (!op->named) {
        op_end(op,
               error_set(OP_ERR(op), CTCD_E_PLUGIN, NULL, "%s waits for nothing", op->kind->name));
    } else {
        arm(op);
    }
    op_unref(op);
}

static void op_timer(struct loop_timer *timer) {
    ctcd_op *op = list_of(timer, ctcd_op, timer);
    int64_t now = context_mono(op->ctx);
    int64_t end = op->stop ? op->undo_deadline : op->deadline;
    if (now < end) {
        op_wake(op);
    } else if (looks_once_more(op, end)) {
        return;
    } else if (op->stop) {
        op_fail_stopped(op);
        op_end(op, op->stop);
    } else {
        op_stop(op, CTCD_E_TIMEOUT);
    }
}

static void op_ready(struct loop_watch *watch, uint32_t events) {
    (void)events;
    op_wake(list_of(watch, ctcd_op, watch));
}

void op_wait_until(ctcd_op *op, int64_t mono_ms) {
    op->named = true;
    if (mono_ms < op->wait_until)
        op->wait_until = mono_ms;
}

int op_wait_fd(ctcd_op *op, int fd, uint32_t events) {
    int rc = loop_watch_add(op->ctx->loop, &op->watch, fd, events, 0, OP_ERR(op));
    if (!rc)
        op->named = true;
    return rc;
}

void op_wait_child(ctcd_op *op) {
    op->named = true;
}

void op_wake(ctcd_op *op) {
    if (op->started && !op->ended)
        loop_post(op->ctx->loop, &op->task);
}

void op_stop(ctcd_op *op, int why) {
    if (op->ended || op->stop)
        return;
    op->stop = why;
    op->late = false;
    op->undo_deadline = context_mono(op->ctx) + OP_UNDO_MS;
    loop_timer_set(&op->timer, op->undo_deadline);
    op_wake(op);
}

/* ---- the end ---- */

void op_end(ctcd_op *op, int rc) {
    if (op->ended)
        return;
    if (rc == CTCD_E_NOMEM && !op->err)
        error_set(OP_ERR(op), rc, NULL, "%s ran out of memory", op->kind->name);
    if (rc < 0 && !op->err)
        error_set(OP_ERR(op), rc, NULL, "%s did not succeed (%s)", op->kind->name,
                  error_code_name(rc));
    if (rc >= 0) {
        error_done(&op->err);
    }
    op->rc = rc;
    op->ended = true;
    clear_waits(op);
    loop_unpost(op->ctx->loop, &op->task);
    loop_timer_set(&op->timer, INT64_MAX);
    if (op->kind->done)
        op->kind->done(op);
    if (op->parent)
        op_wake(op->parent);
    op->parent = NULL;
    if (op->done_fn && !op->ctx->closing)
        op_announce_end(op);
    loop_wakeup(op->ctx->loop);
    if (op->started)
        op_unref(op);
}

static void count_announcing(ctcd_op *op, int by) {
    if (loop_forked(
            op->ctx->loop)) /* a callback came back in a child: who has the lock is not there */
        return;
    (void)pthread_mutex_lock(&op->ctx->results);
    op->announcing += (unsigned)by;
    (void)pthread_mutex_unlock(&op->ctx->results);
}

void op_announce_end(ctcd_op *op) {
    op_ref(op);
    count_announcing(op, 1);
    loop_post(op->ctx->loop, &op->announce);
}

static void op_announce(struct loop_task *task) {
    ctcd_op *op = list_of(task, ctcd_op, announce);
    ctcd_op_done_fn done = op->done_fn;
    ctcd_destroy_fn destroy = op->done_destroy;
    void *data = op->done_data;
    op->done_fn = NULL; /* the callback may set another */
    op->done_destroy = NULL;
    if (done) {
        op->ctx->callbacks++;
        done(data, op);
        op->ctx->callbacks--;
    }
    context_give_back(op->ctx, destroy, data);
    count_announcing(op, -1);
    op_unref(op);
}

int op_fail_stopped(ctcd_op *op) {
    if (op->err)
        return op->stop;
    const char *what = op->stop == CTCD_E_TIMEOUT       ? "time was up"
                       : op->stop == CTCD_E_INTERRUPTED ? "interrupted"
                                                        : "cancelled";
    const char *doing = op->doing[0] ? op->doing : op->detail[0] ? op->detail : "working";
    bool closer = op->doing[0] && op->detail[0];
    error_set(OP_ERR(op), op->stop, NULL, "%s: %s while %s%s%s%s", op->kind->name, what, doing,
              closer ? " (" : "", closer ? op->detail : "", closer ? ")" : "");
    return op->stop;
}

int op_outcome(const ctcd_op *op, ctcd_error **err) {
    if (!op->ended)
        return CTCD_AGAIN;
    if (op->rc < 0 && err) {
        error_done(err);
        *err = error_ref(op->err);
    }
    return op->rc;
}

int64_t op_left(const ctcd_op *op) {
    int64_t end = op->stop ? op->undo_deadline : op->deadline;
    if (end == INT64_MAX)
        return INT64_MAX;
    int64_t left = end - context_mono(op->ctx);
    return left > 0 ? left : 0;
}

/* ---- progress and results ---- */

void op_progress(ctcd_op *op, const char *fmt, ...) {
    char line[sizeof(op->doing)];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    text_make_line(line); /* it may have been cut */
    for (ctcd_op *o = op; o; o = o->parent) {
        memcpy(o->doing, line, sizeof(line));
        o->detail[0] = '\0';
        if (!o->progress_fn || loop_depth(o->ctx->loop) > 1)
            continue;
        o->ctx->callbacks++;
        o->progress_fn(o->progress_data, o, line);
        o->ctx->callbacks--;
    }
    context_log(op->ctx, CTCD_LOG_INFO, "%s: %s", op->kind->name, line);
}

void op_detail(ctcd_op *op, const char *detail) {
    char line[sizeof(op->detail)];
    snprintf(line, sizeof(line), "%s", detail);
    text_make_line(line); /* it may have been cut */
    for (ctcd_op *o = op; o; o = o->parent)
        memcpy(o->detail, line, sizeof(line));
}

void op_set_result(ctcd_op *op, enum op_result kind, void *value) {
    result_free(op);
    op->result_kind = kind;
    op->result = value;
}

void *op_steal_result(ctcd_op *op, enum op_result kind) {
    if (op->result_kind != kind)
        return NULL;
    void *value = op->result;
    op->result = NULL;
    op->result_kind = OP_NOTHING;
    return value;
}

/* From now on the result holds its context. */
static void adopt(enum op_result kind, void *result) {
    if (kind == OP_TEXT || !result)
        return;
    object_adopt(result);
    for (size_t i = 0; kind == OP_LIST && i < object_list_count(result); i++) {
        ctcd_status *status = object_list_at(result, &STATUS_KIND, i);
        object_adopt(status);
        object_adopt(status ? status->service : NULL);
    }
}

void *op_hand_out(ctcd_op *op, enum op_result kind) {
    void *result = op_steal_result(op, kind);
    adopt(kind, result);
    return result;
}

int op_share_result(ctcd_op *op, enum op_result kind, void **ret, ctcd_error **err) {
    int rc = 0;
    (void)pthread_mutex_lock(&op->ctx->results);
    void *held = op->ended && op->result_kind == kind ? op->result : NULL;
    void *value = !held ? NULL : kind == OP_TEXT ? mem_copy_text(held) : object_ref(held);
    if (held && !value)
        rc = error_nomem(err);
    adopt(kind, value);
    (void)pthread_mutex_unlock(&op->ctx->results);
    *ret = value;
    return rc;
}

bool ops_running(const ctcd_context *ctx) {
    for (struct list *n = ctx->ops.next; n != &ctx->ops; n = n->next)
        if (!list_of(n, ctcd_op, node)->ended)
            return true;
    return false;
}

/* ---- waiting ---- */

#define HOPS 64 /* dispatches that an answer which has arrived may take after the time was up */

static int wait_timed_out(ctcd_op *op, ctcd_error **err) {
    return error_set(err, CTCD_E_TIMEOUT, NULL, "%s: not finished in time while %s", op->kind->name,
                     op->doing[0] ? op->doing : "working");
}

static int wait_end(ctcd_op *op, int64_t until, ctcd_error **err) {
    struct loop *loop = op->ctx->loop;
    for (int hops = HOPS; !op->ended;) {
        bool late = until != INT64_MAX && loop_now(loop) >= until;
        if (late && hops-- == 0) /* others keep the loop busy */
            return wait_timed_out(op, err);
        int rc = loop_wait(loop, until);
        if (rc == CTCD_E_INTERRUPTED)
            op_stop(op, CTCD_E_INTERRUPTED);
        else if (rc < 0)
            return error_set(err, rc, NULL, "the event loop failed (%s)", error_code_name(rc));
        else if (rc == CTCD_AGAIN && until != INT64_MAX && loop_now(loop) >= until)
            return wait_timed_out(op, err);
    }
    return op_outcome(op, err);
}

int op_wait(ctcd_op *op, int64_t timeout_ms, ctcd_error **err) {
    bool never = op->kind->outer && loop_depth(op->ctx->loop) > 0; /* not from a nested wait */
    if (op->waited || op->stepping || op->ctx->callbacks || (never && !op->ended))
        return error_set(err, CTCD_E_REENTRANT, "wait outside of the callback, or poll",
                         "%s cannot be waited for from here: it is waited for further up",
                         op->kind->name);
    int64_t until = INT64_MAX;
    if (timeout_ms >= 0 && __builtin_add_overflow(loop_now(op->ctx->loop), timeout_ms, &until))
        until = INT64_MAX;
    op_ref(op);
    op->waited = true;
    int rc = wait_end(op, until, err);
    op->waited = false;
    op_unref(op);
    return rc;
}
