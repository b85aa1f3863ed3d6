/* Every row of the table of states: lock x start record x exit.json x boot; and fences. */
#include "children.h"

#include "base/error.h"

static char boot[ALIVE_BOOT_SIZE];
#define OTHER_BOOT "00000000-1111-2222-3333-444444444444"

static void setup(void) {
    ck_assert_int_eq(alive_boot(boot), 0);
}

static void write_record(const struct nest *n, int64_t generation, const char *of_boot) {
    char text[128];
    (void)snprintf(text, sizeof text, "%lld %s\n", (long long)generation, of_boot);
    nest_write(n, "alive", text);
}

/* A process that holds DIR/alive as a shim does, but writes nothing. bytes: generation + 1, 0 = all. */
static pid_t hold(const struct nest *n, int64_t bytes) {
    pid_t holder = fork();
    if (holder == 0) {
        char path[4300];
        (void)snprintf(path, sizeof path, "%s/alive", n->dir);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = bytes};
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fcntl(fd, F_SETLK, &lock) != 0 || write(n->told, "held\n", 5) != 5)
            _exit(1);
        for (;;)
            (void)pause();
    }
    char line[16];
    nest_hear(n, line, sizeof line);
    return holder;
}

static void let_go(pid_t holder) {
    ck_assert_int_eq(kill(holder, SIGKILL), 0);
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
}

/* ---- held ---------------------------------------------------------------------------------------- */

START_TEST(held_wanted_without_exit_is_running) {
    struct nest *n = nest_new();
    nest_run(n, "exec sleep 600");
    struct child_status s = nest_look(n);
    ck_assert_str_eq(child_state_name(s.state), "running");
    ck_assert(proc_lives(s.shim) && proc_lives(s.pid));
    ck_assert_int_ne(s.started_at, CTCD_TIME_NONE);
    ck_assert_int_eq(s.ended_at, CTCD_TIME_NONE);
    ck_assert_int_eq(s.exit_status, -1);
    ck_assert_int_eq(s.os_errno, 0);
}
END_TEST

START_TEST(held_wanted_with_exit_is_ending) {
    struct nest *n = nest_new();
    n->spec.grace_ms = 10 * LONG;
    /* It ends only when the other one is there and ignores SIGTERM. */
    nest_run(n, "mkfifo gate; sh -c 'trap \"\" TERM; echo >gate; while :; do sleep 1; done' & "
                "read x <gate; exit 4");
    ck_until(nest_look(n).state == CHILD_ENDING);
    struct child_status s = nest_look(n);
    ck_assert_int_eq(s.exit_status, 4);
    ck_assert_int_gt(s.shim, 0);
    ck_assert_int_eq(child_fence(n->dir, 2, NULL), CTCD_AGAIN);
    ck_assert_int_eq(child_signal(n->dir, 1, SIGKILL, NULL), 0);
    s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.exit_status, 4);
    ck_assert_int_eq(s.asked, 0); /* it had ended by itself before */
}
END_TEST

START_TEST(held_without_record_is_starting) {
    struct nest *n = nest_new();
    pid_t holder = hold(n, 2);
    struct child_status s = nest_look(n);
    ck_assert_str_eq(child_state_name(s.state), "starting");
    ck_assert_int_eq(s.shim, holder);
    ck_assert_int_eq(s.newest, 0);
    ck_assert_int_eq(child_fence(n->dir, 2, NULL), CTCD_AGAIN);
    let_go(holder);
    ck_assert_state(n, CHILD_NOT_STARTED);
}
END_TEST

START_TEST(held_with_an_older_record_is_starting) {
    struct nest *n = nest_new();
    write_record(n, 6, boot);
    nest_write(n, "exit.json", "{\"generation\": 6, \"exit_status\": 0}");
    n->spec.generation = 7;
    pid_t holder = hold(n, 8);
    ck_assert_state(n, CHILD_STARTING);
    /* The one before has not come back to life. */
    n->spec.generation = 6;
    ck_assert_state(n, CHILD_ENDED);
    int fd;
    ck_assert_int_eq(child_pidfd(n->dir, 6, &fd, NULL), CTCD_NONE);
    ck_assert_int_eq(child_signal(n->dir, 6, SIGTERM, NULL), CTCD_NONE);
    let_go(holder);
}
END_TEST

/* A lock that does not say its generation: then the record does. */
START_TEST(held_by_hand) {
    struct nest *n = nest_new();
    pid_t holder = hold(n, 0);
    ck_assert_state(n, CHILD_STARTING);
    write_record(n, 1, boot);
    ck_assert_state(n, CHILD_RUNNING);
    nest_write(n, "exit.json", "{\"generation\": 1, \"exit_status\": 0}");
    ck_assert_state(n, CHILD_ENDING);
    n->spec.generation = 2;
    ck_assert_state(n, CHILD_STARTING);
    write_record(n, 3, boot);
    ck_assert_state(n, CHILD_NOT_STARTED);
    let_go(holder);
}
END_TEST

START_TEST(held_by_another_generation) {
    struct nest *n = nest_new();
    n->spec.generation = 7;
    nest_run(n, "exec sleep 600");
    n->spec.generation = 8;
    struct child_status s = nest_look(n);
    ck_assert_str_eq(child_state_name(s.state), "not_started");
    ck_assert_int_eq(s.held_by, 7);
    ck_assert_int_eq(s.newest, 7);
    ck_assert_int_eq(s.shim, 0);
    ck_assert_int_eq(s.pid, 0);
    n->spec.generation = 6;
    s = nest_look(n);
    ck_assert_str_eq(child_state_name(s.state), "not_started");
    ck_assert_int_eq(s.newest, 7);
}
END_TEST

/* Somebody who fences has the lock for an instant, with an OFD lock. */
START_TEST(held_by_a_fence_counts_as_free) {
    struct nest *n = nest_new();
    char path[4300];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    write_record(n, 1, boot);
    (void)snprintf(path, sizeof path, "%s/alive", n->dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    struct child_status s = nest_look(n);
    ck_assert_str_eq(child_state_name(s.state), "monitor_lost");
    ck_assert_int_eq(s.held_by, 0);
    ck_assert_int_eq(child_fence(n->dir, 2, NULL), CTCD_AGAIN);
    int pidfd;
    ck_assert_int_eq(child_pidfd(n->dir, 1, &pidfd, NULL), CTCD_NONE);
    (void)close(fd);
}
END_TEST

/* ---- free ---------------------------------------------------------------------------------------- */

START_TEST(free_without_record_is_not_started) {
    struct nest *n = nest_new();
    ck_assert_state(n, CHILD_NOT_STARTED);
    nest_write(n, "alive", "");
    ck_assert_state(n, CHILD_NOT_STARTED);
    struct child_status s;
    ck_assert_int_eq(child_look("/nowhere at all", 1, &s, NULL), 0);
    ck_assert_int_eq(s.state, CHILD_NOT_STARTED);
    ck_assert_int_eq(s.newest, 0);
}
END_TEST

START_TEST(free_with_an_older_record_is_not_started) {
    struct nest *n = nest_new();
    n->spec.generation = 2;
    write_record(n, 1, boot);
    ck_assert_state(n, CHILD_NOT_STARTED);
    nest_write(n, "exit.json", "{\"generation\": 1, \"exit_status\": 0}");
    ck_assert_state(n,
                    CHILD_NOT_STARTED); /* an old exit.json once answered for a newer generation */
}
END_TEST

START_TEST(free_wanted_with_exit_is_ended) {
    struct nest *n = nest_new();
    char text[128];
    nest_run(n, "exit 3");
    struct child_status s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.exit_status, 3);
    ck_assert_int_eq(s.signal, 0);
    ck_assert_int_eq(s.asked, 0);
    ck_assert_int_eq(s.shim, 0);
    ck_assert_int_ge(s.ended_at, s.started_at);
    child_describe_end(&s, text, sizeof text);
    ck_assert_str_eq(text, "ended with exit status 3");

    n->spec.generation = 2;
    nest_run(n, "kill -ABRT $$");
    s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.exit_status, -1);
    ck_assert_int_eq(s.signal, SIGABRT);
    child_describe_end(&s, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "was killed by signal 6 (Aborted"));
    n->spec.generation = 1; /* its own record is gone, but it was once */
    ck_assert_state(n, CHILD_NOT_STARTED);
}
END_TEST

START_TEST(free_wanted_of_this_boot_is_monitor_lost) {
    struct nest *n = nest_new();
    nest_run(n, "sleep 600 & exec sleep 600");
    struct child_status s = nest_look(n);
    int fd;
    ck_assert_int_eq(child_pidfd(n->dir, 1, &fd, NULL), 0);
    ck_assert_int_eq(kill(s.shim, SIGKILL), 0);
    s = nest_wait(n);
    (void)close(fd);
    ck_assert_str_eq(child_state_name(s.state), "monitor_lost");
    ck_assert(proc_lives(s.pid)); /* a server goes on serving */
    ck_assert_int_eq(child_signal(n->dir, 1, SIGKILL, NULL), CTCD_NONE);
    size_t count = 0;
    ck_assert_int_eq(child_kill_marked(n->marker, &count, NULL), 0);
    ck_assert_uint_ge(count, 1);
    kill_marked(n->marker); /* again and again, as is said there */
    ck_assert(!proc_lives(s.pid));
    ck_assert_state(n, CHILD_MONITOR_LOST);
}
END_TEST

START_TEST(free_wanted_of_another_boot_is_rebooted) {
    struct nest *n = nest_new();
    write_record(n, 1, OTHER_BOOT);
    ck_assert_state(n, CHILD_REBOOTED);
    nest_write(n, "exit.json", "{\"generation\": 1, \"exit_status\": 9}");
    ck_assert_state(n, CHILD_ENDED);
    n->spec.generation = 2;
    ck_assert_state(n, CHILD_NOT_STARTED);
}
END_TEST

START_TEST(an_exit_of_another_generation_says_nothing) {
    struct nest *n = nest_new();
    n->spec.generation = 2;
    write_record(n, 2, boot);
    nest_write(n, "exit.json", "{\"generation\": 1, \"exit_status\": 0}");
    ck_assert_state(n, CHILD_MONITOR_LOST);
    nest_write(n, "exit.json", "{\"generation\": 2, \"exit_st");
    ck_assert_state(n, CHILD_MONITOR_LOST);
    nest_write(n, "exit.json", "[]");
    ck_assert_state(n, CHILD_MONITOR_LOST);
    nest_write(n, "exit.json", "{\"generation\": 2}");
    struct child_status s = nest_look(n);
    char text[128];
    ck_assert_str_eq(child_state_name(s.state), "ended");
    child_describe_end(&s, text, sizeof text);
    ck_assert_str_eq(text, "ended, nobody saw how");
}
END_TEST

START_TEST(records_that_cannot_be_understood_are_none) {
    const char *const texts[] = {"1",
                                 "1 ",
                                 "1\n",
                                 "1 - \n",
                                 "-1 " OTHER_BOOT "\n",
                                 "0 " OTHER_BOOT "\n",
                                 "1 " OTHER_BOOT, /* torn: no end of line */
                                 "1 00000000-1111-2222\n",
                                 "x 1 " OTHER_BOOT "\n",
                                 "\n\n\n",
                                 "fence 1",
                                 "fence -3\nfence x\n"};
    struct nest *n = nest_new();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nest_write(n, "alive", texts[i]);
        struct child_status s = nest_look(n);
        ck_assert_msg(s.state == CHILD_NOT_STARTED && s.newest == 0, "understood: %s", texts[i]);
    }
    char line[16];
    nest_run(n, "echo fine >told");
    nest_hear(n, line, sizeof line);
    (void)nest_wait(n);
    ck_assert_state(n, CHILD_ENDED);
}
END_TEST

START_TEST(what_cannot_be_looked_at) {
    struct nest *n = nest_new();
    char path[4300];
    struct child_status s = {.newest = 77};
    ctcd_error *err = NULL;
    (void)snprintf(path, sizeof path, "%s/alive", n->dir);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_lt(child_look(n->dir, 1, &s, &err), 0);
    ck_assert_int_eq(s.newest, 77);
    ck_assert_ptr_nonnull(err);
    error_done(&err);
    ck_assert_int_lt(child_fence(n->dir, 1, NULL), 0);
}
END_TEST

START_TEST(no_memory) {
    struct nest *n = nest_new();
    struct child_status s = {.newest = 77};
    nest_run(n, "exit 3");
    (void)nest_wait(n);
    int rc = CTCD_E_NOMEM;
    for (uint64_t nth = 1; rc; nth++) {
        ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        rc = child_look(n->dir, 1, &s, &err);
        mem_test_fail_at(0);
        error_done(&err);
        ck_assert(rc == 0 || rc == CTCD_E_NOMEM);
        ck_assert_int_eq(s.newest, rc ? 77 : 1);
    }
    ck_assert_int_eq(s.state, CHILD_ENDED);
    ck_assert_int_eq(s.exit_status, 3);
}
END_TEST

/* ---- fences -------------------------------------------------------------------------------------- */

START_TEST(a_fence_keeps_older_generations_out) {
    struct nest *n = nest_new();
    char *argv[] = {(char *)"touch", (char *)"ran", NULL};
    ck_assert_int_eq(child_fence(n->dir, 4, NULL), 0);
    ck_assert_int_eq(child_fence(n->dir, 2, NULL), 0); /* a fence never moves back */
    for (n->spec.generation = 1; n->spec.generation < 4; n->spec.generation++) {
        ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_EXISTS);
        ck_assert_state(n, CHILD_NOT_STARTED);
    }
    ck_assert(!nest_has(n, "ran"));
    ck_assert_int_eq(nest_start(n, argv, NULL), 0); /* the mutation's own */
    struct child_status s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert(nest_has(n, "ran"));
    n->spec.generation = 3;
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_EXISTS);
}
END_TEST

/* What was known about the last start must not be lost by a fence. */
START_TEST(a_fence_keeps_the_record) {
    struct nest *n = nest_new();
    write_record(n, 1, boot);
    ck_assert_int_eq(child_fence(n->dir, 2, NULL), 0);
    ck_assert_state(n, CHILD_MONITOR_LOST);
    write_record(n, 1, OTHER_BOOT);
    ck_assert_int_eq(child_fence(n->dir, 2, NULL), 0);
    ck_assert_state(n, CHILD_REBOOTED);
}
END_TEST

START_TEST(a_fence_cannot_pass_a_living_shim) {
    struct nest *n = nest_new();
    nest_run(n, "exec sleep 600");
    ck_assert_int_eq(child_fence(n->dir, 2, NULL), CTCD_AGAIN);
    ck_assert_state(n, CHILD_RUNNING);
    ck_assert_int_eq(child_signal(n->dir, 1, SIGKILL, NULL), 0);
    (void)nest_wait(n);
    ck_assert_int_eq(child_fence(n->dir, 2, NULL), 0);
    ck_assert_state(n, CHILD_ENDED);
}
END_TEST

START_TEST(names_of_states) {
    ck_assert_str_eq(child_state_name(CHILD_RUNNING), "running");
    ck_assert_str_eq(child_state_name(CHILD_REBOOTED), "rebooted");
    ck_assert_str_eq(child_state_name((enum child_state)99), "unknown");
}
END_TEST

SUITE_MAIN_WITH("child_look", setup, nests_done, held_wanted_without_exit_is_running,
                held_wanted_with_exit_is_ending, held_without_record_is_starting,
                held_with_an_older_record_is_starting, held_by_hand, held_by_another_generation,
                held_by_a_fence_counts_as_free, free_without_record_is_not_started,
                free_with_an_older_record_is_not_started, free_wanted_with_exit_is_ended,
                free_wanted_of_this_boot_is_monitor_lost, free_wanted_of_another_boot_is_rebooted,
                an_exit_of_another_generation_says_nothing,
                records_that_cannot_be_understood_are_none, what_cannot_be_looked_at, no_memory,
                a_fence_keeps_older_generations_out, a_fence_keeps_the_record,
                a_fence_cannot_pass_a_living_shim, names_of_states)
