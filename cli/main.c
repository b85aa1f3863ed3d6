/* The command ctcd: reads the command line, opens the home, carries the command out, reports. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "output.h"

/* A closed one would be taken by the first file that is opened, and be written to by accident. Opened the
   wrong way round, so that using it is the error that it should be. */
static int fill_standard_files(void) {
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return EXIT_FAILED;
    return 0;
}

static int open_context(struct request *req, ctcd_error **err) {
    const char *home = option(req, "home");
    const char *variable = getenv("CTCD_HOME");
    int named = home || (variable && *variable);
    int reads = (req->command->flags & COMMAND_READS) != 0;
    int rc = ctcd_context_new(named && reads ? CTCD_CONTEXT_EXISTING : 0, &req->ctx, err);
    if (!rc)
        rc = ctcd_context_set_log(req->ctx,
                                  option(req, "verbose") ? CTCD_LOG_DEBUG : CTCD_LOG_WARNING,
                                  print_log, NULL, NULL, err);
    if (!rc)
        rc = ctcd_context_set_home(req->ctx, home, err);
    if (rc || req->command->flags & COMMAND_NO_HOME)
        return rc;
    return ctcd_context_open(req->ctx, err);
}

/* Of a command that answers by 0 and 1, what went wrong must not look like an answer. */
static int no_answer(const struct request *req, int status) {
    int answers = req->command && (req->command->flags & COMMAND_ANSWERS);
    return answers && status == EXIT_FAILED ? EXIT_USAGE : status;
}

static int carry_out(struct request *req) {
    if (req->help) {
        help_print(req);
        return EXIT_DONE;
    }
    ctcd_error *err = NULL;
    int rc = wants_background(req) ? background_split(req) : 0;
    if (!rc)
        rc = open_context(req, &err);
    if (!rc)
        rc = req->command->run(req, &err);
    if (rc < 0)
        rc = no_answer(req, report(err, rc));
    ctcd_error_unref(err);
    return rc;
}

int main(int argc, char **argv) {
    if (fill_standard_files() != 0)
        return EXIT_FAILED;
    signals_become_errors();
    (void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* a line is one write */
    struct request req = {0};
    int status = request_parse(&req, argc, argv);
    if (!status)
        status = carry_out(&req);
    if (finish_output() &&
        status <= EXIT_FAILED) /* also where 1 was an answer: nobody has read it whole */
        status = no_answer(&req, EXIT_FAILED);
    request_done(&req);
    return status;
}
