/* Folders that nothing needs: of runs and services without a record, of revisions that were taken down, copies
   of models that no live revision is served from (collect.h). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/strv.h"
#include "base/text.h"
#include "engine/collect.h"
#include "engine/deploy.h"
#include "engine/run.h"
#include "io/file.h"
#include "store/retention.h"

#define ASIDE ".gc-"

/* The folders in this one, as they were when it was begun to be read; none where it is not there. */
static int folders_in(const char *path, char ***ret, ctcd_error **err) {
    _cleanup_(strv_done) char **names = NULL;
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : error_system(err, errno, "%s", path);
    bool kept = true;
    for (struct dirent *entry; kept && (entry = readdir(dir));) {
        struct stat st;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(st.st_mode))
            kept = strv_add(&names, entry->d_name);
    }
    (void)closedir(dir);
    if (!kept)
        return error_nomem(err);
    *ret = mem_steal(&names);
    return 0;
}

/* 8-4-4-4-12 digits: what is called otherwise was not made by us. */
static bool is_uuid(const char *name) {
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? name[i] != '-' : !name[i] || !strchr("0123456789abcdef", name[i]))
            return false;
    }
    return name[36] == '\0';
}

/* ---- runs ------------------------------------------------------------------------------------- */

int collect_runs_folders(struct collector *c, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *root = context_path(c->ctx, "runs", NULL);
    _cleanup_(strv_done) char **names = NULL;
    int rc = root ? folders_in(root, &names, err) : error_nomem(err);
    for (char **name = names; !rc && name && *name; name++) {
        _cleanup_(mem_free_ptr) char *path = path_join(root, *name);
        bool known = true, live = false;
        if (!is_uuid(*name))
            continue;
        rc = path ? store_has_run(c->store, *name, &known, err) : error_nomem(err);
        if (!rc && !known)
            rc = run_live(c->ctx, *name, &live, err);
        if (!rc && !known && !live)
            rc = collect_folder(c, "run_folder", *name, path, err);
    }
    return rc;
}

/* ---- services --------------------------------------------------------------------------------- */

/* Needed for a start, for its log, or something of it may run. */
static bool needs_folder(const struct store_revisions *all, const struct store_revision *current,
                         const char *name) {
    char own[32];
    for (size_t i = 0; i < all->count; i++) {
        const struct store_revision *r = &all->items[i];
        (void)snprintf(own, sizeof own, "r%" PRId64, r->number);
        if (strcmp(own, name) != 0)
            continue;
        return r->number == current->number ||
               (r->state != STORE_REVISION_STOPPED && r->state != STORE_REVISION_FAILED);
    }
    return false;
}

static int collect_revisions(struct collector *c, const struct store_service *service,
                             const char *folder, ctcd_error **err) {
    _cleanup_(store_revisions_done) struct store_revisions all = {0};
    _cleanup_(store_revision_done) struct store_revision current = {0};
    _cleanup_(store_operation_done) struct store_operation left = {0};
    _cleanup_(strv_done) char **names = NULL;
    int rc = store_operation_get_open(c->store, service->uuid, &left, err);
    if (rc != CTCD_NONE)
        return rc; /* whoever resolves it decides what becomes of them */
    rc = store_revision_list(c->store, service->uuid, &all, err);
    if (!rc && (rc = service_revision(c->store, service, &current, err)) == CTCD_NONE)
        rc = 0;
    if (!rc)
        rc = folders_in(folder, &names, err);
    for (char **name = names; !rc && name && *name; name++) {
        int64_t number;
        if ((*name)[0] != 'r' || !text_to_int64(*name + 1, &number) ||
            needs_folder(&all, &current, *name))
            continue;
        _cleanup_(mem_free_ptr) char *path = path_join(folder, *name);
        _cleanup_(mem_free_ptr) char *shown = mem_text("%s/%s", service->uuid, *name);
        rc = path && shown ? collect_folder(c, "revision_folder", shown, path, err)
                           : error_nomem(err);
    }
    return rc;
}

/* Under its lock; where somebody has that, all of it stays. */
static int collect_service(struct collector *c, const char *uuid, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *folder = service_folder(c->ctx, uuid);
    _cleanup_(mem_free_ptr) char *path = context_path(c->ctx, "services", uuid, "lock", NULL);
    _cleanup_(lockfile_done) struct lockfile *lock = NULL;
    _cleanup_(store_service_done) struct store_service service = {0};
    if (!folder || !path)
        return error_nomem(err);
    bool live = false;
    int rc = c->dry ? mutation_live(c->ctx, uuid, &live, err) : lockfile_try(path, &lock, err);
    if (live)
        return 0;
    if (rc == CTCD_E_NOT_FOUND) { /* it has just been deleted */
        error_done(err);
        return 0;
    }
    if (rc)
        return rc == CTCD_AGAIN ? 0 : rc;
    rc = store_service_get(c->store, uuid, &service, err);
    if (rc != CTCD_E_NOT_FOUND)
        return rc ? rc : collect_revisions(c, &service, folder, err);
    error_done(err);
    return collect_folder(c, "service_folder", uuid, folder, err);
}

int collect_services(struct collector *c, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *root = context_path(c->ctx, "services", NULL);
    _cleanup_(strv_done) char **names = NULL;
    int rc = root ? folders_in(root, &names, err) : error_nomem(err);
    for (char **name = names; !rc && name && *name; name++)
        if (is_uuid(*name))
            rc = collect_service(c, *name, err);
    return rc;
}

/* ---- models ----------------------------------------------------------------------------------- */

/* Does somebody work at a service? He may be about to serve a copy that no record names yet. */
static int anybody_deploys(struct collector *c, bool *ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *root = context_path(c->ctx, "services", NULL);
    _cleanup_(strv_done) char **names = NULL;
    int rc = root ? folders_in(root, &names, err) : error_nomem(err);
    *ret = false;
    for (char **name = names; !rc && !*ret && name && *name; name++)
        rc = mutation_live(c->ctx, *name, ret, err);
    return rc;
}

static int is_used(struct collector *c, const char *model, bool *ret, ctcd_error **err) {
    _cleanup_(store_uses_done) struct store_uses uses = {0};
    int rc = anybody_deploys(c, ret, err);
    if (!rc && !*ret)
        rc = store_retention_revisions(c->store, &uses, err);
    for (size_t i = 0; !rc && !*ret && i < uses.count; i++)
        *ret = strstr(uses.items[i].text, model) != NULL;
    return rc;
}

/* Put aside first, then looked at once more: who has come meanwhile either finds it not there and fetches it
   anew, or is seen, and gets it back. */
static int collect_model(struct collector *c, const char *root, const char *name,
                         ctcd_error **err) {
    bool aside = text_starts(name, ASIDE), used = true; /* aside: by a gc that died */
    const char *model = aside ? name + strlen(ASIDE) : name;
    _cleanup_(mem_free_ptr) char *path = path_join(root, model);
    _cleanup_(mem_free_ptr) char *away = mem_text("%s/" ASIDE "%s", root, model);
    if (!path || !away)
        return error_nomem(err);
    int rc = is_used(c, model, &used, err);
    if (!rc && used && aside && !c->dry)
        (void)rename(away, path);
    if (rc || used)
        return rc;
    if (c->dry)
        return collect_folder(c, "model", model, aside ? away : path, err);
    if (!aside && rename(path, away))
        return errno == ENOENT ? 0 : error_system(err, errno, "%s", path);
    rc = is_used(c, model, &used, err);
    if (!rc && !used)
        return collect_folder(c, "model", model, away, err);
    (void)rename(away, path); /* where there is a new one, this one goes at the next time */
    return rc;
}

int collect_models(struct collector *c, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *root = context_path(c->ctx, "deployers", NULL);
    _cleanup_(strv_done) char **flavors = NULL;
    int rc = root ? folders_in(root, &flavors, err) : error_nomem(err);
    for (char **flavor = flavors; !rc && flavor && *flavor; flavor++) {
        _cleanup_(mem_free_ptr) char *models = mem_text("%s/%s/models", root, *flavor);
        _cleanup_(strv_done) char **names = NULL;
        rc = models ? folders_in(models, &names, err) : error_nomem(err);
        for (char **name = names; !rc && name && *name; name++)
            if (strlen(*name) >= 16 && strcmp(*name, "incoming") != 0)
                rc = collect_model(c, models, *name, err);
    }
    return rc;
}
