/* Removing what is not needed any more (<ctcd/house.h>): what the files of gc share.

   Records go first, folders after them: a folder that no record knows is found by the next gc, while a record
   without its files would be shown, and taken for a result, until somebody opens it. A folder without a record is
   never one that is about to get one: runs are recorded before they have a folder; services' folders are looked at
   under the service's lock.

     collect.c           runs and events; what was removed, as objects
     collect_folders.c   folders of runs, services and revisions, copies of models */
#ifndef CTCD_ENGINE_COLLECT_H
#define CTCD_ENGINE_COLLECT_H

#include <ctcd/house.h>

#include "engine/object.h"

struct ctcd_removal {
    struct object object;
    const char *kind; /* static */
    char *name;
    int64_t bytes, count;
};
extern const struct object_kind REMOVAL_KIND;

struct retention {
    bool dry;
    int64_t keep_runs;       /* of each pipeline; < 0 = however many */
    int64_t runs_older_ms;   /* < 0 = whatever their age */
    int64_t events_older_ms; /* < 0 = all stay */
};
int collect(ctcd_context *ctx, const struct retention *retention, ctcd_list **ret,
            ctcd_error **err);

/* ---- among the files of gc ---- */

struct collector {
    ctcd_context *ctx;
    struct store *store;
    bool dry;
    ctcd_list *removed;
};
int collect_add(struct collector *c, const char *kind, const char *name, int64_t bytes,
                int64_t count, ctcd_error **err);
/* Removes it, unless dry, and adds it. What cannot be removed is logged, and stays for the next gc. */
int collect_folder(struct collector *c, const char *kind, const char *name, const char *path,
                   ctcd_error **err);
/* Folders that no record knows. */
int collect_runs_folders(struct collector *c, ctcd_error **err);
int collect_services(struct collector *c, ctcd_error **err);
int collect_models(struct collector *c, ctcd_error **err);

#endif
