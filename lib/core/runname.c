/* Run names; see runname.h. Written without strftime, whose words follow the host's locale. */
#include "core/runname.h"

#include "base/mem.h"
#include "base/time.h"

char *run_name(const char *pipeline, int64_t wall_ms, int microsecond) {
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const int64_t day_ms = 86400000;
    if (wall_ms < TIME_MIN_MS || wall_ms > TIME_MAX_MS)
        return NULL;
    int64_t in_day = wall_ms % day_ms;
    if (in_day < 0)
        in_day += day_ms;
    int64_t year = 0;
    int month = 0;
    int day = 0;
    time_date_from_days((wall_ms - in_day) / day_ms, &year, &month, &day);
    int second = (int)(in_day / 1000);
    int fraction = (int)(in_day % 1000) * 1000 + ((microsecond % 1000) + 1000) % 1000;
    return mem_text("%s-%02d_%s_%02d-%02d_%02d_%02d_%06d", pipeline, day, months[month - 1],
                    (int)(year % 100), second / 3600, second / 60 % 60, second % 60, fraction);
}
