/* The report's metrics as series: gathered in report_metrics.c, drawn by report_plot.c. */
#ifndef CTCD_CLI_REPORT_SERIES_H
#define CTCD_CLI_REPORT_SERIES_H

#include "report.h"

struct point {
    int64_t ms; /* start of the run */
    double value;
    int verdict; /* CTCD_VERDICT_*, 0 = nothing was decided by it */
    const ctcd_run *run;
};

/* One number of one step, over the runs of a pipeline. Texts are borrowed from runs. */
struct series {
    const char *pipeline, *step, *name;
    struct point *points; /* oldest first; finite */
    size_t count;
    size_t strange; /* runs in which it was not a number, or infinite */
    size_t verdicts[CTCD_VERDICT_INCONCLUSIVE + 1];
    double least, most;
    int has_threshold;
    double threshold; /* of the newest decision */
};

/* "0.93": the shortest text that is read as the same number; owned. */
char *number_text(double value);
/* The plot, with its title and description for those who do not see it. number: makes its ids unique. */
void write_plot(FILE *out, const struct series *s, size_t number);
/* The mark of a verdict alone, for the legend. */
void write_mark(FILE *out, int verdict, double x, double y);

#endif
