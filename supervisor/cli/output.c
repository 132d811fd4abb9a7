/* SPDX-License-Identifier: MIT */
/* Whole files or none: a temporary file goes when its command fails, or a signal ends it. */
#include "supervisor/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
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

/* ---- signals -------------------------------------------------------------------------------- */

static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM};
#define ENDING_N (sizeof ending_signals / sizeof *ending_signals)

/* The temporary file that a signal removes. A program writes one at a time. */
static struct {
    char path[PATH_MAX];
    pid_t owner; /* children that are forked meanwhile leave it alone */
    struct sigaction before[ENDING_N];
} guarded;

static void on_ending_signal(int number)
{
    if (guarded.path[0] && getpid() == guarded.owner)
        (void)unlink(guarded.path); /* nothing can be told any more */
    _exit(128 + number);
}

static void ending_signals_block(sigset_t *ret_before)
{
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < ENDING_N; i++)
        sigaddset(&set, ending_signals[i]);
    (void)pthread_sigmask(SIG_BLOCK, &set, ret_before); /* cannot fail with these arguments */
}

/* Signals are blocked. One that is ignored (nohup) stays so. */
static void guard(const char *path)
{
    struct sigaction action;
    if (guarded.path[0])
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_ending_signal;
    sigfillset(&action.sa_mask);
    memcpy(guarded.path, path, strlen(path) + 1);
    guarded.owner = getpid();
    for (unsigned i = 0; i < ENDING_N; i++) {
        (void)sigaction(ending_signals[i], NULL, &guarded.before[i]);
        if (guarded.before[i].sa_handler != SIG_IGN)
            (void)sigaction(ending_signals[i], &action, NULL);
    }
}

static void unguard(const char *path)
{
    sigset_t before;
    if (!guarded.path[0] || strcmp(guarded.path, path) != 0)
        return;
    ending_signals_block(&before);
    for (unsigned i = 0; i < ENDING_N; i++)
        (void)sigaction(ending_signals[i], &guarded.before[i], NULL);
    guarded.path[0] = '\0';
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- files ---------------------------------------------------------------------------------- */

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
    sigset_t before;
    ending_signals_block(&before);
    int fd = mkostemp(o->temporary, O_CLOEXEC);
    int no = errno;
    if (fd >= 0)
        guard(o->temporary);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = no;
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
    unguard(o->temporary);
    o->target[0] = '\0';
    return 0;
}

void output_discard(struct output *o)
{
    if (o->file && o->file != stdout)
        (void)fclose(o->file); /* its bytes are not wanted */
    if (o->target[0]) {
        (void)unlink(o->temporary);
        unguard(o->temporary);
    }
    o->file = NULL;
    o->target[0] = '\0';
}
