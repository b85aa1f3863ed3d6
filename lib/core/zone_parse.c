/* The bytes of a TZif file (RFC 8536, versions 1 to 4) as a struct zone: the transitions that change the
   offset, and behind them those of the footer, written out. Whatever the bytes are: no read beyond them. */
#include <stdbool.h>
#include <string.h>

#include <ctcd/base.h>

#include "base/time.h"
#include "core/zone.h"

#define TRANSITION_LEAST (-(1LL << 59)) /* the big bang, in older files */
#define TRANSITION_MOST (1LL << 40)

#define HEADER_SIZE 44
#define MAX_TRANSITIONS 20000u

struct header {
    uint32_t utc_count, std_count, leaps, times, types, chars;
};

struct block {
    struct header header;
    const unsigned char *times, *indices, *types;
    size_t time_size; /* 4 in the first block, 8 in the second */
};

static uint32_t word(const unsigned char *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t number(const unsigned char *b, size_t size) {
    if (size == 4)
        return (int32_t)word(b);
    return (int64_t)((uint64_t)word(b) << 32 | word(b + 4));
}

/* Reads header and data of one block; *at moves behind it. */
static bool take_block(const unsigned char **at, const unsigned char *end, size_t time_size,
                       struct block *ret) {
    const unsigned char *b = *at;
    if (end - b < HEADER_SIZE || memcmp(b, "TZif", 4) != 0)
        return false;
    struct header h = {word(b + 20), word(b + 24), word(b + 28),
                       word(b + 32), word(b + 36), word(b + 40)};
    if (h.times > MAX_TRANSITIONS || h.types == 0 || h.types > 256 || h.chars > 65536 ||
        h.leaps > MAX_TRANSITIONS || h.utc_count > 256 || h.std_count > 256)
        return false;
    size_t size = h.times * (time_size + 1) + h.types * 6u + h.chars + h.leaps * (time_size + 4) +
                  h.std_count + h.utc_count;
    if ((size_t)(end - b) - HEADER_SIZE < size)
        return false;
    b += HEADER_SIZE;
    *ret = (struct block){h, b, b + h.times * time_size, b + h.times * (time_size + 1), time_size};
    *at = b + size;
    return true;
}

/* What lies between the two line feeds at the end. */
static bool take_footer(const unsigned char *at, const unsigned char *end, char out[64]) {
    const unsigned char *close =
        at < end && *at == '\n' ? memchr(at + 1, '\n', (size_t)(end - at - 1)) : NULL;
    if (!close || close - at > 63 || memchr(at, 0, (size_t)(close - at)))
        return false;
    memcpy(out, at + 1, (size_t)(close - at - 1));
    out[close - at - 1] = 0;
    return true;
}

static bool type_offset(const struct block *block, unsigned type, int32_t *ret) {
    if (type >= block->header.types)
        return false;
    *ret = (int32_t)word(block->types + type * 6u);
    return *ret > -93600 && *ret < 93600; /* 26 h, as the format says */
}

static bool add(struct zone *zone, int64_t at, int32_t offset) {
    if (zone->count && at <= zone->at[zone->count - 1])
        return false;
    if (offset == zone->offset[zone->count])
        return true;
    zone->at[zone->count++] = at;
    zone->offset[zone->count] = offset;
    return true;
}

static bool add_block(struct zone *zone, const struct block *block) {
    if (!type_offset(block, 0, &zone->offset[0]))
        return false;
    for (uint32_t i = 0; i < block->header.times; i++) {
        int32_t offset;
        int64_t at = number(block->times + i * block->time_size, block->time_size);
        if (!type_offset(block, block->indices[i], &offset))
            return false;
        if (at < TRANSITION_LEAST || at > TRANSITION_MOST)
            continue;
        if (!add(zone, at, offset))
            return false;
    }
    return true;
}

/* Behind `last`, the last transition of the file. */
static bool add_rule(struct zone *zone, const struct zone_rule *rule, int64_t last) {
    int64_t year;
    int month, day;
    if (!rule->daylight_too) /* what holds goes on holding */
        return true;
    time_date_from_days(time_floor_div(last, 86400), &year, &month, &day);
    if (year < 1900) /* the rule holds from ever on: what is before is not asked for */
        year = 1900;
    for (int64_t y = year - 1; y <= year + ZONE_RULE_YEARS; y++) {
        int64_t at[2];
        int32_t offset[2];
        zone_rule_year(rule, y, at, offset);
        for (int i = 0; i < 2; i++) {
            int64_t newest = zone->count ? zone->at[zone->count - 1] : INT64_MIN;
            if (at[i] <= last || at[i] < newest)
                continue;
            if (at[i] == newest) /* summer time all year: it ends as the next one begins */
                zone->count--;
            if (!add(zone, at[i], offset[i]))
                return false;
        }
    }
    zone->fold_after = time_days_from_date(year + 402, 1, 1) * 86400;
    return true;
}

static bool fill(struct zone *zone, const struct block *block, const char *footer) {
    struct zone_rule rule;
    if (!add_block(zone, block))
        return false;
    if (!footer[0])
        return true;
    uint32_t times = block->header.times;
    int64_t last = times ? number(block->times + (times - 1) * block->time_size, block->time_size)
                         : TRANSITION_LEAST;
    if (last > TRANSITION_MOST) /* its years could not be counted */
        return false;
    return zone_rule_parse(footer, &rule) == 0 && add_rule(zone, &rule, last);
}

static int no_zone(const char *name, ctcd_error **err) {
    return error_set(err, CTCD_E_CORRUPT, "install the package tzdata anew",
                     "the data of the time zone %s cannot be read", name);
}

int zone_parse(const char *name, const char *bytes, size_t len, struct zone *ret,
               ctcd_error **err) {
    const unsigned char *at = (const unsigned char *)bytes, *end = at + len;
    struct block block;
    char footer[64] = "";
    if (!take_block(&at, end, 4, &block))
        return no_zone(name, err);
    if (bytes[4] >= '2' && (!take_block(&at, end, 8, &block) || !take_footer(at, end, footer)))
        return no_zone(name, err);
    if (block.header.leaps)
        return error_set(err, CTCD_E_INVALID, "choose the one without right/ in its name",
                         "the time zone %s counts leap seconds", name);
    size_t room = block.header.times + (size_t)(2 * (ZONE_RULE_YEARS + 2)) + 1;
    struct zone zone = {.fold_after = INT64_MAX};
    zone.at = mem_array(room, sizeof(*zone.at));
    zone.offset = mem_array(room + 1, sizeof(*zone.offset));
    int rc = zone.at && zone.offset ? 0 : error_nomem(err);
    if (!rc && !fill(&zone, &block, footer))
        rc = no_zone(name, err);
    if (rc) {
        zone_done(&zone);
        return rc;
    }
    strncpy(zone.name, name, ZONE_NAME_SIZE - 1);
    *ret = zone;
    return 0;
}
