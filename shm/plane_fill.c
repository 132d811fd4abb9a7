/* SPDX-License-Identifier: MIT */
/* A draft becomes a core: tables, names, clocks, bars, alignments. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/plane_internal.h"
#include "shm/resample.h"

/* Copies a text into the names and returns its offset. */
static uint64_t put_name(uint8_t *base, uint64_t *at, const char *text)
{
    size_t n = strlen(text) + 1;
    uint64_t start = *at;
    memcpy(base + start, text, n);
    *at += n;
    return start;
}

static void put_column(uint8_t *base, uint64_t off, const void *values, uint32_t rows_n)
{
    memcpy(base + off, values, (size_t)rows_n * sizeof(double));
}

static struct timeframe timeframe_of(const struct plane_clock *c)
{
    return (struct timeframe){(enum timeframe_unit)c->timeframe_unit, c->timeframe_n};
}

static void put_own_bars(uint8_t *base, const struct plane_clock *c, const struct bars *bars)
{
    put_column(base, c->time_off, bars->time_ns, c->rows_n);
    put_column(base, c->open_off, bars->open, c->rows_n);
    put_column(base, c->high_off, bars->high, c->rows_n);
    put_column(base, c->low_off, bars->low, c->rows_n);
    put_column(base, c->close_off, bars->close, c->rows_n);
    put_column(base, c->volume_off, bars->volume, c->rows_n);
}

/* ---- clocks --------------------------------------------------------------------------------- */

static int put_merged(const struct plane_draft *d, uint8_t *base)
{
    const struct plane_header *h = &d->header;
    int32_t **row_of_step = calloc(h->symbols_n, sizeof *row_of_step);
    if (!row_of_step)
        return -ENOMEM;
    for (uint32_t i = 0; i < h->symbols_n; i++) {
        if (!d->symbol[i].row_of_step_off)
            continue;
        row_of_step[i] = (int32_t *)(base + d->symbol[i].row_of_step_off);
        memset(row_of_step[i], 0xff, h->steps_n * sizeof(int32_t));
    }
    plane_merge_fill(d->plan, (int64_t *)(base + h->merged_off), row_of_step);
    free(row_of_step);
    return 0;
}

/* Columns of a clock's extra ones, in the order of the bars. */
static double **extras_of(const struct plane_draft *d, uint8_t *base, uint32_t clock_idx)
{
    const struct bars *bars = &d->plan->bars[d->clock[clock_idx].symbol_idx];
    double **extra = calloc((size_t)bars->extra_n + 1, sizeof *extra);
    for (uint32_t i = 0; extra && i < d->header.series_n; i++)
        if (d->series[i].clock_idx == clock_idx && d->extra_of[i] != UINT32_MAX)
            extra[d->extra_of[i]] = (double *)(base + d->series[i].column_off);
    return extra;
}

static int put_clock(const struct plane_draft *d, uint8_t *base, uint32_t i)
{
    const struct plane_clock *c = &d->clock[i];
    const struct bars *bars = &d->plan->bars[c->symbol_idx];
    double **extra = extras_of(d, base, i);
    if (!extra)
        return -ENOMEM;
    if (c->timeframe_unit == TIMEFRAME_OWN) {
        put_own_bars(base, c, bars);
        for (uint32_t k = 0; k < bars->extra_n; k++)
            memcpy(extra[k], bars->extra[k], (size_t)c->rows_n * sizeof(double));
    } else {
        const struct resampled out = {.time_ns = (int64_t *)(base + c->time_off),
                                      .open = (double *)(base + c->open_off),
                                      .high = (double *)(base + c->high_off),
                                      .low = (double *)(base + c->low_off),
                                      .close = (double *)(base + c->close_off),
                                      .volume = (double *)(base + c->volume_off),
                                      .extra = extra};
        resample(bars, timeframe_of(c), &out);
    }
    free(extra);
    return 0;
}

static int put_clocks(const struct plane_draft *d, uint8_t *base)
{
    int rc = put_merged(d, base);
    for (uint32_t i = 0; rc == 0 && i < d->header.clocks_n; i++)
        rc = put_clock(d, base, i);
    for (uint32_t i = 0; rc == 0 && i < d->header.series_n; i++) {
        struct plane_series *s = &d->series[i];
        if (s->column_off != 0)
            s->first_defined =
                plane_first_defined(SERIES_F64, base + s->column_off, d->clock_rows[s->clock_idx]);
    }
    return rc;
}

/* ---- alignments ----------------------------------------------------------------------------- */

static void put_alignments(const struct plane_draft *d, uint8_t *base)
{
    for (uint32_t i = 0; i < d->header.alignments_n; i++) {
        const struct plane_alignment *a = &d->alignment[i];
        const struct plane_clock *c = &d->clock[a->clock_idx];
        const struct bars *own = &d->plan->bars[a->symbol_idx];
        const struct bars *from = &d->plan->bars[c->symbol_idx];
        const struct align_to to = {.time_ns = (const int64_t *)(base + c->time_off),
                                    .rows_n = c->rows_n,
                                    .timeframe = timeframe_of(c),
                                    .bars_time_ns = from == own ? NULL : from->time_ns,
                                    .bars_n = from->rows_n};
        align_rows(own->time_ns, own->rows_n, &to, (int32_t *)(base + a->row_of_off));
    }
}

/* ---- tables --------------------------------------------------------------------------------- */

static void put_table(uint8_t *base, uint64_t off, const void *rows, uint32_t n, size_t each)
{
    if (n > 0)
        memcpy(base + off, rows, n * each);
}

static void put_tables(const struct plane_draft *d, uint8_t *base)
{
    const struct plane_header *h = &d->header;
    uint64_t names_at = h->names_off;

    for (uint32_t i = 0; i < h->symbols_n; i++)
        d->symbol[i].name_off = put_name(base, &names_at, d->plan->bars[i].symbol);
    for (uint32_t i = 0; i < h->series_n; i++)
        d->series[i].key_off = put_name(base, &names_at, d->key[i]);
    put_table(base, h->symbols_off, d->symbol, h->symbols_n, sizeof *d->symbol);
    put_table(base, h->clocks_off, d->clock, h->clocks_n, sizeof *d->clock);
    put_table(base, h->alignments_off, d->alignment, h->alignments_n, sizeof *d->alignment);
    put_table(base, h->series_off, d->series, h->series_n, sizeof *d->series);
}

int plane_draft_write(const struct plane_draft *d, uint8_t *base, struct err *err)
{
    struct plane_header *h = (struct plane_header *)base;
    int rc = put_clocks(d, base);
    if (rc < 0)
        return err_set_errno(err, ERR_SYSTEM, rc, "the data plane");
    put_alignments(d, base);
    put_tables(d, base);
    *h = d->header;
    h->tables_checksum = plane_tables_checksum(base, h);
    h->header_checksum = plane_header_checksum(h);
    return 0;
}
