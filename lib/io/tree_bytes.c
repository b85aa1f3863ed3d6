/* How much a tree holds. Declared in io/tree.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/tree.h"

static bool vanished(int why) {
    return why == ENOENT || why == ENOTDIR || why == ELOOP;
}

/* 0 or errno. */
static int add(int at, const char *name, int depth, int64_t *sum) {
    struct stat st;
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW))
        return vanished(errno) ? 0 : errno;
    if (S_ISREG(st.st_mode))
        *sum += st.st_size;
    if (!S_ISDIR(st.st_mode) || depth > TREE_MAX_DEPTH)
        return 0;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return vanished(errno) ? 0 : errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int why = errno;
        (void)close(fd);
        return why;
    }
    int why = 0;
    for (struct dirent *entry; !why && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            why = add(dirfd(dir), entry->d_name, depth + 1, sum);
    (void)closedir(dir);
    return why;
}

int tree_bytes(const char *path, int64_t *ret, ctcd_error **err) {
    int64_t sum = 0;
    int why = add(AT_FDCWD, path, 0, &sum);
    if (why)
        return error_system(err, why, "%s", path);
    *ret = sum;
    return 0;
}
