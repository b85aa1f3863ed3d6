/* The completion script for fish: one `complete` a word and option, each with the place where it holds. */
#include <stdlib.h>
#include <string.h>

#include "completion.h"

static const char head[] =
    "# Completion of ctcd for fish, made by `ctcd completion fish`. Put it into\n"
    "# ~/.config/fish/completions/ctcd.fish, or load it with\n"
    "#   ctcd completion fish | source\n"
    "complete -c ctcd -f\n"
    "\n"
    "# The words of the line before the cursor: the command's, then its arguments. What an option "
    "takes is\n"
    "# none of them.\n"
    "function __ctcd_words\n"
    "    set -l key ''\n"
    "    set -l want ''\n"
    "    set -l found\n"
    "    for word in (commandline -opc)[2..]\n"
    "        if test -n \"$want\"\n"
    "            set want ''\n"
    "        else if string match -q -- '-?*' $word\n"
    "            if not string match -q -- '*=*' $word\n"
    "                set -l option (string replace -a -- _ - $word)\n"
    "                __ctcd_takes \"$key\" $option; and set want yes\n"
    "            end\n"
    "        else\n"
    "            set word (string replace -a -- _ - $word)\n"
    "            if test \"$key $word\" = 'model-deployer models'\n"
    "                set found served-models\n"
    "            else\n"
    "                set -a found $word\n"
    "            end\n"
    "            set key (string join ' ' $found[1..2])\n"
    "        end\n"
    "    end\n"
    "    string join \\n -- $found\n"
    "end\n"
    "\n"
    "# Are these all the words so far? Do they begin so?\n"
    "function __ctcd_at\n"
    "    set -l words (__ctcd_words)\n"
    "    test \"$words\" = \"$argv\"\n"
    "end\n"
    "function __ctcd_in\n"
    "    set -l words (__ctcd_words)\n"
    "    test \"$words[1..\"(count $argv)\"]\" = \"$argv\"\n"
    "end\n"
    "# In this command, with so many arguments before the cursor?\n"
    "function __ctcd_place\n"
    "    set -l words (__ctcd_words)\n"
    "    __ctcd_in $argv[2..]; and test (count $words) -eq (math (count $argv) - 1 + $argv[1])\n"
    "end\n"
    "function __ctcd_ask\n"
    "    set -l program (commandline -opc)[1]\n"
    "    $program $argv -o name 2>/dev/null\n"
    "end\n";

static void print_quoted(const char *text) {
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static void print_help(const char *help) {
    char *line = short_help(help);
    fputs(" -d ", stdout);
    print_quoted(line);
    putchar('\n');
    free(line);
}

static void print_source(const char *source) {
    if (strcmp(source, "files") == 0)
        fputs(" -r -F", stdout);
    else if (strcmp(source, "folders") == 0)
        fputs(" -x -a '(__fish_complete_directories)'", stdout);
    else if (strncmp(source, "choices", 7) == 0)
        printf(" -x -a '%s'", source + 7 + (source[7] == ' '));
    else if (strncmp(source, "ask ", 4) == 0)
        printf(" -x -a '(__ctcd_ask %s)'", source + 4);
    else
        fputs(" -x", stdout);
}

static void print_option(const struct command *command, const struct option_spec *option) {
    char *key = command_key(command);
    printf("complete -c ctcd -n '__ctcd_in %s' -l %s", key, option->name);
    if (option->letter)
        printf(" -s %c", option->letter);
    if (option->value) {
        char *source = option_source(command, option);
        print_source(source);
        free(source);
    }
    print_help(option->help);
    free(key);
}

static void print_takes(const struct command *command, const struct option_spec *option) {
    if (!option->value)
        return;
    char *key = command_key(command);
    printf("        case '%s --%s'", key, option->name);
    if (option->letter)
        printf(" '%s -%c'", key, option->letter);
    puts("\n            return 0");
    free(key);
}

static void print_arguments(const struct command *command) {
    char *source, *key = command_key(command);
    for (size_t i = 0; (source = argument_source(command, i)) != NULL; i++) {
        if (strcmp(source, "-") != 0) {
            printf("complete -c ctcd -n '__ctcd_place %zu %s'", i, key);
            print_source(source);
            putchar('\n');
        }
        free(source);
    }
    free(key);
}

static void print_word(const char *place, const char *word, const char *help) {
    printf("complete -c ctcd -n '__ctcd_at%s%s' -x -a %s", *place ? " " : "", place, word);
    print_help(help);
}

/* Groups and commands that stand alone are words at the beginning, and after help. */
static void print_first(const char *word, const char *help) {
    print_word("", word, help);
    print_word("help", word, help);
}

void print_fish(void) {
    fputs(head, stdout);
    puts("function __ctcd_takes\n    switch \"$argv\"\n        case '* --home'\n            return "
         "0");
    for (const struct command *c = commands; c->verb; c++)
        each_option(c, print_takes);
    puts("    end\n    return 1\nend\n");
    for (const struct group *g = groups; g->name; g++)
        print_first(g->name, g->summary);
    for (const struct command *c = commands; c->verb; c++) {
        char *after_help = text_of("help %s", c->group ? c->group : "");
        if (c->group) {
            print_word(c->group, c->verb, c->summary);
            print_word(after_help, c->verb, c->summary);
        } else {
            print_first(c->verb, c->summary);
        }
        free(after_help);
    }
    for (const struct command *c = commands; c->verb; c++) {
        each_option(c, print_option);
        print_arguments(c);
    }
    puts("complete -c ctcd -n '__ctcd_at' -l help -s h -d 'what there is'");
}
