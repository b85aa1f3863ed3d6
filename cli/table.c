/* Tables: boxes as the seed shows them on a terminal, aligned columns elsewhere. Used by the commands. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"

enum { COLUMNS_MAX = 12, WORD_MAX = 36 /* a UUID */, NARROW = 8 };

struct table {
    char *title; /* NULL = none */
    const char *names[COLUMNS_MAX];
    size_t columns;
    char *(*rows)[COLUMNS_MAX];
    size_t count;
    int centre_first, headless;
    const char *const *optional; /* names, NULL-terminated; NULL = none */
    size_t widths[COLUMNS_MAX];  /* while it is printed */
};

/* ---- filling --------------------------------------------------------------------------------- */

struct table *table_new(const char *title, const char *const *columns) {
    struct table *table = need(calloc(1, sizeof *table));
    table->title = title ? text_of("%s", title) : NULL;
    while (columns[table->columns] && table->columns < COLUMNS_MAX) {
        table->names[table->columns] = columns[table->columns];
        table->columns++;
    }
    return table;
}

void table_centre_first(struct table *table) {
    table->centre_first = 1;
}

void table_headless(struct table *table) {
    table->headless = 1;
}

void table_optional(struct table *table, const char *const *names) {
    table->optional = names;
}

size_t table_rows(const struct table *table) {
    return table->count;
}

/* One line without anything that moves a cursor. */
static char *cell_of(const char *text) {
    char *cell = text_of("%s", text ? text : "");
    for (char *c = cell; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return cell;
}

static void insert_row(struct table *table, size_t place, const char *const *cells) {
    table->rows = need(realloc(table->rows, (table->count + 1) * sizeof *table->rows));
    memmove(table->rows + place + 1, table->rows + place,
            (table->count - place) * sizeof *table->rows);
    for (size_t i = 0; i < table->columns; i++)
        table->rows[place][i] = cell_of(cells[i]);
    table->count++;
}

void table_row(struct table *table, const char *const *cells) {
    insert_row(table, table->count, cells);
}

void table_property(struct table *table, const char *name, const char *value) {
    size_t place = 0;
    while (place < table->count && strcmp(table->rows[place][0], name) < 0)
        place++;
    insert_row(table, place, (const char *const[]){name, value});
}

void table_free(struct table *table) {
    for (size_t r = 0; r < table->count; r++)
        for (size_t i = 0; i < table->columns; i++)
            free(table->rows[r][i]);
    free(table->rows);
    free(table->title);
    free(table);
}

/* ---- widths ---------------------------------------------------------------------------------- */

/* Characters that take no column or two. */
static const struct range {
    uint32_t first, last;
    size_t width;
} ranges[] = {
    {0x0300, 0x036f, 0},   {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},   {0x20d0, 0x20ff, 0},
    {0x231a, 0x231b, 2},   {0x23e9, 0x23ec, 2},   {0x23f0, 0x23f0, 2},   {0x23f3, 0x23f3, 2},
    {0x2614, 0x2615, 2},   {0x2648, 0x2653, 2},   {0x26a1, 0x26a1, 2},   {0x2705, 0x2705, 2},
    {0x270a, 0x270b, 2},   {0x2728, 0x2728, 2},   {0x274c, 0x274c, 2},   {0x274e, 0x274e, 2},
    {0x2753, 0x2755, 2},   {0x2757, 0x2757, 2},   {0x2795, 0x2797, 2},   {0x2b50, 0x2b50, 2},
    {0x2e80, 0x303e, 2},   {0x3041, 0xa4cf, 2},   {0xa960, 0xa97c, 2},   {0xac00, 0xd7a3, 2},
    {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
    {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2},
    {0x20000, 0x3fffd, 2},
};

/* The next character of valid UTF-8; anything else counts byte by byte. */
static size_t next_character(const char *text, uint32_t *ret) {
    const unsigned char *t = (const unsigned char *)text;
    size_t length = t[0] < 0xc0 ? 1 : t[0] < 0xe0 ? 2 : t[0] < 0xf0 ? 3 : 4;
    uint32_t c = length == 1 ? t[0] : t[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((t[i] & 0xc0) != 0x80) {
            *ret = t[0];
            return 1;
        }
        c = c << 6 | (t[i] & 0x3f);
    }
    *ret = c;
    return length;
}

static size_t character_width(uint32_t c) {
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return ranges[i].width;
    return 1;
}

/* Columns of the first `length` bytes. */
static size_t width_of(const char *text, size_t length) {
    size_t width = 0;
    for (size_t i = 0; i < length && text[i];) {
        uint32_t c;
        i += next_character(text + i, &c);
        width += character_width(c);
    }
    return width;
}

size_t display_width(const char *text) {
    return width_of(text, strlen(text));
}

static size_t longest_word(const char *text) {
    size_t longest = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        size_t width = width_of(text, length);
        longest = width > longest ? width : longest;
        text += length + strspn(text + length, " ");
    }
    return longest;
}

static size_t window_columns(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col;
    return SIZE_MAX; /* nobody knows: nothing is cut */
}

static size_t box_width(const struct table *table) {
    size_t total = 1;
    for (size_t i = 0; i < table->columns; i++)
        total += table->widths[i] + 3;
    return total;
}

/* Takes from the widest column that is wider than its least, again and again, until the box fits. */
static void shrink(struct table *table, const size_t *least, size_t window) {
    while (box_width(table) > window) {
        size_t widest = table->columns;
        for (size_t i = 0; i < table->columns; i++)
            if (table->widths[i] > least[i] &&
                (widest == table->columns || table->widths[i] > table->widths[widest]))
                widest = i;
        if (widest == table->columns)
            return;
        table->widths[widest]--;
    }
}

static void remove_column(struct table *table, const char *name) {
    size_t at = 0;
    while (at < table->columns && strcmp(table->names[at], name) != 0)
        at++;
    if (at == table->columns)
        return;
    size_t after = --table->columns - at;
    memmove(table->names + at, table->names + at + 1, after * sizeof *table->names);
    for (size_t r = 0; r < table->count; r++) {
        free(table->rows[r][at]);
        memmove(table->rows[r] + at, table->rows[r] + at + 1, after * sizeof **table->rows);
    }
}

/* How wide each column would be, how narrow it can be made between words, and within long ones. What is
   needed to name a thing stays whole, even where the box becomes too wide by it. */
static void measure(struct table *table, size_t *words, size_t *narrow) {
    for (size_t i = 0; i < table->columns; i++) {
        table->widths[i] = display_width(table->names[i]);
        words[i] = longest_word(table->names[i]);
        for (size_t r = 0; r < table->count; r++) {
            size_t width = display_width(table->rows[r][i]), word = longest_word(table->rows[r][i]);
            table->widths[i] = width > table->widths[i] ? width : table->widths[i];
            words[i] = word > words[i] ? word : words[i];
        }
        int names = strcmp(table->names[i], "UUID") == 0 || strcmp(table->names[i], "NAME") == 0;
        words[i] = words[i] < WORD_MAX || names ? words[i] : WORD_MAX;
        narrow[i] = words[i] < NARROW || names ? words[i] : NARROW;
    }
}

/* Columns that may go rather than words that must be cut. */
static void fit(struct table *table) {
    size_t words[COLUMNS_MAX], narrow[COLUMNS_MAX];
    measure(table, words, narrow);
    shrink(table, words, window_columns());
    while (table->optional && *table->optional && box_width(table) > window_columns()) {
        remove_column(table, *table->optional++);
        measure(table, words, narrow);
        shrink(table, words, window_columns());
    }
    shrink(table, narrow, window_columns());
}

/* ---- a box ----------------------------------------------------------------------------------- */

static void repeat(const char *text, size_t times) {
    while (times--)
        fputs(text, stdout);
}

static void rule(const struct table *table, const char *left, const char *line, const char *cross,
                 const char *right) {
    for (size_t i = 0; i < table->columns; i++) {
        fputs(i ? cross : left, stdout);
        repeat(line, table->widths[i] + 2);
    }
    puts(right);
}

/* Bytes of text's first line in a column of this width; *ret_cut = a word had to be cut. */
static size_t first_line(const char *text, size_t width, int *ret_cut) {
    size_t end = 0, columns = 0, blank = 0;
    *ret_cut = 0;
    while (text[end]) {
        uint32_t c;
        size_t length = next_character(text + end, &c);
        columns += character_width(c);
        if (columns > width)
            break;
        if (c == ' ')
            blank = end;
        end += length;
    }
    if (!text[end] || text[end] == ' ')
        return end;
    if (blank)
        return blank;
    *ret_cut = 1;
    while (end && width_of(text, end) + 1 > width) {
        do
            end--;
        while (end && (text[end] & 0xc0) == 0x80);
    }
    return end;
}

/* Prints the cell's next line and moves *text behind it. */
static void print_line(const struct table *table, size_t column, const char **text) {
    size_t width = table->widths[column];
    int cut;
    size_t length = first_line(*text, width, &cut);
    size_t used = width_of(*text, length) + (size_t)cut, left = 0;
    if (table->centre_first && column == 0)
        left = (width - used) / 2;
    printf(" ");
    repeat(" ", left);
    printf("%.*s%s", (int)length, *text, cut ? "…" : "");
    repeat(" ", width - used - left + 1);
    *text += cut ? length + strcspn(*text + length, " ") : length;
    *text += strspn(*text, " ");
}

static void print_row(const struct table *table, const char *const *cells) {
    const char *rest[COLUMNS_MAX];
    int more = 1;
    memcpy(rest, cells, table->columns * sizeof *rest);
    while (more) {
        more = 0;
        for (size_t i = 0; i < table->columns; i++) {
            fputs(i ? "│" : "┃", stdout);
            print_line(table, i, &rest[i]);
            more |= *rest[i] != '\0';
        }
        puts("┃");
    }
}

static void print_box(struct table *table) {
    fit(table);
    if (table->title) {
        size_t box = box_width(table), width = display_width(table->title);
        size_t left = box > width ? (box - width) / 2 : 0;
        repeat(" ", left);
        fputs(table->title, stdout);
        repeat(" ", box > width ? box - width - left : 0);
        putchar('\n');
    }
    rule(table, "┏", "━", "┯", "┓");
    print_row(table, table->names);
    for (size_t r = 0; r < table->count; r++) {
        rule(table, "┠", "─", "┼", "┨");
        print_row(table, (const char *const *)table->rows[r]);
    }
    rule(table, "┗", "━", "┷", "┛");
}

/* ---- plain columns --------------------------------------------------------------------------- */

static const char *plain_cell(const char *cell) {
    return *cell ? cell : "-";
}

static void print_plain_row(const struct table *table, const char *const *cells) {
    for (size_t i = 0; i < table->columns; i++) {
        const char *cell = plain_cell(cells[i]);
        fputs(cell, stdout);
        if (i + 1 < table->columns)
            repeat(" ", table->widths[i] - display_width(cell) + 2);
    }
    putchar('\n');
}

static void print_plain(struct table *table) {
    for (size_t i = 0; i < table->columns; i++) {
        table->widths[i] = table->headless ? 0 : display_width(table->names[i]);
        for (size_t r = 0; r < table->count; r++) {
            size_t width = display_width(plain_cell(table->rows[r][i]));
            table->widths[i] = width > table->widths[i] ? width : table->widths[i];
        }
    }
    if (!table->headless)
        print_plain_row(table, table->names);
    for (size_t r = 0; r < table->count; r++)
        print_plain_row(table, (const char *const *)table->rows[r]);
}

void table_print(struct table *table) {
    if (on_terminal())
        print_box(table);
    else
        print_plain(table);
    table_free(table);
}
