/* See doctor.h. What is found as objects; the order of looking; store and disk. Called by api/house.c. */
#include "engine/doctor.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "io/file.h"
#include "store/home.h"
#include "store/store.h"

#define SPACE_ERROR ((uint64_t)16 << 20)    /* the store cannot take much more */
#define SPACE_WARNING ((uint64_t)256 << 20) /* the next model may be the last */

/* ---- findings --------------------------------------------------------------------------------- */

static void finding_free(void *object) {
    ctcd_finding *f = object;
    mem_free(f->where);
    mem_free(f->message);
    mem_free(f->next);
}

static struct json *finding_to_json(const void *object) {
    const ctcd_finding *f = object;
    struct json *json = json_new_object();
    if (json_set_text(json, "kind", f->kind) && json_set_text(json, "severity", f->severity) &&
        json_set_text(json, "where", f->where) && json_set_text(json, "message", f->message) &&
        json_set_text(json, "next", f->next) && json_set_bool(json, "fixable", f->fixable) &&
        json_set_bool(json, "fixed", f->fixed))
        return json;
    return json_unref(json);
}

static const char *finding_label(const void *object) {
    return ((const ctcd_finding *)object)->where;
}

const struct object_kind FINDING_KIND = {"finding", finding_free, finding_to_json, finding_label};

int doctor_add(struct doctor *d, const char *kind, const char *severity, char *where, char *message,
               char *next, ctcd_finding **ret) {
    ctcd_finding *f = object_new(d->ctx, &FINDING_KIND, sizeof(*f));
    if (!f || !where || !message || !next) {
        mem_free(where);
        mem_free(message);
        mem_free(next);
        object_unref(f);
        return CTCD_E_NOMEM;
    }
    f->kind = kind;
    f->severity = severity;
    f->where = where;
    f->message = message;
    f->next = next;
    if (!object_list_take(d->found, f))
        return CTCD_E_NOMEM;
    if (ret)
        *ret = f;
    return 0;
}

static bool replace(char **place, char *text) {
    if (!text)
        return false;
    mem_free(*place);
    *place = text;
    return true;
}

int doctor_mended(ctcd_finding *finding, int rc, ctcd_error *why, ctcd_error **err) {
    _cleanup_(error_done) ctcd_error *owned = why;
    finding->fixed = rc == 0;
    if (rc == CTCD_E_NOMEM)
        return error_nomem(err);
    if (!rc)
        return replace(&finding->next, mem_copy_text("")) ? 0 : error_nomem(err);
    bool told = replace(&finding->message, mem_text("%s; mending it failed: %s", finding->message,
                                                    error_message(owned)));
    if (told && error_hint_text(owned))
        told = replace(&finding->next, mem_copy_text(error_hint_text(owned)));
    return told ? 0 : error_nomem(err);
}

/* ---- the home --------------------------------------------------------------------------------- */

/* Where it is; NOT_FOUND: it is not there, and is not made by looking. */
static int find_home(struct doctor *d, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *wanted = NULL;
    int rc = d->ctx->home ? 0 : store_home_path(d->ctx->wanted_home, &wanted, err);
    if (rc)
        return rc;
    const char *path = d->ctx->home ? d->ctx->home : wanted;
    if (!file_exists(path))
        return error_set(err, CTCD_E_NOT_FOUND,
                         "it is made by the first command that changes something",
                         "there is no home %s", path);
    return file_real_path(path, &d->home, err);
}

static int look_at_file_system(struct doctor *d, ctcd_error **err) {
    const char *network = file_network(d->home);
    if (!network)
        return 0;
    int rc = doctor_add(
        d, "file_system", DOCTOR_ERROR, mem_copy_text(d->home),
        mem_text("the home lies on a network file system (%s), where locks cannot be trusted",
                 network),
        mem_copy_text("choose a folder on a local disk with CTCD_HOME"), NULL);
    return rc ? error_nomem(err) : 0;
}

const char *doctor_space(uint64_t free_bytes) {
    return free_bytes < SPACE_ERROR     ? DOCTOR_ERROR
           : free_bytes < SPACE_WARNING ? DOCTOR_WARNING
                                        : NULL;
}

static int look_at_disk(struct doctor *d, ctcd_error **err) {
    struct statvfs disk;
    if (statvfs(d->home, &disk))
        return error_system(err, errno, "%s", d->home);
    uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    const char *severity = doctor_space(left);
    if (!severity)
        return 0;
    int rc = doctor_add(d, "disk_space", severity, mem_copy_text(d->home),
                        mem_text("%llu MiB are left on its disk", (unsigned long long)(left >> 20)),
                        mem_copy_text("free some space; `ctcd gc --dry-run` tells what it could "
                                      "remove"),
                        NULL);
    return rc ? error_nomem(err) : 0;
}

/* ---- the store -------------------------------------------------------------------------------- */

static int tell_store(struct doctor *d, int why, const ctcd_error *said, ctcd_error **err) {
    const char *kind = why == CTCD_E_NEWER || why == CTCD_E_NOT_SUPPORTED ? "schema" : "store";
    const char *hint = error_hint_text(said);
    ctcd_finding *finding = NULL;
    int rc = doctor_add(d, kind, why == CTCD_E_NOT_SUPPORTED ? DOCTOR_WARNING : DOCTOR_ERROR,
                        path_join(d->home, HOME_STORE), mem_copy_text(error_message(said)),
                        mem_copy_text(hint ? hint : ""), &finding);
    if (rc)
        return error_nomem(err);
    finding->fixable = why == CTCD_E_NOT_SUPPORTED;
    return 0;
}

/* What others may write to is not opened, and told by its permissions already. */
static bool told_already(const struct doctor *d, int why) {
    return why == CTCD_E_NOT_ALLOWED && object_list_count(d->found) > 0;
}

/* CTCD_NONE: it cannot be looked into, as told. */
static int open_store(struct doctor *d, ctcd_error **err) {
    _cleanup_(error_done) ctcd_error *said = NULL;
    struct store *store = NULL;
    uint32_t flags = STORE_MUST_EXIST | (d->fixes ? 0 : STORE_AS_IT_IS);
    int rc = context_store_as(d->ctx, flags, &store, &said);
    if (!rc)
        rc = store_check(store, &said);
    if (!rc) {
        d->store = store;
        return 0;
    }
    if (rc == CTCD_E_NOMEM)
        return error_nomem(err);
    if (rc == CTCD_E_NOT_FOUND || rc == CTCD_E_FORKED) {
        if (err)
            *err = mem_steal(&said);
        return rc;
    }
    rc = told_already(d, rc) ? 0 : tell_store(d, rc, said, err);
    return rc ? rc : CTCD_NONE;
}

static int examine(struct doctor *d, ctcd_error **err) {
    static int (*const looks[])(struct doctor *, ctcd_error **) = {
        doctor_inner_files, look_at_disk, doctor_operations, doctor_runs,
        doctor_processes,   doctor_ports, doctor_programs,
    };
    int rc = find_home(d, err);
    if (!rc)
        rc = look_at_file_system(d, err);
    if (!rc)
        rc = doctor_outer_files(d, err);
    if (!rc)
        rc = open_store(d, err);
    for (size_t i = 0; !rc && i < sizeof looks / sizeof *looks; i++)
        rc = looks[i](d, err);
    return rc == CTCD_NONE ? 0 : rc;
}

int doctor_examine(ctcd_context *ctx, uint32_t flags, int64_t timeout_ms, ctcd_list **ret,
                   ctcd_error **err) {
    struct doctor d = {.ctx = ctx, .fixes = flags & CTCD_DOCTOR_FIX, .timeout_ms = timeout_ms};
    _cleanup_(object_done) ctcd_list *found = object_list_new(ctx, &FINDING_KIND);
    if (!found)
        return error_nomem(err);
    d.found = found;
    int rc = examine(&d, err);
    mem_free(d.home);
    if (!rc)
        *ret = mem_steal(&found);
    return rc;
}
