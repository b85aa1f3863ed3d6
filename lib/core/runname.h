/* The name of a run, as ZenML words it: "digits-25_Nov_26-04_00_00_000000", always UTC and English. */
#ifndef CTCD_CORE_RUNNAME_H
#define CTCD_CORE_RUNNAME_H

#include <stdint.h>

/* microsecond: 0 to 999, what comes after the milliseconds (other values are taken modulo 1000): a
   caller that meets a name that is taken counts it up. Owned; NULL = out of memory, or a time outside
   the years 1 to 9999. */
char *run_name(const char *pipeline, int64_t wall_ms, int microsecond);

#endif
