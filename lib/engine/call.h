/* Calls: one method of a back end in flight. An op starts a call with itself as parent; when the call
   ends, the op is entered again and reads the result.

       if (!d->call)
           rc = call_start(&d->op, d->backend, CALL_OBSERVE, &args, deadline, &d->call);
       if (!call_ended(d->call)) { op_wait_child(&d->op); return CTCD_AGAIN; }
       rc = call_result(d->call, OP_ERR(&d->op));

   A back end that is not open yet is opened first, under the same deadline. */
#ifndef CTCD_ENGINE_CALL_H
#define CTCD_ENGINE_CALL_H

#include <ctcd/plugin.h>

#include "base/buf.h"
#include "engine/flavor.h"
#include "engine/op.h"

enum call_method {
    CALL_VALIDATE = 1,
    CALL_APPLY,
    CALL_OBSERVE,
    CALL_REMOVE,
    CALL_LOGS,
    CALL_PREDICT,
    CALL_ANNOUNCE,
    CALL_EXAMINE,
    CALL_LOGS_SINCE,
};

/* What a look found. Owned texts, NULL = nothing was said. */
struct ctcd_observation {
    int state; /* CTCD_STATE_*, 0 = not said */
    char *message, *cause, *hint, *log_tail;
    bool final;             /* will not become ready by waiting */
    bool ended_well;        /* by itself, with status 0 */
    char **names, **values; /* properties */
    size_t count;
};
void observation_done(struct ctcd_observation *o);

#define TEXT_MAX_BYTES ((size_t)64 << 20)

struct ctcd_text {
    struct buf buf;
    bool too_large;
};

/* One revision as methods see it. The engine fills it from its record; what a method sets (pinned uri, memo,
   url) is flagged, and the op that owns it commits that to the store when the call comes back (AGAIN or
   end), before anything else happens. */
struct ctcd_revision {
    char *service_uuid, *model_uri, *pinned_uri, *model_name, *run, *folder, *shim, *memo, *url;
    char *smoke, *smoke_hint; /* what validate() gives for the smoke request */
    int64_t number, generation;
    bool wanted;
    struct ctcd_options *options;
    bool changed; /* pinned_uri, memo or url was set since this was last cleared */
    /* Called inside the setter's method entry, after it returned, where `changed`; non-zero fails the call. */
    int (*commit)(struct ctcd_revision *revision, void *data, ctcd_error **err);
    void *commit_data;
};
void revision_done(struct ctcd_revision *revision);

struct call_args {
    struct ctcd_revision *revision;       /* borrowed until the call has ended */
    struct ctcd_observation *observation; /* CALL_OBSERVE: filled; borrowed likewise */
    struct ctcd_text *text;               /* CALL_LOGS, CALL_LOGS_SINCE, CALL_PREDICT */
    struct ctcd_text *place;              /* CALL_LOGS_SINCE: the new cursor */
    const char *cursor;                   /* CALL_LOGS_SINCE: borrowed likewise; may be NULL */
    const char *body;                     /* CALL_PREDICT; copied */
    int64_t lines;                        /* CALL_LOGS, CALL_LOGS_SINCE */
    uint32_t flags;                       /* CALL_REMOVE, CALL_LOGS_SINCE */
    bool csv;                             /* CALL_PREDICT: body is CSV, not JSON */
};

/* deadline: monotonic ms; INT64_MAX is not allowed. CTCD_E_NOT_SUPPORTED: the back end has no such method. */
int call_start(ctcd_op *parent, struct backend *backend, enum call_method method,
               const struct call_args *args, int64_t deadline, ctcd_call **ret);
/* Has the back end this method? 0 or CTCD_E_NOT_SUPPORTED; for what wants to know before work starts. */
int call_supported(const struct backend *backend, enum call_method method, ctcd_error **err);
bool call_ended(const ctcd_call *call);
/* 0 or CTCD_E_*; *err as the method said it, or "... did not end in time while DOING" for a time-out. */
int call_result(const ctcd_call *call, ctcd_error **err);
ctcd_call *call_of_node(struct list *node);   /* in backend->calls; a new reference */
ctcd_watch *watch_of_node(struct list *node); /* in backend->watches */
/* Cancels it if it runs, drops the reference, clears the pointer. */
void call_drop(ctcd_call **call);

#endif
