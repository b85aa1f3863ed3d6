/* When is a server that ended started again? Pure. Used by the keeper (engine/keeper.h) and by whoever takes
   a policy.

   The rule is that of Kubernetes' CrashLoopBackOff (Pod Lifecycle, "Container restarts"): the wait doubles
   with each try up to five minutes, and begins anew once the server has served for ten minutes. There it
   begins at ten seconds, after one start without any wait; here at one second. */
#ifndef CTCD_CORE_RESTART_H
#define CTCD_CORE_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define RESTART_FIRST_MS 1000
#define RESTART_MOST_MS 300000
#define RESTART_RESET_MS 600000 /* it has served so long: the next wait is the first one again */

enum restart_policy { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS };

#define RESTART_POLICIES "never, on-failure, always"
const char *restart_policy_name(enum restart_policy policy); /* "on-failure" */
bool restart_policy_from_name(const char *name, enum restart_policy *ret);

/* The wait before the next try, after so many that have not lasted. */
int64_t restart_delay_ms(int64_t tries);

struct restart_facts {
    enum restart_policy policy;
    bool wanted; /* the service is to be active, and a revision of it has served */
    int state;   /* CTCD_STATE_*, as observed */
    bool final;  /* it will not get better by waiting: its server has ended, or only dies again */
    bool ended_well;  /* by itself, with status 0 */
    bool planned;     /* a restart was decided or begun, and has not succeeded yet */
    bool interrupted; /* whoever began an operation on it has died half way */
};
bool restart_needed(const struct restart_facts *facts);

#endif
