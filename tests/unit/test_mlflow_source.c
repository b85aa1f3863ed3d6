/* Model URIs and what they mean, paths that stay where they are meant to be, and the staging folder that
   models come in through. */
#include "suite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/text.h"
#include "deployers/mlflow/source.h"
#include "deployers/mlflow/staging.h"
#include "io/file.h"

/* ---- URIs ----------------------------------------------------------------------------------------- */

START_TEST(uris_and_their_parts) {
    static const struct {
        const char *uri;
        enum source_kind kind;
        const char *name, *part;
    } rows[] = {
        {"models:/digits/12", SOURCE_VERSION, "digits", "12"},
        {"models:/digits/latest", SOURCE_LATEST, "digits", NULL},
        {"models:/digits/LATEST", SOURCE_LATEST, "digits", NULL},
        {"models:/digits/Production", SOURCE_STAGE, "digits", "Production"},
        {"models:/digits/staging", SOURCE_STAGE, "digits", "Staging"},
        {"models:/digits/none", SOURCE_STAGE, "digits", "None"},
        {"models:/digits@champion", SOURCE_ALIAS, "digits", "champion"},
        {"models:/a@b@champion", SOURCE_ALIAS, "a@b", "champion"},
        {"models:/my model.v2@x", SOURCE_ALIAS, "my model.v2", "x"},
        {"MODELS:/digits@champion", SOURCE_ALIAS, "digits", "champion"},
        {"models:/digits", SOURCE_NAME, "digits", NULL},
        {"models:/m-68ad2d569d8c4d389ff89fddf5780aa4", SOURCE_LOGGED,
         "m-68ad2d569d8c4d389ff89fddf5780aa4", NULL},
        {"models:/m-68ad2d569d8c4d389ff89fddf5780aa", SOURCE_NAME,
         "m-68ad2d569d8c4d389ff89fddf5780aa", NULL},
        {"models:/m-68ad2d569d8c4d389ff89fddf5780aa4/3", SOURCE_VERSION,
         "m-68ad2d569d8c4d389ff89fddf5780aa4", "3"},
        {"runs:/fa5dad6ce67a4f57/model", SOURCE_RUN, "fa5dad6ce67a4f57", "model"},
        {"runs:/fa5dad6ce67a4f57/a b/model/", SOURCE_RUN, "fa5dad6ce67a4f57", "a b/model"},
        {"/srv/model", SOURCE_FOLDER, NULL, NULL},
        {"file:///srv/model", SOURCE_FOLDER, NULL, NULL},
        {"s3://bucket/model", SOURCE_FOLDER, NULL, NULL},
        {"models", SOURCE_FOLDER, NULL, NULL},
        {"", SOURCE_FOLDER, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _cleanup_(source_done) struct source source = {0};
        _cleanup_(error_done) ctcd_error *err = NULL;
        ck_assert_msg(source_parse(rows[i].uri, &source, &err) == 0, "%s: %s", rows[i].uri,
                      error_message(err));
        ck_assert_msg(source.kind == rows[i].kind, "%s: %d", rows[i].uri, (int)source.kind);
        ck_assert_msg(text_same(source.name, rows[i].name) && text_same(source.part, rows[i].part),
                      "%s: %s %s", rows[i].uri, source.name, source.part);
    }
}
END_TEST

START_TEST(uris_that_are_none) {
    static const struct {
        const char *uri, *message, *hint;
    } rows[] = {
        {"models:digits/1", "one slash", "models:/NAME/VERSION"},
        {"models://digits/1", "one slash", NULL},
        {"models:/", "no name", NULL},
        {"models:/@champion", "no name", NULL},
        {"models://1", "one slash", NULL},
        {"models:/digits/", "no version behind the name", NULL},
        {"models:/digits@", "no alias", NULL},
        {"models:/digits/0", "no number from 1 on", NULL},
        {"models:/digits/007", "no number from 1 on", NULL},
        {"models:/digits/99999999999999999999", "no number from 1 on", NULL},
        {"models:/digits/1/2", "more than a name and a version", NULL},
        {"models:/digits/champion", "champion is no version, no stage", "models:/NAME@ALIAS"},
        {"models:/digits/Produktion", "did you mean Production?", NULL},
        {"models:/digits/1.0", "is no version", NULL},
        {"models:/dig\nits/1", "no text", NULL},
        {"models:/\xff/1", "no text", NULL},
        {"runs:/", "no id of a run", NULL},
        {"runs:/a b/model", "no id of a run", NULL},
        {"runs:/abc", "no path of a model", NULL},
        {"runs:/abc/", "no path of a model", NULL},
        {"runs:/abc/../../etc", "a plain one", NULL},
        {"runs:/abc//model", "a plain one", NULL},
        {"runs:/abc/./model", "a plain one", NULL},
        {"runs:/abc/a\\b", "a plain one", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct source source = {0};
        _cleanup_(error_done) ctcd_error *err = NULL;
        int rc = source_parse(rows[i].uri, &source, &err);
        ck_assert_msg(rc == CTCD_E_INVALID, "%s: %d", rows[i].uri, rc);
        ck_assert_msg(strstr(error_message(err), rows[i].message), "%s: %s", rows[i].uri,
                      error_message(err));
        ck_assert_msg(!rows[i].hint || strstr(error_hint_text(err), rows[i].hint), "%s: %s",
                      rows[i].uri, error_hint_text(err));
        ck_assert(!source.name && !source.part);
    }
}
END_TEST

START_TEST(paths_that_stay_inside) {
    static const char *const good[] = {"a",   "MLmodel", "data/model.pkl", "a b/ü",
                                       "...", "..a/b.",  ".hidden"};
    static const char *const bad[] = {"",     "/",    "/a",     "a/",    "a//b",  ".",
                                      "..",   "../a", "a/../b", "a/..",  "a/./b", "a\\b",
                                      "a\nb", "\x7f", "\xc3",   "a/\x01"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(source_path_is_safe(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!source_path_is_safe(bad[i]), "%s", bad[i]);
    char path[SOURCE_PATH_BYTES + 2];
    memset(path, 'a', 256);
    path[256] = '\0';
    ck_assert(!source_path_is_safe(path));
    path[255] = '\0';
    ck_assert(source_path_is_safe(path));
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 200 == 199 ? '/' : 'a';
    path[SOURCE_PATH_BYTES + 1] = '\0';
    ck_assert(!source_path_is_safe(path));
    path[SOURCE_PATH_BYTES] = '\0';
    ck_assert(source_path_is_safe(path));
    for (size_t i = 0; i < SOURCE_PATH_DEPTH; i++)
        memcpy(path + 2 * i, "a/", 2);
    path[2 * SOURCE_PATH_DEPTH - 1] = '\0';
    ck_assert(source_path_is_safe(path));
    memcpy(path + 2 * SOURCE_PATH_DEPTH - 1, "/b", 3);
    ck_assert(!source_path_is_safe(path));
}
END_TEST

/* ---- staging -------------------------------------------------------------------------------------- */

static char folder[4096];

static void setup(void) {
    suite_folder(folder);
}

static void teardown(void) {
    suite_folder_remove(folder);
}

#define MAX_BYTES 1000

static void announce(struct staging *s, const char *path, int64_t size, bool is_folder) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_msg(staging_announce(s, path, size, is_folder, MAX_BYTES, &err) == 0, "%s",
                  error_message(err));
}

static void write_all(struct staging *s, const char *text) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    for (size_t i = 0; i < s->count; i++) {
        ck_assert_msg(staging_open(s, i, &err) == 0, "%s", error_message(err));
        if (s->files[i].folder)
            continue;
        for (const char *at = text; *at; at++)
            ck_assert_int_eq(staging_write(s, at, 1), 0);
        ck_assert_msg(staging_close(s, i, &err) == 0, "%s", error_message(err));
    }
}

static size_t entries(const char *name) {
    char command[8400], line[64] = "";
    (void)snprintf(command, sizeof command, "ls '%s/%s' 2>/dev/null | wc -l", folder, name);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, pipe));
    (void)pclose(pipe);
    return strtoul(line, NULL, 10);
}

/* Fetched twice, kept once; the digest is what a person finds with sha256sum. */
START_TEST(the_same_contents_are_kept_once) {
    char first[65] = "", second[65] = "", command[8400], line[80] = "";
    char *place = NULL, *again = NULL;
    struct staging s = {0};
    ck_assert_int_eq(staging_begin(&s, folder, NULL), 0);
    announce(&s, "data", -1, true);
    announce(&s, "MLmodel", 5, false);
    announce(&s, "data/a b", -1, false);
    announce(&s, "data.txt", 5, false);
    write_all(&s, "hello");
    ck_assert_int_eq(staging_finish(&s, first, &place, NULL), 0);
    staging_done(&s);
    (void)snprintf(command, sizeof command,
                   "cd '%s' && find . -type f -printf '%%P\\n' | LC_ALL=C sort | xargs -d '\\n' "
                   "sha256sum | sha256sum",
                   place);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, pipe));
    (void)pclose(pipe);
    ck_assert_msg(strncmp(line, first, 64) == 0, "%s %s", line, first);

    ck_assert_int_eq(staging_begin(&s, folder, NULL), 0);
    announce(&s, "data.txt", -1, false);
    announce(&s, "data", -1, true);
    announce(&s, "MLmodel", -1, false);
    announce(&s, "data/a b", -1, false);
    write_all(&s, "hello");
    ck_assert_int_eq(staging_finish(&s, second, &again, NULL), 0);
    staging_done(&s);
    ck_assert_str_eq(first, second);
    ck_assert_str_eq(place, again);
    ck_assert_uint_eq(entries("models"), 1);
    ck_assert_uint_eq(entries("incoming"), 0);
    mem_free(place);
    mem_free(again);
}
END_TEST

START_TEST(what_is_not_complete_goes) {
    struct staging s = {0};
    _cleanup_(error_done) ctcd_error *err = NULL;
    ck_assert_int_eq(staging_begin(&s, folder, NULL), 0);
    announce(&s, "MLmodel", 6, false);
    ck_assert_int_eq(staging_open(&s, 0, NULL), 0);
    ck_assert_int_eq(staging_write(&s, "hello", 5), 0);
    ck_assert_int_eq(staging_close(&s, 0, &err), CTCD_E_PROTOCOL);
    ck_assert_ptr_nonnull(strstr(error_message(err), "5 bytes instead of the 6"));
    ck_assert_uint_eq(entries("incoming"), 1);
    staging_done(&s);
    ck_assert_uint_eq(entries("incoming"), 0);
    ck_assert_uint_eq(entries("models"), 0);
}
END_TEST

/* A process that died leaves it; a day later it goes, and what is fresh stays. */
START_TEST(what_a_dead_process_left_goes_later) {
    struct staging old = {0}, young = {0}, s = {0};
    ck_assert_int_eq(staging_begin(&old, folder, NULL), 0);
    ck_assert_int_eq(staging_begin(&young, folder, NULL), 0);
    struct timespec times[2] = {{.tv_sec = time(NULL) - 25 * 3600}};
    times[1] = times[0];
    ck_assert_int_eq(utimensat(AT_FDCWD, old.folder, times, 0), 0);
    ck_assert_int_eq(staging_begin(&s, folder, NULL), 0);
    ck_assert(!file_exists(old.folder));
    ck_assert(file_exists(young.folder));
    staging_done(&old);
    staging_done(&young);
    staging_done(&s);
}
END_TEST

START_TEST(listings_that_lie) {
    static const char *const paths[] = {"../x", "/etc/passwd", "a/../../x", "..",
                                        "",     "a\nb",        "a\\..\\b"};
    struct staging s = {0};
    ck_assert_int_eq(staging_begin(&s, folder, NULL), 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        ck_assert_int_eq(staging_announce(&s, paths[i], 1, false, MAX_BYTES, NULL),
                         CTCD_E_PROTOCOL);
    announce(&s, "a", 400, false);
    ck_assert_int_eq(staging_announce(&s, "b", 601, false, MAX_BYTES, NULL), CTCD_E_TOO_LARGE);
    ck_assert_int_eq(staging_announce(&s, "b", INT64_MAX, false, MAX_BYTES, NULL),
                     CTCD_E_TOO_LARGE);
    announce(&s, "b", 600, false);
    announce(&s, "a", -1, true); /* a second time, now as a folder */
    ck_assert_int_eq(staging_open(&s, 0, NULL), 0);
    ck_assert_int_eq(staging_write(&s, "x", 1), 0);
    ck_assert_int_eq(staging_close(&s, 0, NULL), CTCD_E_PROTOCOL);
    ck_assert_int_eq(staging_open(&s, 2, NULL), CTCD_E_PROTOCOL);
    while (s.count < STAGING_FILES_MAX)
        announce(&s, "c", -1, false);
    ck_assert_int_eq(staging_announce(&s, "d", -1, false, MAX_BYTES, NULL), CTCD_E_TOO_LARGE);
    staging_done(&s);
}
END_TEST

SUITE_MAIN_WITH("mlflow_source", setup, teardown, uris_and_their_parts, uris_that_are_none,
                paths_that_stay_inside, the_same_contents_are_kept_once, what_is_not_complete_goes,
                what_a_dead_process_left_goes_later, listings_that_lie)
