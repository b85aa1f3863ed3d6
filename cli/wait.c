/* Waiting for an op: the loop, signals, progress on standard error. Used by every command that takes time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

static int pipe_fds[2] = {-1, -1};
static volatile sig_atomic_t first_signal;

static void on_signal(int number) {
    int saved = errno;
    if (first_signal)
        _exit(EXIT_SIGNAL + number); /* what is half done is resolved by the next command */
    first_signal = number;
    if (write(pipe_fds[1], "", 1) < 0) {
        /* full means noticed */
    }
    errno = saved;
}

int caught_signal(void) {
    return first_signal;
}

void catch_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    if (pipe_fds[0] >= 0)
        return;
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        complain(0, NULL, "signals cannot be caught: %s", strerror(errno));
        exit(EXIT_FAILED);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old, action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        /* Who started us with it ignored (nohup, a script's background job) meant it. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

int sleep_unless_signalled(int ms) {
    /* No events asked for: of standard output only its breaking is told. */
    struct pollfd fds[2] = {{.fd = pipe_fds[0], .events = POLLIN}, {.fd = STDOUT_FILENO}};
    if (first_signal)
        return 1;
    if (poll(fds, 2, ms) < 0 && errno != EINTR)
        return 1;
    return first_signal != 0 || (fds[1].revents & (POLLERR | POLLNVAL)) != 0;
}

/* ---- progress -------------------------------------------------------------------------------- */

struct display {
    enum progress show;
    int shown; /* a line is on the terminal and wants to be wiped */
};

static struct display display; /* one op is waited for at a time; outlives one that goes on */

static void wipe(void) {
    if (display.shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr); /* what comes next may go to stdout */
    }
    display.shown = 0;
}

void print_log(void *user_data, int level, const char *line) {
    (void)user_data;
    wipe();
    fputs(level == CTCD_LOG_ERROR     ? "ctcd: error: "
          : level == CTCD_LOG_WARNING ? "ctcd: warning: "
                                      : "ctcd: ",
          stderr);
    print_clean(stderr, line, "");
}

static size_t stderr_columns(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 8 ? size.ws_col : 80;
}

/* One line that replaces the one before, cut to the window so that it can be wiped. */
static void show_on_terminal(const char *line) {
    char text[512];
    snprintf(text, sizeof text, "%s", line);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    for (size_t end = strlen(text); end && display_width(text) >= stderr_columns();) {
        do
            end--;
        while (end && (text[end] & 0xc0) == 0x80); /* not in the middle of a character */
        text[end] = '\0';
    }
    wipe();
    fputs(text, stderr);
    display.shown = 1;
}

static void on_progress(void *user_data, ctcd_op *op, const char *line) {
    (void)user_data;
    (void)op;
    if (display.show == PROGRESS_LOG) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        char when[32];
        if (ctcd_time_format((int64_t)now.tv_sec * 1000, when, sizeof when) == 0)
            fprintf(stderr, "%s ", when);
    }
    if (display.show == PROGRESS_TERMINAL)
        show_on_terminal(line);
    else
        print_clean(stderr, line, "");
    fflush(stderr);
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* One turn: sleeps until there is something to do, does it. */
static int turn(ctcd_context *ctx, ctcd_op *op, int *cancelled, ctcd_error **err) {
    struct pollfd fds[2] = {{.fd = ctcd_context_fd(ctx), .events = POLLIN},
                            {.fd = *cancelled ? -1 : pipe_fds[0], .events = POLLIN}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR)
        return CTCD_E_IO;
    if (first_signal && !*cancelled) {
        *cancelled = 1;
        ctcd_op_cancel(op);
    }
    return ctcd_context_dispatch(ctx, err);
}

int wait_for(struct request *req, ctcd_op *op, enum progress show, ctcd_error **err) {
    display.show = show;
    int terminal = isatty(STDERR_FILENO);
    if (show == PROGRESS_LINES && terminal)
        display.show = PROGRESS_TERMINAL;
    int rc = 0, cancelled = 0;
    if (terminal || show != PROGRESS_TERMINAL)
        rc = ctcd_op_set_progress(op, on_progress, NULL, NULL, err);
    while (!rc && ctcd_op_poll(op) == CTCD_AGAIN)
        rc = turn(req->ctx, op, &cancelled, err);
    wipe();
    return rc < 0 ? rc : ctcd_op_result(op, err);
}
