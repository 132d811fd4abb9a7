/* SPDX-License-Identifier: MIT */
#include "shm/indicator/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NOT_YET (-1)

static atomic_int level_in_use = NOT_YET;

static const char *const names[CPU_LEVELS_N] = {"baseline", "avx2", "avx512"};

static enum cpu_level best_level(void)
{
#if CPU_HAS_LEVELS
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi2"))
        return CPU_BASELINE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return CPU_AVX512;
    return CPU_AVX2;
#else
    return CPU_BASELINE;
#endif
}

static enum cpu_level first_level(void)
{
    enum cpu_level best = best_level();
    const char *wanted = getenv("ADMF_CPU");
    for (enum cpu_level level = CPU_BASELINE; wanted && level < best; level++) {
        if (strcmp(wanted, names[level]) == 0)
            return level;
    }
    return best;
}

/* Threads that come here at once find the same, so relaxed order will do. */
enum cpu_level cpu_level(void)
{
    int level = atomic_load_explicit(&level_in_use, memory_order_relaxed);
    if (level == NOT_YET) {
        level = (int)first_level();
        atomic_store_explicit(&level_in_use, level, memory_order_relaxed);
    }
    return (enum cpu_level)level;
}

bool cpu_set_level(enum cpu_level level)
{
    if (level > best_level())
        return false;
    atomic_store_explicit(&level_in_use, (int)level, memory_order_relaxed);
    return true;
}

const char *cpu_level_name(enum cpu_level level)
{
    return level < CPU_LEVELS_N ? names[level] : "unknown";
}
