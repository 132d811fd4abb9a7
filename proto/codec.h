/* SPDX-License-Identifier: MIT */
/* Fixed little-endian layouts, written and read field by field.
 *
 * Encoding appends to a struct buf. Decoding walks a struct reader; a read past the end, or of a
 * string that is longer than allowed, sets `bad` and gives zero, so that a decoder is straight code
 * with one test at its end: `return rd_done(&r) ? 0 : -EBADMSG`. Nothing is aligned or padded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"

void wr_u8(struct buf *b, uint8_t v);
void wr_u16(struct buf *b, uint16_t v);
void wr_u32(struct buf *b, uint32_t v);
void wr_u64(struct buf *b, uint64_t v);
void wr_i64(struct buf *b, int64_t v);
void wr_f64(struct buf *b, double v); /* every NaN as the same bytes */
/* u32 length, then the bytes without a NUL. */
void wr_str(struct buf *b, const char *text);

struct reader {
    const uint8_t *data;
    size_t n_bytes;
    size_t pos;
    bool bad;
};

struct reader rd_of(const void *data, size_t n_bytes);
uint8_t rd_u8(struct reader *r);
uint16_t rd_u16(struct reader *r);
uint32_t rd_u32(struct reader *r);
uint64_t rd_u64(struct reader *r);
int64_t rd_i64(struct reader *r);
double rd_f64(struct reader *r);
/* As above, and bad where the value is not one of those that are meant. */
uint8_t rd_enum(struct reader *r, unsigned values_n); /* 0 to values_n - 1 */
uint8_t rd_flag(struct reader *r);                    /* 0 or 1 */
double rd_finite(struct reader *r);
double rd_not_negative(struct reader *r); /* finite and >= 0 */
double rd_finite_or_nan(struct reader *r);
/* Copies a string of fewer than out_bytes bytes and without NULs into out. */
void rd_str(struct reader *r, char *out, size_t out_bytes);
/* Borrows a string of at most max_bytes bytes inside the reader's data; *ret_bytes its length. */
const char *rd_borrow_str(struct reader *r, size_t max_bytes, size_t *ret_bytes);
/* A count that must be at most `most` and for which at least `each_bytes` bytes each are left. */
uint32_t rd_count(struct reader *r, uint32_t most, size_t each_bytes);
/* True when nothing was bad and every byte was read. */
bool rd_done(const struct reader *r);
