/* SPDX-License-Identifier: MIT */
/* The data plane's reader. It believes nothing: seals first (only a file that cannot shrink or
 * change may be mapped without fear of SIGBUS), then size, checksums, and every offset, count and
 * order that code behind plane_open() relies on. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/spec.h"
#include "shm/plane.h"
#include "shm/plane_internal.h"

/* ---- checking ------------------------------------------------------------------------------- */

/* Each check returns NULL, or what is wrong. */

static bool lies_within(uint64_t off, uint64_t n, uint64_t each_bytes, uint64_t from, uint64_t to)
{
    uint64_t bytes, end;
    return off % SHM_ALIGN == 0 && off >= from && !__builtin_mul_overflow(n, each_bytes, &bytes) &&
           !__builtin_add_overflow(off, bytes, &end) && end <= to;
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
    if (h->symbols_n == 0 || h->symbols_n > SPEC_SYMBOLS_MAX || h->steps_n > PLANE_ROWS_MAX ||
        h->first_step > h->steps_n)
        return "its header counts what cannot be";
    if (!lies_within(h->symbols_off, h->symbols_n, sizeof(struct plane_symbol), sizeof *h,
                     h->series_off) ||
        !lies_within(h->series_off, h->series_n, sizeof(struct plane_series), h->symbols_off,
                     h->names_off) ||
        !lies_within(h->names_off, 0, 1, h->series_off, h->columns_off) ||
        !lies_within(h->columns_off, 0, 1, h->names_off, size_bytes) ||
        !lies_within(h->clock_off, h->steps_n, sizeof(int64_t), h->columns_off, size_bytes))
        return "its header points outside of it";
    return NULL;
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
    return off >= h->names_off && off < h->columns_off &&
           memchr(base + off, '\0', h->columns_off - off);
}

static const char *check_symbol(const uint8_t *base, const struct plane_header *h,
                                const struct plane_symbol *s)
{
    const uint64_t columns[] = {s->time_off, s->open_off,  s->high_off,
                                s->low_off,  s->close_off, s->volume_off};

    if (!is_name(base, h, s->name_off) || s->rows_n > h->steps_n || s->first_row > s->rows_n)
        return "a symbol of it is malformed";
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (!lies_within(columns[i], s->rows_n, sizeof(double), h->columns_off, h->size_bytes))
            return "a symbol's column lies outside of it";
    }
    if (s->row_of_step_off == 0)
        return s->rows_n == h->steps_n ? NULL : "a symbol's rows do not match the clock";
    return lies_within(s->row_of_step_off, h->steps_n, sizeof(int32_t), h->columns_off,
                       h->size_bytes)
               ? NULL
               : "a symbol's rows lie outside of it";
}

/* Every row stands at exactly one step, in order, at its own time. */
static const char *check_rows(const uint8_t *base, const struct plane_header *h,
                              const struct plane_symbol *s)
{
    const int64_t *clock = (const int64_t *)(base + h->clock_off);
    const int64_t *time = (const int64_t *)(base + s->time_off);
    const int32_t *row_of_step =
        s->row_of_step_off ? (const int32_t *)(base + s->row_of_step_off) : NULL;
    uint32_t next_row = 0;

    for (uint32_t step = 0; step < h->steps_n; step++) {
        int32_t row = row_of_step ? row_of_step[step] : (int32_t)step;
        if (row == -1)
            continue;
        if (row < 0 || (uint32_t)row != next_row || next_row >= s->rows_n ||
            time[next_row] != clock[step])
            return "a symbol's rows do not match the clock";
        next_row++;
    }
    return next_row == s->rows_n ? NULL : "a symbol's rows do not match the clock";
}

static const char *check_clock(const uint8_t *base, const struct plane_header *h)
{
    const int64_t *clock = (const int64_t *)(base + h->clock_off);

    for (uint32_t i = 1; i < h->steps_n; i++) {
        if (clock[i] <= clock[i - 1])
            return "its clock does not ascend";
    }
    return NULL;
}

static const char *check_series(const uint8_t *base, const struct plane_header *h, uint32_t i)
{
    const struct plane_symbol *symbols = (const struct plane_symbol *)(base + h->symbols_off);
    const struct plane_series *s = (const struct plane_series *)(base + h->series_off) + i;

    if (s->symbol_idx >= h->symbols_n || !is_name(base, h, s->key_off) ||
        s->first_defined > symbols[s->symbol_idx].rows_n ||
        !lies_within(s->values_off, symbols[s->symbol_idx].rows_n, sizeof(double), h->columns_off,
                     h->size_bytes))
        return "a series of it is malformed";
    if (i == 0)
        return NULL;
    bool ascends = s[-1].symbol_idx != s->symbol_idx ? s[-1].symbol_idx < s->symbol_idx
                                                     : strcmp((const char *)base + s[-1].key_off,
                                                              (const char *)base + s->key_off) < 0;
    return ascends ? NULL : "its series are not in order";
}

static const char *check_all(const uint8_t *base, uint64_t size_bytes)
{
    const struct plane_header *h = (const struct plane_header *)base;
    const char *wrong = check_header(h, size_bytes);

    if (!wrong)
        wrong = check_tables(base, h);
    if (!wrong)
        wrong = check_clock(base, h);
    if (wrong)
        return wrong;
    const struct plane_symbol *symbols = (const struct plane_symbol *)(base + h->symbols_off);
    for (uint32_t i = 0; !wrong && i < h->symbols_n; i++) {
        wrong = check_symbol(base, h, &symbols[i]);
        if (!wrong)
            wrong = check_rows(base, h, &symbols[i]);
    }
    for (uint32_t i = 0; !wrong && i < h->series_n; i++)
        wrong = check_series(base, h, i);
    return wrong;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void view_symbol(const uint8_t *base, const struct plane_symbol *s,
                        struct plane_view *ret_view)
{
    *ret_view = (struct plane_view){
        .bars =
            {
                .symbol = (const char *)base + s->name_off,
                .rows_n = s->rows_n,
                .time_ns = (const int64_t *)(base + s->time_off),
                .open = (const double *)(base + s->open_off),
                .high = (const double *)(base + s->high_off),
                .low = (const double *)(base + s->low_off),
                .close = (const double *)(base + s->close_off),
                .volume = (const double *)(base + s->volume_off),
            },
        .row_of_step = s->row_of_step_off ? (const int32_t *)(base + s->row_of_step_off) : NULL,
        .first_row = s->first_row,
    };
}

static struct plane *view_plane(const uint8_t *base, size_t size_bytes)
{
    const struct plane_header *h = (const struct plane_header *)base;
    const struct plane_symbol *symbols = (const struct plane_symbol *)(base + h->symbols_off);
    struct plane *plane = calloc(1, sizeof *plane);
    struct plane_view *views = calloc(h->symbols_n, sizeof *views);

    if (!plane || !views) {
        free(plane);
        free(views);
        return NULL;
    }
    for (uint32_t i = 0; i < h->symbols_n; i++)
        view_symbol(base, &symbols[i], &views[i]);
    *plane = (struct plane){
        .header = h,
        .base = base,
        .size_bytes = size_bytes,
        .symbols_n = h->symbols_n,
        .steps_n = h->steps_n,
        .first_step = h->first_step,
        .clock_ns = (const int64_t *)(base + h->clock_off),
        .symbol = views,
    };
    return plane;
}

/* What can be told without looking inside. */
static const char *check_file(int fd, struct stat *ret_st)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & PLANE_SEALS) != PLANE_SEALS)
        return "it is not sealed";
    if (fstat(fd, ret_st) < 0 || (uint64_t)ret_st->st_size < sizeof(struct plane_header))
        return "it is shorter than a header";
    return NULL;
}

int plane_open(int fd, struct plane **ret_plane, struct err *err)
{
    struct stat st;
    const char *wrong = check_file(fd, &st);
    if (wrong)
        return err_set(err, ERR_DATA, "data plane (descriptor %d): %s", fd, wrong);

    size_t size_bytes = (size_t)st.st_size;
    void *base = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (base == MAP_FAILED)
        return err_set_errno(err, ERR_SYSTEM, errno, "data plane (descriptor %d): cannot map it",
                             fd);
    wrong = check_all(base, size_bytes);
    struct plane *plane = wrong ? NULL : view_plane(base, size_bytes);
    if (!plane) {
        (void)munmap(base, size_bytes);
        return wrong ? err_set(err, ERR_DATA, "data plane (descriptor %d): %s", fd, wrong)
                     : err_set_errno(err, ERR_SYSTEM, ENOMEM, "data plane");
    }
    *ret_plane = plane;
    return 0;
}

void plane_close(struct plane *plane)
{
    if (!plane)
        return;
    /* The map was made by plane_open(); the pointer is const only for its readers. */
    (void)munmap((void *)(uintptr_t)plane->base, plane->size_bytes);
    free(plane->symbol);
    free(plane);
}

static const double *bar_column(const struct bars *bars, const char *key)
{
    const struct {
        const char *name;
        const double *values;
    } columns[] = {
        {"open", bars->open},   {"high", bars->high},     {"low", bars->low},
        {"close", bars->close}, {"volume", bars->volume},
    };
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (strcmp(columns[i].name, key) == 0)
            return columns[i].values;
    }
    return NULL;
}

static int compare_series(const struct plane *plane, const struct plane_series *s,
                          uint32_t symbol_idx, const char *key)
{
    if (s->symbol_idx != symbol_idx)
        return s->symbol_idx < symbol_idx ? -1 : 1;
    return strcmp((const char *)plane->base + s->key_off, key);
}

const double *plane_series(const struct plane *plane, uint32_t symbol_idx, const char *key,
                           uint32_t *ret_first_defined)
{
    const struct plane_header *h = plane->header;
    const struct plane_series *series = (const struct plane_series *)(plane->base + h->series_off);
    if (symbol_idx >= plane->symbols_n)
        return NULL;

    const struct bars *bars = &plane->symbol[symbol_idx].bars;
    const double *values = bar_column(bars, key);
    if (values) {
        if (ret_first_defined)
            *ret_first_defined = plane_first_defined(values, bars->rows_n);
        return values;
    }
    for (uint32_t low = 0, high = h->series_n; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_series(plane, &series[middle], symbol_idx, key);
        if (order == 0) {
            if (ret_first_defined)
                *ret_first_defined = series[middle].first_defined;
            return (const double *)(plane->base + series[middle].values_off);
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
