/* A small HTTP server in a thread, on a free port of loopback, that misbehaves as the path says. For the
   suites of HTTP; header only. */
#ifndef CTCD_TESTS_SMALL_SERVER_H
#define CTCD_TESTS_SMALL_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_CONNECTIONS 600
#define SERVER_INPUT 65536

struct server_connection {
    int fd;
    char *in;
    size_t in_len;
    char *out;
    size_t out_len, out_sent;
    const char *endless; /* sent again and again after `out` */
    bool close_after, counted;
};

struct server {
    int listener, port, stop;
    pthread_t thread;
    _Atomic int accepted, requests, answered; /* answered: wholly in the kernel's hands */
    int count;
    struct server_connection connections[SERVER_CONNECTIONS];
};

static inline void server_say(struct server_connection *c, const char *head, const char *body,
                              size_t body_len) {
    size_t head_len = strlen(head);
    c->out = malloc(head_len + body_len + 1);
    memcpy(c->out, head, head_len);
    memcpy(c->out + head_len, body, body_len);
    c->out_len = head_len + body_len;
    c->out_sent = 0;
    c->counted = false;
}

static inline void server_200(struct server_connection *c, const char *body, size_t body_len) {
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
             body_len);
    server_say(c, head, body, body_len);
}

static inline void server_say_and_close(struct server_connection *c, const char *text) {
    server_say(c, text, "", 0);
    c->close_after = true;
}

/* Ends it with a reset instead of an orderly end. */
static inline void server_reset(struct server_connection *c) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    server_say_and_close(c, "");
}

static inline bool server_is(const struct server_connection *c, const char *path) {
    const char *at = strchr(c->in, ' ');
    size_t len = strlen(path);
    return at && strncmp(at + 1, path, len) == 0 && at[1 + len] == ' ';
}

static inline void server_misbehave(struct server_connection *c) {
    static const char lines[] = "X-More: 0123456789012345678901234567890123456789\r\n";
    if (server_is(c, "/huge")) {
        server_say(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "", 0);
        c->endless = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    } else if (server_is(c, "/headers")) {
        server_say(c, "HTTP/1.1 200 OK\r\n", "", 0);
        c->endless = lines;
    } else if (server_is(c, "/short")) {
        server_say_and_close(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
    } else if (server_is(c, "/chunked-short")) {
        server_say_and_close(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    } else if (server_is(c, "/reset")) {
        server_reset(c);
    } else if (server_is(c, "/close")) {
        server_say_and_close(c, "");
    } else if (server_is(c, "/garbage")) {
        server_say_and_close(c, "220 mail.example ESMTP ready\r\n");
    }
    /* else /silent */
}

/* A suite's own answers come first, in the server's thread; false = it has none for this request. */
static bool (*server_own)(struct server_connection *c, size_t size);

static inline void server_answer(struct server_connection *c, size_t size) {
    if (server_own && server_own(c, size))
        return;
    if (server_is(c, "/ok"))
        server_200(c, "hello", 5);
    else if (server_is(c, "/echo"))
        server_200(c, c->in, size);
    else if (server_is(c, "/empty"))
        server_say(c, "HTTP/1.1 204 No Content\r\n\r\n", "", 0);
    else if (server_is(c, "/length"))
        server_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", "xx", 2);
    else if (server_is(c, "/head"))
        server_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "", 0);
    else if (server_is(c, "/chunked"))
        server_say(c,
                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                   "", 0);
    else if (server_is(c, "/redirect"))
        server_say(c, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", "", 0);
    else if (server_is(c, "/busy"))
        server_say(c, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\n", "busy",
                   4);
    else
        server_misbehave(c);
}

/* Length of the first whole request in the input, 0 = more is to come. */
static inline size_t server_request(const struct server_connection *c) {
    const char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return 0;
    size_t size = (size_t)(end - c->in) + 4;
    const char *length = strcasestr(c->in, "\r\nContent-Length:");
    if (length && length < end)
        size += strtoul(length + 17, NULL, 10);
    return size <= c->in_len ? size : 0;
}

static inline void server_drop(struct server *server, int at) {
    struct server_connection *c = &server->connections[at];
    close(c->fd);
    free(c->in);
    free(c->out);
    *c = server->connections[--server->count];
}

/* false = drop the connection. */
static inline bool server_read(struct server *server, struct server_connection *c) {
    ssize_t got = read(c->fd, c->in + c->in_len, SERVER_INPUT - 1 - c->in_len);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    c->in_len += (size_t)got;
    c->in[c->in_len] = '\0';
    if (c->in[0] == 0x16) /* a TLS greeting */
        return false;
    for (size_t size; !c->out && (size = server_request(c)) > 0;) {
        server_answer(c, size);
        c->in_len -= size;
        memmove(c->in, c->in + size, c->in_len + 1);
        atomic_fetch_add(&server->requests, 1);
    }
    return true;
}

static inline bool server_write(struct server *server, struct server_connection *c) {
    if (c->out_sent < c->out_len) {
        ssize_t put = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);
        if (put < 0)
            return errno == EAGAIN || errno == EINTR;
        c->out_sent += (size_t)put;
    }
    if (c->out_sent < c->out_len)
        return true;
    if (!c->counted)
        atomic_fetch_add(&server->answered, 1);
    c->counted = true;
    if (c->endless)
        return send(c->fd, c->endless, strlen(c->endless), MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
    free(c->out);
    c->out = NULL;
    return !c->close_after;
}

static inline void server_accept(struct server *server) {
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    atomic_fetch_add(&server->accepted, 1);
    server->connections[server->count++] =
        (struct server_connection){.fd = fd, .in = calloc(1, SERVER_INPUT)};
}

static inline void *server_serve(void *data) {
    struct server *server = data;
    static _Thread_local struct pollfd fds[SERVER_CONNECTIONS + 2];
    for (;;) {
        int count = server->count;
        for (int i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = server->connections[i].fd,
                                     .events = server->connections[i].out ? POLLOUT : POLLIN};
        fds[count] = (struct pollfd){.fd = server->stop, .events = POLLIN};
        fds[count + 1] = (struct pollfd){.fd = count < SERVER_CONNECTIONS ? server->listener : -1,
                                         .events = POLLIN};
        poll(fds, (nfds_t)count + 2, -1);
        if (fds[count].revents)
            break;
        for (int i = count - 1; i >= 0; i--) {
            struct server_connection *c = &server->connections[i];
            bool keep = true;
            if (fds[i].revents & POLLOUT)
                keep = server_write(server, c);
            else if (fds[i].revents)
                keep = !c->out && server_read(server, c);
            if (!keep)
                server_drop(server, i);
        }
        if (fds[count + 1].revents)
            server_accept(server);
    }
    while (server->count > 0)
        server_drop(server, server->count - 1);
    return NULL;
}

/* A listening socket on a free port of 127.0.0.1, or -1. */
static inline int server_listen(int *ret_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 512) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline struct server *server_start(void) {
    struct server *server = calloc(1, sizeof *server);
    server->listener = server_listen(&server->port);
    server->stop = eventfd(0, EFD_CLOEXEC);
    if (server->listener < 0 || server->stop < 0 ||
        pthread_create(&server->thread, NULL, server_serve, server) != 0)
        abort();
    return server;
}

static inline void server_end(struct server *server) {
    if (write(server->stop, &(uint64_t){1}, 8) != 8)
        abort();
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop);
    free(server);
}

#endif
