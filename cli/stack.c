/* Stacks: register, update, delete, export, import, set, list, describe. */
#include <stdlib.h>

#include "output.h"
#include "whole_file.h"

static const struct {
    int type;
    const char *option, *column;
} parts[] = {
    {CTCD_COMPONENT_ORCHESTRATOR, "orchestrator", "ORCHESTRATOR"},
    {CTCD_COMPONENT_ARTIFACT_STORE, "artifact-store", "ARTIFACT_STORE"},
    {CTCD_COMPONENT_METADATA_STORE, "metadata-store", "METADATA_STORE"},
    {CTCD_COMPONENT_MODEL_DEPLOYER, "model-deployer", "MODEL_DEPLOYER"},
};
enum { PARTS = sizeof parts / sizeof *parts };

static int print_stack(struct request *req, const ctcd_stack *stack, ctcd_error **err) {
    char *text = NULL;
    int rc = ctcd_stack_format(stack, output_format(req), &text, err);
    return print_text(rc, text);
}

static int set_components(struct request *req, ctcd_stack *stack, size_t *ret_count,
                          ctcd_error **err) {
    int rc = 0;
    for (size_t i = 0; !rc && i < PARTS; i++)
        if (option(req, parts[i].option)) {
            rc = ctcd_stack_set_component(stack, parts[i].type, option(req, parts[i].option), err);
            *ret_count += 1;
        }
    return rc;
}

int cmd_stack_register(struct request *req, ctcd_error **err) {
    _drop_(stack) ctcd_stack *stack = NULL;
    size_t count = 0;
    int rc = ctcd_stack_new(req->ctx, argument(req, 0), &stack, err);
    if (!rc)
        rc = set_components(req, stack, &count, err);
    if (!rc)
        rc = ctcd_stack_register(stack, err);
    if (!rc && option(req, "set"))
        rc = ctcd_stack_activate(stack, err);
    if (rc || output_format(req))
        return rc ? rc : print_stack(req, stack, err);
    printf("Registered the stack %s%s.\n", argument(req, 0),
           option(req, "set") ? ", which is now the active one" : "");
    return 0;
}

int cmd_stack_update(struct request *req, ctcd_error **err) {
    _drop_(stack) ctcd_stack *stack = NULL;
    size_t count = 0;
    int rc = ctcd_stack_get(req->ctx, argument(req, 0), &stack, err);
    if (!rc)
        rc = set_components(req, stack, &count, err);
    if (!rc && count == 0)
        return usage_error("name one, like -d NAME", "no component was given");
    if (!rc)
        rc = ctcd_stack_update(stack, err);
    if (rc || !output_format(req))
        return rc;
    return print_stack(req, stack, err);
}

int cmd_stack_delete(struct request *req, ctcd_error **err) {
    _drop_(stack) ctcd_stack *stack = NULL;
    int rc = ctcd_stack_get(req->ctx, argument(req, 0), &stack, err);
    return rc ? rc : ctcd_stack_delete(stack, err);
}

int cmd_stack_export(struct request *req, ctcd_error **err) {
    _drop_(stack) ctcd_stack *stack = NULL;
    struct whole_file file = {0};
    char *text = NULL;
    int rc = ctcd_stack_get(req->ctx, argument(req, 0), &stack, err);
    if (!rc)
        rc = ctcd_stack_export(stack, &text, err);
    if (rc || !option(req, "file"))
        return print_text(rc, text);
    rc = whole_file_open(&file, option(req, "file"), 0666);
    if (!rc) {
        fputs(text, file.out);
        rc = whole_file_commit(&file);
    }
    ctcd_free(text);
    return rc;
}

int cmd_stack_import(struct request *req, ctcd_error **err) {
    _drop_(stack) ctcd_stack *stack = NULL;
    int status = 0;
    char *text = read_input(argument(req, 0), &status);
    if (!text)
        return status;
    int rc = ctcd_stack_import(req->ctx, text, argument(req, 0), option(req, "name"), &stack, err);
    free(text);
    if (rc || output_format(req))
        return rc ? rc : print_stack(req, stack, err);
    printf("Registered the stack %s. To use it: ctcd stack set %s\n", ctcd_stack_name(stack),
           ctcd_stack_name(stack));
    return 0;
}

int cmd_stack_set(struct request *req, ctcd_error **err) {
    _drop_(stack) ctcd_stack *stack = NULL;
    int rc = ctcd_stack_get(req->ctx, argument(req, 0), &stack, err);
    if (!rc)
        rc = ctcd_stack_activate(stack, err);
    if (rc || output_format(req))
        return rc ? rc : print_stack(req, stack, err);
    printf("The active stack is %s.\n", argument(req, 0));
    return 0;
}

int cmd_stack_list(struct request *req, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int rc = ctcd_stack_list(req->ctx, &list, err);
    if (rc)
        return rc;
    if (output_format(req)) {
        char *text = NULL;
        rc = ctcd_list_format(list, output_format(req), &text, err);
        return print_text(rc, text);
    }
    const char *columns[PARTS + 3] = {"ACTIVE", "NAME"};
    for (size_t i = 0; i < PARTS; i++)
        columns[i + 2] = parts[i].column;
    struct table *table = table_new(NULL, columns);
    table_centre_first(table);
    for (size_t s = 0; s < ctcd_list_count(list); s++) {
        const ctcd_stack *stack = ctcd_list_stack(list, s);
        const char *cells[PARTS + 2] = {yes_cell(ctcd_stack_active(stack)), ctcd_stack_name(stack)};
        for (size_t i = 0; i < PARTS; i++)
            cells[i + 2] = ctcd_stack_component(stack, parts[i].type);
        table_row(table, cells);
    }
    table_print(table);
    return 0;
}

int cmd_stack_describe(struct request *req, ctcd_error **err) {
    _drop_(stack) ctcd_stack *stack = NULL;
    int rc = ctcd_stack_get(req->ctx, argument(req, 0), &stack, err);
    if (rc || output_format(req))
        return rc ? rc : print_stack(req, stack, err);
    char *title = text_of("'%s' stack%s", ctcd_stack_name(stack),
                          ctcd_stack_active(stack) ? " (ACTIVE)" : "");
    struct table *table =
        table_new(title, (const char *const[]){"COMPONENT_TYPE", "COMPONENT_NAME", NULL});
    for (size_t i = 0; i < PARTS; i++)
        table_property(table, parts[i].column, ctcd_stack_component(stack, parts[i].type));
    table_print(table);
    free(title);
    return 0;
}
