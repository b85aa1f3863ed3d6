/* The lock and the start record of a child's folder. Called by the shim and by process_*.c. */
#include "io/alive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int alive_boot(char ret[ALIVE_BOOT_SIZE]) {
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t n = read(fd, ret, ALIVE_BOOT_SIZE - 1);
    int failed = n < 0 ? errno : n != ALIVE_BOOT_SIZE - 1 ? EIO : 0;
    (void)close(fd);
    ret[ALIVE_BOOT_SIZE - 1] = '\0';
    return failed;
}

/* Only whole lines count, so that a number is never cut short. */
static void read_line(const char *line, struct alive *ret) {
    long long number = 0, pid = 0, started = 0;
    char boot[ALIVE_BOOT_SIZE] = "";
    if (sscanf(line, "fence %18lld", &number) == 1 && number > 0) {
        ret->fence = number > ret->fence ? number : ret->fence;
        return;
    }
    int found = sscanf(line, "%19lld %36[0-9a-fA-F-] %18lld %18lld", &number, boot, &pid, &started);
    if (ret->generation || found < 2 || number <= 0 || strlen(boot) != ALIVE_BOOT_SIZE - 1)
        return;
    ret->generation = number;
    memcpy(ret->boot, boot, sizeof boot);
    if (found == 4) {
        ret->pid = pid;
        ret->started_ms = started;
    }
}

int alive_read(int fd, struct alive *ret) {
    char text[512];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n < 0)
        return errno;
    text[n] = '\0';
    memset(ret, 0, sizeof *ret);
    char *end;
    for (char *line = text; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        read_line(line, ret);
    }
    return 0;
}

/* One write, then the rest is cut off: whoever reads between the two finds a new first line, and at
   worst a fence that is older than it. */
int alive_write(int fd, const struct alive *alive) {
    char text[256];
    int n = 0;
    if (alive->generation && alive->pid)
        n = snprintf(text, sizeof text, "%lld %s %lld %lld\n", (long long)alive->generation,
                     alive->boot, (long long)alive->pid, (long long)alive->started_ms);
    else if (alive->generation)
        n = snprintf(text, sizeof text, "%lld %s\n", (long long)alive->generation, alive->boot);
    if (alive->fence)
        n += snprintf(text + n, sizeof text - (size_t)n, "fence %lld\n", (long long)alive->fence);
    ssize_t written = pwrite(fd, text, (size_t)n, 0);
    if (written != n)
        return written < 0 ? errno : ENOSPC;
    return ftruncate(fd, n) == 0 ? 0 : errno;
}

int alive_ask(int fd, struct alive_holder *ret) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_GETLK, &lock) != 0)
        return errno;
    memset(ret, 0, sizeof *ret);
    if (lock.l_type == F_UNLCK)
        return 0;
    ret->fencing = lock.l_pid == -1; /* an OFD lock has no owner */
    ret->held = !ret->fencing;
    ret->pid = ret->held ? lock.l_pid : 0;
    ret->generation = ret->held && lock.l_len > 1 ? lock.l_len - 1 : 0;
    return 0;
}
