/* Schedules as objects, and the op that fires stored ones. */
#ifndef CTCD_ENGINE_SCHEDULE_H
#define CTCD_ENGINE_SCHEDULE_H

#include <ctcd/schedule.h>

#include "core/schedule.h"
#include "engine/object.h"
#include "engine/op.h"
#include "store/schedules.h"

struct ctcd_schedule {
    struct object object;
    struct schedule spec;
    struct store_schedule record; /* uuid NULL = not stored */
    int64_t runs, drops;          /* when it was read */
    bool detailed;                /* `dropped` was read, too */
    struct store_drops dropped;   /* newest first */
};
extern const struct object_kind SCHEDULE_KIND;

int schedule_new(ctcd_context *ctx, const struct schedule *spec, ctcd_schedule **ret,
                 ctcd_error **err);
int schedule_create(ctcd_schedule *schedule, ctcd_pipeline *pipeline, const char *name,
                    ctcd_error **err);
int schedule_get(ctcd_context *ctx, const char *name, ctcd_schedule **ret, ctcd_error **err);
int schedule_list(ctcd_context *ctx, ctcd_list **ret, ctcd_error **err);
int schedule_delete(ctcd_schedule *schedule, ctcd_error **err);
/* Makes it a cron schedule. zone and dialect NULL = UTC, vixie. The zone is still to be looked up: zones.h. */
int schedule_cron_set(struct schedule_spec *spec, const char *text, const char *zone,
                      const char *dialect, uint32_t fields, ctcd_error **err);
/* As kept in the store; a cron schedule's zone is still to be looked up. */
int schedule_from_json(const char *text, struct schedule *ret, ctcd_error **err);
char *schedule_to_json(const struct schedule *schedule);
/* The nominal time before this one of a stored schedule; *ret untouched where there is none. */
int schedule_previous(ctcd_context *ctx, int64_t id, int64_t nominal_ms, int64_t *ret,
                      ctcd_error **err);

int scheduler_new(ctcd_context *ctx, uint32_t flags, ctcd_op **ret, ctcd_error **err);

#endif
