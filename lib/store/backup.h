/* A store into one file, and back. */
#ifndef CTCD_STORE_BACKUP_H
#define CTCD_STORE_BACKUP_H

#include "store/store.h"

/* All that is in it at one instant, also while others write; the file is there whole and durable (0600) or not
   at all, and takes the place of an older one. INVALID: it is no regular file, or the store itself. */
int store_backup(struct store *store, const char *path, ctcd_error **err);

/* Has this folder a store, and is it open anywhere? (Where it is damaged, that cannot be told: no.) */
int store_restore_look(const char *folder, bool *ret_there, bool *ret_used, ctcd_error **err);
/* What the folder's store is to become: a file beside it, whose name becomes the caller's. Runs that were under way,
   or waited, are abandoned in it. CORRUPT, NEWER: the backup is not to be used. */
int store_restore_make(const char *folder, const char *from, int64_t now_ms, char **ret_made,
                       ctcd_error **err);
/* The folder's store becomes that, whatever it was; in one instant. */
int store_restore_place(const char *folder, const char *made, ctcd_error **err);

#endif
