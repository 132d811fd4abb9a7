/* SPDX-License-Identifier: MIT */
/* Random numbers (SplitMix64, Steele, Lea and Flood 2014): the same from a seed everywhere. */
#include "tests/property/property.h"

uint64_t chance_next(struct chance *c)
{
    c->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = c->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double chance_uniform(struct chance *c)
{
    return (double)(chance_next(c) >> 11) * 0x1p-53;
}

bool chance_is(struct chance *c, double probability)
{
    return chance_uniform(c) < probability;
}

unsigned chance_below(struct chance *c, unsigned n)
{
    return (unsigned)(chance_next(c) % n);
}

double chance_between(struct chance *c, double low, double high)
{
    return low + (high - low) * chance_uniform(c);
}
