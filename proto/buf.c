/* SPDX-License-Identifier: MIT */
/* A growable byte buffer. */
#include "proto/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_BYTES 64

/* Makes room for n_bytes more and a NUL. */
static bool reserve(struct buf *b, size_t n_bytes)
{
    if (b->failed)
        return false;
    if (b->data && b->capacity_bytes - b->n_bytes > n_bytes)
        return true;

    size_t capacity = b->capacity_bytes < SMALLEST_BYTES ? SMALLEST_BYTES : b->capacity_bytes;
    while (capacity - b->n_bytes <= n_bytes && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    char *data = capacity - b->n_bytes > n_bytes ? realloc(b->data, capacity) : NULL;
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity_bytes = capacity;
    return true;
}

void buf_append(struct buf *b, const void *bytes, size_t n_bytes)
{
    if (!reserve(b, n_bytes))
        return;
    if (n_bytes > 0)
        memcpy(b->data + b->n_bytes, bytes, n_bytes);
    b->n_bytes += n_bytes;
    b->data[b->n_bytes] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

/* Formats behind what is there; returns the bytes that the text takes, or -1. */
ADMF_PRINTF(2, 0)
static int print_into(struct buf *b, const char *fmt, va_list args)
{
    size_t room = b->capacity_bytes - b->n_bytes;
    int n = vsnprintf(b->data + b->n_bytes, room, fmt, args);
    if (n >= 0 && (size_t)n < room)
        b->n_bytes += (size_t)n;
    else
        b->data[b->n_bytes] = '\0';
    return n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    if (!reserve(b, SMALLEST_BYTES))
        return;

    size_t room = b->capacity_bytes - b->n_bytes;
    va_list args;
    va_start(args, fmt);
    int n = print_into(b, fmt, args);
    va_end(args);
    if (n < 0)
        b->failed = true;
    if (n < 0 || (size_t)n < room || !reserve(b, (size_t)n))
        return;

    va_start(args, fmt);
    (void)print_into(b, fmt, args); /* fits: it was measured above */
    va_end(args);
}

void buf_clear(struct buf *b)
{
    b->n_bytes = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
