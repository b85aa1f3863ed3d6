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
#include "io/file.h"
#include "io/process.h"
#include "io/tree.h"

#define OUTPUTS_MOST_BYTES (1 << 20)
#define GENERATION 1 /* each attempt has a folder of its own */
#define KILL_AFTER_MS 5000
#define LOOK_AGAIN_MS 100 /* between looks at a child that starts or ends */
#define TAIL_LINES 20

enum phase { PREPARE, WAIT, RETRY_PAUSE };

struct command {
    ctcd_op op;
    struct step_args args;
    enum phase phase;
    int64_t attempt;
    char *folder, *artifacts, *log; /* of this attempt */
    int64_t until;                  /* monotonic: the attempt's time-out, or the end of the pause */
    int64_t kill_at;                /* monotonic, 0 = not asked to end */
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

static char **environment(struct command *c, const char *inputs, const char *outputs) {
    const struct run_view *run = c->args.run;
    char **env = NULL;
    char attempt[24];
    int64_t nominal = run->record.nominal_ms;
    snprintf(attempt, sizeof(attempt), "%" PRId64, c->attempt);
    if (env_add(&env, "CTCD_INPUTS", inputs) && env_add(&env, "CTCD_OUTPUTS", outputs) &&
        env_add(&env, "CTCD_ARTIFACTS", c->artifacts) &&
        env_add(&env, "CTCD_PIPELINE_NAME", run->record.pipeline) &&
        env_add(&env, "CTCD_RUN_ID", run->record.uuid) &&
        env_add(&env, "CTCD_RUN_NAME", run->record.name) &&
        env_add(&env, "CTCD_STEP_NAME", c->args.step->name) &&
        env_add_time(&env, "CTCD_NOMINAL_TIME",
                     nominal != CTCD_TIME_NONE ? nominal : run->record.created_ms) &&
        env_add_time(&env, "CTCD_PREVIOUS_NOMINAL_TIME", run->previous_ms) &&
        env_add(&env, "CTCD_ATTEMPT", attempt) && env_add(&env, "CTCD_HOME", run->ctx->home))
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

static int spawn(struct command *c, const char *inputs, const char *outputs) {
    const char *shim = NULL;
    _cleanup_(strv_done) char **argv = arguments(c);
    _cleanup_(strv_done) char **env = environment(c, inputs, outputs);
    _cleanup_(mem_free_ptr) char *marker =
        mem_text("run-%s-%s-%" PRId64, c->args.run->record.uuid, c->args.step->name, c->attempt);
    if (!argv)
        return c->op.err ? error_code(c->op.err) : error_nomem(err_of(c));
    if (!env || !marker)
        return error_nomem(err_of(c));
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

static int prepare(struct command *c) {
    int rc = locate(c);
    if (!rc)
        rc = file_make_folders(c->artifacts, err_of(c));
    _cleanup_(mem_free_ptr) char *inputs = rc ? NULL : path_join(c->folder, "inputs.json");
    _cleanup_(mem_free_ptr) char *outputs = rc ? NULL : path_join(c->folder, "outputs.json");
    if (!rc && (!inputs || !outputs))
        rc = error_nomem(err_of(c));
    if (!rc)
        rc = write_inputs(c, inputs);
    if (!rc)
        rc = step_begin(&c->args, c->attempt, c->folder, c->log, err_of(c));
    if (rc)
        return rc;
    int64_t timeout = c->args.step->timeout_ms ? c->args.step->timeout_ms : STEP_TIMEOUT_MS;
    c->until = context_mono(c->op.ctx) + timeout;
    c->kill_at = 0;
    c->timed_out = false;
    c->phase = WAIT;
    return spawn(c, inputs, outputs);
}

/* ---- outputs ---- */

struct artifacts {
    struct store_artifact *items;
    size_t count;
};

static void artifacts_done(struct artifacts *a) {
    for (size_t i = 0; i < a->count; i++) {
        mem_free(a->items[i].name);
        mem_free(a->items[i].value);
        mem_free(a->items[i].sha256);
    }
    mem_free(a->items);
}

/* A text that names something inside the artifacts folder is an artifact by URI, hashed. */
static int add_artifact(struct command *c, struct artifacts *all, const char *name,
                        const struct json *value) {
    struct store_artifact *a = &all->items[all->count++];
    const char *text = json_text(value);
    char hash[65] = "";
    a->name = mem_copy_text(name);
    size_t len = strlen(c->artifacts);
    bool inside = text && strncmp(text, c->artifacts, len) == 0 && text[len] == '/' &&
                  !strstr(text, "/../") && file_exists(text);
    a->kind = inside ? STORE_ARTIFACT_URI : STORE_ARTIFACT_VALUE;
    a->value = inside ? mem_copy_text(text) : json_to_text(value);
    if (inside) {
        int rc = tree_hash(text, hash, err_of(c));
        if (rc)
            return error_prefix(err_of(c), "output \"%s\"", name);
    }
    a->sha256 = mem_copy_text(hash);
    return a->name && a->value && a->sha256 ? 0 : error_nomem(err_of(c));
}

static int undeclared(struct command *c, const char *name) {
    size_t count = strv_count(c->args.step->outputs);
    const char *near = text_nearest(name, (const char *const *)c->args.step->outputs, count);
    _cleanup_(mem_free_ptr) char *hint =
        near ? mem_text("did you mean \"%s\"?", near)
             : mem_copy_text("declare it under outputs: of the step");
    return error_set(err_of(c), CTCD_E_FAILED, hint,
                     "it wrote an output \"%s\", which the step does not declare", name);
}

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
        rc = json_parse(text, len, OUTPUTS_MOST_BYTES, JSON_PYTHON | JSON_USER_INPUT,
                        "the step's outputs", ret, err_of(c));
    if (!rc && json_kind(*ret) != JSON_KIND_OBJECT) {
        rc =
            error_set(err_of(c), CTCD_E_FAILED, "write an object to the file named by CTCD_OUTPUTS",
                      "its outputs are %s, not a JSON object", json_kind_name(json_kind(*ret)));
        *ret = json_unref(*ret);
    }
    return rc;
}

static int collect(struct command *c, struct artifacts *all) {
    _cleanup_(json_done) struct json *outputs = NULL;
    int rc = read_outputs(c, &outputs);
    if (rc)
        return rc == CTCD_E_NOMEM ? rc : CTCD_E_FAILED;
    char **declared = c->args.step->outputs;
    for (size_t i = 0; declared && declared[i]; i++)
        if (!json_get(outputs, declared[i]))
            return error_set(err_of(c), CTCD_E_FAILED, "write it to the file named by CTCD_OUTPUTS",
                             "it did not write its output \"%s\"", declared[i]);
    if (!(all->items = mem_array(json_size(outputs) + 1, sizeof(*all->items))))
        return error_nomem(err_of(c));
    for (struct json_iter i = json_members(outputs); json_next(&i);) {
        if (!strv_has(declared, i.key))
            return undeclared(c, i.key);
        rc = add_artifact(c, all, i.key, i.value);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- the end of an attempt ---- */

static int complete(struct command *c) {
    _cleanup_(artifacts_done) struct artifacts all = {0};
    int rc = collect(c, &all);
    if (!rc)
        rc = step_end(&c->args, c->attempt, STORE_STEP_COMPLETED, NULL, all.items, all.count, NULL,
                      err_of(c));
    return rc;
}

static void add_log_tail(struct command *c) {
    _cleanup_(mem_free_ptr) char *tail = NULL;
    if (c->log && !file_last_lines(c->log, TAIL_LINES, &tail, NULL) && tail[0])
        error_set_details(err_of(c), tail);
}

/* The attempt failed (op.err says why): recorded, and begun again where the step has retries left. */
static int failed(struct command *c, int rc) {
    add_log_tail(c);
    enum store_step_status status = c->op.stop ? STORE_STEP_CANCELED : STORE_STEP_FAILED;
    const char *message = error_message(c->op.err);
    int recorded = step_end(&c->args, c->attempt, status, message, NULL, 0, NULL, NULL);
    if (recorded || c->op.stop || c->attempt > c->args.step->retries_max)
        return rc;
    op_progress(&c->op, "step %s: attempt %lld failed (%s); again in %lld ms", c->args.step->name,
                (long long)c->attempt, message, (long long)c->args.step->retry_delay_ms);
    error_done(err_of(c));
    c->attempt++;
    c->until = context_mono(c->op.ctx) + c->args.step->retry_delay_ms;
    c->phase = RETRY_PAUSE;
    return 0;
}

static int ended(struct command *c, const struct child_status *status) {
    char how[160];
    if (c->timed_out)
        return failed(c, error_set(err_of(c), CTCD_E_FAILED,
                                   "give it more time (timeout: of the step)",
                                   "it did not end within its time-out"));
    if (status->state == CHILD_MONITOR_LOST)
        return failed(c, error_set(err_of(c), CTCD_E_FAILED, NULL,
                                   "its monitor was lost: how it ended is not known"));
    if (status->state == CHILD_REBOOTED)
        return failed(c,
                      error_set(err_of(c), CTCD_E_FAILED, NULL, "the machine went down under it"));
    if (status->state == CHILD_NOT_STARTED)
        return failed(
            c, error_set(err_of(c), CTCD_E_FAILED, NULL, "it was interrupted before it began"));
    if (status->exit_status == 0) {
        int rc = complete(c);
        if (rc == 0)
            op_progress(&c->op, "completed");
        return rc == 0 || rc == CTCD_E_NOMEM ? rc : failed(c, CTCD_E_FAILED);
    }
    child_describe_end(status, how, sizeof(how));
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

static int clear_lost(struct command *c) {
    _cleanup_(mem_free_ptr) char *marker =
        mem_text("run-%s-%s-%" PRId64, c->args.run->record.uuid, c->args.step->name, c->attempt);
    size_t found = 0;
    int rc = marker ? child_kill_marked(marker, &found, err_of(c)) : error_nomem(err_of(c));
    if (rc || !found)
        return rc;
    op_wait_until(&c->op, context_mono(c->op.ctx) + LOOK_AGAIN_MS);
    return CTCD_AGAIN;
}

static int wait(struct command *c) {
    struct child_status status = {0};
    close_pidfd(c);
    int rc = child_look(c->folder, GENERATION, &status, err_of(c));
    if (rc)
        return rc;
    if (status.state ==
        CHILD_NOT_STARTED) { /* its runner died before it: a late shim must not come */
        rc = child_fence(c->folder, GENERATION + 1, err_of(c));
        if (rc != CTCD_AGAIN)
            return rc ? rc : ended(c, &status);
    } else if (status.state == CHILD_MONITOR_LOST) {
        rc = clear_lost(c);
        return rc ? rc : ended(c, &status);
    } else if (status.state == CHILD_ENDED || status.state == CHILD_REBOOTED) {
        return ended(c, &status);
    }
    int64_t now = context_mono(c->op.ctx);
    if (now >= c->until && !c->op.stop)
        c->timed_out = true;
    if (c->op.stop || c->timed_out)
        end_child(c);
    rc = child_pidfd(c->folder, GENERATION, &c->pidfd, NULL);
    if (rc == 0)
        rc = op_wait_fd(&c->op, c->pidfd, EPOLLIN);
    if (rc) {
        close_pidfd(c);
        op_wait_until(&c->op, now + LOOK_AGAIN_MS);
    }
    op_wait_until(&c->op, c->kill_at ? c->kill_at : c->until);
    return CTCD_AGAIN;
}

static int command_step(ctcd_op *op) {
    struct command *c = (struct command *)op;
    if (op->stop && c->phase != WAIT)
        return op_fail_stopped(op);
    for (;;) {
        int rc = 0;
        switch (c->phase) {
        case PREPARE:
            rc = prepare(c);
            if (rc && c->phase == WAIT) /* it has its row: that one ends, too */
                rc = failed(c, rc);
            break;
        case WAIT:
            rc = wait(c);
            if (rc == 0 && c->phase == WAIT)
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
        if (rc)
            return rc;
    }
}

static void command_done(ctcd_op *op) {
    struct command *c = (struct command *)op;
    close_pidfd(c);
    mem_free(c->folder);
    mem_free(c->artifacts);
    mem_free(c->log);
    c->folder = c->artifacts = c->log = NULL;
}

static const struct op_kind COMMAND = {"step", command_step, command_done};

int step_command_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret) {
    ctcd_op *op = NULL;
    int rc =
        op_new(parent->ctx, &COMMAND, sizeof(struct command), op_left(parent), &op, OP_ERR(parent));
    if (rc)
        return rc;
    struct command *c = (struct command *)op;
    c->args = *args;
    c->attempt = args->attempt;
    c->pidfd = -1;
    if (args->left) { /* what a dead runner left: looked at before anything is begun anew */
        c->attempt = args->left->attempt;
        c->phase = WAIT;
        c->until = context_mono(parent->ctx) +
                   (args->step->timeout_ms ? args->step->timeout_ms : STEP_TIMEOUT_MS);
        rc = locate(c);
        if (rc) {
            error_done(OP_ERR(parent));
            *OP_ERR(parent) = error_ref(op->err);
            op_unref(op);
            return rc;
        }
    }
    op_start(op, parent);
    *ret = op;
    return 0;
}
