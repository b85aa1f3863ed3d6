/**
 * @file house.h
 * Keeping house: what is wrong with a home and mending it, backup and restore, removing what is not needed.
 */
#ifndef CTCD_HOUSE_H
#define CTCD_HOUSE_H

#include <ctcd/list.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name Looking for what is wrong. @{ */

/** As @p flags of ctcd_doctor_examine(): mend what can be mended. */
#define CTCD_DOCTOR_FIX 0x1u

/**
 * Examines a home: store, permissions, file system, disk space, operations that died half way, runs that nobody
 * carries out, processes that belong to nothing any more, ports that somebody else took, programs that the
 * active stack's deployer needs.
 *
 * Without CTCD_DOCTOR_FIX nothing is changed, not even the home's modes, which other calls mend in passing;
 * so it is best called before any other call opens the home. With it, what is fixable is mended in order:
 * permissions, then operations (resumed where there is no incumbent, or where they were to start or stop
 * something; else undone), then processes (killed). Mending goes through the same locks and journal as everything
 * else; it may be interrupted and begun again.
 *
 * @param flags       CTCD_DOCTOR_FIX or 0.
 * @param timeout_ms  Of each operation that is resumed, > 0; < 0 = 300000.
 * @param ret_list    All that was found, also what was mended (ctcd_finding_fixed()). Empty = healthy. Untouched
 *                    on failure.
 * @retval CTCD_E_NOT_FOUND  There is no home.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_doctor_examine(ctcd_context *ctx, uint32_t flags, int64_t timeout_ms,
                                 ctcd_list **ret_list, ctcd_error **err);
/** Takes a reference. @return @p finding. @threads Any. @since 0.1 */
CTCD_API ctcd_finding *ctcd_finding_ref(ctcd_finding *finding);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_finding *ctcd_finding_unref(ctcd_finding *finding);
/**
 * What kind of thing is wrong: "store", "schema", "permissions", "file_system", "disk_space", "operation", "run",
 * "process", "port", "program". More may be added. Texts are borrowed; "" for NULL.
 * @threads Any. @since 0.1
 */
CTCD_API const char *ctcd_finding_kind(const ctcd_finding *finding);
/** "error": something does not work, or data are in danger; "warning": something may come of it. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_finding_severity(const ctcd_finding *finding);
/** A path, a UUID, the name of a run or component, a process. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_finding_where(const ctcd_finding *finding);
/** One line for a person. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_finding_message(const ctcd_finding *finding);
/** What to do; "" where it was mended. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_finding_next(const ctcd_finding *finding);
/** Can CTCD_DOCTOR_FIX mend it? 1 or 0. @threads Any. @since 0.1 */
CTCD_API int ctcd_finding_fixable(const ctcd_finding *finding);
/** Was it mended by this call? 1 or 0. @threads Any. @since 0.1 */
CTCD_API int ctcd_finding_fixed(const ctcd_finding *finding);
/** As ctcd_list_format(); "name" is the place. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_finding_format(const ctcd_finding *finding, const char *format, char **ret_text,
                                 ctcd_error **err);
/** @} */

/** @name Backup. @{ */

/**
 * Copies the store (schedules, runs, decisions, services, components, events) into one file, as it is at one
 * instant; others may go on writing meanwhile. The file is there whole, durable and with mode 0600, or not at all;
 * an older one of that name is replaced. It holds neither models nor run folders nor logs.
 *
 * @retval CTCD_E_INVALID  @p path is no regular file, or the store itself.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_home_backup(ctcd_context *ctx, const char *path, ctcd_error **err);
/** As @p flags of ctcd_home_restore(): in the place of the store that is there. */
#define CTCD_RESTORE_FORCE 0x1u
/**
 * Makes the context's home, which must not be open, from a backup. Services come back as records: what they are
 * is observed, and they can be started where their models still are. Runs that were under way, or
 * had not begun, are abandoned: whether they went on is not known. What is left of logs of services is removed.
 *
 * @param flags  CTCD_RESTORE_FORCE or 0.
 * @retval CTCD_E_EXISTS    The home has a store, and CTCD_RESTORE_FORCE was not given.
 * @retval CTCD_E_CONFLICT  Somebody uses the home, or it is open in this context.
 * @retval CTCD_E_CORRUPT   It is no backup, or damaged; nothing was changed.
 * @retval CTCD_E_NEWER     A newer libctcd wrote it; nothing was changed.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_home_restore(ctcd_context *ctx, const char *path, uint32_t flags,
                               ctcd_error **err);
/** @} */

/** @name Removing what is not needed any more. @{ */

/** As @p flags of ctcd_home_collect(): only say what would go. */
#define CTCD_COLLECT_DRY_RUN 0x1u
/**
 * Removes ended runs (record and folder) beyond the retention, and whatever the retention: folders that no record
 * knows, folders of deleted services (their logs) and of revisions that were taken down, copies of models that no
 * live revision is served from. Safe beside a daemon: what somebody works at is left for the next time.
 *
 * A run stays, however old, while a live revision is of it or is served from its files, while an artifact of a run
 * that stays lies in its folder (a cache hit), and while a run under way may take over its results.
 *
 * @param flags           CTCD_COLLECT_DRY_RUN or 0.
 * @param keep_runs       Of each pipeline so many of the newest ended runs stay; < 0 = the number does not count.
 * @param runs_older_ms   Only runs that ended so long ago go; < 0 = the age does not count. Both < 0: all runs stay.
 * @param events_older_ms Events that are so old go; < 0 = all stay.
 * @param ret_list        What was removed (would be). Untouched on failure.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_home_collect(ctcd_context *ctx, uint32_t flags, int64_t keep_runs,
                               int64_t runs_older_ms, int64_t events_older_ms, ctcd_list **ret_list,
                               ctcd_error **err);
/** Takes a reference. @return @p removal. @threads Any. @since 0.1 */
CTCD_API ctcd_removal *ctcd_removal_ref(ctcd_removal *removal);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_removal *ctcd_removal_unref(ctcd_removal *removal);
/** "run", "run_folder", "service_folder", "revision_folder", "model" or "events"; more may be added. Borrowed; "" for NULL. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_removal_kind(const ctcd_removal *removal);
/** The run's name, the folder's UUID (and revision), the copy's digest; "" for events and NULL. Borrowed. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_removal_name(const ctcd_removal *removal);
/** What its files held; 0 for events and NULL. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_removal_bytes(const ctcd_removal *removal);
/** How many events; else 1; 0 for NULL. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_removal_count(const ctcd_removal *removal);
/** @} */

#ifdef __cplusplus
}
#endif
#endif
