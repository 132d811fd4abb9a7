/* SPDX-License-Identifier: MIT */
/* Lines from a large buffer: no allocation for a line. */
#include "supervisor/import/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/import/source.h"

#define BUFFER_BYTES (1u << 20)

/* ---- the file ------------------------------------------------------------------------------- */

int lines_open(const char *path, struct lines *ret_lines, struct err *err)
{
    struct lines *l = ret_lines;
    *l = (struct lines){.buffer = malloc(BUFFER_BYTES)};
    if (!l->buffer)
        return err_set(err, ERR_SYSTEM, "out of memory");
    if (strcmp(path, "-") == 0)
        snprintf(l->path, sizeof l->path, "standard input");
    else
        err_printable(path, l->path, sizeof l->path);
    int rc = source_open(path, &l->source, err);
    if (rc != 0) {
        l->source = NULL;
        lines_close(l);
    }
    return rc;
}

void lines_close(struct lines *lines)
{
    source_close(lines->source);
    free(lines->buffer);
    *lines = (struct lines){0};
}

/* ---- lines ---------------------------------------------------------------------------------- */

static int refill(struct lines *l, struct err *err)
{
    size_t n = 0;
    memmove(l->buffer, l->buffer + l->start, l->end - l->start);
    l->end -= l->start;
    l->start = 0;
    int rc = source_read(l->source, l->buffer + l->end, BUFFER_BYTES - l->end, &n, err);
    if (rc == 0) {
        l->end += n;
        l->is_eof = n == 0;
    }
    return rc;
}

static void line_take(struct lines *l, size_t n_bytes, bool has_newline, struct line *line)
{
    line->at = l->buffer + l->start;
    line->n_bytes = n_bytes;
    l->start += n_bytes + has_newline;
    if (line->n_bytes > 0 && line->at[line->n_bytes - 1] == '\r')
        line->n_bytes--;
    line->is_long = line->is_long || line->n_bytes > LINE_BYTES_MAX;
}

int lines_next(struct lines *l, struct line *ret_line, struct err *err)
{
    size_t looked = 0; /* bytes from start that hold no newline */
    ret_line->is_long = false;
    l->line_n++;
    for (;;) {
        char *from = l->buffer + l->start + looked;
        char *newline = memchr(from, '\n', l->end - l->start - looked);
        if (newline) {
            line_take(l, (size_t)(newline - l->buffer) - l->start, true, ret_line);
            return 0;
        }
        looked = l->end - l->start;
        if (l->is_eof && looked == 0 && !ret_line->is_long)
            return LINES_E_END;
        if (l->is_eof) {
            line_take(l, looked, false, ret_line);
            return 0;
        }
        if (looked > LINE_BYTES_MAX) {
            ret_line->is_long = true;
            l->start = l->end; /* what does not fit is not kept */
            looked = 0;
        }
        int rc = refill(l, err);
        if (rc != 0)
            return rc;
    }
}

bool line_is_empty(const struct line *line)
{
    size_t i = 0;
    while (i < line->n_bytes && (line->at[i] == ' ' || line->at[i] == '\t'))
        i++;
    return i == line->n_bytes && !line->is_long;
}

static int header_check(const struct lines *l, struct line *line, struct err *err)
{
    size_t at = 0;
    char found[256];
    if (line->n_bytes >= 3 && memcmp(line->at, "\xef\xbb\xbf", 3) == 0) {
        line->at += 3;
        line->n_bytes -= 3;
    }
    if (line->n_bytes >= 2 &&
        (memcmp(line->at, "\xff\xfe", 2) == 0 || memcmp(line->at, "\xfe\xff", 2) == 0))
        return err_set(err, ERR_DATA, "%s:1:1: found UTF-16, expected UTF-8; save it as UTF-8",
                       l->path);
    if (line->is_long)
        return err_set(err, ERR_DATA, "%s:%" PRIu64 ": the header is longer than %u bytes", l->path,
                       l->line_n, LINE_BYTES_MAX);
    const char *expected = line_check(line, &at);
    if (!expected)
        return 0;
    return err_set(err, ERR_DATA, "%s:%" PRIu64 ":%zu: found \"%s\", expected %s", l->path,
                   l->line_n, at + 1, line_quote(line->at + at, 1, found), expected);
}

int lines_header(struct lines *l, struct line *ret_line, struct err *err)
{
    int rc;
    do
        rc = lines_next(l, ret_line, err);
    while (rc == 0 && line_is_empty(ret_line));
    return rc == 0 ? header_check(l, ret_line, err) : rc;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at p; 0: none. */
static size_t utf8_bytes(const uint8_t *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n == 0 || p[0] > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool is_overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool is_beyond = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return is_overlong || is_beyond ? 0 : n;
}

static bool is_plain(const char *at, size_t n_bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t bad = 0, word;
    for (; n_bytes >= 8; at += 8, n_bytes -= 8) {
        memcpy(&word, at, 8);
        bad |= (word | (word - ones)) & highs; /* a high bit, or a zero byte */
    }
    for (; n_bytes > 0; at++, n_bytes--)
        bad |= (signed char)*at <= 0;
    return bad == 0;
}

const char *line_check(const struct line *line, size_t *ret_at)
{
    if (is_plain(line->at, line->n_bytes))
        return NULL;
    for (size_t i = 0, n; i < line->n_bytes; i += n) {
        const uint8_t *p = (const uint8_t *)line->at + i;
        n = utf8_bytes(p, line->n_bytes - i);
        *ret_at = i;
        if (n == 0)
            return "text in UTF-8";
        if (*p == 0)
            return "text without NUL bytes";
    }
    return NULL;
}

const char *line_quote(const char *at, size_t n_bytes, char out[static 256])
{
    char text[64];
    size_t n = n_bytes < 48 ? n_bytes : 48;
    memcpy(text, at, n);
    text[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\0')
            text[i] = '\x01'; /* shown as an escape, as a NUL cannot be */
    return err_printable(text, out, 256);
}
