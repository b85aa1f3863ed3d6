/* Deploys whose process is killed at random instants of apply, 500 of them, on stand-in servers. What a look
   afterwards shows as not started never runs; whoever comes next, a start, a deploy, a stop or a delete, puts
   all in order under the same UUID, with one revision that runs, and nothing else; also where that one is
   killed, too. And looks while services change tell the truth all the time. */
#include "stand_in.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "io/process.h"
#include "store/services.h"

#define KILLS 500
#define STORM_MS 120000 /* then fewer kills have to do */

/* Uniform enough, and the same in every run. */
static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

/* A process that is forked while a store is open cannot open one, so ours is closed before each fork. */
static void open_home(void) {
    ctx = api_context(0);
    ok(ctcd_model_deployer_get(ctx, NULL, &ml, &err));
}

static void close_home(void) {
    ml = ctcd_model_deployer_unref(ml);
    ctx = ctcd_context_unref(ctx);
}

static void begin(void) {
    stand_in_begin();
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); /* no zombies for others */
}

static void reap(void) {
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

/* ---- what runs -------------------------------------------------------------------------------- */

/* Processes that carry a marker of this service: how many, and how many different ones. */
struct census {
    int processes, markers;
    char marker[128]; /* one of them */
};

static void count_process(struct census *c, const char *pid, const char *wanted) {
    char path[300], text[128]; /* the marker comes first: child_start puts it there */
    (void)snprintf(path, sizeof path, "/proc/%s/environ", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    size_t size = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[size] = '\0';
    if (strncmp(text, wanted, strlen(wanted)) != 0)
        return;
    c->processes++;
    if (strcmp(c->marker, text) != 0) {
        (void)snprintf(c->marker, sizeof c->marker, "%s", text);
        c->markers++;
    }
}

static struct census census(const char *uuid) {
    struct census c = {0};
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, CHILD_MARKER "=%s", uuid);
    DIR *proc = opendir("/proc");
    ck_assert_ptr_nonnull(proc);
    for (struct dirent *entry; (entry = readdir(proc));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            count_process(&c, entry->d_name, wanted);
    (void)closedir(proc);
    reap();
    return c;
}

/* A shim and its server where it is to run, else nothing; ends take a moment. */
static void runs(const char *uuid, bool wanted) {
    int64_t end = real_mono() + LONG_MS;
    struct census c;
    do {
        c = census(uuid);
    } while ((wanted ? c.processes != 2 : c.processes) && real_mono() < end);
    ck_assert_msg(c.processes == (wanted ? 2 : 0) && c.markers <= 1,
                  "%d processes of %d starts: %s", c.processes, c.markers, c.marker);
}

/* ---- the host --------------------------------------------------------------------------------- */

static void tell_apply(void *data, ctcd_op *op, const char *line) {
    (void)op;
    if (strncmp(line, "starting revision", 17) == 0 && write(*(int *)data, "a", 1) != 1)
        _exit(9);
}

/* Deploys, and says when its apply begins; nothing of it may touch the suite. */
static void host(const char *model, int tell) {
    ctcd_context *own = NULL;
    ctcd_model_deployer *deployer = NULL;
    ctcd_deployment *wanted = NULL;
    ctcd_op *op = NULL;
    if (ctcd_context_new(0, &own, NULL) || ctcd_context_set_home(own, api_home, NULL) ||
        ctcd_model_deployer_get(own, NULL, &deployer, NULL) ||
        ctcd_deployment_new(own, &wanted, NULL) ||
        ctcd_deployment_set_model_name(wanted, "digits", NULL) ||
        ctcd_deployment_set_model_uri(wanted, model, NULL) ||
        ctcd_deployment_set_min_ready(wanted, 0, NULL) ||
        ctcd_model_deployer_deploy_begin(deployer, wanted, LONG_MS, &op, NULL) ||
        ctcd_op_set_progress(op, tell_apply, &tell, NULL, NULL))
        _exit(8);
    _exit(ctcd_op_wait(op, -1, NULL) ? 7 : 0);
}

struct victim {
    pid_t pid;
    int tells, flies; /* flies: end of file when nothing that it was about to start is on its way */
};

static struct victim start_host(const char *model) {
    int tell[2], fly[2];
    ck_assert_int_eq(pipe2(tell, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(fly, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        host(model, tell[1]);
    ck_assert_int_gt(pid, 0);
    (void)close(tell[1]);
    (void)close(fly[1]);
    return (struct victim){pid, tell[0], fly[0]};
}

/* Kills it so many microseconds after its apply began; true = it had ended before. */
static bool kill_host(struct victim *v, unsigned after_us) {
    char c;
    int status;
    ck_assert(becomes_readable(v->tells));
    if (read(v->tells, &c, 1) == 1) {
        struct timespec t = {.tv_nsec = (long)after_us * 1000};
        (void)nanosleep(&t, NULL);
    }
    (void)kill(v->pid, SIGKILL);
    ck_assert_int_eq(waitpid(v->pid, &status, 0), v->pid);
    ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "the host failed: %d", status);
    return WIFEXITED(status);
}

/* ---- what is seen ----------------------------------------------------------------------------- */

/* The one service, with how it is; NULL = there is none. */
static ctcd_status *seen(void) {
    ctcd_list *services = NULL, *statuses = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &services, &err));
    ok(ctcd_list_observe(services, LONG_MS, &statuses, &err));
    ck_assert_uint_le(ctcd_list_count(statuses), 1);
    ctcd_status *status = ctcd_status_ref(ctcd_list_status(statuses, 0));
    ctcd_list_unref(statuses);
    ctcd_list_unref(services);
    return status;
}

/* What the store knows of a service. */
struct known {
    bool open, switched;
    int64_t to, generation; /* of the open operation */
    int64_t live, lives;    /* a revision that may run, and how many do */
};

static struct known known(const char *uuid) {
    struct known k = {0};
    struct store *store = NULL;
    struct store_operation open = {0};
    struct store_revision revision = {0};
    struct store_revisions unended = {0};
    ok(store_open(api_home, 0, 0, &store, &err));
    k.open = store_operation_get_open(store, uuid, &open, &err) == 0;
    k.switched = k.open && strcmp(open.phase, "switched") == 0;
    k.to = open.to_revision;
    if (k.to) {
        ok(store_revision_get(store, uuid, k.to, &revision, &err));
        k.generation = revision.generation;
    }
    ok(store_revision_list_unended(store, uuid, &unended, &err));
    k.lives = (int64_t)unended.count;
    k.live = unended.count ? unended.items[0].number : 0;
    store_operation_done(&open);
    store_revision_done(&revision);
    store_revisions_done(&unended);
    store_close(store);
    return k;
}

struct tally {
    int kills, before, not_started, started, switched;
};

/* Nothing but time passes: what was not started does not run. */
static void never_runs(const char *uuid, const char *folder, const struct known *k) {
    char marker[100];
    size_t left = 1;
    struct child_status child;
    (void)snprintf(marker, sizeof marker, CHILD_MARKER "=%s-r%lld-g%lld", uuid, (long long)k->to,
                   (long long)k->generation);
    for (int64_t end = real_mono() + LONG_MS; left && real_mono() < end;) {
        struct census all = census(uuid);
        left = strcmp(all.marker, marker) == 0 ? 1 : 0; /* a shim that finds out that it is late */
    }
    ck_assert_msg(!left, "%s runs, and was seen as not started", marker);
    ok(child_look(folder, k->generation, &child, &err));
    ck_assert_str_eq(child_state_name(child.state), "not_started");
}

/* Until nothing that the host was about to start is on its way any more: it has become something else. */
static void landed(const struct victim *v) {
    char c;
    ck_assert(becomes_readable(v->flies));
    ck_assert_int_eq(read(v->flies, &c, 1), 0);
}

static bool is_told(const ctcd_status *status) {
    return status && strstr(ctcd_status_message(status), "operation interrupted (deploy)") &&
           strncmp(ctcd_status_next(status), "ctcd served-models start", 24) == 0;
}

/* Looks after the kill, and counts what was seen. */
static void look_after(struct tally *t, const struct victim *v) {
    ctcd_status *status = seen();
    const char *uuid = status ? ctcd_service_uuid(ctcd_status_service(status)) : "";
    struct known k = status ? known(uuid) : (struct known){0};
    char folder[4600];
    struct child_status child;
    (void)snprintf(folder, sizeof folder, "%s/services/%s/r%lld", api_home, uuid, (long long)k.to);
    if (!k.open) {
        t->before++;
    } else if (k.switched) {
        t->switched++;
    } else {
        ok(child_look(folder, k.generation, &child, &err));
        if (k.generation == 0 || child.state == CHILD_NOT_STARTED) {
            landed(v);
            never_runs(uuid, folder, &k);
            t->not_started++;
        } else {
            t->started++;
        }
    }
    if (k.open && !is_told(status)) { /* what is on its way holds the host's lock, for a moment */
        landed(v);
        ctcd_status_unref(status);
        status = seen();
    }
    ck_assert_msg(is_told(status) == k.open, "%s",
                  status ? ctcd_status_message(status) : "nothing");
    ctcd_status_unref(status);
}

/* ---- bringing it in order --------------------------------------------------------------------- */

static char last_uuid[37]; /* "" = no service is expected */

static void in_order(bool active) {
    ctcd_status *status = seen();
    ck_assert_ptr_nonnull(status);
    ctcd_service *service = ctcd_status_service(status);
    const char *uuid = ctcd_service_uuid(service);
    ck_assert_str_eq(ctcd_state_name(ctcd_status_state(status)), active ? "active" : "inactive");
    ck_assert_str_eq(ctcd_status_next(status), "");
    ck_assert_str_eq(ctcd_status_last_error(status), "");
    if (last_uuid[0])
        ck_assert_str_eq(uuid, last_uuid);
    (void)snprintf(last_uuid, sizeof last_uuid, "%s", uuid);
    runs(uuid, active);
    struct known k = known(uuid);
    ck_assert(!k.open);
    ck_assert_int_eq(k.lives, active);
    if (active)
        ck_assert_int_eq(k.live, ctcd_service_revision(service));
    ctcd_status_unref(status);
}

static void resolve(unsigned choice, const char *model) {
    char folder[4600];
    ctcd_status *status = seen();
    ctcd_service *service = status ? ctcd_status_service(status) : NULL;
    if (!service)
        choice = 1;
    else if (last_uuid[0])
        ck_assert_str_eq(ctcd_service_uuid(service), last_uuid);
    switch (choice % 8) {
    case 0:
        ok(ctcd_service_stop(service, LONG_MS, &err));
        in_order(false);
        break;
    case 1:
        ctcd_service_unref(deploy("digits", model));
        in_order(true);
        break;
    case 2:
        (void)snprintf(last_uuid, sizeof last_uuid, "%s", ctcd_service_uuid(service));
        ok(ctcd_service_delete(service, 0, LONG_MS, &err));
        runs(last_uuid, false);
        (void)snprintf(folder, sizeof folder, "%s/services/%s", api_home, last_uuid);
        ck_assert_int_ne(access(folder, F_OK), 0);
        last_uuid[0] = '\0';
        break;
    case 3: /* nobody: the next host has to, and may be killed, too */
        break;
    default:
        ok(ctcd_service_start(service, LONG_MS, &err));
        in_order(true);
        break;
    }
    ctcd_status_unref(status);
}

static void follow(unsigned *edge_us, bool late) {
    *edge_us = late                ? *edge_us * 15 / 16 + 10
               : *edge_us < 200000 ? *edge_us * 17 / 16 + 10
                                   : *edge_us;
}

START_TEST(the_caller_is_killed_at_any_instant_of_apply) {
    struct tally t = {0};
    unsigned seed = 20261129;
    /* Both follow the machine: about half of the first kills come before the child has its lock, half of the
       others before the end. */
    unsigned start_us = 1500, end_us = 8000;
    int wanted = suite_is_slow() ? 10 : KILLS;
    int64_t begun = real_mono();
    const char *models[] = {a_model("1", ""), a_model("2", ""), a_model("3", "")};
    for (; t.kills < wanted && real_mono() - begun < STORM_MS; t.kills++) {
        close_home();
        struct victim v = start_host(models[t.kills % 3]);
        bool early = t.kills % 2;
        int not_started = t.not_started;
        bool ended = kill_host(&v, next_random(&seed) % (2 * (early ? start_us : end_us)));
        open_home();
        look_after(&t, &v);
        follow(early ? &start_us : &end_us, early ? t.not_started == not_started : ended);
        (void)close(v.tells);
        (void)close(v.flies);
        resolve(next_random(&seed), models[(t.kills + 1) % 3]);
    }
    printf(
        "\nmeasured: %d kills in %.1f s: %d not started, %d started, %d switched, %d not begun or "
        "over\n",
        t.kills, (double)(real_mono() - begun) / 1000, t.not_started, t.started, t.switched,
        t.before);
    if (t.kills == KILLS) /* all sides of all edges were met */
        ck_assert_msg(t.not_started > 0 && t.started > 0 && t.switched > 0 && t.before > 0,
                      "%d %d %d", t.not_started, t.started, t.switched);
}
END_TEST

/* ---- looks while things change ---------------------------------------------------------------- */

struct watch {
    _Atomic int over, looks;
    _Atomic int serving; /* all the while only replaces: it must be active */
    char lie[400];
};

static void check_look(struct watch *w, const ctcd_status *status, bool serving) {
    int state = ctcd_status_state(status);
    bool interrupted = strstr(ctcd_status_message(status), "interrupted") != NULL;
    if (!interrupted && !(serving && state != CTCD_STATE_ACTIVE) && state != CTCD_STATE_ERROR)
        return;
    (void)snprintf(w->lie, sizeof w->lie, "%s: %s", ctcd_state_name(state),
                   ctcd_status_message(status));
    atomic_store(&w->over, 1);
}

/* In a process of its own. */
static void watch_all(struct watch *w) {
    ctcd_context *own = NULL;
    if (ctcd_context_new(0, &own, NULL) || ctcd_context_set_home(own, api_home, NULL))
        _exit(1);
    while (!atomic_load(&w->over)) {
        ctcd_list *services = NULL, *statuses = NULL;
        int serving = atomic_load(&w->serving);
        if (ctcd_service_find(own, NULL, NULL, NULL, NULL, &services, NULL))
            _exit(2);
        int rc = ctcd_list_observe(services, LONG_MS, &statuses, NULL);
        bool all_along = serving && serving == atomic_load(&w->serving);
        for (size_t i = 0; rc == 0 && i < ctcd_list_count(statuses); i++)
            check_look(w, ctcd_list_status(statuses, i), all_along);
        if (rc == 0)
            atomic_fetch_add(&w->looks, 1);
        ctcd_list_unref(statuses);
        ctcd_list_unref(services);
    }
    ctcd_context_unref(own);
    _exit(0);
}

START_TEST(looks_tell_the_truth_while_services_change) {
    struct watch *w =
        mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(w != MAP_FAILED);
    close_home();
    pid_t watcher = fork();
    if (watcher == 0)
        watch_all(w);
    open_home();
    const char *models[] = {a_model("1", ""), a_model("2", "")};
    int rounds = suite_is_slow() ? 1 : 8, replaces = suite_is_slow() ? 2 : 5;
    for (int i = 0; i < rounds && !atomic_load(&w->over); i++) {
        ctcd_service *service = deploy("digits", models[0]);
        atomic_store(&w->serving, i + 1);
        for (int j = 0; j < replaces; j++)
            ctcd_service_unref(deploy("digits", models[(j + 1) % 2]));
        atomic_store(&w->serving, 0);
        ok(ctcd_service_stop(service, LONG_MS, &err));
        ok(ctcd_service_start(service, LONG_MS, &err));
        ok(ctcd_service_delete(service, 0, LONG_MS, &err));
        ctcd_service_unref(service);
    }
    int status;
    atomic_store(&w->over, 1);
    ck_assert_int_eq(waitpid(watcher, &status, 0), watcher);
    ck_assert_msg(!w->lie[0], "%s", w->lie);
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(atomic_load(&w->looks), 0);
    printf("\nmeasured: %d looks while services changed\n", atomic_load(&w->looks));
    (void)munmap(w, sizeof *w);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {the_caller_is_killed_at_any_instant_of_apply,
                                  looks_tell_the_truth_while_services_change};
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1); /* what is waited for is only the disk */
    setenv("CK_DEFAULT_TIMEOUT", "300", 0);
    return suite_run("deploy_storm", tests, sizeof tests / sizeof *tests, begin, stand_in_end);
}
