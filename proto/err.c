/* SPDX-License-Identifier: MIT */
/* Errors for people: filling, prefixing, suggesting, and making foreign text safe to print. */
#include "proto/err.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SUGGEST_BYTES 96 /* longer names get no suggestion */

static const struct kind_row {
    const char *name;
    const char *meaning;
    const char *remedy;
    int exit_code;
    int errno_value;
} kind_rows[ERR_KINDS_N] = {
#define X(kind, code, no, name_, what, mend) {name_, what, mend, code, no},
    ERR_KINDS(X)
#undef X
};

static const struct kind_row *kind_row(enum err_kind kind)
{
    return &kind_rows[(unsigned)kind < ERR_KINDS_N ? kind : ERR_BUG];
}

/* Bytes of the valid UTF-8 sequence at `text`, 0 if there is none. */
static size_t utf8_bytes(const unsigned char *text)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = text[0] < 0x80   ? 1
               : text[0] < 0xc0 ? 0
               : text[0] < 0xe0 ? 2
               : text[0] < 0xf0 ? 3
               : text[0] < 0xf8 ? 4
                                : 0;
    if (n < 2)
        return n;

    uint32_t code = text[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < smallest[n] || code > 0x10ffff || is_surrogate ? 0 : n;
}

/* Characters that steer a terminal or reorder what stands around them. */
static bool is_control(const unsigned char *text, size_t n)
{
    if (n == 1)
        return text[0] < 0x20 || text[0] == 0x7f;
    if (n == 2)
        return text[0] == 0xc2 && text[1] < 0xa0;
    if (n == 3 && text[0] == 0xe2 && text[1] == 0x80)
        return text[2] == 0x8e || text[2] == 0x8f || (text[2] >= 0xa8 && text[2] <= 0xae);
    return n == 3 && text[0] == 0xe2 && text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9;
}

static void escape(const char *text, char *out, size_t out_bytes, bool keeps_newlines)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)text;
    size_t at = 0;

    while (*p) {
        size_t n = utf8_bytes(p);
        bool is_plain = n > 0 && (!is_control(p, n) || (*p == '\n' && keeps_newlines));
        size_t need = is_plain ? n : 4;
        if (at + need >= out_bytes)
            break;
        if (is_plain) {
            memcpy(out + at, p, n);
            p += n;
        } else {
            char code[4] = {'\\', 'x', hex[*p >> 4], hex[*p & 15]};
            memcpy(out + at, code, sizeof code);
            p++;
        }
        at += need;
    }
    if (out_bytes > 0)
        out[at] = '\0';
}

const char *err_printable(const char *text, char *out, size_t out_bytes)
{
    escape(text, out, out_bytes, false);
    return out;
}

/* Drops a UTF-8 sequence that a cut at the buffer's end has torn. */
static void trim_torn(char *text)
{
    size_t n = strlen(text);
    size_t back = 0;
    while (back < 3 && back < n && ((unsigned char)text[n - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back < n && (unsigned char)text[n - 1 - back] >= 0xc0 &&
        utf8_bytes((unsigned char *)text + n - 1 - back) == 0)
        text[n - 1 - back] = '\0';
}

ADMF_PRINTF(2, 0)
static void set_text(struct err *err, const char *fmt, va_list args)
{
    char text[sizeof err->text];
    int n = vsnprintf(text, sizeof text, fmt, args);
    if (n < 0)
        text[0] = '\0';
    if (n >= (int)sizeof text)
        trim_torn(text);
    for (size_t end = strlen(text); end > 0 && text[end - 1] == '\n'; end--)
        text[end - 1] = '\0';
    escape(text, err->text, sizeof err->text, true);
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        set_text(err, fmt, args);
        va_end(args);
        err->kind = kind;
    }
    return -kind_row(kind)->errno_value;
}

int err_set_errno(struct err *err, enum err_kind kind, int errno_value, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        set_text(err, fmt, args);
        va_end(args);
        err->kind = kind;

        char reason[128];
        size_t n = strlen(err->text);
        /* The GNU strerror_r: its answer may or may not stand in `reason`. */
        (void)snprintf(
            err->text + n, sizeof err->text - n, ": %s",
            strerror_r(errno_value < 0 ? -errno_value : errno_value, reason, sizeof reason));
    }
    return -kind_row(kind)->errno_value;
}

void err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err)
        return;

    struct err old = *err;
    va_list args;
    va_start(args, fmt);
    set_text(err, fmt, args);
    va_end(args);

    size_t n = strlen(err->text);
    (void)snprintf(err->text + n, sizeof err->text - n, ": %s", old.text);
    trim_torn(err->text);
}

const char *err_kind_name(enum err_kind kind)
{
    return kind_row(kind)->name;
}

int err_exit_code(enum err_kind kind)
{
    return kind_row(kind)->exit_code;
}

const char *err_kind_meaning(enum err_kind kind)
{
    return kind_row(kind)->meaning;
}

const char *err_kind_remedy(enum err_kind kind)
{
    return kind_row(kind)->remedy;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned min_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b; letter case is
 * free. Both are at most SUGGEST_BYTES long. */
static unsigned edit_distance(const char *a, size_t a_n, const char *b, size_t b_n)
{
    unsigned rows[3][SUGGEST_BYTES + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];

    for (unsigned j = 0; j <= b_n; j++)
        last[j] = j;
    for (unsigned i = 1; i <= a_n; i++) {
        now[0] = i;
        for (unsigned j = 1; j <= b_n; j++) {
            unsigned replaced = last[j - 1] + !same_letter(a[i - 1], b[j - 1]);
            now[j] = min_of(replaced, min_of(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]))
                now[j] = min_of(now[j], before[j - 2] + 1);
        }
        unsigned *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[b_n];
}

const char *err_suggest(const char *found, const char *const *names, size_t names_n)
{
    size_t found_n = strlen(found);
    const char *best = NULL;
    unsigned best_distance = UINT32_MAX;

    if (found_n == 0 || found_n > SUGGEST_BYTES)
        return NULL;
    for (size_t i = 0; i < names_n; i++) {
        size_t n = strlen(names[i]);
        size_t longer = n > found_n ? n : found_n;
        if (n == 0 || n > SUGGEST_BYTES)
            continue;
        unsigned limit = longer < 3 ? longer == 2 : (unsigned)(longer / 3);
        unsigned distance = edit_distance(found, found_n, names[i], n);
        if (distance <= limit && distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}
