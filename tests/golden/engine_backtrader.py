# SPDX-License-Identifier: MIT
"""backtrader's back broker: executions, trades, value and drawdown beside ours."""

from compare import Problems, read
from rules import conditions, config_of, strategy_of, without_none

FOLDER = "backtests_backtrader"

# rule of ours -> type of the order that executes there
ORDER_TYPES = {"stop": "Stop", "stop_gap": "Stop", "target": "Limit", "target_gap": "Limit",
               "limit": "Limit", "limit_gap": "Limit"}
TRADE_COLUMNS = (("entry_bar",) * 2, ("exit_bar",) * 2, ("entry_price",) * 2,
                 ("commission",) * 2, ("pnl", "pnl_net"))


def configure(case, csv):
    strategy = case["strategy"]
    up, down = conditions(strategy)
    bracket, mode = strategy.get("bracket"), strategy["mode"]
    if bracket and mode == "lo":
        down = None  # a bracket leaves by its own orders
    return config_of(
        "backtrader", csv, strategy_of(up, down, mode),
        exits={"stop_loss": bracket[0], "take_profit": bracket[1]} if bracket else None,
        execution=without_none(commission=case.get("commission"),
                               slippage=case.get("slip_perc"),
                               opposite_signal="ignore" if bracket else None),
        portfolio={"initial_capital": case["cash"], "sizing": {"units": case["stake"]}})


def executions_of(trades):
    """Fills in the order of their bars; in one bar what closes comes before what opens."""
    fills = []
    for t in trades:
        is_long, size = t["direction"] == "long", float(t["size"])
        fills.append((int(t["entry_bar"]), 1, is_long, size, t["entry_price"], t["entry_rule"]))
        if t["exit_bar"]:
            fills.append((int(t["exit_bar"]), 0, not is_long, size, t["exit_price"],
                          t["exit_rule"]))
    return [{"bar": bar, "side": "buy" if is_buy else "sell", "size": size if is_buy else -size,
             "price": price, "type": ORDER_TYPES.get(rule, "Market")}
            for bar, _, is_buy, size, price, rule in sorted(fills)]


def charge(executions, equity, capital):
    """Gives every execution its commission: what the bar's cash tells beyond prices, by value."""
    bars = {}
    for execution in executions:
        bars.setdefault(execution["bar"], []).append(execution)
    for bar, fills in bars.items():
        before = float(equity[bar - 1]["cash"]) if bar else float(capital)
        spent = before - float(equity[bar]["cash"])
        fee = spent - sum(f["size"] * float(f["price"]) for f in fills)
        value = sum(abs(f["size"]) * float(f["price"]) for f in fills)
        for fill in fills:
            fill["commission"] = fee * abs(fill["size"]) * float(fill["price"]) / value
            fill["scale"] = value + abs(before)


def compare_executions(ours, theirs, problems):
    problems.rows("execution", ours, theirs, (("bar",) * 2, ("size",) * 2, ("price",) * 2))
    for i, (mine, his) in enumerate(zip(ours, theirs)):
        for key in ("side", "type"):
            problems.same(f"execution {i} {key}", mine[key], his[key])
        problems.close(f"execution {i} commission", mine["commission"], his["commission"],
                       mine["scale"])


def compare_trades(ours, theirs, problems):
    problems.rows("trade", ours, theirs, TRADE_COLUMNS)
    for i, (mine, his) in enumerate(zip(ours, theirs)):
        problems.same(f"trade {i} long", int(mine["direction"] == "long"), int(his["long"]))
        gross = float(mine["pnl"]) + float(mine["commission"])
        problems.close(f"trade {i} gross pnl", gross, his["pnl"], abs(float(his["commission"])))


def max_drawdown_money(equity):
    peak = fall = 0.0
    for bar in equity:
        peak = max(peak, float(bar["equity"]))
        fall = max(fall, peak - float(bar["equity"]))
    return fall


def compare_statistics(outcome, executions, stats, problems):
    last = outcome.equity[-1]
    ours = {"final_value": last["equity"], "final_cash": last["cash"],
            "open_size": last["position_BARS"], "executions": len(executions),
            "closed_trades": len(outcome.closed),
            "max_drawdown_pct": -float(outcome.metrics["max_drawdown_pct"]),
            "max_drawdown_money": max_drawdown_money(outcome.equity)}
    for key, value in stats.items():
        if key in ours:
            problems.close(key, ours[key], value, 1e4)
    for mine, theirs in (("equity_final", "final_value"), ("trades", "closed_trades"),
                         ("fills", "executions")):
        problems.close(mine, outcome.metrics[mine], stats[theirs])


def run_case(runner, folder, case):
    outcome = runner.outcome(configure(case, runner.data(case["dataset"])))
    executions = executions_of(outcome.trades)
    charge(executions, outcome.equity, case["cash"])
    problems = Problems()
    compare_executions(executions, read(folder / "executions.csv"), problems)
    compare_trades(outcome.closed, read(folder / "trades.csv"), problems)
    problems.rows("bar", outcome.equity, read(folder / "bars.csv"), (("equity",) * 2,), "bar")
    compare_statistics(outcome, executions, case["stats"], problems)
    return problems
