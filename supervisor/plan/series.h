/* SPDX-License-Identifier: MIT */
/* The series of a parameter space, each once: what they are, who uses them, what they cost.
 *
 * A rule is cut into pieces, each of which names few of the swept values (pieces.h, conditions.h).
 * Every piece has a table from the digits of just the dims that it names to the nodes that it is
 * read through, so that what one combination needs is found by arithmetic. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/graph.h"
#include "shm/plane.h"
#include "shm/series.h"
#include "supervisor/config/config.h"

#define SERIES_PLAN_MOST UINT32_C(1000000) /* series of one plan */
/* Conditions that are planned for one strategy; what is beyond is evaluated where it is used. */
#define SERIES_CONDITIONS_MAX 65536
/* Tuples of digits that are looked at to count users; beyond, counts are estimates where filters or
 * several uses of one dim couple them. */
#define SERIES_COUNTED_MAX 1048576

#define GRAPH_LEVELS_N (LEVEL_COMPLEX + 1)

/* One series in the plane: a node of the graph over the bars of one clock. */
struct planned_series {
    uint32_t node;      /* of the plan's graph */
    uint32_t clock_idx; /* below all_n: that symbol's own bars; else clocks[clock_idx - all_n] */
    const char *key;    /* relative to the clock; borrowed from the graph */
    enum graph_level level;
    enum series_dtype dtype;
    bool is_condition; /* of bits */
    bool is_exact;     /* its counts; else estimates */
    /* Combinations that read it (series_plan_of() names it for them), and those that are made of it
     * at all, directly or through others. */
    uint64_t direct_n, users_n;
    uint32_t rows_n;
    uint64_t bytes;
    double cost_ns; /* of computing it once, estimated */
};

struct series_needs; /* the tables */

struct series_plan {
    uint32_t n;
    struct planned_series *series; /* [n] what is used stands before what uses it */
    uint32_t columns_n;
    struct planned_series *columns; /* [columns_n] of bars, that any of them is made of */
    uint32_t symbols_n;             /* that are traded */
    uint32_t all_n;                 /* those of reference too */
    uint32_t clocks_n;
    struct plane_clock_plan *clocks; /* [clocks_n] bars of larger timeframes */
    uint32_t *clock_rows_n;          /* [clocks_n] */
    bool *is_named;                  /* [symbols_n]: expressions of others name it */
    struct graph *graph;             /* of all keys; the same for every traded symbol */
    struct series_needs *needs;
    uint32_t *series_of;     /* [nodes of the graph][symbols_n]; UINT32_MAX: none */
    bool has_aliases;        /* some series is that of two nodes */
    uint32_t conditions_n;   /* of n */
    uint64_t combinations_n; /* that some series serves: kept by `where` and accepted by the type */
    bool is_exact;           /* every count */
    uint32_t *symbol;        /* [n] the traded symbol from which `node` is seen as this series */
    char **key;              /* [n] as series[].key */
    uint32_t *node;          /* [n] as series[].node */
    /* Values of parameters that an indicator or shift refuses, counted by what is bound to them:
     * their combinations end as invalid. */
    uint64_t refused_n;
    struct err refused; /* the first of them; text "" where there is none */
};

/* What sharing will save, from the plan's own numbers: against each combination that computes, and
 * keeps, all that it is made of by itself. */
struct series_statistics {
    double built_n, users_n; /* series, and combinations that use each, added up */
    double calculations;     /* values that are computed */
    double naive_calculations;
    double efficiency; /* share of calculations that is saved */
    double bytes, naive_bytes;
    double cost_s, naive_cost_s; /* processor time, estimated */
    bool is_exact;
};

struct series_plan_options {
    const struct config *config; /* outlives the plan */
    const struct describe *describe;
    const struct bars *bars; /* [symbols_n], then those of the config's references */
    uint32_t symbols_n;      /* that are traded */
    uint32_t most;           /* series of numbers */
    bool wants_conditions;
    bool is_f32; /* series of numbers are rounded to float32 */
};

/* Walks each strategy's rules over the values of just those parameters that a rule names, so that
 * its cost follows the series and not the grid. `extra` of the bars names imported columns by
 * symbol, to refuse unknown names with a suggestion. Fails beyond `most` series, saying how many
 * there would be. */
int series_plan_create(const struct series_plan_options *options, struct series_plan **ret_plan,
                       struct err *err) ADMF_MUST_CHECK;
/* The same without conditions, in float64. */
int series_plan_make(const struct config *config, const struct describe *describe,
                     const struct bars *bars, uint32_t symbols_n, uint32_t most,
                     struct series_plan **ret_plan, struct err *err) ADMF_MUST_CHECK;
/* Whose bars a series is made of. */
uint32_t series_plan_symbol(const struct series_plan *plan, const struct planned_series *s);
void series_plan_destroy(struct series_plan *plan); /* accepts NULL */

/* The series that one combination (as grid_combo() gives it) reads: indexes into plan->series, each
 * once, at most `most` of them written. Returns how many there are; 0 where the strategy's type or
 * an indicator refuses its parameters, and of an altered history, whose series are its own. No
 * parsing, hashing or allocation. */
uint32_t series_plan_of(const struct series_plan *plan, const struct combo *combo,
                        uint32_t *ret_series, uint32_t most);
/* As many as series_plan_of() can name. */
uint32_t series_plan_of_most(const struct series_plan *plan);

/* The series of a node of the graph as it is seen from a traded symbol; UINT32_MAX: not planned. */
static inline uint32_t series_plan_find(const struct series_plan *plan, uint32_t node,
                                        uint32_t symbol_idx)
{
    return plan->series_of[(size_t)node * plan->symbols_n + symbol_idx];
}

void series_plan_statistics(const struct series_plan *plan, struct series_statistics *ret);

/* Series of each level: columns, then numbers and conditions. */
void series_plan_levels(const struct series_plan *plan, uint32_t ret_n[static GRAPH_LEVELS_N]);

const char *planned_dtype_name(enum series_dtype dtype);
