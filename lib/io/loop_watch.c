/* The watches of the event loop; see loop.h for their promises. Called from loop.c.

   Every registration in the kernel is one-shot. So a registration that outlived its descriptor number
   (a duplicate of the file lives on) fires once at most, is recognized by its generation, and is quiet
   ever after; persistent watches are armed again after they have run. */
#include "io/loop_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define ALWAYS ((uint32_t)(EPOLLERR | EPOLLHUP)) /* the kernel reports these unasked */
#define WANTED ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP))

/* All watches of one descriptor, since epoll takes a descriptor only once. Kept until the loop ends. */
struct station {
    struct list watches;
    uint32_t generation; /* of the latest registration */
    uint32_t armed;      /* what the kernel looks for now; 0 = it is quiet */
    bool known;          /* the kernel may have a (quiet) registration */
    int fd;
};

static struct station *station_at(const struct loop *loop, int fd) {
    return fd >= 0 && (size_t)fd < loop->station_room ? loop->stations[fd] : NULL;
}

static struct station *station_for(struct loop *loop, int fd) {
    size_t index = (size_t)fd;
    if (index >= loop->station_room) {
        size_t room = loop->station_room ? loop->station_room : 32;
        while (room <= index)
            room *= 2;
        struct station **more = mem_resize(loop->stations, room, sizeof *more);
        if (!more)
            return NULL;
        memset(more + loop->station_room, 0, (room - loop->station_room) * sizeof *more);
        loop->stations = more;
        loop->station_room = room;
    }
    if (!loop->stations[index]) {
        struct station *station = mem_alloc(sizeof *station);
        if (!station)
            return NULL;
        list_init(&station->watches);
        station->fd = fd;
        loop->stations[index] = station;
    }
    return loop->stations[index];
}

/* What the armed watches of a station want, together; 0 = nothing. */
static uint32_t station_wish(const struct station *station) {
    uint32_t wish = 0;
    for (struct list *at = station->watches.next; at != &station->watches; at = at->next) {
        const struct loop_watch *watch = list_of(at, struct loop_watch, node);
        if (watch->armed)
            wish |= watch->events | ALWAYS;
    }
    return wish;
}

static int register_events(struct loop *loop, struct station *station, int how, uint32_t events) {
    struct epoll_event event = {.events = events | EPOLLONESHOT};
    event.data.u64 = (uint64_t)station->generation << 32 | (uint32_t)station->fd;
    return epoll_ctl(loop->epoll, how, station->fd, &event);
}

/* Tells the kernel what the station wants now. `anew`: even if we believe that it knows, since the number
   may stand for another file meanwhile. Returns 0 or an errno. */
static int station_sync(struct loop *loop, struct station *station, bool anew) {
    uint32_t wish = station_wish(station);
    if (wish == station->armed && !anew)
        return 0;
    if (!wish) {
        /* ENOENT and EBADF are fine: the descriptor was closed. */
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, station->fd, &(struct epoll_event){0});
        station->known = false;
        station->armed = 0;
        return 0;
    }
    if (++loop->last_registration == 0)
        loop->last_registration = 1;
    station->generation = loop->last_registration;
    int rc = register_events(loop, station, station->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, wish);
    if (rc < 0 && errno == ENOENT) /* closed, and the number given out again */
        rc = register_events(loop, station, EPOLL_CTL_ADD, wish);
    else if (rc < 0 && errno == EEXIST)
        rc = register_events(loop, station, EPOLL_CTL_MOD, wish);
    station->known = rc == 0;
    station->armed = rc == 0 ? wish : 0;
    return rc == 0 ? 0 : errno;
}

/* A watch fired: its callback goes into the queue, and it leaves the station unless it is persistent. */
static void watch_fire(struct loop_watch *watch, uint32_t events) {
    watch->armed = false;
    watch->seen |= events;
    if (!(watch->flags & LOOP_PERSISTENT))
        list_remove(&watch->node);
    loop_post(watch->loop, &watch->task);
}

/* The kernel refused: every armed watch of the station is told, and over. */
static void station_lost(struct station *station) {
    struct list *next;
    for (struct list *at = station->watches.next; at != &station->watches; at = next) {
        struct loop_watch *watch = list_of(at, struct loop_watch, node);
        next = at->next;
        if (!watch->armed)
            continue;
        watch->flags &= ~LOOP_PERSISTENT;
        watch_fire(watch, ALWAYS);
    }
}

void loop_watches_ready(struct loop *loop, uint64_t what, uint32_t events) {
    struct station *station = station_at(loop, (int)(uint32_t)what);
    if (!station || station->generation != (uint32_t)(what >> 32))
        return;
    station->armed = 0; /* one-shot: the kernel is quiet now */
    struct list *next;
    for (struct list *at = station->watches.next; at != &station->watches; at = next) {
        struct loop_watch *watch = list_of(at, struct loop_watch, node);
        next = at->next;
        uint32_t mine = events & (watch->events | ALWAYS);
        if (watch->armed && mine)
            watch_fire(watch, mine);
    }
    if (station_wish(station) && station_sync(loop, station, true) != 0)
        station_lost(station);
}

/* The task of every watch. */
static void watch_run(struct loop_task *task) {
    struct loop_watch *watch = list_of(task, struct loop_watch, task);
    struct loop *loop = watch->loop;
    struct frame *frame = loop->top;
    uint32_t events = watch->seen;
    watch->seen = 0;
    if (!(watch->flags & LOOP_PERSISTENT)) {
        watch->loop = NULL;
        loop->watch_count--;
        watch->ready(watch, events); /* may free it, or add it again */
        return;
    }
    frame->running = watch;
    watch->ready(watch, events);
    watch = frame->running; /* NULL = it was removed */
    frame->running = NULL;
    if (!watch)
        return;
    watch->armed = true;
    struct station *station = station_at(loop, watch->fd);
    if (station_sync(loop, station, true) != 0)
        station_lost(station);
}

static int watch_refused(int os_errno, int fd, ctcd_error **err) {
    switch (os_errno) {
    case EBADF:
        return error_set(err, CTCD_E_INVALID, NULL, "%d is not an open descriptor", fd);
    case EPERM:
    case EINVAL:
    case ELOOP:
        return error_set(err, CTCD_E_INVALID, NULL, "descriptor %d cannot be waited for", fd);
    case ENOSPC:
        return error_set(err, CTCD_E_NO_SPACE, "raise /proc/sys/fs/epoll/max_user_watches",
                         "the system's limit of watched descriptors is reached");
    default:
        return error_system(err, os_errno, "watching descriptor %d", fd);
    }
}

int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
                   uint32_t flags, ctcd_error **err) {
    if (loop_forked(loop))
        return error_set(err, CTCD_E_FORKED, NULL, "the loop belongs to the parent process");
    if (fd < 0 || (events & ~WANTED) || watch->loop)
        return error_set(err, CTCD_E_INVALID, NULL, "descriptor %d cannot be waited for like that",
                         fd);
    struct station *station = station_for(loop, fd);
    if (!station)
        return error_nomem(err);
    watch->loop = loop;
    watch->fd = fd;
    watch->events = events;
    watch->flags = flags;
    watch->seen = 0;
    watch->armed = true;
    watch->task = (struct loop_task){.run = watch_run, .outer = flags & LOOP_OUTER};
    list_init(&watch->task.node);
    list_init(&watch->node);
    list_append(&station->watches, &watch->node);
    loop->watch_count++;
    int os_errno = station_sync(loop, station, true);
    if (os_errno == 0)
        return 0;
    list_remove(&watch->node);
    watch->loop = NULL;
    watch->armed = false;
    loop->watch_count--;
    return watch_refused(os_errno, fd, err);
}

void loop_watch_remove(struct loop_watch *watch) {
    struct loop *loop = watch->loop;
    if (!loop)
        return;
    watch->loop = NULL;
    watch->armed = false;
    list_remove(&watch->node);
    loop->watch_count--;
    for (struct frame *frame = loop->top; frame; frame = frame->up)
        if (frame->running == watch)
            frame->running = NULL;
    if (loop_forked(loop))
        return;
    loop_unpost(loop, &watch->task);
    struct station *station = station_at(loop, watch->fd);
    if (station_sync(loop, station, false) != 0)
        station_lost(station);
}

void loop_watches_drop(struct loop_task *task) {
    if (task->run == watch_run)
        list_of(task, struct loop_watch, task)->loop = NULL;
}

void loop_watches_done(struct loop *loop) {
    for (size_t i = 0; i < loop->station_room; i++) {
        struct station *station = loop->stations[i];
        while (station && !list_empty(&station->watches))
            list_of(list_pop(&station->watches), struct loop_watch, node)->loop = NULL;
        mem_free(station);
    }
    mem_free(loop->stations);
}
