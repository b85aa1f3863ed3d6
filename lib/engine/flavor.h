/* Flavors (registered tables), their option values, and opened back ends. */
#ifndef CTCD_ENGINE_FLAVOR_H
#define CTCD_ENGINE_FLAVOR_H

#include <ctcd/component.h>
#include <ctcd/plugin.h>

#include "engine/context.h"
#include "io/json.h"

struct flavor {
    struct list node;
    ctcd_model_deployer_vtable table; /* what this version knows of it */
    char *name;
    ctcd_option_entry *component_options, *deployment_options; /* copies, never NULL */
    void *user_data;
    ctcd_destroy_fn destroy;
};

int flavor_register(ctcd_context *ctx, const ctcd_model_deployer_vtable *vtable, void *user_data,
                    ctcd_destroy_fn destroy, ctcd_error **err);
struct flavor *flavor_find(const ctcd_context *ctx, const char *name); /* NULL = unknown */
void flavors_free(ctcd_context *ctx);
/* Names and option tables of any component type (the local ones are built in here).
   NULL = no such flavor; an empty table is not NULL. */
const ctcd_option_entry *flavor_options(ctcd_context *ctx, int type, const char *flavor, int scope);
size_t flavor_count(ctcd_context *ctx, int type);
const char *flavor_name(ctcd_context *ctx, int type, size_t index);
int flavor_check(ctcd_context *ctx, int type, const char *flavor,
                 ctcd_error **err); /* names the known */

/* Values of one option table. Keys: '-' and '_' are the same. */
struct ctcd_options {
    const ctcd_option_entry *table; /* must outlive it */
    char **values;                  /* by table index; NULL = not set */
};
int options_new(const ctcd_option_entry *table, struct ctcd_options **ret, ctcd_error **err);
void options_free(struct ctcd_options *options);
void options_done(struct ctcd_options **options);
size_t option_table_count(const ctcd_option_entry *table);
/* In one block, texts and all: free with mem_free. NULL = out of memory. */
ctcd_option_entry *option_table_copy(const ctcd_option_entry *table);
/* owner: "the flavor mlflow", for messages. Unknown keys name the near miss; values are checked by type;
   a secret must be a reference. CTCD_E_INVALID. */
int options_set(struct ctcd_options *options, const char *owner, const char *key, const char *value,
                ctcd_error **err);
/* As a person gives it: a relative file name means that folder (NULL: the current one of now), not that of
   whoever reads it. */
int options_set_here(struct ctcd_options *options, const char *owner, const char *key,
                     const char *value, const char *folder, ctcd_error **err);
int options_unset(struct ctcd_options *options, const char *owner, const char *key,
                  ctcd_error **err);
/* scheme://user:secret@host in it? */
bool options_holds_password(const char *value);
/* Type "variables" (variables.c): A=1,B=2 or a JSON object, as the text of a JSON object of texts; owned. */
int variables_read(const char *option, const char *text, char **ret, ctcd_error **err);
int options_check_value(const ctcd_option_entry *entry, const char *value, ctcd_error **err);
int options_check_required(const struct ctcd_options *options, const char *owner, ctcd_error **err);
int options_from_json(struct ctcd_options *options, const char *owner, const char *json,
                      ctcd_error **err);
char *options_to_json(
    const struct ctcd_options *options); /* only what is set; NULL = out of memory */
const char *options_text(const struct ctcd_options *options, const char *name);
int64_t options_number(const struct ctcd_options *options, const char *name);

/* An opened component. One per component and context; opened at first use, closed with the context. */
struct backend {
    struct list node;
    ctcd_context *ctx;
    struct flavor *flavor;
    char *component;
    char *config; /* options JSON it was opened with: a component registered anew is opened anew */
    struct ctcd_options *options;
    char *folder; /* what components of its flavor share; NULL = not asked for yet */
    void *impl;
    bool opened, opening; /* opening: one of its calls does it, the others wait */
    struct list watches;  /* ctcd_watch */
    struct list calls;    /* ctcd_call in flight */
};
/* Finds or makes the (not yet opened) back end of a registered component.
   CTCD_E_NOT_FOUND: no such component, or its flavor is not known to this context. */
int backend_get(ctcd_context *ctx, const char *component, struct backend **ret, ctcd_error **err);
void backends_free(ctcd_context *ctx); /* cancels calls, closes */

#endif
