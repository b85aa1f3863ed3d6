/* States of services from facts; see service.h. */
#include "core/service.h"

#include <string.h>

static const char *const state_names[] = {
    [CTCD_STATE_INACTIVE] = "inactive",
    [CTCD_STATE_PENDING_STARTUP] = "pending_startup",
    [CTCD_STATE_ACTIVE] = "active",
    [CTCD_STATE_DEGRADED] = "degraded",
    [CTCD_STATE_PENDING_SHUTDOWN] = "pending_shutdown",
    [CTCD_STATE_ERROR] = "error",
    [CTCD_STATE_UNKNOWN] = "unknown",
};

const char *service_state_name(int state) {
    bool known = state >= CTCD_STATE_INACTIVE && state <= CTCD_STATE_UNKNOWN;
    return state_names[known ? state : CTCD_STATE_UNKNOWN];
}

bool service_state_from_name(const char *name, int *ret_state) {
    for (int state = CTCD_STATE_INACTIVE; name && state <= CTCD_STATE_UNKNOWN; state++) {
        if (strcmp(name, state_names[state]) == 0) {
            *ret_state = state;
            return true;
        }
    }
    return false;
}

bool service_state_running(int state) {
    return state == CTCD_STATE_ACTIVE || state == CTCD_STATE_DEGRADED;
}

int service_state(const struct service_facts *facts) {
    bool live = facts->operation_live;
    if (live && facts->operation == OPERATION_STOPPING)
        return CTCD_STATE_PENDING_SHUTDOWN;
    /* While a revision is replaced the old one serves, and its state is the service's. */
    bool serves = facts->has_revision && service_state_running(facts->observed);
    if (live && facts->operation == OPERATION_STARTING && !serves)
        return CTCD_STATE_PENDING_STARTUP;
    /* What was interrupted came after what failed. */
    bool failed = facts->failed && facts->operation == OPERATION_NONE;
    if (!facts->has_revision)
        return failed ? CTCD_STATE_ERROR : CTCD_STATE_INACTIVE;
    if (facts->observed == CTCD_STATE_INACTIVE && facts->desired == CTCD_STATE_ACTIVE && failed)
        return CTCD_STATE_ERROR; /* its last start failed: we took it down ourselves */
    if (facts->observed == CTCD_STATE_ACTIVE && facts->left && facts->operation == OPERATION_NONE)
        return CTCD_STATE_DEGRADED;
    bool known = facts->observed >= CTCD_STATE_INACTIVE && facts->observed <= CTCD_STATE_UNKNOWN;
    return known ? facts->observed : CTCD_STATE_UNKNOWN;
}
