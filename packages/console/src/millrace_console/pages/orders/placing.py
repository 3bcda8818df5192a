"""The form with which a person places an order."""

from collections.abc import Callable

from nicegui import ui

from millrace_console.display.ladder import NO_SCALE, scale_of
from millrace_console.display.text import NONE, number
from millrace_console.live import Stream
from millrace_console.markets import Market
from millrace_console.pages.orders.checks import Checked, Sight, Ticket, check_new
from millrace_console.pages.orders.known_terms import KnownTerms
from millrace_console.pages.orders.sending import Change, confirm
from millrace_console.visit import Visit
from millrace_core.market_terms import MarketTerms, SizedOrder
from millrace_core.names import PUBLIC
from millrace_core.states import BookState

LOOK_S = 0.5


def ask_for_order(visit: Visit, *markets: Market, on_done: Callable[[], None] = lambda: None) -> None:
    """Open the form; `on_done` is called after an order was answered."""
    if markets:
        OrderForm(visit, list(markets), on_done)
    else:
        ui.notify("No tradable market is streamed.", type="warning")


def sight_of(stream: Stream, terms: MarketTerms | None) -> Sight:
    """Return what is known of a market: of its book nothing while its stream is not right."""
    if not stream.is_right or not isinstance(stream.state, BookState):
        return Sight(None, None, NO_SCALE, terms)
    book = stream.state.book
    return Sight(book.bids.best(), book.asks.best(), scale_of(book), terms)


class OrderForm:
    """A dialog; what was typed stays in it until the order is confirmed."""

    def __init__(self, visit: Visit, markets: list[Market], on_done: Callable[[], None]) -> None:
        self._visit, self._on_done = visit, on_done
        self._next: SizedOrder | None = None
        # Where an exchange's symbol is streamed for several tenants, any of these books serves.
        self._markets = {f"{each.symbol} · {each.exchange}": each for each in reversed(markets)}
        self._tenants = [each.tenant for each in visit.trading_accounts if each.may("trade") and each.tenant != PUBLIC]
        with (
            ui.dialog(value=True).props('aria-label="Place an order"') as self._dialog,
            ui.card().classes("w-full max-w-lg order-form"),
        ):
            ui.label("Place an order").props("role=heading aria-level=2").classes("text-lg")
            self._build_fields(markets[0])
            self._takes = KnownTerms(visit)
            self._now = ui.label().classes("muted")
            self._problems = ui.label().classes("bad whitespace-pre-line").props('role="alert"')
            self._use = ui.button(on_click=self._take_next).props("flat dense no-caps")
            self._use.visible = False
            with ui.row().classes("w-full justify-end"):
                ui.button("Close", on_click=self._dialog.close).props("flat no-caps")
                ui.button("Check …", on_click=self._check).props("no-caps unelevated")
            self._follow()
            ui.timer(0, lambda: self._takes.learn(self._chosen), once=True)
            ui.timer(LOOK_S, self._look)

    def _build_fields(self, market: Market) -> None:
        own = market.tenant if market.tenant in self._tenants else next(iter(self._tenants), None)
        first = f"{market.symbol} · {market.exchange}"
        with ui.element("div").classes("order-fields"):
            self._tenant = ui.select(self._tenants, value=own, label="Tenant")
            self._market = ui.select(list(self._markets), value=first, label="Market", on_change=self._change)
            self._side = ui.select({"buy": "▲ buy", "sell": "▼ sell"}, value="buy", label="Side")
            self._type = ui.select(["limit", "market"], value="limit", label="Type")
            self._amount = ui.input("Amount").props('inputmode="decimal" autocomplete="off"')
            self._price = ui.input("Price").props('inputmode="decimal" autocomplete="off"')
            self._price.bind_visibility_from(self._type, "value", lambda kind: kind == "limit")
            forces = {"GTC": "until canceled (GTC)", "IOC": "at once or cancel (IOC)", "FOK": "whole or not (FOK)"}
            self._force = ui.select(forces, value="GTC", label="Holds")
            self._force.bind_visibility_from(self._type, "value", lambda kind: kind == "limit")
            with ui.row():
                self._post = ui.checkbox("post-only")
                self._reduce = ui.checkbox("reduce-only")
        for each in (self._tenant, self._market, self._side, self._type, self._amount, self._price, self._force):
            each.props("dense outlined")

    async def _change(self) -> None:
        self._follow()
        await self._takes.learn(self._chosen)

    def _follow(self) -> None:
        """Follow the book of the chosen market."""
        self._stream = self._visit.follow(self._chosen.stream("watchOrderBook"))

    @property
    def _chosen(self) -> Market:
        return self._markets[str(self._market.value)]

    def _look(self) -> None:
        sight, checked = sight_of(self._stream, self._takes.terms), self._checked()
        bid, ask = (NONE if level is None else number(level[0], sight.scale.price) for level in (sight.bid, sight.ask))
        self._now.text = f"Bid {bid}, ask {ask}. {checked.words}"

    def _checked(self) -> Checked:
        ticket = Ticket(
            str(self._tenant.value or ""), self._chosen, str(self._side.value), str(self._type.value),
            str(self._amount.value or ""), str(self._price.value or ""), str(self._force.value),
            post_only=bool(self._post.value), reduce_only=bool(self._reduce.value),
        )  # fmt: skip
        return check_new(ticket, sight_of(self._stream, self._takes.terms))

    async def _check(self) -> None:
        await self._takes.learn(self._chosen)
        checked = self._checked()
        if not self._tenant.value:
            checked.problems.append("Choose the tenant whose order it is.")
        self._problems.text = "\n".join(f"✖ {each}" for each in checked.problems)
        self._next, self._use.visible = checked.next, checked.next is not None
        if checked.next is not None:
            at = f" at {number(checked.next.price)}" if self._type.value == "limit" else ""
            self._use.text = f"Use {number(checked.next.amount)}{at}"
        if checked.problems:
            return
        change = Change(self._visit.account(str(self._tenant.value)), "POST", "/orders", body=checked.body)
        confirm(self._visit, change, "Place the order", checked.words, checked.warnings, self._done)

    def _take_next(self) -> None:
        """Fill in what the exchange would take."""
        if self._next is not None:
            self._amount.value = f"{self._next.amount:f}"
            if self._type.value == "limit":
                self._price.value = f"{self._next.price:f}"
        self._use.visible, self._problems.text = False, ""

    def _done(self) -> None:
        self._dialog.close()
        self._on_done()
