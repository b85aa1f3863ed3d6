/* How calls of a back end's methods end: results that are none, what they said, deadlines, cancels, and the end of the
   context under them. */
#include "fake.h"

#include <limits.h>
#include <sys/socket.h>

static struct hand hand;
static ctcd_service *service;
static int ends[2]; /* a pair of sockets */

static void begin(void) {
    fake_begin();
    hand_give(&hand, ctx);
    service = fake_deploy("digits", "here");
    fake.trace[0] = '\0';
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
}

static void end(void) {
    service = ctcd_service_unref(service);
    fake_end();
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static ctcd_op *predict_begin(int64_t timeout_ms) {
    ctcd_op *op = NULL;
    ok(ctcd_service_predict_begin(service, "[[1]]", timeout_ms, &op, &err));
    return op;
}

/* Plays and lets go; the error is in `err`. */
static int outcome(ctcd_op *op) {
    int rc = play(ctx, &hand, op);
    ctcd_op_unref(op);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    return rc;
}

static int entries(enum fake_method method) {
    return fake.entries[method];
}

static int for_ever(struct fake_in *in) {
    return fake_for_ever(in);
}

/* A method of which the test says what it returns. */
static int returned;

static int returns(struct fake_in *in) {
    (void)in;
    return returned;
}

static ctcd_status *look(void) {
    ctcd_status *status = NULL;
    ok(ctcd_service_observe(service, 1000, &status, &err));
    return status;
}

static ctcd_op *deploy_begin(void) {
    return fake_deploy_begin("letters", "there", 60000);
}

/* ---- results that are none ---- */

static const int unknown[] = {CTCD_NONE, 3, 6310, INT_MAX, CTCD_E_PROTOCOL - 1, -6310, INT_MIN};

START_TEST(an_unknown_result_is_the_back_ends_fault) {
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char number[32], *text = NULL;
        returned = unknown[i];
        (void)snprintf(number, sizeof number, "%d", returned);
        fake.hook[FAKE_PREDICT] = returns;
        ck_assert_int_eq(outcome(predict_begin(1000)), CTCD_E_PLUGIN);
        ck_assert_has(ctcd_error_message(err), "fake");
        ck_assert_has(ctcd_error_message(err), "predict");
        ck_assert_has(ctcd_error_message(err), number);
        fake.hook[FAKE_LOGS] = returns;
        fails(ctcd_service_logs(service, 10, &text, &err), CTCD_E_PLUGIN);
        ck_assert_has(ctcd_error_message(err), "logs");
        fake.hook[FAKE_VALIDATE] = returns;
        ck_assert_int_eq(outcome(deploy_begin()), CTCD_E_PLUGIN);
        ck_assert_has(ctcd_error_message(err), "validate");
        fake.hook[FAKE_VALIDATE] = NULL;
        fake.hook[FAKE_OBSERVE] = returns;
        ctcd_status *status = look();
        ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_UNKNOWN);
        ck_assert_has(ctcd_status_message(status), "observe");
        ctcd_status_unref(status);
        fake.hook[FAKE_OBSERVE] = NULL;
    }
    returned = CTCD_AGAIN; /* and nothing is named */
    ck_assert_int_eq(outcome(predict_begin(1000)), CTCD_E_PLUGIN);
    ck_assert_has(ctcd_error_message(err), "waits");
    ck_assert_int_eq(entries(FAKE_PREDICT), (int)(sizeof unknown / sizeof *unknown) + 1);
    fake.hook[FAKE_REMOVE] = returns;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        returned = unknown[i];
        fails(ctcd_service_stop(service, 1000, &err), CTCD_E_PLUGIN);
        ck_assert_has(ctcd_error_message(err), "remove");
    }
}
END_TEST

START_TEST(an_unknown_result_of_apply_is_undone) {
    for (size_t i = 0; i <= sizeof unknown / sizeof *unknown; i++) {
        returned = i < sizeof unknown / sizeof *unknown ? unknown[i] : CTCD_AGAIN;
        fake.hook[FAKE_APPLY] = returns;
        fake.trace[0] = '\0';
        ck_assert_int_eq(outcome(deploy_begin()), CTCD_E_PLUGIN);
        ck_assert_has(ctcd_error_message(err), "apply");
        ck_assert_has(fake.trace, "remove:");
        ck_assert_int_eq(fake_running(&fake), 1);
    }
}
END_TEST

START_TEST(an_unknown_result_of_open_opens_nothing) {
    fake_component("other");
    ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "other", &deployer, &err));
    fake.hook[FAKE_OPEN] = returns;
    for (size_t i = 0; i <= sizeof unknown / sizeof *unknown; i++) {
        returned = i < sizeof unknown / sizeof *unknown ? unknown[i] : CTCD_AGAIN;
        ck_assert_int_eq(outcome(deploy_begin()), CTCD_E_PLUGIN);
        ck_assert_has(ctcd_error_message(err), "open");
    }
    ck_assert_int_eq(fake.opened, 1);
    fake.hook[FAKE_OPEN] = NULL;
    ok(outcome(deploy_begin()));
    ck_assert_int_eq(fake.opened, 2);
}
END_TEST

/* ---- what it said ---- */

static int says_why(struct fake_in *in) {
    ck_assert_int_eq(ctcd_call_fail_details(in->call, "too early"), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_fail(in->call, 0, "no error", NULL), CTCD_E_PLUGIN);
    ck_assert_int_eq(ctcd_call_fail(in->call, CTCD_E_FAILED, NULL, NULL), CTCD_E_PLUGIN);
    ck_assert_int_eq(ctcd_call_fail(NULL, CTCD_E_FAILED, "no call", NULL), CTCD_E_PLUGIN);
    ck_assert_int_eq(
        ctcd_call_fail(in->call, CTCD_E_NOT_ALLOWED, "the door \xff is locked", "knock"),
        CTCD_E_NOT_ALLOWED);
    (void)ctcd_call_fail_details(in->call, "first line\nsecond line");
    ck_assert_int_eq(ctcd_call_fail_details(in->call, NULL), CTCD_E_INVALID);
    return returned;
}

START_TEST(what_a_method_says_arrives) {
    fake.hook[FAKE_PREDICT] = says_why;
    returned = CTCD_E_NOT_ALLOWED;
    ck_assert_int_eq(outcome(predict_begin(1000)), CTCD_E_NOT_ALLOWED);
    ck_assert_str_eq(ctcd_error_message(err), "the door ? is locked");
    ck_assert_str_eq(ctcd_error_hint(err), "knock");
    ck_assert_str_eq(ctcd_error_details(err), "first line\nsecond line");
    /* The code that it returns is the one that counts. */
    returned = CTCD_E_UNREACHABLE;
    ck_assert_int_eq(outcome(predict_begin(1000)), CTCD_E_UNREACHABLE);
    ck_assert_str_eq(ctcd_error_message(err), "the door ? is locked");
    ck_assert_str_eq(ctcd_error_details(err), "first line\nsecond line");
    ck_assert_int_eq(ctcd_error_code(err), CTCD_E_UNREACHABLE);
    /* And when it ended well it has said nothing. */
    returned = FAKE_GO_ON;
    ok(outcome(predict_begin(1000)));
}
END_TEST

START_TEST(who_says_nothing_is_named_all_the_same) {
    fake.hook[FAKE_PREDICT] = returns;
    for (returned = -1; returned >= CTCD_E_PROTOCOL; returned--) {
        ck_assert_int_eq(outcome(predict_begin(1000)), returned);
        ck_assert_int_eq(ctcd_error_code(err), returned);
        ck_assert_has(ctcd_error_message(err), "predict");
    }
}
END_TEST

static int says_why_and_waits(struct fake_in *in) {
    (void)ctcd_call_fail(in->call, CTCD_E_FAILED, "it looks bad", NULL);
    ck_assert_int_eq(ctcd_call_progress(in->call, "hoping for the best"), 0);
    ck_assert_int_eq(ctcd_call_progress(in->call, NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_call_progress(NULL, "no call"), CTCD_E_INVALID);
    return fake_for_ever(in);
}

START_TEST(a_deadline_is_a_timeout_whatever_was_said_before) {
    fake.hook[FAKE_PREDICT] = says_why_and_waits;
    ck_assert_int_eq(outcome(predict_begin(1000)), CTCD_E_TIMEOUT);
    ck_assert_int_eq(ctcd_error_code(err), CTCD_E_TIMEOUT);
    ck_assert_has(ctcd_error_message(err), "hoping for the best");
}
END_TEST

/* ---- deadlines ---- */

static int waits_doing(struct fake_in *in) {
    char doing[64];
    (void)snprintf(doing, sizeof doing, "asking the oracle (%s)", fake_names[in->method]);
    ck_assert_int_eq(ctcd_call_progress(in->call, doing), 0);
    return fake_for_ever(in);
}

/* Is what the method was doing quoted, and was it entered only once? */
static void timed_out(enum fake_method method, int rc) {
    char doing[64];
    (void)snprintf(doing, sizeof doing, "asking the oracle (%s)", fake_names[method]);
    ck_assert_int_eq(rc, CTCD_E_TIMEOUT);
    ck_assert_int_eq(ctcd_error_code(err), CTCD_E_TIMEOUT);
    ck_assert_has(ctcd_error_message(err), doing);
    fake.hook[method] = NULL;
}

START_TEST(a_timeout_quotes_what_was_being_done) {
    char *text = NULL;
    fake.hook[FAKE_PREDICT] = waits_doing;
    timed_out(FAKE_PREDICT, outcome(predict_begin(1000)));
    ck_assert_int_eq(entries(FAKE_PREDICT), 1);
    fake.hook[FAKE_VALIDATE] = waits_doing;
    timed_out(FAKE_VALIDATE, outcome(deploy_begin()));
    fake.hook[FAKE_APPLY] = waits_doing;
    timed_out(FAKE_APPLY, outcome(deploy_begin()));
    fake.hook[FAKE_OBSERVE] = waits_doing;
    timed_out(FAKE_OBSERVE, outcome(deploy_begin()));
    fake_component("other");
    ctcd_model_deployer_unref(deployer);
    ok(ctcd_model_deployer_get(ctx, "other", &deployer, &err));
    fake.hook[FAKE_OPEN] = waits_doing;
    timed_out(FAKE_OPEN, outcome(deploy_begin()));
    (void)text;
}
END_TEST

START_TEST(a_remove_that_hangs_is_a_timeout_in_the_end) {
    ctcd_op *op = NULL;
    fake.hook[FAKE_REMOVE] = waits_doing;
    ok(ctcd_service_stop_begin(service, 1000, &op, &err));
    timed_out(FAKE_REMOVE, outcome(op));
    /* First with a drain, then by force. */
    ck_assert_str_eq(fake.trace, "remove:1 remove:1!");
}
END_TEST

static int sets_and_waits(struct fake_in *in) {
    if (in->entry == 1) {
        (void)ctcd_observation_set_state(in->out, CTCD_STATE_DEGRADED);
        (void)ctcd_observation_set_message(in->out, "two of three answer");
        (void)ctcd_observation_set_error(in->out, "the third is slow", "be patient");
        (void)ctcd_observation_set_log_tail(in->out, "zzz");
        (void)ctcd_observation_add_property(in->out, "REPLICAS", "2/3");
    }
    return fake_for_ever(in);
}

START_TEST(what_was_set_before_the_deadline_is_kept) {
    ctcd_list *list = NULL;
    fake.hook[FAKE_OBSERVE] = sets_and_waits;
    ctcd_op *op = fake_observe_begin(1000);
    ok(play(ctx, &hand, op));
    ok(ctcd_op_take_list(op, &list, &err));
    ctcd_op_unref(op);
    ck_assert_int_eq(entries(FAKE_OBSERVE), 2); /* one of the deploy, and ours */
    ctcd_status *status = ctcd_list_status(list, 0);
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_DEGRADED);
    ck_assert_str_eq(ctcd_status_message(status), "two of three answer");
    ck_assert_str_eq(ctcd_status_last_error(status), "the third is slow");
    ck_assert_str_eq(ctcd_status_log_tail(status), "zzz");
    ck_assert_uint_eq(ctcd_status_property_count(status), 1);
    ck_assert_str_eq(ctcd_status_property_name(status, 0), "REPLICAS");
    ck_assert_str_eq(ctcd_status_property_value(status, 0), "2/3");
    ck_assert_ptr_null(ctcd_status_property_name(status, 1));
    ctcd_list_unref(list);
}
END_TEST

START_TEST(who_says_nothing_until_the_deadline_is_unknown) {
    fake.hook[FAKE_OBSERVE] = for_ever;
    ctcd_list *list = NULL;
    ctcd_op *op = fake_observe_begin(1000);
    int64_t start = atomic_load(&hand.mono);
    ok(play(ctx, &hand, op));
    ck_assert_int_eq(atomic_load(&hand.mono), start + 1000);
    ok(ctcd_op_take_list(op, &list, &err));
    ctcd_op_unref(op);
    ck_assert_int_eq(ctcd_status_state(ctcd_list_status(list, 0)), CTCD_STATE_UNKNOWN);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    ctcd_list_unref(list);
}
END_TEST

static int sets_nonsense(struct fake_in *in) {
    ck_assert_int_eq(ctcd_observation_set_state(in->out, 0), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_set_state(in->out, CTCD_STATE_UNKNOWN + 1), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_set_state(NULL, CTCD_STATE_ACTIVE), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_set_message(NULL, "x"), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_set_error(NULL, "x", NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_set_log_tail(NULL, "x"), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_set_final(NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_set_ended_well(NULL), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_add_property(NULL, "A", "b"), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_add_property(in->out, NULL, "b"), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_observation_add_property(in->out, "A", NULL), CTCD_E_INVALID);
    /* Bytes of any server are made into texts. */
    ck_assert_int_eq(ctcd_observation_set_message(in->out, "caf\xe9"), 0);
    ck_assert_int_eq(ctcd_observation_set_error(in->out, "na\xefve", "gar\xe7on"), 0);
    ck_assert_int_eq(ctcd_observation_set_log_tail(in->out, "a\xff"), 0);
    ck_assert_int_eq(ctcd_observation_add_property(in->out, "NAME", "\xc3("), 0);
    return ctcd_observation_set_state(in->out, CTCD_STATE_ERROR);
}

START_TEST(an_observation_takes_no_nonsense) {
    char *text = NULL;
    fake.hook[FAKE_OBSERVE] = sets_nonsense;
    ctcd_status *status = look();
    ck_assert_int_eq(ctcd_status_state(status), CTCD_STATE_ERROR);
    ck_assert_str_eq(ctcd_status_message(status), "caf?");
    ck_assert_str_eq(ctcd_status_last_error(status), "na?ve");
    ck_assert_str_eq(ctcd_status_log_tail(status), "a?");
    ck_assert_str_eq(ctcd_status_property_value(status, 0), "?(");
    ok(ctcd_status_format(status, "json", &text, &err));
    ck_assert_has(text, "caf?");
    ctcd_free(text);
    ctcd_status_unref(status);
}
END_TEST

static int sets_bad_texts(struct fake_in *in) {
    ck_assert_int_eq(ctcd_revision_set_url(in->revision, "http://\xff"), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_revision_set_memo(in->revision, "\x80"), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_revision_set_pinned_uri(in->revision, "\xc0\x80"), CTCD_E_INVALID);
    return FAKE_GO_ON;
}

START_TEST(what_is_stored_with_a_revision_is_text) {
    fake.hook[FAKE_APPLY] = sets_bad_texts;
    ok(outcome(deploy_begin()));
}
END_TEST

/* ---- late hosts ---- */

static int for_input(struct fake_in *in) {
    char byte;
    if (read(ends[0], &byte, 1) == 1)
        return FAKE_GO_ON;
    int rc = ctcd_call_wait_fd(in->call, ends[0], CTCD_EVENT_IN);
    return rc ? rc : CTCD_AGAIN;
}

START_TEST(an_answer_that_arrived_in_time_wins_however_late_the_host_is) {
    char *text = NULL;
    fake.hook[FAKE_PREDICT] = for_input;
    ctcd_op *op = predict_begin(1000);
    settle(ctx);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    hand_move(&hand, 3600000);
    ok(play(ctx, &hand, op));
    ok(ctcd_op_take_text(op, &text, &err));
    ctcd_free(text);
    ctcd_op_unref(op);
    /* And without one: */
    op = predict_begin(1000);
    settle(ctx);
    hand_move(&hand, 3600000);
    ck_assert_int_eq(outcome(op), CTCD_E_TIMEOUT);
}
END_TEST

/* Each hop is a dispatch of its own. */
static int hops(struct fake_in *in) {
    char byte;
    if (in->entry == 1) {
        int rc = ctcd_call_wait_fd(in->call, ends[0], CTCD_EVENT_IN);
        return rc ? rc : CTCD_AGAIN;
    }
    if (in->entry < 8) {
        ck_assert_int_eq(ctcd_call_wake(in->call), 0);
        return fake_for_ever(in);
    }
    return read(ends[0], &byte, 1) == 1 ? FAKE_GO_ON : CTCD_E_FAILED;
}

START_TEST(an_answer_may_take_several_hops) {
    fake.hook[FAKE_PREDICT] = hops;
    ctcd_op *op = predict_begin(1000);
    settle(ctx);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    hand_move(&hand, 3600000);
    ok(outcome(op));
    ck_assert_int_eq(entries(FAKE_PREDICT), 8);
}
END_TEST

static int looks_by_time(struct fake_in *in) {
    return in->fake->data && in->entry > 1 ? FAKE_GO_ON : fake_until(in, 100);
}

/* What it waits for is an instant, and that came before the deadline: it looks once more. */
START_TEST(an_instant_before_the_deadline_comes_first) {
    fake.hook[FAKE_PREDICT] = looks_by_time;
    ctcd_op *op = predict_begin(1000);
    settle(ctx);
    fake.data = &fake;
    hand_move(&hand, 3600000);
    ok(outcome(op));
    /* But only once. */
    fake.data = NULL;
    op = predict_begin(1000);
    settle(ctx);
    int before = entries(FAKE_PREDICT);
    hand_move(&hand, 3600000);
    ck_assert_int_eq(outcome(op), CTCD_E_TIMEOUT);
    ck_assert_int_eq(entries(FAKE_PREDICT), before + 1);
}
END_TEST

static int wakes_itself_for_ever(struct fake_in *in) {
    ck_assert_int_eq(ctcd_call_wake(in->call), 0);
    return fake_for_ever(in);
}

START_TEST(a_call_that_never_rests_meets_its_deadline) {
    fake.hook[FAKE_PREDICT] = wakes_itself_for_ever;
    ctcd_op *op = predict_begin(1000), *other;
    fake.hook[FAKE_LOGS] = NULL;
    for (int i = 0; i < 100; i++)
        ok(ctcd_context_dispatch(ctx, &err));
    ck_assert_int_eq(ctcd_op_poll(op), CTCD_AGAIN);
    fake.hook[FAKE_OBSERVE] = for_ever;
    other = fake_observe_begin(500); /* does not starve beside it */
    hand_move(&hand, 1000);
    for (int i = 0; i < 1000 && ctcd_op_poll(op) == CTCD_AGAIN; i++)
        ok(ctcd_context_dispatch(ctx, &err));
    ck_assert_int_eq(ctcd_op_poll(op), 0);
    ck_assert_int_eq(ctcd_op_poll(other), 0);
    fails(ctcd_op_result(op, &err), CTCD_E_TIMEOUT);
    ctcd_op_unref(op);
    ctcd_op_unref(other);
}
END_TEST

/* ---- never again after the end ---- */

static int waits_for_all(struct fake_in *in) {
    in->fake->data = ctcd_call_ref(in->call);
    int rc = ctcd_call_wait_fd(in->call, ends[0], CTCD_EVENT_IN);
    return rc ? rc : fake_until(in, 5000);
}

/* Everything that the call waited for happens. */
static void poke(void) {
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(ctcd_call_wake(fake.data), 0);
    settle(ctx);
    play_for(ctx, &hand, 10000);
    ck_assert_int_eq(entries(FAKE_PREDICT), 1);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    ctcd_call_unref(fake.data);
}

START_TEST(a_call_is_not_entered_after_its_deadline) {
    fake.hook[FAKE_PREDICT] = waits_for_all;
    ck_assert_int_eq(outcome(predict_begin(1000)), CTCD_E_TIMEOUT);
    poke();
}
END_TEST

START_TEST(a_call_is_not_entered_after_a_cancel) {
    fake.hook[FAKE_PREDICT] = waits_for_all;
    ctcd_op *op = predict_begin(100000);
    settle(ctx);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    ck_assert_int_eq(outcome(op), CTCD_E_CANCELED);
    poke();
}
END_TEST

/* Cancelled in the very dispatch in which its answer arrived. */
START_TEST(a_cancel_and_an_answer_at_once) {
    fake.hook[FAKE_PREDICT] = waits_for_all;
    ctcd_op *op = predict_begin(100000);
    settle(ctx);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(ctcd_op_cancel(op), 0);
    int rc = play(ctx, &hand, op);
    ck_assert_int_eq(rc, CTCD_E_CANCELED);
    ctcd_op_unref(op);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    ctcd_call_unref(fake.data);
}
END_TEST

/* ---- texts ---- */

static int adds_too_much(struct fake_in *in) {
    size_t size = (size_t)8 << 20;
    char *much = malloc(size);
    ck_assert_ptr_nonnull(much);
    memset(much, 'a', size);
    int rc = 0;
    for (int i = 0; i < 9; i++)
        rc = ctcd_text_add(in->text, much, size);
    free(much);
    ck_assert_int_eq(rc, CTCD_E_TOO_LARGE);
    ck_assert_int_eq(ctcd_text_add(NULL, "x", 1), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_text_add(in->text, NULL, 1), CTCD_E_INVALID);
    ck_assert_int_eq(ctcd_text_add(in->text, NULL, 0), 0);
    return returned;
}

START_TEST(a_text_that_is_too_large_is_never_half_a_text) {
    fake.hook[FAKE_PREDICT] = adds_too_much;
    returned = CTCD_E_TOO_LARGE;
    ck_assert_int_eq(outcome(predict_begin(1000)), CTCD_E_TOO_LARGE);
    returned = 0; /* it does not care */
    ck_assert_int_eq(outcome(predict_begin(1000)), CTCD_E_TOO_LARGE);
}
END_TEST

SUITE_MAIN_WITH("call end", begin, end, an_unknown_result_is_the_back_ends_fault,
                an_unknown_result_of_apply_is_undone, an_unknown_result_of_open_opens_nothing,
                what_a_method_says_arrives, who_says_nothing_is_named_all_the_same,
                a_deadline_is_a_timeout_whatever_was_said_before,
                a_timeout_quotes_what_was_being_done, a_remove_that_hangs_is_a_timeout_in_the_end,
                what_was_set_before_the_deadline_is_kept,
                who_says_nothing_until_the_deadline_is_unknown, an_observation_takes_no_nonsense,
                what_is_stored_with_a_revision_is_text,
                an_answer_that_arrived_in_time_wins_however_late_the_host_is,
                an_answer_may_take_several_hops, an_instant_before_the_deadline_comes_first,
                a_call_that_never_rests_meets_its_deadline,
                a_call_is_not_entered_after_its_deadline, a_call_is_not_entered_after_a_cancel,
                a_cancel_and_an_answer_at_once, a_text_that_is_too_large_is_never_half_a_text)
