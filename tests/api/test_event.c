/* Events through the API: what is listed, from where on, and what each one says. */
#include "api.h"

#define PIPELINE                                                                                   \
    "pipeline: p\nsteps:\n  s:\n    command: ['true']\n"                                           \
    "schedule: {interval: 24h, start: 2026-01-01T00:00:00Z}\n"

static ctcd_list *list;

static void teardown(void) {
    list = ctcd_list_unref(list);
    api_close();
}

static size_t ask(int64_t after, int64_t limit) {
    list = ctcd_list_unref(list);
    ok(ctcd_event_list(ctx, NULL, NULL, after, limit, &list, &err));
    return ctcd_list_count(list);
}

static void make_schedule(const char *name) {
    ctcd_pipeline *pipeline = NULL;
    ctcd_schedule *schedule = NULL;
    ok(ctcd_pipeline_parse(ctx, PIPELINE, NULL, &pipeline, &err));
    ok(ctcd_pipeline_schedule(pipeline, &schedule, &err));
    ok(ctcd_schedule_create(schedule, pipeline, name, &err));
    ctcd_schedule_unref(schedule);
    ctcd_pipeline_unref(pipeline);
}

START_TEST(they_are_listed_from_anywhere_on) {
    ck_assert_uint_eq(ask(CTCD_EVENT_NEWEST, 10), 0);
    make_schedule("a");
    make_schedule("b");
    make_schedule("c");
    ck_assert_uint_eq(ask(0, 10), 3);
    ck_assert_uint_eq(ask(CTCD_EVENT_NEWEST, 2), 2);
    ck_assert_str_eq(ctcd_event_name(ctcd_list_event(list, 0)), "b");
    ck_assert_str_eq(ctcd_event_name(ctcd_list_event(list, 1)), "c");
    int64_t last = ctcd_event_id(ctcd_list_event(list, 0));
    ck_assert_uint_eq(ask(last, 10), 1);
    ck_assert_str_eq(ctcd_event_name(ctcd_list_event(list, 0)), "c");
    ck_assert_uint_eq(ask(0, 1), 1);
    ck_assert_str_eq(ctcd_event_name(ctcd_list_event(list, 0)), "a");
    ck_assert_uint_eq(ask(last + 1, 10), 0);
}
END_TEST

START_TEST(an_event_says_what_happened) {
    struct hand hand;
    hand_give(&hand, ctx);
    make_schedule("nightly");
    ask(0, 10);
    ctcd_event *event = ctcd_event_ref(ctcd_list_event(list, 0));
    ck_assert_ptr_null(ctcd_list_run(list, 0));
    ck_assert_ptr_null(ctcd_list_event(list, 1));
    list = ctcd_list_unref(list);
    ck_assert_int_eq(ctcd_event_id(event), 1);
    ck_assert_int_eq(ctcd_event_time(event), HAND_WALL);
    ck_assert_str_eq(ctcd_event_kind(event), "schedule_created");
    ck_assert_str_eq(ctcd_event_subject_kind(event), "schedule");
    ck_assert_uint_eq(strlen(ctcd_event_subject(event)), 36);
    ck_assert_str_eq(ctcd_event_name(event), "nightly");
    ck_assert_str_eq(ctcd_event_message(event), "");
    ck_assert_str_eq(ctcd_event_data(event), "{\"name\":\"nightly\",\"pipeline\":\"p\"}");
    char *text = NULL;
    ok(ctcd_event_format(event, "jsonl", &text, &err));
    ck_assert_ptr_null(strchr(text, '\n'));
    ck_assert_has(text, "\"data\":{\"name\":\"nightly\",\"pipeline\":\"p\"}");
    ctcd_free(text);
    ok(ctcd_event_format(event, "yaml", &text, &err));
    ck_assert_has(text, "kind: schedule_created\n");
    ctcd_free(text);
    ok(ctcd_event_format(event, "name", &text, &err));
    ck_assert_str_eq(text, "1");
    ctcd_free(text);
    text = NULL;
    fails(ctcd_event_format(event, "xml", &text, &err), CTCD_E_INVALID);
    fails(ctcd_event_format(NULL, "json", &text, &err), CTCD_E_INVALID);
    ck_assert_ptr_null(text);
    ck_assert_ptr_null(ctcd_event_unref(event));
}
END_TEST

START_TEST(a_run_has_its_events) {
    ctcd_pipeline *pipeline = NULL;
    ctcd_run *run = NULL;
    ok(ctcd_pipeline_parse(ctx, PIPELINE, NULL, &pipeline, &err));
    make_schedule("other");
    ok(ctcd_pipeline_run(pipeline, LONG_MS, &run, &err));
    ok(ctcd_event_list(ctx, NULL, ctcd_run_name(run), 0, 10, &list, &err));
    ck_assert_uint_eq(ctcd_list_count(list), 2);
    ck_assert_str_eq(ctcd_event_kind(ctcd_list_event(list, 0)), "run_started");
    ck_assert_str_eq(ctcd_event_kind(ctcd_list_event(list, 1)), "run_completed");
    ck_assert_str_eq(ctcd_event_subject(ctcd_list_event(list, 1)), ctcd_run_uuid(run));
    ctcd_run_unref(run);
    ctcd_pipeline_unref(pipeline);
}
END_TEST

START_TEST(what_cannot_be_asked_for) {
    fails(ctcd_event_list(NULL, NULL, NULL, 0, 10, &list, &err), CTCD_E_INVALID);
    fails(ctcd_event_list(ctx, NULL, NULL, 0, 10, NULL, &err), CTCD_E_INVALID);
    fails(ctcd_event_list(ctx, NULL, NULL, 0, 0, &list, &err), CTCD_E_INVALID);
    fails(ctcd_event_list(ctx, NULL, NULL, 0, 100001, &list, &err), CTCD_E_INVALID);
    fails(ctcd_event_list(ctx, NULL, NULL, -2, 10, &list, &err), CTCD_E_INVALID);
    fails(ctcd_event_list(ctx, "12345678", NULL, 0, 10, &list, &err), CTCD_E_NOT_FOUND);
    fails(ctcd_event_list(ctx, NULL, "nosuch", 0, 10, &list, &err), CTCD_E_NOT_FOUND);
    ck_assert_ptr_null(list);
    ck_assert_int_eq(ctcd_event_id(NULL), 0);
    ck_assert_int_eq(ctcd_event_time(NULL), CTCD_TIME_NONE);
    ck_assert_str_eq(ctcd_event_kind(NULL), "");
    ck_assert_str_eq(ctcd_event_subject_kind(NULL), "");
    ck_assert_str_eq(ctcd_event_subject(NULL), "");
    ck_assert_str_eq(ctcd_event_name(NULL), "");
    ck_assert_str_eq(ctcd_event_message(NULL), "");
    ck_assert_str_eq(ctcd_event_data(NULL), "");
    ck_assert_ptr_null(ctcd_event_ref(NULL));
    ck_assert_ptr_null(ctcd_event_unref(NULL));
}
END_TEST

SUITE_MAIN_WITH("event", api_open, teardown, they_are_listed_from_anywhere_on,
                an_event_says_what_happened, a_run_has_its_events, what_cannot_be_asked_for)
