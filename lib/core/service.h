/* In which state is a service? Pure: facts in, CTCD_STATE_* out. */
#ifndef CTCD_CORE_SERVICE_H
#define CTCD_CORE_SERVICE_H

#include <ctcd/service.h>
#include <stdbool.h>

const char *service_state_name(int state); /* "pending_startup"; "unknown" for what is none */
bool service_state_from_name(const char *name, int *ret_state);
bool service_state_running(int state); /* active or degraded */

/* What the engine knows of a service besides its back end's look. */
enum service_operation { OPERATION_NONE, OPERATION_STARTING, OPERATION_STOPPING };
struct service_facts {
    int desired;
    bool has_revision; /* a revision serves, or did when it was last seen */
    int observed;      /* back end's word about it; CTCD_STATE_UNKNOWN = could not be asked */
    bool failed;       /* the last change failed */
    enum service_operation operation;
    bool operation_live; /* somebody holds its lock; else it was interrupted */
    bool left; /* a revision that failed still runs beside it, as was asked for (on_failure) */
};
int service_state(const struct service_facts *facts);

#endif
