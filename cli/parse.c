/* From argv to a request, by the table of commands: words, options, near misses. Called by main(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

/* Where reading argv stands. */
struct reader {
    struct request *req;
    int argc, next;
    char **argv;
    const char *group;  /* named, its verb not yet */
    int only_arguments; /* after "--" */
};

static char plain(char c) {
    return c == '_' ? '-' : c;
}

int same_word(const char *a, const char *b) {
    while (*a && plain(*a) == plain(*b))
        a++, b++;
    return *a == *b;
}

/* Edit distance in which two neighbours that changed places are one mistake. */
static size_t distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    size_t na = strlen(a), nb = strlen(b);
    if (na > LONGEST || nb > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= nb; j++)
        last[j] = j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = last[j - 1] + (plain(a[i - 1]) != plain(b[j - 1]));
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *reused = before;
        before = last;
        last = row;
        row = reused;
    }
    return last[nb];
}

const char *nearest(const char *word, const char *const *words, size_t count) {
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, words[i]);
        if (d < best_distance && d < strlen(words[i]))
            best = words[i], best_distance = d;
    }
    return best;
}

char *command_words(const struct command *command) {
    if (!command)
        return text_of("ctcd");
    return text_of("ctcd %s%s%s", command->group ? command->group : "", command->group ? " " : "",
                   command->verb);
}

/* ---- words: group and verb ------------------------------------------------------------------- */

static const struct command *find_command(const char *group, const char *verb) {
    for (const struct command *c = commands; c->verb; c++)
        if (!c->group == !group && (!group || strcmp(c->group, group) == 0) &&
            same_word(c->verb, verb))
            return c;
    return NULL;
}

static int unknown_word(const char *group, const char *word) {
    const char *words[64];
    size_t count = 0;
    for (const struct command *c = commands; c->verb && count < 64; c++)
        if (!c->group == !group && (!group || strcmp(c->group, group) == 0))
            words[count++] = c->verb;
    for (const struct group *g = groups; !group && g->name && count < 64; g++)
        words[count++] = g->name;
    const char *near = nearest(word, words, count);
    char *hint =
        near ? text_of("did you mean `ctcd %s%s%s`?", group ? group : "", group ? " " : "", near)
             : text_of("`ctcd help%s%s` lists what there is", group ? " " : "", group ? group : "");
    int status = usage_error(hint, "there is no command \"%s%s%s\"", group ? group : "",
                             group ? " " : "", word);
    free(hint);
    return status;
}

static int take_word(struct reader *r, const char *word) {
    struct request *req = r->req;
    if (req->command) {
        if (req->argument_count == ARGUMENTS_MAX)
            return usage_error(NULL, "there is nothing that \"%s\" could mean here", word);
        req->arguments[req->argument_count++] = word;
        return 0;
    }
    /* The later name of the seed's served-models. */
    if (r->group && strcmp(r->group, "model-deployer") == 0 && same_word(word, "models")) {
        r->group = "served-models";
        return 0;
    }
    req->command = find_command(r->group, word);
    if (req->command)
        return 0;
    for (const struct group *g = groups; !r->group && g->name; g++)
        if (same_word(g->name, word)) {
            r->group = g->name;
            return 0;
        }
    return unknown_word(r->group, word);
}

/* ---- options --------------------------------------------------------------------------------- */

static const struct option_spec *find_option(const struct option_spec *list, const char *name,
                                             char letter) {
    for (; list && list->name; list++)
        if (name ? same_word(list->name, name) : list->letter == letter)
            return list;
    return NULL;
}

/* The command's own options hide the global ones: -o of `stack register` is the orchestrator. */
static const struct option_spec *option_of(const struct command *command, const char *name,
                                           char letter) {
    const struct option_spec *found = command ? find_option(command->options, name, letter) : NULL;
    return found ? found : find_option(global_options, name, letter);
}

static const char *near_option(const struct command *command, const char *name) {
    const char *names[64];
    size_t count = 0;
    for (const struct option_spec *o = command ? command->options : NULL; o && o->name; o++)
        if (count < 64)
            names[count++] = o->name;
    for (const struct option_spec *o = global_options; o->name; o++)
        if (count < 64)
            names[count++] = o->name;
    return nearest(name, names, count);
}

static int unknown_option(const struct command *command, const char *name) {
    const char *near = near_option(command, name);
    char *words = command_words(command);
    char *hint = near ? text_of("did you mean --%s? `%s --help` lists all", near, words)
                      : text_of("`%s --help` lists the options", words);
    int status = usage_error(hint, "there is no option --%s", name);
    free(hint);
    free(words);
    return status;
}

/* Is value one of "a|b|c"? */
static int is_choice(const char *choices, const char *value) {
    size_t length = strlen(value);
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (length && strncmp(c, value, length) == 0 && (c[length] == '|' || !c[length]))
            return 1;
    return 0;
}

static int take_value(struct reader *r, const struct option_spec *spec, const char *name,
                      const char *value) {
    int wants = !spec || spec->value;
    if (!wants && value)
        return usage_error(NULL, "--%s takes no value", name);
    if (wants && !value) {
        if (r->next >= r->argc)
            return usage_error(NULL, "--%s needs a value%s%s", name, spec ? ": " : "",
                               spec ? spec->value : "");
        value = r->argv[r->next++];
    }
    if (spec && spec->value && strchr(spec->value, '|') && !is_choice(spec->value, value))
        return usage_error(NULL, "--%s is one of %s, not \"%s\"", name, spec->value, value);
    if (spec && strcmp(spec->name, "help") == 0)
        r->req->help = 1;
    struct request *req = r->req;
    if ((req->given_count & (req->given_count + 1)) == 0) /* doubled at 0, 1, 3, 7, ... */
        req->given = need(realloc(req->given, (req->given_count * 2 + 1) * sizeof *req->given));
    req->given[req->given_count++] =
        (struct given){.option = spec, .name = name, .value = value ? value : ""};
    return 0;
}

static int take_long(struct reader *r, char *text) {
    const struct command *command = r->req->command;
    char *equals = strchr(text, '=');
    if (equals)
        *equals = '\0';
    const struct option_spec *spec = option_of(command, text, 0);
    if (!spec && !(command && command->flags & COMMAND_FLAVORED))
        return unknown_option(command, text);
    return take_value(r, spec, text, equals ? equals + 1 : NULL);
}

static int take_short(struct reader *r, const char *letters) {
    for (const char *l = letters; *l; l++) {
        const struct option_spec *spec = option_of(r->req->command, NULL, *l);
        if (!spec)
            return usage_error("`--help` lists the options", "there is no option -%c", *l);
        if (spec->value && l[1])
            return take_value(r, spec, spec->name, l[1] == '=' ? l + 2 : l + 1);
        int status = take_value(r, spec, spec->name, NULL);
        if (status || spec->value)
            return status;
    }
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int check_arguments(const struct request *req) {
    const struct command *command = req->command;
    size_t given = req->argument_count, place = 0;
    const char *word = command->arguments ? command->arguments : "";
    for (; *word; place++) {
        size_t length = strcspn(word, " ");
        if (place >= given && *word != '[') {
            char *words = command_words(command);
            char *hint = text_of("%s %s", words, command->arguments);
            int status = usage_error(hint, "%.*s is missing", (int)length, word);
            free(hint);
            free(words);
            return status;
        }
        word += length + strspn(word + length, " ");
    }
    if (given > place)
        return usage_error(NULL, "there is nothing that \"%s\" could mean here",
                           req->arguments[place]);
    const char *form = command->flags & COMMAND_TEXT ? option(req, "output") : NULL;
    if (form && strcmp(form, "table") != 0)
        return usage_error(NULL, "this command prints one kind of text only, not %s", form);
    return 0;
}

static int check_request(struct reader *r) {
    struct request *req = r->req;
    req->help_group = r->group;
    if (!req->command && !r->group)
        req->help = 1;
    if (req->help)
        return 0;
    if (!req->command) {
        char *hint = text_of("`ctcd help %s` lists what there is", r->group);
        int status = usage_error(hint, "what about the %s? A verb is missing", r->group);
        free(hint);
        return status;
    }
    return check_arguments(req);
}

int request_parse(struct request *req, int argc, char **argv) {
    struct reader r = {.req = req, .argc = argc, .next = 1, .argv = argv};
    while (r.next < argc) {
        char *text = argv[r.next++];
        int status;
        if (r.only_arguments || text[0] != '-' || !text[1])
            status = take_word(&r, text);
        else if (strcmp(text, "--") == 0)
            status = 0, r.only_arguments = 1;
        else if (strcmp(text, "--version") == 0 && !req->command && !r.group)
            status = take_word(&r, text + 2); /* as every program has it */
        else if (text[1] == '-')
            status = take_long(&r, text + 2);
        else
            status = take_short(&r, text + 1);
        if (status)
            return status;
    }
    return check_request(&r);
}

void request_done(struct request *req) {
    free(req->given);
    ctcd_context_unref(req->ctx);
}

/* ---- asking ---------------------------------------------------------------------------------- */

const char *argument(const struct request *req, size_t index) {
    return index < req->argument_count ? req->arguments[index] : NULL;
}

const char *option_next(const struct request *req, const char *name, size_t *cursor) {
    while (*cursor < req->given_count) {
        const struct given *given = &req->given[(*cursor)++];
        if (given->option && strcmp(given->option->name, name) == 0)
            return given->value;
    }
    return NULL;
}

const char *option(const struct request *req, const char *name) {
    const char *last = NULL;
    size_t cursor = 0;
    for (const char *value; (value = option_next(req, name, &cursor));)
        last = value;
    return last;
}

int option_duration(const struct request *req, const char *name, int64_t *ret_ms) {
    const char *text = option(req, name);
    if (!text || ctcd_duration_parse(text, ret_ms, NULL) == 0)
        return 0;
    return usage_error("write 90, 90s, 10m or 1h30m", "--%s: \"%s\" is no duration", name, text);
}

int option_count(const struct request *req, const char *name, int64_t *ret) {
    const char *text = option(req, name);
    if (!text)
        return 0;
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || value < 1 || value > INT32_MAX)
        return usage_error(NULL, "--%s: \"%s\" is no number from 1 on", name, text);
    *ret = value;
    return 0;
}

int split_pair(const char *name, const char *text, char **ret_key, const char **ret_value) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return usage_error(NULL, "--%s wants name=value, not \"%s\"", name, text);
    *ret_key = text_of("%.*s", (int)(equals - text), text);
    *ret_value = equals + 1;
    return 0;
}
