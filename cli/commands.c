/* The table of commands: parsing, help and near misses come from it and from nowhere else. A new command
   is a row here and a handler in the file of its group. */
#include "command.h"

const struct option_spec global_options[] = {
    {"home", 0, "DIR", "where all is kept (else $CTCD_HOME, else the user's state folder)"},
    {"output", 'o', "table|json|yaml|name", "how to print (name: just what names it, one a line)"},
    {"verbose", 'v', NULL, "say on standard error what is being done"},
    {"help", 'h', NULL, "this"},
    {0},
};

const struct group groups[] = {
    {"model-deployer", "where models are served: registered, configured back ends"},
    {"artifact-store", "where outputs of steps are kept"},
    {"orchestrator", "what carries runs out"},
    {"metadata-store", "where runs are recorded"},
    {"stack", "named sets of components; one is active"},
    {"served-models", "the model servers (also: model-deployer models)"},
    {"pipeline", "pipeline files: checking and running them"},
    {"run", "what has run"},
    {"schedule", "when pipelines run"},
    {0},
};

static const struct option_spec register_options[] = {
    {"flavor", 'f', "FLAVOR", "kind of back end (also: --type)"},
    {"type", 0, "FLAVOR", "the same"},
    {0},
};

static const struct option_spec update_options[] = {
    {"unset", 0, "OPTION", "take an option back; may be repeated"},
    {0},
};

static const struct option_spec stack_update_options[] = {
    {"metadata-store", 'm', "NAME", "another one"},
    {"artifact-store", 'a', "NAME", "another one"},
    {"orchestrator", 'o', "NAME", "another one (here -o is not --output)"},
    {"model-deployer", 'd', "NAME", "another one"},
    {0},
};

static const struct option_spec export_options[] = {
    {"file", 'f', "FILE", "instead of standard output"},
    {0},
};

static const struct option_spec import_options[] = {
    {"name", 0, "NAME", "what to call it; default: as the file does"},
    {0},
};

static const struct option_spec stack_options[] = {
    {"metadata-store", 'm', "NAME", "required"},
    {"artifact-store", 'a', "NAME", "required"},
    {"orchestrator", 'o', "NAME", "required (here -o is not --output)"},
    {"model-deployer", 'd', "NAME", "where deploy steps and `ctcd deploy` go"},
    {"set", 0, NULL, "make it the active one, too"},
    {0},
};

/* Which services? The four together are a service's identity. */
/* clang-format off */
#define IDENTITY_OPTIONS                                                                           \
    {"deployer", 'd', "NAME", "model deployer"},                                                   \
    {"pipeline", 'p', "NAME", "pipeline"},                                                         \
    {"step", 's', "NAME", "step that deploys"},                                                    \
    {"model-name", 'm', "NAME", "model (also: --model)"},                                          \
    {"model", 0, "NAME", "the same"}

#define WAIT_OPTIONS                                                                               \
    {"timeout", 't', "TIME", "at most so long; 0 = do not wait"},                                  \
    {"wait", 0, NULL, "wait for the end (the default)"},                                           \
    {"no-wait", 0, NULL, "start and return, like --timeout 0"}
/* clang-format on */

static const struct option_spec served_list_options[] = {
    IDENTITY_OPTIONS,
    {"uuid", 0, "UUID", "only those whose UUID begins so"},
    {"state", 0, "inactive|pending_startup|active|degraded|pending_shutdown|error|unknown",
     "only these; repeatable"},
    {"running", 0, NULL, "only those that answer: active or degraded"},
    {"limit", 0, "N", "at most so many, newest first"},
    {"after", 0, "UUID", "only what comes after this one: the next page"},
    {"timeout", 't', "TIME", "how long servers may take to answer; default 5s"},
    {0},
};

static const struct option_spec look_options[] = {
    {"timeout", 't', "TIME", "how long the server may take to answer; default 5s"},
    {0},
};

static const struct option_spec change_options[] = {WAIT_OPTIONS, {0}};

static const struct option_spec delete_options[] = {
    WAIT_OPTIONS,
    {"force", 0, NULL, "kill instead of letting open requests finish; forget it in any case"},
    {0},
};

static const struct option_spec log_options[] = {
    {"lines", 'n', "N", "how many of the last lines; default 100 (also: --tail)"},
    {"tail", 0, "N", "the same"},
    {"follow", 'f', NULL, "and what comes, until it is deleted, or a signal"},
    {0},
};

static const struct option_spec run_log_options[] = {
    {"step", 's', "NAME", "default: the last step that printed anything"},
    {"lines", 'n', "N", "how many of the last lines; default 100 (also: --tail)"},
    {"tail", 0, "N", "the same"},
    {"follow", 'f', NULL, "and what comes, until the run has ended, or a signal"},
    {0},
};

static const struct option_spec deploy_options[] = {
    IDENTITY_OPTIONS,
    {"option", 0, "NAME=VALUE", "an option of the back end; may be repeated"},
    {"metrics", 0, "JSON", "numbers to record, the baseline of later decisions; @FILE reads them"},
    {"smoke", 0, "FILE", "a request that the new revision must answer before the switch"},
    {"min-ready", 0, "TIME", "how long it must have been ready before the switch; default 2s"},
    {"on-failure", 0, "rollback|leave", "what becomes of a new revision that fails"},
    {"restart", 0, "never|on-failure|always",
     "does `ctcd daemon` start it again when it has ended?"},
    {"no-replace", 0, NULL, "leave a running service of the same identity alone"},
    {"dry-run", 0, NULL, "only check all that can be refused before anything starts"},
    WAIT_OPTIONS,
    {0},
};

static const struct option_spec predict_options[] = {
    IDENTITY_OPTIONS,
    {"input", 'i', "FILE", "the request; - = standard input, the default"},
    {"data", 0, "TEXT", "the request itself"},
    {"content-type", 0, "application/json|text/csv", "default: JSON, and CSV for a FILE.csv"},
    {"timeout", 't', "TIME", "default 60s"},
    {0},
};

static const struct option_spec pipeline_run_options[] = {
    {"param", 0, "NAME=VALUE", "sets a parameter that the file declares; may be repeated"},
    {"jobs", 'j', "N",
     "at most so many independent steps side by side; default: jobs of the file, or 1"},
    {"timeout", 't', "TIME", "the run is cancelled after that; default 24h"},
    {0},
};

static const struct option_spec run_cancel_options[] = {
    {"timeout", 't', "TIME", "at most so long; 0 = do not wait; default 60s"},
    {"wait", 0, NULL, "wait until it has ended (the default)"},
    {"no-wait", 0, NULL, "ask and return, like --timeout 0"},
    {0},
};

static const struct option_spec run_retry_options[] = {
    {"timeout", 't', "TIME", "the run is cancelled after that; default 24h"},
    {0},
};

static const struct option_spec param_options[] = {
    {"param", 0, "NAME=VALUE", "sets a parameter that the file declares; may be repeated"},
    {0},
};

static const struct option_spec run_list_options[] = {
    {"pipeline", 'p', "NAME", "only runs of this pipeline"},
    {"schedule", 's', "NAME", "only runs of this schedule"},
    {"limit", 'n', "N", "at most so many, newest first; default 50"},
    {0},
};

static const struct option_spec create_options[] = {
    {"name", 0, "NAME", "default: the pipeline's name"},
    {"param", 0, "NAME=VALUE", "sets a parameter that the file declares; may be repeated"},
    {0},
};

static const struct option_spec doctor_options[] = {
    {"fix", 0, NULL, "mend what can be mended"},
    {"timeout", 't', "TIME", "of each operation that is resumed; default 5m"},
    {0},
};

static const struct option_spec restore_options[] = {
    {"force", 0, NULL, "in the place of the store that is there"},
    {0},
};

static const struct option_spec gc_options[] = {
    {"dry-run", 0, NULL, "only say what would go"},
    {"keep-runs", 0, "N", "of each pipeline the newest N ended runs stay; default: all"},
    {"older-than", 0, "TIME", "only runs that ended so long ago go: 30d"},
    {"keep-events", 0, "TIME", "older events go; default: all stay"},
    {0},
};

static const struct option_spec next_options[] = {
    {"cron", 0, "EXPRESSION", "minute hour day month weekday, or @daily ..."},
    {"timezone", 0, "ZONE", "IANA name, as Europe/Paris; default: UTC"},
    {"dialect", 0, "vixie|robfig|cronos", "day rule and changes of the clock; default: vixie"},
    {"seconds", 0, NULL, "the expression has a field of seconds in front"},
    {"year", 0, NULL, "the expression has a field of years behind"},
    {"interval", 0, "TIME", "60s, 15m, 24h: fires at start + k * interval"},
    {"start", 0, "WHEN",
     "first instant; an interval's default: --after, which is then no fire itself"},
    {"end", 0, "WHEN", "the fires are before it; +10m = so long after the start"},
    {"after", 0, "WHEN", "only later ones; default: from the start on, without one: now"},
    {"count", 'n', "N", "default: all up to the end, without one 10"},
    {"batch", 0, NULL, "answer lines of standard input instead; see above"},
    {0},
};

static const struct option_spec daemon_options[] = {
    {"until-idle", 0, NULL, "end when no fire can come any more and no run is left"},
    {0},
};

static const struct option_spec events_options[] = {
    {"follow", 'f', NULL, "go on with what happens from now on, until a signal"},
    {"service", 's', "UUID", "only what happened to this service; also to a deleted one"},
    {"run", 'r', "RUN", "only what happened in this run, and through it to services"},
    {"limit", 'n', "N", "at most so many, the newest; default 50, with --follow 10"},
    {0},
};

static const struct option_spec report_options[] = {
    {"output", 'o', "FILE", "where it goes; - = standard output, the default"},
    {"pipeline", 'p', "NAME", "only runs and services of this pipeline"},
    {"limit", 'n', "N", "at most so many runs, the newest; default 200"},
    {"timeout", 't', "TIME", "how long servers may take to answer; default 5s"},
    {0},
};

static const struct option_spec metrics_options[] = {
    {"output", 'o', "FILE", "where they go; - = standard output, the default"},
    {"timeout", 't', "TIME", "how long servers may take to answer; default 5s"},
    {0},
};

static const struct option_spec decide_options[] = {
    {"rule", 0, "JSON",
     "{\"metric\": \"accuracy\", \"threshold\": 0.9, \"min_absolute_change\": 0.002}"},
    {"candidate", 0, "JSON", "{\"accuracy\": 0.93}; @FILE reads it, @- from standard input"},
    {"incumbent", 0, "JSON", "metrics of what serves now (or @FILE); without it nothing serves"},
    IDENTITY_OPTIONS,
    {0},
};

#define UNKNOWN_IS_7 "Ends with 7 where a server or a deployer could not be asked (state unknown)."
#define UUID_HELP "UUID may be cut to the first digits that only one service has, at least four."

/* The same four commands for each type of component. */
/* clang-format off */
#define COMPONENT_COMMANDS(word, component_type, example)                                          \
    {.group = word, .verb = "register", .arguments = "NAME", .type = component_type,               \
     .summary = "makes one known under a name", .options = register_options,                       \
     .run = cmd_component_register, .flags = COMMAND_FLAVORED,                                         \
     .examples = "ctcd " word " register " example},                                               \
    {.group = word, .verb = "list", .type = component_type,                                        \
     .summary = "all registered ones", .run = cmd_component_list, .flags = COMMAND_READS},             \
    {.group = word, .verb = "describe", .arguments = "[NAME]", .type = component_type,             \
     .summary = "one with its options; default: the active stack's",                               \
     .run = cmd_component_describe, .flags = COMMAND_READS},                                           \
    {.group = word, .verb = "update", .arguments = "NAME", .type = component_type,                 \
     .summary = "changes its options; what runs is not touched", .options = update_options,        \
     .run = cmd_component_update, .flags = COMMAND_FLAVORED},                                      \
    {.group = word, .verb = "delete", .arguments = "NAME", .type = component_type,                 \
     .summary = "forgets one that nothing uses", .run = cmd_component_delete}
/* clang-format on */

const struct command commands[] = {
    COMPONENT_COMMANDS("model-deployer", CTCD_COMPONENT_MODEL_DEPLOYER, "ml --flavor=mlflow"),
    COMPONENT_COMMANDS("artifact-store", CTCD_COMPONENT_ARTIFACT_STORE, "aws --flavor=local"),
    COMPONENT_COMMANDS("orchestrator", CTCD_COMPONENT_ORCHESTRATOR, "here --flavor=local"),
    COMPONENT_COMMANDS("metadata-store", CTCD_COMPONENT_METADATA_STORE, "records --flavor=sqlite"),

    {.group = "stack",
     .verb = "register",
     .arguments = "NAME",
     .summary = "puts components together; does not make them active",
     .options = stack_options,
     .run = cmd_stack_register,
     .examples = "ctcd stack register serving -m default -a default -o default -d ml --set"},
    {.group = "stack",
     .verb = "update",
     .arguments = "NAME",
     .summary = "gives a stack other components",
     .options = stack_update_options,
     .run = cmd_stack_update,
     .examples = "ctcd stack update serving -d ml"},
    {.group = "stack",
     .verb = "delete",
     .arguments = "NAME",
     .summary = "forgets one that is not active; its components stay",
     .run = cmd_stack_delete},
    {.group = "stack",
     .verb = "export",
     .arguments = "[NAME]",
     .summary = "a stack with its components as YAML; default: the active one",
     .options = export_options,
     .run = cmd_stack_export,
     .flags = COMMAND_READS | COMMAND_TEXT,
     .more = "Secrets are options by reference only, so none is in it.",
     .examples = "ctcd stack export serving --file serving.yaml"},
    {.group = "stack",
     .verb = "import",
     .arguments = "FILE",
     .summary = "registers what `stack export` wrote; - is standard input",
     .options = import_options,
     .run = cmd_stack_import,
     .more =
         "All of it or nothing. A component that is there already is used if it is just the same."},
    {.group = "stack",
     .verb = "set",
     .arguments = "NAME",
     .summary = "makes a stack the active one",
     .run = cmd_stack_set},
    {.group = "stack",
     .verb = "list",
     .summary = "all stacks",
     .run = cmd_stack_list,
     .flags = COMMAND_READS},
    {.group = "stack",
     .verb = "describe",
     .arguments = "[NAME]",
     .summary = "the components of a stack; default: the active one",
     .run = cmd_stack_describe,
     .flags = COMMAND_READS},

    {.group = "served-models",
     .verb = "list",
     .summary = "all model servers and how they are now",
     .options = served_list_options,
     .run = cmd_served_list,
     .flags = COMMAND_READS,
     .more = UNKNOWN_IS_7,
     .examples = "ctcd served-models list --pipeline digits"},
    {.group = "served-models",
     .verb = "describe",
     .arguments = "UUID",
     .summary = "everything about one",
     .options = look_options,
     .run = cmd_served_describe,
     .flags = COMMAND_READS,
     .more = UUID_HELP},
    {.group = "served-models",
     .verb = "get-url",
     .arguments = "UUID",
     .summary = "where it takes predictions",
     .run = cmd_served_get_url,
     .flags = COMMAND_READS,
     .more = UUID_HELP,
     .examples = "curl -d @request.json $(ctcd served-models get-url 8cbe)"},
    {.group = "served-models",
     .verb = "start",
     .arguments = "UUID",
     .summary = "starts it, also after a crash",
     .options = change_options,
     .run = cmd_served_start,
     .more = UUID_HELP},
    {.group = "served-models",
     .verb = "stop",
     .arguments = "UUID",
     .summary = "stops it; it stays listed and can be started",
     .options = change_options,
     .run = cmd_served_stop,
     .more = UUID_HELP},
    {.group = "served-models",
     .verb = "delete",
     .arguments = "UUID",
     .summary = "stops and forgets it",
     .options = delete_options,
     .run = cmd_served_delete,
     .more = UUID_HELP},
    {.group = "served-models",
     .verb = "logs",
     .arguments = "UUID",
     .summary = "the last lines that the server wrote",
     .options = log_options,
     .run = cmd_served_logs,
     .flags = COMMAND_READS | COMMAND_TEXT,
     .more = UUID_HELP},

    {.verb = "deploy",
     .arguments = "MODEL_URI",
     .summary = "serves a model, in place of the one of the same identity",
     .options = deploy_options,
     .run = cmd_deploy,
     .more = "What served before goes on answering until the new revision has proven itself.",
     .examples = "ctcd deploy ./model --model-name digits --option workers=2 --metrics "
                 "'{\"accuracy\": 0.94}'"},
    {.verb = "predict",
     .arguments = "[UUID]",
     .summary = "sends one request to a served model",
     .options = predict_options,
     .run = cmd_predict,
     .flags = COMMAND_READS | COMMAND_TEXT,
     .more = "The request is a complete body (instances, inputs, dataframe_split, "
             "dataframe_records) or\n"
             "just rows: [[1, 2], [3, 4]] or [{\"a\": 1}]; or CSV with a line of column names.\n"
             "The answer is the server's JSON; a bare NaN or Infinity of Python's is printed as a "
             "text.",
     .examples =
         "ctcd predict --model-name digits --data '[[0, 5, 9]]'\nctcd predict 8cbe <request.json\n"
         "ctcd predict 8cbe --input rows.csv"},
    {.verb = "decide",
     .summary = "would a candidate replace the incumbent?",
     .options = decide_options,
     .run = cmd_decide,
     .flags = COMMAND_NO_HOME | COMMAND_ANSWERS,
     .more =
         "Ends with 0 for promote, with 1 for reject and inconclusive; whatever is wrong is "
         "another status.\n"
         "With --model-name the incumbent is what that identity serves, with the metrics that its\n"
         "deploy recorded (`ctcd deploy --metrics`).",
     .examples = "ctcd decide --rule '{\"metric\": \"f1\", \"threshold\": 0.8}' --candidate "
                 "'{\"f1\": 0.83}'\n"
                 "ctcd decide --rule @rule.json --candidate @metrics.json --model-name digits"},

    {.group = "pipeline",
     .verb = "run",
     .arguments = "FILE",
     .summary = "runs a pipeline once, now",
     .options = pipeline_run_options,
     .run = cmd_pipeline_run,
     .examples = "ctcd pipeline run digits.yaml --param seed=7"},
    {.group = "pipeline",
     .verb = "validate",
     .arguments = "FILE",
     .summary = "says whether a pipeline file is right",
     .options = param_options,
     .run = cmd_pipeline_validate,
     .flags = COMMAND_NO_HOME},
    {.group = "pipeline",
     .verb = "describe",
     .arguments = "FILE",
     .summary = "the steps of a pipeline file in the order in which they run",
     .options = param_options,
     .run = cmd_pipeline_describe,
     .flags = COMMAND_NO_HOME},
    {.group = "pipeline",
     .verb = "list",
     .summary = "pipelines that have run or have a schedule",
     .run = cmd_pipeline_list,
     .flags = COMMAND_READS},

    {.group = "run",
     .verb = "list",
     .summary = "runs, newest first",
     .options = run_list_options,
     .run = cmd_run_list,
     .flags = COMMAND_READS},
    {.group = "run",
     .verb = "describe",
     .arguments = "RUN",
     .summary = "a run and its steps, by name or UUID",
     .run = cmd_run_describe,
     .flags = COMMAND_READS},
    {.group = "run",
     .verb = "logs",
     .arguments = "RUN",
     .summary = "the last lines that a step printed",
     .options = run_log_options,
     .run = cmd_run_logs,
     .flags = COMMAND_READS | COMMAND_TEXT,
     .examples = "ctcd run logs 5be1 --step train"},
    {.group = "run",
     .verb = "cancel",
     .arguments = "RUN",
     .summary = "ends a run that has not ended, whoever carries it out",
     .options = run_cancel_options,
     .run = cmd_run_cancel,
     .more = "Its steps are asked to end, and killed after 5 s."},
    {.group = "run",
     .verb = "retry",
     .arguments = "RUN",
     .summary = "goes on with a failed or canceled run",
     .options = run_retry_options,
     .run = cmd_run_retry,
     .more = "What has completed is not done again; all other steps are, in the same run."},

    {.group = "schedule",
     .verb = "create",
     .arguments = "FILE",
     .summary = "stores a pipeline file with its schedule",
     .options = create_options,
     .run = cmd_schedule_create,
     .more = "A running `ctcd daemon` fires it.",
     .examples = "ctcd schedule create digits.yaml"},
    {.group = "schedule",
     .verb = "list",
     .summary = "all schedules",
     .run = cmd_schedule_list,
     .flags = COMMAND_READS},
    {.group = "schedule",
     .verb = "describe",
     .arguments = "NAME",
     .summary = "everything about one",
     .run = cmd_schedule_describe,
     .flags = COMMAND_READS},
    {.group = "schedule",
     .verb = "delete",
     .arguments = "NAME",
     .summary = "removes it; its runs stay",
     .run = cmd_schedule_delete},
    {.group = "schedule",
     .verb = "next",
     .summary = "when a schedule would fire, one instant a line",
     .options = next_options,
     .run = cmd_schedule_next,
     .flags = COMMAND_NO_HOME | COMMAND_TEXT,
     .more =
         "WHEN is 2026-01-01T00:00:00Z, now, or +10m. Dialects: vixie = day or weekday, but both "
         "where one\n"
         "begins with *; what a change of the clock leaves out runs at its end, what comes "
         "twice runs once.\n"
         "robfig (Kubernetes) = what is left out does not run, what comes twice runs twice. "
         "cronos (.NET) = day\n"
         "and weekday.\n"
         "--batch reads EXPRESSION, ZONE, AFTER, COUNT, DIALECT, with a TAB between, all but the "
         "first may be\n"
         "empty or missing. Each line becomes one: instants with blanks between, never, or "
         "error: and why.",
     .examples = "ctcd schedule next --interval 60s --start now --end +10m\n"
                 "ctcd schedule next --cron '30 2 * * mon-fri' --timezone Europe/Paris -n 5"},
    {.verb = "daemon",
     .summary = "fires schedules and carries out their runs, in the foreground",
     .options = daemon_options,
     .run = cmd_daemon,
     .flags = COMMAND_TEXT,
     .more = "SIGTERM or Ctrl-C ends it: the run of the moment is cancelled. That is its regular "
             "end (0),\n"
             "but with --until-idle it came too early (143 or 130).",
     .examples = "ctcd daemon\nctcd daemon --until-idle"},
    {.verb = "events",
     .summary = "what has happened: runs, decisions, deploys, crashes, dropped fires",
     .options = events_options,
     .run = cmd_events,
     .flags = COMMAND_READS,
     .more = "With --follow and -o json: one JSON object a line. A signal is its regular end (0).",
     .examples = "ctcd events --follow\nctcd events --service 8cbe -o json"},
    {.verb = "report",
     .summary = "one HTML page: services, metrics over time, runs with reasons, schedules, events",
     .options = report_options,
     .run = cmd_report,
     .flags = COMMAND_READS,
     .more =
         "The page needs nothing but itself, no script and no network. A FILE is there whole or "
         "not at all.",
     .examples = "ctcd report --output report.html"},
    {.verb = "metrics",
     .summary = "services, runs, decisions and dropped fires in numbers, as Prometheus reads them",
     .options = metrics_options,
     .run = cmd_metrics,
     .flags = COMMAND_READS,
     .more =
         "For the textfile collector of the node exporter. A FILE is there whole or not at all.",
     .examples = "ctcd metrics --output /var/lib/node_exporter/ctcd.prom"},
    {.verb = "doctor",
     .summary = "what is wrong with the home; --fix mends it",
     .options = doctor_options,
     .run = cmd_doctor,
     .flags = COMMAND_READS | COMMAND_NO_HOME,
     .more =
         "Ends with 0 for a healthy home, else with 1. Nothing is changed without --fix; with it, "
         "operations\n"
         "that died are resumed or undone, processes that belong to nothing are killed, and "
         "permissions\n"
         "mended: then it ends with 1 only where something is left.",
     .examples = "ctcd doctor\nctcd doctor --fix"},
    {.verb = "backup",
     .arguments = "FILE",
     .summary = "copies all records into one file, also while others work",
     .run = cmd_backup,
     .flags = COMMAND_READS | COMMAND_TEXT,
     .more = "Schedules, runs, decisions, services, components and events are in it; models (also "
             "downloaded ones),\n"
             "run folders with their artifacts, and logs are not.",
     .examples = "ctcd backup /backups/ctcd.db"},
    {.verb = "restore",
     .arguments = "FILE",
     .summary = "makes a home from a backup",
     .options = restore_options,
     .run = cmd_restore,
     .flags = COMMAND_NO_HOME | COMMAND_TEXT,
     .more =
         "Nobody may use the home. Services come back stopped, runs that were not over are "
         "abandoned;\n"
         "schedules go on with the next daemon, so the home that was backed up should have none.",
     .examples = "ctcd restore /backups/ctcd.db --home /srv/ctcd"},
    {.verb = "gc",
     .summary = "removes what is not needed any more, and says how much that was",
     .options = gc_options,
     .run = cmd_gc,
     .flags = COMMAND_READS,
     .more =
         "Always: folders that no record knows, logs of deleted services and of revisions that "
         "were taken\n"
         "down, copies of models that nothing serves. A run that serves, or whose files are still "
         "used, stays.",
     .examples = "ctcd gc --dry-run --keep-runs 20\nctcd gc --older-than 30d --keep-events 90d"},
    {.verb = "completion",
     .arguments = "bash|zsh|fish",
     .summary = "a script that lets a shell complete ctcd's command lines",
     .run = cmd_completion,
     .flags = COMMAND_NO_HOME | COMMAND_TEXT,
     .more = "Names and UUIDs are asked from ctcd when the key is pressed.",
     .examples = "source <(ctcd completion bash)\nctcd completion fish | source"},
    {.verb = "version",
     .summary = "the version",
     .run = cmd_version,
     .flags = COMMAND_NO_HOME | COMMAND_TEXT},
    {.verb = "help",
     .arguments = "[COMMAND] [VERB]",
     .summary = "explains a command",
     .run = cmd_help,
     .flags = COMMAND_NO_HOME | COMMAND_TEXT,
     .examples = "ctcd help served-models delete"},
    {0},
};
