/* examine: is there a Python, and does its virtual environment have MLflow? It is looked for, not asked:
   starting Python takes seconds. */
#include <dirent.h>
#include <string.h>

#include "base/text.h"
#include "deployers/mlflow/backend.h"
#include "deployers/mlflow/model.h"
#include "io/file.h"

static const char hint[] =
    "install mlflow (or mlflow-skinny) into it: python -m pip install mlflow";

/* One that sees the system's packages, too, may have it from there. */
static bool stands_alone(const char *root) {
    _cleanup_(mem_free_ptr) char *path = path_join(root, "pyvenv.cfg");
    _cleanup_(mem_free_ptr) char *text = NULL;
    return path && !file_read(path, 1 << 16, 0, &text, NULL, NULL) &&
           !strstr(text, "include-system-site-packages = true");
}

static bool has_entry(const char *folder, const char *const *prefixes) {
    bool has = false;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && !has && (entry = readdir(dir));)
        for (const char *const *p = prefixes; *p && !has; p++)
            has = text_starts(entry->d_name, *p);
    if (dir)
        (void)closedir(dir);
    return has;
}

/* In lib/python3.X/site-packages, whichever X; true also where it cannot be told. */
static bool has_mlflow(const char *root) {
    static const char *const packages[] = {"mlflow-", "mlflow_skinny-", "mlflow.", "mlflow", NULL};
    _cleanup_(mem_free_ptr) char *lib = path_join(root, "lib");
    DIR *dir = lib ? opendir(lib) : NULL;
    bool looked = false, has = false;
    for (struct dirent *entry; dir && !has && (entry = readdir(dir));) {
        if (!text_starts(entry->d_name, "python3"))
            continue;
        _cleanup_(mem_free_ptr) char *site = mem_text("%s/%s/site-packages", lib, entry->d_name);
        looked = looked || (site && file_is_folder(site));
        has = site && has_entry(site, packages);
    }
    if (dir)
        (void)closedir(dir);
    return has || !looked;
}

int mlflow_examine(void *impl, ctcd_call *call) {
    const struct mlflow *backend = impl;
    _cleanup_(error_done) ctcd_error *err = NULL;
    _cleanup_(mem_free_ptr) char *python = NULL;
    int rc = python_find(backend->python, &python, &err);
    _cleanup_(mem_free_ptr) char *bin = rc ? NULL : path_folder(python);
    _cleanup_(mem_free_ptr) char *root = bin ? path_folder(bin) : NULL;
    if (!rc && !root)
        rc = CTCD_E_NOMEM;
    if (!rc && stands_alone(root) && !has_mlflow(root))
        rc = error_set(&err, CTCD_E_NOT_FOUND, hint, "python: the environment of %s has no MLflow",
                       python);
    return rc ? mlflow_fail(call, rc, &err) : 0;
}
