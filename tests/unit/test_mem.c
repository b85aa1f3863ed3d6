/* base/mem: overflow, injected failures, stealing; base/buf and base/strv on top of it. */
#include "suite.h"

#include <stdint.h>

#include "base/buf.h"
#include "base/strv.h"

START_TEST(memory_is_zeroed_and_sizes_are_checked) {
    char *block = mem_alloc(100);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(block[i], 0);
    mem_free(block);
    void *volatile nothing = mem_array(SIZE_MAX / 2, 3);
    ck_assert_ptr_null(nothing);
    nothing = mem_resize(NULL, SIZE_MAX / 2, 3);
    ck_assert_ptr_null(nothing);
    block = mem_alloc(0);
    ck_assert_ptr_nonnull(block);
    block = mem_resize(block, 0, 8);
    ck_assert_ptr_nonnull(block);
    mem_free(block);
    block = mem_array(0, 8);
    ck_assert_ptr_nonnull(block);
    mem_free(block);
    mem_free(NULL);
}
END_TEST

START_TEST(texts_are_copied) {
    ck_assert_ptr_null(mem_copy_text(NULL));
    char *a = mem_copy_text("abc");
    char *b = mem_copy_bytes("a\0c", 3);
    char *c = mem_copy_bytes(NULL, 0);
    char *d = mem_text("%s-%d", a, 7);
    ck_assert_str_eq(a, "abc");
    ck_assert_int_eq(memcmp(b, "a\0c", 4), 0);
    ck_assert_str_eq(c, "");
    ck_assert_str_eq(d, "abc-7");
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(d);
}
END_TEST

START_TEST(one_allocation_or_all_from_it_fail) {
    void *block = NULL;
    mem_test_fail_at(2);
    block = mem_alloc(1);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(mem_copy_text("x"));
    void *bigger = mem_resize(block, 2, 1);
    ck_assert_ptr_nonnull(bigger);
    ck_assert_uint_eq(mem_test_count(), 3);
    mem_test_fail_from(2);
    char *kept = mem_text("%d", 1);
    ck_assert_ptr_nonnull(kept);
    ck_assert_ptr_null(mem_resize(bigger, 4, 1)); /* the old block survives */
    ck_assert_ptr_null(mem_array(1, 1));
    mem_test_fail_at(0);
    mem_free(bigger);
    mem_free(kept);
}
END_TEST

START_TEST(blocks_that_live_are_counted) {
    int64_t before = mem_test_live();
    char *a = mem_alloc(3), *b = mem_copy_text("b"), *c = mem_resize(NULL, 1, 1);
    ck_assert_int_eq(mem_test_live(), before + 3);
    a = mem_resize(a, 100, 1);
    ck_assert_int_eq(mem_test_live(), before + 3);
    mem_test_fail_at(1);
    ck_assert_ptr_null(mem_resize(b, 100, 1));
    mem_test_fail_at(0);
    ck_assert_int_eq(mem_test_live(), before + 3);
    mem_free(a);
    mem_free(NULL);
    mem_free_ptr(&b);
    mem_free(c);
    ck_assert_int_eq(mem_test_live(), before);
}
END_TEST

START_TEST(stealing_takes_a_pointer_out_of_its_cleanup) {
    char *outer;
    {
        _cleanup_(mem_free_ptr) char *inner = mem_copy_text("kept");
        outer = mem_steal(&inner);
        ck_assert_ptr_null(inner);
    }
    ck_assert_str_eq(outer, "kept");
    mem_free(outer);
}
END_TEST

START_TEST(buf_grows) {
    struct buf b = {0};
    char expected[3001 + 16] = "";
    for (int i = 0; i < 300; i++) {
        buf_add(&b, "abc");
        buf_add_char(&b, 'd');
        buf_addf(&b, "%03d", i);
        buf_add_bytes(&b, "xyz", 3);
        (void)snprintf(expected + i * 10, 26, "abcd%03dxyz", i);
    }
    ck_assert_uint_eq(b.len, 3000);
    ck_assert_str_eq(b.text, expected);
    buf_clear(&b);
    ck_assert_str_eq(b.text, "");
    buf_add(&b, "again");
    char *text = buf_steal(&b);
    ck_assert_str_eq(text, "again");
    ck_assert_ptr_null(b.text);
    mem_free(text);
    text = buf_steal(&b);
    ck_assert_str_eq(text, "");
    mem_free(text);
    buf_done(&b);
}
END_TEST

START_TEST(buf_failure_is_sticky) {
    for (uint64_t nth = 1;; nth++) {
        _cleanup_(buf_done) struct buf b = {0};
        mem_test_fail_at(nth);
        for (int i = 0; i < 100; i++)
            buf_addf(&b, "line %d\n", i);
        bool failed = b.failed;
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        buf_add(&b, "more");
        ck_assert_int_eq(failed, reached);
        char *text = buf_steal(&b);
        ck_assert_int_eq(text == NULL, failed);
        ck_assert(!b.failed);
        mem_free(text);
        if (!reached)
            break;
    }
    struct buf b = {.text = NULL, .len = SIZE_MAX - 1};
    buf_add(&b, "xx"); /* a length beyond all memory */
    ck_assert(b.failed);
}
END_TEST

START_TEST(strv_grows_and_copies) {
    char **list = NULL;
    ck_assert_uint_eq(strv_count(list), 0);
    ck_assert(!strv_has(list, "1"));
    for (int i = 0; i < 100; i++) {
        ck_assert(strv_take(&list, mem_text("%d", i)));
        ck_assert_uint_eq(strv_count(list), (size_t)i + 1);
    }
    ck_assert(strv_has(list, "99"));
    ck_assert(!strv_has(list, "100"));
    char **copy = strv_copy(list);
    ck_assert_uint_eq(strv_count(copy), 100);
    ck_assert_str_eq(copy[57], "57");
    ck_assert_ptr_ne(copy[57], list[57]);
    strv_done(&list);
    ck_assert_ptr_null(list);
    strv_free(copy);
    copy = strv_copy(NULL);
    ck_assert_uint_eq(strv_count(copy), 0);
    strv_free(copy);
    strv_free(NULL);
}
END_TEST

START_TEST(strv_survives_failures) {
    for (uint64_t nth = 1;; nth++) {
        char **list = NULL;
        char **copy = NULL;
        bool all = true;
        mem_test_fail_at(nth);
        for (int i = 0; i < 9; i++) {
            size_t before = strv_count(list);
            bool added = i % 2 ? strv_add(&list, "x") : strv_take(&list, mem_copy_text("y"));
            ck_assert_uint_eq(strv_count(list), before + added);
            all = all && added;
        }
        copy = strv_copy(list);
        bool reached = mem_test_count() >= nth;
        mem_test_fail_at(0);
        ck_assert_int_eq(reached, !all || !copy);
        strv_free(list);
        strv_free(copy);
        if (!reached)
            break;
    }
}
END_TEST

SUITE_MAIN("mem", memory_is_zeroed_and_sizes_are_checked, texts_are_copied,
           one_allocation_or_all_from_it_fail, blocks_that_live_are_counted,
           stealing_takes_a_pointer_out_of_its_cleanup, buf_grows, buf_failure_is_sticky,
           strv_grows_and_copies, strv_survives_failures)
