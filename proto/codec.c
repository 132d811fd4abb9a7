/* SPDX-License-Identifier: MIT */
/* Little-endian fields, one by one. */
#include "proto/codec.h"

#include <math.h>
#include <string.h>

static void wr_le(struct buf *b, uint64_t v, size_t n_bytes)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    buf_append(b, bytes, n_bytes);
}

void wr_u8(struct buf *b, uint8_t v)
{
    buf_append(b, &v, 1);
}

void wr_u16(struct buf *b, uint16_t v)
{
    wr_le(b, v, 2);
}

void wr_u32(struct buf *b, uint32_t v)
{
    wr_le(b, v, 4);
}

void wr_u64(struct buf *b, uint64_t v)
{
    wr_le(b, v, 8);
}

void wr_i64(struct buf *b, int64_t v)
{
    wr_le(b, (uint64_t)v, 8);
}

void wr_f64(struct buf *b, double v)
{
    uint64_t bits = UINT64_C(0x7ff8000000000000); /* one NaN, whatever instruction made it */
    if (v == v)
        memcpy(&bits, &v, sizeof bits);
    wr_le(b, bits, 8);
}

void wr_str(struct buf *b, const char *text)
{
    size_t n = strlen(text);
    if (n > UINT32_MAX) {
        b->failed = true;
        return;
    }
    wr_u32(b, (uint32_t)n);
    buf_append(b, text, n);
}

struct reader rd_of(const void *data, size_t n_bytes)
{
    static const uint8_t nothing[1];
    return (struct reader){.data = n_bytes > 0 ? data : nothing, .n_bytes = n_bytes};
}

/* The next n_bytes, or NULL and `bad`. */
static const uint8_t *take(struct reader *r, size_t n_bytes)
{
    if (r->bad || r->n_bytes - r->pos < n_bytes) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *at = r->data + r->pos;
    r->pos += n_bytes;
    return at;
}

uint8_t rd_u8(struct reader *r)
{
    const uint8_t *p = take(r, 1);
    return p ? p[0] : 0;
}

uint16_t rd_u16(struct reader *r)
{
    const uint8_t *p = take(r, 2);
    return p ? (uint16_t)(p[0] | p[1] << 8) : 0;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t rd_u32(struct reader *r)
{
    const uint8_t *p = take(r, 4);
    return p ? le32(p) : 0;
}

uint64_t rd_u64(struct reader *r)
{
    const uint8_t *p = take(r, 8);
    return p ? le32(p) | (uint64_t)le32(p + 4) << 32 : 0;
}

int64_t rd_i64(struct reader *r)
{
    return (int64_t)rd_u64(r);
}

double rd_f64(struct reader *r)
{
    uint64_t bits = rd_u64(r);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

uint8_t rd_enum(struct reader *r, unsigned values_n)
{
    uint8_t v = rd_u8(r);
    if (v >= values_n)
        r->bad = true;
    return v;
}

uint8_t rd_flag(struct reader *r)
{
    return rd_enum(r, 2);
}

double rd_finite(struct reader *r)
{
    double v = rd_f64(r);
    if (!isfinite(v))
        r->bad = true;
    return v;
}

double rd_not_negative(struct reader *r)
{
    double v = rd_finite(r);
    if (!(v >= 0))
        r->bad = true;
    return v;
}

double rd_finite_or_nan(struct reader *r)
{
    double v = rd_f64(r);
    if (isinf(v))
        r->bad = true;
    return v;
}

const char *rd_borrow_str(struct reader *r, size_t max_bytes, size_t *ret_bytes)
{
    uint32_t n = rd_u32(r);
    if (n > max_bytes)
        r->bad = true;
    const uint8_t *text = take(r, n);
    *ret_bytes = text ? n : 0;
    return text ? (const char *)text : "";
}

void rd_str(struct reader *r, char *out, size_t out_bytes)
{
    size_t n;
    const char *text = rd_borrow_str(r, out_bytes > 0 ? out_bytes - 1 : 0, &n);
    if (n > 0 && memchr(text, '\0', n)) {
        r->bad = true;
        n = 0;
    }
    if (out_bytes == 0)
        return;
    if (n > 0)
        memcpy(out, text, n);
    out[n] = '\0';
}

uint32_t rd_count(struct reader *r, uint32_t most, size_t each_bytes)
{
    uint32_t n = rd_u32(r);
    bool fits = each_bytes == 0 || n <= (r->n_bytes - r->pos) / each_bytes;
    if (n > most || !fits)
        r->bad = true;
    return r->bad ? 0 : n;
}

bool rd_done(const struct reader *r)
{
    return !r->bad && r->pos == r->n_bytes;
}
