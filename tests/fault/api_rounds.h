/* Rounds of a scenario with failing allocations, for test_api_faults.c: the home that each begins with, the
   context, what must hold afterwards; k by k, from k on, or place by place. Header only. */
#ifndef CTCD_TESTS_API_ROUNDS_H
#define CTCD_TESTS_API_ROUNDS_H

#include "fake.h"
#include "stand_in.h"

#include <dirent.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"

/* ---- a home to begin with --------------------------------------------------------------------- */

static char template_home[4200];
static struct fake template_fake; /* the servers that run in it */

static void copy_file(const char *from, const char *to) {
    static char block[1 << 16];
    int in = open(from, O_RDONLY | O_CLOEXEC),
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_msg(in >= 0 && out >= 0, "%s -> %s: %s", from, to, strerror(errno));
    for (ssize_t n; (n = read(in, block, sizeof block)) != 0;) {
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(write(out, block, (size_t)n), n);
    }
    (void)close(in);
    (void)close(out);
}

static void copy_tree(const char *from, const char *to) {
    DIR *folder = opendir(from);
    ck_assert_ptr_nonnull(folder);
    ck_assert_int_eq(mkdir(to, 0700), 0);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char source[4600], target[4600];
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        (void)snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        ck_assert_int_eq(lstat(source, &st), 0);
        if (S_ISDIR(st.st_mode))
            copy_tree(source, target);
        else
            copy_file(source, target);
    }
    (void)closedir(folder);
}

/* What lies in memory costs no disk. */
static void setup(void) {
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    fake_reset();
    fake.traces = false;
    suite_folder(api_folder);
    (void)snprintf(template_home, sizeof template_home, "%s/template", api_folder);
    (void)snprintf(api_home, sizeof api_home, "%s/home", api_folder);
}

static void teardown(void) {
    mem_test_fail_at(0);
    ctx = ctcd_context_unref(ctx);
    err = ctcd_error_unref(err);
    suite_folder_remove(api_folder);
}

/* What was given without an error is right. */
static void expect_at(bool right, const char *what, int line) {
    if (!right)
        mem_test_fail_at(0);
    ck_assert_msg(right, "line %d: not so: %s", line, what);
}
#define expect(right) expect_at((right), #right, __LINE__)

/* ---- one scenario, k by k --------------------------------------------------------------------- */

static struct hand hand;
static bool by_hand; /* the context gets the test's clock */
static bool faulty;  /* an allocation fails in this go */
static bool excused; /* the failure was told in what was given */

/* rc of a call that makes something: where it failed, nothing was made. */
#define made(variable, call)                                                                       \
    ((variable) = NULL, (rc = (call)) == 0 || (fails_clean(rc, (variable) == NULL), false))
#define done(call) ((rc = (call)) == 0 || (fails_clean(rc, true), false))

static void fails_clean(int rc, bool untouched) {
    ck_assert_msg(untouched, "an output was touched by a call that failed with %s",
                  ctcd_code_name(rc));
    ck_assert_msg(err != NULL, "%s without an error object", ctcd_code_name(rc));
    ck_assert_msg(ctcd_error_code(err) == rc, "%s, but the error says %s", ctcd_code_name(rc),
                  ctcd_code_name(ctcd_error_code(err)));
    ck_assert_str_ne(ctcd_error_message(err), "");
}

static int begin_context(void) {
    ctcd_model_deployer_vtable table = fake_table();
    ctcd_context *new_ctx = NULL;
    int rc;
    if (!made(new_ctx, ctcd_context_new(0, &new_ctx, &err)))
        return rc;
    if (done(ctcd_context_set_home(new_ctx, api_home, &err)) &&
        done(ctcd_context_register_deployer(new_ctx, &table, &fake, NULL, &err)) &&
        (!by_hand || done(ctcd_context_set_clock(new_ctx, hand_read, &hand, NULL, &err))))
        ctx = new_ctx;
    else
        ctcd_context_unref(new_ctx);
    return rc;
}

typedef int (*scenario_fn)(void);

/* Prepares the home that each round begins with, by what happens in it; the list ends with NULL. */
static void prepare(const scenario_fn *steps) {
    suite_folder_remove(template_home);
    fake_reset();
    fake.traces = false;
    (void)snprintf(api_home, sizeof api_home, "%s/template", api_folder);
    ok(begin_context());
    ok(ctcd_context_open(ctx, &err));
    for (; *steps; steps++)
        ok((*steps)());
    ctx = ctcd_context_unref(ctx);
    template_fake = fake;
    (void)snprintf(api_home, sizeof api_home, "%s/home", api_folder);
}
#define PREPARE(...) prepare((const scenario_fn[]){__VA_ARGS__, NULL})

static int wrongs; /* of this test */

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    (void)puts("");
    wrongs++;
}

/* The scenario with the failure that was armed, then without one. k is for the messages; 0 = unknown. */
static bool round_of(const char *name, scenario_fn scenario, uint64_t k,
                     bool (*over_by_now)(uint64_t k), int64_t *lucky) {
    int64_t live = mem_test_live();
    faulty = true;
    excused = false;
    int rc = begin_context();
    if (!rc)
        rc = scenario();
    faulty = false;
    bool over = over_by_now(k);
    mem_test_fail_if(NULL);
    if (rc != 0 && (over || rc != CTCD_E_NOMEM))
        complain("%s, allocation %d: %s, %s", name, (int)k, ctcd_code_name(rc),
                 ctcd_error_message(err));
    else if (!rc && !over && !excused)
        (*lucky)++;
    if (!rc && !over && !excused && getenv("TEST_SHOW"))
        (void)printf("%s: allocation %d was not missed\n", name, (int)k);
    err = ctcd_error_unref(err);
    if (!ctx)
        ok(begin_context());
    rc = over ? 0 : scenario(); /* the handle is still usable */
    if (rc)
        complain("%s, after allocation %d had failed: %s, %s", name, (int)k, ctcd_code_name(rc),
                 ctcd_error_message(err));
    err = ctcd_error_unref(err);
    ctx = ctcd_context_unref(ctx);
    if (mem_test_live() != live)
        complain("%s, allocation %d: %d blocks leaked", name, (int)k,
                 (int)(mem_test_live() - live));
    return over;
}

static void new_home(bool with_home) {
    suite_folder_remove(api_home);
    if (with_home)
        copy_tree(template_home, api_home);
    fake = template_fake;
    hand.wall = HAND_WALL;
    hand.mono = HAND_MONO;
}

static bool counted_less(uint64_t k) {
    return mem_test_count() < k;
}

#define LATER_ROUNDS 40

/* with_home: in a copy of the prepared one; else there is none at first. */
static void every_allocation(const char *name, scenario_fn scenario, bool with_home) {
    int64_t begun = real_mono(), lucky = 0;
    uint64_t k = 0;
    wrongs = 0;
    for (bool over = false; !over;) {
        new_home(with_home);
        mem_test_fail_at(++k);
        over = round_of(name, scenario, k, counted_less, &lucky);
    }
    /* And where none succeeds any more from some point on: nothing can be undone then, but by the next. */
    for (uint64_t from = 1; from < k; from += 1 + k / LATER_ROUNDS) {
        int64_t ignored = 0;
        new_home(with_home);
        mem_test_fail_from(from);
        (void)round_of(name, scenario, from, counted_less, &ignored);
    }
    (void)printf("%-24s %5d allocations, %d not missed, %d ms\n", name, (int)k - 1, (int)lucky,
                 (int)(real_mono() - begun));
    ck_assert_int_eq(wrongs, 0);
}

/* ---- the same, place by place ----------------------------------------------------------------- */

/* Where processes are started a round takes long, and how often is looked at them is not the same in two
   rounds. There each place fails once, a place being the innermost calls that lead to an allocation. */
#define PLACE_CALLS 6

static uint64_t places[1 << 14]; /* 0 = free */
static size_t place_count;
static bool missed; /* one failed in this go */

/* Is it a new one? Then it is known from now on. */
static bool new_place(void) {
    void *calls[PLACE_CALLS + 4] = {0};
    uint64_t hash = 14695981039346656037u;
    int count = backtrace(calls, PLACE_CALLS + 4);
    for (int i = 4; i < count; i++) /* without those of mem.c and here */
        hash = (hash ^ (uint64_t)(uintptr_t)calls[i]) * 1099511628211u;
    const size_t room = sizeof places / sizeof *places;
    size_t at = hash % room;
    for (; places[at]; at = (at + 1) % room)
        if (places[at] == hash)
            return false;
    ck_assert_uint_lt(++place_count, room / 2);
    places[at] = hash;
    return true;
}

static bool fails_once(void) {
    return !missed && new_place() && (missed = true);
}

static bool only_notes(void) {
    (void)new_place();
    return false;
}

static bool nothing_missed(uint64_t k) {
    (void)k;
    return !missed;
}

/* What happens in a home here has failed at each allocation elsewhere. */
static inline void known_places(scenario_fn scenario) {
    new_home(true);
    mem_test_fail_if(only_notes);
    ok(begin_context());
    ok(scenario());
    mem_test_fail_if(NULL);
    ctx = ctcd_context_unref(ctx);
}

/* How many processes work in the home? */
static int left_running(void) {
    int count = 0;
    DIR *proc = opendir("/proc");
    ck_assert_ptr_nonnull(proc);
    for (struct dirent *entry; (entry = readdir(proc));) {
        char path[300], at[4600];
        (void)snprintf(path, sizeof path, "/proc/%s/cwd", entry->d_name);
        ssize_t size = readlink(path, at, sizeof at - 1);
        at[size > 0 ? size : 0] = '\0';
        count += strncmp(at, api_home, strlen(api_home)) == 0;
    }
    (void)closedir(proc);
    return count;
}

static inline void every_place(const char *name, scenario_fn scenario) {
    int64_t begun = real_mono(), lucky = 0;
    uint64_t rounds = 0;
    wrongs = 0;
    for (bool over = false; !over; rounds++) {
        new_home(true);
        missed = false;
        mem_test_fail_if(fails_once);
        over = round_of(name, scenario, rounds, nothing_missed, &lucky);
        if (left_running())
            complain("%s, place %d: something still runs", name, (int)rounds);
    }
    (void)printf("%-24s %5d places, %d not missed, %d ms\n", name, (int)rounds - 1, (int)lucky,
                 (int)(real_mono() - begun));
    ck_assert_int_eq(wrongs, 0);
}

#endif
