/* lib/store/db.c, record.c: transactions that nest and can be lost, waiting for other writers, columns that
   hold what they cannot, and what SQLite's results become. */
#include "store_home.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "store/record.h"

static struct db *db;

static void setup(void) {
    home_setup_open();
    db = open_raw();
    OK(db_exec(
        db,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, at INTEGER CHECK (at <> 13))",
        &err));
}

static void teardown(void) {
    db_close(db);
    db = NULL;
    home_teardown();
}

static int put(int64_t id, const char *name) {
    return db_run(db, "INSERT INTO t VALUES (?1, ?2, NULL)", DB_VALUES(DB_INT(id), DB_TEXT(name)),
                  &err);
}

static int64_t count(void) {
    int64_t number = -1;
    OK(db_number(db, "SELECT count(*) FROM t", DB_NO_VALUES, &number, &err));
    return number;
}

/* ---- statements ------------------------------------------------------------------------------- */

START_TEST(values_come_back_as_they_were) {
    const struct db_value values[] = {
        DB_INT(INT64_MIN + 1), DB_TEXT("caf\xc3\xa9 'quoted' %s"), DB_TIME(NONE), {0}};
    OK(db_run(db, "INSERT INTO t VALUES (?1, ?2, ?3)", values, &err));
    struct db_rows *rows = NULL;
    OK(db_query(db, "SELECT id, name, at FROM t", DB_NO_VALUES, &rows, &err));
    OK(db_next(rows, &err));
    ck_assert_int_eq(db_columns(rows), 3);
    ck_assert_int_eq(db_take_int(rows, 0), INT64_MIN + 1);
    ck_assert_str_eq(db_text(rows, 1), "caf\xc3\xa9 'quoted' %s");
    ck_assert_int_eq(db_take_time(rows, 2), NONE);
    ck_assert_str_eq(db_text(rows, 2), "");
    OK(db_row_check(rows, &err));
    ck_assert_int_eq(db_next(rows, &err), CTCD_NONE);
    db_end(rows);
    db_end(NULL);
}
END_TEST

START_TEST(one_statement_may_be_open_twice) {
    static const char *const sql = "SELECT name FROM t ORDER BY id";
    OK(put(1, "one"));
    OK(put(2, "two"));
    struct db_rows *a = NULL, *b = NULL;
    OK(db_query(db, sql, DB_NO_VALUES, &a, &err));
    OK(db_next(a, &err));
    OK(db_query(db, sql, DB_NO_VALUES, &b, &err));
    OK(db_next(b, &err));
    OK(db_next(b, &err));
    ck_assert_str_eq(db_text(a, 0), "one");
    ck_assert_str_eq(db_text(b, 0), "two");
    db_end(a);
    db_end(b);
    OK(db_query(db, sql, DB_NO_VALUES, &b, &err)); /* kept, begins anew */
    OK(db_next(b, &err));
    ck_assert_str_eq(db_text(b, 0), "one");
    db_end(b);
}
END_TEST

START_TEST(a_column_of_another_type_is_damage) {
    OK(db_exec(db,
               "INSERT INTO t VALUES (1, x'00ff', 'soon'), (2, 'nul' || char(0) || 'inside', 1)",
               &err));
    struct db_rows *rows = NULL;
    OK(db_query(db, "SELECT name, at FROM t ORDER BY id", DB_NO_VALUES, &rows, &err));
    OK(db_next(rows, &err));
    ck_assert_ptr_null(db_take_text(rows, 0));
    FAILS(db_row_check(rows, &err), CTCD_E_CORRUPT, "column name of t");
    db_end(rows);
    OK(db_query(db, "SELECT name, at FROM t ORDER BY id", DB_NO_VALUES, &rows, &err));
    OK(db_next(rows, &err));
    ck_assert_int_eq(db_take_int(rows, 1), 0);
    FAILS(db_row_check(rows, &err), CTCD_E_CORRUPT, "column at of t");
    OK(db_next(rows, &err));
    db_end(rows);
    OK(db_query(db, "SELECT name, at FROM t WHERE id = 2", DB_NO_VALUES, &rows, &err));
    OK(db_next(rows, &err));
    ck_assert_ptr_null(db_text(rows, 0));
    FAILS(db_row_check(rows, &err), CTCD_E_CORRUPT, "column name");
    db_end(rows);
    int64_t number = 0;
    FAILS(db_number(db, "SELECT name FROM t WHERE id = 2", DB_NO_VALUES, &number, &err),
          CTCD_E_CORRUPT, "column name");
}
END_TEST

START_TEST(words_that_nobody_knows_are_damage) {
    OK(add_pipeline(store));
    OK(add_running(store, 1, "me"));
    raw("UPDATE runs SET status = 'sleeping'");
    struct store_run run = {0};
    FAILS(store_run_get(store, "run1", &run, &err), CTCD_E_CORRUPT, "column status of runs");
    ck_assert_ptr_null(run.uuid);
    raw("UPDATE runs SET status = '', uuid = 'short'");
    FAILS(store_run_get(store, "run1", &run, &err), CTCD_E_CORRUPT, "column uuid of runs");
    int64_t id = 0;
    OK(add_schedule(store, 1, &id));
    raw("UPDATE schedules SET paused = 2");
    struct store_schedules list = {0};
    FAILS(store_schedule_list(store, &list, &err), CTCD_E_CORRUPT, "column paused of schedules");
    ck_assert_ptr_null(list.items);
}
END_TEST

START_TEST(results_become_codes) {
    OK(put(1, "one"));
    FAILS(put(1, "other"), CTCD_E_EXISTS, "t.id");
    FAILS(put(2, "one"), CTCD_E_EXISTS, "t.name");
    FAILS(db_run(db, "INSERT INTO t VALUES (3, 'x', 13)", DB_NO_VALUES, &err), CTCD_E_INVALID,
          "at <> 13");
    FAILS(db_run(db,
                 "INSERT INTO drops (schedule_id, nominal_ms, last_ms, count, reason)"
                 " VALUES (77, 1, 1, 1, '')",
                 DB_NO_VALUES, &err),
          CTCD_E_NOT_FOUND, "FOREIGN KEY");
    FAILS(db_exec(db, "SELECT * FROM nowhere", &err), CTCD_E_CORRUPT, "nowhere");
    FAILS(db_exec(db, "PRAGMA query_only = 1; DELETE FROM t", &err), CTCD_E_NOT_ALLOWED,
          "readonly");
    OK(db_exec(db, "PRAGMA query_only = 0", &err));
    int64_t number = 0;
    ck_assert_int_eq(db_number(db, "SELECT id FROM t WHERE id = 99", DB_NO_VALUES, &number, &err),
                     CTCD_NONE);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(texts_have_a_limit) {
    size_t size = STORE_MAX_TEXT;
    char *text = malloc(size + 2);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', size + 1);
    text[size + 1] = '\0';
    FAILS(put(1, text), CTCD_E_TOO_LARGE, "16777217");
    text[size] = '\0';
    OK(put(1, text));
    free(text);
}
END_TEST

START_TEST(no_such_file) {
    struct db *other = NULL;
    char path[4400];
    snprintf(path, sizeof path, "%s/none.db", home_path);
    FAILS(db_open(path, &other, &err), CTCD_E_NOT_FOUND, "none.db");
    ck_assert_ptr_null(other);
    db_close(NULL);
}
END_TEST

/* ---- transactions ----------------------------------------------------------------------------- */

START_TEST(transactions_nest) {
    OK(db_begin(db, &err));
    OK(put(1, "kept"));
    OK(db_begin(db, &err));
    OK(put(2, "undone"));
    OK(db_begin(db, &err));
    OK(put(3, "undone with it"));
    OK(db_commit(db, &err));
    db_rollback(db);
    OK(db_begin(db, &err));
    OK(put(4, "kept, too"));
    OK(db_commit(db, &err));
    ck_assert_int_eq(raw_number("SELECT count(*) FROM t"), 0); /* nobody sees it yet */
    OK(db_commit(db, &err));
    ck_assert_int_eq(raw_number("SELECT sum(id) FROM t"), 5);
    OK(db_begin(db, &err));
    OK(db_begin(db, &err));
    OK(put(6, "gone"));
    OK(db_commit(db, &err));
    db_rollback(db);
    db_rollback(db); /* harmless */
    ck_assert_int_eq(count(), 2);
    FAILS(db_commit(db, &err), CTCD_E_CONFLICT, "no transaction");
}
END_TEST

START_TEST(a_failed_statement_leaves_the_transaction_whole) {
    OK(db_begin(db, &err));
    OK(put(1, "one"));
    FAILS(put(1, "again"), CTCD_E_EXISTS, "t.id");
    OK(put(2, "two"));
    OK(db_commit(db, &err));
    ck_assert_int_eq(count(), 2);
}
END_TEST

START_TEST(nothing_slips_through_after_a_lost_transaction) {
    OK(db_begin(db, &err));
    OK(put(1, "one"));
    OK(db_begin(db, &err));
    /* As after a full disk: SQLite itself has rolled everything back. */
    OK(db_exec(db, "INSERT OR IGNORE INTO t VALUES (7, 'x', NULL)", &err));
    FAILS(db_exec(db, "INSERT OR ROLLBACK INTO t VALUES (7, 'y', NULL)", &err), CTCD_E_EXISTS,
          "t.id");
    FAILS(put(2, "two"), CTCD_E_EXISTS, "gave up the transaction");
    FAILS(db_exec(db, "DELETE FROM t", &err), CTCD_E_EXISTS, "gave up");
    FAILS(db_begin(db, &err), CTCD_E_EXISTS, "gave up");
    FAILS(db_commit(db, &err), CTCD_E_EXISTS, "gave up");
    FAILS(put(2, "two"), CTCD_E_EXISTS, "gave up"); /* the outer level is still open */
    db_rollback(db);
    ck_assert_int_eq(count(), 0);
    OK(put(3, "three"));
    ck_assert_int_eq(raw_number("SELECT count(*) FROM t"), 1);
}
END_TEST

START_TEST(closing_rolls_back) {
    OK(store_begin(store, &err));
    OK(add_pipeline(store));
    store_close(store);
    store = NULL;
    ck_assert_int_eq(raw_number("SELECT count(*) FROM pipelines"), 0);
}
END_TEST

START_TEST(a_second_writer_waits_so_long_and_no_longer) {
    store_set_wait(store, 0);
    OK(db_begin(db, &err));
    OK(put(1, "one"));
    int rc = add_pipeline(store);
    ck_assert_int_eq(rc, CTCD_E_CONFLICT);
    ck_assert(error_retryable(err));
    ck_assert_ptr_nonnull(strstr(error_message(err), "another process"));
    FAILS(store_begin(store, &err), CTCD_E_CONFLICT, "another process");
    struct store_pipelines list = {0};
    OK(store_pipeline_list(store, &list, &err)); /* readers never wait */
    store_pipelines_done(&list);
    OK(db_commit(db, &err));
    OK(add_pipeline(store));
    store_set_wait(store, -5); /* as 0 */
    store_set_wait(store, INT64_MAX);
    OK(add_pipeline(store));
}
END_TEST

static int write_a_hundred(void) {
    struct store *own = NULL;
    if (store_open(home_path, STORE_MUST_EXIST, 1, &own, &err))
        return 1;
    store_set_wait(own, 60000);
    int64_t id = 0;
    for (int i = 0; i < 100; i++) {
        const struct store_event event = {.subject_kind = "test", .message = "counted", .at_ms = i};
        if (store_begin(own, &err) || store_event_add(own, &event, &err) ||
            db_number(own->db, "SELECT count(*) FROM events", DB_NO_VALUES, &id, &err) ||
            store_event_add(own, &event, &err) || store_commit(own, &err)) {
            fprintf(stderr, "%s\n", error_message(err));
            return 2;
        }
        if (id % 2 == 0)
            return 3; /* saw half of somebody else's transaction */
    }
    store_close(own);
    return 0;
}

static void close_all(void) {
    db_close(db);
    db = NULL;
    store_close(store);
    store = NULL;
}

START_TEST(processes_take_turns) {
    close_all();
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        children[i] = in_child(write_a_hundred);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(child_end(children[i]), 0);
    ck_assert_int_eq(raw_number("SELECT count(*) FROM events"), 600);
    open_home();
    OK(store_check(store, &err));
}
END_TEST

/* ---- the disk --------------------------------------------------------------------------------- */

static struct store_event big_event(void) {
    static char text[20000];
    memset(text, 'x', sizeof text - 1);
    return (struct store_event){.subject_kind = "test", .message = text};
}

/* Writes until there is no room, then frees some and goes on. Exit status 0 = as it must be. */
static int fill_up(void) {
    signal(SIGXFSZ, SIG_IGN);
    struct store *own = NULL;
    if (store_open(home_path, STORE_MUST_EXIST, 1, &own, &err))
        return 1;
    struct rlimit limit = {400000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return 2;
    const struct store_event event = big_event();
    int rc = 0, written = 0;
    while (!rc && written < 100) {
        rc = store_begin(own, &err);
        if (!rc && (rc = store_event_add(own, &event, &err)))
            store_rollback(own);
        else if (!rc)
            rc = store_commit(own, &err);
        written += rc == 0;
    }
    if (rc != CTCD_E_NO_SPACE || !strstr(error_message(err), "no space") || !error_hint_text(err)) {
        fprintf(stderr, "%d after %d: %s\n", rc, written, error_message(err));
        return 3;
    }
    err = error_unref(err);
    struct store_events list = {0};
    if (store_event_list(own, 0, NULL, NULL, 0, &list, &err) || list.count != (size_t)written)
        return 4;
    store_events_done(&list);
    if (setrlimit(RLIMIT_FSIZE, &none) || store_event_add(own, &event, &err) ||
        store_check(own, &err))
        return 5;
    store_close(own);
    return 0;
}

START_TEST(a_full_disk_loses_nothing_that_was_committed) {
    if (!suite_forks())
        return;
    close_all();
    ck_assert_int_eq(child_end(in_child(fill_up)), 0);
    open_home();
    OK(store_check(store, &err));
}
END_TEST

static int open_without_room(void) {
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {8192, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return 1;
    snprintf(home_path, sizeof home_path, "%s/small", home_base);
    int rc = store_open(home_path, 0, 1, &store, &err);
    if (rc != CTCD_E_NO_SPACE)
        fprintf(stderr, "%d: %s\n", rc, error_message(err));
    return rc == CTCD_E_NO_SPACE ? 0 : 2;
}

START_TEST(a_home_without_room_is_made_later) {
    if (!suite_forks())
        return;
    close_all();
    ck_assert_int_eq(child_end(in_child(open_without_room)), 0);
    snprintf(home_path, sizeof home_path, "%s/small", home_base);
    snprintf(home_store, sizeof home_store, "%s/ctcd.db", home_path);
    ck_assert_int_ne(access(home_store, F_OK), 0);
    open_home();
    OK(store_check(store, &err));
}
END_TEST

START_TEST(a_store_moved_away_while_open_is_an_error) {
    char away[4400];
    snprintf(away, sizeof away, "%s.away", home_store);
    ck_assert_int_eq(rename(home_store, away), 0);
    int rc = add_pipeline(store);
    if (rc) /* newer versions of SQLite notice; none may write into a new, empty file */
        ck_assert_int_eq(rc, CTCD_E_IO);
    ck_assert_int_ne(access(home_store, F_OK), 0);
}
END_TEST

START_TEST(a_check_names_what_refers_to_nothing) {
    OK(add_pipeline(store));
    OK(add_running(store, 1, "me"));
    OK(db_exec(db, "PRAGMA foreign_keys = OFF; DELETE FROM pipelines", &err));
    FAILS(store_check(store, &err), CTCD_E_CORRUPT, "runs");
}
END_TEST

SUITE_MAIN_WITH("store_db", setup, teardown, values_come_back_as_they_were,
                one_statement_may_be_open_twice, a_column_of_another_type_is_damage,
                words_that_nobody_knows_are_damage, results_become_codes, texts_have_a_limit,
                no_such_file, transactions_nest, a_failed_statement_leaves_the_transaction_whole,
                nothing_slips_through_after_a_lost_transaction, closing_rolls_back,
                a_second_writer_waits_so_long_and_no_longer, processes_take_turns,
                a_full_disk_loses_nothing_that_was_committed, a_home_without_room_is_made_later,
                a_store_moved_away_while_open_is_an_error, a_check_names_what_refers_to_nothing)
