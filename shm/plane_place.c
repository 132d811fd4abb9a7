/* SPDX-License-Identifier: MIT */
/* Places of series in the extents.
 *
 * Each extent keeps a list of its gaps by offset; a series takes the first one that is large
 * enough, a released one is merged with its neighbours. Linux refuses to punch holes in a file that
 * is sealed against writing, so memory that was once reserved stays held until its whole extent is
 * dropped: gaps in held memory are taken before memory is reserved anew, and what is held never
 * exceeds the budget. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/plane_internal.h"

#define EXTENT_LEAST (UINT64_C(16) << 20) /* less is not worth a file of its own */

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static uint64_t place_bytes(enum series_dtype dtype, uint32_t rows_n)
{
    return round_up(series_bytes(dtype, rows_n), SHM_ALIGN);
}

/* ---- how many extents ----------------------------------------------------------------------- */

/* Extents are larger than their share by the largest series, so that every series finds room
 * however the ends of extents fall; only what is held counts as memory. */
struct plane_room plane_room_of(const struct plane_plan *plan, const uint32_t *clock_rows)
{
    struct plane_room room = {.budget_bytes = plan->series_budget_bytes};
    uint64_t total = 0;

    for (uint32_t i = 0; i < plan->series_n; i++) {
        uint64_t bytes = place_bytes(plan->series[i].dtype, clock_rows[plan->series[i].clock_idx]);
        if (bytes > room.budget_bytes)
            continue;
        total += bytes;
        room.largest_bytes = bytes > room.largest_bytes ? bytes : room.largest_bytes;
    }
    if (total == 0)
        return room;
    uint64_t share = total < room.budget_bytes ? total : room.budget_bytes;
    uint64_t n = (share + EXTENT_LEAST - 1) / EXTENT_LEAST;
    room.extents_n = n > PLANE_EXTENTS_MAX ? PLANE_EXTENTS_MAX : (uint32_t)n;
    room.extent_bytes = round_up((share + room.extents_n - 1) / room.extents_n +
                                     (room.extents_n > 1 ? room.largest_bytes : 0),
                                 PAGE_BYTES);
    return room;
}

/* ---- gaps ----------------------------------------------------------------------------------- */

static struct plane_gap *gap_new(struct plane_writer *w, uint64_t off, uint64_t bytes,
                                 struct plane_gap *next)
{
    struct plane_gap *gap = w->gap_free;
    assert(gap); /* each gap but the first of an extent lies behind a place */
    w->gap_free = gap->next;
    *gap = (struct plane_gap){next, off, bytes};
    return gap;
}

static void gap_drop(struct plane_writer *w, struct plane_gap *gap)
{
    gap->next = w->gap_free;
    w->gap_free = gap;
}

int plane_gaps_init(struct plane_writer *w)
{
    /* one more, since a released place is entered before it is merged with its neighbours */
    size_t n = (size_t)w->series_n + w->extents_n + 1;
    w->gap_pool = calloc(n, sizeof *w->gap_pool);
    if (!w->gap_pool)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        gap_drop(w, &w->gap_pool[i]);
    for (uint32_t i = 0; i < w->extents_n; i++)
        w->extent[i].gaps = gap_new(w, 0, w->extent_bytes, NULL);
    return 0;
}

/* Takes the gap's first bytes. */
static uint64_t gap_take(struct plane_writer *w, struct plane_gap **at, uint64_t bytes)
{
    struct plane_gap *gap = *at;
    uint64_t off = gap->off;
    gap->off += bytes;
    gap->bytes -= bytes;
    if (gap->bytes == 0) {
        *at = gap->next;
        gap_drop(w, gap);
    }
    return off;
}

static void gap_give(struct plane_writer *w, struct plane_extent *x, uint64_t off, uint64_t bytes)
{
    struct plane_gap **at = &x->gaps, *before = NULL;
    while (*at && (*at)->off < off) {
        before = *at;
        at = &before->next;
    }
    struct plane_gap *gap = *at = gap_new(w, off, bytes, *at);
    struct plane_gap *after = gap->next;
    if (after && gap->off + gap->bytes == after->off) {
        gap->bytes += after->bytes;
        gap->next = after->next;
        gap_drop(w, after);
    }
    if (before && before->off + before->bytes == gap->off) {
        before->bytes += gap->bytes;
        before->next = gap->next;
        gap_drop(w, gap);
    }
}

/* ---- memory --------------------------------------------------------------------------------- */

/* What an extent holds so that a place ends there: memory comes in pages. */
static uint64_t held_to(uint64_t end)
{
    return round_up(end, PAGE_BYTES);
}

/* Makes the extent hold all before `end`. */
static int hold(struct plane_writer *w, struct plane_extent *x, uint64_t end)
{
    uint64_t more = held_to(end) - x->held_bytes;
    int rc = plane_reserve(x->fd, x->base, x->held_bytes, more);
    if (rc < 0)
        return rc;
    x->held_bytes += more;
    w->bytes.held_now += more;
    if (w->bytes.held_now > w->bytes.held_peak)
        w->bytes.held_peak = w->bytes.held_now;
    return 0;
}

/* The first gap that takes so many bytes, all of them held already or not; what is newly held stays
 * within the budget. */
static struct plane_gap **find_gap(struct plane_writer *w, struct plane_extent *x, uint64_t bytes,
                                   bool may_grow)
{
    for (struct plane_gap **at = &x->gaps; *at; at = &(*at)->next) {
        uint64_t end = (*at)->off + bytes;
        if ((*at)->bytes < bytes)
            continue;
        if (end <= x->held_bytes)
            return at;
        if (may_grow && held_to(end) - x->held_bytes <= w->budget_bytes - w->bytes.held_now)
            return at;
    }
    return NULL;
}

/* Conditions stay when the series that they were made of are gone, so the two come from opposite
 * ends: small places that stay would keep every extent from being dropped. */
static bool take_place(struct plane_writer *w, struct plane_spot *spot, uint64_t bytes,
                       bool is_condition)
{
    for (int may_grow = is_condition; may_grow <= 1; may_grow++) {
        for (uint32_t k = 0; k < w->extents_n; k++) {
            uint32_t i = is_condition ? k : w->extents_n - 1 - k;
            struct plane_extent *x = &w->extent[i];
            struct plane_gap **at = x->base ? find_gap(w, x, bytes, may_grow) : NULL;
            if (!at)
                continue;
            uint64_t end = (*at)->off + bytes;
            if (end > x->held_bytes && hold(w, x, end) < 0)
                continue;
            *spot = (struct plane_spot){SPOT_PLACED, i, gap_take(w, at, bytes)};
            x->places_n++;
            return true;
        }
    }
    return false;
}

/* ---- a series' life ------------------------------------------------------------------------- */

static const struct plane_series *series_of(const struct plane_writer *w, uint32_t series_idx)
{
    const struct plane_header *h = w->view.header;
    assert(series_idx < w->series_n);
    return (const struct plane_series *)(w->core + h->series_off) + w->series_of_plan[series_idx];
}

static uint64_t bytes_of(const struct plane_writer *w, uint32_t series_idx)
{
    const struct plane_series *s = series_of(w, series_idx);
    return place_bytes((enum series_dtype)s->dtype, w->view.clock[s->clock_idx].bars.rows_n);
}

void *plane_place(struct plane_writer *w, uint32_t series_idx)
{
    uint64_t bytes = bytes_of(w, series_idx);
    struct plane_spot *spot = &w->spot[series_idx];
    assert(spot->state == SPOT_ABSENT);
    if (!take_place(w, spot, bytes, series_of(w, series_idx)->dtype == SERIES_BITS))
        return NULL;
    w->bytes.series_now += bytes;
    if (w->bytes.series_now > w->bytes.series_peak)
        w->bytes.series_peak = w->bytes.series_now;
    return w->extent[spot->extent].base + spot->off;
}

void plane_publish(struct plane_writer *w, uint32_t series_idx, uint32_t first_defined)
{
    struct plane_spot *spot = &w->spot[series_idx];
    struct plane_place *place = &w->place[w->series_of_plan[series_idx]];
    assert(spot->state == SPOT_PLACED);
    spot->state = SPOT_THERE;
    atomic_store_explicit(&place->first_defined, first_defined, memory_order_relaxed);
    /* pairs with the acquire of plane_series(): values and first_defined come before */
    atomic_store_explicit(&place->place,
                          PLANE_PLACE_SET | (uint64_t)spot->extent << PLANE_PLACE_EXTENT_SHIFT |
                              spot->off / SHM_ALIGN,
                          memory_order_release);
}

static void give_place(struct plane_writer *w, uint32_t series_idx)
{
    struct plane_spot *spot = &w->spot[series_idx];
    struct plane_extent *x = &w->extent[spot->extent];
    uint64_t bytes = bytes_of(w, series_idx);
    gap_give(w, x, spot->off, bytes);
    x->places_n--;
    w->bytes.series_now -= bytes;
    *spot = (struct plane_spot){.state = SPOT_ABSENT};
}

void plane_unplace(struct plane_writer *w, uint32_t series_idx)
{
    assert(series_idx < w->series_n && w->spot[series_idx].state == SPOT_PLACED);
    give_place(w, series_idx);
}

void plane_unlink(struct plane_writer *w, uint32_t series_idx)
{
    assert(series_idx < w->series_n && w->spot[series_idx].state == SPOT_THERE);
    w->spot[series_idx].state = SPOT_PLACED;
    /* what makes it seen is the message by which the next batch goes out */
    atomic_store_explicit(&w->place[w->series_of_plan[series_idx]].place, 0, memory_order_relaxed);
}

void plane_release(struct plane_writer *w, uint32_t series_idx)
{
    plane_unlink(w, series_idx);
    give_place(w, series_idx);
}

bool plane_is_there(const struct plane_writer *w, uint32_t series_idx)
{
    return series_idx < w->series_n && w->spot[series_idx].state == SPOT_THERE;
}

/* ---- dropping ------------------------------------------------------------------------------- */

/* What an extent can still take for sure, whatever the sizes of series. */
static uint64_t room_of(const struct plane_writer *w, const struct plane_extent *x)
{
    uint64_t room = 0;
    for (const struct plane_gap *gap = x->gaps; gap; gap = gap->next)
        if (gap->bytes >= w->largest_bytes)
            room += gap->bytes - w->largest_bytes + SHM_ALIGN;
    return room;
}

static void drop_extent(struct plane_writer *w, uint32_t i)
{
    struct plane_extent *x = &w->extent[i];
    /* pairs with the acquire of plane_sync(); no place word names the extent any more */
    (void)atomic_fetch_or_explicit(&w->live->dropped, UINT64_C(1) << i, memory_order_release);
    (void)munmap(x->base, w->extent_bytes);
    (void)close(x->fd);
    (void)close(w->fds.extent[i]);
    w->fds.extent[i] = -1;
    w->view.extent[i] = NULL;
    w->bytes.held_now -= x->held_bytes;
    while (x->gaps) {
        struct plane_gap *gap = x->gaps;
        x->gaps = gap->next;
        gap_drop(w, gap);
    }
    *x = (struct plane_extent){.fd = -1};
}

void plane_drop_idle_extents(struct plane_writer *w, uint64_t bytes_still_to_come)
{
    uint64_t room = 0;
    for (uint32_t i = 0; i < w->extents_n; i++)
        room += w->extent[i].base ? room_of(w, &w->extent[i]) : 0;
    for (uint32_t i = w->extents_n; i-- > 0;) {
        const struct plane_extent *x = &w->extent[i];
        if (!x->base || x->places_n > 0)
            continue;
        uint64_t less = room - room_of(w, x);
        if (less < bytes_still_to_come ||
            w->budget_bytes - w->bytes.series_now < bytes_still_to_come)
            continue;
        room = less;
        drop_extent(w, i);
    }
}

void plane_writer_sync(struct plane_writer *w)
{
    uint64_t dropped = atomic_load_explicit(&w->live->dropped, memory_order_acquire);
    for (uint32_t i = 0; i < w->extents_n; i++) {
        if (!(dropped >> i & 1) || !w->extent[i].base)
            continue;
        (void)munmap(w->extent[i].base, w->extent_bytes);
        (void)close(w->extent[i].fd);
        (void)close(w->fds.extent[i]);
        w->extent[i] = (struct plane_extent){.fd = -1};
        w->fds.extent[i] = -1;
        w->view.extent[i] = NULL;
    }
}
