/* Two processes replace, delete and find one service for 2,000 operations, on stand-in servers: nothing hangs, no
   revision is there twice, and there is an order of all operations, that of the events, which explains what
   each of them was told: an operation took effect at one instant between its begin and its end. */
#include "stand_in.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define OPERATIONS 1000 /* of each process */
#define HANG_MS 240000
#define EVENTS 20000

enum kind { FIND, REPLACE, DELETE };

/* What one operation was told. */
struct result {
    enum kind kind;
    int rc;
    char uuid[37]; /* "" = there was none */
    int64_t revision;
    int64_t before, after; /* the last event's id when it began, and when it had ended */
};

struct shared {
    struct result results[2][OPERATIONS];
    _Atomic int count[2];
};

static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

/* ---- in a process of its own ------------------------------------------------------------------- */

static int64_t last_event(ctcd_context *own) {
    ctcd_list *list = NULL;
    if (ctcd_event_list(own, NULL, NULL, CTCD_EVENT_NEWEST, 1, &list, NULL))
        _exit(4);
    int64_t id = ctcd_event_id(ctcd_list_event(list, 0));
    ctcd_list_unref(list);
    return id;
}

static void told(struct result *r, const ctcd_service *service) {
    (void)snprintf(r->uuid, sizeof r->uuid, "%s", ctcd_service_uuid(service));
    r->revision = ctcd_service_revision(service);
}

static void find(ctcd_context *own, struct result *r, ctcd_list **ret) {
    r->rc = ctcd_service_find(own, NULL, NULL, NULL, "digits", ret, NULL);
    if (r->rc || ctcd_list_count(*ret) > 1)
        _exit(5);
    if (ctcd_list_count(*ret))
        told(r, ctcd_list_service(*ret, 0));
}

static void replace(ctcd_context *own, struct result *r, const char *model) {
    ctcd_model_deployer *deployer = NULL;
    ctcd_deployment *wanted = NULL;
    ctcd_service *service = NULL;
    ctcd_error *why = NULL;
    if (ctcd_model_deployer_get(own, NULL, &deployer, NULL) ||
        ctcd_deployment_new(own, &wanted, NULL) ||
        ctcd_deployment_set_model_name(wanted, "digits", NULL) ||
        ctcd_deployment_set_model_uri(wanted, model, NULL) ||
        ctcd_deployment_set_min_ready(wanted, 0, NULL))
        _exit(6);
    r->rc = ctcd_model_deployer_deploy(deployer, wanted, LONG_MS, &service, &why);
    if (r->rc)
        fprintf(stderr, "deploy: %s\n", ctcd_error_message(why));
    else
        told(r, service);
    ctcd_error_unref(why);
    ctcd_service_unref(service);
    ctcd_deployment_unref(wanted);
    ctcd_model_deployer_unref(deployer);
}

static void operate(ctcd_context *own, struct result *r, unsigned choice, const char *model) {
    ctcd_list *list = NULL;
    r->kind = choice % 20 < 10 ? FIND : choice % 20 < 17 ? REPLACE : DELETE;
    r->before = last_event(own);
    if (r->kind == REPLACE)
        replace(own, r, model);
    else
        find(own, r, &list);
    if (r->kind == DELETE)
        r->rc = r->uuid[0] ? ctcd_service_delete(ctcd_list_service(list, 0), 0, LONG_MS, NULL)
                           : CTCD_E_NOT_FOUND;
    r->after = last_event(own);
    ctcd_list_unref(list);
}

static void process(struct shared *s, int which, int operations, const char *const models[2]) {
    ctcd_context *own = NULL;
    unsigned seed = 20261129u + (unsigned)which;
    if (ctcd_context_new(0, &own, NULL) || ctcd_context_set_home(own, api_home, NULL))
        _exit(3);
    for (int i = 0; i < operations; i++) {
        operate(own, &s->results[which][i], next_random(&seed), models[i % 2]);
        atomic_store(&s->count[which], i + 1);
    }
    ctcd_context_unref(own);
    _exit(0);
}

/* ---- the order that the events tell ------------------------------------------------------------ */

/* The service as it is after an event: "" = there is none. */
struct moment {
    int64_t id, revision;
    char uuid[37];
    bool switched, deleted; /* what this event was */
};

static struct moment *history;
static size_t moments;

static int64_t revision_of(const ctcd_event *event) {
    const char *at = strstr(ctcd_event_data(event), "\"revision\":");
    return at ? strtoll(at + strlen("\"revision\":"), NULL, 10) : 0;
}

/* One event more. Never are there two services of this identity, nor two deploys of one at a time, nor one
   revision twice. */
static void replay(const ctcd_event *event) {
    static bool open;
    const char *kind = ctcd_event_kind(event), *uuid = ctcd_event_subject(event);
    struct moment *m = &history[moments];
    ck_assert_uint_lt(++moments, EVENTS);
    *m = m[-1];
    m->id = ctcd_event_id(event);
    m->switched = m->deleted = false;
    ck_assert_int_gt(m->id, m[-1].id);
    if (strcmp(ctcd_event_subject_kind(event), "service") != 0)
        return;
    if (m->uuid[0])
        ck_assert_str_eq(uuid, m->uuid);
    if (strcmp(kind, "deploy_begun") == 0) {
        ck_assert(!open);
        open = true;
        (void)snprintf(m->uuid, sizeof m->uuid, "%s", uuid);
    } else if (strcmp(kind, "deploy_switched") == 0) {
        ck_assert(open && m->uuid[0]);
        open = false;
        ck_assert_int_gt(revision_of(event), m->revision);
        m->revision = revision_of(event);
        m->switched = true;
    } else {
        ck_assert_str_eq(kind, "service_deleted");
        ck_assert(!open && m->uuid[0]);
        m->uuid[0] = '\0';
        m->revision = 0;
        m->deleted = true;
    }
}

static void read_history(void) {
    ctcd_list *list = NULL;
    history = calloc(EVENTS + 1, sizeof *history);
    ck_assert_ptr_nonnull(history);
    moments = 1;
    ok(ctcd_event_list(ctx, NULL, NULL, 0, EVENTS - 1, &list, &err));
    for (size_t i = 0; i < ctcd_list_count(list); i++)
        replay(ctcd_list_event(list, i));
    ctcd_list_unref(list);
}

/* Is there an instant between the two events at which this was so? *floor: not before; becomes that instant. */
static bool was_so(const struct result *r, int64_t *floor) {
    for (size_t i = 0; i < moments && history[i].id <= r->after; i++) {
        const struct moment *m = &history[i];
        bool last = i + 1 == moments || history[i + 1].id > r->before;
        if (!last || m->id < *floor)
            continue;
        bool found = strcmp(m->uuid, r->uuid) == 0 && m->revision == r->revision;
        bool mine = r->kind == FIND      ? found
                    : r->kind == REPLACE ? m->switched && found
                    : r->rc              ? strcmp(m->uuid, r->uuid) != 0 || !m->uuid[0]
                                         : m->deleted && strcmp(m[-1].uuid, r->uuid) == 0;
        if (mine) {
            *floor = m->id;
            return true;
        }
    }
    return false;
}

struct tally {
    int finds, replaces, deletes, lost;
};

static void explain(const struct result *r, int64_t *floor, struct tally *t) {
    if (r->kind == DELETE)
        ck_assert_msg(r->rc == 0 || r->rc == CTCD_E_NOT_FOUND, "delete gave %d", r->rc);
    else
        ck_assert_int_eq(r->rc, 0);
    ck_assert_msg(was_so(r, floor),
                  "operation %d of %s revision %lld (%d), events %lld to %lld, explains nothing",
                  r->kind, r->uuid, (long long)r->revision, r->rc, (long long)r->before,
                  (long long)r->after);
    t->finds += r->kind == FIND;
    t->replaces += r->kind == REPLACE;
    t->deletes += r->kind == DELETE && r->rc == 0;
    t->lost += r->kind == DELETE && r->rc != 0;
}

/* Every change in the history is somebody's. */
static void nothing_else_happened(const struct tally *t) {
    int switched = 0, deleted = 0;
    for (size_t i = 1; i < moments; i++) {
        switched += history[i].switched;
        deleted += history[i].deleted;
    }
    ck_assert_int_eq(switched, t->replaces);
    ck_assert_int_eq(deleted, t->deletes);
}

/* ---- the test ---------------------------------------------------------------------------------- */

/* alive: end of file when both have ended. */
static void wait_for_both(struct shared *s, const pid_t pids[2], int alive) {
    struct pollfd ends = {.fd = alive, .events = POLLIN};
    if (poll(&ends, 1, HANG_MS) != 1) {
        (void)kill(pids[0], SIGKILL);
        (void)kill(pids[1], SIGKILL);
        ck_abort_msg("hangs after %d and %d operations", atomic_load(&s->count[0]),
                     atomic_load(&s->count[1]));
    }
    for (int i = 0; i < 2; i++) {
        int status = 0;
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_msg(status == 0, "process %d ended with %d after %d operations", i, status,
                      atomic_load(&s->count[i]));
    }
}

static void open_home(void) {
    ctx = api_context(0);
    ok(ctcd_model_deployer_get(ctx, NULL, &ml, &err));
}

static void one_at_most_is_left(void) {
    ctcd_list *list = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, "digits", &list, &err));
    ck_assert_uint_le(ctcd_list_count(list), 1);
    if (ctcd_list_count(list)) {
        ctcd_service *service = ctcd_list_service(list, 0);
        ctcd_status *status = look(service);
        ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
        ck_assert_int_eq(ctcd_service_revision(service), history[moments - 1].revision);
        ctcd_status_unref(status);
    }
    ctcd_list_unref(list);
}

START_TEST(two_processes_share_a_service) {
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(s != MAP_FAILED);
    const char *models[2] = {a_model("1", ""), a_model("2", "")};
    int operations = suite_is_slow() ? 60 : OPERATIONS;
    struct tally t = {0};
    pid_t pids[2];
    int alive[2];
    int64_t begun = real_mono();
    ml = ctcd_model_deployer_unref(
        ml); /* a process that is forked while a store is open cannot open one */
    ctx = ctcd_context_unref(ctx);
    ck_assert_int_eq(pipe2(alive, O_CLOEXEC), 0); /* no server holds it */
    for (int i = 0; i < 2; i++)
        if ((pids[i] = fork()) == 0)
            process(s, i, operations, models);
    (void)close(alive[1]);
    wait_for_both(s, pids, alive[0]);
    (void)close(alive[0]);
    open_home();
    read_history();
    for (int which = 0; which < 2; which++) {
        int64_t floor = 0;
        for (int i = 0; i < operations; i++)
            explain(&s->results[which][i], &floor, &t);
    }
    nothing_else_happened(&t);
    one_at_most_is_left();
    printf("\nmeasured: %d operations of two processes in %.1f s: %d finds, %d replaces, %d "
           "deletes, %d "
           "deletes of what was gone\n",
           2 * operations, (double)(real_mono() - begun) / 1000, t.finds, t.replaces, t.deletes,
           t.lost);
    free(history);
    (void)munmap(s, sizeof *s);
}
END_TEST

static void begin(void) {
    stand_in_begin();
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); /* no zombies for others */
}

int main(void) {
    const TTest *const tests[] = {two_processes_share_a_service};
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1); /* what is waited for is only the disk */
    setenv("CK_DEFAULT_TIMEOUT", "300", 0);
    return suite_run("two_processes", tests, 1, begin, stand_in_end);
}
