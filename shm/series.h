/* SPDX-License-Identifier: MIT */
/* How the values of a series lie in memory. */
#pragma once

#include <stdint.h>

enum series_dtype {
    SERIES_F64,  /* double a row, NaN: undefined */
    SERIES_F32,  /* float a row, rounded to nearest */
    SERIES_BITS, /* a condition: row r is bit r % 64 of word r / 64, bits past the end are 0 */
};

/* Values of one series, borrowed. */
struct series_view {
    enum series_dtype dtype;
    const void *values; /* [rows of its clock] */
    /* First row that is not NaN; of a condition, the first at which every series below it is
     * defined. The number of rows if there is none. */
    uint32_t first_defined;
};

static inline uint64_t series_bytes(enum series_dtype dtype, uint32_t rows_n)
{
    switch (dtype) {
    case SERIES_F32:
        return (uint64_t)rows_n * sizeof(float);
    case SERIES_BITS:
        return ((uint64_t)rows_n + 63) / 64 * sizeof(uint64_t);
    default:
        return (uint64_t)rows_n * sizeof(double);
    }
}
