/* SPDX-License-Identifier: MIT */
/* Every key of a configuration: one row. The loader, the error messages, the resolved text, the
 * plan's JSON and docs/CONFIGURATION.md read the same table; a key that has no row is an error. The
 * rows stand by sections in config/schema_*.c; what `conventions` sets stands in
 * config/conventions.c.
 *
 * Contract keys that this version does not have are rows too (SCHEMA_ABSENT), so that they are
 * refused by name and never taken silently. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "supervisor/config/yaml.h"

enum schema_kind {
    SCHEMA_MAP, /* a section with rows of its own */
    SCHEMA_NUMBER,
    SCHEMA_WHOLE,
    SCHEMA_BOOL,
    SCHEMA_CHOICE,   /* one of `choices` */
    SCHEMA_BYTES,    /* "256MiB" */
    SCHEMA_DURATION, /* "30s" */
    SCHEMA_OWN,      /* `read` takes it whole */
    SCHEMA_LATER,    /* taken after all others (config/strategy.c) */
    SCHEMA_ABSENT,   /* not in this version */
};

/* What a number may be. `word` stands for `word_value` ("none", "auto"). Where `none` is kept as 0,
 * a rule whose minimum is out refuses a literal 0; one that takes it takes it for `none`. */
struct number_rule {
    double minimum, maximum;
    bool is_above; /* the minimum itself is out */
    bool is_below; /* the maximum itself is out */
    bool is_whole;
    const char *word;
    double word_value;
};

struct choice {
    const char *name; /* NULL ends the list */
    int value;        /* CHOICE_ABSENT: of the contract, not in this version */
    bool is_spelling; /* a second spelling of a value before: understood, not written */
};
#define CHOICE_ABSENT (-2)

enum schema_place { PLACE_NONE, PLACE_CONFIG, PLACE_TOP };

struct combo;
struct config;
struct config_top;
struct loader;
struct schema_row;
typedef int (*schema_read_fn)(struct loader *l, const struct schema_row *row,
                              const struct node *value);

/* Where the resolved text goes, and whose values it takes: the file's or a strategy's. */
struct writing {
    const struct config *config;
    const struct config_top *top;
    bool is_identity; /* leave out what changes no result */
    struct buf *out;
};
/* Writes what stands behind "key:", from the space to the end of the line. */
typedef void (*schema_write_fn)(const struct writing *w, const struct schema_row *row);

struct schema_row {
    const char *path; /* "execution.at_end", "strategies[].where" */
    enum schema_kind kind;
    enum schema_place place; /* which struct `offset` is in: config or config_top */
    size_t offset, width;
    struct number_rule rule;
    const struct choice *choices;
    schema_read_fn read;
    schema_write_fn write; /* NULL: made from kind */
    const char *values;    /* for the docs; NULL: made from kind and rule */
    const char *dflt;      /* as written in YAML; "" for required, NULL for none */
    const char *example;   /* a value other than the default */
    const char *sweep;     /* its name in optimization.parameter_grids, or NULL */
    const char *unit;
    const char *doc;
    bool is_swept_here; /* a list or a range may stand at the key itself */
    bool is_outside;    /* changes no result: not part of a run's identity */
};

/* Row i of all sections in their order; NULL beyond the last. */
const struct schema_row *schema_row_at(size_t i);
/* The row of a whole path, or NULL. */
const struct schema_row *schema_at(const char *path);
/* The row of "prefix.key" (prefix "" for the top), or NULL. */
const struct schema_row *schema_find(const char *prefix, const char *key);
/* Whether the row stands right under a prefix. */
bool schema_is_under(const struct schema_row *row, const char *prefix);
/* Its last part: "at_end". */
const char *schema_key(const struct schema_row *row);

/* Reads a map of rows under `prefix`: unknown keys are errors with a suggestion. */
int schema_read_map(struct loader *l, const char *prefix, const struct node *map) ADMF_MUST_CHECK;
/* Refuses keys of `map` that have no row under `prefix`, and absent ones; reads nothing. */
int schema_check_keys(struct loader *l, const char *prefix, const struct node *map) ADMF_MUST_CHECK;
int schema_read_row(struct loader *l, const struct schema_row *row,
                    const struct node *value) ADMF_MUST_CHECK;
/* One number into the row's field; a list is refused with the name under which it can be swept. */
int schema_read_number(struct loader *l, const struct schema_row *row,
                       const struct node *value) ADMF_MUST_CHECK;
/* "`run.driver: fast` is not available in this version of admf (0.1.0)". */
int schema_absent(struct loader *l, const struct node *at, const char *what) ADMF_MUST_CHECK;
/* The rule of a number's row, whole where its kind is. */
struct number_rule schema_rule(const struct schema_row *row);

/* The row as a line of a Markdown table, as it stands in docs/CONFIGURATION.md. */
void schema_doc_row(const struct schema_row *row, struct buf *out);
/* The name of a row's value, for the resolved configuration; "?" where there is none. */
const char *choice_name(const struct choice *choices, int value);
/* The value of a name, -1 where there is none. */
int choice_value(const struct choice *choices, const char *name);

/* The sections: config/schema_NAME.c each. */
struct schema_part {
    const struct schema_row *rows;
    size_t n;
};
extern const struct schema_part schema_data, schema_strategies, schema_execution, schema_account,
    schema_run;
extern const struct choice choices_conventions[], choices_sizing[];

/* ---- what `conventions` sets (config/conventions.c) ----------------------------------------- */

enum conventions {
    CONVENTIONS_NATIVE,
    CONVENTIONS_BACKTESTING_PY,
    CONVENTIONS_VECTORBT,
    CONVENTIONS_BACKTRADER,
    CONVENTIONS_N
};

struct convention {
    const char *path;
    const char *value[CONVENTIONS_N]; /* as written in YAML; NULL (of native): the row's default */
};

/* Entry i, NULL beyond the last. */
const struct convention *convention_at(size_t i);
/* The entry of a key, NULL where no engine sets it. */
const struct convention *convention_find(const char *path);
/* The value of a row under conventions. */
const char *convention_value(const struct schema_row *row, enum conventions conventions);
/* The entry as a line of the table in docs/CONFIGURATION.md. */
void convention_doc_row(const struct convention *c, struct buf *out);

/* ---- fields of combinations that rows are (config/targets.c) -------------------------------- */

/* The row that parameter_grids sweeps by a name, or NULL. */
const struct schema_row *sweep_find(const char *name);
/* The field of a combination that a swept row is. */
void field_set(struct combo *combo, const struct schema_row *row, double value);
double field_get(const struct combo *combo, const struct schema_row *row);
/* The same as it is compared and exported: NaN where it is the row's word. */
double field_shown(const struct schema_row *row, double value);
/* Whether two rows are one field: the sizings are. */
bool field_is_same(const struct schema_row *a, const struct schema_row *b);
