/* Prediction requests and answers of MLflow's scoring server (POST /invocations), of 1.x and of 2.0 and
   later. Pure: texts in, texts out. Used by the MLflow back end. */
#ifndef CTCD_PROTOCOLS_MLFLOW_H
#define CTCD_PROTOCOLS_MLFLOW_H

#include <stddef.h>

#include "base/error.h"

#define MLFLOW_CONTENT_TYPE "application/json"
#define MLFLOW_CSV "text/csv"
#define MLFLOW_MAX_BODY_BYTES (64u * 1024u * 1024u)

/* The form of a request's rows. AUTO recognises it by its shape. */
enum mlflow_form {
    MLFLOW_AUTO,
    MLFLOW_SPLIT,     /* {"columns": [...], "data": [[...]]} -> dataframe_split */
    MLFLOW_RECORDS,   /* [{"column": value}] -> dataframe_records */
    MLFLOW_INSTANCES, /* rows of a tensor, or objects -> instances */
    MLFLOW_INPUTS,    /* a tensor, or columns by name -> inputs */
};
/* "split", "dataframe_split", ...; CTCD_E_INVALID names the near miss. */
int mlflow_form_parse(const char *name, enum mlflow_form *ret, ctcd_error **err);
const char *mlflow_form_name(
    enum mlflow_form form); /* key of the body: "dataframe_split"; NULL for auto */

enum mlflow_protocol { MLFLOW_PROTOCOL_2, MLFLOW_PROTOCOL_1 };
/* What a server of this version ("1.30.1", "3.17.2") speaks; 2 where the version is not known ("", NULL). */
enum mlflow_protocol mlflow_protocol_of(const char *version);

/* From the user's JSON to the server's body. AUTO:
     an object with exactly one of the four keys, or with `messages`              -> as it is
     an object with `data`, and nothing but `columns` and `index` besides         -> dataframe_split
     an object of lists (columns by name)                                         -> inputs
     an object of single values (one row)                                         -> dataframe_records
     an array of objects                                                          -> dataframe_records
     an array of arrays or of values                                              -> instances
   (a model with named columns answers 400 to the last one; mlflow_decode then says what to do). What
   cannot be right is CTCD_E_INVALID and says what is. The user's text is wrapped, not written anew:
   numbers keep their digits, and NaN tokens pass, which this server reads. *ret: owned. */
int mlflow_encode(const char *text, size_t len, enum mlflow_form form, char **ret,
                  ctcd_error **err);
/* The same for a server of 1.x: tables and records go bare, also those that the user has wrapped as 2.0 wants
   it; instances and inputs are as in 2.0. Other keys beside these (params) are CTCD_E_INVALID. */
int mlflow_encode_for(enum mlflow_protocol protocol, const char *text, size_t len,
                      enum mlflow_form form, char **ret, ctcd_error **err);

/* CSV is handed on as it is, with MLFLOW_CSV as its type; a header line and a row must be there. */
int mlflow_check_csv(const char *text, ctcd_error **err);

/* From an HTTP answer to the predictions as JSON text (bare NaN, Infinity kept as Python writes them);
   an answer without the key `predictions` (chat models, and all of 1.x) is given whole.
   Error answers become our error: BAD_REQUEST, INVALID_PARAMETER_VALUE and other 4xx CTCD_E_INVALID;
   RESOURCE_DOES_NOT_EXIST, 404 CTCD_E_NOT_FOUND; 401, 403 CTCD_E_NOT_ALLOWED; 408, 429, 502 to 504
   CTCD_E_UNREACHABLE, retryable; other 5xx CTCD_E_FAILED. The exception at the end of a stack trace is
   part of the message, the whole of it the details. A 200 that is no JSON is CTCD_E_PROTOCOL. */
int mlflow_decode(int http_status, const char *text, size_t len, char **ret_predictions,
                  ctcd_error **err);

/* The answer, which mlflow_decode has taken, for readers that are not Python: bare NaN, Infinity and -Infinity
   are the texts "NaN", "Infinity", "-Infinity"; every other byte stays. Owned; NULL = out of memory. */
char *mlflow_strict(const char *text, size_t len);

#endif
