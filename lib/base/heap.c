/* Intrusive binary heap. Called by the loop for deadlines and by the scheduler for fires. */
#include "base/heap.h"

#include "base/mem.h"

static bool before(const struct heap_node *a, const struct heap_node *b) {
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void put(struct heap *h, size_t slot, struct heap_node *node) {
    h->nodes[slot - 1] = node;
    node->slot = slot;
}

/* Moves the node to where it belongs, beginning at a slot whose own node is out of the way. */
static void settle(struct heap *h, size_t slot, struct heap_node *node) {
    while (slot > 1 && before(node, h->nodes[slot / 2 - 1])) {
        put(h, slot, h->nodes[slot / 2 - 1]);
        slot /= 2;
    }
    for (;;) {
        size_t child = slot * 2;
        if (child > h->count)
            break;
        if (child < h->count && before(h->nodes[child], h->nodes[child - 1]))
            child++;
        if (!before(h->nodes[child - 1], node))
            break;
        put(h, slot, h->nodes[child - 1]);
        slot = child;
    }
    put(h, slot, node);
}

bool heap_reserve(struct heap *h, size_t count) {
    if (count <= h->room)
        return true;
    size_t room = h->room ? h->room : 8;
    while (room < count)
        if (__builtin_mul_overflow(room, 2, &room))
            return false;
    struct heap_node **nodes = mem_resize(h->nodes, room, sizeof(struct heap_node *));
    if (!nodes)
        return false;
    h->nodes = nodes;
    h->room = room;
    return true;
}

bool heap_insert(struct heap *h, struct heap_node *node) {
    if (!heap_reserve(h, h->count + 1))
        return false;
    h->count++;
    settle(h, h->count, node);
    return true;
}

void heap_remove(struct heap *h, struct heap_node *node) {
    size_t slot = node->slot;
    if (!slot)
        return;
    struct heap_node *last = h->nodes[h->count - 1];
    h->count--;
    node->slot = 0;
    if (last != node)
        settle(h, slot, last);
}

struct heap_node *heap_first(const struct heap *h) {
    return h->count ? h->nodes[0] : NULL;
}

void heap_done(struct heap *h) {
    for (size_t i = 0; i < h->count; i++)
        h->nodes[i]->slot = 0;
    mem_free(h->nodes);
    *h = (struct heap){0};
}
