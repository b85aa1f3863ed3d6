/* Keeping house when memory runs out at any one allocation (api_rounds.h): doctor, backup, gc. */
#include "api_rounds.h"

static int open_home(void) {
    int rc;
    (void)done(ctcd_context_open(ctx, &err));
    return rc;
}

static int run_it(void) {
    int rc;
    ctcd_pipeline *pipeline = NULL;
    ctcd_run *run = NULL;
    if (made(pipeline,
             ctcd_pipeline_parse(ctx, "pipeline: p\nsteps:\n  s:\n    command: ['true']\n", NULL,
                                 &pipeline, &err)))
        (void)made(run, ctcd_pipeline_run(pipeline, LONG_MS, &run, &err));
    ctcd_run_unref(run);
    ctcd_pipeline_unref(pipeline);
    return rc;
}

/* What is mended in the round that fails is not found any more in the next. */
static int examine(void) {
    int rc;
    char *text = NULL;
    ctcd_list *list = NULL;
    if (faulty)
        ck_assert_int_eq(chmod(api_home, 0750), 0);
    if (made(list, ctcd_doctor_examine(ctx, CTCD_DOCTOR_FIX, -1, &list, &err)) &&
        made(text, ctcd_list_format(list, "json", &text, &err))) {
        expect(!faulty ||
               (ctcd_list_count(list) == 1 && ctcd_finding_fixed(ctcd_list_finding(list, 0)) == 1));
        ctcd_free(text);
    }
    ctcd_list_unref(list);
    return rc;
}

START_TEST(a_doctor) {
    PREPARE(open_home, run_it);
    every_allocation("doctor", examine, true);
}
END_TEST

static int back_up(void) {
    int rc;
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/backup", api_folder);
    (void)unlink(path);
    (void)done(ctcd_home_backup(ctx, path, &err));
    expect((access(path, F_OK) == 0) == (rc == 0));
    return rc;
}

START_TEST(a_backup) {
    PREPARE(open_home);
    every_allocation("backup", back_up, true);
}
END_TEST

static int collect(void) {
    int rc;
    ctcd_list *list = NULL;
    (void)made(list, ctcd_home_collect(ctx, 0, 1, -1, 0, &list, &err));
    ctcd_list_unref(list);
    return rc;
}

START_TEST(collecting) {
    PREPARE(open_home, run_it, run_it, run_it);
    every_allocation("gc", collect, true);
}
END_TEST

SUITE_MAIN_WITH("house_faults", setup, teardown, a_doctor, a_backup, collecting)
