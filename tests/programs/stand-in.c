/* A model server for tests, in the place of Python: ready in 20 ms, and misbehaves on demand. It is what
   a deployer's `python` is set to, and takes the command lines that the MLflow back end gives:

       stand-in -m uvicorn --fd 3 --workers N mlflow.pyfunc.scoring_server.app:app    (or --host H --port P)
       stand-in -m gunicorn -b fd://3 -w N -- mlflow.pyfunc.scoring_server.wsgi:app   (or -b H:P)
       stand-in -c CODE                answers from the table `questions`
       stand-in --version

   __pyfunc_model_path__ names the model folder. /invocations answers {"predictions": [...]} with one
   number for each row; the number stands in the file `value` of the folder (default 0), read once, so that
   a test sees which revision answers. The file `behaviour` has one word, and its argument, a line; it is
   read at the start and again for each request:

       ready-after MS     serves MS after its start (default 20); until then nothing is accepted
       exit CODE          ends instead of getting ready         signal N       the same, by a signal
       exit-after MS CODE ends MS after its start               deaf           never serves, lives
       unready            /ping and /health answer 503          silent         accepts, answers nothing
       slow MS            a prediction takes MS                 die-on-predict _exit(9) instead of an answer
       status CODE        predictions answer CODE               garbage        200, and no JSON
       big BYTES          predictions of about BYTES            hang-up        closes instead of an answer
       ignore-term        SIGTERM does nothing                  fork-child     leaves a process behind (it
       stderr TEXT        said before it ends by itself                        heeds ignore-term, too)
       chatty N           N lines of output at the start    log N          N numbered ones for each prediction
       protocol 1         speaks as MLflow 1.x does

   SIGTERM ends it as uvicorn ends: no new connections, open requests are answered, then it dies of the
   signal (with several workers: exit status 0). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX (256u * 1024u * 1024u)
#define ORPHAN_SECONDS 300 /* what fork-child leaves ends by itself, should a test fail to end it */

/* ---- questions by `-c` --------------------------------------------------------------------------- */

/* The first entry whose word occurs in the code answers; the variable, where it is set, replaces the text,
   and "-" there fails as Python does when the module is missing. */
static const struct question {
    const char *word, *variable, *answer;
} questions[] = {
    {"mlflow", "STAND_IN_MLFLOW", "3.17.2"},
    {"uvicorn", "STAND_IN_UVICORN", "0.54.0"},
    {"gunicorn", "STAND_IN_GUNICORN", "23.0.0"},
    {"", "STAND_IN_PYTHON", "3.11.7"},
};

static int answer_question(const char *code) {
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        const struct question *q = &questions[i];
        if (!strstr(code, q->word))
            continue;
        const char *text = getenv(q->variable);
        if (text && strcmp(text, "-") == 0) {
            (void)fprintf(stderr,
                          "Traceback (most recent call last):\n  File \"<string>\", line 1\n"
                          "ModuleNotFoundError: No module named '%s'\n",
                          q->word);
            return 1;
        }
        (void)puts(text ? text : q->answer);
        return 0;
    }
    return 1;
}

/* ---- the model ------------------------------------------------------------------------------------ */

static struct model {
    char folder[4096];
    char value[256];
} model;

static struct behaviour {
    int64_t ready_after, exit_after, slow, big, chatty, log, protocol;
    int exit_code, exit_after_code, signal, status;
    bool deaf, unready, silent, die_on_predict, garbage, hang_up, ignore_term, fork_child;
    char last_words[512];
} behaviour;

static void read_behaviour_line(struct behaviour *b, const char *line) {
    const struct flag {
        const char *word;
        bool *flag;
    } flags[] = {{"deaf", &b->deaf},
                 {"unready", &b->unready},
                 {"silent", &b->silent},
                 {"die-on-predict", &b->die_on_predict},
                 {"garbage", &b->garbage},
                 {"hang-up", &b->hang_up},
                 {"ignore-term", &b->ignore_term},
                 {"fork-child", &b->fork_child}};
    char word[64] = "";
    int used = 0;
    if (sscanf(line, "%63s %n", word, &used) != 1 || word[0] == '#')
        return;
    const char *rest = line + used;
    char *next;
    long long number = strtoll(rest, &next, 10);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(word, flags[i].word) == 0) {
            *flags[i].flag = true;
            return;
        }
    }
    if (strcmp(word, "ready-after") == 0)
        b->ready_after = number;
    else if (strcmp(word, "exit") == 0)
        b->exit_code = (int)number;
    else if (strcmp(word, "exit-after") == 0) {
        b->exit_after = number;
        b->exit_after_code = (int)strtol(next, NULL, 10);
    } else if (strcmp(word, "signal") == 0)
        b->signal = (int)number;
    else if (strcmp(word, "slow") == 0)
        b->slow = number;
    else if (strcmp(word, "status") == 0)
        b->status = (int)number;
    else if (strcmp(word, "big") == 0)
        b->big = number;
    else if (strcmp(word, "chatty") == 0)
        b->chatty = number;
    else if (strcmp(word, "log") == 0)
        b->log = number;
    else if (strcmp(word, "protocol") == 0)
        b->protocol = number;
    else if (strcmp(word, "stderr") == 0)
        (void)snprintf(b->last_words, sizeof b->last_words, "%s", rest);
    else
        (void)fprintf(stderr, "stand-in: unknown behaviour \"%s\"\n", word);
}

static void read_behaviour(void) {
    struct behaviour b = {.ready_after = 20, .exit_code = -1, .exit_after = -1};
    char path[4200], line[1024];
    (void)snprintf(path, sizeof path, "%s/behaviour", model.folder);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        read_behaviour_line(&b, line);
    }
    if (file)
        (void)fclose(file);
    behaviour = b;
}

static void read_model(void) {
    const char *path = getenv("__pyfunc_model_path__");
    if (!path) {
        (void)fputs("Traceback (most recent call last):\nKeyError: '__pyfunc_model_path__'\n",
                    stderr);
        exit(1);
    }
    if (strncmp(path, "file://", 7) == 0)
        path += 7;
    (void)snprintf(model.folder, sizeof model.folder, "%s", path);
    if (access(model.folder, R_OK) != 0) {
        (void)fprintf(
            stderr, "FileNotFoundError: [Errno 2] No such file or directory: '%s/MLmodel'\n", path);
        exit(1);
    }
    char name[4200];
    (void)snprintf(name, sizeof name, "%s/value", model.folder);
    FILE *file = fopen(name, "re");
    if (!file || !fgets(model.value, sizeof model.value, file))
        (void)snprintf(model.value, sizeof model.value, "0");
    model.value[strcspn(model.value, "\n")] = '\0';
    if (file)
        (void)fclose(file);
}

static void last_words(void) {
    if (behaviour.last_words[0])
        (void)fprintf(stderr, "%s\n", behaviour.last_words);
}

/* ---- rows of a request ----------------------------------------------------------------------------- */

static const char *blanks(const char *p) {
    return p + strspn(p, " \t\r\n");
}

/* Behind a value that is taken to be right; NULL = it is not JSON. Counts the elements of an array or the
   members of an object. */
static const char *skip_value(const char *p, long *count) {
    long ignored = 0;
    *(count ? count : &ignored) = 0;
    p = blanks(p);
    if (*p == '"') {
        for (p++; *p && *p != '"'; p++)
            p += *p == '\\' && p[1] ? 1 : 0;
        return *p ? p + 1 : NULL;
    }
    if (*p != '[' && *p != '{') {
        size_t n = strcspn(p, ",]} \t\r\n");
        return n ? p + n : NULL;
    }
    bool object = *p == '{';
    char end = object ? '}' : ']';
    p = blanks(p + 1);
    for (long n = 1; *p != end; n++) {
        if (object) {
            p = skip_value(p, NULL);
            p = p ? blanks(p) : NULL;
            if (!p || *p++ != ':')
                return NULL;
        }
        p = skip_value(p, NULL);
        if (!p)
            return NULL;
        *(count ? count : &ignored) = n;
        p = blanks(p);
        if (*p == ',')
            p = blanks(p + 1);
        else if (*p != end)
            return NULL;
    }
    return p + 1;
}

/* The value of a key of the object at p, or NULL. */
static const char *member(const char *p, const char *key) {
    size_t size = strlen(key);
    p = blanks(p);
    if (*p != '{')
        return NULL;
    for (p = blanks(p + 1); *p == '"';) {
        bool found = strncmp(p + 1, key, size) == 0 && p[size + 1] == '"';
        p = skip_value(p, NULL);
        if (!p || *blanks(p) != ':')
            return NULL;
        p = blanks(blanks(p) + 1);
        if (found)
            return p;
        p = skip_value(p, NULL);
        if (!p || *blanks(p) != ',')
            return NULL;
        p = blanks(blanks(p) + 1);
    }
    return NULL;
}

/* -1 = not JSON, -2 = JSON without data */
static long count_rows(const char *body, const char *type) {
    long rows = 0;
    if (strncasecmp(type, "text/csv", 8) == 0) {
        for (const char *line = body; *line; line += strcspn(line, "\n"), line += *line ? 1 : 0)
            rows++;
        return rows ? rows - 1 : 0;
    }
    const char *end = skip_value(body, NULL);
    if (!end || *blanks(end))
        return -1;
    const char *split = member(body, "dataframe_split"), *at = split ? member(split, "data") : NULL;
    const char *const keys[] = {"dataframe_records", "instances", "inputs"};
    if (behaviour.protocol == 1 && (split || member(body, keys[0])))
        return -2;
    if (behaviour.protocol == 1)
        at = *blanks(body) == '[' ? blanks(body) : member(body, "data");
    for (size_t i = 0; !at && !split && i < sizeof keys / sizeof *keys; i++)
        at = member(body, keys[i]);
    if (!at || (*at != '[' && *at != '{'))
        return -2;
    if (*at == '{') { /* columns by name: as many rows as the first has */
        at = skip_value(blanks(at + 1), NULL);
        at = at ? blanks(at) : NULL;
        if (!at || *at != ':')
            return -2;
        at = blanks(at + 1);
    }
    (void)skip_value(at, &rows);
    return rows;
}

/* ---- connections ------------------------------------------------------------------------------------ */

struct connection {
    int fd;
    char *in, *out;
    size_t in_len, in_room, out_len, out_at;
    int64_t answer_at; /* a slow prediction; 0 = none under way */
    bool continued, close_after, finished;
};

static struct connection *connections;
static size_t connection_count, connection_room;
static volatile sig_atomic_t stopping;

static void on_stop(int sig) {
    stopping = sig;
}

static int64_t now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *more(void *old, size_t size) {
    void *block = realloc(old, size);
    if (!block) {
        (void)fputs("stand-in: out of memory\n", stderr);
        exit(1);
    }
    return block;
}

static void answer(struct connection *c, int status, const char *type, const char *body,
                   size_t len) {
    char head[512];
    const char *reason = status == 200 ? "OK" : status < 500 ? "Bad Request" : "Server Error";
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\nserver: uvicorn\r\ncontent-type: %s\r\n"
                     "content-length: %zu\r\n%s\r\n",
                     status, reason, type, len, c->close_after ? "connection: close\r\n" : "");
    c->out = more(c->out, c->out_len + (size_t)n + len + 1);
    memcpy(c->out + c->out_len, head, (size_t)n);
    memcpy(c->out + c->out_len + n, body, len);
    c->out_len += (size_t)n + len;
}

static void answer_text(struct connection *c, int status, const char *type, const char *text) {
    answer(c, status, type, text, strlen(text));
}

static void answer_error(struct connection *c, int status, const char *message) {
    char text[1024];
    (void)snprintf(
        text, sizeof text,
        "{\"error_code\": \"%s\", \"message\": \"%s\", \"sqlstate\": \"KAM00\", "
        "\"error_class\": \"INVALID_PARAMETER_VALUE\", \"stack_trace\": \"Traceback (most "
        "recent call last):\\n  File \\\"model.py\\\", line 1, in predict\\n\"}",
        status < 500 ? "BAD_REQUEST" : "INTERNAL_ERROR", message);
    answer_text(c, status, "application/json", text);
}

/* Numbered through, so that a test sees whether one is missing. */
static void write_log(int64_t count) {
    static long long entry;
    for (int64_t i = 0; i < count; i++)
        (void)printf("entry %08lld of this log\n", ++entry);
    (void)fflush(stdout);
}

static void predict(struct connection *c, const char *body, const char *type) {
    write_log(behaviour.log);
    if (behaviour.die_on_predict) {
        last_words();
        _exit(9);
    }
    if (behaviour.hang_up) {
        c->finished = true;
        return;
    }
    if (behaviour.garbage) {
        answer_text(c, 200, "application/json", "{\"predictions\": [what is");
        return;
    }
    if (behaviour.status && behaviour.status != 200) {
        answer_error(c, behaviour.status, "the stand-in was told to answer so");
        return;
    }
    long rows = count_rows(body, type);
    if (rows < 0) {
        answer_error(c, 400,
                     rows == -1
                         ? "Invalid input. Ensure that input is a valid JSON formatted string."
                         : "Invalid input. The input must be a JSON dictionary with exactly one "
                           "of the input fields {'dataframe_records', 'instances', "
                           "'dataframe_split', 'inputs'}.");
        return;
    }
    size_t each = strlen(model.value) + 2;
    if (behaviour.big > 0)
        rows = (long)(behaviour.big / (int64_t)each);
    char *text = more(NULL, (size_t)rows * each + 64), *p = text;
    bool bare = behaviour.protocol == 1;
    p += sprintf(p, bare ? "[" : "{\"predictions\": [");
    for (long i = 0; i < rows; i++)
        p += sprintf(p, "%s%s", i ? ", " : "", model.value);
    p += sprintf(p, bare ? "]" : "]}");
    answer(c, 200, "application/json", text, (size_t)(p - text));
    free(text);
}

/* The value of a header in the head of a request, which ends with an empty line; "" = not there. */
static void header(const char *head, const char *name, char *ret, size_t size) {
    size_t length = strlen(name);
    ret[0] = '\0';
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1 + strspn(line + length + 1, " ");
            (void)snprintf(ret, size, "%.*s", (int)strcspn(value, "\r\n"), value);
            return;
        }
    }
}

static void route(struct connection *c, const char *head, const char *body) {
    char method[16] = "", path[256] = "", type[128];
    (void)sscanf(head, "%15s %255s", method, path);
    path[strcspn(path, "?")] = '\0';
    header(head, "content-type", type, sizeof type);
    if (strcmp(path, "/ping") == 0 || strcmp(path, "/health") == 0)
        answer_text(c, behaviour.unready ? 503 : 200, "application/json", "\n");
    else if (strcmp(path, "/version") == 0)
        answer_text(c, 200, "application/json", "3.17.2");
    else if (strcmp(path, "/invocations") != 0)
        answer_text(c, 404, "application/json", "{\"detail\":\"Not Found\"}");
    else if (strcmp(method, "POST") != 0)
        answer_text(c, 405, "application/json", "{\"detail\":\"Method Not Allowed\"}");
    else
        predict(c, body, type);
}

/* One whole request of what has been read; false = there is none yet, or it takes its time. */
static bool take_request(struct connection *c) {
    char text[32];
    c->in[c->in_len] = '\0';
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return false;
    char kept = end[2];
    end[2] = '\0';
    header(c->in, "content-length", text, sizeof text);
    size_t length = strtoul(text, NULL, 10), head = (size_t)(end + 4 - c->in);
    header(c->in, "expect", text, sizeof text);
    bool expects = text[0], is_predict = strncmp(c->in, "POST /invocations", 17) == 0;
    header(c->in, "connection", text, sizeof text);
    c->close_after = strcasecmp(text, "close") == 0 || stopping;
    if (length > REQUEST_MAX) {
        c->finished = true;
        return false;
    }
    if (c->in_len < head + length) {
        end[2] = kept;
        if (expects && !c->continued)
            c->continued = send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) > 0;
        return false;
    }
    read_behaviour();
    if (behaviour.silent || (is_predict && behaviour.slow > 0 && c->answer_at == 0)) {
        end[2] = kept;
        c->answer_at = behaviour.silent ? INT64_MAX : now_ms() + behaviour.slow;
        (void)fputs("INFO:     Request taken\n", stderr); /* so that a test can wait for it */
        return false;
    }
    char *body = c->in + head, after = body[length];
    body[length] = '\0';
    route(c, c->in, body);
    body[length] = after;
    memmove(c->in, body + length, c->in_len - head - length);
    c->in_len -= head + length;
    c->answer_at = 0;
    c->continued = false;
    return true;
}

static void send_answer(struct connection *c) {
    ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        c->finished = true;
    c->out_at += n > 0 ? (size_t)n : 0;
    if (c->out_at == c->out_len) {
        c->out_len = c->out_at = 0;
        c->finished = c->close_after;
    }
}

static void serve(struct connection *c, short events) {
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        if (c->in_room - c->in_len < 65536) {
            c->in_room = c->in_room * 2 + 65536;
            c->in = more(c->in, c->in_room + 1);
        }
        ssize_t n = recv(c->fd, c->in + c->in_len, c->in_room - c->in_len, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            c->finished = true;
        c->in_len += n > 0 ? (size_t)n : 0;
    }
    bool took;
    do {
        took = !c->finished && !c->out_len && c->in && c->answer_at <= now_ms() && take_request(c);
        if (!c->finished && c->out_len)
            send_answer(c);
    } while (took && !c->out_len); /* the next one may have come with it */
    bool idle = !c->out_len && !c->answer_at && !c->in_len;
    c->finished = c->finished || (stopping && idle);
}

static void accept_all(int fd) {
    int got;
    while ((got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (connection_count == connection_room) {
            connection_room = connection_room * 2 + 16;
            connections = more(connections, connection_room * sizeof *connections);
        }
        connections[connection_count++] = (struct connection){.fd = got};
    }
}

static void drop_finished(void) {
    size_t kept = 0;
    for (size_t i = 0; i < connection_count; i++) {
        if (connections[i].finished) {
            (void)close(connections[i].fd);
            free(connections[i].in);
            free(connections[i].out);
        } else
            connections[kept++] = connections[i];
    }
    connection_count = kept;
}

/* ---- its life ---------------------------------------------------------------------------------------- */

static int64_t next_instant(int64_t exit_at) {
    int64_t next = exit_at;
    for (size_t i = 0; i < connection_count; i++) {
        int64_t at = connections[i].answer_at;
        if (at && !connections[i].out_len && at < next)
            next = at;
    }
    return next;
}

/* Signals come only while it waits (ppoll), so none is overlooked. fd < 0: it is deaf. */
static void live(int fd, int64_t exit_at) {
    struct pollfd *polls = NULL;
    sigset_t none;
    (void)sigemptyset(&none);
    for (;;) {
        if (stopping && fd >= 0) {
            (void)close(fd);
            fd = -1;
        }
        if (stopping && !connection_count)
            break;
        polls = more(polls, (connection_count + 1) * sizeof *polls);
        polls[0] = (struct pollfd){.fd = fd, .events = POLLIN};
        for (size_t i = 0; i < connection_count; i++) {
            struct connection *c = &connections[i];
            polls[i + 1] = (struct pollfd){.fd = c->fd, .events = c->out_len ? POLLOUT : POLLIN};
        }
        int64_t next = next_instant(exit_at), left = next == INT64_MAX ? 0 : next - now_ms();
        struct timespec t = {.tv_sec = left > 0 ? left / 1000 : 0,
                             .tv_nsec = left > 0 ? left % 1000 * 1000000 : 0};
        size_t polled = connection_count;
        if (ppoll(polls, polled + 1, next == INT64_MAX ? NULL : &t, &none) < 0)
            memset(polls, 0, (polled + 1) * sizeof *polls);
        if (now_ms() >= exit_at) {
            last_words();
            exit(behaviour.exit_after_code);
        }
        for (size_t i = 0; i < polled; i++)
            serve(&connections[i], polls[i + 1].revents);
        if (polls[0].revents && fd >= 0)
            accept_all(fd);
        drop_finished();
    }
    free(polls);
    free(connections);
}

static int listen_at(const char *host, int port) {
    int yes = 1;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &name.sin_addr) !=
        1) {
        (void)fprintf(stderr, "stand-in: no such host: %s\n", host);
        exit(1);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 2048) != 0) {
        (void)fprintf(
            stderr,
            "ERROR:    [Errno %d] error while attempting to bind on address ('%s', %d): %s\n",
            errno, host, port, strerror(errno));
        exit(1);
    }
    return fd;
}

static void leave_a_child(void) {
    if (fork() != 0)
        return;
    (void)signal(SIGTERM, behaviour.ignore_term ? SIG_IGN : SIG_DFL);
    (void)alarm(ORPHAN_SECONDS);
    sigset_t none;
    (void)sigemptyset(&none);
    for (;;)
        (void)sigsuspend(&none);
}

static void sleep_until(int64_t instant) {
    sigset_t none;
    (void)sigemptyset(&none);
    for (int64_t left; (left = instant - now_ms()) > 0 && !stopping;) {
        struct timespec t = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        (void)ppoll(NULL, 0, &t, &none);
    }
}

static void signals_begin(void) {
    sigset_t stops;
    struct sigaction action = {.sa_handler = on_stop};
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stops, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    if (behaviour.ignore_term)
        action.sa_handler = SIG_IGN;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGCHLD, SIG_IGN); /* so that what fork-child leaves is nobody's zombie */
}

/* What happens between start and ready. */
static void load(int64_t started) {
    for (int64_t i = 0; i < behaviour.chatty; i++)
        (void)printf("loading part %lld of the model\n", (long long)i + 1);
    (void)fflush(stdout);
    (void)fprintf(stderr, "INFO:     Started server process [%d]\n", (int)getpid());
    if (behaviour.fork_child)
        leave_a_child();
    int64_t ready = started + behaviour.ready_after;
    bool ends_first = behaviour.exit_after >= 0 && behaviour.exit_after <= behaviour.ready_after;
    sleep_until(ends_first ? started + behaviour.exit_after : ready);
    if (stopping)
        return;
    if (behaviour.signal) {
        last_words();
        (void)signal(behaviour.signal, SIG_DFL);
        (void)raise(behaviour.signal);
    }
    if (behaviour.exit_code >= 0 || ends_first) {
        last_words();
        exit(ends_first ? behaviour.exit_after_code : behaviour.exit_code);
    }
}

static int die_of_it(int workers) {
    (void)fputs("INFO:     Finished server process\n", stderr);
    if (workers > 1)
        return 0;
    sigset_t all;
    (void)signal(stopping, SIG_DFL);
    (void)raise(stopping);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
    return 0;
}

struct arguments {
    const char *host;
    int port, fd, workers;
};

static void read_address(struct arguments *a, const char *text) {
    static char host[64];
    const char *colon = strrchr(text, ':');
    if (strncmp(text, "fd://", 5) == 0)
        a->fd = atoi(text + 5);
    else if (colon) {
        (void)snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
        a->host = host;
        a->port = atoi(colon + 1);
    }
}

int main(int argc, char **argv) {
    struct arguments a = {.host = "127.0.0.1", .fd = -1, .workers = 1};
    int64_t started = now_ms();
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("Python 3.11.7") < 0;
    if (argc >= 3 && strcmp(argv[1], "-c") == 0)
        return answer_question(argv[2]);
    if (argc < 3 || strcmp(argv[1], "-m") != 0) {
        (void)fputs("stand-in: see the top of its source\n", stderr);
        return 2;
    }
    for (int i = 3; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--fd") == 0)
            a.fd = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--host") == 0)
            a.host = argv[i + 1];
        else if (strcmp(argv[i], "--port") == 0)
            a.port = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "-b") == 0 || strcmp(argv[i], "--bind") == 0)
            read_address(&a, argv[i + 1]);
        else if (strcmp(argv[i], "--workers") == 0 || strcmp(argv[i], "-w") == 0)
            a.workers = atoi(argv[i + 1]);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    read_model();
    read_behaviour();
    signals_begin();
    load(started);
    int fd = behaviour.deaf || stopping ? -1 : a.fd >= 0 ? a.fd : listen_at(a.host, a.port);
    if (fd >= 0) {
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        (void)fputs("INFO:     Application startup complete.\n", stderr);
    }
    live(fd, behaviour.exit_after >= 0 ? started + behaviour.exit_after : INT64_MAX);
    return die_of_it(a.workers);
}
