/* lib/store/home.c, store.c, schema.c: which folder is a home, whether it may be used, and that a damaged
   one is never taken for a new one. */
#include "store_home.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store/home.h"
#include "store/schema.h"

static mode_t mode_of(const char *path) {
    struct stat st;
    ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
    return st.st_mode & 07777;
}

static void write_file(const char *path, const char *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* SQLite's own files do not count: whether they go with the last one who closes is a race of the closers. */
static int count_entries(void) {
    char command[4400];
    snprintf(command, sizeof command, "ls -A '%s' | grep -Evc -e '-(wal|shm)$'", home_path);
    FILE *out = popen(command, "re");
    int count = -1;
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(fscanf(out, "%d", &count), 1);
    pclose(out);
    return count;
}

/* ---- which folder ----------------------------------------------------------------------------- */

static void expect_path(const char *home, const char *expected) {
    char *path = NULL;
    OK(store_home_path(home, &path, &err));
    ck_assert_str_eq(path, expected);
    mem_free(path);
}

START_TEST(the_folder_is_the_first_that_is_said) {
    setenv("HOME", "/h", 1);
    setenv("XDG_STATE_HOME", "/x", 1);
    setenv("CTCD_HOME", "/c", 1);
    expect_path("/given", "/given");
    expect_path("", "/c");
    expect_path(NULL, "/c");
    setenv("CTCD_HOME", "", 1);
    expect_path(NULL, "/x/ctcd");
    setenv("XDG_STATE_HOME", "relative", 1); /* the specification: to be ignored */
    expect_path(NULL, "/h/.local/state/ctcd");
    unsetenv("XDG_STATE_HOME");
    unsetenv("CTCD_HOME");
    expect_path(NULL, "/h/.local/state/ctcd");
    unsetenv("HOME");
    char *path = NULL;
    FAILS(store_home_path(NULL, &path, &err), CTCD_E_INVALID, "CTCD_HOME");
    ck_assert_ptr_null(path);
}
END_TEST

START_TEST(a_relative_folder_starts_here) {
    char here[4096], expected[4200];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    snprintf(expected, sizeof expected, "%s/some/home", here);
    expect_path("some/home", expected);
}
END_TEST

/* ---- making ----------------------------------------------------------------------------------- */

START_TEST(a_new_home_is_private_and_has_a_stack) {
    mode_t masks[] = {0, 022, 0777};
    for (int i = 0; i < 3; i++) {
        snprintf(home_path, sizeof home_path, "%s/home%d", home_base, i);
        snprintf(home_store, sizeof home_store, "%s/ctcd.db", home_path);
        mode_t before = umask(masks[i]);
        open_home();
        OK(add_deployer(store));
        umask(before);
        ck_assert_int_eq(mode_of(home_path), 0700);
        ck_assert_int_eq(mode_of(home_store), 0600);
        char log[4400];
        snprintf(log, sizeof log, "%s-wal", home_store);
        ck_assert_int_eq(mode_of(log), 0600);
        snprintf(log, sizeof log, "%s-shm", home_store);
        ck_assert_int_eq(mode_of(log), 0600);
        ck_assert_str_eq(store_home(store), home_path);
        store_close(store);
        store = NULL;
        ck_assert_int_eq(count_entries(), 1); /* nothing of the making is left */
    }
    open_home();
    struct store_stack stack = {0};
    OK(store_stack_get(store, NULL, &stack, &err));
    ck_assert_str_eq(stack.name, "default");
    ck_assert(stack.active);
    ck_assert_int_eq(stack.created_ms, 1000);
    ck_assert_str_eq(stack.components[CTCD_COMPONENT_ORCHESTRATOR], "default");
    ck_assert_str_eq(stack.components[CTCD_COMPONENT_ARTIFACT_STORE], "default");
    ck_assert_str_eq(stack.components[CTCD_COMPONENT_METADATA_STORE], "default");
    ck_assert_str_eq(stack.components[CTCD_COMPONENT_MODEL_DEPLOYER], "");
    store_stack_done(&stack);
    struct store_component metadata = {0};
    OK(store_component_get(store, CTCD_COMPONENT_METADATA_STORE, "default", &metadata, &err));
    ck_assert_str_eq(metadata.flavor, "sqlite");
    store_component_done(&metadata);
}
END_TEST

START_TEST(missing_parents_are_made) {
    snprintf(home_path, sizeof home_path, "%s/a b/c/home", home_base);
    open_home();
    ck_assert_int_eq(mode_of(home_path), 0700);
}
END_TEST

START_TEST(looking_makes_nothing) {
    FAILS(store_open(home_path, STORE_MUST_EXIST, 1, &store, &err), CTCD_E_NOT_FOUND, home_path);
    ck_assert_int_eq(access(home_path, F_OK), -1);
    ck_assert_int_eq(mkdir(home_path, 0700), 0);
    FAILS(store_open(home_path, STORE_MUST_EXIST, 1, &store, &err), CTCD_E_NOT_FOUND, "no store");
    ck_assert_int_eq(count_entries(), 0);
    ck_assert_ptr_null(store);
    open_home();
    store_close(store);
    store = NULL;
    OK(store_open(home_path, STORE_MUST_EXIST, 1, &store, &err));
}
END_TEST

START_TEST(a_link_to_a_home_is_the_home) {
    open_home();
    char link_path[4300];
    snprintf(link_path, sizeof link_path, "%s/link", home_base);
    ck_assert_int_eq(symlink(home_path, link_path), 0);
    struct store *other = NULL;
    OK(store_open(link_path, 0, 1, &other, &err));
    ck_assert_str_eq(store_home(other), home_path);
    store_close(other);
}
END_TEST

static int open_and_register(void) {
    if (store_open(home_path, 0, 1000, &store, &err)) {
        fprintf(stderr, "%s\n", error_message(err));
        return 1;
    }
    struct store_components list = {0};
    if (store_component_list(store, 0, &list, &err) || list.count != 3)
        return 2;
    store_components_done(&list);
    store_close(store);
    return 0;
}

START_TEST(many_may_make_the_same_home_at_once) {
    enum { ROUNDS = 5, CHILDREN = 6 };
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(home_path, sizeof home_path, "%s/home%d", home_base, round);
        pid_t children[CHILDREN];
        for (int i = 0; i < CHILDREN; i++)
            children[i] = in_child(open_and_register);
        for (int i = 0; i < CHILDREN; i++)
            ck_assert_int_eq(child_end(children[i]), 0);
        ck_assert_int_eq(count_entries(), 1);
    }
}
END_TEST

START_TEST(what_a_killed_maker_left_is_removed_and_not_used) {
    ck_assert_int_eq(mkdir(home_path, 0700), 0);
    char left[4400];
    snprintf(left, sizeof left, "%s.new-00000000", home_store);
    write_file(left, "half", 4);
    open_home();
    ck_assert_int_eq(access(left, F_OK), -1);
    OK(store_check(store, &err));
}
END_TEST

START_TEST(two_stores_of_one_process_see_each_other) {
    open_home();
    struct store *other = NULL;
    OK(store_open(home_path, 0, 1, &other, &err));
    int64_t before = 0, after = 0;
    OK(store_data_version(other, &before, &err));
    OK(add_pipeline(store));
    OK(store_data_version(other, &after, &err));
    ck_assert_int_ne(before, after);
    struct store_pipeline pipeline = {0};
    OK(store_pipeline_get(other, "digits", NULL, &pipeline, &err));
    store_pipeline_done(&pipeline);
    store_close(other);
    OK(store_check(store, &err));
}
END_TEST

static int close_in_child(void) {
    struct store *parents = store, *own = NULL;
    store_close(parents); /* must neither free nor end anything of the parent */
    int rc = store_open(home_path, 0, 1, &own, &err);
    return store_home(parents)[0] == '/' && rc == CTCD_E_FORKED && !own ? 0 : 1;
}

START_TEST(a_forked_child_leaves_the_parents_store_alone) {
    if (!suite_forks())
        return; /* what the child leaves unfreed is on purpose, and shows */
    open_home();
    OK(store_begin(store, &err));
    OK(add_pipeline(store));
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(close_in_child());
    ck_assert_int_eq(child_end(child), 0);
    OK(store_commit(store, &err));
    OK(store_check(store, &err));
    ck_assert_int_eq(raw_number("SELECT count(*) FROM pipelines"), 1);
    ck_assert_int_eq(child_end(in_child(open_and_register)), 0); /* closed before the fork: fine */
}
END_TEST

/* ---- refusing --------------------------------------------------------------------------------- */

START_TEST(others_must_not_write_to_it) {
    ck_assert_int_eq(mkdir(home_path, 0700), 0);
    const mode_t refused[] = {0720, 0702, 0777, 01777};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ck_assert_int_eq(chmod(home_path, refused[i]), 0);
        int rc = store_open(home_path, 0, 1, &store, &err);
        ck_assert_int_eq(rc, CTCD_E_NOT_ALLOWED);
        ck_assert_ptr_nonnull(strstr(error_hint_text(err), "chmod go-w"));
        err = error_unref(err);
        ck_assert_int_eq(count_entries(), 0);
    }
    ck_assert_int_eq(chmod(home_path, 0755), 0); /* the files are private all the same */
    open_home();
    store_close(store);
    store = NULL;
    ck_assert_int_eq(chmod(home_store, 0666), 0);
    FAILS(store_open(home_path, 0, 1, &store, &err), CTCD_E_NOT_ALLOWED, "others may write");
    ck_assert_int_eq(chmod(home_store, 0644), 0);
    open_home();
    ck_assert_int_eq(mode_of(home_store), 0600);
}
END_TEST

START_TEST(another_users_home_is_refused) {
    if (geteuid() != 0)
        return; /* only root can give a folder away */
    ck_assert_int_eq(mkdir(home_path, 0700), 0);
    if (chown(home_path, 12345, 12345))
        return; /* not even root, in some containers */
    FAILS(store_open(home_path, 0, 1, &store, &err), CTCD_E_NOT_ALLOWED, "12345");
}
END_TEST

START_TEST(what_is_no_folder_is_refused) {
    write_file(home_path, "x", 1);
    FAILS(store_open(home_path, 0, 1, &store, &err), CTCD_E_INVALID, "no folder");
    snprintf(home_path, sizeof home_path, "%s/home/below", home_base);
    ck_assert_int_lt(store_open(home_path, 0, 1, &store, &err), 0);
}
END_TEST

static void expect_damaged(const char *part) {
    FAILS(store_open(home_path, 0, 1, &store, &err), CTCD_E_CORRUPT, part);
    ck_assert_ptr_null(store);
    FAILS(store_open(home_path, STORE_MUST_EXIST, 1, &store, &err), CTCD_E_CORRUPT, part);
}

START_TEST(an_empty_or_foreign_store_is_never_new) {
    ck_assert_int_eq(mkdir(home_path, 0700), 0);
    write_file(home_store, "", 0);
    expect_damaged("is empty");
    write_file(home_store, "hello", 5);
    expect_damaged("not a database");
    char noise[8192];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 2654435761u >> 16);
    write_file(home_store, noise, sizeof noise);
    expect_damaged("not a database");
    unlink(home_store);
    ck_assert_int_eq(mkdir(home_store, 0700), 0);
    expect_damaged("no regular file");
    rmdir(home_store);
    ck_assert_int_eq(symlink("elsewhere", home_store), 0);
    expect_damaged("no regular file");
}
END_TEST

START_TEST(another_programs_database_is_refused) {
    open_home();
    store_close(store);
    store = NULL;
    raw("PRAGMA application_id = 1");
    expect_damaged("another program");
}
END_TEST

START_TEST(a_store_that_is_gone_is_damage) {
    static const char *const traces[] = {"runs", "services", "ctcd.db-wal"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(home_path, sizeof home_path, "%s/home%zu", home_base, i);
        ck_assert_int_eq(mkdir(home_path, 0700), 0);
        char trace[4300];
        snprintf(trace, sizeof trace, "%s/%s", home_path, traces[i]);
        if (i < 2)
            ck_assert_int_eq(mkdir(trace, 0700), 0);
        else
            write_file(trace, "log", 3);
        expect_damaged(traces[i]);
    }
}
END_TEST

/* Overwrites the middle of each page of the file in turn: whatever was hit, an error and no crash. */
START_TEST(damage_anywhere_is_an_error) {
    open_home();
    OK(add_pipeline(store));
    store_close(store);
    store = NULL;
    int fd = open(home_store, O_RDONLY | O_CLOEXEC);
    static char whole[1 << 20];
    ssize_t size = read(fd, whole, sizeof whole);
    close(fd);
    ck_assert_int_gt(size, 4096);
    int found = 0, pages = 0;
    for (ssize_t page = 0; page < size; page += 4096, pages++) {
        static char broken[1 << 20];
        memcpy(broken, whole, (size_t)size);
        memset(broken + page, 0xa5, 200);
        write_file(home_store, broken, (size_t)size);
        int rc = store_open(home_path, 0, 1, &store, &err);
        if (!rc)
            rc = store_check(store, &err);
        if (rc)
            ck_assert_int_eq(rc, CTCD_E_CORRUPT);
        found += rc != 0;
        store_close(store);
        store = NULL;
        err = error_unref(err);
    }
    ck_assert_int_ge(found, pages - 1);
}
END_TEST

START_TEST(a_newer_store_is_refused_by_name) {
    open_home();
    store_close(store);
    store = NULL;
    raw("PRAGMA user_version = 41");
    FAILS(store_open(home_path, 0, 1, &store, &err), CTCD_E_NEWER, "version 41");
    ck_assert_int_eq(raw_number("PRAGMA user_version"), 41);
}
END_TEST

/* ---- versions --------------------------------------------------------------------------------- */

static const char *const step_0[] = {"CREATE TABLE a (x INTEGER);", NULL};
static const char *const step_1[] = {"ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT 'new';",
                                     "CREATE TABLE b (z INTEGER);", NULL};
static const char *const step_wrong[] = {"CREATE TABLE c (x INTEGER);",
                                         "CREATE TABLE a (x INTEGER);", NULL};
static const char *const *const two_steps[] = {step_0, step_1};
static const char *const *const three_steps[] = {step_0, step_1, step_wrong};

START_TEST(schemas_are_brought_forward) {
    ck_assert_int_eq(mkdir(home_path, 0700), 0);
    write_file(home_store, "", 0);
    struct db *db = open_raw();
    const struct schema one = {two_steps, 1}, two = {two_steps, 2}, three = {three_steps, 3};
    FAILS(schema_ask(db, &one, "it", &err), CTCD_E_CORRUPT, "another program");
    OK(schema_mark(db, &err));
    ck_assert_int_eq(schema_ask(db, &one, "it", &err), CTCD_AGAIN);
    OK(schema_upgrade(db, &one, "it", &err));
    OK(schema_ask(db, &one, "it", &err));
    OK(db_exec(db, "INSERT INTO a VALUES (7)", &err));
    ck_assert_int_eq(schema_ask(db, &two, "it", &err), CTCD_AGAIN);
    OK(schema_upgrade(db, &two, "it", &err));
    OK(schema_upgrade(db, &two, "it", &err)); /* somebody else did it meanwhile */
    ck_assert_int_eq(raw_number("SELECT count(*) FROM a WHERE x = 7 AND y = 'new'"), 1);
    ck_assert_int_eq(raw_number("SELECT count(*) FROM b"), 0);
    ck_assert_int_lt(schema_upgrade(db, &three, "it", &err), 0); /* all of a step, or nothing */
    err = error_unref(err);
    ck_assert_int_eq(raw_number("PRAGMA user_version"), 2);
    ck_assert_int_eq(raw_number("SELECT count(*) FROM sqlite_master WHERE name = 'c'"), 0);
    FAILS(schema_ask(db, &one, "it", &err), CTCD_E_NEWER, "version 2");
    db_close(db);
}
END_TEST

START_TEST(a_store_of_version_0_becomes_ours) {
    ck_assert_int_eq(mkdir(home_path, 0700), 0);
    write_file(home_store, "", 0);
    struct db *db = open_raw();
    OK(schema_mark(db, &err));
    db_close(db);
    open_home();
    OK(add_pipeline(store));
    OK(store_check(store, &err));
    ck_assert_int_eq(raw_number("PRAGMA user_version"), schema_ctcd.version);
}
END_TEST

START_TEST(every_failed_allocation_of_opening_is_survived) {
    for (uint64_t nth = 1;; nth++) {
        snprintf(home_path, sizeof home_path, "%s/home%d", home_base, (int)nth);
        mem_test_fail_at(nth);
        int rc = store_open(home_path, 0, 1, &store, &err);
        uint64_t seen = mem_test_count();
        mem_test_fail_at(0);
        if (!rc) {
            store_close(store);
            store = NULL;
        }
        err = error_unref(err);
        /* Whatever was left is a home or can still become one. */
        open_home();
        OK(store_check(store, &err));
        store_close(store);
        store = NULL;
        if (seen < nth)
            break;
        ck_assert(rc == 0 || rc == CTCD_E_NOMEM);
    }
}
END_TEST

SUITE_MAIN_WITH("store_home", home_setup, home_teardown, the_folder_is_the_first_that_is_said,
                a_relative_folder_starts_here, a_new_home_is_private_and_has_a_stack,
                missing_parents_are_made, looking_makes_nothing, a_link_to_a_home_is_the_home,
                many_may_make_the_same_home_at_once,
                what_a_killed_maker_left_is_removed_and_not_used,
                two_stores_of_one_process_see_each_other,
                a_forked_child_leaves_the_parents_store_alone, others_must_not_write_to_it,
                another_users_home_is_refused, what_is_no_folder_is_refused,
                an_empty_or_foreign_store_is_never_new, another_programs_database_is_refused,
                a_store_that_is_gone_is_damage, damage_anywhere_is_an_error,
                a_newer_store_is_refused_by_name, schemas_are_brought_forward,
                a_store_of_version_0_becomes_ours, every_failed_allocation_of_opening_is_survived)
