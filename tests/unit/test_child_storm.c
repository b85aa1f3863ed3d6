/* Storms: the host is killed at any instant of a start, observers look all the time, fences race with
   starts. What was seen as "not started", after the host's death or before a fence, must never run. */
#include "children.h"

#include <pthread.h>

#define KILLS 240
#define STORM_MS 30000 /* then fewer kills have to do */

/* Uniform enough, and the same in every run. */
static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

/* Ends when the host and everything that it was about to start are gone or have become something else
   (exec closes the pipe): from then on a shim can be seen by its marker. */
static void wait_for_eof(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char c;
    ck_assert_int_eq(poll(&wait, 1, LONG), 1);
    ck_assert_int_eq(read(fd, &c, 1), 0);
}

struct tally {
    int not_started, started, late; /* late: of those not started, a shim came and left again */
};

/* Seen as not started, and the start may go on by itself, or what is left of it. */
static void never_runs(struct nest *n, int host_gone, const char *ran, struct tally *tally) {
    wait_for_eof(host_gone);
    tally->late += count_marked(n->marker) > 0;
    ck_until(count_marked(n->marker) == 0);
    ck_assert_msg(!nest_has(n, ran), "generation %lld ran after it was seen as not started",
                  (long long)n->spec.generation);
    ck_assert_state(n, CHILD_NOT_STARTED);
    tally->not_started++;
}

/* One host that starts a child and is killed within the time that a start takes. Then a person looks: at once,
   and puts a fence where nothing was started; or when the host is gone for sure, and puts none. */
static void storm_once(struct nest *n, unsigned after_us, bool fences, struct tally *tally) {
    int both[2];
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)"echo >>\"$RAN\"; exec sleep 600", NULL};
    char ran[64], variable[128];
    (void)snprintf(ran, sizeof ran, "ran-%lld", (long long)n->spec.generation);
    (void)snprintf(variable, sizeof variable, "RAN=%s", ran);
    char *env[] = {variable, NULL};
    n->spec.env = env;
    n->spec.grace_ms = 0;
    ck_assert_int_eq(pipe2(both, O_CLOEXEC), 0);
    pid_t host = fork();
    if (host == 0) {
        (void)close(both[0]);
        (void)nest_start(n, argv, NULL);
        for (;;)
            (void)pause();
    }
    (void)close(both[1]);
    struct timespec t = {.tv_nsec = (long)after_us * 1000};
    (void)nanosleep(&t, NULL);
    ck_assert_int_eq(kill(host, SIGKILL), 0);
    if (!fences)
        ck_assert_int_eq(waitpid(host, NULL, 0), host);
    struct child_status s = nest_look(n);
    bool seen = s.state == CHILD_NOT_STARTED;
    if (fences) {
        seen = seen && child_fence(n->dir, n->spec.generation + 1, NULL) == 0;
        ck_assert_int_eq(waitpid(host, NULL, 0), host);
    }
    if (seen) {
        never_runs(n, both[0], ran, tally);
    } else {
        wait_for_eof(both[0]);
        s = nest_look(n);
        ck_assert_msg(s.state != CHILD_MONITOR_LOST && s.state != CHILD_REBOOTED, "%s",
                      child_state_name(s.state));
        ck_until(nest_look(n).state != CHILD_STARTING);
        int rc = child_signal(n->dir, n->spec.generation, SIGKILL, NULL);
        ck_assert_msg(rc == 0 || rc == CTCD_NONE, "%d", rc);
        s = nest_wait(n);
        ck_assert_str_eq(child_state_name(s.state), "ended");
        ck_until(count_marked(n->marker) == 0);
        tally->started++;
    }
    (void)close(both[0]);
}

START_TEST(the_host_is_killed_at_any_instant) {
    struct tally tally = {0};
    unsigned seed = 20261125;
    int64_t end = test_now() + STORM_MS;
    struct nest *n = nest_new();
    int kills = 0, wanted = suite_is_slow() ? 20 : KILLS;
    unsigned edge_us = 1500; /* follows the machine: about half of the kills come before the lock */
    for (; kills < wanted && test_now() < end; kills++) {
        int started = tally.started;
        ck_assert_int_eq(random_uuid(n->marker, NULL), 0);
        storm_once(n, next_random(&seed) % (2 * edge_us), kills % 2, &tally);
        n->spec.generation += 2; /* the fence took one */
        if (tally.started > started)
            edge_us = edge_us * 15 / 16 + 10;
        else if (edge_us < 400000)
            edge_us = edge_us * 17 / 16 + 10;
    }
    ck_assert_int_eq(tally.started + tally.not_started, kills);
    ck_assert_int_gt(kills, 0);
    if (kills == KILLS) /* both sides of the edge were met */
        ck_assert(tally.started > 0 && tally.not_started > 0);
}
END_TEST

/* ---- observers ------------------------------------------------------------------------------------ */

struct observer {
    pthread_t thread;
    struct nest *nest;
    int stop, failed;
    long looks;
};

static void *observe(void *data) {
    struct observer *o = data;
    struct child_status s;
    while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE)) {
        int64_t generation = __atomic_load_n(&o->nest->spec.generation, __ATOMIC_ACQUIRE);
        if (child_look(o->nest->dir, generation, &s, NULL) != 0 || s.state == CHILD_MONITOR_LOST ||
            s.state == CHILD_REBOOTED)
            o->failed = 1;
        o->looks++;
    }
    return NULL;
}

/* Who only asks never makes a start fail, and never sees what is not so. */
START_TEST(observers_disturb_nobody) {
    struct nest *n = nest_new();
    struct observer observers[2] = {0};
    int rounds = suite_is_slow() ? 10 : 100;
    for (size_t i = 0; i < 2; i++) {
        observers[i].nest = n;
        ck_assert_int_eq(pthread_create(&observers[i].thread, NULL, observe, &observers[i]), 0);
    }
    int failed = 0;
    for (int i = 0; i < rounds; i++) {
        char *argv[] = {(char *)"true", NULL};
        failed += nest_start(n, argv, NULL) != 0;
        (void)nest_wait(n);
        __atomic_fetch_add(&n->spec.generation, 1, __ATOMIC_RELEASE);
    }
    for (size_t i = 0; i < 2; i++) {
        __atomic_store_n(&observers[i].stop, 1, __ATOMIC_RELEASE);
        ck_assert_int_eq(pthread_join(observers[i].thread, NULL), 0);
        ck_assert_int_eq(observers[i].failed, 0);
        ck_assert_int_gt(observers[i].looks, 0);
    }
    ck_assert_int_eq(failed, 0);
}
END_TEST

/* ---- fences against starts ------------------------------------------------------------------------ */

/* Exactly one of the two wins, and both know which. */
START_TEST(a_fence_and_a_start_at_once) {
    struct nest *n = nest_new();
    int rounds = suite_is_slow() ? 10 : 100, fences = 0;
    unsigned seed = 7;
    n->spec.grace_ms = 0;
    for (int i = 0; i < rounds; i++, n->spec.generation += 2) {
        pid_t other = fork();
        if (other == 0) {
            struct timespec t = {.tv_nsec = (long)(next_random(&seed) % 3000) * 1000};
            (void)nanosleep(&t, NULL);
            _exit(child_fence(n->dir, n->spec.generation + 1, NULL) == 0);
        }
        (void)next_random(&seed);
        char *argv[] = {(char *)"sleep", (char *)"600", NULL};
        int rc = nest_start(n, argv, NULL), status;
        ck_assert_int_eq(waitpid(other, &status, 0), other);
        bool fenced = WEXITSTATUS(status) == 1;
        ck_assert_int_eq(rc, fenced ? CTCD_E_EXISTS : 0);
        ck_assert_state(n, fenced ? CHILD_NOT_STARTED : CHILD_RUNNING);
        fences += fenced;
        if (!fenced) {
            ck_assert_int_eq(child_signal(n->dir, n->spec.generation, SIGKILL, NULL), 0);
            (void)nest_wait(n);
        }
    }
    ck_assert_int_le(fences, rounds);
}
END_TEST

/* The whole tree is shot at while it ends: never a lie about how it ended. */
START_TEST(the_shim_is_killed_at_any_instant) {
    struct nest *n = nest_new();
    unsigned seed = 99;
    int rounds = suite_is_slow() ? 5 : 60;
    int64_t end = test_now() + STORM_MS / 2;
    for (int i = 0; i < rounds && test_now() < end; i++, n->spec.generation++) {
        nest_run(n, "sleep 600 & sleep 0.003; exit 6");
        struct child_status s = nest_look(n);
        struct timespec t = {.tv_nsec = (long)(next_random(&seed) % 12000) * 1000};
        (void)nanosleep(&t, NULL);
        int fd, rc = child_pidfd(n->dir, n->spec.generation, &fd, NULL);
        if (rc == 0) {
            (void)kill(s.shim, SIGKILL);
            (void)close(fd);
        }
        s = nest_wait(n);
        ck_assert(s.state == CHILD_ENDED || s.state == CHILD_MONITOR_LOST);
        if (s.state == CHILD_ENDED)
            ck_assert_int_eq(s.exit_status, 6);
        kill_marked(n->marker);
    }
}
END_TEST

SUITE_MAIN_WITH("child_storm", NULL, nests_done, the_host_is_killed_at_any_instant,
                observers_disturb_nobody, a_fence_and_a_start_at_once,
                the_shim_is_killed_at_any_instant)
