/* Stored schedules and the fires that were dropped. Claiming a fire is store_fire_claim() in runs.h. */
#ifndef CTCD_STORE_SCHEDULES_H
#define CTCD_STORE_SCHEDULES_H

#include "store/store.h"

struct store_schedule {
    int64_t id; /* never used again */
    char *uuid, *name;
    char *pipeline, *digest; /* of store_pipeline */
    char *spec;              /* JSON */
    char *params;            /* JSON object: parameters of its runs */
    int64_t created_ms;
    int64_t last_processed_ms; /* high-water mark: nominal times up to it are decided */
    bool paused;
    char *pause_note;
    bool ended; /* no fire can come any more */
};
struct store_schedules {
    struct store_schedule *items;
    size_t count;
};

void store_schedule_done(struct store_schedule *schedule);
void store_schedules_done(struct store_schedules *list);

/* id is given by the store. EXISTS: the name is taken. NOT_FOUND: no such pipeline and digest. */
int store_schedule_add(struct store *store, const struct store_schedule *schedule, int64_t *ret_id,
                       ctcd_error **err);
int store_schedule_get(struct store *store, const char *name, struct store_schedule *ret,
                       ctcd_error **err);
int store_schedule_get_id(struct store *store, int64_t id, struct store_schedule *ret,
                          ctcd_error **err);
int store_schedule_list(struct store *store, struct store_schedules *ret,
                        ctcd_error **err); /* by name */
int store_schedule_pause(struct store *store, int64_t id, bool paused, const char *note,
                         ctcd_error **err);
/* No fire can come any more. Moves nothing else. */
int store_schedule_end(struct store *store, int64_t id, ctcd_error **err);
/* Runs stay, those that nobody has begun are canceled; its drops go. */
int store_schedule_delete(struct store *store, int64_t id, int64_t now_ms, ctcd_error **err);

struct store_drop {
    int64_t nominal_ms;
    int64_t last_ms,
        count; /* of a row of neighbours that stands for all of them; else nominal_ms and 1 */
    int64_t at_ms;
    char *reason;
};
struct store_drops {
    struct store_drop *items;
    size_t count;
};

void store_drops_done(struct store_drops *list);
/* Newest first. */
int store_drop_list(struct store *store, int64_t schedule_id, int64_t limit, int64_t offset,
                    struct store_drops *ret, ctcd_error **err);
/* How many runs and dropped fires the schedule has had. */
int store_schedule_count(struct store *store, int64_t id, int64_t *ret_runs, int64_t *ret_drops,
                         ctcd_error **err);

#endif
