"""Charts as HTML and SVG that fit any width: lines are stretched, labels and dots are not. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from math import ceil, floor, log10
from typing import Final, Literal, NamedTuple

import msgspec

from millrace_core.clock import DAY_MS

Kind = Literal["line", "area", "step", "bars", "dots"]
Axis = Literal["time", "number", "log"]
"""What goes to the right: time (ms), a number, or the decimal logarithm of one."""
_WIDE: Final = 1_000
_HIGH: Final = 1_000
_TICKS: Final = 4


class Point(NamedTuple):
    """A value at a time (ms), or over a number."""

    at_ms: float
    value: float


class Marks(NamedTuple):
    """Dots on a chart, such as fills: filled ones, or rings."""

    label: str
    css: str
    points: Sequence[Point]
    is_ring: bool = False


class Chart(NamedTuple):
    """One chart, over time unless its axis says otherwise."""

    title: str
    unit: str
    points: Sequence[Point]
    kind: Kind = "line"
    css: str = "main"
    marks: Sequence[Marks] = ()
    note: str = ""
    from_zero: bool = False
    """Whether the axis must show zero."""
    gaps: Sequence[int] = ()
    """Times (ms) at which data is missing; those within the chart are marked."""
    axis: Axis = "time"


def html_of(chart: Chart) -> str:
    """Return a chart; one without points says so."""
    drawn = [*chart.points, *(point for marks in chart.marks for point in marks.points)]
    head = f"<h3>{escape(chart.title)} <small>{escape(chart.unit)}</small></h3>"
    note = f'<p class="note">{escape(chart.note)}</p>' if chart.note else ""
    if not drawn:
        return f'<figure class="chart">{head}<p class="empty">nothing to show</p>{note}</figure>'
    scale = _Scale.of(drawn, chart.axis, from_zero=chart.from_zero)
    legend = "".join(_legend(marks) for marks in chart.marks if marks.points)
    values = escape(msgspec.json.encode([[at, value] for at, value in chart.points]).decode())
    return (
        f'<figure class="chart">{head}<div class="plot" tabindex="0" data-unit="{escape(chart.unit)}" '
        f'data-axis="{chart.axis}" '
        f'data-left="{scale.left}" data-right="{scale.right}" data-low="{scale.low!r}" data-high="{scale.high!r}" '
        f'data-points="{values}">{_value_ticks(scale)}<svg viewBox="0 0 {_WIDE} {_HIGH}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(_spoken(chart))}">{_shapes(chart, scale)}</svg>'
        f"{_time_ticks(scale)}</div>{legend}{note}</figure>"
    )


def bars_of(title: str, values: Sequence[tuple[str, float]]) -> str:
    """Return a bar for each named value; those below zero go to the left."""
    low, high = min(0.0, *(value for _, value in values)), max(0.0, *(value for _, value in values))
    span = (high - low) or 1.0
    rows = []
    for name, value in values:
        left, width = 100 * (min(value, 0.0) - low) / span, 100 * abs(value) / span
        css = "gain" if value >= 0 else "loss"
        bar = f'<i class="{css}" style="left:{left:.2f}%;width:{width:.2f}%"></i>'
        rows.append(f"<span>{escape(name)}</span><div>{bar}</div><b>{shown(value)}</b>")
    return f'<figure class="chart bars"><h3>{escape(title)}</h3><div class="rows">{"".join(rows)}</div></figure>'


class _Scale(NamedTuple):
    axis: Axis
    left: float
    right: float
    low: float
    high: float
    step: float

    @classmethod
    def of(cls, points: Sequence[Point], axis: Axis, *, from_zero: bool) -> "_Scale":
        values = [point.value for point in points] + ([0.0] if from_zero else [])
        low, high = min(values), max(values)
        if low == high:
            spread = abs(low) * 0.001 or 1.0
            low, high = low - spread, high + spread
        step = nice_step((high - low) / _TICKS)
        places = [point.at_ms for point in points]
        left, right = min(places), max(places)
        if left == right:
            right += 1
        return cls(axis, left, right, floor(low / step) * step, ceil(high / step) * step, step)

    def text(self, part: float) -> str:
        """Return what stands below a part of the width."""
        at = self.left + part * (self.right - self.left)
        if self.axis == "time":
            return clock_text(at, self.right - self.left)
        return shown(float(f"{10**at if self.axis == 'log' else at:.4g}"))

    def x(self, at_ms: float) -> float:
        return round((at_ms - self.left) / (self.right - self.left) * _WIDE, 2)

    def y(self, value: float) -> float:
        return round((self.high - value) / (self.high - self.low) * _HIGH, 2)


def nice_step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not below a distance."""
    power = 10.0 ** floor(log10(rough))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)


def shown(value: float | Decimal, step: float | None = None) -> str:
    """Return a number as people write it; with a step, with as many decimals as that has."""
    if step is None:
        text = f"{value:,.8f}".rstrip("0").rstrip(".")
        return "0" if text in ("-0", "") else text
    decimals = max(0, -floor(log10(step) + 1e-9)) if step < 1 else 0
    return f"{value + 0.0:,.{min(decimals, 10)}f}" if isinstance(value, float) else f"{value:,}"


def clock_text(at_ms: float, span_ms: float) -> str:
    """Return a time (UTC): with its day where the chart covers more than one, with ms where it covers seconds."""
    moment = datetime.fromtimestamp(at_ms / 1_000, UTC)
    if span_ms > DAY_MS:
        return f"{moment:%d %b %H:%M}"
    return f"{moment:%H:%M:%S}"


def _shapes(chart: Chart, scale: _Scale) -> str:
    places = [(scale.x(point.at_ms), scale.y(point.value)) for point in chart.points]
    zero = f'<path class="zero" d="M0 {scale.y(0.0)}H{_WIDE}"/>' if scale.low < 0 < scale.high else ""
    lost = "".join(f"M{scale.x(at_ms)} 0V{_HIGH}" for at_ms in chart.gaps if scale.left <= at_ms <= scale.right)
    gaps = f'<path class="gap" d="{lost}"/>' if lost else ""
    return (
        _grid(scale) + zero + gaps + _body(chart, scale, places) + "".join(_dots(marks, scale) for marks in chart.marks)
    )


def _body(chart: Chart, scale: _Scale, places: Sequence[tuple[float, float]]) -> str:
    if not places:
        return ""
    if chart.kind == "dots":
        return f'<path class="dot {chart.css}" d="{"".join(f"M{x} {y}h0" for x, y in places)}"/>'
    if chart.kind == "step":
        path = f"M{places[0][0]} {places[0][1]}" + "".join(f"H{x}V{y}" for x, y in places[1:])
    else:
        path = "M" + "L".join(f"{x} {y}" for x, y in places)
    line = f'<path class="line {chart.css}" d="{path}"/>'
    if chart.kind == "line" or (chart.kind == "step" and not chart.from_zero):
        return line
    base = scale.y(min(max(0.0, scale.low), scale.high))
    return f'<path class="fill {chart.css}" d="{path}L{places[-1][0]} {base}L{places[0][0]} {base}Z"/>{line}'


def _dots(marks: Marks, scale: _Scale) -> str:
    path = "".join(f"M{scale.x(point.at_ms)} {scale.y(point.value)}h0" for point in marks.points)
    hole = f'<path class="hole" d="{path}"/>' if marks.is_ring else ""
    return f'<path class="dot {marks.css}" d="{path}"/>{hole}' if path else ""


def _levels(scale: _Scale) -> list[float]:
    count = round((scale.high - scale.low) / scale.step)
    return [scale.low + number * scale.step for number in range(count + 1)]


def _grid(scale: _Scale) -> str:
    return f'<path class="grid" d="{"".join(f"M0 {scale.y(level)}H{_WIDE}" for level in _levels(scale))}"/>'


def _value_ticks(scale: _Scale) -> str:
    return "".join(
        f'<span class="tick value" style="top:{scale.y(level) / 10:.2f}%">{shown(level, scale.step)}</span>'
        for level in _levels(scale)
    )


def _time_ticks(scale: _Scale) -> str:
    parts = ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    texts = ((part, place, scale.text(part)) for part, place in parts)
    return "".join(
        f'<span class="tick time {place}" style="left:{100 * part:.0f}%">{text}</span>' for part, place, text in texts
    )


def _legend(marks: Marks) -> str:
    shape = "ring" if marks.is_ring else "disc"
    return f'<span class="key"><i class="{shape} {marks.css}"></i>{escape(marks.label)} ({len(marks.points)})</span>'


def _spoken(chart: Chart) -> str:
    if not chart.points:
        return chart.title
    first, last = chart.points[0].value, chart.points[-1].value
    return f"{chart.title}: from {shown(first)} to {shown(last)} {chart.unit}"
