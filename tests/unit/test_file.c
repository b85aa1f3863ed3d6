/* io/file and io/random: reading, writing, folders, tails for people, paths. */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/strv.h"
#include "io/file.h"
#include "io/random.h"

START_TEST(a_file_is_read_whole_up_to_a_limit) {
    const char *path = in_folder("a b");
    char *text = NULL;
    size_t len = 0;
    put(path, "ab\0c\n", 5);
    ck_assert_int_eq(file_read(path, 5, 0, &text, &len, NULL), 0);
    ck_assert_uint_eq(len, 5);
    ck_assert_int_eq(memcmp(text, "ab\0c\n", 6), 0);
    mem_free(text);
    text = NULL;
    ctcd_error *err = NULL;
    ck_assert_int_eq(file_read(path, 4, 0, &text, &len, &err), CTCD_E_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(error_message(err), "a b is larger than 4 bytes"));
    error_done(&err);
    ck_assert_ptr_null(text);
    put(path, "", 0);
    ck_assert_int_eq(file_read(path, 0, 0, &text, NULL, NULL), 0);
    ck_assert_str_eq(text, "");
    mem_free(text);
    /* Its size is said to be 0, and it is longer than the first try. */
    ck_assert_int_eq(file_read("/proc/self/smaps", SIZE_MAX, 0, &text, &len, NULL), 0);
    ck_assert_uint_eq(strlen(text), len);
    ck_assert_uint_gt(len, 512);
    mem_free(text);
    text = NULL;
    ck_assert_int_eq(file_read("/proc/self/smaps", 600, 0, &text, &len, NULL), CTCD_E_TOO_LARGE);
    ck_assert_int_eq(file_read("/proc/self/smaps", 3, 0, &text, &len, NULL), CTCD_E_TOO_LARGE);
    ck_assert_ptr_null(text);
}
END_TEST

START_TEST(only_regular_files_are_read) {
    char *text = NULL;
    ctcd_error *err = NULL;
    ck_assert_int_eq(file_read(in_folder("gone"), 9, 0, &text, NULL, &err), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(error_errno(err), ENOENT);
    ck_assert_int_eq(file_read(folder, 9, 0, &text, NULL, &err), CTCD_E_INVALID);
    ck_assert_ptr_nonnull(strstr(error_message(err), "a folder"));
    ck_assert_int_eq(mkfifo(in_folder("fifo"), 0600), 0);
    ck_assert_int_eq(file_read(in_folder("fifo"), 9, 0, &text, NULL, &err), CTCD_E_INVALID);
    ck_assert_int_eq(file_read("/dev/null", 9, 0, &text, NULL, &err), CTCD_E_INVALID);
    put(in_folder("real"), "x", 1);
    ck_assert_int_eq(symlink("real", in_folder("link")), 0);
    ck_assert_int_eq(file_read(in_folder("link"), 9, FILE_NO_FOLLOW, &text, NULL, &err),
                     CTCD_E_NOT_ALLOWED);
    ck_assert_ptr_nonnull(strstr(error_message(err), "symbolic link"));
    ck_assert_ptr_null(text);
    ck_assert_int_eq(file_read(in_folder("link"), 9, 0, &text, NULL, NULL), 0);
    ck_assert_str_eq(text, "x");
    mem_free(text);
    error_done(&err);
}
END_TEST

static mode_t mode_of(const char *path) {
    struct stat st;
    ck_assert_int_eq(lstat(path, &st), 0);
    return st.st_mode;
}

START_TEST(writing_replaces_as_a_whole) {
    const char *path = in_folder("settings");
    char *text = NULL;
    mode_t old = umask(077);
    ck_assert_int_eq(file_write(path, "one", 3, 0644, NULL), 0);
    umask(old);
    ck_assert_uint_eq(mode_of(path) & 07777, 0644); /* exactly: no umask */
    FILE *reader = fopen(path, "r");
    ck_assert_ptr_nonnull(reader);
    ck_assert_int_eq(file_write(path, "two!", 4, 0600, NULL), 0);
    ck_assert_uint_eq(mode_of(path) & 07777, 0600);
    ck_assert_int_eq(fgetc(reader), 'o'); /* who reads the old one, goes on reading it */
    ck_assert_int_eq(fclose(reader), 0);
    ck_assert_int_eq(file_read(path, 9, 0, &text, NULL, NULL), 0);
    ck_assert_str_eq(text, "two!");
    mem_free(text);
    /* A link is replaced, what it points to stays. */
    put(in_folder("target"), "t", 1);
    ck_assert_int_eq(symlink("target", in_folder("link")), 0);
    ck_assert_int_eq(file_write(in_folder("link"), "x", 1, 0600, NULL), 0);
    ck_assert(S_ISREG(mode_of(in_folder("link"))));
    ck_assert_int_eq(file_read(in_folder("target"), 9, 0, &text, NULL, NULL), 0);
    ck_assert_str_eq(text, "t");
    mem_free(text);
}
END_TEST

START_TEST(a_write_that_fails_leaves_nothing) {
    ctcd_error *err = NULL;
    ck_assert_int_eq(file_write(in_folder("gone/x"), "x", 1, 0600, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error_message(err), "gone/x"));
    ck_assert_int_eq(mkdir(in_folder("dir"), 0700), 0);
    ck_assert_int_ne(file_write(in_folder("dir"), "x", 1, 0600, &err), 0);
    ck_assert_int_eq(rmdir(in_folder("dir")), 0);
    for (uint64_t nth = 1;; nth++) {
        mem_test_fail_at(nth);
        int rc = file_write(in_folder("x"), "x", 1, 0600, &err);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(rc, reached ? CTCD_E_NOMEM : 0);
        if (!reached)
            break;
        ck_assert(!file_exists(in_folder("x")));
    }
    error_done(&err);
    ck_assert_int_eq(unlink(in_folder("x")), 0);
    ck_assert_int_eq(rmdir(folder), 0); /* no temporary file was left */
    ck_assert_int_eq(mkdir(folder, 0700), 0);
}
END_TEST

START_TEST(folders_are_made_and_removed) {
    ctcd_error *err = NULL;
    mode_t old = umask(0);
    ck_assert_int_eq(file_make_folder(in_folder("a"), &err), 0);
    ck_assert_int_eq(file_make_folder(in_folder("a"), &err), 0);
    ck_assert_int_eq(file_make_folders(in_folder("a//b/c/"), &err), 0);
    umask(old);
    ck_assert_uint_eq(mode_of(in_folder("a/b/c")) & 07777, 0700);
    ck_assert(file_is_folder(in_folder("a/b")));
    ck_assert_int_eq(file_make_folder(in_folder("x/y"), &err), CTCD_E_NOT_FOUND);
    put(in_folder("file"), "", 0);
    ck_assert_int_eq(file_make_folder(in_folder("file"), &err), CTCD_E_EXISTS);
    ck_assert_ptr_nonnull(strstr(error_message(err), "is no folder"));
    ck_assert_int_ne(file_make_folders(in_folder("file/x"), &err), 0);
    ck_assert_int_eq(symlink("a", in_folder("link")), 0);
    ck_assert_int_eq(file_make_folder(in_folder("link"), &err), 0);
    ck_assert_int_eq(file_make_folders("/", &err), 0);
    ck_assert_int_eq(file_sync_folder(in_folder("a"), &err), 0);
    ck_assert_int_eq(file_sync_folder(in_folder("gone"), &err), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(file_remove(in_folder("link"), &err), 0);
    ck_assert(file_exists(in_folder("a")));
    ck_assert_int_ne(file_remove(in_folder("a"), &err), 0); /* not empty */
    ck_assert_int_eq(file_remove(in_folder("a/b/c"), &err), 0);
    ck_assert_int_eq(file_remove(in_folder("a/b/c"), &err), 0); /* not there = done */
    ck_assert_int_eq(file_remove(in_folder("file"), &err), 0);
    ck_assert(!file_exists(in_folder("file")) && !file_is_folder(in_folder("file")));
    error_done(&err);
}
END_TEST

START_TEST(real_paths) {
    char *path = NULL;
    char *real_folder = NULL;
    ctcd_error *err = NULL;
    put(in_folder("f"), "", 0);
    ck_assert_int_eq(symlink("f", in_folder("l")), 0);
    ck_assert_int_eq(file_real_path(folder, &real_folder, NULL), 0);
    ck_assert_int_eq(file_real_path(in_folder("./l"), &path, NULL), 0);
    _cleanup_(mem_free_ptr) char *expected = mem_text("%s/f", real_folder);
    ck_assert_str_eq(path, expected);
    mem_free(path);
    mem_free(real_folder);
    path = NULL;
    ck_assert_int_eq(file_real_path(in_folder("gone"), &path, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_null(path);
    error_done(&err);
    mem_test_fail_at(1);
    ck_assert_int_eq(file_real_path("/", &path, &err), CTCD_E_NOMEM);
    mem_test_fail_at(0);
    error_done(&err);
}
END_TEST

static void assert_path(char *path, const char *expected) {
    ck_assert_str_eq(path, expected);
    mem_free(path);
}

START_TEST(paths_as_texts) {
    assert_path(path_join("a", "b"), "a/b");
    assert_path(path_join("a/", "b"), "a/b");
    assert_path(path_join("/", "b"), "/b");
    assert_path(path_join("a", "/b"), "/b");
    assert_path(path_join("", "b"), "b");
    assert_path(path_join("a", ""), "a");
    assert_path(path_folder("a/b"), "a");
    assert_path(path_folder("b"), ".");
    assert_path(path_folder("/b"), "/");
    assert_path(path_folder("/"), "/");
    assert_path(path_folder("a//b//"), "a");
    assert_path(path_folder("/a/b/"), "/a");
    assert_path(path_folder(""), ".");
    ck_assert_str_eq(path_name("a/b"), "b");
    ck_assert_str_eq(path_name("b"), "b");
    ck_assert_str_eq(path_name("b/"), "");
}
END_TEST

START_TEST(local_file_systems_are_not_called_network) {
    ck_assert_ptr_null(file_network("/proc"));
    ck_assert_ptr_null(file_network("/proc/not/there/at all"));
    ck_assert_ptr_null(file_network("/dev/null/x"));
}
END_TEST

START_TEST(uuids_and_random_bytes) {
    char **seen = NULL;
    for (int i = 0; i < 200; i++) {
        char uuid[37];
        ck_assert_int_eq(random_uuid(uuid, NULL), 0);
        ck_assert_uint_eq(strlen(uuid), 36);
        ck_assert_uint_eq(strspn(uuid, "0123456789abcdef-"), 36);
        ck_assert(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
        ck_assert_int_eq(uuid[14], '4');
        ck_assert_ptr_nonnull(strchr("89ab", uuid[19]));
        ck_assert(!strv_has(seen, uuid));
        ck_assert(strv_add(&seen, uuid));
    }
    strv_free(seen);
    unsigned char bytes[1000] = {0};
    size_t zeros = 0;
    ck_assert_int_eq(random_bytes(bytes, sizeof bytes, NULL), 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        zeros += bytes[i] == 0;
    ck_assert_uint_lt(zeros, 100);
}
END_TEST

SUITE_MAIN_WITH("file", setup, teardown, a_file_is_read_whole_up_to_a_limit,
                only_regular_files_are_read, writing_replaces_as_a_whole,
                a_write_that_fails_leaves_nothing, folders_are_made_and_removed, real_paths,
                paths_as_texts, local_file_systems_are_not_called_network, uuids_and_random_bytes)
