/* Services and looks at them as objects, and the revisions that back ends are shown. Used by every op on
   services and by the API's getters. */
#ifndef CTCD_ENGINE_SERVICE_H
#define CTCD_ENGINE_SERVICE_H

#include <ctcd/service.h>

#include "core/identity.h"
#include "engine/call.h"
#include "engine/object.h"
#include "store/services.h"

struct ctcd_service {
    struct object object;
    struct store_service record;
    char *model_uri; /* of the revision that serves, or of the newest one */
    char *metrics;   /* JSON object of the same */
};
extern const struct object_kind SERVICE_KIND;

struct ctcd_status {
    struct object object;
    ctcd_service *service;
    int state; /* CTCD_STATE_* */
    char *message, *last_error, *log_tail, *next;
    char **names, **values; /* properties of the back end, taken over from the look */
    size_t count;
    int64_t time_ms;
    bool final, ended_well; /* for restarts: what the look said of its server's end */
    int64_t ready_ms;       /* since when the revision has served; CTCD_TIME_NONE = not yet */
};
extern const struct object_kind STATUS_KIND;

int service_load(ctcd_context *ctx, const char *uuid, ctcd_service **ret, ctcd_error **err);
int service_find(ctcd_context *ctx, const char *deployer, const char *pipeline, const char *step,
                 const char *model, ctcd_list **ret, ctcd_error **err);
/* The service of exactly this identity with a revision that was switched to. CTCD_NONE: there is none. */
int service_incumbent(ctcd_context *ctx, const struct identity *identity, ctcd_service **ret,
                      ctcd_error **err);
/* after: as store_service_get(), NULL or "" = from the first. */
int service_find_page(ctcd_context *ctx, struct store_service_query query, ctcd_list **ret,
                      ctcd_error **err);
/* The revision that serves; before the first one does, the newest. CTCD_NONE: it has none. */
int service_revision(struct store *store, const struct store_service *service,
                     struct store_revision *ret, ctcd_error **err);
/* Both take the record's texts; the record is empty afterwards, also on failure. revision: as above, NULL =
   none; service_new reads it. */
int service_with(ctcd_context *ctx, struct store_service *record,
                 const struct store_revision *revision, ctcd_service **ret, ctcd_error **err);
int service_new(ctcd_context *ctx, struct store_service *record, ctcd_service **ret,
                ctcd_error **err);

/* The revision as its back end sees it: folder (who changes something makes it), shim, options by the
   flavor's table. What the back end sets is committed to the store. Release with revision_done. */
int revision_load(ctcd_context *ctx, struct backend *backend, const struct store_revision *record,
                  const char *model, struct ctcd_revision *ret, ctcd_error **err);
/* HOME/services/UUID/rNUMBER; owned; NULL = out of memory. */
char *revision_folder(const ctcd_context *ctx, const char *service, int64_t number);
char *service_folder(const ctcd_context *ctx, const char *service);

/* See ctcd_list_select(). */
int service_select(const ctcd_list *list, uint32_t states, int64_t limit, ctcd_list **ret,
                   ctcd_error **err);

/* Looks at all services of a list side by side: an op whose result is a list of ctcd_status in the same
   order. What cannot be asked in time is unknown. */
int observe_new(ctcd_context *ctx, ctcd_list *services, int64_t timeout_ms, ctcd_op **ret,
                ctcd_error **err);

/* Ops with OP_TEXT. */
int predict_new(ctcd_context *ctx, const char *uuid, const char *input, bool csv,
                int64_t timeout_ms, ctcd_op **ret, ctcd_error **err);
int logs_new(ctcd_context *ctx, const char *uuid, int64_t lines, int64_t timeout_ms, ctcd_op **ret,
             ctcd_error **err);
/* cursor NULL = the last lines. The text is the next cursor, a newline, and what was written. The op ends with
   CTCD_NONE where the service was deleted. */
int logs_since_new(ctcd_context *ctx, const char *uuid, const char *cursor, int64_t lines,
                   int64_t timeout_ms, ctcd_op **ret, ctcd_error **err);

#endif
