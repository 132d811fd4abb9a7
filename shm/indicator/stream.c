/* SPDX-License-Identifier: MIT */
/* The rows that a stream remembers lie in lines of one block, one line an input and one for the
 * times. Each line is filled from the left; when it is full, its last `lookback` rows move to the
 * left end, which happens once in as many rows as the lookback has.
 *
 *        | ...gone... | kept: min(row, lookback) | room for the next rows |
 *                                              end                    capacity
 *
 * Rows given at once are copied only as far as they must stand behind those that were kept: from
 * min(row, lookback) rows on, the kernel reads the caller's arrays. */
#include "shm/indicator/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROW_BYTES 8u /* of a double and of a time alike */
#define ALIGNMENT 64u

struct indicator_stream {
    const struct indicator *indicator;
    double param[INDICATOR_PARAMS_MAX];
    unsigned inputs_n;
    unsigned lines_n; /* inputs, and the times where they are used */
    uint32_t lookback;
    uint32_t row;
    uint32_t end; /* rows in each line, those that are gone among them */
    uint32_t capacity;
    char *lines;
    _Alignas(ALIGNMENT) char state[];
};

static_assert(sizeof(double) == ROW_BYTES && sizeof(int64_t) == ROW_BYTES, "lines of 8 bytes");

unsigned indicator_inputs_n(const struct indicator *indicator)
{
    unsigned n = indicator->series_args_n;
    const char *at = indicator->implied ? indicator->implied : "";
    while (*(at += strspn(at, " "))) {
        n++;
        at += strcspn(at, " ");
    }
    return n;
}

int indicator_stream_create(const struct indicator *indicator, const double *param,
                            struct indicator_stream **ret_stream)
{
    size_t bytes = sizeof(struct indicator_stream) + indicator->state_bytes;
    if (!indicator->advance && !indicator->advance_foreign)
        return -EINVAL;
    struct indicator_stream *s =
        aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (!s)
        return -ENOMEM;
    memset(s, 0, bytes);
    s->indicator = indicator;
    memcpy(s->param, param, indicator->params_n * sizeof(*param));
    s->inputs_n = indicator_inputs_n(indicator);
    s->lines_n = s->inputs_n + (indicator->uses_time ? 1 : 0);
    s->lookback = indicator_lookback(indicator, s->param);
    *ret_stream = s;
    return 0;
}

void indicator_stream_destroy(struct indicator_stream *s)
{
    if (!s)
        return;
    free(s->lines);
    free(s);
}

uint32_t indicator_stream_row(const struct indicator_stream *s)
{
    return s->row;
}

const void *indicator_stream_state(const struct indicator_stream *s)
{
    return s->state;
}

void indicator_stream_reset(struct indicator_stream *s)
{
    s->row = s->end = 0;
    memset(s->state, 0, s->indicator->state_bytes);
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Rows before `row` that must be there. */
static uint32_t kept_at(const struct indicator_stream *s, uint32_t row)
{
    return row < s->lookback ? row : s->lookback;
}

static char *line_at(const struct indicator_stream *s, unsigned line, uint32_t row_of_line)
{
    return s->lines + ((size_t)line * s->capacity + row_of_line) * ROW_BYTES;
}

/* Makes room for n rows behind the kept ones. 0 or -ENOMEM, with nothing changed. */
static int line_reserve(struct indicator_stream *s, uint32_t n)
{
    uint32_t kept = kept_at(s, s->row);
    uint64_t wanted = 2 * ((uint64_t)kept + n);
    char *old = s->lines;
    if ((uint64_t)s->end + n <= s->capacity)
        return 0;
    if (wanted > s->capacity) {
        wanted = wanted < UINT32_MAX ? wanted : UINT32_MAX;
        char *grown = malloc(s->lines_n * wanted * ROW_BYTES);
        if (!grown)
            return -ENOMEM;
        for (unsigned i = 0; i < s->lines_n && kept > 0; i++)
            memcpy(grown + i * wanted * ROW_BYTES, line_at(s, i, s->end - kept),
                   (size_t)kept * ROW_BYTES);
        s->lines = grown;
        s->capacity = (uint32_t)wanted;
        free(old);
    } else {
        for (unsigned i = 0; i < s->lines_n; i++)
            memmove(line_at(s, i, 0), line_at(s, i, s->end - kept), (size_t)kept * ROW_BYTES);
    }
    s->end = kept;
    return 0;
}

/* Appends rows [at, at + n) of the caller's; there is room. */
static void line_append(struct indicator_stream *s, const double *const *input,
                        const int64_t *time_ns, uint32_t at, uint32_t n)
{
    for (unsigned i = 0; i < s->inputs_n; i++)
        memcpy(line_at(s, i, s->end), input[i] + at, (size_t)n * ROW_BYTES);
    if (s->lines_n > s->inputs_n)
        memcpy(line_at(s, s->inputs_n, s->end), time_ns + at, (size_t)n * ROW_BYTES);
    s->end += n;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Points span at rows of the caller's arrays, or at the last n rows of the lines. */
static void span_of_caller(struct indicator_stream *s, struct indicator_span *span,
                           const double *const *input, const int64_t *time_ns, uint32_t at)
{
    for (unsigned i = 0; i < s->inputs_n; i++)
        span->input[i] = input[i] + at;
    span->time_ns = s->indicator->uses_time ? time_ns + at : NULL;
}

static void span_of_lines(struct indicator_stream *s, struct indicator_span *span, uint32_t n)
{
    for (unsigned i = 0; i < s->inputs_n; i++)
        span->input[i] = (const double *)(const void *)line_at(s, i, s->end - n);
    span->time_ns = NULL;
    if (s->indicator->uses_time)
        span->time_ns = (const int64_t *)(const void *)line_at(s, s->inputs_n, s->end - n);
}

static int advance(struct indicator_stream *s, struct indicator_span *span, uint32_t at, uint32_t n,
                   double *const *out)
{
    span->row = s->row;
    span->rows_n = n;
    span->param = s->param;
    span->state = s->state;
    for (unsigned o = 0; o < s->indicator->outputs_n; o++)
        span->out[o] = out[o] ? out[o] + at : NULL;
    if (s->indicator->cls == CLASS_ROLLING && s->row % INDICATOR_TILE_ROWS == 0)
        memset(s->state, 0, s->indicator->state_bytes);
    int r = indicator_advance(s->indicator, span);
    if (r == 0)
        s->row += n;
    return r;
}

/* Up to n rows behind those in the lines; how many in *ret_n. */
static int run_from_lines(struct indicator_stream *s, const double *const *input,
                          const int64_t *time_ns, uint32_t at, uint32_t n, double *const *out)
{
    struct indicator_span span = {0};
    int r = line_reserve(s, n);
    if (r < 0)
        return r;
    line_append(s, input, time_ns, at, n);
    span_of_lines(s, &span, n);
    r = advance(s, &span, at, n, out);
    if (r < 0)
        s->end -= n;
    return r;
}

/* The lines take over the lookback of the next row from the caller's arrays, which end there and
 * hold n rows. */
static int keep(struct indicator_stream *s, const double *const *input, const int64_t *time_ns,
                uint32_t n)
{
    uint32_t kept = kept_at(s, s->row);
    uint32_t row = s->row;
    s->end = 0;
    if (kept == 0)
        return 0;
    s->row = 0; /* nothing in the lines is needed */
    int r = line_reserve(s, kept);
    s->row = row;
    if (r == 0)
        line_append(s, input, time_ns, n - kept, kept);
    return r;
}

int indicator_stream_run(struct indicator_stream *s, const double *const *input,
                         const int64_t *time_ns, uint32_t rows_n, double *const *out)
{
    uint32_t at = 0;
    bool is_direct = false;
    while (at < rows_n) {
        uint32_t kept = kept_at(s, s->row), n = rows_n - at;
        struct indicator_span span = {0};
        int r;
        is_direct = at >= kept;
        if (is_direct) {
            span_of_caller(s, &span, input, time_ns, at);
            r = advance(s, &span, at, n, out);
        } else {
            n = n < kept - at ? n : kept - at;
            r = run_from_lines(s, input, time_ns, at, n, out);
        }
        if (r < 0)
            return r;
        at += n;
    }
    return is_direct ? keep(s, input, time_ns, rows_n) : 0;
}

int indicator_stream_push(struct indicator_stream *s, const double *input, int64_t time_ns,
                          double *ret_output)
{
    const double *column[INDICATOR_INPUTS_MAX];
    double *out[INDICATOR_OUTPUTS_MAX];
    struct indicator_span span = {0};
    for (unsigned i = 0; i < s->inputs_n; i++)
        column[i] = &input[i];
    for (unsigned o = 0; o < s->indicator->outputs_n; o++)
        out[o] = &ret_output[o];
    if (s->lookback > 0)
        return run_from_lines(s, column, &time_ns, 0, 1, out);
    span_of_caller(s, &span, column, &time_ns, 0);
    return advance(s, &span, 0, 1, out);
}

int indicator_stream_seek(struct indicator_stream *s, uint32_t row, const double *const *input,
                          const int64_t *time_ns, const void *state)
{
    const struct indicator *indicator = s->indicator;
    bool is_fresh = indicator->cls == CLASS_ROLLING ? row % INDICATOR_TILE_ROWS == 0 : row == 0;
    const double *before[INDICATOR_INPUTS_MAX];
    uint32_t kept = kept_at(s, row), row_now = s->row, end_now = s->end;
    if (!state && !is_fresh && indicator->state_bytes > 0)
        return -EINVAL;
    for (unsigned i = 0; i < s->inputs_n; i++)
        before[i] = input[i] - kept;
    s->row = row;
    int r = keep(s, before, indicator->uses_time ? time_ns - kept : NULL, kept);
    if (r < 0) {
        s->row = row_now;
        s->end = end_now;
        return r;
    }
    if (state)
        memcpy(s->state, state, indicator->state_bytes);
    else
        memset(s->state, 0, indicator->state_bytes);
    return 0;
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

struct checkpoint {
    uint32_t row;
    uint32_t kept;
    uint32_t lines_n;
    uint32_t state_bytes;
};

static size_t checkpoint_bytes(const struct checkpoint *c)
{
    return sizeof(*c) + c->state_bytes + (size_t)c->kept * c->lines_n * ROW_BYTES;
}

/* What the header of a checkpoint at `row` must say. */
static struct checkpoint checkpoint_at(const struct indicator_stream *s, uint32_t row)
{
    return (struct checkpoint){row, kept_at(s, row), s->lines_n, s->indicator->state_bytes};
}

size_t indicator_stream_checkpoint_bytes(const struct indicator_stream *s)
{
    struct checkpoint c = checkpoint_at(s, s->row);
    return checkpoint_bytes(&c);
}

void indicator_stream_save(const struct indicator_stream *s, void *ret_bytes)
{
    struct checkpoint c = checkpoint_at(s, s->row);
    char *to = ret_bytes;
    memcpy(to, &c, sizeof(c));
    to += sizeof(c);
    memcpy(to, s->state, c.state_bytes);
    to += c.state_bytes;
    for (unsigned i = 0; i < s->lines_n && c.kept > 0; i++, to += (size_t)c.kept * ROW_BYTES)
        memcpy(to, line_at(s, i, s->end - c.kept), (size_t)c.kept * ROW_BYTES);
}

int indicator_stream_restore(struct indicator_stream *s, const void *bytes, size_t bytes_n)
{
    struct checkpoint c, wanted;
    const char *from = bytes;
    uint32_t row_now = s->row, end_now = s->end;
    if (bytes_n < sizeof(c))
        return -EINVAL;
    memcpy(&c, from, sizeof(c));
    wanted = checkpoint_at(s, c.row);
    if (memcmp(&c, &wanted, sizeof(c)) != 0 || bytes_n != checkpoint_bytes(&c))
        return -EINVAL;
    s->row = s->end = 0;
    int r = line_reserve(s, c.kept);
    if (r < 0) {
        s->row = row_now;
        s->end = end_now;
        return r;
    }
    from += sizeof(c);
    memcpy(s->state, from, c.state_bytes);
    from += c.state_bytes;
    for (unsigned i = 0; i < s->lines_n && c.kept > 0; i++, from += (size_t)c.kept * ROW_BYTES)
        memcpy(line_at(s, i, 0), from, (size_t)c.kept * ROW_BYTES);
    s->row = c.row;
    s->end = c.kept;
    return 0;
}
