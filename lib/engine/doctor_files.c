/* Permissions of a home and of what libctcd itself puts there (doctor.h). What steps and servers write is
   theirs, behind the home's own door. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/doctor.h"
#include "io/file.h"
#include "store/home.h"

#define OTHERS 077

/* Never through a link that somebody put there. */
static int mend(const char *path, mode_t wanted, ctcd_error **err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return error_system(err, errno, "%s", path);
    int rc = fchmod(fd, wanted) ? error_system(err, errno, "%s", path) : 0;
    (void)close(fd);
    return rc;
}

/* The store's own files are never opened here: closing a descriptor drops a connection's locks. */
static int mend_by_name(const char *path, mode_t wanted, ctcd_error **err) {
    return chmod(path, wanted) ? error_system(err, errno, "%s", path) : 0;
}

static int look(struct doctor *d, const char *path, ctcd_error **err) {
    struct stat st;
    if (lstat(path, &st))
        return errno == ENOENT ? 0 : error_system(err, errno, "%s", path);
    bool folder = S_ISDIR(st.st_mode);
    if ((!folder && !S_ISREG(st.st_mode)) || !(st.st_mode & OTHERS))
        return 0;
    mode_t wanted = folder ? 0700 : 0600;
    bool writes = st.st_mode & (S_IWGRP | S_IWOTH);
    ctcd_finding *finding = NULL;
    int rc = doctor_add(
        d, "permissions", writes ? DOCTOR_ERROR : DOCTOR_WARNING, mem_copy_text(path),
        mem_text("others may %s it: its mode is %04o instead of %04o", writes ? "change" : "read",
                 (unsigned)(st.st_mode & 07777), (unsigned)wanted),
        mem_text("chmod %04o '%s', or ctcd doctor --fix", (unsigned)wanted, path), &finding);
    if (rc)
        return error_nomem(err);
    finding->fixable = true;
    if (!d->fixes)
        return 0;
    ctcd_error *why = NULL;
    rc = text_starts(path_name(path), HOME_STORE) ? mend_by_name(path, wanted, &why)
                                                  : mend(path, wanted, &why);
    return doctor_mended(finding, rc, why, err);
}

static int look_at(struct doctor *d, const char *folder, const char *name, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = path_join(folder, name);
    return path ? look(d, path, err) : error_nomem(err);
}

int doctor_outer_files(struct doctor *d, ctcd_error **err) {
    static const char *const names[] = {HOME_STORE, HOME_STORE "-wal", HOME_STORE "-shm"};
    int rc = look(d, d->home, err);
    for (size_t i = 0; !rc && i < sizeof names / sizeof *names; i++)
        rc = look_at(d, d->home, names[i], err);
    return rc;
}

/* Each folder in this one; those of services have revisions in them. */
static int look_at_folders(struct doctor *d, const char *folder, int deeper, ctcd_error **err) {
    static const char *const names[] = {"lock", "alive", "exit.json", "log", "log.1"};
    int rc = look(d, folder, err);
    DIR *dir = rc ? NULL : opendir(folder);
    for (struct dirent *entry; dir && !rc && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        _cleanup_(mem_free_ptr) char *path = path_join(folder, entry->d_name);
        struct stat st;
        if (!path)
            rc = error_nomem(err);
        else if (lstat(path, &st) || !S_ISDIR(st.st_mode))
            continue;
        else if (deeper)
            rc = look_at_folders(d, path, deeper - 1, err);
        else
            rc = look(d, path, err);
        for (size_t i = 0; !rc && path && i < sizeof names / sizeof *names; i++)
            rc = look_at(d, path, names[i], err);
    }
    if (dir)
        (void)closedir(dir);
    return rc;
}

int doctor_inner_files(struct doctor *d, ctcd_error **err) {
    static const struct {
        const char *name;
        int deeper;
    } folders[] = {{"services", 1}, {"runs", 0}, {"deployers", 0}};
    int rc = look_at(d, d->home, "scheduler.lock", err);
    for (size_t i = 0; !rc && i < sizeof folders / sizeof *folders; i++) {
        _cleanup_(mem_free_ptr) char *path = path_join(d->home, folders[i].name);
        rc = path ? look_at_folders(d, path, folders[i].deeper, err) : error_nomem(err);
    }
    return rc;
}
