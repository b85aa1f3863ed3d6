/* Single files and folders. Called by store, engine and back ends; trees are in tree.c, logs in log.c,
   questions in file_ask.c. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/random.h"

/* Opens for reading without ever blocking. *ret_fd is -1 on failure. */
static int open_regular(const char *path, uint32_t flags, int *ret_fd, struct stat *ret_stat,
                        ctcd_error **err) {
    int follow = flags & FILE_NO_FOLLOW ? O_NOFOLLOW : 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow);
    if (fd < 0 && errno == ELOOP && follow)
        return error_set(err, CTCD_E_NOT_ALLOWED, NULL, "%s is a symbolic link", path);
    if (fd < 0)
        return error_system(err, errno, "cannot open %s", path);
    int rc = 0;
    if (fstat(fd, ret_stat) != 0)
        rc = error_system(err, errno, "cannot look at %s", path);
    else if (!S_ISREG(ret_stat->st_mode))
        rc = error_set(err, CTCD_E_INVALID, NULL, "%s is %s", path,
                       S_ISDIR(ret_stat->st_mode) ? "a folder" : "no regular file");
    if (rc)
        (void)close(fd);
    else
        *ret_fd = fd;
    return rc;
}

/* Up to room bytes; fewer only at the end of the file. -1 = errno. */
static ssize_t read_fully(int fd, char *to, size_t room) {
    size_t used = 0;
    while (used < room) {
        ssize_t got = read(fd, to + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

/* Reads until the end: the size of files under /proc is 0, and a log grows while it is read. */
static int read_to_end(int fd, const char *path, size_t expected, size_t limit, char **ret_text,
                       size_t *ret_len, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *text = NULL;
    size_t len = 0;
    size_t room = (expected < limit ? expected : limit) + 1;
    if (room < 512 && limit >= 512)
        room = 512;
    for (;;) {
        char *bigger = mem_resize(text, room + 1, 1);
        if (!bigger)
            return error_nomem(err);
        text = bigger;
        ssize_t got = read_fully(fd, text + len, room - len);
        if (got < 0)
            return error_system(err, errno, "cannot read %s", path);
        len += (size_t)got;
        if (len > limit)
            return error_set(err, CTCD_E_TOO_LARGE, NULL, "%s is larger than %zu bytes", path,
                             limit);
        if (len < room)
            break;
        room = room > limit / 2 ? limit + 1 : room * 2;
    }
    text[len] = '\0';
    *ret_text = mem_steal(&text);
    if (ret_len)
        *ret_len = len;
    return 0;
}

int file_read(const char *path, size_t limit, uint32_t flags, char **ret_text, size_t *ret_len,
              ctcd_error **err) {
    int fd = -1;
    struct stat st;
    if (limit > SIZE_MAX / 4)
        limit = SIZE_MAX / 4;
    int rc = open_regular(path, flags, &fd, &st, err);
    if (rc)
        return rc;
    size_t size = st.st_size > 0 ? (size_t)st.st_size : 0;
    if (size > limit)
        rc = error_set(err, CTCD_E_TOO_LARGE, NULL, "%s is larger than %zu bytes", path, limit);
    else
        rc = read_to_end(fd, path, size, limit, ret_text, ret_len, err);
    (void)close(fd);
    return rc;
}

static bool write_fully(int fd, const char *from, size_t len) {
    while (len) {
        ssize_t put = write(fd, from, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        from += put;
        len -= (size_t)put;
    }
    return true;
}

/* Writes and renames; on failure the temporary file is gone again. */
static int write_and_rename(const char *temporary, const char *path, const void *bytes, size_t len,
                            unsigned mode, ctcd_error **err) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot write %s", path);
    int failed = 0;
    if (fchmod(fd, (mode_t)mode & 07777) != 0 || !write_fully(fd, bytes, len) || fsync(fd) != 0)
        failed = errno;
    if (close(fd) != 0 && !failed && errno != EINTR)
        failed = errno;
    if (!failed && rename(temporary, path) != 0)
        failed = errno;
    if (!failed)
        return 0;
    (void)unlink(temporary);
    return error_system(err, failed, "cannot write %s", path);
}

int file_write(const char *path, const void *bytes, size_t len, unsigned mode, ctcd_error **err) {
    uint64_t unique;
    int rc = random_bytes(&unique, sizeof unique, err);
    if (rc)
        return rc;
    char name[40];
    (void)snprintf(name, sizeof name, ".ctcd-%016llx", (unsigned long long)unique);
    _cleanup_(mem_free_ptr) char *folder = path_folder(path);
    _cleanup_(mem_free_ptr) char *temporary = folder ? path_join(folder, name) : NULL;
    if (!temporary)
        return error_nomem(err);
    rc = write_and_rename(temporary, path, bytes, len, mode, err);
    return rc ? rc : file_sync_folder(folder, err);
}

int file_sync_folder(const char *path, ctcd_error **err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "cannot open the folder %s", path);
    int failed = fsync(fd) != 0 ? errno : 0;
    (void)close(fd);
    if (failed && failed != EINVAL) /* some file systems have nothing to sync there */
        return error_system(err, failed, "cannot sync the folder %s", path);
    return 0;
}

int file_make_folder(const char *path, ctcd_error **err) {
    if (mkdir(path, 0700) == 0)
        return 0;
    int failed = errno;
    if (failed == EEXIST && file_is_folder(path))
        return 0;
    if (failed == EEXIST)
        return error_set(err, CTCD_E_EXISTS, NULL, "%s is there already and is no folder", path);
    return error_system(err, failed, "cannot make the folder %s", path);
}

int file_make_folders(const char *path, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *part = mem_copy_text(path);
    if (!part)
        return error_nomem(err);
    for (char *at = part; *at; at++) {
        if (*at != '/' || at == part || at[-1] == '/')
            continue;
        *at = '\0';
        /* Looked at first: a parent that is there may be one that we may not write to. */
        int rc = file_is_folder(part) ? 0 : file_make_folder(part, err);
        *at = '/';
        if (rc)
            return rc;
    }
    return file_make_folder(path, err);
}

int file_remove(const char *path, ctcd_error **err) {
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    if ((errno == EISDIR || errno == EPERM) && (rmdir(path) == 0 || errno == ENOENT))
        return 0;
    return error_system(err, errno, "cannot remove %s", path);
}
