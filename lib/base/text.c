/* Pure questions about texts. Called by parsers of options, files and schedules. */
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_same(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool text_starts(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix) {
    size_t len = strlen(text);
    size_t end = strlen(suffix);
    return end <= len && strcmp(text + len - end, suffix) == 0;
}

size_t text_utf8_length(const char *bytes, size_t len) {
    const unsigned char *b = (const unsigned char *)bytes;
    if (len == 0)
        return 0;
    if (b[0] < 0x80)
        return 1;
    size_t need = b[0] >= 0xc2 && b[0] <= 0xdf ? 2 : b[0] >= 0xe0 && b[0] <= 0xef ? 3 : 4;
    if (b[0] < 0xc2 || b[0] > 0xf4 || len < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xf0 && b[1] < 0x90))
        return 0; /* overlong */
    if ((b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf4 && b[1] > 0x8f))
        return 0; /* a surrogate, or beyond U+10FFFF */
    return need;
}

bool text_is_utf8(const char *text) {
    size_t left = strlen(text);
    while (left) {
        size_t len = text_utf8_length(text, left);
        if (!len)
            return false;
        text += len;
        left -= len;
    }
    return true;
}

void text_make_utf8(char *text) {
    size_t left = strlen(text);
    while (left) {
        size_t len = text_utf8_length(text, left);
        if (!len) {
            *text = '?';
            len = 1;
        }
        text += len;
        left -= len;
    }
}

size_t text_control(const char *at) {
    unsigned char c = (unsigned char)at[0];
    if (c == 0xc2)
        return (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] < 0xa0 ? 2 : 0;
    return (c && c < ' ') || c == 0x7f;
}

void text_make_line(char *text) {
    text_make_utf8(text);
    char *end = text;
    for (char *at = text; *at; at++) {
        size_t control = text_control(at);
        if (control)
            memset(at, ' ', control);
        if (*at != ' ')
            end = at + 1;
    }
    *end = '\0'; /* a break at the end says nothing */
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool text_to_int64(const char *text, int64_t *ret) {
    bool negative = *text == '-';
    const char *at = text + negative;
    int64_t value = 0;
    if (!*at)
        return false;
    for (; *at; at++) { /* counted downwards, so that INT64_MIN fits */
        if (!is_digit(*at) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *at - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return false;
    *ret = value;
    return true;
}

/* Is it what strtod may read? No blanks, no hex, no nan(...). */
static bool looks_like_number(const char *at) {
    at += *at == '-' || *at == '+';
    static const char *const words[] = {"nan", "inf", "infinity"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = 0;
        while (words[i][n] && (at[n] | 0x20) == words[i][n])
            n++;
        if (!words[i][n] && !at[n])
            return true;
    }
    size_t digits = 0;
    for (; is_digit(*at); at++)
        digits++;
    if (*at == '.')
        for (at++; is_digit(*at); at++)
            digits++;
    if (!digits)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        if (!is_digit(*at))
            return false;
        while (is_digit(*at))
            at++;
    }
    return !*at;
}

/* glibc's "C" locale object is static: nothing is allocated, nothing to free. */
static double read_double(const char *text) {
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return c ? strtod_l(text, NULL, c) : strtod(text, NULL);
}

bool text_to_double(const char *text, double *ret) {
    if (!looks_like_number(text))
        return false;
    *ret = read_double(text);
    return true;
}

/* Digits (without the point) and the exponent of the first one. snprintf's decimal point may be any
   bytes: the locale belongs to the host. */
static int take_digits(double value, int precision, char digits[20]) {
    char text[64];
    (void)snprintf(text, sizeof text, "%.*e", precision - 1, value);
    size_t n = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++)
        if (is_digit(*at) && n < 19)
            digits[n++] = *at;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return *at ? atoi(at + 1) : 0;
}

#define LAID 64 /* never filled: the longest is -1.7976931348623157e+308 */

/* 0.0001 to 9999999999999999 as people write them, beyond with an exponent. */
static void lay_out(const char *digits, int exponent, char out[LAID]) {
    int n = (int)strlen(digits);
    if (exponent < -4 || exponent > 15) {
        (void)snprintf(out, LAID, "%c%s%se%+03d", digits[0], n > 1 ? "." : "", digits + 1,
                       exponent);
    } else if (exponent < 0) {
        (void)snprintf(out, LAID, "0.%.*s%s", -exponent - 1, "000", digits);
    } else if (n <= exponent + 1) {
        (void)snprintf(out, LAID, "%s%.*s", digits, exponent + 1 - n, "000000000000000");
    } else {
        (void)snprintf(out, LAID, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    }
}

void text_from_double(double value, char out[32]) {
    if (isnan(value)) {
        memcpy(out, "nan", 4);
        return;
    }
    if (signbit(value))
        *out++ = '-';
    value = fabs(value);
    if (isinf(value)) {
        memcpy(out, "inf", 4);
        return;
    }
    char laid[LAID];
    for (int precision = 1; precision <= 17; precision++) {
        char digits[20];
        int exponent = take_digits(value, precision, digits);
        lay_out(digits, exponent, laid);
        if (read_double(laid) == value)
            break;
    }
    memcpy(out, laid, strlen(laid) + 1);
}

static const struct {
    const char *name;
    int64_t ms;
} units[] = {{"w", 604800000}, {"d", 86400000}, {"h", 3600000},
             {"m", 60000},     {"s", 1000},     {"ms", 1}};

bool text_to_duration(const char *text, int64_t *ret_ms) {
    int64_t total = 0;
    size_t first_allowed = 0; /* units come from large to small, each once */
    const char *at = text;
    do {
        int64_t number = 0;
        const char *start = at;
        for (; is_digit(*at); at++)
            if (__builtin_mul_overflow(number, 10, &number) ||
                __builtin_add_overflow(number, *at - '0', &number))
                return false;
        size_t len = strcspn(at, "0123456789");
        size_t unit = first_allowed;
        bool bare = len == 0 && start == text;
        while (unit < 6 &&
               (bare ? strcmp(units[unit].name, "s") != 0
                     : strlen(units[unit].name) != len || strncmp(units[unit].name, at, len) != 0))
            unit++;
        if (at == start || unit == 6 || __builtin_mul_overflow(number, units[unit].ms, &number) ||
            __builtin_add_overflow(total, number, &total))
            return false;
        first_allowed = unit + 1;
        at += len;
    } while (*at);
    *ret_ms = total;
    return true;
}

void text_from_duration(int64_t ms, char out[32]) {
    size_t used = 0;
    uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        out[used++] = '-';
    if (!left)
        memcpy(out, "0s", 3);
    for (size_t unit = 1; unit < 6 && left; unit++) {
        uint64_t size = (uint64_t)units[unit].ms;
        uint64_t count = left / size;
        if (count)
            used += (size_t)snprintf(out + used, 32 - used, "%llu%s", (unsigned long long)count,
                                     units[unit].name);
        left %= size;
    }
}

#define NEAR_MAX 48 /* names longer than this are compared by their beginning */

static char folded(char c) {
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '_' ? '-' : c;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Edits (insert, delete, change, swap of neighbours) between two words. */
static size_t distance(const char *a, const char *b) {
    size_t rows[3][NEAR_MAX + 1];
    size_t *two = rows[0], *one = rows[1], *now = rows[2];
    size_t la = strnlen(a, NEAR_MAX), lb = strnlen(b, NEAR_MAX);
    for (size_t j = 0; j <= lb; j++)
        one[j] = two[j] = j;
    for (size_t i = 1; i <= la; i++) {
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            bool same = folded(a[i - 1]) == folded(b[j - 1]);
            now[j] = least(least(now[j - 1], one[j]) + 1, one[j - 1] + !same);
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]))
                now[j] = least(now[j], two[j - 2] + 1);
        }
        size_t *spare = two;
        two = one;
        one = now;
        now = spare;
    }
    return one[lb];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count) {
    const char *best = NULL;
    size_t best_edits = 0;
    size_t len = strlen(word);
    for (size_t i = 0; i < count; i++) {
        size_t edits = distance(word, candidates[i]);
        bool begins = len >= 2 && strncmp(candidates[i], word, len) == 0;
        if (begins)
            edits = 1;
        size_t allowed = least(len, strlen(candidates[i])) / 3 + 1;
        if (edits <= allowed && edits < len && (!best || edits < best_edits)) {
            best = candidates[i];
            best_edits = edits;
        }
    }
    return best;
}
