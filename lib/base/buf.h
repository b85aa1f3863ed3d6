/* A growing text. Failure is sticky: add as much as you like, ask once at the end. */
#ifndef CTCD_BASE_BUF_H
#define CTCD_BASE_BUF_H

#include <stdbool.h>

#include "base/mem.h"

struct buf {
    char *text; /* NUL-terminated whenever it is not NULL */
    size_t len;
    size_t room;
    bool failed; /* out of memory at some point: the text is not whole */
};

void buf_add(struct buf *b, const char *text);
void buf_add_bytes(struct buf *b, const void *bytes, size_t len);
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
void buf_clear(struct buf *b); /* keeps the memory */
/* The text, owned by the caller, "" for an empty one; NULL = out of memory. The buf is empty then. */
char *buf_steal(struct buf *b);
void buf_done(struct buf *b); /* for _cleanup_ */

#endif
