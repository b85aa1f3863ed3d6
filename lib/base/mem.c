/* Memory of the library: overflow checks in one place, and in test builds a switch that makes any one
   allocation fail. Called by everything. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef CTCD_TEST
#include <stdatomic.h>

static _Atomic uint64_t allocations;
static _Atomic uint64_t fail_at;
static _Atomic uint64_t fail_from;
static _Atomic int64_t live;
static bool (*fail_if)(void);

void mem_test_fail_at(uint64_t nth) {
    atomic_store(&fail_from, 0);
    atomic_store(&fail_at, nth);
    atomic_store(&allocations, 0);
}

void mem_test_fail_from(uint64_t nth) {
    atomic_store(&fail_at, 0);
    atomic_store(&fail_from, nth);
    atomic_store(&allocations, 0);
}

void mem_test_fail_if(bool (*fails)(void)) {
    mem_test_fail_at(0);
    fail_if = fails;
}

uint64_t mem_test_count(void) {
    return atomic_load(&allocations);
}

int64_t mem_test_live(void) {
    return atomic_load(&live);
}

static void *came(void *block) {
    if (block)
        atomic_fetch_add(&live, 1);
    return block;
}

static void went(const void *block) {
    if (block)
        atomic_fetch_sub(&live, 1);
}

static int must_fail(void) {
    uint64_t nth = atomic_fetch_add(&allocations, 1) + 1;
    uint64_t from = atomic_load(&fail_from);
    return nth == atomic_load(&fail_at) || (from && nth >= from) || (fail_if && fail_if());
}
#else
static int must_fail(void) {
    return 0;
}
static void *came(void *block) {
    return block;
}
static void went(const void *block) {
    (void)block;
}
#endif

void *mem_alloc(size_t size) {
    return must_fail() ? NULL : came(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size) {
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? NULL : mem_alloc(total);
}

void *mem_resize(void *old, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || must_fail())
        return NULL;
    void *block = realloc(old, total ? total : 1);
    return old ? block : came(block);
}

char *mem_copy_text(const char *text) {
    return text ? mem_copy_bytes(text, strlen(text)) : NULL;
}

char *mem_copy_bytes(const void *bytes, size_t size) {
    if (size == SIZE_MAX || must_fail())
        return NULL;
    char *copy = came(malloc(size + 1));
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

char *mem_text(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = mem_vtext(fmt, args);
    va_end(args);
    return text;
}

char *mem_vtext(const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0)
        return NULL;
    char *text = mem_alloc((size_t)len + 1);
    if (text)
        (void)vsnprintf(text, (size_t)len + 1, fmt, args);
    return text;
}

void mem_free(void *block) {
    went(block);
    free(block);
}

void mem_free_ptr(void *pointer_to_pointer) {
    void *block;
    memcpy(&block, pointer_to_pointer, sizeof block);
    mem_free(block);
}

void *mem_steal(void *pointer_to_pointer) {
    void *block;
    void *none = NULL;
    memcpy(&block, pointer_to_pointer, sizeof block);
    memcpy(pointer_to_pointer, &none, sizeof none);
    return block;
}
