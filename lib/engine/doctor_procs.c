/* Processes of the home that belong to nothing any more: servers of services that are gone, of revisions that
   were taken down, of starts before the last one; steps of runs that have ended (doctor.h). A server of this
   generation of a revision that is not ended is never one of them, whatever became of its shim: it is its
   service's, whose next start, stop or delete takes care of it. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "engine/deploy.h"
#include "engine/doctor.h"
#include "engine/run.h"
#include "io/process.h"

#define END_MS 5000 /* what is killed has so long to be gone */
#define END_LOOK_MS 10

/* Whose a marker is: UUID-rN-gM of a server, run-UUID-STEP-ATTEMPT of a step. */
struct owner {
    char uuid[37];
    bool step;
    char name[256]; /* of the step */
    int64_t number; /* of the revision, of the attempt */
    int64_t generation;
};

static bool read_server(const char *marker, struct owner *ret) {
    int used = 0;
    if (strlen(marker) < 37 || sscanf(marker + 36, "-r%" SCNd64 "-g%" SCNd64 "%n", &ret->number,
                                      &ret->generation, &used) != 2)
        return false;
    (void)snprintf(ret->uuid, sizeof ret->uuid, "%.36s", marker);
    return marker[36 + used] == '\0';
}

static bool read_step(const char *marker, struct owner *ret) {
    const char *last = strrchr(marker, '-');
    if (!text_starts(marker, "run-") || strlen(marker) < 43 || marker[40] != '-' ||
        last <= marker + 40 || !text_to_int64(last + 1, &ret->number))
        return false;
    ret->step = true;
    (void)snprintf(ret->uuid, sizeof ret->uuid, "%.36s", marker + 4);
    int n = snprintf(ret->name, sizeof ret->name, "%.*s", (int)(last - marker - 41), marker + 41);
    return n > 0 && (size_t)n < sizeof ret->name;
}

/* NOT_FOUND is an answer here, not an error. */
static int absent(int rc, ctcd_error **err) {
    if (rc != CTCD_E_NOT_FOUND)
        return rc;
    error_done(err);
    return CTCD_NONE;
}

/* *why: static; NULL = it belongs to something. */
static int judge_server(struct doctor *d, const struct owner *owner, const char **why,
                        ctcd_error **err) {
    _cleanup_(store_service_done) struct store_service service = {0};
    _cleanup_(store_revision_done) struct store_revision revision = {0};
    int rc = absent(store_service_get(d->store, owner->uuid, &service, err), err);
    if (rc) {
        *why = "its service is gone";
        return rc == CTCD_NONE ? 0 : rc;
    }
    rc = absent(store_revision_get(d->store, owner->uuid, owner->number, &revision, err), err);
    if (rc == CTCD_NONE)
        *why = "its revision is gone";
    else if (!rc && revision.generation != owner->generation)
        *why = "its revision was started anew since";
    else if (!rc &&
             (revision.state == STORE_REVISION_STOPPED || revision.state == STORE_REVISION_FAILED))
        *why = "its revision was taken down";
    return rc == CTCD_NONE ? 0 : rc;
}

static int judge_step(struct doctor *d, const struct owner *owner, const char **why,
                      ctcd_error **err) {
    _cleanup_(store_run_done) struct store_run run = {0};
    _cleanup_(store_steps_done) struct store_steps steps = {0};
    int rc = absent(store_run_get(d->store, owner->uuid, &run, err), err);
    if (rc) {
        *why = "its run is gone";
        return rc == CTCD_NONE ? 0 : rc;
    }
    rc = store_step_list(d->store, owner->uuid, &steps, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < steps.count; i++) {
        const struct store_step *step = &steps.items[i];
        if (strcmp(step->name, owner->name) == 0 && step->attempt == owner->number &&
            step->status == STORE_STEP_RUNNING)
            return 0;
    }
    *why = "its step has ended";
    return 0;
}

/* Somebody who works at it right now knows better. */
static int judge(struct doctor *d, const char *marker, bool locked, const char **why,
                 ctcd_error **err) {
    struct owner owner = {0};
    bool live = false;
    int rc;
    *why = NULL;
    if (read_step(marker, &owner)) {
        rc = run_live(d->ctx, owner.uuid, &live, err);
        return rc || live ? rc : judge_step(d, &owner, why, err);
    }
    if (!read_server(marker, &owner))
        return 0;
    rc = locked ? 0 : mutation_live(d->ctx, owner.uuid, &live, err);
    return rc || live ? rc : judge_server(d, &owner, why, err);
}

/* ---- killing ---------------------------------------------------------------------------------- */

/* By its shim where there is one: it finds also those that wrote over their environment. */
static int kill_by_shim(const struct child_process *shim, ctcd_error **err) {
    int fd = -1;
    int rc = child_pidfd(shim->dir, shim->generation, &fd, err);
    if (rc)
        return rc == CTCD_NONE ? 0 : rc;
    rc = child_signal(shim->dir, shim->generation, SIGKILL, err);
    struct pollfd end = {.fd = fd, .events = POLLIN};
    if (!rc)
        (void)poll(&end, 1, END_MS);
    (void)close(fd);
    return rc == CTCD_NONE ? 0 : rc;
}

static int kill_all(const char *marker, const struct child_processes *all, ctcd_error **err) {
    int rc = 0;
    for (size_t i = 0; !rc && i < all->count; i++)
        if (all->items[i].dir && strcmp(all->items[i].marker, marker) == 0)
            rc = kill_by_shim(&all->items[i], err);
    size_t left = 1;
    for (int waited = 0; !rc && left && waited < END_MS; waited += END_LOOK_MS) {
        rc = child_kill_marked(marker, &left, err);
        if (!rc && left)
            (void)poll(NULL, 0, END_LOOK_MS);
    }
    if (!rc && left)
        rc = error_set(err, CTCD_E_TIMEOUT, "look at them with ps", "%zu processes do not end",
                       left);
    return rc;
}

/* Under the lock of what they belong to, so that nothing of it begins meanwhile. */
static int end(struct doctor *d, const char *marker, const struct child_processes *all,
               ctcd_error **err) {
    struct owner owner = {0};
    bool step = read_step(marker, &owner);
    if (!step && !read_server(marker, &owner))
        return 0;
    _cleanup_(mem_free_ptr) char *path =
        context_path(d->ctx, step ? "runs" : "services", owner.uuid, "lock", NULL);
    _cleanup_(lockfile_done) struct lockfile *lock = NULL;
    const char *why = NULL;
    if (!path)
        return error_nomem(err);
    int rc = absent(lockfile_try(path, &lock, err), err); /* NONE: its folder is gone, too */
    if (rc == CTCD_AGAIN)
        return error_set(err, CTCD_E_CONFLICT, "try again when it is over",
                         "somebody works at what they belong to");
    if (rc < 0)
        return rc;
    rc = step ? judge_step(d, &owner, &why, err) : judge(d, marker, true, &why, err);
    return rc || !why ? rc : kill_all(marker, all, err);
}

/* ---- telling ---------------------------------------------------------------------------------- */

static bool is_first(const struct child_processes *all, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (strcmp(all->items[i].marker, all->items[at].marker) == 0)
            return false;
    return true;
}

static char *pids_of(const struct child_processes *all, const char *marker) {
    struct buf text = {0};
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].marker, marker) == 0)
            buf_addf(&text, "%s%ld%s", text.len ? ", " : "process ", (long)all->items[i].pid,
                     all->items[i].shim ? " (shim)" : "");
    return buf_steal(&text);
}

static int tell(struct doctor *d, const struct child_processes *all, const char *marker,
                const char *why, ctcd_error **err) {
    struct owner owner = {0};
    ctcd_finding *finding = NULL;
    char *what = read_step(marker, &owner)
                     ? mem_text("step %s of run %s runs on, but %s", owner.name, owner.uuid, why)
                 : read_server(marker, &owner)
                     ? mem_text("a server of revision %" PRId64 " of service %s runs on, but %s",
                                owner.number, owner.uuid, why)
                     : NULL;
    int rc = doctor_add(d, "process", DOCTOR_ERROR, pids_of(all, marker), what,
                        mem_copy_text("ctcd doctor --fix kills it"), &finding);
    if (rc)
        return error_nomem(err);
    finding->fixable = true;
    if (!d->fixes)
        return 0;
    ctcd_error *failed = NULL;
    rc = end(d, marker, all, &failed);
    return doctor_mended(finding, rc, failed, err);
}

static bool has_any(const struct child_processes *all) {
    return all->count > 0;
}

/* Looked at twice: between a list of processes and the record they may have ended as they should. */
int doctor_processes(struct doctor *d, ctcd_error **err) {
    _cleanup_(child_processes_done) struct child_processes all = {0};
    int rc = child_find(d->home, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++) {
        _cleanup_(child_processes_done) struct child_processes again = {0};
        const char *marker = all.items[i].marker, *why = NULL;
        if (!is_first(&all, i))
            continue;
        rc = judge(d, marker, false, &why, err);
        if (rc || !why)
            continue;
        rc = child_find_marked(d->home, marker, &again, err);
        if (!rc && has_any(&again))
            rc = judge(d, marker, false, &why, err);
        if (!rc && why && has_any(&again))
            rc = tell(d, &again, marker, why, err);
    }
    return rc;
}
