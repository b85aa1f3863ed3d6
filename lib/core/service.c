/* States of services from facts; see service.h. The table of a child under its shim is written as one
   condition per row. */
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

static struct child_state seen(int state, enum child_note note) {
    return (struct child_state){.state = state, .note = note};
}

/* The main child runs as far as anybody knows. A server that has its listening descriptor from us lets
   the first probe wait until it has loaded: before the first ready, silence is a start, not a fault. */
static struct child_state probed_state(const struct child_facts *facts) {
    if (facts->probe == PROBE_READY)
        return seen(CTCD_STATE_ACTIVE, CHILD_RUNNING);
    if (!facts->was_ready)
        return seen(CTCD_STATE_PENDING_STARTUP, CHILD_STARTING);
    switch (facts->probe) {
    case PROBE_NOT_READY:
        return seen(CTCD_STATE_DEGRADED, CHILD_RUNNING);
    case PROBE_REFUSED:
        return seen(CTCD_STATE_ERROR, CHILD_RUNNING);
    default: /* silent, or not asked */
        return seen(CTCD_STATE_UNKNOWN, CHILD_RUNNING);
    }
}

struct child_state service_child_state(int desired, const struct child_facts *facts) {
    bool stop_wanted = desired == CTCD_STATE_INACTIVE;
    bool wanted = facts->record == CHILD_RECORD_WANTED;
    if (facts->lock_held) {
        if (facts->record == CHILD_RECORD_NONE)
            return seen(CTCD_STATE_PENDING_STARTUP, CHILD_STARTING);
        if (facts->exit_recorded)
            return seen(stop_wanted ? CTCD_STATE_PENDING_SHUTDOWN : CTCD_STATE_ERROR, CHILD_ENDING);
        if (stop_wanted)
            return seen(CTCD_STATE_PENDING_SHUTDOWN, CHILD_RUNNING);
        return probed_state(facts);
    }
    if (facts->record == CHILD_RECORD_NONE)
        return seen(CTCD_STATE_INACTIVE, CHILD_NOT_STARTED);
    if (facts->exit_recorded)
        return seen(stop_wanted ? CTCD_STATE_INACTIVE : CTCD_STATE_ERROR, CHILD_ENDED);
    if (wanted)
        return seen(CTCD_STATE_ERROR, CHILD_MONITOR_LOST);
    return seen(CTCD_STATE_INACTIVE, CHILD_REBOOTED);
}

const char *child_note_text(enum child_note note) {
    static const char *const texts[] = {
        [CHILD_RUNNING] = "running",
        [CHILD_STARTING] = "starting",
        [CHILD_ENDING] = "ending",
        [CHILD_NOT_STARTED] = "not started",
        [CHILD_ENDED] = "ended",
        [CHILD_MONITOR_LOST] = "monitor lost",
        [CHILD_REBOOTED] = "ended by a reboot",
    };
    return (unsigned)note < sizeof texts / sizeof texts[0] ? texts[note] : "";
}

int service_state(const struct service_facts *facts) {
    bool live = facts->operation_live;
    if (live && facts->operation == OPERATION_STOPPING)
        return CTCD_STATE_PENDING_SHUTDOWN;
    /* While a revision is replaced the old one serves, and its state is the service's. */
    bool serves = facts->has_revision && service_state_running(facts->observed);
    if (live && facts->operation == OPERATION_STARTING && !serves)
        return CTCD_STATE_PENDING_STARTUP;
    if (!facts->has_revision)
        return facts->failed ? CTCD_STATE_ERROR : CTCD_STATE_INACTIVE;
    bool known = facts->observed >= CTCD_STATE_INACTIVE && facts->observed <= CTCD_STATE_UNKNOWN;
    return known ? facts->observed : CTCD_STATE_UNKNOWN;
}
