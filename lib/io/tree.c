/* Folder trees by descriptors, so that nothing that is put in the way meanwhile leads elsewhere.
   Called for artifacts, models and working folders. */
#include "io/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "io/file.h"

#define MAX_ENTRIES 1000000 /* of one folder */
#define PART (128 * 1024)   /* bytes read at once */

struct names {
    char **v;
    size_t count, room;
};

static void names_done(struct names *names) {
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->v[i]);
    mem_free(names->v);
}

static int names_add(struct names *names, const char *name) {
    if (names->count == MAX_ENTRIES)
        return EFBIG;
    if (names->count == names->room) {
        size_t room = names->room ? names->room * 2 : 16;
        char **bigger = mem_resize(names->v, room, sizeof(char *));
        if (!bigger)
            return ENOMEM;
        names->v = bigger;
        names->room = room;
    }
    names->v[names->count] = mem_copy_text(name);
    if (!names->v[names->count])
        return ENOMEM;
    names->count++;
    return 0;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(DIR *dir, struct names *names) {
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry)
            return errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int failed = names_add(names, entry->d_name);
        if (failed)
            return failed;
    }
}

/* The sorted names in a folder; the descriptor stays open. */
static int list_names(int fd, const char *path, struct names *names, ctcd_error **err) {
    int mine = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = mine < 0 ? NULL : fdopendir(mine);
    if (!dir) {
        int failed = errno;
        if (mine >= 0)
            (void)close(mine);
        return error_system(err, failed, "cannot list %s", path);
    }
    int failed = read_names(dir, names);
    (void)closedir(dir);
    if (failed == EFBIG)
        return error_set(err, CTCD_E_TOO_LARGE, NULL, "%s has more than %d entries", path,
                         MAX_ENTRIES);
    if (failed)
        return error_system(err, failed, "cannot list %s", path);
    if (names->count)
        qsort(names->v, names->count, sizeof(char *), by_bytes);
    return 0;
}

static int too_deep(ctcd_error **err, const char *path) {
    return error_set(err, CTCD_E_TOO_LARGE, NULL, "%s: more than %d folders within each other",
                     path, TREE_MAX_DEPTH);
}

static int not_a_file(ctcd_error **err, const char *path) {
    return error_set(err, CTCD_E_INVALID, NULL,
                     "%s is neither a file nor a folder nor a symbolic link", path);
}

/* ---- remove ---- */

struct removal {
    ctcd_error **err;
    int rc; /* the first failure; the rest is removed all the same */
};

static void removal_failed(struct removal *r, int os_errno, const char *path) {
    if (!r->rc)
        r->rc = error_system(r->err, os_errno, "cannot remove %s", path);
}

static void remove_entry(struct removal *r, int parent, const char *name, const char *path,
                         int depth);

static void remove_contents(struct removal *r, int fd, const char *path, int depth) {
    _cleanup_(names_done) struct names names = {0};
    ctcd_error *listing = NULL;
    int rc = list_names(fd, path, &names, r->rc ? NULL : &listing);
    if (rc && !r->rc) {
        r->rc = rc;
        if (r->err) {
            error_unref(*r->err);
            *r->err = error_ref(listing);
        }
    }
    error_unref(listing);
    for (size_t i = 0; i < names.count; i++) {
        _cleanup_(mem_free_ptr) char *inner = path_join(path, names.v[i]);
        remove_entry(r, fd, names.v[i], inner ? inner : path, depth);
    }
}

static void remove_folder(struct removal *r, int parent, const char *name, const char *path,
                          int depth) {
    if (depth >= TREE_MAX_DEPTH) {
        if (!r->rc)
            r->rc = too_deep(r->err, path);
        return;
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            removal_failed(r, errno, path);
        return;
    }
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
        (void)fchmod(fd, 0700); /* a read-only folder of ours; else unlink will say why not */
    remove_contents(r, fd, path, depth + 1);
    (void)close(fd);
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        removal_failed(r, errno, path);
}

static void remove_entry(struct removal *r, int parent, const char *name, const char *path,
                         int depth) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return;
    int failed = errno;
    struct stat st;
    if ((failed == EISDIR || failed == EPERM) &&
        fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        remove_folder(r, parent, name, path, depth);
    else
        removal_failed(r, failed, path);
}

/* The last component of a path, without slashes behind it; owned. */
static char *last_component(const char *path) {
    size_t len = strlen(path);
    while (len && path[len - 1] == '/')
        len--;
    size_t start = len;
    while (start && path[start - 1] != '/')
        start--;
    return mem_copy_bytes(path + start, len - start);
}

int tree_remove(const char *path, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = path_folder(path);
    _cleanup_(mem_free_ptr) char *name = last_component(path);
    if (!folder || !name)
        return error_nomem(err);
    if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(err, CTCD_E_INVALID, NULL, "\"%s\" is not removed", path);
    int parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return errno == ENOENT ? 0 : error_system(err, errno, "cannot open the folder %s", folder);
    struct removal r = {err, 0};
    remove_entry(&r, parent, name, path, 0);
    (void)close(parent);
    return r.rc;
}

/* ---- copy ---- */

struct copying {
    dev_t dev; /* of the folder that is being written: a copy into itself would not end */
    ino_t ino;
    bool made; /* something at the target is ours, and is removed after a failure */
    char *part;
    ctcd_error **err;
};

static int copy_bytes(struct copying *c, int from, int to, const char *path) {
    for (;;) {
        ssize_t got = read(from, c->part, PART);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return error_system(c->err, errno, "cannot read %s", path);
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(to, c->part + done, (size_t)(got - done));
            if (put < 0 && errno != EINTR)
                return error_system(c->err, errno, "cannot copy %s", path);
            done += put > 0 ? put : 0;
        }
    }
}

static int copy_file(struct copying *c, int from, const struct stat *st, int to_parent,
                     const char *to_name, const char *path) {
    int to = openat(to_parent, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return error_system(c->err, errno, "cannot copy %s", path);
    c->made = true;
    int rc = copy_bytes(c, from, to, path);
    if (!rc && (fchmod(to, st->st_mode & 0777) != 0 || fsync(to) != 0))
        rc = error_system(c->err, errno, "cannot copy %s", path);
    if (close(to) != 0 && !rc && errno != EINTR)
        rc = error_system(c->err, errno, "cannot copy %s", path);
    return rc;
}

static int copy_link(struct copying *c, int from_parent, const char *name, int to_parent,
                     const char *path) {
    char target[PATH_MAX];
    ssize_t len = readlinkat(from_parent, name, target, sizeof target - 1);
    if (len < 0)
        return error_system(c->err, errno, "cannot copy %s", path);
    target[len] = '\0';
    if (symlinkat(target, to_parent, name) != 0)
        return error_system(c->err, errno, "cannot copy %s", path);
    return 0;
}

static int copy_opened(struct copying *c, int from, int to_parent, const char *to_name,
                       const char *path, int depth);

static int copy_entries(struct copying *c, int from, int to, const char *path, int depth) {
    _cleanup_(names_done) struct names names = {0};
    int rc = list_names(from, path, &names, c->err);
    for (size_t i = 0; i < names.count && !rc; i++) {
        _cleanup_(mem_free_ptr) char *inner = path_join(path, names.v[i]);
        struct stat st;
        if (!inner) {
            rc = error_nomem(c->err);
        } else if (fstatat(from, names.v[i], &st, AT_SYMLINK_NOFOLLOW) != 0) {
            rc = error_system(c->err, errno, "cannot look at %s", inner);
        } else if (S_ISLNK(st.st_mode)) {
            rc = copy_link(c, from, names.v[i], to, inner);
        } else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
            rc = not_a_file(c->err, inner);
        } else {
            int fd = openat(from, names.v[i], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
            rc = fd < 0 ? error_system(c->err, errno, "cannot open %s", inner)
                        : copy_opened(c, fd, to, names.v[i], inner, depth);
            if (fd >= 0)
                (void)close(fd);
        }
    }
    return rc;
}

static int copy_folder(struct copying *c, int from, const struct stat *st, int to_parent,
                       const char *to_name, const char *path, int depth) {
    struct stat made;
    if (depth >= TREE_MAX_DEPTH)
        return too_deep(c->err, path);
    if (c->ino && st->st_dev == c->dev && st->st_ino == c->ino)
        return error_set(c->err, CTCD_E_INVALID, NULL, "a folder cannot be copied into itself");
    if (mkdirat(to_parent, to_name, 0700) != 0)
        return error_system(c->err, errno, "cannot copy %s", path);
    c->made = true;
    int to = openat(to_parent, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0 || fstat(to, &made) != 0) {
        int failed = errno;
        if (to >= 0)
            (void)close(to);
        return error_system(c->err, failed, "cannot copy %s", path);
    }
    if (depth == 0) {
        c->dev = made.st_dev;
        c->ino = made.st_ino;
    }
    int rc = copy_entries(c, from, to, path, depth + 1);
    if (!rc && (fchmod(to, st->st_mode & 0777) != 0 || fsync(to) != 0))
        rc = error_system(c->err, errno, "cannot copy %s", path);
    (void)close(to);
    return rc;
}

static int copy_opened(struct copying *c, int from, int to_parent, const char *to_name,
                       const char *path, int depth) {
    struct stat st;
    if (fstat(from, &st) != 0)
        return error_system(c->err, errno, "cannot look at %s", path);
    if (S_ISREG(st.st_mode))
        return copy_file(c, from, &st, to_parent, to_name, path);
    if (S_ISDIR(st.st_mode))
        return copy_folder(c, from, &st, to_parent, to_name, path, depth);
    return not_a_file(c->err, path);
}

static int copy_into(struct copying *c, int source, const char *from, const char *to,
                     const char *folder) {
    struct stat st;
    if (lstat(to, &st) == 0)
        return error_set(c->err, CTCD_E_EXISTS, NULL, "%s is there already", to);
    int parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return error_system(c->err, errno, "cannot open the folder %s", folder);
    _cleanup_(mem_free_ptr) char *name = last_component(to);
    int rc = name ? copy_opened(c, source, parent, name, from, 0) : error_nomem(c->err);
    (void)close(parent);
    if (rc && c->made)
        (void)tree_remove(to, NULL);
    return rc ? rc : file_sync_folder(folder, c->err);
}

int tree_copy(const char *from, const char *to, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = path_folder(to);
    _cleanup_(mem_free_ptr) char *part = mem_alloc(PART);
    struct copying c = {.part = part, .err = err};
    if (!folder || !part)
        return error_nomem(err);
    int source = open(from, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (source < 0)
        return error_system(err, errno, "cannot open %s", from);
    int rc = copy_into(&c, source, from, to, folder);
    (void)close(source);
    return rc;
}

/* ---- hash ---- */

struct hashing {
    char *part;
    ctcd_error **err;
};

static int hash_opened(struct hashing *h, int fd, const struct stat *st, const char *path,
                       int depth, char hex[65]);

static int hash_bytes(struct hashing *h, int fd, const char *path, char hex[65]) {
    struct sha256 sum;
    sha256_start(&sum);
    for (;;) {
        ssize_t got = read(fd, h->part, PART);
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_system(h->err, errno, "cannot read %s", path);
        sha256_add(&sum, h->part, (size_t)got);
    }
    sha256_end(&sum, hex);
    return 0;
}

static int hash_link(struct hashing *h, int parent, const char *name, const char *path,
                     char hex[65]) {
    char target[PATH_MAX];
    struct sha256 sum;
    ssize_t len = readlinkat(parent, name, target, sizeof target);
    if (len < 0)
        return error_system(h->err, errno, "cannot read the link %s", path);
    sha256_start(&sum);
    sha256_add(&sum, target, (size_t)len);
    sha256_end(&sum, hex);
    return 0;
}

/* *ret_type: one of f, x, l, d. */
static int hash_entry(struct hashing *h, int parent, const char *name, const char *path, int depth,
                      char *ret_type, char hex[65]) {
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return error_system(h->err, errno, "cannot look at %s", path);
    if (S_ISLNK(st.st_mode)) {
        *ret_type = 'l';
        return hash_link(h, parent, name, path, hex);
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return not_a_file(h->err, path);
    int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_system(h->err, errno, "cannot open %s", path);
    int rc = fstat(fd, &st) != 0 ? error_system(h->err, errno, "cannot look at %s", path)
                                 : hash_opened(h, fd, &st, path, depth, hex);
    (void)close(fd);
    *ret_type = S_ISDIR(st.st_mode) ? 'd' : st.st_mode & 0100 ? 'x' : 'f';
    return rc;
}

static int hash_folder(struct hashing *h, int fd, const char *path, int depth, char hex[65]) {
    if (depth >= TREE_MAX_DEPTH)
        return too_deep(h->err, path);
    _cleanup_(names_done) struct names names = {0};
    struct sha256 sum;
    int rc = list_names(fd, path, &names, h->err);
    sha256_start(&sum);
    for (size_t i = 0; i < names.count && !rc; i++) {
        char type = '?';
        char inner_hex[65];
        _cleanup_(mem_free_ptr) char *inner = path_join(path, names.v[i]);
        rc = inner ? hash_entry(h, fd, names.v[i], inner, depth + 1, &type, inner_hex)
                   : error_nomem(h->err);
        if (rc)
            break;
        sha256_add(&sum, &type, 1);
        sha256_add(&sum, " ", 1);
        sha256_add(&sum, names.v[i], strlen(names.v[i]) + 1);
        sha256_add(&sum, inner_hex, 64);
        sha256_add(&sum, "\n", 1);
    }
    if (!rc)
        sha256_end(&sum, hex);
    return rc;
}

static int hash_opened(struct hashing *h, int fd, const struct stat *st, const char *path,
                       int depth, char hex[65]) {
    if (S_ISREG(st->st_mode))
        return hash_bytes(h, fd, path, hex);
    if (S_ISDIR(st->st_mode))
        return hash_folder(h, fd, path, depth, hex);
    return not_a_file(h->err, path);
}

int tree_hash(const char *path, char hex[65], ctcd_error **err) {
    struct stat st;
    char found[65];
    _cleanup_(mem_free_ptr) char *part = mem_alloc(PART);
    struct hashing h = {part, err};
    if (!part)
        return error_nomem(err);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "cannot open %s", path);
    int rc = fstat(fd, &st) != 0 ? error_system(err, errno, "cannot look at %s", path)
                                 : hash_opened(&h, fd, &st, path, 0, found);
    (void)close(fd);
    if (!rc)
        memcpy(hex, found, sizeof found);
    return rc;
}
