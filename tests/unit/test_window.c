/* SPDX-License-Identifier: MIT */
/* The promise: a window shows the values themselves, of any length, up to any row; bars of one's
 * own can be altered at will, only pages that were touched are copied, and nobody else sees it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "shm/window.h"
#include "tests/unit/plane_fixture.h"

/* ---- windows -------------------------------------------------------------------------------- */

Test(window, shows_the_last_values_where_they_lie)
{
    static struct sample s;
    struct plane_writer *w = build_sample(&s);
    struct plane *plane = open_plane(w);
    struct series_view view;

    cr_assert(plane_series(plane, 0, "close", &view));
    for (uint32_t row = 0; row < ROWS; row++) {
        for (uint32_t n = 0; n <= ROWS + 3; n++) {
            struct window x = window_of(&view, row, n);
            uint32_t length = n < row + 1 ? n : row + 1;
            cr_assert(x.n == length && x.first_row == row + 1 - length);
            cr_assert(x.values == plane->symbol[0].bars.close + x.first_row, "it is a copy");
            if (length > 0)
                cr_assert(window_value(&x, length - 1) == s.column[0][3][row]);
        }
    }
    struct window huge = window_of(&view, ROWS - 1, UINT32_MAX);
    cr_assert(huge.n == ROWS && huge.first_row == 0);
    cr_assert(plane_series(plane, 1, "sma(close,3)", &view));
    struct window x = window_of(&view, 10, 4);
    cr_assert(x.first_row == 7 && window_value(&x, 0) == 7 && window_value(&x, 3) == 10);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(window, shows_floats_and_bits)
{
    const float floats[] = {0.5F, 1.5F, 2.5F, 3.5F};
    uint64_t bits[3] = {UINT64_C(1) << 63, 5, 0};
    const struct series_view f = {SERIES_F32, floats, 0}, b = {SERIES_BITS, bits, 0};

    struct window x = window_of(&f, 2, 2);
    cr_assert(x.n == 2 && window_value(&x, 0) == 1.5 && window_value(&x, 1) == 2.5);
    x = window_of(&b, 66, 5); /* rows 62 to 66 */
    cr_assert(x.n == 5 && x.values == bits);
    static const double seen[] = {0, 1, 1, 0, 1};
    for (uint32_t i = 0; i < 5; i++)
        cr_assert(window_value(&x, i) == seen[i], "%u", i);
}

/* ---- bars of one's own ---------------------------------------------------------------------- */

#define MANY_ROWS 65536 /* 128 pages a column */

static double column[MANY_ROWS];
static int64_t times[MANY_ROWS];

/* Two symbols of one tape. */
static struct plane_writer *long_plane(void)
{
    static struct bars bars[2];
    static const uint32_t first_row[2];
    for (uint32_t i = 0; i < MANY_ROWS; i++) {
        times[i] = i * HOUR_NS;
        column[i] = i;
    }
    for (int k = 0; k < 2; k++)
        bars[k] = (struct bars){k ? "B" : "A", MANY_ROWS, times, column, column, column,
                                column,        column,    0,     NULL,   NULL};
    return create(
        &(struct plane_plan){.symbols_n = 2, .traded_n = 2, .bars = bars, .first_row = first_row});
}

/* A line of /proc/self/smaps about the map at an address, in bytes. */
static uint64_t smaps_bytes(const void *at, const char *field)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool is_it = false;
    uint64_t found = UINT64_MAX;
    cr_assert(file != NULL);
    while (fgets(line, sizeof line, file)) {
        unsigned long long from, to, kib;
        if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
            is_it = (uintptr_t)at >= from && (uintptr_t)at < to;
        else if (is_it && strncmp(line, field, strlen(field)) == 0 &&
                 sscanf(line + strlen(field), ": %llu kB", &kib) == 1)
            found = kib * 1024;
    }
    (void)fclose(file);
    cr_assert(found != UINT64_MAX, "smaps has no %s", field);
    return found;
}

static double sum_of(const struct private_bars *p)
{
    double sum = 0;
    for (uint32_t i = 0; i < p->bars.rows_n; i++)
        sum += (double)(p->bars.time_ns[i] / HOUR_NS) + p->open[i] + p->high[i] + p->low[i] +
               p->close[i] + p->volume[i];
    return sum;
}

static struct private_bars map_bars(const struct plane *plane, uint32_t clock_idx)
{
    struct private_bars p;
    struct err err = {0};
    cr_assert(private_bars_map(plane, clock_idx, &p, &err) == 0, "%s", err.text);
    return p;
}

Test(window, only_touched_pages_are_copied)
{
    struct plane_writer *w = long_plane();
    struct plane *plane = open_plane(w);
    struct private_bars p = map_bars(plane, 1);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    cr_assert(memcmp(p.close, plane->symbol[1].bars.close, sizeof column) == 0);
    cr_assert(p.bars.rows_n == MANY_ROWS && strcmp(p.bars.symbol, "B") == 0);
    volatile double sum = sum_of(&p);
    cr_assert(smaps_bytes(p.map, "Private_Dirty") == 0, "reading copies nothing");
    cr_assert(smaps_bytes(p.map, "Anonymous") == 0);
    uint64_t shared = smaps_bytes(p.map, "Rss");
    cr_assert(shared >= 6 * sizeof column, "all of it was read");

    p.close[1000] *= 2;
    p.close[1001] = -1; /* the same page */
    p.high[50000] = 7;
    p.volume[MANY_ROWS - 1] = 0;
    cr_assert(smaps_bytes(p.map, "Private_Dirty") == 3 * page);
    cr_assert(smaps_bytes(p.map, "Anonymous") == 3 * page);
    uint64_t still = smaps_bytes(p.map, "Shared_Clean") + smaps_bytes(p.map, "Shared_Dirty");
    cr_assert(still == shared - 3 * page, "untouched pages stay shared");
    cr_assert(sum_of(&p) != sum && p.bars.close[1000] == 2000 && p.bars.high[50000] == 7);
    private_bars_unmap(&p);
    private_bars_unmap(&p);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(window, nobody_else_sees_a_change)
{
    struct plane_writer *w = long_plane();
    struct plane *plane = open_plane(w);
    struct private_bars mine = map_bars(plane, 0), other = map_bars(plane, 0);
    uint64_t before = XXH3_64bits(plane->base, plane->size_bytes);

    memset(mine.open, 0, sizeof column);
    cr_assert(other.open[9] == 9 && plane->symbol[0].bars.open[9] == 9);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) { /* another process with maps of its own */
        struct private_bars theirs = map_bars(plane, 0);
        bool is_whole = theirs.open[9] == 9;
        memset(theirs.close, 0xff, sizeof column);
        memset(other.close, 0xff, sizeof column);
        _exit(is_whole ? 0 : 1);
    }
    int status;
    cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_assert(other.close[9] == 9 && mine.close[9] == 9);
    cr_assert(XXH3_64bits(plane->base, plane->size_bytes) == before);
    cr_assert(plane_writer_view(w)->symbol[0].bars.open[9] == 9);
    private_bars_unmap(&mine);
    private_bars_unmap(&other);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(window, bars_that_are_not_there_cannot_be_mapped)
{
    struct plane_writer *w = long_plane();
    struct plane *plane = open_plane(w);
    struct private_bars untouched = {.map_bytes = 77};
    struct err err = {0};

    cr_assert(private_bars_map(plane, 2, &untouched, &err) < 0 && err.kind == ERR_BUG);
    struct plane no_file = *plane;
    no_file.core_fd = -1;
    cr_assert(private_bars_map(&no_file, 0, &untouched, &err) < 0 && err.kind == ERR_SYSTEM);
    cr_assert(untouched.map_bytes == 77);
    plane_close(plane);
    plane_writer_destroy(w);
}
