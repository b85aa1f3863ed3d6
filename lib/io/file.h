/* Single files and folders: reading with a limit, writing so that a crash leaves the old or the new
   contents. Used by store, engine and back ends. Whole trees: io/tree.h; logs: io/log.h. */
#ifndef CTCD_IO_FILE_H
#define CTCD_IO_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

#define FILE_NO_FOLLOW 1u /* the last component must not be a symbolic link */

/* Regular files only (never blocks on a FIFO). More than limit bytes: CTCD_E_TOO_LARGE. The text gets a
   NUL after its len bytes, and may hold others; ret_len may be NULL. */
int file_read(const char *path, size_t limit, uint32_t flags, char **ret_text, size_t *ret_len,
              ctcd_error **err);
/* Atomic and durable: a temporary file beside it, fsync, rename, fsync of the folder. A symbolic link
   at path is replaced, not followed. mode e.g. 0600, exactly (no umask). */
int file_write(const char *path, const void *bytes, size_t len, unsigned mode, ctcd_error **err);

/* 0700; a folder that is there already is fine, anything else in its place is CTCD_E_EXISTS. */
int file_make_folder(const char *path, ctcd_error **err);
int file_make_folders(const char *path, ctcd_error **err); /* with its missing parents */
/* A file, a link or an empty folder; not there = done. */
int file_remove(const char *path, ctcd_error **err);
/* Makes names that were created or removed in the folder durable. */
int file_sync_folder(const char *path, ctcd_error **err);

bool file_exists(const char *path);    /* anything, links are followed */
bool file_is_folder(const char *path); /* links are followed */
/* Absolute, without links; owned. */
int file_real_path(const char *path, char **ret, ctcd_error **err);

/* "nfs", "cifs", "ceph", ... when path (or its nearest parent that exists) lies on a network file
   system, where locks and WAL cannot be trusted; NULL when it does not, or cannot be asked. Static. */
const char *file_network(const char *path);

/* Paths as texts; owned, NULL = out of memory. */
char *path_join(const char *folder, const char *name); /* an absolute name stays as it is */
/* Relative ones start in the current folder. Links are kept. */
int path_absolute(const char *path, char **ret, ctcd_error **err);
char *path_folder(const char *path);     /* "a/b" -> "a", "b" -> ".", "/b" -> "/" */
const char *path_name(const char *path); /* what is after the last slash; borrowed */

#endif
