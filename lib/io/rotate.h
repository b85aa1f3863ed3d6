/* The log of a child (io/process.h) is kept short by its shim: what is in DIR/log is copied to DIR/log.1,
   in place of the copy before, and taken out of DIR/log. The child writes on to the same file, knows of
   nothing, and must append (it does, unless it opens /dev/stdout anew). Like alive.h: libc and errnos only.

   A kill at any moment leaves log and log.1 whole: the copy is made under the name log.1.new, synced and
   renamed, and only then is the original made shorter. In between both hold the same bytes; the next
   rotation, also that of a later shim, mends it.
   Where the file system can take bytes out at the front (ext4, XFS), nothing is lost, and a line may begin
   in log.1 and go on in log. Elsewhere log is truncated: what is written between the last look at its end and
   the truncation, microseconds, is lost.
   A copy has at most twice the limit; where the log has grown beyond that between two looks, the newest part
   is kept, behind a line ROTATE_DROPPED. A full disk puts the rotation off; the server goes on. */
#ifndef CTCD_IO_ROTATE_H
#define CTCD_IO_ROTATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ROTATE_LOG "log"
#define ROTATE_OLD "log.1"
#define ROTATE_NEW "log.1.new"
#define ROTATE_LIMIT (INT64_C(10) * 1024 * 1024)
#define ROTATE_DROPPED "---- ctcd: %lld bytes were dropped here: the log grew too fast\n"

#define ROTATE_SIGNAL SIGIO   /* the log is written to again, see rotate_look */
#define ROTATE_LOOK_MS 1000   /* between looks at a log that grows */
#define ROTATE_SLOW_MS 5000   /* at one that does not, where the kernel does not tell */
#define ROTATE_RETRY_MS 60000 /* after a rotation that failed, as on a full disk */

struct rotate {
    int dir; /* not owned; < 0 = nothing to rotate */
    int64_t limit;
    int64_t seen; /* size at the last look */
    dev_t device; /* of the file that the child writes to */
    ino_t inode;
};

/* log: what the child writes to. Where that is not DIR/log, or the limit is 0, nothing is ever rotated. */
void rotate_begin(struct rotate *r, int dir, int log, int64_t limit);
/* Rotates if it is time. -> ms until the next look; < 0: there is nothing to look for until ROTATE_SIGNAL
   comes, and then only after ROTATE_LOOK_MS. A log that nobody writes to wakes nobody. */
int64_t rotate_look(struct rotate *r);

#endif
