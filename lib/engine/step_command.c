/* A command step (run.h): a process under a shim, with its inputs and outputs in files. A process whose
   runner died is found again: it runs on under its shim, or has left how it ended. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "engine/run.h"
#include "engine/step_outputs.h"
#include "io/file.h"
#include "io/log.h"
#include "io/process.h"
#include "io/tree.h"

#define OUTPUTS_MOST_BYTES (1 << 20)
#define GENERATION 1 /* each attempt has a folder of its own */
#define KILL_AFTER_MS 5000
#define LOOK_AGAIN_MS 100 /* between looks at a child that starts or ends */
#define TAIL_LINES 20

enum phase { BEGIN, PREPARE, WAIT, RETRY_PAUSE };

struct command {
    ctcd_op op;
    struct step_args args;
    enum phase phase;
    int64_t attempt;
    int64_t failures;               /* of earlier attempts, and of this one */
    char *folder, *artifacts, *log; /* of this attempt */
    int64_t until;                  /* monotonic: the attempt's time-out, or the end of the pause */
    int64_t kill_at;                /* monotonic, 0 = not asked to end */
    bool inherited; /* a dead process began it, and whether it outlived that one is not yet known */
    bool timed_out;
    int pidfd;
};

static ctcd_error **err_of(struct command *c) {
    return OP_ERR(&c->op);
}

/* ---- where ---- */

static int locate(struct command *c) {
    char attempt[24];
    snprintf(attempt, sizeof(attempt), "%" PRId64, c->attempt);
    mem_free(c->folder);
    mem_free(c->artifacts);
    mem_free(c->log);
    c->folder = context_path(c->op.ctx, "runs", c->args.run->record.uuid, c->args.step->name,
                             attempt, NULL);
    c->artifacts = c->folder ? path_join(c->folder, "artifacts") : NULL;
    c->log = c->folder ? path_join(c->folder, "log") : NULL;
    return c->artifacts && c->log ? 0 : error_nomem(err_of(c));
}

static int write_inputs(struct command *c, const char *path) {
    _cleanup_(json_done) struct json *inputs = json_new_object();
    if (!inputs)
        return error_nomem(err_of(c));
    for (size_t i = 0; i < c->args.step->input_count; i++) {
        struct json *value = NULL;
        int rc = run_output(c->args.run, &c->args.step->inputs[i].from, &value, err_of(c));
        if (rc)
            return rc;
        if (!json_set_new(inputs, c->args.step->inputs[i].name, value))
            return error_nomem(err_of(c));
    }
    _cleanup_(mem_free_ptr) char *text = json_to_pretty(inputs);
    return text ? file_write(path, text, strlen(text), 0600, err_of(c)) : error_nomem(err_of(c));
}

/* ---- the environment (DESIGN section 6, "Run") ---- */

static bool env_add(char ***env, const char *name, const char *value) {
    char *entry = mem_text("%s=%s", name, value);
    return entry && strv_take(env, entry);
}

static bool env_add_time(char ***env, const char *name, int64_t ms) {
    char text[TIME_TEXT_SIZE] = "";
    if (ms != CTCD_TIME_NONE)
        time_to_text(ms, text);
    return env_add(env, name, text);
}

/* NULL: op.err says why, or memory ran out. */
static char **environment(struct command *c, const char *inputs, const char *outputs) {
    const struct run_view *run = c->args.run;
    _cleanup_(mem_free_ptr) char *stack = NULL;
    char **env = NULL;
    char attempt[24];
    int64_t nominal =
        run->record.nominal_ms != CTCD_TIME_NONE ? run->record.nominal_ms : run->record.created_ms;
    if (step_stack_name(c->op.ctx, &stack, err_of(c)))
        return NULL;
    snprintf(attempt, sizeof(attempt), "%" PRId64, c->attempt);
    if (env_add(&env, "CTCD_INPUTS", inputs) && env_add(&env, "CTCD_OUTPUTS", outputs) &&
        env_add(&env, "CTCD_ARTIFACTS", c->artifacts) &&
        env_add(&env, "CTCD_PIPELINE_NAME", run->record.pipeline) &&
        env_add(&env, "CTCD_RUN_ID", run->record.uuid) &&
        env_add(&env, "CTCD_RUN_NAME", run->record.name) &&
        env_add(&env, "CTCD_STEP_NAME", c->args.step->name) &&
        env_add_time(&env, "CTCD_NOMINAL_TIME", nominal) &&
        env_add_time(&env, "CTCD_PREVIOUS_NOMINAL_TIME", run->previous_ms) &&
        env_add_time(&env, "CTCD_DATA_INTERVAL_START", run->previous_ms) &&
        env_add_time(&env, "CTCD_DATA_INTERVAL_END", nominal) &&
        env_add(&env, "CTCD_STACK", stack) && env_add(&env, "CTCD_ATTEMPT", attempt) &&
        env_add(&env, "CTCD_HOME", run->ctx->home) &&
        (!c->args.run_error || env_add(&env, "CTCD_RUN_ERROR", c->args.run_error)))
        return env;
    strv_free(env);
    return NULL;
}

/* ---- start ---- */

static char **arguments(struct command *c) {
    char **argv = NULL;
    for (char **a = c->args.step->argv; *a; a++) {
        char *text = NULL;
        if (pipeline_spec_substitute(&c->args.run->pipeline->spec, *a, &text, err_of(c)) ||
            !strv_take(&argv, text)) {
            strv_free(argv);
            return NULL;
        }
    }
    return argv;
}

/* What tells the processes of this attempt from all others. */
static char *marker_of(const struct command *c) {
    return mem_text("run-%s-%s-%" PRId64, c->args.run->record.uuid, c->args.step->name, c->attempt);
}

static int spawn(struct command *c, const char *inputs, const char *outputs) {
    const char *shim = NULL;
    _cleanup_(strv_done) char **argv = arguments(c);
    _cleanup_(strv_done) char **env = environment(c, inputs, outputs);
    _cleanup_(mem_free_ptr) char *marker = marker_of(c);
    if (!argv)
        return c->op.err ? error_code(c->op.err) : error_nomem(err_of(c));
    if (!env || !marker)
        return c->op.err ? error_code(c->op.err) : error_nomem(err_of(c));
    int rc = context_shim(c->op.ctx, &shim, err_of(c));
    if (rc)
        return rc;
    struct child_spec spec = {
        .dir = c->folder,
        .generation = GENERATION,
        .argv = argv,
        .env = env,
        .cwd = c->args.run->pipeline->spec.folder,
        .log = c->log,
        .listen_fd = -1,
        .marker = marker,
        .grace_ms = -1,
        .shim_path = shim,
    };
    return child_start(&spec, err_of(c));
}

static int64_t timeout_of(const struct command *c) {
    return c->args.step->timeout_ms ? c->args.step->timeout_ms : STEP_TIMEOUT_MS;
}

/* An attempt of that number was made which the store knows nothing of, because the home was restored since. What
   it left is not this one's; and its number would be taken for ours. */
static int clear_unknown(struct command *c) {
    _cleanup_(mem_free_ptr) char *alive = path_join(c->folder, "alive");
    if (!alive)
        return error_nomem(err_of(c));
    if (!file_exists(alive))
        return 0;
    int rc = tree_remove(c->folder, err_of(c));
    return rc ? rc : file_make_folders(c->artifacts, err_of(c));
}

/* A failure from WAIT on is one of the attempt, which has its row by then. */
static int prepare(struct command *c) {
    int rc = locate(c);
    if (!rc)
        rc = file_make_folders(c->artifacts, err_of(c));
    if (!rc)
        rc = step_begin(&c->args, c->attempt, c->folder, c->log, err_of(c));
    if (rc)
        return rc;
    c->phase = WAIT;
    c->until = context_mono(c->op.ctx) + timeout_of(c);
    c->kill_at = 0;
    c->timed_out = c->inherited = false;
    _cleanup_(mem_free_ptr) char *inputs = path_join(c->folder, "inputs.json");
    _cleanup_(mem_free_ptr) char *outputs = path_join(c->folder, "outputs.json");
    if (!inputs || !outputs)
        return error_nomem(err_of(c));
    rc = clear_unknown(c);
    if (!rc)
        rc = write_inputs(c, inputs);
    return rc ? rc : spawn(c, inputs, outputs);
}

/* What is left of a span that began by the wall clock, which may have been set meanwhile. */
static int64_t left_of(const struct command *c, int64_t span_ms, int64_t since_ms) {
    int64_t gone = 0;
    if (__builtin_sub_overflow(context_wall(c->op.ctx), since_ms, &gone) || gone < 0)
        return span_ms;
    return gone < span_ms ? span_ms - gone : 0;
}

/* Where a dead process stood: in an attempt, which is looked after first; in the pause after a failed one;
   or before any. */
static int take_up(struct command *c) {
    const struct store_step *last = c->args.last;
    int64_t now = context_mono(c->op.ctx);
    c->failures = c->args.failures;
    c->attempt = step_next_attempt(&c->args);
    c->phase = PREPARE;
    if (step_left(&c->args)) {
        c->attempt = last->attempt;
        c->inherited = true;
        c->until = now + left_of(c, timeout_of(c), last->started_ms);
        c->phase = WAIT;
        return locate(c);
    }
    if (last && last->status == STORE_STEP_FAILED && !last->retried) {
        c->until = now + left_of(c, step_retry_delay(c->args.step, c->failures), last->ended_ms);
        c->phase = RETRY_PAUSE;
    }
    return 0;
}

/* ---- outputs ---- */

static int read_outputs(struct command *c, struct json **ret) {
    _cleanup_(mem_free_ptr) char *path = path_join(c->folder, "outputs.json");
    if (!path)
        return error_nomem(err_of(c));
    if (!file_exists(path))
        return (*ret = json_new_object()) ? 0 : error_nomem(err_of(c));
    _cleanup_(mem_free_ptr) char *text = NULL;
    size_t len = 0;
    int rc = file_read(path, OUTPUTS_MOST_BYTES, FILE_NO_FOLLOW, &text, &len, err_of(c));
    if (!rc)
        rc = json_parse(text, len, OUTPUTS_MOST_BYTES,
                        JSON_PYTHON | JSON_USER_INPUT | JSON_UNIQUE_KEYS, "the step's outputs", ret,
                        err_of(c));
    if (!rc && json_kind(*ret) != JSON_KIND_OBJECT) {
        rc =
            error_set(err_of(c), CTCD_E_FAILED, "write an object to the file named by CTCD_OUTPUTS",
                      "its outputs are %s, not a JSON object", json_kind_name(json_kind(*ret)));
        *ret = json_unref(*ret);
    }
    return rc;
}

/* ---- the end of an attempt ---- */

static int complete(struct command *c) {
    _cleanup_(json_done) struct json *outputs = NULL;
    _cleanup_(step_artifacts_done) struct step_artifacts all = {0};
    int rc = read_outputs(c, &outputs);
    if (!rc)
        rc = step_collect(c->args.step, c->artifacts, outputs, NULL, &all, err_of(c));
    if (!rc)
        rc = step_end(&c->args, c->attempt, STORE_STEP_COMPLETED, NULL, all.items, all.count, NULL,
                      err_of(c));
    return rc;
}

static void add_log_tail(struct command *c) {
    _cleanup_(mem_free_ptr) char *tail = NULL;
    if (c->log && !log_last_lines(c->log, TAIL_LINES, LOG_TAIL_BYTES, &tail, NULL) && tail[0])
        error_set_details(err_of(c), tail);
}

static void begin_again(struct command *c, int64_t delay_ms) {
    error_done(err_of(c));
    c->attempt++;
    c->until = context_mono(c->op.ctx) + delay_ms;
    c->phase = RETRY_PAUSE;
}

/* The attempt failed (op.err says why): recorded, and begun again where the step has retries left. */
static int failed(struct command *c, int rc) {
    add_log_tail(c);
    enum store_step_status status = c->op.stop ? STORE_STEP_CANCELED : STORE_STEP_FAILED;
    const char *message = error_message(c->op.err);
    int recorded = step_end(&c->args, c->attempt, status, message, NULL, 0, NULL, NULL);
    c->failures++;
    if (recorded || c->op.stop || c->failures > c->args.step->retries_max)
        return rc;
    int64_t delay_ms = step_retry_delay(c->args.step, c->failures);
    op_progress(&c->op, "step %s: attempt %lld failed (%s); again in %lld ms", c->args.step->name,
                (long long)c->attempt, message, (long long)delay_ms);
    begin_again(c, delay_ms);
    return 0;
}

/* It is not there, and nothing of its own is to blame: that is no failure, unless the pipeline says so. */
static int lost(struct command *c, const char *how) {
    error_set(err_of(c), CTCD_E_FAILED, NULL, c->inherited ? "it was interrupted: %s" : "%s", how);
    if (!c->inherited || c->op.stop || c->args.run->pipeline->spec.crash_fails)
        return failed(c, CTCD_E_FAILED);
    int rc = step_end(&c->args, c->attempt, STORE_STEP_INTERRUPTED, error_message(c->op.err), NULL,
                      0, NULL, err_of(c));
    if (rc)
        return rc;
    op_progress(&c->op, "step %s: attempt %lld was interrupted; again", c->args.step->name,
                (long long)c->attempt);
    begin_again(c, 0);
    return 0;
}

static int ended(struct command *c, const struct child_status *status) {
    char how[160];
    if (c->timed_out)
        return failed(c, error_set(err_of(c), CTCD_E_FAILED,
                                   "give it more time (timeout: of the step)",
                                   "it did not end within its time-out of %g s",
                                   (double)timeout_of(c) / 1000));
    if (status->state == CHILD_MONITOR_LOST)
        return lost(c, "its monitor was lost, and how it ended is not known");
    if (status->state == CHILD_REBOOTED)
        return lost(c, "the machine went down under it");
    if (status->state == CHILD_NOT_STARTED)
        return lost(c, "it had not begun");
    if (status->exit_status == 0) {
        int rc = complete(c);
        if (!rc)
            op_progress(&c->op, "step %s: completed", c->args.step->name);
        return rc ? failed(c, rc) : 0;
    }
    child_describe_end(status, how, sizeof(how));
    if (status->os_errno)
        return failed(c, error_set(err_of(c), CTCD_E_FAILED,
                                   "a program is looked for in PATH, a path starts at the "
                                   "pipeline's folder",
                                   "its program %s %s", c->args.step->argv[0], how));
    return failed(c, error_set(err_of(c), CTCD_E_FAILED, NULL, "it %s", how));
}

/* ---- waiting ---- */

static void close_pidfd(struct command *c) {
    if (c->pidfd >= 0)
        close(c->pidfd);
    c->pidfd = -1;
}

/* Asks it to end, then kills. */
static void end_child(struct command *c) {
    int64_t now = context_mono(c->op.ctx);
    if (!c->kill_at) {
        child_signal(c->folder, GENERATION, SIGTERM, NULL);
        c->kill_at = now + KILL_AFTER_MS;
    } else if (now >= c->kill_at) {
        child_signal(c->folder, GENERATION, SIGKILL, NULL);
        c->kill_at = now + KILL_AFTER_MS;
    }
}

/* By their marker, which works without a shim and without a folder. CTCD_AGAIN: there were some. */
static int clear_lost(struct command *c) {
    _cleanup_(mem_free_ptr) char *marker = marker_of(c);
    size_t found = 0;
    int rc = marker ? child_kill_marked(marker, &found, NULL) : CTCD_E_NOMEM;
    if (rc || !found)
        return rc;
    op_wait_until(&c->op, context_mono(c->op.ctx) + LOOK_AGAIN_MS);
    return CTCD_AGAIN;
}

/* Where there is none a late shim may still come, unless it is fenced off. */
static int look(struct command *c, struct child_status *status) {
    int rc = child_look(c->folder, GENERATION, status, err_of(c));
    if (rc || status->state != CHILD_NOT_STARTED)
        return rc;
    rc = child_fence(c->folder, GENERATION + 1, err_of(c));
    if (rc == CTCD_AGAIN)
        status->state = CHILD_STARTING;
    return rc == CTCD_AGAIN ? 0 : rc;
}

/* CTCD_NONE: it ended since it was looked at. */
static int name_waits(struct command *c) {
    int rc = child_pidfd(c->folder, GENERATION, &c->pidfd, NULL);
    if (rc == CTCD_NONE)
        return rc;
    if (rc == 0)
        rc = op_wait_fd(&c->op, c->pidfd, EPOLLIN);
    if (rc) {
        close_pidfd(c);
        op_wait_until(&c->op, context_mono(c->op.ctx) + LOOK_AGAIN_MS);
    }
    op_wait_until(&c->op, c->kill_at ? c->kill_at : c->until);
    return CTCD_AGAIN;
}

/* It is there: it is waited for, and ended where its time is up. CTCD_NONE: it is not there any more. */
static int stay(struct command *c, const struct child_status *status) {
    c->inherited = false;
    if (context_mono(c->op.ctx) >= c->until && !c->op.stop && status->state != CHILD_ENDING)
        c->timed_out = true;
    if (c->op.stop || c->timed_out)
        end_child(c);
    return name_waits(c);
}

/* No memory for a look is no reason to end what runs: the next one may have some. */
static int look_later(struct command *c) {
    error_done(err_of(c));
    op_wait_until(&c->op, context_mono(c->op.ctx) + LOOK_AGAIN_MS);
    return CTCD_AGAIN;
}

static int wait(struct command *c) {
    for (;;) {
        struct child_status status = {0};
        close_pidfd(c);
        int rc = look(c, &status);
        if (rc == CTCD_E_NOMEM)
            return look_later(c);
        bool here = !rc && (status.state == CHILD_STARTING || status.state == CHILD_RUNNING ||
                            status.state == CHILD_ENDING);
        if (here && (rc = stay(c, &status)) != CTCD_NONE)
            return rc;
        if (here)
            continue;
        if ((rc || status.state == CHILD_NOT_STARTED || status.state == CHILD_MONITOR_LOST) &&
            clear_lost(c) == CTCD_AGAIN)
            return CTCD_AGAIN;
        return rc ? failed(c, rc) : ended(c, &status);
    }
}

static int command_step(ctcd_op *op) {
    struct command *c = (struct command *)op;
    int rc = c->phase == BEGIN ? take_up(c) : 0;
    if (!rc && op->stop && c->phase != WAIT)
        return op_fail_stopped(op);
    while (!rc) {
        switch (c->phase) {
        case BEGIN:
        case PREPARE:
            rc = prepare(c);
            if (rc && c->phase == WAIT)
                rc = failed(c, rc);
            break;
        case WAIT:
            rc = wait(c);
            if (!rc && c->phase == WAIT)
                return 0;
            break;
        case RETRY_PAUSE:
            if (context_mono(op->ctx) < c->until) {
                op_wait_until(op, c->until);
                return CTCD_AGAIN;
            }
            c->phase = PREPARE;
            break;
        }
    }
    return rc;
}

static void command_done(ctcd_op *op) {
    struct command *c = (struct command *)op;
    close_pidfd(c);
    mem_free(c->folder);
    mem_free(c->artifacts);
    mem_free(c->log);
    c->folder = c->artifacts = c->log = NULL;
}

static const struct op_kind COMMAND = {.name = "step", .step = command_step, .done = command_done};

int step_command_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret) {
    ctcd_op *op = NULL;
    int rc =
        op_new(parent->ctx, &COMMAND, sizeof(struct command), op_left(parent), &op, OP_ERR(parent));
    if (rc)
        return rc;
    ((struct command *)op)->args = *args;
    ((struct command *)op)->pidfd = -1;
    op_start(op, parent);
    *ret = op;
    return 0;
}
