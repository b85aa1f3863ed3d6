/* A store into one file, and back. Called by the engine (engine/backup.c). */
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "io/file.h"
#include "io/random.h"
#include "store/home.h"
#include "store/record.h"
#include "store/runs.h"

/* ---- files ------------------------------------------------------------------------------------ */

static void remove_with(const char *path, const char *suffix) {
    _cleanup_(mem_free_ptr) char *name = mem_text("%s%s", path, suffix);
    if (name)
        (void)unlink(name);
}

static void remove_all(const char *path) {
    remove_with(path, "");
    remove_with(path, "-journal");
    remove_with(path, "-wal");
    remove_with(path, "-shm");
}

static int make_empty(const char *path, ctcd_error **err) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_system(err, errno, "making %s", path);
    int rc = fchmod(fd, 0600) ? error_system(err, errno, "making %s", path) : 0;
    (void)close(fd);
    return rc;
}

/* A name beside it, for what is not whole yet; owned. */
static int name_beside(const char *path, char **ret, ctcd_error **err) {
    char unique[37];
    int rc = random_uuid(unique, err);
    if (!rc && !(*ret = mem_text("%s.new-%s", path, unique)))
        rc = error_nomem(err);
    return rc;
}

static int sync_file(const char *path, ctcd_error **err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "%s", path);
    int rc = fsync(fd) ? error_system(err, errno, "writing %s", path) : 0;
    (void)close(fd);
    return rc;
}

/* Whole and on the disk before it has the name. */
static int give_name(const char *from, const char *to, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = path_folder(to);
    if (!folder)
        return error_nomem(err);
    int rc = sync_file(from, err);
    if (!rc && rename(from, to))
        rc = error_system(err, errno, "making %s", to);
    return rc ? rc : file_sync_folder(folder, err);
}

/* ---- a store -> a file ------------------------------------------------------------------------ */

static int check_target(const char *path, const char *store, ctcd_error **err) {
    struct stat target, ours;
    if (stat(path, &target))
        return errno == ENOENT ? 0 : error_system(err, errno, "%s", path);
    if (!S_ISREG(target.st_mode))
        return error_set(err, CTCD_E_INVALID, "name a file", "%s is no regular file", path);
    if (stat(store, &ours) == 0 && ours.st_dev == target.st_dev && ours.st_ino == target.st_ino)
        return error_set(err, CTCD_E_INVALID, "name another file", "%s is the store itself", path);
    return 0;
}

int store_backup(struct store *store, const char *path, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *ours = path_join(store->home, HOME_STORE);
    _cleanup_(mem_free_ptr) char *beside = NULL;
    if (!ours)
        return error_nomem(err);
    int rc = check_target(path, ours, err);
    if (!rc)
        rc = name_beside(path, &beside, err);
    if (!rc)
        rc = make_empty(beside, err);
    if (rc)
        return rc;
    _cleanup_(db_done) struct db *copy = NULL;
    rc = db_open(beside, &copy, err);
    if (!rc)
        rc = db_copy(store->db, copy, err);
    if (!rc)
        rc = db_leave_wal(copy, err); /* one file, with nothing beside it */
    db_close(copy);
    copy = NULL;
    if (!rc)
        rc = give_name(beside, path, err);
    remove_all(beside);
    return rc;
}

/* ---- a file -> a store ------------------------------------------------------------------------ */

/* Whether they went on, or began, after the backup was taken nobody knows; to begin them a second time would be
   wrong. */
static int end_runs(struct store *store, int64_t now_ms, ctcd_error **err) {
    _cleanup_(store_runs_done) struct store_runs all = {0};
    struct store_run_query query = {.statuses = STORE_STATUS(STORE_RUN_RUNNING) |
                                                STORE_STATUS(STORE_RUN_PENDING)};
    int rc = store_run_list(store, &query, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++) {
        const struct store_run *run = &all.items[i];
        rc = db_run(store->db,
                    "UPDATE step_runs SET status = 'interrupted', ended_ms = ?2,"
                    " error = 'its home was restored' WHERE run = ?1 AND status = 'running'",
                    DB_VALUES(DB_TEXT(run->uuid), DB_TIME(now_ms)), err);
        if (!rc)
            rc = store_run_end(store, run->uuid, run->owner, STORE_RUN_ABANDONED,
                               run->status == STORE_RUN_PENDING
                                   ? "it had not begun when the backup was taken that its home was "
                                     "restored from"
                                   : "it was under way when the backup was taken that its home "
                                     "was restored from",
                               now_ms, err);
    }
    return rc;
}

/* Ours, whole, and of a version that we know: in the copy, so that the backup stays as it is. */
static int prepare(struct db *db, const char *name, const char *folder, int64_t now_ms,
                   ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *home = mem_copy_text(folder);
    struct store store = {.db = db, .home = home};
    if (!home)
        return error_nomem(err);
    int rc = schema_ask(db, &schema_ctcd, name, err);
    if (rc == CTCD_AGAIN)
        rc = schema_upgrade(db, &schema_ctcd, name, err);
    if (!rc && (rc = store_check(&store, err)))
        error_prefix(err, "the backup %s", name);
    if (!rc)
        rc = end_runs(&store, now_ms, err);
    return rc;
}

static int copy_in(const char *from, const char *beside, const char *folder, int64_t now_ms,
                   ctcd_error **err) {
    _cleanup_(db_done) struct db *backup = NULL;
    _cleanup_(db_done) struct db *copy = NULL;
    int rc = db_open(from, &backup, err);
    if (!rc)
        rc = db_open(beside, &copy, err);
    if (!rc)
        rc = db_copy(backup, copy, err);
    if (rc == CTCD_E_CORRUPT) /* of the two, the copy is new */
        return error_set(err, rc, "name a file that ctcd backup has made, and that is whole",
                         "%s is no backup, or a damaged one", from);
    if (!rc)
        rc = db_leave_wal(copy, err);
    if (!rc)
        rc = prepare(copy, from, folder, now_ms, err);
    return rc;
}

int store_restore_look(const char *folder, bool *ret_there, bool *ret_used, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = path_join(folder, HOME_STORE);
    _cleanup_(db_done) struct db *db = NULL;
    struct stat st;
    if (!path)
        return error_nomem(err);
    *ret_used = false;
    *ret_there = lstat(path, &st) == 0;
    if (!*ret_there)
        return errno == ENOENT ? 0 : error_system(err, errno, "%s", path);
    /* Without its log a store can be used by one only: SQLite refuses where others have it open. What is
       damaged cannot be asked, and nobody can use it. */
    int rc = db_open(path, &db, NULL);
    if (!rc) {
        db_set_wait(db, 0);
        rc = db_leave_wal(db, NULL);
    }
    *ret_used = rc == CTCD_E_CONFLICT;
    return rc == CTCD_E_NOMEM ? error_nomem(err) : 0;
}

/* What restores that died have left. Nobody else makes such files in a home, and we have it for ourselves. */
static void remove_left(const char *folder) {
    static const char begin[] = HOME_STORE ".new-";
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (text_starts(entry->d_name, begin))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        (void)closedir(dir);
}

int store_restore_make(const char *folder, const char *from, int64_t now_ms, char **ret_made,
                       ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = path_join(folder, HOME_STORE);
    _cleanup_(mem_free_ptr) char *beside = NULL;
    struct stat st;
    if (!path)
        return error_nomem(err);
    if (stat(from, &st))
        return error_system(err, errno, "%s", from);
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return error_set(err, CTCD_E_INVALID, "name a file that ctcd backup has made",
                         "%s is no backup", from);
    remove_left(folder);
    int rc = name_beside(path, &beside, err);
    if (!rc)
        rc = make_empty(beside, err);
    if (rc)
        return rc;
    rc = copy_in(from, beside, folder, now_ms, err);
    if (rc)
        remove_all(beside);
    else
        *ret_made = mem_steal(&beside);
    return rc;
}

int store_restore_place(const char *folder, const char *made, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *path = path_join(folder, HOME_STORE);
    int rc = path ? 0 : error_nomem(err);
    if (!rc) {
        remove_with(path, "-wal"); /* of another store: it would be taken for the new one's */
        remove_with(path, "-shm");
        remove_with(path, "-journal");
        rc = give_name(made, path, err);
    }
    remove_all(made);
    return rc;
}
