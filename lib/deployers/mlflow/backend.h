/* What the files of the MLflow back end share: the opened component, and the few facts of a revision that
   lie in its folder: `alive` and `exit.json` (io/process.h), `log`, and notes of one generation. */
#ifndef CTCD_DEPLOYERS_MLFLOW_BACKEND_H
#define CTCD_DEPLOYERS_MLFLOW_BACKEND_H

#include <ctcd/plugin.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/http.h"
#include "protocols/mlflow.h"

#define MLFLOW_LOG_LINES 20 /* shown with an error */

/* The tracking server, as configured; NULL = not set. token, username and password are references. */
struct tracking {
    char *uri, *token, *username, *password, *ca_file;
    int64_t max_model_bytes;
};

struct mlflow {
    struct http_pool *pool;
    ctcd_watch *watch;
    char *python, *host; /* as configured */
    char *port_range;    /* "8000-8999", NULL = not set */
    int64_t log_limit;   /* of child_spec */
    struct tracking tracking;
};

/* Hands an error of the layers below to the engine, and returns rc. *err is released. */
int mlflow_fail(ctcd_call *call, int rc, ctcd_error **err);

/* Owned texts; NULL = out of memory. */
char *mlflow_file(const ctcd_revision *revision, const char *name); /* in its folder */
char *mlflow_marker(const ctcd_revision *revision, int64_t generation);

/* Notes: that this generation was ready once; that what its lost monitor left was killed. */
#define NOTE_READY "ready"
#define NOTE_CLEARED "cleared"
bool mlflow_noted(const ctcd_revision *revision, const char *note);
void mlflow_note(const ctcd_revision *revision, const char *note); /* as well as it can */
void mlflow_forget_notes(const ctcd_revision *revision); /* of the generation before this one */

/* The memo, an object of single values: the port of an earlier start (0 = none), and what the model was
   pinned to: digest (names the staged folder), name, version, run_id, model_id; and the version of the MLflow
   that was last started. A text is owned, NULL = not in it, or out of memory. */
#define MEMO_MLFLOW "mlflow"
int mlflow_protocol(const ctcd_revision *revision, enum mlflow_protocol *ret); /* CTCD_E_NOMEM */
int mlflow_port(const ctcd_revision *revision);
char *mlflow_memo(const ctcd_revision *revision, const char *key);
/* Sets one value in the memo, keeps the others; value NULL = leave it. */
int mlflow_set_memo(ctcd_revision *revision, const char *key, const char *value);
/* The folder that holds the model: the staged one, or what the URI names. Owned; NULL = out of memory. */
char *mlflow_model_folder(ctcd_call *call, const ctcd_revision *revision);

/* A listening socket for its server, by the options port, allocate_port and port_range (listen.c). */
int mlflow_listen(const struct mlflow *backend, const ctcd_revision *want, int *ret_fd,
                  int *ret_port, ctcd_error **err);
int mlflow_check_ports(const struct mlflow *backend, const ctcd_revision *want, ctcd_error **err);

/* The methods, one file each. */
int mlflow_validate(void *impl, ctcd_call *call, ctcd_revision *want);         /* validate.c */
int mlflow_apply(void *impl, ctcd_call *call, ctcd_revision *want);            /* server.c */
int mlflow_observe(void *impl, ctcd_call *call, const ctcd_revision *revision, /* look.c */
                   ctcd_observation *out);
int mlflow_remove(void *impl, ctcd_call *call, const ctcd_revision *revision,
                  uint32_t flags); /* stop.c */
int mlflow_predict(void *impl, ctcd_call *call, const ctcd_revision *revision, const char *body,
                   ctcd_text *out);                                              /* predict.c */
int mlflow_announce(void *impl, ctcd_call *call, const ctcd_revision *revision); /* announce.c */
int mlflow_examine(void *impl, ctcd_call *call);                                 /* examine.c */

#endif
