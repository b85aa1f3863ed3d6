/* The event loop's watches: once and persistent, shared descriptors, numbers given out again, closed ones,
   a fuzz against a model. */
#include "loop_jobs.h"

/* ---- watches ---- */

START_TEST(a_watch_fires_once) {
    struct job a = job_of('a');
    int ends[2];
    trace[0] = '\0';
    with_pipe(ends);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, ends[0], EPOLLIN, 0, NULL), 0);
    ck_assert(!readable(loop_fd(loop)));
    fill(ends[1]);
    ck_assert(readable(loop_fd(loop)));
    dispatch();
    dispatch();
    ck_assert_str_eq(trace, "a");
    ck_assert_uint_eq(a.events, EPOLLIN);
    ck_assert(!readable(loop_fd(loop)));
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, ends[0], EPOLLIN, 0, NULL), 0);
    dispatch();
    ck_assert_str_eq(trace, "aa");
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, ends[0], EPOLLIN, 0, NULL), 0);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, ends[0], EPOLLIN, 0, NULL), CTCD_E_INVALID);
    loop_watch_remove(&a.watch);
    loop_watch_remove(&a.watch);
    ck_assert(!readable(loop_fd(loop)));
    dispatch();
    ck_assert_str_eq(trace, "aa");
    close_pipe(ends);
}
END_TEST

START_TEST(a_persistent_watch_is_level_triggered) {
    struct job a = job_of('a');
    int ends[2];
    trace[0] = '\0';
    with_pipe(ends);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, ends[0], EPOLLIN, LOOP_PERSISTENT, NULL), 0);
    fill(ends[1]);
    dispatch();
    ck_assert(readable(loop_fd(loop)));
    dispatch();
    ck_assert_str_eq(trace, "aa");
    drain(ends[0]);
    dispatch();
    ck_assert(!readable(loop_fd(loop)));
    ck_assert_str_eq(trace, "aa");
    fill(ends[1]);
    dispatch();
    ck_assert_str_eq(trace, "aaa");
    close(ends[1]);
    dispatch();
    ck_assert_uint_eq(a.events, EPOLLIN | EPOLLHUP);
    loop_watch_remove(&a.watch);
    close(ends[0]);
}
END_TEST

/* A pool's own epoll instance within the loop's. */
START_TEST(a_nested_epoll_can_be_watched) {
    struct job a = job_of('a');
    int ends[2], nested = epoll_create1(EPOLL_CLOEXEC);
    trace[0] = '\0';
    with_pipe(ends);
    ck_assert_int_eq(
        epoll_ctl(nested, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN}), 0);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, nested, EPOLLIN, LOOP_PERSISTENT, NULL), 0);
    for (int i = 0; i < 3; i++) {
        fill(ends[1]);
        ck_assert(readable(loop_fd(loop)));
        dispatch();
        drain(ends[0]);
        dispatch();
        ck_assert(!readable(loop_fd(loop)));
    }
    ck_assert_int_eq(a.runs, 3);
    loop_watch_remove(&a.watch);
    close(nested);
    close_pipe(ends);
}
END_TEST

START_TEST(many_may_watch_one_descriptor) {
    struct job in = job_of('i'), also = job_of('j'), out = job_of('o'), stays = job_of('p');
    int ends[2];
    trace[0] = '\0';
    with_pipe(ends);
    ck_assert_int_eq(loop_watch_add(loop, &in.watch, ends[0], EPOLLIN, 0, NULL), 0);
    ck_assert_int_eq(loop_watch_add(loop, &out.watch, ends[0], EPOLLPRI, 0, NULL), 0);
    ck_assert_int_eq(loop_watch_add(loop, &stays.watch, ends[0], EPOLLIN, LOOP_PERSISTENT, NULL),
                     0);
    ck_assert_int_eq(loop_watch_add(loop, &also.watch, ends[0], EPOLLIN, 0, NULL), 0);
    fill(ends[1]);
    dispatch();
    ck_assert_str_eq(trace, "ipj");
    dispatch();
    ck_assert_str_eq(trace, "ipjp");
    loop_watch_remove(&stays.watch);
    dispatch();
    ck_assert_str_eq(trace, "ipjp");
    close(ends[1]);
    dispatch();
    ck_assert_str_eq(trace, "ipjpo");
    ck_assert_uint_eq(out.events, EPOLLHUP);
    close(ends[0]);
}
END_TEST

static struct job *victim;

static void remove_victim(struct job *job) {
    (void)job;
    loop_watch_remove(&victim->watch);
    free(victim);
    victim = NULL;
}

START_TEST(a_callback_may_remove_any_watch) {
    int ends[2], second;
    with_pipe(ends);
    second = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
    fill(ends[1]);
    for (uint32_t flags = 0; flags <= LOOP_PERSISTENT; flags++) {
        struct job *both[2];
        for (int i = 0; i < 2; i++) {
            both[i] = malloc(sizeof **both);
            *both[i] = job_of((char)('a' + i));
            both[i]->more = remove_victim;
        }
        trace[0] = '\0';
        /* The first removes the second, which is queued already; then it removes itself. */
        ck_assert_int_eq(loop_watch_add(loop, &both[0]->watch, ends[0], EPOLLIN, flags, NULL), 0);
        ck_assert_int_eq(loop_watch_add(loop, &both[1]->watch, second, EPOLLIN, flags, NULL), 0);
        victim = both[1];
        while (trace[0] == '\0')
            dispatch();
        ck_assert_uint_eq(strlen(trace), 1);
        ck_assert_ptr_null(victim);
        victim = both[0];
        if (!flags)
            ck_assert_int_eq(loop_watch_add(loop, &both[0]->watch, ends[0], EPOLLIN, 0, NULL), 0);
        dispatch();
        ck_assert_uint_eq(strlen(trace), 2);
        dispatch();
        ck_assert_uint_eq(strlen(trace), 2);
        ck_assert(!readable(loop_fd(loop)));
    }
    close(second);
    close_pipe(ends);
}
END_TEST

START_TEST(what_cannot_be_watched_is_refused) {
    struct job a = job_of('a');
    ctcd_error *err = NULL;
    char folder[4096], path[8192];
    suite_folder(folder);
    snprintf(path, sizeof path, "%s/file", folder);
    int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, file, EPOLLIN, 0, &err), CTCD_E_INVALID);
    ck_assert_int_eq(error_code(err), CTCD_E_INVALID);
    close(file);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, file, EPOLLIN, 0, &err), CTCD_E_INVALID);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, -1, EPOLLIN, 0, &err), CTCD_E_INVALID);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, 0, EPOLLET, 0, &err), CTCD_E_INVALID);
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, loop_fd(loop), EPOLLIN, 0, &err),
                     CTCD_E_INVALID);
    error_done(&err);
    suite_folder_remove(folder);
}
END_TEST

/* The number is used again for another file while a duplicate keeps the first one, and with it epoll's
   registration, alive. */
static void reuse_number(bool fired, bool removed) {
    struct job old = job_of('x'), young = job_of('y');
    int first[2], second[2];
    trace[0] = '\0';
    with_pipe(first);
    with_pipe(second);
    int number = first[0];
    ck_assert_int_eq(loop_watch_add(loop, &old.watch, number, EPOLLIN, 0, NULL), 0);
    if (fired) {
        fill(first[1]);
        dispatch();
        ck_assert_str_eq(trace, "x");
    }
    if (removed)
        loop_watch_remove(&old.watch);
    int kept = fcntl(number, F_DUPFD_CLOEXEC, 0);
    ck_assert_int_eq(dup3(second[0], number, O_CLOEXEC), number);
    trace[0] = '\0';
    ck_assert_int_eq(loop_watch_add(loop, &young.watch, number, EPOLLIN, 0, NULL), 0);
    fill(first[1]); /* the old file: must tell nobody */
    dispatch();
    ck_assert_str_eq(trace, "");
    ck_assert(!readable(loop_fd(loop)));
    fill(second[1]);
    dispatch();
    ck_assert_ptr_nonnull(strchr(trace, 'y'));
    loop_watch_remove(&old.watch);
    loop_watch_remove(&young.watch);
    close(kept);
    close_pipe(first);
    close_pipe(second);
}

START_TEST(a_number_given_out_again_works) {
    reuse_number(true, false);
    reuse_number(true, true);
    reuse_number(false, true);
    reuse_number(false, false); /* against the rules, and still no harm */
}
END_TEST

static int closing_fd;

static void close_it(struct job *job) {
    (void)job;
    if (closing_fd >= 0)
        close(closing_fd);
    closing_fd = -1;
}

START_TEST(a_descriptor_closed_under_its_watch_ends_it) {
    struct job a = job_of('a');
    int ends[2];
    trace[0] = '\0';
    with_pipe(ends);
    closing_fd = ends[0];
    a.more = close_it;
    ck_assert_int_eq(loop_watch_add(loop, &a.watch, ends[0], EPOLLIN, LOOP_PERSISTENT, NULL), 0);
    fill(ends[1]);
    dispatch();
    dispatch();
    ck_assert_str_eq(trace, "aa");
    ck_assert_uint_eq(a.events, EPOLLERR | EPOLLHUP);
    ck_assert_ptr_null(a.watch.loop);
    ck_assert(!readable(loop_fd(loop)));
    close(ends[1]);
}
END_TEST

/* ---- a fuzz against a model ---- */

#define PIPES 12
#define WATCHES 40

struct model {
    struct job job;
    int pipe;
    uint32_t events; /* what it waits for */
    bool watching, persistent;
};

static struct model models[WATCHES];
static int fuzz_pipes[PIPES][2];
static int fuzz_spares[PIPES]; /* duplicates that keep old files alive */
static bool fuzz_full[PIPES];
static uint64_t fuzz_state;

static uint32_t fuzz_random(uint32_t below) {
    fuzz_state = fuzz_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fuzz_state >> 33) % below;
}

/* A callback may come only for what is watched and ready. */
static void on_fuzz(struct loop_watch *watch, uint32_t events) {
    struct model *m = list_of(watch, struct model, job.watch);
    ck_assert(m->watching);
    ck_assert(fuzz_full[m->pipe]);
    ck_assert_uint_eq(events, EPOLLIN);
    m->job.runs++;
    if (!m->persistent)
        m->watching = false;
    if (fuzz_random(4) == 0) {
        struct model *other = &models[fuzz_random(WATCHES)];
        loop_watch_remove(&other->job.watch);
        other->watching = false;
    }
}

static void fuzz_reopen(int at) {
    for (int i = 0; i < WATCHES; i++)
        if (models[i].watching && models[i].pipe == at) {
            loop_watch_remove(&models[i].job.watch);
            models[i].watching = false;
        }
    if (fuzz_spares[at] >= 0)
        close(fuzz_spares[at]);
    fuzz_spares[at] = fuzz_random(2) ? fcntl(fuzz_pipes[at][0], F_DUPFD_CLOEXEC, 0) : -1;
    int fresh[2];
    with_pipe(fresh);
    ck_assert_int_eq(dup3(fresh[0], fuzz_pipes[at][0], O_CLOEXEC), fuzz_pipes[at][0]);
    close(fresh[0]);
    if (fuzz_spares[at] < 0) {
        ck_assert_int_eq(dup3(fresh[1], fuzz_pipes[at][1], O_CLOEXEC), fuzz_pipes[at][1]);
        close(fresh[1]);
    } else {
        /* The old file must not report a hang-up, so its other end lives on. */
        close(fuzz_spares[at]);
        fuzz_spares[at] = fuzz_pipes[at][1];
        fuzz_pipes[at][1] = fresh[1];
    }
    fuzz_full[at] = false;
}

static void fuzz_dispatch(void) {
    bool expected = false;
    for (int i = 0; i < WATCHES; i++) {
        models[i].job.runs = 0;
        expected |= models[i].watching && fuzz_full[models[i].pipe];
    }
    ck_assert_int_eq(readable(loop_fd(loop)), expected);
    bool due[WATCHES];
    for (int i = 0; i < WATCHES; i++)
        due[i] = models[i].watching && fuzz_full[models[i].pipe];
    dispatch();
    for (int i = 0; i < WATCHES; i++) {
        ck_assert_int_le(models[i].job.runs, due[i]);
        if (due[i] && models[i].watching) /* else another callback may have removed it */
            ck_assert_int_eq(models[i].job.runs, 1);
    }
}

static void fuzz_step(void) {
    struct model *m = &models[fuzz_random(WATCHES)];
    int at = (int)fuzz_random(PIPES);
    switch (fuzz_random(8)) {
    case 0:
    case 1:
    case 2:
        if (m->watching)
            break;
        m->pipe = at;
        m->persistent = fuzz_random(3) == 0;
        m->watching = true;
        m->job.watch.ready = on_fuzz;
        ck_assert_int_eq(loop_watch_add(loop, &m->job.watch, fuzz_pipes[at][0], EPOLLIN,
                                        m->persistent ? LOOP_PERSISTENT : 0, NULL),
                         0);
        break;
    case 3:
        loop_watch_remove(&m->job.watch);
        m->watching = false;
        break;
    case 4:
        if (!fuzz_full[at])
            fill(fuzz_pipes[at][1]);
        fuzz_full[at] = true;
        break;
    case 5:
        drain(fuzz_pipes[at][0]);
        fuzz_full[at] = false;
        break;
    case 6:
        if (fuzz_random(4) == 0)
            fuzz_reopen(at);
        break;
    default:
        fuzz_dispatch();
    }
}

START_TEST(watches_agree_with_a_model) {
    int steps = suite_is_slow() ? 3000 : 40000; /* a quarter of them adds, so 10,000 watches */
    memset(models, 0, sizeof models);
    memset(fuzz_full, 0, sizeof fuzz_full);
    fuzz_state = 20240229;
    for (int i = 0; i < PIPES; i++) {
        with_pipe(fuzz_pipes[i]);
        fuzz_spares[i] = -1;
    }
    for (int i = 0; i < steps; i++)
        fuzz_step();
    for (int i = 0; i < WATCHES; i++)
        loop_watch_remove(&models[i].job.watch);
    ck_assert(!readable(loop_fd(loop)));
    for (int i = 0; i < PIPES; i++) {
        close_pipe(fuzz_pipes[i]);
        if (fuzz_spares[i] >= 0)
            close(fuzz_spares[i]);
    }
}
END_TEST

SUITE_MAIN_WITH("loop_watch", setup, teardown, a_watch_fires_once,
                a_persistent_watch_is_level_triggered, a_nested_epoll_can_be_watched,
                many_may_watch_one_descriptor, a_callback_may_remove_any_watch,
                what_cannot_be_watched_is_refused, a_number_given_out_again_works,
                a_descriptor_closed_under_its_watch_ends_it, watches_agree_with_a_model)
