/* SPDX-License-Identifier: MIT */
/* A total that keeps what each addition rounded off (Knuth's two-sum), so that a million additions,
 * or a giant that came and was taken off again, cost no digits. */
#pragma once

struct total {
    double high;
    double low; /* what was rounded off */
};

static inline void total_add(struct total *t, double x)
{
    double high = t->high + x;
    double part = high - t->high;
    t->low += (t->high - (high - part)) + (x - part);
    t->high = high;
}

static inline double total_of(const struct total *t)
{
    return t->high + t->low;
}

/* Two at once. */
typedef double pair_of_doubles __attribute__((vector_size(16)));

struct total_pair {
    pair_of_doubles high;
    pair_of_doubles low;
};

static inline void total_pair_add(struct total_pair *t, pair_of_doubles x)
{
    pair_of_doubles high = t->high + x;
    pair_of_doubles part = high - t->high;
    t->low += (t->high - (high - part)) + (x - part);
    t->high = high;
}

static inline pair_of_doubles total_pair_of(const struct total_pair *t)
{
    return t->high + t->low;
}
