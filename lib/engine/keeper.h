/* Keeps services: looks every few seconds at those with a restart policy (core/restart.h), plans a restart of
   what has ended, and begins it when it is due. What was planned and counted is in the store, so it survives
   whoever keeps. Driven by the scheduler, of which a home has one. */
#ifndef CTCD_ENGINE_KEEPER_H
#define CTCD_ENGINE_KEEPER_H

#include "engine/op.h"

#define KEEPER_MOST 4 /* restarts side by side: each loads a model */

struct kept {
    char uuid[37];
    ctcd_op *op;
};

/* Zeroed at first. */
struct keeper {
    ctcd_op *look; /* at all kept services */
    struct kept restarts[KEEPER_MOST];
    bool looked;     /* at least once since the beginning */
    bool due;        /* the last look has left something to be begun */
    int64_t next_ms; /* wall clock: when a planned restart is due; INT64_MAX = none */
    int64_t look_at; /* monotonic: when to look again */
};

/* Does what is to be done now. Its children wake op, which is to look again by next_ms and within a second. What
   fails is told as progress and tried again: no schedule and no run has to stop for it. */
void keeper_step(struct keeper *keeper, ctcd_op *op);
/* Nothing is under way or due. What is planned for later, or only watched, does not count. */
bool keeper_idle(const struct keeper *keeper);
/* Stops what is under way, for op->stop. True: all has ended. */
bool keeper_stop(struct keeper *keeper, ctcd_op *op);
void keeper_done(struct keeper *keeper);

#endif
