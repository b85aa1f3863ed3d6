/* Reading logs (io/log.h): their last lines, and what comes, while they are rotated. */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "io/file.h"
#include "io/log.h"
#include "io/rotate.h"

static void assert_people(const char *bytes, size_t len, size_t lines, const char *expected) {
    _cleanup_(mem_free_ptr) char *text = text_for_people(bytes, len, lines);
    ck_assert_str_eq(text, expected);
}

#define REPLACED "\xef\xbf\xbd"

START_TEST(bytes_become_lines_for_people) {
    assert_people("", 0, 5, "");
    assert_people("a", 1, 5, "a");
    assert_people("a\nb\nc\n", 6, 2, "b\nc");
    assert_people("a\nb\nc", 5, 1, "c");
    assert_people("a\nb\nc", 5, 3, "a\nb\nc");
    assert_people("a\nb\nc", 5, 99, "a\nb\nc");
    assert_people("a\nb", 3, 0, "");
    assert_people("a\n\nb\n\n\n", 7, 2, "\nb");
    assert_people("\n\n", 2, 3, "");
    assert_people("a\r\nb\r\n", 6, 5, "a\nb");
    assert_people("10%\r20%\r", 8, 5, "10%\n20%");
    assert_people("a\tb\x01\x1b[31m\x7f", 10, 5, "a\tb" REPLACED REPLACED "[31m" REPLACED);
    assert_people("a\0b", 3, 5, "a" REPLACED "b");
    assert_people("\xff\xc3", 2, 5, REPLACED REPLACED);
    assert_people("\xc2\x85\xc2\xa0", 4, 5, REPLACED "\xc2\xa0");
    assert_people("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", 11, 5,
                  "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
    mem_test_fail_at(1);
    ck_assert_ptr_null(text_for_people("a", 1, 1));
    mem_test_fail_at(0);
}
END_TEST

START_TEST(tails_of_logs) {
    const char *path = in_folder("log");
    char *text = NULL;
    ctcd_error *err = NULL;
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 20000; i++)
        ck_assert_int_gt(fprintf(f, "line %d\n", i), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(log_last_lines(path, 2, LOG_TAIL_BYTES, &text, NULL), 0);
    ck_assert_str_eq(text, "line 19998\nline 19999");
    mem_free(text);
    /* Not more than the bound, and it begins with a whole line. */
    ck_assert_int_eq(log_last_lines(path, 1000000, LOG_TAIL_BYTES, &text, NULL), 0);
    ck_assert_uint_le(strlen(text), LOG_TAIL_BYTES);
    ck_assert_uint_gt(strlen(text), LOG_TAIL_BYTES - 20);
    ck_assert_int_eq(strncmp(text, "line ", 5), 0);
    mem_free(text);
    /* One line that is longer than the bound. */
    char *line = mem_alloc(3 * LOG_TAIL_BYTES);
    memset(line, 'x', 3 * LOG_TAIL_BYTES);
    put(path, line, 3 * LOG_TAIL_BYTES);
    mem_free(line);
    ck_assert_int_eq(log_last_lines(path, 3, LOG_TAIL_BYTES, &text, NULL), 0);
    ck_assert_uint_eq(strlen(text), LOG_TAIL_BYTES);
    mem_free(text);
    put(path, "", 0);
    ck_assert_int_eq(log_last_lines(path, 3, LOG_TAIL_BYTES, &text, NULL), 0);
    ck_assert_str_eq(text, "");
    mem_free(text);
    text = NULL;
    ck_assert_int_eq(log_last_lines(in_folder("gone"), 3, LOG_TAIL_BYTES, &text, &err),
                     CTCD_E_NOT_FOUND);
    for (uint64_t nth = 1;; nth++) {
        mem_test_fail_at(nth);
        int rc = log_last_lines(path, 3, LOG_TAIL_BYTES, &text, &err);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(rc, reached ? CTCD_E_NOMEM : 0);
        ck_assert_int_eq(text == NULL, reached);
        if (!reached)
            break;
    }
    mem_free(text);
    error_done(&err);
}
END_TEST

/* ---- rotated ---------------------------------------------------------------------------------------- */

#define LIMIT (64 * 1024)

static int writer = -1; /* the child's descriptor */
static int dir = -1;
static struct rotate rotation;
static int written;

static const char *open_log(void) {
    static char path[4200];
    sigset_t told;
    (void)sigemptyset(&told);
    (void)sigaddset(&told, ROTATE_SIGNAL);
    (void)sigprocmask(SIG_BLOCK, &told, NULL);
    (void)snprintf(path, sizeof path, "%s", in_folder("log"));
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    writer = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(writer, 0);
    written = 0;
    rotate_begin(&rotation, dir, writer, LIMIT);
    return path;
}

static void close_log(void) {
    (void)close(writer);
    (void)close(dir);
}

static void write_text(const char *text) {
    ck_assert_int_eq(write(writer, text, strlen(text)), (ssize_t)strlen(text));
}

static void write_lines(int count) {
    for (int i = 0; i < count; i++)
        ck_assert_int_gt(dprintf(writer, "line %d\n", written++), 0);
}

static ino_t old_copy(void) {
    struct stat st = {0};
    (void)fstatat(dir, "log.1", &st, 0);
    return st.st_ino;
}

/* Writes until it is rotated, as its shim would. */
static void write_until_rotated(void) {
    ino_t before = old_copy();
    for (int i = 0; i < 100 && old_copy() == before; i++) {
        write_lines(500);
        ck_assert_int_eq(rotate_look(&rotation), ROTATE_LOOK_MS);
    }
    ck_assert_int_ne((int64_t)old_copy(), (int64_t)before);
}

/* That the text is the lines [first, last). */
static void assert_lines(const char *text, int first, int last) {
    const char *at = text;
    for (int i = first; i < last; i++) {
        char line[32];
        int size = snprintf(line, sizeof line, "line %d\n", i);
        bool same = strncmp(at, line, (size_t)size) == 0 ||
                    (i == last - 1 && strcmp(at, (line[size - 1] = '\0', line)) == 0);
        ck_assert_msg(same, "line %d of %d to %d: %.40s", i, first, last, at);
        at += strlen(at) < (size_t)size ? strlen(at) : (size_t)size;
    }
    ck_assert_msg(!*at, "more than line %d: %.40s", last, at);
}

static void assert_last(const char *path, int lines) {
    char *text = NULL;
    ck_assert_int_eq(log_last_lines(path, (size_t)lines, LOG_MOST_BYTES, &text, NULL), 0);
    assert_lines(text, written - lines, written);
    mem_free(text);
}

START_TEST(last_lines_across_a_rotation) {
    const char *path = open_log();
    write_until_rotated();
    write_lines(10);
    for (int lines = 1; lines <= written; lines = lines * 2 + 1)
        assert_last(path, lines);
    assert_last(path, written);
    /* Many lines are many, however long the tail of an error is. */
    write_until_rotated();
    assert_last(path, 6000);
    close_log();
}
END_TEST

/* The writer's shim is killed between the two halves of a rotation: what is there twice is shown once. */
START_TEST(last_lines_of_half_a_rotation) {
    const char *path = open_log();
    write_lines(6000);
    _cleanup_(mem_free_ptr) char *text = NULL;
    size_t size = 0;
    ck_assert_int_eq(file_read(path, 1 << 20, 0, &text, &size, NULL), 0);
    put(in_folder("log.1"), text, size / 4096 * 4096);
    path = in_folder("log");
    assert_last(path, 6000);
    put(in_folder("log.1"), text, size);
    assert_last(in_folder("log"), 6000);
    close_log();
}
END_TEST

START_TEST(only_the_old_copy_is_there) {
    put(in_folder("log.1"), "a\nb\n", 4);
    char *text = NULL;
    ck_assert_int_eq(log_last_lines(in_folder("log"), 1, LOG_MOST_BYTES, &text, NULL), 0);
    ck_assert_str_eq(text, "b");
    mem_free(text);
    ck_assert_int_eq(mkdir(in_folder("log"), 0700), 0);
    ck_assert_int_eq(log_last_lines(in_folder("log"), 1, LOG_MOST_BYTES, &text, NULL),
                     CTCD_E_INVALID);
}
END_TEST

/* One line of 20 MB takes no more memory than is allowed for. */
START_TEST(a_huge_line) {
    const char *path = open_log();
    write_text("before\n");
    size_t size = 1 << 20;
    char *line = mem_alloc(size + 1), *text = NULL;
    memset(line, 'x', size);
    for (int i = 0; i < 20; i++)
        write_text(line);
    ck_assert_int_eq(log_last_lines(path, 5, LOG_MOST_BYTES, &text, NULL), 0);
    ck_assert_uint_eq(strlen(text), LOG_MOST_BYTES);
    mem_free(text);
    struct log_place place = {0};
    size_t got = 0;
    for (int i = 0; got < 20 * size && i < 200; i++) {
        ck_assert_int_eq(log_go_on(path, false, &place, &text, NULL), 0);
        ck_assert_uint_le(strlen(text), LOG_PIECE_BYTES + 1);
        for (const char *c = text; *c; c++)
            got += *c == 'x';
        mem_free(text);
    }
    ck_assert_uint_eq(got, 20 * size);
    mem_free(line);
    close_log();
}
END_TEST

/* ---- followed --------------------------------------------------------------------------------------- */

/* All that there is after the place: lines [first, written), through the place's text. */
static void assert_goes_on(const char *path, struct log_place *place, int first) {
    _cleanup_(mem_free_ptr) char *all = mem_copy_text("");
    for (;;) {
        char *text = NULL, cursor[LOG_PLACE_SIZE];
        log_place_to_text(place, cursor);
        ck_assert(log_place_from_text(cursor, place));
        ck_assert_int_eq(log_go_on(path, false, place, &text, NULL), 0);
        bool more = *text;
        char *longer = mem_text("%s%s", all, text);
        mem_free(all);
        mem_free(text);
        all = longer;
        if (!more)
            break;
    }
    assert_lines(all, first, written);
}

START_TEST(following) {
    const char *path = in_folder("log");
    struct log_place place;
    char *text = NULL;
    ck_assert_int_eq(log_begin(path, 5, false, &place, &text, NULL), 0); /* not there yet */
    ck_assert_str_eq(text, "");
    mem_free(text);
    path = open_log();
    assert_goes_on(path, &place, 0);
    write_lines(10);
    assert_goes_on(path, &place, 0);
    assert_goes_on(path, &place, 10);
    ck_assert_int_eq(log_begin(path, 3, false, &place, &text, NULL), 0);
    assert_lines(text, 7, 10);
    mem_free(text);
    ck_assert_int_eq(log_begin(path, 0, false, &place, &text, NULL), 0);
    ck_assert_str_eq(text, "");
    mem_free(text);
    assert_goes_on(path, &place, 10);
    /* Whole lines only, until nothing more will come. */
    write_text("line ");
    assert_goes_on(path, &place, 10);
    write_text("10\r");
    assert_goes_on(path, &place, 10);
    write_text("\nrest");
    written++;
    assert_goes_on(path, &place, 10);
    ck_assert_int_eq(log_go_on(path, true, &place, &text, NULL), 0);
    ck_assert_str_eq(text, "rest\n");
    mem_free(text);
    ck_assert_int_eq(log_go_on(path, true, &place, &text, NULL), 0);
    ck_assert_str_eq(text, "");
    mem_free(text);
    ck_assert_int_eq(log_begin(path, 1, true, &place, &text, NULL), 0);
    ck_assert_str_eq(text, "rest\n");
    mem_free(text);
    close_log();
}
END_TEST

START_TEST(following_across_rotations) {
    const char *path = open_log();
    struct log_place place = {0};
    int seen = 0;
    for (int i = 0; i < 6; i++) {
        write_lines(100 * i);
        if (i % 2) { /* some of it was read before it was rotated */
            assert_goes_on(path, &place, seen);
            seen = written;
        }
        write_until_rotated();
        write_lines(i % 3 ? 1 : 50); /* nothing of a log that was empty is no place in it */
        assert_goes_on(path, &place, seen);
        seen = written;
    }
    /* Begun right after a rotation, and then one more. */
    write_until_rotated();
    char *text = NULL;
    ck_assert_int_eq(log_begin(path, 1, false, &place, &text, NULL), 0);
    mem_free(text);
    seen = written;
    write_lines(10);
    assert_goes_on(path, &place, seen);
    seen = written;
    write_until_rotated();
    assert_goes_on(path, &place, seen);
    close_log();
}
END_TEST

/* Somebody who did not read for a while: what is gone is said to be missing. */
START_TEST(following_too_slowly) {
    const char *path = open_log();
    struct log_place place = {0};
    write_lines(100);
    assert_goes_on(path, &place, 0);
    write_until_rotated();
    write_until_rotated();
    char *text = NULL;
    ck_assert_int_eq(log_go_on(path, false, &place, &text, NULL), 0);
    ck_assert_int_eq(strncmp(text, LOG_MISSING, strlen(LOG_MISSING)), 0);
    const char *first = strchr(text + strlen(LOG_MISSING), '\n'); /* after the rest of a line */
    ck_assert_ptr_nonnull(first);
    int number = atoi(first + 6);
    ck_assert_int_gt(number, 100);
    mem_free(text);
    assert_goes_on(path, &place, written);
    /* A burst: the copy itself says what it left out, and nothing that it has is given twice. */
    int seen = written;
    write_lines(4 * LIMIT / 10);
    ck_assert_int_eq(rotate_look(&rotation), ROTATE_LOOK_MS);
    ck_assert_int_eq(log_go_on(path, false, &place, &text, NULL), 0);
    const char *dropped = strstr(text, "---- ctcd: ");
    ck_assert_ptr_nonnull(dropped);
    number = atoi(strchr(dropped, '\n') + 6);
    ck_assert_int_gt(number, seen);
    assert_lines(strchr(dropped, '\n') + 1, number, written);
    mem_free(text);
    assert_goes_on(path, &place, written);
    write_lines(20);
    assert_goes_on(path, &place, written - 20);
    write_until_rotated();
    close_log();
}
END_TEST

/* One who had read up to the burst's end is not told of it. */
START_TEST(following_a_burst_in_time) {
    const char *path = open_log();
    struct log_place place = {0};
    write_lines(4 * LIMIT / 10);
    assert_goes_on(path, &place, 0);
    ck_assert_int_eq(rotate_look(&rotation), ROTATE_LOOK_MS);
    int seen = written;
    write_lines(20);
    assert_goes_on(path, &place, seen);
    close_log();
}
END_TEST

START_TEST(places_as_texts) {
    struct log_place place = {.at = 1};
    ck_assert(log_place_from_text("", &place));
    ck_assert_int_eq(place.at, 0);
    static const char *const bad[] = {"x",      "1",       "1.2",     "1.2.3x",
                                      "-1.0.0", "1.999.0", "1.2.3.4", " "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!log_place_from_text(bad[i], &place), "%s", bad[i]);
}
END_TEST

START_TEST(without_memory) {
    const char *path = open_log();
    struct log_place place = {0};
    ctcd_error *err = NULL;
    write_lines(10);
    for (int what = 0; what < 2; what++) {
        for (uint64_t nth = 1;; nth++) {
            char *text = NULL;
            mem_test_fail_at(nth);
            int rc = what ? log_begin(path, 3, false, &place, &text, &err)
                          : log_go_on(path, false, &place, &text, &err);
            bool reached = mem_test_count() >= nth;
            mem_test_fail_at(0);
            ck_assert_int_eq(rc, reached ? CTCD_E_NOMEM : 0);
            ck_assert_int_eq(text == NULL, reached);
            mem_free(text);
            error_done(&err);
            if (!reached)
                break;
        }
    }
    close_log();
}
END_TEST

SUITE_MAIN_WITH("log", setup, teardown, bytes_become_lines_for_people, tails_of_logs,
                last_lines_across_a_rotation, last_lines_of_half_a_rotation,
                only_the_old_copy_is_there, a_huge_line, following, following_across_rotations,
                following_too_slowly, following_a_burst_in_time, places_as_texts, without_memory)
