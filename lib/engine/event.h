/* Events as objects (<ctcd/event.h>): what the store noted, with its particulars read. */
#ifndef CTCD_ENGINE_EVENT_H
#define CTCD_ENGINE_EVENT_H

#include <ctcd/event.h>

#include "engine/object.h"
#include "store/events.h"

struct ctcd_event {
    struct object object;
    struct store_event record;
    struct json *data; /* an object */
    char *id;          /* its number as a text */
};
extern const struct object_kind EVENT_KIND;

/* service, run: names or NULL. after_id CTCD_EVENT_NEWEST = the newest ones. */
int event_list(ctcd_context *ctx, const char *service, const char *run, int64_t after_id,
               int64_t limit, ctcd_list **ret, ctcd_error **err);
/* As object_format, and "jsonl". */
int event_format(const ctcd_event *event, const char *format, char **ret, ctcd_error **err);

#endif
