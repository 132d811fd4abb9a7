/* SPDX-License-Identifier: MIT */
/* What the files of the loader share: one state, readers of single values, who reads which key. */
#pragma once

#include "supervisor/config/config.h"
#include "supervisor/config/schema.h"

#define SWEEP_VALUES_MAX 100000u
/* Combinations that one `where` may range over; and all of them together, each times the
 * condition's characters and 20, so that counting takes half a second at most. */
#define WHERE_SPACE_MAX 10000000u
#define WHERE_WORK_MAX  UINT64_C(400000000)
#define WHERE_WORK_EACH 20u
#define COLUMNS_MAX     (CONFIG_DIMS_MAX * 4)
#define EXIT_DIMS_MAX   8 /* at least the keys of exits that may be swept in place */

/* A key that was written with another value than its default, and whether a strategy heeds it. */
struct idle_key {
    const struct node *at; /* NULL: it was not */
    bool is_heeded;
};
#define IDLE_KEYS_MAX 8

struct loader {
    const struct describe *describe; /* may be NULL: rules alone */
    struct config *config;
    struct config_top *top; /* where execution, risk, … go: the file's or a strategy's */
    bool is_stored;         /* see config_parse() */
    const char *dir;        /* before relative paths of data.csv, "" or ending in a slash */
    struct tree tree;
    const struct node *strategies, *grids, *sizing; /* as met; NULL: not given */
    const struct node *csv, *objective;
    uint64_t where_work_left;
    uint32_t exit_dims_n;
    struct dim exit_dims[EXIT_DIMS_MAX];
    const struct node *exit_nodes[EXIT_DIMS_MAX];
    struct idle_key idle[IDLE_KEYS_MAX];
    struct err *err;
};

/* ---- single values (config/value.c) --------------------------------------------------------- */

/* `what` is the key as it is named to people. */
int value_number(const struct node *v, const char *what, const struct number_rule *rule,
                 double *ret_value, struct err *err) ADMF_MUST_CHECK;
int value_u64(const struct node *v, const char *what, uint64_t *ret_value,
              struct err *err) ADMF_MUST_CHECK;
int value_bool(const struct node *v, const char *what, bool *ret_value,
               struct err *err) ADMF_MUST_CHECK;
int value_choice(struct loader *l, const struct node *v, const struct schema_row *row,
                 int *ret_value) ADMF_MUST_CHECK;
/* A text of 1 to out_bytes - 1 bytes. */
int value_text(const struct node *v, const char *what, char *out, size_t out_bytes,
               struct err *err) ADMF_MUST_CHECK;
/* 0 when `value` obeys the rule, else the error at `v`. */
int rule_check(const struct node *v, const char *what, const struct number_rule *rule, double value,
               struct err *err) ADMF_MUST_CHECK;
/* "0 to 0.5", "above 0, at most 1": for messages and the docs. Returns out. */
const char *rule_text(const struct number_rule *rule, char *out, size_t out_bytes);

/* ---- swept values (config/sweep.c) ---------------------------------------------------------- */

bool sweep_is(const struct node *v); /* a list or a map */
/* A list or {from, to, step} into n, values and the range of *ret_dim; the rest of it is left
 * alone. */
int sweep_read(const struct node *v, const char *what, const struct number_rule *rule,
               struct dim *ret_dim, struct err *err) ADMF_MUST_CHECK;
/* Checks values that were read by a looser rule. */
int sweep_check(const struct node *v, const char *what, const struct number_rule *rule,
                const struct dim *dim, struct err *err) ADMF_MUST_CHECK;
void dim_fini(struct dim *dim);

/* ---- keys with readers of their own --------------------------------------------------------- */

int read_conventions(struct loader *l, const struct schema_row *row, const struct node *v);
/* Adds the symbols that rules name and data.symbols does not (config/references.c). */
int references_find(struct loader *l) ADMF_MUST_CHECK;
int read_symbols(struct loader *l, const struct schema_row *row, const struct node *v);
int read_csv(struct loader *l, const struct schema_row *row, const struct node *v);
int read_plugins(struct loader *l, const struct schema_row *row, const struct node *v);
int read_actions(struct loader *l, const struct schema_row *row, const struct node *v);
int read_bound(struct loader *l, const struct schema_row *row, const struct node *v);
int read_cost(struct loader *l, const struct schema_row *row, const struct node *v);
int read_sizing(struct loader *l, const struct schema_row *row, const struct node *v);
int read_objective(struct loader *l, const struct schema_row *row, const struct node *v);
int read_seed(struct loader *l, const struct schema_row *row, const struct node *v);

void write_conventions(const struct writing *w, const struct schema_row *row);
void write_symbols(const struct writing *w, const struct schema_row *row);
void write_csv(const struct writing *w, const struct schema_row *row);
/* A text as YAML reads it back, quoted where it must be. */
void resolved_put_text(struct buf *out, const char *text);
void write_plugins(const struct writing *w, const struct schema_row *row);
void write_actions(const struct writing *w, const struct schema_row *row);
void write_bound(const struct writing *w, const struct schema_row *row);
void write_strategies(const struct writing *w, const struct schema_row *row);
void write_objective(const struct writing *w, const struct schema_row *row);
void write_grids(const struct writing *w, const struct schema_row *row);
void write_parts(const struct writing *w, const struct schema_row *row);
void write_sizing(const struct writing *w, const struct schema_row *row);
void write_seed(const struct writing *w, const struct schema_row *row);

/* Sets every key that `conventions` sets, and all other defaults. */
int defaults_set(struct loader *l, enum conventions which) ADMF_MUST_CHECK;
/* The grids of the file, before strategies: config.shared, names checked later. */
int grids_read(struct loader *l) ADMF_MUST_CHECK;

/* After all other keys: symbols and csv agree, the range is not empty. */
int data_finish(struct loader *l, const struct node *root) ADMF_MUST_CHECK;
/* strategies[] and their dimensions. */
int strategies_read(struct loader *l, const struct node *root) ADMF_MUST_CHECK;
/* Into config.notes: keys that were written and have no effect, after all else was read. */
int notes_make(struct loader *l, const struct node *root) ADMF_MUST_CHECK;
/* Numbers the combinations of all strategies, parses `where` and counts. */
int grid_prepare(struct loader *l) ADMF_MUST_CHECK;
void grid_where_destroy(struct grid_where *where); /* accepts NULL */
