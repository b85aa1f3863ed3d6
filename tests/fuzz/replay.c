/* Drives a fuzz target without libFuzzer: each seed once whole and once cut off after each of its bytes.
   With arguments it takes those files instead, whole: a found input can be looked at with any debugger. */
#include "fuzz.h"

#include <dirent.h>

#define SEED_MAX 65536

static size_t take(const char *path, bool cut) {
    static uint8_t bytes[SEED_MAX];
    FILE *file = fopen(path, "re");
    must(file);
    size_t size = fread(bytes, 1, sizeof bytes, file), runs = 0;
    must(!ferror(file) && size < sizeof bytes && fclose(file) == 0);
    printf("%s: %zu bytes\n", path, size);
    (void)fflush(stdout); /* the last line says what it died of */
    for (size_t end = cut ? 0 : size; end <= size; end++, runs++) {
        /* Its own allocation: a byte behind it is one that a sanitizer sees. */
        uint8_t *part = malloc(end ? end : 1);
        must(part);
        memcpy(part, bytes, end);
        (void)LLVMFuzzerTestOneInput(part, end);
        free(part);
    }
    return runs;
}

int main(int argc, char **argv) {
    const char *source = getenv("TEST_SOURCE");
    char folder[4096], path[4400];
    size_t files = 0, runs = 0;
    for (int i = 1; i < argc; i++)
        runs += take(argv[i], false);
    if (argc > 1)
        return 0;
    (void)snprintf(folder, sizeof folder, "%s/tests/fuzz/seeds/%s", source ? source : ".",
                   fuzz_name);
    DIR *dir = opendir(folder);
    must(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        runs += take(path, true);
        files++;
    }
    must(closedir(dir) == 0 && files > 0);
    printf("measured: %s: %zu seeds, %zu inputs with those cut off\n", fuzz_name, files, runs);
    /* As check(1) sums up, for tools/run-suites. */
    printf("100%%: Checks: %zu, Failures: 0, Errors: 0\n", files);
    return 0;
}
