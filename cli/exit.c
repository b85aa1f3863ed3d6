/* Errors for people, and exit codes for scripts. Used by main() and by what finds fault with a request. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

int exit_code(int code) {
    switch (code) {
    case CTCD_OK:
        return EXIT_DONE;
    case CTCD_E_INVALID:
    case CTCD_E_NOT_SUPPORTED:
    case CTCD_E_TOO_LARGE:
    case CTCD_E_NEVER:
        return EXIT_USAGE;
    case CTCD_E_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case CTCD_E_NOT_ALLOWED:
        return EXIT_NOT_ALLOWED;
    case CTCD_E_TIMEOUT:
        return EXIT_TIMEOUT;
    case CTCD_E_EXISTS:
    case CTCD_E_CONFLICT:
    case CTCD_E_BUSY:
        return EXIT_CONFLICT;
    case CTCD_E_UNREACHABLE:
        return EXIT_UNREACHABLE;
    case CTCD_E_CANCELED:
    case CTCD_E_INTERRUPTED:
        return caught_signal() ? EXIT_SIGNAL + caught_signal() : EXIT_FAILED;
    default:
        return EXIT_FAILED;
    }
}

static void print_details(const char *details) {
    const char *end = strchr(details, '\n');
    if (!end || !end[1]) { /* a single line */
        fputs("  last lines:  ", stderr);
        print_clean(stderr, details, "");
        return;
    }
    fputs("  last lines:\n", stderr);
    print_clean(stderr, details, "    ");
}

static void print_error(const char *message, const char *details, const char *hint) {
    fflush(stdout); /* what was said before comes first, also where both go to one place */
    fputs("ctcd: ", stderr);
    print_clean(stderr, message, "");
    if (details && *details)
        print_details(details);
    if (hint && *hint) {
        fputs("  next: ", stderr);
        print_clean(stderr, hint, "");
    }
}

int report(const ctcd_error *err, int code) {
    if (err)
        print_error(ctcd_error_message(err), ctcd_error_details(err), ctcd_error_hint(err));
    else
        print_error(code == CTCD_E_NOMEM ? "out of memory" : "it failed, and nothing says why",
                    NULL, NULL);
    return exit_code(code);
}

static int complain_with(int status, const char *hint, const char *format, va_list values) {
    char *message = NULL;
    if (vasprintf(&message, format, values) < 0)
        message = NULL;
    print_error(need(message), NULL, hint);
    free(message);
    return status;
}

int complain(int status, const char *hint, const char *format, ...) {
    va_list values;
    va_start(values, format);
    status = complain_with(status, hint, format, values);
    va_end(values);
    return status;
}

int usage_error(const char *hint, const char *format, ...) {
    va_list values;
    va_start(values, format);
    int status = complain_with(EXIT_USAGE, hint, format, values);
    va_end(values);
    return status;
}

static volatile sig_atomic_t reader_left;

static void on_broken_pipe(int number) {
    (void)number;
    reader_left = 1;
}

static void on_full_file(int number) {
    (void)number;
}

void signals_become_errors(void) {
    struct sigaction action = {.sa_handler = on_broken_pipe, .sa_flags = SA_RESTART};
    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = on_full_file;
    sigaction(SIGXFSZ, &action, NULL);
}

int finish_output(void) {
    int failed = ferror(stdout);
    errno = 0;
    if (fflush(stdout) != 0)
        failed = 1;
    if (!failed)
        return EXIT_DONE;
    if (errno != EPIPE && !reader_left)
        complain(0, NULL, "writing the output failed%s%s", errno ? ": " : "",
                 errno ? strerror(errno) : "");
    return EXIT_FAILED;
}
