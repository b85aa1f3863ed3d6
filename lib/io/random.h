/* Random bytes and UUIDs from the kernel: identities, names of temporary files, jitter. */
#ifndef CTCD_IO_RANDOM_H
#define CTCD_IO_RANDOM_H

#include <stddef.h>

#include "base/error.h"

int random_bytes(void *ret, size_t size, ctcd_error **err);
/* Version 4, lower case: "f81d4fae-7dec-41d0-8765-00a0c91e6bf6". */
int random_uuid(char ret[37], ctcd_error **err);

#endif
