/* SPDX-License-Identifier: MIT */
/* Quickselect (Hoare, 1961) with the median of three as pivot. */
#include "worker/metrics/order.h"

#include <math.h>

static void swap(double *a, double *b)
{
    double kept = *a;

    *a = *b;
    *b = kept;
}

static double median_of_three(double a, double b, double c)
{
    double low = a < b ? a : b, high = a < b ? b : a;

    return c < low ? low : c > high ? high : c;
}

void order_select(double *x, size_t n, size_t k)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, rank = (ptrdiff_t)k;

    while (low < high) {
        double pivot = median_of_three(x[low], x[low + (high - low) / 2], x[high]);
        ptrdiff_t i = low, j = high;

        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i <= j)
                swap(&x[i++], &x[j--]);
        }
        if (rank <= j)
            high = j;
        else if (rank >= i)
            low = i;
        else
            return;
    }
}

double order_at(double *x, size_t n, double at)
{
    size_t k, least;

    if (n == 0)
        return NAN;
    k = (size_t)at;
    order_select(x, n, k);
    if (k + 1 >= n)
        return x[k];
    least = k + 1;
    for (size_t i = k + 2; i < n; i++)
        least = x[i] < x[least] ? i : least;
    swap(&x[k + 1], &x[least]);
    return x[k] + (x[k + 1] - x[k]) * (at - (double)k);
}
