/* What may be forgotten: ended runs beyond a retention, old events; and what must stay because something else
   names it. Called by engine/collect.c. */
#ifndef CTCD_STORE_RETENTION_H
#define CTCD_STORE_RETENTION_H

#include "store/store.h"

struct store_old_run {
    char *uuid, *name;
};
struct store_old_runs {
    struct store_old_run *items;
    size_t count;
};
void store_old_runs_done(struct store_old_runs *list); /* for _cleanup_ */

/* Runs that ended before this instant and are not among the newest `keep` ended ones of their pipeline (keep < 0:
   however many), by UUID. But not the one that a live revision (below) is of, whose metrics are the baseline of
   the next decision; and not one whose results a run of its pipeline that is under way may take over. */
int store_retention_runs(struct store *store, int64_t keep, int64_t before_ms,
                         struct store_old_runs *ret, ctcd_error **err);

/* Texts that name files: artifacts, each with the run that has it; and of live revisions (those that serve, that
   are started again after a stop, or that are not ended) model and memo, with run "". */
struct store_use {
    char *run, *text;
};
struct store_uses {
    struct store_use *items;
    size_t count;
};
void store_uses_done(struct store_uses *list); /* for _cleanup_ */
int store_retention_artifacts(struct store *store, struct store_uses *ret, ctcd_error **err);
int store_retention_revisions(struct store *store, struct store_uses *ret, ctcd_error **err);

/* With its steps, artifacts and decisions; its events stay. CTCD_NONE: it is gone, or has not ended. */
int store_run_remove(struct store *store, const char *uuid, ctcd_error **err);
/* By its whole UUID. */
int store_has_run(struct store *store, const char *uuid, bool *ret, ctcd_error **err);
/* Events of before this instant. dry: only counts them. */
int store_retention_events(struct store *store, int64_t before_ms, bool dry, int64_t *ret_count,
                           ctcd_error **err);

#endif
