/* Whose service is it: (deployer component, pipeline, step, model); and which names things may have.
   Used by deploy and replace (equality), by queries (match), and wherever a name comes in. */
#ifndef CTCD_CORE_IDENTITY_H
#define CTCD_CORE_IDENTITY_H

#include <stdbool.h>

#include "base/error.h"

/* A view: borrowed texts; NULL is the same as "". */
struct identity {
    const char *deployer, *pipeline, *step, *model;
};

bool identity_same(const struct identity *a, const struct identity *b); /* empty equals empty */
/* Does an identity fit a query? Empty in the query fits everything. */
bool identity_fits(const struct identity *identity, const struct identity *query);
/* Each part valid UTF-8 without control characters, at most NAME_MAX_BYTES; deployer and model must
   not be empty. CTCD_E_INVALID. */
int identity_check(const struct identity *identity, ctcd_error **err);
/* "model digits of digits/deploy", "model iris" without pipeline and step; for messages. Owned. */
char *identity_text(const struct identity *identity);

#define NAME_MAX_BYTES 255
#define NAME_PLAIN_MAX_BYTES 100

/* A text that is shown, compared and stored, nothing else: a model's name. what: "model name", for the
   message. CTCD_E_INVALID. */
int name_check_text(const char *what, const char *name, ctcd_error **err);
/* Names that are typed in commands and become folders: components, stacks, pipelines, schedules.
   ASCII letters, digits, '_', '-', '.'; the first one a letter, digit or '_'. */
int name_check_plain(const char *what, const char *name, ctcd_error **err);
/* Steps, their inputs and outputs, parameters: as above without '.', which separates step and output. */
int name_check_step(const char *what, const char *name, ctcd_error **err);

#endif
