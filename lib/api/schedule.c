/* ctcd_schedule_*, ctcd_scheduler_start(), and the texts of times: see <ctcd/schedule.h>. */
#include "engine/schedule.h"

#include <stdio.h>
#include <string.h>

#include "api/gate.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/pipeline.h"
#include "engine/zones.h"

static ctcd_context *ctx_of(const void *object) {
    return object ? ((const struct object *)object)->ctx : NULL;
}

CTCD_API int ctcd_schedule_new_interval(ctcd_context *ctx, int64_t every_ms,
                                        ctcd_schedule **ret_schedule, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    struct schedule spec = {
        .spec =
            {
                .kind = SCHEDULE_INTERVAL,
                .every_ms = every_ms,
                .start_ms = CTCD_TIME_NONE,
                .end_ms = CTCD_TIME_NONE,
                .created_ms = context_wall(ctx),
            },
    };
    rc = ret_schedule ? schedule_check(&spec, err) : gate_missing(&gate, "ret_schedule");
    return gate_leave(&gate, rc ? rc : schedule_new(ctx, &spec, ret_schedule, err));
}

/* Puts an expression in the place of what was there; zone and dialect NULL = UTC, vixie. */
static int put_cron(struct gate *gate, struct schedule *spec, const char *text, const char *zone,
                    const char *dialect, uint32_t fields) {
    int rc = schedule_cron_set(&spec->spec, text, zone, dialect, fields, gate->err);
    return rc ? rc : zones_check(gate->ctx, spec, gate->err);
}

CTCD_API int ctcd_schedule_new_cron(ctcd_context *ctx, const char *expression, const char *zone,
                                    const char *dialect, uint32_t flags,
                                    ctcd_schedule **ret_schedule, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    struct schedule spec = {
        .spec =
            {
                .start_ms = CTCD_TIME_NONE,
                .end_ms = CTCD_TIME_NONE,
                .created_ms = context_wall(ctx),
            },
    };
    rc = gate_text(&gate, "expression", expression);
    if (!rc)
        rc = gate_optional_text(&gate, "zone", zone);
    if (!rc)
        rc = gate_optional_text(&gate, "dialect", dialect);
    if (!rc && flags & ~(CTCD_CRON_SECONDS | CTCD_CRON_YEAR))
        rc = gate_invalid(&gate, "unknown flags 0x%x",
                          flags & ~(CTCD_CRON_SECONDS | CTCD_CRON_YEAR));
    if (!rc && !ret_schedule)
        rc = gate_missing(&gate, "ret_schedule");
    if (!rc)
        rc = put_cron(&gate, &spec, expression, zone, dialect, flags);
    return gate_leave(&gate, rc ? rc : schedule_new(ctx, &spec, ret_schedule, err));
}

CTCD_API ctcd_schedule *ctcd_schedule_ref(ctcd_schedule *schedule) {
    return object_ref(schedule);
}

CTCD_API ctcd_schedule *ctcd_schedule_unref(ctcd_schedule *schedule) {
    return object_unref(schedule);
}

/* Before it is stored a schedule can be changed; what is changed must hold together. */
static int change(struct gate *gate, ctcd_schedule *schedule, const struct schedule *changed) {
    if (schedule->record.uuid)
        return error_set(gate->err, CTCD_E_CONFLICT, "delete it and create it anew",
                         "the schedule %s is stored already", schedule->record.name);
    int rc = schedule_check(changed, gate->err);
    if (!rc)
        schedule->spec = *changed;
    return rc;
}

CTCD_API int ctcd_schedule_set_window(ctcd_schedule *schedule, int64_t start_ms, int64_t end_ms,
                                      int end_inclusive, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    if (end_inclusive != 0 && end_inclusive != 1)
        return gate_leave(&gate, gate_invalid(&gate, "end_inclusive must be 0 or 1"));
    struct schedule changed = schedule->spec;
    changed.spec.start_ms = start_ms;
    changed.spec.end_ms = end_ms;
    changed.spec.end_inclusive = end_inclusive;
    return gate_leave(&gate, change(&gate, schedule, &changed));
}

CTCD_API int ctcd_schedule_set_catchup(ctcd_schedule *schedule, const char *policy,
                                       ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    struct schedule changed = schedule->spec;
    rc = policy ? schedule_catchup_parse(policy, &changed.catchup, err)
                : gate_missing(&gate, "policy");
    return gate_leave(&gate, rc ? rc : change(&gate, schedule, &changed));
}

CTCD_API int ctcd_schedule_set_overlap(ctcd_schedule *schedule, const char *policy,
                                       ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    struct schedule changed = schedule->spec;
    rc = policy ? schedule_overlap_parse(policy, &changed.overlap, err)
                : gate_missing(&gate, "policy");
    if (!rc && changed.overlap != OVERLAP_SKIP && changed.overlap != OVERLAP_BUFFER_ALL)
        rc = error_set(err, CTCD_E_NOT_SUPPORTED, "it is one of: skip, buffer_all",
                       "this version does not have the overlap policy \"%s\"", policy);
    return gate_leave(&gate, rc ? rc : change(&gate, schedule, &changed));
}

/* The cron schedule with another zone or dialect (NULL = the one it has). */
static int change_cron(struct gate *gate, ctcd_schedule *schedule, const char *zone,
                       const char *dialect) {
    struct schedule changed = schedule->spec;
    const struct schedule_cron *cron = &schedule->spec.spec.cron;
    if (changed.spec.kind != SCHEDULE_CRON)
        return gate_invalid(gate, "only a cron schedule has a time zone and a dialect");
    int rc = put_cron(gate, &changed, cron->text, zone ? zone : cron->zone_name,
                      dialect ? dialect : cron_dialect_name(cron->dialect), cron->fields);
    return rc ? rc : change(gate, schedule, &changed);
}

CTCD_API int ctcd_schedule_set_timezone(ctcd_schedule *schedule, const char *zone,
                                        ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "zone", zone);
    return gate_leave(&gate, rc ? rc : change_cron(&gate, schedule, zone, NULL));
}

CTCD_API int ctcd_schedule_set_dialect(ctcd_schedule *schedule, const char *dialect,
                                       ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "dialect", dialect);
    return gate_leave(&gate, rc ? rc : change_cron(&gate, schedule, NULL, dialect));
}

/* The rules of its zone may have changed since. */
static int look_up(struct gate *gate, const ctcd_schedule *schedule) {
    return zones_bind(gate->ctx, (struct schedule_spec *)(uintptr_t)&schedule->spec.spec,
                      gate->err);
}

typedef bool (*find_fn)(const struct schedule_spec *spec, int64_t from_ms, int64_t *ret_ms);

static int find(const ctcd_schedule *schedule, find_fn look, int64_t from_ms, int64_t *ret_when_ms,
                ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    if (!ret_when_ms)
        rc = gate_missing(&gate, "ret_when_ms");
    if (!rc)
        rc = look_up(&gate, schedule);
    if (!rc && !look(&schedule->spec.spec, from_ms, ret_when_ms))
        rc = CTCD_NONE;
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_schedule_next(const ctcd_schedule *schedule, int64_t after_ms,
                                int64_t *ret_when_ms, ctcd_error **err) {
    return find(schedule, schedule_next, after_ms, ret_when_ms, err);
}

CTCD_API int ctcd_schedule_previous(const ctcd_schedule *schedule, int64_t before_ms,
                                    int64_t *ret_when_ms, ctcd_error **err) {
    return find(schedule, schedule_prev, before_ms, ret_when_ms, err);
}

CTCD_API int ctcd_schedule_time(const ctcd_schedule *schedule, int64_t ms, char *ret_text,
                                size_t size, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    const struct schedule_cron *cron = &schedule->spec.spec.cron;
    int32_t offset = 0;
    if (!ret_text || size < TIME_TEXT_SIZE)
        rc = gate_invalid(&gate, "ret_text must have room for %d bytes", TIME_TEXT_SIZE);
    if (!rc)
        rc = look_up(&gate, schedule);
    if (!rc) {
        if (cron->zone && ms >= TIME_MIN_MS && ms <= TIME_MAX_MS)
            offset = zone_offset(cron->zone, time_floor_div(ms, 1000));
        time_to_text_at(ms, offset, ret_text);
    }
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_schedule_create(ctcd_schedule *schedule, ctcd_pipeline *pipeline,
                                  const char *name, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "pipeline", pipeline, NULL);
    if (!rc && ctx_of(pipeline) != gate.ctx)
        rc = gate_invalid(&gate, "schedule and pipeline belong to different contexts");
    return gate_leave(&gate, rc ? rc : schedule_create(schedule, pipeline, name, err));
}

CTCD_API int ctcd_schedule_get(ctcd_context *ctx, const char *name, ctcd_schedule **ret_schedule,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "name", name, "ret_schedule", ret_schedule, NULL);
    return gate_leave(&gate, rc ? rc : schedule_get(ctx, name, ret_schedule, err));
}

CTCD_API int ctcd_schedule_list(ctcd_context *ctx, ctcd_list **ret_list, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    return gate_leave(&gate, ret_list ? schedule_list(ctx, ret_list, err)
                                      : gate_missing(&gate, "ret_list"));
}

CTCD_API int ctcd_schedule_delete(ctcd_schedule *schedule, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    return rc ? rc : gate_leave(&gate, schedule_delete(schedule, err));
}

/* ---- asking ---- */

static const char *shown(const char *text) {
    return text ? text : "";
}

CTCD_API const char *ctcd_schedule_name(const ctcd_schedule *schedule) {
    return schedule ? shown(schedule->record.name) : "";
}

CTCD_API const char *ctcd_schedule_uuid(const ctcd_schedule *schedule) {
    return schedule ? shown(schedule->record.uuid) : "";
}

CTCD_API const char *ctcd_schedule_pipeline(const ctcd_schedule *schedule) {
    return schedule ? shown(schedule->record.pipeline) : "";
}

CTCD_API int64_t ctcd_schedule_every(const ctcd_schedule *schedule) {
    return schedule ? schedule->spec.spec.every_ms : 0;
}

static const struct schedule_cron *cron_of(const ctcd_schedule *schedule) {
    return schedule && schedule->spec.spec.kind == SCHEDULE_CRON ? &schedule->spec.spec.cron : NULL;
}

CTCD_API const char *ctcd_schedule_cron(const ctcd_schedule *schedule) {
    const struct schedule_cron *cron = cron_of(schedule);
    return cron ? cron->text : "";
}

CTCD_API const char *ctcd_schedule_timezone(const ctcd_schedule *schedule) {
    const struct schedule_cron *cron = cron_of(schedule);
    return cron ? cron->zone_name : "UTC";
}

CTCD_API const char *ctcd_schedule_dialect(const ctcd_schedule *schedule) {
    const struct schedule_cron *cron = cron_of(schedule);
    return cron ? cron_dialect_name(cron->dialect) : "";
}

CTCD_API int64_t ctcd_schedule_start(const ctcd_schedule *schedule) {
    return schedule ? schedule->spec.spec.start_ms : CTCD_TIME_NONE;
}

CTCD_API int64_t ctcd_schedule_end(const ctcd_schedule *schedule) {
    return schedule ? schedule->spec.spec.end_ms : CTCD_TIME_NONE;
}

CTCD_API const char *ctcd_schedule_catchup(const ctcd_schedule *schedule) {
    return schedule ? schedule_catchup_name(schedule->spec.catchup) : "";
}

CTCD_API const char *ctcd_schedule_overlap(const ctcd_schedule *schedule) {
    return schedule ? schedule_overlap_name(schedule->spec.overlap) : "";
}

CTCD_API int64_t ctcd_schedule_last(const ctcd_schedule *schedule) {
    return schedule ? schedule->record.last_processed_ms : CTCD_TIME_NONE;
}

CTCD_API int64_t ctcd_schedule_counter(const ctcd_schedule *schedule, const char *what) {
    if (!schedule || !what)
        return 0;
    return strcmp(what, "runs") == 0    ? schedule->runs
           : strcmp(what, "drops") == 0 ? schedule->drops
                                        : 0;
}

static const struct store_drop *drop_at(const ctcd_schedule *schedule, size_t index) {
    return schedule && index < schedule->dropped.count ? &schedule->dropped.items[index] : NULL;
}

CTCD_API size_t ctcd_schedule_drop_count(const ctcd_schedule *schedule) {
    return schedule ? schedule->dropped.count : 0;
}

CTCD_API int64_t ctcd_schedule_drop_first(const ctcd_schedule *schedule, size_t index) {
    const struct store_drop *drop = drop_at(schedule, index);
    return drop ? drop->nominal_ms : CTCD_TIME_NONE;
}

CTCD_API int64_t ctcd_schedule_drop_last(const ctcd_schedule *schedule, size_t index) {
    const struct store_drop *drop = drop_at(schedule, index);
    return drop ? drop->last_ms : CTCD_TIME_NONE;
}

CTCD_API const char *ctcd_schedule_drop_reason(const ctcd_schedule *schedule, size_t index) {
    const struct store_drop *drop = drop_at(schedule, index);
    return drop ? drop->reason : NULL;
}

CTCD_API int ctcd_schedule_format(const ctcd_schedule *schedule, const char *format,
                                  char **ret_text, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx_of(schedule), err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", format, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : object_format(schedule, format, ret_text, err));
}

CTCD_API int ctcd_scheduler_start(ctcd_context *ctx, uint32_t flags, ctcd_op **ret_op,
                                  ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    ctcd_op *op = NULL;
    if (flags & ~CTCD_SCHEDULER_UNTIL_IDLE)
        rc = gate_invalid(&gate, "unknown flags 0x%x", flags & ~CTCD_SCHEDULER_UNTIL_IDLE);
    else
        rc = ret_op ? scheduler_new(ctx, flags, &op, err) : gate_missing(&gate, "ret_op");
    if (!rc) {
        op_start(op, NULL);
        *ret_op = op_publish(op);
    }
    return gate_leave(&gate, rc);
}

/* ---- texts of times ---- */

CTCD_API int ctcd_time_parse(const char *text, int64_t base_ms, int64_t *ret_ms, ctcd_error **err) {
    if (!text)
        return plain_missing(err, "text");
    if (!ret_ms)
        return plain_missing(err, "ret_ms");
    struct moment moment = {0};
    int rc = moment_parse(text, &moment, err);
    if (rc)
        return rc;
    int64_t ms = moment.ms;
    if (moment.kind == MOMENT_AFTER && (base_ms < TIME_MIN_MS || base_ms > TIME_MAX_MS ||
                                        __builtin_add_overflow(base_ms, moment.ms, &ms)))
        return error_set(err, CTCD_E_INVALID, NULL, "\"%s\" lies outside of the calendar", text);
    *ret_ms = ms;
    return 0;
}

CTCD_API int ctcd_time_format(int64_t ms, char *ret_text, size_t size) {
    if (!ret_text || size < TIME_TEXT_SIZE)
        return CTCD_E_INVALID;
    time_to_text(ms, ret_text);
    return 0;
}

CTCD_API int ctcd_duration_parse(const char *text, int64_t *ret_ms, ctcd_error **err) {
    if (!text)
        return plain_missing(err, "text");
    if (!ret_ms)
        return plain_missing(err, "ret_ms");
    if (!text_to_duration(text, ret_ms))
        return error_set(err, CTCD_E_INVALID, "write 90s, 10m, 1h30m or 250ms",
                         "\"%s\" is no duration", text);
    return 0;
}
