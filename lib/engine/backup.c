/* Backup and restore of a home's store (<ctcd/house.h>). Called by api/house.c. */
#include "engine/backup.h"

#include <dirent.h>
#include <string.h>

#include "engine/deploy.h"
#include "io/file.h"
#include "io/lockfile.h"
#include "io/process.h"
#include "io/tree.h"
#include "store/backup.h"
#include "store/home.h"

int home_backup(ctcd_context *ctx, const char *path, ctcd_error **err) {
    struct store *store = NULL;
    int rc = context_store(ctx, &store, err);
    return rc ? rc : store_backup(store, path, err);
}

static int in_use(const char *home, const char *how, ctcd_error **err) {
    return error_set(err, CTCD_E_CONFLICT,
                     "end the daemon and what else works in it, and stop what it serves",
                     "the home %s is in use: %s", home, how);
}

/* Is one of the locks in the folders of this folder held? */
static int locks_held(const char *home, const char *name, bool *ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = path_join(home, name);
    DIR *dir = folder ? opendir(folder) : NULL;
    int rc = folder ? 0 : error_nomem(err);
    for (struct dirent *entry; dir && !rc && !*ret && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        _cleanup_(mem_free_ptr) char *lock = mem_text("%s/%s/lock", folder, entry->d_name);
        rc = lock ? lockfile_held(lock, ret, err) : error_nomem(err);
    }
    if (dir)
        (void)closedir(dir);
    return rc;
}

/* The lock of the scheduler is taken: as long as it is ours, no daemon begins. */
static int refuse_users(const char *home, struct lockfile **ret_lock, ctcd_error **err) {
    _cleanup_(child_processes_done) struct child_processes all = {0};
    _cleanup_(mem_free_ptr) char *path = path_join(home, "scheduler.lock");
    bool held = false;
    if (!path)
        return error_nomem(err);
    int rc = lockfile_try(path, ret_lock, err);
    if (rc == CTCD_AGAIN)
        return in_use(home, "a daemon runs", err);
    if (!rc)
        rc = locks_held(home, "services", &held, err);
    if (!rc)
        rc = locks_held(home, "runs", &held, err);
    if (!rc && held)
        return in_use(home, "somebody works at a service or a run", err);
    if (!rc)
        rc = child_find(home, &all, err);
    if (!rc && all.count)
        return in_use(home, "servers or steps run", err);
    return rc;
}

int home_restore(ctcd_context *ctx, const char *from, uint32_t flags, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *wanted = NULL;
    _cleanup_(mem_free_ptr) char *home = NULL;
    _cleanup_(mem_free_ptr) char *services = NULL;
    _cleanup_(mem_free_ptr) char *made = NULL;
    _cleanup_(lockfile_done) struct lockfile *lock = NULL;
    bool there = false, used = false;
    if (ctx->store)
        return error_set(err, CTCD_E_CONFLICT, "restore before anything else is done with it",
                         "the home %s is open in this context", ctx->home);
    int rc = store_home_path(ctx->wanted_home, &wanted, err);
    if (!rc)
        rc = home_folder(wanted, 0, &home, err);
    if (!rc)
        rc = refuse_users(home, &lock, err);
    if (!rc)
        rc = store_restore_look(home, &there, &used, err);
    if (rc)
        return rc;
    if (there && !(flags & CTCD_RESTORE_FORCE))
        return error_set(err, CTCD_E_EXISTS, "choose another folder with --home, or --force",
                         "the home %s has a store", home);
    if (used)
        return in_use(home, "its store is open", err);
    services = path_join(home, "services");
    if (!services)
        return error_nomem(err);
    rc = store_restore_make(home, from, context_wall(ctx), &made, err);
    if (rc)
        return rc;
    /* Their logs, and which starts there were, which the restored store does not know of: it would give the
       same numbers again. So they go before it is there; the old one misses nothing but logs of what does not run.
       Where this fails the store is restored all the same. */
    ctcd_error *left = NULL;
    if (tree_remove(services, &left))
        context_log(ctx, CTCD_LOG_WARNING, "%s", error_message(left));
    error_done(&left);
    return store_restore_place(home, made, err);
}
