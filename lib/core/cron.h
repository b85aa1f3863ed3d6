/* Cron expressions: parsed into bit sets; the next and the previous instant by scanning bits, never by
   trying one minute after the other. Pure: "now" and the zone are arguments. Used by schedule_spec.c.

   Fields: [second] minute hour day month weekday [year]; the ones in brackets only where they are asked for.
   A dialect is a day rule and a rule for changes of the clock together (both in full: cron_zone.c):

     vixie   day and weekday: either, but both where one of them begins with '*'. A fixed time (neither hour
             nor minute begins with '*') that a change to summer time leaves out runs at the end of the gap,
             and runs once where the hour comes twice; others follow the real time. A change of more than
             3 h is a correction of the clock: nothing is moved, nothing is left out.
     robfig  either, but both where one of them is '*' or '?' (also in a list). Real time only: what is left
             out does not run, what comes twice runs twice. (Kubernetes, Argo.)
     cronos  both, always. What is left out runs at the end of the gap, once. Where the hour comes twice,
             what has '*', a range or a step in its time runs in both, else in the first. (.NET) */
#ifndef CTCD_CORE_CRON_H
#define CTCD_CORE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "core/zone.h"

enum cron_dialect { CRON_VIXIE, CRON_ROBFIG, CRON_CRONOS };

#define CRON_SECONDS 1u /* a field for seconds comes first */
#define CRON_YEAR 2u    /* a field for years comes last */
#define CRON_TEXT_SIZE 256
#define CRON_YEAR_MIN 1970
#define CRON_YEAR_MAX 2199

struct cron {
    uint64_t seconds, minutes;
    uint32_t hours;
    uint32_t days;                            /* bits 1 to 31 */
    uint32_t last_days, near_days, near_last; /* L-n: bit n; nW: bit n; LW: bit 0 */
    uint16_t months;                          /* bits 1 to 12 */
    uint8_t weekdays;                         /* bit 0 = Sunday */
    uint8_t last_weekdays;                    /* 5L: bit 5 */
    uint8_t nth_weekdays[5];                  /* 5#2: bit 5 of [1] */
    bool either;                              /* day or weekday, else both */
    bool has_years;
    uint64_t years[4]; /* from CRON_YEAR_MIN on */
    bool move;         /* what a gap leaves out runs at its end */
    bool once;         /* what comes twice runs the first time */
    bool corrects;     /* changes of more than 3 h are none of the zone, see above */
};

/* fields: CRON_*. CTCD_E_INVALID says which field, at which character, and what it may be; also where no
   instant can ever fit (30th of February). */
int cron_parse(const char *text, uint32_t fields, enum cron_dialect dialect, struct cron *ret,
               ctcd_error **err);
const char *cron_dialect_name(enum cron_dialect dialect); /* NULL for what is none */
int cron_dialect_parse(const char *name, enum cron_dialect *ret, ctcd_error **err);

/* Walls: seconds since 1970-01-01 00:00:00 as a clock on the wall shows them. The first that fits at or
   after this one, the last at or before it; false = none. In [first, end): how many. */
bool cron_wall_ceil(const struct cron *cron, int64_t wall, int64_t *ret);
bool cron_wall_floor(const struct cron *cron, int64_t wall, int64_t *ret);
int64_t cron_wall_count(const struct cron *cron, int64_t first, int64_t end);

/* The same for instants, in seconds since 1970, in a zone. Between the years 1 and 9999. */
bool cron_ceil(const struct cron *cron, const struct zone *zone, int64_t second, int64_t *ret);
bool cron_floor(const struct cron *cron, const struct zone *zone, int64_t second, int64_t *ret);
int64_t cron_count(const struct cron *cron, const struct zone *zone, int64_t first, int64_t end);

#endif
