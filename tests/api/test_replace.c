/* Deploy with replace and rollback as the engine does it for any back end: which methods it calls, in which order, and
   what a failure of each of them leaves. Time is a clock by hand. Real servers: test_deployment.c. */
#include "fake.h"

static struct hand hand;

static void begin(void) {
    fake_begin();
    hand_give(&hand, ctx);
}

static void end(void) {
    fake_end();
}

static void clear(void) {
    fake.trace[0] = '\0';
}

/* Plays a deploy to its end; its service, if there is one, is only counted. */
static int deploy(ctcd_deployment *want) {
    ctcd_op *op = NULL;
    ok(ctcd_model_deployer_deploy_begin(deployer, want, 60000, &op, &err));
    int rc = play(ctx, &hand, op);
    ctcd_op_unref(op);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    return rc;
}

static int deploy_uri(const char *uri) {
    ctcd_deployment *want = fake_want("digits", uri);
    int rc = deploy(want);
    ctcd_deployment_unref(want);
    return rc;
}

/* The only service, as it is listed now. */
static ctcd_service *service_now(void) {
    ctcd_list *list = fake_services();
    ck_assert_uint_eq(ctcd_list_count(list), 1);
    ctcd_service *service = ctcd_service_ref(ctcd_list_service(list, 0));
    ctcd_list_unref(list);
    return service;
}

static void uuid_now(char ret[37]) {
    ctcd_service *service = service_now();
    (void)snprintf(ret, 37, "%s", ctcd_service_uuid(service));
    ctcd_service_unref(service);
}

/* The service's state and revision, and what runs at the back end (-1 = do not look). */
static void is_now(int state, int64_t revision, int running) {
    ctcd_service *service = service_now();
    ctcd_status *status = NULL;
    bool traced = fake.traces;
    fake.traces = false;
    fake_hook before = fake.hook[FAKE_OBSERVE];
    fake.hook[FAKE_OBSERVE] = NULL;
    ok(ctcd_service_observe(service, 1000, &status, &err));
    fake.hook[FAKE_OBSERVE] = before;
    fake.traces = traced;
    ck_assert_str_eq(ctcd_state_name(ctcd_status_state(status)), ctcd_state_name(state));
    ck_assert_int_eq(ctcd_service_revision(service), revision);
    ck_assert_int_eq(fake_running(&fake), running);
    ctcd_status_unref(status);
    ctcd_service_unref(service);
}

static int failure; /* what a failing method returns */

static int fails_so(struct fake_in *in) {
    return ctcd_call_fail(in->call, failure, "the fake does not like it", "ask it why");
}

static int for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

/* ---- what happens, in which order ---- */

START_TEST(a_first_deploy) {
    ok(deploy_uri("one"));
    ck_assert_str_eq(fake.trace, "open validate:0 apply:1 observe:1");
    is_now(CTCD_STATE_ACTIVE, 1, 1);
    ctcd_service *service = service_now();
    ck_assert_str_eq(ctcd_service_model_uri(service), "one");
    ck_assert_str_eq(ctcd_service_url(service), "fake://127.0.0.1/1");
    ck_assert_str_eq(ctcd_service_deployer(service), "ml");
    ctcd_service_unref(service);
}
END_TEST

START_TEST(a_replace_keeps_the_uuid) {
    char before[37], after[37];
    ok(deploy_uri("one"));
    uuid_now(before);
    clear();
    ok(deploy_uri("two"));
    ck_assert_str_eq(fake.trace, "validate:0 apply:2 observe:2 remove:1");
    is_now(CTCD_STATE_ACTIVE, 2, 1);
    uuid_now(after);
    ck_assert_str_eq(before, after);
    ctcd_service *service = service_now();
    ck_assert_str_eq(ctcd_service_model_uri(service), "two");
    ck_assert_str_eq(ctcd_service_url(service), "fake://127.0.0.1/2");
    ctcd_service_unref(service);
}
END_TEST

static int old_runs(struct fake_in *in) {
    ck_assert_int_eq(fake_running(in->fake), in->method == FAKE_APPLY ? 1 : 2);
    ctcd_revision *revision = in->revision;
    ck_assert_int_eq(ctcd_revision_number(revision), in->method == FAKE_REMOVE ? 1 : 2);
    ck_assert_int_eq(in->flags, 0);
    return FAKE_GO_ON;
}

START_TEST(the_old_one_serves_until_the_new_one_does) {
    ok(deploy_uri("one"));
    fake.hook[FAKE_APPLY] = fake.hook[FAKE_OBSERVE] = fake.hook[FAKE_REMOVE] = old_runs;
    ctcd_op *op = fake_deploy_begin("digits", "two", 60000);
    for (int i = 0; ctcd_op_poll(op) == CTCD_AGAIN; i++) {
        ck_assert_int_lt(i, 1000);
        turn(ctx, &hand);
        ck_assert_int_ge(fake_running(&fake), 1);
        ctcd_service *service = service_now();
        /* The record says the new one only once it runs. */
        int64_t revision = ctcd_service_revision(service);
        ck_assert(revision == 1 || fake.servers[1].runs);
        ctcd_service_unref(service);
    }
    ok(ctcd_op_result(op, &err));
    ctcd_op_unref(op);
    ck_assert_int_eq(fake_running(&fake), 1);
}
END_TEST

static int ready_after(struct fake_in *in) {
    int state = in->fake->calls[FAKE_OBSERVE] < 12 ? CTCD_STATE_PENDING_STARTUP : CTCD_STATE_ACTIVE;
    int rc = ctcd_observation_set_message(in->out, "loading");
    return rc ? rc : ctcd_observation_set_state(in->out, state);
}

START_TEST(looks_back_off_while_it_comes_up) {
    int64_t start = atomic_load(&hand.mono);
    fake.hook[FAKE_OBSERVE] = ready_after;
    ok(deploy_uri("one"));
    ck_assert_int_eq(fake.calls[FAKE_OBSERVE], 12);
    int64_t took = atomic_load(&hand.mono) - start;
    ck_assert_int_ge(took, 11 * 20);
    ck_assert_int_le(took, 11 * 250);
    ck_assert_int_gt(took, 1000); /* it does grow */
}
END_TEST

static int flickers(struct fake_in *in) {
    int64_t at = ctcd_call_now(in->call) - HAND_MONO;
    bool ready = at < 1500 || at >= 1800;
    return ctcd_observation_set_state(in->out,
                                      ready ? CTCD_STATE_ACTIVE : CTCD_STATE_PENDING_STARTUP);
}

START_TEST(it_has_to_stay_ready) {
    ctcd_deployment *want = fake_want("digits", "one");
    ok(ctcd_deployment_set_min_ready(want, 2000, &err));
    fake.hook[FAKE_OBSERVE] = flickers;
    ok(deploy(want));
    int64_t took = atomic_load(&hand.mono) - HAND_MONO;
    ck_assert_int_ge(took, 1800 + 2000); /* it begins anew after the gap */
    ck_assert_int_le(took, 1800 + 250 + 2000);
    ctcd_deployment_unref(want);
}
END_TEST

START_TEST(two_seconds_are_the_default) {
    ctcd_deployment *want = NULL;
    ok(ctcd_deployment_new(ctx, &want, &err));
    ok(ctcd_deployment_set_model_name(want, "digits", &err));
    ok(ctcd_deployment_set_model_uri(want, "one", &err));
    ok(deploy(want));
    ck_assert_int_eq(atomic_load(&hand.mono) - HAND_MONO, 2000);
    ctcd_deployment_unref(want);
}
END_TEST

static int expects_smoke(struct fake_in *in) {
    ck_assert_str_eq(in->body, "{\"instances\": [[1]]}");
    ck_assert_int_eq(ctcd_revision_number(in->revision), 1);
    return failure ? failure : FAKE_GO_ON;
}

START_TEST(a_smoke_request_comes_before_the_switch) {
    ctcd_deployment *want = fake_want("digits", "one");
    ok(ctcd_deployment_set_smoke(want, "{\"instances\": [[1]]}", &err));
    fake.hook[FAKE_PREDICT] = expects_smoke;
    failure = 0;
    ok(deploy(want));
    ck_assert_str_eq(fake.trace, "open validate:0 apply:1 observe:1 predict:1 observe:1");
    ctcd_deployment_unref(want);
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}
END_TEST

START_TEST(what_validate_pinned_is_what_is_applied) {
    ok(deploy_uri("one"));
    ck_assert_uint_eq(fake.server_count, 1);
    ctcd_deployment *want = fake_want("digits", "two");
    clear();
    ok(ctcd_model_deployer_validate(deployer, want, 1000, &err));
    ck_assert_str_eq(fake.trace, "validate:0"); /* and nothing else */
    failure = CTCD_E_NOT_FOUND;
    fake.hook[FAKE_VALIDATE] = fails_so;
    fails(ctcd_model_deployer_validate(deployer, want, 1000, &err), CTCD_E_NOT_FOUND);
    ctcd_deployment_unref(want);
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}
END_TEST

/* ---- failures, method by method ---- */

/* Nothing was begun: nothing is listed, and what served serves on. */
START_TEST(when_validate_fails) {
    const int codes[] = {CTCD_E_INVALID, CTCD_E_NOT_FOUND, CTCD_E_NOT_ALLOWED, CTCD_E_NOMEM};
    fake.hook[FAKE_VALIDATE] = fails_so;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        failure = codes[i];
        ck_assert_int_eq(deploy_uri("one"), failure);
        ck_assert_str_eq(ctcd_error_message(err), "the fake does not like it");
        ck_assert_str_eq(ctcd_error_hint(err), "ask it why");
    }
    ctcd_list *list = fake_services();
    ck_assert_uint_eq(ctcd_list_count(list), 0);
    ctcd_list_unref(list);
    fake.hook[FAKE_VALIDATE] = NULL;
    ok(deploy_uri("one"));
    clear();
    fake.hook[FAKE_VALIDATE] = fails_so;
    ck_assert_int_eq(deploy_uri("two"), failure);
    ck_assert_str_eq(fake.trace, "validate:0");
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}
END_TEST

START_TEST(when_the_first_apply_fails) {
    failure = CTCD_E_UNREACHABLE;
    fake.hook[FAKE_APPLY] = fails_so;
    ck_assert_int_eq(deploy_uri("one"), CTCD_E_UNREACHABLE);
    ck_assert_str_eq(fake.trace, "open validate:0 apply:1 remove:1!");
    ck_assert_has(ctcd_error_message(err), "the fake does not like it");
    is_now(CTCD_STATE_ERROR, 0, 0); /* it stays listed */
    ctcd_service *service = service_now();
    ctcd_status *status = NULL;
    ok(ctcd_service_observe(service, 1000, &status, &err));
    ck_assert_has(ctcd_status_last_error(status), "the fake does not like it");
    ctcd_status_unref(status);
    ctcd_service_unref(service);
    /* And the next one makes it good. */
    fake.hook[FAKE_APPLY] = NULL;
    char before[37], after[37];
    uuid_now(before);
    ok(deploy_uri("two"));
    uuid_now(after);
    ck_assert_str_eq(before, after);
    is_now(CTCD_STATE_ACTIVE, 2, 1);
}
END_TEST

/* In a replace: the new one is taken down, the old one serves on, the message says so, after a look. */
static void rolled_back(int code, const char *trace) {
    char looked[256];
    (void)snprintf(looked, sizeof looked, "%s observe:1", trace);
    ck_assert_int_eq(deploy_uri("two"), code);
    ck_assert_str_eq(fake.trace, looked);
    ck_assert_has(ctcd_error_message(err), "revision 1 (one) still serves at fake://127.0.0.1/1");
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}

START_TEST(when_apply_fails) {
    ok(deploy_uri("one"));
    clear();
    failure = CTCD_E_IO;
    fake.hook[FAKE_APPLY] = fails_so;
    rolled_back(CTCD_E_IO, "validate:0 apply:2 remove:2!");
    ck_assert_str_eq(ctcd_error_hint(err), "ask it why");
}
END_TEST

START_TEST(when_apply_does_not_end) {
    ok(deploy_uri("one"));
    clear();
    fake.hook[FAKE_APPLY] = for_ever;
    rolled_back(CTCD_E_TIMEOUT, "validate:0 apply:2 remove:2!");
}
END_TEST

static int seen_state;
static bool seen_final;

static int observes_so(struct fake_in *in) {
    if (ctcd_revision_number(in->revision) == 1 && in->fake->server_count > 1)
        return FAKE_GO_ON;
    (void)ctcd_observation_set_error(in->out, "its server ended with exit status 3", "install it");
    (void)ctcd_observation_set_log_tail(in->out, "Traceback\nImportError");
    if (seen_final)
        (void)ctcd_observation_set_final(in->out);
    return ctcd_observation_set_state(in->out, seen_state);
}

START_TEST(when_it_does_not_become_ready) {
    const struct {
        int state;
        bool final;
    } ways[] = {{CTCD_STATE_ERROR, false},
                {CTCD_STATE_INACTIVE, false},
                {CTCD_STATE_PENDING_STARTUP, true},
                {CTCD_STATE_UNKNOWN, true}};
    ok(deploy_uri("one"));
    for (int i = 0; i < 4; i++) {
        char trace[100];
        seen_state = ways[i].state;
        seen_final = ways[i].final;
        fake.hook[FAKE_OBSERVE] = observes_so;
        clear();
        (void)snprintf(trace, sizeof trace, "validate:0 apply:%d observe:%d remove:%d!", i + 2,
                       i + 2, i + 2);
        rolled_back(CTCD_E_FAILED, trace);
        ck_assert_has(ctcd_error_message(err), "its server ended with exit status 3");
        ck_assert_str_eq(ctcd_error_hint(err), "install it");
        ck_assert_str_eq(ctcd_error_details(err), "Traceback\nImportError");
    }
}
END_TEST

START_TEST(when_it_never_becomes_ready) {
    ok(deploy_uri("one"));
    clear();
    seen_state = CTCD_STATE_PENDING_STARTUP;
    seen_final = false;
    fake.hook[FAKE_OBSERVE] = observes_so;
    int64_t start = atomic_load(&hand.mono);
    ck_assert_int_eq(deploy_uri("two"), CTCD_E_TIMEOUT);
    ck_assert_int_eq(atomic_load(&hand.mono) - start, 60000); /* the budget of the whole */
    ck_assert_has(fake.trace, "remove:2!");
    ck_assert_str_eq(ctcd_error_details(err), "Traceback\nImportError");
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}
END_TEST

static int hiccups(struct fake_in *in) {
    if (ctcd_revision_number(in->revision) == 1 || in->fake->calls[FAKE_OBSERVE] % 3 == 0)
        return FAKE_GO_ON;
    return in->fake->calls[FAKE_OBSERVE] % 3 == 1 ? CTCD_E_UNREACHABLE : fake_for_ever(in);
}

/* One look that saw nothing decides nothing. */
START_TEST(when_a_look_sees_nothing) {
    ok(deploy_uri("one"));
    fake.calls[FAKE_OBSERVE] = 0;
    fake.hook[FAKE_OBSERVE] = hiccups;
    ok(deploy_uri("two"));
    ck_assert_int_eq(fake.calls[FAKE_OBSERVE], 3);
    is_now(CTCD_STATE_ACTIVE, 2, 1);
}
END_TEST

START_TEST(when_a_look_fails) {
    ok(deploy_uri("one"));
    clear();
    failure = CTCD_E_NOT_ALLOWED;
    fake.hook[FAKE_OBSERVE] = fails_so;
    ck_assert_int_eq(deploy_uri("two"), CTCD_E_NOT_ALLOWED);
    ck_assert_str_eq(fake.trace, "validate:0 apply:2 observe:2 remove:2! observe:1");
    ck_assert_has(ctcd_error_message(err),
                  "revision 1 (one) was not touched, but whether it serves");
    fake.hook[FAKE_OBSERVE] = NULL;
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}
END_TEST

START_TEST(when_the_smoke_request_fails) {
    ok(deploy_uri("one"));
    ctcd_deployment *want = fake_want("digits", "two");
    ok(ctcd_deployment_set_smoke(want, "[[1]]", &err));
    for (failure = -1; failure >= CTCD_E_PROTOCOL; failure--) {
        if (failure == CTCD_E_NOMEM)
            continue; /* says nothing about the model */
        fake.hook[FAKE_PREDICT] = fails_so;
        ck_assert_int_eq(deploy(want), CTCD_E_FAILED);
        ck_assert_has(ctcd_error_message(err), "smoke request: the fake does not like it");
        ck_assert_str_eq(ctcd_error_hint(err), "ask it why");
    }
    ctcd_deployment_unref(want);
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}
END_TEST

START_TEST(when_the_old_one_will_not_go) {
    ok(deploy_uri("one"));
    clear();
    failure = CTCD_E_IO;
    fake.hook[FAKE_REMOVE] = fails_so;
    ok(deploy_uri("two")); /* the new one serves: that is what was asked for */
    ck_assert_str_eq(fake.trace, "validate:0 apply:2 observe:2 remove:1");
    is_now(CTCD_STATE_ACTIVE, 2, 2);
    /* The next mutation goes on with it. */
    fake.hook[FAKE_REMOVE] = NULL;
    clear();
    ok(deploy_uri("three"));
    ck_assert_str_eq(fake.trace, "validate:0 remove:1 apply:3 observe:3 remove:2");
    is_now(CTCD_STATE_ACTIVE, 3, 1);
}
END_TEST

static int drains_for_ever(struct fake_in *in) {
    return in->flags ? FAKE_GO_ON : fake_for_ever(in);
}

START_TEST(when_the_old_one_drains_for_ever) {
    ok(deploy_uri("one"));
    clear();
    fake.hook[FAKE_REMOVE] = drains_for_ever;
    int64_t start = atomic_load(&hand.mono);
    ok(deploy_uri("two"));
    ck_assert_str_eq(fake.trace, "validate:0 apply:2 observe:2 remove:1 remove:1!");
    ck_assert_int_le(atomic_load(&hand.mono) - start, 60000);
    is_now(CTCD_STATE_ACTIVE, 2, 1);
}
END_TEST

/* Neither comes up nor goes: the cause is what is told, and the next mutation clears up. */
START_TEST(when_the_new_one_will_not_go) {
    ok(deploy_uri("one"));
    clear();
    seen_state = CTCD_STATE_ERROR;
    seen_final = false;
    fake.hook[FAKE_OBSERVE] = observes_so;
    fake.hook[FAKE_REMOVE] = fails_so;
    failure = CTCD_E_IO;
    ck_assert_int_eq(deploy_uri("two"), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "exit status 3");
    ck_assert_str_eq(fake.trace, "validate:0 apply:2 observe:2 remove:2! observe:1");
    ck_assert_int_eq(fake_running(&fake), 2);
    ctcd_service *service = service_now();
    ctcd_status *status = NULL;
    fake.hook[FAKE_OBSERVE] = NULL;
    ok(ctcd_service_observe(service, 1000, &status, &err));
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
    ck_assert_has(ctcd_status_message(status), "interrupted");
    ctcd_status_unref(status);
    fake.hook[FAKE_REMOVE] = NULL;
    clear();
    ok(ctcd_service_start(service, 1000, &err));
    ck_assert_str_eq(fake.trace, "remove:2! observe:1"); /* the healthy one is left alone */
    ctcd_service_unref(service);
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}
END_TEST

/* ---- policies ---- */

START_TEST(a_failed_one_may_be_left_for_inspection) {
    ok(deploy_uri("one"));
    clear();
    ctcd_deployment *want = fake_want("digits", "two");
    ok(ctcd_deployment_set_on_failure(want, "leave", &err));
    seen_state = CTCD_STATE_ERROR;
    fake.hook[FAKE_OBSERVE] = observes_so;
    ck_assert_int_eq(deploy(want), CTCD_E_FAILED);
    ck_assert_str_eq(fake.trace, "validate:0 apply:2 observe:2 observe:1");
    ck_assert_has(ctcd_error_message(err), "still serves");
    is_now(CTCD_STATE_DEGRADED, 1, 2);
    /* A time-out or a cancel is no failure to look at: it is undone. */
    clear();
    fake.hook[FAKE_OBSERVE] = NULL;
    fake.hook[FAKE_APPLY] = for_ever;
    ck_assert_int_eq(deploy(want), CTCD_E_TIMEOUT);
    ck_assert_str_eq(fake.trace, "validate:0 remove:2! apply:3 remove:3! observe:1");
    is_now(CTCD_STATE_ACTIVE, 1, 1);
    ctcd_deployment_unref(want);
}
END_TEST

START_TEST(without_replacing_the_running_one_is_left_alone) {
    char before[37], after[37];
    ok(deploy_uri("one"));
    uuid_now(before);
    clear();
    ctcd_deployment *want = fake_want("digits", "two");
    ok(ctcd_deployment_set_replace(want, 0, &err));
    ok(deploy(want));
    ck_assert_str_eq(fake.trace, "validate:0 observe:1");
    is_now(CTCD_STATE_ACTIVE, 1, 1);
    /* One that crashed is brought back. */
    fake.servers[0].runs = false;
    clear();
    ok(deploy(want));
    ck_assert_str_eq(fake.trace, "validate:0 observe:1 remove:1! apply:1 observe:1");
    is_now(CTCD_STATE_ACTIVE, 1, 1);
    uuid_now(after);
    ck_assert_str_eq(before, after);
    ctcd_deployment_unref(want);
}
END_TEST

START_TEST(another_identity_is_another_service) {
    const char *const origins[][2] = {{"", ""}, {"p", ""}, {"p", "s"}, {"q", "s"}};
    for (size_t i = 0; i < 4; i++) {
        ctcd_deployment *want = fake_want("digits", "one");
        ok(ctcd_deployment_set_origin(want, origins[i][0], origins[i][1], "run-1", &err));
        ok(deploy(want));
        ok(deploy(want)); /* replaces its own, and no other */
        ctcd_deployment_unref(want);
        ck_assert_int_eq(fake_running(&fake), (int)i + 1);
    }
    ctcd_list *list = NULL;
    ok(ctcd_service_find(ctx, NULL, "p", NULL, NULL, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 2);
    ctcd_list_unref(list);
    ok(ctcd_service_find(ctx, "ml", "p", "s", "digits", &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 1);
    ck_assert_str_eq(ctcd_service_run(ctcd_list_service(list, 0)), "run-1");
    ctcd_list_unref(list);
}
END_TEST

/* ---- one at a time ---- */

START_TEST(mutations_of_a_service_wait_for_each_other) {
    ctcd_op *ops[3];
    ok(deploy_uri("one"));
    clear();
    for (int i = 0; i < 3; i++)
        ops[i] = fake_deploy_begin("digits", i == 0 ? "a" : i == 1 ? "b" : "c", 60000);
    for (int i = 0; i < 3; i++) {
        ok(play(ctx, &hand, ops[i]));
        ctcd_op_unref(ops[i]);
    }
    is_now(CTCD_STATE_ACTIVE, 4, 1);
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 4);
}
END_TEST

START_TEST(first_deploys_of_one_identity_make_one_service) {
    ctcd_op *ops[3];
    for (int i = 0; i < 3; i++)
        ops[i] = fake_deploy_begin("digits", "one", 60000);
    for (int i = 0; i < 3; i++) {
        ok(play(ctx, &hand, ops[i]));
        ctcd_op_unref(ops[i]);
    }
    is_now(CTCD_STATE_ACTIVE, 3, 1);
}
END_TEST

START_TEST(who_waits_too_long_is_told_about_the_conflict) {
    ok(deploy_uri("one"));
    fake.hook[FAKE_APPLY] = for_ever;
    ctcd_op *first = fake_deploy_begin("digits", "two", 60000);
    settle(ctx);
    ctcd_op *second = fake_deploy_begin("digits", "three", 1000), *stop = NULL;
    ctcd_service *service = service_now();
    ok(ctcd_service_stop_begin(service, 1000, &stop, &err));
    ck_assert_int_eq(play(ctx, &hand, second), CTCD_E_CONFLICT);
    ck_assert_ptr_nonnull(ctcd_error_hint(err));
    ck_assert_int_eq(play(ctx, &hand, stop), CTCD_E_CONFLICT);
    ck_assert_int_eq(ctcd_op_poll(first), CTCD_AGAIN);
    ck_assert_int_eq(ctcd_op_cancel(first), 0);
    ck_assert_int_eq(play(ctx, &hand, first), CTCD_E_CANCELED);
    ctcd_op_unref(first);
    ctcd_op_unref(second);
    ctcd_op_unref(stop);
    ctcd_service_unref(service);
    is_now(CTCD_STATE_ACTIVE, 1, 1);
}
END_TEST

SUITE_MAIN_WITH("replace", begin, end, a_first_deploy, a_replace_keeps_the_uuid,
                the_old_one_serves_until_the_new_one_does, looks_back_off_while_it_comes_up,
                it_has_to_stay_ready, two_seconds_are_the_default,
                a_smoke_request_comes_before_the_switch, what_validate_pinned_is_what_is_applied,
                when_validate_fails, when_the_first_apply_fails, when_apply_fails,
                when_apply_does_not_end, when_it_does_not_become_ready, when_it_never_becomes_ready,
                when_a_look_sees_nothing, when_a_look_fails, when_the_smoke_request_fails,
                when_the_old_one_will_not_go, when_the_old_one_drains_for_ever,
                when_the_new_one_will_not_go, a_failed_one_may_be_left_for_inspection,
                without_replacing_the_running_one_is_left_alone,
                another_identity_is_another_service, mutations_of_a_service_wait_for_each_other,
                first_deploys_of_one_identity_make_one_service,
                who_waits_too_long_is_told_about_the_conflict)
