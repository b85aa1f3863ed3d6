/* The processes of one child, found in /proc: those whose environment has exactly CTCD_MARKER=marker.
   Called by the shim, and by child_kill_marked where there is no shim any more. Only libc, errnos. */
#ifndef CTCD_IO_MARKED_H
#define CTCD_IO_MARKED_H

#include <stddef.h>
#include <sys/types.h>

/* Counts them into ret_count (may be NULL) and sends sig to each (0 = none), by pidfd; never to the
   caller itself. Waits for processes that are in the middle of an exec, 200 ms in all; one that still is
   counts, though it may not be one of them: look again.

   session (0 = none): also processes of that session whose environment tells no marker at all. Servers
   that write their title over their environment (setproctitle) would otherwise be overlooked; a session
   leader that lives may give its own. A process with another marker is never touched. */
int marked_signal(const char *marker, pid_t session, int sig, size_t *ret_count);

#endif
