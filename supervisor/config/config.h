/* SPDX-License-Identifier: MIT */
/* A run's configuration: YAML in, checked values out.
 *
 * The loader refuses what libyaml lets pass (duplicate keys, several documents, deep nesting,
 * aliases, binary, 100 MB) and every unknown key, wrong type and value out of range, always with
 * file:line:column and a suggestion. The schema is one table (config/schema.c). A value under
 * parameters, exits or optimization.parameter_grids may be swept: each becomes a dimension, and the
 * grid numbers combinations without ever materialising them.
 *
 * Numbering: strategies one after another; within a strategy the last dimension runs fastest, in
 * the order parameter_grids, each_symbol, noise, exits, parameters (as written). A combination that
 * `where` excludes keeps its number and never runs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/spec.h"
#include "supervisor/config/describe.h"
#include "supervisor/config/libraries.h"

#define CONFIG_COMBINATIONS_MAX UINT64_C(1000000000000)
#define CONFIG_DIMS_MAX         64

enum run_type { RUN_BACKTEST, RUN_OPTIMIZATION, RUN_OUT_OF_SAMPLE };
enum run_mode { RUN_FREE, RUN_LOCKSTEP };

/* Where a dimension was written; also the order of a strategy's dimensions. */
enum dim_origin {
    DIM_FROM_GRIDS,
    DIM_FROM_SYMBOLS,
    DIM_FROM_NOISE,
    DIM_FROM_EXITS,
    DIM_FROM_PARAMETERS
};

struct schema_row; /* config/schema.h */

/* A swept value: a list as written, or an inclusive arithmetic range, held as such. */
struct dim {
    char name[SPEC_NAME_BYTES]; /* as the user wrote it: the column of exports */
    uint64_t n;
    bool is_range;
    double from, step; /* is_range: from + i * step */
    double to;         /* as written, for the resolved text */
    double *values;    /* else; owned unless is_shared. Symbols are their indexes. */
    bool is_shared;    /* values belong to one of config.shared */
    uint8_t origin;    /* enum dim_origin */
    bool is_symbol;
    uint32_t target;              /* where it goes: enum dim_target */
    uint32_t param_idx;           /* DIM_PARAM: which of the strategy's */
    const struct schema_row *row; /* DIM_FIELD: the key whose value it is */
};

enum dim_target { DIM_PARAM, DIM_SYMBOL, DIM_NOISE, DIM_FIELD };

/* Where a value was written, for errors that show later: "file:line:column", or the --set; "" where
 * it was not. */
struct config_place {
    char text[544];
};

struct grid_where; /* `where`, parsed and bound to dims (config/grid.c) */

/* Values that hold where no strategy and no dimension says otherwise. */
struct config_top {
    struct combo combo;
    uint8_t first_signal; /* enum first_signal */
};

/* Value i of a dim, i < n. */
double dim_value(const struct dim *dim, uint64_t i);

/* A key that needs bars with volumes. */
struct config_volume {
    const char *path; /* NULL: none does */
    struct config_place at;
};

/* One entry of strategies[], with the fixed part of its combinations. */
struct config_strategy {
    struct strategy_spec spec;
    struct combo base;                             /* every value that is not swept */
    struct config_place rule_at[DESCRIBE_RULES_N]; /* of `rules`: as in struct describe_component */
    struct config_volume volume;                   /* over all that is swept */
    uint32_t dims_n;
    struct dim dims[CONFIG_DIMS_MAX];
    char where[SPEC_RULE_BYTES];   /* condition over dims' and parameters' names; "" for none */
    uint64_t combinations_n;       /* product of the dims */
    uint64_t first;                /* number of its first combination */
    uint64_t runs_n;               /* of those, how many `where` keeps */
    struct grid_where *where_plan; /* owned; NULL where there is no `where` */
};

struct config_symbol {
    char name[SPEC_NAME_BYTES];
    char csv[4096];     /* file to import on the fly; "" for one of the store */
    uint32_t csv_given; /* where in csv the path begins as it was written; before it, the file's
                           folder */
};

/* A bound of the range: none, a time, or a bar number. */
struct config_bound {
    enum { BOUND_NONE, BOUND_TIME, BOUND_BAR } kind;
    int64_t value;
    struct config_place at;
};

struct config {
    uint32_t plugins_n;
    struct library_ref *plugins; /* [plugins_n], owned */
    /* Of a stored configuration: why its plugins cannot be had. Its results can be read all the
     * same, nothing can be computed. "" for none. */
    char plugin_trouble[512];
    enum run_type type;
    char conventions[32];
    uint32_t symbols_n; /* that are traded */
    uint32_t references_n;
    struct config_symbol symbols[SPEC_SYMBOLS_MAX]; /* those of reference, which rules name and
                                                       nothing trades, behind the traded ones */
    char actions[4096];     /* file of splits and dividends for those of csv; "" for none */
    uint32_t actions_given; /* as csv_given */
    uint8_t dividends;      /* enum dividends */
    struct config_bound from, to;
    uint32_t warm_up;
    bool each_symbol;
    struct noise_cfg noise;
    uint32_t noise_paths; /* 0: the bars as they are */
    uint32_t strategies_n;
    struct config_strategy *strategies;
    struct config_top top;
    uint32_t shared_n; /* swept for all strategies: parameter_grids, then exits, as written */
    struct dim *shared;
    uint64_t combinations_n; /* numbers in use: 0 .. combinations_n - 1, excluded ones among them */
    struct buf notes; /* a line for each key without effect that was written; empty for none */
    /* optimization */
    uint32_t objective;  /* enum metric */
    int direction;       /* +1 maximise, -1 minimise */
    uint64_t min_trades; /* fewer: not ranked */
    uint8_t profile;
    double periods_per_year, risk_free;
    /* run and limits: not part of the run's identity */
    enum run_mode mode;
    uint32_t workers; /* 0: one for each processor */
    int64_t barrier_timeout_ns;
    uint64_t plane_budget_bytes; /* bars and series together, or PLANE_BUDGET_AUTO */
    uint64_t seed;               /* is part of it */
    uint8_t series_dtype;        /* likewise; enum series_dtype, SERIES_F64 or SERIES_F32 */
    uint32_t retries;
    int64_t time_per_combination_ns; /* 0: no limit */
    uint64_t memory_limit_bytes;     /* 0: no limit */
};

#define PLANE_BUDGET_AUTO (UINT64_C(1) << 62)
/* What bars and series may take together: as configured, else half of the machine's memory. */
uint64_t config_plane_budget(const struct config *config);

/* path "-" is standard input; paths of data.csv are relative to the file's folder (of standard
 * input and text: to the working directory); sets are "key=value" with dotted keys. describe names
 * the strategies. */
int config_load(const char *path, const char *const *sets, size_t sets_n,
                const struct describe *describe, struct config **ret_config,
                struct err *err) ADMF_MUST_CHECK;
/* The same from text, for a stored configuration; `name` stands in messages. Plugins that are gone
 * are no error: config.plugin_trouble says so, and rules stay unread. */
int config_parse(const char *text, size_t n_bytes, const char *name, const char *const *sets,
                 size_t sets_n, const struct describe *describe, struct config **ret_config,
                 struct err *err) ADMF_MUST_CHECK;
void config_destroy(struct config *config); /* accepts NULL */

/* The resolved configuration as YAML, every default written out; fed back it gives the same run. */
void config_resolved(const struct config *config, struct buf *out);
/* XXH3-128 of the resolved configuration without what changes no result: run.mode, run.workers,
 * run.driver, run.barrier_timeout, limits, and paths of data.csv. Zeros where there is no memory
 * for the text. */
void config_hash(const struct config *config, uint64_t ret_hash[2]);

/* ---- the grid: combinations by number, never materialised ----------------------------------- */

/* Number of combinations that run: those that `where` keeps. -ERANGE past CONFIG_COMBINATIONS_MAX
 * is found at load. Costs the product of the dims that `where` names, at most. */
uint64_t grid_count(const struct config *config);
/* True, and *ret_combo whole (container_seq apart), where combination `n` runs; false where it is
 * excluded. */
bool grid_combo(const struct config *config, uint64_t n, struct combo *ret_combo);
/* The strategy of a combination. */
const struct config_strategy *grid_strategy(const struct config *config, uint64_t n);
/* Names of all swept values of all strategies, each once, in order of first use: columns of
 * exports. */
uint32_t grid_columns(const struct config *config,
                      const char *ret_names[static CONFIG_DIMS_MAX * 4]);
/* Value of a column in combination n; NaN where its strategy does not have it, and where it is
 * `none`. *ret_symbol is set for a column of symbols, else NULL. */
double grid_value(const struct config *config, uint64_t n, const char *column,
                  const char **ret_symbol);
