/* metrics: how things are, in the text format of Prometheus, for the textfile collector of the node exporter.
   Run from time to time (cron, a timer); a file is there whole or not at all, as the collector wants it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "whole_file.h"

#define BATCH 500

static const char *const statuses[] = {"pending",  "running",   "completed",  "failed",
                                       "canceled", "abandoned", "interrupted"};
#define STATUS_COUNT (sizeof statuses / sizeof *statuses)

/* What the runs of one pipeline come to. */
struct tally {
    char *pipeline; /* owned */
    size_t runs[STATUS_COUNT];
    size_t verdicts[CTCD_VERDICT_INCONCLUSIVE + 1];
    int64_t success_ms; /* end of the newest run that completed; CTCD_TIME_NONE = none */
};
struct tallies {
    struct tally *items;
    size_t count;
};

/* ---- counting -------------------------------------------------------------------------------- */

static struct tally *tally_of(struct tallies *all, const char *pipeline) {
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].pipeline, pipeline) == 0)
            return &all->items[i];
    all->items = need(realloc(all->items, (all->count + 1) * sizeof *all->items));
    struct tally *tally = &all->items[all->count++];
    *tally = (struct tally){.pipeline = text_of("%s", pipeline), .success_ms = CTCD_TIME_NONE};
    return tally;
}

static void count_run(struct tallies *all, const ctcd_run *run) {
    struct tally *tally = tally_of(all, ctcd_run_pipeline(run));
    for (size_t i = 0; i < STATUS_COUNT; i++)
        tally->runs[i] += strcmp(ctcd_run_status(run), statuses[i]) == 0;
    for (size_t i = 0; i < ctcd_run_step_count(run); i++) {
        const ctcd_decision *decision = ctcd_run_step_decision(run, i);
        if (decision)
            tally->verdicts[ctcd_decision_verdict(decision)]++;
    }
    if (strcmp(ctcd_run_status(run), "completed") == 0 && ctcd_run_ended(run) > tally->success_ms)
        tally->success_ms = ctcd_run_ended(run);
}

static int is_in(const ctcd_list *list, const ctcd_run *run) {
    for (size_t i = 0; i < ctcd_list_count(list); i++)
        if (strcmp(ctcd_run_uuid(ctcd_list_run(list, i)), ctcd_run_uuid(run)) == 0)
            return 1;
    return 0;
}

/* Newest first: runs that begin meanwhile move the others down, and they come a second time. */
static int count_runs(ctcd_context *ctx, struct tallies *all, ctcd_error **err) {
    ctcd_list *before = NULL;
    int rc = 0;
    size_t got = BATCH;
    for (int64_t offset = 0; !rc && got == BATCH; offset += BATCH) {
        ctcd_list *list = NULL;
        rc = ctcd_run_list(ctx, NULL, NULL, BATCH, offset, &list, err);
        got = ctcd_list_count(list);
        for (size_t i = 0; i < got; i++)
            if (!is_in(before, ctcd_list_run(list, i)))
                count_run(all, ctcd_list_run(list, i));
        ctcd_list_unref(before);
        before = list;
    }
    ctcd_list_unref(before);
    return rc;
}

static void tallies_free(struct tallies *all) {
    for (size_t i = 0; i < all->count; i++)
        free(all->items[i].pipeline);
    free(all->items);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void family(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The value of a label: backslash, quote and line feed are escaped. */
static void label(FILE *out, const char *before, const char *name, const char *value) {
    fprintf(out, "%s%s=\"", before, name);
    for (; *value; value++)
        if (*value == '\n')
            fputs("\\n", out);
        else if (*value == '\\' || *value == '"')
            fprintf(out, "\\%c", *value);
        else
            putc(*value, out);
    putc('"', out);
}

static void write_tallies(FILE *out, const struct tallies *all) {
    family(out, "ctcd_runs", "gauge", "Recorded runs by pipeline and status.");
    for (size_t i = 0; i < all->count; i++)
        for (size_t s = 0; s < STATUS_COUNT; s++) {
            label(out, "ctcd_runs{", "pipeline", all->items[i].pipeline);
            label(out, ",", "status", statuses[s]);
            fprintf(out, "} %zu\n", all->items[i].runs[s]);
        }
    family(out, "ctcd_last_success_timestamp_seconds", "gauge",
           "When the newest run that completed ended.");
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].success_ms == CTCD_TIME_NONE)
            continue;
        label(out, "ctcd_last_success_timestamp_seconds{", "pipeline", all->items[i].pipeline);
        fprintf(out, "} %lld.%03lld\n", (long long)all->items[i].success_ms / 1000,
                (long long)all->items[i].success_ms % 1000);
    }
    static const char *const verdicts[] = {"", "promote", "reject", "inconclusive"};
    family(out, "ctcd_decisions", "gauge", "Recorded decisions by pipeline and verdict.");
    for (size_t i = 0; i < all->count; i++)
        for (size_t v = CTCD_VERDICT_PROMOTE; v <= CTCD_VERDICT_INCONCLUSIVE; v++) {
            label(out, "ctcd_decisions{", "pipeline", all->items[i].pipeline);
            label(out, ",", "verdict", verdicts[v]);
            fprintf(out, "} %zu\n", all->items[i].verdicts[v]);
        }
}

static void write_services(FILE *out, const ctcd_list *looks) {
    family(out, "ctcd_services", "gauge", "Services by the state that was observed.");
    for (int state = CTCD_STATE_INACTIVE; state <= CTCD_STATE_UNKNOWN; state++) {
        size_t count = 0;
        for (size_t i = 0; i < ctcd_list_count(looks); i++)
            count += ctcd_status_state(ctcd_list_status(looks, i)) == state;
        label(out, "ctcd_services{", "state", ctcd_state_name(state));
        fprintf(out, "} %zu\n", count);
    }
    family(out, "ctcd_service_up", "gauge", "Does it answer? 1 = active or degraded.");
    for (size_t i = 0; i < ctcd_list_count(looks); i++) {
        const ctcd_status *look = ctcd_list_status(looks, i);
        const ctcd_service *service = ctcd_status_service(look);
        int state = ctcd_status_state(look);
        label(out, "ctcd_service_up{", "uuid", ctcd_service_uuid(service));
        label(out, ",", "model", ctcd_service_model(service));
        label(out, ",", "pipeline", ctcd_service_pipeline(service));
        fprintf(out, "} %d\n", state == CTCD_STATE_ACTIVE || state == CTCD_STATE_DEGRADED);
    }
}

static void write_schedules(FILE *out, const ctcd_list *schedules, const char *name,
                            const char *what, const char *help) {
    family(out, name, "counter", help);
    for (size_t i = 0; i < ctcd_list_count(schedules); i++) {
        const ctcd_schedule *schedule = ctcd_list_schedule(schedules, i);
        fputs(name, out);
        label(out, "{", "schedule", ctcd_schedule_name(schedule));
        fprintf(out, "} %lld\n", (long long)ctcd_schedule_counter(schedule, what));
    }
}

static void write_all(FILE *out, const struct tallies *runs, const ctcd_list *looks,
                      const ctcd_list *schedules) {
    write_services(out, looks);
    write_tallies(out, runs);
    write_schedules(out, schedules, "ctcd_schedule_fires_total", "runs", "Fires that became runs.");
    write_schedules(out, schedules, "ctcd_schedule_drops_total", "drops",
                    "Fires that did not become runs.");
    family(out, "ctcd_metrics_timestamp_seconds", "gauge", "When these numbers were taken.");
    fprintf(out, "ctcd_metrics_timestamp_seconds %lld\n", (long long)time(NULL));
}

/* The collector is another user: it has to be able to read the file. */
static int write_to(const char *path, const struct tallies *runs, const ctcd_list *looks,
                    const ctcd_list *schedules) {
    struct whole_file file;
    if (!path || strcmp(path, "-") == 0) {
        write_all(stdout, runs, looks, schedules);
        return 0;
    }
    int status = whole_file_open(&file, path, 0644);
    if (status)
        return status;
    write_all(file.out, runs, looks, schedules);
    return whole_file_commit(&file);
}

int cmd_metrics(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *looks = NULL;
    _drop_(list) ctcd_list *schedules = NULL;
    struct tallies runs = {0};
    int rc = look_at_services(req, &looks, err);
    if (!rc)
        rc = count_runs(req->ctx, &runs, err);
    if (!rc)
        rc = ctcd_schedule_list(req->ctx, &schedules, err);
    if (!rc)
        rc = write_to(option(req, "output"), &runs, looks, schedules);
    tallies_free(&runs);
    return rc;
}
