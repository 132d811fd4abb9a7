/* SPDX-License-Identifier: MIT */
/* One row an indicator. Names, argument order and definitions are TA-Lib's. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/indicator/indicator.h"

extern const struct indicator_family family_adaptive, family_cci, family_cycles, family_deviations,
    family_directional, family_exponential, family_extremes, family_flows, family_price,
    family_regression, family_sar, family_sums, family_volume, family_weighted, family_wilder;

static const struct indicator_family *const families[] = {
    &family_adaptive,    &family_cci,      &family_cycles, &family_deviations, &family_directional,
    &family_exponential, &family_extremes, &family_flows,  &family_price,      &family_regression,
    &family_sar,         &family_sums,     &family_volume, &family_weighted,   &family_wilder,
};

/* ---- the index ------------------------------------------------------------------------------ */

static struct {
    const struct indicator **by_name; /* [n] sorted */
    size_t n;
} table;

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct indicator *const *)a)->name,
                  (*(const struct indicator *const *)b)->name);
}

static int add_rows(const struct indicator *first, size_t n)
{
    const struct indicator **grown = realloc(table.by_name, (table.n + n + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        grown[table.n + i] = &first[i];
    table.by_name = grown;
    table.n += n;
    qsort(grown, table.n, sizeof(*grown), by_name);
    return 0;
}

static void load_families(void)
{
    if (table.n > 0)
        return;
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        if (add_rows(families[f]->rows, families[f]->rows_n) < 0)
            abort();
    }
}

size_t indicator_count(void)
{
    load_families();
    return table.n;
}

const struct indicator *indicator_at(size_t i)
{
    load_families();
    assert(i < table.n);
    return table.by_name[i];
}

const struct indicator *indicator_find(const char *name)
{
    const struct indicator key = {.name = name}, *wanted = &key;
    load_families();
    const struct indicator **found =
        bsearch(&wanted, table.by_name, table.n, sizeof(*table.by_name), by_name);
    return found ? *found : NULL;
}

int indicator_register(const struct indicator *first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (indicator_find(first[i].name))
            return -EEXIST;
    }
    return add_rows(first, n);
}

const char *indicator_class_name(enum indicator_class cls)
{
    static const char *const names[] = {"stateless", "rolling", "cumulative", "recursive"};
    return cls < sizeof(names) / sizeof(names[0]) ? names[cls] : "unknown";
}
