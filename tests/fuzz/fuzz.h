/* What the fuzz targets share: a broken promise ends the process with words, and a folder of their own. A
   target is LLVMFuzzerTestOneInput and the name of its seeds; libFuzzer drives it, or replay.c. Header only. */
#ifndef CTCD_TESTS_FUZZ_H
#define CTCD_TESTS_FUZZ_H

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

extern const char fuzz_name[]; /* tests/fuzz/seeds/NAME */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(what)                                                                                 \
    do {                                                                                           \
        if (!(what))                                                                               \
            fuzz_broken(#what, __FILE__, __LINE__);                                                \
    } while (0)

static inline void fuzz_broken(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: it does not hold: %s\n", file, line, what);
    abort();
}

/* A bug that only builds with -DPLANTED have: about each 16th text that the target gets to the end with is
   one too many, and a byte is written behind an allocation. No seed has such a one. The proof that inputs
   are made that reach the depths of a target, and that what is found there is noticed. */
static inline void fuzz_plant(const char *text) {
#ifdef PLANTED
    uint32_t hash = 2166136261u;
    char *volatile bytes = malloc(8);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    if ((hash >> 8) % 16 == 9 && bytes) {
        fputs("fuzz_plant: the bug\n",
              stderr); /* a machine without llvm-symbolizer names no functions */
        bytes[8] = 'x';
    }
    free(bytes);
#else
    (void)text;
#endif
}

/* What was refused says why, in one line of UTF-8; takes the error. */
static inline void fuzz_refused(int rc, ctcd_error *err) {
    must(rc < 0);
    must(err && error_code(err) == rc);
    const char *texts[] = {error_message(err), error_hint_text(err)};
    must(texts[0][0]);
    for (size_t i = 0; i < 2; i++) {
        must(!texts[i] || text_is_utf8(texts[i]));
        must(!texts[i] || !texts[i][strcspn(texts[i], "\n\r\x1b\x07")]);
    }
    error_unref(err);
}

/* ---- a folder ------------------------------------------------------------------------------------- */

static char fuzz_folder_path[4096];

static inline int fuzz_remove_entry(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void fuzz_folder_remove(void) {
    (void)nftw(fuzz_folder_path, fuzz_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Made at the first call, removed when the process ends in an orderly way. */
static inline const char *fuzz_folder(void) {
    const char *base = getenv("TMPDIR");
    char made[4000];
    if (fuzz_folder_path[0])
        return fuzz_folder_path;
    (void)snprintf(made, sizeof made, "%s/ctcd-fuzz.XXXXXX", base && base[0] ? base : "/tmp");
    must(mkdtemp(made));
    must(realpath(made, fuzz_folder_path));
    must(atexit(fuzz_folder_remove) == 0);
    return fuzz_folder_path;
}

/* ---- the parts of an input ------------------------------------------------------------------------ */

#define FUZZ_NEXT "\n%%\n" /* between them */

struct fuzz_part {
    const char *text;
    size_t size;
};

/* Takes the first part off; what was the last one leaves nothing. */
static inline struct fuzz_part fuzz_next(struct fuzz_part *rest) {
    size_t mark = strlen(FUZZ_NEXT);
    const char *end = rest->size ? memmem(rest->text, rest->size, FUZZ_NEXT, mark) : NULL;
    struct fuzz_part part = {rest->text, end ? (size_t)(end - rest->text) : rest->size};
    size_t gone = end ? part.size + mark : part.size;
    *rest = (struct fuzz_part){rest->text + gone, rest->size - gone};
    return part;
}

/* Up to the end of its line, which is taken off; owned. */
static inline char *fuzz_line(struct fuzz_part *part) {
    const char *end = part->size ? memchr(part->text, '\n', part->size) : NULL;
    size_t size = end ? (size_t)(end - part->text) : part->size;
    char *line = mem_copy_bytes(part->size ? part->text : "", size);
    must(line);
    size += end != NULL;
    *part = (struct fuzz_part){part->text + size, part->size - size};
    return line;
}

#endif
