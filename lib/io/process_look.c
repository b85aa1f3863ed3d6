/* Asking how a child is, and sending requests to its shim. Nothing is known here but what DIR and the
   kernel's lock table say. Called through io/process.h. */
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/alive.h"
#include "io/json.h"
#include "io/marked.h"

#define EXIT_MAX_BYTES 4096

static void close_fd(int *fd) {
    if (*fd >= 0)
        (void)close(*fd);
}

/* CTCD_NONE: there is none, nothing was ever started in DIR. */
static int open_alive(const char *dir, int flags, int *ret_fd, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = mem_text("%s/%s", dir, ALIVE_NAME);
    if (!path)
        return error_nomem(err);
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0 && errno == ENOENT && !(flags & O_CREAT))
        return CTCD_NONE;
    if (fd < 0)
        return error_system(err, errno, "cannot open %s", path);
    *ret_fd = fd;
    return 0;
}

/* ---- looking ------------------------------------------------------------------------------------- */

/* Is there a record of how this generation ended? An unreadable one is none. */
static int read_exit(const char *dir, int64_t generation, struct child_status *s, bool *ret_found) {
    _cleanup_(mem_free_ptr) char *path = mem_text("%s/%s", dir, EXIT_NAME);
    _cleanup_(json_done) struct json *record = NULL;
    *ret_found = false;
    if (!path)
        return CTCD_E_NOMEM;
    int rc = json_parse_file(path, EXIT_MAX_BYTES, 0, &record, NULL);
    if (rc || json_get_int(record, "generation", 0) != generation)
        return rc == CTCD_E_NOMEM ? rc : 0;
    s->pid = (pid_t)json_get_int(record, "pid", 0);
    s->started_at = json_get_int(record, "started_at", CTCD_TIME_NONE);
    s->ended_at = json_get_int(record, "ended_at", CTCD_TIME_NONE);
    s->exit_status = (int)json_get_int(record, "exit_status", -1);
    s->signal = (int)json_get_int(record, "signal", 0);
    s->core = json_get_bool(record, "core", false);
    s->asked = (int)json_get_int(record, "asked", 0);
    s->os_errno = (int)json_get_int(record, "errno", 0);
    const char *error = json_get_text(record, "error");
    (void)snprintf(s->error, sizeof s->error, "%s", error ? error : "");
    *ret_found = true;
    return 0;
}

/* Record first, lock second, exit.json last: a shim that was gone when we asked for the lock, and whose
   record we had seen, has written exit.json before, or never will. */
static int look(int fd, const char *dir, int64_t generation, struct child_status *s) {
    struct alive alive;
    struct alive_holder holder;
    char boot[ALIVE_BOOT_SIZE];
    bool exited = false;
    int failed = alive_read(fd, &alive);
    if (!failed)
        failed = alive_ask(fd, &holder);
    /* It may have come between the two. */
    if (!failed && holder.held && alive.generation < generation)
        failed = alive_read(fd, &alive);
    if (!failed)
        failed = alive_boot(boot);
    if (failed)
        return failed;
    bool wanted = alive.generation == generation;
    if (wanted && alive.pid) {
        s->pid = (pid_t)alive.pid;
        s->started_at = alive.started_ms;
    }
    if (read_exit(dir, generation, s, &exited) == CTCD_E_NOMEM)
        return ENOMEM;
    if (!holder.generation) /* a lock of unknown length: the record is all there is to go by */
        holder.generation = wanted ? generation : alive.generation < generation ? generation : 0;
    s->newest = alive.generation;
    s->held_by = holder.held ? holder.generation : 0;
    if (holder.held && holder.generation == generation) {
        s->shim = holder.pid;
        s->state = !wanted ? CHILD_STARTING : exited ? CHILD_ENDING : CHILD_RUNNING;
    } else if (exited) {
        s->state = CHILD_ENDED;
    } else if (!wanted) {
        s->state = CHILD_NOT_STARTED;
    } else {
        s->state = strcmp(alive.boot, boot) == 0 ? CHILD_MONITOR_LOST : CHILD_REBOOTED;
        /* Or a newer one has come and gone meanwhile, and exit.json is its own. */
        failed = alive_read(fd, &alive);
        if (!failed && alive.generation != generation)
            s->state = CHILD_NOT_STARTED;
        s->newest = alive.generation;
    }
    return failed;
}

int child_look(const char *dir, int64_t generation, struct child_status *ret, ctcd_error **err) {
    _cleanup_(close_fd) int fd = -1;
    struct child_status s = {.state = CHILD_NOT_STARTED,
                             .exit_status = -1,
                             .started_at = CTCD_TIME_NONE,
                             .ended_at = CTCD_TIME_NONE};
    int rc = open_alive(dir, O_RDONLY, &fd, err);
    if (rc < 0)
        return rc;
    int failed = rc == CTCD_NONE ? 0 : look(fd, dir, generation, &s);
    if (failed)
        return error_system(err, failed, "cannot look into %s", dir);
    *ret = s;
    return 0;
}

const char *child_state_name(enum child_state state) {
    static const char *const names[] = {
        [CHILD_STARTING] = "starting",       [CHILD_RUNNING] = "running",
        [CHILD_ENDING] = "ending",           [CHILD_ENDED] = "ended",
        [CHILD_NOT_STARTED] = "not_started", [CHILD_MONITOR_LOST] = "monitor_lost",
        [CHILD_REBOOTED] = "rebooted",
    };
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

void child_describe_end(const struct child_status *status, char *ret, size_t size) {
    const char *core = status->core ? ", core dumped" : "";
    if (status->os_errno)
        (void)snprintf(ret, size, "could not be run: %s", status->error);
    else if (status->signal) {
        const char *name = sigdescr_np(status->signal);
        (void)snprintf(ret, size, "was killed by signal %d (%s%s)", status->signal,
                       name ? name : "unknown", core);
    } else if (status->exit_status >= 0)
        (void)snprintf(ret, size, "ended with exit status %d", status->exit_status);
    else
        (void)snprintf(ret, size, "ended, nobody saw how");
}

/* ---- reaching the shim --------------------------------------------------------------------------- */

/* A pidfd of the shim of this generation. The lock is asked for before and after: its holder cannot have
   ended in between, so the pid was its own when it was opened. */
static int open_shim(const char *dir, int64_t generation, int *ret_fd, ctcd_error **err) {
    _cleanup_(close_fd) int alive_fd = -1;
    struct alive_holder before, after;
    struct alive alive = {0};
    int rc = open_alive(dir, O_RDONLY, &alive_fd, err);
    if (rc)
        return rc;
    int failed = alive_ask(alive_fd, &before);
    if (!failed && !before.generation)
        failed = alive_read(alive_fd, &alive);
    if (failed)
        return error_system(err, failed, "cannot look into %s", dir);
    if (!before.held || (before.generation ? before.generation : alive.generation) != generation)
        return CTCD_NONE;
    if (before.pid <= 0)
        return error_set(err, CTCD_E_NOT_ALLOWED, "do it where the process runs",
                         "what runs in %s belongs to another container or machine", dir);
    int fd = (int)syscall(SYS_pidfd_open, before.pid, 0);
    if (fd < 0 && errno == ESRCH)
        return CTCD_NONE;
    if (fd < 0)
        return error_system(err, errno, "cannot reach what runs in %s", dir);
    failed = alive_ask(alive_fd, &after);
    if (!failed && after.held && after.pid == before.pid && after.generation == before.generation) {
        *ret_fd = fd;
        return 0;
    }
    (void)close(fd);
    return failed ? error_system(err, failed, "cannot look into %s", dir) : CTCD_NONE;
}

int child_pidfd(const char *dir, int64_t generation, int *ret_fd, ctcd_error **err) {
    return open_shim(dir, generation, ret_fd, err);
}

int child_signal(const char *dir, int64_t generation, int sig, ctcd_error **err) {
    _cleanup_(close_fd) int fd = -1;
    int request = sig == SIGTERM   ? SHIM_ASK_TERM
                  : sig == SIGINT  ? SHIM_ASK_INT
                  : sig == SIGKILL ? SHIM_ASK_KILL
                                   : 0;
    if (!request)
        return error_set(err, CTCD_E_INVALID, NULL, "signal %d cannot be asked for", sig);
    int rc = open_shim(dir, generation, &fd, err);
    if (rc)
        return rc;
    if (syscall(SYS_pidfd_send_signal, fd, request, NULL, 0) == 0)
        return 0;
    return errno == ESRCH ? CTCD_NONE
                          : error_system(err, errno, "cannot signal what runs in %s", dir);
}

/* ---- mutations ----------------------------------------------------------------------------------- */

/* An OFD lock, because a POSIX lock of ours would be dropped by the next look of another thread, which
   closes the same file. It is let go explicitly: a fork in this instant would keep a copy. */
int child_fence(const char *dir, int64_t generation, ctcd_error **err) {
    _cleanup_(close_fd) int fd = -1;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct alive alive;
    int rc = open_alive(dir, O_RDWR | O_CREAT, &fd, err);
    if (rc)
        return rc;
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return CTCD_AGAIN;
        return error_system(err, errno, "cannot lock %s/%s", dir, ALIVE_NAME);
    }
    int failed = alive_read(fd, &alive);
    if (!failed && alive.fence < generation) {
        alive.fence = generation;
        failed = alive_write(fd, &alive);
    }
    lock.l_type = F_UNLCK;
    (void)fcntl(fd, F_OFD_SETLK, &lock);
    return failed ? error_system(err, failed, "cannot write %s/%s", dir, ALIVE_NAME) : 0;
}

int child_kill_marked(const char *marker, size_t *ret_count, ctcd_error **err) {
    if (!marker || !marker[0])
        return error_set(err, CTCD_E_INVALID, NULL, "no marker to look for");
    int failed = marked_signal(marker, 0, SIGKILL, ret_count);
    return failed ? error_system(err, failed, "cannot look through /proc") : 0;
}
