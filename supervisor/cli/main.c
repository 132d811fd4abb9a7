/* SPDX-License-Identifier: MIT */
/* From the command line to an exit code. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "proto/log.h"
#include "supervisor/cli/options.h"

/* A program started without descriptors 0 to 2 would otherwise give their numbers to its own files.
 * What stands in for standard output cannot be written: lost data is an error (EBADF), lost talk is
 * not. */
static bool fill_std_fds(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
            return false;
    }
    return true;
}

static int report(const struct err *err, const struct cli_command *command)
{
    fflush(stdout);
    bool colour = cli_may_colour(stderr);
    fprintf(stderr, "%sadmf: %s%s\n", colour ? "\033[31m" : "", err->text, colour ? "\033[0m" : "");
    if (err->kind == ERR_USAGE && command)
        fprintf(stderr, "admf help %s shows how it is used\n", command->name);
    else if (err->kind == ERR_USAGE)
        fputs("admf --help lists the commands\n", stderr);
    return err_exit_code(err->kind);
}

static int print_help_or_version(const struct cli_parsed *p)
{
    if (p->wants_version)
        puts("admf " ADMF_VERSION);
    else if (p->command)
        cli_print_command_help(stdout, p->command);
    else if (p->noun)
        cli_print_noun_help(stdout, p->noun);
    else
        cli_print_help(stdout);
    return 0;
}

static int dispatch(const struct cli_parsed *p, struct err *err)
{
    if (p->wants_help || p->wants_version)
        return print_help_or_version(p);
    if (p->command)
        return p->command->run(&p->args, err);
    cli_print_help(stderr);
    return err_exit_code(ERR_USAGE);
}

int cli_main(int argc, char **argv)
{
    static struct cli_parsed parsed;
    struct err err = {0};
    if (!fill_std_fds())
        return err_exit_code(ERR_SYSTEM);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ,
           SIG_IGN); /* a file at its limit (ulimit -f) is EFBIG, as a full disk is ENOSPC */
    log_init("admf");
    int rc = cli_parse(argc, (const char *const *)argv, &parsed, &err);
    if (rc == 0)
        rc = dispatch(&parsed, &err);
    if (rc < 0 && err.kind == ERR_NONE)
        err_set_errno(&err, ERR_BUG, -rc, "a command failed without a reason");
    if (err.kind != ERR_NONE)
        return rc > 0 ? (report(&err, parsed.command), rc) : report(&err, parsed.command);
    if (cli_finish_stdout(&err) < 0)
        return report(&err, NULL);
    return rc;
}
