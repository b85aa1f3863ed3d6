/* Starting a child: what it inherits and what it does not, what the host notices (nothing), and starts
   that must be refused. */
#include "children.h"

#include <pthread.h>

#include "base/error.h"

static void assert_running(const struct nest *n) {
    struct child_status s = nest_look(n);
    ck_assert_str_eq(child_state_name(s.state), "running");
    ck_assert_int_gt(s.shim, 0);
    ck_assert_int_gt(s.pid, 0);
    ck_assert_int_eq(s.held_by, n->spec.generation);
    ck_assert_int_eq(s.newest, n->spec.generation);
}

static void assert_ended(const struct nest *n, int exit_status) {
    struct child_status s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.exit_status, exit_status);
}

START_TEST(the_shim_holds_the_lock_when_start_returns) {
    struct nest *n = nest_new();
    nest_run(n, "exec sleep 600");
    assert_running(n);
    char boot[ALIVE_BOOT_SIZE], wanted[64], alive[256];
    ck_assert_int_eq(alive_boot(boot), 0);
    (void)snprintf(wanted, sizeof wanted, "1 %s", boot);
    nest_read(n, "alive", alive, sizeof alive);
    ck_assert_int_eq(strncmp(alive, wanted, strlen(wanted)), 0);
}
END_TEST

START_TEST(it_has_a_session_and_a_group_of_its_own) {
    struct nest *n = nest_new();
    nest_run(n, "exec sleep 600");
    struct child_status s = nest_look(n);
    ck_assert_int_eq(proc_stat(s.shim, 3), s.shim);
    ck_assert_int_ne(s.shim, getsid(0));
    ck_assert_int_eq(proc_stat(s.pid, 3), s.shim);
    ck_assert_int_eq(proc_stat(s.pid, 2), s.pid);
    ck_assert_int_eq(proc_stat(s.pid, 1), s.shim);
    ck_assert_int_ne(proc_stat(s.shim, 1), getpid());
}
END_TEST

START_TEST(orphans_become_children_of_the_shim) {
    struct nest *n = nest_new();
    nest_run(n, "(sh -c 'echo $$ >told; exec sleep 600' &) ; exec sleep 600");
    pid_t orphan = nest_hear_pid(n);
    ck_until(proc_stat(orphan, 1) == nest_look(n).shim);
}
END_TEST

static volatile sig_atomic_t chld_seen;

static void on_chld(int sig) {
    (void)sig;
    chld_seen++;
}

START_TEST(the_host_hears_nothing_of_it) {
    struct nest *n = nest_new();
    struct sigaction action = {.sa_handler = on_chld}, before;
    ck_assert_int_eq(sigaction(SIGCHLD, &action, &before), 0);
    chld_seen = 0;
    for (n->spec.generation = 1; n->spec.generation <= 5; n->spec.generation++) {
        nest_run(n, "exit 7");
        assert_ended(n, 7);
    }
    ck_assert_int_eq(chld_seen, 0);
    if (suite_forks()) { /* no zombie, of whichever kind */
        ck_assert_int_eq(waitpid(-1, NULL, (int)(WNOHANG | __WALL)), -1);
        ck_assert_int_eq(errno, ECHILD);
    }
    ck_assert_int_eq(sigaction(SIGCHLD, &before, NULL), 0);
}
END_TEST

START_TEST(sigchld_may_be_ignored_by_the_host) {
    struct nest *n = nest_new();
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    nest_run(n, "sh -c 'exit 3'; exit $?");
    assert_ended(n, 3);
    (void)signal(SIGCHLD, before);
}
END_TEST

static void reap_everything(int sig) {
    (void)sig;
    int kept = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = kept;
}

START_TEST(the_host_may_wait_for_any_child) {
    struct nest *n = nest_new();
    void (*before)(int) = signal(SIGCHLD, reap_everything);
    for (n->spec.generation = 1; n->spec.generation <= 10; n->spec.generation++) {
        pid_t own = fork(); /* so that the handler has something to do meanwhile */
        if (own == 0)
            _exit(0);
        nest_run(n, "exit 5");
        assert_ended(n, 5);
    }
    (void)signal(SIGCHLD, before);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}
END_TEST

/* `sh` would tidy up: cat shows what it was given. */
START_TEST(signals_of_the_host_do_not_reach_it) {
    struct nest *n = nest_new();
    const int some[] = {SIGINT, SIGHUP, SIGTERM, SIGPIPE, SIGUSR1, SIGQUIT, SIGCHLD};
    sigset_t block, before;
    (void)sigemptyset(&block);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        (void)sigaddset(&block, some[i]);
        (void)signal(some[i], SIG_IGN);
    }
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &block, &before), 0);
    char *argv[] = {(char *)"grep", (char *)"-E", (char *)"^Sig(Blk|Ign|Pnd)",
                    (char *)"/proc/self/status", NULL};
    ck_assert_int_eq(nest_start(n, argv, NULL), 0);
    assert_ended(n, 0);
    sigset_t after;
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, &before, &after), 0);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        ck_assert_int_eq(sigismember(&after, some[i]), 1); /* as the host had it */
        (void)signal(some[i], SIG_DFL);
    }
    char log[1024];
    nest_read(n, "log", log, sizeof log);
    unsigned long long pending = 1, blocked = 1, ignored = 1;
    ck_assert_int_eq(
        sscanf(log, "SigPnd: %llx SigBlk: %llx SigIgn: %llx", &pending, &blocked, &ignored), 3);
    ck_assert_uint_eq(pending, 0);
    ck_assert_uint_eq(blocked, 0);
    /* The C library's own two signals (32, 33) are ignored in whatever posix_spawn started, as make
       does; nobody can change that through the C library, and nobody sends them. */
    ck_assert_uint_eq(ignored & ~(3ULL << 31), 0);
}
END_TEST

/* Descriptors of a process: "0 1 2", sorted; more than 31 are not told apart. */
static unsigned descriptors(pid_t pid) {
    char path[64];
    unsigned found = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    struct dirent *entry;
    while ((entry = readdir(folder))) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.')
            found |= 1u << (fd < 31 ? fd : 31);
    }
    (void)closedir(folder);
    return found;
}

static bool has_open(pid_t pid, const char *what) {
    char path[64], target[4096];
    for (int fd = 0; fd < 32; fd++) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        if (strstr(target, what))
            return true;
    }
    return false;
}

START_TEST(descriptors_of_the_host_do_not_leak) {
    struct nest *n = nest_new();
    int leaky[40];
    for (size_t i = 0; i < 40; i++)
        ck_assert_int_ge(leaky[i] = open("/dev/zero", O_RDONLY), 0); /* without O_CLOEXEC */
    nest_run(n, "exec sleep 600");
    struct child_status s = nest_look(n);
    ck_until(descriptors(s.pid) == 7); /* the loader opens libraries for a moment */
    ck_assert(!has_open(s.shim, "/dev/zero"));
    ck_assert(!has_open(s.shim, "/log")); /* it can be moved away without asking us */
    ck_until(!has_open(s.shim, "pipe:")); /* closed when we have been told */
    for (size_t i = 0; i < 40; i++)
        (void)close(leaky[i]);
}
END_TEST

START_TEST(the_listener_arrives_as_descriptor_3) {
    struct nest *n = nest_new();
    int port = 0;
    ck_assert_int_eq(process_listen("127.0.0.1", 0, &n->spec.listen_fd, &port, NULL), 0);
    nest_run(n, "exec sleep 600");
    struct child_status s = nest_look(n);
    char path[64], target[64], ours[64];
    (void)snprintf(path, sizeof path, "/proc/%d/fd/3", (int)s.pid);
    ssize_t length = readlink(path, target, sizeof target - 1);
    ck_assert_int_gt(length, 0);
    target[length] = '\0';
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", n->spec.listen_fd);
    length = readlink(path, ours, sizeof ours - 1);
    ck_assert_int_gt(length, 0);
    ours[length] = '\0';
    ck_assert_str_eq(target, ours);
    ck_until(descriptors(s.pid) == 15);
    ck_assert(!has_open(s.shim, "socket:")); /* else the port stayed taken after the server's end */
    (void)close(n->spec.listen_fd);
}
END_TEST

/* The numbers of what is handed over then are the very ones that it is handed over to. */
START_TEST(the_host_may_have_closed_its_standard_descriptors) {
    struct nest *n = nest_new();
    int kept[3], port;
    (void)fflush(NULL);
    for (int fd = 0; fd < 3; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 20);
        (void)close(fd);
    }
    int first = process_listen("127.0.0.1", 0, &n->spec.listen_fd, &port, NULL);
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)"echo fine; echo bad >&2; exec sleep 600",
                    NULL};
    int rc = nest_start(n, argv, NULL);
    (void)close(n->spec.listen_fd);
    for (int fd = 0; fd < 3; fd++) {
        if (kept[fd] >= 0) {
            (void)dup2(kept[fd], fd);
            (void)close(kept[fd]);
        }
    }
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(rc, 0);
    char log[64];
    ck_until((nest_read(n, "log", log, sizeof log), strcmp(log, "fine\nbad\n") == 0));
    ck_until(descriptors(nest_look(n).pid) == 15);
}
END_TEST

/* The value of a variable of a process as it was started; NULL = not set, or twice. */
static const char *variable(pid_t pid, const char *key) {
    static char all[262144];
    char path[64];
    const char *found = NULL;
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t n;
    while ((n = read(fd, all + length, sizeof all - 1 - length)) > 0)
        length += (size_t)n;
    (void)close(fd);
    all[length] = '\0';
    for (char *entry = all; entry < all + length; entry += strlen(entry) + 1) {
        size_t size = strlen(key);
        if (strncmp(entry, key, size) == 0 && entry[size] == '=') {
            if (found)
                return NULL;
            found = entry + size + 1;
        }
    }
    return found;
}

START_TEST(the_environment_is_ours_without_ctcd) {
    struct nest *n = nest_new();
    setenv("CTCD_MARKER", "of somebody else", 1);
    setenv("CTCD_HOME", "/nowhere", 1);
    setenv("CTCD_TEST_KEPT_NOT", "1", 1);
    setenv("TEST_KEPT", "as it was", 1);
    setenv("TEST_CHANGED", "old", 1);
    char *env[] = {(char *)"TEST_CHANGED=first", (char *)"CTCD_RUN_ID=r1",
                   (char *)"TEST_CHANGED=new",   (char *)"CTCD_MARKER=not this",
                   (char *)"TEST_EMPTY=",        NULL};
    n->spec.env = env;
    char *argv[] = {(char *)"sleep", (char *)"600", NULL};
    ck_assert_int_eq(nest_start(n, argv, NULL), 0);
    unsetenv("CTCD_MARKER");
    unsetenv("CTCD_HOME");
    unsetenv("CTCD_TEST_KEPT_NOT");
    pid_t pid = nest_look(n).pid;
    ck_until(variable(pid, "PATH") != NULL); /* none in the middle of an exec */
    ck_assert_str_eq(variable(pid, "CTCD_MARKER"), n->marker);
    ck_assert_ptr_null(variable(pid, "CTCD_HOME"));
    ck_assert_ptr_null(variable(pid, "CTCD_TEST_KEPT_NOT"));
    ck_assert_str_eq(variable(pid, "CTCD_RUN_ID"), "r1");
    ck_assert_str_eq(variable(pid, "TEST_KEPT"), "as it was");
    ck_assert_str_eq(variable(pid, "TEST_CHANGED"), "new");
    ck_assert_str_eq(variable(pid, "TEST_EMPTY"), "");
    ck_assert_str_eq(variable(pid, "PATH"), getenv("PATH"));
}
END_TEST

START_TEST(the_working_folder) {
    struct nest *n = nest_new();
    char here[4096], path[64], target[4096];
    nest_run(n, "exec sleep 600");
    (void)snprintf(path, sizeof path, "/proc/%d/cwd", (int)nest_look(n).pid);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    char *real = realpath(n->dir, NULL);
    ck_assert_str_eq(target, real);
    free(real);
    /* The shim keeps no folder busy. */
    (void)snprintf(path, sizeof path, "/proc/%d/cwd", (int)nest_look(n).shim);
    length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    ck_assert_str_eq(target, "/");

    struct nest *other = nest_new();
    other->spec.cwd = NULL;
    nest_run(other, "exec sleep 600");
    (void)snprintf(path, sizeof path, "/proc/%d/cwd", (int)nest_look(other).pid);
    length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_str_eq(target, here);
}
END_TEST

START_TEST(a_missing_working_folder_is_an_error_and_no_start) {
    struct nest *n = nest_new();
    ctcd_error *err = NULL;
    char *argv[] = {(char *)"true", NULL};
    n->spec.cwd = "/nowhere at all";
    ck_assert_int_eq(nest_start(n, argv, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(ctcd_error_message(err), "/nowhere at all"));
    error_done(&err);
    ck_assert_state(n, CHILD_NOT_STARTED);
    ck_assert(!nest_has(n, "alive"));
}
END_TEST

START_TEST(a_program_that_cannot_be_run) {
    struct nest *n = nest_new();
    char *missing[] = {(char *)"no-such-program", NULL};
    char *folder[] = {(char *)"/", NULL};
    char text[256], log[512];
    ck_assert_int_eq(nest_start(n, missing, NULL), 0);
    struct child_status s = nest_look(n); /* exit.json is there when start returns */
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.os_errno, ENOENT);
    ck_assert_int_eq(s.exit_status, -1);
    ck_assert_int_ne(s.ended_at, CTCD_TIME_NONE);
    child_describe_end(&s, text, sizeof text);
    ck_assert_str_eq(text, "could not be run: No such file or directory");
    nest_read(n, "log", log, sizeof log);
    ck_assert_str_eq(log, "ctcd-shim: cannot run no-such-program: No such file or directory\n");
    (void)nest_wait(n);

    n->spec.generation = 2;
    ck_assert_int_eq(nest_start(n, folder, NULL), 0);
    s = nest_wait(n);
    ck_assert_str_eq(child_state_name(s.state), "ended");
    ck_assert_int_eq(s.os_errno, EACCES);
}
END_TEST

START_TEST(a_missing_shim) {
    struct nest *n = nest_new();
    char *argv[] = {(char *)"true", NULL};
    ctcd_error *err = NULL;
    n->spec.shim_path = "/nowhere/ctcd-shim";
    ck_assert_int_eq(nest_start(n, argv, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(ctcd_error_message(err), "/nowhere/ctcd-shim"));
    error_done(&err);
    ck_assert(!nest_has(n, "alive"));
}
END_TEST

START_TEST(a_shim_that_says_nothing) {
    struct nest *n = nest_new();
    char *argv[] = {(char *)"true", NULL};
    n->spec.shim_path = "/bin/true";
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_TIMEOUT);
    ck_assert_state(n, CHILD_NOT_STARTED);
    n->spec.shim_path = n->shim; /* and one that comes late after all */
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_EXISTS);
    n->spec.generation = 2;
    ck_assert_int_eq(nest_start(n, argv, NULL), 0);
    assert_ended(n, 0);
}
END_TEST

/* A real shim that is held up until the host has given up: it must leave. */
START_TEST(a_shim_that_comes_too_late_leaves) {
    struct nest *n = nest_new();
    char gate[4200], script[4200], text[16384], line[64];
    (void)snprintf(gate, sizeof gate, "%s/gate", n->dir);
    (void)snprintf(script, sizeof script, "%s/slow shim", n->dir);
    ck_assert_int_eq(mkfifo(gate, 0600), 0);
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\nread x <'%s'\n'%s' \"$@\"\necho left $? >'%s/told'\n", gate, n->shim,
                   n->dir);
    nest_write(n, "slow shim", text);
    ck_assert_int_eq(chmod(script, 0700), 0);
    n->spec.shim_path = script;
    child_test_start_ms = 50;
    char *argv[] = {(char *)"touch", (char *)"ran", NULL};
    int rc = nest_start(n, argv, NULL);
    child_test_start_ms = CHILD_START_MS;
    ck_assert_int_eq(rc, CTCD_E_TIMEOUT);
    nest_write(n, "gate", "go\n");
    nest_hear(n, line, sizeof line);
    ck_assert_str_eq(line, "left 1");
    ck_assert(!nest_has(n, "ran"));
    ck_assert_state(n, CHILD_NOT_STARTED);
}
END_TEST

/* As a step may do it with kill -9 $PPID: it was started, so nobody may say that it was not. */
START_TEST(a_shim_that_its_child_kills_before_it_tells) {
    for (int i = 0; i < 40; i++) {
        struct nest *n = nest_new();
        nest_run(n, "kill -9 $PPID; exec sleep 300");
        ck_until(nest_look(n).state == CHILD_MONITOR_LOST);
        size_t found = 1;
        for (int64_t end = test_now() + LONG; found && test_now() < end;)
            ck_assert_int_eq(child_kill_marked(n->marker, &found, NULL), 0);
        ck_assert_uint_eq(found, 0);
    }
}
END_TEST

START_TEST(the_log_is_appended_to) {
    struct nest *n = nest_new();
    struct stat st;
    char log[256];
    mode_t before = umask(0);
    nest_run(n, "echo one; echo two >&2");
    (void)umask(before);
    assert_ended(n, 0);
    ck_assert_int_eq(stat(n->log, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    n->spec.generation = 2;
    nest_run(n, "echo three");
    assert_ended(n, 0);
    nest_read(n, "log", log, sizeof log);
    ck_assert_str_eq(log, "one\ntwo\nthree\n");
    n->spec.log = NULL;
    n->spec.generation = 3;
    nest_run(n, "echo nowhere");
    assert_ended(n, 0);
}
END_TEST

/* Rotation by copy and truncate: what is written next must start at the new beginning. */
START_TEST(the_log_may_be_truncated) {
    struct nest *n = nest_new();
    char log[256], line[16];
    nest_run(n, "echo before; echo 1 >told; while [ ! -e go ]; do :; done; "
                "echo after");
    nest_hear(n, line, sizeof line);
    ck_assert_int_eq(truncate(n->log, 0), 0);
    nest_write(n, "go", "");
    assert_ended(n, 0);
    nest_read(n, "log", log, sizeof log);
    ck_assert_str_eq(log, "after\n");
}
END_TEST

START_TEST(a_log_that_is_no_file) {
    struct nest *n = nest_new();
    char *argv[] = {(char *)"true", NULL};
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/told", n->dir); /* a FIFO */
    n->spec.log = path;
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_INVALID);
    (void)snprintf(path, sizeof path, "%s/link", n->dir);
    ck_assert_int_eq(symlink("log", path), 0);
    ck_assert_int_lt(nest_start(n, argv, NULL), 0);
    n->spec.log = n->dir;
    ck_assert_int_lt(nest_start(n, argv, NULL), 0);
    ck_assert(!nest_has(n, "alive"));
}
END_TEST

START_TEST(one_folder_holds_one_child) {
    struct nest *n = nest_new();
    char *argv[] = {(char *)"touch", (char *)"ran", NULL};
    char before[256], after[256];
    n->spec.generation = 5;
    nest_run(n, "exec sleep 600");
    nest_read(n, "alive", before, sizeof before);
    for (n->spec.generation = 4; n->spec.generation <= 6; n->spec.generation++)
        ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_CONFLICT);
    nest_read(n, "alive", after, sizeof after);
    ck_assert_str_eq(after,
                     before); /* a refused start once overwrote the record of a live server */
    n->spec.generation = 5;
    assert_running(n);
    ck_assert_int_eq(child_signal(n->dir, 5, SIGKILL, NULL), 0);
    (void)nest_wait(n);
    for (n->spec.generation = 4; n->spec.generation <= 5; n->spec.generation++)
        ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_EXISTS);
    ck_assert(!nest_has(n, "ran"));
    n->spec.generation = 6;
    ck_assert_int_eq(nest_start(n, argv, NULL), 0);
    assert_ended(n, 0);
    ck_assert(nest_has(n, "ran"));
}
END_TEST

START_TEST(what_cannot_be_started) {
    struct nest *n = nest_new();
    char *argv[] = {(char *)"true", NULL}, *none[] = {NULL};
    ck_assert_int_eq(nest_start(n, none, NULL), CTCD_E_INVALID);
    n->spec.generation = 0;
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_INVALID);
    n->spec.generation = 1;
    n->spec.marker = "";
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_INVALID);
    n->spec.marker = n->marker;
    n->spec.shim_path = "ctcd-shim";
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_INVALID);
    n->spec.shim_path = n->shim;
    n->spec.dir = "relative";
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_INVALID);
    n->spec.dir = "/nowhere at all";
    n->spec.log = NULL;
    n->spec.cwd = NULL;
    ck_assert_int_eq(nest_start(n, argv, NULL), CTCD_E_NOT_FOUND);
}
END_TEST

START_TEST(arguments_arrive_as_they_are) {
    struct nest *n = nest_new();
    char log[256];
    char *argv[] = {(char *)"printf", (char *)"[%s]\\n",  (char *)"--report", (char *)"--",
                    (char *)"",       (char *)"a b\n\"'", (char *)"--grace",  NULL};
    ck_assert_int_eq(nest_start(n, argv, NULL), 0);
    assert_ended(n, 0);
    nest_read(n, "log", log, sizeof log);
    ck_assert_str_eq(log, "[--report]\n[--]\n[]\n[a b\n\"']\n[--grace]\n");
}
END_TEST

/* A copy of the host that lives on must not look like a living child. */
START_TEST(a_fork_of_the_host_does_not_hold_the_lock) {
    struct nest *n = nest_new();
    nest_run(n, "exec sleep 600");
    pid_t copy = fork();
    if (copy == 0) {
        for (;;)
            (void)pause();
    }
    ck_assert_int_eq(child_signal(n->dir, 1, SIGKILL, NULL), 0);
    struct child_status s = nest_wait(n);
    (void)kill(copy, SIGKILL);
    (void)waitpid(copy, NULL, 0);
    ck_assert_str_eq(child_state_name(s.state), "ended");
}
END_TEST

START_TEST(it_outlives_the_host) {
    struct nest *n = nest_new();
    pid_t host = fork();
    if (host == 0) {
        char *argv[] = {(char *)"sleep", (char *)"600", NULL};
        (void)nest_start(n, argv, NULL);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(host, NULL, 0), host);
    assert_running(n);
    ck_assert(proc_lives(nest_look(n).pid));
}
END_TEST

START_TEST(no_memory) {
    struct nest *n = nest_new();
    char *argv[] = {(char *)"true", NULL};
    int rc = CTCD_E_NOMEM;
    uint64_t nth = 1;
    for (; rc; nth++) {
        ctcd_error *err = NULL;
        mem_test_fail_at(nth);
        rc = nest_start(n, argv, &err);
        mem_test_fail_at(0);
        error_done(&err);
        if (rc) {
            ck_assert_int_eq(rc, CTCD_E_NOMEM);
            ck_assert_state(n, CHILD_NOT_STARTED);
            ck_assert(!nest_has(n, "alive"));
        }
    }
    ck_assert_uint_gt(nth, 10);
    assert_ended(n, 0);
}
END_TEST

struct starter {
    pthread_t thread;
    struct nest *nest;
    int failed;
};

static void *start_many(void *data) {
    struct starter *starter = data;
    struct nest *n = starter->nest;
    char *argv[] = {(char *)"true", NULL};
    for (int i = 0; i < 10; i++, n->spec.generation++) {
        int fd, rc = nest_start(n, argv, NULL);
        struct child_status s;
        if (rc) {
            starter->failed = rc;
            break;
        }
        if (child_pidfd(n->dir, n->spec.generation, &fd, NULL) == 0) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            (void)poll(&wait, 1, LONG);
            (void)close(fd);
        }
        if (child_look(n->dir, n->spec.generation, &s, NULL) || s.exit_status != 0)
            starter->failed = CTCD_E_FAILED;
    }
    return NULL;
}

START_TEST(several_threads_start_at_once) {
    struct starter starters[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        starters[i].nest = nest_new();
        ck_assert_int_eq(pthread_create(&starters[i].thread, NULL, start_many, &starters[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(starters[i].thread, NULL), 0);
        ck_assert_int_eq(starters[i].failed, 0);
    }
}
END_TEST

SUITE_MAIN_WITH("child_start", NULL, nests_done, the_shim_holds_the_lock_when_start_returns,
                it_has_a_session_and_a_group_of_its_own, orphans_become_children_of_the_shim,
                the_host_hears_nothing_of_it, sigchld_may_be_ignored_by_the_host,
                the_host_may_wait_for_any_child, signals_of_the_host_do_not_reach_it,
                descriptors_of_the_host_do_not_leak, the_listener_arrives_as_descriptor_3,
                the_host_may_have_closed_its_standard_descriptors,
                the_environment_is_ours_without_ctcd, the_working_folder,
                a_missing_working_folder_is_an_error_and_no_start, a_program_that_cannot_be_run,
                a_missing_shim, a_shim_that_says_nothing, a_shim_that_comes_too_late_leaves,
                a_shim_that_its_child_kills_before_it_tells, the_log_is_appended_to,
                the_log_may_be_truncated, a_log_that_is_no_file, one_folder_holds_one_child,
                what_cannot_be_started, arguments_arrive_as_they_are,
                a_fork_of_the_host_does_not_hold_the_lock, it_outlives_the_host, no_memory,
                several_threads_start_at_once)
