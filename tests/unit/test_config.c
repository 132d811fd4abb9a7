/* SPDX-License-Identifier: MIT */
/* The promise: a configuration is taken whole or refused with file:line:column, what was found and
 * how to mend it; nothing is taken silently; and what was understood can be written out and read
 * back. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/units.h"
#include "supervisor/config/loader.h"
#include "tests/unit/config_fixture.h"

#ifndef ADMF_SOURCE
#define ADMF_SOURCE "."
#endif

/* ---- files ---------------------------------------------------------------------------------- */

/* A whole file; NULL where there is none. To be freed. */
static char *read_file(const char *path, size_t *ret_n_bytes)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return NULL;
    char *text = calloc(1, 1 << 21);
    cr_assert_not_null(text);
    *ret_n_bytes = fread(text, 1, (1 << 21) - 1, f);
    fclose(f);
    return text;
}

static char *temp_dir(void)
{
    char *dir = strdup("/tmp/admf-test-config-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    return dir;
}

/* dir/name with a text in it; the path is to be freed. */
static char *write_file(const char *dir, const char *name, const char *text)
{
    char *path = NULL;
    cr_assert(asprintf(&path, "%s/%s", dir, name) > 0);
    FILE *f = fopen(path, "wbe");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void drop_file(char *path)
{
    unlink(path);
    free(path);
}

static void drop_dir(char *dir)
{
    rmdir(dir);
    free(dir);
}

/* ---- bad configurations --------------------------------------------------------------------- */

/* The file's first line says what is expected: `# expect LINE:COLUMN: fragment`. */
static void check_bad_file(const char *dir, const char *name)
{
    char *path = NULL, *want = NULL;
    size_t n_bytes = 0;
    cr_assert(asprintf(&path, "%s/%s", dir, name) > 0);
    char *text = read_file(path, &n_bytes);
    cr_assert_not_null(text, "%s", path);
    char *expect = memmem(text, n_bytes, "# expect ", 9);
    cr_assert_not_null(expect, "%s has no `# expect` line", name);
    expect[strcspn(expect, "\n")] = 0;
    cr_assert(asprintf(&want, "%s:%s", path, expect + 9) > 0);

    struct config *untouched = (struct config *)&n_bytes, *config = untouched;
    struct err err = {0};
    int rc = config_load(path, NULL, 0, fixture_describe(), &config, &err);
    cr_expect(rc == -EDOM && err.kind == ERR_CONFIG, "%s: rc %d, %s", name, rc, err.text);
    cr_expect(!strncmp(err.text, want, strlen(want)), "%s\n  want %s\n  got  %s", name, want,
              err.text);
    cr_expect(config == untouched, "%s: the output was touched", name);
    free(want);
    free(text);
    free(path);
}

Test(config, bad_files_are_refused_with_their_line_and_column)
{
    const char *dir = ADMF_SOURCE "/tests/unit/configs";
    DIR *d = opendir(dir);
    unsigned n = 0;
    cr_assert_not_null(d, "%s", dir);
    for (const struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        check_bad_file(dir, e->d_name);
        n++;
    }
    closedir(d);
    cr_expect(n >= 100, "only %u files", n);
}

Test(config, missing_files_and_folders_are_no_input)
{
    struct config *config = NULL;
    struct err err = {0};
    int rc = config_load("/nowhere/at/all.yaml", NULL, 0, fixture_describe(), &config, &err);
    cr_expect(rc == -ENOENT && err.kind == ERR_NO_INPUT, "%s", err.text);
    cr_expect(strstr(err.text, "/nowhere/at/all.yaml") != NULL, "%s", err.text);
    rc = config_load("/tmp", NULL, 0, fixture_describe(), &config, &err);
    cr_expect(rc == -ENOENT && err.kind == ERR_NO_INPUT, "%s", err.text);
    cr_expect_null(config);
}

Test(config, a_huge_file_is_refused_before_it_is_read)
{
    char *dir = temp_dir(), *path = write_file(dir, "huge.yaml", "");
    struct config *config = NULL;
    struct err err = {0};
    cr_assert(truncate(path, 100 << 20) == 0);
    int rc = config_load(path, NULL, 0, fixture_describe(), &config, &err);
    cr_expect(rc == -EDOM && strstr(err.text, "larger than 1 MiB"), "%s", err.text);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && dup2(fd, STDIN_FILENO) == 0);
    close(fd);
    rc = config_load("-", NULL, 0, fixture_describe(), &config, &err);
    cr_expect(rc == -EDOM && strstr(err.text, "standard input:1:1: larger"), "%s", err.text);
    drop_file(path);
    drop_dir(dir);
}

Test(config, many_values_are_refused_at_the_limit)
{
    struct config *config = NULL;
    struct err err = {0};
    char *text = calloc(1, 1 << 20);
    cr_assert_not_null(text);
    strcpy(text, "data: [");
    for (size_t i = 0; i < 100001; i++)
        strcpy(text + 7 + 2 * i, "1,");
    strcat(text + 200000, "]\n");
    int rc = fixture_parse(text, NULL, &config, &err);
    cr_expect(rc == -EDOM, "%d", rc);
    cr_expect(strstr(err.text, "test.yaml:1:200002: more than 100000 values") != NULL, "%s",
              err.text);
    free(text);
}

Test(config, a_symbol_list_has_a_limit)
{
    char text[4096] = "strategies: [{type: momentum}]\ndata: {symbols: [";
    struct config *config = NULL;
    struct err err = {0};
    for (int i = 0; i <= SPEC_SYMBOLS_MAX; i++)
        sprintf(text + strlen(text), "s%d, ", i);
    strcat(text, "]}\n");
    cr_expect(fixture_parse(text, NULL, &config, &err) == -EDOM);
    cr_expect(strstr(err.text, "more than 256 symbols") != NULL, "%s", err.text);
}

/* ---- the seed's example --------------------------------------------------------------------- */

/* The YAML block under "### Input Configuration" of the seed, with a `data` key before it. */
static char *seed_example(void)
{
    const char *shared = getenv("ADMF_SHARED");
    char path[4096];
    size_t n_bytes = 0;
    snprintf(path, sizeof(path), "%s/seeds/container-sharing.md", shared ? shared : "../shared");
    char *text = read_file(path, &n_bytes);
    if (!text)
        cr_skip("%s is not there: the seed's example is not checked", path);
    char *begin = strstr(text, "### Input Configuration");
    begin = begin ? strstr(begin, "```yaml\n") : NULL;
    cr_assert_not_null(begin);
    char *end = strstr(begin + 8, "```"), *example = NULL;
    cr_assert_not_null(end);
    *end = 0;
    cr_assert(asprintf(&example, "data: {symbols: [SPX]}\n%s", begin + 8) > 0);
    free(text);
    return example;
}

Test(config, the_seeds_example_is_eight_combinations)
{
    static const double want[4][2] = {{10, .01}, {10, .02}, {20, .01}, {20, .02}};
    char *text = seed_example();
    struct config *config = fixture_load(text, NULL);
    cr_expect(config->type == RUN_OPTIMIZATION);
    cr_expect(config->combinations_n == 8 && grid_count(config) == 8);
    for (uint64_t n = 0; n < 8; n++) {
        struct combo combo;
        cr_assert(grid_combo(config, n, &combo));
        cr_expect(combo.combination == n && combo.params_n == 2);
        cr_expect(combo.portfolio.initial_capital == (n < 4 ? 10000 : 50000));
        cr_expect(combo.params[0] == want[n % 4][0] && combo.params[1] == want[n % 4][1]);
        cr_expect(combo.risk.max_position_size == 1000 && combo.risk.commission_frac == 0.001);
        cr_expect(combo.execution.commission.percent_frac == 0.001);
        cr_expect(combo.execution.slippage.percent_frac == 0.0005);
        cr_expect(combo.symbol_idx == COMBO_ALL_SYMBOLS);
    }
    config_destroy(config);
    free(text);
}

/* ---- defaults and conventions --------------------------------------------------------------- */

Test(config, native_defaults_are_as_documented)
{
    struct config *c = fixture_load(FIXTURE_BASE, NULL);
    const struct combo *b = &c->strategies[0].base;
    cr_expect_str_eq(c->conventions, "native");
    cr_expect(c->type == RUN_BACKTEST && c->mode == RUN_FREE && c->workers == 0 && c->seed == 1);
    cr_expect(c->retries == 1 && c->barrier_timeout_ns == 30 * NS_PER_S);
    cr_expect(c->time_per_combination_ns == 0 && c->memory_limit_bytes == 0);
    cr_expect(c->objective == METRIC_SHARPE && c->direction == 1 && c->min_trades == 0);
    cr_expect(c->profile == PROFILE_NATIVE && c->periods_per_year == 252 && c->risk_free == 0);
    cr_expect(b->execution.fill == FILL_NEXT_OPEN && b->execution.commission.percent_frac == 0);
    cr_expect(b->execution.slippage.percent_frac == 0 &&
              b->execution.same_bar == SAME_BAR_PESSIMISTIC);
    cr_expect(b->execution.at_end == AT_END_MARK);
    cr_expect(b->risk.opposite_signal == OPPOSITE_REVERSE);
    cr_expect(b->risk.same_signal == SAME_SIGNAL_IGNORE);
    cr_expect(b->risk.max_position_size == 0 && isnan(b->risk.commission_frac));
    cr_expect(b->exits.stop_loss == 0 && b->exits.take_profit == 0);
    cr_expect(b->exits.base == EXIT_BASE_FILL_PRICE && b->exits.live_from == LIVE_FROM_FILL_BAR);
    cr_expect(b->portfolio.initial_capital == 100000 && b->portfolio.leverage == 1);
    cr_expect(b->portfolio.lot == 1 && b->portfolio.direction == DIRECTION_BOTH);
    cr_expect(b->portfolio.sizing == SIZING_PERCENT_OF_EQUITY && b->portfolio.sizing_value == 1);
    cr_expect(c->strategies[0].spec.first_signal == FIRST_SIGNAL_FIRST_BAR);
    cr_expect(b->params_n == 2 && b->params[0] == 10 && b->params[1] == 20);
    cr_expect_str_eq(c->strategies[0].spec.param_names[0], "fast_period");
    cr_expect_str_eq(c->strategies[0].spec.long_entry, "close > open");
    cr_expect_str_eq(c->strategies[0].spec.name, "sma_cross");
    config_destroy(c);
}

Test(config, backtesting_py_conventions_set_their_keys)
{
    struct config *c = fixture_load(FIXTURE_BASE "conventions: backtesting.py\n", NULL);
    const struct combo *b = &c->strategies[0].base;
    cr_expect_str_eq(c->conventions, "backtesting.py");
    cr_expect(c->profile == PROFILE_BACKTESTING_PY && isnan(c->periods_per_year));
    cr_expect(b->execution.at_end == AT_END_MARK && b->execution.same_bar == SAME_BAR_STOP_FIRST);
    cr_expect(b->execution.fill == FILL_NEXT_OPEN);
    cr_expect(b->execution.close_booked == CLOSE_BOOKED_NEXT_BAR);
    cr_expect(b->execution.spread_paid == SPREAD_ON_ENTRY);
    cr_expect(b->risk.opposite_signal == OPPOSITE_REVERSE);
    cr_expect(b->risk.same_signal == SAME_SIGNAL_IGNORE);
    cr_expect(b->portfolio.commission_reserve == RESERVE_EACH_UNIT);
    cr_expect(b->exits.base == EXIT_BASE_SIGNAL_CLOSE && b->exits.live_from == LIVE_FROM_FILL_BAR);
    cr_expect(b->portfolio.lot == 1 && b->portfolio.initial_capital == 10000);
    cr_expect(b->portfolio.sizing == SIZING_PERCENT_OF_CASH);
    cr_expect(b->portfolio.sizing_value == 0.99999999999999978);
    cr_expect(c->strategies[0].spec.first_signal == FIRST_SIGNAL_AFTER_WARM_UP);
    config_destroy(c);
}

Test(config, single_keys_override_conventions_wherever_they_stand)
{
    struct config *c = fixture_load("portfolio: {lot: 0, sizing: {units: 3}}\n"
                                    "execution: {at_end: close_at_open}\n" FIXTURE_BASE
                                    "conventions: backtesting.py\n",
                                    NULL);
    const struct combo *b = &c->strategies[0].base;
    cr_expect(b->portfolio.lot == 0 && b->portfolio.sizing == SIZING_UNITS);
    cr_expect(b->portfolio.sizing_value == 3 && b->portfolio.initial_capital == 10000);
    cr_expect(b->execution.at_end == AT_END_CLOSE_AT_OPEN);
    config_destroy(c);
}

Test(config, the_objectives_sense_gives_its_direction)
{
    static const struct {
        const char *optimization;
        int direction;
    } rows[] = {
        {"optimization: {objective: sharpe}", 1},
        {"optimization: {objective: volatility_ann_pct}", -1},
        {"optimization: {objective: volatility_ann_pct, direction: maximise}", 1},
        {"optimization: {direction: min}", -1},
        {"optimization: {direction: minimize}", -1},
        {"optimization: {direction: max}", 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), FIXTURE_BASE "%s\n", rows[i].optimization);
        struct config *c = fixture_load(text, NULL);
        cr_expect(c->direction == rows[i].direction, "%s", rows[i].optimization);
        config_destroy(c);
    }
}

/* ---- sections ------------------------------------------------------------------------------- */

Test(config, risk_config_and_execution_config_override_key_by_key)
{
    struct config *c =
        fixture_load("data: {symbols: [SPX]}\n"
                     "risk: {max_position_size: 500, commission: 0.004}\n"
                     "execution: {commission: 0.002, slippage: 0.001}\n"
                     "strategies:\n"
                     "  - type: momentum\n"
                     "    parameters: {lookback_period: [10, 20]}\n"
                     "    risk_config: {max_position_size: 1000}\n"
                     "  - type: mean_reversion\n"
                     "    parameters: {rsi_period: [14, 21]}\n"
                     "    risk_config: {max_position_size: 2000}\n"
                     "    execution_config: {slippage: {percent: 0.003}, first_signal: "
                     "after_warm_up, same_signal: reenter}\n"
                     "  - type: momentum\n",
                     NULL);
    const struct config_strategy *s = c->strategies;
    cr_expect(s[0].base.risk.max_position_size == 1000 && s[1].base.risk.max_position_size == 2000);
    cr_expect(s[2].base.risk.max_position_size == 500);
    cr_expect(s[1].base.risk.commission_frac == 0.004 && s[1].base.risk.same_signal == 1);
    cr_expect(s[0].base.risk.same_signal == 0);
    cr_expect(s[1].base.execution.slippage.percent_frac == 0.003);
    cr_expect(s[1].base.execution.commission.percent_frac == 0.002);
    cr_expect(s[0].base.execution.slippage.percent_frac == 0.001);
    cr_expect(s[1].spec.first_signal == 1 && s[0].spec.first_signal == 0);
    cr_expect_str_eq(s[0].spec.name, "momentum");
    cr_expect_str_eq(s[2].spec.name, "momentum_2");
    cr_expect(s[2].first == 4 && c->combinations_n == 5);
    config_destroy(c);
}

Test(config, data_takes_dates_bars_and_files)
{
    struct config *c = fixture_load("data: {csv: {A: a.csv, B/C: /x/b.csv}, from: 2020-01-02, "
                                    "to: \"2020-01-03T00:00:00+01:00\", warm_up: 7}\n"
                                    "strategies: [{type: sma_cross}]\n",
                                    NULL);
    cr_expect(c->symbols_n == 2);
    cr_expect_str_eq(c->symbols[0].name, "A");
    cr_expect_str_eq(c->symbols[0].csv, "a.csv");
    cr_expect_str_eq(c->symbols[1].name, "B/C");
    cr_expect_str_eq(c->symbols[1].csv, "/x/b.csv");
    cr_expect(c->from.kind == BOUND_TIME && c->from.value == 18263 * NS_PER_DAY);
    cr_expect(c->to.kind == BOUND_TIME && c->to.value == 18264 * NS_PER_DAY - 3600 * NS_PER_S);
    cr_expect(c->warm_up == 7 && !c->each_symbol);
    config_destroy(c);
    c = fixture_load("data: {symbols: [A], from: 100, to: none}\nstrategies: [{type: sma_cross}]\n",
                     NULL);
    cr_expect(c->from.kind == BOUND_BAR && c->from.value == 100 && c->to.kind == BOUND_NONE);
    config_destroy(c);
}

Test(config, relative_files_start_at_the_configurations_folder)
{
    char *dir = temp_dir();
    char *path = write_file(dir, "run.yaml",
                            "data: {csv: {A: sub/a.csv}}\nstrategies: [{type: sma_cross}]\n");
    struct config *c = NULL;
    struct err err = {0};
    char want[512];
    cr_assert(config_load(path, NULL, 0, fixture_describe(), &c, &err) == 0, "%s", err.text);
    snprintf(want, sizeof(want), "%s/sub/a.csv", dir);
    cr_expect_str_eq(c->symbols[0].csv, want);
    cr_expect_str_eq(c->symbols[0].csv + c->symbols[0].csv_given, "sub/a.csv");
    config_destroy(c);
    drop_file(path);
    drop_dir(dir);
}

Test(config, standard_input_is_read_for_a_dash)
{
    char *dir = temp_dir(), *path = write_file(dir, "in.yaml", FIXTURE_BASE);
    struct config *c = NULL;
    struct err err = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && dup2(fd, STDIN_FILENO) == 0);
    close(fd);
    cr_expect(config_load("-", NULL, 0, fixture_describe(), &c, &err) == 0, "%s", err.text);
    config_destroy(c);
    drop_file(path);
    drop_dir(dir);
}

Test(config, a_strategy_of_rules_brings_its_own_parameters)
{
    struct config *c =
        fixture_load("data: {symbols: [SPX]}\n"
                     "strategies:\n"
                     "  - type: rules\n"
                     "    name: \"my rule\"\n"
                     "    parameters: {slow: [50, 100], k: 1.5}\n"
                     "    long_entry: crosses_above(sma(close, fast), sma(close, slow))\n"
                     "    long_exit: close < sma(close, slow) * k\n"
                     "optimization: {parameter_grids: {fast: [5, 10, 20]}}\n",
                     NULL);
    const struct config_strategy *s = &c->strategies[0];
    struct combo combo;
    cr_expect(s->spec.params_n == 3 && s->combinations_n == 6);
    cr_expect_str_eq(s->spec.param_names[0], "slow");
    cr_expect_str_eq(s->spec.param_names[2], "fast");
    cr_expect_str_eq(s->spec.long_exit, "close < sma(close, slow) * k");
    cr_assert(grid_combo(c, 5, &combo));
    cr_expect(combo.params[0] == 100 && combo.params[1] == 1.5 && combo.params[2] == 20);
    config_destroy(c);
}

Test(config, rules_load_without_a_worker)
{
    const char *text = "data: {symbols: [SPX]}\n"
                       "strategies: [{type: rules, long_entry: close > open, where: 1 < 2}]\n";
    struct config *c = NULL;
    struct err err = {0};
    int rc = config_parse(text, strlen(text), "t", NULL, 0, NULL, &c, &err);
    cr_assert(rc == 0, "%s", err.text);
    config_destroy(c);
}

/* ---- --set ---------------------------------------------------------------------------------- */

Test(config, set_replaces_and_creates_values)
{
    const char *const sets[] = {"strategies.0.parameters.fast=[5, 6, 7]", "portfolio.lot=0",
                                "execution.commission={percent: 0.003}",
                                "optimization.parameter_grids.leverage={from: 1, to: 2, step: 1}",
                                NULL};
    struct config *c = NULL;
    struct err err = {0};
    cr_assert(fixture_parse(FIXTURE_BASE "portfolio: {lot: 5, leverage: 3}\nexecution:\n", sets, &c,
                            &err) == 0,
              "%s", err.text);
    cr_expect(c->combinations_n == 6 && c->strategies[0].base.portfolio.lot == 0);
    cr_expect(c->strategies[0].base.portfolio.leverage == 3);
    cr_expect(c->strategies[0].base.execution.commission.percent_frac == 0.003);
    config_destroy(c);
}

Test(config, set_errors_name_the_set)
{
    static const struct {
        const char *set, *text;
    } rows[] = {
        {"portfolio.lot", "--set portfolio.lot: key=value is expected"},
        {"=3", "--set =3: key=value is expected"},
        {"a..b=3", "--set a..b=3: key=value is expected"},
        {"portfolio.lot=", "--set portfolio.lot=: no value behind the ="},
        {"portfolio.lott=1", "--set portfolio.lott=1: \"lott\" is no key of portfolio"},
        {"portfolio.lot=-1", "--set portfolio.lot=-1: portfolio.lot: -1 is out of range"},
        {"strategies.3.name=x", "--set strategies.3.name=x: there is no item 3 in a list of 1"},
        {"strategies.x.name=y", "--set strategies.x.name=y: \"x\" is no place in a list of 1"},
        {"strategies.0.type.x=y", "what should hold \"x\" is \"sma_cross\", not a map or a list"},
        {"portfolio={lot: [1}", "--set portfolio={lot: [1}: the list is not closed"},
        {"portfolio=*x", "--set portfolio=*x: an alias"},
        {"portfolio={lot: 1, lot: 2}", "the key \"lot\" stands here a second time"},
        {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q=1", "the path is too deep"},
        {"type=[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]", "nested too deep"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const sets[] = {rows[i].set, NULL};
        struct config *c = NULL;
        struct err err = {0};
        cr_expect(fixture_parse(FIXTURE_BASE, sets, &c, &err) == -EDOM, "%s", rows[i].set);
        cr_expect(strstr(err.text, rows[i].text) != NULL, "%s\n  got %s", rows[i].text, err.text);
        cr_expect_null(c);
    }
}

/* ---- memory --------------------------------------------------------------------------------- */

Test(config, destroy_takes_null)
{
    config_destroy(NULL);
    describe_destroy(NULL);
    grid_where_destroy(NULL);
}
