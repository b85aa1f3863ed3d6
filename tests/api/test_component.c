/* Components and stacks as programs see them: options by their flavor's table, near misses, secrets by
   reference only, and who stands in the way of a delete. */
#include "fake.h"

/* A flavor with an option of each type, for what the built-in ones do not have. */
static const ctcd_option_entry all_types[] = {
    {"plain", "text", NULL, "Any text.", 0, 0},
    {"folder", "path", "/srv", "Where.", 0, 0},
    {"max_replicas", "integer", "2", "How many.", 0, 0},
    {"patience", "duration", "90s", "How long.", 0, 0},
    {"verbose", "boolean", "false", "Whether.", 0, 0},
    {"mode", "choice:fast|safe", "safe", "How.", 0, 0},
    {"api_token", "text", NULL, "Who we are.", CTCD_OPTION_SECRET, 0},
    {"endpoint", "text", NULL, "Where it is.", CTCD_OPTION_REQUIRED, 0},
    {0},
};

static void begin(void) {
    fake_reset();
    api_open();
    ctcd_model_deployer_vtable table = fake_table();
    table.component_options = all_types;
    ok(ctcd_context_register_deployer(ctx, &table, &fake, fake_destroy, &err));
}

static ctcd_component *component(int type, const char *flavor, const char *name) {
    ctcd_component *made = NULL;
    ok(ctcd_component_new(ctx, type, flavor, name, &made, &err));
    return made;
}

static ctcd_component *one(const char *name) {
    return component(CTCD_COMPONENT_MODEL_DEPLOYER, "fake", name);
}

static void drop(ctcd_component *made) {
    ck_assert_ptr_null(ctcd_component_unref(made));
}

/* Registers a model deployer of this name. */
static void registered(const char *name) {
    ctcd_component *made = one(name);
    ok(ctcd_component_set_option(made, "endpoint", "here", &err));
    ok(ctcd_component_register(made, &err));
    drop(made);
}

static int get(int type, const char *name, ctcd_component **ret) {
    return ctcd_component_get(ctx, type, name, ret, &err);
}

/* ---- flavors and their options ---------------------------------------------------------------- */

START_TEST(types_have_names) {
    ck_assert_str_eq(ctcd_component_type_name(CTCD_COMPONENT_ORCHESTRATOR), "orchestrator");
    ck_assert_str_eq(ctcd_component_type_name(CTCD_COMPONENT_ARTIFACT_STORE), "artifact-store");
    ck_assert_str_eq(ctcd_component_type_name(CTCD_COMPONENT_METADATA_STORE), "metadata-store");
    ck_assert_str_eq(ctcd_component_type_name(CTCD_COMPONENT_MODEL_DEPLOYER), "model-deployer");
    ck_assert_ptr_null(ctcd_component_type_name(0));
    ck_assert_ptr_null(ctcd_component_type_name(5));
    ck_assert_ptr_null(ctcd_component_type_name(-1));
}
END_TEST

START_TEST(flavors_describe_their_options) {
    const int type = CTCD_COMPONENT_MODEL_DEPLOYER, scope = CTCD_SCOPE_COMPONENT;
    ck_assert_uint_eq(ctcd_flavor_count(ctx, type), 2);
    ck_assert_str_eq(ctcd_flavor_name(ctx, type, 0), "mlflow");
    ck_assert_str_eq(ctcd_flavor_name(ctx, type, 1), "fake");
    ck_assert_ptr_null(ctcd_flavor_name(ctx, type, 2));
    ck_assert_uint_eq(ctcd_flavor_count(ctx, CTCD_COMPONENT_ORCHESTRATOR), 1);
    ck_assert_str_eq(ctcd_flavor_name(ctx, CTCD_COMPONENT_METADATA_STORE, 0), "sqlite");
    ck_assert_uint_eq(ctcd_flavor_count(ctx, 77), 0);
    ck_assert_uint_eq(ctcd_flavor_option_count(ctx, type, "fake", scope), 8);
    ck_assert_uint_eq(ctcd_flavor_option_count(ctx, type, "nothing", scope), 0);
    ck_assert_uint_eq(ctcd_flavor_option_count(ctx, type, NULL, scope), 0);
    for (size_t i = 0; all_types[i].name; i++) {
        const ctcd_option_entry *o = &all_types[i];
        ck_assert_str_eq(ctcd_flavor_option(ctx, type, "fake", scope, i, "name"), o->name);
        ck_assert_str_eq(ctcd_flavor_option(ctx, type, "fake", scope, i, "type"), o->type);
        ck_assert_pstr_eq(ctcd_flavor_option(ctx, type, "fake", scope, i, "default"),
                          o->default_value);
        ck_assert_str_eq(ctcd_flavor_option(ctx, type, "fake", scope, i, "help"), o->help);
        ck_assert_str_eq(ctcd_flavor_option(ctx, type, "fake", scope, i, "required"),
                         i == 7 ? "yes" : "no");
        ck_assert_str_eq(ctcd_flavor_option(ctx, type, "fake", scope, i, "secret"),
                         i == 6 ? "yes" : "no");
    }
    ck_assert_ptr_null(ctcd_flavor_option(ctx, type, "fake", scope, 8, "name"));
    ck_assert_ptr_null(ctcd_flavor_option(ctx, type, "fake", scope, 0, "colour"));
    ck_assert_ptr_null(ctcd_flavor_option(ctx, type, "fake", scope, 0, NULL));
    ck_assert_str_eq(ctcd_flavor_option(ctx, type, "mlflow", CTCD_SCOPE_DEPLOYMENT, 0, "name"),
                     "workers");
}
END_TEST

/* ---- components ------------------------------------------------------------------------------- */

START_TEST(a_component_is_made_registered_and_found) {
    ctcd_component *made = one("ml"), *found = NULL;
    ck_assert_int_eq(ctcd_component_type(made), CTCD_COMPONENT_MODEL_DEPLOYER);
    ck_assert_str_eq(ctcd_component_name(made), "ml");
    ck_assert_str_eq(ctcd_component_flavor(made), "fake");
    ck_assert_str_eq(ctcd_component_uuid(made), "");
    ck_assert_uint_eq(ctcd_component_option_count(made), 0);
    ok(ctcd_component_set_option(made, "endpoint", "there", &err));
    ok(ctcd_component_set_option(made, "endpoint", "here", &err)); /* the last one counts */
    ok(ctcd_component_set_option(made, "max-replicas", "3", &err));
    fails(get(CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &found), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), "ml");
    ck_assert_has(ctcd_error_hint(err), "ctcd model-deployer list");
    ck_assert_ptr_null(found);
    ok(ctcd_component_register(made, &err));
    ck_assert_uint_eq(strlen(ctcd_component_uuid(made)), 36);

    ctcd_context *other = api_context(CTCD_CONTEXT_EXISTING); /* and it outlives its context */
    ok(ctcd_component_get(other, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &found, &err));
    ctcd_context_unref(other);
    ck_assert_str_eq(ctcd_component_uuid(found), ctcd_component_uuid(made));
    ck_assert_str_eq(ctcd_component_flavor(found), "fake");
    ck_assert_uint_eq(ctcd_component_option_count(found), 2);
    ck_assert_str_eq(ctcd_component_option_key(found, 0), "max_replicas"); /* as in the table */
    ck_assert_str_eq(ctcd_component_option_value(found, 0), "3");
    ck_assert_str_eq(ctcd_component_option_key(found, 1), "endpoint");
    ck_assert_str_eq(ctcd_component_option_value(found, 1), "here");
    ck_assert_ptr_null(ctcd_component_option_key(found, 2));
    ck_assert_ptr_null(ctcd_component_option_value(found, 2));
    ck_assert_ptr_eq(ctcd_component_ref(found), found);
    drop(found);
    drop(found);
    drop(made);
}
END_TEST

START_TEST(a_component_prints_itself) {
    char *text = NULL, *before = NULL;
    ctcd_component *made = one("ml");
    ok(ctcd_component_set_option(made, "endpoint", "a \"b\"", &err));
    ok(ctcd_component_register(made, &err));
    ok(ctcd_component_format(made, "json", &text, &err));
    ck_assert_has(text, "\"name\": \"ml\"");
    ck_assert_has(text, "\"type\": \"model-deployer\"");
    ck_assert_has(text, "\"flavor\": \"fake\"");
    ck_assert_has(text, ctcd_component_uuid(made));
    ck_assert_has(text, "\"endpoint\": \"a \\\"b\\\"\"");
    ctcd_free(text);
    ok(ctcd_component_format(made, "yaml", &text, &err));
    ck_assert_has(text, "name: ml\n");
    ck_assert_has(text, "options:\n");
    ctcd_free(text);
    ok(ctcd_component_format(made, "name", &text, &err));
    ck_assert_str_eq(text, "ml");
    ctcd_free(text);
    text = before;
    fails(ctcd_component_format(made, "xml", &text, &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "xml");
    ck_assert_has(ctcd_error_hint(err), "yaml");
    fails(ctcd_component_format(made, NULL, &text, &err), CTCD_E_INVALID);
    fails(ctcd_component_format(made, "json", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_component_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_eq(text, before);
    drop(made);
}
END_TEST

START_TEST(names_are_checked) {
    static const char *const bad[] = {"", " ml", "a b", "../x", "a/b", "-x", "\xff", "a\nb"};
    ctcd_component *made = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fails(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", bad[i], &made, &err),
              CTCD_E_INVALID);
        ctcd_stack *stack = NULL;
        fails(ctcd_stack_new(ctx, bad[i], &stack, &err), CTCD_E_INVALID);
        ck_assert_ptr_null(stack);
    }
    fails(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", NULL, &made, &err),
          CTCD_E_INVALID);
    fails(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, NULL, "ml", &made, &err),
          CTCD_E_INVALID);
    fails(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", "ml", NULL, &err),
          CTCD_E_INVALID);
    fails(ctcd_component_new(NULL, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", "ml", &made, &err),
          CTCD_E_INVALID);
    fails(ctcd_component_new(ctx, 9, "fake", "ml", &made, &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "9");
    ck_assert_ptr_null(made);
    drop(one("Ml_1.x-y"));
}
END_TEST

START_TEST(an_unknown_flavor_names_the_known_ones) {
    ctcd_component *made = NULL;
    fails(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "mlfow", "ml", &made, &err),
          CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "mlfow");
    ck_assert_has(ctcd_error_message(err), "model-deployer");
    ck_assert_has(ctcd_error_hint(err), "mlflow");
    ck_assert_has(ctcd_error_hint(err), "fake");
    fails(ctcd_component_new(ctx, CTCD_COMPONENT_ORCHESTRATOR, "mlflow", "ml", &made, &err),
          CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "local");
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(an_unknown_option_names_the_near_miss) {
    ctcd_component *made = one("ml");
    fails(ctcd_component_set_option(made, "end_pont", "x", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "end_pont");
    ck_assert_has(ctcd_error_hint(err), "did you mean endpoint?");
    fails(ctcd_component_set_option(made, "max-replica", "1", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "did you mean max_replicas?");
    fails(ctcd_component_set_option(made, "zzzzzzzzz", "x", &err), CTCD_E_INVALID);
    for (size_t i = 0; all_types[i].name; i++) /* nothing is near: all are named */
        ck_assert_has(ctcd_error_hint(err), all_types[i].name);
    fails(ctcd_component_set_option(made, NULL, "x", &err), CTCD_E_INVALID);
    fails(ctcd_component_set_option(made, "plain", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_component_set_option(made, "plain", "\xc0\x80", &err), CTCD_E_INVALID);
    fails(ctcd_component_set_option(NULL, "plain", "x", &err), CTCD_E_INVALID);
    ck_assert_uint_eq(ctcd_component_option_count(made), 0);
    drop(made);
    made = component(CTCD_COMPONENT_ORCHESTRATOR, "local", "here");
    fails(ctcd_component_set_option(made, "speed", "1", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "no options");
    drop(made);
}
END_TEST

START_TEST(values_are_checked_by_their_type) {
    static const struct {
        const char *key, *value, *kept; /* kept NULL = refused */
    } cases[] = {
        {"max_replicas", "12", "12"},
        {"max_replicas", "-1", "-1"},
        {"max_replicas", "", NULL},
        {"max_replicas", "1.5", NULL},
        {"max_replicas", "many", NULL},
        {"max_replicas", "99999999999999999999", NULL},
        {"patience", "10m", "10m"},
        {"patience", "1h30m", "1h30m"},
        {"patience", "soon", NULL},
        {"patience", "", NULL},
        {"verbose", "yes", "true"},
        {"verbose", "0", "false"},
        {"verbose", "true", "true"},
        {"verbose", "maybe", NULL},
        {"verbose", "", NULL},
        {"mode", "fast", "fast"},
        {"mode", "fas", NULL},
        {"mode", "fast|safe", NULL},
        {"mode", "", NULL},
        {"folder", "", NULL},
        {"folder", "/x", "/x"},
        {"plain", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ctcd_component *made = one("ml");
        err = ctcd_error_unref(err);
        int rc = ctcd_component_set_option(made, cases[i].key, cases[i].value, &err);
        ck_assert_msg(rc == (cases[i].kept ? 0 : CTCD_E_INVALID), "%s=%s gave %s", cases[i].key,
                      cases[i].value, ctcd_code_name(rc));
        if (rc)
            ck_assert_has(ctcd_error_message(err), cases[i].key);
        ck_assert_pstr_eq(ctcd_component_option_value(made, 0), cases[i].kept);
        drop(made);
    }
    ctcd_component *made = one("ml");
    fails(ctcd_component_set_option(made, "mode", "quick", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "fast|safe");
    drop(made);
}
END_TEST

START_TEST(a_secret_is_never_taken_only_a_reference) {
    ctcd_component *made = one("ml");
    static const char *const secrets[] = {"hunter2", "", "ENV:TOKEN", "https://u:hunter2@x",
                                          "secret:x/hunter2"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        fails(ctcd_component_set_option(made, "api_token", secrets[i], &err), CTCD_E_INVALID);
        ck_assert_has(ctcd_error_message(err), "api_token");
        ck_assert_has(ctcd_error_hint(err), "env:NAME");
        ck_assert_ptr_null(strstr(ctcd_error_message(err), "hunter2")); /* nor is it shown */
        ck_assert_ptr_null(strstr(ctcd_error_hint(err), "hunter2"));
        ck_assert_ptr_null(ctcd_error_details(err));
        ck_assert_uint_eq(ctcd_component_option_count(made), 0);
    }
    ok(ctcd_component_set_option(made, "api_token", "file:/run/token", &err));
    ok(ctcd_component_set_option(made, "api_token", "env:TOKEN", &err));
    ck_assert_str_eq(ctcd_component_option_value(made, 0), "env:TOKEN");
    drop(made);
}
END_TEST

START_TEST(a_required_option_must_be_there) {
    ctcd_component *made = one("ml");
    fails(ctcd_component_register(made, &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "endpoint");
    ck_assert_str_eq(ctcd_component_uuid(made), "");
    ok(ctcd_component_set_option(made, "endpoint", "here", &err));
    ok(ctcd_component_register(made, &err));
    drop(made);
    fails(ctcd_component_register(NULL, &err), CTCD_E_INVALID);
}
END_TEST

START_TEST(names_are_unique_within_a_type) {
    registered("ml");
    ctcd_component *made = one("ml"), *found = NULL;
    ok(ctcd_component_set_option(made, "endpoint", "elsewhere", &err));
    fails(ctcd_component_register(made, &err), CTCD_E_EXISTS);
    ck_assert_has(ctcd_error_message(err), "ml");
    ck_assert_str_eq(ctcd_component_uuid(made), "");
    drop(made);
    ok(get(CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &found)); /* the first one is as it was */
    ck_assert_str_eq(ctcd_component_option_value(found, 0), "here");
    fails(ctcd_component_register(found, &err), CTCD_E_EXISTS);
    drop(found);
    made = component(CTCD_COMPONENT_ARTIFACT_STORE, "local", "ml");
    ok(ctcd_component_register(made, &err)); /* of another type it is another one */
    drop(made);
}
END_TEST

START_TEST(lists_are_sorted_by_name) {
    ctcd_list *list = NULL;
    char *text = NULL;
    ok(ctcd_component_list(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 0);
    ok(ctcd_list_format(list, "json", &text, &err));
    ck_assert_str_eq(text, "[]");
    ctcd_free(text);
    ck_assert_ptr_null(ctcd_list_unref(list));
    registered("b");
    registered("c");
    registered("a");
    ok(ctcd_component_list(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 3);
    ck_assert_str_eq(ctcd_component_name(ctcd_list_component(list, 0)), "a");
    ck_assert_str_eq(ctcd_component_name(ctcd_list_component(list, 1)), "b");
    ck_assert_str_eq(ctcd_component_name(ctcd_list_component(list, 2)), "c");
    ck_assert_ptr_null(ctcd_list_component(list, 3));
    ck_assert_ptr_null(ctcd_list_stack(list, 0)); /* it holds another kind */
    ck_assert_ptr_null(ctcd_list_service(list, 0));
    ok(ctcd_list_format(list, "name", &text, &err));
    ck_assert_str_eq(text, "a\nb\nc");
    ctcd_free(text);
    ok(ctcd_list_format(list, "yaml", &text, &err));
    ck_assert_has(text, "- name: a\n");
    ctcd_free(text);
    text = NULL;
    fails(ctcd_list_format(list, "table", &text, &err), CTCD_E_INVALID);
    fails(ctcd_list_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    ck_assert_ptr_eq(ctcd_list_ref(list), list);
    ctcd_list_unref(list);
    ctcd_list_unref(list);
    ck_assert_uint_eq(ctcd_list_count(NULL), 0);
    list = NULL;
    fails(ctcd_component_list(ctx, 0, &list, &err), CTCD_E_INVALID);
    fails(ctcd_component_list(ctx, 1, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(list);
}
END_TEST

/* ---- deletes ---------------------------------------------------------------------------------- */

START_TEST(a_component_can_be_deleted_and_named_anew) {
    char first[37];
    ctcd_component *made = NULL, *gone = NULL;
    registered("ml");
    ok(get(CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &made));
    (void)snprintf(first, sizeof first, "%s", ctcd_component_uuid(made));
    ok(ctcd_component_delete(made, &err));
    ck_assert_str_eq(ctcd_component_name(made), "ml"); /* the handle is a copy of what was */
    fails(ctcd_component_delete(made, &err), CTCD_E_NOT_FOUND);
    fails(get(CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &gone), CTCD_E_NOT_FOUND);
    ck_assert_ptr_null(gone);
    drop(made);
    registered("ml");
    ok(get(CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &made));
    ck_assert_str_ne(ctcd_component_uuid(made), first);
    drop(made);
    made = one("never-registered");
    fails(ctcd_component_delete(made, &err), CTCD_E_NOT_FOUND);
    drop(made);
    fails(ctcd_component_delete(NULL, &err), CTCD_E_INVALID);
}
END_TEST

static ctcd_stack *stack_with(const char *name, const char *deployer_name) {
    ctcd_stack *stack = NULL;
    ok(ctcd_stack_new(ctx, name, &stack, &err));
    ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_ORCHESTRATOR, "default", &err));
    ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_ARTIFACT_STORE, "default", &err));
    ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_METADATA_STORE, "default", &err));
    if (deployer_name)
        ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_MODEL_DEPLOYER, deployer_name, &err));
    return stack;
}

START_TEST(a_delete_names_the_stacks_that_use_it) {
    ctcd_component *made = NULL;
    registered("ml");
    ctcd_stack *prod = stack_with("prod", "ml"), *staging = stack_with("staging", "ml");
    ok(ctcd_stack_register(prod, &err));
    ok(ctcd_stack_register(staging, &err));
    ctcd_stack_unref(prod);
    ctcd_stack_unref(staging);
    ok(get(CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &made));
    fails(ctcd_component_delete(made, &err), CTCD_E_CONFLICT);
    ck_assert_has(ctcd_error_message(err), "ml");
    ck_assert_has(ctcd_error_message(err), "prod");
    ck_assert_has(ctcd_error_message(err), "staging");
    ck_assert_ptr_nonnull(ctcd_error_hint(err));
    drop(made);
    ok(get(CTCD_COMPONENT_ORCHESTRATOR, "default", &made));
    fails(ctcd_component_delete(made, &err), CTCD_E_CONFLICT);
    ck_assert_has(ctcd_error_message(err), "default");
    drop(made);
}
END_TEST

START_TEST(a_delete_names_the_services_that_use_it) {
    ctcd_component *made = NULL;
    registered("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    ctcd_service *service = fake_deploy("digits", "/m");
    ok(get(CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &made));
    fails(ctcd_component_delete(made, &err), CTCD_E_CONFLICT);
    ck_assert_has(ctcd_error_message(err), ctcd_service_uuid(service));
    ck_assert_has(ctcd_error_message(err), "digits");
    ok(ctcd_service_delete(service, 0, -1, &err));
    ok(ctcd_component_delete(made, &err));
    ctcd_service_unref(service);
    drop(made);
    deployer = ctcd_model_deployer_unref(deployer);
}
END_TEST

/* ---- stacks ----------------------------------------------------------------------------------- */

START_TEST(a_new_home_has_an_active_stack) {
    ctcd_stack *stack = NULL;
    ok(ctcd_stack_get(ctx, NULL, &stack, &err));
    ck_assert_str_eq(ctcd_stack_name(stack), "default");
    ck_assert_int_eq(ctcd_stack_active(stack), 1);
    ck_assert_str_eq(ctcd_stack_component(stack, CTCD_COMPONENT_ORCHESTRATOR), "default");
    ck_assert_str_eq(ctcd_stack_component(stack, CTCD_COMPONENT_ARTIFACT_STORE), "default");
    ck_assert_str_eq(ctcd_stack_component(stack, CTCD_COMPONENT_METADATA_STORE), "default");
    ck_assert_str_eq(ctcd_stack_component(stack, CTCD_COMPONENT_MODEL_DEPLOYER), "");
    ck_assert_str_eq(ctcd_stack_component(stack, 0), "");
    ck_assert_str_eq(ctcd_stack_component(stack, 99), "");
    ctcd_stack_unref(stack);
    ctcd_model_deployer *none = NULL;
    fails(ctcd_model_deployer_get(ctx, NULL, &none, &err), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), "default");
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(a_stack_is_registered_activated_and_listed) {
    ctcd_stack *stack = stack_with("prod", "ml"), *found = NULL;
    ctcd_list *list = NULL;
    char *text = NULL;
    registered("ml");
    ok(ctcd_stack_register(stack, &err));
    ck_assert_int_eq(ctcd_stack_active(stack), 0); /* registering does not activate */
    ok(ctcd_stack_get(ctx, NULL, &found, &err));
    ck_assert_str_eq(ctcd_stack_name(found), "default");
    ctcd_stack_unref(found);
    ok(ctcd_stack_activate(stack, &err));
    ck_assert_int_eq(ctcd_stack_active(stack), 1);
    ok(ctcd_stack_get(ctx, "prod", &found, &err));
    ck_assert_int_eq(ctcd_stack_active(found), 1);
    ck_assert_str_eq(ctcd_stack_component(found, CTCD_COMPONENT_MODEL_DEPLOYER), "ml");
    ok(ctcd_stack_format(found, "json", &text, &err));
    ck_assert_has(text, "\"name\": \"prod\"");
    ck_assert_has(text, "\"active\": true");
    ck_assert_has(text, "\"model-deployer\": \"ml\"");
    ctcd_free(text);
    ok(ctcd_stack_format(found, "yaml", &text, &err));
    ck_assert_has(text, "model-deployer: ml\n");
    ctcd_free(text);
    ok(ctcd_stack_format(found, "name", &text, &err));
    ck_assert_str_eq(text, "prod");
    ctcd_free(text);
    ok(ctcd_model_deployer_get(ctx, NULL, &deployer, &err)); /* the active stack's */
    ck_assert_str_eq(ctcd_model_deployer_name(deployer), "ml");
    deployer = ctcd_model_deployer_unref(deployer);
    ok(ctcd_stack_list(ctx, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 2);
    ck_assert_str_eq(ctcd_stack_name(ctcd_list_stack(list, 0)), "default");
    ck_assert_int_eq(ctcd_stack_active(ctcd_list_stack(list, 0)), 0);
    ck_assert_str_eq(ctcd_stack_name(ctcd_list_stack(list, 1)), "prod");
    ck_assert_ptr_null(ctcd_list_component(list, 0));
    ctcd_list_unref(list);
    ck_assert_ptr_eq(ctcd_stack_ref(found), found);
    ctcd_stack_unref(found);
    ck_assert_ptr_null(ctcd_stack_unref(found));
    ctcd_stack_unref(stack);
}
END_TEST

START_TEST(a_stack_that_cannot_be_is_refused) {
    ctcd_stack *stack = stack_with("prod", "ml"), *other = NULL;
    fails(ctcd_stack_register(stack, &err), CTCD_E_NOT_FOUND); /* there is no deployer ml */
    ck_assert_has(ctcd_error_message(err), "model-deployer \"ml\"");
    fails(ctcd_stack_activate(stack, &err), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(ctcd_stack_active(stack), 0);
    fails(ctcd_stack_get(ctx, "prod", &other, &err), CTCD_E_NOT_FOUND);
    registered("ml");
    ok(ctcd_stack_register(stack, &err));
    ctcd_stack_unref(stack);
    stack = stack_with("prod", NULL);
    fails(ctcd_stack_register(stack, &err), CTCD_E_EXISTS);
    ck_assert_has(ctcd_error_message(err), "prod");
    ctcd_stack_unref(stack);
    ok(ctcd_stack_new(ctx, "bare", &stack, &err));
    ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_ORCHESTRATOR, "default", &err));
    ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_METADATA_STORE, "default", &err));
    fails(ctcd_stack_register(stack, &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "artifact-store");
    fails(ctcd_stack_set_component(stack, 7, "default", &err), CTCD_E_INVALID);
    fails(ctcd_stack_set_component(stack, 1, NULL, &err), CTCD_E_INVALID);
    ck_assert_str_eq(ctcd_stack_component(stack, 1), "default");
    ctcd_stack_unref(stack);
    fails(ctcd_stack_new(ctx, NULL, &other, &err), CTCD_E_INVALID);
    fails(ctcd_stack_new(ctx, "x", NULL, &err), CTCD_E_INVALID);
    fails(ctcd_stack_get(ctx, "nowhere", &other, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_stack_get(ctx, NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_stack_list(ctx, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_stack_register(NULL, &err), CTCD_E_INVALID);
    fails(ctcd_stack_activate(NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(other);
}
END_TEST

START_TEST(options_of_a_registered_one_are_changed) {
    ctcd_component *one_of_two = NULL, *other = NULL, *found = NULL;
    const int type = CTCD_COMPONENT_MODEL_DEPLOYER;
    registered("ml");
    ok(get(type, "ml", &one_of_two));
    ok(get(type, "ml", &other));
    ok(ctcd_component_set_option(one_of_two, "plain", "x", &err));
    ok(get(type, "ml", &found)); /* nothing is stored yet */
    ck_assert_uint_eq(ctcd_component_option_count(found), 1);
    drop(found);
    ok(ctcd_component_update(one_of_two, &err));
    ok(get(type, "ml", &found));
    ck_assert_str_eq(ctcd_component_option_key(found, 0), "plain");
    drop(found);
    /* Who read them before does not take that back unseen. */
    ok(ctcd_component_set_option(other, "mode", "fast", &err));
    fails(ctcd_component_update(other, &err), CTCD_E_CONFLICT);
    ok(ctcd_component_unset_option(one_of_two, "plain", &err));
    ok(ctcd_component_unset_option(one_of_two, "plain", &err));
    fails(ctcd_component_unset_option(one_of_two, "plane", &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_hint(err), "plain");
    ok(ctcd_component_update(one_of_two, &err));
    ok(ctcd_component_update(other, &err)); /* it is as it was when it was read */
    ok(ctcd_component_unset_option(other, "endpoint", &err));
    fails(ctcd_component_update(other, &err), CTCD_E_INVALID); /* that one is required */
    ck_assert_has(ctcd_error_message(err), "endpoint");
    ok(ctcd_component_set_option(other, "endpoint", "here", &err));
    ok(ctcd_component_delete(other, &err));
    fails(ctcd_component_update(other, &err), CTCD_E_NOT_FOUND);
    drop(one_of_two);
    drop(other);
    ctcd_component *made = one("new");
    ok(ctcd_component_set_option(made, "endpoint", "here", &err));
    fails(ctcd_component_update(made, &err), CTCD_E_INVALID);
    drop(made);
    fails(ctcd_component_update(NULL, &err), CTCD_E_INVALID);
    fails(ctcd_component_unset_option(NULL, "plain", &err), CTCD_E_INVALID);
}
END_TEST

START_TEST(an_update_holds_from_the_next_call_on) {
    ctcd_component *made = NULL;
    registered("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    ctcd_service *service = fake_deploy("digits", "/m");
    ck_assert_int_eq(fake.opened, 1);
    ok(get(CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &made));
    ok(ctcd_component_set_option(made, "plain", "x", &err));
    ok(ctcd_component_update(made, &err));
    drop(made);
    ck_assert_int_eq(fake_running(&fake), 1);
    ok(ctcd_service_stop(service, LONG_MS, &err));
    ck_assert_int_eq(fake.opened, 2); /* the back end was opened with the new options */
    ok(ctcd_service_delete(service, 0, -1, &err));
    ctcd_service_unref(service);
    deployer = ctcd_model_deployer_unref(deployer);
}
END_TEST

START_TEST(a_stack_is_changed_and_deleted) {
    ctcd_stack *stack = stack_with("prod", NULL), *found = NULL;
    registered("ml");
    ok(ctcd_stack_register(stack, &err));
    ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_MODEL_DEPLOYER, "nosuch", &err));
    fails(ctcd_stack_update(stack, &err), CTCD_E_NOT_FOUND);
    ok(ctcd_stack_set_component(stack, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &err));
    ok(ctcd_stack_update(stack, &err));
    ok(ctcd_stack_get(ctx, "prod", &found, &err));
    ck_assert_str_eq(ctcd_stack_component(found, CTCD_COMPONENT_MODEL_DEPLOYER), "ml");
    ctcd_stack_unref(found);
    ok(ctcd_stack_activate(stack, &err));
    fails(ctcd_stack_delete(stack, &err), CTCD_E_CONFLICT);
    ok(ctcd_stack_get(ctx, "default", &found, &err));
    ok(ctcd_stack_activate(found, &err));
    ctcd_stack_unref(found);
    ok(ctcd_stack_delete(stack, &err));
    fails(ctcd_stack_delete(stack, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_stack_update(stack, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_stack_update(NULL, &err), CTCD_E_INVALID);
    fails(ctcd_stack_delete(NULL, &err), CTCD_E_INVALID);
    ctcd_stack_unref(stack);
}
END_TEST

/* ---- stacks as files --------------------------------------------------------------------------- */

START_TEST(a_stack_goes_out_and_in_again) {
    ctcd_stack *stack = stack_with("prod", "ml"), *back = NULL;
    ctcd_component *made = one("ml");
    char *text = NULL, *again = NULL;
    ok(ctcd_component_set_option(made, "endpoint", "a \"b\": # c", &err));
    ok(ctcd_component_set_option(made, "api_token", "env:TOKEN", &err));
    ok(ctcd_component_register(made, &err));
    ok(ctcd_stack_register(stack, &err));
    ok(ctcd_stack_export(stack, &text, &err));
    ck_assert_has(text, "env:TOKEN");
    fails(ctcd_stack_import(ctx, text, NULL, NULL, &back, &err), CTCD_E_EXISTS);
    ok(ctcd_stack_import(ctx, text, NULL, "copy", &back, &err)); /* the same components */
    ck_assert_int_eq(ctcd_stack_active(back), 0);
    back = ctcd_stack_unref(back);
    ok(ctcd_component_set_option(made, "plain", "x", &err));
    ok(ctcd_component_update(made, &err));
    fails(ctcd_stack_import(ctx, text, "prod.yaml", "other", &back, &err), CTCD_E_CONFLICT);
    ck_assert_has(ctcd_error_message(err), "prod.yaml:");
    ck_assert_has(ctcd_error_message(err), "\"ml\"");
    ck_assert_ptr_null(back);
    ok(ctcd_stack_get(ctx, "copy", &back, &err)); /* into a home that has neither */
    ok(ctcd_stack_delete(back, &err));
    ok(ctcd_stack_delete(stack, &err));
    ok(ctcd_component_delete(made, &err));
    drop(made);
    ctcd_stack_unref(back);
    ok(ctcd_stack_import(ctx, text, NULL, NULL, &back, &err));
    ok(ctcd_stack_export(back, &again, &err));
    ck_assert_str_eq(again, text);
    ctcd_free(again);
    ctcd_free(text);
    ctcd_stack_unref(back);
    ctcd_stack_unref(stack);
}
END_TEST

START_TEST(a_wrong_file_changes_nothing) {
#define PARTS "orchestrator: {name: o, flavor: local}, artifact-store: {name: a, flavor: local}"
    static const struct {
        const char *text, *said;
        int code;
    } cases[] = {
        {"", "f:1:1", CTCD_E_INVALID},
        {"[1]", "must be a mapping", CTCD_E_INVALID},
        {"stack: s", "\"components\" is missing", CTCD_E_INVALID},
        {"components: {}", "\"stack\" is missing", CTCD_E_INVALID},
        {"stack: [s]\ncomponents: {}", "\"stack\"", CTCD_E_INVALID},
        {"stack: s\ncomponents: {}\nmore: 1", "has no \"more\"", CTCD_E_INVALID},
        {"stack: s\ncomponents: []", "f:2:13", CTCD_E_INVALID},
        {"stack: s\ncomponents: {deployer: {}}", "has no \"deployer\"", CTCD_E_INVALID},
        {"stack: s\ncomponents: {" PARTS ", metadata-store: {name: m}}", "flavor", CTCD_E_INVALID},
        {"stack: s\ncomponents: {" PARTS ", metadata-store: {name: m, flavor: tape}}", "tape",
         CTCD_E_INVALID},
        {"stack: s\ncomponents: {" PARTS ", metadata-store: {name: m, flavor: sqlite, x: 1}}",
         "has no \"x\"", CTCD_E_INVALID},
        {"stack: s\ncomponents: {" PARTS ", metadata-store: {name: m, flavor: sqlite},"
         " model-deployer: {name: ml, flavor: fake, options: {mode: quick}}}",
         "mode", CTCD_E_INVALID},
        {"stack: s\ncomponents: {" PARTS ", metadata-store: {name: m, flavor: sqlite},"
         " model-deployer: {name: ml, flavor: fake, options: {api_token: hush}}}",
         "api_token", CTCD_E_INVALID},
        {"stack: s\ncomponents: {" PARTS ", metadata-store: {name: m, flavor: sqlite},"
         " model-deployer: {name: ml, flavor: fake}}",
         "endpoint", CTCD_E_INVALID},
        {"stack: s\ncomponents: {" PARTS "}", "metadata-store", CTCD_E_INVALID},
        {"stack: default\ncomponents: {" PARTS ", metadata-store: {name: m, flavor: sqlite}}",
         "default", CTCD_E_EXISTS},
    };
    ctcd_stack *stack = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ctcd_component *made = NULL;
        fails(ctcd_stack_import(ctx, cases[i].text, "f", NULL, &stack, &err), cases[i].code);
        ck_assert_msg(strstr(ctcd_error_message(err), cases[i].said), "%s: %s", cases[i].text,
                      ctcd_error_message(err));
        ck_assert_ptr_null(strstr(ctcd_error_message(err), "hush"));
        ck_assert_ptr_null(stack);
        fails(get(CTCD_COMPONENT_ORCHESTRATOR, "o", &made), CTCD_E_NOT_FOUND);
    }
    fails(ctcd_stack_import(ctx, NULL, "f", NULL, &stack, &err), CTCD_E_INVALID);
    fails(ctcd_stack_import(ctx, "stack: s", "f", NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_stack_export(NULL, NULL, &err), CTCD_E_INVALID);
}
END_TEST

START_TEST(nothing_is_asked_of_nobody) {
    ck_assert_int_eq(ctcd_component_type(NULL), 0);
    ck_assert_str_eq(ctcd_component_name(NULL), "");
    ck_assert_str_eq(ctcd_component_flavor(NULL), "");
    ck_assert_str_eq(ctcd_component_uuid(NULL), "");
    ck_assert_uint_eq(ctcd_component_option_count(NULL), 0);
    ck_assert_ptr_null(ctcd_component_option_key(NULL, 0));
    ck_assert_ptr_null(ctcd_component_option_value(NULL, 0));
    ck_assert_ptr_null(ctcd_component_ref(NULL));
    ck_assert_ptr_null(ctcd_component_unref(NULL));
    ck_assert_str_eq(ctcd_stack_name(NULL), "");
    ck_assert_str_eq(ctcd_stack_component(NULL, 1), "");
    ck_assert_int_eq(ctcd_stack_active(NULL), 0);
    ck_assert_ptr_null(ctcd_stack_ref(NULL));
    ck_assert_ptr_null(ctcd_stack_unref(NULL));
    ck_assert_ptr_null(ctcd_list_ref(NULL));
    ck_assert_ptr_null(ctcd_list_unref(NULL));
    ck_assert_ptr_null(ctcd_list_component(NULL, 0));
    ck_assert_ptr_null(ctcd_list_stack(NULL, 0));
}
END_TEST

SUITE_MAIN_WITH("component", begin, api_close, types_have_names, flavors_describe_their_options,
                a_component_is_made_registered_and_found, a_component_prints_itself,
                names_are_checked, an_unknown_flavor_names_the_known_ones,
                an_unknown_option_names_the_near_miss, values_are_checked_by_their_type,
                a_secret_is_never_taken_only_a_reference, a_required_option_must_be_there,
                names_are_unique_within_a_type, lists_are_sorted_by_name,
                a_component_can_be_deleted_and_named_anew, a_delete_names_the_stacks_that_use_it,
                a_delete_names_the_services_that_use_it, a_new_home_has_an_active_stack,
                a_stack_is_registered_activated_and_listed, a_stack_that_cannot_be_is_refused,
                options_of_a_registered_one_are_changed, an_update_holds_from_the_next_call_on,
                a_stack_is_changed_and_deleted, a_stack_goes_out_and_in_again,
                a_wrong_file_changes_nothing, nothing_is_asked_of_nobody)
