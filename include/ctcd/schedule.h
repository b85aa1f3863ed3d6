/**
 * @file schedule.h
 * Schedules: when a pipeline runs. The spec is pure (ctcd_schedule_next() needs no home); creating stores
 * it with its pipeline; the scheduler fires stored ones.
 *
 * Fires are the nominal times start + k * every in [start, end): a 60 s interval over ten minutes is
 * exactly ten runs; or those of a cron expression in a time zone. Each (schedule, nominal time) is claimed in the store before its run starts, so it
 * runs once, whoever crashes.
 */
#ifndef CTCD_SCHEDULE_H
#define CTCD_SCHEDULE_H

#include <ctcd/pipeline.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A schedule that fires every @p every_ms (1 s to 366 days, whole seconds). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_new_interval(ctcd_context *ctx, int64_t every_ms,
                                        ctcd_schedule **ret_schedule, ctcd_error **err);
/** @name Flags of ctcd_schedule_new_cron()
 *  @{ */
#define CTCD_CRON_SECONDS 1u /**< The expression has a field for seconds in front. */
#define CTCD_CRON_YEAR 2u    /**< The expression has a field for years behind (1970 to 2199). */
/** @} */
/**
 * A schedule that fires when a clock on a wall in @p zone shows what a cron expression says.
 *
 * Five fields: minute, hour, day, month, weekday (0 and 7 are Sunday), with names, lists, ranges, steps
 * (also 5/15), L, L-2, LW, 15W in the day, 5L and 5#2 in the weekday; or @hourly, @daily (@midnight), @weekly,
 * @monthly, @yearly (@annually). The dialect says what day and weekday mean together, and what happens where
 * the clock is set forward or back:
 * - "vixie" (default): either of them, but both where one begins with a star. A fixed time that is left out
 *   runs when the clock goes on, and once where an hour comes twice; what has a star first in minute or hour
 *   follows the real time. A change of more than 3 h moves and leaves out nothing.
 * - "robfig" (Kubernetes): either, but both where one is a star. What is left out does not run, what comes
 *   twice runs twice.
 * - "cronos" (.NET): both. What is left out runs when the clock goes on, once. Where an hour comes twice, a time
 *   with a star, a range or a step runs in both, another one in the first.
 *
 * @param expression  At most 255 bytes.
 * @param zone        An IANA name, "Europe/Paris"; NULL = "UTC". Never the zone of the process.
 * @param dialect     NULL = "vixie".
 * @param flags       CTCD_CRON_*.
 * @retval CTCD_E_INVALID    The message names field, character and what may stand there.
 * @retval CTCD_E_NEVER      It can never fire (30th of February).
 * @retval CTCD_E_NOT_FOUND  This machine does not know the time zone.
 * @retval CTCD_E_CORRUPT    The time zone's data cannot be read.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_schedule_new_cron(ctcd_context *ctx, const char *expression, const char *zone,
                                    const char *dialect, uint32_t flags,
                                    ctcd_schedule **ret_schedule, ctcd_error **err);
/** Takes a reference. @return @p schedule. @threads Any. @since 0.1 */
CTCD_API ctcd_schedule *ctcd_schedule_ref(ctcd_schedule *schedule);
/** Drops a reference; accepts NULL; a stored schedule goes on. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_schedule *ctcd_schedule_unref(ctcd_schedule *schedule);
/**
 * First instant and end (not itself a fire, unless @p end_inclusive is 1), wall-clock ms;
 * CTCD_TIME_NONE = the moment of creation, and no end.
 * @retval CTCD_E_INVALID  The end is not after the start.
 * @retval CTCD_E_NEVER    A cron schedule without an end that never fires from the start on.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_schedule_set_window(ctcd_schedule *schedule, int64_t start_ms, int64_t end_ms,
                                      int end_inclusive, ctcd_error **err);
/** What happens to fires missed while no scheduler ran: "skip", "latest" (default), "all". @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_set_catchup(ctcd_schedule *schedule, const char *policy,
                                       ctcd_error **err);
/** What happens to a fire while the run before still runs: "skip" (default), "buffer_all". @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_set_overlap(ctcd_schedule *schedule, const char *policy,
                                       ctcd_error **err);
/** Another time zone for a cron schedule; as in ctcd_schedule_new_cron(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_set_timezone(ctcd_schedule *schedule, const char *zone,
                                        ctcd_error **err);
/** Another dialect for a cron schedule; as in ctcd_schedule_new_cron(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_set_dialect(ctcd_schedule *schedule, const char *dialect,
                                       ctcd_error **err);
/**
 * Next nominal time strictly after @p after_ms.
 *
 * The rules of a time zone are read again when their file has changed (looked at once a second at most).
 *
 * @param after_ms  CTCD_TIME_NONE = before the first.
 * @retval CTCD_NONE         No further fire; ret_when_ms is untouched.
 * @retval CTCD_E_NOT_FOUND  A stored schedule's time zone is not known on this machine.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_schedule_next(const ctcd_schedule *schedule, int64_t after_ms,
                                int64_t *ret_when_ms, ctcd_error **err);

/** The nominal time strictly before @p before_ms; otherwise as ctcd_schedule_next(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_previous(const ctcd_schedule *schedule, int64_t before_ms,
                                    int64_t *ret_when_ms, ctcd_error **err);
/**
 * Writes an instant as RFC 3339 in the schedule's time zone: "2026-01-01T01:00:00+01:00", and with Z in UTC.
 * @param ret_text  At least 32 bytes, by the caller.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_schedule_time(const ctcd_schedule *schedule, int64_t ms, char *ret_text,
                                size_t size, ctcd_error **err);

/**
 * Stores the pipeline (with its parameters as they are now) and the schedule, under one name.
 * @param name  NULL = the pipeline's name.
 * @retval CTCD_E_EXISTS  There is a schedule of that name.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_schedule_create(ctcd_schedule *schedule, ctcd_pipeline *pipeline,
                                  const char *name, ctcd_error **err);
/** Finds a stored one by name or UUID (prefix). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_get(ctcd_context *ctx, const char *name, ctcd_schedule **ret_schedule,
                               ctcd_error **err);
/** All stored ones, by name. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_list(ctcd_context *ctx, ctcd_list **ret_list, ctcd_error **err);
/** Removes it; its runs stay. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_delete(ctcd_schedule *schedule, ctcd_error **err);

/** "" before it was created. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_name(const ctcd_schedule *schedule);
/** "" before it was created. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_uuid(const ctcd_schedule *schedule);
/** Name of its pipeline. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_pipeline(const ctcd_schedule *schedule);
/** The cron expression; "" = it is an interval. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_cron(const ctcd_schedule *schedule);
/** Name of its time zone, "UTC" for an interval. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_timezone(const ctcd_schedule *schedule);
/** "vixie", "robfig", "cronos"; "" for an interval. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_dialect(const ctcd_schedule *schedule);
/** 0 for a cron schedule. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_schedule_every(const ctcd_schedule *schedule);
/** CTCD_TIME_NONE = from creation on. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_schedule_start(const ctcd_schedule *schedule);
/** CTCD_TIME_NONE = never. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_schedule_end(const ctcd_schedule *schedule);
/** "skip", "latest", "all". @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_catchup(const ctcd_schedule *schedule);
/** "skip", "buffer_all". @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_overlap(const ctcd_schedule *schedule);
/** Nominal times up to this one have been decided; CTCD_TIME_NONE = none yet. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_schedule_last(const ctcd_schedule *schedule);
/** Number of runs and of dropped fires so far. @param what "runs" or "drops". @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_schedule_counter(const ctcd_schedule *schedule, const char *what);
/**
 * @name Fires that did not become runs, newest first. Each nominal time is one, but a row of more than 10,000
 * neighbours that were dropped together is one from first to last. The newest 1,000 of a schedule from
 * ctcd_schedule_get(), none of one from a list; the counter "drops" counts all.
 * @{
 */
/** @threads Any. @since 0.1 */
CTCD_API size_t ctcd_schedule_drop_count(const ctcd_schedule *schedule);
/** Nominal time; CTCD_TIME_NONE out of range. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_schedule_drop_first(const ctcd_schedule *schedule, size_t index);
/** The same as the first, but for a row. @threads Any. @since 0.1 */
CTCD_API int64_t ctcd_schedule_drop_last(const ctcd_schedule *schedule, size_t index);
/** "missed", "coalesced", "missed_window", "catchup_max", "overlap_skipped", "buffer_full"; NULL out of range. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_schedule_drop_reason(const ctcd_schedule *schedule, size_t index);
/** @} */
/** As ctcd_list_format(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_schedule_format(const ctcd_schedule *schedule, const char *format,
                                  char **ret_text, ctcd_error **err);

/** End when no fire can come any more and no run is left. */
#define CTCD_SCHEDULER_UNTIL_IDLE 0x1u
/**
 * Makes this context a scheduler: from now on, while it is dispatched, it fires the stored schedules of
 * its home and carries out their runs, one at a time. Runs that a crashed process left are resumed first.
 *
 * @param flags   CTCD_SCHEDULER_* or 0.
 * @param ret_op  Ends when idle (UNTIL_IDLE), by ctcd_op_cancel() (the run of the moment is cancelled), or
 *                by an error of the store.
 * @retval CTCD_E_CONFLICT  Another live process is the scheduler of this home.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_scheduler_start(ctcd_context *ctx, uint32_t flags, ctcd_op **ret_op,
                                  ctcd_error **err);

/** Reads an RFC 3339 instant, "now" or "+10m" (after @p base_ms) into wall-clock ms. @threads Any. @since 0.1 */
CTCD_API int ctcd_time_parse(const char *text, int64_t base_ms, int64_t *ret_ms, ctcd_error **err);
/** Writes an instant as RFC 3339 in UTC, "2026-01-01T00:00:00Z", with milliseconds where there are any. @param ret_text At least 32 bytes, by the caller. @threads Any. @since 0.1 */
CTCD_API int ctcd_time_format(int64_t ms, char *ret_text, size_t size);
/** Reads a duration: "60", "90s", "10m", "1h30m", "250ms". @threads Any. @since 0.1 */
CTCD_API int ctcd_duration_parse(const char *text, int64_t *ret_ms, ctcd_error **err);

#ifdef __cplusplus
}
#endif
#endif
