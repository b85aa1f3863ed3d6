/* Questions about files, and paths as texts. Called together with file.c; declared in io/file.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "io/file.h"

bool file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int file_real_path(const char *path, char **ret, ctcd_error **err) {
    char real[PATH_MAX];
    if (!realpath(path, real))
        return error_system(err, errno, "%s", path);
    char *copy = mem_copy_text(real);
    if (!copy)
        return error_nomem(err);
    *ret = copy;
    return 0;
}

static const struct {
    uint32_t magic;
    const char *name;
} network_systems[] = {
    {0x6969, "nfs"},      {0x517b, "smb"},        {0xff534d42, "cifs"}, {0xfe534d42, "smb2"},
    {0x5346414f, "afs"},  {0x6b414653, "afs"},    {0x00c36400, "ceph"}, {0x65735546, "fuse"},
    {0x73757245, "coda"}, {0x0bd00bd0, "lustre"},
};

static const char *network_of_magic(uint32_t magic) {
    for (size_t i = 0; i < sizeof network_systems / sizeof network_systems[0]; i++)
        if (network_systems[i].magic == magic)
            return network_systems[i].name;
    return NULL;
}

/* How much of it is left without slashes at the end; "/" stays. */
static size_t without_slashes(const char *path, size_t len) {
    while (len > 1 && path[len - 1] == '/')
        len--;
    return len;
}

/* Cuts a path down to the folder that it lies in; false = there is none above. */
static bool cut_to_folder(char *path) {
    size_t len = without_slashes(path, strlen(path)), before = len;
    while (len && path[len - 1] != '/')
        len--;
    len = without_slashes(path, len);
    if (len == before || (!len && strcmp(path, ".") == 0))
        return false;
    strcpy(path + len, len ? "" : ".");
    return true;
}

/* Needs no memory: who asks must get an answer. */
const char *file_network(const char *path) {
    char at[PATH_MAX + 1];
    struct statfs fs;
    if (strlen(path) >= PATH_MAX)
        return NULL; /* no system call takes it */
    strcpy(at, path);
    for (;;) {
        if (statfs(at, &fs) == 0)
            return network_of_magic((uint32_t)fs.f_type);
        if (errno != EINTR && ((errno != ENOENT && errno != ENOTDIR) || !cut_to_folder(at)))
            return NULL;
    }
}

int path_absolute(const char *path, char **ret, ctcd_error **err) {
    char here[PATH_MAX] = "/";
    if (*path != '/' && !getcwd(here, sizeof here))
        return error_system(err, errno, "the current folder");
    char *joined = path_join(here, path);
    if (!joined)
        return error_nomem(err);
    *ret = joined;
    return 0;
}

char *path_join(const char *folder, const char *name) {
    if (name[0] == '/' || !folder[0])
        return mem_copy_text(name);
    if (!name[0])
        return mem_copy_text(folder);
    return mem_text("%s%s%s", folder, text_ends(folder, "/") ? "" : "/", name);
}

char *path_folder(const char *path) {
    size_t len = without_slashes(path, strlen(path));
    while (len && path[len - 1] != '/')
        len--;
    return len ? mem_copy_bytes(path, without_slashes(path, len)) : mem_copy_text(".");
}

const char *path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
