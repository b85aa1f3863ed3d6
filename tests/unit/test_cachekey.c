/* Cache keys: equal parts, equal key; and no two lists of parts read the same. */
#include "suite.h"

#include "core/cachekey.h"

enum kind { BYTES, TEXT, NOTHING, LIST };
struct part {
    enum kind kind;
    const char *label;
    const char *value; /* of a list: its elements, parted by '|'; NULL = the empty list */
};

static void add(struct cache_key *key, const struct part *part) {
    char copy[64] = "";
    char *rest = copy;
    char *list[8] = {NULL};
    size_t n = 0;
    switch (part->kind) {
    case BYTES:
        cache_key_add(key, part->label, part->value, strlen(part->value));
        break;
    case TEXT:
        cache_key_add_text(key, part->label, part->value);
        break;
    case NOTHING:
        cache_key_add_text(key, part->label, NULL);
        break;
    case LIST:
        snprintf(copy, sizeof copy, "%s", part->value ? part->value : "");
        while (part->value && n < 7 && (list[n] = strsep(&rest, "|")) != NULL)
            n++;
        cache_key_add_list(key, part->label, list);
        break;
    }
}

static void hex_of(const struct part parts[4], char hex[65]) {
    struct cache_key key;
    cache_key_start(&key);
    for (size_t i = 0; i < 4 && parts[i].label; i++)
        add(&key, &parts[i]);
    cache_key_end(&key, hex);
}

START_TEST(different_parts_have_different_keys) {
    static const struct part rows[][4] = {
        {{0}},
        {{TEXT, "", ""}},
        {{NOTHING, "", NULL}},
        {{TEXT, "step", "train"}},
        {{TEXT, "ste", "ptrain"}},
        {{TEXT, "steptrain", ""}},
        {{BYTES, "step", "train"}},
        {{TEXT, "step", ""}},
        {{NOTHING, "step", NULL}},
        {{LIST, "step", NULL}},
        {{LIST, "step", ""}},
        {{LIST, "step", "train"}},
        {{LIST, "argv", "a|b"}},
        {{LIST, "argv", "ab"}},
        {{LIST, "argv", "a|b|"}},
        {{LIST, "argv", "|a|b"}},
        {{LIST, "argv", "b|a"}},
        {{TEXT, "argv", "a"}, {TEXT, "argv", "b"}},
        {{TEXT, "argv", "b"}, {TEXT, "argv", "a"}},
        {{LIST, "argv", "a"}, {LIST, "argv", "b"}},
        {{TEXT, "a", "1"}, {TEXT, "b", "2"}, {TEXT, "c", "3"}},
        {{TEXT, "a", "1"}, {TEXT, "b", "2"}, {TEXT, "c", "4"}},
        {{TEXT, "a", "1"}, {TEXT, "b", "2"}},
    };
    const size_t count = sizeof rows / sizeof rows[0];
    char hex[sizeof rows / sizeof rows[0]][65];
    for (size_t i = 0; i < count; i++) {
        char again[65];
        hex_of(rows[i], hex[i]);
        hex_of(rows[i], again);
        ck_assert_str_eq(hex[i], again);
        ck_assert_uint_eq(strlen(hex[i]), 64);
        for (size_t k = 0; k < i; k++)
            ck_assert_msg(strcmp(hex[i], hex[k]) != 0, "rows %zu and %zu", k, i);
    }
}
END_TEST

START_TEST(zero_bytes_count) {
    char one[65];
    char two[65];
    struct cache_key key;
    cache_key_start(&key);
    cache_key_add(&key, "file", "a\0b", 3);
    cache_key_end(&key, one);
    cache_key_start(&key);
    cache_key_add(&key, "file", "a", 1);
    cache_key_end(&key, two);
    ck_assert_str_ne(one, two);
    cache_key_start(&key);
    cache_key_add(&key, "file", NULL, 0);
    cache_key_end(&key, two);
    cache_key_start(&key);
    cache_key_add(&key, "file", "", 0);
    cache_key_end(&key, one);
    ck_assert_str_eq(one, two);
}
END_TEST

/* Stored keys must stay valid from one version to the next, unless the format's name changes. */
START_TEST(the_format_is_fixed) {
    struct cache_key key;
    char hex[65];
    char *argv[] = {"python3", "train.py", NULL};
    cache_key_start(&key);
    cache_key_add_text(&key, "step", "train");
    cache_key_add_list(&key, "argv", argv);
    cache_key_add_text(&key, "params", NULL);
    cache_key_add(&key, "code", "\x00\x01", 2);
    cache_key_end(&key, hex);
    ck_assert_str_eq(hex, "7044c08af3122c31d572c6455f001e9b670eec00fd23be9775780e4f18ff5654");
}
END_TEST

SUITE_MAIN("cachekey", different_parts_have_different_keys, zero_bytes_count, the_format_is_fixed)
