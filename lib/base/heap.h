/* Intrusive binary heap ordered by (when, order): deadlines, schedules. Equal instants leave in
   `order`, so that what is popped does not depend on how the heap was built. */
#ifndef CTCD_BASE_HEAP_H
#define CTCD_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t when;
    uint64_t order;
    size_t slot; /* 1-based place in the heap, 0 = not in it */
};

struct heap {
    struct heap_node **nodes;
    size_t count, room;
};

bool heap_insert(struct heap *h, struct heap_node *node); /* false = out of memory */
bool heap_reserve(struct heap *h, size_t count);          /* so that later inserts cannot fail */
void heap_remove(struct heap *h, struct heap_node *node); /* harmless when not in it */
struct heap_node *heap_first(const struct heap *h);       /* NULL when empty */
void heap_done(struct heap *h);

#endif
