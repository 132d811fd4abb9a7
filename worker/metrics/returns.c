/* SPDX-License-Identifier: MIT */
/* Returns and their distribution. */
#include <math.h>
#include <string.h>

#include "worker/metrics/normal.h"
#include "worker/metrics/order.h"
#include "worker/metrics/stats.h"

#define Z_95 0x1.a515209676abdp+0 /* 95th percentile of the normal law */

uint32_t day_returns(const double *equity, uint32_t days_n, double *ret_returns)
{
    uint32_t n = 0;

    while (n < days_n && equity[n] > 0)
        n++;
    n = n < days_n ? n : days_n - 1;
    for (uint32_t i = 0; i < n; i++)
        ret_returns[i] = equity[i + 1] / equity[i] - 1;
    return n;
}

void metrics_benchmark_returns(const double *benchmark, const uint32_t *day_end, uint32_t days_n,
                               double *ret_returns)
{
    for (uint32_t day = 1; day < days_n; day++)
        ret_returns[day - 1] = benchmark[day_end[day]] / benchmark[day_end[day - 1]] - 1;
}

/* ---- distribution --------------------------------------------------------------------------- */

static void first_pass(struct distribution *d, const double *r)
{
    struct lanes sum = {{0}}, least, most;
    uint32_t i = 0;

    for (size_t j = 0; j < LANES_N; j++)
        least.lane[j] = most.lane[j] = r[0];
    for (; i + LANES_N <= d->n; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++) {
            double x = r[i + j];

            sum.lane[j] += x;
            least.lane[j] = x < least.lane[j] ? x : least.lane[j];
            most.lane[j] = x > most.lane[j] ? x : most.lane[j];
        }
    for (size_t j = 0; i + j < d->n; j++) {
        sum.lane[j] += r[i + j];
        least.lane[j] = fmin(least.lane[j], r[i + j]);
        most.lane[j] = fmax(most.lane[j], r[i + j]);
    }
    d->sum = lanes_total(&sum);
    d->mean = d->sum / d->n;
    for (size_t j = 1; j < LANES_N; j++) {
        least.lane[0] = fmin(least.lane[0], least.lane[j]);
        most.lane[0] = fmax(most.lane[0], most.lane[j]);
    }
    d->least = least.lane[0];
    d->most = most.lane[0];
}

/* Sums of the second, third and fourth powers of deviations from the mean. */
struct powers {
    struct lanes sq, cube, fourth;
};

static inline void powers_add(struct powers *p, size_t j, double deviation)
{
    double sq = deviation * deviation;

    p->sq.lane[j] += sq;
    p->cube.lane[j] += sq * deviation;
    p->fourth.lane[j] += sq * sq;
}

static void shape(struct distribution *d, const double *r)
{
    struct powers p = {0};
    double n = d->n, sq, cube, fourth;
    uint32_t i = 0;

    for (; i + LANES_N <= d->n; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++)
            powers_add(&p, j, r[i + j] - d->mean);
    for (size_t j = 0; i + j < d->n; j++)
        powers_add(&p, j, r[i + j] - d->mean);
    sq = lanes_total(&p.sq);
    cube = lanes_total(&p.cube);
    fourth = lanes_total(&p.fourth);
    d->std = n > 1 ? sqrt(sq / (n - 1)) : NAN;
    d->skew = n > 2 ? ratio(n * sqrt(n - 1) / (n - 2) * cube, sq * sqrt(sq)) : NAN;
    d->kurtosis = n > 3 ? ratio(n * (n + 1) * (n - 1) * fourth, (n - 2) * (n - 3) * sq * sq) -
                              3 * (n - 1) * (n - 1) / ((n - 2) * (n - 3))
                        : NAN;
}

struct sides {
    struct lanes over, under, under_sq, loss;
};

static inline void sides_add(struct sides *s, size_t j, double r, double threshold)
{
    double x = r - threshold;
    double under = x < 0 ? x : 0;

    s->over.lane[j] += x > 0 ? x : 0;
    s->under.lane[j] += under;
    s->under_sq.lane[j] += under * under;
}

static void sides(struct distribution *d, const double *r, double threshold)
{
    struct sides s = {0};
    uint32_t i = 0;

    for (; i + LANES_N <= d->n; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++)
            sides_add(&s, j, r[i + j], threshold);
    for (size_t j = 0; i + j < d->n; j++)
        sides_add(&s, j, r[i + j], threshold);
    d->over_sum = lanes_total(&s.over);
    d->under_sum = d->loss_sum = lanes_total(&s.under);
    d->under_sq_sum = lanes_total(&s.under_sq);
    if (threshold == 0)
        return;
    for (i = 0; i < d->n; i++)
        s.loss.lane[i % LANES_N] += r[i] < 0 ? r[i] : 0;
    d->loss_sum = lanes_total(&s.loss);
}

struct distribution distribution(const double *r, uint32_t n, double threshold)
{
    struct distribution d = {
        .n = n, .mean = NAN, .least = NAN, .most = NAN, .std = NAN, .skew = NAN, .kurtosis = NAN};

    if (n == 0)
        return d;
    first_pass(&d, r);
    shape(&d, r);
    sides(&d, r, threshold);
    return d;
}

/* ---- tails ---------------------------------------------------------------------------------- */

/* Those beyond one deviation from the mean are few and hold the percentiles wanted, as a rule;
 * where they do not, all values are candidates. Selecting among few is what makes this cheap. */
struct candidates {
    double *low, *high;
    size_t low_n, high_n;
};

static struct candidates candidates(const double *r, const struct distribution *of_r, double *work)
{
    struct candidates c = {.low = work, .high = work + of_r->n};
    double below = of_r->mean - of_r->std, above = of_r->mean + of_r->std;

    for (uint32_t i = 0; i < of_r->n; i++) {
        c.low[c.low_n] = r[i];
        c.low_n += r[i] < below;
        c.high[c.high_n] = r[i];
        c.high_n += r[i] > above;
    }
    return c;
}

static double mean_of(const double *x, size_t n)
{
    return lanes_sum(x, n) / (double)n;
}

struct tails tails(const double *r, const struct distribution *of_r, double *work)
{
    struct tails t = {NAN, NAN, NAN, NAN, NAN, NAN};
    double last = (double)of_r->n - 1;
    size_t n = of_r->n, k01 = (size_t)(0.01 * last), k05 = (size_t)(0.05 * last);
    size_t k95 = (size_t)(0.95 * last), below_n;
    struct candidates c;

    if (n == 0)
        return t;
    c = candidates(r, of_r, work);
    if (c.low_n < k05 + 2) {
        memcpy(c.low, r, n * sizeof *r);
        c.low_n = n;
    }
    if (c.high_n < n - k95) {
        memcpy(c.high, r, n * sizeof *r);
        c.high_n = n;
    }
    below_n = k95 - (n - c.high_n); /* candidates that p95 leaves behind */
    t.p95 = order_at(c.high, c.high_n, 0.95 * last - (double)(n - c.high_n));
    t.p99 = order_at(c.high + below_n, c.high_n - below_n, 0.99 * last - (double)k95);
    t.p05 = order_at(c.low, c.low_n, 0.05 * last);
    t.mean_to_p05 = mean_of(c.low, k05 + 1);
    t.p01 = order_at(c.low, k05 + 2 < c.low_n ? k05 + 2 : c.low_n, 0.01 * last);
    t.mean_to_p01 = mean_of(c.low, k01 + 1);
    return t;
}

struct tails metrics_spread(const double *returns, const struct distribution *of_returns,
                            double *work, double *metrics)
{
    struct tails t = tails(returns, of_returns, work);

    metrics[METRIC_SKEW] = of_returns->skew;
    metrics[METRIC_KURTOSIS] = of_returns->kurtosis;
    metrics[METRIC_VALUE_AT_RISK_95_PCT] = t.p05 * 100;
    metrics[METRIC_VALUE_AT_RISK_99_PCT] = t.p01 * 100;
    metrics[METRIC_EXPECTED_SHORTFALL_95_PCT] = t.mean_to_p05 * 100;
    metrics[METRIC_EXPECTED_SHORTFALL_99_PCT] = t.mean_to_p01 * 100;
    metrics[METRIC_TAIL_RATIO] = fabs(ratio(t.p95, t.p05));
    return t;
}

/* ---- trust in a Sharpe ratio ---------------------------------------------------------------- */

/* n - 1 times the variance of the estimate. */
static double sharpe_variance(const struct distribution *r, double sharpe)
{
    return 1 - r->skew * sharpe + (r->kurtosis + 2) / 4 * sharpe * sharpe;
}

double psr(const struct distribution *r, double sharpe)
{
    return normal_cdf(sharpe * sqrt(r->n - 1.0) / sqrt(sharpe_variance(r, sharpe)));
}

double min_track_record(const struct distribution *r, double sharpe)
{
    double distance = Z_95 / sharpe;

    return sharpe > 0 ? 1 + sharpe_variance(r, sharpe) * distance * distance : NAN;
}

/* ---- in a row ------------------------------------------------------------------------------- */

struct sequence {
    struct lanes product, losses;
};

static inline void sequence_add(struct sequence *s, size_t j, const double *r, double mean)
{
    s->product.lane[j] += (r[1] - mean) * (r[0] - mean);
    s->losses.lane[j] += r[1] < 0 ? 1.0 : 0.0;
}

struct in_a_row in_a_row(const double *r, const struct distribution *of_r)
{
    struct sequence s = {0};
    struct in_a_row found = {.correlation = NAN};
    uint32_t n = of_r->n, i = 0;

    if (n == 0)
        return found;
    for (; i + LANES_N < n; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++)
            sequence_add(&s, j, r + i + j, of_r->mean);
    for (size_t j = 0; i + j + 1 < n; j++)
        sequence_add(&s, j, r + i + j, of_r->mean);
    found.losses_n = (uint32_t)lanes_total(&s.losses) + (r[0] < 0);
    found.correlation = ratio(lanes_total(&s.product), (n - 1.0) * of_r->std * of_r->std);
    return found;
}

/* ---- against the market --------------------------------------------------------------------- */

/* Sums of products of deviations. */
struct products {
    struct lanes cov, var_r, var_m, var_active;
};

static inline void products_add(struct products *p, size_t j, double r, double m)
{
    p->cov.lane[j] += r * m;
    p->var_r.lane[j] += r * r;
    p->var_m.lane[j] += m * m;
    p->var_active.lane[j] += (r - m) * (r - m);
}

struct market_fit market_fit(const double *returns, const double *market, uint32_t n)
{
    struct products p = {0};
    struct market_fit fit = {0};
    uint32_t first = 0, i = 0;

    while (first < n && isnan(market[first]))
        first++;
    fit.n = n - first;
    returns += first;
    market += first;
    fit.mean_r = ratio(lanes_sum(returns, fit.n), fit.n);
    fit.mean_m = ratio(lanes_sum(market, fit.n), fit.n);
    for (; i + LANES_N <= fit.n; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++)
            products_add(&p, j, returns[i + j] - fit.mean_r, market[i + j] - fit.mean_m);
    for (size_t j = 0; i + j < fit.n; j++)
        products_add(&p, j, returns[i + j] - fit.mean_r, market[i + j] - fit.mean_m);
    fit.cov = lanes_total(&p.cov);
    fit.var_r = lanes_total(&p.var_r);
    fit.var_m = lanes_total(&p.var_m);
    fit.var_active = lanes_total(&p.var_active);
    return fit;
}

/* ---- levels --------------------------------------------------------------------------------- */

double straightness(const double *x, uint32_t n)
{
    struct lanes sum = {{0}}, sq = {{0}}, product = {{0}};
    double count = n, middle = (count - 1) / 2, from = n ? x[0] : 0, offset, deviations;
    uint32_t i = 0;

    for (; i + LANES_N <= n; i += LANES_N) {
        double number = i - middle;

        for (size_t j = 0; j < LANES_N; j++) {
            double value = x[i + j] - from;

            sum.lane[j] += value;
            sq.lane[j] += value * value;
            product.lane[j] += value * (number + (double)j);
        }
    }
    for (size_t j = 0; i + j < n; j++) {
        double value = x[i + j] - from;

        sum.lane[j] += value;
        sq.lane[j] += value * value;
        product.lane[j] += value * (i - middle + (double)j);
    }
    offset = lanes_total(&sum) / count;
    deviations = lanes_total(&sq) - count * offset * offset;
    return ratio(lanes_total(&product) * lanes_total(&product),
                 count * (count * count - 1) / 12 * deviations);
}
