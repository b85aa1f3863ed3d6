/* A listening socket that is bound before the server starts and handed over to it, so that nothing else
   can answer on its port. Called by back ends through io/process.h. */
#include "io/process.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 2048 /* requests wait here while the server loads its model */

static int port_of(int fd, int *ret_port) {
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return errno;
    if (name.ss_family == AF_INET6)
        *ret_port = ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
    else
        *ret_port = ntohs(((struct sockaddr_in *)&name)->sin_port);
    return 0;
}

/* SO_REUSEADDR: connections of a server that is gone do not hold its port for a minute. */
static int listen_on(const struct addrinfo *address, int *ret_fd, int *ret_port) {
    int yes = 1, failed = 0;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        failed = errno;
    else
        failed = port_of(fd, ret_port);
    if (failed)
        (void)close(fd);
    else
        *ret_fd = fd;
    return failed;
}

int process_listen(const char *host, int port, int *ret_fd, int *ret_port, ctcd_error **err) {
    char service[16];
    struct addrinfo *found = NULL;
    struct addrinfo like = {.ai_family = AF_UNSPEC,
                            .ai_socktype = SOCK_STREAM,
                            .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!host || !host[0] || port < 0 || port > 65535)
        return error_set(err, CTCD_E_INVALID, "use an address and a port up to 65535",
                         "cannot listen on %s port %d", host ? host : "", port);
    /* "localhost" means what clients of 127.0.0.1 reach, on every machine. */
    const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    (void)snprintf(service, sizeof service, "%d", port);
    int answer = getaddrinfo(name, service, &like, &found);
    if (answer == EAI_MEMORY)
        return error_nomem(err);
    if (answer)
        return error_set(err, CTCD_E_INVALID, "use an address of this machine, such as 127.0.0.1",
                         "there is no host \"%s\": %s", host, gai_strerror(answer));
    int fd = -1, bound = 0;
    int failed = listen_on(found, &fd, &bound);
    freeaddrinfo(found);
    if (failed == EADDRINUSE)
        return error_set(err, CTCD_E_EXISTS, "choose another port, or end what uses it",
                         "port %d of %s is taken", port, host);
    if (failed)
        return error_system(err, failed, "cannot listen on %s port %d", host, port);
    *ret_fd = fd;
    *ret_port = bound;
    return 0;
}
