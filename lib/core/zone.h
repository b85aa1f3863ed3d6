/* Time zones: which offset from UTC holds when. Made from the bytes of a TZif file (RFC 8536), which
   io/zonefile.h reads; kept by engine/zones.h. Pure; used by cron in a zone and by what prints instants.

   Rules behind the last transition of the file (its footer) are written out for one turn of the calendar,
   400 years, and repeat from there: so each question is one binary search. */
#ifndef CTCD_CORE_ZONE_H
#define CTCD_CORE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define ZONE_NAME_SIZE 64

/* A stretch of time with one offset is a segment: count + 1 of them, the first one has no beginning. */
struct zone {
    char name[ZONE_NAME_SIZE];
    size_t count;
    int64_t *at;     /* seconds since 1970 at which segment i + 1 begins; rising */
    int32_t *offset; /* seconds east of UTC, of each segment; neighbours differ */
    int64_t
        fold_after; /* from here on everything repeats what was 400 years before; INT64_MAX = nothing */
};
extern const struct zone ZONE_UTC;

/* An IANA name: "UTC", "Europe/Paris". Nothing that leads out of a folder; nor the files localtime and
   posixrules, which say what this machine is set to. CTCD_E_INVALID. */
int zone_check_name(const char *name, ctcd_error **err);

/* CTCD_E_CORRUPT: the bytes are no time zone. */
int zone_parse(const char *name, const char *bytes, size_t len, struct zone *ret, ctcd_error **err);
void zone_done(struct zone *zone);

/* The segment that holds an instant, which must have been folded; its first and last second. */
size_t zone_segment(const struct zone *zone, int64_t second);
int64_t zone_segment_begin(const struct zone *zone, size_t segment); /* INT64_MIN for the first */
int64_t zone_segment_last(const struct zone *zone, size_t segment);  /* INT64_MAX for the last */
/* How much earlier (seconds, a multiple of 400 years) the same rules held: subtract it. 0 = look it up. */
int64_t zone_fold(const struct zone *zone, int64_t second);
int32_t zone_offset(const struct zone *zone, int64_t second); /* any instant */

/* The footer of a file, a POSIX TZ string; see zone_rule.c. */
#define ZONE_FOLD_SECONDS (146097LL * 86400)
#define ZONE_RULE_YEARS 480 /* 400 to repeat, and what one search may have to look ahead */
struct zone_rule {
    int32_t standard, daylight; /* seconds east of UTC */
    int daylight_too;           /* else only the standard one */
    struct zone_rule_day {
        int kind; /* 'J', 'N' (from 0, leap days counted), 'M' */
        int month, week, day;
        int32_t time; /* seconds of that day, -167 h to 167 h */
    } begin, end;     /* of daylight time, in the wall clock that holds till then */
};
int zone_rule_parse(const char *text, struct zone_rule *ret); /* 0, or -1 */
/* Both changes of a year in the order of time; *ret_offset is what holds from then on. */
void zone_rule_year(const struct zone_rule *rule, int64_t year, int64_t ret_at[2],
                    int32_t ret_offset[2]);

#endif
