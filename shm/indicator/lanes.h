/* SPDX-License-Identifier: MIT */
/* Compiles the file of steps LANES_STEPS once for a single row and once for vectors of each width.
 *
 * There, each step is
 *
 *     LANES_STEP(ema)(V *v, const V *k, const V *x, V *y)     values, constants, inputs, outputs
 *     {
 *         v[0] += k[0] * (x[0] - v[0]);
 *         y[0] = v[0];
 *     }
 *     LANES_DRIVERS(ema, 1, 1, 1, 1)     numbers of inputs, outputs, values, constants
 *
 * and LANES_CODE(ema) is its struct recursive_code. V is a double or a vector of doubles; beside
 * the operators there are LANES_LESS(a, b), LANES_AT_MOST(a, b) and LANES_SAME(a, b), which give a
 * mask M, LANES_PICK(mask, a, b), LANES_ALL(number), LANES_ABS(a) and LANES_SQRT(a). Whatever the
 * width, each lane goes through the same operations in the same order. */
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "shm/indicator/recursive.h"

#define LANES_JOIN_(a, b) a##b
#define LANES_JOIN(a, b)  LANES_JOIN_(a, b)
#define LANES_NAME(name)  LANES_JOIN(name, LANES_SUFFIX)

#define LANES_STEP(name) CPU_INLINE void LANES_NAME(name##_step)

/* Where every access is watched, unrolled code takes minutes to compile. */
#if defined(__has_feature)
#define LANES_WATCHED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define LANES_WATCHED 1
#else
#define LANES_WATCHED 0
#endif
#if LANES_WATCHED
#define LANES_UNROLL
#if !defined(__clang__) /* which takes the watched branch of a pointer that is NULL for a use */
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif
#elif defined(__clang__)
#define LANES_UNROLL _Pragma("unroll")
#else
#define LANES_UNROLL _Pragma("GCC unroll 16")
#endif

#if CPU_HAS_LEVELS
#define LANES_BY_LEVEL(name)                                                                       \
    {                                                                                              \
        name##_2, name##_4, name##_8                                                               \
    }
#else
#define LANES_BY_LEVEL(name)                                                                       \
    {                                                                                              \
        name##_2, name##_2, name##_2                                                               \
    }
#endif
#define LANES_CODE(name)                                                                           \
    {                                                                                              \
        .rows = name##_rows_1, .chains = LANES_BY_LEVEL(name##_chains),                            \
        .family = LANES_BY_LEVEL(name##_family)                                                    \
    }

/* Rows ahead that are fetched: more streams than the processor can foresee by itself. */
#define LANES_AHEAD 256

CPU_INLINE void lanes_prefetch(const struct recursive_lanes *j, uint32_t t, const unsigned inputs_n)
{
    LANES_UNROLL
    for (unsigned i = 0; i < inputs_n; i++) {
        LANES_UNROLL
        for (unsigned lane = 0; lane < RECURSIVE_CHAINS; lane++)
            __builtin_prefetch((const char *)j->in[i][lane] + (t + LANES_AHEAD) * sizeof(double));
    }
}

#ifdef LANES_STEPS

#define LANES_WIDTH  1
#define LANES_SUFFIX _1
#include "shm/indicator/lanes_one.inc"
#include LANES_STEPS
#include "shm/indicator/lanes_end.inc"

#define LANES_WIDTH  2
#define LANES_SUFFIX _2
#include "shm/indicator/lanes_many.inc"
#include LANES_STEPS
#include "shm/indicator/lanes_end.inc"

#if CPU_HAS_LEVELS

#define LANES_WIDTH  4
#define LANES_SUFFIX _4
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi2")
#endif
#include "shm/indicator/lanes_many.inc"
#include LANES_STEPS
#include "shm/indicator/lanes_end.inc"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define LANES_WIDTH  8
#define LANES_SUFFIX _8
#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx2,fma,bmi2,avx512f,avx512dq,avx512vl,avx512bw"))),                   \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi2,avx512f,avx512dq,avx512vl,avx512bw")
#endif
#include "shm/indicator/lanes_many.inc"
#include LANES_STEPS
#include "shm/indicator/lanes_end.inc"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif

#endif
