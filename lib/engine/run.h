/* Runs: their snapshot, the op that carries one out, and the ops of its steps.

   A run is a record in the store first (by a schedule: its claim). The op that carries it out, new or
   interrupted, holds HOME/runs/UUID/lock meanwhile, so a RUNNING record beside a free lock is a run whose
   process died. An attempt of a step that died with it is
   "interrupted": a new one begins, or (on_crash: fail) it counts as failed. */
#ifndef CTCD_ENGINE_RUN_H
#define CTCD_ENGINE_RUN_H

#include <ctcd/run.h>

#include "engine/op.h"
#include "engine/pipeline.h"
#include "io/lockfile.h"
#include "store/runs.h"

#define RUN_TIMEOUT_MS (24LL * 3600 * 1000)
#define STEP_TIMEOUT_MS (24LL * 3600 * 1000)

/* ---- the snapshot ---- */

struct run_step {
    char *name;
    struct store_step last; /* the last attempt; name NULL = not begun */
    char *outputs;          /* JSON object */
    struct run_number {
        char *name;
        double value;
    } * numbers; /* those of the outputs that are numbers, by name */
    size_t number_count;
    ctcd_decision *decision;
};
struct ctcd_run {
    struct object object;
    struct store_run record;
    bool interrupted; /* RUNNING, and nobody carries it out */
    char *next;       /* what goes on with it, "" = nothing needs to */
    struct run_step *steps;
    size_t step_count;
};
extern const struct object_kind RUN_KIND;

int run_load(ctcd_context *ctx, const char *name, ctcd_run **ret, ctcd_error **err);
int run_list(ctcd_context *ctx, const char *pipeline, const char *schedule, int64_t limit,
             int64_t offset, ctcd_list **ret, ctcd_error **err);
/* The last lines of a step's log; step NULL = the last step that printed anything. */
int run_logs(ctcd_run *run, const char *step, int64_t lines, char **ret, ctcd_error **err);
/* What was printed since the cursor (NULL = the last lines), see <ctcd/run.h>. CTCD_NONE: all was read. */
int run_logs_since(ctcd_run *run, const char *step, const char *cursor, int64_t lines,
                   char **ret_text, char **ret_cursor, ctcd_error **err);

/* ---- carrying out ---- */

/* Ops with OP_RUN, also when they fail. What keeps a run from being carried out at all ends it as abandoned;
   only while the store fails does it stay RUNNING. */
/* Of a recorded RUNNING run, which becomes the owner's. CONFLICT: somebody carries it out. */
int run_new(ctcd_context *ctx, const char *uuid, const char *owner, int64_t timeout_ms,
            ctcd_op **ret, ctcd_error **err);
/* Of a new run, which is recorded here, with its pipeline. */
int run_new_by_hand(ctcd_pipeline *pipeline, int64_t timeout_ms, ctcd_op **ret, ctcd_error **err);
/* The same of a run whose lock the caller has taken; takes the lock over where it succeeds. */
int run_new_locked(ctcd_context *ctx, const char *uuid, const char *owner, struct lockfile **lock,
                   int64_t timeout_ms, ctcd_op **ret, ctcd_error **err);
/* CONFLICT: somebody else has it. */
int run_lock(ctcd_context *ctx, const char *uuid, struct lockfile **ret, ctcd_error **err);
/* run_change.c. The request is recorded when this returns; the op waits until the run has ended, and ends it
   itself where nobody carries it out. CONFLICT: it has ended by itself. */
int run_cancel_new(ctcd_run *run, int64_t timeout_ms, ctcd_op **ret, ctcd_error **err);
/* A failed, canceled or abandoned run goes on with what has not completed; as run_new(). */
int run_retry_new(ctcd_run *run, int64_t timeout_ms, ctcd_op **ret, ctcd_error **err);
/* Does somebody carry this run out? */
int run_live(ctcd_context *ctx, const char *uuid, bool *ret, ctcd_error **err);
/* Is it RUNNING while nobody carries it out, and no daemon is there who takes it up? Asked of a record that was
   just read, which is read anew where its end came in between. */
int run_interrupted(ctcd_context *ctx, struct store_run *record, bool *ret, ctcd_error **err);
/* Status of a snapshot, in a word. */
const char *run_status(const ctcd_run *run);

/* ---- for its steps ---- */

/* What a step sees of its run. Lives as long as the run's op. */
struct run_view {
    ctcd_context *ctx;
    struct store_run record;
    ctcd_pipeline *pipeline;
    int64_t previous_ms; /* nominal time before this one, CTCD_TIME_NONE = none */
};

/* Ops of one step, started with the run's op as parent. They add the attempt's row before anything happens,
   and end it with all that it leaves. 0: completed; CTCD_NONE: skipped; CTCD_E_*: failed. */
struct step_args {
    const struct run_view *run;
    const struct step_spec *step;
    int64_t position;
    /* What a dead process left of the step: */
    const struct store_step
        *last;             /* its last attempt: RUNNING, INTERRUPTED, or FAILED with more to come;
                                      NULL = there is none */
    int64_t failures;      /* how many attempts failed by themselves */
    const char *cache_key; /* "" = its result is not for later runs */
    const char
        *run_error; /* why the run failed, for the command of on_failure; NULL = it has not */
};
/* The attempt that was RUNNING, or NULL; and the number of the next one. */
const struct store_step *step_left(const struct step_args *args);
int64_t step_next_attempt(const struct step_args *args);
int step_command_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret);

/* What names this work, for later runs to find its result; "" where it must be done anew each time. */
int step_cache_key(const struct step_args *args, char ret[65], ctcd_error **err);
/* The result of an earlier run with the same key, its files verified. CTCD_NONE: there is none. */
int step_find_cached(const struct step_args *args, struct store_step *ret,
                     struct store_artifacts *ret_artifacts, ctcd_error **err);
/* Records it as this step's, too. CTCD_NONE as above. */
int step_reuse(const struct step_args *args, ctcd_error **err);

int step_decide_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret);
int step_deploy_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret);
int step_function_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret);

/* HOME/runs/RUN[/step[/attempt]]; owned. */
char *run_folder(ctcd_context *ctx, const char *run);
/* An output of a step of this run, as its users get it (a service is asked anew). NOT_FOUND: it left none. */
int run_output(const struct run_view *run, const struct output_ref *ref, struct json **ret,
               ctcd_error **err);
/* The numbers among a step's outputs as a JSON object. */
int run_numbers(const struct run_view *run, const char *step, struct json **ret, ctcd_error **err);
/* The service that a deploy step's identity has now; CTCD_NONE = none, or none that ever served. */
int step_incumbent(const struct run_view *run, const struct step_spec *deploy, ctcd_service **ret,
                   ctcd_error **err);
/* Name of the active stack; owned. */
int step_stack_name(ctcd_context *ctx, char **ret, ctcd_error **err);
/* A row for an attempt that begins now. */
int step_begin(const struct step_args *args, int64_t attempt, const char *folder, const char *log,
               ctcd_error **err);
/* Ends an attempt that a dead process left, which cannot be gone on with: interrupted, or, where a crash
   fails the step, failed (then CTCD_E_FAILED). stop: the op's. */
int step_end_left(const struct step_args *args, const struct store_step *left, int stop,
                  ctcd_error **err);
int step_end(const struct step_args *args, int64_t attempt, enum store_step_status status,
             const char *error, const struct store_artifact *artifacts, size_t count,
             const struct store_decision *decision, ctcd_error **err);

/* A decision as an object, from the parts that the store keeps. baseline NULL or "" = no incumbent. */
int decision_from_texts(const char *verdict, const char *rule, const char *candidate,
                        const char *baseline, const char *reasons, ctcd_decision **ret,
                        ctcd_error **err);
/* "candidate", "incumbent": of the metric; "threshold". false = there is no such number. */
bool decision_number(const ctcd_decision *decision, const char *what, double *ret);
extern const struct object_kind DECISION_KIND;
/* Decides: pure but for memory. Texts are JSON objects. */
int decision_decide(const char *rule, const char *candidate, const char *incumbent,
                    ctcd_decision **ret, ctcd_error **err);
struct ctcd_decision {
    struct object object;
    int verdict;
    char *reasons_line;
    struct json *rule, *candidate, *baseline, *reasons; /* baseline NULL = no incumbent */
};

#endif
