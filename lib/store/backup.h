/* A store into one file, and back. */
#ifndef CTCD_STORE_BACKUP_H
#define CTCD_STORE_BACKUP_H

#include "store/store.h"

/* All that is in it at one instant, also while others write; the file is there whole and durable (0600) or not
   at all, and takes the place of an older one. INVALID: it is no regular file, or the store itself. */
int store_backup(struct store *store, const char *path, ctcd_error **err);

/* Has this folder a store, and is it open anywhere? (Where it is damaged, that cannot be told: no.) */
int store_restore_look(const char *folder, bool *ret_there, bool *ret_used, ctcd_error **err);
/* The folder's store becomes what the backup says, whatever it was; in one instant. Runs that were under way
   are abandoned. CORRUPT, NEWER: the backup is not to be used; nothing was changed. */
int store_restore(const char *folder, const char *from, int64_t now_ms, ctcd_error **err);

#endif
