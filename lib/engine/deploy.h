/* Mutations of a service: deploy, start, stop, delete. Each is an op that takes the service's lock file,
   resolves what a dead operation left, writes a journal row, acts through the back end, and ends the row.

     bring_up   one revision: apply, wait until ready, smoke request, stay ready   (bring_up.c)
     take_down  one revision: remove, with or without draining                     (take_down.c)
     recover    what dead operations left: takes it down                           (recover.c)
     mutation   lock and journal                                                   (mutation.c)
     deploy, start, stop, delete: how these are put together                       (their own files) */
#ifndef CTCD_ENGINE_DEPLOY_H
#define CTCD_ENGINE_DEPLOY_H

#include <ctcd/deployer.h>

#include "core/restart.h"
#include "engine/service.h"
#include "io/lockfile.h"

#define DEPLOY_TIMEOUT_MS 300000
#define STOP_TIMEOUT_MS 60000
#define MIN_READY_MS 2000

struct ctcd_deployment {
    struct object object;
    char *model_name, *model_uri, *pipeline, *step, *run;
    char *metrics, *smoke; /* JSON or NULL */
    struct json *options;  /* object of texts, checked when the deployer is known */
    char *folder;          /* that relative paths in options mean; NULL = the current one */
    int64_t min_ready_ms;
    bool replace, leave_failed;
    enum restart_policy restart;
};
extern const struct object_kind DEPLOYMENT_KIND;

struct ctcd_model_deployer {
    struct object object;
    char *name, *flavor;
};
extern const struct object_kind MODEL_DEPLOYER_KIND;

int deployment_new(ctcd_context *ctx, ctcd_deployment **ret, ctcd_error **err);
/* Copies that hold no context and that nobody else can change, for ops; NULL = out of memory. */
ctcd_deployment *deployment_copy(const ctcd_deployment *deployment);
ctcd_model_deployer *deployer_copy(const ctcd_model_deployer *deployer);
int deployer_get(ctcd_context *ctx, const char *name, ctcd_model_deployer **ret, ctcd_error **err);

/* Ops. deploy, start: OP_SERVICE. */
int deploy_new(ctcd_context *ctx, ctcd_model_deployer *deployer, ctcd_deployment *want,
               int64_t timeout_ms, ctcd_op **ret, ctcd_error **err);
/* The service of a deploy that has come so far that it has one, a new reference; NULL = not yet. */
ctcd_service *deploy_service(ctcd_op *op);
int validate_new(ctcd_context *ctx, ctcd_model_deployer *deployer, ctcd_deployment *want,
                 int64_t timeout_ms, ctcd_op **ret, ctcd_error **err);
int start_new(ctcd_context *ctx, const char *uuid, int64_t timeout_ms, ctcd_op **ret,
              ctcd_error **err);
/* The same where the restart policy wants it, and it is planned. It waits for nobody: CTCD_E_CONFLICT where
   somebody else works on the service, CTCD_NONE where nothing is to be done any more. */
int restart_new(ctcd_context *ctx, const char *uuid, ctcd_op **ret, ctcd_error **err);
int stop_new(ctcd_context *ctx, const char *uuid, int64_t timeout_ms, ctcd_op **ret,
             ctcd_error **err);
int delete_new(ctcd_context *ctx, const char *uuid, uint32_t flags, int64_t timeout_ms,
               ctcd_op **ret, ctcd_error **err);

/* ---- what they are made of ---- */

/* One revision goes up. Fails with CTCD_E_FAILED, cause, hint and log tail; does not clean up. */
struct bring_up_args {
    struct backend *backend;
    const char *service; /* UUID */
    const char *model;
    int64_t number;
    int64_t min_ready_ms;
    const char *smoke;      /* or NULL */
    const char *smoke_hint; /* where it is not answered; or NULL */
};
int bring_up_start(ctcd_op *parent, const struct bring_up_args *args, ctcd_op **ret);
/* One revision goes down. flags: CTCD_REMOVE_*. Without draining it has its own time, whatever is left of
   the parent's. Dropped (op_drop), it stops where it is: the lock may be another's by then. */
int take_down_start(ctcd_op *parent, struct backend *backend, const char *service,
                    const char *model, int64_t number, uint32_t flags, ctcd_op **ret);

/* Lock and journal of one service. Zeroed at first. */
struct mutation {
    ctcd_context *ctx;
    char *service;
    struct lockfile *lock;
    char *operation;             /* UUID of the journal row, NULL = none open by us */
    struct store_operation left; /* what a dead operation left open; uuid NULL = nothing */
};
/* Takes the lock of the service that has this UUID, or is to have it. CTCD_AGAIN: somebody has it; a wait
   was named on op. 0: it is ours. Whatever was known of the service is to be read again then, and what
   m->left holds is to be resolved, and ended by mutation_resolved (which does nothing without it). */
int mutation_enter(struct mutation *m, ctcd_op *op, const char *service);
int mutation_resolved(struct mutation *m, const char *result, ctcd_error **err);
/* The journal row: within a transaction that holds what belongs to the intent, ended by mutation_commit
   (rc 0) or undone by it (any other rc, which it returns). */
int mutation_begin(struct mutation *m, enum store_operation_kind kind, const char *phase,
                   int64_t from, int64_t to, int64_t budget_ms, ctcd_error **err);
int mutation_commit(struct mutation *m, int rc, ctcd_error **err);
/* It has ended well. Within a transaction, the last thing in it. */
int mutation_end(struct mutation *m, ctcd_error **err);
/* It has ended badly: `why` becomes the service's last error. over: nothing of it is left to be done, so
   the row ends, and `revision` (0 = none) has failed. Else the row stays open: the next mutation goes on
   from there. What cannot be written is logged; then the row stays open, too. */
void mutation_fail(struct mutation *m, bool over, int64_t revision, const ctcd_error *why);
/* There is no such service: the folder that holds the lock goes. */
void mutation_forget(struct mutation *m);
/* Lets go of the lock; an open row stays open, for the next one to resolve. */
void mutation_done(struct mutation *m);
/* Is somebody working on it now? For looks: takes nothing. */
int mutation_live(ctcd_context *ctx, const char *service, bool *ret, ctcd_error **err);

/* PHASE_SWITCHED is the phase from which a deploy or a start counts as done. */
#define PHASE_STARTING "starting"
#define PHASE_SWITCHED "switched"

/* Takes down every revision of the service that may run, but the one to keep (0 = none): the new one of a
   deploy that did not switch, the old one of one that did, what an undo or a drain could not end. A child
   op; CTCD_NONE: there is nothing to take down. Ours must be the lock. */
int recover_start(ctcd_op *parent, struct backend *backend, const char *service, const char *model,
                  int64_t keep, ctcd_op **ret);

#endif
