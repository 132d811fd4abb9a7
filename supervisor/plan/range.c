/* SPDX-License-Identifier: MIT */
/* The bars of a run, loaded and cut to its range. */
#include "supervisor/plan/range.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/units.h"
#include "supervisor/import/actions.h"
#include "supervisor/import/csv.h"

/* ---- loading -------------------------------------------------------------------------------- */

static int check_hash(const struct config_symbol *symbol, const uint64_t found[2],
                      const uint64_t *wanted, struct err *err)
{
    if (!wanted || (found[0] == wanted[0] && found[1] == wanted[1]))
        return 0;
    return err_set(
        err, ERR_DATA,
        "the bars of %s in %s are not those that the run used: bring the file back as it was",
        symbol->name, symbol->csv);
}

/* data.actions on bars of data.csv. */
static int apply_actions(const struct config *c, struct bars *bars, struct err *err)
{
    const struct actions_options options = {.path = c->actions, .symbol = bars->symbol};
    struct actions actions;
    struct actions_report report;
    int r = actions_read(&options, &actions, err);
    if (r < 0)
        return r;
    char like[4 * sizeof actions.like];
    if (actions.n + actions.silent_n == 0 && actions.like[0])
        r = err_set(err, ERR_DATA, "%s has no row of %s, but of \"%s\": write them alike",
                    actions.path, bars->symbol, err_printable(actions.like, like, sizeof like));
    else
        r = actions_apply(&actions, c->dividends, bars, &report, err);
    actions_fini(&actions);
    return r;
}

static int load_csv(const struct config *c, const struct config_symbol *symbol,
                    struct bars **ret_bars, struct err *err)
{
    struct csv_options options = {.symbol = symbol->name};
    struct csv_report report;
    struct bars *bars;
    int r = csv_read(symbol->csv, &options, &bars, &report, err);
    if (r == 0 && c->actions[0] && (r = apply_actions(c, bars, err)) < 0)
        bars_free(bars);
    if (r == 0)
        *ret_bars = bars;
    return r;
}

/* By hash from the store where that is asked for; a file of data.csv stands in where the store
 * lacks it. */
static int load_symbol(const struct config *c, const struct config_symbol *symbol,
                       struct store *store, const uint64_t *wanted, struct bars **ret_bars,
                       struct err *err)
{
    struct symbol_info info;
    bool is_csv = symbol->csv[0] != '\0';
    if (!is_csv && !store)
        return err_set(err, ERR_NO_INPUT,
                       "no store to take the bars of %s from: name its file in data.csv",
                       symbol->name);
    if (store && (!is_csv || wanted)) {
        struct err why;
        int r = store_get_bars(store, symbol->name, wanted, ret_bars, &info, &why);
        if (r == 0)
            return r;
        if (!is_csv) {
            *err = why;
            return r;
        }
    }
    return load_csv(c, symbol, ret_bars, err);
}

static int load_all(struct range *range, const struct config *c, struct store *store,
                    const uint64_t (*hashes)[2], struct err *err)
{
    for (uint32_t s = 0; s < c->symbols_n + c->references_n; s++) {
        const uint64_t *wanted = hashes ? hashes[s] : NULL;
        int r = load_symbol(c, &c->symbols[s], store, wanted, &range->bars[s], err);
        if (r < 0)
            return r;
        range->all_n = s + 1;
        bars_hash(range->bars[s], range->symbol_hash[s]);
        r = check_hash(&c->symbols[s], range->symbol_hash[s], wanted, err);
        if (r < 0)
            return r;
    }
    range->symbols_n = c->symbols_n;
    return 0;
}

/* ---- cutting -------------------------------------------------------------------------------- */

/* Rows of one symbol: [begin, end) are taken, those from `first` on are the range. */
struct cut {
    uint32_t begin, first, end;
};

static uint32_t row_at(const struct bars *bars, const struct config_bound *bound,
                       uint32_t otherwise)
{
    if (bound->kind == BOUND_NONE)
        return otherwise;
    if (bound->kind == BOUND_BAR)
        return bound->value < 0                       ? 0
               : bound->value > (int64_t)bars->rows_n ? bars->rows_n
                                                      : (uint32_t)bound->value;
    uint32_t low = 0, high = bars->rows_n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bars->time_ns[middle] < bound->value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int cut_of(const struct config *c, const struct bars *bars, const char *name,
                  struct cut *ret_cut, struct err *err)
{
    uint32_t first = row_at(bars, &c->from, 0);
    uint32_t end = row_at(bars, &c->to, bars->rows_n);
    if (first >= end) {
        char from[TIME_ISO_BYTES], to[TIME_ISO_BYTES];
        if (bars->rows_n == 0)
            return err_set(err, ERR_NO_INPUT, "%s has no bars", name);
        const struct config_bound *at =
            first < bars->rows_n && c->to.at.text[0] ? &c->to : &c->from;
        return err_set(err, ERR_CONFIG,
                       "%s%sdata.from and data.to leave no bar of %s: it has %u bars from %s to %s",
                       at->at.text, at->at.text[0] ? ": " : "", name, bars->rows_n,
                       time_format_iso(bars->time_ns[0], from),
                       time_format_iso(bars->time_ns[bars->rows_n - 1], to));
    }
    *ret_cut = (struct cut){first > c->warm_up ? first - c->warm_up : 0, first, end};
    return 0;
}

/* First row whose time is not before `time_ns`. */
static uint32_t row_from(const struct bars *bars, int64_t time_ns)
{
    const struct config_bound bound = {.kind = BOUND_TIME, .value = time_ns};
    return row_at(bars, &bound, 0);
}

/* A symbol of reference: everything up to the last bar that is traded; what stands before the first
 * one is its warm-up. */
static int cut_of_reference(const struct range *range, const struct bars *bars, const char *name,
                            struct cut *ret_cut, struct err *err)
{
    int64_t from = INT64_MAX, to = INT64_MIN;
    for (uint32_t s = 0; s < range->symbols_n; s++) {
        const struct bars *cut = &range->cut[s];
        int64_t first = cut->time_ns[range->warm_up_rows[s]], last = cut->time_ns[cut->rows_n - 1];
        from = first < from ? first : from;
        to = last > to ? last : to;
    }
    *ret_cut = (struct cut){0, row_from(bars, from), row_from(bars, to + 1)};
    if (ret_cut->end > 0)
        return 0;
    char at[TIME_ISO_BYTES];
    return err_set(err, ERR_CONFIG,
                   "%s, which rules name, has no bar before %s, where the range ends", name,
                   time_format_iso(to, at));
}

static struct bars view_of(const struct bars *bars, const struct cut *cut, const char *name,
                           const double **extra)
{
    uint32_t at = cut->begin;
    for (uint32_t i = 0; i < bars->extra_n; i++)
        extra[i] = bars->extra[i] + at;
    return (struct bars){
        .symbol = name,
        .rows_n = cut->end - at,
        .time_ns = bars->time_ns + at,
        .open = bars->open + at,
        .high = bars->high + at,
        .low = bars->low + at,
        .close = bars->close + at,
        .volume = bars->volume + at,
        .extra_n = bars->extra_n,
        .extra_names = bars->extra_names,
        .extra = extra,
    };
}

static int cut_symbols(struct range *range, const struct config *c, XXH3_state_t *hash,
                       struct err *err)
{
    const double **extra = range->extra;
    for (uint32_t s = 0; s < range->all_n; s++) {
        const char *name = c->symbols[s].name;
        struct cut cut;
        int r = s < range->symbols_n ? cut_of(c, range->bars[s], name, &cut, err)
                                     : cut_of_reference(range, range->bars[s], name, &cut, err);
        if (r < 0)
            return r;
        range->cut[s] = view_of(range->bars[s], &cut, name, extra);
        range->first_row[s] = cut.first;
        range->warm_up_rows[s] = cut.first - cut.begin;
        extra += range->bars[s]->extra_n;
        (void)XXH3_128bits_update(hash, name, strlen(name) + 1); /* fails on NULL alone */
        (void)XXH3_128bits_update(hash, range->symbol_hash[s], sizeof range->symbol_hash[s]);
        (void)XXH3_128bits_update(hash, &cut, sizeof cut);
    }
    return 0;
}

static int cut_all(struct range *range, const struct config *c, struct err *err)
{
    size_t extra_n = 1;
    for (uint32_t s = 0; s < range->all_n; s++)
        extra_n += range->bars[s]->extra_n;
    range->extra = calloc(extra_n, sizeof *range->extra);
    XXH3_state_t *state = XXH3_createState();
    if (!range->extra || !state) {
        XXH3_freeState(state);
        return err_set(err, ERR_SYSTEM, "out of memory for columns");
    }
    (void)XXH3_128bits_reset(state); /* fails on NULL alone */
    int r = cut_symbols(range, c, state, err);
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    range->data_hash[0] = hash.low64;
    range->data_hash[1] = hash.high64;
    XXH3_freeState(state);
    return r;
}

/* ---- volumes -------------------------------------------------------------------------------- */

static bool has_volume(const struct bars *cut, uint32_t first)
{
    for (uint32_t r = first; r < cut->rows_n; r++)
        if (cut->volume[r] > 0)
            return true;
    return false;
}

/* A share of no volume is no fill, and a price for it is none. */
static int check_volumes(const struct range *range, const struct config *c, struct err *err)
{
    for (uint32_t i = 0; i < c->strategies_n; i++) {
        const struct config_volume *volume = &c->strategies[i].volume;
        for (uint32_t s = 0; volume->path && s < range->symbols_n; s++)
            if (!has_volume(&range->cut[s], range->warm_up_rows[s]))
                return err_set(err, ERR_CONFIG,
                               "%s: %s goes by the volume of bars, and those of %s have none in "
                               "the range; take the key out, or import %s with a column of volumes",
                               volume->at.text, volume->path, c->symbols[s].name,
                               c->symbols[s].name);
    }
    return 0;
}

int range_load(const struct config *config, struct store *store, const uint64_t (*hashes)[2],
               struct range *ret_range, struct err *err)
{
    struct range *range = calloc(1, sizeof *range);
    if (!range)
        return err_set(err, ERR_SYSTEM, "out of memory for bars");
    int r = load_all(range, config, store, hashes, err);
    if (r == 0)
        r = cut_all(range, config, err);
    if (r == 0 && !hashes)
        r = check_volumes(range, config, err);
    if (r < 0)
        range_fini(range);
    else
        *ret_range = *range;
    free(range);
    return r;
}

void range_fini(struct range *range)
{
    for (uint32_t s = 0; s < range->all_n; s++)
        bars_free(range->bars[s]);
    free(range->extra);
    *range = (struct range){0};
}

/* ---- what follows from it ------------------------------------------------------------------- */

uint64_t range_rows_n(const struct range *range)
{
    uint64_t n = 0;
    for (uint32_t s = 0; s < range->symbols_n; s++)
        n += range->cut[s].rows_n - range->warm_up_rows[s];
    return n;
}

static int compare_times(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int range_steps_n(const struct range *range, uint64_t *ret_steps_n, struct err *err)
{
    uint64_t rows_n = range_rows_n(range), n = 0, steps_n = 0;
    if (range->symbols_n == 1) {
        *ret_steps_n = rows_n;
        return 0;
    }
    int64_t *times = calloc(rows_n + 1, sizeof *times);
    if (!times)
        return err_set(err, ERR_SYSTEM, "out of memory while merging clocks");
    for (uint32_t s = 0; s < range->symbols_n; s++)
        for (uint32_t r = range->warm_up_rows[s]; r < range->cut[s].rows_n; r++)
            times[n++] = range->cut[s].time_ns[r];
    qsort(times, n, sizeof *times, compare_times);
    for (uint64_t i = 0; i < n; i++)
        steps_n += i == 0 || times[i] != times[i - 1];
    free(times);
    *ret_steps_n = steps_n;
    return 0;
}
