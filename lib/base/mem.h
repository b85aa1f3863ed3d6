/* All memory of the library comes from here, so that a test can make any one allocation fail.
   Sizes are checked for overflow; a failure is always NULL, never an abort. */
#ifndef CTCD_BASE_MEM_H
#define CTCD_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _cleanup_(done) __attribute__((cleanup(done)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))

void *mem_alloc(size_t size);               /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed */
void *mem_resize(void *old, size_t count,
                 size_t size);         /* new bytes are not zeroed; old survives failure */
char *mem_copy_text(const char *text); /* NULL stays NULL: check the argument first */
char *mem_copy_bytes(const void *bytes, size_t size); /* one NUL is added */
char *mem_text(const char *fmt, ...) _printf_(1, 2);
char *mem_vtext(const char *fmt, va_list args);
void mem_free(void *block); /* accepts NULL */

/* For _cleanup_(mem_free_ptr) on a `char *` or any other pointer. */
void mem_free_ptr(void *pointer_to_pointer);
/* Takes the pointer out of a self-cleaning variable. */
void *mem_steal(void *pointer_to_pointer);

#ifdef CTCD_TEST
/* The nth allocation from now on fails (1 = the next one); 0 = none. */
void mem_test_fail_at(uint64_t nth);
/* Every allocation from the nth on fails. */
void mem_test_fail_from(uint64_t nth);
/* Each allocation for which the function, called in its place, says so; NULL = none. One thread. */
void mem_test_fail_if(bool (*fails)(void));
/* Allocations since the last mem_test_fail_at/from/if. */
uint64_t mem_test_count(void);
/* Blocks that have not been freed. */
int64_t mem_test_live(void);
#endif

#endif
