/* SPDX-License-Identifier: MIT */
/* Arithmetic on rows, as wide as the machine can. */
#include "shm/expr_node.h"
#include "shm/graph_eval.h"
#include "shm/indicator/cpu.h"

/* Of a sign: NAME(), rows by rows, and NAME##_by(), rows by one number. */
#define OPERATION(name, sign)                                                                      \
    CPU_INLINE void name##_body(const double *a, const double *b, double *out, uint32_t n)         \
    {                                                                                              \
        CPU_VECTORIZE                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            out[i] = expr_defined(a[i] sign b[i]);                                                 \
    }                                                                                              \
    CPU_VERSIONS(name, name##_body, (const double *a, const double *b, double *out, uint32_t n),   \
                 (a, b, out, n))                                                                   \
    CPU_INLINE void name##_by_body(const double *a, double b, double *out, uint32_t n)             \
    {                                                                                              \
        CPU_VECTORIZE                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            out[i] = expr_defined(a[i] sign b);                                                    \
    }                                                                                              \
    CPU_VERSIONS(name##_by, name##_by_body, (const double *a, double b, double *out, uint32_t n),  \
                 (a, b, out, n))

OPERATION(add, +)
OPERATION(subtract, -)
OPERATION(multiply, *)
OPERATION(divide, /)

void arithmetic_rows(enum expr_kind kind, const double *a, const double *b, double *out, uint32_t n)
{
    if (kind == EXPR_ADD)
        add(a, b, out, n);
    else if (kind == EXPR_SUB)
        subtract(a, b, out, n);
    else if (kind == EXPR_MUL)
        multiply(a, b, out, n);
    else
        divide(a, b, out, n);
}

void arithmetic_by(enum expr_kind kind, const double *a, double b, double *out, uint32_t n)
{
    if (kind == EXPR_ADD)
        add_by(a, b, out, n);
    else if (kind == EXPR_SUB)
        subtract_by(a, b, out, n);
    else if (kind == EXPR_MUL)
        multiply_by(a, b, out, n);
    else
        divide_by(a, b, out, n);
}
