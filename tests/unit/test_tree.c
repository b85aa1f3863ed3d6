/* io/tree: remove, copy and hash without following links. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/tree.h"

static char folder[4096];
static char old_folder[4096];

/* Each test works in its own folder, with relative paths. */
static void setup(void) {
    ck_assert_ptr_nonnull(getcwd(old_folder, sizeof old_folder));
    suite_folder(folder);
    ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void) {
    ck_assert_int_eq(chdir(old_folder), 0);
    suite_folder_remove(folder);
}

static void put(const char *path, const char *text, mode_t mode) {
    ck_assert_int_eq(file_write(path, text, strlen(text), mode, NULL), 0);
}

static void make_tree(const char *root) {
    _cleanup_(mem_free_ptr) char *inner = mem_text("%s/dir/deeper", root);
    _cleanup_(mem_free_ptr) char *a = mem_text("%s/a", root);
    _cleanup_(mem_free_ptr) char *run = mem_text("%s/dir/run", root);
    _cleanup_(mem_free_ptr) char *link = mem_text("%s/dir/link", root);
    _cleanup_(mem_free_ptr) char *out = mem_text("%s/out", root);
    ck_assert_int_eq(file_make_folders(inner, NULL), 0);
    put(a, "alpha", 0644);
    put(run, "#!/bin/sh\n", 0755);
    ck_assert_int_eq(symlink("../a", link), 0);
    ck_assert_int_eq(symlink("/etc", out), 0);
}

static void nest(char *path, size_t size, int depth) {
    (void)snprintf(path, size, "deep");
    for (int i = 1; i < depth; i++)
        (void)strcat(path, "/d");
    ck_assert_int_eq(file_make_folders(path, NULL), 0);
}

START_TEST(a_tree_is_removed_but_not_what_it_points_to) {
    ctcd_error *err = NULL;
    make_tree("t");
    ck_assert_int_eq(mkdir("kept", 0700), 0);
    put("kept/file", "x", 0600);
    ck_assert_int_eq(symlink("../kept", "t/kept"), 0);
    ck_assert_int_eq(symlink("kept", "link"), 0);
    ck_assert_int_eq(mkfifo("t/dir/fifo", 0600), 0);
    ck_assert_int_eq(chmod("t/dir", 0500), 0); /* ours, so it can be made writable */
    ck_assert_int_eq(tree_remove("t//", &err), 0);
    ck_assert_int_eq(tree_remove("link", &err), 0);
    ck_assert(!file_exists("t"));
    ck_assert(file_exists("kept/file"));
    ck_assert_int_eq(tree_remove("kept/file", &err), 0);
    ck_assert_int_eq(tree_remove("kept/file", &err), 0); /* not there = done */
    ck_assert_int_eq(tree_remove("not/there", &err), 0);
    static const char *const never[] = {"", ".", "..", "/", "kept/.", "kept/..", "//", "./"};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        ck_assert_int_eq(tree_remove(never[i], &err), CTCD_E_INVALID);
    ck_assert(file_is_folder("kept"));
    error_done(&err);
}
END_TEST

START_TEST(removal_goes_on_after_a_failure) {
    char path[400];
    ctcd_error *err = NULL;
    nest(path, sizeof path, TREE_MAX_DEPTH);
    ck_assert_int_eq(tree_remove("deep", &err), 0);
    nest(path, sizeof path, TREE_MAX_DEPTH + 1);
    put("deep/d/zzz", "x", 0600);
    ck_assert_int_eq(tree_remove("deep", &err), CTCD_E_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(error_message(err), "within each other"));
    ck_assert(file_exists("deep/d/d"));
    ck_assert(!file_exists("deep/d/zzz"));
    error_done(&err);
    /* Without memory nothing is removed, and it is said. */
    make_tree("t");
    uint64_t nth = 1;
    for (;; nth++) {
        mem_test_fail_at(nth);
        int rc = tree_remove("t", &err);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert(rc == 0 || rc == CTCD_E_NOMEM || rc == CTCD_E_IO);
        if (!reached)
            break;
        error_done(&err);
        if (!file_exists("t"))
            make_tree("t");
    }
    ck_assert(!file_exists("t"));
    error_done(&err);
}
END_TEST

START_TEST(a_copy_has_the_same_hash) {
    char hex[65], other[65];
    struct stat st;
    char target[100];
    make_tree("t");
    ck_assert_int_eq(chmod("t/dir/deeper", 0550), 0);
    ck_assert_int_eq(tree_copy("t", "copy", NULL), 0);
    ck_assert_int_eq(tree_hash("t", hex, NULL), 0);
    ck_assert_int_eq(tree_hash("copy", other, NULL), 0);
    ck_assert_str_eq(hex, other);
    ck_assert_int_eq(stat("copy/dir/run", &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(stat("copy/dir/deeper", &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0550);
    ssize_t len = readlink("copy/out", target, sizeof target - 1);
    ck_assert_int_eq(len, 4);
    ck_assert_int_eq(memcmp(target, "/etc", 4), 0);
    /* A single file; at the top a link is followed. */
    ck_assert_int_eq(symlink("t/dir/run", "top"), 0);
    ck_assert_int_eq(tree_copy("top", "run", NULL), 0);
    ck_assert_int_eq(lstat("run", &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    ck_assert_int_eq(tree_hash("top", hex, NULL), 0);
    ck_assert_int_eq(tree_hash("run", other, NULL), 0);
    ck_assert_str_eq(hex, other);
    /* Long enough for several reads. */
    char *big = mem_alloc(400001);
    memset(big, 'b', 400000);
    put("big", big, 04755);
    mem_free(big);
    ck_assert_int_eq(tree_copy("big", "big2", NULL), 0);
    ck_assert_int_eq(stat("big2", &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755); /* no set-uid */
    ck_assert_int_eq(st.st_size, 400000);
    ck_assert_int_eq(tree_hash("big", hex, NULL), 0);
    ck_assert_int_eq(tree_hash("big2", other, NULL), 0);
    ck_assert_str_eq(hex, other);
}
END_TEST

START_TEST(a_copy_is_whole_or_not_there) {
    ctcd_error *err = NULL;
    make_tree("t");
    ck_assert_int_eq(mkdir("copy", 0700), 0);
    ck_assert_int_eq(tree_copy("t", "copy", &err), CTCD_E_EXISTS);
    ck_assert_int_eq(rmdir("copy"), 0); /* and nothing was put into it */
    ck_assert_int_eq(symlink("gone", "copy"), 0);
    ck_assert_int_eq(tree_copy("t", "copy", &err), CTCD_E_EXISTS);
    ck_assert_int_eq(unlink("copy"), 0);
    ck_assert_int_eq(tree_copy("gone", "copy", &err), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(tree_copy("t", "gone/copy", &err), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(tree_copy("t", "t/dir/copy", &err), CTCD_E_INVALID);
    ck_assert_ptr_nonnull(strstr(error_message(err), "into itself"));
    ck_assert(!file_exists("t/dir/copy"));
    ck_assert_int_eq(mkfifo("t/dir/fifo", 0600), 0);
    ck_assert_int_eq(tree_copy("t", "copy", &err), CTCD_E_INVALID);
    ck_assert_ptr_nonnull(strstr(error_message(err), "t/dir/fifo is neither"));
    ck_assert(!file_exists("copy"));
    ck_assert_int_eq(unlink("t/dir/fifo"), 0);
    ck_assert_int_eq(tree_copy("/dev/null", "copy", &err), CTCD_E_INVALID);
    for (uint64_t nth = 1;; nth++) {
        mem_test_fail_at(nth);
        int rc = tree_copy("t", "copy", &err);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        if (!reached) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_int_eq(rc, CTCD_E_NOMEM);
        ck_assert(!file_exists("copy"));
    }
    error_done(&err);
}
END_TEST

START_TEST(the_hash_sees_what_matters) {
    char first[65], hex[65];
    make_tree("t");
    ck_assert_int_eq(tree_hash("t", first, NULL), 0);
    /* Times and the bits for others do not matter. */
    ck_assert_int_eq(chmod("t/a", 0600), 0);
    put("t/a", "alpha", 0640);
    ck_assert_int_eq(tree_hash("t", hex, NULL), 0);
    ck_assert_str_eq(hex, first);
    put("t/a", "Alpha", 0644);
    ck_assert_int_eq(tree_hash("t", hex, NULL), 0);
    ck_assert_str_ne(hex, first);
    put("t/a", "alpha", 0744); /* executable */
    ck_assert_int_eq(tree_hash("t", hex, NULL), 0);
    ck_assert_str_ne(hex, first);
    put("t/a", "alpha", 0644);
    ck_assert_int_eq(rename("t/a", "t/b"), 0);
    ck_assert_int_eq(tree_hash("t", hex, NULL), 0);
    ck_assert_str_ne(hex, first);
    ck_assert_int_eq(rename("t/b", "t/a"), 0);
    ck_assert_int_eq(rmdir("t/dir/deeper"), 0); /* an empty folder counts */
    ck_assert_int_eq(tree_hash("t", hex, NULL), 0);
    ck_assert_str_ne(hex, first);
    ck_assert_int_eq(mkdir("t/dir/deeper", 0700), 0);
    ck_assert_int_eq(unlink("t/out"), 0);
    ck_assert_int_eq(symlink("/usr", "t/out"), 0);
    ck_assert_int_eq(tree_hash("t", hex, NULL), 0);
    ck_assert_str_ne(hex, first);
    /* A file's hash is sha256sum's; the empty folder's is that of nothing. */
    ck_assert_int_eq(tree_hash("t/a", hex, NULL), 0);
    ck_assert_str_eq(hex, "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8");
    ck_assert_int_eq(tree_hash("t/dir/deeper", hex, NULL), 0);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /* The record, as the header says it. */
    ck_assert_int_eq(mkdir("one", 0700), 0);
    put("one/a", "alpha", 0644);
    put("record", "", 0600);
    FILE *f = fopen("record", "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fprintf(f, "f a%c%s\n", 0,
                             "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"),
                     0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(tree_hash("one", first, NULL), 0);
    ck_assert_int_eq(tree_hash("record", hex, NULL), 0);
    ck_assert_str_eq(first, hex);
}
END_TEST

START_TEST(what_cannot_be_hashed_is_refused) {
    char hex[65] = "untouched";
    char path[400];
    ctcd_error *err = NULL;
    ck_assert_int_eq(tree_hash("gone", hex, &err), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(tree_hash("/dev/null", hex, &err), CTCD_E_INVALID);
    make_tree("t");
    ck_assert_int_eq(mkfifo("t/dir/fifo", 0600), 0);
    ck_assert_int_eq(tree_hash("t", hex, &err), CTCD_E_INVALID);
    ck_assert_int_eq(unlink("t/dir/fifo"), 0);
    nest(path, sizeof path, TREE_MAX_DEPTH + 1);
    ck_assert_int_eq(tree_hash("deep", hex, &err), CTCD_E_TOO_LARGE);
    ck_assert_int_eq(tree_copy("deep", "copy", &err), CTCD_E_TOO_LARGE);
    ck_assert(!file_exists("copy"));
    for (uint64_t nth = 1;; nth++) {
        mem_test_fail_at(nth);
        int rc = tree_hash("t", hex, &err);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        if (!reached) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_int_eq(rc, CTCD_E_NOMEM);
        ck_assert_str_eq(hex, "untouched");
    }
    error_done(&err);
}
END_TEST

START_TEST(many_entries) {
    char hex[65], other[65];
    int count = suite_is_slow() ? 100 : 2000;
    ck_assert_int_eq(mkdir("t", 0700), 0);
    for (int i = 0; i < count; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "t/%d", (i * 7919) % count);
        int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(close(fd), 0);
    }
    ck_assert_int_eq(tree_hash("t", hex, NULL), 0);
    ck_assert_int_eq(tree_hash("t", other, NULL), 0);
    ck_assert_str_eq(hex, other);
    ck_assert_int_eq(tree_remove("t", NULL), 0);
    ck_assert(!file_exists("t"));
}
END_TEST

START_TEST(its_files_are_counted_but_not_what_it_points_to) {
    int64_t bytes = -1;
    make_tree("t");
    ck_assert_int_eq(tree_bytes("t", &bytes, NULL), 0);
    ck_assert_int_eq(bytes, 5 + 10);
    ck_assert_int_eq(tree_bytes("t/a", &bytes, NULL), 0);
    ck_assert_int_eq(bytes, 5);
    ck_assert_int_eq(tree_bytes("t/out", &bytes, NULL), 0);
    ck_assert_int_eq(bytes, 0);
    ck_assert_int_eq(tree_bytes("nothing", &bytes, NULL), 0);
    ck_assert_int_eq(bytes, 0);
}
END_TEST

SUITE_MAIN_WITH("tree", setup, teardown, a_tree_is_removed_but_not_what_it_points_to,
                removal_goes_on_after_a_failure, a_copy_has_the_same_hash,
                a_copy_is_whole_or_not_there, the_hash_sees_what_matters,
                what_cannot_be_hashed_is_refused, many_entries,
                its_files_are_counted_but_not_what_it_points_to)
