/* SPDX-License-Identifier: MIT */
/* A plan is checked and measured: what tables it takes, and where everything of it goes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/spec.h"
#include "shm/plane_internal.h"
#include "shm/resample.h"

/* ---- checking ------------------------------------------------------------------------------- */

/* A symbol of reference may have no bars as yet. */
static int check_bars(const struct bars *bars, bool is_traded, struct err *err)
{
    char name[SPEC_NAME_BYTES * 4];
    err_printable(bars->symbol, name, sizeof name);

    if (bars->rows_n == 0 && is_traded)
        return err_set(err, ERR_NO_INPUT, "%s has no bars", name);
    if (bars->rows_n > PLANE_ROWS_MAX)
        return err_set(err, ERR_DATA, "%s has %u bars, at most %d can be run at once", name,
                       bars->rows_n, PLANE_ROWS_MAX);
    for (uint32_t i = 1; i < bars->rows_n; i++) {
        if (bars->time_ns[i] <= bars->time_ns[i - 1])
            return err_set(err, ERR_DATA, "%s: the time of bar %u is not after that of bar %u",
                           name, i, i - 1);
    }
    return 0;
}

static bool is_planned_before(const struct plane_plan *plan, uint32_t clock)
{
    const struct plane_clock_plan *c = &plan->clocks[clock];
    for (uint32_t i = 0; i < clock; i++)
        if (plan->clocks[i].symbol_idx == c->symbol_idx &&
            timeframe_equal(plan->clocks[i].timeframe, c->timeframe))
            return true;
    return false;
}

static int check_clocks(const struct plane_plan *plan, struct err *err)
{
    if (plan->clocks_n > PLANE_CLOCKS_MAX)
        return err_set(err, ERR_CONFIG, "a run takes at most %d timeframes of symbols, not %u",
                       PLANE_CLOCKS_MAX, plan->clocks_n);
    for (uint32_t i = 0; i < plan->clocks_n; i++) {
        const struct plane_clock_plan *c = &plan->clocks[i];
        if (c->symbol_idx >= plan->symbols_n || c->timeframe.unit == TIMEFRAME_OWN ||
            is_planned_before(plan, i))
            return err_set(err, ERR_BUG, "clock %u cannot be planned", i);
    }
    return 0;
}

static int check_plan(const struct plane_plan *plan, struct err *err)
{
    if (plan->symbols_n == 0 || plan->symbols_n > SPEC_SYMBOLS_MAX)
        return err_set(err, ERR_CONFIG, "a run takes 1 to %d symbols, not %u", SPEC_SYMBOLS_MAX,
                       plan->symbols_n);
    if (plan->traded_n == 0 || plan->traded_n > plan->symbols_n)
        return err_set(err, ERR_BUG, "%u of %u symbols cannot be traded", plan->traded_n,
                       plan->symbols_n);
    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        int rc = check_bars(&plan->bars[i], i < plan->traded_n, err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = 0; i < plan->series_n; i++) {
        const struct plane_series_plan *s = &plan->series[i];
        if (s->clock_idx >= plan->symbols_n + plan->clocks_n || s->dtype > SERIES_BITS)
            return err_set(err, ERR_BUG, "series %u is of clock %u, but there are %u", i,
                           s->clock_idx, plan->symbols_n + plan->clocks_n);
    }
    return check_clocks(plan, err);
}

/* ---- measuring ------------------------------------------------------------------------------ */

/* Takes n elements at *at, aligned; *at sticks at UINT64_MAX once it overflows. */
static uint64_t bump(uint64_t *at, uint64_t n, uint64_t each_bytes)
{
    uint64_t start, bytes;
    if (__builtin_add_overflow(*at, SHM_ALIGN - 1, &start) ||
        __builtin_mul_overflow(n, each_bytes, &bytes))
        return *at = UINT64_MAX;
    start &= ~(uint64_t)(SHM_ALIGN - 1);
    if (__builtin_add_overflow(start, bytes, at))
        *at = UINT64_MAX;
    return start;
}

static uint64_t names_bytes(const struct plane_draft *d)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < d->plan->symbols_n; i++)
        bytes += strlen(d->plan->bars[i].symbol) + 1;
    for (uint32_t i = 0; i < d->header.series_n; i++)
        bytes += strlen(d->key[i]) + 1;
    return bytes;
}

static uint32_t symbol_of_clock(const struct plane_plan *plan, uint32_t clock_idx)
{
    return clock_idx < plan->symbols_n ? clock_idx
                                       : plan->clocks[clock_idx - plan->symbols_n].symbol_idx;
}

static void count_rows(const struct plane_plan *plan, uint32_t *rows)
{
    for (uint32_t i = 0; i < plan->symbols_n; i++)
        rows[i] = plan->bars[i].rows_n;
    for (uint32_t i = 0; i < plan->clocks_n; i++) {
        const struct plane_clock_plan *c = &plan->clocks[i];
        rows[plan->symbols_n + i] = resample_rows(&plan->bars[c->symbol_idx], c->timeframe);
    }
}

/* Whether expressions of a symbol may ask for a clock by row of its own bars. */
static bool is_aligned(const struct plane_plan *plan, uint32_t symbol_idx, uint32_t clock_idx)
{
    uint32_t other = symbol_of_clock(plan, clock_idx);
    if (other == symbol_idx)
        return clock_idx >= plan->symbols_n;
    if (symbol_idx >= plan->traded_n)
        return false;
    return other >= plan->traded_n || (plan->is_named && plan->is_named[other]);
}

static uint32_t count_alignments(const struct plane_plan *plan, struct plane_alignment *alignment)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < plan->symbols_n; s++)
        for (uint32_t c = 0; c < plan->symbols_n + plan->clocks_n; c++) {
            if (!is_aligned(plan, s, c))
                continue;
            if (alignment)
                alignment[n] = (struct plane_alignment){.symbol_idx = s, .clock_idx = c};
            n++;
        }
    return n;
}

/* ---- series --------------------------------------------------------------------------------- */

/* A row of the series table before it is sorted. */
struct entry {
    const char *key;
    uint32_t clock_idx;
    uint32_t dtype;
    uint32_t extra, plan; /* number of the extra column, or of the planned series */
};

static int by_clock_and_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->clock_idx != y->clock_idx)
        return x->clock_idx < y->clock_idx ? -1 : 1;
    return strcmp(x->key, y->key);
}

static uint32_t list_series(const struct plane_plan *plan, struct entry *entry)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->series_n; i++)
        entry[n++] = (struct entry){plan->series[i].key, plan->series[i].clock_idx,
                                    plan->series[i].dtype, UINT32_MAX, i};
    for (uint32_t c = 0; c < plan->symbols_n + plan->clocks_n; c++) {
        const struct bars *bars = &plan->bars[symbol_of_clock(plan, c)];
        for (uint32_t k = 0; k < bars->extra_n; k++)
            entry[n++] = (struct entry){bars->extra_names[k], c, SERIES_F64, k, UINT32_MAX};
    }
    return n;
}

static int put_entries(struct plane_draft *d, const struct entry *entry, struct err *err)
{
    for (uint32_t i = 0; i < d->header.series_n; i++) {
        const struct entry *e = &entry[i];
        if (i > 0 && by_clock_and_key(&entry[i - 1], e) == 0) {
            char key[256];
            return err_set(err, ERR_BUG, "series %s of %s was planned twice",
                           err_printable(e->key, key, sizeof key),
                           d->plan->bars[symbol_of_clock(d->plan, e->clock_idx)].symbol);
        }
        d->series[i] = (struct plane_series){.clock_idx = e->clock_idx, .dtype = e->dtype};
        d->key[i] = e->key;
        d->extra_of[i] = e->extra;
        if (e->plan != UINT32_MAX)
            d->series_of_plan[e->plan] = i;
    }
    return 0;
}

static int sort_series(struct plane_draft *d, struct err *err)
{
    struct entry *entry = calloc((size_t)d->header.series_n + 1, sizeof *entry);
    if (!entry)
        return -ENOMEM;
    (void)list_series(d->plan, entry);
    qsort(entry, d->header.series_n, sizeof *entry, by_clock_and_key);
    int rc = put_entries(d, entry, err);
    free(entry);
    return rc;
}

/* ---- the draft ------------------------------------------------------------------------------ */

static void place_clocks(struct plane_draft *d, uint64_t *at)
{
    const struct plane_plan *plan = d->plan;
    for (uint32_t i = 0; i < d->header.clocks_n; i++) {
        struct timeframe own = {TIMEFRAME_OWN, 0};
        struct timeframe tf =
            i < plan->symbols_n ? own : plan->clocks[i - plan->symbols_n].timeframe;
        uint32_t rows_n = d->clock_rows[i];
        struct plane_clock *c = &d->clock[i];
        *c = (struct plane_clock){.symbol_idx = symbol_of_clock(plan, i),
                                  .timeframe_unit = tf.unit,
                                  .timeframe_n = tf.n,
                                  .rows_n = rows_n};
        c->time_off = bump(at, rows_n, sizeof(int64_t));
        c->open_off = bump(at, rows_n, sizeof(double));
        c->high_off = bump(at, rows_n, sizeof(double));
        c->low_off = bump(at, rows_n, sizeof(double));
        c->close_off = bump(at, rows_n, sizeof(double));
        c->volume_off = bump(at, rows_n, sizeof(double));
    }
}

static void place_columns(struct plane_draft *d)
{
    struct plane_header *h = &d->header;
    uint64_t at = h->columns_off;

    h->merged_off = bump(&at, h->steps_n, sizeof(int64_t));
    place_clocks(d, &at);
    for (uint32_t i = 0; i < h->symbols_n; i++) {
        const struct bars *bars = &d->plan->bars[i];
        uint32_t first_row = d->plan->first_row[i];
        d->symbol[i].first_row = first_row < bars->rows_n ? first_row : bars->rows_n;
        /* rows have ascending times, so as many as steps means one for each */
        if (i < h->traded_n && bars->rows_n != h->steps_n)
            d->symbol[i].row_of_step_off = bump(&at, h->steps_n, sizeof(int32_t));
    }
    for (uint32_t i = 0; i < h->alignments_n; i++)
        d->alignment[i].row_of_off =
            bump(&at, d->plan->bars[d->alignment[i].symbol_idx].rows_n, sizeof(int32_t));
    for (uint32_t i = 0; i < h->series_n; i++)
        if (d->extra_of[i] != UINT32_MAX)
            d->series[i].column_off =
                bump(&at, d->clock_rows[d->series[i].clock_idx], sizeof(double));
    h->size_bytes =
        at > UINT64_MAX - PAGE_BYTES ? UINT64_MAX : (at + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static void place_tables(struct plane_draft *d)
{
    struct plane_header *h = &d->header;
    uint64_t at = sizeof *h;

    h->symbols_off = bump(&at, h->symbols_n, sizeof(struct plane_symbol));
    h->clocks_off = bump(&at, h->clocks_n, sizeof(struct plane_clock));
    h->alignments_off = bump(&at, h->alignments_n, sizeof(struct plane_alignment));
    h->series_off = bump(&at, h->series_n, sizeof(struct plane_series));
    h->names_off = bump(&at, names_bytes(d), 1);
    h->live_off = bump(&at, 1, sizeof(struct plane_live));
    (void)bump(&at, h->series_n, sizeof(struct plane_place));
    h->columns_off = bump(&at, 0, 1);
}

static void count_all(struct plane_draft *d)
{
    const struct plane_plan *plan = d->plan;
    struct plane_header *h = &d->header;

    *h = (struct plane_header){
        .magic = PLANE_MAGIC,
        .version = SHM_LAYOUT_VERSION,
        .symbols_n = plan->symbols_n,
        .traded_n = plan->traded_n,
        .clocks_n = plan->symbols_n + plan->clocks_n,
        .alignments_n = count_alignments(plan, NULL),
        .series_n = plan->series_n,
        .data_hash = {plan->data_hash[0], plan->data_hash[1]},
    };
    for (uint32_t c = 0; c < h->clocks_n; c++)
        h->series_n += plan->bars[symbol_of_clock(plan, c)].extra_n;
    h->is_rounded = plan->is_rounded;
    plane_merge_count(plan, &h->steps_n, &h->first_step);
}

static int draft_alloc(struct plane_draft *d)
{
    const struct plane_header *h = &d->header;
    d->symbol = calloc(h->symbols_n, sizeof *d->symbol);
    d->clock = calloc(h->clocks_n, sizeof *d->clock);
    d->clock_rows = calloc(h->clocks_n, sizeof *d->clock_rows);
    d->alignment = calloc((size_t)h->alignments_n + 1, sizeof *d->alignment);
    d->series = calloc((size_t)h->series_n + 1, sizeof *d->series);
    d->key = calloc((size_t)h->series_n + 1, sizeof *d->key);
    d->extra_of = calloc((size_t)h->series_n + 1, sizeof *d->extra_of);
    d->series_of_plan = calloc((size_t)d->plan->series_n + 1, sizeof *d->series_of_plan);
    return d->symbol && d->clock && d->clock_rows && d->alignment && d->series && d->key &&
                   d->extra_of && d->series_of_plan
               ? 0
               : -ENOMEM;
}

int plane_draft_make(const struct plane_plan *plan, struct plane_draft *ret_draft, struct err *err)
{
    struct plane_draft d = {.plan = plan};
    int rc = check_plan(plan, err);
    if (rc < 0)
        return rc;
    count_all(&d);
    if (d.header.steps_n > PLANE_ROWS_MAX)
        return err_set(err, ERR_DATA, "the symbols have %u different times, at most %d can be run",
                       d.header.steps_n, PLANE_ROWS_MAX);
    rc = draft_alloc(&d);
    if (rc == 0) {
        count_rows(plan, d.clock_rows);
        (void)count_alignments(plan, d.alignment);
        rc = sort_series(&d, err);
    }
    if (rc == 0) {
        const struct plane_room room = plane_room_of(plan, d.clock_rows);
        d.header.extents_n = room.extents_n;
        d.header.extent_bytes = room.extent_bytes;
        place_tables(&d);
        place_columns(&d);
        *ret_draft = d;
        return 0;
    }
    plane_draft_fini(&d);
    return rc == -ENOMEM ? err_set_errno(err, ERR_SYSTEM, ENOMEM, "the data plane's tables") : rc;
}

void plane_draft_fini(struct plane_draft *d)
{
    free(d->symbol);
    free(d->clock);
    free(d->clock_rows);
    free(d->alignment);
    free(d->series);
    free(d->key);
    free(d->extra_of);
    free(d->series_of_plan);
    *d = (struct plane_draft){0};
}

uint64_t plane_core_bytes(const struct plane_plan *plan)
{
    struct plane_draft d;
    struct err ignored;
    if (plane_draft_make(plan, &d, &ignored) < 0)
        return UINT64_MAX; /* plane_create() says what is wrong with it */
    uint64_t bytes = d.header.size_bytes;
    plane_draft_fini(&d);
    return bytes;
}

uint64_t plane_series_bytes_all(const struct plane_plan *plan)
{
    struct err ignored;
    uint32_t *rows = calloc((size_t)plan->symbols_n + plan->clocks_n + 1, sizeof *rows);
    uint64_t bytes = 0;
    if (!rows || check_plan(plan, &ignored) < 0) {
        free(rows);
        return UINT64_MAX;
    }
    count_rows(plan, rows);
    for (uint32_t i = 0; i < plan->series_n; i++)
        (void)bump(&bytes, series_bytes(plan->series[i].dtype, rows[plan->series[i].clock_idx]), 1);
    free(rows);
    return bytes;
}
