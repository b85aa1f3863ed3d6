/* Services, their revisions, and the journal of what is being done to them. */
#ifndef CTCD_STORE_SERVICES_H
#define CTCD_STORE_SERVICES_H

#include <ctcd/service.h>

#include "store/store.h"

struct store_service {
    char *uuid;
    char *deployer, *pipeline, *step, *model; /* the identity; only one service has it */
    char *run;                                /* name of the run that deployed what serves */
    int desired;                              /* CTCD_STATE_ACTIVE or _INACTIVE */
    int64_t created_ms;
    int64_t revision; /* number of the one that serves, 0 = none yet */
    char *url;
    char *last_error, *last_error_details;
    int64_t last_error_ms;
    char *restart;    /* policy: "never", "on-failure", "always"; of the deployment that serves */
    int64_t restarts; /* that were begun since the last deploy */
    int64_t restart_tries;   /* of them, those since it last served for long */
    int64_t restart_next_ms; /* when the next is due; CTCD_TIME_NONE = none is planned */
};
struct store_services {
    struct store_service *items;
    size_t count;
};

void store_service_done(struct store_service *service);
void store_services_done(struct store_services *list);

/* Looks at uuid, identity, desired, created_ms. EXISTS: the identity is taken (the message has the
   UUID); NOT_FOUND: no such model deployer. */
int store_service_add(struct store *store, const struct store_service *service, ctcd_error **err);
/* UUID or 4 or more digits of it. */
int store_service_get(struct store *store, const char *uuid, struct store_service *ret,
                      ctcd_error **err);
/* Compared exactly, NULL equals "". CTCD_NONE: there is none. */
int store_service_find_identity(struct store *store, const char *deployer, const char *pipeline,
                                const char *step, const char *model, struct store_service *ret,
                                ctcd_error **err);
/* NULL or "" = any. Newest first. */
int store_service_list(struct store *store, const char *deployer, const char *pipeline,
                       const char *step, const char *model, struct store_services *ret,
                       ctcd_error **err);
/* A page of them, with more to choose by. uuid: its first digits. after: a UUID, only older ones; where there
   is no such service, none. limit < 1: all. */
struct store_service_query {
    const char *uuid, *deployer, *pipeline, *step, *model, *after;
    int64_t limit;
};
int store_service_query(struct store *store, const struct store_service_query *query,
                        struct store_services *ret, ctcd_error **err);
/* Those that are to be active, have served, and have another restart policy than "never". Newest first. */
int store_service_list_kept(struct store *store, struct store_services *ret, ctcd_error **err);
/* INACTIVE: no restart is planned any more. */
int store_service_set_desired(struct store *store, const char *uuid, int desired, ctcd_error **err);
/* A restart is planned (next_ms), as the event tells with `why`; or none is any more (CTCD_TIME_NONE).
   NOT_FOUND: it was deleted or, where one is to be planned, stopped meanwhile. */
int store_service_plan_restart(struct store *store, const char *uuid, int64_t tries,
                               int64_t next_ms, const char *why, int64_t now_ms, ctcd_error **err);
/* One is begun: it is counted. next_ms: when to try again, should it not come to an end. */
int store_service_count_restart(struct store *store, const char *uuid, int64_t next_ms,
                                ctcd_error **err);
/* NULL or "" clears it. */
int store_service_set_error(struct store *store, const char *uuid, const char *message,
                            const char *details, int64_t now_ms, ctcd_error **err);
/* Of the revision that serves, after a start on another port. */
int store_service_set_url(struct store *store, const char *uuid, const char *url, ctcd_error **err);
/* With its revisions; its events and ended operations stay, an open operation is the caller's to end. */
int store_service_remove(struct store *store, const char *uuid, int64_t now_ms, ctcd_error **err);

enum store_revision_state {
    STORE_REVISION_STARTING,
    STORE_REVISION_SERVING,
    STORE_REVISION_DRAINING,
    STORE_REVISION_STOPPED,
    STORE_REVISION_FAILED,
};
const char *store_revision_state_name(enum store_revision_state state); /* static */

struct store_revision {
    char *service; /* UUID */
    int64_t number;
    char *model_uri, *pinned_uri;
    char *options;      /* JSON object: of the back end */
    char *deployment;   /* JSON object: everything else that was asked for */
    char *metrics;      /* JSON object */
    char *run;          /* name of the run that asked for it */
    int64_t generation; /* grows with every start */
    enum store_revision_state state;
    char *memo; /* the back end's, opaque */
    char *url;
    int64_t created_ms, ready_ms, ended_ms;
};
struct store_revisions {
    struct store_revision *items;
    size_t count;
};

void store_revision_done(struct store_revision *revision);
void store_revisions_done(struct store_revisions *list);

/* Gives the service's next number (never used again) whatever revision->number says; state, ready and
   ended are not looked at: it is STARTING. */
int store_revision_add(struct store *store, const struct store_revision *revision,
                       int64_t *ret_number, ctcd_error **err);
int store_revision_get(struct store *store, const char *service, int64_t number,
                       struct store_revision *ret, ctcd_error **err);
/* CTCD_NONE: it has none. */
int store_revision_newest(struct store *store, const char *service, struct store_revision *ret,
                          ctcd_error **err);
int store_revision_list(struct store *store, const char *service, struct store_revisions *ret,
                        ctcd_error **err); /* by number */
/* Those that are neither STOPPED nor FAILED: of them, something may run. By number. */
int store_revision_list_unended(struct store *store, const char *service,
                                struct store_revisions *ret, ctcd_error **err);
/* Every start of a revision has a generation of its own, committed before the start: *ret is it. The
   state is STARTING, ready and ended are cleared. */
int store_revision_next_generation(struct store *store, const char *service, int64_t number,
                                   int64_t *ret, ctcd_error **err);
/* SERVING sets ready_ms; STOPPED and FAILED set ended_ms, unless it was that already. */
int store_revision_set_state(struct store *store, const char *service, int64_t number,
                             enum store_revision_state state, int64_t now_ms, ctcd_error **err);
/* What the back end says about it; NULL = leave it as it is. */
int store_revision_set(struct store *store, const char *service, int64_t number,
                       const char *pinned_uri, const char *memo, const char *url, ctcd_error **err);

enum store_operation_kind {
    STORE_OPERATION_DEPLOY,
    STORE_OPERATION_START,
    STORE_OPERATION_STOP,
    STORE_OPERATION_DELETE,
    STORE_OPERATION_RESTART, /* a start that nobody asked for: the restart policy wants it */
};
const char *store_operation_kind_name(enum store_operation_kind kind); /* "deploy", ...; static */

struct store_operation {
    char *uuid, *service; /* service: UUID; the service itself may be gone */
    enum store_operation_kind kind;
    char *phase;                        /* the engine's word for how far it is */
    int64_t from_revision, to_revision; /* 0 = none */
    int64_t deadline_ms;                /* wall clock */
    char *owner;                        /* process and host */
    int64_t begun_ms, ended_ms;         /* ended CTCD_TIME_NONE = open */
    char *result;                       /* "" = open or fine, else why not */
};
struct store_operations {
    struct store_operation *items;
    size_t count;
};

void store_operation_done(struct store_operation *operation);
void store_operations_done(struct store_operations *list);

/* Intent, committed before anything is done. CONFLICT: the service has an open one. */
int store_operation_begin(struct store *store, const struct store_operation *operation,
                          ctcd_error **err);
/* CONFLICT: it has ended. */
int store_operation_set_phase(struct store *store, const char *uuid, const char *phase,
                              ctcd_error **err);
int store_operation_set_owner(struct store *store, const char *uuid, const char *owner,
                              int64_t deadline_ms, ctcd_error **err); /* somebody resumes it */
int store_operation_set_revision(struct store *store, const char *uuid, int64_t to_revision,
                                 ctcd_error **err);
int store_operation_end(struct store *store, const char *uuid, const char *result, int64_t now_ms,
                        ctcd_error **err);
/* The same for one that a dead process left, by whoever cleared up behind it: result says how. */
int store_operation_resolve(struct store *store, const struct store_operation *operation,
                            const char *result, int64_t now_ms, ctcd_error **err);
/* The open one of a service. CTCD_NONE: there is none. */
int store_operation_get_open(struct store *store, const char *service, struct store_operation *ret,
                             ctcd_error **err);
/* Oldest first. service NULL = of all; open_only false = the ended ones, too. */
int store_operation_list(struct store *store, const char *service, bool open_only,
                         struct store_operations *ret, ctcd_error **err);

/* The switch, one transaction: the service's revision, URL and run become those of the revision `number`
   (SERVING, ready now), the one before is DRAINING, desired is ACTIVE, the last error is cleared, the
   operation is in `phase`; no restart is planned, the policy is the deployment's, and what was counted of
   restarts begins anew, unless the operation is one. url NULL = the revision's own. CONFLICT: the operation has ended. */
int store_service_switch(struct store *store, const char *service, int64_t number, const char *url,
                         const char *operation, const char *phase, int64_t now_ms,
                         ctcd_error **err);

#endif
