/* Intrusive doubly linked ring. Called by the loop, by ops and by every handle that has children. */
#include "base/list.h"

void list_init(struct list *node) {
    node->next = node->prev = node;
}

void list_append(struct list *head, struct list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

void list_remove(struct list *node) {
    if (!node->next) /* a zeroed node, never in a list */
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

bool list_empty(const struct list *head) {
    return !head->next || head->next == head;
}

struct list *list_pop(struct list *head) {
    if (list_empty(head))
        return NULL;
    struct list *first = head->next;
    list_remove(first);
    return first;
}

size_t list_count(const struct list *head) {
    size_t count = 0;
    for (const struct list *at = head->next; at && at != head; at = at->next)
        count++;
    return count;
}
