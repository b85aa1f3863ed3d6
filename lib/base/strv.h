/* A list of texts, owned, ended by NULL: argument vectors, names, lines. */
#ifndef CTCD_BASE_STRV_H
#define CTCD_BASE_STRV_H

#include <stdbool.h>

#include "base/mem.h"

size_t strv_count(char *const *list);          /* NULL counts as empty */
bool strv_add(char ***list, const char *text); /* false = out of memory, list unchanged */
bool strv_take(char ***list, char *text);      /* owns text, also on failure */
char **strv_copy(char *const *list);
bool strv_has(char *const *list, const char *text);
void strv_free(char **list);
void strv_done(char ***list); /* for _cleanup_ */

#endif
