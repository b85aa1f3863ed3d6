/* lib/store/components.c, stacks.c: registering, using, and what may not be deleted. */
#include "store_home.h"

static int add(int type, char *name, int number) {
    const struct store_component component = {.type = type,
                                              .name = name,
                                              .flavor = "local",
                                              .uuid = uuid_of(number),
                                              .options = "{\"path\":\"/x\"}",
                                              .created_ms = number};
    return store_component_add(store, &component, &err);
}

static struct store_stack a_stack(char *name) {
    static int number = 100;
    struct store_stack stack = {.name = name, .uuid = uuid_of(number++), .created_ms = 7};
    stack.components[CTCD_COMPONENT_ORCHESTRATOR] = "default";
    stack.components[CTCD_COMPONENT_ARTIFACT_STORE] = "default";
    stack.components[CTCD_COMPONENT_METADATA_STORE] = "default";
    return stack;
}

/* "a b c", by name. */
static void expect_stacks(const char *names) {
    struct store_stacks list = {0};
    OK(store_stack_list(store, &list, &err));
    char all[256] = "";
    for (size_t i = 0; i < list.count; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s%s", i ? " " : "",
                 list.items[i].name, list.items[i].active ? "*" : "");
    ck_assert_str_eq(all, names);
    store_stacks_done(&list);
}

START_TEST(a_component_comes_back) {
    OK(add(CTCD_COMPONENT_ARTIFACT_STORE, "aws", 1));
    struct store_component got = {0};
    OK(store_component_get(store, CTCD_COMPONENT_ARTIFACT_STORE, "aws", &got, &err));
    ck_assert_int_eq(got.type, CTCD_COMPONENT_ARTIFACT_STORE);
    ck_assert_str_eq(got.name, "aws");
    ck_assert_str_eq(got.flavor, "local");
    ck_assert_str_eq(got.uuid, uuid_of(1));
    ck_assert_str_eq(got.options, "{\"path\":\"/x\"}");
    ck_assert_int_eq(got.created_ms, 1);
    store_component_done(&got);
    ck_assert_ptr_null(got.name);
    store_component_done(&got);
}
END_TEST

START_TEST(names_are_unique_within_a_type) {
    OK(add(CTCD_COMPONENT_ARTIFACT_STORE, "aws", 1));
    FAILS(add(CTCD_COMPONENT_ARTIFACT_STORE, "aws", 2), CTCD_E_EXISTS, "artifact-store \"aws\"");
    OK(add(CTCD_COMPONENT_ORCHESTRATOR, "aws", 3));
    FAILS(add(CTCD_COMPONENT_ORCHESTRATOR, "", 4), CTCD_E_INVALID, "name");
    FAILS(add(9, "x", 5), CTCD_E_INVALID, "9 is no type");
    FAILS(add(0, "x", 5), CTCD_E_INVALID, "0 is no type");
    FAILS(add(-1, "x", 5), CTCD_E_INVALID, "-1 is no type");
}
END_TEST

START_TEST(components_are_listed_by_type_and_name) {
    OK(add(CTCD_COMPONENT_MODEL_DEPLOYER, "z", 1));
    OK(add(CTCD_COMPONENT_MODEL_DEPLOYER, "a", 2));
    struct store_components list = {0};
    OK(store_component_list(store, CTCD_COMPONENT_MODEL_DEPLOYER, &list, &err));
    ck_assert_uint_eq(list.count, 2);
    ck_assert_str_eq(list.items[0].name, "a");
    ck_assert_str_eq(list.items[1].name, "z");
    store_components_done(&list);
    ck_assert_uint_eq(list.count, 0);
    OK(store_component_list(store, 0, &list, &err));
    ck_assert_uint_eq(list.count, 5);
    ck_assert_int_eq(list.items[0].type, CTCD_COMPONENT_ARTIFACT_STORE);
    store_components_done(&list);
}
END_TEST

START_TEST(what_is_not_there) {
    struct store_component component = {0};
    int rc = store_component_get(store, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &component, &err);
    ck_assert_int_eq(rc, CTCD_E_NOT_FOUND);
    ck_assert_str_eq(error_hint_text(err), "see: ctcd model-deployer list");
    ck_assert_ptr_null(component.name);
    FAILS(store_component_delete(store, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &err),
          CTCD_E_NOT_FOUND, "no model-deployer \"ml\"");
    /* Callers that do not want to know why. */
    ck_assert_int_eq(store_component_delete(store, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", NULL),
                     CTCD_E_NOT_FOUND);
    struct store_stack stack = {0};
    FAILS(store_stack_get(store, "none", &stack, &err), CTCD_E_NOT_FOUND, "no stack \"none\"");
    FAILS(store_stack_activate(store, "none", &err), CTCD_E_NOT_FOUND, "no stack \"none\"");
    FAILS(store_stack_delete(store, "none", &err), CTCD_E_NOT_FOUND, "no stack \"none\"");
    stack = a_stack("none");
    FAILS(store_stack_update(store, &stack, &err), CTCD_E_NOT_FOUND, "no stack \"none\"");
    struct store_components list = {0};
    OK(store_component_list(store, CTCD_COMPONENT_MODEL_DEPLOYER, &list, &err));
    ck_assert_uint_eq(list.count, 0);
    store_components_done(&list);
}
END_TEST

START_TEST(stacks_name_registered_components) {
    struct store_stack stack = a_stack("prod");
    stack.components[CTCD_COMPONENT_MODEL_DEPLOYER] = "ml";
    FAILS(store_stack_add(store, &stack, &err), CTCD_E_NOT_FOUND, "no model-deployer \"ml\"");
    expect_stacks("default*"); /* nothing of it stayed */
    OK(add_deployer(store));
    OK(store_stack_add(store, &stack, &err));
    FAILS(store_stack_add(store, &stack, &err), CTCD_E_EXISTS, "a stack \"prod\"");
    expect_stacks("default* prod");
    struct store_stack got = {0};
    OK(store_stack_get(store, "prod", &got, &err));
    ck_assert_str_eq(got.components[CTCD_COMPONENT_MODEL_DEPLOYER], "ml");
    ck_assert_str_eq(got.components[CTCD_COMPONENT_ORCHESTRATOR], "default");
    ck_assert(!got.active);
    ck_assert_int_eq(got.created_ms, 7);
    store_stack_done(&got);
}
END_TEST

START_TEST(one_stack_is_active) {
    struct store_stack stack = a_stack("prod");
    OK(store_stack_add(store, &stack, &err));
    OK(store_stack_activate(store, "prod", &err));
    expect_stacks("default prod*");
    FAILS(store_stack_delete(store, "prod", &err), CTCD_E_CONFLICT, "the active one");
    OK(store_stack_delete(store, "default", &err));
    expect_stacks("prod*");
    raw("DELETE FROM settings");
    struct store_stack got = {0};
    FAILS(store_stack_get(store, NULL, &got, &err), CTCD_E_NOT_FOUND, "no stack is active");
    raw("DELETE FROM stacks");
    expect_stacks("");
}
END_TEST

START_TEST(a_stack_gets_other_components) {
    OK(add_deployer(store));
    struct store_stack stack = a_stack("default");
    stack.components[CTCD_COMPONENT_MODEL_DEPLOYER] = "ml";
    OK(store_stack_update(store, &stack, &err));
    stack.components[CTCD_COMPONENT_ORCHESTRATOR] = "none";
    FAILS(store_stack_update(store, &stack, &err), CTCD_E_NOT_FOUND, "orchestrator \"none\"");
    struct store_stack got = {0};
    OK(store_stack_get(store, NULL, &got, &err));
    ck_assert_str_eq(got.components[CTCD_COMPONENT_MODEL_DEPLOYER], "ml");
    ck_assert_str_eq(got.components[CTCD_COMPONENT_ORCHESTRATOR], "default");
    store_stack_done(&got);
}
END_TEST

START_TEST(what_is_used_stays) {
    OK(add_deployer(store));
    struct store_stack stack = a_stack("prod");
    stack.components[CTCD_COMPONENT_MODEL_DEPLOYER] = "ml";
    OK(store_stack_add(store, &stack, &err));
    OK(add_service(store, 1));
    int rc = store_component_delete(store, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &err);
    ck_assert_int_eq(rc, CTCD_E_CONFLICT);
    ck_assert_ptr_nonnull(strstr(error_message(err), "stack prod, service 00000001-"));
    FAILS(store_component_delete(store, CTCD_COMPONENT_ORCHESTRATOR, "default", &err),
          CTCD_E_CONFLICT, "in use: stack default, stack prod");
    OK(store_stack_delete(store, "prod", &err));
    FAILS(store_component_delete(store, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &err), CTCD_E_CONFLICT,
          "service 00000001-");
    OK(store_service_remove(store, uuid_of(1), 9, &err));
    OK(store_component_delete(store, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &err));
}
END_TEST

SUITE_MAIN_WITH("store_components", home_setup_open, home_teardown, a_component_comes_back,
                names_are_unique_within_a_type, components_are_listed_by_type_and_name,
                what_is_not_there, stacks_name_registered_components, one_stack_is_active,
                a_stack_gets_other_components, what_is_used_stays)
