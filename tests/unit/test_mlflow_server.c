/* The MLflow back end's servers, through the public interface: the stand-in or a small script takes
   Python's place. Each misbehaves in one way; afterwards nothing may run and no port be taken. */
#include "suite.h"

#include <arpa/inet.h>
#include <ctcd/ctcd.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "base/text.h"
#include "io/process.h"

#define LONG 60000 /* ms: a net, for machines that do something else */

static char folder[4096];
static ctcd_context *ctx;
static ctcd_model_deployer *deployer;

/* ---- a home with one deployer --------------------------------------------------------------------- */

static void put(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* How the stand-in behaves from its next start or request on. */
static void behave(const char *how) {
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/model/behaviour", folder);
    put(path, how, 0600);
}

static void ok(int rc, ctcd_error *err) {
    ck_assert_msg(rc == 0, "%d %s\n%s", rc, ctcd_error_message(err),
                  ctcd_error_details(err) ? ctcd_error_details(err) : "");
}

static void open_home(const char *python) {
    ctcd_component *component = NULL;
    ctcd_error *err = NULL;
    char path[4200];
    ok(ctcd_context_new(0, &ctx, &err), err);
    (void)snprintf(path, sizeof path, "%s/home", folder);
    ok(ctcd_context_set_home(ctx, path, &err), err);
    ok(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "mlflow", "ml", &component, &err),
       err);
    ok(ctcd_component_set_option(component, "python", python, &err), err);
    ok(ctcd_component_register(component, &err), err);
    ctcd_component_unref(component);
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err), err);
}

static void setup(void) {
    char made[4096], path[4200];
    suite_folder(made);
    ck_assert_ptr_nonnull(realpath(made, folder));
    (void)snprintf(path, sizeof path, "%s/model", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/model/MLmodel", folder);
    put(path,
        "flavors:\n  python_function:\n    loader_module: x\nsignature:\n"
        "  inputs: '[{\"type\": \"double\", \"name\": \"a\"}, {\"type\": \"double\", \"name\": "
        "\"b\"}]'\n",
        0600);
}

/* Deletes what is served; a script's server, too. */
static void teardown(void) {
    ctcd_list *list = NULL;
    ctcd_error *err = NULL;
    if (ctx) {
        ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err), err);
        for (size_t i = 0; i < ctcd_list_count(list); i++)
            ok(ctcd_service_delete(ctcd_list_service(list, i), CTCD_DELETE_FORCE, LONG, &err), err);
    }
    ctcd_list_unref(list);
    ctcd_model_deployer_unref(deployer);
    ctcd_context_unref(ctx);
    deployer = NULL;
    ctx = NULL;
    suite_folder_remove(folder);
}

static void with_stand_in(void) {
    char built[4096], path[PATH_MAX];
    suite_built(built, "test/stand-in");
    ck_assert_msg(realpath(built, path) != NULL, "no %s", built);
    open_home(path);
}

static void with_script(const char *text) {
    char path[4200], whole[8192];
    (void)snprintf(path, sizeof path, "%s/python", folder);
    (void)snprintf(whole, sizeof whole, "#!/bin/sh\n%s", text);
    put(path, whole, 0700);
    open_home(path);
}

static int try_deploy(const char *workers, int64_t timeout_ms, ctcd_service **ret,
                      ctcd_error **err) {
    ctcd_deployment *want = NULL;
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/model", folder);
    ok(ctcd_deployment_new(ctx, &want, NULL), NULL);
    ok(ctcd_deployment_set_model_name(want, "m", NULL), NULL);
    ok(ctcd_deployment_set_model_uri(want, path, NULL), NULL);
    ok(ctcd_deployment_set_min_ready(want, 0, NULL), NULL);
    if (workers)
        ok(ctcd_deployment_set_option(want, "workers", workers, NULL), NULL);
    int rc = ctcd_model_deployer_deploy(deployer, want, timeout_ms, ret, err);
    ctcd_deployment_unref(want);
    return rc;
}

static ctcd_service *deploy(void) {
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    ok(try_deploy(NULL, LONG, &service, &err), err);
    return service;
}

/* ---- looking around ------------------------------------------------------------------------------- */

static ctcd_status *look(ctcd_service *service, int64_t timeout_ms) {
    ctcd_status *status = NULL;
    ctcd_error *err = NULL;
    ok(ctcd_service_observe(service, timeout_ms, &status, &err), err);
    return status;
}

static void is_in_state(ctcd_service *service, int state, const char *message) {
    ctcd_status *status = look(service, LONG);
    ck_assert_msg(ctcd_status_state(status) == state, "%s: %s (%s)",
                  ctcd_state_name(ctcd_status_state(status)), ctcd_status_message(status),
                  ctcd_status_last_error(status));
    ck_assert_msg(!message || strstr(ctcd_status_message(status), message), "%s",
                  ctcd_status_message(status));
    ctcd_status_unref(status);
}

static const char *property(const ctcd_status *status, const char *name) {
    for (size_t i = 0; i < ctcd_status_property_count(status); i++)
        if (strcmp(ctcd_status_property_name(status, i), name) == 0)
            return ctcd_status_property_value(status, i);
    return NULL;
}

static int64_t number(ctcd_service *service, const char *name) {
    int64_t value = 0;
    ctcd_status *status = look(service, LONG);
    const char *text = property(status, name);
    ck_assert_msg(text && text_to_int64(text, &value), "no %s", name);
    ctcd_status_unref(status);
    return value;
}

/* The folder of the revision, for asking the shim behind the library's back. */
static void path_of(ctcd_service *service, char ret[4096]) {
    ctcd_status *status = look(service, LONG);
    (void)snprintf(ret, 4096, "%s", property(status, "SERVICE_PATH"));
    ctcd_status_unref(status);
}

static bool takes_connections(int64_t port) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    bool taken = connect(fd, (struct sockaddr *)&name, sizeof name) == 0;
    (void)close(fd);
    return taken;
}

static void predicts(ctcd_service *service, const char *input, const char *answer) {
    char *text = NULL;
    ctcd_error *err = NULL;
    ok(ctcd_service_predict(service, input, LONG, &text, &err), err);
    ck_assert_str_eq(text, answer);
    ctcd_free(text);
}

static void says(const char *text, const char *what) {
    ck_assert_msg(text && strstr(text, what), "\"%s\" is not in: %s", what, text ? text : "-");
}

/* ---- what goes well ------------------------------------------------------------------------------- */

START_TEST(the_port_survives_a_stop) {
    ctcd_error *err = NULL;
    with_stand_in();
    ctcd_service *service = deploy();
    int64_t port = number(service, "PORT");
    predicts(service, "[[1, 2], [3, 4]]", "{\"predictions\": [0, 0]}");
    ok(ctcd_service_stop(service, LONG, &err), err);
    is_in_state(service, CTCD_STATE_INACTIVE, "stopped");
    ck_assert(!takes_connections(port));
    ok(ctcd_service_start(service, LONG, &err), err);
    is_in_state(service, CTCD_STATE_ACTIVE, NULL);
    ck_assert_int_eq(number(service, "PORT"), port);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(a_port_that_is_taken_meanwhile) {
    ctcd_error *err = NULL;
    with_stand_in();
    ctcd_service *service = deploy();
    int64_t port = number(service, "PORT");
    int fd = -1, bound = 0;
    ok(ctcd_service_stop(service, LONG, &err), err);
    ok(process_listen("127.0.0.1", (int)port, &fd, &bound, NULL), NULL);
    ok(ctcd_service_start(service, LONG, &err), err);
    ck_assert_int_ne(number(service, "PORT"), port);
    ctcd_service *now = NULL;
    ok(ctcd_service_get(ctx, ctcd_service_uuid(service), &now, &err), err);
    predicts(now, "[[1, 2]]", "{\"predictions\": [0]}");
    ctcd_service_unref(now);
    ctcd_service_unref(service);
    (void)close(fd);
}
END_TEST

START_TEST(predictions_that_are_refused) {
    char *text = NULL;
    ctcd_error *err = NULL;
    with_stand_in();
    ctcd_service *service = deploy();
    /* The model has two columns, so the rows are checked before they are sent. */
    ck_assert_int_eq(ctcd_service_predict(service, "[[1, 2, 3]]", LONG, &text, &err),
                     CTCD_E_INVALID);
    says(ctcd_error_message(err), "there are 2 columns");
    err = ctcd_error_unref(err);
    ck_assert_int_eq(ctcd_service_predict(service, "[[1, 2]", LONG, &text, &err), CTCD_E_INVALID);
    err = ctcd_error_unref(err);
    behave("garbage\n");
    ck_assert_int_eq(ctcd_service_predict(service, "[[1, 2]]", LONG, &text, &err), CTCD_E_PROTOCOL);
    err = ctcd_error_unref(err);
    behave("status 503\n");
    ck_assert_int_eq(ctcd_service_predict(service, "[[1, 2]]", LONG, &text, &err),
                     CTCD_E_UNREACHABLE);
    err = ctcd_error_unref(err);
    behave("hang-up\n");
    ck_assert_int_eq(ctcd_service_predict(service, "[[1, 2]]", LONG, &text, &err),
                     CTCD_E_UNREACHABLE);
    says(ctcd_error_message(err), "http://127.0.0.1:");
    err = ctcd_error_unref(err);
    behave("silent\n");
    ck_assert_int_eq(ctcd_service_predict(service, "[[1, 2]]", 100, &text, &err), CTCD_E_TIMEOUT);
    ctcd_error_unref(err);
    ck_assert_ptr_null(text);
    ctcd_service_unref(service);
}
END_TEST

/* ---- what does not come up ------------------------------------------------------------------------ */

/* No server, whatever it was, may be left; the service stays listed as an error. */
static void nothing_came_up(bool started) {
    ctcd_list *list = NULL;
    ctcd_error *err = NULL;
    char path[4300];
    struct child_status child;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err), err);
    if (started)
        ck_assert_uint_eq(ctcd_list_count(list), 1);
    if (ctcd_list_count(list)) {
        (void)snprintf(path, sizeof path, "%s/home/services/%s/r1", folder,
                       ctcd_service_uuid(ctcd_list_service(list, 0)));
        ok(child_look(path, 1, &child, NULL), NULL);
        ck_assert(child.state == CHILD_ENDED || (!started && child.state == CHILD_NOT_STARTED));
    }
    ctcd_list_unref(list);
}

START_TEST(it_ends_with_an_exception) {
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    with_script("echo 'Traceback (most recent call last):\n  File \"x\", line 1\n"
                "ModuleNotFoundError: No module named '\\''skops'\\' >&2\nexit 3\n");
    ck_assert_int_eq(try_deploy(NULL, LONG, &service, &err), CTCD_E_FAILED);
    says(ctcd_error_message(err),
         "its server ended with exit status 3: ModuleNotFoundError: No module named 'skops'");
    says(ctcd_error_hint(err), "install skops into the server's environment");
    says(ctcd_error_details(err), "Traceback");
    ctcd_error_unref(err);
    ck_assert_ptr_null(service);
    nothing_came_up(true);
}
END_TEST

START_TEST(it_is_killed_while_it_loads) {
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    with_stand_in();
    behave("signal 9\n");
    ck_assert_int_eq(try_deploy(NULL, LONG, &service, &err), CTCD_E_FAILED);
    says(ctcd_error_message(err), "its server was killed by signal 9 (SIGKILL)");
    says(ctcd_error_hint(err), "out of memory");
    ctcd_error_unref(err);
    nothing_came_up(true);
}
END_TEST

/* uvicorn with several workers starts them again and again, and never ends by itself. */
START_TEST(its_workers_die_one_after_the_other) {
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    with_script("for n in 1 2; do echo \"Process SpawnProcess-$n:\n"
                "Traceback (most recent call last):\n  File \\\"x\\\", line 1\n"
                "_pickle.UnpicklingError: invalid load key, ' '.\" >&2; done\nexec sleep 600\n");
    ck_assert_int_eq(try_deploy("2", LONG, &service, &err), CTCD_E_FAILED);
    says(ctcd_error_message(err), "workers die");
    says(ctcd_error_message(err), "UnpicklingError");
    says(ctcd_error_hint(err), "save the model again");
    ctcd_error_unref(err);
    nothing_came_up(true);
}
END_TEST

START_TEST(it_never_serves) {
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    with_stand_in();
    behave("deaf\n");
    ck_assert_int_eq(try_deploy(NULL, 1500, &service, &err), CTCD_E_TIMEOUT);
    ctcd_error_unref(err);
    nothing_came_up(false);
}
END_TEST

/* The example that was saved with the model is asked before the switch, unless that is not wanted. */
START_TEST(it_does_not_answer_its_own_example) {
    ctcd_service *service = NULL;
    ctcd_deployment *want = NULL;
    ctcd_error *err = NULL;
    char path[4200];
    with_stand_in();
    (void)snprintf(path, sizeof path, "%s/model/serving_input_example.json", folder);
    put(path, "{\"inputs\": [[1, 2]]}", 0600);
    behave("status 500\n");
    ck_assert_int_eq(try_deploy(NULL, LONG, &service, &err), CTCD_E_FAILED);
    says(ctcd_error_message(err), "failed the smoke request");
    ctcd_error_unref(err);
    err = NULL;
    nothing_came_up(true);
    (void)snprintf(path, sizeof path, "%s/model", folder);
    ok(ctcd_deployment_new(ctx, &want, NULL), NULL);
    ok(ctcd_deployment_set_model_name(want, "m", NULL), NULL);
    ok(ctcd_deployment_set_model_uri(want, path, NULL), NULL);
    ok(ctcd_deployment_set_min_ready(want, 0, NULL), NULL);
    ok(ctcd_deployment_set_option(want, "input_example", "false", NULL), NULL);
    ok(ctcd_model_deployer_deploy(deployer, want, LONG, &service, &err), err);
    ctcd_deployment_unref(want);
    ctcd_service_unref(service);
    behave("");
    service = deploy();
    ctcd_service_unref(service);
}
END_TEST

START_TEST(it_is_no_program) {
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    open_home("/nonexistent/python");
    ck_assert_int_eq(try_deploy(NULL, LONG, &service, &err), CTCD_E_INVALID);
    says(ctcd_error_message(err), "/nonexistent/python");
    says(ctcd_error_hint(err), "option python");
    err = ctcd_error_unref(err);
    ck_assert_int_eq(try_deploy("65", LONG, &service, &err), CTCD_E_INVALID);
    says(ctcd_error_message(err), "workers");
    ctcd_error_unref(err);
}
END_TEST

START_TEST(a_script_without_interpreter) {
    ctcd_service *service = NULL;
    ctcd_error *err = NULL;
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/python", folder);
    put(path, "#!/nonexistent/interpreter\n", 0700);
    open_home(path);
    ck_assert_int_eq(try_deploy(NULL, LONG, &service, &err), CTCD_E_FAILED);
    says(ctcd_error_message(err), "its server could not be run");
    ctcd_error_unref(err);
}
END_TEST

/* ---- what goes wrong later ------------------------------------------------------------------------ */

START_TEST(it_answers_badly_or_not_at_all) {
    with_stand_in();
    ctcd_service *service = deploy();
    behave("unready\n");
    is_in_state(service, CTCD_STATE_DEGRADED, "503");
    behave("silent\n");
    ctcd_status *status = look(service, 300);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_UNKNOWN);
    ctcd_status_unref(status);
    behave("");
    is_in_state(service, CTCD_STATE_ACTIVE, NULL);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(it_is_killed) {
    ctcd_error *err = NULL;
    with_stand_in();
    ctcd_service *service = deploy();
    int64_t pid = number(service, "DAEMON_PID");
    ck_assert_int_eq(kill((pid_t)pid, SIGKILL), 0);
    is_in_state(service, CTCD_STATE_ERROR, "killed by signal 9 (SIGKILL)");
    ok(ctcd_service_start(service, LONG, &err), err);
    is_in_state(service, CTCD_STATE_ACTIVE, NULL);
    ck_assert_int_ne(number(service, "DAEMON_PID"), pid);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(its_monitor_is_killed) {
    ctcd_error *err = NULL;
    char path[4096];
    struct child_status child;
    with_stand_in();
    ctcd_service *service = deploy();
    int64_t port = number(service, "PORT");
    path_of(service, path);
    ok(child_look(path, 1, &child, NULL), NULL);
    int fd = -1;
    ok(child_pidfd(path, 1, &fd, NULL), NULL);
    ck_assert_int_eq(kill(child.shim, SIGKILL), 0);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&gone, 1, LONG), 1);
    (void)close(fd);
    is_in_state(service, CTCD_STATE_ERROR, "monitor lost");
    ck_assert(takes_connections(port)); /* the server lives on */
    ok(ctcd_service_stop(service, LONG, &err), err);
    is_in_state(service, CTCD_STATE_INACTIVE, "stopped");
    ck_assert(!takes_connections(port));
    ok(ctcd_service_start(service, LONG, &err), err);
    is_in_state(service, CTCD_STATE_ACTIVE, NULL);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(it_ignores_the_wish_to_end) {
    ctcd_error *err = NULL;
    with_stand_in();
    behave("ignore-term\nfork-child\n");
    ctcd_service *service = deploy();
    int64_t port = number(service, "PORT");
    ok(ctcd_service_stop(service, 5000, &err), err);
    is_in_state(service, CTCD_STATE_INACTIVE, "stopped");
    ck_assert(!takes_connections(port));
    ctcd_service_unref(service);
}
END_TEST

/* ---- out of memory -------------------------------------------------------------------------------- */

START_TEST(every_allocation_of_a_look_fails_once) {
    with_stand_in();
    ctcd_service *service = deploy();
    uint64_t count = 1, step = suite_is_slow() ? 7 : 1;
    for (uint64_t n = 1; n <= count; n += step) {
        ctcd_status *status = NULL;
        ctcd_error *err = NULL;
        mem_test_fail_at(n);
        int rc = ctcd_service_observe(service, LONG, &status, &err);
        count = mem_test_count();
        mem_test_fail_at(0);
        ck_assert_msg(rc == 0 || rc == CTCD_E_NOMEM, "allocation %d: %d %s", (int)n, rc,
                      ctcd_error_message(err));
        ctcd_error_unref(err);
        ctcd_status_unref(status);
    }
    is_in_state(service, CTCD_STATE_ACTIVE, NULL);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(every_allocation_of_a_prediction_fails_once) {
    with_stand_in();
    ctcd_service *service = deploy();
    uint64_t count = 1, step = suite_is_slow() ? 7 : 1;
    for (uint64_t n = 1; n <= count; n += step) {
        char *text = NULL;
        ctcd_error *err = NULL;
        mem_test_fail_at(n);
        int rc = ctcd_service_predict(service, "[[1, 2]]", LONG, &text, &err);
        count = mem_test_count();
        mem_test_fail_at(0);
        ck_assert_msg(rc == 0 || rc == CTCD_E_NOMEM, "allocation %d: %d %s", (int)n, rc,
                      ctcd_error_message(err));
        ctcd_error_unref(err);
        ctcd_free(text);
    }
    predicts(service, "[[1, 2]]", "{\"predictions\": [0]}");
    ctcd_service_unref(service);
}
END_TEST

/* A start that fails half-way must leave nothing, and the next one must succeed. */
START_TEST(allocations_of_stop_and_start_fail) {
    with_stand_in();
    ctcd_service *service = deploy();
    int64_t port = number(service, "PORT");
    uint64_t step = suite_is_slow() ? 97 : 13;
    for (uint64_t n = 1, count = 1; n <= count; n += step) {
        ctcd_error *err = NULL;
        mem_test_fail_at(n);
        int rc = ctcd_service_stop(service, LONG, &err);
        if (!rc)
            rc = ctcd_service_start(service, LONG, &err);
        count = mem_test_count();
        mem_test_fail_at(0);
        ck_assert_msg(rc == 0 || rc == CTCD_E_NOMEM || rc == CTCD_E_FAILED, "allocation %d: %d %s",
                      (int)n, rc, ctcd_error_message(err));
        err = ctcd_error_unref(err);
        ok(ctcd_service_start(service, LONG, &err), err);
        is_in_state(service, CTCD_STATE_ACTIVE, NULL);
    }
    ck_assert_int_eq(number(service, "PORT"), port);
    ctcd_service_unref(service);
}
END_TEST

SUITE_MAIN_WITH("mlflow_server", setup, teardown, the_port_survives_a_stop,
                a_port_that_is_taken_meanwhile, predictions_that_are_refused,
                it_ends_with_an_exception, it_is_killed_while_it_loads,
                its_workers_die_one_after_the_other, it_never_serves,
                it_does_not_answer_its_own_example, it_is_no_program, a_script_without_interpreter,
                it_answers_badly_or_not_at_all, it_is_killed, its_monitor_is_killed,
                it_ignores_the_wish_to_end, every_allocation_of_a_look_fails_once,
                every_allocation_of_a_prediction_fails_once, allocations_of_stop_and_start_fail)
