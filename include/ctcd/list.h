/**
 * @file list.h
 * An immutable list of objects of one kind, as finding functions return it.
 */
#ifndef CTCD_LIST_H
#define CTCD_LIST_H

#include <ctcd/op.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctcd_component ctcd_component;
typedef struct ctcd_stack ctcd_stack;
typedef struct ctcd_status ctcd_status;
typedef struct ctcd_schedule ctcd_schedule;
typedef struct ctcd_pipeline ctcd_pipeline;
typedef struct ctcd_event ctcd_event;
typedef struct ctcd_finding ctcd_finding;
typedef struct ctcd_removal ctcd_removal;

/** Takes a reference. @return @p list. @threads Any. @since 0.1 */
CTCD_API ctcd_list *ctcd_list_ref(ctcd_list *list);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_list *ctcd_list_unref(ctcd_list *list);
/** Number of objects; 0 for NULL. @threads Any. @since 0.1 */
CTCD_API size_t ctcd_list_count(const ctcd_list *list);
/** @name The object at @p index, borrowed from the list; NULL where the index is out of range or the list holds another kind. @{ */
/** @threads Any. @since 0.1 */
CTCD_API ctcd_component *ctcd_list_component(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_stack *ctcd_list_stack(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_service *ctcd_list_service(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_status *ctcd_list_status(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_schedule *ctcd_list_schedule(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_run *ctcd_list_run(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_pipeline *ctcd_list_pipeline(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_event *ctcd_list_event(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_finding *ctcd_list_finding(const ctcd_list *list, size_t index);
/** @threads Any. @since 0.1 */
CTCD_API ctcd_removal *ctcd_list_removal(const ctcd_list *list, size_t index);
/** @} */
/**
 * All objects as one text: a JSON array, a YAML sequence, or one name a line.
 * @param format    "json", "yaml" or "name". JSON is strict: NaN and infinities are the texts "NaN",
 *                  "Infinity" and "-Infinity".
 * @param ret_text  Owned; free with ctcd_free().
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_list_format(const ctcd_list *list, const char *format, char **ret_text,
                              ctcd_error **err);

/**
 * The first objects of a list, of looks those in certain states: a page of it. Asks nobody.
 *
 * @param states    Bits 1 << CTCD_STATE_*, of a list of ctcd_status; 0 = any.
 * @param limit     1 to 100,000; 0 = all. With a limit, of services or looks, the page knows what comes next:
 *                  ctcd_list_next(), and as JSON or YAML it is an object of "items" and "next" (null = that
 *                  is all).
 * @param ret_list  A new list of the same objects.
 * @retval CTCD_E_INVALID  States of what has none, or an unknown one.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_list_select(const ctcd_list *list, uint32_t states, int64_t limit,
                              ctcd_list **ret_list, ctcd_error **err);
/** Of a page that left something off, the UUID of its last one, for `after` of ctcd_service_find_page(); "" of any other list; borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_list_next(const ctcd_list *list);

#ifdef __cplusplus
}
#endif
#endif
