/* For programs under valgrind, which does not know pidfd_open(2) and pidfd_send_signal(2) and answers
   ENOSYS: asks the program that runs the suites instead (tools/run-suites, PidfdGiver). Everything else, and everybody
   who is not under valgrind, gets the kernel's answer. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

typedef long (*syscall_fn)(long number, ...);

static int connect_giver(void) {
    const char *name = getenv("TEST_PIDFD");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = name ? strlen(name) : 0;
    if (!len || len >= sizeof(at.sun_path))
        return -1;
    memcpy(at.sun_path + 1, name, len);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* `open PID`, or `signal NUMBER` and with it the descriptor. */
static int request(int giver, const char *what, long number, int fd) {
    char text[32], room[CMSG_SPACE(sizeof(int))] = "";
    struct iovec part = {text, (size_t)snprintf(text, sizeof(text), "%s %ld", what, number)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = room;
        message.msg_controllen = sizeof(room);
        struct cmsghdr *control = CMSG_FIRSTHDR(&message);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(control), &fd, sizeof(fd));
    }
    return sendmsg(giver, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* An errno, and with 0 perhaps a descriptor. */
static int answer(int giver) {
    char text[16] = "", room[CMSG_SPACE(sizeof(int))] = "";
    struct iovec part = {text, sizeof(text) - 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd = 0;
    if (recvmsg(giver, &message, MSG_CMSG_CLOEXEC) <= 0) {
        errno = EIO;
        return -1;
    }
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);
    if (control && control->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(control), sizeof(fd));
    errno = (int)strtol(text, NULL, 10);
    return errno ? -1 : fd;
}

static long ask(const char *what, long number, int fd) {
    int giver = connect_giver(), rc = -1;
    if (giver < 0) {
        errno = ENOSYS;
        return -1;
    }
    if (request(giver, what, number, fd) == 0)
        rc = answer(giver);
    int code = errno;
    (void)close(giver);
    errno = code;
    return rc;
}

long syscall(long number, ...) {
    static syscall_fn real;
    static volatile bool refused;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    va_list args;
    va_start(args, number);
    long a = va_arg(args, long), b = va_arg(args, long), c = va_arg(args, long);
    long d = va_arg(args, long), e = va_arg(args, long), f = va_arg(args, long);
    va_end(args);
    bool pidfd = number == SYS_pidfd_open || number == SYS_pidfd_send_signal;
    if (!pidfd || !refused) {
        long rc = real(number, a, b, c, d, e, f);
        if (rc != -1 || !pidfd || errno != ENOSYS)
            return rc;
        refused = true; /* each refusal is five lines of warnings */
    }
    return number == SYS_pidfd_open ? ask("open", a, -1) : ask("signal", b, (int)a);
}
