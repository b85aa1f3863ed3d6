/* Making and changing error objects. Every function that can fail in a way that a person should read
   about takes `ctcd_error **err` last (NULL = not wanted) and returns the code that it put there:

       return error_set(err, CTCD_E_NOT_FOUND, "see: ctcd stack list", "there is no stack \"%s\"", name);

   An error that cannot be allocated becomes a static one of the same code, which says that memory ran out.
   *err is overwritten, not leaked: an older error there is released. */
#ifndef CTCD_BASE_ERROR_H
#define CTCD_BASE_ERROR_H

#include <ctcd/error.h>
#include <stdbool.h>

#include "base/mem.h"

/* hint: what to do next, or NULL. */
int error_set(ctcd_error **err, int code, const char *hint, const char *fmt, ...) _printf_(4, 5);
/* `fmt: strerror(os_errno)`; the code follows from the errno (ENOENT NOT_FOUND, EACCES NOT_ALLOWED,
   ENOMEM NOMEM, ENOSPC NO_SPACE, others IO). */
int error_system(ctcd_error **err, int os_errno, const char *fmt, ...) _printf_(3, 4);
int error_nomem(ctcd_error **err);
/* This code, but no memory for the words. */
int error_unsaid(ctcd_error **err, int code);
/* Puts `fmt: ` in front of the message that is there; code and hint stay. Returns the code, but
   CTCD_E_FAILED where there is no error object that knows it: keep the code of a call in a variable. */
int error_prefix(ctcd_error **err, const char *fmt, ...) _printf_(2, 3);
/* Replaces the hint. Returns as error_prefix does. */
int error_hint(ctcd_error **err, const char *fmt, ...) _printf_(2, 3);
void error_set_http(ctcd_error *err, int http_status);
void error_set_retryable(ctcd_error *err);
/* The last lines of a log that belong to the cause, shown between message and hint. */
int error_set_details(ctcd_error **err, const char *details);

void error_done(ctcd_error **err); /* for _cleanup_ */

/* ctcd_error_* for layers below the API; all accept NULL (code 0, message ""). */
ctcd_error *error_ref(ctcd_error *err);
ctcd_error *error_unref(ctcd_error *err);
int error_code(const ctcd_error *err);
const char *error_message(const ctcd_error *err);
const char *error_hint_text(const ctcd_error *err); /* NULL = none */
const char *error_details(const ctcd_error *err);   /* NULL = none */
int error_http_status(const ctcd_error *err);
int error_errno(const ctcd_error *err);
bool error_retryable(const ctcd_error *err);
const char *error_code_name(int code); /* "CTCD_E_TIMEOUT"; "unknown" */
int error_code_of_errno(int os_errno);

#endif
