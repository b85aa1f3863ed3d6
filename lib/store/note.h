/* Events of what this folder changes, written in the transaction of the change itself: whoever changes a
   record, and however it ends, its event is there exactly when the change is. For the files beside this one. */
#ifndef CTCD_STORE_NOTE_H
#define CTCD_STORE_NOTE_H

#include "store/store.h"

/* Kinds are words of the public interface: ctcd_event_kind() lists them. message: one line, without the
   subject's name; NULL is "". Nothing is noted where the subject is not there. */

/* step NULL = of the run as a whole. run: UUID. */
int note_run(struct store *store, const char *run, const char *step, const char *kind,
             const char *message, int64_t at_ms, ctcd_error **err);
/* The decision of a step: reasons is the JSON text of a decision's record. */
int note_decision(struct store *store, const char *run, const char *step, const char *verdict,
                  const char *reasons, int64_t at_ms, ctcd_error **err);
/* revision 0 = of the service as a whole. */
int note_service(struct store *store, const char *service, int64_t revision, const char *kind,
                 const char *message, int64_t at_ms, ctcd_error **err);
/* Of each run of the schedule that nobody has begun. */
int note_schedule_runs(struct store *store, int64_t schedule, const char *kind, const char *message,
                       int64_t at_ms, ctcd_error **err);
int note_schedule(struct store *store, int64_t schedule, const char *kind, int64_t at_ms,
                  ctcd_error **err);

/* Fires that were dropped for one reason, from the first to the last nominal time. */
struct store_drop;
int note_drops(struct store *store, int64_t schedule, const struct store_drop *drops, size_t count,
               ctcd_error **err);

#endif
