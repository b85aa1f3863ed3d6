/* Intrusive doubly linked ring. An element embeds a `struct list`; a head is a `struct list` too. */
#ifndef CTCD_BASE_LIST_H
#define CTCD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

void list_init(struct list *node);                      /* empty head, or a node in no list */
void list_append(struct list *head, struct list *node); /* node must be in no list */
void list_remove(struct list *node);                    /* harmless when in no list */
bool list_empty(const struct list *head);
struct list *list_pop(struct list *head); /* first, or NULL */
size_t list_count(const struct list *head);

#define list_of(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
