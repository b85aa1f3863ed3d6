/* When: which nominal times a schedule has (an interval's or those of a cron expression), and which of those
   that are due run. Pure, now is an argument. Used by the engine's scheduler loop and by ctcd_schedule_*.

   A schedule without a start counts from its creation, and its first fire is one interval later; with
   a start, the start itself is the first fire. */
#ifndef CTCD_CORE_SCHEDULE_H
#define CTCD_CORE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/cron.h"

enum schedule_kind { SCHEDULE_INTERVAL = 1, SCHEDULE_CRON = 2 };

enum schedule_catchup { CATCHUP_LATEST, CATCHUP_SKIP, CATCHUP_ALL }; /* 0 is the default */

enum schedule_overlap {               /* all named; the engine refuses what it cannot do yet */
                        OVERLAP_SKIP, /* the default */
                        OVERLAP_BUFFER_ONE,
                        OVERLAP_BUFFER_LATEST,
                        OVERLAP_BUFFER_ALL,
                        OVERLAP_CANCEL_OTHER,
                        OVERLAP_TERMINATE_OTHER,
                        OVERLAP_ALLOW_ALL,
};

#define SCHEDULE_EVERY_MIN_MS 1000LL
#define SCHEDULE_EVERY_MAX_MS (366LL * 86400000LL)
#define SCHEDULE_CATCHUP_WINDOW_MS (366LL * 86400000LL) /* default: missed longer ago is dropped */
#define SCHEDULE_CATCHUP_MAX 10000LL                    /* default and greatest number */
#define SCHEDULE_BUFFER_MAX 10000u

/* By the clock on a wall. */
struct schedule_cron {
    char text[CRON_TEXT_SIZE]; /* as it was written */
    uint32_t fields;           /* CRON_* */
    enum cron_dialect dialect;
    char zone_name[ZONE_NAME_SIZE]; /* "" = UTC */
    struct cron compiled;           /* of text, fields and dialect */
    const struct zone *zone;        /* not owned; NULL = not looked up yet: nothing fires */
};

struct schedule_spec {
    enum schedule_kind kind;
    int64_t every_ms;          /* of an interval */
    struct schedule_cron cron; /* of a cron schedule */
    int64_t start_ms;          /* CTCD_TIME_NONE: counted from created_ms */
    int64_t end_ms;            /* CTCD_TIME_NONE: never; not itself a fire unless end_inclusive */
    int64_t created_ms; /* or edited: nothing at or before it is due where there is no start */
    bool end_inclusive;
};

struct schedule {
    struct schedule_spec spec;
    enum schedule_catchup catchup;
    enum schedule_overlap overlap;
    int64_t catchup_window_ms; /* 0 = SCHEDULE_CATCHUP_WINDOW_MS */
    int64_t catchup_max;       /* 0 = SCHEDULE_CATCHUP_MAX; the newest are kept */
};

/* Reads text, fields and dialect, and looks up what needs no data: UTC. As cron_parse. */
int schedule_cron_compile(struct schedule_cron *cron, ctcd_error **err);

/* Interval in its bounds or a compiled expression, end after start, instants between the years 1 and 9999. CTCD_E_INVALID. */
int schedule_check(const struct schedule *schedule, ctcd_error **err);

/* The nominal time strictly after / strictly before an instant (CTCD_TIME_NONE: before all / none).
   false = there is none, *ret untouched. */
bool schedule_next(const struct schedule_spec *spec, int64_t after_ms, int64_t *ret_ms);
bool schedule_prev(const struct schedule_spec *spec, int64_t before_ms, int64_t *ret_ms);
/* Number of nominal times t with after < t <= until. No loop over them. */
int64_t schedule_count(const struct schedule_spec *spec, int64_t after_ms, int64_t until_ms);
/* What last_processed is when a schedule has just been created. */
int64_t schedule_first_last_processed(const struct schedule_spec *spec);

/* Why a fire did not become a run, or not yet. */
enum drop_reason {
    DROP_NONE,
    DROP_MISSED,          /* catch-up skip */
    DROP_COALESCED,       /* catch-up latest: a newer one runs */
    DROP_MISSED_WINDOW,   /* older than the catch-up window */
    DROP_CATCHUP_MAX,     /* more were due than the greatest number */
    DROP_OVERLAP_SKIPPED, /* the run before still ran */
    DROP_BUFFER_FULL,
    DROP_SUPERSEDED, /* waited, and a newer fire took its place */
    DROP_PAUSED,
};
const char *drop_reason_name(enum drop_reason reason); /* "coalesced"; "" for DROP_NONE */
bool drop_reason_from_name(const char *name, enum drop_reason *ret);

/* Takes what schedule_due finds, in order of time. A result other than 0 ends the walk and is handed
   through. A drop is a whole row of neighbouring fires, so that years of them are one call. */
struct fire_sink {
    int (*fire)(void *user, int64_t nominal_ms, bool caught_up);
    int (*drop)(void *user, int64_t first_ms, int64_t last_ms, int64_t count,
                enum drop_reason reason);
    void *user;
};

/* Which fires in (last_processed, now] run, and why not the others?

   live_since_ms: since when a scheduler has been looking without a gap (its start; again "now" after a
   jump of the wall clock or a sleep of the machine; CTCD_TIME_NONE = always). Fires from then on are
   on time however late this look is, and all of them are handed out: overlap decides about them. Older
   ones were missed: the catch-up policy decides. LATEST gives the newest of them, or none where a fire
   on time is due in the same look. Afterwards last_processed is now_ms, whatever was found: the clock
   going back then repeats nothing. now before last_processed finds nothing. */
int schedule_due(const struct schedule *schedule, int64_t last_processed_ms, int64_t live_since_ms,
                 int64_t now_ms, const struct fire_sink *sink);

enum fire_action {
    FIRE_LAUNCH,          /* now */
    FIRE_WAIT,            /* for the runs before */
    FIRE_WAIT_INSTEAD,    /* in the place of those that wait, which are dropped as superseded */
    FIRE_AFTER_CANCEL,    /* ask the running one to stop, then launch */
    FIRE_AFTER_TERMINATE, /* kill the running one, then launch */
    FIRE_DROP,
};
struct fire_verdict {
    enum fire_action action;
    enum drop_reason reason; /* of FIRE_DROP */
};
/* What happens to a fire, given how many runs of its schedule run and how many wait? */
struct fire_verdict overlap_decide(enum schedule_overlap policy, size_t running, size_t waiting);

/* "latest", "buffer_all"; NULL for what is none. Reading takes '-' for '_' and names the near miss. */
const char *schedule_catchup_name(enum schedule_catchup policy);
const char *schedule_overlap_name(enum schedule_overlap policy);
int schedule_catchup_parse(const char *name, enum schedule_catchup *ret, ctcd_error **err);
int schedule_overlap_parse(const char *name, enum schedule_overlap *ret, ctcd_error **err);

/* A schedule as a pipeline file words it, before it is known when "now" is. */
enum moment_kind { MOMENT_NONE, MOMENT_AT /* ms is the instant */, MOMENT_AFTER /* ms is added */ };
struct moment {
    enum moment_kind kind;
    int64_t ms;
};
struct schedule_wording {
    bool present;
    int64_t every_ms;          /* 0: none; cron is given then */
    struct schedule_cron cron; /* text "" = none */
    struct moment start;       /* AFTER: after creation; "now" is AFTER 0 */
    struct moment end; /* AFTER: after the start, or after creation where there is no start */
    bool end_inclusive;
    enum schedule_catchup catchup;
    enum schedule_overlap overlap;
    int64_t catchup_window_ms, catchup_max; /* 0 = default */
};
/* "now", "+10m", an RFC 3339 instant. CTCD_E_INVALID. */
int moment_parse(const char *text, struct moment *ret, ctcd_error **err);
/* Settles a wording at the moment of creation, and checks the result. The zone of a cron schedule is still
   to be looked up. */
int schedule_from_wording(const struct schedule_wording *wording, int64_t now_ms,
                          struct schedule *ret, ctcd_error **err);

#endif
