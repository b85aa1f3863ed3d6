/* The time zones that a context knows: read when they are first asked for, read again when their file has
   changed. A zone stays where it is in memory as long as its context, so schedules just point at it. */
#ifndef CTCD_ENGINE_ZONES_H
#define CTCD_ENGINE_ZONES_H

#include "core/schedule.h"
#include "engine/context.h"

/* NOT_FOUND, CORRUPT, INVALID: a zone that is not there is never taken for UTC. One that was there goes on as
   it was while its file is gone or cannot be read. */
int zones_get(ctcd_context *ctx, const char *name, const struct zone **ret, ctcd_error **err);
/* Looks up the zone of a cron schedule, or whether it has changed (at most once a second, by the context's
   clock). Nothing to do for an interval. */
int zones_bind(ctcd_context *ctx, struct schedule_spec *spec, ctcd_error **err);
/* The same, and whether the schedule holds together in its zone: before it was known, nobody could tell. */
int zones_check(ctcd_context *ctx, struct schedule *schedule, ctcd_error **err);
void zones_free(ctcd_context *ctx);

#endif
