/* Reading a log that is rotated by its writer's shim (io/rotate.h): PATH.1 and PATH are read as one, also
   while they are being rotated. For people: invalid UTF-8 becomes U+FFFD, control characters but tab are
   replaced too, \r\n and lone \r end a line (progress bars). Called by engine and back ends. */
#ifndef CTCD_IO_LOG_H
#define CTCD_IO_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

#define LOG_TAIL_BYTES (64 * 1024)       /* enough for the cause of an error */
#define LOG_MOST_BYTES (4 * 1024 * 1024) /* for who asks for lines */
#define LOG_PIECE_BYTES (256 * 1024)     /* of a log that is followed */

/* The last `lines` lines, at most `most` bytes of the log. Lines are joined by \n, blank ones at the end are
   left out; "" for an empty log. Of a last line that is longer than that, its end. Owned. */
int log_last_lines(const char *path, size_t lines, size_t most, char **ret, ctcd_error **err);

/* A place in a log, which rotation does not move: told by its offset in the file as it was, and by what stands
   before it there. All zero = the beginning. */
struct log_place {
    int64_t at;
    uint32_t known; /* so many bytes before it were taken for the print */
    uint64_t print;
};
#define LOG_PLACE_SIZE 64
void log_place_to_text(const struct log_place *place, char ret[LOG_PLACE_SIZE]);
bool log_place_from_text(const char *text, struct log_place *ret); /* "" = the beginning */

/* Whole lines, each with its \n, and the place after them. ends: nothing more will be written, so a last line
   that has no end is given, too. A log that is not there is empty. *ret is owned. */
int log_begin(const char *path, size_t lines, bool ends, struct log_place *ret_place, char **ret,
              ctcd_error **err);
/* What comes after the place, at most LOG_PIECE_BYTES of it: "" = nothing yet. What was rotated away
   before it could be read is missing, and a line LOG_MISSING in its place says so; also where a log that had
   just been emptied was filled and rotated before the next look, as nothing of it was known then. */
int log_go_on(const char *path, bool ends, struct log_place *place, char **ret, ctcd_error **err);
#define LOG_MISSING "---- ctcd: lines are missing here: the log was rotated before they were read\n"

/* The treatment of log_last_lines for bytes at hand. NULL = out of memory. */
char *text_for_people(const char *bytes, size_t len, size_t lines);

#endif
