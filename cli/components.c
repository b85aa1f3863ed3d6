/* register, list, describe, update, delete of model deployers, artifact stores, orchestrators, metadata stores. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

/* An option that neither the command nor the flavor has: the near miss may be one of either. */
static int unknown_flavor_option(struct request *req, const char *flavor, const char *name) {
    const char *names[128];
    size_t count = 0;
    int type = req->command->type;
    for (const struct option_spec *o = req->command->options; o->name; o++)
        names[count++] = o->name;
    for (const struct option_spec *o = global_options; o->name; o++)
        names[count++] = o->name;
    size_t options =
        flavor ? ctcd_flavor_option_count(req->ctx, type, flavor, CTCD_SCOPE_COMPONENT) : 0;
    for (size_t i = 0; i < options && count < 128; i++)
        names[count++] =
            ctcd_flavor_option(req->ctx, type, flavor, CTCD_SCOPE_COMPONENT, i, "name");
    for (size_t i = 0; i < count; i++)
        if (same_word(names[i], name))
            return 0;
    const char *near = nearest(name, names, count);
    char *words = command_words(req->command);
    char *hint = near ? text_of("did you mean --%s? `%s --help` lists all", near, words)
                      : text_of("`%s --help` lists the options", words);
    int status = flavor ? usage_error(hint, "the flavor %s has no option --%s", flavor, name)
                        : usage_error(hint, "there is no option --%s", name);
    free(hint);
    free(words);
    return status;
}

/* All options that are the flavor's own, checked before any is set. */
static int check_flavor_options(struct request *req, const char *flavor) {
    int status = 0;
    for (size_t i = 0; !status && i < req->given_count; i++)
        if (!req->given[i].option)
            status = unknown_flavor_option(req, flavor, req->given[i].name);
    return status;
}

/* No flavor was named: perhaps misspelt, else say which there are. */
static int flavor_is_missing(struct request *req) {
    int status = check_flavor_options(req, NULL);
    if (status)
        return status;
    char *known = text_of("%s", "");
    for (size_t i = 0; i < ctcd_flavor_count(req->ctx, req->command->type); i++) {
        char *longer = text_of("%s%s%s", known, i ? ", " : "",
                               ctcd_flavor_name(req->ctx, req->command->type, i));
        free(known);
        known = longer;
    }
    status = usage_error("add --flavor=NAME", "which flavor of %s? Known: %s",
                         type_words(req->command->type), known);
    free(known);
    return status;
}

int cmd_component_register(struct request *req, ctcd_error **err) {
    const char *flavor = option(req, "flavor") ? option(req, "flavor") : option(req, "type");
    if (!flavor)
        return flavor_is_missing(req);
    _drop_(component) ctcd_component *component = NULL;
    int rc =
        ctcd_component_new(req->ctx, req->command->type, flavor, argument(req, 0), &component, err);
    if (!rc)
        rc = check_flavor_options(req, flavor);
    for (size_t i = 0; !rc && i < req->given_count; i++)
        if (!req->given[i].option)
            rc = ctcd_component_set_option(component, req->given[i].name, req->given[i].value, err);
    if (!rc)
        rc = ctcd_component_register(component, err);
    if (rc)
        return rc;
    const char *format = output_format(req);
    if (format) {
        char *text = NULL;
        rc = ctcd_component_format(component, format, &text, err);
        return print_text(rc, text);
    }
    printf("Registered the %s %s (%s).\n", type_words(req->command->type), argument(req, 0),
           flavor);
    return 0;
}

/* Name of the active stack's component of the type; "" without one. *ret_stack keeps it alive. */
static const char *active_name(struct request *req, ctcd_stack **ret_stack) {
    if (ctcd_stack_get(req->ctx, NULL, ret_stack, NULL) != 0)
        return "";
    return ctcd_stack_component(*ret_stack, req->command->type);
}

int cmd_component_list(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    _drop_(stack) ctcd_stack *stack = NULL;
    int rc = ctcd_component_list(req->ctx, req->command->type, &list, err);
    if (rc)
        return rc;
    const char *format = output_format(req);
    if (format) {
        char *text = NULL;
        rc = ctcd_list_format(list, format, &text, err);
        return print_text(rc, text);
    }
    const char *active = active_name(req, &stack);
    struct table *table =
        table_new(NULL, (const char *const[]){"ACTIVE", "NAME", "FLAVOR", "UUID", NULL});
    table_centre_first(table);
    for (size_t i = 0; i < ctcd_list_count(list); i++) {
        const ctcd_component *c = ctcd_list_component(list, i);
        const char *name = ctcd_component_name(c);
        table_row(table, (const char *const[]){yes_cell(strcmp(name, active) == 0), name,
                                               ctcd_component_flavor(c), ctcd_component_uuid(c)});
    }
    table_print(table);
    return 0;
}

/* tracking_uri -> TRACKING_URI, as the tables name properties. */
static char *property_name(const char *key) {
    char *name = text_of("%s", key);
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

static void print_component(const ctcd_component *component) {
    char *title = text_of("Properties of %s %s", type_words(ctcd_component_type(component)),
                          ctcd_component_name(component));
    struct table *table =
        table_new(title, (const char *const[]){"COMPONENT PROPERTY", "VALUE", NULL});
    table_headless(table);
    for (size_t i = 0; i < ctcd_component_option_count(component); i++) {
        char *name = property_name(ctcd_component_option_key(component, i));
        table_property(table, name, ctcd_component_option_value(component, i));
        free(name);
    }
    table_property(table, "FLAVOR", ctcd_component_flavor(component));
    table_property(table, "NAME", ctcd_component_name(component));
    table_property(table, "TYPE", ctcd_component_type_name(ctcd_component_type(component)));
    table_property(table, "UUID", ctcd_component_uuid(component));
    table_print(table);
    free(title);
}

int cmd_component_describe(struct request *req, ctcd_error **err) {
    _drop_(component) ctcd_component *component = NULL;
    _drop_(stack) ctcd_stack *stack = NULL;
    const char *name = argument(req, 0) ? argument(req, 0) : active_name(req, &stack);
    if (!*name)
        return complain(EXIT_NOT_FOUND, "name one", "the active stack has no %s",
                        type_words(req->command->type));
    int rc = ctcd_component_get(req->ctx, req->command->type, name, &component, err);
    if (rc)
        return rc;
    const char *format = output_format(req);
    if (format) {
        char *text = NULL;
        rc = ctcd_component_format(component, format, &text, err);
        return print_text(rc, text);
    }
    print_component(component);
    return 0;
}

int cmd_component_update(struct request *req, ctcd_error **err) {
    _drop_(component) ctcd_component *component = NULL;
    const char *key = NULL;
    size_t cursor = 0, changes = 0;
    int rc = ctcd_component_get(req->ctx, req->command->type, argument(req, 0), &component, err);
    if (!rc)
        rc = check_flavor_options(req, ctcd_component_flavor(component));
    while (!rc && (key = option_next(req, "unset", &cursor)) && ++changes)
        rc = ctcd_component_unset_option(component, key, err);
    for (size_t i = 0; !rc && i < req->given_count; i++)
        if (!req->given[i].option && ++changes)
            rc = ctcd_component_set_option(component, req->given[i].name, req->given[i].value, err);
    if (!rc && changes == 0)
        return usage_error("--OPTION=VALUE or --unset OPTION; --help lists the options",
                           "nothing to change was given");
    if (!rc)
        rc = ctcd_component_update(component, err);
    if (rc || !output_format(req))
        return rc;
    char *text = NULL;
    rc = ctcd_component_format(component, output_format(req), &text, err);
    return print_text(rc, text);
}

int cmd_component_delete(struct request *req, ctcd_error **err) {
    _drop_(component) ctcd_component *component = NULL;
    int rc = ctcd_component_get(req->ctx, req->command->type, argument(req, 0), &component, err);
    return rc ? rc : ctcd_component_delete(component, err);
}
