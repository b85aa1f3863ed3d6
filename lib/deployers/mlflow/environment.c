/* See environment.h. */
#include "deployers/mlflow/environment.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "base/text.h"
#include "deployers/mlflow/model.h"
#include "io/file.h"
#include "io/json.h"
#include "io/secret.h"

#define DIGITS "0123456789"
#define SCORING_SERVER "mlflow/pyfunc/scoring_server/"
#define UVICORN_FROM "2.21" /* the first MLflow that serves with it */

void environment_done(struct environment *environment) {
    mem_free(environment->python);
    mem_free(environment->folder);
    environment->python = environment->folder = NULL;
}

/* ---- which Python --------------------------------------------------------------------------------- */

static int no_environment(const char *folder, const char *why, int code, ctcd_error **err) {
    error_set(err, code, NULL, "virtualenv: %s %s", folder, why);
    error_hint(err,
               "make one with what the model needs: python3 -m venv %s && %s/bin/pip install -r "
               "MODEL/requirements.txt",
               folder, folder);
    return code;
}

/* CTCD_NONE: the deployer's own Python serves. */
static int find_virtualenv(const ctcd_options *options, struct environment *found,
                           ctcd_error **err) {
    const char *manager = options ? ctcd_options_text(options, "env_manager") : NULL;
    const char *folder = options ? ctcd_options_text(options, "virtualenv") : NULL;
    bool wanted = manager && strcmp(manager, "virtualenv") == 0;
    if (manager && !wanted && folder)
        return error_set(err, CTCD_E_INVALID, "leave one of them out",
                         "env_manager: local means the deployer's own Python, and virtualenv names "
                         "%s",
                         folder);
    if (wanted && !folder)
        return error_set(err, CTCD_E_INVALID,
                         "add the option virtualenv: a folder made by python3 -m venv, with what "
                         "the model needs",
                         "env_manager: virtualenv needs the path of one");
    if (!folder)
        return CTCD_NONE;
    if (folder[0] != '/')
        return error_set(err, CTCD_E_INVALID, "begin it with ./ or /",
                         "virtualenv: %s is not an absolute path", folder);
    if (!file_is_folder(folder))
        return file_exists(folder)
                   ? no_environment(folder, "is no folder", CTCD_E_INVALID, err)
                   : no_environment(folder, "does not exist", CTCD_E_NOT_FOUND, err);
    _cleanup_(mem_free_ptr) char *python = path_join(folder, "bin/python");
    found->folder = mem_copy_text(folder);
    if (!python || !found->folder)
        return error_nomem(err);
    int rc = python_find(python, &found->python, NULL);
    if (rc == CTCD_E_NOMEM)
        return error_nomem(err);
    return rc ? no_environment(folder, "has no Python (bin/python)", CTCD_E_INVALID, err) : 0;
}

/* ---- what is in it -------------------------------------------------------------------------------- */

/* One that sees the system's packages, too, may have it from there. */
static bool stands_alone(const char *root) {
    _cleanup_(mem_free_ptr) char *path = path_join(root, "pyvenv.cfg");
    _cleanup_(mem_free_ptr) char *text = NULL;
    return path && !file_read(path, 1 << 16, 0, &text, NULL, NULL) &&
           !strstr(text, "include-system-site-packages = true");
}

struct packages {
    bool looked; /* there is a folder of packages, and it could be read */
    bool mlflow,
        module;     /* it is installed; its folder lies there, too (not so where it is editable) */
    bool app, wsgi; /* its scoring server for uvicorn, for gunicorn */
    bool uvicorn, gunicorn;
    bool failed; /* out of memory */
    char version[32];
};

/* "mlflow-2.20.4.dist-info", "mlflow_skinny-3.17.2.dist-info" */
static void take_entry(struct packages *all, const char *entry) {
    static const char *const names[] = {"mlflow-", "mlflow_skinny-"};
    all->module = all->module || strcmp(entry, "mlflow") == 0;
    all->mlflow = all->mlflow || all->module || text_starts(entry, "mlflow.");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!text_starts(entry, names[i]))
            continue;
        const char *version = entry + strlen(names[i]), *end = strstr(version, ".dist-info");
        all->mlflow = true;
        if (end && strspn(version, DIGITS))
            (void)snprintf(all->version, sizeof all->version, "%.*s", (int)(end - version),
                           version);
    }
}

static bool has(struct packages *all, const char *site, const char *name) {
    _cleanup_(mem_free_ptr) char *path = path_join(site, name);
    all->failed = all->failed || !path;
    return path && file_exists(path);
}

static void look_at_site(struct packages *all, const char *site) {
    DIR *dir = opendir(site);
    if (!dir)
        return;
    all->looked = true;
    for (struct dirent *entry; (entry = readdir(dir));)
        take_entry(all, entry->d_name);
    (void)closedir(dir);
    all->app = has(all, site, SCORING_SERVER "app.py");
    all->wsgi = has(all, site, SCORING_SERVER "wsgi.py");
    all->uvicorn = has(all, site, "uvicorn");
    all->gunicorn = has(all, site, "gunicorn");
}

/* In lib/python3.X/site-packages, whichever X. */
static void look_at_packages(struct packages *all, const char *root) {
    _cleanup_(mem_free_ptr) char *lib = path_join(root, "lib");
    DIR *dir = lib ? opendir(lib) : NULL;
    for (struct dirent *entry; dir && !all->mlflow && (entry = readdir(dir));) {
        if (!text_starts(entry->d_name, "python3"))
            continue;
        _cleanup_(mem_free_ptr) char *site = mem_text("%s/%s/site-packages", lib, entry->d_name);
        all->failed = all->failed || !site;
        if (site)
            look_at_site(all, site);
    }
    all->failed = all->failed || !lib;
    if (dir)
        (void)closedir(dir);
}

/* "2.9.2" is older than "2.21"; "2.21.0" is not. */
static bool is_older(const char *version, const char *than) {
    for (;;) {
        long a = strtol(version, NULL, 10), b = strtol(than, NULL, 10);
        if (a != b)
            return a < b;
        version += strspn(version, DIGITS);
        than += strspn(than, DIGITS);
        if (*than != '.')
            return false;
        than++;
        version += *version == '.';
    }
}

static int check_packages(const struct packages *all, const struct environment *found,
                          ctcd_error **err) {
    if (!all->mlflow)
        return error_set(err, CTCD_E_NOT_FOUND,
                         "install mlflow (or mlflow-skinny) into it: python -m pip install mlflow",
                         "python: the environment of %s has no MLflow", found->python);
    if (!all->module)
        return 0;
    if (!(found->gunicorn ? all->wsgi : all->app))
        return error_set(err, CTCD_E_NOT_SUPPORTED,
                         "install one of MLflow 1.x to 3.x, such as 3.17.2",
                         "python: how a server of MLflow %s starts, which the environment of %s "
                         "has, is not known",
                         found->version, found->python);
    if (found->gunicorn ? all->gunicorn : all->uvicorn)
        return 0;
    error_set(err, CTCD_E_NOT_FOUND, NULL,
              "python: the environment of %s has no %s, with which its MLflow %s serves",
              found->python, found->gunicorn ? "gunicorn" : "uvicorn", found->version);
    error_hint(err, "install it: %s -m pip install %s", found->python,
               found->gunicorn ? "'gunicorn<24' 'flask<3.1'" : "uvicorn fastapi");
    return CTCD_E_NOT_FOUND;
}

static int look_into(struct environment *found, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *bin = path_folder(found->python);
    _cleanup_(mem_free_ptr) char *root = bin ? path_folder(bin) : NULL;
    struct packages all = {0};
    if (!root)
        return error_nomem(err);
    look_at_packages(&all, root);
    if (all.failed)
        return error_nomem(err);
    (void)snprintf(found->version, sizeof found->version, "%s", all.version);
    found->gunicorn = all.version[0] ? is_older(all.version, UVICORN_FROM) : all.wsgi && !all.app;
    return all.looked && stands_alone(root) ? check_packages(&all, found, err) : 0;
}

int environment_find(const struct mlflow *backend, const ctcd_options *options,
                     struct environment *ret, ctcd_error **err) {
    struct environment found = {0};
    int rc = find_virtualenv(options, &found, err);
    if (rc == CTCD_NONE)
        rc = python_find(backend->python, &found.python, err);
    if (!rc)
        rc = look_into(&found, err);
    if (rc)
        environment_done(&found);
    else
        *ret = found;
    return rc;
}

/* ---- what its server finds in its environment ------------------------------------------------------ */

#define VARIABLES_MAX 65536

static int add_variable(const char *name, const char *value, char ***ret, ctcd_error **err) {
    _cleanup_(secret_done) char *secret = NULL;
    _cleanup_(mem_free_ptr) char *option = mem_text("environment: %s", name);
    int rc = !option                      ? error_nomem(err)
             : secret_is_reference(value) ? secret_read(option, value, &secret, err)
                                          : 0;
    if (rc)
        return rc;
    return strv_take(ret, mem_text("%s=%s", name, secret ? secret : value)) ? 0 : error_nomem(err);
}

int environment_variables(const ctcd_options *options, char ***ret, ctcd_error **err) {
    const char *text = ctcd_options_text(options, "environment");
    _cleanup_(json_done) struct json *all = NULL;
    int rc = text ? json_parse(text, strlen(text), VARIABLES_MAX, 0, "environment", &all, err) : 0;
    for (struct json_iter i = json_members(all); !rc && json_next(&i);)
        rc = add_variable(i.key, json_text(i.value), ret, err);
    return rc;
}
