/* SPDX-License-Identifier: MIT */
/* A random subject from its seed, and a failing one for people to read. */
#include <math.h>
#include <string.h>

#include "proto/metric.h"
#include "tests/property/property.h"

void subject_make(struct subject *s, uint64_t seed)
{
    struct chance c = {seed};
    memset(s, 0, sizeof *s);
    s->seed = seed;
    tapes_make(s, &c);
    s->combo.combination = seed;
    s->combo.container_seq = 1;
    s->combo.symbol_idx = COMBO_ALL_SYMBOLS;
    if (s->symbols_n > 1 && chance_is(&c, 0.15))
        s->combo.symbol_idx = chance_below(&c, s->symbols_n);
    fields_vary(s, &c);
    strategy_make(s, &c);
    s->profile = chance_is(&c, 0.6) ? PROFILE_NATIVE : (uint8_t)chance_below(&c, PROFILE_N);
    s->periods_per_year = chance_is(&c, 0.5) ? NAN : 252.0;
    s->risk_free = chance_is(&c, 0.3) ? 0.02 : 0.0;
}

static void print_rules(const struct strategy_spec *spec, FILE *to)
{
    const struct {
        const char *name, *text;
    } rules[] = {
        {"long_entry", spec->long_entry},   {"long_exit", spec->long_exit},
        {"short_entry", spec->short_entry}, {"short_exit", spec->short_exit},
        {"long_limit", spec->long_limit},   {"long_stop", spec->long_stop},
        {"short_limit", spec->short_limit}, {"short_stop", spec->short_stop},
    };
    for (unsigned i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (*rules[i].text)
            (void)fprintf(to, "#   %s: %s\n", rules[i].name, rules[i].text);
}

static void print_tape(const struct tape *t, FILE *to)
{
    (void)fprintf(to, "#   first row %u\n#   row,time_ns,open,high,low,close,volume,dividend\n",
                  t->first_row);
    for (uint32_t i = 0; i < t->rows_n; i++)
        (void)fprintf(to, "#   %u,%lld,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g\n", i,
                      (long long)t->time_ns[i], t->open[i], t->high[i], t->low[i], t->close[i],
                      t->volume[i], t->dividend[i]);
}

void subject_print(const struct subject *s, FILE *to)
{
    (void)fprintf(to, "# strategy %s, first_signal %u, profile %s\n", s->spec.type,
                  s->spec.first_signal, metric_profile_name((enum metric_profile)s->profile));
    for (uint32_t i = 0; i < s->spec.params_n; i++)
        (void)fprintf(to, "#   %s: %.17g\n", s->spec.param_names[i], s->combo.params[i]);
    print_rules(&s->spec, to);
    for (unsigned i = 0; i < fields_n; i++)
        if (!field_is_neutral(&s->combo, &fields[i]))
            (void)fprintf(to, "#   %s: %.17g\n", fields[i].name, field_get(&s->combo, &fields[i]));
    if (s->combo.symbol_idx != COMBO_ALL_SYMBOLS)
        (void)fprintf(to, "#   only symbol %u\n", s->combo.symbol_idx);
    for (uint32_t i = 0; i < s->symbols_n; i++)
        print_tape(&s->tape[i], to);
}
