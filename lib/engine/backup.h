/* Backup and restore of a home's store. */
#ifndef CTCD_ENGINE_BACKUP_H
#define CTCD_ENGINE_BACKUP_H

#include <ctcd/house.h>

#include "engine/context.h"

int home_backup(ctcd_context *ctx, const char *path, ctcd_error **err);
/* flags: CTCD_RESTORE_*. The context's home is not open, and is not opened. */
int home_restore(ctcd_context *ctx, const char *from, uint32_t flags, ctcd_error **err);

#endif
