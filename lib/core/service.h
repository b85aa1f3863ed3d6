/* In which state is a service? Pure: facts in, CTCD_STATE_* out. */
#ifndef CTCD_CORE_SERVICE_H
#define CTCD_CORE_SERVICE_H

#include <ctcd/service.h>
#include <stdbool.h>

const char *service_state_name(int state); /* "pending_startup"; "unknown" for what is none */
bool service_state_from_name(const char *name, int *ret_state);
bool service_state_running(int state); /* active or degraded */

/* What is seen of a child under its shim: lock, start record, end record, and what it answers. */
enum child_record {
    CHILD_RECORD_NONE,   /* no start record, or of an older generation */
    CHILD_RECORD_WANTED, /* of this generation, written since this boot */
    CHILD_RECORD_OTHER_BOOT,
};
enum child_probe {
    PROBE_NOT_ASKED,
    PROBE_READY,
    PROBE_NOT_READY, /* answers, but not that it is ready */
    PROBE_REFUSED,   /* nobody listens, or the connection is cut */
    PROBE_SILENT,    /* no answer in time */
};
struct child_facts {
    bool lock_held;
    enum child_record record;
    bool exit_recorded; /* how this generation ended is known */
    bool was_ready;     /* this generation has been ready before */
    enum child_probe probe;
};
enum child_note {
    CHILD_RUNNING,
    CHILD_STARTING,
    CHILD_ENDING,       /* the main child ended, the rest is being killed */
    CHILD_NOT_STARTED,  /* an operation was interrupted, or none was begun */
    CHILD_ENDED,        /* with cause, in the end record */
    CHILD_MONITOR_LOST, /* its shim was killed: processes may be left */
    CHILD_REBOOTED,
};
struct child_state {
    int state; /* CTCD_STATE_* */
    enum child_note note;
};
/* desired: CTCD_STATE_ACTIVE or CTCD_STATE_INACTIVE. */
struct child_state service_child_state(int desired, const struct child_facts *facts);
const char *child_note_text(enum child_note note); /* "monitor lost", for messages */

/* What the engine knows of a service besides its back end's look. */
enum service_operation { OPERATION_NONE, OPERATION_STARTING, OPERATION_STOPPING };
struct service_facts {
    int desired;
    bool has_revision; /* a revision serves, or did when it was last seen */
    int observed;      /* back end's word about it; CTCD_STATE_UNKNOWN = could not be asked */
    bool failed;       /* the last change failed (matters without a revision only) */
    enum service_operation operation;
    bool operation_live; /* somebody holds its lock; else it was interrupted */
};
int service_state(const struct service_facts *facts);

#endif
