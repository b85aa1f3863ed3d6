/* The files of the system's time zone data: their bytes, and whether they have changed. What is in them is
   read by core/zone.h; engine/zones.h brings both together. Never the zone of this process (TZ), nor the
   machine's. The folder is $TZDIR where that is set, as for the C library. */
#ifndef CTCD_IO_ZONEFILE_H
#define CTCD_IO_ZONEFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define ZONEFILE_MAX_BYTES (1 << 20)

struct zonefile_stamp {
    int64_t seconds, nanoseconds, size;
    uint64_t device, inode;
};

/* What the file is like now; false = it cannot be asked. No memory, no error object: asked often. */
bool zonefile_look(const char *name, struct zonefile_stamp *ret);
/* name: one that zone_check_name() takes. Nothing outside of the folder is read, wherever a link in it leads.
   NOT_FOUND: no such zone, or no time zone data. The stamp is what the file was like before. */
int zonefile_read(const char *name, char **ret_bytes, size_t *ret_len,
                  struct zonefile_stamp *ret_stamp, ctcd_error **err);

#endif
