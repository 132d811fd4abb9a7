/* SPDX-License-Identifier: MIT */
/* Bars on the heap while they are filled: what csv_read and store_get_bars make, and bars_free
 * frees. */
#pragma once

#include "proto/err.h"
#include "shm/plane.h"

#define BARS_COLUMNS   5 /* open high low close volume */
#define BARS_EXTRA_MAX 1024
#define BARS_ROWS_MAX  (UINT32_C(1) << 31)

struct bars_heap {
    struct bars
        bars; /* first member: a pointer to it is a pointer to all; valid after bars_heap_view */
    char *symbol;
    int64_t *time_ns;
    double *column[BARS_COLUMNS];
    uint32_t extra_n;
    char **extra_names;
    double **extra;
    uint32_t capacity;
};

/* Without rows. 0 or -ENOMEM. The names are copied. */
int bars_heap_create(const char *symbol, uint32_t extra_n, const char *const *extra_names,
                     struct bars_heap **ret_heap) ADMF_MUST_CHECK;
/* Room for at least rows_n rows; what was there stays. 0 or -ENOMEM. */
int bars_heap_reserve(struct bars_heap *heap, uint32_t rows_n) ADMF_MUST_CHECK;
/* One more further column, its values left to the caller, who makes the view anew. 0 or -ENOMEM. */
int bars_heap_add_extra(struct bars_heap *heap, const char *name,
                        double **ret_values) ADMF_MUST_CHECK;
/* Makes heap->bars a view of the first rows_n rows. */
void bars_heap_view(struct bars_heap *heap, uint32_t rows_n);
void bars_heap_destroy(struct bars_heap *heap); /* accepts NULL */
