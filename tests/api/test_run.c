/* Runs through the API: the files and variables that a command step finds, what becomes of its outputs, failures
   and what they skip, decide and deploy steps on stand-in servers, and how runs are listed, printed and logged. */
#include "stand_in.h"

static ctcd_pipeline *parse(const char *text) {
    ctcd_pipeline *pipeline = NULL;
    ok(ctcd_pipeline_parse(ctx, text, api_folder, &pipeline, &err));
    return pipeline;
}

/* Runs once; the run, which must be there, whatever the result. */
static ctcd_run *run(ctcd_pipeline *pipeline, int expected) {
    ctcd_run *made = NULL;
    err = ctcd_error_unref(err);
    int rc = ctcd_pipeline_run(pipeline, LONG_MS, &made, &err);
    ck_assert_msg(rc == expected, "%s: %s", ctcd_code_name(rc), ctcd_error_message(err));
    ck_assert_ptr_nonnull(made);
    return made;
}

static ctcd_run *run_text(const char *text, int expected) {
    ctcd_pipeline *pipeline = parse(text);
    ctcd_run *made = run(pipeline, expected);
    ctcd_pipeline_unref(pipeline);
    return made;
}

static void drop(ctcd_run *made) {
    ck_assert_ptr_null(ctcd_run_unref(made));
}

#define ck_assert_step(run, index, name, status)                                                   \
    do {                                                                                           \
        ck_assert_str_eq(ctcd_run_step_name(run, index), name);                                    \
        ck_assert_str_eq(ctcd_run_step_status(run, index), status);                                \
    } while (0)

static char *log_of(ctcd_run *of, const char *step) {
    char *text = NULL;
    ok(ctcd_run_logs(of, step, 10000, &text, &err));
    return text;
}

/* ---- the life of a run ------------------------------------------------------------------------ */

#define TRAIN(json)                                                                                \
    "pipeline: sums\nparams: {accuracy: 0.93, target: 0.9}\nsteps:\n  train:\n"                    \
    "    command: [sh, -c, 'echo training; echo " json " >\"$CTCD_OUTPUTS\"']\n"                   \
    "    outputs: [accuracy, note]\n"

START_TEST(a_run_is_recorded) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    ctcd_run *made = run_text(TRAIN("{\\\"accuracy\\\": 0.93, \\\"note\\\": [1, NaN]}"), 0);
    int64_t begun = (int64_t)now.tv_sec * 1000;
    ck_assert_uint_eq(strlen(ctcd_run_uuid(made)), 36);
    ck_assert_int_eq(strncmp(ctcd_run_name(made), "sums-", 5), 0);
    ck_assert_str_eq(ctcd_run_pipeline(made), "sums");
    ck_assert_str_eq(ctcd_run_schedule(made), "");
    ck_assert_str_eq(ctcd_run_status(made), "completed");
    ck_assert_str_eq(ctcd_run_error(made), "");
    ck_assert_str_eq(ctcd_run_next(made), "");
    ck_assert(ctcd_run_nominal(made) == CTCD_TIME_NONE); /* by hand */
    ck_assert_int_ge(ctcd_run_started(made), begun);
    ck_assert_int_ge(ctcd_run_ended(made), ctcd_run_started(made));
    ck_assert_uint_eq(ctcd_run_step_count(made), 1);
    ck_assert_step(made, 0, "train", "completed");
    ck_assert_str_eq(ctcd_run_step_error(made, 0), "");
    ck_assert_int_eq(ctcd_run_step_attempts(made, 0), 1);
    ck_assert_int_ge(ctcd_run_step_started(made, 0), begun);
    ck_assert_int_ge(ctcd_run_step_ended(made, 0), ctcd_run_step_started(made, 0));
    ck_assert_has(ctcd_run_step_outputs(made, 0), "\"accuracy\":0.93");
    ck_assert_has(ctcd_run_step_outputs(made, 0), "NaN");
    const char *name = NULL;
    double number = 0;
    ck_assert_int_eq(ctcd_run_step_number(made, 0, 0, &name, &number), 0);
    ck_assert_str_eq(name, "accuracy");
    ck_assert(number == 0.93);
    ck_assert_int_eq(ctcd_run_step_number(made, 0, 0, NULL, NULL), 0);
    ck_assert_int_eq(ctcd_run_step_number(made, 0, 1, &name, &number),
                     CTCD_NONE); /* a list is none */
    ck_assert_int_eq(ctcd_run_step_number(made, 1, 0, &name, &number), CTCD_NONE);
    ck_assert_int_eq(ctcd_run_step_number(NULL, 0, 0, &name, &number), CTCD_NONE);
    ck_assert(number == 0.93);
    ck_assert_ptr_null(ctcd_run_step_decision(made, 0));
    ck_assert_ptr_null(ctcd_run_step_name(made, 1));
    ck_assert_ptr_null(ctcd_run_step_status(made, 1));
    ck_assert_ptr_null(ctcd_run_step_error(made, 1));
    ck_assert_int_eq(ctcd_run_step_attempts(made, 1), 0);
    ck_assert_ptr_null(ctcd_run_step_outputs(made, 1));
    ck_assert(ctcd_run_step_started(made, 1) == CTCD_TIME_NONE);
    ck_assert_ptr_null(ctcd_run_step_decision(made, 1));
    drop(made);
}
END_TEST

START_TEST(runs_are_found_listed_and_printed) {
    char *text = NULL, prefix[13];
    ctcd_list *list = NULL;
    ctcd_run *found = NULL;
    ctcd_run *first = run_text(TRAIN("{\\\"accuracy\\\": 1, \\\"note\\\": 1}"), 0);
    ctcd_run *second = run_text(TRAIN("{\\\"accuracy\\\": 2, \\\"note\\\": 2}"), 0);
    ctcd_run *other = run_text("pipeline: other\nsteps: {a: {command: [\"true\"]}}\n", 0);
    ck_assert_str_ne(ctcd_run_name(first), ctcd_run_name(second));
    ok(ctcd_run_get(ctx, ctcd_run_name(first), &found, &err));
    ck_assert_str_eq(ctcd_run_uuid(found), ctcd_run_uuid(first));
    ck_assert_ptr_eq(ctcd_run_ref(found), found);
    drop(found);
    drop(found);
    (void)snprintf(prefix, sizeof prefix, "%.12s", ctcd_run_uuid(second));
    ok(ctcd_run_get(ctx, prefix, &found, &err));
    ck_assert_str_eq(ctcd_run_name(found), ctcd_run_name(second));
    drop(found);
    found = NULL;
    fails(ctcd_run_get(ctx, "nosuch", &found, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_run_get(ctx, NULL, &found, &err), CTCD_E_INVALID);
    fails(ctcd_run_get(ctx, prefix, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(found);
    ok(ctcd_run_list(ctx, NULL, NULL, 100, 0, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 3);
    ck_assert_str_eq(ctcd_run_uuid(ctcd_list_run(list, 0)),
                     ctcd_run_uuid(other)); /* newest first */
    ck_assert_str_eq(ctcd_run_uuid(ctcd_list_run(list, 2)), ctcd_run_uuid(first));
    ck_assert_ptr_null(ctcd_list_run(list, 3));
    ck_assert_ptr_null(ctcd_list_pipeline(list, 0));
    ctcd_list_unref(list);
    ok(ctcd_run_list(ctx, "sums", NULL, 1, 1, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 1);
    ck_assert_str_eq(ctcd_run_uuid(ctcd_list_run(list, 0)), ctcd_run_uuid(first));
    ok(ctcd_list_format(list, "name", &text, &err));
    ck_assert_str_eq(text, ctcd_run_name(first));
    ctcd_free(text);
    ctcd_list_unref(list);
    ok(ctcd_run_list(ctx, NULL, "nosuch", 1, 0, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 0);
    ctcd_list_unref(list);
    list = NULL;
    fails(ctcd_run_list(ctx, NULL, NULL, 0, 0, &list, &err), CTCD_E_INVALID);
    fails(ctcd_run_list(ctx, NULL, NULL, 100001, 0, &list, &err), CTCD_E_INVALID);
    fails(ctcd_run_list(ctx, NULL, NULL, 1, -1, &list, &err), CTCD_E_INVALID);
    fails(ctcd_run_list(ctx, NULL, NULL, 1, 0, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(list);
    ok(ctcd_pipeline_list(ctx, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 2); /* by name */
    ck_assert_str_eq(ctcd_pipeline_name(ctcd_list_pipeline(list, 0)), "other");
    ck_assert_str_eq(ctcd_pipeline_name(ctcd_list_pipeline(list, 1)), "sums");
    ck_assert_ptr_null(ctcd_list_run(list, 0));
    ctcd_list_unref(list);
    fails(ctcd_pipeline_list(ctx, NULL, &err), CTCD_E_INVALID);
    ok(ctcd_run_format(second, "json", &text, &err));
    ck_assert_has(text, "\"status\": \"completed\"");
    ck_assert_has(text, "\"note\": 2");
    ck_assert_has(text, "\"nominal_ms\": null");
    ctcd_free(text);
    ok(ctcd_run_format(second, "yaml", &text, &err));
    ck_assert_has(text, "status: completed\n");
    ctcd_free(text);
    ok(ctcd_run_format(second, "name", &text, &err));
    ck_assert_str_eq(text, ctcd_run_name(second));
    ctcd_free(text);
    text = NULL;
    fails(ctcd_run_format(second, "csv", &text, &err), CTCD_E_INVALID);
    fails(ctcd_run_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    drop(first);
    drop(second);
    drop(other);
}
END_TEST

START_TEST(logs_are_followed_from_attempt_to_attempt) {
    ctcd_run *made =
        run_text("pipeline: p\nsteps:\n"
                 "  one: {command: [sh, -c, 'echo $CTCD_ATTEMPT; [ $CTCD_ATTEMPT = 2 ]'],\n"
                 "        retries: {max: 1, delay: 1ms}}\n"
                 "  quiet: {command: [\"true\"], after: [one]}\n"
                 "  two: {command: [sh, -c, 'printf end'], after: [quiet]}\n",
                 0);
    /* From the beginning on: what a cursor says that was given before anything had begun. */
    const char *const texts[] = {"1\n", "2\n", "end\n"};
    char *cursor = strdup("0::"), *text = NULL, *next = NULL;
    for (size_t i = 0; i < 3; i++) {
        ok(ctcd_run_logs_since(made, NULL, cursor, 0, &text, &next, &err));
        ck_assert_str_eq(text, texts[i]);
        ctcd_free(text);
        free(cursor);
        cursor = strdup(next);
        ctcd_free(next);
    }
    text = next = NULL;
    ck_assert_int_eq(ctcd_run_logs_since(made, NULL, cursor, 0, &text, &next, &err), CTCD_NONE);
    ok(ctcd_run_logs_since(made, "one", NULL, 1, &text, &next, &err));
    ck_assert_str_eq(text, "2\n");
    ctcd_free(text);
    ctcd_free(next);
    text = next = NULL;
    static const char *const bad[] = {"",       "x",        "1",    "1:x:one",
                                      "7::one", "1::three", "-1::", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fails(ctcd_run_logs_since(made, NULL, bad[i], 0, &text, &next, &err), CTCD_E_INVALID);
    fails(ctcd_run_logs_since(made, "two", cursor + 0, -1, &text, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_run_logs_since(made, "one", cursor, 0, &text, &next, &err), CTCD_E_INVALID);
    fails(ctcd_run_logs_since(made, NULL, NULL, -1, &text, &next, &err), CTCD_E_INVALID);
    fails(ctcd_run_logs_since(made, "for", NULL, 1, &text, &next, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_run_logs_since(NULL, NULL, NULL, 1, &text, &next, &err), CTCD_E_INVALID);
    ck_assert(!text && !next);
    free(cursor);
    drop(made);
}
END_TEST

START_TEST(logs_are_asked_by_step) {
    ctcd_run *made =
        run_text("pipeline: p\nsteps:\n"
                 "  one: {command: [sh, -c, 'for i in 1 2 3 4 5; do echo line $i; done']}\n"
                 "  two: {command: [sh, -c, 'echo out; echo err >&2'], after: [one]}\n"
                 "  three: {command: [\"true\"], after: [two]}\n",
                 0);
    char *text = log_of(made, "one");
    ck_assert_str_eq(text, "line 1\nline 2\nline 3\nline 4\nline 5");
    ctcd_free(text);
    ok(ctcd_run_logs(made, "one", 2, &text, &err));
    ck_assert_str_eq(text, "line 4\nline 5");
    ctcd_free(text);
    text = log_of(made, "two");
    ck_assert_str_eq(text, "out\nerr");
    ctcd_free(text);
    text = log_of(made, "three");
    ck_assert_str_eq(text, "");
    ctcd_free(text);
    text = log_of(made, NULL); /* the last step that printed anything */
    ck_assert_str_eq(text, "out\nerr");
    ctcd_free(text);
    text = NULL;
    fails(ctcd_run_logs(made, "for", 5, &text, &err), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), "for");
    fails(ctcd_run_logs(made, "one", 0, &text, &err), CTCD_E_INVALID);
    fails(ctcd_run_logs(made, "one", 10001, &text, &err), CTCD_E_INVALID);
    fails(ctcd_run_logs(made, "one", 5, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_run_logs(NULL, "one", 5, &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    drop(made);
}
END_TEST

/* ---- what a command step finds ---------------------------------------------------------------- */

START_TEST(a_step_finds_its_surroundings) {
    (void)write_file("show.sh",
                     "pwd\nenv | grep ^CTCD_ | sort\necho \"args: $*\"\n"
                     "cat \"$CTCD_INPUTS\"\ntest -d \"$CTCD_ARTIFACTS\" && echo folder\n");
    ctcd_run *made =
        run_text("pipeline: shows\nparams: {seed: 7, text: a b}\nsteps:\n"
                 "  first: {command: [sh, -c, 'echo \"{\\\"n\\\": 1.50, \\\"t\\\": \\\"x y\\\"}\" "
                 ">\"$CTCD_OUTPUTS\"'],"
                 " outputs: [n, t]}\n"
                 "  show:\n"
                 "    command: [sh, show.sh, \"${params.seed}\", 007, \"[${params.text}]\", "
                 "\"$HOME\", $$x]\n"
                 "    inputs: {number: first.n, words: first.t}\n",
                 0);
    char *text = log_of(made, "show"), part[5000];
    (void)snprintf(part, sizeof part, "%s\n", api_folder); /* it works in the file's folder */
    ck_assert_has(text, part);
    (void)snprintf(part, sizeof part, "CTCD_HOME=%s\n", api_home);
    ck_assert_has(text, part);
    (void)snprintf(part, sizeof part,
                   "CTCD_RUN_ID=%s\nCTCD_RUN_NAME=%s\nCTCD_STACK=serving\nCTCD_STEP_NAME=show\n",
                   ctcd_run_uuid(made), ctcd_run_name(made));
    ck_assert_has(text, part);
    ck_assert_has(text, "CTCD_PIPELINE_NAME=shows\n");
    ck_assert_has(text, "CTCD_ATTEMPT=1\n");
    ck_assert_has(text, "CTCD_NOMINAL_TIME=20"); /* of a run by hand: when it began */
    ck_assert_has(text, "CTCD_PREVIOUS_NOMINAL_TIME=\n");
    ck_assert_has(text, "CTCD_DATA_INTERVAL_START=\n");
    ck_assert_has(text, "CTCD_DATA_INTERVAL_END=20");
    ck_assert_has(text, "args: 7 007 [a b] $HOME $x\n"); /* no shell in between, no value changed */
    ck_assert_has(text, "\"number\": 1.5");
    ck_assert_has(text, "\"words\": \"x y\"");
    ck_assert_has(text, "}folder");
    ctcd_free(text);
    drop(made);
}
END_TEST

START_TEST(a_file_in_the_artifacts_folder_is_kept_by_its_path) {
    ctcd_run *made =
        run_text("pipeline: p\nsteps:\n  make:\n"
                 "    command: [sh, -c, 'mkdir \"$CTCD_ARTIFACTS/model\"; echo 7 "
                 ">\"$CTCD_ARTIFACTS/model/w\";"
                 " echo \"{\\\"model\\\": \\\"$CTCD_ARTIFACTS/model\\\"}\" >\"$CTCD_OUTPUTS\"']\n"
                 "    outputs: [model]\n"
                 "  use: {command: [sh, -c, 'cat \"$CTCD_INPUTS\"'], inputs: {m: make.model}}\n",
                 0);
    char path[5000], *text = log_of(made, "use");
    (void)snprintf(path, sizeof path, "%s/runs/%s/make/1/artifacts/model", api_home,
                   ctcd_run_uuid(made));
    ck_assert_has(ctcd_run_step_outputs(made, 0), path);
    ck_assert_has(text, path);
    ck_assert_int_eq(access(path, F_OK), 0);
    ctcd_free(text);
    drop(made);
}
END_TEST

/* ---- failures --------------------------------------------------------------------------------- */

START_TEST(a_failed_step_fails_the_run_and_skips_what_follows) {
    ctcd_run *made =
        run_text("pipeline: p\nsteps:\n"
                 "  good: {command: [\"true\"]}\n"
                 "  bad: {command: [sh, -c, 'echo going wrong >&2; exit 3'], outputs: [x],"
                 " after: [good]}\n"
                 "  needs: {command: [\"true\"], inputs: {x: bad.x}}\n"
                 "  later: {command: [\"true\"], after: [needs]}\n",
                 CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "step bad failed");
    ck_assert_has(ctcd_error_message(err), "exit status 3");
    ck_assert_has(ctcd_error_details(err), "going wrong");
    ck_assert_str_eq(ctcd_run_status(made), "failed");
    ck_assert_has(ctcd_run_error(made), "exit status 3");
    ck_assert_step(made, 0, "good", "completed");
    ck_assert_step(made, 1, "bad", "failed");
    ck_assert_step(made, 2, "needs", "skipped");
    ck_assert_step(made, 3, "later", "skipped");
    ck_assert_has(ctcd_run_step_error(made, 1), "exit status 3");
    ck_assert_has(ctcd_run_step_error(made, 2), "bad");
    ck_assert_int_eq(ctcd_run_step_attempts(made, 2), 0);
    drop(made);
}
END_TEST

START_TEST(outputs_are_what_the_step_declares) {
    static const struct {
        const char *json, *part, *hint;
    } cases[] = {
        {"{\\\"accuracy\\\": 1}", "\"note\"", "CTCD_OUTPUTS"},
        {"{\\\"accuracy\\\": 1, \\\"note\\\": 2, \\\"acuracy\\\": 3}", "acuracy", "accuracy"},
        {"{\\\"accuracy\\\": 1, \\\"note\\\": 2, \\\"zzz\\\": 3}", "zzz", "declare"},
        {"[1]", "object", "object"},
        {"{\\\"accuracy\\\": }", "outputs", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1000];
        (void)snprintf(text, sizeof text,
                       "pipeline: p\nsteps:\n  train:\n    command: [sh, -c, 'echo \"%s\" "
                       ">\"$CTCD_OUTPUTS\"']\n"
                       "    outputs: [accuracy, note]\n",
                       cases[i].json);
        ctcd_run *made = run_text(text, CTCD_E_FAILED);
        ck_assert_has(ctcd_error_message(err), cases[i].part);
        if (cases[i].hint)
            ck_assert_has(ctcd_error_hint(err), cases[i].hint);
        ck_assert_step(made, 0, "train", "failed");
        ck_assert_str_eq(ctcd_run_step_outputs(made, 0), "{}"); /* all or none */
        drop(made);
    }
}
END_TEST

START_TEST(a_step_that_fails_may_be_tried_again) {
    ctcd_run *made =
        run_text("pipeline: p\nsteps:\n  flaky:\n"
                 "    command: [sh, -c, 'echo try $CTCD_ATTEMPT; test $CTCD_ATTEMPT = 3']\n"
                 "    retries: {max: 2, delay: 0s}\n",
                 0);
    ck_assert_step(made, 0, "flaky", "completed");
    ck_assert_int_eq(ctcd_run_step_attempts(made, 0), 3);
    char *text = log_of(made, "flaky");
    ck_assert_str_eq(text, "try 3"); /* each attempt has a log of its own */
    ctcd_free(text);
    drop(made);
    made = run_text(
        "pipeline: p\nsteps:\n  never: {command: [\"false\"], retries: {max: 1, delay: 0s}}\n",
        CTCD_E_FAILED);
    ck_assert_int_eq(ctcd_run_step_attempts(made, 0), 2);
    ck_assert_step(made, 0, "never", "failed");
    drop(made);
}
END_TEST

START_TEST(how_a_step_ended_is_told) {
    static const struct {
        const char *command, *part;
    } cases[] = {
        {"[sh, -c, 'kill -9 $$$$']", "signal 9"},
        {"[sh, -c, 'exit 41']", "41"},
        {"[/no/such/program]", "/no/such/program"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        (void)snprintf(text, sizeof text, "pipeline: p\nsteps: {a: {command: %s}}\n",
                       cases[i].command);
        ctcd_run *made = run_text(text, CTCD_E_FAILED);
        ck_assert_has(ctcd_run_step_error(made, 0), cases[i].part);
        drop(made);
    }
    ctcd_run *made = run_text(
        "pipeline: p\nsteps: {a: {command: [sleep, \"600\"], timeout: 200ms}}\n", CTCD_E_FAILED);
    ck_assert_has(ctcd_run_step_error(made, 0), "time-out");
    ck_assert_step(made, 0, "a", "failed");
    drop(made);
}
END_TEST

/* ---- as an op --------------------------------------------------------------------------------- */

static void note_line(void *data, ctcd_op *op, const char *line) {
    char *all = data;
    (void)op;
    ck_assert_uint_lt(strlen(all) + strlen(line) + 2, 4096);
    strcat(strcat(all, line), "\n");
}

START_TEST(a_run_tells_how_it_goes) {
    char lines[4096] = "";
    ctcd_op *op = NULL;
    ctcd_run *made = NULL;
    ctcd_pipeline *pipeline = parse("pipeline: p\nsteps:\n  a: {command: [\"true\"]}\n"
                                    "  b: {command: [\"false\"], after: [a]}\n");
    ok(ctcd_pipeline_run_begin(pipeline, LONG_MS, &op, &err));
    ok(ctcd_op_set_progress(op, note_line, lines, NULL, &err));
    ctcd_pipeline_unref(pipeline); /* it has been recorded */
    fails(ctcd_op_take_run(op, &made, &err), CTCD_E_INVALID);
    fails(ctcd_op_wait(op, -1, &err), CTCD_E_FAILED);
    ok(ctcd_op_take_run(op, &made, &err)); /* also of one that failed */
    ck_assert_str_eq(ctcd_run_status(made), "failed");
    ck_assert_has(lines, "step a: started");
    ck_assert_has(lines, "step a: completed");
    ck_assert_has(lines, "step b: failed");
    drop(made);
    ctcd_op_unref(op);
    op = NULL;
    pipeline = parse("pipeline: p\nsteps:\n  a: {command: [\"true\"]}\n");
    fails(ctcd_pipeline_run_begin(pipeline, 0, &op, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_run_begin(pipeline, -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_pipeline_run(pipeline, 0, &made, &err), CTCD_E_INVALID);
    ok(ctcd_pipeline_run(pipeline, -1, NULL, &err)); /* nobody wants the run */
    ck_assert_ptr_null(op);
    ctcd_pipeline_unref(pipeline);
}
END_TEST

/* Begins a run of a step that sleeps, and waits until the step's process has said so. */
static ctcd_op *begin_sleep(const char *step) {
    char text[300];
    ctcd_op *op = NULL;
    (void)snprintf(text, sizeof text,
                   "pipeline: p\nsteps:\n  sleeps: {%s}\n  later: {command: [\"true\"]}\n", step);
    ctcd_pipeline *pipeline = parse(text);
    ok(ctcd_pipeline_run_begin(pipeline, LONG_MS, &op, &err));
    ctcd_pipeline_unref(pipeline);
    bool said = false;
    for (int64_t end = real_mono() + LONG_MS; !said && real_mono() < end;) {
        ctcd_list *all = NULL;
        ck_assert_int_ge(ctcd_context_wait(ctx, 10, &err), 0);
        ok(ctcd_run_list(ctx, NULL, NULL, 1, 0, &all, &err));
        char *log = log_of(ctcd_list_run(all, 0), "sleeps");
        said = strstr(log, "here") != NULL;
        ctcd_free(log);
        ctcd_list_unref(all);
    }
    ck_assert(said);
    return op;
}

START_TEST(a_cancelled_run_ends_its_step) {
    ctcd_run *made = NULL;
    ctcd_op *op = begin_sleep("command: [sh, -c, 'echo here; exec sleep 600']");
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    fails(ctcd_op_wait(op, -1, &err), CTCD_E_CANCELED);
    ok(ctcd_op_take_run(op, &made, &err));
    ck_assert_str_eq(ctcd_run_status(made), "canceled");
    ck_assert_step(made, 0, "sleeps", "canceled");
    ck_assert_step(made, 1, "later", "skipped");
    drop(made);
    ctcd_op_unref(op);
}
END_TEST

START_TEST(time_that_is_up_ends_a_run) {
    ctcd_run *made = NULL;
    ctcd_pipeline *pipeline = parse("pipeline: p\nsteps:\n  a: {command: [sleep, \"600\"]}\n");
    fails(ctcd_pipeline_run(pipeline, a_while(), &made, &err), CTCD_E_TIMEOUT);
    ck_assert_ptr_nonnull(made);
    ck_assert_str_eq(ctcd_run_status(made), "failed");
    ck_assert_has(ctcd_run_error(made), "time");
    drop(made);
    ctcd_pipeline_unref(pipeline);
}
END_TEST

/* ---- decide and deploy ------------------------------------------------------------------------ */

/* A pipeline whose model answers the value, with an accuracy; nothing but a promotion deploys it. */
static const char *newest_model;

static ctcd_pipeline *continuous(const char *value, const char *accuracy) {
    char text[6000];
    newest_model = a_model(value, "");
    (void)snprintf(
        text, sizeof text,
        "pipeline: digits\nsteps:\n"
        "  train:\n"
        "    command: [sh, -c, 'echo \"{\\\"model\\\": \\\"%s\\\", \\\"accuracy\\\": %s}\""
        " >\"$CTCD_OUTPUTS\"']\n"
        "    outputs: [model, accuracy]\n"
        "  decide:\n"
        "    decide: {metric: train.accuracy, threshold: 0.8, min_absolute_change: 0.01,"
        " deploys: deploy}\n"
        "  deploy:\n"
        "    when: decide\n"
        "    deploy: {model_name: digits, model_uri: train.model, min_ready: 0s, timeout: 40s}\n"
        "  check:\n"
        "    command: [sh, -c, 'cat \"$CTCD_INPUTS\"']\n"
        "    inputs: {service: deploy.service}\n",
        newest_model, accuracy);
    return parse(text);
}

static ctcd_run *train(const char *value, const char *accuracy, const char *verdict) {
    ctcd_pipeline *pipeline = continuous(value, accuracy);
    ctcd_run *made = run(pipeline, 0);
    ck_assert_step(made, 1, "decide", "completed");
    const ctcd_decision *decision = ctcd_run_step_decision(made, 1);
    ck_assert_ptr_nonnull(decision);
    ck_assert_str_eq(ctcd_decision_verdict_name(decision), verdict);
    ck_assert_has(ctcd_run_step_outputs(made, 1), verdict);
    ctcd_pipeline_unref(pipeline);
    return made;
}

static ctcd_service *served(void) {
    ctcd_list *list = NULL;
    ok(ctcd_service_find(ctx, NULL, "digits", "deploy", "digits", &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 1);
    ctcd_service *service = ctcd_service_ref(ctcd_list_service(list, 0));
    ctcd_list_unref(list);
    return service;
}

/* The standard deployer steps of the document that started the project, row by row: the decision, an
   incumbent, a model in this run -> what becomes of the service. Its trigger is strict (`gt`) and deploys
   what it rejects where nothing serves (`no_incumbent: always`). The row without a model and without an
   incumbent gives back a service there that never was; here the step is skipped. */
static ctcd_run *standard(const char *accuracy, const char *model) {
    char text[6000], quoted[4200];
    (void)snprintf(quoted, sizeof quoted, "\\\"%s\\\"", model ? model : "");
    (void)snprintf(
        text, sizeof text,
        "pipeline: digits\nsteps:\n"
        "  train:\n"
        "    command: [sh, -c, 'echo \"{\\\"model\\\": %s, \\\"accuracy\\\": %s}\""
        " >\"$CTCD_OUTPUTS\"']\n"
        "    outputs: [model, accuracy]\n"
        "  decide:\n"
        "    decide: {metric: train.accuracy, threshold: 0.9, comparison: gt,"
        " no_incumbent: always, deploys: deploy}\n"
        "  deploy:\n"
        "    when: decide\n"
        "    deploy: {model_name: digits, model_uri: train.model, min_ready: 0s, timeout: 40s,"
        " without_model: keep}\n",
        model ? quoted : "null", accuracy);
    ctcd_pipeline *pipeline = parse(text);
    ctcd_run *made = run(pipeline, 0);
    ctcd_pipeline_unref(pipeline);
    return made;
}

static void expect_served(const char *accuracy, const char *model, ctcd_service *service,
                          const char *value) {
    ctcd_run *made = standard(accuracy, model);
    ck_assert_step(made, 2, "deploy", "completed");
    ck_assert_has(ctcd_run_step_outputs(made, 2), ctcd_service_uuid(service));
    drop(made);
    ctcd_service *now = served();
    ck_assert_str_eq(ctcd_service_uuid(now), ctcd_service_uuid(service));
    answers(now, value);
    ctcd_service_unref(now);
}

START_TEST(the_standard_deployer_steps_row_by_row) {
    char ones[1000], nines[1000], twos[1000];
    (void)snprintf(ones, sizeof ones, "%s", a_model("1", ""));
    (void)snprintf(nines, sizeof nines, "%s", a_model("9", ""));
    (void)snprintf(twos, sizeof twos, "%s", a_model("2", ""));
    /* any, no incumbent, no model */
    for (int i = 0; i < 2; i++) {
        ctcd_run *none = standard(i ? "0.95" : "0.5", i ? NULL : "");
        ck_assert_step(none, 2, "deploy", "skipped");
        ck_assert_has(ctcd_run_step_error(none, 2), "no model");
        ck_assert_str_eq(ctcd_run_status(none), "completed");
        drop(none);
    }
    /* no, no incumbent, a model: deployed all the same */
    ctcd_run *first = standard("0.5", ones);
    ck_assert_step(first, 2, "deploy", "completed");
    drop(first);
    ctcd_service *service = served();
    answers(service, ONES);
    /* no, an incumbent, a model: reused. Equality is not a pass. */
    expect_served("0.9", nines, service, ONES);
    /* ... and started where it was not */
    ok(ctcd_service_stop(service, LONG_MS, &err));
    expect_served("0.5", nines, service, ONES);
    /* any, an incumbent, no model: reused, and started */
    ok(ctcd_service_stop(service, LONG_MS, &err));
    expect_served("0.95", NULL, service, ONES);
    expect_served("0.5", "", service, ONES);
    /* yes: replaced */
    expect_served("0.95", twos, service, TWOS);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(only_a_better_model_is_deployed) {
    ctcd_run *rejected =
        train("9", "0.5", "reject"); /* nobody serves yet: nothing to fall back on */
    ck_assert_step(rejected, 2, "deploy", "skipped");
    ck_assert_step(rejected, 3, "check", "skipped");
    ck_assert_str_eq(ctcd_run_status(rejected), "completed");
    drop(rejected);

    ctcd_run *first = train("1", "0.9", "promote");
    ck_assert_step(first, 2, "deploy", "completed");
    ck_assert_step(first, 3, "check", "completed");
    ctcd_service *service = served();
    ck_assert_str_eq(ctcd_service_run(service), ctcd_run_name(first));
    ck_assert_has(ctcd_service_metrics(service), "0.9");
    ck_assert_has(ctcd_run_step_outputs(first, 2), ctcd_service_uuid(service));
    char *seen = log_of(first, "check"); /* a step that needs the service gets all of it */
    ck_assert_has(seen, ctcd_service_url(service));
    ctcd_free(seen);
    answers(service, ONES);

    ctcd_run *worse = train("8", "0.905", "reject");
    ck_assert_step(worse, 2, "deploy", "completed"); /* with the incumbent's service */
    ck_assert_has(ctcd_run_step_outputs(worse, 2), ctcd_service_uuid(service));
    ck_assert_has(ctcd_decision_reasons(ctcd_run_step_decision(worse, 1)), "0.9");
    answers(service, ONES);
    drop(worse);

    ctcd_run *better = train("2", "0.95", "promote");
    ctcd_service *now = served();
    ck_assert_str_eq(ctcd_service_uuid(now), ctcd_service_uuid(service));
    ck_assert_int_eq(ctcd_service_revision(now), 2);
    answers(now, TWOS);

    ok(ctcd_service_stop(now, -1, &err)); /* a rejection keeps the incumbent: it is started again */
    ctcd_run *kept = train("7", "0.1", "reject");
    answers(now, TWOS);
    drop(kept);
    drop(first);
    drop(better);
    ctcd_service_unref(service);
    ctcd_service_unref(now);
}
END_TEST

START_TEST(a_deploy_step_that_fails_leaves_the_incumbent) {
    ctcd_run *first = train("1", "0.9", "promote");
    ctcd_service *service = served();
    drop(first);
    ctcd_pipeline *pipeline = continuous("2", "0.99");
    behave(newest_model, "exit 5\n");
    ctcd_run *failed = run(pipeline, CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "step deploy failed");
    ck_assert_has(ctcd_error_message(err), "exit status 5");
    ck_assert_step(failed, 2, "deploy", "failed");
    ck_assert_step(failed, 3, "check", "skipped");
    answers(service, ONES);
    drop(failed);
    ctcd_pipeline_unref(pipeline);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(nothing_is_asked_of_nobody) {
    ck_assert_str_eq(ctcd_run_uuid(NULL), "");
    ck_assert_str_eq(ctcd_run_name(NULL), "");
    ck_assert_str_eq(ctcd_run_pipeline(NULL), "");
    ck_assert_str_eq(ctcd_run_schedule(NULL), "");
    ck_assert_str_eq(ctcd_run_status(NULL), "");
    ck_assert_str_eq(ctcd_run_error(NULL), "");
    ck_assert_str_eq(ctcd_run_next(NULL), "");
    ck_assert(ctcd_run_nominal(NULL) == CTCD_TIME_NONE);
    ck_assert(ctcd_run_started(NULL) == CTCD_TIME_NONE);
    ck_assert(ctcd_run_ended(NULL) == CTCD_TIME_NONE);
    ck_assert_uint_eq(ctcd_run_step_count(NULL), 0);
    ck_assert_ptr_null(ctcd_run_step_name(NULL, 0));
    ck_assert_ptr_null(ctcd_run_step_status(NULL, 0));
    ck_assert_ptr_null(ctcd_run_step_outputs(NULL, 0));
    ck_assert(ctcd_run_step_ended(NULL, 0) == CTCD_TIME_NONE);
    ck_assert_ptr_null(ctcd_run_ref(NULL));
    ck_assert_ptr_null(ctcd_run_unref(NULL));
    ck_assert_ptr_null(ctcd_list_run(NULL, 0));
    ck_assert_ptr_null(ctcd_list_pipeline(NULL, 0));
}
END_TEST

SUITE_MAIN_WITH("run", stand_in_begin, stand_in_end, a_run_is_recorded,
                runs_are_found_listed_and_printed, logs_are_asked_by_step,
                logs_are_followed_from_attempt_to_attempt, a_step_finds_its_surroundings,
                a_file_in_the_artifacts_folder_is_kept_by_its_path,
                a_failed_step_fails_the_run_and_skips_what_follows,
                outputs_are_what_the_step_declares, a_step_that_fails_may_be_tried_again,
                how_a_step_ended_is_told, a_run_tells_how_it_goes, a_cancelled_run_ends_its_step,
                time_that_is_up_ends_a_run, only_a_better_model_is_deployed,
                the_standard_deployer_steps_row_by_row,
                a_deploy_step_that_fails_leaves_the_incumbent, nothing_is_asked_of_nobody)
