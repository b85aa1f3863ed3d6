/* Completion scripts of shells: what they have in common. Included by the completion*.c. */
#ifndef CTCD_CLI_COMPLETION_H
#define CTCD_CLI_COMPLETION_H

#include "output.h"

/* What could stand in a place: "-" = anything, nothing to offer; "files"; "folders"; "choices a b c";
   "ask run list" = the lines of `ctcd run list -o name`. Owned. */
char *option_source(const struct command *command, const struct option_spec *option);
/* Of the argument at this place; NULL = there is none. */
char *argument_source(const struct command *command, size_t place);

/* All options of a command that can be meant: its own, its flavors', then those of every command. */
typedef void each_option_fn(const struct command *command, const struct option_spec *option);
void each_option(const struct command *command, each_option_fn *fn);

/* "stack register"; owned. */
char *command_key(const struct command *command);
/* Up to the first line's end, without what follows a semicolon: fits beside a name. Owned. */
char *short_help(const char *help);

/* completion.c: the part of a script that bash and zsh read alike. completion_zsh.c, completion_fish.c. */
void print_shell_tables(void);
void print_zsh(void);
void print_fish(void);

#endif
