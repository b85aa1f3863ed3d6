/* Whatever ends up in an error can be put into JSON: it is made UTF-8. */
#include "suite.h"

#include "base/error.h"
#include "base/text.h"

START_TEST(bytes_that_are_not_utf8_become_question_marks) {
    static const char *const rows[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"cut \xe2\x86", "cut ??"},
        {"\xff\xfe", "??"},
        {"\xc0\x80", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xf0\x9f\x98\x80 ok \xf0\x9f\x98", "\xf0\x9f\x98\x80 ok ???"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", rows[i][0]);
        text_make_utf8(text);
        ck_assert_str_eq(text, rows[i][1]);
        ck_assert(text_is_utf8(text));
    }
}
END_TEST

START_TEST(a_line_has_no_breaks) {
    const char *const rows[][2] = {{"", ""},
                                   {"a", "a"},
                                   {"a\nb", "a b"},
                                   {"\r\n\t", ""},
                                   {"a\x7f\x1b[0m", "a  [0m"},
                                   {"gr\xc3\xbc\xc3\x9f\xff\n\n", "gr\xc3\xbc\xc3\x9f?"},
                                   {"a\xc2\x9b[0m\xc2\xa0", "a  [0m\xc2\xa0"},
                                   {"  a ", "  a"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%s", rows[i][0]);
        text_make_line(text);
        ck_assert_str_eq(text, rows[i][1]);
    }
}
END_TEST

START_TEST(errors_are_utf8) {
    _cleanup_(error_done) ctcd_error *err = NULL;
    error_set(&err, CTCD_E_INVALID, "hint \xff", "cut \"%.3s\"", "ab\xc3\xbc");
    ck_assert_str_eq(error_message(err), "cut \"ab?\"");
    error_prefix(&err, "file \xfe");
    ck_assert_str_eq(error_message(err), "file ?: cut \"ab?\"");
    ck_assert_str_eq(ctcd_error_hint(err), "hint ?");
    error_hint(&err, "\x80");
    error_set_details(&err, "\xc3\n");
    ck_assert_str_eq(ctcd_error_hint(err), "?");
    ck_assert_str_eq(ctcd_error_details(err), "?\n");
}
END_TEST

SUITE_MAIN("text_utf8", bytes_that_are_not_utf8_become_question_marks, errors_are_utf8,
           a_line_has_no_breaks)
