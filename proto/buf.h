/* SPDX-License-Identifier: MIT */
/* A growable byte buffer: messages are encoded into it, texts are built in it.
 * After a failed allocation the buffer stays valid, keeps what it had and has `failed` set; the
 * caller tests it once at the end. `{0}` is an empty buffer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"

struct buf {
    char *data; /* always NUL-terminated once non-NULL; the NUL is not counted */
    size_t n_bytes;
    size_t capacity_bytes;
    bool failed;
};

void buf_append(struct buf *b, const void *bytes, size_t n_bytes);
void buf_puts(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *fmt, ...) ADMF_PRINTF(2, 3);
void buf_clear(struct buf *b); /* keeps the memory */
void buf_fini(struct buf *b);  /* accepts zeroed memory; leaves zeroed memory */
