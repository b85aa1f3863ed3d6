/* A call from inside: for call.c, which drives it, and api/call.c, through which its back end sees it. */
#ifndef CTCD_ENGINE_CALL_STATE_H
#define CTCD_ENGINE_CALL_STATE_H

#include "engine/call.h"

#define CALL_MAX_FDS 4

struct ctcd_call {
    atomic_uint refs;
    pthread_mutex_t lock; /* over the end: after it no thread posts the task any more */
    atomic_bool ended;
    uint32_t fork_generation;
    struct list node; /* in backend->calls while it runs */
    struct backend *backend;
    ctcd_op *parent;
    enum call_method method;
    struct call_args args;
    char *body;
    int64_t deadline;
    bool opens, inside, named, waits_opening;
    bool late; /* the deadline is over, and it was entered because of an instant before it */
    int rc;
    ctcd_error *err;
    char doing[256];

    struct loop_task task;
    struct loop_timer timer;
    struct call_fd {
        struct loop_watch watch;
        ctcd_call *call;
    } fds[CALL_MAX_FDS];
    size_t fd_count;
    int64_t until;
    void *scratch;
    ctcd_destroy_fn scratch_destroy;
};

struct ctcd_watch {
    struct list node; /* in backend->watches */
    struct loop_watch watch;
    ctcd_ready_fn ready;
    void *impl;
    int fd;
    ctcd_context *ctx;
};

#endif
