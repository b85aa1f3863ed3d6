/* See staging.h. */
#include "deployers/mlflow/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "deployers/mlflow/source.h"
#include "io/file.h"
#include "io/log.h"
#include "io/random.h"
#include "io/tree.h"

#define LEFT_S (24 * 3600) /* what came in so long ago comes in no more */

/* ---- beginning ------------------------------------------------------------------------------------ */

static void remove_left(const char *incoming) {
    DIR *dir = opendir(incoming);
    time_t now = time(NULL);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat st;
        if (entry->d_name[0] == '.' ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
            now - st.st_mtime < LEFT_S)
            continue;
        _cleanup_(mem_free_ptr) char *path = path_join(incoming, entry->d_name);
        if (path)
            (void)tree_remove(path, NULL);
    }
    if (dir)
        (void)closedir(dir);
}

int staging_begin(struct staging *s, const char *root, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *incoming = path_join(root, "incoming");
    char name[37];
    if (!incoming)
        return error_nomem(err);
    int rc = file_make_folders(incoming, err);
    if (!rc)
        rc = random_uuid(name, err);
    if (rc)
        return rc;
    remove_left(incoming);
    _cleanup_(mem_free_ptr) char *folder = path_join(incoming, name);
    s->root = mem_copy_text(root);
    if (!folder || !s->root)
        return error_nomem(err);
    rc = file_make_folder(folder, err);
    if (!rc)
        s->folder = mem_steal(&folder);
    return rc;
}

void staging_done(struct staging *s) {
    if (s->open)
        (void)close(s->fd);
    if (s->folder)
        (void)tree_remove(s->folder, NULL);
    for (size_t i = 0; i < s->count; i++)
        mem_free(s->files[i].path);
    mem_free(s->files);
    mem_free(s->folder);
    mem_free(s->root);
    *s = (struct staging){0};
}

/* ---- what is to come ------------------------------------------------------------------------------ */

static int refuse(const char *path, const char *what, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *shown = text_for_people(path, strlen(path), 1);
    return error_set(err, CTCD_E_PROTOCOL, "the artifacts of this model cannot be trusted",
                     "the tracking server lists \"%.300s\", %s", shown ? shown : "", what);
}

static int add(struct staging *s, const struct staged_file *file, ctcd_error **err) {
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 32;
        struct staged_file *files = mem_resize(s->files, room, sizeof *files);
        if (!files)
            return error_nomem(err);
        s->files = files;
        s->room = room;
    }
    s->files[s->count] = *file;
    if (!(s->files[s->count].path = mem_copy_text(file->path)))
        return error_nomem(err);
    s->count++;
    return 0;
}

int staging_announce(struct staging *s, const char *path, int64_t size, bool folder,
                     int64_t max_bytes, ctcd_error **err) {
    if (!source_path_is_safe(path))
        return refuse(path, "which could lie outside of the model's folder", err);
    if (s->count >= STAGING_FILES_MAX)
        return error_set(err, CTCD_E_TOO_LARGE, "save it without what its server does not need",
                         "the model has more than %d files", STAGING_FILES_MAX);
    if (size > 0 && size > max_bytes - s->announced)
        return error_set(err, CTCD_E_TOO_LARGE, "raise the model deployer's option max_model_mib",
                         "the model is larger than %lld MiB", (long long)(max_bytes >> 20));
    struct staged_file file = {.path = (char *)(uintptr_t)path, .size = size, .folder = folder};
    int rc = add(s, &file, err);
    if (!rc && size > 0)
        s->announced += size;
    return rc;
}

/* ---- writing -------------------------------------------------------------------------------------- */

int staging_open(struct staging *s, size_t index, ctcd_error **err) {
    const struct staged_file *file = &s->files[index];
    _cleanup_(mem_free_ptr) char *path = path_join(s->folder, file->path);
    if (!path)
        return error_nomem(err);
    /* All folders above were made by us, in a folder that is ours alone: no link can be among them. */
    int fd = file->folder ? mkdir(path, 0700)
                          : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return refuse(file->path, "and had listed it before", err);
    if (fd < 0)
        return error_system(err, errno, "cannot write %s", path);
    if (file->folder)
        return 0;
    s->open = true;
    s->fd = fd;
    s->os_errno = 0;
    s->written = 0;
    sha256_start(&s->sum);
    return 0;
}

int staging_write(void *data, const char *bytes, size_t size) {
    struct staging *s = data;
    sha256_add(&s->sum, bytes, size);
    s->written += (int64_t)size;
    while (size && !s->os_errno) {
        ssize_t n = write(s->fd, bytes, size);
        if (n >= 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (errno != EINTR) {
            s->os_errno = errno;
        }
    }
    return s->os_errno ? -1 : 0;
}

int staging_close(struct staging *s, size_t index, ctcd_error **err) {
    struct staged_file *file = &s->files[index];
    if (!s->os_errno && fsync(s->fd))
        s->os_errno = errno;
    if (close(s->fd) && !s->os_errno)
        s->os_errno = errno;
    s->open = false;
    if (s->os_errno)
        return error_system(err, s->os_errno, "cannot write %s/%s", s->folder, file->path);
    if (file->size >= 0 && file->size != s->written)
        return error_set(err, CTCD_E_PROTOCOL, "try again; somebody may be writing it",
                         "%s has %lld bytes instead of the %lld that were announced", file->path,
                         (long long)s->written, (long long)file->size);
    sha256_end(&s->sum, file->digest);
    return 0;
}

/* ---- its place ------------------------------------------------------------------------------------ */

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct staged_file *)a)->path, ((const struct staged_file *)b)->path);
}

static void digest_of(struct staging *s, char digest[65]) {
    struct sha256 sum;
    sha256_start(&sum);
    qsort(s->files, s->count, sizeof *s->files, by_path);
    for (size_t i = 0; i < s->count; i++) {
        const struct staged_file *file = &s->files[i];
        if (file->folder)
            continue;
        sha256_add(&sum, file->digest, 64);
        sha256_add(&sum, "  ", 2);
        sha256_add(&sum, file->path, strlen(file->path));
        sha256_add(&sum, "\n", 1);
    }
    sha256_end(&sum, digest);
}

static int sync_folders(const struct staging *s, ctcd_error **err) {
    int rc = file_sync_folder(s->folder, err);
    for (size_t i = 0; !rc && i < s->count; i++) {
        if (!s->files[i].folder)
            continue;
        _cleanup_(mem_free_ptr) char *path = path_join(s->folder, s->files[i].path);
        rc = path ? file_sync_folder(path, err) : error_nomem(err);
    }
    return rc;
}

int staging_finish(struct staging *s, char digest[65], char **ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *models = path_join(s->root, "models");
    digest_of(s, digest);
    _cleanup_(mem_free_ptr) char *place = models ? path_join(models, digest) : NULL;
    if (!place)
        return error_nomem(err);
    int rc = file_make_folders(models, err);
    if (!rc && !file_is_folder(place))
        rc = sync_folders(s, err);
    if (rc)
        return rc;
    if (!file_is_folder(place)) {
        if (rename(s->folder, place) == 0) {
            mem_free(s->folder);
            s->folder = NULL;
            rc = file_sync_folder(models, err);
        } else if (errno != ENOTEMPTY && errno != EEXIST) { /* else somebody was faster */
            rc = error_system(err, errno, "cannot rename %s to %s", s->folder, place);
        }
    }
    if (!rc)
        *ret = mem_steal(&place);
    return rc;
}
