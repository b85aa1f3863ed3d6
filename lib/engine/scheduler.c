/* The scheduler (schedule.h): claims due fires of the stored schedules, and carries out their runs, one at a
   time; beside that it keeps services (keeper.h). One process at a time is the scheduler of a home; it takes up what a crashed one left. */
#include <string.h>

#include "core/runname.h"
#include "engine/function.h"
#include "engine/keeper.h"
#include "engine/pipeline.h"
#include "engine/run.h"
#include "engine/schedule.h"
#include "engine/zones.h"
#include "io/file.h"
#include "io/random.h"

#define LOOK_MS 1000  /* how often other processes' changes and the wall clock are looked at */
#define JUMP_MS 10000 /* the wall clock against the monotonic one: more is no correction any more */
#define CLAIM_MOST 10000
#define NAME_TRIES 16

struct scheduler {
    ctcd_op op;
    uint32_t flags;
    char owner[37];
    struct lockfile *lock;
    int64_t live_since_ms; /* wall clock: since when somebody has been looking without a gap */
    int64_t offset_ms;     /* of the wall clock to the monotonic one, at the last look */
    ctcd_op *run;
    char *uuid;      /* of the run */
    char *functions; /* that this context has, as the store takes them */
    int64_t next_ms; /* wall clock: earliest fire that is to come, INT64_MAX = none */
    struct keeper keeper;
};

/* ---- claiming the due fires of one schedule ---- */

struct claim {
    struct scheduler *s;
    const struct store_schedule *record;
    const struct schedule *spec;
    size_t running, waiting;
    int64_t now;
    struct store_run *runs;
    size_t run_count, run_room;
    struct store_drop *drops;
    size_t drop_count, drop_room;
};

static void claim_done(struct claim *c) {
    for (size_t i = 0; i < c->run_count; i++) {
        mem_free(c->runs[i].uuid);
        mem_free(c->runs[i].name);
    }
    for (size_t i = 0; i < c->drop_count; i++)
        mem_free(c->drops[i].reason);
    mem_free(c->runs);
    mem_free(c->drops);
}

static bool grow(void *array, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return true;
    size_t more = *room ? *room * 2 : 8;
    void *block = mem_resize(*(void **)array, more, size);
    if (!block)
        return false;
    *(void **)array = block;
    *room = more;
    return true;
}

/* first to last: one nominal time, or a row of neighbours. */
static int add_drop(struct claim *c, int64_t first_ms, int64_t last_ms, int64_t count,
                    enum drop_reason reason) {
    if (!grow(&c->drops, c->drop_count, &c->drop_room, sizeof(*c->drops)))
        return CTCD_E_NOMEM;
    char *copy = mem_copy_text(drop_reason_name(reason));
    if (!copy)
        return CTCD_E_NOMEM;
    c->drops[c->drop_count++] = (struct store_drop){first_ms, last_ms, count, c->now, copy};
    return 0;
}

static int64_t dropped(const struct claim *c) {
    int64_t count = 0;
    for (size_t i = 0; i < c->drop_count; i++)
        count += c->drops[i].count;
    return count;
}

static int add_run(struct claim *c, int64_t nominal_ms) {
    char uuid[37];
    if (!grow(&c->runs, c->run_count, &c->run_room, sizeof(*c->runs)))
        return CTCD_E_NOMEM;
    int rc = random_uuid(uuid, NULL);
    if (rc)
        return rc;
    struct store_run run = {
        .uuid = mem_copy_text(uuid),
        .pipeline = c->record->pipeline,
        .digest = c->record->digest,
        .nominal_ms = nominal_ms,
        .params = c->record->params,
        .status = STORE_RUN_PENDING,
        .created_ms = c->now,
        .started_ms = CTCD_TIME_NONE,
        .ended_ms = CTCD_TIME_NONE,
    };
    c->runs[c->run_count++] = run;
    return run.uuid ? 0 : CTCD_E_NOMEM;
}

/* By the time of the claim, as all names of runs. The clock gives no microseconds: they begin somewhere, so
   that schedules of one pipeline which claim at one time rarely take each other's, and count on. */
static int name_runs(struct claim *c) {
    uint16_t begin = 0;
    int rc = random_bytes(&begin, sizeof(begin), NULL);
    for (size_t i = 0; !rc && i < c->run_count; i++) {
        int64_t us = (int64_t)begin + (int64_t)i;
        mem_free(c->runs[i].name);
        c->runs[i].name = run_name(c->record->pipeline, c->now + us / 1000, (int)(us % 1000));
        rc = c->runs[i].name ? 0 : CTCD_E_NOMEM;
    }
    return rc;
}

/* A fire that catch-up asked for waits for its turn whatever the overlap policy: "all" means all. */
static int take_fire(void *user, int64_t nominal_ms, bool caught_up) {
    struct claim *c = user;
    if (c->run_count >= CLAIM_MOST)
        return add_drop(c, nominal_ms, nominal_ms, 1, DROP_BUFFER_FULL);
    enum schedule_overlap policy = caught_up ? OVERLAP_BUFFER_ALL : c->spec->overlap;
    struct fire_verdict verdict = overlap_decide(policy, c->running, c->waiting);
    if (verdict.action == FIRE_DROP)
        return add_drop(c, nominal_ms, nominal_ms, 1, verdict.reason);
    c->waiting++;
    return add_run(c, nominal_ms);
}

/* Each dropped fire has its record; years of them have one together. */
static int take_drop(void *user, int64_t first_ms, int64_t last_ms, int64_t count,
                     enum drop_reason reason) {
    struct claim *c = user;
    if (count > CLAIM_MOST)
        return add_drop(c, first_ms, last_ms, count, reason);
    for (int64_t t = first_ms;;) {
        int rc = add_drop(c, t, t, 1, reason);
        if (rc || t >= last_ms || !schedule_next(&c->spec->spec, t, &t))
            return rc;
    }
}

static int count_runs(struct claim *c, ctcd_error **err) {
    struct store *store = c->s->op.ctx->store;
    struct store_run_query query = {.schedule_id = c->record->id,
                                    .statuses = STORE_STATUS(STORE_RUN_RUNNING)};
    int64_t running = 0, waiting = 0;
    int rc = store_run_count(store, &query, &running, err);
    query.statuses = STORE_STATUS(STORE_RUN_PENDING);
    if (!rc)
        rc = store_run_count(store, &query, &waiting, err);
    c->running = (size_t)running;
    c->waiting = (size_t)waiting;
    return rc;
}

/* EXISTS: a run's name was taken. */
static int store_claim(struct claim *c, ctcd_error **err) {
    struct store_fire fire = {
        c->record->id, c->record->last_processed_ms, c->now, c->runs, c->run_count, c->drops,
        c->drop_count};
    int rc = CTCD_E_EXISTS;
    for (int tries = 0; rc == CTCD_E_EXISTS && tries < NAME_TRIES; tries++) {
        rc = name_runs(c);
        rc = rc ? error_set(err, rc, NULL, "the runs of schedule %s could not be named",
                            c->record->name)
                : store_fire_claim(c->s->op.ctx->store, &fire, err);
    }
    if (rc >= 0)
        error_done(err);
    return rc;
}

/* CTCD_NONE: somebody else was faster, or the schedule is gone. */
static int claim_fires(struct scheduler *s, const struct store_schedule *record,
                       const struct schedule *spec, int64_t now) {
    ctcd_error **err = OP_ERR(&s->op);
    _cleanup_(claim_done) struct claim c = {.s = s, .record = record, .spec = spec, .now = now};
    struct fire_sink sink = {take_fire, take_drop, &c};
    int rc = count_runs(&c, err);
    if (!rc && (rc = schedule_due(spec, record->last_processed_ms, s->live_since_ms, now, &sink)))
        error_set(err, rc, NULL, "the fires of schedule %s could not be listed", record->name);
    if (rc || (!c.run_count && !c.drop_count))
        return rc;
    rc = store_claim(&c, err);
    if (rc == 0)
        op_progress(&s->op, "schedule %s: %zu due, %lld dropped", record->name, c.run_count,
                    (long long)dropped(&c));
    return rc;
}

/* ---- looking at all schedules ---- */

static int look_at(struct scheduler *s, const struct store_schedule *record, int64_t now) {
    struct schedule spec;
    int64_t next = 0;
    int rc = schedule_from_json(record->spec, &spec, OP_ERR(&s->op));
    if (!rc)
        rc = zones_bind(s->op.ctx, &spec.spec, OP_ERR(&s->op));
    if (rc)
        return error_prefix(OP_ERR(&s->op), "schedule %s", record->name);
    if (!record->paused && schedule_next(&spec.spec, record->last_processed_ms, &next) &&
        next <= now) {
        rc = claim_fires(s, record, &spec, now);
        if (rc < 0)
            return rc;
        if (rc == CTCD_NONE) {
            s->next_ms = now;
            return 0;
        }
    }
    int64_t after = record->last_processed_ms > now ? record->last_processed_ms : now;
    if (!schedule_next(&spec.spec, after, &next)) {
        rc = store_schedule_end(s->op.ctx->store, record->id, OP_ERR(&s->op));
        if (rc == CTCD_E_NOT_FOUND) { /* deleted meanwhile */
            error_done(OP_ERR(&s->op));
            rc = 0;
        }
        return rc;
    }
    if (next < s->next_ms)
        s->next_ms = next;
    return 0;
}

/* Nobody looked while the machine slept or the wall clock was set forward: what was due then was missed. Where
   it was set back everything is on time that comes after what has been decided. */
static void notice_jump(struct scheduler *s, int64_t now) {
    int64_t offset = now - context_mono(s->op.ctx);
    if (offset - s->offset_ms > JUMP_MS)
        context_log(s->op.ctx, CTCD_LOG_WARNING, "the clock jumped forward by %lld s",
                    (long long)(offset - s->offset_ms) / 1000);
    if (offset - s->offset_ms > JUMP_MS || now < s->live_since_ms)
        s->live_since_ms = now;
    s->offset_ms = offset;
}

/* Pipelines with functions that are not registered here are somebody else's. */
static int look_at_mine(struct scheduler *s, const struct store_schedule *record, int64_t now) {
    bool mine = false;
    int rc = store_pipeline_fits(s->op.ctx->store, record->pipeline, record->digest, s->functions,
                                 &mine, OP_ERR(&s->op));
    return rc || !mine ? rc : look_at(s, record, now);
}

static int look_at_all(struct scheduler *s) {
    ctcd_context *ctx = s->op.ctx;
    _cleanup_(store_schedules_done) struct store_schedules all = {0};
    int64_t now = context_wall(ctx);
    notice_jump(s, now);
    int rc = store_schedule_list(ctx->store, &all, OP_ERR(&s->op));
    s->next_ms = INT64_MAX;
    for (size_t i = 0; !rc && i < all.count; i++)
        if (!all.items[i].ended)
            rc = look_at_mine(s, &all.items[i], now);
    return rc;
}

/* ---- runs ---- */

/* A RUNNING run beside a free lock: whoever carried it out is dead. */
static int next_orphan(struct scheduler *s, char **ret) {
    ctcd_context *ctx = s->op.ctx;
    _cleanup_(store_runs_done) struct store_runs all = {0};
    struct store_run_query query = {.statuses = STORE_STATUS(STORE_RUN_RUNNING),
                                    .functions = s->functions,
                                    .oldest_first = true};
    int rc = store_run_list(ctx->store, &query, &all, OP_ERR(&s->op));
    for (size_t i = 0; !rc && i < all.count; i++) {
        bool live = false;
        const struct store_run *run = &all.items[i];
        rc = run_live(ctx, run->uuid, &live, OP_ERR(&s->op));
        if (rc || live)
            continue;
        op_progress(&s->op, "run %s was interrupted; taking it up", run->name);
        return (*ret = mem_copy_text(run->uuid)) ? 0 : error_nomem(OP_ERR(&s->op));
    }
    return rc;
}

static int next_run(struct scheduler *s, char **ret) {
    ctcd_context *ctx = s->op.ctx;
    int rc = next_orphan(s, ret);
    if (rc || *ret)
        return rc;
    _cleanup_(store_run_done) struct store_run run = {0};
    rc = store_run_claim_next_buffered(ctx->store, 0, s->functions, s->owner, context_wall(ctx),
                                       &run, OP_ERR(&s->op));
    if (rc)
        return rc == CTCD_NONE ? 0 : rc;
    *ret = mem_steal(&run.uuid);
    return 0;
}

/* A run's own failure is no failure of the scheduler. But one whose end could not be recorded would be
   taken up again and again. */
static int let_go(struct scheduler *s) {
    _cleanup_(store_run_done) struct store_run now = {0};
    int rc = s->run->rc;
    bool stays =
        rc < 0 && rc != CTCD_E_CONFLICT &&
        (store_run_get(s->op.ctx->store, s->uuid, &now, NULL) || now.status == STORE_RUN_RUNNING);
    rc = stays ? op_outcome(s->run, OP_ERR(&s->op)) : 0;
    op_drop(&s->run);
    return rc;
}

/* 0: one runs now, or none is there to be run. */
static int drive_run(struct scheduler *s) {
    if (s->run && !s->run->ended)
        return 0;
    int rc = s->run ? let_go(s) : 0;
    mem_free(s->uuid);
    s->uuid = NULL;
    if (!rc)
        rc = next_run(s, &s->uuid);
    if (!rc && s->uuid)
        rc = run_new(s->op.ctx, s->uuid, s->owner, RUN_TIMEOUT_MS, &s->run, OP_ERR(&s->op));
    if (!rc && s->uuid)
        op_start(s->run, &s->op);
    return rc;
}

static int unfinished(struct scheduler *s, int64_t *ret) {
    struct store_run_query query = {.statuses = STORE_STATUS(STORE_RUN_RUNNING) |
                                                STORE_STATUS(STORE_RUN_PENDING),
                                    .functions = s->functions};
    return store_run_count(s->op.ctx->store, &query, ret, OP_ERR(&s->op));
}

/* ---- the op ---- */

static int begin(struct scheduler *s) {
    ctcd_context *ctx = s->op.ctx;
    _cleanup_(mem_free_ptr) char *path = context_path(ctx, "scheduler.lock", NULL);
    if (!path)
        return error_nomem(OP_ERR(&s->op));
    int rc = lockfile_try(path, &s->lock, OP_ERR(&s->op));
    if (rc == CTCD_AGAIN)
        return error_set(OP_ERR(&s->op), CTCD_E_CONFLICT,
                         "there is one daemon for each home; stop that one first",
                         "another process is the scheduler of %s", ctx->home);
    if (!rc)
        rc = random_uuid(s->owner, OP_ERR(&s->op));
    s->live_since_ms = context_wall(ctx);
    s->offset_ms = s->live_since_ms - context_mono(ctx);
    return rc;
}

/* By the wall clock, which may be set: so never longer than a look's distance. It may have moved since the
   look, and between the two questions: then the wait is over at once. */
static void wait_for_next(struct scheduler *s) {
    int64_t mono = context_mono(s->op.ctx), now = context_wall(s->op.ctx);
    int64_t next = s->next_ms < s->keeper.next_ms ? s->next_ms : s->keeper.next_ms;
    int64_t left = next > now ? next - now : 0;
    op_wait_until(&s->op, mono + (left < LOOK_MS ? left : LOOK_MS));
}

static int stopped(struct scheduler *s) {
    bool all = keeper_stop(&s->keeper, &s->op);
    if (s->run && !s->run->ended) {
        op_stop(s->run, s->op.stop);
        all = false;
    }
    if (all)
        return op_fail_stopped(&s->op);
    op_wait_child(&s->op);
    return CTCD_AGAIN;
}

/* They may become more while it runs. */
static int take_functions(struct scheduler *s) {
    mem_free(s->functions);
    return (s->functions = functions_json(s->op.ctx)) ? 0 : error_nomem(OP_ERR(&s->op));
}

static int scheduler_step(ctcd_op *op) {
    struct scheduler *s = (struct scheduler *)op;
    if (op->stop)
        return stopped(s);
    int rc = s->lock ? 0 : begin(s);
    if (!rc)
        rc = take_functions(s);
    if (!rc)
        rc = look_at_all(s);
    if (!rc)
        rc = drive_run(s);
    if (rc)
        return rc;
    keeper_step(&s->keeper, op);
    if ((s->flags & CTCD_SCHEDULER_UNTIL_IDLE) && !s->run && s->next_ms == INT64_MAX &&
        keeper_idle(&s->keeper)) {
        int64_t left = 0;
        rc = unfinished(s, &left);
        if (rc || !left)
            return rc;
    }
    wait_for_next(s);
    return CTCD_AGAIN;
}

static void scheduler_done(ctcd_op *op) {
    struct scheduler *s = (struct scheduler *)op;
    op_drop(&s->run);
    keeper_done(&s->keeper);
    lockfile_done(&s->lock);
    mem_free(s->uuid);
    mem_free(s->functions);
    s->uuid = s->functions = NULL;
}

static const struct op_kind SCHEDULER = {
    .name = "scheduler", .step = scheduler_step, .done = scheduler_done, .outer = true};

int scheduler_new(ctcd_context *ctx, uint32_t flags, ctcd_op **ret, ctcd_error **err) {
    struct store *store = NULL;
    ctcd_op *op = NULL;
    int rc = context_store(ctx, &store, err);
    if (!rc)
        rc = op_new(ctx, &SCHEDULER, sizeof(struct scheduler), 0, &op, err);
    if (rc)
        return rc;
    ((struct scheduler *)op)->flags = flags;
    *ret = op;
    return 0;
}
