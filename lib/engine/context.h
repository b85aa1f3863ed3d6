/* The context as the engine sees it: clock, loop, store, log, flavors, and who is inside. The API's gate
   (api/gate.h) lets callers in; nothing here checks arguments. */
#ifndef CTCD_ENGINE_CONTEXT_H
#define CTCD_ENGINE_CONTEXT_H

#include <ctcd/context.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/list.h"
#include "io/clock.h"
#include "io/loop.h"

struct store;

/* See zones.h. */
struct known_zone;
struct known_zones {
    struct known_zone **items; /* by name */
    size_t count, room;
};

struct ctcd_context {
    atomic_uint refs;
    uint32_t fork_generation; /* of the process that made it */
    atomic_uintptr_t owner;   /* thread that is inside, 0 = nobody; the gate's */
    atomic_uintptr_t last;    /* thread that came in last; the gate's */
    unsigned depth;           /* how often that thread is inside */
    unsigned
        callbacks; /* user callbacks on the stack other than step functions: no waits from there */
    unsigned
        shut; /* code on the stack that must not enter at all: a back end's, clock, log, the end */
    bool logging;  /* inside the log callback: no further line */
    bool stepping; /* an op is at work, and no user's call within it: what it makes is its own */
    bool closing;

    uint32_t flags;
    char *home;        /* absolute, NULL before it was opened */
    char *wanted_home; /* as set by the user, or NULL */
    struct store *store;
    struct clock clock;
    struct loop *loop;
    ctcd_clock_fn clock_fn;
    void *clock_data;
    ctcd_destroy_fn clock_destroy;

    int log_level;
    ctcd_log_fn log_fn;
    void *log_data;
    ctcd_destroy_fn log_destroy;

    struct list flavors;     /* struct flavor */
    struct list functions;   /* struct function */
    struct list backends;    /* struct backend, opened */
    struct list ops;         /* ctcd_op, until they are freed */
    pthread_mutex_t results; /* over the results of ops: any thread may be their last user */
    struct known_zones zones;
    char *shim; /* absolute path of ctcd-shim, found once */
};

int context_new(uint32_t flags, ctcd_context **ret, ctcd_error **err);
/* After the last reference: cancels calls, closes back ends, frees ops, store, loop. */
void context_free(ctcd_context *ctx);
ctcd_context *context_ref(ctcd_context *ctx);
ctcd_context *context_unref(ctcd_context *ctx);

/* The opened store; opens (and makes) the home at the first call. */
int context_store(ctcd_context *ctx, struct store **ret, ctcd_error **err);
/* The same with STORE_* flags, where it is not open yet. */
int context_store_as(ctcd_context *ctx, uint32_t flags, struct store **ret, ctcd_error **err);
/* Absolute path HOME/a/b... (NULL-terminated parts); owned; NULL = out of memory. The home is open. */
char *context_path(const ctcd_context *ctx, ...) __attribute__((sentinel));
/* ctcd-shim: beside libctcd.so (or the program that holds it), else the installed one. */
int context_shim(ctcd_context *ctx, const char **ret, ctcd_error **err);

int64_t context_wall(const ctcd_context *ctx);
int64_t context_mono(const ctcd_context *ctx);

/* Gives user data back, where there is somebody who takes it: from there nobody waits. */
void context_give_back(ctcd_context *ctx, ctcd_destroy_fn destroy, void *data);

void context_log(ctcd_context *ctx, int level, const char *fmt, ...) _printf_(3, 4);

#endif
