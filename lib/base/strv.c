/* Lists of texts, ended by NULL. Called for argument vectors, names and lines. */
#include "base/strv.h"

#include <string.h>

size_t strv_count(char *const *list) {
    size_t count = 0;
    while (list && list[count])
        count++;
    return count;
}

/* The vector has a room of 4, 8, 16, ... slots, which follows from its count: nothing to store. */
static bool make_room(char ***list, size_t count) {
    bool full = !*list || (count + 1 >= 4 && ((count + 1) & count) == 0);
    if (!full)
        return true;
    char **bigger = mem_resize(*list, count ? (count + 1) * 2 : 4, sizeof *bigger);
    if (!bigger)
        return false;
    bigger[count] = NULL;
    *list = bigger;
    return true;
}

bool strv_take(char ***list, char *text) {
    size_t count = strv_count(*list);
    if (!text || !make_room(list, count)) {
        mem_free(text);
        return false;
    }
    (*list)[count] = text;
    (*list)[count + 1] = NULL;
    return true;
}

bool strv_add(char ***list, const char *text) {
    return strv_take(list, mem_copy_text(text));
}

char **strv_copy(char *const *list) {
    char **copy = NULL;
    if (!make_room(&copy, 0))
        return NULL;
    for (size_t i = 0; list && list[i]; i++) {
        if (!strv_add(&copy, list[i])) {
            strv_free(copy);
            return NULL;
        }
    }
    return copy;
}

bool strv_has(char *const *list, const char *text) {
    for (size_t i = 0; list && list[i]; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

void strv_free(char **list) {
    for (size_t i = 0; list && list[i]; i++)
        mem_free(list[i]);
    mem_free(list);
}

void strv_done(char ***list) {
    strv_free(*list);
    *list = NULL;
}
