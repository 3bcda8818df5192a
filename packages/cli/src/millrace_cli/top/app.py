"""The screen of `millrace top`: a headline, what is halted, and one view at a time."""

import asyncio
from collections.abc import Callable
from typing import ClassVar, Final

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static, TabbedContent, TabPane

from millrace_bus import Bus
from millrace_cli.known_tenants import known_tenants
from millrace_cli.running import connected
from millrace_cli.status import halt_lines, read_state
from millrace_cli.top import views
from millrace_cli.top.views import Reading
from millrace_cli.trading.listing import OrderFilter, orders
from millrace_core.clock import now_ms

PERIOD_S: Final = 1.0
_ANSWER_LIMIT_S: Final = 2.0
_ORDERS_SHOWN: Final = 20
_VIEWS: Final[dict[str, Callable[[Reading], RenderableType]]] = {
    "agents": views.agents,
    "streams": views.streams,
    "orders": views.orders,
    "latency": views.latencies,
}


class Top(App[None]):
    """Reads Redis once a second and shows what it says; while Redis is silent, it says how old everything is."""

    TITLE = "millrace top"
    ENABLE_COMMAND_PALETTE = False
    CSS = "#headline { height: 1; } #halts { height: auto; max-height: 5; } TabPane { padding: 0; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "quit", "Quit"),
        *((str(number), f"view('{name}')", name.title()) for number, name in enumerate(_VIEWS, 1)),
    ]

    def __init__(self, redis_url: str) -> None:
        super().__init__()
        self._redis_url = redis_url
        self._newest: Reading | None = None
        self._headline = Static("reading …", id="headline")
        self._halts = Static("", id="halts")
        self._views = {name: Static("") for name in _VIEWS}

    def compose(self) -> ComposeResult:
        """Yield the screen's parts."""
        yield self._headline
        yield self._halts
        with TabbedContent(id="views"):
            for name, content in self._views.items():
                with TabPane(name.title(), id=name), VerticalScroll():
                    yield content
        yield Footer()

    def on_mount(self) -> None:
        """Begin to read."""
        self.run_worker(self._follow(), exit_on_error=True)

    def action_view(self, name: str) -> None:
        """Show another view."""
        self.query_one("#views", TabbedContent).active = name

    async def _follow(self) -> None:
        async with connected(self._redis_url, "top") as bus:
            while True:
                try:
                    async with asyncio.timeout(_ANSWER_LIMIT_S):
                        self._newest = await _read(bus)
                except TimeoutError:
                    self._show_silence()
                else:
                    self._show(self._newest)
                await asyncio.sleep(PERIOD_S)

    def _show(self, reading: Reading) -> None:
        self._headline.update(views.headline(reading))
        self._halts.update(Group(*halt_lines(reading.state.halts)))
        for name, view in _VIEWS.items():
            self._views[name].update(view(reading))

    def _show_silence(self) -> None:
        old = "" if self._newest is None else f"; this is {(now_ms() - self._newest.at_ms) // 1_000} s old"
        self._headline.update(Text(f"Redis does not answer{old}", "bold red"))


async def _read(bus: Bus) -> Reading:
    state = await read_state(bus)
    found = {tenant: await orders(bus, tenant, OrderFilter(), _ORDERS_SHOWN) for tenant in await known_tenants(bus)}
    return Reading(now_ms(), state, found)
