/* States of services: what was seen of the revision, merged with what the engine knows. */
#include "suite.h"

#include "core/service.h"

START_TEST(whole_service) {
    enum { NO, YES };
    static const struct {
        bool revision;
        int observed;
        bool failed;
        enum service_operation operation;
        bool live;
        int state;
    } table[] = {
        /* nothing yet, first deploy running, interrupted, failed */
        {NO, CTCD_STATE_UNKNOWN, NO, OPERATION_NONE, NO, CTCD_STATE_INACTIVE},
        {NO, CTCD_STATE_UNKNOWN, NO, OPERATION_STARTING, YES, CTCD_STATE_PENDING_STARTUP},
        {NO, CTCD_STATE_UNKNOWN, NO, OPERATION_STARTING, NO, CTCD_STATE_INACTIVE},
        {NO, CTCD_STATE_UNKNOWN, YES, OPERATION_NONE, NO, CTCD_STATE_ERROR},
        {NO, CTCD_STATE_UNKNOWN, YES, OPERATION_STARTING, YES, CTCD_STATE_PENDING_STARTUP},
        {NO, CTCD_STATE_UNKNOWN, YES, OPERATION_STARTING, NO, CTCD_STATE_INACTIVE},
        {NO, CTCD_STATE_ACTIVE, NO, OPERATION_STARTING, NO, CTCD_STATE_INACTIVE},
        /* it serves; a failed replace does not change that */
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_NONE, NO, CTCD_STATE_ACTIVE},
        {YES, CTCD_STATE_ACTIVE, YES, OPERATION_NONE, NO, CTCD_STATE_ACTIVE},
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_STARTING, YES, CTCD_STATE_ACTIVE},
        {YES, CTCD_STATE_DEGRADED, NO, OPERATION_STARTING, YES, CTCD_STATE_DEGRADED},
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_STARTING, NO, CTCD_STATE_ACTIVE},
        /* it does not */
        {YES, CTCD_STATE_ERROR, NO, OPERATION_NONE, NO, CTCD_STATE_ERROR},
        {YES, CTCD_STATE_ERROR, NO, OPERATION_STARTING, YES, CTCD_STATE_PENDING_STARTUP},
        {YES, CTCD_STATE_INACTIVE, NO, OPERATION_STARTING, YES, CTCD_STATE_PENDING_STARTUP},
        {YES, CTCD_STATE_INACTIVE, NO, OPERATION_NONE, NO, CTCD_STATE_INACTIVE},
        {YES, CTCD_STATE_INACTIVE, NO, OPERATION_STARTING, NO, CTCD_STATE_INACTIVE},
        /* its last start failed, and it was taken down; then a later one died */
        {YES, CTCD_STATE_INACTIVE, YES, OPERATION_NONE, NO, CTCD_STATE_ERROR},
        {YES, CTCD_STATE_INACTIVE, YES, OPERATION_STARTING, NO, CTCD_STATE_INACTIVE},
        {YES, CTCD_STATE_UNKNOWN, NO, OPERATION_NONE, NO, CTCD_STATE_UNKNOWN},
        {YES, 0, NO, OPERATION_NONE, NO, CTCD_STATE_UNKNOWN},
        {YES, 99, NO, OPERATION_NONE, NO, CTCD_STATE_UNKNOWN},
        /* going down */
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_STOPPING, YES, CTCD_STATE_PENDING_SHUTDOWN},
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_STOPPING, NO, CTCD_STATE_ACTIVE},
        {YES, CTCD_STATE_ERROR, NO, OPERATION_STOPPING, YES, CTCD_STATE_PENDING_SHUTDOWN},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct service_facts facts = {
            .desired = CTCD_STATE_ACTIVE,
            .has_revision = table[i].revision,
            .observed = table[i].observed,
            .failed = table[i].failed,
            .operation = table[i].operation,
            .operation_live = table[i].live,
        };
        ck_assert_msg(service_state(&facts) == table[i].state, "row %zu: %s", i,
                      service_state_name(service_state(&facts)));
    }
}
END_TEST

START_TEST(what_was_stopped_is_no_error) {
    struct service_facts facts = {.desired = CTCD_STATE_INACTIVE,
                                  .has_revision = true,
                                  .observed = CTCD_STATE_INACTIVE,
                                  .failed = true};
    ck_assert_int_eq(service_state(&facts), CTCD_STATE_INACTIVE);
}
END_TEST

START_TEST(what_was_left_beside_it_degrades) {
    struct service_facts facts = {.desired = CTCD_STATE_ACTIVE,
                                  .has_revision = true,
                                  .observed = CTCD_STATE_ACTIVE,
                                  .failed = true,
                                  .left = true};
    ck_assert_int_eq(service_state(&facts), CTCD_STATE_DEGRADED);
    facts.observed = CTCD_STATE_ERROR;
    ck_assert_int_eq(service_state(&facts), CTCD_STATE_ERROR);
    facts.observed = CTCD_STATE_INACTIVE;
    facts.desired = CTCD_STATE_INACTIVE;
    ck_assert_int_eq(service_state(&facts), CTCD_STATE_INACTIVE);
    facts = (struct service_facts){.desired = CTCD_STATE_ACTIVE,
                                   .has_revision = true,
                                   .observed = CTCD_STATE_ACTIVE,
                                   .left = true,
                                   .operation = OPERATION_STARTING,
                                   .operation_live = true};
    ck_assert_int_eq(service_state(&facts), CTCD_STATE_ACTIVE); /* it takes that one down */
}
END_TEST

START_TEST(names) {
    for (int state = CTCD_STATE_INACTIVE; state <= CTCD_STATE_UNKNOWN; state++) {
        int back = 0;
        ck_assert(service_state_from_name(service_state_name(state), &back));
        ck_assert_int_eq(back, state);
        bool runs = state == CTCD_STATE_ACTIVE || state == CTCD_STATE_DEGRADED;
        ck_assert_int_eq(service_state_running(state), runs);
    }
    int back = 42;
    ck_assert(!service_state_from_name("running", &back) && !service_state_from_name(NULL, &back));
    ck_assert_int_eq(back, 42);
    ck_assert_str_eq(service_state_name(0), "unknown");
    ck_assert_str_eq(service_state_name(-1), "unknown");
    ck_assert_str_eq(service_state_name(8), "unknown");
    ck_assert(!service_state_running(0));
}
END_TEST

SUITE_MAIN("service", whole_service, what_was_stopped_is_no_error, what_was_left_beside_it_degrades,
           names)
