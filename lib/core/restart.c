/* See restart.h. */
#include "core/restart.h"

#include <ctcd/service.h>
#include <string.h>

static const char *const names[] = {
    [RESTART_NEVER] = "never",
    [RESTART_ON_FAILURE] = "on-failure",
    [RESTART_ALWAYS] = "always",
};

const char *restart_policy_name(enum restart_policy policy) {
    return (size_t)policy < sizeof names / sizeof *names ? names[policy] : names[RESTART_NEVER];
}

bool restart_policy_from_name(const char *name, enum restart_policy *ret) {
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum restart_policy)i;
            return true;
        }
    }
    return false;
}

int64_t restart_delay_ms(int64_t tries) {
    int64_t delay = RESTART_FIRST_MS;
    for (; tries > 0 && delay < RESTART_MOST_MS; tries--)
        delay *= 2;
    return delay < RESTART_MOST_MS ? delay : RESTART_MOST_MS;
}

bool restart_needed(const struct restart_facts *facts) {
    if (!facts->wanted || facts->policy == RESTART_NEVER)
        return false;
    /* Whatever a restart that died has left: only the next one can tell whether it is whole. */
    if (facts->planned && facts->interrupted)
        return true;
    bool always = facts->policy == RESTART_ALWAYS || facts->planned;
    if (facts->state == CTCD_STATE_ERROR)
        return facts->final && (always || !facts->ended_well);
    /* After a reboot; or taken down by a restart that failed. */
    return facts->state == CTCD_STATE_INACTIVE && always;
}
