/* What a back end adds to a deploy: a request that its model is known to answer, asked before the switch. */
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

SUITE_MAIN_WITH("promotion", fake_begin, fake_end,
                the_models_own_example_is_asked_before_the_switch, the_users_request_comes_first,
                an_example_that_is_not_answered_stops_the_deploy)
