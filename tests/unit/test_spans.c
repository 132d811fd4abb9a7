/* SPDX-License-Identifier: MIT */
/* Promise: whatever way rows are cut, from whichever tile they are begun, on whichever instruction
 * set and in whichever company of other parameters, a kernel gives the same bytes; it reads no row
 * but those that it may; and what is not finite harms no window that it is not in. Of every
 * indicator that has a kernel.
 *
 * Each set of parameters meets one kind of input, and an indicator's sets different ones;
 * ADMF_SPANS_SOAK=1: all meet all, on longer inputs. */
#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/indicator.h"

#define TILE       INDICATOR_TILE_ROWS
#define SHORT_ROWS 700u
#define GOOD_ROWS  2100u /* enough for the longest of the periods that are not too long */
#define SETS_N     4     /* of parameters */
#define FAMILY_N   37u

/* ---- inputs --------------------------------------------------------------------------------- */

static bool is_soak(void)
{
    const char *word = getenv("ADMF_SPANS_SOAK");
    return word && *word;
}

/* Some tiles and a part of one. */
static uint32_t long_tiles_n(void)
{
    return is_soak() ? 5 : 2;
}

static uint32_t long_rows_n(void)
{
    return long_tiles_n() * TILE + 1234;
}

static uint32_t random_below(uint32_t n)
{
    static uint64_t state = 11;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % n);
}

static double random_frac(void)
{
    return random_below(1u << 24) / (double)(1u << 24);
}

enum { OPEN, HIGH, LOW, CLOSE, VOLUME, OTHER, COLUMNS_N };
static const char *const column_names[] = {"open", "high", "low", "close", "volume"};

struct bars {
    uint32_t rows_n;
    double *column[COLUMNS_N];
    int64_t *time_ns;
};

static void set_bar(struct bars *b, uint32_t t, double open, double close, double step)
{
    b->column[OPEN][t] = open;
    b->column[CLOSE][t] = close;
    b->column[HIGH][t] = fmax(open, close) + random_frac() * step;
    b->column[LOW][t] = fmin(open, close) - random_frac() * step;
    b->column[VOLUME][t] = random_below(4) ? random_below(10000) : 0;
    b->column[OTHER][t] = random_below(9) ? random_frac() - 0.5 : 0.0;
    b->time_ns[t] = INT64_C(1600000000000000000) + t * INT64_C(600000000000);
}

enum input { INPUT_WALK, INPUT_HOLES, INPUT_REST, INPUT_GIANTS, INPUTS_N };
static const char *const input_names[] = {"walk", "holes", "rest", "giants"};

/* Whether what stands at this place, of those that differ in nothing but inputs, is to be tried. */
static bool is_tried(enum input input, size_t place)
{
    return is_soak() || place % INPUTS_N == input;
}

static void spoil(struct bars *b, uint32_t t, double what)
{
    b->column[random_below(COLUMNS_N)][t] = what;
}

static struct bars bars_create(enum input what, uint32_t rows_n)
{
    struct bars b = {.rows_n = rows_n, .time_ns = malloc(rows_n * sizeof(int64_t))};
    double close = 100.0;
    cr_assert_not_null(b.time_ns);
    for (int c = 0; c < COLUMNS_N; c++) {
        b.column[c] = malloc(rows_n * sizeof(double));
        cr_assert_not_null(b.column[c]);
    }
    for (uint32_t t = 0; t < rows_n; t++) {
        double open = close, step = what == INPUT_REST && t / 300 % 2 ? 0.0 : 0.25;
        close = fabs(close + (random_below(9) - 4.0) * step) + (step > 0.0 ? 0.01 : 0.0);
        set_bar(&b, t, open, close, step);
    }
    for (uint32_t t = 40; t < rows_n; t += 1 + random_below(rows_n > 5000 ? 2000 : 90)) {
        if (what == INPUT_HOLES)
            spoil(&b, t, random_below(3) ? NAN : random_below(2) ? INFINITY : -INFINITY);
        if (what == INPUT_GIANTS)
            spoil(&b, t, random_below(2) ? 1e9 : 1e13);
    }
    return b;
}

static void bars_fini(struct bars *b)
{
    for (int c = 0; c < COLUMNS_N; c++)
        free(b->column[c]);
    free(b->time_ns);
}

/* ---- a kernel with its parameters ----------------------------------------------------------- */

struct subject {
    const struct indicator *indicator;
    double param[INDICATOR_PARAMS_MAX];
    uint32_t lookback;
    unsigned inputs_n;
    const double *input[INDICATOR_INPUTS_MAX];
    const struct bars *bars;
    char what[160];
};

static double some_value(const struct indicator_param *p, int set)
{
    static const double periods[] = {2, 3, 5, 14, 20, 33, 64, 100, 700};
    double value;
    if (p->choices) {
        uint32_t n = 0;
        while (p->choices[n])
            n++;
        return random_below(n);
    }
    if (set == 0 && p->minimum > -1e6)
        return p->minimum;
    if (p->is_whole)
        value = set == SETS_N - 1 ? 1e6 : periods[random_below(sizeof(periods) / sizeof(double))];
    else
        value = p->maximum - p->minimum < 1e3
                    ? p->minimum + (p->maximum - p->minimum) * random_frac()
                    : 2.0;
    return fmin(fmax(value, p->minimum), p->maximum);
}

static const double *column_for(const struct bars *b, const char *name, size_t bytes, unsigned i)
{
    for (int c = 0; c < OTHER; c++) {
        if (strlen(column_names[c]) == bytes && strncmp(column_names[c], name, bytes) == 0)
            return b->column[c];
    }
    return b->column[i % 2 ? OTHER : CLOSE];
}

static struct subject subject_of(const struct indicator *indicator, int set, enum input input,
                                 const struct bars *b)
{
    struct subject s = {.indicator = indicator, .bars = b};
    int n = snprintf(s.what, sizeof(s.what), "%s on %s (", indicator->name, input_names[input]);
    for (unsigned i = 0; i < indicator->params_n; i++) {
        s.param[i] = some_value(&indicator->params[i], set);
        n += snprintf(s.what + n, sizeof(s.what) - (size_t)n, "%g,", s.param[i]);
    }
    s.lookback = indicator_lookback(indicator, s.param);
    for (; s.inputs_n < indicator->series_args_n; s.inputs_n++)
        s.input[s.inputs_n] = column_for(b, s.inputs_n ? "other" : "close", 5, s.inputs_n);
    for (const char *at = indicator->implied ? indicator->implied : ""; *at;) {
        size_t bytes = strcspn(at, " ");
        s.input[s.inputs_n] = column_for(b, at, bytes, s.inputs_n);
        s.inputs_n++;
        at += bytes;
        at += strspn(at, " ");
    }
    return s;
}

/* Rows of all outputs. */
struct result {
    double *out[INDICATOR_OUTPUTS_MAX];
};

static struct result result_create(const struct subject *s)
{
    struct result r = {{0}};
    for (unsigned o = 0; o < s->indicator->outputs_n; o++) {
        r.out[o] = malloc(s->bars->rows_n * sizeof(double));
        cr_assert_not_null(r.out[o]);
    }
    return r;
}

static void result_fini(struct result *r)
{
    for (unsigned o = 0; o < INDICATOR_OUTPUTS_MAX; o++)
        free(r->out[o]);
}

static void *state_create(const struct subject *s)
{
    size_t bytes = (s->indicator->state_bytes + 64u) / 64u * 64u;
    void *state = aligned_alloc(64, bytes);
    cr_assert_not_null(state);
    memset(state, 0, bytes);
    return state;
}

/* Rows [row, row + rows_n), where no other memory than what may be read is there. */
static void advance_alone(const struct subject *s, void *state, uint32_t row, uint32_t rows_n,
                          struct result *r)
{
    struct indicator_span span = {.row = row, .rows_n = rows_n, .param = s->param, .state = state};
    uint32_t past_n = row < s->lookback ? row : s->lookback;
    void *copies[INDICATOR_INPUTS_MAX + 1] = {0};
    for (unsigned i = 0; i <= s->inputs_n; i++) {
        bool is_time = i == s->inputs_n;
        const void *from = is_time ? (const void *)(s->bars->time_ns + (row - past_n))
                                   : (const void *)(s->input[i] + (row - past_n));
        copies[i] = malloc(((size_t)past_n + rows_n) * 8);
        cr_assert_not_null(copies[i]);
        memcpy(copies[i], from, ((size_t)past_n + rows_n) * 8);
        if (is_time && s->indicator->uses_time)
            span.time_ns = (int64_t *)copies[i] + past_n;
        else if (!is_time)
            span.input[i] = (double *)copies[i] + past_n;
    }
    for (unsigned o = 0; o < s->indicator->outputs_n; o++)
        span.out[o] = r->out[o] + row;
    cr_assert_eq(s->indicator->advance(&span), 0, "%s", s->what);
    for (unsigned i = 0; i <= s->inputs_n; i++)
        free(copies[i]);
}

static void make_whole(const struct subject *s, struct result *r)
{
    void *state = state_create(s);
    advance_alone(s, state, 0, s->bars->rows_n, r);
    free(state);
}

/* False where it has said so. */
static bool same_rows(const struct subject *s, const struct result *whole,
                      const struct result *part, uint32_t from, const char *how)
{
    for (unsigned o = 0; o < s->indicator->outputs_n; o++) {
        for (uint32_t t = from; t < s->bars->rows_n; t++) {
            double a = whole->out[o][t], b = part->out[o][t];
            if (memcmp(&a, &b, sizeof(a)) == 0 || (isnan(a) && isnan(b)))
                continue;
            cr_expect(false, "%s), output %u, %s, %s: row %u is %.17g instead of %.17g", s->what, o,
                      cpu_level_name(cpu_level()), how, t, b, a);
            return false;
        }
    }
    return true;
}

/* On one input, with some of the sets of parameters or with all. */
static void each_set(const struct indicator *indicator, size_t place, enum input input,
                     const struct bars *b, bool is_all, void (*test)(const struct subject *s))
{
    for (int set = 0; set < (indicator->params_n ? SETS_N : 1); set++) {
        if (!is_all && indicator->params_n && !is_tried(input, place + (size_t)set))
            continue;
        struct subject s = subject_of(indicator, set, input, b);
        test(&s);
    }
}

static void each_subject_on(enum input input, uint32_t rows_n, bool is_all,
                            void (*test)(const struct subject *s))
{
    struct bars b = bars_create(input, rows_n);
    for (size_t i = 0; i < indicator_count(); i++) {
        if (indicator_at(i)->advance)
            each_set(indicator_at(i), i, input, &b, is_all, test);
    }
    bars_fini(&b);
}

static void each_subject(uint32_t rows_n, void (*test)(const struct subject *s))
{
    for (enum input input = 0; input < INPUTS_N; input++)
        each_subject_on(input, rows_n, rows_n <= SHORT_ROWS, test);
}

/* ---- any cut -------------------------------------------------------------------------------- */

static uint32_t some_rows(uint32_t row, uint32_t rows_n)
{
    static const uint32_t cuts[] = {1, 2, 7, 63, 1000, 1024, 4099, 20000, TILE, 2 * TILE + 5};
    uint32_t n = cuts[random_below(sizeof(cuts) / sizeof(cuts[0]))];
    if (random_below(6) == 0)
        n = TILE - row % TILE; /* up to the tile's end */
    return n < rows_n - row ? n : rows_n - row;
}

static void cut_anywhere(const struct subject *s)
{
    struct result whole = result_create(s), part = result_create(s);
    void *state = state_create(s);
    make_whole(s, &whole);
    for (uint32_t row = 0, n; row < s->bars->rows_n; row += n) {
        n = some_rows(row, s->bars->rows_n);
        advance_alone(s, state, row, n, &part);
    }
    (void)same_rows(s, &whole, &part, 0, "cut");
    free(state);
    result_fini(&whole);
    result_fini(&part);
}

static void cut_into_single_rows(const struct subject *s)
{
    struct result whole = result_create(s), part = result_create(s);
    void *state = state_create(s);
    make_whole(s, &whole);
    for (uint32_t row = 0; row < s->bars->rows_n; row++)
        advance_alone(s, state, row, 1, &part);
    (void)same_rows(s, &whole, &part, 0, "row by row");
    free(state);
    result_fini(&whole);
    result_fini(&part);
}

Test(spans, any_cut_of_rows_gives_the_same_bytes)
{
    each_subject(long_rows_n(), cut_anywhere);
}

Test(spans, single_rows_give_the_same_bytes)
{
    each_subject(SHORT_ROWS, cut_into_single_rows);
    each_subject_on(INPUT_WALK, 1, true, cut_into_single_rows);
}

/* ---- from any tile -------------------------------------------------------------------------- */

/* With a state of zeros where nothing is carried, else with the state that was there. */
static void begin_at_a_tile(const struct subject *s)
{
    struct result whole = result_create(s), part = result_create(s);
    void *state = state_create(s), *fresh = state_create(s);
    uint32_t row = TILE * (1 + random_below(long_tiles_n()));
    bool is_carried = s->indicator->cls == CLASS_CUMULATIVE || s->indicator->cls == CLASS_RECURSIVE;
    make_whole(s, &whole);
    if (is_carried) {
        advance_alone(s, state, 0, row, &part);
        memcpy(fresh, state, s->indicator->state_bytes);
    }
    memset(state, 0xa5, s->indicator->state_bytes);
    advance_alone(s, fresh, row, s->bars->rows_n - row, &part);
    (void)same_rows(s, &whole, &part, row, "from a tile");
    free(state);
    free(fresh);
    result_fini(&whole);
    result_fini(&part);
}

Test(spans, a_tile_is_a_place_to_begin)
{
    each_subject_on(INPUT_WALK, long_rows_n(), false, begin_at_a_tile);
    each_subject_on(INPUT_GIANTS, long_rows_n(), false, begin_at_a_tile);
}

/* ---- any instruction set -------------------------------------------------------------------- */

static void each_level(const struct subject *s)
{
    struct result plain = result_create(s), other = result_create(s);
    enum cpu_level best = cpu_level();
    cr_assert(cpu_set_level(CPU_BASELINE));
    make_whole(s, &plain);
    for (enum cpu_level level = CPU_BASELINE + 1; level <= best; level++) {
        cr_assert(cpu_set_level(level));
        make_whole(s, &other);
        (void)same_rows(s, &plain, &other, 0, "whole");
    }
    cr_assert(cpu_set_level(best));
    result_fini(&plain);
    result_fini(&other);
}

Test(spans, instruction_sets_give_the_same_bytes)
{
    if (cpu_level() == CPU_BASELINE)
        cr_skip("this machine has no other than the plain instruction set");
    each_subject(long_rows_n(), each_level);
}

/* ---- many parameters at once ---------------------------------------------------------------- */

static void advance_together(const struct subject *subjects, struct result *results)
{
    struct indicator_span spans[FAMILY_N];
    const struct bars *b = subjects->bars;
    for (uint32_t k = 0; k < FAMILY_N; k++)
        spans[k] = (struct indicator_span){.param = subjects[k].param,
                                           .state = state_create(&subjects[k])};
    for (uint32_t row = 0, n; row < b->rows_n; row += n) {
        n = some_rows(row, b->rows_n);
        for (uint32_t k = 0; k < FAMILY_N; k++) {
            spans[k].row = row;
            spans[k].rows_n = n;
            for (unsigned i = 0; i < subjects[k].inputs_n; i++)
                spans[k].input[i] = subjects[k].input[i] + row;
            spans[k].time_ns = b->time_ns + row;
            for (unsigned o = 0; o < subjects[k].indicator->outputs_n; o++)
                spans[k].out[o] = results[k].out[o] + row;
        }
        cr_assert_eq(subjects->indicator->advance_family(spans, FAMILY_N), 0);
    }
    for (uint32_t k = 0; k < FAMILY_N; k++)
        free(spans[k].state);
}

static void compare_family(const struct indicator *indicator, enum input input,
                           const struct bars *b)
{
    struct subject subjects[FAMILY_N];
    struct result results[FAMILY_N];
    for (uint32_t k = 0; k < FAMILY_N; k++) {
        int set = k == 5 ? 0 : k == 30 ? SETS_N - 1 : 1;
        subjects[k] = subject_of(indicator, set, input, b);
        results[k] = result_create(&subjects[k]);
    }
    advance_together(subjects, results);
    for (uint32_t k = 0; k < FAMILY_N; k++) {
        struct result alone = result_create(&subjects[k]);
        make_whole(&subjects[k], &alone);
        (void)same_rows(&subjects[k], &alone, &results[k], 0, "in company");
        result_fini(&alone);
    }
    for (uint32_t k = 0; k < FAMILY_N; k++)
        result_fini(&results[k]);
}

Test(spans, company_gives_the_same_bytes)
{
    enum cpu_level best = cpu_level();
    for (enum cpu_level level = CPU_BASELINE; level <= best; level++) {
        cr_assert(cpu_set_level(level));
        for (enum input input = 0; input < INPUTS_N; input++) {
            struct bars b = bars_create(input, TILE + 5000);
            for (size_t i = 0; i < indicator_count(); i++) {
                if (indicator_at(i)->advance_family && is_tried(input, i + level))
                    compare_family(indicator_at(i), input, &b);
            }
            bars_fini(&b);
        }
    }
}

/* ---- what is not finite --------------------------------------------------------------------- */

/* Rows before the first one that is defined where all input is; that of a window without any. */
static uint32_t warm_up_of(const struct subject *s)
{
    struct bars good = bars_create(INPUT_WALK, GOOD_ROWS);
    struct subject on_good = *s;
    uint32_t first = 0;
    on_good.bars = &good;
    for (unsigned i = 0; i < s->inputs_n; i++) {
        for (int c = 0; c < COLUMNS_N; c++)
            on_good.input[i] =
                s->input[i] == s->bars->column[c] ? good.column[c] : on_good.input[i];
    }
    struct result r = result_create(&on_good);
    make_whole(&on_good, &r);
    while (first < GOOD_ROWS && !isfinite(r.out[0][first]))
        first++;
    result_fini(&r);
    bars_fini(&good);
    return first < GOOD_ROWS ? first : s->lookback;
}

static void windows_alone_are_undefined(const struct subject *s)
{
    struct result whole = result_create(s);
    uint32_t good_n = 0; /* in a row */
    if (s->indicator->cls != CLASS_ROLLING) {
        result_fini(&whole);
        return;
    }
    uint32_t warm_up = warm_up_of(s);
    make_whole(s, &whole);
    for (uint32_t t = 0; t < s->bars->rows_n; t++) {
        bool is_good = true;
        for (unsigned i = 0; i < s->inputs_n; i++)
            is_good = is_good && isfinite(s->input[i][t]);
        good_n = is_good ? good_n + 1 : 0;
        /* of several inputs, some may not be looked at in the oldest row */
        if (s->inputs_n > 1 && good_n == warm_up && good_n > 0)
            continue;
        for (unsigned o = 0; o < s->indicator->outputs_n; o++)
            cr_assert_eq(!!isfinite(whole.out[o][t]), good_n > warm_up,
                         "%s), output %u: row %u is %g, with %u good ones", s->what, o, t,
                         whole.out[o][t], good_n);
    }
    result_fini(&whole);
}

Test(spans, what_is_not_finite_dies_with_its_window)
{
    each_subject(SHORT_ROWS, windows_alone_are_undefined);
    each_subject(long_rows_n(), windows_alone_are_undefined);
}
