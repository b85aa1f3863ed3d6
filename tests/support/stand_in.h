/* A home whose active stack deploys through the MLflow back end, to stand-in servers
   (tests/programs/stand-in.c): ready in 20 ms, and misbehaving on demand. As tests/cli/stand_in.py, for C.

       SUITE_MAIN_WITH("service", stand_in_begin, stand_in_end, ...)

   Header only. */
#ifndef CTCD_TESTS_STAND_IN_H
#define CTCD_TESTS_STAND_IN_H

#include "api.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

static ctcd_model_deployer *ml;

/* For deadlines that are to pass, but not before what comes first has been done. */
static inline int64_t a_while(void) {
    return suite_is_slow() ? 15000 : 1500;
}

/* Writes a file below the test's folder; its path, until 8 calls later. */
static inline const char *write_file(const char *name, const char *text) {
    static char paths[8][4600];
    static unsigned next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, 4600, "%s/%s", api_folder, name);
    FILE *f = fopen(path, "w");
    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

/* A folder that looks like a saved model; its server answers the value and behaves so: a word and its
   argument a line. The path lives until 8 calls later. */
static inline const char *a_model(const char *value, const char *behaviour) {
    static char paths[8][4300];
    static unsigned next, made;
    char *path = paths[next++ % 8], name[64];
    unsigned number = ++made;
    (void)snprintf(path, 4300, "%s/model-%u", api_folder, number);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(name, sizeof name, "model-%u/MLmodel", number);
    (void)write_file(name, "artifact_path: model\nflavors:\n  python_function:\n"
                           "    loader_module: mlflow.sklearn\n    python_version: 3.11.7\n"
                           "mlflow_version: 3.17.2\n");
    (void)snprintf(name, sizeof name, "model-%u/value", number);
    (void)write_file(name, value);
    (void)snprintf(name, sizeof name, "model-%u/behaviour", number);
    (void)write_file(name, behaviour);
    return path;
}

/* The server is told to behave otherwise from now on. */
static inline void behave(const char *model, const char *behaviour) {
    char path[4400];
    (void)snprintf(path, sizeof path, "%s/behaviour", model + strlen(api_folder) + 1);
    (void)write_file(path, behaviour);
}

/* The stand-in's absolute path. */
static inline void stand_in_path(char ret[4096]) {
    char built[4096];
    suite_built(built, "test/stand-in");
    ck_assert_msg(realpath(built, ret) != NULL, "%s: %s", built, strerror(errno));
}

static inline void stand_in_component(ctcd_context *to, const char *name) {
    char python[4096];
    ctcd_component *component = NULL;
    stand_in_path(python);
    ok(ctcd_component_new(to, CTCD_COMPONENT_MODEL_DEPLOYER, "mlflow", name, &component, &err));
    ok(ctcd_component_set_option(component, "python", python, &err));
    ok(ctcd_component_register(component, &err));
    ctcd_component_unref(component);
}

/* A stack with this deployer becomes the active one. */
static inline void stand_in_stack(ctcd_context *to, const char *name) {
    ctcd_stack *stack = NULL;
    ok(ctcd_stack_new(to, "serving", &stack, &err));
    for (int type = CTCD_COMPONENT_ORCHESTRATOR; type < CTCD_COMPONENT_MODEL_DEPLOYER; type++)
        ok(ctcd_stack_set_component(stack, type, "default", &err));
    ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_MODEL_DEPLOYER, name, &err));
    ok(ctcd_stack_register(stack, &err));
    ok(ctcd_stack_activate(stack, &err));
    ctcd_stack_unref(stack);
}

static inline void stand_in_begin(void) {
    api_open();
    stand_in_component(ctx, "ml");
    stand_in_stack(ctx, "ml");
    ok(ctcd_model_deployer_get(ctx, NULL, &ml, &err));
}

/* No server is left behind, whatever the test did. */
static inline void stand_in_end(void) {
    ctcd_list *all = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &all, &err));
    for (size_t i = 0; i < ctcd_list_count(all); i++)
        ok(ctcd_service_delete(ctcd_list_service(all, i), CTCD_DELETE_FORCE, LONG_MS, &err));
    ctcd_list_unref(all);
    ml = ctcd_model_deployer_unref(ml);
    api_close();
}

/* ---- deploying -------------------------------------------------------------------------------- */

/* What to deploy; ready once is enough. */
static inline ctcd_deployment *want(const char *name, const char *model) {
    ctcd_deployment *made = NULL;
    ok(ctcd_deployment_new(ctx, &made, &err));
    ok(ctcd_deployment_set_model_name(made, name, &err));
    ok(ctcd_deployment_set_model_uri(made, model, &err));
    ok(ctcd_deployment_set_min_ready(made, 0, &err));
    return made;
}

/* Deploys, and must succeed. */
static inline ctcd_service *deploy(const char *name, const char *model) {
    ctcd_service *service = NULL;
    ctcd_deployment *wanted = want(name, model);
    ok(ctcd_model_deployer_deploy(ml, wanted, LONG_MS, &service, &err));
    ck_assert_ptr_nonnull(service);
    ctcd_deployment_unref(wanted);
    return service;
}

/* The answer to two rows has this text. */
static inline void answers(ctcd_service *service, const char *expected) {
    char *answer = NULL;
    ok(ctcd_service_predict(service, "[[1, 2], [3, 4]]", LONG_MS, &answer, &err));
    ck_assert_str_eq(answer, expected);
    ctcd_free(answer);
}
#define ONES "{\"predictions\": [1, 1]}"
#define TWOS "{\"predictions\": [2, 2]}"

static inline ctcd_status *look(ctcd_service *service) {
    ctcd_status *status = NULL;
    ok(ctcd_service_observe(service, LONG_MS, &status, &err));
    return status;
}

static inline int state_of(ctcd_service *service) {
    ctcd_status *status = look(service);
    int state = ctcd_status_state(status);
    ctcd_status_unref(status);
    return state;
}

/* A property that the back end showed; NULL = it did not. Lives as long as the status. */
static inline const char *property(const ctcd_status *status, const char *name) {
    for (size_t i = 0; i < ctcd_status_property_count(status); i++)
        if (strcmp(ctcd_status_property_name(status, i), name) == 0)
            return ctcd_status_property_value(status, i);
    return NULL;
}

/* The process that serves; 0 = none. */
static inline pid_t pid_of(ctcd_service *service) {
    ctcd_status *status = look(service);
    const char *pid = property(status, "DAEMON_PID");
    pid_t number = pid ? (pid_t)strtol(pid, NULL, 10) : 0;
    ctcd_status_unref(status);
    return number;
}

/* Processes of a revision: they work in its folder. */
static inline int processes_of(ctcd_service *service, int revision) {
    char folder[4600], path[300], at[4600];
    int count = 0;
    (void)snprintf(folder, sizeof folder, "%s/services/%s/r%d", api_home,
                   ctcd_service_uuid(service), revision);
    DIR *proc = opendir("/proc");
    ck_assert_ptr_nonnull(proc);
    for (struct dirent *entry; (entry = readdir(proc));) {
        (void)snprintf(path, sizeof path, "/proc/%s/cwd", entry->d_name);
        ssize_t size = readlink(path, at, sizeof at - 1);
        at[size > 0 ? size : 0] = '\0';
        count += strcmp(at, folder) == 0;
    }
    (void)closedir(proc);
    return count;
}

/* The process has ended: it is gone, or about to be reaped by its shim. */
static inline bool has_ended(pid_t pid) {
    char path[64], state = 'X';
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    (void)fclose(f);
    return state == 'Z' || state == 'X';
}

#endif
