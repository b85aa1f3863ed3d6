/* Order of steps, circles by name, and what is skipped. */
#include "suite.h"

#include "base/mem.h"
#include "core/graph.h"

/* "b<a c<b": b needs a, c needs b; nodes are single letters in the order of `nodes`. */
static struct graph *graph_of(const char *nodes, const char *needs) {
    char texts[32][2] = {{0}};
    const char *names[32];
    size_t count = strlen(nodes);
    for (size_t i = 0; i < count; i++) {
        texts[i][0] = nodes[i];
        names[i] = texts[i];
    }
    struct graph *g = graph_new(names, count);
    ck_assert_ptr_nonnull(g);
    ck_assert_uint_eq(graph_count(g), count);
    for (; *needs; needs += needs[3] ? 4 : 3) {
        size_t node = (size_t)(strchr(nodes, needs[0]) - nodes);
        size_t needed = (size_t)(strchr(nodes, needs[2]) - nodes);
        ck_assert_int_eq(graph_need(g, node, needed), 0);
        ck_assert_int_eq(graph_need(g, node, needed), 0); /* saying it twice changes nothing */
        ck_assert(graph_needs(g, node, needed));
    }
    return g;
}

static void ordered(const char *nodes, const char *needs, const char *want) {
    _cleanup_(graph_done) struct graph *g = graph_of(nodes, needs);
    size_t order[32];
    char text[33] = "";
    ck_assert_int_eq(graph_order(g, order, NULL), 0);
    for (size_t i = 0; i < strlen(nodes); i++)
        text[i] = nodes[order[i]];
    ck_assert_str_eq(text, want);
}

START_TEST(needed_ones_first_else_file_order) {
    ordered("", "", "");
    ordered("a", "", "a");
    ordered("cba", "", "cba");
    ordered("abc", "a<b b<c", "cba");
    ordered("abcd", "b<a c<a d<b d<c", "abcd");
    ordered("dcba", "b<a c<a d<b d<c", "acbd");
    ordered("abcd", "a<d", "bcda");
    ordered("xyab", "x<b y<a", "aybx");
}
END_TEST

static void circles(const char *nodes, const char *needs, const char *want) {
    _cleanup_(graph_done) struct graph *g = graph_of(nodes, needs);
    _cleanup_(error_done) ctcd_error *err = NULL;
    size_t order[32] = {77};
    ck_assert_int_eq(graph_order(g, order, &err), CTCD_E_INVALID);
    ck_assert_int_eq(graph_order(g, order, NULL), CTCD_E_INVALID);
    const char *named = strstr(error_message(err), ": ");
    ck_assert_ptr_nonnull(named);
    ck_assert_str_eq(named + 2, want);
    ck_assert_uint_eq(order[0], 77);
}

START_TEST(a_circle_is_named) {
    circles("a", "a<a", "a → a");
    circles("ab", "a<b b<a", "a → b → a");
    circles("abc", "a<b b<c c<a", "a → b → c → a");
    circles("cab", "a<b b<c c<a", "c → a → b → c");
    /* what only hangs on a circle is not part of it */
    circles("xab", "x<a a<b b<a", "a → b → a");
    circles("abxy", "b<a x<b x<y y<x", "x → y → x");
    /* of two the first one that is met */
    circles("abcd", "a<b b<a c<d d<c", "a → b → a");
}
END_TEST

static void skips(const char *nodes, const char *needs, const char *bad, const char *want) {
    _cleanup_(graph_done) struct graph *g = graph_of(nodes, needs);
    bool is_bad[32] = {false};
    bool skipped[32] = {false};
    char text[33] = "";
    size_t n = 0;
    for (size_t i = 0; nodes[i]; i++)
        is_bad[i] = strchr(bad, nodes[i]);
    ck_assert_int_eq(graph_skip(g, is_bad, skipped), 0);
    for (size_t i = 0; nodes[i]; i++)
        if (skipped[i])
            text[n++] = nodes[i];
    ck_assert_str_eq(text, want);
}

START_TEST(what_needs_a_bad_one_is_skipped) {
    skips("abcd", "b<a c<b", "", "");
    skips("abcd", "b<a c<b", "a", "bc");
    skips("abcd", "b<a c<b", "b", "c");
    skips("abcd", "b<a c<b", "d", "");
    skips("dcba", "b<a c<b d<c", "a", "dcb");
    skips("abcd", "b<a c<b", "ab", "c");
    skips("abcd", "c<a c<b d<c", "b", "cd");
    skips("ab", "a<b b<a", "a", "b"); /* even in a circle it ends */
    skips("", "", "", "");
}
END_TEST

START_TEST(wrong_nodes) {
    const char *names[] = {"a", "b"};
    _cleanup_(graph_done) struct graph *g = graph_new(names, 2);
    ck_assert_int_eq(graph_need(g, 2, 0), CTCD_E_INVALID);
    ck_assert_int_eq(graph_need(g, 0, 2), CTCD_E_INVALID);
    ck_assert_int_eq(graph_need(g, SIZE_MAX, SIZE_MAX), CTCD_E_INVALID);
    ck_assert(!graph_needs(g, 5, 0) && !graph_needs(g, 0, 5) && !graph_needs(g, 0, 1));
    graph_free(NULL);
}
END_TEST

START_TEST(a_thousand_steps) {
    enum { COUNT = 1000 };
    static char texts[COUNT][16];
    const char *names[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "s%d", i);
        names[i] = texts[i];
    }
    _cleanup_(graph_done) struct graph *g = graph_new(names, COUNT);
    for (size_t i = 0; i + 1 < COUNT; i++)
        ck_assert_int_eq(graph_need(g, i, i + 1), 0); /* the worst order to be given */
    static size_t order[COUNT];
    ck_assert_int_eq(graph_order(g, order, NULL), 0);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(order[i], COUNT - 1 - i);
    static bool bad[COUNT];
    static bool skipped[COUNT];
    bad[COUNT - 1] = true;
    ck_assert_int_eq(graph_skip(g, bad, skipped), 0);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(skipped[i], i != COUNT - 1);
}
END_TEST

START_TEST(no_memory) {
    const char *names[] = {"a", "b", "c"};
    for (uint64_t nth = 1; nth < 100; nth++) {
        _cleanup_(error_done) ctcd_error *err = NULL;
        size_t order[3] = {7, 7, 7};
        bool bad[3] = {true};
        bool skipped[3] = {false};
        mem_test_fail_at(nth);
        struct graph *g = graph_new(names, 3);
        int need = g ? graph_need(g, 1, 0) : CTCD_E_NOMEM;
        int sorted = g ? graph_order(g, order, &err) : CTCD_E_NOMEM;
        int skip = g ? graph_skip(g, bad, skipped) : CTCD_E_NOMEM;
        int back = g ? graph_need(g, 0, 1) : CTCD_E_NOMEM;
        int circle = g && !need && !back ? graph_order(g, order, &err) : CTCD_E_NOMEM;
        bool all = mem_test_count() < nth;
        mem_test_fail_at(0);
        ck_assert(sorted == 0 || (sorted == CTCD_E_NOMEM && order[0] == 7));
        ck_assert(skip == 0 || skip == CTCD_E_NOMEM);
        ck_assert(circle == CTCD_E_INVALID || circle == CTCD_E_NOMEM);
        graph_free(g);
        if (all)
            return;
    }
    ck_abort_msg("no end");
}
END_TEST

SUITE_MAIN("graph", needed_ones_first_else_file_order, a_circle_is_named,
           what_needs_a_bad_one_is_skipped, wrong_nodes, a_thousand_steps, no_memory)
