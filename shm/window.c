/* SPDX-License-Identifier: MIT */
#include "shm/window.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* The first and last byte of a clock's columns. */
static void extent_of(const struct plane_clock *c, uint64_t *ret_from, uint64_t *ret_to)
{
    const uint64_t columns[] = {c->time_off, c->open_off,  c->high_off,
                                c->low_off,  c->close_off, c->volume_off};
    *ret_from = UINT64_MAX;
    *ret_to = 0;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        uint64_t end = columns[i] + (uint64_t)c->rows_n * sizeof(double);
        *ret_from = columns[i] < *ret_from ? columns[i] : *ret_from;
        *ret_to = end > *ret_to ? end : *ret_to;
    }
}

int private_bars_map(const struct plane *plane, uint32_t clock_idx, struct private_bars *ret_bars,
                     struct err *err)
{
    const struct plane_clock *c =
        (const struct plane_clock *)(plane->base + plane->header->clocks_off);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from, to;

    if (clock_idx >= plane->clocks_n)
        return err_set(err, ERR_BUG, "bars of clock %u of %u", clock_idx, plane->clocks_n);
    c += clock_idx;
    extent_of(c, &from, &to);
    from -= from % page;
    uint8_t *map =
        mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE, plane->core_fd, (off_t)from);
    if (map == MAP_FAILED)
        return err_set_errno(err, ERR_SYSTEM, errno, "bars of one's own cannot be mapped");
    struct private_bars p = {
        .bars = plane->clock[clock_idx].bars,
        .open = (double *)(map + (c->open_off - from)),
        .high = (double *)(map + (c->high_off - from)),
        .low = (double *)(map + (c->low_off - from)),
        .close = (double *)(map + (c->close_off - from)),
        .volume = (double *)(map + (c->volume_off - from)),
        .map = map,
        .map_bytes = to - from,
    };
    p.bars.time_ns = (const int64_t *)(map + (c->time_off - from));
    p.bars.open = p.open;
    p.bars.high = p.high;
    p.bars.low = p.low;
    p.bars.close = p.close;
    p.bars.volume = p.volume;
    *ret_bars = p;
    return 0;
}

void private_bars_unmap(struct private_bars *bars)
{
    if (bars->map)
        (void)munmap(bars->map, bars->map_bytes);
    *bars = (struct private_bars){0};
}
