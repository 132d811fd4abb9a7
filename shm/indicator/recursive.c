/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "shm/indicator/recursive.h"

/* Rows of a family that are made again one by one where a value is not finite, and so many at a
 * time while some member is not yet seeded. */
#define FAMILY_ROWS      1024u
#define FAMILY_SEED_ROWS 64u
/* Fewer members than that are quicker one after another, each in chains. */
#define FAMILY_PAYS 9u

static_assert(sizeof(struct recursive_state) <= INDICATOR_STATE_BYTES_MAX, "a state fits");
static_assert(FAMILY_ROWS % RECURSIVE_BLOCK == 0, "lanes make whole blocks");

/* An advance under way. Rows are numbered from the beginning of the span. */
struct run {
    const struct recursive *kernel;
    const struct indicator_span *span;
    struct recursive_setup setup;
    struct recursive_state *state;
};

static void run_init(struct run *run, const struct recursive *kernel,
                     const struct indicator_span *span)
{
    *run = (struct run){.kernel = kernel, .span = span, .state = span->state};
    run->setup.param = span->param;
    kernel->prepare(span->param, &run->setup);
}

/* Input i of the step at row t. */
static const double *input_at(const struct run *run, unsigned i, uint32_t t)
{
    if (i < run->kernel->series_n)
        return run->span->input[i] + t;
    return run->span->input[0] + t - run->setup.lag[i];
}

static bool is_finite(const double *value, unsigned n)
{
    double nothing = 0.0;
    for (unsigned i = 0; i < n; i++)
        nothing += value[i] - value[i];
    return nothing == 0.0;
}

static void write_row(const struct run *run, uint32_t t, const double *row)
{
    for (unsigned o = 0; o < run->kernel->outputs_n; o++) {
        if (run->span->out[o])
            run->span->out[o][t] = row[o];
    }
}

/* ---- row by row ----------------------------------------------------------------------------- */

/* Seeds with row t, or begins again behind it if it is not finite. */
static void seed_row(const struct run *run, uint32_t t, double *ret_out)
{
    struct recursive_state *state = run->state;
    struct recursive_row row = {
        .setup = &run->setup, .seen = state->seen, .value = state->value, .out = ret_out};
    double x[RECURSIVE_INPUTS_MAX];
    for (unsigned o = 0; o < RECURSIVE_OUTPUTS_MAX; o++)
        ret_out[o] = NAN;
    for (unsigned i = 0; i < run->kernel->series_n; i++) {
        row.at[i] = run->span->input[i] + t;
        x[i] = row.at[i][0];
    }
    if (is_finite(x, run->kernel->series_n))
        run->kernel->seed(&row);
    if (is_finite(x, run->kernel->series_n) && is_finite(state->value, run->kernel->values_n)) {
        state->seen++;
        return;
    }
    *state = (struct recursive_state){0};
    for (unsigned o = 0; o < RECURSIVE_OUTPUTS_MAX; o++)
        ret_out[o] = NAN;
}

/* Rows from t on up to the next that refresh() comes before, at most n; refreshes if t is one. */
static uint32_t rows_to_refresh(const struct run *run, uint32_t t, uint32_t n)
{
    uint32_t period = run->setup.fresh_rows;
    if (!period)
        return n;
    uint32_t since = (run->span->row + t) % period;
    if (since == 0)
        run->kernel->refresh(&run->setup, run->span->input[0] + t, run->state->value);
    return period - since < n ? period - since : n;
}

/* Steps through at most n rows from t on; how many were made. */
static uint32_t step_rows(const struct run *run, uint32_t t, uint32_t n)
{
    static const double undefined[RECURSIVE_OUTPUTS_MAX] = {NAN, NAN, NAN};
    struct recursive_rows rows = {.constant = run->setup.constant,
                                  .value = run->state->value,
                                  .rows_n = rows_to_refresh(run, t, n)};
    for (unsigned i = 0; i < run->kernel->inputs_n; i++)
        rows.in[i] = input_at(run, i, t);
    for (unsigned o = 0; o < run->kernel->outputs_n; o++)
        rows.out[o] = run->span->out[o] ? run->span->out[o] + t : NULL;
    uint32_t made = run->kernel->code.rows(&rows);
    if (made == rows.rows_n)
        return made;
    *run->state = (struct recursive_state){0};
    write_row(run, t + made, undefined);
    return made + 1;
}

/* Rows [t, end) in order, whatever they hold. */
static void run_rows(const struct run *run, uint32_t t, uint32_t end)
{
    double row[RECURSIVE_OUTPUTS_MAX];
    while (t < end) {
        if (run->state->seen >= run->setup.first) {
            t += step_rows(run, t, end - t);
        } else {
            seed_row(run, t, row);
            write_row(run, t++, row);
        }
    }
}

/* ---- lanes ---------------------------------------------------------------------------------- */

static void take_values(const struct run *run, const struct recursive_lanes *lanes, unsigned lane,
                        double *ret_value)
{
    for (unsigned i = 0; i < run->kernel->values_n; i++)
        ret_value[i] = lanes->value[i][lane];
}

static void give_values(const struct run *run, struct recursive_lanes *lanes, unsigned lane,
                        const double *value)
{
    for (unsigned i = 0; i < run->kernel->values_n; i++)
        lanes->value[i][lane] = value[i];
}

static void give_constants(const struct run *run, struct recursive_lanes *lanes, unsigned lane)
{
    for (unsigned i = 0; i < run->kernel->constants_n; i++)
        lanes->constant[i][lane] = run->setup.constant[i];
}

/* ---- one series in chains ------------------------------------------------------------------- */

/* Part i is rows [start + i * part_n, start + (i + 1) * part_n). */
struct chains {
    struct recursive_lanes lanes;
    struct recursive_state begin[RECURSIVE_CHAINS]; /* how each came to its part */
    uint32_t start, part_n, warm_n;
};

/* Rounds down to what the parts may be: whole blocks, and between two refreshes; an odd number of
 * cache lines, so that equal rows of all parts do not fall into the same set of the cache. */
static uint32_t part_rows(const struct run *run, uint32_t n)
{
    uint32_t unit = run->setup.fresh_rows ? run->setup.fresh_rows : RECURSIVE_BLOCK;
    uint32_t units = n / unit;
    return (units % 2 || units == 0 ? units : units - 1) * unit;
}

/* Where chains are to begin, from t on; false if they would spend more rows before their parts than
 * in them, so that they do not pay. */
static bool plan_chains(const struct run *run, uint32_t t, struct chains *c)
{
    const struct recursive_setup *setup = &run->setup;
    uint32_t unit = setup->fresh_rows ? setup->fresh_rows : RECURSIVE_BLOCK;
    uint32_t left = run->span->rows_n - t;
    if (RECURSIVE_CHAINS * (setup->first + setup->warm_rows) > left)
        return false;
    uint32_t off = setup->fresh_rows ? (run->span->row + t) % unit : 0;
    c->start = off ? t + unit - off : t;
    c->warm_n = (uint32_t)(setup->warm_rows + unit - 1) / unit * unit;
    if (run->span->rows_n <= c->start)
        return false;
    c->part_n = part_rows(run, (run->span->rows_n - c->start) / RECURSIVE_CHAINS);
    return c->part_n >= setup->first + c->warm_n;
}

/* Seeds chain i behind its warm-up; what is not finite leaves it less than seeded. */
static void seed_chain(const struct run *run, struct chains *c, unsigned i)
{
    double row[RECURSIVE_OUTPUTS_MAX];
    struct run chain = *run;
    uint32_t end = c->start + i * c->part_n - c->warm_n;
    chain.state = &c->begin[i];
    *chain.state = (struct recursive_state){0};
    for (uint32_t t = end - (uint32_t)run->setup.first; t < end; t++)
        seed_row(&chain, t, row);
    give_values(run, &c->lanes, i, chain.state->value);
}

static void refresh_lanes(const struct run *run, struct chains *c, uint32_t done)
{
    for (unsigned i = 0; i < RECURSIVE_CHAINS; i++) {
        double value[RECURSIVE_VALUES_MAX];
        take_values(run, &c->lanes, i, value);
        run->kernel->refresh(&run->setup, c->lanes.in[0][i] + done, value);
        give_values(run, &c->lanes, i, value);
    }
}

/* Chain i goes on from row first[i], for n rows. */
static void run_lanes(const struct run *run, struct chains *c, const uint32_t *first, uint32_t n,
                      bool is_wanted)
{
    uint32_t piece_n = run->setup.fresh_rows ? run->setup.fresh_rows : n;
    for (uint32_t done = 0; done < n; done += piece_n) {
        for (unsigned i = 0; i < RECURSIVE_CHAINS; i++) {
            for (unsigned k = 0; k < run->kernel->inputs_n; k++)
                c->lanes.in[k][i] = input_at(run, k, first[i] + done);
            for (unsigned o = 0; o < run->kernel->outputs_n; o++) {
                double *out = is_wanted ? run->span->out[o] : NULL;
                c->lanes.out[o][i] = out ? out + first[i] + done : NULL;
            }
        }
        if (run->setup.fresh_rows)
            refresh_lanes(run, c, 0);
        c->lanes.rows_n = piece_n;
        run->kernel->code.chains[cpu_level()](&c->lanes);
    }
}

/* Goes through the parts in order; those that did not begin as the one before ends are made again.
 * The state is that at the end of the last. */
static void settle_chains(const struct run *run, const struct chains *c)
{
    for (unsigned i = 0; i < RECURSIVE_CHAINS; i++) {
        double end[RECURSIVE_VALUES_MAX];
        take_values(run, &c->lanes, i, end);
        if (memcmp(run->state, &c->begin[i], sizeof(*run->state)) == 0 &&
            run->state->seen >= run->setup.first && is_finite(end, run->kernel->values_n))
            memcpy(run->state->value, end, run->kernel->values_n * sizeof(*end));
        else
            run_rows(run, c->start + i * c->part_n, c->start + (i + 1) * c->part_n);
    }
}

/* Makes rows [t, …) in chains; the first row that was not made, t if none. */
static uint32_t run_chains(const struct run *run, uint32_t t)
{
    struct chains c;
    uint32_t first[RECURSIVE_CHAINS];
    if (!plan_chains(run, t, &c))
        return t;
    run_rows(run, t, c.start);
    if (run->state->seen < run->setup.first)
        return c.start;
    for (unsigned i = 0; i < RECURSIVE_CHAINS; i++) {
        first[i] = c.start + (i ? i * c.part_n - c.warm_n : 0);
        give_constants(run, &c.lanes, i);
        if (i)
            seed_chain(run, &c, i);
    }
    give_values(run, &c.lanes, 0, run->state->value);
    run_lanes(run, &c, first, c.warm_n, false);
    c.begin[0] = *run->state;
    give_values(run, &c.lanes, 0, run->state->value);
    for (unsigned i = 0; i < RECURSIVE_CHAINS; i++) {
        first[i] = c.start + i * c.part_n;
        take_values(run, &c.lanes, i, c.begin[i].value);
    }
    run_lanes(run, &c, first, c.part_n, true);
    settle_chains(run, &c);
    return c.start + RECURSIVE_CHAINS * c.part_n;
}

int recursive_advance(const struct recursive *kernel, const struct indicator_span *span)
{
    struct run run;
    double row[RECURSIVE_OUTPUTS_MAX];
    uint32_t t = 0;
    run_init(&run, kernel, span);
    for (; t < span->rows_n && run.state->seen < run.setup.first; t++) {
        seed_row(&run, t, row);
        write_row(&run, t, row);
    }
    t = run_chains(&run, t);
    run_rows(&run, t, span->rows_n);
    return 0;
}

/* ---- a family ------------------------------------------------------------------------------- */

struct family {
    struct run run[RECURSIVE_FAMILY];
    struct recursive_lanes lanes;
    unsigned runs_n;
};

/* Rows [t, t + n) of all members in lanes; false, and no state has changed, if one came to a value
 * that is not finite. Lanes without a member do what the first does. */
static bool run_family_lanes(struct family *f, uint32_t t, uint32_t n)
{
    const struct recursive *kernel = f->run[0].kernel;
    for (unsigned l = 0; l < RECURSIVE_FAMILY; l++) {
        const struct run *run = &f->run[l < f->runs_n ? l : 0];
        give_values(run, &f->lanes, l, run->state->value);
        for (unsigned o = 0; o < kernel->outputs_n; o++) {
            double *out = l < f->runs_n ? run->span->out[o] : NULL;
            f->lanes.out[o][l] = out ? out + t : NULL;
        }
    }
    for (unsigned i = 0; i < kernel->inputs_n; i++)
        f->lanes.in[i][0] = f->run[0].span->input[i] + t;
    f->lanes.rows_n = n;
    kernel->code.family[cpu_level()](&f->lanes);
    for (unsigned l = 0; l < f->runs_n; l++) {
        double value[RECURSIVE_VALUES_MAX];
        take_values(&f->run[l], &f->lanes, l, value);
        if (!is_finite(value, kernel->values_n))
            return false;
    }
    for (unsigned l = 0; l < f->runs_n; l++)
        take_values(&f->run[l], &f->lanes, l, f->run[l].state->value);
    return true;
}

static bool is_seeded(const struct family *f)
{
    for (unsigned l = 0; l < f->runs_n; l++) {
        if (f->run[l].state->seen < f->run[l].setup.first)
            return false;
    }
    return true;
}

/* How many rows from t on to make at once. */
static uint32_t family_rows(const struct family *f, uint32_t t)
{
    uint32_t left = f->run[0].span->rows_n - t;
    uint32_t most = is_seeded(f) ? FAMILY_ROWS : FAMILY_SEED_ROWS;
    if (left >= most)
        return most;
    return left > RECURSIVE_BLOCK ? left - left % RECURSIVE_BLOCK : left;
}

static void run_family(struct family *f)
{
    uint32_t rows_n = f->run[0].span->rows_n;
    for (unsigned l = 0; l < RECURSIVE_FAMILY; l++)
        give_constants(&f->run[l < f->runs_n ? l : 0], &f->lanes, l);
    for (uint32_t t = 0, n; t < rows_n; t += n) {
        n = family_rows(f, t);
        if (n % RECURSIVE_BLOCK == 0 && is_seeded(f) && run_family_lanes(f, t, n))
            continue;
        for (unsigned l = 0; l < f->runs_n; l++)
            run_rows(&f->run[l], t, t + n);
    }
}

/* Whether each of a few members goes faster by itself. */
static bool is_few(const struct run *run, unsigned runs_n)
{
    struct chains c;
    return runs_n < FAMILY_PAYS && plan_chains(run, 0, &c);
}

int recursive_advance_family(const struct recursive *kernel, const struct indicator_span *spans,
                             uint32_t spans_n)
{
    struct family f;
    for (uint32_t i = 0; i < spans_n; i += f.runs_n) {
        f.runs_n = spans_n - i < RECURSIVE_FAMILY ? spans_n - i : RECURSIVE_FAMILY;
        for (unsigned l = 0; l < f.runs_n; l++)
            run_init(&f.run[l], kernel, &spans[i + l]);
        if (!is_few(&f.run[0], f.runs_n)) {
            run_family(&f);
            continue;
        }
        for (unsigned l = 0; l < f.runs_n; l++)
            (void)recursive_advance(kernel, &spans[i + l]); /* it cannot fail */
    }
    return 0;
}
