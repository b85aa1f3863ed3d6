/* Secrets by reference: what an option with CTCD_OPTION_SECRET says, read at the moment of use, so that a
   rotated token counts at once and no secret is ever stored. For back ends. */
#ifndef CTCD_IO_SECRET_H
#define CTCD_IO_SECRET_H

#include <stdbool.h>

#include "base/error.h"

#define SECRET_MAX_BYTES 65536

/* Is it "env:NAME" or "file:PATH"? "file://..." is an address, as in MLFLOW_TRACKING_URI. */
bool secret_is_reference(const char *value);
/* "env:NAME" or "file:PATH" to the secret, without the newline at its end; owned, for secret_done. `option`
   names it in messages, which never hold the secret. CTCD_E_NOT_FOUND: there is no such variable or file;
   CTCD_E_INVALID: no reference, empty, several lines, or not text. */
int secret_read(const char *option, const char *reference, char **ret, ctcd_error **err);
void secret_done(char **secret); /* for _cleanup_: overwrites it first; accepts NULL inside */

#endif
