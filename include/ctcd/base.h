/**
 * @file base.h
 * Codes, limits and the few plain types that every other header of libctcd uses.
 *
 * Rules for the whole interface: functions return 0 when done, a positive code for a defined result
 * that is no error, a negative one for an error; outputs (`ret_*`) are untouched on failure; strings
 * in are UTF-8 and copied; times are int64_t milliseconds (wall-clock times since 1970-01-01 UTC).
 */
#ifndef CTCD_BASE_H
#define CTCD_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && __GNUC__ >= 4
#define CTCD_API __attribute__((visibility("default")))
#else
#define CTCD_API
#endif

/** Version of these headers; ctcd_version() is that of the library that runs. */
#define CTCD_VERSION_MAJOR 0
#define CTCD_VERSION_MINOR 1
#define CTCD_VERSION_PATCH 0

/** @name Results. Negative = error. Numbers are never reused. @{ */
#define CTCD_OK 0
#define CTCD_AGAIN 1               /**< Not finished: what it waits for has been said. */
#define CTCD_NONE 2                /**< Nothing there (no next fire, no incumbent); not an error. */
#define CTCD_E_INVALID (-1)        /**< A wrong argument, option or file; the message says which. */
#define CTCD_E_NOMEM (-2)          /**< Out of memory; the handle stays usable. */
#define CTCD_E_NOT_FOUND (-3)      /**< No such object. */
#define CTCD_E_EXISTS (-4)         /**< An object of that name is there already. */
#define CTCD_E_CONFLICT (-5)       /**< Somebody else is changing, or using, the same object. */
#define CTCD_E_TIMEOUT (-6)        /**< The deadline came first. */
#define CTCD_E_CANCELED (-7)       /**< ctcd_op_cancel() came first. */
#define CTCD_E_INTERRUPTED (-8)    /**< A signal ended the wait; what had begun was undone. */
#define CTCD_E_NOT_ALLOWED (-9)    /**< Permission denied, here or by the server. */
#define CTCD_E_UNREACHABLE (-10)   /**< The other side does not answer. */
#define CTCD_E_FAILED (-11)        /**< It was tried and failed (step, server, deploy). */
#define CTCD_E_NOT_SUPPORTED (-12) /**< This back end or build cannot do it. */
#define CTCD_E_IO (-13)            /**< Reading or writing failed. */
#define CTCD_E_CORRUPT (-14)       /**< What was stored cannot be right. */
#define CTCD_E_NEWER (-15)         /**< Written by a newer version of libctcd. */
#define CTCD_E_BUSY (-16)          /**< Another thread is inside this context. */
#define CTCD_E_REENTRANT (-17)     /**< Not from inside this callback. */
#define CTCD_E_FORKED (-18)        /**< The context belongs to the parent process. */
#define CTCD_E_PLUGIN (-19)        /**< A back end or callback broke its contract. */
#define CTCD_E_NO_SPACE (-20)      /**< The disk or a quota is full. */
#define CTCD_E_TOO_LARGE (-21)     /**< Larger than the documented limit. */
#define CTCD_E_PROTOCOL (-22)      /**< The other side's answer cannot be understood. */
#define CTCD_E_NEVER (-23)         /**< A schedule that could never fire (30th of February). */
/** @} */

/** "no time": before every instant that can be stored. */
#define CTCD_TIME_NONE INT64_MIN

/** Called once with the user_data that it was registered with, when it is no longer needed. */
typedef void (*ctcd_destroy_fn)(void *user_data);

/**
 * Version of the library that runs.
 *
 * @return "MAJOR.MINOR.PATCH", static.
 * @threads Any. @since 0.1
 */
CTCD_API const char *ctcd_version(void);

/**
 * Does the library that runs have a feature?
 *
 * @param name  "mlflow", "interval", ...; unknown names and NULL are simply absent.
 * @return 1 yes, 0 no.
 * @threads Any. @since 0.1
 */
CTCD_API int ctcd_has_feature(const char *name);

/**
 * Frees a text that an output parameter documented as owned gave out.
 *
 * @param memory  From this library, or NULL.
 * @threads Any. @since 0.1
 */
CTCD_API void ctcd_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
