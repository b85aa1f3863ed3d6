/* Help, made from the table of commands and from what flavors say about their options. Called by main()
   for --help, and by `ctcd help`. */
#include <stdlib.h>
#include <string.h>

#include "output.h"

static void print_lines(const char *lines, const char *indent) {
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        printf("%s%.*s\n", indent, (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static void print_option(const struct option_spec *option) {
    char *left = text_of("--%s%s%s", option->name, option->value ? "=" : "",
                         option->value ? option->value : "");
    printf("  %c%c%c %-30s %s\n", option->letter ? '-' : ' ', option->letter ? option->letter : ' ',
           option->letter ? ',' : ' ', left, option->help);
    free(left);
}

/* The global options, less those that cannot be meant. */
static void print_options(const struct command *command) {
    const struct option_spec *own = command ? command->options : NULL;
    if (own)
        puts("\nOptions:");
    for (const struct option_spec *o = own; o && o->name; o++)
        print_option(o);
    puts("\nOptions everywhere:");
    for (const struct option_spec *o = global_options; o->name; o++) {
        struct option_spec shown = *o;
        if (command && command->flags & COMMAND_TEXT && strcmp(o->name, "output") == 0)
            continue;
        int hidden = 0;
        for (const struct option_spec *other = own; other && other->name; other++) {
            if (other->letter == o->letter)
                shown.letter = 0;
            hidden |= strcmp(other->name, o->name) == 0;
        }
        if (!hidden)
            print_option(&shown);
    }
}

static void print_flavor(ctcd_context *ctx, int type, const char *flavor, int scope) {
    size_t count = ctcd_flavor_option_count(ctx, type, flavor, scope);
    printf(count ? "\nOptions of the flavor %s:\n" : "\nThe flavor %s has no options of its own.\n",
           flavor);
    for (size_t i = 0; i < count; i++) {
        const char *name = ctcd_flavor_option(ctx, type, flavor, scope, i, "name");
        const char *kind = ctcd_flavor_option(ctx, type, flavor, scope, i, "type");
        const char *value = ctcd_flavor_option(ctx, type, flavor, scope, i, "default");
        const char *text = ctcd_flavor_option(ctx, type, flavor, scope, i, "help");
        const char *required = ctcd_flavor_option(ctx, type, flavor, scope, i, "required");
        char *left = text_of("%s%s=%s", scope == CTCD_SCOPE_COMPONENT ? "--" : "--option ", name,
                             strncmp(kind, "choice:", 7) == 0 ? kind + 7 : kind);
        printf("      %-30s %.*s%s%s%s%s\n", left, (int)strcspn(text, "\n"), text,
               value ? " (default " : "", value ? value : "", value ? ")" : "",
               strcmp(required, "yes") == 0 ? " (required)" : "");
        free(left);
    }
}

static void print_flavors(const struct command *command) {
    int deploys = command->run == cmd_deploy;
    int type = deploys ? CTCD_COMPONENT_MODEL_DEPLOYER : command->type;
    ctcd_context *ctx = NULL;
    if ((!deploys && !(command->flags & COMMAND_FLAVORED)) || ctcd_context_new(0, &ctx, NULL) != 0)
        return;
    for (size_t i = 0; i < ctcd_flavor_count(ctx, type); i++)
        print_flavor(ctx, type, ctcd_flavor_name(ctx, type, i),
                     deploys ? CTCD_SCOPE_DEPLOYMENT : CTCD_SCOPE_COMPONENT);
    ctcd_context_unref(ctx);
}

static void print_command(const struct command *command) {
    char *words = command_words(command);
    printf("Usage: %s%s%s [options]\n\n  %s\n", words, command->arguments ? " " : "",
           command->arguments ? command->arguments : "", command->summary);
    if (command->more)
        print_lines(command->more, "  ");
    print_options(command);
    print_flavors(command);
    if (command->examples) {
        puts("\nFor example:");
        print_lines(command->examples, "  ");
    }
    free(words);
}

static void print_verbs(const char *group) {
    for (const struct command *c = commands; c->verb; c++)
        if (c->group ? group && strcmp(c->group, group) == 0 : !group) {
            char *left = text_of("%s%s%s", c->verb, c->arguments ? " " : "",
                                 c->arguments ? c->arguments : "");
            printf("  %-26s %s\n", left, c->summary);
            free(left);
        }
}

static void print_group(const char *group) {
    for (const struct group *g = groups; g->name; g++)
        if (strcmp(g->name, group) == 0)
            printf("Usage: ctcd %s VERB [options]\n\n  %s\n\n", group, g->summary);
    print_verbs(group);
    printf("\n`ctcd help %s VERB` explains one.\n", group);
}

static void print_all(void) {
    puts("Usage: ctcd COMMAND [VERB] [options]\n\n"
         "  Continuous training and continuous deployment of models: a schedule decides when, a "
         "run\n"
         "  walks the steps of a pipeline, a step may ask a model deployer for a service.\n");
    for (const struct group *g = groups; g->name; g++)
        printf("  %-26s %s\n", g->name, g->summary);
    puts("");
    print_verbs(NULL);
    print_options(NULL);
    puts("\nExit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 timeout, 6 "
         "conflict,\n"
         "7 unreachable. `ctcd help COMMAND` explains one.");
}

void help_print(const struct request *req) {
    if (req->command)
        print_command(req->command);
    else if (req->help_group)
        print_group(req->help_group);
    else
        print_all();
}

int cmd_help(struct request *req, ctcd_error **err) {
    (void)err;
    char *words[] = {(char[]){"ctcd"}, (char[]){"--help"}, (char *)argument(req, 0),
                     (char *)argument(req, 1)};
    struct request asked = {0};
    int status = request_parse(&asked, 2 + (int)req->argument_count, words);
    if (!status)
        help_print(&asked);
    request_done(&asked);
    return status;
}

int cmd_version(struct request *req, ctcd_error **err) {
    (void)req;
    (void)err;
    printf("ctcd %s\n", ctcd_version());
    return 0;
}
