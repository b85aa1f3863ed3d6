/* The folder of a home: where it is, whether it can be trusted, and making its store. Called by store.c. */
#ifndef CTCD_STORE_HOME_H
#define CTCD_STORE_HOME_H

#include "store/schema.h"
#include "store/store.h"

#define HOME_STORE "ctcd.db"

/* The folder exists, is ours alone to write, and on a local disk; makes it unless STORE_MUST_EXIST.
   *ret: its path without links, owned. */
int home_folder(const char *path, uint32_t flags, char **ret, ctcd_error **err);
/* The store is there and may be opened: 0. CTCD_NONE: there is none, and never was one. */
int home_look(const char *folder, const char *store, uint32_t flags, ctcd_error **err);
/* Makes the store, complete or not at all. Somebody else being faster is success. */
int home_make_store(const char *folder, const char *store, int64_t now_ms, ctcd_error **err);

#endif
