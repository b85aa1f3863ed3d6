/* What the facts about a model server mean: tests/table/server_state.tsv against all their combinations,
   and causes in logs that real servers have written. */
#include "suite.h"

#include <ctcd/service.h>

#include "base/text.h"
#include "core/service.h"
#include "deployers/mlflow/verdict.h"

/* ---- states --------------------------------------------------------------------------------------- */

#define FACTS 7
#define COLUMNS 9
#define ROWS_MAX 64

static const char *const no_yes[] = {"no", "yes"};
static const char *const probes[] = {"not_asked", "ready", "not_ready", "refuses", "silent"};
static const int sizes[FACTS] = {CHILD_REBOOTED + 1, 2, 2, 2, 2, 5, 2};

static char rows[ROWS_MAX][COLUMNS][24];
static int row_count;

static void read_table(void) {
    char path[4096], text[256];
    suite_source(path, "tests/table/server_state.tsv");
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "cannot open %s", path);
    row_count = 0;
    while (fgets(text, sizeof text, file)) {
        char *rest = text;
        text[strcspn(text, "\n")] = 0;
        if (!*text || *text == '#')
            continue;
        ck_assert_int_lt(row_count, ROWS_MAX);
        for (int i = 0; i < COLUMNS; i++) {
            char *column = strsep(&rest, "\t");
            ck_assert_msg(column, "row %d has not %d columns", row_count, COLUMNS);
            (void)snprintf(rows[row_count][i], sizeof rows[0][0], "%s", column);
        }
        row_count++;
    }
    (void)fclose(file);
}

static const char *name_of(int column, int value) {
    return column == 0   ? child_state_name((enum child_state)value)
           : column == 5 ? probes[value]
                         : no_yes[value];
}

static int row_of(const int fact[FACTS]) {
    for (int r = 0; r < row_count; r++) {
        bool fits = true;
        for (int i = 0; i < FACTS && fits; i++)
            fits = strcmp(rows[r][i], "*") == 0 || strcmp(rows[r][i], name_of(i, fact[i])) == 0;
        if (fits)
            return r;
    }
    return -1;
}

START_TEST(every_combination_of_facts) {
    bool used[ROWS_MAX] = {false};
    int all = 1;
    read_table();
    for (int i = 0; i < FACTS; i++)
        all *= sizes[i];
    for (int n = 0; n < all; n++) {
        int fact[FACTS];
        for (int i = 0, rest = n; i < FACTS; rest /= sizes[i], i++)
            fact[i] = rest % sizes[i];
        struct server_facts facts = {
            .child = (enum child_state)fact[0],
            .asked = fact[1] ? 15 : 0,
            .was_ready = fact[2],
            .cleared = fact[3],
            .crash_loop = fact[4],
            .probe = (enum server_probe)fact[5],
            .wanted = fact[6],
        };
        int row = row_of(fact);
        ck_assert_msg(row >= 0, "no row for combination %d", n);
        used[row] = true;
        ck_assert_msg(strcmp(service_state_name(server_state(&facts)), rows[row][7]) == 0,
                      "row %d: %s", row, service_state_name(server_state(&facts)));
        ck_assert_msg(strcmp(no_yes[server_is_final(&facts)], rows[row][8]) == 0, "row %d: %d", row,
                      server_is_final(&facts));
    }
    for (int r = 0; r < row_count; r++)
        ck_assert_msg(used[r], "row %d never fits", r);
}
END_TEST

/* ---- logs ----------------------------------------------------------------------------------------- */

#define STARTS "INFO:     Uvicorn running on socket ('127.0.0.1', 60921) (Press CTRL+C to quit)\n"
#define LOADS                                                                                      \
    "  File \"/env/site-packages/mlflow/pyfunc/__init__.py\", line 1173, in load_model\n"          \
    "    model_impl = importlib.import_module(conf[MAIN])._load_pyfunc(data_path)\n"               \
    "                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
#define TRACE "Traceback (most recent call last):\n" LOADS
#define MISSING TRACE "ModuleNotFoundError: No module named 'house_features'\n"
#define BROKEN TRACE "_pickle.UnpicklingError: invalid load key, ' '.\n"
#define WORKER(n) "Process SpawnProcess-" n ":\n" BROKEN
#define DIED(n)                                                                                    \
    "INFO:     Waiting for child process [" n "]\nINFO:     Child process [" n "] died\n"
#define BOOTS "[2026-01-01 10:00:00 +0000] [12] [INFO] Booting worker with pid: 12\n"
#define GUNICORN_DIED(n, how) "[2026-01-01 10:00:00 +0000] [6] [ERROR] Worker (pid:" n ") " how "\n"

static const char two_workers[] = STARTS "INFO:     Started parent process [24894]\n" WORKER("2")
    WORKER("1") DIED("24905") DIED("24904") "INFO:     Received SIGTERM, exiting.\n"
                                            "INFO:     Terminated child process [25978]\n";

static const struct {
    const char *log;
    bool at_end;
    const char *exception; /* NULL = none */
} exceptions[] = {
    {"", false, NULL},
    {"\n\n", false, NULL},
    {STARTS, false, NULL},
    {MISSING, false, "ModuleNotFoundError: No module named 'house_features'"},
    {MISSING, true, "ModuleNotFoundError: No module named 'house_features'"},
    {BROKEN "\n\n", true, "_pickle.UnpicklingError: invalid load key, ' '."},
    {two_workers, false, "_pickle.UnpicklingError: invalid load key, ' '."},
    /* the exception of a request long ago is not why a server ends */
    {MISSING STARTS, true, NULL},
    {MISSING "a model prints\n", true, NULL},
    {MISSING "a model prints\n", false, "ModuleNotFoundError: No module named 'house_features'"},
    /* the last one of a chain */
    {TRACE "KeyError: 'x'\n\nDuring handling of the above exception, another exception "
           "occurred:\n\n" MISSING,
     false, "ModuleNotFoundError: No module named 'house_features'"},
    {TRACE "KeyboardInterrupt\n", false, "KeyboardInterrupt"},
    /* gunicorn's own lines tell less than the exception, and more than nothing */
    {BOOTS BROKEN
     "[2026-01-01 10:00:00 +0000] [12] [INFO] Worker exiting (pid: 12)\n" GUNICORN_DIED(
         "12", "exited with code 3"),
     false, "_pickle.UnpicklingError: invalid load key, ' '."},
    {BOOTS GUNICORN_DIED("12", "was sent SIGSEGV!") BOOTS, false,
     "Worker (pid:12) was sent SIGSEGV!"},
    {TRACE "mlflow.exceptions.MlflowException: first line\n  second line\n", false,
     "mlflow.exceptions.MlflowException: first line"},
    /* without a traceback */
    {"/usr/bin/python3: No module named uvicorn\n", false, "No module named uvicorn"},
    {"/a b/python: No module named uvicorn\n", true, "No module named uvicorn"},
    {"ERROR:    Error loading ASGI app. Could not import module \"a.b\".\n", false,
     "Error loading ASGI app. Could not import module \"a.b\"."},
    {"ERROR:    Traceback (most recent call last):\n" LOADS "ValueError: boom\n\n"
     "ERROR:    Application startup failed. Exiting.\n",
     false, "ValueError: boom"},
    {"ERROR:\nERROR:    \n", false, NULL},
    {"Traceback (most recent call last):\n", false, NULL},
    {"Traceback (most recent call last):\n  File \"x\"\nnot an exception at all\n", false, NULL},
};

START_TEST(exceptions_in_logs) {
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++) {
        _cleanup_(mem_free_ptr) char *got = NULL;
        int rc = log_exception(exceptions[i].log, exceptions[i].at_end, &got);
        ck_assert_msg(rc == (exceptions[i].exception ? 0 : CTCD_NONE), "row %zu: %d %s", i, rc,
                      got ? got : "");
        ck_assert_msg(text_same(got, exceptions[i].exception), "row %zu: %s", i, got ? got : "");
    }
}
END_TEST

START_TEST(a_very_long_exception_is_cut) {
    _cleanup_(mem_free_ptr) char *got = NULL;
    char log[4096] = TRACE "ValueError: ";
    size_t size = strlen(log);
    memset(log + size, 'x', 3000);
    ck_assert_int_eq(log_exception(log, true, &got), 0);
    ck_assert_uint_eq(strlen(got), 500);
    ck_assert(text_starts(got, "ValueError: xxx"));
}
END_TEST

START_TEST(dead_workers) {
    ck_assert_uint_eq(log_deaths(""), 0);
    ck_assert_uint_eq(log_deaths("\nProcess \nProcess x:\n"), 0);
    ck_assert_uint_eq(log_deaths(STARTS MISSING), 0);
    ck_assert_uint_eq(log_deaths(WORKER("1")), 1);
    ck_assert_uint_eq(log_deaths(two_workers), 2);
    ck_assert_uint_eq(log_deaths(DIED("1") DIED("2") DIED("3")), 3); /* by a signal: no traceback */
    /* Two that write at the same time: each counts once it has said why. */
    static const char mixed[] = "Process ForkProcess-12:\nProcess ForkProcess-13:\n"
                                "Traceback (most recent call last):\n  File \"a\"\n"
                                "Traceback (most recent call last):\n  File \"a\"\n";
    char more[512];
    /* gunicorn tells of each, some versions twice, and starts it again */
    ck_assert_uint_eq(log_deaths(GUNICORN_DIED("7", "exited with code 9")), 1);
    ck_assert_uint_eq(log_deaths(GUNICORN_DIED("7", "exited with code 9")
                                     GUNICORN_DIED("7", "exited with code 9.")
                                         BOOTS GUNICORN_DIED("8", "was sent SIGSEGV!")),
                      2);
    ck_assert_uint_eq(
        log_deaths("[x] [1] [WARNING] Worker with pid 12 was terminated due to signal 9\n"), 1);
    ck_assert_uint_eq(log_deaths(BOOTS "[x] [1] [INFO] Worker exiting (pid: 12)\n"), 0);
    ck_assert_uint_eq(log_deaths("Process ForkProcess-12:"), 0);
    ck_assert_uint_eq(log_deaths(mixed), 0);
    (void)snprintf(more, sizeof more, "%sValueError: boom\n", mixed);
    ck_assert_uint_eq(log_deaths(more), 1);
    (void)snprintf(more, sizeof more, "%sValueError: boom\nValueError: boom\n", mixed);
    ck_assert_uint_eq(log_deaths(more), 2);
}
END_TEST

START_TEST(a_log_holds_many_starts) {
    ck_assert_str_eq(log_of_start(""), "");
    ck_assert_str_eq(log_of_start(BROKEN), BROKEN);
    static const char log[] = LOG_START "start 1\n" BROKEN LOG_START "start 2\n" STARTS;
    ck_assert_str_eq(log_of_start(log), LOG_START "start 2\n" STARTS);
    ck_assert_str_eq(log_of_start("x" LOG_START "\n"), "x" LOG_START "\n");
}
END_TEST

/* ---- words ---------------------------------------------------------------------------------------- */

static const struct {
    const char *cause, *hint; /* hint: what must be in it; NULL = none is known */
} hints[] = {
    {"its server ended with exit status 1", NULL},
    {"ended: ModuleNotFoundError: No module named 'house_features.rooms'",
     "install house_features into the server's environment (PY), or save"},
    {"ended: ModuleNotFoundError: No module named 'mlflow'", "install mlflow 2.21 or later for PY"},
    {"ended: ModuleNotFoundError: No module named 'mlflow.pyfunc'", "install mlflow 2.21"},
    {"ended: No module named uvicorn", "install mlflow 2.21"},
    {"ended: No module named ", NULL},
    {"ended: Error loading ASGI app. Could not import module \"a\".", "install mlflow 2.21"},
    {"ended: _pickle.UnpicklingError: invalid load key, ' '.", "save the model again"},
    {"ended: AttributeError: Can't get attribute 'X' on <module '__main__'>", "code_paths"},
    {"its server was killed by signal 9 (SIGKILL)", "out of memory"},
    {"its server could not be run: No such file or directory", "option python"},
};

START_TEST(hints_for_causes) {
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        _cleanup_(mem_free_ptr) char *got = NULL;
        int rc = cause_hint(hints[i].cause, "PY", &got);
        ck_assert_msg(rc == (hints[i].hint ? 0 : CTCD_NONE), "row %zu: %d", i, rc);
        ck_assert_msg(!hints[i].hint || strstr(got, hints[i].hint), "row %zu: %s", i, got);
    }
}
END_TEST

START_TEST(ends_in_words) {
    static const struct {
        struct child_status child;
        const char *words;
    } ends[] = {
        {{.exit_status = 1}, "its server ended with exit status 1"},
        {{.exit_status = 0}, "its server ended with exit status 0"},
        {{.exit_status = -1, .signal = 9}, "its server was killed by signal 9 (SIGKILL)"},
        {{.exit_status = -1, .signal = 11, .core = true},
         "its server was killed by signal 11 (SIGSEGV, core dumped)"},
        {{.exit_status = -1, .signal = 63}, "its server was killed by signal 63 (unknown)"},
        {{.exit_status = -1, .os_errno = 2, .error = "No such file or directory"},
         "its server could not be run: No such file or directory"},
        {{.exit_status = -1}, "its server ended, nobody saw how"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        _cleanup_(mem_free_ptr) char *words = end_in_words(&ends[i].child);
        ck_assert_str_eq(words, ends[i].words);
    }
}
END_TEST

START_TEST(without_memory) {
    char *got = NULL;
    struct child_status child = {.exit_status = 1};
    mem_test_fail_from(1);
    int exception = log_exception(MISSING, false, &got);
    int hint = cause_hint("its server was killed by signal 9 (SIGKILL)", "PY", &got);
    char *words = end_in_words(&child);
    mem_test_fail_at(0);
    ck_assert_int_eq(exception, CTCD_E_NOMEM);
    ck_assert_int_eq(hint, CTCD_E_NOMEM);
    ck_assert_ptr_null(words);
    ck_assert_ptr_null(got);
}
END_TEST

SUITE_MAIN("mlflow_verdict", every_combination_of_facts, exceptions_in_logs,
           a_very_long_exception_is_cut, dead_workers, a_log_holds_many_starts, hints_for_causes,
           ends_in_words, without_memory)
