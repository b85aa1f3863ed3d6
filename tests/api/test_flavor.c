/* Registering a back end: the sized table, what is refused, what is copied, and when it is opened, closed and
   given back. */
#include "fake.h"

static ctcd_model_deployer_vtable table;

static void begin(void) {
    fake_reset();
    api_open();
    table = fake_table();
}

static void end(void) {
    deployer = ctcd_model_deployer_unref(deployer);
    api_close();
}

static int give(void) {
    return ctcd_context_register_deployer(ctx, &table, &fake, fake_destroy, &err);
}

/* Flavors of model deployers that the context knows besides the built-in ones. */
static size_t known(void) {
    return ctcd_flavor_count(ctx, CTCD_COMPONENT_MODEL_DEPLOYER) - 1;
}

static const char *option(int scope, size_t index, const char *what) {
    return ctcd_flavor_option(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", scope, index, what);
}

/* ---- the table ---- */

START_TEST(a_table_that_is_too_small_is_refused) {
    table.size = 0;
    fails(give(), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "size");
    table.size = sizeof table - 1;
    fails(give(), CTCD_E_INVALID);
    table.size = offsetof(ctcd_model_deployer_vtable, observe);
    fails(give(), CTCD_E_INVALID);
    table.size = SIZE_MAX; /* of another world */
    fails(give(), CTCD_E_INVALID);
    ck_assert_uint_eq(known(), 0);
    ck_assert_int_eq(fake.destroyed, 0); /* it stays the caller's */
}
END_TEST

START_TEST(a_newer_interface_is_refused) {
    table.abi = CTCD_PLUGIN_ABI + 1;
    fails(give(), CTCD_E_NEWER);
    ck_assert_ptr_nonnull(ctcd_error_hint(err));
    table.abi = UINT32_MAX;
    fails(give(), CTCD_E_NEWER);
    table.abi = CTCD_PLUGIN_ABI;
    table.flags = 0x80000000u;
    fails(give(), CTCD_E_INVALID);
    ck_assert_uint_eq(known(), 0);
}
END_TEST

START_TEST(a_required_method_may_not_be_missing) {
    const size_t required[] = {
        offsetof(ctcd_model_deployer_vtable, open),
        offsetof(ctcd_model_deployer_vtable, close),
        offsetof(ctcd_model_deployer_vtable, validate),
        offsetof(ctcd_model_deployer_vtable, apply),
        offsetof(ctcd_model_deployer_vtable, observe),
        offsetof(ctcd_model_deployer_vtable, remove),
    };
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        table = fake_table();
        memset((char *)&table + required[i], 0, sizeof(void (*)(void)));
        fails(give(), CTCD_E_INVALID);
        ck_assert_has(ctcd_error_message(err), "fake");
    }
    fails(ctcd_context_register_deployer(ctx, NULL, NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_context_register_deployer(NULL, &table, NULL, NULL, &err), CTCD_E_INVALID);
    ck_assert_uint_eq(known(), 0);
    table = fake_table();
    ok(give());
    ck_assert_uint_eq(known(), 1);
}
END_TEST

START_TEST(a_flavor_has_a_proper_name_of_its_own) {
    const char *const wrong[] = {NULL, "", "not \xff UTF-8", "two\nlines", "a b"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        table.flavor = wrong[i];
        fails(give(), CTCD_E_INVALID);
    }
    table.flavor = "mlflow";
    fails(give(), CTCD_E_EXISTS);
    table.flavor = "fake";
    ok(give());
    fails(give(), CTCD_E_EXISTS);
    ck_assert_int_eq(fake.destroyed, 0);
    ck_assert_uint_eq(known(), 1);
}
END_TEST

START_TEST(option_tables_are_checked) {
    const ctcd_option_entry wrong[] = {
        {"", "text", NULL, "help", 0, 0},
        {"Upper", "text", NULL, "help", 0, 0},
        {"with-hyphen", "text", NULL, "help", 0, 0},
        {"kind", "float", NULL, "help", 0, 0},
        {"kind", NULL, NULL, "help", 0, 0},
        {"kind", "choice:", "a", "help", 0, 0},
        {"kind", "choice:a|b", "c", "help", 0, 0},
        {"kind", "integer", "many", "help", 0, 0},
        {"kind", "duration", "soon", "help", 0, 0},
        {"kind", "boolean", "perhaps", "help", 0, 0},
        {"kind", "text", NULL, "help", 0x4u, 0},
        {"kind", "text", NULL, "help", 0, 1},
        {"kind", "text", "plain", "help", CTCD_OPTION_SECRET, 0},
        {"kind", "text", NULL, "not \xff UTF-8", 0, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const ctcd_option_entry options[] = {{"fine", "text", NULL, "help", 0, 0}, wrong[i], {0}};
        table = fake_table();
        table.component_options = options;
        fails(give(), CTCD_E_INVALID);
        ck_assert_has(ctcd_error_message(err), wrong[i].name);
        table.component_options = NULL;
        table.deployment_options = options;
        fails(give(), CTCD_E_INVALID);
    }
    const ctcd_option_entry twice[] = {
        {"kind", "text", NULL, "help", 0, 0}, {"kind", "text", NULL, "help", 0, 0}, {0}};
    table.deployment_options = twice;
    fails(give(), CTCD_E_INVALID);
    ck_assert_uint_eq(known(), 0);
}
END_TEST

/* A table of a later version of the header, with methods that this library does not know. */
START_TEST(a_longer_table_is_taken_as_far_as_it_is_known) {
    struct {
        ctcd_model_deployer_vtable known;
        void (*later[20])(void);
    } longer = {.known = fake_table()};
    for (int i = 0; i < 20; i++)
        longer.later[i] = (void (*)(void))abort;
    longer.known.size = sizeof longer;
    ok(ctcd_context_register_deployer(ctx, &longer.known, &fake, fake_destroy, &err));
    fake_component("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    ctcd_service_unref(fake_deploy("digits", "here"));
    ck_assert_int_eq(fake_running(&fake), 1);
    fake_end_context();
}
END_TEST

START_TEST(the_table_is_copied) {
    char flavor[] = "fake", name[] = "size", type[] = "integer", standard[] = "7", help[] = "How";
    ctcd_option_entry options[] = {{name, type, standard, help, CTCD_OPTION_REQUIRED, 0}, {0}};
    table.flavor = flavor;
    table.component_options = options;
    table.deployment_options = options;
    ok(give());
    memset(flavor, 'x', sizeof flavor - 1);
    memset(name, 'x', sizeof name - 1);
    memset(type, 'x', sizeof type - 1);
    memset(standard, 'x', sizeof standard - 1);
    memset(help, 'x', sizeof help - 1);
    memset(options, 0, sizeof options);
    memset(&table, 0, sizeof table);
    ck_assert_str_eq(ctcd_flavor_name(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, 1), "fake");
    ck_assert_ptr_null(ctcd_flavor_name(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, 2));
    for (int scope = CTCD_SCOPE_COMPONENT; scope <= CTCD_SCOPE_DEPLOYMENT; scope++) {
        ck_assert_uint_eq(
            ctcd_flavor_option_count(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", scope), 1);
        ck_assert_str_eq(option(scope, 0, "name"), "size");
        ck_assert_str_eq(option(scope, 0, "type"), "integer");
        ck_assert_str_eq(option(scope, 0, "default"), "7");
        ck_assert_str_eq(option(scope, 0, "help"), "How");
        ck_assert_str_eq(option(scope, 0, "required"), "yes");
        ck_assert_str_eq(option(scope, 0, "secret"), "no");
        ck_assert_ptr_null(option(scope, 1, "name"));
    }
    fake_component("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    ctcd_service_unref(fake_deploy("digits", "here"));
    fake_end_context();
}
END_TEST

/* ---- what is optional ---- */

START_TEST(a_method_that_is_missing_is_not_supported) {
    ctcd_list *services;
    char *text = NULL;
    table.logs = NULL;
    table.predict = NULL;
    ok(give());
    fake_component("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    ctcd_service *service = fake_deploy("digits", "here");
    fails(ctcd_service_logs(service, 10, &text, &err), CTCD_E_NOT_SUPPORTED);
    ck_assert_has(ctcd_error_message(err), "logs");
    fails(ctcd_service_logs_since(service, NULL, 10, &text, &text, &err), CTCD_E_NOT_SUPPORTED);
    ck_assert_has(ctcd_error_message(err), "following of logs");
    fails(ctcd_service_predict(service, "[[1]]", LONG_MS, &text, &err), CTCD_E_NOT_SUPPORTED);
    ck_assert_has(ctcd_error_message(err), "predict");
    fails(ctcd_service_predict_csv(service, "a\n1\n", LONG_MS, &text, &err), CTCD_E_NOT_SUPPORTED);
    ck_assert_has(ctcd_error_message(err), "takes no CSV");
    ck_assert_ptr_null(text);
    ctcd_service_unref(service);
    /* A smoke request that cannot be sent is found out before anything is started. */
    ctcd_service *other = NULL;
    ctcd_deployment *want = fake_want("letters", "here");
    ok(ctcd_deployment_set_smoke(want, "[[1]]", &err));
    fake.trace[0] = '\0';
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &other, &err), CTCD_E_NOT_SUPPORTED);
    ck_assert_str_eq(fake.trace, "");
    ctcd_deployment_unref(want);
    services = fake_services();
    ck_assert_uint_eq(ctcd_list_count(services), 1);
    ctcd_list_unref(services);
    fake_end_context();
}
END_TEST

START_TEST(a_flavor_that_this_program_does_not_know_is_named) {
    ctcd_service *service = NULL;
    ctcd_status *status = NULL;
    ok(give());
    fake_component("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    service = fake_deploy("digits", "here");
    char uuid[37];
    (void)snprintf(uuid, sizeof uuid, "%s", ctcd_service_uuid(service));
    ctcd_service_unref(service);
    fake_end_context();
    /* Another program looks at the same home. */
    ctx = api_context(CTCD_CONTEXT_EXISTING);
    ok(ctcd_service_get(ctx, uuid, &service, &err));
    ok(ctcd_service_observe(service, LONG_MS, &status, &err));
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_UNKNOWN);
    ck_assert_has(ctcd_status_message(status), "fake");
    ctcd_status_unref(status);
    fails(ctcd_service_stop(service, LONG_MS, &err), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), "fake");
    ctcd_service_unref(service);
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    ctcd_deployment *want = fake_want("digits", "here");
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &service, &err), CTCD_E_NOT_FOUND);
    ctcd_deployment_unref(want);
}
END_TEST

/* ---- opening ---- */

START_TEST(one_back_end_for_each_component_opened_when_it_is_needed) {
    ok(give());
    fake_component("ml");
    fake_component("other");
    ck_assert_int_eq(fake.opened, 0);
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    ck_assert_int_eq(fake.opened, 0);
    ctcd_service_unref(fake_deploy("digits", "here"));
    ctcd_service_unref(fake_deploy("letters", "here"));
    ck_assert_int_eq(fake.opened, 1);
    ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "other", &deployer, &err));
    ctcd_service_unref(fake_deploy("digits", "here"));
    ck_assert_int_eq(fake.opened, 2);
    ck_assert_int_eq(fake.closed, 0);
    fake_end_context();
    ck_assert_int_eq(fake.closed, 2);
}
END_TEST

static int open_with_options(struct fake_in *in) {
    ck_assert_str_eq(ctcd_options_text(in->options, "where"), "there");
    ck_assert_str_eq(ctcd_options_text(in->options, "colour"), "red");
    ck_assert_ptr_null(ctcd_options_text(in->options, "nothing"));
    ck_assert_ptr_null(ctcd_options_text(in->options, "unheard_of"));
    ck_assert_int_eq(ctcd_options_number(in->options, "patience"), 90000);
    ck_assert_int_eq(ctcd_options_number(in->options, "quiet"), 1);
    ck_assert_int_eq(ctcd_options_number(in->options, "size"), -12);
    ck_assert_int_eq(ctcd_options_number(in->options, "nothing"), 0);
    ck_assert_ptr_null(ctcd_options_text(NULL, "where"));
    ck_assert_ptr_null(ctcd_options_text(in->options, NULL));
    ck_assert_int_eq(ctcd_options_number(NULL, "size"), 0);
    return FAKE_GO_ON;
}

static int apply_with_options(struct fake_in *in) {
    const ctcd_options *options = ctcd_revision_options(in->revision);
    ck_assert_int_eq(ctcd_options_number(options, "copies"), 3);
    ck_assert_int_eq(ctcd_options_number(options, "spare"), 1);
    return FAKE_GO_ON;
}

START_TEST(options_arrive_with_their_defaults) {
    static const ctcd_option_entry component[] = {
        {"where", "text", NULL, "Where", CTCD_OPTION_REQUIRED, 0},
        {"colour", "choice:red|green", "red", "Colour", 0, 0},
        {"patience", "duration", "90s", "Patience", 0, 0},
        {"quiet", "boolean", "no", "Quiet", 0, 0},
        {"size", "integer", NULL, "Size", 0, 0},
        {"nothing", "text", NULL, "Nothing", 0, 0},
        {0}};
    static const ctcd_option_entry deployment[] = {
        {"copies", "integer", "2", "Copies", 0, 0}, {"spare", "integer", "1", "Spare", 0, 0}, {0}};
    table.component_options = component;
    table.deployment_options = deployment;
    ok(give());
    ctcd_component *made = NULL;
    ok(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", "ml", &made, &err));
    ok(ctcd_component_set_option(made, "where", "there", &err));
    ok(ctcd_component_set_option(made, "quiet", "yes", &err));
    ok(ctcd_component_set_option(made, "size", "-12", &err));
    ok(ctcd_component_register(made, &err));
    ctcd_component_unref(made);
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    fake.hook[FAKE_OPEN] = open_with_options;
    fake.hook[FAKE_APPLY] = apply_with_options;
    ctcd_deployment *want = fake_want("digits", "here");
    ok(ctcd_deployment_set_option(want, "copies", "3", &err));
    ok(ctcd_model_deployer_deploy(deployer, want, LONG_MS, NULL, &err));
    ctcd_deployment_unref(want);
    ck_assert_int_eq(fake.opened, 1);
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 1);
    fake_end_context();
}
END_TEST

static int open_fails_once(struct fake_in *in) {
    return in->fake->calls[FAKE_OPEN] == 1
               ? ctcd_call_fail(in->call, CTCD_E_UNREACHABLE, "the cluster is away", "wait for it")
               : FAKE_GO_ON;
}

START_TEST(an_opening_that_failed_is_tried_again_by_the_next_call) {
    ok(give());
    fake_component("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    fake.hook[FAKE_OPEN] = open_fails_once;
    ctcd_service *service = NULL;
    ctcd_deployment *want = fake_want("digits", "here");
    fails(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &service, &err), CTCD_E_UNREACHABLE);
    ck_assert_str_eq(ctcd_error_message(err), "the cluster is away");
    ck_assert_str_eq(ctcd_error_hint(err), "wait for it");
    ck_assert_int_eq(fake.opened, 0);
    ck_assert_str_eq(fake.trace, "open");
    ok(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &service, &err));
    ck_assert_int_eq(fake.opened, 1);
    ctcd_service_unref(service);
    ctcd_deployment_unref(want);
    fake_end_context();
}
END_TEST

SUITE_MAIN_WITH("flavor", begin, end, a_table_that_is_too_small_is_refused,
                a_newer_interface_is_refused, a_required_method_may_not_be_missing,
                a_flavor_has_a_proper_name_of_its_own, option_tables_are_checked,
                a_longer_table_is_taken_as_far_as_it_is_known, the_table_is_copied,
                a_method_that_is_missing_is_not_supported,
                a_flavor_that_this_program_does_not_know_is_named,
                one_back_end_for_each_component_opened_when_it_is_needed,
                options_arrive_with_their_defaults,
                an_opening_that_failed_is_tried_again_by_the_next_call)
