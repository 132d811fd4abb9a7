/* SPDX-License-Identifier: MIT */
/* Times TA-Lib over the bars of bench_indicators; talib.py builds it where TA-Lib can be had.
 * Prints one JSON object a case: ns a row with all outputs, beside the plain running sum of the
 * same runs.
 *
 *     talib_driver [BARS [RUNS]]
 *
 * Each case runs in a process of its own, so that none finds the heap as another left it. Some
 * functions take memory for every call; `kept` is their time where the heap never gives pages back,
 * so that they do not pay for page faults. */
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include "talib_case.h"
#include "turns.h"

struct subject {
    struct bench_bars bars;
    double *out[TALIB_OUTPUTS_MAX];
    uint32_t runs_n;
    size_t i; /* of cases */
};

static const struct {
    const char *indicator, *parameters;
} cases[] = {
#define CASE(indicator, parameters, call) {indicator, parameters},
#include "talib.def"
#undef CASE
};
#define CASES_N (sizeof(cases) / sizeof(cases[0]))

static int run_plain(void *ctx)
{
    struct subject *s = ctx;
    bench_plain_sma(s->bars.column[BARS_CLOSE], s->bars.rows_n, s->out[0]);
    return 0;
}

static int run_case(void *ctx)
{
    struct subject *s = ctx;
    return talib_case(s->i, &s->bars, s->out);
}

/* In a child: prints the line of a case. 0, or 1 where TA-Lib refused it. */
static int report(struct subject *s)
{
    enum { PLAIN, CASE, ENTRANTS_N };
    struct entrant given[ENTRANTS_N] = {{.name = "plain", .run = run_plain, .ctx = s},
                                        {.name = "case", .run = run_case, .ctx = s}};
    struct entrant kept[ENTRANTS_N] = {given[PLAIN], given[CASE]};
    turns_measure(given, ENTRANTS_N, s->bars.rows_n, s->runs_n);
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    (void)mallopt(M_TOP_PAD, 1 << 28);
    turns_measure(kept, ENTRANTS_N, s->bars.rows_n, s->runs_n);
    (void)printf("{\"indicator\": \"%s\", \"parameters\": \"%s\", \"best\": %.3f, "
                 "\"median\": %.3f, \"kept_best\": %.3f, \"kept_median\": %.3f, "
                 "\"plain_best\": %.3f, \"plain_median\": %.3f}\n",
                 cases[s->i].indicator, cases[s->i].parameters, given[CASE].best,
                 given[CASE].median, kept[CASE].best, kept[CASE].median, given[PLAIN].best,
                 given[PLAIN].median);
    (void)fflush(stdout);
    return given[CASE].run && kept[CASE].run ? 0 : 1;
}

int main(int argc, char **argv)
{
    uint32_t rows_n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    struct subject s = {.runs_n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 7};
    if (rows_n < 1000 || !s.runs_n)
        return 2;
    bench_bars_init(&s.bars, rows_n);
    for (int i = 0; i < TALIB_OUTPUTS_MAX; i++)
        s.out[i] = bench_series(rows_n);
    for (s.i = 0; s.i < CASES_N; s.i++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(report(&s));
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
            (void)fprintf(stderr, "talib_driver: %s failed\n", cases[s.i].indicator);
            return 1;
        }
    }
    free(s.bars.time_ns);
    return 0;
}
