/* SPDX-License-Identifier: MIT */
/* Swept values: a list, or {from, to, step} with both ends in it, held as written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/config/loader.h"

bool sweep_is(const struct node *v)
{
    return v->kind != NODE_SCALAR;
}

double dim_value(const struct dim *dim, uint64_t i)
{
    return dim->is_range ? dim->from + (double)i * dim->step : dim->values[i];
}

void dim_fini(struct dim *dim)
{
    if (!dim->is_shared)
        free(dim->values);
    dim->values = NULL;
}

/* ---- lists ---------------------------------------------------------------------------------- */

struct ranked {
    double value;
    uint32_t at;
};

/* By value, undefined ones last, then by place. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (isnan(x->value) != isnan(y->value))
        return isnan(x->value) ? 1 : -1;
    if (x->value < y->value || x->value > y->value)
        return x->value < y->value ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static const struct node *child_at(const struct node *list, uint32_t at)
{
    const struct node *c = list->first;
    while (at--)
        c = c->next;
    return c;
}

static int check_distinct(const struct node *list, const char *what, const double *values,
                          struct err *err)
{
    uint32_t n = list->children_n, twice = UINT32_MAX;
    struct ranked *ranked = calloc(n, sizeof(*ranked));
    if (!ranked)
        return err_set(err, ERR_SYSTEM, "no memory for the values of %s", what);
    for (uint32_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){values[i], i};
    qsort(ranked, n, sizeof(*ranked), compare_ranked);
    for (uint32_t i = 1; i < n; i++) {
        bool is_same = ranked[i].value == ranked[i - 1].value ||
                       (isnan(ranked[i].value) && isnan(ranked[i - 1].value));
        if (is_same && ranked[i].at < twice)
            twice = ranked[i].at;
    }
    free(ranked);
    if (twice == UINT32_MAX)
        return 0;
    const struct node *c = child_at(list, twice);
    return node_error(c, err, "%s: the value %s stands here a second time; keep one", what,
                      node_show(c).text);
}

static int read_list(const struct node *v, const char *what, const struct number_rule *rule,
                     struct dim *ret_dim, struct err *err)
{
    uint32_t n = v->children_n, i = 0;
    if (n == 0 || n > SWEEP_VALUES_MAX)
        return node_error(v, err, "%s: a list of %u values; 1 to %u are expected", what, n,
                          SWEEP_VALUES_MAX);
    double *values = calloc(n, sizeof(*values));
    if (!values)
        return err_set(err, ERR_SYSTEM, "no memory for the values of %s", what);
    int rc = 0;
    for (const struct node *c = v->first; c && rc == 0; c = c->next)
        rc = value_number(c, what, rule, &values[i++], err);
    if (rc == 0)
        rc = check_distinct(v, what, values, err);
    if (rc < 0) {
        free(values);
        return rc;
    }
    ret_dim->n = n;
    ret_dim->is_range = false;
    ret_dim->values = values;
    return 0;
}

/* ---- ranges --------------------------------------------------------------------------------- */

static int check_range_keys(const struct node *v, const char *what, struct err *err)
{
    static const char *const keys[] = {"from", "to", "step"};
    for (const struct node *c = v->first; c; c = c->next) {
        bool is_known = false;
        for (size_t i = 0; i < 3; i++)
            is_known |= !strcmp(c->key->text, keys[i]);
        if (!is_known)
            return node_error(c->key, err, "%s: %s is no key of a range; expected: from, to, step",
                              what, node_show(c->key).text);
    }
    for (size_t i = 0; i < 3; i++)
        if (!node_get(v, keys[i]))
            return node_error(v, err, "%s: `%s` is missing; a range is {from: 5, to: 50, step: 5}",
                              what, keys[i]);
    return 0;
}

/* How many values a range has; both ends are in it, a hair's breadth of rounding allowed. */
static int count_range(const struct node *v, const char *what, struct dim *d, struct err *err)
{
    if (d->to < d->from)
        return node_error(node_get(v, "to"), err, "%s: `to` is less than `from`; exchange them",
                          what);
    if (d->from + d->step == d->from || d->to - d->step == d->to)
        return node_error(node_get(v, "step"), err,
                          "%s: `step` is too small for doubles to tell the values apart", what);
    double count = floor((d->to - d->from) / d->step + 1e-9) + 1;
    if (count > 0x1p53)
        return node_error(v, err, "%s: a range of %.3g values; at most 2^53", what, count);
    d->n = (uint64_t)count;
    return 0;
}

static int read_range(const struct node *v, const char *what, const struct number_rule *rule,
                      struct dim *ret_dim, struct err *err)
{
    const struct number_rule any = {.minimum = -INFINITY, .maximum = INFINITY};
    struct number_rule ends = *rule;
    ends.word = NULL;
    struct dim d = *ret_dim;
    int rc = check_range_keys(v, what, err);
    if (rc == 0)
        rc = value_number(node_get(v, "from"), what, &ends, &d.from, err);
    if (rc == 0)
        rc = value_number(node_get(v, "to"), what, &ends, &d.to, err);
    if (rc == 0)
        rc = value_number(node_get(v, "step"), what, &any, &d.step, err);
    if (rc == 0 && d.step <= 0)
        rc = node_error(node_get(v, "step"), err, "%s: `step` must be above 0", what);
    if (rc == 0)
        rc = count_range(v, what, &d, err);
    if (rc < 0)
        return rc;
    d.is_range = true;
    d.values = NULL;
    *ret_dim = d;
    return sweep_check(v, what, rule, ret_dim, err);
}

int sweep_read(const struct node *v, const char *what, const struct number_rule *rule,
               struct dim *ret_dim, struct err *err)
{
    return v->kind == NODE_LIST ? read_list(v, what, rule, ret_dim, err)
                                : read_range(v, what, rule, ret_dim, err);
}

int sweep_check(const struct node *v, const char *what, const struct number_rule *rule,
                const struct dim *dim, struct err *err)
{
    int rc = 0;
    if (dim->is_range) {
        struct number_rule step = *rule;
        step.minimum = -INFINITY;
        step.maximum = INFINITY;
        rc = rule_check(node_get(v, "from"), what, rule, dim->from, err);
        if (rc == 0)
            rc = rule_check(node_get(v, "to"), what,
                            &(struct number_rule){.minimum = rule->minimum,
                                                  .maximum = rule->maximum,
                                                  .is_above = rule->is_above,
                                                  .is_below = rule->is_below},
                            dim->to, err);
        if (rc == 0)
            rc = rule_check(node_get(v, "step"), what, &step, dim->step, err);
        return rc;
    }
    uint32_t i = 0;
    for (const struct node *c = v->first; c && rc == 0; c = c->next, i++)
        rc = rule_check(c, what, rule, dim->values[i], err);
    return rc;
}
