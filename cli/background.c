/* --no-wait: the command ends when its work has begun, and the work goes on in a process of its own, to
   its deadline at the latest. Called by main() and by the commands that may take long. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "output.h"

static int parent_fd = -1; /* where the parent learns that it may end; in the child only */

static int timeout_is_0(const struct request *req) {
    int64_t timeout_ms = -1;
    const char *timeout = option(req, "timeout");
    return timeout && ctcd_duration_parse(timeout, &timeout_ms, NULL) == 0 && timeout_ms == 0;
}

int wants_background(const struct request *req) {
    int may = 0;
    for (const struct option_spec *o = req->command->options; o && o->name; o++)
        may |= same_word(o->name, "no-wait");
    if (!may || req->help || option(req, "dry-run"))
        return 0;
    return option(req, "no-wait") || timeout_is_0(req);
}

/* The exit status that the child sends, or with which it ended without sending one. */
static int hear_from(int fd, pid_t child) {
    unsigned char status;
    int ended;
    if (TEMP_FAILURE_RETRY(read(fd, &status, 1)) == 1)
        return status;
    if (TEMP_FAILURE_RETRY(waitpid(child, &ended, 0)) < 0)
        return EXIT_FAILED;
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : EXIT_SIGNAL + WTERMSIG(ended);
}

int background_split(const struct request *req) {
    int fds[2];
    const char *other = option(req, "wait") ? "wait" : "timeout";
    if (option(req, "no-wait") && option(req, other) && !timeout_is_0(req))
        return usage_error("--no-wait has the deadline that holds without --timeout",
                           "--no-wait and --%s exclude each other", other);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return complain(EXIT_FAILED, NULL, "a process for the background cannot be started");
    pid_t child = fork();
    if (child < 0)
        return complain(EXIT_FAILED, NULL, "a process for the background cannot be started");
    if (child > 0) {
        close(fds[1]);
        _exit(hear_from(fds[0], child));
    }
    close(fds[0]);
    parent_fd = fds[1];
    return 0;
}

void background_leave(int status) {
    if (parent_fd < 0)
        return;
    unsigned char byte = (unsigned char)(finish_output() && !status ? EXIT_FAILED : status);
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (write(parent_fd, &byte, 1) < 0) {
        /* nobody waits any more */
    }
    close(parent_fd);
    parent_fd = -1;
}

void background_drain(ctcd_context *ctx) {
    /* What goes on has a deadline; where there is none, nothing does. */
    while (!caught_signal() && ctcd_context_deadline(ctx) != INT64_MAX)
        if (ctcd_context_wait(ctx, 1000, NULL) < 0)
            return;
}
