/* SPDX-License-Identifier: MIT */
/* What the builder and the reader of a plane must agree on beyond its layout. */
#pragma once

#include <fcntl.h>
#include <xxhash.h>

#include "shm/layout.h"

#define PLANE_SEALS    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define PLANE_ROWS_MAX (INT32_MAX - 1) /* rows are told apart from -1 in an int32_t */

static inline uint32_t plane_first_defined(const double *values, uint32_t rows_n)
{
    uint32_t row = 0;
    while (row < rows_n && values[row] != values[row])
        row++;
    return row;
}

static inline uint64_t plane_header_checksum(const struct plane_header *h)
{
    return XXH3_64bits(h, offsetof(struct plane_header, header_checksum));
}

static inline uint64_t plane_tables_checksum(const uint8_t *base, const struct plane_header *h)
{
    return XXH3_64bits(base + h->symbols_off, h->columns_off - h->symbols_off);
}
