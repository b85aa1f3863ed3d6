/* Random bytes and UUIDs from getrandom(2). Called for identities and temporary names. */
#include "io/random.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

int random_bytes(void *ret, size_t size, ctcd_error **err) {
    uint8_t *at = ret;
    while (size) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_system(err, errno, "cannot get random bytes");
        at += got;
        size -= (size_t)got;
    }
    return 0;
}

int random_uuid(char ret[37], ctcd_error **err) {
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[16];
    int rc = random_bytes(bytes, sizeof bytes, err);
    if (rc)
        return rc;
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); /* variant of RFC 4122 */
    char *out = ret;
    for (unsigned i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
    return 0;
}
