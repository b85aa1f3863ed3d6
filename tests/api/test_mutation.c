/* Mutations of a service of which something fails, or that meet: what is taken down and by whom, what stays
   open for the next one, and that one revision runs in the end. On a back end in the test, by a clock that the
   test moves. What a kill leaves is in tests/cli/test_kills.py and tests/fault/test_deploy_storm.c. */
#include "fake.h"

#include <dirent.h>
#include <unistd.h>

static struct hand hand;

static int64_t which; /* the revision that a hook is about; 0 = all */
static int64_t takes_ms;

static void begin(void) {
    which = takes_ms = 0;
    fake_begin();
    hand_give(&hand, ctx);
}

static int outcome(ctcd_op *op) {
    int rc = play(ctx, &hand, op);
    ctcd_op_unref(op);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    return rc;
}

#define ends(op, code) ck_assert_str_eq(ctcd_code_name(outcome(op)), ctcd_code_name(code))

static ctcd_op *deploy_begin(const char *uri) {
    return fake_deploy_begin("digits", uri, LONG_MS);
}

static ctcd_op *start_begin(ctcd_service *service) {
    ctcd_op *op = NULL;
    ok(ctcd_service_start_begin(service, LONG_MS, &op, &err));
    return op;
}

static ctcd_op *stop_begin(ctcd_service *service) {
    ctcd_op *op = NULL;
    ok(ctcd_service_stop_begin(service, LONG_MS, &op, &err));
    return op;
}

static ctcd_op *delete_begin(ctcd_service *service) {
    ctcd_op *op = NULL;
    ok(ctcd_service_delete_begin(service, 0, LONG_MS, &op, &err));
    return op;
}

/* How the only service is. */
static void is(const char *state, const char *message, const char *next) {
    ctcd_list *services = fake_services(), *statuses = NULL;
    ck_assert_uint_eq(ctcd_list_count(services), 1);
    ok(ctcd_list_observe(services, LONG_MS, &statuses, &err));
    const ctcd_status *status = ctcd_list_status(statuses, 0);
    ck_assert_str_eq(ctcd_state_name(ctcd_status_state(status)), state);
    ck_assert_has(ctcd_status_message(status), message);
    ck_assert_has(ctcd_status_next(status), next);
    ck_assert(next[0] || !ctcd_status_next(status)[0]);
    ctcd_list_unref(statuses);
    ctcd_list_unref(services);
}

static void runs_only(int64_t number) {
    for (size_t i = 0; i < fake.server_count; i++)
        ck_assert_msg(fake.servers[i].runs == (fake.servers[i].number == number), "revision %d %s",
                      (int)fake.servers[i].number, fake.servers[i].runs ? "runs" : "does not run");
}

/* Folders of services in the home. */
static int folders(void) {
    char path[4300];
    int count = 0;
    (void)snprintf(path, sizeof path, "%s/services", api_home);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        (void)closedir(dir);
    return count;
}

/* ---- hooks ---- */

static bool about(const struct fake_in *in) {
    return !which || ctcd_revision_number(in->revision) == which;
}

static int never_ready(struct fake_in *in) {
    if (!about(in))
        return FAKE_GO_ON;
    ok(ctcd_observation_set_state(in->out, CTCD_STATE_ERROR));
    ok(ctcd_observation_set_error(in->out, "its workers die", NULL));
    return ctcd_observation_set_final(in->out);
}

static int for_ever(struct fake_in *in) {
    return about(in) ? fake_for_ever(in) : FAKE_GO_ON;
}

static int will_not_go(struct fake_in *in) {
    return about(in) ? ctcd_call_fail(in->call, CTCD_E_IO, "it will not go", NULL) : FAKE_GO_ON;
}

static int takes_time(struct fake_in *in) {
    return about(in) && in->entry == 1 ? fake_until(in, takes_ms) : FAKE_GO_ON;
}

static int fails_to_answer(struct fake_in *in) {
    return about(in) ? ctcd_call_fail(in->call, CTCD_E_INVALID, "no answer", NULL) : FAKE_GO_ON;
}

/* ---- what fails is taken down ------------------------------------------------------------------- */

START_TEST(a_start_that_fails_takes_its_server_down) {
    ctcd_service *service = fake_deploy("digits", "here");
    ends(stop_begin(service), 0);
    fake.hook[FAKE_OBSERVE] = never_ready;
    ends(start_begin(service), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "its workers die");
    ck_assert_int_eq(fake_running(&fake), 0);
    fake.hook[FAKE_OBSERVE] = NULL;
    is("error", "did not come up", "");
    ends(start_begin(service), 0);
    runs_only(1);
    is("active", "", "");
    ctcd_service_unref(service);
}
END_TEST

START_TEST(a_cancelled_start_takes_its_server_down) {
    ctcd_service *service = fake_deploy("digits", "here");
    ends(stop_begin(service), 0);
    fake.hook[FAKE_OBSERVE] = for_ever;
    ctcd_op *op = start_begin(service);
    play_for(ctx, &hand, 7000); /* it looks before it starts */
    runs_only(1);
    ok(ctcd_op_cancel(op));
    ends(op, CTCD_E_CANCELED);
    ck_assert_int_eq(fake_running(&fake), 0);
    fake.hook[FAKE_OBSERVE] = NULL;
    is("error", "", "");
    ctcd_service_unref(service);
}
END_TEST

/* What comes up may take all of the time; taking it down has time of its own. */
static int ready_too_late(struct fake_in *in) {
    return about(in) && in->entry == 1 ? fake_until(in, 4000) : never_ready(in);
}

START_TEST(an_undo_has_time_of_its_own) {
    ctcd_service *first = fake_deploy("digits", "one");
    which = 2;
    takes_ms = 10000;
    fake.hook[FAKE_OBSERVE] = ready_too_late;
    fake.hook[FAKE_REMOVE] = takes_time;
    ends(fake_deploy_begin("digits", "two", 4010), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "its workers die");
    ck_assert_has(ctcd_error_message(err), "still serves");
    runs_only(1);
    fake.hook[FAKE_OBSERVE] = NULL;
    is("active", "", "");
    ctcd_service_unref(first);
}
END_TEST

/* The message says what is so of the incumbent, too. */
START_TEST(a_failed_deploy_tells_who_serves) {
    ctcd_service *service = fake_deploy("digits", "one");
    which = 2;
    fake.hook[FAKE_OBSERVE] = never_ready;
    ends(deploy_begin("two"), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "; revision 1 (one) still serves at fake://127.0.0.1/1");
    fake.servers[0].runs = false;
    which = 3;
    ends(deploy_begin("three"), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "; revision 1 (one) does not serve either: ");
    ends(stop_begin(service), 0);
    which = 4;
    ends(deploy_begin("four"), CTCD_E_FAILED);
    ck_assert_ptr_null(strstr(ctcd_error_message(err), "revision 1"));
    ctcd_service_unref(service);
}
END_TEST

/* A server that falls silent was not ready all the while. */
static int silent_in_between(struct fake_in *in) {
    int *looks = in->fake->data;
    if (in->entry == 1)
        ++*looks;
    return *looks == 3 ? fake_for_ever(in) : FAKE_GO_ON;
}

START_TEST(ready_means_ready_all_the_while) {
    int looks = 0;
    ctcd_op *op = NULL;
    ctcd_deployment *want = fake_want("digits", "one");
    ok(ctcd_deployment_set_min_ready(want, 3000, &err));
    fake.data = &looks;
    fake.hook[FAKE_OBSERVE] = silent_in_between;
    int64_t begun = atomic_load(&hand.mono);
    ok(ctcd_model_deployer_deploy_begin(deployer, want, LONG_MS, &op, &err));
    ends(op, 0);
    ck_assert_int_ge(atomic_load(&hand.mono) - begun, 5000 + 3000); /* a look waits 5 s at most */
    ctcd_deployment_unref(want);
}
END_TEST

/* A program that does not know the back end can only forget what that made, and only when it is told to. */
START_TEST(what_nobody_here_can_reach_is_forgotten_by_force) {
    ctcd_service_unref(fake_deploy("digits", "one"));
    ctcd_context *other = api_context(0);
    ctcd_list *all = NULL;
    ok(ctcd_service_find(other, NULL, NULL, NULL, NULL, &all, &err));
    ctcd_service *service = ctcd_list_service(all, 0);
    fails(ctcd_service_delete(service, 0, LONG_MS, &err), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), "flavor \"fake\"");
    ok(ctcd_service_delete(service, CTCD_DELETE_FORCE, LONG_MS, &err));
    runs_only(1); /* it is not ended, of course */
    ck_assert_int_eq(folders(), 0);
    ctcd_list_unref(all);
    ctcd_context_unref(other);
}
END_TEST

/* ---- what cannot be taken down is taken down by the next one ------------------------------------- */

START_TEST(an_undo_that_fails_stays_open) {
    ctcd_service *first = fake_deploy("digits", "one");
    which = 2;
    fake.hook[FAKE_OBSERVE] = never_ready;
    fake.hook[FAKE_REMOVE] = will_not_go;
    ends(deploy_begin("two"), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "its workers die"); /* not what the undo said */
    ck_assert_int_eq(fake_running(&fake), 2);
    is("active", "operation interrupted (deploy)", "served-models start");
    fake.hook[FAKE_OBSERVE] = NULL;
    ends(deploy_begin("three"), CTCD_E_IO); /* and nothing else runs while it does */
    ck_assert_int_eq(fake_running(&fake), 2);
    is("active", "operation interrupted (deploy)", "served-models start");
    fake.hook[FAKE_REMOVE] = NULL;
    fake.trace[0] = '\0';
    ends(start_begin(first), 0); /* the first one goes on, and is not started anew */
    ck_assert_str_eq(fake.trace, "remove:2! observe:1");
    runs_only(1);
    is("active", "", "");
    ctcd_service_unref(first);
}
END_TEST

START_TEST(an_old_server_that_will_not_go_goes_with_the_next_change) {
    ctcd_service *service = fake_deploy("digits", "one");
    which = 1;
    fake.hook[FAKE_REMOVE] = will_not_go;
    ends(deploy_begin("two"), 0);
    ck_assert_int_eq(fake_running(&fake), 2);
    is("active", "", "");
    fake.hook[FAKE_REMOVE] = NULL;
    fake.trace[0] = '\0';
    ends(deploy_begin("three"), 0);
    /* gently, as it may have open requests; before the new one, so that never three of them run */
    ck_assert_str_eq(fake.trace, "validate:0 remove:1 apply:3 observe:3 remove:2");
    runs_only(3);
    ctcd_service_unref(service);
}
END_TEST

/* Not even begun: the switch is done all the same, and nothing of it is undone. */
START_TEST(an_old_server_whose_end_cannot_begin) {
    ctcd_service *service = fake_deploy("digits", "one");
    char folder[4400];
    (void)snprintf(folder, sizeof folder, "%s/services/%s/r1", api_home,
                   ctcd_service_uuid(service));
    ck_assert_int_eq(rmdir(folder), 0);
    FILE *f = fopen(folder, "w"); /* in the place of the folder */
    ck_assert_ptr_nonnull(f);
    (void)fclose(f);
    ends(deploy_begin("two"), 0);
    is("active", "", "");
    ck_assert(fake.servers[1].runs);
    ck_assert_int_eq(unlink(folder), 0);
    ends(deploy_begin("three"), 0);
    runs_only(3);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(what_was_left_to_look_at_goes_with_the_next_change) {
    ctcd_service *service = fake_deploy("digits", "one"), *none = NULL;
    ctcd_deployment *want = fake_want("digits", "two");
    ok(ctcd_deployment_set_smoke(want, "[[1]]", &err));
    ok(ctcd_deployment_set_on_failure(want, "leave", &err));
    which = 2;
    fake.hook[FAKE_PREDICT] = fails_to_answer;
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &none, &err), CTCD_E_FAILED);
    ck_assert_int_eq(fake_running(&fake), 2);
    is("degraded", "revision 2, which failed", "");
    ends(deploy_begin("three"), 0);
    runs_only(3);
    is("active", "", "");
    which = 4;
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &none, &err), CTCD_E_FAILED);
    ck_assert_int_eq(fake_running(&fake), 2);
    ends(stop_begin(service), 0);
    ck_assert_int_eq(fake_running(&fake), 0);
    ctcd_deployment_unref(want);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(a_stop_that_fails_stays_open) {
    ctcd_service *service = fake_deploy("digits", "one");
    fake.hook[FAKE_REMOVE] = will_not_go;
    ends(stop_begin(service), CTCD_E_IO);
    is("active", "operation interrupted (stop)", "served-models stop");
    ends(delete_begin(service), CTCD_E_IO);
    is("active", "operation interrupted (delete)", "served-models delete");
    fake.hook[FAKE_REMOVE] = NULL;
    ends(stop_begin(service), 0);
    is("inactive", "", "");
    ck_assert_int_eq(fake_running(&fake), 0);
    ctcd_service_unref(service);
}
END_TEST

/* A take-down that nobody waits for any more ends with its op: another one may have the lock. */
START_TEST(clearing_up_ends_with_the_op) {
    ctcd_service *first = fake_deploy("digits", "one");
    which = 2;
    fake.hook[FAKE_OBSERVE] = never_ready;
    fake.hook[FAKE_REMOVE] = will_not_go;
    ends(deploy_begin("two"), CTCD_E_FAILED);
    fake.hook[FAKE_OBSERVE] = NULL;
    fake.hook[FAKE_REMOVE] = for_ever;
    for (int i = 0; i < 3; i++) {
        ctcd_op *op = i == 0 ? deploy_begin("three") : start_begin(first);
        play_for(ctx, &hand, 1000);
        ok(ctcd_op_cancel(op));
        ck_assert_int_lt(outcome(op), 0);
        int entries = fake.entries[FAKE_REMOVE];
        play_for(ctx, &hand, 60000);
        ck_assert_int_eq(fake.entries[FAKE_REMOVE], entries);
        is("active", "operation interrupted (deploy)", "served-models start");
    }
    fake.hook[FAKE_REMOVE] = NULL;
    ends(start_begin(first), 0);
    runs_only(1);
    ctcd_service_unref(first);
}
END_TEST

/* ---- they meet ----------------------------------------------------------------------------------- */

START_TEST(two_first_deploys_make_one_service) {
    ctcd_op *ops[] = {deploy_begin("one"), deploy_begin("two"), deploy_begin("three")};
    for (size_t i = 0; i < 3; i++)
        ends(ops[i], 0);
    runs_only(3);
    is("active", "", "");
    ck_assert_int_eq(folders(), 1);
}
END_TEST

START_TEST(what_waits_for_a_service_that_is_deleted) {
    ctcd_service *service = fake_deploy("digits", "one");
    char uuid[37];
    (void)snprintf(uuid, sizeof uuid, "%s", ctcd_service_uuid(service));
    takes_ms = 1000;
    fake.hook[FAKE_REMOVE] = takes_time;
    ctcd_op *gone = delete_begin(service);
    play_for(ctx, &hand, 100);
    ctcd_op *start = start_begin(service), *stop = stop_begin(service),
            *again = delete_begin(service);
    ctcd_op *deploy = deploy_begin("two");
    play_for(ctx, &hand, 100);
    ends(gone, 0);
    ends(start, CTCD_E_NOT_FOUND);
    ends(stop, CTCD_E_NOT_FOUND);
    ends(again, CTCD_E_NOT_FOUND);
    ends(deploy, 0);
    ctcd_list *all = fake_services();
    ck_assert_uint_eq(ctcd_list_count(all), 1);
    ck_assert_str_ne(ctcd_service_uuid(ctcd_list_service(all, 0)), uuid);
    ctcd_list_unref(all);
    ck_assert_int_eq(fake_running(&fake), 1);
    ck_assert_int_eq(folders(), 1);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(nothing_is_listed_of_a_deploy_that_never_began) {
    fake.hook[FAKE_VALIDATE] = for_ever;
    ctcd_op *op = deploy_begin("one");
    play_for(ctx, &hand, 100);
    ok(ctcd_op_cancel(op));
    ends(op, CTCD_E_CANCELED);
    ctcd_list *all = fake_services();
    ck_assert_uint_eq(ctcd_list_count(all), 0);
    ck_assert_int_eq(folders(), 0);
    ctcd_list_unref(all);
}
END_TEST

/* The incumbent crashed: keeping it means that it runs. */
START_TEST(what_is_kept_runs) {
    ctcd_service *service = fake_deploy("digits", "one"), *kept = NULL;
    ctcd_deployment *want = fake_want("digits", "two");
    fake.servers[0].runs = false;
    ok(ctcd_deployment_set_replace(want, 0, &err));
    ok(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &kept, &err));
    ck_assert_str_eq(ctcd_service_uuid(kept), ctcd_service_uuid(service));
    ck_assert_int_eq(ctcd_service_revision(kept), 1);
    runs_only(1);
    is("active", "", "");
    ctcd_deployment_unref(want);
    ctcd_service_unref(kept);
    ctcd_service_unref(service);
}
END_TEST

SUITE_MAIN_WITH("mutation", begin, fake_end, a_start_that_fails_takes_its_server_down,
                a_cancelled_start_takes_its_server_down, an_undo_has_time_of_its_own,
                a_failed_deploy_tells_who_serves, ready_means_ready_all_the_while,
                what_nobody_here_can_reach_is_forgotten_by_force, an_undo_that_fails_stays_open,
                an_old_server_that_will_not_go_goes_with_the_next_change,
                an_old_server_whose_end_cannot_begin,
                what_was_left_to_look_at_goes_with_the_next_change, a_stop_that_fails_stays_open,
                clearing_up_ends_with_the_op, two_first_deploys_make_one_service,
                what_waits_for_a_service_that_is_deleted,
                nothing_is_listed_of_a_deploy_that_never_began, what_is_kept_runs)
