/* See verdict.h. */
#include "deployers/mlflow/verdict.h"

#include <ctcd/service.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* ---- the state ------------------------------------------------------------------------------------ */

/* The server runs as far as anybody knows. While it loads its model, a probe waits in the backlog of the
   listening socket: before the first ready, silence is a start and not a fault. */
static int probed_state(const struct server_facts *facts) {
    if (facts->probe == SERVER_READY)
        return CTCD_STATE_ACTIVE;
    if (!facts->wanted)
        return CTCD_STATE_PENDING_SHUTDOWN;
    if (!facts->was_ready)
        return facts->crash_loop ? CTCD_STATE_ERROR : CTCD_STATE_PENDING_STARTUP;
    switch (facts->probe) {
    case SERVER_NOT_READY:
        return CTCD_STATE_DEGRADED;
    case SERVER_REFUSES:
        return CTCD_STATE_ERROR;
    default:
        return CTCD_STATE_UNKNOWN;
    }
}

int server_state(const struct server_facts *facts) {
    bool stopped = facts->asked || !facts->wanted;
    switch (facts->child) {
    case CHILD_STARTING:
        return CTCD_STATE_PENDING_STARTUP;
    case CHILD_RUNNING:
        return probed_state(facts);
    case CHILD_ENDING:
        return stopped ? CTCD_STATE_PENDING_SHUTDOWN : CTCD_STATE_ERROR;
    case CHILD_ENDED:
        return stopped ? CTCD_STATE_INACTIVE : CTCD_STATE_ERROR;
    case CHILD_MONITOR_LOST:
        return facts->cleared ? CTCD_STATE_INACTIVE : CTCD_STATE_ERROR;
    case CHILD_NOT_STARTED:
    case CHILD_REBOOTED:
        return CTCD_STATE_INACTIVE;
    }
    return CTCD_STATE_UNKNOWN;
}

bool server_is_final(const struct server_facts *facts) {
    if (facts->child == CHILD_RUNNING)
        return facts->crash_loop && !facts->was_ready && facts->probe != SERVER_READY;
    return facts->child != CHILD_STARTING;
}

/* ---- the log -------------------------------------------------------------------------------------- */

static const char *next_line(const char *line) {
    const char *end = strchr(line, '\n');
    return end && end[1] ? end + 1 : NULL;
}

static size_t line_size(const char *line) {
    return strcspn(line, "\n");
}

const char *log_of_start(const char *log) {
    const char *found = log;
    for (const char *line = log; line; line = next_line(line))
        if (text_starts(line, LOG_START))
            found = line;
    return found;
}

/* multiprocessing introduces a worker's last exception by "Process SpawnProcess-3:". */
static bool is_workers_end(const char *line) {
    return text_starts(line, "Process ") && line[line_size(line) - 1] == ':' &&
           memchr(line, '-', line_size(line));
}

static bool within(const char *line, const char *word) {
    const char *found = strstr(line, word);
    return found && found < line + line_size(line);
}

/* "ValueError: boom", "_pickle.UnpicklingError: ...", "KeyError": a dotted name, then a colon or the end. */
static bool is_exception(const char *line) {
    size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    char after = line[n];
    return n > 2 && (after == ':' || after == '\n' || after == '\0') && line[n - 1] != '.';
}

/* gunicorn: "Worker (pid:12) exited with code 9" (some versions say so twice), "Worker (pid:12) was sent
   SIGSEGV!", "Worker with pid 12 was terminated due to signal 9". 0 = none of these. */
static long gunicorns_worker(const char *line) {
    const char *at = strstr(line, "Worker (pid:"), *with = strstr(line, "Worker with pid ");
    const char *end = line + line_size(line);
    if (at && at < end && (within(at, ") exited with code ") || within(at, ") was sent SIG")))
        return strtol(at + strlen("Worker (pid:"), NULL, 10);
    if (with && with < end && within(with, " was terminated due to signal "))
        return strtol(with + strlen("Worker with pid "), NULL, 10);
    return 0;
}

/* A worker's own last words count once they are complete: several write into one log, line by line. */
size_t log_deaths(const char *log) {
    size_t told = 0, begun = 0, own = 0;
    long last = 0;
    bool traceback = false;
    for (const char *line = log; line && *line; line = next_line(line)) {
        long worker = gunicorns_worker(line);
        told += (within(line, "Child process [") && within(line, "] died")) ||
                (worker && worker != last);
        last = worker ? worker : last;
        begun += is_workers_end(line);
        if (within(line, "Traceback (most recent call last)")) {
            traceback = true;
        } else if (traceback && own < begun && line[0] != ' ' && is_exception(line)) {
            own++;
            traceback = own < begun; /* theirs may be mixed */
        }
    }
    return told > own ? told : own;
}

/* "ERROR:    Error loading ASGI app.", "/usr/bin/python3: No module named uvicorn", and gunicorn's "[2026-...]
   [12] [ERROR] Worker (pid:13) was sent SIGSEGV!". */
static const char *error_line(const char *line) {
    static const char gunicorns[] = "] [ERROR] Worker (pid:";
    const char *at = line[0] == '[' ? strstr(line, gunicorns) : NULL;
    if (at && within(line, gunicorns))
        return strstr(at, "Worker");
    if (text_starts(line, "ERROR:")) {
        line += strlen("ERROR:");
        line += strspn(line, " ");
        return line_size(line) && !text_starts(line, "Traceback") ? line : NULL;
    }
    const char *module = strstr(line, ": No module named ");
    if (line[0] == '/' && module && module < line + line_size(line))
        return module + 2;
    return NULL;
}

int log_exception(const char *log, bool at_end, char **ret) {
    const char *found = NULL, *error = NULL;
    bool traceback = false, after = false; /* something follows what was found */
    for (const char *line = log; line && *line; line = next_line(line)) {
        const char *told = error_line(line);
        if (strstr(line, "Traceback (most recent call last)") && within(line, "Traceback (most")) {
            traceback = true;
        } else if (traceback && line[0] != ' ' && line_size(line) && is_exception(line)) {
            found = line;
            traceback = after = false;
        } else if (told) {
            error = told;
            after = false;
        } else if (line_size(line) && !text_starts(line, "INFO:")) {
            after = true;
        } else if (text_starts(line, "INFO:") && at_end) {
            after = true;
        }
    }
    const char *best = found ? found : error;
    if (!best || (at_end && after))
        return CTCD_NONE;
    size_t size = line_size(best);
    while (size && best[size - 1] == ' ')
        size--;
    return (*ret = mem_copy_bytes(best, size < 500 ? size : 500)) ? 0 : CTCD_E_NOMEM;
}

/* ---- what to do ----------------------------------------------------------------------------------- */

/* The first part of the name after "No module named ", with or without quotes. */
static char *missing_module(const char *cause) {
    const char *name = strstr(cause, "No module named ");
    if (!name)
        return NULL;
    name += strlen("No module named ");
    name += strspn(name, "'\"");
    size_t size = strcspn(name, "'\". \n");
    return size ? mem_copy_bytes(name, size) : NULL;
}

static const struct known_cause {
    const char *word, *hint;
} known_causes[] = {
    {"UntrustedTypesFoundException",
     "save the model with serialization_format=\"cloudpickle\", or name the types in "
     "skops_trusted_types"},
    {"UnpicklingError", "the model's file is damaged or no pickle: save the model again"},
    {"EOFError", "the model's file is not whole: save the model again"},
    {"Can't get attribute", "save the model together with the code that it needs (code_paths)"},
    {"MemoryError", "the model needs more memory than there is: fewer workers may help"},
    {"(SIGKILL)", "it may have been out of memory: see `dmesg`; or somebody killed it"},
    {"was sent SIGKILL", "it may have been out of memory: fewer workers may help; see `dmesg`"},
    {"Address already in use", "end what uses the port"},
    {"PermissionError", "let the user that runs the server read the model"},
    {"could not be run", "check the model deployer's option python"},
};

int cause_hint(const char *cause, const char *python, char **ret) {
    _cleanup_(mem_free_ptr) char *module = missing_module(cause);
    bool no_app = strstr(cause, "Error loading ASGI app") != NULL;
    if (no_app || (module && (text_same(module, "mlflow") || text_same(module, "uvicorn"))))
        *ret = mem_text("install mlflow 2.21 or later for %s, or set the model deployer's option "
                        "python to the Python that has it",
                        python);
    else if (module)
        *ret = mem_text("install %s into the server's environment (%s), or save the model together "
                        "with the code that it needs (code_paths)",
                        module, python);
    else {
        for (size_t i = 0; i < sizeof known_causes / sizeof *known_causes; i++) {
            if (!strstr(cause, known_causes[i].word))
                continue;
            return (*ret = mem_copy_text(known_causes[i].hint)) ? 0 : CTCD_E_NOMEM;
        }
        return CTCD_NONE;
    }
    return *ret ? 0 : CTCD_E_NOMEM;
}

char *end_in_words(const struct child_status *child) {
    char text[256];
    const char *name = child->signal && !child->os_errno ? sigabbrev_np(child->signal) : NULL;
    if (name)
        return mem_text("its server was killed by signal %d (SIG%s%s)", child->signal, name,
                        child->core ? ", core dumped" : "");
    child_describe_end(child, text, sizeof text);
    return mem_text("its server %s", text);
}
