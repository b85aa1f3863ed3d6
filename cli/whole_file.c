/* See whole_file.h. */
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

static int failed(struct whole_file *file, int why) {
    int status = why == EACCES || why == EPERM || why == EROFS ? EXIT_NOT_ALLOWED
                 : why == ENOENT || why == ENOTDIR             ? EXIT_NOT_FOUND
                                                               : EXIT_FAILED;
    status = complain(status, NULL, "%s cannot be written: %s", file->path, strerror(why));
    if (file->out)
        fclose(file->out);
    if (file->beside)
        unlink(file->beside);
    free(file->beside);
    free(file->path);
    *file = (struct whole_file){0};
    return status;
}

int whole_file_open(struct whole_file *file, const char *path, mode_t mode) {
    struct stat there;
    *file = (struct whole_file){.path = text_of("%s", path)};
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        /* A pipe or a terminal has no beside. */
        file->out = S_ISDIR(there.st_mode) ? NULL : fopen(path, "we");
        return file->out ? 0 : failed(file, S_ISDIR(there.st_mode) ? EISDIR : errno);
    }
    file->beside = text_of("%s.XXXXXX", path);
    int fd = mkostemp(file->beside, O_CLOEXEC);
    if (fd < 0) {
        int why = errno;
        free(file->beside);
        file->beside = NULL;
        return failed(file, why);
    }
    file->out = fchmod(fd, mode) == 0 ? fdopen(fd, "w") : NULL;
    if (file->out)
        return 0;
    int why = errno;
    close(fd);
    return failed(file, why);
}

int whole_file_commit(struct whole_file *file) {
    int bad = ferror(file->out);
    errno = 0;
    if (fflush(file->out) != 0 || bad || (file->beside && fsync(fileno(file->out)) != 0))
        return failed(file, errno ? errno : EIO);
    FILE *out = file->out;
    file->out = NULL;
    if (fclose(out) != 0 || (file->beside && rename(file->beside, file->path) != 0))
        return failed(file, errno);
    free(file->beside);
    free(file->path);
    *file = (struct whole_file){0};
    return 0;
}
