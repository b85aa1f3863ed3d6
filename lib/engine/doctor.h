/* Examining a home (<ctcd/house.h>): what the files of the doctor share. Each looks at one thing, adds what
   it finds, and, where that is asked for, mends it at once: what comes later sees it mended.

     doctor.c        the order, the store, the disk
     doctor_files.c  permissions
     doctor_work.c   operations and runs that died
     doctor_procs.c  processes that belong to nothing
     doctor_world.c  ports of others, programs */
#ifndef CTCD_ENGINE_DOCTOR_H
#define CTCD_ENGINE_DOCTOR_H

#include <ctcd/house.h>

#include "engine/object.h"

struct ctcd_finding {
    struct object object;
    const char *kind, *severity; /* static */
    char *where, *message, *next;
    bool fixable, fixed;
};
extern const struct object_kind FINDING_KIND;

struct doctor {
    ctcd_context *ctx;
    struct store *store; /* NULL until it is open */
    ctcd_list *found;
    char *home;
    bool fixes;
    int64_t timeout_ms;
};

#define DOCTOR_ERROR "error"
#define DOCTOR_WARNING "warning"

int doctor_examine(ctcd_context *ctx, uint32_t flags, int64_t timeout_ms, ctcd_list **ret,
                   ctcd_error **err);
/* What so much free space comes to: DOCTOR_ERROR, DOCTOR_WARNING, or NULL = enough. */
const char *doctor_space(uint64_t free_bytes);

/* ---- among the files of the doctor ---- */

/* Owns the texts, also on failure; one that is NULL is out of memory. *ret (may be NULL) is borrowed. */
int doctor_add(struct doctor *d, const char *kind, const char *severity, char *where, char *message,
               char *next, ctcd_finding **ret);
/* What became of mending it: rc, and why (taken over). Only a lack of memory is a failure. */
int doctor_mended(ctcd_finding *finding, int rc, ctcd_error *why, ctcd_error **err);

/* Before the store is opened: home and store. Afterwards: what is in it. */
int doctor_outer_files(struct doctor *d, ctcd_error **err);
int doctor_inner_files(struct doctor *d, ctcd_error **err);
int doctor_operations(struct doctor *d, ctcd_error **err);
int doctor_runs(struct doctor *d, ctcd_error **err);
int doctor_processes(struct doctor *d, ctcd_error **err);
int doctor_ports(struct doctor *d, ctcd_error **err);
int doctor_programs(struct doctor *d, ctcd_error **err);

#endif
