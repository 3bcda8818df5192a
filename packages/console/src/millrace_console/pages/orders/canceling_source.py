"""Canceling the open orders of one strategy or person: one by one, since no exchange knows whose an order is."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiError
from millrace_console.visit import Visit

MOST = 200
"""So many are canceled at a time; a further press cancels the next ones."""
AT_ONCE = 4
SHOWN = 5
"""Refusals that are shown; the others are counted."""

Record = dict[str, Any]
"""An order as `/orders` lists it."""


class SourceCancellation:
    """A dialog that names how many orders are canceled, cancels them when that is confirmed, and counts them."""

    def __init__(
        self, visit: Visit, account: Account, source: str, orders: Sequence[Record], on_done: Callable[[], None]
    ) -> None:
        self._visit, self._account, self._on_done = visit, account, on_done
        self._keys = [(order, secrets.token_hex(16)) for order in orders]
        title = f"Cancel {len(orders)} orders" if len(orders) != 1 else "Cancel 1 order"
        with (
            ui.dialog(value=True).props('persistent aria-label="Cancel the orders of a source"') as self._dialog,
            ui.card().classes("w-full max-w-lg"),
        ):
            ui.label(title).props("role=heading aria-level=2").classes("text-lg")
            ui.label(source_words(account.tenant, source, orders)).classes("confirm-words")
            ui.label(f"▲ {source} goes on and may place new orders: to prevent that, halt it first.").classes("warn")
            self._says = ui.label().props('role="status"').classes("whitespace-pre-line")
            with ui.row().classes("w-full justify-end"):
                self._close = ui.button("Leave as it is", on_click=self._dialog.close).props("flat no-caps")
                self._go = ui.button(title, on_click=self._cancel).props("no-caps unelevated")
                self._go.set_enabled(bool(orders))

    async def _cancel(self) -> None:
        self._go.disable()
        turns, refusals, ended = asyncio.Semaphore(AT_ONCE), [], 0

        async def cancel(order: Record, key: str) -> None:
            nonlocal ended
            async with turns:
                if refusal := await self._refusal(order, key):
                    refusals.append(refusal)
                ended += 1
                self._say(f"{ended} of {len(self._keys)} …")

        await asyncio.gather(*(cancel(*each) for each in self._keys))
        self._say(outcome(len(self._keys), refusals), "bad" if refusals else "")
        self._go.visible, self._close.text = False, "Close"
        self._on_done()

    async def _refusal(self, order: Record, key: str) -> str:
        """Cancel an order; return why it was not done, or nothing."""
        number = order["order"]["id"]
        try:
            answer = await self._visit.api.ask(
                self._account, "DELETE", f"/orders/{quote(number, safe='')}",
                query={"exchange": order["exchange"], "symbol": order["symbol"]}, headers={"Idempotency-Key": key},
            )  # fmt: skip
        except ApiError as error:
            return f"{number}: {error}"
        return "" if answer["status"] == "done" else f"{number}: {answer['status']}, see its history"

    def _say(self, text: str, style: str = "") -> None:
        if not self._dialog.is_deleted:
            self._says.text = text
            self._says.classes(replace=f"whitespace-pre-line {style}")


def source_words(tenant: str, source: str, orders: Sequence[Record]) -> str:
    """Return what will happen."""
    if not orders:
        return f"{source} has no open order for {tenant} here."
    number = f"the {MOST} newest open orders" if len(orders) >= MOST else f"{_orders(len(orders), 'open ')}"
    markets = sorted({f"{each['symbol']} on {each['exchange']}" for each in orders})
    where = ", ".join(markets[:SHOWN]) + (f" and {len(markets) - SHOWN} more markets" if len(markets) > SHOWN else "")
    return f"Cancel {number} of {source} for {tenant}: {where}. Those of others stay. What is filled stays filled."


def outcome(count: int, refusals: Sequence[str]) -> str:
    """Return what was done, and the first refusals."""
    if not refusals:
        return f"● Done: {_orders(count)} canceled."
    more = [f"and {len(refusals) - SHOWN} more"] if len(refusals) > SHOWN else []
    lines = [f"✖ {count - len(refusals)} of {_orders(count)} canceled. Not canceled:", *refusals[:SHOWN], *more]
    return "\n".join(lines)


def _orders(count: int, kind: str = "") -> str:
    return f"{count} {kind}order{'' if count == 1 else 's'}"
