/* Folders of fetched models. A model comes in below FOLDER/incoming/UUID and, once it is complete, gets its
   place at FOLDER/models/DIGEST: the same contents are kept once, whoever fetched them, and a half of one
   is never there. What a dead process left coming in is removed a day later.

   The digest is that of a list as sha256sum writes it, so that a person can check it:
       find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum */
#ifndef CTCD_DEPLOYERS_MLFLOW_STAGING_H
#define CTCD_DEPLOYERS_MLFLOW_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"

#define STAGING_FILES_MAX 10000 /* files and folders of one model */

struct staged_file {
    char *path;   /* below the staging folder */
    int64_t size; /* as announced, -1 = it was not */
    bool folder;
    char digest[65];
};

/* Zeroed at first. */
struct staging {
    char *folder; /* FOLDER/incoming/UUID */
    char *root;   /* FOLDER */
    struct staged_file *files;
    size_t count, room;
    int64_t announced; /* bytes */
    /* the file that is being written */
    bool open;
    int fd, os_errno;
    int64_t written;
    struct sha256 sum;
};

int staging_begin(struct staging *s, const char *root, ctcd_error **err);
/* An entry of a listing. PROTOCOL: a path that is not plain (it could lead out of the folder), or that is
   there already; TOO_LARGE: too many, or more than max_bytes together. */
int staging_announce(struct staging *s, const char *path, int64_t size, bool folder,
                     int64_t max_bytes, ctcd_error **err);
/* Makes the folder, or opens the file for writing, of files[index]. */
int staging_open(struct staging *s, size_t index, ctcd_error **err);
/* For http's `take`: data is the staging. Not 0 = it could not be written. */
int staging_write(void *data, const char *bytes, size_t size);
/* The file is complete: PROTOCOL where it is not as long as announced. */
int staging_close(struct staging *s, size_t index, ctcd_error **err);
/* Gives the model its place. *ret: its path; digest: of its contents. */
int staging_finish(struct staging *s, char digest[65], char **ret, ctcd_error **err);
/* What has not got its place is removed. */
void staging_done(struct staging *s);

#endif
