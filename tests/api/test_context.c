/* The context: where its home is, what is logged, whose clock it goes by, and that it may be released in any order. Its
   loop is in test_context_loop.c, threads and forks in files of their own. */
#include "fake.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- making one ---- */

START_TEST(unknown_flags_are_refused) {
    ctcd_context *made = NULL;
    for (int bit = 0; bit < 32; bit++) {
        uint32_t flag = 1u << bit;
        if (flag == CTCD_CONTEXT_EXISTING)
            continue;
        fails(ctcd_context_new(flag, &made, &err), CTCD_E_INVALID);
        fails(ctcd_context_new(flag | CTCD_CONTEXT_EXISTING, &made, &err), CTCD_E_INVALID);
    }
    ck_assert_ptr_null(made);
    fails(ctcd_context_new(0, NULL, &err), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_context_new(8, &made, NULL), CTCD_E_INVALID);
    ok(ctcd_context_new(CTCD_CONTEXT_EXISTING, &made, &err));
    ck_assert_ptr_eq(ctcd_context_ref(made), made);
    ck_assert_ptr_null(ctcd_context_unref(made));
    ck_assert_int_ge(ctcd_context_fd(made), 0);
    ck_assert_ptr_null(ctcd_context_unref(made));
}
END_TEST

START_TEST(no_context_is_nothing) {
    ctcd_list *list = NULL;
    ck_assert_ptr_null(ctcd_context_ref(NULL));
    ck_assert_ptr_null(ctcd_context_unref(NULL));
    ck_assert_ptr_null(ctcd_context_home(NULL));
    ck_assert_int_eq(ctcd_context_fd(NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_context_deadline(NULL), INT64_MAX);
    ck_assert_int_eq(ctcd_context_wakeup(NULL), CTCD_E_INVALID);
    fails(ctcd_context_set_home(NULL, "x", &err), CTCD_E_INVALID);
    fails(ctcd_context_open(NULL, &err), CTCD_E_INVALID);
    fails(ctcd_context_set_log(NULL, CTCD_LOG_INFO, NULL, NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_context_set_clock(NULL, NULL, NULL, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_context_dispatch(NULL, &err), CTCD_E_INVALID);
    fails(ctcd_context_wait(NULL, 10, &err), CTCD_E_INVALID);
    fails(ctcd_service_find(NULL, NULL, NULL, NULL, NULL, &list, &err), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_context_dispatch(NULL, NULL), CTCD_E_INVALID);
}
END_TEST

/* ---- the home ---- */

static const char *const variables[] = {"CTCD_HOME", "XDG_STATE_HOME", "HOME"};

/* The home that a context chooses with these variables (NULL = not set); "" = it chooses none. */
static void chosen(const char *ctcd_home, const char *state, const char *user, char *ret,
                   size_t size) {
    const char *const values[] = {ctcd_home, state, user};
    char *before[3];
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(variables[i]);
        before[i] = value ? strdup(value) : NULL;
        if (values[i])
            (void)setenv(variables[i], values[i], 1);
        else
            (void)unsetenv(variables[i]);
    }
    ctcd_context *made = NULL;
    ok(ctcd_context_new(0, &made, &err));
    err = ctcd_error_unref(err);
    int rc = ctcd_context_open(made, &err);
    ck_assert_msg(rc == 0 || rc == CTCD_E_INVALID, "%s", ctcd_error_message(err));
    (void)snprintf(ret, size, "%s", rc == 0 ? ctcd_context_home(made) : "");
    ctcd_context_unref(made);
    for (int i = 0; i < 3; i++) {
        if (before[i])
            (void)setenv(variables[i], before[i], 1);
        else
            (void)unsetenv(variables[i]);
        free(before[i]);
    }
}

START_TEST(the_home_follows_the_environment) {
    char a[4300], b[4300], c[4300], wanted[4400], got[4400];
    (void)snprintf(a, sizeof a, "%s/a", api_folder);
    (void)snprintf(b, sizeof b, "%s/b", api_folder);
    (void)snprintf(c, sizeof c, "%s/c", api_folder);
    chosen(a, b, c, got, sizeof got);
    ck_assert_str_eq(got, a);
    (void)snprintf(wanted, sizeof wanted, "%s/ctcd", b);
    chosen(NULL, b, c, got, sizeof got);
    ck_assert_str_eq(got, wanted);
    chosen("", b, c, got, sizeof got); /* empty is not set */
    ck_assert_str_eq(got, wanted);
    (void)snprintf(wanted, sizeof wanted, "%s/.local/state/ctcd", c);
    chosen(NULL, NULL, c, got, sizeof got);
    ck_assert_str_eq(got, wanted);
    chosen(NULL, "relative", c, got, sizeof got); /* as the XDG specification has it */
    ck_assert_str_eq(got, wanted);
    chosen(NULL, "", c, got, sizeof got);
    ck_assert_str_eq(got, wanted);
    chosen(NULL, NULL, NULL, got, sizeof got);
    ck_assert_str_eq(got, "");
    ck_assert_has(ctcd_error_hint(err), "CTCD_HOME");
}
END_TEST

START_TEST(the_home_is_chosen_before_it_is_opened) {
    char here[4096], other[4300];
    fails(ctcd_context_set_home(ctx, "", &err), CTCD_E_INVALID);
    fails(ctcd_context_set_home(ctx, "not \xff UTF-8", &err), CTCD_E_INVALID);
    ck_assert_ptr_null(ctcd_context_home(ctx));
    (void)snprintf(other, sizeof other, "%s/deep/down/home", api_folder);
    ok(ctcd_context_set_home(ctx, other, &err)); /* the last one counts */
    ck_assert_int_ne(access(other, F_OK), 0);
    ok(ctcd_context_open(ctx, &err));
    ok(ctcd_context_open(ctx, &err));
    ck_assert_str_eq(ctcd_context_home(ctx), other);
    fails(ctcd_context_set_home(ctx, api_home, &err), CTCD_E_CONFLICT);
    fails(ctcd_context_set_home(ctx, NULL, &err), CTCD_E_CONFLICT);
    ck_assert_str_eq(ctcd_context_home(ctx), other);
    ck_assert_int_ne(access(api_home, F_OK), 0);
    struct stat st;
    ck_assert_int_eq(stat(other, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    /* A relative path is absolute once it is open. */
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(chdir(api_folder), 0);
    ctcd_context *made = api_context(0);
    ok(ctcd_context_set_home(made, "near/home", &err));
    ok(ctcd_context_open(made, &err));
    ck_assert_int_eq(chdir(here), 0);
    (void)snprintf(other, sizeof other, "%s/near/home", api_folder);
    ck_assert_str_eq(ctcd_context_home(made), other);
    ctcd_list *list = NULL;
    ok(ctcd_service_find(made, NULL, NULL, NULL, NULL, &list, &err));
    ctcd_list_unref(list);
    ctcd_context_unref(made);
}
END_TEST

START_TEST(looking_makes_no_home) {
    ctcd_list *list = NULL;
    ctcd_service *service = NULL;
    ctcd_context *looks = api_context(CTCD_CONTEXT_EXISTING);
    fails(ctcd_context_open(looks, &err), CTCD_E_NOT_FOUND);
    ck_assert_has(ctcd_error_message(err), api_home);
    fails(ctcd_service_find(looks, NULL, NULL, NULL, NULL, &list, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_get(looks, "12345678", &service, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_null(ctcd_context_home(looks));
    ck_assert_int_ne(access(api_home, F_OK), 0);
    ok(ctcd_context_set_home(looks, api_home, &err)); /* a failed opening has chosen nothing */
    ok(ctcd_context_open(ctx, &err));
    ok(ctcd_context_open(looks, &err));
    ck_assert_str_eq(ctcd_context_home(looks), api_home);
    ctcd_context_unref(looks);
}
END_TEST

START_TEST(a_home_that_cannot_be_is_refused) {
    char path[4300];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/file", api_folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ok(ctcd_context_set_home(ctx, path, &err));
    fails(ctcd_context_open(ctx, &err), CTCD_E_INVALID);
    (void)snprintf(path, sizeof path, "%s/file/home", api_folder);
    ok(ctcd_context_set_home(ctx, path, &err));
    ck_assert_int_lt(ctcd_context_open(ctx, NULL), 0);
    (void)snprintf(path, sizeof path, "%s/open", api_folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(chmod(path, 0777), 0);
    ok(ctcd_context_set_home(ctx, path, &err));
    fails(ctcd_context_open(ctx, &err), CTCD_E_NOT_ALLOWED); /* others may write to it */
    ck_assert_ptr_nonnull(ctcd_error_hint(err));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0777); /* and we do not help ourselves */
    /* The context is none the worse for it. */
    ok(ctcd_context_set_home(ctx, api_home, &err));
    ok(ctcd_context_open(ctx, &err));
}
END_TEST

START_TEST(a_damaged_or_newer_store_is_named) {
    char path[4400];
    ok(ctcd_context_open(ctx, &err));
    ctx = ctcd_context_unref(ctx);
    (void)snprintf(path, sizeof path, "%s/ctcd.db", api_home);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    uint8_t newer[4] = {0x7f, 0, 0, 0}, before[4];
    /* Bytes 60 to 63: the user version, which is ours to use. */
    ck_assert_int_eq(pread(fd, before, 4, 60), 4);
    ck_assert_int_eq(pwrite(fd, newer, 4, 60), 4);
    ctx = api_context(0);
    fails(ctcd_context_open(ctx, &err), CTCD_E_NEWER);
    ck_assert_int_eq(pwrite(fd, before, 4, 60), 4);
    ok(ctcd_context_open(ctx, &err));
    ctx = ctcd_context_unref(ctx);
    ck_assert_int_eq(pwrite(fd, "not a database at all", 21, 0), 21);
    ck_assert_int_eq(close(fd), 0);
    ctx = api_context(0);
    fails(ctcd_context_open(ctx, &err), CTCD_E_CORRUPT);
}
END_TEST

/* ---- the log ---- */

static struct log {
    char lines[8192];
    int count, levels[5];
    atomic_int destroyed;
    bool enters;
} log_seen;

static void log_line(void *user_data, int level, const char *line) {
    struct log *l = user_data;
    ctcd_list *list = NULL;
    ck_assert_int_ge(level, CTCD_LOG_ERROR);
    ck_assert_int_le(level, CTCD_LOG_DEBUG);
    ck_assert_ptr_null(strchr(line, '\n'));
    l->count++;
    l->levels[level]++;
    size_t at = strlen(l->lines);
    (void)snprintf(l->lines + at, sizeof l->lines - at, "%s\n", line);
    if (!l->enters)
        return;
    fails(ctcd_context_dispatch(ctx, &err), CTCD_E_REENTRANT);
    fails(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err), CTCD_E_REENTRANT);
    fails(ctcd_context_set_log(ctx, CTCD_LOG_INFO, NULL, NULL, NULL, &err), CTCD_E_REENTRANT);
    ck_assert_int_eq(ctcd_context_fd(ctx), CTCD_E_REENTRANT);
    ck_assert_int_eq(ctcd_context_deadline(ctx), INT64_MAX);
    ck_assert_int_eq(ctcd_context_wakeup(ctx), 0);
    ck_assert_ptr_nonnull(ctcd_context_home(ctx));
}

static void log_destroy(void *user_data) {
    struct log *l = user_data;
    atomic_fetch_add(&l->destroyed, 1);
}

static void log_begin(int level) {
    ok(ctcd_context_set_log(ctx, level, NULL, NULL, NULL, &err));
    memset(&log_seen, 0, sizeof log_seen);
    ok(ctcd_context_set_log(ctx, level, log_line, &log_seen, log_destroy, &err));
}

static int remove_fails(struct fake_in *in) {
    return ctcd_call_fail(in->call, CTCD_E_IO, "it will not go\nand says so", NULL);
}

/* Leaves info lines of its progress and a warning, because the old server will not go. */
static void replace_with_a_warning(void) {
    fake.hook[FAKE_REMOVE] = NULL;
    ctcd_service_unref(fake_deploy("digits", "one"));
    fake.hook[FAKE_REMOVE] = remove_fails;
    ctcd_service_unref(fake_deploy("digits", "two"));
    fake.hook[FAKE_REMOVE] = NULL;
}

static void fake_here(void) {
    fake_reset();
    fake_register(ctx);
    fake_component("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
}

START_TEST(log_lines_come_up_to_the_level) {
    fake_here();
    fails(ctcd_context_set_log(ctx, 0, log_line, &log_seen, log_destroy, &err), CTCD_E_INVALID);
    fails(ctcd_context_set_log(ctx, CTCD_LOG_DEBUG + 1, log_line, &log_seen, NULL, &err),
          CTCD_E_INVALID);
    log_begin(CTCD_LOG_INFO);
    replace_with_a_warning();
    ck_assert_int_gt(log_seen.levels[CTCD_LOG_INFO], 2);
    ck_assert_int_eq(log_seen.levels[CTCD_LOG_WARNING], 1);
    ck_assert_int_eq(log_seen.levels[CTCD_LOG_DEBUG], 0);
    ck_assert_has(log_seen.lines, "it will not go and says so\n"); /* one line is one line */
    ck_assert_has(log_seen.lines, "starting revision 2 of digits\n");
    log_begin(CTCD_LOG_WARNING);
    replace_with_a_warning();
    ck_assert_int_eq(log_seen.count, 1);
    ck_assert_int_eq(log_seen.levels[CTCD_LOG_WARNING], 1);
    log_begin(CTCD_LOG_ERROR);
    replace_with_a_warning();
    ck_assert_int_eq(log_seen.count, 0);
    fake_end_context();
    ck_assert_int_eq(atomic_load(&log_seen.destroyed), 1);
}
END_TEST

START_TEST(another_log_gives_the_first_one_back) {
    struct log first;
    fake_here();
    memset(&first, 0, sizeof first);
    ok(ctcd_context_set_log(ctx, CTCD_LOG_INFO, log_line, &first, log_destroy, &err));
    log_begin(CTCD_LOG_INFO);
    ck_assert_int_eq(atomic_load(&first.destroyed), 1);
    replace_with_a_warning();
    ck_assert_int_eq(first.count, 0);
    ck_assert_int_gt(log_seen.count, 0);
    ok(ctcd_context_set_log(ctx, 0, NULL, NULL, NULL, &err));
    ck_assert_int_eq(atomic_load(&log_seen.destroyed), 1);
    int before = log_seen.count;
    replace_with_a_warning();
    ck_assert_int_eq(log_seen.count, before);
    fake_end_context();
    ck_assert_int_eq(atomic_load(&log_seen.destroyed), 1);
}
END_TEST

START_TEST(the_log_must_not_enter_the_library) {
    fake_here();
    log_begin(CTCD_LOG_DEBUG);
    log_seen.enters = true;
    replace_with_a_warning();
    ck_assert_int_gt(log_seen.count, 2);
    fake_end_context();
}
END_TEST

/* Texts of users end up in lines and in errors: one line all the same. */
START_TEST(a_line_is_one_line) {
    fake_here();
    log_begin(CTCD_LOG_DEBUG);
    ctcd_op *op = fake_deploy_begin("digits", "two\nlines", LONG_MS);
    for (int i = 0; ctcd_op_poll(op) == CTCD_AGAIN && i < 1000; i++) {
        ok(ctcd_context_dispatch(ctx, &err));
        ck_assert_ptr_null(strchr(ctcd_op_doing(op), '\n'));
    }
    ok(ctcd_op_result(op, &err));
    ctcd_op_unref(op);
    ck_assert_has(log_seen.lines, "checking two lines\n");
    ctcd_component *none = NULL;
    fails(ctcd_component_get(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "no\nname", &none, &err),
          CTCD_E_NOT_FOUND);
    ck_assert_ptr_null(strchr(ctcd_error_message(err), '\n'));
    fake_end_context();
}
END_TEST

/* ---- the clock ---- */

static int for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

START_TEST(a_given_clock_is_the_only_one) {
    struct hand hand;
    ctcd_status *status = NULL;
    fake_here();
    hand_give(&hand, ctx);
    ctcd_service *service = fake_deploy("digits", "one");
    hand_move(&hand, 1234567);
    ok(ctcd_service_observe(service, 1000, &status, &err));
    ck_assert_int_eq(ctcd_status_time(status), HAND_WALL + 1234567);
    ctcd_status_unref(status);
    /* Time by itself does not make the fd readable, nor does a deadline that has come. */
    fake.hook[FAKE_OBSERVE] = for_ever;
    ctcd_op *op = fake_observe_begin(1000);
    settle(ctx);
    ck_assert_int_eq(ctcd_context_deadline(ctx), HAND_MONO + 1234567 + 1000);
    fails(ctcd_context_set_clock(ctx, NULL, NULL, NULL, &err), CTCD_E_CONFLICT);
    hand_move(&hand, 1000);
    ck_assert(!readable(ctcd_context_fd(ctx)));
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    ok(ctcd_context_dispatch(ctx, &err));
    settle(ctx);
    ck_assert_int_eq(ctcd_op_poll(op), 0);
    ctcd_op_unref(op);
    ctcd_service_unref(service);
    ck_assert_int_eq(atomic_load(&hand.destroyed), 0);
    fake_end_context();
    ck_assert_int_eq(atomic_load(&hand.destroyed), 1);
}
END_TEST

START_TEST(clocks_can_be_changed_while_nothing_runs) {
    struct hand first, second;
    fake_here();
    hand_give(&first, ctx);
    hand_give(&second, ctx);
    ck_assert_int_eq(atomic_load(&first.destroyed), 1);
    ck_assert_int_eq(atomic_load(&second.destroyed), 0);
    ok(ctcd_context_set_clock(ctx, NULL, NULL, NULL, &err));
    ck_assert_int_eq(atomic_load(&second.destroyed), 1);
    /* The system's again: a deadline comes by itself. */
    ctcd_service_unref(fake_deploy("digits", "one"));
    fake.hook[FAKE_OBSERVE] = for_ever;
    ctcd_op *op = fake_observe_begin(20);
    settle(ctx);
    ck_assert(becomes_readable(ctcd_context_fd(ctx)));
    ok(ctcd_op_wait(op, LONG_MS, &err));
    ctcd_op_unref(op);
    fake_end_context();
}
END_TEST

static struct hand entering;

static void clock_enters(void *user_data, int64_t *ret_wall, int64_t *ret_mono) {
    ctcd_list *list = NULL;
    hand_read(user_data, ret_wall, ret_mono);
    if (!ctx)
        return;
    ck_assert_int_eq(ctcd_context_deadline(ctx), INT64_MAX);
    ck_assert_int_eq(ctcd_context_fd(ctx), CTCD_E_REENTRANT);
    fails(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err), CTCD_E_REENTRANT);
    fails(ctcd_context_set_clock(ctx, NULL, NULL, NULL, &err), CTCD_E_REENTRANT);
}

START_TEST(a_clock_must_not_enter_the_library) {
    fake_here();
    atomic_store(&entering.wall, HAND_WALL);
    atomic_store(&entering.mono, HAND_MONO);
    ok(ctcd_context_set_clock(ctx, clock_enters, &entering, NULL, &err));
    ctcd_service_unref(fake_deploy("digits", "one"));
    ck_assert_int_eq(ctcd_context_deadline(ctx), INT64_MAX);
    fake_end_context();
}
END_TEST

/* ---- several contexts ---- */

START_TEST(contexts_of_one_home_see_the_same) {
    fake_here();
    ctcd_service *service = fake_deploy("digits", "one"), *same = NULL;
    ctcd_context *other = api_context(0);
    fake.destroyed = -1; /* two registrations, two ends */
    fake_register(other);
    ok(ctcd_service_get(other, ctcd_service_uuid(service), &same, &err));
    ck_assert_str_eq(ctcd_service_model(same), "digits");
    ck_assert_ptr_ne(same, service);
    /* Objects do not cross; their UUIDs do. */
    ctcd_deployment *foreign = NULL;
    ok(ctcd_deployment_new(other, &foreign, &err));
    ok(ctcd_deployment_set_model_name(foreign, "digits", &err));
    ok(ctcd_deployment_set_model_uri(foreign, "two", &err));
    fails(ctcd_model_deployer_deploy(deployer, foreign, LONG_MS, NULL, &err), CTCD_E_INVALID);
    ck_assert_has(ctcd_error_message(err), "different contexts");
    ctcd_deployment_unref(foreign);
    ok(ctcd_service_stop(same, LONG_MS, &err));
    ctcd_service_unref(same);
    ctcd_status *status = NULL;
    ok(ctcd_service_observe(service, LONG_MS, &status, &err));
    ck_assert_int_eq(ctcd_status_desired(status), CTCD_STATE_INACTIVE);
    ctcd_status_unref(status);
    ctcd_service_unref(service);
    ctcd_context_unref(other);
    fake_end_context();
}
END_TEST

/* ---- any order of release ---- */

static void *release_context(void *o) {
    return ctcd_context_unref(o);
}
static void *release_component(void *o) {
    return ctcd_component_unref(o);
}
static void *release_stack(void *o) {
    return ctcd_stack_unref(o);
}
static void *release_deployer(void *o) {
    return ctcd_model_deployer_unref(o);
}
static void *release_deployment(void *o) {
    return ctcd_deployment_unref(o);
}
static void *release_service(void *o) {
    return ctcd_service_unref(o);
}
static void *release_list(void *o) {
    return ctcd_list_unref(o);
}
static void *release_status(void *o) {
    return ctcd_status_unref(o);
}
static void *release_pipeline(void *o) {
    return ctcd_pipeline_unref(o);
}
static void *release_schedule(void *o) {
    return ctcd_schedule_unref(o);
}
static void *release_op(void *o) {
    return ctcd_op_unref(o);
}

struct held {
    void *object;
    void *(*release)(void *);
};

static const char pipeline_text[] = "pipeline: p\nsteps:\n  a: {command: [\"true\"]}\n";

/* One of everything, of a context of its own. */
static size_t one_of_each(struct held held[16]) {
    size_t n = 0;
    ctcd_component *component = NULL;
    ctcd_stack *stack = NULL;
    ctcd_status *status = NULL;
    ctcd_pipeline *pipeline = NULL;
    ctcd_schedule *schedule = NULL;
    ctcd_context *mine = api_context(0);
    ctx = mine;
    fake.destroyed = 0;
    fake_register(mine);
    ok(ctcd_component_get(mine, CTCD_COMPONENT_MODEL_DEPLOYER, "ml", &component, &err));
    ok(ctcd_stack_get(mine, NULL, &stack, &err));
    ok(ctcd_model_deployer_get(mine, "ml", &deployer, &err));
    ctcd_service *service = fake_deploy("digits", "one");
    ok(ctcd_service_observe(service, LONG_MS, &status, &err));
    ok(ctcd_pipeline_parse(mine, pipeline_text, NULL, &pipeline, &err));
    ok(ctcd_schedule_new_interval(mine, 60000, &schedule, &err));
    fake.hook[FAKE_OBSERVE] = for_ever;
    held[n++] = (struct held){fake_observe_begin(LONG_MS), release_op};
    settle(mine);
    fake.hook[FAKE_OBSERVE] = NULL;
    ctcd_op *ended = fake_observe_begin(LONG_MS);
    ctcd_list *seen = NULL;
    ok(ctcd_op_wait(ended, LONG_MS, &err));
    ok(ctcd_op_take_list(ended, &seen, &err));
    held[n++] = (struct held){ended, release_op};
    held[n++] = (struct held){seen, release_list};
    held[n++] = (struct held){component, release_component};
    held[n++] = (struct held){stack, release_stack};
    held[n++] = (struct held){deployer, release_deployer};
    held[n++] = (struct held){fake_want("digits", "two"), release_deployment};
    held[n++] = (struct held){service, release_service};
    held[n++] = (struct held){fake_services(), release_list};
    held[n++] = (struct held){status, release_status};
    held[n++] = (struct held){pipeline, release_pipeline};
    held[n++] = (struct held){schedule, release_schedule};
    held[n++] = (struct held){mine, release_context};
    ctx = NULL;
    deployer = NULL;
    return n;
}

START_TEST(everything_may_be_released_in_any_order) {
    struct held held[16];
    unsigned seed = 1;
    fake_here();
    fake_end_context();
    for (int round = 0; round < (suite_is_slow() ? 8 : 60); round++) {
        size_t n = one_of_each(held);
        for (size_t i = n; i > 0; i--) {
            seed = seed * 1103515245u + 12345u; /* always the same orders */
            size_t at = (seed >> 16) % i;
            ck_assert_int_eq(fake.destroyed, 0);
            ck_assert_ptr_null(held[at].release(held[at].object));
            held[at] = held[i - 1];
        }
        ck_assert_int_eq(fake.destroyed, 1);
        ck_assert_int_eq(fake.closed, fake.opened);
        ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    }
    fake_reset();
}
END_TEST

static void end(void) {
    if (ctx)
        deployer = ctcd_model_deployer_unref(deployer);
    api_close();
}

SUITE_MAIN_WITH("context", api_open, end, unknown_flags_are_refused, no_context_is_nothing,
                the_home_follows_the_environment, the_home_is_chosen_before_it_is_opened,
                looking_makes_no_home, a_home_that_cannot_be_is_refused,
                a_damaged_or_newer_store_is_named, log_lines_come_up_to_the_level,
                another_log_gives_the_first_one_back, the_log_must_not_enter_the_library,
                a_line_is_one_line, a_given_clock_is_the_only_one,
                clocks_can_be_changed_while_nothing_runs, a_clock_must_not_enter_the_library,
                contexts_of_one_home_see_the_same, everything_may_be_released_in_any_order)
