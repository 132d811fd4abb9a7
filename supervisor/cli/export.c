/* SPDX-License-Identifier: MIT */
/* admf export: results, trades, equity and faults of a run as tables.
 *
 * Results come from the store in order and are merged with the grid's numbers, so that a sweep of
 * any size needs the memory of one row. Trades and equity are recomputed, one combination after
 * another in one session. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "proto/trade.h"
#include "proto/units.h"
#include "shm/slot.h"
#include "supervisor/cli/common.h"
#include "supervisor/cli/rows.h"
#include "supervisor/pool/run.h"

struct export
{
    const struct cli_args *args;
    struct cli_run run;
    struct run_detailer *detailer;
    struct rows rows;
    struct cell *cells;
    uint32_t columns_n;
    const char **columns;
    /* combinations */
    const char *swept[CONFIG_DIMS_MAX * 4];
    uint32_t swept_n;
    const struct metric_alias *aliases[METRIC_ALIASES_MAX];
    unsigned aliases_n;
    bool has_strategy; /* a column for the name of each one's strategy */
    uint64_t next;     /* number that no row was looked for yet */
    /* trades */
    uint64_t *ok; /* combinations that ended well */
    size_t ok_n, ok_capacity;
    /* how a walk inside the store ended */
    int rc;
    struct err *err;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory");
}

static int columns_room(struct export *e, uint32_t most, struct err *err)
{
    e->columns = calloc(most, sizeof *e->columns);
    e->cells = calloc(most, sizeof *e->cells);
    return e->columns && e->cells ? 0 : no_memory(err);
}

static int begin(struct export *e, const struct rows_table *table, struct err *err)
{
    return rows_open(e->args->format, e->args->output, table, &e->rows, err);
}

static int fixed_columns(struct export *e, const char *const *names, uint32_t n, uint32_t more,
                         struct err *err)
{
    int rc = columns_room(e, n + more, err);
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        e->columns[i] = names[i];
    e->columns_n = n;
    return rc;
}

/* ---- combinations --------------------------------------------------------------------------- */

static bool is_of_profile(const struct export *e, unsigned metric)
{
    return metric_is_of(metric, (enum metric_profile)e->run.config->profile);
}

/* Names that the profile's engine has for some metrics; what is swept goes before a name. */
static void note_aliases(struct export *e)
{
    const struct metric_alias *alias;
    for (unsigned i = 0; (alias = metric_alias(i)); i++) {
        bool is_taken = alias->profile != e->run.config->profile;
        for (uint32_t k = 0; k < e->swept_n; k++)
            is_taken |= strcmp(e->swept[k], alias->name) == 0;
        if (!is_taken)
            e->aliases[e->aliases_n++] = alias;
    }
}

static int combinations_columns(struct export *e, struct err *err)
{
    e->swept_n = grid_columns(e->run.config, e->swept);
    e->has_strategy = e->run.config->strategies_n > 1;
    note_aliases(e);
    int rc = columns_room(e, 3 + e->swept_n + METRIC_N + e->aliases_n, err);
    if (rc != 0)
        return rc;
    e->columns[e->columns_n++] = "combination";
    e->columns[e->columns_n++] = "status";
    for (uint32_t i = 0; i < e->swept_n; i++)
        e->columns[e->columns_n++] = e->swept[i];
    for (unsigned m = 0; m < METRIC_N; m++)
        if (is_of_profile(e, m))
            e->columns[e->columns_n++] = metric_row(m)->name;
    for (unsigned i = 0; i < e->aliases_n; i++)
        e->columns[e->columns_n++] = e->aliases[i]->name;
    if (e->has_strategy)
        e->columns[e->columns_n++] = "strategy";
    return 0;
}

static double metric_of(const struct result *result, unsigned metric)
{
    return result && result->status == STATUS_OK ? result->metrics[metric] : NAN;
}

/* result is NULL where the combination was not run. */
static int combination_row(struct export *e, uint64_t n, const struct result *result)
{
    uint32_t at = 0;
    e->cells[at++] = cell_count(n);
    e->cells[at++] = cell_text(status_name(result ? result->status : STATUS_NOT_RUN));
    for (uint32_t i = 0; i < e->swept_n; i++) {
        const char *symbol = NULL;
        double value = grid_value(e->run.config, n, e->swept[i], &symbol);
        e->cells[at++] = symbol ? cell_text(symbol) : cell_number(value);
    }
    for (unsigned m = 0; m < METRIC_N; m++)
        if (is_of_profile(e, m))
            e->cells[at++] = cell_number(metric_of(result, m));
    for (unsigned i = 0; i < e->aliases_n; i++)
        e->cells[at++] =
            cell_number(metric_of(result, e->aliases[i]->metric) / e->aliases[i]->divisor);
    if (e->has_strategy)
        e->cells[at++] = cell_text(grid_strategy(e->run.config, n)->spec.name);
    return rows_add(&e->rows, e->cells, e->err);
}

/* Rows of the numbers from e->next up to `to` that run and have no result. */
static int fill_not_run(struct export *e, uint64_t to)
{
    struct combo combo;
    int rc = 0;
    for (; rc == 0 && e->next < to; e->next++)
        if (grid_combo(e->run.config, e->next, &combo))
            rc = combination_row(e, e->next, NULL);
    return rc;
}

static int merge_result(void *ctx, const struct result *result)
{
    struct export *e = ctx;
    e->rc = fill_not_run(e, result->combination);
    if (e->rc == 0)
        e->rc = combination_row(e, result->combination, result);
    e->next = result->combination + 1;
    return e->rc;
}

static int one_combination(struct export *e, uint64_t n, struct err *err)
{
    struct result result;
    struct err why = {0};
    int rc = store_get_result(e->run.store, e->run.record.id, n, &result, &why);
    if (rc != 0 && why.kind != ERR_NO_INPUT) {
        *err = why;
        return rc;
    }
    return combination_row(e, n, rc == 0 ? &result : NULL);
}

static int all_combinations(struct export *e, struct err *err)
{
    int rc = store_each_result(e->run.store, e->run.record.id, merge_result, e, err);
    if (rc == 0)
        rc = e->rc;
    return rc != 0 ? rc : fill_not_run(e, e->run.config->combinations_n);
}

static int export_combinations(struct export *e, struct err *err)
{
    int rc = combinations_columns(e, err);
    struct rows_table table = {"combinations", e->columns_n, e->columns};
    if (rc == 0)
        rc = begin(e, &table, err);
    if (rc != 0)
        return rc;
    rc = e->args->combination_given ? one_combination(e, e->args->combination, err)
                                    : all_combinations(e, err);
    return rc == 0 ? rows_finish(&e->rows, err) : rc;
}

/* ---- trades --------------------------------------------------------------------------------- */

static int begin_details(struct export *e, struct err *err)
{
    const struct run_stored run = {e->run.config, e->run.describe, e->run.store, &e->run.record};
    return run_detailer_open(&run, &e->detailer, err);
}

static int next_detail(struct export *e, uint64_t n, const struct run_detail **ret_detail,
                       struct err *err)
{
    int rc = run_detailer_next(e->detailer, n, ret_detail, err);
    return rc == RUN_E_NO_DETAIL ? -ENOENT : rc; /* as the error that it filled */
}

static int trade_row(struct export *e, const struct run_detail *d, const struct trade *t,
                     struct err *err)
{
    char entry[TIME_ISO_BYTES], exit[TIME_ISO_BYTES];
    const int64_t *time_ns = d->row_time_ns[t->symbol_idx];
    bool is_open = t->exit_bar == TRADE_OPEN;
    double size = fabs(t->qty);
    struct cell row[] = {
        cell_count(d->combo.combination),
        cell_text(e->run.config->symbols[t->symbol_idx].name),
        cell_text(t->qty > 0 ? "long" : "short"),
        cell_number(size),
        cell_count(t->entry_bar),
        is_open ? cell_null() : cell_count(t->exit_bar),
        cell_text(time_format_iso(time_ns[t->entry_bar], entry)),
        is_open ? cell_null() : cell_text(time_format_iso(time_ns[t->exit_bar], exit)),
        cell_number(t->entry_px),
        is_open ? cell_null() : cell_number(t->exit_px),
        is_open ? cell_null() : cell_number(t->pnl),
        is_open ? cell_null() : cell_number(t->pnl / (size * t->entry_px)),
        cell_number(t->commission),
        cell_text(fill_rule_name(t->entry_rule)),
        is_open ? cell_null() : cell_text(fill_rule_name(t->exit_rule)),
        cell_number(t->mae),
        cell_number(t->mfe),
    };
    return rows_add(&e->rows, row, err);
}

static int trade_rows(struct export *e, const struct run_detail *d, struct err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < d->trades_n; i++)
        rc = trade_row(e, d, &d->trades[i], err);
    return rc;
}

static int note_ok(void *ctx, const struct result *result)
{
    struct export *e = ctx;
    if (result->status != STATUS_OK)
        return 0;
    if (e->ok_n == e->ok_capacity) {
        size_t more = e->ok_capacity ? 2 * e->ok_capacity : 1024;
        uint64_t *bigger = realloc(e->ok, more * sizeof *bigger);
        if (!bigger)
            return e->rc = no_memory(e->err);
        e->ok = bigger;
        e->ok_capacity = more;
    }
    e->ok[e->ok_n++] = result->combination;
    return 0;
}

/* Those of the combinations that ended well. Which ones is noted first, so that no transaction is
 * held while one is recomputed. */
static int all_trades(struct export *e, struct err *err)
{
    int rc = store_each_result(e->run.store, e->run.record.id, note_ok, e, err);
    if (rc == 0)
        rc = e->rc;
    for (size_t i = 0; rc == 0 && i < e->ok_n; i++) {
        const struct run_detail *d;
        rc = next_detail(e, e->ok[i], &d, err);
        if (rc == 0)
            rc = trade_rows(e, d, err);
    }
    return rc;
}

static int export_trades(struct export *e, struct err *err)
{
    static const char *const names[] = {
        "combination", "symbol",     "direction",   "size",       "entry_bar", "exit_bar",
        "entry_time",  "exit_time",  "entry_price", "exit_price", "pnl",       "return",
        "commission",  "entry_rule", "exit_rule",   "mae",        "mfe"};
    struct rows_table table = {"trades", sizeof names / sizeof *names, names};
    const struct run_detail *d = NULL;
    int rc = begin_details(e, err);
    if (rc == 0 && e->args->combination_given)
        rc = next_detail(e, e->args->combination, &d, err);
    if (rc == 0)
        rc = begin(e, &table, err);
    if (rc != 0)
        return rc;
    rc = d ? trade_rows(e, d, err) : all_trades(e, err);
    return rc == 0 ? rows_finish(&e->rows, err) : rc;
}

/* ---- equity --------------------------------------------------------------------------------- */

static int equity_rows(struct export *e, const struct run_detail *d, struct err *err)
{
    int rc = 0;
    for (uint32_t step = 0; rc == 0 && step < d->steps_n; step++) {
        char time[TIME_ISO_BYTES];
        e->cells[0] = cell_count(step);
        e->cells[1] = cell_text(time_format_iso(d->time_ns[step], time));
        e->cells[2] = cell_number(d->equity[step]);
        e->cells[3] = cell_number(d->cash[step]);
        for (uint32_t s = 0; s < d->symbols_n; s++)
            e->cells[4 + s] = cell_number(d->position[(size_t)step * d->symbols_n + s]);
        rc = rows_add(&e->rows, e->cells, err);
    }
    return rc;
}

static int equity_table(struct export *e, const struct run_detail *d, struct err *err)
{
    static const char *const first[] = {"bar", "time", "equity", "cash"};
    const struct config *config = e->run.config;
    char(*names)[SPEC_NAME_BYTES + 16] = calloc(d->symbols_n + 1, sizeof *names);
    int rc = names ? fixed_columns(e, first, 4, d->symbols_n, err) : no_memory(err);
    for (uint32_t s = 0; rc == 0 && s < d->symbols_n; s++) {
        snprintf(names[s], sizeof names[s], "position_%s",
                 s < config->symbols_n ? config->symbols[s].name : "?");
        e->columns[e->columns_n++] = names[s];
    }
    struct rows_table table = {"equity", e->columns_n, e->columns};
    if (rc == 0)
        rc = begin(e, &table, err);
    if (rc == 0)
        rc = equity_rows(e, d, err);
    if (rc == 0)
        rc = rows_finish(&e->rows, err);
    rows_discard(&e->rows); /* before the table that it points to */
    free(names);
    return rc;
}

static int export_equity(struct export *e, struct err *err)
{
    if (!e->args->combination_given)
        return err_set(err, ERR_USAGE,
                       "--what equity is of one combination: name it with --combination N (`admf "
                       "show %s` lists the best)",
                       e->run.record.id);
    const struct run_detail *d;
    int rc = begin_details(e, err);
    if (rc == 0)
        rc = next_detail(e, e->args->combination, &d, err);
    return rc == 0 ? equity_table(e, d, err) : rc;
}

/* ---- faults --------------------------------------------------------------------------------- */

static int fault_row(void *ctx, const struct fault *f)
{
    struct export *e = ctx;
    const struct config *config = e->run.config;
    char signal[SIGNAL_NAME_BYTES], message[1024];
    if (e->args->combination_given && f->combination != e->args->combination)
        return 0;
    struct cell row[] = {
        cell_count(f->combination),
        f->symbol_idx < config->symbols_n ? cell_text(config->symbols[f->symbol_idx].name)
                                          : cell_null(),
        f->bar == UINT32_MAX ? cell_null() : cell_count(f->bar),
        cell_text(slot_phase_name(f->phase)),
        cell_text(status_name(f->status)),
        f->signal ? cell_text(signal_name(f->signal, signal)) : cell_null(),
        f->limit ? cell_count(f->limit) : cell_null(),
        f->peak_bytes ? cell_count(f->peak_bytes) : cell_null(),
        cell_count(f->attempt),
        cell_text(err_printable(f->message, message, sizeof message)),
    };
    e->rc = rows_add(&e->rows, row, e->err);
    return e->rc;
}

static int export_faults(struct export *e, struct err *err)
{
    static const char *const names[] = {"combination", "symbol", "bar",   "phase",
                                        "reason",      "signal", "limit", "peak_bytes",
                                        "attempt",     "message"};
    struct rows_table table = {"faults", sizeof names / sizeof *names, names};
    int rc = begin(e, &table, err);
    if (rc == 0)
        rc = store_each_fault(e->run.store, e->run.record.id, fault_row, e, err);
    if (rc == 0)
        rc = e->rc;
    return rc == 0 ? rows_finish(&e->rows, err) : rc;
}

/* ---- all of them ---------------------------------------------------------------------------- */

typedef int (*export_fn)(struct export *e, struct err *err);

static int find_what(const char *what, export_fn *ret_fn, struct err *err)
{
    static const char *const names[] = {"combinations", "trades", "equity", "faults"};
    static const export_fn fns[] = {export_combinations, export_trades, export_equity,
                                    export_faults};
    if (!what)
        return err_set(err, ERR_USAGE,
                       "--what is missing: expected combinations, trades, equity or faults");
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(what, names[i]) == 0) {
            *ret_fn = fns[i];
            return 0;
        }
    }
    char printable[128];
    const char *close = err_suggest(what, names, 4);
    return err_set(
        err, ERR_USAGE,
        "--what %s: there is no such table%s%s; expected combinations, trades, equity or "
        "faults",
        err_printable(what, printable, sizeof printable), close ? ", did you mean " : "",
        close ? close : "");
}

static int check_combination(const struct export *e, struct err *err)
{
    struct combo combo;
    uint64_t n = e->args->combination;
    if (!e->args->combination_given)
        return 0;
    if (n >= e->run.config->combinations_n)
        return err_set(err, ERR_USAGE,
                       "--combination %" PRIu64 ": run %s has the combinations 0 to %" PRIu64, n,
                       e->run.record.id, e->run.config->combinations_n - 1);
    if (!grid_combo(e->run.config, n, &combo))
        return err_set(err, ERR_USAGE,
                       "--combination %" PRIu64 " is excluded by the `where` of its strategy", n);
    return 0;
}

int cmd_export(const struct cli_args *args, struct err *err)
{
    struct export e = {.args = args, .err = err};
    export_fn fn = NULL;
    int rc = find_what(args->what, &fn, err);
    if (rc == 0)
        rc = cli_run_open(args, args->positional[0], &e.run, err);
    if (rc == 0)
        rc = check_combination(&e, err);
    if (rc == 0)
        rc = fn(&e, err);
    if (rc < 0 && err->kind == ERR_INTERRUPTED)
        rc = 128 + run_detailer_stop_signal(e.detailer);
    run_detailer_close(e.detailer);
    rows_discard(&e.rows);
    free(e.columns);
    free(e.cells);
    free(e.ok);
    cli_run_close(&e.run);
    return rc == ROWS_E_CLOSED ? 0 : rc;
}
