/* SPDX-License-Identifier: MIT */
/* The promise: whatever the bars, the strategy and the configuration, an account's books balance,
 * fills keep to their bars and to the order of time, and a result depends on nothing but what it is
 * made of.
 *
 * Random subjects from fixed seeds; every property is checked on each. A failure prints its seed
 * and the smallest subject that was found to fail as well, with its orders and fills. TAP on
 * standard output.
 *
 *     ADMF_PROPERTY_CASES=N   how many (10,000)
 *     ADMF_PROPERTY_FROM=N    the first seed (1): with one case, the one that failed */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/property/property.h"

static const struct property properties[] = {
    {"cash and positions are equity at every bar", equity_is_cash_and_positions, NULL},
    {"trades and open positions explain every change in equity", pnl_is_the_change_in_equity, NULL},
    {"fees reported are fees paid", fees_are_paid, NULL},
    {"no fill is outside of its bar beyond stated costs", fills_are_in_their_bars, NULL},
    {"no order acts on the bar that made it", orders_act_later, NULL},
    {"what the configuration forbids does not happen", bounds_are_kept, NULL},
    {"prices twice as high and half the units are the same money", NULL, scale_changes_units_alone},
    {"the future changes no past fill, position or equity", NULL, future_changes_no_past},
    {"the rest of a bar changes no fill at its open", NULL, bar_changes_no_fill_at_its_open},
    {"the same again gives the same bytes", NULL, same_again_is_the_same},
    {"what ran before in a worker changes nothing", NULL, neighbours_change_nothing},
};
#define TOLD_MAX     10 /* failures of a property; the first one is made smaller */
#define PROPERTIES_N (sizeof properties / sizeof properties[0])

bool fails(struct why *why, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    return false;
}

static bool holds_of(const struct property *p, const struct subject *s, const struct record *r,
                     struct why *why)
{
    return p->holds ? p->holds(r, why) : p->holds_for(s, r, why);
}

bool property_holds(const struct property *p, const struct subject *s, struct why *why)
{
    struct record *r = malloc(sizeof *r);
    if (!r)
        abort();
    run_alone(s, r);
    bool holds = holds_of(p, s, r, why);
    record_fini(r);
    free(r);
    return holds;
}

/* ---- what was seen -------------------------------------------------------------------------- */

struct tally {
    uint64_t cases_n, steps_n;
    uint64_t rules[FILL_RULE_N]; /* fills by rule */
    uint64_t bankrupt_n, vetoes_n, resizes_n, carried_n;
    uint64_t varied[128]; /* cases by field */
    uint64_t failures[PROPERTIES_N];
    uint64_t digest; /* of every bar's equity, FNV-1a: the same from every build */
};

static void count(struct tally *t, const struct subject *s, const struct record *r)
{
    t->cases_n++;
    t->steps_n += r->walked_n;
    for (unsigned i = 0; i < fields_n; i++)
        t->varied[i] += !field_is_neutral(&s->combo, &fields[i]);
    for (uint32_t i = 0; i < r->events_n; i++) {
        const struct fill *f = &r->events[i].fill;
        if (r->events[i].kind != EVENT_IS_FILL)
            continue;
        t->rules[f->rule] += f->qty != 0.0;
        t->vetoes_n += (f->flags & FILL_VETOED) != 0;
        t->resizes_n += (f->flags & FILL_RESIZED) != 0;
    }
    const unsigned char *bytes = (const unsigned char *)r->equity;
    for (size_t i = 0; i < r->bars_n * sizeof r->equity[0]; i++)
        t->digest = (t->digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    if (r->walked_n) {
        const struct snapshot *last = &r->snapshot[r->first_step + r->walked_n - 1];
        t->bankrupt_n += last->is_bankrupt;
        t->carried_n += last->borrow_cost != 0.0 || last->interest_cost != 0.0;
    }
}

static void print_tally(const struct tally *t)
{
    printf(
        "# %" PRIu64 " cases, %" PRIu64 " steps, %" PRIu64 " bankrupt, %" PRIu64 " vetoes, %" PRIu64
        " resizes, %" PRIu64 " with borrow or interest, digest %016" PRIx64 "\n",
        t->cases_n, t->steps_n, t->bankrupt_n, t->vetoes_n, t->resizes_n, t->carried_n, t->digest);
    for (int i = 1; i < FILL_RULE_N; i++)
        printf("# %s: %" PRIu64 " fills\n", fill_rule_name((enum fill_rule)i), t->rules[i]);
}

/* Every field is varied, and every rule fills: else the properties speak of less than they say. */
static bool is_all_covered(const struct tally *t)
{
    bool is_covered = fields_are_complete();
    if (!is_covered)
        printf("# a field of the configuration is not in fields.c\n");
    for (unsigned i = 0; i < fields_n; i++)
        if (!t->varied[i]) {
            printf("# %s is never varied\n", fields[i].name);
            is_covered = false;
        }
    for (int i = 1; i < FILL_RULE_N; i++)
        if (!t->rules[i]) {
            printf("# no fill by rule %s\n", fill_rule_name((enum fill_rule)i));
            is_covered = false;
        }
    return is_covered;
}

/* ---- cases ---------------------------------------------------------------------------------- */

static void tell_failure(const struct property *p, struct subject *s, struct why *why)
{
    printf("# %s: seed %" PRIu64 ": %s\n", p->name, s->seed, why->text);
    (void)fflush(stdout);
    shrink(p, s, why);
    printf("# smallest found: %s\n", why->text);
    subject_print(s, stdout);
    struct record *r = malloc(sizeof *r);
    if (!r)
        abort();
    run_alone(s, r);
    record_print_fills(r, stdout);
    record_fini(r);
    free(r);
    (void)fflush(stdout);
}

static uint64_t seed_now; /* for the last words */

static void check_seed(struct tally *t, uint64_t seed, struct subject *s, struct record *r)
{
    seed_now = seed;
    subject_make(s, seed);
    run_alone(s, r);
    count(t, s, r);
    for (unsigned i = 0; i < PROPERTIES_N; i++) {
        struct why why = {0};
        if (holds_of(&properties[i], s, r, &why))
            continue;
        if (t->failures[i]++ == 0) {
            tell_failure(&properties[i], s, &why);
            subject_make(s, seed);
        } else if (t->failures[i] <= TOLD_MAX) {
            printf("# %s: seed %" PRIu64 ": %s\n", properties[i].name, seed, why.text);
        }
    }
    record_fini(r);
}

static void last_words(int signal)
{
    char text[64];
    int n = snprintf(text, sizeof text, "# died at seed %" PRIu64 "\n", seed_now);
    if (write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(2);
    (void)raise(signal);
}

static uint64_t setting(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : fallback;
}

int main(void)
{
    uint64_t n = setting("ADMF_PROPERTY_CASES", 10000), from = setting("ADMF_PROPERTY_FROM", 1);
    static const int deadly[] = {SIGABRT, SIGSEGV, SIGFPE, SIGBUS};
    for (unsigned i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        (void)sigaction(deadly[i],
                        &(struct sigaction){.sa_handler = last_words, .sa_flags = SA_RESETHAND},
                        NULL);
    static struct tally tally;
    struct subject *s = malloc(sizeof *s);
    struct record *r = malloc(sizeof *r);
    if (!s || !r)
        return 70;
    noise_register();
    printf("TAP version 13\n");
    for (uint64_t seed = from; seed < from + n; seed++)
        check_seed(&tally, seed, s, r);
    unsigned failed = 0;
    for (unsigned i = 0; i < PROPERTIES_N; i++) {
        failed += tally.failures[i] > 0;
        printf("%sok %u - %s (%" PRIu64 " of %" PRIu64 " fail)\n", tally.failures[i] ? "not " : "",
               i + 1, properties[i].name, tally.failures[i], n);
    }
    print_tally(&tally);
    bool is_covered = n < 1000 || is_all_covered(&tally);
    printf("%sok %zu - every field of a configuration is varied, every rule fills\n1..%zu\n",
           is_covered ? "" : "not ", PROPERTIES_N + 1, PROPERTIES_N + 1);
    free(s);
    free(r);
    return failed || !is_covered;
}
