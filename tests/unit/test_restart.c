/* lib/core/restart.c: which server that ended is started again, and when. */
#include <check.h>
#include <ctcd/service.h>
#include <stdlib.h>

#include "core/restart.h"

START_TEST(names) {
    enum restart_policy policy = RESTART_NEVER;
    ck_assert(restart_policy_from_name("on-failure", &policy));
    ck_assert_int_eq(policy, RESTART_ON_FAILURE);
    ck_assert(restart_policy_from_name("always", &policy));
    ck_assert_int_eq(policy, RESTART_ALWAYS);
    ck_assert(!restart_policy_from_name("on_failure", &policy));
    ck_assert(!restart_policy_from_name(NULL, &policy));
    ck_assert_int_eq(policy, RESTART_ALWAYS);
    ck_assert_str_eq(restart_policy_name(RESTART_NEVER), "never");
    ck_assert_str_eq(restart_policy_name(RESTART_ON_FAILURE), "on-failure");
}
END_TEST

START_TEST(the_wait_doubles_to_five_minutes) {
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        ck_assert_int_eq(restart_delay_ms((int64_t)i), seconds[i] * 1000);
    ck_assert_int_eq(restart_delay_ms(INT64_MAX), 300000);
    ck_assert_int_eq(restart_delay_ms(-1), 1000);
}
END_TEST

START_TEST(who_is_restarted) {
    static const struct {
        enum restart_policy policy;
        int state;
        bool final, ended_well, planned, wanted, expected, interrupted;
    } cases[] = {
        {RESTART_NEVER, CTCD_STATE_ERROR, true, false, false, true, false, false},
        {RESTART_ON_FAILURE, CTCD_STATE_ERROR, true, false, false, true, true, false},
        {RESTART_ON_FAILURE, CTCD_STATE_ERROR, true, false, false, false, false, false},
        {RESTART_ON_FAILURE, CTCD_STATE_ERROR, false, false, false, true, false,
         false}, /* it refuses */
        {RESTART_ON_FAILURE, CTCD_STATE_ERROR, true, true, false, true, false, false},
        {RESTART_ALWAYS, CTCD_STATE_ERROR, true, true, false, true, true, false},
        {RESTART_ON_FAILURE, CTCD_STATE_INACTIVE, true, false, false, true, false,
         false}, /* reboot */
        {RESTART_ALWAYS, CTCD_STATE_INACTIVE, true, false, false, true, true, false},
        {RESTART_ALWAYS, CTCD_STATE_INACTIVE, true, false, false, false, false,
         false}, /* stopped */
        {RESTART_ON_FAILURE, CTCD_STATE_INACTIVE, true, false, true, true, true, false},
        {RESTART_ALWAYS, CTCD_STATE_UNKNOWN, false, false, true, true, false, false},
        {RESTART_ALWAYS, CTCD_STATE_DEGRADED, false, false, true, true, false, false},
        {RESTART_ALWAYS, CTCD_STATE_ACTIVE, false, false, true, true, false, false},
        {RESTART_ALWAYS, CTCD_STATE_PENDING_STARTUP, false, false, true, true, false, false},
        {RESTART_ALWAYS, CTCD_STATE_PENDING_STARTUP, false, false, true, true, true, true},
        {RESTART_ALWAYS, CTCD_STATE_PENDING_STARTUP, false, false, false, true, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct restart_facts facts = {.policy = cases[i].policy,
                                      .wanted = cases[i].wanted,
                                      .state = cases[i].state,
                                      .final = cases[i].final,
                                      .ended_well = cases[i].ended_well,
                                      .planned = cases[i].planned,
                                      .interrupted = cases[i].interrupted};
        ck_assert_msg(restart_needed(&facts) == cases[i].expected, "case %zu", i);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("restart");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, names);
    tcase_add_test(tests, the_wait_doubles_to_five_minutes);
    tcase_add_test(tests, who_is_restarted);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
