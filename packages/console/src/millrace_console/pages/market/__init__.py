"""Market: what some symbols do now, side by side."""

from pathlib import Path

from nicegui import ui

from millrace_console.api import ApiError
from millrace_console.display.ladder import GROUPS
from millrace_console.markets import Market, listed
from millrace_console.pages import orders
from millrace_console.pages.market.candles import INTERVALS
from millrace_console.pages.market.view import MarketView
from millrace_console.visit import Visit

MOST = 4
"""Markets side by side."""
RETRY_S = 2.0
STYLE = (Path(__file__).parent / "market.css").read_text()


async def show(visit: Visit) -> None:
    """Build the page."""
    ui.add_css(STYLE + orders.STYLE)
    try:
        markets, trouble = await listed(visit), "No market is streamed yet."
    except ApiError as error:
        markets, trouble = [], str(error)
    chosen = chosen_markets(visit.place.all("market"), markets)
    if not chosen:
        ui.label(trouble).classes("panel bad").props('role="status"')
        ui.timer(RETRY_S, lambda: ui.navigate.to(visit.place.address), once=True)
        return
    group, interval = group_of(visit.place.get("group")), interval_of(visit.place.get("interval"))
    _choices(visit, chosen, markets, group, interval)
    with ui.element("div").classes("market-grid"):
        for each in chosen:
            MarketView(visit, each, group, interval)


def chosen_markets(wanted: tuple[str, ...], markets: list[Market]) -> list[Market]:
    """Return the markets of the address, without others' and mistakes; the first that there is if none is left."""
    named = [market for text in wanted if (market := Market.parse(text)) is not None]
    return (list(dict.fromkeys(named)) or markets[:1])[:MOST]


def group_of(text: str) -> int:
    """Return how many ticks share a row; one if the address says something else than `GROUPS`."""
    return int(text) if text in map(str, GROUPS) else 1


def interval_of(text: str) -> str:
    """Return the interval of the candles; a minute if the address says none that there is."""
    return text if text in INTERVALS else "1m"


def _choices(visit: Visit, chosen: list[Market], markets: list[Market], group: int, interval: str) -> None:
    def choose(names: list[str]) -> None:
        if len(names) > MOST:
            ui.notify(f"At most {MOST} markets side by side", type="warning")
        visit.place.go(market=names[-MOST:])

    labels = {str(each): each.label for each in (*chosen, *markets)}
    with ui.element("div").classes("panel market-choices"):
        ui.select(
            labels, multiple=True, value=[str(each) for each in chosen], with_input=True,
            label=f"Markets, up to {MOST}", on_change=lambda e: choose(e.value),
        ).props("dense outlined use-chips options-dense").classes("grow")  # fmt: skip
        ui.select(
            {each: "each tick" if each == 1 else f"{each} ticks" for each in GROUPS}, value=group, label="A row holds",
            on_change=lambda e: visit.place.go(group=str(e.value)),
        ).props("dense outlined options-dense")  # fmt: skip
        ui.select(
            list(INTERVALS), value=interval, label="Candles", on_change=lambda e: visit.place.go(interval=e.value)
        ).props("dense outlined options-dense")  # fmt: skip
