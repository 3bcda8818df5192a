"""Lines over time in one chart. Colours are the theme's own, for which the chart is drawn as SVG."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nicegui import ui

from millrace_core.clock import MINUTE_MS

Line = Sequence[tuple[int, Any]]
LINEAR = {"type": "value", "scale": True}
"""An axis that need not begin at zero."""
_COLOURS = ("#3f8fe0", "#d9772b", "#8a8f00", "#a86fd6", "#1f9d8f", "#c4566f")
_DASHES = ("solid", "dashed", "dotted")
_SYMBOLS = ("circle", "rect", "triangle", "diamond")
_BESIDE_MS = 15 * MINUTE_MS
_LABELS = {"color": "var(--muted)", "fontSize": 11}
_LINES = {"lineStyle": {"color": "var(--line)"}}


class Curves:
    """A chart of lines over time; only its data is sent again, and only when it changed."""

    def __init__(
        self,
        label: str,
        y_axis: Mapping[str, Any] = LINEAR,
        empty: str = "Nothing is stored for this time range yet.",
    ) -> None:
        self._chart = (
            ui.echart(_options(y_axis), renderer="svg").classes("w-full h-72").props(f'role="img" aria-label="{label}"')
        )
        self._empty = ui.label(empty).classes("muted")
        self._drawn: dict[str, list[list[Any]]] | None = None

    def show(self, lines: Mapping[str, Line]) -> None:
        """Draw these lines, by their names."""
        points = {name: [[at, float(value)] for at, value in line] for name, line in lines.items()}
        if points == self._drawn:
            return
        self._drawn = points
        self._empty.visible = not points
        self._chart.visible = bool(points)
        series = [_series(place, name, data) for place, (name, data) in enumerate(points.items())]
        self._chart.options["series"] = series
        self._chart.options["xAxis"] |= time_range(at for line in lines.values() for at, _ in line)
        self._chart.update()


def time_range(times: Iterable[int]) -> dict[str, int | None]:
    """Return the ends of the time axis. Of one moment: the quarters beside it, or it would stand amid two days."""
    moments = set(times)
    if len(moments) != 1:
        return {"min": None, "max": None}
    (moment,) = moments
    return {"min": moment - _BESIDE_MS, "max": moment + _BESIDE_MS}


def _series(place: int, name: str, data: list[list[Any]]) -> dict[str, Any]:
    """Return one line; neighbours differ by their dashes and symbols too, not by colour alone."""
    colour = _COLOURS[place % len(_COLOURS)]
    return {
        "name": name,
        "type": "line",
        "data": data,
        "showSymbol": len(data) < 3,
        "symbol": _SYMBOLS[place % len(_SYMBOLS)],
        "color": colour,
        "lineStyle": {"type": _DASHES[place % len(_DASHES)], "color": colour},
    }


def _options(y_axis: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "animation": False,
        "legend": {"type": "scroll", "top": 0, "bottom": "auto", "textStyle": {"color": "var(--text)"}},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--surface)",
            "borderColor": "var(--line)",
            "textStyle": {"color": "var(--text)", "fontSize": 12},
        },
        "xAxis": {"type": "time", "axisLine": _LINES, "axisLabel": _LABELS | {"hideOverlap": True}},
        "yAxis": {"axisLabel": _LABELS, "splitLine": _LINES, **y_axis},
        "grid": {"left": 8, "right": 16, "top": 40, "bottom": 8, "containLabel": True},
        "series": [],
    }
