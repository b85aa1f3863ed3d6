/* Snapshots of runs (run.h): a record with its steps, outputs and decisions; lists. */
#include <string.h>

#include "engine/run.h"
#include "store/pipelines.h"

static void run_free(void *object) {
    ctcd_run *run = object;
    store_run_done(&run->record);
    for (size_t i = 0; i < run->step_count; i++) {
        mem_free(run->steps[i].name);
        store_step_done(&run->steps[i].last);
        mem_free(run->steps[i].outputs);
        for (size_t n = 0; n < run->steps[i].number_count; n++)
            mem_free(run->steps[i].numbers[n].name);
        mem_free(run->steps[i].numbers);
        object_unref(run->steps[i].decision);
    }
    mem_free(run->steps);
    mem_free(run->next);
}

static struct json *time_json(int64_t ms) {
    return ms == CTCD_TIME_NONE ? json_new_null() : json_new_int(ms);
}

static struct json *parsed(const char *text) {
    struct json *value = NULL;
    if (json_parse(text, strlen(text), 1 << 24, JSON_PYTHON, NULL, &value, NULL))
        return json_new_object();
    return value;
}

static struct json *step_json(const struct run_step *step) {
    const struct store_step *last = &step->last;
    struct json *json = json_new_object();
    bool begun = last->name != NULL;
    if (json_set_text(json, "name", step->name) &&
        json_set_text(json, "status", begun ? store_step_status_name(last->status) : "pending") &&
        json_set_int(json, "attempts", begun ? last->attempt : 0) &&
        json_set_text(json, "error", begun ? last->error : "") &&
        json_set_new(json, "started_ms", time_json(begun ? last->started_ms : CTCD_TIME_NONE)) &&
        json_set_new(json, "ended_ms", time_json(begun ? last->ended_ms : CTCD_TIME_NONE)) &&
        json_set_new(json, "outputs", parsed(step->outputs)) &&
        (!step->decision || json_set_new(json, "decision", DECISION_KIND.to_json(step->decision))))
        return json;
    return json_unref(json);
}

static struct json *run_to_json(const void *object) {
    const ctcd_run *run = object;
    const struct store_run *r = &run->record;
    struct json *json = json_new_object();
    struct json *steps = json_new_array();
    for (size_t i = 0; steps && i < run->step_count; i++)
        if (!json_append_new(steps, step_json(&run->steps[i])))
            steps = json_unref(steps);
    if (json_set_text(json, "uuid", r->uuid) && json_set_text(json, "name", r->name) &&
        json_set_text(json, "pipeline", r->pipeline) &&
        json_set_text(json, "schedule", r->schedule) &&
        json_set_text(json, "status", run_status(run)) && json_set_text(json, "next", run->next) &&
        json_set_text(json, "error", r->error) &&
        json_set_new(json, "nominal_ms", time_json(r->nominal_ms)) &&
        json_set_new(json, "started_ms", time_json(r->started_ms)) &&
        json_set_new(json, "ended_ms", time_json(r->ended_ms)) &&
        json_set_new(json, "params", parsed(r->params)) && json_set(json, "steps", steps)) {
        json_unref(steps);
        return json;
    }
    json_unref(steps);
    return json_unref(json);
}

static const char *run_label(const void *object) {
    return ((const ctcd_run *)object)->record.name;
}

const struct object_kind RUN_KIND = {"run", run_free, run_to_json, run_label};

/* ---- who carries it out ---- */

const char *run_status(const ctcd_run *run) {
    return run->interrupted ? "interrupted" : store_run_status_name(run->record.status);
}

/* A daemon takes runs up one after the other; but not those that need functions of another program. */
static int daemon_fits(ctcd_context *ctx, const struct store_run *run, bool *ret,
                       ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *lock = context_path(ctx, "scheduler.lock", NULL);
    int rc = lock ? lockfile_held(lock, ret, err) : error_nomem(err);
    return rc || !*ret
               ? rc
               : store_pipeline_fits(ctx->store, run->pipeline, run->digest, "[]", ret, err);
}

int run_interrupted(ctcd_context *ctx, struct store_run *record, bool *ret, ctcd_error **err) {
    bool live = false;
    *ret = false;
    if (record->status != STORE_RUN_RUNNING)
        return 0;
    int rc = run_live(ctx, record->uuid, &live, err);
    if (!rc && !live)
        rc = daemon_fits(ctx, record, &live, err);
    if (rc || live)
        return rc;
    /* Who carries a run out records its end before the lock is free. */
    _cleanup_(store_run_done) struct store_run now = {0};
    ctcd_error *why = NULL;
    rc = store_run_get(ctx->store, record->uuid, &now, &why);
    if (rc && rc != CTCD_E_NOT_FOUND && err)
        *err = mem_steal(&why);
    error_done(&why);
    if (rc) /* it ended, and was removed: as it was when it was read */
        return rc == CTCD_E_NOT_FOUND ? 0 : rc;
    *ret = now.status == STORE_RUN_RUNNING;
    struct store_run before = *record;
    *record = now;
    now = before;
    return 0;
}

static int look_who(ctcd_context *ctx, ctcd_run *run, ctcd_error **err) {
    bool fits = false;
    int rc = run_interrupted(ctx, &run->record, &run->interrupted, err);
    if (!rc && run->interrupted)
        rc = store_pipeline_fits(ctx->store, run->record.pipeline, run->record.digest, "[]", &fits,
                                 err);
    if (rc)
        return rc;
    run->next = !run->interrupted ? mem_copy_text("")
                : fits            ? mem_copy_text("ctcd daemon --until-idle")
                                  : mem_text("ctcd run cancel %s", run->record.name);
    return run->next ? 0 : error_nomem(err);
}

/* ---- reading ---- */

static struct run_step *step_named(ctcd_run *run, const char *name) {
    for (size_t i = 0; i < run->step_count; i++)
        if (strcmp(run->steps[i].name, name) == 0)
            return &run->steps[i];
    return NULL;
}

static int add_step(ctcd_run *run, const char *name, ctcd_error **err) {
    struct run_step *more = mem_resize(run->steps, run->step_count + 1, sizeof(*run->steps));
    if (!more)
        return error_nomem(err);
    run->steps = more;
    struct run_step *step = &run->steps[run->step_count++];
    *step = (struct run_step){.name = mem_copy_text(name), .outputs = mem_copy_text("{}")};
    return step->name && step->outputs ? 0 : error_nomem(err);
}

/* The steps of its pipeline in the order in which they run, begun or not. A record stays readable where the
   pipeline is not (a version that refuses what an older one took): it then has the steps that were begun. */
static int read_order(ctcd_context *ctx, ctcd_run *run, ctcd_error **err) {
    _cleanup_(object_done) ctcd_pipeline *pipeline = NULL;
    int rc = pipeline_from_store(ctx, run->record.pipeline, run->record.digest, &pipeline, NULL);
    if (rc)
        return rc == CTCD_E_NOMEM ? error_nomem(err) : 0;
    for (size_t i = 0; !rc && i < pipeline->spec.step_count; i++)
        rc = add_step(run, pipeline->spec.steps[pipeline->order[i]].name, err);
    return rc;
}

static int read_steps(ctcd_context *ctx, ctcd_run *run, ctcd_error **err) {
    _cleanup_(store_steps_done) struct store_steps all = {0};
    int rc = store_step_list(ctx->store, run->record.uuid, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++) {
        struct run_step *step = step_named(run, all.items[i].name);
        if (!step) {
            rc = add_step(run, all.items[i].name, err);
            step = rc ? NULL : &run->steps[run->step_count - 1];
        }
        if (!step)
            break;
        store_step_done(&step->last);
        step->last = all.items[i];
        memset(&all.items[i], 0, sizeof(all.items[i]));
    }
    return rc;
}

static int add_number(struct run_step *step, const char *name, double value) {
    struct run_number *more =
        mem_resize(step->numbers, step->number_count + 1, sizeof(*step->numbers));
    if (!more)
        return CTCD_E_NOMEM;
    step->numbers = more;
    more[step->number_count] = (struct run_number){mem_copy_text(name), value};
    return more[step->number_count++].name ? 0 : CTCD_E_NOMEM;
}

static int add_output(struct run_step *step, const struct store_artifact *artifact,
                      ctcd_error **err) {
    _cleanup_(json_done) struct json *outputs = parsed(step->outputs);
    struct json *value = artifact->kind == STORE_ARTIFACT_VALUE ? parsed(artifact->value)
                                                                : json_new_text(artifact->value);
    double number = 0;
    if (json_to_real(value, &number) && add_number(step, artifact->name, number)) {
        json_unref(value);
        return error_nomem(err);
    }
    char *text = json_set_new(outputs, artifact->name, value) ? json_to_text(outputs) : NULL;
    if (!text)
        return error_nomem(err);
    mem_free(step->outputs);
    step->outputs = text;
    return 0;
}

static int read_outputs(ctcd_context *ctx, ctcd_run *run, ctcd_error **err) {
    _cleanup_(store_artifacts_done) struct store_artifacts all = {0};
    int rc = store_artifact_list(ctx->store, run->record.uuid, NULL, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++) {
        struct run_step *step = step_named(run, all.items[i].step);
        if (step)
            rc = add_output(step, &all.items[i], err);
    }
    return rc;
}

static int read_decisions(ctcd_context *ctx, ctcd_run *run, ctcd_error **err) {
    _cleanup_(store_decisions_done) struct store_decisions all = {0};
    int rc = store_decision_list(ctx->store, run->record.uuid, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++) {
        const struct store_decision *d = &all.items[i];
        struct run_step *step = step_named(run, d->step);
        if (step && !step->decision)
            rc = decision_from_texts(d->verdict, d->rule, d->candidate, d->baseline, d->reasons,
                                     &step->decision, err);
    }
    return rc;
}

static int from_record(ctcd_context *ctx, struct store_run *record, ctcd_run **ret,
                       ctcd_error **err) {
    _cleanup_(object_done) ctcd_run *run = object_new(ctx, &RUN_KIND, sizeof(*run));
    if (!run)
        return error_nomem(err);
    run->record = *record;
    memset(record, 0, sizeof(*record));
    int rc = look_who(ctx, run, err);
    if (!rc)
        rc = read_order(ctx, run, err);
    if (!rc)
        rc = read_steps(ctx, run, err);
    if (!rc)
        rc = read_outputs(ctx, run, err);
    if (!rc)
        rc = read_decisions(ctx, run, err);
    if (rc)
        return rc;
    *ret = mem_steal(&run);
    return 0;
}

int run_load(ctcd_context *ctx, const char *name, ctcd_run **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_run_done) struct store_run record = {0};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_run_get(store, name, &record, err);
    return rc ? rc : from_record(ctx, &record, ret, err);
}

int run_list(ctcd_context *ctx, const char *pipeline, const char *schedule, int64_t limit,
             int64_t offset, ctcd_list **ret, ctcd_error **err) {
    struct store *store = NULL;
    _cleanup_(store_runs_done) struct store_runs all = {0};
    struct store_run_query query = {
        .pipeline = pipeline, .schedule = schedule, .limit = limit, .offset = offset};
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = store_run_list(store, &query, &all, err);
    if (rc)
        return rc;
    _cleanup_(object_done) ctcd_list *list = object_list_new(ctx, &RUN_KIND);
    if (!list)
        return error_nomem(err);
    for (size_t i = 0; i < all.count; i++) {
        ctcd_run *run = NULL;
        rc = from_record(ctx, &all.items[i], &run, err);
        if (rc)
            return rc;
        if (!object_list_take(list, run))
            return error_nomem(err);
    }
    *ret = mem_steal(&list);
    return 0;
}
