/* A file that is there whole or not at all: written beside its place, then moved there. For commands that
   write files which others read meanwhile. */
#ifndef CTCD_CLI_WHOLE_FILE_H
#define CTCD_CLI_WHOLE_FILE_H

#include <stdio.h>
#include <sys/types.h>

struct whole_file {
    FILE *out;
    char *path, *beside; /* owned */
};

/* 0, or an exit code after a message. */
int whole_file_open(struct whole_file *file, const char *path, mode_t mode);
/* Ends it, and is the only end: 0, or an exit code after a message; then the place is as it was. */
int whole_file_commit(struct whole_file *file);

#endif
