/* One metric as an inline SVG: axes with ticks, a line through the runs, a mark for each decision. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_series.h"

/* Of the view box. Small, so that its letters stay readable on a phone. */
#define WIDTH 400.0
#define HEIGHT 240.0
#define LEFT 56.0
#define RIGHT 388.0
#define TOP 22.0
#define BOTTOM 184.0
#define TICKS_MOST 8

struct scale {
    double low, high; /* values */
    double step;      /* between ticks */
    int64_t first_ms, last_ms;
};

/* The shortest that is read back as the same; 120 and not 1.2e+02. */
char *number_text(double value) {
    char text[40];
    int plain = value < 1e15 && value > -1e15 && (value == 0 || value >= 1e-4 || value <= -1e-4);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value && !(plain && strchr(text, 'e')))
            break;
    }
    return text_of("%s", text);
}

/* ---- scales ---------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten, at least so large. */
static double nice_step(double least) {
    double power = 1;
    while (power > least)
        power /= 10;
    while (power * 10 <= least)
        power *= 10;
    return power >= least       ? power
           : power * 2 >= least ? power * 2
           : power * 5 >= least ? power * 5
                                : power * 10;
}

/* Where the number of steps is too large to be counted exactly, it stays where it is. */
static double round_down(double value, double step) {
    double steps = value / step;
    if (steps > 1e15 || steps < -1e15)
        return value;
    double whole = (double)(long long)steps;
    return (whole > steps ? whole - 1 : whole) * step;
}

static struct scale scale_of(const struct series *s) {
    struct scale scale = {.low = s->least, .high = s->most};
    if (s->has_threshold && s->threshold < scale.low)
        scale.low = s->threshold;
    if (s->has_threshold && s->threshold > scale.high)
        scale.high = s->threshold;
    double range =
        scale.high / 4 - scale.low / 4; /* halves of the largest number do not overflow */
    double size = scale.high < 0 ? -scale.low : scale.high > -scale.low ? scale.high : -scale.low;
    if (range <= size * 1e-12)
        range = size > 0 ? size / 20 : 0.25;
    scale.step = nice_step(range);
    double least = scale.low;
    scale.low = round_down(least - scale.step / 4, scale.step);
    if (least >= 0 && scale.low < 0)
        scale.low = 0; /* what counts things is never below */
    double top = round_down(scale.high + scale.step / 4, scale.step);
    scale.high = top + scale.step;
    scale.first_ms = s->points[0].ms;
    scale.last_ms = s->points[s->count - 1].ms;
    return scale;
}

static double x_of(const struct scale *scale, int64_t ms) {
    if (scale->last_ms == scale->first_ms)
        return (LEFT + RIGHT) / 2;
    double part = (double)(ms - scale->first_ms) / (double)(scale->last_ms - scale->first_ms);
    return LEFT + 10 + part * (RIGHT - LEFT - 20);
}

static double y_of(const struct scale *scale, double value) {
    double part = (value / 2 - scale->low / 2) / (scale->high / 2 - scale->low / 2);
    return BOTTOM - part * (BOTTOM - TOP);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void write_label(FILE *out, double x, double y, const char *anchor, const char *text) {
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    html_text(out, text);
    fputs("</text>\n", out);
}

static void write_value_axis(FILE *out, const struct scale *scale) {
    for (int i = 0; i < TICKS_MOST; i++) {
        double value = scale->low + i * scale->step, y = y_of(scale, value);
        if (value > scale->high + scale->step / 2)
            break;
        /* What is left of rounding: 0.1 + 0.2 is to read as 0.3. */
        char *text =
            text_of("%.6g", value < scale->step / 1e6 && value > -scale->step / 1e6 ? 0 : value);
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", LEFT, y, RIGHT);
        write_label(out, LEFT - 6, y + 4, "end", text);
        free(text);
    }
}

static void write_time_label(FILE *out, double x, const char *anchor, int64_t ms) {
    char text[32], day[11] = "", minute[6] = "";
    if (ctcd_time_format(ms, text, sizeof text) != 0)
        return;
    snprintf(day, sizeof day, "%.10s", text);
    snprintf(minute, sizeof minute, "%.5s", text + 11);
    write_label(out, x, BOTTOM + 16, anchor, day);
    write_label(out, x, BOTTOM + 30, anchor, minute);
}

static void write_time_axis(FILE *out, const struct scale *scale) {
    int64_t middle = scale->first_ms + (scale->last_ms - scale->first_ms) / 2;
    fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", LEFT, TOP, BOTTOM, RIGHT);
    write_label(out, (LEFT + RIGHT) / 2, HEIGHT - 6, "middle", "start of the run (UTC)");
    write_time_label(out, x_of(scale, middle), "middle", middle);
    if (scale->last_ms - scale->first_ms < 60000)
        return;
    write_time_label(out, LEFT, "start", scale->first_ms);
    write_time_label(out, RIGHT, "end", scale->last_ms);
}

static void write_line(FILE *out, const struct series *s, const struct scale *scale) {
    if (s->has_threshold) {
        double y = y_of(scale, s->threshold);
        fprintf(out, "<path class=\"limit\" d=\"M%.1f %.1fH%.1f\"/>\n", LEFT, y, RIGHT);
    }
    fputs("<path class=\"series\" d=\"", out);
    for (size_t i = 0; i < s->count; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x_of(scale, s->points[i].ms),
                y_of(scale, s->points[i].value));
    fputs("\"/>\n", out);
}

void write_mark(FILE *out, int verdict, double x, double y) {
    if (verdict == CTCD_VERDICT_PROMOTE)
        fprintf(out, "<circle class=\"promote\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x, y);
    else if (verdict == CTCD_VERDICT_REJECT)
        fprintf(out, "<path class=\"reject\" d=\"M%.1f %.1fl8 8m0 -8l-8 8\"/>", x - 4, y - 4);
    else if (verdict == CTCD_VERDICT_INCONCLUSIVE)
        fprintf(out, "<path class=\"inconclusive\" d=\"M%.1f %.1fl5 5l-5 5l-5 -5z\"/>", x, y - 5);
    else
        fprintf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>", x, y);
}

/* Pointed at, a mark says which run it is. */
static void write_points(FILE *out, const struct series *s, const struct scale *scale) {
    for (size_t i = 0; i < s->count; i++) {
        const struct point *p = &s->points[i];
        char *value = number_text(p->value);
        fputs("<g><title>", out);
        html_text(out, ctcd_run_name(p->run));
        fprintf(out, ": %s", value);
        if (p->verdict)
            fprintf(out, ", %s", ctcd_decision_verdict_name(run_decision(p->run)));
        fputs("</title>", out);
        write_mark(out, p->verdict, x_of(scale, p->ms), y_of(scale, p->value));
        fputs("</g>\n", out);
        free(value);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void write_description(FILE *out, const struct series *s) {
    char *least = number_text(s->least), *most = number_text(s->most);
    char *newest = number_text(s->points[s->count - 1].value);
    fprintf(out, "%zu run%s, from %s to %s, the newest %s", s->count, s->count == 1 ? "" : "s",
            least, most, newest);
    if (s->verdicts[0] < s->count)
        fprintf(out, "; %zu promoted, %zu rejected", s->verdicts[CTCD_VERDICT_PROMOTE],
                s->verdicts[CTCD_VERDICT_REJECT]);
    if (s->verdicts[CTCD_VERDICT_INCONCLUSIVE])
        fprintf(out, ", %zu inconclusive", s->verdicts[CTCD_VERDICT_INCONCLUSIVE]);
    if (s->has_threshold) {
        char *threshold = number_text(s->threshold);
        fprintf(out, "; threshold %s", threshold);
        free(threshold);
    }
    if (s->strange)
        fprintf(out, "; not a number in %zu more", s->strange);
    fputc('.', out);
    free(newest);
    free(most);
    free(least);
}

void write_plot(FILE *out, const struct series *s, size_t number) {
    struct scale scale = scale_of(s);
    fprintf(out,
            "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"plot-%zu-title "
            "plot-%zu-text\">\n<title id=\"plot-%zu-title\">",
            WIDTH, HEIGHT, number, number, number);
    html_text(out, s->name);
    fputs(" of pipeline ", out);
    html_text(out, s->pipeline);
    fprintf(out, " over time</title>\n<desc id=\"plot-%zu-text\">", number);
    write_description(out, s);
    fputs("</desc>\n", out);
    write_value_axis(out, &scale);
    write_time_axis(out, &scale);
    write_label(out, LEFT, TOP - 9, "start", s->name);
    write_line(out, s, &scale);
    write_points(out, s, &scale);
    fputs("</svg>\n<figcaption>", out);
    write_description(out, s);
    fputs("</figcaption>\n", out);
}
