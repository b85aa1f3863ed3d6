/* remove: afterwards nothing of the revision runs, and nothing of it starts any more. First the server is
   asked to end, which answers what it has begun; what is left when the time is over is killed. */
#include <signal.h>
#include <unistd.h>

#include "deployers/mlflow/backend.h"
#include "io/process.h"

#define DRAIN_MS 30000   /* for open requests */
#define MARGIN_MS 2000   /* of the deadline is kept for killing */
#define AGAIN_MS 10      /* until somebody who holds the lock for a moment has gone */
#define KILL_LOOK_MS 500 /* between looks at what dies */

struct stop {
    int64_t generation; /* that was signalled, 0 = none yet */
    int64_t kill_at;
    bool killed;
    bool watches;
    int end_fd;
};

static void stop_done(void *memory) {
    struct stop *stop = memory;
    if (stop->watches)
        (void)close(stop->end_fd);
    stop->watches = false;
}

static int again(ctcd_call *call, int64_t ms) {
    int rc = ctcd_call_wait_until(call, ctcd_call_now(call) + ms);
    return rc ? rc : CTCD_AGAIN;
}

/* TERM once, KILL once when the time is over; then wait for the shim's end. */
static int end_it(struct stop *stop, ctcd_call *call, const char *dir, int64_t generation,
                  uint32_t flags, ctcd_error **err) {
    int64_t now = ctcd_call_now(call);
    int rc = 0;
    if (stop->generation != generation) {
        int64_t latest = ctcd_call_deadline(call) - MARGIN_MS;
        stop_done(stop);
        stop->generation = generation;
        stop->killed = false;
        stop->kill_at = now + DRAIN_MS < latest ? now + DRAIN_MS : latest;
        if (flags & CTCD_REMOVE_FORCE)
            stop->kill_at = now;
        else
            rc = child_signal(dir, generation, SIGTERM, err);
    }
    if (!rc && !stop->killed && now >= stop->kill_at) {
        stop->killed = true;
        rc = child_signal(dir, generation, SIGKILL, err);
    }
    if (!rc && !stop->watches) {
        rc = child_pidfd(dir, generation, &stop->end_fd, err);
        stop->watches = rc == 0;
    }
    if (rc == CTCD_NONE) /* it has just ended */
        return again(call, 0);
    if (!rc)
        rc = ctcd_call_wait_fd(call, stop->end_fd, CTCD_EVENT_IN);
    if (!rc)
        rc = ctcd_call_wait_until(call, stop->killed ? now + KILL_LOOK_MS : stop->kill_at);
    ctcd_call_progress(call, stop->killed ? "killing its server"
                                          : "waiting for its server to finish open requests");
    return rc ? rc : CTCD_AGAIN;
}

/* Its shim was killed: what it watched is found by its marker. */
static int clear(ctcd_call *call, const ctcd_revision *revision, int64_t generation,
                 ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *marker = mlflow_marker(revision, generation);
    size_t left = 0;
    if (!marker)
        return error_nomem(err);
    int rc = child_kill_marked(marker, &left, err);
    if (rc)
        return rc;
    if (left)
        return again(call, AGAIN_MS);
    if (generation == ctcd_revision_generation(revision))
        mlflow_note(revision, NOTE_CLEARED);
    return 0;
}

static int step(struct stop *stop, ctcd_call *call, const ctcd_revision *revision, uint32_t flags,
                ctcd_error **err) {
    const char *dir = ctcd_revision_folder(revision);
    int64_t generation = ctcd_revision_generation(revision);
    struct child_status child;
    /* From here on no start that is on its way can succeed. */
    int rc = child_fence(dir, generation + 1, err);
    bool held = rc == CTCD_AGAIN;
    if (!rc || held)
        rc = child_look(dir, generation, &child, err);
    if (!rc && child.newest != generation && !child.held_by) {
        generation = child.newest;
        if (!generation && !held)
            return 0; /* nothing was ever started here */
        rc = child_look(dir, generation, &child, err);
    }
    if (rc)
        return rc;
    if (child.held_by)
        return end_it(stop, call, dir, child.held_by, flags, err);
    if (held) /* by somebody who fences, or it has ended meanwhile */
        return again(call, AGAIN_MS);
    if (generation && child.state == CHILD_MONITOR_LOST)
        return clear(call, revision, generation, err);
    return 0;
}

int mlflow_remove(void *impl, ctcd_call *call, const ctcd_revision *revision, uint32_t flags) {
    (void)impl;
    _cleanup_(error_done) ctcd_error *err = NULL;
    struct stop *stop = NULL;
    int rc = ctcd_call_scratch(call, sizeof *stop, stop_done, (void **)&stop);
    if (!rc)
        rc = step(stop, call, revision, flags, &err);
    return rc < 0 ? mlflow_fail(call, rc, &err) : rc;
}
