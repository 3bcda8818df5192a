"""What never changes of a candle chart: ECharts' options without the data.

Colours are the theme's own, so that dark and light need no second picture; it has to be drawn as SVG for that.
"""

from typing import Any

_QUIET = {"emphasis": {"disabled": True}}
_LINES = {"lineStyle": {"color": "var(--line)"}}
_LABELS = {"color": "var(--muted)", "fontSize": 11}

_TIMES = _LABELS | {"hideOverlap": True, "showMinLabel": False}
"""Without the first label, which reaches beyond the left edge."""


def frame() -> dict[str, Any]:
    """Return the options of a chart with candles, fills bought and fills sold, in this order."""
    return {
        "animation": False,
        "grid": {"left": 8, "right": 8, "top": 10, "bottom": 34, "containLabel": True},
        "tooltip": _tooltip(),
        "xAxis": {"type": "category", "data": [], "axisLine": _LINES, "axisLabel": _TIMES},
        "yAxis": {"scale": True, "position": "right", "axisLabel": _LABELS, "splitLine": _LINES},
        "dataZoom": _zoom(),
        "series": [_candles(), _fills("bought", "var(--up)", 0), _fills("sold", "var(--down)", 180)],
    }


def _tooltip() -> dict[str, Any]:
    return {
        "trigger": "axis",
        "confine": True,
        "backgroundColor": "var(--surface)",
        "borderColor": "var(--line)",
        "textStyle": {"color": "var(--text)", "fontSize": 12},
        "axisPointer": {"type": "cross", "label": {"color": "#ffffff", "backgroundColor": "#52585f"}},
    }


def _zoom() -> list[dict[str, Any]]:
    """Return the slider, and the wheel with a key: without it, the wheel and a finger scroll the page."""
    wheel = {"zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": False, "moveOnMouseMove": "shift"}
    slider = {"height": 16, "bottom": 4, "showDetail": False, "showDataShadow": False}
    colours = {"borderColor": "var(--line)", "fillerColor": "var(--up-bar)"}
    return [{"type": "inside", **wheel}, {"type": "slider", **slider, **colours}]


def _candles() -> dict[str, Any]:
    # Hollow candles rose and full ones fell: the colour only repeats it.
    rose = {"color": "var(--surface)", "borderColor": "var(--up)"}
    fell = {"color0": "var(--down)", "borderColor0": "var(--down)"}
    label = {"formatter": "{b}", "position": "insideStartTop", "fontSize": 11}
    return {
        "name": "price",
        "type": "candlestick",
        "data": [],
        "itemStyle": rose | fell,
        "markLine": {"symbol": "none", "silent": True, "data": [], "label": label},
        **_QUIET,
    }


def _fills(name: str, colour: str, turned: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": "scatter",
        "data": [],
        "symbol": "triangle",
        "symbolSize": 11,
        "symbolRotate": turned,
        "itemStyle": {"color": colour, "borderColor": "var(--surface)", "borderWidth": 1},
        "z": 5,
        **_QUIET,
    }
