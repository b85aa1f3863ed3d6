/* What happened, in order, for people and for `--follow`. */
#ifndef CTCD_STORE_EVENTS_H
#define CTCD_STORE_EVENTS_H

#include "store/store.h"

struct store_event {
    int64_t id; /* grows; never used again */
    int64_t at_ms;
    char *subject_kind; /* "service", "run", "schedule", ... */
    char *subject;      /* its UUID or name */
    char *kind;         /* "deployed", "failed", ... */
    char *message;      /* one line for a person */
    char *data;         /* JSON object */
};
struct store_events {
    struct store_event *items;
    size_t count;
};

void store_event_done(struct store_event *event);
void store_events_done(struct store_events *list);

int store_event_add(struct store *store, const struct store_event *event, ctcd_error **err);
struct store_event_query {
    bool newest;               /* the newest `limit` of them, else the first after after_id */
    int64_t after_id;          /* only greater ids */
    const char *service, *run; /* UUIDs; NULL = any. Of a run: what its deploy steps did, too */
    int64_t limit;             /* 0 = no limit */
};
/* Oldest first, in either case. */
int store_event_query(struct store *store, const struct store_event_query *query,
                      struct store_events *ret, ctcd_error **err);
/* The UUID of the service that `name` (a UUID, or 4 or more digits of it) names in the events: it may be
   gone itself. As store_service_get() else. */
int store_event_service(struct store *store, const char *name, char ret_uuid[37], ctcd_error **err);
/* Those with an id greater than after_id, oldest first; subject_kind, subject NULL = any; limit 0 = no
   limit. */
int store_event_list(struct store *store, int64_t after_id, const char *subject_kind,
                     const char *subject, int64_t limit, struct store_events *ret,
                     ctcd_error **err);

#endif
