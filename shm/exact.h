/* SPDX-License-Identifier: MIT */
/* Logarithm, exponential and power whose bits depend on the argument alone.
 *
 * glibc picks its log, exp and pow by what the CPU can do (with or without fused multiply-add), and
 * the choices differ in the last bit; so does the x87 microcode of different makers. These are made
 * of IEEE 754 double operations only (+ - * /, none of them fused: -ffp-contract=off), so that
 * every CPU and compiler gives the same run digest. Finite results are within 1 ulp, those of
 * exact_pow() beyond 1e+-60 within 8. Special values are those of C's functions, except that
 * a power knows no negative zero and that -infinity has whole powers alone. */
#pragma once

double exact_log(double x);
double exact_exp(double x);
double exact_pow(double x, double y);
