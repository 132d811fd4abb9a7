/* SPDX-License-Identifier: MIT */
/* One event, one line, one write(2): lines of several processes on one stderr do not mix. */
#include "proto/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES  2048
#define QUOTE_DEPTH 8
#define QUOTE_BYTES 256

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static enum log_level least_level = LOG_WARNING;
static char own_name[64] = "admf";

void log_init(const char *who)
{
    (void)snprintf(own_name, sizeof own_name, "%s", who);
    const char *wanted = getenv("ADMF_LOG");
    for (size_t i = 0; wanted && i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(wanted, level_names[i]) == 0)
            least_level = (enum log_level)i;
    }
}

static void write_all(const char *text, size_t n_bytes)
{
    while (n_bytes > 0) {
        ssize_t n = write(STDERR_FILENO, text, n_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody can be told that stderr is gone */
        text += n;
        n_bytes -= (size_t)n;
    }
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if (level < least_level || (unsigned)level > LOG_ERROR)
        return;

    char pairs[LINE_BYTES], line[LINE_BYTES], safe[LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(pairs, sizeof pairs, fmt, args) < 0)
        pairs[0] = '\0';
    va_end(args);
    (void)snprintf(line, sizeof line, "who=%s level=%s event=%s%s%s", log_quote(own_name),
                   level_names[level], event, pairs[0] ? " " : "", pairs);
    (void)err_printable(line, safe, sizeof safe - 1);
    size_t n = strlen(safe);
    safe[n++] = '\n';
    write_all(safe, n);
}

/* Quotes and backslashes inside are escaped; whoever cuts the text cuts whole escapes. */
static void quote_into(const char *text, char *out, size_t out_bytes)
{
    size_t at = 0;
    out[at++] = '"';
    for (; *text && at + 4 < out_bytes; text++) {
        if (*text == '"' || *text == '\\')
            out[at++] = '\\';
        out[at++] = *text;
    }
    out[at++] = '"';
    out[at] = '\0';
}

const char *log_quote(const char *value)
{
    static _Thread_local char ring[QUOTE_DEPTH][QUOTE_BYTES];
    static _Thread_local unsigned next;
    char *out = ring[next++ % QUOTE_DEPTH];
    char safe[QUOTE_BYTES];

    (void)err_printable(value, safe, sizeof safe);
    if (safe[0] && !strpbrk(safe, " =\"\\"))
        memcpy(out, safe, strlen(safe) + 1);
    else
        quote_into(safe, out, QUOTE_BYTES);
    return out;
}
