/* The folder of a home: where it is, whether it can be trusted, and making its store. Called by store.c.

   The store is made under another name and then renamed, so a file of its own name is always whole: an
   empty one was damaged, and is never taken for a new one. Looking at it is done without opening it:
   closing a descriptor would drop the locks of another connection of this process. */
#include "store/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/random.h"

#define HOME_NEW HOME_STORE ".new-"

static const char restore_hint[] =
    "restore the folder from a backup, or move it away to begin with an empty one";

/* ---- where ------------------------------------------------------------------------------------ */

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static char *default_path(void) {
    const char *folder = setting("XDG_STATE_HOME");
    if (folder && *folder == '/') /* the specification: relative ones are to be ignored */
        return path_join(folder, "ctcd");
    return path_join(setting("HOME"), ".local/state/ctcd");
}

int store_home_path(const char *home, char **ret, ctcd_error **err) {
    if (!home || !*home)
        home = setting("CTCD_HOME");
    if (home)
        return path_absolute(home, ret, err);
    const char *state = setting("XDG_STATE_HOME");
    const char *user = setting("HOME");
    if (!(state && *state == '/') && !(user && *user == '/'))
        return error_set(err, CTCD_E_INVALID, "set CTCD_HOME to a folder of yours",
                         "no home folder: neither CTCD_HOME nor HOME is set to an absolute path");
    char *path = default_path();
    if (!path)
        return error_nomem(err);
    *ret = path;
    return 0;
}

/* ---- whether it can be trusted ---------------------------------------------------------------- */

static int refuse_network(const char *path, ctcd_error **err) {
    const char *network = file_network(path);
    if (!network)
        return 0;
    return error_set(
        err, CTCD_E_NOT_ALLOWED, "choose a folder on a local disk with CTCD_HOME",
        "the home %s lies on a network file system (%s), where locks cannot be trusted", path,
        network);
}

static int check_owner(const char *path, const struct stat *st, ctcd_error **err) {
    if (st->st_uid != geteuid()) {
        error_set(err, CTCD_E_NOT_ALLOWED, "choose a folder of your own with CTCD_HOME",
                  "%s belongs to the user with id %u, not to you (%u)", path, (unsigned)st->st_uid,
                  (unsigned)geteuid());
        return CTCD_E_NOT_ALLOWED;
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        error_set(err, CTCD_E_NOT_ALLOWED, NULL, "others may write to %s", path);
        return err ? error_hint(err, "chmod go-w '%s'", path) : CTCD_E_NOT_ALLOWED;
    }
    return 0;
}

int home_folder(const char *path, uint32_t flags, char **ret, ctcd_error **err) {
    int rc = refuse_network(path, err);
    if (!rc && !file_exists(path)) {
        if (flags & STORE_MUST_EXIST)
            return error_set(err, CTCD_E_NOT_FOUND,
                             "it is made by the first command that changes something",
                             "there is no home %s", path);
        rc = file_make_folders(path, err);
        if (!rc && chmod(path, 0700)) /* whatever the umask */
            rc = error_system(err, errno, "%s", path);
    }
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *real = NULL;
    rc = file_real_path(path, &real, err);
    if (rc)
        return rc;
    struct stat st;
    if (stat(real, &st))
        return error_system(err, errno, "%s", real);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, CTCD_E_INVALID, "choose a folder with CTCD_HOME", "%s is no folder",
                         real);
    rc = check_owner(real, &st, err);
    if (!rc)
        *ret = mem_steal(&real);
    return rc;
}

/* What only a home with a store can have. */
static int trace_of_store(const char *folder, const char **ret, ctcd_error **err) {
    static const char *const traces[] = {HOME_STORE "-wal", "services", "runs"};
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++) {
        _cleanup_(mem_free_ptr) char *path = path_join(folder, traces[i]);
        if (!path)
            return error_nomem(err);
        struct stat st;
        if (lstat(path, &st) == 0) {
            *ret = traces[i];
            return 0;
        }
    }
    return CTCD_NONE;
}

static int look_at_file(const char *store, uint32_t flags, ctcd_error **err) {
    struct stat st;
    if (lstat(store, &st))
        return errno == ENOENT ? CTCD_NONE : error_system(err, errno, "%s", store);
    if (!S_ISREG(st.st_mode))
        return error_set(err, CTCD_E_CORRUPT, restore_hint, "the store %s is no regular file",
                         store);
    if (st.st_size == 0)
        return error_set(err, CTCD_E_CORRUPT, restore_hint, "the store %s is empty", store);
    int rc = check_owner(store, &st, err);
    if (!rc && !(flags & STORE_AS_IT_IS) && (st.st_mode & 07777) != 0600 && chmod(store, 0600))
        rc = error_system(err, errno, "%s", store);
    return rc;
}

int home_look(const char *folder, const char *store, uint32_t flags, ctcd_error **err) {
    int rc = look_at_file(store, flags, err);
    const char *trace = NULL;
    if (rc == CTCD_NONE)
        rc = trace_of_store(folder, &trace, err);
    if (rc || !trace)
        return rc;
    rc = look_at_file(store, flags,
                      err); /* somebody may have made all of it between the two looks */
    if (rc != CTCD_NONE)
        return rc;
    return error_set(err, CTCD_E_CORRUPT, restore_hint, "the store %s is gone, but there is %s/%s",
                     store, folder, trace);
}

/* ---- making it -------------------------------------------------------------------------------- */

static int add_default_stack(struct db *db, int64_t now_ms, ctcd_error **err) {
    static const char *const named[] = {
        "INSERT INTO components (type, name, flavor, options, uuid, created_ms)"
        " VALUES ('orchestrator', 'default', 'local', '{}', ?1, ?2)",
        "INSERT INTO components (type, name, flavor, options, uuid, created_ms)"
        " VALUES ('artifact-store', 'default', 'local', '{}', ?1, ?2)",
        "INSERT INTO components (type, name, flavor, options, uuid, created_ms)"
        " VALUES ('metadata-store', 'default', 'sqlite', '{}', ?1, ?2)",
        "INSERT INTO stacks (name, uuid, created_ms) VALUES ('default', ?1, ?2)",
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof named / sizeof *named; i++) {
        char uuid[37];
        rc = random_uuid(uuid, err);
        if (!rc)
            rc = db_run(db, named[i], DB_VALUES(DB_TEXT(uuid), DB_TIME(now_ms)), err);
    }
    if (!rc)
        rc = db_exec(db,
                     "INSERT INTO stack_components (stack_id, type, name)"
                     " SELECT stacks.id, components.type, components.name FROM stacks, components;"
                     "INSERT INTO settings (key, value) VALUES ('active_stack', 'default');",
                     err);
    return rc;
}

static int fill(const char *path, int64_t now_ms, ctcd_error **err) {
    _cleanup_(db_done) struct db *db = NULL;
    int rc = db_open(path, &db, err);
    if (!rc)
        rc = db_begin(db, err);
    if (!rc) {
        rc = schema_mark(db, err);
        if (!rc)
            rc = schema_upgrade(db, &schema_ctcd, path, err);
        if (!rc)
            rc = add_default_stack(db, now_ms, err);
        if (!rc)
            rc = db_commit(db, err);
        else
            db_rollback(db);
    }
    /* Last: after it nothing is written, so the log is empty and the file is whole without it. */
    return rc ? rc : db_use_wal(db, err);
}

/* 0600 whatever the umask; SQLite gives its other files the same mode. Closed before SQLite opens it. */
static int make_empty(const char *path, ctcd_error **err) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_system(err, errno, "making %s", path);
    int rc = fchmod(fd, 0600) ? error_system(err, errno, "making %s", path) : 0;
    close(fd);
    return rc;
}

/* The name only where it is free. File systems without that flag get a second name instead. */
static int give_name(const char *from, const char *to, ctcd_error **err) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EINVAL || errno == ENOSYS)
        if (link(from, to) == 0)
            return 0;
    return error_system(err, errno, "making %s", to);
}

static void remove_with(const char *path, const char *suffix) {
    _cleanup_(mem_free_ptr) char *name = mem_text("%s%s", path, suffix);
    if (name)
        unlink(name);
}

static void remove_new(const char *path) {
    remove_with(path, "");
    remove_with(path, "-journal");
    remove_with(path, "-wal");
    remove_with(path, "-shm");
}

/* What killed processes left. Whoever is still at it finds that the store is there. */
static void remove_all_new(const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (strncmp(entry->d_name, HOME_NEW, strlen(HOME_NEW)) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

int home_make_store(const char *folder, const char *store, int64_t now_ms, ctcd_error **err) {
    char unique[37];
    int rc = random_uuid(unique, err);
    if (rc)
        return rc;
    _cleanup_(mem_free_ptr) char *path = mem_text("%s/" HOME_NEW "%s", folder, unique);
    if (!path)
        return error_nomem(err);
    _cleanup_(error_done) ctcd_error *why = NULL;
    rc = make_empty(path, &why);
    if (!rc)
        rc = fill(path, now_ms, &why);
    if (!rc)
        rc = give_name(path, store, &why);
    remove_new(path);
    if (rc && look_at_file(store, 0, NULL) == 0)
        return 0;
    if (!rc) {
        remove_all_new(folder);
        return file_sync_folder(folder, err);
    }
    if (err) {
        error_unref(*err);
        *err = mem_steal(&why);
    }
    return rc;
}
