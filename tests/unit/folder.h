/* A folder of its own for each test, and paths and files in it. Used by suites of files and logs. */
#ifndef CTCD_TESTS_FOLDER_H
#define CTCD_TESTS_FOLDER_H

#include "suite.h"

static char folder[4096];

static inline void setup(void) {
    suite_folder(folder);
}

static inline void teardown(void) {
    suite_folder_remove(folder);
}

/* A path in the folder; only a few are alive at a time. */
static inline const char *in_folder(const char *name) {
    static char paths[4][4200];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void put(const char *path, const char *bytes, size_t len) {
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

#endif
