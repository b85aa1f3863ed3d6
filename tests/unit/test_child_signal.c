/* Ending a child: requests, what it leaves behind, and what is not its own and must be left alone. */
#include "children.h"

#include "base/error.h"

static void ask(const struct nest *n, int sig) {
    ck_assert_int_eq(child_signal(n->dir, n->spec.generation, sig, NULL), 0);
}

/* ---- requests ------------------------------------------------------------------------------------ */

START_TEST(term_reaches_the_main_process) {
    struct nest *n = nest_new();
    char line[16];
    nest_run(n, "trap 'exit 9' TERM; echo ready >told; while :; do sleep 0.05; done");
    nest_hear(n, line, sizeof line);
    ask(n, SIGTERM);
    struct child_status s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.exit_status, 9);
    ck_assert_int_eq(s.asked, SIGTERM);
}
END_TEST

START_TEST(int_reaches_the_main_process) {
    struct nest *n = nest_new();
    char line[16];
    nest_run(n, "trap 'exit 8' INT; echo ready >told; while :; do sleep 0.05; done");
    nest_hear(n, line, sizeof line);
    ask(n, SIGINT);
    struct child_status s = nest_wait(n);
    ck_assert_int_eq(s.exit_status, 8);
    ck_assert_int_eq(s.asked, SIGINT);
}
END_TEST

START_TEST(who_ignores_term_lives_until_kill) {
    struct nest *n = nest_new();
    char line[16];
    nest_run(n, "trap '' TERM; echo ready >told; while :; do sleep 0.05; echo tick; done");
    nest_hear(n, line, sizeof line);
    ask(n, SIGTERM);
    ask(n, SIGTERM);
    ck_assert_state(n, CHILD_RUNNING);
    ask(n, SIGKILL);
    struct child_status s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.signal, SIGKILL);
    ck_assert_int_eq(s.asked, SIGKILL);
    ck_assert_uint_eq(count_marked(n->marker), 0);
}
END_TEST

START_TEST(kill_takes_all_of_them) {
    struct nest *n = nest_new();
    n->spec.grace_ms = 10 * LONG;
    nest_run(n, "trap '' TERM INT HUP; (trap '' TERM; setsid sleep 600 &); sleep 600 & "
                "(sh -c 'sleep 600 & sleep 600') & echo $! >told; wait");
    (void)nest_hear_pid(n);
    ask(n, SIGKILL);
    (void)nest_wait(n);
    ck_assert_uint_eq(count_marked(n->marker), 0);
}
END_TEST

/* New ones are born while the shim looks; it must not stop before none is left. */
START_TEST(kill_wins_against_who_multiplies) {
    struct nest *n = nest_new();
    nest_write(n, "twin.sh",
               "trap '' TERM; [ \"$1\" -gt 0 ] || exit 0\nsetsid sh ./twin.sh $(($1 - 1)) &\n"
               "[ \"$1\" != 200 ] || echo ready >told\nexec sleep 600\n");
    nest_run(n, "exec sh ./twin.sh 200");
    char line[16];
    nest_hear(n, line, sizeof line);
    ask(n, SIGKILL);
    (void)nest_wait(n);
    ck_assert_uint_eq(count_marked(n->marker), 0);
}
END_TEST

START_TEST(what_cannot_be_asked_for) {
    struct nest *n = nest_new();
    ctcd_error *err = NULL;
    ck_assert_int_eq(child_signal(n->dir, 1, SIGTERM, NULL), CTCD_NONE);
    nest_run(n, "exec sleep 600");
    ck_assert_int_eq(child_signal(n->dir, 1, SIGSTOP, &err), CTCD_E_INVALID);
    error_done(&err);
    ck_assert_int_eq(child_signal(n->dir, 1, 0, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(child_signal(n->dir, 2, SIGTERM, NULL), CTCD_NONE);
    int fd = -7;
    ck_assert_int_eq(child_pidfd(n->dir, 2, &fd, NULL), CTCD_NONE);
    ck_assert_int_eq(fd, -7);
    ck_assert_state(n, CHILD_RUNNING);
    ck_assert_int_eq(child_signal("/nowhere at all", 1, SIGTERM, NULL), CTCD_NONE);
}
END_TEST

START_TEST(the_pidfd_is_readable_at_the_end_and_not_before) {
    struct nest *n = nest_new();
    char line[16];
    nest_run(n, "echo ready >told; exec sleep 600");
    nest_hear(n, line, sizeof line);
    int fd;
    ck_assert_int_eq(child_pidfd(n->dir, 1, &fd, NULL), 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&wait, 1, 0), 0);
    ask(n, SIGKILL);
    ck_assert_int_eq(poll(&wait, 1, LONG), 1);
    ck_assert_state(n, CHILD_ENDED); /* at once: the lock is let go before */
    (void)close(fd);
}
END_TEST

/* Groups and sessions get these: a terminal's Ctrl-C, a log-out. */
START_TEST(the_shim_ignores_other_signals) {
    struct nest *n = nest_new();
    const int some[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTSTP, SIGTTOU, SIGWINCH};
    nest_run(n, "exec sleep 600");
    struct child_status s = nest_look(n);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        ck_assert_int_eq(kill(s.shim, some[i]), 0);
    ck_assert_state(n, CHILD_RUNNING);
    ck_assert(proc_lives(s.pid));
    ask(n, SIGTERM); /* and it still works */
    s = nest_wait(n);
    ck_assert_int_eq(s.signal, SIGTERM);
}
END_TEST

START_TEST(who_kills_his_own_group_does_not_kill_the_shim) {
    struct nest *n = nest_new();
    nest_run(n, "kill -KILL 0");
    struct child_status s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.signal, SIGKILL);
    ck_assert_int_eq(s.asked, 0);
}
END_TEST

/* ---- what is left behind ------------------------------------------------------------------------- */

START_TEST(what_is_left_gets_term) {
    struct nest *n = nest_new();
    n->spec.grace_ms = 10 * LONG;
    nest_run(n, "mkfifo gate; sh -c 'trap \"touch heard; exit\" TERM; echo >gate; "
                "while :; do sleep 0.05; done' & read x <gate; exit 2");
    struct child_status s = nest_wait(n);
    ck_assert_int_eq(s.exit_status, 2);
    ck_assert(nest_has(n, "heard"));
}
END_TEST

START_TEST(what_ignores_term_gets_kill_after_the_grace) {
    struct nest *n = nest_new();
    n->spec.grace_ms = 50;
    nest_run(n, "mkfifo gate; sh -c 'trap \"\" TERM; echo >gate; while :; do sleep 1; done' & "
                "read x <gate; exit 2");
    struct child_status s = nest_wait(n);
    ck_assert_int_eq(s.exit_status, 2);
    ck_assert_uint_eq(count_marked(n->marker), 0);
}
END_TEST

START_TEST(without_grace_it_gets_kill_at_once) {
    struct nest *n = nest_new();
    n->spec.grace_ms = 0;
    nest_run(n, "mkfifo gate; sh -c 'trap \"touch heard; exit\" TERM; echo >gate; "
                "while :; do sleep 0.05; done' & read x <gate; exit 2");
    (void)nest_wait(n);
    ck_assert(!nest_has(n, "heard"));
    ck_assert_uint_eq(count_marked(n->marker), 0);
}
END_TEST

START_TEST(daemons_of_the_child_end_with_it) {
    struct nest *n = nest_new();
    nest_run(n, "mkfifo gate; (setsid sh -c 'echo $$ >told; echo >gate; exec sleep 600' &); "
                "read x <gate; exit 0");
    pid_t daemon = nest_hear_pid(n);
    (void)nest_wait(n);
    ck_until(!proc_lives(daemon));
}
END_TEST

/* As servers do that write their title over their environment: known by their session. */
START_TEST(who_hides_its_environment_ends_too) {
    struct nest *n = nest_new();
    nest_run(
        n, "mkfifo gate; env -i PATH=\"$PATH\" sh -c 'echo $$ >told; echo >gate; exec sleep 600' & "
           "read x <gate; exit 0");
    pid_t hidden = nest_hear_pid(n);
    (void)nest_wait(n);
    ck_until(!proc_lives(hidden));
}
END_TEST

/* ---- what is not its own ------------------------------------------------------------------------- */

/* A step that runs `deploy`: its server has a shim, a session and a marker of its own. */
START_TEST(a_server_that_a_step_deployed_outlives_the_step) {
    struct nest *step = nest_new(), *server = nest_new();
    char script[24000];
    (void)snprintf(
        script, sizeof script,
        "export CTCD_MARKER=%s; cd '%s'; setsid '%s' '%s' 1 -- sh -c 'echo $$ >told; exec "
        "sleep 600' & CTCD_MARKER=%s; read x <told; echo $x >told; exit 0",
        server->marker, server->dir, step->shim, server->dir, step->marker);
    nest_run(step, script);
    struct child_status s = nest_wait(step);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.exit_status, 0);
    pid_t serving = nest_hear_pid(server);
    ck_assert(proc_lives(serving));
    ck_assert_state(server, CHILD_RUNNING);
    ck_assert_int_eq(nest_look(server).pid, serving);
    ck_assert_uint_eq(count_marked(step->marker), 0);
    ask(server, SIGTERM);
    ck_assert_int_eq(nest_wait(server).signal, SIGTERM);
}
END_TEST

/* The same with KILL for the step, while the server is a child of the step's shim. */
START_TEST(a_server_that_a_step_deployed_outlives_its_kill) {
    struct nest *step = nest_new(), *server = nest_new();
    char script[24000];
    (void)snprintf(
        script, sizeof script,
        "(cd '%s'; CTCD_MARKER=%s setsid '%s' '%s' 1 -- sh -c 'echo $$ >told; exec sleep 600' &"
        "); exec sleep 600",
        server->dir, server->marker, step->shim, server->dir);
    nest_run(step, script);
    pid_t serving = nest_hear_pid(server);
    ck_until(proc_stat(nest_look(server).shim, 1) == nest_look(step).shim);
    ask(step, SIGKILL);
    struct child_status s = nest_wait(step);
    ck_assert_int_eq(s.signal, SIGKILL);
    ck_assert(proc_lives(serving));
    ck_assert_state(server, CHILD_RUNNING);
}
END_TEST

START_TEST(other_markers_are_never_touched) {
    struct nest *n = nest_new();
    struct nest *longer = nest_new(), *shorter = nest_new(), *none = nest_new();
    char script[2048], line[16];
    /* One that ours is the beginning of, and one that is the beginning of ours. */
    n->marker[30] = '\0';
    memcpy(longer->marker, n->marker, 30);
    memcpy(shorter->marker, n->marker, 30);
    shorter->marker[29] = '\0';
    /* Also in the same session and group; also when our marker stands in another variable. */
    (void)snprintf(script, sizeof script,
                   "for m in %s %s; do CTCD_MARKER=$m OTHER=CTCD_MARKER=%s sleep 600 & done; "
                   "XCTCD_MARKER=%s CTCD_MARKER=%s sleep 600 & echo ready >told; exec sleep 600",
                   longer->marker, shorter->marker, n->marker, n->marker, none->marker);
    nest_run(n, script);
    nest_hear(n, line, sizeof line);
    ck_until(count_marked(longer->marker) == 1 && count_marked(shorter->marker) == 1 &&
             count_marked(none->marker) == 1);
    ask(n, SIGTERM);
    (void)nest_wait(n);
    ck_assert_uint_eq(count_marked(n->marker), 0);
    ck_assert_uint_eq(count_marked(longer->marker), 1);
    ck_assert_uint_eq(count_marked(shorter->marker), 1);
    ck_assert_uint_eq(count_marked(none->marker), 1);
    /* Nobody's lock is kept by them. */
    ck_assert_state(n, CHILD_ENDED);
}
END_TEST

START_TEST(kill_by_marker_spares_the_caller) {
    struct nest *n = nest_new();
    size_t count = 77;
    ck_assert_int_eq(child_kill_marked("", &count, NULL), CTCD_E_INVALID);
    ck_assert_uint_eq(count, 77);
    ck_assert_int_eq(child_kill_marked(n->marker, &count, NULL), 0);
    ck_assert_uint_eq(count, 0);
    nest_run(n, "exec sleep 600");
    pid_t pid = nest_look(n).pid;
    ck_assert_int_eq(child_kill_marked(n->marker, &count, NULL), 0);
    ck_assert_uint_eq(count, 2); /* the shim carries it, too */
    ck_until(!proc_lives(pid) && count_marked(n->marker) == 0);
}
END_TEST

/* An environment longer than what is read at once, the marker not at its beginning. */
START_TEST(a_long_environment) {
    struct nest *n = nest_new();
    char script[512], line[16];
    (void)snprintf(
        script, sizeof script,
        "mkfifo gate; big=$(head -c 100000 /dev/zero | tr '\\0' x); env -i PATH=\"$PATH\" "
        "A=$big CTCD_MARKER=%s B=$big setsid sh -c 'echo >gate; exec sleep 600' & read x <gate; "
        "echo ready >told; exec sleep 600",
        n->marker);
    nest_run(n, script);
    nest_hear(n, line, sizeof line);
    ck_until(count_marked(n->marker) == 3);
    ask(n, SIGTERM);
    (void)nest_wait(n);
    ck_assert_uint_eq(count_marked(n->marker), 0);
}
END_TEST

/* The shim's record when DIR is taken away under it: it must still end, and end what it started. */
START_TEST(the_folder_vanishes) {
    struct nest *n = nest_new();
    nest_run(n, "exec sleep 600");
    struct child_status s = nest_look(n);
    int fd;
    ck_assert_int_eq(child_pidfd(n->dir, 1, &fd, NULL), 0);
    suite_folder_remove(n->dir);
    ck_assert_state(n, CHILD_NOT_STARTED);
    ck_assert_int_eq(kill(s.pid, SIGKILL), 0);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&wait, 1, LONG), 1);
    (void)close(fd);
}
END_TEST

SUITE_MAIN_WITH("child_signal", NULL, nests_done, term_reaches_the_main_process,
                int_reaches_the_main_process, who_ignores_term_lives_until_kill,
                kill_takes_all_of_them, kill_wins_against_who_multiplies, what_cannot_be_asked_for,
                the_pidfd_is_readable_at_the_end_and_not_before, the_shim_ignores_other_signals,
                who_kills_his_own_group_does_not_kill_the_shim, what_is_left_gets_term,
                what_ignores_term_gets_kill_after_the_grace, without_grace_it_gets_kill_at_once,
                daemons_of_the_child_end_with_it, who_hides_its_environment_ends_too,
                a_server_that_a_step_deployed_outlives_the_step,
                a_server_that_a_step_deployed_outlives_its_kill, other_markers_are_never_touched,
                kill_by_marker_spares_the_caller, a_long_environment, the_folder_vanishes)
