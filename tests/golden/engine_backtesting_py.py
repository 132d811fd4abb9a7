# SPDX-License-Identifier: MIT
"""backtesting.py: a case's configuration, and its trades, equity and statistics beside ours."""

from compare import Problems, read
from rules import CROSSINGS, conditions, config_of, strategy_of, without_none

FOLDER = "backtests_backtestingpy"

# statistic of case.json -> column of `export --what combinations`
STATISTICS = {
    "Exposure Time [%]": "exposure_pct",
    "Equity Final [$]": "equity_final",
    "Equity Peak [$]": "equity_peak",
    "Commissions [$]": "commissions",
    "Return [%]": "return_pct",
    "Buy & Hold Return [%]": "buy_hold_return_pct",
    "Return (Ann.) [%]": "return_ann_pct",
    "Volatility (Ann.) [%]": "volatility_ann_pct",
    "CAGR [%]": "cagr_pct",
    "Sharpe Ratio": "sharpe",
    "Sortino Ratio": "sortino",
    "Calmar Ratio": "calmar",
    "Alpha [%]": "alpha_pct",
    "Beta": "beta",
    "Max. Drawdown [%]": "max_drawdown_pct",
    "Avg. Drawdown [%]": "avg_drawdown_pct",
    "# Trades": "trades",
    "Win Rate [%]": "win_rate_pct",
    "Best Trade [%]": "best_trade_pct",
    "Worst Trade [%]": "worst_trade_pct",
    "Avg. Trade [%]": "avg_trade_pct",
    "Profit Factor": "profit_factor",
    "Expectancy [%]": "expectancy_pct",
    "SQN": "sqn",
    "Kelly Criterion": "kelly",
    "open_trades_at_end": "open_trades",
}
DURATIONS = {
    "Max. Drawdown Duration": "max_drawdown_duration_days",
    "Avg. Drawdown Duration": "avg_drawdown_duration_days",
    "Max. Trade Duration": "max_trade_duration_days",
    "Avg. Trade Duration": "avg_trade_duration_days",
}

TRADE_COLUMNS = (("entry_bar",) * 2, ("exit_bar",) * 2, ("signed_size", "size"),
                 ("entry_price",) * 2, ("exit_price",) * 2, ("commission",) * 2, ("pnl",) * 2,
                 ("return", "return_pct"))


def commission_of(commission):
    """One number, or the pair of a fixed sum and a fraction."""
    if isinstance(commission, list):
        return {"fixed": commission[0], "percent": commission[1]}
    return commission


def sizing_of(size):
    if size is None:
        return None
    return {"percent_of_cash": size} if size < 1 else {"units": size}


def is_blind(strategy):
    """Two-sided crossings are acted on without a look at the position; conditions are not."""
    return strategy["kind"] in CROSSINGS and strategy["mode"] == "ls"


def configure(case, csv):
    strategy, options = case["strategy"], case["backtest"]
    return config_of(
        "backtesting.py", csv, strategy_of(*conditions(strategy), strategy["mode"]),
        exits=without_none(stop_loss=strategy.get("sl"), take_profit=strategy.get("tp")),
        execution=without_none(
            commission=commission_of(options.get("commission", 0)),
            spread=options.get("spread"),
            fill="this_close" if options.get("trade_on_close") else None,
            same_signal="reenter" if is_blind(strategy) else None,
            at_end="close_at_open" if options.get("finalize_trades") else None),
        portfolio=without_none(
            initial_capital=options["cash"], sizing=sizing_of(strategy.get("size")),
            leverage=1 / options["margin"] if "margin" in options else None))


def days(text):
    """`3116 days 12:30:00` in days."""
    if text in (None, "NaN", "NaT"):
        return ""
    count, _, clock = text.partition(" days")
    hours, minutes, seconds = (float(x) for x in clock.split(":")) if clock else (0, 0, 0)
    return repr(float(count) + hours / 24 + minutes / 1440 + seconds / 86400)


def compare_trades(ours, theirs, problems):
    for trade in ours:
        sign = 1 if trade["direction"] == "long" else -1
        trade["signed_size"] = sign * float(trade["size"])
    theirs.sort(key=lambda t: (int(t["exit_bar"]), int(t["entry_bar"])))
    problems.rows("trade", ours, theirs, TRADE_COLUMNS)
    for i, (mine, his) in enumerate(zip(ours, theirs)):
        for key in ("entry_time", "exit_time"):
            problems.same(f"trade {i} {key}", mine[key], his[key])


def compare_account(outcome, stats, problems):
    """Cash there is without what open trades cost, which it counts by their profit alone."""
    last, opened = outcome.equity[-1], [t for t in outcome.trades if t["exit_bar"] == ""]
    sizes = [float(t["size"]) * (1 if t["direction"] == "long" else -1) for t in opened]
    paid = sum(size * float(t["entry_price"]) for size, t in zip(sizes, opened))
    problems.close("cash at the end", float(last["cash"]) + paid, stats["cash_at_end"])
    problems.close("open size at the end", sum(sizes), stats["open_size_at_end"])
    problems.close("position at the end", last["position_BARS"], stats["open_size_at_end"])


def run_case(runner, folder, case):
    outcome = runner.outcome(configure(case, runner.data(case["dataset"])))
    problems, stats = Problems(), case["stats"]
    compare_trades(outcome.closed, read(folder / "trades.csv"), problems)
    problems.rows("bar", outcome.equity, read(folder / "bars.csv"), (("equity",) * 2,), "bar")
    for theirs, mine in STATISTICS.items():
        if theirs in stats:
            problems.close(mine, outcome.metrics[mine], stats[theirs])
    for theirs, mine in DURATIONS.items():
        if theirs in stats:
            problems.close(mine, outcome.metrics[mine], days(stats[theirs]))
    if outcome.metrics["bankrupt"] == "0":
        compare_account(outcome, stats, problems)
    return problems
