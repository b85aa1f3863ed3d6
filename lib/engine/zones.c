/* The time zones that a context knows; see zones.h. */
#include "engine/zones.h"

#include <string.h>

#include "io/zonefile.h"

#define LOOK_MS 1000 /* how often the file of a zone is looked at */

struct known_zone {
    struct zone zone;
    struct zonefile_stamp stamp;
    int64_t looked_ms; /* monotonic */
};

static int read_zone(const char *name, struct known_zone *ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *bytes = NULL;
    size_t len = 0;
    int rc = zonefile_read(name, &bytes, &len, &ret->stamp, err);
    return rc ? rc : zone_parse(name, bytes, len, &ret->zone, err);
}

static bool same_stamp(const struct zonefile_stamp *a, const struct zonefile_stamp *b) {
    return a->seconds == b->seconds && a->nanoseconds == b->nanoseconds && a->size == b->size &&
           a->device == b->device && a->inode == b->inode;
}

/* Changed rules take the place of the old ones. Half a file, or none: what was there stays. */
static void look_again(ctcd_context *ctx, struct known_zone *known) {
    struct zonefile_stamp now;
    struct known_zone fresh = {0};
    int64_t mono = context_mono(ctx);
    if (mono - known->looked_ms < LOOK_MS && mono >= known->looked_ms)
        return;
    known->looked_ms = mono;
    if (!zonefile_look(known->zone.name, &now) || same_stamp(&now, &known->stamp) ||
        read_zone(known->zone.name, &fresh, NULL))
        return;
    context_log(ctx, CTCD_LOG_INFO, "the rules of the time zone %s have changed", known->zone.name);
    zone_done(&known->zone);
    known->zone = fresh.zone;
    known->stamp = fresh.stamp;
}

/* Where the zone is, or would be: they are in the order of their names. */
static bool find(const struct known_zones *all, const char *name, size_t *ret) {
    size_t low = 0, high = all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(all->items[middle]->zone.name, name);
        if (order == 0) {
            *ret = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = low;
    return false;
}

/* Takes over the fresh one, where there is memory for it. */
static struct known_zone *keep(struct known_zones *all, size_t place,
                               const struct known_zone *fresh) {
    if (all->count == all->room) {
        size_t more = all->room ? all->room * 2 : 8;
        struct known_zone **items = mem_resize(all->items, more, sizeof(*items));
        if (!items)
            return NULL;
        all->items = items;
        all->room = more;
    }
    struct known_zone *known = mem_alloc(sizeof(*known));
    if (!known)
        return NULL;
    *known = *fresh;
    memmove(all->items + place + 1, all->items + place,
            (all->count - place) * sizeof(struct known_zone *));
    all->items[place] = known;
    all->count++;
    return known;
}

int zones_get(ctcd_context *ctx, const char *name, const struct zone **ret, ctcd_error **err) {
    if (strcmp(name, "UTC") == 0) {
        *ret = &ZONE_UTC;
        return 0;
    }
    size_t place = 0;
    if (find(&ctx->zones, name, &place)) {
        look_again(ctx, ctx->zones.items[place]);
        *ret = &ctx->zones.items[place]->zone;
        return 0;
    }
    struct known_zone fresh = {.looked_ms = context_mono(ctx)};
    int rc = zone_check_name(name, err);
    if (!rc)
        rc = read_zone(name, &fresh, err);
    if (rc)
        return rc;
    const struct known_zone *known = keep(&ctx->zones, place, &fresh);
    if (!known) {
        zone_done(&fresh.zone);
        return error_nomem(err);
    }
    *ret = &known->zone;
    return 0;
}

int zones_bind(ctcd_context *ctx, struct schedule_spec *spec, ctcd_error **err) {
    if (spec->kind != SCHEDULE_CRON)
        return 0;
    if (!spec->cron.zone)
        return zones_get(ctx, spec->cron.zone_name, &spec->cron.zone, err);
    if (spec->cron.zone != &ZONE_UTC) /* it is the first member of its struct */
        look_again(ctx, (struct known_zone *)(uintptr_t)spec->cron.zone);
    return 0;
}

int zones_check(ctcd_context *ctx, struct schedule *schedule, ctcd_error **err) {
    int rc = zones_bind(ctx, &schedule->spec, err);
    return rc ? rc : schedule_check(schedule, err);
}

void zones_free(ctcd_context *ctx) {
    for (size_t i = 0; i < ctx->zones.count; i++) {
        zone_done(&ctx->zones.items[i]->zone);
        mem_free(ctx->zones.items[i]);
    }
    mem_free(ctx->zones.items);
    ctx->zones = (struct known_zones){0};
}
