/* Rotation of a child's log. Called by the shim, see rotate.h. */
#include "io/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES 65536

static bool is_ours(const struct rotate *r, const struct stat *st) {
    return S_ISREG(st->st_mode) && st->st_dev == r->device && st->st_ino == r->inode;
}

void rotate_begin(struct rotate *r, int dir, int log, int64_t limit) {
    struct stat st, named;
    *r = (struct rotate){.dir = -1, .limit = limit, .seen = -1};
    if (limit <= 0 || fstat(log, &st) != 0 ||
        fstatat(dir, ROTATE_LOG, &named, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    r->device = st.st_dev;
    r->inode = st.st_ino;
    if (!is_ours(r, &named))
        return;
    r->dir = dir;
    (void)unlinkat(dir, ROTATE_NEW, 0); /* of a rotation that was killed */
}

/* ---- copying ----------------------------------------------------------------------------------- */

static int write_all(int to, const char *bytes, size_t size) {
    while (size) {
        ssize_t n = write(to, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : ENOSPC;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

/* [*at, end), or what there is of it. */
static int copy(int from, int to, int64_t *at, int64_t end) {
    char bytes[COPY_BYTES];
    while (*at < end) {
        size_t size = end - *at < COPY_BYTES ? (size_t)(end - *at) : COPY_BYTES;
        ssize_t n = pread(from, bytes, size, *at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        int failed = write_all(to, bytes, (size_t)n);
        if (failed)
            return failed;
        *at += n;
    }
    return 0;
}

/* Where the copy begins: at the beginning, or, where that is too long ago, with the first line of what is
   kept, after a line that says so. */
static int begin_copy(const struct rotate *r, int from, int to, int64_t size, int64_t *ret_at) {
    char bytes[COPY_BYTES], line[128];
    *ret_at = 0;
    if (size <= 2 * r->limit)
        return 0;
    *ret_at = size - r->limit;
    ssize_t n = pread(from, bytes, r->limit < COPY_BYTES ? (size_t)r->limit : COPY_BYTES, *ret_at);
    const char *newline = n > 0 ? memchr(bytes, '\n', (size_t)n) : NULL;
    if (newline)
        *ret_at += newline + 1 - bytes;
    int len = snprintf(line, sizeof line, ROTATE_DROPPED, (long long)*ret_at);
    return write_all(to, line, (size_t)len);
}

/* ---- rotating ---------------------------------------------------------------------------------- */

/* Takes [0, at) out of the log, which the copy holds. What came meanwhile stays, or is copied, too. */
static int shorten(const struct rotate *r, int from, int to, int64_t at) {
    if (at > 0 && fallocate(from, FALLOC_FL_COLLAPSE_RANGE, 0, at) == 0)
        return 0;
    int failed = copy(from, to, &at, at + r->limit);
    if (!failed && fdatasync(to) != 0)
        failed = errno;
    if (!failed && ftruncate(from, 0) != 0)
        failed = errno;
    return failed;
}

static int copy_and_shorten(const struct rotate *r, int from, int to) {
    struct stat st;
    int64_t at;
    if (fstat(from, &st) != 0)
        return errno;
    if (!is_ours(r, &st))
        return ENOENT;
    /* Whole blocks, and never up to the end: so it can be taken out at the front. */
    int64_t block = st.st_blksize > 0 ? st.st_blksize : 4096;
    int64_t end = (st.st_size - 1) / block * block;
    int failed = begin_copy(r, from, to, st.st_size, &at);
    if (!failed)
        failed = copy(from, to, &at, end);
    if (!failed && fdatasync(to) != 0)
        failed = errno;
    if (!failed && renameat(r->dir, ROTATE_NEW, r->dir, ROTATE_OLD) != 0)
        failed = errno;
    return failed ? failed : shorten(r, from, to, at);
}

static int rotate(const struct rotate *r) {
    int from = openat(r->dir, ROTATE_LOG, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int to = openat(r->dir, ROTATE_NEW,
                    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failed = from < 0 || to < 0 ? errno : copy_and_shorten(r, from, to);
    if (failed)
        (void)unlinkat(r->dir, ROTATE_NEW, 0);
    if (from >= 0)
        (void)close(from);
    if (to >= 0)
        (void)close(to);
    return failed;
}

/* False = it is not there any more, or another one. */
static bool look(const struct rotate *r, struct stat *ret) {
    return fstatat(r->dir, ROTATE_LOG, ret, AT_SYMLINK_NOFOLLOW) == 0 && is_ours(r, ret);
}

int64_t rotate_look(struct rotate *r) {
    struct stat st;
    if (r->dir < 0 || !look(r, &st))
        return -1;
    /* By blocks, too: one that does not append leaves a hole where we have truncated, again and again. */
    if (st.st_size > r->limit && (int64_t)st.st_blocks * 512 > r->limit) {
        if (rotate(r) != 0)
            return ROTATE_RETRY_MS;
        r->seen = -1;
        return ROTATE_LOOK_MS;
    }
    if (st.st_size == r->seen && fcntl(r->dir, F_NOTIFY, DN_MODIFY) != 0)
        return ROTATE_SLOW_MS;
    /* Asked again, as it may have grown before the kernel was asked to tell. */
    if (st.st_size == r->seen && look(r, &st) && st.st_size == r->seen)
        return -1;
    r->seen = st.st_size;
    return ROTATE_LOOK_MS;
}
