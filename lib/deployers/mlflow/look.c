/* observe: how the child is, then whether it answers. While a server loads its model, one request waits
   in the backlog of its socket, so that its first answer is seen at once, and its end, too. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/time.h"
#include "deployers/mlflow/exchange.h"
#include "deployers/mlflow/verdict.h"
#include "io/file.h"
#include "io/log.h"

#define PENDING_MS 1000   /* a look at a server that is coming up waits so long */
#define CRASH_LOOK_MS 250 /* between looks at the log for workers that die */
#define CRASH_DEATHS 2    /* so many dead workers before the first ready are a crash loop */
#define END_LOOK_MS 20    /* between looks for an end that a cut connection announces */
#define END_LOOKS 15      /* so many */
#define ANSWER_MAX 65536
#define LOG_ALL 100000 /* lines: as much as a tail may hold */

struct look {
    const struct mlflow *backend;
    const ctcd_revision *revision;
    struct exchange ping;
    bool begun, watches_end, asked_twice;
    int end_fd; /* the shim's, where watches_end */
    int end_looks;
    struct child_status child;
    struct server_facts facts;
    int http_status;
    char *log; /* of this start, once it was read */
};

static void look_done(void *memory) {
    struct look *look = memory;
    exchange_drop(&look->ping);
    if (look->watches_end)
        (void)close(look->end_fd);
    mem_free(look->log);
}

static int64_t workers(const struct look *look) {
    return ctcd_options_number(ctcd_revision_options(look->revision), "workers");
}

/* The log from this start on; "" where it cannot be read. */
static int read_log(struct look *look) {
    _cleanup_(mem_free_ptr) char *path = mlflow_file(look->revision, "log");
    _cleanup_(mem_free_ptr) char *all = NULL;
    mem_free(look->log);
    look->log = NULL;
    if (!path)
        return CTCD_E_NOMEM;
    if (log_last_lines(path, LOG_ALL, LOG_TAIL_BYTES, &all, NULL) == CTCD_E_NOMEM)
        return CTCD_E_NOMEM;
    look->log = mem_copy_text(all ? log_of_start(all) : "");
    return look->log ? 0 : CTCD_E_NOMEM;
}

/* ---- telling -------------------------------------------------------------------------------------- */

static const char *plain_message(const struct look *look, int state) {
    const struct server_facts *f = &look->facts;
    switch (state) {
    case CTCD_STATE_ACTIVE:
        return "its server answers";
    case CTCD_STATE_PENDING_STARTUP:
        return f->child == CHILD_STARTING ? "its server is being started"
                                          : "its server is loading the model";
    case CTCD_STATE_PENDING_SHUTDOWN:
        return "its server is finishing open requests";
    case CTCD_STATE_UNKNOWN:
        return "its server runs, but does not answer in time";
    case CTCD_STATE_INACTIVE:
        return f->child == CHILD_REBOOTED      ? "stopped by a restart of the machine"
               : f->child == CHILD_NOT_STARTED ? "not started"
                                               : "stopped";
    default:
        return "";
    }
}

/* "its server ended with exit status 1", without what the log adds. Owned. */
static char *fault(const struct look *look, int state) {
    if (state == CTCD_STATE_DEGRADED && look->http_status)
        return mem_text("its server answers /ping with status %d", look->http_status);
    if (state == CTCD_STATE_DEGRADED)
        return mem_copy_text("its server's answer to /ping is not HTTP");
    switch (look->facts.child) {
    case CHILD_MONITOR_LOST:
        return mem_copy_text("monitor lost: the process that watches its server was killed; what "
                             "it left may still run");
    case CHILD_RUNNING:
        return mem_copy_text(look->facts.crash_loop
                                 ? "its server's workers die while they load the model"
                                 : "its server runs, but refuses connections");
    default:
        return end_in_words(&look->child);
    }
}

/* Does the log tell why? A server that was killed from outside has nothing to say about it. */
static bool log_knows(const struct look *look) {
    bool ended = look->facts.child == CHILD_ENDED || look->facts.child == CHILD_ENDING;
    return look->facts.crash_loop ||
           (ended && (look->child.exit_status > 0 || look->child.signal == SIGABRT));
}

static int hint_for(const struct look *look, const char *cause, char **ret) {
    const char *folder = ctcd_options_text(ctcd_revision_options(look->revision), "virtualenv");
    _cleanup_(mem_free_ptr) char *python = folder ? path_join(folder, "bin/python") : NULL;
    return folder && !python ? CTCD_E_NOMEM
                             : cause_hint(cause, python ? python : look->backend->python, ret);
}

static int tell_error(struct look *look, ctcd_observation *out, const char *said) {
    _cleanup_(mem_free_ptr) char *exception = NULL;
    _cleanup_(mem_free_ptr) char *cause = NULL;
    _cleanup_(mem_free_ptr) char *hint = NULL;
    _cleanup_(mem_free_ptr) char *tail = NULL;
    int rc = read_log(look); /* anew: it may have said why since it was looked for crashes */
    if (!rc && log_knows(look))
        rc = log_exception(look->log, look->facts.was_ready, &exception);
    if (rc < 0)
        return rc;
    cause = mem_text("%s%s%s", said, exception ? ": " : "", exception ? exception : "");
    tail = text_for_people(look->log, strlen(look->log), MLFLOW_LOG_LINES);
    if (!cause || !tail)
        return CTCD_E_NOMEM;
    rc = hint_for(look, cause, &hint);
    if (rc == CTCD_NONE) {
        hint = mem_text("its log is %s/log", ctcd_revision_folder(look->revision));
        rc = hint ? 0 : CTCD_E_NOMEM;
    }
    if (!rc)
        rc = ctcd_observation_set_error(out, cause, hint);
    return rc ? rc : ctcd_observation_set_log_tail(out, tail);
}

static int add_number(ctcd_observation *out, const char *name, int64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return ctcd_observation_add_property(out, name, text);
}

static int tell_properties(const struct look *look, ctcd_observation *out) {
    bool lives = look->facts.child == CHILD_RUNNING || look->facts.child == CHILD_ENDING;
    char started[TIME_TEXT_SIZE];
    int port = mlflow_port(look->revision);
    int rc = 0;
    if (lives && look->child.pid)
        rc = add_number(out, "DAEMON_PID", look->child.pid);
    if (!rc && port)
        rc = add_number(out, "PORT", port);
    if (!rc)
        rc = ctcd_observation_add_property(out, "SERVICE_PATH",
                                           ctcd_revision_folder(look->revision));
    if (!rc && lives && look->child.started_at != CTCD_TIME_NONE) {
        time_to_text(look->child.started_at, started);
        rc = ctcd_observation_add_property(out, "STARTED", started);
    }
    if (!rc)
        rc = add_number(out, "WORKERS", workers(look));
    return rc;
}

static int tell(struct look *look, ctcd_observation *out) {
    const struct server_facts *facts = &look->facts;
    int state = server_state(facts);
    bool bad = state == CTCD_STATE_ERROR || state == CTCD_STATE_DEGRADED;
    _cleanup_(mem_free_ptr) char *message =
        bad ? fault(look, state) : mem_copy_text(plain_message(look, state));
    if (!message)
        return CTCD_E_NOMEM;
    int rc = ctcd_observation_set_state(out, state);
    if (!rc)
        rc = ctcd_observation_set_message(out, message);
    if (!rc && bad)
        rc = tell_error(look, out, message);
    if (!rc && state == CTCD_STATE_PENDING_STARTUP && !(rc = read_log(look))) {
        _cleanup_(mem_free_ptr) char *tail =
            text_for_people(look->log, strlen(look->log), MLFLOW_LOG_LINES);
        rc = tail ? ctcd_observation_set_log_tail(out, tail) : CTCD_E_NOMEM;
    }
    if (!rc && server_is_final(facts))
        rc = ctcd_observation_set_final(out);
    bool ended = facts->child == CHILD_ENDED || facts->child == CHILD_ENDING;
    if (!rc && ended && !look->child.exit_status && !look->child.signal && !look->child.os_errno)
        rc = ctcd_observation_set_ended_well(out);
    return rc ? rc : tell_properties(look, out);
}

/* ---- looking -------------------------------------------------------------------------------------- */

static int look_at_child(struct look *look, ctcd_call *call) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    int64_t generation = ctcd_revision_generation(look->revision);
    int rc = 0;
    if (generation > 0)
        rc = child_look(ctcd_revision_folder(look->revision), generation, &look->child, &err);
    else
        look->child = (struct child_status){.state = CHILD_NOT_STARTED};
    look->facts.child = look->child.state;
    look->facts.asked = look->child.asked;
    if (!rc && look->child.state == CHILD_MONITOR_LOST)
        look->facts.cleared = mlflow_noted(look->revision, NOTE_CLEARED);
    return rc ? mlflow_fail(call, rc, &err) : 0;
}

static int ping(struct look *look, ctcd_call *call) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    const char *url = ctcd_revision_url(look->revision);
    size_t size = text_ends(url, MLFLOW_INVOCATIONS) ? strlen(url) - strlen(MLFLOW_INVOCATIONS) : 0;
    _cleanup_(mem_free_ptr) char *at = mem_text("%.*s/ping", (int)size, url);
    if (!at)
        return CTCD_E_NOMEM;
    int64_t left = exchange_time(call);
    if (!look->facts.was_ready && left > PENDING_MS)
        left = PENDING_MS;
    struct http_request request = {
        .url = at, .timeout_ms = left, .max_answer = ANSWER_MAX, .fresh = true};
    int rc = exchange_start(&look->ping, look->backend, call, &request, &err);
    return rc ? mlflow_fail(call, rc, &err) : 0;
}

/* CTCD_AGAIN: it is still coming up, and what would change that is waited for. */
static int await(struct look *look, ctcd_call *call, bool end, int64_t again_ms) {
    int rc = 0;
    if (end && !look->watches_end) {
        _cleanup_(error_done) ctcd_error *err = NULL;
        rc = child_pidfd(ctcd_revision_folder(look->revision),
                         ctcd_revision_generation(look->revision), &look->end_fd, &err);
        if (rc == CTCD_NONE) { /* it has just ended */
            rc = ctcd_call_wait_until(call, ctcd_call_now(call));
            return rc ? rc : CTCD_AGAIN;
        }
        if (rc == CTCD_E_NOMEM)
            return rc;
        look->watches_end = rc == 0; /* else the answer and the time have to do */
        rc = 0;
    }
    if (end && look->watches_end)
        rc = ctcd_call_wait_fd(call, look->end_fd, CTCD_EVENT_IN);
    if (!rc && again_ms > 0)
        rc = ctcd_call_wait_until(call, ctcd_call_now(call) + again_ms);
    if (!rc)
        rc = ctcd_call_wait_wake(call);
    return rc ? rc : CTCD_AGAIN;
}

static int look_for_crashes(struct look *look) {
    if (look->facts.was_ready)
        return 0;
    int rc = read_log(look);
    if (!rc)
        look->facts.crash_loop = log_deaths(look->log) >= CRASH_DEATHS;
    return rc;
}

/* While it comes up: has it ended, do its workers die? */
static int pending(struct look *look, ctcd_call *call, ctcd_observation *out) {
    if (look->facts.was_ready)
        return await(look, call, false, 0);
    int rc = look_at_child(look, call);
    if (!rc && look->child.state == CHILD_RUNNING)
        rc = look_for_crashes(look);
    if (rc)
        return rc;
    if (look->child.state != CHILD_RUNNING || look->facts.crash_loop)
        return tell(look, out);
    return await(look, call, true, CRASH_LOOK_MS);
}

/* A cut connection most often means that the server has just ended, and its shim is about to say so. One
   that lives on gets a second chance: one of several workers may have died under the request. */
static int refused(struct look *look, ctcd_call *call, ctcd_observation *out) {
    int rc = look_at_child(look, call);
    if (rc)
        return rc;
    if (look->child.state == CHILD_RUNNING && look->end_looks++ < END_LOOKS)
        return await(look, call, true, END_LOOK_MS);
    if (look->child.state == CHILD_RUNNING && !look->asked_twice) {
        look->asked_twice = true;
        look->end_looks = 0;
        rc = ping(look, call);
        return rc ? rc : await(look, call, false, 0);
    }
    look->facts.probe = SERVER_REFUSES;
    return tell(look, out);
}

static int answered(struct look *look, ctcd_call *call, ctcd_observation *out) {
    const struct http_answer *answer = &look->ping.answer;
    switch (answer->code) {
    case 0:
        look->http_status = answer->status;
        look->facts.probe = answer->status == 200 ? SERVER_READY : SERVER_NOT_READY;
        break;
    case CTCD_E_UNREACHABLE:
        return refused(look, call, out);
    case CTCD_E_TIMEOUT:
        look->facts.probe = SERVER_SILENT;
        break;
    case CTCD_E_NOMEM:
        return CTCD_E_NOMEM;
    default:
        look->facts.probe = SERVER_NOT_READY;
        break;
    }
    if (look->facts.probe == SERVER_READY && !look->facts.was_ready)
        mlflow_note(look->revision, NOTE_READY);
    return tell(look, out);
}

int mlflow_observe(void *impl, ctcd_call *call, const ctcd_revision *revision,
                   ctcd_observation *out) {
    struct look *look = NULL;
    int rc = ctcd_call_scratch(call, sizeof *look, look_done, (void **)&look);
    if (rc)
        return rc;
    if (look->ping.answered)
        return answered(look, call, out);
    if (look->begun)
        return pending(look, call, out);
    look->begun = true;
    look->backend = impl;
    look->revision = revision;
    look->facts.wanted = ctcd_revision_wanted(revision) != 0;
    look->facts.was_ready = mlflow_noted(revision, NOTE_READY);
    rc = look_at_child(look, call);
    if (rc)
        return rc;
    if (look->child.state != CHILD_RUNNING)
        return tell(look, out);
    ctcd_call_progress(call, "waiting for its server's answer");
    rc = ping(look, call);
    return rc ? rc : pending(look, call, out);
}
