/* Start, stop and delete as the engine does them for any back end, what is kept with a revision, and what a program that
   ends in the middle of a mutation leaves to the next one. Time is a clock by hand. */
#include "fake.h"

static struct hand hand;
static ctcd_service *service;

static void begin(void) {
    fake_begin();
    hand_give(&hand, ctx);
    service = fake_deploy("digits", "one");
    fake.trace[0] = '\0';
}

static void end(void) {
    service = ctcd_service_unref(service);
    fake_end();
}

static void clear(void) {
    fake.trace[0] = '\0';
}

static int for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

static int failure;

static int fails_so(struct fake_in *in) {
    return ctcd_call_fail(in->call, failure, "the fake does not like it", "ask it why");
}

enum change { START, STOP, DELETE, KILL };

static int change(enum change what) {
    ctcd_op *op = NULL;
    if (what == START)
        ok(ctcd_service_start_begin(service, 60000, &op, &err));
    else if (what == STOP)
        ok(ctcd_service_stop_begin(service, 60000, &op, &err));
    else
        ok(ctcd_service_delete_begin(service, what == KILL ? CTCD_DELETE_FORCE : 0, 60000, &op,
                                     &err));
    int rc = play(ctx, &hand, op);
    ctcd_op_unref(op);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    return rc;
}

static ctcd_status *look(void) {
    ctcd_status *status = NULL;
    bool traced = fake.traces;
    fake_hook before = fake.hook[FAKE_OBSERVE];
    fake.traces = false;
    fake.hook[FAKE_OBSERVE] = NULL;
    ok(ctcd_service_observe(service, 1000, &status, &err));
    fake.hook[FAKE_OBSERVE] = before;
    fake.traces = traced;
    return status;
}

static void is_now(int state, int desired) {
    ctcd_status *status = look();
    ck_assert_str_eq(ctcd_state_name(ctcd_status_state(status)), ctcd_state_name(state));
    ck_assert_int_eq(ctcd_status_desired(status), desired);
    ctcd_status_unref(status);
}

/* The program ends here, and another one begins; the back end's servers run on. */
static void another_program(void) {
    char uuid[37];
    struct fake_server kept[8];
    size_t count = fake.server_count;
    (void)snprintf(uuid, sizeof uuid, "%s", ctcd_service_uuid(service));
    ck_assert_uint_le(count, 8);
    memcpy(kept, fake.servers, sizeof kept);
    service = ctcd_service_unref(service);
    fake_end_context();
    fake_reset();
    memcpy(fake.servers, kept, sizeof kept);
    fake.server_count = count;
    ctx = api_context(CTCD_CONTEXT_EXISTING);
    fake_register(ctx);
    hand_give(&hand, ctx);
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
    ok(ctcd_service_get(ctx, uuid, &service, &err));
}

/* ---- stop and start ---- */

static int wants[8], want_count;

static int notes_wanted(struct fake_in *in) {
    wants[want_count++] = ctcd_revision_wanted(in->revision);
    return FAKE_GO_ON;
}

START_TEST(stopped_and_started) {
    ok(change(STOP));
    ck_assert_str_eq(fake.trace, "remove:1");
    is_now(CTCD_STATE_INACTIVE, CTCD_STATE_INACTIVE);
    ck_assert_int_eq(fake_running(&fake), 0);
    clear();
    ok(change(START));
    ck_assert_str_eq(fake.trace, "observe:1 remove:1! apply:1 observe:1");
    is_now(CTCD_STATE_ACTIVE, CTCD_STATE_ACTIVE);
    ck_assert_int_eq(fake_running(&fake), 1);
    ck_assert_int_eq(fake.servers[0].generation, 2); /* each start is one of its own */
    /* The back end is told what is wanted. */
    ctcd_status *status = NULL;
    fake.hook[FAKE_OBSERVE] = notes_wanted;
    want_count = 0;
    ok(ctcd_service_observe(service, 1000, &status, &err));
    ctcd_status_unref(status);
    ok(change(STOP));
    ok(ctcd_service_observe(service, 1000, &status, &err));
    ctcd_status_unref(status);
    ck_assert_int_eq(want_count, 2);
    ck_assert_int_eq(wants[0], 1);
    ck_assert_int_eq(wants[1], 0);
}
END_TEST

START_TEST(what_is_so_already_is_done) {
    ok(change(START));
    ck_assert_str_eq(fake.trace, "observe:1"); /* it runs: left alone */
    ok(change(STOP));
    ok(change(STOP)); /* not there is done, for the back end */
    ck_assert_int_eq(fake_running(&fake), 0);
    is_now(CTCD_STATE_INACTIVE, CTCD_STATE_INACTIVE);
}
END_TEST

START_TEST(start_brings_a_crashed_one_back) {
    fake.servers[0].runs = false;
    is_now(CTCD_STATE_INACTIVE, CTCD_STATE_ACTIVE); /* as the fake has it */
    ok(change(START));
    ck_assert_str_eq(fake.trace, "observe:1 remove:1! apply:1 observe:1");
    is_now(CTCD_STATE_ACTIVE, CTCD_STATE_ACTIVE);
}
END_TEST

START_TEST(start_asks_who_cannot_answer_no_longer_than_needed) {
    fake.hook[FAKE_OBSERVE] = for_ever;
    ctcd_op *op = NULL;
    ok(ctcd_service_start_begin(service, 60000, &op, &err));
    settle(ctx);
    play_for(ctx, &hand, 5000); /* one look's time */
    ck_assert_str_eq(fake.trace, "observe:1 remove:1! apply:1 observe:1");
    fake.hook[FAKE_OBSERVE] = NULL;
    ok(play(ctx, &hand, op));
    ctcd_op_unref(op);
    is_now(CTCD_STATE_ACTIVE, CTCD_STATE_ACTIVE);
}
END_TEST

/* ---- failures of start ---- */

static void start_failed(int code, const char *trace) {
    ck_assert_int_eq(change(START), code);
    ck_assert_str_eq(fake.trace, trace);
    ck_assert_int_eq(fake_running(&fake), 0); /* what did not come up is taken down */
    ctcd_status *status = look();
    ck_assert_str_ne(ctcd_status_last_error(status), "");
    ctcd_status_unref(status);
    fake.hook[FAKE_APPLY] = fake.hook[FAKE_OBSERVE] = NULL;
    clear();
    ok(change(START));
    is_now(CTCD_STATE_ACTIVE, CTCD_STATE_ACTIVE);
    status = look();
    ck_assert_str_eq(ctcd_status_last_error(status), ""); /* success clears it */
    ctcd_status_unref(status);
}

START_TEST(when_apply_fails) {
    fake.servers[0].runs = false;
    failure = CTCD_E_NOT_ALLOWED;
    fake.hook[FAKE_APPLY] = fails_so;
    start_failed(CTCD_E_NOT_ALLOWED, "observe:1 remove:1! apply:1 remove:1!");
}
END_TEST

START_TEST(when_apply_does_not_end) {
    fake.servers[0].runs = false;
    fake.hook[FAKE_APPLY] = for_ever;
    start_failed(CTCD_E_TIMEOUT, "observe:1 remove:1! apply:1 remove:1!");
}
END_TEST

static int crashes(struct fake_in *in) {
    (void)ctcd_observation_set_error(in->out, "it crashed", NULL);
    return ctcd_observation_set_state(in->out, CTCD_STATE_ERROR);
}

START_TEST(when_it_does_not_become_ready) {
    fake.servers[0].runs = false;
    fake.hook[FAKE_OBSERVE] = crashes;
    start_failed(CTCD_E_FAILED, "observe:1 remove:1! apply:1 observe:1 remove:1!");
}
END_TEST

START_TEST(when_a_start_is_cancelled) {
    ctcd_op *op = NULL;
    fake.servers[0].runs = false;
    fake.hook[FAKE_APPLY] = for_ever;
    ok(ctcd_service_start_begin(service, 60000, &op, &err));
    settle(ctx);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    ck_assert_int_eq(play(ctx, &hand, op), CTCD_E_CANCELED);
    ctcd_op_unref(op);
    ck_assert_str_eq(fake.trace, "observe:1 remove:1! apply:1 remove:1!");
}
END_TEST

/* What is in the way cannot be cleared: nothing is started over it. */
START_TEST(when_what_was_there_will_not_go) {
    fake.servers[0].state = CTCD_STATE_ERROR;
    failure = CTCD_E_IO;
    fake.hook[FAKE_REMOVE] = fails_so;
    ck_assert_int_eq(change(START), CTCD_E_IO);
    ck_assert_int_eq(fake.calls[FAKE_APPLY], 1); /* of the deploy */
}
END_TEST

/* ---- failures of stop ---- */

START_TEST(when_it_will_not_stop) {
    failure = CTCD_E_NOT_ALLOWED;
    fake.hook[FAKE_REMOVE] = fails_so;
    ck_assert_int_eq(change(STOP), CTCD_E_NOT_ALLOWED);
    ck_assert_str_eq(ctcd_error_message(err), "the fake does not like it");
    ck_assert_int_eq(fake_running(&fake), 1);
    ctcd_status *status = look();
    ck_assert_has(ctcd_status_message(status), "interrupted");
    ck_assert_has(ctcd_status_next(status), "stop");
    ctcd_status_unref(status);
    fake.hook[FAKE_REMOVE] = NULL;
    ok(change(STOP));
    is_now(CTCD_STATE_INACTIVE, CTCD_STATE_INACTIVE);
}
END_TEST

static int drains_for_ever(struct fake_in *in) {
    return in->flags ? FAKE_GO_ON : fake_for_ever(in);
}

START_TEST(a_drain_has_its_time_then_it_is_killed) {
    fake.hook[FAKE_REMOVE] = drains_for_ever;
    int64_t start = atomic_load(&hand.mono);
    ok(change(STOP));
    ck_assert_str_eq(fake.trace, "remove:1 remove:1!");
    ck_assert_int_eq(atomic_load(&hand.mono) - start, 60000);
    is_now(CTCD_STATE_INACTIVE, CTCD_STATE_INACTIVE);
}
END_TEST

static int drains_slowly(struct fake_in *in) {
    return in->entry == 1 ? fake_until(in, 700) : FAKE_GO_ON;
}

START_TEST(while_it_stops_it_says_so) {
    ctcd_op *op = NULL;
    fake.hook[FAKE_REMOVE] = drains_slowly;
    ok(ctcd_service_stop_begin(service, 60000, &op, &err));
    settle(ctx);
    is_now(CTCD_STATE_PENDING_SHUTDOWN, CTCD_STATE_INACTIVE);
    ok(play(ctx, &hand, op));
    ctcd_op_unref(op);
    is_now(CTCD_STATE_INACTIVE, CTCD_STATE_INACTIVE);
}
END_TEST

/* ---- delete ---- */

static void is_gone(void) {
    ctcd_service *none = NULL;
    ctcd_status *status = NULL;
    char folder[4400];
    fails(ctcd_service_get(ctx, ctcd_service_uuid(service), &none, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_service_observe(service, 1000, &status, &err), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(change(STOP), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(change(START), CTCD_E_NOT_FOUND);
    ck_assert_int_eq(change(DELETE), CTCD_E_NOT_FOUND);
    (void)snprintf(folder, sizeof folder, "%s/services/%s", api_home, ctcd_service_uuid(service));
    ck_assert_int_ne(access(folder, F_OK), 0);
    /* The handle still tells what it was. */
    ck_assert_str_eq(ctcd_service_model(service), "digits");
}

START_TEST(deleted_with_all_its_revisions) {
    ctcd_service_unref(fake_deploy("digits", "two"));
    clear();
    ok(change(DELETE));
    ck_assert_str_eq(fake.trace, "remove:1 remove:2");
    ck_assert_int_eq(fake_running(&fake), 0);
    is_gone();
    /* And a new one is another one. */
    ctcd_service *anew = fake_deploy("digits", "three");
    ck_assert_str_ne(ctcd_service_uuid(anew), ctcd_service_uuid(service));
    ck_assert_int_eq(ctcd_service_revision(anew), 1);
    ctcd_service_unref(anew);
}
END_TEST

START_TEST(gone_at_the_server_is_deleted) {
    fake.server_count = 0;
    ok(change(DELETE));
    is_gone();
}
END_TEST

START_TEST(when_it_cannot_be_deleted_it_stays) {
    failure = CTCD_E_UNREACHABLE;
    fake.hook[FAKE_REMOVE] = fails_so;
    ck_assert_int_eq(change(DELETE), CTCD_E_UNREACHABLE);
    ctcd_status *status = look();
    ck_assert_has(ctcd_status_message(status), "interrupted");
    ck_assert_has(ctcd_status_next(status), "delete");
    ctcd_status_unref(status);
    /* With force it is forgotten all the same. */
    clear();
    ok(change(KILL));
    ck_assert_str_eq(fake.trace, "remove:1!");
    fake.hook[FAKE_REMOVE] = NULL;
    is_gone();
}
END_TEST

START_TEST(unknown_flags_are_refused) {
    ctcd_op *op = NULL;
    fails(ctcd_service_delete(service, 0x2u, 1000, &err), CTCD_E_INVALID);
    fails(ctcd_service_delete_begin(service, 0x80000000u, 1000, &op, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(op);
    ck_assert_str_eq(fake.trace, "");
}
END_TEST

/* ---- what is kept with a revision ---- */

static int memo_step;

/* Each entry says in its memo how far it came, before it goes on. */
static int applies_in_steps(struct fake_in *in) {
    const char *const notes[] = {"", "reserved", "begun"};
    ck_assert_str_eq(ctcd_revision_memo(in->revision), notes[in->entry - 1]);
    memo_step = in->entry;
    if (in->entry == 3)
        return fake_for_ever(in);
    ck_assert_int_eq(ctcd_revision_set_memo(in->revision, notes[in->entry]), 0);
    return fake_until(in, 10);
}

static char removed_memo[64];

static int removes_by_memo(struct fake_in *in) {
    (void)snprintf(removed_memo, sizeof removed_memo, "%s", ctcd_revision_memo(in->revision));
    return FAKE_GO_ON;
}

/* What a method noted before it waited is in the store when its program dies while it waits. */
START_TEST(a_memo_is_kept_before_the_call_goes_on) {
    const char *const expected[] = {"reserved", "begun"};
    for (int i = 0; i < 2; i++) {
        fake.hook[FAKE_APPLY] = applies_in_steps;
        ctcd_op_unref(fake_deploy_begin("digits", "two", 60000));
        settle(ctx);
        if (i == 1)
            play_for(ctx, &hand, 10);
        ck_assert_int_eq(memo_step, i + 1);
        another_program();
        fake.hook[FAKE_REMOVE] = removes_by_memo;
        ok(change(START));
        ck_assert_str_eq(removed_memo, expected[i]);
        is_now(CTCD_STATE_ACTIVE, CTCD_STATE_ACTIVE);
        ck_assert_int_eq(fake_running(&fake), 1);
        fake.hook[FAKE_REMOVE] = NULL;
    }
}
END_TEST

static int sees_what_was_kept(struct fake_in *in) {
    ck_assert_str_eq(ctcd_revision_memo(in->revision), "generation 1");
    ck_assert_str_eq(ctcd_revision_url(in->revision), "fake://127.0.0.1/1");
    ck_assert_str_eq(ctcd_revision_pinned_uri(in->revision), "pinned:one");
    ck_assert_str_eq(ctcd_revision_model_uri(in->revision), "one");
    ck_assert_int_eq(ctcd_revision_generation(in->revision), 1);
    return FAKE_GO_ON;
}

START_TEST(another_program_finds_what_was_kept) {
    another_program();
    fake.hook[FAKE_OBSERVE] = sees_what_was_kept;
    ctcd_status *status = NULL;
    ok(ctcd_service_observe(service, 1000, &status, &err));
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE);
    ctcd_status_unref(status);
    ck_assert_int_eq(fake.calls[FAKE_OBSERVE], 1);
    ck_assert_str_eq(ctcd_service_url(service), "fake://127.0.0.1/1");
}
END_TEST

/* ---- dead operations ---- */

static void interrupted(const char *next) {
    ctcd_status *status = look();
    ck_assert_has(ctcd_status_message(status), "interrupted");
    ck_assert_has(ctcd_status_next(status), next);
    ck_assert_has(ctcd_status_next(status), ctcd_service_uuid(service));
    ctcd_status_unref(status);
}

START_TEST(a_dead_replace_is_undone_by_the_next_mutation) {
    const enum change next[] = {START, STOP};
    for (int i = 0; i < 2; i++) {
        fake.hook[FAKE_OBSERVE] = for_ever;
        ctcd_op_unref(fake_deploy_begin("digits", "two", 60000));
        settle(ctx);
        ck_assert_int_eq(fake_running(&fake), 2); /* the new one is up, and not switched to */
        another_program();
        interrupted("start");
        ck_assert_int_eq(fake_running(&fake), 2); /* looking repairs nothing */
        ok(change(next[i]));
        ck_assert_int_eq(fake_running(&fake), i == 0 ? 1 : 0);
        ck_assert_str_eq(ctcd_service_model_uri(service), "one");
    }
}
END_TEST

START_TEST(a_dead_switch_is_finished_by_the_next_mutation) {
    fake.hook[FAKE_REMOVE] = for_ever; /* the old one drains when the program dies */
    ctcd_op_unref(fake_deploy_begin("digits", "two", 60000));
    settle(ctx);
    ck_assert_int_eq(fake_running(&fake), 2);
    another_program();
    interrupted("start");
    clear();
    ok(change(START));
    ck_assert_str_eq(fake.trace, "remove:1 observe:2");
    ck_assert_int_eq(fake_running(&fake), 1);
    ck_assert(fake.servers[1].runs);
    ctcd_service_unref(service);
    ctcd_list *list = fake_services();
    service = ctcd_service_ref(ctcd_list_service(list, 0));
    ctcd_list_unref(list);
    ck_assert_int_eq(ctcd_service_revision(service), 2);
}
END_TEST

START_TEST(a_dead_stop_and_a_dead_delete_are_taken_up) {
    const enum change dies[] = {STOP, DELETE};
    for (int i = 0; i < 2; i++) {
        ctcd_op *op = NULL;
        fake.hook[FAKE_REMOVE] = for_ever;
        if (dies[i] == STOP)
            ok(ctcd_service_stop_begin(service, 60000, &op, &err));
        else
            ok(ctcd_service_delete_begin(service, 0, 60000, &op, &err));
        settle(ctx);
        ctcd_op_unref(op);
        another_program();
        interrupted(i == 0 ? "stop" : "delete");
        ok(change(dies[i]));
        ck_assert_int_eq(fake_running(&fake), 0);
    }
    is_gone();
}
END_TEST

START_TEST(a_dead_first_deploy_is_resumed_by_start) {
    ok(change(DELETE));
    ctcd_service_unref(service);
    fake.hook[FAKE_OBSERVE] = for_ever;
    ctcd_op_unref(fake_deploy_begin("digits", "one", 60000));
    settle(ctx);
    ctcd_list *list = fake_services();
    service = ctcd_service_ref(ctcd_list_service(list, 0));
    ctcd_list_unref(list);
    another_program();
    interrupted("start");
    ok(change(START));
    is_now(CTCD_STATE_ACTIVE, CTCD_STATE_ACTIVE);
    ck_assert_int_eq(fake_running(&fake), 1);
}
END_TEST

/* One that lives is waited for, not cleared up behind. */
START_TEST(a_living_operation_is_not_taken_for_dead) {
    fake.hook[FAKE_OBSERVE] = for_ever;
    ctcd_op *op = fake_deploy_begin("digits", "two", 60000);
    settle(ctx);
    fake.hook[FAKE_OBSERVE] = NULL;
    ctcd_status *status = look();
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ACTIVE); /* the old one serves */
    ck_assert_str_eq(ctcd_status_next(status), "");
    ctcd_status_unref(status);
    ok(play(ctx, &hand, op));
    ctcd_op_unref(op);
    ck_assert_int_eq(fake_running(&fake), 1);
}
END_TEST

SUITE_MAIN_WITH("mutations", begin, end, stopped_and_started, what_is_so_already_is_done,
                start_brings_a_crashed_one_back, start_asks_who_cannot_answer_no_longer_than_needed,
                when_apply_fails, when_apply_does_not_end, when_it_does_not_become_ready,
                when_a_start_is_cancelled, when_what_was_there_will_not_go, when_it_will_not_stop,
                a_drain_has_its_time_then_it_is_killed, while_it_stops_it_says_so,
                deleted_with_all_its_revisions, gone_at_the_server_is_deleted,
                when_it_cannot_be_deleted_it_stays, unknown_flags_are_refused,
                a_memo_is_kept_before_the_call_goes_on, another_program_finds_what_was_kept,
                a_dead_replace_is_undone_by_the_next_mutation,
                a_dead_switch_is_finished_by_the_next_mutation,
                a_dead_stop_and_a_dead_delete_are_taken_up, a_dead_first_deploy_is_resumed_by_start,
                a_living_operation_is_not_taken_for_dead)
