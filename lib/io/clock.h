/* Where time comes from: the system, an injected clock, or, in test builds, a file that several
   processes map and a test moves. Only the loop and the context read clocks; everybody else gets "now"
   as an argument. Texts of times: base/time.h. */
#ifndef CTCD_IO_CLOCK_H
#define CTCD_IO_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct clock {
    int64_t (*wall_ms)(void *data); /* milliseconds since 1970-01-01 UTC */
    int64_t (*mono_ms)(void *data); /* never goes back; for deadlines */
    void *data;
    bool held;    /* does not run by itself: a timerfd says nothing about it */
    int moved_fd; /* readable after a held clock was moved by another process; -1 = there is none */
};

/* CLOCK_REALTIME and CLOCK_MONOTONIC. In test builds, where CTCD_TEST_CLOCK names a file of two little
   endian int64 (wall ms, monotonic ms): those two, shared by all processes that map it. */
int clock_open(struct clock *ret, ctcd_error **err);
void clock_close(struct clock *clock); /* harmless on a zeroed or injected one */
void clock_seen(struct clock *clock);  /* empties moved_fd */

int64_t clock_wall(const struct clock *clock);
int64_t clock_mono(const struct clock *clock);

#ifdef CTCD_TEST
/* For tests, and for what they start: makes or overwrites the file; moves both times (by write, so
   that moved_fd of every process becomes readable). false = errno says why. */
bool clock_test_set(const char *path, int64_t wall_ms, int64_t mono_ms);
bool clock_test_advance(const char *path, int64_t ms);
#endif

#endif
