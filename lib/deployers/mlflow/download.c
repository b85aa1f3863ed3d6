/* See download.h. One entry after the other, in the order of the listing: a folder is made and listed, what
   it holds is put at the end of the line; a file is fetched. */
#include "deployers/mlflow/download.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "deployers/mlflow/model.h"
#include "deployers/mlflow/source.h"

#define SCHEME "mlflow-artifacts:"
#define PROXY "/api/2.0/mlflow-artifacts/artifacts"
#define SERVE_HINT                                                                                 \
    "let the tracking server hand out artifacts (mlflow server --serve-artifacts "                 \
    "--artifacts-destination ...), or fetch it yourself: mlflow artifacts download -u URI -d "     \
    "FOLDER"

/* ---- beginning ------------------------------------------------------------------------------------ */

/* "http://host:5000/prefix" -> "host:5000" */
static bool is_host_of(const char *uri, const char *host, size_t size) {
    const char *at = strstr(uri, "://");
    at = at ? at + 3 : uri;
    return strcspn(at, "/") == size && strncmp(at, host, size) == 0;
}

/* mlflow-artifacts:/path, or mlflow-artifacts://HOST:PORT/path of this very server. */
static int root_of(const struct registry *r, const char *artifacts, char **ret, ctcd_error **err) {
    if (!text_starts(artifacts, SCHEME))
        return error_set(err, CTCD_E_NOT_SUPPORTED, SERVE_HINT,
                         "the model's files are at %.300s, which the tracking server does not hand "
                         "out",
                         artifacts);
    const char *path = artifacts + strlen(SCHEME);
    if (text_starts(path, "//")) {
        size_t size = strcspn(path + 2, "/");
        if (size && !is_host_of(r->backend->tracking.uri, path + 2, size))
            return error_set(err, CTCD_E_NOT_SUPPORTED,
                             "let the model deployer ask that server: tracking_uri",
                             "the model's files are handed out by another server, %.*s",
                             size < 300 ? (int)size : 300, path + 2);
        path += 2 + size;
    }
    path += strspn(path, "/");
    size_t size = strlen(path);
    while (size && path[size - 1] == '/')
        size--;
    _cleanup_(mem_free_ptr) char *root = mem_text("%.*s", (int)size, path);
    if (!root)
        return error_nomem(err);
    if (!source_path_is_safe(root))
        return error_set(err, CTCD_E_PROTOCOL, "the artifacts of this model cannot be trusted",
                         "the tracking server names \"%.300s\" as the place of its files",
                         artifacts);
    *ret = mem_steal(&root);
    return 0;
}

int download_begin(struct download *d, struct registry *registry, const char *artifacts,
                   ctcd_error **err) {
    const char *folder = NULL;
    d->registry = registry;
    int rc = root_of(registry, artifacts, &d->root, err);
    if (!rc) {
        rc = ctcd_call_folder(registry->call, &folder);
        if (rc)
            return error_set(err, rc, NULL, "there is no folder for models");
    }
    return rc ? rc : staging_begin(&d->staging, folder, err);
}

void download_done(struct download *d) {
    staging_done(&d->staging);
    mem_free(d->root);
    mem_free(d->folder);
    d->root = d->folder = NULL;
}

/* ---- listing -------------------------------------------------------------------------------------- */

/* {"path": "MLmodel", "is_dir": false, "file_size": 1300}; sizes may be texts, as 64-bit numbers are in
   protobuf's JSON. */
static int take_entry(struct download *d, const char *below, const struct json *entry,
                      ctcd_error **err) {
    const char *name = json_get_text(entry, "path");
    const struct json *is_dir = json_get(entry, "is_dir"),
                      *file_size = json_get(entry, "file_size");
    bool folder = json_is_true(is_dir);
    int64_t size = -1;
    if (!name || (is_dir && json_kind(is_dir) != JSON_KIND_BOOL))
        return registry_lacks(d->registry, "the model's files", name ? "is_dir" : "path", err);
    if (!folder && !json_is_null(file_size)) {
        const char *text = json_text(file_size);
        if (!(text ? text_to_int64(text, &size) : json_to_int(file_size, &size)) || size < 0)
            return registry_lacks(d->registry, "the model's files", "file_size", err);
    }
    if (strchr(name, '/')) /* one level at a time: what lies deeper would come twice */
        return error_set(err, CTCD_E_PROTOCOL, "the artifacts of this model cannot be trusted",
                         "the tracking server lists \"%.300s\", which could lie outside of the "
                         "model's folder",
                         name);
    _cleanup_(mem_free_ptr) char *path =
        below ? mem_text("%s/%s", below, name) : mem_copy_text(name);
    return path ? staging_announce(&d->staging, path, size, folder,
                                   d->registry->backend->tracking.max_model_bytes, err)
                : error_nomem(err);
}

static int list(struct download *d, const char *below, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    _cleanup_(mem_free_ptr) char *path =
        below ? mem_text("%s/%s", d->root, below) : mem_copy_text(d->root);
    if (!path)
        return error_nomem(err);
    const char *query[] = {"path", path, NULL};
    struct question q = {.path = PROXY, .query = query, .what = "the list of the model's files"};
    int rc = registry_ask(d->registry, &q, &answer, err);
    if (rc)
        return rc;
    const struct json *files = json_get(answer, "files");
    if (files && json_kind(files) != JSON_KIND_ARRAY)
        return registry_lacks(d->registry, "the model's files", "list", err);
    if (json_get_text(answer, "next_page_token"))
        return error_set(err, CTCD_E_NOT_SUPPORTED, SERVE_HINT,
                         "the tracking server lists the model's files in pages");
    for (size_t i = 0; !rc && i < json_size(files); i++)
        rc = take_entry(d, below, json_at(files, i), err);
    if (!rc && !below && !json_size(files))
        rc = error_set(err, CTCD_E_NOT_FOUND, "was the model's upload finished?",
                       "the model has no files at the tracking server (%s)", d->root);
    return rc;
}

/* ---- fetching ------------------------------------------------------------------------------------- */

static int fetch(struct download *d, const struct staged_file *file, ctcd_error **err) {
    char doing[200];
    (void)snprintf(doing, sizeof doing, "fetching the model's files: %zu of %zu", d->next + 1,
                   d->staging.count);
    _cleanup_(mem_free_ptr) char *whole = mem_text("%s/%s", d->root, file->path);
    _cleanup_(mem_free_ptr) char *encoded = whole ? registry_encode(whole, true) : NULL;
    _cleanup_(mem_free_ptr) char *path = encoded ? mem_text(PROXY "/%s", encoded) : NULL;
    if (!path)
        return error_nomem(err);
    int64_t left = d->registry->backend->tracking.max_model_bytes - d->staging.announced;
    struct question q = {
        .path = path,
        .what = file->path,
        .take = staging_write,
        .take_data = &d->staging,
        .max_answer = (size_t)(file->size >= 0 ? file->size + 1
                               : left > 0      ? left
                                               : 1),
    };
    ctcd_call_progress(d->registry->call, doing);
    return registry_ask(d->registry, &q, NULL, err);
}

static int step_file(struct download *d, ctcd_error **err) {
    int rc = d->staging.open ? 0 : staging_open(&d->staging, d->next, err);
    if (!rc)
        rc = fetch(d, &d->staging.files[d->next], err);
    if (rc == CTCD_AGAIN || rc == CTCD_E_NOMEM)
        return rc;
    if (rc && !d->staging.os_errno) /* what could not be written is told by the closing */
        return rc;
    rc = staging_close(&d->staging, d->next, err);
    if (!rc && d->staging.files[d->next].size < 0)
        d->staging.announced += d->staging.written;
    return rc;
}

static int step_folder(struct download *d, ctcd_error **err) {
    int rc = d->listed ? 0 : staging_open(&d->staging, d->next, err);
    if (rc)
        return rc;
    d->listed = true; /* it is made: only the listing is still to come */
    _cleanup_(mem_free_ptr) char *below = mem_copy_text(d->staging.files[d->next].path);
    rc = below ? list(d, below, err) : error_nomem(err);
    if (!rc)
        d->listed = false;
    return rc;
}

/* The folder that it comes in by is nothing for people. */
static int say_model(const struct download *d, int rc, ctcd_error **err) {
    const char *text = error_message(*err), *at = strstr(text, d->staging.folder);
    if (!at)
        return rc;
    _cleanup_(error_done) ctcd_error *before = error_ref(*err);
    return error_set(err, rc, error_hint_text(before), "%.*sthe model%s", (int)(at - text), text,
                     at + strlen(d->staging.folder));
}

static int place(struct download *d, ctcd_error **err) {
    int rc = model_check(d->staging.folder, err);
    if (rc)
        return rc == CTCD_E_NOMEM ? rc : say_model(d, rc, err);
    return staging_finish(&d->staging, d->digest, &d->folder, err);
}

int download_step(struct download *d, ctcd_error **err) {
    int rc = 0;
    if (!d->staging.count) {
        ctcd_call_progress(d->registry->call, "listing the model's files");
        rc = list(d, NULL, err);
    }
    while (!rc && d->next < d->staging.count) {
        rc = d->staging.files[d->next].folder ? step_folder(d, err) : step_file(d, err);
        d->next += rc == 0;
    }
    return rc ? rc : place(d, err);
}
