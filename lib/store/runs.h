/* Runs, their step runs, artifacts and decisions; and the claim of a fire. */
#ifndef CTCD_STORE_RUNS_H
#define CTCD_STORE_RUNS_H

#include "store/schedules.h"

enum store_run_status {
    STORE_RUN_PENDING, /* nobody has begun it */
    STORE_RUN_RUNNING,
    STORE_RUN_COMPLETED,
    STORE_RUN_FAILED,
    STORE_RUN_CANCELED,
    STORE_RUN_ABANDONED,
};
const char *store_run_status_name(enum store_run_status status); /* "pending", ...; static */

struct store_run {
    char *uuid, *name;
    char *pipeline, *digest; /* of store_pipeline */
    int64_t schedule_id;     /* 0 = none, or it was deleted */
    char *schedule;          /* its name; stays when the schedule is deleted */
    int64_t nominal_ms;      /* CTCD_TIME_NONE = manual */
    char *params;            /* JSON object */
    enum store_run_status status;
    int64_t created_ms, started_ms, ended_ms;
    char *error;
    char *owner;       /* token of the process that carries it out; "" = nobody's */
    int64_t cancel_ms; /* when it was asked to end, CTCD_TIME_NONE = it was not; read only */
};
struct store_runs {
    struct store_run *items;
    size_t count;
};

void store_run_done(struct store_run *run);
void store_runs_done(struct store_runs *list);

/* A run by hand: PENDING (owner "", started and ended are not looked at), or RUNNING with owner and
   started_ms. EXISTS: name, UUID, or (schedule, nominal) is taken. */
int store_run_add(struct store *store, const struct store_run *run, ctcd_error **err);

/* Decides the nominal times in (expected_last_ms, new_last_ms] of a schedule, in one transaction: its
   mark advances, the runs are added as PENDING (schedule_id and schedule are filled in), the drops
   recorded. CTCD_NONE: the mark is not at expected_last_ms any more, or the schedule is gone: somebody
   else was faster; nothing was changed, read it again. EXISTS: one of the runs is there already. */
struct store_fire {
    int64_t schedule_id;
    int64_t expected_last_ms, new_last_ms;
    const struct store_run *runs;
    size_t run_count;
    const struct store_drop *drops;
    size_t drop_count;
};
int store_fire_claim(struct store *store, const struct store_fire *fire, ctcd_error **err);

/* The PENDING run that is nobody's with the smallest (nominal, created), of this schedule (0 = any),
   becomes RUNNING and the owner's. functions: the owner's, a JSON array of names; runs of pipelines that
   need others are left alone. CTCD_NONE: there is none. */
int store_run_claim_next_buffered(struct store *store, int64_t schedule_id, const char *functions,
                                  const char *owner, int64_t now_ms, struct store_run *ret,
                                  ctcd_error **err);
/* A RUNNING run of a dead process gets a new owner. CTCD_NONE: it is not old_owner's, or has ended. */
int store_run_take_over(struct store *store, const char *uuid, const char *old_owner,
                        const char *new_owner, int64_t now_ms, ctcd_error **err);
/* Ends a run that has not ended. CONFLICT: it has, or it is not the owner's (a PENDING one is nobody's:
   owner ""). */
int store_run_end(struct store *store, const char *uuid, const char *owner,
                  enum store_run_status status, const char *error, int64_t now_ms,
                  ctcd_error **err);

/* Whoever carries the run out is to cancel it; asked twice is asked once. CTCD_NONE: nobody has begun it, so
   it can be ended at once. CONFLICT: it has ended. */
int store_run_ask_cancel(struct store *store, const char *uuid, int64_t now_ms, ctcd_error **err);
int store_run_cancel_asked(struct store *store, const char *uuid, bool *ret, ctcd_error **err);
/* A failed, canceled or abandoned run becomes RUNNING again, and the owner's. Its completed steps stay; the
   attempts of all others are marked `retried`: they count no more, but for the number of the next one.
   CTCD_NONE: it is in no such state. */
int store_run_retry(struct store *store, const char *uuid, const char *owner, int64_t now_ms,
                    ctcd_error **err);

int store_run_get(struct store *store, const char *name, struct store_run *ret, ctcd_error **err);

#define STORE_STATUS(status) (1u << (status))
struct store_run_query {
    const char *pipeline, *schedule, *owner; /* NULL = any */
    int64_t schedule_id;   /* 0 = any; a schedule of that name may have been there before */
    uint32_t statuses;     /* STORE_STATUS(...) | ...; 0 = any */
    const char *functions; /* JSON array: only of pipelines that need no others; NULL = any */
    bool oldest_first;     /* else newest first */
    int64_t limit, offset; /* limit 0 = no limit */
};
int store_run_list(struct store *store, const struct store_run_query *query, struct store_runs *ret,
                   ctcd_error **err);
int store_run_count(struct store *store, const struct store_run_query *query, int64_t *ret,
                    ctcd_error **err); /* limit and offset are not looked at */

enum store_step_status {
    STORE_STEP_PENDING,
    STORE_STEP_RUNNING,
    STORE_STEP_COMPLETED,
    STORE_STEP_FAILED,
    STORE_STEP_SKIPPED,
    STORE_STEP_CACHED,
    STORE_STEP_CANCELED,
    STORE_STEP_INTERRUPTED, /* whoever carried it out died; no failure of its own */
};
const char *store_step_status_name(enum store_step_status status); /* static */

struct store_step {
    char *run; /* UUID */
    char *name;
    int64_t attempt;  /* from 1; 0 = a step that was not begun (skipped, canceled, pending) */
    int64_t position; /* place in the order of the run */
    enum store_step_status status;
    int64_t started_ms, ended_ms;
    char *error;
    char *folder; /* of the child (shim), "" = none */
    int64_t generation;
    char *log; /* path */
    char *cache_key;
    bool
        retried; /* before the run was retried: it says nothing about the step any more; read only */
};
struct store_steps {
    struct store_step *items;
    size_t count;
};

void store_step_done(struct store_step *step);
void store_steps_done(struct store_steps *list);

/* EXISTS: that (run, step, attempt) has begun before: it must not be started again. */
int store_step_add(struct store *store, const struct store_step *step, ctcd_error **err);
/* By position, then attempt. run: UUID. */
int store_step_list(struct store *store, const char *run, struct store_steps *ret,
                    ctcd_error **err);
/* The last completed one with this key in the pipeline; its artifacts are those of its run and name.
   CTCD_NONE: there is none. */
int store_step_find_cached(struct store *store, const char *pipeline, const char *step,
                           const char *cache_key, struct store_step *ret, ctcd_error **err);

enum store_artifact_kind {
    STORE_ARTIFACT_VALUE,   /* value is JSON text */
    STORE_ARTIFACT_URI,     /* value is a URI */
    STORE_ARTIFACT_SERVICE, /* value is the UUID of a service: who gets it sees it as it is then */
};
struct store_artifact {
    char *run, *step, *name;
    enum store_artifact_kind kind;
    char *value;
    char *sha256; /* of what the URI names, "" = not hashed */
};
struct store_artifacts {
    struct store_artifact *items;
    size_t count;
};

void store_artifact_done(struct store_artifact *artifact);
void store_artifacts_done(struct store_artifacts *list);

struct store_decision {
    char *run, *step;
    char *verdict;          /* "promote", ... */
    char *rule, *candidate; /* JSON objects */
    char *baseline;         /* JSON object, "" = there was no incumbent */
    char *reasons;          /* JSON */
    int64_t at_ms;
};
struct store_decisions {
    struct store_decision *items;
    size_t count;
};

void store_decision_done(struct store_decision *decision);
void store_decisions_done(struct store_decisions *list);

/* How a RUNNING or PENDING attempt ended, with all that it leaves, in one transaction. CONFLICT: it has
   ended already. run and step of artifacts and decision are filled in. EXISTS: an artifact of that name
   is there already. */
struct store_step_end {
    const char *run, *step;
    int64_t attempt;
    enum store_step_status status;
    const char *error;
    int64_t now_ms;
    const struct store_artifact *artifacts;
    size_t artifact_count;
    const struct store_decision *decision; /* or NULL */
};
int store_step_end(struct store *store, const struct store_step_end *end, ctcd_error **err);

/* By step (as added) and name. step NULL = all of the run. */
int store_artifact_list(struct store *store, const char *run, const char *step,
                        struct store_artifacts *ret, ctcd_error **err);
int store_decision_list(struct store *store, const char *run, struct store_decisions *ret,
                        ctcd_error **err);

#endif
