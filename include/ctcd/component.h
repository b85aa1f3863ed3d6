/**
 * @file component.h
 * Components (model deployers, orchestrators, artifact stores, metadata stores) and stacks of them.
 *
 * A component is made with a type, flavor and name, gets options by key, and is then registered. Which
 * options there are is asked of the flavor: names, types, defaults and help texts come from its back end.
 */
#ifndef CTCD_COMPONENT_H
#define CTCD_COMPONENT_H

#include <ctcd/list.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name Component types. @{ */
#define CTCD_COMPONENT_ORCHESTRATOR 1
#define CTCD_COMPONENT_ARTIFACT_STORE 2
#define CTCD_COMPONENT_METADATA_STORE 3
#define CTCD_COMPONENT_MODEL_DEPLOYER 4
/** @} */

/** "model-deployer", ... as on the command line; NULL for others; static. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_component_type_name(int type);

/** @name Flavors of a type. @{ */
/** Number of flavors that the context knows. @threads One thread per context. @since 0.1 */
CTCD_API size_t ctcd_flavor_count(ctcd_context *ctx, int type);
/** Name of one, or NULL; borrowed from the context. @threads One thread per context. @since 0.1 */
CTCD_API const char *ctcd_flavor_name(ctcd_context *ctx, int type, size_t index);
/** Number of options of a flavor, 0 for an unknown one. @param scope CTCD_SCOPE_*. @threads One thread per context. @since 0.1 */
CTCD_API size_t ctcd_flavor_option_count(ctcd_context *ctx, int type, const char *flavor,
                                         int scope);
/** Name, type ("text", "integer", ...), default (NULL = none) or help of an option; borrowed. @param what "name", "type", "default", "help", "required" ("yes" or "no"), "secret" (likewise). @threads One thread per context. @since 0.1 */
CTCD_API const char *ctcd_flavor_option(ctcd_context *ctx, int type, const char *flavor, int scope,
                                        size_t index, const char *what);
/** Options of the component itself. */
#define CTCD_SCOPE_COMPONENT 1
/** Options of one deployment. */
#define CTCD_SCOPE_DEPLOYMENT 2
/** @} */

/**
 * A component to be registered.
 * @param type    CTCD_COMPONENT_*.
 * @param flavor  "mlflow", "local", ...; an unknown one is refused naming the known ones.
 * @retval CTCD_E_INVALID  Unknown type or flavor, or a name that cannot be one.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_component_new(ctcd_context *ctx, int type, const char *flavor, const char *name,
                                ctcd_component **ret_component, ctcd_error **err);
/** Takes a reference. @return @p component. @threads Any. @since 0.1 */
CTCD_API ctcd_component *ctcd_component_ref(ctcd_component *component);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_component *ctcd_component_unref(ctcd_component *component);
/**
 * Sets an option; `-` and `_` in keys are the same. A relative path (of type "path" with a slash, or of a
 * secret's file:PATH) means the current folder of now. Nothing is stored before ctcd_component_register() or,
 * of a registered one, ctcd_component_update().
 * @retval CTCD_E_INVALID  No such option (the near miss is named), or a value of the wrong type.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_component_set_option(ctcd_component *component, const char *key,
                                       const char *value, ctcd_error **err);
/**
 * Takes an option back, so that its default holds; harmless where it was not set.
 * @retval CTCD_E_INVALID  No such option.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_component_unset_option(ctcd_component *component, const char *key,
                                         ctcd_error **err);
/**
 * Stores the component.
 * @retval CTCD_E_EXISTS   That type has one of this name.
 * @retval CTCD_E_INVALID  A required option is missing.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_component_register(ctcd_component *component, ctcd_error **err);
/**
 * Stores the options of a registered component. They hold from the next call on, in every process; a server
 * that runs is not touched before it is started anew.
 * @retval CTCD_E_INVALID    It is not registered, or a required option is missing.
 * @retval CTCD_E_CONFLICT   Somebody else has changed its options since they were read.
 * @retval CTCD_E_NOT_FOUND  It was deleted meanwhile.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_component_update(ctcd_component *component, ctcd_error **err);
/** Finds a registered one by name. @retval CTCD_E_NOT_FOUND There is none. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_component_get(ctcd_context *ctx, int type, const char *name,
                                ctcd_component **ret_component, ctcd_error **err);
/** All registered ones of a type, by name. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_component_list(ctcd_context *ctx, int type, ctcd_list **ret_list,
                                 ctcd_error **err);
/** Removes it. @retval CTCD_E_CONFLICT In use; the message names the stacks and services. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_component_delete(ctcd_component *component, ctcd_error **err);

/** @threads Any. @since 0.1 */
CTCD_API int ctcd_component_type(const ctcd_component *component);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_component_name(const ctcd_component *component);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_component_flavor(const ctcd_component *component);
/** "" before it was registered. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_component_uuid(const ctcd_component *component);
/** Number of options that are set. @threads Any. @since 0.1 */
CTCD_API size_t ctcd_component_option_count(const ctcd_component *component);
/** Key of a set option, or NULL. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_component_option_key(const ctcd_component *component, size_t index);
/** Its value, or NULL. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_component_option_value(const ctcd_component *component, size_t index);
/** As ctcd_list_format(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_component_format(const ctcd_component *component, const char *format,
                                   char **ret_text, ctcd_error **err);

/** A stack to be registered. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_new(ctcd_context *ctx, const char *name, ctcd_stack **ret_stack,
                            ctcd_error **err);
/** Takes a reference. @return @p stack. @threads Any. @since 0.1 */
CTCD_API ctcd_stack *ctcd_stack_ref(ctcd_stack *stack);
/** Drops a reference; accepts NULL. @return NULL. @threads Any. @since 0.1 */
CTCD_API ctcd_stack *ctcd_stack_unref(ctcd_stack *stack);
/** Names the component of a type. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_set_component(ctcd_stack *stack, int type, const char *name,
                                      ctcd_error **err);
/** Stores the stack; it is not made active. @retval CTCD_E_EXISTS The name is taken. @retval CTCD_E_NOT_FOUND A component is not registered. @retval CTCD_E_INVALID Orchestrator, artifact store or metadata store is missing. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_register(ctcd_stack *stack, ctcd_error **err);
/** Stores the components of a registered stack that were set anew. @retval CTCD_E_NOT_FOUND The stack, or a component, is not registered. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_update(ctcd_stack *stack, ctcd_error **err);
/** Forgets it; its components stay. @retval CTCD_E_CONFLICT It is the active one. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_delete(ctcd_stack *stack, ctcd_error **err);
/**
 * The stack and its components as YAML that ctcd_stack_import() takes in, also in another home. Options that
 * are secrets are references, so no secret is in it.
 * @param ret_text  Freed by ctcd_free().
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_stack_export(ctcd_stack *stack, char **ret_text, ctcd_error **err);
/**
 * Registers what ctcd_stack_export() wrote: all of it or nothing. A component that is there already is used
 * if it is just the same. The stack is not made active.
 * @param text       YAML (or JSON).
 * @param file       Name of the file, for messages; NULL = "stack".
 * @param name       What to call the stack; NULL = as the text does.
 * @retval CTCD_E_INVALID   The text is wrong; the message begins with FILE:LINE:COLUMN.
 * @retval CTCD_E_EXISTS    There is a stack of this name.
 * @retval CTCD_E_CONFLICT  There is a component of this name that is different.
 * @threads One thread per context. @since 0.1
 */
CTCD_API int ctcd_stack_import(ctcd_context *ctx, const char *text, const char *file,
                               const char *name, ctcd_stack **ret_stack, ctcd_error **err);
/** Finds a registered one; NULL = the active one. @retval CTCD_E_NOT_FOUND There is none. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_get(ctcd_context *ctx, const char *name, ctcd_stack **ret_stack,
                            ctcd_error **err);
/** All, by name. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_list(ctcd_context *ctx, ctcd_list **ret_list, ctcd_error **err);
/** Makes it the active one. @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_activate(ctcd_stack *stack, ctcd_error **err);
/** @threads Any. @since 0.1 */
CTCD_API const char *ctcd_stack_name(const ctcd_stack *stack);
/** Name of the component of a type, "" where there is none. @threads Any. @since 0.1 */
CTCD_API const char *ctcd_stack_component(const ctcd_stack *stack, int type);
/** 1 where it was the active one when it was read. @threads Any. @since 0.1 */
CTCD_API int ctcd_stack_active(const ctcd_stack *stack);
/** As ctcd_list_format(). @threads One thread per context. @since 0.1 */
CTCD_API int ctcd_stack_format(const ctcd_stack *stack, const char *format, char **ret_text,
                               ctcd_error **err);

#ifdef __cplusplus
}
#endif
#endif
