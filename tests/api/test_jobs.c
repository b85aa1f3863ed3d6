/* Steps side by side, what becomes of the others when one fails, and the command of on_failure. */
#include "api.h"

static ctcd_pipeline *pipeline;
static ctcd_run *run;

static void end(void) {
    run = ctcd_run_unref(run);
    pipeline = ctcd_pipeline_unref(pipeline);
    api_close();
}

static void parse(const char *text) {
    ok(ctcd_pipeline_parse(ctx, text, api_folder, &pipeline, &err));
}

static const char *status(const char *name) {
    for (size_t i = 0; i < ctcd_run_step_count(run); i++)
        if (strcmp(ctcd_run_step_name(run, i), name) == 0)
            return ctcd_run_step_status(run, i);
    return "not there";
}

/* What the steps wrote into a file of the pipeline's folder, "" without. */
static const char *written(const char *name) {
    static char text[1024];
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/%s", api_folder, name);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        ck_assert_int_eq(fclose(file), 0);
    text[n] = '\0';
    return text;
}

/* Two that end only together: each waits for the other's word. */
#define PAIR                                                                                       \
    "pipeline: p\nsteps:\n"                                                                        \
    "  a: {command: [sh, -c, 'test -p g || mkfifo g 2>/dev/null; echo a >g']}\n"                   \
    "  b: {command: [sh, -c, 'test -p g || mkfifo g 2>/dev/null; read x <g; echo $x >got']}\n"     \
    "  c: {command: [sh, -c, 'echo c >>after'], after: [a, b]}\n"

START_TEST(independent_steps_run_together) {
    parse(PAIR "jobs: 2\n");
    ok(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err));
    ck_assert_str_eq(written("got"), "a\n");
    ck_assert_str_eq(written("after"), "c\n");
}
END_TEST

START_TEST(one_at_a_time_is_the_default) {
    parse(PAIR);
    fails(ctcd_pipeline_run(pipeline, 1000, &run, &err), CTCD_E_TIMEOUT); /* a waits for b */
    ck_assert_str_eq(status("a"), "canceled");
    ck_assert_str_eq(status("b"), "skipped");
    run = ctcd_run_unref(run);
    fails(ctcd_pipeline_set_jobs(pipeline, 0, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_set_jobs(pipeline, 65, &err), CTCD_E_INVALID);
    ok(ctcd_pipeline_set_jobs(pipeline, 2, &err));
    ok(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err));
}
END_TEST

START_TEST(never_more_than_that) {
    parse("pipeline: p\njobs: 2\nsteps:\n"
          "  a: {command: [sh, -c, 'echo + >>n; echo - >>n']}\n"
          "  b: {command: [sh, -c, 'echo + >>n; echo - >>n']}\n"
          "  c: {command: [sh, -c, 'echo + >>n; echo - >>n']}\n"
          "  d: {command: [sh, -c, 'echo + >>n; echo - >>n']}\n"
          "  e: {command: [sh, -c, 'echo + >>n; echo - >>n']}\n");
    ok(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err));
    int now = 0, most = 0, all = 0;
    for (const char *at = written("n"); *at; at++) {
        now += *at == '+' ? 1 : *at == '-' ? -1 : 0;
        all += *at == '+';
        most = now > most ? now : most;
    }
    ck_assert_int_eq(all, 5);
    ck_assert_int_le(most, 2);
}
END_TEST

START_TEST(after_a_failure_what_runs_ends_and_nothing_begins) {
    parse("pipeline: p\njobs: 2\nsteps:\n"
          "  bad: {command: [sh, -c, 'mkfifo g 2>/dev/null; echo >g; exit 3']}\n"
          "  good: {command: [sh, -c, 'mkfifo g 2>/dev/null; read x <g; echo done >good']}\n"
          "  next: {command: [sh, -c, 'echo >next'], after: [good]}\n"
          "  below: {command: [\"true\"], after: [bad]}\n");
    fails(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "step bad failed");
    ck_assert_str_eq(status("good"), "completed");
    ck_assert_str_eq(status("below"), "skipped");
    ck_assert_str_eq(written("good"), "done\n");
}
END_TEST

START_TEST(a_cancel_stops_all_that_run) {
    ctcd_op *op = NULL;
    parse("pipeline: p\njobs: 3\nsteps:\n"
          "  a: {command: [sh, -c, 'echo a >>up; exec sleep 600']}\n"
          "  b: {command: [sh, -c, 'echo b >>up; exec sleep 600']}\n"
          "  c: {command: [\"true\"], after: [a]}\n");
    ok(ctcd_pipeline_run_begin(pipeline, LONG_MS, &op, &err));
    while (strlen(written("up")) < 4)
        fails(ctcd_op_wait(op, 20, &err), CTCD_E_TIMEOUT);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_CANCELED);
    ok(ctcd_op_take_run(op, &run, &err));
    ck_assert_str_eq(status("a"), "canceled");
    ck_assert_str_eq(status("b"), "canceled");
    ck_assert_str_eq(status("c"), "skipped");
    ctcd_op_unref(op);
}
END_TEST

/* ---- on_failure ---- */

#define HOOK "on_failure: [sh, -c, 'echo $CTCD_RUN_NAME: $CTCD_RUN_ERROR >>told; echo hooked']\n"

START_TEST(a_failed_run_is_told) {
    char *log = NULL;
    parse("pipeline: p\nsteps:\n  a: {command: [sh, -c, 'exit 4']}\n" HOOK);
    fails(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err), CTCD_E_FAILED);
    ck_assert_has(written("told"), ctcd_run_name(run));
    ck_assert_has(written("told"), "step a failed: it ended with exit status 4");
    ck_assert_str_eq(status("on_failure"), "completed");
    ck_assert_str_eq(ctcd_run_status(run), "failed");
    ok(ctcd_run_logs(run, "on_failure", 10, &log, &err));
    ck_assert_has(log, "hooked");
    ctcd_free(log);
}
END_TEST

START_TEST(a_good_or_cancelled_run_is_not) {
    ctcd_op *op = NULL;
    parse("pipeline: p\nsteps:\n  a: {command: [\"true\"]}\n" HOOK);
    ok(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err));
    run = ctcd_run_unref(run);
    pipeline = ctcd_pipeline_unref(pipeline);
    parse("pipeline: p\nsteps:\n  a: {command: [sleep, \"600\"]}\n" HOOK);
    ok(ctcd_pipeline_run_begin(pipeline, LONG_MS, &op, &err));
    settle(ctx);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    fails(ctcd_op_wait(op, LONG_MS, &err), CTCD_E_CANCELED);
    ctcd_op_unref(op);
    ck_assert_str_eq(written("told"), "");
}
END_TEST

START_TEST(a_failing_hook_changes_nothing) {
    parse("pipeline: p\nsteps:\n  a: {command: [sh, -c, 'exit 4']}\non_failure: [sh, -c, 'exit "
          "5']\n");
    fails(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "step a failed");
    ck_assert_str_eq(status("on_failure"), "failed");
    pipeline = ctcd_pipeline_unref(pipeline);
    fails(ctcd_pipeline_parse(ctx, "pipeline: p\nsteps:\n  on_failure: {command: [x]}\n", NULL,
                              &pipeline, &err),
          CTCD_E_INVALID);
}
END_TEST

SUITE_MAIN_WITH("jobs", api_open, end, independent_steps_run_together, one_at_a_time_is_the_default,
                never_more_than_that, after_a_failure_what_runs_ends_and_nothing_begins,
                a_cancel_stops_all_that_run, a_failed_run_is_told, a_good_or_cancelled_run_is_not,
                a_failing_hook_changes_nothing)
