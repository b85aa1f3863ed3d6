/* Logs, rotated or not, see io/log.h. */
#include "io/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "io/file.h"
#include "io/rotate.h"

#define TRIES 8         /* a rotation that comes between is rare */
#define PRINT_BYTES 256 /* before a place */
#define COMPARED 4096   /* of what may stand in both */

/* ---- fit for people -------------------------------------------------------------------------------- */

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* One character (or broken byte) that is no line end; returns how many bytes it took. */
static size_t add_character(struct buf *out, const char *at, size_t left) {
    size_t len = text_utf8_length(at, left);
    if (!len || !*at || (*at != '\t' && text_control(at)))
        buf_add(out, replacement);
    else
        buf_add_bytes(out, at, len);
    return len ? len : 1;
}

static char *clean(const char *bytes, size_t len) {
    struct buf out = {0};
    for (size_t i = 0; i < len;) {
        if (bytes[i] == '\r' && i + 1 < len && bytes[i + 1] == '\n')
            i++;
        if (bytes[i] == '\n' || bytes[i] == '\r') {
            buf_add_char(&out, '\n');
            i++;
        } else {
            i += add_character(&out, bytes + i, len - i);
        }
    }
    return buf_steal(&out);
}

char *text_for_people(const char *bytes, size_t len, size_t lines) {
    char *text = clean(bytes, len);
    if (!text)
        return NULL;
    size_t end = strlen(text);
    while (end && text[end - 1] == '\n') /* blank lines at the end say nothing */
        end--;
    if (!lines)
        end = 0;
    size_t start = end;
    for (; start; start--)
        if (text[start - 1] == '\n' && --lines == 0)
            break;
    memmove(text, text + start, end - start);
    text[end - start] = '\0';
    return text;
}

/* ---- both files as one ----------------------------------------------------------------------------- */

/* What was there when it was opened. Offsets begin with the old copy, and go on in the log. */
struct both {
    const char *path;
    char *old_path;
    int old, now;         /* -1 = not there */
    struct stat old_stat; /* of the name, if it is there */
    int64_t old_size, size;
    int64_t dropped, notice; /* the old copy begins so late, behind a notice of so many bytes */
};

static void both_close(struct both *b) {
    if (b->old >= 0)
        (void)close(b->old);
    if (b->now >= 0)
        (void)close(b->now);
    b->old = b->now = -1;
}

static void both_done(struct both *b) {
    both_close(b);
    mem_free(b->old_path);
}

static int64_t total(const struct both *b) {
    return b->old_size + b->size;
}

static ssize_t read_at(int fd, char *to, size_t size, int64_t at) {
    size_t used = 0;
    while (used < size) {
        ssize_t n = pread(fd, to + used, size - used, at + (int64_t)used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

/* Up to size bytes from an offset of both; -1 = errno. */
static ssize_t both_read(const struct both *b, char *to, size_t size, int64_t at) {
    size_t used = 0;
    if (at < b->old_size) {
        size_t in_old = b->old_size - at < (int64_t)size ? (size_t)(b->old_size - at) : size;
        ssize_t n = read_at(b->old, to, in_old, at);
        if (n < 0 || (size_t)n < in_old)
            return n;
        used = in_old;
    }
    if (used == size || b->now < 0)
        return (ssize_t)used;
    ssize_t n = read_at(b->now, to + used, size - used, at + (int64_t)used - b->old_size);
    return n < 0 ? n : (ssize_t)used + n;
}

/* Opens without ever blocking; a file only. *ret_fd -1: it is not there. */
static int open_one(const char *path, int *ret_fd, struct stat *ret, ctcd_error **err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return error_system(err, errno, "cannot open %s", path);
    *ret_fd = fd;
    if (fstat(fd, ret) != 0)
        return error_system(err, errno, "cannot look at %s", path);
    return S_ISREG(ret->st_mode)
               ? 0
               : error_set(err, CTCD_E_INVALID, NULL, "%s is no regular file", path);
}

/* A rotation that is between its two halves, or was killed there: what the copy holds is in the log, too. */
static bool is_in_both(const struct both *b) {
    char one[COMPARED], other[COMPARED];
    int64_t size = b->old_size < COMPARED ? b->old_size : COMPARED;
    return size > 0 && b->size >= b->old_size &&
           read_at(b->old, one, (size_t)size, b->old_size - size) == size &&
           read_at(b->now, other, (size_t)size, b->old_size - size) == size &&
           memcmp(one, other, (size_t)size) == 0;
}

static int both_open(struct both *b, ctcd_error **err) {
    struct stat st = {0};
    char line[160] = "";
    long long dropped = 0;
    int notice = 0;
    b->old = b->now = -1;
    memset(&b->old_stat, 0, sizeof b->old_stat);
    int rc = open_one(b->old_path, &b->old, &b->old_stat, err);
    if (!rc)
        rc = open_one(b->path, &b->now, &st, err);
    if (rc)
        return rc;
    b->old_size = b->old >= 0 ? b->old_stat.st_size : 0;
    b->size = st.st_size;
    b->dropped = b->notice = 0;
    if (is_in_both(b))
        b->old_size = 0;
    if (b->old_size && read_at(b->old, line, sizeof line - 1, 0) > 0 &&
        sscanf(line, ROTATE_DROPPED "%n", &dropped, &notice) == 1 && dropped > 0 &&
        dropped < INT64_MAX / 4 && notice > 0) { /* the child could have written it, too */
        b->dropped = dropped;
        b->notice = strcspn(line, "\n") + 1 < sizeof line ? (int64_t)strcspn(line, "\n") + 1 : 0;
    }
    return 0;
}

/* Nothing was rotated since they were opened, so what was read is what stood there. */
static bool still_so(const struct both *b) {
    struct stat st = {0};
    if (b->now >= 0 && (fstat(b->now, &st) != 0 || st.st_size < b->size))
        return false;
    if (stat(b->old_path, &st) != 0)
        return b->old < 0;
    return b->old >= 0 && st.st_ino == b->old_stat.st_ino && st.st_dev == b->old_stat.st_dev &&
           st.st_mtim.tv_sec == b->old_stat.st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == b->old_stat.st_mtim.tv_nsec;
}

/* What is to be found out of both, again where they were rotated meanwhile. *text is owned, NULL before. */
struct want {
    int (*take)(const struct both *b, struct want *want, ctcd_error **err);
    size_t lines, most;
    bool ends;
    struct log_place place;
    char *text;
};

static int look(const char *path, struct want *want, ctcd_error **err) {
    _cleanup_(both_done) struct both b = {
        .path = path, .old_path = mem_text("%s.1", path), .old = -1, .now = -1};
    if (!b.old_path)
        return error_nomem(err);
    struct log_place place = want->place;
    for (int tries = 1;; tries++) {
        int rc = both_open(&b, err);
        if (!rc)
            rc = want->take(&b, want, err);
        if (rc || tries == TRIES || still_so(&b))
            return rc;
        both_close(&b);
        mem_free(want->text);
        want->text = NULL;
        want->place = place;
    }
}

/* Bytes [from, from + size) of both, owned; *ret_size: what was there of them. */
static int take_bytes(const struct both *b, int64_t from, size_t size, char **ret, size_t *ret_size,
                      ctcd_error **err) {
    if ((int64_t)size > total(b) - from)
        size = (size_t)(total(b) - from);
    char *bytes = mem_alloc(size + 1);
    if (!bytes)
        return error_nomem(err);
    ssize_t got = both_read(b, bytes, size, from);
    if (got < 0) {
        int failed = errno;
        mem_free(bytes);
        return error_system(err, failed, "cannot read %s", b->path);
    }
    *ret = bytes;
    *ret_size = (size_t)got;
    return 0;
}

/* ---- the last lines -------------------------------------------------------------------------------- */

static bool has_lines(const char *bytes, size_t size, size_t lines) {
    size_t found = 0;
    while (size && bytes[size - 1] == '\n') /* blank ones at the end do not count */
        size--;
    while (size-- && found < lines)
        found += bytes[size] == '\n';
    return found >= lines;
}

/* The end of both that has so many lines in it, and not much more. *ret_from: where it begins. */
static int take_end(const struct both *b, const struct want *want, int64_t *ret_from, char **ret,
                    size_t *ret_size, ctcd_error **err) {
    for (size_t size = LOG_TAIL_BYTES;; size *= 4) {
        size = size < want->most ? size : want->most;
        int64_t from = total(b) > (int64_t)size ? total(b) - (int64_t)size : 0;
        char *bytes = NULL;
        int rc = take_bytes(b, from, size, &bytes, ret_size, err);
        if (rc)
            return rc;
        if (from == 0 || size >= want->most || has_lines(bytes, *ret_size, want->lines)) {
            *ret = bytes;
            *ret_from = from;
            return 0;
        }
        mem_free(bytes);
    }
}

/* Past a first line that is not whole, unless it is all there is. */
static size_t first_whole(const char *bytes, size_t size, int64_t from) {
    const char *cut = from > 0 ? memchr(bytes, '\n', size) : NULL;
    return cut && cut + 1 < bytes + size ? (size_t)(cut + 1 - bytes) : 0;
}

static int last_lines(const struct both *b, struct want *want, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *bytes = NULL;
    size_t size = 0;
    int64_t from = 0;
    if (b->now < 0 && b->old < 0)
        return error_set(err, CTCD_E_NOT_FOUND, NULL, "there is no log %s", b->path);
    int rc = take_end(b, want, &from, &bytes, &size, err);
    if (rc)
        return rc;
    size_t start = first_whole(bytes, size, from);
    want->text = text_for_people(bytes + start, size - start, want->lines);
    return want->text ? 0 : error_nomem(err);
}

int log_last_lines(const char *path, size_t lines, size_t most, char **ret, ctcd_error **err) {
    struct want want = {.take = last_lines, .lines = lines, .most = most};
    int rc = look(path, &want, err);
    if (rc)
        mem_free(want.text);
    else
        *ret = want.text;
    return rc;
}

/* ---- places ---------------------------------------------------------------------------------------- */

void log_place_to_text(const struct log_place *place, char ret[LOG_PLACE_SIZE]) {
    (void)snprintf(ret, LOG_PLACE_SIZE, "%" PRId64 ".%" PRIu32 ".%016" PRIx64, place->at,
                   place->known, place->print);
}

bool log_place_from_text(const char *text, struct log_place *ret) {
    struct log_place place = {0};
    int end = 0;
    if (*text && (sscanf(text, "%18" SCNd64 ".%9" SCNu32 ".%16" SCNx64 "%n", &place.at,
                         &place.known, &place.print, &end) != 3 ||
                  text[end] || place.at < 0 || place.known > PRINT_BYTES))
        return false;
    *ret = place;
    return true;
}

/* FNV-1a. */
static uint64_t print_of(const char *bytes, size_t size) {
    uint64_t print = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        print = (print ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return print;
}

static bool is_place(const struct both *b, const struct log_place *place, int64_t offset) {
    char bytes[PRINT_BYTES];
    int64_t known = place->known;
    return offset >= known && offset <= total(b) &&
           both_read(b, bytes, (size_t)known, offset - known) == known &&
           print_of(bytes, (size_t)known) == place->print;
}

/* The place of an offset of both. In the old copy it is told as it was before the rotation. */
static struct log_place place_of(const struct both *b, int64_t offset) {
    char bytes[PRINT_BYTES];
    bool in_old = offset <= b->old_size && b->old_size > 0;
    int64_t own = in_old ? offset - b->notice : offset - b->old_size;
    if (own < 0)
        return (struct log_place){0};
    struct log_place place = {.at = own + (in_old ? b->dropped : 0)};
    int64_t known = own < PRINT_BYTES ? own : PRINT_BYTES;
    if (known > 0 && both_read(b, bytes, (size_t)known, offset - known) == known)
        place.known = (uint32_t)known;
    place.print = print_of(bytes, place.known);
    return place;
}

/* Where the place is now; false = it was rotated away. */
static bool find_place(const struct both *b, const struct log_place *place, int64_t *ret) {
    int64_t copied = b->dropped + b->old_size - b->notice;
    const int64_t offsets[] = {
        b->old_size + place->at,            /* not rotated since */
        place->at - b->dropped + b->notice, /* in the copy */
        b->old_size + place->at - copied,   /* behind what was copied and taken out */
    };
    if (place->at == 0 && place->known == 0) {
        *ret = 0;
        return true;
    }
    for (size_t i = 0; i < (b->old_size ? 3 : 1); i++) {
        *ret = offsets[i];
        if ((i != 1 || (*ret >= b->notice && *ret <= b->old_size)) &&
            (i != 2 || *ret >= b->old_size) && is_place(b, place, *ret))
            return true;
    }
    *ret = 0;
    return b->old_size && place->at < b->dropped; /* the copy's own notice says it */
}

/* ---- following ------------------------------------------------------------------------------------- */

/* Up to the end of the last line that has one. A \r at the very end may be half of a \r\n. */
static size_t whole_lines(const char *bytes, size_t size) {
    size_t end = size;
    if (end && bytes[end - 1] == '\r')
        end--;
    while (end && bytes[end - 1] != '\n' && bytes[end - 1] != '\r')
        end--;
    return end;
}

/* Cleaned, behind a notice where there is one, and with an end for its last line. */
static int give(struct want *want, const char *notice, const char *bytes, size_t size,
                ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *text = clean(bytes, size);
    size_t len = text ? strlen(text) : 0;
    want->text =
        text ? mem_text("%s%s%s", notice, text, len && text[len - 1] != '\n' ? "\n" : "") : NULL;
    return want->text ? 0 : error_nomem(err);
}

static int begin(const struct both *b, struct want *want, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *bytes = NULL;
    size_t size = 0;
    int64_t from = 0;
    int rc = take_end(b, want, &from, &bytes, &size, err);
    if (rc)
        return rc;
    size_t start = first_whole(bytes, size, from), end = whole_lines(bytes, size);
    if (want->ends)
        end = size;
    _cleanup_(mem_free_ptr) char *text = text_for_people(bytes + start, end - start, want->lines);
    if (!text)
        return error_nomem(err);
    want->place = place_of(b, from + (int64_t)end);
    return give(want, "", text, strlen(text), err);
}

int log_begin(const char *path, size_t lines, bool ends, struct log_place *ret_place, char **ret,
              ctcd_error **err) {
    struct want want = {.take = begin, .lines = lines, .most = LOG_MOST_BYTES, .ends = ends};
    int rc = look(path, &want, err);
    if (rc) {
        mem_free(want.text);
        return rc;
    }
    *ret_place = want.place;
    *ret = want.text;
    return 0;
}

static int go_on(const struct both *b, struct want *want, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *bytes = NULL;
    size_t size = 0;
    int64_t from = 0;
    bool found = find_place(b, &want->place, &from);
    int rc = take_bytes(b, from, LOG_PIECE_BYTES, &bytes, &size, err);
    if (rc)
        return rc;
    size_t end = whole_lines(bytes, size);
    if ((want->ends && size < LOG_PIECE_BYTES) || (!end && size == LOG_PIECE_BYTES))
        end = size;
    if (end || !found)
        want->place = place_of(b, from + (int64_t)end);
    return give(want, found ? "" : LOG_MISSING, bytes, end, err);
}

int log_go_on(const char *path, bool ends, struct log_place *place, char **ret, ctcd_error **err) {
    struct want want = {.take = go_on, .ends = ends, .place = *place};
    int rc = look(path, &want, err);
    if (rc) {
        mem_free(want.text);
        return rc;
    }
    *place = want.place;
    *ret = want.text;
    return 0;
}
