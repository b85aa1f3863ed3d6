/* Are we a forked child? For owners of kernel objects that a child shares with its parent (epoll
   registrations, timers, locks) and must not touch. Costs a load, not a getpid(). */
#ifndef CTCD_BASE_FORK_H
#define CTCD_BASE_FORK_H

#include <stdint.h>

/* A number that is another one in each generation of forked children: keep it at creation, compare it
   later. The first call registers the handler; from then on forks are counted. vfork, posix_spawn and
   a bare clone() do not count. */
uint32_t fork_generation(void);

#endif
