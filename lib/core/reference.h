/* References in pipeline files: `${params.NAME}` inside texts, and `STEP.OUTPUT` as a whole value. */
#ifndef CTCD_CORE_REFERENCE_H
#define CTCD_CORE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A parameter as texts see it. */
struct param_view {
    const char *name;
    const char *text; /* 0.9, not "0.9"; a text without quotes */
};

#define SUBSTITUTE_MAX_BYTES (1024u * 1024u)

/* Replaces ${params.NAME} by the parameter's text; `$$` is one dollar; any other `$` stands for itself.
   `${` with anything else than params, or without its end, is an error, so that a shell's ${HOME} is
   not silently passed on: it is written $${HOME}. The result is not looked at again. Unknown names get
   the near miss. CTCD_E_INVALID, CTCD_E_TOO_LARGE, CTCD_E_NOMEM. */
int params_substitute(const char *text, const struct param_view *params, size_t count, char **ret,
                      ctcd_error **err);
/* Does the text contain a reference (or an escape)? */
bool params_used(const char *text);

struct output_ref {
    char *step, *output; /* owned; both NULL = no reference */
};
/* "train.accuracy": two valid names around one dot. */
bool output_ref_valid(const char *text);
/* CTCD_E_INVALID, CTCD_E_NOMEM; *ret is overwritten, not released. */
int output_ref_parse(const char *text, struct output_ref *ret, ctcd_error **err);
int output_ref_copy(const struct output_ref *ref, struct output_ref *ret); /* 0 or CTCD_E_NOMEM */
void output_ref_done(struct output_ref *ref);

#endif
