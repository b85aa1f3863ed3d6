/* completion: scripts for shells, made from the table of commands. Words, options and choices are in the
   script; names are asked from the command itself when the key is pressed. This file says what could stand
   where, and holds the script for bash. */
#include <stdlib.h>
#include <string.h>

#include "completion.h"

/* ---- what could stand where ------------------------------------------------------------------ */

static char *choices(const char *alternatives) {
    char *text = text_of("choices %s", alternatives);
    for (char *c = text; *c; c++)
        if (*c == '|')
            *c = ' ';
    return text;
}

static char *flavors(int type) {
    ctcd_context *ctx = NULL;
    char *text = text_of("choices");
    if (ctcd_context_new(0, &ctx, NULL) != 0)
        return text;
    for (size_t i = 0; i < ctcd_flavor_count(ctx, type); i++) {
        char *longer = text_of("%s %s", text, ctcd_flavor_name(ctx, type, i));
        free(text);
        text = longer;
    }
    ctcd_context_unref(ctx);
    return text;
}

static int is_one_of(const char *word, const char *const *words) {
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

/* By what the help calls it. `name`: of the option, or the command's group. */
static char *source(const char *placeholder, const char *name, int type) {
    static const char *const lists[] = {
        "model-deployer", "artifact-store", "orchestrator", "metadata-store",
        "stack",          "schedule",       "pipeline",     NULL};
    static const char *const files[] = {"FILE", "MODEL_URI", NULL};
    if (strchr(placeholder, '|'))
        return choices(placeholder);
    if (strcmp(placeholder, "UUID") == 0)
        return text_of("ask served-models list");
    if (strcmp(placeholder, "RUN") == 0)
        return text_of("ask run list");
    if (strcmp(placeholder, "FLAVOR") == 0)
        return flavors(type);
    if (is_one_of(placeholder, files))
        return text_of("files");
    if (strcmp(placeholder, "DIR") == 0)
        return text_of("folders");
    if (strcmp(name, "deployer") == 0)
        name = "model-deployer";
    if (strcmp(placeholder, "NAME") == 0 && is_one_of(name, lists))
        return text_of("ask %s list", name);
    return text_of("-");
}

char *option_source(const struct command *command, const struct option_spec *option) {
    return source(option->value, option->name, command ? command->type : 0);
}

char *argument_source(const struct command *command, size_t place) {
    const char *word = command->arguments ? command->arguments : "";
    for (; *word && place; place--) {
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
    if (!*word)
        return NULL;
    word += *word == '[';
    char *placeholder = text_of("%.*s", (int)strcspn(word, " ]"), word);
    int is_new = strcmp(command->verb, "register") == 0;
    char *found =
        is_new ? text_of("-") : source(placeholder, command->group ? command->group : "", 0);
    free(placeholder);
    return found;
}

/* ---- options --------------------------------------------------------------------------------- */

static void each_flavor_option(const struct command *command, ctcd_context *ctx, const char *flavor,
                               each_option_fn *fn) {
    int type = command->type;
    size_t count = ctcd_flavor_option_count(ctx, type, flavor, CTCD_SCOPE_COMPONENT);
    for (size_t i = 0; i < count; i++) {
        const char *kind = ctcd_flavor_option(ctx, type, flavor, CTCD_SCOPE_COMPONENT, i, "type");
        char *name =
            text_of("%s", ctcd_flavor_option(ctx, type, flavor, CTCD_SCOPE_COMPONENT, i, "name"));
        for (char *c = name; *c; c++)
            *c = *c == '_' ? '-' : *c;
        struct option_spec option = {
            .name = name,
            .value = strncmp(kind, "choice:", 7) == 0 ? kind + 7
                     : strcmp(kind, "boolean") == 0   ? "true|false"
                     : strcmp(kind, "path") == 0      ? "FILE"
                                                      : "VALUE",
            .help = ctcd_flavor_option(ctx, type, flavor, CTCD_SCOPE_COMPONENT, i, "help"),
        };
        fn(command, &option);
        free(name);
    }
}

static int hides(const struct command *command, const struct option_spec *global) {
    if (command->flags & COMMAND_TEXT && strcmp(global->name, "output") == 0)
        return 1;
    for (const struct option_spec *o = command->options; o && o->name; o++)
        if (strcmp(o->name, global->name) == 0)
            return 1;
    return 0;
}

void each_option(const struct command *command, each_option_fn *fn) {
    ctcd_context *ctx = NULL;
    for (const struct option_spec *o = command->options; o && o->name; o++)
        fn(command, o);
    if (command->flags & COMMAND_FLAVORED && ctcd_context_new(0, &ctx, NULL) == 0)
        for (size_t i = 0; i < ctcd_flavor_count(ctx, command->type); i++)
            each_flavor_option(command, ctx, ctcd_flavor_name(ctx, command->type, i), fn);
    ctcd_context_unref(ctx);
    for (const struct option_spec *o = global_options; o->name; o++) {
        struct option_spec shown = *o;
        for (const struct option_spec *own = command->options; own && own->name; own++)
            if (own->letter == o->letter)
                shown.letter = 0;
        if (!hides(command, o))
            fn(command, &shown);
    }
}

char *command_key(const struct command *command) {
    return text_of("%s%s%s", command->group ? command->group : "", command->group ? " " : "",
                   command->verb);
}

char *short_help(const char *help) {
    return text_of("%.*s", (int)strcspn(help, ";\n"), help);
}

/* ---- tables for bash and zsh ----------------------------------------------------------------- */

/* As part of a text in single quotes. */
static void print_quoted(const char *text) {
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
}

static void print_entry(const char *name, const char *help) {
    char *line = short_help(help);
    printf("%s:", name);
    print_quoted(line);
    putchar('\n');
    free(line);
}

static void print_words_below(const char *group) {
    printf("    '%s') _ctcd_lines='", group ? group : "");
    for (const struct command *c = commands; c->verb; c++)
        if (c->group ? group && strcmp(c->group, group) == 0 : !group)
            print_entry(c->verb, c->summary);
    for (const struct group *g = groups; !group && g->name; g++)
        print_entry(g->name, g->summary);
    puts("' ;;");
}

static void print_option_line(const struct command *command, const struct option_spec *option) {
    (void)command;
    char *name = text_of("--%s", option->name);
    print_entry(name, option->help);
    free(name);
}

static void print_option_source(const struct command *command, const struct option_spec *option) {
    if (!option->value)
        return;
    char *key = command_key(command), *from = option_source(command, option);
    printf("    '%s --%s'", key, option->name);
    if (option->letter)
        printf("|'%s -%c'", key, option->letter);
    printf(") _ctcd_source='%s' ;;\n", from);
    free(from);
    free(key);
}

static void print_arguments(const struct command *command) {
    char *from, *key = command_key(command);
    for (size_t i = 0; (from = argument_source(command, i)) != NULL; i++) {
        printf("    '%s %zu') _ctcd_source='%s' ;;\n", key, i, from);
        free(from);
    }
    free(key);
}

static void open_table(const char *name, const char *comment, const char *subject) {
    printf("\n# %s\n%s() {\n    case %s in\n", comment, name, subject);
}

static void close_table(void) {
    puts("    *) return 1 ;;\n    esac\n}");
}

void print_shell_tables(void) {
    open_table("_ctcd_below", "The words that may follow these, one a line, with their help.",
               "$1");
    print_words_below(NULL);
    for (const struct group *g = groups; g->name; g++)
        print_words_below(g->name);
    close_table();
    open_table("_ctcd_options", "The options of a command; fails for what is none.", "$1");
    for (const struct command *c = commands; c->verb; c++) {
        char *key = command_key(c);
        printf("    '%s') _ctcd_lines='", key);
        each_option(c, print_option_line);
        puts("' ;;");
        free(key);
    }
    close_table();
    open_table("_ctcd_value", "Where values of an option come from; fails where it takes none.",
               "\"$1 $2\"");
    for (const struct command *c = commands; c->verb; c++)
        each_option(c, print_option_source);
    puts("    *' --home') _ctcd_source='folders' ;;");
    close_table();
    open_table("_ctcd_argument", "Where a command's arguments come from, by their place.",
               "\"$1 $2\"");
    for (const struct command *c = commands; c->verb; c++)
        print_arguments(c);
    close_table();
}

/* ---- bash ------------------------------------------------------------------------------------ */

static const char bash_head[] =
    "# Completion of ctcd for bash, made by `ctcd completion bash`. Load it with\n"
    "#   source <(ctcd completion bash)\n";

static const char bash_tail[] =
    "\n"
    "# Offers a word where it begins as what is typed; never looks into it.\n"
    "_ctcd_offer() {\n"
    "    [[ $1 == \"$_ctcd_typed\"* ]] && COMPREPLY+=(\"$(printf %q \"$1\")\")\n"
    "}\n"
    "\n"
    "_ctcd_from() {\n"
    "    local word\n"
    "    case $1 in\n"
    "    files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "
    "\"$_ctcd_typed\") ;;\n"
    "    folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "
    "\"$_ctcd_typed\") ;;\n"
    "    'choices '*) for word in ${1#choices }; do _ctcd_offer \"$word\"; done ;;\n"
    "    'ask '*) while IFS= read -r word; do _ctcd_offer \"$word\"; done \\\n"
    "        < <(${_ctcd_home:+env CTCD_HOME=\"$_ctcd_home\"} \"${COMP_WORDS[0]}\" ${1#ask } -o "
    "name "
    "2>/dev/null) ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_ctcd_names() {\n"
    "    local line\n"
    "    while IFS= read -r line; do [[ -n $line ]] && _ctcd_offer \"${line%%:*}\"; done "
    "<<<\"$_ctcd_lines\"\n"
    "}\n"
    "\n"
    "_ctcd() {\n"
    "    local _ctcd_lines _ctcd_source _ctcd_home= _ctcd_typed=${COMP_WORDS[COMP_CWORD]}\n"
    "    local key= word next option= want= place=0 only= i\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        [[ $word == '=' ]] && continue\n"
    "        if [[ -n $want ]]; then\n"
    "            [[ $option == --home ]] && _ctcd_home=$word\n"
    "            want=\n"
    "        elif [[ -z $only && $word == -- ]]; then\n"
    "            only=1\n"
    "        elif [[ -z $only && $word == -?* ]]; then\n"
    "            option=${word%%=*} option=${option//_/-}\n"
    "            [[ $word == --home=* ]] && _ctcd_home=${word#*=}\n"
    "            [[ $word != *=* ]] && _ctcd_value \"$key\" \"$option\" && want=$_ctcd_source\n"
    "        else\n"
    "            next=\"${key:+$key }${word//_/-}\"\n"
    "            [[ $next == 'model-deployer models' ]] && next=served-models\n"
    "            if _ctcd_below \"$next\" || _ctcd_options \"$next\"; then key=$next; else "
    "((place++)); fi\n"
    "        fi\n"
    "    done\n"
    "    [[ $_ctcd_typed == '=' ]] && _ctcd_typed=\n"
    "    if [[ -n $want ]]; then\n"
    "        _ctcd_from \"$want\"\n"
    "    elif [[ -z $only && $_ctcd_typed == -* ]]; then\n"
    "        _ctcd_options \"$key\" || _ctcd_lines=$'--help\\n--home\\n--verbose'\n"
    "        _ctcd_names\n"
    "    elif _ctcd_options \"$key\"; then\n"
    "        if [[ $key == help ]]; then _ctcd_help; else _ctcd_argument \"$key\" \"$place\" && "
    "_ctcd_from \"$_ctcd_source\"; fi\n"
    "    elif _ctcd_below \"$key\"; then\n"
    "        _ctcd_names\n"
    "    fi\n"
    "    return 0\n"
    "}\n"
    "\n"
    "# `ctcd help` is followed by the words of another command.\n"
    "_ctcd_help() {\n"
    "    if ((place == 0)); then _ctcd_below ''; elif ((place == 1)); then _ctcd_below "
    "\"${COMP_WORDS[COMP_CWORD - 1]}\"; else return 0; fi && _ctcd_names\n"
    "}\n"
    "\n"
    "complete -F _ctcd ctcd\n";

static void print_bash(void) {
    fputs(bash_head, stdout);
    print_shell_tables();
    fputs(bash_tail, stdout);
}

int cmd_completion(struct request *req, ctcd_error **err) {
    const char *shell = argument(req, 0);
    (void)err;
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else if (strcmp(shell, "fish") == 0)
        print_fish();
    else
        return usage_error("it is one of bash, zsh, fish", "there is no completion for \"%s\"",
                           shell);
    return 0;
}
