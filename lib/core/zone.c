/* Names of zones, and looking up what holds when; see zone.h. */
#include "core/zone.h"

#include <stdbool.h>
#include <string.h>

#include <ctcd/base.h>

static int32_t utc_offset[] = {0};
const struct zone ZONE_UTC = {.name = "UTC", .offset = utc_offset, .fold_after = INT64_MAX};

static bool name_ok(const char *name) {
    size_t len = strlen(name);
    if (!len || len >= ZONE_NAME_SIZE)
        return false;
    bool first = true; /* of a part */
    for (const char *c = name; *c; c++) {
        bool letter = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z');
        bool other = (*c >= '0' && *c <= '9') || *c == '_' || *c == '-' || *c == '+';
        if (*c == '/' ? first : !letter && (first || !other))
            return false;
        first = *c == '/';
    }
    return !first;
}

int zone_check_name(const char *name, ctcd_error **err) {
    if (strcmp(name, "localtime") == 0 || strcmp(name, "posixrules") == 0)
        return error_set(err, CTCD_E_INVALID, "name the zone, like Europe/Paris",
                         "\"%s\" is what this machine is set to, not a time zone", name);
    if (name_ok(name))
        return 0;
    return error_set(err, CTCD_E_INVALID, "write it as the IANA data do: UTC, Europe/Paris",
                     "\"%.100s\" is no name of a time zone", name);
}

void zone_done(struct zone *zone) {
    mem_free(zone->at);
    mem_free(zone->offset);
    *zone = (struct zone){.fold_after = INT64_MAX};
}

size_t zone_segment(const struct zone *zone, int64_t second) {
    size_t low = 0, high = zone->count; /* the number of transitions at or before it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->at[middle] <= second)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t zone_segment_begin(const struct zone *zone, size_t segment) {
    return segment == 0 ? INT64_MIN : zone->at[segment - 1];
}

int64_t zone_segment_last(const struct zone *zone, size_t segment) {
    return segment == zone->count ? INT64_MAX : zone->at[segment] - 1;
}

int64_t zone_fold(const struct zone *zone, int64_t second) {
    if (second < zone->fold_after)
        return 0;
    return ((second - zone->fold_after) / ZONE_FOLD_SECONDS + 1) * ZONE_FOLD_SECONDS;
}

int32_t zone_offset(const struct zone *zone, int64_t second) {
    return zone->offset[zone_segment(zone, second - zone_fold(zone, second))];
}
