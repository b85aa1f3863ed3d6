/* Exclusive locks on files that stay (open file description locks). Called by the engine around each
   mutation of a service and by the scheduler. */
#include "io/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"

struct lockfile {
    struct list in_open; /* in open_locks while fd is ours */
    int fd;              /* -1 = a forked child: nothing is held */
};

/* All open locks of the process, so that a forked child can close its copies of the descriptors. */
static struct list open_locks = {&open_locks, &open_locks};
static pthread_mutex_t open_locks_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int handlers_failed;

/* Nobody is in the middle of a change to the list when the process is copied. */
static void before_fork(void) {
    (void)pthread_mutex_lock(&open_locks_mutex);
}

static void after_fork_parent(void) {
    (void)pthread_mutex_unlock(&open_locks_mutex);
}

static void after_fork_child(void) {
    struct list *node;
    while ((node = list_pop(&open_locks))) {
        struct lockfile *lock = list_of(node, struct lockfile, in_open);
        (void)close(lock->fd); /* the parent's copy keeps the lock */
        lock->fd = -1;
    }
    (void)pthread_mutex_unlock(&open_locks_mutex);
}

static void register_handlers(void) {
    handlers_failed = pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static int open_regular(const char *path, int flags, int *ret_fd) {
    struct stat st;
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    int failed = fstat(fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    if (failed) {
        (void)close(fd);
        return failed;
    }
    *ret_fd = fd;
    return 0;
}

/* The last holder may have removed the file, and its folder, while we waited for the lock: then the next
   one would lock another file. */
static bool still_there(const char *path, int fd) {
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

/* Opens and locks under the mutex: a fork between the two would leak the descriptor. EAGAIN = held by
   somebody else, or to be tried again. */
static int take(const char *path, struct lockfile *lock) {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)pthread_mutex_lock(&open_locks_mutex);
    int failed = open_regular(path, O_RDWR | O_CREAT, &lock->fd);
    if (!failed && fcntl(lock->fd, F_OFD_SETLK, &all) != 0) {
        failed = errno == EACCES ? EAGAIN : errno;
        (void)close(lock->fd);
    }
    if (!failed && !still_there(path, lock->fd)) {
        failed = EAGAIN;
        (void)close(lock->fd);
    }
    if (!failed)
        list_append(&open_locks, &lock->in_open);
    (void)pthread_mutex_unlock(&open_locks_mutex);
    return failed;
}

int lockfile_try(const char *path, struct lockfile **ret, ctcd_error **err) {
    (void)pthread_once(&once, register_handlers);
    if (handlers_failed)
        return error_system(err, handlers_failed, "cannot prepare locks for fork");
    struct lockfile *lock = mem_alloc(sizeof *lock);
    if (!lock)
        return error_nomem(err);
    list_init(&lock->in_open);
    int failed = take(path, lock);
    if (failed) {
        mem_free(lock);
        return failed == EAGAIN ? CTCD_AGAIN : error_system(err, failed, "cannot lock %s", path);
    }
    *ret = lock;
    return 0;
}

int lockfile_held(const char *path, bool *ret, ctcd_error **err) {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = -1;
    int failed = open_regular(path, O_RDONLY, &fd);
    if (failed == ENOENT) {
        *ret = false;
        return 0;
    }
    if (!failed) {
        failed = fcntl(fd, F_OFD_GETLK, &all) != 0 ? errno : 0;
        (void)close(fd);
    }
    if (failed)
        return error_system(err, failed, "cannot ask for the lock %s", path);
    *ret = all.l_type != F_UNLCK;
    return 0;
}

void lockfile_release(struct lockfile *lock) {
    if (!lock)
        return;
    (void)pthread_mutex_lock(&open_locks_mutex);
    list_remove(&lock->in_open);
    if (lock->fd >= 0)
        (void)close(lock->fd);
    (void)pthread_mutex_unlock(&open_locks_mutex);
    mem_free(lock);
}

void lockfile_done(struct lockfile **lock) {
    lockfile_release(*lock);
    *lock = NULL;
}
