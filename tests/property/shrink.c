/* SPDX-License-Identifier: MIT */
/* Makes a failing subject smaller, greedily: fewer bars, symbols, settings and rules, for as long
 * as the property still does not hold. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tests/property/property.h"

struct shrinking {
    const struct property *property;
    struct subject *best, *tried;
    struct why *why;
    unsigned tries_left;
};

/* Keeps what was tried if the property still fails. */
static bool is_still_failing(struct shrinking *k)
{
    struct why why = {0};
    if (k->tries_left == 0)
        return false;
    k->tries_left--;
    if (property_holds(k->property, k->tried, &why))
        return false;
    memcpy(k->best, k->tried, sizeof *k->best);
    *k->why = why;
    return true;
}

static struct subject *try_from_best(struct shrinking *k)
{
    memcpy(k->tried, k->best, sizeof *k->tried);
    return k->tried;
}

/* ---- bars ----------------------------------------------------------------------------------- */

static void remove_rows(struct tape *t, uint32_t from, uint32_t n)
{
    double *columns[] = {t->open, t->high, t->low, t->close, t->volume, t->dividend};
    uint32_t rest = t->rows_n - from - n;
    memmove(&t->time_ns[from], &t->time_ns[from + n], rest * sizeof t->time_ns[0]);
    for (unsigned i = 0; i < sizeof columns / sizeof columns[0]; i++)
        memmove(&columns[i][from], &columns[i][from + n], rest * sizeof(double));
    t->rows_n -= n;
    if (t->first_row > from)
        t->first_row = t->first_row > from + n ? t->first_row - n : from;
}

/* Blocks of rows of one symbol, from the end, halving. */
static bool fewer_rows(struct shrinking *k, uint32_t s)
{
    bool any = false;
    for (uint32_t n = k->best->tape[s].rows_n / 2; n > 0; n /= 2)
        for (uint32_t from = k->best->tape[s].rows_n; from >= n && from > 0;) {
            from -= n;
            struct subject *t = try_from_best(k);
            if (t->tape[s].rows_n <= n || from + n > t->tape[s].rows_n)
                continue;
            remove_rows(&t->tape[s], from, n);
            any |= is_still_failing(k);
            if (from < n)
                break;
        }
    return any;
}

static bool no_warm_up(struct shrinking *k)
{
    struct subject *t = try_from_best(k);
    bool any = false;
    for (uint32_t s = 0; s < t->symbols_n; s++) {
        any |= t->tape[s].first_row > 0;
        t->tape[s].first_row = 0;
    }
    return any && is_still_failing(k);
}

static bool fewer_symbols(struct shrinking *k)
{
    for (uint32_t s = 0; s < k->best->symbols_n && k->best->symbols_n > 1; s++) {
        struct subject *t = try_from_best(k);
        memmove(&t->tape[s], &t->tape[s + 1], (t->symbols_n - s - 1) * sizeof t->tape[0]);
        t->symbols_n--;
        if (t->combo.symbol_idx != COMBO_ALL_SYMBOLS)
            t->combo.symbol_idx = 0;
        if (is_still_failing(k))
            return true;
    }
    return false;
}

/* ---- settings and rules --------------------------------------------------------------------- */

static bool fewer_settings(struct shrinking *k)
{
    bool any = false;
    for (unsigned i = 0; i < fields_n; i++) {
        struct subject *t = try_from_best(k);
        if (field_is_neutral(&t->combo, &fields[i]))
            continue;
        field_set(&t->combo, &fields[i], fields[i].neutral);
        if (fields[i].offset == offsetof(struct combo, portfolio.sizing))
            t->combo.portfolio.sizing_value = 1.0;
        any |= is_still_failing(k);
    }
    return any;
}

static bool fewer_rules(struct shrinking *k)
{
    static const char *const simple[] = {"", "close > 0", "close", "close > open"};
    bool any = false;
    for (unsigned i = 0; i < RULES_N * 4; i++) {
        struct subject *t = try_from_best(k);
        char *const rules[RULES_N] = {t->spec.long_entry,  t->spec.long_exit,  t->spec.short_entry,
                                      t->spec.short_exit,  t->spec.long_limit, t->spec.long_stop,
                                      t->spec.short_limit, t->spec.short_stop};
        char *rule = rules[i / 4];
        bool is_price = i / 4 >= 4;
        if (!*rule || (i % 4 && is_price != (i % 4 == 2)) || strlen(rule) <= strlen(simple[i % 4]))
            continue;
        (void)snprintf(rule, SPEC_RULE_BYTES, "%s", simple[i % 4]);
        any |= is_still_failing(k);
    }
    return any;
}

static bool no_dividends(struct shrinking *k)
{
    struct subject *t = try_from_best(k);
    bool any = false;
    for (uint32_t s = 0; s < t->symbols_n; s++)
        for (uint32_t i = 0; i < t->tape[s].rows_n; i++) {
            any |= !isnan(t->tape[s].dividend[i]);
            t->tape[s].dividend[i] = NAN;
        }
    return any && is_still_failing(k);
}

void shrink(const struct property *p, struct subject *s, struct why *why)
{
    struct subject *tried = malloc(sizeof *tried);
    struct shrinking k = {p, s, tried, why, 4000};
    bool goes_on = tried != NULL;
    while (goes_on) {
        goes_on = fewer_symbols(&k);
        goes_on |= fewer_settings(&k);
        goes_on |= fewer_rules(&k);
        goes_on |= no_warm_up(&k);
        goes_on |= no_dividends(&k);
        for (uint32_t i = 0; i < s->symbols_n; i++)
            goes_on |= fewer_rows(&k, i);
    }
    free(tried);
}
