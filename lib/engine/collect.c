/* See collect.h. Runs beyond the retention, old events, and the order of it all. Called by api/house.c. */
#include "engine/collect.h"

#include <stdlib.h>
#include <string.h>

#include "engine/run.h"
#include "io/tree.h"
#include "store/retention.h"

static void removal_free(void *object) {
    mem_free(((ctcd_removal *)object)->name);
}

static struct json *removal_to_json(const void *object) {
    const ctcd_removal *r = object;
    struct json *json = json_new_object();
    if (json_set_text(json, "kind", r->kind) && json_set_text(json, "name", r->name) &&
        json_set_int(json, "bytes", r->bytes) && json_set_int(json, "count", r->count))
        return json;
    return json_unref(json);
}

static const char *removal_label(const void *object) {
    return ((const ctcd_removal *)object)->name;
}

const struct object_kind REMOVAL_KIND = {"removal", removal_free, removal_to_json, removal_label};

int collect_add(struct collector *c, const char *kind, const char *name, int64_t bytes,
                int64_t count, ctcd_error **err) {
    _cleanup_(object_done) ctcd_removal *r = object_new(c->ctx, &REMOVAL_KIND, sizeof(*r));
    if (!r || !(r->name = mem_copy_text(name)))
        return error_nomem(err);
    r->kind = kind;
    r->bytes = bytes;
    r->count = count;
    return object_list_take(c->removed, mem_steal(&r)) ? 0 : error_nomem(err);
}

int collect_folder(struct collector *c, const char *kind, const char *name, const char *path,
                   ctcd_error **err) {
    _cleanup_(error_done) ctcd_error *why = NULL;
    int64_t bytes = 0;
    int rc = tree_bytes(path, &bytes, &why);
    if (!rc && !c->dry)
        rc = tree_remove(path, &why);
    if (rc == CTCD_E_NOMEM)
        return error_nomem(err);
    if (!rc)
        return collect_add(c, kind, name, bytes, 1, err);
    context_log(c->ctx, CTCD_LOG_WARNING, "%s", error_message(why));
    return 0;
}

/* ---- runs ------------------------------------------------------------------------------------- */

static int by_uuid(const void *key, const void *item) {
    return strncmp(key, ((const struct store_old_run *)item)->uuid, 36);
}

/* A candidate that stays has a name no more. */
static bool spare(struct store_old_runs *old, const char *uuid) {
    struct store_old_run *run = bsearch(uuid, old->items, old->count, sizeof(*run), by_uuid);
    if (!run || !run->name)
        return false;
    mem_free(run->name);
    run->name = NULL;
    return true;
}

static bool goes(const struct store_old_runs *old, const char *uuid) {
    const struct store_old_run *run = bsearch(uuid, old->items, old->count, sizeof(*run), by_uuid);
    return run && run->name;
}

/* The runs whose folders these texts name stay. A text of a run that goes itself does not count; so this is
   repeated until it changes nothing. */
static bool spare_used(struct store_old_runs *old, const struct store_uses *uses) {
    bool changed = false;
    for (size_t i = 0; old->count && i < uses->count; i++) {
        if (uses->items[i].run[0] && goes(old, uses->items[i].run))
            continue;
        for (const char *at = uses->items[i].text; (at = strstr(at, "/runs/"));) {
            at += strlen("/runs/");
            if (strlen(at) >= 36)
                changed = spare(old, at) || changed;
        }
    }
    return changed;
}

static int choose_runs(struct collector *c, const struct retention *retention,
                       struct store_old_runs *ret, ctcd_error **err) {
    _cleanup_(store_uses_done) struct store_uses artifacts = {0};
    _cleanup_(store_uses_done) struct store_uses revisions = {0};
    int64_t before =
        retention->runs_older_ms < 0 ? INT64_MAX : context_wall(c->ctx) - retention->runs_older_ms;
    int rc = store_retention_runs(c->store, retention->keep_runs, before, ret, err);
    if (!rc)
        rc = store_retention_revisions(c->store, &revisions, err);
    if (!rc)
        rc = store_retention_artifacts(c->store, &artifacts, err);
    if (rc)
        return rc;
    spare_used(ret, &revisions);
    while (spare_used(ret, &artifacts))
        ;
    return 0;
}

/* Chosen and removed in one transaction: nothing comes to need one of them in between. */
static int remove_records(struct collector *c, const struct retention *retention,
                          struct store_old_runs *ret, ctcd_error **err) {
    int rc = c->dry ? store_begin_read(c->store, err) : store_begin(c->store, err);
    if (rc)
        return rc;
    rc = choose_runs(c, retention, ret, err);
    for (size_t i = 0; !rc && !c->dry && i < ret->count; i++)
        if (ret->items[i].name && (rc = store_run_remove(c->store, ret->items[i].uuid, err)) > 0)
            rc = 0;
    if (!rc && !c->dry)
        return store_commit(c->store, err);
    store_rollback(c->store);
    return rc;
}

static int collect_runs(struct collector *c, const struct retention *retention, ctcd_error **err) {
    _cleanup_(store_old_runs_done) struct store_old_runs old = {0};
    if (retention->keep_runs < 0 && retention->runs_older_ms < 0)
        return 0;
    int rc = remove_records(c, retention, &old, err);
    for (size_t i = 0; !rc && i < old.count; i++) {
        if (!old.items[i].name)
            continue;
        _cleanup_(mem_free_ptr) char *folder = run_folder(c->ctx, old.items[i].uuid);
        rc = folder ? collect_folder(c, "run", old.items[i].name, folder, err) : error_nomem(err);
    }
    return rc;
}

static int collect_events(struct collector *c, const struct retention *retention,
                          ctcd_error **err) {
    int64_t count = 0;
    if (retention->events_older_ms < 0)
        return 0;
    int rc = store_retention_events(c->store, context_wall(c->ctx) - retention->events_older_ms,
                                    c->dry, &count, err);
    return rc || !count ? rc : collect_add(c, "events", "", 0, count, err);
}

int collect(ctcd_context *ctx, const struct retention *retention, ctcd_list **ret,
            ctcd_error **err) {
    struct collector c = {.ctx = ctx, .dry = retention->dry};
    _cleanup_(object_done) ctcd_list *removed = object_list_new(ctx, &REMOVAL_KIND);
    if (!removed)
        return error_nomem(err);
    c.removed = removed;
    int rc = context_store(ctx, &c.store, err);
    if (!rc)
        rc = collect_runs(&c, retention, err);
    if (!rc)
        rc = collect_runs_folders(&c, err);
    if (!rc)
        rc = collect_services(&c, err);
    if (!rc)
        rc = collect_models(&c, err);
    if (!rc)
        rc = collect_events(&c, retention, err);
    if (!rc)
        *ret = mem_steal(&removed);
    return rc;
}
