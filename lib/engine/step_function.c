/* A function step (run.h): a function of the program, called from the loop, which ends at once or by another
   thread's ctcd_step_finish(). */
#include "engine/function.h"
#include "engine/step_outputs.h"

enum phase { BEGIN, CALL, WAIT, PAUSE };

struct function_op {
    ctcd_op op;
    struct step_args args;
    enum phase phase;
    int64_t attempt, failures;
    int64_t
        until; /* monotonic: the attempt's time-out, or the end of the pause; INT64_MAX = none */
    ctcd_step *step;
};

static ctcd_error **err_of(struct function_op *f) {
    return OP_ERR(&f->op);
}

static void let_go(struct function_op *f) {
    step_object_close(f->step);
    f->step = step_object_unref(f->step);
}

/* ---- the end of an attempt ---- */

/* op.err says why. */
static int failed(struct function_op *f, int rc) {
    let_go(f);
    enum store_step_status status = f->op.stop ? STORE_STEP_CANCELED : STORE_STEP_FAILED;
    const char *message = error_message(f->op.err);
    int recorded = step_end(&f->args, f->attempt, status, message, NULL, 0, NULL, NULL);
    f->failures++;
    if (recorded || f->op.stop || f->failures > f->args.step->retries_max)
        return rc;
    int64_t delay_ms = step_retry_delay(f->args.step, f->failures);
    op_progress(&f->op, "step %s: attempt %lld failed (%s); again in %lld ms", f->args.step->name,
                (long long)f->attempt, message, (long long)delay_ms);
    error_done(err_of(f));
    f->attempt++;
    f->until = context_mono(f->op.ctx) + delay_ms;
    f->phase = PAUSE;
    return 0;
}

static int complete(struct function_op *f) {
    _cleanup_(step_artifacts_done) struct step_artifacts all = {0};
    ctcd_step *s = f->step;
    int rc = step_collect(f->args.step, s->artifacts, s->outputs, s->services, &all, err_of(f));
    if (!rc)
        rc = step_end(&f->args, f->attempt, STORE_STEP_COMPLETED, NULL, all.items, all.count, NULL,
                      err_of(f));
    if (rc)
        return failed(f, rc);
    let_go(f);
    op_progress(&f->op, "step %s: completed", f->args.step->name);
    return 0;
}

/* The signal that ended a wait inside the function was meant for all. */
static void stop_all(struct function_op *f) {
    ctcd_op *root = &f->op;
    while (root->parent)
        root = root->parent;
    op_stop(root, CTCD_E_INTERRUPTED);
    op_stop(&f->op, CTCD_E_INTERRUPTED);
}

static int ended(struct function_op *f, int result) {
    ctcd_step *s = f->step;
    (void)pthread_mutex_lock(&s->lock);
    ctcd_error *said = mem_steal(&s->err);
    (void)pthread_mutex_unlock(&s->lock);
    if (result == 0) {
        error_unref(said);
        return complete(f);
    }
    if (result == CTCD_E_INTERRUPTED)
        stop_all(f);
    error_done(err_of(f));
    *err_of(f) = said;
    if (result > 0 || result < CTCD_E_PROTOCOL)
        error_set(err_of(f), CTCD_E_PLUGIN, NULL,
                  "the function %s returned %d, which means nothing", f->args.step->function,
                  result);
    else if (!said)
        error_set(err_of(f), result, NULL, "the function %s failed (%s)", f->args.step->function,
                  error_code_name(result));
    return failed(f, CTCD_E_FAILED);
}

/* ---- an attempt ---- */

/* What a dead process left of the step. */
static int take_up(struct function_op *f) {
    const struct store_step *left = step_left(&f->args);
    f->failures = f->args.failures;
    f->attempt = step_next_attempt(&f->args);
    f->phase = CALL;
    return left ? step_end_left(&f->args, left, f->op.stop, err_of(f)) : 0;
}

static int call(struct function_op *f) {
    const struct function *function = function_find(f->op.ctx, f->args.step->function);
    if (!function)
        return error_set(err_of(f), CTCD_E_INVALID, NULL, "the function %s is not registered here",
                         f->args.step->function);
    int rc = step_begin(&f->args, f->attempt, NULL, NULL, err_of(f));
    if (rc)
        return rc;
    f->phase = WAIT;
    int64_t span = f->args.step->timeout_ms;
    f->until = span ? context_mono(f->op.ctx) + span : INT64_MAX;
    rc = step_object_new(&f->op, &f->args, f->attempt, &f->step, err_of(f));
    if (rc)
        return failed(f, rc);
    rc = function->run(function->user_data, f->step);
    return rc == CTCD_AGAIN ? 0 : ended(f, rc);
}

static int wait(struct function_op *f) {
    (void)pthread_mutex_lock(&f->step->lock);
    bool finished = f->step->finished;
    int result = f->step->result;
    (void)pthread_mutex_unlock(&f->step->lock);
    if (finished)
        return ended(f, result);
    if (f->op.stop) /* its thread hears of it by ctcd_step_canceled(); nobody waits for that */
        return failed(f, op_fail_stopped(&f->op));
    if (context_mono(f->op.ctx) >= f->until)
        return failed(f, error_set(err_of(f), CTCD_E_FAILED,
                                   "give it more time (timeout: of the step)",
                                   "it did not end within its time-out of %g s",
                                   (double)f->args.step->timeout_ms / 1000));
    op_wait_child(&f->op); /* ctcd_step_finish() wakes it */
    op_wait_until(&f->op, f->until);
    return CTCD_AGAIN;
}

static int function_step(ctcd_op *op) {
    struct function_op *f = (struct function_op *)op;
    int rc = f->phase == BEGIN ? take_up(f) : 0;
    if (!rc && op->stop && f->phase != WAIT)
        return op_fail_stopped(op);
    while (!rc) {
        switch (f->phase) {
        case BEGIN:
        case CALL:
            rc = call(f);
            break;
        case WAIT:
            rc = wait(f);
            break;
        case PAUSE:
            if (context_mono(op->ctx) < f->until) {
                op_wait_until(op, f->until);
                return CTCD_AGAIN;
            }
            f->phase = CALL;
            break;
        }
        if (!rc && f->phase == WAIT && !f->step)
            return 0; /* completed */
    }
    return rc;
}

static void function_done(ctcd_op *op) {
    let_go((struct function_op *)op);
}

static const struct op_kind FUNCTION = {
    .name = "step", .step = function_step, .done = function_done, .outer = true};

int step_function_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret) {
    ctcd_op *op = NULL;
    int rc = op_new(parent->ctx, &FUNCTION, sizeof(struct function_op), op_left(parent), &op,
                    OP_ERR(parent));
    if (rc)
        return rc;
    ((struct function_op *)op)->args = *args;
    op_start(op, parent);
    *ret = op;
    return 0;
}
