/* What the steps of a run printed (run.h): their last lines, and following them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/run.h"
#include "io/file.h"
#include "io/log.h"

static int check_step(const ctcd_run *run, const char *step, ctcd_error **err) {
    for (size_t i = 0; step && i < run->step_count; i++)
        if (strcmp(run->steps[i].name, step) == 0)
            return 0;
    if (!step)
        return 0;
    return error_set(err, CTCD_E_NOT_FOUND, "see: ctcd run describe RUN",
                     "the run %s has no step \"%s\"", run->record.name, step);
}

int run_logs(ctcd_run *run, const char *step, int64_t lines, char **ret, ctcd_error **err) {
    int found = check_step(run, step, err);
    if (found)
        return found;
    for (size_t i = run->step_count; i-- > 0;) {
        const struct run_step *s = &run->steps[i];
        if (step ? strcmp(s->name, step) != 0 : !s->last.name || !s->last.log[0])
            continue;
        _cleanup_(mem_free_ptr) char *text = NULL;
        int rc = s->last.name && s->last.log[0] && file_exists(s->last.log)
                     ? log_last_lines(s->last.log, (size_t)lines, LOG_MOST_BYTES, &text, err)
                     : 0;
        if (rc)
            return rc;
        if (text && (step || text[0])) {
            *ret = mem_steal(&text);
            return 0;
        }
        if (step)
            break;
    }
    return (*ret = mem_copy_text("")) ? 0 : error_nomem(err);
}

/* ---- following ------------------------------------------------------------------------------------- */

/* "ATTEMPT:PLACE:STEP"; attempt 0 = none has begun yet. */
struct cursor {
    int64_t attempt;
    struct log_place place;
    const char *step; /* borrowed */
};

static bool read_cursor(const char *text, struct cursor *ret) {
    char place[LOG_PLACE_SIZE] = "";
    int end = 0;
    if (sscanf(text, "%9" SCNd64 ":%n", &ret->attempt, &end) != 1 || !end || ret->attempt < 0)
        return false;
    const char *colon = strchr(text + end, ':');
    if (!colon || (size_t)(colon - (text + end)) >= sizeof place)
        return false;
    memcpy(place, text + end, (size_t)(colon - (text + end)));
    ret->step = colon + 1;
    return log_place_from_text(place, &ret->place);
}

/* In the order in which they began, only those that have a log. */
static int by_start(const void *a, const void *b) {
    const struct store_step *one = a, *other = b;
    if (one->started_ms != other->started_ms)
        return one->started_ms < other->started_ms ? -1 : 1;
    if (one->position != other->position)
        return one->position < other->position ? -1 : 1;
    return one->attempt < other->attempt ? -1 : one->attempt > other->attempt;
}

static int attempts(ctcd_run *run, const char *step, struct store_steps *ret, ctcd_error **err) {
    int rc = store_step_list(run->object.ctx->store, run->record.uuid, ret, err);
    size_t kept = 0;
    for (size_t i = 0; !rc && i < ret->count; i++) {
        struct store_step *s = &ret->items[i];
        if (s->attempt > 0 && s->log[0] && (!step || strcmp(s->name, step) == 0))
            ret->items[kept++] = *s;
        else
            store_step_done(s);
    }
    if (rc)
        return rc;
    ret->count = kept;
    if (kept)
        qsort(ret->items, kept, sizeof *ret->items, by_start);
    return 0;
}

static bool has_ended(const struct store_step *step) {
    return step->status != STORE_STEP_RUNNING && step->status != STORE_STEP_PENDING;
}

/* Where somebody begins who has seen nothing: at the first that has not ended, else at the last that
   printed anything. SIZE_MAX = there is none. */
static size_t first_of_interest(const struct store_steps *all) {
    for (size_t i = 0; i < all->count; i++)
        if (!has_ended(&all->items[i]))
            return i;
    for (size_t i = all->count; i-- > 0;) {
        char *text = NULL;
        int rc = log_last_lines(all->items[i].log, 1, LOG_TAIL_BYTES, &text, NULL);
        bool printed = !rc && *text;
        if (!rc)
            mem_free(text);
        if (printed)
            return i;
    }
    return all->count ? all->count - 1 : SIZE_MAX;
}

static int give(char *text, const struct cursor *at, char **ret_text, char **ret_cursor,
                ctcd_error **err) {
    char place[LOG_PLACE_SIZE];
    log_place_to_text(&at->place, place);
    char *copy = text ? text : mem_copy_text("");
    char *cursor = mem_text("%" PRId64 ":%s:%s", at->attempt, place, at->step ? at->step : "");
    if (!copy || !cursor) {
        mem_free(copy);
        mem_free(cursor);
        return error_nomem(err);
    }
    *ret_text = copy;
    *ret_cursor = cursor;
    return 0;
}

/* From the place in attempt i on, or with what comes after it where it has ended and no more is in it.
   run_ended was asked before the attempts were: nothing is missed that comes in between. */
static int go_on(const struct store_steps *all, size_t i, struct cursor *at, bool run_ended,
                 char **ret_text, char **ret_cursor, ctcd_error **err) {
    for (; i < all->count; i++) {
        const struct store_step *s = &all->items[i];
        char *text = NULL;
        at->attempt = s->attempt;
        at->step = s->name;
        int rc = log_go_on(s->log, has_ended(s), &at->place, &text, err);
        if (rc)
            return rc;
        if (*text || !has_ended(s) || (i + 1 == all->count && !run_ended))
            return give(text, at, ret_text, ret_cursor, err);
        mem_free(text);
        at->place = (struct log_place){0};
    }
    return run_ended ? CTCD_NONE : give(NULL, at, ret_text, ret_cursor, err);
}

static int find_cursor(const struct store_steps *all, const char *text, struct cursor *ret,
                       size_t *ret_index, ctcd_error **err) {
    if (!read_cursor(text, ret))
        return error_set(err, CTCD_E_INVALID, NULL, "this is no cursor of a log: %s", text);
    *ret_index = 0;
    if (ret->attempt == 0)
        return 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct store_step *s = &all->items[i];
        if (s->attempt == ret->attempt && strcmp(s->name, ret->step) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    return error_set(err, CTCD_E_INVALID, NULL, "this is no cursor of this run's logs: %s", text);
}

int run_logs_since(ctcd_run *run, const char *step, const char *cursor, int64_t lines,
                   char **ret_text, char **ret_cursor, ctcd_error **err) {
    _cleanup_(store_run_done) struct store_run record = {0};
    _cleanup_(store_steps_done) struct store_steps all = {0};
    struct cursor at = {0};
    size_t i = 0;
    int rc = check_step(run, step, err);
    if (!rc)
        rc = store_run_get(run->object.ctx->store, run->record.uuid, &record, err);
    if (!rc)
        rc = attempts(run, step, &all, err);
    if (rc)
        return rc;
    bool ended = record.status != STORE_RUN_RUNNING && record.status != STORE_RUN_PENDING;
    if (cursor) {
        rc = find_cursor(&all, cursor, &at, &i, err);
        return rc ? rc : go_on(&all, i, &at, ended, ret_text, ret_cursor, err);
    }
    i = first_of_interest(&all);
    if (i == SIZE_MAX)
        return give(NULL, &at, ret_text, ret_cursor, err);
    char *text = NULL;
    at.attempt = all.items[i].attempt;
    at.step = all.items[i].name;
    rc =
        log_begin(all.items[i].log, (size_t)lines, has_ended(&all.items[i]), &at.place, &text, err);
    return rc ? rc : give(text, &at, ret_text, ret_cursor, err);
}
