/**
 * @file error.h
 * The error object: what went wrong, and what to do next. Immutable, reference counted. Where memory does
 * not even suffice for the object, a static one with the right code is given; its message says so.
 *
 * A function that takes `ctcd_error **err` puts a new error there when it fails, and leaves it alone when it
 * does not. NULL = not wanted. `*err` must be NULL at first, or an earlier error, which is then released.
 */
#ifndef CTCD_ERROR_H
#define CTCD_ERROR_H

#include <ctcd/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctcd_error ctcd_error;

/** Takes a reference. @return @p err. @threads Any. @since 0.1 */
CTCD_API ctcd_error *ctcd_error_ref(ctcd_error *err);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_error *ctcd_error_unref(ctcd_error *err);

/** The CTCD_E_* code, also the return value of the call that failed. @threads Any. @since 0.1 */
CTCD_API int ctcd_error_code(const ctcd_error *err);
/** One line, no final stop, never NULL; borrowed from @p err. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_error_message(const ctcd_error *err);
/** What to do next, or NULL; borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_error_hint(const ctcd_error *err);
/** Lines that belong to the cause (the end of a server's log), or NULL; borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_error_details(const ctcd_error *err);
/** Status of the HTTP answer behind it, or 0. @threads Any. @since 0.1 */
CTCD_API int ctcd_error_http_status(const ctcd_error *err);
/** The operating system's errno behind it, or 0. @threads Any. @since 0.1 */
CTCD_API int ctcd_error_errno(const ctcd_error *err);
/** 1 where the same call may succeed later without any change. @threads Any. @since 0.1 */
CTCD_API int ctcd_error_retryable(const ctcd_error *err);

/** Name of a code, "CTCD_E_TIMEOUT"; "unknown" for others; static. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_code_name(int code);

#ifdef __cplusplus
}
#endif
#endif
