/* base/list and base/heap. */
#include "suite.h"

#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/mem.h"

struct item {
    int number;
    struct list in;
};

START_TEST(a_ring_keeps_order) {
    struct list head;
    struct item items[5];
    list_init(&head);
    ck_assert(list_empty(&head));
    ck_assert_ptr_null(list_pop(&head));
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        list_init(&items[i].in);
        list_append(&head, &items[i].in);
    }
    ck_assert_uint_eq(list_count(&head), 5);
    list_remove(&items[2].in);
    list_remove(&items[2].in); /* harmless */
    static const int left[] = {0, 1, 3, 4};
    for (int i = 0; i < 4; i++) {
        struct list *node = list_pop(&head);
        ck_assert_int_eq(list_of(node, struct item, in)->number, left[i]);
        ck_assert(list_empty(node));
    }
    ck_assert(list_empty(&head));
    struct list zeroed = {0};
    list_remove(&zeroed);
    ck_assert(list_empty(&zeroed));
    ck_assert_uint_eq(list_count(&zeroed), 0);
}
END_TEST

static uint32_t seed = 12345;

static uint32_t next_number(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

START_TEST(a_heap_pops_in_order) {
    enum { count = 500 };
    struct heap h = {0};
    struct heap_node *nodes = mem_array(count, sizeof *nodes);
    for (uint64_t i = 0; i < count; i++) {
        nodes[i].when = next_number() % 50;
        nodes[i].order = i;
        ck_assert(heap_insert(&h, &nodes[i]));
    }
    size_t removed = 0;
    for (size_t i = 0; i < count; i += 3, removed++)
        heap_remove(&h, &nodes[i]);
    heap_remove(&h, &nodes[0]); /* not in it: harmless */
    ck_assert_uint_eq(h.count, count - removed);
    const struct heap_node *last = NULL;
    for (size_t popped = 0; popped < count - removed; popped++) {
        struct heap_node *first = heap_first(&h);
        if (last)
            ck_assert(last->when < first->when ||
                      (last->when == first->when && last->order < first->order));
        last = first;
        heap_remove(&h, first);
        ck_assert_uint_eq(first->slot, 0);
    }
    ck_assert_ptr_null(heap_first(&h));
    heap_done(&h);
    mem_free(nodes);
}
END_TEST

START_TEST(room_that_was_reserved_cannot_fail) {
    struct heap h = {0};
    struct heap_node nodes[20] = {0};
    ck_assert(heap_reserve(&h, 20));
    mem_test_fail_from(1);
    for (int i = 0; i < 20; i++)
        ck_assert(heap_insert(&h, &nodes[i]));
    mem_test_fail_at(0);
    heap_done(&h);
    ck_assert_uint_eq(nodes[7].slot, 0);
    mem_test_fail_at(1);
    ck_assert(!heap_insert(&h, &nodes[0]));
    mem_test_fail_at(0);
    ck_assert_uint_eq(nodes[0].slot, 0);
    ck_assert_uint_eq(h.count, 0);
    ck_assert(!heap_reserve(&h, SIZE_MAX));
    heap_done(&h);
}
END_TEST

SUITE_MAIN("list", a_ring_keeps_order, a_heap_pops_in_order, room_that_was_reserved_cannot_fail)
