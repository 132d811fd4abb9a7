# SPDX-License-Identifier: MIT
"""vectorbt's Portfolio.from_signals: the signals that it got are columns of the bars here; orders,
trades, value and statistics beside ours."""

import math

from compare import Problems, number, read
from rules import config_of, strategy_of, without_none

FOLDER = "backtests_vectorbt"

# statistic of case.json -> column of `export --what combinations`, what one of ours is of theirs
STATISTICS = {
    "total_return": ("return_pct", 100),
    "annualized_return": ("return_ann_pct", 100),
    "annualized_volatility": ("volatility_ann_pct", 100),
    "sharpe_ratio": ("sharpe", 1),
    "sortino_ratio": ("sortino", 1),
    "calmar_ratio": ("calmar", 1),
    "max_drawdown": ("max_drawdown_pct", 100),
    "omega_ratio": ("omega", 1),
    "orders": ("orders", 1),
    "trades": ("trades", 1),
    "closed_trades": ("closed_trades", 1),
    "final_value": ("equity_final", 1),
    "total_fees": ("commissions", 1),
}
COLUMNS = ("timestamp", "open", "high", "low", "close", "entry", "exit_or_short")


def bars_of(rows, is_next_open):
    """The bars with their signals as CSV; a signal that stands on the bar of its fill goes back to
    the bar that decides."""
    lines = [",".join(COLUMNS)]
    for row, decided in zip(rows, rows[1:] + [None] if is_next_open else rows):
        signals = [decided[key] if decided else "0" for key in COLUMNS[5:]]
        lines.append(",".join([row[key] for key in COLUMNS[:5]] + signals))
    return "\n".join(lines) + "\n"


def sizing_of(options):
    size = options.get("size")
    if size is None:
        return None
    return {"percent_of_cash" if options.get("size_type") == "percent" else "units": size}


def configure(case, csv):
    options = case["portfolio_kwargs"]
    stop = "trailing_stop" if options.get("sl_trail") else "stop_loss"
    return config_of(
        "vectorbt", csv, strategy_of("entry > 0", "exit_or_short > 0", case["mode"]),
        exits=without_none(**{stop: options.get("sl_stop")}, take_profit=options.get("tp_stop")),
        execution=without_none(
            fill="next_open" if case["fill"] == "next_open" else "this_close",
            commission={"percent": options.get("fees", 0), "fixed": options.get("fixed_fees", 0)},
            slippage=options.get("slippage")),
        portfolio=without_none(initial_capital=case["init_cash"], sizing=sizing_of(options),
                               lot=options.get("size_granularity")))


def orders_of(outcome):
    """Orders from trades: what is bought or sold in one bar at one price is one order. Its fee is
    what the cash tells beyond the price."""
    orders, cash_before = [], math.nan
    fills = [(int(t["entry_bar"]), t["direction"] == "long", t["size"], t["entry_price"])
             for t in outcome.trades]
    fills += [(int(t["exit_bar"]), t["direction"] != "long", t["size"], t["exit_price"])
              for t in outcome.closed]
    for bar, is_buy, size, price in sorted(fills):
        last = orders[-1] if orders else None
        if last and (last["bar"], last["side"]) == (bar, "buy" if is_buy else "sell"):
            last["size"] += float(size)
            continue
        orders.append({"bar": bar, "side": "buy" if is_buy else "sell", "size": float(size),
                       "price": float(price)})
    for order in orders:
        cash = float(outcome.equity[order["bar"]]["cash"])
        cash_before = (float(outcome.equity[order["bar"] - 1]["cash"]) if order["bar"]
                       else float(outcome.initial_capital))
        value = order["size"] * order["price"] * (1 if order["side"] == "buy" else -1)
        order["fees"], order["scale"] = cash_before - cash - value, abs(value) + abs(cash)
    return orders


def compare_orders(ours, theirs, problems):
    problems.rows("order", ours, theirs, (("bar",) * 2, ("size",) * 2, ("price",) * 2))
    for i, (mine, his) in enumerate(zip(ours, theirs)):
        problems.same(f"order {i} side", mine["side"], his["side"])
        problems.close(f"order {i} fees", mine["fees"], his["fees"], mine["scale"])


def compare_trades(ours, theirs, problems):
    columns = (("entry_bar",) * 2, ("entry_price",) * 2, ("size",) * 2)
    problems.rows("trade", ours, theirs, columns)
    for i, (mine, his) in enumerate(zip(ours, theirs)):
        problems.same(f"trade {i} direction", mine["direction"], his["direction"])
        problems.same(f"trade {i} status", "closed" if mine["exit_bar"] else "open", his["status"])
        if his["status"] == "closed":
            for key in ("exit_bar", "exit_price", "pnl", "return"):
                problems.close(f"trade {i} {key}", mine[key], his[key], number(his["size"]))
            fees = number(his["entry_fees"]) + number(his["exit_fees"])
            problems.close(f"trade {i} commission", mine["commission"], fees)


def compare_statistics(metrics, stats, problems):
    """Each under its name there and under ours."""
    for theirs, (mine, factor) in STATISTICS.items():
        value = stats.get(theirs)
        is_defined = value is not None and math.isfinite(value)
        if theirs in stats:
            problems.close(theirs, metrics.get(theirs, "missing"), value if is_defined else "")
            problems.close(mine, metrics.get(mine, "missing"), value * factor if is_defined else "")


def compare_open(metrics, theirs, problems):
    """Profit of what is open at the end: in its trades there, one number here."""
    pnl = sum(number(t["pnl"]) for t in theirs if t["status"] == "open")
    problems.close("open pnl", metrics["open_pnl"], pnl, number(metrics["equity_final"]))


def run_case(runner, folder, case):
    bars = read(folder / "bars.csv")
    csv = runner.write("bars.csv", bars_of(bars, case["fill"] == "next_open"))
    outcome = runner.outcome(configure(case, csv))
    outcome.initial_capital = case["init_cash"]
    problems = Problems()
    compare_orders(orders_of(outcome), read(folder / "orders.csv"), problems)
    trades = read(folder / "trades.csv")
    compare_trades(outcome.trades, trades, problems)
    compare_open(outcome.metrics, trades, problems)
    problems.rows("bar", outcome.equity, bars, (("equity", "value"),), "bar")
    compare_statistics(outcome.metrics, case["stats"], problems)
    return problems
