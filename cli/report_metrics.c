/* The report's metrics: every number that steps put out, as a series over the runs of its pipeline. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_series.h"

#define PLOTS_MOST 24

struct all_series {
    struct series *items;
    size_t count;
};

/* ---- gathering ------------------------------------------------------------------------------- */

static struct series *series_of(struct all_series *all, const char *pipeline, const char *step,
                                const char *name) {
    for (size_t i = 0; i < all->count; i++) {
        struct series *s = &all->items[i];
        if (strcmp(s->pipeline, pipeline) == 0 && strcmp(s->step, step) == 0 &&
            strcmp(s->name, name) == 0)
            return s;
    }
    all->items = need(realloc(all->items, (all->count + 1) * sizeof *all->items));
    struct series *s = &all->items[all->count++];
    *s = (struct series){.pipeline = pipeline, .step = step, .name = name};
    return s;
}

static void add_point(struct series *s, const ctcd_run *run, double value) {
    const ctcd_decision *decision = run_decision(run);
    double candidate, threshold;
    int decided = decision && strcmp(ctcd_decision_metric(decision), s->name) == 0 &&
                  ctcd_decision_number(decision, "candidate", &candidate) == 0 &&
                  !(candidate < value) && !(candidate > value);
    if (!isfinite(value) || ctcd_run_started(run) == CTCD_TIME_NONE) {
        s->strange++;
        return;
    }
    s->points = need(realloc(s->points, (s->count + 1) * sizeof *s->points));
    s->least = !s->count || value < s->least ? value : s->least;
    s->most = !s->count || value > s->most ? value : s->most;
    s->points[s->count++] = (struct point){.ms = ctcd_run_started(run),
                                           .value = value,
                                           .verdict = decided ? ctcd_decision_verdict(decision) : 0,
                                           .run = run};
    s->verdicts[s->points[s->count - 1].verdict]++;
    if (!decided || ctcd_decision_number(decision, "threshold", &threshold) != 0 ||
        !isfinite(threshold))
        return;
    s->has_threshold = 1;
    s->threshold = threshold;
}

static void gather(const struct report *r, struct all_series *all) {
    for (size_t i = ctcd_list_count(r->runs); i-- > 0;) {
        const ctcd_run *run = ctcd_list_run(r->runs, i);
        for (size_t step = 0; step < ctcd_run_step_count(run); step++) {
            const char *name;
            double value;
            for (size_t n = 0; ctcd_run_step_number(run, step, n, &name, &value) == 0; n++)
                add_point(
                    series_of(all, ctcd_run_pipeline(run), ctcd_run_step_name(run, step), name),
                    run, value);
        }
    }
}

static size_t decisions(const struct series *s) {
    return s->verdicts[CTCD_VERDICT_PROMOTE] + s->verdicts[CTCD_VERDICT_REJECT] +
           s->verdicts[CTCD_VERDICT_INCONCLUSIVE];
}

/* What decides comes first; else by names. */
static int compare(const void *a, const void *b) {
    const struct series *s = a, *t = b;
    int order = (decisions(t) > 0) - (decisions(s) > 0);
    if (!order)
        order = strcmp(s->pipeline, t->pipeline);
    if (!order)
        order = strcmp(s->step, t->step);
    return order ? order : strcmp(s->name, t->name);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_legend_mark(FILE *out, int verdict, const char *text) {
    fputs("<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\">", out);
    write_mark(out, verdict, 7, 7);
    fprintf(out, "</svg>%s</li>\n", text);
}

static void write_legend(FILE *out) {
    fputs("<ul class=\"legend\" aria-label=\"Legend\">\n", out);
    write_legend_mark(out, CTCD_VERDICT_PROMOTE, "promoted");
    write_legend_mark(out, CTCD_VERDICT_REJECT, "rejected");
    write_legend_mark(out, CTCD_VERDICT_INCONCLUSIVE, "inconclusive");
    write_legend_mark(out, 0, "no decision by it");
    fputs(
        "<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"limit\" d=\"M0 7H14\"/>"
        "</svg>threshold</li>\n</ul>\n",
        out);
}

/* For those who want the numbers, and for those who cannot see the plot. */
static void write_values(FILE *out, const struct series *s) {
    fputs("<details><summary>Values</summary>\n", out);
    html_table(out, "Newest first",
               (const char *const[]){"Started", "Value", "Decision", "Run", NULL});
    for (size_t i = s->count; i-- > 0;) {
        const struct point *p = &s->points[i];
        char *value = number_text(p->value);
        fputs("<tr>", out);
        html_cell_open(out, "Started");
        html_time(out, p->ms);
        html_cell_close(out);
        html_cell(out, "Value", value);
        html_cell(out, "Decision",
                  p->verdict ? ctcd_decision_verdict_name(run_decision(p->run)) : "");
        html_cell(out, "Run", ctcd_run_name(p->run));
        fputs("</tr>\n", out);
        free(value);
    }
    html_table_close(out);
    fputs("</details>\n", out);
}

static void write_series(FILE *out, const struct series *s, size_t number) {
    fputs("<figure>\n<h3>", out);
    html_text(out, s->pipeline);
    fputs(": ", out);
    html_text(out, s->name);
    fputs(" <span class=\"soft\">(step ", out);
    html_text(out, s->step);
    fputs(")</span></h3>\n", out);
    write_plot(out, s, number);
    write_values(out, s);
    fputs("</figure>\n", out);
}

void report_metrics(const struct report *r) {
    struct all_series all = {0};
    size_t shown = 0, left = 0;
    gather(r, &all);
    if (all.count)
        qsort(all.items, all.count, sizeof *all.items, compare);
    html_section(r->out, "metrics", "Metrics");
    for (size_t i = 0; i < all.count; i++) {
        if (!all.items[i].count)
            continue;
        if (shown == PLOTS_MOST) {
            left++;
            continue;
        }
        if (!shown++) {
            write_legend(r->out);
            fputs("<div class=\"plots\">\n", r->out);
        }
        write_series(r->out, &all.items[i], shown);
    }
    fputs(shown ? "</div>\n" : "<p>No run has put out a number yet.</p>\n", r->out);
    if (left)
        fprintf(r->out,
                "<p class=\"soft\">%zu more are not shown; see <code>ctcd run list -o "
                "json</code>.</p>\n",
                left);
    html_section_close(r->out);
    for (size_t i = 0; i < all.count; i++)
        free(all.items[i].points);
    free(all.items);
}
