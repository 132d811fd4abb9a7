/* SPDX-License-Identifier: MIT */
/* Bars and clocks of the indicators' benchmarks: bench_indicators and talib_driver time the same
 * work over the same numbers. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { BARS_OPEN, BARS_HIGH, BARS_LOW, BARS_CLOSE, BARS_VOLUME, BARS_COLUMNS_N };

/* Series lie behind each other in one map, on cache lines, each 9 lines further from the beginning
 * of a page than the one before: no row of one shares its place in a page with that row of another,
 * and no program finds them laid out by chance. Freed with the process. */
#define BENCH_MAP_BYTES  ((size_t)4 << 30) /* of address space */
#define BENCH_PAGE_BYTES ((size_t)4096)
#define BENCH_LINE_BYTES ((size_t)64)

static inline double *bench_series(size_t rows_n)
{
    static char *map;
    static size_t used_bytes, count;
    size_t start = (used_bytes + BENCH_PAGE_BYTES - 1) / BENCH_PAGE_BYTES * BENCH_PAGE_BYTES +
                   9 * BENCH_LINE_BYTES * count++ % BENCH_PAGE_BYTES;
    if (!map)
        map = mmap(NULL, BENCH_MAP_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED || start + rows_n * sizeof(double) > BENCH_MAP_BYTES) {
        (void)fprintf(stderr, "bench: out of memory\n");
        exit(70);
    }
    used_bytes = start + rows_n * sizeof(double);
    return (double *)(void *)(map + start);
}

struct bench_bars {
    uint32_t rows_n;
    int64_t *time_ns;
    double *column[BARS_COLUMNS_N];
};

static inline void *bench_alloc(size_t n, size_t bytes)
{
    void *memory = calloc(n, bytes);
    if (!memory) {
        (void)fprintf(stderr, "bench: out of memory\n");
        exit(70);
    }
    return memory;
}

/* splitmix64: a number in [0, 1). */
static inline double bench_uniform(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* A seeded geometric walk of minute bars from 2000-01-01 without gaps, 3e-4 a bar. */
static inline void bench_bars_init(struct bench_bars *bars, uint32_t rows_n)
{
    uint64_t state = 11;
    double px = 100.0;
    bars->rows_n = rows_n;
    bars->time_ns = bench_alloc(rows_n, sizeof(*bars->time_ns));
    for (int i = 0; i < BARS_COLUMNS_N; i++)
        bars->column[i] = bench_series(rows_n);
    for (uint32_t t = 0; t < rows_n; t++) {
        double gauss = -6.0; /* the sum of twelve uniforms */
        for (int k = 0; k < 12; k++)
            gauss += bench_uniform(&state);
        double open = px;
        px *= 1.0 + 3e-4 * gauss;
        bars->time_ns[t] = (INT64_C(946684800) + INT64_C(60) * t) * 1000000000;
        bars->column[BARS_OPEN][t] = open;
        bars->column[BARS_HIGH][t] = (open > px ? open : px) * (1.0 + 2e-4 * bench_uniform(&state));
        bars->column[BARS_LOW][t] = (open < px ? open : px) * (1.0 - 2e-4 * bench_uniform(&state));
        bars->column[BARS_CLOSE][t] = px;
        bars->column[BARS_VOLUME][t] = 100.0 + (double)(int)(1000.0 * bench_uniform(&state));
    }
}

/* Processor time of this process: what others do on the machine counts only through its caches. */
static inline double bench_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The yardstick between machines: a mean of the last 20 by a plain running sum. Never inlined, so
 * that every program times the same loop. */
static __attribute__((noinline, unused)) void bench_plain_sma(const double *x, uint32_t rows_n,
                                                              double *out)
{
    const uint32_t n = 20;
    double sum = 0.0;
    for (uint32_t t = 0; t < n && t < rows_n; t++) {
        sum += x[t];
        out[t] = sum / n;
    }
    for (uint32_t t = n; t < rows_n; t++) {
        sum += x[t];
        sum -= x[t - n];
        out[t] = sum / n;
    }
}

static inline int bench_compare_f64(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static inline void bench_sort(double *ns, uint32_t n)
{
    qsort(ns, n, sizeof(*ns), bench_compare_f64);
}
