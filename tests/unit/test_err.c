/* SPDX-License-Identifier: MIT */
/* The promise: what people are told, errors, names and log lines, is whole, safe to print, and made
 * from one table each. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/body.h"
#include "proto/log.h"
#include "proto/msg.h"
#include "proto/units.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- errors, tables, log -------------------------------------------------------------------- */

Test(err, carries_kind_text_and_errno)
{
    struct err err;
    cr_assert(err_set(&err, ERR_DATA, "%s:%d: bad", "f.csv", 3) == -EBADMSG);
    cr_assert(err.kind == ERR_DATA && strcmp(err.text, "f.csv:3: bad") == 0);
    cr_assert(err_exit_code(err.kind) == 65);
    err_prefix(&err, "SPX");
    cr_assert(strcmp(err.text, "SPX: f.csv:3: bad") == 0 && err.kind == ERR_DATA);
    cr_assert(err_set_errno(&err, ERR_CREATE, ENOENT, "cannot create %s", "x") == -EACCES);
    cr_assert(strcmp(err.text, "cannot create x: No such file or directory") == 0);
    cr_assert(err_set(&err, ERR_DATA, "found '%s'\n", "\x1b[31m") == -EBADMSG);
    cr_assert(strcmp(err.text, "found '\\x1b[31m'") == 0);
}

Test(err, long_text_is_cut_between_characters)
{
    struct err err;
    char text[1200];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "ä", 3);
    (void)err_set(&err, ERR_BUG, "x%s", text);
    size_t n = strlen(err.text);
    cr_assert(n > 1000 && n < sizeof err.text);
    cr_assert(!strstr(err.text, "\\x"), "a torn character is shown");
}

Test(err, every_kind_has_words_and_a_code)
{
    for (int kind = 0; kind < ERR_KINDS_N; kind++) {
        struct err err;
        int rc = err_set(&err, (enum err_kind)kind, "x");
        cr_assert((kind == ERR_NONE) == (rc == 0) && rc <= 0);
        cr_assert((kind == ERR_NONE) == (err_exit_code((enum err_kind)kind) == 0));
        cr_assert(err_kind_name((enum err_kind)kind)[0] &&
                  err_kind_meaning((enum err_kind)kind)[0]);
        cr_assert(err_kind_remedy((enum err_kind)kind)[0] != '\0');
    }
}

Test(err, suggests_the_name_that_was_meant)
{
    static const char *const names[] = {"slippage", "commission", "same_bar",
                                        "at_end",   "sma",        "ema"};
    static const struct {
        const char *found, *want;
    } rows[] = {
        {"slipage", "slippage"},
        {"comission", "commission"},
        {"SMA", "sma"},
        {"smaa", "sma"},
        {"sam_ebar", "same_bar"},
        {"at-end", "at_end"},
        {"leverage_limit", NULL},
        {"", NULL},
        {"x", NULL},
        {"same_bars", "same_bar"},
        {"eam", "ema"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *got = err_suggest(rows[i].found, names, COUNT_OF(names));
        cr_assert(rows[i].want ? got && strcmp(got, rows[i].want) == 0 : !got, "%s: %s",
                  rows[i].found, got ? got : "nothing");
    }
    cr_assert(err_suggest("sma", names, 0) == NULL);
    char longer[500];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert(err_suggest(longer, names, COUNT_OF(names)) == NULL);
}

Test(err, foreign_text_is_made_printable)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"plain", "plain"},
        {"größe €", "größe €"},
        {"a\nb\tc", "a\\x0ab\\x09c"},
        {"\x1b[2J", "\\x1b[2J"},
        {"\x7f", "\\x7f"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3", "\\xc3"},
        {"\xc0\xaf", "\\xc0\\xaf"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xc2\x9b", "\\xc2\\x9b"},
        {"a\xe2\x80\xae"
         "b",
         "a\\xe2\\x80\\xaeb"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
    };
    char out[64];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert(strcmp(err_printable(rows[i].text, out, sizeof out), rows[i].want) == 0, "%s",
                  out);
    cr_assert(strcmp(err_printable("abc\x01", out, 6), "abc") == 0, "an escape is cut: %s", out);
    cr_assert(strcmp(err_printable("abcdef", out, 4), "abc") == 0);
}

Test(tables, names_are_there_and_unique)
{
    for (int i = 0; i < METRIC_N; i++) {
        const struct metric_row *row = metric_row((enum metric)i);
        cr_assert(metric_find(row->name) == i, "%s stands twice", row->name);
        unsigned profiles_n = 0;
        for (int p = 0; p < PROFILE_N; p++)
            profiles_n += metric_is_of((enum metric)i, (enum metric_profile)p);
        cr_assert(profiles_n > 0 && row->undefined[0] && row->source, "%s", row->name);
    }
    cr_assert(metric_find("no_such") == -1 && metric_row(METRIC_N) == NULL);
    cr_assert(strcmp(metric_profile_name(PROFILE_BACKTESTING_PY), "backtesting.py") == 0);
    cr_assert(strcmp(status_name(STATUS_OUT_OF_MEMORY), "out_of_memory") == 0);
    cr_assert(strcmp(status_name(STATUS_N), "?") == 0);
    cr_assert(status_is_failure(STATUS_CRASHED) && !status_is_failure(STATUS_INVALID));
    cr_assert(strcmp(fill_rule_name(FILL_RULE_STOP_GAP), "stop_gap") == 0);
    cr_assert(strcmp(fill_rule_name(FILL_RULE_N), "?") == 0);
}

Test(log, event_is_one_line_of_safe_pairs)
{
    char line[1024] = "";
    int fds[2];
    cr_assert(pipe2(fds, O_NONBLOCK) == 0);
    int stderr_copy = dup(STDERR_FILENO);
    cr_assert(dup2(fds[1], STDERR_FILENO) >= 0);
    cr_assert(setenv("ADMF_LOG", "info", 1) == 0);
    log_init("worker 3");
    log_event(LOG_DEBUG, "unseen", "x=%d", 1);
    log_event(LOG_INFO, "started", "path=%s n=%d", log_quote("a \"b\"\n\x1b"), 7);
    log_event(LOG_ERROR, "bare", "%s", "");
    cr_assert(dup2(stderr_copy, STDERR_FILENO) >= 0);
    ssize_t n = read(fds[0], line, sizeof line - 1);
    cr_assert(n > 0);
    line[n] = '\0';
    cr_assert(strcmp(line, "who=\"worker 3\" level=info event=started "
                           "path=\"a \\\"b\\\"\\\\x0a\\\\x1b\" n=7\n"
                           "who=\"worker 3\" level=error event=bare\n") == 0,
              "%s", line);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        (void)close(fds[i]);
    (void)close(stderr_copy);
}

Test(log, values_are_quoted_where_they_need_it)
{
    char longer[1000];
    memset(longer, '"', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert(strcmp(log_quote("plain"), "plain") == 0);
    cr_assert(strcmp(log_quote(""), "\"\"") == 0);
    cr_assert(strcmp(log_quote("a=b"), "\"a=b\"") == 0);
    cr_assert(strlen(log_quote(longer)) < 256);
}

Test(spec, knows_what_a_symbol_may_be_called)
{
    static const char *const good[] = {"SPX", "^GSPC", "GC=F", "EUR/USD", "BRK.B", "a_b-c", "7"};
    static const char *const bad[] = {"", ".x", "=cmd", "-x", "a b", "a\n", "../x", "caf\xc3\xa9"};
    char longest[SPEC_NAME_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    longest[SPEC_NAME_BYTES] = '\0';
    cr_expect_not(spec_symbol_is_good(longest));
    cr_expect(spec_symbol_is_good(longest + 1));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(spec_symbol_is_good(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(spec_symbol_is_good(bad[i]), "%s", bad[i]);
}
