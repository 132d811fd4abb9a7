/* SPDX-License-Identifier: MIT */
/* What a reader checks before it believes a plane: seals first (only a file that cannot shrink may
 * be mapped without fear of SIGBUS), then size, checksums, and every offset, count and order that
 * code behind plane_open() relies on. Each check returns NULL, or what is wrong. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/spec.h"
#include "shm/plane_internal.h"

const char *plane_check_file(int fd, uint64_t *size_bytes)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    int still = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (seals < 0 || (seals & still) != still || !(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
        return "it is not sealed";
    if (fstat(fd, &st) < 0 || st.st_size <= 0)
        return "it is empty";
    if (*size_bytes == 0)
        *size_bytes = (uint64_t)st.st_size;
    return *size_bytes == (uint64_t)st.st_size ? NULL : "its size is not what the header says";
}

static bool lies_within(uint64_t off, uint64_t n, uint64_t each_bytes, uint64_t from, uint64_t to)
{
    uint64_t bytes, end;
    return off % SHM_ALIGN == 0 && off >= from && !__builtin_mul_overflow(n, each_bytes, &bytes) &&
           !__builtin_add_overflow(off, bytes, &end) && end <= to;
}

static bool is_column(const struct plane_header *h, uint64_t off, uint64_t n, uint64_t each_bytes)
{
    return lies_within(off, n, each_bytes, h->columns_off, h->size_bytes);
}

/* ---- header and tables ---------------------------------------------------------------------- */

static bool counts_are_possible(const struct plane_header *h)
{
    return h->symbols_n > 0 && h->symbols_n <= SPEC_SYMBOLS_MAX && h->traded_n > 0 &&
           h->traded_n <= h->symbols_n && h->clocks_n >= h->symbols_n &&
           h->clocks_n - h->symbols_n <= PLANE_CLOCKS_MAX && h->steps_n <= PLANE_ROWS_MAX &&
           h->first_step <= h->steps_n && h->extents_n <= PLANE_EXTENTS_MAX &&
           h->extent_bytes % SHM_ALIGN == 0 && (h->extents_n == 0 || h->extent_bytes > 0);
}

static bool tables_lie_within(const struct plane_header *h, uint64_t size_bytes)
{
    uint64_t live_bytes;
    return lies_within(h->symbols_off, h->symbols_n, sizeof(struct plane_symbol), sizeof *h,
                       h->clocks_off) &&
           lies_within(h->clocks_off, h->clocks_n, sizeof(struct plane_clock), h->symbols_off,
                       h->alignments_off) &&
           lies_within(h->alignments_off, h->alignments_n, sizeof(struct plane_alignment),
                       h->clocks_off, h->series_off) &&
           lies_within(h->series_off, h->series_n, sizeof(struct plane_series), h->alignments_off,
                       h->names_off) &&
           lies_within(h->names_off, 0, 1, h->series_off, h->live_off) &&
           !__builtin_add_overflow(sizeof(struct plane_live),
                                   h->series_n * sizeof(struct plane_place), &live_bytes) &&
           lies_within(h->live_off, live_bytes, 1, h->names_off, h->columns_off) &&
           lies_within(h->columns_off, 0, 1, h->live_off, size_bytes) &&
           lies_within(h->merged_off, h->steps_n, sizeof(int64_t), h->columns_off, size_bytes);
}

static const char *check_header(const struct plane_header *h, uint64_t size_bytes)
{
    if (h->magic != PLANE_MAGIC)
        return "it is no data plane";
    if (h->version != SHM_LAYOUT_VERSION)
        return "it has another layout version";
    if (h->header_checksum != plane_header_checksum(h))
        return "its header is damaged";
    if (h->size_bytes != size_bytes)
        return "its size is not what its header says";
    if (!counts_are_possible(h))
        return "its header counts what cannot be";
    return tables_lie_within(h, size_bytes) ? NULL : "its header points outside of it";
}

/* The checksummed tables, and nothing but zeros between header and tables. */
static const char *check_tables(const uint8_t *base, const struct plane_header *h)
{
    for (uint64_t i = sizeof *h; i < h->symbols_off; i++) {
        if (base[i] != 0)
            return "its header is damaged";
    }
    return h->tables_checksum == plane_tables_checksum(base, h) ? NULL : "its tables are damaged";
}

static bool is_name(const uint8_t *base, const struct plane_header *h, uint64_t off)
{
    return off >= h->names_off && off < h->live_off && memchr(base + off, '\0', h->live_off - off);
}

/* ---- clocks --------------------------------------------------------------------------------- */

static bool ascends(const int64_t *time, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        if (time[i] <= time[i - 1])
            return false;
    }
    return true;
}

static const char *check_clock(const uint8_t *base, const struct plane_header *h, uint32_t i)
{
    const struct plane_clock *c = (const struct plane_clock *)(base + h->clocks_off) + i;
    const uint64_t columns[] = {c->time_off, c->open_off,  c->high_off,
                                c->low_off,  c->close_off, c->volume_off};
    bool is_own = i < h->symbols_n;

    if (c->symbol_idx >= h->symbols_n || (is_own && c->symbol_idx != i) ||
        is_own != (c->timeframe_unit == TIMEFRAME_OWN) || c->timeframe_unit > TIMEFRAME_MONTH ||
        c->rows_n > PLANE_ROWS_MAX)
        return "a clock of it is malformed";
    for (size_t k = 0; k < sizeof columns / sizeof columns[0]; k++) {
        if (!is_column(h, columns[k], c->rows_n, sizeof(double)))
            return "a symbol's column lies outside of it";
    }
    return ascends((const int64_t *)(base + c->time_off), c->rows_n)
               ? NULL
               : "a clock of it does not ascend";
}

/* Every row stands at exactly one step, in order, at its own time. */
static const char *check_rows(const uint8_t *base, const struct plane_header *h,
                              const struct plane_symbol *s, const struct plane_clock *c)
{
    const int64_t *clock = (const int64_t *)(base + h->merged_off);
    const int64_t *time = (const int64_t *)(base + c->time_off);
    const int32_t *row_of_step =
        s->row_of_step_off ? (const int32_t *)(base + s->row_of_step_off) : NULL;
    uint32_t next_row = 0;

    for (uint32_t step = 0; step < h->steps_n; step++) {
        int32_t row = row_of_step ? row_of_step[step] : (int32_t)step;
        if (row == -1)
            continue;
        if (row < 0 || (uint32_t)row != next_row || next_row >= c->rows_n ||
            time[next_row] != clock[step])
            return "a symbol's rows do not match the clock";
        next_row++;
    }
    return next_row == c->rows_n ? NULL : "a symbol's rows do not match the clock";
}

static const char *check_symbol(const uint8_t *base, const struct plane_header *h, uint32_t i)
{
    const struct plane_symbol *s = (const struct plane_symbol *)(base + h->symbols_off) + i;
    const struct plane_clock *c = (const struct plane_clock *)(base + h->clocks_off) + i;

    if (!is_name(base, h, s->name_off) || s->first_row > c->rows_n)
        return "a symbol of it is malformed";
    if (i >= h->traded_n)
        return s->row_of_step_off == 0 ? NULL : "a symbol of reference has steps";
    if (s->row_of_step_off == 0 && c->rows_n != h->steps_n)
        return "a symbol's rows do not match the clock";
    if (s->row_of_step_off != 0 && !is_column(h, s->row_of_step_off, h->steps_n, sizeof(int32_t)))
        return "a symbol's rows lie outside of it";
    return check_rows(base, h, s, c);
}

/* ---- alignments and series ------------------------------------------------------------------ */

static const char *check_alignment(const uint8_t *base, const struct plane_header *h, uint32_t i)
{
    const struct plane_clock *clocks = (const struct plane_clock *)(base + h->clocks_off);
    const struct plane_alignment *a =
        (const struct plane_alignment *)(base + h->alignments_off) + i;

    if (a->symbol_idx >= h->symbols_n || a->clock_idx >= h->clocks_n ||
        !is_column(h, a->row_of_off, clocks[a->symbol_idx].rows_n, sizeof(int32_t)))
        return "an alignment of it is malformed";
    if (i > 0 && (a[-1].symbol_idx != a->symbol_idx ? a[-1].symbol_idx > a->symbol_idx
                                                    : a[-1].clock_idx >= a->clock_idx))
        return "its alignments are not in order";
    const int32_t *row_of = (const int32_t *)(base + a->row_of_off);
    int32_t last = -1, rows_n = (int32_t)clocks[a->clock_idx].rows_n;
    for (uint32_t t = 0; t < clocks[a->symbol_idx].rows_n; t++) {
        if (row_of[t] < last || row_of[t] >= rows_n)
            return "an alignment of it leads astray";
        last = row_of[t];
    }
    return NULL;
}

static const char *check_series(const uint8_t *base, const struct plane_header *h, uint32_t i)
{
    const struct plane_clock *clocks = (const struct plane_clock *)(base + h->clocks_off);
    const struct plane_series *s = (const struct plane_series *)(base + h->series_off) + i;

    if (s->clock_idx >= h->clocks_n || !is_name(base, h, s->key_off) || s->dtype > SERIES_BITS ||
        s->first_defined > clocks[s->clock_idx].rows_n)
        return "a series of it is malformed";
    uint64_t bytes = series_bytes((enum series_dtype)s->dtype, clocks[s->clock_idx].rows_n);
    if (s->column_off != 0 && !is_column(h, s->column_off, bytes, 1))
        return "a series of it lies outside of it";
    if (i == 0)
        return NULL;
    bool is_next = s[-1].clock_idx != s->clock_idx ? s[-1].clock_idx < s->clock_idx
                                                   : strcmp((const char *)base + s[-1].key_off,
                                                            (const char *)base + s->key_off) < 0;
    return is_next ? NULL : "its series are not in order";
}

const char *plane_check_core(const uint8_t *base, uint64_t size_bytes)
{
    const struct plane_header *h = (const struct plane_header *)base;
    if (size_bytes < sizeof *h)
        return "it is shorter than a header";
    const char *wrong = check_header(h, size_bytes);
    if (!wrong)
        wrong = check_tables(base, h);
    if (!wrong && !ascends((const int64_t *)(base + h->merged_off), h->steps_n))
        wrong = "its clock does not ascend";
    for (uint32_t i = 0; !wrong && i < h->clocks_n; i++)
        wrong = check_clock(base, h, i);
    for (uint32_t i = 0; !wrong && i < h->symbols_n; i++)
        wrong = check_symbol(base, h, i);
    for (uint32_t i = 0; !wrong && i < h->alignments_n; i++)
        wrong = check_alignment(base, h, i);
    for (uint32_t i = 0; !wrong && i < h->series_n; i++)
        wrong = check_series(base, h, i);
    return wrong;
}
