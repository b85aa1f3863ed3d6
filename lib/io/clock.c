/* The system's clock, and in test builds one that lies in a file: processes map it, a test moves it
   with write(2), inotify makes moved_fd readable. Called by the context and the loop. */
#include "io/clock.h"

#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t which) {
    struct timespec t;
    if (clock_gettime(which, &t) != 0)
        return 0; /* cannot happen for these two clocks */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall(void *data) {
    (void)data;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(void *data) {
    (void)data;
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall(const struct clock *clock) {
    return clock->wall_ms(clock->data);
}

int64_t clock_mono(const struct clock *clock) {
    return clock->mono_ms(clock->data);
}

#ifdef CTCD_TEST
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

struct held_times {
    int64_t wall, mono; /* little endian */
};

static int64_t held_wall(void *data) {
    const struct held_times *held = data;
    return (int64_t)le64toh((uint64_t)__atomic_load_n(&held->wall, __ATOMIC_ACQUIRE));
}

static int64_t held_mono(void *data) {
    const struct held_times *held = data;
    return (int64_t)le64toh((uint64_t)__atomic_load_n(&held->mono, __ATOMIC_ACQUIRE));
}

static int map_held(const char *path, struct clock *ret, ctcd_error **err) {
    struct held_times probe;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "cannot open the clock %s", path);
    void *held = MAP_FAILED;
    if (pread(fd, &probe, sizeof probe, 0) != (ssize_t)sizeof probe)
        errno = EINVAL; /* shorter than two times: touching the map would be a bus error */
    else
        held = mmap(NULL, sizeof probe, PROT_READ, MAP_SHARED, fd, 0);
    int failed = held == MAP_FAILED ? errno : 0;
    (void)close(fd);
    if (failed)
        return error_system(err, failed, "cannot map the clock %s", path);
    int moved = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (moved < 0 || inotify_add_watch(moved, path, IN_MODIFY) < 0) {
        failed = errno;
        if (moved >= 0)
            (void)close(moved);
        (void)munmap(held, sizeof probe);
        return error_system(err, failed, "cannot watch the clock %s", path);
    }
    *ret = (struct clock){held_wall, held_mono, held, true, moved};
    return 0;
}

bool clock_test_set(const char *path, int64_t wall_ms, int64_t mono_ms) {
    struct held_times held = {(int64_t)htole64((uint64_t)wall_ms),
                              (int64_t)htole64((uint64_t)mono_ms)};
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool done = pwrite(fd, &held, sizeof held, 0) == (ssize_t)sizeof held;
    int failed = errno;
    (void)close(fd);
    errno = failed;
    return done;
}

bool clock_test_advance(const char *path, int64_t ms) {
    struct held_times held;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = pread(fd, &held, sizeof held, 0) == (ssize_t)sizeof held;
    int failed = done ? 0 : errno;
    (void)close(fd);
    errno = failed;
    return done && clock_test_set(path, held_wall(&held) + ms, held_mono(&held) + ms);
}

int clock_open(struct clock *ret, ctcd_error **err) {
    const char *path = getenv("CTCD_TEST_CLOCK");
    if (path && *path)
        return map_held(path, ret, err);
    *ret = (struct clock){system_wall, system_mono, NULL, false, -1};
    return 0;
}

void clock_close(struct clock *clock) {
    if (clock->wall_ms == held_wall) {
        (void)munmap(clock->data, sizeof(struct held_times));
        (void)close(clock->moved_fd);
    }
    memset(clock, 0, sizeof *clock);
    clock->moved_fd = -1;
}

void clock_seen(struct clock *clock) {
    char events[4096];
    while (clock->moved_fd >= 0 && read(clock->moved_fd, events, sizeof events) > 0)
        ;
}
#else
int clock_open(struct clock *ret, ctcd_error **err) {
    (void)err;
    *ret = (struct clock){system_wall, system_mono, NULL, false, -1};
    return 0;
}

void clock_close(struct clock *clock) {
    memset(clock, 0, sizeof *clock);
    clock->moved_fd = -1;
}

void clock_seen(struct clock *clock) {
    (void)clock; /* only held clocks move */
}
#endif
