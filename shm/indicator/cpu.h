/* SPDX-License-Identifier: MIT */
/* Which instruction set kernels use, chosen while running.
 *
 * A kernel is written once, as an always_inline body without intrinsics, and compiled for each
 * level by CPU_VERSIONS(). Levels differ in how many rows an instruction works on, never in which
 * operations are done on a row or in what order: all give the same bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum cpu_level {
    CPU_BASELINE, /* what the compiler takes for granted: SSE2 on x86-64, plain C elsewhere */
    CPU_AVX2,     /* AVX2 and FMA */
    CPU_AVX512,   /* and AVX-512 F, DQ, VL, BW */
    CPU_LEVELS_N
};

/* The one in use: the best that the machine has, lowered by the environment's ADMF_CPU (baseline,
 * avx2, avx512; other words are not looked at). */
enum cpu_level cpu_level(void);

/* Uses another one from now on, in the whole process. False, and nothing changes, where the machine
 * lacks it. */
bool cpu_set_level(enum cpu_level level);

const char *cpu_level_name(enum cpu_level level);

/* For bodies that start at AVX2 (CPU_TWINS()): four doubles side by side, at any address; what a
 * comparison of such gives, and their bits. Without AVX2 compilers take them apart badly. */
typedef double cpu_four __attribute__((vector_size(32), aligned(8), may_alias));
typedef int64_t cpu_four_bits __attribute__((vector_size(32), aligned(8), may_alias));

#define CPU_FOUR_AT(pointer) (*(const cpu_four *)(pointer))
/* a where the mask is set, else b. */
#define CPU_PICK(mask, a, b)                                                                       \
    ((cpu_four)(((mask) & (cpu_four_bits)(a)) | (~(mask) & (cpu_four_bits)(b))))
#define CPU_ABS(four) ((cpu_four)((cpu_four_bits)(four)&INT64_MAX))

#define CPU_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define CPU_HAS_LEVELS 1
#define CPU_FOR_AVX2   __attribute__((target("avx2,fma,bmi2")))
#define CPU_FOR_AVX512 __attribute__((target("avx2,fma,bmi2,avx512f,avx512dq,avx512vl,avx512bw")))

/* static void NAME(PARAMETERS), which runs as compiled for the level in use what PLAIN(ARGUMENTS)
 * or, from AVX2 on, WIDE(ARGUMENTS) is. */
#define CPU_TWINS(name, plain, wide, parameters, arguments)                                        \
    static void name##_baseline parameters                                                         \
    {                                                                                              \
        plain arguments;                                                                           \
    }                                                                                              \
    CPU_FOR_AVX2 static void name##_avx2 parameters                                                \
    {                                                                                              \
        wide arguments;                                                                            \
    }                                                                                              \
    CPU_FOR_AVX512 static void name##_avx512 parameters                                            \
    {                                                                                              \
        wide arguments;                                                                            \
    }                                                                                              \
    static void name parameters                                                                    \
    {                                                                                              \
        enum cpu_level level = cpu_level();                                                        \
        if (level == CPU_AVX512)                                                                   \
            name##_avx512 arguments;                                                               \
        else if (level == CPU_AVX2)                                                                \
            name##_avx2 arguments;                                                                 \
        else                                                                                       \
            name##_baseline arguments;                                                             \
    }
#else
#define CPU_HAS_LEVELS 0
#define CPU_TWINS(name, plain, wide, parameters, arguments)                                        \
    static void name parameters                                                                    \
    {                                                                                              \
        plain arguments;                                                                           \
    }
#endif

/* One body for all levels. */
#define CPU_VERSIONS(name, body, parameters, arguments)                                            \
    CPU_TWINS(name, body, body, parameters, arguments)

/* Before a loop that reads no row which an earlier turn has written: it may be made of vectors. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* it may be left plain, as in debug builds */
#define CPU_VECTORIZE _Pragma("clang loop vectorize(assume_safety)")
#else
#define CPU_VECTORIZE _Pragma("GCC ivdep")
#endif
