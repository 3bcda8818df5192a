"""Canceling every open order of a market, of a whole account, or of one strategy or person, by hand."""

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiError
from millrace_console.markets import Market
from millrace_console.pages.orders.canceling_source import MOST, SourceCancellation
from millrace_console.pages.orders.sending import Change, confirm
from millrace_console.visit import Visit
from millrace_core.names import PUBLIC

COUNTED = MOST
"""Open orders beyond this many are not counted for the confirmation."""


def ask_to_cancel_all(visit: Visit, markets: Sequence[Market], on_done: Callable[[], None]) -> None:
    """Open the form that says whose orders are canceled; it begins with what the list's filters say."""
    CancelAllForm(visit, markets, on_done)


class CancelAllForm:
    """A dialog: the tenant, the exchange and, if only their orders are meant, the symbol and the source."""

    def __init__(self, visit: Visit, markets: Sequence[Market], on_done: Callable[[], None]) -> None:
        self._visit, self._markets, self._on_done = visit, markets, on_done
        with (
            ui.dialog(value=True).props('aria-label="Cancel all orders"') as self._dialog,
            ui.card().classes("w-full max-w-lg"),
        ):
            ui.label("Cancel all orders").props("role=heading aria-level=2").classes("text-lg")
            self._build_fields()
            ui.label("Strategies go on and may place new orders: to prevent that, halt them first.").classes("muted")
            self._problem = ui.label().classes("bad").props('role="alert"')
            with ui.row().classes("w-full justify-end"):
                ui.button("Leave as it is", on_click=self._dialog.close).props("flat no-caps")
                ui.button("Check …", on_click=self._check).props("no-caps unelevated")

    def _build_fields(self) -> None:
        place = self._visit.place
        able = [each.tenant for each in self._visit.trading_accounts if each.may("trade") and each.tenant != PUBLIC]
        exchanges = sorted({each.exchange for each in self._markets} | set(filter(None, [place.get("exchange")])))
        exchange = place.get("exchange") or (exchanges[0] if len(exchanges) == 1 else None)
        symbols = sorted({each.symbol for each in self._markets} | set(filter(None, [place.get("symbol")])))
        self._tenant = ui.select(able, value=able[0] if len(able) == 1 else None, label="Tenant")
        self._exchange = ui.select(exchanges, value=exchange, label="Exchange")
        options = {"": "every symbol"} | {each: each for each in symbols}
        self._symbol = ui.select(options, value=place.get("symbol"), label="Symbol")
        self._source = ui.input("Source: one strategy or person; empty for all", value=place.get("source"))
        for each in (self._tenant, self._exchange, self._symbol, self._source):
            each.classes("w-full").props("dense outlined")

    async def _check(self) -> None:
        tenant, exchange, symbol = self._tenant.value, self._exchange.value, self._symbol.value
        if not tenant or not exchange:
            self._problem.text = "✖ Choose the tenant and the exchange."
            return
        account = self._visit.account(tenant)
        query = {"exchange": exchange} | ({"symbol": symbol} if symbol else {})
        source = self._source.value.strip()
        try:
            found = await self._open_orders(account, query | ({"source": source} if source else {}))
        except ApiError as error:
            if source:
                self._problem.text = f"✖ Which orders are open is not known: {error}"
                return
            found = None
        if source:
            SourceCancellation(self._visit, account, source, found or [], self._done)
            return
        words = cancel_all_words(tenant, exchange, symbol, None if found is None else len(found))
        change = Change(account, "DELETE", "/orders", query)
        confirm(self._visit, change, "Cancel all orders", words, [], self._done)

    async def _open_orders(self, account: Account, query: dict[str, str]) -> list[dict[str, Any]]:
        """Return the newest open orders.

        Raises:
            ApiError: the API does not say.
        """
        answer = await self._visit.api.get(account, "/orders", status="open", limit=COUNTED, descending=True, **query)
        return list(answer["items"])

    def _done(self) -> None:
        self._dialog.close()
        self._on_done()


def cancel_all_words(tenant: str, exchange: str, symbol: str, open_orders: int | None) -> str:
    """Return what will happen; `open_orders` is None if their number is not known."""
    number = "how many are open is not known" if open_orders is None else f"{open_orders} open now"
    if open_orders is not None and open_orders >= COUNTED:
        number = f"{COUNTED} or more open now"
    what = f"every open order of {tenant} on {exchange}" + (f" for {symbol}" if symbol else ", of every symbol")
    return (
        f"Cancel {what} ({number}), whoever placed it. Orders on their way to the exchange are canceled once it has "
        "accepted them. What is filled stays filled."
    )
