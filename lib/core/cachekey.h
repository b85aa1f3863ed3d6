/* The key under which a step's outputs may be used again: SHA-256 over labelled parts, each with its
   length in front, so that no two lists of parts read the same. */
#ifndef CTCD_CORE_CACHEKEY_H
#define CTCD_CORE_CACHEKEY_H

#include <stddef.h>

#include "base/sha256.h"

struct cache_key {
    struct sha256 sum;
};

void cache_key_start(struct cache_key *key); /* covers the format's version */
void cache_key_add(struct cache_key *key, const char *label, const void *bytes, size_t size);
void cache_key_add_text(struct cache_key *key, const char *label,
                        const char *text); /* NULL is not "" */
void cache_key_add_list(struct cache_key *key, const char *label, char *const *list);
void cache_key_end(struct cache_key *key, char hex[65]);

#endif
