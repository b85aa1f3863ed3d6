/* See call.h. One method in flight: opening its back end, entering the method, its waits, its end. */
#include "engine/call_state.h"

#include <string.h>

static const char *const METHOD_NAMES[] = {
    "open", "validate", "apply",    "observe", "remove",
    "logs", "predict",  "announce", "examine", "following of logs"};

/* ---- the end ---- */

static struct loop *loop_of(const ctcd_call *call) {
    return call->backend->ctx->loop;
}

static void scratch_done(ctcd_call *call) {
    if (call->scratch && call->scratch_destroy) {
        call->backend->ctx->shut++;
        call->scratch_destroy(call->scratch);
        call->backend->ctx->shut--;
    }
    mem_free(call->scratch);
    call->scratch = NULL;
    call->scratch_destroy = NULL;
}

static void clear_waits(ctcd_call *call) {
    for (size_t i = 0; i < call->fd_count; i++)
        loop_watch_remove(&call->fds[i].watch);
    call->fd_count = 0;
    call->named = false;
    call->until = INT64_MAX;
}

/* Others that waited for the opening look again: one of them opens if this one did not get there. What
   a failed opening left watched would call back into memory that is gone. */
static void opening_over(ctcd_call *call) {
    struct backend *backend = call->backend;
    while (!backend->opened && !list_empty(&backend->watches))
        ctcd_watch_end(watch_of_node(backend->watches.next));
    call->opens = false;
    backend->opening = false;
    for (struct list *n = backend->calls.next; n != &backend->calls; n = n->next) {
        ctcd_call *other = list_of(n, ctcd_call, node);
        if (other->waits_opening)
            loop_post(loop_of(other), &other->task);
    }
}

static void call_end(ctcd_call *call, int rc) {
    if (atomic_load(&call->ended))
        return;
    if (rc == CTCD_E_NOMEM && !call->err)
        error_set(&call->err, rc, NULL, "%s: %s ran out of memory", call->backend->component,
                  METHOD_NAMES[call->method]);
    if (rc < 0 && !call->err)
        error_set(&call->err, rc, NULL, "%s: %s did not succeed (%s)", call->backend->component,
                  METHOD_NAMES[call->method], error_code_name(rc));
    call->rc = rc;
    (void)pthread_mutex_lock(&call->lock);
    atomic_store(&call->ended, true);
    (void)pthread_mutex_unlock(&call->lock);
    clear_waits(call);
    loop_unpost(loop_of(call), &call->task);
    loop_timer_remove(&call->timer);
    list_remove(&call->node);
    scratch_done(call);
    if (call->opens)
        opening_over(call);
    ctcd_op *parent = call->parent;
    call->parent = NULL;
    if (parent && call->doing[0] && rc != CTCD_E_TIMEOUT)
        op_detail(parent, "");
    if (parent)
        op_wake(parent);
    ctcd_call_unref(call);
}

static void call_timer(struct loop_timer *timer) {
    ctcd_call *call = list_of(timer, ctcd_call, timer);
    bool before =
        call->until < call->deadline && !call->late; /* which a late host has missed, too */
    if (before || loop_now(loop_of(call)) < call->deadline) {
        call->late = loop_now(loop_of(call)) >= call->deadline;
        loop_timer_set(&call->timer, call->deadline);
        loop_post(loop_of(call), &call->task);
        return;
    }
    error_set(&call->err, CTCD_E_TIMEOUT, NULL, "%s: %s did not end in time%s%s",
              call->backend->component, METHOD_NAMES[call->opens ? 0 : call->method],
              call->doing[0] ? " while " : "", call->doing);
    call_end(call, CTCD_E_TIMEOUT);
}

/* ---- entering ---- */

static int enter_method(ctcd_call *call) {
    const ctcd_model_deployer_vtable *t = &call->backend->flavor->table;
    struct call_args *a = &call->args;
    void *impl = call->backend->impl;
    switch (call->method) {
    case CALL_VALIDATE:
        return t->validate(impl, call, a->revision);
    case CALL_APPLY:
        return t->apply(impl, call, a->revision);
    case CALL_OBSERVE:
        return t->observe(impl, call, a->revision, a->observation);
    case CALL_REMOVE:
        return t->remove(impl, call, a->revision, a->flags);
    case CALL_LOGS:
        return t->logs(impl, call, a->revision, a->lines, a->text);
    case CALL_PREDICT:
        return t->predict(impl, call, a->revision, call->body, a->text);
    case CALL_ANNOUNCE:
        return t->announce(impl, call, a->revision);
    case CALL_EXAMINE:
        return t->examine(impl, call);
    case CALL_LOGS_SINCE:
        return t->logs_since(impl, call, a->revision, a->cursor, a->lines, a->flags, a->text,
                             a->place);
    }
    return CTCD_E_PLUGIN;
}

/* The method said one code and returned another: what it returned counts. */
static int say_code(ctcd_call *call, int rc) {
    ctcd_error *said = NULL;
    error_set(&said, rc, error_hint_text(call->err), "%s", error_message(call->err));
    if (error_details(call->err))
        error_set_details(&said, error_details(call->err));
    error_set_http(said, error_http_status(call->err));
    if (error_retryable(call->err))
        error_set_retryable(said);
    error_done(&call->err);
    call->err = said;
    return rc;
}

static int enter(ctcd_call *call) {
    struct backend *backend = call->backend;
    ctcd_context *ctx = backend->ctx;
    ctx->shut++;
    call->inside = true;
    int rc = call->opens ? backend->flavor->table.open(call, backend->options,
                                                       backend->flavor->user_data, &backend->impl)
                         : enter_method(call);
    call->inside = false;
    ctx->shut--;
    if (loop_forked(ctx->loop)) /* it came back in a child: nothing of this is the child's */
        return CTCD_AGAIN;
    struct ctcd_revision *revision = call->opens ? NULL : call->args.revision;
    if (revision && revision->changed && revision->commit) {
        ctcd_error *err = NULL;
        int committed = revision->commit(revision, revision->commit_data, &err);
        if (committed) {
            error_done(&call->err);
            call->err = err;
            return committed;
        }
        revision->changed = false;
    }
    if (rc > CTCD_AGAIN || rc < CTCD_E_PROTOCOL)
        return error_set(&call->err, CTCD_E_PLUGIN, NULL,
                         "the back end %s broke its contract: %s returned %d",
                         backend->flavor->name, METHOD_NAMES[call->opens ? 0 : call->method], rc);
    if (rc == CTCD_AGAIN && !call->named && !loop_posted(ctx->loop, &call->task))
        return error_set(
            &call->err, CTCD_E_PLUGIN, NULL,
            "the back end %s broke its contract: %s waits and names nothing that it waits for",
            backend->flavor->name, METHOD_NAMES[call->opens ? 0 : call->method]);
    if (rc < 0 && call->err && error_code(call->err) != rc)
        return say_code(call, rc);
    return rc;
}

static void arm(ctcd_call *call) {
    bool first = call->until < call->deadline && !call->late;
    loop_timer_set(&call->timer, first ? call->until : call->deadline);
}

/* Is the back end open? 0 yes; CTCD_AGAIN: somebody else is opening it; else this call opens it now. */
static bool must_open(ctcd_call *call) {
    struct backend *backend = call->backend;
    call->waits_opening = !backend->opened && backend->opening && !call->opens;
    if (backend->opened || call->waits_opening)
        return false;
    backend->opening = call->opens = true;
    return true;
}

static void call_enter(struct loop_task *task) {
    ctcd_call *call = list_of(task, ctcd_call, task);
    if (atomic_load(&call->ended) || call->inside)
        return;
    ctcd_call_ref(call);
    clear_waits(call);
    bool opening = must_open(call);
    if (call->waits_opening) {
        arm(call);
        ctcd_call_unref(call);
        return;
    }
    int rc = enter(call);
    if (rc == 0 && opening) {
        call->backend->opened = true;
        scratch_done(call);
        opening_over(call);
        clear_waits(call);
        rc = enter(call);
    }
    if (rc == CTCD_AGAIN)
        arm(call);
    else
        call_end(call, rc);
    ctcd_call_unref(call);
}

int call_supported(const struct backend *backend, enum call_method method, ctcd_error **err) {
    const ctcd_model_deployer_vtable *t = &backend->flavor->table;
    if ((method == CALL_LOGS && !t->logs) || (method == CALL_PREDICT && !t->predict) ||
        (method == CALL_ANNOUNCE && !t->announce) || (method == CALL_EXAMINE && !t->examine) ||
        (method == CALL_LOGS_SINCE && !t->logs_since))
        return error_set(err, CTCD_E_NOT_SUPPORTED, NULL, "the back end %s has no %s",
                         backend->flavor->name, METHOD_NAMES[method]);
    return 0;
}

int call_start(ctcd_op *parent, struct backend *backend, enum call_method method,
               const struct call_args *args, int64_t deadline, ctcd_call **ret) {
    ctcd_error **err = OP_ERR(parent);
    int rc = call_supported(backend, method, err);
    if (rc)
        return rc;
    ctcd_call *call = mem_alloc(sizeof(*call));
    if (!call)
        return error_nomem(err);
    atomic_init(&call->refs, 2); /* the parent's, and one while it runs */
    atomic_init(&call->ended, false);
    call->fork_generation = backend->ctx->fork_generation;
    call->backend = backend;
    call->parent = parent;
    call->method = method;
    call->args = *args;
    call->deadline = deadline;
    call->until = INT64_MAX;
    call->task.run = call_enter;
    call->timer.expired = call_timer;
    list_init(&call->node);
    if ((args->body && !(call->body = mem_copy_text(args->body))) ||
        pthread_mutex_init(&call->lock, NULL)) {
        mem_free(call->body);
        mem_free(call);
        return error_nomem(err);
    }
    rc = loop_timer_add(backend->ctx->loop, &call->timer, err);
    if (rc) {
        (void)pthread_mutex_destroy(&call->lock);
        mem_free(call->body);
        mem_free(call);
        return rc;
    }
    list_append(&backend->calls, &call->node);
    arm(call);
    loop_post(backend->ctx->loop, &call->task);
    *ret = call;
    return 0;
}

bool call_ended(const ctcd_call *call) {
    return atomic_load(&call->ended);
}

int call_result(const ctcd_call *call, ctcd_error **err) {
    if (call->rc < 0 && err) {
        error_done(err);
        *err = error_ref(call->err);
    }
    return call->rc;
}

void call_drop(ctcd_call **call_ptr) {
    ctcd_call *call = *call_ptr;
    *call_ptr = NULL;
    if (!call)
        return;
    call->parent = NULL;
    call_end(call, CTCD_E_CANCELED);
    ctcd_call_unref(call);
}

void observation_done(struct ctcd_observation *o) {
    mem_free(o->message);
    mem_free(o->cause);
    mem_free(o->hint);
    mem_free(o->log_tail);
    for (size_t i = 0; i < o->count; i++) {
        mem_free(o->names[i]);
        mem_free(o->values[i]);
    }
    mem_free(o->names);
    mem_free(o->values);
    memset(o, 0, sizeof(*o));
}

void revision_done(struct ctcd_revision *r) {
    mem_free(r->service_uuid);
    mem_free(r->model_uri);
    mem_free(r->pinned_uri);
    mem_free(r->model_name);
    mem_free(r->run);
    mem_free(r->smoke);
    mem_free(r->smoke_hint);
    mem_free(r->folder);
    mem_free(r->shim);
    mem_free(r->memo);
    mem_free(r->url);
    options_free(r->options);
    memset(r, 0, sizeof(*r));
}

ctcd_call *call_of_node(struct list *node) {
    return ctcd_call_ref(list_of(node, ctcd_call, node));
}

ctcd_watch *watch_of_node(struct list *node) {
    return list_of(node, ctcd_watch, node);
}
