/* Components and stacks as objects. Used by the API; deploy reads the store's records itself. */
#ifndef CTCD_ENGINE_COMPONENT_H
#define CTCD_ENGINE_COMPONENT_H

#include <ctcd/component.h>

#include "engine/flavor.h"
#include "engine/object.h"
#include "store/components.h"

struct ctcd_component {
    struct object object;
    int type;
    char *name, *flavor, *uuid;
    char *stored;         /* the options as the store had them; NULL = not registered */
    struct json *options; /* object of texts: what is set */
};
extern const struct object_kind COMPONENT_KIND;

struct ctcd_stack {
    struct object object;
    struct store_stack record;
};
extern const struct object_kind STACK_KIND;

const char *component_type_name(int type); /* "model-deployer"; NULL = none */
/* CTCD_E_INVALID: no such type. */
int component_check_type(int type, ctcd_error **err);

int component_new(ctcd_context *ctx, int type, const char *flavor, const char *name,
                  ctcd_component **ret, ctcd_error **err);
int component_set_option(ctcd_component *component, const char *key, const char *value,
                         ctcd_error **err);
int component_register(ctcd_component *component, ctcd_error **err);
int component_update(ctcd_component *component, ctcd_error **err);
int component_get(ctcd_context *ctx, int type, const char *name, ctcd_component **ret,
                  ctcd_error **err);
int component_list(ctcd_context *ctx, int type, ctcd_list **ret, ctcd_error **err);
int component_delete(ctcd_component *component, ctcd_error **err);

int stack_new(ctcd_context *ctx, const char *name, ctcd_stack **ret, ctcd_error **err);
int stack_register(ctcd_stack *stack, ctcd_error **err);
int stack_get(ctcd_context *ctx, const char *name, ctcd_stack **ret, ctcd_error **err);
int stack_list(ctcd_context *ctx, ctcd_list **ret, ctcd_error **err);
int stack_activate(ctcd_stack *stack, ctcd_error **err);
int stack_update(ctcd_stack *stack, ctcd_error **err);
int stack_delete(ctcd_stack *stack, ctcd_error **err);
int stack_export(const ctcd_stack *stack, char **ret_text, ctcd_error **err);
/* name: for messages; as: what to call it, NULL = as the text does. */
int stack_import(ctcd_context *ctx, const char *text, const char *name, const char *as,
                 ctcd_stack **ret, ctcd_error **err);

#endif
