/* SPDX-License-Identifier: MIT */
/* Memory of one container: taken piece by piece, given back all at once. After the first container
 * of a kind no further malloc happens, because the arena keeps one block of the size that was
 * needed. */
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *block; /* newest first */
    size_t total_bytes;        /* of all blocks */
};

/* 64-byte aligned, not cleared; NULL without memory. */
void *arena_take(struct arena *a, size_t n_bytes);
void *arena_take_zeroed(struct arena *a, size_t n_bytes);
/* Gives everything back to the arena, nothing to the system. */
void arena_reset(struct arena *a);
void arena_fini(struct arena *a); /* accepts zeroed memory */
