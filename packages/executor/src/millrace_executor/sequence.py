"""The order of work of one account: what concerns the same order waits its turn, everything else goes at once.

A request enters in the order of its arrival and gets a `Turn`. An order is known by our id of it, by the
exchange's, or by both; once its creation has told that the two are one (`same`), either finds it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from millrace_core.orders import Order
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, Request, symbol_of

KEPT_ALIASES = 10_000
"""How many orders' second names are remembered."""


class Turn:
    """One request's place in the order of work."""

    def __init__(self, symbol: str | None, waits_for: Iterable["Turn"]) -> None:
        self.symbol = symbol
        self.order: Order | None = None
        """What a creation made, once it has ended."""
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
        # One that gave up waiting has ended before those that it waited for.
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


class Sequence:
    """Hands out turns, for one account."""

    def __init__(self) -> None:
        self._last: dict[str, Turn] = {}
        self._creations: set[Turn] = set()
        self._clearances: set[Turn] = set()
        self._aliases: OrderedDict[str, str] = OrderedDict()

    def enter(self, request: Request, client_order_id: str) -> Turn:
        """Return a request its turn, behind all that entered before and concerns the same order.

        To cancel everything waits for nothing, and what enters later waits for it: a new order is not swept
        away by a sweep that was asked for before it.
        """
        self._forget_ended()
        if isinstance(request, CancelAllOrders):
            turn = Turn(request.payload.symbol, ())
            self._clearances.add(turn)
            return turn
        symbol, keys = symbol_of(request), self._keys(request, client_order_id)
        before = [self._last[key] for key in keys if key in self._last]
        turn = Turn(symbol, before + [each for each in self._clearances if each.symbol in (None, symbol)])
        self._last.update(dict.fromkeys(keys, turn))
        if isinstance(request, CreateOrder):
            self._creations.add(turn)
        return turn

    def creations_under_way(self, symbol: str | None) -> list[Turn]:
        """Return the turns of orders, of one symbol or all, that are being placed right now."""
        return [turn for turn in self._creations if not turn.is_over and symbol in (None, turn.symbol)]

    def same(self, client_order_id: str, order_id: str) -> None:
        """Learn that our id and the exchange's id are of one order."""
        self._aliases[order_id] = client_order_id
        if len(self._aliases) > KEPT_ALIASES:
            self._aliases.popitem(last=False)

    def _keys(self, request: Request, client_order_id: str) -> list[str]:
        match request:
            case CreateOrder():
                return [client_order_id]
            case EditOrder(payload=edit):
                # Where the exchange can only replace an order, the new one goes by the edit's own id.
                return [*self._named(edit.order_id, edit.client_order_id), client_order_id]
            case CancelOrder(payload=cancel):
                return self._named(cancel.order_id, cancel.client_order_id)
        return []

    def _named(self, order_id: str | None, client_order_id: str | None) -> list[str]:
        names = [name for name in (client_order_id, order_id) if name]
        return names + [alias for name in names if (alias := self._aliases.get(name))]

    def _forget_ended(self) -> None:
        self._creations = {turn for turn in self._creations if not turn.is_over}
        self._clearances = {turn for turn in self._clearances if not turn.is_over}
        if len(self._last) > KEPT_ALIASES:
            self._last = {key: turn for key, turn in self._last.items() if not turn.is_over}
