/* The event loop: order within a dispatch, late hosts, nested waits, threads, signals, forks. Time is a held
   clock that the tests move, but where the timerfd is meant. Watches: test_loop_watch.c. */
#include "loop_jobs.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#define NET_MS 20000 /* a safety net, never a measure */

static int64_t real_mono(void *data) {
    struct timespec now;
    (void)data;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct clock real = {real_mono, real_mono, NULL, false, -1};

/* ---- tasks ---- */

START_TEST(tasks_run_once_in_turn) {
    struct job a = job_of('a'), b = job_of('b');
    trace[0] = '\0';
    ck_assert(!readable(loop_fd(loop)));
    ck_assert_int_eq(loop_deadline(loop), INT64_MAX);
    loop_post(loop, &b.task);
    loop_post(loop, &a.task);
    loop_post(loop, &b.task);
    ck_assert(readable(loop_fd(loop)));
    ck_assert(loop_posted(loop, &a.task));
    ck_assert_int_eq(loop_deadline(loop), held_now);
    dispatch();
    ck_assert_str_eq(trace, "ba");
    ck_assert(!readable(loop_fd(loop)));
    ck_assert(!loop_posted(loop, &a.task));
    dispatch();
    ck_assert_str_eq(trace, "ba");
}
END_TEST

START_TEST(task_posted_by_a_task_waits_for_the_next_dispatch) {
    struct job a = job_of('a'), b = job_of('b');
    trace[0] = '\0';
    a.then = &b;
    b.then = &b;
    loop_post(loop, &a.task);
    dispatch();
    ck_assert_str_eq(trace, "a");
    ck_assert(readable(loop_fd(loop)));
    dispatch();
    dispatch();
    ck_assert_str_eq(trace, "abb");
    loop_unpost(loop, &b.task);
    loop_unpost(loop, &b.task);
    dispatch();
    ck_assert_str_eq(trace, "abb");
    ck_assert(!readable(loop_fd(loop)));
}
END_TEST

START_TEST(dispatch_is_bounded) {
    struct job jobs[200];
    trace[0] = '\0';
    for (int i = 0; i < 200; i++) {
        jobs[i] = job_of((char)('a' + i % 26));
        loop_post(loop, &jobs[i].task);
    }
    for (size_t done = LOOP_BATCH; done < 200; done += LOOP_BATCH) {
        dispatch();
        ck_assert_uint_eq(strlen(trace), done);
        ck_assert(readable(loop_fd(loop)));
    }
    dispatch();
    ck_assert_uint_eq(strlen(trace), 200);
    ck_assert(!readable(loop_fd(loop)));
}
END_TEST

START_TEST(freeing_lets_go_of_what_is_queued) {
    struct job a = job_of('a'), b = job_of('b');
    int ends[2];
    trace[0] = '\0';
    with_pipe(ends);
    loop_post(loop, &a.task);
    ck_assert_int_eq(loop_watch_add(loop, &b.watch, ends[0], EPOLLIN, 0, NULL), 0);
    ck_assert_int_eq(loop_timer_add(loop, &b.timer, NULL), 0);
    loop_timer_set(&b.timer, 5000);
    loop = loop_free(loop);
    ck_assert(!a.task.queued);
    loop_watch_remove(&b.watch);
    loop_timer_remove(&b.timer);
    ck_assert_str_eq(trace, "");
    close_pipe(ends);
    ck_assert_ptr_null(loop_free(NULL));
}
END_TEST

/* ---- threads and signals ---- */

#define THREADS 4
#define POSTS 1000

static _Atomic int remote_runs;

static void on_remote(struct loop_task *task) {
    (void)task;
    atomic_fetch_add(&remote_runs, 1);
}

static struct loop_task remote_tasks[THREADS][POSTS];

static void *post_all(void *data) {
    struct loop_task *tasks = data;
    for (int i = 0; i < POSTS; i++) {
        tasks[i].run = on_remote;
        loop_post(loop, &tasks[i]);
    }
    return NULL;
}

START_TEST(any_thread_may_post) {
    pthread_t threads[THREADS];
    atomic_store(&remote_runs, 0);
    memset(remote_tasks, 0, sizeof remote_tasks);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_all, remote_tasks[i]), 0);
    while (atomic_load(&remote_runs) < THREADS * POSTS)
        ck_assert_int_eq(loop_wait(loop, INT64_MAX), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    dispatch();
    ck_assert_int_eq(atomic_load(&remote_runs), THREADS * POSTS);
    ck_assert(!readable(loop_fd(loop)));
}
END_TEST

static struct loop *signal_loop;

static void on_signal(int number) {
    (void)number;
    loop_wakeup(signal_loop);
}

static void ignore_signal(int number) {
    (void)number;
}

static void handle(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

START_TEST(wakeup_from_a_signal_handler) {
    signal_loop = loop;
    handle(SIGUSR1, on_signal);
    raise(SIGUSR1);
    ck_assert(readable(loop_fd(loop)));
    ck_assert_int_eq(loop_wait(loop, INT64_MAX), 0);
    ck_assert(!readable(loop_fd(loop)));
    handle(SIGUSR1, SIG_DFL);
}
END_TEST

static _Atomic bool stop_signals;
static pthread_t waiting_thread;

static void *send_signals(void *data) {
    (void)data;
    while (!atomic_load(&stop_signals)) {
        pthread_kill(waiting_thread, SIGUSR1);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return NULL;
}

START_TEST(a_signal_ends_a_wait) {
    pthread_t sender;
    struct loop *other = NULL;
    ck_assert_int_eq(loop_new(&real, &other, NULL), 0);
    handle(SIGUSR1, ignore_signal);
    atomic_store(&stop_signals, false);
    waiting_thread = pthread_self();
    ck_assert_int_eq(pthread_create(&sender, NULL, send_signals, NULL), 0);
    ck_assert_int_eq(loop_wait(other, INT64_MAX), CTCD_E_INTERRUPTED);
    atomic_store(&stop_signals, true);
    pthread_join(sender, NULL);
    handle(SIGUSR1, SIG_DFL);
    loop_free(other);
}
END_TEST

/* ---- timers ---- */

START_TEST(timers_expire_in_order) {
    struct job a = job_of('a'), b = job_of('b'), c = job_of('c');
    trace[0] = '\0';
    loop_timer_add(loop, &a.timer, NULL);
    loop_timer_add(loop, &b.timer, NULL);
    loop_timer_add(loop, &c.timer, NULL);
    ck_assert(!loop_timer_is_set(&a.timer));
    loop_timer_set(&a.timer, 2000);
    loop_timer_set(&b.timer, 1500);
    loop_timer_set(&c.timer, 1500);
    ck_assert_int_eq(loop_deadline(loop), 1500);
    held_now = 1499;
    dispatch();
    ck_assert_str_eq(trace, "");
    held_now = 1500;
    dispatch();
    ck_assert_str_eq(trace, "bc");
    ck_assert(!loop_timer_is_set(&b.timer));
    loop_timer_set(&b.timer, INT64_MIN);
    loop_timer_set(&a.timer, INT64_MAX);
    ck_assert(!loop_timer_is_set(&a.timer));
    dispatch();
    ck_assert_str_eq(trace, "bcb");
    ck_assert_int_eq(loop_deadline(loop), INT64_MAX);
    loop_timer_set(&a.timer, 1600);
    loop_timer_remove(&a.timer);
    loop_timer_remove(&a.timer);
    loop_timer_set(&a.timer, 1);
    loop_timer_remove(&b.timer);
    loop_timer_remove(&c.timer);
    held_now = 9000;
    dispatch();
    ck_assert_str_eq(trace, "bcb");
}
END_TEST

static void set_again(struct job *job) {
    loop_timer_set(&job->timer, 0);
}

START_TEST(a_timer_that_sets_itself_starves_none) {
    struct job greedy = job_of('g'), late = job_of('l');
    trace[0] = '\0';
    greedy.more = set_again;
    loop_timer_add(loop, &greedy.timer, NULL);
    loop_timer_add(loop, &late.timer, NULL);
    loop_timer_set(&greedy.timer, 0);
    loop_timer_set(&late.timer, 999);
    dispatch();
    ck_assert_str_eq(trace, "gl");
    ck_assert(readable(loop_fd(loop)));
    dispatch();
    ck_assert_str_eq(trace, "glg");
    loop_timer_remove(&greedy.timer);
    loop_timer_remove(&late.timer);
}
END_TEST

START_TEST(many_due_timers_take_several_dispatches) {
    static struct job jobs[150];
    trace[0] = '\0';
    for (int i = 0; i < 150; i++) {
        jobs[i] = job_of('t');
        ck_assert_int_eq(loop_timer_add(loop, &jobs[i].timer, NULL), 0);
        loop_timer_set(&jobs[i].timer, 500);
    }
    dispatch();
    ck_assert_uint_eq(strlen(trace), LOOP_BATCH);
    ck_assert(readable(loop_fd(loop)));
    dispatch();
    dispatch();
    ck_assert_uint_eq(strlen(trace), 150);
    for (int i = 0; i < 150; i++)
        loop_timer_remove(&jobs[i].timer);
}
END_TEST

START_TEST(the_fd_knows_the_deadline) {
    struct loop *other = NULL;
    struct job a = job_of('a');
    trace[0] = '\0';
    ck_assert_int_eq(loop_new(&real, &other, NULL), 0);
    loop_timer_add(other, &a.timer, NULL);
    int64_t due = real_mono(NULL) + 30;
    loop_timer_set(&a.timer, due + 100000);
    loop_timer_set(&a.timer, due);
    struct pollfd pfd = {.fd = loop_fd(other), .events = POLLIN};
    while (a.runs == 0) {
        ck_assert_int_eq(poll(&pfd, 1, NET_MS), 1);
        ck_assert_int_eq(loop_dispatch(other), 0);
    }
    ck_assert_int_ge(real_mono(NULL), due);
    ck_assert(!readable(loop_fd(other)));
    loop_timer_set(&a.timer, due - 100);
    while (a.runs < 2)
        ck_assert_int_eq(loop_wait(other, INT64_MAX), 0);
    ck_assert(!readable(loop_fd(other)));
    loop_timer_remove(&a.timer);
    loop_free(other);
}
END_TEST

START_TEST(a_wait_ends_at_its_instant) {
    struct loop *other = NULL;
    ck_assert_int_eq(loop_new(&real, &other, NULL), 0);
    int64_t until = real_mono(NULL) + 20;
    ck_assert_int_eq(loop_wait(other, until), CTCD_AGAIN);
    ck_assert_int_ge(real_mono(NULL), until);
    ck_assert_int_eq(loop_wait(other, until), CTCD_AGAIN);
    loop_free(other);
}
END_TEST

static int64_t running_now;

static int64_t running_mono(void *data) {
    (void)data;
    return running_now++;
}

START_TEST(a_wait_under_a_held_clock_looks_at_it) {
    struct clock running = {running_mono, running_mono, NULL, true, -1};
    struct job a = job_of('a');
    trace[0] = '\0';
    running_now = 0;
    ck_assert_int_eq(loop_set_clock(loop, &running, NULL), 0);
    loop_timer_add(loop, &a.timer, NULL);
    loop_timer_set(&a.timer, 20);
    while (a.runs == 0)
        ck_assert_int_eq(loop_wait(loop, INT64_MAX), 0);
    ck_assert_int_eq(loop_wait(loop, running_now + 10), CTCD_AGAIN);
    loop_timer_remove(&a.timer);
    ck_assert_int_eq(loop_set_clock(loop, &held, NULL), 0);
}
END_TEST

START_TEST(another_clock_makes_deadlines_due) {
    struct job a = job_of('a');
    int64_t due = real_mono(NULL);
    trace[0] = '\0';
    loop_timer_add(loop, &a.timer, NULL);
    loop_timer_set(&a.timer, due);
    ck_assert(!readable(loop_fd(loop)));
    ck_assert_int_eq(loop_set_clock(loop, &real, NULL), 0);
    ck_assert(readable(loop_fd(loop)));
    while (a.runs == 0)
        ck_assert_int_eq(loop_wait(loop, INT64_MAX), 0);
    ck_assert_int_eq(loop_set_clock(loop, &held, NULL), 0);
    loop_timer_remove(&a.timer);
}
END_TEST

START_TEST(a_clock_in_a_file_wakes_the_loop) {
    char folder[4096], path[8192];
    struct clock shared = {0};
    struct job a = job_of('a');
    trace[0] = '\0';
    suite_folder(folder);
    snprintf(path, sizeof path, "%s/clock", folder);
    ck_assert(clock_test_set(path, 0, 1000));
    setenv("CTCD_TEST_CLOCK", path, 1);
    ck_assert_int_eq(clock_open(&shared, NULL), 0);
    ck_assert_int_eq(loop_set_clock(loop, &shared, NULL), 0);
    loop_timer_add(loop, &a.timer, NULL);
    loop_timer_set(&a.timer, 1500);
    dispatch();
    ck_assert(!readable(loop_fd(loop)));
    ck_assert(clock_test_advance(path, 500));
    ck_assert(readable(loop_fd(loop)));
    dispatch();
    ck_assert_int_eq(a.runs, 1);
    ck_assert(!readable(loop_fd(loop)));
    loop_timer_remove(&a.timer);
    ck_assert_int_eq(loop_set_clock(loop, &held, NULL), 0);
    clock_close(&shared);
    unsetenv("CTCD_TEST_CLOCK");
    suite_folder_remove(folder);
}
END_TEST

/* ---- late hosts ---- */

/* The answer is there, its deadline has passed, and it takes three more hops until it is worked off. */
START_TEST(an_answer_that_arrived_wins_over_its_deadline) {
    struct job answer = job_of('w'), call = job_of('c'), op = job_of('o'), deadline = job_of('T');
    int ends[2];
    trace[0] = '\0';
    with_pipe(ends);
    loop_timer_add(loop, &deadline.timer, NULL);
    loop_timer_set(&deadline.timer, 1200);
    loop_watch_add(loop, &answer.watch, ends[0], EPOLLIN, 0, NULL);
    answer.then = &call;
    call.then = &op;
    op.disarm = &deadline.timer;
    fill(ends[1]);
    held_now = 1500;
    for (int i = 0; i < 10; i++)
        dispatch();
    ck_assert_str_eq(trace, "wco");
    loop_timer_remove(&deadline.timer);
    close_pipe(ends);
}
END_TEST

/* More descriptors are ready than one dispatch looks at: those further back must not time out. */
START_TEST(answers_beyond_the_batch_win_too) {
    enum { COUNT = 300 };
    static struct job answers[COUNT], deadlines[COUNT];
    static int ends[COUNT][2];
    trace[0] = '\0';
    for (int i = 0; i < COUNT; i++) {
        with_pipe(ends[i]);
        answers[i] = job_of('w');
        deadlines[i] = job_of('T');
        loop_timer_add(loop, &deadlines[i].timer, NULL);
        loop_timer_set(&deadlines[i].timer, 1200);
        loop_watch_add(loop, &answers[i].watch, ends[i][0], EPOLLIN, 0, NULL);
        answers[i].disarm = &deadlines[i].timer;
        fill(ends[i][1]);
    }
    held_now = 1500;
    for (int i = 0; i < 40; i++)
        dispatch();
    ck_assert_uint_eq(strlen(trace), COUNT);
    ck_assert_ptr_null(strchr(trace, 'T'));
    for (int i = 0; i < COUNT; i++) {
        loop_timer_remove(&deadlines[i].timer);
        close_pipe(ends[i]);
    }
}
END_TEST

START_TEST(a_busy_queue_cannot_hold_up_deadlines) {
    struct job busy = job_of('b'), deadline = job_of('T');
    busy.then = &busy;
    loop_timer_add(loop, &deadline.timer, NULL);
    loop_timer_set(&deadline.timer, 1200);
    loop_post(loop, &busy.task);
    held_now = 1200;
    for (int i = 0; i < 100 && deadline.runs == 0; i++) {
        trace[0] = '\0';
        dispatch();
    }
    ck_assert_int_eq(deadline.runs, 1);
    loop_unpost(loop, &busy.task);
    loop_timer_remove(&deadline.timer);
}
END_TEST

/* Time that passes while tasks run does not count: what arrived meanwhile was not collected. */
/* A look was due at 1100, the deadline at 1200, and it is 1500: the look comes first, with what it queues. */
START_TEST(missed_instants_come_in_order) {
    struct job look = job_of('l'), work = job_of('w'), more = job_of('m'), deadline = job_of('T');
    trace[0] = '\0';
    loop_timer_add(loop, &look.timer, NULL);
    loop_timer_add(loop, &deadline.timer, NULL);
    loop_timer_set(&look.timer, 1100);
    loop_timer_set(&deadline.timer, 1200);
    look.then = &work;
    work.then = &more;
    held_now = 1500;
    for (int i = 0; i < 3; i++) {
        ck_assert(i == 0 || readable(loop_fd(loop))); /* a held clock moved: nothing says so */
        dispatch();
    }
    ck_assert_str_eq(trace, "lwmT");
    /* Those of one instant stay together, and one that is always due holds nobody up for ever. */
    trace[0] = '\0';
    loop_timer_set(&look.timer, 1200);
    loop_timer_set(&deadline.timer, 1200);
    dispatch();
    ck_assert_str_eq(trace, "lT");
    dispatch();
    dispatch();
    trace[0] = '\0';
    look.more = set_again;
    work.then = NULL;
    loop_timer_set(&look.timer, 1100);
    loop_timer_set(&deadline.timer, 1200);
    for (int i = 0; i < 100 && !strchr(trace, 'T'); i++)
        dispatch();
    ck_assert_ptr_nonnull(strchr(trace, 'T'));
    loop_unpost(loop, &work.task);
    loop_timer_remove(&look.timer);
    loop_timer_remove(&deadline.timer);
}
END_TEST

static int late_pipe[2];

static void take_long(struct job *job) {
    (void)job;
    held_now = 5000;
    fill(late_pipe[1]);
}

START_TEST(a_slow_task_makes_nobody_late) {
    struct job slow = job_of('s'), answer = job_of('w'), deadline = job_of('T');
    trace[0] = '\0';
    with_pipe(late_pipe);
    slow.more = take_long;
    answer.disarm = &deadline.timer;
    loop_timer_add(loop, &deadline.timer, NULL);
    loop_timer_set(&deadline.timer, 1200);
    loop_watch_add(loop, &answer.watch, late_pipe[0], EPOLLIN, 0, NULL);
    loop_post(loop, &slow.task);
    for (int i = 0; i < 5; i++)
        dispatch();
    ck_assert_str_eq(trace, "sw");
    loop_timer_remove(&deadline.timer);
    close_pipe(late_pipe);
}
END_TEST

/* ---- nested waits ---- */

static struct job *nested_jobs; /* [0] outer, [1] inner */

static void wait_inside(struct job *job) {
    (void)job;
    ck_assert_uint_eq(loop_depth(loop), 1);
    loop_post(loop, &nested_jobs[0].task);
    loop_post(loop, &nested_jobs[1].task);
    ck_assert_int_eq(loop_wait(loop, INT64_MAX), 0);
    mark('|');
    ck_assert_int_eq(nested_jobs[1].runs, 1);
    ck_assert_int_eq(nested_jobs[0].runs, 0);
    /* What is left is not for here: so there is nothing to wait for, and nothing spins. */
    ck_assert_int_eq(loop_deadline(loop), INT64_MAX);
    ck_assert_int_eq(loop_wait(loop, held_now), CTCD_AGAIN);
    ck_assert(!readable(loop_fd(loop)));
    mark('|');
}

START_TEST(a_nested_wait_leaves_outer_tasks) {
    struct job waits = job_of('w'), jobs[2] = {job_of('o'), job_of('i')};
    trace[0] = '\0';
    jobs[0].task.outer = true;
    nested_jobs = jobs;
    waits.more = wait_inside;
    waits.task.outer = true;
    loop_post(loop, &waits.task);
    dispatch();
    ck_assert_str_eq(trace, "wi||");
    ck_assert(readable(loop_fd(loop)));
    dispatch();
    ck_assert_str_eq(trace, "wi||o");
    ck_assert_uint_eq(loop_depth(loop), 0);
}
END_TEST

START_TEST(outer_and_inner_tasks_keep_their_turn) {
    struct job jobs[6];
    trace[0] = '\0';
    for (int i = 0; i < 6; i++) {
        jobs[i] = job_of((char)('a' + i));
        jobs[i].task.outer = i % 2;
        loop_post(loop, &jobs[i].task);
    }
    dispatch();
    ck_assert_str_eq(trace, "abcdef");
}
END_TEST

static void dispatch_inside(struct job *job) {
    if (job->runs == 1) {
        dispatch();
        dispatch();
    }
}

/* Its descriptor is still ready, but it is on the stack. */
START_TEST(a_persistent_watch_is_not_entered_twice) {
    struct job a = job_of('a');
    int ends[2];
    trace[0] = '\0';
    with_pipe(ends);
    a.more = dispatch_inside;
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, ends[0], EPOLLIN, LOOP_PERSISTENT, NULL), 0);
    fill(ends[1]);
    dispatch();
    ck_assert_str_eq(trace, "a");
    dispatch();
    ck_assert_str_eq(trace, "aa");
    loop_watch_remove(&a.watch);
    close_pipe(ends);
}
END_TEST

/* Nested waits drive the deadlines of everybody. */
static void expire_inside(struct job *job) {
    (void)job;
    held_now = 3000;
    ck_assert_int_eq(loop_wait(loop, INT64_MAX), 0);
    mark('|');
}

START_TEST(a_nested_wait_expires_timers) {
    struct job waits = job_of('w'), deadline = job_of('T');
    trace[0] = '\0';
    waits.more = expire_inside;
    loop_timer_add(loop, &deadline.timer, NULL);
    loop_timer_set(&deadline.timer, 2000);
    loop_post(loop, &waits.task);
    dispatch();
    ck_assert_str_eq(trace, "wT|");
    loop_timer_remove(&deadline.timer);
}
END_TEST

static void wait_while_time_goes(struct job *job) {
    (void)job;
    loop_post(loop, &nested_jobs[0].task);
    ck_assert_int_eq(loop_wait(loop, running_now + NET_MS), 0);
    ck_assert_int_eq(nested_jobs[0].runs, 1);
}

/* The clock goes on between any two looks at it: no reason to sleep over what is queued. */
START_TEST(a_nested_wait_does_not_sleep_over_its_queue) {
    struct clock running = {running_mono, running_mono, NULL, false, -1};
    struct job waits = job_of('w'), inner = job_of('i');
    trace[0] = '\0';
    running_now = 0;
    nested_jobs = &inner;
    waits.more = wait_while_time_goes;
    ck_assert_int_eq(loop_set_clock(loop, &running, NULL), 0);
    loop_post(loop, &waits.task);
    int64_t begun = real_mono(NULL);
    dispatch();
    ck_assert_int_lt(real_mono(NULL) - begun, NET_MS / 2);
    ck_assert_int_eq(loop_set_clock(loop, &held, NULL), 0);
}
END_TEST

/* ---- forks ---- */

static int in_child(struct job *jobs, int fd) {
    int bad = 0;
    bad += !loop_forked(loop);
    bad += loop_dispatch(loop) != CTCD_E_FORKED;
    bad += loop_wait(loop, INT64_MAX) != CTCD_E_FORKED;
    bad += loop_timer_add(loop, &jobs[3].timer, NULL) != CTCD_E_FORKED;
    bad += loop_watch_add(loop, &jobs[3].watch, fd, EPOLLIN, 0, NULL) != CTCD_E_FORKED;
    bad += loop_deadline(loop) != INT64_MAX;
    loop_wakeup(loop);
    loop_post(loop, &jobs[3].task);
    loop_watch_remove(&jobs[1].watch);
    loop_timer_set(&jobs[2].timer, 1);
    loop = loop_free(loop);
    return bad;
}

START_TEST(a_forked_child_leaves_the_parents_loop_alone) {
    struct job jobs[4] = {job_of('a'), job_of('b'), job_of('t'), job_of('x')};
    int ends[2], status = 0;
    if (!suite_forks()) /* a checker would count the child's end as its own */
        return;
    trace[0] = '\0';
    with_pipe(ends);
    loop_watch_add(loop, &jobs[0].watch, ends[0], EPOLLIN, 0, NULL);
    loop_watch_add(loop, &jobs[1].watch, ends[0], EPOLLIN, LOOP_PERSISTENT, NULL);
    loop_timer_add(loop, &jobs[2].timer, NULL);
    loop_timer_set(&jobs[2].timer, 1100);
    pid_t pid = fork();
    if (pid == 0)
        _exit(in_child(jobs, ends[0]));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert(!readable(loop_fd(loop)));
    fill(ends[1]);
    held_now = 1100;
    dispatch();
    dispatch();
    ck_assert_int_eq(jobs[0].runs, 1);
    ck_assert_int_ge(jobs[1].runs, 1);
    while (jobs[2].runs == 0)
        dispatch();
    loop_watch_remove(&jobs[1].watch);
    loop_timer_remove(&jobs[2].timer);
    close_pipe(ends);
}
END_TEST

static int fork_status;

static void fork_inside(struct job *job) {
    (void)job;
    pid_t pid = fork();
    if (pid == 0) {
        /* The child comes back from here, still within the dispatch. */
        fork_status = -1;
        return;
    }
    waitpid(pid, &fork_status, 0);
}

START_TEST(a_task_may_fork) {
    struct job forks = job_of('f'), after = job_of('a');
    if (!suite_forks())
        return;
    trace[0] = '\0';
    forks.more = fork_inside;
    loop_post(loop, &forks.task);
    loop_post(loop, &after.task);
    int rc = loop_dispatch(loop);
    if (fork_status == -1)
        _exit(rc == CTCD_E_FORKED && after.runs == 0 ? 0 : 1);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(fork_status, 0);
    ck_assert_str_eq(trace, "fa");
}
END_TEST

/* ---- out of memory ---- */

START_TEST(every_allocation_may_fail) {
    int ends[2];
    bool failed = true;
    with_pipe(ends);
    fill(ends[1]);
    for (uint64_t nth = 1; failed; nth++) {
        struct loop *other = NULL;
        struct job a = job_of('a');
        ctcd_error *err = NULL;
        failed = false;
        trace[0] = '\0';
        mem_test_fail_at(nth);
        int rc = loop_new(&held, &other, &err);
        if (rc == 0) {
            rc = loop_watch_add(other, &a.watch, ends[0], EPOLLIN, 0, &err);
            if (rc == 0)
                rc = loop_timer_add(other, &a.timer, &err);
        }
        mem_test_fail_at(0);
        if (rc) {
            failed = true;
            ck_assert_int_eq(rc, CTCD_E_NOMEM);
            ck_assert_int_eq(error_code(err), CTCD_E_NOMEM);
        }
        error_done(&err);
        if (other) {
            mem_test_fail_from(1); /* dispatching needs none */
            ck_assert_int_eq(loop_dispatch(other), 0);
            mem_test_fail_at(0);
            loop_watch_remove(&a.watch);
            loop_timer_remove(&a.timer);
            loop_free(other);
        }
        ck_assert_uint_lt(nth, 100);
    }
    close_pipe(ends);
}
END_TEST

SUITE_MAIN_WITH("loop", setup, teardown, tasks_run_once_in_turn,
                task_posted_by_a_task_waits_for_the_next_dispatch, dispatch_is_bounded,
                freeing_lets_go_of_what_is_queued, any_thread_may_post,
                wakeup_from_a_signal_handler, a_signal_ends_a_wait, timers_expire_in_order,
                a_timer_that_sets_itself_starves_none, many_due_timers_take_several_dispatches,
                the_fd_knows_the_deadline, a_wait_ends_at_its_instant,
                a_wait_under_a_held_clock_looks_at_it, another_clock_makes_deadlines_due,
                a_clock_in_a_file_wakes_the_loop, an_answer_that_arrived_wins_over_its_deadline,
                answers_beyond_the_batch_win_too, a_busy_queue_cannot_hold_up_deadlines,
                missed_instants_come_in_order, a_slow_task_makes_nobody_late,
                a_nested_wait_leaves_outer_tasks, outer_and_inner_tasks_keep_their_turn,
                a_persistent_watch_is_not_entered_twice, a_nested_wait_expires_timers,
                a_nested_wait_does_not_sleep_over_its_queue,
                a_forked_child_leaves_the_parents_loop_alone, a_task_may_fork,
                every_allocation_may_fail)
