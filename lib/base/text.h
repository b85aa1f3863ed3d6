/* Small pure questions about texts: numbers, durations, UTF-8, near misses. */
#ifndef CTCD_BASE_TEXT_H
#define CTCD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool text_same(const char *a, const char *b); /* NULL equals "" */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
bool text_is_utf8(const char *text); /* valid, no surrogates, no overlong forms */
void text_make_utf8(char *text);     /* bytes that are not UTF-8 become '?' */
/* How many bytes the control character there has, that a terminal would obey: 0, 1, or 2 (C1 in UTF-8). */
size_t text_control(const char *at);
void text_make_line(char *text); /* likewise; line breaks and other controls become blanks */
/* Bytes of the valid UTF-8 character that len bytes begin with; 0 = none does, or len is 0. */
size_t text_utf8_length(const char *bytes, size_t len);
/* A whole decimal number with nothing around it; locale-free. */
bool text_to_int64(const char *text, int64_t *ret);
bool text_to_double(const char *text, double *ret); /* also nan, inf; locale-free */
/* Shortest text that reads back as the same number ("0.9", not "0.90000000000000002"). */
void text_from_double(double value, char out[32]);
/* "90", "90s", "10m", "1h30m", "2d", "250ms" -> milliseconds; a bare number is seconds. */
bool text_to_duration(const char *text, int64_t *ret_ms);
void text_from_duration(int64_t ms, char out[32]); /* "1h30m", "2.4 s" is not for here */
/* The candidate that is most like `word`, or NULL when none is near (git's rule of thumb). */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

#endif
