/* SPDX-License-Identifier: MIT */
/* The data plane's builder: measures a plan, writes clock, bars and tables, and seals all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/spec.h"
#include "proto/units.h"
#include "shm/plane.h"
#include "shm/plane_internal.h"

static_assert(SPEC_SYMBOLS_MAX <= UINT16_MAX, "symbols fit the merge's heap");

/* ---- the merged clock ----------------------------------------------------------------------- */

/* A walk over all symbols' times at once: a binary heap of the symbols by their next time. */
struct merge {
    const struct plane_plan *plan;
    uint32_t row[SPEC_SYMBOLS_MAX]; /* next row of each symbol */
    uint16_t heap[SPEC_SYMBOLS_MAX];
    uint32_t heap_n;
    uint16_t hit[SPEC_SYMBOLS_MAX]; /* symbols that have a bar at the step just taken */
    uint32_t hits_n;
};

static int64_t next_time(const struct merge *m, uint32_t heap_idx)
{
    uint16_t symbol = m->heap[heap_idx];
    return m->plan->bars[symbol].time_ns[m->row[symbol]];
}

static void sift_down(struct merge *m, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < m->heap_n; child++) {
            if (next_time(m, child) < next_time(m, least))
                least = child;
        }
        if (least == at)
            return;
        uint16_t symbol = m->heap[at];
        m->heap[at] = m->heap[least];
        m->heap[least] = symbol;
        at = least;
    }
}

static void merge_init(struct merge *m, const struct plane_plan *plan)
{
    *m = (struct merge){.plan = plan};
    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        if (plan->bars[i].rows_n > 0)
            m->heap[m->heap_n++] = (uint16_t)i;
    }
    for (uint32_t i = m->heap_n / 2; i-- > 0;)
        sift_down(m, i);
}

/* Takes the next step; false when there is none. Rows of the symbols that it hits are row[] - 1. */
static bool merge_next(struct merge *m, int64_t *ret_time)
{
    if (m->heap_n == 0)
        return false;

    int64_t time = next_time(m, 0);
    m->hits_n = 0;
    while (m->heap_n > 0 && next_time(m, 0) == time) {
        uint16_t symbol = m->heap[0];
        m->hit[m->hits_n++] = symbol;
        if (++m->row[symbol] == m->plan->bars[symbol].rows_n)
            m->heap[0] = m->heap[--m->heap_n];
        sift_down(m, 0);
    }
    *ret_time = time;
    return true;
}

/* ---- measuring ------------------------------------------------------------------------------ */

/* Where everything of a plan goes. */
struct measure {
    uint32_t steps_n;
    uint32_t first_step;
    uint32_t series_n; /* planned ones and extra columns */
    uint64_t symbols_off;
    uint64_t series_off;
    uint64_t names_off;
    uint64_t columns_off;
    uint64_t clock_off;
    uint64_t symbol_columns_off;
    uint64_t series_columns_off;
    uint64_t size_bytes; /* UINT64_MAX: more than can be counted */
};

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

/* The earliest time of any symbol's first row of the range; INT64_MAX if no symbol has one. */
static int64_t range_start(const struct plane_plan *plan)
{
    int64_t start = INT64_MAX;
    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        const struct bars *bars = &plan->bars[i];
        if (plan->first_row[i] < bars->rows_n && bars->time_ns[plan->first_row[i]] < start)
            start = bars->time_ns[plan->first_row[i]];
    }
    return start;
}

static void measure_clock(const struct plane_plan *plan, struct measure *m)
{
    struct merge merge;
    int64_t time, start = range_start(plan);

    merge_init(&merge, plan);
    while (merge_next(&merge, &time)) {
        m->first_step += time < start;
        m->steps_n++;
    }
}

static uint64_t names_bytes(const struct plane_plan *plan)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        bytes += strlen(plan->bars[i].symbol) + 1;
        for (uint32_t k = 0; k < plan->bars[i].extra_n; k++)
            bytes += strlen(plan->bars[i].extra_names[k]) + 1;
    }
    for (uint32_t i = 0; i < plan->series_n; i++)
        bytes += strlen(plan->series_key[i]) + 1;
    return bytes;
}

static bool has_every_step(const struct bars *bars, uint32_t steps_n)
{
    return bars->rows_n == steps_n;
}

/* Places the columns of one symbol; *ret_symbol gets their offsets. */
static void place_symbol(const struct bars *bars, uint32_t steps_n, uint64_t *at,
                         struct plane_symbol *ret_symbol)
{
    ret_symbol->row_of_step_off =
        has_every_step(bars, steps_n) ? 0 : bump(at, steps_n, sizeof(int32_t));
    ret_symbol->time_off = bump(at, bars->rows_n, sizeof(int64_t));
    ret_symbol->open_off = bump(at, bars->rows_n, sizeof(double));
    ret_symbol->high_off = bump(at, bars->rows_n, sizeof(double));
    ret_symbol->low_off = bump(at, bars->rows_n, sizeof(double));
    ret_symbol->close_off = bump(at, bars->rows_n, sizeof(double));
    ret_symbol->volume_off = bump(at, bars->rows_n, sizeof(double));
}

static void measure_plan(const struct plane_plan *plan, struct measure *m)
{
    uint64_t at = sizeof(struct plane_header);

    *m = (struct measure){.series_n = plan->series_n};
    measure_clock(plan, m);
    for (uint32_t i = 0; i < plan->symbols_n; i++)
        m->series_n += plan->bars[i].extra_n;
    m->symbols_off = bump(&at, plan->symbols_n, sizeof(struct plane_symbol));
    m->series_off = bump(&at, m->series_n, sizeof(struct plane_series));
    m->names_off = bump(&at, names_bytes(plan), 1);
    m->columns_off = bump(&at, 0, 1);
    m->clock_off = bump(&at, m->steps_n, sizeof(int64_t));

    m->symbol_columns_off = at;
    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        struct plane_symbol symbol;
        place_symbol(&plan->bars[i], m->steps_n, &at, &symbol);
    }
    m->series_columns_off = at;
    for (uint32_t i = 0; i < plan->series_n; i++)
        (void)bump(&at, plan->bars[plan->series_symbol[i]].rows_n, sizeof(double));
    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        for (uint32_t k = 0; k < plan->bars[i].extra_n; k++)
            (void)bump(&at, plan->bars[i].rows_n, sizeof(double));
    }
    m->size_bytes = at;
}

static int check_bars(const struct bars *bars, struct err *err)
{
    char name[SPEC_NAME_BYTES * 4];
    err_printable(bars->symbol, name, sizeof name);

    if (bars->rows_n == 0)
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

static int check_plan(const struct plane_plan *plan, struct err *err)
{
    if (plan->symbols_n == 0 || plan->symbols_n > SPEC_SYMBOLS_MAX)
        return err_set(err, ERR_CONFIG, "a run takes 1 to %d symbols, not %u", SPEC_SYMBOLS_MAX,
                       plan->symbols_n);
    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        int rc = check_bars(&plan->bars[i], err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = 0; i < plan->series_n; i++) {
        if (plan->series_symbol[i] >= plan->symbols_n)
            return err_set(err, ERR_BUG, "series %u is of symbol %u, but there are %u", i,
                           plan->series_symbol[i], plan->symbols_n);
    }
    return 0;
}

uint64_t plane_plan_bytes(const struct plane_plan *plan)
{
    struct measure m;
    struct err ignored;
    if (check_plan(plan, &ignored) < 0)
        return UINT64_MAX; /* plane_build() says what is wrong with it */
    measure_plan(plan, &m);
    return m.size_bytes;
}

/* ---- building ------------------------------------------------------------------------------- */

struct plane_builder {
    int fd;
    uint8_t *base;
    uint64_t size_bytes;
    uint32_t series_n;
    uint64_t *series_off; /* [series_n] of the planned series' values */
};

/* A row of the series table before it is sorted. */
struct series_entry {
    const char *key;
    uint64_t values_off;
    uint32_t symbol_idx;
};

static int by_symbol_and_key(const void *a, const void *b)
{
    const struct series_entry *x = a, *y = b;
    if (x->symbol_idx != y->symbol_idx)
        return x->symbol_idx < y->symbol_idx ? -1 : 1;
    return strcmp(x->key, y->key);
}

/* Copies a text into the names and returns its offset. */
static uint64_t put_name(uint8_t *base, uint64_t *at, const char *text)
{
    size_t n = strlen(text) + 1;
    uint64_t start = *at;
    memcpy(base + start, text, n);
    *at += n;
    return start;
}

static void put_column(uint8_t *base, uint64_t off, const void *values, uint32_t rows_n)
{
    memcpy(base + off, values, (size_t)rows_n * sizeof(double));
}

static void put_symbols(struct plane_builder *b, const struct plane_plan *plan,
                        const struct measure *m, uint64_t *names_at)
{
    struct plane_symbol *symbols = (struct plane_symbol *)(b->base + m->symbols_off);
    uint64_t at = m->symbol_columns_off;

    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        const struct bars *bars = &plan->bars[i];
        struct plane_symbol s = {.rows_n = bars->rows_n, .first_row = plan->first_row[i]};
        if (s.first_row > s.rows_n)
            s.first_row = s.rows_n;
        s.name_off = put_name(b->base, names_at, bars->symbol);
        place_symbol(bars, m->steps_n, &at, &s);
        put_column(b->base, s.time_off, bars->time_ns, s.rows_n);
        put_column(b->base, s.open_off, bars->open, s.rows_n);
        put_column(b->base, s.high_off, bars->high, s.rows_n);
        put_column(b->base, s.low_off, bars->low, s.rows_n);
        put_column(b->base, s.close_off, bars->close, s.rows_n);
        put_column(b->base, s.volume_off, bars->volume, s.rows_n);
        symbols[i] = s;
    }
}

static void put_clock(struct plane_builder *b, const struct plane_plan *plan,
                      const struct measure *m)
{
    const struct plane_symbol *symbols = (const struct plane_symbol *)(b->base + m->symbols_off);
    int64_t *clock = (int64_t *)(b->base + m->clock_off);
    struct merge merge;

    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        if (symbols[i].row_of_step_off)
            memset(b->base + symbols[i].row_of_step_off, 0xff, m->steps_n * sizeof(int32_t));
    }
    merge_init(&merge, plan);
    for (uint32_t step = 0; merge_next(&merge, &clock[step]); step++) {
        for (uint32_t k = 0; k < merge.hits_n; k++) {
            uint16_t symbol = merge.hit[k];
            uint64_t off = symbols[symbol].row_of_step_off;
            if (off)
                ((int32_t *)(b->base + off))[step] = (int32_t)merge.row[symbol] - 1;
        }
    }
}

/* Gives every series its place, the planned ones first and in their order. */
static void list_series(struct plane_builder *b, const struct plane_plan *plan,
                        const struct measure *m, struct series_entry *entries)
{
    uint64_t at = m->series_columns_off;
    uint32_t n = 0;

    for (uint32_t i = 0; i < plan->series_n; i++) {
        uint32_t symbol = plan->series_symbol[i];
        b->series_off[i] = bump(&at, plan->bars[symbol].rows_n, sizeof(double));
        entries[n++] = (struct series_entry){plan->series_key[i], b->series_off[i], symbol};
    }
    for (uint32_t i = 0; i < plan->symbols_n; i++) {
        const struct bars *bars = &plan->bars[i];
        for (uint32_t k = 0; k < bars->extra_n; k++) {
            uint64_t off = bump(&at, bars->rows_n, sizeof(double));
            put_column(b->base, off, bars->extra[k], bars->rows_n);
            entries[n++] = (struct series_entry){bars->extra_names[k], off, i};
        }
    }
}

static int put_series(struct plane_builder *b, const struct plane_plan *plan,
                      const struct measure *m, uint64_t *names_at, struct err *err)
{
    struct plane_series *series = (struct plane_series *)(b->base + m->series_off);
    struct series_entry *entries = calloc((size_t)m->series_n + 1, sizeof *entries);
    int rc = 0;

    if (!entries)
        return err_set_errno(err, ERR_SYSTEM, ENOMEM, "the data plane's series");
    list_series(b, plan, m, entries);
    qsort(entries, m->series_n, sizeof *entries, by_symbol_and_key);
    for (uint32_t i = 0; i < m->series_n; i++) {
        if (i > 0 && by_symbol_and_key(&entries[i - 1], &entries[i]) == 0) {
            char key[256];
            rc = err_set(err, ERR_BUG, "series %s of %s was planned twice",
                         err_printable(entries[i].key, key, sizeof key),
                         plan->bars[entries[i].symbol_idx].symbol);
            break;
        }
        series[i] = (struct plane_series){
            .key_off = put_name(b->base, names_at, entries[i].key),
            .values_off = entries[i].values_off,
            .symbol_idx = entries[i].symbol_idx,
        };
    }
    free(entries);
    return rc;
}

static void put_header(struct plane_builder *b, const struct plane_plan *plan,
                       const struct measure *m)
{
    *(struct plane_header *)b->base = (struct plane_header){
        .magic = PLANE_MAGIC,
        .version = SHM_LAYOUT_VERSION,
        .symbols_n = plan->symbols_n,
        .size_bytes = m->size_bytes,
        .symbols_off = m->symbols_off,
        .series_off = m->series_off,
        .names_off = m->names_off,
        .columns_off = m->columns_off,
        .clock_off = m->clock_off,
        .series_n = m->series_n,
        .steps_n = m->steps_n,
        .first_step = m->first_step,
        .data_hash = {plan->data_hash[0], plan->data_hash[1]},
    };
}

/* Reserves the memory now: later a want of it would be a SIGBUS. */
static int create_file(struct plane_builder *b, uint64_t size_bytes, struct err *err)
{
    char size[24];
    int rc = 0;

    bytes_format(size_bytes, size, sizeof size);
    if (size_bytes > INT64_MAX || size_bytes > SIZE_MAX)
        return err_set_errno(err, ERR_SYSTEM, EFBIG, "the data plane");
    b->fd = memfd_create("admf-plane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (b->fd < 0)
        return err_set_errno(err, ERR_SYSTEM, errno, "the data plane: cannot create a memory file");
    do
        rc = fallocate(b->fd, 0, 0, (off_t)size_bytes) < 0 ? -errno : 0;
    while (rc == -EINTR);
    if (rc == 0) {
        void *base =
            mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, b->fd, 0);
        rc = base == MAP_FAILED ? -errno : 0;
        b->base = rc == 0 ? base : NULL;
    }
    if (rc < 0)
        return err_set_errno(err, ERR_SYSTEM, rc,
                             "the data plane takes %s, which cannot be had; run fewer parameter "
                             "values or bars at once",
                             size);
    b->size_bytes = size_bytes;
    return 0;
}

int plane_build(const struct plane_plan *plan, struct plane_builder **ret_builder, struct err *err)
{
    struct measure m;
    int rc = check_plan(plan, err);
    if (rc < 0)
        return rc;
    measure_plan(plan, &m);
    if (m.steps_n > PLANE_ROWS_MAX)
        return err_set(err, ERR_DATA, "the symbols have %u different times, at most %d can be run",
                       m.steps_n, PLANE_ROWS_MAX);

    struct plane_builder *b = calloc(1, sizeof *b);
    uint64_t *series_off = calloc((size_t)plan->series_n + 1, sizeof *series_off);
    if (!b || !series_off) {
        free(b);
        free(series_off);
        return err_set_errno(err, ERR_SYSTEM, ENOMEM, "the data plane");
    }
    *b = (struct plane_builder){.fd = -1, .series_n = plan->series_n, .series_off = series_off};
    rc = create_file(b, m.size_bytes, err);
    if (rc == 0) {
        uint64_t names_at = m.names_off;
        put_header(b, plan, &m);
        put_symbols(b, plan, &m, &names_at);
        put_clock(b, plan, &m);
        rc = put_series(b, plan, &m, &names_at, err);
    }
    if (rc < 0)
        plane_builder_destroy(b);
    else
        *ret_builder = b;
    return rc;
}

double *plane_builder_series(struct plane_builder *b, uint32_t series_idx)
{
    assert(series_idx < b->series_n);
    return (double *)(b->base + b->series_off[series_idx]);
}

void plane_builder_destroy(struct plane_builder *b)
{
    if (!b)
        return;
    if (b->base)
        (void)munmap(b->base, b->size_bytes);
    if (b->fd >= 0)
        (void)close(b->fd);
    free(b->series_off);
    free(b);
}

/* ---- sealing -------------------------------------------------------------------------------- */

static void finish_tables(struct plane_builder *b)
{
    struct plane_header *h = (struct plane_header *)b->base;
    const struct plane_symbol *symbols = (const struct plane_symbol *)(b->base + h->symbols_off);
    struct plane_series *series = (struct plane_series *)(b->base + h->series_off);

    for (uint32_t i = 0; i < h->series_n; i++) {
        const double *values = (const double *)(b->base + series[i].values_off);
        series[i].first_defined = plane_first_defined(values, symbols[series[i].symbol_idx].rows_n);
    }
    h->tables_checksum = plane_tables_checksum(b->base, h);
    h->header_checksum = plane_header_checksum(h);
}

int plane_seal(struct plane_builder *b, int *ret_fd, struct err *err)
{
    char path[40];
    int rc = 0, fd = -1;

    finish_tables(b);
    (void)munmap(b->base, b->size_bytes); /* F_SEAL_WRITE demands that no writable map is left */
    b->base = NULL;
    if (fcntl(b->fd, F_ADD_SEALS, PLANE_SEALS) < 0) {
        rc = err_set_errno(err, ERR_SYSTEM, errno, "the data plane cannot be sealed");
    } else {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", b->fd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            rc = err_set_errno(err, ERR_SYSTEM, errno, "the data plane cannot be opened by %s",
                               path);
    }
    plane_builder_destroy(b);
    if (rc == 0)
        *ret_fd = fd;
    return rc;
}
