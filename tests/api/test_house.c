/* Keeping house through the API: what a doctor says of a home, and of arguments. */
#include "api.h"

#include <sys/stat.h>

static ctcd_list *list;

static void teardown(void) {
    list = ctcd_list_unref(list);
    api_close();
}

static size_t examine(uint32_t flags) {
    list = ctcd_list_unref(list);
    ok(ctcd_doctor_examine(ctx, flags, -1, &list, &err));
    return ctcd_list_count(list);
}

START_TEST(doctor_of_nothing) {
    fails(ctcd_doctor_examine(ctx, 0, -1, &list, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_doctor_examine(ctx, CTCD_DOCTOR_FIX, -1, &list, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_null(list);
    ck_assert_int_ne(access(api_home, F_OK), 0);
}
END_TEST

START_TEST(doctor_finds_and_mends) {
    ok(ctcd_context_open(ctx, &err));
    ck_assert_uint_eq(examine(0), 0);
    ck_assert_int_eq(chmod(api_home, 0750), 0);
    ck_assert_uint_eq(examine(0), 1);
    ctcd_finding *finding = ctcd_list_finding(list, 0);
    ck_assert_str_eq(ctcd_finding_kind(finding), "permissions");
    ck_assert_str_eq(ctcd_finding_severity(finding), "warning");
    ck_assert_str_eq(ctcd_finding_where(finding), ctcd_context_home(ctx));
    ck_assert_has(ctcd_finding_message(finding), "0750");
    ck_assert_has(ctcd_finding_next(finding), "chmod");
    ck_assert_int_eq(ctcd_finding_fixable(finding), 1);
    ck_assert_int_eq(ctcd_finding_fixed(finding), 0);
    ck_assert_ptr_null(ctcd_list_finding(list, 1));
    ck_assert_ptr_null(ctcd_list_event(list, 0));
    char *text = NULL;
    ok(ctcd_finding_format(finding, "json", &text, &err));
    ck_assert_has(text, "\"kind\": \"permissions\"");
    ctcd_free(text);
    ctcd_finding_ref(finding);
    ck_assert_uint_eq(examine(CTCD_DOCTOR_FIX), 1);
    ck_assert_int_eq(ctcd_finding_fixed(ctcd_list_finding(list, 0)), 1);
    ck_assert_str_eq(ctcd_finding_next(ctcd_list_finding(list, 0)), "");
    ck_assert_int_eq(ctcd_finding_fixed(finding), 0);
    ck_assert_ptr_null(ctcd_finding_unref(finding));
    ck_assert_uint_eq(examine(0), 0);
}
END_TEST

START_TEST(backup_and_restore) {
    char file[4300], other[4300];
    (void)snprintf(file, sizeof file, "%s/backup", api_folder);
    (void)snprintf(other, sizeof other, "%s/other", api_folder);
    ok(ctcd_home_backup(ctx, file, &err));
    fails(ctcd_home_restore(ctx, file, 0, &err), CTCD_E_CONFLICT);
    ctcd_context *second = api_context(0);
    fails(ctcd_home_restore(second, file, 0, &err), CTCD_E_EXISTS);
    fails(ctcd_home_restore(second, file, CTCD_RESTORE_FORCE, &err), CTCD_E_CONFLICT);
    fails(ctcd_home_restore(second, file, 2, &err), CTCD_E_INVALID);
    fails(ctcd_home_restore(second, NULL, 0, &err), CTCD_E_INVALID);
    fails(ctcd_home_restore(NULL, file, 0, &err), CTCD_E_INVALID);
    fails(ctcd_home_backup(ctx, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_home_backup(NULL, file, &err), CTCD_E_INVALID);
    ctx = ctcd_context_unref(ctx);
    char text[4300];
    (void)snprintf(text, sizeof text, "%s/text", api_folder);
    FILE *no_backup = fopen(text, "w");
    ck_assert_ptr_nonnull(no_backup);
    for (int i = 0; i < 100; i++)
        ck_assert_int_gt(fputs("this is no database\n", no_backup), 0);
    ck_assert_int_eq(fclose(no_backup), 0);
    ck_assert_int_eq(ctcd_home_restore(second, text, CTCD_RESTORE_FORCE, NULL), CTCD_E_CORRUPT);
    ok(ctcd_home_restore(second, file, CTCD_RESTORE_FORCE, &err));
    ctcd_context_unref(second);
    ctx = api_context(0);
    ok(ctcd_context_set_home(ctx, other, &err));
    ok(ctcd_home_restore(ctx, file, 0, &err));
    ok(ctcd_context_open(ctx, &err));
    ck_assert_str_eq(ctcd_context_home(ctx), other);
}
END_TEST

static size_t collect(uint32_t flags, int64_t keep, int64_t events) {
    list = ctcd_list_unref(list);
    ok(ctcd_home_collect(ctx, flags, keep, -1, events, &list, &err));
    return ctcd_list_count(list);
}

START_TEST(what_is_not_needed_goes) {
    char path[4400];
    ok(ctcd_context_open(ctx, &err));
    (void)snprintf(path, sizeof path, "%s/runs", api_home);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/runs/00000000-0000-4000-8000-000000000000", api_home);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_uint_eq(collect(CTCD_COLLECT_DRY_RUN, 1, 0), 1);
    ck_assert_int_eq(access(path, F_OK), 0);
    ctcd_removal *removal = ctcd_list_removal(list, 0);
    ck_assert_str_eq(ctcd_removal_kind(removal), "run_folder");
    ck_assert_str_eq(ctcd_removal_name(removal), "00000000-0000-4000-8000-000000000000");
    ck_assert_int_eq(ctcd_removal_bytes(removal), 0);
    ck_assert_int_eq(ctcd_removal_count(removal), 1);
    ck_assert_ptr_null(ctcd_list_finding(list, 0));
    ctcd_removal_ref(removal);
    ck_assert_uint_eq(collect(0, -1, -1), 1);
    ck_assert_ptr_null(ctcd_removal_unref(removal));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_uint_eq(collect(0, 1, 0), 0);
}
END_TEST

START_TEST(wrong_arguments) {
    char *text = NULL;
    fails(ctcd_doctor_examine(NULL, 0, -1, &list, &err), CTCD_E_INVALID);
    fails(ctcd_doctor_examine(ctx, 2, -1, &list, &err), CTCD_E_INVALID);
    fails(ctcd_doctor_examine(ctx, 0, 0, &list, &err), CTCD_E_INVALID);
    fails(ctcd_doctor_examine(ctx, 0, -1, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_finding_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    fails(ctcd_home_collect(NULL, 0, 1, -1, -1, &list, &err), CTCD_E_INVALID);
    fails(ctcd_home_collect(ctx, 2, 1, -1, -1, &list, &err), CTCD_E_INVALID);
    fails(ctcd_home_collect(ctx, 0, 1, -1, -1, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(ctcd_list_removal(NULL, 0));
    ck_assert_str_eq(ctcd_removal_kind(NULL), "");
    ck_assert_str_eq(ctcd_removal_name(NULL), "");
    ck_assert_int_eq(ctcd_removal_bytes(NULL), 0);
    ck_assert_int_eq(ctcd_removal_count(NULL), 0);
    ck_assert_ptr_null(ctcd_removal_ref(NULL));
    ck_assert_ptr_null(ctcd_removal_unref(NULL));
    ck_assert_ptr_null(list);
    ck_assert_str_eq(ctcd_finding_kind(NULL), "");
    ck_assert_str_eq(ctcd_finding_severity(NULL), "");
    ck_assert_str_eq(ctcd_finding_where(NULL), "");
    ck_assert_str_eq(ctcd_finding_message(NULL), "");
    ck_assert_str_eq(ctcd_finding_next(NULL), "");
    ck_assert_int_eq(ctcd_finding_fixable(NULL), 0);
    ck_assert_int_eq(ctcd_finding_fixed(NULL), 0);
    ck_assert_ptr_null(ctcd_finding_ref(NULL));
    ck_assert_ptr_null(ctcd_finding_unref(NULL));
}
END_TEST

SUITE_MAIN_WITH("house", api_open, teardown, doctor_of_nothing, doctor_finds_and_mends,
                backup_and_restore, what_is_not_needed_goes, wrong_arguments)
