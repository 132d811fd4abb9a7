/* SPDX-License-Identifier: MIT */
/* Running totals from within: running.c makes those of one period, running_family.c those of many.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "shm/indicator/running.h"

#define TILE       INDICATOR_TILE_ROWS
#define BLOCK_ROWS 256u /* rows that are looked at together, at least */
#define LARGE_BITS 10   /* what is a 1024th of the peak is large */

/* The peak below which a quotient may be subnormal: totals of an even block are 0 or at least 2^-62
 * of it. */
#define PEAK_LEAST 128

static inline int32_t running_exponent(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return (int32_t)(bits >> 52 & 0x7ff);
}

struct range {
    double least, greatest; /* of absolute values */
    bool is_good;           /* all finite and within RUNNING_VALUE_MAX */
};

void running_range(const double *x, uint32_t rows_n, struct range *ret_range);

/* Rows in the midst of a tile. */
struct chain {
    struct running s;
    const double *x;
    double *out;
};

/* What all chains of a call have in common. */
struct running_job {
    uint32_t n;
    bool is_mean;
};

static inline void chain_pass(struct chain *c, uint32_t rows_n)
{
    c->x += rows_n;
    c->out += rows_n;
}

static inline struct chain chain_at(const struct indicator_span *span, uint32_t row)
{
    uint32_t i = row - span->row;
    return (struct chain){.x = span->input[0] + i, .out = span->out[0] + i};
}

static inline uint32_t running_past_rows(const struct running_job *job, uint32_t row)
{
    return row < job->n - 1 ? row : job->n - 1;
}

/* At a tile's first row: adds the past_n rows before it up. */
void chain_start(struct chain *c, const struct running_job *job, uint32_t past_n);
/* The next rows_n rows of `chains_n` chains, 1 or 4 that lie a tile apart; no tile's end is between
 * them. */
void chain_make_rows(struct chain *c, uint32_t chains_n, const struct running_job *job,
                     uint32_t rows_n);
