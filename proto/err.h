/* SPDX-License-Identifier: MIT */
/* A user's error: one kind, one sentence that says what, where and how to mend it.
 *
 * Functions that can fail for a reason a person must read take `struct err *err` last, return 0
 * when all is well and a negative errno otherwise, and fill `err` exactly once, where the reason is
 * known. Libraries never print; a program prints `err.text` and exits with err_exit_code(err.kind).
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define ADMF_MUST_CHECK                __attribute__((warn_unused_result))
#define ADMF_PRINTF(fmt_idx, args_idx) __attribute__((format(printf, fmt_idx, args_idx)))

/* kind, exit code, errno returned, name, what it means, what mends it */
#define ERR_KINDS(X)                                                                               \
    X(NONE, 0, 0, "none", "no error", "nothing to do")                                             \
    X(COMBINATIONS, 1, ECANCELED, "combinations", "the run ended, some combinations failed",       \
      "admf export RUN --what faults names each one and its reason")                               \
    X(USAGE, 2, EINVAL, "usage", "the command line is wrong", "admf COMMAND --help")               \
    X(DATA, 65, EBADMSG, "data", "a file or a store holds bytes that are not what they claim",     \
      "the message names file, line and column, or the store's key")                               \
    X(NO_INPUT, 66, ENOENT, "no_input", "a file, symbol or run that was named does not exist",     \
      "admf data list and admf runs show what there is")                                           \
    X(BUG, 70, EPROTO, "bug", "a bug of ours", "please report it with the command and its output") \
    X(SYSTEM, 71, ENOSYS, "system", "the operating system refused a resource",                     \
      "admf doctor shows what is available")                                                       \
    X(CREATE, 73, EACCES, "create", "an output file or directory cannot be created",               \
      "check the path and its permissions")                                                        \
    X(IO, 74, EIO, "io", "reading or writing failed; what was committed before is kept",           \
      "make space, then resume")                                                                   \
    X(BUSY, 75, EBUSY, "busy", "another process owns the store", "wait for it, or name another")   \
    X(CONFIG, 78, EDOM, "config", "the configuration is wrong",                                    \
      "the message names line and column; admf plan CONFIG checks without running")                \
    X(INTERRUPTED, 130, EINTR, "interrupted", "a signal asked the run to stop",                    \
      "admf run CONFIG --resume RUN goes on where it stopped")

enum err_kind {
#define X(kind, code, no, name, what, mend) ERR_##kind,
    ERR_KINDS(X)
#undef X
        ERR_KINDS_N
};

struct err {
    enum err_kind kind;
    char text[1024]; /* UTF-8, no trailing newline; control characters of input are escaped */
};

/* Fills *err and returns the kind's negative errno, so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) ADMF_PRINTF(3, 4);
/* As err_set with `: strerror(errno_value)` behind the text. */
int err_set_errno(struct err *err, enum err_kind kind, int errno_value, const char *fmt, ...)
    ADMF_PRINTF(4, 5);
/* Puts "prefix: " before the text that is there. */
void err_prefix(struct err *err, const char *fmt, ...) ADMF_PRINTF(2, 3);

const char *err_kind_name(enum err_kind kind);
int err_exit_code(enum err_kind kind);
const char *err_kind_meaning(enum err_kind kind);
const char *err_kind_remedy(enum err_kind kind);

/* Closest of names[0..names_n) to `found` within a third of its length by edit distance; NULL if
 * none. For "did you mean". */
const char *err_suggest(const char *found, const char *const *names, size_t names_n);

/* Copies `text` into out with control characters and invalid UTF-8 as \xNN, cut at out_bytes.
 * Everything a file or a user named goes through it before it reaches a terminal. */
const char *err_printable(const char *text, char *out, size_t out_bytes);
