/* What a back end adds to a deploy: a request that its model is known to answer, asked before the switch, and
   telling others what serves, after it. */
#include "fake.h"

static const char *example = "{\"inputs\": [[1]]}";

static int gives_an_example(struct fake_in *in) {
    ck_assert_int_eq(ctcd_revision_set_smoke(in->revision, example, "save a better one"), 0);
    ck_assert_int_eq(ctcd_revision_set_smoke(in->revision, "\xff", NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_revision_set_smoke(NULL, example, NULL), CTCD_E_INVALID);
    return FAKE_GO_ON;
}

static char asked[100];

static int takes_the_example(struct fake_in *in) {
    (void)snprintf(asked, sizeof asked, "%s", in->body);
    return FAKE_GO_ON;
}

static int refuses_the_example(struct fake_in *in) {
    return ctcd_call_fail(in->call, CTCD_E_INVALID, "no such column", NULL);
}

static int refuses_and_knows(struct fake_in *in) {
    return ctcd_call_fail(in->call, CTCD_E_INVALID, "no such column", "ask for b");
}

START_TEST(the_models_own_example_is_asked_before_the_switch) {
    fake.hook[FAKE_VALIDATE] = gives_an_example;
    fake.hook[FAKE_PREDICT] = takes_the_example;
    ctcd_service *service = fake_deploy("digits", "here");
    ck_assert_str_eq(asked, example);
    ck_assert_int_eq(fake.calls[FAKE_PREDICT], 1);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(the_users_request_comes_first) {
    ctcd_service *service = NULL;
    fake.hook[FAKE_VALIDATE] = gives_an_example;
    fake.hook[FAKE_PREDICT] = takes_the_example;
    ctcd_deployment *want = fake_want("digits", "here");
    ok(ctcd_deployment_set_smoke(want, "[[7]]", &err));
    ok(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &service, &err));
    ck_assert_str_eq(asked, "[[7]]");
    ck_assert_int_eq(fake.calls[FAKE_PREDICT], 1);
    ctcd_deployment_unref(want);
    ctcd_service_unref(service);
}
END_TEST

START_TEST(an_example_that_is_not_answered_stops_the_deploy) {
    ctcd_service *service = fake_deploy("digits", "here"), *none = NULL;
    ctcd_deployment *want = fake_want("digits", "there");
    fake.hook[FAKE_VALIDATE] = gives_an_example;
    fake.hook[FAKE_PREDICT] = refuses_the_example;
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &none, &err), CTCD_E_FAILED);
    ck_assert_has(ctcd_error_message(err), "failed the smoke request: no such column");
    ck_assert_str_eq(ctcd_error_hint(err), "save a better one");
    fake.hook[FAKE_PREDICT] = refuses_and_knows;
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &none, &err), CTCD_E_FAILED);
    ck_assert_str_eq(ctcd_error_hint(err), "ask for b");
    ck_assert_ptr_null(none);
    ck_assert_int_eq(fake_running(&fake), 1);
    ctcd_deployment_unref(want);
    ctcd_service_unref(service);
}
END_TEST

/* ---- telling others --------------------------------------------------------------------------- */

static char logged[4096];
static struct hand hand;

static void keeps_warnings(void *data, int level, const char *line) {
    (void)data;
    if (level == CTCD_LOG_WARNING)
        (void)snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n", line);
}

/* A home whose back end tells others, too. */
static void with_announce(void) {
    ctcd_model_deployer_vtable table = fake_table();
    fake_end_context();
    fake_reset();
    logged[0] = '\0';
    ctx = api_context(0);
    hand_give(&hand, ctx);
    ok(ctcd_context_set_log(ctx, CTCD_LOG_WARNING, keeps_warnings, NULL, NULL, &err));
    table.announce = fake_announce;
    ok(ctcd_context_register_deployer(ctx, &table, &fake, fake_destroy, &err));
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
}

static char told[200];

/* The switch is behind us, and the old one has gone. */
static int tells(struct fake_in *in) {
    (void)snprintf(told, sizeof told, "%lld %s %s %s",
                   (long long)ctcd_revision_number(in->revision),
                   ctcd_revision_pinned_uri(in->revision), ctcd_revision_memo(in->revision),
                   ctcd_revision_url(in->revision));
    ck_assert_int_eq(fake_running(in->fake), 1);
    ck_assert_int_eq(ctcd_revision_wanted(in->revision), 1);
    return FAKE_GO_ON;
}

START_TEST(others_hear_of_it_after_the_switch) {
    with_announce();
    fake.hook[FAKE_ANNOUNCE] = tells;
    ctcd_service_unref(fake_deploy("digits", "here"));
    ck_assert_str_eq(told, "1 pinned:here generation 1 fake://127.0.0.1/1");
    fake.trace[0] = '\0';
    ctcd_service *service = fake_deploy("digits", "there");
    ck_assert_str_eq(told, "2 pinned:there generation 1 fake://127.0.0.1/2");
    ck_assert_str_eq(fake.trace, "validate:0 apply:2 observe:2 remove:1 announce:2");
    ck_assert_int_eq(fake.calls[FAKE_ANNOUNCE], 2);
    ctcd_service_unref(service);
}
END_TEST

static int does_not_come_up(struct fake_in *in) {
    (void)ctcd_observation_set_final(in->out);
    (void)ctcd_observation_set_state(in->out, CTCD_STATE_ERROR);
    return 0;
}

START_TEST(nobody_hears_of_what_did_not_come_up) {
    ctcd_service *none = NULL;
    with_announce();
    ctcd_deployment *want = fake_want("digits", "here");
    fake.hook[FAKE_OBSERVE] = does_not_come_up;
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &none, &err), CTCD_E_FAILED);
    ck_assert_int_eq(fake.calls[FAKE_ANNOUNCE], 0);
    ctcd_deployment_unref(want);
}
END_TEST

static int cannot_tell(struct fake_in *in) {
    return ctcd_call_fail(in->call, CTCD_E_UNREACHABLE, "the registry is away", "look for it");
}

START_TEST(what_is_not_heard_is_a_warning) {
    with_announce();
    fake.hook[FAKE_ANNOUNCE] = cannot_tell;
    ctcd_service *service = fake_deploy("digits", "here");
    ck_assert_int_eq(ctcd_service_revision(service), 1);
    ck_assert_has(logged,
                  "revision 1 of digits serves, but the registry is away; next: look for it");
    /* Nothing is left open: the next one goes ahead. */
    fake.hook[FAKE_ANNOUNCE] = NULL;
    ctcd_service_unref(fake_deploy("digits", "there"));
    ctcd_service_unref(service);
}
END_TEST

static int hears_nothing(struct fake_in *in) {
    return fake_for_ever(in);
}

/* It has time of its own, which ends. */
START_TEST(who_does_not_listen_is_not_waited_for) {
    with_announce();
    fake.hook[FAKE_ANNOUNCE] = hears_nothing;
    ctcd_op *op = fake_deploy_begin("digits", "here", 1000);
    settle(ctx);
    ck_assert_int_eq(fake.calls[FAKE_ANNOUNCE], 1);
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    hand_move(&hand, 5000); /* the deploy's time is over, its success is not */
    settle(ctx);
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    ok(play(ctx, &hand, op));
    ck_assert_has(logged, "announce did not end in time");
    ctcd_op_unref(op);
}
END_TEST

START_TEST(a_cancel_ends_the_telling_only) {
    with_announce();
    fake.hook[FAKE_ANNOUNCE] = hears_nothing;
    ctcd_op *op = fake_deploy_begin("digits", "here", LONG_MS);
    settle(ctx);
    ck_assert_int_eq(fake.calls[FAKE_ANNOUNCE], 1);
    (void)ctcd_op_cancel(op);
    ok(play(ctx, &hand, op));
    ck_assert_int_eq(fake_running(&fake), 1);
    ctcd_op_unref(op);
}
END_TEST

/* A back end that was built before there was such a method. */
START_TEST(an_older_table_is_taken) {
    struct {
        ctcd_model_deployer_vtable known;
    } guarded = {fake_table()};
    guarded.known.flavor = "older";
    guarded.known.size = offsetof(ctcd_model_deployer_vtable, announce);
    memset(&guarded.known.announce, 0x55,
           sizeof guarded.known.announce); /* must not be looked at */
    ok(ctcd_context_register_deployer(ctx, &guarded.known, &fake, NULL, &err));
    ctcd_component *component = NULL;
    ok(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "older", "old", &component, &err));
    ok(ctcd_component_register(component, &err));
    ctcd_component_unref(component);
    ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "old", &deployer, &err));
    ctcd_service_unref(fake_deploy("digits", "here"));
    ck_assert_int_eq(fake_running(&fake), 1);
    guarded.known.flavor = "half";
    for (size_t more = 1; more < sizeof guarded.known.announce; more++) {
        guarded.known.size = offsetof(ctcd_model_deployer_vtable, announce) + more;
        fails(ctcd_context_register_deployer(ctx, &guarded.known, &fake, NULL, &err),
              CTCD_E_INVALID);
    }
}
END_TEST

SUITE_MAIN_WITH("promotion", fake_begin, fake_end,
                the_models_own_example_is_asked_before_the_switch, the_users_request_comes_first,
                an_example_that_is_not_answered_stops_the_deploy,
                others_hear_of_it_after_the_switch, nobody_hears_of_what_did_not_come_up,
                what_is_not_heard_is_a_warning, who_does_not_listen_is_not_waited_for,
                a_cancel_ends_the_telling_only, an_older_table_is_taken)
