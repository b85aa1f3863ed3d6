/* Walking through the nominal times of a spec; what schedule.c needs besides schedule_next, _prev and
   _count. */
#ifndef CTCD_CORE_SCHEDULE_SPEC_H
#define CTCD_CORE_SCHEDULE_SPEC_H

#include "core/schedule.h"

/* The same questions to a cron schedule; see schedule.h. In schedule_cron.c. */
bool spec_cron_next(const struct schedule_spec *spec, int64_t after_ms, int64_t *ret_ms);
bool spec_cron_back(const struct schedule_spec *spec, int64_t until_ms, int64_t nth,
                    int64_t *ret_ms);
int64_t spec_cron_count(const struct schedule_spec *spec, int64_t after_ms, int64_t until_ms);

/* The nth newest fire at or before an instant (1 = the newest). false = there are fewer. */
bool spec_back(const struct schedule_spec *spec, int64_t until_ms, int64_t nth, int64_t *ret_ms);

#endif
