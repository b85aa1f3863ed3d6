/* The tables, as steps from version to version. Called when a home is made or opened. */
#ifndef CTCD_STORE_SCHEMA_H
#define CTCD_STORE_SCHEMA_H

#include "store/db.h"

/* steps[n] leads from version n to n + 1: SQL in pieces, ended by NULL. Never changed once it was
   released: append. */
struct schema {
    const char *const *const *steps;
    int64_t version; /* number of steps */
};

extern const struct schema schema_ctcd;

/* Empty database -> version 0 of ours: marks the file as a home's store. Inside a transaction. */
int schema_mark(struct db *db, ctcd_error **err);
/* CORRUPT: a database, but none of ours. NEWER: beyond schema->version. CTCD_AGAIN: it is older. */
int schema_ask(struct db *db, const struct schema *schema, const char *path, ctcd_error **err);
/* All steps that are missing, in one transaction. Harmless where there are none. */
int schema_upgrade(struct db *db, const struct schema *schema, const char *path, ctcd_error **err);

#endif
