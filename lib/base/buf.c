/* A growing text with sticky failure. Called wherever text is put together. */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

/* Room for `more` bytes and the NUL. */
static bool make_room(struct buf *b, size_t more) {
    size_t need;
    if (b->failed)
        return false;
    if (__builtin_add_overflow(b->len, more, &need) || __builtin_add_overflow(need, 1, &need))
        goto failed;
    if (need <= b->room)
        return true;
    size_t room = b->room ? b->room : 64;
    while (room < need)
        if (__builtin_mul_overflow(room, 2, &room))
            goto failed;
    char *text = mem_resize(b->text, room, 1);
    if (!text)
        goto failed;
    b->text = text;
    b->room = room;
    return true;
failed:
    b->failed = true;
    return false;
}

void buf_add(struct buf *b, const char *text) {
    buf_add_bytes(b, text, strlen(text));
}

void buf_add_bytes(struct buf *b, const void *bytes, size_t len) {
    if (!make_room(b, len))
        return;
    if (len)
        memcpy(b->text + b->len, bytes, len);
    b->len += len;
    b->text[b->len] = '\0';
}

void buf_add_char(struct buf *b, char c) {
    buf_add_bytes(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0) {
        b->failed = true;
        return;
    }
    if (!make_room(b, (size_t)len))
        return;
    va_start(args, fmt);
    (void)vsnprintf(b->text + b->len, (size_t)len + 1, fmt, args);
    va_end(args);
    b->len += (size_t)len;
}

void buf_clear(struct buf *b) {
    b->len = 0;
    b->failed = false;
    if (b->text)
        b->text[0] = '\0';
}

char *buf_steal(struct buf *b) {
    bool whole = make_room(b, 0);
    char *text = whole ? b->text : NULL;
    if (whole)
        text[b->len] = '\0';
    else
        mem_free(b->text);
    *b = (struct buf){0};
    return text;
}

void buf_done(struct buf *b) {
    mem_free(b->text);
    *b = (struct buf){0};
}
