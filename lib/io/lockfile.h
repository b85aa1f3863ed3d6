/* Exclusive locks between processes and between contexts of one process, on files that stay there:
   mutations of a service, the scheduler of a home. OFD locks: two openings never share one, closing
   another descriptor of the file does not drop it, the end of the process does.

   A forked child would keep a lock alive with its copy of the descriptor: the first lockfile_try
   registers a pthread_atfork handler that closes them there. (exec closes them anyway.) */
#ifndef CTCD_IO_LOCKFILE_H
#define CTCD_IO_LOCKFILE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"

struct lockfile;

/* Never waits. 0: *ret holds the lock until lockfile_release. CTCD_AGAIN (and no error): somebody else
   has it, or had it and removed the file. The file is created (0600) where it is missing. It is removed
   only by who holds the lock, with all that it guards. */
int lockfile_try(const char *path, struct lockfile **ret, ctcd_error **err);
/* Is it held, by anybody (this process, too)? No such file = no. Takes nothing, disturbs nobody. */
int lockfile_held(const char *path, bool *ret, ctcd_error **err);
void lockfile_release(
    struct lockfile *lock); /* accepts NULL; in a forked child it frees memory only */
void lockfile_done(struct lockfile **lock); /* for _cleanup_ */

#endif
