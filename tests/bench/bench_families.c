/* SPDX-License-Identifier: MIT */
/* What a value costs where 200 periods of one indicator are made of the same series: into memory
 * that has been touched before and that no cache holds, and into a cache, beside plain filling of
 * that memory. Prints one JSON object a line: ns a value, medians with best and worst.
 *
 *     bench_families [RUNS [INDICATOR...]] */
#include <string.h>

#include "shm/indicator/indicator.h"
#include "tests/bench/bars.h"
#include "tests/bench/turns.h"

#define FAMILY_N    200u
#define FIRST       5u      /* the shortest period */
#define ROWS        262144u /* 400 MB of values */
#define CHUNK       1024u   /* rows written over and over where a cache shall hold them */
#define ALIGNMENT   64u
#define STATE_BYTES ((size_t)INDICATOR_STATE_BYTES_MAX)

struct family {
    const struct indicator *indicator; /* with one series and a period */
    const double *input;
    uint32_t rows_n;
    uint32_t chunk_rows; /* rows made at once */
    int keeps_all;       /* else each chunk is written over the one before */
    double param[FAMILY_N];
    double *values;        /* [FAMILY_N][rows_n] */
    unsigned char *states; /* [FAMILY_N][STATE_BYTES] */
};

static int family_advance(const struct indicator *indicator, struct indicator_span *spans)
{
    int r = 0;
    if (indicator->advance_family)
        return indicator->advance_family(spans, FAMILY_N);
    for (uint32_t i = 0; r == 0 && i < FAMILY_N; i++)
        r = indicator->advance(&spans[i]);
    return r;
}

static int run_family(void *ctx)
{
    struct family *f = ctx;
    struct indicator_span spans[FAMILY_N];
    int r = 0;
    memset(f->states, 0, FAMILY_N * STATE_BYTES);
    for (uint32_t row = 0; r == 0 && row < f->rows_n; row += f->chunk_rows) {
        uint32_t left = f->rows_n - row;
        for (uint32_t i = 0; i < FAMILY_N; i++)
            spans[i] = (struct indicator_span){
                .row = row,
                .rows_n = left < f->chunk_rows ? left : f->chunk_rows,
                .input = {f->input + row},
                .param = &f->param[i],
                .state = f->states + i * STATE_BYTES,
                .out = {f->keeps_all ? f->values + (size_t)i * f->rows_n + row
                                     : f->values + (size_t)i * f->chunk_rows},
            };
        r = family_advance(f->indicator, spans);
    }
    return r;
}

/* The floor: the same memory filled with a number. */
static int run_fill(void *ctx)
{
    struct family *f = ctx;
    for (size_t i = 0; i < (size_t)FAMILY_N * f->rows_n; i++)
        f->values[i] = 1.5;
    return 0;
}

static void report(struct family *memory, uint32_t runs_n)
{
    struct family cached = *memory;
    cached.chunk_rows = CHUNK;
    cached.keeps_all = 0;
    struct entrant entrants[] = {
        {.name = "fill", .run = run_fill, .ctx = memory},
        {.name = "memory", .run = run_family, .ctx = memory},
        {.name = "cache", .run = run_family, .ctx = &cached},
    };
    size_t entrants_n = sizeof(entrants) / sizeof(entrants[0]);
    turns_measure(entrants, entrants_n, ROWS, runs_n);
    (void)printf("{\"family\": \"%s\", \"periods\": %u, \"rows\": %u, \"at_once\": %s",
                 memory->indicator->name, FAMILY_N, memory->rows_n,
                 memory->indicator->advance_family ? "true" : "false");
    turns_print(entrants, entrants_n, 1.0 / FAMILY_N);
}

/* sma and ema always; of the rest those that make many periods in one pass. */
static int is_family(const struct indicator *indicator)
{
    int is_wanted = indicator->advance_family || strcmp(indicator->name, "sma") == 0 ||
                    strcmp(indicator->name, "ema") == 0;
    return is_wanted && indicator->advance && indicator->series_args_n == 1 &&
           !indicator->implied && indicator->params_n == 1 && indicator->params[0].is_whole &&
           indicator->outputs_n == 1;
}

static int is_named(char *const *names, const char *name)
{
    int is_any = !names[0];
    for (; !is_any && *names; names++)
        is_any = strcmp(*names, name) == 0;
    return is_any;
}

int main(int argc, char **argv)
{
    uint32_t runs_n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 7;
    struct bench_bars bars;
    struct family f = {.rows_n = ROWS, .chunk_rows = ROWS, .keeps_all = 1};
    if (!runs_n)
        return 2;
    bench_bars_init(&bars, ROWS);
    f.input = bars.column[BARS_CLOSE];
    f.values = bench_series((size_t)FAMILY_N * ROWS);
    f.states = aligned_alloc(ALIGNMENT, FAMILY_N * STATE_BYTES);
    if (!f.states)
        return 70;
    for (uint32_t i = 0; i < FAMILY_N; i++)
        f.param[i] = FIRST + i;
    for (size_t i = 0; i < indicator_count(); i++) {
        f.indicator = indicator_at(i);
        if (is_family(f.indicator) && is_named(argv + (argc > 2 ? 2 : argc), f.indicator->name))
            report(&f, runs_n);
    }
    free(f.states);
    free(bars.time_ns);
    return 0;
}
