/* The durable state of a home: one SQLite file, $HOME_FOLDER/ctcd.db, written by any number of processes.
   This header opens it and groups writes; the records are in components.h, pipelines.h, schedules.h,
   runs.h, services.h and events.h. Called by the engine, which owns all policy.

   For all of them: one thread at a time. A record that a function fills owns its texts, never NULL, ""
   where there is nothing; it is overwritten, not released, and untouched on failure. In records that are
   given in, NULL is "". Instants are wall-clock ms, CTCD_TIME_NONE = none; "now" comes from the caller.
   Whoever is named by a `name` may be given by its name, its UUID, or 4 or more first digits of that
   which only it has: CTCD_E_NOT_FOUND, CTCD_E_CONFLICT (several; the message lists them).
   Everywhere: CTCD_E_NOMEM, _IO, _NO_SPACE, _CORRUPT, _NOT_ALLOWED, and _CONFLICT with `retryable` where
   another process held the store for longer than the wait. What fails has changed nothing. */
#ifndef CTCD_STORE_STORE_H
#define CTCD_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

struct store;

#define STORE_MUST_EXIST 1u /* looking must not make a home: CTCD_E_NOT_FOUND where there is none */

#define STORE_AS_IT_IS                                                                             \
    2u /* with MUST_EXIST: modes stay as they are; a schema that is older: NOT_SUPPORTED */

#define STORE_WAIT_MS                                                                              \
    10000 /* how long a write waits for another process's, unless told otherwise */
#define STORE_MAX_TEXT (16 << 20) /* longer texts are refused, CTCD_E_TOO_LARGE */

/* Which folder: `home`, or $CTCD_HOME, or $XDG_STATE_HOME/ctcd, or ~/.local/state/ctcd. Absolute (links
   are kept); owned. */
int store_home_path(const char *home, char **ret, ctcd_error **err);

/* Opens it, and makes it where it is missing (then with the stack "default", active). The schema is
   brought up to date. now_ms: for the records of a new home.
   NOT_ALLOWED    the home is another user's, others may write to it, or it lies on a network file system
   NEWER          a newer libctcd wrote it
   CORRUPT        not our database, damaged, or gone from a home that has runs or services
   FORKED         this process was forked from one that had a store open at that moment */
int store_open(const char *home, uint32_t flags, int64_t now_ms, struct store **ret,
               ctcd_error **err);
/* Accepts NULL. An open transaction is rolled back. In a forked child it frees nothing. */
void store_close(struct store *store);
void store_done(struct store **store); /* for _cleanup_ */

const char *store_home(const struct store *store); /* absolute, without links; borrowed */
void store_set_wait(struct store *store, int64_t ms);

/* Groups what follows: all of it or nothing. They nest (an inner rollback undoes the inner part only).
   Hold none over anything that takes time. After a failed commit everything since the matching begin is
   undone and the level is over, as after a rollback. */
int store_begin(struct store *store, ctcd_error **err);
/* All that is read until the rollback is of one instant. Nothing may be written. */
int store_begin_read(struct store *store, ctcd_error **err);
int store_commit(struct store *store, ctcd_error **err);
void store_rollback(struct store *store); /* of the innermost level; harmless without one */

/* Another number than before = another process has changed something since. Cheap. */
int store_data_version(struct store *store, int64_t *ret, ctcd_error **err);
/* Looks at every page and reference: CORRUPT says what is wrong. */
int store_check(struct store *store, ctcd_error **err);

#endif
