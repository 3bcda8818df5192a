"""Orders requests: those that concern the same order go one after the other, others at once.

A request enters the queue of its account in the order of its arrival and gets a `Turn`. An order goes by our id of
it, by the exchange's, or by both; once the answer to its creation has shown that the two are one order, either
finds it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from millrace_core.orders import Order
from millrace_core.requests import (
    CancelAllOrders,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    EditOrder,
    EditPayload,
    Request,
    symbol_of,
)
from millrace_exchange import plain_id

KEPT_ALIASES = 10_000
"""Number of orders of which both ids, the exchange's and ours, are remembered."""

_Key = tuple[str, str]
"""A symbol, and an id of ours or of the exchange, which may number each symbol's orders separately."""


class Turn:
    """One request's place in the queue."""

    def __init__(
        self, symbol: str | None = None, waits_for: Iterable["Turn"] = (), *, makes: str | None = None
    ) -> None:
        self.symbol = symbol
        self.makes = makes
        """Our id of the order that the request makes, also as a replacement; None if it makes none."""
        self.order: Order | None = None
        """The order that was made, once its answer is known."""
        self.sweeps: tuple[Turn, ...] = ()
        """Of a cancel-all: the turns that were making orders in its scope when it entered, or replacing some; of one
        that is recovered, all that are recovered with it."""
        self._waits_for = tuple(waits_for)
        self._ended = asyncio.Event()

    @property
    def is_free(self) -> bool:
        """Tell whether it waits for nothing."""
        return not self._waits_for

    async def begins(self) -> None:
        """Wait until everything before it that concerns the same order has ended."""
        for turn in self._waits_for:
            await turn._cleared()
        self._waits_for = ()

    async def ended(self) -> None:
        """Wait until it is over."""
        await self._ended.wait()

    async def _cleared(self) -> None:
        # A turn that gave up waiting ends before those that it waited for.
        await self.ended()
        for turn in self._waits_for:
            await turn._cleared()

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self._ended.is_set()

    def end(self) -> None:
        """Let those that wait for it go on; idempotent."""
        self._ended.set()
        self.sweeps = ()


class OrderQueue:
    """The turns of one account's requests."""

    def __init__(self) -> None:
        self._last: dict[_Key, Turn] = {}
        self._placements: set[Turn] = set()
        self._clearances: set[Turn] = set()
        self._aliases: OrderedDict[_Key, str] = OrderedDict()

    def enter(self, request: Request, client_order_id: str) -> Turn:
        """Return a request's turn, behind all that entered before and concern the same order.

        A cancel-all waits for nothing, and later requests wait for it: an order that was asked for after
        the cancel-all is not canceled by it.
        """
        self._forget_ended()
        if isinstance(request, CancelAllOrders):
            turn = Turn(request.payload.symbol)
            turn.sweeps = tuple(each for each in self._placements if turn.symbol in (None, each.symbol))
            self._clearances.add(turn)
            return turn
        symbol = symbol_of(request)
        keys = [(symbol or "", plain_id(each)) for each in self._ids(request, client_order_id)]
        before = [self._last[key] for key in keys if key in self._last]
        before += [each for each in self._clearances if each.symbol in (None, symbol)]
        makes = client_order_id if isinstance(request, CreateOrder | EditOrder) else None
        turn = Turn(symbol, before, makes=makes)
        self._last.update(dict.fromkeys(keys, turn))
        if makes is not None:
            self._placements.add(turn)
        return turn

    def answered(self, turn: Turn, order: Order | None) -> None:
        """Learn which order a request made: from now on our id and the exchange's find the same order."""
        if order is None or turn.makes is None:
            return
        turn.order = order
        self._aliases[turn.symbol or "", plain_id(order.id)] = turn.makes
        if len(self._aliases) > KEPT_ALIASES:
            self._aliases.popitem(last=False)

    def _ids(self, request: Request, client_order_id: str) -> list[str]:
        match request:
            case CreateOrder():
                return [client_order_id]
            case EditOrder(payload=edit):
                # Where the exchange can only replace an order, the new one goes by the edit's own id.
                return [*self._ids_of(edit), client_order_id]
            case CancelOrder(payload=cancel):
                return self._ids_of(cancel)
        return []

    def _ids_of(self, named: CancelPayload | EditPayload) -> list[str]:
        ids = [each for each in (named.client_order_id, named.order_id) if each]
        return ids + [alias for each in ids if (alias := self._aliases.get((named.symbol, plain_id(each))))]

    def _forget_ended(self) -> None:
        self._placements = {turn for turn in self._placements if not turn.is_over}
        self._clearances = {turn for turn in self._clearances if not turn.is_over}
        if len(self._last) > KEPT_ALIASES:
            self._last = {key: turn for key, turn in self._last.items() if not turn.is_over}
