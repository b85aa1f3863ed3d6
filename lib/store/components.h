/* Registered components, and stacks of them. */
#ifndef CTCD_STORE_COMPONENTS_H
#define CTCD_STORE_COMPONENTS_H

#include <ctcd/component.h>

#include "store/store.h"

struct store_component {
    int type; /* CTCD_COMPONENT_* */
    char *name, *flavor, *uuid;
    char *options; /* JSON object */
    int64_t created_ms;
};
struct store_components {
    struct store_component *items;
    size_t count;
};

void store_component_done(struct store_component *component);
void store_components_done(struct store_components *list);

/* EXISTS: that type has one of this name. */
int store_component_add(struct store *store, const struct store_component *component,
                        ctcd_error **err);
int store_component_get(struct store *store, int type, const char *name,
                        struct store_component *ret, ctcd_error **err);
/* By type and name. type 0 = all. */
int store_component_list(struct store *store, int type, struct store_components *ret,
                         ctcd_error **err);
/* Other options, where they are still `seen`. CONFLICT: somebody else has changed them. NOT_FOUND: it is gone. */
int store_component_update(struct store *store, const char *uuid, const char *seen,
                           const char *options, ctcd_error **err);
/* CONFLICT: in use; the message names the stacks and services. */
int store_component_delete(struct store *store, int type, const char *name, ctcd_error **err);

#define STORE_COMPONENT_TYPES 5 /* 1 + the last of CTCD_COMPONENT_* */

struct store_stack {
    char *name, *uuid;
    char *components
        [STORE_COMPONENT_TYPES]; /* names, by CTCD_COMPONENT_*; "" = none; [0] is not used */
    int64_t created_ms;
    bool active;
};
struct store_stacks {
    struct store_stack *items;
    size_t count;
};

void store_stack_done(struct store_stack *stack);
void store_stacks_done(struct store_stacks *list);

/* Not made active. EXISTS: the name is taken. NOT_FOUND: a component is not registered. */
int store_stack_add(struct store *store, const struct store_stack *stack, ctcd_error **err);
/* The stack of that name gets these components. */
int store_stack_update(struct store *store, const struct store_stack *stack, ctcd_error **err);
/* name NULL = the active one. */
int store_stack_get(struct store *store, const char *name, struct store_stack *ret,
                    ctcd_error **err);
int store_stack_list(struct store *store, struct store_stacks *ret, ctcd_error **err); /* by name */
int store_stack_activate(struct store *store, const char *name, ctcd_error **err);
/* CONFLICT: it is the active one. */
int store_stack_delete(struct store *store, const char *name, ctcd_error **err);

#endif
