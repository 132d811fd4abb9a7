/* SPDX-License-Identifier: MIT */
/* Whole files or none. */
#include "supervisor/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/cli/cli.h"

static int cannot(const char *path, struct err *err)
{
    char printable[512];
    return err_set_errno(err, ERR_CREATE, errno, "cannot create %s",
                         err_printable(path, printable, sizeof printable));
}

/* A device or a pipe is written to as it is. */
static int open_special(const char *path, struct output *o, struct err *err)
{
    o->file = fopen(path, "we");
    return o->file ? 0 : cannot(path, err);
}

static int open_temporary(const char *path, struct output *o, struct err *err)
{
    if (!realpath(path, o->target)) /* a link stays a link */
        snprintf(o->target, sizeof o->target, "%s", path);
    int n = snprintf(o->temporary, sizeof o->temporary, "%s.XXXXXX", o->target);
    if (n < 0 || (size_t)n >= sizeof o->temporary) {
        errno = ENAMETOOLONG;
        return cannot(path, err);
    }
    mode_t mask = umask(0);
    (void)umask(mask);
    int fd = mkostemp(o->temporary, O_CLOEXEC);
    if (fd < 0) {
        o->target[0] = '\0';
        return cannot(path, err);
    }
    (void)fchmod(fd, 0666 & ~mask); /* else it stays private, which harms nobody */
    o->file = fdopen(fd, "w");
    if (o->file)
        return 0;
    int rc = cannot(path, err);
    (void)close(fd);
    output_discard(o);
    return rc;
}

int output_open(const char *path, struct output *ret_output, struct err *err)
{
    struct output *o = ret_output;
    struct stat st;
    memset(o, 0, sizeof *o);
    if (!path || strcmp(path, "-") == 0) {
        o->file = stdout;
        return 0;
    }
    if (strlen(path) >= PATH_MAX - 8)
        return err_set(err, ERR_USAGE, "-o: the name of the file is too long");
    bool is_there = stat(path, &st) == 0;
    if (is_there && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return cannot(path, err);
    }
    return is_there && !S_ISREG(st.st_mode) ? open_special(path, o, err)
                                            : open_temporary(path, o, err);
}

int output_has_failed(const struct output *output)
{
    return output->file && ferror(output->file);
}

static int write_failed(struct output *o, int no, struct err *err)
{
    char printable[512] = "the output";
    if (o->target[0])
        err_printable(o->target, printable, sizeof printable);
    int rc =
        err_set_errno(err, ERR_IO, no ? no : EIO, "writing %s failed%s; make space and try again",
                      printable, o->target[0] ? ", and what was there before is unchanged" : "");
    output_discard(o);
    return rc;
}

int output_commit(struct output *o, struct err *err)
{
    if (o->file == stdout) {
        o->file = NULL;
        return cli_finish_stdout(err);
    }
    bool is_bad = ferror(o->file); /* errno is of the write that failed a moment ago */
    if (!is_bad) {
        errno = 0;
        is_bad = fflush(o->file) != 0;
    }
    if (!is_bad && o->target[0])
        is_bad = fsync(fileno(o->file)) != 0 && errno != EINVAL && errno != ENOSYS;
    int no = errno;
    if (fclose(o->file) != 0 && !is_bad) {
        is_bad = true;
        no = errno;
    }
    o->file = NULL;
    if (is_bad)
        return write_failed(o, no, err);
    if (o->target[0] && rename(o->temporary, o->target) != 0)
        return write_failed(o, errno, err);
    o->target[0] = '\0';
    return 0;
}

void output_discard(struct output *o)
{
    if (o->file && o->file != stdout)
        (void)fclose(o->file); /* its bytes are not wanted */
    if (o->target[0])
        (void)unlink(o->temporary);
    o->file = NULL;
    o->target[0] = '\0';
}
