/* SPDX-License-Identifier: MIT */
/* Promise: a stream gives the same bytes however its rows are cut: one bar at a time, in pieces, or
 * the whole history at once; from a checkpoint, or sought at any row with the state that it had
 * there; across the tiles at which rolling indicators are made anew. */
#include <errno.h>

#include "tests/unit/indicator_fixture.h"

#define LONG_ROWS (2 * INDICATOR_TILE_ROWS + 3000u)

/* Columns of LONG_ROWS, a kernel's inputs among them, and its outputs by one call. */
struct subject {
    const struct indicator *row;
    double params[INDICATOR_PARAMS_MAX];
    unsigned inputs_n;
    const double *input[INDICATOR_INPUTS_MAX];
    double *whole[INDICATOR_OUTPUTS_MAX];
    double *part[INDICATOR_OUTPUTS_MAX];
};

static struct frame frame;
static int64_t *time_ns;

static void add_column(const char *name, double level, double step, uint32_t nan_every)
{
    double *x = malloc(LONG_ROWS * sizeof(*x));
    for (uint32_t t = 0; t < LONG_ROWS; t++) {
        level += (random_frac() - 0.5) * step * 0.1;
        x[t] = t % nan_every == nan_every - 1 ? NAN : level + random_frac() * step;
    }
    frame_add(&frame, name, x);
    free(x);
}

static void make_columns(void)
{
    frame = (struct frame){.rows_n = LONG_ROWS};
    add_column("open", 100, 1, 30011);
    add_column("high", 101, 1, 20011);
    add_column("low", 98, 1, 30013);
    add_column("close", 100, 1, 20021);
    add_column("volume", 1e5, 1e4, 30029);
    time_ns = malloc(LONG_ROWS * sizeof(*time_ns));
    for (uint32_t t = 0; t < LONG_ROWS; t++)
        time_ns[t] = INT64_C(1600000000000000000) + t * INT64_C(900000000000);
}

static struct indicator_stream *open_stream(const struct subject *s)
{
    struct indicator_stream *stream;
    cr_assert_eq(indicator_stream_create(s->row, s->params, &stream), 0, "%s", s->row->name);
    return stream;
}

/* Rows [from, until) in one call. */
static void run(const struct subject *s, struct indicator_stream *stream, uint32_t from,
                uint32_t until, double *const *to)
{
    const double *input[INDICATOR_INPUTS_MAX];
    double *out[INDICATOR_OUTPUTS_MAX];
    for (unsigned i = 0; i < s->inputs_n; i++)
        input[i] = s->input[i] + from;
    for (unsigned o = 0; o < s->row->outputs_n; o++)
        out[o] = to[o] + from;
    cr_assert_eq(indicator_stream_row(stream), from);
    cr_assert_eq(indicator_stream_run(stream, input, time_ns + from, until - from, out), 0);
}

static void push(const struct subject *s, struct indicator_stream *stream, uint32_t t)
{
    double input[INDICATOR_INPUTS_MAX], output[INDICATOR_OUTPUTS_MAX];
    for (unsigned i = 0; i < s->inputs_n; i++)
        input[i] = s->input[i][t];
    cr_assert_eq(indicator_stream_push(stream, input, time_ns[t], output), 0);
    for (unsigned o = 0; o < s->row->outputs_n; o++)
        s->part[o][t] = output[o];
}

/* Rows [from, until) of part are those of whole. */
static void expect_same(const struct subject *s, uint32_t from, uint32_t until, const char *what)
{
    for (unsigned o = 0; o < s->row->outputs_n; o++) {
        for (uint32_t t = from; t < until; t++) {
            bool is_good = is_same(s->part[o][t], s->whole[o][t]);
            cr_expect(is_good, "%s %s, output %u, row %u: %.17g not %.17g", s->row->name, what, o,
                      t, s->part[o][t], s->whole[o][t]);
            if (!is_good)
                return;
        }
    }
}

/* Calls `check` for each kernel of the table. */
static void each_kernel(void (*check)(const struct subject *s))
{
    make_columns();
    for (size_t i = 0; i < indicator_count(); i++) {
        struct subject s = {.row = indicator_at(i)};
        const struct twin *twin = twin_of(s.row->name);
        if (!has_kernel(s.row) || !twin)
            continue;
        (void)param_set(s.row, twin, 1, s.params);
        s.inputs_n = indicator_inputs_n(s.row);
        find_inputs(s.row, &frame, s.input);
        for (unsigned o = 0; o < s.row->outputs_n; o++) {
            s.whole[o] = malloc(LONG_ROWS * sizeof(double));
            s.part[o] = malloc(LONG_ROWS * sizeof(double));
        }
        struct indicator_stream *stream = open_stream(&s);
        run(&s, stream, 0, LONG_ROWS, s.whole);
        indicator_stream_destroy(stream);
        check(&s);
        for (unsigned o = 0; o < s.row->outputs_n; o++) {
            free(s.whole[o]);
            free(s.part[o]);
        }
    }
    frame_fini(&frame);
    free(time_ns);
}

static void check_bar_by_bar(const struct subject *s)
{
    struct indicator_stream *stream = open_stream(s);
    for (uint32_t t = 0; t < LONG_ROWS; t++)
        push(s, stream, t);
    expect_same(s, 0, LONG_ROWS, "bar by bar");
    indicator_stream_reset(stream);
    for (uint32_t t = 0; t < 200; t++)
        push(s, stream, t);
    expect_same(s, 0, 200, "bar by bar once more");
    indicator_stream_destroy(stream);
}

Test(indicator_stream, bar_by_bar_gives_the_bytes_of_one_call)
{
    each_kernel(check_bar_by_bar);
}

static void check_pieces(const struct subject *s)
{
    struct indicator_stream *stream = open_stream(s);
    uint32_t row = 0, pieces = 0;
    while (row < LONG_ROWS) {
        double most = pieces % 3 == 0 ? 3 : pieces % 3 == 1 ? 90 : 5000;
        uint32_t n = 1 + (uint32_t)(random_frac() * most);
        n = n < LONG_ROWS - row ? n : LONG_ROWS - row;
        if (pieces++ % 5 == 4) {
            n = 1;
            push(s, stream, row);
        } else {
            run(s, stream, row, row + n, s->part);
        }
        row += n;
    }
    expect_same(s, 0, LONG_ROWS, "in pieces");
    indicator_stream_destroy(stream);
}

Test(indicator_stream, pieces_of_any_length_give_the_bytes_of_one_call)
{
    each_kernel(check_pieces);
}

static const uint32_t stops[] = {0,
                                 1,
                                 33,
                                 5000,
                                 INDICATOR_TILE_ROWS - 1,
                                 INDICATOR_TILE_ROWS,
                                 INDICATOR_TILE_ROWS + 1,
                                 2 * INDICATOR_TILE_ROWS + 700};

static void check_checkpoints(const struct subject *s)
{
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        struct indicator_stream *first = open_stream(s), *second = open_stream(s);
        if (stops[i])
            run(s, first, 0, stops[i], s->part);
        size_t bytes_n = indicator_stream_checkpoint_bytes(first);
        char *bytes = malloc(bytes_n);
        indicator_stream_save(first, bytes);
        run(s, second, 0, 77, s->part); /* what it knew is forgotten */
        cr_assert_eq(indicator_stream_restore(second, bytes, bytes_n - 1), -EINVAL);
        cr_assert_eq(indicator_stream_row(second), 77);
        cr_assert_eq(indicator_stream_restore(second, bytes, bytes_n), 0);
        indicator_stream_destroy(first);
        free(bytes);
        run(s, second, stops[i], stops[i] + 1000, s->part);
        expect_same(s, stops[i], stops[i] + 1000, "from a checkpoint");
        indicator_stream_destroy(second);
    }
}

Test(indicator_stream, a_checkpoint_goes_on_where_it_was_taken)
{
    each_kernel(check_checkpoints);
}

static int seek(const struct subject *s, struct indicator_stream *stream, uint32_t row,
                const void *state)
{
    const double *input[INDICATOR_INPUTS_MAX];
    for (unsigned i = 0; i < s->inputs_n; i++)
        input[i] = s->input[i] + row;
    return indicator_stream_seek(stream, row, input, time_ns + row, state);
}

static void check_seeking(const struct subject *s)
{
    struct indicator_stream *stream = open_stream(s), *other = open_stream(s);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        indicator_stream_reset(stream);
        if (stops[i])
            run(s, stream, 0, stops[i], s->part);
        cr_assert_eq(seek(s, other, stops[i], indicator_stream_state(stream)), 0);
        run(s, other, stops[i], stops[i] + 1000, s->part);
        expect_same(s, stops[i], stops[i] + 1000, "sought with its state");
    }
    bool is_free = s->row->cls == CLASS_ROLLING || s->row->state_bytes == 0;
    cr_assert_eq(seek(s, other, INDICATOR_TILE_ROWS, NULL), is_free ? 0 : -EINVAL, "%s",
                 s->row->name);
    if (is_free) {
        run(s, other, INDICATOR_TILE_ROWS, LONG_ROWS, s->part);
        expect_same(s, INDICATOR_TILE_ROWS, LONG_ROWS, "from a tile on");
    }
    indicator_stream_destroy(stream);
    indicator_stream_destroy(other);
}

Test(indicator_stream, a_tile_can_be_started_from_its_state_or_from_nothing)
{
    each_kernel(check_seeking);
}

Test(indicator_stream, what_has_no_kernel_is_refused)
{
    static const struct indicator made = {.name = "made", .outputs_n = 1, .made_of = {"x + 1"}};
    struct indicator_stream *stream = NULL;
    cr_assert_eq(indicator_stream_create(&made, NULL, &stream), -EINVAL);
    cr_assert_null(stream);
    indicator_stream_destroy(NULL);
}
