/* logs --follow: the last lines, and what comes, of a served model until it is deleted, of a run until it has
   ended; or until a signal, or nobody reads any more. */
#include <stdlib.h>

#include "output.h"

#define LOOK_MS 300 /* between two looks at a log that brought nothing */

/* One of the two is set. */
struct followed {
    ctcd_service *service;
    ctcd_run *run;
    const char *step;
    int64_t lines;
};

static int look(const struct followed *f, const char *cursor, char **ret_text, char **ret_cursor,
                ctcd_error **err) {
    return f->run
               ? ctcd_run_logs_since(f->run, f->step, cursor, f->lines, ret_text, ret_cursor, err)
               : ctcd_service_logs_since(f->service, cursor, f->lines, ret_text, ret_cursor, err);
}

/* 0: a signal, or nobody reads. CTCD_NONE: it has ended. */
static int follow(const struct followed *f, ctcd_error **err) {
    char *cursor = NULL;
    int rc = 0;
    catch_signals();
    while (!rc && !ferror(stdout) && !caught_signal()) {
        char *text = NULL, *next = NULL;
        rc = look(f, cursor, &text, &next, err);
        if (rc)
            break;
        fputs(text, stdout);
        fflush(stdout);
        int more = *text != '\0';
        ctcd_free(text);
        ctcd_free(cursor);
        cursor = next;
        if (!more && sleep_unless_signalled(LOOK_MS))
            break;
    }
    ctcd_free(cursor);
    return rc;
}

int follow_service(ctcd_service *service, int64_t lines, ctcd_error **err) {
    struct followed followed = {.service = service, .lines = lines};
    int rc = follow(&followed, err);
    if (rc == CTCD_NONE)
        complain(0, NULL, "served model %s was deleted", ctcd_service_uuid(service));
    return rc < 0 ? rc : 0;
}

int follow_run(struct request *req, ctcd_run *run, int64_t lines, ctcd_error **err) {
    const char *next = ctcd_run_next(run);
    if (*next)
        complain(0, next, "run %s is interrupted: nobody carries it out", ctcd_run_name(run));
    struct followed followed = {.run = run, .step = option(req, "step"), .lines = lines};
    int rc = follow(&followed, err);
    return rc < 0 ? rc : 0;
}
