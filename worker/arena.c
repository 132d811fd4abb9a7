/* SPDX-License-Identifier: MIT */
/* Memory of one container. */
#include "worker/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN     64
#define ARENA_BLOCK_MIN ((size_t)64 << 10)

struct arena_block {
    struct arena_block *older;
    size_t capacity_bytes;
    size_t used_bytes;
    char pad[ARENA_ALIGN - 3 * sizeof(void *)];
    char data[];
};

static struct arena_block *block_create(size_t capacity_bytes)
{
    if (capacity_bytes > SIZE_MAX - sizeof(struct arena_block) - ARENA_ALIGN)
        return NULL;
    capacity_bytes = (capacity_bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct arena_block *b = aligned_alloc(ARENA_ALIGN, sizeof(struct arena_block) + capacity_bytes);
    if (!b)
        return NULL;
    *b = (struct arena_block){.capacity_bytes = capacity_bytes};
    return b;
}

static void blocks_free(struct arena *a)
{
    while (a->block) {
        struct arena_block *older = a->block->older;
        free(a->block);
        a->block = older;
    }
}

void *arena_take(struct arena *a, size_t n_bytes)
{
    if (n_bytes > SIZE_MAX / 2)
        return NULL;
    n_bytes = (n_bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct arena_block *b = a->block;
    if (!b || b->capacity_bytes - b->used_bytes < n_bytes) {
        size_t want = n_bytes > ARENA_BLOCK_MIN ? n_bytes : ARENA_BLOCK_MIN;
        b = block_create(want);
        if (!b)
            return NULL;
        b->older = a->block;
        a->block = b;
        a->total_bytes += b->capacity_bytes;
    }
    void *p = b->data + b->used_bytes;
    b->used_bytes += n_bytes;
    return p;
}

void *arena_take_zeroed(struct arena *a, size_t n_bytes)
{
    void *p = arena_take(a, n_bytes);
    if (p)
        memset(p, 0, n_bytes);
    return p;
}

void arena_reset(struct arena *a)
{
    if (a->block && a->block->older) { /* several blocks become one of their size */
        blocks_free(a);
        a->block = block_create(a->total_bytes);
        a->total_bytes = a->block ? a->block->capacity_bytes : 0;
    }
    if (a->block)
        a->block->used_bytes = 0;
}

void arena_fini(struct arena *a)
{
    blocks_free(a);
    a->total_bytes = 0;
}
