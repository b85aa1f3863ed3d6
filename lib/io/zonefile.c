/* The files of the system's time zone data; see zonefile.h. */
#include "io/zonefile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "io/file.h"

#define PATH_SIZE 4096

/* Where systems keep them; the first that is there. NULL = none is. */
static const char *folder(void) {
    static const char *const places[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                         "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};
    const char *chosen = getenv("TZDIR");
    if (chosen && chosen[0] == '/')
        return chosen;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (file_is_folder(places[i]))
            return places[i];
    return NULL;
}

static bool path_of(const char *in, const char *name, char out[PATH_SIZE]) {
    int n = snprintf(out, PATH_SIZE, "%s/%s", in, name);
    return n > 0 && n < PATH_SIZE;
}

bool zonefile_look(const char *name, struct zonefile_stamp *ret) {
    char path[PATH_SIZE];
    struct stat st;
    const char *in = folder();
    if (!in || !path_of(in, name, path) || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    *ret = (struct zonefile_stamp){st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_size, st.st_dev,
                                   st.st_ino};
    return true;
}

static int not_found(const char *in, const char *name, ctcd_error **err) {
    return error_set(
        err, CTCD_E_NOT_FOUND,
        "names are those of the IANA data, as Europe/Paris; the package tzdata has them",
        "there is no time zone \"%s\" in %s", name, in);
}

/* Is it in the folder, with all links followed? */
static int inside(const char *in, const char *path, bool *ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *real_folder = NULL, *real = NULL;
    int rc = file_real_path(in, &real_folder, err);
    if (!rc)
        rc = file_real_path(path, &real, err);
    if (rc)
        return rc;
    size_t len = strlen(real_folder);
    *ret = text_starts(real, real_folder) && real[len] == '/';
    return 0;
}

int zonefile_read(const char *name, char **ret_bytes, size_t *ret_len,
                  struct zonefile_stamp *ret_stamp, ctcd_error **err) {
    char path[PATH_SIZE];
    const char *in = folder();
    bool there = false;
    if (!in)
        return error_set(err, CTCD_E_NOT_FOUND, "install the package tzdata, or set TZDIR",
                         "the time zone %s cannot be looked up: this machine has no time zone data",
                         name);
    struct zonefile_stamp stamp;
    if (!path_of(in, name, path) || !zonefile_look(name, &stamp))
        return not_found(in, name, err);
    int rc = inside(in, path, &there, err);
    if (rc)
        return rc;
    if (!there)
        return error_set(err, CTCD_E_NOT_ALLOWED, NULL, "the time zone \"%s\" leads out of %s",
                         name, in);
    rc = file_read(path, ZONEFILE_MAX_BYTES, 0, ret_bytes, ret_len, err);
    if (!rc)
        *ret_stamp = stamp;
    return rc;
}
