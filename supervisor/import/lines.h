/* SPDX-License-Identifier: MIT */
/* Lines of a text file, one after another from a large buffer, and what can be told of their bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define LINE_BYTES_MAX (64u << 10)
#define LINES_E_END    1 /* there is no further line */

struct source;

struct line {
    const char *at; /* without its end; lives until the next one is read */
    size_t n_bytes;
    bool is_long; /* over LINE_BYTES_MAX: the rest is dropped */
};

struct lines {
    struct source *source;
    char *buffer;
    size_t start, end;
    bool is_eof;
    uint64_t line_n; /* of the line at hand, from 1 */
    char path[256];  /* printable */
};

/* "-" is standard input. */
int lines_open(const char *path, struct lines *ret_lines, struct err *err) ADMF_MUST_CHECK;
/* 0, LINES_E_END, or a negative errno. */
int lines_next(struct lines *lines, struct line *ret_line, struct err *err) ADMF_MUST_CHECK;
/* The first line that is not empty, without its byte order mark, in text that can be read. */
int lines_header(struct lines *lines, struct line *ret_line, struct err *err) ADMF_MUST_CHECK;
void lines_close(struct lines *lines); /* accepts zeroed memory */

bool line_is_empty(const struct line *line); /* blanks alone */
/* What is expected at byte *ret_at instead; NULL where all of it is UTF-8 without NUL bytes. */
const char *line_check(const struct line *line, size_t *ret_at);
/* The beginning of a field for a message: at most 48 bytes, printable. Returns out. */
const char *line_quote(const char *at, size_t n_bytes, char out[static 256]);
