/* SPDX-License-Identifier: MIT */
/* A forked child whose death is an answer. Its text comes over a pipe; its last line says how it
 * went. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/store/child.h"

#define CHILD_SECONDS 600 /* a page cycle must not last for ever */

static void child_signals(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGALRM, SIGPIPE};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        (void)signal(fatal[i], SIG_DFL);
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none); /* a core of a looked-at store helps nobody */
    (void)alarm(CHILD_SECONDS);
}

static _Noreturn void child_main(child_fn fn, void *ctx, int fd)
{
    child_signals();
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        (void)dup2(null, STDERR_FILENO); /* assertions of libraries talk there */
    FILE *out = fdopen(fd, "w");
    if (!out)
        _exit(1);
    struct err err = {0};
    int rc = fn(ctx, out, &err);
    if (rc == 0)
        fputs("ok\n", out);
    else
        fprintf(out, "err %d %s\n", (int)err.kind, err.text);
    _exit(fflush(out) == 0 ? 0 : 1);
}

static void read_all(int fd, struct buf *text)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n > 0)
            buf_append(text, chunk, (size_t)n);
        else if (n == 0 || errno != EINTR)
            return;
    }
}

/* Takes the last line off and reads how it went from it. */
static void read_end(struct child_end *end, struct err *err)
{
    end->how = CHILD_DIED;
    if (end->text.n_bytes < 3 || end->text.data[end->text.n_bytes - 1] != '\n')
        return;
    end->text.data[--end->text.n_bytes] = '\0';
    char *line = strrchr(end->text.data, '\n');
    line = line ? line + 1 : end->text.data;
    end->text.n_bytes = (size_t)(line - end->text.data);
    int kind, used = 0;
    if (strcmp(line, "ok") == 0) {
        end->how = CHILD_OK;
    } else if (sscanf(line, "err %d %n", &kind, &used) == 1 && used > 0 && kind > 0 &&
               kind < ERR_KINDS_N) {
        end->how = CHILD_ERR;
        end->rc = err_set(err, (enum err_kind)kind, "%s", line + used);
    }
    *line = '\0';
}

int store_child(child_fn fn, void *ctx, struct child_end *ret_end, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid < 0) {
        int no = errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return err_set_errno(err, ERR_SYSTEM, no, "cannot fork a process that looks at the store");
    }
    if (pid == 0) {
        (void)close(ends[0]);
        child_main(fn, ctx, ends[1]);
    }
    (void)close(ends[1]);
    memset(ret_end, 0, sizeof *ret_end);
    read_all(ends[0], &ret_end->text);
    (void)close(ends[0]);
    while (waitpid(pid, &ret_end->exit_status, 0) < 0 && errno == EINTR)
        ;
    read_end(ret_end, err);
    return 0;
}
