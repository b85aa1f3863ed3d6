/* The processes that were started from one home, whoever watches them: shims and what they started (see
   io/process.h). Called by who looks for processes that belong to nothing any more. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "io/process.h"

#define PROC_BYTES (1 << 20) /* an environment that is larger is not looked at any further */

void child_processes_done(struct child_processes *all) {
    for (size_t i = 0; i < all->count; i++) {
        mem_free(all->items[i].marker);
        mem_free(all->items[i].dir);
    }
    mem_free(all->items);
    *all = (struct child_processes){0};
}

/* What has gone meanwhile, or is another user's, is empty. */
static void read_proc(int proc, const char *pid, const char *name, struct buf *ret) {
    char path[64], bytes[4096];
    buf_clear(ret);
    (void)snprintf(path, sizeof path, "%s/%s", pid, name);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return;
    for (ssize_t n; ret->len < PROC_BYTES && (n = read(fd, bytes, sizeof bytes)) > 0;)
        buf_add_bytes(ret, bytes, (size_t)n);
    (void)close(fd);
}

/* The value after `key` ("NAME=") among NUL-terminated entries; NULL = there is none. */
static const char *entry_of(const struct buf *entries, const char *key) {
    for (size_t at = 0; entries->text && at < entries->len; at += strlen(entries->text + at) + 1)
        if (text_starts(entries->text + at, key))
            return entries->text + at + strlen(key);
    return NULL;
}

static bool is_within(const char *path, const char *folder) {
    size_t len = strlen(folder);
    return path && strncmp(path, folder, len) == 0 && path[len] == '/';
}

static bool works_in(int proc, const char *pid, const char *home) {
    char link[64], path[PATH_MAX];
    (void)snprintf(link, sizeof link, "%s/cwd", pid);
    ssize_t n = readlinkat(proc, link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return is_within(path, home);
}

/* A shim's words: [options] DIR GENERATION -- argv. */
static void read_shim(const struct buf *words, const char *home, struct child_process *ret) {
    const char *before = NULL;
    for (size_t at = 0; at < words->len; at += strlen(words->text + at) + 1) {
        const char *word = words->text + at;
        if (strcmp(word, "--") == 0)
            return;
        if (before && is_within(before, home) && text_to_int64(word, &ret->generation)) {
            ret->dir = mem_copy_text(before);
            return;
        }
        before = word;
    }
}

/* 0: it is one of the home; CTCD_NONE: it is not. */
static int look(int proc, const char *pid, const char *home, struct buf *text,
                struct child_process *ret) {
    read_proc(proc, pid, "environ", text);
    const char *marker = entry_of(text, CHILD_MARKER "=");
    const char *names = entry_of(text, "CTCD_HOME=");
    if (!marker || !marker[0])
        return text->failed ? CTCD_E_NOMEM : CTCD_NONE;
    bool ours = (names && strcmp(names, home) == 0) || works_in(proc, pid, home);
    ret->pid = (pid_t)atoi(pid);
    ret->marker = mem_copy_text(marker);
    read_proc(proc, pid, "comm", text);
    ret->shim = text->text && strncmp(text->text, "ctcd-shim", 9) == 0;
    read_proc(proc, pid, "cmdline", text);
    if (ret->shim && text->text)
        read_shim(text, home, ret);
    if (!ret->marker || text->failed)
        return CTCD_E_NOMEM;
    return ours || ret->dir ? 0 : CTCD_NONE;
}

static bool keep(struct child_processes *all, const struct child_process *one) {
    struct child_process *more = mem_resize(all->items, all->count + 1, sizeof *more);
    if (!more)
        return false;
    all->items = more;
    all->items[all->count++] = *one;
    return true;
}

int child_find(const char *home, struct child_processes *ret, ctcd_error **err) {
    return child_find_marked(home, NULL, ret, err);
}

int child_find_marked(const char *home, const char *marker, struct child_processes *ret,
                      ctcd_error **err) {
    DIR *folder = opendir("/proc");
    if (!folder)
        return error_system(err, errno, "/proc");
    _cleanup_(buf_done) struct buf text = {0};
    _cleanup_(child_processes_done) struct child_processes all = {0};
    int rc = 0;
    for (struct dirent *entry; !rc && (entry = readdir(folder));) {
        struct child_process one = {0};
        if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == (int)getpid())
            continue;
        rc = look(dirfd(folder), entry->d_name, home, &text, &one);
        bool wanted = !rc && (!marker || strcmp(one.marker, marker) == 0);
        if (wanted && keep(&all, &one))
            continue;
        if (!rc && !wanted)
            rc = CTCD_NONE;
        rc = rc == CTCD_NONE ? 0 : CTCD_E_NOMEM; /* what was wanted had no room */
        mem_free(one.marker);
        mem_free(one.dir);
    }
    (void)closedir(folder);
    if (rc)
        return error_nomem(err);
    *ret = all;
    all = (struct child_processes){0};
    return 0;
}
