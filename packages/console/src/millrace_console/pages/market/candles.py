"""The candles of one market, with own open orders as lines and own fills as marks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nicegui import ui

from millrace_console.display.text import date_and_time, rounded
from millrace_console.pages.market.chart_frame import frame
from millrace_console.pages.market.fills import Fill, FillMark, marks_of
from millrace_core.market import Candle

INTERVALS = {
    "5s": 5_000, "15s": 15_000, "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000,
    "1d": 86_400_000,
}  # fmt: skip
"""Lengths in ms by what the address and the API call them."""
KEPT = 180
"""How many candles are shown."""


def shown(candles: Mapping[int, Candle]) -> list[Candle]:
    """Return the newest candles, oldest first."""
    return [candles[at] for at in sorted(candles)[-KEPT:]]


def chart_options(
    candles: Sequence[Candle],
    interval: str,
    fills: Iterable[Fill],
    orders: Sequence[tuple[str, float, float]],
    *,
    is_old: bool = False,
) -> dict[str, Any]:
    """Return what ECharts draws. Its data are tuples: NiceGUI would watch each list within for changes.

    An own open order is its side, price and remaining amount. The orders' lines fade if their stream is not live
    (`is_old`): they may be gone.
    """
    moments = [each[0] for each in candles]
    marks = marks_of(fills, moments, INTERVALS[interval])
    return {
        "xAxis": {"data": tuple(_label(each, interval) for each in moments)},
        "series": [
            {
                # Drawn to the pixel; exact floats are no numbers to the encoder of pages.
                "data": tuple(
                    tuple(map(float, (opened, close, low, high))) for _, opened, high, low, close, _ in candles
                ),
                "markLine": {"data": tuple(_line(*each, is_old=is_old) for each in orders)},
            },
            {"data": tuple(_mark(each) for each in marks if each.side == "buy")},
            {"data": tuple(_mark(each) for each in marks if each.side == "sell")},
        ],
    }


def _label(at_ms: int, interval: str) -> str:
    """Return the time of a candle: the whole of it tells two days apart."""
    text = date_and_time(at_ms)
    return text[:10] if interval == "1d" else text[5:16] if INTERVALS[interval] >= 60_000 else text[11:]


def _mark(mark: FillMark) -> dict[str, Any]:
    return {"value": [mark.candle, mark.price], "name": mark.words}


def _line(side: str, price: float, amount: float, *, is_old: bool) -> dict[str, Any]:
    style = {"color": "var(--up)" if side == "buy" else "var(--down)", "opacity": 0.45 if is_old else 1}
    return {
        "yAxis": price,
        "name": f"{side} {rounded(amount)} @ {rounded(price)}" + (", not up to date" if is_old else ""),
        "lineStyle": style | {"type": "dashed"},
        "label": style,
    }


class CandleChart:
    """The picture in the page; only what changed is sent to it."""

    def __init__(self, label: str) -> None:
        self._chart = ui.echart(frame(), renderer="svg").classes("candles").props(f'role="img" aria-label="{label}"')
        self._drawn: dict[str, Any] = {}

    def draw(self, options: dict[str, Any]) -> None:
        """Draw these candles, marks and lines."""
        if options == self._drawn:
            return
        self._drawn = options
        merged = self._chart.options
        merged["xAxis"]["data"] = options["xAxis"]["data"]
        for series, new in zip(merged["series"], options["series"], strict=True):
            series["data"] = new["data"]
            if "markLine" in new:
                series["markLine"]["data"] = new["markLine"]["data"]
        self._chart.update()
