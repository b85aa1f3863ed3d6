/* What decides when a schedule fires. The first line says what the rest is:

       vixie|robfig|cronos FIELDS SECOND    an expression (FIELDS: CRON_* in decimal), and from when on
       zone SECOND                          the bytes of a time zone file

   What is taken must hold together: forward, backward and by count the same instants, none twice. */
#include "fuzz.h"

#include "core/cron.h"

const char fuzz_name[] = "cron";

#define FIRES 20

/* From any instant that a program may ask for, also beyond the calendar. */
static void check_fires(const struct cron *cron, const struct zone *zone, int64_t begin) {
    int64_t fires[FIRES], count = 0, at = begin, found = 0;
    for (; count < FIRES && cron_ceil(cron, zone, at, &found); at = found + 1) {
        must(found >= at);
        fires[count++] = found;
    }
    int64_t until = at;
    for (int64_t i = count; i-- > 0; until = fires[i]) {
        must(cron_floor(cron, zone, until - 1, &found));
        must(found == fires[i]);
    }
    if (count)
        must(cron_count(cron, zone, begin, fires[count - 1] + 1) == count);
    (void)cron_floor(cron, zone, begin, &found);
}

static void read_expression(enum cron_dialect dialect, uint32_t fields, int64_t begin,
                            const char *text) {
    struct cron cron;
    ctcd_error *err = NULL;
    int64_t wall = 0;
    int rc = cron_parse(text, fields, dialect, &cron, &err);
    if (rc) {
        must(rc == CTCD_E_INVALID || rc == CTCD_E_NEVER || rc == CTCD_E_TOO_LARGE);
        fuzz_refused(rc, err);
        return;
    }
    must(cron_wall_ceil(&cron, 0, &wall));
    check_fires(&cron, &ZONE_UTC, begin);
    fuzz_plant(text);
}

static void read_zone(int64_t begin, const char *bytes, size_t size) {
    static const char *const expressions[] = {"* * * * *", "30 2 * * *", "0 0 29 2 *"};
    struct zone zone;
    ctcd_error *err = NULL;
    int rc = zone_parse("Some/Zone", bytes, size, &zone, &err);
    if (rc) {
        must(rc == CTCD_E_CORRUPT || rc == CTCD_E_INVALID);
        fuzz_refused(rc, err);
        return;
    }
    for (size_t i = 1; i < zone.count; i++)
        must(zone.at[i - 1] < zone.at[i]);
    for (size_t i = 0; i < 9; i++) {
        struct cron cron;
        int64_t found = 0;
        must(cron_parse(expressions[i / 3], 0, (enum cron_dialect)(i % 3), &cron, NULL) == 0);
        /* Rules that nobody has made may show one wall three times: strictly on, and an end, is all. */
        for (int64_t at = begin, n = 0; n < FIRES && cron_ceil(&cron, &zone, at, &found); n++) {
            must(found >= at);
            at = found + 1;
        }
        (void)cron_floor(&cron, &zone, begin, &found);
        (void)cron_count(&cron, &zone, begin, begin < INT64_MAX - 86400 ? begin + 86400 : begin);
    }
    (void)zone_offset(&zone, begin);
    zone_done(&zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_part rest = {(const char *)data, size};
    _cleanup_(mem_free_ptr) char *line = fuzz_line(&rest);
    _cleanup_(mem_free_ptr) char *text = mem_copy_bytes(rest.size ? rest.text : "", rest.size);
    enum cron_dialect dialect;
    char *fields = strchr(line, ' ');
    must(text);
    if (!fields)
        return 0;
    *fields++ = '\0';
    char *begin = fields;
    long flags = strtol(fields, &begin, 10);
    if (strcmp(line, "zone") == 0)
        read_zone(strtoll(fields, NULL, 10), text, rest.size);
    else if (cron_dialect_parse(line, &dialect, NULL) == 0 &&
             text_is_utf8(text)) /* as the gate says */
        read_expression(dialect, (uint32_t)flags & (CRON_SECONDS | CRON_YEAR),
                        strtoll(begin, NULL, 10), text);
    return 0;
}
