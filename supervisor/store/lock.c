/* SPDX-License-Identifier: MIT */
/* The writer's lock: an OFD lock on DIR/lock, which ends with its process whatever kills it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/store/internal.h"

static int busy(const char *dir, int fd, struct err *err)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid <= 0)
        return err_set(err, ERR_BUSY, "store %s is in use by another process; wait for it to end",
                       dir);
    return err_set(err, ERR_BUSY,
                   "store %s is in use by process %ld; wait for it to end, or name another store "
                   "with --store",
                   dir, pid);
}

static int write_pid(const char *path, int fd, struct err *err)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return err_set_errno(err, ERR_IO, errno, "cannot write %s; make space", path);
    return 0;
}

int store_lock(const char *dir, int *ret_fd, struct err *err)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_CREATE, errno, "cannot open %s", path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rc = 0;
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            rc = busy(dir, fd, err);
        else
            rc = err_set_errno(err, ERR_SYSTEM, errno, "cannot lock %s", path);
    }
    if (rc == 0)
        rc = write_pid(path, fd, err);
    if (rc != 0) {
        (void)close(fd); /* nothing was written through it that matters */
        return rc;
    }
    *ret_fd = fd;
    return 0;
}
