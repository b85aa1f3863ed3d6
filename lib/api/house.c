/* ctcd_doctor_*, ctcd_finding_*, ctcd_home_*, ctcd_removal_*: see <ctcd/house.h>. */
#include "api/gate.h"
#include "engine/backup.h"
#include "engine/collect.h"
#include "engine/deploy.h"
#include "engine/doctor.h"

CTCD_API int ctcd_doctor_examine(ctcd_context *ctx, uint32_t flags, int64_t timeout_ms,
                                 ctcd_list **ret_list, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    if (!ret_list)
        rc = gate_missing(&gate, "ret_list");
    else if (flags & ~CTCD_DOCTOR_FIX)
        rc = gate_invalid(&gate, "flags has unknown bits");
    else
        rc = gate_timeout(&gate, &timeout_ms, DEPLOY_TIMEOUT_MS, false);
    if (!rc)
        rc = gate_wait(&gate);
    if (!rc)
        rc = doctor_examine(ctx, flags, timeout_ms, ret_list, err);
    return gate_leave(&gate, rc);
}

CTCD_API int ctcd_home_backup(ctcd_context *ctx, const char *path, ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "path", path);
    return gate_leave(&gate, rc ? rc : home_backup(ctx, path, err));
}

CTCD_API int ctcd_home_restore(ctcd_context *ctx, const char *path, uint32_t flags,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    rc = gate_text(&gate, "path", path);
    if (!rc && (flags & ~CTCD_RESTORE_FORCE))
        rc = gate_invalid(&gate, "flags has unknown bits");
    return gate_leave(&gate, rc ? rc : home_restore(ctx, path, flags, err));
}

CTCD_API ctcd_finding *ctcd_finding_ref(ctcd_finding *finding) {
    return object_ref(finding);
}

CTCD_API ctcd_finding *ctcd_finding_unref(ctcd_finding *finding) {
    return object_unref(finding);
}

CTCD_API const char *ctcd_finding_kind(const ctcd_finding *finding) {
    return finding ? finding->kind : "";
}

CTCD_API const char *ctcd_finding_severity(const ctcd_finding *finding) {
    return finding ? finding->severity : "";
}

CTCD_API const char *ctcd_finding_where(const ctcd_finding *finding) {
    return finding ? finding->where : "";
}

CTCD_API const char *ctcd_finding_message(const ctcd_finding *finding) {
    return finding ? finding->message : "";
}

CTCD_API const char *ctcd_finding_next(const ctcd_finding *finding) {
    return finding ? finding->next : "";
}

CTCD_API int ctcd_finding_fixable(const ctcd_finding *finding) {
    return finding ? finding->fixable : 0;
}

CTCD_API int ctcd_finding_fixed(const ctcd_finding *finding) {
    return finding ? finding->fixed : 0;
}

CTCD_API int ctcd_finding_format(const ctcd_finding *finding, const char *format, char **ret_text,
                                 ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, finding ? finding->object.ctx : NULL, err);
    if (rc)
        return rc;
    rc = gate_need(&gate, "format", format, "ret_text", ret_text, NULL);
    return gate_leave(&gate, rc ? rc : object_format(finding, format, ret_text, err));
}

CTCD_API int ctcd_home_collect(ctcd_context *ctx, uint32_t flags, int64_t keep_runs,
                               int64_t runs_older_ms, int64_t events_older_ms, ctcd_list **ret_list,
                               ctcd_error **err) {
    struct gate gate;
    int rc = gate_enter(&gate, ctx, err);
    if (rc)
        return rc;
    struct retention retention = {.dry = flags & CTCD_COLLECT_DRY_RUN,
                                  .keep_runs = keep_runs,
                                  .runs_older_ms = runs_older_ms,
                                  .events_older_ms = events_older_ms};
    if (!ret_list)
        rc = gate_missing(&gate, "ret_list");
    else if (flags & ~CTCD_COLLECT_DRY_RUN)
        rc = gate_invalid(&gate, "flags has unknown bits");
    else
        rc = collect(ctx, &retention, ret_list, err);
    return gate_leave(&gate, rc);
}

CTCD_API ctcd_removal *ctcd_removal_ref(ctcd_removal *removal) {
    return object_ref(removal);
}

CTCD_API ctcd_removal *ctcd_removal_unref(ctcd_removal *removal) {
    return object_unref(removal);
}

CTCD_API const char *ctcd_removal_kind(const ctcd_removal *removal) {
    return removal ? removal->kind : "";
}

CTCD_API const char *ctcd_removal_name(const ctcd_removal *removal) {
    return removal ? removal->name : "";
}

CTCD_API int64_t ctcd_removal_bytes(const ctcd_removal *removal) {
    return removal ? removal->bytes : 0;
}

CTCD_API int64_t ctcd_removal_count(const ctcd_removal *removal) {
    return removal ? removal->count : 0;
}
