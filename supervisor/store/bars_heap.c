/* SPDX-License-Identifier: MIT */
/* Bars on the heap, and the hash that they are kept under. */
#include "supervisor/store/bars_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the state as a plain struct */
#include <xxhash.h>

#include "supervisor/store/store.h"

int bars_heap_create(const char *symbol, uint32_t extra_n, const char *const *extra_names,
                     struct bars_heap **ret_heap)
{
    struct bars_heap *heap = calloc(1, sizeof *heap);
    if (!heap)
        return -ENOMEM;
    heap->extra_n = extra_n;
    heap->symbol = strdup(symbol);
    heap->extra_names = calloc(extra_n + 1, sizeof *heap->extra_names);
    heap->extra = calloc(extra_n + 1, sizeof *heap->extra);
    bool is_whole = heap->symbol && heap->extra_names && heap->extra;
    for (uint32_t i = 0; is_whole && i < extra_n; i++) {
        heap->extra_names[i] = strdup(extra_names[i]);
        is_whole = heap->extra_names[i] != NULL;
    }
    if (!is_whole || bars_heap_reserve(heap, 1) != 0) {
        bars_heap_destroy(heap);
        return -ENOMEM;
    }
    *ret_heap = heap;
    return 0;
}

static bool grow(void *pointer_to_pointer, uint32_t rows_n)
{
    void *old, *grown;
    memcpy(&old, pointer_to_pointer, sizeof old);
    grown = reallocarray(old, rows_n, 8);
    if (!grown)
        return false;
    memcpy(pointer_to_pointer, &grown, sizeof grown);
    return true;
}

int bars_heap_reserve(struct bars_heap *heap, uint32_t rows_n)
{
    if (rows_n <= heap->capacity)
        return 0;
    if (!grow(&heap->time_ns, rows_n))
        return -ENOMEM;
    for (unsigned i = 0; i < BARS_COLUMNS; i++)
        if (!grow(&heap->column[i], rows_n))
            return -ENOMEM;
    for (uint32_t i = 0; i < heap->extra_n; i++)
        if (!grow(&heap->extra[i], rows_n))
            return -ENOMEM;
    heap->capacity = rows_n;
    return 0;
}

int bars_heap_add_extra(struct bars_heap *heap, const char *name, double **ret_values)
{
    uint32_t n = heap->extra_n;
    double *values = calloc(heap->capacity, sizeof *values);
    char *copy = strdup(name);
    char **names = reallocarray(heap->extra_names, n + 1, sizeof *names);
    if (names)
        heap->extra_names = names;
    double **extra = reallocarray(heap->extra, n + 1, sizeof *extra);
    if (extra)
        heap->extra = extra;
    if (!values || !copy || !names || !extra) {
        free(values);
        free(copy);
        return -ENOMEM;
    }
    heap->extra_names[n] = copy;
    heap->extra[n] = values;
    heap->extra_n = n + 1;
    *ret_values = values;
    return 0;
}

void bars_heap_view(struct bars_heap *heap, uint32_t rows_n)
{
    heap->bars = (struct bars){
        .symbol = heap->symbol,
        .rows_n = rows_n,
        .time_ns = heap->time_ns,
        .open = heap->column[0],
        .high = heap->column[1],
        .low = heap->column[2],
        .close = heap->column[3],
        .volume = heap->column[4],
        .extra_n = heap->extra_n,
        .extra_names = (const char *const *)heap->extra_names,
        .extra = (const double *const *)heap->extra,
    };
}

void bars_heap_destroy(struct bars_heap *heap)
{
    if (!heap)
        return;
    for (uint32_t i = 0; i < heap->extra_n; i++) {
        if (heap->extra_names)
            free(heap->extra_names[i]);
        if (heap->extra)
            free(heap->extra[i]);
    }
    for (unsigned i = 0; i < BARS_COLUMNS; i++)
        free(heap->column[i]);
    free(heap->extra_names);
    free(heap->extra);
    free(heap->time_ns);
    free(heap->symbol);
    free(heap);
}

void bars_free(struct bars *bars)
{
    bars_heap_destroy((struct bars_heap *)bars); /* its first member */
}

/* NaN has many bit patterns and one meaning: "undefined" hashes and compares alike. */
static void hash_extra(XXH3_state_t *state, const double *values, uint32_t rows_n)
{
    double chunk[512];
    for (uint32_t at = 0; at < rows_n;) {
        uint32_t n = rows_n - at < 512 ? rows_n - at : 512;
        for (uint32_t i = 0; i < n; i++)
            chunk[i] = values[at + i] == values[at + i] ? values[at + i] : __builtin_nan("");
        XXH3_128bits_update(state, chunk, n * sizeof *chunk);
        at += n;
    }
}

void bars_hash(const struct bars *bars, uint64_t ret_hash[2])
{
    const double *columns[] = {bars->open, bars->high, bars->low, bars->close, bars->volume};
    uint32_t counts[2] = {bars->rows_n, bars->extra_n};
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    XXH3_128bits_update(&state, counts, sizeof counts);
    XXH3_128bits_update(&state, bars->time_ns, bars->rows_n * sizeof *bars->time_ns);
    for (unsigned i = 0; i < BARS_COLUMNS; i++)
        XXH3_128bits_update(&state, columns[i], bars->rows_n * sizeof *columns[i]);
    for (uint32_t i = 0; i < bars->extra_n; i++) {
        XXH3_128bits_update(&state, bars->extra_names[i], strlen(bars->extra_names[i]) + 1);
        hash_extra(&state, bars->extra[i], bars->rows_n);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    ret_hash[0] = hash.high64;
    ret_hash[1] = hash.low64;
}
