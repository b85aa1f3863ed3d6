/* The way into the library: every exported function that does something passes here. It checks magic-free
   what can be checked: the process (fork), the thread, re-entry; it gives bad arguments one wording, and
   lets only documented codes out.

       struct gate gate;
       int rc = gate_enter(&gate, ctx, err);
       if (rc)
           return rc;
       if (!name)
           rc = gate_missing(&gate, "name");
       else
           rc = engine_thing(ctx, name, gate.err);
       return gate_leave(&gate, rc);
*/
#ifndef CTCD_API_GATE_H
#define CTCD_API_GATE_H

#include "engine/context.h"

struct gate {
    ctcd_context *ctx;
    ctcd_error **err;
    bool stepping; /* the context's, before */
};

/* ctx NULL: CTCD_E_INVALID. From a back end, the clock or the log: CTCD_E_REENTRANT. */
int gate_enter(struct gate *gate, const ctcd_context *ctx, ctcd_error **err);
/* Pairs with a successful gate_enter; the context may end here. */
int gate_leave(struct gate *gate, int rc);
/* Is this the thread that uses the context, and nothing of it on the stack? Others must not enter, not even
   for a moment: the one that does would find the context busy. */
bool gate_is_home(const ctcd_context *ctx);
/* "NAME must not be NULL" */
int gate_missing(struct gate *gate, const char *name);
int gate_invalid(struct gate *gate, const char *fmt, ...) _printf_(2, 3);

/* Names the first NULL among pairs of (name, pointer), ended by NULL: 0 or CTCD_E_INVALID. */
int gate_need(struct gate *gate, ...) __attribute__((sentinel));

/* Arguments that several functions have. */
int gate_text(struct gate *gate, const char *name, const char *text); /* there, and UTF-8 */
int gate_optional_text(struct gate *gate, const char *name, const char *text); /* NULL is fine */
/* timeout_ms < 0 becomes the default; 0 only where it means "start and return". */
int gate_timeout(struct gate *gate, int64_t *timeout_ms, int64_t default_ms, bool zero_allowed);

/* May this call wait? Not from a callback: CTCD_E_REENTRANT, before anything is begun. */
int gate_wait(const struct gate *gate);
/* The same for what a wait inside a function step does not drive: runs. */
int gate_wait_for_run(const struct gate *gate);

/* The same without a context: for pure functions. */
int plain_missing(ctcd_error **err, const char *name);

#endif
