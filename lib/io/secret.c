/* See secret.h. */
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "io/file.h"

void secret_done(char **secret) {
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    mem_free(*secret);
    *secret = NULL;
}

/* One line of text: anything else would not be what was meant, or break out of an HTTP header. */
static int check(const char *option, const char *reference, char *secret, size_t size,
                 ctcd_error **err) {
    if (size && secret[size - 1] == '\n')
        secret[--size] = '\0';
    if (size && secret[size - 1] == '\r')
        secret[--size] = '\0';
    if (!size)
        return error_set(err, CTCD_E_INVALID, NULL, "option %s: %s is empty", option, reference);
    bool plain = strlen(secret) == size && text_is_utf8(secret);
    for (size_t i = 0; plain && i < size; i++)
        plain = (unsigned char)secret[i] >= ' ' && secret[i] != 0x7f;
    return plain ? 0
                 : error_set(err, CTCD_E_INVALID, "it must hold one line of text, the secret alone",
                             "option %s: %s is not one line of text", option, reference);
}

static int from_environment(const char *option, const char *reference, char **ret,
                            ctcd_error **err) {
    const char *value = getenv(reference + strlen("env:"));
    if (!value)
        return error_set(
            err, CTCD_E_NOT_FOUND,
            "set it in the environment of every process that deploys, the daemon's too",
            "option %s: there is no %s", option, reference);
    return (*ret = mem_copy_text(value)) ? 0 : error_nomem(err);
}

bool secret_is_reference(const char *value) {
    return text_starts(value, "env:") ||
           (text_starts(value, "file:") && !text_starts(value, "file://"));
}

int secret_read(const char *option, const char *reference, char **ret, ctcd_error **err) {
    _cleanup_(secret_done) char *secret = NULL;
    size_t size = 0;
    int rc = 0;
    if (text_starts(reference, "env:")) {
        rc = from_environment(option, reference, &secret, err);
        size = secret ? strlen(secret) : 0;
    } else if (text_starts(reference, "file:")) {
        rc = file_read(reference + strlen("file:"), SECRET_MAX_BYTES, 0, &secret, &size, err);
        if (rc)
            error_prefix(err, "option %s", option);
    } else {
        rc = error_set(err, CTCD_E_INVALID, "give env:NAME or file:PATH",
                       "option %s takes a reference to a secret", option);
    }
    if (!rc)
        rc = check(option, reference, secret, size, err);
    if (!rc)
        *ret = mem_steal(&secret);
    return rc;
}
