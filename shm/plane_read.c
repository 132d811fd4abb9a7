/* SPDX-License-Identifier: MIT */
/* The data plane's reader. It believes nothing (plane_check.c), and it takes no word of what
 * changes while it reads without a look at where it leads. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/plane_internal.h"

/* ---- views ---------------------------------------------------------------------------------- */

static struct bars view_bars(const uint8_t *base, const struct plane_symbol *s,
                             const struct plane_clock *c)
{
    return (struct bars){
        .symbol = (const char *)base + s->name_off,
        .rows_n = c->rows_n,
        .time_ns = (const int64_t *)(base + c->time_off),
        .open = (const double *)(base + c->open_off),
        .high = (const double *)(base + c->high_off),
        .low = (const double *)(base + c->low_off),
        .close = (const double *)(base + c->close_off),
        .volume = (const double *)(base + c->volume_off),
    };
}

static void view_all(struct plane *plane)
{
    const struct plane_header *h = plane->header;
    const struct plane_symbol *s = (const struct plane_symbol *)(plane->base + h->symbols_off);
    const struct plane_clock *c = (const struct plane_clock *)(plane->base + h->clocks_off);

    for (uint32_t i = 0; i < h->clocks_n; i++)
        plane->clock[i] = (struct plane_clock_view){
            .bars = view_bars(plane->base, &s[c[i].symbol_idx], &c[i]),
            .symbol_idx = c[i].symbol_idx,
            .timeframe = {(enum timeframe_unit)c[i].timeframe_unit, c[i].timeframe_n},
        };
    for (uint32_t i = 0; i < h->symbols_n; i++)
        plane->symbol[i] = (struct plane_view){
            .bars = plane->clock[i].bars,
            .row_of_step =
                s[i].row_of_step_off ? (const int32_t *)(plane->base + s[i].row_of_step_off) : NULL,
            .first_row = s[i].first_row,
        };
}

int plane_view_init(struct plane *plane, const uint8_t *base, size_t size_bytes)
{
    const struct plane_header *h = (const struct plane_header *)base;
    plane->symbol = calloc(h->symbols_n, sizeof *plane->symbol);
    plane->clock = calloc(h->clocks_n, sizeof *plane->clock);
    if (!plane->symbol || !plane->clock) {
        plane_view_fini(plane);
        return -ENOMEM;
    }
    plane->header = h;
    plane->base = base;
    plane->size_bytes = size_bytes;
    plane->core_fd = -1;
    plane->symbols_n = h->symbols_n;
    plane->traded_n = h->traded_n;
    plane->clocks_n = h->clocks_n;
    plane->steps_n = h->steps_n;
    plane->first_step = h->first_step;
    plane->clock_ns = (const int64_t *)(base + h->merged_off);
    view_all(plane);
    return 0;
}

void plane_view_fini(struct plane *plane)
{
    free(plane->symbol);
    free(plane->clock);
    plane->symbol = NULL;
    plane->clock = NULL;
}

/* ---- opening -------------------------------------------------------------------------------- */

static uint64_t dropped_extents(const struct plane *plane)
{
    const struct plane_live *live =
        (const struct plane_live *)(plane->base + plane->header->live_off);
    /* pairs with the release of plane_drop_idle_extents() */
    return atomic_load_explicit(&live->dropped, memory_order_acquire);
}

static int map_core(int fd, struct plane *plane, struct err *err)
{
    uint64_t size_bytes = 0;
    const char *wrong = plane_check_file(fd, &size_bytes);
    if (wrong)
        return err_set(err, ERR_DATA, "data plane (descriptor %d): %s", fd, wrong);
    void *base = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (base == MAP_FAILED)
        return err_set_errno(err, ERR_SYSTEM, errno, "data plane (descriptor %d): cannot map it",
                             fd);
    wrong = plane_check_core(base, size_bytes);
    int rc = wrong ? err_set(err, ERR_DATA, "data plane (descriptor %d): %s", fd, wrong)
                   : plane_view_init(plane, base, size_bytes);
    if (rc == -ENOMEM)
        rc = err_set_errno(err, ERR_SYSTEM, ENOMEM, "data plane");
    if (rc == 0) {
        plane->core_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (plane->core_fd < 0)
            rc = err_set_errno(err, ERR_SYSTEM, errno, "data plane (descriptor %d)", fd);
    }
    if (rc < 0)
        (void)munmap(base, size_bytes);
    return rc;
}

/* Not populated: that would give memory to places which have none yet. */
static int map_extents(const struct plane_fds *fds, struct plane *plane, struct err *err)
{
    const struct plane_header *h = plane->header;
    uint64_t dropped = dropped_extents(plane);

    if (fds->extents_n < h->extents_n)
        return err_set(err, ERR_DATA, "data plane: %u of its %u extents are there", fds->extents_n,
                       h->extents_n);
    for (uint32_t i = 0; i < h->extents_n; i++) {
        if (dropped >> i & 1)
            continue;
        int fd = fds->extent[i];
        uint64_t size_bytes = h->extent_bytes;
        const char *wrong = plane_check_file(fd, &size_bytes);
        if (wrong)
            return err_set(err, ERR_DATA, "data plane, extent %u (descriptor %d): %s", i, fd,
                           wrong);
        void *base = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED)
            return err_set_errno(err, ERR_SYSTEM, errno,
                                 "data plane, extent %u (descriptor %d): cannot map it", i, fd);
        plane->extent[i] = base;
    }
    return 0;
}

static void unmap_extent(struct plane *plane, uint32_t i)
{
    if (plane->extent[i]) /* const only for its readers */
        (void)munmap((void *)(uintptr_t)plane->extent[i], plane->header->extent_bytes);
    plane->extent[i] = NULL;
}

int plane_open(const struct plane_fds *fds, struct plane **ret_plane, struct err *err)
{
    struct plane *plane = calloc(1, sizeof *plane);
    if (!plane)
        return err_set_errno(err, ERR_SYSTEM, ENOMEM, "data plane");
    plane->core_fd = -1;
    int rc = map_core(fds->core, plane, err);
    if (rc < 0) {
        plane_view_fini(plane);
        free(plane);
        return rc;
    }
    rc = map_extents(fds, plane, err);
    if (rc < 0) {
        plane_close(plane);
        return rc;
    }
    *ret_plane = plane;
    return 0;
}

void plane_close(struct plane *plane)
{
    if (!plane)
        return;
    for (uint32_t i = 0; i < PLANE_EXTENTS_MAX; i++)
        unmap_extent(plane, i);
    (void)munmap((void *)(uintptr_t)plane->base, plane->size_bytes);
    (void)close(plane->core_fd);
    plane_view_fini(plane);
    free(plane);
}

void plane_sync(struct plane *plane)
{
    uint64_t dropped = dropped_extents(plane);
    if (dropped == 0)
        return;
    for (uint32_t i = 0; i < plane->header->extents_n; i++)
        if (dropped >> i & 1)
            unmap_extent(plane, i);
}

/* ---- looking up ----------------------------------------------------------------------------- */

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

uint32_t plane_first_defined(enum series_dtype dtype, const void *values, uint32_t rows_n)
{
    uint32_t row = 0;
    if (dtype == SERIES_F64)
        while (row < rows_n && isnan(((const double *)values)[row]))
            row++;
    else if (dtype == SERIES_F32)
        while (row < rows_n && isnan(((const float *)values)[row]))
            row++;
    return row;
}

static int compare_series(const struct plane *plane, const struct plane_series *s,
                          uint32_t clock_idx, const char *key)
{
    if (s->clock_idx != clock_idx)
        return s->clock_idx < clock_idx ? -1 : 1;
    return strcmp((const char *)plane->base + s->key_off, key);
}

static int64_t find_series(const struct plane *plane, uint32_t clock_idx, const char *key)
{
    const struct plane_series *series =
        (const struct plane_series *)(plane->base + plane->header->series_off);

    for (uint32_t low = 0, high = plane->header->series_n; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_series(plane, &series[middle], clock_idx, key);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* Follows a place, if it leads to `bytes` that this process has mapped. */
static const uint8_t *follow_place(const struct plane *plane, uint64_t place, uint64_t bytes)
{
    uint64_t extent = (place & ~PLANE_PLACE_SET) >> PLANE_PLACE_EXTENT_SHIFT;
    uint64_t off, end;
    if (!(place & PLANE_PLACE_SET) || extent >= plane->header->extents_n ||
        __builtin_mul_overflow(place & PLANE_PLACE_OFFSET_MASK, (uint64_t)SHM_ALIGN, &off) ||
        __builtin_add_overflow(off, bytes, &end) || end > plane->header->extent_bytes ||
        !plane->extent[extent])
        return NULL;
    return plane->extent[extent] + off;
}

/* Of row i of the series table. */
static bool view_series(const struct plane *plane, uint32_t i, bool columns_only,
                        struct series_view *ret_view)
{
    const struct plane_header *h = plane->header;
    const struct plane_series *s = (const struct plane_series *)(plane->base + h->series_off) + i;
    uint32_t rows_n = plane->clock[s->clock_idx].bars.rows_n;
    struct series_view view = {.dtype = (enum series_dtype)s->dtype};

    if (s->column_off != 0) {
        view.values = plane->base + s->column_off;
        view.first_defined = s->first_defined;
    } else if (!columns_only) {
        const struct plane_place *p = &plane_places(plane->base, h)[i];
        /* pairs with the release of plane_publish() */
        uint64_t place = atomic_load_explicit(&p->place, memory_order_acquire);
        view.values = follow_place(plane, place, series_bytes(view.dtype, rows_n));
        view.first_defined = atomic_load_explicit(&p->first_defined, memory_order_relaxed);
    }
    if (!view.values || view.first_defined > rows_n)
        return false;
    *ret_view = view;
    return true;
}

static bool find(const struct plane *plane, uint32_t clock_idx, const char *key, bool columns_only,
                 struct series_view *ret_view)
{
    if (clock_idx >= plane->clocks_n)
        return false;
    const struct bars *bars = &plane->clock[clock_idx].bars;
    const double *column = bar_column(bars, key);
    if (column) {
        *ret_view = (struct series_view){SERIES_F64, column,
                                         plane_first_defined(SERIES_F64, column, bars->rows_n)};
        return true;
    }
    int64_t i = find_series(plane, clock_idx, key);
    return i >= 0 && view_series(plane, (uint32_t)i, columns_only, ret_view);
}

bool plane_series(const struct plane *plane, uint32_t clock_idx, const char *key,
                  struct series_view *ret_view)
{
    return find(plane, clock_idx, key, false, ret_view);
}

bool plane_column(const struct plane *plane, uint32_t clock_idx, const char *name,
                  struct series_view *ret_view)
{
    return find(plane, clock_idx, name, true, ret_view);
}

const double *plane_f64(const struct plane *plane, uint32_t clock_idx, const char *key,
                        uint32_t *ret_first_defined)
{
    struct series_view view;
    if (!plane_series(plane, clock_idx, key, &view) || view.dtype != SERIES_F64)
        return NULL;
    if (ret_first_defined)
        *ret_first_defined = view.first_defined;
    return view.values;
}

int64_t plane_clock_find(const struct plane *plane, uint32_t symbol_idx, struct timeframe timeframe)
{
    if (symbol_idx >= plane->symbols_n)
        return -1;
    if (timeframe.unit == TIMEFRAME_OWN)
        return symbol_idx;
    for (uint32_t i = plane->symbols_n; i < plane->clocks_n; i++)
        if (plane->clock[i].symbol_idx == symbol_idx &&
            timeframe_equal(plane->clock[i].timeframe, timeframe))
            return i;
    return -1;
}

const int32_t *plane_alignment(const struct plane *plane, uint32_t symbol_idx, uint32_t clock_idx)
{
    const struct plane_header *h = plane->header;
    const struct plane_alignment *a =
        (const struct plane_alignment *)(plane->base + h->alignments_off);

    for (uint32_t low = 0, high = h->alignments_n; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (a[middle].symbol_idx == symbol_idx && a[middle].clock_idx == clock_idx)
            return (const int32_t *)(plane->base + a[middle].row_of_off);
        if (a[middle].symbol_idx != symbol_idx ? a[middle].symbol_idx < symbol_idx
                                               : a[middle].clock_idx < clock_idx)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
