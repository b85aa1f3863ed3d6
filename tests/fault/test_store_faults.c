/* The store when memory runs out at any one allocation, and when its process is killed before any one system
   call that changes something. One scenario, the life of a schedule, a run and a service, serves both; after
   each fault the store is whole, and each of the scenario's transactions is there entirely or not at all. */
#include "store_home.h"

#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

static int64_t id;

/* A thousand homes: in memory where there is such a folder, for what is waited for is only the disk. */
static time_t begun;

static void setup(void) {
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    begun = time(NULL);
    home_setup();
}

/* Every fault; on a slow machine, and under sanitizers, after a while only some of them. */
static uint64_t stride(void) {
    time_t spent = time(NULL) - begun;
    return spent < 12 ? 1 : spent < 25 ? 11 : 97;
}

/* ---- the scenario ----------------------------------------------------------------------------- */

static int do_components(struct store *s, ctcd_error **why) {
    struct store_stack stack = {0},
                       other = {.name = "prod", .uuid = uuid_of(0x77), .created_ms = 1};
    other.components[CTCD_COMPONENT_MODEL_DEPLOYER] = "ml";
    struct store_component deployer = {.type = CTCD_COMPONENT_MODEL_DEPLOYER,
                                       .name = "ml",
                                       .flavor = "mlflow",
                                       .uuid = uuid_of(0x78),
                                       .options = "{}",
                                       .created_ms = 1};
    struct store_components components = {0};
    struct store_stacks stacks = {0};
    int rc = store_component_add(s, &deployer, why);
    if (!rc)
        rc = store_stack_add(s, &other, why);
    if (!rc)
        rc = store_stack_update(s, &other, why);
    if (!rc)
        rc = store_stack_activate(s, "prod", why);
    if (!rc)
        rc = store_stack_get(s, NULL, &stack, why);
    if (!rc)
        rc = store_component_list(s, 0, &components, why);
    if (!rc)
        rc = store_stack_list(s, &stacks, why);
    store_stack_done(&stack);
    store_components_done(&components);
    store_stacks_done(&stacks);
    return rc;
}

static int do_fires(struct store *s, ctcd_error **why) {
    struct store_pipeline pipeline = {.name = "digits", .digest = "d1", .spec = "{}", .used_ms = 1};
    struct store_schedule schedule = {.uuid = uuid_of(1),
                                      .name = "s",
                                      .pipeline = "digits",
                                      .digest = "d1",
                                      .spec = "{}",
                                      .params = "{}"};
    struct store_run runs[] = {a_run(1), a_run(2)};
    runs[0].nominal_ms = 1;
    runs[1].nominal_ms = 2;
    struct store_drop drop = {.nominal_ms = 3, .last_ms = 3, .count = 1, .reason = "overlap"};
    int rc = store_pipeline_put(s, &pipeline, why);
    if (!rc)
        rc = store_schedule_add(s, &schedule, &id, why);
    struct store_fire fire = {id, 0, 3, runs, 2, &drop, 1};
    if (!rc)
        rc = store_fire_claim(s, &fire, why);
    struct store_schedule got = {0};
    struct store_drops drops = {0};
    if (!rc)
        rc = store_schedule_get(s, "00000001", &got, why);
    if (!rc)
        rc = store_drop_list(s, id, 0, 0, &drops, why);
    store_schedule_done(&got);
    store_drops_done(&drops);
    return rc;
}

static int do_run(struct store *s, ctcd_error **why) {
    struct store_run run = {0};
    struct store_step step = {
        .run = uuid_of(1), .name = "train", .attempt = 1, .status = STORE_STEP_RUNNING};
    const struct store_artifact outputs[] = {
        {.name = "model", .kind = STORE_ARTIFACT_URI, .value = "file:///m"},
        {.name = "accuracy", .kind = STORE_ARTIFACT_VALUE, .value = "0.9"}};
    const struct store_decision decision = {.verdict = "promote", .rule = "{}", .candidate = "{}"};
    const struct store_step_end end = {.run = uuid_of(1),
                                       .step = "train",
                                       .attempt = 1,
                                       .status = STORE_STEP_COMPLETED,
                                       .artifacts = outputs,
                                       .artifact_count = 2,
                                       .decision = &decision};
    struct store_artifacts artifacts = {0};
    struct store_decisions decisions = {0};
    struct store_runs runs = {0};
    struct store_run_query query = {.limit = 10};
    int rc = store_run_claim_next_buffered(s, id, "[]", "me", 5, &run, why);
    if (!rc)
        rc = store_step_add(s, &step, why);
    if (!rc)
        rc = store_step_end(s, &end, why);
    if (!rc)
        rc = store_run_end(s, run.uuid, "me", STORE_RUN_COMPLETED, "", 9, why);
    if (!rc)
        rc = store_artifact_list(s, run.uuid, NULL, &artifacts, why);
    if (!rc)
        rc = store_decision_list(s, run.uuid, &decisions, why);
    if (!rc)
        rc = store_run_list(s, &query, &runs, why);
    store_run_done(&run);
    store_artifacts_done(&artifacts);
    store_decisions_done(&decisions);
    store_runs_done(&runs);
    return rc;
}

/* One revision of the service, from intent to the end of the operation. */
static int do_deploy(struct store *s, int operation_number, ctcd_error **why) {
    struct store_revision revision = {
        .service = uuid_of(9), .model_uri = "m", .run = "run1", .url = "http://x", .created_ms = 1};
    struct store_operation operation = {.uuid = uuid_of(operation_number),
                                        .service = uuid_of(9),
                                        .kind = STORE_OPERATION_DEPLOY,
                                        .phase = "start",
                                        .owner = "me"};
    int64_t number = 0, generation = 0;
    int rc = store_begin(s, why);
    if (rc)
        return rc;
    rc = store_revision_add(s, &revision, &number, why);
    operation.to_revision = number;
    if (!rc)
        rc = store_operation_begin(s, &operation, why);
    if (rc)
        store_rollback(s);
    else
        rc = store_commit(s, why);
    if (!rc)
        rc = store_revision_next_generation(s, revision.service, number, &generation, why);
    if (!rc)
        rc = store_revision_set(s, revision.service, number, NULL, "{}", NULL, why);
    if (!rc)
        rc = store_service_switch(s, revision.service, number, NULL, operation.uuid, "drain", 5,
                                  why);
    if (!rc)
        rc = store_operation_end(s, operation.uuid, "", 6, why);
    return rc;
}

static int do_service(struct store *s, ctcd_error **why) {
    struct store_service service = a_service(9), got = {0};
    struct store_services services = {0};
    struct store_operations operations = {0};
    struct store_revisions revisions = {0};
    struct store_event event = {.subject_kind = "service", .kind = "deployed", .message = "m"};
    struct store_events events = {0};
    int rc = store_service_add(s, &service, why);
    if (!rc)
        rc = do_deploy(s, 20, why);
    if (!rc)
        rc = do_deploy(s, 21, why);
    if (!rc)
        rc = store_event_add(s, &event, why);
    if (!rc)
        rc = store_service_get(s, uuid_of(9), &got, why);
    if (!rc)
        rc = store_service_list(s, NULL, NULL, NULL, NULL, &services, why);
    if (!rc)
        rc = store_operation_list(s, NULL, false, &operations, why);
    if (!rc)
        rc = store_revision_list(s, uuid_of(9), &revisions, why);
    if (!rc)
        rc = store_event_list(s, 0, NULL, NULL, 0, &events, why);
    store_service_done(&got);
    store_services_done(&services);
    store_operations_done(&operations);
    store_revisions_done(&revisions);
    store_events_done(&events);
    return rc;
}

static int scenario(ctcd_error **why) {
    struct store *s = NULL;
    int rc = store_open(home_path, 0, 1, &s, why);
    if (!rc)
        rc = do_components(s, why);
    if (!rc)
        rc = do_fires(s, why);
    if (!rc)
        rc = do_run(s, why);
    if (!rc)
        rc = do_service(s, why);
    store_close(s);
    return rc;
}

/* ---- what must hold after any fault ----------------------------------------------------------- */

/* Each says 1 for whole. */
static const char *const wholes[] = {
    /* a new home has its stack */
    "SELECT count(*) = 3 FROM stack_components p JOIN stacks s ON s.id = p.stack_id"
    " WHERE s.name = 'default'",
    "SELECT count(*) = 1 FROM stacks JOIN settings ON name = value",
    /* a stack and its components */
    "SELECT (SELECT count(*) FROM stacks WHERE name = 'prod') ="
    " (SELECT count(*) FROM stack_components WHERE name = 'ml')",
    /* the mark, the runs and the drop */
    "SELECT ifnull(max(last_processed_ms), 0) = CASE (SELECT count(*) FROM runs) WHEN 2 THEN 3 "
    "ELSE 0 END"
    " FROM schedules",
    "SELECT (SELECT count(*) FROM runs) = 2 * (SELECT count(*) FROM drops)",
    /* an owner and running */
    "SELECT count(*) = 0 FROM runs WHERE (owner = '') <> (status = 'pending')",
    /* an ended step and its outputs */
    "SELECT (SELECT count(*) FROM step_runs WHERE status = 'completed') * 2 ="
    " (SELECT count(*) FROM artifacts)",
    "SELECT (SELECT count(*) FROM decisions) * 2 = (SELECT count(*) FROM artifacts)",
    /* a revision and its operation */
    "SELECT (SELECT count(*) FROM revisions) = (SELECT count(*) FROM operations)",
    "SELECT count(*) = 0 FROM services WHERE last_revision <> (SELECT count(*) FROM revisions)",
    /* the switch: the service's number is the one that serves, the others drain */
    "SELECT count(*) = 0 FROM services s WHERE s.revision <> ifnull("
    " (SELECT max(number) FROM revisions r WHERE r.service = s.uuid AND r.state = 'serving'), 0)",
    "SELECT count(*) <= 1 FROM revisions WHERE state = 'serving'",
    "SELECT count(*) = 0 FROM services s WHERE (s.revision = 0) <> (s.url = '')",
    "SELECT count(*) = 0 FROM operations o JOIN services s ON s.uuid = o.service"
    " WHERE (o.phase = 'drain') <> (s.revision >= o.to_revision)",
};

static void expect_whole(uint64_t nth) {
    struct store *s = NULL;
    OK(store_open(home_path, 0, 1, &s, &err));
    OK(store_check(s, &err));
    store_close(s);
    struct db *db = open_raw();
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        int64_t whole = 0;
        OK(db_number(db, wholes[i], DB_NO_VALUES, &whole, &err));
        ck_assert_msg(whole == 1, "after fault %d: %s", (int)nth, wholes[i]);
    }
    db_close(db);
}

static void next_home(uint64_t nth) {
    suite_folder_remove(home_path);
    snprintf(home_path, sizeof home_path, "%s/home%d", home_base, (int)nth);
    snprintf(home_store, sizeof home_store, "%s/ctcd.db", home_path);
}

START_TEST(any_allocation_may_fail) {
    bool over = false;
    for (uint64_t nth = 1; !over; nth += stride()) {
        next_home(nth);
        mem_test_fail_at(nth);
        int rc = scenario(&err);
        over = mem_test_count() < nth;
        mem_test_fail_at(0);
        if (over)
            OK(rc);
        else
            ck_assert_msg(rc == 0 || rc == CTCD_E_NOMEM, "allocation %d: %d %s", (int)nth, rc,
                          error_message(err));
        err = error_unref(err);
        expect_whole(nth);
    }
}
END_TEST

START_TEST(all_later_allocations_may_fail) {
    bool over = false;
    for (uint64_t nth = 1; !over; nth += 5 * stride()) {
        next_home(nth);
        mem_test_fail_from(nth);
        int rc = scenario(&err);
        over = mem_test_count() < nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(rc, over ? 0 : CTCD_E_NOMEM);
        err = error_unref(err);
        expect_whole(nth);
    }
}
END_TEST

/* ---- killed ----------------------------------------------------------------------------------- */

/* What was written survives the writer, synced or not: killing before an fsync is killing before the next
   write. */
static bool changes_something(long call) {
    switch (call) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_ftruncate:
    case SYS_renameat2:
#ifdef SYS_unlink
    case SYS_unlink:
    case SYS_mkdir:
#endif
    case SYS_unlinkat:
    case SYS_openat:
        return true;
    default:
        return false;
    }
}

/* The number of the call that the stopped child is about to make, or -1 on its way out of one. */
static long call_of(pid_t pid) {
    struct __ptrace_syscall_info info = {0};
    long got = ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info);
    return got > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY ? (long)info.entry.nr : -1;
}

static int traced_scenario(void) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
        return 90; /* not allowed here */
    return scenario(NULL) ? 1 : 0;
}

/* Runs the scenario and kills it before its nth changing call. 0 = it came to its end before that, 1 = it was
   killed, 90 = nobody may trace here. */
static int run_until(uint64_t nth) {
    pid_t pid = in_child(traced_scenario);
    uint64_t seen = 0;
    int status = 0;
    bool first = true;
    for (;;) {
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status))
            break;
        if (first)
            ptrace(PTRACE_SETOPTIONS, pid, NULL,
                   (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD));
        first = false;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80) && changes_something(call_of(pid)) &&
            ++seen == nth) {
            kill(pid, SIGKILL);
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
            return 1;
        }
        ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
    }
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(it_may_be_killed_before_any_call) {
    if (!suite_forks() || suite_is_slow())
        return;
    int killed = 1;
    uint64_t nth = 1;
    for (; killed == 1; nth += stride()) {
        next_home(nth);
        killed = run_until(nth);
        if (killed == 90)
            return;
        expect_whole(nth);
    }
    ck_assert_int_eq(killed, 0);
    ck_assert_uint_gt(nth, 100);
}
END_TEST

SUITE_MAIN_WITH("store_faults", setup, home_teardown, any_allocation_may_fail,
                all_later_allocations_may_fail, it_may_be_killed_before_any_call)
