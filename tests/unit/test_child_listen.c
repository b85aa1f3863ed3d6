/* Listening sockets that are handed over, and the stand-in server at the other end of them. */
#include "children.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"

static int connect_to(int port) {
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Reads one answer: its status, its body into text. 0 = the connection was closed instead. */
static int read_answer(int fd, char *text, size_t size) {
    char all[65536];
    size_t length = 0, want = 0, head = 0;
    while (!head || length < head + want) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        ck_assert_msg(poll(&wait, 1, LONG) == 1, "no answer");
        ssize_t n = recv(fd, all + length, sizeof all - 1 - length, 0);
        if (n <= 0)
            return 0;
        length += (size_t)n;
        all[length] = '\0';
        char *end = strstr(all, "\r\n\r\n"), *field = strstr(all, "content-length: ");
        if (end && field) {
            head = (size_t)(end + 4 - all);
            want = strtoul(field + 16, NULL, 10);
        }
    }
    (void)snprintf(text, size, "%s", all + head);
    return atoi(all + 9);
}

static void send_text(int fd, const char *text) {
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void send_predict(int fd, const char *body) {
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    send_text(fd, text);
}

static int predict(int fd, const char *body, char *text, size_t size) {
    send_predict(fd, body);
    return read_answer(fd, text, size);
}

static int ping(int fd) {
    char text[64];
    send_text(fd, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
    return read_answer(fd, text, sizeof text);
}

/* Starts the stand-in on a port that was bound before; the host keeps no copy of it. */
static int serve(struct nest *n) {
    char stand_in[4096], model[4300];
    int port = 0;
    suite_built(stand_in, "test/stand-in");
    char *absolute = realpath(stand_in, NULL);
    ck_assert_msg(absolute != NULL, "no %s", stand_in);
    (void)snprintf(model, sizeof model, "__pyfunc_model_path__=%s", n->dir);
    char *argv[] = {absolute,
                    (char *)"-m",
                    (char *)"uvicorn",
                    (char *)"--fd",
                    (char *)"3",
                    (char *)"--workers",
                    (char *)"1",
                    (char *)"mlflow.pyfunc.scoring_server.app:app",
                    NULL};
    char *env[] = {model, NULL};
    n->spec.env = env;
    ck_assert_int_eq(process_listen("127.0.0.1", 0, &n->spec.listen_fd, &port, NULL), 0);
    int rc = nest_start(n, argv, NULL);
    (void)close(n->spec.listen_fd);
    n->spec.listen_fd = -1;
    n->spec.env = NULL;
    free(absolute);
    ck_assert_int_eq(rc, 0);
    return port;
}

/* ---- sockets -------------------------------------------------------------------------------------- */

START_TEST(listens) {
    int fd = -1, port = 0, again = -7, other = -7;
    ctcd_error *err = NULL;
    ck_assert_int_eq(process_listen("127.0.0.1", 0, &fd, &port, NULL), 0);
    ck_assert_int_gt(port, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(process_listen("localhost", port, &again, &other, &err), CTCD_E_EXISTS);
    ck_assert_ptr_nonnull(ctcd_error_hint(err));
    error_done(&err);
    ck_assert_int_eq(again, -7);
    ck_assert_int_eq(other, -7);
    int client = connect_to(port);
    ck_assert_int_ge(client, 0);
    (void)close(client);
    (void)close(fd);
    ck_assert_int_eq(process_listen("127.0.0.1", port, &fd, &port, NULL), 0);
    (void)close(fd);
}
END_TEST

START_TEST(cannot_listen) {
    int fd = -7, port = -7;
    ck_assert_int_eq(process_listen("", 0, &fd, &port, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(process_listen(NULL, 0, &fd, &port, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(process_listen("127.0.0.1", -1, &fd, &port, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(process_listen("127.0.0.1", 65536, &fd, &port, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(process_listen("256.0.0.1.", 1, &fd, &port, NULL), CTCD_E_INVALID);
    ck_assert_int_lt(process_listen("192.0.2.1", 0, &fd, &port, NULL), 0); /* not of this machine */
    ck_assert_int_eq(fd, -7);
    ck_assert_int_eq(port, -7);
}
END_TEST

START_TEST(the_port_belongs_to_the_server_alone) {
    struct nest *n = nest_new();
    int port = serve(n);
    int client = connect_to(port);
    ck_assert_int_eq(ping(client), 200);
    ck_assert_int_eq(child_signal(n->dir, 1, SIGTERM, NULL), 0);
    struct child_status s = nest_wait(n);
    ck_assert_int_eq(s.signal, SIGTERM);
    (void)close(client);
    ck_assert_int_eq(connect_to(port), -1); /* refused: neither host nor shim keeps it open */
}
END_TEST

/* A request that comes before the server is there waits for it. */
START_TEST(early_requests_wait) {
    struct nest *n = nest_new();
    nest_write(n, "behaviour", "ready-after 300\n");
    int64_t before = test_now();
    int client = connect_to(serve(n));
    ck_assert_int_eq(ping(client), 200);
    ck_assert_int_ge(test_now() - before, 300);
    (void)close(client);
}
END_TEST

/* ---- the stand-in --------------------------------------------------------------------------------- */

START_TEST(stand_in_predicts) {
    const struct {
        const char *body;
        int status;
        const char *answer;
    } cases[] = {
        {"{\"dataframe_split\": {\"columns\": [\"a\"], \"data\": [[1], [2]]}}", 200, "[7, 7]"},
        {"{\"dataframe_records\": [{\"a\": 1, \"b\": [1, 2]}]}", 200, "[7]"},
        {"{\"instances\": [[1, 2], [3, 4], [5, 6]]}", 200, "[7, 7, 7]"},
        {"{\"params\": {\"x\": [1]}, \"inputs\": {\"a\": [1, 2], \"b\": [3, 4]}}", 200, "[7, 7]"},
        {"{\"inputs\": []}", 200, "[]"},
        {"{\"inputs\": \"], not \\\"[1, 2\"}", 400, NULL},
        {"{\"nothing\": [1]}", 400, NULL},
        {"{\"inputs\": [1", 400, NULL},
        {"", 400, NULL},
    };
    struct nest *n = nest_new();
    char text[4096], wanted[64];
    nest_write(n, "value", "7\n");
    int client = connect_to(serve(n));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) { /* one connection for all */
        int status = predict(client, cases[i].body, text, sizeof text);
        ck_assert_msg(status == cases[i].status, "%d for %s", status, cases[i].body);
        (void)snprintf(wanted, sizeof wanted, "{\"predictions\": %s}", cases[i].answer);
        if (cases[i].answer)
            ck_assert_str_eq(text, wanted);
        else
            ck_assert_ptr_nonnull(strstr(text, "\"error_code\": \"BAD_REQUEST\""));
    }
    (void)close(client);
}
END_TEST

START_TEST(stand_in_misbehaves) {
    struct nest *n = nest_new();
    char text[65536];
    int port = serve(n), client = connect_to(port);
    nest_write(n, "behaviour", "unready\n");
    ck_assert_int_eq(ping(client), 503);
    nest_write(n, "behaviour", "status 500\n");
    ck_assert_int_eq(ping(client), 200);
    ck_assert_int_eq(predict(client, "{\"inputs\": [1]}", text, sizeof text), 500);
    nest_write(n, "behaviour", "garbage\n");
    ck_assert_int_eq(predict(client, "{\"inputs\": [1]}", text, sizeof text), 200);
    ck_assert_str_eq(text, "{\"predictions\": [what is");
    nest_write(n, "behaviour", "big 20000\n");
    ck_assert_int_eq(predict(client, "{\"inputs\": [1]}", text, sizeof text), 200);
    ck_assert_uint_ge(strlen(text), 19000);
    nest_write(n, "behaviour", "hang-up\n");
    ck_assert_int_eq(predict(client, "{\"inputs\": [1]}", text, sizeof text), 0);
    (void)close(client);
    client = connect_to(port);
    nest_write(n, "behaviour", "die-on-predict\nstderr out of luck\n");
    ck_assert_int_eq(predict(client, "{\"inputs\": [1]}", text, sizeof text), 0);
    (void)close(client);
    ck_assert_int_eq(nest_wait(n).exit_status, 9);
    nest_read(n, "log", text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "\nout of luck\n"));
}
END_TEST

START_TEST(stand_in_ends_as_told) {
    struct nest *n = nest_new();
    char log[4096];
    nest_write(n, "behaviour", "exit 3\nstderr ModuleNotFoundError: No module named 'skops'\n");
    (void)serve(n);
    ck_assert_int_eq(nest_wait(n).exit_status, 3);
    nest_read(n, "log", log, sizeof log);
    ck_assert_ptr_nonnull(strstr(log, "ModuleNotFoundError: No module named 'skops'\n"));
    n->spec.generation = 2;
    nest_write(n, "behaviour", "signal 11\n");
    (void)serve(n);
    ck_assert_int_eq(nest_wait(n).signal, SIGSEGV);
    n->spec.generation = 3;
    nest_write(n, "behaviour", "exit-after 60 5\n");
    (void)serve(n);
    ck_assert_int_eq(nest_wait(n).exit_status, 5);
}
END_TEST

/* Two requests in one packet: when the first is answered, the second has been read, too. */
START_TEST(stand_in_finishes_open_requests) {
    struct nest *n = nest_new();
    char text[1024];
    const char *body = "{\"inputs\": [1, 2]}";
    nest_write(n, "behaviour", "slow 200\n");
    int client = connect_to(serve(n));
    (void)snprintf(text, sizeof text,
                   "GET /ping HTTP/1.1\r\n\r\nPOST /invocations HTTP/1.1\r\nContent-Type: "
                   "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    send_text(client, text);
    ck_assert_int_eq(read_answer(client, text, sizeof text), 200);
    ck_assert_int_eq(child_signal(n->dir, 1, SIGTERM, NULL), 0);
    ck_assert_int_eq(read_answer(client, text, sizeof text), 200);
    ck_assert_str_eq(text, "{\"predictions\": [0, 0]}");
    ck_assert_int_eq(nest_wait(n).signal, SIGTERM);
    (void)close(client);
}
END_TEST

START_TEST(stand_in_leaves_a_child_and_ignores_term) {
    struct nest *n = nest_new();
    nest_write(n, "behaviour", "fork-child\nignore-term\n");
    n->spec.grace_ms = 10 * LONG;
    int client = connect_to(serve(n));
    ck_assert_int_eq(ping(client), 200);
    (void)close(client);
    ck_assert_uint_eq(count_marked(n->marker), 3); /* shim, server, and what it left */
    ck_assert_int_eq(child_signal(n->dir, 1, SIGTERM, NULL), 0);
    ck_assert_int_eq(kill(nest_look(n).pid, SIGKILL), 0);
    ck_until(nest_look(n).state == CHILD_ENDING);
    ck_assert_uint_eq(count_marked(n->marker), 2);
    ck_assert_int_eq(child_signal(n->dir, 1, SIGKILL, NULL), 0);
    ck_assert_int_eq(nest_wait(n).signal, SIGKILL);
    ck_assert_uint_eq(count_marked(n->marker), 0);
}
END_TEST

SUITE_MAIN_WITH("child_listen", NULL, nests_done, listens, cannot_listen,
                the_port_belongs_to_the_server_alone, early_requests_wait, stand_in_predicts,
                stand_in_misbehaves, stand_in_ends_as_told, stand_in_finishes_open_requests,
                stand_in_leaves_a_child_and_ignores_term)
