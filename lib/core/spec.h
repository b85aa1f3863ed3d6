/* A pipeline as a plain tree, after its file was read and before a run. The engine's parser fills it,
   spec_check() says whether it makes sense, the runner walks it. All texts are owned by the tree and
   may be NULL where nothing was said; ${params.x} in them is still unresolved unless noted. */
#ifndef CTCD_CORE_SPEC_H
#define CTCD_CORE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"
#include "core/decision.h"
#include "core/graph.h"
#include "core/reference.h"
#include "core/schedule.h"

enum param_kind {
    PARAM_TEXT,
    PARAM_INT,
    PARAM_REAL,
    PARAM_BOOL,
    PARAM_OTHER /* null, list, object */
};
struct param_spec {
    char *name;
    enum param_kind kind;
    char *text; /* as ${params.x} inserts it: a text without quotes, anything else as JSON */
    char *json;
};

struct setting { /* a name and a text, in file order */
    char *name, *value;
};
struct settings {
    struct setting *items;
    size_t count;
};

struct input_spec {
    char *name; /* as the step knows it */
    struct output_ref from;
};

enum step_kind { STEP_COMMAND = 1, STEP_DECIDE, STEP_DEPLOY, STEP_FUNCTION };

struct decide_spec {
    struct output_ref metric;
    struct settings rule; /* as decision_rule_set takes them: threshold, comparison, ... */
    char *deploys;        /* deploy step whose service is the incumbent; NULL = the only deploy step
                             whose `when` is this step, if there is one */
};

struct deploy_spec {
    char *model_name;
    char *model_uri;              /* a literal; NULL where model_uri_from is set */
    struct output_ref model_from; /* the output that holds it */
    char *model_deployer;         /* NULL = the active stack's */
    struct settings options;      /* for the back end */
    int64_t timeout_ms;           /* 0 = default */
    int64_t min_ready_ms;         /* -1 = default */
    int replace;                  /* -1 = default (yes), 0, 1 */
    char *on_failure;             /* NULL = "rollback"; "leave" */
    char *without_model;          /* where the output is null or "": NULL = "fail"; "keep" */
    char *restart;                /* NULL = "never"; "on-failure", "always" */
    char *smoke;                  /* JSON text of a request, or NULL */
};

struct step_spec {
    char *name;
    enum step_kind kind;
    char **argv;    /* STEP_COMMAND */
    char **code;    /* further files that belong to the cache key */
    char *function; /* STEP_FUNCTION: the name that a program registers it under */
    char **outputs; /* declared by a command or function step */
    struct input_spec *inputs;
    size_t input_count;
    int64_t timeout_ms; /* 0 = default */
    int64_t retries_max, retry_delay_ms;
    double retry_backoff;       /* each delay is so many times the one before; 0 = default, 1 */
    int64_t retry_max_delay_ms; /* 0 = default, SPEC_RETRY_MAX_DELAY_MS */
    int cache;                  /* -1 = default, 0, 1 */
    char *when;                 /* decide step that must promote */
    char **after;               /* steps that must have ended, though nothing of them is used */
    struct decide_spec decide;
    struct deploy_spec deploy;
};

struct pipeline_spec {
    char *name;
    char *folder; /* absolute; where relative paths start */
    struct param_spec *params;
    size_t param_count;
    struct step_spec *steps; /* in file order */
    size_t step_count;
    struct schedule_wording schedule;
    char **on_failure; /* command, or NULL */
    int64_t jobs;      /* steps side by side at most; 0 = default, 1 */
    bool crash_fails;  /* on_crash: fail; else an interrupted step begins anew */
};

#define SPEC_MAX_STEPS 1000u
#define SPEC_MAX_JOBS 64
#define ON_FAILURE "on_failure" /* the step that the command of on_failure is recorded as */
#define SPEC_MAX_BACKOFF 100
#define SPEC_RETRY_MAX_DELAY_MS (24LL * 3600 * 1000)
#define SPEC_MAX_PARAMS 1000u

/* Building: zeroed elements appended (defaults of -1 set); NULL = out of memory. The pointers last
   until the next append. */
struct step_spec *pipeline_spec_add_step(struct pipeline_spec *spec, enum step_kind kind,
                                         const char *name);
struct input_spec *step_spec_add_input(struct step_spec *step, const char *name);
/* Sets or replaces. false = out of memory, nothing changed. */
bool pipeline_spec_set_param(struct pipeline_spec *spec, const char *name, enum param_kind kind,
                             const char *text, const char *json);
bool settings_set(struct settings *settings, const char *name, const char *value);
const char *settings_get(const struct settings *settings, const char *name); /* NULL = not set */

int pipeline_spec_copy(const struct pipeline_spec *spec,
                       struct pipeline_spec *ret); /* deep; or NOMEM */
void pipeline_spec_done(struct pipeline_spec *spec);

/* The pause after so many failures (from 1): delay, delay * backoff, ... up to max_delay. */
int64_t step_retry_delay(const struct step_spec *step, int64_t failures);

/* Asking. NULL = there is none. */
const struct step_spec *pipeline_spec_step(const struct pipeline_spec *spec, const char *name);
const struct param_spec *pipeline_spec_param(const struct pipeline_spec *spec, const char *name);
/* Outputs by name: those declared; "service" of a deploy step; "decision" of a decide step. */
bool step_has_output(const struct step_spec *step, const char *output);
/* The deploy step that a decide step decides about, or NULL. */
const struct step_spec *decide_target(const struct pipeline_spec *spec,
                                      const struct step_spec *decide);
const char *step_kind_name(enum step_kind kind); /* "command", "decide", "deploy", "function" */
/* params_substitute with the pipeline's parameters. */
int pipeline_spec_substitute(const struct pipeline_spec *spec, const char *text, char **ret,
                             ctcd_error **err);
/* The rule with parameters put in. *ret is overwritten; release with decision_rule_done. */
int decide_rule(const struct pipeline_spec *spec, const struct step_spec *decide,
                struct decision_rule *ret, ctcd_error **err);

/* Names, duplicates, references with near misses, rules, schedule, cycles. CTCD_E_INVALID with a
   message "step \"deploy\": ..."; CTCD_E_NOMEM. */
int pipeline_spec_check(const struct pipeline_spec *spec, ctcd_error **err);
/* Edges from inputs, when, after, the decided metric and the deployed model. The spec must be checked
   (an unknown step here is CTCD_E_INVALID, too). */
int pipeline_spec_graph(const struct pipeline_spec *spec, struct graph **ret, ctcd_error **err);

#endif
