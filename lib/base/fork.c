/* Counts forks from the child's side. The loop, the HTTP pool and the API's gate ask. */
#include "base/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic uint32_t generation;
static bool uncounted; /* no handler could be registered: fall back to the process id */

static void in_child(void) {
    atomic_fetch_add(&generation, 1);
}

static void watch_forks(void) {
    uncounted = pthread_atfork(NULL, NULL, in_child) != 0;
}

uint32_t fork_generation(void) {
    (void)pthread_once(&once, watch_forks);
    return uncounted ? (uint32_t)getpid() : atomic_load(&generation);
}
