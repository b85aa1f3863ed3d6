/* Expressions as people write them, into bit sets: fields, names, lists, ranges, steps, L, W and #, macros.
   Whatever is wrong is said with its field, its place and what may stand there. See cron.h. */
#include "core/cron.h"

#include <ctcd/base.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum field_name { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR };

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field {
    const char *name, *allowed;
    int min, max;
    const char *const *names; /* of min, min + 1, ... */
    int name_count;
} fields[] = {
    [SECOND] = {"second", "0-59, *, 10-20, */5, 5/15, 1,2,3", 0, 59, NULL, 0},
    [MINUTE] = {"minute", "0-59, *, 10-20, */5, 5/15, 1,2,3", 0, 59, NULL, 0},
    [HOUR] = {"hour", "0-23, *, 9-17, */2, 8/4, 1,2,3", 0, 23, NULL, 0},
    [DAY] = {"day", "1-31, *, 1-7, */2, 5/10, 1,15, L, L-2, LW, 15W", 1, 31, NULL, 0},
    [MONTH] = {"month", "1-12, jan-dec, *, 6-8, */3, 1,7", 1, 12, month_names, 12},
    [WEEKDAY] = {"weekday", "0-7 (0 and 7 are Sunday), sun-sat, *, mon-fri, */2, 1,5, 5L, 5#2", 0,
                 7, weekday_names, 7},
    [YEAR] = {"year", "1970-2199, *, 2026-2030, */2, 2026,2028", CRON_YEAR_MIN, CRON_YEAR_MAX, NULL,
              0},
};

static const struct {
    const char *name, *text;
} macros[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

struct reader {
    const char *text; /* the whole expression */
    enum cron_dialect dialect;
    const struct field *field;
    const char *begin, *end; /* of the field */
    const char *at;
    uint64_t bits[4]; /* from the field's min on (0 where that is not more than 1) */
    bool star;        /* by the dialect's day rule */
    bool plain;       /* no '*', range or step */
    uint32_t last_days, near_days, near_last;
    uint8_t last_weekdays, nth_weekdays[5];
    ctcd_error **err;
};

static int wrong(struct reader *r, const char *from, const char *why) {
    int length = (int)strcspn(from, ", \t");
    char shown[48];
    snprintf(shown, sizeof shown, "%.*s", length < 40 ? length : 40, from);
    text_make_line(shown);
    text_make_utf8(shown);
    error_set(r->err, CTCD_E_INVALID, NULL, "the %s field, at character %d of \"%.200s\": %s%s%s%s",
              r->field->name, (int)(from - r->text) + 1, r->text, length ? "\"" : "", shown,
              length ? "\" " : "", why);
    error_hint(r->err, "in the %s field may stand: %s", r->field->name, r->field->allowed);
    return CTCD_E_INVALID;
}

/* ---- values ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_char(char c, char lower) {
    return c == lower || c == (char)(lower - 'a' + 'A');
}

/* Whatever the locale: `lower` has no upper-case letters. */
static bool same_letters(const char *text, const char *lower, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text[i] != lower[i] && !(is_letter(lower[i]) && is_char(text[i], lower[i])))
            return false;
    return true;
}

/* Digits or a name; what follows is the caller's. -1 = neither, or out of range: said. */
static int take_value(struct reader *r) {
    const struct field *f = r->field;
    const char *from = r->at;
    int value = 0;
    if (is_digit(*r->at)) {
        for (; is_digit(*r->at); r->at++)
            value = value < 100000 ? value * 10 + (*r->at - '0') : value;
        if (value >= f->min && value <= f->max)
            return value;
        wrong(r, from, "is out of range");
        return -1;
    }
    int letters = 0;
    while (is_letter(from[letters]))
        letters++;
    for (int i = 0; letters >= 3 && i < f->name_count; i++) {
        bool last = letters == 4 && is_char(from[3], 'l') && f == &fields[WEEKDAY]; /* friL */
        if (same_letters(from, f->names[i], 3) && (letters == 3 || last)) {
            r->at += 3;
            return f->min + i;
        }
    }
    wrong(r, from, letters && f->name_count ? "is no name" : "is no number");
    return -1;
}

static void set_bit(struct reader *r, int value) {
    int bit = r->field->min > 1 ? value - r->field->min : value;
    r->bits[bit / 64] |= 1ull << (bit % 64);
}

/* Going on at the least value behind the greatest one, with the step that was begun. */
static void set_around(struct reader *r, int first, int last, int step) {
    const struct field *f = r->field;
    int most = f == &fields[WEEKDAY] ? 6 : f->max, size = most - f->min + 1;
    for (int v = first; v <= last + size; v += step)
        set_bit(r, f->min + (v - f->min) % size);
}

static int backwards(struct reader *r, const char *from, int first, int last, int step) {
    if (r->dialect == CRON_CRONOS) {
        set_around(r, first, last, step);
        return 0;
    }
    if (r->field == &fields[WEEKDAY] && last == 0) { /* fri-sun */
        for (int v = first; v <= 7; v += step)
            set_bit(r, v);
        return 0;
    }
    return wrong(r, from, "runs backwards");
}

/* "/n" if there is one; *ret is 1 otherwise. */
static int take_step(struct reader *r, int *ret) {
    *ret = 1;
    if (*r->at != '/')
        return 0;
    const char *from = r->at++;
    int step = 0;
    if (!is_digit(*r->at))
        return wrong(r, from, "is a step without a number");
    for (; is_digit(*r->at); r->at++)
        step = step < 100000 ? step * 10 + (*r->at - '0') : step;
    if (step == 0)
        return wrong(r, from, "is a step of nothing");
    r->plain = false;
    *ret = step;
    return 0;
}

/* ---- items of a list ---- */

static bool at_end(const struct reader *r) {
    return r->at == r->end || *r->at == ',';
}

static int take_all(struct reader *r) {
    const struct field *f = r->field;
    const char *from = r->at++;
    bool day = f == &fields[DAY] || f == &fields[WEEKDAY];
    int step;
    if (*from == '?' && (r->dialect == CRON_VIXIE || (r->dialect == CRON_CRONOS && !day)))
        return wrong(r, from, "is not known here");
    int rc = take_step(r, &step);
    if (rc)
        return rc;
    r->plain = false;
    if (r->dialect == CRON_ROBFIG && step == 1)
        r->star = true;
    for (int v = f->min; v <= f->max; v += step)
        set_bit(r, v);
    return 0;
}

/* What follows a value of the weekday field: 5L, 5#2. */
static int take_weekday_kind(struct reader *r, const char *from, int value) {
    uint8_t bit = (uint8_t)(1u << (value % 7));
    if (is_char(*r->at, 'l')) {
        r->at++;
        r->last_weekdays |= bit;
        return 0;
    }
    r->at++;
    if (*r->at < '1' || *r->at > '5' || is_digit(r->at[1]))
        return wrong(r, from, "has no number from 1 to 5 behind its #");
    r->nth_weekdays[*r->at++ - '1'] |= bit;
    return 0;
}

static int take_nearest(struct reader *r, const char *from, int value) {
    if (from != r->begin || r->at + 1 != r->end)
        return wrong(r, from, "must stand alone");
    r->at++;
    r->near_days |= 1u << value;
    return 0;
}

/* a, a-b, a/n, a-b/n. */
static int take_range(struct reader *r) {
    const struct field *f = r->field;
    const char *from = r->at;
    int step, first = take_value(r), last = first;
    if (first < 0)
        return CTCD_E_INVALID;
    if (f == &fields[WEEKDAY] && (is_char(*r->at, 'l') || *r->at == '#'))
        return take_weekday_kind(r, from, first);
    if (f == &fields[DAY] && is_char(*r->at, 'w'))
        return take_nearest(r, from, first);
    bool range = *r->at == '-';
    if (range) {
        r->at++;
        r->plain = false;
        last = take_value(r);
        if (last < 0)
            return CTCD_E_INVALID;
    }
    bool stepped = *r->at == '/';
    int rc = take_step(r, &step);
    if (rc)
        return rc;
    if (stepped && !range) {
        last = f == &fields[WEEKDAY] && r->dialect == CRON_ROBFIG ? 6 : f->max;
        if (step > f->max && r->dialect != CRON_ROBFIG)
            return wrong(r, from, "has a step that is greater than the field");
        last = last < first ? first : last;
    }
    if (first > last)
        return backwards(r, from, first, last, step);
    for (int v = first; v <= last; v += step)
        set_bit(r, v);
    return 0;
}

/* L, L-2, LW in the day field. */
static int take_last(struct reader *r) {
    const char *from = r->at++;
    if (is_char(*r->at, 'w')) {
        r->at++;
        if (from != r->begin || r->at != r->end)
            return wrong(r, from, "must stand alone");
        r->near_last = 1;
        return 0;
    }
    int back = 0;
    if (*r->at == '-') {
        r->at++;
        if (!is_digit(*r->at))
            return wrong(r, from, "has no number behind its -");
        for (; is_digit(*r->at); r->at++)
            back = back < 1000 ? back * 10 + (*r->at - '0') : back;
        if (back > 30)
            return wrong(r, from, "goes back too far: L-30 is the first of 31 days");
    }
    r->last_days |= 1u << back;
    return 0;
}

static int take_item(struct reader *r) {
    const char *from = r->at;
    int rc;
    if (at_end(r))
        return wrong(r, from, "an item of the list is missing");
    if (*r->at == '*' || *r->at == '?')
        rc = take_all(r);
    else if (r->field == &fields[DAY] && is_char(*r->at, 'l'))
        rc = take_last(r);
    else
        rc = take_range(r);
    if (!rc && !at_end(r))
        rc = wrong(r, from, "cannot be read");
    return rc;
}

static int take_field(struct reader *r) {
    r->at = r->begin;
    memset(r->bits, 0, sizeof r->bits);
    r->plain = true;
    r->star = r->dialect == CRON_VIXIE && *r->begin == '*';
    for (;;) {
        int rc = take_item(r);
        if (rc || r->at == r->end)
            return rc;
        r->at++; /* the comma */
    }
}

/* ---- the whole ---- */

struct parsed {
    bool day_star, weekday_star; /* by the dialect's day rule */
    bool time_star;              /* minute or hour (or second) begins with '*' */
    bool time_plain;             /* none of them has '*', a range or a step */
};

static void keep(struct reader *r, enum field_name which, struct cron *c, struct parsed *p) {
    uint64_t bits = r->bits[0];
    if (which <= HOUR) {
        p->time_star |= *r->begin == '*';
        p->time_plain &= r->plain;
    }
    switch (which) {
    case SECOND:
        c->seconds = bits;
        break;
    case MINUTE:
        c->minutes = bits;
        break;
    case HOUR:
        c->hours = (uint32_t)bits;
        break;
    case DAY:
        c->days = (uint32_t)bits;
        p->day_star = r->star;
        break;
    case MONTH:
        c->months = (uint16_t)bits;
        break;
    case WEEKDAY:
        c->weekdays = (uint8_t)((bits | bits >> 7) & 0x7f);
        p->weekday_star = r->star;
        break;
    case YEAR:
        memcpy(c->years, r->bits, sizeof c->years);
        break;
    }
}

static const char *skip_blanks(const char *at) {
    return at + strspn(at, " \t");
}

static int count_words(const char *text) {
    int count = 0;
    for (const char *at = skip_blanks(text); *at; at = skip_blanks(at + strcspn(at, " \t")))
        count++;
    return count;
}

static int wrong_count(const char *text, uint32_t flags, int want, int have, ctcd_error **err) {
    const char *hint =
        have == want + 1 || have == want + 2
            ? "a field of seconds in front or of years behind must be asked for: seconds "
              "and year (--seconds, --year)"
            : NULL;
    return error_set(err, CTCD_E_INVALID, hint,
                     "\"%.200s\" has %d fields, not the %d of a cron expression: %sminute hour day "
                     "month weekday%s",
                     text, have, want, flags & CRON_SECONDS ? "second " : "",
                     flags & CRON_YEAR ? " year" : "");
}

static int take_macro(const char *text, const char **ret, ctcd_error **err) {
    const char *names[COUNT(macros)];
    size_t length = strcspn(text, " \t");
    for (size_t i = 0; i < COUNT(macros); i++) {
        names[i] = macros[i].name;
        if (strlen(names[i]) == length && same_letters(text, names[i], length) &&
            !*skip_blanks(text + length)) {
            *ret = macros[i].text;
            return 0;
        }
    }
    const char *near = text_nearest(text, names, COUNT(macros));
    error_set(err, CTCD_E_INVALID, NULL,
              "\"%.100s\" is not known; there are: @yearly (@annually), @monthly, @weekly, @daily "
              "(@midnight), @hourly",
              text);
    if (near)
        error_hint(err, "did you mean %s?", near);
    else if (same_letters(text, "@every", 6))
        error_hint(err, "write it as an interval: interval: 90m (--interval)");
    return CTCD_E_INVALID;
}

static int take_fields(struct reader *r, uint32_t flags, struct cron *c, struct parsed *p) {
    enum field_name first = flags & CRON_SECONDS ? SECOND : MINUTE;
    enum field_name last = flags & CRON_YEAR ? YEAR : WEEKDAY;
    const char *at = skip_blanks(r->text);
    for (enum field_name i = first; i <= last; i++) {
        r->field = &fields[i];
        r->begin = at;
        r->end = at + strcspn(at, " \t");
        int rc = take_field(r);
        if (rc)
            return rc;
        keep(r, i, c, p);
        at = skip_blanks(r->end);
    }
    c->last_days = r->last_days;
    c->near_days = r->near_days;
    c->near_last = r->near_last;
    c->last_weekdays = r->last_weekdays;
    memcpy(c->nth_weekdays, r->nth_weekdays, sizeof c->nth_weekdays);
    return 0;
}

static void apply_dialect(struct cron *c, enum cron_dialect dialect, const struct parsed *p) {
    c->either = dialect != CRON_CRONOS && !p->day_star && !p->weekday_star;
    c->move = dialect == CRON_CRONOS || (dialect == CRON_VIXIE && !p->time_star);
    c->once = dialect == CRON_CRONOS ? p->time_plain : dialect == CRON_VIXIE && !p->time_star;
    c->corrects = dialect == CRON_VIXIE;
}

int cron_parse(const char *text, uint32_t flags, enum cron_dialect dialect, struct cron *ret,
               ctcd_error **err) {
    struct reader r = {.text = text, .dialect = dialect, .err = err};
    struct cron c = {.seconds = 1, .has_years = false};
    struct parsed p = {.time_plain = true};
    const char *at = skip_blanks(text);
    if (strlen(text) >= CRON_TEXT_SIZE)
        return error_set(err, CTCD_E_TOO_LARGE, NULL, "a cron expression has at most %d characters",
                         CRON_TEXT_SIZE - 1);
    if (strncmp(at, "CRON_TZ=", 8) == 0 || strncmp(at, "TZ=", 3) == 0)
        return error_set(err, CTCD_E_INVALID, "say timezone: ZONE (--timezone ZONE) instead",
                         "\"%.100s\": the time zone is no part of the expression", text);
    if (*at == '@') {
        int rc = take_macro(at, &r.text, err);
        if (rc)
            return rc;
        flags = 0;
    }
    int want = 5 + !!(flags & CRON_SECONDS) + !!(flags & CRON_YEAR), have = count_words(r.text);
    if (have != want)
        return wrong_count(text, flags, want, have, err);
    c.has_years = flags & CRON_YEAR;
    int rc = take_fields(&r, flags, &c, &p);
    if (rc)
        return rc;
    apply_dialect(&c, dialect, &p);
    int64_t wall;
    if (!cron_wall_ceil(&c, 0, &wall))
        return error_set(err, CTCD_E_NEVER, "no month and year that it names has such a day",
                         "\"%.200s\" can never fire", text);
    *ret = c;
    return 0;
}

/* ---- names of dialects ---- */

static const char *const dialect_names[] = {
    [CRON_VIXIE] = "vixie", [CRON_ROBFIG] = "robfig", [CRON_CRONOS] = "cronos"};

const char *cron_dialect_name(enum cron_dialect dialect) {
    return (unsigned)dialect < COUNT(dialect_names) ? dialect_names[dialect] : NULL;
}

int cron_dialect_parse(const char *name, enum cron_dialect *ret, ctcd_error **err) {
    for (size_t i = 0; i < COUNT(dialect_names); i++) {
        if (strcmp(name, dialect_names[i]) == 0) {
            *ret = (enum cron_dialect)i;
            return 0;
        }
    }
    const char *near = text_nearest(name, dialect_names, COUNT(dialect_names));
    error_set(err, CTCD_E_INVALID, NULL,
              "\"%.100s\" is no dialect of cron; there are: vixie, robfig, cronos", name);
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    return CTCD_E_INVALID;
}
