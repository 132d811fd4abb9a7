# SPDX-License-Identifier: MIT
"""The strategies of golden cases as rules, and configurations made of such parts."""

from compare import Skip

CROSSINGS = ("sma", "ema", "macd")


def conditions(strategy):
    """Up and down conditions of a case's strategy; the exit of bands differs by mode."""
    kind = strategy["kind"]
    if kind == "macd":
        macd = "macd(close, {fast}, {slow}, {signal})".format(**strategy)
        return (f"crosses_above({macd}.macd, {macd}.signal)",
                f"crosses_below({macd}.macd, {macd}.signal)")
    if kind in CROSSINGS:
        fast, slow = (f"{kind}(close, {strategy[k]})" for k in ("fast", "slow"))
        return f"crosses_above({fast}, {slow})", f"crosses_below({fast}, {slow})"
    if kind == "rsi":
        rsi = f"rsi(close, {strategy['n']})"
        return f"{rsi} < {strategy['lo']}", f"{rsi} > {strategy['hi']}"
    if kind == "bb":
        bands = "bbands(close, {n}, {k}, {k})".format(**strategy)
        lower = "middle" if strategy["mode"] == "lo" else "lower"
        return f"close > {bands}.upper", f"close < {bands}.{lower}"
    if kind == "bh":
        return "close > 0", None
    raise Skip(f"no rules are known for a strategy {kind}")


def strategy_of(up, down, mode):
    """Rules that go long on `up`; on `down` they go short (mode ls) or just leave."""
    rules = {"type": "rules", "long_entry": up}
    if down:
        rules["short_entry" if mode == "ls" else "long_exit"] = down
    return rules


def yaml_of(value):
    """A mapping in YAML's flow form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {yaml_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def config_of(conventions, csv, strategy, **sections):
    """A configuration: sections that hold nothing are left out."""
    lines = ["type: backtest", f"conventions: {conventions}", f"data: {{csv: {{BARS: {csv}}}}}",
             "strategies:", f"  - type: {strategy['type']}"]
    lines += [f"    {key}: {value}" for key, value in strategy.items() if key != "type"]
    lines += [f"{name}: {yaml_of(keys)}" for name, keys in sections.items() if keys]
    return "\n".join(lines) + "\n"


def without_none(**keys):
    return {key: value for key, value in keys.items() if value is not None}
