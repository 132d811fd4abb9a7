/* SPDX-License-Identifier: MIT */
/* Volume: totals from the first bar on (or from the last reset), and what is made of them. A total
 * carries what its additions rounded off, if only from tile to tile. */
#include <stdbool.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/row.h"
#include "shm/indicator/total.h"

#define DAY_NS INT64_C(86400000000000)

/* Volumes and money beyond it count as infinite, so that no total overflows. */
#define VOLUME_MAX 1e290

static inline bool is_usable(double x)
{
    return fabs(x) <= VOLUME_MAX;
}

/* ---- plain totals --------------------------------------------------------------------------- */

static int advance_cum_volume(const struct indicator_span *s)
{
    const double *volume = s->input[0];
    struct total total = *(struct total *)s->state;
    for (uint32_t i = 0; i < s->rows_n; i++) {
        bool is_good = is_usable(volume[i]);
        total_add(&total, is_good ? volume[i] : 0.0);
        s->out[0][i] = is_good ? total_of(&total) : NAN;
    }
    *(struct total *)s->state = total;
    return 0;
}

static int advance_trade_count(const struct indicator_span *s)
{
    const double *volume = s->input[0];
    double count = *(double *)s->state;
    for (uint32_t i = 0; i < s->rows_n; i++) {
        bool is_good = isfinite(volume[i]);
        count += is_good && volume[i] > 0.0 ? 1.0 : 0.0;
        s->out[0][i] = is_good ? count : NAN;
    }
    *(double *)s->state = count;
    return 0;
}

struct obv {
    struct total total;
    double before; /* last close */
    bool is_started;
};

/* The first bar counts as a rise. */
static int advance_obv(const struct indicator_span *s)
{
    const double *close = s->input[0], *volume = s->input[1];
    struct obv o = *(struct obv *)s->state;
    double before = o.is_started ? o.before : -INFINITY;
    for (uint32_t i = 0; i < s->rows_n; i++) {
        bool is_good = isfinite(close[i]) && is_usable(volume[i]);
        double turn = (close[i] > before) - (close[i] < before); /* without a branch */
        total_add(&o.total, is_good ? turn * volume[i] : 0.0);
        s->out[0][i] = is_good ? total_of(&o.total) : NAN;
        before = is_good ? close[i] : before;
    }
    o.before = before;
    o.is_started = before > -INFINITY;
    *(struct obv *)s->state = o;
    return 0;
}

/* ---- accumulation and distribution ---------------------------------------------------------- */

/* Where the close lies in the bar's range, -1 to 1, times the volume; 0 where there is no range. */
CPU_INLINE double money_flow(const struct indicator_span *s, size_t i)
{
    double high = s->input[0][i], low = s->input[1][i], close = s->input[2][i];
    double range = high - low;
    double flow = ((close - low) - (high - close)) / range * s->input[3][i];
    double none = (close + s->input[3][i]) * 0.0; /* NaN where one of them is not finite */
    return range > 0.0 ? flow : range <= 0.0 ? none : NAN;
}

/* What tiles before came to, and what this one has come to. */
struct ad {
    struct total tiles;
    double tile;
};

#define FLOWS 32u /* made side by side, while those before are added up */

CPU_INLINE double add_flows(const struct indicator_span *s, size_t at, size_t n, double tiles,
                            double tile)
{
    double flow[FLOWS], gap[FLOWS];
    for (size_t k = 0; k < n; k++) {
        double given = money_flow(s, at + k);
        flow[k] = is_usable(given) ? given : 0.0;
        gap[k] = is_usable(given) ? 0.0 : NAN;
    }
    for (size_t k = 0; k < n; k++) {
        tile += flow[k];
        s->out[0][at + k] = (tiles + tile) + gap[k];
    }
    return tile;
}

/* Rows [at, at + n) of the span, which are in one tile. */
CPU_INLINE void ad_body(const struct indicator_span *s, size_t at, size_t n, double tiles,
                        double *io_tile)
{
    double tile = *io_tile;
    size_t i = 0;
    for (; i + FLOWS <= n; i += FLOWS)
        tile = add_flows(s, at + i, FLOWS, tiles, tile);
    *io_tile = add_flows(s, at + i, n - i, tiles, tile);
}
CPU_VERSIONS(add_tile, ad_body,
             (const struct indicator_span *s, size_t at, size_t n, double tiles, double *io_tile),
             (s, at, n, tiles, io_tile))

static int advance_ad(const struct indicator_span *s)
{
    struct ad ad = *(struct ad *)s->state;
    for (uint32_t at = 0, n; at < s->rows_n; at += n) {
        uint32_t in_tile = INDICATOR_TILE_ROWS - (s->row + at) % INDICATOR_TILE_ROWS;
        n = s->rows_n - at < in_tile ? s->rows_n - at : in_tile;
        if (in_tile == INDICATOR_TILE_ROWS) {
            total_add(&ad.tiles, ad.tile);
            ad.tile = 0.0;
        }
        add_tile(s, at, n, total_of(&ad.tiles), &ad.tile);
    }
    *(struct ad *)s->state = ad;
    return 0;
}

/* Both averages less ad() itself, which drops out of their difference: what is left stays as small
 * as the flows are, however far ad() has gone. A step of ad() by `flow` moves them by -flow, and
 * then each keeps 1 - 2/(n+1) of its distance. */
struct adosc {
    double fast, slow;
    double seen; /* good bars */
};

static int advance_adosc(const struct indicator_span *s)
{
    struct adosc a = *(struct adosc *)s->state;
    double keep_fast = 1.0 - 2.0 / (s->param[0] + 1.0), keep_slow = 1.0 - 2.0 / (s->param[1] + 1.0);
    double needed = s->param[0] > s->param[1] ? s->param[0] : s->param[1];
    for (uint32_t i = 0; i < s->rows_n; i++) {
        double flow = money_flow(s, i);
        if (!is_usable(flow)) {
            a = (struct adosc){0};
            s->out[0][i] = NAN;
            continue;
        }
        if (a.seen > 0.0) {
            a.fast = keep_fast * (a.fast - flow);
            a.slow = keep_slow * (a.slow - flow);
        }
        a.seen++;
        s->out[0][i] = a.seen >= needed ? a.fast - a.slow : NAN;
    }
    *(struct adosc *)s->state = a;
    return 0;
}

/* ---- volume-weighted average price ---------------------------------------------------------- */

enum { RESET_DAY, RESET_WEEK, RESET_NEVER };
static const char *const reset_words[] = {"day", "week", "never", NULL};

struct vwap {
    struct total money, volume;
    int64_t from_ns, until_ns; /* the day or week of the last bar, half-open */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The day or week in which a time lies; 1970-01-01 was a Thursday. */
static void start_period(struct vwap *v, int64_t time_ns, double reset)
{
    int64_t day = floor_div(time_ns, DAY_NS), days_n = 1;
    if (reset == RESET_WEEK) {
        day = 7 * floor_div(day + 3, 7) - 3;
        days_n = 7;
    }
    *v = (struct vwap){.from_ns = day * DAY_NS, .until_ns = (day + days_n) * DAY_NS};
}

static int advance_vwap(const struct indicator_span *s)
{
    const double *high = s->input[0], *low = s->input[1], *close = s->input[2];
    const double *volume = s->input[3], reset = s->param[0];
    struct vwap v = *(struct vwap *)s->state;
    for (uint32_t i = 0; i < s->rows_n; i++) {
        double money = (high[i] + low[i] + close[i]) / 3.0 * volume[i];
        bool is_good = is_usable(money) && is_usable(volume[i]);
        if (reset != RESET_NEVER && (s->time_ns[i] < v.from_ns || s->time_ns[i] >= v.until_ns))
            start_period(&v, s->time_ns[i], reset);
        total_add(&v.money, is_good ? money : 0.0);
        total_add(&v.volume, is_good ? volume[i] : 0.0);
        double weight = total_of(&v.volume);
        s->out[0][i] = is_good && weight > 0.0 ? total_of(&v.money) / weight : NAN;
    }
    *(struct vwap *)s->state = v;
    return 0;
}

/* ---- table ---------------------------------------------------------------------------------- */

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "ad", .cls = CLASS_CUMULATIVE, .implied = "high low close volume",
     .outputs_n = 1, .outputs = {"ad"}, .warm_up_text = "0",
     .formula = "accumulation/distribution: total of ((close - low) - (high - close)) / "
                "(high - low) * volume",
     .edges = "a bar without range adds nothing", .source = "Chaikin; " TALIB,
     .state_bytes = sizeof(struct ad), .advance = advance_ad},
    {.name = "adosc", .cls = CLASS_RECURSIVE, .implied = "high low close volume",
     .params_n = 2, .params = {PERIOD("fast", 2), PERIOD("slow", 2)},
     .outputs_n = 1, .outputs = {"adosc"}, .warm_up_text = "slow - 1",
     .formula = "exponential average of ad() over fast bars less the one over slow bars, both seeded "
                "by its first value; slow stands for the longer in the warm-up",
     .edges = "0 while no bar has a range", .source = "Chaikin; " TALIB,
     .state_bytes = sizeof(struct adosc), .advance = advance_adosc},
    {.name = "cum_volume", .cls = CLASS_CUMULATIVE, .implied = "volume",
     .outputs_n = 1, .outputs = {"cum_volume"}, .warm_up_text = "0",
     .formula = "total volume from the first bar on", .source = "its definition",
     .state_bytes = sizeof(struct total), .advance = advance_cum_volume},
    {.name = "obv", .cls = CLASS_CUMULATIVE, .implied = "close volume",
     .outputs_n = 1, .outputs = {"obv"}, .warm_up_text = "0",
     .formula = "on-balance volume: the first bar's, then plus the volume of each bar that closes "
                "higher, less that of each that closes lower",
     .source = "Granville 1963; " TALIB,
     .state_bytes = sizeof(struct obv), .advance = advance_obv},
    {.name = "trade_count", .cls = CLASS_CUMULATIVE, .implied = "volume",
     .outputs_n = 1, .outputs = {"trade_count"}, .warm_up_text = "0",
     .formula = "bars with a volume above 0 from the first one on", .source = "its definition",
     .state_bytes = sizeof(double), .advance = advance_trade_count},
    {.name = "vwap", .cls = CLASS_CUMULATIVE, .implied = "high low close volume",
     .params_n = 1, .params = {{.name = "reset", .minimum = 0, .maximum = RESET_NEVER,
                                .is_whole = 1, .choices = reset_words}},
     .outputs_n = 1, .outputs = {"vwap"}, .warm_up_text = "0",
     .formula = "total of typprice() * volume by total volume, since the UTC day or week (Monday) "
                "began, or from the first bar on",
     .edges = "undefined while there has been no volume since the reset",
     .source = "its definition", .state_bytes = sizeof(struct vwap), .uses_time = true,
     .advance = advance_vwap},
};
/* clang-format on */

const struct indicator_family family_volume = INDICATOR_FAMILY("volume", rows);
