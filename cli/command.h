/* What a command is and what it gets: the one table (commands.c), the parsed command line (parse.c) and
   the help made from both (help.c). Included by every file of the command. */
#ifndef CTCD_CLI_COMMAND_H
#define CTCD_CLI_COMMAND_H

#include <ctcd/ctcd.h>

struct request;

/* Hyphens and underscores in names are the same. The table ends with a NULL name. */
struct option_spec {
    const char *name;
    char letter;       /* 0 = none */
    const char *value; /* NULL = a switch; "NAME"; "a|b|c" = one of these */
    const char *help;
};

#define COMMAND_READS                                                                              \
    0x1u /* changes nothing: does not make a home that was named but is not there */
#define COMMAND_NO_HOME 0x2u  /* needs none */
#define COMMAND_TEXT 0x4u     /* prints one kind of text: no --output */
#define COMMAND_FLAVORED 0x8u /* takes the options of a component's flavor, too */
#define COMMAND_ANSWERS                                                                            \
    0x10u /* its exit code 1 is an answer: what goes wrong ends with another one */

struct command {
    const char *group;     /* NULL = stands alone */
    const char *verb;      /* NULL = end of the table */
    const char *arguments; /* "NAME [FILE]": what has brackets may be left out */
    const char *summary;
    const struct option_spec *options; /* may be NULL; the global ones come besides */
    /* 0 or an exit code, having said why; or CTCD_E_* with *err, which main() reports. */
    int (*run)(struct request *req, ctcd_error **err);
    unsigned flags;       /* COMMAND_* */
    int type;             /* CTCD_COMPONENT_* for commands that several types share */
    const char *more;     /* further help, or NULL */
    const char *examples; /* one a line */
};

struct group {
    const char *name; /* NULL = end of the table */
    const char *summary;
};

extern const struct command commands[];
extern const struct group groups[];
extern const struct option_spec global_options[];

struct given {
    const struct option_spec *option; /* NULL = an option of the flavor */
    const char *name;                 /* as typed, without the hyphens before it and the value */
    const char *value;                /* "" for a switch */
};

#define ARGUMENTS_MAX 2

/* One command line. Texts are those of argv. */
struct request {
    const struct command *command; /* NULL = only help was asked for */
    const char *help_group;        /* group whose help is wanted, NULL = all */
    int help;                      /* 1 = print help instead of running */
    const char *arguments[ARGUMENTS_MAX];
    size_t argument_count;
    struct given *given; /* owned */
    size_t given_count;
    ctcd_context *ctx; /* opened by main() */
};

/* parse.c: 0, or an exit code after saying what is wrong. */
int request_parse(struct request *req, int argc, char **argv);
void request_done(struct request *req);
/* "ctcd stack register"; owned. NULL = "ctcd". */
char *command_words(const struct command *command);

/* The argument or option's last value; NULL = not given. */
const char *argument(const struct request *req, size_t index);
const char *option(const struct request *req, const char *name);
/* Values of an option that may be repeated, one after the other: start with *cursor = 0; NULL = no more. */
const char *option_next(const struct request *req, const char *name, size_t *cursor);
/* Typed ones. *ret keeps its value where the option was not given. 0, or an exit code after a message. */
int option_duration(const struct request *req, const char *name, int64_t *ret_ms);
int option_count(const struct request *req, const char *name, int64_t *ret);
/* Splits "key=value": *ret_key is owned (free), the value is what was passed in. Likewise. */
int split_pair(const char *name, const char *text, char **ret_key, const char **ret_value);

/* The word most like `word`, or NULL when none is near. Hyphens and underscores are the same. */
const char *nearest(const char *word, const char *const *words, size_t count);
int same_word(const char *a, const char *b);

/* help.c */
void help_print(const struct request *req);

/* Shared by commands. served.c: services by the identity options; its model; --timeout and --no-wait;
   --lines; one in the wanted format. */
int find_services(struct request *req, ctcd_list **ret_list, ctcd_error **err);
const char *model_option(const struct request *req);
/* All services that the identity options name, looked at now; asked anew where one is deleted meanwhile. */
int look_at_services(struct request *req, ctcd_list **ret_statuses, ctcd_error **err);
int wait_time(const struct request *req, int64_t *ret_ms);
int line_count(const struct request *req, int64_t *ret);
int print_service_record(struct request *req, const ctcd_service *service, ctcd_error **err);
/* predict.c: reads a file, "-" = standard input, up to 16 MiB. Owned; NULL after a message, then
   *ret_status is set. */
char *read_input(const char *path, int *ret_status);
/* An option's JSON: as it stands, or of the file behind an @. Owned; NULL = not given, or after a message. */
char *json_option(const struct request *req, const char *name, int *ret_status);
/* pipeline.c: FILE with --param; run.c: a run and its steps. */
int load_pipeline(struct request *req, ctcd_pipeline **ret_pipeline, ctcd_error **err);
int print_run(struct request *req, const ctcd_run *run, ctcd_error **err);

/* follow.c: the last lines of a log, and what comes, until it ends or a signal. */
int follow_service(ctcd_service *service, int64_t lines, ctcd_error **err);
int follow_run(struct request *req, ctcd_run *run, int64_t lines, ctcd_error **err);

/* "model deployer": a component type in words. */
const char *type_words(int type);

/* The handlers, each in the file of its group. */
typedef int command_fn(struct request *req, ctcd_error **err);
command_fn cmd_help, cmd_version;
command_fn cmd_component_register, cmd_component_list, cmd_component_describe, cmd_component_update,
    cmd_component_delete;
command_fn cmd_stack_register, cmd_stack_update, cmd_stack_delete, cmd_stack_export,
    cmd_stack_import, cmd_stack_set, cmd_stack_list, cmd_stack_describe;
command_fn cmd_served_list, cmd_served_describe, cmd_served_get_url, cmd_served_start,
    cmd_served_stop, cmd_served_delete, cmd_served_logs;
command_fn cmd_deploy, cmd_predict, cmd_decide;
command_fn cmd_pipeline_run, cmd_pipeline_validate, cmd_pipeline_describe, cmd_pipeline_list;
command_fn cmd_run_list, cmd_run_describe, cmd_run_logs, cmd_run_cancel, cmd_run_retry;
command_fn cmd_schedule_create, cmd_schedule_list, cmd_schedule_describe, cmd_schedule_delete,
    cmd_schedule_next;
command_fn cmd_doctor, cmd_backup, cmd_restore, cmd_gc;
command_fn cmd_daemon, cmd_events, cmd_completion, cmd_report, cmd_metrics;

#endif
