"""The page of a sweep: what was best, what each parameter does, and how the best did on data it was not chosen by."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape
from itertools import accumulate
from math import log10
from typing import Any, Final

from millrace_backtest.exchange.fees import FeeRates
from millrace_backtest.report.charts import Axis, Chart, Marks, Point, bars_of, html_of, shown
from millrace_backtest.report.parts import (
    duration,
    facts_section,
    fee_text,
    latency_text,
    page_html,
    short,
    signed,
    table_section,
    tile,
    utc,
)
from millrace_backtest.sweep.figures import Figures
from millrace_backtest.sweep.result import SweepResult
from millrace_backtest.sweep.sweep import SweptWindow
from millrace_backtest.sweep.trials import Trial
from millrace_core.clock import DAY_MS, NS_PER_MS
from millrace_core.messages import encode

_BEST_SHOWN: Final = 20
_SHOWN_ERRORS: Final = 5
_DAY_NS: Final = DAY_MS * NS_PER_MS


def sweep_html(result: SweepResult) -> str:
    """Return the page."""
    is_walk = any(window.tested is not None for window in result.windows)
    parts = [f"<section class='tiles'>{''.join(_tiles(result))}</section>"]
    parts += _walk_sections(result) if is_walk else []
    parts += [_search_section(result, number) for number in range(len(result.windows))]
    parts += [_errors_section(result), _facts(result)]
    return page_html(f"{result.name}: {'walk forward' if is_walk else 'sweep'}", _subtitle(result), parts)


def _subtitle(result: SweepResult) -> str:
    data, count = result.data, sum(len(window.trials) for window in result.windows)
    state = "" if result.is_complete else " · interrupted: what was done until then"
    gaps = "" if data.is_whole and not data.gaps else " · the recording has gaps or was cut off"
    span = f"{utc(data.began_ns)} to {utc(data.ended_ns)} UTC · {duration((data.ended_ns - data.began_ns) / 1e9)}"
    return escape(f"{span} · {count:,} backtests · objective: {result.objective}{state}{gaps}")


def _tiles(result: SweepResult) -> Iterator[str]:
    walked = [window for window in result.windows if window.tested is not None]
    if walked:
        tested = sum((_of(window.tested) for window in walked), Decimal(0))
        yield tile(signed(tested), f"profit out of sample, {_currency(result)}", _css(tested))
        in_a_day, out_a_day = _in_a_day(walked), _out_a_day(walked)
        yield tile(f"{in_a_day:+,.2f}", f"a day in sample, {_currency(result)}", _css(in_a_day))
        yield tile(f"{out_a_day:+,.2f}", f"a day out of sample, {_currency(result)}", _css(out_a_day))
        if in_a_day > 0:
            yield tile(f"{100 * out_a_day / in_a_day:,.0f} %", "of the profit in sample is kept out of sample")
        gained = sum(_of(window.tested) > 0 for window in walked)
        yield tile(f"{gained} of {len(walked)}", "windows gained out of sample")
        return
    best = result.best
    if best is None or best.figures is None:
        yield tile("none", "settings could be rated", "loss")
        return
    figures = best.figures
    if result.objective != "profit":
        yield tile(_number(best.value), f"best {result.objective}")
    yield tile(signed(figures.profit), f"profit, {_currency(result)}", _css(figures.profit))
    yield tile(short(figures.drawdown), f"deepest drawdown, {_currency(result)}")
    yield tile(f"{figures.trades:,}", "trades")
    for name, value in best.parameters.items():
        yield tile(_value(value), name)


def _in_a_day(windows: Sequence[SweptWindow]) -> float:
    """Return the profit a day of the best settings where they were chosen; windows may overlap."""
    return _a_day([(window.since_ns, window.until_ns, _profit(window.best)) for window in windows])


def _out_a_day(windows: Sequence[SweptWindow]) -> float:
    """Return the profit a day of the same settings in the windows that follow."""
    return _a_day([(window.until_ns, window.tested_until_ns, _of(window.tested)) for window in windows])


def _a_day(parts: Sequence[tuple[int | None, int | None, Decimal]]) -> float:
    days = sum(((until or 0) - (since or 0)) / _DAY_NS for since, until, _ in parts)
    return float(sum((profit for _, _, profit in parts), Decimal(0))) / days if days else 0.0


def _walk_sections(result: SweepResult) -> list[str]:
    walked = [window for window in result.windows if window.tested is not None]
    currency = _currency(result)
    names = [f"window {number}" for number in range(1, len(walked) + 1)]
    bars = [
        pair
        for name, window in zip(names, walked, strict=True)
        for pair in (
            (f"{name}, in sample", window.best.value if window.best is not None else 0.0),
            (f"{name}, out of sample", window.tested_value),
        )
    ]
    charts = (
        html_of(_joined(walked, currency)),
        bars_of(
            f"{result.objective}: in the window by which settings were chosen, and in the next", list(_rated(bars))
        ),
    )
    head = (
        "window",
        "from (UTC)",
        "chosen until",
        "tested until",
        "profit in",
        "profit out",
        "trades out",
        *result.space,
    )
    rows = [
        (
            str(number),
            utc(window.since_ns or 0),
            utc(window.until_ns or 0)[11:],
            utc(window.tested_until_ns or 0)[11:],
            signed(_profit(window.best)),
            signed(_of(window.tested)),
            f"{window.tested.trades:,}" if window.tested is not None else "",
            *(_value(window.best.parameters[name]) if window.best is not None else "" for name in result.space),
        )
        for number, window in enumerate(walked, 1)
    ]
    note = "Settings that gain much less out of sample than in sample fit the past, not the market."
    shown_charts = f"<section class='charts'>{''.join(charts)}</section>"
    return [f"<h2>Out of sample</h2>{shown_charts}", table_section("Windows", head, rows, note)]


def _joined(windows: Sequence[SweptWindow], currency: str) -> Chart:
    """Return the equity out of sample, window after window; each begins with nothing."""
    points: list[Point] = []
    ends = accumulate((_of(window.tested) for window in windows), initial=Decimal(0))
    for window, base in zip(windows, ends, strict=False):
        points += [Point(at_ms, float(base + value)) for at_ms, value in window.curve]
    note = "Each window with the settings that were best in the one before."
    return Chart("Equity out of sample", currency, points, "area", note=note, from_zero=True)


def _search_section(result: SweepResult, number: int) -> str:
    window = result.windows[number]
    title = f"Window {number + 1}, in sample" if len(result.windows) > 1 else "Search"
    if not any(trial.value is not None for trial in window.trials):
        return ""
    charts = [html_of(_progress(result, window))]
    if window.curve and window.tested is None:
        points = [Point(at_ms, float(value)) for at_ms, value in window.curve]
        charts.append(html_of(Chart("Equity of the best", _currency(result), points, "area", from_zero=True)))
    charts += [_effect(result, window, name) for name in result.space]
    html = f"<h2>{escape(title)}</h2><section class='charts'>{''.join(charts)}</section>"
    table = _best_table(result, window)
    return f"<details><summary>{escape(title)}</summary>{html}{table}</details>" if number else html + table


def _progress(result: SweepResult, window: SweptWindow) -> Chart:
    rated = [(trial.number + 1, trial.value) for trial in window.trials if trial.value is not None]
    highest = accumulate((value for _, value in rated), max)
    best = [Point(number, value) for (number, _), value in zip(rated, highest, strict=True)]
    tried = Marks("tried", "own", [Point(number, value) for number, value in rated])
    return Chart(f"Best {result.objective} so far", "by backtest", best, "step", marks=(tried,), axis="number")


def _effect(result: SweepResult, window: SweptWindow, name: str) -> str:
    """Return what a parameter does: a dot for each backtest, or a bar with the best for each choice."""
    rated = [(trial.parameters[name], trial.value) for trial in window.trials if trial.value is not None]
    described = result.space[name]
    if isinstance(described, list):
        best = {
            _value(value): max((rating for at, rating in rated if at == value), default=None) for value in described
        }
        return bars_of(f"Best {result.objective} by {name}", list(_rated([*best.items()])))
    axis: Axis = "log" if described.get("log") else "number"
    points = sorted(Point(log10(value) if axis == "log" else float(value), rating) for value, rating in rated)
    return html_of(Chart(name, result.objective, points, "dots", axis=axis))


def _best_table(result: SweepResult, window: SweptWindow) -> str:
    rated = sorted((trial for trial in window.trials if trial.value is not None), key=lambda each: -(each.value or 0.0))
    # An objective that has no column of its own is the first.
    own = [] if result.objective in ("profit", "sharpe", "drawdown") else [result.objective]
    head = ("backtest", *own, "profit", "drawdown", "Sharpe", "trades", "fees", *result.space)
    rows = [
        (
            str(trial.number + 1),
            *(_number(trial.value) for _ in own),
            signed(trial.figures.profit),
            short(trial.figures.drawdown),
            f"{trial.figures.sharpe:,.2f}",
            f"{trial.figures.trades:,}",
            short(trial.figures.fees),
            *(_value(trial.parameters[name]) for name in result.space),
        )
        for trial in rated[:_BEST_SHOWN]
        if trial.figures is not None
    ]
    more = f"The best {_BEST_SHOWN} of {len(rated):,}; all are in trials.parquet." if len(rated) > _BEST_SHOWN else ""
    return table_section("Best settings", head, rows, more)


def _errors_section(result: SweepResult) -> str:
    found: dict[str, int] = {}
    for window in result.windows:
        for trial in window.trials:
            if trial.error is not None:
                found[trial.error] = found.get(trial.error, 0) + 1
    rows = [(error, f"{count:,}") for error, count in list(found.items())[:_SHOWN_ERRORS]]
    return table_section("Could not be rated", ("error", "backtests"), rows)


def _facts(result: SweepResult) -> str:
    facts = [
        ("strategy", f"{result.strategy} as {result.name}, tenant {result.tenant}"),
        ("configuration", _json(result.configuration)),
        ("search space", _json(result.space)),
        ("search", f"{result.search}, seed {result.seed}"),
        ("latency", latency_text(result.settings["latency"])),
        ("fees", "; ".join(fee_text(name, FeeRates(*rates)) for name, rates in result.settings["fees"].items())),
        ("balances", _json(result.settings["balances"]) if result.settings["balances"] else "as recorded, or no limit"),
        ("recordings", ", ".join(result.data.recordings)),
        ("gaps", f"{result.data.gaps} with {result.data.missing:,} messages" if result.data.gaps else "none"),
    ]
    return facts_section("Settings and data", facts)


def _rated(bars: Sequence[tuple[str, float | None]]) -> Iterator[tuple[str, float]]:
    yield from ((name, float(f"{value or 0.0:.6g}")) for name, value in bars)


def _profit(trial: Trial | None) -> Decimal:
    return Decimal(0) if trial is None else _of(trial.figures)


def _of(figures: Figures | None) -> Decimal:
    return Decimal(0) if figures is None else figures.profit


def _currency(result: SweepResult) -> str:
    found = (
        trial.figures.currency for window in result.windows for trial in window.trials if trial.figures is not None
    )
    return next((currency for currency in found if currency is not None), "no trades")


def _value(value: Any) -> str:
    return _json(value) if isinstance(value, bool | dict | list) or value is None else str(value)


def _number(value: float | None) -> str:
    return "" if value is None else shown(float(f"{value:.6g}"))


def _css(profit: Decimal | float) -> str:
    return "gain" if profit > 0 else "loss" if profit < 0 else ""


def _json(value: Any) -> str:
    return encode(value).decode()
