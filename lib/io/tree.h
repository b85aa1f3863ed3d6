/* Whole folder trees (or a single file in the place of one): remove, copy, hash. Never follows a
   symbolic link, also not one that somebody puts in the way meanwhile. Used for artifacts, models and
   working folders. Entries are sorted by the bytes of their names, so results do not depend on the
   file system. Deeper than TREE_MAX_DEPTH is CTCD_E_TOO_LARGE. */
#ifndef CTCD_IO_TREE_H
#define CTCD_IO_TREE_H

#include "base/error.h"
#include "base/mem.h"

#define TREE_MAX_DEPTH 64

/* Not there = done; entries that vanish meanwhile are fine. Goes on after an entry that cannot be
   removed, and returns the first error. */
int tree_remove(const char *path, ctcd_error **err);
/* How many bytes its files hold (by their lengths). Not there = 0; what vanishes meanwhile is not counted. */
int tree_bytes(const char *path, int64_t *ret, ctcd_error **err);
/* `to` must not exist: CTCD_E_EXISTS. Modes are kept (without set-uid, set-gid), owners and times are
   not; links are copied as links; the copy is fsynced. FIFOs, sockets and devices: CTCD_E_INVALID.
   At the top a link is followed. After a failure nothing is left at `to`. Copying a
   folder into itself is CTCD_E_INVALID. */
int tree_copy(const char *from, const char *to, ctcd_error **err);
/* SHA-256. A file: of its bytes (as sha256sum says). A folder: of one record for each entry, in order:
   `TYPE blank NAME NUL HASH newline` with TYPE f (file), x (file that its owner may execute), d
   (folder) or l (link, HASH is of its target's text). At the top a link is followed. */
int tree_hash(const char *path, char hex[65], ctcd_error **err);

#endif
