/* Cache keys; see cachekey.h. A part is: label length, label, kind, value length, value. */
#include "core/cachekey.h"

#include <string.h>

#include "base/strv.h"

enum part_kind { PART_BYTES = 'b', PART_TEXT = 't', PART_NULL = 'n', PART_LIST = 'l' };

static void add_number(struct cache_key *key, uint64_t number) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    sha256_add(&key->sum, bytes, sizeof bytes);
}

static void add_sized(struct cache_key *key, const void *bytes, size_t size) {
    add_number(key, size);
    if (size)
        sha256_add(&key->sum, bytes, size);
}

static void add_head(struct cache_key *key, const char *label, enum part_kind kind) {
    add_sized(key, label, strlen(label));
    uint8_t byte = (uint8_t)kind;
    sha256_add(&key->sum, &byte, 1);
}

void cache_key_start(struct cache_key *key) {
    sha256_start(&key->sum);
    cache_key_add_text(key, "format", "ctcd cache key 1");
}

void cache_key_add(struct cache_key *key, const char *label, const void *bytes, size_t size) {
    add_head(key, label, PART_BYTES);
    add_sized(key, bytes, size);
}

void cache_key_add_text(struct cache_key *key, const char *label, const char *text) {
    add_head(key, label, text ? PART_TEXT : PART_NULL);
    if (text)
        add_sized(key, text, strlen(text));
}

void cache_key_add_list(struct cache_key *key, const char *label, char *const *list) {
    size_t count = strv_count(list);
    add_head(key, label, PART_LIST);
    add_number(key, count);
    for (size_t i = 0; i < count; i++)
        add_sized(key, list[i], strlen(list[i]));
}

void cache_key_end(struct cache_key *key, char hex[65]) {
    sha256_end(&key->sum, hex);
}
