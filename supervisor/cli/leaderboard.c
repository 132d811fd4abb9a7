/* SPDX-License-Identifier: MIT */
/* A bounded heap over a walk of results: its root is the worst of the best. */
#include "supervisor/cli/leaderboard.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/expr.h"
#include "supervisor/cli/common.h"

#define COLUMNS_MAX (CONFIG_DIMS_MAX * 4)

int leaderboard_metric(const char *name)
{
    const struct metric_alias *alias = metric_alias_find(name);
    return alias ? (int)alias->metric : metric_find(name);
}

/* ---- where ---------------------------------------------------------------------------------- */

/* A condition with its names resolved: each is a metric, or a swept value. */
struct filter {
    struct expr *expr; /* NULL: everything passes */
    size_t n;
    const char *names[EXPR_NAMES_MAX];
    int metric[EXPR_NAMES_MAX]; /* -1: swept */
    double divisor[EXPR_NAMES_MAX];
    double values[EXPR_NAMES_MAX];
};

static size_t known_names(const struct config *config, const char **names)
{
    size_t n = 0;
    for (int m = 0; m < METRIC_N; m++)
        names[n++] = metric_row((enum metric)m)->name;
    return n + grid_columns(config, names + n);
}

static bool is_swept(const struct config *config, const char *name)
{
    const char *columns[COLUMNS_MAX];
    uint32_t n = grid_columns(config, columns);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(columns[i], name) == 0)
            return true;
    return false;
}

static int unknown_name(const struct config *config, const char *name, struct err *err)
{
    const char *known[METRIC_N + COLUMNS_MAX];
    char shown[128], near_shown[128];
    const char *near = err_suggest(name, known, known_names(config, known));
    return err_set(err, ERR_USAGE, "--where: \"%s\" is neither a metric nor a swept value%s%s%s",
                   err_printable(name, shown, sizeof shown), near ? "; did you mean \"" : "",
                   near ? err_printable(near, near_shown, sizeof near_shown) : "",
                   near ? "\"?" : "; admf catalog metrics lists metrics");
}

static int resolve_names(struct filter *f, const struct config *config, struct err *err)
{
    const char *const *names;
    f->n = expr_names(f->expr, &names);
    for (size_t i = 0; i < f->n; i++) {
        f->names[i] = names[i];
        f->metric[i] = is_swept(config, names[i]) ? -1 : leaderboard_metric(names[i]);
        if (f->metric[i] < 0 && !is_swept(config, names[i]))
            return unknown_name(config, names[i], err);
        const struct metric_alias *alias = metric_alias_find(names[i]);
        f->divisor[i] = alias ? alias->divisor : 1;
    }
    return 0;
}

static int filter_init(struct filter *f, const struct config *config, const char *where,
                       struct err *err)
{
    *f = (struct filter){0};
    if (!where)
        return 0;
    int rc = expr_parse(where, &f->expr, err);
    if (rc < 0) {
        err_prefix(err, "--where");
        err->kind = ERR_USAGE;
        return rc;
    }
    if (!expr_is_condition(f->expr))
        return err_set(err, ERR_USAGE, "--where needs a condition, such as 'trades >= 30'");
    return resolve_names(f, config, err);
}

static int filter_passes(struct filter *f, const struct config *config, const struct result *result,
                         bool *ret_passes, struct err *err)
{
    const char *symbol;
    double value = 1.0;
    for (size_t i = 0; i < f->n; i++)
        f->values[i] = f->metric[i] >= 0
                           ? result->metrics[f->metric[i]] / f->divisor[i]
                           : grid_value(config, result->combination, f->names[i], &symbol);
    struct expr_env env = {.n = f->n, .names = f->names, .values = f->values};
    if (f->expr) {
        int rc = expr_eval_scalar(f->expr, &env, &value, err);
        if (rc < 0) {
            err_prefix(err, "--where");
            err->kind = ERR_USAGE;
            return rc;
        }
    }
    *ret_passes = value != 0.0;
    return 0;
}

/* ---- the heap ------------------------------------------------------------------------------- */

struct walk {
    const struct config *config;
    struct leaderboard *board;
    struct filter filter;
    size_t top_n, room_n;
    int rc;
    struct err *err;
};

/* Whether a stands before b: undefined values last, equal ones by number. */
static bool before(int direction, const struct leaderboard_entry *a,
                   const struct leaderboard_entry *b)
{
    bool a_nan = isnan(a->rank_value), b_nan = isnan(b->rank_value);
    if (a_nan != b_nan)
        return b_nan;
    if (!a_nan && a->rank_value != b->rank_value)
        return direction > 0 ? a->rank_value > b->rank_value : a->rank_value < b->rank_value;
    return a->combination < b->combination;
}

static void swap(struct leaderboard_entry *a, struct leaderboard_entry *b)
{
    struct leaderboard_entry t = *a;
    *a = *b;
    *b = t;
}

static void sift_up(struct leaderboard *b, size_t i)
{
    for (; i > 0 && before(b->direction, &b->entries[(i - 1) / 2], &b->entries[i]); i = (i - 1) / 2)
        swap(&b->entries[i], &b->entries[(i - 1) / 2]);
}

static void sift_down(struct leaderboard *b, size_t n)
{
    for (size_t i = 0, child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(b->direction, &b->entries[child], &b->entries[child + 1]))
            child++;
        if (!before(b->direction, &b->entries[i], &b->entries[child]))
            return;
        swap(&b->entries[i], &b->entries[child]);
    }
}

static int push(struct walk *w, const struct leaderboard_entry *entry)
{
    struct leaderboard *b = w->board;
    if (b->n == w->top_n) {
        if (before(b->direction, entry, &b->entries[0])) {
            b->entries[0] = *entry;
            sift_down(b, b->n);
        }
        return 0;
    }
    if (b->n == w->room_n) {
        size_t room_n = w->room_n ? w->room_n * 2 : 16;
        struct leaderboard_entry *entries = realloc(b->entries, room_n * sizeof *entries);
        if (!entries)
            return err_set(w->err, ERR_SYSTEM, "out of memory while ranking");
        b->entries = entries;
        w->room_n = room_n;
    }
    b->entries[b->n++] = *entry;
    sift_up(b, b->n - 1);
    return 0;
}

/* Takes the worst from the root, again and again: the best first. */
static void sort_heap(struct leaderboard *b)
{
    for (size_t n = b->n; n > 1; n--) {
        swap(&b->entries[0], &b->entries[n - 1]);
        sift_down(b, n - 1);
    }
}

static int take_result(void *ctx, const struct result *result)
{
    struct walk *w = ctx;
    struct leaderboard *b = w->board;
    bool passes;
    if (result->status < STATUS_N)
        b->status_n[result->status]++;
    if (result->status == STATUS_INVALID && b->status_n[STATUS_INVALID] == 1) {
        b->invalid_first = result->combination;
        memcpy(b->invalid_message, result->message, sizeof b->invalid_message);
    }
    if (result->status != STATUS_OK)
        return 0;
    if (result->metrics[METRIC_TRADES] < (double)w->config->min_trades) {
        b->left_out_n++;
        return 0;
    }
    w->rc = filter_passes(&w->filter, w->config, result, &passes, w->err);
    if (w->rc < 0 || !passes)
        return w->rc;
    struct leaderboard_entry entry = {.combination = result->combination,
                                      .rank_value = result->metrics[b->metric]};
    memcpy(entry.metrics, result->metrics, sizeof entry.metrics);
    b->matched_n++;
    w->rc = push(w, &entry);
    return w->rc;
}

/* ---- making --------------------------------------------------------------------------------- */

static int choose_metric(struct leaderboard *b, const struct config *config, const char *sort,
                         struct err *err)
{
    const char *known[METRIC_N + COLUMNS_MAX];
    char shown[128];
    b->metric = (enum metric)config->objective;
    b->direction = config->direction;
    if (!sort)
        return 0;
    int metric = leaderboard_metric(sort);
    if (metric < 0) {
        known_names(config, known);
        const char *near = err_suggest(sort, known, METRIC_N);
        return err_set(err, ERR_USAGE,
                       "--sort: there is no metric \"%s\"%s%s%s; admf catalog metrics lists them",
                       err_printable(sort, shown, sizeof shown), near ? "; did you mean \"" : "",
                       near ? near : "", near ? "\"?" : "");
    }
    if ((uint32_t)metric != config->objective)
        b->direction = metric_row((enum metric)metric)->sense < 0 ? -1 : +1;
    b->metric = (enum metric)metric;
    return 0;
}

int leaderboard_make(struct store *store, const struct config *config,
                     const struct run_record *record, const struct leaderboard_options *options,
                     struct leaderboard *ret_board, struct err *err)
{
    struct leaderboard board = {0};
    struct walk w = {.config = config, .board = &board, .err = err};
    w.top_n = options->top_n ? options->top_n : LEADERBOARD_TOP_DEFAULT;
    if (w.top_n > LEADERBOARD_TOP_MAX)
        return err_set(err, ERR_USAGE, "--top is at most %d", LEADERBOARD_TOP_MAX);
    int rc = choose_metric(&board, config, options->sort, err);
    if (rc < 0)
        return rc;
    rc = filter_init(&w.filter, config, options->where, err);
    if (rc == 0)
        rc = store_each_result(store, record->id, take_result, &w, err);
    if (w.rc < 0)
        rc = w.rc;
    expr_destroy(w.filter.expr);
    if (rc < 0) {
        leaderboard_fini(&board);
        return rc;
    }
    sort_heap(&board);
    *ret_board = board;
    return 0;
}

void leaderboard_fini(struct leaderboard *board)
{
    free(board->entries);
    *board = (struct leaderboard){0};
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool some_entry_counts(const struct leaderboard *b, enum metric metric)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->entries[i].metrics[metric] > 0)
            return true;
    return false;
}

static void show_metric(enum metric metric, enum metric *out, unsigned *n)
{
    for (unsigned k = 0; k < *n; k++)
        if (out[k] == metric)
            return;
    out[(*n)++] = metric;
}

/* The metrics of the table: what ranks, the objective, the main ones; then what explains a result
 * that surprises, where some combination has it. Each once. */
static unsigned shown_metrics(const struct leaderboard *b, const struct config *config,
                              enum metric out[static METRIC_N])
{
    const enum metric always[] = {b->metric,     (enum metric)config->objective, METRIC_RETURN_PCT,
                                  METRIC_SHARPE, METRIC_MAX_DRAWDOWN_PCT,        METRIC_TRADES};
    static const enum metric counted[] = {METRIC_RISK_VETOES, METRIC_RISK_RESIZES,
                                          METRIC_ENTRIES_DROPPED, METRIC_BANKRUPT};
    unsigned n = 0;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        show_metric(always[i], out, &n);
    if (some_entry_counts(b, METRIC_OPEN_TRADES))
        show_metric(METRIC_OPEN_TRADES, out, &n);
    show_metric(METRIC_WIN_RATE_PCT, out, &n);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        if (some_entry_counts(b, counted[i]))
            show_metric(counted[i], out, &n);
    return n;
}

static void add_metric(struct cli_table *t, unsigned column, enum metric metric, double v)
{
    char text[64];
    const char *unit = metric_row(metric)->unit;
    bool is_whole = strcmp(unit, "count") == 0 || strcmp(unit, "0 or 1") == 0;
    bool is_fine = strcmp(unit, "ratio") == 0 || strcmp(unit, "probability") == 0;
    int digits = is_whole ? 0 : is_fine ? 4 : 2;
    snprintf(text, sizeof text, "%.*f", digits, v);
    cli_table_add(t, column, isnan(v) ? "-" : text, true);
}

static void add_swept(struct cli_table *t, unsigned column, const struct config *config, uint64_t n,
                      const char *name)
{
    char text[F64_BYTES];
    const char *symbol = NULL;
    double v = grid_value(config, n, name, &symbol);
    if (symbol)
        cli_table_add(t, column, symbol, false);
    else
        cli_table_add(t, column, isnan(v) ? "-" : f64_format_short(v, text), true);
}

/* Heads of the columns: number, strategy where there are several, swept values, metrics. */
struct heads {
    const char *name[2 + COLUMNS_MAX + METRIC_N];
    unsigned n;
    bool has_strategy;
    const char *swept[COLUMNS_MAX];
    unsigned swept_n;
    enum metric metrics[METRIC_N];
    unsigned metrics_n;
};

static bool some_entry_has(const struct leaderboard *b, const struct config *config,
                           const char *name)
{
    const char *symbol = NULL;
    for (size_t i = 0; i < b->n; i++)
        if (!isnan(grid_value(config, b->entries[i].combination, name, &symbol)) || symbol)
            return true;
    return false;
}

/* Swept values that no strategy on the board has are left out. */
static void make_heads(struct heads *h, const struct leaderboard *b, const struct config *config)
{
    const char *swept[COLUMNS_MAX];
    uint32_t swept_n = grid_columns(config, swept);
    *h = (struct heads){.has_strategy = config->strategies_n > 1};
    h->name[h->n++] = "combination";
    if (h->has_strategy)
        h->name[h->n++] = "strategy";
    for (uint32_t i = 0; i < swept_n; i++)
        if (some_entry_has(b, config, swept[i]))
            h->name[h->n++] = h->swept[h->swept_n++] = swept[i];
    h->metrics_n = shown_metrics(b, config, h->metrics);
    for (unsigned i = 0; i < h->metrics_n; i++)
        h->name[h->n++] = metric_row(h->metrics[i])->name;
}

static void add_entry(struct cli_table *t, const struct heads *h, const struct config *config,
                      const struct leaderboard_entry *e)
{
    char text[32];
    unsigned column = 0;
    snprintf(text, sizeof text, "%llu", (unsigned long long)e->combination);
    cli_table_add(t, column++, text, true);
    if (h->has_strategy)
        cli_table_add(t, column++, grid_strategy(config, e->combination)->spec.name, false);
    for (unsigned i = 0; i < h->swept_n; i++)
        add_swept(t, column++, config, e->combination, h->swept[i]);
    for (unsigned i = 0; i < h->metrics_n; i++)
        add_metric(t, column++, h->metrics[i], e->metrics[h->metrics[i]]);
}

void leaderboard_write(FILE *out, const struct leaderboard *board, const struct config *config)
{
    struct heads h;
    make_heads(&h, board, config);
    if (board->n == 0)
        fputs("no combination to rank\n", out);
    struct cli_table *t = board->n ? cli_table_create(h.n, h.name) : NULL;
    for (size_t i = 0; t && i < board->n; i++)
        add_entry(t, &h, config, &board->entries[i]);
    if (t)
        cli_table_print(t, out);
    cli_table_destroy(t);
    if (board->left_out_n)
        fprintf(out, "%llu combination%s with fewer than %llu trade%s %s not ranked\n",
                (unsigned long long)board->left_out_n, cli_s(board->left_out_n),
                (unsigned long long)config->min_trades, cli_s(config->min_trades),
                board->left_out_n == 1 ? "is" : "are");
}

static void explain_none_ran(FILE *out, uint64_t all_n, uint64_t invalid_n, const char *why)
{
    if (invalid_n == 0)
        fputs("no combination ran to its end\n", out);
    else if (invalid_n < all_n)
        fprintf(out, "no combination ran to its end: %llu of %llu %s invalid: %s\n",
                (unsigned long long)invalid_n, (unsigned long long)all_n,
                invalid_n == 1 ? "is" : "are", why);
    else if (all_n == 1)
        fprintf(out, "no combination ran: the only one is invalid: %s\n", why);
    else
        fprintf(out, "no combination ran: all %llu are invalid: %s\n", (unsigned long long)all_n,
                why);
}

void leaderboard_explain(FILE *out, const struct leaderboard *board,
                         const struct run_record *record, bool is_terse)
{
    char why[1024];
    uint64_t all_n = record->combinations_n, ended_n = 0;
    uint64_t invalid_n = board->status_n[STATUS_INVALID];
    for (int s = 0; s < STATUS_N; s++)
        ended_n += s == STATUS_NOT_RUN ? 0 : board->status_n[s];
    err_printable(board->invalid_message, why, sizeof why);
    if (board->status_n[STATUS_OK] == 0 && ended_n > 0 && ended_n >= all_n)
        explain_none_ran(out, all_n, invalid_n, why);
    else if (invalid_n > 0 && !is_terse)
        fprintf(out, "%llu of %llu combinations %s invalid, the first is %llu: %s\n",
                (unsigned long long)invalid_n, (unsigned long long)all_n,
                invalid_n == 1 ? "is" : "are", (unsigned long long)board->invalid_first, why);
}

static json_t *metrics_json(const double *values, const struct config *config)
{
    json_t *metrics = json_object();
    const struct metric_alias *alias;
    for (int m = 0; m < METRIC_N; m++)
        if (metric_is_of((enum metric)m, (enum metric_profile)config->profile))
            json_object_set_new(metrics, metric_row((enum metric)m)->name,
                                cli_json_number(values[m]));
    for (unsigned i = 0; (alias = metric_alias(i)); i++)
        if (alias->profile == config->profile)
            json_object_set_new(metrics, alias->name,
                                cli_json_number(values[alias->metric] / alias->divisor));
    return metrics;
}

static json_t *entry_json(const struct leaderboard_entry *e, const struct config *config,
                          const struct heads *h)
{
    json_t *parameters = json_object();
    const struct config_strategy *s = grid_strategy(config, e->combination);
    for (unsigned i = 0; i < h->swept_n; i++) {
        const char *symbol = NULL;
        double v = grid_value(config, e->combination, h->swept[i], &symbol);
        if (symbol || !isnan(v))
            json_object_set_new(parameters, h->swept[i],
                                symbol ? json_string(symbol) : cli_json_number(v));
    }
    return json_pack("{s:o, s:s, s:o, s:o}", "combination", cli_json_count(e->combination),
                     "strategy", s->spec.name, "parameters", parameters, "metrics",
                     metrics_json(e->metrics, config));
}

json_t *leaderboard_json(const struct leaderboard *board, const struct config *config)
{
    struct heads h;
    json_t *list = json_array();
    make_heads(&h, board, config);
    for (size_t i = 0; i < board->n; i++)
        json_array_append_new(list, entry_json(&board->entries[i], config, &h));
    return list;
}
