/* What the suites of the store share: a home in a folder of its own, records to put into it, and children
   that work on the same home. Header only. */
#ifndef CTCD_TESTS_STORE_HOME_H
#define CTCD_TESTS_STORE_HOME_H

#include "suite.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "store/components.h"
#include "store/db.h"
#include "store/events.h"
#include "store/pipelines.h"
#include "store/runs.h"
#include "store/services.h"

#define NONE CTCD_TIME_NONE

static char home_base[4096];  /* removed at the end */
static char home_path[4200];  /* does not exist at first */
static char home_store[4300]; /* its ctcd.db */
static struct store *store;
static ctcd_error *err; /* of the last call that failed */

static inline void home_setup(void) {
    suite_folder(home_base);
    snprintf(home_path, sizeof home_path, "%s/home", home_base);
    snprintf(home_store, sizeof home_store, "%s/ctcd.db", home_path);
    store = NULL;
    err = NULL;
}

static inline void home_teardown(void) {
    store_close(store);
    store = NULL;
    err = error_unref(err);
    suite_folder_remove(home_base);
}

/* It worked; else the message is shown. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        int ok_rc_ = (call);                                                                       \
        ck_assert_msg(ok_rc_ == 0, "%s: %d, %s", #call, ok_rc_, error_message(err));               \
    } while (0)

/* It failed with this code, and says so in the error, whose message has this part. */
#define FAILS(call, code, part)                                                                    \
    do {                                                                                           \
        int fails_rc_ = (call);                                                                    \
        ck_assert_msg(fails_rc_ == (code), "%s: %d, not %s: %s", #call, fails_rc_, #code,          \
                      error_message(err));                                                         \
        ck_assert_int_eq(error_code(err), (code));                                                 \
        ck_assert_msg(strstr(error_message(err), (part)), "\"%s\" does not say \"%s\"",            \
                      error_message(err), (part));                                                 \
        err = error_unref(err);                                                                    \
    } while (0)

static inline void open_home(void) {
    OK(store_open(home_path, 0, 1000, &store, &err));
}

static inline void home_setup_open(void) {
    home_setup();
    open_home();
}

/* A second connection, as another process would have it; closed by db_close. */
static inline struct db *open_raw(void) {
    struct db *db = NULL;
    OK(db_open(home_store, &db, &err));
    return db;
}

static inline void raw(const char *sql) {
    struct db *db = open_raw();
    OK(db_exec(db, sql, &err));
    db_close(db);
}

static inline int64_t raw_number(const char *sql) {
    struct db *db = open_raw();
    int64_t number = -1;
    OK(db_number(db, sql, DB_NO_VALUES, &number, &err));
    db_close(db);
    return number;
}

/* UUIDs that can be told apart: number 7 is 00000007-0000-4000-8000-000000000007. */
static inline char *uuid_of(int number) {
    static char texts[16][37];
    static unsigned next;
    char *text = texts[next++ % 16];
    snprintf(text, 37, "%08x-0000-4000-8000-%012x", (unsigned)number, (unsigned)number);
    return text;
}

static inline char *name_of(const char *prefix, int64_t number) {
    static char texts[16][64];
    static unsigned next;
    char *text = texts[next++ % 16];
    snprintf(text, 64, "%s%lld", prefix, (long long)number);
    return text;
}

static inline int add_pipeline(struct store *to) {
    const struct store_pipeline pipeline = {
        .name = "digits", .digest = "d1", .spec = "{}", .used_ms = 1};
    return store_pipeline_put(to, &pipeline, &err);
}

static inline int add_schedule(struct store *to, int number, int64_t *ret_id) {
    const struct store_schedule schedule = {.uuid = uuid_of(number),
                                            .name = name_of("schedule", number),
                                            .pipeline = "digits",
                                            .digest = "d1",
                                            .spec = "{\"every\":60}",
                                            .params = "{}",
                                            .created_ms = 5,
                                            .last_processed_ms = 0};
    return store_schedule_add(to, &schedule, ret_id, &err);
}

static inline struct store_run a_run(int number) {
    return (struct store_run){.uuid = uuid_of(number),
                              .name = name_of("run", number),
                              .pipeline = "digits",
                              .digest = "d1",
                              .nominal_ms = NONE,
                              .params = "{}",
                              .created_ms = 100 + number};
}

static inline int add_running(struct store *to, int number, char *owner) {
    struct store_run run = a_run(number);
    run.status = STORE_RUN_RUNNING;
    run.started_ms = 200;
    run.owner = owner;
    return store_run_add(to, &run, &err);
}

static inline int add_deployer(struct store *to) {
    const struct store_component deployer = {.type = CTCD_COMPONENT_MODEL_DEPLOYER,
                                             .name = "ml",
                                             .flavor = "mlflow",
                                             .uuid = uuid_of(0xd0),
                                             .options = "{}",
                                             .created_ms = 1};
    return store_component_add(to, &deployer, &err);
}

static inline struct store_service a_service(int number) {
    return (struct store_service){.uuid = uuid_of(number),
                                  .deployer = "ml",
                                  .pipeline = "digits",
                                  .step = "deploy",
                                  .model = name_of("model", number),
                                  .desired = CTCD_STATE_ACTIVE,
                                  .created_ms = 300 + number};
}

static inline int add_service(struct store *to, int number) {
    struct store_service service = a_service(number);
    return store_service_add(to, &service, &err);
}

static inline int add_revision(struct store *to, int service, int64_t *ret_number) {
    const struct store_revision revision = {.service = uuid_of(service),
                                            .model_uri = "models/one",
                                            .pinned_uri = "/models/one",
                                            .options = "{}",
                                            .deployment = "{}",
                                            .metrics = "{\"accuracy\":0.9}",
                                            .run = "run1",
                                            .url = "http://127.0.0.1:5000/invocations",
                                            .created_ms = 400};
    return store_revision_add(to, &revision, ret_number, &err);
}

static inline int begin_operation(struct store *to, int number, int service) {
    const struct store_operation operation = {.uuid = uuid_of(number),
                                              .service = uuid_of(service),
                                              .kind = STORE_OPERATION_DEPLOY,
                                              .phase = "start",
                                              .to_revision = 1,
                                              .deadline_ms = 9000,
                                              .owner = "1@here",
                                              .begun_ms = 500};
    return store_operation_begin(to, &operation, &err);
}

/* Runs in a child, which shares nothing but the home: the parent's store is closed, open it again. */
static inline pid_t in_child(int (*work)(void)) {
    store_close(store);
    store = NULL;
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(work());
    return pid;
}

/* Exit status, or -signal. */
static inline int child_end(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
