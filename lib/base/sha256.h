/* SHA-256 (FIPS 180-4), for content hashes; not for secrets. */
#ifndef CTCD_BASE_SHA256_H
#define CTCD_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
};

void sha256_start(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t size);
void sha256_end(struct sha256 *s, char hex[65]); /* 64 lower-case digits and NUL */

#endif
