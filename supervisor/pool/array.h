/* SPDX-License-Identifier: MIT */
/* Arrays that grow one element at a time. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* Makes room for element n of *array. 0, or -ENOMEM with all as it was. */
static inline int array_grow(void **array, size_t *capacity, size_t n, size_t each_bytes)
{
    if (n < *capacity)
        return 0;
    size_t more = *capacity ? *capacity * 2 : 64;
    void *bigger = realloc(*array, more * each_bytes);
    if (!bigger)
        return -ENOMEM;
    *array = bigger;
    *capacity = more;
    return 0;
}
