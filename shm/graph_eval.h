/* SPDX-License-Identifier: MIT */
/* The inside of evaluation, for graph_eval.c, graph_program.c, graph_run.c and graph_compute.c.
 *
 *   graph_program.c   turns a node into a program of steps over series and buffers
 *   graph_run.c       runs the program, tile by tile, graph_stream.c its indicators
 *   graph_compute.c   makes series whole: those of other clocks, and those that are to be stored */
#pragma once

#include "shm/graph_node.h"
#include "shm/indicator/stream.h"

#define TILE_ROWS  1024u /* a multiple of 64 */
#define TILE_WORDS (TILE_ROWS / 64u)

enum place { PLACE_NUMBER, PLACE_DOUBLES, PLACE_FLOATS, PLACE_BUFFER };

/* Where the rows of a number are found. */
struct operand {
    enum place place;
    bool is_kept; /* the buffer, to the end of the tile: others use it too */
    uint32_t buffer;
    uint32_t lag; /* rows of the series' clock */
    double number;
    const void *series;
    const int32_t *row_of; /* of the series, for each row of the program; NULL: the same rows */
};

/* What a step does: the kind of its node; of those that can be no step otherwise, these. */
#define STEP_STREAM EXPR_CALL  /* an indicator that is not stored */
#define STEP_DELAY  EXPR_SHIFT /* a shift of it */
#define STEP_STORED EXPR_BAR   /* a condition that is stored */
#define STEP_ROUND  EXPR_NAME  /* to float, as what is stored would be */

struct step {
    enum expr_kind kind;
    uint32_t to;        /* buffer of doubles or of words; of a stream, its number */
    uint32_t words[2];  /* of and, or, not */
    uint64_t was_below; /* of a crossing: bit 0, from the tile before */
    struct operand side[2];
    const uint64_t *bits; /* of a stored condition */
    double *ring;         /* of a delay: [lag] */
    uint32_t lag;
    uint32_t ring_at;
};

/* An indicator that is computed as it is used. */
struct stream {
    const struct graph_node *node; /* any of its outputs */
    struct indicator_stream *state;
    const int64_t *time_ns;
    bool rounds_to_f32;
    bool has[INDICATOR_OUTPUTS_MAX];
    uint32_t buffer[INDICATOR_OUTPUTS_MAX];
    uint32_t first_defined[INDICATOR_OUTPUTS_MAX]; /* known when it has run */
    struct operand input[INDICATOR_INPUTS_MAX];
    bool is_ahead;                        /* its rows are made by blocks */
    double *block[INDICATOR_OUTPUTS_MAX]; /* of the outputs that it has, then */
};

/* A series below the result whose first defined row is known afterwards. */
struct pending {
    uint32_t stream;
    uint32_t output;
    uint32_t lag;
};

/* What is known of a node while a program is made. */
struct seen {
    uint32_t round; /* of the program; else nothing is known */
    uint32_t uses;
    bool is_made; /* and what it is in stays there */
    bool is_stored;
    bool is_streamed;
    bool is_noted;
    uint32_t words;         /* of a condition: its buffer */
    uint32_t stream;        /* of an indicator that is streamed */
    uint32_t first_defined; /* of any other series, in rows of its clock; of a stored condition */
    struct operand operand;
};

struct tile {
    double rows[TILE_ROWS];
};

struct word_tile {
    uint64_t words[TILE_WORDS];
};

/* Buffers that are free again, of one kind. */
struct pool {
    uint32_t *unused;
    uint32_t unused_n, capacity;
    uint32_t n; /* buffers in all */
};

/* Series that were made whole for this evaluation. */
struct whole {
    uint32_t node;
    double *values;
};

/* Kept from one evaluation to the next. */
struct eval {
    struct step *steps;
    struct tile *numbers;
    struct word_tile *words;
    struct stream *streams;
    struct pending *pending;
    struct seen *seen; /* [seen_capacity] by node */
    struct whole *wholes;
    void **owned; /* freed at the end */
    uint32_t steps_n, steps_capacity;
    uint32_t numbers_capacity, words_capacity;
    uint32_t streams_n, streams_capacity;
    uint32_t pending_n, pending_capacity;
    uint32_t seen_capacity, round;
    uint32_t rows_n; /* of the program */
    uint32_t wholes_n, wholes_capacity;
    uint32_t owned_n, owned_capacity;
    struct pool free_numbers, free_words;
    struct eval *inner;                    /* for programs within one */
    const struct graph_node *failed;       /* whose kernel did, while the program ran */
    struct tile pad[INDICATOR_INPUTS_MAX]; /* operands that are not in memory as they are needed */
};

/* What the program is made from. */
struct maker {
    const struct graph *graph;
    struct eval *eval;
    const struct graph_source *source;
    uint32_t clock; /* whose rows the program walks */
    struct clock_view view;
    uint64_t first_defined; /* of the series below the result that are not streamed */
    struct err *err;
};

struct rows_out {
    enum series_dtype dtype; /* SERIES_F64 or SERIES_F32 */
    void *values;            /* [rows of the program] */
};

/* Evaluates a node over the rows of m->clock: a number (a condition as 1 and 0), or a condition. */
int eval_rows(struct maker *m, uint32_t node, const struct rows_out *out);
int eval_bits(struct maker *m, uint32_t node, uint64_t *bits);

/* Room for one more element of an array that doubles. 0, or -ENOMEM with nothing changed. */
int eval_reserve(void *array, uint32_t n, uint32_t *capacity, size_t bytes);
int eval_no_memory(struct err *err);
/* An indicator's kernel said r < 0: ERR_CONFIG for a plugin's, which may refuse its parameters. */
int eval_call_failed(const struct graph_node *node, int r, struct err *err);
/* Memory until the evaluation ends; NULL if there is none. */
void *eval_own(struct eval *e, size_t bytes);

/* Begins an evaluation over the rows of a clock. */
int eval_start(struct maker *m);
/* Gives back what was made for it. */
void eval_end(struct maker *m);

/* Counts what is below a node, before its program is made. */
void program_count(const struct maker *m, uint32_t node);
/* The program of a node: the operand that its number is, or the words that its condition is in. */
int program_number(struct maker *m, uint32_t node, struct operand *ret_operand);
int program_condition(struct maker *m, uint32_t node, uint32_t *ret_words);
/* Notes at which rows the series below the node, all made by now, are defined. 0 or -ENOMEM. */
int program_note(struct maker *m, uint32_t node);

/* a and b, or a and one number, row by row: sums, differences, products, else quotients; NaN where
 * that is not finite. out may be a or b. */
void arithmetic_rows(enum expr_kind kind, const double *a, const double *b, double *out,
                     uint32_t n);
void arithmetic_by(enum expr_kind kind, const double *a, double b, double *out, uint32_t n);

/* Runs rows [at, at + n) of the program. 0 or -ENOMEM. */
int program_run(struct eval *e, uint32_t at, uint32_t n);
/* The same of one indicator, into its buffers. */
int stream_run(struct eval *e, struct stream *s, uint32_t at, uint32_t n);
/* Those rows of an operand as doubles in memory; `pad` is used where they are not. */
const double *operand_rows(const struct eval *e, const struct operand *o, uint32_t at, uint32_t n,
                           double *pad);
/* Once all rows have run: the first at which every series below the result is defined. */
uint32_t program_first_defined(const struct maker *m);

static inline uint32_t tile_rows(uint32_t at, uint32_t rows_n)
{
    return rows_n - at < TILE_ROWS ? rows_n - at : TILE_ROWS;
}

/* ---- whole series --------------------------------------------------------------------------- */

/* The clock of a node as the source sees it; refused where the data have no such bars. */
int whole_clock(const struct maker *m, uint32_t clock, struct clock_view *ret_view);
/* Computes calls of one group, [n], into `outs`. */
int whole_calls(struct maker *m, const uint32_t *nodes, uint32_t n, enum series_dtype dtype,
                void *const *outs);
/* The values of a series that the source lacks, of all rows of its clock; kept until the evaluation
 * ends. */
int whole_series(struct maker *m, uint32_t node, const double **ret_values);
/* The first that is not NaN. */
uint32_t whole_first_defined(const double *values, uint32_t rows_n);
